"""Atoms against a null of equal total information: NuMIT (Liardi et al., arXiv:2410.11583).

The null of a pair is a random Gaussian system with the same time-delayed mutual information (TDMI): a stationary VAR(1)
of two variables, whose coefficients are standard normal and whose noise has a Wishart covariance of three degrees of
freedom, with the coefficients scaled until the TDMI matches. An atom's score is the share of those systems that have
less of it. The atoms are Gaussian under MMI. NumPy only; nats.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from jaxtyping import Float

SMALLEST, LARGEST = 1e-3, 8.0
"""TDMI of the first and last null, nats. Below the first, an atom's share of the TDMI has the single distribution of
weak coupling; above the last there is no score."""

SYSTEMS = 8192
"""Systems of each null. A quantile has a standard error of 0.006 at most, the same error for every pair."""

_NULLS = 28

_LEVELS = np.linspace(0.0, 1.0, 513)
"""Probabilities at which a null's distribution is stored; it is linear between them."""

_SEED = 241011583


def quantiles(
    sts: Float[np.ndarray, "*any"], rtr: Float[np.ndarray, "*any"], tdmi: Float[np.ndarray, "*any"]
) -> tuple[Float[np.ndarray, "*any"], Float[np.ndarray, "*any"]]:
    """(of sts, of rtr) the share of null systems of the same TDMI that have less, entry by entry, all in nats. NaN if
    the TDMI is not positive or above LARGEST, or if an atom is NaN."""
    known = np.isfinite(sts) & np.isfinite(rtr) & (tdmi > 0) & (tdmi <= LARGEST)
    total = tdmi[known]
    place = np.interp(np.log(total), np.log(_totals()), np.arange(_NULLS))
    below = np.minimum(place.astype(int), _NULLS - 2)
    out = []
    for values, null in zip((sts, rtr), _table(), strict=True):
        found = _between(values[known] / total, place - below, below, null)
        whole = np.full(np.shape(tdmi), np.nan)
        whole[known] = found
        out.append(whole)
    return out[0], out[1]


def null_systems(
    tdmi: float, count: int, chance: np.random.Generator
) -> tuple[Float[np.ndarray, "count 2 2"], Float[np.ndarray, "count 2 2"]]:
    """(coefficients, covariance) of stationary VAR(1) systems drawn from the null of this TDMI, nats."""
    coefficients, noise = _random(count, chance)
    scaled = coefficients * _scale(coefficients, noise, tdmi)[:, None, None]
    return scaled, _stationary(scaled, noise)


def atoms(
    coefficients: Float[np.ndarray, "count 2 2"], covariance: Float[np.ndarray, "count 2 2"]
) -> tuple[Float[np.ndarray, " count"], Float[np.ndarray, " count"], Float[np.ndarray, " count"]]:
    """(sts, rtr, TDMI) of stationary VAR(1) systems under MMI, by the closed form in docs/method.md, section 2,
    nats."""
    size = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    both = size[:, :, None] * size[:, None, :]
    among = covariance[:, 0, 1] / both[:, 0, 1]
    onwards = (coefficients @ covariance) / both  # [future, past]
    xx, yx, xy, yy = onwards[:, 0, 0], onwards[:, 0, 1], onwards[:, 1, 0], onwards[:, 1, 1]  # yx: y with x′
    of_x, of_y = (_one(xx), _one(xy)), (_one(yx), _one(yy))
    x_future, y_future = _two(xx, xy, among), _two(yx, yy, among)
    past_x, past_y = _two(xx, yx, among), _two(xy, yy, among)
    noise = covariance - coefficients @ covariance @ coefficients.transpose(0, 2, 1)
    total = 0.5 * np.log(np.linalg.det(covariance) / np.linalg.det(noise))
    least, most = np.minimum, np.maximum
    rtr = least(least(*of_x), least(*of_y))
    sts = (
        total
        - most(past_x, past_y)
        - most(x_future, y_future)
        + most(*of_x)
        + most(*of_y)
        - least(of_x[0], of_y[0])
        - least(of_x[1], of_y[1])
        + rtr
    )
    return sts, rtr, total


def _one(correlation: np.ndarray) -> np.ndarray:
    """Information between two variables."""
    return -0.5 * np.log1p(-(correlation**2))


def _two(one: np.ndarray, other: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Information between a variable and two others that correlate `among` themselves."""
    explained = (one**2 + other**2 - 2 * one * other * among) / (1 - among**2)
    return -0.5 * np.log1p(-explained)


@cache
def _totals() -> np.ndarray:
    return np.geomspace(SMALLEST, LARGEST, _NULLS)


@cache
def _table() -> tuple[np.ndarray, np.ndarray]:
    """Of sts and of rtr, as shares of the TDMI: [nulls, levels] quantiles of the null at each of _totals(). All nulls
    use the same systems, scaled differently, so they change smoothly with the TDMI."""
    coefficients, noise = _random(SYSTEMS, np.random.default_rng(_SEED))
    rows = []
    for tdmi in _totals():
        scaled = coefficients * _scale(coefficients, noise, tdmi)[:, None, None]
        sts, rtr, total = atoms(scaled, _stationary(scaled, noise))
        rows.append([np.quantile(one / total, _LEVELS) for one in (sts, rtr)])
    table = np.array(rows)
    return table[:, 0], table[:, 1]


def _random(count: int, chance: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(coefficients of spectral radius 1, noise covariances)."""
    coefficients = chance.standard_normal((count, 2, 2))
    radius = np.abs(np.linalg.eigvals(coefficients)).max(axis=1)
    factor = chance.standard_normal((count, 2, 3))
    return coefficients / radius[:, None, None], factor @ factor.transpose(0, 2, 1)


def _scale(coefficients: np.ndarray, noise: np.ndarray, tdmi: float) -> np.ndarray:
    """The spectral radius at which each system has this TDMI, by bisection: the TDMI grows with the radius."""
    low, high = np.full(len(noise), -18.0), np.full(len(noise), 18.0)
    wanted = 2 * tdmi + np.log(noise[:, 0, 0] * noise[:, 1, 1] - noise[:, 0, 1] ** 2)
    for _ in range(46):
        middle = (low + high) / 2
        one, both, other = _lyapunov(coefficients / (1 + np.exp(-middle))[:, None, None], noise)
        above = np.log(np.maximum(one * other - both**2, 1e-300)) > wanted
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return 1 / (1 + np.exp(-(low + high) / 2))


def _stationary(coefficients: np.ndarray, noise: np.ndarray) -> np.ndarray:
    one, both, other = _lyapunov(coefficients, noise)
    return np.stack([np.stack([one, both], axis=-1), np.stack([both, other], axis=-1)], axis=-2)


def _lyapunov(coefficients: np.ndarray, noise: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Γ₁₁, Γ₁₂ and Γ₂₂ of Γ = AΓAᵀ + V, by Cramer's rule on its three equations."""
    a, b, c, d = coefficients.reshape(-1, 4).T
    v, w, u = noise[:, 0, 0], noise[:, 0, 1], noise[:, 1, 1]
    first, last, middle = 1 - a * a, 1 - d * d, 1 - a * d - b * c
    # Rows: (first, −2ab, −b²), (−ac, middle, −bd), (−c², −2cd, last).
    minor_1 = middle * last - 2 * b * c * d * d
    minor_2 = a * c * last + b * c * c * d
    minor_3 = 2 * a * c * c * d + middle * c * c
    whole = first * minor_1 - 2 * a * b * minor_2 - b * b * minor_3
    ab, cd = 2 * a * b, 2 * c * d
    one = v * minor_1 + w * (ab * last + b * b * cd) + u * (ab * b * d + b * b * middle)
    both = v * minor_2 + w * (first * last - b * b * c * c) + u * (first * b * d + b * b * a * c)
    other = v * minor_3 + w * (first * cd + ab * c * c) + u * (first * middle - ab * a * c)
    return one / whole, both / whole, other / whole


def _between(share: np.ndarray, weight: np.ndarray, below: np.ndarray, null: np.ndarray) -> np.ndarray:
    """Probabilities of shares under the nulls on both sides of their TDMI, weighted by the distance to each."""
    out = np.zeros(len(share))
    for side, of_side in ((0, 1 - weight), (1, weight)):
        rows = below + side
        order = np.argsort(rows, kind="stable")
        ends = np.searchsorted(rows[order], np.arange(len(null) + 1))
        for row in np.flatnonzero(np.diff(ends)):
            mine = order[ends[row] : ends[row + 1]]
            out[mine] += of_side[mine] * np.interp(share[mine], null[row], _LEVELS)
    return out
