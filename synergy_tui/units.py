"""What a unit is called: layer.unit, as 3.1, or by a name of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from synergy_tui.errors import UsageError

NO_ORDER = "groups have no order in depth"
"""Why there is no middle, and no statement about a middle."""

MOST_PLACES = 1_000_000
"""Layers × places of a map."""

MOST_TOLD = 20
"""How many groups a message names."""


def two_sides(contrast: str) -> tuple[list[str], list[str]]:
    """The names of the groups on the two sides of a contrast: a,b:c,d. Raises UsageError when there are not two
    sides."""
    sides = [[one.strip() for one in side.split(",")] for side in contrast.split(":")]
    if len(sides) != 2 or not all(one for side in sides for one in side):
        raise UsageError(
            f"contrast {contrast[:60]!r} has no two sides", "name groups on both sides of a colon: a:b, or a,b:c,d"
        )
    return sides[0], sides[1]


class UnitName(NamedTuple):
    """A unit by its layer and its place in the layer, both from 0."""

    layer: int
    unit: int

    @classmethod
    def parse(cls, text: str, layers: int, per_layer: int) -> UnitName:
        """A unit of a map of that shape. Raises UsageError for a unit outside the map."""
        layer, _, unit = text.partition(".")
        known = all(part.isascii() and part.isdigit() and len(part) < 10 for part in (layer, unit))
        if not known or int(layer) >= layers or int(unit) >= per_layer:
            raise UsageError(
                f"no unit {text[:40]!r} among {layers} layers × {per_layer}", "name units as layer.unit: 3.1"
            )
        return cls(int(layer), int(unit))

    @classmethod
    def of(cls, number: int, per_layer: int) -> UnitName:
        """The unit with this number among all places of the map."""
        return cls(*divmod(number, per_layer))

    def number(self, per_layer: int) -> int:
        """Its number among all places of the map."""
        return self.layer * per_layer + self.unit

    def __str__(self) -> str:
        return f"{self.layer}.{self.unit}"


@dataclass(frozen=True)
class Naming:
    """The names of a capture's units and layers. groups: the name of every layer; empty where layers have only numbers.
    names: number among all places of the map → name, for the units that have one. deep: whether layers follow one
    another in depth; named groups do not. holes: numbers of the places of the map without a unit."""

    layers: int
    per_layer: int
    groups: tuple[str, ...] = ()
    names: Mapping[int, str] = field(default_factory=dict)
    deep: bool = True
    holes: frozenset[int] = frozenset()

    def number(self, text: str) -> int:
        """The unit with this name: layer.unit, group.unit or its own. Raises UsageError for a name that no unit has."""
        text = asked = text.strip()
        for number, name in self.names.items():
            if name == text:
                return number
        group, dot, unit = text.rpartition(".")
        if dot and group in self.groups:
            text = f"{self.groups.index(group)}.{unit}"
        try:
            found = UnitName.parse(text, self.layers, self.per_layer).number(self.per_layer)
            if found in self.holes:
                raise UsageError(f"no unit {asked[:40]} in this capture", "name units that the map shows")
            return found
        except UsageError as error:
            if not self.names and not self.groups:
                raise
            raise UsageError(error.what, "name units as layer.unit, group.unit, or by their name") from None

    def sides(self, contrast: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The layers on the two sides of a contrast, in ascending order. Raises UsageError for an unknown group, and
        for a group on both sides."""
        above, below = (tuple(sorted({self._layer_called(one) for one in side})) for side in two_sides(contrast))
        if both := sorted(set(above) & set(below)):
            what = f"{'group' if self.groups else 'layer'} {self.layer(both[0])}"
            raise UsageError(f"{what} is on both sides of the contrast", "leave it out on one side")
        return above, below

    def contrast(self, contrast: str) -> str:
        """The same contrast in one spelling: groups by name, or by number where a name contains a comma or a colon."""
        return ":".join(",".join(self.typed(layer) for layer in side) for side in self.sides(contrast))

    def compared(self, contrast: str) -> tuple[str, str]:
        """The two sides of a contrast in the words of a sentence: group a, groups c, d."""
        what = "group" if self.groups else "layer"
        above, below = (f"{what}{'s' if len(side) > 1 else ''} {', '.join(side)}" for side in two_sides(contrast))
        return above, below

    def _layer_called(self, text: str) -> int:
        if text in self.groups:
            return self.groups.index(text)
        if text.isascii() and text.isdigit() and len(text) < 10 and int(text) < self.layers:
            return int(text)
        if not self.groups:
            raise UsageError(f"no layer {text[:40]!r} among {self.layers}", "number layers from 0")
        some, rest = self.groups[:MOST_TOLD], len(self.groups) - MOST_TOLD
        more = f" and {rest} more" if rest > 0 else ""
        raise UsageError(f"no group {text[:40]!r}", f"known: {', '.join(some)}{more}")

    def typed(self, layer: int) -> str:
        """A layer as a contrast may name it."""
        name = self.layer(layer)
        return str(layer) if name != name.strip() or set(name) & set(",:") else name

    def unit(self, number: int) -> str:
        """A unit by its name, or as layer.unit."""
        return self.names.get(number) or str(UnitName.of(number, self.per_layer))

    def place(self, number: int) -> str:
        """Where a unit is: group.unit, or layer.unit where layers have only numbers."""
        layer, unit = UnitName.of(number, self.per_layer)
        return f"{self.layer(layer)}.{unit}"

    def called(self, number: int) -> str:
        """What people call a unit: its name, or its place if it has no name."""
        return self.names.get(number) or self.place(number)

    def told(self, number: int) -> str:
        """A unit's name followed by its place, or only its place."""
        name = self.names.get(number)
        return f"{name} ({self.place(number)})" if name else self.place(number)

    def layer(self, layer: int) -> str:
        """A layer by its group's name, or by its number."""
        return self.groups[layer] if self.groups else str(layer)
