"""The page behind `?`: what is under the cursor, what the view shows, what to doubt, and every key."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll

from synergy_tui.drawing import scale
from synergy_tui.drawing.tables import printable
from synergy_tui.explorer import keys
from synergy_tui.explorer.dialogs.base import Dialog
from synergy_tui.explorer.help import DOUBTS
from synergy_tui.explorer.widgets.lines import Lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synergy_tui.explorer.host import Front
    from synergy_tui.explorer.keys import Action

WIDTH = 66


class Help(Dialog[None]):
    """One page that scrolls."""

    def __init__(self, view: Front, everywhere: Sequence[Action]) -> None:
        """everywhere: the actions of all views."""
        super().__init__()
        self._view, self._everywhere = view, everywhere

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as box:
            box.border_title = "Help"
            box.border_subtitle = "escape closes"
            with VerticalScroll(classes="scroll", id="help-scroll"):
                yield Lines(id="help-lines")

    def begin(self) -> None:
        self.query_one("#help-lines", Lines).show(self._lines(), self.explorer.ink)
        self.query_one("#help-scroll").focus()

    def _lines(self) -> list[Text]:
        app, view = self.explorer, self._view
        lines: list[Text] = []

        def say(title: str, sentences: list[str]) -> None:
            if sentences:
                lines.append(Text(title, "bold"))
                for sentence in sentences:
                    lines.extend(Text(f"  {line}") for line in textwrap.wrap(printable(sentence), WIDTH))
                lines.append(Text())

        say("Under the cursor", view.about())
        say("This view", [view.HELP])
        confounds = app.shown.confounds if app.shown else {}
        doubts = [text for name, text in DOUBTS.items() if any(key.startswith(name) for key in confounds)]
        if app.shown is not None:
            values = ", ".join(f"{name} {_told(value)}" for name, value in confounds.items() if value is not None)
            doubts = [f"{values}.", f"Excess is against {app.shown.null}.", *doubts]
        say("The doubts line", doubts)
        lines.append(Text("Colours", "bold"))
        for diverging, words in ((True, "redundant … synergistic, or below … above zero"), (False, "little … much")):
            line = Text("  ").append_text(scale.strip(22, app.ink.colours(diverging), app.ink.shades))
            lines.append(line.append(f"  {words}"))
        lines.append(Text(f"  {app.ink.nothing} no value   {app.ink.masked} not above its null   {app.ink.dot} marked"))
        lines.append(Text())
        sections = ((view.ACTIONS, "Keys of this view"), (keys.TABLE, "Keys in tables"))
        for some, title in (*sections, (self._everywhere, "Keys everywhere")):
            lines.append(Text(title, "bold"))
            for one in some:
                key = app.settings.keys.get(one.id, one.key)
                names = " ".join(keys.shown_key(part) for part in key.split(","))
                lines.append(Text.assemble(f"  {names:<12}", one.tooltip, (f"  {one.id}", app.ink.dim)))
            lines.append(Text())
        same = ", ".join(f"{keys.shown_key(key)} {what}" for key, what in keys.MEANINGS.items())
        say("Keys that mean the same in every view", [f"{same}."])
        say("Other keys", ['config.toml: [keys] with lines such as  "view.sql" = "S"  gives an action another key.'])
        return lines


def _told(value: float) -> str:
    """A correlation or a share with its sign, a count without decimals."""
    return f"{value:.0f}" if value == round(value) and abs(value) > 1 else f"{value:+.2f}"
