"""Runs side by side → a table of contrasts and their differences, profiles in one plot, the map of a difference."""

from __future__ import annotations

import math
from collections.abc import Sequence
from string import ascii_uppercase
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.text import Text

from synergy_tui.drawing import scale
from synergy_tui.drawing.naming import OF_CAPTURE, OF_DECOMPOSITION, shortened, told_apart
from synergy_tui.drawing.plots import Line, Look, plot
from synergy_tui.drawing.tables import printable
from synergy_tui.terms import IMPORTED

if TYPE_CHECKING:
    import numpy as np

    from synergy_tui.store.runs import Compared

COLOURS = (208, 32, 213, 109, 178, 246)


def letter(place: int) -> str:
    """The letter of a run in a comparison."""
    return ascii_uppercase[place % 26]


def named(sides: Sequence[Compared]) -> list[str]:
    """The name of each run: its subject or category and, if several share it, what else differs."""
    names = [printable(one.name) for one in sides]
    if len(set(names)) == len(names):
        return names
    differs = told_apart([one.row for one in sides], (*OF_CAPTURE, *OF_DECOMPOSITION), always=0)
    told = [f"{name}, {printable(words)}" if words else name for name, words in zip(names, differs, strict=True)]
    if len(set(told)) == len(told):
        return told
    return [f"{name} {one.id}" for name, one in zip(told, sides, strict=True)]


def rows(sides: Sequence[Compared]) -> list[dict[str, Any]]:
    """A row per run: its contrast with interval, the difference of its contrast from the first run's with its interval,
    and the rank correlation of units if both have the same geometry."""
    from synergy_tui.analysis.comparison import difference, spearman

    first, names = sides[0], named(sides)
    out = []
    for place, one in enumerate(sides):
        value, low, high = one.contrast
        row: dict[str, Any] = {"": letter(place), "run": names[place], "id": one.id}
        row |= {"step": one.step} if any(side.step is not None for side in sides) else {}
        row |= {"layers": _geometry(one), "prompts": one.prompts}
        row |= {"contrast": value, "low": low, "high": high}
        gap, gap_low, gap_high = difference(first.contrast, one.contrast) if place else (math.nan,) * 3
        same = (one.layers, one.per_layer) == (first.layers, first.per_layer)
        rho = math.nan
        if place and same and one.values is not None and first.values is not None:
            rho = spearman(first.values, one.values)
        row |= {"minus A": gap, "its low": gap_low, "its high": gap_high, "units ρ": rho}
        out.append({key: None if isinstance(cell, float) and math.isnan(cell) else cell for key, cell in row.items()})
    return out


def _geometry(side: Compared) -> str:
    """Layers × units, or the numbers of units and layers if layers have unequal numbers of units."""
    layers, per_layer = side.row["layers"], side.row["units_per_layer"]
    count = side.row.get("units") or layers * per_layer
    return f"{layers} × {per_layer}" if count == layers * per_layer else f"{count} in {layers}"


def over_depth(sides: Sequence[Compared]) -> bool:
    """Whether the layers of all runs follow one another in depth."""
    return all(one.naming.deep for one in sides)


def groups(sides: Sequence[Compared]) -> list[str]:
    """The names of the layers of all runs, the first run's in front."""
    return list(dict.fromkeys(name for one in sides for name in _layers(one)))


def _layers(side: Compared) -> list[str]:
    return [side.naming.layer(layer) for layer in range(len(side.profile))]


def by_group(sides: Sequence[Compared]) -> list[dict[str, Any]]:
    """A row per group of any run: its mean in each run with the interval, NULL if a run has no such group."""
    out = []
    for name in groups(sides):
        row: dict[str, Any] = {"group": name}
        for place, one in enumerate(sides):
            layers = _layers(one)
            at = layers.index(name) if name in layers else None
            ends = (one.profile, one.low, one.high)
            value, low, high = (math.nan if at is None else float(end[at]) for end in ends)
            row |= {letter(place): value, f"{letter(place)} low": low, f"{letter(place)} high": high}
        out.append({key: None if isinstance(cell, float) and math.isnan(cell) else cell for key, cell in row.items()})
    return out


def unlike(sides: Sequence[Compared]) -> str:
    """The note if the method of some runs is unknown; empty if all are known."""
    unknown = " and ".join(letter(place) for place, one in enumerate(sides) if one.row["estimator"] == IMPORTED)
    if not unknown:
        return ""
    return (
        f"{unknown} was imported as a table of pairs: a difference may be one of estimator, redundancy, lag or texts."
    )


MOST_OF_A_NAME = 16
"""Most columns of a group's name beside a map."""

BANDS = 3
"""Most profiles that stay distinct with their intervals as bands."""


def lines(sides: Sequence[Compared]) -> list[Line]:
    """Profiles over normalised depth, with intervals as bands if there are few; if groups have no order, points over
    their numbers in `groups`, with intervals as bars."""
    out = []
    names, deep, every = named(sides), over_depth(sides), groups(sides)
    for place, one in enumerate(sides):
        hue, called = COLOURS[place % len(COLOURS)], letter(place)
        line = Line(one.depth, one.profile, hue, called, f"{called} {names[place]}")
        if not deep:
            # Side by side, so that the bars stay distinct.
            beside = BESIDE * (place - (len(sides) - 1) / 2) / max(len(sides) - 1, 1)
            at = [every.index(name) + beside for name in _layers(one)]
            out.append(line._replace(xs=at, low=one.low, high=one.high, joined=False, marked=True))
            continue
        out.append(line._replace(low=one.low, high=one.high, band=True) if len(sides) <= BANDS else line)
    return out


BESIDE = 0.4
"""Distance between the first and the last of several points over one category."""


def categories(sides: Sequence[Compared], width: int) -> dict[float, str]:
    """The groups under the profiles, by their places, for an axis of `width` columns; empty if the axis is depth."""
    found = [] if over_depth(sides) else [printable(one) for one in groups(sides)]
    room = max((width - 8) // max(len(found), 1) - 2, 4)
    return dict(enumerate(shortened(found, room)))


def profiles(sides: Sequence[Compared], ranking: str, width: int, height: int = 18, look: Look | None = None) -> Text:
    """Profiles in one plot, a letter each."""
    below = "normalised depth" + ("; bands: 95 % intervals" if len(sides) <= BANDS else "")
    names = categories(sides, width)
    below = "bars: 95 % intervals" if names else below
    return plot(lines(sides), width, height, ranking, below, names=names or None, look=look or Look())


def over_training(sides: Sequence[Compared]) -> list[Line]:
    """The contrast over training steps, with intervals as bars."""
    value, low, high = ([one.contrast[k] for one in sides] for k in range(3))
    steps = [float(one.step or 0) for one in sides]
    return [Line(steps, value, COLOURS[0], "C", low=low, high=high, marked=True)]


def trajectory(sides: Sequence[Compared], ranking: str, width: int, height: int = 12, look: Look | None = None) -> Text:
    """The contrast over training steps, in one plot."""
    below = "training step; bars: 95 % intervals"
    return plot(over_training(sides), width, height, f"contrast of {ranking}", below, look=look or Look())


def difference_by_unit(first: Compared, other: Compared) -> np.ndarray | None:
    """[layers, units]: the other's scaled value minus the first's, from −1 to 1. None for other geometries."""
    if (first.layers, first.per_layer) != (other.layers, other.per_layer):
        return None
    if first.values is None or other.values is None:
        return None
    return (other.values - first.values).reshape(first.layers, first.per_layer)


def map_of_difference(
    first: Compared, other: Compared, colours: tuple[str, ...], shades: str = scale.SHADES
) -> list[Text]:
    """The same difference as a row per layer. Empty for other geometries, and if units have other names."""
    gap = difference_by_unit(first, other)
    if gap is None:
        return []
    known = gap[gap == gap]
    reach = float(abs(known).max()) if len(known) else 0.0
    out = [Text(f"B − A by unit, −{reach:.2f} to +{reach:.2f}")]
    cell = 3 if first.per_layer <= 16 else 1
    called = shortened([printable(name) for name in _layers(first)], MOST_OF_A_NAME)
    holes = first.naming.holes
    width = max(2, *map(cell_len, called))
    for layer in range(first.layers):
        line = Text(" " * (width - cell_len(called[layer])) + f"{called[layer]} ")
        for unit, value in enumerate(gap[layer]):
            if layer * first.per_layer + unit in holes:
                line.append(" " * cell)
                continue
            place = (
                0.5 + value / (2 * reach) if reach and not math.isnan(value) else math.nan if math.isnan(value) else 0.5
            )
            line.append(*scale.paint(place, cell, colours, shades))
        known = gap[layer][gap[layer] == gap[layer]]
        line.append(f" {known.mean():+.2f}" if len(known) else "")
        out.append(line)
    return out
