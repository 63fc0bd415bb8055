"""What the effects of a meta-analysis correlate with: depth, size, family, base or instruct, trained or random weights;
docs/method.md, section 15. NumPy only.

moderators(group) → one Moderator each, which says what can and what cannot be concluded from so many models
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from statistics import NormalDist

import numpy as np

from synergy_tui.analysis.family import holm
from synergy_tui.analysis.meta import (
    FEWEST,
    LEVEL,
    NOTHING,
    Group,
    Model,
    arrays,
    counted,
    mean_alone,
    paule_mandel,
    pooled,
    residuals,
)
from synergy_tui.analysis.student import reach

ENOUGH_FOR_A_MODERATOR = 10
"""A moderator known for fewer models is described, not tested (Cochrane Handbook, 10.11.5.1)."""

PERMUTATIONS = 999


@dataclass(frozen=True)
class Moderator:
    """One possible correlate of effects. name: depth, size, family, tuned or weights. slope: for depth per layer, for
    size per tenfold number of parameters, with its 95 % interval, for ratios on the log scale; NaN for the others.
    parts: by value, the number of models and their mean effect with its interval (as effects are shown), NaN for fewer
    than three. p: by permutation, NaN if only described; p_holm: corrected over the moderators of the group. said: what
    can and what cannot be concluded."""

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
    """Each moderator of a group; only `weights` also sees subjects with random weights. Empty if no model has an effect
    with an interval."""
    known = list(group.known)
    if not known:
        return ()
    found = [_continuous(group, name, known, seed) for name in CONTINUOUS]
    for name in CATEGORIES:
        more = [one for one in group.random if math.isfinite(one.error)] if name == "weights" else []
        found.append(_category(group, name, [*known, *more], seed))
    corrected = holm([one.p for one in found])
    return tuple(replace(one, p_holm=p) for one, p in zip(found, corrected, strict=True))


def _continuous(group: Group, name: str, models: Sequence[Model], seed: int) -> Moderator:
    unit, of = CONTINUOUS[name]
    pairs = [(one, of(one)) for one in models if math.isfinite(of(one))]
    values, variances = arrays([one for one, _ in pairs])
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
        values, variances = arrays(known)
        codes = np.array([place for place, some in enumerate(by.values()) for _ in some])
        p = _permuted(values, variances, codes, len(by), seed)
    parts = {value: _part(some, group.ratio) for value, some in sorted(by.items())}
    shown = [f"{value} {_ends(*part[1:])} ({part[0]})" for value, part in parts.items()]
    said = "" if not parts else f"{', '.join(shown)}; " if len(parts) <= 4 else f"{len(parts)} of them; "
    return Moderator(name, len(known), *(NOTHING,) * 3, parts, p, NOTHING, said + _said(len(known), p, len(by) < 2))


def _part(models: Sequence[Model], ratio: bool) -> tuple[int, float, float, float]:
    if len(models) >= FEWEST:
        found = pooled(models, ratio)
        return len(models), found.effect, found.low, found.high
    values, variances = arrays(models)
    mean = mean_alone(values, variances)
    return len(models), math.exp(mean) if ratio else mean, NOTHING, NOTHING


def _ends(value: float, low: float, high: float) -> str:
    return f"{value:.3g}" + (f" [{low:.3g}, {high:.3g}]" if math.isfinite(low) else "")


@lru_cache(maxsize=16)
def _orders(count: int, seed: int) -> np.ndarray:
    """[1 + PERMUTATIONS, count]: orders of this many models, their own order first."""
    same = np.tile(np.arange(count), (PERMUTATIONS, 1))
    drawn = np.random.default_rng([seed, 22]).permuted(same, axis=1)
    return np.concatenate([np.arange(count)[None], drawn])


def _permuted(values: np.ndarray, variances: np.ndarray, moderator: np.ndarray, categories: int, seed: int) -> float:
    """p that a moderator [models] explains as much of the weighted scatter as it does, over permutations of it among
    the models (Higgins and Thompson 2004). The moderator is a number, or the number of a category. Values keep their
    weights, with the τ² without a moderator: in each permutation models differ by chance."""
    design = np.ones((len(values), 1))
    weights, left = residuals(values, variances + paule_mandel(values, variances), design)
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
        told = "it is known for no model" if not models else f"{counted(models, 'model')}, alike in it"
        return f"{told}: nothing can be said"
    if not math.isfinite(p):
        few = models < ENOUGH_FOR_A_MODERATOR
        need = f"a test asks for {ENOUGH_FOR_A_MODERATOR}" if few else "a test asks for at least two of each"
        return f"{counted(models, 'model')}: described, not tested; {need}"
    missed = math.tanh((NormalDist().inv_cdf(0.975) + NormalDist().inv_cdf(0.8)) / math.sqrt(models - 3))
    return (
        f"{counted(models, 'model')}, permutation p {p:.3f}; models that differ in it differ in other ways too; "
        f"a correlation below {missed:.2f} would mostly be missed"
    )
