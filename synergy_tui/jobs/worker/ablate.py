"""An ablate job: removal orders of a decomposition → divergence curves, sweeps, accuracy, answers and a plan, one shard
per condition."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from synergy_tui.ablation import compression
from synergy_tui.ablation.condition import Condition, answered
from synergy_tui.analysis.sequential import LOOKS
from synergy_tui.capture.generate import generate
from synergy_tui.errors import JobError
from synergy_tui.jobs import parts
from synergy_tui.jobs.folder import JobFolder
from synergy_tui.jobs.parts import Content
from synergy_tui.jobs.rankings import rankings
from synergy_tui.jobs.specs import AblateSpec
from synergy_tui.jobs.specs.ablate import DECIDED
from synergy_tui.jobs.worker import ablate_pairs, ablate_rows
from synergy_tui.jobs.worker.answering import Examination
from synergy_tui.jobs.worker.comparing import Removal, Scored, comparisons
from synergy_tui.jobs.worker.conditions import Bench, Group, drawn
from synergy_tui.jobs.worker.executors.crew import Crew
from synergy_tui.jobs.worker.executors.making import Given, Hearing, Report, Wanted
from synergy_tui.jobs.worker.lab import OWN_ANSWERS, Lab
from synergy_tui.jobs.worker.progress import Progress
from synergy_tui.jobs.worker.record import recipes
from synergy_tui.jobs.worker.subjects import captured_subject
from synergy_tui.store import load
from synergy_tui.store.cache import Cache
from synergy_tui.store.publish import publish_ablation
from synergy_tui.tasks.graded import Task, able
from synergy_tui.terms import PAIRS, RANKINGS, SWEEPS

CHECKED = 6
"""Conditions of a 16-bit run that are measured again in float32; half of them are those of smallest divergence."""

HELD_OUT = 12
"""Most prompts, besides the replayed ones, that a plan is measured on again."""

ANSWERED = 4
"""Most prompts that the ablated subject answers by itself, to read beside the intact answers."""


def gather(cache: Cache, spec: AblateSpec) -> Given:
    """The capture's row, and the tokens of its responses."""
    capture, texts = load.one(cache, "capture", spec.capture), load.replayable(cache, spec.capture)
    kept = ("prompt", "category", "asked", "answered")
    told = {str(number): {name: row[name] for name in kept} for number, row in texts.items()}
    return Given(told={"subject": capture["subject"], "dtype": capture["dtype"], "texts": told})


DOES = ("condition", "again", "grades", "answers", "measure", "planned")
"""The methods of Maker that make parts."""


class Maker:
    """The subject with the intact behaviour that conditions are compared with. The `given` of a part says what to make:
    `do` names one of the methods below."""

    def __init__(self, spec: AblateSpec, given: Given, report: Report) -> None:
        """Raises SubjectError."""
        self.spec, self._given, self._report = spec, given, report
        self._labs: dict[str, Lab] = {}
        self.lab = self._lab(spec.dtype or given.told["dtype"])

    def make(self, wanted: Wanted, hearing: Hearing) -> Content:
        """The part."""
        if wanted.given["do"] not in DOES:
            raise JobError(f"an ablation has no part that does {wanted.given['do']!r}", "start it anew")
        made: Content = getattr(self, wanted.given["do"])(wanted.given, hearing)
        return made

    def condition(self, given: Mapping[str, Any], hearing: Hearing) -> Content:
        """prompt, divergence, top1, surprisal_change without units."""
        return parts.of_tables(self.lab.under(given["units"]).replace_schema_metadata(given["told"]))

    def again(self, given: Mapping[str, Any], hearing: Hearing) -> Content:
        """The same in float32."""
        return parts.of_tables(self._lab("float32").under(given["units"]))

    def grades(self, given: Mapping[str, Any], hearing: Hearing) -> Content:
        """Grades of the answers to the graded tasks, of all or of some."""
        some = [one for one in self.spec.graded if given["tasks"] is None or one.id in given["tasks"]]
        found = self._examination(some).grades(self._without(given["units"]), hearing.check)
        return parts.of_tables(pa.table({"task": [one.id for one in some], "grade": found}))

    def answers(self, given: Mapping[str, Any], hearing: Hearing) -> Content:
        """The answers that the subject writes by itself without units, to some prompts."""
        lab = self.lab
        asked = [lab.texts[prompt]["asked"] for prompt in given["prompts"]]
        steps = max(len(lab.texts[prompt]["answered"]) for prompt in given["prompts"])
        with lab.how.on(lab.units, lab.removed(given["units"])):
            found = generate(lab.subject, asked, steps, lambda _: hearing.check())
        pieces = [[lab.subject.tokenizer.decode([token]) for token in answer.tokens] for answer in found]
        return parts.of_tables(pa.table({"prompt": given["prompts"], "pieces": pieces}))

    def measure(self, given: Mapping[str, Any], hearing: Hearing) -> Content:
        """The mean divergence without units."""
        value = float(np.mean(self.lab.under(given["units"])["divergence"]))
        return parts.of_tables(pa.table({"units": [list(given["units"])], "value": [value]}))

    def planned(self, given: Mapping[str, Any], hearing: Hearing) -> Content:
        """More facts about a plan: its divergence on other prompts, its parameters, and its grades in tasks that the
        intact subject can do. Saves the subject without the units if the user asked for it."""
        lab, units = self.lab, given["units"]
        removed, others = lab.removed(units), given["others"]
        row = dict(given["row"]) | {
            "held_out": lab.elsewhere(units, others) if others else None,
            "parameters_saved": compression.saved(lab.subject, lab.units, removed),
            "parameters": lab.subject.record["parameters"],
        }
        if given["tasks"]:
            some = [one for one in self.spec.graded if one.id in given["tasks"]]
            after = self._examination(some).grades(self._without(units), hearing.check)
            row["accuracy"] = ablate_rows.accuracy(after).value
        if self.spec.save:
            told = row | {"subject": lab.subject.source.name}
            compression.save_without(lab.subject, lab.units, removed, Path(self.spec.save), told)
        return parts.of_json(row)

    def _without(self, units: list[int] | None) -> Any:
        """A context in which units are removed; without units, the intact subject."""
        return None if units is None else self.lab.how.on(self.lab.units, self.lab.removed(units))

    def _examination(self, tasks: list[Task]) -> Examination:
        return self.lab.examination(tasks)

    def _lab(self, dtype: str) -> Lab:
        if dtype not in self._labs:
            subject = captured_subject(self.spec, self._given.told, dtype, self._report)
            texts = {int(number): row for number, row in self._given.told["texts"].items()}
            self._labs[dtype] = Lab(subject, self.spec.replace(dtype=dtype), texts)
        return self._labs[dtype]


def work(job: JobFolder, spec: AblateSpec, progress: Progress, crew: Crew | None = None) -> None:
    """Has every missing condition measured, and publishes."""
    crew = crew or Crew(job, progress)
    cache = Cache.open(job.cache, on_wait=progress.waits)
    capture = load.one(cache, "capture", spec.capture)
    shape = (capture["layers"], capture["units_per_layer"])
    layer_of = load.layers_of_units(cache, spec.capture)
    texts = load.replayable(cache, spec.capture)
    crew.begin(sys.modules[__name__], spec, gather(cache, spec))
    bench = Bench(job, spec, shape, crew, progress)

    upper = 0.75 if _more(spec) else 0.96
    most = 0.1 + (upper - 0.1) * _share(spec, len(layer_of))
    told = f"{len(layer_of)} units in {capture['layers']} layers"
    conditions, tables = _measured(bench, told, (0.1, most))
    more: dict[str, Any] = {}
    if PAIRS in spec.orders:
        measured = list(zip(conditions, tables, strict=True))
        pairs = ablate_pairs.removed(cache, bench, layer_of, measured, (most, upper))
        more |= pairs.found
        conditions += [one for one, _ in pairs.sweep]
        tables += [table for _, table in pairs.sweep]
    asked = answered(spec.conditions)
    if spec.graded:
        if spec.sparing and not ablate_rows.disproportionate(spec, conditions, tables):
            more["unasked"] = True
        else:
            more |= _examined(bench, asked)
    if spec.answers and spec.intervention in OWN_ANSWERS:
        more["ablation_answers"] = _answers(bench, asked)
    if spec.budget:
        more |= _plan(bench, conditions, tables, sorted(texts))
    more["spot_check"] = _spot_check(bench, conditions, tables)
    crew.over()
    progress.stage("publish", share=(0.98, 1.0))
    known = {name: load.unit_scores(cache, spec.decomposition, name, shape, "value").ravel() for name in _SCORES}
    known |= rankings(cache, spec.decomposition, shape, spec.replayed if spec.held_out else ())
    categories = {number: row["category"] for number, row in texts.items()}
    rows = ablate_rows.rows(job.id, spec, conditions, tables, layer_of, shape, known, categories, more)
    rows["ablation_comparisons"] = _compared(cache, job.id, spec, conditions, tables, layer_of, shape, known)
    publish_ablation(cache, job.id, rows | {"recipes": recipes(job.id, spec)})


_SCORES = (*RANKINGS, "sts", "rtr", "tdmi", "autocorrelation", "norm")
"""Scores that are compared with the divergence of single units."""


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
    """Rows of ablation_comparisons with the newest scoring of the capture; no rows without a scoring or without
    removals of single units."""
    scoring = load.newest_scoring(cache, spec.capture)
    alone = np.full((shape[0] * shape[1], len(spec.replayed)), np.nan)
    for one, table in zip(conditions, tables, strict=True):
        if one.order == SWEEPS[0] and one.place is not None:
            alone[one.place] = table["divergence"].to_numpy()
    if scoring is None or not np.isfinite(alone).any():
        return []
    removal = Removal(ablation, spec.ranking, spec.held_out, spec.replayed, alone, known[spec.ranking])
    return comparisons(removal, Scored(scoring, *load.scoring(cache, scoring, len(alone))), layer_of)


def _measured(bench: Bench, told: str, share: tuple[float, float]) -> tuple[list[Condition], list[pa.Table]]:
    """Measured conditions and their tables: all conditions of the spec, or controls only until the verdict is
    decided."""
    spec, (first, last) = bench.spec, share
    found: dict[Condition, pa.Table] = {}

    def measure(some: list[Condition], look: int) -> None:
        begun = len(found) / len(spec.conditions)
        ended = begun + len(some) / len(spec.conditions)
        part = (first + (last - first) * begun, first + (last - first) * ended)
        which = f", look {look + 1} of at most {len(LOOKS)}" if spec.stop == DECIDED else ""
        detail = f"{told}, {len(some)} conditions × {len(spec.replayed)} prompts{which}"
        tables = bench.measured(some, name="ablate", detail=detail, share=part)
        found.update(zip(some, tables, strict=True))

    def wanted(made: list[Condition]) -> set[Group]:
        return ablate_rows.wanted(spec, ablate_rows.courses(spec, list(found.items())))

    conditions = drawn(spec, spec.conditions, measure, wanted)
    return conditions, [found[one] for one in conditions]


def _share(spec: AblateSpec, units: int) -> float:
    """The share of the conditions that are known before pairs have controls."""
    if PAIRS not in spec.orders:
        return 1.0
    alone = 0 if SWEEPS[0] in spec.orders else units
    controls = sum(one.order == PAIRS for one in spec.conditions)
    return len(spec.conditions) / (len(spec.conditions) + controls + alone)


def _more(spec: AblateSpec) -> bool:
    return bool(spec.graded or spec.budget)


def _examined(bench: Bench, conditions: list[Condition]) -> dict[str, Any]:
    """Grades of the answers to the graded tasks: intact on all tasks, ablated on tasks of categories that it can do,
    and under as many controls as the verdict on accuracy needs. The total of the stage counts all controls."""
    spec, tasks = bench.spec, list(bench.spec.graded)
    name = "tasks-intact"
    detail = f"{len(tasks)} tasks"
    wanted = [Wanted(name, given={"do": "grades", "units": None, "tasks": None})]
    stage = {"name": "tasks", "total": 1 + len(conditions), "unit": "conditions", "detail": detail}
    bench.made(wanted, "grade", **stage, share=(0.75, 0.9))
    intact = bench.column(name, "grade")
    can = able(tasks, intact)
    some = [one for one in tasks if one.category in can]
    before = [one for one, task in zip(intact, tasks, strict=True) if task.category in can]
    found: dict[Condition, list[str]] = {}

    def measure(chosen: list[Condition], look: int) -> None:
        names = {f"tasks-{one.shard}": one for one in chosen}
        given = {"do": "grades", "tasks": [one.id for one in some]}
        bench.made([Wanted(name, given=given | {"units": one.units}) for name, one in names.items()], "grade")
        found.update({one: bench.column(name, "grade") for name, one in names.items()})

    def undecided(made: list[Condition]) -> set[Group]:
        return ablate_rows.wanted(spec, ablate_rows.accuracy_courses(spec, list(found.items())))

    chosen = drawn(spec, conditions, measure, undecided) if some else []
    examined = [(one, found[one]) for one in chosen]
    return {"tasks": tasks, "intact": intact, "able": some, "before": before, "examined": examined}


def _answers(bench: Bench, conditions: list[Condition]) -> list[dict[str, Any]]:
    """Answers of the subject without the units of a targeted order, and without those of the first control of each
    kind."""
    chosen = [one for one in conditions if one.seed in (None, bench.spec.seed)]
    prompts = list(bench.spec.replayed[:ANSWERED])
    wanted = [
        Wanted(f"answers-{one.shard}", given={"do": "answers", "units": one.units, "prompts": prompts})
        for one in chosen
    ]
    stage = {"name": "answers", "total": len(chosen), "unit": "conditions", "detail": f"{len(prompts)} prompts"}
    bench.made(wanted, "pieces", **stage, share=(0.9, 0.92))
    return [
        one.key() | row for one, part in zip(chosen, wanted, strict=True) for row in bench.table(part.name).to_pylist()
    ]


def _plan(bench: Bench, conditions: list[Condition], tables: list[pa.Table], prompts: list[int]) -> dict[str, Any]:
    """Finds a plan. prompts: all prompts of the capture, including replayed ones."""
    spec, (layers, per_layer) = bench.spec, bench.shape
    budget = spec.budget or 0.0
    alone = np.full(layers * per_layer, np.nan)
    for condition, table in zip(conditions, tables, strict=True):
        if condition.order == SWEEPS[0]:
            alone[condition.place] = float(np.mean(table["divergence"].to_numpy()))
    bench.progress.stage("plan", spec.most, "sets", f"under {budget:g} nats per token", (0.92, 0.97))

    def measure(units: Sequence[int]) -> float:
        # A set is named by its units in order, so that a resumed job takes the same steps again.
        name, own = f"plan-{len(units)}-{units[-1]}", list(units)
        table = parts.read(bench.job, name)
        if table is not None and table["units"].to_pylist()[0] != own:
            parts.remove(bench.job, name)
        bench.made([Wanted(name, given={"do": "measure", "units": own})], "value")
        return float(bench.table(name)["value"][0].as_py())

    found = compression.plan(alone, budget, measure, spec.most)
    others = [one for one in prompts if one not in spec.replayed][:HELD_OUT]
    row = {
        "budget": spec.budget,
        "removed": len(found.units),
        "divergence": found.divergence[-1],
        "held_out_prompts": len(others),
        "measured": found.measured,
        "accuracy_intact": None,
        "accuracy": None,
        "folder": spec.save,
    }
    ids: list[str] = []
    if spec.graded:
        tasks = list(spec.graded)
        intact = parts.read(bench.job, "tasks-intact")
        grades = intact["grade"].to_pylist() if intact is not None else []
        can = able(tasks, grades)
        ids = [one.id for one in tasks if one.category in can]
        if ids:
            before = [one for one, task in zip(grades, tasks, strict=True) if task.category in can]
            row["accuracy_intact"] = ablate_rows.accuracy(before).value
    given = {"do": "planned", "units": found.units, "others": others, "tasks": ids, "row": row}
    parts.remove(bench.job, PLANNED)  # a part of the same plan may lack the folder
    bench.crew.make([Wanted(PLANNED, 0, given)])
    units = [
        {"place": place, "unit_index": unit, "layer": unit // per_layer, "unit": unit % per_layer}
        | {"divergence": value}
        for place, (unit, value) in enumerate(zip(found.units, found.divergence, strict=True), 1)
    ]
    return {"ablation_plans": [parts.read_json(bench.job, PLANNED)], "ablation_plan_units": units}


PLANNED = "planned"


def _spot_check(bench: Bench, conditions: list[Condition], tables: list[pa.Table]) -> dict[str, Any] | None:
    """For a 16-bit run, measures again in float32 the conditions of smallest divergence, and some spread over the
    rest."""
    if bench.spec.dtype == "float32" or not conditions:
        return None
    means = np.array([np.mean(table["divergence"].to_numpy()) for table in tables])
    order = np.argsort(means)
    spread = np.linspace(0, len(order) - 1, CHECKED - CHECKED // 2).round().astype(int)
    chosen = list(dict.fromkeys([*order[: CHECKED // 2].tolist(), *order[spread].tolist()]))
    names = [f"again-{conditions[number].shard}" for number in chosen]
    wanted = [
        Wanted(name, given={"do": "again", "units": conditions[number].units})
        for name, number in zip(names, chosen, strict=True)
    ]
    stage = {"name": "check", "total": len(chosen), "unit": "conditions", "detail": "again in float32"}
    bench.made(wanted, "divergence", **stage, share=(0.97, 0.98))
    exact = [float(np.mean(bench.table(name)["divergence"].to_numpy())) for name in names]
    off = np.abs(means[chosen] - exact)
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            "conditions": len(chosen),
            "smallest": min(exact),
            "largest difference": float(off.max()),
            "largest share": float((off / np.abs(exact)).max()),
        }
