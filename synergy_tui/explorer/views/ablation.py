"""The ablation of a run: the set, the controls and their cost; growing curves; the verdict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.timer import Timer
from textual.widgets import Input

from synergy_tui.drawing import curves as drawn
from synergy_tui.drawing import ticks
from synergy_tui.drawing.plots import Line
from synergy_tui.errors import SynergyError, UsageError
from synergy_tui.explorer import telling
from synergy_tui.explorer.ablations import Curve, Result, result
from synergy_tui.explorer.answers import side_by_side
from synergy_tui.explorer.dialogs.new import helped, start
from synergy_tui.explorer.keys import Action, bindings
from synergy_tui.explorer.run import Run, made_score
from synergy_tui.explorer.session import told
from synergy_tui.explorer.views.base import Table, View
from synergy_tui.explorer.widgets.form import FormFields
from synergy_tui.explorer.widgets.lines import Lines
from synergy_tui.explorer.widgets.plot import Plot, line_sign, line_style
from synergy_tui.explorer.widgets.twomaps import TwoMaps
from synergy_tui.jobs.folder import ENDED
from synergy_tui.jobs.plan.links import Link
from synergy_tui.jobs.specs.ablate import AblateRequest
from synergy_tui.jobs.specs.fields import fields
from synergy_tui.terms import CONTROL_ORDERS, DEFAULT_ORDERS, PAIRS, RANKINGS, SWEEPS
from synergy_tui.units import UnitName

if TYPE_CHECKING:
    from synergy_tui.jobs.plan import Plan
    from synergy_tui.jobs.specs import AblateSpec

REST = 0.4
LOW = 34
"""Rows below which the most important parts come first."""

ASKED = [one for one in fields(AblateRequest) if not one.option.argument and one.name != "units"]
"""The form has no units field: the units are the marked ones."""

MARKED = ",".join(("marked", *CONTROL_ORDERS))


WOULD_SHOW = (
    "Here units are removed, a few more at a time, while the model replays its own answers. A curve for each removal "
    "order follows how far its next-token distribution moves from the intact one: divergence, in nats per token, by "
    "the fraction of units removed. A targeted order that does no more harm than its controls shows nothing."
)
"""The view's text before anything was removed from a run."""


def would_measure(planned: Plan[AblateSpec] | None) -> list[str]:
    """The form's request, in sentences."""
    if planned is None:
        return ["The form at the left says what is removed, and what that costs; F5 starts it."]
    spec = planned.spec
    controls = [one for one in spec.orders if one in CONTROL_ORDERS]
    orders = [one for one in spec.orders if one not in (*CONTROL_ORDERS, *SWEEPS, PAIRS)]
    sweeps = [one for one in spec.orders if one in SWEEPS]
    shares = ", at the fractions " + ", ".join(f"{one:.3g}" for one in spec.fractions) if orders or controls else ""
    parts = [f"{' and '.join(orders)}" if orders else "", f"{' and '.join(sweeps)}, each alone" if sweeps else ""]
    seeds = f"{spec.seeds} seed{'' if spec.seeds == 1 else 's'}"
    parts += [f"as controls {' and '.join(controls)} sets with {seeds} each" if controls else ""]
    if PAIRS in spec.orders:
        strong = f"the {spec.pairs} strongest pairs by {', '.join(spec.pairs_by)}"
        parts.append(f"{strong}, each with a matched control and with its units alone")
    prompts = f"{len(spec.replayed)} prompt{'' if len(spec.replayed) == 1 else 's'}"
    return [
        f"As the form stands: {len(spec.conditions)} conditions on {prompts}{shares}: "
        f"{'; '.join(one for one in parts if one)}.",
        f"It takes {planned.cost}. F5 starts it, tab leads into the form, and marked units (space and M in the map) "
        "are a set of your own.",
    ]


def pair_lines(pairs: Sequence[dict[str, Any]], width: int, rows: int) -> list[str]:
    """Rows of drawing.curves.pair_rows in at most `rows` lines, shared by the scores; the interval and the control's
    name appear if they fit."""
    scores = list(dict.fromkeys(one["by"] for one in pairs))
    each = max((rows - 2) // len(scores), 1)
    some = [one for score in scores for one in [one for one in pairs if one["by"] == score][:each]]
    columns = {name: [name, *(str(one[name]) for one in some)] for name in ("by", "pair")}
    columns["interaction"] = ["nats", *telling.aligned([_known(one["interaction"]) for one in some], True)]
    ends = [telling.aligned([_known(one[end]) for one in some], True) for end in ("low", "high")]
    columns["interval"] = ["95 % interval", *(f"[{low}, {high}]" for low, high in zip(*ends, strict=True))]
    columns["its"] = ["control's", *telling.aligned([_known(one["its"]) for one in some], True)]
    columns["control"] = ["control", *(str(one["control"]) or "none" for one in some)]
    wide = {name: max(map(len, cells)) for name, cells in columns.items()}
    for name in ("control", "interval"):
        if sum(wide.values()) + 2 * len(wide) > width:
            del wide[name]
    left = ("by", "pair", "control")
    lines = [
        " "
        + "  ".join(
            columns[one][at].ljust(size) if one in left else columns[one][at].rjust(size) for one, size in wide.items()
        )
        for at in range(len(some) + 1)
    ]
    count = f" {len(some)} of {len(pairs)}" if len(some) < len(pairs) else f" {len(pairs)}"
    return [telling.whole_words(f"{count} pairs, beyond each alone", width), *lines]


def _known(value: float | None) -> float:
    return float("nan") if value is None else value


class AblationView(View):
    """The form at the left, the curves at the right, the verdict below."""

    ACTIONS = (
        Action("ablation.start", "f5", "start", "start", "Start with what the form says", footer=True),
        Action(
            "ablation.next",
            "period",
            "other(1)",
            "next result",
            "The next ablation of this run",
            footer=True,
        ),
        Action("ablation.previous", "comma", "other(-1)", "previous", "The ablation before"),
        Action(
            "ablation.answers",
            "o",
            "answers",
            "answers",
            "Intact and ablated answers side by side",
            footer=True,
        ),
        Action("ablation.answer-next", "down,j", "answer(1)", "next answer", "The next answer"),
        Action("ablation.answer-previous", "up,k", "answer(-1)", "previous answer", "The answer before"),
        Action("ablation.stop", "delete", "stop", "stop", "Stop the one that runs; what is finished is kept"),
    )
    BINDINGS = bindings(ACTIONS)
    SIDE = "#ablation-form"
    HELP = (
        "Units are removed in order and the model replays its own answers: the curve is how far its next-token "
        "distribution moves, KL(intact ‖ ablated) in nats per token. A removed unit's output is zero, its mean over "
        "other prompts, another prompt's (resample), or its weights get noise. `single-units` removes each unit alone: "
        "its result is a second map beside the ranking's, and the score `divergence` on the map (m). `pairs` removes "
        "the strongest pairs together: what that costs beyond each unit alone is held against pairs of the same layers "
        "and costs. A targeted order means nothing alone: random sets and layer-matched sets, which take as many units "
        "from each layer, are its controls. p is one-sided and by rank, the place of the order's area among its "
        "control sets: synergy-first and marked sets upwards, redundancy-first downwards. Fewer than 20 sets give no "
        "verdict, unless they are drawn until it is decided (stop: decided)."
    )

    def compose(self) -> ComposeResult:
        with Horizontal():
            with Vertical(classes="pane", id="ablation-form"):
                yield FormFields(ASKED, {"prompts": "8", "answers": "yes"}, self.ink)
                yield Lines(id="form-help")
                yield Lines(id="ablation-cost")
            with Vertical(classes="pane", id="ablation-curves"):
                yield Plot(id="ablation-plot")
                yield Lines(id="ablation-legend")
                yield TwoMaps(self.explorer.ink, id="ablation-maps")
                yield Lines(id="ablation-answers")
        with Vertical(classes="pane", id="ablation-verdict"):
            yield Lines(id="verdict")

    def on_mount(self) -> None:
        self._timer: Timer | None = None
        self._place = 0
        self._shown: str | None = None
        self._curves: list[Curve] = []
        self._title = self._verdict = ""
        self._answers: list[dict[str, Any]] = []
        self._pairs: list[dict[str, Any]] = []
        self._mine: frozenset[str] = frozenset()
        self._noticed: list[tuple[str, str]] = []
        self._answer = 0
        self._busy = self._again = self._nothing = False
        self._planned: Plan[AblateSpec] | None = None
        self._reading = False
        self._mapped = False
        self._run: Run | None = None
        self.query_one("#ablation-answers").display = False
        self.can_focus = True
        self.head("#ablation-form", "Remove", "tab to the fields · arrows change them · F5 starts")

    def focus_main(self) -> None:
        self.focus()

    # The form

    def show(self) -> None:
        run = self.ready
        if run is None:
            words = self.empty()
            self.query_one("#verdict", Lines).show(telling.wrapped(words, self.size.width), self.ink)
            return
        if run is not self._run:
            same = self._run is not None and self._run.place == run.place
            self._run = run
            if not same:
                self._place = 0
        self.query_one(FormFields).wear(self.ink)
        orders = self.query_one(FormFields).line("orders")
        plain = ",".join(DEFAULT_ORDERS)
        if orders.value in (plain, MARKED):
            with self.prevent(Input.Changed):
                orders.value = MARKED if self.selection.marks else plain
        ranking = self.query_one(FormFields).line("ranking")
        if ranking.value == RANKINGS[0] and run.row.get("ranking"):
            with self.prevent(Input.Changed):
                ranking.value = str(run.row["ranking"])
        self._count()
        self._read()

    @on(Input.Changed)
    def _changed(self) -> None:
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(REST, self._count)

    def _count(self) -> None:
        run = self.run
        if run is not None and not run.unready:
            values, marks = self._values(), self.selection.marks
            self._ask(lambda: self._plan(run, values, marks), self._told)

    def _ask(self, ask: Callable[[], Any], then: Callable[[Any], None]) -> None:
        def work() -> None:
            try:
                found: Any = ask()
            except SynergyError as error:
                found = error
            self.app.call_from_thread(then, found)

        self.run_worker(work, thread=True, exclusive=True, group="ablation-plan")

    def on_form_fields_told(self, message: FormFields.Told) -> None:
        """Explains the field, or why a key did nothing."""
        self.query_one("#form-help", Lines).show(helped(message, self.query_one(FormFields), self.ink))

    def _values(self) -> dict[str, str]:
        return self.query_one(FormFields).texts()

    def _plan(self, run: Run, texts: dict[str, str], marks: frozenset[int]) -> Any:
        from synergy_tui.jobs import plan

        if run.place.sample:
            raise UsageError("the sample result cannot be ablated: it is read-only", "start a run of your own with n")
        # Units by place, because a name may have commas.
        units = ",".join(str(UnitName.of(one, run.per_layer)) for one in sorted(marks))
        marked = "marked" in [one.strip() for one in texts["orders"].split(",")]
        (asked,) = AblateRequest.read({**texts, "decomposition": run.place.id, "units": units if marked else ""})
        asked = asked.replace(prompts=min(asked.prompts, max(run.row["valid_prompts"], 1)))
        return plan.ablate(run.place.cache, self.explorer.settings.data, asked)

    def _told(self, found: Any) -> None:
        if not self.query("#ablation-cost"):  # the explorer is closing
            return
        lines = [Text()]
        if isinstance(found, SynergyError):
            self._planned = None
            lines += [Text(line.plain, self.ink.warm) for line in telling.wrapped(str(found), 40)]
        else:
            self._planned = found
            lines += [Text(f" {found.cost}", "bold"), *self._set()]
        self.query_one("#ablation-cost", Lines).show(lines, self.ink)
        self._show_would()

    def _set(self) -> list[Text]:
        """The marked set and its share per layer."""
        run, marks = self.run, self.selection.marks
        if run is None or not marks:
            return [Text(" nothing is marked: space, M in the map", self.ink.dim)]
        per_layer = np.bincount([unit // run.per_layer for unit in marks], minlength=run.layers)
        sizes = run.there.reshape(run.shape).sum(axis=1)
        full = int(((per_layer == sizes) & (sizes > 0)).sum())
        blocks = self.ink.shades if self.ink.ascii else " ▁▂▃▄▅▆▇█"
        shares = per_layer / np.maximum(sizes, 1)
        bars = "".join(blocks[round(float(one) * (len(blocks) - 1))] for one in shares)
        lines = [
            Text(f" {len(marks)} marked, {len(marks) / run.count:.1%}, by layer:"),
            Text(f" {bars[:60]}", self.ink.warm),
        ]
        return [*lines, Text(f" {full} whole layers: no matched control there", self.ink.warm)] if full else lines

    def action_start(self) -> None:
        """Starts the form's request."""
        run = self.ready
        if run is None:
            return
        values, marks = self._values(), self.selection.marks

        def then(found: Any) -> None:
            if isinstance(found, SynergyError):
                self.explorer.say(str(found), "error")
            else:
                start(self.explorer, [Link("ablation", found)])
                self.focus()

        self._ask(lambda: self._plan(run, values, marks), then)

    # The curves

    def noticed(self) -> None:
        jobs = self._jobs()
        if jobs != self._noticed or any(state not in ENDED for _, state in jobs):
            self._noticed = jobs
            self._read()

    def _job(self) -> str | None:
        """The known ablation of this run that is under way."""
        return next((one for one, state in self._jobs() if state not in ENDED and one in self._mine), None)

    def _jobs(self) -> list[tuple[str, str]]:
        """(id, state) of ablations, newest first."""
        seen = self.explorer.seen
        found = reversed(seen.jobs) if seen is not None else ()
        return [(str(one["id"]), str(one["state"])) for one in found if one["kind"] == "ablate"]

    def _read(self) -> None:
        run = self.ready
        if run is None:
            return
        if self._busy:
            self._again = True  # one look at a time: on a busy machine they come faster than they finish
            return
        self._busy, self._again = True, False
        jobs, place = self._jobs(), self._place

        def look() -> Result | Exception:
            try:
                return result(run, jobs, place)
            except Exception as error:  # reported below; the next look is allowed in any case
                return error

        self.explorer.in_thread("ablation", look, self._looked)

    def _looked(self, found: Result | Exception) -> None:
        self._busy = False
        if isinstance(found, Exception):
            self.explorer.say(told(found), "error")
        else:
            self._there(found)
        if self._again:
            self._read()

    def _there(self, found: Result) -> None:
        if self.run is None or found.run.place != self.run.place:
            return
        self._shown, self._curves, self._verdict, self._mine = found.shown, found.curves, found.verdict, found.mine
        self._answers, curves, verdict, title = found.answers, found.curves, found.verdict, found.title
        self._pairs = found.pairs
        below = "divergence, nats per token, by fraction removed" if curves else ""
        self._nothing = not found.shown
        self._title = title or "Nothing has been removed yet"
        self.head("#ablation-curves", self._title, below)
        self.query_one("#verdict", Lines).show(telling.wrapped(verdict, self.size.width - 4), self.ink)
        lines: list[Line] = []
        legend: list[Text] = []
        for place, curve in enumerate(curves):
            many = max(len(values) for values in curve.points.values()) > 1
            low, high = (curve.at(one)[1] if many else [] for one in drawn.BAND)
            line = drawn.line(curve.name, place, *curve.at(0.5), low, high)
            lines.append(line)
            sign = line_sign(line.letter, self.ink, line.thin)
            legend.append(Text.assemble((f"{sign} ", line_style(line.colour, self.ink)), curve.name))
        if any(line.band for line in lines):
            legend.append(Text("bands: 5–95 % of the seeds", self.ink.dim))
        width = self.query_one("#ablation-curves").content_size.width or self.size.width
        self.query_one("#ablation-legend", Lines).show(telling.flowing(legend, width), self.ink)
        self._show_would()
        names = ticks.even({share for curve in curves for share in curve.points})
        self.query_one(Plot).draw(lines, self.ink, names=names)
        self._show_maps(found)
        self._show_pairs()
        self._show_answer()

    def _show_would(self) -> None:
        """Before anything was removed: shows what would be measured."""
        if not self._nothing:
            return
        width = self.query_one("#ablation-curves").content_size.width or self.size.width
        would = would_measure(self._planned)
        words = [*would, WOULD_SHOW] if self.size.height < LOW else [WOULD_SHOW, *would]
        rows = self.query_one("#ablation-curves").content_size.height or self.size.height
        self.query_one("#ablation-legend", Lines).show(telling.paragraphs(words, width, rows), self.ink)

    def _show_pairs(self) -> None:
        """If only pairs were removed: shows what each costs beyond its units, the strongest interaction first."""
        if not self._pairs or self._curves:
            return
        pane = self.query_one("#ablation-curves").content_size
        rows = max((pane.height or self.size.height) // (3 if self._beside_maps() else 1), 4)
        lines = pair_lines(self._pairs, pane.width or self.size.width, rows)
        self.query_one("#ablation-legend", Lines).show([Text(one) for one in lines], self.ink)

    def _beside_maps(self) -> bool:
        """Whether maps fit beside the other panels."""
        low = self.size.height < LOW
        return self._mapped and not self._reading and not (low and bool(self._curves or self._pairs))

    def _show_maps(self, found: Result) -> None:
        """Shows the ranking beside the cost of each unit alone; in a low terminal curves come first."""
        maps, score = self.query_one(TwoMaps), found.run.scores.get(found.ranking)
        self._mapped = found.alone is not None and score is not None
        if found.alone is not None and score is not None:
            marks = self.selection.marks
            maps.show(found.run, score, made_score("divergence, each alone", found.alone), marks)
        self._lay_out()

    def _lay_out(self) -> None:
        self.query_one(TwoMaps).display = self._beside_maps()
        drawn = not self._reading and (bool(self._curves) or not self._mapped)
        self.query_one("#ablation-legend").display = drawn or (bool(self._pairs) and not self._reading)
        self.query_one(Plot).display = drawn and not self._nothing and (bool(self._curves) or not self._pairs)

    def on_resize(self) -> None:
        self._lay_out()
        self._show_would()
        self._show_pairs()

    def action_answers(self) -> None:
        """Switches between the curves and intact and ablated answers side by side."""
        self._reading = not self._reading
        self.query_one("#ablation-form").display = not self._reading
        self.query_one("#ablation-answers").display = self._reading
        self._lay_out()
        self.call_after_refresh(self._show_answer)

    def action_answer(self, step: int) -> None:
        """Another answer."""
        self._answer += step
        self._show_answer()

    def _show_answer(self) -> None:
        if not self._reading:
            return
        shown = self.query_one("#ablation-answers", Lines)
        if not self._answers:
            words = "No answers of an ablated subject are kept here: have `answers` among what is measured `also`."
            shown.show(telling.wrapped(words, shown.content_size.width or 60), self.ink)
            return
        self._answer %= len(self._answers)
        count = f"answer {self._answer + 1} of {len(self._answers)}  up, down · o: curves"
        self.head("#ablation-curves", self._title, count)
        width = shown.content_size.width or self.query_one("#ablation-curves").content_size.width
        shown.show(side_by_side(self._answers[self._answer], width, self.ink), self.ink)

    def action_other(self, step: int) -> None:
        """Another ablation of the run."""
        self._place += step
        self._read()

    def action_stop(self) -> None:
        """Stops the running ablation."""
        from synergy_tui.jobs import folder
        from synergy_tui.jobs.submit import cancel

        job = self._job()
        if job is None:
            self.explorer.say("No ablation is running.")
            return
        cache = self.explorer.settings.cache

        def then(_: Any) -> None:
            self.explorer.say(f"Stopped {job}. What it had stays here; F5 in the jobs (J) resumes it.")

        self.explorer.in_thread("jobs", lambda: cancel(folder.find(cache, job)), then)

    def sql(self) -> str:
        if self.run is None:
            return ""
        if self._pairs and not self._curves:
            return f"SELECT * FROM ablation_pairs WHERE ablation = '{self._shown}' ORDER BY interaction DESC"
        return (
            "SELECT removal_order, target, fraction, avg(divergence) AS divergence FROM ablation_curves JOIN ablations "
            f"USING (ablation) WHERE decomposition = '{self.run.place.id}' GROUP BY ALL ORDER BY ALL"
        )

    def value(self) -> str:
        return self._verdict

    def table(self) -> Table:
        if self._pairs and not self._curves:
            return list(self._pairs[0]), [tuple(one.values()) for one in self._pairs]
        rows: list[tuple[object, ...]] = []
        for curve in self._curves:
            for share, values in sorted(curve.points.items()):
                rows.append((curve.name, share, len(values), float(np.mean(values))))
        return ["order", "fraction", "seeds", "divergence"], rows

    def about(self) -> list[str]:
        return [self._verdict] if self._verdict else []
