"""Pair and unit atoms → one value per unit for every score and ranking. A ranking is one function here and one word in
terms.RANKINGS. Definitions: METHOD section 3, in nats; synergistic units are high."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.stats import rankdata

from synergy_tui.terms import ATOMS, RANKINGS, RTR, STS


@dataclass(frozen=True)
class UnitValues:
    """What rankings are made of, per unit (with any number of leading replicate axes): mean atoms over the unit's
    pairs, mean independence offset, mean balance. NaN for a unit without a valid pair."""

    atoms: Float[np.ndarray, "*replicates units 16"]
    offset: Float[np.ndarray, "*replicates units"]
    balance: Float[np.ndarray, "*replicates units"]

    @property
    def sts(self) -> Float[np.ndarray, "*replicates units"]:
        """Synergy, nats."""
        return self.atoms[..., STS]

    @property
    def rtr(self) -> Float[np.ndarray, "*replicates units"]:
        """Redundancy, nats."""
        return self.atoms[..., RTR]

    @property
    def tdmi(self) -> Float[np.ndarray, "*replicates units"]:
        """Time-delayed mutual information of the unit's pairs: the sum of the atoms, nats."""
        return self.atoms.sum(axis=-1)


def unit_values(
    pairs: np.ndarray,
    mean: Float[np.ndarray, "pairs 16"],
    offset: Float[np.ndarray, " pairs"],
    unit_balance: Float[np.ndarray, "prompts units"],
) -> UnitValues:
    """Unit value = mean over all its partners, whichever side of the pair it is on, of the pair's mean over prompts;
    the unit itself is x, so `xtx` is its own. Balance is a ratio per prompt and pair, averaged."""
    units = unit_balance.shape[1]
    swapped = [ATOMS.index(name.translate(_SWAP)) for name in ATOMS]
    both = (
        np.concatenate([mean, offset[:, None]], axis=1),
        np.concatenate([mean[:, swapped], offset[:, None]], axis=1),
    )
    total, count = np.zeros((units, 17)), np.zeros(units)
    valid = np.isfinite(mean[:, 0])
    for side in (0, 1):
        who = pairs[valid, side]
        count += np.bincount(who, minlength=units)
        for column in range(17):
            total[:, column] += np.bincount(who, weights=both[side][valid, column], minlength=units)
    values = np.divide(total, count[:, None], out=np.full_like(total, np.nan), where=count[:, None] > 0)
    return UnitValues(values[:, :16], values[:, 16], mean_over(unit_balance, axis=0))


_SWAP = str.maketrans("xy", "yx")


def values_over(
    unit_prompt: Float[np.ndarray, "prompts units 16"],
    unit_offset: Float[np.ndarray, "prompts units"],
    unit_balance: Float[np.ndarray, "prompts units"],
) -> UnitValues:
    """Unit values over some of the prompts, for comparing parts of a run."""
    return UnitValues(*(mean_over(part, axis=0) for part in (unit_prompt, unit_offset, unit_balance)))


def ranking(name: str, values: UnitValues) -> Float[np.ndarray, "*replicates units"]:
    """Raw values of a ranking. Raises KeyError for a name that terms.RANKINGS does not have."""
    return _RANKINGS[name](values)


def scaled(raw: Float[np.ndarray, "*replicates units"]) -> Float[np.ndarray, "*replicates units"]:
    """Min–max scaled to [0, 1] over the units; NaN where all are equal."""
    low = np.where(np.isnan(raw), np.inf, raw).min(axis=-1, keepdims=True)
    span = np.where(np.isnan(raw), -np.inf, raw).max(axis=-1, keepdims=True) - low
    return np.divide(raw - low, span, out=np.full_like(raw, np.nan), where=span > 0)


def mean_over(values: np.ndarray, axis: int) -> np.ndarray:
    """Mean of the finite values along an axis; NaN where there are none."""
    finite = np.isfinite(values)
    count = finite.sum(axis=axis)
    total = np.where(finite, values, 0.0).sum(axis=axis)
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)


def _ranks(values: np.ndarray) -> np.ndarray:
    return rankdata(values, axis=-1, nan_policy="omit")


def _tdmi_share(values: UnitValues) -> np.ndarray:
    tdmi = values.tdmi
    return np.divide(values.sts - values.rtr, tdmi, out=np.full(tdmi.shape, np.nan), where=tdmi > 0)


_RANKINGS = {
    "rank-difference": lambda values: _ranks(values.sts) - _ranks(values.rtr),
    "difference": lambda values: values.sts - values.rtr,
    "balance": lambda values: values.balance,
    "tdmi-share": _tdmi_share,
    # Until surrogates are there the independence offset stands in for their mean.
    "excess": lambda values: values.sts - values.offset,
}
assert tuple(_RANKINGS) == RANKINGS
