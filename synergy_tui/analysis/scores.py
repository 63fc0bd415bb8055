"""Pair and unit atoms → one value per unit for every score and ranking. A ranking is one function here and one word in
terms.RANKINGS. Definitions are in docs/method.md, section 3; values are in nats, and synergistic units are high."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from synergy_tui.analysis import numit
from synergy_tui.terms import ATOMS, NORMALISED, RANKINGS, RTR, STS


@dataclass(frozen=True)
class UnitValues:
    """What rankings are made of, per unit (with any number of leading replicate axes): mean atoms over the unit's
    pairs; `expected`, its synergy without coupling: its surrogate mean, or the independence offset until there are
    surrogates; mean balance; `spread`, the standard deviation over surrogates, None without surrogates. NaN for a unit
    without a valid pair."""

    atoms: Float[np.ndarray, "*replicates units 16"]
    expected: Float[np.ndarray, "*replicates units"]
    balance: Float[np.ndarray, "*replicates units"]
    spread: Float[np.ndarray, "... units"] | None = None

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
    unit: Float[np.ndarray, "units 16"],
    expected: Float[np.ndarray, " units"],
    unit_balance: Float[np.ndarray, "prompts units"],
    spread: Float[np.ndarray, " units"] | None = None,
) -> UnitValues:
    """Values of a decomposition's units. Balance is a ratio per prompt and pair, then averaged."""
    return UnitValues(unit, expected, mean_over(unit_balance, axis=0), spread)


def values_over(
    unit_prompt: Float[np.ndarray, "prompts units 16"],
    unit_expected: Float[np.ndarray, "prompts units"],
    unit_balance: Float[np.ndarray, "prompts units"],
    spread: Float[np.ndarray, " units"] | None = None,
) -> UnitValues:
    """Unit values over some of the prompts, for comparing parts of a run."""
    atoms, expected, balance = (mean_over(part, axis=0) for part in (unit_prompt, unit_expected, unit_balance))
    return UnitValues(atoms, expected, balance, spread)


def of_measures(
    sts: Float[np.ndarray, "*replicates units"],
    rtr: Float[np.ndarray, "*replicates units"],
    tdmi: Float[np.ndarray, "*replicates units"],
    balance: Float[np.ndarray, "*replicates units"],
    expected: Float[np.ndarray, "*replicates units"],
    spread: Float[np.ndarray, "... units"] | None = None,
) -> UnitValues:
    """Values from only what rankings use: synergy, redundancy and the sum of the atoms."""
    atoms = np.zeros((*sts.shape, len(ATOMS)))
    atoms[..., STS], atoms[..., RTR] = sts, rtr
    atoms[..., STS - 1] = tdmi - sts - rtr  # the rest of the sum, in any one atom
    return UnitValues(atoms, expected, balance, spread)


def ranking(name: str, values: UnitValues) -> Float[np.ndarray, "*replicates units"]:
    """Raw values of a ranking. Raises KeyError for a name that is not in terms.RANKINGS."""
    return _RANKINGS[name](values)


def rankings_of(estimator: str, redundancy: str) -> tuple[str, ...]:
    """The rankings that atoms of this kind can have."""
    gaussian = (estimator, redundancy) == ("gaussian", "mmi")
    return tuple(name for name in RANKINGS if gaussian or name != NORMALISED)


def scaled(raw: Float[np.ndarray, "*replicates units"]) -> Float[np.ndarray, "*replicates units"]:
    """Min–max scaled to [0, 1] over the units; NaN if all are equal."""
    low = np.where(np.isnan(raw), np.inf, raw).min(axis=-1, keepdims=True)
    span = np.where(np.isnan(raw), -np.inf, raw).max(axis=-1, keepdims=True) - low
    return np.divide(raw - low, span, out=np.full_like(raw, np.nan), where=span > 0)


def mean_over(values: np.ndarray, axis: int) -> np.ndarray:
    """Mean of the finite values along an axis; NaN without any."""
    finite = np.isfinite(values)
    count = finite.sum(axis=axis)
    total = np.where(finite, values, 0.0).sum(axis=axis)
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)


def ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1 along the last axis, ties averaged; NaN stays NaN. (SciPy has this too, but the faces would have to
    load it.)"""
    order = np.argsort(values, axis=-1, kind="stable")
    ordered = np.take_along_axis(values, order, axis=-1)
    place = np.broadcast_to(np.arange(values.shape[-1]), ordered.shape)
    new = np.ones(ordered.shape, bool)
    new[..., 1:] = ordered[..., 1:] != ordered[..., :-1]
    last = np.ones(ordered.shape, bool)
    last[..., :-1] = new[..., 1:]
    first_of_run = np.maximum.accumulate(np.where(new, place, 0), axis=-1)
    last_of_run = np.minimum.accumulate(np.where(last, place, values.shape[-1])[..., ::-1], axis=-1)[..., ::-1]
    placed = np.empty(ordered.shape)
    np.put_along_axis(placed, order, (first_of_run + last_of_run) / 2 + 1, axis=-1)
    return np.where(np.isnan(values), np.nan, placed)


def _tdmi_share(values: UnitValues) -> np.ndarray:
    tdmi = values.tdmi
    return np.divide(values.sts - values.rtr, tdmi, out=np.full(tdmi.shape, np.nan), where=tdmi > 0)


def _numit(values: UnitValues) -> np.ndarray:
    sts, rtr = numit.quantiles(values.sts, values.rtr, values.tdmi)
    return sts - rtr


def _standard_score(values: UnitValues) -> np.ndarray:
    excess = values.sts - values.expected
    spread = np.full(excess.shape, np.nan) if values.spread is None else np.broadcast_to(values.spread, excess.shape)
    return np.divide(excess, spread, out=np.full(excess.shape, np.nan), where=spread > 0)


_RANKINGS = {
    "rank-difference": lambda values: ranks(values.sts) - ranks(values.rtr),
    "difference": lambda values: values.sts - values.rtr,
    "balance": lambda values: values.balance,
    "tdmi-share": _tdmi_share,
    "numit": _numit,
    "excess": lambda values: values.sts - values.expected,
    "z": _standard_score,
}
assert tuple(_RANKINGS) == RANKINGS
