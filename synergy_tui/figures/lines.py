"""Lines over an axis: the layer profile, ablation curves, a ladder, runs side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.colors import Normalize

from synergy_tui.drawing import compare as compared_runs
from synergy_tui.drawing import curves as of_orders
from synergy_tui.drawing import ladder as of_levels
from synergy_tui.drawing.atlas import what
from synergy_tui.drawing.lines import Line
from synergy_tui.errors import UsageError
from synergy_tui.figures import asked as asking
from synergy_tui.figures import maps
from synergy_tui.figures import paper as on
from synergy_tui.figures.asked import Asked
from synergy_tui.figures.paper import Paper
from synergy_tui.store import load, runs
from synergy_tui.store.cache import Cache
from synergy_tui.terms import CONTROL_ORDERS, ORDER_PARAMETERS
from synergy_tui.units import Naming

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HEIGHT = 2.35
"""Inches of one panel in a column."""

CURVES = ("divergence", "top1", "perplexity-ratio")
"""Measures of an ablation at every fraction, and their labels."""

CURVE_LABELS = {
    "divergence": "divergence, nats per token",
    "top1": "same most likely token, share",
    "perplexity-ratio": "perplexity ratio",
}

FEW = 6
"""Most checkpoints that are all named; of more, only the first and the last are."""

EVERY = "all"
"""The word for all categories."""


def line(axes: Axes, one: Line, paper: Paper, **how: Any) -> None:
    """One line as in the terminal's plots: broken where there is no value, its interval as an area or bars."""
    colour = paper.colour(one.colour)
    xs, ys = np.asarray(one.xs, float), np.asarray(one.ys, float)
    if len(one.low):
        low, high = np.asarray(one.low, float), np.asarray(one.high, float)
        if one.band:
            axes.fill_between(xs, low, high, color=colour, alpha=0.2, linewidth=0, zorder=1)
        else:
            axes.vlines(xs, low, high, color=colour, linewidth=1.0, zorder=2)
    if one.marked:
        how |= {"marker": "o"}
    axes.plot(xs, ys, color=colour, linewidth=0.9 if one.thin else 1.3, zorder=2 if one.thin else 3, **how)


def legend(axes: Axes, above: bool = False) -> None:
    """A legend where it hides nothing; or above the axes, in as many columns as have room."""
    names = axes.get_legend_handles_labels()[1]
    if not above:
        if len(names) > 1:
            axes.legend(loc="best")
        return
    points = axes.get_window_extent().width / axes.figure.dpi * 72
    widest = max((on.width_of(one, on.SMALL) for one in names), default=0.0) + 4.5 * on.SMALL
    columns = max(min(int(points / widest), 3, len(names)), 1)
    axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=columns, columnspacing=1.2)


# The layer profile


@dataclass(frozen=True)
class Profile:
    """found: the run in its score. category: the only prompts shown, if any, with rows and contrast of its own."""

    found: maps.Map
    rows: list[dict[str, Any]]
    contrast: dict[str, Any] | None
    category: str | None

    @property
    def centre(self) -> float:
        """The value that layers are compared with: the mean of all units, or of a category's layers."""
        known = on.numbers(self.rows, "value")
        known = known[np.isfinite(known)]
        return maps.centre_of(self.found) if self.category is None or not len(known) else float(known.mean())


def profile_of(asked: Asked) -> Profile:
    """The profile. Raises UsageError for an unknown score or category."""
    found = maps.look_up(asked)
    if asked.category is None:
        return Profile(found, found.rows, found.run.contrasts.get(found.score.name), None)
    if asked.ranking is not None or asked.score is not None:
        raise UsageError("categories were kept only in the default ranking", "leave out --ranking and --score")
    side = _categories(asked)[0]
    rows = [
        {"layer": layer, "value": value, "low": low, "high": high}
        for layer, (value, low, high) in enumerate(zip(side.profile, side.low, side.high, strict=True))
    ]
    contrast = dict(zip(("contrast", "low", "high"), side.contrast, strict=True))
    return Profile(found, _known(rows), contrast, side.name)


def _known(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {key: None if isinstance(one, float) and math.isnan(one) else one for key, one in row.items()} for row in rows
    ]


def _categories(asked: Asked) -> list[runs.Compared]:
    """The requested categories, separated by commas, or all."""
    every = {one.name: one for one in runs.by_category(asked.cache, asked.run)}
    assert asked.category is not None
    if asked.category in every:
        return [every[asked.category]]
    names = list(every) if asked.category == EVERY else [one.strip() for one in asked.category.split(",")]
    for name in names:
        if name not in every:
            known = ", ".join(on.short(one, 30) for one in every)
            raise UsageError(f"{asked.run} has no category {on.short(name, 40)!r}", f"known: {known}")
    return [every[name] for name in names]


def make_profile(asked: Asked, paper: Paper) -> Figure:
    """A single panel. Groups without an order are rows, as in the map."""
    found = profile_of(asked)
    layers = found.found.run.shape[0]
    height = HEIGHT if found.found.naming.deep else min(max(0.16 * layers, 0.6) + 0.7, on.TALLEST)
    figure = on.sheet(paper, height, f"Layer profile of {title_of(found)}")
    axes = figure.subplots()
    draw_profile(axes, found, paper)
    on.title_above(figure, axes, title_of(found))
    return figure


def draw_profile(axes: Axes, found: Profile, paper: Paper) -> None:
    """Means over layers with their 95 % intervals; the middle third, which the contrast is about, has a ground."""
    naming = found.found.naming
    label = f"{maps.named(found.found.score)}, {'layer' if naming.deep else 'group'} mean"
    axes.set_title(on.short(title_of(found), 64 if not paper.wide else 120), parse_math=False)
    if not naming.deep:
        _draw_groups(axes, found, paper, label)
        return
    value, low, high = (on.numbers(found.rows, name) for name in ("value", "low", "high"))
    places = on.numbers(found.rows, "layer")
    ends = _middle(naming.layers)
    if ends and not found.found.run.row.get("compared"):
        axes.axvspan(*ends, color=paper.faint, linewidth=0, zorder=0)
        how: dict[str, Any] = {"ha": "center", "va": "top", "size": on.SMALL, "color": paper.quiet}
        how |= {"xycoords": ("data", "axes fraction"), "xytext": (0, -2), "textcoords": "offset points"}
        axes.annotate("middle third", (sum(ends) / 2, 1), **how)
    colours = maps.sides(found.rows, found.centre, paper)
    axes.axhline(found.centre, color=paper.quiet, linewidth=0.6, linestyle=(0, (3, 2)), zorder=1)
    axes.fill_between(places, low, high, color=paper.quiet, alpha=0.25, linewidth=0, zorder=1.5)
    axes.plot(places, value, color=paper.quiet, linewidth=1.0, zorder=2)
    axes.scatter(places, value, s=11, c=colours, zorder=3, linewidths=0)
    axes.set(xlabel="layer", ylabel=label, xlim=(-0.5, naming.layers - 0.5))
    axes.margins(y=0.12)
    room = axes.get_window_extent().width / axes.figure.dpi * 72 / max(naming.layers, 1)
    on.names_on(axes.xaxis, range(naming.layers), [naming.layer(one) for one in range(naming.layers)], room / 1.6)
    on.numbers_on(axes.yaxis)


def _draw_groups(axes: Axes, found: Profile, paper: Paper, label: str) -> None:
    naming = found.found.naming
    maps.draw_on_rows(axes, found.rows, found.centre, paper)
    axes.set_ylim(naming.layers - 0.5, -0.5)
    maps.layers_on(axes, naming, naming.layers)
    axes.set_xlabel(label)


def _middle(layers: int) -> tuple[float, float] | None:
    """The places between which the layers of the middle third lie; None if there are too few layers."""
    inside = [one for one in range(layers) if layers > 2 and 1 / 3 <= one / (layers - 1) + 1e-12 <= 2 / 3 + 2e-12]
    return (inside[0] - 0.5, inside[-1] + 0.5) if inside else None


def title_of(found: Profile) -> str:
    """The subject, and the contrast with its interval."""
    row = found.found.run.row
    name = f"{row['name']}, {found.category}" if found.category is not None else str(row["name"])
    if not found.contrast or found.contrast["contrast"] is None or math.isnan(found.contrast["contrast"]):
        return name
    of = str(row["compared"]).replace(":", " − ") if row.get("compared") else "contrast"
    told = on.interval(found.contrast["contrast"], found.contrast["low"], found.contrast["high"])
    return f"{name}: {of} {told}"


# An ablation


@dataclass(frozen=True)
class Ablation:
    """An ablation as load.ablation has it, and its subject."""

    found: dict[str, Any]
    name: str
    units: str
    what: str

    @property
    def ratios(self) -> list[dict[str, Any]]:
        """How much more each targeted order costs than its controls, over all prompts."""
        known = (one for one in self.found["ratios"] if one["category"] is None and one["ratio"] is not None)
        return [one for one in known if self.what == CURVES[0]]


def ablation_of(asked: Asked) -> Ablation:
    """A decomposition's newest ablation that has curves, or the named one. Raises UsageError without one."""
    from synergy_tui.store import walk

    chosen = asked.one_of(CURVES, CURVES[0])
    if asking.kind_of(asked.cache, "ablation", asked.run):
        every = [asked.run]
    else:
        load.one(asked.cache, "decomposition", asked.run)
        every = [str(one["ablation"]) for one in walk.ablations(asked.cache, asked.run)]
        judged = None if every else asking.part_of_card(asked.cache, asked.run, "ablation")
        every += [judged] if judged is not None and asking.kind_of(asked.cache, "ablation", judged) else []
    if not every:
        raise UsageError(f"nothing was removed from {asked.run} yet", f"synergy-tui ablate {asked.run}")
    for one in every:
        found = load.ablation(asked.cache, one)
        if any(order["curves"] for order in found["orders"].values()):
            capture = load.one(asked.cache, "capture", found["capture"])
            (row,) = load.rows(asked.cache, "SELECT name FROM subjects WHERE subject = $1", capture["subject"])
            return Ablation(found, row["name"], what(capture), chosen)
    of = ", ".join(found["orders"]) or "no orders"
    raise UsageError(
        f"{every[0]} has no curves, but {of}",
        f"synergy-tui ablate {found['decomposition']} makes curves; figure map --score divergence draws single units",
    )


def make_ablation(asked: Asked, paper: Paper) -> Figure:
    """The curves, and the ratios to controls."""
    found = ablation_of(asked)
    ratios, title = found.ratios, f"Removal of {found.units} from {found.name}"
    if not ratios:
        figure = on.sheet(paper, HEIGHT + 0.4, title)
        draw_ablation(figure.subplots(), found, paper)
        return figure
    below = 0.5 + 0.24 * len(ratios)
    if paper.wide:
        figure = on.sheet(paper, max(HEIGHT + 0.4, below + 0.4), title)
        axes, beside = figure.subplots(1, 2, width_ratios=(1.5, 1))
    else:
        figure = on.sheet(paper, HEIGHT + 0.4 + below, title)
        axes, beside = figure.subplots(2, 1, height_ratios=(HEIGHT, below - 0.2))
    draw_ablation(axes, found, paper)
    _draw_ratios(beside, ratios, paper)
    return figure


def draw_ablation(axes: Axes, found: Ablation, paper: Paper) -> None:
    """A line for each order; for a control the mean of its seeds, and the band that holds 5 to 95 % of them."""
    name = found.what.replace("-", "_")
    banded = False
    for place, (order, some) in enumerate(of_orders.by_line(found.found["orders"]).items()):
        shares = list(some[0]["fraction"])
        seeds = np.array([[math.nan if one is None else one for one in curve[name]] for curve in some])
        known = np.isfinite(seeds).any(axis=0)
        middle = [float(np.mean(column)) for column in seeds.T]
        ends = [of_orders.band(list(column)) for column in seeds.T] if len(some) > 1 else []
        banded |= bool(ends) and bool(known.any())
        start = {"divergence": 0.0}.get(name, 1.0)
        low, high = ([start, *(one[end] for one in ends)] if ends else [] for end in (0, 1))
        one = of_orders.line(order, place, [0.0, *shares], [start, *middle], low, high)
        style = {} if order.split(" ")[0] not in CONTROL_ORDERS else {"linestyle": (0, (4, 1.5))}
        line(axes, one, paper, label=on.short(order, 44), **style)
    axes.set_xlabel(f"fraction of {found.units} removed{'; bands: 5–95 % of seeds' if banded else ''}")
    axes.set_ylabel(CURVE_LABELS[found.what])
    axes.set_xlim(left=0)
    axes.margins(y=0.05)
    on.numbers_on(axes.xaxis)
    on.numbers_on(axes.yaxis)
    legend(axes, above=True)


def _draw_ratios(axes: Axes, ratios: Sequence[dict[str, Any]], paper: Paper) -> None:
    """How much more each order costs than its controls, with 90 % intervals, on a scale of factors."""
    places = np.arange(len(ratios))
    value, low, high = (on.numbers(ratios, name) for name in ("ratio", "low", "high"))
    colours = [paper.colour(of_orders.COLOURS.get(one["removal_order"], 252)) for one in ratios]
    axes.axvline(1.0, color=paper.quiet, linewidth=0.6, linestyle=(0, (3, 2)), zorder=0)
    axes.hlines(places, low, high, colors=colours, linewidth=1.2)
    axes.scatter(value, places, s=11, c=colours, linewidths=0, zorder=3)
    every = np.concatenate([value, low, high])
    every = every[np.isfinite(every)]
    if len(every) and every.min() > 0 and every.max() / every.min() > 20:
        on.factors_on(axes)
    else:
        on.numbers_on(axes.xaxis, 4)
    axes.set_ylim(len(ratios) - 0.6, -0.75)
    for place, one in enumerate(ratios):
        name = on.short(f"{one['removal_order']} ÷ {one['control']}", 60)
        how: dict[str, Any] = {"size": on.SMALL, "va": "bottom", "ha": "left", "color": paper.ink}
        how["bbox"] = {"facecolor": paper.ground, "edgecolor": "none", "pad": 0.3}
        axes.annotate(
            name, (0, place), xycoords=("axes fraction", "data"), xytext=(0, 3.0), textcoords="offset points", **how
        )
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("divergence ÷ control's, 90 % interval")


# A ladder


@dataclass(frozen=True)
class Climbed:
    """A ladder as load.ladder has it, in one order parameter."""

    found: dict[str, Any]
    parameter: str


def ladder_of(asked: Asked) -> Climbed:
    """The ladder that a run is a level of, or the newest of its subject, or the named one. Raises UsageError without
    one."""
    if asking.kind_of(asked.cache, "ladder", asked.run):
        chosen = asked.run
    else:
        row = load.one(asked.cache, "decomposition", asked.run)
        query = (
            "SELECT ladder FROM ladder_levels JOIN ladders USING (ladder) WHERE map = $1 ORDER BY serial DESC LIMIT 1"
        )
        of_map = load.rows(asked.cache, query, asked.run)
        capture = load.one(asked.cache, "capture", row["capture"])
        newest = load.newest_ladder(asked.cache, capture["subject"])
        if not of_map and newest is None:
            (subject,) = load.rows(asked.cache, "SELECT name FROM subjects WHERE subject = $1", capture["subject"])
            name = on.short(subject["name"], 60)
            raise UsageError(f"{name} has climbed no ladder yet", f"synergy-tui difficulty {name}")
        chosen = str((of_map[0] if of_map else newest or {})["ladder"])
    found = load.ladder(asked.cache, chosen)
    known = tuple(one for one in ORDER_PARAMETERS if one in found["curves"])
    return Climbed(found, asked.one_of(known, found["order_parameter"]))


def make_difficulty(asked: Asked, paper: Paper) -> Figure:
    """The curve of an order parameter, and accuracy under it."""
    found = ladder_of(asked)
    title = f"{found.parameter} of {found.found['subject_name']} on {found.found['name']}"
    accuracy = of_levels.accuracy_lines(found.found)
    longest = max((len(one) for one in of_levels.level_names(found.found).values()), default=0)
    more = 0.055 * longest if _leaning(found, paper.width) else 0.0
    if not accuracy:
        figure = on.sheet(paper, HEIGHT + more, title)
        axes = figure.subplots()
        draw_difficulty(axes, found, paper)
        on.title_above(figure, axes, told_of(found))
        return figure
    figure = on.sheet(paper, HEIGHT + 1.15 + more, title)
    axes, below = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
    draw_difficulty(axes, found, paper)
    on.title_above(figure, axes, told_of(found))
    axes.set_xlabel("")
    axes.tick_params(labelbottom=False)
    for one, named in zip(accuracy, ("unfinished", "right") if len(accuracy) > 1 else ("right",), strict=True):
        line(below, one, paper, label=named)
    below.set(ylim=(-0.05, 1.08), ylabel="share of answers", xlabel="level")
    below.set_yticks((0.0, 0.5, 1.0))
    legend(below)
    _levels_on(below, found, paper)
    return figure


def draw_difficulty(axes: Axes, found: Climbed, paper: Paper) -> None:
    """The order parameter by level with its 95 % interval, and the model that fits best."""
    *fits, curve = of_levels.curve_lines(found.found, found.parameter)
    best = (found.found["verdicts"].get(found.parameter) or {}).get("best")
    for one in fits:
        line(axes, one, paper, label=f"best fit: {best}")
    line(axes, curve, paper, label="mean, 95 % interval")
    ends = np.concatenate([np.asarray(some, float) for some in (curve.ys, curve.low, curve.high)])
    ends = ends[np.isfinite(ends)]
    if len(ends):  # only the curve and its interval set the range; a fitted line may leave it
        margin = 0.08 * (ends.max() - ends.min()) or 0.5
        axes.set_ylim(ends.min() - margin, ends.max() + margin)
    axes.set_title(on.short(told_of(found), 60 if not paper.wide else 110), parse_math=False)
    axes.set_ylabel(f"{found.parameter}, nats" if found.parameter == "excess" else found.parameter)
    axes.set_xlabel("level")
    on.numbers_on(axes.yaxis)
    _levels_on(axes, found, paper)
    legend(axes, above=True)


def told_of(found: Climbed) -> str:
    """The subject, the ladder, and the verdict."""
    verdict = (found.found["verdicts"].get(found.parameter) or {}).get("verdict")
    return f"{found.found['subject_name']} on {found.found['name']}{f': {verdict}' if verdict else ''}"


def _leaning(found: Climbed, inches: float) -> bool:
    """Whether names of levels lack room beside each other."""
    names = of_levels.level_names(found.found)
    longest = max((on.width_of(one, on.SMALL) for one in names.values()), default=0.0)
    return longest * 1.15 > (inches - 0.7) * 72 / max(len(names), 1)


def _levels_on(axes: Axes, found: Climbed, paper: Paper) -> None:
    names = of_levels.level_names(found.found)
    inches = axes.get_window_extent().width / axes.figure.dpi
    leaning = _leaning(found, inches + 0.7)
    how = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if leaning else {}
    room = inches * 72 / max(len(names), 1) if leaning else 1e3
    on.names_on(axes.xaxis, list(names), list(names.values()), room, **how)
    axes.set_xlim(min(names, default=0) - 0.4, max(names, default=1) + 0.4)


# Runs side by side


@dataclass(frozen=True)
class Sides:
    """Runs, or categories of one run, in a ranking. naming: of the first."""

    sides: list[runs.Compared]
    ranking: str
    naming: Naming

    @property
    def training(self) -> bool:
        """Whether they are checkpoints of one training."""
        return len(self.sides) > 1 and all(one.step is not None for one in self.sides)


def sides_of(asked: Asked) -> Sides:
    """The run beside another, the checkpoints of its training, its categories, or the first run that can be compared.
    Raises UsageError without one."""
    if asked.category is not None:
        if asked.other is not None or asked.ranking is not None:
            raise UsageError("categories belong to one run, in the default ranking", "leave out --other and --ranking")
        sides = _categories(asked)
    else:
        ids = [asked.run, asked.other] if asked.other is not None else runs.of_training(asked.cache, asked.run)
        if len(ids) < 2:
            others = (one for one in runs.comparable(asked.cache, asked.run) if _alike(asked.cache, asked.run, one))
            ids = [asked.run, *([found] if (found := next(others, None)) is not None else [])]
        if len(ids) < 2:
            raise UsageError(
                f"there is no other run of the same unit kinds and method as {asked.run}",
                "make one, or compare its categories: --category all",
            )
        sides = runs.compared(asked.cache, ids, asked.order)
    for one in sides:
        if not _alike(asked.cache, asked.run, one.id):
            raise UsageError(f"{asked.run} and {one.id} have other groups, without an order", "name a run of the same")
    return Sides(sides, asked.order, load.naming(asked.cache, sides[0].row["capture"]))


def _alike(cache: Cache, run: str, other: str) -> bool:
    """Whether the layers of two runs can be compared: in order of depth, or by the same groups."""
    first, second = (load.naming(cache, load.one(cache, "decomposition", one)["capture"]) for one in (run, other))
    return (first.deep and second.deep) or first.groups == second.groups


def make_compare(asked: Asked, paper: Paper) -> Figure:
    """Profiles, and the map of the difference, or the contrast over a training."""
    found = sides_of(asked)
    title = f"{found.ranking} of {' and '.join(compared_runs.named(found.sides)[:4])}"
    gap = compared_runs.difference_by_unit(*found.sides) if len(found.sides) == 2 else None
    shown = min(len(found.sides), FEW) if found.training else len(found.sides)
    named = 0.14 * math.ceil(shown / (2 if paper.wide else 1))
    if gap is None and not found.training:
        figure = on.sheet(paper, HEIGHT + 0.2 + named, title)
        draw_compare(figure.subplots(), found, paper)
        return figure
    rows = found.sides[0].layers
    tall = min(max(rows * 0.08, 1.3), 3.5) if gap is not None else HEIGHT
    if paper.wide:
        figure = on.sheet(paper, HEIGHT + 0.4 + named, title)
        axes, beside = figure.subplots(1, 2, width_ratios=(1, 1))
    else:
        figure = on.sheet(paper, HEIGHT + 0.7 + named + tall, title)
        axes, beside = figure.subplots(2, 1, height_ratios=(HEIGHT + named, tall + 0.5))
    if found.training:
        draw_compare(axes, found, paper)
        for one in compared_runs.over_training(found.sides):
            line(beside, one, paper)
        beside.axhline(0, color=paper.quiet, linewidth=0.6, linestyle=(0, (3, 2)), zorder=0)
        beside.set(xlabel="training step", ylabel=f"contrast of {found.ranking}, 95 % interval")
    else:
        draw_compare(axes, found, paper)
        _draw_gap(figure, beside, gap, found, paper, HEIGHT if paper.wide else tall)
    return figure


def draw_compare(axes: Axes, found: Sides, paper: Paper) -> None:
    """Profiles over normalised depth, or over groups, with the intervals of a few."""
    if found.training:
        _draw_training(axes, found, paper)
        return
    few = len(found.sides) <= compared_runs.BANDS
    names = compared_runs.named(found.sides)
    marks = ("o", "s", "^", "D", "v", "P")
    for place, one in enumerate(compared_runs.lines(found.sides)):
        label = on.short(f"{compared_runs.letter(place)}  {names[place]}", 52 if not paper.wide else 70)
        if found.naming.deep:
            mark = {"marker": marks[place % len(marks)], "markersize": 2.6} if len(one.xs) <= 40 else {}
            line(axes, one, paper, label=label, **mark)
            continue
        xs = np.arange(len(one.ys)) + 0.12 * (place - (len(found.sides) - 1) / 2)
        loose = one._replace(xs=xs, band=False)
        line(axes, loose, paper, label=label, linestyle="none", marker=marks[place % len(marks)])
    axes.set_ylabel(f"{found.ranking}, scaled, layer mean")
    bands = "; 95 % intervals" if few else ""
    axes.set_xlabel(f"normalised depth{bands}" if found.naming.deep else bands.removeprefix("; "))
    on.numbers_on(axes.yaxis)
    if found.naming.deep:
        on.numbers_on(axes.xaxis)
    else:
        names = [found.naming.layer(one) for one in range(found.naming.layers)]
        room = axes.get_window_extent().width / axes.figure.dpi * 72 / max(len(names), 1)
        how = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
        on.names_on(axes.xaxis, range(len(names)), names, room, **how)
    legend(axes, above=True)


def _draw_training(axes: Axes, found: Sides, paper: Paper) -> None:
    """A profile for each checkpoint, in steps of one colour from the first to the last."""
    colours, last = paper.colours(on.MORE), max(len(found.sides) - 1, 1)
    for place, one in enumerate(found.sides):
        label = f"step {one.step:,}" if len(found.sides) <= FEW or place in (0, last) else None
        xs = one.depth if found.naming.deep else np.arange(len(one.profile))
        axes.plot(xs, one.profile, color=colours(0.35 + 0.6 * place / last), label=label)
    axes.set_ylabel(f"{found.ranking}, scaled, layer mean")
    axes.set_xlabel("normalised depth" if found.naming.deep else "group")
    on.numbers_on(axes.yaxis)
    on.numbers_on(axes.xaxis)
    legend(axes, above=True)


def _draw_gap(figure: Figure, axes: Axes, gap: Any, found: Sides, paper: Paper, high: float) -> None:
    known = gap[np.isfinite(gap)]
    reach = float(np.abs(known).max()) if len(known) and np.abs(known).max() > 0 else 1.0
    shown = maps.cells(axes, gap, Normalize(-reach, reach), paper.colours(on.DIVERGING), paper)
    axes.set_xlabel(what(found.sides[0].row)[:-1])
    maps.layers_on(axes, found.naming, len(gap))
    on.numbers_on(axes.xaxis, 8, whole=True)
    on.bar_beside(figure, axes, shown, "B − A, scaled", high)
