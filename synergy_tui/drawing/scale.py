"""Values in [0, 1] → colours and shades. Redundancy cool, synergy warm; blue against orange, which every common kind of
colour blindness tells apart."""

from __future__ import annotations

import math

DIVERGING = tuple(f"color({number})" for number in (25, 32, 74, 117, 153, 252, 223, 222, 215, 208, 166))
"""From the 256-colour palette, picked by hand: terminals round other scales to fewer and uneven steps."""

SEQUENTIAL = tuple(f"color({number})" for number in (17, 18, 24, 30, 36, 72, 79, 115, 151, 187, 229))
"""For what has no middle: the more, the lighter, in every step."""

SIXTEEN_DIVERGING = ("blue", "cyan", "white", "yellow", "red")
SIXTEEN_SEQUENTIAL = ("blue", "cyan", "green", "yellow", "white")
"""Where there are sixteen colours: few steps, but no colour stands for two values."""

SHADES = " ░▒▓█"
"""Without colour ink alone is left, and it grows with the value."""

ASCII_SHADES = " .:+#"

NOTHING = "·"
"""Where there is no value."""


def palette(system: str | None, diverging: bool = True) -> tuple[str, ...]:
    """The scale for a terminal, by what rich calls its colour system; empty where there is no colour."""
    if system is None:
        return ()
    if system in ("standard", "windows"):
        return SIXTEEN_DIVERGING if diverging else SIXTEEN_SEQUENTIAL
    return DIVERGING if diverging else SEQUENTIAL


def paint(value: float, width: int, colours: tuple[str, ...], shades: str = SHADES) -> tuple[str, str]:
    """(text, style) of a cell of this width."""
    if math.isnan(value):
        return NOTHING.center(width), ""
    if colours:
        return " " * width, f"on {colours[step(value, len(colours))]}"
    return shades[step(value, len(shades))] * width, ""


def step(value: float, steps: int) -> int:
    """The step of a scale that stands for a value in [0, 1]."""
    return min(max(int(value * steps), 0), steps - 1)
