"""Removal orders → the sets of units that are removed together. Pure: equal arguments always give equal sets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from synergy_tui.ablation import orders as removal
from synergy_tui.ablation.condition import Condition
from synergy_tui.terms import SWEEPS


def conditions(
    orders: Sequence[str],
    values: Mapping[str, np.ndarray],
    ranking: str,
    layer_of: Mapping[int, int],
    seeds: int,
    seed: int,
    fractions: Sequence[float],
    marked: Sequence[int] = (),
) -> tuple[Condition, ...]:
    """The conditions of some removal orders, in the order in which they are measured.

    values: raw values [places] of every ranking at each place of the map. ranking: the one behind synergy-first and
    redundancy-first. layer_of: the layer of every existing unit, by its place. seeds: draws of each control, from
    `seed` on. fractions: of all units, ascending. marked: places of the user's set.
    """
    # Orders cover only existing units; if layers differ in size, some places of the map are empty.
    there, layers = np.array(list(layer_of)), np.array(list(layer_of.values()))
    known = {name: one[there] for name, one in values.items()}
    numbers = np.searchsorted(there, marked).tolist() if len(marked) else []
    made = removal.make(list(orders), known[ranking], known["difference"], layers, seeds, seed, numbers, known)
    share = len(numbers) / len(there)
    out = [
        Condition(one.name, one.target, one.seed, fraction, tuple(there[one.first(fraction)].tolist()))
        for one in made
        for fraction in shares_of(one.name, one.target, fractions, share)
    ]
    if SWEEPS[0] in orders:
        out += single_units(layer_of)
    if SWEEPS[1] in orders:
        for layer in np.unique(layers).tolist():
            out.append(Condition(SWEEPS[1], None, None, None, tuple(there[layers == layer].tolist()), layer))
    return tuple(out)


def single_units(units: Iterable[int]) -> list[Condition]:
    """Each unit alone."""
    return [Condition(SWEEPS[0], None, None, None, (unit,), unit) for unit in units]


def shares_of(order: str, target: str | None, fractions: Sequence[float], marked: float) -> list[float]:
    """The fractions at which an order is measured. `marked`: share of all units in the marked set, 0 without one. The
    set and its controls are measured whole, and its curve ends there."""
    if "marked" in (order, target):
        return [*(one for one in fractions if one < marked), marked]
    return sorted({*fractions, marked}) if order == "random" and marked else list(fractions)
