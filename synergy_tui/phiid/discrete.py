"""Discrete estimator: each window binarised at its own mean, plug-in probabilities of the sixteen joint states.

i(A;B) = ln p(ab) − ln p(a) p(b) at a state, in nats. A joint distribution or table of counts has the axes past x,
past y, future x, future y. Arrays are NumPy's or JAX's. Source: Mediano et al., PNAS 122(39), 2025.
"""

from __future__ import annotations

from typing import Any

from synergy_tui.phiid import redundancy
from synergy_tui.phiid.redundancy import Informations

NO_SIGN = 1e-12
"""An information no larger is zero. From counts of fewer than 10⁶ steps the smallest that is not is 10⁻¹²; from
probabilities it allows for their rounding."""


def above_mean(window: Any, inside: Any) -> Any:
    """True where a step's value is strictly above its window's mean over the steps `inside` (the last axis)."""
    numbers = window.__array_namespace__()
    count = numbers.maximum(inside.sum(axis=-1, keepdims=True), 1)
    mean = numbers.where(inside, window, 0.0).sum(axis=-1, keepdims=True) / count
    return inside & (window > mean)


def informations(joint: Any) -> Informations:
    """Local informations at every state: joint [..., 2, 2, 2, 2] of probabilities or counts → nine of its shape. A
    state that does not occur has 0."""
    numbers = joint.__array_namespace__()
    total = joint.sum(axis=(-4, -3, -2, -1), keepdims=True)

    def marginal(*kept: int) -> Any:
        others = tuple(axis - 4 for axis in range(4) if axis not in kept)
        return joint.sum(axis=others, keepdims=True) if others else joint

    def between(past: tuple[int, ...], future: tuple[int, ...]) -> Any:
        together = numbers.broadcast_to(marginal(*past, *future) * total, joint.shape)
        apart = numbers.broadcast_to(marginal(*past) * marginal(*future), joint.shape)
        occurs = joint > 0
        return numbers.log(numbers.where(occurs, together, 1.0) / numbers.where(occurs, apart, 1.0))

    x, y, both = (0,), (1,), (0, 1)
    fx, fy, futures = (2,), (3,), (2, 3)
    singles = (between(x, fx), between(x, fy), between(y, fx), between(y, fy))
    doubles = (between(x, futures), between(y, futures), between(both, fx), between(both, fy))
    return Informations(*singles, *doubles, between(both, futures))


def cumulative(joint: Any, redundancy_name: str) -> list[Any]:
    """Sixteen cumulative informations, averaged over the states: joint [..., 2, 2, 2, 2] → arrays [...]."""
    states = (-4, -3, -2, -1)
    numbers = joint.__array_namespace__()
    total = joint.sum(axis=states, keepdims=True)
    weights = joint / numbers.where(total > 0, total, 1)
    local = informations(joint)
    if redundancy_name == "ccs":
        return [(weights * value).sum(axis=states) for value in redundancy.ccs(local, NO_SIGN)]
    return redundancy.mmi(local.each(lambda value: (weights * value).sum(axis=states)))
