"""The type of the explorer's actions, and the actions of every table and dialog."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from textual.binding import Binding, BindingType


class Action(NamedTuple):
    """key: comma-separated. call: the method it calls, without action_. footer: whether the footer shows it. palette:
    whether it makes sense when not started by a key."""

    id: str
    key: str
    call: str
    word: str
    tooltip: str
    footer: bool = False
    palette: bool = True


MOVES = (
    ("up", "up,k", "move(-1,0)", "up", "One up"),
    ("down", "down,j", "move(1,0)", "down", "One down"),
    ("left", "left,h", "move(0,-1)", "left", "One to the left"),
    ("right", "right,l", "move(0,1)", "right", "One to the right"),
    ("page-up", "pageup", "move(-10,0)", "ten up", "Ten up"),
    ("page-down", "pagedown", "move(10,0)", "ten down", "Ten down"),
    ("start", "home", "move(0,-999999)", "first", "To the first of the row"),
    ("end", "end", "move(0,999999)", "last", "To the last of the row"),
    ("top", "g", "move(-999999,0)", "top", "To the top; gg as well"),
    ("bottom", "G", "move(999999,0)", "bottom", "To the bottom"),
)


def moves(where: str) -> tuple[Action, ...]:
    return tuple(
        Action(f"{where}.{name}", key, call, word, tooltip, palette=False) for name, key, call, word, tooltip in MOVES
    )


TABLE = tuple(
    Action(f"table.{name}", key, call, word, tooltip, palette=False)
    for name, key, call, word, tooltip in (
        ("up", "up,k", "move(-1)", "up", "One row up"),
        ("down", "down,j", "move(1)", "down", "One row down"),
        ("page-up", "pageup", "move(-20)", "page up", "Twenty rows up"),
        ("page-down", "pagedown", "move(20)", "page down", "Twenty rows down"),
        ("start", "home,g", "move(-1000000000)", "first", "The first row"),
        ("end", "end,G", "move(1000000000)", "last", "The last row"),
        ("left", "left,h", "column(-1)", "left", "The column to the left"),
        ("right", "right,l", "column(1)", "right", "The column to the right"),
        ("sort", "O", "sort", "sort", "Sort by this column, again for the other direction, again for none"),
    )
)

MEANINGS = {
    "enter": "opens what is under the cursor",
    "space": "marks or picks it",
    "o": "shows the other side of the same",
    "r": "the next measure: ranking or atom",
    "period": "the next result",
    "comma": "the one before",
    "f5": "starts what the view is about, or starts it again",
    "delete": "stops it",
}
"""Keys that several views share, and their meaning in all of them."""

DIALOG = (Action("dialog.close", "escape", "close", "close", "Close without doing anything", palette=False),)

QUESTION = (
    Action("question.yes", "y,enter", "answer(True)", "yes", "Yes, do it", palette=False),
    Action("question.no", "n", "answer(False)", "no", "No, leave all as it is", palette=False),
)


def bindings(actions: Iterable[Action]) -> list[BindingType]:
    """The bindings of actions."""
    return [Binding(one.key, one.call, one.word, show=one.footer, tooltip=one.tooltip, id=one.id) for one in actions]


def shown_key(key: str) -> str:
    """A key's common name."""
    names = {
        "left_square_bracket": "[",
        "right_square_bracket": "]",
        "question_mark": "?",
        "semicolon": ";",
        "less_than_sign": "<",
        "slash": "/",
        "colon": ":",
    }
    names |= {
        "greater_than_sign": ">",
        "plus": "+",
        "equals_sign": "=",
        "minus": "-",
        "period": ".",
        "comma": ",",
        "full_stop": ".",
    }
    return names.get(key, key.replace("ctrl+", "^"))
