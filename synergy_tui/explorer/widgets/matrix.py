"""The unit × unit matrix, from all layers at once down to single pairs. Two rows share a line; between layers a gap is
left where there is room for it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from synergy_tui.drawing import scale
from synergy_tui.explorer.widgets.ink import Ink
from synergy_tui.explorer.widgets.map import two_colours

GAP = -1

MARGIN = 8
"""Columns of the rows' names."""

WIDEST, HIGHEST = 7, 6
"""Columns and half rows of a cell beyond which a small matrix grows no more."""


@dataclass(frozen=True)
class Level:
    """The matrix at one zoom. edges: first unit of every cell, and the end. values [cells, cells]: nats, mean over the
    pairs in a cell. gaps: cells before which a line is left."""

    edges: np.ndarray
    values: np.ndarray
    gaps: frozenset[int]
    low: float
    high: float

    def cell_of(self, unit: int) -> int:
        """The cell that a unit falls into."""
        return int(np.searchsorted(self.edges, unit, "right")) - 1

    @property
    def diverging(self) -> bool:
        """Whether both signs occur."""
        return self.low < 0 < self.high


def levels(matrix: np.ndarray, per_layer: int, finest: int = 1) -> list[Level]:
    """The matrix from layers down to single pairs, each level at most half as coarse as the one before. May take a
    second for thousands of units."""
    units = len(matrix)
    sizes = [per_layer]
    while sizes[-1] > finest:
        sizes.append(max(sizes[-1] // 2, finest) if sizes[-1] > 3 else finest)
    out = []
    for size in sizes:
        if size == 1:
            out.append(_level(np.arange(units + 1), matrix, per_layer))
            continue
        # Cells never reach over a layer's edge.
        starts = [layer + part for layer in range(0, units, per_layer) for part in range(0, per_layer, size)]
        edges = np.array([*starts, units])
        out.append(_level(edges, _pooled(matrix, edges), per_layer))
    return out


def _level(edges: np.ndarray, values: np.ndarray, per_layer: int) -> Level:
    known = values[np.isfinite(values)]
    # A few extremes must not drain the colours from all others.
    low, high = (
        (float(one) for one in np.quantile(known[:: max(len(known) // 200_000, 1)], [0.005, 0.995]))
        if len(known)
        else (0, 0)
    )
    wide = len(edges) > 1 and int(np.diff(edges).max()) * 3 <= per_layer
    gaps = frozenset(np.flatnonzero(edges[:-1] % per_layer == 0)[1:].tolist()) if wide else frozenset()
    return Level(edges, values, gaps, low, high)


def _pooled(matrix: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Mean of the known values in every cell; NaN where there is none."""
    cells = len(edges) - 1
    out = np.full((cells, cells), np.nan, np.float32)
    for row in range(cells):  # by stripes: the sums of a 5,120² matrix at once would double the memory
        stripe = matrix[edges[row] : edges[row + 1]]
        known = np.isfinite(stripe)
        total = np.add.reduceat(np.where(known, stripe, 0).sum(axis=0, dtype=np.float64), edges[:-1])
        count = np.add.reduceat(known.sum(axis=0), edges[:-1])
        np.divide(total, count, out=out[row], where=count > 0, casting="unsafe")
    return out


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
        self._rows: list[int] = []
        self._columns: list[int] = []
        self._measure()

    def show(self, level: Level | None, cursor: tuple[int, int], per_layer: int) -> None:
        """Draws another level, atom or run."""
        self.level, self.cursor, self.per_layer = level, cursor, per_layer
        self._lay_out(True)
        self.refresh()

    def point(self, cursor: tuple[int, int]) -> None:
        """Moves the cursor; repaints the cells and labels it concerns, or all when the view has to follow."""
        before, self.cursor = self.cursor, cursor
        if self._lay_out(False):
            self.refresh()
            return
        regions = [region for one in (before, cursor) if (region := self._region(one))]
        for row in {before[0], cursor[0]} & set(self._rows):
            first = self._rows.index(row) * self.high // self._stack
            regions.append(Region(0, 1 + first, MARGIN, 1 + self.high // self._stack))
        self.refresh(Region(0, 0, self.content_size.width, 1) if before[1] != cursor[1] else regions[0], *regions)

    def _measure(self) -> None:
        """Columns of a cell, and its height in half rows where two can share one: a half-block is about square."""
        self._stack = 2 if self.ink.upper_half else 1
        self.cell = self.high = 1
        if self.level is not None:
            many = len(self.level.edges) - 1 + len(self.level.gaps)
            rows = (self.content_size.height - 1) * self._stack
            self.high = max(min(rows // many, HIGHEST), 1)
            self.cell = max(min((self.content_size.width - MARGIN) // many, WIDEST, 3 * self.high), 1)

    def _lay_out(self, anew: bool) -> bool:
        """Which cells are in sight, gaps among them; whether that changed."""
        if anew:
            self._measure()
        level = self.level
        if level is None:
            return False
        before = (self._rows, self._columns)
        cells = len(level.edges) - 1
        room = (
            max((self.content_size.height - 1) * self._stack // self.high, 1),
            max((self.content_size.width - MARGIN) // self.cell, 1),
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

    def _region(self, cell: tuple[int, int]) -> Region | None:
        if cell[0] not in self._rows or cell[1] not in self._columns:
            return None
        row, column = self._rows.index(cell[0]) * self.high, self._columns.index(cell[1]) * self.cell
        first, last = row // self._stack, (row + self.high - 1) // self._stack
        return Region(MARGIN + column, 1 + first, self.cell, last - first + 1)

    def on_resize(self) -> None:
        self._lay_out(True)
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        column, row = (event.x - MARGIN) // self.cell, (event.y - 1) * self._stack // self.high
        if self.level is None or row < 0 or event.x < MARGIN:
            return
        if (
            row < len(self._rows)
            and column < len(self._columns)
            and GAP not in (self._rows[row], self._columns[column])
        ):
            self.focus()
            self.post_message(self.Pointed(self._rows[row], self._columns[column]))

    def render_line(self, y: int) -> Strip:
        width, base = self.content_size.width, self.rich_style
        if self.level is None:
            return Strip.blank(width, base)
        segments = self._heading() if y == 0 else self._line((y - 1) * self._stack)
        return Strip(segments).simplify().apply_style(base).adjust_cell_length(width, base)

    def label(self, cell: int) -> str:
        """What a cell stands for: a unit, or several."""
        assert self.level is not None
        first, last = int(self.level.edges[cell]), int(self.level.edges[cell + 1]) - 1
        layer, unit = divmod(first, self.per_layer)
        if last == first:
            return f"{layer}.{unit}"
        if last - first + 1 >= self.per_layer:
            return f"L{layer}"
        return f"{layer}.{unit}-{last % self.per_layer}"

    def _heading(self) -> list[Segment]:
        text = [" "] * (len(self._columns) * self.cell + 12)
        free = 0
        for place, column in enumerate(self._columns):
            here = column == self.cursor[1]
            if column == GAP or not (here or self._starts_layer(column)):
                continue
            word = self.label(column) if here else str(self._layer(column))
            at = place * self.cell
            if at >= free or here:
                text[at : at + len(word) + 1] = list(word + " ")
                free = at + len(word) + 1
        return [
            Segment("x ↓ y → "[:MARGIN] if not self.ink.ascii else "x v y > ", self.ink.dim),
            Segment("".join(text), self.ink.dim),
        ]

    def _layer(self, cell: int) -> int:
        assert self.level is not None
        return int(self.level.edges[cell]) // self.per_layer

    def _starts_layer(self, cell: int) -> bool:
        assert self.level is not None
        return int(self.level.edges[cell]) % self.per_layer == 0

    def _line(self, first: int) -> list[Segment]:
        places = [place // self.high for place in range(first, first + self._stack)]
        rows = [self._rows[place] for place in places if place < len(self._rows)]
        starting = [rows[n] for n, place in enumerate(range(first, first + len(rows))) if place % self.high == 0]
        if not rows:
            return []
        known = [row for row in starting if row != GAP]
        here = self.cursor[0] in known
        label = ""
        if here:
            label = self.label(self.cursor[0])
        elif starts := [row for row in known if self._starts_layer(row)]:
            label = str(self._layer(starts[0]))
        style = Style(bold=True) if here else self.ink.dim
        segments = [Segment(f"{label[: MARGIN - 1]:>{MARGIN - 1}} ", style)]
        for column in self._columns:
            segments.append(self._cell(rows, column))
        return segments

    def _cell(self, rows: list[int], column: int) -> Segment:
        if column == GAP or all(row == GAP for row in rows):
            return Segment(" " * self.cell)
        if self._stack == 1:
            return self._one(rows[0], column)
        colours = [self._colour(row, column) for row in rows]
        for place, row in enumerate(rows):
            if (row, column) == self.cursor:
                colours[place] = self.ink.cursor.bgcolor
        upper, lower = colours[0], colours[1] if len(colours) > 1 else None
        if upper is None and lower is None:
            return Segment(" " * self.cell)
        if upper is None:
            return Segment("▄" * self.cell, two_colours(lower, None))
        return Segment(self.ink.upper_half * self.cell, two_colours(upper, lower))

    def _one(self, row: int, column: int) -> Segment:
        """A cell of its own, where two can't share one."""
        level = self.level
        assert level is not None
        value = self._scaled(row, column)
        style = self.ink.cursor if (row, column) == self.cursor else Style()
        if np.isnan(value):
            return Segment((" " if row == column else self.ink.nothing) * self.cell, style)
        colours = self.ink.colours(level.diverging)
        text, colour = scale.paint(value, self.cell, colours, self.ink.shades)
        if (row, column) == self.cursor:
            return Segment("X" * self.cell, style)
        return Segment(text, Style.parse(colour) if colour else Style())

    def _colour(self, row: int, column: int) -> Color | None:
        if row == GAP:
            return None
        value = self._scaled(row, column)
        if np.isnan(value):
            return None
        assert self.level is not None
        colours = self.ink.colours(self.level.diverging)
        return Color.parse(colours[scale.step(value, len(colours))])

    def _scaled(self, row: int, column: int) -> float:
        """A cell's place on the colour scale: around zero where both signs occur."""
        level = self.level
        assert level is not None
        value = float(level.values[row, column])
        if level.diverging:
            return 0.5 + value / (2 * max(-level.low, level.high))
        return (value - level.low) / (level.high - level.low) if level.high > level.low else 0.5 + 0 * value
