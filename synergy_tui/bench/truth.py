"""How often a map points at units that matter, on models whose truth is known (the zoo): `synergy-tui bench truth`.

Every model is captured on prompts of its own language, decomposed, tested against both nulls, and ablated one unit at a
time. Rankings and other scores are then judged by three numbers. *auroc*: is a unit of the circuit above a unit outside
it? 0.5 is chance, and below 0.5 the other end of the score is right. *removal*: Spearman's correlation with the cost of
the unit's removal on other prompts. *idle on top*: the share of idle units in the top quarter; chance puts a quarter of
them there. Means over seeds, with Student's 95 % interval.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.stats import rankdata
from scipy.stats import t as student

from synergy_tui import settings
from synergy_tui.ablation import first_order
from synergy_tui.ablation.conditions import conditions
from synergy_tui.ablation.divergence import IntactBehaviour
from synergy_tui.analysis import areas, scores
from synergy_tui.analysis.confounds import autocorrelation, core, mean_norm, spearman
from synergy_tui.analysis.frequencies import benjamini_hochberg
from synergy_tui.bench.calibration import judged
from synergy_tui.bench.planted import Planted
from synergy_tui.capture.attention import patterns
from synergy_tui.capture.generate import Sampling, encode, generate
from synergy_tui.subject.loading import Subject, load
from synergy_tui.subject.sources import resolve
from synergy_tui.tasks import prompts as tasks
from synergy_tui.terms import CONTROL_ORDERS, COUPLED, PATTERNS, RANKINGS
from synergy_tui.zoo import shipped
from synergy_tui.zoo.plants import PLANTS
from synergy_tui.zoo.plants import prompts as planted_prompts

PROMPTS, STEPS = 40, 100
"""Prompts of a capture. Every fourth prompt is used only for replay without units, not for rankings."""

SEEDS = 5
"""Captures per plant."""

CONTROLS = 20
FRACTIONS = (0.05, 0.1, 0.15, 0.2, 0.25)

MOST = int(os.environ.get("SYNERGY_TUI_BENCH_MODELS", "1000"))
"""The most models, for a quick look."""

Found = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """A model with its known truth. kinds: of its units. circuit: which units are in the circuit: for a trained model,
    units whose removal costs it its language (zoo/truth.py), for a planted model, units coupled as its name says. idle:
    units known to do nothing for its output. Places without a unit are in neither. sampled: whether it writes at
    temperature 1."""

    name: str
    kinds: tuple[str, ...]
    circuit: np.ndarray
    idle: np.ndarray
    sampled: bool


def cases() -> list[tuple[str, int]]:
    """Names of models, with the seed of the capture: every seed of the zoo, and every plant several times."""
    trained = [
        (f"{shipped.ZOO}{kind}/{seed}", int(seed)) for kind in shipped.LANGUAGE_OF for seed in shipped.seeds(kind)
    ]
    return [*trained, *((f"{shipped.PLANT}{name}", seed) for name in PLANTS for seed in range(SEEDS))][:MOST]


def measure(processes: int | None = None) -> Found:
    """Tables by kind of model, and over all trained models and all plants."""
    os.environ |= {"JAX_PLATFORMS": "cpu", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    with ProcessPoolExecutor(processes or os.cpu_count(), multiprocessing.get_context("spawn")) as pool:
        found = list(pool.map(of_model, cases()))
    kinds = list(dict.fromkeys(one["kind"] for one in found))
    groups = {kind: [one for one in found if one["kind"] == kind] for kind in kinds}
    trained = [one for one in found if not one["planted"]]
    return {"models": len(found), "all trained models": table(trained)} | {
        kind: table(some) | verdicts(some) for kind, some in groups.items()
    }


def of_model(case: tuple[str, int]) -> Found:
    """The results of every score on one capture of one model."""
    name, seed = case
    torch.set_num_threads(1)
    subject = load(resolve(name), settings.load().data, "cpu", "float32")
    known = known_of(name, subject)
    units = subject.units(known.kinds)
    asked, responses = captured(subject, known, name, seed)
    series = np.stack([one.activity for one in responses]).astype(np.float64)
    apart = np.arange(len(series)) % 4 == 0
    found = judged(Planted(series[~apart], None, subject.layers), seed=seed, keep=True)
    told = {
        "asked": [one for one, mine in zip(asked, apart, strict=True) if mine],
        "answered": [one.tokens for one, mine in zip(responses, apart, strict=True) if mine],
    }
    intact = IntactBehaviour(subject, told["asked"], told["answered"], 10, units=units)
    there = np.flatnonzero(np.isfinite(series).any(axis=(0, 2)))
    cost = np.full(series.shape[1], np.nan)
    for unit in there:
        layer, place = divmod(int(unit), units.per_layer)
        cost[unit] = intact.under({layer: [place]}).divergence.mean()
    values = rankings(found["ranked"], series[~apart]) | others(subject, known, told["asked"], told["answered"])
    layer_of = {int(unit): int(unit) // units.per_layer for unit in there}
    raw = {ranking: values[ranking] for ranking in RANKINGS}
    p, excess = found["kept"]["units"]
    called = (benjamini_hochberg(p[:, 0]) < COUPLED) & (excess > 0).all(axis=0)
    kind = name.removeprefix(shipped.ZOO).partition("/")[0]
    return {
        "kind": kind,
        "planted": name.startswith(shipped.PLANT),
        "scores": {score: _asked(value, cost, known, there) for score, value in (values | {"removal": cost}).items()},
        "C1": found["C1"],
        "idle called coupled": _share(called, known.idle),
        "circuit called coupled": _share(called, known.circuit),
        "ablation": disproportionate(intact, raw, layer_of, units.per_layer, seed),
        "expected": shipped.truth(name).get("claims", {}),
    }


def known_of(name: str, subject: Subject) -> Case:
    """The truth.json of a model, on the map of its heads of either kind."""
    told = shipped.truth(name)
    if name.startswith(shipped.PLANT):
        kind = name.removeprefix(shipped.PLANT).partition("-")[0]
        pairs = [one for one in told["pairs"] if one["kind"] == kind]
        inside = {unit for one in pairs for unit in (one["first"], one["second"])}
        circuit = np.array([f"{one['layer']}.{one['unit']}" in inside for one in told["units"]])
        return Case(name, ("head",), circuit, np.array([one["idle"] for one in told["units"]]), True)
    kinds = tuple(kind for kind in ("head", "ssm-head") if kind in told["units"])
    units = subject.units(kinds)
    shape = (units.layers, units.per_layer)
    circuit, idle = np.zeros(shape, bool), np.zeros(shape, bool)
    for kind in kinds:
        for mine, key in ((circuit, "circuit"), (idle, "nothing")):
            for layer, unit in told["units"][kind][key]:
                mine[layer, unit] = True
    return Case(name, kinds, circuit.ravel(), idle.ravel(), False)


def captured(subject: Subject, known: Case, name: str, seed: int) -> tuple[list[list[int]], list[Any]]:
    """Prompts as tokens, and responses with their activity."""
    units = subject.units(known.kinds)
    if known.sampled:
        asked = encode(subject, planted_prompts(name.removeprefix(shipped.PLANT), PROMPTS, seed), chat=True)
        return asked, generate(subject, asked, STEPS, units=units, sampling=Sampling(1.0, 1.0, seed))
    of = shipped.learned(name)
    whole = tasks.load(name)
    texts = [one.text for one in tasks.select(whole, min(PROMPTS, len(whole.prompts)), seed).prompts]
    asked = encode(subject, texts, chat=True)
    longest = min(STEPS, of.graded) if of.name == "grammar" else STEPS  # by then the brackets are closed
    return asked, generate(subject, asked, longest, units=units)


def rankings(values: scores.UnitValues, series: np.ndarray) -> dict[str, np.ndarray]:
    """Every ranking, and the other measures of units."""
    plain = {"sts": values.sts, "rtr": values.rtr, "tdmi": values.tdmi}
    plain |= {"autocorrelation": autocorrelation(series, 1), "norm": mean_norm(series)}
    return {name: scores.ranking(name, values) for name in RANKINGS} | plain


def others(
    subject: Subject, known: Case, asked: Sequence[list[int]], answered: Sequence[list[int]]
) -> dict[str, np.ndarray]:
    """The scores of attention patterns and of gradients; attribution by its size."""
    units = subject.units(known.kinds)
    count = units.layers * units.per_layer
    seen = np.full((len(asked), len(PATTERNS), count), np.nan)
    for row, (prompt, response) in enumerate(zip(asked, answered, strict=True)):
        for site, found in patterns(subject, units.sites, prompt, response).items():
            start = units.sites[site].layer * units.per_layer + units.starts[site]
            seen[row, :, start : start + units.sites[site].units] = found.numpy()
    slopes = [first_order.slopes(subject, units, *one) for one in zip(asked, answered, strict=True)]
    mean = first_order.means(slopes)
    by_prompt = [first_order.scores(units, mean, one) for one in slopes]
    out = {name: scores.mean_over(seen[:, number], axis=0) for number, name in enumerate(PATTERNS)}
    for name in by_prompt[0]:
        out[name] = scores.mean_over(np.abs([one[name] for one in by_prompt]), axis=0)
    return out


def disproportionate(
    intact: IntactBehaviour, raw: Mapping[str, np.ndarray], layer_of: Mapping[int, int], per_layer: int, seed: int
) -> bool:
    """Whether removing the most synergistic units first costs more than both random and layer-matched sets: C3's
    condition on divergence."""
    ranking = RANKINGS[0]
    orders = ("synergy-first", *CONTROL_ORDERS)
    sets = conditions(orders, raw, ranking, layer_of, CONTROLS, seed, FRACTIONS)
    curves: dict[tuple[str, int | None], list[np.ndarray]] = {}
    for one in sets:
        removed: dict[int, list[int]] = {}
        for unit in one.units:
            removed.setdefault(unit // per_layer, []).append(unit % per_layer)
        found = intact.under(removed).divergence if removed else np.zeros(0)
        curves.setdefault((one.order, one.seed), []).append(found)
    prompts = max(len(one) for some in curves.values() for one in some)

    def area(curve: list[np.ndarray]) -> np.ndarray:
        whole = np.array([one if len(one) else np.zeros(prompts) for one in curve])
        return np.array([areas.area(np.array(FRACTIONS), of, areas.PRIMARY) for of in whole.T])

    own = area(curves["synergy-first", None])
    for control in CONTROL_ORDERS:
        test = areas.area_test(own, np.stack([area(curve) for (order, _), curve in curves.items() if order == control]))
        if not test.p < areas.ALPHA:
            return False
    return True


def _asked(score: np.ndarray, cost: np.ndarray, known: Case, there: np.ndarray) -> dict[str, float]:
    score, cost, circuit, idle = (one[there] for one in (score, cost, known.circuit, known.idle))
    top = np.zeros(len(score), bool)
    top[core(score)] = True
    on_top = float(top[idle].mean()) if idle.any() and np.isfinite(score).any() else np.nan
    return {"auroc": auroc(score, circuit), "removal": spearman(score, cost), "idle on top": on_top}


def auroc(score: np.ndarray, positive: np.ndarray) -> float:
    """Probability that a positive is above a negative, ties counted by half; NaN without a positive or a negative."""
    known = np.isfinite(score)
    score, positive = score[known], positive[known]
    many, others_ = int(positive.sum()), int((~positive).sum())
    if not many or not others_:
        return float("nan")
    return float((rankdata(score)[positive].sum() - many * (many + 1) / 2) / (many * others_))


def _share(called: np.ndarray, among: np.ndarray) -> float:
    return float(called[among].mean()) if among.any() else float("nan")


def table(found: Sequence[Found]) -> Found:
    """score → number → mean and interval over models."""
    names = list(dict.fromkeys(score for one in found for score in one["scores"]))
    return {
        score: {
            what: over([one["scores"][score][what] for one in found]) for what in ("auroc", "removal", "idle on top")
        }
        for score in names
    }


def verdicts(found: Sequence[Found]) -> Found:
    """How often units are called coupled, what C1 says, and whether removal is disproportionate."""
    counts: dict[str, int] = {}
    for one in found:
        counts[one["C1"]] = counts.get(one["C1"], 0) + 1
    expected = found[0]["expected"].get("C1")
    return {
        "units called coupled": {
            "of the circuit": over([one["circuit called coupled"] for one in found]),
            "idle": over([one["idle called coupled"] for one in found]),
        },
        "C1": " · ".join(f"{verdict}: {count}" for verdict, count in counts.items()),
        "C1 as it should be": "not known"
        if not expected
        else f"{sum(one['C1'] in expected for one in found)} of {len(found)}",
        "synergy-first costs more than both controls": f"{sum(one['ablation'] for one in found)} of {len(found)}",
    }


def over(values: Sequence[float]) -> str:
    """Mean with Student's 95 % interval over models; a dash without values."""
    known = np.array(values, float)
    known = known[np.isfinite(known)]
    if not len(known):
        return "–"
    if len(known) == 1:
        return f"{known[0]:.2f}"
    reach = student.ppf(0.975, len(known) - 1) * known.std(ddof=1) / np.sqrt(len(known))
    return f"{known.mean():.2f} [{known.mean() - reach:.2f}, {known.mean() + reach:.2f}]"
