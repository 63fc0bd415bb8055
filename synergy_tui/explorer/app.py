"""The app: header, runs, views, doubts, footer, and the actions of every view's keys."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rich.text import Text
from textual.app import App, ComposeResult, SystemCommand
from textual.containers import Horizontal
from textual.filter import Monochrome
from textual.markup import escape
from textual.screen import Screen
from textual.widgets import ContentSwitcher

from synergy_tui.errors import UsageError
from synergy_tui.explorer import actions, keys, panels
from synergy_tui.explorer import theme as themes
from synergy_tui.explorer.history import History, Stop
from synergy_tui.explorer.runs import RunsPanel
from synergy_tui.explorer.session import Session
from synergy_tui.explorer.views import VIEWS, view_class
from synergy_tui.explorer.views.atlas import AtlasView
from synergy_tui.explorer.views.base import View
from synergy_tui.explorer.widgets.ink import Ink
from synergy_tui.explorer.widgets.keybar import KeyBar
from synergy_tui.explorer.widgets.lines import Lines
from synergy_tui.settings import Settings

if TYPE_CHECKING:
    from textual.command import Provider
    from textual.theme import Theme
    from textual.widget import Widget

    from synergy_tui.explorer.keys import Action
    from synergy_tui.explorer.open import RunTree
    from synergy_tui.explorer.run import Place


def _shown(action: Action) -> str:
    return " ".join(keys.shown_key(one) for one in action.key.split(","))


def _places() -> type[Provider]:
    from synergy_tui.explorer.dialogs.palette import Places

    return Places


class Explorer(Session):
    """One cache, one selection, eleven views."""

    TITLE = "synergy-tui"
    CSS_PATH = "style.tcss"
    BINDINGS = keys.bindings(actions.APP)
    ENABLE_COMMAND_PALETTE = True
    COMMAND_PALETTE_BINDING = "ctrl+p"
    COMMANDS = App.COMMANDS | {_places}
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-normal"), (150, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-short"), (32, "-tall"), (44, "-high")]  # noqa: RUF012

    def __init__(self, settings: Settings, run: str | None = None) -> None:
        actions.check_keys(settings.keys)
        super().__init__(settings, run)
        self.animation_level = "none"
        self._history = History()
        theme = self._theme(settings.theme)
        if settings.colour == "none" and not self.no_color:
            # Textual does this for NO_COLOR; it has no other switch.
            self._filters.append(Monochrome())
        colourless = self.no_color or settings.colour == "none"
        self._system = None if colourless else self.console.color_system
        self.ink = Ink.of(self._system, settings.ascii, theme)
        self.set_keymap(settings.keys)

    def compose(self) -> ComposeResult:
        yield Lines(id="header")
        with Horizontal(id="body"):
            yield RunsPanel(id="runs")
            with ContentSwitcher(id="views", initial="atlas"):
                yield AtlasView(id="atlas")
        yield Lines(id="doubts")
        yield KeyBar(id="keys")

    def on_mount(self) -> None:
        self.screen.set_class(self.settings.ascii, "-ascii")
        self._head()
        self.view.focus_main()
        self.begin()

    # Notices from the session

    def redraw(self) -> None:
        if self.shown is not None and self.shown.place.id:
            self.runs_panel.point(self.shown.place)
        self._head()
        self._doubts()
        self._keys()
        self.view.show()

        if self.shown is not None and self.shown.place.sample and not self.state.toured and len(self.screen_stack) == 1:
            self.action_tour()

    def heard(self) -> None:
        self._head()
        self.view.noticed()

    def show_tree(self, runs: RunTree) -> None:
        self.runs_panel.show(runs)

    def ready(self) -> None:
        word = self.state.text("view")
        if word in VIEWS and word != "atlas":
            self.to_view(word)
        if self.settings.tmux and not self.state.hinted:
            self.state.hinted = True
            self.say("tmux delays escape and keeps the mouse: set -sg escape-time 10, set -g mouse on")
        if self.ink.system == "standard":
            told = "This terminal says it has 16 colours: TERM=xterm-256color or --color 256 shows the full scale."
            self.say(told, "warning")

    # The screen

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

        self.notify(
            self.ink.plain(printable(text)), severity=kind, markup=False, timeout=5 if kind == "information" else 8
        )

    def changed(self) -> None:
        """The selection changed: the view in front follows."""
        self.view.show()

    def _head(self) -> None:
        from synergy_tui.explorer import header

        home = keys.shown_key(self.settings.keys.get("view.atlas", "escape").split(",")[0])
        right = header.under_way(self.seen, self.ink)
        room = max(self.size.width - right.cell_len - 2, 0)
        left = header.crumbs(self.shown, self.behind, self.error, home, room, self.ink)
        self.query_one("#header", Lines).show([left.append(" ").append_text(right)], self.ink)

    def _doubts(self) -> None:
        from synergy_tui.drawing import doubts

        line, word = Text(" "), " doubts  "
        shown = self.shown
        if shown is not None and shown.partial is None:
            found = doubts.doubts(shown.confounds, shown.row.get("nulls") or (), shown.row.get("valid_prompts"))
            room = self.size.width - len(word) - 1
            told = doubts.line(found, room, lambda one: {"@click": f"app.doubt('{one.name}')"}, self.ink.levels)
            line = Text.assemble((word, "bold"), told)
        elif self.shown is not None:
            line = Text.assemble((word, "bold"), "still growing: no nulls, no intervals, no confounds yet")
        self.query_one("#doubts", Lines).show([line], self.ink)

    def _keys(self) -> None:
        if not self.query("#views"):  # the explorer is closing
            return
        own = [one for one in self.view.ACTIONS if one.footer]
        always = {one.id for one in actions.APP if one.id in ("help", "palette", "quit")}
        more = [one for one in actions.APP if one.footer and one.id not in always]
        taken = {key for one in self.view.ACTIONS for key in one.key.split(",")}
        more = [one for one in more if one.key not in taken and one.id != f"view.{self.view.id}"]
        typing = hasattr(self.focused, "cursor_blink")  # fields and editors; their classes need not be loaded
        for bar in self.query(KeyBar):
            bar.tell([*own, *more], self.settings.keys, self.ink, typing)

    def on_descendant_focus(self) -> None:
        """Letters are keys or typed text, depending on the focus."""
        self._keys()

    def on_descendant_blur(self) -> None:
        """The same."""
        self._keys()

    def on_resize(self) -> None:
        self.call_after_refresh(self._head)
        self.call_after_refresh(self._doubts)
        self.call_after_refresh(self._keys)

    # Actions of every view

    async def action_view(self, name: str) -> None:
        """Brings a view to the front; it is made at its first use."""
        switcher = self.query_one("#views", ContentSwitcher)
        if name == switcher.current == "atlas" and self.leave_made():
            return
        if name != switcher.current:
            self._leave()
        await self._front(name)

    async def _front(self, name: str) -> None:
        switcher = self.query_one("#views", ContentSwitcher)
        if not switcher.query(f"#{name}"):
            await switcher.mount(view_class(name)(id=name))
        switcher.current = name
        self.state.here["view"] = name
        self.view.show()
        self.view.focus_main()
        self._keys()

    def to_view(self, name: str) -> None:
        """The same, for callers that cannot await it."""
        self.call_next(self.action_view, name)

    # Back, and to places by name

    def _here(self) -> Stop:
        place = self.shown.place if self.shown is not None and self.shown.place.id else None
        return Stop(str(self.view.id), place, self.selection.unit, self.selection.score)

    def _leave(self) -> None:
        if self.shown is not None:
            self._history.leave(self._here())

    def places(self) -> list[tuple[str, Place]]:
        """Every run: its name and its place."""
        return self.runs_panel.places()

    def visit(self, place: Place) -> None:
        """Opens a run at the user's request and keeps the way back."""
        self._leave()
        self.open_run(place)

    def go_to(self, unit: int) -> None:
        """Puts the cursor on a unit and keeps the way back."""
        if self.shown is not None and self.shown.present([unit]):
            self._leave()
            self.selection.unit = unit
            self.changed()

    async def action_back(self) -> None:
        """Back to where the user was before."""
        stop = self._history.back(self._here())
        if stop is None:
            self.say("There is nothing to go back to.")
            return
        if self.behind is not None and self.behind.place == stop.place:
            self.leave_made()
        self.selection.unit = stop.unit
        if self.shown is not None and stop.score in self.shown.scores:
            self.selection.score = stop.score
        if stop.place is not None and (self.shown is None or self.shown.place != stop.place):
            self.open_run(stop.place)
        switcher = self.query_one("#views", ContentSwitcher)
        if switcher.current != stop.view:
            switcher.current = None  # so that going back is not itself recorded
            await self._front(stop.view)
        self.changed()

    def action_jump(self) -> None:
        """A letter on every panel."""
        from synergy_tui.explorer.dialogs.jump import Jump

        some = panels.that_take_keys([*self.query("#runs"), *self.view.query(".pane")])
        self.push_screen(Jump([(one, one.region.offset) for one in some]), self._jumped)

    def _jumped(self, panel: Widget | None) -> None:
        if panel is not None and (inner := panels.inner(panel)) is not None:
            inner.focus()

    def action_zoom(self) -> None:
        """Gives the focused panel all the room of the view, or gives all panels their own room again."""
        panels.zoom(self.view, self.focused)

    def action_width(self, columns: int) -> None:
        """Makes the side panel of the view wider or narrower."""
        if not panels.widen(self.view, columns):
            self.say("This view has no panel at its side.")

    def action_tour(self) -> None:
        """Five steps over the map."""
        from synergy_tui.explorer.dialogs.tour import Tour

        self.state.toured = True
        self.to_view("atlas")
        self.push_screen(Tour())

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
        if self.shown is not None and not self.shown.tested:
            self.say("No surrogates were drawn, so no unit is known to be above its null: decompose with n.", "error")
            return
        self.selection.masked = not self.selection.masked
        self.changed()

    def action_prompt(self, step: int) -> None:
        """The next prompt, round and round."""
        if self.shown is not None and self.shown.row["prompts"]:
            self.selection.prompt = (self.selection.prompt + step) % self.shown.row["prompts"]
            self.selection.step = 0
            self.changed()

    def action_undo(self) -> None:
        """Restores the previous marks."""
        if not self.selection.undo():
            self.say("There is nothing to undo.")
        self.changed()

    def action_clear_marks(self) -> None:
        """Clears the marks."""
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
        """Saves the marks under a name or applies saved ones."""
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
            with contextlib.suppress(UsageError):
                units.append(shown.naming.number(name))
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
        """Opens the dialog to copy or save."""
        from synergy_tui.explorer.dialogs.copy import Copy

        # Taken now, while the view is as the user sees it: the dialog must not be in its own picture.
        self.push_screen(Copy(self, self.view, self.export_screenshot(title="synergy-tui"), self.plain_screen()))

    def action_panel(self, name: str) -> None:
        """Shows or hides a panel, which is a drawer if there is little room."""
        if name == "profile":
            self.query_one(AtlasView).toggle_profile()
            return
        panel = self.query_one("#runs" if name == "runs" else "#unit-panel")
        drawer = self.screen.has_class("-narrow") or (name == "runs" and not self.screen.has_class("-wide"))
        panel.toggle_class("-open" if drawer else "-closed")
        if name == "runs" and panel.display and panel.has_class("-open"):
            self.runs_panel.focus_tree()
        elif not panel.display or not panel.has_class("-open"):
            self.view.focus_main()

    def action_press(self, key: str) -> None:
        """As if the key had been pressed."""
        self.simulate_key(key)

    def _theme(self, asked: str | None) -> Theme:
        """The requested theme, which must exist, or the last one, which may be gone."""
        self.theme_word = asked or self.state.theme or "dark"
        try:
            theme = themes.find(self.theme_word, self.settings.themes)
        except UsageError:
            if asked:
                raise
            self.theme_word, theme = "dark", themes.OWN["dark"]
        self.register_theme(theme)
        self.theme = theme.name
        return theme

    def action_theme(self) -> None:
        """The next of dark, light, the terminal's colours, and the requested theme."""
        words = list(dict.fromkeys(["dark", "light", "ansi", self.settings.theme or "dark", self.theme_word]))
        self.state.theme = words[(words.index(self.theme_word) + 1) % len(words)]
        self.ink = Ink.of(self._system, self.ink.ascii, self._theme(self.state.theme))
        self.redraw()

    def action_doubt(self, name: str) -> None:
        """What a doubt in the line means."""
        from synergy_tui.explorer.help import DOUBTS

        text = next((text for key, text in DOUBTS.items() if name.startswith(key)), "")
        if text:
            self.say(f"{name}: {text}")

    def action_help(self) -> None:
        """What is under the cursor, what the number means, what to doubt, and the keys."""
        from synergy_tui.explorer.dialogs.help import Help

        self.push_screen(Help(self.view, actions.APP))

    def action_command_palette(self) -> None:
        """Everything by name."""
        from synergy_tui.explorer.dialogs.palette import Palette

        if not isinstance(self.screen, Palette):
            self.push_screen(Palette())  # without the usual id: a closed one may not be gone yet

    def get_system_commands(self, screen: Screen[Any]) -> Any:
        """Every action by name: the app's and the front view's."""
        front = self.view
        every = [*((self, one) for one in actions.APP), *((front, one) for one in front.ACTIONS)]
        for target, one in every:
            if one.palette:
                yield SystemCommand(
                    f"{one.word} ({one.id})",
                    f"{one.tooltip} · {escape(_shown(one))}",
                    self._call(target, one.call),
                    True,
                )

    def _call(self, target: Any, call: str) -> Callable[[], Any]:
        """An action as the palette starts it: in the queue where keys start theirs."""
        return lambda: self.run_action(call, target)

    async def action_quit(self) -> None:
        """Leaves. Jobs are separate processes and go on."""
        self.leave(0)

    def plain_screen(self) -> str:
        """The screen as text."""
        return "\n".join(strip.text.rstrip() for strip in self.screen._compositor.render_strips())
