"""A model that several processes of this machine hold together: torchrun starts them, the first takes parts, and the
others take every step with the first."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from synergy_tui import settings
from synergy_tui.errors import JobError
from synergy_tui.jobs import devices
from synergy_tui.jobs.folder import JobFolder
from synergy_tui.jobs.specs import Executor
from synergy_tui.jobs.worker.executors.crew import GOING, Crew, let_go
from synergy_tui.jobs.worker.executors.making import Wanted, raise_left
from synergy_tui.jobs.worker.progress import Progress


class Together(Crew):
    """Groups of processes make all parts, each group as one worker."""

    takes_part = False

    def __init__(self, job: JobFolder, progress: Progress, executor: Executor, device: str, processes: int) -> None:
        """Raises JobError if there are not that many GPUs."""
        super().__init__(job, progress, executor, device)
        self._processes, self._groups = processes, []  # type: int, list[subprocess.Popen[bytes]]
        self._device = device.partition(":")[0]
        there = len(devices.gpus())
        if self._device == "cuda" and there < processes:
            raise JobError(f"{processes} processes need as many GPUs, and there are {there}", "use a smaller number")
        self.size = executor.workers or (there // processes if self._device == "cuda" else 1)

    def close(self) -> None:
        """Lets the groups end. torchrun ends its processes when it is asked to end."""
        if self._groups:
            self._tell([], over=True)
            let_go(self._groups, GOING)
        self._groups = []

    def _make(self, missing: Sequence[Wanted]) -> None:
        for number in range(len(self._groups), min(self.size, len(missing))):
            self._groups.append(self._start(number))
        super()._make(missing)

    def _look(self, left: Sequence[Wanted]) -> None:
        raise_left(self.job)
        if all(one.poll() is not None for one in self._groups):
            raise_left(self.job)
            raise JobError(
                f"the {self._processes} processes of the model ended", f"synergy-tui jobs logs {self.job.id}"
            )

    def _start(self, number: int) -> subprocess.Popen[bytes]:
        environment = settings.worker_environment(self.job.cache)
        environment.setdefault("OMP_NUM_THREADS", str(max(devices.cores() // (self._processes * self.size), 1)))
        if self._device == "cuda":
            first = number * self._processes
            environment["CUDA_VISIBLE_DEVICES"] = ",".join(devices.gpus()[first : first + self._processes])
        words = command(self.job.path, self._device, self._processes)
        return subprocess.Popen(words, stdin=subprocess.DEVNULL, env=environment)


def command(folder: Path, device: str, processes: int) -> list[str]:
    """The command that makes parts of a job in a process, or in several that hold the model together."""
    helper = ["-m", "synergy_tui.jobs.worker.executors.helper", str(folder), device]
    if processes == 1:
        return [sys.executable, *helper]
    run = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    return [sys.executable, *run, *helper]
