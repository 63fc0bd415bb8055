"""python -m synergy_tui.jobs.worker FOLDER: takes the job in FOLDER from where it is to its end."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import time
import traceback
from pathlib import Path

from filelock import FileLock, Timeout

from synergy_tui.errors import Cancelled, JobError, SynergyError
from synergy_tui.jobs.folder import JobFolder
from synergy_tui.jobs.worker.progress import Progress
from synergy_tui.terms import JOB_KINDS

POLL = 0.1

POLITE = 5
"""Niceness of a worker: where cores are scarce the screen somebody looks at goes first."""


def main() -> int:
    """Runs one job; its end is in status.json. Exit status 0 when it is done."""
    job = JobFolder(Path(sys.argv[1]))
    # The worker belongs to no terminal: only its cancel flag and a plain kill end it.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.umask(0o077)
    os.nice(POLITE)
    try:
        with job.worker_lock.acquire(timeout=5):
            return _work(job)
    except Timeout:
        print("another worker has this job", flush=True)
        return 1


def _work(job: JobFolder) -> int:
    spec = job.spec()
    before = job.status()
    if before["state"] == "done":
        return 0
    with Progress(job, before) as progress:
        try:
            progress.state("queued", stage="queued")
            if spec["after"] and spec["after"] != job.id:
                _wait_for(JobFolder(job.path.parent / spec["after"]), progress)
            with _device(job, spec["device"], progress):
                progress.state("running", stage="starting")
                if spec["kind"] not in JOB_KINDS:
                    raise JobError(f"job {job.id} is of an unknown kind, {spec['kind']}", "update synergy-tui")
                importlib.import_module(f"synergy_tui.jobs.worker.{spec['kind']}").work(job, spec, progress)
            progress.state("done", stage="done")
            return 0
        except Cancelled:
            progress.state("cancelled", stage="cancelled")
        except SynergyError as error:
            print(error, flush=True)
            progress.state("failed", stage="failed", error=str(error), exit_code=error.exit_code)
        except OSError as error:
            traceback.print_exc()
            resume = f"mend it, then: synergy-tui jobs resume {job.id}"
            progress.state("failed", stage="failed", error=f"{error.strerror or error} · {resume}")
        except MemoryError:
            traceback.print_exc()
            progress.state("failed", stage="failed", error="out of memory · use a smaller --batch")
        except Exception as error:
            traceback.print_exc()
            what = f"unexpected {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
            progress.state("failed", stage="failed", error=f"{what} · synergy-tui jobs logs {job.id}")
    return 1


def _wait_for(other: JobFolder, progress: Progress) -> None:
    while True:
        progress.check()
        # Done jobs may be tidied away; whether their result is there is for the work itself to find.
        status = other.status() if other.path.exists() else {"state": "done"}
        if status["state"] == "done":
            return
        if status["state"] in ("failed", "cancelled"):
            ended = "was cancelled" if status["state"] == "cancelled" else "failed"
            raise JobError(
                f"it waited for job {other.id}, which {ended}",
                f"synergy-tui jobs resume {other.id} continues both",
            )
        time.sleep(POLL)


class _device:
    """One job per device at a time, across all processes of this cache."""

    def __init__(self, job: JobFolder, device: str, progress: Progress) -> None:
        self._lock = FileLock(job.cache / f"device-{device.replace(':', '-')}.lock")
        self._progress = progress

    def __enter__(self) -> None:
        while True:
            self._progress.check()
            try:
                self._lock.acquire(blocking=False)
                return
            except Timeout:
                time.sleep(POLL)

    def __exit__(self, *exc: object) -> None:
        self._lock.release()


if __name__ == "__main__":
    sys.exit(main())
