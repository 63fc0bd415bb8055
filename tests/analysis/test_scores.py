"""Unit scores, rankings, profiles, intervals and confounds against their definitions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from conftest import ar1
from scipy import stats

from synergy_tui.analysis import bootstrap, confounds, effects, nulls, profile, scores
from synergy_tui.analysis.effects import Effect
from synergy_tui.analysis.profile import MIDDLE, Cut
from synergy_tui.phiid import decompose
from synergy_tui.terms import RANKINGS, RTR, STS


@pytest.fixture(scope="module")
def atoms():
    chance = np.random.default_rng(0)
    return decompose(ar1(chance, (6, 12, 60), 0.6) + 0.7 * ar1(chance, (6, 1, 60), 0.3))


@pytest.fixture(scope="module")
def values(atoms):
    return scores.unit_values(atoms.unit, atoms.unit_offset, atoms.unit_balance, spread=np.full(12, 0.1))


def test_a_unit_is_the_mean_over_its_partners_on_either_side(atoms, values):
    for unit in (0, 5, 11):
        rows = (atoms.pairs == unit).any(axis=1)
        assert rows.sum() == 11
        assert values.sts[unit] == pytest.approx(atoms.mean[rows, STS].mean())
        assert values.rtr[unit] == pytest.approx(atoms.mean[rows, RTR].mean())
        assert values.tdmi[unit] == pytest.approx(atoms.mean[rows].sum(axis=1).mean())
    np.testing.assert_allclose(values.atoms, atoms.unit_prompt.mean(axis=0), atol=1e-12)


def test_rankings_are_what_they_are_defined_as(values):
    raw = {name: scores.ranking(name, values) for name in RANKINGS}
    order = lambda v: np.array([(v < x).sum() + ((v == x).sum() + 1) / 2 for x in v])  # noqa: E731
    np.testing.assert_allclose(raw["rank-difference"], order(values.sts) - order(values.rtr))
    np.testing.assert_allclose(raw["difference"], values.sts - values.rtr)
    np.testing.assert_allclose(raw["tdmi-share"], (values.sts - values.rtr) / values.tdmi)
    np.testing.assert_allclose(raw["excess"], values.sts - values.expected)
    np.testing.assert_allclose(raw["z"], raw["excess"] / 0.1)
    assert ((raw["balance"] > 0) & (raw["balance"] < 1)).all()
    for value in raw.values():
        scaled = scores.scaled(value)
        assert (scaled.min(), scaled.max()) == (0, 1)
        assert (np.argsort(scaled) == np.argsort(value)).all()


@pytest.mark.slow
def test_units_without_a_pair_have_no_value_in_any_ranking():
    series = ar1(np.random.default_rng(1), (3, 3, 40), 0.5)
    series[:, 2] = 1.0
    found = decompose(series)
    values = scores.unit_values(found.unit, found.unit_offset, found.unit_balance, spread=np.ones(3))
    for name in RANKINGS:
        raw = scores.ranking(name, values)
        assert np.isfinite(raw[:2]).all(), name
        assert np.isnan(raw[2]), name


@pytest.mark.parametrize(
    ("layers", "middle"), [(3, [1]), (4, [1, 2]), (7, [2, 3, 4]), (30, range(10, 20)), (31, range(10, 21))]
)
def test_contrast_is_the_middle_third_of_depth_against_the_others(layers, middle):
    by_layer = np.random.default_rng(0).normal(size=layers)
    inside = np.isin(np.arange(layers), list(middle))
    expected = by_layer[inside].mean() - by_layer[~inside].mean()
    assert profile.contrast(by_layer[None])[0] == pytest.approx(expected)


def test_no_layer_is_rounded_across_the_border_of_the_middle():
    for layers in range(3, 130):
        depth = [Fraction(layer, layers - 1) for layer in range(layers)]
        expected = [Fraction(1, 3) <= one <= Fraction(2, 3) for one in depth]
        assert profile.middle(layers).tolist() == expected


def test_sides_are_the_middle_against_each_end_and_the_ends_against_all():
    by_layer = np.array([0.0, 0.1, 0.2, 1.0, 0.8, 0.9, 0.5, 0.6, 0.4])
    early, middle, late, mean = 0.1, 0.9, 0.5, 0.5
    found = dict(zip(profile.SIDES, profile.sides(by_layer), strict=True))
    assert found == pytest.approx(
        {
            "middle − early": middle - early,
            "middle − late": middle - late,
            "early − mean": early - mean,
            "late − mean": late - mean,
        }
    )
    np.testing.assert_allclose(
        profile.sides(np.stack([by_layer, by_layer + 1])), [list(found.values())] * 2, atol=1e-12
    )
    # Late layers as synergistic as the middle: there is a contrast, and no hump.
    rising = np.repeat([0.0, 1.0, 1.0], 3)
    assert profile.contrast(rising) == pytest.approx(0.5)
    assert profile.sides(rising)[1] == pytest.approx(0)


def test_fewer_than_three_layers_have_no_contrast_and_no_sides():
    assert np.isnan(profile.contrast(np.zeros((1, 2)))).all()
    assert np.isnan(profile.sides(np.zeros((1, 2)))).all()


UNEQUAL = np.array([[1.0, 3.0, 8.0], [2.0, np.nan, np.nan], [5.0, 6.0, np.nan]])
"""Layers of three units, of one and of two: their means are 4, 2 and 5.5."""


def test_the_profile_of_unequal_layers_is_the_mean_over_the_units_that_are_there():
    found = profile.profile(UNEQUAL.ravel(), 3)
    np.testing.assert_allclose(found, [4.0, 2.0, 5.5])
    np.testing.assert_allclose(profile.profile(np.stack([UNEQUAL.ravel()] * 2), 3), [[4.0, 2.0, 5.5]] * 2)
    assert profile.contrast(found) == pytest.approx(2.0 - (4.0 + 5.5) / 2)


def test_a_chosen_contrast_is_one_side_minus_the_other_each_layer_counting_once():
    """Not each unit: the mean over the units of the first and the third layer is 4.6."""
    found = profile.profile(UNEQUAL.ravel(), 3)
    cut = Cut((0, 2), (1,), deep=False)
    assert profile.contrast(found, cut) == pytest.approx((4.0 + 5.5) / 2 - 2.0)
    assert profile.contrast(found, Cut((1,), (0, 2))) == -profile.contrast(found, cut)
    assert profile.contrast(found[:2], Cut((0,), (1,))) == pytest.approx(2.0)  # two layers are enough
    assert np.isnan(profile.sides(found, cut)).all()
    assert np.isnan(profile.sides(found, Cut((0,), (1,)))).all()
    assert np.isnan(profile.curvature(found, cut))
    assert np.isfinite(profile.curvature(found, Cut((0,), (1,))))


def test_layers_without_an_order_in_depth_have_no_middle():
    without = Cut(deep=False)
    by_layer = np.random.default_rng(0).normal(size=(2, 9))
    assert np.isnan(profile.contrast(by_layer, without)).all()
    assert np.isnan(profile.sides(by_layer, without)).all()
    assert np.isnan(profile.curvature(by_layer[0], without))


def test_units_are_drawn_within_unequal_layers_among_those_that_are_there():
    """The variance of a layer's mean over its drawn units is s²/m of its m units. The single units of the first two
    layers are the least and the most, so that scaling changes nothing."""
    units = np.full((4, 5), np.nan)
    units[0, 2], units[1, 0] = 0.0, 1.0
    units[2, [0, 1, 4]] = 0.2, 0.5, 0.9
    units[3] = 0.3, 0.35, 0.5, 0.6, 0.7
    flat = units.ravel()
    values = scores.of_measures(flat, flat * 0, flat, flat, flat)
    found = bootstrap._redrawn("difference", values, 4, np.random.default_rng(0), 20_000)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found[:, :2], [[0.0, 1.0]] * len(found))
    for layer, count in ((2, 3), (3, 5)):
        expected = np.nanvar(units[layer], ddof=1) / count
        assert found[:, layer].var() == pytest.approx(expected, rel=0.05)


def test_curvature_is_the_coefficient_of_a_parabola():
    depth = profile.depth(9)
    assert profile.curvature(3 * depth**2 - depth + 1) == pytest.approx(3)


# Intervals


def test_an_interval_is_students_about_its_value():
    """Also where the replicates lie beside it."""
    replicates = 3 + np.random.default_rng(0).normal(size=(1000, 2))
    low, high = bootstrap.ends(np.array([1.0, 3.0]), replicates, 10)
    reach = stats.t.ppf(0.975, 9) * np.sqrt(replicates.var(axis=0, ddof=1) * 10 / 9)
    np.testing.assert_allclose([low, high], [np.array([1, 3]) - reach, np.array([1, 3]) + reach])
    more = bootstrap.ends(np.array([1.0]), replicates[:, :1], 10, 3.0)
    reach = stats.t.ppf(0.975, 9) * np.sqrt(replicates[:, 0].var(ddof=1) * 10 / 9 + 3)
    np.testing.assert_allclose(more.ravel(), [1 - reach, 1 + reach])
    replicates[:600, 0] = np.nan
    few = bootstrap.ends(np.array([1.0, 3.0]), replicates, 10)
    assert np.isnan(few).tolist() == [[True, False]] * 2
    assert np.isnan(bootstrap.ends(np.array([1.0]), replicates[:, 1:], 1)).all()


def test_intervals_cover_and_widen_with_units_drawn():
    """Over many simulated models the two-way intervals of the contrast and its sides cover their expectation about as
    often as they say; drawing prompts alone would be too narrow."""
    chance = np.random.default_rng(1)
    layers, units, prompts = 9, 8, 30
    hump = np.repeat(np.sin(np.linspace(0, np.pi, layers)), units)
    own, low, high, narrow = [], [], [], []
    for _ in range(60):
        unit_effect = hump + chance.normal(0, 0.7, layers * units)
        sts = unit_effect + chance.normal(0, 1.0, (prompts, layers * units)) + 5
        atoms = np.zeros((prompts, layers * units, 16))
        atoms[..., STS] = sts
        nothing, pairs = np.zeros_like(sts), np.ones(sts.shape, int)
        values = scores.values_over(atoms, nothing, nothing)
        ends = bootstrap.intervals("difference", values, atoms, nothing, nothing, pairs, layers, replicates=200)
        shown = profile.profile(scores.scaled(sts.mean(axis=0)), layers)
        own.append([profile.contrast(shown), *profile.sides(shown)])
        for some, place in ((low, 0), (high, 1)):
            some.append([ends.contrast[place], *ends.sides[place]])
        drawn = sts[chance.integers(prompts, size=(100, prompts))].mean(axis=1)
        alone = profile.contrast(profile.profile(scores.scaled(drawn), layers))
        narrow.append(bootstrap.ends(np.array(own[-1][0]), alone, prompts))
    own, low, high, narrow = (np.array(some) for some in (own, low, high, narrow))
    assert ((low <= own) & (own <= high)).all()
    truth = own.mean(axis=0)
    covered = ((low <= truth) & (truth <= high)).mean(axis=0)
    assert ((covered >= 0.88) & (covered <= 1)).all()
    assert (high - low)[:, 0].mean() / (4 * own[:, 0].std()) == pytest.approx(1, abs=0.25)
    assert ((narrow[:, 0] <= truth[0]) & (truth[0] <= narrow[:, 1])).mean() < 0.85


@pytest.mark.parametrize("name", RANKINGS)
def test_every_interval_contains_its_estimate(atoms, values, name):
    """Six prompts, in which percentiles of replicates would leave out units at the ends of the ranking."""
    parts = (atoms.unit_prompt, atoms.unit_prompt_offset, atoms.unit_balance, atoms.unit_pairs)
    ends = bootstrap.intervals(name, values, *parts, 4, replicates=100)
    scaled = scores.scaled(scores.ranking(name, values))
    layered = profile.profile(scaled, 4)
    told = [(scaled, ends.units), (layered, ends.profile), (profile.contrast(layered), ends.contrast)]
    for value, (low, high) in [*told, (profile.sides(layered), ends.sides)]:
        assert ((low <= value + 1e-12) & (value <= high + 1e-12)).all()
        assert (low < high).all()
    assert min(ends.units.min(), ends.profile.min()) >= 0
    assert max(ends.units.max(), ends.profile.max()) <= 1


def test_intervals_are_the_same_for_the_same_seed_and_missing_for_one_prompt(atoms, values):
    parts = (atoms.unit_prompt, atoms.unit_prompt_offset, atoms.unit_balance, atoms.unit_pairs)
    one, two = (bootstrap.intervals("difference", values, *parts, 4, seed=5, replicates=50) for _ in range(2))
    np.testing.assert_array_equal(one.units, two.units)
    np.testing.assert_array_equal(one.sides, two.sides)
    single = bootstrap.intervals("difference", values, *(part[:1] for part in parts), 4, replicates=50)
    assert np.isnan(single.contrast).all()
    assert np.isnan(single.sides).all()


def test_prompts_without_a_pair_are_not_drawn():
    """One prompt with a value among ten: there is no spread to tell, so there is no interval."""
    atoms = np.full((10, 9, 16), np.nan)
    atoms[3] = np.random.default_rng(0).normal(size=(9, 16))
    pairs = np.zeros((10, 9), int)
    pairs[3] = 8
    values = scores.values_over(atoms, atoms[..., 0], atoms[..., 0])
    ends = bootstrap.intervals("difference", values, atoms, atoms[..., 0], atoms[..., 0], pairs, 9, replicates=50)
    assert np.isnan(ends.units).all()
    assert np.isnan(ends.contrast).all()


@pytest.mark.slow
def test_intervals_stay_with_the_published_value_where_pairs_are_missing():
    chance = np.random.default_rng(2)
    series = ar1(chance, (12, 12, 60), 0.6) + 0.7 * ar1(chance, (12, 1, 60), 0.3)
    for prompt, steps in enumerate(chance.integers(8, 60, 12)):
        series[prompt, :, steps:] = np.nan
    series[:8, 3] = 1.0
    series[2, 7, 2] = np.inf
    found = decompose(series)
    values = scores.unit_values(found.unit, found.unit_offset, found.unit_balance)
    parts = (found.unit_prompt, found.unit_prompt_offset, found.unit_balance, found.unit_pairs)
    for name in ("difference", "excess", "tdmi-share"):
        scaled = scores.scaled(scores.ranking(name, values))
        low, high = bootstrap.intervals(name, values, *parts, 4, replicates=400).units
        assert ((low <= scaled + 1e-9) & (scaled <= high + 1e-9)).all()


# Contrasts against surrogates

UNITS, EFFECT_PROMPTS, DRAWS, KEPT = 27, 12, 40, 8


def against(seed: int, coupled: float, hump: float, cut: Cut = MIDDLE) -> dict[str, Effect]:
    """Made-up unit values: data and surrogates have the prompts in common, and noise of their own. Synergy of the
    middle layers is higher by `hump` in all, and by `coupled` in the data alone."""
    chance = np.random.default_rng(seed)
    inside = np.repeat(profile.middle(9), 3)
    own = 5 + hump * inside + 0.3 * np.random.default_rng(1).normal(size=UNITS)
    of_prompts = chance.normal(size=(EFFECT_PROMPTS, UNITS))
    found = np.ones((1 + DRAWS, EFFECT_PROMPTS, UNITS, 6))
    found[..., 0] = own + of_prompts + 0.3 * chance.normal(size=found.shape[:3])
    found[0, ..., 0] += coupled * inside
    found[..., 2], found[..., 3] = 9, found[..., 0] / (found[..., 0] + 1)
    mean = found.mean(axis=1)
    atoms = scores.of_measures(mean[..., 0], mean[..., 1], mean[..., 2], mean[..., 3], mean[..., 0]).atoms
    draws = nulls.UnitDraws(atoms[0], mean[0, :, 3], atoms[1:], mean[1:, :, 3])
    return effects.effects(found[: 1 + KEPT].astype(np.float32), draws, 9, seed, 200, cut=cut)


def test_an_effect_is_the_contrast_minus_its_surrogate_mean_with_an_interval_about_it():
    for name, one in against(0, coupled=1.0, hump=0.0).items():
        assert one.difference == pytest.approx(one.observed - one.surrogate), name
        assert (one.low + one.high) / 2 == pytest.approx(one.difference), name
        assert one.high - one.difference == pytest.approx(stats.t.ppf(0.975, EFFECT_PROMPTS - 1) * one.error), name
        assert (one.p, one.halves, one.prompts, one.draws) == (1 / (1 + DRAWS), 1.0, EFFECT_PROMPTS, DRAWS), name
        assert one.low > 0.1, name


def test_a_chosen_contrast_of_the_middle_layers_is_the_default_and_the_other_way_around_its_negative(atoms, values):
    """In the data, in surrogates, and in the bootstrap."""
    ends, middle = (0, 1, 2, 6, 7, 8), (3, 4, 5)
    default, same, other = (against(0, 0.3, 0.3, cut) for cut in (MIDDLE, Cut(middle, ends), Cut(ends, middle)))
    for name, one in default.items():
        two, back = same[name], other[name]
        for what in ("observed", "surrogate", "difference", "low", "high", "error", "p"):
            assert getattr(two, what) == pytest.approx(getattr(one, what), abs=1e-9), (name, what)
        assert (back.observed, back.surrogate, back.difference) == (-two.observed, -two.surrogate, -two.difference)
        assert (back.low, back.high) == (-two.high, -two.low)
        assert two.halves > 0.5 > back.halves
    parts = (atoms.unit_prompt, atoms.unit_prompt_offset, atoms.unit_balance, atoms.unit_pairs)
    one, two = (
        bootstrap.intervals(RANKINGS[0], values, *parts, 4, replicates=50, cut=cut)
        for cut in (Cut((0, 2), (3,)), Cut((3,), (0, 2)))
    )
    np.testing.assert_array_equal(one.contrast, -two.contrast[::-1])
    assert np.isfinite(one.contrast).all()
    assert np.isnan(one.sides).all()
    assert not against(0, 0.3, 0.3, Cut(deep=False))  # there is nothing to be tested


def test_a_hump_of_surrogates_is_no_effect_and_intervals_cover():
    """The prompts move data and surrogates alike: paired, what they do cancels."""
    found = [against(seed, coupled=0.0, hump=1.0)["difference"] for seed in range(20)]
    assert min(one.observed for one in found) > 0.2
    difference = np.array([one.difference for one in found])
    assert np.abs(difference).max() < 0.05
    assert sum(one.low <= difference.mean() <= one.high for one in found) >= 17
    assert not any(one.p < 0.05 and one.low > 0 for one in found)
    error = np.mean([one.error for one in found])
    assert 0.5 < error / difference.std(ddof=1) < 2


def test_an_effect_without_values_by_prompt_has_a_p_and_no_interval():
    """Of pooled prompts none are kept."""
    chance = np.random.default_rng(0)
    atoms = chance.normal(5, 1, size=(31, 9, 16))
    draws = nulls.UnitDraws(atoms[0], np.ones(9), atoms[1:], np.ones((30, 9)))
    found = effects.effects(np.zeros((1, 0, 9, 6), np.float32), draws, 9)["difference"]
    assert np.isfinite([found.difference, found.p]).all()
    assert np.isnan([found.low, found.high, found.halves]).all()


# Confounds


def test_a_constant_unit_has_no_autocorrelation():
    series = ar1(np.random.default_rng(0), (2, 2, 30), 0.5)
    series[:, 1] = 0.1
    found = confounds.autocorrelation(series, 1)
    assert np.isfinite(found[0])
    assert np.isnan(found[1])


def test_autocorrelation_is_that_of_the_windows():
    series = ar1(np.random.default_rng(0), (3, 2, 50), 0.8)
    series[1, :, 30:] = np.nan
    lengths = (50, 30, 50)
    expected = [
        np.mean([np.corrcoef(s[u, : n - 2], s[u, 2:n])[0, 1] for s, n in zip(series, lengths, strict=True)])
        for u in (0, 1)
    ]
    np.testing.assert_allclose(confounds.autocorrelation(series, 2), expected)


def test_confounds_name_what_speaks_against_the_map(values, atoms):
    raw = {name: scores.ranking(name, values) for name in RANKINGS}
    norms = np.arange(12.0)
    halves = (np.arange(12.0), np.arange(12.0)[::-1])
    found = confounds.confounds(values, values.sts * 2 + 1, norms, raw, halves, np.array([40.0, 60.0]), 3)
    assert found["split-half Spearman"] == pytest.approx(-1)
    assert found["synergy~autocorrelation"] == pytest.approx(1)
    assert found["synergy~redundancy"] == pytest.approx(np.corrcoef(values.sts, values.rtr)[0, 1])
    assert found["prompts too short"] == 3
    assert found["shortest response"] == 40


def test_core_is_the_top_quarter():
    raw = np.array([3.0, 1.0, np.nan, 9.0, 5.0, 2.0, 0.0, 4.0, 8.0])
    assert confounds.core(raw).tolist() == [3, 8]
    assert confounds.core_overlap(raw, -raw) == 0
    nothing = np.full(9, np.nan)
    assert len(confounds.core(nothing)) == 0
    assert np.isnan(confounds.core_overlap(nothing, raw))
