"""The layer × unit map: the home. Cursor, marks, the unit's numbers at the right."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from synergy_tui.drawing import scale
from synergy_tui.explorer import remake, telling
from synergy_tui.explorer.keys import Action, bindings, moves
from synergy_tui.explorer.views.base import Table, View
from synergy_tui.explorer.widgets.lines import Lines
from synergy_tui.explorer.widgets.map import TALLEST, LayerMap, Picture
from synergy_tui.terms import GEOMETRY, RANKINGS

if TYPE_CHECKING:
    from synergy_tui.explorer.run import Run

JUMP_PATIENCE = 1.2
"""Seconds after which a digit begins a new jump."""

REST = 0.3
"""Seconds the cursor rests before partners and activity are read."""

UNDER_MOUSE = " mouse at"

LEAST_BELOW, MOST_BELOW = 5, 9
"""Fewest and most rows under the map for more about the unit."""


class AtlasView(View):
    """The map with its legend and readout."""

    ACTIONS = (
        *moves("atlas"),
        Action("atlas.open", "enter", "open_unit", "unit", "Open the unit under the cursor", footer=True),
        Action("atlas.extreme", "e", "extreme(1)", "extreme", "To the next most extreme unit", footer=True),
        Action("atlas.extreme-back", "E", "extreme(-1)", "extreme back", "To the more extreme unit before"),
        Action("atlas.profile", "o", "profile", "bars", "Bars: the map's means, dimension or alignment", footer=True),
        Action("marks.unit", "space", "mark('unit')", "mark", "Mark or unmark the unit", footer=True),
        Action("marks.layer", "x", "mark('layer')", "mark layer", "Mark or unmark the layer"),
        Action("marks.column", "C", "mark('column')", "mark column", "Mark or unmark this unit of every layer"),
        Action("marks.rectangle", "v", "mark('rectangle')", "rectangle", "Begin a rectangle; again: mark it"),
    )
    BINDINGS = bindings(ACTIONS)
    SIDE = "#unit-panel"
    HELP = (
        "Each cell is a unit, each row a layer, early layers at the top. The bar beside a row is the layer's mean. "
        "Warm is synergistic, cool is redundant; the number under the cursor is always written below the map. Digits "
        "go to a unit by its place, as 14.5; : takes one by its name or its group, as : frontal.5. o turns the bars "
        "into the dimension of the residual stream behind each layer, and into its alignment, where they were measured."
    )

    def compose(self) -> ComposeResult:
        with Horizontal():
            with Vertical(classes="pane", id="map-pane"):
                yield LayerMap(self.explorer.ink, id="map")
                yield Lines(id="legend", height=1)
                yield Lines(id="readout", height=1)
                yield Lines(id="below")
            yield Lines(id="unit-panel")

    def on_mount(self) -> None:
        self._typed, self._refused = "", False
        self._extreme = False
        self._beside = ""  # what the bars show, if not the map's means
        self._anchor: tuple[int, int] | None = None
        self._column = (-1, 0)  # a unit, and the column to continue in from there
        self._hovered: int | None = None
        self._read: Run | None = None
        self._drawn: tuple[object, ...] = ()
        self._rested: tuple[Run, int, int, list[Text], list[float]] | None = None

    @property
    def map(self) -> LayerMap:
        """The map."""
        return self.query_one(LayerMap)

    def focus_main(self) -> None:
        self.map.focus()

    def show(self) -> None:
        run = self.run
        self.map.ink = self.ink
        if run is None or not run.scores:
            self.head("#map-pane", "")
            words = "Nothing is finished yet: the map fills in as parts arrive." if run else self.empty()
            opening = run is None and self.explorer.cache is None and not self.explorer.error
            self.map.say(words, self.explorer.state.shape() if opening else None)
            for name in ("readout", "legend", "unit-panel", "below"):
                self.query_one(f"#{name}", Lines).show([])
            self._drawn = ()
            return
        selection = self.selection
        self._arrange(run)
        cursor = divmod(selection.unit, run.per_layer)
        drawn = (run, selection.score, selection.masked, selection.marks, self._anchor, self._beside, self.ink)
        if self._same(drawn):
            self.map.point(cursor)
        else:
            self._drawn = drawn
            picture = _picture(run, selection.score, selection.masked, selection.marks, self._beside)
            self.map.show(picture, cursor, self._anchor)
            self.head("#map-pane", self._title(run))
            self.query_one("#legend", Lines).show([self._legend(run)], self.ink)
        self._tell(run)

    def _same(self, drawn: tuple[object, ...]) -> bool:
        # The run comes first and is compared by identity: comparing runs would compare arrays.
        return len(self._drawn) == len(drawn) and all(
            one is other or (place > 0 and one == other)
            for place, (one, other) in enumerate(zip(self._drawn, drawn, strict=True))
        )

    def _title(self, run: Run) -> str:
        score = run.scores[self.selection.score]
        from synergy_tui.drawing.atlas import mark
        from synergy_tui.drawing.tables import printable

        parts = [self.selection.score + (f", {score.unit}" if score.unit else "")]
        if self._beside and run.beside(self._beside):
            parts.append(f"bars: {self._beside}")
        parts += telling.contrast(run, self.selection.score)
        if run.place.job is None and not run.place.id:
            room = (self.map.content_size.width or self.app.size.width - 40) - 24
            parts.append(telling.whole_words(printable(str(run.row["name"])), max(room, 20)))
        if self.selection.marks:
            parts.append(f"{'˙ .' if self.map.stacked else self.ink.dot} {len(self.selection.marks)} marked")
        if self.selection.masked and run.tested:
            parts.append(f"{self.ink.masked} not above its null")
        room = self.map.content_size.width - 4
        while len(parts) > 1 and room > 0 and len(" · ".join(parts)) > room:
            parts.pop()
        return mark(run.row) + " · ".join(parts)

    def _arrange(self, run: Run) -> None:
        """Arranges the panels under the map: as much as the layers leave room for."""
        room = self.query_one("#map-pane").content_size.height - 2  # the units' numbers and the readout
        if room <= 0:
            return
        per = min(room // run.layers, TALLEST)
        taken = per * run.layers if per else (run.layers + 1) // 2 if self.ink.upper_half else room
        spare = max(room - taken, 0)
        self.query_one("#legend", Lines).display = spare > 0
        below = self.query_one("#below", Lines)
        below.display = spare - 1 >= LEAST_BELOW
        below.styles.height = min(spare - 1, MOST_BELOW) if below.display else 0

    def _legend(self, run: Run, brief: bool = False) -> Text:
        """The scale with its ends. brief: short, and without words."""
        score = run.scores[self.selection.score]
        colours = self.ink.colours(score.centre is not None)
        line = Text(" ")
        known = score.known
        if not len(known):
            return line.append("no unit has a value", "bold")
        if score.kind == "ranking":
            ends = (0.0, 1.0)
        elif score.centre is not None:
            reach = float(abs(known - score.centre).max())
            ends = (score.centre - reach, score.centre + reach)
        else:
            ends = (float(known.min()), float(known.max()))
        named = score.kind == "ranking" and self.map.content_size.width >= 45 and not brief
        words = ("redundant ", " synergistic") if named else ("", "")
        line.append(f"{words[0]}{telling.number(ends[0])} ")
        line.append_text(scale.strip(12 if brief else 22, colours, self.ink.shades))
        line.append(f" {telling.number(ends[1])}{words[1]}")
        return line

    def _tell(self, run: Run) -> None:
        panel = self.query_one("#unit-panel", Lines)
        self._tell_readout(run)
        self._tell_below(run)
        lines = telling.panel(run, self.selection.unit, self.ink, panel.content_size.width or 30)
        who = (run, self.selection.unit, self.selection.prompt)
        if self._rested is not None and self._rested[0] is run:
            lines += self._rested[3]
        if panel.display:
            size = panel.content_size
            lines += telling.reading(run, self.selection.score, size.width or 30, size.height - len(lines), self.ink)
        shown = panel.display or self.query_one("#below", Lines).display
        if shown and run.partial is None and run.place.id and (self._rested or ())[1:3] != who[1:]:
            # Opening a run fills every panel at once; only a moving cursor waits until it rests.
            new = self._rested is None or self._rested[0] is not run
            if new and self._read is not run:
                self._read = run
                self._rest(who)
            else:
                self.set_timer(REST, lambda: self._rest(who))
        panel.show(lines, self.ink)

    def _tell_readout(self, run: Run) -> None:
        """The unit under the mouse, or else under the cursor."""
        hovered = self._hovered if self._hovered is not None and self._hovered < run.units else None
        unit = self.selection.unit if hovered is None else hovered
        brief = self.query_one("#unit-panel", Lines).display and hovered is None
        width = self.map.content_size.width or None
        room = width - len(UNDER_MOUSE) if width and hovered is not None else width
        readout = telling.readout(run, unit, self.selection.score, brief, room)
        if self._typed:
            readout = Text.assemble((f" go to {self._typed}  ", self.ink.warm), readout)
        elif hovered is not None:
            readout = Text.assemble((UNDER_MOUSE, self.ink.dim), readout)
        legend = self.query_one("#legend", Lines)
        if not legend.display and width and run.scores:
            strip = self._legend(run, True)
            if readout.cell_len + strip.cell_len + 2 <= width:
                readout.append(" " * (width - readout.cell_len - strip.cell_len - 1)).append_text(strip)
        self.query_one("#readout", Lines).show([readout], self.ink)

    def _tell_below(self, run: Run) -> None:
        below = self.query_one("#below", Lines)
        if not below.display:
            return
        activity: list[float] = []
        unit = self.selection.unit
        if self._rested is not None and self._rested[0] is run and self._rested[1] == unit:
            activity = self._rested[4]
        width = below.content_size.width or self.map.content_size.width
        lines = telling.below(run, unit, self.selection.score, activity, self.selection.prompt, width, self.ink)
        below.show(lines, self.ink)

    def _rest(self, who: tuple[Run, int, int]) -> None:
        """The cursor has come to rest: reads what takes too long for a key press."""
        run, unit, prompt = who
        if run is self.run and (unit, prompt) == (self.selection.unit, self.selection.prompt):
            self.explorer.in_thread("rest", lambda: (who, _company(*who)), self._rested_there)

    def _rested_there(self, found: tuple[tuple[Run, int, int], tuple[list[tuple[int, float]], list[float]]]) -> None:
        who, (partners, activity) = found
        run, unit, prompt = who
        if run is self.run and unit == self.selection.unit:
            self._rested = (*who, telling.company(run, unit, partners, activity, prompt, self.ink), activity)
            self._tell(run)

    def toggle_profile(self) -> None:
        """Shows or hides the layer profile."""
        self.map.with_profile = not self.map.with_profile
        self.map.on_resize()

    def action_profile(self) -> None:
        """Switches the bars to the next available quantity: the map's own means, dimension, alignment."""
        run = self.run
        if run is None:
            return
        there = ["", *(name for name in GEOMETRY if run.beside(name))]
        if len(there) == 1:
            place = "--sample" if run.place.sample else run.place.id
            why = "The geometry of this run's residual stream was not measured"
            self.explorer.say(f"{why}: synergy-tui geometry {place}" if run.place.id else f"{why}.", "warning")
        here = there.index(self._beside) if self._beside in there else 0
        self._beside = there[(here + 1) % len(there)]
        self.show()

    # The cursor

    def action_move(self, layers: int, units: int) -> None:
        """Moves the cursor; it stops at the edges."""
        run = self.run
        if run is None:
            return
        self._typed, self._extreme = "", False
        before = self.selection.unit
        # Past a layer with few units the cursor continues in the column it came from.
        column = self._column[1] if self._column[0] == before and layers else before % run.per_layer
        self.selection.unit = run.step(before, layers, units, column)
        self._column = (self.selection.unit, column if layers else self.selection.unit % run.per_layer)
        self.show()

    def action_extreme(self, step: int) -> None:
        """Moves to the unit whose colour is next in distance from the middle of the scale; wraps from the last to the
        first."""
        run = self.run
        if run is None or self.selection.score not in run.scores:
            return
        order = run.extremes(self.selection.score)
        if order:
            here = order.index(self.selection.unit) if self.selection.unit in order else -1 if step > 0 else 0
            # The first step goes to the most extreme unit; later steps go on from there.
            place = 0 if step > 0 and not self._extreme else here + step
            self._extreme = True
            self.selection.unit = order[place % len(order)]
            self.show()

    def on_layer_map_pointed(self, message: LayerMap.Pointed) -> None:
        run = self.run
        if run is not None:
            self.selection.unit = message.layer * run.per_layer + message.unit
            self.show()

    def on_layer_map_hovered(self, message: LayerMap.Hovered) -> None:
        run = self.run
        self._hovered = (
            None if run is None or message.unit is None else message.unit[0] * run.per_layer + message.unit[1]
        )
        if run is not None and self._drawn:
            self._tell_readout(run)

    def on_layer_map_wheeled(self, message: LayerMap.Wheeled) -> None:
        self.action_move(message.layers, message.units)

    def on_layer_map_dragged(self, message: LayerMap.Dragged) -> None:
        run = self.run
        if run is None:
            return
        self._anchor = message.start
        self.selection.unit = message.end[0] * run.per_layer + message.end[1]
        self.map.focus()
        self.action_mark("rectangle")

    def on_key(self, event: events.Key) -> None:
        """Digits and a point jump to a unit: 14.5"""
        run, char = self.run, event.character or ""
        if run is None or not char or char not in "0123456789." or (char == "." and not self._typed):
            return
        event.stop()
        if self._refused or len(self._typed) > 8:
            return  # the rest of a place that does not exist
        self._typed += char
        layer, _, unit = self._typed.partition(".")
        found = _typed_unit(run, int(layer or 0), unit, self.selection.unit % run.per_layer)
        if found is not None:
            self.selection.unit = found
        else:
            self.explorer.say(f"There is no unit {self._typed}.", "warning")
            self._typed, self._refused = "", True
        typed = self._typed
        self.set_timer(JUMP_PATIENCE, lambda: self._forget(typed))
        self.show()

    def _forget(self, typed: str) -> None:
        if self._typed == typed:
            self._typed, self._refused = "", False
            self.show()

    def action_open_unit(self) -> None:
        """Opens the view of the unit."""
        self.explorer.to_view("unit")

    # Marks

    def action_mark(self, what: str) -> None:
        """Marks the unit, its layer, its column, or a rectangle from its start."""
        run = self.run
        if run is None:
            return
        layer, unit = divmod(self.selection.unit, run.per_layer)
        if what == "rectangle" and self._anchor is None:
            self._anchor = (layer, unit)
            self.show()
            return
        if what == "rectangle" or self._anchor is not None:
            assert self._anchor is not None
            (top, bottom), (left, right) = (sorted(pair) for pair in zip(self._anchor, (layer, unit), strict=True))
            units = [one * run.per_layer + two for one in range(top, bottom + 1) for two in range(left, right + 1)]
            self._anchor = None
        elif what == "layer":
            units = list(range(layer * run.per_layer, (layer + 1) * run.per_layer))
        elif what == "column":
            units = list(range(unit, run.units, run.per_layer))
        else:
            units = [self.selection.unit]
        self.selection.toggle(run.present(units))
        self.show()

    # For copying and for `?`

    def sql(self) -> str:
        return remake.score_query(self.run, self.selection.score) if self.run is not None else ""

    def command(self) -> str:
        run, score = self.run, self.selection.score
        if run is None or score not in RANKINGS:
            return super().command()
        return f"synergy-tui show {'--sample' if run.place.sample else run.place.id} --ranking {score}"

    def value(self) -> str:
        run = self.run
        return telling.readout(run, self.selection.unit, self.selection.score).plain.strip() if run else ""

    def table(self) -> Table:
        run = self.run
        if run is None:
            return [], []
        names, naming = list(run.scores), run.naming
        called = [*(["group"] if naming.groups else []), *(["name"] if naming.names else [])]
        columns = ["layer", "unit", *called, *names]
        values = [run.scores[name].values for name in names]
        rows = []
        for unit in run.numbers.tolist():
            layer, place = divmod(unit, run.per_layer)
            words = {"group": naming.layer(layer), "name": naming.names.get(unit)}
            rows.append((layer, place, *(words[one] for one in called), *(_known(one[unit]) for one in values)))
        return columns, rows

    def about(self) -> list[str]:
        run = self.run
        return telling.about_unit(run, self.selection.unit, self.selection.score) if run else []


def _typed_unit(run: Run, layer: int, unit: str, column: int) -> int | None:
    """The unit typed as layer and place, possibly incomplete; without a place, the unit nearest to a column. None if no
    unit begins like this."""
    if layer >= run.layers:
        return None
    known = _places(run, layer)
    if not unit.isdigit() and known:
        return layer * run.per_layer + min(known, key=lambda one: abs(one - column))
    begun = [one for one in known if str(one).startswith(str(int(unit)))] if unit.isdigit() else []
    return layer * run.per_layer + min(begun) if begun else None


def _places(run: Run, layer: int) -> list[int]:
    """Places of a layer that have a unit."""
    start = layer * run.per_layer
    return [one for one in range(run.per_layer) if run.there[start + one]]


def _company(run: Run, unit: int, prompt: int) -> tuple[list[tuple[int, float]], list[float]]:
    """A unit's four strongest partners by sts, nats, and its activity over one response."""
    import numpy as np

    from synergy_tui.store import walk

    found = walk.partners(run.place.cache, run.place.id, unit)
    known = np.flatnonzero(np.isfinite(found["sts"]))
    order = known[np.argsort(-found["sts"][known], kind="stable")][:4]
    partners = [(int(found["partner"][place]), float(found["sts"][place])) for place in order]
    series = walk.series_of_unit(run.place.cache, run.row["capture"], unit)
    return partners, series[prompt].tolist() if prompt in series else []


def _known(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _picture(run: Run, name: str, masked: bool, marks: frozenset[int], beside: str = "") -> Picture:
    import numpy as np  # not at the top: the first paint does without it

    from synergy_tui.drawing.atlas import reach_of

    score, shape = run.scores[name], (run.layers, run.per_layer)
    profile = run.profile(name)
    means = [row["value"] for row in profile if row["value"] is not None]
    centre = score.centre if score.centre is not None else (sum(means) / len(means) if means else 0.0)
    other = run.beside(beside) if beside else []
    if other:
        profile, means = other, [row["value"] for row in other if row["value"] is not None]
        centre = sum(means) / len(means)
    marked = np.zeros(run.units, bool)
    marked[list(marks)] = True
    hidden = ~run.above_null() if masked else np.zeros(run.units, bool)
    return Picture(
        score.colour().reshape(shape),
        hidden.reshape(shape),
        marked.reshape(shape),
        score.centre is not None,
        profile,
        centre,
        reach_of(profile, centre),
        score.shown.reshape(shape),
        beside=beside if other else "",
        **run.rows,
    )
