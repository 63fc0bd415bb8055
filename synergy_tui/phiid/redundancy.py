"""Nine informations of a pair → the sixteen cumulative informations, by either redundancy function. The arrays are
NumPy's or JAX's, of any one shape, in nats.

MMI (minimum mutual information) takes the least of time-averaged informations. CCS (common change in surprisal) is
pointwise: it takes local informations, and its results are averaged afterwards.
Sources: Mediano et al., PNAS 122(39), 2025; Ince, Entropy 19(7):318, 2017 (CCS).
"""

from __future__ import annotations

from typing import Any, NamedTuple

REDUNDANCIES = ("mmi", "ccs")


class Informations(NamedTuple):
    """Mutual informations of pasts with futures: of x, y or p (both) with x', y' or f (both)."""

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


class Redundancies(NamedTuple):
    """What two sources share: the pasts about x', y', both (p_…), the futures about x, y, both (…_f), and the double
    redundancy, of both pasts about both futures."""

    double: Any
    p_x: Any
    p_y: Any
    p_f: Any
    x_f: Any
    y_f: Any
    f_p: Any


def cumulative(i: Informations, r: Redundancies) -> list[Any]:
    """The sixteen cumulative informations in the order of terms.ATOMS."""
    past_r = [r.double, r.p_x, r.p_y, r.p_f]
    past_x = [r.x_f, i.x_x, i.x_y, i.x_f]
    past_y = [r.y_f, i.y_x, i.y_y, i.y_f]
    past_s = [r.f_p, i.p_x, i.p_y, i.p_f]
    return past_r + past_x + past_y + past_s


def mmi(i: Informations) -> list[Any]:
    """Cumulative informations of time-averaged informations: each redundancy is the least its sources give."""
    least = i.x_x.__array_namespace__().minimum
    p_x, p_y = least(i.x_x, i.y_x), least(i.x_y, i.y_y)
    return cumulative(
        i,
        Redundancies(
            least(p_x, p_y),
            p_x,
            p_y,
            least(i.x_f, i.y_f),
            least(i.x_x, i.x_y),
            least(i.y_x, i.y_y),
            least(i.p_x, i.p_y),
        ),
    )


def mmi_local(average: Informations, local: Informations) -> list[Any]:
    """Step-by-step cumulative informations under MMI: the source that is least on average gives its local information.
    `average` broadcasts against `local`."""
    where = average.x_x.__array_namespace__().where

    def least(*names: str) -> tuple[Any, Any]:
        mean, step = getattr(average, names[0]), getattr(local, names[0])
        for name in names[1:]:
            smaller = getattr(average, name) < mean
            mean, step = where(smaller, getattr(average, name), mean), where(smaller, getattr(local, name), step)
        return step

    return cumulative(
        local,
        Redundancies(
            least("x_x", "x_y", "y_x", "y_y"),
            least("x_x", "y_x"),
            least("x_y", "y_y"),
            least("x_f", "y_f"),
            least("x_x", "x_y"),
            least("y_x", "y_y"),
            least("p_x", "p_y"),
        ),
    )


def ccs(i: Informations, zero: float = 0.0) -> list[Any]:
    """Cumulative informations of local informations. A local redundancy counts where everything it is made of shares a
    sign. `zero`: informations no larger than this have no sign. (Of what is shared itself the sign of a rounding error
    does not matter: it would be counted as that error.)"""
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
    return cumulative(i, Redundancies(numbers.where(alike, value, 0.0), p_x, p_y, p_f, x_f, y_f, f_p))
