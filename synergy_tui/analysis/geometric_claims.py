"""The measured geometry of a residual stream → the verdicts on C8 and C9, defined in docs/method.md, sections 8 and 14.
Version 2 of arXiv:2603.29735 makes these claims in place of the transition of version 1. The error rates of the
verdicts are in docs/errors-claims.md."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float

from synergy_tui.analysis.areas import ALPHA
from synergy_tui.analysis.claims import UNCLEAR, Claim, lacks
from synergy_tui.analysis.coincidence import ENOUGH_LAYERS, STRONG, Coincidence, coincidence
from synergy_tui.analysis.geometry import SIDES
from synergy_tui.analysis.thresholds import (
    COINCIDES,
    ENOUGH_PAIRS,
    SMALLEST_ALIGNMENT,
    SMALLEST_RISE,
    SMALLEST_TURN,
)
from synergy_tui.terms import ENOUGH_PROMPTS, NOT_SUPPORTED, SUPPORTED


@dataclass(frozen=True)
class Measured:
    """value with its 95 % interval; p: of its test, NaN without a test."""

    value: float
    low: float
    high: float
    p: float = float("nan")

    def __str__(self) -> str:
        return f"{self.value:+.3g} [{self.low:+.3g}, {self.high:+.3g}]"

    @property
    def known(self) -> bool:
        """Whether it has an interval."""
        return math.isfinite(self.low) and math.isfinite(self.high)


@dataclass(frozen=True)
class Geometry:
    """dimension: of each layer. turn, aligned: by geometry.SIDES, of the dimension and of the alignment minus its null.
    scale: the neighbour. prompts, pairs: how many the intervals are over. note: why something is missing."""

    dimension: Float[np.ndarray, " layers"]
    turn: Mapping[str, Measured] = field(default_factory=dict)
    aligned: Mapping[str, Measured] = field(default_factory=dict)
    scale: int | None = None
    prompts: int = 0
    pairs: int = 0
    note: str = ""


MISSING = "the geometry of the residual stream"


def c8(found: Geometry | None, profiles: Mapping[str, Float[np.ndarray, " layers"]], ranking: str) -> Claim:
    """The dimension turns in the middle layers, and its profile agrees with that of the ranking. profiles: synergy over
    layers, by ranking."""
    if found is None:
        return lacks(MISSING)
    known: dict[str, Any] = {"measure": "dimension, middle − others", "n": found.prompts}
    if not found.turn:
        return lacks(f"a dimension of every layer: {found.note or 'there is none'}", **known)
    contrast, early, late, _ = (found.turn[name] for name in SIDES)
    if not math.isfinite(contrast.value):
        why = found.note or f"there are {len(found.dimension)}"
        return lacks(f"a dimension in three layers or more: {why}", **known)
    known |= {"effect": contrast.value, "low": contrast.low, "high": contrast.high}
    kind = "hump" if contrast.value > 0 else "dip"
    mean = float(np.nanmean(found.dimension))
    told = [
        f"mean dimension {mean:.3g} at neighbours {found.scale} and {2 * (found.scale or 0)}",
        *(f"{name} {found.turn[name]}" for name in SIDES[1:3]),
    ]
    known["told"] = "; ".join(told)
    if not (contrast.known and early.known and late.known):
        return lacks("two prompts or more for an interval", **known)
    side = 1 if contrast.value > 0 else -1
    if not all(_beyond(one, side) for one in (contrast, early, late)):
        return _no_turn(contrast, early, late, mean, known)
    if abs(contrast.value) < SMALLEST_TURN * mean:
        return lacks(f"a contrast of {SMALLEST_TURN:.0%} of the mean dimension: more prompts", **known)
    if found.prompts < ENOUGH_PROMPTS:
        return lacks(f"{ENOUGH_PROMPTS} prompts; there are {found.prompts}", **known)
    each = {
        name: coincidence(found.dimension, one) for name, one in profiles.items() if len(one) == len(found.dimension)
    }
    return _coincides(each, ranking, f"a {kind} of the dimension", known)


def _no_turn(contrast: Measured, early: Measured, late: Measured, mean: float, known: dict[str, Any]) -> Claim:
    """The claim when the middle has no extremum, or no clear one yet."""
    slope = any(_beyond(one, 1) and _beyond(other, -1) for one, other in ((early, late), (late, early)))
    least = SMALLEST_TURN * mean
    if slope or (-least < contrast.low and contrast.high < least):
        told = "the dimension goes one way over the middle layers" if slope else "the middle layers are like the others"
        return Claim(NOT_SUPPORTED, **known | {"told": f"{told}; {known['told']}"})
    return lacks("intervals of middle − early and middle − late on one side of 0: more prompts", **known)


def _coincides(each: Mapping[str, Coincidence], ranking: str, turn: str, known: dict[str, Any]) -> Claim:
    own = each.get(ranking)
    if own is None or not math.isfinite(own.p):
        there = own.layers if own is not None else 0
        why = f"{ENOUGH_LAYERS} layers with a dimension and a synergy that vary; there are {there}"
        return lacks(f"{why}: fewer say nothing of whether profiles coincide", **known)
    held = tuple(name for name, one in each.items() if one.p < COINCIDES)
    sign = "goes with" if own.r > 0 else "goes against"
    told = f"{turn}, which {sign} synergy (r {own.r:+.2f}, p {own.p:.3f} among profiles as smooth)"
    known |= {"p": own.p, "of": tuple(each), "told": f"{told}; {known['told']}"}
    if own.p < COINCIDES:
        return Claim(SUPPORTED, **known, holds_under=held)
    if own.p > UNCLEAR and own.attainable < COINCIDES:
        return Claim(NOT_SUPPORTED, **known, holds_under=held)
    if own.attainable >= COINCIDES:
        reach = f"profiles as smooth as these have a correlation of {STRONG} by chance in {own.attainable:.1%}"
        return lacks(f"profiles that tell more than their trend: {reach}", **known, holds_under=held)
    return lacks(f"profiles that coincide more clearly: p {own.p:.3f}", **known, holds_under=held)


def c9(found: Geometry | None) -> Claim:
    """Alignment minus its null is above 0 in the middle layers, and higher there than before and after them."""
    if found is None:
        return lacks(MISSING)
    known: dict[str, Any] = {"measure": "alignment − null, middle", "n": found.pairs}
    if not found.aligned:
        return lacks(f"an alignment of every layer: {found.note or 'there is none'}", **known)
    _, early, late, within = (found.aligned[name] for name in SIDES)
    if not math.isfinite(within.value):
        return lacks(f"an alignment in three layers or more; there are {len(found.dimension)}", **known)
    known |= {"effect": within.value, "low": within.low, "high": within.high, "p": within.p}
    known["told"] = "; ".join(f"{name} {found.aligned[name]}" for name in SIDES[1:3])
    if not all(one.known for one in (early, late, within)) or found.pairs < ENOUGH_PAIRS:
        return lacks(f"{ENOUGH_PAIRS} pairs of prompts; there are {found.pairs}", **known)
    if within.high < SMALLEST_ALIGNMENT or min(early.high, late.high) < SMALLEST_RISE:
        return Claim(NOT_SUPPORTED, **known)
    if within.p > UNCLEAR:
        return Claim(NOT_SUPPORTED, **known)
    rises = min(early.low, late.low) > 0 and min(early.value, late.value) >= SMALLEST_RISE
    if within.low > 0 and within.p < ALPHA and rises:
        return Claim(SUPPORTED, **known)
    low = [name for name in SIDES[1:] if found.aligned[name].low <= 0]
    what = f"intervals above 0 of {' and '.join(low)}" if low else f"a rise of {SMALLEST_RISE:g} to the middle"
    return lacks(f"{what}: more pairs", **known)


def _beyond(one: Measured, side: int) -> bool:
    """Whether an interval lies above 0 (side 1) or below it (side −1)."""
    return one.low > 0 if side > 0 else one.high < 0
