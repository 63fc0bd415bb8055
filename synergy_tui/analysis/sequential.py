"""Control sets are drawn in looks until the verdict on an order is decided: when to stop, and what the test says then
(docs/method.md, section 5). Its error rate and its savings are in docs/errors-claims.md; `bench/sequential.py` counts
them.

*Not above its sets* costs no error (curtailment; Besag & Clifford, Biometrika 78, 1991: sequential Monte Carlo
p-values): once so many sets reach the target that p of the full budget must be above UNCLEAR, no more are drawn. The
verdict is the same as with the full budget.

*Above its sets* needs assumptions. If a target is just another such set, it is above all k sets with probability 1/(k +
1), so no test that knows only places, nor any bet on them (Fischer & Ramdas, arXiv:2401.07365), may call it at 5 %
before 19 sets. So each look has two more requirements, as in group-sequential trials (Lan & DeMets, Biometrika 70,
1983: the error is spent over the looks): by how many standard deviations of the sets the log area leads the nearest
set, and Student's t of one value against the sets. The bounds do not come from a spending function: with them the union
over the looks (`Bound.spent`) stays below 5 % in simulations with normal, Student t, contaminated, bimodal and
exponential log areas and with one critical unit in 5 to 30 % of the sets. The last look also requires a small lead,
because the rank itself spends 1/21 there and leaves nothing for the earlier looks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.stats import t as student

from synergy_tui.analysis import thresholds
from synergy_tui.analysis.areas import (
    ALPHA,
    BY_DIVERGENCE,
    ENOUGH_SEEDS,
    SAME,
    UNCLEAR,
    AreaTest,
    area_test,
    drawn_prompts,
    rank_test,
)
from synergy_tui.analysis.thresholds import LOOK

BUDGET = ENOUGH_SEEDS
"""Control sets at most. The bounds are worked out only for this number."""

LOOKS = tuple(range(LOOK, BUDGET + 1, LOOK))


class Bound(NamedTuple):
    """What a look requires of a target that no set reaches. beyond: t of the target against the sets. lead: over the
    nearest set, in standard deviations of the sets. spent: the largest error up to this look, by simulation: the p of
    an order called at it."""

    beyond: float
    lead: float
    spent: float


BOUNDS = {count: Bound(*one) for count, one in thresholds.BOUNDS.items()}
"""Bounds by the number of sets at a look."""

ABOVE, NOT_ABOVE, UNDECIDED = "above", "not above", "undecided"
NO_VALUE, BY_OTHER = "no value", "other control"
"""Why no more sets of a control are drawn. UNDECIDED: the budget is spent. NO_VALUE: an area is missing or not
positive, so no number of sets gives a test. BY_OTHER: the order's other control has refused it, and its claim needs
both. BY_DIVERGENCE: see areas.py."""


@dataclass(frozen=True)
class Evidence:
    """A target and its control sets, in the order in which they were drawn and in the tested direction: own and sets
    are log areas, or their negatives. reached: by set, the share of prompt draws in which it is at least the target.
    noise: by number of sets, the variance over prompt draws of the target minus their mean."""

    own: float
    sets: Float[np.ndarray, " sets"]
    reached: Float[np.ndarray, " sets"]
    noise: Float[np.ndarray, " sets"]

    def known(self, count: int) -> bool:
        """Whether the target and the first sets have values."""
        return bool(np.isfinite(self.own) and np.isfinite(self.sets[:count]).all())

    def exceeded(self, count: int) -> float:
        """How many of the first sets reach the target; fractions of a set if prompts add uncertainty."""
        return float(self.reached[:count].sum())

    def margins(self, count: int) -> tuple[float, float, float]:
        """(lead over the nearest of the first sets, distance from their mean, error of that distance)."""
        some = self.sets[:count]
        error = np.sqrt(some.var(ddof=1) * (1 + 1 / count) + self.noise[count - 1])
        return float(self.own - some.max()), float(self.own - some.mean()), float(error)


def of_areas(
    target: Float[np.ndarray, " prompts"], controls: Float[np.ndarray, "sets prompts"], upward: bool, seed: int = 0
) -> Evidence:
    """From areas by prompt, in the form that areas.area_test takes and with its draws of prompts."""
    sign = 1.0 if upward else -1.0
    weights = drawn_prompts(len(target), seed)
    with np.errstate(divide="ignore", invalid="ignore"):
        own, sets = sign * np.log(target.mean()), sign * np.log(controls.mean(axis=1))
        apart = sign * (np.log(weights @ target)[:, None] - np.log(weights @ controls.T))
        apart = np.where(np.isnan(apart), 0.0, apart)
        means = np.cumsum(apart, axis=1) / np.arange(1, len(controls) + 1)
        noise = means.var(axis=0)
    return Evidence(float(own), sets, (apart <= 0).mean(axis=0), noise)


def of_accuracies(target: float, controls: Float[np.ndarray, " sets"]) -> Evidence:
    """From accuracies; lower ones count as above. Uses the scale on which shares of tasks spread alike."""
    own, sets = -np.arcsin(np.sqrt(target)), -np.arcsin(np.sqrt(controls))
    return Evidence(float(own), sets, (controls <= target).astype(float), np.zeros(len(sets)))


def at(one: Evidence, count: int) -> str:
    """The result of the look at the first sets: ABOVE, NOT_ABOVE, NO_VALUE, or UNDECIDED."""
    if not one.known(count):
        return NO_VALUE
    spread = float(one.sets[:count].std(ddof=1))
    if spread < SAME:
        return UNDECIDED
    exceeded = one.exceeded(count)
    if 1 + exceeded > UNCLEAR * (1 + BUDGET) + 1e-9:
        return NOT_ABOVE
    if count not in BOUNDS or 1 + exceeded >= ALPHA * (1 + BUDGET) - 1e-9:
        return UNDECIDED
    bound, (lead, distance, error) = BOUNDS[count], one.margins(count)
    return ABOVE if lead >= bound.lead * spread and distance >= bound.beyond * error else UNDECIDED


@dataclass(frozen=True)
class Course:
    """An order's controls so far. wanted: controls that need more sets. seen: by control, sets at its last look. why:
    by control, why it needs no more; empty while it does."""

    wanted: tuple[str, ...]
    seen: Mapping[str, int]
    why: Mapping[str, str]

    @property
    def told(self) -> str:
        """Says that and why it stopped early; empty if all sets were drawn, or more are needed."""
        if self.wanted or not any(count < BUDGET for count in self.seen.values()):
            return ""
        many = ", ".join(f"{count} of {BUDGET} {name}" for name, count in self.seen.items())
        if NO_VALUE in self.why.values():
            return f"stopped after {many} sets: an area has no value"
        alone = " by the divergence alone" if BY_DIVERGENCE in self.why.values() else ""
        return f"stopped after {many} sets: decided{alone}"


def course(evidence: Mapping[str, Evidence], by_divergence: bool = False) -> Course:
    """Looks at an order's controls one after another as far as their sets go. The verdict needs all controls, so one
    refusal ends the others. by_divergence: whether the divergence decides the claim, so that the first look, which
    describes, is the last."""
    seen, why = dict.fromkeys(evidence, 0), dict.fromkeys(evidence, "")
    for count in LOOKS:
        still = [name for name, reason in why.items() if not reason]
        if not still or any(len(evidence[name].sets) < count for name in still):
            break
        found = {name: at(evidence[name], count) for name in still}
        ended = any(one in (NOT_ABOVE, NO_VALUE) for one in found.values())
        for name, one in found.items():
            seen[name] = count
            if one != UNDECIDED or count == BUDGET:
                why[name] = one
            elif ended or by_divergence:
                why[name] = BY_OTHER if ended else BY_DIVERGENCE
        if ended:
            break
    return Course(tuple(name for name, reason in why.items() if not reason), seen, why)


def p_value(one: Evidence, count: int, why: str) -> float:
    """p at the stopping look: for an order called early, the error spent up to that look; else the rank among the drawn
    sets. For an order not called at the last look it is at least UNCLEAR if no more than one set reaches it, because
    the earlier looks have spent a part of what the rank allows."""
    if why == ABOVE and count < BUDGET:
        return BOUNDS[count].spent
    rank = (1 + one.exceeded(count)) / (1 + count)
    return max(rank, UNCLEAR) if why == UNDECIDED else rank


def tested(
    target: Float[np.ndarray, " prompts"],
    controls: Float[np.ndarray, "sets prompts"],
    upward: bool,
    count: int,
    why: str,
) -> AreaTest:
    """The test of a target against the sets up to its stopping look; p in the tested direction is valid there. After an
    early stop the interval is Student's on the log ratio, its error divided by the number of looks so that it holds
    whichever look is the last; at the last look it inverts the rule."""
    found = area_test(target, controls[:count])
    stopped = why if count < BUDGET else ""
    if not np.isfinite(found.p):
        return replace(found, stopped=stopped)
    one = of_areas(target, controls[:count], upward)
    p = p_value(one, count, why)
    lead, distance, error = one.margins(count)
    if count < BUDGET:
        half = float(student.ppf(1 - ALPHA / len(LOOKS), count - 1)) * error
        low, high = distance - half, distance + half
    else:
        low, high = (np.log(found.low), np.log(found.high)) if upward else (-np.log(found.high), -np.log(found.low))
        bound = BOUNDS[count]
        low = min(low, lead - bound.lead * one.sets[:count].std(ddof=1), distance - bound.beyond * error)
    sign, ratio = (1.0, np.log(found.ratio)) if upward else (-1.0, -np.log(found.ratio))
    ends = sorted(float(np.exp(sign * end)) for end in (min(low, ratio), max(high, ratio)))
    above, below = (p, found.below) if upward else (found.p, p)
    return replace(found, low=ends[0], high=ends[1], p=above, below=below, stopped=stopped)


def accuracy_p(target: float, controls: Float[np.ndarray, " sets"], why: str) -> float:
    """p at the stopping look that the target's accuracy is below its sets'; NaN if they do not differ."""
    rank = rank_test(target, controls)
    if not np.isfinite(rank):
        return rank
    return p_value(of_accuracies(target, controls), len(controls), why)
