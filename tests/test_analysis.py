"""Unit scores, rankings, profiles, intervals and confounds against their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import ar1

from synergy_tui.analysis import bootstrap, confounds, profile, scores
from synergy_tui.phiid import ATOMS, decompose
from synergy_tui.terms import RANKINGS

STS, RTR = ATOMS.index("sts"), ATOMS.index("rtr")


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


def test_fewer_than_three_layers_have_no_contrast():
    assert np.isnan(profile.contrast(np.zeros((1, 2)))).all()


def test_curvature_is_the_coefficient_of_a_parabola():
    depth = profile.depth(9)
    assert profile.curvature(3 * depth**2 - depth + 1) == pytest.approx(3)


def test_intervals_cover_and_widen_with_units_drawn():
    """Over many simulated models the two-way interval of the contrast covers its expectation about as often as it says;
    drawing prompts alone would be too narrow."""
    chance = np.random.default_rng(1)
    layers, units, prompts = 9, 8, 30
    hump = np.repeat(np.sin(np.linspace(0, np.pi, layers)), units)
    covered, true = 0, []
    found = []
    for _ in range(60):
        unit_effect = hump + chance.normal(0, 0.7, layers * units)
        sts = unit_effect + chance.normal(0, 1.0, (prompts, layers * units)) + 5
        atoms = np.zeros((prompts, layers * units, 16))
        atoms[..., STS] = sts
        ends = bootstrap.intervals(
            "difference", atoms, np.zeros_like(sts), np.ones_like(sts), np.ones(sts.shape, int), layers, replicates=200
        )
        value = scores.scaled(sts.mean(axis=0))
        true.append(profile.contrast(profile.profile(value, layers)[None])[0])
        found.append(ends.contrast)
    expectation = np.mean(true)
    covered = np.mean([low <= expectation <= high for low, high in found])
    assert 0.85 <= covered <= 1.0


def test_intervals_are_the_same_for_the_same_seed_and_missing_for_one_prompt(atoms):
    parts = (atoms.unit_prompt, atoms.unit_prompt_offset, atoms.unit_balance, atoms.unit_pairs, 4)
    one, two = (bootstrap.intervals("rank-difference", *parts, seed=5, replicates=50) for _ in range(2))
    np.testing.assert_array_equal(one.units, two.units)
    single = bootstrap.intervals("difference", *(part[:1] for part in parts[:4]), 4, replicates=50)
    assert np.isnan(single.contrast).all()


def test_prompts_without_a_pair_are_not_drawn():
    """One prompt with a value among ten: there is no spread to tell, so there is no interval."""
    atoms = np.full((10, 9, 16), np.nan)
    atoms[3] = np.random.default_rng(0).normal(size=(9, 16))
    pairs = np.zeros((10, 9), int)
    pairs[3] = 8
    ends = bootstrap.intervals("difference", atoms, atoms[..., 0], atoms[..., 0], pairs, 9, replicates=50)
    assert np.isnan(ends.units).all()
    assert np.isnan(ends.contrast).all()


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
        low, high = bootstrap.intervals(name, *parts, 4, replicates=400).units
        assert ((low <= scaled + 1e-9) & (scaled <= high + 1e-9)).mean() >= 0.9


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
