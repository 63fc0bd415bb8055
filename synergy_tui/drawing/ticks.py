"""The ticks of an axis and their labels: round numbers, whole labels, no overlaps."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from rich.cells import cell_len

PLAIN = (1e-4, 1e6)
"""Bounds of an axis's largest number between which it is written without an exponent."""

GAP = 2
"""Columns between two labels."""


class Tick(NamedTuple):
    """A value on an axis and its label."""

    value: float
    label: str


class Label(NamedTuple):
    """A label, the column where it starts, and the column it belongs to."""

    start: int
    text: str
    column: int


def round_numbers(low: float, high: float, most: int) -> list[Tick]:
    """Round numbers from low to high in steps of 1, 2 or 5 times a power of ten: at most `most`, at least two if two
    are allowed. All labels have the same decimals and, if the numbers are huge or tiny, the same exponent."""
    largest = max(abs(low), abs(high))
    exponent = 0 if largest == 0 or PLAIN[0] <= largest < PLAIN[1] else math.floor(math.log10(largest))
    first, last = (_shifted(one, -exponent) for one in (low, high))
    if not first < last:
        return []
    most = max(most, 1)
    smallest = math.floor(math.log10((last - first) / most))
    steps = [times * 10.0 ** (smallest + size) for size in range(-1, 3) for times in (1, 2, 5)]
    place = next(one for one in range(3, len(steps)) if len(_multiples(first, last, steps[one])) <= most)
    if most > 1 and len(_multiples(first, last, steps[place])) < 2:
        place -= 1  # one tick too many is better than a single tick
    step = steps[place]
    decimals = min(max(0, -math.floor(math.log10(step) + 1e-9)), 15)
    out = []
    for number in _multiples(first, last, step):
        value = round(number * step, decimals) + 0.0
        end = f"e{exponent}" if exponent and value else ""
        out.append(Tick(_shifted(value, exponent), f"{value:.{decimals}f}{end}"))
    return out


def _multiples(first: float, last: float, step: float) -> range:
    return range(math.ceil(first / step - 1e-9), math.floor(last / step + 1e-9) + 1)


def _shifted(value: float, exponent: int) -> float:
    """value × 10^exponent, even if the power itself exceeds a float."""
    half = exponent // 2
    return value * 10.0**half * 10.0 ** (exponent - half)


def even(values: Iterable[float]) -> dict[float, str]:
    """Labels of values as they are, each with as many decimals as three significant figures need."""
    every = sorted(values)
    decimals = max((len(f"{one:.3g}".partition(".")[2]) for one in every), default=0)
    return {one: f"{one:.{decimals}f}" for one in every}


def of_names(names: Mapping[float, str], columns: Sequence[int], width: int, left: int) -> list[Label]:
    """As many whole names as fit side by side: every one, every second and so on if the places are evenly spaced,
    otherwise every one that fits beside the previous one. columns: of the names, from `left` on."""
    texts = list(names.values())
    places = sorted(names)
    gaps = [b - a for a, b in pairwise(places)]
    every = sorted(zip(columns, texts, strict=True))
    if not gaps or max(gaps) - min(gaps) <= 1e-6 * max(gaps):
        for step in range(1, len(every) + 1):
            found = placed(every[::step], width, left)
            if len(found) == len(every[::step]):
                return found
    return placed(every, width, left)


def of_numbers(low: float, high: float, width: int, left: int, column: Callable[[float], int]) -> list[Label]:
    """Round numbers with whole labels along a horizontal axis: as many as fit. column: gives a value's column."""
    for most in range(max((width - left) // 7, 1), 0, -1):
        ticks = round_numbers(low, high, most)
        found = placed([(column(one.value), one.label) for one in ticks], width, left)
        if len(found) == len(ticks):
            return found
    return []


def placed(labels: Sequence[tuple[int, str]], width: int, left: int = 0) -> list[Label]:
    """Labels centred on their columns, moved inwards at the edges; a label that does not fit whole is left out."""
    out: list[Label] = []
    free = 0
    for column, text in labels:
        size = cell_len(text)
        start = min(max(left + column - size // 2, 0), width - size)
        if 0 <= start >= free and start <= left + column < max(start + size, start + 1):
            out.append(Label(start, text, column))
            free = start + size + GAP
    return out
