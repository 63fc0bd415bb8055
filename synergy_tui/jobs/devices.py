"""Which device a job runs on, found without torch or jax: only the worker loads those."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

import psutil

from synergy_tui.errors import UsageError
from synergy_tui.settings import machine_folder, visible_gpus


def choose(device: str | None) -> str:
    """The device asked for, or cuda where the driver shows a GPU, else cpu. Raises UsageError for other words."""
    if device is None:
        return "cuda" if any(Path("/proc/driver/nvidia/gpus").glob("*")) else "cpu"
    if device in ("cpu", "cuda", "cuda:all") or (device.startswith("cuda:") and device[5:].isdigit()):
        return device
    raise UsageError(f"no device {device!r}", "give cpu, cuda, cuda:N, or cuda:all for a model over all GPUs")


def gpus() -> list[str]:
    """Numbers of the GPUs of this machine that a process may use, as the driver shows them."""
    there = [str(number) for number, _ in enumerate(sorted(Path("/proc/driver/nvidia/gpus").glob("*")))]
    allowed = visible_gpus()
    return there if allowed is None else allowed[: len(there)]


def share(number: int, count: int, cores: Collection[int] | None = None) -> set[int]:
    """The number-th of `count` equal shares of some cores, by default this process's own; neighbours stay together, and
    a share has at least one core. Empty if the system does not list its cores."""
    if cores is None and not hasattr(os, "sched_getaffinity"):
        return set()
    there = sorted(os.sched_getaffinity(0) if cores is None else cores)
    first, last = (len(there) * one // count for one in (number, number + 1))
    return set(there[first:last]) or {there[number % len(there)]}


def places(device: str, cache: Path) -> tuple[Path, Path]:
    """(folder of the tickets of jobs that wait for a device or have it, lock of the device): one for all of a user's
    jobs on this machine, or if that is impossible for the jobs of a cache."""
    try:
        folder = machine_folder()
    except OSError:
        folder = cache
    name = f"device-{device.replace(':', '-')}"
    return folder / f"{name}.queue", folder / f"{name}.lock"


def ticket(queued: float, job: str) -> str:
    """The name of a job's ticket: tickets are served in the order of their names."""
    return f"{queued:017.6f}-{job}"


def queue(device: str, cache: Path) -> list[str]:
    """Ids of the jobs of all caches that have a device or wait for it, in their order."""
    try:
        names = sorted(one.name for one in places(device, cache)[0].iterdir())
    except OSError:
        return []
    return [name.rpartition("-")[2] for name in names]


def free_memory() -> int:
    """Bytes of memory that this process may still take, of the machine or of its control group."""
    free = psutil.virtual_memory().available
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
        used = int(Path("/sys/fs/cgroup/memory.current").read_text())
        kept = dict(line.split() for line in Path("/sys/fs/cgroup/memory.stat").read_text().splitlines())
        return free if limit == "max" else min(free, int(limit) - used + int(kept["file"]))
    except (OSError, ValueError, KeyError):
        return free


def has_bfloat16(told: Path = Path("/proc/cpuinfo")) -> bool | None:
    """Whether this machine's CPU multiplies in bfloat16 (AVX512_BF16, AMX, or Arm's BF16); None if the kernel does
    not say."""
    try:
        lines = told.read_text("utf-8", "replace").splitlines()
    except OSError:
        return None
    flags = next((line for line in lines if line.lower().startswith(("flags", "features"))), None)
    if flags is None:
        return None
    return not {"avx512_bf16", "amx_bf16", "bf16"}.isdisjoint(flags.lower().partition(":")[2].split())


def cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
