"""A table of units → the names of layers, groups and units."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from synergy_tui.errors import UsageError
from synergy_tui.incoming.blocks import read_table
from synergy_tui.incoming.source import listed
from synergy_tui.units import MOST_PLACES

MOST = 32_767
"""Most layers, and most places in a layer: bulk files have 16 bits for them."""

RESERVED = ("layer", "head", "unit_index", "group", "name")
"""Columns of a table of units with a meaning; all others are kept as they are."""


@dataclass(frozen=True, eq=False)
class Units:
    """The places of a series' units on the map, and their names. All are in the order of the series, except `places`.
    layer, unit: numbers from 0. groups: name of each unit's layer; empty if layers have only numbers. names, more: of
    each unit; empty if no unit has any. deep: whether layers follow one another in depth."""

    layer: np.ndarray
    unit: np.ndarray
    groups: tuple[str, ...] = ()
    names: tuple[str | None, ...] = ()
    more: tuple[dict[str, Any] | None, ...] = ()
    deep: bool = True
    notes: list[str] = field(default_factory=list)

    @classmethod
    def made(
        cls,
        count: int,
        layers: Sequence[int] | np.ndarray | None = None,
        heads: Sequence[int] | np.ndarray | None = None,
        names: Sequence[str | None] | None = None,
        groups: Sequence[str] | None = None,
        more: Sequence[dict[str, Any] | None] | None = None,
        deep: bool = True,
        sequence: np.ndarray | None = None,
    ) -> Units:
        """The units of a series of `count`. Without layers, the groups, in order of first appearance, become layers
        without depth; without either, all units are in one layer. Without heads, units are numbered within their layer
        in the order of the series. sequence: place of each unit in the table in which groups first appear; by default
        the series' own order. Raises UsageError."""
        for what, some in (("layers", layers), ("heads", heads), ("names", names), ("groups", groups), ("more", more)):
            if some is not None and len(some) != count:
                raise UsageError(
                    f"{len(some)} {what} in the table and {count} units in the series", "give a row for each unit"
                )
        sequence = np.arange(count) if sequence is None else sequence
        in_order = np.argsort(sequence, kind="stable")
        called = tuple(map(str, groups)) if groups is not None else ()
        if layers is None and called:
            number = {name: k for k, name in enumerate(dict.fromkeys(called[k] for k in in_order.tolist()))}
            layer, deep = np.array([number[name] for name in called]), False
        else:
            layer = np.zeros(count, np.int64) if layers is None else np.asarray(layers).astype(np.int64)
        if heads is None:
            unit = np.empty(count, np.int64)
            for one in np.unique(layer).tolist():
                members = np.flatnonzero(layer == one)
                unit[members] = np.arange(len(members))
        else:
            unit = np.asarray(heads).astype(np.int64)
        _check_places(layer, unit)
        _check_groups(layer, called)
        out = cls(layer, unit, called, tuple(names or ()), tuple(more or ()), deep)
        out._check_names()
        return cls(out.layer, out.unit, out.groups, out.names, out.more, deep, out._told())

    @cached_property
    def count(self) -> int:
        """Number of units."""
        return len(self.layer)

    @cached_property
    def layers(self) -> int:
        """Number of layers, including layers without a unit."""
        return int(self.layer.max()) + 1

    @cached_property
    def per_layer(self) -> int:
        """Most places in a layer."""
        return int(self.unit.max()) + 1

    @cached_property
    def order(self) -> np.ndarray:
        """Numbers of the units in the series, in the order of the map."""
        return np.lexsort((self.unit, self.layer))

    @cached_property
    def places(self) -> np.ndarray:
        """Numbers of the units over all places of the map, in its order."""
        return (self.layer * self.per_layer + self.unit)[self.order]

    def called(self, number: int) -> str:
        """The name of the unit with this number in the series."""
        own = self.names[number] if self.names else None
        return own or f"{self.layer[number]}.{self.unit[number]}"

    def rows(self, capture: str) -> list[dict[str, Any]]:
        """Rows of the table units."""
        deepest = max(self.layers - 1, 1)
        return [
            {
                "capture": capture,
                "unit_index": int(self.layer[one] * self.per_layer + self.unit[one]),
                "layer": int(self.layer[one]),
                "unit": int(self.unit[one]),
                "kind": "imported",
                "depth": float(self.layer[one] / deepest) if self.deep else None,
                "name": self.names[one] if self.names else None,
                "group_name": self.groups[one] if self.groups else None,
                "more": json.dumps(self.more[one]) if self.more and self.more[one] else None,
            }
            for one in self.order.tolist()
        ]

    def _check_names(self) -> None:
        own = {f"{layer}.{unit}": k for k, (layer, unit) in enumerate(zip(self.layer, self.unit, strict=True))}
        if self.groups:
            own |= {f"{group}.{unit}": k for k, (group, unit) in enumerate(zip(self.groups, self.unit, strict=True))}
        given = [name for name in self.names if name is not None]
        twice = [name for name, times in Counter(given).items() if times > 1]
        if twice:
            raise UsageError(f"several units have one name: {_shown(twice)}", "give each a name of its own")
        for number, name in enumerate(self.names):
            if name is not None and name != name.strip():
                raise UsageError(f"the name {name[:40]!r} begins or ends with a blank", "take it off")
            if name is not None and own.get(name, number) != number:
                other = own[name]
                raise UsageError(
                    f"unit {self.layer[number]}.{self.unit[number]} has the name {name[:40]!r}, which is what unit "
                    f"{self.layer[other]}.{self.unit[other]} is called without one",
                    "give it another name",
                )

    def _told(self) -> list[str]:
        """Remarks about the groups."""
        if not self.groups:
            return []
        alone = [name for name, times in Counter(self.groups).items() if times == 1]
        return [f"{len(alone)} groups have one unit, and no pair within them: {listed(alone)}"] if alone else []


def _check_places(layer: np.ndarray, unit: np.ndarray) -> None:
    count, per_layer = int(layer.max()) + 1, int(unit.max()) + 1
    most = max(count, per_layer)
    if layer.min() < 0 or unit.min() < 0 or count * per_layer > MOST_PLACES or most > MOST:
        raise UsageError(
            f"units lie on {count:,} layers × {per_layer:,} places, from {layer.min()}.{unit.min()} on",
            "number layers and heads from 0" if most <= MOST else f"a layer holds {MOST:,} units: put them in groups",
        )
    places = layer.astype(np.int64) * per_layer + unit
    if len(np.unique(places)) < len(places):
        found, times = np.unique(places, return_counts=True)
        twice = [f"{one // per_layer}.{one % per_layer}" for one in found[times > 1].tolist()]
        raise UsageError(f"several units have the same layer and head: {listed(twice)}", "give each a row of its own")


def _check_groups(layer: np.ndarray, groups: tuple[str, ...]) -> None:
    if not groups:
        return
    of_layer: dict[int, str] = {}
    of_group: dict[str, int] = {}
    for number, name in zip(layer.tolist(), groups, strict=True):
        if of_layer.setdefault(number, name) != name:
            told = f"layer {number} is called {of_layer[number][:40]!r} and {name[:40]!r}"
            raise UsageError(told, "give a layer one name, or leave the column layer out")
        if of_group.setdefault(name, number) != number:
            told = f"group {name[:40]!r} is layer {of_group[name]} and layer {number}"
            raise UsageError(told, "give groups names of their own, or leave the column layer out")
    for name, number in of_group.items():
        if any(sign in name for sign in ":,") or name != name.strip():
            raise UsageError(
                f"group {name[:40]!r} has a colon, a comma or a blank at its end",
                "give it another name: --contrast names groups with commas between them",
            )
        if name.isascii() and name.isdigit() and name != str(number):
            raise UsageError(
                f"group {name[:40]!r} would be taken for a layer's number",
                f"call it net-{name[:40]}, or let its column be layer",
            )


def read_units(file: Path, count: int, places: tuple[np.ndarray, np.ndarray] | None = None) -> Units:
    """The units of a series of `count` from a .csv, .tsv or .parquet table: columns layer or group or both, optionally
    head, name and others, and a row for each unit, in the order of the series, or by a column unit_index. places: layer
    and head of each unit, if the series names them: these assign the rows. Raises UsageError for another table."""
    table = read_table(file, text=("group", "name"))
    columns = table.column_names
    twice = [name for name, times in Counter(columns).items() if times > 1]
    if twice:
        raise UsageError(f"{file} has several columns {_shown(twice)}", "keep one of each")
    if not {"layer", "group"} & set(columns) or len(table) != count:
        told = _shown(columns)
        raise UsageError(
            f"{file} has {len(table)} rows and the columns {told}",
            f"give a column layer or group, and {count} rows, one for each unit",
        )
    layer, head = (_whole_numbers(table, name, file) for name in ("layer", "head"))
    index = _whole_numbers(table, "unit_index", file)
    groups = _texts(table, "group")
    if groups is not None and None in groups:
        lines = [str(k + 2) for k, name in enumerate(groups) if name is None]
        raise UsageError(
            f"{file}: {len(lines)} units have no group, in lines {listed(lines)}", "give each unit a group"
        )
    if index is not None:
        if sorted(index.tolist()) != list(range(count)):
            raise UsageError(
                f"{file}: unit_index is not 0 to {count - 1}, each once", "number the units as the series does"
            )
        row_of = np.argsort(index)
    elif places is not None and layer is not None and head is not None:
        row_of = _rows_of(places, layer, head, file)
    else:
        row_of = np.arange(count)
    names = _texts(table, "name")
    others = [name for name in columns if name not in RESERVED]
    more = _more(table.select(others)) if others else None
    of = row_of.tolist()
    if places is not None and layer is None and index is None and head is None:
        raise UsageError(f"{file} does not say which unit a row is", "add the columns layer and head, or unit_index")
    return Units.made(
        count,
        None if layer is None else layer[row_of],
        None if head is None else head[row_of],
        None if names is None else [names[k] for k in of],
        None if groups is None else [groups[k] or "" for k in of],
        None if more is None else [more[k] for k in of],
        sequence=row_of,
    )


def _rows_of(places: tuple[np.ndarray, np.ndarray], layer: np.ndarray, head: np.ndarray, file: Path) -> np.ndarray:
    """The row of each unit of a series that names layers and heads."""
    row = {place: k for k, place in enumerate(zip(layer.tolist(), head.tolist(), strict=True))}
    wanted = list(zip(places[0].tolist(), places[1].tolist(), strict=True))
    missing = [f"{one}.{other}" for one, other in wanted if (one, other) not in row]
    if missing:
        raise UsageError(f"{file} has no row for {listed(missing)}", "give each unit of the series a row")
    return np.array([row[place] for place in wanted])


def _whole_numbers(table: pa.Table, name: str, file: Path) -> np.ndarray | None:
    if name not in table.column_names:
        return None
    column = table[name]
    if column.null_count:
        lines = [str(k + 2) for k, value in enumerate(column.to_pylist()) if value is None]
        raise UsageError(f"{file}: {len(lines)} units have no {name}, in lines {listed(lines)}", f"give each a {name}")
    found = column.to_numpy(zero_copy_only=False)
    if found.dtype.kind not in "iu":
        raise UsageError(f"{file}: {name} is {found.dtype}, not a whole number", "number them from 0")
    return np.asarray(found)


def _texts(table: pa.Table, name: str) -> list[str | None] | None:
    """A column as texts; None for empty cells."""
    if name not in table.column_names:
        return None
    return [None if value is None or not str(value).strip() else str(value) for value in table[name].to_pylist()]


def _more(table: pa.Table) -> list[dict[str, Any]]:
    def plain(value: Any) -> Any:
        if isinstance(value, float) and not np.isfinite(value):
            return None
        return value if value is None or isinstance(value, str | int | float | bool) else str(value)

    return [{name: plain(value) for name, value in row.items()} for row in table.to_pylist()]


def _shown(names: Sequence[str]) -> str:
    told = ", ".join(names)
    return told if len(told) <= 80 else f"{told[:80]}…"
