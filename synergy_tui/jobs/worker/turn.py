"""One job per device at a time, among all of a user's jobs on this machine in all caches; the oldest first."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from filelock import FileLock, Timeout

from synergy_tui.jobs.devices import places, ticket
from synergy_tui.jobs.folder import JobFolder

POLL = 0.1


class Listening(Protocol):
    """Hears that the job is to stop."""

    def check(self) -> None:
        """Raises Cancelled or Paused."""


class Turn:
    """Held while a job runs on its device. A job that waits holds a ticket, named by the time it was queued; the kernel
    releases it however the process ends, so that no job waits for a dead one. The device still needs a lock: a new
    ticket may be older than the job at work."""

    def __init__(self, job: JobFolder, device: str, queued: float, progress: Listening) -> None:
        self._tickets, lock = places(device, job.cache)
        self._tickets.mkdir(exist_ok=True, mode=0o700)
        self._mine = self._tickets / ticket(queued, job.id)
        self._ticket = FileLock(self._mine)
        self._device = FileLock(lock)
        self._progress = progress

    def __enter__(self) -> None:
        self._ticket.acquire(timeout=5)
        try:
            while True:
                self._progress.check()
                if self._first():
                    with suppress(Timeout):
                        self._device.acquire(blocking=False)
                        return
                time.sleep(POLL)
        except BaseException:
            self._leave()
            raise

    def __exit__(self, *exc: object) -> None:
        self._device.release()
        self._leave()

    def _leave(self) -> None:
        self._ticket.release()
        self._mine.unlink(missing_ok=True)

    def _first(self) -> bool:
        return all(_left(one) for one in self._tickets.iterdir() if one.name < self._mine.name)


def _left(ticket: Path) -> bool:
    """Whether no process holds a ticket any more; then it is removed."""
    lock = FileLock(ticket)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return False
    except OSError:
        return True  # it has just been removed
    lock.release()
    ticket.unlink(missing_ok=True)
    return True
