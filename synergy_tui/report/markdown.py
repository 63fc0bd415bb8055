"""All that a report says → Markdown, its figures as SVG files beside it. Text of prompts and models is escaped, so that
it is never markup."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from synergy_tui import __version__
from synergy_tui.drawing.card import SIGNS as VERDICT_SIGNS
from synergy_tui.drawing.card import reserve, sealed, too_old
from synergy_tui.drawing.doubts import SIGNS as DOUBT_SIGNS
from synergy_tui.drawing.tables import printable
from synergy_tui.report.content import Content
from synergy_tui.report.page import claim_lines, contrasts, identity, measured
from synergy_tui.report.pictures import Picture

MOST_PROFILE = 200
"""Layers above which the profile is only in the figure."""

ENDS = 5
"""Units from each end of the ranking in the table of units."""


def inline(words: Any) -> str:
    """Words on one line that Markdown and HTML take as plain words, whoever wrote them."""
    one = " ".join(printable(line) for line in str(words).split("\n"))
    return re.sub(r"([\\`*_\[\]|~$])", r"\\\1", one).replace("&", "&amp;").replace("<", "&lt;")


def prose(words: str) -> str:
    """The same as a paragraph that does not begin a heading, list or quotation."""
    return re.sub(r"^(\s*)([#>+=-]|\d+(?=[.)]))", r"\1\\\2", inline(words))


def code(words: str) -> str:
    """A block of code, fenced by more backticks than it has in it."""
    inside = "\n".join(printable(line) for line in words.split("\n"))
    fence = "`" * max(3, *(len(one) + 1 for one in re.findall("`+", inside)), 3)
    return f"{fence}sh\n{inside}\n{fence}"


def markdown(content: Content, pictures: Sequence[Picture], folder: str) -> str:
    """The page. folder: where the figures are, as the page names it."""
    parts = [f"# {inline(content.title)}", prose(measured(content)), "## What it says"]
    parts += [prose(one) for one in content.reading]
    if (table := contrasts(content)).rows:
        parts += [f"{prose(table.title)}:", _table(table.columns, table.rows)]
    parts += ["## Doubts, the worst first"]
    parts += [
        "\n".join(f"- {DOUBT_SIGNS[one.level]} **{inline(one.text)}** {inline(why)}" for one, why in content.doubts)
    ]
    parts += ["## Claims of the literature", *_claims(content), "## Figures"]
    parts += [_figure(one, folder) for one in pictures]
    parts += ["## Units", f"The highest and the lowest in {content.ranking}:", _units(content)]
    parts += ["## Layers", _profile(content)] if _profile(content) else []
    parts += ["## Method", prose(content.method.paragraph)]
    parts += ["\n".join(f"{place}. {inline(one)}" for place, one in enumerate(content.method.sources, 1))]
    parts += [_table(["", ""], [*identity(content), *content.method.versions.items()])]
    parts += ["## Make it anew", *([prose(content.unknown_recipe)] if content.unknown_recipe else [])]
    parts += [code("\n".join([*content.recipe, f"synergy-tui report {content.decomposition} --markdown -o report.md"]))]
    parts += [f"Made by synergy-tui {__version__} of {prose(content.decomposition)}."]
    return "\n\n".join(parts) + "\n"


def _table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    lines = [columns, *rows]
    made = [f"| {' | '.join(inline('' if one is None else one) for one in line)} |" for line in lines]
    return "\n".join([made[0], "|" + "---|" * len(columns), *made[1:]])


def _claims(content: Content) -> list[str]:
    card = content.card
    if card is None:
        return ["This run has no claims card. This makes one:", code(f"synergy-tui claims {content.decomposition}")]
    items = [
        f"- **{name} {inline(one['statement'])}**: {VERDICT_SIGNS.get(one['verdict'], '○')} {inline(_judged(one))}. "
        f"{inline(' '.join(claim_lines(one)))}"
        for name, one in card["claims"].items()
    ]
    first, *deviations = sealed(card)
    told = [prose(f"{first[0].upper()}{first[1:]}.")]
    told += ["\n".join(f"- {inline(one.removeprefix('- '))}" for one in deviations)] if deviations else []
    return [*([prose(too_old(card))] if too_old(card) else []), *told, "\n".join(items)]


def _judged(claim: dict[str, Any]) -> str:
    """A verdict, with the reservation of an exploratory analysis."""
    return f"{claim['verdict']} ({said})" if (said := reserve(claim)) else str(claim["verdict"])


def _figure(picture: Picture, folder: str) -> str:
    if picture.missing:
        return f"No figure “{picture.kind}”: {prose(picture.missing)}"
    return f"![{inline(picture.alt)}](<{folder}/{picture.kind}.svg>)\n\n{prose(picture.caption)} `{picture.command}`"


def _units(content: Content) -> str:
    """The units at both ends of the ranking."""
    shown = content.scores[content.ranking].shown
    order = sorted((unit for unit in content.present if np.isfinite(shown[unit])), key=lambda unit: -shown[unit])
    some = order if len(order) <= 2 * ENDS else [*order[:ENDS], *order[-ENDS:]]
    names = [name for name in (content.ranking, "sts", "rtr", "excess", "q") if name in content.scores]

    def cell(name: str, unit: int) -> str:
        value = (content.scores[name].shown if name == content.ranking else content.scores[name].values)[unit]
        return f"{value:.3g}" if np.isfinite(value) else ""

    rows = [(content.naming.unit(unit), *(cell(name, unit) for name in names)) for unit in some]
    return _table(["unit", f"{names[0]}, scaled", *names[1:]], rows)


def _profile(content: Content) -> str:
    rows = content.run.profiles.get(content.ranking, [])
    if not rows or len(rows) > MOST_PROFILE:
        return ""

    def shown(value: float | None) -> str:
        return "" if value is None else f"{value:.3f}"

    cells = [
        (content.naming.layer(row["layer"]), *(shown(row[name]) for name in ("value", "low", "high"))) for row in rows
    ]
    return _table(["layer", f"mean {content.ranking}", "low", "high"], cells)
