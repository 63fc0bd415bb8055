"""series → standardised past and future windows per unit and prompt. Arrays may be NumPy's or JAX's."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int8

from synergy_tui.terms import INVALID_REASONS

MIN_STEPS = 5
"""Fewest steps of a window. With fewer the 4×4 correlation matrix is singular by construction."""

CLEAR = {"float64": 1e-6, "float32": 1e-2}
"""How much of its variances must remain for a pair to be exact to about 1e-10 nats (1e-5 in float32) from its
correlations (`gaussian.ratios`). Other pairs are recomputed from their windows."""

SMALLEST_RATIO = {"float64": 2.2e-10, "float32": 1e-6}
"""Smallest usable ratio of the extreme eigenvalues of R; below it a pair is invalid."""

TOO_SHORT, NOT_FINITE, CONSTANT, ILL_CONDITIONED = range(1, len(INVALID_REASONS) + 1)


class Windows(NamedTuple):
    """past, future: centred and of unit length, or bits (`make_bits`); 0 past the end of a response. own: correlation
    of a unit's past with its own future; unused for bits. code: why a unit is invalid for a prompt, 0 if it is valid
    (terms.INVALID_REASONS)."""

    past: Float[Any, "prompts units n"]
    future: Float[Any, "prompts units n"]
    own: Float[Any, "prompts units"]
    code: Int8[Any, "prompts units"]


def response_lengths(series: np.ndarray) -> np.ndarray:
    """[prompts] int: steps up to the last one at which any unit of [prompts, units, steps] has a value."""
    present = ~np.isnan(series).all(axis=1)
    return np.where(present.any(axis=1), present.shape[1] - present[:, ::-1].argmax(axis=1), 0)


def make_windows(series: Float[Any, "prompts units steps"], steps: Any, lag: int) -> Windows:
    """Past = steps 1..n, future = lag+1..lag+n of each response of `steps` [prompts] steps; each window centred and
    scaled by itself (docs/method.md, section 2; ddof cancels in a correlation). A value that is not finite inside a
    response makes its unit invalid for that prompt."""
    numbers = series.__array_namespace__()
    n = series.shape[2] - lag
    inside = numbers.arange(n)[None, None, :] < (steps - lag)[:, None, None]

    past, past_bad, past_flat = _standardise(series[:, :, :n], inside)
    future, future_bad, future_flat = _standardise(series[:, :, lag:], inside)
    short = numbers.broadcast_to((steps - lag < MIN_STEPS)[:, None], past_bad.shape)
    code = numbers.where(past_flat | future_flat, CONSTANT, 0)
    code = numbers.where(past_bad | future_bad, NOT_FINITE, code)
    code = numbers.where(short, TOO_SHORT, code).astype(numbers.int8)
    return Windows(past, future, (past * future).sum(axis=2), code)


def make_bits(series: Float[Any, "prompts units steps"], steps: Any, lag: int) -> Windows:
    """The same windows, 1 where a step is strictly above its window's mean and 0 elsewhere. A constant window is a
    valid state like any other."""
    numbers = series.__array_namespace__()
    n = series.shape[2] - lag
    inside = numbers.arange(n)[None, None, :] < (steps - lag)[:, None, None]
    count = numbers.maximum(inside.sum(axis=2, keepdims=True), 1)

    def above_mean(window: Any) -> tuple[Any, Any]:
        bad = (inside & ~numbers.isfinite(window)).any(axis=2)
        window = numbers.where(inside & ~bad[:, :, None], window, 0.0)
        above = window > window.sum(axis=2, keepdims=True) / count
        return (inside & above).astype(window.dtype), bad

    (past, past_bad), (future, future_bad) = above_mean(series[:, :, :n]), above_mean(series[:, :, lag:])
    code = numbers.where(past_bad | future_bad, NOT_FINITE, 0)
    code = numbers.where((steps - lag < MIN_STEPS)[:, None], TOO_SHORT, code).astype(numbers.int8)
    return Windows(past, future, numbers.zeros(code.shape, past.dtype), code)


def _standardise(window: Float[Any, "prompts units n"], inside: Bool[Any, "prompts 1 n"]) -> tuple[Any, Any, Any]:
    """(standardised, any value not finite, constant); invalid windows come out as zeros."""
    numbers = window.__array_namespace__()
    finite = numbers.isfinite(window)
    bad = (inside & ~finite).any(axis=2)
    window = numbers.where(inside & finite, window, 0.0)
    highest = numbers.where(inside, window, -numbers.inf).max(axis=2)
    lowest = numbers.where(inside, window, numbers.inf).min(axis=2)
    flat = highest == lowest
    # The window is scaled first, so that neither the sum nor the squares of very large or small activity overflow.
    scale = numbers.maximum(abs(highest), abs(lowest))[:, :, None]
    window = window / numbers.where((scale > 0) & numbers.isfinite(scale), scale, 1.0)
    count = numbers.maximum(inside.sum(axis=2, keepdims=True), 1)
    # The window is centred twice: the second pass removes the rounding error of the first mean, which would disturb
    # near-copies.
    for _ in range(2):
        window = numbers.where(inside, window - window.sum(axis=2, keepdims=True) / count, 0.0)
    length = numbers.sqrt((window * window).sum(axis=2, keepdims=True))
    flat = flat | (length[:, :, 0] == 0)
    usable = ~(bad | flat)[:, :, None]
    return numbers.where(usable, window / numbers.where(usable, length, 1.0), 0.0), bad, flat
