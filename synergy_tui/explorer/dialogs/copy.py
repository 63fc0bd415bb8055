"""Copies or saves the screen's content: the value, the table, the commands that remake it, the view itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from synergy_tui.drawing.tables import printable
from synergy_tui.errors import UsageError
from synergy_tui.explorer import remake
from synergy_tui.explorer.dialogs.base import Dialog
from synergy_tui.explorer.widgets.lines import Lines
from synergy_tui.settings import user_path

if TYPE_CHECKING:
    from synergy_tui.explorer.host import Front, Host

MOST_COPIED = 60_000
"""Most characters that terminals accept for the clipboard."""


class Copy(Dialog[None]):
    """Enter copies text; for a file it asks for the name."""

    def __init__(self, host: Host, view: Front, svg: str, text: str) -> None:
        """`view`: the view in front; `svg`, `text`: its picture as the user sees it."""
        super().__init__()
        query = view.sql()
        self._texts = {
            "value": view.value(),
            "command": remake.command(host, view),
            "SQL": query,
            "Python": remake.python(host, query),
        }
        names, rows = view.table()
        self._table = remake.csv(names, rows) if names else ""
        self._files: dict[str, str | bytes] = {"csv": self._table, "parquet": remake.parquet(names, rows)}
        self._files |= {"svg": svg, "txt": text}
        self._names = {ending: remake.file_name(host, view, ending) for ending in self._files}
        self._ending = ""

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as box:
            box.border_title = "Copy or save"
            self._choices = [("copy", name) for name, text in self._texts.items() if text]
            if self._table and len(self._table) <= MOST_COPIED:
                self._choices.append(("copy", "table"))
            self._choices += [("save", ending) for ending, content in self._files.items() if content]
            yield OptionList(*(Option(self._line(*one)) for one in self._choices))
            yield Input(id="file", compact=True)
            yield Lines(id="copy-note")

    def begin(self) -> None:
        field = self.query_one(Input)
        field.display = False
        field.cursor_blink = False
        note = "Copying asks the terminal (OSC 52). In tmux: set -g set-clipboard on. Or save a file."
        self.query_one(Lines).show([Text(note, self.explorer.ink.dim)])
        self.query_one(OptionList).focus()

    def _line(self, what: str, name: str) -> Text:
        if what == "save":
            words = {"csv": "the table as CSV", "parquet": "the table as Parquet"}
            words |= {"svg": "the view as SVG, in colour", "txt": "the view as text"}
            return Text(f"save  {words[name]}")
        shown = self._texts.get(name, "the whole table as CSV").replace("\n", " ")
        return Text(f"copy  {name:<8} {printable(shown)}", no_wrap=True, overflow="ellipsis")

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        what, name = self._choices[event.option_index]
        if what == "copy":
            text = self._table if name == "table" else self._texts[name]
            self.explorer.copy_to_clipboard(text)
            self.explorer.say(f"The {name} was sent to the terminal.")
            self.dismiss(None)
            return
        self._ending = name
        field = self.query_one(Input)
        field.value, field.display = str(self._names[name]), True
        field.focus()

    @on(Input.Submitted)
    def _save(self, event: Input.Submitted) -> None:
        try:
            path: Path = user_path(event.value.strip() or self._names[self._ending])
        except UsageError as error:
            self.explorer.say(str(error), "error")
            return
        self.explorer.save(path, self._files[self._ending])
        self.dismiss(None)
