"""Starts, resumes, pauses and cancels jobs, and removes old ones: writes folders and starts workers in sessions of
their own."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from filelock import Timeout

from synergy_tui.errors import JobError
from synergy_tui.jobs import folder, processes
from synergy_tui.jobs.folder import ENDED, RESTING, JobFolder, Order
from synergy_tui.jobs.plan.earlier import completed
from synergy_tui.jobs.specs import LOCAL, Executor, Spec, SweepSpec
from synergy_tui.settings import worker_environment
from synergy_tui.subject import trust
from synergy_tui.subject.source import Source

PATIENCE = 1.2
"""Seconds a worker has to notice that it is cancelled or paused; it looks at every step and every part."""

KEPT = 30 * 86_400.0
"""Seconds the folder of a done job is kept. Its result and its recipe are in the catalogue; its parts are removed when
it is done."""


def submit(
    cache: Path,
    spec: Spec,
    after: str | None = None,
    softly: bool = False,
    executor: Executor = LOCAL,
    sweep: str | None = None,
) -> JobFolder:
    """Makes a job and starts its worker, which waits for the job `after` (softly: however it ends) and for the device.
    sweep: the job that starts it. The user's permissions for the subject are remembered. Raises JobError when the cache
    folder cannot be written."""
    tidy(cache, KEPT)
    try:
        if isinstance(source := getattr(spec, "source", None), Source):
            trust.remember(source)
        job = folder.new(cache, Order(spec, after, softly, executor, sweep))
    except OSError as error:
        raise JobError(
            f"{cache} cannot take a job: {error.strerror}", "free space, or use --cache with another folder"
        ) from None
    if executor.executor != "none":
        start(job)
    return job


def start(job: JobFolder) -> None:
    """Starts a worker for a queued job."""
    arguments = ["synergy_tui.jobs.worker", str(job.path)]
    job.started(processes.spawn(arguments, job.log, job.path, worker_environment(job.cache)))


def resume(
    cache: Path,
    job: JobFolder,
    batch: int | None = None,
    executor: Executor | None = None,
    sweep: str | None = None,
) -> list[JobFolder]:
    """Queues a job that stopped, and those that waited for it; they are *queued* when this returns and go on with the
    missing shards. `batch`: prompts at a time from now on. `executor`: who makes parts from now on. `sweep`: the sweep
    that they belong to from now on. Raises JobError when the job is done or has a living worker, UsageError when its
    kind has no batch."""
    status = job.status()
    if status["state"] == "done":
        raise JobError(f"job {job.id} is done", "synergy-tui jobs list shows the others")
    if status["state"] not in RESTING:
        raise JobError(f"job {job.id} is {status['state']}", f"wait for it, or: synergy-tui jobs cancel {job.id}")
    if batch is not None:
        job.take_batch(batch)
    chain = [job, *(one for one in folder.every(cache) if _waits_for(one, job.id))]
    starting: list[JobFolder] = []
    try:
        for one in chain:
            before = one.order()
            spec = completed(cache, before.spec)
            order = replace(before, spec=spec, executor=executor or before.executor, sweep=sweep or before.sweep)
            if order != before:
                one.write_order(order)
            one.cancel_flag.unlink(missing_ok=True)
            one.pause_flag.unlink(missing_ok=True)
            one.write_status(folder.queued(one.id, spec.KIND, order.after, order.sweep, order.executor))
            if order.executor.executor != "none":
                starting.append(one)
        for one in starting:
            start(one)
    except OSError as error:
        raise JobError(f"job {job.id} cannot be resumed: {error.strerror}", "free space, or mend the cache") from None
    return chain


def cancel(job: JobFolder) -> dict[str, Any]:
    """Stops a job, and the jobs of a sweep's cells, within about two seconds; finished shards stay. Returns the status.
    Raises JobError when the job has ended already."""
    status = job.status()
    if status["state"] in ENDED and not status.get("lost"):
        raise JobError(f"job {job.id} is {status['state']} already")
    if status["state"] == "paused" or (status.get("unstarted") and not job.worker_lock_taken()):
        job.pause_flag.unlink(missing_ok=True)
        job.write_status(status | {"state": "cancelled", "stage": "cancelled"})
        status = job.status()
    else:
        status = _stop(job, job.cancel_flag)
    _stop_cells(job, status, cancel, lambda one: one.cancel_flag, ENDED)
    return status


def linked(statuses: Sequence[Mapping[str, Any]], job: str) -> list[str]:
    """Ids of the jobs under way that are linked to one by waiting for each other, itself included; those that wait come
    last."""
    going = {one["id"]: one.get("after") for one in statuses if one["state"] not in ENDED}
    return _joined(going, _waiting(going), job)


def chains(statuses: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Ids of all jobs in chains: jobs linked by waiting for each other, whether under way or not. In each chain those
    that wait come last. A sweep and the jobs of its cells are one chain, the sweep last. Chains are in the order of
    their first jobs."""
    sweeps: dict[str, list[str]] = {str(one["id"]): [] for one in statuses if one.get("kind") == SweepSpec.KIND}
    for one in statuses:
        sweeps.get(str(one.get("sweep")), []).append(str(one["id"]))
    of = {job: sweep for sweep, jobs in sweeps.items() for job in (*jobs, sweep)}
    after = {str(one["id"]): one.get("after") for one in statuses if str(one["id"]) not in of}
    waiting = _waiting(after)
    out: list[list[str]] = []
    seen: set[str] = set()
    for one in statuses:
        job = str(one["id"])
        if job not in seen:
            out.append([*sweeps[of[job]], of[job]] if job in of else _joined(after, waiting, job))
            seen.update(out[-1])
    return out


def _waiting(after: Mapping[str, str | None]) -> dict[str | None, list[str]]:
    """Job → the jobs that wait for it. after: job → the job that it waits for."""
    out: dict[str | None, list[str]] = {}
    for one, other in after.items():
        out.setdefault(other, []).append(one)
    return out


def _joined(after: Mapping[str, str | None], waiting: Mapping[str | None, list[str]], job: str) -> list[str]:
    """The known jobs that are linked to one, itself included; those that wait come last."""
    found, new = {job}, [job]
    while new:
        one = new.pop()
        near = [*waiting.get(one, ()), *([str(after[one])] if after.get(one) in after else [])]
        new += [other for other in near if other not in found]
        found.update(near)

    def depth(one: str) -> int:
        seen = {one}
        while (other := after.get(one)) in found and other not in seen:  # a damaged folder may wait for itself
            one = str(other)
            seen.add(one)
        return len(seen)

    return sorted(found & after.keys(), key=lambda one: (depth(one), one))


def cancel_all(cache: Path, jobs: Sequence[str]) -> list[str]:
    """Cancels jobs, the last first, so that no job begins because the one before it has ended. Returns those that were
    under way."""
    out = []
    for one in reversed(jobs):
        with contextlib.suppress(JobError):  # it has ended by itself meanwhile
            cancel(folder.find(cache, one))
            out.append(one)
    return out


def pause(job: JobFolder) -> dict[str, Any]:
    """Ends a job's worker until the job is resumed: memory and device are free meanwhile, finished shards stay, and
    jobs that wait for it wait on. The jobs of a sweep's cells are paused too. Returns the status. Raises JobError when
    the job is not under way."""
    status = job.status()
    if status["state"] in RESTING:
        raise JobError(f"job {job.id} is {status['state']} already")
    status = _stop(job, job.pause_flag)
    _stop_cells(job, status, pause, lambda one: one.pause_flag, RESTING)
    return status


def _stop_cells(
    job: JobFolder,
    status: Mapping[str, Any],
    stop: Callable[[JobFolder], Any],
    flag: Callable[[JobFolder], Path],
    stopped: Sequence[str],
) -> None:
    """Stops the jobs that a stopped sweep still has under way. All are asked first, and then those that do not react
    are ended; the last first, so that no job begins because the one before it has ended."""
    if status["kind"] != SweepSpec.KIND:
        return
    going = []
    for one in folder.every(job.cache):
        with contextlib.suppress(JobError):  # it is damaged
            known = one.status()
            if known.get("sweep") == job.id and known["state"] not in stopped:
                going.append((one, known["state"]))
    for one, state in going:
        if state not in RESTING:
            with contextlib.suppress(OSError):  # the stop itself reports what is wrong
                flag(one).touch()
    for one, _ in reversed(going):
        with contextlib.suppress(JobError):  # it has ended by itself, or reacted already
            stop(one)


def _stop(job: JobFolder, flag: Path) -> dict[str, Any]:
    """Stops a job. A worker that does not react, because it is inside a library that loads a model, is ended."""
    try:
        flag.touch()
    except OSError as error:
        raise JobError(f"job {job.id} cannot be stopped: {error.strerror}", "free space, or mend the cache") from None
    deadline = time.monotonic() + PATIENCE
    while (status := job.status())["state"] not in RESTING:
        if time.monotonic() > deadline:
            job.end_worker()
        if time.monotonic() > deadline + 10:
            raise JobError(f"the worker of job {job.id} does not end", f"end process {status['pid']} yourself")
        time.sleep(0.05)
    if status.get("lost"):
        job.write_status({key: value for key, value in status.items() if key != "lost"})
    return status


def tidy(cache: Path, older: float) -> list[JobFolder]:
    """Removes the folders of jobs done at least `older` seconds ago; returns them. Their results stay."""
    removed = []
    for job in folder.every(cache):
        with contextlib.suppress(JobError):
            status = job.status()
            if status["state"] == "done" and time.time() - status["heartbeat"] > older:
                remove(job)
                removed.append(job)
    return removed


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
        waits = one.order().after == job and one.id != job
        return waits and one.status()["state"] in ("failed", "cancelled")
    except JobError:
        return False
