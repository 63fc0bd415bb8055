"""renew: a result of an earlier version of the method, brought up to date from its capture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from synergy_tui import terms
from synergy_tui.cli.common import open_cache, options, print_jobs, print_json, print_next, print_run, say, writable
from synergy_tui.cli.starting import follow_jobs, start_plans
from synergy_tui.errors import UsageError


@click.command()
@click.option("--all", "every", is_flag=True, help="Every run of the cache that was made by an earlier method.")
@click.option("--yes", is_flag=True, help="Do not ask before a long job.")
@click.option("--detach", is_flag=True, help="Return at once with the id; the job goes on.")
@click.option("--device", show_default="a GPU if there is one", help="cpu, cuda, cuda:N.")
@options(run=True)
def renew(
    run: str | None,
    latest: bool,
    every: bool,
    detach: bool,
    yes: bool,
    cache: Path | None,
    as_json: bool,
    device: str | None,
) -> None:
    """Bring RUN up to date with the method of this version: its capture is decomposed anew, by the same estimator and
    with as many surrogates, and nothing is captured again. The earlier result keeps its numbers. A run that lacks a
    newer ranking gets it in the same way.

    `synergy-tui claims` makes a claims card anew: it takes what is up to date and makes the rest.

    \b
    Example:  synergy-tui renew --latest
    """
    from synergy_tui.jobs import plan
    from synergy_tui.jobs.specs import DecomposeRequest, Method
    from synergy_tui.store import cards, load

    opened = writable(cache)
    chosen = _earlier(opened) if every else [load.find(opened, "decomposition", run, latest)]
    if not every and load.method_of(opened, chosen[0]) >= terms.METHOD and _whole(opened, chosen[0]):
        say(f"{chosen[0]} is up to date: it was made by this version of the method")
        return print_run(open_cache(cache), chosen[0], as_json)
    plans = []
    for one in chosen:
        row = load.one(opened, "decomposition", one)
        if of := load.rows(opened, "SELECT ladder FROM ladder_levels WHERE map = $1", one):
            command = load.recipe(opened, of[0]["ladder"])[-1]["command"].removesuffix(" --fresh")
            raise UsageError(f"{one} is a level of ladder {of[0]['ladder']}", f"climb it anew: {command}")
        load.needs_series(opened, row["capture"], "decompose anew")
        request = DecomposeRequest(
            capture=row["capture"],
            method=Method.of(row),
            surrogates=row["surrogates"] or 0,
            nulls=tuple(row["nulls"] or ()),
            device=device,
            seed=row["seed"],
        )
        plans.append(plan.decompose_finished(opened, request))
    if not plans:
        say("every run is up to date")
        return print_json([]) if as_json else None
    jobs = start_plans(cache, plans, yes)
    if detach:
        return print_jobs(jobs, as_json)
    follow_jobs(jobs)
    if as_json:
        return print_json([{"was": old, "is": job.id} for old, job in zip(chosen, jobs, strict=True)])
    for old, job in zip(chosen, jobs, strict=True):
        say(f"{old} is {job.id} now")
        print_run(opened, job.id, False)
        if cards.newest_card(opened, old):
            print_next(opened, [f"synergy-tui claims {job.id}"])


def _whole(cache: Any, decomposition: str) -> bool:
    """Whether a run has every ranking that this version would give it: one was added without a new METHOD."""
    from synergy_tui.store import load

    row = load.one(cache, "decomposition", decomposition)
    query = "SELECT 1 FROM unit_scores WHERE decomposition = $1 AND score = $2 LIMIT 1"
    atoms = (row["estimator"], row["redundancy"])
    return atoms != ("gaussian", "mmi") or bool(load.rows(cache, query, decomposition, terms.NORMALISED))


def _earlier(cache: Any) -> list[str]:
    """Decompositions by an earlier version that this version has not made of the same capture in the same way. A
    ladder's levels come with the ladder."""
    from synergy_tui.jobs.specs import Method
    from synergy_tui.store import load

    query = f"""SELECT *, {load.METHOD_OF} FROM decompositions d WHERE decomposition NOT IN
        (SELECT map FROM ladder_levels WHERE map IS NOT NULL) AND estimator <> '{terms.IMPORTED}'
        ORDER BY created, decomposition"""
    rows = load.rows(cache, query)
    way = {row["decomposition"]: (row["capture"], Method.of(row)) for row in rows}
    done = {way[row["decomposition"]] for row in rows if row["method"] >= terms.METHOD}
    return [row["decomposition"] for row in rows if way[row["decomposition"]] not in done]
