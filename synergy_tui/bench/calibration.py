"""How often pairs, units and verdicts are wrong on data whose truth is known (planted.py), and how often they are right
when something was planted: `synergy-tui bench calibration`. Every count has a 95 % interval."""

from __future__ import annotations

import multiprocessing
import os
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any

import numpy as np

from synergy_tui.analysis import areas, bootstrap, claims, conditions, effects, networks, nulls, profile, scores
from synergy_tui.analysis.claims import C6_SIDES, Contrast, Removal
from synergy_tui.analysis.frequencies import benjamini_hochberg
from synergy_tui.analysis.importance import binomial
from synergy_tui.analysis.networks import DENSITIES, Difference
from synergy_tui.analysis.nulls import UnitDraws
from synergy_tui.bench import difficulty, planted, plants
from synergy_tui.bench.planted import Planted
from synergy_tui.phiid.engine import PairEngine, decompose
from synergy_tui.phiid.moments import NullBlock
from synergy_tui.phiid.nulls import NullEngine
from synergy_tui.phiid.result import mean_of
from synergy_tui.phiid.windows import response_lengths
from synergy_tui.terms import CONTROL_ORDERS, CONTROLS, COUPLED, NULLS, RANKINGS, RTR, STS, VERDICTS
from synergy_tui.zoo.plants import PLANTS

MODELS = int(os.environ.get("SYNERGY_TUI_BENCH_MODELS", "200"))
"""Data sets of each case."""

DRAWS, REPLICATES = 59, 300
"""Surrogates of each null, and replicates of the two-way bootstrap."""

RANKING = RANKINGS[0]

LEVEL = 0.05

Found = dict[str, Any]


# Series: pairs, units and C1.


def judged(data: Planted, draws: int = DRAWS, seed: int = 0, replicates: int = REPLICATES, keep: bool = False) -> Found:
    """A series on the same path as a run: shares of pairs and units called coupled, C1, and its intervals. keep: also
    the p and the excess of every pair and unit under each null, and the values that rank units."""
    series, layers = data.series, data.layers
    found = decompose(series)
    values = scores.unit_values(found.unit, found.unit_offset, found.unit_balance)
    parts = (found.unit_prompt, found.unit_prompt_offset, found.unit_balance, found.unit_pairs)
    ends = bootstrap.intervals(RANKING, values, *parts, layers, seed, replicates)
    shown = profile.profile(scores.scaled(scores.ranking(RANKING, values)), layers)
    pairs, units = [], []
    against: dict[str, effects.Effect] = {}
    misleading: list[str] = []
    redundancy = False
    for null in NULLS:
        engine = NullEngine(series, null, seed, data.categories)
        if engine.exchange is not None:
            held = conditions.conditions(series, response_lengths(series), engine.exchange.blocks, 1, seed)
            misleading, redundancy = held.misleading(), held.redundancy_misled
        block = NullBlock.merge([engine.block(k, draws) for k in range(len(engine))])
        moments = block.moments
        mine = (block.observed, moments.mean, moments.sd, moments.skewness, moments.count, block.counts)
        pairs.append(nulls.tested(*mine))
        drawn = _unit_draws(block)
        units.append(nulls.units_tested(drawn))
        effect = effects.effects(block.by_prompt, drawn, layers, seed).get(RANKING)
        if effect is not None:  # two layers have no middle
            against[null] = effect
    sides = profile.sides(shown)
    told = zip(profile.SIDES, sides, *ends.sides, strict=True)
    contrast = Contrast(
        float(profile.contrast(shown)),
        float(ends.contrast[0]),
        float(ends.contrast[1]),
        {name: (float(value), float(low), float(high)) for name, value, low, high in told},
        against,
    )
    claim = claims.c1({RANKING: contrast}, RANKING, len(series), misleading)
    out: Found = {"C1": claim.verdict, "withheld": bool(misleading), "intervals": _of_contrast(contrast)}
    kept = {}
    for name, tests in (("pairs", pairs), ("units", units)):
        p = nulls.coupled_p(tests)
        p = np.full_like(p, np.nan) if misleading else p
        p[:, 1] = np.nan if redundancy else p[:, 1]
        called = benjamini_hochberg(p[:, 0]) < COUPLED
        kept[name] = (p, np.stack([one.excess for one in tests]))
        with np.errstate(invalid="ignore"):
            out |= {name: float((p[:, 0] < LEVEL).mean()), f"{name}, rtr": float((p[:, 1] < LEVEL).mean())}
        out |= {f"{name}, q": float(called.mean()), f"{name}, any q": bool(called.any())}
    ranked = scores.unit_values(found.unit, units[0].mean[:, 0], found.unit_balance, units[0].sd[:, 0])
    return out | ({"kept": kept, "ranked": ranked} if keep else {})


def _unit_draws(block: NullBlock) -> UnitDraws:
    parts = [block.observed_units, *block.units]
    atoms = np.stack([mean_of(one.atoms, one.pairs[:, None]) for one in parts])
    balance = np.stack([mean_of(one.balance, one.balance_prompts) for one in parts])
    return UnitDraws(atoms[0], balance[0], atoms[1:], balance[1:])


def _of_contrast(one: Contrast) -> dict[str, tuple[float, float, float]]:
    against = {
        f"contrast − {null}": (effect.difference, effect.low, effect.high) for null, effect in one.effects.items()
    }
    return {"contrast": (one.value, one.low, one.high), **one.sides, **against}


def of_series(name: str, seed: int) -> Found:
    """One data set of a case."""
    return judged((planted.WITHOUT | planted.WITH)[name](np.random.default_rng([seed, 1])), seed=seed)


def of_plant(name: str, seed: int) -> Found:
    """One capture of a planted transformer, with its pairs and units sorted by what was planted."""
    found = judged(plants.captured(name, seed), seed=seed, keep=True)
    del found["ranked"]
    return found | {"planted": plants.found(name, found.pop("kept"))}


def of_halves(seed: int) -> Found:
    """C1 of two random halves of the real capture."""
    whole = planted.real()
    mine = np.random.default_rng([seed, 2]).permutation(len(whole.series)) < len(whole.series) // 2
    found = [judged(Planted(whole.series[half], None, whole.layers), seed=seed)["C1"] for half in (mine, ~mine)]
    return {"verdicts": found, "opposed": {claims.SUPPORTED, claims.NOT_SUPPORTED} == set(found)}


# C3, C4: a set of important units; removing a set costs the sum of its units' worth, and more.

UNITS, PROMPTS, SEEDS, TASKS = 270, 12, 20, 90
FRACTIONS = (0.05, 0.1, 0.15, 0.2, 0.25)

WORTH = 8
"""A planted unit matters this many times as much as another."""


def worth(chance: np.random.Generator, layers: int = 30) -> np.ndarray:
    """Importance of units: 15 % of them are planted, the rest are uneven, and some layers are worth more."""
    by_layer = np.repeat(chance.lognormal(0, 0.3, layers), UNITS // layers)
    important = np.where(chance.random(UNITS) < 0.15, WORTH, 1)
    return by_layer * important * chance.lognormal(0, 0.5, UNITS) / (3 * UNITS)


def curves(
    chance: np.random.Generator, importance: np.ndarray, order: np.ndarray
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """(areas by prompt of a targeted order, and of its 20 random and 20 layer-matched sets): divergence grows faster
    than the removed sum; prompts differ by a factor that all sets share, and by 10 % that they do not share."""
    area = _area_of(chance, importance)
    sets = _sets(chance, order)
    own = area(order)
    return own, {name: np.stack([area(of) for of in some]) for name, some in sets.items()}


def _sets(chance: np.random.Generator, order: np.ndarray) -> dict[str, list[np.ndarray]]:
    layer = np.arange(UNITS) // 9
    sets = {"random": [chance.permutation(UNITS) for _ in range(SEEDS)]}
    return sets | {"layer-matched": [_matched(chance, order, layer) for _ in range(SEEDS)]}


def _area_of(chance: np.random.Generator, importance: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    factor = chance.lognormal(0, 0.3, PROMPTS)

    def area(of: np.ndarray) -> np.ndarray:
        lost = np.array([importance[of[: round(share * UNITS)]].sum() for share in FRACTIONS])
        whole = areas.area(np.array(FRACTIONS), lost + 2 * lost**2, areas.PRIMARY)
        return whole * factor * chance.lognormal(0, 0.1, PROMPTS)

    return area


def removal(chance: np.random.Generator, importance: np.ndarray, order: np.ndarray) -> Removal:
    """A targeted order, 20 random and 20 layer-matched sets, as in `curves`; a task is lost with a probability that
    grows with the removed importance."""
    area = _area_of(chance, importance)

    def accuracy(of: np.ndarray) -> float:
        chances = 0.8 * np.exp(-importance[of[: round(0.25 * UNITS)]].sum() / 0.25)
        return float(chance.binomial(TASKS, chances) / TASKS)

    sets = _sets(chance, order)
    own, right = area(order), accuracy(order)
    tests = {name: areas.area_test(own, np.stack([area(of) for of in some])) for name, some in sets.items()}
    worse = {name: areas.rank_test(right, np.array([accuracy(of) for of in sets[name]])) for name in CONTROL_ORDERS}
    lost = importance[order[: round(areas.PRIMARY * UNITS)]].sum()
    return Removal(tests, float(lost + 2 * lost**2), worse, TASKS, PROMPTS, RANKING, True)


def _matched(chance: np.random.Generator, order: np.ndarray, layer: np.ndarray) -> np.ndarray:
    """The order with the units of each layer permuted among themselves."""
    out = np.empty_like(order)
    for one in np.unique(layer):
        places = np.flatnonzero(layer[order] == one)
        out[places] = chance.permutation(order[places])
    return out


def _ranked(value: np.ndarray) -> np.ndarray:
    return np.argsort(-value, kind="stable")


def _by_worth(chance: np.random.Generator, importance: np.ndarray) -> np.ndarray:
    return _ranked(np.log(importance) + chance.normal(0, 0.3, UNITS))


def _by_nothing(chance: np.random.Generator, importance: np.ndarray) -> np.ndarray:
    return chance.permutation(UNITS)


def _by_layer(chance: np.random.Generator, importance: np.ndarray) -> np.ndarray:
    """The order knows which layers matter, but nothing within them."""
    layer = importance.reshape(-1, 9).mean(axis=1).repeat(9)
    return _ranked(layer + 0.3 * layer.std() * chance.normal(size=UNITS))


ORDERS: dict[str, Callable[[np.random.Generator, np.ndarray], np.ndarray]] = {
    "planted important set": _by_worth,
    "an order of nothing": _by_nothing,
    "an order of layers alone": _by_layer,
}


def of_removal(name: str, from_end: bool, seed: int) -> str:
    """C3 of an order, or C4 of the same order from its end."""
    chance = np.random.default_rng([seed, 3, from_end])
    importance = worth(chance)
    order = ORDERS[name](chance, importance)
    if from_end:
        return claims.c4(removal(chance, importance, order[::-1]), budget=np.inf).verdict
    return claims.c3(removal(chance, importance, order)).verdict


def critical(share: float, seed: int) -> tuple[bool, bool]:
    """Whether an order of nothing is called above, and below, 20 sets. This share of sets holds a unit whose removal
    makes the divergence five times as large."""
    chance = np.random.default_rng([seed, 5])
    sets = chance.lognormal(0, 0.1, (1 + SEEDS, 1)) * np.where(chance.random((1 + SEEDS, 1)) < share, 5, 1)
    by_prompt = sets * chance.lognormal(0, 0.3, PROMPTS) * chance.lognormal(0, 0.05, (1 + SEEDS, PROMPTS))
    found = areas.area_test(by_prompt[0], by_prompt[1:], seed, 400)
    return found.p < areas.ALPHA, found.below < areas.ALPHA


# C5: contrasts minus surrogates of a run and of five random initialisations of each kind.


def of_controls(learned: float, seed: int) -> str:
    """learned: how many standard deviations over initialisations the run's own contrast is above them."""
    chance = np.random.default_rng([seed, 7])
    controls = {how: {RANKING: chance.normal(size=5)} for how in CONTROLS}
    return claims.c5({RANKING: learned + chance.normal()}, controls, RANKING).verdict


# C6: graphs of series.

GRAPH_DRAWS, GRAPH_REPLICATES = 20, 60


def of_networks(name: str, seed: int) -> Found:
    """C6 of one data set."""
    data = (planted.WITHOUT | planted.WITH)[name](np.random.default_rng([seed, 6]))
    found: dict[tuple[str, str, float], Difference] = {}
    for null in NULLS:
        engine = NullEngine(data.series, null, seed, data.categories)
        by_prompt = _pair_values([engine.series[one : one + 1] for one in engine.used])
        prompts, units = len(by_prompt), engine.engine.units
        data_graphs = _measured(by_prompt.mean(axis=0), units)
        drawn = []
        for one in engine.draws(GRAPH_DRAWS):
            blocks = [engine.engine.block(k, one.windows, keep_prompts=False).mean for k in range(len(engine))]
            drawn.append(_measured(np.concatenate(blocks)[:, [STS, RTR]].T, units))
        chance = np.random.default_rng([seed, 1])
        weights = chance.multinomial(prompts, np.full(prompts, 1 / prompts), size=GRAPH_REPLICATES) / prompts
        again = [_measured(np.tensordot(one, by_prompt, axes=1), units) for one in weights]
        found |= _sides(null, data_graphs, np.stack(drawn), np.stack(again), prompts)
    claim = claims.c6(found, DENSITIES, len(data.series))
    told = {
        f"{what} at {at:g}": (one.value, one.low, one.high)
        for (null, what, at), one in found.items()
        if null == NULLS[0]
    }
    return {"C6": claim.verdict, "intervals": told}


def _pair_values(series: Sequence[np.ndarray]) -> np.ndarray:
    """sts and rtr of every pair in every prompt [prompts, 2, pairs]."""
    means = [np.concatenate([block.mean for block in PairEngine(one).blocks()]) for one in series]
    return np.stack([mean[:, [STS, RTR]].T for mean in means])


def _measured(values: np.ndarray, units: int) -> np.ndarray:
    pairs = np.stack(np.triu_indices(units, 1), axis=1)
    return np.stack([networks.graphs(pairs, one, units).measures for one in values])


def _sides(null: str, data: np.ndarray, drawn: np.ndarray, again: np.ndarray, prompts: int) -> dict[Any, Difference]:
    out = {}
    mine, theirs, others = (networks.contrasts(one) for one in (data, drawn, again))
    for d, density in enumerate(DENSITIES):
        for c, what in enumerate(("efficiency", "modularity")):
            out[null, what, density] = networks.difference(mine[c, d], theirs[:, c, d], others[:, c, d], prompts)
            own = (c, d, c)  # efficiency of sts, modularity of rtr
            name = C6_SIDES[2 * c]
            out[null, name, density] = networks.difference(
                data[own], drawn[:, own[0], own[1], own[2]], again[:, own[0], own[1], own[2]], prompts
            )
    return out


NETWORKS = ("equal memory", "mixed memory", "redundant communities", "hubs")


# C6 on pair values with a planted structure, and surrogates without it.


def _hubs(pairs: np.ndarray) -> np.ndarray:
    """A few hubs joined to everything: short ways, no communities."""
    return (pairs % 8 == 0).sum(axis=1).astype(float)


def _communities(pairs: np.ndarray) -> np.ndarray:
    """Groups of eight."""
    return 1.0 * (pairs[:, 0] // 8 == pairs[:, 1] // 8)


def _nothing(pairs: np.ndarray) -> np.ndarray:
    return np.zeros(len(pairs))


GRAPHS = {
    "synergy with hubs, redundancy in communities": (_hubs, _communities),
    "the other way round": (_communities, _hubs),
    "redundancy in communities alone": (_nothing, _communities),
    "no structure in either": (_nothing, _nothing),
}


def of_graphs(name: str, seed: int, units: int = 40, prompts: int = 20) -> str:
    """C6 of pair values with these structures, at half the noise's standard deviation in each prompt."""
    chance = np.random.default_rng([seed, 8])
    pairs = np.stack(np.triu_indices(units, 1), axis=1)
    structure = 0.5 * np.stack([made(pairs) for made in GRAPHS[name]])

    def noise() -> np.ndarray:
        return 3.0 + chance.normal(size=(prompts, 2, len(pairs)))

    own = noise() + structure
    weights = chance.multinomial(prompts, np.full(prompts, 1 / prompts), size=GRAPH_REPLICATES) / prompts
    again = np.stack([_measured(np.tensordot(one, own, axes=1), units) for one in weights])
    found: dict[tuple[str, str, float], Difference] = {}
    for null in NULLS:
        drawn = np.stack([_measured(noise().mean(axis=0), units) for _ in range(GRAPH_DRAWS)])
        found |= _sides(null, _measured(own.mean(axis=0), units), drawn, again, prompts)
    return claims.c6(found, DENSITIES, prompts).verdict


# C2: ladders of an order parameter.

LADDERS: dict[str, dict[str, Any]] = {
    "flat": {"course": "flat", "size": 0, "jitter": 0},
    "flat, levels drift by 0.5 sd (φ 0.8)": {"course": "flat", "size": 0, "jitter": 0.5, "drift": 0.8},
    "flat, levels drift by 1 sd (φ 0.8)": {"course": "flat", "size": 0, "jitter": 1.0, "drift": 0.8},
    "flat, levels drift by 1 sd (φ 0.9)": {"course": "flat", "size": 0, "jitter": 1.0, "drift": 0.9},
    "linear, 2 sd": {"course": "linear", "size": 2, "jitter": 0},
    "linear, 3 sd": {"course": "linear", "size": 3, "jitter": 0},
    "step, 1 sd": {"course": "step", "size": 1, "jitter": 0},
    "step, 1 sd, 80 prompts": {"course": "step", "size": 1, "jitter": 0, "prompts": 80},
    "step, 2 sd": {"course": "step", "size": 2, "jitter": 0},
    "step, 2 sd, jitter 0.2": {"course": "step", "size": 2, "jitter": 0.2},
}


def ladders(count: int = 1000) -> Found:
    """Shares of verdicts."""
    courses = difficulty.SMOOTH | difficulty.SUDDEN
    out = {}
    for name, one in LADDERS.items():
        asked = one | {"course": courses[one["course"]], "ladders": count}
        out[name] = difficulty.alone(**asked)
    return out


# All of it.


def measure(models: int = MODELS, processes: int | None = None) -> Found:
    """All tables, by name."""
    several = range(models)
    # The engine gets one core per process and no GPU, because the cases are small.
    os.environ |= {"JAX_PLATFORMS": "cpu", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    with ProcessPoolExecutor(processes or os.cpu_count(), multiprocessing.get_context("spawn")) as pool:
        run = partial(_mapped, pool, several)
        without = {name: run(partial(of_series, name)) for name in planted.WITHOUT}
        coupled = {name: run(partial(of_series, name)) for name in planted.WITH}
        transformers = {name: run(partial(of_plant, name)) for name in PLANTS}
        graphs = {name: run(partial(of_networks, name)) for name in NETWORKS}
        made = {name: run(partial(of_graphs, name)) for name in GRAPHS}
        halves = run(of_halves)
        removed = {
            f"{claim}: {name}{', from its end' if end else ''}": run(partial(of_removal, name, end))
            for claim, end in (("C3", False), ("C4", True))
            for name in ORDERS
        }
        alone = {share: run(partial(critical, share)) for share in (0.1, 0.15)}
        learned = {f"C5: own above random by {size} sd": run(partial(of_controls, size)) for size in (0, 3, 6)}
    return {
        "without coupling": {name: shares(list(some)) for name, some in without.items()},
        "with coupling": {name: shares(list(some)) for name, some in coupled.items()},
        "planted transformers": {
            name: shares(list(some)) | plants.shares([one["planted"] for one in some])
            for name, some in transformers.items()
        },
        "C6": {name: verdicts([one["C6"] for one in some]) for name, some in graphs.items()}
        | {name: verdicts(some) for name, some in made.items()},
        "C1 over halves of a real capture": told([one["opposed"] for one in halves]),
        "C3, C4": {name: verdicts(list(some)) for name, some in removed.items()},
        "one critical unit in 10 % of sets": _both([*alone[0.1]]),
        "one critical unit in 15 % of sets": _both([*alone[0.15]]),
        "C5": {name: verdicts(list(some)) for name, some in learned.items()},
        "C2": ladders(),
        "intervals": coverage({**without, **coupled}) | coverage(graphs),
    }


def _mapped(pool: ProcessPoolExecutor, several: range, one: Callable[[int], Any]) -> list[Any]:
    return list(pool.map(one, several, chunksize=4))


def _both(found: list[tuple[bool, bool]]) -> Found:
    return {"called above": told([one for one, _ in found]), "called below": told([one for _, one in found])}


def told(found: Sequence[bool]) -> str:
    """A share with its count and Wilson's interval."""
    one = binomial(int(sum(found)), len(found))
    return f"{sum(found)} of {len(found)} [{one.low:.1%}, {one.high:.1%}]"


def verdicts(found: Sequence[str]) -> Found:
    """How many got each verdict."""
    counts = Counter(found)
    return {verdict: counts[verdict] for verdict in VERDICTS} | {
        "supported, share": told([v == claims.SUPPORTED for v in found])
    }


def shares(found: Sequence[Found]) -> Found:
    """For one case: mean shares of pairs and units called coupled, with intervals over data sets, and counts."""
    out: Found = {"data sets": len(found)}
    for name in ("pairs", "units", "pairs, rtr", "pairs, q", "units, q"):
        values = np.array([one[name] for one in found])
        reach = 1.96 * values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
        out[name] = f"{values.mean():.3f} [{max(values.mean() - reach, 0):.3f}, {values.mean() + reach:.3f}]"
    for name in ("pairs, any q", "units, any q", "withheld"):
        out[name] = told([one[name] for one in found])
    return out | {f"C1 {verdict}": count for verdict, count in verdicts([one["C1"] for one in found]).items()}


def coverage(cases: dict[str, list[Found]]) -> Found:
    """By kind of interval, over all cases: how often it contains the mean over data sets, and its own estimate."""
    held: dict[str, list[bool]] = {}
    own: dict[str, list[bool]] = {}
    for found in cases.values():
        for name in found[0]["intervals"]:
            values = np.array([one["intervals"][name] for one in found], float)
            values = values[np.isfinite(values).all(axis=1)]
            if len(values) < 2:
                continue
            kind, truth = name.partition(" at ")[0], values[:, 0].mean()
            held.setdefault(kind, []).extend(((values[:, 1] <= truth) & (truth <= values[:, 2])).tolist())
            own.setdefault(kind, []).extend(((values[:, 1] <= values[:, 0]) & (values[:, 0] <= values[:, 2])).tolist())
    return {kind: {"holds the truth": told(some), "holds its estimate": told(own[kind])} for kind, some in held.items()}
