"""A yes-or-no question."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical

from synergy_tui.drawing.tables import printable
from synergy_tui.explorer import keys, telling
from synergy_tui.explorer.dialogs.base import Dialog
from synergy_tui.explorer.widgets.lines import Lines

if TYPE_CHECKING:
    from synergy_tui.explorer.host import Host

WIDTH = 70
"""Columns of a line."""


class Ask(Dialog[bool]):
    """Answers yes or no; escape is no."""

    BINDINGS = keys.bindings(keys.QUESTION)

    def __init__(self, question: str, lines: Sequence[str] = ()) -> None:
        """lines: text to read before the answer."""
        super().__init__()
        self._question, self._told = question, lines

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as box:
            box.border_title = printable(self._question)
            box.border_subtitle = "y yes · n no"
            yield Lines(id="question")

    def begin(self) -> None:
        box = self.query_one(".dialog")
        box.border_title, box.border_subtitle = (
            self.explorer.ink.plain(str(one)) for one in (box.border_title, box.border_subtitle)
        )
        width = min(self.app.size.width - 6, WIDTH)
        lines = [line for one in self._told for line in (telling.wrapped(printable(one), width) if one else [Text()])]
        self.query_one(Lines).show(lines, self.explorer.ink)

    def action_answer(self, answer: bool) -> None:
        """Closes with the answer."""
        self.dismiss(answer)


def ask(app: Host, question: str, lines: Sequence[str], then: Callable[[], None]) -> None:
    """Asks, and calls `then` if the answer is yes."""
    app.push_screen(Ask(question, lines), lambda answer: then() if answer else None)
