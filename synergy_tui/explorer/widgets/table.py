"""A table of any length: it measures a few rows, draws those in sight, and never more."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

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
    """Rows of values under a heading; arrows move a cursor, the row under it is told by Moved."""

    BINDINGS = keys.bindings(keys.TABLE)

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

    def show(
        self,
        names: Sequence[str],
        rows: Sequence[Sequence[Any]],
        keep: bool = False,
        styles: Sequence[Style] = (),
        decimals: int | None = None,
    ) -> None:
        """Other rows; `keep` leaves the cursor where it is. styles: of the rows. decimals: of every number with any."""
        self.names, self.rows, self._styles = [printable(name) for name in names], rows, styles
        self._decimals = decimals
        sample = rows[:MEASURED]
        self._right = [all(isinstance(row[place], int | float | None) for row in sample) for place in range(len(names))]
        self._widths = [
            min(max([cell_len(name), *(cell_len(cell(row[place], decimals)) for row in sample)]), WIDEST)
            for place, name in enumerate(self.names)
        ]
        self.cursor_row = min(self.cursor_row, max(len(rows) - 1, 0)) if keep else 0
        self.virtual_size = Size(sum(self._widths) + 2 * len(self._widths), len(rows) + 1)
        if not keep:
            self.scroll_to(0, 0, animate=False)
        self.refresh()

    def action_move(self, rows: int) -> None:
        """Moves the cursor."""
        self.go(self.cursor_row + rows)

    def go(self, row: int) -> None:
        """Puts the cursor on a row; repaints the two it concerns."""
        before = self.cursor_row
        self.cursor_row = min(max(row, 0), max(len(self.rows) - 1, 0))
        height = max(self.scrollable_content_region.height - 1, 1)
        top = self.scroll_offset.y
        if not top <= self.cursor_row < top + height:
            target = self.cursor_row if self.cursor_row < top else self.cursor_row - height + 1
            self.scroll_to(y=target, animate=False)
        else:
            width = self.content_size.width
            self.refresh(*(Region(0, one - top + 1, width, 1) for one in {before, self.cursor_row}))
        if before != self.cursor_row:
            self.post_message(self.Moved(self, self.cursor_row))

    def action_scroll(self, columns: int) -> None:
        """Moves the view sideways."""
        self.scroll_to(x=self.scroll_offset.x + columns, animate=False)

    def on_click(self, event: events.Click) -> None:
        if event.y > 0:
            self.go(self.scroll_offset.y + event.y - 1)

    def render_line(self, y: int) -> Strip:
        width, base = self.content_size.width, self.rich_style
        left, row = self.scroll_offset.x, self.scroll_offset.y + y - 1
        if y == 0:
            strip = Strip([Segment(self._text(self.names), Style(bold=True, underline=True))])
        elif row < len(self.rows):
            style = self._styles[row] if row < len(self._styles) else Style()
            if row == self.cursor_row:
                style += self.ink.row if self.has_focus else Style(bold=True)
            strip = Strip([Segment(self._text([cell(one, self._decimals) for one in self.rows[row]]), style)])
        else:
            return Strip.blank(width, base)
        return strip.crop(left, left + width).adjust_cell_length(width).apply_style(base)

    def _text(self, cells: Sequence[str]) -> str:
        parts = []
        for text, size, right in zip(cells, self._widths, self._right, strict=False):
            if right and cell_len(text) <= size:
                parts.append(text.rjust(size))
            else:
                parts.append(
                    set_cell_size(text, size) if cell_len(text) <= size else set_cell_size(text, size - 1) + "…"
                )
        return self.ink.plain("  ".join(parts)) + "  "


def cell(value: Any, decimals: int | None = None) -> str:
    """A value as a cell: no control character, nothing endless. decimals: of a number with any."""
    if value is None:
        return ""
    if isinstance(value, float):
        if not math.isfinite(value):
            return "NaN"
        return f"{value:.6g}" if decimals is None else f"{value:.{decimals}f}"
    return printable(str(value)[:MOST_CHARACTERS])
