"""A capture → the spec of a scoring of its units."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from synergy_tui.jobs import cost
from synergy_tui.jobs.devices import choose, cores
from synergy_tui.jobs.plan.base import Plan
from synergy_tui.jobs.plan.subjects import enough, evenly, replayable, source_of, subject_of
from synergy_tui.jobs.specs.scores import ScoresRequest, ScoresSpec
from synergy_tui.store import load
from synergy_tui.store.cache import Cache


def scores(cache: Cache, data: Path, request: ScoresRequest) -> Plan[ScoresSpec]:
    """Scores of a capture's units, replayed on its responses. `data`: folder of the built-in subjects. Raises
    UsageError for an imported capture, and for more prompts than it has."""
    device = choose(request.device)
    row = load.one(cache, "capture", request.capture)
    subject = subject_of(cache, row, "replay")
    texts = replayable(cache, request.capture)
    enough(request.capture, texts, request.prompts or 0)
    chosen = evenly(texts, request.prompts or len(texts))
    units = load.layers_of_units(cache, request.capture)
    settled: dict[str, Any] = {name: getattr(request, name) for name in request.__struct_fields__}
    settled |= {"device": device, "dtype": request.dtype or row["dtype"]}
    spec = ScoresSpec(
        **settled,
        source=source_of(subject, request.allow_pickle, request.allow_remote_code),
        data=str(data),
        kinds=tuple(row["kind"].split(",")),
        replayed=tuple(sorted(one["prompt"] for one in chosen)),
    )
    price = cost.scores(subject, sum(one["tokens"] for one in chosen), len(units), len(chosen), device, cores())
    return Plan(spec, price, len(units))
