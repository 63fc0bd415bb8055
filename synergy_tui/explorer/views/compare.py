"""The run in front beside another, its categories, or its training: profiles, the map of the difference, contrasts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from synergy_tui.errors import SynergyError
from synergy_tui.explorer import telling
from synergy_tui.explorer.keys import Action, bindings, moves
from synergy_tui.explorer.run import Run
from synergy_tui.explorer.views.base import Table, View
from synergy_tui.explorer.widgets.lines import Lines
from synergy_tui.explorer.widgets.map import LayerMap, Picture
from synergy_tui.explorer.widgets.plot import Plot
from synergy_tui.terms import RANKINGS

if TYPE_CHECKING:
    import numpy as np

    from synergy_tui.store.runs import Compared


WOULD_SHOW = (
    "Here two runs stand beside each other: their profiles over depth with 95 % intervals, the difference by unit as a "
    "map with a cursor, and their contrasts with the interval of the difference. o holds the categories of one run's "
    "prompts against each other, or the checkpoints of a training.",
    "It takes another run of the same unit kinds and method: of other prompts, a control with random weights, a "
    "checkpoint, or another model. n makes one and says what it costs before it starts.",
)
"""The view's text while there is nothing to compare."""

NUMBERS = 34
"""Columns of A, B and their difference after a unit's name."""

SHOWN = ("runs", "categories", "training")
"""What the view compares; `o` goes through them."""


class CompareView(View):
    """Profiles at the left, the difference by unit at the right, numbers below."""

    ACTIONS = (
        *moves("compare"),
        Action("compare.next", "period", "other(1)", "next run", "Beside the next run", footer=True),
        Action("compare.previous", "comma", "other(-1)", "previous", "Beside the run before"),
        Action("compare.shown", "o", "shown", "runs/categories", "Runs, categories or training", footer=True),
    )
    BINDINGS = bindings(ACTIONS)
    SIDE = "#compare-map"
    HELP = (
        "A is the run in front, B another of the same unit kinds and method; . and , choose it, o shows the categories "
        "of the run's own prompts instead, and the checkpoints of its training where there are some: their contrast "
        "over training steps. The map is B minus A of the scaled ranking. `minus A` is the difference of contrasts; "
        "its interval takes the two as independent, which is too wide for runs on the same prompts and never too "
        "narrow. ρ is the rank correlation of units between the two."
    )

    def compose(self) -> ComposeResult:
        with Horizontal():
            with Vertical(classes="pane", id="compare-profiles"):
                yield Plot(id="compare-plot")
                yield Lines(id="compare-would")
            with Vertical(classes="pane", id="compare-map"):
                yield LayerMap(self.explorer.ink, id="compare-difference")
                yield Lines(id="compare-unit", height=1)
        with Vertical(classes="pane", id="compare-numbers"):
            yield Lines(id="compare-told")

    def on_mount(self) -> None:
        self.can_focus = True
        self._sides: list[Compared] = []
        self._place = 0
        self._shown = SHOWN[0]
        self._asked: tuple[Any, ...] = ()
        self._rows: list[dict[str, Any]] = []

    def focus_main(self) -> None:
        self.focus()

    def show(self) -> None:
        run = self.ready
        if run is None:
            self._nothing(self.empty())
            return
        ranking = self.selection.score if self.selection.score in RANKINGS else RANKINGS[0]
        asked = (run.place, ranking, self._place, self._shown)
        if asked == self._asked:
            self._draw()
            return
        self._asked = asked

        place, shown = self._place, self._shown

        def there(found: tuple[list[Compared], str, int]) -> None:
            if self._asked == asked:
                self._sides, words, self._count = found
                self._draw() if self._sides else self._nothing(words)

        self.explorer.in_thread("compare", lambda: _read(run, ranking, place, shown), there)

    def noticed(self) -> None:
        self._asked = ()
        self.show()

    def _nothing(self, words: str) -> None:
        self._sides, self._rows = [], []
        self.head("#compare-numbers", "Compare")
        self.query_one("#compare-told", Lines).show(telling.wrapped(words, self.size.width), self.ink)
        self.query_one("#compare-map").display = False
        self.query_one(Plot).display, told = False, self.query_one("#compare-would", Lines)
        told.display = True
        width = self.query_one("#compare-profiles").content_size.width or self.size.width
        rows = self.query_one("#compare-profiles").content_size.height
        told.show(telling.paragraphs(WOULD_SHOW, width, rows or self.size.height), self.ink)
        self.difference.say("")
        self.query_one("#compare-unit", Lines).show([], self.ink)

    def _draw(self) -> None:
        from synergy_tui.drawing import compare as drawn
        from synergy_tui.drawing import tables

        if not self._sides:
            return
        self.query_one("#compare-would").display = False
        self.query_one(Plot).display = True
        ranking = self._asked[1]
        self._rows = drawn.rows(self._sides)
        names = " · ".join(f"{drawn.letter(place)} {one}" for place, one in enumerate(drawn.named(self._sides)[:2]))
        training = self._shown == "training"
        sides = self._sides
        by_group = not training and not drawn.over_depth(sides)
        over = "contrast over training steps" if training else "by group" if by_group else "over depth"
        self.head("#compare-profiles", f"{ranking}: {over}" if training else f"{ranking} {over}", f"{self._next()}: o")
        curves = drawn.over_training(self._sides) if training else drawn.lines(self._sides)
        self.query_one(Plot).draw(
            curves, self.ink, names=(lambda width: drawn.categories(sides, width)) if by_group else None
        )
        self.query_one("#compare-map").display = self._shown == "runs"
        self.head("#compare-map", "B − A", f"{self._place % self._count + 1} of {self._count}  . and ,")
        self._draw_difference()
        self.head("#compare-numbers", names if self._shown == "runs" else "Contrasts")
        by = "run" if self._shown == "categories" else "id"
        text = tables.as_text([_brief(one, by) for one in self._rows])
        lines = [Text(f" {line}") for line in text.split("\n")]
        if told := drawn.unlike(self._sides) if self._shown == "runs" else "":
            lines += telling.wrapped(told, self.size.width)
        self.query_one("#compare-told", Lines).show(lines, self.ink)

    @property
    def difference(self) -> LayerMap:
        """The map of B − A."""
        return self.query_one(LayerMap)

    def _draw_difference(self) -> None:
        from synergy_tui.drawing import compare as drawn

        gap = drawn.difference_by_unit(*self._sides[:2]) if len(self._sides) == 2 else None
        self.difference.ink = self.ink
        told = self.query_one("#compare-unit", Lines)
        if gap is None:
            self.difference.say("The two have different units: there is no difference by unit.")
            told.show([], self.ink)
            return
        run = self.run
        # A is the run in front, or another checkpoint of the same model's training.
        rows = run.rows if run is not None and run.shape == gap.shape else {}
        self.difference.show(_picture(gap, rows), self._cursor(gap.shape))
        self._tell_unit()

    def _cursor(self, shape: tuple[int, ...]) -> tuple[int, int]:
        layer, unit = divmod(min(self.selection.unit, shape[0] * shape[1] - 1), shape[1])
        return layer, unit

    def _tell_unit(self) -> None:
        first, other = self._sides[:2]
        assert first.values is not None
        assert other.values is not None
        unit = min(self.selection.unit, first.values.size - 1)
        before, after = float(first.values.ravel()[unit]), float(other.values.ravel()[unit])
        room = max((self.difference.content_size.width or 60) - NUMBERS, 8)
        line = Text.assemble((f" {telling.fitting_name(first.naming, unit, room)}", "bold"), "  A ")
        line.append(f"{before:.2f}", "bold").append("  B ").append(f"{after:.2f}", "bold")
        line.append("  B − A ").append(f"{after - before:+.2f}", "bold")
        self.query_one("#compare-unit", Lines).show([line], self.ink)

    def action_move(self, layers: int, units: int) -> None:
        """Moves the cursor over the map of the difference; it stops at the edges."""
        picture = self.difference.picture
        if picture is None:
            return
        count, per_layer = picture.colour.shape
        layer, unit = self._cursor((count, per_layer))
        run = self.run
        if run is not None and run.shape == (count, per_layer):
            layer, unit = divmod(run.step(self.selection.unit, layers, units, unit), per_layer)
            self._point(layer, unit, per_layer)
            return
        layer, unit = min(max(layer + layers, 0), count - 1), min(max(unit + units, 0), per_layer - 1)
        self._point(layer, unit, per_layer)

    def on_layer_map_pointed(self, message: LayerMap.Pointed) -> None:
        picture = self.difference.picture
        if picture is not None:
            self._point(message.layer, message.unit, picture.colour.shape[1])

    def on_layer_map_wheeled(self, message: LayerMap.Wheeled) -> None:
        self.action_move(message.layers, message.units)

    def _point(self, layer: int, unit: int, per_layer: int) -> None:
        self.selection.unit = layer * per_layer + unit
        self.difference.point((layer, unit))
        self._tell_unit()

    def action_other(self, step: int) -> None:
        """Another run beside the one in front."""
        self._place += step
        self.show()

    def action_shown(self) -> None:
        """Switches to the categories of the run's prompts, the checkpoints of its training, or back to runs."""
        self._shown = self._next()
        self.show()

    def _next(self) -> str:
        return SHOWN[(SHOWN.index(self._shown) + 1) % len(SHOWN)]

    def sql(self) -> str:
        run = self.ready
        if run is None or not self._sides:
            return ""
        if self._shown == "categories":
            names = "category, prompts, contrast, low, high"
            return f"SELECT {names} FROM category_contrasts WHERE decomposition = '{run.place.id}' ORDER BY category"
        ids = ", ".join(f"'{one.id}'" for one in self._sides)
        return (
            "SELECT training_step, decomposition, ranking, contrast, low, high FROM contrasts "
            "JOIN decompositions USING (decomposition) JOIN captures USING (capture) "
            f"WHERE decomposition IN ({ids}) AND ranking = '{self._asked[1]}' ORDER BY training_step, decomposition"
        )

    def command(self) -> str:
        if self._shown != SHOWN[0] or len(self._sides) < 2:
            return super().command()
        return f"synergy-tui compare {' '.join(one.id for one in self._sides)}"

    def value(self) -> str:
        if len(self._rows) < 2:
            return ""
        return f"contrast {self._rows[1]['run']} minus {self._rows[0]['run']}: {_short(self._rows[1]['minus A'])}"

    def table(self) -> Table:
        names = list(self._rows[0]) if self._rows else []
        return names, [tuple(one.values()) for one in self._rows]

    def about(self) -> list[str]:
        return [self.value()] if self.value() else []


def _picture(gap: np.ndarray, rows: dict[str, Any]) -> Picture:
    """The difference by unit [layers, units], B − A, as a map's picture around zero. rows: as Run.rows."""
    import numpy as np

    known = gap[np.isfinite(gap)]
    reach = float(abs(known).max()) if len(known) else 0.0
    colour = np.where(np.isfinite(gap), 0.5 + gap / (2 * reach) if reach else 0.5, np.nan)
    nothing = np.zeros(gap.shape, bool)
    means = [float(row[np.isfinite(row)].mean()) if np.isfinite(row).any() else None for row in gap]
    profile = [{"layer": layer, "value": value, "low": None, "high": None} for layer, value in enumerate(means)]
    farthest = max((abs(one) for one in means if one is not None), default=0.0)
    return Picture(colour, nothing, nothing, True, profile, 0.0, farthest, gap, ("lower in B", "higher in B"), **rows)


def _brief(row: dict[str, Any], by: str) -> dict[str, Any]:
    """A row in few columns, for a narrow terminal. by: the column that names it."""

    def ends(what: str, low: str, high: str) -> str:
        if row[what] is None:
            return ""
        inside = "" if row[low] is None else f" [{row[low]:+.2f}, {row[high]:+.2f}]"
        return f"{row[what]:+.2f}{inside}"

    out = {"": row[""], "run": row[by], "prompts": row["prompts"]}
    out |= {"contrast": ends("contrast", "low", "high"), "minus A": ends("minus A", "its low", "its high")}
    return out | {"ρ": "" if row["units ρ"] is None else f"{row['units ρ']:+.2f}"}


def _short(value: Any) -> Any:
    return round(value, 3) if isinstance(value, float) else value


def _read(run: Run, ranking: str, place: int, shown: str) -> tuple[list[Compared], str, int]:
    """The compared sides, or why there are none; and the number of runs to choose from."""
    from synergy_tui.store import runs

    cache = run.place.cache
    try:
        if shown == "categories":
            return runs.by_category(cache, run.place.id), "", 1
        if shown == "training":
            checkpoints = runs.of_training(cache, run.place.id)
            if len(checkpoints) < 2:
                words = (
                    "This run belongs to no training: capture a folder of checkpoints, or a model with --revisions, "
                    "and decompose each. Press o for other runs."
                )
                return [], words, 1
            return runs.compared(cache, checkpoints, ranking), "", 1
        others = runs.comparable(cache, run.place.id)
        if not others:
            words = (
                "There is no other run of the same unit kinds and method. Press n to make one, o for the categories."
            )
            return [], words, 1
        return runs.compared(cache, [run.place.id, others[place % len(others)]], ranking), "", len(others)
    except SynergyError as error:
        return [], str(error), 1
