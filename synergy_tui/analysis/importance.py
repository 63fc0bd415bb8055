"""What removal shows, with its uncertainty: a targeted order against its controls with prompts paired, and whether a
ranking predicts what a single unit is worth, and does so better than another.

Known fault: where layers have a single unit each, drawing units within layers changes nothing, so intervals over units
are too narrow there; and a unit's rank minus its layer's mean is always zero, so the result is NaN.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.stats import rankdata

from synergy_tui.analysis.areas import REPLICATES, AreaTest, area_test, by_prompt, drawn_prompts
from synergy_tui.analysis.bootstrap import ends
from synergy_tui.analysis.frequencies import wilson


class Estimate(NamedTuple):
    """A value with the ends of its 95 % interval; NaN where missing."""

    value: float
    low: float
    high: float


NOTHING = Estimate(float("nan"), float("nan"), float("nan"))


def area_ratio(
    fractions: Float[np.ndarray, " fractions"],
    target: Float[np.ndarray, "fractions prompts"],
    controls: Float[np.ndarray, "sets fractions prompts"],
    upper: float,
    seed: int = 0,
) -> AreaTest:
    """Area of the target's divergence over [0, upper] against that of its control sets, prompts paired: an effect of a
    prompt on all sets alike cancels. A single fraction equal to `upper` compares the divergences there."""
    return area_test(by_prompt(fractions, target, upper), by_prompt(fractions, controls, upper), seed)


def correlation(
    importance: Float[np.ndarray, "units prompts"],
    ranking: Float[np.ndarray, " units"],
    layer_of: Int[np.ndarray, " units"],
    seed: int = 0,
    replicates: int = REPLICATES,
) -> tuple[Estimate, Estimate]:
    """Spearman correlation of a ranking with the divergence without every single unit, and the same for ranks minus the
    mean rank of their layer (partial for depth, whatever the shape of its influence). Each replicate draws prompts,
    then units within layers."""
    (found,) = _replicated(importance, [ranking], layer_of, seed, replicates)
    prompts = importance.shape[1]
    return _estimate(found.plain, found.plains, prompts), _estimate(found.partial, found.partials, prompts)


def difference(
    importance: Float[np.ndarray, "units prompts"],
    ranking: Float[np.ndarray, " units"],
    other: Float[np.ndarray, " units"],
    layer_of: Int[np.ndarray, " units"],
    seed: int = 0,
    replicates: int = REPLICATES,
    either_way: bool = False,
) -> tuple[Estimate, Estimate]:
    """How far a ranking's correlation with the divergence without every single unit is above another's, plain and
    partial for depth as in `correlation`. Each replicate draws the same prompts and units for both, so effects on both
    correlations cancel. Units that lack one of the two rankings take part in neither. either_way: the other ranking is
    taken in the direction in which it predicts, so that above 0 means more than its correlation whatever the sign."""
    mine, others = _replicated(importance, [ranking, other], layer_of, seed, replicates)
    prompts = importance.shape[1]
    turned = [-1.0 if either_way and one < 0 else 1.0 for one in (others.plain, others.partial)]
    plain = _estimate(mine.plain - turned[0] * others.plain, mine.plains - turned[0] * others.plains, prompts, 2.0)
    within = mine.partials - turned[1] * others.partials
    return plain, _estimate(mine.partial - turned[1] * others.partial, within, prompts, 2.0)


def verdict(found: Estimate) -> str:
    """better, worse or undecided, depending on whether the interval of a difference excludes 0."""
    return "better" if found.low > 0 else "worse" if found.high < 0 else "undecided"


class _Correlated(NamedTuple):
    """A ranking's correlation with importance, plain and partial for depth, and replicates of both."""

    plain: float
    partial: float
    plains: Float[np.ndarray, " replicates"]
    partials: Float[np.ndarray, " replicates"]


def _replicated(
    importance: Float[np.ndarray, "units prompts"],
    rankings: Sequence[Float[np.ndarray, " units"]],
    layer_of: Int[np.ndarray, " units"],
    seed: int,
    replicates: int,
) -> list[_Correlated]:
    """Each ranking's correlation over the units that have all rankings; each replicate draws prompts, then units within
    layers, the same for all rankings."""
    there = [np.isfinite(one) for one in (*rankings, *importance.T)]
    known = np.flatnonzero(np.all(there, axis=0))
    known = known[np.argsort(layer_of[known], kind="stable")]
    importance, layers = importance[known], layer_of[known]
    if len(known) < 3:
        nothing = np.full(replicates, np.nan)
        return [_Correlated(np.nan, np.nan, nothing, nothing) for _ in rankings]
    chance = np.random.default_rng(seed)
    # Units are drawn within their layers, so the unit at a place is always of the same layer.
    starts, sizes = np.unique(layers, return_index=True)[1], np.bincount(layers)[layers]
    first = np.repeat(starts, np.diff([*starts, len(layers)]))
    units = first + chance.integers(sizes, size=(replicates, len(layers)))
    drawn = np.take_along_axis(drawn_prompts(importance.shape[1], seed, replicates) @ importance.T, units, axis=1)
    out = []
    for ranking in (one[known] for one in rankings):
        plain, partial = _correlations(drawn, ranking[units], layers)
        whole, within = _correlations(importance.mean(axis=1)[None], ranking[None], layers)
        out.append(_Correlated(float(whole[0]), float(within[0]), plain, partial))
    return out


def accuracy_change(
    own: Float[np.ndarray, " tasks"], others: Float[np.ndarray, "seeds tasks"], seed: int = 0
) -> Estimate:
    """Share of tasks right without a targeted set minus the mean share without its controls' sets. Each replicate draws
    tasks, the same for all: a task that is equally hard for every set cancels."""
    if not len(others) or not own.size:
        return NOTHING
    difference = own - others.mean(axis=0)
    if len(difference) < 2:
        return Estimate(float(difference.mean()), float("nan"), float("nan"))
    return _estimate(float(difference.mean()), drawn_prompts(len(difference), seed) @ difference, len(difference))


def mean_interval(values: Float[np.ndarray, "rows prompts"], seed: int = 0) -> Float[np.ndarray, "2 rows"]:
    """95 % interval of each row's mean, prompts drawn; NaN with a single prompt."""
    if values.shape[1] < 2:
        return np.full((2, len(values)), np.nan)
    count = values.shape[1]
    return ends(values.mean(axis=1), drawn_prompts(count, seed) @ values.T, count)


def binomial(correct: int, count: int) -> Estimate:
    """Share with Wilson's 95 % interval."""
    if not count:
        return NOTHING
    return Estimate(correct / count, *wilson(correct, count))


def _correlations(
    importance: Float[np.ndarray, "rows units"], ranking: Float[np.ndarray, "rows units"], layers: np.ndarray
) -> tuple[Float[np.ndarray, " rows"], Float[np.ndarray, " rows"]]:
    a, b = rankdata(importance, axis=1), rankdata(ranking, axis=1)
    member = (layers[:, None] == np.unique(layers)).astype(float)
    share = member / member.sum(axis=0)
    # A layer of one unit leaves only rounding, not a rank.
    left = [np.where(np.abs(one - one @ share @ member.T) < 1e-9, 0.0, one - one @ share @ member.T) for one in (a, b)]
    return _pearson(a, b), _pearson(*left)


def _pearson(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    a, b = (one - one.mean(axis=1, keepdims=True) for one in (a, b))
    scale = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    return np.divide((a * b).sum(axis=1), scale, out=np.full(len(a), np.nan), where=scale > 1e-9)


def _estimate(value: float, replicates: np.ndarray, count: int, most: float = 1.0) -> Estimate:
    """With Student's interval, for a value within ±`most`: a correlation, or a difference of shares."""
    low, high = np.clip(ends(np.array(value), replicates, count), -most, most)
    return Estimate(value, float(low), float(high))
