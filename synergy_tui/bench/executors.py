"""`synergy-tui bench executors`: how much faster two workers are than one, and whether they find the same numbers. One
worker has one core, two have one each; Ray and Slurm likewise if they are available. Each job has parts of some ten
seconds of SmolLM2. It is measured as a whole (its stage, in which the other workers load their subject too) and by its
parts (how long they take side by side, against one after another)."""

from __future__ import annotations

import os
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from synergy_tui import settings
from synergy_tui.errors import JobError
from synergy_tui.jobs import plan, reach
from synergy_tui.jobs.folder import RESTING, JobFolder
from synergy_tui.jobs.specs import AblateRequest, CaptureRequest, DecomposeRequest, Executor, Spec
from synergy_tui.jobs.submit import submit
from synergy_tui.store import load
from synergy_tui.store.cache import Cache

STAGES = {"capture": "capture", "decompose": "surrogates", "ablate": "ablate"}
"""The measured stage of each kind of job."""

WORKERS = 2

EXECUTORS = {
    "two local workers": Executor(workers=WORKERS),
    "two workers of Ray": Executor(executor="ray", workers=WORKERS),
    "two tasks of Slurm": Executor(executor="slurm", workers=WORKERS),
}

MADE = re.compile(r"^(\S+) made on .* in ([0-9.]+) s$", re.MULTILINE)


def measure() -> dict[str, Any]:
    """By executor and kind of job, one worker's time divided by the time of two, and the largest difference of their
    numbers."""
    with tempfile.TemporaryDirectory() as folder:
        cache = Cache.open(Path(folder) / "cache")
        return _Measured(cache).all()


class _Measured:
    def __init__(self, cache: Cache) -> None:
        self.cache, self.data = cache, settings.load().data
        self.alone: dict[str, tuple[JobFolder, float, float]] = {}

    def all(self) -> dict[str, Any]:
        found: dict[str, Any] = {"cores": WORKERS, "seconds a part alone": {}}
        capture = self._alone("capture", plan.capture(self.data, self._capture()).spec)
        decomposed = self._alone("decompose", plan.decompose(self._maps(capture), 270, 24).spec)
        asked = AblateRequest(decomposition=decomposed, prompts=8, seeds=1, fractions=(0.1, 0.25), device="cpu")
        self._alone("ablate", plan.ablate(self.cache, self.data, asked).spec)
        for kind, (_, _, part) in self.alone.items():
            found["seconds a part alone"][kind] = part
        specs = [job.order().spec for job, _, _ in self.alone.values()]
        for name, executor in EXECUTORS.items():
            try:
                reach.check(executor, specs, self.cache.folder)
            except JobError as error:
                found[name] = error.what
                continue
            found[name] = {kind: self._against(kind, executor) for kind in STAGES}
        return found

    def _capture(self) -> CaptureRequest:
        return CaptureRequest(subject="smollm2", prompts=24, steps=64, batch=4, dtype="float32", device="cpu")

    def _maps(self, capture: str) -> DecomposeRequest:
        return DecomposeRequest(capture=capture, nulls=("prompt-shuffle", "window-roll"), surrogates=40, device="cpu")

    def _alone(self, kind: str, spec: Spec) -> str:
        """One worker with one core; the result's id."""
        with _one_core():
            job = self._done(submit(self.cache.folder, spec))
        self.alone[kind] = (job, _seconds(job, STAGES[kind]), _a_part(job, STAGES[kind]))
        return job.id

    def _against(self, kind: str, executor: Executor) -> dict[str, Any]:
        before, whole, part = self.alone[kind]
        job = self._done(submit(self.cache.folder, before.order().spec, executor=executor))
        same = _difference(self.cache, kind, before.id, job.id)
        found = {"whole": whole / _seconds(job, STAGES[kind])}
        if kind != "decompose":  # its blocks depend on the number of workers
            found["by parts"] = WORKERS * part / _a_part(job, STAGES[kind])
        print(kind, executor.executor, found, same, file=sys.stderr, flush=True)
        return found | {"largest difference": same}

    def _done(self, job: JobFolder) -> JobFolder:
        while (status := job.status())["state"] not in RESTING:
            time.sleep(0.1)
        if status["state"] != "done":
            raise JobError(f"job {job.id} {status['state']}: {status['error']}")
        return job


@contextmanager
def _one_core() -> Iterator[None]:
    """Processes started within the context have one core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _seconds(job: JobFolder, stage: str) -> float:
    """Total seconds of all stages of that name."""
    return sum(one["seconds"] for one in job.status()["stages"] if one["name"] == stage)


def _a_part(job: JobFolder, stage: str) -> float:
    """Mean seconds of a part of the stage, as its worker reports them."""
    logs = [job.log, *sorted((job.path / "slurm").glob("*.out"))]
    told = [one for log in logs for one in MADE.findall(log.read_text("utf-8"))]
    first = {"capture": "batch", "surrogates": ("prompt-shuffle", "window-roll"), "ablate": ""}[stage]
    found = [float(seconds) for name, seconds in told if name.startswith(first)]
    return statistics.mean(found) if found else float("nan")


def _difference(cache: Cache, kind: str, one: str, other: str) -> float:
    """Largest difference between two results of one spec: in norms, z or divergences."""
    if kind == "capture":
        first, second = (load.series(cache, name) for name in (one, other))
    elif kind == "decompose":
        query = "SELECT z FROM unit_nulls WHERE decomposition = $1 ORDER BY null_name, score, unit_index"
        first, second = (np.array([row["z"] for row in load.rows(cache, query, name)]) for name in (one, other))
    else:
        query = "SELECT divergence FROM ablation_curves WHERE ablation = $1 ORDER BY ALL"
        first, second = (
            np.array([row["divergence"] for row in load.rows(cache, query, name)]) for name in (one, other)
        )
    return float(np.nanmax(np.abs(first - second)))
