"""O-information: closed forms, identities, and sets that were planted among others."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import digamma
from scipy.stats import t as t_distribution

from synergy_tui.analysis import oinfo


def entropies(covariance: np.ndarray) -> float:
    """Ω = (k − 2) H(X) + Σ [H(Xⱼ) − H(X without j)], with entropies of every part."""
    k = len(covariance)
    entropy = lambda which: 0.5 * np.linalg.slogdet(2 * np.pi * np.e * covariance[np.ix_(which, which)])[1]  # noqa: E731
    every = list(range(k))
    return (k - 2) * entropy(every) + sum(entropy([j]) - entropy([i for i in every if i != j]) for j in every)


def test_it_is_what_its_definition_says():
    factor = np.random.default_rng(0).standard_normal((40, 6, 9))
    covariance = factor @ factor.transpose(0, 2, 1)
    np.testing.assert_allclose(oinfo.of_matrices(covariance), [entropies(one) for one in covariance], atol=1e-9)


def test_two_units_have_none_and_independent_ones_neither():
    correlation = np.linspace(-0.99, 0.99, 21)
    pairs = np.array([[[1, r], [r, 1]] for r in correlation])
    np.testing.assert_allclose(oinfo.of_matrices(pairs), 0, atol=1e-9)
    assert oinfo.of_matrices(np.eye(5)[None])[0] == 0
    assert np.isnan(oinfo.of_matrices(np.ones((1, 3, 3)))[0])  # copies without noise


@pytest.mark.parametrize("k", [3, 8])
def test_copies_with_noise_are_redundant(k):
    """k units of one signal, correlations ρ: |R| = (1 − ρ)^(k−1) (1 + (k − 1)ρ), and (R⁻¹)ⱼⱼ in closed form."""
    rho = 0.6
    determinant = (1 - rho) ** (k - 1) * (1 + (k - 1) * rho)
    own = (1 + (k - 2) * rho) / ((1 - rho) * (1 + (k - 1) * rho))
    expected = -np.log(determinant) - k / 2 * np.log(own)
    assert expected > 0
    matrix = np.full((k, k), rho) + (1 - rho) * np.eye(k)
    assert oinfo.of_matrices(matrix[None])[0] == pytest.approx(expected, abs=1e-12)


def test_a_sum_is_synergistic():
    """x, y and x + y + noise of variance v: Ω = I(x; z) − I(x; z | y) = ½ ln((2 + v)/(1 + v)) − ½ ln((1 + v)/v)."""
    noise = 0.3
    covariance = np.array([[1, 0, 1], [0, 1, 1], [1, 1, 2 + noise]])
    expected = 0.5 * np.log((2 + noise) / (1 + noise)) - 0.5 * np.log((1 + noise) / noise)
    assert expected < 0
    assert oinfo.of_matrices(covariance[None])[0] == pytest.approx(expected, abs=1e-12)


def test_the_bias_of_short_responses_is_taken_off():
    k, steps, prompts = 5, 14, 4000
    covariance = 0.4 * np.ones((k, k)) + 0.6 * np.eye(k)
    series = np.linalg.cholesky(covariance) @ np.random.default_rng(1).standard_normal((prompts, k, steps))
    found = oinfo.correlations(series)
    true = oinfo.of_matrices(covariance[None])[0]
    for bias, right in (("none", False), ("analytic", True)):
        values = oinfo.o_information(*found, np.arange(k)[None], bias)[0]
        assert bool(abs(values.mean() - true) < 3.5 * values.std() / np.sqrt(prompts)) is right
    assert [oinfo._digamma_of_half(one) for one in range(1, 60)] == pytest.approx(digamma(np.arange(1, 60) / 2))


def test_responses_are_centred_by_themselves_and_what_has_no_value_is_none():
    series = np.random.default_rng(2).standard_normal((4, 6, 40))
    series += 100 * np.arange(4)[:, None, None]
    series[1, :, 5:] = np.nan  # no more steps than five units and one
    series[2, 4] = 7.0
    matrices, steps = oinfo.correlations(series)
    np.testing.assert_array_equal(steps, [40, 5, 40, 40])
    np.testing.assert_allclose(matrices[0], np.corrcoef(series[0]), atol=1e-12)
    found = oinfo.o_information(matrices, steps, np.array([[0, 1, 2, 3], [1, 2, 3, 4]]))
    np.testing.assert_array_equal(np.isnan(found), [[False, True, False, False], [False, True, True, False]])


def test_planted_sets_stand_out_among_random_ones():
    """Five copies of a signal, and three units that sum up, among thirty units; and a random set does not."""
    chance = np.random.default_rng(3)
    series = chance.standard_normal((20, 30, 60))
    series[:, :5] += chance.standard_normal((20, 1, 60))
    series[:, 9] = series[:, 7] + series[:, 8] + 0.5 * series[:, 9]
    found, known, layer_of = oinfo.correlations(series), np.arange(30), np.arange(30) // 5
    for units, low, high in (([0, 1, 2, 3, 4], 0.99, 1), ([7, 8, 9], 0, 0.01), ([12, 17, 22, 27], 0.02, 0.98)):
        own = oinfo.o_information(*found, np.array([units]))[0]
        random = oinfo.random_sets(known, layer_of, np.array(units), 300, chance)
        held = oinfo.held_against(own, oinfo.o_information(*found, random))
        assert low <= held.quantile <= high
        assert (held.p < 0.02) is (low > 0.9 or high < 0.1)
        assert held.low < held.value < held.high
    matched = oinfo.random_sets(known, layer_of, np.array([0, 1, 7, 29]), 50, chance, matched=True)
    assert all(sorted(layer_of[one]) == [0, 0, 1, 5] for one in matched)
    assert all(len(set(one.tolist())) == 4 for one in matched)


def test_students_t_is_near_enough():
    for freedom in (1, 2, 3, 4, 7, 11, 30, 200):
        assert oinfo.student(freedom) == pytest.approx(t_distribution.ppf(0.975, freedom), rel=4e-3)
