"""Kind → the functions that look it up and draw it."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from synergy_tui.figures import paper as on
from synergy_tui.figures.asked import Asked
from synergy_tui.figures.paper import Paper
from synergy_tui.store.archive import Archive
from synergy_tui.store.cache import READ_PATIENCE

if TYPE_CHECKING:
    import duckdb
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class _Kind(NamedTuple):
    """A module of this room, and its functions: the question → the data, which make a whole figure, or one on given
    axes."""

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
    "forest": _Kind("forest"),
    "profiles": _Kind("forest", "profiles_of", "make_profiles", "draw_profiles"),
}


def figure(asked: Asked, paper: Paper) -> Figure:
    """A separate figure."""
    kind = KINDS[asked.kind]
    module = importlib.import_module(f"synergy_tui.figures.{kind.module}")
    with on.style(paper), _at_once(asked) as reading:
        made: Figure = getattr(module, kind.make)(reading, paper)
        on.plain(made)
        return made


def draw(axes: Axes, asked: Asked, paper: Paper) -> None:
    """The main panel on the caller's axes."""
    kind = KINDS[asked.kind]
    module = importlib.import_module(f"synergy_tui.figures.{kind.module}")
    with on.style(paper), _at_once(asked) as reading:
        getattr(module, kind.draw)(axes, getattr(module, kind.look_up)(reading), paper)
        on.plain(axes)


@dataclass(frozen=True, kw_only=True)
class _Open(Archive):
    """An exported run whose views are made once. A cache is not held open: other processes wait to write it."""

    con: duckdb.DuckDBPyConnection

    @contextmanager
    def read(self, patience: float = READ_PATIENCE) -> Iterator[duckdb.DuckDBPyConnection]:
        """The open connection."""
        yield self.con


@contextmanager
def _at_once(asked: Asked) -> Iterator[Asked]:
    """The same question, asked of an exported run over one connection: making its views takes 0.1 s each time."""
    if not isinstance(asked.cache, Archive):
        yield asked
        return
    with asked.cache.read() as con:
        yield replace(asked, cache=_Open(folder=asked.cache.folder, con=con))
