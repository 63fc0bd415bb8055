"""run --control: the controls of a run, made and tied to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from synergy_tui import terms
from synergy_tui.cli.common import ask_before, open_cache, print_json, print_next, printer, say, settings_in_force
from synergy_tui.cli.measure import WORTH_ASKING, _captures, _start_chains, _writable, follow_jobs
from synergy_tui.errors import UsageError

_METHOD = ("estimator", "redundancy", "lag", "pool", "preprocess", "precision")


def make(
    cache: Path | None, subject: str, of: str | None, seeds: int, detach: bool, yes: bool, as_json: bool, **chosen: Any
) -> None:
    """Controls of the run `of`; without one, of the capture of `subject` with these options, made first where it is
    not there. Both kinds: free-running, and on the run's own tokens. Raises UsageError for another architecture."""
    from synergy_tui.jobs import chain, plan
    from synergy_tui.jobs.folder import JobFolder
    from synergy_tui.jobs.follow import follow
    from synergy_tui.jobs.plan.links import Link, finished
    from synergy_tui.store import cards, load
    from synergy_tui.store.cache import Cache

    opened = Cache.open(_writable(cache))
    capture = load.find(opened, "capture", of) if of else _own(cache, opened, subject, detach, yes, chosen)
    rows = load.rows(opened, "SELECT * FROM decompositions WHERE capture = $1 ORDER BY created LIMIT 1", capture)
    method = {name: rows[0][name] for name in _METHOD} if rows else {}
    device = chosen["device"] if chosen["device"] != "cuda:all" else None
    links: list[Link] = []
    for how in terms.CONTROLS:
        for first, second in plan.controls(
            opened, settings_in_force(cache).data, capture, method, how=how, seeds=seeds, subject=subject, device=device
        ):
            links += [Link(how, first), Link(how, second, of=len(links))]
    links = finished(opened, links)
    seconds = sum(one.plan.cost.seconds or 0 for one in links if one.found is None)
    say(f" {2 * seeds} controls of capture {capture}, {sum(one.found is not None for one in links) // 2} there already")
    say(f" the rest will take about {seconds / 60:.0f} min")
    if not yes:
        ask_before(seconds, WORTH_ASKING)
    ids = chain.start(opened, links)
    started = [JobFolder(opened.jobs / one) for one, link in zip(ids, links, strict=True) if link.found is None]
    if started and not detach:
        with printer() as shown:
            follow(started, shown.show, lambda error: say(f"synergy-tui: {error}"))
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


def _own(cache: Path | None, opened: Any, subject: str, detach: bool, yes: bool, chosen: dict[str, Any]) -> str:
    """The capture that the options ask for, found or made with its decomposition."""
    from synergy_tui.jobs import plan
    from synergy_tui.jobs.plan.links import Link, finished

    plans = _captures(cache, subject, chosen)
    if len(plans) > 1:
        raise UsageError("controls are of one run, and these are several revisions", "name one with --of")
    (link,) = finished(opened, [Link("run", plans[0])])
    if link.found:
        return link.found
    if detach:
        raise UsageError(
            "the run that is to be controlled is not there yet", "leave out --detach, or name it with --of"
        )
    more = {"device": chosen["device"] if chosen["device"] != "cuda:all" else None, "seed": chosen["seed"]}
    jobs = _start_chains(
        cache, [[plans[0], plan.decompose("", plans[0].units, len(plans[0].spec["prompts"]), **more)]], yes
    )
    follow_jobs(jobs)
    open_cache(cache)
    return jobs[0].id
