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


@dataclass(frozen=True)
class AreaTest:
    """A targeted order's primary area against one control's. ratio: to the geometric mean of the controls' areas. p:
    one-sided, that the target is above; below: that it is below. NaN below two seeds."""

    ratio: float
    t: float
    p: float
    below: float
    seeds: int


def area(fractions: np.ndarray, divergence: np.ndarray, upper: float) -> float:
    """Area over [0, upper] by trapezoids from (0, 0), the last one cut at `upper`; NaN when the curve does not reach
    it or has no value there. Nats per token × fraction."""
    order = np.argsort(fractions)
    x = np.concatenate([[0.0], np.asarray(fractions, float)[order]])
    y = np.concatenate([[0.0], np.asarray(divergence, float)[order]])
    if x[-1] < upper - 1e-9:
        return float("nan")
    inside = x < upper
    x_cut, y_cut = np.append(x[inside], upper), np.append(y[inside], np.interp(upper, x, y))
    return float(np.trapezoid(y_cut, x_cut))


def area_test(target: float, controls: np.ndarray) -> AreaTest:
    """t = (ln A − mean)/(sd·√(1 + 1/k)) on log areas, Student with k − 1 degrees of freedom."""
    k = len(controls)
    if not (target > 0 and k and (controls > 0).all()):
        return AreaTest(float("nan"), float("nan"), float("nan"), float("nan"), k)
    logs = np.log(controls)
    ratio = float(target / np.exp(logs.mean()))
    spread = logs.std(ddof=1) if k > 1 else 0.0
    if spread == 0:
        return AreaTest(ratio, float("nan"), float("nan"), float("nan"), k)
    t = float((np.log(target) - logs.mean()) / (spread * np.sqrt(1 + 1 / k)))
    return AreaTest(ratio, t, float(student.sf(t, k - 1)), float(student.cdf(t, k - 1)), k)


def verdict(order: str, tests: dict[str, AreaTest]) -> str:
    """One sentence on a targeted order from its tests by control. Synergy-first is tested upwards (disproportionate),
    redundancy-first downwards (dispensable)."""
    upward = order == "synergy-first"
    claim = "disproportionate" if upward else "less than its controls"
    if not tests:
        return f"{order}: inconclusive, no controls; add random and layer-matched."
    told = ", ".join(
        f"{test.ratio:.2f}× {name}" + (f" (p {_p(test, upward):.3f})" if np.isfinite(_p(test, upward)) else "")
        for name, test in tests.items()
    )
    missing = [name for name in ("random", "layer-matched") if name not in tests]
    few = [name for name, test in tests.items() if test.seeds < ENOUGH_SEEDS]
    head = f"{order}: area over [0, {PRIMARY}] is {told}"
    if not all(np.isfinite(test.ratio) for test in tests.values()):
        return f"{order}: inconclusive, its curve does not reach {PRIMARY} of the units."
    if missing:
        return f"{head}: inconclusive, no control {' and '.join(missing)}."
    if few:
        fewest = min(tests[name].seeds for name in few)
        return f"{head}: inconclusive, too few controls ({fewest} of {ENOUGH_SEEDS} seeds)."
    passed = all(_p(test, upward) < ALPHA for test in tests.values())
    return f"{head}: {claim}." if passed else f"{head}: not {claim}."


def _p(test: AreaTest, upward: bool) -> float:
    return test.p if upward else test.below
