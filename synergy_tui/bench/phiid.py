"""The ΦID engine against a plain NumPy closed form of two atoms, interleaved, on the same data."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np

from synergy_tui.phiid import decompose
from synergy_tui.terms import RTR, STS

PROMPTS, UNITS, STEPS, ROUNDS = 60, 270, 100, 9


def measure() -> dict[str, Any]:
    """Median seconds of both, their ratio, the engine's first call (with compilation), the largest difference between
    the two in nats, and this process's peak memory in bytes."""
    series = _series()
    began = time.perf_counter()
    decompose(series)
    first = time.perf_counter() - began
    engine_peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    seconds: dict[str, list[float]] = {"engine": [], "numpy": []}
    for _ in range(ROUNDS):
        result, took = _timed(lambda: decompose(series))
        seconds["engine"].append(took)
        (sts, rtr), took = _timed(lambda: _closed_form(series))
        seconds["numpy"].append(took)
    i, j = result.pairs.T
    difference = max(np.abs(sts[i, j] - result.mean[:, STS]).max(), np.abs(rtr[i, j] - result.mean[:, RTR]).max())
    return {
        "series": [PROMPTS, UNITS, STEPS],
        "engine, 16 atoms, all pairs i < j": median(seconds["engine"]),
        "engine, first call with compilation": first,
        "engine, peak memory": engine_peak,
        "numpy, sts and rtr, all ordered pairs": median(seconds["numpy"]),
        "engine / numpy": median(seconds["engine"]) / median(seconds["numpy"]),
        "largest difference": float(difference),
    }


def _series() -> np.ndarray:
    """Autocorrelated units with a common driver: det R of real head norms' order."""
    chance = np.random.default_rng(0)
    noise = chance.normal(size=(PROMPTS, UNITS, STEPS)) + 0.5 * chance.normal(size=(PROMPTS, 1, STEPS))
    series = np.empty_like(noise)
    series[..., 0] = noise[..., 0]
    for step in range(1, STEPS):
        series[..., step] = 0.7 * series[..., step - 1] + noise[..., step]
    return series


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    began = time.perf_counter()
    result = work()
    return result, time.perf_counter() - began


def _closed_form(series: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """[units, units] mean sts and rtr, by METHOD's closed form on whole matrices, prompt by prompt."""
    total = np.zeros((2, series.shape[1], series.shape[1]))
    for prompt in series:
        past, future = (_standardised(prompt[:, part]) for part in (slice(0, -1), slice(1, None)))
        xy, ff, cross = past @ past.T, future @ future.T, past @ future.T
        own = np.diagonal(cross)
        xx, yy, x_fy, y_fx = own[:, None], own[None, :], cross, cross.T
        det_past, det_future = 1 - xy**2, 1 - ff**2

        def three(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
            return 1 + 2 * a * b * c - a**2 - b**2 - c**2

        det = (
            det_past * det_future
            + (xx * yy - x_fy * y_fx) ** 2
            - xx**2
            - yy**2
            - x_fy**2
            - y_fx**2
            + 2 * xy * (xx * y_fx + x_fy * yy)
            + 2 * ff * (xx * x_fy + y_fx * yy)
            - 2 * xy * ff * (xx * yy + x_fy * y_fx)
        )
        i_xx, i_yy, i_xy, i_yx = (-0.5 * np.log(1 - c**2) for c in (xx, yy, x_fy, y_fx))
        both_x, both_y = (0.5 * np.log(det_past / three(xy, a, b)) for a, b in ((xx, y_fx), (x_fy, yy)))
        x_both, y_both = (0.5 * np.log(det_future / three(ff, a, b)) for a, b in ((xx, x_fy), (y_fx, yy)))
        least, most = np.minimum, np.maximum
        rtr = least(least(i_xx, i_yy), least(i_xy, i_yx))
        sts = 0.5 * np.log(det_past * det_future / det) - most(both_x, both_y) - most(x_both, y_both)
        sts += most(i_xx, i_xy) + most(i_yx, i_yy) - least(i_xx, i_yx) - least(i_xy, i_yy) + rtr
        total += sts, rtr
    return total[0] / len(series), total[1] / len(series)


def _standardised(window: np.ndarray) -> np.ndarray:
    window = window - window.mean(axis=1, keepdims=True)
    return window / np.sqrt((window**2).sum(axis=1, keepdims=True))
