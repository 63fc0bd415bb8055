"""Series whose truth is known: without coupling, but each with a property that could be mistaken for it, and with
planted coupling. [prompts, units, steps], units in the order of their layers. All data sets of a case come from one
model with fixed units: only the prompts differ."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from synergy_tui.analysis import profile
from synergy_tui.bench.series import autoregressive
from synergy_tui.settings import shipped

LAYERS, PER_LAYER = 9, 4
UNITS = LAYERS * PER_LAYER

Chance = np.random.Generator
Shape = tuple[int, int, int]


@dataclass(frozen=True)
class Planted:
    """One data set. categories: a number per prompt, None without categories. layers: of its units."""

    series: np.ndarray
    categories: np.ndarray | None = None
    layers: int = LAYERS


Made = Callable[[Chance], Planted]


def _fixed() -> Chance:
    """The fixed properties of a model's units."""
    return np.random.default_rng(1)


def _depth() -> np.ndarray:
    return np.repeat(profile.depth(LAYERS), PER_LAYER)


def inside() -> np.ndarray:
    """Which units lie in the middle layers."""
    return np.repeat(profile.middle(LAYERS), PER_LAYER)


# Without coupling.


def hump(chance: Chance, shape: Shape, phi: float | np.ndarray = 0.95) -> np.ndarray:
    """Independent units, smooth over three steps in the middle and slow below white noise outside: self-prediction with
    the contrast of the claim. (A hump in an AR(1) parameter has no contrast: slow units also share more by chance, so
    ranks of redundancy rise with ranks of synergy.)"""
    prompts, units, steps = shape
    middle = np.exp(-(((_depth() - 0.5) / 0.25) ** 2))
    share = np.clip(middle + _fixed().uniform(-0.1, 0.1, units), 0, 1)[:, None]
    noise = chance.normal(size=(prompts, units, steps + 2))
    smooth = (noise[..., 2:] + noise[..., 1:-1] + noise[..., :-2]) / np.sqrt(3)
    slow = autoregressive(chance, (prompts, units, steps), phi)
    below = np.sqrt(0.4) * slow + np.sqrt(0.6) * chance.normal(size=slow.shape)
    return np.sqrt(share) * smooth + np.sqrt(1 - share) * below


def _equal(chance: Chance, shape: Shape) -> np.ndarray:
    return autoregressive(chance, shape, 0.6)


def _mixed(chance: Chance, shape: Shape) -> np.ndarray:
    return autoregressive(chance, shape, _fixed().uniform(0.1, 0.9, shape[1]))


def _drawn_anew(chance: Chance, shape: Shape) -> np.ndarray:
    """A different model in every data set."""
    return autoregressive(chance, shape, chance.uniform(0.1, 0.9, shape[1]))


def _varying(chance: Chance, shape: Shape) -> np.ndarray:
    """Autocorrelation that varies between prompts for all units together."""
    return autoregressive(chance, shape, chance.uniform(0.2, 0.9, (shape[0], 1)))


def _course(steps: int) -> np.ndarray:
    return 2 * np.exp(-np.arange(steps) / 10)


def _by_category(chance: Chance, shape: Shape, categories: np.ndarray) -> np.ndarray:
    courses = autoregressive(chance, (categories.max() + 1, *shape[1:]), 0.9)
    return hump(chance, shape) + courses[categories]


def _volatile(chance: Chance, shape: Shape) -> np.ndarray:
    """All units are loud and quiet together, the middle layers most, with independent signs."""
    loudness = autoregressive(chance, (shape[0], 1, shape[2]), 0.8)
    return hump(chance, shape) * np.exp((0.3 + 0.5 * inside()[:, None]) * loudness)


def _student(chance: Chance, shape: Shape) -> np.ndarray:
    noise = chance.standard_t(3, size=(*shape[:2], shape[2] + 2))
    smooth = noise[..., 2:] + noise[..., 1:-1] + noise[..., :-2]
    return np.where(inside()[:, None], smooth, noise[..., 2:])


def cut(series: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """NaN past each response's end."""
    return np.where(np.arange(series.shape[2]) < lengths[:, None, None], series, np.nan)


def _of(made: Callable[[Chance, Shape], np.ndarray], prompts: int = 20, steps: int = 60) -> Made:
    return lambda chance: Planted(made(chance, (prompts, UNITS, steps)))


def _lengths(prompts: int, choose: Callable[[Chance], np.ndarray]) -> Made:
    def made(chance: Chance) -> Planted:
        return Planted(cut(hump(chance, (prompts, UNITS, 100)), choose(chance)))

    return made


def _early(prompts: int, short: tuple[int, ...]) -> Made:
    return _lengths(prompts, lambda _: np.array([*short, *[100] * (prompts - len(short))]))


def _categories(labelled: bool, each: int) -> Made:
    def made(chance: Chance) -> Planted:
        of = np.repeat(np.arange(20 // each), each)
        return Planted(_by_category(chance, (20, UNITS, 60), of), of if labelled else None)

    return made


def _repeated(chance: Chance) -> Planted:
    return Planted(np.repeat(hump(chance, (10, UNITS, 60)), 2, axis=0))


def _alike(chance: Chance) -> Planted:
    """Pairs of prompts with nearly the same answer."""
    once = np.repeat(hump(chance, (10, UNITS, 60)), 2, axis=0)
    return Planted(once + 0.7 * hump(chance, once.shape))


def real() -> Planted:
    """60 answers of SmolLM2-135M-Instruct: the activity of four heads of every third layer."""
    with np.load(shipped("calibration") / "smollm2.npz") as file:
        return Planted(file["series"].astype(np.float64), file["categories"].astype(int), 10)


def _real_shuffled(prompts: int, short: int = 0) -> Made:
    """Real series without coupling: every head takes the whole answers in its own random order. short: steps of one
    answer that ended early."""

    def made(chance: Chance) -> Planted:
        found = real()
        whole = found.series[np.isfinite(found.series).all(axis=(1, 2))]
        order = chance.random(whole.shape[:2]).argsort(axis=0)[:prompts]
        series = np.take_along_axis(whole, order[:, :, None], axis=0)
        if short:
            series[0, :, short:] = np.nan
        return Planted(series, None, found.layers)

    return made


WITHOUT: dict[str, Made] = {
    "equal memory": _of(_equal),
    "mixed memory": _of(_mixed),
    "mixed memory, another model each time": _of(_drawn_anew),
    "memory with a hump": _of(hump),
    "memory varying over prompts": _of(_varying),
    "the same with a shared course": _of(lambda chance, shape: _varying(chance, shape) + _course(shape[2])),
    "shared course": _of(lambda chance, shape: hump(chance, shape) + _course(shape[2])),
    "courses of categories": _categories(True, 5),
    "courses of categories of 4": _categories(True, 4),
    "courses of unknown categories": _categories(False, 5),
    "Student t, 3 degrees": _of(_student),
    "log-normal": _of(lambda chance, shape: np.exp(hump(chance, shape))),
    "trends": _of(lambda chance, shape: hump(chance, shape) + np.linspace(-1, 1, shape[2])),
    "shared volatility": _of(_volatile),
    "20 steps": _of(hump, steps=20),
    "lengths 20 to 100": _lengths(20, lambda chance: chance.integers(20, 101, 20)),
    "one early answer of 20": _early(20, (24,)),
    "two early answers of 60": _early(60, (43, 44)),
    "correlated prompts": _alike,
    "repeated prompts": _repeated,
    "SmolLM2, prompts of each head shuffled": _real_shuffled(20),
    "the same, one answer of 40 steps": _real_shuffled(20, 40),
    "the same, 58 prompts": _real_shuffled(58),
}


# With coupling.


def directed(strength: float) -> Made:
    """Every second unit drives the next one a step later."""

    def made(chance: Chance) -> Planted:
        series = autoregressive(chance, (20, UNITS, 61), 0.5)
        follows = np.sqrt(1 - strength**2) * series[:, 1::2, 1:] + strength * series[:, ::2, :-1]
        out = series[..., 1:].copy()
        out[:, 1::2] = follows
        return Planted(out)

    return made


def driven(strength: float) -> Made:
    """All units follow one driver."""

    def made(chance: Chance) -> Planted:
        own = autoregressive(chance, (20, UNITS, 60), 0.5)
        driver = autoregressive(chance, (20, 1, 60), 0.5)
        return Planted(np.sqrt(1 - strength**2) * own + strength * driver)

    return made


def synergistic(where: np.ndarray, prompts: int = 30, steps: int = 100, strength: float = 0.5) -> Made:
    """Units in the layers `where` hide a slow signal below a fast one that they share: no single unit shows it, but any
    two together do. The others follow a slow driver that each shows."""

    def made(chance: Chance) -> Planted:
        shape, fixed = (prompts, UNITS, steps), _fixed()
        hidden, driver = (autoregressive(chance, (prompts, 1, steps), 0.9) for _ in range(2))
        fast = chance.normal(size=(prompts, 1, steps))
        loading = strength * fixed.choice([-1, 1], (UNITS, 1)) * fixed.uniform(0.6, 1.4, (UNITS, 1))
        joint = fast + loading * hidden + 0.15 * chance.normal(size=shape)
        share = strength * fixed.uniform(0.8, 1.2, (UNITS, 1))
        outer = np.sqrt(1 - share**2) * autoregressive(chance, shape, 0.3) + share * driver
        return Planted(np.where(np.repeat(where, PER_LAYER)[:, None], joint, outer))

    return made


def communities(chance: Chance) -> Planted:
    """Six groups of units, each with its own driver: redundancy in communities, and no synergy."""
    of = np.arange(UNITS) % 6
    drivers = autoregressive(chance, (20, 6, 60), 0.7)
    return Planted(0.8 * autoregressive(chance, (20, UNITS, 60), 0.5) + 0.6 * drivers[:, of])


def hubs(chance: Chance) -> Planted:
    """Four hubs that all other units follow a step later."""
    series = autoregressive(chance, (20, UNITS, 61), 0.5)
    hub = np.arange(UNITS) % 9 == 0
    out = series[..., 1:].copy()
    out[:, ~hub] = 0.85 * out[:, ~hub] + 0.25 * series[:, hub, :-1].sum(axis=1, keepdims=True)
    return Planted(out)


_LAYER = np.arange(LAYERS)

WITH: dict[str, Made] = {
    "x → y, strength 0.2": directed(0.2),
    "x → y, strength 0.4": directed(0.4),
    "common driver": driven(0.5),
    "synergy in the middle layers": synergistic(profile.middle(LAYERS)),
    "synergy in the late layers": synergistic(_LAYER >= 6),
    "late layers as the middle": synergistic(_LAYER >= 3),
    "early layers as the middle": synergistic(_LAYER <= 5),
    "redundant communities": communities,
    "hubs": hubs,
}
