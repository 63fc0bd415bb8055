"""Several analyses of one run as a family (docs/method.md, section 8): the primary one was named before anyone saw the
data and stands by itself; the others are exploratory and corrected together. NumPy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

PRIMARY, EXPLORATORY = "primary", "exploratory"
"""Roles of an analysis."""


def holm(p: Sequence[float]) -> list[float]:
    """Holm's step-down correction: each p times the number of tests whose p is not smaller, never below the one before
    it, at most 1. NaN stays NaN and does not count as a test."""
    values = np.asarray(p, float)
    out = np.full(values.shape, np.nan)
    known = np.flatnonzero(np.isfinite(values))
    order = known[np.argsort(values[known], kind="stable")]
    steps = values[order] * np.arange(len(order), 0, -1)
    out[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return [float(one) for one in out]


Analysis = tuple[str, str]
"""A claim, and the ranking that judges it."""


def corrected(p: Mapping[Analysis, float], primary: Sequence[Analysis]) -> dict[Analysis, float]:
    """The exploratory analyses with their corrected p; primary ones are left out."""
    others = [one for one in p if one not in primary]
    return dict(zip(others, holm([p[one] for one in others]), strict=True))
