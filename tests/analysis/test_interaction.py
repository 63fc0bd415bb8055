"""Interaction of pairs under removal where it is known, and intervals that hold what they promise."""

import numpy as np
import pytest

from synergy_tui.analysis.importance import NOTHING, Estimate
from synergy_tui.analysis.interaction import against_controls, goes_with, interaction, verdict


def test_costs_that_add_up_do_not_interact():
    first, second = np.random.default_rng(0).random((2, 5, 4))
    np.testing.assert_allclose(interaction(first + second, first, second), 0, atol=1e-15)


def test_units_that_stand_in_for_each_other_and_units_that_need_each_other():
    """Known distributions: a bit that is told as long as one of two copies is left costs ln 2 without both, and nothing
    without one; a parity of two units is lost without either, and the second removal costs nothing more."""
    bit = np.log(2.0)
    copies = interaction(np.array([[bit]]), np.array([[0.0]]), np.array([[0.0]]))
    assert copies.item() == pytest.approx(bit)
    parity = interaction(np.array([[bit]]), np.array([[bit]]), np.array([[bit]]))
    assert parity.item() == pytest.approx(-bit)


def test_small_changes_of_logits_interact_by_their_inner_product():
    """KL is ½ δᵀFδ with F = diag(p) − ppᵀ, so that what two changes cost beyond each alone is δᵢᵀFδⱼ, and within
    ±2√(KL(i)·KL(j)): why controls are matched by the roots of their costs."""
    chance = np.random.default_rng(1)
    logits, one, other = chance.normal(size=(3, 50))
    p = np.exp(logits) / np.exp(logits).sum()
    fisher = np.diag(p) - np.outer(p, p)

    def cost(change: np.ndarray) -> float:
        moved = logits + change
        return float(p @ (logits - moved) + np.log(np.exp(moved).sum()) - np.log(np.exp(logits).sum()))

    small = 1e-3
    i, j, both = cost(small * one), cost(small * other), cost(small * (one + other))
    found = interaction(np.array([[both]]), np.array([[i]]), np.array([[j]])).item()
    assert found == pytest.approx(small**2 * one @ fisher @ other, rel=0.02)
    assert abs(found) <= 2 * np.sqrt(i * j) * 1.01


def test_what_overflowed_is_missing():
    found = interaction(np.array([[np.inf, 1.0]]), np.array([[np.inf, 0.5]]), np.array([[0.0, 0.25]]))
    assert np.isnan(found[0, 0])
    assert found[0, 1] == 0.25
    difference, matched = against_controls(np.vstack([found, [[1.0, 2.0]]]), np.zeros((2, 2)))
    assert (difference.value, matched) == (1.5, 1)


def test_a_score_that_orders_interactions_is_found_and_depth_is_taken_out():
    chance = np.random.default_rng(2)
    score, prompts = np.arange(40.0), 8
    layers = np.stack([np.arange(40) // 10, np.arange(40) // 10 + 1], axis=1)
    noise = 0.01 * chance.normal(size=(40, prompts))
    whole, within, known = goes_with(score[:, None] + noise, score, layers)
    assert known == 40
    assert whole.value == pytest.approx(1)
    assert within.value == pytest.approx(1)
    # By depth alone: within the same layers nothing is left.
    whole, within, _ = goes_with(layers[:, :1] + noise, score, layers)
    assert whole.low > 0.8
    assert within.low < 0 < within.high
    few, _, known = goes_with(noise[:2], score[:2], layers[:2])
    assert (known, few) == (2, NOTHING)
    score[5:] = np.nan
    assert goes_with(noise, score, layers)[2] == 5


@pytest.mark.parametrize("spread", [(0.0, 1.0, 0.3), (1.0, 0.0, 0.3), (1.0, 1.0, 1.0), (0.0, 0.0, 1.0)])
def test_the_interval_of_the_difference_holds_pairs_and_prompts(spread):
    """Effects of pairs, of prompts and of both together, of known sizes: 95 % of intervals hold the true mean."""
    chance = np.random.default_rng(3)
    pairs, prompts, held = 12, 8, []
    for _ in range(400):
        made = spread[0] * chance.normal(size=(pairs, 1)) + spread[1] * chance.normal(size=(1, prompts))
        made = 0.2 + made + spread[2] * chance.normal(size=(pairs, prompts))
        found, matched = against_controls(made + 5.0, np.full_like(made, 5.0))
        assert matched == pairs
        held.append(found.low <= 0.2 <= found.high)
    assert 0.92 <= np.mean(held) <= 1.0


def test_what_the_difference_says():
    assert verdict(Estimate(0.2, 0.1, 0.3)) == "above"
    assert verdict(Estimate(-0.2, -0.3, -0.1)) == "below"
    assert verdict(Estimate(0.1, -0.1, 0.3)) == "undecided"
    assert "needs two pairs and two prompts" in verdict(against_controls(np.ones((1, 5)), np.zeros((1, 5)))[0])
    assert against_controls(np.ones((0, 5)), np.zeros((0, 5))) == (NOTHING, 0)
