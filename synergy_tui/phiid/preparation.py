"""series → series [prompts, units, steps] after the steps that may come before a decomposition. NumPy only. A value
without an image becomes −∞, so that its unit counts as not finite and nothing is lost silently."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import NormalDist

import numpy as np
from jaxtyping import Float

from synergy_tui.errors import UsageError
from synergy_tui.phiid.windows import response_lengths
from synergy_tui.terms import PREPROCESSING

_ROUNDING = 1e-12
"""Residuals of a straight line below this share of its values are rounding, not activity."""


def parse(text: str) -> list[str]:
    """The words of `log,detrend` or `drop=5,rank-normal`, checked; `raw` and an empty text give no words. Raises
    UsageError."""
    words = [word.strip() for word in text.split(",") if word.strip() not in ("", "raw")]
    for word in words:
        name, equals, number = word.partition("=")
        if name not in PREPROCESSING or (name in _NUMBERED) != bool(equals):
            known = ", ".join(f"{one}=K" if one in _NUMBERED else one for one in PREPROCESSING)
            raise UsageError(f"no preprocessing {word!r}", f"known: raw, {known}")
        if equals and not (number.isascii() and number.isdigit()):
            raise UsageError(f"{word!r} is not a number of steps", f"give it as {name}=5")
    return words


_NUMBERED = ("drop", "cut")


def steps_left(steps: int, words: Sequence[str]) -> int:
    """How many of a response's steps remain after the words of `parse`."""
    for word in words:
        name, _, number = word.partition("=")
        if name == "cut":
            steps = min(steps, int(number))
        elif name in ("drop", "difference"):
            steps -= int(number or 1)
    return steps


def preprocess(
    series: Float[np.ndarray, "prompts units steps"], words: Sequence[str]
) -> Float[np.ndarray, "prompts units steps"]:
    """Applies the words of `parse` in their order, to each unit of each response by itself. `drop=K` removes the first
    K steps, `difference` one, and `cut=K` those after the first K. Raises UsageError when no step is left."""
    series = np.asarray(series, np.float64)
    for word in words:
        name, _, number = word.partition("=")
        if name == "drop":
            series = series[:, :, int(number) :]
        elif name == "cut":
            series = series[:, :, : int(number)]
        elif name == "log":
            positive = series > 0
            image = np.log(series, where=positive, out=np.full(series.shape, -np.inf))
            series = np.where(np.isnan(series), np.nan, image)
        elif name == "difference":
            series = _settled(np.diff(series, axis=2), series[:, :, 1:])
        else:
            series = _each_response(series, _IMAGES[name])
        if series.shape[2] == 0:
            raise UsageError(f"{word} leaves no step", "drop fewer")
    return series


def _each_response(series: np.ndarray, image: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    out = np.full(series.shape, np.nan)
    for number, length in enumerate(response_lengths(series)):
        if length:
            out[number, :, :length] = image(series[number, :, :length])
    return out


def _rank_normal(response: Float[np.ndarray, "units steps"]) -> np.ndarray:
    """Normal quantiles of rank/(n + 1), ties averaged."""
    n = response.shape[1]
    order = np.argsort(response, axis=1, kind="stable")
    ordered = np.take_along_axis(response, order, axis=1)
    place = np.broadcast_to(np.arange(n), ordered.shape)
    new = np.ones(ordered.shape, bool)
    new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    last = np.ones(ordered.shape, bool)
    last[:, :-1] = new[:, 1:]
    first_of_run = np.maximum.accumulate(np.where(new, place, 0), axis=1)
    last_of_run = np.minimum.accumulate(np.where(last, place, n)[:, ::-1], axis=1)[:, ::-1]
    twice_rank = np.empty(ordered.shape, int)
    np.put_along_axis(twice_rank, order, first_of_run + last_of_run + 2, axis=1)
    normal = NormalDist()
    quantiles = np.array([0.0, *(normal.inv_cdf(k / (2 * n + 2)) for k in range(1, 2 * n + 1))])
    finite = np.isfinite(response).all(axis=1, keepdims=True)
    return np.where(finite, quantiles[twice_rank], -np.inf)


def _detrend(response: Float[np.ndarray, "units steps"]) -> np.ndarray:
    """Residuals of a straight line over the steps."""
    time = np.arange(response.shape[1]) - (response.shape[1] - 1) / 2
    finite = np.isfinite(response).all(axis=1, keepdims=True)
    values = np.where(finite, response, 0.0)
    rest = values - values.mean(axis=1, keepdims=True)
    slope = (rest @ time) / max(float(time @ time), 1.0)
    return np.where(finite, _settled(rest - slope[:, None] * time, values), -np.inf)


def _settled(image: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The image, or zeros if it differs from a constant only by rounding of its source values: such a unit must count
    as constant and must not be decomposed."""
    size = np.where(np.isfinite(values), abs(values), 0.0).max(axis=-1, keepdims=True)
    finite = np.where(np.isfinite(image), image, np.nan)
    known = ~np.isnan(finite).all(axis=-1, keepdims=True)
    spread = np.where(np.isnan(finite), -np.inf, finite).max(axis=-1, keepdims=True) - np.where(
        np.isnan(finite), np.inf, finite
    ).min(axis=-1, keepdims=True)
    flat = known & (spread <= _ROUNDING * size)
    return np.where(flat & np.isfinite(image), 0.0, image)


_IMAGES = {"rank-normal": _rank_normal, "detrend": _detrend}
