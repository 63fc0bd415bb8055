"""Intervals over prompts and units. Replicates that draw prompts recompute unit values and the ranking; replicates that
draw units within layers rank the units drawn. The two variances are added, except for the part of the second that is
noise of the prompts. Prompts alone would give intervals 2–4 times too narrow. Drawing both in every replicate would
count the noise of the prompts twice, and drawing already ranked units would ignore that ranks have a fixed sum:
together they make the standard error 1.4 to 1.6 times the true one.

Every bootstrap interval of the tool, except for areas, is the estimate ± Student's t × its standard error. Percentiles
of replicates need not contain the estimate: a prompt drawn twice counts its noise twice, which moves ranks, shares and
graph measures to one side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from synergy_tui.analysis.profile import MIDDLE, Cut, contrast, profile, sides
from synergy_tui.analysis.scores import UnitValues, mean_over, of_measures, ranking, scaled
from synergy_tui.analysis.student import reach as student
from synergy_tui.terms import RTR, STS

REPLICATES = 1000

LEVEL = 0.95

_ELEMENTS = 4_000_000
"""Most replicates × units × atoms held at once: 32 MB."""


@dataclass(frozen=True)
class Intervals:
    """Lower and upper ends [2, …] of 95 % intervals. For units, prompts are drawn; for profile, contrast and sides
    (profile.SIDES), prompts and units."""

    units: Float[np.ndarray, "2 units"]
    profile: Float[np.ndarray, "2 layers"]
    contrast: Float[np.ndarray, " 2"]
    sides: Float[np.ndarray, "2 4"]


def ends(
    value: Float[np.ndarray, ...],
    replicates: Float[np.ndarray, "replicates ..."],
    count: int,
    more: Float[np.ndarray, ...] | float = 0.0,
) -> Float[np.ndarray, "2 ..."]:
    """The 95 % interval of a value with these replicates, drawn from `count` prompts: Student's with count − 1 degrees
    of freedom. more: variance to add to theirs. NaN if fewer than half of the replicates have a value, or with fewer
    than two prompts."""
    known = np.isfinite(replicates)
    enough = (known.sum(axis=0) * 2 > len(replicates)) & (count > 1)
    variance = _variance(replicates) * count / max(count - 1, 1) + more
    reach = student(LEVEL, max(count - 1, 1)) * np.sqrt(variance)
    return np.stack([np.where(enough, value - reach, np.nan), np.where(enough, value + reach, np.nan)])


def intervals(
    name: str,
    values: UnitValues,
    unit_prompt: Float[np.ndarray, "prompts units 16"],
    unit_expected: Float[np.ndarray, "prompts units"],
    unit_balance: Float[np.ndarray, "prompts units"],
    unit_pairs: Int[np.ndarray, "prompts units"],
    layers: int,
    seed: int = 0,
    replicates: int = REPLICATES,
    cut: Cut = MIDDLE,
) -> Intervals:
    """Intervals of one ranking of `values`, all on the scaled value; NaN with a single prompt, which has no spread, and
    when prompts are pooled. `unit_expected`: see UnitValues; a surrogate mean is the same in every prompt. cut: what
    the contrast compares."""
    # A prompt without any valid pair must not be drawn: with it, a single valid prompt would seem to have no spread.
    drawn = unit_pairs.any(axis=1)
    unit_prompt, unit_expected, unit_balance, unit_pairs = (
        part[drawn] for part in (unit_prompt, unit_expected, unit_balance, unit_pairs)
    )
    prompts, units = unit_expected.shape
    if prompts < 2:
        nothing = np.full((2, units), np.nan)
        return Intervals(nothing, np.full((2, layers), np.nan), np.full(2, np.nan), np.full((2, 4), np.nan))
    chance = np.random.default_rng(seed)
    found = [
        scaled(ranking(name, some)).astype(np.float32)
        for some in _draws(unit_prompt, unit_expected, unit_balance, unit_pairs, chance, replicates, values.spread)
    ]
    by_unit = np.concatenate(found)
    own = scaled(ranking(name, values))
    shown, layered = profile(own, layers), profile(by_unit, layers)
    redrawn, share = _redrawn(name, values, layers, chance, replicates), _beyond_noise(own, by_unit, layers)

    def of(value: np.ndarray, measure: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        return ends(value, measure(layered), prompts, share * _variance(measure(redrawn)))

    # Scaled values and their means lie between 0 and 1.
    return Intervals(
        ends(own, by_unit, prompts).clip(0, 1),
        of(shown, lambda one: one).clip(0, 1),
        of(contrast(shown, cut), lambda one: contrast(one, cut)),
        of(sides(shown, cut), lambda one: sides(one, cut)),
    )


def _redrawn(
    name: str, values: UnitValues, layers: int, chance: np.random.Generator, replicates: int
) -> Float[np.ndarray, "replicates layers"]:
    """Profiles of units drawn within their layers and ranked among each other. Deviations are stretched by √(m/(m − 1))
    for the m units of a layer with a value, because a bootstrap of few units spreads too little."""
    units = values.sts.shape[-1]
    per_layer = units // layers
    known = np.isfinite(values.sts).reshape(layers, per_layer)
    chosen = _drawn_within(known, chance, replicates).reshape(replicates, units)
    spread = None if values.spread is None else values.spread[chosen]
    parts = (values.sts, values.rtr, values.tdmi, values.balance, values.expected)
    sts, rtr, tdmi, balance, expected = (part[chosen] for part in parts)
    drawn = of_measures(sts, rtr, tdmi, balance, expected, spread)
    found = profile(scaled(ranking(name, drawn)), layers)
    count = known.sum(axis=1)
    stretched = np.where(count > 1, np.sqrt(count / np.maximum(count - 1, 1)), 1.0)
    mean = mean_over(found, axis=0)
    return mean + stretched * (found - mean)


def _drawn_within(
    known: Bool[np.ndarray, "layers per_layer"], chance: np.random.Generator, replicates: int
) -> Int[np.ndarray, "replicates layers per_layer"]:
    """Numbers of units, drawn with replacement among the units of each layer that have a value, as many as there are.
    The other places of a layer, holes of the map or units without a value, stay unchanged."""
    layers, per_layer = known.shape
    order = np.argsort(~known, axis=1, kind="stable")
    count = known.sum(axis=1)[:, None]
    if known.all():
        place = chance.integers(per_layer, size=(replicates, layers, per_layer))
    else:
        place = chance.integers(np.maximum(count, 1), size=(replicates, layers, per_layer))
        place = np.where(np.arange(per_layer) < count, place, np.arange(per_layer))
    first = np.arange(layers)[:, None] * per_layer
    return first + np.take_along_axis(np.broadcast_to(order, place.shape), place, axis=2)


def _beyond_noise(own: np.ndarray, replicates: np.ndarray, layers: int) -> float:
    """The share of the variance of units within their layers that drawing prompts does not explain."""
    of_layer, drawn = own.reshape(layers, -1), replicates.reshape(len(replicates), layers, -1)
    spread = np.nansum((of_layer - mean_over(of_layer, axis=1)[:, None]) ** 2)
    noise = np.nansum(_variance(drawn - mean_over(drawn, axis=2)[..., None]))
    return float(max(1 - noise / spread, 0.0)) if spread > 0 else 0.0


def _variance(replicates: np.ndarray) -> np.ndarray:
    """Variance over the replicates that have a value."""
    known = np.isfinite(replicates)
    number = np.maximum(known.sum(axis=0), 2)
    mean = np.where(known, replicates, 0.0).sum(axis=0) / number
    return np.asarray(np.where(known, (replicates - mean) ** 2, 0.0).sum(axis=0) / (number - 1))


def _draws(
    unit_prompt: np.ndarray,
    unit_expected: np.ndarray,
    unit_balance: np.ndarray,
    unit_pairs: np.ndarray,
    chance: np.random.Generator,
    replicates: int,
    spread: np.ndarray | None,
) -> Iterator[UnitValues]:
    """Unit values of replicates that draw prompts with replacement, some at a time. A ranking needs only synergy,
    redundancy and the sum of the atoms, so only these are recomputed."""
    prompts, units = unit_expected.shape
    parts = [unit_prompt[..., STS], unit_prompt[..., RTR], unit_prompt.sum(axis=2), unit_expected, unit_balance]
    at_once = max(1, _ELEMENTS // (units * unit_prompt.shape[2]))
    for start in range(0, replicates, at_once):
        count = min(at_once, replicates - start)
        weights = chance.multinomial(prompts, np.full(prompts, 1 / prompts), size=count).astype(float)
        sts, rtr, tdmi, expected, balance = (_weighted(weights, part, unit_pairs) for part in parts)
        yield of_measures(sts, rtr, tdmi, balance, expected, spread)


def _weighted(weights: np.ndarray, part: np.ndarray, unit_pairs: np.ndarray) -> np.ndarray:
    """[replicates, units]: mean over the drawn prompts of a [prompts, units] array, each prompt weighted by the number
    of the unit's valid pairs in it: the published value is a mean over pairs, and the two must stay close when pairs
    are missing. (With all pairs valid they are the same.)"""
    counts = np.where(np.isfinite(part), unit_pairs, 0).astype(float)
    total = weights @ np.where(counts > 0, part * counts, 0.0)
    count = weights @ counts
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
