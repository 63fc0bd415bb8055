"""Checks whether an executor can be used before anything is submitted. A separate process asks Ray."""

from __future__ import annotations

import importlib.util
import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from synergy_tui import settings
from synergy_tui.errors import JobError, with_extra
from synergy_tui.jobs.specs import Executor, Spec

CLUSTER = "synergy_tui.jobs.worker.executors.cluster"

PATIENCE = 5.0
"""Seconds within which a host accepts a connection."""

ANSWER = 120.0
"""Seconds within which a cluster that answers has started a process on every node."""


def check(executor: Executor, specs: Sequence[Spec], cache: Path) -> None:
    """Raises JobError when the executor lacks a package, a command, an answering cluster, or a partition, or cannot do
    one of the specs."""
    if executor.executor == "ray":
        if any(one.processes > 1 for one in specs):
            raise JobError("tasks of Ray cannot hold a model over several processes", "use --executor slurm or local")
        if any(getattr(one, "save", None) for one in specs):
            raise JobError("weights are saved where a task runs, which in Ray is any host", "leave out --save")
        _ray(executor, specs[0].device if specs else None, cache)
    elif executor.executor == "slurm":
        _slurm(executor)


def _ray(executor: Executor, device: str | None, cache: Path) -> None:
    _installed("ray", "Ray")
    address = settings.ray_address() if executor.ray_address == "auto" else executor.ray_address
    if address is not None and address not in ("auto", "local"):
        _answers(address)
    try:
        got = subprocess.run(
            [
                sys.executable,
                "-m",
                "synergy_tui.jobs.worker.executors.cluster",
                json.dumps(executor.to_json()),
                device or "",
            ],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=settings.worker_environment(cache),
            timeout=ANSWER,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise JobError(
            f"the Ray cluster has not answered for {ANSWER:.0f} s", "look at its nodes: ray status"
        ) from None
    try:
        found = json.loads(got.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        last = (got.stderr.strip().splitlines() or ["it ended without an answer"])[-1]
        raise JobError(f"the Ray cluster cannot be asked: {last}", "check --ray-address") from None
    if "what" in found:
        raise JobError(found["what"], found["next"])


def _answers(address: str) -> None:
    host, _, port = address.rpartition(":")
    if address.startswith("ray://"):
        raise JobError(f"{address} is for Ray's client, which jobs do not use", "give host:port of the cluster")
    if not host or not port.isdigit():
        raise JobError(f"{address!r} is not an address of a Ray cluster", "give host:port, or auto")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=PATIENCE):
            pass
    except (OSError, OverflowError) as error:
        raise JobError(
            f"no Ray cluster answers at {address} ({error})", "start it, or check --ray-address and RAY_ADDRESS"
        ) from None


def _slurm(executor: Executor) -> None:
    if shutil.which("sbatch") is None:
        raise JobError("there is no Slurm here: sbatch is not found", "run this on a host that submits to it")
    _installed("submitit", "Slurm")
    try:
        got = subprocess.run(
            ["sinfo", "--noheader", "--format=%R"], capture_output=True, text=True, timeout=PATIENCE * 4, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise JobError(f"Slurm does not answer: {error}", "try sinfo yourself") from None
    if got.returncode:
        last = (got.stderr.strip().splitlines() or ["no answer"])[-1]
        raise JobError(f"Slurm does not answer: {last}", "try sinfo yourself")
    partitions = sorted(set(got.stdout.split()))
    if executor.slurm_partition is not None and executor.slurm_partition not in partitions:
        raise JobError(f"Slurm has no partition {executor.slurm_partition!r}", f"known: {', '.join(partitions)}")
    try:
        got = subprocess.run(
            ["sbatch", "--test-only", "--wrap", "true", *_options(executor)],
            capture_output=True,
            text=True,
            timeout=PATIENCE * 4,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise JobError("Slurm does not answer", "try sbatch yourself") from None
    if got.returncode:
        lines = [one for one in got.stderr.splitlines() if "error" in one or "fail" in one or "option" in one]
        last = (lines or got.stderr.splitlines() or ["it gives no reason"])[-1]
        raise JobError(f"sbatch refuses: {last.strip()[:200]}", "mend the options of Slurm")


def _options(executor: Executor) -> list[str]:
    """The executor's options as sbatch takes them."""
    own = {"partition": executor.slurm_partition, "gres": executor.slurm_gres, "time": executor.slurm_time}
    words = [f"{name}={value}" for name, value in own.items() if value]
    return [f"--{one}" for one in (*words, *executor.slurm_options)]


def _installed(package: str, what: str) -> None:
    if importlib.util.find_spec(package) is None:
        raise JobError(f"{what} needs the package {package}", with_extra(what.lower()))
