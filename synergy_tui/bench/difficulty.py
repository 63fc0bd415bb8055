"""How often the difficulty verdict is wrong: ladders with a known course, the order parameter alone and the whole path
from planted coupling to the verdict."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from synergy_tui.analysis.transition import FULL, judge
from synergy_tui.terms import VERDICTS

LADDERS, PROMPTS = 1000, 40

JITTER = 0.2
"""Standard deviation of what every level has of its own, in standard deviations over prompts."""

Course = Callable[[np.ndarray, np.random.Generator], np.ndarray]
"""Places in [0, 1] [ladders, levels] → the order parameter there, from 0 to 1 or back."""


def _sigmoid(width: float) -> Course:
    def course(u: np.ndarray, chance: np.random.Generator) -> np.ndarray:
        centre = _centre(u, chance)
        return 1 / (1 + np.exp(-(u - centre) * 2 * np.log(9) / width))

    return course


def _centre(u: np.ndarray, chance: np.random.Generator) -> np.ndarray:
    """Where it happens: anywhere between the second level and the last but one."""
    step = 1 / (u.shape[1] - 1)
    return chance.uniform(1.0 * step, 1 - 1.0 * step, (len(u), 1))


SMOOTH: dict[str, Course] = {
    "flat": lambda u, _: np.zeros_like(u),
    "linear": lambda u, _: u,
    "saturating": lambda u, _: (1 - np.exp(-3 * u)) / (1 - np.exp(-3)),
    "quadratic": lambda u, _: u**2,
    "hump": lambda u, _: 4 * u * (1 - u),
}
SUDDEN: dict[str, Course] = {
    "step": lambda u, chance: (u > _centre(u, chance)).astype(float),
    "sigmoid, 20 % wide": _sigmoid(0.2),
    "sigmoid, 60 % wide": _sigmoid(0.6),
}


def alone(
    course: Course, size: float, jitter: float, ladders: int = LADDERS, levels: int = FULL, seed: int = 0
) -> dict[str, Any]:
    """Shares of verdicts over ladders whose prompts have a normal order parameter of this course; and, of those called
    a transition, how often the interval of d* holds the true place."""
    chance = np.random.default_rng([seed, levels])
    x = np.arange(1.0, levels + 1)
    u = np.tile((x - 1) / (levels - 1), (ladders, 1))
    state = chance.bit_generator.state
    truth = size * course(u, chance)
    chance.bit_generator.state = state
    centre = 1 + (levels - 1) * _centre(u, chance)[:, 0]
    own = jitter * chance.normal(size=truth.shape)
    values = (truth + own)[:, :, None] + chance.normal(size=(*truth.shape, PROMPTS))
    variance = values.var(axis=2, ddof=1).mean(axis=1)
    found = judge(x, values.mean(axis=2), variance / PROMPTS, np.sqrt(variance))
    called = found.verdict == "transition"
    held = (found.d_low <= centre) & (centre <= found.d_high)
    shares = {name: float((found.verdict == name).mean()) for name in VERDICTS if (found.verdict == name).any()}
    return shares | {"covered": float(held[called].mean()) if called.any() else None, "all": float(held.mean())}
