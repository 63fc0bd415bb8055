"""The last line: keys of the view in front at the left, always the same three at the right."""

from __future__ import annotations

from collections.abc import Iterable

from rich.style import Style
from rich.text import Text

from synergy_tui.explorer.keys import Action, shown_key
from synergy_tui.explorer.widgets.ink import Ink
from synergy_tui.explorer.widgets.lines import Lines

ALWAYS = (("question_mark", "?", "help"), ("ctrl+p", "^p", "all"), ("q", "q", "quit"))
TYPING = (("f1", "f1", "help"), ("ctrl+p", "^p", "all"), ("ctrl+q", "^q", "quit"))
"""The same three, for when letters are typed."""


class KeyBar(Lines):
    """`tell` gives it actions, the most useful first; those that fit are shown whole. A click presses the key."""

    def tell(self, actions: Iterable[Action], keys: dict[str, str], ink: Ink, typing: bool = False) -> None:
        """Shows the keys. keys: the user's own, by the id of the action. typing: letters are text, not keys."""
        accent = ink.accent
        right = Text()
        for key, shown, word in TYPING if typing else ALWAYS:
            right.append_text(_key(key, shown, word, accent))
        room = self.size.width - right.cell_len
        left = Text()
        for one in actions:
            key = keys.get(one.id, one.key).split(",")[0]
            if typing and not _works_while_typing(key):
                continue
            part = _key(key, ink.plain(_SIGNS.get(key, shown_key(key))), one.word, accent)
            if left.cell_len + part.cell_len > room:
                break
            left.append_text(part)
        left.append(" " * max(room - left.cell_len, 0))
        self.show([left.append_text(right)], ink)


def _works_while_typing(key: str) -> bool:
    return key.startswith("ctrl+") or key == "escape" or (key[0] == "f" and key[1:].isdigit())


_SIGNS = {"enter": "⏎", "escape": "esc"}


def _key(key: str, shown: str, word: str, accent: Style) -> Text:
    part = Text.assemble(" ", (shown, accent), f" {word} ")
    part.apply_meta({"@click": f"app.press('{key}')"})
    return part
