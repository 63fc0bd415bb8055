"""scores: scores of the heads of a capture other than their synergy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from synergy_tui.cli.common import (
    open_cache,
    options,
    print_jobs,
    print_json,
    print_next,
    print_table,
    say,
    settings_in_force,
)
from synergy_tui.cli.fields import made, request_options
from synergy_tui.cli.starting import follow_jobs, job_options, start_plans
from synergy_tui.jobs.specs.scores import ScoresRequest

if TYPE_CHECKING:
    from synergy_tui.store.cache import Cache

SHOWN = 5
"""Units that are named for each score."""


@click.command()
@request_options(ScoresRequest)
@job_options
@options(run=True)
def scores(
    run: str | None, latest: bool, detach: bool, yes: bool, cache: Path | None, as_json: bool, **chosen: Any
) -> None:
    """Score the heads of RUN by their attention and by gradients, and say whether synergy predicts removal better.

    \b
    Example:  synergy-tui scores --latest --prompts 8
    """
    from synergy_tui.drawing import predicting
    from synergy_tui.jobs import plan
    from synergy_tui.store import load

    opened = open_cache(cache)
    chosen["capture"] = load.find(opened, "capture", run, latest)
    asked = plan.scores(opened, settings_in_force(cache).data, made(ScoresRequest, chosen))
    jobs = start_plans(cache, [asked], yes)
    if detach:
        return print_jobs(jobs, as_json)
    follow_jobs(jobs)
    found = load.scores_of(opened, jobs[0].id)
    if as_json:
        return print_json(found)
    print_table(_highest(found["scores"]))
    for name, reason in found["reasons"].items():
        say(f"{name}: {reason}")
    for comparison in found["comparisons"].values():
        click.echo("\n" + "\n".join(predicting.sentences(comparison)))
    print_next(opened, _next(opened, found))


def _highest(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """By score: the median over units, and the units in which it is highest."""
    from statistics import median

    by_score: dict[str, list[dict[str, Any]]] = {}
    for one in rows:
        by_score.setdefault(one["score"], []).append(one)
    out = []
    for name, every in by_score.items():
        some = sorted((one for one in every if one["value"] is not None), key=lambda one: -abs(one["value"]))
        first = " · ".join(f"{one['layer']}.{one['unit']} {one['value']:.3g}" for one in some[:SHOWN])
        middle = median(one["value"] for one in some) if some else None
        out.append({"score": name, "median": middle, "units with the most": first})
    return out


def _next(cache: Cache, found: dict[str, Any]) -> list[str]:
    columns = "layer, unit, rank, attribution, retrieval"
    lines = [
        f"synergy-tui sql \"SELECT {columns} FROM heads WHERE capture = '{found['capture']}' ORDER BY attribution\"",
    ]
    if not found["comparisons"]:
        few = min(8, found["prompts"])
        lines.insert(0, f"synergy-tui ablate {found['capture']} --orders single-units --prompts {few}")
    return lines
