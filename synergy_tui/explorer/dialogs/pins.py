"""Marked sets, saved under a name and applied to another run."""

from __future__ import annotations

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from synergy_tui.drawing.tables import printable
from synergy_tui.explorer import keys
from synergy_tui.explorer.dialogs.base import Dialog
from synergy_tui.explorer.state import State


class Pins(Dialog[list[str]]):
    """Answers the units (layer.unit) of a set to apply; saves a new set by itself. An empty name changes nothing."""

    BINDINGS = keys.bindings(
        (
            keys.Action("pins.let-go", "delete", "let_go", "let go", "Let the set under the cursor go", palette=False),
            keys.Action("pins.back", "ctrl+z", "bring_back", "back", "Bring the set let go last back", palette=False),
        )
    )

    def __init__(self, state: State, marked: list[str]) -> None:
        super().__init__()
        self._state, self._marked = state, marked
        self._gone: list[tuple[str, list[str]]] = []

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as box:
            box.border_title = "Marked sets"
            box.border_subtitle = "enter keeps or applies · tab to the sets · delete lets one go, ctrl+z brings it back"
            what = f"name for the {len(self._marked)} marked units" if self._marked else "nothing is marked"
            yield Input(placeholder=f"{what}; enter keeps them", disabled=not self._marked, compact=True)
            yield OptionList()

    def begin(self) -> None:
        self.query_one(Input).cursor_blink = False
        self._list()
        if not self._marked:
            self.query_one(OptionList).focus()

    def _list(self) -> None:
        listing = self.query_one(OptionList)
        listing.clear_options()
        options = [
            Option(
                Text(printable(f"{name}  {len(units)} units: {self._brief(name)}"), no_wrap=True, overflow="ellipsis")
            )
            for name, units in self._state.pins.items()
        ]
        listing.add_options(options or [Option("No set is kept yet.", disabled=True)])
        if options:
            listing.highlighted = 0

    def action_let_go(self) -> None:
        """Deletes the set under the cursor; it can be restored while the dialog is open."""
        place, names = self.query_one(OptionList).highlighted, list(self._state.pins)
        if place is not None and place < len(names):
            self._gone.append((names[place], self._state.pins.pop(names[place])))
            self._list()

    def action_bring_back(self) -> None:
        """Restores the set that was deleted last."""
        if self._gone:
            name, units = self._gone.pop()
            self._state.pins[name] = units
            self._list()

    def _brief(self, name: str) -> str:
        units = self._state.pins[name]
        return " ".join(units[:8]) + (" …" if len(units) > 8 else "")

    @on(Input.Submitted)
    def _keep(self, event: Input.Submitted) -> None:
        name = event.value.strip()[:60]
        if name:
            self._state.pins[name] = self._marked
            self.explorer.say(f"Kept {len(self._marked)} units as {name}. P in any run applies them.")
            self.dismiss(None)

    @on(OptionList.OptionSelected)
    def _apply(self, event: OptionList.OptionSelected) -> None:
        names = list(self._state.pins)
        if event.option_index < len(names):
            self.dismiss(self._state.pins[names[event.option_index]])
