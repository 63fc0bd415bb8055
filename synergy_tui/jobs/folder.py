"""One job's folder: spec.json (what to do, fully resolved), status.json (how far it is), log.txt, shards/. The
folder is the truth about a job; nothing about it is kept in memory or in the catalogue."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from synergy_tui.errors import JobError, UsageError
from synergy_tui.jobs import processes
from synergy_tui.jobs.specs import LOCAL, Executor, Spec, as_json, from_json
from synergy_tui.terms import JOB_STATES

ENDED = ("done", "failed", "cancelled")

RESTING = (*ENDED, "paused")
"""States in which a job has no worker."""

STARTING = 10.0
"""Seconds within which a queued job gets its worker."""

SILENCE = 10.0
"""Seconds without a heartbeat after which a living worker is reported as silent: stopped, or waiting for the disk."""

ELSEWHERE = 60.0
"""Seconds without a heartbeat after which a worker on another host is assumed gone."""

_FULL = 4_000_000
"""Free bytes below which a worker that ended without a word has most likely met a full disk."""


@dataclass(frozen=True)
class Order:
    """What a job is to do. after: the job it waits for. softly: however that job ends. executor: who makes its parts.
    sweep: the job that started it, if it belongs to a sweep's cell."""

    spec: Spec
    after: str | None = None
    softly: bool = False
    executor: Executor = LOCAL
    sweep: str | None = None


@dataclass(frozen=True)
class JobFolder:
    """A job's folder; its name is the job's id."""

    path: Path

    @property
    def id(self) -> str:
        """The job's id, which is also the id of its result."""
        return self.path.name

    @property
    def shards(self) -> Path:
        """Folder of the finished parts."""
        return self.path / "shards"

    @property
    def held(self) -> Path:
        """Folder of the notes about which process makes which part."""
        return self.path / "held"

    @property
    def errors(self) -> Path:
        """Folder of the errors of other processes that make parts."""
        return self.path / "errors"

    @property
    def wanted(self) -> Path:
        """File of the parts to make now, for helpers."""
        return self.path / "wanted.json"

    @property
    def log(self) -> Path:
        """What the worker printed."""
        return self.path / "log.txt"

    @property
    def cancel_flag(self) -> Path:
        """Its presence asks the worker to stop."""
        return self.path / "cancel"

    @property
    def pause_flag(self) -> Path:
        """Its presence asks the worker to stop until the job is resumed."""
        return self.path / "pause"

    @property
    def worker_lock(self) -> FileLock:
        """Held by the worker as long as it lives; the kernel releases it however the worker ends."""
        return FileLock(self.path / "worker.lock")

    @property
    def cache(self) -> Path:
        """Folder of the cache the job belongs to."""
        return self.path.parent.parent

    def order(self) -> Order:
        """What to do. Raises JobError when it cannot be read, or asks for something that this version does not know."""
        content = self._read("spec.json")
        after, sweep = content.get("after"), content.get("sweep")
        # Ids become paths: they must not lead outside the cache.
        if not (after is None or _is_id(after)):
            raise self._damaged("spec.json: it has no usable predecessor")
        if not (sweep is None or _is_id(sweep)):
            raise self._damaged("spec.json: it has no usable sweep")
        try:
            executor = Executor.from_json(content.get("executor") or {})
            return Order(from_json(content), after, content.get("softly") is True, executor, sweep)
        except UsageError as error:
            raise JobError(f"job {self.id}: {error.what}", error.next_step) from None

    @property
    def kind(self) -> str:
        """The kind of job, from its status. Raises JobError when it cannot be read."""
        return str(self._read("status.json").get("kind", ""))

    def log_from(self, start: int) -> bytes:
        """What the workers printed from the byte `start` on."""
        try:
            with open(self.log, "rb") as file:
                file.seek(start)
                return file.read()
        except FileNotFoundError:
            return b""

    def take_batch(self, batch: int) -> None:
        """Sets the number of prompts at a time from now on. Raises UsageError when the job has no batch, OSError."""
        order = self.order()
        if order.spec.batch_size is None:
            raise UsageError(f"a {order.spec.KIND} job has no batch", "resume it as it is")
        self.write_order(replace(order, spec=order.spec.replace(batch=batch)))

    def write_order(self, order: Order) -> None:
        """Replaces what to do. Raises OSError."""
        content = as_json(order.spec) | {"after": order.after, "softly": order.softly, "sweep": order.sweep}
        if order.executor != LOCAL:
            content["executor"] = order.executor.to_json()
        write_json(self.path / "spec.json", content, indent=1)

    def status(self) -> dict[str, Any]:
        """How far the job is. A running or queued job without a living worker comes out as `failed` with the next step;
        one whose worker lives but has long sent no heartbeat has `silent`, in seconds. Raises JobError when it cannot
        be read."""
        status = self._whole_status()
        if status.get("unstarted") and status["state"] == "queued":
            return status
        if status["state"] not in RESTING and not self._starting(status) and not self._alive():
            # The job may have ended between the two looks.
            status = self._whole_status()
            if status["state"] not in RESTING:
                status |= self._lost()
        # After a clock was set back, a heartbeat may lie in the future: then it says nothing.
        if status["state"] not in RESTING and (silent := time.time() - status["heartbeat"]) > SILENCE:
            status["silent"] = silent // 5 * 5  # so that the status does not change at every look
        return status

    def _whole_status(self) -> dict[str, Any]:
        status = self._read("status.json") | {"id": self.id}
        stages = status.setdefault("stages", [])
        beat = status.setdefault("heartbeat", time.time())
        known = status.get("state") in JOB_STATES and isinstance(beat, int | float)
        if not known or not isinstance(stages, list) or not all(isinstance(one, dict) for one in stages):
            raise self._damaged("status.json: it has no usable state, heartbeat or stages")
        return status

    def _lost(self) -> dict[str, Any]:
        """The status of a job whose worker ended without a word."""
        for flag, state in ((self.cancel_flag, "cancelled"), (self.pause_flag, "paused")):
            if flag.exists():
                return {"state": state, "stage": state, "error": None, "lost": True}
        why, more = "its worker is gone", ""
        note = self._started()
        if shutil.disk_usage(self.path).free < _FULL:
            why = "the disk is full: free space"
        elif note.get("boot") not in (None, processes.boot()):
            why = "the machine was started anew"
        elif isinstance(note.get("oom_kills"), int) and processes.oom_kills() > note["oom_kills"]:
            why, more = "its worker is gone, and memory had run out", " --batch 4"
        error = f"{why} · synergy-tui jobs resume {self.id}{more}"
        return {"state": "failed", "stage": "failed", "error": error, "lost": True}

    def write_status(self, status: dict[str, Any]) -> None:
        """Replaces the status atomically: a reader sees the old one or the new one. It is one line, so that SQL reads
        it even beside a damaged one."""
        write_json(self.path / "status.json", status)

    def _read(self, name: str) -> dict[str, Any]:
        try:
            content = json.loads((self.path / name).read_text("utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise self._damaged(f"{name}: {error}") from None
        if not isinstance(content, dict):
            raise self._damaged(f"{name}: it is not an object")
        return content

    def _damaged(self, what: str) -> JobError:
        return JobError(f"job {self.id} is damaged: {what}", f"remove it: synergy-tui jobs clean {self.id}")

    def started(self, pid: int) -> None:
        """Notes the process of a worker just started. It has a file of its own: only the worker writes the status."""
        note = {"pid": pid, "since": processes.since(pid), "boot": processes.boot(), "oom_kills": processes.oom_kills()}
        note["host"] = socket.gethostname()
        write_json(self.path / "started.json", note)

    def end_worker(self) -> None:
        """Kills the worker's process, if the noted one is still that process. Its finished shards are on the disk."""
        if (pid := self._worker()) is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _worker(self) -> int | None:
        """The noted process, if it lives. Another process may get the same number, also after a restart of the machine;
        but it never has the same start time in the same boot."""
        note = self._started()
        pid, since = note.get("pid"), note.get("since")
        if not isinstance(pid, int) or since is None or note.get("boot") != processes.boot():
            return None
        return pid if processes.since(pid) == since else None

    def _started(self) -> dict[str, Any]:
        try:
            return self._read("started.json")
        except JobError:
            return {}

    def _starting(self, status: dict[str, Any]) -> bool:
        """Whether the job was queued just now and its worker is about to start: until then no process is noted, or the
        one before. A process that waits for a resumed job must not take it for lost."""
        if status["state"] != "queued" or status.get("pid") is not None:
            return False
        if not 0 <= time.time() - status["heartbeat"] < STARTING:
            return False
        try:
            return (self.path / "started.json").stat().st_mtime < status["heartbeat"]
        except OSError:
            return True

    def _alive(self) -> bool:
        if self.worker_lock_taken():
            return True
        note = self._started()
        if note.get("host", socket.gethostname()) != socket.gethostname():
            # Nothing else is known about another machine on a shared file system.
            return abs(time.time() - self._whole_status()["heartbeat"]) < ELSEWHERE
        # Until a worker has taken the lock, only its process shows that it lives.
        return self._worker() is not None

    def worker_lock_taken(self) -> bool:
        """Whether a living worker has the job."""
        lock = self.worker_lock
        try:
            lock.acquire(blocking=False)
        except (Timeout, OSError):
            return True
        lock.release()
        return False


def new(cache: Path, order: Order) -> JobFolder:
    """Makes the folder of a queued job. Raises OSError when it cannot be written."""
    while True:
        job = JobFolder(cache / "jobs" / (order.spec.LETTER + secrets.token_hex(4)))
        try:
            job.path.mkdir(parents=True)
            break
        except FileExistsError:
            continue
    try:
        job.shards.mkdir()
        job.write_status(queued(job.id, order.spec.KIND, order.after, order.sweep, order.executor))
        job.write_order(order)
    except BaseException:
        shutil.rmtree(job.path, ignore_errors=True)
        raise
    return job


def queued(
    job: str, kind: str, after: str | None, sweep: str | None = None, executor: Executor = LOCAL
) -> dict[str, Any]:
    """The status of a job that waits for its worker, or for `jobs work` if no worker is started."""
    now = time.time()
    status: dict[str, Any] = {
        "id": job,
        "kind": kind,
        "state": "queued",
        "stage": "queued",
        "progress": 0.0,
        "pid": None,
        "after": after,
        "sweep": sweep,
        "error": None,
        "created": now,
        "heartbeat": now,
        "stages": [],
    }
    if executor.executor != "local":
        status["executor"] = executor.executor
    return status | ({"unstarted": True} if executor.executor == "none" else {})


def find(cache: Path, job: str) -> JobFolder:
    """The job with this id or unique prefix. Raises UsageError when there is no such job, or several."""
    if not _is_id(job):
        raise UsageError(f"{job!r} is not a job id", "synergy-tui jobs list")
    found = [one for one in every(cache) if one.id.startswith(job)]
    found = [one for one in found if one.id == job] or found
    if not found:
        raise UsageError(f"no job {job} in this cache", "synergy-tui jobs list")
    if len(found) > 1:
        raise UsageError(f"{job} may mean {', '.join(one.id for one in found[:5])}", "give more of the id")
    return found[0]


def every(cache: Path) -> Iterator[JobFolder]:
    """All jobs of a cache, oldest first."""
    specs = [path for path in (cache / "jobs").glob("*/spec.json") if not path.parent.is_symlink()]
    return (JobFolder(path.parent) for path in sorted(specs, key=lambda path: (path.stat().st_mtime_ns, path)))


def _is_id(text: Any) -> bool:
    return isinstance(text, str) and re.fullmatch(r"[a-z0-9]+", text) is not None


def write_json(path: Path, content: dict[str, Any], indent: int | None = None) -> None:
    """Replaces a JSON file atomically."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(2)}")
    try:
        unfinished.write_text(json.dumps(content, indent=indent, ensure_ascii=False) + "\n", "utf-8")
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
