"""A ranking → removal orders: targeted ones, and the controls that separate a core from its depth (docs/method.md,
section 5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from synergy_tui.terms import TARGETED_ORDERS


@dataclass(frozen=True)
class RemovalOrder:
    """All units of a model, first removed first. seed: the control's number, None for a targeted order. target: the
    order whose counts per layer a layer-matched one keeps."""

    name: str
    units: Int[np.ndarray, " units"]
    seed: int | None = None
    target: str | None = None

    def first(self, fraction: float) -> Int[np.ndarray, " removed"]:
        """The units removed at this fraction of all, their number rounded half up."""
        return self.units[: int(np.floor(fraction * len(self.units) + 0.5))]


def make(
    names: list[str],
    raw: Float[np.ndarray, " units"],
    tie_break: Float[np.ndarray, " units"],
    layer_of: Int[np.ndarray, " units"],
    seeds: int,
    seed: int,
    marked: Sequence[int] = (),
    rankings: Mapping[str, Float[np.ndarray, " units"]] | None = None,
) -> list[RemovalOrder]:
    """The orders named, controls once per seed; layer-matched once per seed and targeted order (synergy-first when
    none is named). In the `marked` order those units come first. Equal ranks are ordered by `tie_break`, not by layer.
    `rankings`: raw values behind orders named RANKING-first or -last. Units without a value go last in every order,
    including controls: otherwise only one side would spare them. Seeds are seed, seed + 1, …"""
    known = np.isfinite(raw)
    units_known = _Known(raw, tie_break, layer_of, marked)
    targeted = [
        RemovalOrder(name, _order_of(name, units_known, rankings or {})) for name in names if name in TARGETED_ORDERS
    ]
    made = list(targeted)
    if "random" in names:
        for number in range(seed, seed + seeds):
            units = np.random.default_rng(number).permutation(len(raw))
            made.append(RemovalOrder("random", units[np.argsort(~known[units], kind="stable")], number))
    if "layer-matched" in names:
        for target in targeted or [RemovalOrder("synergy-first", _order_of("synergy-first", units_known, {}))]:
            for number in range(seed, seed + seeds):
                units = _within_layers(target.units, layer_of, known, np.random.default_rng(number))
                made.append(RemovalOrder("layer-matched", units, number, target.name))
    return made


@dataclass(frozen=True)
class _Known:
    """What a targeted order needs: raw values with tie-breakers, and the layers and marks of the units."""

    raw: np.ndarray
    tie_break: np.ndarray
    layer_of: np.ndarray
    marked: Sequence[int]


_TARGETED: dict[str, Callable[[_Known], np.ndarray]] = {
    "synergy-first": lambda known: _by_value(known.raw, known.tie_break, -1),
    "redundancy-first": lambda known: _by_value(known.raw, known.tie_break, 1),
    "marked": lambda known: _marked(known.marked, known.raw, known.tie_break),
}
"""An order's name → all units, in order of removal. RANKING-first and -last are made from rankings."""


def _order_of(name: str, known: _Known, rankings: Mapping[str, np.ndarray]) -> np.ndarray:
    if name in _TARGETED:
        return _TARGETED[name](known)
    ranking, _, end = name.rpartition("-")
    return _by_value(rankings[ranking], known.tie_break, -1 if end == "first" else 1)


def full_layers(removed: Int[np.ndarray, " removed"], layer_of: Int[np.ndarray, " units"]) -> int:
    """Number of layers whose units are all removed: there a layer-matched control has no freedom."""
    size = np.bincount(layer_of)
    return int(((np.bincount(layer_of[removed], minlength=len(size)) == size) & (size > 0)).sum())


def _by_value(raw: np.ndarray, tie_break: np.ndarray, sign: int) -> np.ndarray:
    # lexsort puts NaN last, where a unit without a value belongs in either direction.
    return np.lexsort((sign * tie_break, sign * raw))


def _marked(marked: Sequence[int], raw: np.ndarray, tie_break: np.ndarray) -> np.ndarray:
    order = _by_value(raw, tie_break, -1)
    chosen = np.isin(order, np.array(marked, int))
    return np.concatenate([order[chosen], order[~chosen]])


def _within_layers(
    order: np.ndarray, layer_of: np.ndarray, known: np.ndarray, chance: np.random.Generator
) -> np.ndarray:
    """The order with known units permuted within each layer: every fraction keeps its count per layer."""
    out = order.copy()
    layers = layer_of[order]
    for layer in np.unique(layers):
        places = np.flatnonzero((layers == layer) & known[order])
        out[places] = chance.permutation(order[places])
    return out
