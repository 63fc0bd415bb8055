"""Two models on the same prompts → the difference of their contrasts, paired; a trained model against random
initialisations. NumPy only, so that the faces may use it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from synergy_tui.analysis import profile, scores
from synergy_tui.analysis.comparison import Ends
from synergy_tui.analysis.student import reach

REPLICATES = 400
"""Replicates of the bootstrap over prompts: only their standard deviation is used."""

NOTHING = float("nan")


def contrast(values: np.ndarray, layers: int, ranking: str) -> np.ndarray:
    """The contrast of a ranking [replicates] of unit values [replicates, units, 5]: sts, rtr, tdmi, balance and
    independence. NaN for a ranking that needs more than these (z)."""
    ranked = scores.scaled(scores.ranking(ranking, scores.of_measures(*(values[..., k] for k in range(5)))))
    return np.asarray(profile.contrast(profile.profile(ranked, layers)))


def over_prompts(first: np.ndarray, other: np.ndarray, layers: tuple[int, int], ranking: str, seed: int = 0) -> Ends:
    """first − other of unit values [prompts, units, 5] of the same prompts in the same order, with a 95 % interval over
    prompts: each replicate draws the same prompts for both. Each model has its own units. The ends are NaN with fewer
    than two prompts."""
    count = len(first)
    if not count or len(other) != count:
        return NOTHING, NOTHING, NOTHING
    value = _difference(np.full((1, count), 1.0), first, other, layers, ranking)[0]
    if count < 2 or not math.isfinite(value):
        return float(value), NOTHING, NOTHING
    chance = np.random.default_rng([seed, 23])
    weights = chance.multinomial(count, np.full(count, 1 / count), size=REPLICATES).astype(float)
    drawn = _difference(weights, first, other, layers, ranking)
    drawn = drawn[np.isfinite(drawn)]
    if len(drawn) < REPLICATES / 2:
        return float(value), NOTHING, NOTHING
    # Resampled variances are too small by the factor (n − 1)/n.
    half = reach(0.95, count - 1) * float(drawn.std(ddof=1)) * math.sqrt(count / (count - 1))
    return float(value), float(value - half), float(value + half)


def _difference(
    weights: np.ndarray, first: np.ndarray, other: np.ndarray, layers: tuple[int, int], ranking: str
) -> np.ndarray:
    one, two = (
        contrast(_means(weights, side), deep, ranking) for side, deep in zip((first, other), layers, strict=True)
    )
    return one - two


def _means(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Weighted means [replicates, units, 5] over the prompts that have a value."""
    known = np.isfinite(values)
    count = np.tensordot(weights, known.astype(float), 1)
    total = np.tensordot(weights, np.where(known, values, 0.0), 1)
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)


def over_initialisations(own: float, random: Sequence[float]) -> Ends:
    """own − the mean of random initialisations, with the 95 % interval of the difference to one yet to be drawn, as in
    C5. The ends are NaN with fewer than two."""
    known = np.array([one for one in random if math.isfinite(one)])
    if not len(known) or not math.isfinite(own):
        return NOTHING, NOTHING, NOTHING
    value = own - float(known.mean())
    if len(known) < 2:
        return value, NOTHING, NOTHING
    half = reach(0.95, len(known) - 1) * float(known.std(ddof=1)) * math.sqrt(1 + 1 / len(known))
    return value, value - half, value + half
