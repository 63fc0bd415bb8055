"""What a worker reports and hears: its status on disk, its heartbeat, the request to stop."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from typing import Any

from synergy_tui.errors import Cancelled
from synergy_tui.jobs.folder import JobFolder

HEARTBEAT = 1.0


class Paused(Exception):
    """The job was asked to stop until it is resumed."""


class Progress:
    """The status of one running job. A thread rewrites it every second, so that a status older than a few seconds means
    that the process hangs or is gone."""

    def __init__(self, job: JobFolder, status: dict[str, Any]) -> None:
        self.job = job
        self._status = status | {"pid": os.getpid(), "error": None, "stages": []}
        self._changed = threading.Lock()
        self._stop = threading.Event()
        self._began = 0.0
        self._written = 0.0
        self._share = (0.0, 1.0)
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> Progress:
        self._write()
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join()

    def state(self, state: str, **more: Any) -> None:
        """Enters a state of the job, with more facts about it."""
        with self._changed:
            self._status |= {"state": state, **more}
            if state == "done":
                self._status["progress"] = 1.0
            if self._status["stages"] and state != "running":
                self._finish_stage()
        self._write()

    def forget(self, key: str) -> None:
        """Leaves something out of the status from now on."""
        with self._changed:
            self._status.pop(key, None)

    def stage(
        self, name: str, total: float = 0, unit: str = "", detail: str = "", share: tuple[float, float] = (0, 0)
    ) -> None:
        """Begins a stage of `total` parts called `unit`; `share`: the part of the whole job it stands for."""
        self.check()
        with self._changed:
            self._finish_stage()
            self._began = time.monotonic()
            self._share = share
            one = {
                "name": name,
                "detail": detail,
                "done": 0,
                "total": total,
                "unit": unit,
                "seconds": 0.0,
                "rate": None,
            }
            self._status["stages"] = [*self._status["stages"], one]
            self._status |= {"stage": name, "progress": share[0]}
        self._write()

    def advance(self, parts: float = 1) -> None:
        """Counts finished parts of the stage. Raises Cancelled when the job was asked to stop."""
        self.check()
        with self._changed:
            one = self._status["stages"][-1]
            one["done"] += parts
            one["seconds"] = time.monotonic() - self._began
            one["rate"] = one["done"] / one["seconds"] if one["seconds"] > 0 else None
            first, last = self._share
            if one["total"]:
                self._status["progress"] = first + (last - first) * min(one["done"] / one["total"], 1.0)
        if time.monotonic() - self._written > 0.2:
            self._write()

    def skip(self, parts: float) -> None:
        """Counts parts that an earlier worker finished, which say nothing about this one's rate."""
        with self._changed:
            one = self._status["stages"][-1]
            one["total"] -= parts
            one["kept"] = one.get("kept", 0) + parts

    def detail(self, text: str) -> None:
        """Says what the stage is about, once that is known."""
        with self._changed:
            self._status["stages"][-1]["detail"] = text
        self._write()

    def waits(self, text: str) -> None:
        """Says what the job waits for, and checks whether it should still wait."""
        self.check()
        if not self._status["stages"]:
            self.stage("wait", detail=text)
        elif self._status["stages"][-1]["detail"] != text:
            self.detail(text)

    def check(self) -> None:
        """Raises Cancelled or Paused when the job was asked to stop."""
        if self.job.cancel_flag.exists():
            raise Cancelled(f"job {self.job.id} was cancelled", f"synergy-tui jobs resume {self.job.id} goes on")
        if self.job.pause_flag.exists():
            raise Paused

    def _finish_stage(self) -> None:
        if self._status["stages"]:
            one = self._status["stages"][-1]
            if "ended" not in one:
                one |= {"seconds": time.monotonic() - self._began, "ended": True}

    def _beat(self) -> None:
        while not self._stop.wait(HEARTBEAT):
            self._write()

    def _write(self) -> None:
        with self._changed:
            self._status["heartbeat"] = time.time()
            self._written = time.monotonic()
            # A full disk must not end work that can still finish when there is room again.
            with contextlib.suppress(OSError):
                self.job.write_status(self._status)
