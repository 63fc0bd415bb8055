"""One unit: its scores with intervals and places, its strongest partners, its activity over the steps."""

from __future__ import annotations

from typing import Any

import numpy as np
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from synergy_tui.drawing.plots import Line
from synergy_tui.explorer import remake, telling
from synergy_tui.explorer.keys import Action, bindings, moves
from synergy_tui.explorer.views.base import Table, View
from synergy_tui.explorer.widgets.lines import Lines
from synergy_tui.explorer.widgets.plot import Plot
from synergy_tui.explorer.widgets.table import WIDEST, ResultTable
from synergy_tui.terms import ATOMS, BASELINES, NO_ATOMS, NO_SERIES, RANKINGS

ORDERS = ("sts", "rtr", "excess", "tdmi")
"""Sort keys of partners."""

OTHERS = (0.05, 0.95)
"""The quantiles over the other prompts between which the band behind the chosen prompt's curve lies."""


FIRST = ("sts", "rtr", "tdmi", "offset", "autocorrelation", "norm", *BASELINES)
"""The scores that follow the rankings."""

IN_NATS = (*ATOMS, "tdmi", "offset")

WITH_RAW, WITH_INTERVAL, WITH_PLACE = 61, 48, 34
"""Columns of the scores from which raw values, intervals and places fit."""


class UnitView(View):
    """The unit under the cursor of the map."""

    ACTIONS = (
        *(one for one in moves("unit") if one.id in ("unit.up", "unit.down")),
        Action("unit.open", "enter", "open_pair", "pair", "Take this partner to the pairs", footer=True),
        Action("unit.atom", "o", "partner_atom", "partners by", "Rank partners by the next atom", footer=True),
        Action("unit.back", "backspace", "back", "back", "Back to the unit looked at before"),
    )
    BINDINGS = bindings(ACTIONS)
    SIDE = "#unit-scores"
    HELP = (
        "Every score of one unit, with the place it takes among all units (1 is the most synergistic) and the 95 % "
        "interval over prompts. Partners are the units it shares most with; the curve is the L2 norm of its output at "
        "each generated token, of the chosen prompt ([ and ]), in front of the band in which 90 % of the others are. O "
        "sorts the partners by a column."
    )

    def compose(self) -> ComposeResult:
        with Horizontal():
            with Vertical(classes="pane", id="unit-scores"):
                yield Lines(id="unit-lines")
            with Vertical(id="unit-right"):
                with Vertical(classes="pane", id="unit-partners"):
                    yield ResultTable(self.explorer.ink, id="partners")
                with Vertical(classes="pane", id="unit-activity"):
                    yield Plot(id="activity")

    def on_mount(self) -> None:
        self._order = "sts"
        self._asked: tuple[Any, ...] = ()
        self._partners: dict[str, np.ndarray] = {}
        self._series: dict[int, np.ndarray] = {}
        self._before: list[int] = []

    @property
    def table_of_partners(self) -> ResultTable:
        """The partners."""
        return self.query_one(ResultTable)

    @property
    def _room(self) -> int:
        return self.query_one("#unit-scores").content_size.width

    def focus_main(self) -> None:
        self.table_of_partners.focus()

    def show(self) -> None:
        run = self.ready
        self.table_of_partners.ink = self.ink
        if run is None:
            waiting = self.empty()
            self.query_one("#unit-lines", Lines).show(telling.wrapped(waiting, 50), self.ink)
            self._asked, self._partners, self._series = (), {}, {}
            self.table_of_partners.show([], [])
            self.query_one(Plot).clear()
            return
        unit = self.selection.unit
        place = run.place_in(self.selection.score, unit)
        where = f" · place {place[0]} of {place[1]} in {self.selection.score}" if place else ""
        kind, room = run.unit_called.capitalize(), self._room - 2
        who = run.name(unit)
        if run.naming.names and room > 0:
            where = where if len(f"{kind} {who}{where}") <= room else ""
            who = telling.fitting_name(run.naming, unit, room - len(f"{kind} {where}"))
        who = f"{kind} {who}"
        self.head("#unit-scores", f"{who}{where}")
        lines, rows = _scores(run, unit, self._room), self.query_one("#unit-scores").content_size.height
        if run.of_pairs:
            lines += [Text(), *telling.wrapped(f"{NO_ATOMS[0].upper()}{NO_ATOMS[1:]}; {NO_SERIES}.", self._room)]
        if len(lines) > rows > 2:
            lines = [*lines[: rows - 1], Text(f"▾ {len(lines) - rows + 1} more: s asks for all of them", self.ink.dim)]
        self.query_one("#unit-lines", Lines).show(lines, self.ink)
        asked = (run, unit)
        if not self._asked or asked[0] is not self._asked[0] or asked[1] != self._asked[1]:
            self._asked = asked
            self._partners, self._series = {}, {}
            self.table_of_partners.show([], [])
            self.explorer.in_thread("unit", lambda: _read(run, unit), self._there)
        else:
            self._draw()

    def _there(self, found: tuple[Any, int, dict[str, np.ndarray], dict[int, np.ndarray]]) -> None:
        run, unit, partners, series = found
        if self._asked and self._asked[0] is run and self._asked[1] == unit:
            self._partners, self._series = partners, series
            self._fill()
            self._draw()

    def _fill(self) -> None:
        run = self.run
        if run is None or not self._partners:
            return
        self._order = self._order if self._order in self._orders else self._orders[0]
        values = self._value(self._order)
        known = np.flatnonzero(np.isfinite(values))
        order = known[np.argsort(-values[known], kind="stable")]
        rows = [
            (
                run.name(int(self._partners["partner"][place])),
                *(round(float(self._value(name)[place]), 5) for name in self._columns),
            )
            for place in order
        ]
        self._ordered = self._partners["partner"][order]
        invalid = len(values) - len(known)
        self.head("#unit-partners", f"Partners by {self._order}, nats", f"{invalid} invalid" if invalid else "")
        self.table_of_partners.show(["partner", *self._columns], rows, decimals=4)

    @property
    def _columns(self) -> list[str]:
        """The columns that fit beside the partner, the sort key first."""
        room = self.table_of_partners.content_size.width
        names = [len(self.run.name(int(one))) for one in self._partners["partner"]] if self.run is not None else []
        count = max((room - min(max([7, *names]), WIDEST) - 4) // 8, 1) if room else 4
        return [self._order, *(one for one in self._orders if one != self._order)][:count]

    @property
    def _orders(self) -> tuple[str, ...]:
        """Sort keys of partners in this run."""
        run = self.run
        return ORDERS[:2] if run is not None and run.of_pairs else ORDERS

    def _value(self, name: str) -> np.ndarray:
        return self._partners[name]

    def _draw(self) -> None:
        run = self.run
        if run is None or not self._series:
            if run is not None and run.of_pairs:
                self.head("#unit-activity", "Activity by step", NO_SERIES)
                self.query_one(Plot).clear()
            return
        chosen = self.selection.prompt
        lines = [_others([values for one, values in self._series.items() if one != chosen])]
        if chosen in self._series:
            lines.append(Line(range(len(self._series[chosen])), self._series[chosen], 215, "p"))
        told = "[ and ]" if not len(lines[0].low) else "band: 90 % of the other prompts   [ and ]"
        self.head("#unit-activity", f"Activity by step, prompt {chosen} of {run.row['prompts']}", told)
        self.query_one(Plot).draw(lines, self.ink)

    def action_move(self, rows: int, _columns: int) -> None:
        """Moves along the partners."""
        self.table_of_partners.action_move(rows)

    def action_partner_atom(self) -> None:
        """Sorts the partners by the next key."""
        orders = self._orders
        self._order = orders[(orders.index(self._order) + 1) % len(orders)] if self._order in orders else orders[0]
        self._fill()

    def action_open_pair(self) -> None:
        """Opens the pair with the partner under the cursor."""
        if self._partners and len(self._ordered):
            self.selection.partner = int(self._ordered[self.table_of_partners.cursor_row])
            self.explorer.to_view("pairs")

    def action_back(self) -> None:
        """Goes to the map."""
        self.explorer.to_view("atlas")

    def sql(self) -> str:
        run = self.run
        return remake.pairs_query(run, ["sts", "rtr", "tdmi"], self.selection.unit) if run is not None else ""

    def value(self) -> str:
        run = self.run
        return telling.readout(run, self.selection.unit, self.selection.score).plain.strip() if run else ""

    def table(self) -> Table:
        return list(self.table_of_partners.names), [tuple(row) for row in self.table_of_partners.ordered]

    def about(self) -> list[str]:
        run = self.run
        return telling.about_unit(run, self.selection.unit, self.selection.score) if run else []


def _read(run: Any, unit: int) -> tuple[Any, int, dict[str, np.ndarray], dict[int, np.ndarray]]:
    from synergy_tui.store import walk

    place = run.place
    partners = walk.partners(place.cache, place.id, unit)
    return run, unit, partners, walk.series_of_unit(place.cache, run.row["capture"], unit)


def _others(series: list[np.ndarray]) -> Line:
    """The band that holds 90 % of the prompts at each step. A response that has ended no longer counts."""
    if not series:
        return Line([], [])
    values = np.full((len(series), max(map(len, series))), np.nan)
    for row, one in zip(values, series, strict=True):
        row[: len(one)] = one
    steps = np.flatnonzero(np.isfinite(values).any(axis=0))
    low, high = np.nanquantile(values[:, steps], OTHERS, axis=0)
    return Line(steps, np.full(len(steps), np.nan), 246, "o", "", low, high, band=True)


def _scores(run: Any, unit: int, width: int) -> list[Text]:
    """A line for each score. width: available columns; if they are few, raw values go first, then intervals and
    places."""
    raw, interval, with_place = width >= WITH_RAW, width >= WITH_INTERVAL, width >= WITH_PLACE
    head = f"{'':<16}{'shown':>8}" + (f"  {'95 % interval':<14}" if interval else " ")
    head += f" {'place':<9}" if with_place else ""
    lines = [Text(head + (f" {'raw':>9}" if raw else ""), "underline")]
    first = [name for name in (*RANKINGS, *FIRST) if name in run.scores]
    told = _told(run, unit)
    for name in (*first, *(name for name in run.scores if name not in first)):
        score = run.scores[name]
        value, low, high = (float(one[unit]) for one in (score.shown, score.low, score.high))
        found = run.place_in(name, unit)
        line = Text(f"{name:<16}")
        small = name.split("-")[-1] in ("p", "q") and value < 0.001
        line.append(f"{'< 0.001' if small else told[name]:>{24 - max(len(name), 16)}}", "bold")
        ends = f"[{low:.2f}, {high:.2f}]" if np.isfinite(low) else ""
        line.append(f"  {ends:<14}" if interval else " ")
        place = f"{found[0]}/{found[1]}" if found and with_place else ""
        before = telling.number(float(score.values[unit]), True) if raw and score.kind == "ranking" else ""
        lines.append(line.append(f" {place:<9} {before:>9}".rstrip()))
    return lines


def _told(run: Any, unit: int) -> dict[str, str]:
    """The shown value of every score; rankings share their decimals, and so do values in nats."""
    shown = {name: float(score.shown[unit]) for name, score in run.scores.items()}
    out = {name: telling.number(value) for name, value in shown.items()}
    for alike in ([name for name in shown if name in RANKINGS], [name for name in shown if name in IN_NATS]):
        out |= zip(alike, telling.aligned([shown[name] for name in alike]), strict=True)
    return out
