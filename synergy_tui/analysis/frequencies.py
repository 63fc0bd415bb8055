"""Intervals of shares, and false discoveries among many tests: SciPy's, with NaN for missing values."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.stats import binomtest, false_discovery_control


def wilson(right: int, count: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share; NaN if nothing was counted."""
    if count <= 0:
        return float("nan"), float("nan")
    found = binomtest(right, count).proportion_ci(0.95, method="wilson")
    return float(found.low), float(found.high)


def benjamini_hochberg(p: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """q-values: the smallest false discovery rate at which each is found. NaN stays NaN and does not count as a
    test."""
    q = np.full(p.shape, np.nan)
    known = np.isfinite(p)
    if known.any():
        q[known] = false_discovery_control(p[known], method="bh")
    return q
