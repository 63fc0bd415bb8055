"""C7, that the organisation is universal, judged over the models of a meta-analysis; docs/method.md, section 15. NumPy
only.

universality(group) → a Universal: the verdict for one claim, with how many models have it and lack it
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from synergy_tui.analysis.meta import ALPHA, NOTHING, Group, Model, arrays, chi2_beyond, paule_mandel
from synergy_tui.analysis.student import beyond
from synergy_tui.terms import EXPLAINED, HETEROGENEOUS, INCONCLUSIVE, NOT_SUPPORTED, SUPPORTED

BOUNDS = {"C1": 0.05, "C3": 1.25, "C4": 0.8, "C5": 0.05}
"""The effect above which (C4: below which) a model has what the claim says; for other claims 0, for ratios 1. C1 and
C5: half of the smallest contrast that claims.py accepts; areas: a quarter more than controls, or its inverse."""

DOWNWARD = ("C4",)
"""Claims that hold when their effect is below the bound."""

UNSIDED = ("C8",)
"""Claims that may hold with an effect of either sign: they have no bound and no verdict."""

MOST, SOME = 0.8, 0.2
"""The share of models that must have it for *supported*, and the share that must have it and must lack it for
*heterogeneous*."""

ENOUGH_MODELS, ENOUGH_FAMILIES = 8, 3
"""Models and families that a verdict on universality needs."""


@dataclass(frozen=True)
class Universal:
    """The verdict on C7 for one claim. bound: the effect that counts as having it. models, families: with an effect and
    an interval. have, lack: how many of them at least have it, and lack it, with 95 % confidence each. beyond: the
    estimated share that has it; share: the least share of a population from which they were drawn at random. by_card:
    cards by their own verdict. missing: what an inconclusive verdict lacks. told: the numbers, in words."""

    claim: str
    verdict: str
    bound: float
    models: int
    families: int
    have: int
    lack: int
    beyond: float
    share: float
    by_card: Mapping[str, int]
    missing: str
    told: str


def universality(group: Group) -> Universal:
    """C7 over the models of a group.

    *Supported*: with 95 % confidence at least MOST of the models have an effect beyond the bound, no more than SOME of
    the cards' own verdicts contradict it, and at least half of them are supported. *Heterogeneous*: with 95 %
    confidence each some model has it and some model lacks it, and by estimate more than SOME do each; or the effect is
    there, and the cards' own verdicts are divided in this way. *Not supported*: some model lacks it, and by estimate no
    more than SOME have it. *Explained*: at least MOST have the effect, and the cards explain it by self-prediction."""
    models = group.known
    n, families = len(models), len({one.family or one.subject for one in models})
    bound = BOUNDS.get(group.claim, 1.0 if group.ratio else 0.0)
    above = [_p_beyond(one, bound, group.claim, group.ratio) for one in models]
    # Models that clearly have it would hide those that lack it, so that test leaves them out.
    have, lack = at_least(above), at_least([1 - p for p in above], below=0.5)
    beyond_ = _calibrated(models, _scaled(bound, group.ratio), group.claim in DOWNWARD)
    share = drawn_at_least(at_least(above, ALPHA / 2), n)
    verdicts = [one.verdict for one in models]
    known: dict[str, Any] = {"claim": group.claim, "bound": bound, "models": n, "families": families}
    known |= {"have": have, "lack": lack, "beyond": beyond_, "share": share}
    known |= {"by_card": {name: verdicts.count(name) for name in dict.fromkeys(verdicts)}}
    verdict, missing = _universal(known)
    return Universal(verdict=verdict, missing=missing, told=_told(known, group), **known)


def _told(known: Mapping[str, Any], group: Group) -> str:
    n, side = known["models"], "below" if group.claim in DOWNWARD else "above"
    if not n:
        return ""
    told = (
        f"{known['have']} of {n} models or more are {side} {'×' if group.ratio else ''}{known['bound']:g} and "
        f"{known['lack']} or more are not, with 95 % confidence each; by estimate {known['beyond']:.0%} are"
    )
    if known["have"]:
        told += f"; were they drawn at random, {known['share']:.0%} of such models or more would be"
    cards = ", ".join(f"{count} {verdict}" for verdict, count in sorted(known["by_card"].items()))
    return f"{told}; cards by themselves: {cards}"


def _universal(known: Mapping[str, Any]) -> tuple[str, str]:
    """The verdict, and what is missing."""
    n, families, have, lack, by_card = (known[name] for name in ("models", "families", "have", "lack", "by_card"))
    if known["claim"] in UNSIDED:
        return INCONCLUSIVE, "a claimed side of the effect: a dip and a hump both hold for the claim"
    lacks = [] if n >= ENOUGH_MODELS else [f"{ENOUGH_MODELS} models with an effect and an interval; there are {n}"]
    if families < ENOUGH_FAMILIES:
        lacks.append(f"{ENOUGH_FAMILIES} families; there {'is' if families == 1 else 'are'} {families}")
    if lacks:
        return INCONCLUSIVE, ", and ".join(lacks)
    supported, explained, refuted = (by_card.get(name, 0) for name in (SUPPORTED, EXPLAINED, NOT_SUPPORTED))
    if have >= MOST * n:
        if explained + refuted > SOME * n:
            divided = supported > SOME * n
            return (HETEROGENEOUS if divided else EXPLAINED if explained > refuted else NOT_SUPPORTED), ""
        if supported < n / 2:
            return INCONCLUSIVE, f"cards that support it by themselves: {supported} of {n} do"
        return SUPPORTED, ""
    if lack and known["beyond"] <= SOME:
        return NOT_SUPPORTED, ""
    if lack and have and known["beyond"] < 1 - SOME:
        return HETEROGENEOUS, ""
    return INCONCLUSIVE, (
        f"more models, or more prompts of each: {have} of {n} are shown to have it and {lack} to lack it; "
        f"supported asks for {math.ceil(MOST * n)}"
    )


def _calibrated(models: Sequence[Model], bound: float, downward: bool) -> float:
    """The share of models whose true effect is beyond the bound, from estimates shrunk to the mean until they scatter
    as true effects do (Mathur and VanderWeele 2020)."""
    if not models:
        return NOTHING
    values, variances = arrays(models)
    tau2 = paule_mandel(values, variances)
    weights = 1 / (variances + tau2)
    mean = (weights * values).sum() / weights.sum()
    drawn = mean + np.sqrt(tau2 / (variances + tau2)) * (values - mean)
    return float(((drawn < bound) if downward else (drawn > bound)).mean())


def _scaled(bound: float, ratio: bool) -> float:
    return math.log(bound) if ratio else bound


def _p_beyond(model: Model, bound: float, claim: str, ratio: bool) -> float:
    """One-sided p that a model's effect is beyond the bound on the claimed side."""
    distance = (model.value - _scaled(bound, ratio)) / model.error * (-1 if claim in DOWNWARD else 1)
    two = beyond(abs(distance), model.freedom) / 2 if model.freedom else math.erfc(abs(distance) / math.sqrt(2)) / 2
    return two if distance > 0 else 1 - two


def at_least(p: Sequence[float], alpha: float = ALPHA, below: float = 1.0) -> int:
    """The least number of these hypotheses that are false, with confidence 1 − α: the largest r such that, for it and
    every smaller one, Fisher's combination of all p except the r − 1 smallest rejects (partial conjunction, Benjamini
    and Heller 2008). They are assumed independent of each other.

    below: p above it are left out and the others divided by it, which keeps the error rate if p of true hypotheses are
    uniform or conservative, as in one-sided tests (conditional p-values; Zhao, Small and Su 2019)."""
    ordered = sorted(one / below for one in p if one <= below)
    logs = [-2 * math.log(max(one, 1e-300)) for one in ordered]
    for r in range(1, len(ordered) + 1):
        if chi2_beyond(sum(logs[r - 1 :]), 2 * (len(ordered) - r + 1)) >= alpha:
            return r - 1
    return len(ordered)


def drawn_at_least(count: int, n: int) -> float:
    """The least share of a population at which `count` or more of n random draws are no rarer than α/2 (Clopper and
    Pearson); 0 for none."""
    if not count:
        return 0.0 if n else NOTHING
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        tail = sum(math.comb(n, k) * middle**k * (1 - middle) ** (n - k) for k in range(count, n + 1))
        low, high = (middle, high) if tail < ALPHA / 2 else (low, middle)
    return low
