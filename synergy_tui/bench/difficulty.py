"""How often the difficulty verdict is wrong: ladders with a known course, with a simulated order parameter and through
the whole path from planted coupling to the verdict. `python -m synergy_tui.bench.difficulty` prints the tables."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.signal import lfilter

from synergy_tui.analysis.ladder import curve
from synergy_tui.analysis.order import LevelAtoms, level_contrast
from synergy_tui.analysis.transition import FULL, judge
from synergy_tui.terms import LADDER_VERDICTS

LADDERS, PROMPTS = 1000, 40

JITTER = 0.2
"""Standard deviation of level effects, in standard deviations over prompts."""

LAYERS, PER_LAYER, STEPS = 9, 4, 64
"""Shape of the subject whose series are planted."""

Course = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Places in [0, 1] [ladders, levels], and the centre of the change [ladders, 1] → the order parameter there, from 0 to
1."""


def _sigmoid(width: float) -> Course:
    return lambda u, centre: 1 / (1 + np.exp(np.clip((centre - u) * 2 * np.log(9) / width, -500, 500)))


SMOOTH: dict[str, Course] = {
    "flat": lambda u, _: np.zeros_like(u),
    "linear": lambda u, _: u,
    "saturating": lambda u, _: (1 - np.exp(-3 * u)) / (1 - np.exp(-3)),
    "quadratic": lambda u, _: u**2,
    "hump": lambda u, _: 4 * u * (1 - u),
    "sigmoid, 60 % wide": _sigmoid(0.6),
}
"""Courses that are not a transition; saturating: its scale is a third of the ladder."""

SUDDEN: dict[str, Course] = {
    "step": lambda u, centre: (u > centre).astype(float),
    "sigmoid, 10 % wide": _sigmoid(0.1),
    "sigmoid, 20 % wide": _sigmoid(0.2),
}


def _centres(count: int, levels: int, chance: np.random.Generator) -> np.ndarray:
    """Where the change happens: anywhere between the second level and the last but one."""
    margin = 1 / (levels - 1)
    return chance.uniform(margin, 1 - margin, (count, 1))


def alone(
    course: Course,
    size: float,
    jitter: float,
    ladders: int = LADDERS,
    levels: int = FULL,
    seed: int = 0,
    drift: float = 0.0,
    prompts: int = PROMPTS,
) -> dict[str, float]:
    """Shares of verdicts over ladders whose prompts have a normal order parameter of this course; and, among ladders
    called a transition, how often the interval of d* contains the true place. jitter: standard deviation of level
    effects; drift: their correlation from one level to the next."""
    chance = np.random.default_rng([seed, levels])
    x = np.arange(1.0, levels + 1)
    centre = _centres(ladders, levels, chance)
    truth = size * course(np.tile((x - 1) / (levels - 1), (ladders, 1)), centre)
    truth += jitter * _drifting(truth.shape, drift, chance)
    values = truth[:, :, None] + chance.normal(size=(*truth.shape, prompts))
    variance = values.var(axis=2, ddof=1).mean(axis=1)
    found = judge(x, values.mean(axis=2), variance / prompts, np.sqrt(variance))
    place = 1 + (levels - 1) * centre[:, 0]
    return _shares(found.verdict, (found.d_low <= place) & (place <= found.d_high), course)


def _drifting(shape: tuple[int, ...], drift: float, chance: np.random.Generator) -> np.ndarray:
    """Level effects of unit variance, an AR(1) process over the levels."""
    noise = chance.normal(size=shape)
    out = noise.copy()
    for level in range(1, shape[1]):
        out[:, level] = drift * out[:, level - 1] + np.sqrt(1 - drift**2) * noise[:, level]
    return out


def _has_place(course: Course) -> bool:
    """Whether the course has a d* to cover."""
    return course in SUDDEN.values()


def _shares(verdicts: np.ndarray, held: np.ndarray, course: Course) -> dict[str, float]:
    called = (verdicts == "transition") & _has_place(course)
    shares = {name: float((verdicts == name).mean()) for name in LADDER_VERDICTS}
    return shares | {"covered": float(held[called].mean()) if called.any() else float("nan")}


# The whole path: series with a common drive, equal in all units except in the middle layers; their share of it decides
# the contrast of the ranking.


def planted(drive: np.ndarray, chance: np.random.Generator) -> np.ndarray:
    """Series [prompts, units, steps]: each unit has memory, and all follow one slow signal with their own weights,
    times `drive` [prompts] in the middle third of the layers. As in a model, units differ permanently: if they were all
    alike, only noise would rank them."""
    prompts, units = len(drive), LAYERS * PER_LAYER
    layer = np.arange(units) // PER_LAYER
    middle = (layer * 3 >= LAYERS - 1) & (layer * 3 <= 2 * (LAYERS - 1))
    fixed = np.random.default_rng(7)
    memory, own_weight = fixed.uniform(0.2, 0.8, units), fixed.uniform(0.2, 1.2, units)
    weight = own_weight * np.where(middle, drive[:, None], 0.7)
    burn = 60
    noise = chance.normal(size=(prompts, units, STEPS + burn))
    own = np.stack([lfilter([1.0], [1.0, -memory[k]], noise[:, k]) for k in range(units)], axis=1)[..., burn:]
    slow = lfilter([1.0], [1.0, -0.8], chance.normal(size=(prompts, 1, STEPS + burn)))[..., burn:]
    return own + weight[:, :, None] * slow


def contrasts(series: np.ndarray) -> list[np.ndarray]:
    """Order parameter of the prompts of every level [levels, prompts, units, steps], through ΦID."""
    from synergy_tui.phiid import decompose

    levels, prompts, units, steps = series.shape
    found = decompose(series.reshape(-1, units, steps))
    parts = (found.unit_prompt, found.unit_prompt_offset, found.unit_balance)
    each = (np.split(part, levels) for part in parts)
    nothing = np.ones((prompts, units))
    return [
        level_contrast(LevelAtoms(one[0], one[1], one[2], None, nothing), LAYERS) for one in zip(*each, strict=True)
    ]


class Path:
    """The order parameter that a drive plants: measured once, at many drives with many prompts, and inverted."""

    def __init__(self, seed: int = 0, drives: int = 15, repeats: int = 8) -> None:
        chance = np.random.default_rng([seed, 99])
        self._drives = np.linspace(0.2, 1.6, drives)
        found = [
            contrasts(np.stack([planted(np.full(PROMPTS, drive), chance) for _ in range(repeats)]))
            for drive in self._drives
        ]
        means = np.array([[one.mean() for one in some] for some in found])
        self.error = float(means.std(axis=1, ddof=1).mean())
        self.jackknife = float(np.mean([[one.std(ddof=1) / np.sqrt(PROMPTS) for one in some] for some in found]))
        self.sd = self.jackknife * np.sqrt(PROMPTS)
        # More drive gives more redundancy and less contrast. The curve is smoothed so that it can be inverted.
        smooth = np.polyval(np.polyfit(self._drives, means.mean(axis=1), 3), self._drives)
        self._contrast = np.minimum.accumulate(smooth)
        self.reach = float(self._contrast[0] - self._contrast[-1]) / self.sd

    def ladder(self, course: np.ndarray, chance: np.random.Generator) -> tuple[Any, np.ndarray]:
        """The verdict on one ladder with this course [levels], given in standard deviations over prompts above its
        minimum."""
        middle = (self._contrast[0] + self._contrast[-1]) / 2
        wanted = middle + self.sd * (course - (course.max() + course.min()) / 2)
        drive = np.interp(-wanted, -self._contrast, self._drives)
        values = contrasts(np.stack([planted(np.full(PROMPTS, one), chance) for one in drive]))
        return curve("contrast", values, LAYERS * PER_LAYER), wanted

    def cases(
        self, course: Course, size: float, jitter: float, ladders: int, levels: int = FULL, seed: int = 0
    ) -> dict[str, float]:
        """Like `alone`, but through the whole path."""
        chance = np.random.default_rng([seed, levels, 7])
        centre = _centres(ladders, levels, chance)
        u = np.tile(np.linspace(0, 1, levels), (ladders, 1))
        truth = size * course(u, centre) + jitter * chance.normal(size=u.shape)
        found = [self.ladder(one, chance)[0] for one in truth]
        place = 1 + (levels - 1) * centre[:, 0]
        held = [one.d_low <= where <= one.d_high for one, where in zip(found, place, strict=True)]
        return _shares(np.array([one.verdict for one in found], object), np.array(held), course)


def measure(ladders: int = LADDERS, through: int = 20) -> dict[str, Any]:
    """Both tables, by case."""
    out: dict[str, Any] = {"alone": {}, "whole path": {}}
    for name, course, sizes in _every():
        for size in sizes:
            for jitter in (0.0, JITTER):
                out["alone"][_case(name, size, jitter)] = alone(course, size, jitter, ladders)
    for effect, drift in ((0.5, 0.8), (1.0, 0.8), (1.0, 0.9), (2.0, 0.9)):
        case = f"flat, levels drift by {effect:g} sd (φ {drift:g})"
        out["alone"][case] = alone(SMOOTH["flat"], 0.0, effect, ladders, drift=drift)
    path = Path()
    out["path"] = {"reach, sd": path.reach, "error of a level": path.error, "its jackknife": path.jackknife}
    for name, course, sizes in _every():
        size = 2.0 if 2.0 in sizes else sizes[0]
        for jitter in (0.0, JITTER):
            out["whole path"][_case(name, size, jitter)] = path.cases(course, size, jitter, through)
    return out


def _every() -> list[tuple[str, Course, tuple[float, ...]]]:
    smooth = [(name, course, (0.0,) if name == "flat" else (1.0, 2.0, 3.0)) for name, course in SMOOTH.items()]
    return [*smooth, *((name, course, (1.0, 2.0)) for name, course in SUDDEN.items())]


def _case(name: str, size: float, jitter: float) -> str:
    return f"{name}, {size:g} sd" + (f", jitter {jitter:g}" if jitter else "")


def as_table(rows: dict[str, dict[str, float]]) -> str:
    """Markdown, in per cent."""
    names = ("transition", "gradual", "no change", "inconclusive", "covered")
    lines = [f"| course | {' | '.join(names[:-1])} | d\\* covered |", "|---" * (len(names) + 1) + "|"]
    for case, row in rows.items():
        cells = ["–" if np.isnan(row[name]) else f"{row[name]:.1%}".replace("%", " %") for name in names]
        lines.append(f"| {case} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    made = measure(*(int(one) for one in sys.argv[1:]))
    print(f"{as_table(made['alone'])}\n\n{made['path']}\n\n{as_table(made['whole path'])}")
