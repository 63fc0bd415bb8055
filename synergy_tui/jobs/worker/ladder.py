"""A ladder job: a capture of graded prompts on levels → a map of each level, order parameters, grades and the verdict.
The maps are separate decompositions; their finished parts are in the job's shards."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from synergy_tui.analysis.nulls import contrasts_of_draws
from synergy_tui.analysis.order import LevelAtoms, OrderValues, order_parameters
from synergy_tui.errors import MeasureError
from synergy_tui.jobs.folder import JobFolder
from synergy_tui.jobs.specs import DecomposeSpec, LadderSpec, Method
from synergy_tui.jobs.specs.decompose import FEWEST_PROMPTS
from synergy_tui.jobs.worker import decompose, ladder_rows
from synergy_tui.jobs.worker.decompose import Measured
from synergy_tui.jobs.worker.executors.crew import Crew
from synergy_tui.jobs.worker.executors.making import Within
from synergy_tui.jobs.worker.progress import Progress
from synergy_tui.jobs.worker.record import recipes
from synergy_tui.store import load
from synergy_tui.store.cache import Cache
from synergy_tui.store.publish import publish_decomposition, publish_ladder
from synergy_tui.tasks.verifiers import grade
from synergy_tui.terms import NULLS, ORDER_PARAMETERS, STS

REACHED = 0.9
"""Share of every level's valid responses that reach the common length."""


class Part(Within):
    """One level of the job: shards of its own, and the id of its map."""

    name: str
    level: int

    def __init__(self, job: JobFolder, level: int) -> None:
        super().__init__(job, f"level-{level + 1:02d}")
        object.__setattr__(self, "level", level)
        # Ids of maps begin otherwise than the ladder's id, so that a prefix means one thing.
        object.__setattr__(self, "name", f"d{job.id[1:]}{level + 1:02d}")
        self.shards.mkdir(parents=True, exist_ok=True)

    @property
    def id(self) -> str:
        return self.name


class Quiet(Progress):
    """The stages of one level are not stages of the job; only the request to stop is heard."""

    def __init__(self, whole: Progress) -> None:
        self.job = whole.job

    def stage(
        self, name: str, total: float = 0, unit: str = "", detail: str = "", share: tuple[float, float] = (0, 0)
    ) -> None:
        self.check()

    def advance(self, parts: float = 1) -> None:
        self.check()

    def skip(self, parts: float) -> None:
        self.check()


def work(job: JobFolder, spec: LadderSpec, progress: Progress, crew: Crew | None = None) -> None:
    """Grades, cuts to the common length, has missing levels decomposed, judges, publishes."""
    crew = crew or Crew(job, progress)
    cache = Cache.open(job.cache, on_wait=progress.waits)
    capture = load.one(cache, "capture", spec.capture)
    responses = load.rows(
        cache,
        """SELECT r.prompt, r.steps, r.text, r.ended, p.text AS asked FROM responses r JOIN prompts p
        USING (capture, prompt) WHERE capture = $1 ORDER BY prompt""",
        spec.capture,
    )
    if len(responses) != len(spec.items):
        raise MeasureError(
            f"capture {spec.capture} has {len(responses)} responses, the ladder {len(spec.items)} prompts",
            "start the ladder anew with --fresh",
        )
    levels = np.array([one.level for one in spec.items])
    steps = np.array([one["steps"] for one in responses])
    progress.stage("grade", len(responses), "answers", share=(0.0, 0.05))
    grades = []
    for item, row in zip(spec.items, responses, strict=True):
        asked = {"ended": row["ended"], "asked": row["asked"]}
        grades.append(grade(item.verifier, row["text"], item.answer, item.entry, **asked))
        progress.advance()
    length, notes = common_length(levels, steps, spec.level_names, spec.min_steps)
    used = (steps >= length) & ~np.isin(levels, list(notes))

    told = f"{len(spec.level_names)} levels, responses cut to {length} steps"
    progress.stage("decompose", len(spec.level_names), "levels", told, (0.05, 0.9))
    maps: dict[int, Measured] = {}
    atoms: dict[int, LevelAtoms] = {}
    drawn: dict[int, np.ndarray] = {}
    for level in range(len(spec.level_names)):
        if level not in notes:
            try:
                found = _level(
                    Part(job, level), cache, spec, capture, np.flatnonzero(used & (levels == level)), length, crew
                )
            except MeasureError as error:
                notes[level] = str(error.what)
            else:
                maps[level], atoms[level] = found, _atoms(found)
                if found.against is not None:
                    (own,) = found.against.draws.values()
                    drawn[level] = contrasts_of_draws(own, capture["layers"])[spec.ranking]
        progress.advance()
    crew.over()
    if len(maps) < 2:
        why = "; ".join(f"level {spec.level_names[level]}: {note}" for level, note in notes.items())
        raise MeasureError(f"fewer than two levels can be compared ({why})", "ask for longer answers, or --min-steps")
    used &= ~np.isin(levels, list(notes))

    progress.stage("judge", len(ORDER_PARAMETERS), "order parameters", share=(0.9, 0.97))
    order = order_parameters(list(atoms.values()), capture["layers"], spec.ranking)
    facts = ladder_rows.Facts(
        job.id,
        spec,
        capture,
        levels,
        steps,
        used,
        length,
        grades,
        {level: Part(job, level).id for level in maps},
        notes,
        drawn,
    )
    rows = ladder_rows.rows(facts, _on_all(order, list(atoms), len(spec.level_names)), progress)

    progress.stage("publish", share=(0.97, 1.0))
    for level, found in maps.items():
        publish_decomposition(cache, Part(job, level).id, found.rows, found.pairs())
    publish_ladder(cache, job.id, rows | {"recipes": recipes(job.id, spec)})


def common_length(
    levels: np.ndarray, steps: np.ndarray, names: Sequence[str], min_steps: int
) -> tuple[int, dict[int, str]]:
    """(the length all responses are cut to, why levels have no value): the longest that nine in ten of the valid
    responses of every level reach. Levels with fewer than FEWEST_PROMPTS valid responses are left out. Raises
    MeasureError when fewer than two are left."""
    valid = steps >= min_steps
    notes, reached = {}, []
    for level in range(len(names)):
        own = np.sort(steps[valid & (levels == level)])
        if len(own) < FEWEST_PROMPTS:
            asked = int((levels == level).sum())
            notes[level] = f"{len(own)} of {asked} responses have {min_steps} steps, {FEWEST_PROMPTS} are needed"
        else:
            reached.append(int(own[int(np.floor((1 - REACHED) * len(own)))]))
    if len(reached) < 2:
        why = "; ".join(f"level {names[level]}: {note}" for level, note in notes.items())
        raise MeasureError(
            f"fewer than two levels have responses long enough ({why})", "ask for longer answers, or lower --min-steps"
        )
    return min(reached), notes


def _level(
    part: Part,
    cache: Cache,
    spec: LadderSpec,
    capture: dict[str, Any],
    prompts: np.ndarray,
    length: int,
    crew: Crew,
) -> Measured:
    """One level's decomposition with its surrogates. Responses of equal length form a single block of the null."""
    series = load.series(cache, spec.capture, prompts.tolist())[:, :, :length]
    of_map = DecomposeSpec(
        capture=spec.capture,
        method=Method(preprocess=f"cut={length}"),
        nulls=NULLS[:1] if spec.surrogates else (),
        surrogates=spec.surrogates,
        only=tuple(prompts.tolist()),
        seed=spec.seed,
        device=spec.device,
        ladder=spec.remake(),
    )
    of_level = capture | {"prompts": len(prompts)}
    steps = np.full(len(prompts), length)
    given = decompose.of_series(cache, of_level, series, steps, prompts, [""] * len(prompts))
    quiet = Quiet(crew.progress)
    return decompose.measured(part, of_map, given, quiet, crew.within(part, quiet))


def _atoms(found: Measured) -> LevelAtoms:
    atoms = found.atoms
    surrogate = None if found.against is None else atoms.unit[:, STS] - found.against.first.excess
    norm = np.asarray(found.series, np.float64).mean(axis=2)
    return LevelAtoms(atoms.unit_prompt, atoms.unit_prompt_offset, atoms.unit_balance, surrogate, norm)


def _on_all(order: OrderValues, places: list[int], count: int) -> OrderValues:
    """The values, with an empty place for every level without values."""
    values = {name: [np.empty(0)] * count for name in order.values}
    for name, some in order.values.items():
        for place, one in zip(places, some, strict=True):
            values[name][place] = one
    reasons = {(name, places[place]): why for (name, place), why in order.reasons.items()}
    return dataclasses.replace(order, values=values, reasons=reasons)
