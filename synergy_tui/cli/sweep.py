"""sweep: the cells of a plan as one job."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from synergy_tui.cli.common import (
    ask_before,
    open_cache,
    options,
    print_json,
    print_table,
    say,
    settings_in_force,
    writable,
)
from synergy_tui.cli.fields import made, request_options
from synergy_tui.cli.starting import WORTH_ASKING, follow_jobs, job_options
from synergy_tui.errors import SynergyError
from synergy_tui.jobs.specs.sweep import SweepRequest

if TYPE_CHECKING:
    from synergy_tui.jobs.folder import JobFolder
    from synergy_tui.jobs.plan import Sweep

SPARE = ("tasks", "seed", "card", "capture")
"""Columns that are left out first when there is no room for all."""


@click.command()
@click.argument("plan")
@click.option("--dry-run", is_flag=True, help="List the cells, what each will take and what is there; start nothing.")
@request_options(SweepRequest)
@job_options
@options()
def sweep(plan: str, dry_run: bool, detach: bool, yes: bool, cache: Path | None, as_json: bool, **chosen: Any) -> None:
    """Measure subjects x task sets x methods x seeds, which the file PLAN lists, as one job that can be resumed.

    PLAN is TOML: subjects, tasks, seeds, any option of capture, methods as tables of options of decompose in which
    lists multiply, claims = true or a table of its options, at_once. Results that are in the cache are not made again.

    \b
    Example:  synergy-tui sweep plan.toml --dry-run
    A plan:   subjects = ["zoo:induction", "zoo:addition"]
              prompts = 24
              steps = 60
              seeds = [0, 1]
              claims = false
              [[methods]]
              lag = [1, 2]
              redundancy = ["mmi", "ccs"]
    """
    from synergy_tui.jobs import cells, chain
    from synergy_tui.jobs import plan as planning
    from synergy_tui.subject import trust

    request = made(SweepRequest, chosen | {"plan": plan})
    opened = open_cache(cache) if dry_run else writable(cache)
    found = planning.sweep(opened, settings_in_force(cache).data, request)
    _announce(found)
    if dry_run:
        rows = _planned(found, as_json)
        return print_json(rows) if as_json else print_table(rows, spare=SPARE)
    if not yes:
        ask_before(found.plan.cost.seconds or 0, WORTH_ASKING)
    for one in found.plan.spec.captures:
        trust.remember(one.source)
    links = [planning.Link("sweep", found.plan)]
    (job,) = chain.started(opened, links, chain.start(opened, links, join=True))
    if detach:
        if as_json:
            return print_json({"job": job.id})
        click.echo(job.id)
        return say(f"Follow it: synergy-tui jobs watch {job.id}")
    wrong: SynergyError | None = None
    try:
        follow_jobs([job])
    except SynergyError as error:
        wrong = error
    rows = cells.rows(job, found.plan.spec, job.status()["state"])
    if as_json:
        print_json({"sweep": job.id, "cells": rows})
    else:
        print_cells(rows)
    if wrong is not None:
        raise wrong
    if not as_json:
        _next(opened, job, rows)


def print_cells(rows: list[dict[str, Any]]) -> None:
    """Prints the cells of a sweep with their states."""
    if not any(one["error"] for one in rows):
        rows = [{name: value for name, value in one.items() if name != "error"} for one in rows]
    print_table(rows, spare=SPARE)


def _announce(found: Sweep) -> None:
    cells, captures = len(found.plan.spec.cells), len(found.plan.spec.captures)
    counted = f"{_count(cells, 'cell')} of {_count(captures, 'capture')}"
    say(f" sweep     {counted}; the maps of {found.there} are there")
    if found.there < cells:
        say(f" {'':<9} will take {found.plan.cost}")
    if any(one.claims for one in found.plan.spec.cells):
        say(f" {'':<9} and a claims card of each: synergy-tui claims RUN says what that takes once the run is there")
    for note in found.notes:
        say(f" {'':<9} {note}")


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


def _planned(found: Sweep, as_json: bool) -> list[dict[str, Any]]:
    rows = []
    for cell, (captured, mapped), price in zip(found.plan.spec.cells, found.links, found.costs(), strict=True):
        row = found.plan.spec.told(cell) | {"capture": captured.found, "map": mapped.found}
        if as_json:
            row |= {"seconds": price and price.seconds, "disk": price and price.disk}
        else:
            row |= {"takes": "is there" if price is None else price.brief or "unknown"}
        rows.append(row)
    return rows


def _next(opened: Any, job: JobFolder, rows: list[dict[str, Any]]) -> None:
    from synergy_tui.cli.common import print_next

    maps = [one["map"] for one in rows]
    print_next(
        opened,
        [
            f"synergy-tui jobs show {job.id}",
            f"synergy-tui show {maps[0]}",
            *([f"synergy-tui compare {maps[0]} {maps[1]}"] if len(maps) > 1 else []),
        ],
    )
