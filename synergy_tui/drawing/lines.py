"""What a plot draws, and how a terminal shows it: lines in their colours, or with letters where colours are too few."""

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
    """Values along an axis, broken where one is not finite. low, high: an interval around each; where one is NaN there
    is none, and an infinite one reaches the edge.

    colour: of the 256, as it looks on a dark ground. letter: tells the line where colours cannot. name: for the legend
    in the plot. joined: points are connected. marked: points were measured and get a sign. thin: beside a line that is
    not. band: intervals fill an area instead of standing as bars."""

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
    """What a terminal shows. system: what rich calls its colours, "ansi" for its own palette, None without. ascii: no
    sign beyond ASCII. dark: the ground."""

    system: str | None = None
    ascii: bool = False
    dark: bool = True

    @property
    def letters(self) -> bool:
        """Whether lines are told apart by letters: sixteen colours are too few."""
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
        """What stands for a line in a legend."""
        return letter if self.letters else "─" if thin else "━"


@lru_cache(1024)
def style(fore: int | str | None, behind: int | None, look: Look) -> Style:
    """Of a cell. fore: one of the 256 colours, `quiet` or `cursor`."""
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
