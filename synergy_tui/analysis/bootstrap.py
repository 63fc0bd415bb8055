"""The two-way bootstrap behind every interval: each replicate draws prompts, recomputes unit values and the ranking,
then draws units within each layer for the profile. Prompts alone would give intervals 2–4 times too narrow.

Every interval of the tool is of one kind: the estimate ± Student's t × the standard deviation of its replicates.
Percentiles of replicates need not contain the estimate: a prompt drawn twice is noise counted twice, which moves ranks,
shares and graph measures to one side.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.stats import t as student

from synergy_tui.analysis.profile import contrast, profile, sides
from synergy_tui.analysis.scores import UnitValues, of_measures, ranking, scaled
from synergy_tui.terms import RTR, STS

REPLICATES = 1000

LEVEL = 0.95

_ELEMENTS = 4_000_000
"""Most replicates × units × atoms held at once: 32 MB."""


@dataclass(frozen=True)
class Intervals:
    """Lower and upper ends [2, …] of 95 % intervals. Units: prompts drawn. Profile, contrast and sides (profile.SIDES):
    prompts and units."""

    units: Float[np.ndarray, "2 units"]
    profile: Float[np.ndarray, "2 layers"]
    contrast: Float[np.ndarray, " 2"]
    sides: Float[np.ndarray, "2 4"]


def ends(
    value: Float[np.ndarray, " *shape"], replicates: Float[np.ndarray, replicates * shape], count: int
) -> Float[np.ndarray, 2 * shape]:
    """The 95 % interval of a value with these replicates, drawn from `count` prompts: Student's with count − 1 degrees
    of freedom. NaN where fewer than half of the replicates have a value, or with fewer than two prompts."""
    known = np.isfinite(replicates)
    enough = (known.sum(axis=0) * 2 > len(replicates)) & (count > 1)
    filled = np.where(known, replicates, 0.0)
    number = np.maximum(known.sum(axis=0), 2)
    mean = filled.sum(axis=0) / number
    squares = np.where(known, (replicates - mean) ** 2, 0.0).sum(axis=0) / (number - 1)
    reach = student.ppf((1 + LEVEL) / 2, max(count - 1, 1)) * np.sqrt(squares * count / max(count - 1, 1))
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
) -> Intervals:
    """Intervals of one ranking of `values`, all on the scaled value; NaN with a single prompt, which has no spread, and
    so where prompts are pooled. `unit_expected`: see UnitValues; a surrogate mean is the same in every prompt."""
    # A prompt without any valid pair is no prompt to draw: with it a single one would seem to have no spread at all.
    drawn = unit_pairs.any(axis=1)
    unit_prompt, unit_expected, unit_balance, unit_pairs = (
        part[drawn] for part in (unit_prompt, unit_expected, unit_balance, unit_pairs)
    )
    prompts, units = unit_expected.shape
    if prompts < 2:
        nothing = np.full((2, units), np.nan)
        return Intervals(nothing, np.full((2, layers), np.nan), np.full(2, np.nan), np.full((2, 4), np.nan))
    chance = np.random.default_rng(seed)
    by_unit, by_layer = [], []
    for some in _draws(unit_prompt, unit_expected, unit_balance, unit_pairs, chance, replicates, values.spread):
        value = scaled(ranking(name, some))
        by_unit.append(value.astype(np.float32))
        by_layer.append(profile(_draw_units(value, layers, chance), layers))
    layered = np.concatenate(by_layer)
    own = scaled(ranking(name, values))
    shown = profile(own, layers)
    # A scaled value, and a mean of some, lies between 0 and 1.
    of_units, of_layers = (
        ends(value, some, prompts).clip(0, 1) for value, some in ((own, np.concatenate(by_unit)), (shown, layered))
    )
    return Intervals(
        of_units,
        of_layers,
        ends(contrast(shown), contrast(layered), prompts),
        ends(sides(shown), sides(layered), prompts),
    )


def _draws(
    unit_prompt: np.ndarray,
    unit_expected: np.ndarray,
    unit_balance: np.ndarray,
    unit_pairs: np.ndarray,
    chance: np.random.Generator,
    replicates: int,
    spread: np.ndarray | None,
) -> Iterator[UnitValues]:
    """Unit values of replicates that draw prompts with replacement, some at a time. Of the atoms a ranking needs the
    synergy, the redundancy and the sum, so those alone are recomputed."""
    prompts, units = unit_expected.shape
    parts = [unit_prompt[..., STS], unit_prompt[..., RTR], unit_prompt.sum(axis=2), unit_expected, unit_balance]
    at_once = max(1, _ELEMENTS // (units * unit_prompt.shape[2]))
    for start in range(0, replicates, at_once):
        count = min(at_once, replicates - start)
        weights = chance.multinomial(prompts, np.full(prompts, 1 / prompts), size=count).astype(float)
        sts, rtr, tdmi, expected, balance = (_weighted(weights, part, unit_pairs) for part in parts)
        yield of_measures(sts, rtr, tdmi, balance, expected, spread)


def _weighted(weights: np.ndarray, part: np.ndarray, unit_pairs: np.ndarray) -> np.ndarray:
    """[replicates, units]: mean over the drawn prompts of a [prompts, units] array, a prompt counting as often as the
    unit has valid pairs in it: the published value is a mean over pairs, and where pairs are missing the two must stay
    close. (With all pairs valid they are the same.)"""
    counts = np.where(np.isfinite(part), unit_pairs, 0).astype(float)
    total = weights @ np.where(counts > 0, part * counts, 0.0)
    count = weights @ counts
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)


def _draw_units(value: np.ndarray, layers: int, chance: np.random.Generator) -> np.ndarray:
    replicates, units = value.shape
    per_layer = units // layers
    chosen = chance.integers(per_layer, size=(replicates, layers, per_layer))
    return np.take_along_axis(value.reshape(replicates, layers, per_layer), chosen, axis=2).reshape(replicates, units)
