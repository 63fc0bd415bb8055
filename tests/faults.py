"""The fault harness: real jobs of a real (tiny, or SmolLM2) subject are killed, starved, stopped and confused at random
moments, resumed, and held against an undisturbed run. `make faults` prints the table that the documentation has.

    python tests/faults.py --trials 200 [--subject smollm2] [--seed 0]
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil

sys.path.insert(0, str(Path(__file__).parent))

from conftest import make_tiny, until

from synergy_tui.bench.explorer import Terminal
from synergy_tui.jobs import folder, plan, submit
from synergy_tui.jobs.folder import RESTING, JobFolder
from synergy_tui.jobs.specs import AblateRequest, CaptureRequest, DecomposeRequest
from synergy_tui.settings import load as load_settings
from synergy_tui.store import check, load, publish
from synergy_tui.store.cache import Cache

KINDS = ("capture", "decompose", "ablate")
VICTIMS = ("worker", "worker at publish", "command", "explorer")
FAULTS = ("disk full", "file too large", "stopped", "clock jumps", "read-only")

ENDS = 300.0
"""Seconds in which every job ends."""

JUMPING_CLOCK = """
import os, random, sys, time
if "synergy_tui.jobs.worker" in sys.orig_argv:
    real, chance = time.time, random.Random(os.getpid())
    time.time = lambda: real() + chance.choice((-86_400, 0, 86_400))
"""


@dataclass
class Trial:
    """What one fault did. kept: no shard that was finished was made again. equal: the numbers are the undisturbed
    run's. problems: what `cache check` found at the end; files of a publication that did not end are none."""

    kind: str
    fault: str
    resumed: bool = False
    kept: bool = True
    equal: bool = False
    problems: list[str] = field(default_factory=list)
    error: str = ""

    @property
    def good(self) -> bool:
        return self.kept and self.equal and not self.problems and not self.error


class Harness:
    """One cache with an undisturbed chain in it, on which faults are tried."""

    def __init__(self, home: Path, subject: str, seed: int, real: bool = False) -> None:
        self.home, self.chance = home, random.Random(seed)
        self.cache = Cache.open(home / "cache")
        self.data = load_settings().data
        self.plans: dict[str, plan.Plan[Any]] = {}
        self.length: dict[str, float] = {}
        self.numbers: dict[str, list[Any]] = {}
        size = {"prompts": 6, "steps": 24, "batch": 2} if real else {"prompts": 8, "steps": 40, "batch": 1}
        self.plans["capture"] = plan.capture(self.data, CaptureRequest(subject=subject, device="cpu", **size))
        self.base = self._undisturbed("capture")
        units = load.one(self.cache, "capture", self.base)
        many = units["layers"] * units["units_per_layer"]
        null = {"surrogates": 20 if real else 200, "nulls": ("window-roll",)}
        asked = DecomposeRequest(capture=self.base, device="cpu", **null)
        self.plans["decompose"] = plan.decompose(asked, many, units["valid_prompts"])
        decomposition = self._undisturbed("decompose")
        self.plans["ablate"] = plan.ablate(
            self.cache,
            self.data,
            AblateRequest(
                decomposition=decomposition,
                orders=("synergy-first", "random"),
                seeds=2 if real else 20,
                fractions=(0.25, 0.5),
                prompts=2,
                batch=2,
                device="cpu",
            ),
        )
        self._undisturbed("ablate")

    def kill(self, kind: str, victim: str) -> Trial:
        """`kill -9` of a worker at any moment or while it publishes, of a command that follows its job, or of an
        explorer that watches it."""
        trial = Trial(kind, f"kill -9, {victim}")
        if victim == "command":
            job = self._by_command(kind)
        elif victim == "explorer":
            terminal = Terminal(["explore", "--cache", str(self.cache.folder)], self.home)
            time.sleep(self.chance.uniform(0.2, 2))
            job = self._submit(kind)
            time.sleep(self.chance.uniform(0, self.length[kind]))
            os.killpg(terminal.process.pid, signal.SIGKILL)
            terminal.process.wait()
        else:
            job = self._submit(kind)
            if victim == "worker":
                time.sleep(self.chance.uniform(0, self.length[kind] * 1.1))
            else:
                until(lambda: self._publishes(job), ENDS)
                time.sleep(self.chance.uniform(0, 0.4))
            job.end_worker()
        return self._ended(trial, job)

    def starve(self, kind: str) -> Trial:
        """No file may grow beyond a few kilobytes, as on a full disk, until the job has failed or done without."""
        trial = Trial(kind, "file too large")
        job = self._submit(kind)
        self._under_way(job)
        if (pid := job._worker()) is not None:
            most = self.chance.choice((0, 500, 5_000))
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))
        return self._ended(trial, job)

    def stop(self, kind: str) -> Trial:
        """SIGSTOP, and SIGCONT two seconds later."""
        trial = Trial(kind, "stopped")
        job = self._submit(kind)
        self._under_way(job)
        if (pid := job._worker()) is not None:
            os.kill(pid, signal.SIGSTOP)
            time.sleep(2)
            if processes_alive(pid):
                os.kill(pid, signal.SIGCONT)
        return self._ended(trial, job)

    def jump(self, kind: str) -> Trial:
        """The worker's clock jumps by a day, back and forth."""
        trial = Trial(kind, "clock jumps")
        place = self.home / "clock"
        place.mkdir(exist_ok=True)
        (place / "sitecustomize.py").write_text(JUMPING_CLOCK)
        before = os.environ.get("PYTHONPATH")
        os.environ["PYTHONPATH"] = str(place)
        try:
            job = self._submit(kind)
        finally:
            os.environ.pop("PYTHONPATH")
            if before:
                os.environ["PYTHONPATH"] = before
        return self._ended(trial, job)

    def on_a_small_disk(self, kind: str, fault: str) -> Trial:
        """A disk of its own that is full, or turns read-only, while the job runs. Needs root."""
        trial = Trial(kind, fault)
        place = self.home / "disk"
        place.mkdir(exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(place)], check=True)
        try:
            subprocess.run(["cp", "-r", f"{self.cache.folder}/.", str(place)], check=True)
            here = Harness.__new__(Harness)
            here.__dict__ |= self.__dict__ | {"cache": Cache.open(place)}
            job = here._submit(kind)
            self._under_way(job)
            filler = place / "filler"
            if fault == "disk full":
                with open(filler, "wb", buffering=0) as file, suppress_full():
                    while True:
                        file.write(b"x" * 65_536)
            else:
                # Refused while a file is open for writing, which is most of the time.
                turned = ["mount", "-o", "remount,ro", str(place)]
                until(lambda: subprocess.run(turned, check=False, stderr=subprocess.DEVNULL).returncode == 0)
            until(lambda: processes_alive(job._worker()) is False, ENDS)
            if fault == "disk full":
                filler.unlink()
            else:
                subprocess.run(["mount", "-o", "remount,rw", str(place)], check=True)
            return here._ended(trial, job)
        finally:
            subprocess.run(["umount", "-l", str(place)], check=False)

    # Parts of a trial

    def _submit(self, kind: str) -> JobFolder:
        asked = self.plans[kind]
        return submit.submit(self.cache.folder, asked.spec)

    def _by_command(self, kind: str) -> JobFolder:
        known = {job.id for job in folder.every(self.cache.folder)}
        words = self.plans[kind].spec.words()
        line = [sys.executable, "-m", "synergy_tui", *words, "--cache", str(self.cache.folder)]
        command = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        new = until(lambda: [job for job in folder.every(self.cache.folder) if job.id not in known], 60)
        time.sleep(self.chance.uniform(0, self.length[kind]))
        command.kill()
        command.wait()
        return new[0]

    def _publishes(self, job: JobFolder) -> bool:
        status = job.status()
        return status["stage"] == "publish" or status["state"] in RESTING

    def _under_way(self, job: JobFolder) -> None:
        """Some moment at which the job runs."""
        until(lambda: job.status()["state"] != "queued", 60)
        time.sleep(self.chance.uniform(0, self.length[job.id[0]]))

    def _ended(self, trial: Trial, job: JobFolder) -> Trial:
        """Resumes the job until it is done, and holds it against the undisturbed one."""
        try:
            for _ in range(4):
                status = until(lambda: (now := job.status())["state"] in RESTING and now, ENDS)
                if status["state"] == "done":
                    break
                until(lambda: not job.worker_lock_taken(), 60)
                shards = {path: path.stat().st_mtime_ns for path in job.shards.glob("[!.]*")}
                trial.resumed = True
                submit.resume(self.cache.folder, job)
                self._watch_shards(trial, job, shards)
            trial.equal = status["state"] == "done" and self._same(trial.kind, job.id)
            if status["state"] != "done":
                trial.error = str(status["error"])
            trial.problems = [one for one in check.check(self.cache) if "did not end" not in one]
            publish.delete(self.cache, job.id)
        except Exception as error:
            trial.error = f"{type(error).__name__}: {error}"
        return trial

    def _watch_shards(self, trial: Trial, job: JobFolder, before: dict[Path, int]) -> None:
        """Whether the shards that were there stay as they are until the job is done and they go with it."""

        def over() -> bool:
            for path, when in before.items():
                try:
                    trial.kept = trial.kept and path.stat().st_mtime_ns == when
                except FileNotFoundError:
                    trial.kept = trial.kept and job.status()["state"] == "done"
            return job.status()["state"] in RESTING

        until(over, ENDS)

    def _undisturbed(self, kind: str) -> str:
        began = time.monotonic()
        job = self._submit(kind)
        status = until(lambda: (now := job.status())["state"] in RESTING and now, ENDS)
        assert status["state"] == "done", status
        self.length[kind] = self.length[kind[0]] = time.monotonic() - began
        self.numbers[kind] = numbers(self.cache, kind, job.id)
        return job.id

    def _same(self, kind: str, result: str) -> bool:
        return same(self.numbers[kind], numbers(self.cache, kind, result))


def numbers(cache: Cache, kind: str, result: str) -> list[Any]:
    """All that a job of a kind measured."""

    def rows(query: str) -> list[Any]:
        return load.rows(cache, query, result)

    if kind == "capture":
        asked = "SELECT prompt, tokens, ended, text FROM responses WHERE capture = $1 ORDER BY prompt"
        return [load.series(cache, result), rows(asked)]
    if kind == "decompose":
        queries = (
            "SELECT * EXCLUDE (decomposition) FROM unit_scores WHERE decomposition = $1 ORDER BY unit_index, score",
            "SELECT * EXCLUDE (decomposition) FROM layer_profiles WHERE decomposition = $1 ORDER BY ALL",
            "SELECT * EXCLUDE (decomposition) FROM surrogate_contrasts WHERE decomposition = $1 ORDER BY ALL",
            "SELECT * EXCLUDE (decomposition) FROM pairs WHERE decomposition = $1 ORDER BY x, y",
        )
        return [rows(query) for query in queries]
    return [rows("SELECT * EXCLUDE (ablation) FROM ablation_prompts WHERE ablation = $1 ORDER BY ALL")]


def same(some: list[Any], others: list[Any]) -> bool:
    """Whether two of those are equal to the last bit."""
    return all(
        np.array_equal(one, other, equal_nan=True) if isinstance(one, np.ndarray) else repr(one) == repr(other)
        for one, other in zip(some, others, strict=True)
    )


class suppress_full:
    """Until there is no room."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, *_: object) -> bool:
        return kind is OSError


def processes_alive(pid: int | None) -> bool:
    return pid is not None and psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def trials(harness: Harness, count: int) -> list[tuple[str, Callable[[], Trial]]]:
    """`count` kills evenly over what is killed, then a twentieth as many of every other fault."""
    out: list[tuple[str, Callable[[], Trial]]] = []
    for number in range(count):
        kind, victim = KINDS[number % 3], VICTIMS[number // 3 % 4]
        out.append((victim, lambda kind=kind, victim=victim: harness.kill(kind, victim)))
    for _ in range(max(count // 20, 1)):
        kind = harness.chance.choice(KINDS)
        out.append(("file too large", lambda kind=kind: harness.starve(kind)))
        out.append(("stopped", lambda kind=kind: harness.stop(kind)))
        out.append(("clock jumps", lambda kind=kind: harness.jump(kind)))
        if os.geteuid() == 0:
            for fault in ("disk full", "read-only"):
                out.append((fault, lambda kind=kind, fault=fault: harness.on_a_small_disk(kind, fault)))
    return out


def table(found: list[Trial]) -> str:
    """The trials by fault and kind of job, as Markdown."""
    by: dict[tuple[str, str], list[Trial]] = defaultdict(list)
    for one in found:
        by[one.fault, one.kind].append(one)
    lines = [
        "| fault | job | trials | resumed | shards lost | results differ | corrupt | did not end |",
        "|" + "---|" * 8,
    ]
    for (fault, kind), some in sorted(by.items()):
        counts = (
            len(some),
            sum(one.resumed for one in some),
            sum(not one.kept for one in some),
            sum(not one.equal for one in some),
            sum(bool(one.problems) for one in some),
            sum(bool(one.error) for one in some),
        )
        lines.append(f"| {fault} | {kind} | " + " | ".join(map(str, counts)) + " |")
    return "\n".join(lines)


def main() -> int:
    """Runs the trials one after the other; exit status 1 when one did not end well."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--trials", type=int, default=200)
    asked.add_argument("--seed", type=int, default=0)
    asked.add_argument("--subject", default="")
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch)
        subject = given.subject or str(make_tiny(home / "tiny"))
        harness = Harness(home, subject, given.seed, real=bool(given.subject))
        found = []
        for number, (name, run) in enumerate(trials(harness, given.trials), 1):
            trial = run()
            found.append(trial)
            told = "good" if trial.good else f"NOT GOOD: {trial}"
            print(
                f"{number} {name} {trial.kind}{' resumed' if trial.resumed else ''} {told}", file=sys.stderr, flush=True
            )
    print(table(found))
    return 0 if all(one.good for one in found) else 1


if __name__ == "__main__":
    sys.exit(main())
