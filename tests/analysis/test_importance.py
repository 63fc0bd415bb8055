"""Whether one ranking predicts what units are worth better than another, with prompts and units paired."""

from __future__ import annotations

import numpy as np
import pytest

from synergy_tui.analysis.importance import Estimate, correlation, difference, verdict

LAYERS = np.repeat(np.arange(8), 8)


def worth(chance: np.random.Generator, prompts: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """What units are worth: in truth, and as so many prompts show it."""
    true = chance.normal(size=len(LAYERS))
    return true, true[:, None] + chance.normal(size=(len(LAYERS), prompts))


def test_a_ranking_is_no_better_than_itself():
    true, shown = worth(np.random.default_rng(0))
    for other in (true, np.exp(true)):  # ranks are the same
        plain, partial = difference(shown, true, other, LAYERS, replicates=100)
        assert plain == partial == Estimate(0.0, 0.0, 0.0)
        assert verdict(plain) == "undecided"


def test_it_is_the_difference_of_the_two_correlations():
    chance = np.random.default_rng(1)
    true, shown = worth(chance)
    good, bad = true + 0.3 * chance.normal(size=64), true + 3 * chance.normal(size=64)
    each = [correlation(shown, one, LAYERS, replicates=50) for one in (good, bad)]
    there = difference(shown, good, bad, LAYERS, replicates=50)
    back = difference(shown, bad, good, LAYERS, replicates=50)
    for place in range(2):
        assert there[place].value == pytest.approx(each[0][place].value - each[1][place].value)
        assert there[place].low == pytest.approx(-back[place].high)
    assert there[0].low > 0
    assert (verdict(there[0]), verdict(back[0])) == ("better", "worse")


def test_the_other_may_predict_by_its_opposite():
    chance = np.random.default_rng(2)
    true, shown = worth(chance)
    other = true + 0.5 * chance.normal(size=64)
    for turned in (other, -other):
        found = difference(shown, true, turned, LAYERS, replicates=50, either_way=True)
        assert found == difference(shown, true, other, LAYERS, replicates=50)
    against = difference(shown, -true, other, LAYERS, replicates=50, either_way=True)
    assert verdict(against[0]) == "worse"  # the ranking itself is held to its direction


def test_pairing_takes_out_what_moves_both():
    """Two rankings that err alike: their difference is known better than either correlation."""
    chance = np.random.default_rng(3)
    true, shown = worth(chance, prompts=6)
    first = true + chance.normal(size=64)
    second = first + 0.1 * chance.normal(size=64)
    plain, _ = difference(shown, first, second, LAYERS, replicates=400)
    single, _ = correlation(shown, first, LAYERS, replicates=400)
    assert plain.high - plain.low < 0.5 * (single.high - single.low)


def test_units_that_lack_one_of_them_take_part_in_neither():
    chance = np.random.default_rng(4)
    true, shown = worth(chance)
    other = true + chance.normal(size=64)
    partly = np.where(np.arange(64) % 3 == 0, np.nan, other)
    there = np.isfinite(partly)
    found = difference(shown, true, partly, LAYERS, replicates=50)
    assert found == difference(shown[there], true[there], other[there], LAYERS[there], replicates=50)
    none, _ = difference(shown, true, np.full(64, np.nan), LAYERS, replicates=50)
    assert np.isnan(none).all()
    assert verdict(none) == "undecided"


@pytest.mark.parametrize("second", [1.0, 2.0])
def test_the_interval_has_the_true_difference_as_often_as_it_says(second):
    """Rankings with errors of known size, new units and prompts in every trial; the truth is that of very many."""
    chance = np.random.default_rng(5)

    def drawn(layers: np.ndarray, prompts: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        true = chance.normal(size=len(layers))
        shown = true[:, None] + chance.normal(size=(len(layers), prompts))
        first, other = (true + size * chance.normal(size=len(layers)) for size in (1.0, second))
        return shown, first, other

    # The mean over few prompts is what rankings are held against, and over as many in the truth.
    many = np.repeat(np.arange(8), 2500)
    truth = difference(*drawn(many, 12), many, replicates=2)[0].value
    inside = 0
    for trial in range(150):
        found, _ = difference(*drawn(LAYERS, 12), LAYERS, seed=trial, replicates=150)
        inside += found.low <= truth <= found.high
    assert 0.89 <= inside / 150 <= 1.0
