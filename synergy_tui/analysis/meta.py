"""Cards of many models → what they say together about a claim. NumPy alone, so that the faces may use it; METHOD
section 15, and how often the verdicts err is in CLAIMS.md.

groups(cards, claim) → the cards that can be taken together, the largest group first: those of the same method, ranking,
definition, kind of unit and measure are kept apart from others. Of each Group:

    models: what each model says, with its weight in the mean; left_out: which cards are not in it, and why
    result: the random-effects Meta, or None and `why`: fewer than three models, or no effect with an interval
    moderators(group) → depth, size, family, base or instruct, trained or random: one Moderator each
    universality(group) → C7, as a Universal

`cards` are store.atlas.AtlasCards, or anything with the same fields. Effects are shown as the cards have them; those
that are ratios (`Group.ratio`) are taken together by their logarithms, and tau is that of logarithms.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from statistics import NormalDist
from typing import Any

import numpy as np

from synergy_tui.analysis.student import beyond, reach
from synergy_tui.terms import EXPLAINED, HETEROGENEOUS, INCONCLUSIVE, NOT_SUPPORTED, SUPPORTED

NOTHING = float("nan")

LEVEL, ALPHA = 0.95, 0.05

FEWEST = 3
"""Models without which there is no meta-analysis."""

ENOUGH_FOR_A_MODERATOR = 10
"""Models that are known in a moderator without which it is described and not tested (Cochrane Handbook, 10.11.5.1)."""

PERMUTATIONS = 999

Card = Any
"""store.atlas.AtlasCard; this room does not know the store."""


@dataclass(frozen=True)
class Model:
    """What one card says of the claim. value, error: effect and standard error as they are taken together, of a ratio
    its logarithm; NaN where the card has no effect with an interval. freedom: degrees of freedom behind the error, None
    for a normal quantile. weight: share in the mean, NaN without a meta-analysis."""

    entry: str
    subject: str
    family: str | None
    tuned: str | None
    weights: str
    layers: int | None
    parameters: int | None
    verdict: str
    effect: float
    low: float
    high: float
    level: float
    value: float
    error: float
    freedom: int | None
    weight: float = NOTHING


@dataclass(frozen=True)
class Meta:
    """Random effects over `models` models of `families` families. effect: their mean, with its 95 % interval by
    Hartung, Knapp, Sidik and Jonkman. tau: standard deviation between models, by Paule and Mandel; i2: the share of the
    scatter that is between models; q, freedom, p: Cochran's test that all are the same. predicted: 95 % interval of
    another model's effect. without: the least and the largest mean when one family is left out, NaN with one family."""

    models: int
    families: int
    effect: float
    low: float
    high: float
    p_mean: float
    tau: float
    i2: float
    q: float
    freedom: int
    p: float
    predicted: tuple[float, float]
    without: tuple[float, float]


@dataclass(frozen=True)
class Group:
    """Cards that can be taken together. told: what they have in common, in words. ratio: whether effects are ratios.
    models: trained ones, one a subject, the largest effect first. random: subjects with random weights, which are no
    models of the claim and stand in no mean. left_out: sentences. result: None where `why` says why."""

    claim: str
    method: int
    ranking: str
    definition: str
    kind: str
    measure: str
    ratio: bool
    models: tuple[Model, ...]
    random: tuple[Model, ...]
    left_out: tuple[str, ...]
    result: Meta | None
    why: str

    @property
    def told(self) -> str:
        """What its cards have in common."""
        return (
            f"{self.ranking} · {self.definition} · {self.kind} · method {self.method} · {self.measure or 'no effect'}"
        )

    @property
    def known(self) -> tuple[Model, ...]:
        """Models that have an effect with an interval."""
        return tuple(one for one in self.models if math.isfinite(one.error))


def groups(cards: Sequence[Card], claim: str) -> tuple[Group, ...]:
    """The cards that say something of a claim, in groups that can be taken together; the largest first. Cards that do
    not have the claim, or no effect of it, are in the group of their method whose measure is the most frequent."""
    having = [one for one in cards if claim in one.claims]
    by: dict[tuple[int, str, str, str], list[Card]] = {}
    for one in having:
        by.setdefault((one.method, one.ranking, one.definition, one.kind), []).append(one)
    found = []
    for key, some in by.items():
        measures = [one.claims[claim].measure for one in some if one.claims[claim].measure]
        usual = max(sorted(set(measures)), key=measures.count, default="")
        by_measure: dict[str, list[Card]] = {}
        for one in some:
            by_measure.setdefault(one.claims[claim].measure or usual, []).append(one)
        found += [_group(claim, key, measure, of) for measure, of in by_measure.items()]
    return tuple(sorted(found, key=lambda one: (-len(one.known), -len(one.models), one.told)))


def _group(claim: str, key: tuple[int, str, str, str], measure: str, cards: Sequence[Card]) -> Group:
    ratio = "×" in measure
    kept, left_out = _one_a_subject(cards)
    models = [_model(one, claim, ratio) for one in kept]
    trained = [one for one in models if one.weights != "random"]
    random = tuple(one for one in models if one.weights == "random")
    known = [one for one in trained if math.isfinite(one.error)]
    result, why = None, ""
    if not any(math.isfinite(one.effect) for one in trained):
        why = "no card has an effect of it with an interval"
    elif not known:
        why = "no effect has an interval"
    elif len(known) < FEWEST:
        why = f"{FEWEST} models are needed for a meta-analysis; there are {len(known)}"
    else:
        result = _meta(known, ratio)
        share = _weights(known, result.tau)
        weights = {one.entry: float(part) for one, part in zip(known, share / share.sum(), strict=True)}
        trained = [replace(one, weight=weights.get(one.entry, NOTHING)) for one in trained]
    trained.sort(key=lambda one: (not math.isfinite(one.effect), -one.effect if math.isfinite(one.effect) else 0.0))
    return Group(claim, *key, measure, ratio, tuple(trained), random, tuple(left_out), result, why)


def _one_a_subject(cards: Sequence[Card]) -> tuple[list[Card], list[str]]:
    """One card a subject, own ones before imported ones, the newest first; of the checkpoints of one training the last.
    What is left out is said."""
    told = []
    newest: dict[tuple[Any, ...], Card] = {}
    order = sorted(cards, key=lambda one: (one.origin is None, str(one.made or "")), reverse=True)
    for one in order:
        newest.setdefault((one.subject, one.parameters, one.layers, one.weights, one.training_step), one)
    if len(newest) < len(cards):
        told.append(f"{_count(len(cards) - len(newest), 'card')} of a subject that has another one")
    last: dict[tuple[Any, ...], Card] = {}
    for one in newest.values():
        shape = (one.model_type, one.family, one.parameters, one.layers, one.weights)
        key = shape if one.training_step is not None else (*shape, one.subject)
        if key not in last or (one.training_step or 0) > (last[key].training_step or 0):
            last[key] = one
    if len(last) < len(newest):
        told.append(f"{_count(len(newest) - len(last), 'checkpoint')} before the last of a training")
    return list(last.values()), told


def _count(count: int, what: str) -> str:
    return f"{count} {what}" + ("" if count == 1 else "s")


def _model(card: Card, claim: str, ratio: bool) -> Model:
    one = card.claims[claim]
    value, low, high = one.effect, one.low, one.high
    if ratio:
        value, low, high = (math.log(end) if end > 0 else NOTHING for end in (value, low, high))
    # Intervals of shares and differences are the estimate ± Student's t × its standard error, over `n`. That of an area
    # inverts a test of ranks: it is taken for one of a normal estimate, by its width.
    freedom = max(one.n - 1, 1) if one.n is not None and not ratio else None
    error = NOTHING
    if math.isfinite(value) and high > low and 0 < one.level < 1:
        wide = NormalDist().inv_cdf(0.5 + one.level / 2) if freedom is None else reach(one.level, freedom)
        error = (high - low) / (2 * wide)
    words = (card.entry, card.subject, card.family, card.tuned, card.weights, card.layers, card.parameters)
    return Model(*words, one.verdict, one.effect, one.low, one.high, one.level, value, error, freedom)


# Random effects.


def _arrays(models: Sequence[Model]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([one.value for one in models]), np.array([one.error for one in models]) ** 2


def _weights(models: Sequence[Model], tau: float) -> np.ndarray:
    return 1 / (_arrays(models)[1] + tau**2)


def _meta(models: Sequence[Model], ratio: bool) -> Meta:
    values, variances = _arrays(models)
    shown: Callable[[float], float] = math.exp if ratio else float
    tau2 = paule_mandel(values, variances)
    mean, error, freedom = _mean(values, variances, tau2)
    half = reach(LEVEL, freedom) * error
    q = cochran(values, variances)
    wide = reach(LEVEL, max(freedom - 1, 1)) * math.sqrt(tau2 + error**2)
    return Meta(
        len(models),
        len({one.family or one.subject for one in models}),
        shown(mean),
        shown(mean - half),
        shown(mean + half),
        beyond(abs(mean) / error, freedom),
        math.sqrt(tau2),
        max(0.0, (q - freedom) / q) if q > 0 else 0.0,
        q,
        freedom,
        chi2_beyond(q, freedom),
        (shown(mean - wide), shown(mean + wide)),
        _without_a_family(models, shown),
    )


def paule_mandel(values: np.ndarray, variances: np.ndarray, design: np.ndarray | None = None) -> float:
    """τ² between values [k] with sampling variances [k], with which the generalised Q about their weighted mean, or
    about the regression on `design` [k, columns], is its expectation (Paule and Mandel 1982; DerSimonian and Kacker
    2007). 0 where Q is less even without."""
    design = np.ones((len(values), 1)) if design is None else design
    expected = len(values) - design.shape[1]
    if expected < 1 or _q(values, variances, design) <= expected:
        return 0.0
    tau2 = 0.0
    for _ in range(_STEPS):  # Q is convex in τ² and falls: Newton's steps from 0 never go too far
        weights, left = _residuals(values, variances + tau2, design)
        step = (float((weights * left**2).sum()) - expected) / float((weights**2 * left**2).sum())
        tau2 += step
        if step < 1e-12 * tau2:
            break
    return tau2


_STEPS = 100

Residuals = tuple[np.ndarray, np.ndarray]
"""Weights [k], and what a weighted fit leaves of values [k]."""


def _residuals(values: np.ndarray, variances: np.ndarray, design: np.ndarray) -> Residuals:
    weights = 1 / variances
    if design.shape[1] == 1:
        return weights, values - (weights * values).sum() / weights.sum()
    root = np.sqrt(weights)
    fitted = np.linalg.lstsq(design * root[:, None], values * root, rcond=None)[0]
    return weights, values - design @ fitted


def _q(values: np.ndarray, variances: np.ndarray, design: np.ndarray) -> float:
    weights, left = _residuals(values, variances, design)
    return float((weights * left**2).sum())


def cochran(values: np.ndarray, variances: np.ndarray) -> float:
    """Cochran's Q: weighted squares about the mean that no scatter between models would have."""
    return _q(values, variances, np.ones((len(values), 1)))


def _mean(values: np.ndarray, variances: np.ndarray, tau2: float) -> tuple[float, float, int]:
    """The mean, its standard error by Hartung, Knapp, Sidik and Jonkman, and its degrees of freedom. Their factor is 1
    where τ² is that of Paule and Mandel, and is not let below 1 where τ² is 0 (Röver, Knapp and Friede 2015)."""
    weights, freedom = 1 / (variances + tau2), len(values) - 1
    mean = float((weights * values).sum() / weights.sum())
    factor = float((weights * (values - mean) ** 2).sum()) / freedom
    return mean, math.sqrt(max(factor, 1.0) / float(weights.sum())), freedom


def _without_a_family(models: Sequence[Model], shown: Callable[[float], float]) -> tuple[float, float]:
    """Means of all models but those of one family: whether one of them makes the result."""
    families = sorted({one.family or one.subject for one in models})
    means = []
    for name in families if len(families) > 1 else ():
        values, variances = _arrays([one for one in models if (one.family or one.subject) != name])
        means.append(shown(_mean_alone(values, variances)))
    return (min(means), max(means)) if means else (NOTHING, NOTHING)


def _mean_alone(values: np.ndarray, variances: np.ndarray) -> float:
    weights = 1 / (variances + paule_mandel(values, variances))
    return float((weights * values).sum() / weights.sum())


def chi2_beyond(value: float, freedom: int) -> float:
    """Probability that a χ² variable of so many degrees of freedom is larger: a finite sum (Abramowitz and Stegun
    26.4.4 and 26.4.5)."""
    if value <= 0:
        return 1.0
    half = value / 2
    odd = freedom % 2
    total = math.erfc(math.sqrt(half)) if odd else math.exp(-half)
    # Each term is the one before × half / (its place).
    term = 2 * math.sqrt(half / math.pi) * math.exp(-half) if odd else math.exp(-half) * half
    for step in range(1, (freedom - 1) // 2 + 1 if odd else freedom // 2):
        total += term
        term *= half / (step + (0.5 if odd else 1.0))
    return min(total, 1.0)


# Moderators.


@dataclass(frozen=True)
class Moderator:
    """What effects go with. name: depth, size, family, tuned or weights. slope: of depth per layer, of size per tenfold
    number of parameters, with its 95 % interval, of ratios on the log scale; NaN for the others. parts: by value, the
    number of models and their mean effect with its interval (as effects are shown), NaN for fewer than three. p: by
    permutation, NaN where it is only described; p_holm: corrected over the moderators of the group. said: what can and
    what cannot be said."""

    name: str
    models: int
    slope: float
    low: float
    high: float
    parts: Mapping[str, tuple[int, float, float, float]]
    p: float
    p_holm: float
    said: str


CONTINUOUS: dict[str, tuple[str, Callable[[Model], float]]] = {
    "depth": ("layer", lambda one: float(one.layers) if one.layers else NOTHING),
    "size": ("tenfold parameters", lambda one: math.log10(one.parameters) if one.parameters else NOTHING),
}

CATEGORIES: dict[str, Callable[[Model], str | None]] = {
    "family": lambda one: one.family,
    "tuned": lambda one: one.tuned,
    "weights": lambda one: one.weights,
}


def moderators(group: Group, seed: int = 0) -> tuple[Moderator, ...]:
    """Each moderator of a group; `weights` alone sees subjects with random weights too. Empty where no model has an
    effect with an interval."""
    known = list(group.known)
    if not known:
        return ()
    found = [_continuous(group, name, known, seed) for name in CONTINUOUS]
    for name in CATEGORIES:
        more = [one for one in group.random if math.isfinite(one.error)] if name == "weights" else []
        found.append(_category(group, name, [*known, *more], seed))
    corrected = holm([one.p for one in found])
    return tuple(replace(one, p_holm=p) for one, p in zip(found, corrected, strict=True))


def holm(p: Sequence[float]) -> list[float]:
    """Holm's correction over the p that there are; NaN stays."""
    there = sorted((one, place) for place, one in enumerate(p) if math.isfinite(one))
    out, largest = [NOTHING] * len(p), 0.0
    for rank, (one, place) in enumerate(there):
        largest = max(largest, min(1.0, one * (len(there) - rank)))
        out[place] = largest
    return out


def _continuous(group: Group, name: str, models: Sequence[Model], seed: int) -> Moderator:
    unit, of = CONTINUOUS[name]
    pairs = [(one, of(one)) for one in models if math.isfinite(of(one))]
    values, variances = _arrays([one for one, _ in pairs])
    moderator = np.array([value for _, value in pairs])
    slope = low = high = p = NOTHING
    if len(pairs) > 3 and np.ptp(moderator) > 0:
        slope, low, high = _slope(values, variances, moderator)
        if len(pairs) >= ENOUGH_FOR_A_MODERATOR:
            p = _permuted(values, variances, moderator - moderator.mean(), 0, seed)
    said = _said(len(pairs), p, not len(pairs) or bool(np.ptp(moderator) == 0))
    if math.isfinite(slope):
        on = " of the logarithm" if group.ratio else ""
        said = f"{slope:+.3g}{on} per {unit} [{low:+.3g}, {high:+.3g}]; {said}"
    return Moderator(name, len(pairs), slope, low, high, {}, p, NOTHING, said)


def _slope(values: np.ndarray, variances: np.ndarray, moderator: np.ndarray) -> tuple[float, float, float]:
    """Meta-regression on one moderator, with the interval by Knapp and Hartung."""
    design = np.column_stack([np.ones(len(values)), moderator - moderator.mean()])
    weights = 1 / (variances + paule_mandel(values, variances, design))
    inverse = np.linalg.inv((design * weights[:, None]).T @ design)
    fitted = inverse @ (design * weights[:, None]).T @ values
    freedom = len(values) - 2
    factor = max(float((weights * (values - design @ fitted) ** 2).sum()) / freedom, 1.0)
    half = reach(LEVEL, freedom) * math.sqrt(factor * inverse[1, 1])
    return float(fitted[1]), float(fitted[1] - half), float(fitted[1] + half)


def _category(group: Group, name: str, models: Sequence[Model], seed: int) -> Moderator:
    of = CATEGORIES[name]
    by: dict[str, list[Model]] = {}
    for one in models:
        if (value := of(one)) is not None:
            by.setdefault(value, []).append(one)
    known = [one for some in by.values() for one in some]
    p = NOTHING
    if len(known) >= ENOUGH_FOR_A_MODERATOR and sum(len(some) > 1 for some in by.values()) > 1:
        values, variances = _arrays(known)
        codes = np.array([place for place, some in enumerate(by.values()) for _ in some])
        p = _permuted(values, variances, codes, len(by), seed)
    parts = {value: _part(some, group.ratio) for value, some in sorted(by.items())}
    shown = [f"{value} {_ends(*part[1:])} ({part[0]})" for value, part in parts.items()]
    said = "" if not parts else f"{', '.join(shown)}; " if len(parts) <= 4 else f"{len(parts)} of them; "
    return Moderator(name, len(known), *(NOTHING,) * 3, parts, p, NOTHING, said + _said(len(known), p, len(by) < 2))


def _part(models: Sequence[Model], ratio: bool) -> tuple[int, float, float, float]:
    if len(models) >= FEWEST:
        found = _meta(models, ratio)
        return len(models), found.effect, found.low, found.high
    values, variances = _arrays(models)
    mean = _mean_alone(values, variances)
    return len(models), math.exp(mean) if ratio else mean, NOTHING, NOTHING


def _ends(value: float, low: float, high: float) -> str:
    return f"{value:.3g}" + (f" [{low:.3g}, {high:.3g}]" if math.isfinite(low) else "")


@lru_cache(maxsize=16)
def _orders(count: int, seed: int) -> np.ndarray:
    """[1 + PERMUTATIONS, count]: orders of so many models, the one they have first."""
    same = np.tile(np.arange(count), (PERMUTATIONS, 1))
    drawn = np.random.default_rng([seed, 22]).permuted(same, axis=1)
    return np.concatenate([np.arange(count)[None], drawn])


def _permuted(values: np.ndarray, variances: np.ndarray, moderator: np.ndarray, categories: int, seed: int) -> float:
    """p that a moderator [models] explains as much of the weighted scatter as it does, over permutations of it among
    the models (Higgins and Thompson 2004). It is a number, or the number of one of so many categories. Values keep
    their weights, with the τ² of no moderator: each permutation is of models that differ by chance."""
    design = np.ones((len(values), 1))
    weights, left = _residuals(values, variances + paule_mandel(values, variances), design)
    permuted, pull = moderator[_orders(len(values), seed)], weights * left
    if categories:
        explained = np.zeros(len(permuted))
        for one in range(categories):
            inside = (permuted == one).astype(float)
            explained += (inside @ pull) ** 2 / (inside @ weights)
    else:
        centre = permuted @ weights / weights.sum()
        explained = (permuted @ pull) ** 2 / (permuted**2 @ weights - weights.sum() * centre**2)
    return float((explained >= explained[0] * (1 - 1e-9)).mean())


def _said(models: int, p: float, alike: bool) -> str:
    if alike:
        told = "of no model is it known" if not models else f"{_count(models, 'model')}, alike in it"
        return f"{told}: nothing can be said"
    if not math.isfinite(p):
        few = models < ENOUGH_FOR_A_MODERATOR
        need = f"a test asks for {ENOUGH_FOR_A_MODERATOR}" if few else "a test asks for two of each at least"
        return f"{_count(models, 'model')}: described, not tested; {need}"
    missed = math.tanh((NormalDist().inv_cdf(0.975) + NormalDist().inv_cdf(0.8)) / math.sqrt(models - 3))
    return (
        f"{_count(models, 'model')}, permutation p {p:.3f}; models that differ in it differ in other ways too; "
        f"a correlation below {missed:.2f} would mostly be missed"
    )


# C7: the organisation is universal.

BOUNDS = {"C1": 0.05, "C3": 1.25, "C4": 0.8, "C5": 0.05}
"""The effect above which, of C4 below which, a model has what the claim says; 0, of ratios 1, for the others. C1 and
C5: half of the smallest contrast that claims.py takes for one; areas: a quarter more than controls, or its inverse."""

DOWNWARD = ("C4",)
"""Claims whose effect is below the bound where they hold."""

UNSIDED = ("C8",)
"""Claims that an effect of either sign may hold for: of them there is no bound, and no verdict."""

MOST, SOME = 0.8, 0.2
"""The share of models that must have it for *supported*, and that must have it and lack it for *heterogeneous*."""

ENOUGH_MODELS, ENOUGH_FAMILIES = 8, 3
"""Without which there is no verdict on universality."""


@dataclass(frozen=True)
class Universal:
    """The verdict on C7 for one claim. bound: the effect that counts as having it. models, families: with an effect and
    an interval. have, lack: how many of them have it, and lack it, at least, with 95 % confidence each. beyond: the
    estimated share that has it; share: of a population from which they were drawn at random, at least. by_card: cards
    by their own verdict. missing: what an inconclusive one lacks. told: the numbers, in words."""

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

    *Supported*: with 95 % confidence at least MOST of the models have an effect beyond the bound, the cards' own
    verdicts contradict in no more than SOME, and at least half of them are supported. *Heterogeneous*: with 95 %
    confidence each some model has it and some model lacks it, and so do more than SOME by estimate; or the effect is
    there, and the cards' own verdicts are divided in this way. *Not supported*: some model lacks it, and no more than
    SOME have it by estimate. *Explained*: at least MOST have the effect, which the cards explain by self-prediction."""
    models = group.known
    n, families = len(models), len({one.family or one.subject for one in models})
    bound = BOUNDS.get(group.claim, 1.0 if group.ratio else 0.0)
    above = [_p_beyond(one, bound, group.claim, group.ratio) for one in models]
    # Models that clearly have it would hide those that lack it: they are left out of that test.
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
    """Verdict, and what is missing."""
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
    """The share of models whose true effect is beyond the bound, by estimates that are drawn to the mean so far that
    they scatter as true effects do (Mathur and VanderWeele 2020)."""
    if not models:
        return NOTHING
    values, variances = _arrays(models)
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
    """How many of these hypotheses are false at least, with confidence 1 − α: the largest r so that, for it and for
    every smaller one, Fisher's combination of all p but the r − 1 smallest rejects (partial conjunction, Benjamini and
    Heller 2008). They are taken for independent of each other.

    below: p above it are left out and the others divided by it, which keeps the error where p of true hypotheses are
    uniform or conservative as those of one-sided tests are (conditional p-values, Jaffe et al. 2019)."""
    ordered = sorted(one / below for one in p if one <= below)
    logs = [-2 * math.log(max(one, 1e-300)) for one in ordered]
    for r in range(1, len(ordered) + 1):
        if chi2_beyond(sum(logs[r - 1 :]), 2 * (len(ordered) - r + 1)) >= alpha:
            return r - 1
    return len(ordered)


def drawn_at_least(count: int, n: int) -> float:
    """The least share of a population with which `count` or more of n drawn at random are no rarer than α/2 (Clopper
    and Pearson); 0 for none."""
    if not count:
        return 0.0 if n else NOTHING
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        tail = sum(math.comb(n, k) * middle**k * (1 - middle) ** (n - k) for k in range(count, n + 1))
        low, high = (middle, high) if tail < ALPHA / 2 else (low, middle)
    return low
