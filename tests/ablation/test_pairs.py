"""Control pairs: of the same layers, middling, and of the same costs as far as there are any."""

import numpy as np

from synergy_tui.ablation.condition import Condition
from synergy_tui.ablation.pairs import controls

LAYERS = np.repeat([0, 1, 2], 4)
PAIRS = np.stack(np.triu_indices(12, 1), axis=1)


def _score(**values: float) -> np.ndarray:
    """0 for every pair but those named x_y."""
    out = np.zeros(len(PAIRS))
    for name, value in values.items():
        x, y = map(int, name.strip("p").split("_"))
        out[(PAIRS[:, 0] == x) & (PAIRS[:, 1] == y)] = value
    return out


def test_the_control_has_the_layers_and_the_costs_of_its_pair():
    alone = np.full(12, 1.0)
    alone[[0, 5]] = 0.04, 0.09
    alone[[2, 7]] = 0.041, 0.091  # in layers 0 and 1, as 0 and 5 are
    alone[[8, 9]] = 0.04, 0.09  # in another layer
    # One that has a unit of the pair itself has a cost in common with it.
    assert controls([(0, 5)], {(0, 5)}, PAIRS, _score(p0_5=1.0), LAYERS, alone) == [(0, 7)]
    used = {(0, 5), *((0, y) for y in range(12)), *((x, 5) for x in range(12))}
    assert controls([(0, 5)], used, PAIRS, _score(p0_5=1.0), LAYERS, alone) == [(2, 7)]


def test_within_a_layer_either_unit_stands_for_either():
    alone = np.array([0.01, 4.0, 4.0, 0.01, *[1.0] * 8])
    assert controls([(0, 1)], {(0, 1)}, PAIRS, _score(p0_1=1.0), LAYERS, alone) == [(0, 2)]
    assert controls([(0, 1)], {(0, 1), (0, 2), (1, 3)}, PAIRS, _score(p0_1=1.0), LAYERS, alone) == [(2, 3)]


def test_strong_weak_and_chosen_pairs_are_no_controls_and_each_is_one_only_once():
    alone = np.ones(12)
    score = _score(p0_4=9.0, p0_5=8.0, p0_6=7.0, p0_7=6.0, p1_4=-9.0, p1_5=-8.0, p1_6=-7.0, p1_7=-6.0)
    chosen = [(0, 4), (0, 5)]
    found = controls(chosen, {*chosen, (2, 4)}, PAIRS, score, LAYERS, alone)
    assert found == [(2, 5), (2, 6)]


def test_where_there_is_nothing_alike_there_is_no_control():
    alone = np.ones(12)
    one_a_layer = np.arange(12)
    assert controls([(0, 5)], {(0, 5)}, PAIRS, _score(p0_5=1.0), one_a_layer, alone) == [None]
    alone[:4] = np.nan
    assert controls([(0, 5)], {(0, 5)}, PAIRS, _score(p0_5=1.0), LAYERS, alone) == [None]
    assert controls([(0, 5)], {(0, 5)}, PAIRS, np.full(len(PAIRS), np.nan), LAYERS, np.ones(12)) == [None]
    # Rounding below 0 is a cost of 0.
    below = np.full(12, -1e-9)
    assert controls([(0, 5)], {(0, 5)}, PAIRS, _score(p0_5=1.0), LAYERS, below) == [(0, 4)]


def test_a_pair_has_one_part_whatever_it_was_chosen_by():
    names = {Condition("pairs", score, None, None, (3, 11)).shard for score in ("sts", "rtr")}
    assert names == {"pairs-3-11"}
