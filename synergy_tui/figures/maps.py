"""Layers × units in a score, with the layer profile beside it if there is room."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.colors import Colormap, Normalize

from synergy_tui.drawing.atlas import what
from synergy_tui.errors import UsageError
from synergy_tui.figures import asked as asking
from synergy_tui.figures import paper as on
from synergy_tui.figures.asked import Asked
from synergy_tui.figures.paper import Paper
from synergy_tui.store import load
from synergy_tui.store.run import Run, Score, read
from synergy_tui.units import Naming

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CELL = (0.045, 0.24)
"""Least and greatest height of a row in inches."""

LOWEST, HIGHEST = 1.1, {False: 4.6, True: 6.5}
"""Inches of all rows: the least if rows allow it, and the most, in a column and on a page."""

BEYOND = 0.95
"""Inches above and under the rows."""

AS_CELLS, NARROWEST = 2_500, 2.0
"""Most cells drawn as shapes with lines between them, and fewest points of such a cell; otherwise the cells are a
picture."""

PROFILE = 0.3
"""Width of the profile, as a share of the map's."""


@dataclass(frozen=True)
class Map:
    """The data of a map. there [layers, units]: whether there is a unit; the others are holes. rows: the profile.
    ringed: a unit by its number."""

    run: Run
    score: Score
    naming: Naming
    there: np.ndarray
    rows: list[dict[str, Any]]
    ringed: int | None

    @property
    def values(self) -> np.ndarray:
        """[layers, units], NaN where there is no value."""
        return self.score.shown.reshape(self.run.shape)


def look_up(asked: Asked) -> Map:
    """The map. Raises UsageError for an unknown score or unit."""
    run = read(asked.cache, asked.run)
    name = asked.score or asked.order
    if asked.ranking is not None or name == asked.order:
        run.check_ranking(name)
    if name not in run.scores:
        known = ", ".join(sorted(run.scores))
        raise UsageError(f"{asked.run} has no score {on.short(name, 40)!r}", f"it has {known}")
    capture = run.row["capture"]
    naming, numbers = load.naming(asked.cache, capture), load.layers_of_units(asked.cache, capture)
    there = np.zeros(run.shape, bool)
    there.ravel()[list(numbers)] = True
    ringed = None
    if asked.unit is not None:
        ringed = asking.there(asked.cache, capture, naming.number(asked.unit), naming)
    return Map(run, run.scores[name], naming, there, profile_of(run, name), ringed)


def profile_of(run: Run, name: str) -> list[dict[str, Any]]:
    """Rows of layer, value, low and high: for a ranking as stored, for another score only the means."""
    if name in run.profiles:
        return run.profiles[name]
    shown = run.scores[name].shown.reshape(run.shape)
    means = [float(one[np.isfinite(one)].mean()) if np.isfinite(one).any() else None for one in shown]
    return [{"layer": layer, "value": value, "low": None, "high": None} for layer, value in enumerate(means)]


def make(asked: Asked, paper: Paper) -> Figure:
    """The map, with its profile if it is as wide as a page."""
    found = look_up(asked)
    layers, _ = found.run.shape
    most = HIGHEST[paper.wide]
    tall = min(max(layers * min(CELL[1], most / layers), min(LOWEST, layers * 0.4), layers * CELL[0]), on.TALLEST - 1)
    title = f"{what(found.run.row)} of {found.run.row['name']} by {found.score.name}"
    figure = on.sheet(paper, tall + BEYOND, f"Map of the {title}")
    if not paper.wide:
        axes = figure.subplots()
        shown = draw(axes, found, paper)
        on.title_above(figure, axes, title_of(found))
        on.bar_beside(figure, axes, shown, scale_label(found), tall, beside=beside_of(found.naming))
        return figure
    axes, beside = figure.subplots(1, 2, sharey=True, width_ratios=(1, PROFILE))
    shown = draw(axes, found, paper)
    on.title_above(figure, axes, title_of(found))
    on.bar_beside(figure, axes, shown, scale_label(found), tall, 1 / (1 + PROFILE), beside_of(found.naming))
    draw_on_rows(beside, found.rows, centre_of(found), paper)
    interval = "" if has_interval(found.rows) is False else ", 95 % interval"
    beside.set_xlabel(f"{'layer' if found.naming.deep else 'group'} mean{interval}")
    beside.tick_params(labelleft=False, left=False)
    beside.spines["left"].set_visible(False)
    return figure


def cells(axes: Axes, values: np.ndarray, norm: Normalize, colours: Colormap, paper: Paper) -> Any:
    """A rectangle of values, the first row on top; cells without a value are empty."""
    rows, columns = values.shape
    known = np.ma.masked_invalid(values)
    box = axes.get_window_extent()
    narrow = min(box.width / columns, box.height / rows) / axes.figure.dpi * 72
    if values.size <= AS_CELLS and narrow >= NARROWEST:
        line: dict[str, Any] = {"edgecolors": paper.ground, "linewidth": 0.35}
        edges = np.arange(columns + 1) - 0.5, np.arange(rows + 1) - 0.5
        shown: Any = axes.pcolormesh(*edges, known, norm=norm, cmap=colours, **line)
    else:
        shown = axes.imshow(known, norm=norm, cmap=colours, aspect="auto", interpolation="none")
    axes.set(xlim=(-0.5, columns - 0.5), ylim=(rows - 0.5, -0.5))
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return shown


def draw(axes: Axes, found: Map, paper: Paper) -> Any:
    """The map on axes: a row for each layer, the first on top; holes are empty, a unit without a value is a point.
    Returns the artist that the scale belongs to."""
    layers, units = found.run.shape
    norm, colours = Normalize(*reach_of(found.score)), paper.colours(found.score.centre is not None)
    shown = cells(axes, found.values, norm, colours, paper)
    nothing = np.argwhere(found.there & ~np.isfinite(found.values))
    if len(nothing):
        axes.plot(nothing[:, 1], nothing[:, 0], ".", color=paper.quiet, markersize=1.6, label="no value")
    if found.ringed is not None:
        layer, unit = divmod(found.ringed, units)
        corners = [(unit - 0.5, layer - 0.5), (unit + 0.5, layer - 0.5), (unit + 0.5, layer + 0.5)]
        corners += [(unit - 0.5, layer + 0.5), corners[0]]
        axes.plot(*zip(*corners, strict=True), color=paper.ink, linewidth=1.0, clip_on=False, zorder=5)
    axes.set_title(on.short(title_of(found), 64 if not paper.wide else 110), parse_math=False)
    axes.set_xlabel(what(found.run.row)[:-1])
    layers_on(axes, found.naming, layers)
    on.numbers_on(axes.xaxis, 10, whole=True)
    return shown


def title_of(found: Map) -> str:
    """The subject, the score, and the ringed unit."""
    name = found.run.row["name"]
    ringed = "" if found.ringed is None else f"; ringed: {found.naming.unit(found.ringed)}"
    return f"{name}: {found.score.name}{ringed}"


def beside_of(naming: Naming) -> float:
    """Inches of the names of the layers."""
    return max((on.width_of(on.short(one), on.SMALL) / 72 for one in naming.groups), default=0.15)


def layers_on(axes: Axes, naming: Naming, layers: int) -> None:
    """Labels the rows, by number or by the groups' names."""
    room = axes.get_window_extent().height / axes.figure.dpi * 72 / max(layers, 1)
    on.names_on(axes.yaxis, range(layers), [naming.layer(one) for one in range(layers)], room)
    axes.set_ylabel("" if naming.groups else "layer")


def reach_of(score: Score) -> tuple[float, float]:
    """The ends of the colours, as Score.colour has them."""
    known = score.known
    if score.kind == "ranking":
        return 0.0, 1.0
    if not len(known):
        return (-1.0, 1.0) if score.centre is not None else (0.0, 1.0)
    if score.centre is not None:
        reach = float(np.abs(known - score.centre).max()) or 1.0
        return score.centre - reach, score.centre + reach
    low, high = float(known.min()), float(known.max())
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def scale_label(found: Map) -> str:
    """The meaning of the colours."""
    if found.score.kind == "ranking":
        return f"redundant  ←  {found.score.name}, scaled  →  synergistic"
    return named(found.score)


def named(score: Score) -> str:
    """A score with its unit."""
    if score.kind == "ranking":
        return f"{score.name}, scaled"
    return f"{score.name}, {score.unit}" if score.unit else score.name


def centre_of(found: Map) -> float:
    """The mean of the values shown, which layers are compared with."""
    known = found.score.known
    return float(known.mean()) if len(known) else 0.5


def has_interval(rows: list[dict[str, Any]]) -> bool:
    """Whether any layer has an interval."""
    return any(one.get("low") is not None for one in rows)


def sides(rows: list[dict[str, Any]], centre: float, paper: Paper) -> list[str]:
    """The colour of each layer by its side of the centre; quiet where the side is not known."""
    out = []
    for one in rows:
        value, low, high = one["value"], one.get("low"), one.get("high")
        if value is None or (low is not None and high is not None and low <= centre <= high):
            out.append(paper.quiet)
        else:
            out.append(paper.warm if value >= centre else paper.cool)
    return out


def draw_on_rows(axes: Axes, rows: list[dict[str, Any]], centre: float, paper: Paper) -> None:
    """Each layer's mean with its interval on the layer's row."""
    value, low, high = (on.numbers(rows, name) for name in ("value", "low", "high"))
    places, colours = on.numbers(rows, "layer"), sides(rows, centre, paper)
    axes.axvline(centre, color=paper.quiet, linewidth=0.6, linestyle=(0, (3, 2)), zorder=0)
    axes.hlines(places, low, high, colors=colours, linewidth=1.1)
    axes.scatter(value, places, s=7, c=colours, zorder=3, linewidths=0)
    on.numbers_on(axes.xaxis, 4)
    axes.margins(x=0.08)
