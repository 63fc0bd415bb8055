"""A response as running text, each token on the colour of its local value, and the curve under it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.patches import Rectangle

from synergy_tui.drawing import scale
from synergy_tui.drawing.tables import printable
from synergy_tui.errors import UsageError
from synergy_tui.figures import asked as asking
from synergy_tui.figures import paper as on
from synergy_tui.figures import response
from synergy_tui.figures.asked import Asked
from synergy_tui.figures.paper import Paper
from synergy_tui.store import load, walk
from synergy_tui.store.run import read
from synergy_tui.terms import ATOMS, RANKINGS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LINE = 1.62
"""Height of a line of text, of its type."""

EDGE, CURVE, BAR = 0.08, 0.85, 0.42
"""Inches of the margin, of the curve, and of the scale with its words."""

WORDS = {"sts": "synergy (sts)", "rtr": "redundancy (rtr)"}


@dataclass(frozen=True)
class Tokens:
    """A response with the values of an atom. who: the unit or pair, in words."""

    response: response.Response
    atom: str
    who: str
    title: str
    prompt: int

    @property
    def values(self) -> np.ndarray:
        """[steps] nats, NaN where there is no value."""
        return self.response.atoms[:, ATOMS.index(self.atom)]

    @property
    def reach(self) -> float:
        """The ends of the colours are as far from zero as the farthest value."""
        known = self.values[np.isfinite(self.values)]
        return float(np.abs(known).max()) if len(known) and np.abs(known).max() > 0 else 1.0


class _Part(NamedTuple):
    """A token, or a part of one, in a line: its beginning and width, in points."""

    step: int
    line: int
    left: float
    width: float
    text: str


def look_up(asked: Asked) -> Tokens:
    """The requested unit, or the highest in the default ranking; the requested prompt, or the first that is long
    enough. Raises UsageError for an unknown one, CacheError if the series are missing."""
    run = read(asked.cache, asked.run)
    atom, capture = asked.one_of(ATOMS, "sts"), run.row["capture"]
    naming = load.naming(asked.cache, capture)
    pair = asked.pair_of(naming)
    if pair is not None:
        unit, partner = pair
    elif asked.unit is not None:
        unit, partner = naming.number(asked.unit), None
    else:
        scaled = run.scores[RANKINGS[0]].shown
        if not np.isfinite(scaled).any():
            raise UsageError(f"no unit of {asked.run} has a value", "name one: --unit 3.1")
        unit, partner = int(np.nanargmax(scaled)), None
    for one in (unit, partner):
        if one is not None:
            asking.there(asked.cache, capture, one, naming)
    prompt = _prompt(asked, capture)
    found = response.read(asked.cache, run.row, unit, partner, prompt)
    if not found.pieces:
        raise UsageError(f"prompt {prompt} has no response: {found.why or 'it is empty'}", "choose another --prompt")
    who = naming.unit(unit) + (f" with {naming.unit(partner)}" if partner is not None else "")
    category = f", {found.category}" if found.category else ""
    title = f"{run.row['name']}, prompt {prompt}{category}: local {WORDS.get(atom, atom)} of {who}"
    return Tokens(found, atom, who, title, prompt)


def _prompt(asked: Asked, capture: str) -> int:
    every = walk.responses(asked.cache, capture)
    if asked.prompt is not None:
        if all(one["prompt"] != asked.prompt for one in every):
            last = max((one["prompt"] for one in every), default=0)
            raise UsageError(f"there is no prompt {asked.prompt} in this run", f"prompts are numbers from 0 to {last}")
        return asked.prompt
    some = [one for one in every if one["valid"] and asked.category in (None, one["category"])]
    if not some:
        of = f" of category {on.short(asked.category, 40)!r}" if asked.category is not None else ""
        raise UsageError(f"no prompt{of} has a response that is long enough", "name one: --prompt 0")
    return int(some[0]["prompt"])


def make(asked: Asked, paper: Paper) -> Figure:
    """The prompt in a line, the response, its scale, and the curve over the steps."""
    found = look_up(asked)
    width = paper.width - 2 * EDGE
    titles = on.wrapped(found.title, width * 72, on.TYPE)
    head = len(titles) * on.TYPE * 1.35 / 72 + (on.SMALL * 1.9 / 72 if found.response.asked else 0.04)
    left = 0.42
    room = int((on.TALLEST - head - BAR - CURVE - 0.6) * 72 / (on.TYPE * LINE))
    parts, cut = _laid_out(found, width * 72, room)
    tall = (parts[-1].line + 1 if parts else 1) * on.TYPE * LINE / 72
    figure = on.sheet(paper, EDGE + head + tall + 0.08 + BAR + CURVE + 0.36, found.title, laid_out=False)
    y = EDGE
    for one in titles:
        _words(figure, EDGE, y, one, size=on.TYPE)
        y += on.TYPE * 1.35 / 72
    if found.response.asked:
        asked_for = on.fitting(f"asked: {found.response.asked}", width * 72, on.SMALL)
        _words(figure, EDGE, y, asked_for, size=on.SMALL, color=paper.quiet)
    axes = on.placed(figure, EDGE, EDGE + head, width, tall)
    _draw(axes, found, paper, parts, cut)
    y = EDGE + head + tall + 0.08
    shown = ScalarMappable(Normalize(-found.reach, found.reach), paper.colours(on.DIVERGING))
    wide = min(width, 3.2)
    below = on.placed(figure, EDGE + (width - wide) / 2, y, wide, on.BAR)
    bar = figure.colorbar(shown, cax=below, orientation="horizontal")
    bar.set_label(f"local {WORDS.get(found.atom, found.atom)}, nats; grey: no value", size=on.SMALL)
    bar.outline.set_visible(False)
    on.numbers_on(bar.ax.xaxis, 4)
    curve = on.placed(figure, EDGE + left, y + BAR + 0.02, width - left, CURVE)
    _draw_curve(curve, found, paper)
    return figure


def _words(figure: Figure, left: float, top: float, text: str, **how: Any) -> None:
    wide, tall = figure.get_size_inches()
    figure.text(left / wide, 1 - top / tall, text, va="top", ha="left", parse_math=False, **how)


def draw(axes: Axes, found: Tokens, paper: Paper) -> None:
    """The text on axes, as many lines as have room."""
    box = axes.get_window_extent()
    points, tall = box.width / axes.figure.dpi * 72, box.height / axes.figure.dpi * 72
    parts, cut = _laid_out(found, points, max(int(tall / (on.TYPE * LINE)), 1))
    _draw(axes, found, paper, parts, cut)
    axes.set_xlim(0, points)
    axes.set_ylim(tall, 0)
    axes.set_title(on.short(found.title, 90), parse_math=False)


def _laid_out(found: Tokens, room: float, most: int) -> tuple[list[_Part], int]:
    """Parts in lines of so many points, and how many tokens do not fit into the allowed lines. Lines break at their end
    and at new lines, as in the explorer."""
    out: list[_Part] = []
    line, left = 0, 0.0
    for step, piece in enumerate(found.response.pieces):
        shown = printable(piece.replace("\n", "\0")).replace("\\x00", "↵") or "∅"
        for part in _parts(shown, room):
            width = _advance(part)
            if left and left + width > room:
                line, left = line + 1, 0.0
            if line >= most:
                kept = [one for one in out if one.step < step]
                return kept, len(found.response.pieces) - step
            out.append(_Part(step, line, left, width, part))
            left += width
        if "\n" in piece:
            line, left = line + 1, 0.0
    return out, 0


def _advance(text: str) -> float:
    """Points of a text, including the blanks around it, which have no ink."""
    return on.width_of(f"|{text}|", on.TYPE) - on.width_of("||", on.TYPE)


def _parts(text: str, room: float) -> list[str]:
    """A text in pieces that each fit into a line."""
    if len(text) < 2 or _advance(text) <= room:
        return [text]
    low, high = 1, len(text) - 1
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if _advance(text[:middle]) <= room else (low, middle - 1)
    return [text[:low], *_parts(text[low:], room)]


def _draw(axes: Axes, found: Tokens, paper: Paper, parts: list[_Part], cut: int) -> None:
    from rich.color import Color

    colours = scale.palette("truecolor", True, paper.dark)
    place, high = 0.5 + found.values / (2 * found.reach), on.TYPE * LINE
    axes.set_axis_off()
    box = axes.get_window_extent()
    axes.set_xlim(0, box.width / axes.figure.dpi * 72)
    axes.set_ylim(box.height / axes.figure.dpi * 72, 0)
    for one in parts:
        top, value = one.line * high, place[one.step]
        ink = paper.quiet
        if np.isfinite(value):
            colour = colours[scale.step(float(value), len(colours))]
            ink = scale.ink_on(Color.parse(colour))
            axes.add_patch(
                Rectangle((one.left, top + 0.1 * high), one.width, 0.8 * high, facecolor=colour, edgecolor="none")
            )
        how: dict[str, Any] = {"size": on.TYPE, "color": ink, "va": "baseline", "ha": "left", "parse_math": False}
        axes.text(one.left, top + 0.68 * high, one.text, **how)
    if cut:
        last = parts[-1] if parts else _Part(0, 0, 0.0, 0.0, "")
        told = f" … {cut:,} more tokens"
        right = axes.get_xlim()[1]
        how = {"size": on.SMALL, "color": paper.ink, "va": "baseline", "ha": "right"}
        how["bbox"] = {"facecolor": paper.ground, "edgecolor": "none", "pad": 1.0}
        axes.text(right, (last.line + 0.68) * high, told, **how)


def _draw_curve(axes: Axes, found: Tokens, paper: Paper) -> None:
    values = found.values
    colour = paper.cool if found.atom == "rtr" else paper.warm
    axes.axhline(0, color=paper.quiet, linewidth=0.6, linestyle=(0, (3, 2)), zorder=0)
    axes.plot(np.arange(len(values)), values, color=colour, linewidth=1.0)
    known = values[np.isfinite(values)]
    told = "step"
    if len(known):
        mean = float(known.mean())
        axes.axhline(mean, color=colour, linewidth=0.6, linestyle=(0, (1, 1.5)), zorder=0)
        told = f"step; dotted: mean {mean:+.2g}".replace("-", "−")
    axes.set(xlim=(-0.5, max(len(values) - 0.5, 0.5)), xlabel=told, ylabel=f"{found.atom}, nats")
    if found.response.why and not len(known):
        axes.text(0.5, 0.5, on.short(found.response.why, 60), transform=axes.transAxes, ha="center", size=on.SMALL)
    on.numbers_on(axes.xaxis, 6, whole=True)
    on.numbers_on(axes.yaxis, 3)
