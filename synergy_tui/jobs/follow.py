"""A command in the foreground follows its jobs: it shows their stages, ends when the last one does or when a worker
dies, and Ctrl-C cancels. Losing the terminal ends only the command."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Any

from synergy_tui.errors import Cancelled, JobError, SynergyError
from synergy_tui.jobs.folder import RESTING, JobFolder
from synergy_tui.jobs.submit import cancel

POLL = 0.1


def follow(
    jobs: Sequence[JobFolder],
    show: Callable[[str, dict[str, Any]], None],
    lost: Callable[[SynergyError], None] | None = None,
) -> None:
    """Returns when all jobs are done. Raises JobError with the first failure or when one is paused, Cancelled after
    Ctrl-C or a cancel. `lost` hears of failures and cancels of all jobs except the last; these then do not end it."""
    try:
        watch(jobs, show, lost)
    except KeyboardInterrupt:
        _cancel(jobs)
        raise Cancelled(
            f"cancelled; finished parts of {', '.join(job.id for job in jobs)} are kept",
            f"synergy-tui jobs resume {jobs[0].id} goes on",
        ) from None


def watch(
    jobs: Sequence[JobFolder],
    show: Callable[[str, dict[str, Any]], None],
    lost: Callable[[SynergyError], None] | None = None,
) -> None:
    """The same, but an interrupt ends only the watching."""
    for job in jobs:
        while True:
            status = job.status()
            show(job.id, status)
            if status["state"] in RESTING:
                break
            time.sleep(POLL)
        try:
            _raise_unless_done(job, status)
        except SynergyError as error:
            if lost is None or job is jobs[-1] or status["state"] == "paused":
                raise
            lost(error)


def _raise_unless_done(job: JobFolder, status: dict[str, Any]) -> None:
    if status["state"] == "cancelled":
        raise Cancelled(f"job {job.id} was cancelled", f"synergy-tui jobs resume {job.id} goes on")
    if status["state"] == "paused":
        raise JobError(f"job {job.id} is paused", f"synergy-tui jobs resume {job.id} goes on")
    if status["state"] == "failed":
        error = JobError(f"job {job.id} ({status['kind']}) failed: {status['error']}")
        error.exit_code = status.get("exit_code", error.exit_code)
        raise error


def _cancel(jobs: Sequence[JobFolder]) -> None:
    # The last first: no job may start because the one before it has ended.
    for job in reversed(jobs):
        with contextlib.suppress(JobError):  # it has ended by itself
            cancel(job)
