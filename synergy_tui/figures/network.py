"""The strongest pairs as arcs over the units, layer by layer: synergy above, redundancy below."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.collections import LineCollection

from synergy_tui.errors import UsageError
from synergy_tui.figures import asked as asking
from synergy_tui.figures import paper as on
from synergy_tui.figures.asked import Asked
from synergy_tui.figures.paper import Paper
from synergy_tui.store import cards, load
from synergy_tui.store.run import row_of
from synergy_tui.units import Naming

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

EDGES = 60
"""Strongest pairs of each atom, as in the explorer."""

WORDS = {"sts": "synergy (sts)", "rtr": "redundancy (rtr)"}

GAP = 0.055
"""Share of the axes' height from the middle to the arcs: the layers stand there."""


@dataclass(frozen=True)
class Network:
    """strongest: atom → pairs, the strongest first. places: unit → its place along the axis. blocks: layer, first and
    last place. contrasts: of the newest networks of the run, empty if they were not measured."""

    row: dict[str, Any]
    strongest: dict[str, list[dict[str, Any]]]
    places: dict[int, float]
    blocks: list[tuple[int, float, float]]
    naming: Naming
    contrasts: list[dict[str, Any]]


def look_up(asked: Asked) -> Network:
    """The network. Raises UsageError if no pair is above 0."""
    atoms = (asked.one_of(tuple(WORDS), "sts"),) if asked.score else tuple(WORDS)
    with asked.cache.read() as con:
        row = row_of(con, asked.run)
    of = load.layers_of_units(asked.cache, row["capture"])
    known = {(layer, unit % row["units_per_layer"]) for unit, layer in of.items()}
    strongest = {
        atom: [
            one
            for one in cards.strongest(asked.cache, asked.run, atom, EDGES)
            if {(one["x_layer"], one["x_unit"]), (one["y_layer"], one["y_unit"])} <= known
        ]
        for atom in atoms
    }
    if not any(strongest.values()):
        raise UsageError(f"no pair of {asked.run} has {' or '.join(atoms)} above 0", "figure pairs draws all of them")
    gap = max(0.6, 0.012 * len(of))
    places, blocks, at, before = {}, [], 0.0, -1
    for unit, layer in of.items():
        if layer != before:
            at += gap if before >= 0 else 0.0
            blocks.append((layer, at, at))
            before = layer
        places[unit] = at
        blocks[-1] = (layer, blocks[-1][1], at)
        at += 1
    query = "SELECT network FROM networks WHERE decomposition = $1 ORDER BY serial DESC NULLS LAST, network LIMIT 1"
    newest = [str(one["network"]) for one in load.rows(asked.cache, query, asked.run)]
    judged = None if newest else asking.part_of_card(asked.cache, asked.run, "networks")
    newest += [judged] if judged is not None and asking.kind_of(asked.cache, "network", judged) else []
    contrasts = cards.network(asked.cache, newest[0])["contrasts"] if newest and not asked.score else []
    return Network(row, strongest, places, blocks, load.naming(asked.cache, row["capture"]), contrasts)


def make(asked: Asked, paper: Paper) -> Figure:
    """Arcs, and, if networks were measured, how those of synergy and redundancy differ."""
    found = look_up(asked)
    title = f"Strongest pairs of {found.row['name']}"
    tall = (2.6 if paper.wide else 2.2) * (0.62 if len(found.strongest) == 1 else 1)
    tall += 0.7 if found.naming.groups else 0.0
    kinds = list(dict.fromkeys(one["contrast"] for one in found.contrasts))
    if not kinds:
        figure = on.sheet(paper, tall, title)
        axes = figure.subplots()
        draw(axes, found, paper)
        on.title_above(figure, axes, found.row["name"])
        return figure
    if paper.wide:
        figure = on.sheet(paper, tall, title)
        grid = figure.add_gridspec(len(kinds), 2, width_ratios=(2.4, 1))
        draw(figure.add_subplot(grid[:, 0]), found, paper)
        panels = [figure.add_subplot(grid[place, 1]) for place in range(len(kinds))]
    else:
        figure = on.sheet(paper, tall + 1.5, title)
        grid = figure.add_gridspec(2, len(kinds), height_ratios=(tall, 1.4))
        draw(figure.add_subplot(grid[0, :]), found, paper)
        panels = [figure.add_subplot(grid[1, place]) for place in range(len(kinds))]
    for axes, kind in zip(panels, kinds, strict=True):
        _draw_contrast(axes, [one for one in found.contrasts if one["contrast"] == kind], kind, paper)
    if paper.wide:
        for axes in panels[:-1]:
            axes.set_xlabel("")
            axes.tick_params(labelbottom=False)
    return figure


def draw(axes: Axes, found: Network, paper: Paper) -> None:
    """Half ellipses from unit to unit, the thicker the stronger, and the layers as blocks between them."""
    end = max(found.places.values(), default=0.0)
    widest = max(
        [abs(_place(found, one, "y") - _place(found, one, "x")) for some in found.strongest.values() for one in some],
        default=1.0,
    )
    both = len(found.strongest) == 2
    angle = np.linspace(0, np.pi, 48)
    for atom, pairs in found.strongest.items():
        up = 1.0 if atom == "sts" or not both else -1.0
        colour = paper.warm if atom == "sts" else paper.cool
        most = max((one["value"] for one in pairs), default=1.0) or 1.0
        arcs, widths = [], []
        for one in reversed(pairs):
            x, y = sorted((_place(found, one, "x"), _place(found, one, "y")))
            height = (1 - GAP) * ((y - x) / widest) ** 0.7
            arcs.append(
                np.stack([(x + y) / 2 - np.cos(angle) * (y - x) / 2, up * (GAP + height * np.sin(angle))], axis=1)
            )
            widths.append(0.35 + 1.15 * one["value"] / most)
        axes.add_collection(LineCollection(arcs, colors=colour, linewidths=widths, alpha=0.75, capstyle="round"))
        inside = sum(one["x_layer"] == one["y_layer"] for one in pairs)
        label = f"{WORDS[atom]}: {len(pairs)} strongest pairs, {inside} inside a {_layer(found)}"
        where: dict[str, Any] = {"va": "top" if up > 0 else "bottom", "transform": axes.transAxes}
        axes.text(0, 1.0 if up > 0 else 0.0, label, color=colour, size=on.SMALL, **where)
    for place, (_, first, last) in enumerate(found.blocks):
        shade = paper.faint if place % 2 else ("#444444" if paper.dark else "#d4d4d4")
        axes.fill_between((first - 0.45, last + 0.45), -GAP, GAP, color=shade, linewidth=0, zorder=0)
    _layers(axes, found, paper)
    axes.set(xlim=(-0.8, end + 0.8), ylim=(-1.28 if both else -GAP, 1.28))
    axes.set_yticks([])
    axes.set_xticks([])
    axes.spines[:].set_visible(False)
    axes.set_title(on.short(found.row["name"], 64), parse_math=False)


def _layer(found: Network) -> str:
    return "group" if found.naming.groups else "layer"


def _place(found: Network, pair: dict[str, Any], side: str) -> float:
    return found.places[pair[f"{side}_layer"] * found.naming.per_layer + pair[f"{side}_unit"]]


def _layers(axes: Axes, found: Network, paper: Paper) -> None:
    """The names of the blocks: numbers in them, names of groups under the arcs."""
    points = axes.get_window_extent().width / axes.figure.dpi * 72
    span = max(found.places.values(), default=0.0) + 1
    names = [on.short(found.naming.layer(layer), 20) for layer, _, _ in found.blocks]
    middles = [(first + last) / 2 for _, first, last in found.blocks]
    size = on.SMALL - 1
    widest = max((on.width_of(one, size) for one in names), default=0.0) + 2
    room = points / max(len(names), 1)
    upright = bool(found.naming.groups) and widest > room
    every = next(n for n in (1, 2, 5, 10, 20, 50, 100, 10_000) if n * room >= (size * 1.2 if upright else widest))
    if upright:
        axes.set_xlim(-0.8, span)
    for name, middle in list(zip(names, middles, strict=True))[::every]:
        how: dict[str, Any] = {"size": size, "ha": "center", "color": paper.ink, "zorder": 6, "va": "center"}
        if upright:
            how |= {"rotation": 90, "va": "top", "transform": axes.get_xaxis_transform()}
        axes.text(middle, -0.02 if upright else 0.0, name, **how)


def _draw_contrast(axes: Axes, rows: list[dict[str, Any]], kind: str, paper: Paper) -> None:
    """The difference between the two networks over densities, with its 95 % interval; a sign for each null."""
    axes.axhline(0, color=paper.quiet, linewidth=0.6, linestyle=(0, (3, 2)), zorder=0)
    nulls = list(dict.fromkeys(str(one["null_name"]) for one in rows))
    every = sorted({float(one["density"]) for one in rows})
    for place, null in enumerate(nulls):
        some = sorted((one for one in rows if one["null_name"] == null), key=lambda one: one["density"])
        value, low, high = (on.numbers(some, name) for name in ("value", "low", "high"))
        xs = np.array([every.index(float(one["density"])) for one in some]) + 0.16 * (place - (len(nulls) - 1) / 2)
        colour = paper.ink if place == 0 else paper.quiet
        axes.vlines(xs, low, high, color=colour, linewidth=1.0)
        axes.plot(xs, value, "os^D"[place % 4], color=colour, label=null)
    first, last = ("sts", "rtr") if kind == "efficiency" else ("rtr", "sts")
    axes.set_title(f"{kind}, {first} − {last}", size=on.SMALL)
    axes.set_xticks(range(len(every)), [f"{one:.0%}" for one in every])
    signs = "  ".join(f"{'●■▲◆'[place % 4]} {null}" for place, null in enumerate(nulls))
    axes.set_xlabel(f"density\n{signs}", size=on.SMALL - 0.7, linespacing=1.4)
    axes.set_xlim(-0.5, len(every) - 0.5)
    axes.margins(y=0.15)
    on.numbers_on(axes.yaxis, 4)
