"""A whole prompt and its response, wrapped and scrollable."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import chop_cells
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.content import Content

from synergy_tui.drawing.tables import printable
from synergy_tui.explorer.dialogs.base import Dialog
from synergy_tui.explorer.widgets.lines import Lines


class Whole(Dialog[None]):
    """Texts under headings. New lines are kept; other control characters are shown, not sent."""

    def __init__(self, title: str, texts: Sequence[tuple[str, str]]) -> None:
        super().__init__()
        self._title_, self._texts = title, texts

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog whole") as box:
            box.border_title = Content(self.explorer.ink.plain(printable(self._title_)))
            box.border_subtitle = "up, down: scroll · escape closes"
            with VerticalScroll(classes="scroll", id="whole-scroll"):
                yield Lines(id="whole-lines")

    def begin(self) -> None:
        self.query_one("#whole-scroll").focus()
        self.call_after_refresh(self._fill)

    def on_resize(self) -> None:
        """Wraps words to the new width."""
        self.call_after_refresh(self._fill)

    def _fill(self) -> None:
        if not self.there or not self.query("#whole-lines"):
            return
        width = self.query_one("#whole-scroll").scrollable_content_region.width - 1
        lines = []
        for heading, text in self._texts:
            lines += [Text(heading, "bold"), *map(Text, wrapped(text, width)), Text()]
        self.query_one("#whole-lines", Lines).show(lines[:-1], self.explorer.ink)


def wrapped(text: str, width: int) -> list[str]:
    """A text in lines of `width` columns, broken at its own line ends, at blanks, and inside longer words. No character
    is lost except the blank at a line break."""
    out = []
    for line in text.replace("\r\n", "\n").split("\n"):
        rest = printable(line)
        while True:
            first = next(iter(chop_cells(rest, max(width, 2))), "")
            if first == rest:
                break
            at = len(first) if rest[len(first)] == " " else first.rfind(" ")
            at = at if first[: max(at, 0)].strip() else len(first)
            out.append(rest[:at])
            rest = rest[at:].removeprefix(" ")
        out.append(rest)
    return out
