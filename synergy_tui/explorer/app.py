"""The app: header, runs, views, doubts, footer; what is selected, what is running, what opens what."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import termios
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from rich.text import Text
from textual import work
from textual.app import App, ComposeResult, SystemCommand
from textual.containers import Horizontal
from textual.message import Message
from textual.screen import Screen
from textual.theme import Theme
from textual.widgets import ContentSwitcher, Footer

from synergy_tui.errors import SynergyError
from synergy_tui.explorer import actions
from synergy_tui.explorer.selection import Selection
from synergy_tui.explorer.state import State
from synergy_tui.explorer.views.atlas import AtlasView
from synergy_tui.explorer.views.base import View
from synergy_tui.explorer.widgets.ink import Ink
from synergy_tui.explorer.widgets.lines import Lines
from synergy_tui.explorer.widgets.runs import RunsPanel
from synergy_tui.settings import Settings
from synergy_tui.terms import RANKINGS

if TYPE_CHECKING:
    from synergy_tui.explorer.run import Place, Run
    from synergy_tui.explorer.watch import Seen, Watch
    from synergy_tui.store.cache import Cache

T = TypeVar("T")

VIEWS = ("atlas", "unit", "tokens", "pairs", "ablation", "jobs", "sql")

DARK = Theme(
    name="synergy-dark",
    primary="#5fafd7",
    secondary="#87d7ff",
    accent="#ffaf5f",
    warning="#ffd787",
    error="#ff8787",
    success="#87d7af",
    foreground="#d0d0d0",
    background="#121212",
    surface="#1c1c1c",
    panel="#262626",
    dark=True,
    variables={"footer-key-foreground": "#ffaf5f", "border": "#444444"},
)

LIGHT = Theme(
    name="synergy-light",
    primary="#005faf",
    secondary="#0087af",
    accent="#af5f00",
    warning="#875f00",
    error="#af0000",
    success="#005f00",
    foreground="#262626",
    background="#eeeeee",
    surface="#ffffff",
    panel="#dadada",
    dark=False,
    variables={"footer-key-foreground": "#af5f00", "border": "#b2b2b2"},
)


class Explorer(App[None]):
    """One cache, one selection, seven views. What blocks is done in threads, which answer with messages."""

    TITLE = "synergy-tui"
    CSS_PATH = "style.tcss"
    BINDINGS = actions.bindings("app")
    ENABLE_COMMAND_PALETTE = True
    COMMAND_PALETTE_BINDING = "ctrl+p"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-normal"), (150, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-short"), (32, "-tall")]  # noqa: RUF012

    class Loaded(Message):
        """A run is there, or why it is not."""

        def __init__(self, place: Place, run: Run | None, error: str = "", whole: bool = True) -> None:
            super().__init__()
            self.place, self.loaded, self.error, self.whole = place, run, error, whole

    class Noticed(Message):
        """Jobs, catalogue or devices changed."""

        def __init__(self, seen: Seen) -> None:
            super().__init__()
            self.seen = seen

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, Explorer.Noticed)

    def __init__(self, settings: Settings, run: str | None = None) -> None:
        super().__init__()
        actions.check_keys(settings.keys)
        self.settings = settings
        self.animation_level = "none"
        self.selection = Selection()
        self.state = State(settings.state, settings.cache)
        self.cache: Cache | None = None
        self.shown: Run | None = None
        self.error = ""
        self.seen: Seen | None = None
        self._asked = run
        self._watcher: Watch | None = None
        self._opening: Place | None = None
        self._catalogue = -1
        self.register_theme(DARK)
        self.register_theme(LIGHT)
        word = settings.theme or self.state.theme or "dark"
        self.theme = LIGHT.name if word == "light" else DARK.name
        colourless = self.no_color or settings.colour == "none"
        system = None if colourless else self.console.color_system
        self.ink = Ink(system, settings.ascii, word != "light")
        self._recall()
        self.set_keymap(settings.keys)

    def compose(self) -> ComposeResult:
        yield Lines(id="header")
        with Horizontal(id="body"):
            yield RunsPanel(id="runs")
            with ContentSwitcher(id="views", initial="atlas"):
                yield AtlasView(id="atlas")
        yield Lines(id="doubts")
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        self.screen.set_class(self.settings.ascii, "-ascii")
        loop = asyncio.get_running_loop()
        for number in (signal.SIGHUP, signal.SIGTERM):
            # Unhandled, they would leave the terminal in its alternate screen.
            with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
                loop.add_signal_handler(number, self._leave, 128 + number)
        self._head()
        self.view.focus_main()
        self.call_after_refresh(self._start)

    def _leave(self, code: int) -> None:
        self._remember()
        self.exit(return_code=code)

    def _start(self) -> None:
        self._open_cache()
        self.set_interval(5.0, self._keep)
        self.set_interval(2.0, self._terminal_there)

    def _terminal_there(self) -> None:
        """A terminal that is not the controlling one goes without a signal; reading from it would spin for ever."""
        if self.is_headless:
            return
        try:
            termios.tcgetattr(sys.__stdin__ or 0)
        except (termios.error, OSError, ValueError):
            self._leave(129)

    # What is open

    @work(thread=True, exclusive=True, group="cache")
    def _open_cache(self) -> None:
        """The cache, what is in it, and the run to begin with."""
        from synergy_tui.explorer import open as opening
        from synergy_tui.explorer.run import open_run

        try:
            cache, place = opening.first(self.settings, self._asked, self.state.text("run"))
        except SynergyError as error:
            self.call_from_thread(self._no_cache, str(error))
            return
        self.call_from_thread(self._cache_open, cache, place)
        if place is not None:
            try:
                self.post_message(self.Loaded(place, open_run(place)))
            except SynergyError as error:
                self.post_message(self.Loaded(place, None, str(error)))
        # The map first: the tree is not what people wait for.
        with contextlib.suppress(SynergyError):
            self.call_from_thread(self.runs_panel.show, opening.tree(cache))

    def _no_cache(self, error: str) -> None:
        self.error = error
        self._head()
        self.view.show()

    def _cache_open(self, cache: Cache, place: Place | None) -> None:
        from synergy_tui.explorer.watch import Watch

        self.cache, self._opening = cache, place
        self._watcher = Watch(cache.folder, self._notice)
        self._watcher.start()
        if place is None:
            self.view.show()
        word = self.state.text("view")
        if word in VIEWS and word != "atlas":
            self.to_view(word)
        if self.ink.system == "standard":
            self.say("This terminal says it has 16 colours: TERM=xterm-256color or --color 256 shows the full scale.")

    def open_run(self, place: Place, quietly: bool = False) -> None:
        """Loads a run and shows it when it is there; what is shown stays until then."""
        self._opening = place
        self._load(place, quietly)

    @work(thread=True, exclusive=True, group="run")
    def _load(self, place: Place, quietly: bool) -> None:
        from synergy_tui.explorer.run import open_run

        try:
            self.post_message(self.Loaded(place, open_run(place)))
        except SynergyError as error:
            self.post_message(self.Loaded(place, None, "" if quietly else str(error)))

    def on_explorer_loaded(self, message: Loaded) -> None:
        if message.place != self._opening:
            return
        if message.loaded is None:
            if message.error:
                self.error = message.error
                self.say(message.error, "error")
            if self.shown is not None and self.shown.place == message.place:
                self.shown = None  # it was deleted while it was looked at
        else:
            same = self.shown is not None and self.shown.place == message.place
            self.error, self.shown = "", message.loaded
            if not same:
                self.selection.enter(message.loaded.units)
            if self.selection.score not in message.loaded.scores:
                self.selection.score = next(iter(message.loaded.scores), RANKINGS[0])
            self.runs_panel.point(message.place)
        self._head()
        self._doubts()
        self.view.show()

    def _notice(self, seen: Seen) -> None:
        self.post_message(self.Noticed(seen))

    def on_explorer_noticed(self, message: Noticed) -> None:
        before, self.seen = self.seen, message.seen
        self._head()
        if before is not None:
            if before.catalogue != message.seen.catalogue or _states(before) != _states(message.seen):
                self.refresh_tree()
            self._tell_ended(before, message.seen)
        self.view.noticed()
        shown = self.shown
        if shown is not None and shown.place.job is not None:
            self.open_run(self._finished(shown.place), quietly=True)

    def _finished(self, place: Place) -> Place:
        """A job's place, or that of its result once it is done: of a capture, the decomposition that follows it."""
        from synergy_tui.explorer.run import Place
        from synergy_tui.jobs.folder import JobFolder

        jobs = {one["id"]: one for one in self.seen.jobs} if self.seen else {}
        status = jobs.get(place.id)
        if status is None or status["state"] != "done":
            return place
        if status["kind"] == "decompose":
            return Place(place.cache, place.id)
        then = next((one["id"] for one in jobs.values() if one.get("after") == place.id), None)
        return Place(place.cache, then, job=JobFolder(place.cache.jobs / then)) if then else place

    def _tell_ended(self, before: Seen, now: Seen) -> None:
        was = _states(before)
        for one in now.jobs:
            if one["state"] in ("done", "failed") and was.get(one["id"]) not in (None, one["state"]):
                failed = one["state"] == "failed"
                text = f"{one['kind']} {one['id']} {one['state']}" + (f": {one['error']}" if failed else "")
                self.say(text, "error" if failed else "information")

    @work(thread=True, exclusive=True, group="tree")
    def refresh_tree(self) -> None:
        """Reads what there is anew."""
        from synergy_tui.explorer import open as opening

        if self.cache is None:
            return
        with contextlib.suppress(SynergyError):  # a locked catalogue is read at the next change
            tree = opening.tree(self.cache)
            self.call_from_thread(self.runs_panel.show, tree)
            shown = self.shown
            if shown is not None and shown.place.job is None and shown.place.id not in tree.ids:
                self.call_from_thread(self._gone)

    def _gone(self) -> None:
        self.shown = None
        self.error = "This run was deleted. Choose another one at the left."
        self._head()
        self._doubts()
        self.view.show()

    def show_made(self, made: Run) -> None:
        """Shows something that is in no cache: the result of a query as a map."""
        self._opening = None
        self.shown = made
        self.selection.enter(made.units)
        self.selection.score = next(iter(made.scores))
        self._head()
        self._doubts()

    def in_thread(self, group: str, ask: Callable[[], T], then: Callable[[T], None]) -> None:
        """Asks something that may block, in a thread; a newer question of the same group wins. Errors are said."""

        def work_() -> None:
            try:
                found = ask()
            except SynergyError as error:
                self.call_from_thread(self.say, str(error), "error")
                return
            self.call_from_thread(then, found)

        self.run_worker(work_, thread=True, exclusive=True, group=group)

    # What is on the screen

    @property
    def view(self) -> View:
        """The view in front."""
        switcher = self.query_one("#views", ContentSwitcher)
        return switcher.query_one(f"#{switcher.current}", View)

    @property
    def runs_panel(self) -> RunsPanel:
        """The panel at the left."""
        return self.query_one(RunsPanel)

    def say(self, text: str, kind: Any = "information") -> None:
        """A message that goes away by itself."""
        from synergy_tui.drawing.tables import printable

        self.notify(self.ink.plain(printable(text)), severity=kind, markup=False, timeout=8 if kind == "error" else 5)

    def look_soon(self) -> None:
        """Something was started or stopped: looks at the jobs at once."""
        if self._watcher is not None:
            self._watcher.soon()

    def changed(self) -> None:
        """The selection changed: the view in front follows."""
        self.view.show()

    def _head(self) -> None:
        left = Text.assemble((" synergy-tui  ", "bold"))
        shown = self.shown
        if shown is not None:
            row = shown.row
            left.append("sample result ▸ " if shown.place.sample else "", self.ink.warm)
            method = f"{row['estimator']}·{row['redundancy']} τ{row['lag']}" if row["estimator"] else "capture"
            from synergy_tui.drawing.tables import printable

            left.append(printable(f"{row['name']} ▸ {row['tasks']} {row['prompts']}×{row['steps']} ▸ {method}"))
            if shown.partial is not None:
                left.append(f"  growing, {shown.partial:.0%} of units", self.ink.warm)
        elif self.error:
            left.append(self.error.splitlines()[0])
        right = self._under_way()
        room = self.size.width - right.cell_len - 1
        left.truncate(max(room - 1, 0), overflow="ellipsis", pad=True)
        self.query_one("#header", Lines).show([left.append(" ").append_text(right)], self.ink)

    def _under_way(self) -> Text:
        """The jobs under way and the GPUs, at a glance."""
        from synergy_tui.explorer.progress import brief

        seen = self.seen
        if seen is None:
            return Text()
        active = [one for one in seen.jobs if one["state"] in ("running", "queued")]
        text = Text()
        if active:
            running = [one for one in active if one["state"] == "running"] or active
            text.append(brief(running[0]), self.ink.warm)
            text.append(f"  +{len(active) - 1}" if len(active) > 1 else "")
        if seen.devices:
            text.append("  " if active else "").append(seen.devices)
        return text.append(" ")

    def _doubts(self) -> None:
        from synergy_tui.drawing.atlas import doubts

        line = Text(" ")
        if self.shown is not None and self.shown.partial is None:
            line = Text.assemble((" doubts  ", "bold"), doubts(self.shown.confounds))
        elif self.shown is not None:
            line = Text.assemble((" doubts  ", "bold"), "still growing: no nulls, no intervals, no confounds yet")
        self.query_one("#doubts", Lines).show([line], self.ink)

    def on_resize(self) -> None:
        self._head()

    # Actions of every view

    async def action_view(self, name: str) -> None:
        """Brings a view to the front; it is made when it is wanted first."""
        switcher = self.query_one("#views", ContentSwitcher)
        if not switcher.query(f"#{name}"):
            await switcher.mount(_view(name))
        switcher.current = name
        self.state.here["view"] = name
        self.view.show()
        self.view.focus_main()

    def to_view(self, name: str) -> None:
        """The same, for who cannot wait for it."""
        self.call_next(self.action_view, name)

    def action_next_ranking(self, step: int) -> None:
        """Goes through the rankings."""
        if self.shown is None:
            return
        names = [name for name, one in self.shown.scores.items() if one.kind == "ranking"] or list(self.shown.scores)
        if names:
            place = names.index(self.selection.score) + step if self.selection.score in names else 0
            self.choose(names[place % len(names)])

    def choose(self, score: str) -> None:
        """Shows another score."""
        self.selection.score = score
        self.changed()

    def action_choose_score(self) -> None:
        """A list of everything that the map can show."""
        if self.shown is None:
            return
        from synergy_tui.explorer.dialogs.choose import Choose
        from synergy_tui.explorer.help import MEANINGS

        names = {name: f"{name:<18} {MEANINGS.get(name, '')}" for name in self.shown.scores}
        self.push_screen(Choose("What the map shows", names, self.selection.score), self._chosen)

    def _chosen(self, score: str | None) -> None:
        if score:
            self.choose(score)

    def action_mask(self) -> None:
        """Shows only units above their null, or all again."""
        self.selection.masked = not self.selection.masked
        self.changed()

    def action_prompt(self, step: int) -> None:
        """The next prompt, round and round."""
        if self.shown is not None and self.shown.row["prompts"]:
            self.selection.prompt = (self.selection.prompt + step) % self.shown.row["prompts"]
            self.selection.step = 0
            self.changed()

    def action_undo(self) -> None:
        """Brings the marks back that were there before."""
        if not self.selection.undo():
            self.say("There is nothing to undo.")
        self.changed()

    def action_clear_marks(self) -> None:
        """No marks."""
        self.selection.mark(frozenset())
        self.changed()

    def action_mark_by_rule(self) -> None:
        """Asks for a rule."""
        if self.shown is None:
            return
        from synergy_tui.explorer.dialogs.rule import AskRule

        self.push_screen(AskRule(self.shown, self.state.text("rule") or ""), self._rule)

    def _rule(self, answer: tuple[str, frozenset[int]] | None) -> None:
        if answer is not None:
            self.state.here["rule"], marks = answer
            self.selection.mark(marks)
            self.changed()

    def action_pins(self) -> None:
        """Keeps the marks under a name or applies others."""
        if self.shown is None:
            return
        from synergy_tui.explorer.dialogs.pins import Pins

        names = [self.shown.name(unit) for unit in sorted(self.selection.marks)]
        self.push_screen(Pins(self.state, names), self._apply)

    def _apply(self, names: list[str] | None) -> None:
        shown = self.shown
        if names is None or shown is None:
            return
        units = []
        for name in names:
            layer, _, unit = name.partition(".")
            if layer.isdigit() and unit.isdigit() and int(layer) < shown.layers and int(unit) < shown.per_layer:
                units.append(int(layer) * shown.per_layer + int(unit))
        if len(units) < len(names):
            self.say(f"{len(names) - len(units)} of {len(names)} units do not exist in this run.", "warning")
        self.selection.mark(frozenset(units))
        self.changed()

    def action_new(self) -> None:
        """The forms that start work."""
        from synergy_tui.explorer.dialogs.new import choose_form

        choose_form(self)

    def action_find(self) -> None:
        """Into the search of the runs."""
        self.runs_panel.set_class(True, "-open")
        self.runs_panel.remove_class("-closed")
        self.runs_panel.search()

    def action_copy(self) -> None:
        """What can be copied or saved."""
        from synergy_tui.explorer.dialogs.copy import Copy

        self.push_screen(Copy(self))

    def action_panel(self, name: str) -> None:
        """Shows or hides a panel: a drawer where there is little room."""
        if name == "profile":
            self.query_one(AtlasView).toggle_profile()
            return
        panel = self.query_one("#runs" if name == "runs" else "#unit-panel")
        panel.toggle_class("-open" if self.screen.has_class("-narrow") else "-closed")
        if name == "runs" and panel.display and panel.has_class("-open"):
            self.runs_panel.focus_tree()
        elif not panel.display or not panel.has_class("-open"):
            self.view.focus_main()

    def action_theme(self) -> None:
        """Dark or light."""
        light = self.ink.dark
        self.theme = LIGHT.name if light else DARK.name
        self.state.theme = "light" if light else "dark"
        self.ink = Ink(self.ink.system, self.ink.ascii, not light)
        self.view.show()

    def action_help(self) -> None:
        """What is under the cursor, what the number means, what to doubt, and the keys."""
        from synergy_tui.explorer.dialogs.help import Help

        self.push_screen(Help(self))

    def get_system_commands(self, screen: Screen[Any]) -> Any:
        """Every action by name: the app's and those of the view in front."""
        front = self.view
        for one in actions.ALL:
            if one.palette and one.where in ("app", front.id):
                target = self if one.where == "app" else front
                yield SystemCommand(
                    f"{one.word} ({one.id})", f"{one.tooltip} [{one.key}]", self._call(target, one.call), True
                )

    def _call(self, target: Any, call: str) -> Callable[[], Any]:
        return lambda: self.run_worker(self.run_action(call, target), group="palette")

    # What is kept

    def _recall(self) -> None:
        here, selection = self.state, self.selection
        selection.unit, selection.prompt = here.number("unit"), here.number("prompt")
        selection.score = here.text("score") or selection.score
        selection.atom = here.text("atom") or selection.atom

    def _remember(self) -> None:
        selection = self.selection
        self.state.here |= {
            "unit": selection.unit,
            "prompt": selection.prompt,
            "score": selection.score,
            "atom": selection.atom,
        }
        if self.shown is not None and self.shown.place.job is None and not self.shown.place.sample:
            self.state.here["run"] = self.shown.place.id
        self.state.save()

    def _keep(self) -> None:
        self.run_worker(self._remember, thread=True, exclusive=True, group="state")

    async def action_quit(self) -> None:
        """Leaves. Jobs are processes of their own and go on."""
        self._leave(0)

    def on_unmount(self) -> None:
        if self._watcher is not None:
            self._watcher.stop()

    def plain_screen(self) -> str:
        """The screen as text."""
        return "\n".join(strip.text.rstrip() for strip in self.screen._compositor.render_strips())

    def save(self, path: Path, content: str) -> None:
        """Writes a file the user named, and says where it is; an old one is never replaced."""

        def write() -> Path:
            with open(path, "x", encoding="utf-8") as file:
                file.write(content)
            return path.resolve()

        def ask() -> Path:
            try:
                return write()
            except FileExistsError:
                raise SynergyError(f"{path} is there already", "give another name") from None
            except OSError as error:
                raise SynergyError(f"{path} cannot be written: {error.strerror}", "give another name") from None

        self.in_thread("save", ask, lambda where: self.say(f"Saved {where}"))


def _states(seen: Seen) -> dict[str, str]:
    return {one["id"]: one["state"] for one in seen.jobs}


def _view(name: str) -> View:
    """A view by its name; what it imports is loaded now."""
    from importlib import import_module

    module = import_module(f"synergy_tui.explorer.views.{name}")
    return getattr(module, "SQLView" if name == "sql" else f"{name.capitalize()}View")(id=name)
