"""Lines, bands and intervals over an axis → text of exactly the requested size: everything around the canvas."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from string import ascii_lowercase
from typing import TYPE_CHECKING, NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.style import Style
from rich.text import Span, Text

from synergy_tui.drawing import ticks
from synergy_tui.drawing.lines import Line, Look, style

if TYPE_CHECKING:
    from synergy_tui.drawing.canvas import Canvas
    from synergy_tui.drawing.lines import Values

NOTHING = "nothing measured"

ROOMY, LEVELS_MARGIN = 40, 5
"""Plots over the same levels stand above each other: from this many columns on, the labels of their y axes take the
same room."""


NO_COLOUR = Look()


def plot(
    lines: Sequence[Line],
    width: int,
    height: int,
    title: str = "",
    below: str = "",
    limits: tuple[float, float] | None = None,
    names: Mapping[float, str] | None = None,
    cursor: float | None = None,
    look: Look = NO_COLOUR,
) -> Text:
    """The lines in `width` columns and `height` rows. below: the label of the x axis. limits: of the y axis. names: of
    places on the x axis, instead of round numbers. cursor: a place on the x axis. Lines with names have a legend
    below."""
    return Text("\n").join(rows(lines, width, height, title, below, limits, names, cursor, look))


def rows(
    lines: Sequence[Line],
    width: int,
    height: int,
    title: str = "",
    below: str = "",
    limits: tuple[float, float] | None = None,
    names: Mapping[float, str] | None = None,
    cursor: float | None = None,
    look: Look = NO_COLOUR,
) -> list[Text]:
    """The rows of `plot`."""
    if width < 1 or height < 1:
        return []
    lines = [one._replace(letter=letter) for one, letter in zip(lines, _letters(lines), strict=True)]
    reach, ends = _reach(lines, limits), _ends(lines, names or {})
    if reach is None or ends is None:
        return _nothing(width, height)
    legend = _legend(lines, width, look)
    room = _Room.of(height, len(legend), bool(title), bool(below))
    ups = ticks.round_numbers(*reach, min((room.canvas + 1) // 2, 9)) if room.axis or room.canvas > 1 else []
    margin = max((cell_len(one.label) for one in ups), default=0)
    if names and width >= ROOMY:
        margin = max(margin, LEVELS_MARGIN)
    if width - margin - 1 < max(6, margin):
        ups, margin = [], 0
    left = margin + 1 if width >= 3 else 0
    canvas = _drawn(lines, width - left, room.canvas, reach, ends, bool(names), cursor, look)
    out = [_centred(title, width, left)] if room.title else []
    out += _beside(canvas, ups, margin, left, look)
    if room.axis:
        out += _under(canvas, width, left, ends, names or {}, look)
    if room.below:
        out.append(_centred(below, width, left, _quiet(look)))
    return out + legend[: room.legend]


class _Room(NamedTuple):
    """Rows of the parts of a plot, from the top."""

    title: bool
    canvas: int
    axis: bool
    below: bool
    legend: int

    @classmethod
    def of(cls, height: int, legend: int, title: bool, below: bool) -> _Room:
        """The canvas gets the remaining rows, at least three if there are as many; the axis takes precedence over the
        legend and the legend over the words."""
        axis = height >= 4
        left = height - 2 * axis
        legend = min(legend, max(left - 3, 0))
        left -= legend
        below = below and left >= 5
        left -= below
        title = title and left >= 4
        return cls(title, left - title, axis, below, legend)


def _letters(lines: Sequence[Line]) -> Iterator[str]:
    """The letter of each line: its own, or the next unused one."""
    free = [one for one in ascii_lowercase if one not in {line.letter for line in lines}] or list(ascii_lowercase)
    for place, line in enumerate(lines):
        yield line.letter or free[place % len(free)]


def _lettered(lines: Sequence[Line], look: Look) -> bool:
    """Whether letters identify the lines: there are too few colours, or several lines share one."""
    joined = [line.colour for line in lines if line.joined]
    return look.letters or len(set(joined)) < len(joined)


def _reach(lines: Sequence[Line], limits: tuple[float, float] | None) -> tuple[float, float] | None:
    """The ends of the y axis: `limits`, or the least and the greatest drawn value. None when nothing is drawn."""
    drawn = [part for line in lines for part in (line.ys, line.low, line.high) if len(part)]
    found = [one for one in map(_span, drawn) if one is not None]
    if not any(_span(line.ys) or _span(line.low) for line in lines):
        return None
    low, high = limits or (min(low for low, _ in found), max(high for _, high in found))
    return _wide(low, high)


def _wide(low: float, high: float) -> tuple[float, float]:
    """Ends that differ: a constant value lies in the middle."""
    largest = max(abs(low), abs(high))
    if largest < 1e-290:
        return -1.0, 1.0
    if high / largest - low / largest > 1e-9:
        return low, high
    low, high = (max(min(one, 1.7e308), -1.7e308) for one in (low - 0.1 * largest, high + 0.1 * largest))
    return low, high


def _ends(lines: Sequence[Line], names: Mapping[float, str]) -> tuple[float, float] | None:
    """The ends of the x axis. A place without a value is kept, so that plots above each other align."""
    found = [one for one in (*(_span(line.xs) for line in lines), _span(list(names))) if one is not None]
    return (min(low for low, _ in found), max(high for _, high in found)) if found else None


def _span(values: Values) -> tuple[float, float] | None:
    """The least and the greatest finite value."""
    import numpy as np

    given = np.asarray(values, float)
    known = given[np.isfinite(given)]
    return (float(known.min()), float(known.max())) if len(known) else None


def _drawn(
    lines: Sequence[Line],
    width: int,
    height: int,
    reach: tuple[float, float],
    ends: tuple[float, float],
    inset: bool,
    cursor: float | None,
    look: Look,
) -> Canvas:
    from synergy_tui.drawing.canvas import Canvas  # NumPy: loaded only to draw a curve

    canvas = Canvas(width, height, reach, ends, 1 if inset and width >= 12 else 0, look)
    for line in lines:
        canvas.band(line)
    canvas.zero()
    if cursor is not None:
        canvas.cursor(cursor)
    for line in sorted(lines, key=lambda one: not one.thin):
        canvas.line(line)
    for line in lines:
        canvas.bars(line)
    several = sum(line.joined and _span(line.ys) is not None for line in lines) > 1
    lettered = several and _lettered(lines, look)
    for place, line in enumerate(lines):
        canvas.points(line, place, lettered)
    return canvas


# Around the canvas


def _beside(canvas: Canvas, ups: Sequence[ticks.Tick], margin: int, left: int, look: Look) -> list[Text]:
    """The canvas with the y axis at its left."""
    labels = {canvas.row(one.value): one.label for one in ups}
    out = []
    for place, row in enumerate(canvas.rows()):
        label = labels.get(place)
        sign = ("|" if look.ascii else "│") if label is None else "+" if look.ascii else "┤"
        before = f"{label or '':>{margin}}{sign}" if left else ""
        spans = [Span(0, left, _quiet(look))] if left else []
        spans += [Span(one.start + left, one.end + left, one.style) for one in row.spans]
        out.append(Text(before + row.plain, spans=spans))
    return out


def _under(
    canvas: Canvas,
    width: int,
    left: int,
    ends: tuple[float, float],
    names: Mapping[float, str],
    look: Look,
) -> list[Text]:
    """The x axis and its labels."""
    if names:
        labels = ticks.of_names(names, [canvas.column(one) for one in names], width, left)
        every = sorted({canvas.column(one) for one in names})
        marks = set(every) if len(every) * 2 <= width - left else {one.column for one in labels}
    else:
        labels = ticks.of_numbers(*_wide(*ends), width, left, canvas.column) if ends[0] < ends[1] else []
        if ends[0] == ends[1]:
            labels = ticks.placed([(canvas.column(ends[0]), f"{ends[0]:.6g}")], width, left)
        marks = {one.column for one in labels}
    corner, rule, mark = ("+", "-", "+") if look.ascii else ("└", "─", "┬")
    axis = corner * min(left, 1) + "".join(mark if one in marks else rule for one in range(width - left))
    line = Text(" " * max(left - 1, 0) + axis, spans=[Span(0, width, _quiet(look))])
    if canvas.cursor_at is not None:
        place = left + canvas.cursor_at
        line = Text(f"{line.plain[:place]}{'^' if look.ascii else '▲'}{line.plain[place + 1 :]}", spans=line.spans)
        line.stylize(style("cursor", None, look), place, place + 1)
    told = ""
    for label in labels:
        told += " " * (label.start - cell_len(told)) + label.text
    return [line, Text(set_cell_size(told, width), spans=[Span(0, len(told), _quiet(look))])]


def _legend(lines: Sequence[Line], width: int, look: Look) -> list[Text]:
    """The names of the lines with their signs, as many per row as fit."""
    out: list[Text] = []
    for line in lines:
        if not line.name:
            continue
        sign = line.letter if _lettered(lines, look) else look.sign(line.letter, line.thin)
        # The sign is omitted if the name begins with it.
        before = "" if line.name.startswith(f"{sign} ") else f"{sign} "
        entry = Text(before, style(look.colour(line.colour), None, look)).append(line.name, Style.null())
        if cell_len(entry.plain) > width:
            entry = Text(_fitting(entry.plain, width))
        if out and cell_len(out[-1].plain) + 3 + cell_len(entry.plain) <= width:
            out[-1].append("   ", Style.null()).append_text(entry)
        else:
            out.append(Text().append_text(entry))
    for row in out:
        row.append(" " * (width - cell_len(row.plain)))
    return out


def _centred(words: str, width: int, left: int, how: Style | None = None) -> Text:
    """Words over the canvas, or over the whole width if they need it."""
    told = _fitting(" ".join(words.split()), width)
    size = cell_len(told)
    start = left + (width - left - size) // 2 if size <= width - left else (width - size) // 2
    return Text(set_cell_size(" " * start + told, width), how or "")


def _fitting(words: str, width: int) -> str:
    """The words that fit whole, and `…` if some do not."""
    if cell_len(words) <= width:
        return words
    kept = ""
    for word in words.split(" "):
        longer = f"{kept} {word}".strip()
        if cell_len(longer) + 2 > width:
            break
        kept = longer
    return f"{kept} …" if kept else set_cell_size(words, max(width - 1, 0)) + "…"


def _nothing(width: int, height: int) -> list[Text]:
    told = NOTHING if len(NOTHING) <= width else ""
    return [Text((told if row == height // 2 else "").center(width)) for row in range(height)]


def _quiet(look: Look) -> Style:
    return style("quiet", None, look)


def spark(values: Sequence[float], width: int, signs: str = "▁▂▃▄▅▆▇█") -> str:
    """Values in one row of blocks, averaged down to the width; blank where missing."""
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
