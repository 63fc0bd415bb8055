"""Series of named groups of unequal size, one coupled in synergy and one in redundancy, as an imported capture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from conftest import ar1

from synergy_tui.incoming.series import import_series
from synergy_tui.store.cache import Cache

SIZES = {"assoc": 6, "sensory": 4, "rest": 3}


def planted(chance: np.random.Generator, prompts: int = 10, steps: int = 120) -> np.ndarray:
    """[prompts, 13, steps]. assoc: white noise that all share and hides a slow process, which the difference of two
    units tells. sensory: nearly the same slow process. rest: independent."""
    hidden, shared = (ar1(chance, (prompts, 1, steps), 0.9) * np.sqrt(1 - 0.81) for _ in range(2))
    loads = np.linspace(-0.3, 0.5, SIZES["assoc"])[:, None]
    white = chance.normal(size=(prompts, 1, steps))
    assoc = white + loads * hidden + 0.03 * chance.normal(size=(prompts, SIZES["assoc"], steps))
    sensory = 0.95 * shared + 0.31 * chance.normal(size=(prompts, SIZES["sensory"], steps))
    return np.concatenate([assoc, sensory, ar1(chance, (prompts, SIZES["rest"], steps), 0.5)], axis=1)


def import_groups(
    cache: Cache, series: np.ndarray, sizes: dict[str, int], names: Sequence[str] | None = None, name: str = "brain"
) -> str:
    """Imports series whose units come group by group; the groups have no order in depth. names: of the units, in their
    order."""
    layers = np.repeat(np.arange(len(sizes)), list(sizes.values()))
    heads = np.concatenate([np.arange(size) for size in sizes.values()])
    capture = import_series(cache, series, layers, heads, name=name)
    with cache.write() as con:
        for layer, group in enumerate(sizes):
            query = "UPDATE units SET group_name = ?, depth = NULL WHERE capture = ? AND layer = ?"
            con.execute(query, [group, capture, layer])
        for place, unit in enumerate(names or ()):
            query = "UPDATE units SET name = ? WHERE capture = ? AND layer = ? AND unit = ?"
            con.execute(query, [unit, capture, int(layers[place]), int(heads[place])])
    return capture
