"""Units × units of an atom, layer by layer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.colors import Normalize

from synergy_tui.drawing import pooling
from synergy_tui.figures import asked as asking
from synergy_tui.figures import paper as on
from synergy_tui.figures.asked import Asked
from synergy_tui.figures.paper import Paper
from synergy_tui.store import load
from synergy_tui.store.run import row_of
from synergy_tui.terms import ATOMS
from synergy_tui.units import Naming

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHOWN = (*ATOMS, "tdmi", "excess")

BOTH = ("sts", "rtr")
"""The matrices that stand beside each other on a page."""

MOST = 1_500
"""Cells of a side beyond which several units share one: no page shows more."""

NAMED = {False: 32, True: 64}
"""Most units that are all named at the sides, in a column and on a page."""

LINED = 16
"""Most layers that lines separate."""


@dataclass(frozen=True)
class Pairs:
    """values [cells, cells]: nats; the row is x, the column y; NaN where there is no pair. units: the first unit of
    each cell. starts: the first cell of each layer, and the end. ringed: a pair, by its cells."""

    row: dict[str, Any]
    atom: str
    values: np.ndarray
    units: list[int]
    starts: list[int]
    layers: list[int]
    naming: Naming
    ringed: tuple[int, int] | None
    told: str


def look_up(asked: Asked) -> Pairs:
    """The matrix. Raises UsageError for an unknown atom or pair, CacheError if the pairs' file is missing."""
    return _read(asked, asked.one_of(SHOWN, BOTH[0]))


def _read(asked: Asked, atom: str) -> Pairs:
    from synergy_tui.store import walk

    with asked.cache.read() as con:
        row = row_of(con, asked.run)
    naming, of = load.naming(asked.cache, row["capture"]), load.layers_of_units(asked.cache, row["capture"])
    pair = asked.pair_of(naming)
    for one in pair or ():
        asking.there(asked.cache, row["capture"], one, naming)
    matrix = walk.pair_matrix(asked.cache, asked.run, atom, naming.layers * naming.per_layer)
    units = list(of)
    values = matrix[np.ix_(units, units)]
    step = -(-len(units) // MOST)
    if step > 1:  # cells never cross a layer's edge
        new = (of[one] != of[units[k - 1]] for k, one in enumerate(units))
        cells = [k for k, begins in enumerate(new) if begins or (units[k] % naming.per_layer) % step == 0 or k == 0]
        values = pooling.pooled(values, np.array([*cells, len(units)]))
        units = [units[k] for k in cells]
    layers = sorted(set(of.values()))
    starts = [next(k for k, one in enumerate(units) if of[one] == layer) for layer in layers]
    place = {one: k for k, one in enumerate(units)}
    ringed = (place[pair[0]], place[pair[1]]) if pair and step == 1 else None
    told = f"; ringed: {naming.unit(pair[0])} with {naming.unit(pair[1])}" if ringed and pair else ""
    told = f"of {len(of) * (len(of) - 1) // 2:,} pairs{told}"
    return Pairs(row, atom, values, units, [*starts, len(units)], layers, naming, ringed, told)


def make(asked: Asked, paper: Paper) -> Figure:
    """The matrix; on a page without a given atom, the matrices of synergy and redundancy side by side."""
    atoms = BOTH if paper.wide and asked.score is None else (asked.one_of(SHOWN, BOTH[0]),)
    several = [_read(asked, one) for one in atoms]
    wide = min(paper.width / len(several), 6.0)
    figure = on.sheet(paper, wide + 0.55, _title(several), square=True)
    for axes, found in zip(np.atleast_1d(figure.subplots(1, len(several))), several, strict=True):
        draw(axes, found, replace(paper, width=wide))
        how: dict[str, Any] = {"extend": "both" if _cut(found) else "neither", "extendfrac": 0.02}
        label, share = f"{found.atom}, nats", wide / paper.width
        on.bar_beside(figure, axes, axes.images[0], label, wide - 0.45, share, **how)
        axes.set_title("")
        if found is not several[0]:
            axes.set_ylabel("")
            axes.tick_params(labelleft=False)
    on.title_above(figure, figure.axes[0], _title(several))
    return figure


def _title(several: list[Pairs]) -> str:
    """The subject, the atoms, and how many pairs there are."""
    return f"{several[0].row['name']}: {' and '.join(one.atom for one in several)} {several[0].told}"


def reach(found: Pairs) -> tuple[float, float]:
    """The ends of the colours: around zero where both signs occur."""
    low, high = pooling.ends(found.values)
    if low < 0 < high:
        most = max(-low, high)
        return -most, most
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _cut(found: Pairs) -> bool:
    low, high = reach(found)
    known = found.values[np.isfinite(found.values)]
    return bool(len(known)) and bool(known.min() < low or known.max() > high)


def draw(axes: Axes, found: Pairs, paper: Paper) -> None:
    """The matrix; lines separate the layers. Cells without a pair show the ground."""
    low, high = reach(found)
    axes.imshow(
        np.ma.masked_invalid(found.values),
        norm=Normalize(low, high),
        cmap=paper.colours(low < 0 < high),
        interpolation="none",
    )
    size = len(found.values)
    if len(found.layers) <= LINED and size > len(found.layers):
        for start in found.starts[1:-1]:
            axes.axhline(start - 0.5, color=paper.ground, linewidth=0.4)
            axes.axvline(start - 0.5, color=paper.ground, linewidth=0.4)
    if found.ringed is not None:
        x, y = found.ringed
        for row, column in ((x, y), (y, x)):
            corners = [(column - 0.5, row - 0.5), (column + 0.5, row - 0.5), (column + 0.5, row + 0.5)]
            corners += [(column - 0.5, row + 0.5), corners[0]]
            axes.plot(*zip(*corners, strict=True), color=paper.ink, linewidth=0.9, clip_on=False, zorder=5)
    axes.set(xlim=(-0.5, size - 0.5), ylim=(size - 0.5, -0.5))
    axes.set_title(on.short(_title([found]), 64 if not paper.wide else 110), parse_math=False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    _names(axes, found, paper)


def _names(axes: Axes, found: Pairs, paper: Paper) -> None:
    """Names the units if they have names and are few, otherwise the layers."""
    if found.naming.names and len(found.units) <= NAMED[paper.wide]:
        places: list[float] = list(range(len(found.units)))
        names = [found.naming.unit(one) for one in found.units]
        room, what = 1e3, ""
    else:
        places = [(one + other - 1) / 2 for one, other in pairwise(found.starts)]
        names = [found.naming.layer(one) for one in found.layers]
        inches = axes.get_window_extent().width / axes.figure.dpi
        room, what = inches * 72 / max(len(names), 1), "" if found.naming.groups else "layer"
    upright = max((len(one) for one in names), default=0) > 3
    on.names_on(axes.yaxis, places, names, room)
    on.names_on(axes.xaxis, places, names, room, **({"rotation": 90} if upright else {}))
    axes.set_xlabel(f"{what} (y)" if what else "")
    axes.set_ylabel(f"{what} (x)" if what else "")
