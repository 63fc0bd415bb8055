"""One decomposition as text: the layer × unit map with the layer profile on its rows, what it says, what to doubt."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.text import Text

from synergy_tui.drawing import scale
from synergy_tui.drawing.tables import printable

PROFILE_WIDTH = 22


class Atlas(NamedTuple):
    """What is drawn. run: rows of captures, decompositions and subjects in one. values [layers, units]: a scaled
    ranking. profile: dicts with value, low, high per layer. contrasts: ranking → dict. confounds: name → number."""

    run: dict[str, Any]
    ranking: str
    values: np.ndarray
    profile: list[dict[str, Any]]
    contrasts: dict[str, dict[str, Any]]
    confounds: dict[str, float | None]


def draw(atlas: Atlas, console: Console) -> None:
    """Prints title, map with profile, reading and doubts."""
    console.print(title(atlas.run), soft_wrap=not console.is_terminal)
    for line in map_lines(atlas, console.width, console.color_system is not None):
        console.print(line, no_wrap=True, overflow="crop")
    console.print()
    for sentence in reading(atlas):
        console.print(sentence, soft_wrap=not console.is_terminal)
    console.print(Text.assemble(("doubts  ", "bold"), doubts(atlas)), soft_wrap=not console.is_terminal)


def title(run: dict[str, Any]) -> Text:
    """Subject, prompts, method and how many prompts count."""
    return Text.assemble(
        (printable(str(run["name"])), "bold"),
        f" · {printable(str(run['tasks']))} {run['prompts']}×{run['steps']}",
        f" · {run['estimator']}·{run['redundancy']} τ{run['lag']}",
        f" · {run['valid_prompts']} of {run['prompts']} prompts long enough",
    )


def map_lines(atlas: Atlas, width: int, coloured: bool) -> list[Text]:
    """The legend, the unit numbers, and a row per layer with its profile."""
    layers, units = atlas.values.shape
    margin = len(str(layers - 1)) + 2
    room = width - margin - PROFILE_WIDTH - 22
    cell = max(1, min(3, room // units))
    with_profile = room >= units * cell
    centre = float(np.nanmean(atlas.values)) if np.isfinite(atlas.values).any() else 0.5
    reach = max((abs(row["value"] - centre) for row in atlas.profile if row["value"] is not None), default=0.0)
    lines = [_legend(atlas.ranking, coloured), _numbers(units, cell, margin, with_profile)]
    for layer in range(layers):
        line = Text(f"{layer:>{margin - 1}} ")
        for value in atlas.values[layer]:
            line.append(
                scale.NOTHING.center(cell) if math.isnan(value) else " " * cell, _style(value)
            ) if coloured else (line.append(scale.shade(value) * cell))
        if with_profile:
            line.append("  ").append_text(_bar(atlas.profile[layer], centre, reach, coloured))
        lines.append(line)
    return lines


def reading(atlas: Atlas) -> list[Text]:
    """Three sentences: what the profile shows, what it follows, what has not been asked yet."""
    main = atlas.contrasts[atlas.ranking]
    if main["contrast"] is None:
        first = "There are fewer than three layers, so there is no contrast between middle and ends."
    else:
        how = (
            "above the others"
            if (main["low"] or 0) > 0
            else "below the others"
            if (main["high"] or 0) < 0
            else "not told apart from the others"
        )
        first = f"Middle layers are {how} in {atlas.ranking}: contrast {_interval(main)} of its scale."
        if main["low"] is None:
            first = f"Contrast of the middle layers {main['contrast']:+.2f}; one prompt gives no interval."
    follows = atlas.confounds.get("synergy~autocorrelation")
    second = "Synergy cannot be compared with autocorrelation here."
    if follows is not None:
        strong = (
            "the map may show each head's memory of itself rather than coupling"
            if abs(follows) > 0.5
            else "not strongly"
        )
        second = f"Unit synergy follows autocorrelation with r {follows:+.2f}: {strong}."
    excess = atlas.contrasts["excess"]
    third = "Against independence (excess) nothing can be said."
    if excess["contrast"] is not None:
        third = (
            f"Beyond what independent heads would show (excess) the contrast is {_interval(excess)}; "
            "no surrogates have been drawn, so this is a map and not yet a finding."
        )
    return [Text(first), Text(second), Text(third)]


def doubts(atlas: Atlas) -> str:
    """The line that separates a map from a finding."""

    def told(name: str, form: str = "+.2f") -> str:
        value = atlas.confounds.get(name)
        return "n/a" if value is None else format(value, form)

    return "   ".join(
        [
            f"synergy~redundancy r {told('synergy~redundancy')}",
            f"synergy~autocorrelation r {told('synergy~autocorrelation')}",
            f"rankings share {told('rankings: mean core overlap', '.0%')} of the core",
            f"split-half ρ {told('split-half Spearman')}",
            f"{told('prompts too short', '.0f')} prompts too short",
        ]
    )


def _interval(row: dict[str, Any]) -> str:
    if row["low"] is None:
        return f"{row['contrast']:+.2f}"
    return f"{row['contrast']:+.2f} [{row['low']:+.2f}, {row['high']:+.2f}]"


def _style(value: float) -> str:
    name = scale.colour(value)
    return f"on {name}" if name else ""


def _legend(ranking: str, coloured: bool) -> Text:
    line = Text(f"{ranking}, scaled   redundant ")
    steps = len(scale.COLOURS) if coloured else len(scale.SHADES)
    for step in range(steps):
        value = (step + 0.5) / steps
        line.append("  ", _style(value)) if coloured else line.append(scale.shade(value) * 2)
    return line.append(" synergistic")


def _numbers(units: int, cell: int, margin: int, with_profile: bool) -> Text:
    if cell == 1:
        line = "".join(str(unit).ljust(10) for unit in range(0, units, 10))[:units].ljust(units)
    else:
        line = "".join(str(unit)[-cell:].center(cell) for unit in range(units))
    half = PROFILE_WIDTH // 2
    head = f"{'redundant':>{half}}│{'synergistic':<{half}} mean  95 % interval" if with_profile else ""
    return Text(" " * margin + line + "  " + head, "dim")


def _bar(row: dict[str, Any], centre: float, reach: float, coloured: bool) -> Text:
    """A layer's mean as a bar from the mean of all units, the farthest layer's filling its side, and in numbers."""
    half = PROFILE_WIDTH // 2
    value = row["value"]
    if value is None:
        return Text(" " * half + "│" + " " * half + "   n/a", "dim")
    length = round(half * abs(value - centre) / reach) if reach else 0
    bar = "━" * max(length - 1, 0) + "●" if length else ""
    warm = value >= centre
    style = f"color({scale.COLOURS[-2 if warm else 1]})" if coloured else ""
    left, right = ("", bar) if warm else (bar[::-1], "")
    line = Text.assemble((f"{left:>{half}}", style), "│", (f"{right:<{half}}", style), f" {value:4.2f}")
    if row["low"] is not None:
        line.append(f"  [{row['low']:.2f}, {row['high']:.2f}]", "dim")
    return line
