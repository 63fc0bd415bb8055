"""A ladder as load.ladder gives it → its curve with accuracy under it, and tables: text for both faces."""

from __future__ import annotations

from math import isfinite, nan
from typing import Any

from rich.text import Text

from synergy_tui.drawing.plots import Line, intervals, plot
from synergy_tui.drawing.tables import printable

Found = dict[str, Any]

LONGEST = 20
"""Columns of a level's name on an axis."""

FIT_COLOURS = {"constant": 240, "linear": 109, "quadratic": 144, "step": 139, "sigmoid": 173}
CURVE_COLOUR, ACCURACY_COLOUR, UNFINISHED_COLOUR = 208, 32, 244


def draw(found: Found, parameter: str, width: int, height: int = 14) -> Text:
    """The curve of an order parameter with its interval, in letters, and accuracy below: readable without colour."""
    lines, names = curve_lines(found, parameter, coloured=False), level_names(found)
    text = plot(lines, width, height, f"{parameter} by level, with its 95 % interval", "level", names=names)
    told = "A mean   bars: interval"
    best = (found["verdicts"].get(parameter) or {}).get("best")
    told += f"   B {best}, the model that fits best" if best else ""
    text.append(f"\n{told}\n")
    if accuracy := accuracy_lines(found, coloured=False):
        title = "accuracy by level" + ("; U share of unfinished answers" if has_unfinished(found) else "")
        text.append("\n").append(plot(accuracy, width, 8, title, "level", (0.0, 1.0), names)).append("\n")
    return text


def curve_lines(found: Found, parameter: str, coloured: bool = True, fits: bool = False) -> list[Line]:
    """The curve, its interval, and the fitted models: all of them thin, or the best alone."""
    points = found["curves"].get(parameter, [])
    places = [one["level"] for one in points]
    lines = []
    best = (found["verdicts"].get(parameter) or {}).get("best")
    for letter, name in enumerate(FIT_COLOURS):
        fit = found["fits"].get(parameter, {}).get(name)
        if fit is None or not (fits or name == best):
            continue
        sign = "braille" if coloured else chr(ord("b") + letter) if fits else "B"
        lines.append(Line(fit["places"], fit["line"], sign, FIT_COLOURS[name] if coloured else None))
    colour = CURVE_COLOUR if coloured else None
    low, high = ([known(one[end]) for one in points] for end in ("low", "high"))
    lines += intervals(places, low, high, colour)
    return [*lines, Line(places, [known(one["value"]) for one in points], "braille" if coloured else "A", colour)]


def level_names(found: Found) -> dict[float, str]:
    """What the levels of the axis are called: they need not be 1, 2, 3."""
    names = {float(one["level"]): printable(str(one["name"])) for one in found["levels_of"]}
    return {place: name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…" for place, name in names.items()}


def has_unfinished(found: Found) -> bool:
    """Whether any answer was cut off."""
    return any(one["unfinished"] for one in found["levels_of"])


def accuracy_lines(found: Found, coloured: bool = True) -> list[Line]:
    """Accuracy along the same axis, and the share of unfinished answers where there are some; empty where nothing was
    graded."""
    points = found["levels_of"]
    values = [known(one["accuracy"]) for one in points]
    shares = [(one["unfinished"] or 0) / one["prompts"] if one["prompts"] else nan for one in points]
    places, colour = [one["level"] for one in points], ACCURACY_COLOUR if coloured else None
    lines = []
    if any(share > 0 for share in shares):
        lines.append(Line(places, shares, "braille" if coloured else "U", UNFINISHED_COLOUR if coloured else None))
    if any(map(isfinite, values)):
        low, high = ([known(one[f"accuracy_{end}"]) for one in points] for end in ("low", "high"))
        lines += intervals(places, low, high, colour)
        lines.append(Line(places, values, "braille" if coloured else "A", colour))
    return lines


def rows(found: Found, parameter: str) -> list[dict[str, Any]]:
    """One row per level."""
    points = {one["level"]: one for one in found["curves"].get(parameter, [])}
    return [
        {
            "level": one["level"],
            "name": one["name"],
            "used": f"{one['used']}/{one['prompts']}",
            parameter: points[one["level"]]["value"],
            "low": points[one["level"]]["low"],
            "high": points[one["level"]]["high"],
            "accuracy": one["accuracy"],
            "unparsable": one["unparsable"],
            "unfinished": one["unfinished"],
            "failed": one["failed"],
            "map": one["map"] or one["note"],
        }
        for one in found["levels_of"]
    ]


def verdicts(found: Found) -> list[dict[str, Any]]:
    """One row per order parameter."""
    names = ("verdict", "best", "delta_bic", "change_bic", "width", "d_star", "d_low", "d_high", "peak_p")
    # A transition that is denied has no place.
    return [
        {"order_parameter": name}
        | {
            column: None if column in ("d_star", "d_low", "d_high") and one["verdict"] != "transition" else one[column]
            for column in names
        }
        for name, one in found["verdicts"].items()
    ]


def differences(found: Found) -> list[dict[str, Any]]:
    """Levels against each other, of every order parameter."""
    names = {one["level"]: one["name"] for one in found["levels_of"]}
    return [
        {
            "order_parameter": parameter,
            "levels": f"{names[one['higher_level']]} − {names[one['lower_level']]}",
            "difference": one["difference"],
            "low": one["low"],
            "high": one["high"],
        }
        for parameter, some in found["differences"].items()
        for one in some
    ]


def known(value: float | None) -> float:
    """NaN for what has no value."""
    return nan if value is None else value
