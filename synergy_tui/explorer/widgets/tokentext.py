"""Tokens as running text, each on a colour; a cursor moves along them: an outline that leaves colours unchanged."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from synergy_tui.drawing import scale
from synergy_tui.drawing.tables import printable
from synergy_tui.explorer.widgets.ink import Ink


class _Placed(NamedTuple):
    step: int
    row: int
    column: int
    text: str
    width: int


class TokenText(Widget, can_focus=True):
    """`show` takes pieces and a colour in [0, 1] for each, NaN for no colour."""

    DEFAULT_CSS = "TokenText { height: 1fr; }"

    class Pointed(Message):
        """A token was clicked."""

        def __init__(self, step: int) -> None:
            super().__init__()
            self.step = step

    def __init__(self, ink: Ink, id: str | None = None) -> None:
        super().__init__(id=id)
        self.ink = ink
        self._pieces: list[str] = []
        self._colour: np.ndarray = np.zeros(0)
        self._step = 0
        self._placed: list[_Placed] = []
        self._rows: list[list[_Placed]] = []
        self._top = 0

    def show(self, pieces: list[str], colour: np.ndarray, step: int) -> None:
        """Shows other tokens, or other colours on them."""
        self._pieces, self._colour, self._step = pieces, colour, step
        self._wrap()
        self._follow()
        self.refresh()

    def move(self, rows: int, tokens: int) -> int:
        """Moves the cursor; returns the step it is on."""
        before = self._step
        if not self._placed:
            return 0
        if tokens:
            self._step = min(max(before + tokens, 0), len(self._pieces) - 1)
        if rows:
            here = self._at(self._step)
            target = min(max(here.row + rows, 0), len(self._rows) - 1)
            row = self._rows[target] or [here]
            self._step = min(row, key=lambda one: abs(one.column - here.column)).step
        self._go(before)
        return self._step

    def _go(self, before: int) -> None:
        if self._follow():
            self.refresh()
        else:
            places = [one for one in self._placed if one.step in (before, self._step)]
            # The outline takes a cell of the next token.
            self.refresh(*(Region(one.column, one.row - self._top, one.width + 1, 1) for one in places))

    def _at(self, step: int) -> _Placed:
        return next(one for one in self._placed if one.step == step)

    def _follow(self) -> bool:
        height, before = max(self.content_size.height, 1), self._top
        if self._placed:
            row = self._at(min(self._step, len(self._pieces) - 1)).row
            if not self._top <= row < self._top + height:
                self._top = max(row - height // 2, 0)
        else:
            self._top = 0
        self._top = min(self._top, max(len(self._rows) - height, 0))
        return self._top != before

    def _wrap(self) -> None:
        """Breaks at the edge and at new lines. A piece longer than a row continues in the next."""
        width = max(self.content_size.width, 10)
        self._placed, row, column = [], 0, 0
        for step, piece in enumerate(self._pieces):
            shown = self.ink.plain(
                printable(piece.replace("\n", "\0")).replace("\\x00", "↵" if not self.ink.ascii else "/")
            )
            shown = shown or "∅"
            for part in _parts(shown, width):
                size = cell_len(part)
                if column + size > width:
                    row, column = row + 1, 0
                self._placed.append(_Placed(step, row, column, part, size))
                column += size
            if "\n" in piece:
                row, column = row + 1, 0
        self._rows = [[] for _ in range(row + 1)]
        for one in self._placed:
            self._rows[one.row].append(one)

    def on_resize(self) -> None:
        self._wrap()
        self._follow()
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        row = event.y + self._top
        for one in self._rows[row] if row < len(self._rows) else []:
            if one.column <= event.x < one.column + one.width:
                before, self._step = self._step, one.step
                self._go(before)
                self.post_message(self.Pointed(one.step))

    def render_line(self, y: int) -> Strip:
        width, base = self.content_size.width, self.rich_style
        row = y + self._top
        if row >= len(self._rows):
            return Strip.blank(width, base)
        return Strip(self._segments(self._rows[row])).apply_style(base).adjust_cell_length(width, base)

    def _segments(self, row: list[_Placed]) -> list[Segment]:
        """The tokens of a row. The token under the cursor keeps its colour, bold and underlined, between edges at the
        blanks before its word and before the next one; without blanks it is reversed."""
        left, right = self.ink.edges
        segments = []
        for place, one in enumerate(row):
            style, text = self._style(one.step), one.text
            here = one.step == self._step
            behind = place > 0 and row[place - 1].step == self._step and not here
            edge = left if here and (place == 0 or row[place - 1].step != one.step) else right if behind else ""
            if edge and text[:1] == " " and len(text) > 1:
                segments.append(Segment(edge, style + Style(bold=True)))
                text = text[1:]
            if here:
                style += Style(bold=True, underline=True, reverse=self._reversed(row, place) or None)
            segments.append(Segment(text, style))
        return segments

    def _reversed(self, row: list[_Placed], place: int) -> bool:
        """Whether the cursor needs more than weight and edges; without colour, weight shows values too."""
        blank = lambda at: at < len(row) and row[at].text[:1] == " " and len(row[at].text) > 1  # noqa: E731
        return self.ink.system is None or not (blank(place) or blank(place + 1))

    def _style(self, step: int) -> Style:
        return self.style_of(float(self._colour[step]) if step < len(self._colour) else float("nan"))

    def style_of(self, value: float) -> Style:
        """The style of a token with a value in [0, 1]; NaN is a token without a value."""
        if np.isnan(value):
            return self.ink.dim
        colours = self.ink.colours(True)
        if not colours:
            return WEIGHTS[scale.step(value, len(WEIGHTS))]
        return scale.ground(colours[scale.step(value, len(colours))])


WEIGHTS = (Style(), Style(underline=True), Style(bold=True, underline=True))
"""Styles without colour, from little ink to much."""


def _parts(text: str, width: int) -> list[str]:
    """A text in pieces no wider than a row."""
    out, part = [], ""
    for char in text:
        if cell_len(part) + cell_len(char) > width:
            out.append(part)
            part = ""
        part += char
    return [*out, part]
