"""Lines over an axis → text, by plotext. Its figure is one for the whole process, so one drawing at a time."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from rich.text import Text

_figure = threading.Lock()


class Line(NamedTuple):
    """xs, ys: points, broken where a y is NaN. sign: a letter, `braille`, `bar` for an interval at one x, or `dot` for
    points that are not joined. colour: of the 256, None for the terminal's own."""

    xs: Sequence[float]
    ys: Sequence[float]
    sign: str = "braille"
    colour: int | None = None


def intervals(xs: Sequence[float], lows: Sequence[float], highs: Sequence[float], colour: int | None) -> list[Line]:
    """A bar from low to high at every x."""
    return [Line([x, x], [low, high], "bar", colour) for x, low, high in zip(xs, lows, highs, strict=True)]


def plot(
    lines: Sequence[Line],
    width: int,
    height: int,
    title: str = "",
    below: str = "",
    limits: tuple[float, float] | None = None,
    names: Mapping[float, str] | None = None,
) -> Text:
    """The lines in a box of this size. below: what the x axis counts. limits: of the y axis. names: of places on the x
    axis, instead of round numbers. Empty when nothing is known or there is no room."""
    import plotext  # 0.13 s: only who draws a curve pays

    parts = [part for line in lines for part in _unbroken(line)]
    if not parts or width < 16 or height < 5:
        return Text()
    with _figure:
        # Left alone it would cut the plot at the size of the process's terminal, whatever it is drawn into.
        plotext.terminal.limit(False, False)
        figure = plotext.figure
        figure.clear()
        figure.theme("colorless" if all(line.colour is None for line in lines) else "simple")
        figure.plot_size(width, height)
        if limits:
            figure.ruler("y").lim(*limits)
        # A line that has no value at an end leaves its place on the axis, so that plots above each other agree.
        places = [float(x) for line in lines for x in line.xs]
        if min(places) < max(places):
            figure.ruler("x").lim(min(places), max(places))
        if names:
            shown = _fitting(names, width - 10)
            figure.ruler("x").ticks(list(shown), list(shown.values()))
        else:
            figure.ruler("x").ticks(_ticks(places))
        for part in parts:
            symbol = {"dot": "•", "bar": "│"}.get(part.sign, part.sign)
            marker = plotext.marker(symbol) if part.colour is None else plotext.marker(symbol, part.colour)
            signal = figure.signal(list(part.xs), list(part.ys), marker=marker)
            if part.sign != "dot" and len(part.xs) > 1:
                signal.lines()
            figure.draw(signal)
        if title:
            figure.title(title)
        if below:
            figure.label(below)
        return Text.from_ansi(str(figure.build()))


def _fitting(names: Mapping[float, str], width: int) -> dict[float, str]:
    """As many names, evenly, as stand beside each other whole."""
    for step in range(1, len(names) + 1):
        shown = dict(list(names.items())[::step])
        if sum(len(one) + 2 for one in shown.values()) <= width:
            return shown
    return {}


def _ticks(xs: Sequence[float]) -> list[float]:
    """Round places along an axis, about six."""
    low, high = min(xs), max(xs)
    if high <= low:
        return [low]
    step = 10.0 ** math.floor(math.log10((high - low) / 5))
    step *= next(times for times in (1, 2, 5, 10) if (high - low) / (step * times) <= 7)
    first = math.ceil(low / step - 1e-9)
    ticks = [round(number * step, 12) for number in range(first, math.floor(high / step + 1e-9) + 1)]
    return [int(tick) if tick == int(tick) else tick for tick in ticks]


def _unbroken(line: Line) -> list[Line]:
    """The stretches of a line between missing values."""
    out: list[Line] = []
    xs: list[float] = []
    ys: list[float] = []
    for x, y in [*zip(line.xs, line.ys, strict=True), (0.0, math.nan)]:
        if math.isfinite(y):
            xs.append(float(x))
            ys.append(float(y))
        elif xs:
            out.append(line._replace(xs=xs, ys=ys))
            xs, ys = [], []
    return out


def spark(values: Sequence[float], width: int, signs: str = "▁▂▃▄▅▆▇█") -> str:
    """Values in one row of blocks, averaged down to the width; blank where there is none."""
    known = [value for value in values if math.isfinite(value)]
    if not known or width < 1:
        return ""
    low, span = min(known), max(known) - min(known)
    size = max(len(values) / width, 1.0)
    out = ""
    for place in range(min(width, len(values))):
        part = list(values[int(place * size) : max(int((place + 1) * size), int(place * size) + 1)])
        part = [one for one in part if math.isfinite(one)]
        share = (sum(part) / len(part) - low) / span if part and span else 0.0
        out += signs[min(int(share * len(signs)), len(signs) - 1)] if part else " "
    return out
