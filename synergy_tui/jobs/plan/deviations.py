"""How the work for a card differs from its sealed plan, a sentence for each difference. Clocks are trusted: a wrong
clock can make a plan seem older than its data."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from synergy_tui import terms
from synergy_tui.analysis import thresholds
from synergy_tui.jobs.plan.sealed import graded_hash, of_subject, versions
from synergy_tui.jobs.specs.claims import Sealing
from synergy_tui.jobs.specs.method import Method
from synergy_tui.jobs.specs.sealed import Model, Sealed, as_sealed
from synergy_tui.store import load
from synergy_tui.store.cache import Cache
from synergy_tui.store.tables import KEYS

Row = Mapping[str, Any]


def deviations(cache: Cache, sealing: Sealing, card: Row, missing: Mapping[str, str]) -> list[str]:
    """The deviations of a card, its row with the ids of its parts. missing: part → why it was not made. Deviations
    known before the start come first. Raises UsageError for an invalid plan."""
    plan, given = as_sealed(sealing.plan), set(sealing.given)
    capture = load.one(cache, "capture", card["capture"])
    found = [*sealing.deviations, *_early(cache, plan, card), *_other_tools(plan, capture)]
    found += _of_run(cache, plan, card, capture, given)
    for part, settings in plan.parts.items():
        if part in missing:
            left_out = "parts" in given and missing[part].startswith("left out")
            found.append(f"{part} was not made: {'left out beside the plan' if left_out else missing[part]}")
        else:
            found += [f"{part}: {one}" for one in _of_part(cache, part, settings, card["parts"], given)]
    return list(dict.fromkeys(found))


def of_run(cache: Cache, plan: Sealed, run: str, deviate: bool) -> list[str]:
    """The deviations of a run that was named beside a plan: none if it is of the plan's subject, because the card says
    how it differs. Raises UsageError for a run of another subject unless it may `deviate`."""
    row = load.one(cache, "capture", load.one(cache, "decomposition", run)["capture"])
    (own,) = load.rows(cache, "SELECT * FROM subjects WHERE subject = $1", row["subject"])
    found = subject_of(own, row, plan.subject)
    return of_subject(plan.subject, found, deviate) if plan.subject.name != found.name else []


def _early(cache: Cache, plan: Sealed, card: Row) -> Iterator[str]:
    """Results that were there before the plan was sealed."""
    parts = card["parts"]
    ids = {"capture": [card["capture"]], "decomposition": [card["decomposition"]]}
    ids["decomposition"] += [one for how in terms.CONTROLS for one in parts.get(how) or ()]
    for kind in ("ablation", "network", "ladder", "geometry"):
        one = parts.get("networks" if kind == "network" else kind)
        ids[kind] = [one] if one else []
    there = []
    for kind, some in ids.items():
        query = f"SELECT {kind} AS id FROM {KEYS[kind]} WHERE list_contains($1, {kind}) AND created < $2 ORDER BY 1"
        there += [f"{kind} {row['id']}" for row in load.rows(cache, query, some, plan.when)]
    if there:
        told = ", ".join(there[:4]) + (f" and {len(there) - 4} others" if len(there) > 4 else "")
        yield f"{told} {'was' if len(there) == 1 else 'were'} there before the plan was sealed ({plan.sealed})"


def _other_tools(plan: Sealed, capture: Row) -> Iterator[str]:
    """Versions and thresholds of the judging program, and of the program that captured."""
    kept = capture["versions"]
    captured = json.loads(kept) if isinstance(kept, str) else kept or {}
    for name, now in versions().items():
        before = plan.versions.get(name)
        if others := [one for one in dict.fromkeys((captured.get(name), now)) if one is not None and one != before]:
            yield f"{name} {' and '.join(map(str, others))}, sealed under {before or 'none'}"
    if plan.method_version != terms.METHOD:
        yield f"method {terms.METHOD}, sealed under {plan.method_version}"
    if plan.grading != terms.GRADING:
        yield f"grading {terms.GRADING}, sealed under {plan.grading}"
    yield from (f"threshold {one}" for one in _differences(plan.thresholds, thresholds.every(), set()))


def _of_run(cache: Cache, plan: Sealed, card: Row, capture: Row, given: set[str]) -> Iterator[str]:
    """Differences in the subject, its prompts and settings, the method, and the settings of the verdicts."""
    (own,) = load.rows(cache, "SELECT * FROM subjects WHERE subject = $1", capture["subject"])
    yield from of_subject(plan.subject, subject_of(own, capture, plan.subject), deviate=True)
    if capture["tasks_hash"] != plan.asked.tasks_hash:
        before, after = plan.asked.tasks_hash[:12], (capture["tasks_hash"] or "none")[:12]
        yield f"the prompts have the hash {after} ({capture['tasks']}), the plan's {before} ({plan.asked.task_set})"
    if capture["prompts"] != plan.asked.prompts:
        yield f"{capture['prompts']} prompts, {plan.asked.prompts} in the plan"
    done = _asked(cache, card["capture"])
    where = {"subject", "tasks", "prompts", "revision", "adapter"}
    planned = {name: one for name, one in plan.capture.items() if name not in where}
    yield from (f"capture: {one}" for one in _differences(planned, done, given))
    row = load.one(cache, "decomposition", card["decomposition"])
    method = msgspec.to_builtins(Method.of(row))
    yield from (f"method: {one}" for one in _differences(plan.method, method, given))
    judged = {"ranking": plan.analyses.ranking, "budget": plan.budget, "seed": plan.seed}
    yield from (f"card: {one}" for one in _differences(judged, card, given))


def subject_of(own: Row, capture: Row, planned: Model) -> Model:
    """A captured subject, with those of the plan's facts that the cache has."""
    comparable = own["source"] in ("folder", "zoo") and own["adapter"] is None and own["weights_seed"] is None
    return Model(
        name=own["name"],
        kind=own["source"],
        place=own["place"],
        revision=own["revision"],
        weights=own["weights_hash"] if comparable or planned.name != own["name"] else None,
        chat_template=capture["chat_template"],
    )


def _of_part(cache: Cache, part: str, planned: Row, parts: Row, given: set[str]) -> Iterator[str]:
    """How a finished part differs from the plan."""
    if part == "controls":
        for how in terms.CONTROLS:
            made = len(parts.get(how) or ())
            if made != planned.get("seeds", made):
                yield f"{made} {how}, {planned['seeds']} in the plan"
        ids = [one for how in terms.CONTROLS for one in parts.get(how) or ()]
        query = "SELECT DISTINCT surrogates FROM decompositions WHERE list_contains($1, decomposition) ORDER BY 1"
        drawn = [row["surrogates"] for row in load.rows(cache, query, ids)]
        if "surrogates" in planned and drawn and drawn != [planned["surrogates"]]:
            yield f"surrogates {', '.join(map(str, drawn))}, {planned['surrogates']} in the plan"
        return
    result = parts.get(part)
    if result is None:
        if "not_possible" not in planned and planned:
            yield "there is no result"
        return
    yield from _differences(planned, _asked(cache, result), given)
    tasks = planned.get("tasks_hash")
    if part == "ablation" and tasks is not None and (now := graded_hash(str(planned.get("tasks", "")))) != tasks:
        yield f"the graded tasks have the hash {(now or 'none')[:12]}, the plan's {str(tasks)[:12]}"
    if part == "ladder" and tasks is not None:
        query = "SELECT tasks_hash FROM ladders JOIN captures USING (capture) WHERE ladder = $1"
        climbed = [row["tasks_hash"] for row in load.rows(cache, query, result)]
        if climbed and climbed[0] != tasks:
            yield f"its prompts have the hash {climbed[0][:12]}, the plan's {str(tasks)[:12]}"


def _asked(cache: Cache, result: str) -> dict[str, Any]:
    """The request behind a result, as JSON; empty if it was not kept."""
    query = "SELECT request FROM recipes WHERE result = $1 AND request IS NOT NULL"
    kept = [json.loads(row["request"]) for row in load.rows(cache, query, result)]
    found = kept[-1].get("request") if kept and isinstance(kept[-1], dict) else None
    return found if isinstance(found, dict) else {}


def _differences(planned: Row, done: Row, given: set[str]) -> Iterator[str]:
    """The values that differ, except for names that the plan leaves open or the request does not know."""
    for name, before in planned.items():
        if before is None or name not in done:
            continue
        after = done[name]
        if _plain(before) != _plain(after):
            beside = ", given beside the plan" if name in given else ""
            label = name if name.isupper() else name.replace("_", "-")
            yield f"{label} {_shown(after)}, {_shown(before)} in the plan{beside}"


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _shown(value: Any) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    text = " ".join(text.split()) or "none"
    return text if len(text) <= 60 else f"{text[:57]}…"
