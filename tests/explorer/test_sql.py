"""SQL in the explorer: its colours, where it goes wrong, and the way back from its map."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest
from driving import drive, settle, until_in
from rich.color import Color

from synergy_tui.drawing.scale import contrast, luminance
from synergy_tui.explorer.theme import DARK, LIGHT
from synergy_tui.explorer.widgets.editor import SQLEditor, dress, tokens
from synergy_tui.explorer.widgets.ink import Ink


def kinds(line: str, inside: str = "") -> list[tuple[str, str]]:
    return [(line[one.start : one.end], one.kind) for one in tokens(line, inside)[0]]


def test_a_line_of_sql_is_told_apart() -> None:
    assert kinds("SELECT a1, 'it''s' AS \"my x\", 1.5e-3 FROM heads -- WHERE 'no") == [
        ("SELECT", "keyword"),
        ("a1", "word"),
        ("'it''s'", "string"),
        ("AS", "keyword"),
        ('"my x"', "name"),
        ("1.5e-3", "number"),
        ("FROM", "keyword"),
        ("heads", "word"),
        ("-- WHERE 'no", "comment"),
    ]
    assert kinds("a /* b */ 2") == [("a", "word"), ("/* b */", "comment"), ("2", "number")]


@pytest.mark.parametrize(
    ("line", "inside", "left"),
    [
        ("SELECT 1", "", ""),
        ("SELECT 'ab", "", "'"),
        ("SELECT 'a''", "", "'"),
        ("and on", "'", "'"),
        ("it''s' /* x", "'", "/*"),
        ("SELECT 1 */ 2", "/*", ""),
        ("/*/", "", "/*"),
        ('a "b', "", '"'),
        ("-- 'a", "", ""),
    ],
)
def test_what_a_line_leaves_open_is_known_in_the_next(line: str, inside: str, left: str) -> None:
    assert tokens(line, inside)[1] == left


@pytest.mark.parametrize(("system", "dark"), list(product(("truecolor", "256", "standard"), (True, False))))
def test_every_kind_is_readable_on_its_ground(system: str, dark: bool) -> None:
    # In sixteen colours the ground is what the terminal has: black or white.
    name = (DARK if dark else LIGHT).background or ""
    ground = Color.parse(("#000000" if dark else "#ffffff") if system == "standard" else name).get_truecolor()
    styles = dress(Ink(system, dark=dark))
    colours = [style.color for style in styles if style.color is not None]
    assert len(colours) == len(styles)
    assert all(contrast(luminance(*one.get_truecolor()), luminance(*ground)) >= 4.5 for one in colours)


def test_without_colour_weight_and_slant_tell_kinds_apart() -> None:
    styles = dress(Ink(None))
    assert all(style.color is None for style in styles)
    assert len({str(style) for style in (styles.keyword, styles.string, styles.number, styles.comment)}) == 4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sql", "word", "told"),
    [
        ("\n  SELEC 1", "SELEC", "line 1, column 1"),
        ("SELECT 'ä日', layr\nFROM heads", "layr", "line 1, column 14"),
        ("SELECT layer\nFROM heads\nWHERE rank = = 3", "=", "line 3, column 14"),
        ("SELECT 'a\nb', 1 FROM head", "head", "line 2, column 12"),
        ("SELECT layer, 'never closed", "'never closed", "line 1, column 15"),
    ],
)
def test_the_cursor_goes_where_the_query_is_wrong(made: Path, sql: str, word: str, told: str) -> None:
    async def ask(app, pilot):
        await pilot.press("s")
        await settle(app, pilot)
        editor = app.view.editor
        editor.text = sql
        await pilot.press("f5")
        await until_in(app, pilot, lambda: app.view._stop is None, "the answer")
        assert editor.faulty == word
        row, column = editor.cursor_location
        assert editor.document.get_line(row)[column:].startswith(word)
        assert told in " ".join(app.plain_screen().split())
        marked = editor.get_line(row).get_style_at_offset(app.console, column)
        assert marked.reverse
        await pilot.press("x")
        assert not editor.faulty

    drive(ask, made)


@pytest.mark.slow
@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
def test_a_message_of_the_database_is_there_whole(made: Path, size: tuple[int, int]) -> None:
    async def ask(app, pilot):
        await pilot.press("s")
        await settle(app, pilot)
        app.view.editor.text = "SELECT decompositio FROM heads"
        await pilot.press("f5")
        await until_in(app, pilot, lambda: app.view._stop is None, "the answer")
        await settle(app, pilot)
        lines = [line[: app.view.query_one("#sql-left").size.width] for line in app.plain_screen().split("\n")]
        shown = " ".join(" ".join(lines).split())
        assert 'Referenced column "decompositio" not found in FROM clause! Candidate bindings: "decomposition"' in shown
        assert "their columns with: DESCRIBE heads" in shown

    drive(ask, made, size)


@pytest.mark.slow
def test_names_of_the_catalogue_have_a_colour_of_their_own(made: Path) -> None:
    async def look(app, pilot):
        await pilot.press("s")
        await settle(app, pilot)
        editor: SQLEditor = app.view.editor
        editor.text = "SELECT beauty, sts FROM heads\n-- all"
        line = editor.get_line(0)
        style = lambda column: line.get_style_at_offset(app.console, column)  # noqa: E731
        known = dress(app.ink).known
        assert [style(place).color == known.color for place in (7, 15, 24)] == [False, True, True]
        assert style(0).color == dress(app.ink).keyword.color
        # What is open in a line colours the next ones, and no longer when it is closed.
        editor.text = "/* SELECT\nSELECT 1"
        assert editor.get_line(1).get_style_at_offset(app.console, 0) == dress(app.ink).comment
        editor.insert("*/", (0, 0))
        await pilot.pause()
        assert editor.get_line(1).get_style_at_offset(app.console, 0) == dress(app.ink).comment
        editor.insert("*/", (0, 11))
        await pilot.pause()
        assert editor.get_line(1).get_style_at_offset(app.console, 0) == dress(app.ink).keyword

    drive(look, made)


@pytest.mark.slow
def test_a_querys_map_has_its_own_title_and_the_way_back(made: Path) -> None:
    async def walk(app, pilot):
        app.selection.unit, app.selection.score = 22, "difference"
        app.selection.mark(frozenset({1, 22}))
        await pilot.press("s")
        await settle(app, pilot)
        for _ in range(2):  # a second map does not take the place of the run behind the first
            app.view.editor.text = "SELECT layer, unit,\n sts AS beauty FROM heads WHERE unit < 2 AND layer < 3"
            await pilot.press("f5")
            await until_in(app, pilot, lambda: app.view._stop is None, "the answer")
            await pilot.press("ctrl+g")
            await until_in(app, pilot, lambda: app.view.id == "atlas", "the map")
            await settle(app, pilot)
            assert app.shown.shape == (3, 2)
            screen = app.plain_screen().split("\n")
            assert screen[0].startswith(" synergy-tui  query: SELECT layer, unit, sts AS beauty")
            assert "escape: back to d6x4" in screen[0]
            assert "beauty · query: SELECT layer" in screen[1]
            assert not app.selection.marks - {1}
            await pilot.press("s")
            await settle(app, pilot)
        await pilot.press("escape", "escape")
        await until_in(app, pilot, lambda: app.view.id == "atlas", "the map")
        await pilot.press("escape")
        await until_in(app, pilot, lambda: app.shown.place.id == "d6x4", "the way back")
        assert (app.selection.unit, app.selection.score) == (22, "difference")
        assert app.selection.marks == {1, 22}
        await settle(app, pilot)
        assert "back to" not in app.plain_screen()
        await pilot.press("escape")
        await settle(app, pilot)
        assert app.shown.place.id == "d6x4"

    drive(walk, made)


@pytest.mark.slow
def test_brackets_in_a_query_are_brackets_in_its_title(made: Path) -> None:
    async def ask(app, pilot):
        await pilot.press("s")
        await settle(app, pilot)
        app.view.editor.text = "SELECT 1 AS layer, 0 AS unit, [5, 7][2] AS x, '[/b][red]' AS y"
        await pilot.press("f5")
        await until_in(app, pilot, lambda: app.view._stop is None, "the answer")
        await pilot.press("ctrl+g")
        await until_in(app, pilot, lambda: app.shown.units == 2, "the map")
        await settle(app, pilot)
        first, second = app.plain_screen().split("\n")[:2]
        assert "query: SELECT 1 AS layer, 0 AS unit, [5, 7][2] AS x, '[/b][red]' AS y, 1 row  escape" in first
        assert "x · query: SELECT 1 AS layer, 0 AS unit, [5, 7][2] AS x, '[/b][red]' AS y" in second

    drive(ask, made, (200, 40))


@pytest.mark.slow
def test_whoever_leaves_from_a_querys_map_comes_back_to_the_run(made: Path) -> None:
    async def leave(app, pilot):
        app.selection.unit = 23
        await pilot.press("s")
        await settle(app, pilot)
        app.view.editor.text = "SELECT 0 AS layer, 1 AS unit, 2.5 AS x"
        await pilot.press("f5")
        await until_in(app, pilot, lambda: app.view._stop is None, "the answer")
        await pilot.press("ctrl+g")
        await until_in(app, pilot, lambda: app.shown.units == 2, "the map")
        await pilot.press("q")

    async def again(app, pilot):
        assert app.shown.place.id == "d6x4"
        assert app.selection.unit == 23

    drive(leave, made)
    drive(again, made)
