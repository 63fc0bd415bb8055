"""What the explorer does: every action by its key, marks, jumps, what comes back, what is copied, bad input."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from conftest import TESTS
from driving import drive, make, settle, type_in, until_in
from rich.color import Color
from textual.widgets import Input, OptionList

from synergy_tui.bench.made import make_run
from synergy_tui.drawing import scale
from synergy_tui.errors import UsageError
from synergy_tui.explorer import actions
from synergy_tui.explorer.app import Explorer
from synergy_tui.explorer.dialogs.ask import Ask
from synergy_tui.explorer.dialogs.choose import Choose
from synergy_tui.explorer.dialogs.help import Help
from synergy_tui.explorer.dialogs.jump import Jump
from synergy_tui.explorer.dialogs.new import Form
from synergy_tui.explorer.dialogs.palette import Palette
from synergy_tui.explorer.dialogs.pins import Pins
from synergy_tui.explorer.dialogs.rule import AskRule
from synergy_tui.explorer.dialogs.tour import Tour
from synergy_tui.explorer.dialogs.whole import Whole
from synergy_tui.explorer.keys import MEANINGS, moves
from synergy_tui.explorer.runs import RunsPanel
from synergy_tui.explorer.selection import Selection, by_rule
from synergy_tui.explorer.views import VIEWS, every_action, view_class
from synergy_tui.explorer.views.sql import READY
from synergy_tui.explorer.widgets.plot import Plot
from synergy_tui.explorer.widgets.table import ResultTable
from synergy_tui.store.cache import Cache

ALL = (*actions.APP, *every_action())

# Actions: each is pressed where it belongs and must do what it says.

Check = Callable[[Explorer], bool]


def _on(name: str) -> Check:
    return lambda app: app.view.id == name


def _dialog(kind: type) -> Check:
    return lambda app: isinstance(app.screen, kind)


APP: list[tuple[str, tuple[str, ...], Check]] = [
    ("view.unit", (), _on("unit")),
    ("view.tokens", (), _on("tokens")),
    ("view.pairs", (), _on("pairs")),
    ("view.ablation", (), _on("ablation")),
    ("view.difficulty", (), _on("difficulty")),
    ("view.jobs", (), _on("jobs")),
    ("view.atlas", (), _on("atlas")),
    ("view.sql", (), _on("sql")),
    ("view.atlas", ("escape",), _on("atlas")),
    ("score.next", (), lambda app: app.selection.score == "difference"),
    ("score.previous", (), lambda app: app.selection.score == "rank-difference"),
    ("score.choose", (), _dialog(Choose)),
    ("null.mask", ("escape",), lambda app: not app.selection.masked and "No surrogates" in app.plain_screen()),
    ("prompt.next", (), lambda app: app.selection.prompt == 1),
    ("prompt.previous", (), lambda app: app.selection.prompt == 0),
    ("marks.unit", (), lambda app: app.selection.marks == {0}),
    ("marks.undo", (), lambda app: not app.selection.marks),
    ("marks.layer", (), lambda app: app.selection.marks == {0, 1, 2, 3}),
    ("marks.column", (), lambda app: app.selection.marks == {0, 1, 2, 3, 4, 8, 12, 16, 20}),
    ("marks.clear", (), lambda app: not app.selection.marks),
    ("marks.rectangle", (), lambda app: "_" in app.plain_screen()),
    ("marks.rectangle", ("down", "right"), lambda app: app.selection.marks == {0, 1, 4, 5}),
    ("marks.rule", (), _dialog(AskRule)),
    ("marks.pin", ("escape",), _dialog(Pins)),
    ("run.new", ("escape",), _dialog(Choose)),
    ("run.find", ("escape",), lambda app: isinstance(app.focused, Input)),
    ("copy", ("escape",), lambda app: "Copy or save" in app.plain_screen()),
    ("panel.runs", ("escape",), lambda app: app.query_one(RunsPanel).display),
    ("panel.runs", (), lambda app: not app.query_one(RunsPanel).display),
    ("panel.profile", (), lambda app: "95 % interval" not in app.plain_screen()),
    ("panel.unit", (), lambda app: not app.query_one("#unit-panel").display),
    ("panel.narrower", ("f4",), lambda app: app.query_one("#unit-panel").outer_size.width == 29),
    ("panel.wider", (), lambda app: app.query_one("#unit-panel").outer_size.width == 33),
    ("panel.zoom", (), lambda app: not app.query_one("#unit-panel").display),
    ("panel.zoom", (), lambda app: app.query_one("#unit-panel").display),
    ("jump", (), _dialog(Jump)),
    ("tour", ("escape",), _dialog(Tour)),
    ("theme", ("escape",), lambda app: app.theme == "synergy-light" and not app.ink.dark),
    ("help", (), _dialog(Help)),
    ("palette", ("escape",), _dialog(Palette)),
    ("atlas.down", ("escape", "escape"), lambda app: app.selection.unit == 9),
    ("atlas.up", (), lambda app: app.selection.unit == 5),
    ("atlas.right", (), lambda app: app.selection.unit == 6),
    ("atlas.left", (), lambda app: app.selection.unit == 5),
    ("atlas.end", (), lambda app: app.selection.unit == 7),
    ("atlas.start", (), lambda app: app.selection.unit == 4),
    ("atlas.page-down", (), lambda app: app.selection.unit == 20),
    ("atlas.page-up", (), lambda app: app.selection.unit == 0),
    ("atlas.extreme", (), lambda app: app.selection.unit != 0),
    ("atlas.extreme-back", (), lambda app: app.view.id == "atlas"),
    ("atlas.profile", (), lambda app: "was not measured" in app.plain_screen()),
    ("atlas.bottom", (), lambda app: app.selection.unit // 4 == 5),
    ("atlas.top", (), lambda app: app.selection.unit // 4 == 0),
    ("atlas.open", (), _on("unit")),
    ("back", (), _on("atlas")),
]

UNIT: list[tuple[str, tuple[str, ...], Check]] = [
    ("unit.down", ("u",), lambda app: app.view.query_one(ResultTable).cursor_row == 1),
    ("unit.up", (), lambda app: app.view.query_one(ResultTable).cursor_row == 0),
    ("unit.atom", (), lambda app: "Partners by rtr" in app.plain_screen()),
    ("unit.open", (), lambda app: app.view.id == "pairs" and app.selection.partner is not None),
    ("unit.back", ("u",), _on("atlas")),
]

TOKENS: list[tuple[str, tuple[str, ...], Check]] = [
    ("tokens.right", ("t",), lambda app: app.selection.step == 2),
    ("tokens.left", (), lambda app: app.selection.step == 1),
    ("tokens.page-down", (), lambda app: app.selection.step > 1),
    ("tokens.page-up", (), lambda app: app.selection.step == 1),
    ("tokens.down", (), lambda app: app.selection.step > 1),
    ("tokens.up", (), lambda app: app.selection.step == 1),
    ("tokens.bottom", (), lambda app: app.selection.step > 20),
    ("tokens.top", (), lambda app: app.selection.step < 20),
    ("tokens.end", (), lambda app: app.selection.step == 39),
    ("tokens.start", (), lambda app: app.selection.step == 0),
    ("tokens.atom", (), lambda app: "local redundancy" in app.plain_screen()),
    ("tokens.pair", (), lambda app: "one pair" in app.plain_screen()),
    ("tokens.whole", (), _dialog(Whole)),
]

PAIRS: list[tuple[str, tuple[str, ...], Check]] = [
    ("pairs.down", ("p",), lambda app: app.selection.unit == 1),
    ("pairs.up", (), lambda app: app.selection.unit == 0),
    ("pairs.right", (), lambda app: app.selection.partner == 2),
    ("pairs.left", (), lambda app: app.selection.partner == 1),
    ("pairs.end", (), lambda app: app.selection.partner == 23),
    ("pairs.start", (), lambda app: app.selection.partner == 0),
    ("pairs.page-down", (), lambda app: app.selection.unit == 10),
    ("pairs.page-up", (), lambda app: app.selection.unit == 0),
    ("pairs.bottom", (), lambda app: app.selection.unit == 23),
    ("pairs.top", (), lambda app: app.selection.unit == 0),
    ("pairs.out", (), lambda app: "units a cell" in app.plain_screen()),
    ("pairs.in", (), lambda app: "single pairs" in app.plain_screen()),
    ("pairs.atom", (), lambda app: app.selection.atom == "tdmi"),
    ("pairs.swap", ("right",), lambda app: (app.selection.unit, app.selection.partner) == (2, 0)),
    ("pairs.open", (), _on("tokens")),
]

ABLATION: list[tuple[str, tuple[str, ...], Check]] = [
    ("ablation.next", ("a",), lambda app: "Nothing has been removed" in app.plain_screen()),
    ("ablation.previous", (), lambda app: "Nothing has been removed" in app.plain_screen()),
    ("ablation.answers", (), lambda app: "No answers of an ablated subject" in app.plain_screen()),
    ("ablation.answer-next", (), lambda app: app.view.id == "ablation"),
    ("ablation.answer-previous", (), lambda app: app.view.id == "ablation"),
    ("ablation.stop", (), lambda app: "No ablation is running" in app.plain_screen()),
    # The made-up subject is nowhere, which its worker will say; that it starts is what counts here.
    ("ablation.start", (), lambda app: any(one["kind"] == "ablate" for one in app.seen.jobs)),
]

CLAIMS: list[tuple[str, tuple[str, ...], Check]] = [
    ("view.claims", (), lambda app: "No claims card of this run yet" in app.plain_screen()),
    ("claims.down", (), lambda app: app.view.id == "claims"),
    ("claims.up", (), lambda app: "surrogates for C1, C5" in app.plain_screen()),
    ("claims.pick", (), lambda app: "[ ]" in app.plain_screen()),
    ("claims.start", (), _dialog(Ask)),
]

COMPARE: list[tuple[str, tuple[str, ...], Check]] = [
    ("view.compare", (), lambda app: "no other run" in app.plain_screen()),
    ("compare.next", (), lambda app: "no other run" in app.plain_screen()),
    ("compare.previous", (), lambda app: "no other run" in app.plain_screen()),
    *((f"compare.{one.id.split('.')[1]}", (), _on("compare")) for one in moves("compare")),
    ("compare.shown", (), lambda app: "has 0 categories" in app.plain_screen()),
]

# With cards these are tried in test_models.py.
MODELS: list[tuple[str, tuple[str, ...], Check]] = [
    ("view.models", (), lambda app: "no card yet" in app.plain_screen()),
    *((f"models.{one.id.split('.')[1]}", (), _on("models")) for one in moves("models")),
    ("models.sort", (), lambda app: "No claims card is in this cache yet" in app.plain_screen()),
    ("models.shown", (), lambda app: "No claims card is in this cache yet" in app.plain_screen()),
    ("models.open", (), lambda app: "There is no card to open" in app.plain_screen()),
    ("models.filter", (), lambda app: isinstance(app.focused, Input)),
    ("models.leave", (), lambda app: app.focused is app.view),
    ("models.leave", (), _on("atlas")),
]

JOBS: list[tuple[str, tuple[str, ...], Check]] = [
    ("jobs.pause", ("J",), lambda app: app.seen.jobs[0]["state"] in ("paused", "failed")),
    ("jobs.cancel", (), lambda app: isinstance(app.screen, Ask) or "is failed already" in app.plain_screen()),
    ("jobs.remove", ("enter",), lambda app: "keeps its parts" in app.plain_screen()),
    ("jobs.resume", (), lambda app: "Resumed" in app.plain_screen() or app.seen.jobs[0]["state"] != "cancelled"),
    ("jobs.open", (), lambda app: "has made nothing" in app.plain_screen() or app.view.id == "ablation"),
]

LIST: list[tuple[str, tuple[str, ...], Check]] = [
    ("jobs.sort", ("J",), lambda app: "by newest" in app.plain_screen()),
    ("jobs.filter", (), lambda app: isinstance(app.focused, Input)),
    ("jobs.leave", ("1",), lambda app: isinstance(app.focused, ResultTable) and not app.view.words),
    ("jobs.leave", (), _on("atlas")),
]

# With a ladder these are tried in test_ladder.py.
NOTHING = "Press F5 to choose a subject"
DIFFICULTY: list[tuple[str, tuple[str, ...], Check]] = [
    ("difficulty.right", ("d",), lambda app: NOTHING in app.plain_screen()),
    ("difficulty.left", (), lambda app: NOTHING in app.plain_screen()),
    ("difficulty.parameter", (), lambda app: NOTHING in app.plain_screen()),
    ("difficulty.next", (), lambda app: NOTHING in app.plain_screen()),
    ("difficulty.previous", (), lambda app: NOTHING in app.plain_screen()),
    ("difficulty.open", (), lambda app: app.view.id == "difficulty"),
    ("difficulty.start", (), _dialog(Form)),
]

SQL: list[tuple[str, tuple[str, ...], Check]] = [
    ("sql.ready", ("escape", "escape", "escape", "s"), _dialog(Choose)),
    ("sql.run", ("enter",), lambda app: "rows" in app.plain_screen()),
    ("sql.history", (), _dialog(Choose)),
    ("sql.complete", ("escape",), lambda app: isinstance(app.screen, Choose)),
    ("sql.stop", ("escape",), lambda app: app.view._stop is None),
    ("sql.leave", (), lambda app: isinstance(app.focused, ResultTable)),
    ("sql.map", (), lambda app: app.view.id == "atlas" and app.shown.row["name"] == next(iter(READY))),
    ("view.atlas", (), lambda app: app.view.id == "atlas" and app.shown.place.id == "d6x4"),
]

SCRIPTS = {"app": APP, "unit": UNIT, "tokens": TOKENS, "pairs": PAIRS, "ablation": [*ABLATION, *JOBS], "sql": SQL}
SCRIPTS |= {"difficulty": DIFFICULTY, "claims": CLAIMS, "compare": COMPARE, "jobs": LIST, "models": MODELS}


@pytest.mark.worker
@pytest.mark.parametrize("where", SCRIPTS)
def test_every_action_does_what_it_says(made: Path, where: str) -> None:
    keys = {one.id: one.key.split(",")[0] for one in ALL}

    async def press(app, pilot):
        if where == "pairs":
            app.selection.atom = "sts"
        for name, before, check in SCRIPTS[where]:
            for key in before:
                await pilot.press(key)
                await settle(app, pilot)
            key = "period" if name in ("ablation.next", "difficulty.next") else keys[name]
            await pilot.press(key)
            await until_in(app, pilot, lambda check=check: check(app), f"{name} ({key})")

    drive(press, made)


def test_every_action_is_tried_and_explained() -> None:
    tried = {name for script in SCRIPTS.values() for name, _, _ in script}
    assert {one.id for one in ALL} - tried == {"quit"}  # which has a test of its own
    assert len({one.id for one in ALL}) == len(ALL)
    for one in ALL:
        assert one.word, one
        assert one.tooltip, one
        immediate = one.id == "palette" or one.call.startswith("move(")
        assert one.footer or one.palette or immediate, one


def test_no_two_actions_share_a_key_where_both_could_be_meant() -> None:
    for some in (actions.APP, *(view_class(view).ACTIONS for view in VIEWS)):
        keys = [key for one in some for key in one.key.split(",")]
        assert len(keys) == len(set(keys)), some


def test_a_key_of_several_views_means_the_same_in_all_of_them() -> None:
    """Beside the moves, which all have."""
    used: dict[str, set[str]] = {}
    for view in VIEWS:
        for one in view_class(view).ACTIONS:
            if not one.call.startswith(("move(", "zoom(")):
                for key in one.key.split(","):
                    used.setdefault(key, set()).add(view)
    shared = {key for key, views in used.items() if len(views) > 1}
    arrows = {"left", "right", "up", "down", "h", "j", "k", "l"}
    assert shared - arrows <= set(MEANINGS) | {"escape", "slash"}, shared


@pytest.mark.slow
def test_only_q_and_ctrl_q_leave(made: Path) -> None:
    async def press(app, pilot):
        for key in ("escape", "escape", "escape", "enter", "escape", "delete", "backspace"):
            await pilot.press(key)
        assert app.is_running
        await pilot.press("q")

    assert drive(press, made).return_code == 0


@pytest.mark.slow
def test_keys_can_be_given_to_other_actions(made: Path) -> None:
    async def press(app, pilot):
        await pilot.press("S")
        await settle(app, pilot)
        assert app.view.id == "sql"

    drive(press, made, keys={"view.sql": "S"})
    with pytest.raises(UsageError, match=r"view\.qsl"):
        make(made, keys={"view.qsl": "S"})


@pytest.mark.slow
def test_digits_jump_to_a_unit_and_a_place_that_is_not_there_is_told(made: Path) -> None:
    async def press(app, pilot):
        await type_in(pilot, "4.2")
        await settle(app, pilot)
        assert app.selection.unit == 4 * 4 + 2
        await until_in(app, pilot, lambda: "go to" not in app.plain_screen(), "the end of the jump")
        await type_in(pilot, "9")
        await until_in(app, pilot, lambda: "There is no unit 9" in app.plain_screen(), "a wrong jump")
        assert app.selection.unit == 4 * 4 + 2

    drive(press, made)


@pytest.mark.slow
def test_the_mouse_points(made: Path) -> None:
    async def press(app, pilot):
        there = app.view.map.region_of(3, 1)
        for x, y in ((there.x, there.y), (there.right - 1, there.bottom - 1)):
            app.selection.unit = 0
            await pilot.click("#map", offset=(x, y))
            await settle(app, pilot)
            assert app.selection.unit == 3 * 4 + 1

    drive(press, made)


@pytest.mark.slow
def test_where_two_layers_share_a_row_both_are_pointed_at_marked_and_boxed(cache: Path) -> None:
    async def press(app, pilot):
        map_ = app.view.map
        assert map_.stacked
        there = map_.region_of(4, 2)
        for layer in (4, 5, 4):  # the same place again is the other layer
            await pilot.click("#map", offset=(there.x, there.y))
            await settle(app, pilot)
            assert app.selection.unit == layer * 9 + 2
        signs = {}
        for layer in (4, 5):
            app.selection.unit = layer * 9 + 2
            app.changed()
            line = map_.render_line(there.y).text
            signs[layer] = line[there.x]
            assert line.split()[0] == str(layer)
        assert signs == {4: "▀", 5: "▄"}  # the edges of the half that it is in
        app.selection.unit = 5 * 9 + 2
        await pilot.press("space", "right")
        await settle(app, pilot)
        marked = next(iter(map_.render_line(there.y).crop(there.x, there.x + 1)))
        colours = app.ink.colours(True)
        own = Color.parse(colours[scale.step(float(map_.picture.colour[5, 2]), len(colours))]).get_truecolor()
        assert (marked.text, marked.style.bgcolor.get_truecolor()) == (".", own)
        await pilot.press("v", "down", "down", "right")
        await settle(app, pilot)
        assert "▚" in map_.render_line(map_.region_of(6, 3).y).text

    drive(press, cache, (80, 24))


@pytest.mark.slow
def test_e_goes_from_extreme_to_extreme(cache: Path) -> None:
    async def press(app, pilot):
        far = np.abs(app.shown.scores["rank-difference"].colour() - 0.5)
        order = np.argsort(-far, kind="stable")
        for presses, place in (("e", 0), ("e", 1), ("e", 2), ("E", 1), ("E", 0), ("E", -1), ("e", 0)):
            await pilot.press(presses)
            await settle(app, pilot)
            assert app.selection.unit == order[place]
        await pilot.press("down", "e")
        await settle(app, pilot)
        assert app.selection.unit == order[0]

    drive(press, cache)


@pytest.mark.slow
def test_the_cursor_among_the_tokens_is_the_one_on_the_curve(made: Path) -> None:
    async def look(app, pilot):
        def column() -> int:
            axis = next(row for row in curve.plain.splitlines() if row.lstrip().startswith("└"))
            return axis.index("▲")

        await pilot.press("t")
        await settle(app, pilot, rest=0.4)
        curve = app.view.query_one("#curve", Plot)
        await pilot.press("home")
        await settle(app, pilot, rest=0.4)
        first = column()
        assert first == curve.plain.splitlines()[-2].index("└") + 1
        await pilot.press("end")
        await settle(app, pilot, rest=0.4)
        assert app.selection.step == 39
        assert column() == curve.content_size.width - 1
        await pilot.press("left")
        await settle(app, pilot, rest=0.4)
        assert first < column() < curve.content_size.width - 1

    drive(look, made)


def test_the_map_shows_the_numbers_of_the_cache(made: Path) -> None:
    """The number under the cursor is the stored one, for every unit."""
    with Cache.open(made).read() as con:
        stored = con.execute("SELECT scaled FROM unit_scores WHERE score = 'excess' ORDER BY unit_index").fetchall()

    async def press(app, pilot):
        app.choose("excess")
        for unit, (value,) in enumerate(stored):
            app.selection.unit = unit
            app.changed()
            await pilot.pause()
            assert f"excess {value:.3g}" in app.view.value()

    drive(press, made)


def test_rules_mark_what_they_say() -> None:
    scores = {"rank-difference": np.arange(40.0), "sts": np.where(np.arange(40) < 30, np.arange(40) / 100, np.nan)}
    assert by_rule("top 25 % of rank", scores, 4) == set(range(30, 40))
    assert by_rule("top 25 % of rank in layers 2–3", scores, 4) == {14, 15}
    assert by_rule("bottom 3 of sts", scores, 4) == {0, 1, 2}
    assert by_rule("top 3 of synergy", scores, 4) == {27, 28, 29}
    assert by_rule("sts > 0.275", scores, 4) == {28, 29}
    assert by_rule("sts <= 0", scores, 4) == {0}
    assert by_rule("all in layer 9", scores, 4) == {36, 37, 38, 39}
    assert by_rule("all in layers 0-99999999999999", scores, 4) == set(range(40))
    assert by_rule("top 0 % of rank", scores, 4) == set()
    for rule in ("", "best", "top of rank", "top 5 of beauty", "sts > x", "drop table", "top 1e9 % of rank"):
        with pytest.raises(UsageError):
            by_rule(rule, scores, 4)


def test_marks_can_be_undone_step_by_step() -> None:
    selection = Selection()
    selection.toggle(frozenset({1, 2}))
    selection.toggle(frozenset({2}))
    selection.toggle(frozenset({3}))
    assert selection.marks == {1, 3}
    assert selection.undo()
    assert selection.marks == {1}
    assert selection.undo()
    assert selection.marks == {1, 2}
    assert selection.undo()
    assert not selection.marks
    assert not selection.undo()


@pytest.mark.slow
def test_a_pinned_set_is_applied_to_another_run(made: Path) -> None:
    make_run(Cache.open(made), 3, 4, name="other")

    async def press(app, pilot):
        for key in ("x", "P"):
            await pilot.press(key)
        await settle(app, pilot)
        await type_in(pilot, "mine")
        await pilot.press("enter")
        app.selection.mark(frozenset(range(16, 24)))
        await pilot.press("P")
        await settle(app, pilot)
        await type_in(pilot, "late")
        await pilot.press("enter")
        other = next(
            node.data for node in app.runs_panel.listing._tree_nodes.values() if node.data and node.data.id == "dother"
        )
        app.open_run(other)
        await settle(app, pilot)
        assert app.shown.layers == 3
        assert not app.selection.marks
        for name, expected in (("mine", {0, 1, 2, 3}), ("late", set())):
            await pilot.press("P")
            await settle(app, pilot)
            listing = app.screen.query_one(OptionList)
            listing.highlighted = list(app.state.pins).index(name)
            listing.focus()
            await pilot.press("enter")
            await settle(app, pilot)
            assert app.selection.marks == expected
        assert "8 of 8 units do not exist" in app.plain_screen()

    drive(press, made, run="d6x4")


@pytest.mark.slow
def test_what_was_looked_at_comes_back(made: Path) -> None:
    async def walk(app, pilot):
        for key in ("down", "right", "r", "s"):
            await pilot.press(key)
        await settle(app, pilot)
        await type_in(pilot, "SELECT 41")
        for key in ("escape", "q"):
            await pilot.press(key)

    async def again(app, pilot):
        assert app.selection.unit == 5
        assert app.selection.score == "difference"
        assert app.view.id == "sql"
        assert app.view.query_text == "SELECT 41"

    drive(walk, made)
    drive(again, made)


@pytest.mark.slow
def test_a_damaged_state_is_let_go(made: Path) -> None:
    state = made.parent / "state" / "explorer.json"
    for content in (
        "{",
        "[]",
        '{"caches": 3, "pins": {"a": 1}, "history": 2}',
        json.dumps({"caches": {str(made): {"unit": -4}}}),
    ):
        state.parent.mkdir(exist_ok=True)
        state.write_text(content)

        async def nothing(app, pilot):
            assert app.shown is not None
            assert app.selection.unit == 0

        drive(nothing, made)


@pytest.mark.worker
def test_copied_commands_remake_the_view(made: Path, tmp_path: Path) -> None:
    """What `y` gives runs: the command, the Python and the SQL, in every view."""
    from synergy_tui.explorer import remake

    texts: list[tuple[str, str, str]] = []

    async def press(app, pilot):
        for key in ("escape", "m", "u", "p", "t", "a", "b", "J", "d"):
            await pilot.press(key)
            await settle(app, pilot)
            if key == "m":
                await type_in(pilot, "autocorrelation")
                await pilot.press("enter")
                await settle(app, pilot)
            query = app.view.sql()
            texts.append((remake.command(app, app.view), remake.python(app, query), query))

    drive(press, made)
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    # Each view has its own.
    queries = [query for _, _, query in texts if query]
    assert len(set(queries)) == len(queries) == len(texts) - 1  # there is nothing to compare with
    for command, _, _ in texts:
        got = subprocess.run(shlex.split(command), capture_output=True, text=True, env=environment)
        assert got.returncode == 0, (command, got.stderr)
    for python in filter(None, (text[1] for text in texts)):
        got = subprocess.run([sys.executable, "-c", python + "print(len(rows))"], capture_output=True, text=True)
        assert got.returncode == 0, (python, got.stderr)


@pytest.mark.slow
def test_the_view_is_saved_and_nothing_is_replaced(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "atlas-d6x4.csv").write_text("mine")

    async def press(app, pilot):
        for word in ("csv", "parquet", "svg", "txt"):
            await pilot.press("y")
            await settle(app, pilot)
            listing = app.screen.query_one(OptionList)
            listing.highlighted = app.screen._choices.index(("save", word))
            await pilot.press("enter")
            await pilot.pause(0.2)
            await pilot.press("enter")
            await settle(app, pilot)
        app.save(tmp_path / "atlas-d6x4.csv", "other")
        await settle(app, pilot)
        assert "is there already" in app.plain_screen()

    drive(press, made)
    assert (tmp_path / "atlas-d6x4.csv").read_text() == "mine"
    lines = (tmp_path / "atlas-d6x4-2.csv").read_text().splitlines()
    assert len(lines) == 25
    assert lines[0].startswith("layer,unit,rank-difference")
    table = pq.read_table(tmp_path / "atlas-d6x4.parquet")
    assert table.num_rows == 24
    assert table["unit"].to_pylist()[:5] == [0, 1, 2, 3, 0]
    assert (tmp_path / "atlas-d6x4.svg").read_text().startswith("<svg")
    assert "rank-difference" in (tmp_path / "atlas-d6x4.txt").read_text()


@pytest.mark.slow
def test_a_result_of_sql_becomes_a_map(made: Path) -> None:
    async def press(app, pilot):
        await pilot.press("s")
        await settle(app, pilot)
        for sql, expected in (
            ("SELECT 2 AS layer, 1 AS unit, 7.5 AS beauty", "beauty 7.5"),
            ("SELECT 1 AS layer", "columns layer and unit"),
            ("SELECT 1 AS layer, 2 AS unit", "no number beside"),
            ("SELECT 1 AS layer, 2 AS unit, x FROM range(2) t(x)", "same layer and unit"),
            ("SELECT 5000000 AS layer, 2 AS unit, 3 AS x", "too many for a map"),
            ("SELECT -1 AS layer, 2 AS unit, 3 AS x", "whole numbers"),
        ):
            app.view.editor.text = sql
            await pilot.press("f5")
            await until_in(app, pilot, lambda: app.view._stop is None, sql)
            await pilot.press("ctrl+g")
            await settle(app, pilot)
            if "beauty" in sql:
                assert app.view.id == "atlas"
                await type_in(pilot, "2.1")
            await settle(app, pilot)
            assert expected in app.plain_screen(), sql
            await pilot.press("s")
            await settle(app, pilot)

    drive(press, made)


@pytest.mark.slow
def test_a_long_query_is_stopped_and_the_keys_go_on(made: Path) -> None:
    async def press(app, pilot):
        await pilot.press("s")
        await settle(app, pilot)
        app.view.editor.text = "SELECT count(*) FROM range(9000000) a, range(9000000) b WHERE a.range * b.range = 3"
        await pilot.press("f5")
        await pilot.pause(0.3)
        for key in ("escape", "escape", "down", "right"):
            await pilot.press(key)
        assert app.selection.unit == 5
        await pilot.press("s")
        await pilot.press("f8")
        await until_in(app, pilot, lambda: app.view._stop is None, "stop")
        assert "the query was stopped" in app.plain_screen()

    drive(press, made)


@pytest.mark.slow
def test_many_rows_are_cut_and_said_so(made: Path) -> None:
    async def press(app, pilot):
        await pilot.press("s")
        await settle(app, pilot)
        app.view.editor.text = "SELECT range, repeat('x', 300) AS long FROM range(10000000)"
        await pilot.press("f5")
        await until_in(app, pilot, lambda: app.view._stop is None, "run")
        await settle(app, pilot)
        assert "20,000 rows, the first 20,000 of more" in app.plain_screen()
        for key in ("escape", "end"):
            await pilot.press(key)
        await settle(app, pilot)
        assert "19999" in app.plain_screen()

    drive(press, made)


@pytest.mark.slow
def test_sql_can_do_no_harm(made: Path) -> None:
    async def press(app, pilot):
        await pilot.press("s")
        await settle(app, pilot)
        for sql in (
            "DROP TABLE units",
            "COPY units TO 'x.csv'",
            "SELECT * FROM read_csv('/etc/passwd')",
            "SELEC 1",
            "SELECT 1; SELECT 2",
        ):
            app.view.editor.text = sql
            await pilot.press("f5")
            await until_in(app, pilot, lambda: app.view._stop is None, sql)
            assert not app.view.result.rows, sql

    drive(press, made)


@pytest.mark.slow
def test_the_palette_has_every_action_of_the_view(made: Path) -> None:
    async def press(app, pilot):
        await pilot.press("p")
        await settle(app, pilot)
        names = [one.title for one in app.get_system_commands(app.screen)]
        wanted = [one.id for one in (*actions.APP, *view_class("pairs").ACTIONS) if one.palette]
        assert all(any(f"({name})" in title for title in names) for name in wanted)
        await pilot.press("ctrl+p")
        await type_in(pilot, "pairs.atom")
        await settle(app, pilot)
        await pilot.press("enter")
        await settle(app, pilot)
        assert app.selection.atom == "tdmi"

    drive(press, made)


@pytest.mark.long
@pytest.mark.worker
def test_a_run_is_started_watched_and_ablated_from_the_explorer(cache: Path, tiny: Path) -> None:
    async def press(app, pilot):
        await pilot.press("n", "enter")
        await settle(app, pilot)
        fields = {"subject": str(tiny), "prompts": "8", "steps": "300", "batch": "1"}
        for name, value in fields.items():
            app.screen.query_one(f"#field-{name}", Input).value = value
        await until_in(app, pilot, lambda: "16 units" in app.plain_screen(), "the cost")
        app.screen.query_one("#field-subject", Input).focus()
        await pilot.press("enter")
        await until_in(app, pilot, lambda: app.seen is not None and len(app.seen.jobs) == 2, "the start")
        await pilot.press("J", "right", "down", "enter")
        # Growing, or whole already: which of them depends on who is faster.
        opened = lambda: app.shown.place.job is not None or app.shown.row["name"] == tiny.name  # noqa: E731
        await until_in(app, pilot, opened, "the map")
        # It follows by itself: the capture's map, the decomposition's, the result.
        done = lambda: app.shown.place.job is None and app.shown.row["name"] == tiny.name  # noqa: E731
        await until_in(app, pilot, done, "the result", 180)
        await pilot.press("escape", "C", "a")
        orders = {"orders": "marked,random,layer-matched,single-units"}
        for name, value in ({"seeds": "2", "fractions": "0.1", "prompts": "2"} | orders).items():
            app.view.query_one(f"#field-{name}", Input).value = value
        await until_in(app, pilot, lambda: "4 marked" in app.plain_screen(), "the set")
        app.view.focus_main()
        await pilot.press("f5")
        await until_in(app, pilot, lambda: "(2 of 20 seeds)" in app.plain_screen(), "the verdict", 180)
        # A verdict on what there is so far comes before the last curve.
        await until_in(app, pilot, lambda: "layer-matched (marked)" in app.plain_screen(), "the last control", 180)
        await until_in(app, pilot, lambda: "the most of 16" in app.plain_screen(), "every unit alone", 180)
        # Every unit alone is a second map beside the ranking's.
        ranking, alone = app.view.query("#ablation-maps LayerMap")
        assert np.isfinite(alone.picture.colour).all()
        assert ranking.picture.colour.shape == alone.picture.colour.shape == (4, 4)
        assert "the most of 16" in app.plain_screen()

    drive(press, cache, (160, 40))


@pytest.mark.slow
def test_the_first_result_of_an_empty_cache_takes_the_samples_place(cache: Path) -> None:
    from synergy_tui.bench.made import make_run
    from synergy_tui.explorer.open import sample
    from synergy_tui.explorer.watch import Seen
    from synergy_tui.store.cache import Cache

    async def look(app, pilot):
        async def job_ends(job: str) -> None:
            for state in ("running", "done"):
                status = {"id": job, "kind": "decompose", "state": state, "stages": [], "progress": 1.0, "error": None}
                seen = Seen(({**status, "after": None},), 0, "")
                app.post_message(app.Noticed(seen))
                await until_in(app, pilot, lambda seen=seen: app.seen is seen, state)

        assert app.shown.place.sample
        app._watcher.stop()  # what it would see is told below
        made = make_run(Cache.open(cache), 6, 4)
        await job_ends(made)
        await until_in(app, pilot, lambda: app.shown.place.id == made, "the result")
        # Whoever goes back to the sample stays there.
        app.open_run(sample())
        await until_in(app, pilot, lambda: app.shown.place.sample, "the sample")
        await job_ends("dother")
        await settle(app, pilot)
        assert app.shown.place.sample

    drive(look, cache)


@pytest.mark.worker
def test_the_process_stays_light(made: Path) -> None:
    """No torch, jax, transformers or scipy after a walk through every view, local atoms included."""
    script = """
import asyncio, sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from driving import drive, settle
async def walk(app, pilot):
    for key in ("u", "p", "t", "a", "c", "b", "J", "s", "escape", "escape", "n", "escape"):
        await pilot.press(key)
        await settle(app, pilot)
drive(walk, Path(sys.argv[1]))
print([name for name in ("torch", "jax", "transformers", "scipy") if name in sys.modules])
"""
    got = subprocess.run(
        [sys.executable, "-c", script, str(made), str(TESTS)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert got.returncode == 0, got.stderr
    assert got.stdout.strip() == "[]"


@pytest.mark.slow
def test_threads_end_with_the_app(made: Path) -> None:
    async def nothing(app, pilot):
        assert any(thread.name == "watch" for thread in threading.enumerate())

    drive(nothing, made)
    for thread in threading.enumerate():
        if thread.name == "watch":
            thread.join(5)
            assert not thread.is_alive()
