"""A unit × unit matrix in fewer cells, and the ends of its colours."""

from __future__ import annotations

import numpy as np


def pooled(matrix: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Mean of the known values in every cell; NaN without one. edges: first unit of every cell, and the end."""
    cells = len(edges) - 1
    out = np.full((cells, cells), np.nan, np.float32)
    for row in range(cells):  # in stripes: summing a 5,120² matrix at once would double the memory
        stripe = matrix[edges[row] : edges[row + 1]]
        known = np.isfinite(stripe)
        total = np.add.reduceat(np.where(known, stripe, 0).sum(axis=0, dtype=np.float64), edges[:-1])
        count = np.add.reduceat(known.sum(axis=0), edges[:-1])
        np.divide(total, count, out=out[row], where=count > 0, casting="unsafe")
    return out


def ends(values: np.ndarray) -> tuple[float, float]:
    """The ends of the colour scale: a few extremes must not take the colours from all other values. (0, 0) without a
    value."""
    known = values[np.isfinite(values)]
    if not len(known):
        return 0.0, 0.0
    low, high = np.quantile(known[:: max(len(known) // 200_000, 1)], [0.005, 0.995])
    return float(low), float(high)
