"""The cluster harness: real jobs, started by the real command, on a Ray cluster of three nodes and on a Slurm of two,
while nodes, tasks and coordinators are killed; and what is answered where a cluster cannot be used. `make cluster`
prints the tables that the documentation has.

    python tests/cluster.py [ray] [slurm] [speed] [refusals] [--only FAULT]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil

sys.path.insert(0, str(Path(__file__).parent))

import gathering
import ray_nodes
import slurm
from conftest import make_tiny, until
from faults import KINDS, numbers, same
from ray_nodes import begins, changed, path_with
from witness import Witness

from synergy_tui.jobs import folder
from synergy_tui.jobs.folder import RESTING, JobFolder
from synergy_tui.store import check
from synergy_tui.store.bulk import whole
from synergy_tui.store.cache import Cache

ENDS = 400.0
"""Seconds in which every job ends."""

SLOWER = {"capture": 0.5, "decompose": 0.5, "ablate": 0.3}
"""Seconds that a part takes longer, so that there is a middle."""

CAPTURED = "--prompts 16 --steps 24 --batch 1 --device cpu"

WORKERS = ("--workers", "3")
"""Decompositions are cut by the number of workers; it is the same everywhere."""


@dataclass
class Trial:
    """What one fault did to one job. parts: that were made. lost: finished ones whose file was written anew. again:
    parts begun more than once; most: how often at most. ended: how often at most a part was made to its end. apart:
    largest relative difference from the local run, 0 where all is equal to the last bit."""

    executor: str
    fault: str
    kind: str
    parts: int = 0
    lost: int = 0
    again: int = 0
    most: int = 0
    ended: int = 0
    apart: float = math.inf
    seconds: float = 0.0
    error: str = ""

    @property
    def good(self) -> bool:
        return not self.lost and self.most <= 2 and self.apart == 0 and not self.error


@dataclass(frozen=True)
class Answer:
    """What a command said that cannot be done. left: jobs it left behind."""

    what: str
    code: int
    words: str
    seconds: float
    left: int

    @property
    def good(self) -> bool:
        one_line = len(self.words.strip().splitlines()) == 1 and "Traceback" not in self.words
        return self.code in (1, 2) and one_line and not self.left


class Harness:
    """A cache with an undisturbed local capture in it, and with the chain that goes on from it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.witness = Witness(home / "witness")
        self.cache = Cache.open(home / "cache")
        # 192 units: a decomposition for three workers has four blocks, and as many of each null.
        size = {"hidden_size": 48, "num_hidden_layers": 16, "num_attention_heads": 12, "num_key_value_heads": 4}
        self.subject = str(make_tiny(home / "tiny", **size, head_dim=4))
        self.words: dict[str, list[str]] = {}
        self.numbers: dict[str, list[Any]] = {}
        self.words["capture"] = ["capture", self.subject, *CAPTURED.split()]
        self.base = self._undisturbed("capture")

    def chain(self) -> None:
        """Also a decomposition and an ablation."""
        if "ablate" in self.numbers:
            return
        nulls = "--surrogates 20 --null prompt-shuffle --null window-roll --device cpu"
        self.words["decompose"] = ["decompose", self.base, *nulls.split()]
        ablated = "--orders synergy-first,random --seeds 8 --fractions 0.25,0.5 --prompts 2 --batch 2 --device cpu"
        self.words["ablate"] = ["ablate", self._undisturbed("decompose"), *ablated.split()]
        self._undisturbed("ablate")

    def command(self, *words: str, **environment: str | None) -> subprocess.CompletedProcess[str]:
        """The real command on the cache."""
        line = [sys.executable, "-m", "synergy_tui", *words, "--cache", str(self.cache.folder)]
        with changed(environment):
            return subprocess.run(line, capture_output=True, text=True, timeout=ENDS, check=False)

    def submit(self, kind: str, *how: str) -> JobFolder:
        """Starts a job and leaves it alone."""
        self.witness.slow(SLOWER[kind])
        self.witness.anew()
        got = self.command(*self.words[kind], *how, "--detach", "--json")
        assert got.returncode == 0, got.stderr
        return JobFolder(self.cache.jobs / json.loads(got.stdout)["job"])

    def middle(self, job: JobFolder, share: float = 0.3) -> None:
        """Waits until some parts of the last stage are made and some are being made."""
        name = {"capture": "capture", "decompose": "surrogates", "ablate": "ablate"}[job.status()["kind"]]

        def reached() -> bool:
            status = job.status()
            assert status["state"] not in RESTING, f"too early at rest: {status}"
            stage = status["stages"][-1] if status["stages"] else {}
            enough = stage.get("name") == name and stage["done"] >= share * stage["total"]
            return bool(enough and self.witness.seen().at_work)

        until(reached, ENDS)

    def rest(self, job: JobFolder) -> dict[str, Any]:
        """The status of a job once it is at rest."""
        return until(lambda: (now := job.status())["state"] in RESTING and now, ENDS)

    def trial(self, executor: str, fault: str, kind: str, does: Callable[[JobFolder], None], *how: str) -> Trial:
        """Submits a job, disturbs it in the middle, waits for its end and holds it against the local run."""
        trial, began = Trial(executor, fault, kind), time.monotonic()
        try:
            job = self.submit(kind, *how)
            with self._watched(job, trial):
                does(job)
                status = self.rest(job)
            if status["state"] != "done":
                trial.error = f"{status['state']}: {status['error']}"
            else:
                trial.apart = apart(self.numbers[kind], numbers(self.cache, kind, job.id))
                self._count(trial)
                trial.error = "; ".join(one for one in check.check(self.cache) if "did not end" not in one)
        except Exception as error:
            trial.error = f"{type(error).__name__}: {error}"
        trial.seconds = time.monotonic() - began
        print(f"{'good' if trial.good else 'NOT GOOD'} {trial}", file=sys.stderr, flush=True)
        return trial

    def refused(self, what: str, *words: str, follows: bool = False, **environment: str | None) -> Answer:
        """What a capture is answered that cannot be done. follows: to its end; its folder may be left then."""
        before = {one.name for one in self.cache.jobs.iterdir()}
        began = time.monotonic()
        how = ["--quiet"] if follows else ["--detach"]
        got = self.command(*self.words["capture"], *words, *how, **environment)
        took = time.monotonic() - began
        if follows:
            before |= {one.name for one in self.cache.jobs.iterdir()}
        left = len({one.name for one in self.cache.jobs.iterdir()} - before)
        shown = [line for line in got.stderr.splitlines() if "will take" not in line]
        answer = Answer(what, got.returncode, "\n".join(shown), took, left)
        print(f"{'good' if answer.good else 'NOT GOOD'} {answer}", file=sys.stderr, flush=True)
        return answer

    def close(self) -> None:
        """Ends the workers of jobs that have not ended."""
        for job in folder.every(self.cache.folder):
            job.end_worker()

    def resume(self, job: JobFolder) -> None:
        """By the command, once nobody has the job."""
        until(lambda: not job.worker_lock_taken(), 60)
        got = self.command("jobs", "resume", job.id)
        assert got.returncode == 0, got.stderr

    @contextlib.contextmanager
    def _watched(self, job: JobFolder, trial: Trial) -> Iterator[None]:
        """Within the context the files of finished parts are looked at: none may change."""
        import threading

        known: dict[str, int] = {}
        changed_: set[str] = set()
        stop = threading.Event()

        def look() -> None:
            while not stop.wait(0.05):
                for path in job.shards.glob("[!.]*"):
                    with contextlib.suppress(OSError):
                        if known.setdefault(path.name, when := path.stat().st_mtime_ns) != when:
                            changed_.add(path.name)

        thread = threading.Thread(target=look, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
            trial.lost += len(changed_)

    def _count(self, trial: Trial) -> None:
        seen = self.witness.seen()
        trial.parts = len(seen.ended)
        trial.again = sum(count > 1 for count in seen.begun.values())
        trial.most = max(seen.begun.values())
        trial.ended = max(seen.ended.values())

    def _undisturbed(self, kind: str) -> str:
        job = self.submit(kind, *WORKERS)
        status = self.rest(job)
        assert status["state"] == "done", status
        self.numbers[kind] = numbers(self.cache, kind, job.id)
        return job.id


def apart(some: list[Any], others: list[Any]) -> float:
    """Largest relative difference of numbers; 0 where all is equal to the last bit, infinite where what is no number
    differs."""
    return 0.0 if same(some, others) else max(map(_apart, some, others), default=0.0)


def _apart(one: Any, other: Any) -> float:
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        return max((_apart(one[key], other[key]) for key in one), default=0.0)
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return max(map(_apart, one, other), default=0.0)
    if isinstance(one, np.ndarray):
        if one.shape != other.shape or (np.isnan(one) != np.isnan(other)).any():
            return math.inf
        return float(np.nanmax(np.abs(one - other) / (1 + np.abs(one)), initial=0.0))
    if isinstance(one, float) and isinstance(other, float):
        return 0.0 if repr(one) == repr(other) else abs(one - other) / (1 + abs(one))
    return 0.0 if repr(one) == repr(other) else math.inf


# Ray


def on_ray(harness: Harness, only: str) -> list[Trial]:
    """A node is lost, the driver is killed, in the middle of each kind of job."""
    found: list[Trial] = []
    with changed(of_witness(harness)), ray_nodes.running(3) as nodes:
        how = ("--executor", "ray", "--ray-address", nodes.address, *WORKERS)
        faults = {
            "nothing": lambda job: None,
            "a node lost": lambda job: lose_a_node(harness, nodes, job),
            "driver killed": lambda job: kill_worker(harness, job),
            "both": lambda job: lose_both(harness, nodes, job),
            "jobs pause": lambda job: pause(harness, job),
        }
        for fault, does in faults.items():
            for kind in KINDS if only in fault else ():
                found.append(harness.trial("ray", fault, kind, does, *how))
                while len(nodes) < 3:
                    nodes.add()
    return found


def lose_a_node(harness: Harness, nodes: ray_nodes.Nodes, job: JobFolder) -> None:
    """One on which a part is being made, and that is not the first."""
    harness.middle(job)
    nodes.kill(until(lambda: nodes.with_one_of(harness.witness.seen().at_work.values()), ENDS))


def kill_worker(harness: Harness, job: JobFolder) -> None:
    """SIGKILL, and a resume."""
    harness.middle(job)
    job.end_worker()
    status = harness.rest(job)
    assert status["state"] == "failed", status
    harness.resume(job)


def lose_both(harness: Harness, nodes: ray_nodes.Nodes, job: JobFolder) -> None:
    """A node and the driver at once, and a resume with the nodes that are left."""
    lose_a_node(harness, nodes, job)
    job.end_worker()
    harness.rest(job)
    harness.resume(job)


def pause(harness: Harness, job: JobFolder, how: str = "pause") -> None:
    """`jobs pause` or `jobs cancel`: nobody works on it after some seconds; then `jobs resume`."""
    harness.middle(job)
    got = harness.command("jobs", how, job.id)
    assert got.returncode == 0, got.stderr
    assert job.status()["state"] in ("paused", "cancelled"), job.status()
    until(lambda: not alive(harness.witness.seen().at_work.values()), 30)
    harness.resume(job)


# Speed


def speed(harness: Harness) -> str:
    """What a part costs beside the work on it, and how fast parts come in, as Markdown."""
    place = harness.home / "trivial"
    place.mkdir()
    (place / "sitecustomize.py").write_text(gathering.HOOK)
    lines = [
        "| parts | bytes each | ms a part | MB/s | own memory, MB | with the object store's, MB |",
        "|" + "---|" * 6,
    ]
    with changed({"PYTHONPATH": path_with(place)}), ray_nodes.running(2, object_store_memory=500_000_000) as nodes:
        for count, size in ((500, 1_000), (200, 1_000_000), (50, 40_000_000)):
            like = str(harness.cache.jobs / harness.base)
            line = [sys.executable, gathering.__file__, like, nodes.address, str(count), str(size)]
            got = subprocess.run(line, capture_output=True, text=True, check=False)
            assert got.returncode == 0, got.stderr
            one = json.loads(got.stdout.splitlines()[-1])
            cells = (f"{one[name]:,.{digits}f}" for name, digits in gathering.TOLD.items())
            lines.append(f"| {count} | {size:,} | {' | '.join(cells)} |")
            print(lines[-1], file=sys.stderr, flush=True)
    small, large = synced(harness.home, 500, 1_000), synced(harness.home, 20, 40_000_000)
    lines.append(
        f"\nWithout Ray a synced file of 1,000 bytes takes {small * 1e3:.1f} ms, one of 40 MB {large * 1e3:.0f} ms, "
        f"which is {40 / large:,.0f} MB/s."
    )
    return "\n".join(lines)


def synced(place: Path, count: int, size: int) -> float:
    """Seconds in which a file is written as a part is."""
    content, began = os.urandom(1_000).ljust(size, b"x"), time.monotonic()
    for number in range(count):
        with whole(place / f"synced-{number}") as unfinished, open(unfinished, "wb") as file:
            file.write(content)
    seconds = time.monotonic() - began
    for number in range(count):
        (place / f"synced-{number}").unlink()
    return seconds / count


# What cannot be done


def refusals_of_ray(harness: Harness) -> list[Answer]:
    """Clusters that cannot be used, one way or another."""
    ray = ("--executor", "ray", "--ray-address")
    out = [
        harness.refused("Ray: nobody listens", *ray, "127.0.0.1:1"),
        harness.refused("Ray: no address", *ray, "nonsense"),
        harness.refused("Ray: ray is not installed", *ray, "127.0.0.1:1", **begins(ray_nodes.without("ray"))),
    ]
    with listening() as port:
        out.append(harness.refused("Ray: somebody else listens", *ray, f"127.0.0.1:{port}"))
    with listening(full=True) as port:
        out.append(harness.refused("Ray: no answer at all", *ray, f"127.0.0.1:{port}"))
    with ray_nodes.running(1) as nodes:
        here = (*ray, nodes.address)
        out.append(harness.refused("Ray: no GPU", *here, "--device", "cuda"))
        out.append(harness.refused("Ray: GPUs asked for", *here, "--ray-gpus", "1"))
        out.append(harness.refused("Ray: more cores than a node has", *here, "--ray-cpus", "64"))
        out.append(harness.refused("Ray: more memory than a node has", *here, "--ray-memory", "9000"))
        for what, code in (
            ("Ray: a node without the package", ray_nodes.without("synergy_tui")),
            ("Ray: a node with another version", ray_nodes.OTHER_VERSION),
        ):
            other = nodes.add(begins(code))
            out.append(harness.refused(what, *here))
            nodes.kill(other)
    return out


def refusals_of_slurm(harness: Harness) -> list[Answer]:
    """Likewise."""
    use = ("--executor", "slurm")
    python = str(Path(sys.executable).parent)
    out = [harness.refused("Slurm: no sbatch", *use, PATH=python)]
    nobody = harness.home / "slurm.conf"
    nobody.write_text("ClusterName=none\nSlurmctldHost=localhost(127.0.0.1)\nSlurmctldPort=1\nMessageTimeout=2\n")
    out.append(harness.refused("Slurm: no controller answers", *use, SLURM_CONF=str(nobody)))
    with slurm.running(harness.home / "slurm-refuses") as environment, changed(environment):
        out += [
            harness.refused("Slurm: no such partition", *use, "--slurm-partition", "nope"),
            harness.refused("Slurm: a node cannot have that", *use, "--slurm-option", "mem=9000G"),
            harness.refused("Slurm: no such option", *use, "--slurm-option", "nonsense=3"),
            harness.refused("Slurm: no such resource", *use, "--slurm-gres", "gpu:1"),
            harness.refused("Slurm: no time", *use, "--slurm-time", "soon"),
            harness.refused("Slurm: an option of ours", *use, "--slurm-option", "array=1-9"),
            harness.refused("Slurm: no option at all", *use, "--slurm-option", "two words"),
            harness.refused("Slurm: submitit is not installed", *use, **begins(ray_nodes.without("submitit"))),
        ]
    return out


def not_shared(harness: Harness) -> list[Answer]:
    """The folder is one that tasks do not see, or cannot write: the job fails with one line and can be resumed."""
    out = []
    for what, how in (("Slurm: a folder that nodes do not see", "tmpfs"), ("Slurm: one they cannot write", "readonly")):
        place = harness.home / f"slurm-{how}"
        with slurm.running(place, hidden=harness.cache.folder, how=how) as environment, changed(environment):
            out.append(harness.refused(what, "--executor", "slurm", follows=True))
    return out


def of_settings(harness: Harness) -> list[Answer]:
    """config.toml says what nobody understands."""
    place = harness.home / "config" / "synergy-tui"
    place.mkdir(parents=True)
    out = []
    for what, line in (
        ("config.toml: a wrong key", 'ray-adress = "auto"'),
        ("config.toml: a wrong value", 'executor = "cloud"'),
        ("config.toml: a wrong type", "workers = true"),
    ):
        (place / "config.toml").write_text(f"[executor]\n{line}\n")
        out.append(harness.refused(what, XDG_CONFIG_HOME=str(place.parent)))
    return out


@contextlib.contextmanager
def listening(full: bool = False) -> Iterator[int]:
    """A port on which somebody listens and says nothing. full: or does not even take a connection."""
    with socket.socket() as one, contextlib.ExitStack() as stack:
        one.bind(("127.0.0.1", 0))
        one.listen(0 if full else 20)
        for _ in range(8 if full else 0):
            other = stack.enter_context(socket.socket())
            other.setblocking(False)
            other.connect_ex(one.getsockname())
        yield one.getsockname()[1]


def table_of_answers(found: list[Answer]) -> str:
    """As Markdown."""
    lines = ["| what | answer | exit status | s |", "|---|---|---|---|"]
    for one in found:
        words = " / ".join(one.words.strip().splitlines()).replace("|", "\\|")
        lines.append(f"| {one.what} | `{words}` | {one.code} | {one.seconds:.0f} |")
    return "\n".join(lines)


# Slurm


def on_slurm(harness: Harness, only: str) -> list[Trial]:
    """Tasks are cancelled and requeued, the coordinator is killed, in the middle of each kind of job. There are more
    tasks than nodes."""
    found: list[Trial] = []
    how = ("--executor", "slurm", *WORKERS)
    faults = {
        "nothing": lambda job: None,
        "scancel of a task": lambda job: on_a_task(harness, job, "scancel"),
        "scontrol requeue": lambda job: on_a_task(harness, job, "scontrol", "requeue"),
        "coordinator killed": lambda job: kill_worker(harness, job),
        "jobs pause": lambda job: pause(harness, job),
        "jobs cancel": lambda job: pause(harness, job, "cancel"),
    }
    with slurm.running(harness.home / "slurm") as environment, changed(environment), changed(of_witness(harness)):
        for fault, does in faults.items():
            for kind in KINDS if only in fault else ():
                found.append(harness.trial("slurm", fault, kind, does, *how))
                until(lambda: not queue(), 60)
    return found


def on_a_task(harness: Harness, job: JobFolder, *words: str) -> None:
    """Does something to a task that makes a part."""
    harness.middle(job)
    running = [one for one, state in queue() if state == "RUNNING"]
    subprocess.run([*words, running[0]], check=True)


def queue() -> list[tuple[str, str]]:
    """Jobs of Slurm, with their states."""
    told = subprocess.run(["squeue", "--noheader", "--format=%i %T"], capture_output=True, text=True, check=True).stdout
    return [(one, state) for one, state in (line.split() for line in told.splitlines())]


def alive(processes: Iterable[int]) -> bool:
    """Whether one of these processes lives."""
    return any(psutil.pid_exists(one) for one in processes)


def of_witness(harness: Harness) -> Mapping[str, str | None]:
    """What the processes that make parts find in their environment."""
    return {"PYTHONPATH": path_with(harness.witness.folder)}


def table(found: list[Trial]) -> str:
    """The trials as Markdown."""
    lines = [
        "| executor | in the middle | job | parts | lost | begun again | begun at most | made at most | numbers | s |",
        "|" + "---|" * 10,
    ]
    for one in found:
        told = "equal to the last bit" if one.apart == 0 else f"{one.apart:.1g} apart"
        told = one.error or told
        cells = (
            one.executor,
            one.fault,
            one.kind,
            one.parts,
            one.lost,
            one.again,
            one.most,
            told,
            f"{one.seconds:.0f}",
        )
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def main() -> int:
    """Exit status 1 when something did not come out well."""
    asked = argparse.ArgumentParser()
    asked.add_argument("what", nargs="*", default=["ray", "slurm", "speed", "refusals"])
    asked.add_argument("--only", default="", help="faults whose name has this")
    given = asked.parse_args()
    what = given.what
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what was started is ended
    if ("slurm" in what or "refusals" in what) and (why := slurm.missing()):
        print(f"without Slurm: {why}", file=sys.stderr)
    there = not slurm.missing()
    good = True
    with tempfile.TemporaryDirectory(prefix="cluster-") as scratch, contextlib.ExitStack() as stack:
        stack.enter_context(changed({"OMP_NUM_THREADS": "1"}))
        harness = Harness(Path(scratch))
        stack.callback(harness.close)
        for name, does in (("ray", on_ray), ("slurm", on_slurm)):
            if name in what and (name == "ray" or there):
                harness.chain()
                trials = does(harness, given.only)
                good = good and all(one.good for one in trials)
                print(table(trials), flush=True)
        if "speed" in what:
            print(speed(harness), flush=True)
        if "refusals" in what:
            answers = of_settings(harness) + refusals_of_ray(harness)
            answers += refusals_of_slurm(harness) + not_shared(harness) if there else []
            good = good and all(one.good for one in answers)
            print(table_of_answers(answers), flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
