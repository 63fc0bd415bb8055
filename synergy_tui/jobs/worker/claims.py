"""A claims job: measurements of a run and of its controls → the verdict on each claim, as rows of a card."""

from __future__ import annotations

import contextlib
import json
import math
from typing import Any

import numpy as np

from synergy_tui.analysis import areas, claims, family, geometric_claims, transition
from synergy_tui.analysis.areas import AreaTest
from synergy_tui.analysis.claims import Claim, Climb, Contrast, Removal
from synergy_tui.analysis.definitions import Atoms, Measured, definitions
from synergy_tui.analysis.effects import Effect
from synergy_tui.analysis.geometric_claims import Geometry
from synergy_tui.analysis.networks import DENSITIES, Difference
from synergy_tui.errors import JobError, SynergyError
from synergy_tui.jobs.folder import JobFolder
from synergy_tui.jobs.plan.claims import ladder_of, not_judged
from synergy_tui.jobs.plan.deviations import deviations
from synergy_tui.jobs.specs import ClaimsSpec
from synergy_tui.jobs.specs.sealed import as_sealed, hash_of
from synergy_tui.jobs.worker.progress import Progress
from synergy_tui.jobs.worker.record import recipes, versions
from synergy_tui.store import load
from synergy_tui.store.cache import Cache
from synergy_tui.store.publish import publish_card
from synergy_tui.terms import (
    BIASES,
    CLAIMS,
    CONTROL_ORDERS,
    CONTROLS,
    METHOD,
    METHOD_FIELDS,
    NOT_JUDGED,
    NULLS,
    ORDER_PARAMETERS,
    SOURCES,
    VARYING_MEMORY,
)

NEEDS = {"C1": "surrogates", "C2": "ladder", "C3": "ablation", "C4": "ablation", "C5": "controls", "C6": "networks"}
NEEDS |= {"C8": "geometry", "C9": "geometry"}
"""Claim → the part behind it."""


def work(job: JobFolder, spec: ClaimsSpec, progress: Progress) -> None:
    """Judges by the parts that are there."""
    cache = Cache.open(job.cache, on_wait=progress.waits)
    progress.stage("judge", len(CLAIMS), "claims", share=(0.0, 0.9))
    results, missing = spec.results, dict(spec.missing)
    there = {
        "surrogates": _there(cache, job, "decomposition", results.surrogates, "surrogates", missing),
        "ablation": _there(cache, job, "ablation", results.ablation, "ablation", missing),
        "networks": _there(cache, job, "network", results.networks, "networks", missing),
        "geometry": _there(cache, job, "geometry", results.geometry, "geometry", missing),
    }
    own = there["surrogates"] or spec.decomposition
    controls = {
        how: [_there(cache, job, "decomposition", one, "controls", missing) for one in results.controls.get(how, ())]
        for how in CONTROLS
    }
    kept = {how: [one for one in some if one] for how, some in controls.items()}
    row = load.one(cache, "decomposition", own)
    capture = load.one(cache, "capture", spec.capture)
    contrasts, prompts = _contrasts(cache, own), row["valid_prompts"]
    removal = load.ablation(cache, there["ablation"]) if there["ablation"] else None
    ladder = _ladder(cache, job, spec, capture["subject"], missing)
    # C1 and C5 are about the middle third of layers: another contrast says nothing about them.
    unjudged = not_judged(cache, row)
    # C8 and C9 have their own cut, whatever the run's contrast is.
    unordered = "" if load.naming(cache, spec.capture).deep else unjudged
    geometry = _geometry(cache, there["geometry"])
    found: dict[str, Claim] = {
        "C1": claims.lacks(unjudged, n=prompts)
        if unjudged
        else claims.c1(contrasts, spec.ranking, prompts, row["misleading"] or ()),
        "C2": claims.c2(_climb(cache, ladder)),
        "C3": claims.c3(_removal(removal, "synergy-first")),
        "C4": claims.c4(_removal(removal, "redundancy-first"), spec.budget),
        "C5": claims.lacks(unjudged)
        if unjudged
        else claims.c5(
            _over_null(contrasts), _of_controls(cache, kept, capture), spec.ranking, row["misleading"] or ()
        ),
        "C6": claims.c6(_differences(cache, there["networks"]), DENSITIES, prompts, row["misleading"] or ()),
        "C8": claims.lacks(unordered)
        if unordered
        else geometric_claims.c8(geometry, _profiles(cache, own, capture["layers"]), spec.ranking),
        "C9": claims.lacks(unordered) if unordered else geometric_claims.c9(geometry),
    }
    doubts = _doubts(load.rows(cache, "SELECT name, value FROM confounds WHERE decomposition = $1", own))
    for null in load.rows(cache, "SELECT * FROM null_runs WHERE decomposition = $1 AND NOT ran", own):
        missing["surrogates"] = f"{null['null_name']}: {null['note']}"
    progress.stage("publish", share=(0.9, 1.0))
    head = {
        "card": job.id,
        "decomposition": own,
        "capture": spec.capture,
        "ranking": spec.ranking,
        "parts": there | kept | {"ladder": ladder and str(ladder["ladder"])},
        "budget": spec.budget,
        "method": METHOD,
        "seed": spec.seed,
        "versions": versions("numpy", "scipy"),
    }
    rows = [_row(job.id, name, one, missing, doubts.get(name, [])) for name, one in found.items()]
    if spec.sealing is not None:
        again = {
            name: {
                "C1": claims.c1(contrasts, name, prompts, row["misleading"] or ()).p,
                "C5": claims.c5(_over_null(contrasts), _of_controls(cache, kept, capture), name).p,
            }
            for name in contrasts
            if name != spec.ranking and not unjudged
        }
        rows = _with_roles(rows, again, spec)
        plan = spec.sealing.plan
        said = deviations(cache, spec.sealing, head, missing)
        head |= {"plan_hash": hash_of(plan), "plan": json.dumps(plan, ensure_ascii=False), "deviations": said}
    every = definitions(_by_atoms(cache, row))
    none = {"definitions_held": None, "definitions": None, "unmeasured": None}
    of_c1 = {"definitions_held": list(every.held), "definitions": list(every.of)}
    of_c1 |= {"unmeasured": list(every.unmeasured)}
    rows = [one | (of_c1 if one["claim"] == "C1" and not unjudged else none) for one in rows]
    publish_card(cache, job.id, {"cards": [head], "claims": rows, "recipes": recipes(job.id, spec)})


def _ladder(
    cache: Cache, job: JobFolder, spec: ClaimsSpec, subject: str, missing: dict[str, str]
) -> dict[str, Any] | None:
    """The ladder that C2 is judged by: under a sealed plan its own, else the subject's best."""
    if spec.sealing is None:
        return ladder_of(cache, subject)
    found = _there(cache, job, "ladder", spec.results.ladder, "ladder", missing)
    return load.one(cache, "ladder", found) if found else None


def _with_roles(
    rows: list[dict[str, Any]], again: dict[str, dict[str, float]], spec: ClaimsSpec
) -> list[dict[str, Any]]:
    """Rows of claims with their roles in the plan; the p of exploratory claims is corrected over their family: all
    other claims, and C1 and C5 by every other ranking (`again`: their p by ranking)."""
    assert spec.sealing is not None
    of = as_sealed(spec.sealing.plan).analyses
    primary = [(name, spec.ranking) for name in of.claims if spec.ranking == of.ranking]
    p = {(row["claim"], spec.ranking): _number(row["p"]) for row in rows}
    p |= {(claim, ranking): value for ranking, some in again.items() for claim, value in some.items()}
    corrected = family.corrected(p, primary)
    out = []
    for row in rows:
        key = (row["claim"], spec.ranking)
        role = family.PRIMARY if key in primary else family.EXPLORATORY
        others = [corrected[row["claim"], name] for name, some in again.items() if row["claim"] in some]
        told = row["told"]
        if known := [one for one in others if math.isfinite(one)]:
            told += f"; {sum(one <= areas.ALPHA for one in known)} of {len(known)} other rankings have p_holm ≤ 0.05"
        out.append(row | {"role": role, "p_holm": _none(corrected.get(key, math.nan)), "told": told.removeprefix("; ")})
    return out


def _there(
    cache: Cache, job: JobFolder, kind: str, result: str | None, part: str, missing: dict[str, str]
) -> str | None:
    """The result's id if it is there; otherwise the reason goes into `missing`."""
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
    if lacking and not lacking.startswith(NOT_JUDGED) and (why := missing.get(NEEDS[name])):
        lacking = f"{lacking} ({why})"
    numbers = {key: _none(getattr(one, key)) for key in ("effect", "low", "high", "p")}
    numbers |= {"level": one.level if math.isfinite(one.low) or math.isfinite(one.high) else None}
    words = {"verdict": one.verdict, "measure": one.measure, "missing": lacking, "told": one.told, "n": one.n}
    lists = {"holds_under": list(one.holds_under), "of": list(one.of), "against": [*one.against, *against]}
    lists |= {"source": list(SOURCES[name])}
    return {"card": card, "claim": name, "statement": CLAIMS[name], **words, **numbers, **lists}


def _none(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _by_atoms(cache: Cache, own: dict[str, Any]) -> dict[Atoms, Measured]:
    """Atoms → measurements, from decompositions of the capture that differ from `own` only in their atoms. Among
    several with the same atoms: `own`, or the one with the most surrogates, or the newest."""
    query = f"""SELECT d.*, {load.METHOD_OF} FROM decompositions d WHERE capture = $1
        ORDER BY decomposition = $2 DESC, surrogates DESC NULLS LAST, created DESC, decomposition"""
    out: dict[Atoms, Measured] = {}
    for row in load.rows(cache, query, own["capture"], own["decomposition"]):
        atoms = (row["estimator"], row["redundancy"], row["bias"] or BIASES[0])
        alike = all(row[name] == own[name] for name in METHOD_FIELDS if name not in ATOMS_BY)
        if alike and row["method"] >= METHOD and atoms not in out:
            contrasts = _contrasts(cache, row["decomposition"])
            out[atoms] = Measured(contrasts, row["valid_prompts"], row["misleading"] or ())
    return out


ATOMS_BY = ("estimator", "redundancy", "bias")
"""Fields of a method that define its atoms."""


def _contrasts(cache: Cache, decomposition: str) -> dict[str, Contrast]:
    """Ranking → its contrast, with its sides and the test against surrogates."""
    query = "SELECT * FROM contrast_sides WHERE decomposition = $1"
    sides: dict[str, dict[str, tuple[float, float, float]]] = {}
    for one in load.rows(cache, query, decomposition):
        ends = (_number(one["value"]), _number(one["low"]), _number(one["high"]))
        sides.setdefault(one["ranking"], {})[one["side"]] = ends
    effects: dict[str, dict[str, Effect]] = {}
    for one in load.rows(cache, "SELECT * FROM contrast_tests WHERE decomposition = $1", decomposition):
        numbers = {name: _number(one[name]) for name in _EFFECT}
        found = Effect(**numbers, prompts=one["prompts"], draws=one["draws"])
        effects.setdefault(one["ranking"], {})[one["null_name"]] = found
    query = "SELECT ranking, contrast, low, high FROM contrasts WHERE decomposition = $1"
    out = {}
    for one in load.rows(cache, query, decomposition):
        value, low, high = (_number(one[key]) for key in ("contrast", "low", "high"))
        name = one["ranking"]
        out[name] = Contrast(value, low, high, sides.get(name, {}), effects.get(name, {}))
    return out


_EFFECT = ("observed", "surrogate", "difference", "low", "high", "error", "p", "halves")


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _over_null(contrasts: dict[str, Contrast]) -> dict[str, float]:
    """Ranking → the contrast minus its mean over prompt-shuffle surrogates, both on the same cut."""
    null = NULLS[0]
    return {name: one.effects[null].difference if null in one.effects else math.nan for name, one in contrasts.items()}


def _climb(cache: Cache, ladder: dict[str, Any] | None) -> Climb | None:
    """A ladder's facts for C2: the verdict on the primary order parameter, whichever the ladder was asked for."""
    if ladder is None:
        return None
    of = ladder["ladder"]
    query = "SELECT * FROM ladder_verdicts WHERE ladder = $1 AND order_parameter = $2"
    (verdict,) = load.rows(cache, query, of, ORDER_PARAMETERS[0])
    levels = load.rows(cache, "SELECT * FROM ladder_levels WHERE ladder = $1 AND map IS NOT NULL", of)
    prompts = min((one["used"] for one in levels), default=0)
    query = """SELECT misleading FROM decompositions WHERE misleading IS NOT NULL
        AND decomposition IN (SELECT map FROM ladder_levels WHERE ladder = $1) ORDER BY decomposition"""
    misled = load.rows(cache, query, of)
    cut_off = sum(one["accuracy"] is None and (one["unfinished"] or 0) > 0 for one in levels)
    why = f"{cut_off} levels have answers that were cut off; climb with more --steps" if cut_off else "nothing graded"
    return Climb(
        ORDER_PARAMETERS[0],
        verdict["verdict"],
        _number(verdict["delta_bic"]),
        _number(verdict["d_low"]),
        _number(verdict["d_high"]),
        len(levels),
        prompts,
        ladder["accuracy_falls"],
        why,
        _number(verdict["surrogate_transitions"]),
        transition.power(len(levels), prompts),
        verdict["sentence"] or "",
        tuple(dict.fromkeys(one for row in misled for one in row["misleading"])),
    )


def _of_controls(cache: Cache, kept: dict[str, list[str]], capture: dict[str, Any]) -> dict[str, dict[str, np.ndarray]]:
    """Contrasts by kind of control and ranking. A control of another architecture does not count."""
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
    tests = {
        one["control"]: AreaTest(
            **{name: _number(one[column]) for name, column in _AREA.items()},
            seeds=one["seeds"] or 0,
            stopped=one["stopped"] or "",
        )
        for one in found["ratios"]
        if one["removal_order"] == order and one["category"] is None
    }
    (own,) = [one for one in found["orders"][order]["curves"] if one["target"] is None]
    at = [value for share, value in zip(own["fraction"], own["divergence"], strict=True) if share == areas.PRIMARY]
    accuracy, tasks = _accuracy(found["accuracy"], order)
    if found["stop"] == "decided":  # p at the stopping look is not a plain rank
        some = [one for one in found["accuracy_changes"] if one["removal_order"] == order]
        accuracy = {one["control"]: _number(one["p"]) for one in some}
    divergence = at[0] if at and at[0] is not None else math.nan
    held_out = bool(found["held_out"])
    return Removal(tests, divergence, accuracy, tasks, found["prompts"], found["ranking"], held_out)


_AREA = {"ratio": "ratio", "low": "low", "high": "high", "p": "p_above", "below": "p_below"}


def _accuracy(rows: list[dict[str, Any]], order: str) -> tuple[dict[str, float], int]:
    """(control → one-sided p that accuracy is lower without the order's units, tasks that the intact subject can
    do)."""
    every = [one for one in rows if one["category"] is None and one["accuracy"] is not None]
    tasks = next((one["tasks"] for one in every if one["removal_order"] == "intact"), 0)
    own = [one["accuracy"] for one in every if one["removal_order"] == order]
    out = {}
    for name in CONTROL_ORDERS:
        target = order if name == "layer-matched" else None
        others = [one["accuracy"] for one in every if (one["removal_order"], one["target"]) == (name, target)]
        if own and others:
            out[name] = areas.rank_test(own[0], np.array(others))
    return out, tasks


def _differences(cache: Cache, network: str | None) -> dict[tuple[str, str, float], Difference]:
    """Differences by null, side of claims.C6_SIDES and density."""
    if network is None:
        return {}
    out = {}
    for one in load.rows(cache, "SELECT * FROM network_contrasts WHERE network = $1", network):
        key = (one["null_name"], one["contrast"], one["density"])
        out[key] = Difference(*(_number(one[name]) for name in ("value", "low", "high", "raw")))
    own = {("sts", "efficiency"), ("rtr", "modularity")}
    for one in load.rows(cache, "SELECT * FROM network_measures WHERE network = $1", network):
        if (one["atom"], one["measure"]) in own:
            key = (one["null_name"], f"{one['measure']} of {one['atom']}", one["density"])
            out[key] = Difference(*(_number(one[name]) for name in ("corrected", "low", "high", "value")))
    return out


def _geometry(cache: Cache, found: str | None) -> Geometry | None:
    """The facts for C8 and C9 about the geometry of a capture's residual stream."""
    if found is None:
        return None
    head = load.one(cache, "geometry", found)
    layers = load.rows(cache, "SELECT * FROM geometry_layers WHERE geometry = $1 ORDER BY layer", found)
    of: dict[str, dict[str, geometric_claims.Measured]] = {"dimension": {}, "alignment": {}}
    for one in load.rows(cache, "SELECT * FROM geometry_contrasts WHERE geometry = $1", found):
        numbers = (_number(one[name]) for name in ("value", "low", "high", "p"))
        of[one["of"]][one["side"]] = geometric_claims.Measured(*numbers)
    return Geometry(
        np.array([_number(one["dimension"]) for one in layers]),
        of["dimension"],
        of["alignment"],
        layers[0]["scale"],
        head["prompts"],
        head["pairs"],
        "; ".join(dict.fromkeys(one["note"] for one in layers if one["note"])),
    )


def _profiles(cache: Cache, decomposition: str, layers: int) -> dict[str, np.ndarray]:
    """Ranking → its mean over the units of each layer."""
    query = "SELECT ranking, layer, value FROM layer_profiles WHERE decomposition = $1 ORDER BY ranking, layer"
    out: dict[str, np.ndarray] = {}
    for one in load.rows(cache, query, decomposition):
        out.setdefault(one["ranking"], np.full(layers, math.nan))[one["layer"]] = _number(one["value"])
    return out


def _doubts(rows: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Claim → the confounds that speak against it."""
    found = {one["name"]: _number(one["value"]) for one in rows}
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
    more = []
    if (varying := found.get("memory varies over prompts", math.nan)) > VARYING_MEMORY:
        more.append(f"memory varies over prompts (×{varying:.0f})")
    for name, what in (
        ("prompts too short", "prompts too short"),
        ("prompts outside the nulls", "prompts outside the nulls"),
        ("prompts repeated", "prompts repeat another's response"),
    ):
        if (count := found.get(name, 0)) > 0:
            more.append(f"{count:.0f} {what}")
    overlap = [one for one in first if one.startswith("rankings")]
    return {"C1": [*first, *more], "C3": overlap, "C4": overlap, "C5": [*first[:1], *more], "C6": [*first[:2], *more]}
