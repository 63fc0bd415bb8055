"""The layer × unit map, each layer's profile on its rows. Cells grow with the room, until they hold their value; if
there are many layers, two share a row. It draws only visible rows; a move of the cursor repaints two cells."""

from __future__ import annotations

import math
import textwrap
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
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
from synergy_tui.drawing.atlas import PROFILE_WIDTH, bar, label_room
from synergy_tui.drawing.naming import shortened
from synergy_tui.explorer.widgets.ink import Ink

if TYPE_CHECKING:
    import numpy as np

INTERVAL_WIDTH = 21
"""Columns of a profile's numbers, beside its scale."""

WIDEST, TALLEST = 7, 3
"""Most columns and rows of a cell."""

LEAST_WRITTEN = 5
"""Fewest columns of a cell that holds its value."""

WIDEST_PROFILE = 60
"""Most columns of a profile's scale."""


@dataclass(frozen=True)
class Picture:
    """What the map draws. colour [layers, units]: in [0, 1], NaN for no value. masked, marked [layers, units] bool.
    diverging: which scale. profile: rows with value, low, high; centre, reach: of their scale. values [layers, units]:
    the numbers, written if a cell has room. sides: names of low and high. groups: names of the layers; empty if they
    have numbers. beside: the profile's quantity, empty for the map's own mean. there [layers, units] bool: which places
    have a unit, None if all have one."""

    colour: np.ndarray
    masked: np.ndarray
    marked: np.ndarray
    diverging: bool
    profile: list[dict[str, Any]]
    centre: float
    reach: float
    values: np.ndarray | None = None
    sides: tuple[str, str] = ("redundant", "synergistic")
    groups: tuple[str, ...] = ()
    beside: str = ""
    there: np.ndarray | None = None

    def empty(self, layer: int, unit: int) -> bool:
        """Whether a place has no unit."""
        return self.there is not None and not self.there[layer, unit]


class LayerMap(Widget, can_focus=True):
    """`show` gives it a picture, `point` a cursor; messages report the mouse."""

    class Pointed(Message):
        """A unit was clicked."""

        def __init__(self, layer: int, unit: int) -> None:
            super().__init__()
            self.layer, self.unit = layer, unit

    class Dragged(Message):
        """A rectangle was dragged from one unit, (layer, unit), to another."""

        def __init__(self, start: tuple[int, int], end: tuple[int, int]) -> None:
            super().__init__()
            self.start, self.end = start, end

    class Hovered(Message):
        """The mouse is over a unit, (layer, unit), or over no unit."""

        def __init__(self, unit: tuple[int, int] | None) -> None:
            super().__init__()
            self.unit = unit

    class Wheeled(Message):
        """The wheel was turned, by some layers and units."""

        def __init__(self, layers: int, units: int) -> None:
            super().__init__()
            self.layers, self.units = layers, units

    def __init__(self, ink: Ink, id: str | None = None) -> None:
        super().__init__(id=id)
        self.ink = ink
        self._held: tuple[int, int] | None = None
        self._hovered: tuple[int, int] | None = None
        self.with_profile = True
        self.note = ""
        self._coming: tuple[int, int] | None = None
        self.picture: Picture | None = None
        self.cursor = (0, 0)
        self.corner: tuple[int, int] | None = None
        self._first = (0, 0)  # the first layer and unit in sight
        self._measure()

    def say(self, note: str, shape: tuple[int, int] | None = None) -> None:
        """Shows words in place of a map. shape: layers and units of the coming map."""
        self.picture, self.note, self._coming = None, note, shape
        self.refresh()

    def show(self, picture: Picture, cursor: tuple[int, int], corner: tuple[int, int] | None = None) -> None:
        """Draws another picture."""
        self.picture, self.cursor, self.corner = picture, cursor, corner
        self._prepare(picture)
        self._measure()
        self._follow()
        self.refresh()

    def point(self, cursor: tuple[int, int]) -> None:
        """Moves the cursor; repaints the cells it leaves and enters, or everything when the view has to follow it."""
        before, self.cursor = self.cursor, cursor
        if self._follow() or self.corner is not None:
            self.refresh()
            return
        cells = [region for one in (before, cursor) if (region := self.region_of(*one))]
        labels = [Region(0, one.y, self._margin, self.tall) for one in cells] if before[0] != cursor[0] else []
        self.refresh(*cells, *labels)

    def _prepare(self, picture: Picture) -> None:
        """Computes steps of the scale for all units at once, −1 without a value; drawing looks them up."""
        import numpy as np

        colours = self.ink.colours(picture.diverging)
        known = np.isfinite(picture.colour) & ~picture.masked
        steps = np.clip(np.where(known, picture.colour, 0.0) * len(colours), 0, max(len(colours) - 1, 0))
        self._steps: list[list[int]] = np.where(known, steps.astype(int), -1).tolist()
        self._marks: list[list[bool]] = picture.marked.tolist()
        parsed = [Color.parse(one) for one in colours]
        # As a sign's colour, the terminal's default would be the text colour.
        self._palette = [None if one.is_default else one for one in parsed]
        self._plain_cells: dict[tuple[int, int], tuple[str, Style]] = {}

    def _measure(self) -> None:
        """Computes columns and rows of a unit, whether two layers share a row, and columns of the profile and of its
        scale, for this picture in this size."""
        self.cell, self.tall, self.profile_width, self.scale_width, self.stacked = 1, 1, 0, 0, False
        self._numbers: tuple[int, int] | None = None
        self._labels, self._margin = [""], 3
        if self.picture is None:
            return
        layers, units = self.picture.colour.shape
        self._label(label_room(self.content_size.width))
        self.stacked = bool(self.ink.upper_half) and layers > self._rows
        # Two layers in one row show a mean without an interval.
        whole = PROFILE_WIDTH + (6 if self.stacked else INTERVAL_WIDTH) + 1
        for size in range(WIDEST, 0, -1):
            self.cell, self.profile_width = size, self._profile_fits(size)
            # A cell wider than three columns is worth less than the whole profile.
            wanted = whole if size > 3 and self.with_profile and self.picture.profile else self.profile_width
            if units * size <= self._room(wanted):
                break
        spare = self.content_size.width - self._margin - units * self.cell - self.profile_width
        if self.picture.groups and spare > 0:
            self._label(self._margin - 2 + spare)
        if self.profile_width:
            numbers = INTERVAL_WIDTH if self.profile_width >= whole and not self.stacked else 6
            spare = self.content_size.width - self._margin - units * self.cell - self.profile_width
            self.scale_width = PROFILE_WIDTH + (max(min(spare, WIDEST_PROFILE - PROFILE_WIDTH), 0) & ~1)
            self.profile_width = self.scale_width + numbers + 1
        if not self.stacked and self.cell >= 2:
            self.tall = max(min(self._rows // layers, TALLEST), 1)
        if not self.stacked:
            self._numbers = self._written()

    def _label(self, room: int) -> None:
        """Sets the labels before the rows: names in at most `room` columns, or numbers."""
        assert self.picture is not None
        layers = self.picture.colour.shape[0]
        named = self.picture.groups
        self._labels = shortened(named, room) if named else [str(layer) for layer in range(layers)]
        self._margin = max(map(cell_len, self._labels)) + 2

    def _written(self) -> tuple[int, int] | None:
        """Columns and decimals of the numbers in the cells, None if they do not fit."""
        assert self.picture is not None
        return None if self.picture.values is None else written(self.picture.values, self.cell)

    @property
    def _rows(self) -> int:
        return max(self.content_size.height - 1, 1)

    def _profile_fits(self, cell: int) -> int:
        if not self.with_profile or self.picture is None:
            return 0
        if not self.picture.profile:
            return 0
        taken = self._margin + self.picture.colour.shape[1] * cell + 1
        widths = (PROFILE_WIDTH + INTERVAL_WIDTH, PROFILE_WIDTH + 6)
        for width in widths[1:] if self.stacked else widths:
            if taken + width <= self.content_size.width:
                return width + 1
        return 0

    def _room(self, profile: int) -> int:
        return max(self.content_size.width - self._margin - profile, 1)

    def _in_sight(self) -> tuple[int, int]:
        """Layers and units that fit."""
        layers = self._rows * 2 if self.stacked else max(self._rows // self.tall, 1)
        return layers, max(self._room(self.profile_width) // self.cell, 1)

    def _follow(self) -> bool:
        """Brings the cursor into sight; returns whether the view moved. It moves by half its size, not by a row at a
        time, because a repaint is expensive."""
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

    def region_of(self, layer: int, unit: int) -> Region | None:
        """The region of a unit in the widget; None if it is out of sight."""
        row = (layer - self._first[0]) // (2 if self.stacked else 1)
        column = (unit - self._first[1]) * self.cell
        region = Region(self._margin + column, 1 + row * self.tall, self.cell, self.tall)
        return region if row >= 0 and column >= 0 else None

    def on_resize(self) -> None:
        self._measure()
        self._follow()
        self.refresh()

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """A click, or the beginning of a drag."""
        self._held = self.unit_at(event.x, event.y) if event.button == 1 else None
        if self._held is not None:
            self.capture_mouse()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """While a button is held, draws a rectangle; otherwise reports the unit under the mouse."""
        found = self.unit_at(event.x, event.y)
        if self._held is None:
            if found != self._hovered:
                self._hovered = found
                self.post_message(self.Hovered(found))
        elif found is not None and (found != self._held or self.corner is not None):
            self.corner, before = self._held, self.cursor
            self.cursor = found
            if before != found:
                self.refresh()

    def on_mouse_up(self, event: events.MouseUp) -> None:
        """The end of a drag marks its rectangle; without a drag it was a click."""
        held, self._held = self._held, None
        if held is None:
            return
        self.release_mouse()
        if self.corner is not None and self.cursor != held:
            self.post_message(self.Dragged(held, self.cursor))
            return
        found = held
        if found == self.cursor and self.stacked and self.picture is not None:
            # For two layers in one row, the first click means the upper one, a second click the other.
            other = (min(found[0] + 1, self.picture.colour.shape[0] - 1), found[1])
            found = found if self.picture.empty(*other) else other
        if self.can_focus:
            self.focus()
        self.post_message(self.Pointed(*found))

    def on_leave(self) -> None:
        """The mouse has left the map."""
        if self._hovered is not None:
            self._hovered = None
            self.post_message(self.Hovered(None))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """The wheel moves the cursor down one layer, with shift to the right."""
        event.stop()
        self.post_message(self.Wheeled(0, 1) if event.shift else self.Wheeled(1, 0))

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """The same, up or to the left."""
        event.stop()
        self.post_message(self.Wheeled(0, -1) if event.shift else self.Wheeled(-1, 0))

    def unit_at(self, x: int, y: int) -> tuple[int, int] | None:
        """The unit at a place of the widget."""
        if self.picture is None or y < 1 or x < self._margin:
            return None
        layers, units = self.picture.colour.shape
        layer = self._first[0] + (y - 1) // self.tall * (2 if self.stacked else 1)
        unit = self._first[1] + (x - self._margin) // self.cell
        in_sight = unit < min(self._first[1] + self._in_sight()[1], units)
        if layer >= layers or not in_sight:
            return None
        if self.stacked and self.picture.empty(layer, unit) and layer + 1 < layers:
            layer += 1
        return None if self.picture.empty(layer, unit) else (layer, unit)

    def render_line(self, y: int) -> Strip:
        width, base = self.content_size.width, self.rich_style
        if self.picture is None:
            words = textwrap.wrap(self.note, max(width - 4, 10))
            text = f"  {words[y - 1]}" if 0 < y <= len(words) else ""
            if self._coming is not None:
                return self._skeleton(y, *self._coming)
            return Strip([Segment(self.ink.plain(text))]).apply_style(base).adjust_cell_length(width, base)
        segments = self._heading() if y == 0 else self._row(y - 1)
        line = Strip(segments)
        # With two layers in a row, neighbouring cells are rarely alike: looking for equal ones costs more than it
        # saves.
        line = line if self.stacked else line.simplify()
        return line.apply_style(base).adjust_cell_length(width, base)

    def _skeleton(self, y: int, layers: int, units: int) -> Strip:
        """A line of a map that is still coming: its layers and units without values."""
        width, base = self.content_size.width, self.rich_style
        margin = len(str(layers - 1)) + 2
        cell = max(min((width - margin) // units, WIDEST), 1)
        line = self.ink.plain(self.note) if y == 0 else self.ink.nothing.center(cell) * units if y <= layers else ""
        label = f"{y - 1:>{margin - 1}} " if 0 < y <= layers else " " * margin
        return Strip([Segment(label + line, self.ink.dim)]).apply_style(base).adjust_cell_length(width, base)

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
        if not self.profile_width:
            return [Segment(text + more, self.ink.dim)]
        segments, half = [Segment(text + more.ljust(1)[:1], self.ink.dim)], self.scale_width // 2
        if self.picture.beside:
            segments.append(Segment(f"{self.picture.beside} behind it".ljust(self.scale_width + 1), self.ink.dim))
        elif self.picture.diverging:
            low, high = (word if len(word) >= half else f" {word} " for word in self.picture.sides)
            line = short_number(self.picture.centre, 2) if self.picture.centre else ""
            if line and half >= len(low) + 3:  # the value at the middle line
                low, high, line = f"{low} ", f" {high}", line.rjust(3)
                left, right = low.rjust(half - 1)[-(half - 1) :], high.ljust(half - 1)[: half - 1]
                sides = (left, self.ink.cool), (line, ""), (right, self.ink.warm)
            else:
                left, right = f"{low.lstrip():>{half}}", f"{high.rstrip():<{half}}"
                sides = (left, self.ink.cool), ("│", ""), (right, self.ink.warm)
            segments += [Segment(self.ink.plain(words), Style.parse(style)) for words, style in sides]
        else:
            segments.append(Segment("mean of the layer".ljust(self.scale_width + 1), self.ink.dim))
        if self.profile_width > self.scale_width + 7:
            segments.append(Segment(" mean  95 % interval", self.ink.dim))
        else:
            segments.append(Segment(" mean", self.ink.dim))
        return segments

    def _more_below(self) -> bool:
        assert self.picture is not None
        return self._first[0] + self._in_sight()[0] < self.picture.colour.shape[0]

    def _row(self, line: int) -> list[Segment]:
        picture = self.picture
        assert picture is not None
        layers, units = picture.colour.shape
        step = 2 if self.stacked else 1
        row, part = divmod(line, self.tall)
        layer = self._first[0] + row * step
        if layer >= layers:
            return []
        middle = part == (self.tall - 1) // 2
        on_it = layer <= self.cursor[0] < layer + step
        label = self.ink.plain(self._labels[self.cursor[0] if on_it else layer]) if middle else ""
        before = " " * (self._margin - 1 - cell_len(label))
        segments = [Segment(f"{before}{label} ", Style(bold=True) if on_it else self.ink.dim)]
        last = min(self._first[1] + self._in_sight()[1], units)
        if step == 2:
            segments += self._half_row(layer, self._first[1], last)
        else:
            for unit in range(self._first[1], last):
                segments += self._whole_cell(layer, unit, part)
        if self.profile_width and middle:
            segments += self._profile(layer, min(step, layers - layer))
        return segments

    def _whole_cell(self, layer: int, unit: int, part: int) -> list[Segment]:
        """One row of a cell."""
        picture, cell = self.picture, self.cell
        assert picture is not None
        if picture.empty(layer, unit):
            return [Segment(" " * cell)]
        here, middle = (layer, unit) == self.cursor, part == (self.tall - 1) // 2
        text, style = self._fill(layer, unit, middle)
        marked = bool(picture.marked[layer, unit]) and middle
        if marked:
            place = 0 if self._numbers else cell // 2 if cell > 2 else 0
            text = text[:place] + self.ink.dot + text[place + 1 :]
            style += self._contrast(style)
        if self._in_rectangle(layer, unit):
            style += Style(underline=True, bold=True) + self._contrast(style)
            text = text.replace(" ", "_")
        if not here:
            return [Segment(text, style)]
        edge = style + self._contrast(style) if self.ink.system else self.ink.cursor
        if cell == 1:
            return [Segment(text if marked or not self.ink.system else self.ink.box, edge)]
        if self.tall == TALLEST and not middle:
            corners = "┌┐" if part == 0 else "└┘"
            return [Segment(self.ink.plain(corners[0] + "─" * (cell - 2) + corners[1]), edge)]
        sides = self.ink.plain("││") if self.tall == TALLEST else "[]"
        inner = text[1:-1] if not (marked and self._numbers) else self.ink.dot + text[2:-1]
        return [Segment(sides[0], edge), Segment(inner, style), Segment(sides[1], edge)]

    def _fill(self, layer: int, unit: int, middle: bool = True) -> tuple[str, Style]:
        """A cell's text and colour, before marks and cursor."""
        picture = self.picture
        assert picture is not None
        value = float(picture.colour[layer, unit])
        if math.isnan(value):
            return (self.ink.nothing if middle else " ").center(self.cell), self.ink.dim
        if picture.masked[layer, unit]:
            return (self.ink.masked if middle else " ").center(self.cell), self.ink.dim
        colours = self.ink.colours(picture.diverging)
        if not colours:
            text, _ = scale.paint(value, self.cell, colours, self.ink.shades)
            return text, Style()
        text = ""
        if self._numbers and middle and picture.values is not None:
            text = short_number(float(picture.values[layer, unit]), self._numbers[1]).rjust(self._numbers[0])
        return text.center(self.cell), scale.ground(colours[scale.step(value, len(colours))])

    def _half_row(self, layer: int, first: int, last: int) -> list[Segment]:
        """Two layers in one row. Only cells under the cursor, a mark or a rectangle are drawn one by one."""
        upper = self._steps[layer]
        below = layer + 1 < len(self._steps)
        lower = self._steps[layer + 1] if below else [-1] * len(upper)
        marks = [one or other for one, other in zip(self._marks[layer], self._marks[layer + below], strict=True)]
        near = self.cursor[1] if layer <= self.cursor[0] <= layer + 1 else -1
        out, plain, cell = [], self._plain_cells, self.cell
        for unit in range(first, last):
            nothing = upper[unit] < 0 and lower[unit] < 0 and self._no_unit(layer, unit)
            if not nothing and (unit == near or marks[unit] or self.corner is not None):
                out += self._half_cell(layer, unit)
                continue
            steps = upper[unit], lower[unit]
            found = plain.get(steps)
            if found is None:
                found = plain[steps] = self._halves(*steps)
            out.append(Segment(found[0] * cell, found[1]))
        return out

    def _no_unit(self, layer: int, unit: int) -> bool:
        """Whether neither of the two layers in a row has a unit there."""
        assert self.picture is not None
        below = min(layer + 1, len(self._steps) - 1)
        return self.picture.empty(layer, unit) and self.picture.empty(below, unit)

    def _half_cell(self, layer: int, unit: int) -> list[Segment]:
        """Two layers in one row: the upper one in the colour of the sign, the lower in the colour behind it."""
        assert self.picture is not None
        below, cell = layer + 1 < len(self._steps), self.cell
        steps = self._steps[layer][unit], self._steps[layer + 1][unit] if below else -1
        found = self._plain_cells.get(steps)
        if found is None:
            found = self._plain_cells[steps] = self._halves(*steps)
        sign, style = found
        here = ((layer, unit), (layer + 1, unit))
        if self.corner is not None and (self._in_rectangle(*here[0]) or (below and self._in_rectangle(*here[1]))):
            sign = "▚"  # both colours, and a pattern that differs from the outside
        if self.cursor in here:
            return self._half_cursor(here.index(self.cursor), steps, sign, style)
        marked = (self._marks[layer][unit], below and self._marks[layer + 1][unit])
        if any(marked):
            dot = ":" if all(marked) else "˙" if marked[0] else "."
            return [self._sign(dot, self._half(steps[0 if marked[0] else 1])), Segment(sign * (cell - 1), style)]
        return [Segment(sign * cell, style)]

    def _half_cursor(self, place: int, steps: tuple[int, int], sign: str, style: Style) -> list[Segment]:
        """The cursor in the upper or lower half of a row: both edges in ink, the other half unchanged."""
        own, other = self._half(steps[place]), self._half(steps[1 - place])
        if self.cell < 3:
            return [self._sign("▴▾"[place], own), Segment(sign * (self.cell - 1), style)]
        ink = Color.parse(scale.ink_on(own)) if own is not None else None
        edge = Segment("▀▄"[place], Style(color=ink, bgcolor=other, bold=True))
        return [edge, Segment(sign * (self.cell - 2), style), edge]

    def _half(self, step: int) -> Color | None:
        return self._palette[step] if step >= 0 else None

    def _halves(self, upper: int, lower: int) -> tuple[str, Style]:
        """Sign and style of two values in one cell."""
        over, under = self._half(upper), self._half(lower)
        if over is None:
            return ("▄" if under is not None else " "), Style(color=under)
        return self.ink.upper_half, two_colours(over, under)

    def _sign(self, sign: str, behind: Color | None) -> Segment:
        """A sign on the colour of its layer."""
        ground = Style(bgcolor=behind)
        return Segment(sign, ground + self._contrast(ground))

    def _contrast(self, style: Style) -> Style:
        """Black or white, whichever is visible on a colour."""
        if style.bgcolor is None or self.ink.system is None:
            return Style(bold=True)
        return Style(bold=True, color=scale.ink_on(style.bgcolor))

    def _in_rectangle(self, layer: int, unit: int) -> bool:
        if self.corner is None:
            return False
        (top, bottom), (left, right) = (sorted(pair) for pair in zip(self.corner, self.cursor, strict=True))
        return top <= layer <= bottom and left <= unit <= right

    def _profile(self, layer: int, layers: int) -> list[Segment]:
        """The bar of a layer, or of the mean of two layers that share the row."""
        assert self.picture is not None
        rows = self.picture.profile[layer : layer + layers]
        known = [row["value"] for row in rows if row["value"] is not None]
        row = (
            rows[0]
            if layers == 1 and rows
            else {"value": sum(known) / len(known) if known else None, "low": None, "high": None}
        )
        sides = (self.ink.cool, self.ink.warm)
        line: Text = bar(row, self.picture.centre, self.picture.reach, sides, self.scale_width, self.ink.dim)
        plain = Text(self.ink.plain(line.plain), spans=list(line.spans))
        shown = [one for one in plain.render(self.app.console) if one.text]
        return [Segment(" "), *Strip(shown).crop(0, self.profile_width - 1)]


@lru_cache(1024)
def two_colours(upper: Color | None, lower: Color | None) -> Style:
    """A cached style of two colours; making one costs more than drawing a cell."""
    return Style(color=upper, bgcolor=lower)


def written(values: np.ndarray, cell: int) -> tuple[int, int] | None:
    """Columns and decimals of the numbers in cells of this many columns, None if they do not fit."""
    known = values[values == values]
    if not len(known) or cell < LEAST_WRITTEN:
        return None
    reach = float(abs(known).max())
    decimals = max(2 - math.ceil(math.log10(reach)), 0) if reach > 0 else 2
    longest = max(len(short_number(float(one), decimals)) for one in (known.min(), known.max()))
    return (longest, decimals) if longest <= cell - 2 else None


def short_number(value: float, decimals: int) -> str:
    """A value in as few columns as its scale allows: .54, −.03, 12.5."""
    text = f"{value:.{decimals}f}"
    return text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) and decimals else text


def _tens(first: int, last: int) -> list[int]:
    return [first, *range(first - first % 10 + 10, last, 10)]
