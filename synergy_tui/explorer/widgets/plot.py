"""One widget for all plots: drawn in a thread once the keys rest, repainted only where it differs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from rich.style import Style
from rich.text import Text
from textual.timer import Timer

from synergy_tui.drawing.plots import Line, Look, rows, style
from synergy_tui.explorer.widgets.ink import Ink
from synergy_tui.explorer.widgets.lines import Lines

REST = 0.12
"""Seconds without a new drawing after which the last one is made: a held key draws once."""


class Plot(Lines):
    """`draw` asks for lines in the size that the widget has by then."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._draw: Callable[[int, int], list[Text]] | None = None
        self._ink: Ink | None = None
        self._timer: Timer | None = None

    def draw(
        self,
        lines: Sequence[Line],
        ink: Ink,
        title: str = "",
        below: str = "",
        limits: tuple[float, float] | None = None,
        names: Mapping[float, str] | Callable[[int], Mapping[float, str]] | None = None,
        cursor: float | None = None,
    ) -> None:
        """Draws lines over an axis, and the cursor at a place on it; empty without lines. names: of places on the axis,
        or a function of the columns that gives them."""
        shown, look = list(lines), look_of(ink)
        if not shown:
            self.clear()
            return

        def drawn(width: int, height: int) -> list[Text]:
            told = names(width) if callable(names) else names
            return rows(shown, width, height, title, below, limits, told, cursor, look)

        self._ask(drawn, ink)

    def clear(self) -> None:
        """Clears the plot."""
        self._draw = None
        self.show([])

    def _ask(self, draw: Callable[[int, int], list[Text]], ink: Ink) -> None:
        self._draw, self._ink = draw, ink
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(REST, self._start)

    def _start(self) -> None:
        self.run_worker(self._work, thread=True, exclusive=True, group=f"plot-{self.id}")

    def _work(self) -> None:
        draw, size = self._draw, self.content_size
        if draw is None or not size:
            return
        self.app.call_from_thread(self._put, draw, draw(size.width, size.height))

    def _put(self, draw: Callable[[int, int], list[Text]], lines: list[Text]) -> None:
        if draw is self._draw:
            self.show(lines, self._ink)

    def on_resize(self) -> None:
        if self._draw is not None and self._ink is not None:
            self.call_after_refresh(self._ask, self._draw, self._ink)


def look_of(ink: Ink) -> Look:
    """The look that a plot may use."""
    return Look(ink.system, ink.ascii, ink.dark)


def line_sign(letter: str, ink: Ink, thin: bool = False) -> str:
    """The sign of a line in a legend: a piece of it, or its letter if colours do not distinguish the lines."""
    return look_of(ink).sign(letter, thin)


def line_style(colour: int | None, ink: Ink) -> Style:
    """The style of a line in a legend."""
    look = look_of(ink)
    return style(look.colour(colour), None, look)
