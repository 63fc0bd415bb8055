"""series → standardised past and future windows per unit and prompt."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int8

from synergy_tui.terms import INVALID_REASONS

MIN_STEPS = 5
"""Fewest steps of a window. With fewer the 4×4 correlation matrix is singular by construction."""

TOO_SHORT, NOT_FINITE, CONSTANT, ILL_CONDITIONED = range(1, len(INVALID_REASONS) + 1)


class Windows(NamedTuple):
    """past, future: centred, of unit length, 0 past the end of a response. self_correlation: of a unit's past with
    its own future. code: why a unit is invalid for a prompt, 0 when it is not (terms.INVALID_REASONS)."""

    past: Float[Array, "prompts units n"]
    future: Float[Array, "prompts units n"]
    self_correlation: Float[Array, "prompts units"]
    code: Int8[Array, "prompts units"]


def response_lengths(series: np.ndarray) -> np.ndarray:
    """[prompts] int: steps up to the last one at which any unit of [prompts, units, steps] has a value."""
    present = ~np.isnan(series).all(axis=1)
    return np.where(present.any(axis=1), present.shape[1] - present[:, ::-1].argmax(axis=1), 0)


def make_windows(series: Float[Array, "prompts units steps"], steps: Array, lag: int) -> Windows:
    """Past = steps 1..n, future = lag+1..lag+n of each response of `steps` [prompts] steps; each window centred and
    scaled by itself (METHOD: ddof cancels in a correlation). A value that is not finite inside a response makes its
    unit invalid for that prompt."""
    n = series.shape[2] - lag
    inside = jnp.arange(n)[None, None, :] < (steps - lag)[:, None, None]

    past, past_bad, past_flat = _standardise(series[:, :, :n], inside)
    future, future_bad, future_flat = _standardise(series[:, :, lag:], inside)
    short = jnp.broadcast_to((steps - lag < MIN_STEPS)[:, None], past_bad.shape)
    code = jnp.where(
        short,
        TOO_SHORT,
        jnp.where(past_bad | future_bad, NOT_FINITE, jnp.where(past_flat | future_flat, CONSTANT, 0)),
    ).astype(jnp.int8)
    return Windows(past, future, (past * future).sum(axis=2), code)


def _standardise(
    window: Float[Array, "prompts units n"], inside: Bool[Array, "prompts 1 n"]
) -> tuple[Array, Array, Array]:
    """(standardised, any value not finite, constant); invalid windows come out as zeros."""
    finite = jnp.isfinite(window)
    bad = (inside & ~finite).any(axis=2)
    window = jnp.where(inside & finite, window, 0.0)
    highest = jnp.where(inside, window, -jnp.inf).max(axis=2)
    lowest = jnp.where(inside, window, jnp.inf).min(axis=2)
    flat = highest == lowest
    # Scaled first, so that neither the sum nor the squares of very large or small activity overflow.
    scale = jnp.maximum(jnp.abs(highest), jnp.abs(lowest))[:, :, None]
    window = window / jnp.where((scale > 0) & jnp.isfinite(scale), scale, 1.0)
    count = jnp.maximum(inside.sum(axis=2, keepdims=True), 1)
    # Centred twice: the second pass removes what rounding of the first mean left, which near-copies would feel.
    for _ in range(2):
        window = jnp.where(inside, window - window.sum(axis=2, keepdims=True) / count, 0.0)
    length = jnp.sqrt((window * window).sum(axis=2, keepdims=True))
    flat = flat | (length[:, :, 0] == 0)
    usable = ~(bad | flat)[:, :, None]
    return jnp.where(usable, window / jnp.where(usable, length, 1.0), 0.0), bad, flat
