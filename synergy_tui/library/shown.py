"""Values → HTML for notebooks: self-contained, without scripts, every text escaped, and readable on light and on dark
backgrounds. Colours are attributes too, because untrusted notebooks drop styles."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from synergy_tui.drawing import atlas, scale
from synergy_tui.drawing.doubts import SIGNS, Doubt
from synergy_tui.drawing.tables import printable

if TYPE_CHECKING:
    from synergy_tui.store.run import Run
    from synergy_tui.units import Naming

MOST_TITLED = 1500
"""Most units in a map whose cells show name and value under the mouse: each takes 100 bytes."""

LONGEST = 300
"""Most characters of a text in a table."""

_NAME, _PROFILE, _LINE = 16, 150, 13
"""Characters of a layer's name; width of the profile and height of a line of text, in pixels."""


def text(value: Any) -> str:
    """A text as HTML shows it: none of its characters is markup, drives a terminal or reverses the direction of
    text."""
    return html.escape(printable(str(value)), quote=True)


def text_lines(lines: Iterable[str]) -> str:
    """Lines of text, one under the other."""
    return "\n".join(map(text, lines))


def page(*parts: str) -> str:
    """Parts of an output, with their style."""
    return f'<div class="synergy-tui">{_style()}{"".join(parts)}</div>'


def line(said: str) -> str:
    """A line of text."""
    return f"<p>{text(said)}</p>"


@cache
def _style() -> str:
    """Light and dark backgrounds. A page that states its kind, as Jupyter, VS Code and marimo do, overrides the
    system's preference."""
    light, dark = (scale.palette("truecolor", True, ground) for ground in (False, True))
    fills = "".join(
        f".synergy-tui .d{place}{{fill:light-dark({one},{other})}}"
        for place, (one, other) in enumerate(zip(light, dark, strict=True))
    )
    light, dark = (scale.palette("truecolor", False, ground) for ground in (False, True))
    fills += "".join(
        f".synergy-tui .m{place}{{fill:light-dark({one},{other})}}"
        for place, (one, other) in enumerate(zip(light, dark, strict=True))
    )

    def scheme(words: Iterable[str], kind: str) -> str:
        return f"{','.join(f'{word} .synergy-tui' for word in words)}{{color-scheme:{kind}}}"

    return (
        "<style>.synergy-tui{color-scheme:light dark}"
        + scheme(('[data-jp-theme-light="true"]', ".vscode-light", ".light"), "light")
        + scheme(('[data-jp-theme-light="false"]', ".vscode-dark", ".dark"), "dark")
        + ".synergy-tui p,.synergy-tui ul{margin:.3em 0}.synergy-tui ul{list-style:none;padding-left:0}"
        ".synergy-tui table{border-collapse:collapse;color:inherit}"
        ".synergy-tui td,.synergy-tui th{padding:1px 8px;text-align:left;color:inherit;background:none;"
        "border-bottom:1px solid #8885}.synergy-tui td.n,.synergy-tui th.n{text-align:right;"
        "font-variant-numeric:tabular-nums}.synergy-tui .a{fill:currentColor}.synergy-tui .l0{font-weight:bold}"
        f"{fills}</style>"
    )


def table(rows: Sequence[dict[str, Any]], columns: Sequence[str], count: int) -> str:
    """Rows as a table; they are the first of `count`."""
    numbers = {name for name in columns if rows and all(isinstance(row[name], int | float | None) for row in rows)}
    if not columns:
        return line("no columns")

    def cell(tag: str, name: str, shown: str) -> str:
        return f'<{tag} class="n">{shown}</{tag}>' if name in numbers else f"<{tag}>{shown}</{tag}>"

    head = "".join(cell("th", name, text(name)) for name in columns)
    body = "".join(f"<tr>{''.join(cell('td', name, _cell(row[name])) for name in columns)}</tr>" for row in rows)
    more = line(f"{len(rows):,} of {count:,} rows") if count > len(rows) else ""
    return (
        f"<div style='overflow-x:auto'><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>{more}"
    )


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6g}"
    said = str(value)
    return text(said if len(said) <= LONGEST else f"{said[:LONGEST]}…")


def doubts(found: Sequence[Doubt]) -> str:
    """What speaks against a run, the worst first."""
    told = "".join(f'<li class="l{one.level}">{SIGNS[one.level]} {text(one.text)}</li>' for one in found)
    return f"<ul>{told}</ul>"


def run(found: Run, ranking: str, naming: Naming, against: Sequence[Doubt]) -> str:
    """A run in one of its scores: the map, the profile of a ranking beside it, their reading, the doubts."""
    after = []
    if ranking in found.contrasts:
        after = [one.plain for one in atlas.reading(atlas.Atlas(found, ranking))]
    said = atlas.title(found.row, False).plain
    return page(line(said), _map(found, ranking, naming), *map(line, after), doubts(against))


def _map(found: Run, ranking: str, naming: Naming) -> str:
    """The map as a picture."""
    score = found.scores[ranking]
    layers, units = found.shape
    colour, values = score.colour().reshape(found.shape), score.shown.reshape(found.shape)
    diverging = score.centre is not None
    colours = scale.palette("truecolor", diverging, False)
    side = max(4, min(16, 900 // max(units, 1), 640 // max(layers, 1)))
    names = [naming.layer(layer)[:_NAME] for layer in range(layers)]
    left, top = 8 + 7 * max(map(len, names)), 2 * _LINE + 8
    profile = {one["layer"]: one for one in found.profiles.get(ranking, ())}
    right = left + units * side
    width, height = max(right + (_PROFILE + 60 if profile else 10), 560), top + layers * side + 6
    kind, unit_of = "d" if diverging else "m", f" {score.unit}" if score.unit else ""
    by_step: dict[int, list[tuple[int, int]]] = {}
    for layer, unit in np.argwhere(np.isfinite(colour)).tolist():
        by_step.setdefault(scale.step(float(colour[layer, unit]), len(colours)), []).append((layer, unit))
    drawn = []
    for step, places in sorted(by_step.items()):
        if layers * units > MOST_TITLED:
            path = "".join(f"M{left + u * side} {top + r * side}h{side}v{side}h-{side}z" for r, u in places)
            drawn.append(f'<path class="{kind}{step}" fill="{colours[step]}" d="{path}"/>')
            continue
        cells = "".join(
            f'<rect x="{left + u * side}" y="{top + r * side}" width="{side}" height="{side}"><title>'
            f"{text(naming.unit(r * units + u))} {values[r, u]:.4g}{unit_of}</title></rect>"
            for r, u in places
        )
        drawn.append(f'<g class="{kind}{step}" fill="{colours[step]}">{cells}</g>')
    every = max(1, -(-_LINE // side))
    labels = [
        _text(left - 4, top + layer * side + side / 2 + 4, names[layer], "end") for layer in range(0, layers, every)
    ]
    across = max(1, -(-22 // side))
    labels += [_text(left + unit * side + side / 2, top - 4, str(unit), "middle") for unit in range(0, units, across)]
    told = f"{score.name}{', scaled' if score.kind == 'ranking' else unit_of and f', {score.unit}'}"
    told += "; points: layer means with 95 % intervals" if profile else ""
    parts = [_legend(told, score.known, score.kind, kind, colours), *labels, *drawn]
    if profile:
        parts.append(_profile(profile, right + 12, top, side, layers, colours))
    return (
        f'<svg class="a" xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} '
        f'{height}" font-size="11" font-family="sans-serif" fill="#808080" role="img" '
        f'aria-label="{text(ranking)} of {layers} layers and {units} units">{"".join(parts)}</svg>'
    )


def _text(x: float, y: float, said: str, anchor: str = "start") -> str:
    return f'<text class="a" x="{x:g}" y="{y:g}" text-anchor="{anchor}">{text(said)}</text>'


def _legend(told: str, known: np.ndarray, kind: str, prefix: str, colours: Sequence[str]) -> str:
    """The scale from left to right, between its end values."""
    ends = ("redundant", "synergistic") if kind == "ranking" else ("no value", "")
    if kind != "ranking" and len(known):
        ends = (f"{known.min():.3g}", f"{known.max():.3g}")
    x = 8 + 7 * len(ends[0])
    strip = "".join(
        f'<rect class="{prefix}{step}" fill="{colours[step]}" x="{x + place * 4}" y="3" width="4" height="10"/>'
        for place, step in enumerate(np.linspace(0, len(colours) - 1, 24).astype(int).tolist())
    )
    return f"{_text(4, 12, ends[0])}{strip}{_text(x + 100, 12, f'{ends[1]} · {told}')}"


def _profile(
    rows: dict[int, dict[str, Any]], x: float, top: float, side: int, layers: int, colours: Sequence[str]
) -> str:
    """The layers' means as points with their intervals, a line for each layer, on a common scale."""
    ends = [one[name] for one in rows.values() for name in ("value", "low", "high") if one[name] is not None]
    if not ends:
        return ""
    low, span = min(ends), (max(ends) - min(ends)) or 1.0

    def place(value: float) -> float:
        return round(x + (value - low) / span * _PROFILE, 1)

    out = [_text(x, top - 4, f"{low:.2f}"), _text(x + _PROFILE, top - 4, f"{low + span:.2f}", "end")]
    for layer in range(layers):
        one = rows.get(layer)
        if one is None or one["value"] is None:
            continue
        y = top + layer * side + side / 2
        if one["low"] is not None:
            out.append(
                f'<rect class="a" fill-opacity=".4" x="{place(one["low"])}" y="{y - 0.5:g}" '
                f'width="{round(place(one["high"]) - place(one["low"]), 1)}" height="1"/>'
            )
        out.append(
            f'<circle class="a" cx="{place(one["value"])}" cy="{y:g}" r="{min(3.0, side / 3):g}"><title>layer {layer} '
            f"{one['value']:.3f}</title></circle>"
        )
    return "".join(out)
