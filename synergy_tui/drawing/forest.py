"""What many models say about one claim → a forest plot as text: a line per model with its interval and a square at the
effect, and the mean of all as a diamond with the prediction for another model."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from synergy_tui.drawing.card import SIGNS
from synergy_tui.drawing.lines import Look
from synergy_tui.drawing.tables import cut, printable
from synergy_tui.terms import EXPLAINED, NOT_SUPPORTED, SUPPORTED

if TYPE_CHECKING:
    from synergy_tui.analysis.meta import Group, Model

NAME = 26
"""Most columns of a subject's name."""

FEW = 6
"""Most models without an effect that are named."""

LEAST = 12
"""Columns of the plot below which it is left out and only numbers remain."""

COLOURS = {SUPPORTED: 71, EXPLAINED: 178, NOT_SUPPORTED: 167}
"""Colours of verdicts; other verdicts have the colour of text."""


class Signs(NamedTuple):
    """The signs of a forest plot."""

    line: str
    low: str
    high: str
    before: str
    beyond: str
    square: str
    diamond: str
    mean: str
    another: str
    nothing: str


DRAWN = Signs("─", "├", "┤", "←", "→", "■", "◆", "━", "╌", "┊")
PLAIN = Signs("-", "|", "|", "<", ">", "#", "*", "=", ".", ":")

ASCII_VERDICTS = {"●": "+", "◐": "/", "◑": "%", "✖": "x", "○": "o"}


def draw(group: Group, width: int, look: Look | None = None) -> list[Text]:
    """Lines of the plot, at most `width` columns each. Models without an interval stand below the others, with only
    their effect; models without an effect are counted."""
    look = look or Look()
    signs = PLAIN if look.ascii else DRAWN
    known = [one for one in group.models if math.isfinite(one.error)]
    others = [one for one in group.models if not math.isfinite(one.error) and math.isfinite(one.effect)]
    without = [one for one in group.models if not math.isfinite(one.effect)]
    rows = [(one, _numbers(one.effect, one.low, one.high, group.ratio)) for one in known]
    means = _means(group)
    names = [printable(one.subject) for one in group.models] + [name for name, *_ in means]
    name = min(max(map(cell_len, names), default=0), NAME, max(width // 3, 8))
    numbers = max((len(text) for text in [*(text for _, text in rows), *(text for _, text, *_ in means)]), default=0)
    room = width - (name + 2) - 1 - numbers - 1 - 6
    scale = _Scale.of(group, room) if room >= LEAST and known else None
    out = []
    for one, text in rows:
        weight = f" {100 * one.weight:3.0f} %" if math.isfinite(one.weight) else ""
        bar = scale.interval(one, signs) if scale else ""
        out.append(
            _row(_sign(one, look), printable(one.subject), name, text.rjust(numbers), bar, weight, _colour(one, look))
        )
    for what, text, low, middle, high in means:
        bar = scale.mean(low, middle, high, signs) if scale else ""
        out.append(_row(" ", what, name, text.rjust(numbers), bar, "", "bold" if look.system else ""))
    if scale:
        out.append(Text(" " * (name + 2 + 1 + numbers + 1) + scale.axis(group.ratio, "x1" if look.ascii else "×1")))
    for one in others:
        told = f"{one.effect:.3g} no interval"
        out.append(_row(_sign(one, look), printable(one.subject), name, told, "", "", _colour(one, look)))
    if without:
        names_ = ", ".join(printable(one.subject) for one in without[:FEW]) + (", …" if len(without) > FEW else "")
        told = f"{len(without)} without an effect: {names_}"
        out += [Text(line) for line in textwrap.wrap(told.replace("…", "...") if look.ascii else told, max(width, 20))]
    return [line if cell_len(line.plain) <= width else Text(cut(line.plain, width)) for line in out]


def _sign(model: Model, look: Look) -> str:
    sign = SIGNS.get(model.verdict, "○")
    return ASCII_VERDICTS.get(sign, "o") if look.ascii else sign


def _colour(model: Model, look: Look) -> str:
    colour = look.colour(COLOURS[model.verdict]) if model.verdict in COLOURS and look.system else None
    return "" if colour is None else f"color({colour})"


def _row(sign: str, name: str, room: int, numbers: str, bar: str, weight: str, style: str) -> Text:
    line = Text(f"{sign} ", style)
    shown = set_cell_size(cut(name, room), room)
    return line.append(f"{shown} {numbers} ").append(bar, style).append(weight)


def _numbers(value: float, low: float, high: float, ratio: bool) -> str:
    sign = "" if ratio else "+"
    return f"{value:{sign}.2f} [{low:{sign}.2f}, {high:{sign}.2f}]"


def _means(group: Group) -> list[tuple[str, str, float, float, float]]:
    """The mean and the prediction for another model: name, numbers, low, value, high."""
    found = group.result
    if found is None:
        return []
    low, high = found.predicted
    sign = "" if group.ratio else "+"
    return [
        ("mean", _numbers(found.effect, found.low, found.high, group.ratio), found.low, found.effect, found.high),
        ("another model", f"[{low:{sign}.2f}, {high:{sign}.2f}]", low, math.nan, high),
    ]


class _Scale(NamedTuple):
    """Effects → columns. of_: the transformation of an effect. low, high: ends of the axis after it."""

    of_: Callable[[float], float]
    low: float
    high: float
    room: int
    nothing: float

    @classmethod
    def of(cls, group: Group, room: int) -> _Scale:
        """An axis that holds the null effect, every effect and most of every interval: a wide one must not squeeze the
        others."""
        of: Callable[[float], float] = math.log if group.ratio else float
        nothing = 0.0
        values = [one.value for one in group.known] + [nothing]
        errors = sorted(one.error for one in group.known)
        reach = 2.2 * errors[len(errors) // 2]
        return cls(of, min(values) - reach, max(values) + reach, room, nothing)

    def column(self, value: float) -> int:
        """The column of a value, after `of_`."""
        return round((value - self.low) / (self.high - self.low) * (self.room - 1))

    def interval(self, model: Model, signs: Signs) -> str:
        """A model's bar."""
        ends = [
            self.of_(one) if one > 0 or self.of_ is not math.log else self.low - 1 for one in (model.low, model.high)
        ]
        return self._bar(ends[0], model.value, ends[1], signs.line, signs.square, signs)

    def mean(self, low: float, middle: float, high: float, signs: Signs) -> str:
        """The bar of a mean, or without a middle the bar of the prediction."""
        ends = [self.of_(one) if one > 0 or self.of_ is not math.log else self.low - 1 for one in (low, high)]
        if math.isnan(middle):
            return self._bar(ends[0], math.nan, ends[1], signs.another, "", signs)
        return self._bar(ends[0], self.of_(middle), ends[1], signs.mean, signs.diamond, signs)

    def _bar(self, low: float, middle: float, high: float, line: str, sign: str, signs: Signs) -> str:
        cells = [" "] * self.room
        if 0 <= (zero := self.column(self.nothing)) < self.room:
            cells[zero] = signs.nothing
        first, last = self.column(low), self.column(high)
        for place in range(max(first, 0), min(last, self.room - 1) + 1):
            cells[place] = line
        if line == signs.line:
            cells[min(max(first, 0), self.room - 1)] = signs.low if first >= 0 else signs.before
            cells[max(min(last, self.room - 1), 0)] = signs.high if last < self.room else signs.beyond
        else:
            cells[0] = signs.before if first < 0 else cells[0]
            cells[-1] = signs.beyond if last >= self.room else cells[-1]
        if sign:
            cells[min(max(self.column(middle), 0), self.room - 1)] = sign
        return "".join(cells)

    def axis(self, ratio: bool, one: str) -> str:
        """Numbers under the plot: its ends and, if there is room, the null effect, which for ratios is `one`."""
        back: Callable[[float], float] = math.exp if ratio else float
        low, high = f"{back(self.low):.2g}", f"{back(self.high):.2g}"
        cells = list(low.ljust(self.room - len(high)) + high)
        zero, word = self.column(self.nothing), one if ratio else "0"
        begin = zero - len(word) // 2
        if len(low) < begin and begin + len(word) < self.room - len(high):
            cells[begin : begin + len(word)] = word
        return "".join(cells)
