"""run --control: the controls of a run, made and tied to it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from synergy_tui import terms
from synergy_tui.cli.common import ask_before, open_cache, print_json, print_next, say, settings_in_force, writable
from synergy_tui.cli.starting import (
    WORTH_ASKING,
    captures,
    executor_in_force,
    follow_jobs,
    start_chains,
    tell,
    with_maps,
)
from synergy_tui.errors import UsageError
from synergy_tui.jobs.specs.capture import CaptureRequest

if TYPE_CHECKING:
    from synergy_tui.jobs.plan import Link
    from synergy_tui.store.cache import Cache


def make(
    cache: Path | None,
    request: CaptureRequest,
    of: str | None,
    seeds: int,
    detach: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Makes controls of the run `of`; without one, of the requested capture, which is made first if it is missing. Both
    kinds: free-running, and on the run's own tokens. Raises UsageError for another architecture."""
    from synergy_tui.jobs import chain, plan
    from synergy_tui.jobs.specs import Method
    from synergy_tui.store import cards, load

    opened = writable(cache)
    capture = load.find(opened, "capture", of) if of else _own(cache, opened, request, detach, yes)
    rows = load.rows(opened, "SELECT * FROM decompositions WHERE capture = $1 ORDER BY created LIMIT 1", capture)
    method = Method.of(rows[0]) if rows else Method()
    device = request.device if request.device != "cuda:all" else None
    links: list[Link] = []
    for how in terms.CONTROLS:
        for first, second in plan.controls(
            opened,
            settings_in_force(cache).data,
            capture,
            method,
            how=how,
            seeds=seeds,
            subject=request.subject,
            device=device,
            allowed=request,
        ):
            links += [plan.Link(how, first), plan.Link(how, second, of=len(links))]
    links = plan.finished(opened, links)
    seconds = sum(one.plan.cost.seconds or 0 for one in links if one.found is None)
    say(f" {2 * seeds} controls of capture {capture}, {sum(one.found is not None for one in links) // 2} there already")
    say(f" the rest will take about {seconds / 60:.0f} min")
    if not yes:
        ask_before(seconds, WORTH_ASKING)
    ids = chain.start(opened, links, one_by_one=True, join=True, executor=executor_in_force())
    started = chain.started(opened, links, ids)
    if started and not detach:
        follow_jobs(started, tell)
    if detach:
        return print_json({"capture": capture, "jobs": [job.id for job in started]}) if as_json else None
    found = cards.controls_of(opened, capture)
    if as_json:
        return print_json({"capture": capture, "controls": found})
    for one in found:
        click.echo(
            f"{one['how']:<13} seed {one['seed']}  capture {one['control']}  decomposition {one['decomposition']}"
        )
    first_control = next((one["decomposition"] for one in found if one["decomposition"]), None)
    if rows and first_control:
        own = rows[0]["decomposition"]
        print_next(opened, [f"synergy-tui compare {own} {first_control}", f"synergy-tui claims {own}"])


def _own(cache: Path | None, opened: Cache, request: CaptureRequest, detach: bool, yes: bool) -> str:
    """The requested capture, found or made with its decomposition."""
    from synergy_tui.jobs.plan import finished

    plans = captures(cache, request)
    if len(plans) > 1:
        raise UsageError("controls belong to one run, and these are several revisions", "name one with --of")
    links = with_maps(plans[0], {})
    (link,) = finished(opened, links[:1])
    if link.found:
        return link.found
    if detach:
        raise UsageError("the run to be controlled is not there yet", "leave out --detach, or name it with --of")
    jobs = start_chains(cache, [links], yes)
    follow_jobs(jobs)
    open_cache(cache)
    return jobs[0].id
