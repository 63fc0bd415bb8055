"""One job's folder: spec.json (what to do, fully resolved), status.json (how far it is), log.txt, shards/. The
folder is the truth about a job; nothing about it is kept in memory or in the catalogue."""

from __future__ import annotations

import json
import os
import re
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock, Timeout

from synergy_tui.errors import JobError, UsageError

ENDED = ("done", "failed", "cancelled")


@dataclass(frozen=True)
class JobFolder:
    """A job's folder; its name is the job's id."""

    path: Path

    @property
    def id(self) -> str:
        """The job's id, and that of the result it makes."""
        return self.path.name

    @property
    def shards(self) -> Path:
        """Folder of the finished parts."""
        return self.path / "shards"

    @property
    def log(self) -> Path:
        """What the worker printed."""
        return self.path / "log.txt"

    @property
    def cancel_flag(self) -> Path:
        """Its presence asks the worker to stop."""
        return self.path / "cancel"

    @property
    def worker_lock(self) -> FileLock:
        """Held by the worker as long as it lives; the kernel lets go of it however the worker ends."""
        return FileLock(self.path / "worker.lock")

    @property
    def cache(self) -> Path:
        """Folder of the cache the job belongs to."""
        return self.path.parent.parent

    def spec(self) -> dict[str, Any]:
        """What to do. Raises JobError when it cannot be read."""
        return self._read("spec.json")

    def status(self) -> dict[str, Any]:
        """How far it is. A running or queued job without a living worker comes out as `failed` with the next step.
        Raises JobError when it cannot be read."""
        status = self._read("status.json")
        if status.get("state") not in ENDED and not self._alive():
            # It may have ended between the two looks.
            status = self._read("status.json")
            if status.get("state") not in ENDED:
                error = f"its worker is gone · synergy-tui jobs resume {self.id}"
                status |= {"state": "failed", "error": error, "lost": True}
        return status

    def write_status(self, status: dict[str, Any]) -> None:
        """Replaces the status at once: a reader sees the old one or the new one. One line, so that SQL reads it even
        beside a damaged one."""
        write_json(self.path / "status.json", status)

    def _read(self, name: str) -> dict[str, Any]:
        try:
            content = json.loads((self.path / name).read_text("utf-8"))
        except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
            raise JobError(
                f"job {self.id} is damaged: {name}: {error}", f"remove it: synergy-tui jobs clean {self.id}"
            ) from None
        if not isinstance(content, dict):
            raise JobError(f"job {self.id} is damaged: {name}", f"remove it: synergy-tui jobs clean {self.id}")
        return content

    def started(self, pid: int) -> None:
        """Notes the process of a worker just started. In a file of its own: the status is the worker's to write."""
        try:
            since = psutil.Process(pid).create_time()
        except psutil.Error:
            since = None
        write_json(self.path / "started.json", {"pid": pid, "since": since})

    def _alive(self) -> bool:
        if self.worker_lock_taken():
            return True
        # Between its start and its taking of the lock a worker is known by its process alone.
        try:
            note = self._read("started.json")
            process = psutil.Process(note["pid"])
            return process.create_time() == note["since"] and process.status() != psutil.STATUS_ZOMBIE
        except (JobError, psutil.Error, KeyError, TypeError, ValueError):
            return False

    def worker_lock_taken(self) -> bool:
        """Whether a living worker has the job."""
        lock = self.worker_lock
        try:
            lock.acquire(blocking=False)
        except (Timeout, OSError):
            return True
        lock.release()
        return False


def new(cache: Path, kind: str, spec: dict[str, Any], after: str | None = None) -> JobFolder:
    """Makes the folder of a queued job. Raises OSError when it cannot be written."""
    while True:
        job = JobFolder(cache / "jobs" / (kind[0] + secrets.token_hex(4)))
        try:
            job.path.mkdir(parents=True)
            break
        except FileExistsError:
            continue
    job.shards.mkdir()
    write_json(job.path / "spec.json", {"kind": kind, "after": after, **spec}, indent=1)
    job.write_status(queued(job.id, kind, after))
    return job


def queued(job: str, kind: str, after: str | None) -> dict[str, Any]:
    """The status of a job that waits for its worker."""
    now = time.time()
    return {
        "id": job,
        "kind": kind,
        "state": "queued",
        "stage": "queued",
        "progress": 0.0,
        "pid": None,
        "after": after,
        "error": None,
        "created": now,
        "heartbeat": now,
        "stages": [],
    }


def find(cache: Path, job: str) -> JobFolder:
    """The job with this id or unique prefix. Raises UsageError when there is none or several."""
    if not re.fullmatch(r"[a-z0-9]+", job or ""):
        raise UsageError(f"{job!r} is no job id", "synergy-tui jobs list")
    found = [one for one in every(cache) if one.id.startswith(job)]
    found = [one for one in found if one.id == job] or found
    if not found:
        raise UsageError(f"no job {job} in this cache", "synergy-tui jobs list")
    if len(found) > 1:
        raise UsageError(f"{job} may mean {', '.join(one.id for one in found[:5])}", "give more of the id")
    return found[0]


def every(cache: Path) -> Iterator[JobFolder]:
    """All jobs of a cache, oldest first."""
    folders = [path for path in (cache / "jobs").glob("*") if (path / "spec.json").exists()]
    return (JobFolder(path) for path in sorted(folders, key=lambda path: path.stat().st_ctime))


def write_json(path: Path, content: dict[str, Any], indent: int | None = None) -> None:
    """Replaces a JSON file at once."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(2)}")
    try:
        unfinished.write_text(json.dumps(content, indent=indent, ensure_ascii=False) + "\n", "utf-8")
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
