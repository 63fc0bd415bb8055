"""What a unit is called: layer.unit, as 3.1, or by a name of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from synergy_tui.errors import UsageError


class UnitName(NamedTuple):
    """A unit by its layer and its place in it, both from 0."""

    layer: int
    unit: int

    @classmethod
    def parse(cls, text: str, layers: int, per_layer: int) -> UnitName:
        """A unit of a map of that shape. Raises UsageError for one that is not there."""
        layer, _, unit = text.partition(".")
        known = all(part.isascii() and part.isdigit() and len(part) < 10 for part in (layer, unit))
        if not known or int(layer) >= layers or int(unit) >= per_layer:
            raise UsageError(
                f"no unit {text[:40]!r} among {layers} layers × {per_layer}", "name units as layer.unit: 3.1"
            )
        return cls(int(layer), int(unit))

    @classmethod
    def of(cls, number: int, per_layer: int) -> UnitName:
        """The unit with this number over all places of the map."""
        return cls(*divmod(number, per_layer))

    def number(self, per_layer: int) -> int:
        """Its number over all places of the map."""
        return self.layer * per_layer + self.unit

    def __str__(self) -> str:
        return f"{self.layer}.{self.unit}"


@dataclass(frozen=True)
class Naming:
    """What the units and the layers of a capture are called. groups: the name of every layer; empty where layers have
    numbers alone. names: number over all places of the map → name, of the units that have one. deep: whether layers
    follow one another in depth; named groups do not. holes: numbers of the places of the map without a unit."""

    layers: int
    per_layer: int
    groups: tuple[str, ...] = ()
    names: Mapping[int, str] = field(default_factory=dict)
    deep: bool = True
    holes: frozenset[int] = frozenset()

    def number(self, text: str) -> int:
        """The unit that is called so: layer.unit, group.unit or its name. Raises UsageError for one that is not
        there."""
        text = text.strip()
        for number, name in self.names.items():
            if name == text:
                return number
        group, dot, unit = text.rpartition(".")
        if dot and group in self.groups:
            text = f"{self.groups.index(group)}.{unit}"
        try:
            found = UnitName.parse(text, self.layers, self.per_layer).number(self.per_layer)
            if found in self.holes:
                raise UsageError(f"no unit {text[:40]!r}: that place of the map is empty", "name units as layer.unit")
            return found
        except UsageError as error:
            if not self.names and not self.groups:
                raise
            raise UsageError(error.what, "name units as layer.unit, group.unit, or by their name") from None

    def unit(self, number: int) -> str:
        """A unit by its name, or as layer.unit."""
        return self.names.get(number) or str(UnitName.of(number, self.per_layer))

    def place(self, number: int) -> str:
        """Where a unit is: group.unit, or layer.unit where layers have numbers alone."""
        layer, unit = UnitName.of(number, self.per_layer)
        return f"{self.layer(layer)}.{unit}"

    def called(self, number: int) -> str:
        """What people call a unit: its name, or its place where it has none."""
        return self.names.get(number) or self.place(number)

    def told(self, number: int) -> str:
        """A unit by its name with its place behind it, or by its place alone."""
        name = self.names.get(number)
        return f"{name} ({self.place(number)})" if name else self.place(number)

    def layer(self, layer: int) -> str:
        """A layer by its group's name, or by its number."""
        return self.groups[layer] if self.groups else str(layer)
