"""What a decomposition is: unit sums and blocks of pairs as the engine gives them, and the whole made of its blocks.
NumPy only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from synergy_tui.errors import MeasureError
from synergy_tui.terms import INVALID_REASONS


@dataclass(frozen=True)
class UnitSums:
    """Sums over the valid pairs of each unit, per prompt, the unit itself taken as x. They add up over blocks."""

    atoms: Float[np.ndarray, "prompts units 16"]
    offset: Float[np.ndarray, "prompts units"]
    balance: Float[np.ndarray, "prompts units"]
    pairs: Int[np.ndarray, "prompts units"]
    balance_pairs: Int[np.ndarray, "prompts units"]

    @classmethod
    def zeros(cls, prompts: int, units: int) -> UnitSums:
        """No pair summed yet."""
        shape = (prompts, units)
        return cls(
            np.zeros((*shape, 16)),
            np.zeros(shape),
            np.zeros(shape),
            np.zeros(shape, np.int64),
            np.zeros(shape, np.int64),
        )

    def arrays(self) -> dict[str, np.ndarray]:
        """The five arrays by name, for keeping a block."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    def __iadd__(self, other: UnitSums) -> UnitSums:
        for name, mine in self.arrays().items():
            mine += getattr(other, name)
        return self


@dataclass(frozen=True)
class PairBlock:
    """A run of pairs in ascending order (i, j): means over their valid prompts, nats. `reason`: 0, or the code of the
    gravest reason that made a prompt invalid (terms.INVALID_REASONS). `reasons` counts pairs × prompts."""

    pairs: Int[np.ndarray, "n 2"]
    mean: Float[np.ndarray, "n 16"]
    offset: Float[np.ndarray, " n"]
    valid_prompts: Int[np.ndarray, " n"]
    reason: Int[np.ndarray, " n"]
    reasons: dict[str, int]
    sums: UnitSums


@dataclass(frozen=True)
class PairAtoms:
    """The decomposition of a series.

    pairs: i < j, x = i, y = j · mean: atoms in the order of ATOMS, over valid prompts, nats, NaN where no prompt is
    valid · offset: the independence offset 2·min(AIS), likewise · valid_prompts: how many prompts each mean is over ·
    reason, reasons: see PairBlock · unit_prompt: mean over a unit's valid pairs with the unit as x (so `xtx` is always
    the unit's own), NaN where it has none · unit_offset: likewise · unit_balance: mean of sts/(sts + rtr) over the
    pairs where that sum is positive · unit_pairs: valid pairs of each unit in each prompt.
    """

    pairs: Int[np.ndarray, "pairs 2"]
    mean: Float[np.ndarray, "pairs 16"]
    offset: Float[np.ndarray, " pairs"]
    valid_prompts: Int[np.ndarray, " pairs"]
    reason: Int[np.ndarray, " pairs"]
    reasons: dict[str, int]
    unit_prompt: Float[np.ndarray, "prompts units 16"]
    unit_offset: Float[np.ndarray, "prompts units"]
    unit_balance: Float[np.ndarray, "prompts units"]
    unit_pairs: Int[np.ndarray, "prompts units"]


def merge(blocks: Iterable[PairBlock]) -> PairAtoms:
    """One decomposition from its blocks, in order. Raises MeasureError when no pair is valid in any prompt."""
    blocks = list(blocks)
    total = UnitSums.zeros(*blocks[0].sums.pairs.shape)
    for block in blocks:
        total += block.sums
    reasons = {name: sum(block.reasons[name] for block in blocks) for name in INVALID_REASONS}
    valid_prompts = np.concatenate([block.valid_prompts for block in blocks])
    if not valid_prompts.any():
        commonest = max(reasons, key=lambda name: reasons[name])
        raise MeasureError(
            f"no valid pair: {reasons[commonest]:,} of pairs × prompts are {commonest}",
            "capture longer responses, or look at the series for constant or copied units",
        )
    return PairAtoms(
        pairs=np.concatenate([block.pairs for block in blocks]),
        mean=np.concatenate([block.mean for block in blocks]),
        offset=np.concatenate([block.offset for block in blocks]),
        valid_prompts=valid_prompts,
        reason=np.concatenate([block.reason for block in blocks]),
        reasons=reasons,
        unit_prompt=mean_of(total.atoms, total.pairs[:, :, None]),
        unit_offset=mean_of(total.offset, total.pairs),
        unit_balance=mean_of(total.balance, total.balance_pairs),
        unit_pairs=total.pairs,
    )


def mean_of(sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """sums/counts, NaN where nothing was counted."""
    return np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
