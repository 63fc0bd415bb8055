"""Kind → what looks it up and draws it."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, NamedTuple

from synergy_tui.figures import paper as on
from synergy_tui.figures.asked import Asked
from synergy_tui.figures.paper import Paper

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class _Kind(NamedTuple):
    """A module of this room, and its functions: what is asked → what is drawn, a whole figure, and on given axes."""

    module: str
    look_up: str = "look_up"
    make: str = "make"
    draw: str = "draw"


KINDS = {
    "map": _Kind("maps"),
    "profile": _Kind("lines", "profile_of", "make_profile", "draw_profile"),
    "pairs": _Kind("pairs"),
    "network": _Kind("network"),
    "tokens": _Kind("tokens"),
    "ablation": _Kind("lines", "ablation_of", "make_ablation", "draw_ablation"),
    "difficulty": _Kind("lines", "ladder_of", "make_difficulty", "draw_difficulty"),
    "compare": _Kind("lines", "sides_of", "make_compare", "draw_compare"),
    "claims": _Kind("claims"),
}


def figure(asked: Asked, paper: Paper) -> Figure:
    """A figure of its own."""
    kind = KINDS[asked.kind]
    module = importlib.import_module(f"synergy_tui.figures.{kind.module}")
    with on.style(paper):
        made: Figure = getattr(module, kind.make)(asked, paper)
        on.plain(made)
        return made


def draw(axes: Axes, asked: Asked, paper: Paper) -> None:
    """The main panel on axes of somebody's."""
    kind = KINDS[asked.kind]
    module = importlib.import_module(f"synergy_tui.figures.{kind.module}")
    with on.style(paper):
        getattr(module, kind.draw)(axes, getattr(module, kind.look_up)(asked), paper)
        on.plain(axes)
