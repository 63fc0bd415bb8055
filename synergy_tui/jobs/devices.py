"""Which device a job runs on, told without torch or jax: those are the worker's."""

from __future__ import annotations

import os
from pathlib import Path

from synergy_tui.errors import UsageError


def choose(device: str | None) -> str:
    """The device asked for, or cuda where the driver shows a GPU, else cpu. Raises UsageError for other words."""
    if device is None:
        return "cuda" if any(Path("/proc/driver/nvidia/gpus").glob("*")) else "cpu"
    if device == "cpu" or device == "cuda" or (device.startswith("cuda:") and device[5:].isdigit()):
        return device
    raise UsageError(f"no device {device!r}", "give cpu, cuda or cuda:N")


def cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
