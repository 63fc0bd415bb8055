"""Parts made by the tasks of a Slurm array, on a file system that all hosts share. A task takes missing parts until all
are made; if a task is ended, another makes its unfinished part again."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import submitit

from synergy_tui.errors import JobError
from synergy_tui.jobs import held
from synergy_tui.jobs.folder import JobFolder
from synergy_tui.jobs.specs import Executor, Spec
from synergy_tui.jobs.worker.executors.crew import GOING, Crew
from synergy_tui.jobs.worker.executors.making import Given, Wanted, raise_left
from synergy_tui.jobs.worker.executors.together import command
from synergy_tui.jobs.worker.progress import Progress

WORKERS = 2
"""Tasks of an array by default."""

LOOK = 3.0
"""Seconds between two looks at the queue."""

AGAIN = 3
"""Arrays in a row that may end without a new part."""

AT_WORK = ("PENDING", "CONFIGURING", "RUNNING", "COMPLETING", "REQUEUED", "RESIZING", "SUSPENDED", "REQUEUE_HOLD")


@dataclass
class _Queue:
    """A job's array. array: its id while it may be at work. fruitless: arrays in a row that ended without a part. left:
    parts that were missing when it was submitted. looked: when the queue was last looked at."""

    array: str | None = None
    fruitless: int = 0
    left: int = 0
    looked: float = 0.0


class OnSlurm(Crew):
    """Tasks of an array make all parts."""

    takes_part = False

    def __init__(self, job: JobFolder, progress: Progress, executor: Executor, device: str) -> None:
        super().__init__(job, progress, executor, device)
        self.size = executor.workers or WORKERS
        self._queue = _Queue()

    def begin(self, kind: Any, spec: Spec, given: Given) -> None:
        """Sets the work that the parts belong to. Makers take their data from the cache themselves."""
        super().begin(kind, spec, given)
        self._processes = spec.processes

    def close(self) -> None:
        """Ends the array. Once the job is at rest, running tasks would end by themselves, but queued ones would not."""
        if self._queue.array is None:
            return
        self._tell([], over=True)
        deadline = time.monotonic() + GOING
        while at_work(self._queue.array, "RUNNING") and time.monotonic() < deadline:
            time.sleep(0.3)
        _slurm("scancel", self._queue.array)
        self._queue.array = None

    def _look(self, left: Sequence[Wanted]) -> None:
        """Submits an array if no array is at work. Raises the error of a task, and JobError if arrays end without a
        part."""
        if time.monotonic() - self._queue.looked < LOOK:
            return
        self._queue.looked = time.monotonic()
        raise_left(self.job)
        if self._queue.array is not None and at_work(self._queue.array):
            return
        if self._queue.array is not None:
            self._queue.fruitless = self._queue.fruitless + 1 if len(left) == self._queue.left else 0
            if self._queue.fruitless >= AGAIN or (self._queue.fruitless and not self._seen()):
                raise JobError(*self._why())
        self._queue.left = len(left)
        self._queue.array = self._submit(min(self.size, len(left)) if len(left) > 1 else self.size)
        print(f"array {self._queue.array} submitted", flush=True)

    def _seen(self) -> bool:
        """Whether a task has reached the job's folder at all."""
        return any(self._logs.glob("*.out")) or bool(held.holders(self.job))

    def _why(self) -> tuple[str, str]:
        if not self._seen():
            where = f"{self.job.path} is not seen or cannot be written where Slurm's tasks run"
            return where, "use --cache with a folder that all hosts share"
        logs = sorted(self._logs.glob("*.err"), key=lambda one: one.stat().st_mtime)
        words = [line for one in logs[-1:] for line in one.read_text("utf-8", "replace").splitlines() if line.strip()]
        told = words[-1] if words else "they leave no message"
        return f"Slurm's tasks end without a part: {told}", f"see {self._logs}, then resume the job"

    @property
    def _logs(self) -> Any:
        return self.job.path / "slurm"

    def _submit(self, tasks: int) -> str:
        """Submits so many tasks as one array; returns its id. Raises JobError."""
        executor = submitit.SlurmExecutor(folder=str(self._logs), max_num_timeout=AGAIN)
        executor.update_parameters(**parameters(self.executor, self.job))
        work = submitit.helpers.CommandFunction(command(self.job.path, "auto", self._processes), verbose=False)
        self._logs.mkdir(exist_ok=True)
        try:
            if tasks == 1:
                return str(executor.submit(work).job_id)
            made = executor.map_array(lambda _: work(), range(tasks))
        except (submitit.core.utils.FailedJobError, subprocess.CalledProcessError, OSError) as error:
            raise JobError(
                f"sbatch refuses: {_reason(error)}", "mend the options of Slurm, then resume the job"
            ) from None
        return str(made[0].job_id.partition("_")[0])


def parameters(executor: Executor, job: JobFolder) -> dict[str, Any]:
    """The executor's options as submitit takes them."""
    out: dict[str, Any] = {
        "job_name": f"synergy-{job.id}",
        "use_srun": False,
        "array_parallelism": executor.workers or 256,
    }
    if executor.slurm_partition:
        out["partition"] = executor.slurm_partition
    if executor.slurm_gres:
        out["gres"] = executor.slurm_gres
    out["time"] = executor.slurm_time or longest(executor.slurm_partition)
    more = {}
    for one in executor.slurm_options:
        name, _, value = one.partition("=")
        more[name] = value if "=" in one else True
    return out | {"additional_parameters": more | {"requeue": True, "open-mode": "append"}}


def longest(partition: str | None) -> str:
    """The partition's own time limit: submitit would ask for five minutes."""
    chosen = [f"--partition={partition}"] if partition else []
    found = [line.split() for line in _slurm("sinfo", "--noheader", "--format=%P %l", *chosen).stdout.splitlines()]
    chosen = [one[1] for one in found if len(one) == 2 and (partition or one[0].endswith("*"))]
    limit = chosen[0] if chosen else "infinite"
    return "UNLIMITED" if limit in ("infinite", "n/a") else limit


def at_work(array: str, *states: str) -> bool:
    """Whether tasks of an array run, wait, or wait to be run again; or, if states are given, are in one of them."""
    got = _slurm("squeue", "--noheader", "--format=%T", f"--jobs={array}")
    if got.returncode:
        # Slurm forgets a job some minutes after its end; if the controller does not answer, nothing is known.
        return not states and "invalid job id" not in got.stderr.lower()
    return any(line.strip() in (states or AT_WORK) for line in got.stdout.splitlines())


def _slurm(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)


def _reason(error: Exception) -> str:
    lines = [line for line in str(getattr(error, "stderr", "") or error).splitlines() if "error" in line.lower()]
    return (lines or [str(error)])[-1].strip()[:200]
