"""Runs side by side → a table of contrasts and their differences, profiles in one plot, the map of a difference."""

from __future__ import annotations

import math
from collections.abc import Sequence
from string import ascii_uppercase
from typing import TYPE_CHECKING, Any

from rich.text import Text

from synergy_tui.drawing import scale
from synergy_tui.drawing.plots import Line, plot
from synergy_tui.drawing.tables import printable

if TYPE_CHECKING:
    import numpy as np

    from synergy_tui.store.runs import Compared

COLOURS = (208, 32, 213, 109, 178, 246)


def letter(place: int) -> str:
    """What a run is called in a comparison."""
    return ascii_uppercase[place % 26]


def rows(sides: Sequence[Compared]) -> list[dict[str, Any]]:
    """A row per run: its contrast with interval, and against the first the difference of contrasts with its interval,
    and the rank correlation of units, where both have the same geometry."""
    from synergy_tui.analysis.comparison import difference, spearman

    first = sides[0]
    out = []
    for place, one in enumerate(sides):
        value, low, high = one.contrast
        row: dict[str, Any] = {"": letter(place), "run": printable(one.name), "id": one.id}
        row |= {"step": one.step} if any(side.step is not None for side in sides) else {}
        row |= {"layers": f"{one.layers} × {one.per_layer}", "prompts": one.prompts}
        row |= {"contrast": value, "low": low, "high": high}
        gap, gap_low, gap_high = difference(first.contrast, one.contrast) if place else (math.nan,) * 3
        same = (one.layers, one.per_layer) == (first.layers, first.per_layer)
        rho = math.nan
        if place and same and one.values is not None and first.values is not None:
            rho = spearman(first.values, one.values)
        row |= {"minus A": gap, "its low": gap_low, "its high": gap_high, "units ρ": rho}
        out.append({key: None if isinstance(cell, float) and math.isnan(cell) else cell for key, cell in row.items()})
    return out


def lines(sides: Sequence[Compared], letters: bool, bands: bool = True, colour: bool = True) -> list[Line]:
    """Profiles over normalised depth; their intervals as dots."""
    out = []
    for place, one in enumerate(sides):
        hue = COLOURS[place % len(COLOURS)] if colour else None
        out.append(Line(one.depth.tolist(), one.profile.tolist(), letter(place) if letters else "braille", hue))
        if bands:
            out += [Line(one.depth.tolist(), ends.tolist(), "dot", hue) for ends in (one.low, one.high)]
    return out


def profiles(sides: Sequence[Compared], ranking: str, width: int, height: int = 16) -> Text:
    """Profiles in one plot, a letter each."""
    bands = len(sides) <= 3
    return plot(lines(sides, True, bands, False), width, height, ranking, "normalised depth; dots: 95 % intervals")


def over_training(sides: Sequence[Compared]) -> list[Line]:
    """The contrast over training steps; its intervals as dots."""
    steps = [float(one.step or 0) for one in sides]
    ends = [[one.contrast[k] for one in sides] for k in range(3)]
    return [Line(steps, ends[0], "C"), *(Line(steps, one, "dot") for one in ends[1:])]


def trajectory(sides: Sequence[Compared], ranking: str, width: int, height: int = 12) -> Text:
    """The contrast over training steps, in one plot."""
    below = "training step; dots: 95 % intervals"
    return plot(over_training(sides), width, height, f"contrast of {ranking}", below)


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
    """The same as a row per layer. Empty for other geometries."""
    gap = difference_by_unit(first, other)
    if gap is None:
        return []
    known = gap[gap == gap]
    reach = float(abs(known).max()) if len(known) else 0.0
    out = [Text(f"B − A by unit, −{reach:.2f} to +{reach:.2f}")]
    cell = 3 if first.per_layer <= 16 else 1
    for layer in range(first.layers):
        line = Text(f"{layer:>2} ")
        for value in gap[layer]:
            place = (
                0.5 + value / (2 * reach) if reach and not math.isnan(value) else math.nan if math.isnan(value) else 0.5
            )
            line.append(*scale.paint(place, cell, colours, shades))
        known = gap[layer][gap[layer] == gap[layer]]
        line.append(f" {known.mean():+.2f}" if len(known) else "")
        out.append(line)
    return out
