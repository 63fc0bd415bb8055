"""Divergence curves → areas, the test of a targeted order against controls, and the verdict in one sentence (METHOD
section 5)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

PRIMARY = 0.25
UPPERS = (0.1, PRIMARY, 0.4, 1.0)
"""Areas over [0, upper]; the primary one is tested, the others describe."""

ENOUGH_SEEDS = 20
"""Being above the 95th percentile of fewer control seeds means little: with fewer there is no verdict."""

ALPHA = 0.05


SAME = 1e-6
"""Control areas whose logarithms spread less than this are the same set over and over: rounding, no control."""


@dataclass(frozen=True)
class AreaTest:
    """A targeted order's primary area against one control's. ratio: to the geometric mean of the controls' areas, NaN
    where one is not positive. p: one-sided, that the target is above; below: that it is below; both NaN where the
    controls do not differ. seeds: controls with an area."""

    ratio: float
    t: float
    p: float
    below: float
    seeds: int


def area(fractions: np.ndarray, divergence: np.ndarray, upper: float) -> float:
    """Area over [0, upper] by trapezoids from (0, 0), the last one cut at `upper`; NaN when the curve has no point in
    (0, upper], does not reach it, or has no value on the way. Nats per token × fraction."""
    order = np.argsort(fractions)
    x = np.concatenate([[0.0], np.asarray(fractions, float)[order]])
    y = np.concatenate([[0.0], np.asarray(divergence, float)[order]])
    reached = x <= upper + 1e-9
    if reached.sum() < 2 or x[-1] < upper - 1e-9:
        return float("nan")
    inside = x < upper
    x_cut, y_cut = np.append(x[inside], upper), np.append(y[inside], np.interp(upper, x, y))
    return float(np.trapezoid(y_cut, x_cut))


def area_test(target: float, controls: np.ndarray) -> AreaTest:
    """t = (ln A − mean)/(sd·√(1 + 1/k)) on log areas, Student with k − 1 degrees of freedom."""
    k, nothing = len(controls), float("nan")
    if not (target > 0 and k and (controls > 0).all()):
        return AreaTest(nothing, nothing, nothing, nothing, k)
    logs = np.log(controls)
    ratio = float(target / np.exp(logs.mean()))
    spread = logs.std(ddof=1) if k > 1 else 0.0
    if spread < SAME:
        return AreaTest(ratio, nothing, nothing, nothing, k)
    t = float((np.log(target) - logs.mean()) / (spread * np.sqrt(1 + 1 / k)))
    return AreaTest(ratio, t, float(student.sf(t, k - 1)), float(student.cdf(t, k - 1)), k)


def plain_test(target: float, controls: np.ndarray) -> float:
    """One-sided p that a target (an accuracy) is below its controls, by the same t without logarithms; NaN where there
    are fewer than two controls or they do not differ."""
    k = len(controls)
    spread = controls.std(ddof=1) if k > 1 else 0.0
    if spread < SAME:
        return float("nan")
    return float(student.cdf((target - controls.mean()) / (spread * np.sqrt(1 + 1 / k)), k - 1))


def verdict(order: str, own: float, tests: dict[str, AreaTest]) -> str:
    """One sentence on a targeted order from its primary area and its tests by control. Synergy-first is tested upwards
    (disproportionate), redundancy-first and orders that begin with a ranking's lowest downwards (less than its
    controls), a marked set upwards, by its divergence when all of it is removed. What is missing comes before any
    result."""
    upward = order != "redundancy-first" and not order.endswith("-last")
    what = "divergence of the whole set" if order == "marked" else f"area over [0, {PRIMARY}]"
    if not np.isfinite(own):
        return f"{order}: inconclusive, its curve has no {what}; give fractions up to {PRIMARY}."
    if not tests:
        return f"{order}: inconclusive, no controls; add random and layer-matched."
    if not all(np.isfinite(test.ratio) for test in tests.values()):
        return f"{order}: inconclusive, the {what}, of it or of a control, is not positive or has no value."
    p = {name: test.p if upward else test.below for name, test in tests.items()}
    told = (f"{test.ratio:.2f}× {name}{_told(p[name])}" for name, test in tests.items())
    head = f"{order}: {what} is {', '.join(told)}"
    if missing := [name for name in ("random", "layer-matched") if name not in tests]:
        return f"{head}: inconclusive, no control {' and '.join(missing)}."
    if few := [test.seeds for test in tests.values() if test.seeds < ENOUGH_SEEDS]:
        return f"{head}: inconclusive, too few controls ({min(few)} of {ENOUGH_SEEDS} seeds)."
    if same := [name for name, value in p.items() if not np.isfinite(value)]:
        return f"{head}: inconclusive, the {' and '.join(same)} sets do not differ from each other (no freedom)."
    claim = "disproportionate" if upward else "less than its controls"
    return f"{head}: {claim if all(value < ALPHA for value in p.values()) else f'not {claim}'}."


def _told(p: float) -> str:
    return f" (p {p:.3f})" if np.isfinite(p) else ""
