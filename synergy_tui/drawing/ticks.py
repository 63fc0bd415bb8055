"""Where an axis has its ticks and what is written there: round numbers, whole labels, none upon another."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from rich.cells import cell_len

PLAIN = (1e-4, 1e6)
"""Between these the largest number of an axis is written without an exponent."""

GAP = 2
"""Columns between two labels."""


class Tick(NamedTuple):
    """A value on an axis and its label."""

    value: float
    label: str


class Label(NamedTuple):
    """A label from this column on, and the column it is of."""

    start: int
    text: str
    column: int


def round_numbers(low: float, high: float, most: int) -> list[Tick]:
    """Round numbers from low to high in steps of 1, 2 or 5 times a power of ten: at most so many, two at least where
    two are allowed. All labels have the same decimals and, where the numbers are huge or tiny, the same exponent."""
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
        place -= 1  # rather one too many than one alone
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
    """value × 10^exponent, where the power alone may be beyond what a float holds."""
    half = exponent // 2
    return value * 10.0**half * 10.0 ** (exponent - half)


def even(values: Iterable[float]) -> dict[float, str]:
    """Labels of values as they are, with as many decimals each as three figures of them need."""
    every = sorted(values)
    decimals = max((len(f"{one:.3g}".partition(".")[2]) for one in every), default=0)
    return {one: f"{one:.{decimals}f}" for one in every}


def of_names(names: Mapping[float, str], columns: Sequence[int], width: int, left: int) -> list[Label]:
    """As many names as stand beside each other whole: every one, every second and so on where the places are evenly
    apart, otherwise every one that has room beside the one before. columns: of the names, from `left` on."""
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
    """Round numbers with whole labels along a horizontal axis: as many as have room. column: of a value."""
    for most in range(max((width - left) // 7, 1), 0, -1):
        ticks = round_numbers(low, high, most)
        found = placed([(column(one.value), one.label) for one in ticks], width, left)
        if len(found) == len(ticks):
            return found
    return []


def placed(labels: Sequence[tuple[int, str]], width: int, left: int = 0) -> list[Label]:
    """Labels centred on their columns, moved inwards at the edges; one that has no room whole is left out."""
    out: list[Label] = []
    free = 0
    for column, text in labels:
        size = cell_len(text)
        start = min(max(left + column - size // 2, 0), width - size)
        if 0 <= start >= free and start <= left + column < max(start + size, start + 1):
            out.append(Label(start, text, column))
            free = start + size + GAP
    return out
