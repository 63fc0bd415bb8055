"""What is kept of surrogate data: moments of pairs, never their values, and the units' values in every draw. NumPy
only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from synergy_tui import tails
from synergy_tui.phiid.result import UnitSums, UnitTotals, mean_of
from synergy_tui.terms import RTR, STS

MEASURED = ("sts", "rtr", "tdmi")
"""The quantities whose moments are kept for pairs, in this order."""


@dataclass
class Moments:
    """Streamed moments over draws, about `centre` (the observed values: sums of cubes stay small). A draw without a
    value is skipped."""

    centre: Float[np.ndarray, "n 3"]
    count: Int[np.ndarray, " n"]
    sums: Float[np.ndarray, "3 n 3"]

    @classmethod
    def zeros(cls, centre: Float[np.ndarray, "n 3"]) -> Moments:
        """Moments without any draw."""
        centre = np.where(np.isfinite(centre), centre, 0.0)
        return cls(centre, np.zeros(len(centre), np.int64), np.zeros((3, *centre.shape)))

    def add(self, values: Float[np.ndarray, "n 3"]) -> None:
        """Adds one draw."""
        known = np.isfinite(values[:, 0])
        from_centre = np.where(known[:, None], values - self.centre, 0.0)
        self.count += known
        power = from_centre.copy()
        for total in self.sums:
            total += power
            power *= from_centre

    @property
    def mean(self) -> Float[np.ndarray, "n 3"]:
        """NaN without a draw."""
        return self.centre + self._raw()[0]

    @property
    def sd(self) -> Float[np.ndarray, "n 3"]:
        """Standard deviation with n − 1; NaN below two draws."""
        first, second, _ = self._raw()
        count = self.count[:, None]
        variance = np.maximum(second - first**2, 0.0) * mean_of(count * 1.0, count - 1)
        return np.sqrt(variance)

    @property
    def skewness(self) -> Float[np.ndarray, "n 3"]:
        """Third standardised moment; 0 if nothing varies, NaN without a draw."""
        first, second, third = self._raw()
        variance = np.maximum(second - first**2, 0.0)
        central = third - 3 * first * second + 2 * first**3
        varies = variance > 0
        return np.where(varies, central / np.where(varies, variance, 1.0) ** 1.5, variance)

    def copy(self) -> Moments:
        """A copy of the current moments."""
        return type(self)(self.centre, self.count.copy(), self.sums.copy())

    def scores(self, values: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
        """Normal scores of values that are not among the draws; the error of the mean is added to their spread."""
        scale = self.sd * np.sqrt(1 + mean_of(np.ones(self.count.shape), self.count))[:, None]
        z = np.divide(values - self.mean, scale, out=np.full(values.shape, np.nan), where=scale > 0)
        return tails.normal_score(z, self.skewness)

    def _raw(self) -> Float[np.ndarray, "3 n 3"]:
        return mean_of(self.sums, np.broadcast_to(self.count[:, None], self.sums.shape))


@dataclass(frozen=True)
class NullBlock:
    """A run of pairs under one null. observed: sts, rtr and TDMI of the data as the null uses it (prompt-shuffle cuts
    responses to like length), nats. observed_units, units: unit sums of the data and of every draw; they add up over
    blocks. So do by_prompt, the result of `by_prompt` for the data and the kept draws, and counts: counted normal
    scores of the later half of the draws against the moments of the earlier half (tails.py)."""

    pairs: Int[np.ndarray, "n 2"]
    observed: Float[np.ndarray, "n 3"]
    moments: Moments
    observed_units: UnitTotals
    units: list[UnitTotals]
    by_prompt: Float[np.ndarray, "draws prompts units 6"]
    counts: Int[np.ndarray, "3 bins"]

    @classmethod
    def merge(cls, blocks: Sequence[NullBlock]) -> NullBlock:
        """Merges blocks, in order, into one."""
        first = blocks[0]
        observed_units, units, prompts = first.observed_units, first.units, first.by_prompt
        for block in blocks[1:]:
            observed_units += block.observed_units
            prompts = prompts + block.by_prompt
            for mine, other in zip(units, block.units, strict=True):
                mine += other
        moments = Moments(
            np.concatenate([block.moments.centre for block in blocks]),
            np.concatenate([block.moments.count for block in blocks]),
            np.concatenate([block.moments.sums for block in blocks], axis=1),
        )
        pairs, observed = (np.concatenate([getattr(block, name) for block in blocks]) for name in ("pairs", "observed"))
        counts = np.sum([block.counts for block in blocks], axis=0)
        return cls(pairs, observed, moments, observed_units, units, prompts, counts)


def by_prompt(sums: UnitSums) -> Float[np.ndarray, "prompts units 6"]:
    """Sums over each unit's valid pairs in each prompt: sts, rtr, TDMI and balance, then the number of pairs behind the
    first three and behind the last; float32."""
    tdmi = sums.atoms.sum(axis=-1)
    columns = (sums.atoms[..., STS], sums.atoms[..., RTR], tdmi, sums.balance, sums.pairs, sums.balance_pairs)
    return np.stack(columns, axis=-1).astype(np.float32)
