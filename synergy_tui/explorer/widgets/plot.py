"""plotext behind one widget: drawn in a thread, after the keys have come to rest, shown where it differs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from rich.text import Text
from textual.timer import Timer

from synergy_tui.drawing.plots import Line, plot
from synergy_tui.explorer.widgets.ink import Ink
from synergy_tui.explorer.widgets.lines import Lines

REST = 0.12
"""Seconds without a new drawing after which the last one is made: a held key draws once."""


class Plot(Lines):
    """`draw` asks for lines in the size the widget has by then."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._draw: Callable[[int, int], Text] | None = None
        self._ink: Ink | None = None
        self._timer: Timer | None = None

    def draw(
        self,
        lines: Sequence[Line],
        ink: Ink,
        title: str = "",
        below: str = "",
        limits: tuple[float, float] | None = None,
        names: Mapping[float, str] | None = None,
    ) -> None:
        """Lines over an axis; nothing where there are none. In ASCII and without colour each line's letter tells it."""
        shown = [_plain(line, ink, place) for place, line in enumerate(lines)]
        self._ask(lambda width, height: plot(shown, width, height, title, below, limits, names), ink)

    def clear(self) -> None:
        """Nothing to draw."""
        self._draw = None
        self.show([])

    def _ask(self, draw: Callable[[int, int], Text], ink: Ink) -> None:
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
        text = draw(size.width, size.height)
        lines = list(text.split("\n", allow_blank=True))
        self.app.call_from_thread(self._put, draw, lines)

    def _put(self, draw: Callable[[int, int], Text], lines: list[Text]) -> None:
        if draw is self._draw:
            self.show([line for line in lines if line.plain or len(lines) > 1], self._ink)

    def on_resize(self) -> None:
        if self._draw is not None and self._ink is not None:
            self.call_after_refresh(self._ask, self._draw, self._ink)


def _plain(line: Line, ink: Ink, place: int) -> Line:
    letter = chr(ord("a") + place % 26)
    if ink.ascii:
        line = line._replace(sign={"braille": letter, "dot": "o", "bar": "|"}.get(line.sign, line.sign))
    elif ink.system is None and line.sign == "braille" and place:
        line = line._replace(sign=letter)
    if ink.system is None:
        return line._replace(colour=None)
    return line if ink.dark or line.colour is None else line._replace(colour=on_light(line.colour))


def on_light(colour: int) -> int:
    """One of the 256 colours, chosen for a dark ground, for a light one: darker in the same hue, greys reversed."""
    if colour >= 232:
        return 487 - colour
    if colour < 16:
        return colour
    parts = (colour - 16) // 36, (colour - 16) // 6 % 6, (colour - 16) % 6
    red, green, blue = (round(0.6 * one) for one in parts)
    return 16 + 36 * red + 6 * green + blue


def line_style(colour: int, ink: Ink) -> str:
    """The style of a line in a legend."""
    if not ink.system:
        return ""
    return f"color({colour if ink.dark else on_light(colour)})"
