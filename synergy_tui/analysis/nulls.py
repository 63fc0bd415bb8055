"""Surrogate moments → z, p and q of pairs and units, and what surrogate data themselves look like (METHOD section 4).

Tail probabilities come from streamed moments by Pearson's type III distribution: counting how many of S draws exceed
the data can never pass Benjamini–Hochberg unless a share of 20/(S + 1) of all pairs sits at the floor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.special import gammainc, gammaincc, ndtr

from synergy_tui.analysis import profile, scores
from synergy_tui.analysis.scores import UnitValues
from synergy_tui.terms import RANKINGS

SMALLEST_P = 1e-12
"""No p-value is smaller: tails that far out are the distribution's form and not the data's."""

_SYMMETRIC = 1e-4
"""Skewness below which the distribution is normal to within rounding."""

TWO_SIDED = (True, False, False)
"""sts is tested on both sides, rtr and TDMI on the upper."""


@dataclass(frozen=True)
class Tested:
    """sts, rtr and TDMI of pairs or units against one null. z: standard score · p: two-sided for sts (and so for the
    excess, which is sts less a constant), upper tail for the others; NaN where a value or its draws are missing."""

    observed: Float[np.ndarray, "n 3"]
    mean: Float[np.ndarray, "n 3"]
    sd: Float[np.ndarray, "n 3"]
    skewness: Float[np.ndarray, "n 3"]
    draws: Int[np.ndarray, " n"]
    z: Float[np.ndarray, "n 3"]
    p: Float[np.ndarray, "n 3"]

    @property
    def excess(self) -> Float[np.ndarray, " n"]:
        """Synergy minus its surrogate mean, nats; below zero is coupling of the redundant kind."""
        return self.observed[:, 0] - self.mean[:, 0]


def tested(
    observed: Float[np.ndarray, "n 3"],
    mean: Float[np.ndarray, "n 3"],
    sd: Float[np.ndarray, "n 3"],
    skewness: Float[np.ndarray, "n 3"],
    draws: Int[np.ndarray, " n"],
) -> Tested:
    """The tests of values of which surrogates have these moments. A value is compared with the distribution of one
    draw, so the mean's own error is added: z = (value − mean) / (sd·√(1 + 1/S))."""
    known = (sd > 0) & (draws[:, None] >= 2)
    scale = np.where(known, sd * np.sqrt(1 + 1 / np.maximum(draws, 1))[:, None], 1.0)
    z = np.where(known, (observed - mean) / scale, np.nan)
    upper, lower = pearson_tail(z, skewness), pearson_tail(-z, -skewness)
    p = np.where(TWO_SIDED, np.minimum(2 * np.minimum(upper, lower), 1.0), upper)
    return Tested(observed, mean, sd, skewness, draws, z, np.maximum(p, SMALLEST_P))


def pearson_tail(z: np.ndarray, skewness: np.ndarray) -> np.ndarray:
    """P(Z > z) of a Pearson type III variable with mean 0, variance 1 and this skewness: a shifted gamma variable, for
    negative skewness turned round."""
    z, skewness = np.broadcast_arrays(z, skewness)
    bent = np.abs(skewness) > _SYMMETRIC
    half = 2 / np.where(bent, np.abs(skewness), 1.0)
    upwards = skewness > 0
    place = np.maximum(half * (half + np.where(upwards, z, -z)), 0.0)
    gamma = np.where(upwards, gammaincc(half**2, place), gammainc(half**2, place))
    out = np.where(bent, gamma, ndtr(-z))
    return np.where(np.isfinite(z) & np.isfinite(skewness), out, np.nan)


def larger(tests: Sequence[Float[np.ndarray, "n 3"]]) -> Float[np.ndarray, "n 3"]:
    """Coupled is what both nulls call so: the larger p, NaN where either has none."""
    return np.maximum.reduce(list(tests))


def benjamini_hochberg(p: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """q-values: the smallest false discovery rate at which each is found. NaN stays NaN and counts as no test."""
    q = np.full(p.shape, np.nan)
    known = np.flatnonzero(np.isfinite(p))
    order = known[np.argsort(p[known], kind="stable")]
    count = len(order)
    if count:
        stepped = p[order] * count / np.arange(1, count + 1)
        q[order] = np.minimum.accumulate(stepped[::-1])[::-1].clip(max=1.0)
    return q


@dataclass(frozen=True)
class UnitDraws:
    """Unit values of every draw, and of the data as the null takes it."""

    observed: Float[np.ndarray, "units 16"]
    atoms: Float[np.ndarray, "draws units 16"]
    balance: Float[np.ndarray, "draws units"]


def units_tested(draws: UnitDraws) -> Tested:
    """Units against one null, from their own values in every draw."""
    observed, drawn = _measures(draws.observed), _measures(draws.atoms)
    known = np.isfinite(drawn)
    count = known.sum(axis=0)
    mean = scores.mean_over(drawn, axis=0)
    rest = np.where(known, drawn - mean, 0.0)
    second, third = (scores.mean_over(np.where(known, rest**k, np.nan), axis=0) for k in (2, 3))
    varies = second > 0
    skewness = np.where(varies, third / np.where(varies, second, 1.0) ** 1.5, 0.0)
    sd = np.sqrt(second * count / np.maximum(count - 1, 1))
    return tested(observed, mean, sd, skewness, count[:, 0])


def contrasts_of_draws(draws: UnitDraws, layers: int) -> dict[str, Float[np.ndarray, " draws"]]:
    """The contrast of every ranking in every draw: what surrogate data, put through the same path, would show. A draw's
    own excess is over the mean of the other draws."""
    sts = _measures(draws.atoms)[..., 0]
    count = np.isfinite(sts).sum(axis=0)
    mean = scores.mean_over(sts, axis=0)
    others = np.where(count > 1, (mean * count - sts) / np.maximum(count - 1, 1), np.nan)
    values = UnitValues(draws.atoms, others, draws.balance, units_tested(draws).sd[:, 0])
    return {
        name: profile.contrast(profile.profile(scores.scaled(scores.ranking(name, values)), layers))
        for name in RANKINGS
    }


def _measures(atoms: Float[np.ndarray, "*draws units 16"]) -> Float[np.ndarray, "*draws units 3"]:
    values = UnitValues(atoms, atoms[..., 0], atoms[..., 0])
    return np.stack([values.sts, values.rtr, values.tdmi], axis=-1)
