"""Surrogates keep what a unit knows of itself, break what units share, and their p-values are what they say."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import ar1
from scipy import stats

from synergy_tui.analysis import nulls
from synergy_tui.errors import MeasureError, UsageError
from synergy_tui.phiid import NullEngine, decompose, surrogates
from synergy_tui.phiid.moments import Moments
from synergy_tui.phiid.nulls import blocks_of_like_length
from synergy_tui.terms import RANKINGS, RTR, STS

# One shape for most tests: one compilation.
PROMPTS, UNITS, STEPS = 10, 40, 60


def independent(phi: float, seed: int = 0) -> np.ndarray:
    return ar1(np.random.default_rng(seed), (PROMPTS, UNITS, STEPS), phi)


def judged(found) -> nulls.Tested:
    moments = found.moments
    return nulls.tested(found.observed, moments.mean, moments.sd, moments.skewness, moments.count)


def test_prompt_shuffle_exchanges_whole_windows_within_blocks_of_like_length():
    series = independent(0.6)
    series[:4, :, 50:] = np.nan
    engine = NullEngine(series, "prompt-shuffle", seed=1)
    # Four of length 50 are too few for a block of their own.
    assert engine.engine.lengths.tolist() == [50] * 10
    before = engine.engine.windows
    (after,) = engine.draws(1)
    for name in ("past", "future"):
        old, new = (np.asarray(getattr(one, name))[:, :UNITS] for one in (before, after))
        same = (old[:, None] == new[None]).all(axis=3)  # [taken from, put to, unit]
        order = same.argmax(axis=0)
        assert (np.sort(order, axis=0) == np.arange(10)[:, None]).all()
        assert len({tuple(column) for column in order.T}) > 30
    np.testing.assert_array_equal(np.sort(before.own[:, :UNITS], axis=0), np.sort(after.own[:, :UNITS], axis=0))


def test_window_roll_turns_past_and_future_together_within_the_response():
    series = independent(0.6)
    series[2, :, 31:] = np.nan
    engine = NullEngine(series, "window-roll", seed=1)
    before, (after,) = engine.engine.windows, engine.draws(1)
    for prompt, n in ((0, 59), (2, 30)):
        for unit in (0, 17):
            past, future = (np.asarray(getattr(before, name))[prompt, unit] for name in ("past", "future"))
            found, later = (np.asarray(getattr(after, name))[prompt, unit] for name in ("past", "future"))
            (shift,) = [k for k in range(n) if np.array_equal(np.roll(past[:n], -k), found[:n])]
            np.testing.assert_array_equal(np.roll(future[:n], -shift), later[:n])
            assert (found[n:] == 0).all()
    np.testing.assert_array_equal(before.own, after.own)


def test_blocks_hold_five_prompts_or_more_and_all_of_a_length():
    lengths = np.array([3, 30, 100, 31, 100, 32, 33, 34, 100, 100, 40, 100, 100, 99])
    blocks = [lengths[block].tolist() for block in blocks_of_like_length(lengths, 1)]
    assert blocks == [[30, 31, 32, 33, 34], [40, 99, 100, 100, 100, 100, 100, 100]]
    with pytest.raises(MeasureError, match="needs 5 prompts long enough, and there are 4"):
        blocks_of_like_length(np.array([100, 100, 100, 100, 5]), 1)


def test_the_observed_value_is_of_the_same_cut():
    series = independent(0.6)
    series[:4, :, 50:] = np.nan
    found = surrogates(series, draws=20)
    expected = decompose(series[:, :, :50]).mean
    np.testing.assert_allclose(found.observed, np.stack([expected[:, STS], expected[:, RTR], expected.sum(axis=1)], 1))


def test_streamed_moments_are_those_of_the_values():
    chance = np.random.default_rng(0)
    values = chance.gamma(2.0, size=(300, 7, 3)) * 1e-3 + 5
    values[1::9, 2] = np.nan  # not the first, which is the centre
    moments = Moments.zeros(values[0])
    for one in values:
        moments.add(one)
    np.testing.assert_array_equal(moments.count, np.isfinite(values[:, :, 0]).sum(axis=0))
    np.testing.assert_allclose(moments.mean, np.nanmean(values, axis=0), rtol=1e-12)
    np.testing.assert_allclose(moments.sd, np.nanstd(values, axis=0, ddof=1), rtol=1e-7)
    np.testing.assert_allclose(moments.skewness, stats.skew(values, nan_policy="omit"), rtol=1e-5)


def test_moments_of_pairs_are_those_of_the_draws_whatever_the_blocks(monkeypatch):
    from synergy_tui.phiid import engine

    series = independent(0.5)
    series[3, 2] = 1.0
    whole = surrogates(series, draws=20, seed=4)
    inside = NullEngine(series, "prompt-shuffle", seed=4)
    drawn = np.stack([inside.engine.block(0, one, keep_prompts=False).mean for one in inside.draws(20)])
    np.testing.assert_allclose(whole.moments.mean[:, 0], np.nanmean(drawn[:, :, STS], axis=0), atol=1e-12)
    np.testing.assert_allclose(whole.moments.sd[:, 2], np.nanstd(drawn.sum(axis=2), axis=0, ddof=1), atol=1e-9)
    # A unit's value in a draw is the mean over its pairs.
    mine = (whole.pairs == 7).any(axis=1)
    unit = whole.units[5]
    assert unit.atoms[7, STS] / unit.pairs[7] == pytest.approx(drawn[5, mine, STS].mean(), abs=1e-12)
    monkeypatch.setattr(engine, "PAIRS_PER_BLOCK", 300)
    monkeypatch.setitem(engine.LARGEST_TILE, ("gaussian", "mmi"), 20)
    parts = surrogates(series, draws=20, seed=4)
    np.testing.assert_array_equal(parts.pairs, whole.pairs)
    np.testing.assert_allclose(parts.moments.mean, whole.moments.mean, atol=1e-12)
    np.testing.assert_allclose(parts.units[5].atoms, unit.atoms, atol=1e-10)


@pytest.mark.parametrize("skewness", [-1.2, -0.3, 0.0, 1e-9, 0.4, 2.0])
def test_the_tail_is_pearsons_third(skewness):
    z = np.linspace(-4, 6, 41)
    expected = stats.pearson3.sf(z, skewness) if abs(skewness) > 1e-6 else stats.norm.sf(z)
    np.testing.assert_allclose(nulls.pearson_tail(z, np.array(skewness)), expected, rtol=1e-6, atol=1e-14)


def test_two_sided_and_upper_p_and_what_has_none():
    observed = np.array([[-3.0, -3.0, 3.0], [1.0, 1.0, 1.0], [np.nan] * 3])
    zero, one = np.zeros((3, 3)), np.ones((3, 3))
    sd = np.where([[True], [False], [True]], one, 0.0)
    found = nulls.tested(observed, zero, sd, zero, np.full(3, 10_000))
    np.testing.assert_allclose(found.p[0], [2 * stats.norm.sf(3), stats.norm.sf(-3), stats.norm.sf(3)], rtol=1e-3)
    assert np.isnan(found.p[1:]).all()
    assert (nulls.tested(observed * 99, zero, sd, zero, np.full(3, 200)).p[0, 2]) == nulls.SMALLEST_P


def test_benjamini_hochberg_is_scipys_and_passes_over_what_is_missing():
    p = np.random.default_rng(0).random(50) ** 3
    np.testing.assert_allclose(nulls.benjamini_hochberg(p), stats.false_discovery_control(p))
    with_gap = np.insert(p, 7, np.nan)
    np.testing.assert_allclose(np.delete(nulls.benjamini_hochberg(with_gap), 7), stats.false_discovery_control(p))
    assert np.isnan(nulls.benjamini_hochberg(np.full(3, np.nan))).all()


@pytest.mark.parametrize("null", ["prompt-shuffle", "window-roll"])
@pytest.mark.parametrize("phi", [0.0, 0.8])
def test_independent_units_are_called_coupled_as_seldom_as_the_p_says(null, phi):
    """The short form of `synergy-tui bench nulls`: 780 pairs, so the bounds are wider."""
    found = judged(surrogates(independent(phi, seed=7), null, draws=100))
    upper = nulls.pearson_tail(found.z, found.skewness)
    for tail in (upper < 0.05, upper > 0.95):
        assert ((tail.mean(axis=0) > 0.02) & (tail.mean(axis=0) < 0.09)).all()
    assert abs(found.excess.mean()) < 0.004


def test_a_common_driver_is_found_and_the_larger_p_is_no_smaller():
    chance = np.random.default_rng(2)
    series = ar1(chance, (PROMPTS, UNITS, STEPS), 0.4) + 1.2 * ar1(chance, (PROMPTS, 1, STEPS), 0.6)
    both = [judged(surrogates(series, null, draws=60)) for null in ("prompt-shuffle", "window-roll")]
    p = nulls.larger([one.p for one in both])
    assert (p >= both[0].p).all()
    assert (nulls.benjamini_hochberg(p[:, 1]) < 0.05).mean() > 0.9
    # What both tell counts once, so the TDMI of redundant units is below that of independent ones.
    assert (both[0].z[:, 2] < 0).mean() > 0.9


def test_surrogates_that_break_self_prediction_call_independent_units_synergistic():
    """Why series-shift and phase are marked: the windows no longer know their own future as they did."""
    for null in ("series-shift", "phase"):
        found = judged(surrogates(independent(0.9, seed=3), null, draws=40))
        assert (nulls.pearson_tail(found.z, found.skewness)[:, 0] < 0.05).mean() > 0.15, null


def test_units_of_draws_give_their_tests_and_contrasts():
    found = surrogates(independent(0.6), draws=30)
    atoms = np.stack([one.atoms / one.pairs[:, None] for one in found.units])
    balance = np.stack([one.balance / one.balance_prompts for one in found.units])
    observed = found.observed_units.atoms / found.observed_units.pairs[:, None]
    draws = nulls.UnitDraws(observed, atoms, balance)
    units = nulls.units_tested(draws)
    np.testing.assert_allclose(units.mean[:, 0], atoms[:, :, STS].mean(axis=0))
    np.testing.assert_allclose(units.sd[:, 1], atoms[:, :, RTR].std(axis=0, ddof=1))
    np.testing.assert_allclose(units.excess, observed[:, STS] - units.mean[:, 0])
    contrasts = nulls.contrasts_of_draws(draws, layers=8)
    assert list(contrasts) == list(RANKINGS)
    for name, values in contrasts.items():
        assert np.isfinite(values).all(), name
        assert len(set(values)) == 30, name
    assert (atoms.sum(axis=2) > 0).all()


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (lambda s: surrogates(s, "shuffle"), UsageError, "no null 'shuffle'"),
        (lambda s: surrogates(s, draws=5), UsageError, "5 surrogates are too few"),
        (lambda s: surrogates(s[:4]), MeasureError, "prompt-shuffle needs 5 prompts"),
        (
            lambda s: surrogates(s[:, :, :9], "window-roll"),
            MeasureError,
            "needs windows of 10 steps; the shortest has 8",
        ),
    ],
)
def test_surrogates_that_cannot_be_drawn_are_an_error(make, error, said):
    with pytest.raises(error, match=said):
        make(independent(0.5))
