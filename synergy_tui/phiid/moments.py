"""What surrogate data leave behind: moments of pairs, never their values, and the units' values of every draw. NumPy
only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from jaxtyping import Float, Int

from synergy_tui.phiid.result import UnitTotals, mean_of

MEASURED = ("sts", "rtr", "tdmi")
"""Of what the moments of pairs are kept, in this order."""


@dataclass
class Moments:
    """Streamed moments over draws, about `centre` (the observed values: sums of cubes stay small). A draw without a
    value is passed over."""

    centre: Float[np.ndarray, "n 3"]
    count: Int[np.ndarray, " n"]
    sums: Float[np.ndarray, "3 n 3"]

    @classmethod
    def zeros(cls, centre: Float[np.ndarray, "n 3"]) -> Self:
        """No draw yet."""
        centre = np.where(np.isfinite(centre), centre, 0.0)
        return cls(centre, np.zeros(len(centre), np.int64), np.zeros((3, *centre.shape)))

    def add(self, values: Float[np.ndarray, "n 3"]) -> None:
        """One draw more."""
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
        """With n − 1; NaN below two draws."""
        first, second, _ = self._raw()
        count = self.count[:, None]
        variance = np.maximum(second - first**2, 0.0) * mean_of(count * 1.0, count - 1)
        return np.sqrt(variance)

    @property
    def skewness(self) -> Float[np.ndarray, "n 3"]:
        """Third standardised moment; 0 where nothing varies, NaN without a draw."""
        first, second, third = self._raw()
        variance = np.maximum(second - first**2, 0.0)
        central = third - 3 * first * second + 2 * first**3
        varies = variance > 0
        return np.where(varies, central / np.where(varies, variance, 1.0) ** 1.5, variance)

    def _raw(self) -> Float[np.ndarray, "3 n 3"]:
        return mean_of(self.sums, np.broadcast_to(self.count[:, None], self.sums.shape))


@dataclass(frozen=True)
class NullBlock:
    """A run of pairs under one null. observed: sts, rtr and TDMI of the data as the null takes it (prompt-shuffle cuts
    responses to like length), nats. observed_units, units: unit sums of the data and of every draw; they add up over
    blocks."""

    pairs: Int[np.ndarray, "n 2"]
    observed: Float[np.ndarray, "n 3"]
    moments: Moments
    observed_units: UnitTotals
    units: list[UnitTotals]

    @classmethod
    def merge(cls, blocks: Sequence[NullBlock]) -> NullBlock:
        """Blocks in order, as one."""
        first = blocks[0]
        observed_units, units = first.observed_units, first.units
        for block in blocks[1:]:
            observed_units += block.observed_units
            for mine, other in zip(units, block.units, strict=True):
                mine += other
        moments = Moments(
            np.concatenate([block.moments.centre for block in blocks]),
            np.concatenate([block.moments.count for block in blocks]),
            np.concatenate([block.moments.sums for block in blocks], axis=1),
        )
        pairs, observed = (np.concatenate([getattr(block, name) for block in blocks]) for name in ("pairs", "observed"))
        return cls(pairs, observed, moments, observed_units, units)
