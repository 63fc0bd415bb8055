"""An order parameter's level means → five models, the verdict, d* and its interval (docs/method.md, section 6). All
functions take many ladders at once, because the calibration runs them too."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.stats import norm
from scipy.stats import t as student

from synergy_tui.terms import MODELS

PARAMETERS = dict(zip(MODELS, (1, 2, 3, 3, 4), strict=True))
"""Free parameters of the mean; the variance is one more. A step has two levels and a place, a sigmoid also a width."""

SMOOTH, SUDDEN = MODELS[:3], MODELS[3:]

BEATS, MENTIONED = 6.0, 2.0
"""ΔBIC above which one model beats another, and below which a difference is not worth a mention."""

CHANGES, CHANGES_A_LEVEL = 21.0, 1.7
"""ΔBIC against constant above which an order parameter changes: with 8 levels, and the addition for each further level.
Levels drift: at most 5 % of flat ladders with correlated level effects reach it, however large the effects are."""

SHARP = 0.4
"""Largest 10–90 % width of a transition, as a share of the ladder."""

SAME = 0.5
"""An end-to-end change within this many standard deviations over prompts counts as no change."""

FULL, FEW = 8, 5
"""Levels for the full verdict, and for any verdict."""

WIDTH = 2 * np.log(9)
"""10–90 % width of a sigmoid over its scale."""

_PROFILE = 3.841
"""The deviance that a 95 % profile interval allows."""

_CENTRES, _SCALES = 20, 28
"""Centres tried per level, and widths."""


@dataclass(frozen=True)
class Judged:
    """One entry per ladder. bic: by model. delta_bic: the better of step and sigmoid against the best of the others,
    above 0 if the former wins. change: by how much the best changing model beats constant. width: 10–90 %, as a share
    of the ladder, of the better of step and sigmoid; d_star, d_low, d_high: its place and interval, in levels. end: the
    linear fit's end-to-end change with its 90 % interval. best: place in MODELS of the least BIC."""

    verdict: np.ndarray
    bic: dict[str, Float[np.ndarray, " n"]]
    delta_bic: Float[np.ndarray, " n"]
    change: Float[np.ndarray, " n"]
    width: Float[np.ndarray, " n"]
    d_star: Float[np.ndarray, " n"]
    d_low: Float[np.ndarray, " n"]
    d_high: Float[np.ndarray, " n"]
    end: Float[np.ndarray, "3 n"]
    best: np.ndarray


@dataclass(frozen=True)
class _Sigmoids:
    """Every sigmoid to try, as a basis over the levels, centred and of length one. A step is the sigmoid of width zero;
    one that is practically flat over the ladder does not count."""

    centre: np.ndarray
    scale: np.ndarray
    basis: Float[np.ndarray, "bases levels"]


def judge(
    x: Float[np.ndarray, " levels"],
    means: Float[np.ndarray, "n levels"],
    sampling: Float[np.ndarray, " n"],
    sd: Float[np.ndarray, " n"],
) -> Judged:
    """Verdicts of n ladders. x: the levels' places, ascending. sampling: variance of a level mean due to the prompts.
    sd: standard deviation over prompts within a level."""
    levels, count = len(x), len(means)
    rss, sigmoids, squares = _least_squares(x, means)
    variance = {name: np.maximum(sampling, rss[name] / levels) for name in MODELS}
    bic = {
        name: levels * np.log(2 * np.pi * variance[name])
        + rss[name] / variance[name]
        + (PARAMETERS[name] + 1) * np.log(levels)
        for name in MODELS
    }
    table = np.stack([bic[name] for name in MODELS])
    sudden, smooth = table[3:], table[:3]
    delta = smooth.min(axis=0) - sudden.min(axis=0)
    change = table[0] - table[1:].min(axis=0)
    is_step = sudden.argmin(axis=0) == 0
    chosen = np.where(is_step, *_places(sigmoids, squares))
    span = x[-1] - x[0]
    width = WIDTH * sigmoids.scale[chosen] / span
    low, high = _interval(x, sigmoids, squares, rss, variance, is_step)
    end = _end_to_end(x, means, rss["linear"], sampling)
    changing = change > CHANGES + CHANGES_A_LEVEL * max(levels - FULL, 0)
    none = (change <= MENTIONED) & (end[1] > -SAME * sd) & (end[2] < SAME * sd)
    verdict = np.where(none, "no change", "inconclusive").astype(object)
    if levels >= FULL:
        verdict[changing] = "gradual"
        verdict[changing & (delta > BEATS) & (width <= SHARP)] = "transition"
    elif levels >= FEW:
        verdict[changing] = "changes"
    else:
        verdict[:] = "comparison"
    verdict[~np.isfinite(means).all(axis=1)] = "inconclusive"
    best = table.argmin(axis=0)
    place = sigmoids.centre[chosen]
    return Judged(verdict, bic, delta, change, width, place, low, high, end, best) if count else _nothing(bic)


def power(levels: int, prompts: int, size: float = 1.0, ladders: int = 1000, seed: int = 0) -> float:
    """The share of simulated ladders with a step of `size` standard deviations over prompts, anywhere from the second
    level to the last but one, in which a transition is found."""
    if levels < FULL or prompts < 2:
        return 0.0
    chance = np.random.default_rng(seed)
    x = np.arange(1.0, levels + 1)
    step = chance.integers(2, levels - 1, size=ladders)
    means = size * (x > step[:, None]) + chance.normal(size=(ladders, levels)) / np.sqrt(prompts)
    freedom = levels * (prompts - 1)
    variance = chance.chisquare(freedom, ladders) / freedom
    found = judge(x, means, variance / prompts, np.sqrt(variance))
    return float((found.verdict == "transition").mean())


def curves(
    x: Float[np.ndarray, " levels"], means: Float[np.ndarray, " levels"], at: Float[np.ndarray, " places"]
) -> dict[str, Float[np.ndarray, " places"]]:
    """The five fitted models at some places along the ladder, for drawing."""
    _, sigmoids, squares = _least_squares(x, means[None])
    out = {name: np.polyval(np.polyfit(x, means, degree), at) for degree, name in enumerate(SMOOTH)}
    for name, place in zip(SUDDEN, _places(sigmoids, squares), strict=True):
        centre, scale = sigmoids.centre[place[0]], sigmoids.scale[place[0]]
        here, there = _sigmoid(x, centre, scale), _sigmoid(at, centre, scale)
        rest = here - here.mean()
        height = (rest @ means) / (rest @ rest)
        out[name] = means.mean() + height * (there - here.mean())
    return out


def _least_squares(
    x: np.ndarray, means: np.ndarray
) -> tuple[dict[str, np.ndarray], _Sigmoids, Float[np.ndarray, "n bases"]]:
    """Residual sums of squares by model, and of every sigmoid that was tried."""
    centred = means - means.mean(axis=1, keepdims=True)
    total = (centred**2).sum(axis=1)
    rss = {}
    for degree, name in enumerate(SMOOTH):
        basis, _ = np.linalg.qr(np.vander(x - x.mean(), degree + 1, increasing=True))
        rss[name] = np.maximum(total - ((centred @ basis) ** 2).sum(axis=1), 0.0)
    sigmoids = _every_sigmoid(x)
    squares = np.maximum(total[:, None] - (centred @ sigmoids.basis.T) ** 2, 0.0)
    step, sigmoid = _places(sigmoids, squares)
    rows = np.arange(len(means))
    rss["step"], rss["sigmoid"] = squares[rows, step], squares[rows, sigmoid]
    return rss, sigmoids, squares


def _places(sigmoids: _Sigmoids, squares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which basis is the best step of each ladder, and which the best sigmoid."""
    step = sigmoids.scale == 0
    return np.where(step, squares, np.inf).argmin(axis=1), np.where(~step, squares, np.inf).argmin(axis=1)


def _every_sigmoid(x: np.ndarray) -> _Sigmoids:
    span = x[-1] - x[0]
    between = (x[1:] + x[:-1]) / 2
    centres = np.linspace(x[0], x[-1], _CENTRES * (len(x) - 1) + 1)
    scales = np.geomspace(np.diff(x).min() / 4, 2 * span, _SCALES) / WIDTH
    grid = np.stack(np.meshgrid(centres, scales, indexing="ij"), axis=-1).reshape(-1, 2)
    centre = np.concatenate([between, grid[:, 0]])
    scale = np.concatenate([np.zeros(len(between)), grid[:, 1]])
    basis = _sigmoid(x, centre[:, None], scale[:, None])
    basis = basis - basis.mean(axis=1, keepdims=True)
    length = np.linalg.norm(basis, axis=1)
    kept = length > 1e-6
    return _Sigmoids(centre[kept], scale[kept], basis[kept] / length[kept, None])


def _sigmoid(x: np.ndarray, centre: np.ndarray | np.floating, scale: np.ndarray | np.floating) -> np.ndarray:
    x, centre, scale = np.broadcast_arrays(x, centre, scale)
    there = (x > centre).astype(float)
    place = (x - centre) / np.where(scale > 0, scale, 1.0)
    return np.where(scale > 0, 0.5 * (1 + np.tanh(place / 2)), there)


def _interval(
    x: np.ndarray,
    sigmoids: _Sigmoids,
    squares: np.ndarray,
    rss: dict[str, np.ndarray],
    variance: dict[str, np.ndarray],
    is_step: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Profile interval of d*: every place at which a step or a sigmoid is not much worse than the best one, extended
    outward to the enclosing levels, because nothing was measured between two levels."""
    least = np.minimum(rss["step"], rss["sigmoid"])
    scatter = np.where(is_step, variance["step"], variance["sigmoid"])
    near = squares - least[:, None] <= _PROFILE * scatter[:, None]
    low = np.where(near, sigmoids.centre, np.inf).min(axis=1)
    high = np.where(near, sigmoids.centre, -np.inf).max(axis=1)
    low = x[np.clip(np.searchsorted(x, low + 1e-9, side="right") - 1, 0, len(x) - 1)]
    high = x[np.clip(np.searchsorted(x, high - 1e-9, side="left"), 0, len(x) - 1)]
    return low, high


def _end_to_end(x: np.ndarray, means: np.ndarray, rss: np.ndarray, sampling: np.ndarray) -> np.ndarray:
    """The linear fit's change from the first to the last level with its 90 % interval: normal if the sampling of
    prompts dominates, Student if the levels scatter more than that and their variance is estimated from few."""
    rest = x - x.mean()
    length, freedom = rest @ rest, len(x) - 2
    change = means @ rest / length * (x[-1] - x[0])
    if freedom < 1:
        return np.stack([change, np.full(len(means), -np.inf), np.full(len(means), np.inf)])
    scattered = rss / len(x) > sampling
    error = np.sqrt(np.where(scattered, rss / freedom, sampling) / length) * (x[-1] - x[0])
    reach = np.where(scattered, student.ppf(0.95, freedom), norm.ppf(0.95)) * error
    return np.stack([change, change - reach, change + reach])


def _nothing(bic: dict[str, np.ndarray]) -> Judged:
    none = np.zeros(0)
    return Judged(none, bic, none, none, none, none, none, none, np.zeros((3, 0)), none)
