"""Values in [0, 1] → colours and shades. Redundancy is cool, synergy warm: blue against orange, which people with every
common colour blindness can distinguish."""

from __future__ import annotations

import math
from functools import lru_cache

from rich.color import Color, ColorSystem, ColorType
from rich.style import Style
from rich.text import Text

SIDE = 48
"""Steps on each side of a diverging scale in a terminal that shows any colour."""

_HUES = {"cool": (245.0, 245.0), "warm": (65.0, 75.0), "more": (200.0, 110.0)}
"""Hue beside the neutral grey and at the extreme, in degrees."""

_LIGHTNESS = {True: (0.28, 0.9), False: (0.92, 0.36)}
"""Lightness of the neutral grey, which is the grey of a dark or a light ground, and of the extremes."""

_CHROMA = 0.15

_CUBE: dict[bool, dict[str, tuple[int, ...]]] = {
    True: {
        "cool": (235, 24, 31, 32, 39, 75, 117, 153, 195),
        "warm": (235, 94, 130, 172, 208, 214, 215, 222, 230),
        "more": (235, 23, 29, 30, 36, 72, 79, 115, 151, 187, 229),
    },
    False: {
        "cool": (254, 153, 110, 74, 68, 31, 25, 18, 17),
        "warm": (254, 223, 180, 173, 172, 130, 94, 88, 52),
        "more": (254, 152, 151, 115, 79, 73, 36, 30, 29, 23, 22),
    },
}
"""The same scales from the 256-colour palette, picked by hand to match the theme: terminals round other scales to fewer
and uneven steps."""

_SIXTEEN = {
    "diverging": ("#55ffff", "#0000aa", "#555555", "#aa5500", "#ffff55"),
    "more": ("#555555", "#0000aa", "#00aaaa", "#55ffff", "#ffffff"),
}
"""For sixteen colours: few steps, but no colour stands for two values. They are given as the RGB values that rich
assigns to the sixteen; the explorer would turn a name into a colour between them."""

_TERMINAL = {
    "diverging": ("bright_cyan", "blue", "default", "yellow", "bright_yellow"),
    "more": ("default", "blue", "cyan", "bright_cyan", "bright_white"),
}
"""The same by name: the terminal's palette decides the colours."""

SHADES = " ░▒▓█"
"""Without colour only ink is left, and it grows with the value."""

ASCII_SHADES = " .:+#"

NOTHING = "·"
"""The sign for no value."""


@lru_cache
def palette(system: str | None, diverging: bool = True, dark: bool = True) -> tuple[str, ...]:
    """The scale for a terminal, by rich's name of its colour system, or "ansi" for its own palette, on a dark or a
    light ground; empty without colour. Neutral is the ground's grey, and both extremes stand out from it."""
    if system is None:
        return ()
    if system == "ansi":
        return _TERMINAL["diverging" if diverging else "more"]
    if system in ("standard", "windows"):
        return _SIXTEEN["diverging" if diverging else "more"]
    if system == "truecolor":
        side = {name: tuple(_between(name, one / SIDE, dark) for one in range(SIDE + 1)) for name in _HUES}
    else:
        side = {name: tuple(f"color({one})" for one in numbers) for name, numbers in _CUBE[dark].items()}
    return (*side["cool"][:0:-1], *side["warm"]) if diverging else side["more"]


def _between(name: str, place: float, dark: bool) -> str:
    """A colour between neutral, 0, and the extreme, 1: its lightness changes in even steps."""
    (first, last), (near, far) = _LIGHTNESS[dark], _HUES[name]
    chroma = _CHROMA * math.sin(math.pi * 0.62 * place)  # grey at first, and less colourful again near white
    return _colour(first + (last - first) * place, chroma, near + (far - near) * place)


def _colour(lightness: float, chroma: float, hue: float) -> str:
    """A colour of OKLCH (Ottosson 2020) in sRGB, with the largest possible chroma up to `chroma`."""
    while True:
        green_red, blue_yellow = chroma * math.cos(math.radians(hue)), chroma * math.sin(math.radians(hue))
        cones = [
            (lightness + 0.3963377774 * green_red + 0.2158037573 * blue_yellow) ** 3,
            (lightness - 0.1055613458 * green_red - 0.0638541728 * blue_yellow) ** 3,
            (lightness - 0.0894841775 * green_red - 1.2914855480 * blue_yellow) ** 3,
        ]
        linear = [sum(one * weight for one, weight in zip(cones, row, strict=True)) for row in _FROM_CONES]
        if chroma <= 0.001 or all(-0.001 <= one <= 1.001 for one in linear):
            return "#" + "".join(f"{round(255 * _gamma(min(max(one, 0.0), 1.0))):02x}" for one in linear)
        chroma -= 0.002


_FROM_CONES = (
    (4.0767416621, -3.3077115913, 0.2309699292),
    (-1.2684380046, 2.6097574011, -0.3413193965),
    (-0.0041960863, -0.7034186147, 1.7076147010),
)


def _gamma(one: float) -> float:
    return 12.92 * one if one <= 0.0031308 else 1.055 * one ** (1 / 2.4) - 0.055


def on_light(colour: int) -> int:
    """Adapts one of the 256 colours, chosen for a dark ground, to a light ground: darker in the same hue, greys
    reversed."""
    if colour >= 232:
        return 487 - colour
    if colour < 16:
        return colour
    red, green, blue = (round(0.6 * one) for one in _parts(colour))
    return 16 + 36 * red + 6 * green + blue


def faint(colour: int, dark: bool) -> int:
    """One of the 256 colours in the same hue, near the ground: the fill behind a line of this colour."""
    if colour >= 232 or colour < 16:
        return 238 if dark else 251
    parts = _parts(colour)
    if max(parts) == min(parts):
        return 238 if dark else 251
    hue = [one - 0.67 * min(parts) for one in parts]
    if dark:
        red, green, blue = (round((2 if max(parts) > 3 else 1) * one / max(hue)) for one in hue)
    else:
        red, green, blue = (4 - round(1.5 * (1 - one / max(hue))) for one in hue)
    return 16 + 36 * red + 6 * green + blue


def _parts(colour: int) -> tuple[int, int, int]:
    """Red, green and blue of the cube, from 0 to 5."""
    return (colour - 16) // 36, (colour - 16) // 6 % 6, (colour - 16) % 6


def luminance(red: float, green: float, blue: float) -> float:
    """Relative luminance of an sRGB colour with parts in [0, 255] (WCAG 2.2)."""
    linear = [
        one / 12.92 if (one := part / 255) <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for part in (red, green, blue)
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: float, other: float) -> float:
    """Ratio of two luminances, the lighter first (WCAG 2.2): from 1 to 21."""
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)


def ink_on(ground: Color) -> str:
    """Black or white, whichever is more legible on a colour; the terminal's own black or white if the colour is its
    own."""
    behind = luminance(*ground.get_truecolor())
    black = contrast(behind, 0.0) > contrast(behind, 1.0)
    if ground.type is ColorType.STANDARD:
        return "black" if black else "bright_white"
    return "#000000" if black else "#ffffff"


def paint(value: float, width: int, colours: tuple[str, ...], shades: str = SHADES) -> tuple[str, str]:
    """(text, style) of a cell of this width."""
    if math.isnan(value):
        return NOTHING.center(width), ""
    if colours:
        return " " * width, f"on {colours[step(value, len(colours))]}"
    return shades[step(value, len(shades))] * width, ""


@lru_cache
def of_sixteen(colour: int) -> int:
    """The nearest of the sixteen to one of the 256 colours."""
    return Color.from_ansi(colour).downgrade(ColorSystem.STANDARD).number or 7


@lru_cache(512)
def ground(colour: str) -> Style:
    """A colour as the ground of legible text."""
    behind = Color.parse(colour)
    if behind.is_default:
        return Style()
    return Style(color=ink_on(behind), bgcolor=behind)


def strip(width: int, colours: tuple[str, ...], shades: str = SHADES) -> Text:
    """The whole scale from left to right in `width` columns."""
    line = Text()
    for place in range(width):
        line.append(*paint((place + 0.5) / width, 1, colours, shades))
    return line


def step(value: float, steps: int) -> int:
    """The step of a scale that stands for a value in [0, 1]."""
    return min(max(int(value * steps), 0), steps - 1)
