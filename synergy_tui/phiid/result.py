"""The parts of a decomposition: sums and blocks of pairs as the engine gives them, and the whole merged from its
blocks. NumPy only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Float, Int

from synergy_tui.errors import MeasureError
from synergy_tui.terms import INVALID_REASONS

S = TypeVar("S", bound="_Sums")


class _Sums:
    """Arrays that add up over blocks."""

    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays by name, for storing a block."""
        return {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]

    def __iadd__(self: S, other: S) -> S:
        for name, mine in self.arrays().items():
            mine += getattr(other, name)
        return self


@dataclass(frozen=True)
class UnitSums(_Sums):
    """Sums over the valid pairs of each unit, per prompt, with the unit itself as x."""

    atoms: Float[np.ndarray, "prompts units 16"]
    offset: Float[np.ndarray, "prompts units"]
    balance: Float[np.ndarray, "prompts units"]
    pairs: Int[np.ndarray, "prompts units"]
    balance_pairs: Int[np.ndarray, "prompts units"]

    @classmethod
    def zeros(cls, *shape: int) -> UnitSums:
        """Sums without any pair; `shape`: prompts and units."""
        pairs, balance_pairs = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        return cls(np.zeros((*shape, 16)), np.zeros(shape), np.zeros(shape), pairs, balance_pairs)


@dataclass(frozen=True)
class UnitTotals(_Sums):
    """Sums over each unit's pairs of the pairs' means over prompts, with the unit itself as x. balance: the pairs' sums
    over prompts, and how many prompts these cover."""

    atoms: Float[np.ndarray, "units 16"]
    offset: Float[np.ndarray, " units"]
    balance: Float[np.ndarray, " units"]
    balance_prompts: Float[np.ndarray, " units"]
    pairs: Int[np.ndarray, " units"]

    @classmethod
    def zeros(cls, units: int) -> UnitTotals:
        """Totals without any pair."""
        offset, balance, balance_prompts = np.zeros((3, units))
        return cls(np.zeros((units, 16)), offset, balance, balance_prompts, np.zeros(units, np.int64))


@dataclass(frozen=True)
class PairBlock:
    """A run of pairs in ascending order (i, j): means over their valid prompts, nats. `spread`: standard deviation over
    those prompts of sts, rtr and TDMI, NaN below two. `reason`: 0, or the code of the gravest reason that made a prompt
    invalid (terms.INVALID_REASONS). `reasons` counts pairs × prompts."""

    pairs: Int[np.ndarray, "n 2"]
    mean: Float[np.ndarray, "n 16"]
    spread: Float[np.ndarray, "n 3"]
    offset: Float[np.ndarray, " n"]
    valid_prompts: Int[np.ndarray, " n"]
    reason: Int[np.ndarray, " n"]
    reasons: dict[str, int]
    sums: UnitSums
    totals: UnitTotals


@dataclass(frozen=True)
class UnitAtoms:
    """The results for units, which stay small when there are many pairs. The unit is always x, so `xtx` is its own; NaN
    for a unit without a valid pair.

    unit, unit_offset: atoms and independence offset 2·min(AIS), mean over partners of the pair's mean over prompts ·
    unit_prompt, unit_prompt_offset: the same in each prompt, the basis of intervals; pooled prompts count as one ·
    unit_balance: mean of sts/(sts + rtr) over the pairs where that sum is positive · unit_pairs: valid pairs of each
    unit in each prompt · pairs_valid, pairs_all: how many pairs have a value, and how many pairs exist · reasons:
    counts of why pairs × prompts were invalid.
    """

    unit: Float[np.ndarray, "units 16"]
    unit_offset: Float[np.ndarray, " units"]
    unit_prompt: Float[np.ndarray, "prompts units 16"]
    unit_prompt_offset: Float[np.ndarray, "prompts units"]
    unit_balance: Float[np.ndarray, "prompts units"]
    unit_pairs: Int[np.ndarray, "prompts units"]
    pairs_valid: int
    pairs_all: int
    reasons: dict[str, int]


@dataclass(frozen=True)
class PairAtoms(UnitAtoms):
    """The decomposition of a series.

    pairs: i < j, x = i, y = j · mean: atoms in the order of ATOMS, over valid prompts, nats, NaN if no prompt is valid
    · spread: standard deviation over those prompts of sts, rtr and TDMI · offset: the independence offset 2·min(AIS) ·
    valid_prompts: how many prompts each mean is over · reason: see PairBlock.
    """

    pairs: Int[np.ndarray, "pairs 2"]
    mean: Float[np.ndarray, "pairs 16"]
    spread: Float[np.ndarray, "pairs 3"]
    offset: Float[np.ndarray, " pairs"]
    valid_prompts: Int[np.ndarray, " pairs"]
    reason: Int[np.ndarray, " pairs"]


def merge(blocks: Iterable[PairBlock]) -> PairAtoms:
    """One decomposition from its blocks, in order. Raises MeasureError when no pair is valid in any prompt."""
    blocks = list(blocks)
    units = merge_units(blocks)
    names = ("pairs", "mean", "spread", "offset", "valid_prompts", "reason")
    columns: dict[str, Any] = {name: np.concatenate([getattr(block, name) for block in blocks]) for name in names}
    return PairAtoms(**columns, **vars(units))


def merge_units(blocks: Iterable[PairBlock]) -> UnitAtoms:
    """The blocks' results for units; each block is read once and not kept. Raises MeasureError as `merge` does."""
    sums: UnitSums | None = None
    totals: UnitTotals | None = None
    reasons, valid, count = dict.fromkeys(INVALID_REASONS, 0), 0, 0
    for block in blocks:
        if sums is None or totals is None:
            sums, totals = UnitSums.zeros(*block.sums.pairs.shape), UnitTotals.zeros(len(block.totals.pairs))
        sums += block.sums
        totals += block.totals
        reasons = {name: reasons[name] + block.reasons[name] for name in INVALID_REASONS}
        valid += int((block.valid_prompts > 0).sum())
        count += len(block.pairs)
    if sums is None or totals is None or not valid:
        commonest = max(reasons, key=lambda name: reasons[name])
        raise MeasureError(
            f"no valid pair: {reasons[commonest]:,} of pairs × prompts are {commonest}",
            "capture longer responses, or look at the series for constant or copied units",
        )
    return UnitAtoms(
        unit=mean_of(totals.atoms, totals.pairs[:, None]),
        unit_offset=mean_of(totals.offset, totals.pairs),
        unit_prompt=mean_of(sums.atoms, sums.pairs[:, :, None]),
        unit_prompt_offset=mean_of(sums.offset, sums.pairs),
        unit_balance=mean_of(sums.balance, sums.balance_pairs),
        unit_pairs=sums.pairs,
        pairs_valid=valid,
        pairs_all=count,
        reasons=reasons,
    )


def mean_of(sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """sums/counts, NaN for a count of 0."""
    return np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
