"""Who makes the parts of a running job: the job's own worker and its helpers, or only other processes. The finished
parts in the job's folder are the truth: a part that is there is done, whoever made it."""

from __future__ import annotations

import contextlib
import copy
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synergy_tui import settings
from synergy_tui.jobs import devices, held, parts
from synergy_tui.jobs.folder import JobFolder, write_json
from synergy_tui.jobs.held import Holder
from synergy_tui.jobs.specs import LOCAL, Executor, Spec, as_json
from synergy_tui.jobs.worker.executors.making import Given, Hearing, Maker, Wanted, Within, keep_given
from synergy_tui.jobs.worker.progress import Progress
from synergy_tui.phiid import threads

POLL = 0.05
"""Seconds between two looks for parts that others make."""

GOING = 3.0
"""Seconds that helpers have to end; the part that one is still making then is lost."""

BEAT = 5.0
"""Seconds between two signs of life of a process that makes a part."""

Whole = Callable[[str], bool]
"""Whether an existing part can be used; otherwise it is made again."""


class Counted:
    """Counts the progress of one part: never more than its weight, and all of it in the end."""

    def __init__(self, progress: Progress, weight: float) -> None:
        self._progress, self._left = progress, weight

    def check(self) -> None:
        """Raises Cancelled or Paused."""
        self._progress.check()

    def advance(self, parts: float = 1) -> None:
        """Counts some of the part."""
        self.check()
        some = min(parts, self._left)
        if some:
            self._left -= some
            self._progress.advance(some)

    def rest(self) -> None:
        """Counts the rest of the part."""
        self.advance(self._left)


class Crew:
    """The job's own worker makes all parts that no other process makes. Others join it with `jobs work`."""

    takes_part = True
    """Whether the job's own worker makes parts."""

    size = 1
    """Workers that can be counted on."""

    def __init__(
        self, job: JobFolder, progress: Progress, executor: Executor = LOCAL, device: str | None = None
    ) -> None:
        self.job, self.progress, self.executor = job, progress, executor
        self.me = Holder.me(device or "cpu")
        self._maker: Any = None

    def begin(self, kind: Any, spec: Spec, given: Given) -> None:
        """Sets the work that the parts belong to. kind: the module."""
        if isinstance(self.job, Within):
            keep_given(self.job, given)
        self._kind, self._spec, self._given = kind, spec, given

    @property
    def maker(self) -> Any:
        """The Maker of this process, made at its first use; a process that makes no part never makes one."""
        if self._maker is None:
            self._maker = self._kind.Maker(self._spec, self._given, self._report)
        return self._maker

    def make(self, wanted: Sequence[Wanted], whole: Whole = lambda _: True, **stage: Any) -> None:
        """Returns when all parts are there. stage: as Progress.stage takes it; without it, the parts belong to the
        present stage. Raises the errors of the work on a part."""
        there = parts.there(self.job)
        kept, missing = [], []
        for one in wanted:
            if one.name in there and whole(one.name):
                kept.append(one)
                continue
            if one.name in there:
                parts.remove(self.job, one.name)
            missing.append(one)
        if missing and self.takes_part:
            _ = self.maker  # before the stage, because loading has stages of its own
        if stage:
            self.progress.stage(**stage)
        if known := sum(one.weight for one in kept):
            self.progress.skip(known)
        if missing:
            self._tell(missing)
            self._make(missing)

    def within(self, job: Within, progress: Progress) -> Crew:
        """The same crew for a part of the job that has parts of its own. The crew stays when they are there."""
        made = copy.copy(self)
        made.job, made.progress, made._maker = job, progress, None
        return made

    def over(self) -> None:
        """Says that no more parts are wanted for now, so that helpers may end. Those of a part of the job stay for the
        next one."""
        if not isinstance(self.job, Within):
            self.close()

    def close(self) -> None:
        """Lets all helpers end."""

    def _tell(self, missing: Sequence[Wanted], over: bool = False) -> None:
        """Writes the wanted parts for helpers. over: no parts for now, so that helpers may end."""
        content: dict[str, Any] = {"parts": [[one.name, one.given] for one in missing], "over": over}
        if isinstance(self.job, Within):
            content["within"] = {"name": self.job.inner, "spec": as_json(self._spec)}
        write_json(self.job.wanted, content)

    def _make(self, missing: Sequence[Wanted]) -> None:
        left = {one.name: one for one in missing}
        while left:
            took = self._take(list(left.values()))
            there = parts.there(self.job)
            for name in [one for one in left if one in there]:
                if (one := left.pop(name)).weight and name != took:
                    self.progress.advance(one.weight)
            if took is None and left:
                self.progress.check()
                self._look(list(left.values()))
                time.sleep(POLL)

    def _take(self, left: Sequence[Wanted]) -> str | None:
        """Makes one part; None if others are making all that are left."""
        for one in left:
            counted = Counted(self.progress, one.weight)
            if self.takes_part and make(self.job, one, self.maker, self.me, counted):
                counted.rest()
                return one.name
        return None

    def _look(self, left: Sequence[Wanted]) -> None:
        """Checks that the makers of the remaining parts go on. Raises SynergyError if they do not."""

    def _report(self, name: str, detail: str) -> None:
        self.progress.stage(name, detail=detail)


class Helpers(Crew):
    """The job's own worker and helpers on this machine: one per GPU, or as many as the user asked for, which share the
    cores."""

    def __init__(self, job: JobFolder, progress: Progress, executor: Executor, device: str) -> None:
        super().__init__(job, progress, executor, device)
        self.size = team(executor, device)
        self._others: list[subprocess.Popen[bytes]] = []

    def _make(self, missing: Sequence[Wanted]) -> None:
        for number in range(len(self._others) + 1, min(self.size, len(missing))):
            self._others.append(self._start(number, self.size))
        super()._make(missing)

    def close(self) -> None:
        if self._others:
            self._tell([], over=True)
            let_go(self._others, GOING)
        self._others = []
        if _cores:
            os.sched_setaffinity(0, _cores)

    def _start(self, number: int, count: int) -> subprocess.Popen[bytes]:
        place = place_of(number, count, self.me.device)
        return subprocess.Popen(
            [sys.executable, "-m", "synergy_tui.jobs.worker.executors.helper", str(self.job.path), *place],
            stdin=subprocess.DEVNULL,
            env=settings.worker_environment(self.job.cache),
        )


def team(executor: Executor, device: str) -> int:
    """The number of workers on this machine. device: as devices.choose gives it."""
    if device.startswith("cuda"):
        there = len(devices.gpus())
        return min(executor.workers or there, there) if device == "cuda" and there else 1
    return executor.workers or 1


def place_of(number: int, count: int, device: str) -> list[str]:
    """Arguments of a helper: its device, and its cores."""
    if device == "cuda":
        return [f"cuda:{number}"]
    # Cores go by name, because a process has no more cores than the one that starts it.
    return [device, ",".join(map(str, sorted(devices.share(number, count, _cores or None))))]


def share_cores(count: int) -> None:
    """Keeps this process to the first of so many shares of the cores. Must run before torch and JAX load: they make a
    thread for each core they may use."""
    if hasattr(os, "sched_getaffinity"):
        _cores.update(os.sched_getaffinity(0))
        keep_to(devices.share(0, count))


def keep_to(cores: Collection[int]) -> None:
    """Keeps this process to some cores."""
    if cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)


def keep_to_slurm() -> None:
    """Sets as many threads as Slurm has given cores, because it may not enforce that number. Must run before torch and
    JAX load."""
    if (cores := settings.slurm_cores()) is not None:
        settings.limit_threads(cores)
        threads.limit(cores)


_cores: set[int] = set()
"""The cores of this process before it was kept to a share of them."""


def make(job: JobFolder, wanted: Wanted, maker: Maker, me: Holder, hearing: Hearing) -> bool:
    """Makes a part and keeps it; False if it is there or another process makes it. Raises the errors of the work."""
    if wanted.name in parts.there(job) or not held.claim(job, wanted.name, me):
        return False
    began = time.monotonic()
    try:
        with beating(lambda: held.still(job, wanted.name)):
            parts.keep(job, wanted.name, maker.make(wanted, hearing))
    finally:
        held.release(job, wanted.name)
    print(f"{wanted.name} made on {me.told} in {time.monotonic() - began:.2f} s", flush=True)
    return True


@contextlib.contextmanager
def beating(say: Callable[[], None]) -> Iterator[None]:
    """Within the context `say` is called every few seconds."""
    stop = threading.Event()

    def beat() -> None:
        while not stop.wait(BEAT):
            say()

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@dataclass(frozen=True)
class Now:
    """The parts that a job's worker waits for. over: no parts, so that helpers may end. within: name and spec of the
    part of the job that they belong to."""

    parts: Sequence[Wanted] = ()
    over: bool = False
    within: Mapping[str, Any] | None = None


def wanted_now(job: JobFolder) -> Now:
    """The parts as the worker wrote them; empty if it wrote none. Names become paths, so a name that leads elsewhere is
    refused."""
    try:
        content = json.loads(job.wanted.read_text("utf-8"))
        wanted = [Wanted(str(name), given=dict(given)) for name, given in content["parts"]]
        within = content.get("within")
        names = [one.name for one in wanted] + ([str(within["name"])] if within else [])
        if any(Path(name).name != name for name in names):
            return Now()
        return Now(wanted, content.get("over") is True, within)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return Now()


def let_go(processes: Sequence[subprocess.Popen[bytes]], patience: float) -> None:
    """Waits for helpers to end; kills those that do not."""
    deadline = time.monotonic() + patience
    for one in processes:
        with contextlib.suppress(subprocess.TimeoutExpired):
            one.wait(timeout=max(deadline - time.monotonic(), 0))
    for one in processes:
        if one.poll() is None:
            one.terminate()
    for one in processes:
        with contextlib.suppress(subprocess.TimeoutExpired):
            one.wait(timeout=5)
            continue
        one.kill()
        one.wait()
