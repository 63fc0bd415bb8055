"""Many cards → the table of an atlas, their joint analysis, their profiles in one plot, pairs of models, and the
objects of the command line's JSON. The forest is in forest.py."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from rich.text import Text

from synergy_tui.drawing.card import SIGNS
from synergy_tui.drawing.plots import Line, Look, plot
from synergy_tui.drawing.tables import printable
from synergy_tui.terms import CLAIMS, RANKINGS

if TYPE_CHECKING:
    from synergy_tui.analysis.meta import Group, Meta
    from synergy_tui.analysis.universality import Universal
    from synergy_tui.store.atlas import AtlasCard, AtlasClaim
    from synergy_tui.store.atlas_pairs import Pair

FULL, BRIEF, ALONE = "interval", "effect", "verdict"
"""How much a cell of the table shows: everything, the verdict with the effect, or the verdict's sign."""


def sized(parameters: int | None) -> str:
    """135M, 1.7B."""
    if parameters is None:
        return ""
    for letter, unit in (("B", 1e9), ("M", 1e6), ("k", 1e3)):
        if parameters >= unit:
            return f"{parameters / unit:.3g}{letter}"
    return str(parameters)


def rows(cards: Sequence[AtlasCard], how: str = FULL) -> list[dict[str, Any]]:
    """A row per card: what it is about, and a cell per claim. Columns in which all cards have the same known value are
    left out, except for the subject, its family and its size."""
    out = []
    for one in cards:
        row: dict[str, Any] = {"subject": printable(one.subject), "family": printable(one.family or "")}
        row |= {"size": sized(one.parameters), "layers": one.layers, "kind": one.kind, "tuned": one.tuned or ""}
        row |= {"weights": one.weights, "ranking": one.ranking, "definition": one.definition, "method": one.method}
        row |= {"plan": plan(one), "from": "" if one.origin is None else printable(one.origin)[:8]}
        out.append(row | {name: cell(one.claims.get(name), how) for name in CLAIMS})
    alike = [
        name
        for name in ("kind", "tuned", "weights", "ranking", "definition", "method", "plan", "from")
        if len({row[name] for row in out}) < 2
    ]
    return [{key: value for key, value in row.items() if key not in alike} for row in out]


def plan(card: AtlasCard) -> str:
    """Whether a card was made by a sealed plan."""
    if card.plan_hash is None:
        return ""
    count = card.deviations or 0
    return "sealed" if not count else f"sealed, {count} deviation{'s' if count > 1 else ''}"


def cell(claim: AtlasClaim | None, how: str = FULL) -> str:
    """● +0.31 [+0.20, +0.42]"""
    if claim is None:
        return ""
    text = SIGNS.get(claim.verdict, "○")
    if how == ALONE or not math.isfinite(claim.effect):
        return text
    sign = "" if "×" in claim.measure or "BIC" in claim.measure else "+"
    text += f" {claim.effect:{sign}.2f}"
    if how == FULL and math.isfinite(claim.low):
        text += f" [{_end(claim.low, sign)}, {_end(claim.high, sign)}]"
    return text


def _end(value: float, sign: str) -> str:
    """An end of an interval. Control sets hardly bound some ratios, whose digits would mean nothing."""
    if sign or abs(value) < 100:
        return f"{value:{sign}.2f}"
    return f"{value:.0f}" if abs(value) < 1000 else ">1000"


LEGEND = " · ".join(f"{sign} {verdict}" for verdict, sign in SIGNS.items())
"""The meaning of the signs."""

ORDERS = ("subject", "family", "size", "layers", "made", *CLAIMS)
"""Keys to sort cards by; a claim sorts by its effect."""


def sort(cards: Sequence[AtlasCard], by: str) -> list[AtlasCard]:
    """Cards in this order, unknown values last; effects and dates the largest first."""

    def value(one: AtlasCard) -> Any:
        if by in CLAIMS:
            effect = one.claims[by].effect if by in one.claims else math.nan
            return None if math.isnan(effect) else -effect
        if by == "made":
            return None if one.made is None else -one.made.timestamp()
        return {"subject": one.subject.lower(), "family": one.family, "size": one.parameters, "layers": one.layers}[by]

    known = [one for one in cards if value(one) is not None]
    return sorted(known, key=value) + [one for one in cards if value(one) is None]


def together(cards: Sequence[AtlasCard]) -> list[dict[str, Any]]:
    """A row per claim that some card has: the mean over models, heterogeneity, the prediction for another model, and
    C7; for the largest group of cards that can be pooled, with the number of other cards."""
    from synergy_tui.analysis import meta
    from synergy_tui.analysis.universality import universality

    out = []
    for claim in CLAIMS:
        if not (groups := meta.groups(cards, claim)):
            continue
        first = groups[0]
        found = universality(first)
        row: dict[str, Any] = {"claim": claim, "models": len(first.known), "mean": "", "I²": "", "another model": ""}
        row |= {"C7": f"{SIGNS.get(found.verdict, '○')} {found.verdict}", "kept apart": len(groups) - 1 or None}
        if first.result is not None:
            sign = "" if first.ratio else "+"
            one, (low, high) = first.result, first.result.predicted
            row["mean"] = (
                f"{'×' if first.ratio else ''}{one.effect:{sign}.2f} [{one.low:{sign}.2f}, {one.high:{sign}.2f}]"
            )
            row["I²"] = f"{one.i2:.0%}"
            row["another model"] = f"[{low:{sign}.2f}, {high:{sign}.2f}]"
        else:
            row["mean"] = "none" if first.known else "not measured"
        out.append(row)
    if not any(row["kept apart"] for row in out):
        out = [{key: value for key, value in row.items() if key != "kept apart"} for row in out]
    return out


def heterogeneity(group: Group) -> list[str]:
    """Sentences on a meta-analysis beyond its mean, or on why there is none."""
    found = group.result
    if found is None:
        return [f"No meta-analysis: {group.why}."]
    tau = f"τ {found.tau:.3g}{' of logarithms' if group.ratio else ''}"
    families = f"{found.families} famil{'y' if found.families == 1 else 'ies'}"
    told = [
        f"Random effects over {found.models} models of {families}, 95 % intervals: {tau}, I² {found.i2:.0%}, "
        f"Q {found.q:.1f} on {found.freedom} (p {'< 0.001' if found.p < 0.001 else f'{found.p:.3f}'})."
    ]
    if math.isfinite(found.without[0]):
        told.append(f"With any one family left out the mean is {found.without[0]:.3g} to {found.without[1]:.3g}.")
    return told


def universal(found: Universal) -> list[str]:
    """Sentences on C7 over one claim."""
    first = f"C7 over {found.claim}: {SIGNS.get(found.verdict, '○')} {found.verdict}"
    first += f". Missing: {found.missing}." if found.missing else "."
    told = found.told
    return [first, f"{told[0].upper()}{told[1:]}."] if told else [first]


COLOURS = (208, 32, 213, 109, 178, 71, 246, 141)

FEW = 8
"""Most profiles that are coloured by subject; more are coloured by family."""


def lines(cards: Sequence[AtlasCard]) -> list[Line]:
    """Profiles over normalised depth; for many models thin, in their family's colour, with their mean."""
    shown = [one for one in cards if one.profile]
    few = len(shown) <= FEW
    families = list(dict.fromkeys(one.family or "unknown" for one in shown))
    families.sort(key=lambda name: -sum((one.family or "unknown") == name for one in shown))
    out, named = [], set[str]()
    for place, one in enumerate(shown):
        group = one.subject if few else one.family or "unknown"
        at = place if few else families.index(group)
        letter = chr(ord("A") + at % 26)
        name = "" if group in named and not few else f"{letter} {printable(group)[:24]}"
        named.add(group)
        depth, value = ([getattr(point, key) for point in one.profile] for key in ("depth", "value"))
        out.append(Line(depth, value, COLOURS[at % len(COLOURS)], letter, name, thin=not few))
    if len(shown) > 2:
        grid, mean = mean_profile(shown)
        out.append(Line(grid, mean, 252, "Z", f"Z mean of {len(shown)}"))
    return out


def mean_profile(cards: Sequence[AtlasCard], places: int = 41) -> tuple[list[float], list[float]]:
    """The mean of profiles, each interpolated to the same depths."""
    import numpy as np

    grid = np.linspace(0, 1, places)
    each = [
        np.interp(grid, [point.depth for point in one.profile], [point.value for point in one.profile])
        for one in cards
        if len(one.profile) > 1
    ]
    mean = np.mean(each, axis=0) if each else np.full(places, np.nan)
    return grid.tolist(), np.asarray(mean).tolist()


def profiles(cards: Sequence[AtlasCard], width: int, height: int = 20, look: Look | None = None) -> Text:
    """All profiles in one plot."""
    rankings = sorted({one.ranking for one in cards if one.profile})
    title = f"mean of {', '.join(rankings)} by layer, scaled"
    return plot(lines(cards), width, height, title, "normalised depth", look=look or Look())


def pair_rows(pairs: Sequence[Pair], ranking: str = RANKINGS[0]) -> list[dict[str, Any]]:
    """A row per pair: the difference of contrasts with its 95 % interval, and the sample of the interval. Random
    initialisations on the same tokens share one row, with an interval over initialisations."""
    from synergy_tui.analysis import pairing

    out = []
    for one in pairs:
        first = one.first
        row: dict[str, Any] = {"pair": one.kind, "first": printable(first.subject)}
        row["other"] = printable(one.others[0].subject) if len(one.others) == 1 else f"{len(one.others)} random"
        row["tokens"] = "the same" if one.tokens else "own answers"
        if len(one.others) == 1:
            mine, theirs, count = _on_the_same(first, one.others[0])
            value, low, high = pairing.over_prompts(mine, theirs, (first.layers, one.others[0].layers), ranking)
            row |= {"over": "prompts", "n": count}
        else:
            every = [first, *one.others]
            own, *random = (float(pairing.contrast(_mean(side.values), side.layers, ranking)[0]) for side in every)
            value, low, high = pairing.over_initialisations(own, random)
            row |= {"over": "initialisations", "n": len(random)}
        ends = {"difference": value, "low": low, "high": high}
        out.append(row | {key: None if math.isnan(end) else end for key, end in ends.items()})
    return out


def _mean(values: Any) -> Any:
    """[1, units, 5] means over prompts."""
    from synergy_tui.analysis.scores import mean_over

    return mean_over(values, axis=0)[None]


def _on_the_same(first: Any, other: Any) -> tuple[Any, Any, int]:
    """Values of both on the prompts that they share."""
    place = {name: number for number, name in enumerate(other.prompts)}
    shared = [(number, place[name]) for number, name in enumerate(first.prompts) if name in place]
    mine, theirs = ([pair[side] for pair in shared] for side in (0, 1))
    return first.values[mine], other.values[theirs], len(shared)


def as_dict(cards: Sequence[AtlasCard], claims: Sequence[str] = tuple(CLAIMS)) -> dict[str, Any]:
    """For JSON: cards, and for each claim its groups with the meta-analysis, moderators and C7."""
    from synergy_tui.analysis import meta

    found: dict[str, Any] = {}
    for claim in claims:
        if groups := meta.groups(cards, claim):
            found[claim] = [_group(one) for one in groups]
    return {"cards": [asdict(one) for one in cards], "claims": found}


def _group(group: Group) -> dict[str, Any]:
    from synergy_tui.analysis.moderators import moderators
    from synergy_tui.analysis.universality import universality

    return asdict(replace(group, result=None)) | {
        "result": None if group.result is None else _result(group.result),
        "moderators": [asdict(one) for one in moderators(group)],
        "universality": asdict(universality(group)),
    }


def _result(found: Meta) -> dict[str, Any]:
    return asdict(found)
