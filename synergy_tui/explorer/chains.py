"""Jobs → rows of a list: chains that fold, in a chosen order, filtered by words; and the text on each."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from synergy_tui.explorer.finding import has
from synergy_tui.jobs.folder import ENDED
from synergy_tui.jobs.submit import chains

Job = Mapping[str, Any]

SORTS = ("state", "newest", "kind", "progress")
"""Sort keys of rows; by state, running jobs come first, and the newest among equals."""

_WORST = ("running", "failed", "paused", "queued", "cancelled", "done")
"""The state of a chain is the first of these that one of its jobs has."""

_UNDER_WAY = ("running", "queued", "paused")


@dataclass(frozen=True)
class Row:
    """A job, or a chain of several as one row. jobs: waiting ones come last, and a sweep after the jobs of its cells.
    inside: whether the row stands below its open chain."""

    jobs: tuple[Job, ...]
    inside: bool = False

    @property
    def chain(self) -> bool:
        """Whether it is a chain."""
        return len(self.jobs) > 1

    @property
    def sweep(self) -> bool:
        """Whether it is a sweep, which reports its own state and stops its jobs itself."""
        return self.last["kind"] == "sweep"

    @property
    def name(self) -> str:
        """Its kind, which stands before its id."""
        return str(self.last["kind"]) if self.sweep or not self.chain else f"{self.last['kind']} chain"

    @property
    def key(self) -> str:
        """A stable name, whatever becomes of its jobs: the id of the chain's last job, its goal."""
        return f"{'chain ' if self.chain else ''}{self.last['id']}"

    @property
    def last(self) -> Job:
        """The job that the others are for."""
        return self.jobs[-1]

    @property
    def state(self) -> str:
        """The state of the job that runs, or the worst."""
        return str(self.job["state"])

    @property
    def job(self) -> Job:
        """The job with this state: the one to pause, resume or show the log of."""
        if self.sweep:
            return self.last
        return min(self.jobs, key=lambda one: _WORST.index(one["state"]))

    @property
    def going(self) -> list[str]:
        """Ids of the jobs that have not ended, waiting ones last."""
        return [str(one["id"]) for one in self.jobs if one["state"] not in ENDED]

    @property
    def progress(self) -> float:
        """Progress of all jobs together; for a sweep, the share of its cells that are done."""
        if self.sweep:
            return float(self.last.get("progress") or 0.0)
        return sum(one.get("progress") or 0.0 for one in self.jobs) / len(self.jobs)

    @property
    def counted(self) -> str:
        """How many jobs of a chain, or cells of a sweep, are done, and how many jobs failed."""
        states = [one["state"] for one in self.jobs]
        failed = f", {states.count('failed')} failed" if "failed" in states else ""
        if self.sweep:
            stage: Job = next((one for one in self.last.get("stages") or [] if one.get("unit") == "cells"), {})
            kept = stage.get("kept") or 0
            cells = f"{stage.get('done', 0) + kept:.0f} of {stage.get('total', 0) + kept:.0f} cells"
            return cells if self.last["state"] == "failed" else f"{cells}{failed}"
        return f"{states.count('done')} of {len(states)} done{failed}"


def rows(
    jobs: Sequence[Job],
    sort: str = SORTS[0],
    words: str = "",
    opened: Collection[str] = (),
    subjects: Mapping[str, str] | None = None,
) -> list[Row]:
    """The rows of jobs; the input has the oldest first. words: keep only rows that match them. opened: keys of chains
    whose jobs stand below them. subjects: by job."""
    age = {str(one["id"]): place for place, one in enumerate(jobs)}
    by_id = {str(one["id"]): one for one in jobs}
    asked = words.lower().split()
    whole = [Row(tuple(by_id[one] for one in chain)) for chain in chains(jobs)]

    def wanted(job: Job) -> bool:
        return matches(asked, job, (subjects or {}).get(str(job["id"]), ""))

    def order(row: Row) -> tuple[Any, ...]:
        newest = -max(age[str(one["id"])] for one in row.jobs)
        urgent = [_UNDER_WAY.index(one["state"]) for one in row.jobs if one["state"] in _UNDER_WAY]
        first: dict[str, Any] = {"newest": 0, "kind": str(row.last["kind"]), "progress": -row.progress}
        first["state"] = min(urgent, default=len(_UNDER_WAY))
        return first[sort], newest

    out = []
    for row in sorted((one for one in whole if any(map(wanted, one.jobs))), key=order):
        out.append(row)
        if row.chain and row.key in opened:
            out += [Row((one,), True) for one in row.jobs if wanted(one)]
    return out


def matches(words: Sequence[str], job: Job, subject: str) -> bool:
    """Whether every word, in any order, is in the job's kind, id, subject or state, or may mean a word there (see
    `finding`)."""
    fields = [str(job["kind"]).lower(), subject.lower(), str(job["state"]).lower()]
    return all(word in str(job["id"]) or any(has(one, word) for one in fields) for word in words)
