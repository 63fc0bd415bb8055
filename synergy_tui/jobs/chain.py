"""A chain of jobs of which some results may be there already: finished parts are taken, unfinished ones go on, the rest
is submitted. One part's failure stops what is made from it and nothing else."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

from synergy_tui.errors import JobError, SynergyError
from synergy_tui.jobs import folder
from synergy_tui.jobs.folder import RESTING, JobFolder
from synergy_tui.jobs.plan.base import Plan
from synergy_tui.jobs.plan.links import Link, key
from synergy_tui.jobs.recipe import command
from synergy_tui.jobs.submit import cancel, resume, submit
from synergy_tui.store.cache import Cache


def start(cache: Cache, links: Sequence[Link], fresh: bool = False) -> list[str]:
    """Ids of the results by place: those found, and those of jobs that make the others, each after the one before.
    fresh: nothing unfinished is taken up either. Raises JobError when the cache cannot take a job."""
    waiting = {} if fresh else _unfinished(cache)
    ids: list[str] = []
    started: list[JobFolder] = []
    before = None
    for one in links:
        if one.found is not None:
            ids.append(one.found)
            continue
        spec = one.plan.spec if one.of is None else one.plan.spec | {"capture": ids[one.of]}
        job = waiting.get(key(command(one.plan.kind, spec)))
        if job is not None:
            if job.status()["state"] in RESTING:
                resume(cache.folder, job)
        else:
            needs = ids[one.of] if one.of is not None and links[one.of].found is None else None
            try:
                job = submit(cache.folder, one.plan.kind, spec | {"softly": needs is None}, after=needs or before)
            except SynergyError:
                for other in reversed(started):  # half a chain is not what was asked for
                    with contextlib.suppress(JobError):
                        cancel(other)
                raise
            started.append(job)
        before = job.id
        ids.append(job.id)
    return ids


def submit_last(cache: Cache, plan: Plan, parts: dict[str, Any], after: str | None) -> JobFolder:
    """The job that is made of a chain's results, whatever became of them. parts: what its spec says of them."""
    return submit(cache.folder, plan.kind, plan.spec | parts | {"softly": True}, after=after)


def _unfinished(cache: Cache) -> dict[str, JobFolder]:
    """By key, the newest job that is not done."""
    out = {}
    for job in folder.every(cache.folder):
        with contextlib.suppress(JobError, KeyError, TypeError):  # damaged, or of another version
            if job.status()["state"] != "done":
                spec = job.spec()
                out[key(command(spec["kind"], spec))] = job
    return out
