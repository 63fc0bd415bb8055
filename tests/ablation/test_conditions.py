"""The conditions of an ablation: which units are removed together, and that the draws stay what they were."""

import subprocess
import sys

import numpy as np
import pytest

from synergy_tui.ablation.condition import Condition, answered
from synergy_tui.ablation.conditions import conditions as every_condition
from synergy_tui.ablation.conditions import shares_of
from synergy_tui.terms import RANKINGS, REMOVAL_ORDERS

LAYER_OF = {0: 0, 1: 0, 2: 0, 4: 1, 5: 1, 6: 1, 7: 1, 8: 2, 9: 2, 11: 2}
"""Unit number → layer: four places per layer, of which 3 and 10 are empty."""


def values() -> dict[str, np.ndarray]:
    made = {name: np.random.default_rng(n).normal(size=12) for n, name in enumerate(RANKINGS)}
    made["rank-difference"][[5, 9]] = np.nan
    return made


def conditions(*orders: str, marked: tuple[int, ...] = (), seeds: int = 2):
    return every_condition(orders, values(), RANKINGS[0], LAYER_OF, seeds, 7, [0.2, 0.5], marked)


EXPECTED = {
    "synergy-first-0.2": (6, 7),
    "synergy-first-0.5": (6, 7, 2, 0, 11),
    "random-7-0.2": (0, 8),
    "random-7-0.5": (0, 8, 1, 4, 7),
    "random-8-0.2": (0, 8),
    "random-8-0.5": (0, 8, 4, 7, 11),
    "layer-matched-synergy-first-7-0.2": (7, 4),
    "layer-matched-synergy-first-7-0.5": (7, 4, 2, 1, 11),
    "layer-matched-synergy-first-8-0.2": (4, 6),
    "layer-matched-synergy-first-8-0.5": (4, 6, 0, 1, 11),
}
"""Units by shard, as drawn by the release that first measured them."""


def test_the_draws_of_controls_are_those_of_version_1():
    found = {one.shard: one.units for one in conditions("synergy-first", "random", "layer-matched")}
    assert found == EXPECTED


def test_every_order_is_planned_at_its_fractions_and_sweeps_take_each_unit_and_layer_once():
    found = conditions(*REMOVAL_ORDERS, marked=(1, 8))
    assert len({one.shard for one in found}) == len(found)
    assert [one.units for one in found if one.order == "single-units"] == [(unit,) for unit in LAYER_OF]
    layers = {one.place: set(one.units) for one in found if one.order == "whole-layers"}
    assert layers == {layer: {u for u, at in LAYER_OF.items() if at == layer} for layer in range(3)}
    (whole,) = (one for one in found if one.order == "marked" and one.fraction == 0.2)
    assert set(whole.units) == {1, 8}


def test_layer_matched_controls_keep_the_counts_of_their_target():
    found = conditions("synergy-first", "layer-matched", seeds=5)
    targets = {one.fraction: one.units for one in found if one.order == "synergy-first"}
    controls = [one for one in found if one.order == "layer-matched"]
    assert len(controls) == 10
    for one in controls:
        assert sorted(LAYER_OF[u] for u in one.units) == sorted(LAYER_OF[u] for u in targets[one.fraction])


@pytest.mark.parametrize(
    ("order", "target", "marked", "shares", "at"),
    [
        ("synergy-first", None, 0.0, [0.1, 0.3, 0.5], 0.3),
        ("random", None, 0.2, [0.1, 0.2, 0.3, 0.5], 0.2),
        ("marked", None, 0.2, [0.1, 0.2], 0.2),
        ("layer-matched", "marked", 0.2, [0.1, 0.2], 0.2),
    ],
)
def test_a_marked_set_is_measured_whole_and_not_beyond(order, target, marked, shares, at):
    assert shares_of(order, target, [0.1, 0.3, 0.5], marked) == shares
    made = [Condition(order, target, None, share, (0,)) for share in shares]
    assert [one.fraction for one in answered(made)] == [at]


@pytest.mark.worker
def test_a_planner_can_import_it_without_scipy_torch_or_jax():
    code = """import sys, synergy_tui.ablation.conditions, synergy_tui.jobs.rankings
print([one for one in ("scipy", "torch", "jax", "transformers") if one in sys.modules])"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
