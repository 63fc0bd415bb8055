"""The ΦID engine in its variants against others on the same data: a plain NumPy closed form of two atoms, interleaved
with it, and `hoi`, `phyid` and `omegaid` if they can be imported; these are measured on a part and scaled up."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from statistics import median
from typing import Any

import numpy as np

from synergy_tui.bench.series import with_common_driver
from synergy_tui.phiid import NullEngine, decompose
from synergy_tui.phiid.nulls import KEPT_DRAWS
from synergy_tui.terms import RTR, STS

PROMPTS, UNITS, STEPS, ROUNDS = 60, 270, 100, 9

SIZES = (128, 270, 512, 1024, 2048)
"""Numbers of units, for the cost of a pair."""

FLOOR_LOGARITHMS = {"floor": 3, "plain floor": 8}
"""Logarithms per pair and prompt, besides three matrix products. Three: of sts, rtr and TDMI, for balance and spread,
if all other sums are logarithms of products. Eight: of determinants, for an implementation that takes one of each."""


def measure() -> dict[str, Any]:
    """Median and lower-quartile seconds, warm; ratios; the cost per pair and prompt for several numbers of units."""
    series = with_common_driver(PROMPTS, UNITS, STEPS)
    found: dict[str, Any] = {"series": [PROMPTS, UNITS, STEPS]}
    _, found["engine, first call with compilation"] = _timed(lambda: decompose(series))
    found["engine, peak memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    seconds: dict[str, list[float]] = {name: [] for name in ("engine", "numpy", *FLOOR_LOGARITHMS)}
    for _ in range(ROUNDS):
        result, took = _timed(lambda: decompose(series))
        seconds["engine"].append(took)
        (sts, rtr), took = _timed(lambda: _closed_form(series))
        seconds["numpy"].append(took)
        for name, logarithms in FLOOR_LOGARITHMS.items():
            _, took = _timed(partial(_floor, series, logarithms))
            seconds[name].append(took)
    i, j = result.pairs.T
    difference = max(np.abs(sts[i, j] - result.mean[:, STS]).max(), np.abs(rtr[i, j] - result.mean[:, RTR]).max())
    found |= {
        "engine, 16 atoms, all pairs i < j": median(seconds["engine"]),
        "engine, lower quartile": _quartile(seconds["engine"]),
        "numpy, sts and rtr, all ordered pairs": median(seconds["numpy"]),
        "numpy, lower quartile": _quartile(seconds["numpy"]),
        "engine / numpy": median(seconds["engine"]) / median(seconds["numpy"]),
        "floor: 3 products, 3 logarithms, NumPy": _quartile(seconds["floor"]),
        "engine / floor": _quartile(seconds["engine"]) / _quartile(seconds["floor"]),
        "engine / floor of 8 logarithms": _quartile(seconds["engine"]) / _quartile(seconds["plain floor"]),
        "largest difference": float(difference),
    }
    variants: dict[str, dict[str, Any]] = {
        "gaussian mmi, float32": {"precision": "float32"},
        "gaussian mmi, pooled": {"pool": "pooled"},
        "discrete mmi": {"estimator": "discrete"},
        "gaussian ccs": {"redundancy": "ccs"},
        "discrete ccs": {"estimator": "discrete", "redundancy": "ccs"},
    }
    for name, options in variants.items():
        found[name] = _warm(partial(decompose, series, **options), rounds=3)
    for null in ("prompt-shuffle", "window-roll"):
        engine = NullEngine(series, null)
        # The first draws keep values of every prompt but are few among many, so a typical draw is a later one.
        few, more = (_warm(partial(engine.block, 0, draws), rounds=3) for draws in (KEPT_DRAWS, 2 * KEPT_DRAWS))
        found[f"{null}, a draw"] = (more - few) / KEPT_DRAWS
        found[f"{null}, a draw / engine"] = found[f"{null}, a draw"] / median(seconds["engine"])
    found |= {f"ns a pair and prompt, {units} units": _per_pair(units) for units in SIZES}
    return found | _others(series, median(seconds["engine"]))


def _per_pair(units: int) -> float:
    """Nanoseconds for one pair in one prompt, on 12 prompts."""
    series = with_common_driver(12, units, STEPS)
    return 1e9 * _warm(lambda: decompose(series), rounds=3) / (12 * units * (units - 1) / 2)


def _others(series: np.ndarray, engine: float) -> dict[str, Any]:
    """Seconds that other packages would take for everything, extrapolated from a part, and their ratio to the engine;
    packages that are not installed are reported as missing."""
    calls = PROMPTS * UNITS * (UNITS - 1) / 2
    found: dict[str, Any] = {}
    for name, part in {"hoi": _hoi, "phyid": _phyid, "omegaid": _omegaid}.items():
        if find_spec(name) is None:
            found[name] = "not installed"
            continue
        try:
            done, took = part(series)
        except Exception as error:  # a third-party package: whatever it raises is its result
            found[name] = f"failed: {type(error).__name__}: {error}"
            continue
        found[f"{name}, all pairs, from {done:,.0f}"] = took * calls / done
        found[f"{name} / engine"] = took * calls / done / engine
    return found


def _hoi(series: np.ndarray) -> tuple[float, float]:
    """(pairs × prompts done, seconds) for the atom sts by `hoi.metrics.AtomsPhiID`, several prompts in one call,
    warm."""
    prompts = series[:6]
    metric = import_module("hoi.metrics").AtomsPhiID

    def some() -> Any:
        return metric(prompts.transpose(2, 1, 0), verbose="ERROR").fit(tau=1, method="gauss", atoms=["sts"])

    some()
    _, took = _timed(some)
    return len(prompts) * series.shape[1] * (series.shape[1] - 1) / 2, took


def _phyid(series: np.ndarray) -> tuple[float, float]:
    return _hundred_pairs(import_module("phyid.calculate").calc_PhiID, series)


def _omegaid(series: np.ndarray) -> tuple[float, float]:
    return _hundred_pairs(import_module("omegaid").calc_PhiID, series)


def _hundred_pairs(calculate: Callable[..., Any], series: np.ndarray) -> tuple[float, float]:
    def one(k: int) -> Any:
        return calculate(series[0, 0], series[0, k], 1, kind="gaussian", redundancy="MMI")

    one(1)
    _, took = _timed(lambda: [one(k) for k in range(1, 101)])
    return 100, took


def _floor(series: np.ndarray, logarithms: int) -> None:
    """The work that no exact method can avoid, by NumPy on its threads: the products of past and future of every
    prompt, and a pair's logarithms."""
    for prompt in series:
        past, future = prompt[:, :-1], prompt[:, 1:]
        products = past @ past.T, future @ future.T, past @ future.T
        some = np.abs(products[0][np.triu_indices(UNITS, 1)]) + 1
        for _ in range(logarithms):
            np.log(some)


def _warm(work: Callable[[], Any], rounds: int) -> float:
    """Median seconds after a first call."""
    work()
    return median(_timed(work)[1] for _ in range(rounds))


def _quartile(seconds: list[float]) -> float:
    return float(np.quantile(seconds, 0.25))


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    began = time.perf_counter()
    result = work()
    return result, time.perf_counter() - began


def _closed_form(series: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """[units, units] mean sts and rtr, by the closed form of docs/method.md, section 2 on whole matrices, prompt by
    prompt."""
    total = np.zeros((2, series.shape[1], series.shape[1]))
    # A unit with itself is not a pair: nothing uses the diagonal.
    with np.errstate(divide="ignore", invalid="ignore"):
        for prompt in series:
            total += _of_prompt(prompt)
    return total[0] / len(series), total[1] / len(series)


def _of_prompt(prompt: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
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
    return sts, rtr


def _standardised(window: np.ndarray) -> np.ndarray:
    window = window - window.mean(axis=1, keepdims=True)
    return window / np.sqrt((window**2).sum(axis=1, keepdims=True))
