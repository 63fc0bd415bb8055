"""Gaussian estimator: windows of two units → the sixteen cumulative informations of the pair, in nats.

I(A;B) = ½ ln(|R_A||R_B| / |R_AB|) with R the 4×4 correlation matrix of past x, y and future x', y'. Determinants are
products of variances, conditioned one variable at a time (LDLᵀ). This keeps digits that expanded determinants lose.
Source: Mediano et al., PNAS 122(39), 2025.
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jax.scipy.special import digamma
from jaxtyping import Array, Float

from synergy_tui.phiid.redundancy import Informations, ccs_redundancies
from synergy_tui.phiid.windows import Windows

_PAST_X, _PAST_Y, _FUTURE_X, _FUTURE_Y = range(4)


class Correlations(NamedTuple):
    """The six correlations of pairs. xy: past x with past y · futures: future with future · xx, yy: past with own
    future, per unit and so [units of x, 1] and [1, units of y] until broadcast to a matrix · x_y: past x with future y
    · y_x: past y with future x."""

    xy: Array
    futures: Array
    xx: Array
    x_y: Array
    y_x: Array
    yy: Array


class _Regressed(NamedTuple):
    """One variable given two others: its coefficients on them, and the remaining variance."""

    first: Array
    second: Array
    left: Array


class _Conditioned(NamedTuple):
    """Each variable given the two of the other side; `both`: the future of y given the future of x and both pasts, on
    the residual of the former."""

    future_x: _Regressed
    future_y: _Regressed
    past_x: _Regressed
    past_y: _Regressed
    slope: Array
    both: Array


def correlations(x: Windows, y: Windows) -> Correlations:
    """Correlations of all pairs of units of two sides in one prompt."""
    return Correlations(
        x.past @ y.past.T,
        x.future @ y.future.T,
        x.own[:, None],
        x.past @ y.future.T,
        x.future @ y.past.T,
        y.own[None, :],
    )


def informations(r: Correlations, clear: float) -> tuple[Informations, Array]:
    """(nine informations, whether the correlations can be trusted for them) of pairs, element by element."""
    found, trusted = ratios(r, clear)
    return found.each(information), trusted


def ratios(r: Correlations, clear: float) -> tuple[Informations, Array]:
    """The same before the logarithm: e^(−2I), ratios of determinants.

    Every remaining variance is a difference divided by the variance it is conditioned on: as quotients they are
    computed once (tiles.py says why), and only six are needed."""
    past, futures = _left(r.xy), _left(r.futures)
    left_xx, left_xy, left_yx, left_yy = _left(r.xx), _left(r.x_y), _left(r.y_x), _left(r.yy)
    step_x, step_y = r.y_x - r.xy * r.xx, r.yy - r.xy * r.x_y
    back_x, back_y = r.x_y - r.futures * r.xx, r.yy - r.futures * r.y_x
    future_x, future_y = (left_xx * past - step_x**2) / past, (left_xy * past - step_y**2) / past
    past_x, past_y = (left_xx * futures - back_x**2) / futures, (left_yx * futures - back_y**2) / futures
    shared = ((r.futures - r.xx * r.x_y) * past - step_x * step_y) / past
    both = future_x * future_y - shared**2
    found = Informations(left_xx, left_xy, left_yx, left_yy, past_x, past_y, future_x, future_y, both / futures)
    return found, _trusted(past, futures, found, both, clear)


def bias(steps: Array) -> Informations:
    """Mean error of the nine informations from `steps` independent Gaussian samples, nats (docs/method.md, section 2).

    The logarithm of the determinant of a sample covariance of d variables is too small by
    d·ln((n − 1)/2) − Σ ψ((n − k)/2), k = 1 … d, whatever the covariance is (Goodman, 1963). In an information the
    first terms cancel."""
    psi = [digamma((steps - k) / 2.0) for k in range(1, 5)]
    one_one, one_two = 0.5 * (psi[0] - psi[1]), 0.5 * (psi[0] - psi[2])
    two_two = 0.5 * (psi[0] + psi[1] - psi[2] - psi[3])
    return Informations(
        x_x=one_one,
        x_y=one_one,
        y_x=one_one,
        y_y=one_one,
        x_f=one_two,
        y_f=one_two,
        p_x=one_two,
        p_y=one_two,
        p_f=two_two,
    )


def corrected(found: Informations, steps: Array) -> Informations:
    """Informations without their bias. They may be negative: nothing is clipped."""
    return Informations(*(value - error for value, error in zip(found, bias(steps), strict=True)))


def corrected_ratios(found: Informations, steps: Array) -> Informations:
    """The same for e^(−2I)."""
    return Informations(*(value * jnp.exp(2 * error) for value, error in zip(found, bias(steps), strict=True)))


def _trusted(past: Array, futures: Array, found: Informations, both: Array, clear: float) -> Array:
    """Whether every variance keeps a relative error of at most the rounding error divided by `clear`.

    `both`: the determinant of both futures given both pasts. A variance after conditioning has the error of the
    variance it was subtracted from, magnified by the squared slopes: 1/past for a future given both pasts, 1/futures
    for a past given both futures, and once more by the ratio of the futures' variances for the second of them. So a
    pair of slow units, whose own pasts almost determine their futures, keeps its digits though its det R is tiny. For
    trusted pairs det R is at least clear², and the ratio of the extreme eigenvalues of R at least clear/56: trace(R⁻¹)
    is at most 14/clear. False if anything is NaN."""
    first, second = found.p_x, found.p_y
    smaller = jnp.minimum(first, second)
    positive = (jnp.minimum(past, smaller) > 0) & (futures > 0)
    forward = past * both * smaller >= clear * (first * second)
    return positive & forward & (futures * jnp.minimum(found.x_f, found.y_f) >= clear)


def ccs_sums(r: Correlations, average: Informations, x: Windows, y: Windows, steps: Array, scale: Array) -> list[Array]:
    """Seven local redundancies under CCS, summed over the first `steps` steps of the windows of one prompt, for all
    pairs of two sides: step by step, so that memory holds nothing larger than the pairs. `scale` brings windows of unit
    length to unit variance.

    A local information is its average plus ½(z_A² + z_B² − z_AB²), where the z² are squared standardised residuals.
    """
    past, futures = _left(r.xy), _left(r.futures)
    given = _condition(r, past, futures)

    def one_step(total: list[Array], step: tuple[Array, ...]) -> tuple[list[Array], None]:
        inside, *values = step
        px, py, fx, fy = values
        px, fx, py, fy = px[:, None] * scale, fx[:, None] * scale, py[None, :] * scale, fy[None, :] * scale

        def given_two(value: Array, one: Array, other: Array, by: _Regressed) -> tuple[Array, Array]:
            rest = value - by.first * one - by.second * other
            return rest, rest * rest / by.left

        both_future = fx * fx + (fy - r.futures * fx) ** 2 / futures
        rest_x, next_x = given_two(fx, px, py, given.future_x)
        rest_y, next_y = given_two(fy, px, py, given.future_y)
        last_x, last_y = given_two(px, fx, fy, given.past_x)[1], given_two(py, fx, fy, given.past_y)[1]
        both_next = next_x + (rest_y - given.slope * rest_x) ** 2 / given.both
        local = Informations(
            average.x_x + 0.5 * (fx * fx - (fx - r.xx * px) ** 2 / _left(r.xx)),
            average.x_y + 0.5 * (fy * fy - (fy - r.x_y * px) ** 2 / _left(r.x_y)),
            average.y_x + 0.5 * (fx * fx - (fx - r.y_x * py) ** 2 / _left(r.y_x)),
            average.y_y + 0.5 * (fy * fy - (fy - r.yy * py) ** 2 / _left(r.yy)),
            average.x_f + 0.5 * (px * px - last_x),
            average.y_f + 0.5 * (py * py - last_y),
            average.p_x + 0.5 * (fx * fx - next_x),
            average.p_y + 0.5 * (fy * fy - next_y),
            average.p_f + 0.5 * (both_future - both_next),
        )
        shared = ccs_redundancies(local)
        return [old + jnp.where(inside, new, 0.0) for old, new in zip(total, shared, strict=True)], None

    inside = jnp.arange(x.past.shape[1]) < steps
    columns = (inside, x.past.T, y.past.T, x.future.T, y.future.T)
    total, _ = lax.scan(one_step, [jnp.zeros_like(r.xy)] * 7, columns)
    return total


def _condition(r: Correlations, past: Array, futures: Array) -> _Conditioned:
    left_xx, left_xy, left_yx = _left(r.xx), _left(r.x_y), _left(r.y_x)

    def given(first: Array, other: Array, between: Array, left: Array, variance: Array) -> tuple[_Regressed, Array]:
        """A variable with correlations `first`, `other` to two variables that correlate `between`; `left`: its
        remaining variance given the first."""
        step = other - between * first
        slope = step / variance
        return _Regressed(first - slope * between, slope, left - step * slope), step

    future_x, step_x = given(r.xx, r.y_x, r.xy, left_xx, past)
    future_y, step_y = given(r.x_y, r.yy, r.xy, left_xy, past)
    past_x, _ = given(r.xx, r.x_y, r.futures, left_xx, futures)
    past_y, _ = given(r.y_x, r.yy, r.futures, left_yx, futures)
    shared = r.futures - r.xx * r.x_y - step_x * step_y / past
    slope = shared / future_x.left
    return _Conditioned(future_x, future_y, past_x, past_y, slope, future_y.left - shared * slope)


def _left(correlation: Array) -> Array:
    return (1 - correlation) * (1 + correlation)


def information(ratio: Array) -> Array:
    """I from e^(−2I)."""
    return -0.5 * jnp.log(ratio)


def informations_of_windows(windows: Float[Array, "m 4 n"]) -> tuple[Informations, Array]:
    """(nine informations [m], triangular factors [m, 4, 4]) of ill-conditioned pairs.

    Modified Gram–Schmidt on the standardised windows themselves: its factor has the error of the data (ε·√κ), not of
    the correlation matrix (ε·κ). Every determinant is then a product of residual lengths of 4-vectors.
    """
    factor = _triangular(windows)
    columns = jnp.swapaxes(factor, 1, 2)  # row k: window k in the orthonormal basis

    def log_det(*which: int) -> Array:
        return 2 * jnp.log(_residual_lengths(columns[:, jnp.array(which), :])).sum(axis=1)

    single = {k: log_det(k) for k in range(4)}
    past, future = log_det(_PAST_X, _PAST_Y), log_det(_FUTURE_X, _FUTURE_Y)

    def one_to_one(p: int, f: int) -> Array:
        return 0.5 * (single[p] + single[f] - log_det(p, f))

    def with_futures(p: int) -> Array:
        return 0.5 * (single[p] + future - log_det(_FUTURE_X, _FUTURE_Y, p))

    def with_pasts(f: int) -> Array:
        return 0.5 * (past + single[f] - log_det(_PAST_X, _PAST_Y, f))

    found = Informations(
        one_to_one(_PAST_X, _FUTURE_X),
        one_to_one(_PAST_X, _FUTURE_Y),
        one_to_one(_PAST_Y, _FUTURE_X),
        one_to_one(_PAST_Y, _FUTURE_Y),
        with_futures(_PAST_X),
        with_futures(_PAST_Y),
        with_pasts(_FUTURE_X),
        with_pasts(_FUTURE_Y),
        0.5 * (past + future - log_det(_PAST_X, _PAST_Y, _FUTURE_X, _FUTURE_Y)),
    )
    return found, factor


def _triangular(vectors: Float[Array, "m k n"]) -> Float[Array, "m k k"]:
    """Upper triangular factor of the k vectors as columns, by modified Gram–Schmidt."""
    count = vectors.shape[1]
    rest = [vectors[:, i, :] for i in range(count)]
    rows = []
    for i in range(count):
        length = jnp.sqrt((rest[i] * rest[i]).sum(axis=1))
        direction = rest[i] / jnp.where(length > 0, length, 1.0)[:, None]
        row = [jnp.zeros_like(length)] * i + [length]
        for j in range(i + 1, count):
            along = (direction * rest[j]).sum(axis=1)
            rest[j] = rest[j] - along[:, None] * direction
            row.append(along)
        rows.append(jnp.stack(row, axis=1))
    return jnp.stack(rows, axis=1)


def _residual_lengths(vectors: Float[Array, "m k 4"]) -> Float[Array, "m k"]:
    return jnp.diagonal(_triangular(vectors), axis1=1, axis2=2)
