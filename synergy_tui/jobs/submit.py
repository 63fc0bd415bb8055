"""New jobs, resumed jobs, cancelled jobs: writes folders and starts workers in sessions of their own."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from filelock import Timeout

from synergy_tui.errors import JobError
from synergy_tui.jobs import folder
from synergy_tui.jobs.folder import ENDED, JobFolder
from synergy_tui.settings import worker_environment

PATIENCE = 1.2
"""Seconds a worker has to hear that it is cancelled; it asks at every step and every part."""


def submit(cache: Path, kind: str, spec: dict[str, Any], after: str | None = None) -> JobFolder:
    """Makes a job and starts its worker, which waits for the job `after` and for the device. Raises JobError when the
    cache folder cannot be written."""
    try:
        job = folder.new(cache, kind, spec, after)
    except OSError as error:
        raise JobError(
            f"{cache} cannot take a job: {error.strerror}", "free space, or use --cache with another folder"
        ) from None
    start(job)
    return job


def start(job: JobFolder) -> None:
    """Starts a worker for a queued job. Its own session: losing the terminal does not end it."""
    with open(job.log, "ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "synergy_tui.jobs.worker", str(job.path)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=job.path,
            env=worker_environment(job.cache),
            start_new_session=True,
        )
    job.started(process.pid)


def resume(cache: Path, job: JobFolder) -> list[JobFolder]:
    """Queues a job that stopped, and those that waited for it; they are *queued* when this returns and go on with the
    shards that are not there yet. Raises JobError when the job is done or has a living worker."""
    status = job.status()
    if status["state"] == "done":
        raise JobError(f"job {job.id} is done", "synergy-tui jobs list shows what is not")
    if status["state"] not in ENDED:
        raise JobError(f"job {job.id} is {status['state']}", f"wait for it, or: synergy-tui jobs cancel {job.id}")
    chain = [job, *(one for one in folder.every(cache) if _waits_for(one, job.id))]
    for one in chain:
        spec = one.spec()
        one.cancel_flag.unlink(missing_ok=True)
        one.write_status(folder.queued(one.id, spec["kind"], spec["after"]))
    for one in chain:
        start(one)
    return chain


def cancel(job: JobFolder) -> dict[str, Any]:
    """Stops a job within about two seconds; finished shards stay. A worker that does not hear, because it is inside a
    library that loads a model, is ended. Returns the status. Raises JobError when the job has ended already."""
    status = job.status()
    if status["state"] in ENDED and not status.get("lost"):
        raise JobError(f"job {job.id} is {status['state']} already")
    job.cancel_flag.touch()
    deadline = time.monotonic() + PATIENCE
    while (status := job.status())["state"] not in ENDED:
        if time.monotonic() > deadline:
            job.end_worker()
        if time.monotonic() > deadline + 10:
            raise JobError(f"the worker of job {job.id} does not end", f"end process {status['pid']} yourself")
        time.sleep(0.05)
    if status.get("lost"):
        job.write_status({key: value for key, value in status.items() if key != "lost"})
    return status


def remove(job: JobFolder) -> None:
    """Deletes the folder of a job without a living worker. Raises JobError when it has one."""
    try:
        with job.worker_lock.acquire(blocking=False):
            shutil.rmtree(job.path)
    except Timeout:
        raise JobError(f"job {job.id} has a living worker", f"synergy-tui jobs cancel {job.id} first") from None
    except OSError as error:
        raise JobError(
            f"job {job.id} cannot be removed: {error.strerror}", "mend the permissions of the cache"
        ) from None


def _waits_for(one: JobFolder, job: str) -> bool:
    try:
        waits = one.spec()["after"] == job and one.id != job
        return waits and one.status()["state"] in ("failed", "cancelled")
    except JobError:
        return False
