"""The unit × unit matrix, from all layers at once down to single pairs. Cells share the panel evenly: two may share a
line of text, divided at any eighth of it. Layers are separated by a gap if there is room."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from rich.cells import cell_len, set_cell_size
from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from synergy_tui.drawing import pooling, scale
from synergy_tui.drawing.naming import in_middle
from synergy_tui.drawing.tables import printable
from synergy_tui.explorer.widgets.ink import Ink
from synergy_tui.explorer.widgets.map import short_number, two_colours, written
from synergy_tui.units import Naming

GAP = -1

MARGIN = 8
"""Columns of the rows' names."""

WIDEST, HIGHEST = 7, 3
"""Most columns and lines of a cell in a small matrix."""

EIGHTHS = " ▁▂▃▄▅▆▇█"
"""Signs with a filled lower part."""

LEAST_NAME = 4
"""Fewest columns of a layer whose name is written above its cells."""

LEAST_SHARED = 6
"""Fewest eighths of a line at which cells are divided at eighths; smaller cells have half a line each."""


@dataclass(frozen=True)
class Level:
    """The matrix at one zoom. edges: place of the first unit of every cell among the existing units, and the end.
    values [cells, cells]: nats, mean over the pairs in a cell. gaps: cells with an empty line before them. numbers
    [units]: of the units on the map, which may have places without a unit. starts: places of the first unit of every
    layer."""

    edges: np.ndarray
    values: np.ndarray
    gaps: frozenset[int]
    low: float
    high: float
    numbers: np.ndarray
    starts: frozenset[int]

    def cell_of(self, unit: int) -> int:
        """The cell of a unit."""
        return int(np.searchsorted(self.edges, np.searchsorted(self.numbers, unit), "right")) - 1

    def first(self, cell: int) -> int:
        """The first unit of a cell."""
        return int(self.numbers[self.edges[cell]])

    def last(self, cell: int) -> int:
        """The last unit of a cell."""
        return int(self.numbers[self.edges[cell + 1] - 1])

    @property
    def size(self) -> int:
        """Units of the largest cell."""
        return int(np.diff(self.edges).max())

    @property
    def whole(self) -> bool:
        """Whether every cell is a layer."""
        return len(self.edges) - 1 == len(self.starts)

    @property
    def diverging(self) -> bool:
        """Whether both signs occur."""
        return self.low < 0 < self.high


def levels(matrix: np.ndarray, per_layer: int, finest: int = 1, numbers: np.ndarray | None = None) -> list[Level]:
    """The matrix from layers down to single pairs, each level at most half as coarse as the one before. numbers: of its
    units on the map, if some places have no unit. May take a second for thousands of units."""
    units = len(matrix)
    numbers = np.arange(units) if numbers is None else numbers
    begins = np.flatnonzero(np.diff(numbers // per_layer, prepend=-1))
    ends = np.append(begins[1:], units)
    widest = int((ends - begins).max()) if units else 1
    sizes = [widest]
    while sizes[-1] > finest:
        sizes.append(max(sizes[-1] // 2, finest) if sizes[-1] > 3 else finest)
    out = []
    for size in sizes:
        if size == 1:
            out.append(_level(np.arange(units + 1), matrix, widest, numbers, begins))
            continue
        # Cells never cross a layer's edge.
        starts = [part for begin, end in zip(begins, ends, strict=True) for part in range(begin, end, size)]
        edges = np.array([*starts, units])
        out.append(_level(edges, pooling.pooled(matrix, edges), widest, numbers, begins))
    return out


def _level(edges: np.ndarray, values: np.ndarray, widest: int, numbers: np.ndarray, begins: np.ndarray) -> Level:
    low, high = pooling.ends(values)
    wide = len(edges) > 1 and int(np.diff(edges).max()) * 3 <= widest
    starts = frozenset(begins.tolist())
    gaps = frozenset(np.searchsorted(edges, begins[1:]).tolist()) if wide else frozenset()
    return Level(edges, values, gaps, low, high, numbers, starts)


class PairMatrix(Widget, can_focus=True):
    """`show` gives it a level and the unit names; it keeps the cursor cell in sight."""

    class Pointed(Message):
        """A cell was clicked."""

        def __init__(self, row: int, column: int) -> None:
            super().__init__()
            self.row, self.column = row, column

    def __init__(self, ink: Ink, id: str | None = None) -> None:
        super().__init__(id=id)
        self.ink = ink
        self.level: Level | None = None
        self.cursor = (0, 0)
        self.per_layer = 1
        self.naming = Naming(1, 1)
        self.margin = MARGIN
        self._rows: list[int] = []
        self._columns: list[int] = []
        self._measure()

    def show(self, level: Level | None, cursor: tuple[int, int], per_layer: int, naming: Naming | None = None) -> None:
        """Draws another level, atom or run. naming: of its units, if they have names."""
        self.level, self.cursor, self.per_layer = level, cursor, per_layer
        self.naming = naming or Naming(1, per_layer)
        self._lay_out(True)
        self.refresh()

    def point(self, cursor: tuple[int, int]) -> None:
        """Moves the cursor; repaints the affected cells and labels, or everything when the view has to follow."""
        before, self.cursor = self.cursor, cursor
        if self._lay_out(False):
            self.refresh()
            return
        regions = [region for one in (before, cursor) if (region := self._region(one))]
        if before[0] != cursor[0]:
            regions += [Region(0, one.y, self.margin, one.height) for one in regions]
        if before[1] != cursor[1]:
            regions.append(Region(0, 0, self.content_size.width, 1))
        self.refresh(*regions)

    def _measure(self) -> None:
        """Computes columns of a cell, and its height in eighths of a line."""
        self.wide, self.high = 1.0, 4.0 if self.ink.upper_half else 8.0
        self._numbers: tuple[int, int] | None = None
        level, lines = self.level, self.content_size.height - 1
        self.margin = self._margin()
        if level is None or lines <= 0:
            return
        many = len(level.edges) - 1 + len(level.gaps)
        high = min(8 * lines / many, 8 * HIGHEST)
        wide = min((self.content_size.width - self.margin) / many, WIDEST, high * 6 / 8)
        self.wide = wide if wide >= 2 else 1.0  # mixing cells of one and of two columns would look too uneven
        if not self.ink.upper_half:
            self.high = max(high // 8 * 8, 8)
        elif high >= LEAST_SHARED:
            self.high = high
        told = high >= 8 and bool(self.ink.colours(level.diverging))
        self._numbers = written(level.values, int(self.wide)) if told else None
        if self._numbers:
            # If a half line is the smallest part, every cell has a line of its own for its number.
            self.high = high // 4 * 4 if high >= 12 else 8

    def _margin(self) -> int:
        """Columns of the rows' names: as many as the longest needs, up to a part of the width."""
        if self.level is None or not (self.naming.groups or self.naming.names):
            return MARGIN
        longest = max(cell_len(self.label(cell)) for cell in range(len(self.level.edges) - 1))
        longest = max([longest, *(cell_len(one) for one in self.naming.groups)])
        return min(max(longest + 1, MARGIN), max(self.content_size.width // 5, MARGIN))

    @property
    def _least(self) -> int:
        """Fewest columns of a cell."""
        return int(self.wide)

    def _lay_out(self, anew: bool) -> bool:
        """Computes which cells are in sight, with gaps; returns whether that changed."""
        if anew:
            self._measure()
        level = self.level
        if level is None:
            return False
        before = (self._rows, self._columns)
        cells = len(level.edges) - 1
        room = (
            max(int((self.content_size.height - 1) * 8 / self.high + 1e-6), 1),
            max(int((self.content_size.width - self.margin) / self.wide + 1e-6), 1),
        )
        sides = []
        for place, space, shown in zip(self.cursor, room, before, strict=True):
            if not anew and place in shown:
                sides.append(shown)
                continue
            with_gaps = cells + len(level.gaps)
            first = 0 if with_gaps <= space else min(max(place - space // 2, 0), max(cells - space // 2, 0))
            side: list[int] = []
            for one in range(first, cells):
                if one in level.gaps and side:
                    side.append(GAP)
                side.append(one)
                if len(side) >= space:
                    break
            side = side[:space]
            while len(side) < space and side and side[0] > 0:
                side.insert(0, side[0] - 1)
            sides.append(side)
        self._rows, self._columns = sides
        return (self._rows, self._columns) != before

    def _down(self, place: int) -> int:
        """The start of a row of cells, in eighths of a line."""
        return round(place * self.high)

    def _across(self, place: int) -> int:
        """The start of a column of cells."""
        return round(place * self.wide)

    def _region(self, cell: tuple[int, int]) -> Region | None:
        if cell[0] not in self._rows or cell[1] not in self._columns:
            return None
        row, column = self._rows.index(cell[0]), self._columns.index(cell[1])
        first, last = self._down(row) // 8, (self._down(row + 1) - 1) // 8
        left = self._across(column)
        return Region(self.margin + left, 1 + first, self._across(column + 1) - left, last - first + 1)

    def on_resize(self) -> None:
        self._lay_out(True)
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        found = self.cell_at(event.x, event.y)
        if found is not None:
            self.focus()
            self.post_message(self.Pointed(*found))

    def cell_at(self, x: int, y: int) -> tuple[int, int] | None:
        """The cell at a place of the widget: the one that covers most of it."""
        if self.level is None or y < 1 or x < self.margin:
            return None
        shares = self._shares(y - 1)
        columns = [place for place in range(len(self._columns)) if self._across(place + 1) > x - self.margin]
        if not shares or not columns:
            return None
        found = self._rows[max(shares, key=lambda one: one[1])[0]], self._columns[columns[0]]
        return None if GAP in found else found

    def _shares(self, line: int) -> list[tuple[int, int]]:
        """(place among the rows, eighths) of the rows of cells in a line; of three, the two that cover most of it."""
        first = max(int(8 * line / self.high) - 1, 0)
        found = []
        for place in range(first, min(first + int(8 / self.high) + 4, len(self._rows))):
            eighths = min(self._down(place + 1), 8 * line + 8) - max(self._down(place), 8 * line)
            if eighths > 0:
                found.append((place, eighths))
        while len(found) > 2:
            found.remove(min(found, key=lambda one: one[1]))
        return found

    def render_line(self, y: int) -> Strip:
        width, base = self.content_size.width, self.rich_style
        if self.level is None:
            return Strip.blank(width, base)
        segments = self._heading() if y == 0 else self._line(y - 1)
        return Strip(segments).simplify().apply_style(base).adjust_cell_length(width, base)

    def label(self, cell: int) -> str:
        """The label of a cell: one unit, or several."""
        level = self.level
        assert level is not None
        first, last = level.first(cell), level.last(cell)
        layer = self._layer(cell)
        if level.size == 1:
            return printable(self.naming.called(first))
        if level.whole:
            return layer if self.naming.groups else f"L{layer}"
        if last == first:
            return printable(self.naming.called(first))
        return f"{layer}.{first % self.per_layer}-{last % self.per_layer}"

    def _heading(self) -> list[Segment]:
        words = []
        for place, column in enumerate(self._columns):
            here = column == self.cursor[1]
            if column != GAP and (here or self._starts_layer(column)):
                words.append((self._across(place), self.label(column) if here else self._layer(column), here))
        text = self._named(words) if self.naming.groups else self._numbered(words)
        return [
            Segment(self.ink.plain("x ↓ y → ").ljust(self.margin), self.ink.dim),
            Segment(self.ink.plain(text), self.ink.dim),
        ]

    def _numbered(self, words: list[tuple[int, str, bool]]) -> str:
        """The heading for layers with numbers: the cursor's unit, and the layers that fit beside it."""
        text = [" "] * (self._across(len(self._columns)) + 12)
        free = 0
        for at, word, here in words:
            if at >= free or here:
                text[at : at + len(word) + 1] = list(word + " ")
                free = at + len(word) + 1
        return "".join(text)

    def _named(self, words: list[tuple[int, str, bool]]) -> str:
        """The heading for layers with names, which are long: the cursor's unit whole, other names up to the next
        one."""
        width = max(self.content_size.width - self.margin, 1)
        at, word, _ = next((one for one in words if one[2]), (0, "", True))
        word = in_middle(word, width)
        start = min(at, width - cell_len(word))
        ends = [*(one for one, _, _ in words[1:]), width]
        text = " " * width
        for (left, name, here), end in zip(words, ends, strict=True):
            if here or not word:
                continue
            end = min(end, width + 1) if left > start else min(end, start)
            left = max(left, start + cell_len(word) + 1) if left > start else left
            if end - left >= LEAST_NAME + 1:
                text = _written(text, left, in_middle(name, end - left - 1))
        return _written(text, start, word)

    def _layer(self, cell: int) -> str:
        """The name or number of a cell's layer."""
        assert self.level is not None
        return printable(self.naming.layer(self.level.first(cell) // self.per_layer))

    def _starts_layer(self, cell: int) -> bool:
        assert self.level is not None
        return int(self.level.edges[cell]) in self.level.starts

    def _line(self, line: int) -> list[Segment]:
        shares = self._shares(line)
        if not shares:
            return []
        rows = [self._rows[place] for place, _ in shares]
        segments = [self._row_label(line, shares)]
        for place, column in enumerate(self._columns):
            width = self._across(place + 1) - self._across(place)
            if column == GAP or all(row == GAP for row in rows):
                segments.append(Segment(" " * width))
            elif len(rows) == 1:
                segments += self._whole(rows[0], column, width, line == self._main_line(shares[0][0]))
            else:
                segments += self._parted(line, shares, column, width)
        return segments

    def _main_line(self, place: int) -> int:
        """The line of a row of cells that shows its name and its numbers: the middle one of its own lines, or the one
        that it covers most of."""
        top, end = self._down(place), self._down(place + 1)
        first, last = (top + 7) // 8, end // 8
        if last > first:
            return first + (last - first - 1) // 2
        line = top // 8
        return line if min(8 * line + 8, end) - top >= end - 8 * line - 8 else line + 1

    def _row_label(self, line: int, shares: list[tuple[int, int]]) -> Segment:
        starting = [place for place, _ in shares if self._main_line(place) == line]
        known = [self._rows[place] for place in starting if self._rows[place] != GAP]
        here = self.cursor[0] in known
        label = ""
        if here:
            label = self.label(self.cursor[0])
        elif known and self.naming.names and self.high >= 8 and self.level is not None and self.level.size == 1:
            label = self.label(known[0])
        elif starts := [row for row in known if self._starts_layer(row)]:
            label = self._layer(starts[0])
        label = self.ink.plain(in_middle(label, self.margin - 1))
        before = " " * (self.margin - 1 - cell_len(label))
        return Segment(f"{before}{label} ", Style(bold=True) if here else self.ink.dim)

    def _whole(self, row: int, column: int, width: int, told: bool) -> list[Segment]:
        """A line of one cell: its colour, its value if there is room, and the cursor's outline."""
        level = self.level
        assert level is not None
        value, here = self._scaled(row, column), (row, column) == self.cursor
        colours = self.ink.colours(level.diverging)
        style = Style()
        if np.isnan(value):
            text, style = (self.ink.nothing if told and row != column else " ").center(width), self.ink.dim
        elif colours:
            text, style = " " * width, scale.ground(colours[scale.step(value, len(colours))])
            if told and self._numbers:
                number = short_number(float(level.values[row, column]), self._numbers[1])
                text = number.rjust(self._numbers[0]).center(width)
        else:
            text, _ = scale.paint(value, width, colours, self.ink.shades)
        if not here:
            return [Segment(text, style)]
        edge = style + Style(bold=True) if self.ink.system else self.ink.cursor
        if width == 1:
            return [Segment(self.ink.box, edge)]
        return [Segment("[", edge), Segment(text[1:-1], style), Segment("]", edge)]

    def _parted(self, line: int, shares: list[tuple[int, int]], column: int, width: int) -> list[Segment]:
        """A line of two cells: the lower one in the colour of the sign, the upper one behind it."""
        rows = [self._rows[place] for place, _ in shares]
        upper, lower = (self._colour(row, column) for row in rows)
        sign, style = EIGHTHS[shares[1][1]], two_colours(lower, upper)
        if lower is None:  # a sign without a colour would have the text colour
            sign, style = (self.ink.upper_half, two_colours(upper, None)) if upper is not None else (" ", Style())
        here = [(row, column) == self.cursor for row in rows]
        if any(here) and width >= 3 and upper is not None and lower is not None:
            ink = Color.parse(scale.ink_on(upper if here[0] else lower))
            edge = Segment(sign, two_colours(lower, ink) if here[0] else two_colours(ink, upper))
            return [edge, Segment(sign * (width - 2), style), edge]
        if not any(here) or self._main_line(shares[here.index(True)][0]) != line:
            return [Segment(sign * width, style)]
        behind = two_colours(None, upper if here[0] else lower)
        dark = scale.ink_on(behind.bgcolor) if behind.bgcolor is not None else None
        mark = Segment("▴" if here[0] else "▾", behind + Style(bold=True, color=dark))
        return [mark, Segment(sign * (width - 1), style)]

    def _colour(self, row: int, column: int) -> Color | None:
        if row == GAP:
            return None
        value = self._scaled(row, column)
        if np.isnan(value):
            return None
        assert self.level is not None
        colours = self.ink.colours(self.level.diverging)
        colour = Color.parse(colours[scale.step(value, len(colours))])
        return None if colour.is_default else colour  # as a sign's colour it would be the text colour

    def _scaled(self, row: int, column: int) -> float:
        """A cell's place on the colour scale: around zero if both signs occur."""
        level = self.level
        assert level is not None
        value = float(level.values[row, column])
        if level.diverging:
            return 0.5 + value / (2 * max(-level.low, level.high))
        return (value - level.low) / (level.high - level.low) if level.high > level.low else 0.5 + 0 * value


def _written(text: str, at: int, word: str) -> str:
    """A line with a word written into it at a column."""
    return set_cell_size(text, at) + word + text[at + cell_len(word) :]
