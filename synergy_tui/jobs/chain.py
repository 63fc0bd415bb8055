"""Starts chains of jobs; some of their results may be there already. The only place where jobs are started together."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

from synergy_tui import settings
from synergy_tui.errors import JobError, SynergyError
from synergy_tui.jobs import folder, reach
from synergy_tui.jobs.folder import RESTING, JobFolder
from synergy_tui.jobs.plan.base import Plan
from synergy_tui.jobs.plan.links import Link, results
from synergy_tui.jobs.specs import Executor
from synergy_tui.jobs.submit import cancel, resume, submit
from synergy_tui.store.cache import Cache


def start(
    cache: Cache,
    links: Sequence[Link],
    *,
    one_by_one: bool = False,
    join: bool = False,
    executor: Executor | None = None,
    sweep: str | None = None,
) -> list[str]:
    """Ids of the results by place: results that were found, and jobs that make the others. A job waits for the one
    whose result it takes, and stops with it. one_by_one: each also waits for the end of the one before, however that
    ends. join: an unfinished job of equal hash is used instead of a new one, and so is one that has ended since the
    links were looked up. executor: who makes parts; None for what the settings say. sweep: the job that starts them,
    noted in them. When a job cannot be submitted, those submitted before are cancelled. Raises JobError when the cache
    cannot take a job or the executor cannot be used, UsageError for settings that cannot be used."""
    executor = executor or Executor.of_settings(settings.load(cache.folder).executor)
    if executor.executor in ("ray", "slurm") and (todo := [one for one in links if one.found is None]):
        reach.check(executor, [one.plan.spec for one in todo], cache.folder)
    waiting = _unfinished(cache) if join else {}
    done = results(cache) if join else {}  # after the unfinished: a job that is not among those has its result by now
    ids: list[str] = []
    started: list[JobFolder] = []
    before = None
    try:
        for one in links:
            if one.found is not None:
                ids.append(one.found)
                continue
            spec = one.spec(ids)
            job = waiting.get(spec.hash)
            if job is None and one.completed is None and spec.hash in done:
                ids.append(done[spec.hash])
                continue
            if job is not None:
                if (state := job.status()["state"]) in RESTING and state != "done":
                    resume(cache.folder, job, sweep=sweep)
            else:
                needs = ids[one.of] if one.of is not None and links[one.of].found is None else None
                after = needs or (before if one_by_one else None)
                softly = needs is None
                job = submit(cache.folder, spec, after=after, softly=softly, executor=executor, sweep=sweep)
                started.append(job)
            before = job.id
            ids.append(job.id)
    except SynergyError:
        for other in reversed(started):  # the user did not ask for half a chain
            with contextlib.suppress(JobError):
                cancel(other)
        raise
    return ids


def followed(plans: Sequence[Plan[Any]]) -> list[Link]:
    """A capture and its decompositions, or a plan by itself, as a chain."""
    return [Link(str(number), one, of=number - 1 if number else None) for number, one in enumerate(plans)]


def started(cache: Cache, links: Sequence[Link], ids: Sequence[str]) -> list[JobFolder]:
    """The jobs of a chain that was started, without those whose results were there."""
    jobs = [JobFolder(cache.jobs / one) for one, link in zip(ids, links, strict=True) if link.found is None]
    return [job for job in jobs if job.path.exists()]


def under_way(cache: Cache, links: Sequence[Link]) -> list[Link]:
    """The links whose jobs have been started already and are running or waiting: `start` with join takes them up."""
    waiting = _unfinished(cache)
    ids: list[str] = []
    out = []
    for one in links:
        job = None
        if one.found is None and one.completed is None and (one.of is None or ids[one.of]):
            job = waiting.get(one.spec(ids).hash)
        ids.append(one.found or (job.id if job is not None else ""))
        if job is not None and job.status()["state"] not in RESTING:
            out.append(one)
    return out


def _unfinished(cache: Cache) -> dict[str, JobFolder]:
    """Hash → the newest job that is not done."""
    out = {}
    for job in folder.every(cache.folder):
        with contextlib.suppress(JobError):  # damaged, or of another version
            if job.status()["state"] != "done":
                out[job.order().spec.hash] = job
    return out
