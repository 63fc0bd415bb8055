"""Pair values → weighted graphs at equal densities → efficiency, modularity and clustering, and how synergy differs
from redundancy in them after subtracting surrogate data (docs/method.md, section 7).

Distances come from SciPy (three times as fast here as igraph), communities and clustering from igraph.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import igraph
import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra
from scipy.stats import t as student

from synergy_tui.analysis import thresholds
from synergy_tui.analysis.bootstrap import LEVEL

DENSITIES = thresholds.DENSITIES
"""Shares of all pairs that are edges."""

MEASURES = ("efficiency", "modularity", "clustering")

RESTARTS, MANY = 3, 512
"""Restarts of Louvain, which depends on its starting point; the highest modularity is kept. One fewer above this many
units, where one takes a third of the time."""


@dataclass(frozen=True)
class Graphs:
    """One network at every density. measures: NaN if there are fewer positive weights than requested edges. negative:
    pairs dropped for a negative weight."""

    measures: Float[np.ndarray, "densities 3"]
    edges: Int[np.ndarray, " densities"]
    negative: int


def graphs(
    pairs: Int[np.ndarray, "n 2"],
    values: Float[np.ndarray, " n"],
    units: int,
    seed: int = 0,
    densities: Sequence[float] = DENSITIES,
    restarts: int | None = None,
) -> Graphs:
    """Pair values as undirected weighted graphs of their strongest edges. Pairs without a value give no edge; negative
    ones are dropped and counted. Weights are divided by the mean of the graph's own edges: with the mean over all
    pairs, efficiency would measure the tail of the weights, not where the edges run."""
    if restarts is None:
        restarts = RESTARTS if units <= MANY else RESTARTS - 1
    order = np.argsort(-np.where(values > 0, values, 0.0), kind="stable")
    positive = int((values > 0).sum())
    measures, edges = np.full((len(densities), len(MEASURES)), np.nan), np.zeros(len(densities), np.int64)
    for place, density in enumerate(densities):
        wanted = round(density * units * (units - 1) / 2)
        if not 0 < wanted <= positive:
            continue
        kept = order[:wanted]
        weights = values[kept] / values[kept].mean()
        graph = igraph.Graph(n=units, edges=pairs[kept])
        measures[place] = (
            efficiency(pairs[kept], weights, units),
            modularity(graph, weights, seed, restarts),
            graph.transitivity_avglocal_undirected(mode="zero", weights=weights.tolist()),
        )
        edges[place] = wanted
    return Graphs(measures, edges, int((values < 0).sum()))


def efficiency(pairs: Int[np.ndarray, "n 2"], weights: Float[np.ndarray, " n"], units: int) -> float:
    """Global efficiency: mean over pairs of units of 1/shortest distance; an edge is 1/weight long."""
    lengths = csr_matrix((1 / weights, (pairs[:, 0], pairs[:, 1])), shape=(units, units))
    distance = dijkstra(lengths, directed=False)
    np.fill_diagonal(distance, np.inf)
    return float((1 / distance).sum() / (units * (units - 1)))


def modularity(graph: igraph.Graph, weights: Float[np.ndarray, " n"], seed: int, restarts: int) -> float:
    """The highest modularity that Louvain finds."""
    igraph.set_random_number_generator(random.Random(seed))
    try:
        each = (graph.community_multilevel(weights=weights.tolist()) for _ in range(restarts))
        return float(max(one.modularity for one in each))
    finally:
        igraph.set_random_number_generator(random)


@dataclass(frozen=True)
class Difference:
    """A measure's difference between two networks at one density, minus its mean over surrogate data, with its 95 %
    interval; NaN if a graph is missing. raw: before subtracting the surrogates."""

    value: float
    low: float
    high: float
    raw: float


def difference(
    data: float | Float[np.ndarray, ""],
    drawn: Float[np.ndarray, " draws"],
    replicates: Float[np.ndarray, " replicates"],
    prompts: int,
) -> Difference:
    """data minus its surrogate mean, with a Student interval from the spread of `replicates`, each of `prompts` redrawn
    prompts, and the error of the surrogate mean. Only the spread of replicates is used: prompts drawn twice count their
    noise twice, and noise changes a graph, so replicates lie beside the value."""
    data = float(data)
    known, drawn = replicates[np.isfinite(replicates)], drawn[np.isfinite(drawn)]
    if not (np.isfinite(data) and len(drawn) > 1 and len(known) > len(replicates) / 2 and prompts > 1):
        return Difference(float("nan"), float("nan"), float("nan"), data)
    value = data - drawn.mean()
    variance = known.var(ddof=1) * prompts / (prompts - 1) + drawn.var(ddof=1) / len(drawn)
    reach = student.ppf((1 + LEVEL) / 2, prompts - 1) * np.sqrt(variance)
    return Difference(float(value), float(value - reach), float(value + reach), data)


def contrasts(measures: Float[np.ndarray, "*rows 2 densities 3"]) -> Float[np.ndarray, "*rows 2 densities"]:
    """What C6 compares in networks of synergy and redundancy, in this order: efficiency(sts) − efficiency(rtr), and
    modularity(rtr) − modularity(sts)."""
    synergy, redundancy = measures[..., 0, :, :], measures[..., 1, :, :]
    return np.stack([synergy[..., 0] - redundancy[..., 0], redundancy[..., 1] - synergy[..., 1]], axis=-2)
