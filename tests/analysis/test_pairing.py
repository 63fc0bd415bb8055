"""Differences of contrasts that are paired over prompts, against what is known of them."""

from __future__ import annotations

import numpy as np
import pytest

from synergy_tui.analysis import claims, pairing


def runs(prompts: int = 16, layers: int = 9, per_layer: int = 4, seed: int = 0) -> np.ndarray:
    """Unit values of prompts [prompts, units, 5]: synergy with a hump over depth, and much that prompts share."""
    chance = np.random.default_rng(seed)
    hump = np.sin(np.pi * (np.arange(layers) + 0.5) / layers).repeat(per_layer)
    sts = 1 + hump + 0.6 * chance.normal(size=(prompts, 1)) + 0.6 * chance.normal(size=(prompts, layers * per_layer))
    rtr = np.ones_like(sts)
    return np.stack([sts, rtr, sts + rtr + 1, sts / (sts + rtr), 0.1 * rtr], axis=-1)


def test_a_run_does_not_differ_from_itself():
    one = runs()
    assert pairing.over_prompts(one, one, (9, 9), "rank-difference") == pytest.approx((0, 0, 0))


def test_the_difference_is_that_of_the_contrasts_and_what_prompts_share_goes_out():
    one, layers = runs(), (9, 9)
    other = one.copy()
    other[..., 0] = one[..., 0].mean() + 0.3 * (one[..., 0] - one[..., 0].mean())
    own, its = (pairing.contrast(side.mean(axis=0)[None], 9, "difference")[0] for side in (one, runs(seed=1)))
    value, low, high = pairing.over_prompts(one, runs(seed=1), layers, "difference")
    assert value == pytest.approx(own - its)
    assert low < value < high
    # The same prompts with a little noise: the paired interval is narrower than that of other prompts.
    noisy = one + 0.05 * np.random.default_rng(3).normal(size=one.shape)
    _, near_low, near_high = pairing.over_prompts(one, noisy, layers, "difference")
    assert near_high - near_low < 0.5 * (high - low)


def test_intervals_hold_a_difference_that_is_none():
    held = 0
    for seed in range(60):
        _, low, high = pairing.over_prompts(runs(seed=seed), runs(seed=1000 + seed), (9, 9), "difference", seed)
        held += low <= 0 <= high
    assert held >= 52


def test_without_prompts_there_is_no_interval():
    one = runs(prompts=1)
    value, low, high = pairing.over_prompts(one, one, (9, 9), "difference")
    assert value == 0
    assert np.isnan([low, high]).all()
    assert np.isnan(pairing.over_prompts(one[:0], one[:0], (9, 9), "difference")).all()
    assert np.isnan(pairing.over_prompts(one, one, (9, 9), "z")).all()


def test_random_initialisations_are_compared_as_in_c5():
    controls = np.array([0.1, 0.0, -0.05, 0.12])
    value, low, high = pairing.over_initialisations(0.5, controls.tolist())
    assert value == pytest.approx(0.5 - controls.mean())
    assert (low, high) == pytest.approx(claims._beyond(0.5, controls))
    assert np.isnan(pairing.over_initialisations(0.5, [0.1])[1:]).all()
