"""Strong pairs → their control pairs. Pure: equal arguments always give equal controls."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from jaxtyping import Float, Int

MIDDLE = (0.25, 0.75)
"""Quantiles of a score between which it counts as middling, among all pairs of the same two layers."""

Pair = tuple[int, int]


def controls(
    chosen: Sequence[Pair],
    others: Collection[Pair],
    pairs: Int[np.ndarray, "pairs 2"],
    score: Float[np.ndarray, " pairs"],
    layer_of: Int[np.ndarray, " units"],
    alone: Float[np.ndarray, " units"],
) -> list[Pair | None]:
    """For each chosen pair, the strongest first, one of the same two layers with a middling score whose single units
    cost as much; None if no such pair exists. Each pair is the control of only one.

    others: pairs that may not be controls, the chosen ones of every score. pairs, score: all pairs with their score,
    NaN where missing. layer_of, alone: each unit's layer and the divergence without it, by number. Costs are compared
    by their roots: a divergence is quadratic in the change that a removal makes, and for small changes an interaction
    is their inner product, so it is within ±2·√(KL(i)·KL(j)).
    """
    root = np.sqrt(np.maximum(alone, 0.0))  # rounding may leave a divergence below 0
    layers, cost, known = np.sort(layer_of[pairs], axis=1), root[pairs], np.isfinite(score)
    free = known & np.isfinite(cost).all(axis=1)
    free &= ~_among(pairs, others)
    out: list[Pair | None] = []
    for x, y in chosen:
        alike = (layers == np.sort(layer_of[[x, y]])).all(axis=1) & known
        if not alike.any():
            out.append(None)
            continue
        low, high = np.quantile(score[alike], MIDDLE)
        places = np.flatnonzero(alike & free & (score >= low) & (score <= high))
        off = _off(cost[places], root[[x, y]], bool(layer_of[x] == layer_of[y]))
        if not len(places) or not np.isfinite(off).any():
            out.append(None)
            continue
        best = places[int(np.argmin(off))]
        free[best] = False
        out.append((int(pairs[best, 0]), int(pairs[best, 1])))
    return out


def _off(cost: np.ndarray, wanted: np.ndarray, either: bool) -> np.ndarray:
    """How far costs are from the wanted ones; within one layer, in either assignment of the units."""
    off: np.ndarray = np.abs(cost - wanted).sum(axis=1)
    return np.minimum(off, np.abs(cost - wanted[::-1]).sum(axis=1)) if either else off


def _among(pairs: np.ndarray, some: Collection[Pair]) -> np.ndarray:
    if not some:
        return np.zeros(len(pairs), bool)
    most = int(pairs.max(initial=0)) + 1
    found: np.ndarray = np.isin(pairs[:, 0] * most + pairs[:, 1], [x * most + y for x, y in some])
    return found
