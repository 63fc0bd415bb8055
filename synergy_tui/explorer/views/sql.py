"""The cache in SQL: an editor that knows the catalogue, a table of any length, the schema with its comments."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.timer import Timer
from textual.widgets import Tree

from synergy_tui.errors import QueryError, SynergyError, UsageError
from synergy_tui.explorer.dialogs.choose import Choose
from synergy_tui.explorer.keys import Action, bindings
from synergy_tui.explorer.run import Place
from synergy_tui.explorer.views.base import Table, View
from synergy_tui.explorer.widgets.editor import SQLEditor
from synergy_tui.explorer.widgets.lines import Lines
from synergy_tui.explorer.widgets.table import ResultTable
from synergy_tui.units import Naming

if TYPE_CHECKING:
    from synergy_tui.explorer.run import Run
    from synergy_tui.store.query import Answer

MOST_ROWS, MOST_SECONDS = 20_000, 600.0
LARGEST = (1_000, 4_096)
"""Most layers and units of a result that becomes a map."""

READY = {
    "The most synergistic heads of this run": """SELECT layer, unit, rank, sts, rtr, excess
FROM heads WHERE decomposition = '{run}' ORDER BY rank DESC LIMIT 20""",
    "Mean of every layer": """SELECT layer, avg(rank) AS rank, avg(sts) AS sts, avg(rtr) AS rtr, avg(excess) AS excess
FROM heads WHERE decomposition = '{run}' GROUP BY layer ORDER BY layer""",
    "Heads above their null": """SELECT layer, unit, excess, z, q, autocorrelation
FROM heads WHERE decomposition = '{run}' AND excess > 0 AND coalesce(q, 0) < 0.05 ORDER BY excess DESC""",
    "Does synergy follow memory, in every run?": """SELECT subject, decomposition,
  corr(sts, autocorrelation) AS synergy_autocorrelation, corr(sts, rtr) AS synergy_redundancy
FROM heads GROUP BY ALL""",
    "The strongest pairs": """SELECT x_layer, x_unit, y_layer, y_unit, sts, rtr, "offset"
FROM pairs WHERE decomposition = '{run}' ORDER BY sts DESC LIMIT 50""",
    "Synergy between layers": """SELECT x_layer, y_layer, avg(sts) AS sts, avg(rtr) AS rtr
FROM pairs WHERE decomposition = '{run}' GROUP BY ALL ORDER BY ALL""",
    "Why pairs have no value": """SELECT reason, count(*) AS pairs FROM pairs WHERE decomposition = '{run}'
GROUP BY reason ORDER BY reason""",
    "Mean activity as a map": """SELECT layer, unit, avg(value) AS norm FROM series
WHERE capture = '{capture}' GROUP BY ALL ORDER BY ALL""",
    "What the confounds are": """SELECT name, value FROM confounds WHERE decomposition = '{run}'""",
    "The answers of this run": """SELECT prompt, category, p.text AS asked, r.text AS answered, steps
FROM prompts p JOIN responses r USING (capture, prompt) WHERE capture = '{capture}' ORDER BY prompt""",
    "Jobs": "SELECT id, kind, state, stage, progress, error FROM jobs",
}


class _Asked(NamedTuple):
    """A query: its text, the title of its map, and the cache that it went to."""

    sql: str
    title: str
    place: Place


class SQLView(View):
    """F5 asks; a result with layer and unit becomes a map with ctrl+g."""

    ACTIONS = (
        Action("sql.run", "f5,ctrl+r", "run_query", "run", "Ask", footer=True),
        Action("sql.stop", "f8", "stop_query", "stop", "Stop the query", footer=True),
        Action(
            "sql.complete",
            "ctrl+n",
            "complete",
            "complete",
            "Complete a word: tables, columns, SQL",
            footer=True,
        ),
        Action("sql.history", "f9", "history", "history", "What was asked before", footer=True),
        Action("sql.ready", "ctrl+l", "ready", "ready-made", "Questions ready to be asked", footer=True),
        Action("sql.map", "ctrl+g", "as_map", "as map", "Show a result with layer and unit as a map", footer=True),
        Action("sql.leave", "escape", "leave", "leave", "Out of the editor, so that letters are keys again"),
    )
    BINDINGS = bindings(ACTIONS)
    SIDE = "#sql-schema-pane"
    HELP = (
        "One SELECT or EXPLAIN in DuckDB's dialect, on this cache and nothing else. `heads` has every score of "
        "every unit, `pairs` the sixteen atoms, `series` the activity. Columns have comments, shown in the schema. No "
        "more than 20,000 rows are fetched, and the table says when there are others. O or a click on a "
        "heading sorts the result. Escape leaves the map of a result for the run that was there before."
    )

    def compose(self) -> ComposeResult:
        with Horizontal():
            with Vertical(id="sql-left"):
                with Vertical(classes="pane", id="sql-editor-pane"):
                    yield SQLEditor(id="editor")
                with Vertical(classes="pane", id="sql-result-pane"):
                    yield Lines(id="sql-says")
                    yield ResultTable(self.explorer.ink, id="result")
            with Vertical(classes="pane", id="sql-schema-pane"):
                schema: Tree[str] = Tree("schema", id="schema")
                schema.show_root = False
                schema.guide_depth = 2
                yield schema
                yield Lines(id="sql-comment")

    def on_mount(self) -> None:
        self._stop: threading.Event | None = None
        self._began, self._of = 0.0, ""
        self._said = ""
        self._taken = ("", "")
        self._asked: _Asked | None = None
        self._timer: Timer | None = None
        self._answer: Answer | None = None
        self._catalogue: list[dict[str, Any]] = []
        self.head("#sql-editor-pane", "SQL", "F5 run · ^l ready-made · ctrl+n complete · esc out")
        self.head("#sql-schema-pane", "Schema")
        self.editor.text = self.explorer.state.text("sql") or ""
        self._say("Ask in SQL, or take a ready-made question with ctrl+l.")

    @property
    def editor(self) -> SQLEditor:
        """The editor for SQL."""
        return self.query_one(SQLEditor)

    @property
    def result(self) -> ResultTable:
        """The table."""
        return self.query_one(ResultTable)

    @property
    def query_text(self) -> str:
        """The text in the editor."""
        return self.editor.text.strip()

    def focus_main(self) -> None:
        self.editor.focus()

    def on_resize(self) -> None:
        super().on_resize()
        self._say(self._said)

    def show(self) -> None:
        self.result.ink = self.ink
        self.editor.wear(self.ink)
        cache = self.explorer.cache
        if cache is None:
            self._say(self.empty())
        elif not self._catalogue:
            from synergy_tui.store import walk

            self.explorer.in_thread("catalogue", lambda: walk.catalogue(cache), self._schema)

    def _schema(self, found: list[dict[str, Any]]) -> None:
        self._catalogue = found
        tree = self.query_one(Tree)
        tree.clear()
        tables: dict[str, Any] = {}
        for row in found:
            node = tables.get(row["name"])
            if node is None:
                node = tables[row["name"]] = tree.root.add(Text(row["name"]), "", expand=row["name"] == "heads")
            node.add_leaf(Text.assemble(row["column"], (f" {row['type'].lower()}", self.ink.dim)), row["comment"] or "")
        self.editor.know(list(tables), list(dict.fromkeys(row["column"] for row in found)))

    @on(Tree.NodeHighlighted)
    def _comment(self, event: Tree.NodeHighlighted[str]) -> None:
        from synergy_tui.explorer import telling

        lines = telling.wrapped(event.node.data or "", self.query_one("#sql-schema-pane").content_size.width)
        self.query_one("#sql-comment", Lines).show(lines[:6], self.ink)

    @on(Tree.NodeSelected)
    def _insert(self, event: Tree.NodeSelected[str]) -> None:
        self.editor.insert(str(event.node.label).split(" ")[0])
        self.editor.focus()

    def _say(self, text: str) -> None:
        from synergy_tui.drawing.tables import printable
        from synergy_tui.explorer import telling

        self._said = text
        room = self.query_one("#sql-result-pane").content_size.width or self.size.width
        self.query_one("#sql-says", Lines).show(telling.wrapped(printable(text), room), self.ink)

    # Asking

    def action_run_query(self) -> None:
        """Runs the query in the editor."""
        cache, sql = self.explorer.cache, self.query_text
        if cache is None or not sql:
            self._say("There is nothing to ask: write a SELECT, or ctrl+l for ready-made questions.")
            return
        if self._stop is not None:
            self._say("A query is running; F8 stops it.")
            return
        # The query goes to the cache of the run in front: the sample result is a separate cache.
        sample = self.run is not None and self.run.place.sample
        source = self.run.place.cache if self.run is not None and sample else cache
        self._of = " · of the sample result" if sample else ""
        title = self._taken[0] if self._taken[1] == sql else f"query: {' '.join(sql.split())}"
        asked = _Asked(sql, title, Place(source, "", sample))
        self._stop, self._began = threading.Event(), time.monotonic()
        self._timer = self.set_interval(0.5, self._tick)
        self.explorer.state.asked(sql)
        self.explorer.state.here["sql"] = sql
        stop = self._stop

        def work() -> None:
            from synergy_tui.jobs.devices import cores
            from synergy_tui.store.query import ask

            try:
                # One core is left for the screen.
                found: Answer | SynergyError = ask(source, sql, MOST_ROWS, MOST_SECONDS, stop, max(cores() - 1, 1))
            except SynergyError as error:
                found = error
            self.app.call_from_thread(self._answered, asked, found)

        self._tick()
        self.run_worker(work, thread=True, group="query")

    def _tick(self) -> None:
        if self._stop is not None:
            self._say(f"asking … {time.monotonic() - self._began:.1f} s   F8 stops it")

    def _answered(self, asked: _Asked, found: Answer | SynergyError) -> None:
        seconds = time.monotonic() - self._began
        self._stop = None
        if self._timer is not None:
            self._timer.stop()
        if isinstance(found, SynergyError):
            self._say(str(found))
            if isinstance(found, QueryError) and found.at is not None and self.query_text == asked.sql:
                self.editor.point_at(self.editor.text.index(asked.sql) + found.at)
            return
        self._answer, self._asked = found, asked
        more = f", the first {MOST_ROWS:,} of more" if found.more else ""
        self._say(f"{_rows(len(found.rows))}{more}{self._of}   {seconds:.2f} s")
        self.result.show(found.columns, found.rows)

    def action_stop_query(self) -> None:
        """Stops the query."""
        if self._stop is not None:
            self._stop.set()

    def on_unmount(self) -> None:
        if self._stop is not None:
            self._stop.set()

    @on(SQLEditor.Changed)
    def _edited(self) -> None:
        self.explorer.state.here["sql"] = self.editor.text

    # Help with writing

    def action_complete(self) -> None:
        """Inserts the only word that fits, or lists all that do. (Right takes the suggestion.)"""
        fits = self.editor.fitting()
        if len(fits) == 1:
            self.editor.complete(fits[0])
        elif fits:
            self.app.push_screen(Choose("Complete", {one: one for one in fits}), self._completed)

    def _completed(self, word: str | None) -> None:
        if word:
            self.editor.complete(word)

    def action_history(self) -> None:
        """Lists earlier queries, the newest first."""
        asked = list(reversed(self.explorer.state.history))
        if asked:
            lines = {one: " ".join(one.split()) for one in asked}
            self.app.push_screen(Choose("Asked before", lines), self._take)
        else:
            self._say("Nothing has been asked yet.")

    def action_ready(self) -> None:
        """Lists ready-made queries."""
        run = self.explorer.behind or self.run
        names = {"run": run.place.id if run else "", "capture": run.row["capture"] if run else ""}
        self._ready = {name: sql.format(**names) for name, sql in READY.items()}
        self.app.push_screen(Choose("Ready-made questions", {name: name for name in READY}), self._take_ready)

    def _take_ready(self, name: str | None) -> None:
        if name:
            self._taken = (name, self._ready[name])
            self._take(self._ready[name])
            self.action_run_query()

    def _take(self, sql: str | None) -> None:
        if sql:
            self.editor.text = sql
            self.editor.focus()

    def action_leave(self) -> None:
        """Leaves the editor; from the table, goes to the map."""
        if self.editor.has_focus:
            self.result.focus()
        else:
            self.explorer.to_view("atlas")

    # The result as a map

    def action_as_map(self) -> None:
        """Shows numbers by layer and unit as a map."""
        if self._answer is None or self._asked is None:
            self._say("Ask something first.")
            return
        try:
            made = as_run(self._answer, self._asked.place, self._asked.title, self._naming(self._asked.sql))
        except UsageError as error:
            self._say(str(error))
            return
        self.explorer.show_made(made)
        self.explorer.to_view("atlas")

    def _naming(self, sql: str) -> Naming | None:
        """The names of a result's units, if the query was about the run in front."""
        run = self.explorer.behind or self.run
        about = run is not None and any(one and one in sql for one in (run.place.id, run.row["capture"]))
        return run.naming if run is not None and about else None

    def sql(self) -> str:
        return self.query_text

    def value(self) -> str:
        rows = self.result.rows
        return "\t".join(str(one) for one in rows[self.result.cursor_row]) if rows else ""

    def table(self) -> Table:
        return (self._answer.columns, self.result.ordered) if self._answer is not None else ([], [])


def as_run(answer: Answer, place: Place, title: str, naming: Naming | None = None) -> Run:
    """A result with the columns layer and unit, and numbers beside them, as a run that the map can show. place: of the
    queried cache. title: of the map. naming: of the units; columns group_name and name give it too. Raises UsageError
    when the result lacks these columns, or has two rows for a unit."""
    from synergy_tui.explorer.run import made_score, unfinished

    names = [name.lower() for name in answer.columns]
    if "layer" not in names or "unit" not in names:
        raise UsageError("a map needs the columns layer and unit", "SELECT layer, unit, … FROM heads")
    at = (names.index("layer"), names.index("unit"))
    numbers = [
        column
        for column in range(len(names))
        if column not in at and all(isinstance(row[column], int | float | Decimal | None) for row in answer.rows)
    ]
    if not answer.rows:
        raise UsageError("the result has no rows", "ask for others")
    if not numbers:
        raise UsageError("there is no number beside layer and unit", "add a column with numbers")
    places = [(row[at[0]], row[at[1]]) for row in answer.rows]
    if any(not isinstance(one, int) or isinstance(one, bool) or one < 0 for pair in places for one in pair):
        raise UsageError("layer and unit must be whole numbers", "choose other columns")
    layers, per_layer = (max(pair[side] for pair in places) + 1 for side in (0, 1))
    if layers > LARGEST[0] or per_layer > LARGEST[1]:
        raise UsageError(f"{layers} layers × {per_layer} units are too many for a map", f"at most {LARGEST}")
    if len(set(places)) < len(places):
        raise UsageError("several rows have the same layer and unit", "narrow it to one run, or GROUP BY layer, unit")
    naming = _named(names, answer.rows, places, layers, per_layer) or naming
    if naming is not None and layers <= naming.layers and per_layer <= naming.per_layer:
        layers, per_layer = naming.layers, naming.per_layer
        there = {layer * per_layer + unit for layer, unit in places}
        naming = replace(naming, holes=naming.holes - there)
    else:
        naming = None
    scores = {}
    for column in numbers:
        values = np.full(layers * per_layer, np.nan)
        for (layer, unit), row in zip(places, answer.rows, strict=True):
            values[layer * per_layer + unit] = np.nan if row[column] is None else float(row[column])
        scores[answer.columns[column]] = made_score(answer.columns[column], values)
    described = {"name": title, "tasks": _rows(len(answer.rows)), "prompts": 0, "steps": 0}
    described |= {"estimator": "", "redundancy": "", "lag": "", "capture": "", "valid_prompts": None}
    described |= {"layers": layers, "units_per_layer": per_layer}
    return unfinished(place, described, scores, naming=naming)


def _named(
    names: list[str], rows: Sequence[Sequence[Any]], places: list[tuple[int, int]], layers: int, per_layer: int
) -> Naming | None:
    """The names in a result's columns group_name and name; None without them. The places after a group's last unit are
    empty."""
    words: dict[str, dict[tuple[int, int], str]] = {}
    for column in ("group_name", "name"):
        if column in names:
            found = zip(places, (row[names.index(column)] for row in rows), strict=True)
            words[column] = {where: word for where, word in found if isinstance(word, str) and word}
    if not any(words.values()):
        return None
    group = {layer: word for (layer, _), word in words.get("group_name", {}).items()}
    last: dict[int, int] = {}
    for layer, unit in places:
        last[layer] = max(unit, last.get(layer, 0))
    beyond = [layer * per_layer + unit for layer in last for unit in range(last[layer] + 1, per_layer)]
    return Naming(
        layers,
        per_layer,
        tuple(group.get(layer, str(layer)) for layer in range(layers)) if group else (),
        {layer * per_layer + unit: word for (layer, unit), word in words.get("name", {}).items()},
        holes=frozenset(beyond),
    )


def _rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"
