"""Values in [0, 1] → colours and shades. Redundancy cool, synergy warm; blue against orange, which every common kind of
colour blindness tells apart."""

from __future__ import annotations

import math

COLOURS = tuple(f"color({number})" for number in (25, 32, 74, 117, 153, 252, 223, 222, 215, 208, 166))
"""From the 256-colour palette, picked by hand: terminals round other scales to fewer and uneven steps."""

SIXTEEN = ("blue", "cyan", "white", "yellow", "red")
"""Where there are sixteen colours: few steps, but no colour stands for two values."""

SHADES = " ░▒▓█"
"""Without colour ink alone is left, and it grows with the value."""

NOTHING = "·"
"""Where there is no value."""


def palette(system: str | None) -> tuple[str, ...]:
    """The scale for a terminal, by what rich calls its colour system; empty where there is no colour."""
    if system is None:
        return ()
    return SIXTEEN if system in ("standard", "windows") else COLOURS


def paint(value: float, width: int, colours: tuple[str, ...]) -> tuple[str, str]:
    """(text, style) of a cell of this width."""
    if math.isnan(value):
        return NOTHING.center(width), ""
    if colours:
        return " " * width, f"on {colours[_step(value, len(colours))]}"
    return SHADES[_step(value, len(SHADES))] * width, ""


def _step(value: float, steps: int) -> int:
    return min(max(int(value * steps), 0), steps - 1)
