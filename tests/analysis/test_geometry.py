"""Dimension and alignment on data whose dimension and alignment are known; coincidence of profiles."""

from __future__ import annotations

import numpy as np
import pytest

from synergy_tui.analysis import geometry
from synergy_tui.analysis.coincidence import coincidence
from synergy_tui.bench.geometry import profiles

ALONE = np.arange(1200)


def embedded(places: np.ndarray) -> np.ndarray:
    """Points in 100 dimensions, at the same distances."""
    axes = np.linalg.qr(np.random.default_rng(1).standard_normal((100, places.shape[1])))[0]
    return places @ axes.T


def cube(d: int, points: int = 1200) -> np.ndarray:
    return embedded(np.random.default_rng(2).uniform(size=(points, d)))


def curve(states: np.ndarray, of: np.ndarray = ALONE) -> dict[int, float]:
    found = geometry.neighbours(states, of)
    return {n: geometry.gride(found, n) for n in geometry.scales(of)}


@pytest.mark.parametrize(("d", "low"), [(2, 1.9), (5, 4.4), (10, 8.0)])
def test_the_dimension_of_a_cube_is_found(d: int, low: float) -> None:
    """Its border takes some off, the more the larger d is: as in the published estimators."""
    found = curve(cube(d))
    assert low < found[2] < 1.08 * d
    assert found[64] < found[2]


def test_a_roll_has_two_dimensions_though_it_fills_three() -> None:
    place = np.random.default_rng(3).uniform(size=(1200, 2))
    turn = 1.5 * np.pi * (1 + 2 * place[:, 0])
    found = curve(embedded(np.stack([turn * np.cos(turn), 21 * place[:, 1], turn * np.sin(turn)], axis=1)))
    assert all(1.8 < found[n] < 2.2 for n in (1, 2, 4, 8, 16))


def test_noise_is_seen_at_small_scales_alone_and_the_scale_is_chosen_beyond_it() -> None:
    noisy = cube(2) + 0.004 * np.random.default_rng(4).standard_normal((1200, 100))
    found = curve(noisy)
    assert found[1] > 10
    assert found[64] < 3
    assert list(found.values()) == sorted(found.values(), reverse=True)
    curves = np.array([list(found.values())])
    assert geometry.plateau(curves, tuple(found)) >= 32
    assert geometry.plateau(np.array([list(curve(cube(2)).values())]), tuple(found)) == 1


def test_the_likelihood_at_one_neighbour_is_twonn() -> None:
    ratio = np.random.default_rng(5).exponential(1 / 7, 5000)  # log μ of TwoNN in seven dimensions
    assert geometry.likeliest(ratio, 1) == pytest.approx(7, rel=0.05)
    near = np.random.default_rng(6).beta(8, 8, 5000)  # μ^−d of GRIDE at n = 8
    assert geometry.likeliest(-np.log(near) / 7, 8) == pytest.approx(7, rel=0.02)


def test_neighbours_in_time_are_no_neighbours() -> None:
    """Slow paths in five dimensions: their own steps alone would say one dimension."""
    chance = np.random.default_rng(7)
    along = 0.05 * np.sort(chance.uniform(size=(30, 40)))[..., None]
    paths = chance.uniform(size=(30, 1, 5)) + along * chance.standard_normal((30, 1, 5))
    states, of = embedded(paths.reshape(-1, 5)), np.repeat(np.arange(30), 40)
    assert curve(states, np.arange(len(states)))[1] < 1.5
    assert curve(states, of)[1] > 3
    found = geometry.neighbours(states, of)
    assert not (found.prompt[:, :80] == of[:, None])[np.isfinite(found.squared[:, :80])].any()


def test_a_world_without_a_prompt_is_that_of_the_others() -> None:
    states, of = cube(5, 600), np.repeat(np.arange(20), 30)
    found, stay = geometry.neighbours(states, of), of != 3
    again = geometry.neighbours(states[stay], of[stay])
    for n in (1, 8, 16):
        assert geometry.gride(found, n, without=3) == pytest.approx(geometry.gride(again, n), rel=1e-9)
    # An id that is not a place, and prompts in another order, change nothing.
    assert geometry.gride(geometry.neighbours(states, 7 * of + 2), 4) == geometry.gride(found, 4)


def test_states_that_are_the_same_have_no_dimension() -> None:
    states = np.repeat(cube(3, 200), 2, axis=0)
    assert np.isnan(geometry.gride(geometry.neighbours(states, np.arange(400)), 1))
    assert np.isnan(geometry.gride(geometry.neighbours(states, np.zeros(400, int)), 1))


def test_tokens_are_spread_over_prompts_and_the_same_again() -> None:
    chosen = geometry.choose([100, 3, 50, 100], 120, 5)
    assert [len(one) for one in chosen] == [39, 3, 39, 39]
    assert all(
        (np.diff(one) > 0).all() and one.max() < length for one, length in zip(chosen, (100, 3, 50, 100), strict=True)
    )
    assert all(
        (one == other).all() for one, other in zip(chosen, geometry.choose([100, 3, 50, 100], 120, 5), strict=True)
    )
    assert [len(one) for one in geometry.choose([4, 2], 100, 0)] == [4, 2]
    assert any(
        (one != other).any() for one, other in zip(chosen, geometry.choose([100, 3, 50, 100], 120, 6), strict=True)
    )


def test_alignment_is_one_of_what_is_turned_and_nought_of_what_is_not_shared() -> None:
    chance = np.random.default_rng(8)
    one = chance.standard_normal((48, 576))
    turned = 3 * one @ np.linalg.qr(chance.standard_normal((576, 576)))[0] + 5
    assert geometry.similarity(one, turned) == pytest.approx(1)
    alone = [geometry.similarity(one, chance.standard_normal((48, 300))) for _ in range(200)]
    # Without the correction it would be above 0.9: 48 items in 576 dimensions.
    assert abs(np.mean(alone)) < 3 * np.std(alone) / 200**0.5
    first, second = geometry.centred(one), geometry.centred(chance.standard_normal((48, 300)))
    assert first.sum(axis=0) == pytest.approx(np.zeros(48), abs=1e-9)
    assert geometry.permuted([first], [second], 0, 500).mean() == pytest.approx(0, abs=0.01)
    with pytest.raises(ValueError, match="four"):
        geometry.centred(one[:3])


def test_p_of_the_permutations_is_uniform_where_nothing_is_shared() -> None:
    chance, p = np.random.default_rng(9), []
    for place in range(300):
        one, other = (geometry.centred(chance.standard_normal((24, 6))) for _ in range(2))
        p.append(geometry.above(geometry.cka(one, other), geometry.permuted([one], [other], place, 99)[:, 0]))
    assert 0.02 <= np.mean(np.array(p) <= 0.05) <= 0.09
    assert 0.42 <= np.mean(np.array(p) <= 0.5) <= 0.58


def test_the_jackknife_gives_the_interval_of_a_mean() -> None:
    values = np.random.default_rng(10).standard_normal(25)
    without = np.array([np.delete(values, one).mean() for one in range(25)])
    low, high = geometry.interval(values.mean(), without)
    assert (high - low) / 2 == pytest.approx(2.0639 * values.std(ddof=1) / 5, rel=1e-4)
    assert np.isnan(geometry.interval(1.0, np.ones(1))).all()


def test_smooth_profiles_of_their_own_do_not_coincide_and_the_same_shape_does() -> None:
    chance = np.random.default_rng(11)
    draws = profiles(chance, 30)
    for name in ("smooth over 0.3", "walk"):
        found = [coincidence(draws[name](), draws[name]()) for _ in range(25)]
        assert sum(one.p < 0.02 for one in found) <= 2
        assert np.median([abs(one.r) for one in found]) > 0.25  # which a test of independent layers would call found
    shape = draws["smooth over 0.3"]()
    near = coincidence(shape, -shape + 0.05 * shape.std() * chance.standard_normal(30))
    assert near.p < 0.02
    assert near.r < -0.9
    assert np.isnan(coincidence(np.arange(5.0), np.arange(5.0)).p)
    assert np.isnan(coincidence(np.ones(30), shape).p)


def test_dadapy_agrees() -> None:
    data = pytest.importorskip("dadapy").Data(cube(5))
    data.compute_distances(maxk=129)
    theirs = data.return_id_scaling_gride(range_max=128)[0]
    found = curve(cube(5))
    assert [found[n] for n in (1, 2, 4, 8, 16, 32, 64)] == pytest.approx(list(theirs)[:7], rel=1e-3)
