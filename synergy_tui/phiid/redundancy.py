"""Nine informations of a pair → the sixteen cumulative informations, by either redundancy function. Arrays may be
NumPy's or JAX's, all of one shape, in nats.

MMI (minimum mutual information) takes the least of time-averaged informations. CCS (common change in surprisal) works
pointwise on local informations, and its results are averaged afterwards. Sources: Mediano et al., PNAS 122(39), 2025;
Ince, Entropy 19(7):318, 2017 (CCS).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple


class Informations(NamedTuple):
    """Mutual informations of pasts with futures: x, y or p (both) with x', y' or f (both)."""

    x_x: Any
    x_y: Any
    y_x: Any
    y_y: Any
    x_f: Any
    y_f: Any
    p_x: Any
    p_y: Any
    p_f: Any

    def each(self, change: Any) -> Informations:
        """The same nine after `change`."""
        return Informations(*(change(value) for value in self))


def cumulative(i: Informations, r: Sequence[Any]) -> list[Any]:
    """The sixteen cumulative informations in the order of terms.ATOMS, from nine informations and seven redundancies:
    the double one (of both pasts about both futures), those of the pasts about x', y' and both, and those of the
    futures about x, y and both."""
    double, p_x, p_y, p_f, x_f, y_f, f_p = r
    past_r = [double, p_x, p_y, p_f]
    past_x = [x_f, i.x_x, i.x_y, i.x_f]
    past_y = [y_f, i.y_x, i.y_y, i.y_f]
    past_s = [f_p, i.p_x, i.p_y, i.p_f]
    return past_r + past_x + past_y + past_s


def mmi(i: Informations, least: Any = None) -> list[Any]:
    """Cumulative informations from time-averaged informations: each redundancy is the least of its sources. `least`:
    finds the lesser of two, for inputs that are not informations but, say, ratios before the logarithm."""
    least = least or i.x_x.__array_namespace__().minimum
    p_x, p_y = least(i.x_x, i.y_x), least(i.x_y, i.y_y)
    p_f, f_p = least(i.x_f, i.y_f), least(i.p_x, i.p_y)
    return cumulative(i, [least(p_x, p_y), p_x, p_y, p_f, least(i.x_x, i.x_y), least(i.y_x, i.y_y), f_p])


def mmi_local(average: Informations, local: Informations) -> list[Any]:
    """Step-by-step cumulative informations under MMI: the source with the least average gives its local information.
    `average` broadcasts against `local`."""
    where = average.x_x.__array_namespace__().where

    def least(*names: str) -> Any:
        mean, step = getattr(average, names[0]), getattr(local, names[0])
        for name in names[1:]:
            smaller = getattr(average, name) < mean
            mean, step = where(smaller, getattr(average, name), mean), where(smaller, getattr(local, name), step)
        return step

    singles = (("x_x", "y_x"), ("x_y", "y_y"), ("x_f", "y_f"), ("x_x", "x_y"), ("y_x", "y_y"), ("p_x", "p_y"))
    double = least("x_x", "x_y", "y_x", "y_y")
    return cumulative(local, [double, *(least(*names) for names in singles)])


def ccs(i: Informations, zero: float = 0.0) -> list[Any]:
    """Cumulative informations from local informations under CCS."""
    return cumulative(i, ccs_redundancies(i, zero))


def ccs_redundancies(i: Informations, zero: float = 0.0) -> list[Any]:
    """The seven local redundancies of local informations, in the order that `cumulative` takes. A redundancy counts if
    all its components share a sign. `zero`: informations no larger than this have no sign. (For the shared information
    itself the sign of a rounding error does not matter: it would count only as that error.)"""
    numbers = i.x_x.__array_namespace__()
    sign = i.each(lambda value: numbers.where(abs(value) > zero, numbers.sign(value), 0.0))

    def shared(one: str, other: str, both: str) -> Any:
        value = getattr(i, one) + getattr(i, other) - getattr(i, both)
        side = getattr(sign, one)
        alike = (side == getattr(sign, other)) & (side == getattr(sign, both)) & (side == numbers.sign(value))
        return numbers.where(alike, value, 0.0)

    p_x, p_y, p_f = shared("x_x", "y_x", "p_x"), shared("x_y", "y_y", "p_y"), shared("x_f", "y_f", "p_f")
    x_f, y_f, f_p = shared("x_x", "x_y", "x_f"), shared("y_x", "y_y", "y_f"), shared("p_x", "p_y", "p_f")
    value = i.x_f + i.y_f + i.p_x + i.p_y - i.p_f - (i.x_x + i.x_y + i.y_x + i.y_y)
    value = value + (p_x + p_y - p_f) + (x_f + y_f - f_p)
    side = numbers.sign(value)
    alike = (side == sign.x_x) & (side == sign.x_y) & (side == sign.y_x) & (side == sign.y_y)
    return [numbers.where(alike, value, 0.0), p_x, p_y, p_f, x_f, y_f, f_p]
