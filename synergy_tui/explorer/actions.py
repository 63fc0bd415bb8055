"""Every action of the explorer: its id, key, word and tooltip. Bindings, the footer, the palette, the help and the keys
in config.toml all come from this table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from textual.binding import Binding, BindingType

from synergy_tui.errors import UsageError


class Action(NamedTuple):
    """where: `app`, or the view it belongs to. key: comma-separated. call: the method it calls, action_… left out.
    footer: whether the footer has room for it. palette: whether it makes sense without the key's immediacy."""

    where: str
    id: str
    key: str
    call: str
    word: str
    tooltip: str
    footer: bool = False
    palette: bool = True


APP = (
    Action(
        "app", "help", "question_mark,f1", "help", "help", "What is under the cursor, and what to doubt", footer=True
    ),
    Action("app", "view.atlas", "escape,g", "view('atlas')", "map", "The layer × unit map", footer=True),
    Action("app", "view.unit", "u", "view('unit')", "unit", "The unit under the cursor: scores, ranks, partners"),
    Action("app", "view.tokens", "t", "view('tokens')", "tokens", "A response, token by token", footer=True),
    Action("app", "view.pairs", "p", "view('pairs')", "pairs", "The unit × unit matrix of an atom", footer=True),
    Action("app", "view.ablation", "a", "view('ablation')", "ablate", "Remove units and see what changes", footer=True),
    Action("app", "view.difficulty", "d", "view('difficulty')", "difficulty", "Change with difficulty?", footer=True),
    Action("app", "view.claims", "c", "view('claims')", "claims", "What this run says about six claims", footer=True),
    Action("app", "view.compare", "b", "view('compare')", "beside", "This run beside another, or its categories"),
    Action("app", "view.jobs", "J", "view('jobs')", "jobs", "What runs and what has run", footer=True),
    Action("app", "view.sql", "s", "view('sql')", "SQL", "Ask the cache", footer=True),
    Action("app", "score.choose", "m", "choose_score", "measure", "What the map shows: atom, score or ranking"),
    Action("app", "score.next", "r", "next_ranking(1)", "ranking", "The next ranking", footer=True),
    Action("app", "score.previous", "R", "next_ranking(-1)", "ranking back", "The ranking before"),
    Action("app", "null.mask", "f", "mask", "above null", "Show only what is above its null"),
    Action("app", "prompt.previous", "left_square_bracket", "prompt(-1)", "prompt back", "The prompt before"),
    Action("app", "prompt.next", "right_square_bracket", "prompt(1)", "prompt on", "The next prompt"),
    Action(
        "app", "marks.rule", "M", "mark_by_rule", "mark by rule", "Mark by a rule: top 25 % of rank in layers 10–20"
    ),
    Action("app", "marks.undo", "z", "undo", "undo marks", "Take back the last change of the marks"),
    Action("app", "marks.clear", "X", "clear_marks", "clear marks", "Unmark everything"),
    Action("app", "marks.pin", "P", "pins", "pin marks", "Keep the marked set under a name, or apply one kept before"),
    Action("app", "run.new", "n", "new", "new", "Start a capture or a decomposition", footer=True),
    Action("app", "run.find", "slash", "find", "find", "Find a run"),
    Action(
        "app", "copy", "y", "copy", "copy/save", "Copy or save a value, table, SQL, command or the view", footer=True
    ),
    Action("app", "panel.runs", "f2", "panel('runs')", "runs", "Show or hide the runs"),
    Action("app", "panel.profile", "f3", "panel('profile')", "profile", "Show or hide the layer profile"),
    Action("app", "panel.unit", "f4", "panel('unit')", "unit panel", "Show or hide the panel of the unit"),
    Action("app", "theme", "T", "theme", "dark/light", "Change between the dark and the light theme"),
    Action("app", "palette", "ctrl+p,colon", "command_palette", "palette", "Everything by name", palette=False),
    Action("app", "quit", "q", "quit", "quit", "Leave; jobs go on", footer=True),
)

MOVES = (
    ("up", "up,k", "move(-1,0)", "up", "One up"),
    ("down", "down,j", "move(1,0)", "down", "One down"),
    ("left", "left,h", "move(0,-1)", "left", "One to the left"),
    ("right", "right,l", "move(0,1)", "right", "One to the right"),
    ("page-up", "pageup", "move(-10,0)", "ten up", "Ten up"),
    ("page-down", "pagedown", "move(10,0)", "ten down", "Ten down"),
    ("start", "home", "move(0,-999999)", "first", "To the first of the row"),
    ("end", "end", "move(0,999999)", "last", "To the last of the row"),
)


def _moves(where: str) -> tuple[Action, ...]:
    return tuple(
        Action(where, f"{where}.{name}", key, call, word, tooltip, palette=False)
        for name, key, call, word, tooltip in MOVES
    )


ATLAS = (
    *_moves("atlas"),
    Action("atlas", "atlas.open", "enter", "open_unit", "unit", "Open the unit under the cursor", footer=True),
    Action("atlas", "marks.unit", "space", "mark('unit')", "mark", "Mark or unmark the unit", footer=True),
    Action("atlas", "marks.layer", "x", "mark('layer')", "mark layer", "Mark or unmark the layer"),
    Action("atlas", "marks.column", "C", "mark('column')", "mark column", "Mark or unmark this unit of every layer"),
    Action("atlas", "marks.rectangle", "v", "mark('rectangle')", "rectangle", "Begin a rectangle; again: mark it"),
)

UNIT = (
    *(one for one in _moves("unit") if one.id in ("unit.up", "unit.down")),
    Action("unit", "unit.open", "enter", "open_pair", "pair", "Take this partner to the pairs", footer=True),
    Action("unit", "unit.atom", "o", "partner_atom", "partners by", "Rank partners by the next atom", footer=True),
    Action("unit", "unit.back", "backspace", "back", "back", "Back to the unit looked at before"),
)

TOKENS = (
    *_moves("tokens"),
    Action("tokens", "tokens.atom", "r", "swap_atom", "synergy/redundancy", "Colour by the other atom", footer=True),
    Action("tokens", "tokens.pair", "o", "swap_pair", "unit/pair", "Of the unit with all, or of the pair", footer=True),
)

PAIRS = (
    *_moves("pairs"),
    Action("pairs", "pairs.in", "plus,equals_sign", "zoom(1)", "in", "Zoom in", footer=True),
    Action("pairs", "pairs.out", "minus", "zoom(-1)", "out", "Zoom out", footer=True),
    Action("pairs", "pairs.atom", "r", "next_atom(1)", "atom", "The next atom", footer=True),
    Action("pairs", "pairs.open", "enter", "take", "take", "Make this pair the selected one", footer=True),
    Action("pairs", "pairs.swap", "o", "swap", "swap", "Change x and y"),
)

ABLATION = (
    Action("ablation", "ablation.start", "f5", "start", "start", "Start with what the form says", footer=True),
    Action(
        "ablation", "ablation.next", "period", "other(1)", "next result", "The next ablation of this run", footer=True
    ),
    Action("ablation", "ablation.previous", "comma", "other(-1)", "previous", "The ablation before"),
    Action(
        "ablation",
        "ablation.answers",
        "o",
        "answers",
        "answers",
        "Intact and ablated answers side by side",
        footer=True,
    ),
    Action("ablation", "ablation.answer-next", "down,j", "answer(1)", "next answer", "The next answer"),
    Action("ablation", "ablation.answer-previous", "up,k", "answer(-1)", "previous answer", "The answer before"),
    Action("ablation", "ablation.stop", "delete", "stop", "stop", "Stop the one that runs; what is finished is kept"),
)

DIFFICULTY = (
    Action("difficulty", "difficulty.start", "f5", "start", "start", "Start a ladder", footer=True),
    Action("difficulty", "difficulty.left", "left,h", "level(-1)", "level back", "The level before"),
    Action("difficulty", "difficulty.right", "right,l", "level(1)", "level on", "The next level"),
    Action(
        "difficulty", "difficulty.parameter", "o", "parameter(1)", "parameter", "Another order parameter", footer=True
    ),
    Action("difficulty", "difficulty.open", "enter", "open", "open map", "The level's map in the atlas", footer=True),
    Action("difficulty", "difficulty.next", "period", "other(1)", "next ladder", "The next ladder of this cache"),
    Action("difficulty", "difficulty.previous", "comma", "other(-1)", "ladder back", "The ladder before"),
)

CLAIMS = (
    Action("claims", "claims.up", "up,k", "move(-1)", "up", "The claim before", palette=False),
    Action("claims", "claims.down", "down,j", "move(1)", "down", "The next claim", palette=False),
    Action("claims", "claims.start", "f5", "start", "start", "Make what is missing, and the card", footer=True),
)

COMPARE = (
    Action("compare", "compare.next", "period", "other(1)", "next run", "Beside the next run", footer=True),
    Action("compare", "compare.previous", "comma", "other(-1)", "previous", "Beside the run before"),
    Action("compare", "compare.shown", "o", "shown", "runs/categories", "Runs, categories or training", footer=True),
)

JOBS = (
    Action("jobs", "jobs.open", "enter", "open_result", "open", "Open what the job made", footer=True),
    Action("jobs", "jobs.cancel", "delete", "cancel", "cancel", "Stop the job; finished parts are kept", footer=True),
    Action("jobs", "jobs.pause", "w", "pause", "pause", "End the worker until the job is resumed", footer=True),
    Action("jobs", "jobs.resume", "e", "resume", "resume", "Go on where the job stopped", footer=True),
    Action("jobs", "jobs.remove", "D", "remove", "remove", "Remove a done job's folder; what it made stays"),
)

SQL = (
    Action("sql", "sql.run", "f5,ctrl+r", "run_query", "run", "Ask", footer=True),
    Action("sql", "sql.stop", "f8", "stop_query", "stop", "Stop the query", footer=True),
    Action(
        "sql", "sql.complete", "ctrl+n", "complete", "complete", "Complete a word: tables, columns, SQL", footer=True
    ),
    Action("sql", "sql.history", "f9", "history", "history", "What was asked before", footer=True),
    Action("sql", "sql.ready", "ctrl+o", "ready", "ready-made", "Questions ready to be asked", footer=True),
    Action("sql", "sql.map", "ctrl+g", "as_map", "as map", "Show a result with layer and unit as a map", footer=True),
    Action("sql", "sql.leave", "escape", "leave", "leave", "Out of the editor, so that letters are keys again"),
)

TABLE = tuple(
    Action("table", f"table.{name}", key, call, word, tooltip, palette=False)
    for name, key, call, word, tooltip in (
        ("up", "up,k", "move(-1)", "up", "One row up"),
        ("down", "down,j", "move(1)", "down", "One row down"),
        ("page-up", "pageup", "move(-20)", "page up", "Twenty rows up"),
        ("page-down", "pagedown", "move(20)", "page down", "Twenty rows down"),
        ("start", "home", "move(-1000000000)", "first", "The first row"),
        ("end", "end", "move(1000000000)", "last", "The last row"),
        ("left", "left,h", "scroll(-8)", "left", "Columns to the left"),
        ("right", "right,l", "scroll(8)", "right", "Columns to the right"),
    )
)

DIALOG = (Action("dialog", "dialog.close", "escape", "close", "close", "Close without doing anything", palette=False),)

ALL = (*APP, *ATLAS, *UNIT, *TOKENS, *PAIRS, *ABLATION, *DIFFICULTY, *CLAIMS, *COMPARE, *JOBS, *SQL)


def bindings(where: str) -> list[BindingType]:
    """The bindings of a view, or of the app."""
    return [
        Binding(one.key, one.call, one.word, show=one.footer, tooltip=one.tooltip, id=one.id)
        for one in (*ALL, *TABLE, *DIALOG)
        if one.where == where
    ]


def check_keys(keys: Iterable[str]) -> None:
    """Raises UsageError for an id that config.toml gives a key to and no action has."""
    known = {one.id for one in (*ALL, *TABLE, *DIALOG)}
    for one in keys:
        if one not in known:
            raise UsageError(
                f"config.toml gives a key to {one!r}, which is no action", "`?` in the explorer lists them"
            )


def shown_key(key: str) -> str:
    """A key as people know it."""
    names = {"left_square_bracket": "[", "right_square_bracket": "]", "question_mark": "?", "slash": "/", "colon": ":"}
    names |= {"plus": "+", "equals_sign": "=", "minus": "-", "period": ".", "comma": ",", "full_stop": "."}
    return names.get(key, key.replace("ctrl+", "^"))
