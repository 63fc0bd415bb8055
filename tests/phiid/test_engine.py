"""What holds for every estimator and redundancy: symmetries, pooling, spread, precision, devices."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from conftest import ar1
from hypothesis import given, settings
from hypothesis import strategies as st

from synergy_tui.errors import MeasureError, UsageError
from synergy_tui.phiid import ATOMS, decompose, decompose_joint, preprocess
from synergy_tui.phiid.local import local_pair
from synergy_tui.phiid.preparation import parse

A = {name: place for place, name in enumerate(ATOMS)}
COMBINATIONS = [(estimator, redundancy) for estimator in ("gaussian", "discrete") for redundancy in ("mmi", "ccs")]
every_combination = pytest.mark.parametrize(("estimator", "redundancy"), COMBINATIONS)

SHAPE = (5, 4, 60)


@pytest.fixture(scope="module")
def series() -> np.ndarray:
    """Coupled units; the second response is shorter, and the last unit nearly a copy of the first."""
    chance = np.random.default_rng(3)
    out = ar1(chance, SHAPE, 0.6) + 0.8 * ar1(chance, (5, 1, 60), 0.5)
    out[:, 3] = out[:, 0] + 1e-3 * chance.normal(size=(5, 60))
    out[1, :, 41:] = np.nan
    return out


def any_pair(draw) -> np.ndarray:
    """A response of two units: coupled or not, smooth or not, large or small, with an offset, drawn by hypothesis."""
    chance = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    phi = draw(st.floats(-0.9, 0.95))
    shared, scale = draw(st.floats(0, 3)), 10.0 ** draw(st.integers(-6, 6))
    series = ar1(chance, (2, 40), phi, burn=20) + shared * ar1(chance, (1, 40), draw(st.floats(0, 0.9)), burn=20)
    return scale * (series + draw(st.floats(-10, 10)))


@pytest.mark.slow
@every_combination
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_swapping_reversing_and_scaling_permute_the_atoms_or_leave_them(data, estimator, redundancy):
    pair = any_pair(data.draw)
    factor, shift = data.draw(st.floats(0.01, 100)), data.draw(st.floats(-5, 5)) * np.abs(pair).max()
    turned = np.stack([pair, pair[::-1], pair[:, ::-1], factor * pair + shift])
    forward, swapped, backward, scaled = decompose(turned, estimator, redundancy).unit_prompt[:, 0]
    tolerance = 1e-9
    np.testing.assert_allclose(
        swapped, forward[[A[name.translate(str.maketrans("xy", "yx"))] for name in ATOMS]], atol=tolerance
    )
    np.testing.assert_allclose(backward, forward[[A[name[::-1]] for name in ATOMS]], atol=tolerance)
    np.testing.assert_allclose(scaled, forward, atol=1e-7)
    np.testing.assert_allclose(local_pair(*pair, estimator, redundancy).atoms.mean(axis=0), forward, atol=tolerance)


@pytest.mark.slow
@every_combination
def test_spread_is_the_standard_deviation_over_prompts(series, estimator, redundancy):
    found = decompose(series[:, :2], estimator, redundancy)
    # With two units the unit's values are its only pair's.
    per_prompt = found.unit_prompt[:, 0]
    values = np.stack([per_prompt[:, A["sts"]], per_prompt[:, A["rtr"]], per_prompt.sum(axis=1)])
    np.testing.assert_allclose(found.spread[0], values.std(axis=1, ddof=1), atol=1e-9)
    assert np.isnan(decompose(series[:1, :2], estimator, redundancy).spread).all()


@pytest.mark.slow
@every_combination
def test_one_pooled_prompt_is_that_prompt(series, estimator, redundancy):
    mean, pooled = (decompose(series[:1], estimator, redundancy, pool=pool) for pool in ("mean", "pooled"))
    np.testing.assert_allclose(pooled.mean, mean.mean, atol=1e-9)
    np.testing.assert_allclose(pooled.unit, mean.unit, atol=1e-9)


@pytest.mark.slow
def test_pooled_gaussian_prompts_have_the_correlations_averaged_by_length(series):
    windows = [
        np.concatenate([one[:2, : n - 1], one[:2, 1:n]]) for one, n in zip(series, (60, 41, 60, 60, 60), strict=True)
    ]
    corr = np.average([np.corrcoef(one) for one in windows], axis=0, weights=[one.shape[1] for one in windows])
    det = np.linalg.det
    for redundancy in ("mmi", "ccs"):
        found = decompose(series, redundancy=redundancy, pool="pooled")
        tdmi = 0.5 * np.log(det(corr[:2, :2]) * det(corr[2:, 2:]) / det(corr))
        assert found.mean[0].sum() == pytest.approx(tdmi, abs=1e-12)
        own = -0.5 * np.log(1 - corr[0, 2] ** 2)
        below = [A[name] for name in ("rtr", "rtx", "xtr", "xtx")]
        assert found.mean[0, below].sum() == pytest.approx(own, abs=1e-12)
        assert found.valid_prompts.tolist() == [5] * 6
        assert found.unit_prompt.shape == (1, 4, 16)


@pytest.mark.slow
@pytest.mark.parametrize("redundancy", ["mmi", "ccs"])
def test_pooled_discrete_prompts_have_their_counts_added_up(series, redundancy):
    counts = np.zeros((2, 2, 2, 2))
    for one, n in zip(series, (60, 41, 60, 60, 60), strict=True):
        past, future = one[:2, : n - 1], one[:2, 1:n]
        bits = [side > side.mean(axis=1, keepdims=True) for side in (past, future)]
        np.add.at(counts, tuple(np.concatenate(bits).astype(int)), 1)
    found = decompose(series, "discrete", redundancy, pool="pooled").mean[0]
    np.testing.assert_allclose(found, decompose_joint(counts / counts.sum(), redundancy), atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("pool", ["mean", "pooled"])
def test_ill_conditioned_pairs_are_the_same_from_windows_and_from_correlations(series, monkeypatch, pool):
    """With the threshold raised every pair takes the way of the ill-conditioned."""
    from synergy_tui.phiid import engine

    # Not the near copies: of those the correlations are not good enough to compare with.
    some = np.array([[0, 1], [0, 2], [1, 2]])
    for redundancy in ("mmi", "ccs"):
        plain = decompose(series, redundancy=redundancy, pairs=some, pool=pool)
        with monkeypatch.context() as patch:
            patch.setitem(engine.CLEAR, "float64", 0.999)
            again = decompose(series, redundancy=redundancy, pairs=some, pool=pool)
        np.testing.assert_allclose(again.mean, plain.mean, atol=1e-10)
        np.testing.assert_array_equal(again.valid_prompts, plain.valid_prompts)
        for name in ("spread", "unit", "unit_prompt"):
            np.testing.assert_allclose(getattr(again, name), getattr(plain, name), atol=1e-10)


@pytest.mark.slow
def test_what_correlations_are_trusted_for_is_what_windows_give(monkeypatch):
    """Near copies and slow units of every degree: those that are trusted, and those that are not."""
    from synergy_tui.phiid import engine

    chance = np.random.default_rng(11)
    copies = ar1(chance, (6, 1, 100), 0.7) + 10.0 ** chance.uniform(-5, 0, (6, 20, 1)) * chance.normal(
        size=(6, 20, 100)
    )
    swings = np.sin(np.arange(100) * chance.uniform(0.01, 0.3, (6, 20, 1)) + chance.uniform(0, 6, (6, 20, 1)))
    series = np.concatenate([copies, swings + 1e-3 * chance.normal(size=swings.shape)], axis=1)
    plain = decompose(series)
    monkeypatch.setitem(engine.CLEAR, "float64", 0.999)
    again = decompose(series)
    np.testing.assert_array_equal(again.valid_prompts, plain.valid_prompts)
    np.testing.assert_allclose(again.mean, plain.mean, atol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize(("precision", "tolerance"), [("float64", 1e-12), ("float32", 1e-4)])
def test_products_over_prompts_and_partners_do_not_underflow(precision, tolerance):
    """Logarithms are taken of products: here of more than any number holds, of pairs that tell all but everything."""
    chance = np.random.default_rng(0)
    series = ar1(chance, (300, 1, 30), 0.98) + ar1(chance, (300, 23, 30), 0.98) * 0.7
    found = decompose(series, precision=precision)
    each = [decompose(one[None], precision=precision) for one in series]
    tdmi = np.array([one.mean.sum(axis=1) for one in each])
    smallest = np.log(np.finfo(precision).tiny)
    assert (-2 * tdmi.sum(axis=0) < smallest).any()
    assert np.abs(found.mean - np.mean([one.mean for one in each], axis=0)).max() < tolerance
    assert np.abs(found.unit_prompt - np.stack([one.unit for one in each])).max() < tolerance
    assert np.abs(found.spread[:, 2] - tdmi.std(axis=0, ddof=1)).max() < tolerance


def test_the_logarithm_is_within_one_unit_in_the_last_place():
    import jax

    from synergy_tui.phiid import logarithm

    chance = np.random.default_rng(0)
    values = [
        chance.uniform(0, 2, 100_000),
        10 ** chance.uniform(-307, 300, 100_000),
        1 + chance.normal(size=100_000) * 10 ** chance.uniform(-15, -1, 100_000),
        np.array([np.finfo(float).tiny, 0.5**0.5, 1.0, 2**0.5, np.finfo(float).max]),
    ]
    value = np.concatenate([part[part > 0] for part in values])
    with jax.enable_x64(True):
        found = np.asarray(jax.jit(logarithm.log)(value))
    exact = np.log(value.astype(np.longdouble))
    assert (np.abs(found - exact) <= np.spacing(np.abs(exact).astype(float))).all()
    assert (found[value == 1.0] == 0).all()


@pytest.mark.slow
def test_independent_units_have_no_synergy_under_ccs():
    chance = np.random.default_rng(0)
    pair = np.concatenate([ar1(chance, (1, 1, 50_000), phi) for phi in (0.9, 0.6)], axis=1)
    found = decompose(pair, redundancy="ccs")
    assert found.mean[0, A["sts"]] == pytest.approx(0, abs=0.02)
    assert found.mean[0, A["xtx"]] == pytest.approx(-0.5 * np.log(1 - 0.9**2), abs=0.03)
    assert found.offset[0] == 0


@pytest.mark.slow
@every_combination
def test_float32_is_near_and_its_result_still_float64(series, estimator, redundancy):
    some = np.array([[0, 1], [0, 2], [1, 2]])
    exact = decompose(series, estimator, redundancy, pairs=some)
    near = decompose(series, estimator, redundancy, pairs=some, precision="float32")
    assert near.mean.dtype == np.float64
    assert 0 < np.abs(near.mean - exact.mean).max() < 5e-4


def test_float32_calls_near_copies_ill_conditioned_sooner(series):
    pair = np.array([[0, 3]])
    assert decompose(series, pairs=pair).valid_prompts.tolist() == [5]
    with pytest.raises(MeasureError, match="ill-conditioned"):
        decompose(series, pairs=pair, precision="float32")


@pytest.mark.slow
def test_discrete_units_may_be_constant_or_equal(series):
    bad = series[[0, 2], :3].copy()
    bad[:, 1], bad[:, 2] = 3.0, bad[:, 0]
    found = decompose(bad, "discrete")
    assert found.mean[0, A["xtx"]] == pytest.approx(found.mean[0].sum(), abs=1e-12)
    np.testing.assert_allclose(np.delete(found.mean[0], A["xtx"]), 0, atol=1e-12)
    tdmi = found.mean[1].sum()
    assert tdmi > 0
    assert found.mean[1, A["rtr"]] == pytest.approx(tdmi)
    assert sum(found.reasons.values()) == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"redundancy": "best"}, "no 'best' among mmi, ccs"),
        ({"pool": "median"}, "no 'median' among mean, pooled"),
        ({"precision": "float16"}, "no 'float16' among float64, float32"),
    ],
)
def test_unknown_words_are_refused(series, options, said):
    with pytest.raises(UsageError, match=said):
        decompose(series, **options)


@pytest.mark.worker
def test_one_and_four_devices_give_the_same_numbers():
    """Also where one tile of the triangle is not one device's: a tile of seven units."""
    script = textwrap.dedent(
        """
        import json, numpy as np, jax
        from synergy_tui.phiid import engine, decompose, surrogates
        engine.LARGEST_TILE[("gaussian", "mmi")] = 7
        chance = np.random.default_rng(0)
        series = chance.normal(size=(6, 30, 40)).cumsum(axis=2) * 0.2 + chance.normal(size=(6, 30, 40))
        found = decompose(series)
        null = surrogates(series, draws=20)
        print(json.dumps([len(jax.local_devices()), found.mean.tolist(), found.unit_prompt.tolist(),
                          null.moments.mean.tolist()]))
        """
    )
    results = []
    for count in (1, 4):
        place = {**os.environ, "XLA_FLAGS": f"--xla_force_host_platform_device_count={count}", "JAX_PLATFORMS": "cpu"}
        got = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=place)
        results.append(json.loads(got.stdout))
    assert [one[0] for one in results] == [1, 4]
    for one, four in zip(*(result[1:] for result in results), strict=True):
        np.testing.assert_allclose(four, one, rtol=0, atol=1e-13)


# Preprocessing


def test_log_rank_normal_difference_detrend_and_drop_are_what_they_are_called(series):
    from scipy.stats import norm, rankdata

    positive = np.exp(series)
    np.testing.assert_allclose(preprocess(positive, ["log"]), series, atol=1e-12)
    ranked = preprocess(np.round(series, 1), ["rank-normal"])
    for prompt, n in ((0, 60), (1, 41)):
        expected = norm.ppf(rankdata(np.round(series[prompt, :, :n], 1), axis=1) / (n + 1))
        np.testing.assert_allclose(ranked[prompt, :, :n], expected, atol=1e-12)
        assert np.isnan(ranked[prompt, :, n:]).all()
    np.testing.assert_allclose(preprocess(series, ["difference"]), np.diff(series, axis=2))
    trend = series + 0.3 * np.arange(60)
    flat = preprocess(trend, ["detrend"])
    np.testing.assert_allclose(flat, preprocess(series, ["detrend"]), atol=1e-11)
    np.testing.assert_allclose(np.nanmean(flat, axis=2), 0, atol=1e-12)
    np.testing.assert_array_equal(preprocess(series, ["drop=7"]), series[:, :, 7:])
    np.testing.assert_array_equal(preprocess(series, []), series)


@pytest.mark.slow
def test_what_preprocessing_cannot_map_is_counted_and_never_a_number():
    chance = np.random.default_rng(0)
    series = 5 + ar1(chance, (3, 4, 40), 0.5)
    series[0, 0, 3] = 0.0
    series[1, 1] = 2 + 0.1 * np.arange(40)
    series[2, 2, 5] = np.inf
    assert decompose(preprocess(series, ["log"])).reasons == {
        "too short": 0, "not finite": 6, "constant": 0, "ill-conditioned": 0,
    }  # fmt: skip
    for word in ("detrend", "difference"):
        found = decompose(preprocess(series, [word]))
        assert found.reasons == {"too short": 0, "not finite": 3, "constant": 3, "ill-conditioned": 0}, word


@pytest.mark.slow
def test_a_block_cut_elsewhere_is_not_taken_for_this_one():
    from synergy_tui.phiid.engine import PairEngine

    engine = PairEngine(ar1(np.random.default_rng(0), (2, 9, 20), 0.5))
    (block,) = engine.blocks()
    assert engine.made_here(0, block.pairs)
    assert not engine.made_here(0, block.pairs[1:])
    assert not engine.made_here(0, block.pairs + 1)


@pytest.mark.parametrize("text", ["best", "drop", "drop=x", "log=3", "log,best", "drop=-1"])
def test_unknown_preprocessing_is_refused(text):
    with pytest.raises(UsageError, match=r"preprocessing|number of steps"):
        parse(text)


def test_words_of_preprocessing():
    assert parse("raw") == parse("") == []
    assert parse("drop=5, log,detrend") == ["drop=5", "log", "detrend"]
    with pytest.raises(UsageError, match="leaves no step"):
        preprocess(np.zeros((1, 2, 4)), ["drop=4"])
