"""The layer × unit map, each layer's profile on its rows. Draws the rows in sight; a move of the cursor repaints two
cells."""

from __future__ import annotations

import math
import textwrap
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from synergy_tui.drawing import scale
from synergy_tui.drawing.atlas import PROFILE_WIDTH, bar
from synergy_tui.explorer.widgets.ink import Ink

if TYPE_CHECKING:
    import numpy as np

INTERVAL_WIDTH = 21
"""Columns of a profile's numbers, beside its bar."""


@dataclass(frozen=True)
class Picture:
    """What the map draws. colour [layers, units]: in [0, 1], NaN for no value. masked, marked [layers, units] bool.
    diverging: which scale. profile: rows with value, low, high; centre, reach: of their bars."""

    colour: np.ndarray
    masked: np.ndarray
    marked: np.ndarray
    diverging: bool
    profile: list[dict[str, Any]]
    centre: float
    reach: float


class LayerMap(Widget, can_focus=True):
    """`show` gives it a picture, `point` a cursor; it answers with Pointed when the mouse chooses a unit."""

    class Pointed(Message):
        """A unit was clicked."""

        def __init__(self, layer: int, unit: int) -> None:
            super().__init__()
            self.layer, self.unit = layer, unit

    def __init__(self, ink: Ink, id: str | None = None) -> None:
        super().__init__(id=id)
        self.ink = ink
        self.with_profile = True
        self.note = ""
        self.picture: Picture | None = None
        self.cursor = (0, 0)
        self.corner: tuple[int, int] | None = None
        self._first = (0, 0)  # the first layer and unit in sight
        self._measure()

    def say(self, note: str) -> None:
        """Words in the place of a map."""
        self.picture, self.note = None, note
        self.refresh()

    def show(self, picture: Picture, cursor: tuple[int, int], corner: tuple[int, int] | None = None) -> None:
        """Draws another picture."""
        self.picture, self.cursor, self.corner = picture, cursor, corner
        self._measure()
        self._follow()
        self.refresh()

    def point(self, cursor: tuple[int, int]) -> None:
        """Moves the cursor; repaints the cells it leaves and enters, or all when the view has to follow it."""
        before, self.cursor = self.cursor, cursor
        if self._follow() or self.corner is not None:
            self.refresh()
            return
        cells = [region for one in (before, cursor) if (region := self._region(*one))]
        labels = [Region(0, one.y, self._margin, 1) for one in cells] if before[0] != cursor[0] else []
        self.refresh(*cells, *labels)

    def _measure(self) -> None:
        """Columns of a unit, whether two layers share a row, columns of the profile: for this picture in this size."""
        self.cell, self.profile_width, self.stacked = 1, 0, False
        if self.picture is None:
            return
        layers, units = self.picture.colour.shape
        for size in (3, 2, 1):
            self.cell, self.profile_width = size, self._profile_fits(size)
            if units * size <= self._room(self.profile_width):
                break
        self.stacked = bool(self.ink.upper_half) and layers > self._rows

    @property
    def _rows(self) -> int:
        return max(self.content_size.height - 1, 1)

    @property
    def _margin(self) -> int:
        layers = self.picture.colour.shape[0] if self.picture is not None else 1
        return len(str(layers - 1)) + 2

    def _profile_fits(self, cell: int) -> int:
        if not self.with_profile or self.picture is None:
            return 0
        taken = self._margin + self.picture.colour.shape[1] * cell + 1
        for width in (PROFILE_WIDTH + INTERVAL_WIDTH, PROFILE_WIDTH + 6):
            if taken + width <= self.content_size.width:
                return width + 1
        return 0

    def _room(self, profile: int) -> int:
        return max(self.content_size.width - self._margin - profile, 1)

    def _in_sight(self) -> tuple[int, int]:
        """Layers and units that fit."""
        return self._rows * (2 if self.stacked else 1), max(self._room(self.profile_width) // self.cell, 1)

    def _follow(self) -> bool:
        """Brings the cursor into sight; whether the view had to move. It moves by half its size, not by a row at a
        time: a repaint is dear."""
        if self.picture is None:
            return False
        before, moved = self._first, []
        counts = self.picture.colour.shape
        for place, first, room, count in zip(self.cursor, self._first, self._in_sight(), counts, strict=True):
            if count <= room:
                first = 0
            elif not first <= place < first + room:
                first = place - room // 2
            moved.append(min(max(first, 0), max(count - room, 0)))
        if self.stacked:
            moved[0] -= moved[0] % 2
        self._first = (moved[0], moved[1])
        return self._first != before

    def _region(self, layer: int, unit: int) -> Region | None:
        row = (layer - self._first[0]) // (2 if self.stacked else 1)
        column = (unit - self._first[1]) * self.cell
        region = Region(self._margin + column, 1 + row, self.cell, 1)
        return region if row >= 0 and column >= 0 else None

    def on_resize(self) -> None:
        self._measure()
        self._follow()
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        found = self.unit_at(event.x, event.y)
        if found is not None:
            self.focus()
            self.post_message(self.Pointed(*found))

    def unit_at(self, x: int, y: int) -> tuple[int, int] | None:
        """The unit at a place of the widget."""
        if self.picture is None or y < 1 or x < self._margin:
            return None
        layers, units = self.picture.colour.shape
        layer = self._first[0] + (y - 1) * (2 if self.stacked else 1)
        unit = self._first[1] + (x - self._margin) // self.cell
        in_sight = unit < min(self._first[1] + self._in_sight()[1], units)
        return (layer, unit) if layer < layers and in_sight else None

    def render_line(self, y: int) -> Strip:
        width, base = self.content_size.width, self.rich_style
        if self.picture is None:
            words = textwrap.wrap(self.note, max(width - 4, 10))
            text = f"  {words[y - 1]}" if 0 < y <= len(words) else ""
            return Strip([Segment(self.ink.plain(text))]).apply_style(base).adjust_cell_length(width, base)
        segments = self._heading() if y == 0 else self._row(y - 1)
        return Strip(segments).simplify().apply_style(base).adjust_cell_length(width, base)

    def _heading(self) -> list[Segment]:
        assert self.picture is not None
        units, cell = self.picture.colour.shape[1], self.cell
        first, count = self._first[1], min(self._in_sight()[1], units)
        if cell == 1:
            numbers = "".join(str(unit).ljust(10 - unit % 10) for unit in _tens(first, first + count))[:count]
        else:
            numbers = "".join(str(unit)[-cell:].center(cell) for unit in range(first, first + count))
        more = (">" if first + count < units else "") + ("v" if self._more_below() else "")
        margin = ("<" if first else "") + ("^" if self._first[0] else "")
        text = margin.ljust(self._margin) + numbers.ljust(count * cell)
        half = PROFILE_WIDTH // 2
        if self.profile_width:
            sides = f"{'redundant':>{half}}│{'synergistic':<{half}}" if self.picture.diverging else "mean of the layer"
            text += more.ljust(1)[:1] + self.ink.plain(sides)
            if self.profile_width > PROFILE_WIDTH + 7:
                text = text.ljust(len(text) - len(sides) + PROFILE_WIDTH + 1) + " mean  95 % interval"
        else:
            text += more
        return [Segment(text, self.ink.dim)]

    def _more_below(self) -> bool:
        assert self.picture is not None
        return self._first[0] + self._in_sight()[0] < self.picture.colour.shape[0]

    def _row(self, row: int) -> list[Segment]:
        picture = self.picture
        assert picture is not None
        layers, units = picture.colour.shape
        step = 2 if self.stacked else 1
        layer = self._first[0] + row * step
        if layer >= layers:
            return []
        on_it = layer <= self.cursor[0] < layer + step
        label_style = Style(bold=True) if on_it else self.ink.dim
        segments = [Segment(f"{layer:>{self._margin - 1}} ", label_style)]
        last = min(self._first[1] + self._in_sight()[1], units)
        for unit in range(self._first[1], last):
            if step == 2:
                segments += self._half_cell(layer, unit)
            else:
                segments += self._whole_cell(layer, unit)
        if self.profile_width:
            segments += self._profile(layer, min(step, layers - layer))
        return segments

    def _whole_cell(self, layer: int, unit: int) -> list[Segment]:
        assert self.picture is not None
        cell, here = self.cell, (layer, unit) == self.cursor
        text, style = self._fill(layer, unit)
        marked = self.picture.marked[layer, unit]
        if marked:
            middle = cell // 2 if cell > 2 else 0
            text = text[:middle] + self.ink.dot + text[middle + 1 :]
            style += self._contrast(style)
        if self._in_rectangle(layer, unit):
            style += Style(underline=True, bold=True) + self._contrast(style)
            text = text.replace(" ", "_")
        if not here:
            return [Segment(text, style)]
        if cell == 1:
            return [Segment(text if marked else " " if self.ink.system else text, self.ink.cursor)]
        inner = text[1:-1]
        return [Segment("[", self.ink.cursor), Segment(inner, style), Segment("]", self.ink.cursor)]

    def _fill(self, layer: int, unit: int) -> tuple[str, Style]:
        """A cell's text and colour, before marks and cursor."""
        assert self.picture is not None
        value = float(self.picture.colour[layer, unit])
        if math.isnan(value):
            return self.ink.nothing.center(self.cell), self.ink.dim
        if self.picture.masked[layer, unit]:
            return self.ink.masked.center(self.cell), self.ink.dim
        colours = self.ink.colours(self.picture.diverging)
        text, style = scale.paint(value, self.cell, colours, self.ink.shades)
        return text, Style.parse(style) if style else Style()

    def _half_cell(self, layer: int, unit: int) -> list[Segment]:
        """Two layers in one row: the upper one in the colour of the sign, the lower in the colour behind it."""
        assert self.picture is not None
        layers = self.picture.colour.shape[0]
        below = layer + 1 < layers
        upper = self._half_colour(layer, unit)
        lower = self._half_colour(layer + 1, unit) if below else None
        here = {0: (layer, unit), 1: (layer + 1, unit)}
        marked = [bool(self.picture.marked[one]) if one[0] < layers else False for one in here.values()]
        style = two_colours(upper, lower)
        sign, cell = self.ink.upper_half, self.cell
        if upper is None:
            style, sign = Style(color=lower), "▄" if lower is not None else " "
        if self.cursor in here.values():
            mine = self.ink.cursor.bgcolor
            pointed = Style(color=mine, bgcolor=lower) if self.cursor == here[0] else Style(color=upper, bgcolor=mine)
            edge = Segment("▀", pointed)
            if cell < 3:
                return [Segment("▀" * cell, pointed)]
            return [edge, Segment("▀" * (cell - 2) if upper is not None else sign * (cell - 2), style), edge]
        if any(marked):
            dot = ":" if all(marked) else "˙" if marked[0] else "."
            behind = upper if marked[0] else lower
            ink = Style(color=None, bgcolor=behind)
            dotted = Segment(dot, ink + self._contrast(ink))
            return [dotted, Segment(sign * (cell - 1), style)] if cell > 1 else [dotted]
        return [Segment(sign * cell, style)]

    def _half_colour(self, layer: int, unit: int) -> Color | None:
        assert self.picture is not None
        value = float(self.picture.colour[layer, unit])
        if math.isnan(value) or self.picture.masked[layer, unit]:
            return None
        colours = self.ink.colours(self.picture.diverging)
        return Color.parse(colours[scale.step(value, len(colours))])

    def _contrast(self, style: Style) -> Style:
        """Black or white, whichever is seen on a colour."""
        if style.bgcolor is None or self.ink.system is None:
            return Style(bold=True)
        red, green, blue = style.bgcolor.get_truecolor()
        return Style.parse("bold #000000" if 2 * red + 5 * green + blue > 900 else "bold #ffffff")

    def _in_rectangle(self, layer: int, unit: int) -> bool:
        if self.corner is None:
            return False
        (top, bottom), (left, right) = (sorted(pair) for pair in zip(self.corner, self.cursor, strict=True))
        return top <= layer <= bottom and left <= unit <= right

    def _profile(self, layer: int, layers: int) -> list[Segment]:
        """The bar of a layer, or of the mean of the two that share the row."""
        assert self.picture is not None
        rows = self.picture.profile[layer : layer + layers]
        known = [row["value"] for row in rows if row["value"] is not None]
        row = rows[0] if layers == 1 and rows else {"value": sum(known) / len(known) if known else None, "low": None}
        line: Text = bar(row, self.picture.centre, self.picture.reach, (self.ink.cool, self.ink.warm))
        plain = Text(self.ink.plain(line.plain), spans=list(line.spans))
        shown = [one for one in plain.render(self.app.console) if one.text]
        return [Segment(" "), *Strip(shown).crop(0, self.profile_width - 1)]


@lru_cache(1024)
def two_colours(upper: Color | None, lower: Color | None) -> Style:
    """A style of two colours; making one costs more than drawing a cell."""
    return Style(color=upper, bgcolor=lower)


def _tens(first: int, last: int) -> list[int]:
    return [first, *range(first - first % 10 + 10, last, 10)]
