"""Forms that start jobs: the fields of a request, the cost before the start."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.timer import Timer
from textual.widgets import Input

from synergy_tui.errors import SynergyError, UsageError
from synergy_tui.explorer.dialogs.base import Dialog
from synergy_tui.explorer.dialogs.choose import Choose
from synergy_tui.explorer.widgets.form import FormFields
from synergy_tui.explorer.widgets.lines import Lines
from synergy_tui.jobs.specs.fields import Field, fields

if TYPE_CHECKING:
    from textual.widget import Widget

    from synergy_tui.explorer.host import Host
    from synergy_tui.explorer.widgets.ink import Ink
    from synergy_tui.jobs.plan import Link
    from synergy_tui.store.cache import Cache

REST = 0.4
"""Seconds after the last key before the cost is computed again."""

Texts = Mapping[str, str]


@dataclass(frozen=True)
class Asking:
    """What a form asks for. links: makes the chain from its texts; it may block and raises SynergyError. one_by_one,
    join: see jobs.chain.start."""

    title: str
    fields: Sequence[Field]
    links: Callable[[Texts], Sequence[Link]]
    values: Texts = field(default_factory=dict)
    one_by_one: bool = False
    join: bool = False


def choose_form(app: Host) -> None:
    """Asks what to start, then opens its form."""
    if app.cache is None:
        app.say("The cache is not open.", "error")
        return
    lines = {"run": "capture and decompose   a subject answers, then ΦID of all pairs"}
    if app.shown is not None and not app.shown.unready and not app.shown.place.sample:
        lines["decompose"] = "decompose again   this capture: nulls, other estimators, other lags"
        lines["networks"] = "networks   of synergy and redundancy in this run, against surrogates"
        lines["scores"] = "scores   of heads by attention and gradients: does synergy predict removal better?"
        lines["claims"] = "claims   what this run says of the claims, and all that is needed for it"
    lines["difficulty"] = "difficulty   a ladder of tasks: does the map change, and how (d)"
    lines["ablate"] = "ablate   remove units of this run and see what changes (a)"

    def then(kind: str | None) -> None:
        if kind == "ablate":
            app.to_view("ablation")
        elif kind is not None:
            app.push_screen(Form(FORMS[kind](app)))

    app.push_screen(Choose("Start", lines), then)


class Form(Dialog[None]):
    """Fields, the cost of the request, and a start."""

    def __init__(self, asking: Asking) -> None:
        super().__init__()
        self._asking = asking
        self._timer: Timer | None = None

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as box:
            box.border_title = self._asking.title
            box.border_subtitle = "tab next · arrows change · enter start · escape close"
            yield FormFields(self._asking.fields, self._asking.values, self.explorer.ink)
            yield Lines(id="form-help")
            yield Lines(id="form-cost")

    def begin(self) -> None:
        self._count()

    def on_form_fields_told(self, message: FormFields.Told) -> None:
        """Explains the field, or why a key did nothing."""
        self.query_one("#form-help", Lines).show(helped(message, self.query_one(FormFields), self.explorer.ink))

    @on(Input.Changed)
    def _changed(self) -> None:
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(REST, self._count)

    def _count(self) -> None:
        if self.there:
            self._ask(self._show)

    @on(Input.Submitted)
    def _submit(self) -> None:
        self._ask(self._start)

    def _ask(self, then: Callable[[Sequence[Link] | SynergyError], None]) -> None:
        texts = self.query_one(FormFields).texts()

        def ask() -> Sequence[Link] | SynergyError:
            try:
                return self._asking.links(texts)
            except SynergyError as error:
                return error

        def answered(found: Sequence[Link] | SynergyError) -> None:
            if self.there:
                then(found)

        self.explorer.in_thread("form", ask, answered)

    def _show(self, found: Sequence[Link] | SynergyError) -> None:
        lines = [Text(), told(found, self.explorer.ink.warm)]
        self.query_one("#form-cost", Lines).show(lines, self.explorer.ink)

    def _start(self, found: Sequence[Link] | SynergyError) -> None:
        if isinstance(found, SynergyError):
            self._show(found)
            self.explorer.say(str(found), "error")
            return
        start(self.explorer, found, one_by_one=self._asking.one_by_one, join=self._asking.join)
        self.dismiss(None)


def helped(message: FormFields.Told, beside: Widget, ink: Ink) -> list[Text]:
    """A form's text on a field, in as many lines as it takes."""
    from synergy_tui.explorer.telling import wrapped

    lines = [Text(one.plain, ink.warm if message.wrong else "") for one in wrapped(message.text, beside.size.width)]
    return [Text(ink.plain(one.plain), one.style) for one in lines]


def start(app: Host, links: Sequence[Link], *, one_by_one: bool = False, join: bool = False) -> None:
    """Starts a chain of jobs; they outlive the explorer."""
    from synergy_tui.jobs import chain

    def ask() -> list[str]:
        cache = _cache(app)
        ids = chain.start(cache, links, one_by_one=one_by_one, join=join)
        return [job.id for job in chain.started(cache, links, ids)]

    def then(ids: list[str]) -> None:
        app.say(f"Started {', '.join(ids)}. J shows how far it is; you can go on or leave.")
        app.look_soon()

    app.in_thread("submit", ask, then)


def told(found: Sequence[Link] | SynergyError, warm: str) -> Text:
    """The cost of a chain, or why there is no chain."""
    if isinstance(found, SynergyError):
        return Text(str(found), warm)
    from synergy_tui.jobs.cost import Cost

    plans = [one.plan for one in found if one.found is None]
    known = [one.cost.seconds for one in plans if one.cost.seconds is not None]
    total = Cost(sum(known) if len(known) == len(plans) else None, sum(one.cost.disk for one in plans))
    units = max((one.units for one in plans), default=0)
    notes = "".join(f"   {note}" for note in dict.fromkeys(note for one in plans for note in one.notes))
    return Text.assemble((f"{total}", "bold"), f"   {units} units" if units else "", notes)


def _cache(app: Host) -> Cache:
    from synergy_tui.store.cache import Cache

    if not isinstance(app.cache, Cache):
        raise UsageError("an exported run stays as it is", "open a cache of your own")
    return app.cache


def _run(app: Host) -> Asking:
    from synergy_tui.jobs.specs import CaptureRequest, DecomposeRequest

    captured = fields(CaptureRequest)
    names = {one.name for one in captured}
    more = [one for one in fields(DecomposeRequest) if one.name not in names and not one.option.argument]

    def links(texts: Texts) -> Sequence[Link]:
        from synergy_tui.jobs import plan

        (asked,) = CaptureRequest.read({name: text for name, text in texts.items() if name in names})
        maps = DecomposeRequest.read({one.name: texts[one.name] for one in more})
        chains = [plan.with_maps(one, maps) for one in plan.captures(app.settings.data, asked, app.cache)]
        return [one for links in chains for one in links] if len(chains) == 1 else _in_one(chains)

    values = {"subject": "smollm2", "prompts": "30", "steps": "80"}
    return Asking("Capture and decompose", [*captured, *more], links, values)


def _in_one(chains: Sequence[Sequence[Link]]) -> list[Link]:
    """Several chains as one; each map still belongs to its own capture."""
    from dataclasses import replace

    out: list[Link] = []
    for links in chains:
        first = len(out)
        out += [replace(one, of=None if one.of is None else one.of + first) for one in links]
    return out


def _decompose(app: Host) -> Asking:
    from synergy_tui.jobs.specs import DecomposeRequest

    asked = [one for one in fields(DecomposeRequest) if not one.option.argument]

    def links(texts: Texts) -> Sequence[Link]:
        from synergy_tui.jobs import plan

        run = app.shown
        if run is None:
            raise UsageError("no run is open", "open one first")
        requests = DecomposeRequest.read({**texts, "capture": run.row["capture"]})
        return [plan.Link("map", plan.decompose_finished(run.place.cache, one)) for one in requests]

    return Asking("Decompose this capture again", asked, links, {"surrogates": "200"})


def _ladder(app: Host) -> Asking:
    from synergy_tui.jobs.specs import LadderRequest

    def links(texts: Texts) -> Sequence[Link]:
        from synergy_tui.jobs import plan

        (asked,) = LadderRequest.read(texts)
        climb = plan.difficulty(_cache(app), app.settings.data, asked)
        if climb.finished:
            raise UsageError(f"ladder {climb.finished} is just that and is finished", "choose it with . and ,")
        return climb.links

    return Asking("Difficulty: climb a ladder", fields(LadderRequest), links, {"subject": "smollm2"})


def _networks(app: Host) -> Asking:
    from synergy_tui.jobs.specs import NetworksRequest

    asked = [one for one in fields(NetworksRequest) if not one.option.argument]

    def links(texts: Texts) -> Sequence[Link]:
        from synergy_tui.jobs import plan

        run = app.shown
        if run is None:
            raise UsageError("no run is open", "open one first")
        (request,) = NetworksRequest.read({**texts, "decomposition": run.place.id})
        return [plan.Link("networks", plan.networks(run.place.cache, request))]

    return Asking("Networks of this run", asked, links)


def _scores(app: Host) -> Asking:
    from synergy_tui.jobs.specs import ScoresRequest

    asked = [one for one in fields(ScoresRequest) if not one.option.argument]

    def links(texts: Texts) -> Sequence[Link]:
        from synergy_tui.jobs import plan

        run = app.shown
        if run is None:
            raise UsageError("no run is open", "open one first")
        (request,) = ScoresRequest.read({**texts, "capture": run.row["capture"]})
        return [plan.Link("scores", plan.scores(run.place.cache, app.settings.data, request))]

    return Asking("Other scores of these heads", asked, links)


def _claims(app: Host) -> Asking:
    from synergy_tui.jobs.specs import ClaimsRequest

    asked = [one for one in fields(ClaimsRequest) if not one.option.argument]

    def links(texts: Texts) -> Sequence[Link]:
        from synergy_tui.jobs import plan

        run = app.shown
        if run is None:
            raise UsageError("no run is open", "open one first")
        (request,) = ClaimsRequest.read({**texts, "decomposition": run.place.id})
        return plan.claims(run.place.cache, app.settings.data, request).links

    return Asking("Judge the claims", asked, links, one_by_one=True, join=True)


FORMS: dict[str, Callable[[Host], Asking]] = {
    "run": _run,
    "decompose": _decompose,
    "networks": _networks,
    "scores": _scores,
    "claims": _claims,
    "difficulty": _ladder,
}
"""What can be started → its form."""
