"""Surrogates keep what a unit knows of itself, break what units share, and their p-values are what they say. The long
form is `synergy-tui bench calibration`."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from conftest import ar1
from scipy import stats

from synergy_tui import tails
from synergy_tui.analysis import nulls
from synergy_tui.analysis.conditions import conditions
from synergy_tui.analysis.frequencies import benjamini_hochberg
from synergy_tui.bench import planted
from synergy_tui.bench.series import autoregressive
from synergy_tui.errors import MeasureError, UsageError
from synergy_tui.phiid import NullEngine, decompose, surrogates
from synergy_tui.phiid.exchange import exchange, like_length, similarity
from synergy_tui.phiid.moments import MEASURED, Moments, NullBlock
from synergy_tui.phiid.nulls import KEPT_DRAWS
from synergy_tui.phiid.windows import response_lengths
from synergy_tui.terms import NULLS, RANKINGS, RTR, STS

# One shape for most tests: one compilation.
PROMPTS, UNITS, STEPS = 10, 40, 60


def independent(phi: float, seed: int = 0) -> np.ndarray:
    return ar1(np.random.default_rng(seed), (PROMPTS, UNITS, STEPS), phi)


def of_lengths(lengths: list[int], units: int = 4, longest: int = 0) -> np.ndarray:
    """Independent units whose responses end after so many steps."""
    series = ar1(np.random.default_rng(3), (len(lengths), units, longest or max(lengths)), 0.6)
    return planted.cut(series, np.array(lengths))


def judged(found: NullBlock) -> nulls.Tested:
    moments = found.moments
    mine = (found.observed, moments.mean, moments.sd, moments.skewness, moments.count)
    return nulls.tested(*mine, found.counts)


def unit_draws(found: NullBlock) -> nulls.UnitDraws:
    every = [found.observed_units, *found.units]
    atoms = np.stack([one.atoms / one.pairs[:, None] for one in every])
    balance = np.stack([one.balance / one.balance_prompts for one in every])
    return nulls.UnitDraws(atoms[0], balance[0], atoms[1:], balance[1:])


# Which prompts are exchanged


@pytest.mark.slow
def test_prompt_shuffle_exchanges_whole_windows_within_blocks_of_like_length():
    series = independent(0.6)
    series[:4, :, 50:] = np.nan
    engine = NullEngine(series, "prompt-shuffle", seed=1)
    # Four of length 50 are too few for a block of their own.
    assert engine.engine.lengths.tolist() == [50] * 10
    before = engine.engine.windows
    ((after, order),) = engine.draws(1)
    assert (np.sort(order, axis=0) == np.arange(10)[:, None]).all()
    assert len({tuple(column) for column in order.T}) > 30
    for name in ("past", "future"):
        old, new = (np.asarray(getattr(one, name))[:, :UNITS] for one in (before, after))
        np.testing.assert_array_equal(old[order, np.arange(UNITS)], new)
    np.testing.assert_array_equal(np.sort(before.own[:, :UNITS], axis=0), np.sort(after.own[:, :UNITS], axis=0))


def test_window_roll_turns_past_and_future_together_within_the_response():
    series = independent(0.6)
    series[2, :, 31:] = np.nan
    engine = NullEngine(series, "window-roll", seed=1)
    before, ((after, order),) = engine.engine.windows, engine.draws(1)
    assert order is None
    for prompt, n in ((0, 59), (2, 30)):
        for unit in (0, 17):
            past, future = (np.asarray(getattr(before, name))[prompt, unit] for name in ("past", "future"))
            found, later = (np.asarray(getattr(after, name))[prompt, unit] for name in ("past", "future"))
            (shift,) = [k for k in range(n) if np.array_equal(np.roll(past[:n], -k), found[:n])]
            np.testing.assert_array_equal(np.roll(future[:n], -shift), later[:n])
            assert (found[n:] == 0).all()
    np.testing.assert_array_equal(before.own, after.own)


@pytest.mark.parametrize(
    ("lengths", "blocks", "unlike"),
    [
        ([43, 44, *[100] * 58], [range(2, 60)], [0, 1]),
        ([*[100] * 19, 24], [range(19)], [19]),
        ([100] * 10 + [95] * 10, [range(20)], []),
        ([100] * 10 + [60] * 10, [range(10, 20), range(10)], []),
        ([3, 30, 100, 31, 100, 32, 33, 34, 100, 100, 40, 100, 99], [[1, 3, 5, 6, 7, 10], [2, 4, 8, 9, 11, 12]], []),
    ],
)
def test_responses_of_like_length_are_exchanged_and_others_leave_the_test(lengths, blocks, unlike):
    found = exchange(of_lengths(lengths))
    assert [block.tolist() for block in found.blocks] == [list(block) for block in blocks]
    assert found.unlike.tolist() == unlike
    assert found.prompts.tolist() == sorted(itertools.chain(*blocks))


def test_of_all_divisions_the_one_in_which_most_steps_meet_another_prompts_is_taken():
    """Against every division there is."""

    def worth(some: np.ndarray) -> int:
        return (len(some) - 1) * (int(some.min()) - 1)

    def best(steps: tuple[int, ...]) -> int:
        """Of lengths in ascending order: the first is in no block, or in one with the next four or more."""
        if len(steps) < 5:
            return 0
        blocks = [steps[:size] for size in range(5, len(steps) + 1) if size * steps[0] >= 0.8 * sum(steps[:size])]
        return max(best(steps[1:]), *(worth(np.array(one)) + best(steps[len(one) :]) for one in blocks), 0)

    chance = np.random.default_rng(0)
    for _ in range(60):
        lengths = chance.integers(10, chance.integers(20, 120), 14)
        blocks = like_length(lengths, np.arange(14))
        found = [lengths[block] for block in blocks]
        assert sum(map(worth, found)) == best(tuple(sorted(lengths.tolist())))
        assert all(len(one) >= 5 and len(one) * one.min() >= 0.8 * one.sum() for one in found)
        assert len(np.unique(np.concatenate([*blocks, []]))) == sum(map(len, blocks))


def test_fewer_than_five_of_like_length_cannot_be_exchanged():
    with pytest.raises(MeasureError, match="needs 5 different responses of like length, and no 5 of the 4 usable"):
        exchange(of_lengths([100, 100, 100, 100, 5]))
    with pytest.raises(MeasureError, match="no 5 of the 8 usable"):
        exchange(of_lengths([100] * 4 + [40] * 4))


def test_categories_of_five_are_exchanged_by_themselves_and_smaller_ones_together():
    series = ar1(np.random.default_rng(4), (17, 4, 30), 0.5)
    of = np.array([0] * 6 + [1] * 3 + [2] * 6 + [3] * 2)
    found = exchange(series, categories=of)
    assert [block.tolist() for block in found.blocks] == [[*range(6)], [*range(9, 15)], [6, 7, 8, 15, 16]]
    engine = NullEngine(series, "prompt-shuffle", 0, of)
    group = np.where(of % 2, 1, of)
    assert all((group[one.order] == group[:, None]).all() for one in engine.draws(3))
    # A single prompt of another category is exchanged with nobody.
    assert exchange(series[:7], categories=of[:7]).unlike.tolist() == [6]


def test_responses_that_repeat_another_leave_the_test():
    series = ar1(np.random.default_rng(5), (12, 4, 40), 0.5)
    series[7] = 3 * series[2] + 1
    series[9] = series[2] + 0.02 * series[9]
    series[11] = series[4] + 0.7 * series[11]  # alike, and another response
    found = exchange(series)
    assert found.repeated.tolist() == [7, 9]
    assert [block.tolist() for block in found.blocks] == [[0, 1, 2, 3, 4, 5, 6, 8, 10, 11]]
    with pytest.raises(MeasureError, match="different responses"):
        exchange(np.repeat(series[:3], 3, axis=0))


def test_likeness_is_the_mean_correlation_over_units():
    series = ar1(np.random.default_rng(6), (5, 6, 50), 0.5) + ar1(np.random.default_rng(7), (1, 6, 50), 0.5)
    expected = np.mean([np.corrcoef(series[:, unit]) for unit in range(6)], axis=0)
    np.testing.assert_allclose(similarity(series, at_once=4), expected, atol=1e-6)
    series[3, :2] = 1.0  # constant: like nothing
    assert similarity(series)[3, 3] == pytest.approx(4 / 6)


def test_window_roll_leaves_out_responses_too_short_to_be_rolled():
    engine = NullEngine(of_lengths([40, 40, 9, 40]), "window-roll")
    assert engine.used.tolist() == [0, 1, 3]
    assert engine.exchange is None


@pytest.mark.slow
@pytest.mark.parametrize("lengths", [[43, 44, *[100] * 58], [*[100] * 19, 24]])
def test_the_observed_value_is_of_the_same_prompts_and_the_same_cut(lengths):
    """A single early answer must not cut the data, nor what they are compared with."""
    series = of_lengths(lengths)
    found = surrogates(series, draws=20)
    kept = np.array(lengths) == 100
    expected = decompose(np.where(kept[:, None, None], series, np.nan)).mean
    told = np.stack([expected[:, STS], expected[:, RTR], expected.sum(axis=1)], 1)
    np.testing.assert_allclose(found.observed, told, atol=1e-12)
    whole = decompose(series).mean
    assert np.abs(found.observed[:, 0] - whole[:, STS]).max() > 1e-4
    assert (found.by_prompt[:, ~kept, :, 4] == 0).all()
    assert (found.by_prompt[:, kept, :, 4] == 3).all()


@pytest.mark.slow
def test_a_block_is_cut_to_its_shortest_in_data_and_surrogates_alike():
    series = independent(0.6)
    series[:4, :, 50:] = np.nan
    found = surrogates(series, draws=20)
    expected = decompose(np.where(np.arange(STEPS) < 50, series, np.nan)).mean
    np.testing.assert_allclose(found.observed, np.stack([expected[:, STS], expected[:, RTR], expected.sum(axis=1)], 1))


# What surrogates leave behind


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


@pytest.mark.slow
def test_moments_of_pairs_are_those_of_the_draws_whatever_the_blocks(monkeypatch):
    from synergy_tui.phiid import engine

    series = independent(0.5)
    series[3, 2] = 1.0
    whole = surrogates(series, draws=20, seed=4)
    inside = NullEngine(series, "prompt-shuffle", seed=4)
    drawn = np.stack([inside.engine.block(0, one.windows, keep_prompts=False).mean for one in inside.draws(20)])
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
    np.testing.assert_allclose(parts.by_prompt, whole.by_prompt, rtol=1e-5)
    np.testing.assert_array_equal(parts.counts.sum(axis=1), whole.counts.sum(axis=1))
    # Of the later ten draws every pair that has a value counts.
    assert whole.counts.sum(axis=1).tolist() == [10 * np.isfinite(whole.observed[:, 0]).sum()] * len(MEASURED)


def test_values_by_prompt_add_up_and_each_stays_with_its_own_prompt():
    """Units whose memory differs between prompts, each in its own way: what a unit has in a draw goes where its windows
    come from, and not to the place they were put."""
    chance = np.random.default_rng(8)
    found = surrogates(autoregressive(chance, (PROMPTS, UNITS, STEPS), chance.uniform(0, 0.9, (PROMPTS, UNITS))))
    assert found.by_prompt.shape == (1 + KEPT_DRAWS, PROMPTS, UNITS, 6)
    for place, totals in enumerate([found.observed_units, *found.units[:KEPT_DRAWS]]):
        kept = found.by_prompt[place]
        np.testing.assert_allclose(kept[..., 0].sum(axis=0) / PROMPTS, totals.atoms[:, STS], rtol=1e-5)
        np.testing.assert_allclose(kept[..., 2].sum(axis=0) / PROMPTS, totals.atoms.sum(axis=1), rtol=1e-5)
        assert (kept[..., 4] == UNITS - 1).all()
    data, drawn = found.by_prompt[0, ..., 0], found.by_prompt[1:, ..., 0]
    alike = [np.corrcoef(data[:, unit], one[:, unit])[0, 1] for one in drawn for unit in range(UNITS)]
    assert np.mean(alike) > 0.7


# Tails


@pytest.mark.parametrize("skewness", [-0.8, -0.3, 0.0, 1e-9, 0.4, 0.8])
def test_a_score_is_normal_whatever_the_skewness(skewness):
    """Of Pearson's third, which a gamma variable is, to within a few in a thousand, and monotone."""
    z = np.linspace(-2, 4, 61)
    score = tails.normal_score(z, np.full(61, skewness))
    assert (np.diff(score) > 0).all()
    assert np.abs(stats.norm.sf(score) - stats.pearson3.sf(z, skewness)).max() < 0.004
    if abs(skewness) < 1e-6:
        np.testing.assert_array_equal(score, z)


def test_a_tail_is_the_share_of_scores_as_far_out_with_its_own_among_them():
    counted = tails.counted(np.array([[-1.0], [0.0], [0.005], [2.0], [np.nan]]))
    assert counted.sum() == 4
    upper, lower = tails.tails(np.array([[0.0], [2.0], [50.0], [-50.0], [np.nan]]), counted)
    np.testing.assert_allclose(upper[:4, 0], [4 / 5, 2 / 5, 1 / 5, 1])
    np.testing.assert_allclose(lower[:4, 0], [4 / 5, 1, 1, 1 / 5])
    assert np.isnan([upper[4], lower[4]]).all()
    assert np.isnan(tails.tails(np.zeros((1, 1)), np.zeros_like(counted))[0]).all()


def test_scores_have_a_spread_of_one_whatever_the_pair():
    """Of draws that the moments have not seen, with the error of the mean."""
    chance = np.random.default_rng(9)
    scale = chance.uniform(0.1, 10, (500, 3))
    moments = Moments.zeros(np.full((500, 3), 5.0))
    for _ in range(60):
        moments.add(5 + scale * chance.normal(size=(500, 3)))
    score = moments.scores(5 + scale * chance.normal(size=(500, 3)))
    assert 0.95 < score.std() < 1.1
    assert np.isnan(Moments.zeros(np.zeros((2, 3))).scores(np.ones((2, 3)))).all()


def of_tails(upper: list[float], lower: list[float]) -> nulls.Tested:
    """One value of sts, rtr and TDMI each."""
    nothing = np.zeros((1, 3))
    return nulls.Tested(*[nothing] * 4, np.array([99]), nothing, np.array([upper]), np.array([lower]))


def test_coupled_is_what_both_nulls_reject_in_one_direction():
    high, low = of_tails([0.01, 0.01, 0.9], [0.99, 0.99, 0.1]), of_tails([0.98, 0.98, 0.01], [0.02, 0.02, 0.99])
    higher = of_tails([0.02, 0.6, 0.03], [0.98, 0.4, 0.97])
    np.testing.assert_allclose(high.p, [[0.02, 0.01, 0.9]])
    np.testing.assert_allclose(low.p, [[0.04, 0.98, 0.01]])
    np.testing.assert_allclose(nulls.coupled_p([high, higher]), [[0.04, 0.6, 0.9]])
    # Each rejects sts, on different sides.
    np.testing.assert_allclose(nulls.coupled_p([high, low]), [[1.0, 0.98, 0.9]])
    missing = of_tails([np.nan, 0.1, 0.1], [np.nan, 0.9, 0.9])
    assert np.isnan(nulls.coupled_p([high, missing])[0]).tolist() == [True, False, False]


def test_a_value_without_draws_or_without_spread_has_no_p():
    observed = np.array([[-3.0, -3.0, 3.0], [1.0, 1.0, 1.0], [np.nan] * 3])
    zero, one = np.zeros((3, 3)), np.ones((3, 3))
    sd = np.where([[True], [False], [True]], one, 0.0)
    counts = tails.counted(np.random.default_rng(0).normal(size=(200_000, 3)))
    found = nulls.tested(observed, zero, sd, zero, np.full(3, 10_000), counts)
    np.testing.assert_allclose(found.z[0], observed[0], rtol=1e-3)
    np.testing.assert_allclose(found.p[0], [2 * stats.norm.sf(3), stats.norm.sf(-3), stats.norm.sf(3)], rtol=0.15)
    assert np.isnan(found.p[1:]).all()
    assert np.isnan(nulls.tested(observed, zero, sd, zero, np.ones(3, int), counts).p).all()


def test_benjamini_hochberg_is_scipys_and_passes_over_what_is_missing():
    p = np.random.default_rng(0).random(50) ** 3
    np.testing.assert_allclose(benjamini_hochberg(p), stats.false_discovery_control(p))
    with_gap = np.insert(p, 7, np.nan)
    np.testing.assert_allclose(np.delete(benjamini_hochberg(with_gap), 7), stats.false_discovery_control(p))
    assert np.isnan(benjamini_hochberg(np.full(3, np.nan))).all()


# Calibration


@pytest.mark.slow
@pytest.mark.parametrize("null", NULLS)
@pytest.mark.parametrize("phi", [0.0, 0.8])
def test_independent_units_are_called_coupled_as_seldom_as_the_p_says(null, phi):
    """780 pairs, so the bounds are wide."""
    found = judged(surrogates(independent(phi, seed=7), null, draws=100))
    for tail in (found.upper < 0.05, found.lower < 0.05):
        assert ((tail.mean(axis=0) > 0.02) & (tail.mean(axis=0) < 0.09)).all()
    assert abs(found.excess.mean()) < 0.004


def test_a_common_driver_is_found_and_p_of_both_is_no_smaller_than_of_each():
    chance = np.random.default_rng(2)
    series = ar1(chance, (PROMPTS, UNITS, STEPS), 0.4) + 1.2 * ar1(chance, (PROMPTS, 1, STEPS), 0.6)
    both = [judged(surrogates(series, null, draws=60)) for null in NULLS]
    p = nulls.coupled_p(both)
    for one in both:
        assert (p >= one.p).all()
    assert (benjamini_hochberg(p[:, 1]) < 0.05).mean() > 0.9
    # What both tell counts once, so the TDMI of redundant units is below that of independent ones.
    assert (both[0].z[:, 2] < 0).mean() > 0.9


def test_memory_that_varies_over_prompts_and_a_shared_course_couple_nobody():
    """Independent units: prompt-shuffle takes the one for coupling and window-roll the other, with opposite signs. The
    larger of the two-sided p-values would call hundreds of pairs and all units coupled."""
    chance = np.random.default_rng(1)
    series = autoregressive(chance, (PROMPTS, UNITS, STEPS), chance.uniform(0.2, 0.9, (PROMPTS, 1)))
    series += 2 * np.exp(-np.arange(STEPS) / 10)
    drawn = [surrogates(series, null, 60) for null in NULLS]
    for tests in ([judged(one) for one in drawn], [nulls.units_tested(unit_draws(one)) for one in drawn]):
        shuffled, rolled = tests
        for one in tests:
            assert (one.p[:, 0] < 0.05).mean() > 0.3
        assert (shuffled.z[:, 0] > 0).mean() > 0.9
        assert (rolled.z[:, 0] < 0).mean() > 0.9
        p = nulls.coupled_p(tests)[:, 0]
        assert (p < 0.05).mean() < 0.02
        assert (p[(shuffled.z[:, 0] > 1) & (rolled.z[:, 0] < -1)] == 1).all()
        assert (p == 1).mean() > 0.8


def test_surrogates_that_break_self_prediction_call_independent_units_synergistic():
    """Why series-shift and phase are marked: the windows no longer know their own future as they did."""
    for null in ("series-shift", "phase"):
        found = judged(surrogates(independent(0.9, seed=3), null, draws=40))
        assert (found.upper[:, 0] < 0.05).mean() > 0.15, null


def test_units_of_draws_give_their_tests_and_contrasts():
    found = surrogates(independent(0.6), draws=30)
    draws = unit_draws(found)
    units = nulls.units_tested(draws)
    np.testing.assert_allclose(units.mean[:, 0], draws.atoms[:, :, STS].mean(axis=0))
    np.testing.assert_allclose(units.sd[:, 1], draws.atoms[:, :, RTR].std(axis=0, ddof=1))
    np.testing.assert_allclose(units.excess, draws.observed[:, STS] - units.mean[:, 0])
    np.testing.assert_allclose(units.z[:, 0], units.excess / units.sd[:, 0] / np.sqrt(1 + 1 / 30))
    # Tails are counted among all units in all draws, each value once.
    assert units.upper.min() >= 1 / (1 + 30 * UNITS)
    contrasts = nulls.contrasts_of_draws(draws, layers=8)
    assert list(contrasts) == list(RANKINGS)
    for name, values in contrasts.items():
        assert np.isfinite(values).all(), name
        assert len(set(values)) == 30, name
    assert (draws.atoms.sum(axis=2) > 0).all()


# Conditions under which no null can be trusted

SETS = 10


def looked_at(made: planted.Made, seed: int):
    data = made(np.random.default_rng([seed, 1]))
    blocks = exchange(data.series, categories=data.categories).blocks
    return conditions(data.series, response_lengths(data.series), blocks, seed=seed)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("shared volatility", "share volatility"),
        ("courses of unknown categories", "share time courses"),
        ("courses of categories of 4", "share time courses"),
        ("correlated prompts", "share time courses"),
    ],
)
def test_what_misleads_both_nulls_is_detected(name, said):
    found = [looked_at(planted.WITHOUT[name], seed).misleading() for seed in range(SETS)]
    assert sum(len(one) == 1 and said in one[0] for one in found) >= SETS - 1


HARMLESS = {
    **{name: planted.WITHOUT[name] for name in ("equal memory", "mixed memory", "Student t, 3 degrees", "log-normal")},
    **{name: planted.WITHOUT[name] for name in ("trends", "shared course", "courses of categories")},
    **{name: planted.WITHOUT[name] for name in ("the same with a shared course", "lengths 20 to 100")},
    **{name: planted.WITH[name] for name in ("common driver", "x → y, strength 0.4", "redundant communities", "hubs")},
    "a strong common driver": planted.driven(0.8),
    "x → y, strength 0.8": planted.directed(0.8),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", HARMLESS)
def test_what_nulls_can_be_trusted_with_is_no_condition(name):
    """Heavy tails, skewness, trends and coupling itself."""
    assert not any(looked_at(HARMLESS[name], seed).misleading() for seed in range(SETS))


def test_memory_that_varies_over_prompts_is_told_from_memory_that_does_not():
    assert all(looked_at(planted.WITHOUT["memory varying over prompts"], seed).varying_memory for seed in range(SETS))
    assert not any(looked_at(planted.WITHOUT["mixed memory"], seed).varying_memory for seed in range(SETS))


def test_too_little_to_look_at_gives_no_number_and_no_doubt():
    series = ar1(np.random.default_rng(0), (6, 2, 30), 0.5)
    found = conditions(series, np.full(6, 30), [np.arange(6)])
    assert np.isnan(list(vars(found).values())).all()
    assert found.misleading() == []


# Errors


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (lambda s: surrogates(s, "shuffle"), UsageError, "no null 'shuffle'"),
        (lambda s: surrogates(s, draws=5), UsageError, "5 surrogates are too few"),
        (lambda s: surrogates(s[:4]), MeasureError, "prompt-shuffle needs 5 different responses"),
        (
            lambda s: surrogates(s[:, :, :9], "window-roll"),
            MeasureError,
            "needs windows of 10 steps; the longest has 8",
        ),
    ],
)
def test_surrogates_that_cannot_be_drawn_are_an_error(make, error, said):
    with pytest.raises(error, match=said):
        make(independent(0.5))
