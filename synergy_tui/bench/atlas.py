"""Atlases whose truth is known: how often C7 errs, whether intervals over models have their stated coverage, and how
long an atlas of 200 cards takes. `python -m synergy_tui.bench atlas` prints the counts in
docs/errors-claims.md."""

from __future__ import annotations

import math
import os
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from synergy_tui.analysis import meta
from synergy_tui.analysis.moderators import moderators
from synergy_tui.analysis.student import reach
from synergy_tui.analysis.universality import BOUNDS, MOST, universality
from synergy_tui.store import atlas
from synergy_tui.store.atlas import AtlasCard, AtlasClaim
from synergy_tui.store.cache import Cache
from synergy_tui.terms import CLAIMS, EXPLAINED, INCONCLUSIVE, METHOD, NOT_SUPPORTED, RANKINGS, SUPPORTED

ATLASES = int(os.environ.get("SYNERGY_TUI_BENCH_ATLASES", "1000"))
"""Simulated atlases of each case."""

PROMPTS = 40

BOUND = BOUNDS["C1"]

SIZES, ERRORS = (8, 12, 20), (0.025, 0.05, 0.075)
"""Models of an atlas, and the standard error of each model's contrast."""

TRUE, FALSE, BETWEEN = (0.225, 0.05), (0.0, 0.02), 0.025
"""Mean and spread over models of contrasts where the claim holds and where it does not, and the common spread over
families."""


SHARED = 0.3
"""Correlation of the models' errors in the case of common errors."""


def truths(case: str, models: int, families: np.ndarray, chance: np.random.Generator) -> np.ndarray:
    """Contrasts of an atlas' models [models]: above the bound where the claim is true, else below it."""
    share = {"true in all": 1.0, "true in three of four": 0.75, "true in half": 0.5, "true in none": 0.0}.get(case)
    if case == "all at the bound":
        return np.full(models, BOUND)
    if case.startswith("most but one"):
        # One model fewer has it than *supported* requires, and the others are as near to having it as possible.
        return np.where(np.arange(models) < np.ceil(MOST * models) - 1, 3.0, BOUND)
    has = chance.permutation(models) < round((1.0 if share is None else share) * models)
    drawn = np.where(has, chance.normal(*TRUE, models), chance.normal(*FALSE, models))
    drawn = drawn + BETWEEN * chance.normal(size=families.max() + 1)[families]
    return np.where(has, np.maximum(drawn, BOUND + 0.01), np.minimum(drawn, BOUND - 0.01))


CASES: tuple[str, ...] = ("true in all", "true in three of four", "true in half", "true in none", "all at the bound")
TOGETHER = "most but one, the others at the bound, errors that go together"

CASES += ("most but one, the others at the bound", TOGETHER, "explained in all")


def simulated(case: str, models: int, error: float, chance: np.random.Generator) -> list[AtlasCard]:
    """Cards of models, two per family, each with C1 as its prompts would give it: the contrast with Student's t
    interval, and its difference from surrogates, which has its own error."""
    families = np.arange(models) // 2
    true = truths(case, models, families, chance)
    # Models with the same prompts may have common errors.
    common = error * math.sqrt(SHARED) * float(chance.normal()) if case == TOGETHER else 0.0
    out = []
    for place in range(models):
        value, low, high = _measured(true[place], error, chance, common)
        above, beside, _ = _measured(0.0 if case == "explained in all" else true[place], error, chance)
        verdict = SUPPORTED if low > 0 and beside > 0 else NOT_SUPPORTED if high < BOUND else INCONCLUSIVE
        if verdict == INCONCLUSIVE and low > 0 and above + (above - beside) < value / 2:
            verdict = EXPLAINED
        claim = AtlasClaim(verdict, value, "contrast", low, high, 0.95, PROMPTS, "", "")
        out.append(card(place, f"family {families[place]}", {"C1": claim}))
    return out


def _measured(
    true: float, error: float, chance: np.random.Generator, common: float = 0.0
) -> tuple[float, float, float]:
    """A value with its interval from an estimated error. common: the part of the error that others share; the rest
    makes the total error `error`."""
    own = error if not common else error * math.sqrt(1 - SHARED)
    value = true + own * chance.normal() + common
    half = reach(0.95, PROMPTS - 1) * error * float(np.sqrt(chance.chisquare(PROMPTS - 1) / (PROMPTS - 1)))
    return float(value), float(value - half), float(value + half)


def card(place: int, family: str, claims: dict[str, AtlasClaim]) -> AtlasCard:
    """A card of an invented model."""
    size = int(10 ** (8 + (place * 7 % 20) / 10))
    return AtlasCard(
        entry=f"m{place}",
        subject=f"model {place}",
        model_type="made",
        family=family,
        parameters=size,
        layers=12 + place % 5 * 6,
        units=144,
        kind="head",
        tuned=("base", "instruct")[place % 2],
        weights="trained",
        training_step=None,
        prompts=PROMPTS,
        ranking=RANKINGS[0],
        definition="gaussian·mmi τ1",
        method=METHOD,
        plan_hash=None,
        deviations=None,
        origin=None,
        made=None,
        card=None,
        decomposition=None,
        claims=claims,
        profile=(),
    )


def of_c7(case: str, models: int, error: float, seed: int) -> str:
    """The verdict on one simulated atlas."""
    cards = simulated(case, models, error, np.random.default_rng([seed, models, round(2000 * error)]))
    return universality(meta.groups(cards, "C1")[0]).verdict


def of_mean(models: int, between: float, seed: int) -> tuple[bool, bool, bool]:
    """Whether the interval holds the mean, the prediction interval a new model, and Q calls models different."""
    chance = np.random.default_rng([seed, models, round(1000 * between), 1])
    errors = chance.uniform(0.05, 0.15, models)
    cards = []
    for place, error in enumerate(errors):
        ends = _measured(0.3 + between * chance.normal(), float(error), chance)
        claim = AtlasClaim(SUPPORTED, ends[0], "contrast", *ends[1:], 0.95, PROMPTS, "", "")
        cards.append(card(place, f"family {place}", {"C1": claim}))
    found = meta.groups(cards, "C1")[0].result
    assert found is not None
    low, high = found.predicted
    return found.low <= 0.3 <= found.high, low <= 0.3 + between * chance.normal() <= high, found.p < meta.ALPHA


def of_moderators(models: int, slope: float, seed: int) -> dict[str, bool]:
    """Which moderators have p < 0.05 if effects depend only on size: they grow by `slope` with each tenfold of
    parameters."""
    chance = np.random.default_rng([seed, models, round(1000 * slope), 2])
    cards = []
    for place in range(models):
        size = card(place, "", {}).parameters or 1
        ends = _measured(0.3 + slope * np.log10(size) + 0.1 * chance.normal(), 0.07, chance)
        claim = AtlasClaim(SUPPORTED, ends[0], "contrast", *ends[1:], 0.95, PROMPTS, "", "")
        cards.append(card(place, f"family {place // 4}", {"C1": claim}))
    return {one.name: one.p < meta.ALPHA for one in moderators(meta.groups(cards, "C1")[0], seed)}


def make_atlas(cache: Cache, cards: int, layers: int = 24, per_layer: int = 12) -> None:
    """Fills a cache with cards of invented subjects, each with all claims and a profile, in one transaction."""
    chance = np.random.default_rng(0)
    tables: dict[str, list[dict[str, Any]]] = {}
    families, now = ("llama", "qwen2", "gemma2", "olmo2", "mamba2", "gpt_neox", "mixtral", "phi3"), datetime(2026, 5, 1)
    for number in range(cards):
        capture, name, family = f"c{number:04d}", f"made {number:03d}", families[number % len(families)]
        deep = layers + number % 5 * 2
        subject: dict[str, Any] = {"subject": f"s{number}", "name": name, "source": "folder", "place": "/nowhere"}
        subject |= {"model_type": family, "layers": deep, "parameters": int(10 ** (8 + number % 17 / 8))}
        row: dict[str, Any] = {"capture": capture, "subject": subject["subject"], "kind": "head", "layers": deep}
        row |= {"units_per_layer": per_layer, "prompts": PROMPTS, "valid_prompts": PROMPTS, "tasks": "made"}
        row |= {"chat_template": "a" if number % 2 else None}
        of: dict[str, Any] = {"decomposition": f"d{number:04d}", "capture": capture, "estimator": "gaussian"}
        of |= {"redundancy": "mmi", "lag": 1, "pool": "mean", "preprocess": "raw", "valid_prompts": PROMPTS}
        made: dict[str, Any] = {"card": f"k{number:04d}", "decomposition": of["decomposition"], "capture": capture}
        made |= {"ranking": RANKINGS[0], "method": METHOD, "created": now + timedelta(minutes=number)}
        units = [{"capture": capture, "unit_index": one, "layer": one // per_layer} for one in range(deep * per_layer)]
        depth = np.arange(deep) / (deep - 1)
        shown = 0.3 + 0.4 * np.sin(np.pi * depth) * chance.uniform(0.4, 1) + 0.05 * chance.normal(size=deep)
        profile = [
            {"decomposition": of["decomposition"], "ranking": ranking, "layer": layer, "depth": float(depth[layer])}
            | {"value": float(shown[layer]), "low": float(shown[layer] - 0.1), "high": float(shown[layer] + 0.1)}
            for ranking in RANKINGS
            for layer in range(deep)
        ]
        claims = [{"card": made["card"], "claim": claim} | _claim(claim, chance) for claim in CLAIMS]
        some = {"subjects": [subject], "captures": [row], "decompositions": [of], "cards": [made], "claims": claims}
        for table, content in (some | {"units": units, "layer_profiles": profile}).items():
            tables.setdefault(table, []).extend(content)
    with cache.write() as con:
        for table, content in tables.items():
            con.register("incoming", pa.Table.from_pylist(content))
            con.execute(f"INSERT INTO {table} BY NAME SELECT * FROM incoming")
            con.unregister("incoming")


def _claim(claim: str, chance: np.random.Generator) -> dict[str, Any]:
    if claim == "C2":
        return {"verdict": INCONCLUSIVE, "missing": "a ladder of difficulty", "measure": ""}
    value, low, high = _measured(0.3 + 0.15 * chance.normal(), 0.08, chance)
    verdict = SUPPORTED if low > 0 else INCONCLUSIVE
    if claim in ("C3", "C4"):
        sign = 1 if claim == "C3" else -1
        low, value, high = sorted(float(np.exp(sign * one)) for one in (low, value, high))
    measure, level = ("area, × random (90 %)", 0.9) if claim in ("C3", "C4") else ("contrast", 0.95)
    found = {"verdict": verdict, "measure": measure, "effect": value, "low": low, "high": high}
    return found | {"level": level, "n": PROMPTS}


def seconds(cards: int = 200) -> dict[str, float]:
    """Seconds to open an atlas, and to compute every statement over its models, after all are imported."""
    with tempfile.TemporaryDirectory() as folder:
        cache = Cache.open(Path(folder) / "cache")
        make_atlas(cache, cards)
        began = time.perf_counter()
        found = atlas.read(cache)
        opened = time.perf_counter()
        for claim in CLAIMS:
            for group in meta.groups(found.cards, claim):
                moderators(group)
                universality(group)
        return {"cards": len(found.cards), "open": opened - began, "judge": time.perf_counter() - opened}


def measure() -> dict[str, Any]:
    """Counts by case, number of models and precision."""
    with ProcessPoolExecutor(max_workers=int(os.environ.get("SYNERGY_TUI_BENCH_PROCESSES", "2"))) as pool:
        verdicts = {
            f"{case}, {models} models ± {error}": dict(
                Counter(pool.map(partial(of_c7, case, models, error), range(ATLASES), chunksize=50))
            )
            for case in CASES
            for models in SIZES
            for error in ERRORS
        }
        means = {
            f"{models} models, tau {between}": np.mean(
                list(pool.map(partial(of_mean, models, between), range(ATLASES), chunksize=50)), axis=0
            ).tolist()
            for models in (3, *SIZES)
            for between in (0.0, 0.1)
        }
        moderators = {}
        for models in (12, 20):
            for slope in (0.0, 0.2):
                found = list(pool.map(partial(of_moderators, models, slope), range(ATLASES), chunksize=50))
                moderators[f"{models} models, {slope} per tenfold"] = {
                    name: sum(one[name] for one in found) for name in found[0]
                }
    return {"atlases": ATLASES, "C7": verdicts, "means": means, "moderators": moderators, "seconds": seconds()}
