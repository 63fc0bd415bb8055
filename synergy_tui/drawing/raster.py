"""Values over an axis → pixels, two in a cell of a terminal. Rows count from the top."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

FAR = 1e9
"""Pixels beyond which places are no longer distinguished."""

Array = np.ndarray[Any, Any]


class Scale(NamedTuple):
    """An axis of some pixels; low and high lie in the middle of the first and of the last pixel."""

    low: float
    high: float
    pixels: int

    def places(self, values: Sequence[float] | Array) -> Array:
        """Where values lie, in fractional pixels; NaN for an unknown value."""
        given = np.asarray(values, float)
        unit = max(abs(self.low), abs(self.high)) or 1.0  # the span of huge numbers exceeds a float
        span = self.high / unit - self.low / unit
        with np.errstate(over="ignore", invalid="ignore"):
            share = (given / unit - self.low / unit) / span if span > 0 else np.where(np.isnan(given), np.nan, 0.5)
            return np.clip(share * (self.pixels - 1), -FAR, FAR)

    def nearest(self, values: Sequence[float] | Array) -> Array:
        """The pixels nearest to values; −FAR for an unknown value."""
        places = self.places(values)
        return np.where(np.isnan(places), -FAR, np.floor(places + 0.5)).astype(np.int64)


def line(columns: Array, rows: Array, known: Array, width: int, height: int) -> Array:
    """[height, width] the pixels of a line through its points: each segment as Bresenham draws it, so that pixels of
    neighbouring columns touch. Columns must not decrease; a segment needs both of its points to be known."""
    start, end, step = _walk(columns, known)
    across, up = columns[end] - columns[start], rows[end] - rows[start]
    tall, sign = np.abs(up), np.sign(up)
    run = np.maximum(across, 1)
    flat = tall <= across
    level = np.floor(tall * step / run + 0.5)
    first = np.where(step == 0, 0, np.ceil(tall * (step - 0.5) / run))
    last = np.where(step == across, tall, np.ceil(tall * (step + 0.5) / run) - 1)
    one = rows[start] + (sign * np.where(flat, level, first)).astype(np.int64)
    other = rows[start] + (sign * np.where(flat, level, last)).astype(np.int64)
    return filled(columns[start] + step, np.minimum(one, other), np.maximum(one, other), width, height)


def over_columns(columns: Array, places: Array, known: Array, width: int) -> tuple[Array, Array]:
    """The least and the greatest place of a line in every column, NaN without a place."""
    start, end, step = _walk(columns, known)
    run = np.maximum(columns[end] - columns[start], 1)
    values = places[start] + (places[end] - places[start]) * step / run
    least, greatest = np.full(width, np.inf), np.full(width, -np.inf)
    np.minimum.at(least, columns[start] + step, values)
    np.maximum.at(greatest, columns[start] + step, values)
    return np.where(np.isfinite(least), least, np.nan), np.where(np.isfinite(greatest), greatest, np.nan)


def filled(columns: Array, top: Array, bottom: Array, width: int, height: int) -> Array:
    """[height, width] the pixels from top to bottom in these columns, clipped to the canvas."""
    inside = (bottom >= 0) & (top < height) & (top <= bottom)
    columns, top, bottom = columns[inside], np.maximum(top[inside], 0), np.minimum(bottom[inside], height - 1)
    size = (height + 1) * width
    begun = np.bincount(top * width + columns, minlength=size) - np.bincount(
        (bottom + 1) * width + columns, minlength=size
    )
    return begun.reshape(height + 1, width).cumsum(0)[:height] > 0


def _walk(columns: Array, known: Array) -> tuple[Array, Array, Array]:
    """(first point, last point, columns from the first) for every column that a segment passes; an isolated point is a
    segment of one column."""
    alone, segments = np.flatnonzero(known), np.flatnonzero(known[:-1] & known[1:])
    start, end = np.concatenate([alone, segments]), np.concatenate([alone, segments + 1])
    counts = columns[end] - columns[start] + 1
    of = np.repeat(np.arange(len(start)), counts)
    step = np.arange(len(of)) - np.repeat(np.cumsum(counts) - counts, counts)
    return start[of], end[of], step
