"""How pairs are cut into blocks changes no number."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import ar1

from synergy_tui.phiid import threads
from synergy_tui.phiid.engine import Layout, PairEngine
from synergy_tui.phiid.nulls import NullEngine
from synergy_tui.phiid.result import merge, merge_units

SERIES = ar1(np.random.default_rng(3), (4, 150, 40), 0.6)


def test_cut_finer_the_numbers_are_the_same() -> None:
    whole = PairEngine(SERIES)
    fine = PairEngine(SERIES, layout=Layout(30, 4))
    assert len(whole) == 1
    assert len(fine) == 4
    assert sum(fine.counts()) == sum(whole.counts()) == 150 * 149 // 2
    one, other = merge(whole.blocks()), merge(fine.blocks())
    np.testing.assert_array_equal(one.pairs, other.pairs)
    np.testing.assert_allclose(one.mean, other.mean, atol=1e-12)
    units = [merge_units(engine.blocks()) for engine in (whole, fine)]
    np.testing.assert_allclose(units[0].unit, units[1].unit, atol=1e-12)


def test_surrogates_are_the_same_draws() -> None:
    whole, fine = (NullEngine(SERIES, "window-roll", 5, layout=layout) for layout in (None, Layout(50, 3)))
    assert (len(whole), len(fine)) == (1, 3)
    one = whole.block(0, 20)
    others = [fine.block(k, 20) for k in range(3)]
    np.testing.assert_array_equal(one.pairs, np.concatenate([other.pairs for other in others]))
    np.testing.assert_allclose(one.moments.mean, np.concatenate([other.moments.mean for other in others]), atol=1e-12)


def test_a_block_of_another_layout_is_known_for_one() -> None:
    whole, fine = PairEngine(SERIES), PairEngine(SERIES, layout=Layout(30, 4))
    block = fine.block(1)
    assert fine.made_here(1, block.pairs)
    assert not fine.made_here(0, block.pairs)
    assert not whole.made_here(0, block.pairs)


def test_blocks_of_some_pairs_are_known_again() -> None:
    """Layers of unequal length have places without a unit, whose pairs are left out."""
    some = np.array([[i, j] for i in range(0, 150, 2) for j in range(i + 1, 150, 3)], np.int32)
    engine = PairEngine(SERIES, pairs=some, layout=Layout(30, 4))
    for k in range(len(engine)):
        assert engine.made_here(k, engine.block(k).pairs)
    assert sum(engine.counts()) == len(some)


def test_a_limit_of_threads_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "_limit", None)
    there = threads.cores()
    threads.limit(1)
    assert threads.cores() == 1
    threads.limit(10_000)
    assert threads.cores() == there
