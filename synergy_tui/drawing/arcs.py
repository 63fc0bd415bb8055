"""The strongest pairs of a run → arcs between its layers, in characters: layers from left to right, an arc for every
two layers joined by strong pairs, thicker for more pairs."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Sequence
from typing import Any

from rich.cells import cell_len
from rich.text import Text

from synergy_tui.drawing.naming import shortened
from synergy_tui.drawing.tables import printable

THICK = ("┈", "─", "━", "█")
"""Signs of arcs by how many pairs they stand for, the fewest first."""

MOST_ROWS = 14

LEAST_NAME = 4
"""Fewest columns of an arc's foot that hold the name of its layer."""

FRAME = 4
"""Rows beside the arcs: the title, pairs inside a layer, the axis, and the note on omitted arcs."""

Counted = tuple[tuple[int, int], int]
"""The two layers of an arc, and how many pairs it stands for."""

_WORDS = {"sts": ("synergy (sts)", "color(208)"), "rtr": ("redundancy (rtr)", "color(32)")}


def draw(
    pairs: list[dict[str, Any]],
    layers: int,
    atom: str,
    width: int,
    plain: bool = False,
    rows: int = MOST_ROWS,
    names: Sequence[str] = (),
) -> Text:
    """Arcs above the layers' axis, the widest on top; below it, pairs inside a layer. `pairs`: rows with x_layer,
    y_layer and value, the strongest first. rows: most rows of arcs. names: of the layers, if they are groups; they
    stand at the arcs' feet, or below the axis if there is no room. Without pairs the text says so."""
    what = "group" if names else "layer"
    if not pairs:
        return Text(f"no pair of {layers} {what}s has {atom} above 0\n")
    word, colour = _WORDS[atom]
    colour = "" if plain else colour
    across = Counter(
        (min(one["x_layer"], one["y_layer"]), max(one["x_layer"], one["y_layer"]))
        for one in pairs
        if one["x_layer"] != one["y_layer"]
    )
    within = Counter(one["x_layer"] for one in pairs if one["x_layer"] == one["y_layer"])
    longest = max([4, *map(cell_len, names)]) + 2  # a name and the gap behind it
    step = max(1, min(longest if names else 6, (width - 4) // max(layers, 1)))
    names = [printable(one) for one in names]
    feet, legend = step > LEAST_NAME, []
    if names and not feet:
        called = "  ".join(f"{layer} {name}" for layer, name in enumerate(names))
        legend = textwrap.wrap(called, max(width - 2, 20))
        rows = max(rows - len(legend), 1)
    shown = _fitting(
        sorted(across.items(), key=lambda item: (-item[1], item[0][1] - item[0][0], item[0])), min(rows, MOST_ROWS)
    )
    shown.sort(key=lambda item: (item[0][0] - item[0][1], item[0]))  # the widest on top
    most = max([count for _, count in shown], default=1)
    text = Text(
        f"{word}: {len(pairs)} strongest pairs, {sum(within.values())} inside a {what}\n", "" if plain else "bold"
    )
    place_of = _rows([arc for arc, _ in shown])
    depth = max(place_of.values(), default=-1) + 1
    canvas = [[" "] * (layers * step + 2) for _ in range(depth)]
    for (first, last), count in shown:
        row = place_of[first, last]
        left, right = first * step + 1, last * step + 1
        sign = THICK[min(round((len(THICK) - 1) * count / most), len(THICK) - 1)]
        for place in range(left + 1, right):
            canvas[row][place] = sign
        canvas[row][left], canvas[row][right] = "╭", "╮"
        for below in range(row + 1, depth):
            for place in (left, right):
                if canvas[below][place] == " ":
                    canvas[below][place] = "│"
    for line in canvas:
        text.append("".join(line).rstrip() + "\n", colour)
    marks = "".join(_within(within[layer], step) for layer in range(layers))
    text.append(f" {marks.rstrip()}\n", colour)
    text.append(" " + _axis(layers, step, names if feet else ()) + "\n", "" if plain else "dim")
    for told in legend:
        text.append(f" {told}\n", "" if plain else "dim")
    left_out = len(across) - len(shown)
    if left_out:
        rest = sum(across.values()) - sum(count for _, count in shown)
        text.append(f" {left_out} more arcs of {rest} pairs are not drawn\n", "" if plain else "dim")
    return text


def _fitting(arcs: list[Counted], rows: int) -> list[Counted]:
    """The arcs that fit into the rows, the most frequent first: some share a row."""
    out: list[Counted] = []
    for one in arcs:
        wider = sorted((arc for arc, _ in [*out, one]), key=lambda arc: (arc[0] - arc[1], arc))
        if max(_rows(wider).values()) < rows:
            out.append(one)
    return out


def _rows(arcs: list[tuple[int, int]]) -> dict[tuple[int, int], int]:
    """A row for each arc, so that no two arcs overlap in a row, wide ones first."""
    taken: list[list[tuple[int, int]]] = []
    out: dict[tuple[int, int], int] = {}
    for first, last in arcs:
        for row, others in enumerate(taken):
            if all(last < one or first > other for one, other in others):
                others.append((first, last))
                out[first, last] = row
                break
        else:
            out[first, last] = len(taken)
            taken.append([(first, last)])
    return out


def _within(count: int, step: int) -> str:
    return (str(count) if count < 10 ** min(step, 3) else "+" * min(step, 3)).ljust(step) if count else "·".ljust(step)


def _axis(layers: int, step: int, names: Sequence[str] = ()) -> str:
    """Numbers of the layers, or their names, cut so that they stay distinct."""
    if names:
        return "".join(one + " " * (step - cell_len(one)) for one in shortened(names, step - 1)).rstrip()
    every = 1 if step > 2 else 5
    line = "".join(str(layer).ljust(step * every) for layer in range(0, layers, every))
    return line[: layers * step + 2].rstrip()
