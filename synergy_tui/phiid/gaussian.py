"""Gaussian estimator with MMI redundancy: the sixteen cumulative informations of a pair, in nats.

I(A;B) = ½ ln(|R_A||R_B| / |R_AB|) with R the 4×4 correlation matrix of past x, y and future x', y'. Redundancies are
minima of the informations they are made of. Order of the sixteen: terms.ATOMS (see lattice.py).
"""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float

from synergy_tui.phiid.redundancy import Informations, mmi

_PAST_X, _PAST_Y, _FUTURE_X, _FUTURE_Y = range(4)


def information(squared: Array | float) -> Array:
    """−½ ln of a residual variance or a ratio of determinants."""
    return -0.5 * jnp.log(squared)


def self_information(correlation: Array) -> Array:
    """Active information storage I(x; x') of a unit from its lag-τ autocorrelation."""
    return information((1 - correlation) * (1 + correlation))


def from_correlations(
    xy: Array, fxfy: Array, xx: Array, xy_next: Array, yx_next: Array, yy: Array, ais_x: Array, ais_y: Array
) -> tuple[list[Array], Array]:
    """(cumulative informations, det R) from the six correlations of pairs, element by element.

    xy: past x with past y · fxfy: future with future · xx, yy: past with own future · xy_next: past x with future y ·
    yx_next: past y with future x · ais_x, ais_y: self_information of xx and yy, which is per unit.
    Variances are conditioned one variable at a time (LDLᵀ), which keeps digits that expanded determinants lose.
    """
    past, future = (1 - xy) * (1 + xy), (1 - fxfy) * (1 + fxfy)
    left_xx, left_xy = (1 - xx) * (1 + xx), (1 - xy_next) * (1 + xy_next)
    left_yx = (1 - yx_next) * (1 + yx_next)

    # Futures given both pasts.
    step_x, step_y = yx_next - xy * xx, yy - xy * xy_next
    next_x = left_xx - step_x * step_x / past
    next_y = left_xy - step_y * step_y / past
    between = fxfy - xx * xy_next - step_x * step_y / past
    next_y_after_x = next_y - between * between / next_x
    # Pasts given both futures.
    step_x, step_y = xy_next - fxfy * xx, yy - fxfy * yx_next
    last_x = left_xx - step_x * step_x / future
    last_y = left_yx - step_y * step_y / future

    cumulative = mmi(
        Informations(
            ais_x,
            information(left_xy),
            information(left_yx),
            ais_y,
            information(last_x),
            information(last_y),
            information(next_x),
            information(next_y),
            information(next_x * next_y_after_x / future),
        )
    )
    return cumulative, past * next_x * next_y_after_x


def from_windows(windows: Float[Array, "m 4 n"]) -> tuple[Array, Array]:
    """(cumulative informations [16, m], triangular factors [m, 4, 4]) of ill-conditioned pairs.

    Modified Gram–Schmidt on the standardised windows themselves: its factor has the error of the data (ε·√κ), not that
    of the correlation matrix (ε·κ). Every determinant is then a product of residual lengths of 4-vectors.
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

    cumulative = mmi(
        Informations(
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
    )
    return jnp.stack(cumulative), factor


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
