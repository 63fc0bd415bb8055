"""The series of one response → sixteen local atoms per step, of a pair or of a unit against all its partners. NumPy
only, so that looking at a result does not load JAX.

Row t describes the passage from step t to step t + lag and belongs to the later step, t + lag. Averages over the rows
are the atoms that phiid.decompose gives for the same response, in nats. Source: Mediano et al., PNAS 122(39), 2025;
under MMI the source with the least average gives its local information.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from synergy_tui.errors import UsageError
from synergy_tui.phiid import discrete
from synergy_tui.phiid.lattice import atoms_from_cumulative
from synergy_tui.phiid.redundancy import Informations, ccs, ccs_redundancies, mmi_local
from synergy_tui.phiid.windows import (
    CLEAR,
    ILL_CONDITIONED,
    MIN_STEPS,
    SMALLEST_RATIO,
    make_bits,
    make_windows,
    response_lengths,
)
from synergy_tui.terms import INVALID_REASONS, REDUNDANCIES

_AT_ONCE = 128
"""Partners at a time: sixty arrays [128, 100] stay in the second-level cache."""


@dataclass(frozen=True)
class LocalAtoms:
    """atoms [steps − lag, 16] in the order of terms.ATOMS, nats, NaN past the response's end and if no partner is
    valid. The unit itself is x. partners: how many the mean is over (1 or 0 for a pair). reasons: why the others are
    invalid, counted by the words of terms.INVALID_REASONS."""

    atoms: Float[np.ndarray, "rows 16"]
    partners: int
    reasons: dict[str, int]


def local_pair(
    x: Float[np.ndarray, " steps"],
    y: Float[np.ndarray, " steps"],
    estimator: str = "gaussian",
    redundancy: str = "mmi",
    lag: int = 1,
) -> LocalAtoms:
    """Local atoms of one pair in one response, NaN past its end. Raises UsageError for series of different shape, an
    unknown estimator or redundancy, or a lag that leaves no window."""
    x, y = np.asarray(x), np.asarray(y)
    if x.ndim != 1 or x.shape != y.shape:
        raise UsageError(f"a pair is two series of equal length; these are {list(x.shape)} and {list(y.shape)}")
    return local_unit(np.stack([x, y]), 0, estimator, redundancy, lag)


def local_unit(
    series: Float[np.ndarray, "units steps"],
    unit: int,
    estimator: str = "gaussian",
    redundancy: str = "mmi",
    lag: int = 1,
) -> LocalAtoms:
    """Mean local atoms of `unit` over its valid partners in one response [units, steps], NaN past its end. Raises
    UsageError as `local_pair` does, and for a unit that does not exist or has no partner."""
    series = _checked(series, unit, estimator, redundancy, lag)
    length = int(response_lengths(series[None])[0])
    n = length - lag
    atoms = np.full((series.shape[1] - lag, 16), np.nan)
    partners = np.delete(np.arange(len(series)), unit)
    reasons = dict.fromkeys(INVALID_REASONS, 0)
    if n < MIN_STEPS:
        return LocalAtoms(atoms, 0, reasons | {"too short": len(partners)})
    total, valid = np.zeros((16, n)), 0
    for start in range(0, len(partners), _AT_ONCE):
        some = partners[start : start + _AT_ONCE]
        found, code = _ESTIMATORS[estimator](series[np.append(some, unit), :length], lag, redundancy)
        good = code == 0
        total += np.stack([value[good].sum(axis=0) for value in found]) if good.any() else 0.0
        valid += int(good.sum())
        for number, name in enumerate(INVALID_REASONS, 1):
            reasons[name] += int((code == number).sum())
    if valid:
        atoms[:n] = np.stack(atoms_from_cumulative(list(total / valid)), axis=1)
    return LocalAtoms(atoms, valid, reasons)


def _gaussian(
    series: Float[np.ndarray, "units steps"], lag: int, redundancy: str
) -> tuple[list[np.ndarray], Int[np.ndarray, " partners"]]:
    """(cumulative local informations, each [partners, n]; codes) of the last unit with each of the others."""
    windows = make_windows(series[None], np.array([series.shape[1]]), lag)
    code = np.maximum(windows.code[0, :-1], windows.code[0, -1])
    y, fy = windows.past[0, :-1], windows.future[0, :-1]
    x, fx = (np.broadcast_to(part[0, -1], y.shape) for part in (windows.past, windows.future))
    local, half_log_det = _local_informations(x, y, fx, fy, y.shape[1] - 1)
    code = np.where((code == 0) & ~_well_conditioned(x, y, fx, fy, 2 * half_log_det), ILL_CONDITIONED, code)
    average = local.each(lambda value: value.mean(axis=1, keepdims=True))
    return ccs(local) if redundancy == "ccs" else mmi_local(average, local), code


def _local_informations(
    x: np.ndarray, y: np.ndarray, fx: np.ndarray, fy: np.ndarray, freedom: Any
) -> tuple[Informations, np.ndarray]:
    """(nine local informations [pairs, n], ½ ln |R| [pairs]) of pairs, from their windows [pairs, n] of unit length.

    A local entropy is ½ zᵀR⁻¹z + ½ ln |R| plus constants that cancel. With the windows orthonormalised one after
    another, zᵀR⁻¹z is `freedom` (n − 1) times the squares of the step's coordinates, and |R| the product of squared
    residuals.
    """
    nothing = np.zeros((len(x), 1))
    of_x, of_y, of_fx, of_fy = (_Basis((w,), 0.5 * freedom * w**2, nothing, freedom) for w in (x, y, fx, fy))
    past, future = of_x.with_(y), of_fx.with_(fy)
    past_fx = past.with_(fx)
    whole = past_fx.with_(fy)

    def information(one: _Basis, other: _Basis, both: _Basis) -> np.ndarray:
        return one.entropy + other.entropy - both.entropy

    local = Informations(
        information(of_x, of_fx, of_x.with_(fx)),
        information(of_x, of_fy, of_x.with_(fy)),
        information(of_y, of_fx, of_y.with_(fx)),
        information(of_y, of_fy, of_y.with_(fy)),
        information(of_x, future, future.with_(x)),
        information(of_y, future, future.with_(y)),
        information(past, of_fx, past_fx),
        information(past, of_fy, past.with_(fy)),
        information(past, future, whole),
    )
    return local, whole.half_log_det[:, 0]


def local_redundancies(
    windows: Float[np.ndarray, "pairs 4 n"], inside: Bool[np.ndarray, "pairs n"], freedom: Int[np.ndarray, " pairs"]
) -> list[Float[np.ndarray, " pairs"]]:
    """The seven redundancies of CCS averaged over each pair's steps `inside`, from its windows past x, y, future x, y:
    for pairs too ill-conditioned to use their correlations. `freedom`: steps minus windows, which is their variance."""
    x, y, fx, fy = windows.transpose(1, 0, 2)
    local, _ = _local_informations(x, y, fx, fy, freedom[:, None])
    return [np.where(inside, value, 0.0).sum(axis=1) / inside.sum(axis=1) for value in ccs_redundancies(local)]


@dataclass(frozen=True)
class _Basis:
    """Orthonormal vectors [pairs, n] that span some windows, the windows' local entropy [pairs, n] except for
    constants, and their ½ ln |R| [pairs, 1], in nats."""

    vectors: tuple[np.ndarray, ...]
    entropy: np.ndarray
    half_log_det: np.ndarray
    freedom: Any

    def with_(self, window: np.ndarray) -> _Basis:
        """The basis with one more window."""
        rest = window
        for _ in range(2):  # a second pass removes rounding errors of nearly equal windows
            for vector in self.vectors:
                rest = rest - (vector * rest).sum(axis=1, keepdims=True) * vector
        length = np.sqrt((rest**2).sum(axis=1, keepdims=True))
        safe = np.where(length > 0, length, 1.0)
        direction, log = rest / safe, np.log(safe)
        entropy = self.entropy + 0.5 * self.freedom * direction**2 + log
        return _Basis((*self.vectors, direction), entropy, self.half_log_det + log, self.freedom)


def _well_conditioned(x: np.ndarray, y: np.ndarray, fx: np.ndarray, fy: np.ndarray, log_det: np.ndarray) -> np.ndarray:
    """Whether the extreme eigenvalues of R are closer than SMALLEST_RATIO allows; singular values of the windows
    themselves decide if the determinant does not."""
    good = log_det >= np.log(CLEAR["float64"])
    doubtful = np.flatnonzero(~good)
    if len(doubtful):
        four = np.stack([part[doubtful] for part in (x, y, fx, fy)], axis=1)
        spectrum = np.linalg.svd(four, compute_uv=False) ** 2
        good[doubtful] = spectrum[:, -1] >= SMALLEST_RATIO["float64"] * spectrum[:, 0]
    return good


def _discrete(
    series: Float[np.ndarray, "units steps"], lag: int, redundancy: str
) -> tuple[list[np.ndarray], Int[np.ndarray, " partners"]]:
    """The same from binarised windows: first every state's local values, then the state of each step."""
    bits = make_bits(series[None], np.array([series.shape[1]]), lag)
    code = np.maximum(bits.code[0, :-1], bits.code[0, -1])
    past, future = bits.past[0].astype(int), bits.future[0].astype(int)
    state = ((past[-1] * 2 + past[:-1]) * 2 + future[-1]) * 2 + future[:-1]
    counts = np.stack([(state == number).sum(axis=1) for number in range(16)]).astype(float)
    joint = counts.reshape(2, 2, 2, 2, -1)
    of_states = discrete.local_informations(joint)
    if redundancy == "ccs":
        values = ccs(of_states, discrete.NO_SIGN["float64"])
    else:
        average = of_states.each(lambda value: (joint * value).sum(axis=(0, 1, 2, 3)) / state.shape[1])
        values = mmi_local(average, of_states)
    return [np.take_along_axis(value.reshape(16, -1), state.T, axis=0).T for value in values], code


_ESTIMATORS = {"gaussian": _gaussian, "discrete": _discrete}


def _checked(series: np.ndarray, unit: int, estimator: str, redundancy: str, lag: int) -> np.ndarray:
    series = np.asarray(series)
    if series.ndim != 2 or series.dtype.kind not in "fiu" or len(series) < 2:
        raise UsageError(f"a response is [units, steps] of numbers, two units or more; this is {list(series.shape)}")
    if not 0 <= unit < len(series):
        raise UsageError(f"no unit {unit} among {len(series)}")
    if estimator not in _ESTIMATORS or redundancy not in REDUNDANCIES:
        raise UsageError(
            f"no estimator {estimator} with redundancy {redundancy}",
            f"known: {', '.join(_ESTIMATORS)} with {', '.join(REDUNDANCIES)}",
        )
    if not 0 < lag < series.shape[1]:
        raise UsageError(f"lag {lag} in a series of {series.shape[1]} steps leaves no window", "use a smaller lag")
    return series.astype(np.float64)
