"""A subject and a ladder → the chain that measures difficulty: a capture of all levels, then the ladder's own job.
Parts of equal hash that are finished are not made again."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synergy_tui.errors import UsageError
from synergy_tui.jobs import cost
from synergy_tui.jobs.devices import choose, cores
from synergy_tui.jobs.plan.base import Plan
from synergy_tui.jobs.plan.captures import capture, whole_path
from synergy_tui.jobs.plan.links import Link, finished
from synergy_tui.jobs.specs.capture import CaptureRequest
from synergy_tui.jobs.specs.decompose import FEWEST_PROMPTS
from synergy_tui.jobs.specs.ladder import LADDER, Graded, LadderRequest, LadderSpec
from synergy_tui.store.cache import Cache
from synergy_tui.tasks import ladders
from synergy_tui.tasks.ladders import Ladder
from synergy_tui.zoo.shipped import ZOO


@dataclass(frozen=True)
class Climb:
    """links: a capture, and the ladder's own job. finished: the ladder of equal hash that is there already."""

    links: list[Link]
    finished: str | None = None

    @property
    def plans(self) -> list[Plan[Any]]:
        """The jobs still to be done."""
        return [one.plan for one in self.links if one.found is None]


def difficulty(cache: Cache | None, data: Path, request: LadderRequest) -> Climb:
    """Plans how an order parameter of a subject is measured over a ladder; without a cache no part counts as finished.
    Raises UsageError, TaskError or SubjectError."""
    if request.ladder == LADDER and request.subject.startswith(ZOO):
        request = request.replace(ladder=request.subject)
    columns = {name: getattr(request, name) for name in ("level_column", "answer_column", "text_column")}
    whole = ladders.load(
        request.ladder,
        **columns,
        verifier=request.verifier,
        prompts=request.prompts,
        seed=request.seed,
        order=request.level_order,
    )
    chosen = ladders.select(whole, request.level_count, request.prompts, request.seed)
    _enough(chosen)
    shared = {name for name in CaptureRequest.__struct_fields__ if name in request.__struct_fields__} - {"prompts"}
    asked = CaptureRequest(**{name: getattr(request, name) for name in shared})
    captured = capture(data, asked, tasks=chosen.as_tasks())
    settled: dict[str, Any] = {name: getattr(request, name) for name in request.__struct_fields__} | {
        name: getattr(captured.spec, name) for name in ("subject", "revision", "adapter", "dtype", "batch")
    }
    settled |= {"ladder": whole_path(request.ladder) if request.ladder not in ladders.SHIPPED else request.ladder}
    settled |= {"device": choose(None if request.device == "cuda:all" else request.device), "fresh": True}
    spec = LadderSpec(
        **settled,
        captured=captured.spec.hash,
        name=chosen.name,
        level_names=tuple(chosen.levels),
        items=tuple(Graded(one.level, one.answer, one.verifier, one.entry) for one in chosen.prompts),
    )
    captured = dataclasses.replace(captured, spec=captured.spec.replace(ladder=spec.command()))
    counts = [len(chosen.on(level)) for level in range(len(chosen.levels))]
    price = cost.ladder(captured.units, counts, request.surrogates, spec.device, cores())
    plan = Plan(spec, price, captured.units)
    links = [Link("ladder", captured), Link("ladder", plan, of=0)]
    if cache is not None and not request.fresh:
        links = finished(cache, links)
    return Climb(links, links[-1].found)


def _enough(ladder: Ladder) -> None:
    for level, name in enumerate(ladder.levels):
        if len(ladder.on(level)) < FEWEST_PROMPTS:
            raise UsageError(
                f"level {name} of {ladder.name} has {len(ladder.on(level))} prompts; a spread needs {FEWEST_PROMPTS}",
                "give it more, or join it with its neighbour",
            )
