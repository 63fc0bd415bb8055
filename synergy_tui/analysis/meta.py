"""Cards of many models → what they say together about a claim. NumPy only, so that the faces may use it. Defined in
docs/method.md, section 15; the error rates of the verdicts are in docs/errors-claims.md.

groups(cards, claim) → the cards that can be taken together, the largest group first. The cards of a group agree in
method, ranking, definition, kind of unit and measure. Each Group has:

    models: what each model says, with its weight in the mean; left_out: which cards are missing from it, and why
    result: the random-effects Meta, or None and `why`: fewer than three models, or no effect with an interval

moderators.py tests what the effects correlate with; universality.py gives the verdict on C7.

`cards` are store.atlas.AtlasCards, or anything with the same fields. Effects are shown as the cards have them; ratios
(`Group.ratio`) are combined as logarithms, and tau is on the log scale.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Any

import numpy as np

from synergy_tui.analysis.student import beyond, reach

NOTHING = float("nan")

LEVEL, ALPHA = 0.95, 0.05

FEWEST = 3
"""A meta-analysis needs this many models."""

Card = Any
"""store.atlas.AtlasCard; this room does not know the store."""


@dataclass(frozen=True)
class Model:
    """What one card says about the claim. value, error: effect and standard error as they enter the mean, for a ratio
    its logarithm; NaN if the card has no effect with an interval. freedom: degrees of freedom behind the error, None
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
    scatter that is between models; q, freedom, p: Cochran's test that all effects are equal. predicted: 95 % interval
    of another model's effect. without: the least and the largest mean when one family is left out, NaN with one family.
    """

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
    models: trained ones, one a subject, the largest effect first. random: subjects with random weights, which do not
    count as models and enter no mean. left_out: sentences. result: None if `why` says why."""

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
        """What the group's cards have in common."""
        return (
            f"{self.ranking} · {self.definition} · {self.kind} · method {self.method} · {self.measure or 'no effect'}"
        )

    @property
    def known(self) -> tuple[Model, ...]:
        """The models that have an effect with an interval."""
        return tuple(one for one in self.models if math.isfinite(one.error))


def groups(cards: Sequence[Card], claim: str) -> tuple[Group, ...]:
    """The cards that say something about a claim, in groups that can be taken together, the largest first. Cards
    without the claim, or without its effect, join the group of their method whose measure is the most frequent."""
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
        result = pooled(known, ratio)
        share = _weights(known, result.tau)
        weights = {one.entry: float(part) for one, part in zip(known, share / share.sum(), strict=True)}
        trained = [replace(one, weight=weights.get(one.entry, NOTHING)) for one in trained]
    trained.sort(key=lambda one: (not math.isfinite(one.effect), -one.effect if math.isfinite(one.effect) else 0.0))
    return Group(claim, *key, measure, ratio, tuple(trained), random, tuple(left_out), result, why)


def _one_a_subject(cards: Sequence[Card]) -> tuple[list[Card], list[str]]:
    """One card per subject: own cards before imported ones, then the newest; of the checkpoints of one training, the
    last. Also says what is left out."""
    told = []
    newest: dict[tuple[Any, ...], Card] = {}
    order = sorted(cards, key=lambda one: (one.origin is None, str(one.made or "")), reverse=True)
    for one in order:
        newest.setdefault((one.subject, one.parameters, one.layers, one.weights, one.training_step), one)
    if len(newest) < len(cards):
        told.append(f"{counted(len(cards) - len(newest), 'card')} of a subject that has another one")
    last: dict[tuple[Any, ...], Card] = {}
    for one in newest.values():
        shape = (one.model_type, one.family, one.parameters, one.layers, one.weights)
        key = shape if one.training_step is not None else (*shape, one.subject)
        if key not in last or (one.training_step or 0) > (last[key].training_step or 0):
            last[key] = one
    if len(last) < len(newest):
        told.append(f"{counted(len(newest) - len(last), 'checkpoint')} before the last of a training")
    return list(last.values()), told


def counted(count: int, what: str) -> str:
    return f"{count} {what}" + ("" if count == 1 else "s")


def _model(card: Card, claim: str, ratio: bool) -> Model:
    one = card.claims[claim]
    value, low, high = one.effect, one.low, one.high
    if ratio:
        value, low, high = (math.log(end) if end > 0 else NOTHING for end in (value, low, high))
    # Intervals of shares and differences are the estimate ± Student's t × its standard error, over `n`. The interval of
    # an area inverts a rank test: its width is read as that of a normal estimate.
    freedom = max(one.n - 1, 1) if one.n is not None and not ratio else None
    error = NOTHING
    if math.isfinite(value) and high > low and 0 < one.level < 1:
        wide = NormalDist().inv_cdf(0.5 + one.level / 2) if freedom is None else reach(one.level, freedom)
        error = (high - low) / (2 * wide)
    words = (card.entry, card.subject, card.family, card.tuned, card.weights, card.layers, card.parameters)
    return Model(*words, one.verdict, one.effect, one.low, one.high, one.level, value, error, freedom)


# Random effects.


def arrays(models: Sequence[Model]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([one.value for one in models]), np.array([one.error for one in models]) ** 2


def _weights(models: Sequence[Model], tau: float) -> np.ndarray:
    return 1 / (arrays(models)[1] + tau**2)


def pooled(models: Sequence[Model], ratio: bool) -> Meta:
    values, variances = arrays(models)
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
    """τ² between values [k] with sampling variances [k], at which the generalised Q about their weighted mean, or about
    the regression on `design` [k, columns], equals its expectation (Paule and Mandel 1982; DerSimonian and Kacker
    2007). 0 if Q is below it already at τ² = 0."""
    design = np.ones((len(values), 1)) if design is None else design
    expected = len(values) - design.shape[1]
    if expected < 1 or _q(values, variances, design) <= expected:
        return 0.0
    tau2 = 0.0
    for _ in range(_STEPS):  # Q is convex and falling in τ², so Newton's steps from 0 never go too far
        weights, left = residuals(values, variances + tau2, design)
        step = (float((weights * left**2).sum()) - expected) / float((weights**2 * left**2).sum())
        tau2 += step
        if step < 1e-12 * tau2:
            break
    return tau2


_STEPS = 100

Residuals = tuple[np.ndarray, np.ndarray]
"""Weights [k], and the residuals [k] of a weighted fit."""


def residuals(values: np.ndarray, variances: np.ndarray, design: np.ndarray) -> Residuals:
    weights = 1 / variances
    if design.shape[1] == 1:
        return weights, values - (weights * values).sum() / weights.sum()
    root = np.sqrt(weights)
    fitted = np.linalg.lstsq(design * root[:, None], values * root, rcond=None)[0]
    return weights, values - design @ fitted


def _q(values: np.ndarray, variances: np.ndarray, design: np.ndarray) -> float:
    weights, left = residuals(values, variances, design)
    return float((weights * left**2).sum())


def cochran(values: np.ndarray, variances: np.ndarray) -> float:
    """Cochran's Q: weighted squares about the mean, with the weights for no scatter between models."""
    return _q(values, variances, np.ones((len(values), 1)))


def _mean(values: np.ndarray, variances: np.ndarray, tau2: float) -> tuple[float, float, int]:
    """The mean, its standard error by Hartung, Knapp, Sidik and Jonkman, and its degrees of freedom. Their factor is 1
    when τ² comes from Paule and Mandel, and is kept from falling below 1 when τ² is 0 (Röver, Knapp and Friede 2015).
    """
    weights, freedom = 1 / (variances + tau2), len(values) - 1
    mean = float((weights * values).sum() / weights.sum())
    factor = float((weights * (values - mean) ** 2).sum()) / freedom
    return mean, math.sqrt(max(factor, 1.0) / float(weights.sum())), freedom


def _without_a_family(models: Sequence[Model], shown: Callable[[float], float]) -> tuple[float, float]:
    """The least and the largest mean without one family: whether a single family makes the result."""
    families = sorted({one.family or one.subject for one in models})
    means = []
    for name in families if len(families) > 1 else ():
        values, variances = arrays([one for one in models if (one.family or one.subject) != name])
        means.append(shown(mean_alone(values, variances)))
    return (min(means), max(means)) if means else (NOTHING, NOTHING)


def mean_alone(values: np.ndarray, variances: np.ndarray) -> float:
    weights = 1 / (variances + paule_mandel(values, variances))
    return float((weights * values).sum() / weights.sum())


def chi2_beyond(value: float, freedom: int) -> float:
    """Probability that a χ² variable with this many degrees of freedom is larger: a finite sum (Abramowitz and Stegun
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
