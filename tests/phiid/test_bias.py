"""The correction for short series: exact for independent samples, and what it is in a series with memory."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import ar1

from synergy_tui.errors import UsageError
from synergy_tui.jobs.specs import DecomposeSpec, Method
from synergy_tui.phiid import decompose
from synergy_tui.phiid.lattice import atoms_from_cumulative
from synergy_tui.phiid.nulls import surrogates
from synergy_tui.phiid.redundancy import Informations, cumulative

COVARIANCE = np.array([[1, 0.3, 0.5, 0.2], [0.3, 1, 0.1, 0.4], [0.5, 0.1, 1, 0.35], [0.2, 0.4, 0.35, 1]])
"""Of past x, past y, future x, future y."""


def samples(prompts: int, steps: int) -> np.ndarray:
    """A series whose windows, at a lag of `steps`, are independent samples of that covariance."""
    drawn = np.random.default_rng(steps).standard_normal((prompts, steps, 4)) @ np.linalg.cholesky(COVARIANCE).T
    return np.concatenate([drawn[:, :, :2], drawn[:, :, 2:]], axis=1).transpose(0, 2, 1)


def population() -> float:
    det = np.linalg.det
    return 0.5 * np.log(det(COVARIANCE[:2, :2]) * det(COVARIANCE[2:, 2:]) / det(COVARIANCE))


@pytest.mark.parametrize(("steps", "prompts"), [(6, 6000), (12, 3000), (40, 1500)])
def test_the_mean_over_short_samples_is_the_population_value(steps, prompts):
    series = samples(prompts, steps)
    for bias, right in (("none", False), ("analytic", True)):
        each = decompose(series, lag=steps, bias=bias).unit_prompt[:, 0].sum(axis=1)
        error = each.std() / np.sqrt(prompts)
        assert bool(abs(each.mean() - population()) < 3.5 * error) is right


def test_single_informations_are_right_too():
    """I(x;x′) is xtx with everything below it: rtr, rtx and xtr. Values below zero stay."""
    steps, prompts = 8, 4000
    found = decompose(samples(prompts, steps), lag=steps, bias="analytic").unit_prompt[:, 0]
    own = found[:, [0, 1, 4, 5]].sum(axis=1)
    assert (own < 0).any()
    assert abs(own.mean() + 0.5 * np.log(1 - 0.5**2)) < 3.5 * own.std() / np.sqrt(prompts)


@pytest.mark.slow
def test_every_way_of_computing_takes_off_the_same():
    """The constants of docs/method.md, section 2, off the sums, off pairs recomputed from their windows, in float32."""
    from scipy.special import digamma

    series = ar1(np.random.default_rng(0), (3, 4, 31), 0.5)
    series[1, :, 26:] = np.nan
    series[:, 3] = series[:, 2] + 1e-4 * series[:, 3]  # from its windows
    nine = []
    for steps in (30, 25, 30):
        psi = digamma((steps - np.arange(1, 5)) / 2)
        one, two = 0.5 * (psi[0] - psi[1]), 0.5 * (psi[0] - psi[2])
        nine.append([*[one] * 4, *[two] * 4, 0.5 * (psi[0] + psi[1] - psi[2] - psi[3])])
    one, two, all_ = np.mean(nine, axis=0)[[0, 4, 8]]
    off = Informations(*[one] * 4, *[two] * 4, all_)
    expected = np.array(atoms_from_cumulative(cumulative(off, [one, one, one, two, one, one, two])))
    raw, corrected = decompose(series), decompose(series, bias="analytic")
    np.testing.assert_allclose(raw.mean - corrected.mean, np.tile(expected, (6, 1)), atol=1e-10)
    small = decompose(series[:, :3], bias="analytic", precision="float32")
    np.testing.assert_allclose(small.mean, decompose(series[:, :3], bias="analytic").mean, atol=1e-4)
    pooled = [decompose(series, pool="pooled", bias=bias).mean.sum(axis=1) for bias in ("none", "analytic")]
    psi = digamma((85 - 3 + 1 - np.arange(1, 5)) / 2)
    np.testing.assert_allclose(pooled[0] - pooled[1], 0.5 * (psi[0] + psi[1] - psi[2] - psi[3]), atol=1e-10)


@pytest.mark.slow
def test_surrogates_are_corrected_alike_so_that_excess_stays():
    series = ar1(np.random.default_rng(2), (6, 3, 40), 0.5)
    raw, corrected = (surrogates(series, "window-roll", 20, bias=bias) for bias in ("none", "analytic"))
    assert (raw.observed[:, 0] - corrected.observed[:, 0] != 0).all()
    excess = [one.observed[:, 0] - one.moments.mean[:, 0] for one in (raw, corrected)]
    np.testing.assert_allclose(*excess, atol=1e-12)


@pytest.mark.slow
def test_a_series_with_memory_is_where_the_correction_ends():
    """docs/method.md says so: steps of a persistent series are no independent samples, and its memory is
    underestimated."""
    for memory, better in ((0.2, True), (0.6, False)):
        series = ar1(np.random.default_rng(4), (2500, 2, 61), memory)
        true = -np.log(1 - memory**2)
        errors = [
            decompose(series, bias=bias).unit_prompt[:, 0].sum(axis=1).mean() - true for bias in ("none", "analytic")
        ]
        assert bool(abs(errors[1]) < abs(errors[0])) is better
        assert errors[1] < 0


def test_it_is_asked_for_where_it_is_known_and_old_hashes_stay():
    for words in ({"estimator": "discrete"}, {"redundancy": "ccs"}):
        with pytest.raises(UsageError, match="known only for gaussian mmi"):
            Method(bias="analytic", **words)
        with pytest.raises(UsageError):
            decompose(samples(2, 9), bias="analytic", **words)
    plain, corrected = (DecomposeSpec(capture="c1", method=Method(bias=bias)) for bias in ("none", "analytic"))
    assert "bias" not in plain.identity()["method"]
    assert plain.hash != corrected.hash
    assert plain.method.row()["bias"] is None
    assert Method.of(plain.method.row()) == plain.method
    assert Method.of(corrected.method.row()) == corrected.method
