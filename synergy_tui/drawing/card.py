"""A claims card → text for a terminal, Markdown, or the objects of the command line's JSON."""

from __future__ import annotations

import textwrap
from typing import Any

from rich.text import Text

from synergy_tui.drawing import doubts
from synergy_tui.drawing.atlas import earlier, mark
from synergy_tui.drawing.tables import printable
from synergy_tui.terms import EXPLAINED, HETEROGENEOUS, INCONCLUSIVE, NOT_JUDGED, NOT_SUPPORTED, SUPPORTED

NARROW = 100
"""Columns below which a claim's verdict stands in a row of its own."""

Card = dict[str, Any]


def title(card: Card) -> str:
    """What the card is about."""
    run = card["run"]
    units = {"head": "heads"}.get(run["kind"], "units")
    parts = [
        f"{printable(run['name'])}",
        _geometry(run, units),
        f"{run['prompts']} prompts, {run['valid_prompts']} valid",
        f"{run['estimator']}·{run['redundancy']} τ{run['lag']}",
    ]
    return mark({"method": card["method"] or 1}) + " · ".join(parts)


def _geometry(run: dict[str, Any], units: str) -> str:
    """How many units there are in how many layers."""
    layers, per_layer = run["layers"], run["units_per_layer"]
    if (count := run.get("units") or layers * per_layer) == layers * per_layer:
        return f"{layers} × {per_layer} {units}"
    what = "groups" if run.get("deep") is False else "layers"
    return f"{count} {units} in {layers} {what}"


def too_old(card: Card) -> str:
    """What to think of a card that an earlier version of the method made; empty for others."""
    if not earlier({"method": card["method"] or 1}):
        return ""
    run = card["decomposition"]
    return (
        "This card was made by an earlier method, some of whose verdicts do not hold. Bring the run up to date, then "
        f"make the card: synergy-tui renew {run}"
    )


def draw(card: Card, width: int, plain: bool = False) -> list[Text]:
    """Lines of the card. plain: without colour."""
    style = "" if plain else "bold"
    lines = [Text(title(card), style), Text()]
    if said := too_old(card):
        lines = [*lines, *(Text(one) for one in textwrap.wrap(said, width - 1)), Text()]
    for name, claim in card["claims"].items():
        lines += _claim(name, claim, width, plain)
    lines.append(Text())
    told = f"doubts  {doubts_of(card).plain}"
    lines += [Text(one) for one in textwrap.wrap(told, max(width - 1, 40))]
    lines.append(Text(f"remake  {remake(card)}"))
    return lines


def doubts_of(card: Card) -> Text:
    """What speaks against the run."""
    return doubts.line(doubts.doubts(card["confounds"], card["run"].get("nulls") or ()))


def remake(card: Card) -> str:
    """The command that makes the card, or makes it anew."""
    more = "" if card["budget"] == 0.1 else f" --budget {card['budget']:g}"
    return f"synergy-tui claims {card['decomposition']} --seed {card['seed']}{more}"


SIGNS = {SUPPORTED: "●", EXPLAINED: "◐", HETEROGENEOUS: "◑", NOT_SUPPORTED: "✖", INCONCLUSIVE: "○"}
"""Signs of the verdicts: they are told without colour too."""


def verdict(claim: Card, short: bool = False) -> str:
    """A claim's verdict with its sign. short: in at most 17 columns."""
    words = "self-prediction" if short and claim["verdict"] == EXPLAINED else claim["verdict"]
    return f"{SIGNS[claim['verdict']]} {words}"


def _claim(name: str, claim: Card, width: int, plain: bool) -> list[Text]:
    colour = (
        "" if plain else {SUPPORTED: "green", EXPLAINED: "yellow", INCONCLUSIVE: "dim"}.get(claim["verdict"], "red")
    )
    lines = []
    if width >= NARROW:
        room = width - 2
        left = f"{name}  {claim['statement']}"
        lines.append(Text.assemble((f"{left:<62}", "" if plain else "bold"), (verdict(claim), colour)))
    else:
        room = width - 1
        lines.append(Text(f"{name}  {claim['statement']}", "" if plain else "bold"))
        lines.append(Text(f"    {verdict(claim)}", colour))
    told = [effect(claim), holds(claim), claim["told"] or ""]
    body = " · ".join(one for one in told if one)
    if lacking := missing(claim):
        body = f"{body} · {lacking}" if body else lacking
    if claim["against"]:
        body += f"{' · ' if body else ''}against: {', '.join(claim['against'])}"
    said = [body, definitions(claim)]
    return [
        *lines,
        *(Text(f"    {row}") for one in said if one for row in textwrap.wrap(printable(one), max(room - 4, 36))),
    ]


def missing(claim: Card) -> str:
    """What an inconclusive verdict lacks, or why the claim is not judged; empty for others."""
    lacking = claim["missing"] or ""
    return lacking if not lacking or lacking.startswith(NOT_JUDGED) else f"missing: {lacking}"


def effect(claim: Card, brief: bool = False) -> str:
    """The effect with its interval and what it is over; empty where it was not measured. brief: without these."""
    if claim["effect"] is None:
        return ""
    sign = _sign(claim)
    text = f"{claim['measure']} {claim['effect']:{sign}.3g}"
    if brief:
        return text
    if claim["low"] is not None:
        text += f" [{claim['low']:{sign}.3g}, {claim['high']:{sign}.3g}]"
    return text + (f", n {claim['n']}" if claim["n"] is not None else "")


def _sign(claim: Card) -> str:
    """How a number's format says whether it is above 0: of a ratio and of a ΔBIC that says nothing."""
    return "" if "×" in claim["measure"] or "BIC" in claim["measure"] else "+"


def definitions(claim: Card) -> str:
    """Under how many definitions of synergy it is supported, which these are, and what was not measured; empty where
    nothing was, and on cards of earlier versions."""
    of = claim.get("definitions") or ()
    if not of:
        return ""
    held, unmeasured = claim["definitions_held"], claim["unmeasured"]
    which = f": {', '.join(_by_atoms(held))}" if held else ""
    rest = f"; not measured: {', '.join(unmeasured)}" if unmeasured else ""
    return f"holds under {len(held)} of {len(of)} definitions{which}{rest}"


def _by_atoms(names: list[str]) -> list[str]:
    """gaussian·mmi excess, gaussian·mmi z → gaussian·mmi excess, z."""
    told, before = [], ""
    for name in names:
        atoms, _, ranking = name.rpartition(" ")
        told.append(ranking if atoms == before else name)
        before = atoms
    return told


def holds(claim: Card) -> str:
    """Under how many rankings it is supported."""
    return f"holds under {len(claim['holds_under'])} of {len(claim['of'])}" if claim["of"] else ""


def as_markdown(card: Card) -> str:
    """The card as a page."""
    head = ["", "claim", "effect", "95 % interval", "n", "holds under", "verdict"]
    lines = [
        f"# {title(card)}",
        "",
        *([too_old(card), ""] if too_old(card) else []),
        f"| {' | '.join(head)} |",
        "|" + "---|" * len(head),
    ]
    notes = []
    for name, claim in card["claims"].items():
        sign = _sign(claim)
        interval = "" if claim["low"] is None else f"[{claim['low']:{sign}.3g}, {claim['high']:{sign}.3g}]"
        effect = "" if claim["effect"] is None else f"{claim['measure']} {claim['effect']:{sign}.3g}"
        under = f"{', '.join(claim['holds_under']) or 'none'} of {len(claim['of'])}" if claim["of"] else ""
        count = "" if claim["n"] is None else str(claim["n"])
        cells = [name, claim["statement"], effect, interval, count, under, f"**{claim['verdict']}**"]
        lines.append("| " + " | ".join(cells) + " |")
        lacking = missing(claim)
        more = [claim["told"] or "", f"{lacking[0].upper()}{lacking[1:]}." if lacking else ""]
        more.append(f"{sentence[0].upper()}{sentence[1:]}." if (sentence := definitions(claim)) else "")
        more.append(f"Against: {', '.join(claim['against'])}." if claim["against"] else "")
        if said := " ".join(one if one.endswith(".") else f"{one}." for one in more if one):
            notes.append(f"- **{name}** {said}")
    told = doubts_of(card).plain
    return "\n".join([*lines, "", *notes, "", f"Doubts: {told}", "", f"Remake: `{remake(card)}`", ""])


def as_dict(card: Card) -> dict[str, Any]:
    """For JSON: an object of claims, each with its verdict, effect, interval and n."""
    return {
        name: {
            "verdict": claim["verdict"],
            "statement": claim["statement"],
            "effect": claim["effect"],
            "measure": claim["measure"],
            "interval": None if claim["low"] is None else [claim["low"], claim["high"]],
            **{key: claim[key] for key in ("n", "holds_under", "of", "missing", "told", "against")},
            **{key: claim.get(key) or [] for key in ("definitions_held", "definitions", "unmeasured")},
        }
        for name, claim in card["claims"].items()
    }
