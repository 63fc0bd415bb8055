"""Short forms that start a capture or a decomposition: a few fields with sane values, the cost before the start."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.timer import Timer
from textual.widgets import Input, Label

from synergy_tui.errors import SynergyError, UsageError
from synergy_tui.explorer.dialogs.base import Dialog
from synergy_tui.explorer.dialogs.choose import Choose
from synergy_tui.explorer.widgets.lines import Lines
from synergy_tui.terms import ESTIMATORS, NULLS, POOLS, PREPROCESSING, REDUNDANCIES

if TYPE_CHECKING:
    from synergy_tui.explorer.app import Explorer
    from synergy_tui.jobs.plan import Plan

REST = 0.4
"""Seconds after the last key before the cost is counted anew."""

Values = dict[str, str]


def choose_form(app: Explorer) -> None:
    """Asks what to start, then for what it needs."""
    if app.cache is None:
        app.say("The cache is not open.", "error")
        return
    lines = {"run": "capture and decompose   a subject answers, then ΦID of all pairs"}
    if app.shown is not None and app.shown.partial is None and not app.shown.place.sample:
        lines["decompose"] = "decompose again   this capture: nulls, other estimators, other lags"
    lines["difficulty"] = "difficulty   a ladder of tasks: does the map change, and how (d)"
    lines["ablate"] = "ablate   remove units of this run and see what changes (a)"

    def then(kind: str | None) -> None:
        if kind == "ablate":
            app.to_view("ablation")
        elif kind == "difficulty":
            from synergy_tui.explorer.dialogs.ladder import LadderForm

            app.push_screen(LadderForm())
        elif kind is not None:
            app.push_screen(CaptureForm() if kind == "run" else DecomposeForm())

    app.push_screen(Choose("Start", lines), then)


class Form(Dialog[None]):
    """Fields, the cost of what they say, and Start. `plans` may block and raises SynergyError."""

    TITLE_ = ""
    FIELDS: tuple[tuple[str, str, str], ...] = ()
    """(name, value, hint)"""

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as box:
            box.border_title = self.TITLE_
            box.border_subtitle = "tab next · enter start · escape close"
            for name, value, hint in self.FIELDS:
                with Horizontal(classes="field"):
                    yield Label(name)
                    yield Input(value, placeholder=hint, id=f"field-{name}", compact=True)
            yield Lines(id="form-cost")

    def on_mount(self) -> None:
        super().on_mount()
        for field in self.query(Input):
            field.cursor_blink = False
        self._timer: Timer | None = None
        self._count()

    def values(self) -> Values:
        """What the fields say."""
        return {name: self.query_one(f"#field-{name}", Input).value.strip() for name, _, _ in self.FIELDS}

    def plans(self, values: Values) -> list[Plan]:
        """What would be started, in order."""
        raise NotImplementedError

    @on(Input.Changed)
    def _changed(self) -> None:
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(REST, self._count)

    def _count(self) -> None:
        values = self.values()
        self.run_worker(lambda: self._ask(values, self._show), thread=True, exclusive=True, group="form")

    def _ask(self, values: Values, then: Callable[[list[Plan] | SynergyError], None]) -> None:
        try:
            found: list[Plan] | SynergyError = self.plans(values)
        except SynergyError as error:
            found = error
        self.app.call_from_thread(then, found)

    def _show(self, found: list[Plan] | SynergyError) -> None:
        lines = [Text(), _told(found, self.explorer.ink.warm)]
        self.query_one("#form-cost", Lines).show(lines, self.explorer.ink)

    @on(Input.Submitted)
    def _submit(self) -> None:
        values = self.values()
        self.run_worker(lambda: self._ask(values, self._start), thread=True, exclusive=True, group="form")

    def _start(self, found: list[Plan] | SynergyError) -> None:
        if isinstance(found, SynergyError):
            self._show(found)
            self.explorer.say(str(found), "error")
            return
        start(self.explorer, found)
        self.dismiss(None)


def start(app: Explorer, plans: list[Plan]) -> None:
    """Starts a chain of jobs; they outlive the explorer."""
    from synergy_tui.jobs.submit import submit

    def ask() -> list[str]:
        ids: list[str] = []
        for plan in plans:
            spec = plan.spec
            if ids:
                spec = spec | {"capture": ids[-1]}
            ids.append(submit(app.settings.cache, plan.kind, spec, ids[-1] if ids else None).id)
        return ids

    def then(ids: list[str]) -> None:
        app.say(f"Started {', '.join(ids)}. J shows how far it is; you can go on or leave.")
        app.look_soon()

    app.in_thread("submit", ask, then)


def _told(found: list[Plan] | SynergyError, warm: str) -> Text:
    if isinstance(found, SynergyError):
        return Text(str(found), warm)
    seconds = [plan.cost.seconds for plan in found]
    disk = sum(plan.cost.disk for plan in found)
    from synergy_tui.jobs.cost import Cost

    known = [one for one in seconds if one is not None]
    total = Cost(sum(known) if len(known) == len(seconds) else None, disk)
    return Text.assemble((f"{total}", "bold"), f"   {found[-1].units} units")


def whole(values: Values, name: str, default: int | None = None) -> int:
    """A field as a whole number above zero. Raises UsageError."""
    text = values[name]
    if not text and default is not None:
        return default
    if not text.isdigit() or int(text) < 1 or int(text) > 10**9:
        raise UsageError(f"{name} {text!r} is no whole number above 0", "give one")
    return int(text)


class CaptureForm(Form):
    """A subject, prompts and steps; the decomposition follows by itself."""

    TITLE_ = "Capture and decompose"
    FIELDS = (
        ("subject", "smollm2", "smollm2, a model folder, a .gguf file, owner/name of a hub model"),
        ("tasks", "cognitive", "cognitive, or a .txt, .csv or .jsonl file of prompts"),
        ("prompts", "30", "empty for all of them"),
        ("steps", "80", "most tokens of a response"),
        ("lag", "1", "steps between past and future"),
        ("surrogates", "0", "of the null; 200 tell coupling from memory"),
    )

    def plans(self, values: Values) -> list[Plan]:
        from synergy_tui.jobs import plan

        prompts = whole(values, "prompts") if values["prompts"] else None
        steps, lag = whole(values, "steps"), whole(values, "lag")
        if lag >= steps:
            raise UsageError(f"lag {lag} in responses of {steps} steps leaves no window", "use a smaller lag")
        captured = plan.capture(
            self.explorer.settings.data, values["subject"], tasks=values["tasks"], prompts=prompts, steps=steps
        )
        count = len(captured.spec["prompts"])
        surrogates = whole(values, "surrogates") if values["surrogates"] not in ("", "0") else 0
        return [captured, plan.decompose("", captured.units, count, lag=lag, surrogates=surrogates)]


class DecomposeForm(Form):
    """The capture in front, decomposed in another way."""

    TITLE_ = "Decompose this capture again"
    FIELDS = (
        ("surrogates", "200", "of each null, 0 for none"),
        ("nulls", "prompt-shuffle", f"of {', '.join(NULLS)}"),
        ("estimator", "gaussian", f"one of {', '.join(ESTIMATORS)}"),
        ("redundancy", "mmi", f"one of {', '.join(REDUNDANCIES)}"),
        ("lag", "1", "steps between past and future"),
        ("pool", "mean", f"one of {', '.join(POOLS)}"),
        ("preprocess", "raw", f"raw, or some of {', '.join(PREPROCESSING)}"),
    )

    def plans(self, values: Values) -> list[Plan]:
        from synergy_tui.jobs import plan

        run = self.explorer.shown
        if run is None:
            raise UsageError("no run is open", "open one first")
        surrogates = whole(values, "surrogates") if values["surrogates"] not in ("", "0") else 0
        nulls = [word.strip() for word in values["nulls"].split(",") if word.strip()] if surrogates else []
        chosen = {name: values[name] for name in ("estimator", "redundancy", "pool", "preprocess")}
        lag = whole(values, "lag")
        found = plan.decompose_finished(
            run.place.cache, run.row["capture"], lag=lag, surrogates=surrogates, nulls=nulls, **chosen
        )
        return [found]
