"""How often the verdicts are wrong on data whose truth is known: series of made-up models for C1, removal curves of a
planted set for C3 and C4, planted graphs for C6. `python -m synergy_tui.bench claims` prints the shares of verdicts."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from synergy_tui.analysis import areas, bootstrap, claims, networks, nulls, profile, scores
from synergy_tui.analysis.claims import Claim, Contrast, Removal
from synergy_tui.analysis.networks import Difference
from synergy_tui.analysis.nulls import UnitDraws
from synergy_tui.bench.series import autoregressive
from synergy_tui.phiid import decompose
from synergy_tui.phiid.nulls import surrogates
from synergy_tui.phiid.result import UnitTotals, mean_of
from synergy_tui.terms import CONTROL_ORDERS, NULLS, RANKINGS, VERDICTS

MODELS = int(os.environ.get("SYNERGY_TUI_BENCH_MODELS", "200"))
"""Of each kind."""

LAYERS, PER_LAYER, PROMPTS, STEPS, DRAWS = 9, 4, 20, 60, 39
"""39 draws are the fewest of which the 95th percentile is not the largest."""

RANKING = RANKINGS[0]

Series = np.ndarray
Made = Callable[[np.random.Generator], Series]


# C1: series [prompts, units, steps] of models of 9 × 4 units, layers 3 to 5 being the middle ones.


def hump(chance: np.random.Generator) -> Series:
    """Independent units, smooth over three steps in the middle and slow below white noise outside: pure self-prediction
    with a hump in lag-1 autocorrelation. (A hump of one AR(1) parameter has no contrast: slow units share more by
    chance too, so that ranks of redundancy rise with those of synergy and their difference stays flat.)"""
    units = LAYERS * PER_LAYER
    depth = np.repeat(profile.depth(LAYERS), PER_LAYER)
    share = np.clip(np.exp(-(((depth - 0.5) / 0.25) ** 2)) + chance.uniform(-0.1, 0.1, units), 0, 1)[:, None]
    noise = chance.normal(size=(PROMPTS, units, STEPS + 2))
    smooth = (noise[..., 2:] + noise[..., 1:-1] + noise[..., :-2]) / np.sqrt(3)
    slow = autoregressive(chance, (PROMPTS, units, STEPS), 0.95)
    below = np.sqrt(0.4) * slow + np.sqrt(0.6) * chance.normal(size=slow.shape)
    return np.sqrt(share) * smooth + np.sqrt(1 - share) * below


def uncoupled(chance: np.random.Generator) -> Series:
    """Independent units whose memory has nothing to do with depth."""
    return autoregressive(chance, (PROMPTS, LAYERS * PER_LAYER, STEPS), chance.uniform(0.2, 0.8, LAYERS * PER_LAYER))


def redundant(chance: np.random.Generator) -> Series:
    """Every unit follows one slow driver, some more than others, whatever their depth."""
    units = LAYERS * PER_LAYER
    driver = autoregressive(chance, (PROMPTS, 1, STEPS), 0.7)
    share = chance.uniform(0.2, 0.6, units)[:, None]
    own = autoregressive(chance, (PROMPTS, units, STEPS), 0.5)
    return np.sqrt(1 - share**2) * own + share * driver


def coupled(strength: float) -> Made:
    """Middle units hide a slow signal below a fast one that they share: none of them shows it and any two do. The
    others follow a slow driver each shows. strength: amplitude of the hidden signal, and of the driver."""

    def made(chance: np.random.Generator) -> Series:
        units = LAYERS * PER_LAYER
        hidden, driver = (autoregressive(chance, (PROMPTS, 1, STEPS), 0.9) for _ in range(2))
        fast = chance.normal(size=(PROMPTS, 1, STEPS))
        loading = strength * chance.normal(size=(units, 1))
        middle = fast + loading * hidden + 0.15 * chance.normal(size=(PROMPTS, units, STEPS))
        share = strength * chance.uniform(0.8, 1.2, (units, 1))
        outer = np.sqrt(1 - share**2) * autoregressive(chance, (PROMPTS, units, STEPS), 0.3) + share * driver
        layer = np.repeat(np.arange(LAYERS), PER_LAYER)
        inside = (3 * layer >= LAYERS - 1) & (3 * layer <= 2 * (LAYERS - 1))
        return np.where(inside[:, None], middle, outer)

    return made


STRENGTH = 0.5

SERIES: dict[str, Made] = {
    "self-prediction with a hump": hump,
    "uncoupled": uncoupled,
    "redundancy only": redundant,
    f"truly coupled, strength {STRENGTH:g}": coupled(STRENGTH),
}


def judge(series: Series, draws: int = DRAWS, replicates: int = 300, seed: int = 0) -> tuple[Claim, np.ndarray]:
    """C1 of a series, on the path a run takes; and the mean excess of synergy by unit, nats."""
    found = decompose(series)
    values = scores.unit_values(found.unit, found.unit_offset, found.unit_balance)
    scaled = scores.scaled(scores.ranking(RANKING, values))
    parts = (found.unit_prompt, found.unit_prompt_offset, found.unit_balance, found.unit_pairs)
    ends = bootstrap.intervals(RANKING, *parts, LAYERS, seed, replicates)
    drawn = {null: _draws(series, null, draws, seed) for null in NULLS}
    contrasts = {null: nulls.contrasts_of_draws(one, LAYERS)[RANKING] for null, one in drawn.items()}
    value = float(profile.contrast(profile.profile(scaled, LAYERS)))
    own = Contrast(value, float(ends.contrast[0]), float(ends.contrast[1]), contrasts)
    excess = nulls.units_tested(drawn[NULLS[0]]).excess
    return claims.c1({RANKING: own}, RANKING, len(series)), excess


def _draws(series: Series, null: str, draws: int, seed: int) -> UnitDraws:
    block = surrogates(series, null, draws, seed)
    parts: list[UnitTotals] = [block.observed_units, *block.units]
    atoms = np.stack([mean_of(one.atoms, one.pairs[:, None]) for one in parts])
    balance = np.stack([mean_of(one.balance, one.balance_prompts) for one in parts])
    return UnitDraws(atoms[0], atoms[1:], balance[1:])


# C3, C4: a set of important units; what removing a set does is the sum of what its units are worth, and more.

UNITS = 270
FRACTIONS = (0.05, 0.1, 0.15, 0.2, 0.25)
SEEDS = 20
TASKS = 90


WORTH = 8
"""A planted unit matters so many times as much as another."""


def worth(chance: np.random.Generator, layers: int = 30) -> np.ndarray:
    """Importance of units: 15 % of them planted, the rest uneven, and some layers worth more."""
    by_layer = np.repeat(chance.lognormal(0, 0.3, layers), UNITS // layers)
    planted = np.where(chance.random(UNITS) < 0.15, WORTH, 1)
    return by_layer * planted * chance.lognormal(0, 0.5, UNITS) / (3 * UNITS)


def removal(chance: np.random.Generator, importance: np.ndarray, order: np.ndarray) -> Removal:
    """A targeted order, 20 random and 20 layer-matched sets: divergence grows faster than the sum of what is removed,
    with 5 % of noise; a task is lost with a probability that grows with it."""

    def curve(of: np.ndarray) -> np.ndarray:
        lost = np.array([importance[of[: round(share * UNITS)]].sum() for share in FRACTIONS])
        return (lost + 2 * lost**2) * chance.lognormal(0, 0.05, len(FRACTIONS))

    def accuracy(of: np.ndarray) -> float:
        chances = 0.8 * np.exp(-importance[of[: round(0.25 * UNITS)]].sum() / 0.25)
        return float(chance.binomial(TASKS, chances) / TASKS)

    layer = np.arange(UNITS) // 9
    sets = {"random": [chance.permutation(UNITS) for _ in range(SEEDS)]}
    sets["layer-matched"] = [_matched(chance, order, layer) for _ in range(SEEDS)]

    def area(divergence: np.ndarray) -> float:
        return areas.area(np.array(FRACTIONS), divergence, areas.PRIMARY)

    own = curve(order)
    each = {name: np.array([area(curve(of)) for of in some]) for name, some in sets.items()}
    tests = {name: areas.area_test(area(own), some) for name, some in each.items()}
    right = accuracy(order)
    worse = {name: areas.plain_test(right, np.array([accuracy(of) for of in sets[name]])) for name in CONTROL_ORDERS}
    ratio = (tests["random"].ratio, float("nan"), float("nan"))
    return Removal(tests, ratio, float(own[-1]), worse, TASKS, 12, RANKING)


def _matched(chance: np.random.Generator, order: np.ndarray, layer: np.ndarray) -> np.ndarray:
    """The order with the units of each layer permuted among themselves."""
    out = np.empty_like(order)
    for one in np.unique(layer):
        places = np.flatnonzero(layer[order] == one)
        out[places] = chance.permutation(order[places])
    return out


def _ranked(value: np.ndarray) -> np.ndarray:
    return np.argsort(-value, kind="stable")


def _by_worth(chance: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    importance = worth(chance)
    return importance, _ranked(np.log(importance) + chance.normal(0, 0.3, UNITS))


def _by_nothing(chance: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    return worth(chance), chance.permutation(UNITS)


def _by_layer(chance: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The order knows which layers matter, and nothing within them."""
    importance = worth(chance)
    layer = importance.reshape(-1, 9).mean(axis=1).repeat(9)
    return importance, _ranked(layer + 0.3 * layer.std() * chance.normal(size=UNITS))


ORDERS = {"planted important set": _by_worth, "an order of nothing": _by_nothing, "an order of layers alone": _by_layer}


# C6: pair values per prompt with a planted structure, and surrogates without it.

GRAPH_UNITS, GRAPH_PROMPTS, GRAPH_DRAWS, GRAPH_REPLICATES = 40, 20, 20, 80


def _spread(chance: np.random.Generator, pairs: np.ndarray) -> np.ndarray:
    """A few hubs joined to everything: short ways, no communities."""
    pull = np.where(np.arange(GRAPH_UNITS) % 8 == 0, 1.0, 0.0)
    return pull[pairs].sum(axis=1)


def _blocks(chance: np.random.Generator, pairs: np.ndarray) -> np.ndarray:
    """Five communities."""
    return 1.0 * (pairs[:, 0] // 8 == pairs[:, 1] // 8)


def _none(chance: np.random.Generator, pairs: np.ndarray) -> np.ndarray:
    return np.zeros(len(pairs))


def _shared(chance: np.random.Generator, pairs: np.ndarray) -> np.ndarray:
    """A structure that both networks have."""
    pull = chance.random(GRAPH_UNITS)
    return pull[pairs].mean(axis=1)


GRAPHS = {
    "synergy with hubs, redundancy in communities": (_spread, _blocks),
    "the other way round": (_blocks, _spread),
    "no structure in either": (_none, _none),
    "structure of one kind in both": (_shared, _shared),
}


def judge_graphs(chance: np.random.Generator, kinds: tuple[Any, Any], strength: float = 0.5) -> Claim:
    """C6 of networks with these structures of `strength` beside noise of sd 1 in each prompt."""
    pairs = np.stack(np.triu_indices(GRAPH_UNITS, 1), axis=1)
    structure = np.stack([strength * made(chance, pairs) for made in kinds])

    def measured(values: np.ndarray) -> np.ndarray:
        each = [networks.graphs(pairs, one, GRAPH_UNITS).measures for one in values]
        return networks.contrasts(np.stack(each))

    def noise(count: int) -> np.ndarray:
        return 3.0 + chance.normal(size=(count, 2, len(pairs)))

    prompts = noise(GRAPH_PROMPTS) + structure
    data = measured(prompts.mean(axis=0))
    chosen = chance.integers(GRAPH_PROMPTS, size=(GRAPH_REPLICATES, GRAPH_PROMPTS))
    again = np.stack([measured(prompts[some].mean(axis=0)) for some in chosen])
    found: dict[tuple[str, str, float], Difference] = {}
    for null in NULLS:
        drawn = np.stack([measured(noise(GRAPH_PROMPTS).mean(axis=0)) for _ in range(GRAPH_DRAWS)])
        for c, what in enumerate(("efficiency", "modularity")):
            for d, density in enumerate(networks.DENSITIES):
                found[null, what, density] = networks.difference(data[c, d], drawn[:, c, d], again[:, c, d])
    return claims.c6(found, networks.DENSITIES, GRAPH_PROMPTS)


def measure(models: int = MODELS) -> dict[str, Any]:
    """By claim and kind of model, how many of the models got each verdict."""
    found: dict[str, Any] = {"models of each kind": models}
    for name, made in SERIES.items():
        judged = [judge(made(np.random.default_rng([seed, 1])), seed=seed) for seed in range(models)]
        found[f"C1 {name}"] = _counted([one for one, _ in judged])
        found[f"C1 {name}"]["mean excess, nats"] = float(np.mean([excess.mean() for _, excess in judged]))
    for name, order in ORDERS.items():
        chances = [np.random.default_rng([seed, 3]) for seed in range(models)]
        found[f"C3 {name}"] = _counted([claims.c3(removal(one, *order(one))) for one in chances])
        chances = [np.random.default_rng([seed, 4]) for seed in range(models)]
        found[f"C4 {name}, from its end"] = _counted([claims.c4(_from_end(one, order)) for one in chances])
    for name, kinds in GRAPHS.items():
        chances = [np.random.default_rng([seed, 6]) for seed in range(models)]
        found[f"C6 {name}"] = _counted([judge_graphs(one, kinds) for one in chances])
    return found


def _from_end(chance: np.random.Generator, order: Any) -> Removal:
    importance, ranked = order(chance)
    return removal(chance, importance, ranked[::-1])


def _counted(judged: list[Claim]) -> dict[str, Any]:
    count = Counter(one.verdict for one in judged)
    return {verdict: count[verdict] for verdict in VERDICTS}
