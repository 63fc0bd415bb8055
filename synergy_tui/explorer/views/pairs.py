"""The unit × unit matrix of an atom, and the sixteen atoms of the pair under the cursor."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from synergy_tui.drawing import scale
from synergy_tui.explorer import remake, telling
from synergy_tui.explorer.help import MEANINGS
from synergy_tui.explorer.keys import Action, bindings, moves
from synergy_tui.explorer.run import Run
from synergy_tui.explorer.views.base import Table, View
from synergy_tui.explorer.widgets.lines import Lines
from synergy_tui.explorer.widgets.matrix import Level, PairMatrix, levels
from synergy_tui.terms import ATOMS, NO_ATOMS

SHOWN = (*ATOMS, "tdmi", "excess")

OF_TABLES = ("sts", "rtr")
"""The atoms of an imported table of pairs."""

REST = 0.1
"""Seconds the cursor rests before the atoms of its pair are read."""


@dataclass(frozen=True)
class Removed:
    """Results of removing pairs. row: of the pair under the cursor, as walk.removed_pair; tests: of all removed pairs,
    as walk.pair_tests."""

    row: dict[str, Any] = field(default_factory=dict)
    tests: list[dict[str, Any]] = field(default_factory=list)

    def lines(self, width: int) -> list[str]:
        """One line on the pair, then one on all pairs, each with as many pieces as fit."""
        out = []
        if self.row and self.row["interaction"] is not None:
            own = [f"removed together {_with_ends(self.row, 'interaction')} nats", "beyond each alone"]
            out.append(telling.fitting([*own, f"({self.row['intervention']})"], width, " "))
        known = [one for one in self.tests if one["spearman"] is not None]
        if known:
            each = [f"{one['score']} {one['spearman']:+.2f}{_interval(one)}" for one in known]
            pairs = f"over {max(one['pairs'] for one in known)} pairs"
            out.append(telling.fitting([f"ρ with {each[0]}", *each[1:], pairs], width, "  "))
        return out

    def sentences(self) -> list[str]:
        """The same in words."""
        out = []
        if self.row and self.row["interaction"] is not None:
            out.append(
                f"Removed together ({self.row['intervention']}) its units cost "
                f"{_with_ends(self.row, 'interaction')} nats per token beyond what each costs alone: above 0 each "
                "stands in for the other, below 0 one does nothing without the other."
            )
        for one in self.tests:
            if one["spearman"] is not None:
                out.append(
                    f"Over {one['pairs']} removed pairs that goes with {one['score']} by Spearman's "
                    f"{_with_ends(one, 'spearman')}."
                )
            if one["difference"] is not None:
                out.append(
                    f"Pairs strong in {one['score']} against {one['matched']} matched controls: "
                    f"{_with_ends(one, 'difference', 'difference_')} nats per token."
                )
        return out


def _with_ends(row: dict[str, Any], name: str, ends: str = "") -> str:
    """A value of a row with its interval, if it has one."""
    value, low, high = (telling.number(row[one], True) for one in (name, f"{ends}low", f"{ends}high"))
    return value if "n/a" in (low, high) else f"{value} [{low}, {high}]"


def _interval(test: dict[str, Any]) -> str:
    low, high = test["low"], test["high"]
    return "" if low is None or high is None else f" [{low:+.2f}, {high:+.2f}]"


class PairsView(View):
    """Zoom with + and −; r goes through the atoms."""

    ACTIONS = (
        *moves("pairs"),
        Action("pairs.in", "plus,equals_sign", "zoom(1)", "zoom in", "Zoom in", footer=True),
        Action("pairs.out", "minus", "zoom(-1)", "zoom out", "Zoom out", footer=True),
        Action("pairs.atom", "r", "next_atom(1)", "atom", "The next atom", footer=True),
        Action("pairs.open", "enter", "take", "select", "Make this pair the selected one", footer=True),
        Action("pairs.swap", "o", "swap", "swap", "Change x and y"),
    )
    BINDINGS = bindings(ACTIONS)
    SIDE = "#pair-panel"
    HELP = (
        "Rows are x, columns are y; a cell is one pair, or the mean of many when zoomed out. str and sts are "
        "different questions: the panel has all sixteen atoms of the pair under the cursor. Lines part the layers. "
        "Where an ablation has removed pairs, the lines below say what the pair costs beyond each of its units alone, "
        "KL(ij) − KL(i) − KL(j), and how that goes with sts and rtr over all pairs removed."
    )

    def compose(self) -> ComposeResult:
        with Horizontal():
            with Vertical(classes="pane", id="pairs-pane"):
                yield PairMatrix(self.explorer.ink, id="matrix")
                yield Lines(id="pairs-legend", height=1)
                yield Lines(id="pairs-readout", height=1)
                yield Lines(id="pairs-removed")
            yield Lines(id="pair-panel")

    def on_mount(self) -> None:
        self._asked: tuple[Any, ...] = ()
        self._levels: list[Level] = []
        self._depth = 0
        self._pair: dict[str, float] = {}
        self._removed = Removed()
        self.query_one("#pairs-removed").display = False
        self._drawn: tuple[Any, ...] = ()

    @property
    def matrix(self) -> PairMatrix:
        """The matrix."""
        return self.query_one(PairMatrix)

    def focus_main(self) -> None:
        self.matrix.focus()

    @property
    def _shown(self) -> tuple[str, ...]:
        """The quantities of pairs in this run."""
        run = self.run
        return OF_TABLES if run is not None and run.of_pairs else SHOWN

    def _atom(self) -> str:
        return self.selection.atom if self.selection.atom in self._shown else "sts"

    def show(self) -> None:
        run = self.ready
        self.matrix.ink = self.ink
        readout = self.query_one("#pairs-readout", Lines)
        if run is None:
            self._asked, self._levels = (), []
            self.matrix.show(None, (0, 0), 1)
            self.query_one("#pairs-legend", Lines).show([])
            readout.show([f" {self.empty()}"], self.ink)
            self.query_one("#pair-panel", Lines).show([])
            self.query_one("#pairs-removed").display = False
            self.head("#pairs-pane", "")
            return
        if self.selection.partner is None or self.selection.partner == self.selection.unit:
            self.selection.partner = run.next_to(self.selection.unit)
        asked = (run, self._atom())
        if not self._asked or self._asked[0] is not run or self._asked[1] != asked[1]:
            if not self._asked or self._asked[0] is not run:
                self._depth, self._levels = 0 if run.count > 200 else 99, []  # levels of another run have other units
            self._asked = asked
            readout.show([f" reading {asked[1]} of {run.count * (run.count - 1) // 2:,} pairs …"], self.ink)
            self.explorer.in_thread("matrix", lambda: (asked, _read(*asked)), self._there)
        else:
            self._draw(run)

    def _there(self, found: tuple[tuple[Any, ...], list[Level]]) -> None:
        asked, made = found
        if self._asked and asked[0] is self._asked[0] and asked[1] == self._asked[1] and self.run is not None:
            self._levels = made
            self._drawn = ()
            self._draw(self.run)

    def _draw(self, run: Run) -> None:
        if not self._levels:
            return
        self._depth = min(self._depth, len(self._levels) - 1)
        level = self._levels[self._depth]
        x, y = self.selection.unit, self.selection.partner or 0
        cursor = (level.cell_of(x), level.cell_of(y))
        drawn = (id(level), self.ink, self.matrix.content_size.width)
        if drawn == self._drawn:
            self.matrix.point(cursor)
        else:
            self._drawn = drawn
            self.matrix.show(level, cursor, run.per_layer, run.naming)
            self._legend(level)
        value = float(level.values[cursor])
        row, column = self.matrix.label(cursor[0]), self.matrix.label(cursor[1])
        line = Text.assemble(f" {row} with {column}   {self._atom()} ", (telling.number(value, True), "bold"), " nats")
        if np.isnan(value):
            line.append("   a unit with itself is no pair" if cursor[0] == cursor[1] else "   invalid: no value")
        self.query_one("#pairs-readout", Lines).show([line], self.ink)
        count = run.count * (run.count - 1) // 2
        self.head("#pairs-pane", f"{self._atom()} of {count:,} pairs, nats · {_grain(level, run)}")
        self.set_timer(REST, self._ask_pair)

    def _legend(self, level: Level) -> None:
        reach = max(-level.low, level.high)
        ends = (-reach, reach) if level.diverging else (level.low, level.high)
        line = Text(f" {telling.number(ends[0])} ")
        line.append_text(scale.strip(22, self.ink.colours(level.diverging), self.ink.shades))
        line.append(f" {telling.number(ends[1])} nats")
        meaning, room = f"   {MEANINGS.get(self._atom(), '')}", self.matrix.content_size.width
        if line.cell_len + len(meaning) < room:  # shown whole, or only on `?`
            line.append(meaning)
        self.query_one("#pairs-legend", Lines).show([line], self.ink)

    # The pair under the cursor

    def _ask_pair(self) -> None:
        run, x, y = self.run, self.selection.unit, self.selection.partner
        if run is None or y is None or not self.is_attached or not self.in_front:
            return
        self.explorer.in_thread("pair", lambda: ((run, x, y), *_pair(run, x, y)), self._pair_there)

    def _pair_there(self, found: tuple[tuple[Run | None, int, int], dict[str, float], Removed]) -> None:
        (run, x, y), self._pair, self._removed = found
        if run is not self.run or run is None or (x, y) != (self.selection.unit, self.selection.partner):
            return
        who = f"pair {run.name(x)} – {run.name(y)}"
        wide = max(self.query_one("#pair-panel").content_size.width, 12)
        lines = [*(Text(one, "bold") for one in textwrap.wrap(who, wide)), Text()]
        if not self._pair:
            lines.append(Text("no pair"))
        nats = {name: self._pair[name] for name in self._known if name in self._pair}
        for name, told in zip(nats, telling.aligned(list(nats.values()), True), strict=True):
            lines.append(Text(f"{name:<7}{told:>8}", "bold" if name == self._atom() else ""))
        for name in ("z", "p", "q"):
            if name in self._pair:
                lines.append(Text(f"{name:<7}{telling.number(self._pair[name], name == 'z'):>8}"))
        if self._pair:
            lines.append(Text(f"{int(self._pair['valid_prompts'])} prompts", self.ink.dim))
        if run.of_pairs:
            room = self.query_one("#pair-panel").content_size.width or 30
            lines += [Text(), *telling.wrapped(f"{NO_ATOMS[0].upper()}{NO_ATOMS[1:]}.", room)]
        self.query_one("#pair-panel", Lines).show(lines, self.ink)
        below, width = self.query_one("#pairs-removed", Lines), self.query_one("#pairs-pane").content_size.width
        rows = [Text(one) for one in self._removed.lines(width)]
        below.display = bool(rows)
        below.show(rows, self.ink)

    @property
    def _known(self) -> tuple[str, ...]:
        """The quantities that the panel shows for a pair, in nats."""
        run = self.run
        return OF_TABLES if run is not None and run.of_pairs else (*ATOMS, "tdmi", "offset", "excess")

    def action_move(self, rows: int, columns: int) -> None:
        """Moves by cells of the current zoom."""
        run = self.run
        if run is None or not self._levels:
            return
        level = self._levels[self._depth]
        last = len(level.edges) - 2
        row = min(max(level.cell_of(self.selection.unit) + rows, 0), last)
        column = min(max(level.cell_of(self.selection.partner or 0) + columns, 0), last)
        self.selection.unit, self.selection.partner = level.first(row), level.first(column)
        self._draw(run)

    def on_pair_matrix_pointed(self, message: PairMatrix.Pointed) -> None:
        if self.run is not None and self._levels:
            level = self._levels[self._depth]
            self.selection.unit, self.selection.partner = (
                level.first(message.row),
                level.first(message.column),
            )
            self._draw(self.run)

    def action_zoom(self, step: int) -> None:
        """Zooms in or out."""
        if self._levels and self.run is not None:
            self._depth = min(max(self._depth + step, 0), len(self._levels) - 1)
            self._draw(self.run)

    def action_next_atom(self, step: int) -> None:
        """The next of the sixteen, TDMI and excess."""
        shown = self._shown
        self.selection.atom = shown[(shown.index(self._atom()) + step) % len(shown)]
        self.show()

    def action_swap(self) -> None:
        """Swaps x and y."""
        if self.selection.partner is not None and self.run is not None:
            self.selection.unit, self.selection.partner = self.selection.partner, self.selection.unit
            self.show()

    def action_take(self) -> None:
        """Shows the pair token by token."""
        self.explorer.to_view("tokens")

    def sql(self) -> str:
        atom = self.selection.atom
        names = [atom] if atom in (*ATOMS, "tdmi") else ["sts", "rtr", "tdmi"]
        names = [self._atom()] if self.run is not None and self.run.of_pairs else names
        return remake.pairs_query(self.run, names) if self.run is not None else ""

    def value(self) -> str:
        return self.query_one("#pairs-readout", Lines).plain.strip()

    def table(self) -> Table:
        run = self.run
        if run is None or not self._levels:
            return [], []
        level = self._levels[self._depth]
        names = [self.matrix.label(cell) for cell in range(len(level.edges) - 1)]
        rows = [
            (names[row], names[column], float(level.values[row, column]))
            for row in range(len(names))
            for column in range(len(names))
            if np.isfinite(level.values[row, column])
        ]
        return ["x", "y", self._atom()], rows

    def about(self) -> list[str]:
        run = self.run
        if run is None:
            return []
        atom = self._atom()
        sentences = [self.value() + ".", f"{atom}: {MEANINGS.get(atom, '')}"]
        if run.of_pairs:
            return [*sentences, f"The other atoms are not there: {NO_ATOMS}."]
        if self._pair and np.isfinite(self._pair.get("sts", np.nan)):
            above = self._pair["excess"] > 0
            sentences.append(
                f"Its sts is {telling.number(abs(self._pair['excess']))} nats {'above' if above else 'below'} its "
                f"null, {run.null}. The independence offset alone would be {telling.number(self._pair['offset'])}."
            )
        return [*sentences, *self._removed.sentences(), "Under MMI atoms may be negative, and cancel."]


def _grain(level: Level, run: Run) -> str:
    size = level.size
    return "single pairs" if size == 1 else run.layers_called if level.whole else f"{size} × {size} units a cell"


def _read(run: Run, atom: str) -> list[Level]:
    from synergy_tui.store import walk

    numbers = run.numbers
    matrix = walk.pair_matrix(run.place.cache, run.place.id, atom, run.units, numbers)
    return levels(matrix, run.per_layer, numbers=numbers)


def _pair(run: Run, x: int, y: int) -> tuple[dict[str, float], Removed]:
    from synergy_tui.store import walk

    where = run.place.cache, run.place.id
    return walk.pair(*where, x, y), Removed(walk.removed_pair(*where, x, y), walk.pair_tests(*where))
