"""Quantiles of Student's t without SciPy, which the faces and their direct calls must not load."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

_HALVINGS = 80
"""Bisections of the angle, beyond the precision of a double."""

MANY = 100_000
"""Degrees of freedom beyond which t is normal to six digits."""


@lru_cache(maxsize=256)
def reach(level: float, freedom: int) -> float:
    """The t within which a Student variable with `freedom` degrees of freedom stays, on both sides of 0, with
    probability `level`. The probability of whole degrees of freedom is a finite sum in the angle atan(t/√ν) (Abramowitz
    and Stegun 26.7.3 and 26.7.4), and rises with it."""
    low, high = 0.0, np.pi / 2
    for _ in range(_HALVINGS):
        angle = (low + high) / 2
        low, high = (angle, high) if _within(angle, freedom) < level else (low, angle)
    return float(np.tan((low + high) / 2) * np.sqrt(freedom))


def beyond(size: float, freedom: int) -> float:
    """Probability that a Student variable with `freedom` degrees of freedom is farther from 0 than `size`, on either
    side."""
    if freedom > MANY:
        return math.erfc(size / math.sqrt(2))
    return max(1.0 - _within(math.atan(size / math.sqrt(freedom)), freedom), 0.0)


def _within(angle: float, freedom: int) -> float:
    """Probability of |t| < √ν·tan(angle)."""
    cos, sin = np.cos(angle), np.sin(angle)
    if freedom == 1:
        return float(2 * angle / np.pi)
    odd = freedom % 2
    steps = np.arange(1, freedom // 2)
    factors = (2 * steps - 1 + odd) / (2 * steps + odd) * cos**2
    total = sin * (1 + np.cumprod(factors).sum())
    return float(2 / np.pi * (angle + total * cos)) if odd else float(total)
