"""A claims card: each claim with its effect and interval on a scale of its own, and its verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from synergy_tui.drawing import card as of_card
from synergy_tui.errors import UsageError
from synergy_tui.figures import asked as asking
from synergy_tui.figures import paper as on
from synergy_tui.figures.asked import Asked
from synergy_tui.figures.paper import Paper
from synergy_tui.store import cards, load
from synergy_tui.terms import EXPLAINED, NOT_SUPPORTED, SUPPORTED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

EDGE = 0.08

LINE = 1.32
"""Height of a line, of its type."""

COLOURS = {
    SUPPORTED: ("#005f00", "#87d7af"),
    EXPLAINED: ("#874b00", "#ffd787"),
    NOT_SUPPORTED: ("#af0000", "#ff8787"),
}
"""Colours of verdicts, on a light and on a dark ground; signs show the verdicts too."""

FOOT = "Each claim is on a scale of its own, ratios (×) on a logarithmic one. Dashed: no effect. Lines: intervals."


@dataclass(frozen=True)
class _Columns:
    """The beginnings and widths of the parts of a claim, in points."""

    told: tuple[float, float]
    drawn: tuple[float, float]
    effect: tuple[float, float]
    verdict: tuple[float, float]


@dataclass(frozen=True)
class _Row:
    """A claim in lines, and its height in points."""

    name: str
    claim: dict[str, Any]
    told: list[str]
    effect: list[str]
    verdict: list[str]
    height: float


def look_up(asked: Asked) -> dict[str, Any]:
    """The newest card of a run, or the named one. Raises UsageError without a card."""
    if asking.kind_of(asked.cache, "card", asked.run):
        return cards.card(asked.cache, asked.run)
    load.one(asked.cache, "decomposition", asked.run)
    newest = cards.newest_card(asked.cache, asked.run)
    if newest is None:
        raise UsageError(f"{asked.run} has no claims card yet", f"synergy-tui claims {asked.run}")
    return cards.card(asked.cache, newest)


def make(asked: Asked, paper: Paper) -> Figure:
    """A row for each claim; in a narrow figure its parts stand under each other."""
    card = look_up(asked)
    points = (paper.width - 2 * EDGE) * 72
    title = on.wrapped(of_card.title(card), points, on.TYPE, "bold")
    rows = _rows(card, points)
    head = len(title) * on.TYPE * LINE + 4
    tall = head + sum(one.height for one in rows) + on.SMALL * LINE * len(_foot(points)) + 2
    figure = on.sheet(paper, tall / 72 + 2 * EDGE, f"Claims card of {card['run']['name']}", laid_out=False)
    axes = on.placed(figure, EDGE, EDGE, points / 72, tall / 72)
    _draw(axes, rows, title, head, paper)
    return figure


def draw(axes: Axes, card: dict[str, Any], paper: Paper) -> None:
    """The same on the caller's axes, from their top; they should be as high as the axes of `figure`."""
    points = axes.get_window_extent().width / axes.figure.dpi * 72
    title = on.wrapped(of_card.title(card), points, on.TYPE, "bold")
    _draw(axes, _rows(card, points), title, len(title) * on.TYPE * LINE + 4, paper)


def _foot(points: float) -> list[str]:
    return on.wrapped(FOOT, points, on.SMALL)


def _columns(points: float) -> _Columns:
    if points < on.WIDE * 72:
        return _Columns((0, points), (14, 76), (100, points - 100), (100, points - 100))
    told, drawn, verdict = 0.3 * points, 0.18 * points, 0.155 * points
    effect = points - told - drawn - verdict - 28
    return _Columns((0, told), (told + 10, drawn), (told + drawn + 20, effect), (points - verdict, verdict))


def _rows(card: dict[str, Any], points: float) -> list[_Row]:
    narrow, columns = points < on.WIDE * 72, _columns(points)
    out = []
    for name, claim in card["claims"].items():
        told = on.wrapped(f"{name}  {claim['statement']}", columns.told[1], on.TYPE, "bold" if narrow else "normal")
        effect = [of_card.effect(claim), of_card.holds(claim)]
        if claim["missing"] and claim["effect"] is None:
            effect = [of_card.missing(claim)]
        lines = [line for one in effect if one for line in on.wrapped(one, columns.effect[1], on.SMALL)]
        verdict = on.wrapped(of_card.verdict(claim), columns.verdict[1], on.TYPE)
        if narrow:
            height = len(told) * on.TYPE * LINE + (len(verdict) * on.TYPE + len(lines) * on.SMALL) * LINE + 7
        else:
            height = max(len(told) * on.TYPE, len(lines) * on.SMALL, len(verdict) * on.TYPE) * LINE + 9
        out.append(_Row(name, claim, told, lines, verdict, height))
    return out


def _draw(axes: Axes, rows: list[_Row], title: list[str], head: float, paper: Paper) -> None:
    box = axes.get_window_extent()
    points, tall = box.width / axes.figure.dpi * 72, box.height / axes.figure.dpi * 72
    narrow, columns = points < on.WIDE * 72, _columns(points)
    axes.set_axis_off()
    axes.set(xlim=(0, points), ylim=(tall, 0))
    _lines(axes, 0, 0, title, on.TYPE, color=paper.ink, weight="bold")
    y = head
    for one in rows:
        axes.plot((0, points), (y - 2, y - 2), color=paper.faint, linewidth=0.6)
        colour = COLOURS.get(one.claim["verdict"], (paper.quiet, paper.quiet))[paper.dark]
        at = y + 1
        _lines(axes, columns.told[0], at, one.told, on.TYPE, color=paper.ink, weight="bold" if narrow else "normal")
        if narrow:
            at += len(one.told) * on.TYPE * LINE + 1
        middle = at + (one.height - (at - y)) / 2 - 3
        _lines(axes, columns.verdict[0], at, one.verdict, on.TYPE, color=colour)
        below = at + len(one.verdict) * on.TYPE * LINE if narrow else at
        _lines(axes, columns.effect[0], below, one.effect, on.SMALL, color=paper.ink)
        _whisker(axes, one.claim, columns.drawn, middle, colour, paper)
        y += one.height
    _lines(axes, 0, y + 2, _foot(points), on.SMALL, color=paper.quiet)


def _lines(axes: Axes, left: float, top: float, lines: list[str], size: float, **how: Any) -> None:
    for place, one in enumerate(lines):
        y = top + (place * LINE + 1.0) * size
        axes.text(left, y, one, size=size, va="baseline", ha="left", parse_math=False, **how)


def neutral_of(claim: dict[str, Any]) -> float:
    """No effect: a ratio of 1, or 0."""
    return 1.0 if "×" in claim["measure"] else 0.0


def whisker(claim: dict[str, Any]) -> tuple[float, float, float] | None:
    """Effect, low and high on a scale from −1 to 1, where 0 is no effect; NaN without an interval; None without an
    effect."""
    if claim["effect"] is None:
        return None
    effect, low, high = (on.numbers([claim], name)[0] for name in ("effect", "low", "high"))
    ends = np.array([effect, low, high]) - neutral_of(claim)
    if neutral_of(claim) and not (ends <= -1).any():  # a ratio: twice is as far from 1 as half
        ends = np.log(ends + 1)
    reach = float(np.nanmax(np.abs(ends))) or 1.0
    return float(ends[0] / reach), float(ends[1] / reach), float(ends[2] / reach)


def _whisker(axes: Axes, claim: dict[str, Any], room: tuple[float, float], y: float, colour: str, paper: Paper) -> None:
    found = whisker(claim)
    if found is None:
        return
    left, width = room
    middle, half = left + width / 2, width / 2 - 3
    dashes: dict[str, Any] = {"color": paper.quiet, "linewidth": 0.6, "linestyle": (0, (3, 2))}
    axes.plot((middle, middle), (y - 7, y + 7), **dashes)
    effect, low, high = (middle + half * one for one in found)
    axes.plot((low, high), (y, y), color=colour, linewidth=1.2, solid_capstyle="butt")
    axes.plot([effect], [y], "o", color=colour, markersize=3.4)
