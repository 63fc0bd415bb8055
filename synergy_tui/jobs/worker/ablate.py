"""An ablate job: removal orders of a decomposition → divergence curves, sweeps, accuracy, answers and a plan, one shard
per condition."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from synergy_tui.ablation import compression
from synergy_tui.ablation.condition import Condition, answered
from synergy_tui.capture.generate import generate
from synergy_tui.jobs import parts
from synergy_tui.jobs.folder import JobFolder
from synergy_tui.jobs.rankings import rankings
from synergy_tui.jobs.specs import AblateSpec
from synergy_tui.jobs.worker import ablate_pairs, ablate_rows
from synergy_tui.jobs.worker.answering import Examination
from synergy_tui.jobs.worker.comparing import Removal, Scored, comparisons
from synergy_tui.jobs.worker.lab import Lab
from synergy_tui.jobs.worker.progress import Progress
from synergy_tui.jobs.worker.record import recipes
from synergy_tui.jobs.worker.subjects import captured_subject
from synergy_tui.store import load
from synergy_tui.store.cache import Cache
from synergy_tui.store.publish import publish_ablation
from synergy_tui.tasks.graded import Task, able
from synergy_tui.terms import PAIRS, RANKINGS, SWEEPS

CHECKED = 6
"""Conditions of a 16-bit run that are measured again in float32, half of them the smallest."""

HELD_OUT = 12
"""Most prompts beside the replayed ones on which a plan is measured once more."""

ANSWERED = 4
"""Most prompts that the ablated subject answers by itself, to be read beside the intact answers."""


def work(job: JobFolder, spec: AblateSpec, progress: Progress) -> None:
    """Measures every condition that is missing, publishes."""
    cache = Cache.open(job.cache, on_wait=progress.waits)
    capture = load.one(cache, "capture", spec.capture)
    shape = (capture["layers"], capture["units_per_layer"])
    layer_of = load.layers_of_units(cache, spec.capture)
    conditions = list(spec.conditions)
    subject = captured_subject(spec, capture, spec.dtype or capture["dtype"], progress)
    progress.detail(f"{subject.source.name}  {len(layer_of)} units in {subject.layers} layers")
    texts = load.replayable(cache, spec.capture)

    detail = f"{len(conditions)} conditions × {len(spec.replayed)} prompts"
    upper = 0.75 if _more(spec) else 0.96
    most = 0.1 + (upper - 0.1) * _share(spec, len(layer_of))
    progress.stage("ablate", len(conditions), "conditions", detail, (0.1, most))
    lab = Lab(subject, spec, texts)
    tables = [lab.measured(job, condition, progress) for condition in conditions]
    more: dict[str, Any] = {}
    if PAIRS in spec.orders:
        measured = list(zip(conditions, tables, strict=True))
        pairs = ablate_pairs.removed(job, cache, lab, layer_of, measured, progress, (most, upper))
        more |= pairs.found
        conditions += [one for one, _ in pairs.sweep]
        tables += [table for _, table in pairs.sweep]
    asked = answered(conditions)
    if spec.graded:
        if spec.sparing and not ablate_rows.disproportionate(spec, conditions, tables):
            more["unasked"] = True
        else:
            more |= _examined(job, lab, asked, progress)
    if spec.answers and lab.how.own_answers:
        more["ablation_answers"] = _answers(job, lab, asked, progress)
    if spec.budget:
        more |= _plan(job, lab, conditions, tables, progress)
    more["spot_check"] = _spot_check(spec, capture, conditions, tables, texts, progress)
    progress.stage("publish", share=(0.98, 1.0))
    known = {name: load.unit_scores(cache, spec.decomposition, name, shape, "value").ravel() for name in _SCORES}
    known |= rankings(cache, spec.decomposition, shape, spec.replayed if spec.held_out else ())
    categories = {number: row["category"] for number, row in texts.items()}
    rows = ablate_rows.rows(job.id, spec, conditions, tables, layer_of, shape, known, categories, more)
    rows["ablation_comparisons"] = _compared(cache, job.id, spec, conditions, tables, layer_of, shape, known)
    publish_ablation(cache, job.id, rows | {"recipes": recipes(job.id, spec)})


_SCORES = (*RANKINGS, "sts", "rtr", "tdmi", "autocorrelation", "norm")
"""What is held against the divergence of single units."""


def _compared(
    cache: Cache,
    ablation: str,
    spec: AblateSpec,
    conditions: list[Condition],
    tables: list[pa.Table],
    layer_of: dict[int, int],
    shape: tuple[int, int],
    known: dict[str, np.ndarray],
) -> list[dict[str, Any]]:
    """Rows of ablation_comparisons with the newest scoring of the capture; none where it has none, or where no single
    units were removed."""
    scoring = load.newest_scoring(cache, spec.capture)
    alone = np.full((shape[0] * shape[1], len(spec.replayed)), np.nan)
    for one, table in zip(conditions, tables, strict=True):
        if one.order == SWEEPS[0] and one.place is not None:
            alone[one.place] = table["divergence"].to_numpy()
    if scoring is None or not np.isfinite(alone).any():
        return []
    removal = Removal(ablation, spec.ranking, spec.held_out, spec.replayed, alone, known[spec.ranking])
    return comparisons(removal, Scored(scoring, *load.scoring(cache, scoring, len(alone))), layer_of)


def _share(spec: AblateSpec, units: int) -> float:
    """Of the conditions, those that are known before pairs have controls."""
    if PAIRS not in spec.orders:
        return 1.0
    alone = 0 if SWEEPS[0] in spec.orders else units
    controls = sum(one.order == PAIRS for one in spec.conditions)
    return len(spec.conditions) / (len(spec.conditions) + controls + alone)


def _more(spec: AblateSpec) -> bool:
    return bool(spec.graded or spec.budget)


def _examined(job: JobFolder, lab: Lab, conditions: list[Condition], progress: Progress) -> dict[str, Any]:
    """Grades of the answers to the graded tasks: intact on all of them, ablated on those of categories it can do."""
    tasks = list(lab.spec.graded)
    progress.stage("tasks", 1 + len(conditions), "conditions", f"{len(tasks)} tasks", (0.75, 0.9))

    def grades(name: str, within: Any, some: list[Task]) -> list[str]:
        table = parts.read(job, f"tasks-{name}")
        if table is None or "grade" not in table.column_names:  # as earlier versions wrote it
            found = _examination(lab, some).grades(within, progress.check)
            table = pa.table({"task": [one.id for one in some], "grade": found})
            parts.write(job, f"tasks-{name}", table)
            progress.advance()
        else:
            progress.skip(1)
        return table["grade"].to_pylist()

    intact = grades("intact", None, tasks)
    can = able(tasks, intact)
    some = [one for one in tasks if one.category in can]
    before = [one for one, task in zip(intact, tasks, strict=True) if task.category in can]
    found = [
        (one, grades(one.shard, lab.how.on(lab.units, lab.removed(one.units)), some)) for one in conditions if some
    ]
    return {"tasks": tasks, "intact": intact, "able": some, "before": before, "examined": found}


def _examination(lab: Lab, tasks: list[Task]) -> Examination:
    return Examination(lab.subject, tasks, lab.chat, lab.spec.batch * 3, lab.spec.answer_steps)


def _answers(job: JobFolder, lab: Lab, conditions: list[Condition], progress: Progress) -> list[dict[str, Any]]:
    """What the subject writes by itself without the units of a targeted order and of the first control of each kind."""
    seed, out = lab.spec.seed, []
    chosen = [one for one in conditions if one.seed in (None, seed)]
    prompts = lab.spec.replayed[:ANSWERED]
    progress.stage("answers", len(chosen), "conditions", f"{len(prompts)} prompts", (0.9, 0.92))
    for one in chosen:
        table = parts.read(job, f"answers-{one.shard}")
        if table is None:
            asked = [lab.texts[prompt]["asked"] for prompt in prompts]
            steps = max(len(lab.texts[prompt]["answered"]) for prompt in prompts)
            with lab.how.on(lab.units, lab.removed(one.units)):
                found = generate(lab.subject, asked, steps, lambda _: progress.check())
            pieces = [[lab.subject.tokenizer.decode([token]) for token in answer.tokens] for answer in found]
            table = pa.table({"prompt": prompts, "pieces": pieces})
            parts.write(job, f"answers-{one.shard}", table)
            progress.advance()
        else:
            progress.skip(1)
        out += [one.key() | row for row in table.to_pylist()]
    return out


def _plan(
    job: JobFolder, lab: Lab, conditions: list[Condition], tables: list[pa.Table], progress: Progress
) -> dict[str, Any]:
    spec, subject = lab.spec, lab.subject
    alone = np.full(lab.units.layers * lab.units.per_layer, np.nan)
    for condition, table in zip(conditions, tables, strict=True):
        if condition.order == SWEEPS[0]:
            alone[condition.place] = float(np.mean(table["divergence"].to_numpy()))
    progress.stage("plan", spec.most, "sets", f"under {spec.budget:g} nats per token", (0.92, 0.97))

    def measure(units: Any) -> float:
        # A set's name is its units in their order: a resumed job takes the same steps again.
        name = f"plan-{len(units)}-{units[-1]}"
        table = parts.read(job, name)
        if table is None or table["units"].to_pylist()[0] != list(units):
            table = pa.table({"units": [list(units)], "value": [float(np.mean(lab.under(units)["divergence"]))]})
            parts.write(job, name, table)
            progress.advance()
        else:
            progress.skip(1)
        return float(table["value"][0].as_py())

    found = compression.plan(alone, spec.budget or 0.0, measure, spec.most)
    removed = lab.removed(found.units)
    others = [one for one in lab.texts if one not in spec.replayed][:HELD_OUT]
    row = {
        "budget": spec.budget,
        "removed": len(found.units),
        "divergence": found.divergence[-1],
        "held_out": lab.elsewhere(found.units, others) if others else None,
        "held_out_prompts": len(others),
        "parameters_saved": compression.saved(subject, lab.units, removed),
        "parameters": subject.record["parameters"],
        "measured": found.measured,
        "accuracy_intact": None,
        "accuracy": None,
        "folder": spec.save,
    }
    if spec.graded:
        tasks = list(spec.graded)
        intact = parts.read(job, "tasks-intact")
        grades = intact["grade"].to_pylist() if intact is not None else []
        can = able(tasks, grades)
        some = [one for one in tasks if one.category in can]
        if some:
            within = lab.how.on(lab.units, removed)
            after = _examination(lab, some).grades(within, progress.check)
            before = [one for one, task in zip(grades, tasks, strict=True) if task.category in can]
            row |= {
                name: ablate_rows.accuracy(one).value
                for name, one in (("accuracy_intact", before), ("accuracy", after))
            }
    if spec.save:
        compression.save_without(subject, lab.units, removed, Path(spec.save), row | {"subject": subject.source.name})
    units = [
        {"place": place, "unit_index": unit, "layer": unit // lab.units.per_layer, "unit": unit % lab.units.per_layer}
        | {"divergence": value}
        for place, (unit, value) in enumerate(zip(found.units, found.divergence, strict=True), 1)
    ]
    return {"ablation_plans": [row], "ablation_plan_units": units}


def _spot_check(
    spec: AblateSpec,
    capture: dict[str, Any],
    conditions: list[Condition],
    tables: list[pa.Table],
    texts: dict[int, dict[str, Any]],
    progress: Progress,
) -> dict[str, Any] | None:
    """Of a 16-bit run: the conditions of smallest divergence, and some spread over the rest, in float32."""
    if spec.dtype == "float32" or not conditions:
        return None
    means = np.array([np.mean(table["divergence"].to_numpy()) for table in tables])
    order = np.argsort(means)
    spread = np.linspace(0, len(order) - 1, CHECKED - CHECKED // 2).round().astype(int)
    chosen = list(dict.fromkeys([*order[: CHECKED // 2].tolist(), *order[spread].tolist()]))
    subject = captured_subject(spec, capture, "float32", progress)
    progress.stage("check", len(chosen), "conditions", "again in float32", (0.97, 0.98))
    lab = Lab(subject, spec.replace(dtype="float32"), texts)
    exact = []
    for number in chosen:
        exact.append(float(np.mean(lab.under(conditions[number].units)["divergence"].to_numpy())))
        progress.advance()
    off = np.abs(means[chosen] - exact)
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            "conditions": len(chosen),
            "smallest": min(exact),
            "largest difference": float(off.max()),
            "largest share": float((off / np.abs(exact)).max()),
        }
