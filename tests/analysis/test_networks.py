"""Networks: measures against hand-made graphs and networkx, differences, what is dropped."""

from __future__ import annotations

import networkx
import numpy as np
import pytest
from scipy import stats

from synergy_tui.analysis import claims, networks
from synergy_tui.analysis.claims import C6_SIDES, Claim
from synergy_tui.bench import calibration
from synergy_tui.terms import INCONCLUSIVE, NOT_SUPPORTED, NULLS, SUPPORTED


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


def test_a_difference_takes_surrogates_off_with_students_interval_about_it():
    """Replicates lie beside the value, because prompts drawn twice are noise counted twice: their spread counts."""
    drawn, replicates = np.array([0.2, 0.4]), np.linspace(1.9, 2.1, 200)
    found = networks.difference(1.0, drawn, replicates, 12)
    reach = stats.t.ppf(0.975, 11) * np.sqrt(replicates.var(ddof=1) * 12 / 11 + drawn.var(ddof=1) / 2)
    assert (found.value, found.raw) == (pytest.approx(0.7), 1.0)
    assert (found.low, found.high) == (pytest.approx(0.7 - reach), pytest.approx(0.7 + reach))
    replicates[:101] = np.nan
    for lost in (
        networks.difference(1.0, drawn, replicates, 12),
        networks.difference(1.0, drawn[:1], np.ones(200), 12),
        networks.difference(1.0, drawn, np.ones(200), 1),
        networks.difference(np.nan, drawn, np.ones(200), 12),
    ):
        assert np.isnan([lost.value, lost.low, lost.high]).all()


def test_the_interval_of_a_difference_covers():
    """A mean of lognormal prompts, less the mean of ten surrogates of as many."""
    chance = np.random.default_rng(2)
    covered = 0
    for _ in range(200):
        prompts, drawn = chance.lognormal(0, 0.5, 15), chance.lognormal(0, 0.5, (10, 15)).mean(axis=1)
        again = prompts[chance.integers(15, size=(60, 15))].mean(axis=1)
        found = networks.difference(prompts.mean(), drawn, again, 15)
        assert found.low < found.value < found.high
        covered += found.low <= 0 <= found.high
    assert 0.9 <= covered / 200 <= 0.99


# C6 of graphs that were planted

UNITS, PROMPTS = 40, 20


def hubs(pairs: np.ndarray) -> np.ndarray:
    """Five units joined to everything, one more strongly than the next: at every density short ways between all."""
    return np.where(pairs % 8 == 0, 3 - pairs / 16, 0.0).max(axis=1)


def communities(pairs: np.ndarray) -> np.ndarray:
    return 1.0 * (pairs[:, 0] // 8 == pairs[:, 1] // 8)


def nothing(pairs: np.ndarray) -> np.ndarray:
    return np.zeros(len(pairs))


def c6_of(sts, rtr, seed: int = 0) -> Claim:
    """Pair values with these structures beside noise of sd 1 in each prompt; surrogates have the noise alone."""
    chance, pairs = np.random.default_rng(seed), pairs_of(UNITS)

    def measured(values: np.ndarray) -> np.ndarray:
        return np.stack([networks.graphs(pairs, one, UNITS, restarts=1).measures for one in values])

    def noise() -> np.ndarray:
        return 3 + chance.normal(size=(PROMPTS, 2, len(pairs)))

    prompts = noise() + 0.7 * np.stack([sts(pairs), rtr(pairs)])
    data = measured(prompts.mean(axis=0))
    again = np.stack([measured(prompts[chance.integers(PROMPTS, size=PROMPTS)].mean(axis=0)) for _ in range(40)])
    drawn = np.stack([measured(noise().mean(axis=0)) for _ in range(10)])
    found = {}
    for d, density in enumerate(networks.DENSITIES):
        for place, side in enumerate(C6_SIDES):
            atom = measure = place // 2  # efficiency of sts, modularity of rtr
            if place % 2:
                three = [networks.contrasts(one)[..., measure, d] for one in (data, drawn, again)]
            else:
                three = [one[..., atom, d, measure] for one in (data, drawn, again)]
            for null in NULLS:
                found[null, side, density] = networks.difference(*three, PROMPTS)
    return claims.c6(found, networks.DENSITIES, PROMPTS)


@pytest.mark.slow
def test_planted_graphs_are_told_apart():
    assert c6_of(hubs, communities).verdict == SUPPORTED
    assert c6_of(communities, hubs).verdict == NOT_SUPPORTED
    assert c6_of(nothing, nothing).verdict in (INCONCLUSIVE, NOT_SUPPORTED)


def test_communities_of_redundancy_alone_do_not_make_synergy_efficient():
    """Its network has no structure, and is more efficient than one of communities all the same."""
    found = c6_of(nothing, communities)
    assert (found.verdict in (INCONCLUSIVE, NOT_SUPPORTED), found.holds_under) == (True, ())
    assert found.measure.startswith("efficiency of sts")


@pytest.mark.slow
def test_c6_of_series_in_redundant_communities_is_not_supported():
    """Every unit follows the driver of its group: between the two networks there is the difference that C6 asks for."""
    found = [calibration.of_networks("redundant communities", seed) for seed in range(2)]
    assert SUPPORTED not in [one["C6"] for one in found]
    plain, own = [], []
    for one in found:
        for name, (value, low, high) in one["intervals"].items():
            assert low <= value <= high
            if name.startswith(("efficiency at", "modularity at")):
                plain.append(low > 0)
            elif name.startswith("efficiency of sts"):
                own.append(low > 0)
    assert np.mean(plain) > 0.7
    assert np.mean(own) < 0.2
