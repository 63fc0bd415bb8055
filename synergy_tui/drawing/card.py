"""A claims card → text for a terminal, Markdown, or the objects of the command line's JSON."""

from __future__ import annotations

import json
import re
import textwrap
from typing import Any

from rich.text import Text

from synergy_tui.drawing import doubts
from synergy_tui.drawing.atlas import earlier, mark
from synergy_tui.drawing.tables import printable
from synergy_tui.terms import EXPLAINED, HETEROGENEOUS, INCONCLUSIVE, NOT_JUDGED, NOT_SUPPORTED, SUPPORTED

SURE = 0.05
"""The largest p_holm at which an exploratory claim of a sealed card counts as supported without reservation."""

Card = dict[str, Any]


def title(card: Card) -> str:
    """The title of the card."""
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
    """The numbers of layers and units."""
    layers, per_layer = run["layers"], run["units_per_layer"]
    if (count := run.get("units") or layers * per_layer) == layers * per_layer:
        return f"{layers} × {per_layer} {units}"
    what = "groups" if run.get("deep") is False else "layers"
    return f"{count} {units} in {layers} {what}"


def too_old(card: Card) -> str:
    """A warning on a card made by an earlier version of the method; empty for others."""
    if not earlier({"method": card["method"] or 1}):
        return ""
    run = card["decomposition"]
    return (
        "This card was made by an earlier method, some of whose verdicts do not hold. Bring the run up to date, then "
        f"make the card: synergy-tui renew {run}"
    )


def draw(card: Card, width: int, plain: bool = False) -> list[Text]:
    """Lines of the card. plain: without colour."""
    style, dim = ("", "") if plain else ("bold", "dim")
    lines = [Text(title(card), style)]
    lines += [Text(row, dim) for one in sealed(card) for row in textwrap.wrap(printable(one), max(width - 1, 40))]
    lines.append(Text())
    if said := too_old(card):
        lines = [*lines, *(Text(one) for one in textwrap.wrap(said, width - 1)), Text()]
    for name, claim in card["claims"].items():
        if said := group(name):
            lines += [Text(), Text(said, dim)]
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
    if card.get("plan_hash"):
        return f"synergy-tui claims {card['decomposition']} --plan plan.json"
    return f"synergy-tui claims {card['decomposition']} --seed {card['seed']}{more}"


def sealed(card: Card) -> list[str]:
    """Whether a plan existed before the data, and how the analysis differs from it."""
    if not card.get("plan_hash"):
        return ["no plan was sealed: every claim is judged at its own level, and nothing is corrected for their number"]
    own = [name for name, claim in card["claims"].items() if claim.get("role") == "primary"]
    head = f"sealed plan {card['plan_hash'][:12]}"
    if when := _sealed_at(card):
        head += f" of {when}"
    head += f"; primary: {', '.join(own)} by {card['ranking']}" if own else "; no primary analysis: another ranking"
    found = card.get("deviations") or []
    counted = f"{len(found)} deviation{'s' if len(found) != 1 else ''} from it" if found else "no deviation from it"
    return [f"{head}; {counted}", *(f"- {one}" for one in found)]


def _sealed_at(card: Card) -> str:
    """When the plan was sealed, as the plan states."""
    plan = card.get("plan")
    if isinstance(plan, str):
        try:
            plan = json.loads(plan)
        except ValueError:
            return ""
    return str(plan.get("sealed") or "")[:20] if isinstance(plan, dict) else ""


def sources(claim: Card) -> str:
    """The sources of a claim, with their versions; empty on cards of earlier versions."""
    return ", ".join(claim.get("source") or ())


def group(name: str) -> str:
    """The heading above the first claim of another version of the source; empty for others."""
    return GROUPS.get(name, "")


GROUPS = {"C8": "arXiv:2603.29735v2 has these in place of C2"}
"""The source's second version has geometry where its first has a transition."""


def reserve(claim: Card) -> str:
    """The note behind the verdict of an exploratory analysis; empty for others."""
    if claim.get("role") != "exploratory":
        return ""
    if claim["verdict"] != SUPPORTED:
        return "exploratory"
    corrected = claim.get("p_holm")
    return "exploratory, no p to correct" if corrected is None else f"exploratory, p_holm {corrected:.3f}"


def sure(claim: Card) -> bool:
    """Whether a supported claim needs no reservation: it is primary, no plan was sealed, or it remains after
    correction."""
    corrected = claim.get("p_holm")
    return claim.get("role") != "exploratory" or (corrected is not None and corrected <= SURE)


SIGNS = {SUPPORTED: "●", EXPLAINED: "◐", HETEROGENEOUS: "◑", NOT_SUPPORTED: "✖", INCONCLUSIVE: "○"}
"""Signs of the verdicts, which work without colour too."""


def verdict(claim: Card, short: bool = False) -> str:
    """A claim's verdict with its sign. short: in at most 17 columns."""
    words = claim["verdict"]
    if short and words == EXPLAINED:
        words = "self-prediction"
    elif short and words == SUPPORTED and not sure(claim):
        words = "exploratory"
    elif not short and (more := reserve(claim)):
        words = f"{words} ({more})"
    return f"{SIGNS[claim['verdict']]} {words}"


def colour(claim: Card) -> str:
    """The colour of a verdict."""
    if claim["verdict"] == SUPPORTED and not sure(claim):
        return "yellow"
    return {SUPPORTED: "green", EXPLAINED: "yellow", INCONCLUSIVE: "dim"}.get(claim["verdict"], "red")


def _claim(name: str, claim: Card, width: int, plain: bool) -> list[Text]:
    bold, dim, own = ("", "", "") if plain else ("bold", "dim", colour(claim))
    left, cited = f"{name}  {claim['statement']}", sources(claim)
    room = width - 1
    line = Text(left, bold)
    if cited and len(left) + 2 + len(cited) < width:
        line.append(f"  {cited}", dim)
        cited = ""
    lines = [line, Text(f"    {verdict(claim)}", own)]
    if cited:
        lines[-1].append(f"  {cited}", dim)
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
    """The effect with its interval and its sample; empty if it was not measured. brief: only the effect."""
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
    """The sign option of a number's format; for a ratio and a ΔBIC the sign says nothing."""
    return "" if "×" in claim["measure"] or "BIC" in claim["measure"] else "+"


def definitions(claim: Card) -> str:
    """Under how many and which definitions of synergy the claim is supported, and what was not measured; empty if
    nothing was measured, and on cards of earlier versions."""
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
    """Under how many rankings the claim is supported."""
    return f"holds under {len(claim['holds_under'])} of {len(claim['of'])}" if claim["of"] else ""


def as_markdown(card: Card) -> str:
    """The card as a page."""
    head = ["", "claim", "effect", "95 % interval", "n", "holds under", "verdict", "source"]
    first, *deviations = sealed(card)
    lines = [
        f"# {title(card)}",
        "",
        f"{first[0].upper()}{first[1:]}.",
        "",
        *([*(f"- {_escaped(one.removeprefix('- '))}" for one in deviations), ""] if deviations else []),
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
        judged = f"**{claim['verdict']}**" + (f" ({said})" if (said := reserve(claim)) else "")
        cells = [name, claim["statement"], effect, interval, count, under, judged, sources(claim)]
        lines.append("| " + " | ".join(cells) + " |")
        lacking = missing(claim)
        more = [claim["told"] or "", f"{lacking[0].upper()}{lacking[1:]}." if lacking else ""]
        more.append(f"{sentence[0].upper()}{sentence[1:]}." if (sentence := definitions(claim)) else "")
        more.append(f"Against: {', '.join(claim['against'])}." if claim["against"] else "")
        if said := " ".join(one if one.endswith(".") else f"{one}." for one in more if one):
            notes.append(f"- **{name}** {said}")
    told = doubts_of(card).plain
    return "\n".join([*lines, "", *notes, "", f"Doubts: {told}", "", f"Remake: `{remake(card)}`", ""])


def _escaped(text: str) -> str:
    """A text from a file, escaped for a page of Markdown."""
    return re.sub(r"([\\`*_\[\]|~$#])", r"\\\1", printable(text)).replace("&", "&amp;").replace("<", "&lt;")


def as_dict(card: Card) -> dict[str, Any]:
    """For JSON: an object of claims, each with its verdict, effect, interval and n; if a plan was sealed, also `plan`:
    its hash, when it was sealed, and the deviations from it."""
    found: dict[str, Any] = {
        name: {
            "verdict": claim["verdict"],
            "statement": claim["statement"],
            "effect": claim["effect"],
            "measure": claim["measure"],
            "interval": None if claim["low"] is None else [claim["low"], claim["high"]],
            **{key: claim[key] for key in ("n", "holds_under", "of", "missing", "told", "against")},
            **{key: claim.get(key) or [] for key in ("definitions_held", "definitions", "unmeasured", "source")},
            **{key: claim.get(key) for key in ("level", "p", "p_holm", "role")},
        }
        for name, claim in card["claims"].items()
    }
    if card.get("plan_hash"):
        when, deviations = _sealed_at(card), list(card.get("deviations") or [])
        found["plan"] = {"hash": card["plan_hash"], "sealed": when, "deviations": deviations}
    return found
