"""All that a report says → one file of HTML that needs nothing else. Text of prompts, models and users is escaped
wherever it goes, and the page's policy runs no script except its own."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from typing import Any
from urllib.parse import quote

import numpy as np
from rich.color import Color

from synergy_tui import __version__
from synergy_tui.drawing import scale
from synergy_tui.drawing.card import SIGNS as VERDICT_SIGNS
from synergy_tui.drawing.card import definitions, effect, group, holds, missing, reserve, sealed, sources, too_old
from synergy_tui.drawing.doubts import SIGNS as DOUBT_SIGNS
from synergy_tui.drawing.tables import printable
from synergy_tui.report.content import MANY, Content
from synergy_tui.report.method import counted
from synergy_tui.report.pictures import Picture
from synergy_tui.report.tables import Table, as_csv
from synergy_tui.terms import EXPLAINED, INCONCLUSIVE, NOT_SUPPORTED, SUPPORTED, TESTS

LEVELS = ("grave", "notable", "missing", "slight")
"""CSS classes of doubts, by their level."""

VERDICTS = {SUPPORTED: "supported", EXPLAINED: "explained", NOT_SUPPORTED: "against", INCONCLUSIVE: "open"}
"""CSS classes of verdicts."""


def page(content: Content, pictures: Sequence[Picture]) -> str:
    """The whole file."""
    css, script = _source("page.css"), _source("page.js")
    policy = (
        f"default-src 'none'; style-src 'sha256-{_hash(css)}'; script-src 'sha256-{_hash(script)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    sections = _sections(content, pictures)
    links = "".join(f'<li><a href="#{name}">{title}</a></li>' for name, title, body in sections if body)
    body = "".join(
        f'<section id="{name}" aria-labelledby="{name}-title"><h2 id="{name}-title">{title}</h2>{text}</section>'
        for name, title, text in sections
        if text
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<meta name="generator" content="synergy-tui {escape(__version__)}">
<title>{text(content.title)}</title>
<link rel="icon" href="data:,">
<style>{css}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
<header>
<h1>{text(content.title)}</h1>
{_lead(content)}
<nav aria-label="Contents"><ul>{links}</ul></nav>
</header>
<main id="main" tabindex="-1">
{body}
</main>
<footer><p>{_footer(content)}</p></footer>
<script type="application/json" id="numbers">{as_script(_data(content))}</script>
<script>{script}</script>
</body>
</html>
"""


def text(words: Any) -> str:
    """Text for HTML: escaped, with control characters and marks of text direction made visible."""
    return escape("\n".join(printable(line) for line in str(words).split("\n")), quote=True)


def as_script(value: Any) -> str:
    """JSON that can stand in a script element: nothing in it can end the element or a line of JavaScript."""
    made = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for sign in "<>&\u2028\u2029":
        made = made.replace(sign, f"\\u{ord(sign):04x}")
    return made


def _source(name: str) -> str:
    return files("synergy_tui.report").joinpath(name).read_text("utf-8").strip()


def _hash(source: str) -> str:
    return base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()


def _sections(content: Content, pictures: Sequence[Picture]) -> list[tuple[str, str, str]]:
    """(id, title, HTML) of the sections, in their order; empty ones are left out."""
    figures = {one.kind: one for one in pictures}
    claims = figures.pop("claims", None)
    return [
        ("says", "What it says", _says(content)),
        ("doubts", "Doubts, the worst first", _doubts(content)),
        ("claims", "Claims of the literature", _claims(content) + (_figure(claims) if content.card and claims else "")),
        ("units", "Map", _map(content) + _figure(figures.pop("map", None))),
        ("tokens", "Token by token", _tokens(content)),
        ("figures", "Figures", "".join(map(_figure, figures.values()))),
        ("method", "Method", _method(content)),
        ("data", "Data", _downloads(content)),
        ("remake", "Make it anew", _remake(content)),
    ]


def measured(content: Content) -> str:
    """What was measured, in one sentence of plain text."""
    row, capture = content.run.row, content.capture
    estimator = {"gaussian": "Gaussian"}.get(row["estimator"], row["estimator"])
    sample = "The sample result that ships with synergy-tui. " if content.sample else ""
    word = content.units_word
    where = counted(row["layers"], "group" if content.naming.groups else "layer")
    return (
        f"{sample}{counted(len(content.present), word[:-1], word)} in {where}, {capture['valid_prompts']} of "
        f"{counted(capture['prompts'], 'prompt')} ({row['tasks']}), up to {counted(capture['steps'], 'step')} each; "
        f"{estimator} ΦID with "
        f"{row['redundancy'].upper()} redundancy at lag {row['lag']}, ranked by {content.ranking}."
    )


def _lead(content: Content) -> str:
    return f'<p class="lead">{text(measured(content))}</p>'


def _says(content: Content) -> str:
    sentences = "".join(f"<p>{text(one)}</p>" for one in content.reading)
    table = contrasts(content)
    if not table.rows:
        return sentences
    head = "".join(f'<th scope="col">{text(name)}</th>' for name in table.columns)
    rows = "".join(
        f'<tr><th scope="row">{text(row[0])}</th>{"".join(f"<td>{text(one)}</td>" for one in row[1:])}</tr>'
        for row in table.rows
    )
    return sentences + (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{text(table.title)}"><table class="numbers">'
        f"<caption>{text(table.title)}</caption><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def contrasts(content: Content) -> Table:
    """The contrast of every ranking, and its excess over the surrogates of each null, in words."""
    run = content.run
    nulls = sorted({name for tests in run.tests.values() for name in tests})
    rows = []
    for ranking in content.scores:
        if ranking not in run.contrasts or run.contrasts[ranking]["contrast"] is None:
            continue
        found = run.contrasts[ranking]
        cells = [_between(found["contrast"], found["low"], found["high"])]
        for null in nulls:
            test = run.tests.get(ranking, {}).get(null)
            cells.append(_between(test["difference"], test["low"], test["high"]) if test else "")
        rows.append((ranking, *cells))
    title = "Middle layers minus the others, on the scale of each ranking; 95 % intervals"
    if compared := run.row.get("compared"):
        title = f"Groups {compared.replace(':', ' minus ')}, on the scale of each ranking; 95 % intervals"
    return Table("contrasts", title, ["ranking", "contrast", *(f"minus {one}" for one in nulls)], rows)


def _between(value: float | None, low: float | None, high: float | None) -> str:
    if value is None:
        return ""
    return f"{value:+.2f}" if low is None or high is None else f"{value:+.2f} [{low:+.2f}, {high:+.2f}]"


def _doubts(content: Content) -> str:
    items = "".join(
        f'<li class="{LEVELS[one.level]}"><span class="sign" aria-hidden="true">{DOUBT_SIGNS[one.level]}</span>'
        f"<strong>{text(_begun(one.text))}.</strong> {text(why)}</li>"
        for one, why in content.doubts
    )
    key = "✖ grave, ▲ notable, ○ not measured, · slight"
    return f'<ul class="doubts">{items}</ul><p class="note">{key}: {_thresholds()}</p>'


def _thresholds() -> str:
    return "a correlation is notable from 0.5 and grave from 0.7, an agreement below 0.6 and below 0.3."


def _begun(words: str) -> str:
    return words[:1].upper() + words[1:]


def _claims(content: Content) -> str:
    card = content.card
    if card is None:
        command = f"synergy-tui claims {content.decomposition}"
        return f"<p>This run has no claims card. This makes one:</p><pre>{text(command)}</pre>"
    old = f"<p><strong>{text(too_old(card))}</strong></p>" if too_old(card) else ""
    first, *deviations = sealed(card)
    plan = f'<p class="note">{text(_begun(first))}.</p>'
    if deviations:
        items = "".join(f"<li>{text(one.removeprefix('- '))}</li>" for one in deviations)
        plan += f"<ul>{items}</ul>"
    return old + plan + f'<ol class="claims">{"".join(_claim(name, one) for name, one in card["claims"].items())}</ol>'


def claim_lines(claim: dict[str, Any]) -> list[str]:
    """What a card says about a claim besides its verdict, as sentences."""
    against = f"against: {', '.join(claim['against'])}" if claim["against"] else ""
    cited = f"claimed in {sources(claim)}" if sources(claim) else ""
    said = [effect(claim), holds(claim), claim["told"] or "", missing(claim), against, definitions(claim), cited]
    return [f"{_begun(one)}." if not one.endswith(".") else _begun(one) for one in said if one]


def _claim(name: str, claim: dict[str, Any]) -> str:
    verdict = claim["verdict"]
    lines = " ".join(claim_lines(claim))
    above = f'<p class="note">{text(said)}</p>' if (said := group(name)) else ""
    more = f" ({said})" if (said := reserve(claim)) else ""
    return (
        f'<li class="{VERDICTS.get(verdict, "open")}"><span class="sign" aria-hidden="true">'
        f"{VERDICT_SIGNS.get(verdict, '○')}</span>{above}<h3>{text(name)} {text(claim['statement'])}</h3>"
        f'<p class="verdict">{text(_begun(verdict) + more)}</p><p>{text(lines)}</p></li>'
    )


def _map(content: Content) -> str:
    groups: dict[str, list[str]] = {"Rankings": [], "Atoms": [], "Measures": [], "Tests": []}
    for name, score in content.scores.items():
        kind = "Rankings" if score.kind == "ranking" else "Atoms" if score.kind == "atom" else "Measures"
        groups["Tests" if name in TESTS else kind].append(f"<option>{text(name)}</option>")
    options = "".join(f'<optgroup label="{label}">{"".join(some)}</optgroup>' for label, some in groups.items() if some)
    few = f'<p class="note">With more than {MANY:,} units this report holds only the main scores.</p>'
    return f"""<noscript><p>The map and the tokens need JavaScript; figures and data do not.</p></noscript>
<div class="interactive">
<div class="choices"><label>Score <select id="score">{options}</select></label></div>
<p id="meaning" class="note"></p>
<div class="legend" id="legend"></div>
<output id="unit" for="score" aria-live="polite"></output>
<div id="map" class="scroll"></div>
<p class="keys note"><kbd>←</kbd> <kbd>↑</kbd> <kbd>↓</kbd> <kbd>→</kbd> move over the units, <kbd>Home</kbd> and
<kbd>End</kbd> along a layer, <kbd>Page Up</kbd> and <kbd>Page Down</kbd> to the first and the last.</p>
{few if content.abridged else ""}</div>"""


def _tokens(content: Content) -> str:
    found = content.tokens
    if not found.responses:
        return f"<p>{text(found.missing)}</p>"
    prompts = "".join(
        f'<option value="{place}">{text(_short(f"{one.prompt} {one.category}: {one.asked or one.name}"))}</option>'
        for place, one in enumerate(found.responses)
    )
    units = "".join(
        f'<option value="{unit}">{text(content.naming.unit(unit))} ({text(_where(content, unit))})</option>'
        for unit in found.units
    )
    return f"""<p>Each token has the colour of the local synergy, or redundancy, of one unit with all its partners at
that step. One response is one draw: a peak at a word is a place to look, not a finding.</p>
<div class="choices"><label>Response <select id="prompt">{prompts}</select></label>
<label>Unit <select id="of">{units}</select></label>
<label>Atom <select id="atom"><option value="sts">synergy (sts)</option><option value="rtr">redundancy (rtr)</option>
</select></label></div>
<h3>Asked</h3><p id="asked" class="asked" dir="auto" tabindex="0" role="region" aria-label="What was asked"></p>
<h3>Answered</h3><p id="words" dir="auto" tabindex="0" role="group"
aria-label="The response, token by token; arrow keys move"></p>
<div class="legend" id="tokenlegend"></div>
<p class="keys note"><kbd>←</kbd> and <kbd>→</kbd> move from token to token.</p>
<output id="token" for="prompt of atom" aria-live="polite"></output><p id="why" class="note"></p>"""


def _where(content: Content, unit: int) -> str:
    """A unit's place in the ranking."""
    shown = content.scores[content.ranking].shown
    known = shown[np.isfinite(shown)]
    return f"{int((known > shown[unit]).sum()) + 1} of {len(known)} in {content.ranking}"


def _short(words: str, most: int = 70) -> str:
    one = " ".join(words.split())
    return one if len(one) <= most else f"{one[: most - 1]}…"


def _figure(picture: Picture | None) -> str:
    if picture is None:
        return ""
    title = _begun(picture.kind)
    if picture.missing:
        return f'<figure><p class="quiet">No figure “{text(picture.kind)}”: {text(picture.missing)}</p></figure>'
    dark = ""
    if picture.dark:
        dark = f'<source media="screen and (prefers-color-scheme: dark)" srcset="{_image(picture.dark)}">'
    return (
        f'<figure><div class="scroll" role="region" tabindex="0" aria-label="{text(title)}"><picture>{dark}'
        f'<img src="{_image(picture.light)}" alt="{text(picture.alt)}"></picture></div>'
        f"<figcaption><strong>{text(title)}.</strong> {text(picture.caption)} <code>{text(picture.command)}</code>"
        "</figcaption></figure>"
    )


def _image(svg: str) -> str:
    """An address that holds the figure, in the shorter of two spellings."""
    quoted = f"data:image/svg+xml,{quote(svg, safe=SPELLED)}"
    encoded = f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"
    return min(quoted, encoded, key=len)


SPELLED = "/:;=+,!$()*@?"
"""Signs that need no escape in such an address, in an attribute and in a list of addresses."""


def _method(content: Content) -> str:
    found = content.method
    sources = "".join(f"<li>{text(one)}</li>" for one in found.sources)
    versions = "".join(f"<dt>{text(name)}</dt><dd>{text(one)}</dd>" for name, one in found.versions.items())
    facts = "".join(f"<dt>{text(name)}</dt><dd>{text(one)}</dd>" for name, one in identity(content))
    return (
        f'<p class="note">For a paper, as it is or shortened:</p><p id="paragraph">{text(found.paragraph)}</p>'
        f"<h3>Sources</h3><ol>{sources}</ol><h3>What it is</h3><dl>{facts}</dl><h3>Versions</h3><dl>{versions}</dl>"
    )


def identity(content: Content) -> list[tuple[str, str]]:
    """Ids and hashes that identify the results."""
    row, capture = content.run.row, content.capture
    return [
        ("decomposition", row["decomposition"]),
        ("capture", row["capture"]),
        ("subject", capture["subject"]),
        ("prompts (SHA-256)", capture["tasks_hash"] or "not known"),
        ("made", f"{row['created']:%Y-%m-%d %H:%M} UTC" if row.get("created") else "not known"),
        ("method", f"version {row['method']}"),
        *((("card", content.card["card"]),) if content.card else ()),
    ]


def _downloads(content: Content) -> str:
    items = []
    for table in content.tables:
        made = base64.b64encode(as_csv(table.columns, table.rows).encode()).decode()
        name = f"{content.decomposition}-{table.name}.csv"
        size = f"{counted(len(table.rows), 'row')}, {counted(len(table.columns), 'column')}"
        items.append(
            f'<li><a download="{text(name)}" href="data:text/csv;charset=utf-8;base64,{made}">{text(name)}</a> '
            f'{text(table.title)} <span class="quiet">({size})</span></li>'
        )
    note = (
        "CSV with nine digits; a missing value is an empty field. An apostrophe stands before text that a spreadsheet "
        "would take for a formula."
    )
    return f'<ul>{"".join(items)}</ul><p class="note">{note}</p>'


def _remake(content: Content) -> str:
    report = f"synergy-tui report {content.decomposition} -o report.html"
    if content.sample:
        report = "synergy-tui report --sample -o report.html"
    lines = "\n".join([*content.recipe, report])
    unknown = f"<p>{text(content.unknown_recipe)}.</p>" if content.unknown_recipe else ""
    return f"{unknown}<pre>{text(lines)}</pre>"


def _footer(content: Content) -> str:
    return (
        f"Made by synergy-tui {text(__version__)} of {text(content.decomposition)}. This file needs no network and "
        "sends nothing; the texts of prompts and responses are in it."
    )


def _data(content: Content) -> dict[str, Any]:
    """The data that the script draws."""
    naming, present = content.naming, list(content.present)
    return {
        "map": {
            "layers": [printable(naming.layer(layer)) for layer in range(naming.layers)],
            "groups": bool(naming.groups),
            "perLayer": naming.per_layer,
            "present": present,
            "place": {str(unit): place for place, unit in enumerate(present)},
            "names": {str(unit): printable(name) for unit, name in naming.names.items()},
            "scores": {name: _score(content, name) for name in content.scores},
            "tests": list(TESTS),
        },
        "tokens": {
            "responses": [
                {
                    "asked": _lines(one.asked),
                    "pieces": [_lines(piece) for piece in one.pieces],
                    "words": one.words,
                    "cut": one.cut,
                    "why": {str(unit): printable(said) for unit, said in one.why.items()},
                    "sts": {str(unit): _numbers(values, 4) for unit, values in one.sts.items()},
                    "rtr": {str(unit): _numbers(values, 4) for unit, values in one.rtr.items()},
                }
                for one in content.tokens.responses
            ],
        },
        "colours": {
            name: {ground: _palette(diverging, ground == "dark") for ground in ("light", "dark")}
            for name, diverging in (("diverging", True), ("more", False))
        },
    }


def _lines(words: str) -> str:
    return "\n".join(printable(line) for line in words.split("\n"))


def _score(content: Content, name: str) -> dict[str, Any]:
    score, present = content.scores[name], list(content.present)
    known = score.known
    out: dict[str, Any] = {
        "kind": score.kind,
        "unit": score.unit,
        "meaning": content.meanings[name],
        "diverging": score.centre is not None,
        "value": _numbers(score.values[present], 5),
        "ends": _ends(score.centre, known),
    }
    if score.kind == "ranking":
        out["shown"] = _numbers(score.shown[present], 4)
    if np.isfinite(score.low).any():
        out |= {"low": _numbers(score.low[present], 4), "high": _numbers(score.high[present], 4)}
    return out


def _ends(centre: float | None, known: np.ndarray) -> list[float | None]:
    """The values at both ends of the colours."""
    if not len(known):
        return [None, None]
    if centre is None:
        return [float(known.min()), float(known.max())]
    reach = float(np.abs(known - centre).max())
    return [centre - reach, centre + reach]


def _numbers(values: np.ndarray, digits: int) -> list[float | None]:
    """Numbers of so many digits; None where there is no value."""
    return [float(f"{one:.{digits}g}") if math.isfinite(one) else None for one in values.tolist()]


def _palette(diverging: bool, dark: bool) -> dict[str, Any]:
    """Colours, and for each whether black text is readable on it."""
    colours = scale.palette("truecolor", diverging, dark)
    return {
        "colours": colours,
        "ink": "".join("1" if scale.ink_on(Color.parse(one)) == "#000000" else "0" for one in colours),
    }
