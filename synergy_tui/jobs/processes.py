"""Starts processes, and asks the kernel about them: whether a number is still the noted process, and whether memory ran
out."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NoReturn


def spawn(arguments: Sequence[str], log: Path, folder: Path, environment: Mapping[str, str]) -> int:
    """Starts `python -m` with the arguments in a session of its own, so that losing the terminal does not end it. log:
    takes what it prints. folder: its working folder. Returns its process id."""
    with open(log, "ab") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            cwd=folder,
            env=dict(environment),
            start_new_session=True,
        )
    return process.pid


def become(arguments: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
    """Replaces this process by `python -m` with the arguments."""
    os.execve(sys.executable, [sys.executable, "-m", *arguments], dict(environment))


@cache
def boot() -> str:
    """The id of this start of the machine; empty if the kernel does not say it."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def since(pid: int) -> float | None:
    """When a living process began; None when there is no such process, or only its remains. In clock ticks since the
    start of the machine if the kernel gives them: a time of day would change when somebody sets the clock."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return None if fields[0] in "ZX" else float(fields[19])
    except OSError:
        pass
    import psutil  # for systems without /proc

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except (psutil.Error, ValueError):
        return None


def oom_kills() -> int:
    """Processes the kernel has killed for memory since the machine started; 0 if it does not say."""
    try:
        lines = Path("/proc/vmstat").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)
