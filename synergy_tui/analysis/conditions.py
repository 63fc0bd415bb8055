"""A series → the conditions under which surrogate data are known to mislead, looked for in the data themselves
(docs/method.md, section 4). NumPy only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from synergy_tui.terms import VARYING_MEMORY

MOST_UNITS = 256
"""Units examined: all of them, or this many, evenly spaced."""

SHUFFLES, SHIFTS = 12, 12
"""Shuffles to compare the volatility with, and displacements to compare the likeness of responses with."""

CLEAR = 5.0
"""Standard deviations over shuffles above which volatility is called shared."""

VOLATILE, ALIKE, COURSE = 0.01, 1.15, 2.0
"""Smallest values worth a doubt: for shared volatility, a mean correlation; for likeness between responses, a ratio of
mean squares; for a course common to all prompts, a variance ratio."""

OF_COUPLING = 0.15
"""Share of the mean squared correlation that non-Gaussian coupling may add to the correlation of squares."""


@dataclass(frozen=True)
class Conditions:
    """volatility: mean correlation over pairs of units between squared activity, minus what linear coupling explains
    and minus the same in shuffled data; volatility_z: divided by its spread in shuffled data; linear: mean squared
    correlation, likewise. varying: variance over prompts of the units' mean autocorrelation, divided by what
    independent units would show. alike: mean square likeness of the time courses of exchanged responses, divided by
    that of the same responses displaced in time; alike_z: divided by its spread. course: variance of the units' mean
    course over prompts, divided by that of independent responses. NaN with too few prompts or units."""

    volatility: float
    volatility_z: float
    linear: float
    varying: float
    alike: float
    alike_z: float
    course: float

    @property
    def shared_volatility(self) -> bool:
        """Whether both nulls would call independent units coupled."""
        least = VOLATILE + OF_COUPLING * max(self.linear, 0.0)
        return bool(self.volatility > least and self.volatility_z > CLEAR)

    @property
    def shared_courses(self) -> bool:
        """Whether groups of prompts have their own time courses, or resemble each other in another way."""
        return bool(self.alike > ALIKE and self.alike_z > CLEAR)

    @property
    def varying_memory(self) -> bool:
        """Whether prompt-shuffle alone would call independent units coupled."""
        return bool(self.varying > VARYING_MEMORY)

    @property
    def redundancy_misled(self) -> bool:
        """Whether both nulls reject the redundancy of independent units, both upwards: prompt-shuffle because memory
        varies over prompts, window-roll because the prompts have a common course."""
        return self.varying_memory and bool(self.course > COURSE)

    def misleading(self) -> list[str]:
        """Why no null can be trusted to call anything coupled; empty if there is no such reason."""
        found = []
        if self.shared_volatility:
            found.append(f"units share volatility (r {self.volatility:.2f}), which both nulls take for coupling")
        if self.shared_courses:
            found.append(
                f"groups of prompts share time courses ({self.alike:.1f} times), which both nulls take for coupling"
            )
        return found


def conditions(
    series: Float[np.ndarray, "prompts units steps"],
    lengths: Int[np.ndarray, " prompts"],
    blocks: Sequence[Int[np.ndarray, " _"]],
    lag: int = 1,
    seed: int = 0,
) -> Conditions:
    """series, NaN past `lengths`; blocks: the prompts that prompt-shuffle exchanges."""
    units = series.shape[1]
    chosen = np.unique(np.linspace(0, units - 1, min(units, MOST_UNITS)).round().astype(int))
    chance = np.random.default_rng([seed, 9])
    parts = []
    for block in blocks:
        steps = int(lengths[block].min())
        part = _standardised(series[np.ix_(block, chosen, np.arange(steps))].astype(np.float64))
        there = (part != 0).any(axis=(0, 2))
        if there.sum() >= 3:
            parts.append(part[:, there])
    if not parts:
        return Conditions(*(float("nan"),) * 7)
    rest = [_without_course(part) for part in parts]
    own, drawn = _shared_volatility(rest, chance)
    sd = float(drawn[:, 0].std(ddof=1) * np.sqrt(1 + 1 / len(drawn)))
    volatility, linear = (own - drawn.mean(axis=0)).tolist()
    z = volatility / sd if sd > 0 else float("nan")
    return Conditions(volatility, z, linear, _varying(parts, lag), *_likeness(rest, chance), _course(parts))


def _standardised(part: np.ndarray) -> np.ndarray:
    """Each response of each unit centred, with a mean square of 1; 0 where it is constant or not finite."""
    part = np.where(np.isfinite(part).all(axis=2, keepdims=True), part, 0.0)
    part = part - part.mean(axis=2, keepdims=True)
    scale = np.sqrt((part**2).mean(axis=2, keepdims=True))
    return np.divide(part, scale, out=np.zeros_like(part), where=scale > 1e-12)


def _without_course(part: np.ndarray) -> np.ndarray:
    """Without the course that a unit has in all prompts, which prompt-shuffle leaves in place."""
    return _standardised(part - part.mean(axis=0, keepdims=True))


def _shared_volatility(
    parts: list[np.ndarray], chance: np.random.Generator
) -> tuple[Float[np.ndarray, " 2"], Float[np.ndarray, "shuffles 2"]]:
    """(of the data, of shuffles): mean over pairs and prompts of the correlation of squares minus the squared
    correlation, which Gaussian coupling would give; and that square."""

    def of(some: list[np.ndarray]) -> np.ndarray:
        return np.array([_squares(one) for one in some]).sum(axis=0) / sum(len(one) for one in some)

    def shuffled(part: np.ndarray) -> np.ndarray:
        order = chance.random(part.shape[:2]).argsort(axis=0)
        return np.take_along_axis(part, order[:, :, None], axis=0)

    return of(parts), np.array([of([shuffled(one) for one in parts]) for _ in range(SHUFFLES)])


def _squares(part: np.ndarray) -> tuple[float, float]:
    """Sums over the prompts of one block."""
    _, units, steps = part.shape
    squares = _standardised(part**2)
    pairs = units * (units - 1)
    together = ((squares.sum(axis=1) ** 2).mean(axis=1) - (squares**2).mean(axis=2).sum(axis=1)) / pairs
    gram = part @ part.transpose(0, 2, 1) / steps
    linear = ((gram**2).sum(axis=(1, 2)) - (np.diagonal(gram, axis1=1, axis2=2) ** 2).sum(axis=1)) / pairs
    return float((together - linear).sum()), float(linear.sum())


def _varying(parts: list[np.ndarray], lag: int) -> float:
    """Variance over prompts of the mean autocorrelation of all units, divided by its variance if units were
    independent."""
    own = np.concatenate([(part[:, :, lag:] * part[:, :, :-lag]).mean(axis=2) for part in parts if part.shape[2] > lag])
    if len(own) < 3:
        return float("nan")
    rest = own - own.mean(axis=0)
    alone = rest.var(axis=0, ddof=1).sum() / own.shape[1] ** 2
    return float(rest.mean(axis=1).var(ddof=1) / alone) if alone > 0 else float("nan")


def _course(parts: list[np.ndarray]) -> float:
    """Variance over steps of the mean over prompts; for independent responses it is 1/prompts."""
    each = [(len(part) * float((part.mean(axis=0) ** 2).mean()), len(part)) for part in parts]
    return sum(value * count for value, count in each) / sum(count for _, count in each)


def _likeness(parts: list[np.ndarray], chance: np.random.Generator) -> tuple[float, float]:
    """(mean square likeness of two responses of a block over that of the same displaced against each other, how many
    standard deviations it lies above that). All units of a response are displaced together, so coupled units stay
    coupled."""

    def of(some: list[np.ndarray]) -> float:
        total, count = 0.0, 0
        for one in some:
            prompts, units, steps = one.shape
            flat = one.reshape(prompts, -1)
            likeness = flat @ flat.T / (units * steps)
            off = ~np.eye(prompts, dtype=bool)
            total, count = total + float((likeness[off] ** 2).sum()), count + int(off.sum())
        return total / count

    def displaced(part: np.ndarray) -> np.ndarray:
        steps = part.shape[2]
        offsets = chance.integers(steps, size=len(part))
        place = (np.arange(steps) + offsets[:, None]) % steps
        rolled = np.take_along_axis(part, place[:, None, :], axis=2)
        return _without_course(rolled)

    own, drawn = of(parts), np.array([of([displaced(one) for one in parts]) for _ in range(SHIFTS)])
    mean, sd = drawn.mean(), drawn.std(ddof=1) * np.sqrt(1 + 1 / len(drawn))
    if not (mean > 0 and sd > 0):
        return float("nan"), float("nan")
    return float(own / mean), float((own - mean) / sd)
