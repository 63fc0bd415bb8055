"""A ranking → removal orders: targeted ones and the controls that tell a core from its depth (METHOD section 5)."""

from __future__ import annotations

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
        """The units removed at a fraction of all."""
        return self.units[: round(fraction * len(self.units))]


def make(
    names: list[str],
    raw: Float[np.ndarray, " units"],
    layer_of: Int[np.ndarray, " units"],
    seeds: int,
    seed: int,
) -> list[RemovalOrder]:
    """The orders named, controls once per seed; layer-matched once per seed and targeted order (synergy-first when none
    is named). Units without a value go last. Seeds are seed, seed + 1, …"""
    targeted = [RemovalOrder(name, _targeted(name, raw)) for name in names if name in TARGETED_ORDERS]
    made = list(targeted)
    if "random" in names:
        for number in range(seed, seed + seeds):
            made.append(RemovalOrder("random", np.random.default_rng(number).permutation(len(raw)), number))
    if "layer-matched" in names:
        for target in targeted or [RemovalOrder("synergy-first", _targeted("synergy-first", raw))]:
            for number in range(seed, seed + seeds):
                units = _within_layers(target.units, layer_of, np.random.default_rng(number))
                made.append(RemovalOrder("layer-matched", units, number, target.name))
    return made


def full_layers(removed: Int[np.ndarray, " removed"], layer_of: Int[np.ndarray, " units"]) -> int:
    """Layers all of whose units are removed: there a layer-matched control has no freedom."""
    size = np.bincount(layer_of)
    return int((np.bincount(layer_of[removed], minlength=len(size)) == size).sum())


def _targeted(name: str, raw: np.ndarray) -> np.ndarray:
    # argsort puts NaN last, which is where a unit without a value belongs in either direction.
    return np.argsort(-raw if name == "synergy-first" else raw, kind="stable")


def _within_layers(order: np.ndarray, layer_of: np.ndarray, chance: np.random.Generator) -> np.ndarray:
    """The order with units permuted within each layer: every fraction keeps its count per layer."""
    out = np.empty_like(order)
    layers = layer_of[order]
    for layer in np.unique(layers):
        places = np.flatnonzero(layers == layer)
        out[places] = chance.permutation(order[places])
    return out
