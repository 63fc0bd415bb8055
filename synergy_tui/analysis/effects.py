"""Unit values per prompt of the data and of surrogates → the contrast of every ranking as observed minus surrogate,
paired by prompt (docs/method.md, sections 4 and 8)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.stats import t as student

from synergy_tui.analysis import nulls, profile, scores
from synergy_tui.analysis.nulls import UnitDraws
from synergy_tui.analysis.profile import MIDDLE, Cut
from synergy_tui.terms import RANKINGS, STS

REPLICATES = 400
"""Replicates of the bootstrap over prompts: only their standard deviation is used."""

HALVES = 40
"""Random halves of the prompts."""

_ELEMENTS = 2_000_000
"""Most replicates × draws × units held at once."""

Values = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
"""Synergy, redundancy, TDMI and balance of units."""


@dataclass(frozen=True)
class Effect:
    """A contrast against one null, on the prompts and the cut that the null takes. observed: the data's contrast.
    surrogate: its mean over surrogates. difference: the first minus the second, with a 95 % interval over prompts;
    `error` is its standard error. p: one-sided, the share of draws at least as high, including the data. halves: share
    of random halves of the prompts in which the middle is above both ends (or one side of a chosen contrast above the
    other) and the difference is above 0. prompts, draws: how many there are."""

    observed: float
    surrogate: float
    difference: float
    low: float
    high: float
    error: float
    p: float
    halves: float
    prompts: int
    draws: int


def effects(
    by_prompt: Float[np.ndarray, "draws prompts units 6"],
    draws: UnitDraws,
    layers: int,
    seed: int = 0,
    replicates: int = REPLICATES,
    rankings: Sequence[str] = RANKINGS,
    cut: Cut = MIDDLE,
) -> dict[str, Effect]:
    """Effects of the requested rankings. by_prompt: first the data, then the surrogates that are kept prompt by prompt,
    as phiid.moments.by_prompt gives them, each unit's values at its own prompt. draws: unit values of all surrogates.
    cut: what the contrast compares, in the data and in surrogates.

    Each replicate draws prompts and takes the contrast of the data and of every kept surrogate from the same prompts.
    The noise of kept draws is subtracted from the variance, which is never less than that of single draws. The interval
    is Student's, so it contains its estimate: percentiles of resampled ranks lie beside it."""
    shown = nulls.contrasts_of_draws(draws, layers, rankings, cut)
    spread = nulls.units_tested(draws).sd[:, 0]
    own = _contrasts(_whole(draws, spread), layers, rankings, cut)
    used = (by_prompt[0, :, :, 4] > 0).any(axis=1) if len(by_prompt) else np.zeros(0, bool)
    kept, count = by_prompt[:, used], int(used.sum())
    chance = np.random.default_rng([seed, 8])
    found: dict[str, _Resampled] = {}
    if count > 1 and len(kept) > 2:
        weights = chance.multinomial(count, np.full(count, 1 / count), size=replicates).astype(float)
        halves = np.stack([chance.permutation(count) < count // 2 for _ in range(HALVES)]).astype(float)
        found = _resampled(kept, weights, halves, layers, spread, rankings, cut)
    out = {}
    for name in rankings:
        drawn = shown[name][np.isfinite(shown[name])]
        if not len(drawn) or not math.isfinite(own[name]):
            continue
        mean = float(drawn.mean())
        p = float((1 + (drawn >= own[name]).sum()) / (1 + len(drawn)))
        error, half = math.nan, math.nan
        if (one := found.get(name)) is not None and len(drawn) > 1:
            # In data without coupling the difference varies as single draws do. Replicates of ranks vary less: each
            # starts from the ranks that the data have by chance.
            variance = max(one.variance * count / (count - 1), float(drawn.var(ddof=1)))
            error = math.sqrt(variance + drawn.var(ddof=1) / len(drawn))
            half = one.halves
        reach = error * float(student.ppf(0.975, max(count - 1, 1)))
        difference = own[name] - mean
        ends = (difference - reach, difference + reach)
        out[name] = Effect(own[name], mean, difference, *ends, error, p, half, count, len(drawn))
    return out


def deciding(difference: float, error: float, prompts: int, bound: float) -> int | None:
    """About how many prompts would decide between a difference above 0 and one below `bound`, if its size stays: 80 %
    power of a two-sided 5 % test. None if the difference lies on neither side."""
    distance = max(difference, bound - difference)
    if not (math.isfinite(error) and distance > 0 and prompts > 1):
        return None
    return max(math.ceil(prompts * (2.8 * error / distance) ** 2), prompts + 1)


@dataclass(frozen=True)
class _Resampled:
    variance: float
    halves: float


def _whole(draws: UnitDraws, spread: np.ndarray) -> scores.UnitValues:
    expected = scores.mean_over(draws.atoms[:, :, STS], axis=0)
    return scores.UnitValues(draws.observed, expected, draws.observed_balance, spread)


def _contrasts(values: scores.UnitValues, layers: int, rankings: Sequence[str], cut: Cut) -> dict[str, float]:
    return {
        name: float(profile.contrast(profile.profile(scores.scaled(scores.ranking(name, values)), layers), cut))
        for name in rankings
    }


def _resampled(
    kept: np.ndarray,
    weights: np.ndarray,
    halves: np.ndarray,
    layers: int,
    spread: np.ndarray,
    rankings: Sequence[str],
    cut: Cut,
) -> dict[str, _Resampled]:
    """By ranking, the variance of the paired difference over replicates, and the share of halves in which it holds."""
    once = np.ones((1, weights.shape[1]))
    out = {}
    at_one, by_half = (dict(_of(kept, some, layers, spread, rankings, cut)) for some in (once, halves))
    for name, one in _of(kept, weights, layers, spread, rankings, cut):
        moved = one.difference - at_one[name].difference
        drawn, whole = one.drawn, at_one[name].drawn
        # The difference between single draws is noise of the surrogates; the mean of all draws has little of it.
        noise = (drawn[..., 0] - whole[..., 0]).var(axis=1, ddof=1).mean() / drawn.shape[1]
        variance = moved.var(ddof=1)
        half = by_half[name]
        own = half.data[:, :1] if cut.above else half.data[:, 1:]
        holds = (half.difference > 0) & (own > 0).all(axis=1)
        out[name] = _Resampled(float(max(variance - noise, variance / 4)), float(holds.mean()))
    return out


@dataclass(frozen=True)
class _Paired:
    """data [replicates, 3], drawn [replicates, draws, 3]: contrast, middle − early, middle − late."""

    data: np.ndarray
    drawn: np.ndarray

    @property
    def difference(self) -> np.ndarray:
        return self.data[:, 0] - self.drawn[..., 0].mean(axis=1)


def _of(
    kept: np.ndarray, weights: np.ndarray, layers: int, spread: np.ndarray, rankings: Sequence[str], cut: Cut
) -> Iterator[tuple[str, _Paired]]:
    """Contrasts by ranking, for every row of `weights` [replicates, prompts]."""
    draws, _, units, _ = kept.shape
    at_once = max(1, _ELEMENTS // (draws * units))
    parts: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {name: [] for name in rankings}
    for start in range(0, len(weights), at_once):
        sts, rtr, tdmi, balance = _weighted(kept, weights[start : start + at_once])
        # A surrogate does not count towards its own expected synergy.
        total = sts[:, 1:].sum(axis=1, keepdims=True)
        others = (total - sts[:, 1:]) / (draws - 2)
        expected = np.concatenate([total / (draws - 1), others], axis=1)
        every = scores.of_measures(sts, rtr, tdmi, balance, expected, spread)
        for name in rankings:
            layered = profile.profile(scores.scaled(scores.ranking(name, every)), layers)
            ends = np.moveaxis(profile.sides(layered, cut)[..., :2], -1, 0)
            found = np.stack([profile.contrast(layered, cut), *ends], -1)
            parts[name].append((found[:, 0], found[:, 1:]))
    for name, some in parts.items():
        yield name, _Paired(*(np.concatenate(part) for part in zip(*some, strict=True)))


def _weighted(kept: np.ndarray, weights: np.ndarray) -> Values:
    """Values [replicates, draws, units]: means over the pairs of the weighted prompts."""
    draws, prompts, units, columns = kept.shape
    flat = kept.transpose(1, 0, 2, 3).reshape(prompts, -1).astype(np.float64)
    sums = (weights @ flat).reshape(len(weights), draws, units, columns)
    pairs, balances = sums[..., 4:5], sums[..., 5]
    mean = np.divide(sums[..., :3], pairs, out=np.full((*sums.shape[:-1], 3), np.nan), where=pairs > 0)
    balance = np.divide(sums[..., 3], balances, out=np.full(balances.shape, np.nan), where=balances > 0)
    return mean[..., 0], mean[..., 1], mean[..., 2], balance
