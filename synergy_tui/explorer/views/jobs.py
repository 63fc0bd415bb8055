"""What runs and what has run: state, progress, rate, time left, the end of the log."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from rich.style import Style
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical

from synergy_tui.drawing import status
from synergy_tui.drawing.tables import printable
from synergy_tui.errors import SynergyError
from synergy_tui.explorer import telling
from synergy_tui.explorer.keys import Action, bindings
from synergy_tui.explorer.views.base import Table, View
from synergy_tui.explorer.widgets.lines import Lines
from synergy_tui.explorer.widgets.table import ResultTable

COLUMNS = ("job", "kind", "state", "progress", "stage", "rate", "left", "made")
SIGNS = {"running": "●", "queued": "○", "paused": "◐", "done": "✓", "failed": "✖", "cancelled": "–"}

_FIRST = {"running": 0, "queued": 1, "paused": 2}
"""What is under way stands above what has ended."""

TAIL = 4_000
"""Bytes of the log's end that are read."""


class JobsView(View):
    """All jobs of the cache: those under way, then the newest."""

    ACTIONS = (
        Action("jobs.open", "enter", "open_result", "open", "Open what the job made", footer=True),
        Action(
            "jobs.cancel",
            "delete",
            "cancel",
            "cancel",
            "Stop the job or its chain; finished parts are kept",
            footer=True,
        ),
        Action("jobs.pause", "w", "pause", "pause", "End the worker until the job is resumed", footer=True),
        Action("jobs.resume", "e", "resume", "resume", "Go on where the job stopped", footer=True),
        Action("jobs.remove", "D", "remove", "remove", "Remove a done job's folder; what it made stays"),
    )
    BINDINGS = bindings(ACTIONS)
    HELP = (
        "Jobs are processes of their own: leaving the explorer or losing the line does not end them. A cancelled or "
        "failed job keeps its finished parts; e goes on from there. A paused one has no worker: memory and device are "
        "free. One job runs per device, the others wait."
    )

    def compose(self) -> ComposeResult:
        with Vertical(classes="pane", id="jobs-pane"):
            yield ResultTable(self.explorer.ink, id="jobs-table")
        with Vertical(classes="pane", id="job-pane"):
            yield Lines(id="job-lines")

    def on_mount(self) -> None:
        self._jobs: list[dict[str, Any]] = []
        self.head("#jobs-pane", "Jobs")

    @property
    def listing(self) -> ResultTable:
        """The table."""
        return self.query_one(ResultTable)

    def focus_main(self) -> None:
        self.listing.focus()

    def show(self) -> None:
        self.listing.ink = self.ink
        self.noticed()

    def noticed(self) -> None:
        seen = self.explorer.seen
        jobs = reversed(seen.jobs) if seen else ()
        self._jobs = sorted(jobs, key=lambda one: _FIRST.get(one["state"], len(_FIRST)))  # and the newest before others
        rows = [self._row(one) for one in self._jobs]
        if rows != list(self.listing.rows):
            ids = [row[0] for row in rows]
            here = self.listing.rows[self.listing.cursor_row][0] if self.listing.rows else None
            if here in ids:  # the cursor stays on its job, wherever that stands now
                self.listing.cursor_row = ids.index(here)
            self.listing.show(COLUMNS, rows, keep=True, styles=[self._style(one) for one in self._jobs])
        self._tell()

    def _row(self, job: dict[str, Any]) -> tuple[str, ...]:
        import time

        bar = self.ink.plain(status.bar(job.get("progress") or 0.0, 12))
        made = time.strftime("%m-%d %H:%M", time.localtime(job["created"])) if job.get("created") else ""
        return (
            str(job["id"]),
            str(job["kind"]),
            f"{self.ink.plain(SIGNS.get(job['state'], ' '))} {job['state']}",
            f"{bar} {job.get('progress') or 0.0:4.0%}",
            f"after {job['after']}" if job["state"] == "queued" and job.get("after") else str(job.get("stage", "")),
            status.rate(job),
            status.time_left(job),
            made,
        )

    def _style(self, job: dict[str, Any]) -> Style:
        state = job["state"]
        if state in ("running", "queued"):
            return self.ink.good if state == "running" else Style()
        return self.ink.levels[0] if state == "failed" else self.ink.levels[1] if state == "paused" else self.ink.dim

    @property
    def job(self) -> dict[str, Any] | None:
        """The job under the cursor."""
        return self._jobs[self.listing.cursor_row] if self.listing.cursor_row < len(self._jobs) else None

    @on(ResultTable.Moved)
    def _moved(self) -> None:
        self._tell()

    def _tell(self) -> None:
        job, lines = self.job, self.query_one("#job-lines", Lines)
        if job is None:
            self.head("#job-pane", "")
            words = "No job has been started in this cache. Press n to start one."
            lines.show(telling.wrapped(words, self.size.width), self.ink)
            return
        self.head("#job-pane", f"{job['kind']} {job['id']}")
        told = []
        for stage in job.get("stages", []):
            done = "done" if stage.get("ended") else f"{stage.get('done', 0):,.0f} of {stage.get('total') or 0:,.0f}"
            told.append(Text(f" {stage['name']:<10} {printable(str(stage.get('detail', '')))}  {done}"))
        if wrong := job.get("error") or status.silence(job):
            for line in telling.wrapped(printable(str(wrong)), self.query_one("#job-pane").content_size.width - 1):
                line.stylize(self.ink.warm)
                told.append(line)
        self._head = told
        lines.show(told, self.ink)
        log = self.explorer.settings.cache / "jobs" / str(job["id"]) / "log.txt"
        self.explorer.in_thread("log", lambda: (job["id"], _tail(log)), self._log_there)

    def _log_there(self, found: tuple[str, list[str]]) -> None:
        job, tail = found
        if self.job is None or self.job["id"] != job:
            return
        room = max(self.query_one("#job-pane").content_size.height - len(self._head) - 1, 0)
        log = [Text(f" {line}", self.ink.dim) for line in tail[-room:]] if room else []
        self.query_one("#job-lines", Lines).show([*self._head, Text(), *log], self.ink)

    def _folder(self) -> Any:
        from synergy_tui.jobs import folder

        job = self.job
        return folder.find(self.explorer.settings.cache, str(job["id"])) if job else None

    def action_cancel(self) -> None:
        """Stops the job; of a chain all of it, after one question."""
        from synergy_tui.explorer.dialogs.choose import Choose
        from synergy_tui.jobs.submit import cancel, linked

        job = self.job
        if job is None:
            return
        chain = linked(self._jobs, str(job["id"]))
        if len(chain) < 2:
            return self._do("Cancelled", lambda one: cancel(one))
        choices = {
            "all": f"all {len(chain)} jobs of this chain",
            "one": f"only {job['kind']} {job['id']}; what waits for it goes on or fails",
        }
        title = "Cancel? Finished parts are kept."
        self.app.push_screen(Choose(title, choices, "all"), lambda answer: self._cancel(answer, chain))

    def _cancel(self, answer: str | None, chain: list[str]) -> None:
        from synergy_tui.jobs.submit import cancel, cancel_all

        if answer == "one":
            self._do("Cancelled", lambda one: cancel(one))
        elif answer == "all":
            cache = self.explorer.settings.cache

            def then(ids: list[str]) -> None:
                self.explorer.say(f"Cancelled {len(ids)} jobs.")
                self.explorer.look_soon()

            self.explorer.in_thread("jobs", lambda: cancel_all(cache, chain), then)

    def action_pause(self) -> None:
        """Ends the worker until the job is resumed."""
        from synergy_tui.jobs.submit import pause

        self._do("Paused", lambda job: pause(job))

    def action_remove(self) -> None:
        """Removes the folder of a done job; what it made stays."""
        from synergy_tui.jobs.submit import remove

        job = self.job
        if job is not None and job["state"] != "done":
            told = (
                f"{job['id']} is {job['state']} and keeps its parts. To lose them: synergy-tui jobs clean {job['id']}"
            )
            return self.explorer.say(told, "warning")
        self._do("Removed", lambda job: remove(job))

    def action_resume(self) -> None:
        """Goes on with the job."""
        from synergy_tui.jobs.submit import resume

        self._do("Resumed", lambda job: resume(self.explorer.settings.cache, job))

    def _do(self, word: str, what: Any) -> None:
        job = self.job
        if job is None:
            return

        def then(_: Any) -> None:
            self.explorer.say(f"{word} {job['id']}.")
            self.explorer.look_soon()

        self.explorer.in_thread("jobs", lambda: what(self._folder()), then)

    def action_open_result(self) -> None:
        """Opens what the job made or is making."""
        from synergy_tui.explorer import open as opening

        cache, job = self.explorer.cache, self.job
        if cache is None or job is None:
            return
        if job["kind"] == "ladder":
            self.explorer.to_view("difficulty")  # which says how far it is
            return

        def then(place: Any) -> None:
            self.explorer.to_view("ablation" if job["kind"] == "ablate" else "atlas")
            self.explorer.open_run(place)

        self.explorer.in_thread("jobs", lambda: opening.job_place(cache, self._folder()), then)

    def sql(self) -> str:
        return "SELECT * FROM jobs"

    def command(self) -> str:
        return "synergy-tui jobs list"

    def value(self) -> str:
        return str(self.job["id"]) if self.job else ""

    def table(self) -> Table:
        return list(COLUMNS), [tuple(row) for row in self.listing.rows]

    def about(self) -> list[str]:
        job = self.job
        if job is None:
            return []
        sentences = [f"{job['kind']} {job['id']} is {job['state']}."]
        wrong = job.get("error") or status.silence(job)
        return [*sentences, str(wrong)] if wrong else sentences


def _tail(path: Path) -> list[str]:
    with contextlib.suppress(OSError, SynergyError), open(path, "rb") as file:
        file.seek(0, 2)
        file.seek(max(file.tell() - TAIL, 0))
        return [printable(line) for line in file.read().decode("utf-8", "replace").splitlines()]
    return []
