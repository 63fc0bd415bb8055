"""What a plot draws, and how a terminal shows it: lines in their colours, or with letters if colours are too few."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from rich.style import Style

from synergy_tui.drawing import scale

if TYPE_CHECKING:
    import numpy as np

    Values = Sequence[float] | np.ndarray

CURSOR_COLOUR = 201


class Line(NamedTuple):
    """Values along an axis; the line breaks where a value is not finite. low, high: an interval around each value; NaN
    means no interval, and an infinite end reaches the edge.

    colour: one of the 256, for a dark ground. letter: identifies the line if colours cannot. name: for the legend in
    the plot. joined: points are connected. marked: points were measured and get a sign. thin: a secondary line. band:
    intervals fill an area instead of standing as bars."""

    xs: Values
    ys: Values
    colour: int | None = None
    letter: str = ""
    name: str = ""
    low: Values = ()
    high: Values = ()
    joined: bool = True
    marked: bool = False
    thin: bool = False
    band: bool = False


class Look(NamedTuple):
    """What a terminal can show. system: rich's name of its colour system, "ansi" for its own palette, None without
    colours. ascii: only ASCII signs. dark: whether the ground is dark."""

    system: str | None = None
    ascii: bool = False
    dark: bool = True

    @property
    def letters(self) -> bool:
        """Whether letters distinguish the lines: sixteen colours are too few."""
        return self.ascii or self.system not in ("truecolor", "256")

    @property
    def filled(self) -> bool:
        """Whether bands have a colour of their own."""
        return not self.letters

    def colour(self, colour: int | None) -> int | None:
        """A line's colour on this ground."""
        if self.system is None:
            return None
        colour = 252 if colour is None else colour
        colour = colour if self.dark else scale.on_light(colour)
        return scale.of_sixteen(colour) if self.system == "ansi" else colour

    def sign(self, letter: str, thin: bool = False) -> str:
        """The sign of a line in a legend."""
        return letter if self.letters else "─" if thin else "━"


@lru_cache(1024)
def style(fore: int | str | None, behind: int | None, look: Look) -> Style:
    """The style of a cell. fore: one of the 256 colours, `quiet` or `cursor`."""
    if fore == "cursor":
        cursor = None if look.system is None else 13 if look.system == "ansi" else CURSOR_COLOUR
        return Style(color=_named(cursor), bold=True, bgcolor=_named(behind))
    if fore == "quiet":
        few = look.system == "ansi" or (look.letters and not look.ascii)
        quiet = None if look.system is None else 8 if few else 246 if look.dark else 240
        return Style(color=_named(quiet), bgcolor=_named(behind))
    assert not isinstance(fore, str)
    return Style(color=_named(fore), bgcolor=_named(behind))


def _named(colour: int | None) -> str | None:
    return None if colour is None else f"color({colour})"
