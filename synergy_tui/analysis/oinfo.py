"""Series → O-information of sets of units (Rosas et al., Phys. Rev. E 100:032305, 2019), in nats. NumPy only, so that
the command line may use it.

Ω = TC − DTC, total correlation minus dual total correlation, of the activity of units at the same step: above 0 if
redundancy prevails in the set, below 0 if synergy does, and 0 for any two units. With R the correlation matrix of k
Gaussian units, Ω = −ln|R| − ½ Σ ln (R⁻¹)ⱼⱼ.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from jaxtyping import Float, Int

from synergy_tui.terms import BIASES

SMALLEST = 3
"""Fewest units of a set. For two units Ω is always 0."""

_CONDITION = 1e10
"""Ratio of the extreme eigenvalues of R above which a set has no value in a prompt."""

_AT_ONCE = 2_000_000
"""Most numbers of matrices held at once."""


@dataclass(frozen=True)
class Held:
    """A set against random sets of the same size; each value is a mean over prompts in nats. low, high: Student's 95 %
    interval of the value over prompts. mean: of the random sets; quantile: the share of them that have less; p:
    two-sided, the set counted among them. NaN without anything to compare with."""

    value: float
    low: float
    high: float
    prompts: int
    mean: float
    quantile: float
    p: float


def correlations(series: Float[np.ndarray, "prompts units steps"]) -> tuple[np.ndarray, np.ndarray]:
    """(correlation matrices [prompts, units, units], steps [prompts]) of the activity of units at the same step, each
    response centred and scaled by itself; NaN for a unit that is constant or not finite in the response. A response
    ends where no unit has a value."""
    found, steps = [], []
    for response in np.asarray(series, np.float64):
        present = ~np.isnan(response).all(axis=0)
        length = len(present) - int(present[::-1].argmax()) if present.any() else 0
        values = response[:, :length]
        with np.errstate(invalid="ignore"):
            values = values - values.mean(axis=1, keepdims=True) if length else values
            size = np.sqrt((values**2).sum(axis=1, keepdims=True))
        varies = (size > 0) & (np.ptp(response[:, :length], axis=1, keepdims=True) > 0) if length else size > 0
        values = np.divide(values, size, out=np.full(values.shape, np.nan), where=varies)
        found.append(values @ values.T)
        steps.append(length)
    return np.stack(found), np.array(steps)


def o_information(
    matrices: Float[np.ndarray, "prompts units units"],
    steps: Int[np.ndarray, " prompts"],
    sets: Int[np.ndarray, "sets k"],
    bias: str = BIASES[0],
) -> Float[np.ndarray, "sets prompts"]:
    """Ω of sets of units in every prompt, nats; NaN if a unit has no value, if the set is ill-conditioned, or if a
    response has no more than k + 1 steps. bias: `analytic` subtracts the mean error for that many independent samples.
    """
    count, k = sets.shape
    out = np.full((count, len(matrices)), np.nan)
    at_once = max(1, _AT_ONCE // k**2)
    for prompt, (matrix, length) in enumerate(zip(matrices, steps.tolist(), strict=True)):
        if length <= k + 1:
            continue
        for start in range(0, count, at_once):
            some = sets[start : start + at_once]
            out[start : start + at_once, prompt] = of_matrices(matrix[some[:, :, None], some[:, None, :]])
        if bias != BIASES[0]:
            out[:, prompt] -= error(length, k)
    return out


def of_matrices(matrices: Float[np.ndarray, "sets k k"]) -> Float[np.ndarray, " sets"]:
    """Ω of Gaussian variables with these correlation or covariance matrices, nats."""
    out = np.full(len(matrices), np.nan)
    known = np.flatnonzero(np.isfinite(matrices).all(axis=(1, 2)))
    size = np.sqrt(np.diagonal(matrices[known], axis1=1, axis2=2))
    scaled = matrices[known] / size[:, :, None] / size[:, None, :]
    spectrum = np.linalg.eigvalsh(scaled)
    good = spectrum[:, 0] * _CONDITION > spectrum[:, -1]
    own = np.diagonal(np.linalg.inv(scaled[good]), axis1=1, axis2=2)
    out[known[good]] = -np.log(spectrum[good]).sum(axis=1) - 0.5 * np.log(own).sum(axis=1)
    return out


def error(steps: int, k: int) -> float:
    """Mean error of Ω of k units from `steps` independent Gaussian samples, nats: the errors of the entropies of all,
    of each and of all but each (Goodman, 1963; docs/method.md, section 2). Terms not written below cancel."""
    psi = np.cumsum([0.0, *(_digamma_of_half(steps - one) for one in range(1, k + 1))])
    return float(0.5 * ((k - 2) * psi[k] + k * psi[1] - k * psi[k - 1]))


def random_sets(
    known: Int[np.ndarray, " known"],
    layer_of: Int[np.ndarray, " units"],
    units: Int[np.ndarray, " k"],
    count: int,
    chance: np.random.Generator,
    matched: bool = False,
) -> Int[np.ndarray, "count k"]:
    """Random sets of known units, of the same size as `units`. matched: with the same number in every layer."""
    if not matched:
        return np.stack([chance.choice(known, len(units), replace=False) for _ in range(count)])
    layers, sizes = np.unique(layer_of[units], return_counts=True)
    inside = [known[layer_of[known] == layer] for layer in layers]
    return np.stack(
        [
            np.concatenate([chance.choice(one, size, replace=False) for one, size in zip(inside, sizes, strict=True)])
            for _ in range(count)
        ]
    )


def held_against(own: Float[np.ndarray, " prompts"], others: Float[np.ndarray, "sets prompts"] | None = None) -> Held:
    """A set's Ω in every prompt, compared with other sets over the prompts in which the set has a value."""
    used = np.isfinite(own)
    value, low, high = _interval(own[used])
    nothing = Held(value, low, high, int(used.sum()), math.nan, math.nan, math.nan)
    if others is None or not used.any():
        return nothing
    drawn = others[:, used]
    drawn = drawn[np.isfinite(drawn).all(axis=1)].mean(axis=1)
    if not len(drawn):
        return nothing
    below, above = int((drawn <= value).sum()), int((drawn >= value).sum())
    p = min(2 * (1 + min(below, above)) / (1 + len(drawn)), 1.0)
    return Held(value, low, high, int(used.sum()), float(drawn.mean()), float((drawn < value).mean()), p)


def _interval(values: np.ndarray) -> tuple[float, float, float]:
    count = len(values)
    if not count:
        return math.nan, math.nan, math.nan
    mean = float(values.mean())
    if count < 2:
        return mean, math.nan, math.nan
    reach = student(count - 1) * float(values.std(ddof=1)) / math.sqrt(count)
    return mean, mean - reach, mean + reach


def student(freedom: int) -> float:
    """The 97.5 % point of Student's t, to about 0.1 %: exact for one and two degrees of freedom, then the expansion
    about the normal one (Abramowitz and Stegun 26.7.5). SciPy's version would load SciPy in the faces."""
    if freedom == 1:
        return math.tan(math.pi * 0.475)
    if freedom == 2:
        return 0.95 / math.sqrt(2 * 0.975 * 0.025)
    z = NormalDist().inv_cdf(0.975)
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return sum(term / freedom**power for power, term in enumerate(terms))


def _digamma_of_half(number: int) -> float:
    """ψ(number / 2) of a whole number above 0, by its recurrence from ψ(½) or ψ(1)."""
    start = -np.euler_gamma - (2 * math.log(2) if number % 2 else 0.0)
    first = 0.5 if number % 2 else 1.0
    return float(start + (1 / np.arange(first, number / 2)).sum())
