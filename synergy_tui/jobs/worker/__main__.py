"""python -m synergy_tui.jobs.worker FOLDER [--join]: takes the job in FOLDER from where it is to its end. --join: if
another worker has the job, helps that one, and takes its place when it is gone."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

from filelock import Timeout

from synergy_tui import settings
from synergy_tui.errors import Cancelled, JobError, SynergyError
from synergy_tui.jobs.devices import choose
from synergy_tui.jobs.folder import JobFolder, Order
from synergy_tui.jobs.specs import LOCAL, Spec
from synergy_tui.jobs.worker.executors.crew import Crew, keep_to_slurm, share_cores, team
from synergy_tui.jobs.worker.executors.crews import crew_for
from synergy_tui.jobs.worker.executors.making import has_parts, is_memory, module
from synergy_tui.jobs.worker.executors.together import command
from synergy_tui.jobs.worker.progress import Paused, Progress
from synergy_tui.jobs.worker.turn import POLL, Turn
from synergy_tui.subject import trust
from synergy_tui.subject.source import Source

POLITE = 5
"""Niceness of a worker: if cores are scarce, the screen that somebody looks at goes first."""

FAR = 0.5
"""Seconds between two looks at a job that itself waits for another."""

AGAIN = -1
"""Instead of an exit status: the job must be taken up again at once."""


def main() -> int:
    """Runs one job; status.json says how it ended. Exit status 0 when it is done."""
    job = JobFolder(Path(sys.argv[1]))
    # The worker belongs to no terminal: only its cancel flag and a plain kill end it.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.umask(0o077)
    os.setpriority(os.PRIO_PROCESS, 0, max(POLITE, os.getpriority(os.PRIO_PROCESS, 0)))
    joins = "--join" in sys.argv[2:]
    if joins:
        keep_to_slurm()
    try:
        with job.worker_lock.acquire(timeout=0.2 if joins else 5):
            code = _work(job, joins)
    except Timeout:
        if joins:
            return _join(job)
        print("another worker has this job", flush=True)
        return 1
    if code == AGAIN:
        # In a fresh process: one that ran out of memory has not given it back.
        os.execv(sys.executable, [sys.executable, "-m", "synergy_tui.jobs.worker", *sys.argv[1:]])
    return code


def _join(job: JobFolder) -> int:
    """Helps the job's worker. If that worker is gone before the job's end, this process begins anew as its worker."""
    from synergy_tui.jobs.worker.executors.helper import help_with

    spec = job.order().spec
    device = choose(spec.device)
    if spec.processes > 1:
        code = subprocess.run(command(job.path, device.partition(":")[0], spec.processes), check=False).returncode
    else:
        # On a CPU, a process that joins shares the cores.
        code = help_with(job, device, alone=device == "cpu" or settings.in_slurm())
    if (status := job.status())["state"] == "failed" and status.get("lost"):
        os.execv(sys.executable, [sys.executable, "-m", "synergy_tui.jobs.worker", *sys.argv[1:]])
    return code


def _work(job: JobFolder, joins: bool) -> int:
    """The exit status, or AGAIN. joins: this process makes the parts itself, whatever the job's executor."""
    before = job.status()
    if before["state"] == "done":
        return 0
    batch = None
    with Progress(job, before) as progress:
        try:
            order = job.order()
            spec, batch = order.spec, order.spec.batch_size
            if joins:
                job.started(os.getpid())
                progress.forget("unstarted")
            progress.state("queued", stage="queued")
            if order.after and order.after != job.id:
                _wait_for(JobFolder(job.path.parent / order.after), progress, order.softly, spec.KIND)
            if isinstance(source := getattr(spec, "source", None), Source):
                trust.check(source)
            with _turn(job, order, joins, before["created"], progress) as device:
                progress.state("running", stage="starting")
                _done(job, spec, progress, _crew(job, progress, order, joins, device))
            progress.state("done", stage="done")
            # The result made from the parts is published.
            for one in (job.shards, job.held, job.errors):
                shutil.rmtree(one, ignore_errors=True)
            job.wanted.unlink(missing_ok=True)
            return 0
        except Cancelled:
            progress.state("cancelled", stage="cancelled")
        except Paused:
            progress.state("paused", stage="paused")
        except SynergyError as error:
            print(error, flush=True)
            progress.state("failed", stage="failed", error=str(error), exit_code=error.exit_code)
        except OSError as error:
            traceback.print_exc()
            resume = f"mend it, then: synergy-tui jobs resume {job.id}"
            progress.state("failed", stage="failed", error=f"{error.strerror or error} · {resume}")
        except Exception as error:
            traceback.print_exc()
            if is_memory(error):
                if batch is not None and batch > 1:
                    print(f"out of memory with a batch of {batch}: again with {batch // 2}", flush=True)
                    job.take_batch(batch // 2)
                    return AGAIN
                resume = f"free some, then: synergy-tui jobs resume {job.id}"
                progress.state("failed", stage="failed", error=f"out of memory · {resume}")
                return 1
            what = f"unexpected {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
            progress.state("failed", stage="failed", error=f"{what} · synergy-tui jobs logs {job.id}")
    return 1


@contextlib.contextmanager
def _turn(job: JobFolder, order: Order, joins: bool, queued: float, progress: Progress) -> Iterator[str]:
    """Within the context the job has its device, which is the value. If others make the parts, it needs no device."""
    if not (order.executor.here or joins) and has_parts(order.spec.KIND):
        settings.hide_gpus()
        yield "cpu"
        return
    device = choose(order.spec.device)
    if not order.spec.TAKES_TURN or (joins and settings.in_slurm()):
        yield device
        return
    with Turn(job, device, queued, progress):
        if order.spec.processes > 1:
            # The others have the device, not this process.
            settings.hide_gpus()
        elif (count := team(order.executor, device)) > 1 and not joins:
            if device == "cuda":
                settings.only_gpu(0)
            else:
                share_cores(count)
        yield device


def _crew(job: JobFolder, progress: Progress, order: Order, joins: bool, device: str) -> Crew:
    """Who makes the parts; for a kind of job without parts, this process does all the work."""
    alone = joins or not has_parts(order.spec.KIND)
    return crew_for(job, progress, LOCAL if alone else order.executor, device, order.spec.processes)


def _done(job: JobFolder, spec: Spec, progress: Progress, crew: Crew) -> None:
    work = module(spec.KIND).work
    shutil.rmtree(job.errors, ignore_errors=True)
    try:
        if has_parts(spec.KIND):
            work(job, spec, progress, crew)
        else:
            work(job, spec, progress)
    finally:
        crew.close()


def _wait_for(other: JobFolder, progress: Progress, softly: bool, kind: str) -> None:
    """Waits for another job. softly: however that ends, as a claims card takes the parts that can be had. Meanwhile the
    next in line loads what it needs, which takes seconds."""
    while True:
        progress.check()
        # Folders of done jobs may have been removed; the work itself finds out whether their result is there.
        status = other.status() if other.path.exists() else {"state": "done"}
        if status["state"] == "done":
            return
        if status["state"] == "running":
            module(kind)
        if status["state"] in ("failed", "cancelled"):
            if softly:
                return
            ended = "was cancelled" if status["state"] == "cancelled" else "failed"
            raise JobError(
                f"it waited for job {other.id}, which {ended}",
                f"synergy-tui jobs resume {other.id} continues both",
            )
        # In a long chain only one job can be the next; if all others looked as often, they would fill a core.
        time.sleep(FAR if status["state"] == "queued" else POLL)


if __name__ == "__main__":
    sys.exit(main())
