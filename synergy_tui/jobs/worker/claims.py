"""A claims job: what was measured of a run and of its controls → the verdict on each claim, as rows of a card."""

from __future__ import annotations

import contextlib
import math
from typing import Any

import numpy as np

from synergy_tui.analysis import areas, claims
from synergy_tui.analysis.claims import Claim, Contrast, Removal
from synergy_tui.analysis.networks import DENSITIES, Difference
from synergy_tui.errors import JobError, SynergyError
from synergy_tui.jobs.folder import JobFolder
from synergy_tui.jobs.plan.claims import ladder_of
from synergy_tui.jobs.worker.progress import Progress
from synergy_tui.jobs.worker.record import versions
from synergy_tui.store import load
from synergy_tui.store.cache import Cache
from synergy_tui.store.publish import publish_card
from synergy_tui.terms import CLAIMS, CONTROL_ORDERS, CONTROLS, NULLS

NEEDS = {"C1": "surrogates", "C2": "ladder", "C3": "ablation", "C4": "ablation", "C5": "controls", "C6": "networks"}
"""The part behind a claim."""


def work(job: JobFolder, spec: dict[str, Any], progress: Progress) -> None:
    """Judges with what there is."""
    cache = Cache.open(job.cache, on_wait=progress.waits)
    progress.stage("judge", len(CLAIMS), "claims", share=(0.0, 0.9))
    parts, missing = spec["parts"], dict(spec["missing"])
    there = {}
    for part, kind in (("surrogates", "decomposition"), ("ablation", "ablation"), ("networks", "network")):
        there[part] = _there(cache, job, kind, parts[part], part, missing)
    own = there["surrogates"] or spec["decomposition"]
    controls = {
        how: [_there(cache, job, "decomposition", one, "controls", missing) for one in parts[how]] for how in CONTROLS
    }
    kept = {how: [one for one in some if one] for how, some in controls.items()}
    row = load.one(cache, "decomposition", own)
    capture = load.one(cache, "capture", spec["capture"])
    contrasts, prompts = _contrasts(cache, own), row["valid_prompts"]
    removal = load.ablation(cache, there["ablation"]) if there["ablation"] else None
    ladder = ladder_of(cache, capture["subject"])
    found = {
        "C1": claims.c1(contrasts, spec["ranking"], prompts),
        "C2": claims.c2(ladder),
        "C3": claims.c3(_removal(removal, "synergy-first")),
        "C4": claims.c4(_removal(removal, "redundancy-first"), spec["budget"]),
        "C5": claims.c5(_over_null(contrasts), _of_controls(cache, kept, capture), spec["ranking"]),
        "C6": claims.c6(_differences(cache, there["networks"]), DENSITIES, prompts),
    }
    doubts = _doubts(load.rows(cache, "SELECT name, value FROM confounds WHERE decomposition = $1", own))
    progress.stage("publish", share=(0.9, 1.0))
    head = {
        "card": job.id,
        "decomposition": own,
        "capture": spec["capture"],
        "ranking": spec["ranking"],
        "parts": there | kept | {"ladder": ladder and str(ladder["ladder"])},
        "budget": spec["budget"],
        "seed": spec["seed"],
        "versions": versions("numpy", "scipy"),
    }
    rows = [_row(job.id, name, one, missing, doubts.get(name, [])) for name, one in found.items()]
    publish_card(cache, job.id, {"cards": [head], "claims": rows})


def _there(
    cache: Cache, job: JobFolder, kind: str, result: str | None, part: str, missing: dict[str, str]
) -> str | None:
    """The result's id if it is there; why it is not goes into `missing`."""
    if result is None:
        return None
    with contextlib.suppress(SynergyError):
        load.one(cache, kind, result)
        return result
    why = "its result was deleted"
    with contextlib.suppress(JobError):
        status = JobFolder(job.path.parent / result).status()
        why = f"job {result} {status['state']}" + (f": {status['error']}" if status["error"] else "")
    missing[part] = why
    return None


def _row(card: str, name: str, one: Claim, missing: dict[str, str], against: list[str]) -> dict[str, Any]:
    lacking = one.missing
    if lacking and (why := missing.get(NEEDS[name])):
        lacking = f"{lacking} ({why})"
    numbers = {key: _none(getattr(one, key)) for key in ("effect", "low", "high")}
    words = {"verdict": one.verdict, "measure": one.measure, "missing": lacking, "told": one.told, "n": one.n}
    lists = {"holds_under": list(one.holds_under), "of": list(one.of), "against": [*one.against, *against]}
    return {"card": card, "claim": name, "statement": CLAIMS[name], **words, **numbers, **lists}


def _none(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _contrasts(cache: Cache, decomposition: str) -> dict[str, Contrast]:
    """By ranking, with what surrogates show."""
    query = "SELECT null_name, ranking, contrast FROM surrogate_contrasts WHERE decomposition = $1 ORDER BY draw"
    draws: dict[str, dict[str, list[float]]] = {}
    for one in load.rows(cache, query, decomposition):
        value = math.nan if one["contrast"] is None else one["contrast"]
        draws.setdefault(one["ranking"], {}).setdefault(one["null_name"], []).append(value)
    query = "SELECT ranking, contrast, low, high FROM contrasts WHERE decomposition = $1"
    out = {}
    for one in load.rows(cache, query, decomposition):
        value, low, high = (math.nan if one[key] is None else one[key] for key in ("contrast", "low", "high"))
        own = {null: np.array(some) for null, some in draws.get(one["ranking"], {}).items()}
        out[one["ranking"]] = Contrast(value, low, high, own)
    return out


def _over_null(contrasts: dict[str, Contrast]) -> dict[str, float]:
    """By ranking, the contrast minus its prompt-shuffle surrogate mean."""
    out = {}
    for name, one in contrasts.items():
        drawn = one.draws.get(NULLS[0], np.empty(0))
        drawn = drawn[np.isfinite(drawn)]
        out[name] = float(one.value - drawn.mean()) if len(drawn) else math.nan
    return out


def _of_controls(cache: Cache, kept: dict[str, list[str]], capture: dict[str, Any]) -> dict[str, dict[str, np.ndarray]]:
    """By kind of control and ranking. A control of another architecture is none."""
    out: dict[str, dict[str, np.ndarray]] = {}
    for how, ids in kept.items():
        values: dict[str, list[float]] = {}
        for one in ids:
            if not _same(cache, one, capture):
                continue
            for name, value in _over_null(_contrasts(cache, one)).items():
                values.setdefault(name, []).append(value)
        out[how] = {name: np.array(some) for name, some in values.items()}
    return out


def _same(cache: Cache, decomposition: str, capture: dict[str, Any]) -> bool:
    query = """SELECT s.config_hash, c.layers, c.units_per_layer FROM decompositions JOIN captures c USING (capture)
        JOIN subjects s USING (subject) WHERE decomposition = $1"""
    own = "SELECT config_hash FROM subjects WHERE subject = $1"
    (other,) = load.rows(cache, query, decomposition)
    (mine,) = load.rows(cache, own, capture["subject"])
    shape = (capture["layers"], capture["units_per_layer"])
    return (other["config_hash"], other["layers"], other["units_per_layer"]) == (mine["config_hash"], *shape)


def _removal(found: dict[str, Any] | None, order: str) -> Removal | None:
    """An order of an ablation against its controls."""
    if found is None or order not in found["orders"]:
        return None
    key = f"{areas.PRIMARY:g}"
    curves = {name: _of(found, name, order if name == "layer-matched" else None) for name in CONTROL_ORDERS}
    (own,) = _of(found, order, None)
    tests = {
        name: areas.area_test(own["areas"].get(key, math.nan), np.array([c["areas"].get(key, math.nan) for c in some]))
        for name, some in curves.items()
        if some
    }
    wanted = (order, "random", None)
    ratios = [one for one in found["ratios"] if (one["removal_order"], one["control"], one["category"]) == wanted]
    ratio = ratios[0] if ratios else {}
    at = [value for share, value in zip(own["fraction"], own["divergence"], strict=True) if share == areas.PRIMARY]
    accuracy, tasks = _accuracy(found["accuracy"], order)
    value, low, high = (math.nan if ratio.get(name) is None else ratio[name] for name in ("ratio", "low", "high"))
    divergence = at[0] if at and at[0] is not None else math.nan
    return Removal(tests, (value, low, high), divergence, accuracy, tasks, found["prompts"], found["ranking"])


def _of(found: dict[str, Any], order: str, target: str | None) -> list[dict[str, Any]]:
    return [one for one in found["orders"].get(order, {"curves": []})["curves"] if one["target"] == target]


def _accuracy(rows: list[dict[str, Any]], order: str) -> tuple[dict[str, float], int]:
    """(one-sided p by control that accuracy is lower without the order's units, tasks the intact subject can do)."""
    every = [one for one in rows if one["category"] is None and one["accuracy"] is not None]
    tasks = next((one["tasks"] for one in every if one["removal_order"] == "intact"), 0)
    own = [one["accuracy"] for one in every if one["removal_order"] == order]
    out = {}
    for name in CONTROL_ORDERS:
        target = order if name == "layer-matched" else None
        others = [one["accuracy"] for one in every if (one["removal_order"], one["target"]) == (name, target)]
        if own and others:
            out[name] = areas.plain_test(own[0], np.array(others))
    return out, tasks


def _differences(cache: Cache, network: str | None) -> dict[tuple[str, str, float], Difference]:
    if network is None:
        return {}
    out = {}
    for one in load.rows(cache, "SELECT * FROM network_contrasts WHERE network = $1", network):
        value, low, high, raw = (math.nan if one[key] is None else one[key] for key in ("value", "low", "high", "raw"))
        out[one["null_name"], one["contrast"], one["density"]] = Difference(value, low, high, raw)
    return out


def _doubts(rows: list[dict[str, Any]]) -> dict[str, list[str]]:
    """By claim, the confounds that speak against it."""
    found = {one["name"]: math.nan if one["value"] is None else one["value"] for one in rows}
    memory, alike = found.get("synergy~autocorrelation", math.nan), found.get("synergy~redundancy", math.nan)
    half, agree = found.get("split-half Spearman", math.nan), found.get("rankings: mean core overlap", math.nan)
    first = []
    if abs(memory) > 0.5:
        first.append(f"synergy follows autocorrelation (r {memory:+.2f})")
    if alike > 0.5:
        first.append(f"synergy and redundancy go together (r {alike:+.2f})")
    if agree < 0.75:
        first.append(f"rankings agree on {agree:.0%} of the core")
    if half < 0.7:
        first.append(f"halves of the prompts agree little (ρ {half:+.2f})")
    short = [f"{found['prompts too short']:.0f} prompts too short"] if found.get("prompts too short", 0) > 0 else []
    overlap = [one for one in first if one.startswith("rankings")]
    return {"C1": [*first, *short], "C3": overlap, "C4": overlap, "C5": first[:1], "C6": first[:2]}
