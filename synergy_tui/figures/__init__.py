"""Runs → figures for papers, with matplotlib, which no other room imports.

asked.py     what a figure shows, and which options a kind of figure takes
kinds.py     kind → the functions that draw it
paper.py     widths, type, colours, and all else that figures have in common
files.py     a figure → SVG, PDF or PNG, with the command that remakes it
maps.py      layers × units, and the layer profile
lines.py     profiles, ablation curves, ladders and comparisons
pairs.py     units × units of an atom
network.py   the strongest pairs as arcs
tokens.py    a response token by token
response.py  a response with its local atoms; the explorer reads it here too
claims.py    a claims card with effects and intervals
forest.py    cards of many models: the forest of a claim, and all profiles

Nothing here uses pyplot, a screen or a matplotlibrc: the same call draws the same figure everywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from synergy_tui.store.cache import Cache

KINDS: tuple[str, ...] = (
    *("map", "profile", "pairs", "network", "tokens", "ablation", "difficulty", "compare", "claims"),
    *("forest", "profiles"),
)
"""The kinds of figures."""

OVER_MODELS = KINDS[-2:]
"""Kinds about all cards of a cache instead of a run."""


def figure(
    cache: Cache,
    kind: str,
    run: str = "",
    *,
    other: str | None = None,
    ranking: str | None = None,
    score: str | None = None,
    prompt: int | None = None,
    unit: str | None = None,
    pair: str | None = None,
    category: str | None = None,
    claim: str | None = None,
    width: str | float = "column",
    dark: bool = False,
    font: str | None = None,
) -> Figure:
    """A figure of a kind (see KINDS) about a run, whole ids of results.

    run: a decomposition; for `ablation`, `difficulty` and `claims` also an ablation, a ladder or a card. other: the run
    that `compare` puts beside it. ranking, score: the values shown; for `difficulty` the score is an order parameter.
    prompt, unit, pair: for `tokens`, units as people name them, a pair with a comma between its units; `map` rings a
    unit, `pairs` a pair. category: for `profile`, `tokens` and `compare`. claim: for `forest`, which like
    `profiles` is about all cards and takes no run. width: "column" (3.5 in), "page" (7.2 in), or
    inches. font: a family that is installed here.

    Raises UsageError if the run does not have the values, or matplotlib is not installed.
    """
    _needed()
    from synergy_tui.figures import kinds
    from synergy_tui.figures.asked import Asked
    from synergy_tui.figures.paper import Paper

    asked = Asked(cache, kind, run, other, ranking, score, prompt, unit, pair, category, claim)
    return kinds.figure(asked, Paper.of(width, dark, font))


def draw(
    axes: Axes,
    cache: Cache,
    kind: str,
    run: str = "",
    *,
    other: str | None = None,
    ranking: str | None = None,
    score: str | None = None,
    prompt: int | None = None,
    unit: str | None = None,
    pair: str | None = None,
    category: str | None = None,
    claim: str | None = None,
    dark: bool = False,
) -> None:
    """The main panel of `figure` on the caller's axes, whose size, font and colours stay as they are.

    Raises UsageError as `figure` does.
    """
    _needed()
    from synergy_tui.figures import kinds
    from synergy_tui.figures.asked import Asked
    from synergy_tui.figures.paper import Paper

    asked = Asked(cache, kind, run, other, ranking, score, prompt, unit, pair, category, claim)
    inches = axes.get_window_extent().width / axes.figure.dpi
    kinds.draw(axes, asked, Paper(float(inches), dark))


def save(figure: Figure, path: Path, command: str, *, dpi: int = 300, force: bool = True) -> None:
    """Writes a figure in the form of its file's ending: svg, pdf or png. command: remakes it, and is in the file's
    metadata. dpi: of a PNG, and of matrices in the others. force: replaces a file that is there already.

    Raises UsageError for another ending, a folder that is not there, and a file that is there already.
    """
    _needed()
    from synergy_tui.figures import files

    files.save(figure, path, command, dpi, force)


def svg(figure: Figure, command: str) -> str:
    """A figure as SVG for a page of HTML: without a prolog, with unique ids, a title and a description."""
    _needed()
    from synergy_tui.figures import files

    return files.svg(figure, command)


def note(figure: Figure, text: str) -> None:
    """Adds small print under a figure, which grows by it."""
    _needed()
    from synergy_tui.figures import files

    files.note(figure, text)


def lacking(figure: Figure) -> str:
    """The signs in a figure that no font has, so that boxes stand for them."""
    _needed()
    from synergy_tui.figures import paper

    return paper.lacking(figure)


def check(path: Path, force: bool = False) -> None:
    """Raises UsageError if a figure cannot be drawn or written here, before drawing it: see save."""
    _needed()
    from synergy_tui.figures import files

    files.check(path, force)


def _needed() -> None:
    """Raises UsageError if matplotlib is not installed."""
    from importlib.util import find_spec

    from synergy_tui.errors import UsageError, with_extra

    if find_spec("matplotlib") is None:
        raise UsageError("figures need matplotlib, which is not installed", with_extra("figures"))
