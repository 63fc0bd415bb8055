"""Divergence curves → areas, the test of a targeted order against controls, and the verdict in one sentence
(docs/method.md, section 5)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

PRIMARY = 0.25
UPPERS = (0.1, PRIMARY, 0.4, 1.0)
"""Areas over [0, upper]; the primary one is tested, the others are descriptive."""

ENOUGH_SEEDS = 20
"""With k control sets no one-sided p is below 1/(k + 1), so fewer than 20 give no verdict."""

ALPHA = 0.05

UNCLEAR = 0.1
"""One-sided p up to which a failed test is inconclusive: more prompts or control sets might decide."""

SAME = 1e-6
"""Control areas whose logarithms spread less than this are one set repeated: the spread is rounding, not a control."""

BY_DIVERGENCE = "divergence"
"""Why no more control sets are drawn: the divergence with a quarter of the units removed decides the claim."""

REPLICATES = 1000


@dataclass(frozen=True)
class AreaTest:
    """A targeted order's primary area against one control's. ratio: to the median control's area, NaN if an area is not
    positive. low, high: its interval, over prompts and control sets together; each end excludes 1 exactly when the
    one-sided p on its side is below 0.05 (two-sided 90 %). p: one-sided, that the target is above; below: that it is
    below; NaN if the controls do not differ. seeds: control sets with an area. stopped: if there are fewer than the
    budget, why they were enough: one of the reasons in sequential.py."""

    ratio: float
    low: float
    high: float
    p: float
    below: float
    seeds: int
    stopped: str = ""


def area(fractions: np.ndarray, divergence: np.ndarray, upper: float) -> float:
    """Area over [0, upper] by trapezoids from (0, 0), the last one cut at `upper`; NaN when the curve has no point in
    (0, upper], does not reach `upper`, or lacks a value on the way. Nats per token × fraction."""
    order = np.argsort(fractions)
    x = np.concatenate([[0.0], np.asarray(fractions, float)[order]])
    y = np.concatenate([[0.0], np.asarray(divergence, float)[order]])
    reached = x <= upper + 1e-9
    if reached.sum() < 2 or x[-1] < upper - 1e-9:
        return float("nan")
    inside = x < upper
    x_cut, y_cut = np.append(x[inside], upper), np.append(y[inside], np.interp(upper, x, y))
    return float(np.trapezoid(y_cut, x_cut))


def by_prompt(
    fractions: Float[np.ndarray, " fractions"], divergence: Float[np.ndarray, "*sets fractions prompts"], upper: float
) -> Float[np.ndarray, "*sets prompts"]:
    """The area of each prompt; the area is linear in the divergences."""
    weights = np.array([area(fractions, unit, upper) for unit in np.eye(len(fractions))])
    return np.asarray(np.einsum("f,...fp->...p", weights, divergence))


def upward(order: str) -> bool:
    """Whether the test asks if an order is above its controls. For redundancy-first and orders that begin with a
    ranking's lowest it asks if they are below."""
    return order != "redundancy-first" and not order.endswith("-last")


def area_test(
    target: Float[np.ndarray, " prompts"],
    controls: Float[np.ndarray, "sets prompts"],
    seed: int = 0,
    replicates: int = REPLICATES,
) -> AreaTest:
    """Tests the areas by prompt of a targeted order against its control sets. If the order were just another such set,
    it would have any place among the sets with the same probability: p = (1 + Σ over sets of the share of prompt draws
    in which the set's area is at least the target's) / (1 + sets). If prompts add no uncertainty, this is the exact
    rank test, which single sets with a critical unit cannot break; otherwise p is larger. The interval is that of the
    ratio to a set, and inverts the same test."""
    count, nothing = len(controls), float("nan")
    if not count or not np.isfinite(target).all() or not np.isfinite(controls).all():
        return AreaTest(nothing, nothing, nothing, nothing, nothing, count)
    own, others = target.mean(), controls.mean(axis=1)
    if not (own > 0 and (others > 0).all()):
        return AreaTest(nothing, nothing, nothing, nothing, nothing, count)
    ratio = float(own / np.exp(np.median(np.log(others))))
    if count < 2 or np.log(others).std(ddof=1) < SAME:
        return AreaTest(ratio, nothing, nothing, nothing, nothing, count)
    weights = drawn_prompts(len(target), seed, replicates)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(weights @ target)[:, None] - np.log(weights @ controls.T)
    logs = np.sort(np.where(np.isnan(logs), 0.0, logs).ravel())
    least = (1 + (logs <= 0).sum() / replicates) / (1 + count)
    most = (1 + (logs >= 0).sum() / replicates) / (1 + count)
    # The place beyond which the share of joint draws reaches what the test allows.
    allowed = ALPHA * (1 + count) - 1
    place = int(np.ceil(allowed * replicates - 1e-9)) - 1
    inside = 0 <= place < len(logs)
    low, high = (min(logs[place], np.log(ratio)), max(logs[-1 - place], np.log(ratio))) if inside else (-np.inf, np.inf)
    return AreaTest(ratio, float(np.exp(low)), float(np.exp(high)), float(least), float(most), count)


def rank_test(target: float, controls: Float[np.ndarray, " sets"]) -> float:
    """One-sided p that a target (an accuracy) is below its control sets: its rank among them, ties counted against it;
    NaN with fewer than two sets, or if they do not differ."""
    count = len(controls)
    if count < 2 or not np.ptp(controls) > SAME:
        return float("nan")
    return float((1 + (controls <= target).sum()) / (1 + count))


def drawn_prompts(prompts: int, seed: int, replicates: int = REPLICATES) -> Float[np.ndarray, "replicates prompts"]:
    """The share of draws that each prompt has in each replicate."""
    return np.random.default_rng(seed).multinomial(prompts, np.full(prompts, 1 / prompts), size=replicates) / prompts


def verdict(order: str, own: float, tests: dict[str, AreaTest], stopped: str = "") -> str:
    """One sentence on a targeted order from its primary area and its tests by control. Synergy-first is tested upwards
    (disproportionate); redundancy-first and orders that begin with a ranking's lowest, downwards (less than its
    controls); a marked set upwards, by its divergence when all of it is removed. Missing data come before any result.
    stopped: the words on why fewer sets were drawn than the budget."""
    above = upward(order)
    what = "divergence of the whole set" if order == "marked" else f"area over [0, {PRIMARY}]"
    if not np.isfinite(own):
        return f"{order}: inconclusive, its curve has no {what}; give fractions up to {PRIMARY}."
    if not tests:
        return f"{order}: inconclusive, no controls; add random and layer-matched."
    if not all(np.isfinite(test.ratio) for test in tests.values()):
        return f"{order}: inconclusive, the {what}, of it or of a control, is not positive or has no value."
    p = {name: test.p if above else test.below for name, test in tests.items()}
    told = (f"{test.ratio:.2f}× {name}{_told(p[name])}" for name, test in tests.items())
    head = f"{order}: {what} is {', '.join(told)}"
    if missing := [name for name in ("random", "layer-matched") if name not in tests]:
        return f"{head}: inconclusive, no control {' and '.join(missing)}."
    if few := [test.seeds for test in tests.values() if test.seeds < ENOUGH_SEEDS and not test.stopped]:
        return f"{head}: inconclusive, too few controls ({min(few)} of {ENOUGH_SEEDS} seeds)."
    if same := [name for name, value in p.items() if not np.isfinite(value)]:
        return f"{head}: inconclusive, the {' and '.join(same)} sets do not differ from each other (no freedom)."
    claim = "disproportionate" if above else "less than its controls"
    called = claim if all(value < ALPHA for value in p.values()) else f"not {claim}"
    if any(test.stopped == BY_DIVERGENCE for test in tests.values()):
        called = f"inconclusive on whether it is {claim}"
    return f"{head}: {called}{f'; {stopped}' if stopped else ''}."


def _told(p: float) -> str:
    return f" (p {p:.3f})" if np.isfinite(p) else ""
