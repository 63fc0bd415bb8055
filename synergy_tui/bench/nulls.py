"""Calibration of the nulls on units that are independent by construction, and their power on units that are not: the
share of pairs with p < 0.05 in each tail, which should be 0.05."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from synergy_tui.analysis import nulls
from synergy_tui.bench.series import autoregressive
from synergy_tui.phiid import surrogates
from synergy_tui.terms import NULLS

UNITS, STEPS, DRAWS = 64, 100, 200
"""2,016 pairs."""

DATA_SETS = 6
"""Of each row. Pairs of one data set share units, so that a share of one scatters by ±0.01 and more: what a share is
known to is the standard error over data sets."""

LEVEL = 0.05

Shape = tuple[int, int, int]


def _ar(phi: float) -> Callable[[np.random.Generator, Shape], np.ndarray]:
    return lambda chance, shape: autoregressive(chance, shape, phi)


def _mixed(chance: np.random.Generator, shape: Shape) -> np.ndarray:
    return autoregressive(chance, shape, chance.choice([0.0, 0.5, 0.8, 0.95], size=shape[1]))


def _trend(chance: np.random.Generator, shape: Shape) -> np.ndarray:
    """Every unit drifts by one standard deviation, in all prompts alike."""
    return autoregressive(chance, shape, 0.5) + np.linspace(-1, 1, shape[2])


def _transient(chance: np.random.Generator, shape: Shape) -> np.ndarray:
    """Every unit starts two standard deviations high and falls back within ten steps."""
    return autoregressive(chance, shape, 0.5) + 2 * np.exp(-np.arange(shape[2]) / 10)


def _varying(chance: np.random.Generator, shape: Shape) -> np.ndarray:
    """The autocorrelation of all units together differs between prompts."""
    return autoregressive(chance, shape, chance.uniform(0.2, 0.9, size=(shape[0], 1)))


def _driven(strength: float) -> Callable[[np.random.Generator, Shape], np.ndarray]:
    def made(chance: np.random.Generator, shape: Shape) -> np.ndarray:
        driver = autoregressive(chance, (shape[0], 1, shape[2]), 0.5)
        return np.sqrt(1 - strength**2) * autoregressive(chance, shape, 0.5) + strength * driver

    return made


INDEPENDENT = {
    "φ 0": _ar(0.0),
    "φ 0.5": _ar(0.5),
    "φ 0.8": _ar(0.8),
    "φ 0.95": _ar(0.95),
    "φ mixed": _mixed,
    "shared trend": _trend,
    "shared transient": _transient,
    "φ varies over prompts": _varying,
}

COUPLED = {"common driver 0.4": _driven(0.4), "common driver 0.6": _driven(0.6)}


def measure() -> dict[str, Any]:
    """A row for every process and number of prompts: [mean, standard error] over data sets of the shares by null and
    for the larger p, and of the mean excess in nats."""
    found: dict[str, Any] = {"pairs": UNITS * (UNITS - 1) // 2, "steps": STEPS, "draws": DRAWS, "data sets": DATA_SETS}
    for name, made in {**INDEPENDENT, **COUPLED}.items():
        for prompts in (10, 60):
            found[f"{name}, {prompts} prompts"] = over_data_sets(made, prompts)
    return found


def over_data_sets(
    made: Callable[[np.random.Generator, Shape], np.ndarray], prompts: int, count: int = 0, **size: int
) -> dict[str, dict[str, list[float]]]:
    """What `shares` gives, each as [mean, standard error] over data sets of seeds of their own."""
    each = [shares(made, prompts, seed=seed, **size) for seed in range(count or DATA_SETS)]

    def told(test: str, what: str) -> list[float]:
        values = np.array([one[test][what] for one in each])
        return [float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))]

    return {test: {what: told(test, what) for what in each[0][test]} for test in each[0]}


def shares(
    made: Callable[[np.random.Generator, Shape], np.ndarray],
    prompts: int,
    units: int = UNITS,
    draws: int = DRAWS,
    seed: int = 0,
) -> dict[str, Any]:
    """By null, the share of pairs with p < 0.05 in the upper and lower tail of sts (and so of excess), and the upper of
    rtr and TDMI; the share whose larger two-sided p of sts, or upper p, is below 0.05."""
    series = made(np.random.default_rng(seed), (prompts, units, STEPS))
    found: dict[str, Any] = {}
    tests = []
    for null in NULLS:
        drawn = surrogates(series, null, draws, seed=seed)
        moments = drawn.moments
        one = nulls.tested(drawn.observed, moments.mean, moments.sd, moments.skewness, moments.count)
        upper = nulls.pearson_tail(one.z, one.skewness)
        lower = nulls.pearson_tail(-one.z, -one.skewness)
        tests.append(one.p)
        found[null] = {
            "sts above": _share(upper[:, 0]),
            "sts below": _share(lower[:, 0]),
            "rtr above": _share(upper[:, 1]),
            "tdmi above": _share(upper[:, 2]),
            "mean excess": float(one.excess.mean()),
        }
    larger = nulls.larger(tests)
    found["larger p"] = {name: _share(larger[:, k]) for k, name in enumerate(("sts", "rtr", "tdmi"))}
    return found


def _share(p: np.ndarray) -> float:
    return float((p < LEVEL).mean())
