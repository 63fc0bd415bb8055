"""The two-way bootstrap behind every interval: each replicate draws prompts, recomputes unit values and the ranking,
then draws units within each layer for the profile. Prompts alone would give intervals 2–4 times too narrow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from synergy_tui.analysis.profile import contrast, profile
from synergy_tui.analysis.scores import UnitValues, ranking, scaled
from synergy_tui.terms import RTR, STS

REPLICATES = 1000
INTERVAL = (2.5, 97.5)

_ELEMENTS = 4_000_000
"""Most replicates × units × atoms held at once: 32 MB."""


@dataclass(frozen=True)
class Intervals:
    """Lower and upper ends [2, …] of 95 % intervals. Units: prompts drawn. Profile and contrast: prompts and units."""

    units: Float[np.ndarray, "2 units"]
    profile: Float[np.ndarray, "2 layers"]
    contrast: Float[np.ndarray, " 2"]


def intervals(
    name: str,
    unit_prompt: Float[np.ndarray, "prompts units 16"],
    unit_expected: Float[np.ndarray, "prompts units"],
    unit_balance: Float[np.ndarray, "prompts units"],
    unit_pairs: Int[np.ndarray, "prompts units"],
    layers: int,
    seed: int = 0,
    replicates: int = REPLICATES,
    spread: Float[np.ndarray, " units"] | None = None,
) -> Intervals:
    """Percentile intervals of one ranking, all on the scaled value; NaN with a single prompt, which has no spread, and
    so where prompts are pooled. `unit_expected`, `spread`: see UnitValues; a surrogate mean is the same in every
    prompt."""
    # A prompt without any valid pair is no prompt to draw: with it a single one would seem to have no spread at all.
    drawn = unit_pairs.any(axis=1)
    unit_prompt, unit_expected, unit_balance, unit_pairs = (
        part[drawn] for part in (unit_prompt, unit_expected, unit_balance, unit_pairs)
    )
    prompts, units = unit_expected.shape
    if prompts < 2:
        nothing = np.full((2, units), np.nan)
        return Intervals(nothing, np.full((2, layers), np.nan), np.full(2, np.nan))
    chance = np.random.default_rng(seed)
    by_unit, by_layer, contrasts = [], [], []
    for values in _draws(unit_prompt, unit_expected, unit_balance, unit_pairs, chance, replicates, spread):
        value = scaled(ranking(name, values))
        by_unit.append(value.astype(np.float32))
        resampled = profile(_draw_units(value, layers, chance), layers)
        by_layer.append(resampled)
        contrasts.append(contrast(resampled))
    return Intervals(_ends(np.concatenate(by_unit)), _ends(np.concatenate(by_layer)), _ends(np.concatenate(contrasts)))


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
        atoms = np.zeros((*sts.shape, unit_prompt.shape[2]))
        atoms[..., STS], atoms[..., RTR] = sts, rtr
        atoms[..., STS - 1] = tdmi - sts - rtr  # the rest of the sum, wherever it stands
        yield UnitValues(atoms, expected, balance, spread)


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


def _ends(replicates: np.ndarray) -> np.ndarray:
    """Percentiles over replicates, of those that have a value; NaN where none has."""
    out = np.full((2, *replicates.shape[1:]), np.nan)
    known = np.isfinite(replicates).any(axis=0)
    out[:, known] = np.nanpercentile(replicates[:, known], INTERVAL, axis=0)
    return out
