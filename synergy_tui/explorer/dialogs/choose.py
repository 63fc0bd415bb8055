"""A list to choose one item from, filtered by typing."""

from __future__ import annotations

from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from synergy_tui.drawing.tables import printable
from synergy_tui.explorer.dialogs.base import Dialog


class Choose(Dialog[str]):
    """Answers the key of the chosen line."""

    def __init__(self, title: str, lines: dict[str, str], chosen: str | None = None) -> None:
        super().__init__()
        self._title_, self._lines, self._chosen = title, lines, chosen

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as box:
            box.border_title = self._title_
            yield Input(placeholder="type to narrow, enter to choose", compact=True)
            yield OptionList()

    def begin(self) -> None:
        self.query_one(Input).cursor_blink = False
        self._fill("")

    def _fill(self, typed: str) -> None:
        words = typed.lower().split()
        shown = [key for key, line in self._lines.items() if all(word in f"{key} {line}".lower() for word in words)]
        listing = self.query_one(OptionList)
        listing.clear_options()
        plain = self.explorer.ink.plain
        listing.add_options(
            Option(Text(plain(printable(self._lines[key])), no_wrap=True, overflow="ellipsis")) for key in shown
        )
        self._shown = shown
        if shown:
            listing.highlighted = shown.index(self._chosen) if self._chosen in shown else 0

    @on(Input.Changed)
    def _narrow(self, event: Input.Changed) -> None:
        self._fill(event.value)

    def on_key(self, event: events.Key) -> None:
        """Arrows move in the list while the field has the focus."""
        listing = self.query_one(OptionList)
        if event.key in ("down", "up") and self.query_one(Input).has_focus:
            event.stop()
            if event.key == "down":
                listing.action_cursor_down()
            else:
                listing.action_cursor_up()

    @on(Input.Submitted)
    def _enter(self) -> None:
        place = self.query_one(OptionList).highlighted
        if place is not None and self._shown:
            self.dismiss(self._shown[place])

    @on(OptionList.OptionSelected)
    def _picked(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._shown[event.option_index])
