"""The cache → the tree of runs, and the run to begin with. May block."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from synergy_tui.drawing import naming
from synergy_tui.errors import SynergyError, UsageError
from synergy_tui.explorer.run import Place
from synergy_tui.settings import Settings, shipped
from synergy_tui.store import load
from synergy_tui.store.archive import Archive, open_any
from synergy_tui.store.cache import Cache

if TYPE_CHECKING:
    from synergy_tui.jobs.folder import JobFolder


@dataclass(frozen=True)
class Branch:
    """A line of the tree: its text, where it leads (None: nowhere), the branches under it, and the id to find it by."""

    text: str
    place: Place | None
    branches: tuple[Branch, ...] = ()
    id: str = ""


@dataclass(frozen=True)
class RunTree:
    """Subjects with their captures and decompositions, the newest first, and the sample. ids: the ids of all
    decompositions."""

    branches: tuple[Branch, ...]
    ids: frozenset[str]


def first(settings: Settings, asked: str | None, last: str | None) -> tuple[Cache, Place | None]:
    """The cache, and the run to show: the requested one, the one shown last, the newest, or the sample. Raises
    CacheError when the cache cannot be used, UsageError when the requested run does not exist."""
    cache = open_any(settings.cache)
    if asked:
        return cache, Place(cache, load.find(cache, "decomposition", asked))
    if last:
        with contextlib.suppress(UsageError):
            return cache, Place(cache, load.one(cache, "decomposition", last)["decomposition"])
    with contextlib.suppress(UsageError):
        return cache, Place(cache, load.find(cache, "decomposition", None, latest=True))
    return cache, sample()


def sample() -> Place | None:
    """The result that ships with the package."""
    with contextlib.suppress(SynergyError):
        archive = Archive.open(shipped("sample"))
        return Place(archive, load.find(archive, "decomposition", None, latest=True), sample=True)
    return None


def tree(cache: Cache) -> RunTree:
    """The runs in the cache, with the jobs that are making more."""
    captures, decompositions = load.described(cache)
    branches = _subjects(cache, captures, decompositions, _growing(cache), False)
    ids = {row["decomposition"] for row in decompositions}
    first_run = sample() if not isinstance(cache, Archive) else None
    if first_run is not None:
        shipped_branches = _subjects(first_run.cache, *load.described(first_run.cache), [], True)
        branches += tuple(Branch(f"sample · {one.text}", one.place, one.branches) for one in shipped_branches)
        ids |= {first_run.id}
    return RunTree(branches, frozenset(ids))


def _subjects(
    cache: Cache,
    captures: list[dict[str, Any]],
    decompositions: list[dict[str, Any]],
    growing: list[dict[str, Any]],
    sample: bool,
) -> tuple[Branch, ...]:
    out = []
    for one in growing:
        if one["kind"] == "capture":
            place = Place(cache, one["id"], job=one["job"])
            out.append(Branch(f"{one['name']} · capturing", place))
    for subject in dict.fromkeys(row["subject"] for row in captures):
        mine = [row for row in captures if row["subject"] == subject]
        inner = []
        for row, name in zip(mine, naming.told_apart(mine, naming.OF_CAPTURE), strict=True):
            runs = _runs(cache, [one for one in decompositions if one["capture"] == row["capture"]], sample)
            for one in growing:
                if one["kind"] == "decompose" and one["capture"] == row["capture"]:
                    runs.append(Branch("decomposing", Place(cache, one["id"], job=one["job"]), id=one["id"]))
            inner.append(Branch(name, None, tuple(runs), row["capture"]))
        out.append(Branch(mine[0]["subject_name"], None, tuple(inner)))
    return tuple(out)


def _runs(cache: Cache, rows: list[dict[str, Any]], sample: bool) -> list[Branch]:
    # The levels of a ladder are maps of its capture too, so each group gets its own distinguishing names.
    levels, others = ([one for one in rows if (one["level"] is not None) is is_level] for is_level in (True, False))
    out = []
    for some in (others, levels):
        names = naming.told_apart(some, naming.OF_DECOMPOSITION)
        for row, name in zip(some, names, strict=True):
            out.append(Branch(name, Place(cache, row["decomposition"], sample), id=row["decomposition"]))
    return out


def _growing(cache: Cache) -> list[dict[str, Any]]:
    """Captures and decompositions under way."""
    from synergy_tui.jobs import folder
    from synergy_tui.jobs.specs import CaptureSpec, DecomposeSpec

    out = []
    for job in folder.every(cache.folder):
        with contextlib.suppress(SynergyError, OSError, KeyError):
            if job.status()["state"] in folder.ENDED:
                continue
            spec = job.order().spec
            name = spec.source.name if isinstance(spec, CaptureSpec) else ""
            of = spec.capture if isinstance(spec, DecomposeSpec) else None
            out.append({"id": job.id, "kind": spec.KIND, "name": name, "capture": of, "job": job})
    return out


def job_place(cache: Cache, job: JobFolder) -> Place:
    """Where a finished or running job leads. Raises UsageError when it leads nowhere."""
    from synergy_tui.jobs.folder import ENDED

    status, kind = job.status(), job.kind
    if status["state"] not in ENDED and kind in ("capture", "decompose"):
        return Place(cache, job.id, job=job)
    if status["state"] != "done":
        raise UsageError(f"job {job.id} is {status['state']} and has made nothing", "resume it with F5")
    return Place(cache, load.find(cache, "decomposition", job.id))
