"""How often C8 and C9 are wrong: profiles, states and pairs whose truth is known, on the same path as a run. The
numbers are in docs/errors-claims.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from synergy_tui.analysis import geometry
from synergy_tui.analysis.claims import Claim
from synergy_tui.analysis.coincidence import coincidence
from synergy_tui.analysis.geometric_claims import Geometry, Measured, c8, c9
from synergy_tui.analysis.thresholds import COINCIDES

LAYERS, PROMPTS, TOKENS, WIDTH, PAIRS = 18, 24, 16, 30, 48


def measure(sets: int = 60, pairs_of_profiles: int = 200) -> dict[str, Any]:
    """Shares of coincidences among independent profiles, and verdicts by case."""
    chance = np.random.default_rng(0)
    kinds = profiles(chance, 30)
    found: dict[str, Any] = {"coincidence": {}}
    for name, draw in kinds.items():
        p = np.array([coincidence(draw(), draw()).p for _ in range(pairs_of_profiles)])
        found["coincidence"][name] = {
            "0.05": int((p < 0.05).sum()),
            COINCIDES: int((p < COINCIDES).sum()),
            "of": len(p),
        }
    found["c8"] = {name: _counted(partial(dimension_case, chance, *one), sets) for name, one in C8.items()}
    found["c9"] = {name: _counted(partial(alignment_case, chance, one), sets) for name, one in C9.items()}
    return found


def _counted(judged: Callable[[], Claim], sets: int) -> dict[str, int]:
    return dict(Counter(judged().verdict for _ in range(sets)))


def profiles(chance: np.random.Generator, layers: int) -> dict[str, Callable[[], np.ndarray]]:
    """Random profiles over layers, by kind."""
    at = np.linspace(0, 1, layers)

    def smooth(length: float) -> Callable[[], np.ndarray]:
        shape = np.exp(-(((at[:, None] - at[None]) / length) ** 2) / 2) + 1e-8 * np.eye(layers)
        root = np.linalg.cholesky(shape)
        return lambda: np.asarray(root @ chance.standard_normal(layers))

    def hump() -> np.ndarray:
        near = np.exp(-(((at - chance.uniform()) / chance.uniform(0.1, 0.4)) ** 2))
        return np.asarray(near * chance.choice([-1, 1]) + 0.03 * chance.standard_normal(layers))

    return {
        "white": lambda: chance.standard_normal(layers),
        "smooth over 0.3": smooth(0.3),
        "smooth over 1": smooth(1.0),
        "walk": lambda: chance.standard_normal(layers).cumsum(),
        "sum of a walk": lambda: chance.standard_normal(layers).cumsum().cumsum(),
        "cubic": lambda: np.polynomial.legendre.legval(2 * at - 1, chance.standard_normal(4)),
        "hump anywhere": hump,
    }


_AT = np.linspace(0, 1, LAYERS)
_HUMP = 3 + 6 * np.exp(-(((_AT - 0.5) / 0.2) ** 2))
_OTHER = np.sin(5 * np.pi * _AT)

C8: dict[str, tuple[np.ndarray, np.ndarray]] = {
    "a hump, and synergy has it too": (_HUMP, _HUMP),
    "a dip, and synergy has a hump": (12 - _HUMP, _HUMP),
    "a hump, and synergy goes its own way": (_HUMP, _OTHER),
    "the same dimension in all layers": (np.full(LAYERS, 5.0), _HUMP),
    "a dimension that grows": (3 + 6 * _AT, _HUMP),
}
"""Case → the true dimension of each layer, and the profile of synergy before noise."""

C9: dict[str, np.ndarray] = {
    "most alike in the middle": 0.8 * np.exp(-(((_AT - 0.5) / 0.2) ** 2)),
    "nothing shared": np.zeros(LAYERS),
    "alike in all layers": np.full(LAYERS, 0.8),
    "more alike the later": 0.9 * _AT,
}
"""Case → the weight of the part that the two prompts of a pair share, in a state of norm about 1."""


def states(chance: np.random.Generator, dimension: float) -> tuple[np.ndarray, np.ndarray]:
    """Points of a cube of `dimension` (for fractions: the next larger cube with its last side shortened by that
    fraction) in WIDTH dimensions, as paths of each prompt; and their prompts."""
    sides = int(np.ceil(dimension))
    steps = 0.15 * chance.standard_normal((PROMPTS, TOKENS, sides)).cumsum(axis=1)
    places = chance.uniform(size=(PROMPTS, TOKENS, sides)) + 0.2 * steps
    places[..., -1] *= 1 - (sides - dimension)
    axes = np.linalg.qr(chance.standard_normal((WIDTH, sides)))[0]
    return places.reshape(-1, sides) @ axes.T, np.repeat(np.arange(PROMPTS), TOKENS)


def dimension_case(chance: np.random.Generator, dimension: np.ndarray, synergy: np.ndarray) -> Claim:
    """C8 on one data set."""
    found = []
    for one in dimension:
        made, of = states(chance, float(one))
        found.append(geometry.neighbours(made, of))
    among = geometry.scales(of)
    curves = np.array([[geometry.gride(one, n) for n in among] for one in found])
    n = geometry.plateau(curves, among)
    values = curves[:, among.index(n)]
    without = np.stack([geometry.left_out(one, n) for one in found], axis=1)
    noise = 0.1 * synergy.std() * chance.standard_normal(LAYERS)
    return c8(Geometry(values, turn=_sides(values, without), scale=n, prompts=PROMPTS), {"r": synergy + noise}, "r")


def alignment_case(chance: np.random.Generator, shared: np.ndarray) -> Claim:
    """C9 on one data set."""
    common = chance.standard_normal((PAIRS, 8))
    one: list[np.ndarray] = []
    other: list[np.ndarray] = []
    for weight in shared:
        axes = chance.standard_normal((8, WIDTH)) / 8**0.5
        for side in (one, other):
            side.append(weight * common @ axes + (1 - weight) * chance.standard_normal((PAIRS, WIDTH)))
    first, second = ([geometry.centred(layer) for layer in side] for side in (one, other))
    values = np.array([geometry.cka(a, b) for a, b in zip(first, second, strict=True)])
    drawn = geometry.permuted(first, second, int(chance.integers(1 << 30)), 199)
    null = drawn.mean(axis=0)
    sides = _sides(values - null, geometry.aligned_without(one, other) - null)
    last = geometry.SIDES[-1]
    p = geometry.above(float(geometry.sides(values)[-1]), geometry.sides(drawn)[:, -1])
    sides[last] = Measured(sides[last].value, sides[last].low, sides[last].high, p)
    return c9(Geometry(np.full(LAYERS, np.nan), aligned=sides, pairs=PAIRS))


def _sides(values: np.ndarray, without: np.ndarray) -> dict[str, Measured]:
    own = geometry.sides(values)
    low, high = geometry.interval(own, geometry.sides(without))
    return {name: Measured(float(own[k]), float(low[k]), float(high[k])) for k, name in enumerate(geometry.SIDES)}
