"""A sweep job: starts the jobs of its cells, follows them, and notes the state of each. It computes nothing itself: it
waits for no device, and loads neither torch nor JAX."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synergy_tui.errors import Cancelled, JobError, SynergyError
from synergy_tui.jobs import cells, chain
from synergy_tui.jobs.folder import ENDED, JobFolder
from synergy_tui.jobs.plan import Link, claims, finished, results
from synergy_tui.jobs.plan.sweeps import cell_links
from synergy_tui.jobs.specs import LOCAL, SweepSpec
from synergy_tui.jobs.worker.progress import Progress
from synergy_tui.store import load
from synergy_tui.store.cache import Cache
from synergy_tui.subject import trust
from synergy_tui.subject.source import Source

POLL = 0.2

_THERE = {
    "map": "SELECT 1 FROM decompositions WHERE decomposition = $1",
    "card": "SELECT 1 FROM cards WHERE card = $1",
}


def work(job: JobFolder, spec: SweepSpec, progress: Progress) -> None:
    """Makes the missing cells. Raises JobError if some have failed, once all others are done."""
    _Work(job, spec, progress).work()


@dataclass(frozen=True)
class _Going:
    """A cell under way. jobs: the jobs that are followed; the last is the one that counts. judges: whether they make
    its card."""

    jobs: Sequence[JobFolder]
    judges: bool = False


class _Work:
    def __init__(self, job: JobFolder, spec: SweepSpec, progress: Progress) -> None:
        self.job, self.spec, self.progress = job, spec, progress
        self.cache = Cache.open(job.cache, on_wait=progress.waits)
        self.states = cells.read(job, len(spec.cells))
        # If no worker is started for the sweep itself, whoever works on it does its jobs.
        executor = job.order().executor
        self.executor = LOCAL if executor.executor == "none" else executor
        self.going: dict[int, _Going] = {}
        self.lost: dict[int, str] = {}
        """Capture → why it failed in this run: it is not tried again for each of its methods."""
        self.told = ""

    def work(self) -> None:
        waiting = self._missing()
        count = len(self.states)
        kept = count - len(waiting)
        self.progress.stage("cells", count, "cells", share=(kept / count if count else 0.0, 1.0))
        self.progress.skip(kept)
        self._note()
        while waiting or self.going:
            while waiting and len(self.going) < (self.spec.at_once or 1):
                self._try(waiting.pop(0))
            if self.going:
                self._look()
                self._tell()
                time.sleep(POLL)
            self.progress.check()
        self._tell()
        errors = [one.error for one in self.states if one.state == "failed"]
        if errors:
            raise JobError(
                f"{len(errors)} of {count} cells failed: {errors[0]}", f"synergy-tui jobs resume {self.job.id}"
            )

    def _missing(self) -> list[int]:
        """The cells to make: not those that were done before and still have all results, and not those that need no
        card and were found by hash."""
        known = results(self.cache)
        out = []
        for number, (cell, state) in enumerate(zip(self.spec.cells, self.states, strict=True)):
            links = finished(self.cache, cell_links(self.spec, cell), known)
            found = [one.found for one in links]
            state.capture, state.map = found[0] or state.capture, found[1] or state.map
            carded = cell.claims is None or (state.state == "done" and self._has("card", state.card))
            if all(found) and carded:
                state.state = "done"
            else:
                state.state = "queued"
                out.append(number)
            state.error = None
        return out

    def _has(self, kind: str, result: str | None) -> bool:
        return result is not None and bool(load.rows(self.cache, _THERE[kind], result))

    # One cell

    def _try(self, number: int) -> None:
        """Takes a cell one step further. An error ends only the cell, not the sweep."""
        try:
            self._step(number)
        except Cancelled:
            raise
        except SynergyError as error:
            self._ends(number, str(error))

    def _step(self, number: int) -> None:
        cell, state = self.spec.cells[number], self.states[number]
        if (why := self.lost.get(cell.capture)) is not None:
            return self._ends(number, why)
        before = self.going.get(number)
        if before is None:
            links = finished(self.cache, cell_links(self.spec, cell))
            state.capture, state.map = self._start(number, links)
            return self._note()
        if not self._has(*(("card", state.card) if before.judges else ("map", state.map))):
            raise JobError(f"the result of {before.jobs[-1].id if before.jobs else state.map} was deleted")
        if before.judges or cell.claims is None:
            return self._ends(number)
        return self._judge(number)

    def _judge(self, number: int) -> None:
        cell, state = self.spec.cells[number], self.states[number]
        assert cell.claims is not None
        made = claims(self.cache, Path(self.spec.captures[0].data), cell.claims.replace(decomposition=state.map))
        if (card := self._card(made.links)) is not None:
            state.card = card
            return self._ends(number)
        *_, state.card = self._start(number, made.links, judges=True)
        return self._note()

    def _card(self, links: Sequence[Link]) -> str | None:
        """The card made from the same parts by the same request."""
        if any(one.found is None for one in links[:-1]):
            return None
        spec = links[-1].spec([one.found or "" for one in links[:-1]])
        return results(self.cache).get(spec.hash)

    def _start(self, number: int, links: Sequence[Link], judges: bool = False) -> list[str]:
        """Starts the missing jobs, and follows them."""
        for one in links:
            # Submitting remembers the user's permissions: a sweep from elsewhere must not give any.
            if one.found is None and isinstance(source := getattr(one.plan.spec, "source", None), Source):
                trust.check(source)
        ids = chain.start(self.cache, links, one_by_one=judges, join=True, executor=self.executor, sweep=self.job.id)
        self.states[number].state = "running"
        self.going[number] = _Going(chain.started(self.cache, links, ids), judges)
        return ids

    def _look(self) -> None:
        """Takes the cells further whose jobs have all ended."""
        for number, one in list(self.going.items()):
            statuses = [_status(job) for job in one.jobs]
            if all(status["state"] in ENDED for status in statuses):
                # Parts of a card may fail: the card lists what it lacks.
                wrong = [status for status in (statuses[-1:] if one.judges else statuses) if status["state"] != "done"]
                if wrong:
                    self._fails(number, wrong[0])
                else:
                    self._try(number)

    def _fails(self, number: int, status: Mapping[str, Any]) -> None:
        why = status.get("error") if status["state"] == "failed" else None
        told = f"{status['kind']} {status['id']}: {str(why).partition(' · ')[0] if why else 'it was cancelled'}"
        if status["kind"] == "capture":
            self.lost[self.spec.cells[number].capture] = told
        self._ends(number, told)

    def _ends(self, number: int, error: str | None = None) -> None:
        self.going.pop(number, None)
        self.states[number].state = "done" if error is None else "failed"
        self.states[number].error = error
        if error is not None:
            print(f"cell {number + 1}: {error}", flush=True)
        self._note()
        self.progress.advance()

    def _note(self) -> None:
        cells.write(self.job, self.states)

    def _tell(self) -> None:
        """Writes what is running into the stage's detail."""
        told = "; ".join(self._running(number, one) for number, one in self.going.items())
        if told != self.told:
            self.told = told
            self.progress.detail(told)

    def _running(self, number: int, one: _Going) -> str:
        words = self.spec.told(self.spec.cells[number])
        name = f"{words['subject']} seed {words['seed']} {words['method']}"
        for state in ("running", "paused", "queued"):
            for job in one.jobs:
                if (status := _status(job))["state"] == state:
                    does = f"{status.get('progress') or 0:.0%}" if state == "running" else state
                    return f"{status['kind']} {does} of {name}"
        return name


def _status(job: JobFolder) -> dict[str, Any]:
    """A job's status. The folder of a done job may be gone; a damaged job has failed."""
    if not job.path.exists():
        return {"id": job.id, "kind": "job", "state": "done"}
    with contextlib.suppress(JobError):
        return job.status()
    return {"id": job.id, "kind": "job", "state": "failed", "error": "its folder is damaged"}
