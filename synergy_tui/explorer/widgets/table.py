"""A sortable table of any length: it measures a few rows and draws only those in sight."""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Sequence
from decimal import Decimal
from numbers import Real
from typing import Any, ClassVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from synergy_tui.drawing.tables import printable
from synergy_tui.explorer import keys
from synergy_tui.explorer.widgets.ink import Ink

MEASURED, WIDEST, MOST_CHARACTERS = 200, 60, 400


class ResultTable(ScrollView, can_focus=True):
    """Rows of values under a heading; arrows move a cursor, and Moved reports its row. Sorting only changes the places
    of rows: `cursor_row` and the reported row count in the original order."""

    BINDINGS = keys.bindings(keys.TABLE)

    SORTS: ClassVar[bool] = True
    """Whether columns sort; a table with grouped rows has its own order."""

    class Moved(Message):
        """The cursor is on another row."""

        def __init__(self, table: ResultTable, row: int) -> None:
            super().__init__()
            self.table, self.row = table, row

        @property
        def control(self) -> ResultTable:
            """The table."""
            return self.table

    def __init__(self, ink: Ink, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.ink = ink
        self.names: list[str] = []
        self.rows: Sequence[Sequence[Any]] = []
        self.cursor_row = 0
        self._widths: list[int] = []
        self._right: list[bool] = []
        self._styles: Sequence[Style] = ()
        self._decimals: int | None = None
        self._column = 0
        self._sorted: tuple[str, bool] | None = None
        self._order: list[int] = []
        self._place: list[int] = []

    def show(
        self,
        names: Sequence[str],
        rows: Sequence[Sequence[Any]],
        keep: bool = False,
        styles: Sequence[Style] = (),
        decimals: int | None = None,
    ) -> None:
        """Shows other rows; `keep` leaves the cursor where it is and the rows sorted. styles: of the rows. decimals: of
        every number with decimals."""
        self.names, self.rows, self._styles = [printable(name) for name in names], rows, styles
        self._decimals = decimals
        sample = rows[:MEASURED]
        self._right = [all(isinstance(row[place], int | float | None) for row in sample) for place in range(len(names))]
        self._widths = [
            min(max([cell_len(name), *(cell_len(cell(row[place], decimals)) for row in sample)]), WIDEST)
            for place, name in enumerate(self.names)
        ]
        self.cursor_row = min(self.cursor_row, max(len(rows) - 1, 0)) if keep else 0
        self._column = min(self._column, max(len(names) - 1, 0)) if keep else 0
        self._sorted = self._sorted if keep else None
        self._arrange()
        self.virtual_size = Size(sum(self._widths) + 2 * len(self._widths), len(rows) + 1)
        if not keep:
            self.scroll_to(0, 0, animate=False)
        self.refresh()

    # The order of the rows

    @property
    def ordered(self) -> list[Sequence[Any]]:
        """The rows in their order on the screen."""
        return [self.rows[one] for one in self._order]

    def action_sort(self) -> None:
        """Sorts by the column under the cursor: upwards, downwards, not at all."""
        if not self.names or not self.SORTS:
            return
        name, before = self.names[self._column], self._sorted
        if before is None or before[0] != name:
            self._sorted = (name, False)
        else:
            self._sorted = None if before[1] else (name, True)
        self._arrange()
        self._follow()
        self.refresh()

    def _arrange(self) -> None:
        """Computes the order of rows. A table shown again without the sort column keeps the given order."""
        if self._sorted is not None and self._sorted[0] in self.names:
            column = self.names.index(self._sorted[0])
            self._order = in_order([row[column] for row in self.rows], self._sorted[1])
        else:
            self._order, self._sorted = list(range(len(self.rows))), None
        self._place = [0] * len(self._order)
        for place, row in enumerate(self._order):
            self._place[row] = place

    def action_column(self, columns: int) -> None:
        """Moves to another column and scrolls it into sight."""
        if not self.SORTS:
            self.action_scroll(8 * columns)
            return
        self._column = min(max(self._column + columns, 0), max(len(self.names) - 1, 0))
        left, width = self.scroll_offset.x, self.content_size.width
        start = self._starts()[self._column] if self.names else 0
        end = start + self._widths[self._column] + 2 if self.names else 0
        target = start if start < left or end - start > width else max(end - width, left)
        if target != left:
            self.scroll_to(x=target, animate=False)
        self.refresh(Region(0, 0, width, 1))

    def action_scroll(self, columns: int) -> None:
        """Scrolls sideways."""
        self.scroll_to(x=self.scroll_offset.x + columns, animate=False)

    def _starts(self) -> list[int]:
        starts = [0]
        for width in self._widths:
            starts.append(starts[-1] + width + 2)
        return starts

    # The cursor

    def action_move(self, rows: int) -> None:
        """Moves the cursor by rows on the screen."""
        if self._order:
            place = min(max(self._at(self.cursor_row) + rows, 0), len(self._order) - 1)
            self.go(self._order[place])

    def _at(self, row: int) -> int:
        """The place of a row on the screen."""
        return self._place[row] if row < len(self._place) else row

    def go(self, row: int) -> None:
        """Puts the cursor on a row; repaints the two affected rows."""
        before = self.cursor_row
        self.cursor_row = min(max(row, 0), max(len(self.rows) - 1, 0))
        if not self._follow():
            width, top = self.content_size.width, self.scroll_offset.y
            places = {self._at(before), self._at(self.cursor_row)}
            self.refresh(*(Region(0, one - top + 1, width, 1) for one in places))
        if before != self.cursor_row:
            self.post_message(self.Moved(self, self.cursor_row))

    def _follow(self) -> bool:
        """Scrolls to the cursor if it is out of sight."""
        height = max(self.scrollable_content_region.height - 1, 1)
        top, place = self.scroll_offset.y, self._at(self.cursor_row)
        if top <= place < top + height:
            return False
        self.scroll_to(y=place if place < top else place - height + 1, animate=False)
        return True

    def on_click(self, event: events.Click) -> None:
        if event.y > 0:
            place = min(self.scroll_offset.y + event.y - 1, len(self._order) - 1)
            if self._order:
                self.go(self._order[place])
            return
        column = bisect_right(self._starts(), self.scroll_offset.x + event.x) - 1
        if column < len(self.names):
            self._column = column
            self.action_sort()

    def render_line(self, y: int) -> Strip:
        width, base = self.content_size.width, self.rich_style
        left, place = self.scroll_offset.x, self.scroll_offset.y + y - 1
        if y == 0:
            strip = self._heading()
        elif place < len(self._order):
            row = self._order[place]
            style = self._styles[row] if row < len(self._styles) else Style()
            if row == self.cursor_row:
                style += self.ink.row if self.has_focus else Style(bold=True)
            strip = Strip([Segment(self._text([cell(one, self._decimals) for one in self.rows[row]]), style)])
        else:
            return Strip.blank(width, base)
        return self._in_sight(strip, left, width).adjust_cell_length(width).apply_style(base)

    def _in_sight(self, strip: Strip, left: int, width: int) -> Strip:
        """The columns in sight. In a partly visible column, a number is left out and a text ends in `…`: a part must
        not look like the whole."""
        shown, starts, dots = strip.crop(left, left + width), self._starts(), Strip([Segment(self.ink.plain("…"))])
        for column, size in enumerate(self._widths):
            start, end = starts[column] - left, starts[column] + size - left
            number = self._right[column]
            if start < width < end:
                shown = Strip.join([shown.crop(0, start if number and start > 0 else width - 1), dots])
            if start < 0 < end:
                rest = Strip([Segment(" " * (end - 1))]) if number and end < width else shown.crop(1, end)
                shown = Strip.join([dots, rest, shown.crop(end, width)])
        return shown

    def _heading(self) -> Strip:
        """Names; the sort sign stands in the gap after its column, the column under the cursor is reversed."""
        segments = []
        for place, part in enumerate(self._parts(self.names)):
            sign = ""
            if self._sorted is not None and self._sorted[0] == self.names[place]:
                sign = self.ink.plain("▼" if self._sorted[1] else "▲")
            here = self.SORTS and self.has_focus and place == self._column
            segments.append(Segment(part + (sign or ("" if here else " ")), _HERE if here else _HEAD))
            segments.append(Segment(" " if sign or not here else "  ", _HEAD))
        return Strip(segments)

    def _text(self, cells: Sequence[str]) -> str:
        return "  ".join(self._parts(cells)) + "  "

    def _parts(self, cells: Sequence[str]) -> list[str]:
        parts = []
        for text, size, right in zip(cells, self._widths, self._right, strict=False):
            if right and cell_len(text) <= size:
                parts.append(text.rjust(size))
            else:
                parts.append(
                    set_cell_size(text, size) if cell_len(text) <= size else set_cell_size(text, size - 1) + "…"
                )
        return [self.ink.plain(one) for one in parts]


_HEAD = Style(bold=True, underline=True)
_HERE = Style(bold=True, reverse=True)


def in_order(values: Sequence[Any], down: bool) -> list[int]:
    """Places of values in their order: numbers before words, words with numbers in them by these numbers, missing
    values always last. The sort is stable."""
    known = [place for place, value in enumerate(values) if not _missing(value)]
    missing = [place for place, value in enumerate(values) if _missing(value)]
    return sorted(known, key=lambda place: _key(values[place]), reverse=down) + missing


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float | Decimal) and math.isnan(value))


def _key(value: Any) -> tuple[int, Any]:
    if isinstance(value, Real | Decimal):
        return 0, value
    parts = re.split(r"(\d+)", str(value)[:WIDEST].lower())
    return 1, [(int(part), "") if place % 2 else (-1, part) for place, part in enumerate(parts)]


def cell(value: Any, decimals: int | None = None) -> str:
    """A value as a cell: without control characters, limited in length. decimals: of a number with decimals."""
    if value is None:
        return ""
    if isinstance(value, float):
        if not math.isfinite(value):
            return "NaN"
        return f"{value:.6g}" if decimals is None else f"{value:.{decimals}f}"
    return printable(str(value)[:MOST_CHARACTERS])
