"""Which parts of a job are being made, and by whom: a process that makes one keeps a file in the job's folder
meanwhile. It is a hint, not a lock: if two make the same part, they write the same bytes."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from synergy_tui.jobs import processes
from synergy_tui.jobs.folder import JobFolder, write_json

STALE = 30.0
"""Seconds without a sign of life after which a holder is assumed gone."""


@dataclass(frozen=True)
class Holder:
    """A process that makes parts. device: as its jobs know it. since, boot: see processes."""

    host: str
    device: str
    pid: int
    since: float | None = None
    boot: str = ""

    @classmethod
    def me(cls, device: str) -> Holder:
        """This process."""
        return cls(socket.gethostname(), device, os.getpid(), processes.since(os.getpid()), processes.boot())

    @property
    def told(self) -> str:
        """host device, as people read it."""
        return f"{self.host} {self.device}"


@dataclass(frozen=True)
class Held:
    """A part that is being made. began: time of day."""

    part: str
    holder: Holder
    began: float = field(default_factory=time.time)

    def as_dict(self) -> dict[str, Any]:
        """part, host, device, and for how many seconds."""
        mine = self.holder
        return {
            "part": self.part,
            "host": mine.host,
            "device": mine.device,
            "seconds": max(time.time() - self.began, 0),
        }


def holders(job: JobFolder) -> list[Held]:
    """The parts that living processes are making, the oldest first."""
    now = _clock(job)
    found = [one for path in _files(job) if (one := _living(path, now)) is not None]
    return sorted(found, key=lambda one: one.began)


def claim(job: JobFolder, part: str, me: Holder) -> bool:
    """Notes that a part is about to be made; False if a living process makes it."""
    path = _path(job, part)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with open(path, "x", encoding="utf-8") as file:
            json.dump(_content(part, me), file)
        return True
    except FileExistsError:
        other = _living(path, _clock(job))
        if other is not None and other.holder != me:
            return False
        note(job, part, me)
        return True


def note(job: JobFolder, part: str, holder: Holder) -> None:
    """Notes who makes a part, in place of whoever was noted before."""
    path = _path(job, part)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, _content(part, holder))


def still(job: JobFolder, part: str) -> None:
    """Says that a part's holder lives."""
    with contextlib.suppress(OSError):
        os.utime(_path(job, part))


def release(job: JobFolder, part: str) -> None:
    """Forgets who makes a part."""
    with contextlib.suppress(OSError):
        _path(job, part).unlink(missing_ok=True)


def _path(job: JobFolder, part: str) -> Path:
    return job.held / f"{part}.json"


def _files(job: JobFolder) -> list[Path]:
    try:
        return [one for one in job.held.iterdir() if one.suffix == ".json" and not one.name.startswith(".")]
    except FileNotFoundError:
        return []


def _content(part: str, holder: Holder) -> dict[str, Any]:
    return {"part": part, "began": time.time()} | asdict(holder)


def _living(path: Path, now: float) -> Held | None:
    try:
        changed = path.stat().st_mtime
        content = json.loads(path.read_text("utf-8"))
        held = Held(content.pop("part"), began=content.pop("began"), holder=Holder(**content))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        # The file is being written, or was left half written.
        with contextlib.suppress(OSError):
            if now - path.stat().st_mtime < STALE:
                return Held(path.stem, Holder("", "", 0))
        return None
    if now - changed > STALE:
        return None
    mine = held.holder
    if mine.since is not None and mine.boot == processes.boot() and mine.host == socket.gethostname():
        return held if processes.since(mine.pid) == mine.since else None
    return held


def _clock(job: JobFolder) -> float:
    """The time of day by the clock that dates the files; on a shared file system that is another machine's clock."""
    path = job.held / f".clock.{os.getpid()}"
    try:
        job.held.mkdir(parents=True, exist_ok=True)
        path.touch()
        return path.stat().st_mtime
    except OSError:
        return time.time()
    finally:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
