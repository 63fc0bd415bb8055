"""Values in [0, 1] → colours and shades. Redundancy cool, synergy warm; blue against orange, which every common kind of
colour blindness tells apart."""

from __future__ import annotations

import math

COLOURS = (25, 32, 74, 117, 153, 252, 223, 222, 215, 208, 166)
"""Indices of the 256-colour palette, picked by hand: terminals round other scales to fewer and uneven steps."""

SHADES = " ░▒▓█"
"""Without colour ink alone is left, and it grows with the value."""

NOTHING = "·"
"""Where there is no value."""


def colour(value: float) -> str | None:
    """Background of a cell as rich names it; None for NaN."""
    if math.isnan(value):
        return None
    return f"color({COLOURS[_step(value, len(COLOURS))]})"


def shade(value: float) -> str:
    """Glyph of a cell without colour."""
    return NOTHING if math.isnan(value) else SHADES[_step(value, len(SHADES))]


def _step(value: float, steps: int) -> int:
    return min(max(int(value * steps), 0), steps - 1)
