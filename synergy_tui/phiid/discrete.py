"""Discrete estimator: bits of two units → the sixteen cumulative informations of the pair, in nats, from plug-in
probabilities of the sixteen joint states.

A joint distribution, or table of counts, has the leading axes past x, past y, future x, future y. Arrays may be NumPy's
or JAX's. Source: Mediano et al., PNAS 122(39), 2025.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float

from synergy_tui.errors import UsageError
from synergy_tui.phiid.lattice import atoms_from_cumulative
from synergy_tui.phiid.redundancy import Informations, ccs, mmi
from synergy_tui.phiid.windows import Windows
from synergy_tui.terms import REDUNDANCIES

NO_SIGN = {"float64": 1e-12, "float32": 1e-5}
"""A local information no larger than this is zero. From counts of n steps the smallest nonzero one is above n⁻², so
signs are exact up to 10⁶ steps, in float32 up to 300. From probabilities it allows for their rounding."""

_STATES = (0, 1, 2, 3)
_X, _Y, _FX, _FY = _STATES
_SIDES = Informations(
    ((_X,), (_FX,)),
    ((_X,), (_FY,)),
    ((_Y,), (_FX,)),
    ((_Y,), (_FY,)),
    ((_X,), (_FX, _FY)),
    ((_Y,), (_FX, _FY)),
    ((_X, _Y), (_FX,)),
    ((_X, _Y), (_FY,)),
    ((_X, _Y), (_FX, _FY)),
)
"""The variables on both sides of each information."""


def counts(x: Windows, y: Windows, inside: Any) -> Any:
    """Joint counts [2, 2, 2, 2, units of x, units of y] of all pairs of two sides in one prompt, by one product of
    one-hot indicators. `inside`: the steps of the windows that belong to the response."""
    numbers = x.past.__array_namespace__()

    def one_hot(side: Windows) -> Any:
        """[past state, future state, units, n]."""
        past, future = (numbers.stack([inside - bits, bits]) for bits in (side.past, side.future))
        return past[:, None] * future[None, :]

    left, right = one_hot(x), one_hot(y)
    n = left.shape[-1]
    product = left.reshape(-1, n) @ right.reshape(-1, n).T
    return product.reshape(2, 2, len(x.past), 2, 2, len(y.past)).transpose(0, 3, 1, 4, 2, 5)


def cumulative(joint: Any, redundancy: str) -> list[Any]:
    """Sixteen cumulative informations of joint distributions or counts [2, 2, 2, 2, …], averaged over the states."""
    numbers = joint.__array_namespace__()
    total = joint.sum(axis=_STATES)
    total = numbers.where(total > 0, total, 1.0)
    if redundancy == "mmi":
        return mmi(_average_informations(joint, total))
    local = local_informations(joint)
    zero = NO_SIGN[str(joint.dtype)]
    return [(joint * value).sum(axis=_STATES) / total for value in ccs(local, zero)]


def local_informations(joint: Any) -> Informations:
    """At every state, in the shape of `joint`: i(A;B) = ln p(ab) − ln p(a) − ln p(b). The value of a state that does
    not occur has no meaning, and no average counts it."""
    log_total = _log(joint.sum(axis=_STATES, keepdims=True))
    logs: dict[tuple[int, ...], Any] = {}

    def log(kept: tuple[int, ...]) -> Any:
        if kept not in logs:
            logs[kept] = _log(joint.sum(axis=_others(kept), keepdims=True))
        return logs[kept]

    shape, spread = joint.shape, joint.__array_namespace__().broadcast_to
    return Informations(
        *(spread(log(past + future) - log(past) - log(future) + log_total, shape) for past, future in _SIDES)
    )


def _average_informations(joint: Any, total: Any) -> Informations:
    """The same, averaged, from entropies: this needs only a third of the logarithms."""
    sums: dict[tuple[int, ...], Any] = {}

    def log_sum(kept: tuple[int, ...]) -> Any:
        """Σ c ln c over the states of the variables `kept`."""
        if kept not in sums:
            marginal = joint.sum(axis=_others(kept), keepdims=True)
            sums[kept] = (marginal * _log(marginal)).sum(axis=_STATES)
        return sums[kept]

    return Informations(
        *((log_sum(past + future) - log_sum(past) - log_sum(future)) / total + _log(total) for past, future in _SIDES)
    )


def _others(kept: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(axis for axis in _STATES if axis not in kept)


def _log(count: Any) -> Any:
    numbers = count.__array_namespace__()
    return numbers.log(numbers.where(count > 0, count, 1.0))


def decompose_joint(p: Float[np.ndarray, "2 2 2 2"], redundancy: str = "mmi") -> Float[np.ndarray, " 16"]:
    """The sixteen atoms of an exact joint distribution of bits, axes past x, past y, future x, future y, in nats.
    Raises UsageError when it is not a distribution, or for an unknown redundancy."""
    p = np.asarray(p, np.float64)
    if p.shape != (2, 2, 2, 2) or not (p >= 0).all() or abs(p.sum() - 1) > 1e-9:
        raise UsageError(
            f"a joint distribution is [2, 2, 2, 2] of probabilities that sum to 1; this is {list(p.shape)} "
            f"and sums to {p.sum():g}"
        )
    if redundancy not in REDUNDANCIES:
        raise UsageError(f"no redundancy {redundancy!r}", f"known: {', '.join(REDUNDANCIES)}")
    return np.array(atoms_from_cumulative(cumulative(p, redundancy)))
