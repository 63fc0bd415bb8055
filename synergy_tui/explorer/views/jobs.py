"""Running and past jobs: state, progress, rate, time left, what a job waits for, the end of the log."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.style import Style
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input

from synergy_tui.drawing import status
from synergy_tui.drawing.tables import printable
from synergy_tui.errors import SynergyError
from synergy_tui.explorer import telling
from synergy_tui.explorer.chains import SORTS, Row, rows
from synergy_tui.explorer.keys import Action, bindings
from synergy_tui.explorer.views.base import Table, View
from synergy_tui.explorer.widgets.lines import Lines
from synergy_tui.explorer.widgets.table import ResultTable
from synergy_tui.jobs.folder import ENDED

if TYPE_CHECKING:
    from synergy_tui.jobs.about import About
    from synergy_tui.store.cache import Cache

COLUMNS = ("job", "kind", "state", "progress", "stage", "rate", "left", "made")

SOME, FEW = COLUMNS[:5] + COLUMNS[6:7], COLUMNS[:5]
"""Columns for narrower terminals; the lines below the table show the rest."""

WIDE, MIDDLE = 150, 110
"""Columns of the terminal from which all of them fit, and from which some do."""

SIGNS = {"running": "●", "queued": "○", "paused": "◐", "done": "✓", "failed": "✖", "cancelled": "–"}

BAR, STAGE = 12, 60
"""Columns of a bar, and most columns for what a job does or waits for."""

NAMED = 6
"""Most jobs that a question names; it counts the others."""

TAIL = 4_000
"""Bytes of the log's end that are read."""


class JobTable(ResultTable):
    """A table whose rows fold: right opens the chain under the cursor, left closes it. If there is nothing to fold, the
    table scrolls sideways."""

    SORTS = False

    fold: Callable[[bool], bool] = staticmethod(lambda _: False)

    def action_scroll(self, columns: int) -> None:
        """Opens or closes, or moves the view sideways."""
        if self.scroll_offset.x or not self.fold(columns > 0):
            super().action_scroll(columns)


NOTHING = (
    "No job has been started in this cache. Captures, decompositions, ablations, ladders and cards run as processes of "
    "their own and go on when you leave. This table shows their progress, what they wait for, and their logs. Press n "
    "to start one."
)
"""The view's text before there is a job."""


class JobsView(View):
    """All jobs of the cache: those under way, then the newest."""

    ACTIONS = (
        Action("jobs.open", "enter", "open_result", "open", "Open what the job made, or a chain's jobs", footer=True),
        Action("jobs.cancel", "delete", "cancel", "cancel", "Stop a job or chain; finished parts stay", footer=True),
        Action("jobs.pause", "w", "pause", "pause", "End the worker until the job is resumed", footer=True),
        Action("jobs.resume", "f5", "resume", "resume", "Go on where the job stopped", footer=True),
        Action("jobs.filter", "slash", "filter", "filter", "Only jobs with these words", footer=True),
        Action("jobs.sort", "o", "sort", "sort", "By state, newest, kind or progress", footer=True),
        Action("jobs.remove", "D", "remove", "remove", "Remove the folder of what is done; what it made stays"),
        Action("jobs.leave", "escape", "leave", "all/map", "All jobs again; then to the map"),
    )
    BINDINGS = bindings(ACTIONS)
    HELP = (
        "Jobs are processes of their own: leaving the explorer or losing the line does not end them. A cancelled or "
        "failed job keeps its finished parts; e goes on from there. A paused one has no worker: memory and device are "
        "free. One job runs per device, the others wait and say for what. Jobs that wait for each other are a chain: "
        "one row, which enter or the right arrow opens and the left arrow closes; its state is that of the job that "
        "runs, or the worst. A sweep is one row with the jobs of its cells, and stops, pauses and resumes "
        "them. / narrows by kind, id, subject and state, letters may be missing; o sorts."
    )

    def compose(self) -> ComposeResult:
        with Vertical(classes="pane", id="jobs-pane"):
            yield Input(placeholder="kind, id, subject or state; escape shows all", id="jobs-filter", compact=True)
            yield JobTable(self.explorer.ink, id="jobs-table")
        with Vertical(classes="pane", id="job-pane"):
            yield Lines(id="job-lines")

    def on_mount(self) -> None:
        self._rows: list[Row] = []
        self._opened: set[str] = set()
        self._sort = SORTS[0]
        self._about: dict[str, About] = {}
        self._subjects: dict[str, str] = {}
        self._first: dict[str, str] = {}
        self._head: list[Text] = []
        self._log: tuple[str, list[str], list[str]] = ("", [], [])
        self.listing.fold = self._fold
        self.query_one(Input).cursor_blink = False
        self.head("#jobs-pane", "Jobs")

    @property
    def listing(self) -> JobTable:
        """The table."""
        return self.query_one(JobTable)

    @property
    def words(self) -> str:
        """The words that the shown jobs match."""
        return self.query_one(Input).value.strip()

    def focus_main(self) -> None:
        self.listing.focus()

    def show(self) -> None:
        self.listing.ink = self.ink
        self.noticed()

    def noticed(self) -> None:
        self._draw()
        self._ask()

    # Facts that are not in a status

    def _ask(self) -> None:
        """Reads in a thread what the jobs are about, and who is first at the devices that some wait for."""
        from synergy_tui.jobs.about import about

        cache, every = self.explorer.cache, self._every
        new = [str(one["id"]) for one in every if str(one["id"]) not in self._about]
        waiting = any(one["state"] == "queued" for one in every)
        if cache is None or not (new or waiting):
            return
        known, folder = dict(self._about), cache.folder

        def read() -> tuple[dict[str, About], dict[str, str], dict[str, str]]:
            from synergy_tui.jobs.devices import queue
            from synergy_tui.jobs.folder import JobFolder

            found = known | {one: about(JobFolder(folder / "jobs" / one)) for one in new}
            named = _subjects(cache, found) if new else self._subjects
            return found, named, _first(every, found, lambda device: queue(device, folder))

        def there(answer: tuple[dict[str, About], dict[str, str], dict[str, str]]) -> None:
            if answer != (self._about, self._subjects, self._first):
                self._about, self._subjects, self._first = answer
                self._draw()

        self.explorer.in_thread("jobs-about", read, there)

    @property
    def _every(self) -> tuple[dict[str, Any], ...]:
        return self.explorer.seen.jobs if self.explorer.seen else ()

    def _waits(self, job: Any) -> str:
        device = self._about[job["id"]].device if job["id"] in self._about else ""
        jobs = {str(one["id"]): one for one in self._every}
        return status.waits(job, jobs, device, self._first.get(device, ""))

    # The list

    def _draw(self) -> None:
        every, words = self._every, self.words
        self._rows = rows(every, self._sort, words, self._opened, self._subjects)
        columns = COLUMNS if self.size.width >= WIDE else SOME if self.size.width >= MIDDLE else FEW
        cells = self._fitting([self._cells(row, columns) for row in self._rows], columns)
        styles = [self._style(row) for row in self._rows]
        keys = [(row.key, row.inside) for row in self._rows]
        if (cells, styles, columns) != (list(self.listing.rows), self._styles, tuple(self.listing.names)):
            if self._here in keys:  # the cursor stays on its job, wherever its row is now
                self.listing.cursor_row = keys.index(self._here)
            self._styles = styles
            self.listing.show(columns, cells, keep=True, styles=styles)
        shown = sum(not row.inside for row in self._rows)
        found = f" · {shown} match {words}, escape shows all" if words else ""
        self.head("#jobs-pane", f"Jobs {len(every)} · by {self._sort}{found}")
        self._tell()

    _styles: Sequence[Style] = ()
    _here: tuple[str, bool] | None = None

    def _cells(self, row: Row, columns: Sequence[str]) -> tuple[str, ...]:
        job, plain = row.job, self.ink.plain
        sign = plain("▾ " if row.key in self._opened else "▸ ") if row.chain else "    " if row.inside else "  "
        share = f"{row.progress:4.0%}"
        found = {
            "job": f"{sign}{row.last['id']}",
            "kind": row.name,
            "state": f"{plain(SIGNS.get(row.state, ' '))} {row.state}",
            "progress": share if columns == FEW else f"{plain(status.bar(row.progress, BAR))} {share}",
            "stage": self._does(row, columns),
            "rate": status.rate(job),
            "left": "" if row.chain and row.state != "running" else status.time_left(job),
            "made": _made(row.last),
        }
        return tuple(found[one] for one in columns)

    def _does(self, row: Row, columns: Sequence[str]) -> str:
        """What a job does, waits for or failed of; for a chain also how many jobs are done."""
        job = row.job
        wrong = str(job.get("error") or "") if job["state"] == "failed" else ""
        stages = job.get("stages") or [{}]
        under_way = str(stages[-1].get("detail") or "") if row.sweep and row.going else ""
        does = self._waits(job) or printable(wrong) or printable(under_way) or str(job.get("stage", ""))
        left = status.time_left(job) if job["state"] == "running" and "left" not in columns else ""
        does += f", {left} left" if left else ""
        return does if not row.chain else f"{row.counted} · {does}" if row.going else row.counted

    def _fitting(self, cells: list[tuple[str, ...]], columns: Sequence[str]) -> list[tuple[str, ...]]:
        """Shortens stages to whole words if they do not fit."""
        place = columns.index("stage")
        widths = [max(len(text) for text in one) + 2 for one in zip(columns, *cells, strict=True)]
        room = max(min(self.listing.size.width - sum(widths) + widths[place] - 3, STAGE), 8)
        return [(*one[:place], telling.whole_words(one[place], room), *one[place + 1 :]) for one in cells]

    def _style(self, row: Row) -> Style:
        state = row.state
        if state in ("running", "queued"):
            return self.ink.good if state == "running" else Style()
        return self.ink.levels[0] if state == "failed" else self.ink.levels[1] if state == "paused" else self.ink.dim

    @property
    def row(self) -> Row | None:
        """What is under the cursor."""
        return self._rows[self.listing.cursor_row] if self.listing.cursor_row < len(self._rows) else None

    @property
    def job(self) -> dict[str, Any] | None:
        """The job under the cursor; for a chain the running job, or the one in the worst state."""
        return dict(self.row.job) if self.row else None

    @on(ResultTable.Moved)
    def _moved(self) -> None:
        self._tell()

    def _fold(self, open_: bool) -> bool:
        """Opens or closes the chain under the cursor, or the chain of the job under it; returns whether there was
        one."""
        row = self.row
        if row is None:
            return False
        here = self.listing.cursor_row
        if row.inside and not open_:
            here = max(place for place in range(here) if self._rows[place].chain)
            row = self._rows[here]
        if not row.chain or open_ == (row.key in self._opened):
            return False
        self._opened ^= {row.key}
        self._here = (row.key, False)
        self._draw()
        if self.listing.cursor_row != here:
            self.listing.go(here)
        return True

    # What is under the cursor

    def _tell(self) -> None:
        row, lines = self.row, self.query_one("#job-lines", Lines)
        if row is None:
            self._here = None
            self.head("#job-pane", "")
            words = NOTHING
            words = f"No job matches {self.words}. Escape shows all." if self.words else words
            lines.show(telling.wrapped(words, self.size.width), self.ink)
            return
        self._here, job = (row.key, row.inside), row.job
        if row.chain:
            self.head("#job-pane", f"{row.name} {row.last['id']} · {row.counted}")
        else:
            self.head("#job-pane", f"{job['kind']} {job['id']}")
        self._head = [*self._facts(row), *(self._members(row) if row.chain else self._stages(job))]
        same = self._log if self._log[0] == job["id"] else (str(job["id"]), [], [])
        self._log_there(same)
        folder = self.explorer.settings.cache / "jobs" / str(job["id"])
        running = job["state"] == "running"
        self.explorer.in_thread("log", lambda: _looked(folder, running), self._log_there)

    @property
    def _width(self) -> int:
        return max(self.query_one("#job-pane").content_size.width or self.size.width, 20)

    def _facts(self, row: Row) -> list[Text]:
        """What the row is about, and facts without a column."""
        job = row.job
        about = self._about.get(str(job["id"]))
        facts = [self._subjects.get(str(job["id"]), ""), f"device {about.device}" if about and about.device else ""]
        if self.size.width < WIDE:
            left = status.time_left(job)
            facts += [status.rate(job), f"{left} left" if left and job["state"] == "running" else left]
            facts.append(f"made {_made(job)}" if job.get("created") else "")
        told = " · ".join(printable(one) for one in facts if one)
        lines = telling.wrapped(told, self._width) if told else []
        for line in lines:
            line.stylize(self.ink.dim)
        waits = self._waits(job)
        return [*lines, *(telling.wrapped(f"It {waits}.", self._width) if waits and not row.chain else [])]

    def _members(self, row: Row) -> list[Text]:
        """A chain's jobs, a line for each; without room, one line for all that are done."""
        lines, shown = [], row.jobs
        if len(shown) > max(self.query_one("#job-pane").content_size.height - 3, 3):
            shown = tuple(one for one in shown if one["state"] != "done")
            lines.append(Text(f" {SIGNS['done']} {len(row.jobs) - len(shown)} done", self.ink.dim))
        for one in shown:
            words = self._waits(one) or str(one.get("error") or "") or str(one.get("stage", ""))
            told = f"{SIGNS.get(one['state'], ' ')} {one['kind']:<10} {one['id']:<10} {one.get('progress') or 0:4.0%}  "
            room = max(self._width - len(told) - 2, 10)
            style = self._style(Row((one,)))
            lines.append(Text(f" {told}{telling.whole_words(printable(words), room)}", style))
        return lines

    def _stages(self, job: Any) -> list[Text]:
        """The stages of a job, and its failure."""
        told = []
        for stage in job.get("stages", []):
            done = "done" if stage.get("ended") else f"{stage.get('done', 0):,.0f} of {stage.get('total') or 0:,.0f}"
            told.append(Text(f" {stage['name']:<10} {printable(str(stage.get('detail', '')))}  {done}"))
        if wrong := job.get("error") or status.silence(job):
            for line in telling.wrapped(printable(str(wrong)), self._width - 1):
                line.stylize(self.ink.warm)
                told.append(line)
        return told

    def _log_there(self, found: tuple[str, list[str], list[str]]) -> None:
        job, tail, working = found
        if self.job is None or self.job["id"] != job:
            return
        self._log = found
        room = max(self.query_one("#job-pane").content_size.height - len(self._head) - 1, 0)
        most = max(min(room - 2, 8), 0)  # of hosts at work, leaving room for the log
        shown = [f"{SIGNS['running']} {line}" for line in working[:most]]
        if len(working) > most > 0:
            shown[-1] = f"{SIGNS['running']} {len(working) - most + 1} more at work"
        head = [*self._head, *(Text(f" {telling.whole_words(line, self._width - 2)}") for line in shown)]
        room -= len(shown)
        log = [Text(f" {line}", self.ink.dim) for line in tail[-room:]] if room > 0 else []
        self.query_one("#job-lines", Lines).show([*head, Text(), *log], self.ink)

    def _folder(self, job: str) -> Any:
        from synergy_tui.jobs import folder

        return folder.find(self.explorer.settings.cache, job)

    def action_filter(self) -> None:
        """Moves into the filter field."""
        field = self.query_one(Input)
        field.add_class("-shown")
        field.focus()

    @on(Input.Changed)
    def _narrow(self) -> None:
        self._draw()

    @on(Input.Submitted)
    def _to_list(self) -> None:
        self.focus_main()

    def action_leave(self) -> None:
        """Shows all jobs again; if all are shown, brings the map to the front."""
        field = self.query_one(Input)
        if not field.has_class("-shown"):
            self.explorer.to_view("atlas")
            return
        field.value = ""
        field.remove_class("-shown")
        self.focus_main()

    def action_sort(self) -> None:
        """Sorts by the next key."""
        self._sort = SORTS[(SORTS.index(self._sort) + 1) % len(SORTS)]
        self._draw()

    def action_cancel(self) -> None:
        """Stops the job, or the whole chain, after one question."""
        from synergy_tui.explorer.dialogs.ask import ask
        from synergy_tui.explorer.dialogs.choose import Choose
        from synergy_tui.jobs.submit import linked

        row, job = self.row, self.job
        if row is None or job is None:
            return
        named = f"{job['kind']} {job['id']}"
        if not row.going:
            what = "sweep" if row.sweep else "chain"
            whole = f"All of {what} {row.last['id']} has ended" if row.chain else f"{named} is {job['state']}"
            return self.explorer.say(f"{whole} already.", "warning")
        kept = "Finished parts are kept, and e goes on from there."
        if row.chain:
            told = [f"{one['kind']} {one['id']}, {one['state']}" for one in row.jobs if one["state"] not in ENDED]
            told[NAMED:] = [f"and {len(told) - NAMED} more"] if len(told) > NAMED else []
            what = "sweep" if row.sweep else "chain"
            question = f"Cancel what is left of this {what}, {_jobs(len(row.going))}?"
            return ask(self.explorer, question, [*told, "", kept], lambda: self._cancel("all", row.going, job["id"]))
        chain = linked(self._every, str(job["id"]))
        if len(chain) < 2:
            return ask(self.explorer, f"Cancel {named}?", [kept], lambda: self._cancel("one", chain, job["id"]))
        choices = {"all": f"all {len(chain)} jobs of this chain"}
        choices["one"] = f"only {named}; what waits for it goes on or fails"
        title = "Cancel? Finished parts are kept."
        self.app.push_screen(Choose(title, choices, "all"), lambda answer: self._cancel(answer, chain, job["id"]))

    def _cancel(self, answer: str | None, chain: list[str], job: str) -> None:
        from synergy_tui.jobs.submit import cancel, cancel_all

        cache = self.explorer.settings.cache
        if answer == "one":
            self._do(f"Cancelled {job}.", lambda: cancel(self._folder(job)))
        elif answer == "all":
            self._do(f"Cancelled {_jobs(len(chain))}.", lambda: cancel_all(cache, chain))

    def action_pause(self) -> None:
        """Ends the worker until the job is resumed."""
        from synergy_tui.jobs.submit import pause

        if job := self.job:
            self._do(f"Paused {job['id']}.", lambda: pause(self._folder(job["id"])))

    def action_resume(self) -> None:
        """Resumes the job."""
        from synergy_tui.jobs.submit import resume

        if job := self.job:
            cache = self.explorer.settings.cache
            self._do(f"Resumed {job['id']}.", lambda: resume(cache, self._folder(job["id"])))

    def action_remove(self) -> None:
        """Removes the folder of a done job, or of a chain's done jobs, after one question; their results stay."""
        from synergy_tui.explorer.dialogs.ask import ask
        from synergy_tui.jobs.submit import remove

        row, job = self.row, self.job
        if row is None or job is None:
            return
        if job["state"] != "done":
            told = (
                f"{job['id']} is {job['state']} and keeps its parts. To lose them: synergy-tui jobs clean {job['id']}"
            )
            return self.explorer.say(told, "warning")
        # Some jobs of a sweep's cells may have failed: they keep their parts.
        doomed = [str(one["id"]) for one in row.jobs if one["state"] == "done"]
        named = f"the folders of {_jobs(len(doomed))}" if row.chain else f"the folder of {job['kind']} {job['id']}"

        def every() -> None:
            for one in doomed:
                remove(self._folder(one))

        kept = "What was made stays, and so does how to make it anew. The log goes."
        ask(self.explorer, f"Remove {named}?", [kept], lambda: self._do(f"Removed {named}.", every))

    def _do(self, done: str, what: Callable[[], Any]) -> None:
        def then(_: Any) -> None:
            self.explorer.say(done)
            self.explorer.look_soon()

        self.explorer.in_thread("jobs", what, then)

    def action_open_result(self) -> None:
        """Opens what the job made or is making; for a chain opens or closes the list of its jobs."""
        from synergy_tui.explorer import open as opening

        row = self.row
        if row is not None and row.chain:
            self._fold(row.key not in self._opened)
            return
        cache, job = self.explorer.cache, self.job
        if cache is None or job is None:
            return
        if job["kind"] == "ladder":
            self.explorer.to_view("difficulty")  # which shows its progress
            return
        if job["kind"] == "sweep":
            told = f"Sweep {job['id']} has no result of its own: its runs are in the tree, its cells in its lines."
            return self.explorer.say(f"{told} synergy-tui jobs show {job['id']} lists them.")

        def then(place: Any) -> None:
            self.explorer.to_view("ablation" if job["kind"] == "ablate" else "atlas")
            self.explorer.open_run(place)

        self.explorer.in_thread("jobs", lambda: opening.job_place(cache, self._folder(job["id"])), then)

    def sql(self) -> str:
        return "SELECT * FROM jobs"

    def command(self) -> str:
        return "synergy-tui jobs list"

    def value(self) -> str:
        return str(self.job["id"]) if self.job else ""

    def table(self) -> Table:
        each = [Row((job,)) for row in self._rows if not row.inside for job in row.jobs]
        cells = [self._cells(one, COLUMNS) for one in each]
        return list(COLUMNS), [(str(one.last["id"]), *more[1:]) for one, more in zip(each, cells, strict=True)]

    def about(self) -> list[str]:
        job = self.job
        if job is None:
            return []
        sentences = [f"{job['kind']} {job['id']} is {job['state']}."]
        if waits := self._waits(job):
            sentences.append(f"It {waits}.")
        wrong = job.get("error") or status.silence(job)
        return [*sentences, str(wrong)] if wrong else sentences


def _looked(folder: Path, running: bool) -> tuple[str, list[str], list[str]]:
    """(id, the log's end, who makes which parts) of a job."""
    from synergy_tui.jobs import held
    from synergy_tui.jobs.folder import JobFolder

    parts = held.holders(JobFolder(folder)) if running else []
    working = [printable(line) for line in status.at_work([one.as_dict() for one in parts])]
    return folder.name, _tail(folder / "log.txt"), working


def _tail(path: Path) -> list[str]:
    with contextlib.suppress(OSError, SynergyError), open(path, "rb") as file:
        file.seek(0, 2)
        file.seek(max(file.tell() - TAIL, 0))
        return [printable(line) for line in file.read().decode("utf-8", "replace").splitlines()]
    return []


def _made(job: Any) -> str:
    return time.strftime("%m-%d %H:%M", time.localtime(job["created"])) if job.get("created") else ""


def _jobs(count: int) -> str:
    return f"{count} job{'s' * (count != 1)}"


def _subjects(cache: Cache, abouts: dict[str, About]) -> dict[str, str]:
    """By job, the name of its subject; for a job on a capture, the name of the capture's subject, from its job or from
    the catalogue."""
    from synergy_tui.store import load

    captured = {one: about.subject for one, about in abouts.items() if about.subject}
    asked = {about.capture for about in abouts.values() if not about.subject and about.capture} - captured.keys()
    if asked:
        query = "SELECT capture, name FROM captures JOIN subjects USING (subject) WHERE list_contains($1, capture)"
        with contextlib.suppress(SynergyError):
            captured |= {row["capture"]: row["name"] for row in load.rows(cache, query, sorted(asked))}
    return {one: about.subject or captured.get(about.capture, "") for one, about in abouts.items()}


def _first(
    jobs: Iterable[dict[str, Any]], abouts: dict[str, About], queue: Callable[[str], list[str]]
) -> dict[str, str]:
    """By device that some job waits for, the job that has it: a job of this cache that runs there, else the first in
    the queue."""
    on = {
        state: [
            (abouts[one["id"]].device, str(one["id"])) for one in jobs if one["state"] == state and one["id"] in abouts
        ]
        for state in ("queued", "running")
    }
    running = dict(on["running"])
    devices = {device for device, _ in on["queued"] if device}
    return {device: running.get(device) or next(iter(queue(device)), "") for device in devices}
