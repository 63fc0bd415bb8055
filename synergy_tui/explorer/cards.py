"""Cards of the atlas that match a text, and their order: family:llama tuned:base size:<1B C1:supported smol."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from synergy_tui.explorer import finding
from synergy_tui.terms import CLAIMS

if TYPE_CHECKING:
    from synergy_tui.store.atlas import AtlasCard

WORDS: dict[str, Callable[[AtlasCard], Any]] = {
    "family": lambda one: one.family,
    "tuned": lambda one: one.tuned,
    "kind": lambda one: one.kind,
    "weights": lambda one: one.weights,
    "ranking": lambda one: one.ranking,
    "plan": lambda one: "sealed" if one.plan_hash else None,
    "from": lambda one: "here" if one.origin is None else one.origin,
}
"""Fields that match if their value begins with the given word."""

NUMBERS: dict[str, Callable[[AtlasCard], int | None]] = {
    "size": lambda one: one.parameters,
    "layers": lambda one: one.layers,
    "step": lambda one: one.training_step,
    "method": lambda one: one.method,
}
"""Numeric fields, also compared with a number: size:<1B, step:>1000, step:none."""

FIELDS = (*WORDS, *NUMBERS, *CLAIMS)

UNITS = {"": 1.0, "k": 1e3, "m": 1e6, "b": 1e9}

ORDERS = {"<": operator.lt, ">": operator.gt, "<=": operator.le, ">=": operator.ge, "": operator.eq}


class Found(NamedTuple):
    """The matching cards, and the parts of the text that could not be understood."""

    cards: tuple[AtlasCard, ...]
    wrong: str


def fitting(cards: Sequence[AtlasCard], text: str) -> Found:
    """The cards that match every part of a text: field:value, or a word of the subject's name."""
    kept, wrong = list(cards), []
    for part in text.split():
        name, colon, value = part.partition(":")
        field = next((one for one in FIELDS if one.lower() == name.lower()), None)
        if not colon or (name.lower() == "zoo" and field is None):
            kept = [one for one in kept if finding.has(one.subject.lower(), part.lower())]
        elif field is None:
            wrong.append(f"there is no {name[:20]!r}: known are {', '.join(FIELDS)}")
        elif value:
            test = _test(field, value.lower())
            if test is None:
                wrong.append(f"{value[:20]!r} is no number: {field}:<1B, {field}:>1000 or {field}:none")
            else:
                kept = [one for one in kept if test(one)]
    return Found(tuple(kept), "; ".join(wrong))


def _test(field: str, value: str) -> Callable[[AtlasCard], bool] | None:
    """A test whether a card has a value; None if the value should be a number and is not."""
    if field in CLAIMS:
        return lambda one: _begins(one.claims[field].verdict if field in one.claims else None, value)
    if field in WORDS:
        return lambda one: _begins(WORDS[field](one), value)
    number = NUMBERS[field]
    if value in ("none", "unknown"):
        return lambda one: number(one) is None
    match = re.fullmatch(r"([<>]=?)?(\d+(?:\.\d+)?)([kmb]?)", value)
    if match is None:
        return None
    compare, asked = ORDERS[match[1] or ""], float(match[2]) * UNITS[match[3]]

    def test(one: AtlasCard) -> bool:
        own = number(one)
        if own is None:
            return False
        # Sizes are shown with three figures, and users type them as shown.
        return bool(compare(float(f"{own:.3g}") if field == "size" else own, asked))

    return test


def _begins(own: str | None, value: str) -> bool:
    """Whether a word begins with the value; `none` matches unknown values, and dashes stand for spaces."""
    if own is None:
        return value in ("none", "unknown")
    return own.lower().replace(" ", "-").startswith(value)


def ordered(cards: Sequence[AtlasCard], by: str, backwards: bool) -> tuple[AtlasCard, ...]:
    """Cards by a column, unknown values last in both directions. Effects and dates come with the largest first."""
    from synergy_tui.drawing import models

    def value(one: AtlasCard) -> Any:
        if by in CLAIMS:
            return one.claims[by].effect if by in one.claims and math.isfinite(one.claims[by].effect) else None
        return one.subject if by == "subject" else (NUMBERS | WORDS)[by](one)

    every = models.sort(cards, by if by in models.ORDERS else "subject")
    first = [one for one in every if value(one) is not None]
    if by not in models.ORDERS:
        first.sort(key=value)
    return (*(reversed(first) if backwards else first), *(one for one in every if value(one) is None))
