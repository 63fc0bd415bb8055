"""Jump mode: a letter on every panel; typing it moves the focus there."""

from __future__ import annotations

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.geometry import Offset
from textual.widget import Widget
from textual.widgets import Static

from synergy_tui.explorer.dialogs.base import Dialog

LETTERS = "asdfghjkl"


class Jump(Dialog[Widget]):
    """Answers the panel whose letter was pressed. places: panels and where they are on the screen."""

    def __init__(self, places: list[tuple[Widget, Offset]]) -> None:
        super().__init__()
        self._places = dict(zip(LETTERS, places, strict=False))

    def compose(self) -> ComposeResult:
        style = self.explorer.ink.cursor
        for letter, (_, offset) in self._places.items():
            label = Static(Text(f" {letter} ", style), classes="jump")
            label.styles.offset = (offset.x, offset.y)
            yield label

    def on_key(self, event: events.Key) -> None:
        """A letter chooses, any other key closes."""
        event.stop()
        found = self._places.get(event.character or "")
        self.dismiss(found[0] if found else None)
