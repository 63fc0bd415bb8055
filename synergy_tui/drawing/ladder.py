"""A ladder from load.ladder → its curve with accuracy under it, and tables: text for both faces."""

from __future__ import annotations

from math import isfinite, nan
from typing import Any

from rich.text import Text

from synergy_tui.drawing.plots import Line, Look, plot
from synergy_tui.drawing.tables import printable

Found = dict[str, Any]

LONGEST = 20
"""Columns of a level's name on an axis."""

FIT_COLOURS = {"constant": 240, "linear": 109, "quadratic": 144, "step": 139, "sigmoid": 173}
CURVE_COLOUR, ACCURACY_COLOUR, UNFINISHED_COLOUR = 208, 32, 244


def draw(found: Found, parameter: str, width: int, height: int = 15, look: Look | None = None) -> Text:
    """The curve of an order parameter with its interval and the model that fits best, and accuracy below."""
    look, names = look or Look(), level_names(found)
    *fits, curve = curve_lines(found, parameter)
    best = (found["verdicts"].get(parameter) or {}).get("best")
    lines = [one._replace(letter="B", name=f"{best}, the model that fits best") for one in fits]
    lines.append(curve._replace(name="mean   bars: interval"))
    title = f"{parameter} by level, with its 95 % interval"
    text = plot(lines, width, height, title, "level", names=names, look=look).append("\n")
    if accuracy := accuracy_lines(found):
        *shares, right = accuracy
        told = [one._replace(name="share of unfinished answers") for one in shares]
        told.append(right._replace(name="right answers") if shares else right)
        text.append("\n").append_text(
            plot(told, width, 9 if shares else 8, "accuracy by level", "level", (0.0, 1.0), names, look=look)
        )
        text.append("\n")
    return text


def curve_lines(found: Found, parameter: str, fits: bool = False) -> list[Line]:
    """The fitted models as thin lines, all of them or only the best, and last the curve with its interval."""
    points = found["curves"].get(parameter, [])
    places = [one["level"] for one in points]
    lines = []
    best = (found["verdicts"].get(parameter) or {}).get("best")
    for name in FIT_COLOURS:
        fit = found["fits"].get(parameter, {}).get(name)
        if fit is None or not (fits or name == best):
            continue
        lines.append(Line(fit["places"], fit["line"], FIT_COLOURS[name], fit_letter(name), thin=True))
    value, low, high = ([known(one[end]) for one in points] for end in ("value", "low", "high"))
    return [*lines, Line(places, value, CURVE_COLOUR, "A", low=low, high=high, marked=True)]


def fit_letter(name: str) -> str:
    """The letter of a fitted model, for terminals without enough colours."""
    return chr(ord("b") + list(FIT_COLOURS).index(name))


def level_names(found: Found) -> dict[float, str]:
    """The names of the levels on the axis: they need not be 1, 2, 3."""
    names = {float(one["level"]): printable(str(one["name"])) for one in found["levels_of"]}
    return {place: name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…" for place, name in names.items()}


def has_unfinished(found: Found) -> bool:
    """Whether any answer was cut off."""
    return any(one["unfinished"] for one in found["levels_of"])


def accuracy_lines(found: Found) -> list[Line]:
    """On the same axis, the share of unfinished answers, if there are any, and last accuracy with its interval; empty
    if nothing was graded."""
    points = found["levels_of"]
    values = [known(one["accuracy"]) for one in points]
    shares = [(one["unfinished"] or 0) / one["prompts"] if one["prompts"] else nan for one in points]
    places = [one["level"] for one in points]
    lines = []
    if any(share > 0 for share in shares):
        lines.append(Line(places, shares, UNFINISHED_COLOUR, "U", thin=True, marked=True))
    if any(map(isfinite, values)):
        low, high = ([known(one[f"accuracy_{end}"]) for one in points] for end in ("low", "high"))
        lines.append(Line(places, values, ACCURACY_COLOUR, "A", low=low, high=high, marked=True))
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
    # A rejected transition has no place.
    return [
        {"order_parameter": name}
        | {
            column: None if column in ("d_star", "d_low", "d_high") and one["verdict"] != "transition" else one[column]
            for column in names
        }
        for name, one in found["verdicts"].items()
    ]


def differences(found: Found) -> list[dict[str, Any]]:
    """Comparisons of levels, for every order parameter."""
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
    """The value, or NaN for None."""
    return nan if value is None else value
