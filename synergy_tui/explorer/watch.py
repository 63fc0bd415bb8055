"""The jobs folder, the catalogue and the GPU → changes, reported from a separate thread: the UI thread never waits for
a disk or a device, and nothing is sent when nothing changes."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synergy_tui.errors import SynergyError
from synergy_tui.jobs import folder
from synergy_tui.jobs.folder import RESTING, JobFolder

BUSY, IDLE = 0.4, 1.5
"""Seconds between two looks: while a job is under way, and otherwise."""


@dataclass(frozen=True)
class Seen:
    """jobs: statuses, oldest first. catalogue: changes when results came or went. devices: a line on the GPUs, empty
    without a GPU."""

    jobs: tuple[dict[str, Any], ...]
    catalogue: int
    devices: str


class Watch(threading.Thread):
    """Calls `tell` with what it sees whenever that has changed."""

    def __init__(self, cache: Path, tell: Callable[[Seen], None]) -> None:
        super().__init__(daemon=True, name="watch")
        self._cache, self._tell = cache, tell
        self._stop_, self._soon = threading.Event(), threading.Event()
        self._ended: dict[str, tuple[int, dict[str, Any]]] = {}
        self._gpus = _gpus()

    def run(self) -> None:
        before: Seen | None = None
        while not self._stop_.is_set():
            seen = before
            with contextlib.suppress(OSError):
                seen = self._look()
            if seen is not None and seen != before:
                self._tell(seen)
            before = seen
            busy = seen is not None and any(one["state"] not in RESTING for one in seen.jobs)
            self._soon.wait(BUSY if busy else IDLE)
            self._soon.clear()

    def soon(self) -> None:
        """Looks again at once."""
        self._soon.set()

    def stop(self) -> None:
        """Ends the thread at its next turn."""
        self._stop_.set()
        self._soon.set()

    def _look(self) -> Seen:
        jobs = []
        for job in folder.every(self._cache):
            with contextlib.suppress(OSError):
                jobs.append(self._status(job))
        catalogue = 0
        with contextlib.suppress(OSError):
            catalogue = (self._cache / "cache.duckdb").stat().st_mtime_ns
        return Seen(tuple(jobs), catalogue, self._gpus())

    def _status(self, job: JobFolder) -> dict[str, Any]:
        """The status; an ended job's is read again only when its file changes."""
        changed = (job.path / "status.json").stat().st_mtime_ns
        known = self._ended.get(job.id)
        if known and known[0] == changed:
            return known[1]
        try:
            status = job.status()
            # A new heartbeat is not a change.
            status = {key: value for key, value in status.items() if key != "heartbeat"}
        except SynergyError as error:
            status = {"id": job.id, "kind": "?", "state": "failed", "error": str(error), "stages": [], "progress": 0.0}
        if status["state"] in RESTING and not status.get("lost"):
            self._ended[job.id] = (changed, status)
        return status


def _gpus() -> Callable[[], str]:
    """A function that reports what the GPUs do; nothing is loaded without a GPU."""
    if not any(Path("/proc/driver/nvidia/gpus").glob("*")):
        return str
    try:
        import pynvml

        pynvml.nvmlInit()
        handles = [pynvml.nvmlDeviceGetHandleByIndex(place) for place in range(pynvml.nvmlDeviceGetCount())]
    except Exception:  # without library, driver or permission there is nothing to report
        return str

    def tell() -> str:
        parts = []
        for number, handle in enumerate(handles):
            with contextlib.suppress(pynvml.NVMLError):
                memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
                busy = pynvml.nvmlDeviceGetUtilizationRates(handle).gpu
                parts.append(f"GPU{number} {busy} % {memory.used / 1e9:.0f}/{memory.total / 1e9:.0f} GB")
        return "  ".join(parts)

    return tell
