"""Two profiles over layers → whether they agree more than equally smooth profiles do by chance.

Neighbouring layers are alike, so thirty layers are a handful of observations: among unrelated profiles that change
slowly, every second pair has a correlation beyond 0.5. Shifts and flips of a profile are too few for a test. So the
null consists of random profiles: Gaussian processes over depth whose covariance is estimated from the profile itself,
with its mean removed (restricted likelihood). Their kind (exponential: rough; Matérn of 3/2; squared exponential:
smooth), their length and their share of noise cannot be known from one profile. So p is the largest over all
covariances that are not much less likely than the likeliest, with either profile held fixed and the other drawn. Its
error rates are in docs/errors-claims.md.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

ENOUGH_LAYERS = 8
"""With fewer layers, nothing can be said about how smooth a profile is."""

LIKELY = 3.0
"""How far a log likelihood may be below the largest: half the 95 % quantile of χ² with two degrees of freedom (kind and
length), 2.996."""

LENGTHS = (0.03, 0.06, 0.1, 0.15, 0.2, 0.3, 0.45, 0.7, 1.0, 2.0)
"""Lengths of the covariance, in depth: from less than a layer to profiles that are all trend."""

NOISE = (0.001, 0.01, 0.05, 0.2)
"""Shares of a profile's variance that layers do not share. None is below the first: a profile almost without noise
would be judged by details a thousandth of its size, and its length found more narrowly than a correlation can use."""

DRAWS = 2000

STRONG = 0.9
"""A correlation that a test must be able to find before its failure means anything."""


@dataclass(frozen=True)
class Coincidence:
    """r: correlation over layers. p: two-sided. attainable: the p that a correlation of STRONG would have; the test can
    say no only if it is small. layers: layers with both values."""

    r: float
    p: float
    attainable: float
    layers: int


def coincidence(one: Float[np.ndarray, " layers"], other: Float[np.ndarray, " layers"], seed: int = 0) -> Coincidence:
    """NaN if fewer than ENOUGH_LAYERS layers have both values, or if a profile is constant."""
    one, other = np.asarray(one, float), np.asarray(other, float)
    known = np.isfinite(one) & np.isfinite(other)
    nothing = Coincidence(float("nan"), float("nan"), float("nan"), int(known.sum()))
    if known.sum() < ENOUGH_LAYERS or min(np.ptp(one[known]), np.ptp(other[known])) == 0:
        return nothing
    place = np.flatnonzero(known) / max(len(one) - 1, 1)
    x, y = (_unit(some[known]) for some in (one, other))
    r = float(x @ y)
    worst = reach = 0.0
    chance = np.random.default_rng(seed).standard_normal((DRAWS, len(x)))
    for fixed, drawn in ((x, y), (y, x)):
        for root in _likely(drawn, place):
            made = chance @ root.T
            made -= made.mean(axis=1, keepdims=True)
            found = np.abs(made @ fixed) / np.sqrt((made**2).sum(axis=1))
            worst = max(worst, (1 + int((found >= abs(r)).sum())) / (1 + DRAWS))
            reach = max(reach, (1 + int((found >= STRONG).sum())) / (1 + DRAWS))
    return Coincidence(r, worst, reach, int(known.sum()))


def _unit(values: np.ndarray) -> np.ndarray:
    values = values - values.mean()
    out: np.ndarray = values / np.sqrt((values**2).sum())
    return out


def _likely(profile: np.ndarray, place: np.ndarray) -> Iterator[np.ndarray]:
    """Roots of the covariances that the profile may have."""
    roots = _roots(tuple(place.tolist()))
    found = [_likelihood(profile, root) for root in roots]
    for root, value in zip(roots, found, strict=True):
        if value >= max(found) - LIKELY:
            yield root


def _likelihood(profile: np.ndarray, root: np.ndarray) -> float:
    """Restricted log likelihood, with the likeliest scale; −∞ if the covariance is singular."""
    basis = _contrasts(len(profile))
    inside = basis @ root
    covariance = inside @ inside.T
    sign, size = np.linalg.slogdet(covariance)
    if sign <= 0:
        return -np.inf
    seen = basis @ profile
    misfit = float(seen @ np.linalg.solve(covariance, seen))
    return float(-(size + len(seen) * np.log(misfit / len(seen))) / 2) if misfit > 0 else -np.inf


@functools.lru_cache(maxsize=8)
def _contrasts(layers: int) -> np.ndarray:
    """Rows that are orthogonal to a constant."""
    out: np.ndarray = np.linalg.svd(np.ones((1, layers)))[2][1:]
    return out


@functools.lru_cache(maxsize=8)
def _roots(place: tuple[float, ...]) -> tuple[np.ndarray, ...]:
    """Roots of all covariances: every kind and length, with every share of noise."""
    at = np.array(place)
    apart = np.abs(at[:, None] - at[None])
    off = np.eye(len(at)) - 1 / len(at)
    out = []
    for length in LENGTHS:
        far = apart / length
        for shape in (np.exp(-far), (1 + 3**0.5 * far) * np.exp(-(3**0.5) * far), np.exp(-(far**2) / 2)):
            # What all layers share is not part of a profile's shape.
            varying = off @ shape @ off
            varying /= np.trace(varying) / len(at)
            for noise in NOISE:
                values, vectors = np.linalg.eigh((1 - noise) * varying + noise * np.eye(len(at)))
                out.append(vectors * np.sqrt(np.clip(values, 0, None)))
    return tuple(out)
