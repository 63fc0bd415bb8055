"""Series in memory → a capture that has everything except a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from synergy_tui.errors import UsageError
from synergy_tui.incoming.mapping import Units
from synergy_tui.incoming.source import Arrays, Response, checked
from synergy_tui.incoming.taking import Called, take
from synergy_tui.store.cache import Cache


def import_series(
    cache: Cache,
    series: np.ndarray | Sequence[np.ndarray],
    layers: Sequence[int] | np.ndarray | None = None,
    heads: Sequence[int] | np.ndarray | None = None,
    *,
    name: str = "imported",
    place: str = "",
    min_steps: int = 20,
    recipe: str = "",
    names: Sequence[str | None] | None = None,
    groups: Sequence[str] | None = None,
    more: Sequence[dict[str, Any] | None] | None = None,
    deep: bool = True,
    ids: Sequence[str] | None = None,
    categories: Sequence[str] | None = None,
    texts: Sequence[str | None] | None = None,
    zeros: str = "values",
    repeats: str = "refuse",
) -> str:
    """Imports an array [prompts, units, steps], NaN past a response's end, or a list of arrays [units, steps] of any
    numbers of steps, and returns the capture's id.

    layers, heads: numbers of each unit's layer and of its place in it, which stay its name; without layers the groups
    are the layers, and without either all units are in one; without heads units are numbered from 0 within their layer.
    names: of units, or None. groups: name of each unit's layer. more: other facts about each unit. deep: whether layers
    follow one another in depth; groups without layers do not. ids, categories, texts: of prompts. zeros: what exact
    zeros in all units at the end of a response mean, "values" or "missing". repeats: "refuse", or "drop" keeps the
    first of prompts that repeat one another. A response of fewer than `min_steps` steps is kept but not analysed.
    Series that are too fine for float32 are kept in float64.

    Raises UsageError on another shape or type, prompts that repeat one another, and several units of one name.
    """
    each = _each(series)
    check_units(len(each[0]))
    for what, some in (("ids", ids), ("categories", categories), ("texts", texts)):
        if some is not None and len(some) != len(each):
            raise UsageError(f"{len(some)} {what} for {len(each)} prompts", "give one for each")
    responses = [
        Response(
            str(k) if ids is None else str(ids[k]),
            values,
            "" if categories is None else str(categories[k]),
            None if texts is None else texts[k],
        )
        for k, values in enumerate(each)
    ]
    units = Units.made(len(each[0]), layers, heads, names, groups, more, deep)
    return take(cache, Arrays(responses), lambda: units, Called(name, place, min_steps, recipe, zeros, repeats))


def check_units(count: int) -> None:
    """Raises UsageError for too few units."""
    if count < 2:
        raise UsageError("a series of one unit has no pairs", "give two units or more")


def _each(series: np.ndarray | Sequence[np.ndarray]) -> list[np.ndarray]:
    """Arrays [units, steps]."""
    if isinstance(series, np.ndarray) and series.dtype != object:
        found = checked(series)
        return list(found if found.ndim == 3 else found[None])
    each = [checked(one) for one in series]
    if not each or any(one.ndim != 2 for one in each):
        raise UsageError("a list of series holds arrays [units, steps]", "give one for each prompt")
    if len({len(one) for one in each}) > 1:
        told = ", ".join(str(list(one.shape)) for one in each[:5])
        raise UsageError(f"prompts have unequal numbers of units: {told}", "take units that all prompts have")
    return each
