"""A ladder: the order parameter's curve with its models, accuracy under it, the map of the level under the cursor, the
verdict."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from synergy_tui.drawing import ladder as drawn
from synergy_tui.drawing.naming import groups
from synergy_tui.drawing.plots import Line
from synergy_tui.drawing.tables import printable
from synergy_tui.explorer import telling
from synergy_tui.explorer.keys import Action, bindings
from synergy_tui.explorer.run import Place
from synergy_tui.explorer.views.base import Table, View
from synergy_tui.explorer.widgets.lines import Lines
from synergy_tui.explorer.widgets.map import LayerMap, Picture
from synergy_tui.explorer.widgets.plot import Plot, line_sign, line_style
from synergy_tui.jobs.folder import ENDED
from synergy_tui.terms import ORDER_PARAMETERS

if TYPE_CHECKING:
    from synergy_tui.store.cache import Cache
    from synergy_tui.units import Naming

MEANINGS = {
    "contrast": "middle layers minus the others, on the scaled ranking: the contrast of the map, level by level.",
    "layer-order": "η², the share of the ranking's variance between units that lies between layers.",
    "core-share": "the share of all excess synergy held by the core, a quarter of the units fixed on other prompts.",
    "norm-share": "the share of all activity that the same core holds.",
    "core-stability": "how much of the core of the level's other prompts is in the core of a prompt alone.",
    "excess": "mean synergy minus its surrogate mean, nats.",
}


@dataclass(frozen=True)
class Shown:
    """A ladder that was read. maps: [layers, units] of its ranking, scaled, by level. count: number of ladders. naming:
    names of their units."""

    place: int
    count: int
    found: dict[str, Any]
    maps: dict[int, np.ndarray]
    naming: Naming


WOULD_SHOW = (
    "Here an order parameter is followed over the levels of a ladder, from easy to hard tasks, each level with its "
    "95 % interval and beside it its own map. Five models are fitted, from constant to a step. Accuracy stands below: "
    "if it does not fall from level to level, the tasks were not really harder.",
    "It takes a subject and a ladder of graded tasks. Eight levels of 40 prompts give the full verdict; SmolLM2 takes "
    "about 12 minutes for them on 2 cores. Six ladders ship with the tool, and your own files are taken.",
    "F5 asks for both and says what it will cost before anything starts.",
)
"""The view's text before there is a ladder."""


class DifficultyView(View):
    """Curve and accuracy at the left, the level's map at the right, the verdict below."""

    ACTIONS = (
        Action("difficulty.start", "f5", "start", "start", "Start a ladder", footer=True),
        Action("difficulty.left", "left,h", "level(-1)", "level back", "The level before"),
        Action("difficulty.right", "right,l", "level(1)", "level on", "The next level"),
        Action(
            "difficulty.parameter",
            "o",
            "parameter(1)",
            "parameter",
            "Another order parameter",
            footer=True,
        ),
        Action("difficulty.open", "enter", "open", "open map", "The level's map in the atlas", footer=True),
        Action("difficulty.next", "period", "other(1)", "next ladder", "The next ladder of this cache"),
        Action("difficulty.previous", "comma", "other(-1)", "ladder back", "The ladder before"),
    )
    BINDINGS = bindings(ACTIONS)
    SIDE = "#ladder-map-pane"
    HELP = (
        "A ladder is one family of tasks on levels of difficulty. All responses are cut to one length, every level is "
        "decomposed by itself, and an order parameter is followed over the levels: five models are fitted to it, and a "
        "transition is claimed when a step or a sharp sigmoid beats the smooth ones by ΔBIC > 6 and is at most 40 % of "
        "the ladder wide. Eight levels are needed for that. Where accuracy does not fall, difficulty was only a label."
    )

    def compose(self) -> ComposeResult:
        with Horizontal():
            with Vertical(classes="pane", id="ladder-curves"):
                yield Plot(id="ladder-plot")
                yield Lines(id="ladder-legend")
                yield Plot(id="ladder-accuracy")
            with Vertical(classes="pane", id="ladder-map-pane"):
                yield LayerMap(self.explorer.ink, id="ladder-map")
                yield Lines(id="ladder-level")
        with Vertical(classes="pane", id="ladder-verdict-pane"):
            yield Lines(id="ladder-verdict")

    def on_mount(self) -> None:
        self.can_focus = True
        self._place = 0
        self._level = 1
        self._parameter = ""
        self._shown: Shown | None = None
        self._noticed: list[tuple[str, str]] = []
        small = self.query_one(LayerMap)
        small.with_profile = small.can_focus = False

    def focus_main(self) -> None:
        self.focus()

    # Reading

    def show(self) -> None:
        self.query_one(LayerMap).ink = self.ink
        self._draw()
        self._read()

    def noticed(self) -> None:
        jobs = self._jobs()
        if jobs != self._noticed:
            self._noticed = jobs
            self._read()

    def _jobs(self) -> list[tuple[str, str]]:
        """(id, state) of ladders, newest first."""
        seen = self.explorer.seen
        found = reversed(seen.jobs) if seen is not None else ()
        return [(str(one["id"]), str(one["state"])) for one in found if one["kind"] == "ladder"]

    def _read(self) -> None:
        cache, run, place = self.explorer.cache, self.run, self._place
        if cache is None:
            return
        capture = str(run.row.get("capture", "")) if run is not None and not run.place.sample else ""
        self.explorer.in_thread("ladder", lambda: _ladder(cache, capture, place), self._there)

    def _there(self, found: Shown | None) -> None:
        before = self._shown
        self._shown = found
        if found is not None and (before is None or before.found["ladder"] != found.found["ladder"]):
            self._parameter = found.found["order_parameter"]
            self._level = next((level for level in found.maps), 1)
        self._draw()

    # Drawing

    def _draw(self) -> None:
        shown = self._shown
        verdict = self.query_one("#ladder-verdict", Lines)
        if shown is None:
            self.head("#ladder-curves", "No ladder yet", "F5 starts one")
            self.head("#ladder-map-pane", "")
            for plot in self.query(Plot):
                plot.clear()
                plot.display = False
            self.query_one("#ladder-level", Lines).show([])
            width = self.query_one("#ladder-curves").content_size.width or self.size.width
            rows = self.query_one("#ladder-curves").content_size.height or self.size.height
            would = telling.paragraphs(WOULD_SHOW, width, rows)
            self.query_one("#ladder-legend", Lines).show(would, self.ink)
            self.query_one(LayerMap).say("")
            verdict.show(telling.wrapped(self._nothing(), self.size.width - 4), self.ink)
            return
        self.query_one("#ladder-plot").display = True
        found, parameter = shown.found, self._parameter
        count = f"   {shown.place + 1} of {shown.count}  . and ," if shown.count > 1 else ""
        from synergy_tui.drawing.atlas import mark

        title = f"{mark(found)}{printable(found['subject_name'])} on {printable(found['name'])}: {parameter}{count}"
        self.head("#ladder-curves", title, "by level, 95 % interval")
        lines = drawn.curve_lines(found, parameter, fits=True)
        limits, names = _limits(lines[-1]), drawn.level_names(found)
        self.query_one("#ladder-plot", Plot).draw(lines, self.ink, limits=limits, names=names, cursor=self._level)
        accuracy = drawn.accuracy_lines(found)
        self.query_one("#ladder-accuracy", Plot).display = bool(accuracy)
        if accuracy:
            unfinished = f"; {line_sign('U', self.ink, thin=True)} unfinished"
            self.query_one("#ladder-accuracy", Plot).draw(
                accuracy,
                self.ink,
                f"accuracy{unfinished if drawn.has_unfinished(found) else ''}",
                "",
                (0.0, 1.0),
                names,
                self._level,
            )
        width = self.query_one("#ladder-curves").content_size.width or self.size.width
        self.query_one("#ladder-legend", Lines).show(telling.flowing(self._legend(), width), self.ink)
        self._draw_level()
        told = found["verdicts"].get(parameter, {}).get("sentence") or found["sentence"]
        verdict.show(telling.wrapped(printable(told), self.size.width - 4), self.ink)

    def _legend(self) -> list[Text]:
        entries: list[Text] = []
        if self._shown is None:
            return entries
        fits = self._shown.found["fits"].get(self._parameter, {})
        best = self._shown.found["verdicts"].get(self._parameter, {}).get("best")
        ink = self.ink
        for name, colour in drawn.FIT_COLOURS.items():
            if name in fits:
                sign = line_sign(drawn.fit_letter(name), ink, thin=True)
                style = line_style(colour, ink)
                told = f"{name}{' (best)' if name == best else ''}"
                entries.append(Text.assemble((f"{sign} ", style), told))
        return entries

    def _draw_level(self) -> None:
        shown, small = self._shown, self.query_one(LayerMap)
        if shown is None:
            return
        level = next((one for one in shown.found["levels_of"] if one["level"] == self._level), None)
        if level is None:
            return
        self.head("#ladder-map-pane", f"level {printable(level['name'])}", "enter: in the atlas")
        values = shown.maps.get(self._level)
        if values is None:
            small.say(printable(level["note"] or "Its map is not in this cache."))
        else:
            nothing = np.zeros(values.shape, bool)
            unit = min(self.selection.unit, values.size - 1)
            there = np.ones(values.size, bool)
            there[list(shown.naming.holes)] = False
            picture = Picture(values, nothing, nothing, True, [], 0.5, 0.5, values)
            picture = replace(picture, groups=groups(shown.naming), there=there.reshape(values.shape))
            small.show(picture, divmod(unit, values.shape[1]))
        self.query_one("#ladder-level", Lines).show(self._told(level), self.ink)

    def _told(self, level: dict[str, Any]) -> list[Text]:
        assert self._shown is not None
        point = next(
            (one for one in self._shown.found["curves"].get(self._parameter, []) if one["level"] == self._level), None
        )
        lines = [Text(f" {level['used']} of {level['prompts']} prompts used")]
        if point is not None:
            ends = f" [{telling.number(point['low'])}, {telling.number(point['high'])}]"
            lines.append(Text(f" {telling.number(point['value'])}{ends}", "bold"))
        share = "not graded" if level["accuracy"] is None else f"{level['accuracy']:.0%} right"
        lines.append(Text(f" {share}, {level['unparsable']} unparsable, {level['unfinished'] or 0} unfinished"))
        return [*lines, Text(f" {level['failed']} verifiers raised", self.ink.warm)] if level["failed"] else lines

    def _nothing(self) -> str:
        if self.explorer.cache is None:
            return self.empty()
        under_way = [one for one, state in self._jobs() if state not in ENDED]
        if under_way:
            return f"Ladder {under_way[0]} is under way: J shows how far it is, and its curve comes here."
        return "No ladder has been climbed in this cache. Press F5 to choose a subject and a family of tasks."

    # Actions

    def action_level(self, step: int) -> None:
        """Another level, with its map beside the curve."""
        if self._shown is None:
            return
        count = len(self._shown.found["levels_of"])
        self._level = min(max(self._level + step, 1), count)
        self._draw()

    def action_parameter(self, step: int) -> None:
        """Another order parameter."""
        if self._shown is None:
            return
        names = [name for name in ORDER_PARAMETERS if name in self._shown.found["curves"]]
        place = names.index(self._parameter) if self._parameter in names else 0
        self._parameter = names[(place + step) % len(names)]
        self._draw()

    def action_other(self, step: int) -> None:
        """Another ladder of this cache."""
        self._place += step
        self._read()

    def action_open(self) -> None:
        """The level's map in the atlas."""
        cache = self.explorer.cache
        if self._shown is None or cache is None:
            return
        if self._level not in self._shown.maps:
            self.explorer.say("This level has no map.", "warning")
            return
        found = next(one for one in self._shown.found["levels_of"] if one["level"] == self._level)
        self.explorer.to_view("atlas")
        self.explorer.open_run(Place(cache, found["map"]))

    def action_start(self) -> None:
        """Opens the form that starts a ladder."""
        from synergy_tui.explorer.dialogs.new import FORMS, Form

        self.explorer.push_screen(Form(FORMS["difficulty"](self.explorer)))

    def sql(self) -> str:
        columns = "name, c.order_parameter, level, value, low, high"
        return f"SELECT {columns} FROM ladder_curves c JOIN ladders USING (ladder) ORDER BY 1, 2, 3"

    def value(self) -> str:
        if self._shown is None:
            return ""
        return str(self._shown.found["verdicts"].get(self._parameter, {}).get("sentence") or "")

    def table(self) -> Table:
        if self._shown is None:
            return [], []
        rows = drawn.rows(self._shown.found, self._parameter)
        return list(rows[0]), [list(row.values()) for row in rows]

    def about(self) -> list[str]:
        if self._shown is None:
            return []
        told = [f"{self._parameter}: {MEANINGS.get(self._parameter, '')}", self.value()]
        return [printable(one) for one in told]


def _limits(curve: Line) -> tuple[float, float]:
    """Limits of the y axis, from the curve and its interval; a fitted line may leave them."""
    values = [y for y in (*curve.ys, *curve.low, *curve.high) if np.isfinite(y)]
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    margin = 0.05 * (high - low) or 0.5
    return low - margin, high + margin


def _ladder(cache: Cache, capture: str, place: int) -> Shown | None:
    """The ladder at a place: ladders of the run's subject come first, then all others, the newest first."""
    from synergy_tui.errors import SynergyError
    from synergy_tui.store import load

    every = load.ladders(cache)
    if not every:
        return None
    of_run = load.rows(cache, "SELECT subject FROM captures WHERE capture = $1", capture)
    subject = of_run[0]["subject"] if of_run else None
    every.sort(key=lambda one: one["subject"] != subject)
    place %= len(every)
    found = load.ladder(cache, every[place]["ladder"])
    (shape,) = load.rows(cache, "SELECT layers, units_per_layer FROM captures WHERE capture = $1", found["capture"])
    maps = {}
    for level in found["levels_of"]:
        if level["map"] is None:
            continue
        try:
            load.one(cache, "decomposition", level["map"])
        except SynergyError:
            continue  # deleted, or left behind by an export
        size = (shape["layers"], shape["units_per_layer"])
        maps[level["level"]] = load.unit_scores(cache, level["map"], found["ranking"], size)
    return Shown(place, len(every), found, maps, load.naming(cache, found["capture"]))
