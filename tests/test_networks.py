"""Networks: measures against hand-made graphs and networkx, differences, what is dropped."""

from __future__ import annotations

import networkx
import numpy as np
import pytest

from synergy_tui.analysis import claims, networks
from synergy_tui.bench import claims as simulated
from synergy_tui.terms import INCONCLUSIVE, NOT_SUPPORTED, SUPPORTED


def pairs_of(units: int) -> np.ndarray:
    return np.stack(np.triu_indices(units, 1), axis=1)


def test_efficiency_of_a_path_and_of_a_full_graph_by_hand():
    path = np.array([[0, 1], [1, 2]])
    # distances 1, 1/2, and 3/2 between the ends; each counted in both directions, over 3·2 ordered pairs
    assert networks.efficiency(path, np.array([1.0, 2.0]), 3) == pytest.approx((1 + 2 + 2 / 3) / 3)
    assert networks.efficiency(pairs_of(4), np.ones(6), 4) == pytest.approx(1.0)
    assert networks.efficiency(path, np.array([1.0, 1.0]), 4) == pytest.approx(2 * (1 + 1 + 0.5) / 12)


def test_measures_agree_with_networkx():
    chance = np.random.default_rng(0)
    pairs, values = pairs_of(30), chance.gamma(2.0, size=435)
    found = networks.graphs(pairs, values, 30)
    for place, density in enumerate(networks.DENSITIES):
        kept = np.argsort(-values)[: round(density * 435)]
        graph = networkx.Graph()
        graph.add_nodes_from(range(30))
        weights = values[kept] / values[kept].mean()
        graph.add_weighted_edges_from([(*pair, one) for pair, one in zip(pairs[kept].tolist(), weights, strict=True)])
        for _, _, edge in graph.edges(data=True):
            edge["length"] = 1 / edge["weight"]
        lengths = dict(networkx.all_pairs_dijkstra_path_length(graph, weight="length"))
        efficiency = sum(1 / d for a, row in lengths.items() for b, d in row.items() if a != b) / (30 * 29)
        assert found.measures[place, 0] == pytest.approx(efficiency)
        communities = networkx.community.louvain_communities(graph, seed=0)
        assert found.measures[place, 1] >= networkx.community.modularity(graph, communities) - 0.03
        assert found.edges[place] == len(kept)


def test_negative_weights_are_dropped_and_counted_and_too_few_give_nothing():
    values = np.full(45, -1.0)
    values[:5] = 1.0
    found = networks.graphs(pairs_of(10), values, 10)
    assert found.negative == 40
    assert np.isfinite(found.measures[:2]).all()
    assert np.isnan(found.measures[2]).all()
    assert found.edges.tolist() == [2, 4, 0]


def test_the_same_seed_gives_the_same_communities():
    values = np.random.default_rng(1).random(435)
    first, again = (networks.graphs(pairs_of(30), values, 30, seed=3).measures for _ in range(2))
    assert (first == again).all()


def test_a_difference_takes_surrogates_off_and_needs_replicates():
    found = networks.difference(1.0, np.array([0.2, 0.4]), np.linspace(0.9, 1.1, 200))
    assert found.value == pytest.approx(0.7)
    assert 0.45 < found.low < 0.7 < found.high < 0.95
    assert np.isnan(networks.difference(1.0, np.array([0.2, 0.4]), np.full(200, np.nan)).low)


def test_planted_graphs_are_told_apart():
    kinds = {"synergy with hubs, redundancy in communities": SUPPORTED, "the other way round": NOT_SUPPORTED}
    for name, verdict in kinds.items():
        assert simulated.judge_graphs(np.random.default_rng(0), simulated.GRAPHS[name]).verdict == verdict
    nothing = simulated.judge_graphs(np.random.default_rng(0), simulated.GRAPHS["no structure in either"])
    assert nothing.verdict in (INCONCLUSIVE, NOT_SUPPORTED)
    assert claims.c6({}, networks.DENSITIES, 3).verdict == INCONCLUSIVE
