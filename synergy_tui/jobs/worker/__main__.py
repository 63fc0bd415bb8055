"""python -m synergy_tui.jobs.worker FOLDER: takes the job in FOLDER from where it is to its end."""

from __future__ import annotations

import importlib
import os
import shutil
import signal
import sys
import time
import traceback
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from filelock import Timeout

from synergy_tui.errors import Cancelled, JobError, SynergyError
from synergy_tui.jobs.devices import choose
from synergy_tui.jobs.folder import JobFolder
from synergy_tui.jobs.worker.progress import Paused, Progress
from synergy_tui.jobs.worker.turn import POLL, Turn
from synergy_tui.subject import trust
from synergy_tui.subject.source import Source

POLITE = 5
"""Niceness of a worker: where cores are scarce the screen somebody looks at goes first."""

AGAIN = -1
"""Instead of an exit status: the job is to be taken up again at once."""


def main() -> int:
    """Runs one job; its end is in status.json. Exit status 0 when it is done."""
    job = JobFolder(Path(sys.argv[1]))
    # The worker belongs to no terminal: only its cancel flag and a plain kill end it.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.umask(0o077)
    os.setpriority(os.PRIO_PROCESS, 0, max(POLITE, os.getpriority(os.PRIO_PROCESS, 0)))
    try:
        with job.worker_lock.acquire(timeout=5):
            code = _work(job)
    except Timeout:
        print("another worker has this job", flush=True)
        return 1
    if code == AGAIN:
        # In a fresh process: what ran out of memory has not given it back.
        os.execv(sys.executable, [sys.executable, "-m", "synergy_tui.jobs.worker", str(job.path)])
    return code


def _work(job: JobFolder) -> int:
    """The exit status, or AGAIN."""
    before = job.status()
    if before["state"] == "done":
        return 0
    batch = None
    with Progress(job, before) as progress:
        try:
            order = job.order()
            spec, batch = order.spec, order.spec.batch_size
            progress.state("queued", stage="queued")
            if order.after and order.after != job.id:
                _wait_for(JobFolder(job.path.parent / order.after), progress, order.softly, spec.KIND)
            turn = Turn(job, choose(spec.device), before["created"], progress) if spec.TAKES_TURN else nullcontext()
            with turn:
                progress.state("running", stage="starting")
                if isinstance(source := getattr(spec, "source", None), Source):
                    trust.check(source)
                _module(spec.KIND).work(job, spec, progress)
            progress.state("done", stage="done")
            # What they were made into is published.
            shutil.rmtree(job.shards, ignore_errors=True)
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
            if _out_of_memory(error):
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


def _module(kind: str) -> Any:
    return importlib.import_module(f"synergy_tui.jobs.worker.{kind}")


def _wait_for(other: JobFolder, progress: Progress, softly: bool, kind: str) -> None:
    """softly: whatever the end of the other is, as a claims card is made of the parts that can be had. The next in
    line loads what it needs meanwhile, which takes seconds."""
    while True:
        progress.check()
        # Done jobs may be tidied away; whether their result is there is for the work itself to find.
        status = other.status() if other.path.exists() else {"state": "done"}
        if status["state"] == "done":
            return
        if status["state"] == "running":
            _module(kind)
        if status["state"] in ("failed", "cancelled"):
            if softly:
                return
            ended = "was cancelled" if status["state"] == "cancelled" else "failed"
            raise JobError(
                f"it waited for job {other.id}, which {ended}",
                f"synergy-tui jobs resume {other.id} continues both",
            )
        time.sleep(POLL)


def _out_of_memory(error: Exception) -> bool:
    """NumPy and Python have a class for it, torch and JAX words."""
    words = ("out of memory", "can't allocate memory", "RESOURCE_EXHAUSTED")
    return isinstance(error, MemoryError) or any(word in str(error) for word in words)


if __name__ == "__main__":
    sys.exit(main())
