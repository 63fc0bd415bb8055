"""Removes what is no longer needed in a cache folder: parts of done jobs, old done jobs, files of killed work."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from synergy_tui.errors import JobError
from synergy_tui.jobs import folder, submit
from synergy_tui.jobs.folder import JobFolder
from synergy_tui.store.cache import Cache
from synergy_tui.store.schema import NOTHING

SETTLED = 3600.0
"""Seconds after which a file without a living worker is no longer work in progress."""


def collect(cache: Cache) -> dict[str, int]:
    """Removes it; returns the bytes freed of each kind. Results and parts of unfinished jobs stay."""
    freed = {"parts of done jobs": 0, "done jobs": 0, "unfinished files": 0, "folders without a job": 0}
    for job in folder.every(cache.folder):
        if _done(job) and job.shards.exists():
            freed["parts of done jobs"] += _removed(job.shards)
    before = _size(cache.jobs)
    submit.tidy(cache.folder, submit.KEPT)
    freed["done jobs"] = before - _size(cache.jobs)
    for path in _unfinished(cache):
        freed["unfinished files"] += _removed(path)
    for path in cache.jobs.iterdir():
        if path.name != NOTHING and not (path / "spec.json").exists() and _settled(path):
            freed["folders without a job"] += _removed(path)
    return freed


def _unfinished(cache: Cache) -> Iterator[Path]:
    """Files under a temporary name whose worker is gone."""
    for path in (*cache.unfinished.glob("*"), *cache.jobs.glob("*/shards/.*.part")):
        job = JobFolder(
            path.parent.parent if path.parent.name == "shards" else cache.jobs / path.name.strip(".").split(".")[0]
        )
        if _settled(path) and not (job.path.exists() and job.worker_lock_taken()):
            yield path


def _done(job: JobFolder) -> bool:
    try:
        return job.status()["state"] == "done" and not job.worker_lock_taken()
    except JobError:
        return False


def _settled(path: Path) -> bool:
    return time.time() - path.stat().st_mtime > SETTLED


def _size(path: Path) -> int:
    return (
        sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) if path.is_dir() else path.stat().st_size
    )


def _removed(path: Path) -> int:
    size = _size(path)
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
    return size
