"""The name of a unit: layer.unit, as 3.1."""

from __future__ import annotations

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
