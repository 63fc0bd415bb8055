"""Colours and doubts: whether they can be read, and whether equal steps look equal."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from rich.color import Color
from rich.style import Style

from synergy_tui.drawing import compare, curves, doubts, ladder, scale
from synergy_tui.explorer.theme import DARK, LIGHT
from synergy_tui.explorer.widgets.ink import Ink

THEMES = {True: DARK, False: LIGHT}


def seen(colour: str) -> float:
    return scale.luminance(*Color.parse(colour).get_truecolor())


def lightness(colour: str) -> float:
    """L* of CIE 1976: what is written here in OKLCH, measured by another model of the eye."""
    shown = seen(colour)
    return 116 * shown ** (1 / 3) - 16 if shown > 0.008856 else 903.3 * shown


@pytest.mark.parametrize("dark", [True, False])
@pytest.mark.parametrize("diverging", [True, False])
@pytest.mark.parametrize("system", ["truecolor", "256"])
def test_the_extremes_of_a_scale_stand_out_and_its_neutral_does_not(system, diverging, dark):
    colours = scale.palette(system, diverging, dark)
    assert len(colours) == len(set(colours)) >= (17 if diverging else 11)
    ground = seen(THEMES[dark].background)
    neutral = colours[len(colours) // 2] if diverging else colours[0]
    for extreme in (colours[0], colours[-1]) if diverging else (colours[-1],):
        assert scale.contrast(seen(extreme), ground) >= 3 + scale.contrast(seen(neutral), ground)
    light = [lightness(one) for one in colours[len(colours) // 2 if diverging else 0 :]]
    other = [lightness(one) for one in colours[len(colours) // 2 :: -1]] if diverging else light
    for side in (light, other):
        steps = np.diff(side) if dark else -np.diff(side)
        assert (steps > -1.0).all()  # in 256 colours neighbours may be equally light
        if system == "truecolor":
            assert steps.max() < 2 * np.median(steps)
            assert steps.min() > 0.3 * np.median(steps)


@pytest.mark.parametrize("dark", [True, False])
def test_every_text_is_read_on_its_ground(dark):
    theme = THEMES[dark]
    grounds = {name: seen(getattr(theme, name)) for name in ("background", "surface", "panel")}
    texts = {name: str(getattr(theme, name)) for name in ("foreground", "error", "warning", "success", "accent")}
    for system in ("truecolor", "256"):
        ink = Ink(system, dark=dark)
        texts |= {f"{system} warm": ink.warm, f"{system} cool": ink.cool}
        texts |= {f"{system} dim": _name(ink.dim)}
    for (text, colour), (ground, behind) in itertools.product(texts.items(), grounds.items()):
        assert scale.contrast(seen(colour), behind) >= 4.5, (text, ground)
    for diverging in (True, False):
        for colour in scale.palette("truecolor", diverging, dark):
            style = scale.ground(colour)
            assert scale.contrast(seen(_name(style)), seen(colour)) >= 4.5


def _name(style: Style) -> str:
    assert style.color is not None
    return style.color.name


def test_sixteen_colours_stay_what_they_are():
    """A colour between two of them would come out as a third, such as that of the cursor."""
    for diverging in (True, False):
        numbers = [
            Color.parse(one).downgrade(1).number  # type: ignore[arg-type]
            for one in scale.palette("standard", diverging)
        ]
        assert len(set(numbers)) == len(numbers)
        assert 5 not in numbers
        assert 13 not in numbers


def test_doubts_come_worst_first_in_whole_words():
    confounds = {
        "synergy~autocorrelation": 0.96,
        "synergy~redundancy": 0.55,
        "excess~autocorrelation": -0.2,
        "split-half Spearman": 0.39,
        "rankings: mean core overlap": None,
        "prompts too short": 3.0,
        "memory varies over prompts": 21.0,
    }
    found = doubts.doubts(confounds, (), 8)
    told = [f"{doubts.SIGNS[one.level]} {one.text}" for one in found]
    assert told == [
        "✖ follows memory r +0.96",
        "✖ memory varies ×21",
        "▲ goes with redundancy r +0.55",
        "▲ halves ρ +0.39",
        "▲ 3 prompts too short",
        "▲ only 8 prompts",
        "○ no surrogates",
        "· excess follows memory r -0.20",
        "· rankings share n/a",
    ]
    whole = [part for one in found for part in (one.text, one.short)]
    for width in range(30, 240):
        line = doubts.line(found, width).plain
        assert len(line) <= width
        *parts, last = line.replace("   ", "  ").split("  ")
        assert all(part[2:] in whole for part in parts)
        assert last[2:] in whole or last == f"+{len(found) - len(parts)}"


def test_lines_for_a_dark_ground_are_seen_on_a_light_one():
    used = {*curves.COLOURS.values(), *compare.COLOURS, *ladder.FIT_COLOURS.values(), 215}
    used |= {ladder.CURVE_COLOUR, ladder.ACCURACY_COLOUR, ladder.UNFINISHED_COLOUR}
    for one in used:
        assert scale.contrast(seen(f"color({scale.on_light(one)})"), seen(LIGHT.background)) >= 2.3, one
        assert scale.on_light(one) != one
    assert len({scale.on_light(one) for one in ladder.FIT_COLOURS.values()}) == len(ladder.FIT_COLOURS)


@pytest.mark.parametrize("dark", [True, False])
def test_a_band_is_seen_on_its_ground_and_lines_are_seen_on_it(dark):
    ground = seen(THEMES[dark].background)
    used = {*curves.COLOURS.values(), *compare.COLOURS}
    for one in used:
        line = one if dark else scale.on_light(one)
        band = scale.faint(line, dark)
        assert scale.contrast(seen(f"color({band})"), ground) >= 1.25, one
        assert scale.contrast(seen(f"color({line})"), seen(f"color({band})")) >= 1.8, one
    controls = {scale.faint(curves.COLOURS[one], True) for one in ("random", "layer-matched", "synergy-first")}
    assert len(controls) == 3
