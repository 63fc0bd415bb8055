"""Surrogate moments → z, p and q of pairs and units, and the contrasts of surrogate data themselves (docs/method.md,
section 4). Tails are counted among all pairs, or all units (tails.py)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from synergy_tui import tails
from synergy_tui.analysis import profile, scores
from synergy_tui.analysis.profile import MIDDLE, Cut
from synergy_tui.analysis.scores import UnitValues
from synergy_tui.terms import RANKINGS

TWO_SIDED = (True, False, False)
"""sts is tested on both sides, rtr and TDMI on the upper side."""


@dataclass(frozen=True)
class Tested:
    """sts, rtr and TDMI of pairs or units against one null. z: standard score · upper, lower: the probability of a draw
    at least as far above, or below, the mean; NaN if a value or its draws are missing."""

    observed: Float[np.ndarray, "n 3"]
    mean: Float[np.ndarray, "n 3"]
    sd: Float[np.ndarray, "n 3"]
    skewness: Float[np.ndarray, "n 3"]
    draws: Int[np.ndarray, " n"]
    z: Float[np.ndarray, "n 3"]
    upper: Float[np.ndarray, "n 3"]
    lower: Float[np.ndarray, "n 3"]

    @property
    def excess(self) -> Float[np.ndarray, " n"]:
        """Synergy minus its surrogate mean, nats. A value below zero says that units are coupled, but not how:
        redundancy lowers it, and so does directed transfer."""
        return self.observed[:, 0] - self.mean[:, 0]

    @property
    def p(self) -> Float[np.ndarray, "n 3"]:
        """By this null only: two-sided for sts (and so for the excess, which is sts minus a constant), upper tail for
        the others."""
        return coupled_p([self])


def tested(
    observed: Float[np.ndarray, "n 3"],
    mean: Float[np.ndarray, "n 3"],
    sd: Float[np.ndarray, "n 3"],
    skewness: Float[np.ndarray, "n 3"],
    draws: Int[np.ndarray, " n"],
    counts: Int[np.ndarray, "3 bins"],
) -> Tested:
    """The tests of values, from the moments of their surrogates and the counted normal scores. A value is compared with
    the distribution of one draw, so the error of the mean is added: z = (value − mean) / (sd·√(1 + 1/S))."""
    known = (sd > 0) & (draws[:, None] >= 2)
    scale = np.where(known, sd * np.sqrt(1 + 1 / np.maximum(draws, 1))[:, None], 1.0)
    z = np.where(known, (observed - mean) / scale, np.nan)
    return Tested(observed, mean, sd, skewness, draws, z, *tails.tails(tails.normal_score(z, skewness), counts))


def coupled_p(tests: Sequence[Tested]) -> Float[np.ndarray, "n 3"]:
    """A pair or unit is coupled if every null rejects it in the same direction. For sts: twice the largest one-sided p
    on the side on which all nulls put the data, and 1 if they put it on different sides. For rtr and TDMI: the largest
    upper-tail p. NaN if any null has no p. (The larger of the two-sided p-values, whatever their direction, would call
    independent units coupled when one null puts them high and the other low.)"""
    upper, lower = (np.maximum.reduce([getattr(one, side) for one in tests]) for side in ("upper", "lower"))
    return np.where(TWO_SIDED, np.minimum(2 * np.minimum(upper, lower), 1.0), upper)


@dataclass(frozen=True)
class UnitDraws:
    """Unit values of every draw, and of the data as the null uses it."""

    observed: Float[np.ndarray, "units 16"]
    observed_balance: Float[np.ndarray, " units"]
    atoms: Float[np.ndarray, "draws units 16"]
    balance: Float[np.ndarray, "draws units"]


def units_tested(draws: UnitDraws) -> Tested:
    """Units against one null, from their own values in every draw."""
    observed, drawn = _measures(draws.observed), _measures(draws.atoms)
    moments = _moments(drawn)
    half = len(drawn) // 2
    # Each half is scored by the moments of the other half, so no score enters its own moments.
    counts = sum(
        tails.counted(_scores(one, _moments(other)).reshape(-1, one.shape[-1]))
        for one, other in ((drawn[:half], drawn[half:]), (drawn[half:], drawn[:half]))
    )
    mean, sd, skewness, count = moments
    return tested(observed, mean, sd, skewness, count[:, 0], np.asarray(counts))


def _moments(drawn: Float[np.ndarray, "draws units 3"]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Mean, standard deviation, skewness and number of draws."""
    known = np.isfinite(drawn)
    count = known.sum(axis=0)
    mean = scores.mean_over(drawn, axis=0)
    rest = np.where(known, drawn - mean, 0.0)
    second, third = (scores.mean_over(np.where(known, rest**k, np.nan), axis=0) for k in (2, 3))
    varies = second > 0
    skewness = np.where(varies, third / np.where(varies, second, 1.0) ** 1.5, 0.0)
    return mean, np.sqrt(second * count / np.maximum(count - 1, 1)), skewness, count


def _scores(values: np.ndarray, moments: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]) -> np.ndarray:
    mean, sd, skewness, count = moments
    scale = sd * np.sqrt(1 + 1 / np.maximum(count, 1))
    z = np.divide(values - mean, scale, out=np.full(values.shape, np.nan), where=(scale > 0) & (count > 1))
    return tails.normal_score(z, skewness)


def contrasts_of_draws(
    draws: UnitDraws, layers: int, rankings: Sequence[str] = RANKINGS, cut: Cut = MIDDLE
) -> dict[str, Float[np.ndarray, " draws"]]:
    """The contrast of each of these rankings in every draw: what surrogate data, processed in the same way, would show.
    A draw's own excess is over the mean of the other draws. cut: what the contrast compares, the same as in the data.
    """
    sts = _measures(draws.atoms)[..., 0]
    count = np.isfinite(sts).sum(axis=0)
    mean = scores.mean_over(sts, axis=0)
    others = np.where(count > 1, (mean * count - sts) / np.maximum(count - 1, 1), np.nan)
    values = UnitValues(draws.atoms, others, draws.balance, units_tested(draws).sd[:, 0])
    return {
        name: profile.contrast(profile.profile(scores.scaled(scores.ranking(name, values)), layers), cut)
        for name in rankings
    }


def _measures(atoms: Float[np.ndarray, "*draws units 16"]) -> Float[np.ndarray, "*draws units 3"]:
    values = UnitValues(atoms, atoms[..., 0], atoms[..., 0])
    return np.stack([values.sts, values.rtr, values.tdmi], axis=-1)
