"""Local atoms average to the atoms, for every estimator and redundancy, and tell why they are no number."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from conftest import ar1

from synergy_tui.errors import UsageError
from synergy_tui.phiid import decompose
from synergy_tui.phiid.local import local_pair, local_unit

COMBINATIONS = [(estimator, redundancy) for estimator in ("gaussian", "discrete") for redundancy in ("mmi", "ccs")]


@pytest.fixture(scope="module")
def response() -> np.ndarray:
    """Nine coupled units and 60 of 64 steps; the last unit is nearly a copy of the first."""
    chance = np.random.default_rng(5)
    series = ar1(chance, (9, 64), 0.7) + 0.8 * ar1(chance, (1, 64), 0.5)
    series[8] = series[0] + 1e-3 * chance.normal(size=64)
    series[:, 60:] = np.nan
    return series


@pytest.mark.slow
@pytest.mark.parametrize("lag", [1, 3])
@pytest.mark.parametrize(("estimator", "redundancy"), COMBINATIONS)
def test_local_atoms_average_to_the_atoms(response, estimator, redundancy, lag):
    whole = decompose(response[None], estimator=estimator, redundancy=redundancy, lag=lag)
    for (i, j), expected in zip(whole.pairs, whole.mean, strict=True):
        found = local_pair(response[i], response[j], estimator, redundancy, lag)
        assert found.atoms.shape == (64 - lag, 16)
        assert np.isnan(found.atoms[60 - lag :]).all()
        np.testing.assert_allclose(found.atoms[: 60 - lag].mean(axis=0), expected, rtol=0, atol=1e-9)
    for unit in (0, 4, 8):
        found = local_unit(response, unit, estimator, redundancy, lag)
        assert found.partners == 8
        np.testing.assert_allclose(found.atoms[: 60 - lag].mean(axis=0), whole.unit_prompt[0, unit], rtol=0, atol=1e-9)


@pytest.mark.parametrize(("estimator", "redundancy"), COMBINATIONS)
def test_a_units_local_atoms_are_the_mean_of_its_pairs(response, estimator, redundancy):
    found = local_unit(response, 4, estimator, redundancy)
    pairs = [local_pair(response[4], response[k], estimator, redundancy).atoms for k in range(9) if k != 4]
    np.testing.assert_allclose(found.atoms, np.mean(pairs, axis=0), atol=1e-11)


def test_local_atoms_sum_to_the_local_information_of_the_definition(response):
    """ln p(past, future) − ln p(past) p(future) of normal densities with the windows' own covariance."""
    from scipy.stats import multivariate_normal

    pair = response[:2, :60]
    windows = np.concatenate([pair[:, :-1], pair[:, 1:]])
    windows = (windows - windows.mean(axis=1, keepdims=True)) / windows.std(axis=1, ddof=1, keepdims=True)
    corr = np.corrcoef(windows)

    def log_density(which: list[int]) -> np.ndarray:
        return multivariate_normal(cov=corr[np.ix_(which, which)]).logpdf(windows[which].T)

    expected = log_density([0, 1, 2, 3]) - log_density([0, 1]) - log_density([2, 3])
    np.testing.assert_allclose(local_pair(*response[:2]).atoms[:59].sum(axis=1), expected, atol=1e-12)


def test_what_has_no_value_is_counted_and_left_out(response):
    bad = response[:, :60].copy()
    bad[1] = 3.0
    bad[2, 7] = np.inf
    bad[8] = bad[0]
    found = local_unit(bad, 0)
    assert found.reasons == {"too short": 0, "not finite": 1, "constant": 1, "ill-conditioned": 1}
    assert found.partners == 5
    pairs = [local_pair(bad[0], bad[k]).atoms for k in (3, 4, 5, 6, 7)]
    np.testing.assert_allclose(found.atoms, np.mean(pairs, axis=0), atol=1e-11)
    assert np.isnan(local_unit(bad, 1).atoms).all()
    assert local_unit(bad[:, :5], 0).reasons["too short"] == 8
    # A constant is a state like any other, and equal copies are redundant, where no matrix has to be inverted.
    assert local_unit(bad, 0, "discrete").reasons == {
        "too short": 0,
        "not finite": 1,
        "constant": 0,
        "ill-conditioned": 0,
    }
    copies = local_pair(bad[0], bad[8], "discrete").atoms
    np.testing.assert_allclose(copies[:, 0], copies.sum(axis=1), atol=1e-12)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda s: local_unit(s, 9), "no unit 9 among 9"),
        (lambda s: local_unit(s[:1], 0), "two units or more"),
        (lambda s: local_unit(s, 0, lag=64), "leaves no window"),
        (lambda s: local_unit(s, 0, "kraskov"), "no estimator kraskov with redundancy mmi"),
        (lambda s: local_unit(s, 0, "gaussian", "best"), "no estimator gaussian with redundancy best"),
        (lambda s: local_pair(s[0], s[1, :9]), "of equal length"),
    ],
)
def test_what_cannot_be_asked_is_refused(response, call, said):
    with pytest.raises(UsageError, match=said):
        call(response)


@pytest.mark.worker
def test_it_loads_neither_jax_nor_scipy():
    code = (
        "import sys, synergy_tui.phiid.local; sys.exit(any(name in sys.modules for name in ('jax', 'scipy', 'torch')))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
