"""Runs side by side: differences of contrasts with intervals, agreement of units. NumPy only, so that both faces may
use it."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float

Ends = tuple[float, float, float]
"""A value with the ends of its interval."""


def difference(first: Ends, second: Ends) -> Ends:
    """second − first with its interval, from the two intervals as if they were independent (Zou and Donner 2008): each
    end takes from each value the half of its interval that faces it. Runs on the same prompts are correlated, which
    makes the interval too wide, never too narrow. NaN if either has no interval."""
    (a, a_low, a_high), (b, b_low, b_high) = first, second
    value = b - a
    low = value - math.hypot(b - b_low, a_high - a)
    return value, low, value + math.hypot(b_high - b, a - a_low)


def spearman(a: Float[np.ndarray, " units"], b: Float[np.ndarray, " units"]) -> float:
    """Rank correlation over units where both have a value, ties averaged; NaN if either is constant there."""
    known = np.isfinite(a) & np.isfinite(b)
    if known.sum() < 3:
        return float("nan")
    x, y = (_ranks(one[known]) for one in (a, b))
    x, y = x - x.mean(), y - y.mean()
    scale = math.sqrt(float((x**2).sum() * (y**2).sum()))
    return float((x * y).sum()) / scale if scale > 0 else float("nan")


def _ranks(values: np.ndarray) -> np.ndarray:
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    return (last - (count - 1) / 2)[place]
