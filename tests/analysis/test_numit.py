"""Quantiles among random systems of the same total information: uniform for what the null itself draws, at the ends for
planted synergy and for copies, and the same whatever the total information is."""

from __future__ import annotations

import numpy as np
import pyarrow.parquet as pq
import pytest
from conftest import ar1
from scipy import stats

from synergy_tui.analysis import numit, scores
from synergy_tui.phiid import decompose
from synergy_tui.phiid.gaussian import Correlations, informations
from synergy_tui.phiid.lattice import atoms_from_cumulative
from synergy_tui.phiid.redundancy import mmi
from synergy_tui.settings import shipped
from synergy_tui.terms import ATOMS, RTR, STS


def test_the_closed_form_is_the_decomposition_of_the_engine():
    import jax

    coefficients, covariance = numit.null_systems(0.7, 50, np.random.default_rng(1))
    noise = covariance - coefficients @ covariance @ coefficients.transpose(0, 2, 1)
    assert (np.linalg.eigvalsh(noise) > 0).all()
    size = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    onwards = coefficients @ covariance / size[:, :, None] / size[:, None, :]
    among = covariance[:, 0, 1] / size[:, 0] / size[:, 1]
    correlations = (among, among, onwards[:, 0, 0], onwards[:, 1, 0], onwards[:, 0, 1], onwards[:, 1, 1])
    with jax.enable_x64(True):
        nine, _ = informations(Correlations(*(jax.numpy.asarray(one) for one in correlations)), 1e-6)
    expected = np.array(atoms_from_cumulative([np.asarray(one) for one in mmi(nine)]))
    sts, rtr, total = numit.atoms(coefficients, covariance)
    np.testing.assert_allclose(sts, expected[STS], atol=1e-12)
    np.testing.assert_allclose(rtr, expected[RTR], atol=1e-12)
    np.testing.assert_allclose(total, expected.sum(axis=0), atol=1e-12)
    np.testing.assert_allclose(total, 0.7, atol=1e-9)


@pytest.mark.parametrize("tdmi", [2e-4, 0.0123, 0.11, 0.64, 2.5, 6.0])
def test_systems_of_the_null_have_uniform_quantiles(tdmi):
    """Between the totals the null is kept at, and below the least of them."""
    found = numit.atoms(*numit.null_systems(tdmi, 3000, np.random.default_rng([7, int(tdmi * 1e4)])))
    for quantiles in numit.quantiles(*found):
        assert stats.kstest(quantiles, "uniform").pvalue > 0.001
        assert np.mean(quantiles) == pytest.approx(0.5, abs=0.025)


def test_quantiles_do_not_rise_with_total_information_where_atoms_do():
    raw, scored = [], []
    for tdmi in (0.02, 0.2, 2.0):
        sts, rtr, total = numit.atoms(*numit.null_systems(tdmi, 3000, np.random.default_rng(3)))
        above, redundant = numit.quantiles(sts, rtr, total)
        raw.append(sts.mean())
        scored.append((above - redundant).mean())
    assert raw[2] > 5 * raw[1] > 25 * raw[0]
    np.testing.assert_allclose(scored, 0, atol=0.03)


def _score(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    found = decompose(np.stack([x, y])[None]).mean
    sts, rtr = numit.quantiles(found[:, STS], found[:, RTR], found.sum(axis=1))
    return float(sts[0]), float(rtr[0])


@pytest.mark.parametrize("memory", [0.2, 0.9])
def test_planted_synergy_is_at_one_end_and_copies_at_the_other(memory):
    """The sum of two units, each of which is noise by itself, tells its own future; and one signal twice."""
    chance = np.random.default_rng(5)
    signal, fresh = ar1(chance, (1, 1, 6_000), memory)[0, 0], 5 * chance.standard_normal(6_000)
    sts, rtr = _score(fresh, signal - fresh)
    assert sts > 0.99
    assert rtr < 0.1
    sts, rtr = _score(signal, signal + 0.02 * chance.standard_normal(6_000))
    assert sts < 0.1
    assert rtr > 0.99


def test_what_has_no_total_information_has_no_quantile():
    sts, rtr, tdmi = np.array([[0.1, 0.1, 0.1, np.nan, -0.1, 0.3]] * 3)
    tdmi = np.array([0.0, -0.2, 9.0, 0.3, 0.3, 0.3])
    found = np.array(numit.quantiles(sts, rtr, tdmi))
    assert np.isnan(found[:, :4]).all()
    np.testing.assert_array_equal(found[:, 4:], [[0, 1], [0, 1]])


def test_the_ranking_follows_the_mean_of_the_pairs_own_quantiles():
    """On real heads. Unlike synergy it does not follow total information."""
    (file,) = shipped("sample").glob("pairs/*/*.parquet")
    table = pq.ParquetFile(file).read(columns=["x", "y", *ATOMS])
    x, y = (table[name].to_numpy() for name in ("x", "y"))
    atoms = np.stack([table[name].to_numpy().astype(float) for name in ATOMS], axis=1)
    units = y.max() + 1
    count = np.bincount(x, minlength=units) + np.bincount(y, minlength=units)

    def of_units(values: np.ndarray) -> np.ndarray:
        return (np.bincount(x, values, units) + np.bincount(y, values, units)) / count

    sts, rtr, tdmi = atoms[:, STS], atoms[:, RTR], atoms.sum(axis=1)
    synergy, redundancy = numit.quantiles(sts, rtr, tdmi)
    nothing = np.full(units, np.nan)
    means = [of_units(one) for one in (sts, rtr, tdmi)]
    ranking = scores.ranking("numit", scores.of_measures(*means, nothing, nothing))
    assert stats.spearmanr(ranking, of_units(synergy - redundancy))[0] > 0.95
    assert stats.spearmanr(ranking, means[2])[0] < 0.7 < 0.9 < stats.spearmanr(means[0], means[2])[0]
