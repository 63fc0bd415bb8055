"""The app's own actions. Bindings, the footer, the palette, the help and the keys in config.toml all come from actions;
a view's actions are in its own module."""

from __future__ import annotations

from collections.abc import Iterable

from synergy_tui.errors import UsageError
from synergy_tui.explorer import views
from synergy_tui.explorer.keys import DIALOG, QUESTION, TABLE, Action

OPENINGS = tuple(
    Action(f"view.{name}", one.key, f"view('{name}')", one.word, one.tooltip, footer=one.footer)
    for name, one in views.VIEWS.items()
)
"""The keys that bring views to the front."""

APP = (
    Action("help", "question_mark,f1", "help", "help", "What is under the cursor, and what to doubt", footer=True),
    *OPENINGS,
    Action("score.choose", "m", "choose_score", "measure", "What the map shows: atom, score or ranking"),
    Action("score.next", "r", "next_ranking(1)", "ranking", "The next ranking", footer=True),
    Action("score.previous", "R", "next_ranking(-1)", "ranking back", "The ranking before"),
    Action("null.mask", "f", "mask", "above null", "Show only what is above its null"),
    Action("prompt.previous", "left_square_bracket", "prompt(-1)", "prompt back", "The prompt before"),
    Action("prompt.next", "right_square_bracket", "prompt(1)", "prompt on", "The next prompt"),
    Action("marks.rule", "M", "mark_by_rule", "mark by rule", "Mark by a rule: top 25 % of rank in layers 10–20"),
    Action("marks.undo", "z", "undo", "undo marks", "Take back the last change of the marks"),
    Action("marks.clear", "X", "clear_marks", "clear marks", "Unmark everything"),
    Action("marks.pin", "P", "pins", "pin marks", "Keep the marked set under a name, or apply one kept before"),
    Action("run.new", "n", "new", "new", "Start a capture or a decomposition", footer=True),
    Action("run.find", "slash", "find", "find", "Find a run"),
    Action("copy", "y", "copy", "copy/save", "Copy or save a value, table, SQL, command or the view", footer=True),
    Action("back", "ctrl+o", "back", "back", "Back to the view, run and unit before"),
    Action("jump", "semicolon", "jump", "jump", "A letter on every panel: it takes the keys there"),
    Action("panel.zoom", "Z", "zoom", "zoom", "Give the panel with the keys all the room, or all panels theirs"),
    Action("panel.narrower", "less_than_sign", "width(-4)", "narrower", "The panel at the side narrower"),
    Action("panel.wider", "greater_than_sign", "width(4)", "wider", "The panel at the side wider"),
    Action("panel.runs", "f2", "panel('runs')", "runs", "Show or hide the runs"),
    Action("panel.profile", "f3", "panel('profile')", "profile", "Show or hide the layer profile"),
    Action("panel.unit", "f4", "panel('unit')", "unit panel", "Show or hide the panel of the unit"),
    Action("theme", "T", "theme", "theme", "The next theme: dark, light, the terminal's own colours"),
    Action("tour", "ctrl+t", "tour", "tour", "Five steps: what the map says, and why to doubt it"),
    Action("palette", "ctrl+p,colon", "command_palette", "palette", "Actions, views, runs and units", palette=False),
    Action("quit", "q", "quit", "quit", "Leave; jobs go on", footer=True),
)


def check_keys(keys: Iterable[str]) -> None:
    """Raises UsageError if config.toml gives a key to an id that no action has."""
    keys = list(keys)
    if not keys:
        return  # without keys to check, no view is loaded
    known = {one.id for one in (*APP, *TABLE, *DIALOG, *QUESTION, *views.every_action())}
    for one in keys:
        if one not in known:
            raise UsageError(
                f"config.toml gives a key to {one!r}, which is no action", "`?` in the explorer lists them"
            )
