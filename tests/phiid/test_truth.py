"""Ground truth of the Gaussian MMI decomposition: closed forms, exact arithmetic, symmetries, and what is no number."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from conftest import ar1

from synergy_tui.errors import MeasureError, UsageError
from synergy_tui.phiid import ATOMS, decompose
from synergy_tui.phiid.engine import PairEngine
from synergy_tui.phiid.result import merge

A = {name: place for place, name in enumerate(ATOMS)}


def plain_atoms(pair: np.ndarray, lag: int, number=float) -> list:
    """The sixteen atoms of one pair straight from the definition, in any arithmetic: determinants of sub-matrices of
    the correlation matrix, minima, and the Möbius inversion by the definition of the lattice."""
    n = pair.shape[1] - lag
    windows = [[number(v) for v in row] for row in (*pair[:, :n], *pair[:, lag:])]
    means = [sum(row) / n for row in windows]
    centred = [[v - mean for v in row] for row, mean in zip(windows, means, strict=True)]
    gram = [[sum(a * b for a, b in zip(left, right, strict=True)) for right in centred] for left in centred]
    sqrt, log = (mpmath.sqrt, mpmath.log) if number is mpmath.mpf else (np.sqrt, np.log)
    corr = [[gram[i][j] / sqrt(gram[i][i] * gram[j][j]) for j in range(4)] for i in range(4)]

    def det(which: tuple[int, ...]):
        rows = [[corr[i][j] for j in which] for i in which]
        return mpmath.det(mpmath.matrix(rows)) if number is mpmath.mpf else np.linalg.det(np.array(rows))

    def information(past: tuple[int, ...], future: tuple[int, ...]):
        return log(det(past) * det(future) / det(past + future)) / 2

    # A node's sources: r = {x}{y}, x, y, s = {xy}; the redundancy is the least information any source gives.
    past = {"r": [(0,), (1,)], "x": [(0,)], "y": [(1,)], "s": [(0, 1)]}
    future = {"r": [(2,), (3,)], "x": [(2,)], "y": [(3,)], "s": [(2, 3)]}
    cumulative = {(a, b): min(information(p, f) for p in past[a] for f in future[b]) for a in "rxys" for b in "rxys"}
    below = {"r": "r", "x": "rx", "y": "ry", "s": "rxys"}
    atoms: dict[tuple[str, str], object] = {}
    for a in "rxys":
        for b in "rxys":
            under = [(p, q) for p in below[a] for q in below[b] if (p, q) != (a, b)]
            atoms[a, b] = cumulative[a, b] - sum(atoms[key] for key in under)
    return [atoms[a, b] for a in "rxys" for b in "rxys"]


@pytest.fixture(scope="module")
def coupled() -> np.ndarray:
    chance = np.random.default_rng(3)
    driver = ar1(chance, (6, 1, 80), 0.5)
    return ar1(chance, (6, 9, 80), 0.7) + 0.8 * driver


@pytest.mark.slow
@pytest.mark.parametrize("lag", [1, 2, 5])
def test_every_pair_is_the_mean_over_prompts_of_the_definition(coupled, lag):
    found = decompose(coupled, lag=lag)
    assert len(found.pairs) == 36
    for row in (0, 17, 35):
        i, j = found.pairs[row]
        expected = np.mean([plain_atoms(prompt[[i, j]], lag) for prompt in coupled], axis=0)
        np.testing.assert_allclose(found.mean[row], expected, atol=1e-11)


def test_atoms_sum_to_the_tdmi(coupled):
    found = decompose(coupled[:1])
    for (i, j), atoms in zip(found.pairs[:5], found.mean[:5], strict=True):
        corr = np.corrcoef(np.concatenate([coupled[0][[i, j], :-1], coupled[0][[i, j], 1:]]))
        det = np.linalg.det
        tdmi = 0.5 * np.log(det(corr[:2, :2]) * det(corr[2:, 2:]) / det(corr))
        assert atoms.sum() == pytest.approx(tdmi, abs=1e-12)


def test_swapping_the_units_swaps_x_and_y(coupled):
    one, two = decompose(coupled[:, [0, 1]]).mean[0], decompose(coupled[:, [1, 0]]).mean[0]
    swapped = [A[name.translate(str.maketrans("xy", "yx"))] for name in ATOMS]
    np.testing.assert_allclose(two, one[swapped], atol=1e-12)


def test_reversing_time_swaps_past_and_future(coupled):
    forward, backward = decompose(coupled).mean, decompose(coupled[:, :, ::-1]).mean
    np.testing.assert_allclose(backward, forward[:, [A[name[::-1]] for name in ATOMS]], atol=1e-12)


@pytest.mark.parametrize(("scale", "shift"), [(1e-9, 0.0), (1e9, 0.0), (3.7, -12.0), (1e160, 0.0), (1e-160, 0.0)])
def test_scale_and_shift_change_nothing(coupled, scale, shift):
    np.testing.assert_allclose(decompose(coupled * scale + shift).mean, decompose(coupled).mean, atol=1e-11)


@pytest.mark.slow
def test_independent_ar_has_synergy_of_twice_the_smaller_ais():
    phi_x, phi_y, steps = 0.9, 0.6, 400_000
    chance = np.random.default_rng(0)
    pair = np.concatenate([ar1(chance, (1, 1, steps), phi_x), ar1(chance, (1, 1, steps), phi_y)], axis=1)
    ais_x, ais_y = (-0.5 * np.log(1 - phi**2) for phi in (phi_x, phi_y))
    m = min(ais_x, ais_y)
    expected = dict.fromkeys(ATOMS, 0.0)
    expected |= {"xtx": ais_x, "yty": ais_y, "rts": m, "str": m, "sts": 2 * m}
    expected |= dict.fromkeys(("xts", "yts", "stx", "sty"), -m)
    found = decompose(pair)
    np.testing.assert_allclose(found.mean[0], [expected[name] for name in ATOMS], atol=0.01)
    assert found.offset[0] == pytest.approx(2 * m, abs=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("noise", [3e-2, 3e-3, 3e-4, 6e-5])
def test_ill_conditioned_pairs_agree_with_50_digits(noise):
    """Near copies down to an eigenvalue ratio of about 1e-9."""
    chance = np.random.default_rng(7)
    x = ar1(chance, (60,), 0.5)
    pair = np.stack([x, x + noise * chance.normal(size=60)])
    corr = np.corrcoef(np.concatenate([pair[:, :-1], pair[:, 1:]]))
    ratio = np.linalg.eigvalsh(corr)[[0, -1]]
    tolerance = 1e-9 if ratio[0] / ratio[1] >= 1e-7 else 1e-8
    with mpmath.workdps(50):
        exact = [float(atom) for atom in plain_atoms(pair, 1, mpmath.mpf)]
    np.testing.assert_allclose(decompose(pair[None]).mean[0], exact, rtol=0, atol=tolerance)


@pytest.mark.slow
@pytest.mark.parametrize("width", [60, 120])
def test_slow_units_keep_their_digits_in_correlations(width, monkeypatch):
    """Each unit's past all but tells its future, so det R is tiny, and no variance has lost its digits: such pairs, as
    those of random weights are, need not be made again from their windows."""
    from synergy_tui.phiid.engine import PairEngine

    pair = np.random.default_rng(2).normal(size=(2, 160 + 3 * width))
    for _ in range(3):
        pair = np.apply_along_axis(np.convolve, 1, pair, np.ones(width), "valid")
    corr = np.corrcoef(np.concatenate([pair[:, :-1], pair[:, 1:]]))
    assert np.linalg.det(corr) < 3e-8

    def never(*_):
        raise AssertionError("made again")

    monkeypatch.setattr(PairEngine, "_recompute_ill", never)
    with mpmath.workdps(50):
        exact = [float(atom) for atom in plain_atoms(pair, 1, mpmath.mpf)]
    np.testing.assert_allclose(decompose(pair[None]).mean[0], exact, rtol=0, atol=1e-9)


@pytest.mark.slow
def test_equal_copies_are_no_number_and_are_counted():
    x = ar1(np.random.default_rng(0), (2, 3, 50), 0.4)
    x[:, 1] = x[:, 0]
    found = decompose(x)
    assert np.isnan(found.mean[0]).all()
    assert np.isfinite(found.mean[1:]).all()
    assert found.valid_prompts.tolist() == [0, 2, 2]
    assert found.reasons["ill-conditioned"] == 2


@pytest.mark.slow
def test_a_pair_is_left_out_for_the_prompts_in_which_it_has_no_value():
    x = ar1(np.random.default_rng(1), (4, 3, 40), 0.5)
    whole = decompose(x[1:])
    x[0, 2] = 5.0
    found = decompose(x)
    assert found.valid_prompts.tolist() == [4, 3, 3]
    assert found.reasons == {"too short": 0, "not finite": 0, "constant": 2, "ill-conditioned": 0}
    np.testing.assert_allclose(found.mean[1:], whole.mean[1:], atol=1e-13)
    assert np.isnan(found.unit_prompt[0, 2]).all()


@pytest.mark.slow
def test_responses_of_different_length_are_windows_of_their_own_length():
    x = ar1(np.random.default_rng(2), (3, 4, 60), 0.5)
    x[1, :, 33:] = np.nan
    expected = (decompose(x[[0, 2]]).mean * 2 + decompose(x[1:2, :, :33]).mean) / 3
    np.testing.assert_allclose(decompose(x).mean, expected, atol=1e-13)


@pytest.mark.slow
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_makes_its_unit_invalid(bad):
    x = ar1(np.random.default_rng(2), (2, 3, 30), 0.5)
    x[1, 0, 4] = bad
    found = decompose(x)
    assert found.valid_prompts.tolist() == [1, 1, 2]
    assert found.reasons["not finite"] == 2


def test_too_short_responses_are_counted_and_alone_are_an_error():
    x = ar1(np.random.default_rng(2), (2, 3, 30), 0.5)
    x[0, :, 5:] = np.nan
    assert decompose(x).reasons["too short"] == 3
    with pytest.raises(MeasureError, match="too short"):
        decompose(x[:1])


def test_unit_values_are_means_over_all_partners_with_the_unit_as_x():
    x = ar1(np.random.default_rng(4), (2, 5, 50), 0.6)
    found = decompose(x)
    for unit in (0, 2, 4):
        for prompt in range(2):
            partners = [other for other in range(5) if other != unit]
            expected = np.mean([plain_atoms(x[prompt][[unit, other]], 1) for other in partners], axis=0)
            np.testing.assert_allclose(found.unit_prompt[prompt, unit], expected, atol=1e-11)


def test_balance_and_offset_of_units_follow_their_definition():
    x = ar1(np.random.default_rng(5), (3, 4, 40), 0.6)
    found = decompose(x)
    ratios, offsets = [], []
    for other in (1, 2, 3):
        atoms = plain_atoms(x[0][[0, other]], 1)
        sts, rtr = atoms[A["sts"]], atoms[A["rtr"]]
        if sts + rtr > 0:
            ratios.append(sts / (sts + rtr))
        self_information = [
            -0.5 * np.log(1 - np.corrcoef(x[0, unit, :-1], x[0, unit, 1:])[0, 1] ** 2) for unit in (0, other)
        ]
        offsets.append(2 * min(self_information))
    assert found.unit_balance[0, 0] == pytest.approx(np.mean(ratios), abs=1e-12)
    assert found.unit_prompt_offset[0, 0] == pytest.approx(np.mean(offsets), abs=1e-12)


@pytest.mark.slow
def test_many_tiles_and_blocks_give_what_one_tile_gives(monkeypatch):
    from synergy_tui.phiid import engine

    x = ar1(np.random.default_rng(6), (3, 23, 40), 0.6)
    x[0, 7] = 1.0
    x[1, 9] = x[1, 20]
    whole = decompose(x)
    monkeypatch.setitem(engine.LARGEST_TILE, ("gaussian", "mmi"), 5)
    monkeypatch.setattr(engine, "PAIRS_PER_BLOCK", 60)
    monkeypatch.setattr(engine, "PAIRS_PER_UNIT", 1)
    tiled = PairEngine(x)
    assert len(tiled) > 2
    parts = merge([tiled.block(number) for number in range(len(tiled))])
    np.testing.assert_array_equal(parts.pairs, whole.pairs)
    assert parts.pairs.tolist() == [[i, j] for i in range(23) for j in range(i + 1, 23)]
    for name in ("mean", "spread", "offset", "unit", "unit_offset", "unit_prompt", "unit_balance"):
        np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), atol=1e-12, err_msg=name)
    assert parts.reasons == whole.reasons
    np.testing.assert_array_equal(parts.reason, whole.reason)


@pytest.mark.slow
def test_chosen_pairs_are_the_same_as_among_all():
    x = ar1(np.random.default_rng(8), (2, 6, 40), 0.6)
    whole = decompose(x)
    some = decompose(x, pairs=whole.pairs[[2, 7]])
    np.testing.assert_array_equal(some.pairs, whole.pairs[[2, 7]])
    np.testing.assert_allclose(some.mean, whole.mean[[2, 7]], atol=1e-13)


@pytest.mark.parametrize(
    ("series", "options", "said"),
    [
        (np.zeros((3, 4)), {}, r"\[prompts, units, steps\]"),
        (np.zeros((2, 1, 30)), {}, "no pairs"),
        (np.zeros((2, 3, 30)), {"lag": 30}, "leaves no window"),
        (np.zeros((2, 3, 30)), {"lag": 0}, "lag 0"),
        (np.zeros((2, 3, 30)), {"estimator": "kraskov"}, "no 'kraskov' among gaussian, discrete"),
        (np.ones((2, 3, 30)), {"pairs": np.array([[1, 0]])}, "i < j"),
        (np.array([[["a"] * 9] * 2]), {}, "of numbers"),
    ],
)
def test_what_cannot_be_decomposed_is_refused_with_the_reason(series, options, said):
    with pytest.raises(UsageError, match=said):
        decompose(series, **options)


def test_constant_series_have_no_valid_pair():
    with pytest.raises(MeasureError, match="constant"):
        decompose(np.ones((2, 3, 30)))


@pytest.mark.slow
def test_the_callers_jax_settings_stay_as_they_are():
    import jax

    before = jax.config.jax_enable_x64
    decompose(ar1(np.random.default_rng(0), (1, 2, 30), 0.3))
    assert jax.config.jax_enable_x64 == before
