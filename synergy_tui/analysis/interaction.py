"""Pairs removed together against each unit alone: whether a score of pairs correlates with the extra cost of removing
both (docs/method.md, section 5).

Known fault: pairs that share a unit are drawn as if they did not share it. If a few units are in most pairs, intervals
over pairs are too narrow.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from scipy.stats import t as student

from synergy_tui.analysis import importance
from synergy_tui.analysis.bootstrap import LEVEL
from synergy_tui.analysis.importance import NOTHING, Estimate


def interaction(
    both: Float[np.ndarray, "pairs prompts"],
    first: Float[np.ndarray, "pairs prompts"],
    second: Float[np.ndarray, "pairs prompts"],
) -> Float[np.ndarray, "pairs prompts"]:
    """KL(ij) − KL(i) − KL(j), nats per token; NaN if one of them is not finite. Above 0 each unit stands in for the
    other; below 0 a unit needs the other to have its effect: −KL(j) if j does nothing without i."""
    with np.errstate(invalid="ignore"):
        found = both - first - second
    return np.where(np.isfinite(found), found, np.nan)


def goes_with(
    found: Float[np.ndarray, "pairs prompts"],
    score: Float[np.ndarray, " pairs"],
    layers: Int[np.ndarray, "pairs 2"],
    seed: int = 0,
) -> tuple[Estimate, Estimate, int]:
    """Spearman correlation of interaction with a score, the same within pairs of the same two layers, and the number of
    pairs with both values. Each replicate draws prompts, then pairs: for the first from all pairs, for the second from
    pairs of the same layers."""
    known = int((np.isfinite(score) & np.isfinite(found).all(axis=1)).sum())
    if known < 3:
        return NOTHING, NOTHING, known
    place = np.unique(layers, axis=0, return_inverse=True)[1].reshape(-1)
    whole, _ = importance.correlation(found, score, np.zeros(len(score), int), seed)
    _, within = importance.correlation(found, score, place, seed)
    return whole, within, known


def against_controls(
    chosen: Float[np.ndarray, "pairs prompts"], controls: Float[np.ndarray, "pairs prompts"]
) -> tuple[Estimate, int]:
    """Mean interaction of chosen pairs minus that of their controls, paired, with its 95 % interval over prompts and
    pairs, and the number of pairs of pairs that have a value. The variances of prompts and of pairs are added, and the
    residual noise in both is counted once; Student's t has one degree of freedom less than the smaller of the two
    numbers."""
    difference = chosen - controls
    difference = difference[np.isfinite(difference).all(axis=1)]
    pairs, prompts = difference.shape
    if not difference.size:
        return NOTHING, 0
    mean = float(difference.mean())
    if min(pairs, prompts) < 2:
        return Estimate(mean, float("nan"), float("nan")), pairs
    of_pairs, of_prompts = difference.mean(axis=1), difference.mean(axis=0)
    rest = difference - of_pairs[:, None] - of_prompts + mean
    noise = float((rest**2).sum()) / ((pairs - 1) * (prompts - 1) * pairs * prompts)
    by_pairs, by_prompts = float(of_pairs.var(ddof=1)) / pairs, float(of_prompts.var(ddof=1)) / prompts
    variance = max(by_pairs + by_prompts - noise, by_pairs, by_prompts)
    reach = float(student.ppf((1 + LEVEL) / 2, min(pairs, prompts) - 1)) * float(np.sqrt(variance))
    return Estimate(mean, mean - reach, mean + reach), pairs


def verdict(difference: Estimate) -> str:
    """The difference to the controls in words."""
    if not np.isfinite(difference.low):
        return "undecided, as an interval needs two pairs and two prompts"
    if difference.low > 0:
        return "above"
    return "below" if difference.high < 0 else "undecided"
