"""geometry: dimension and alignment of the residual stream, layer by layer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

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
from synergy_tui.jobs.specs.geometry import GeometryRequest


@click.command()
@request_options(GeometryRequest)
@job_options
@options(run=True)
def geometry(
    run: str | None, latest: bool, detach: bool, yes: bool, cache: Path | None, as_json: bool, **chosen: Any
) -> None:
    """Intrinsic dimension and alignment of the residual stream behind every layer, on the responses of RUN.

    \b
    Example:  synergy-tui geometry --latest
    """
    from synergy_tui.jobs import plan
    from synergy_tui.store import cards, load

    opened = open_cache(cache)
    chosen["capture"] = load.find(opened, "capture", run, latest)
    jobs = start_plans(
        cache, [plan.geometry(opened, settings_in_force(cache).data, made(GeometryRequest, chosen))], yes
    )
    if detach:
        return print_jobs(jobs, as_json)
    follow_jobs(jobs)
    found = cards.geometry(opened, jobs[0].id)
    if as_json:
        return print_json(found)
    print_table([{name: one[name] for name in SHOWN} for one in found["layers_found"]])
    told = f"{found['tokens']:,} states of {found['prompts']} prompts; neighbours only from other prompts"
    click.echo(f"\ndimension: {told}; alignment: linear CKA of {found['pairs']} pairs of one structure, in other words")
    print_table(
        [{name: one[name] for name in ("of", "side", "value", "low", "high", "p")} for one in found["contrasts"]]
    )
    for note in dict.fromkeys(one["note"] for one in found["layers_found"] if one["note"]):
        say(note)
    print_next(opened, [f"synergy-tui claims {found['capture']} --parts geometry"])


SHOWN = (
    "layer",
    "dimension",
    "low",
    "high",
    "scale",
    "twonn",
    "alignment",
    "alignment_low",
    "alignment_high",
    "alignment_p",
)
