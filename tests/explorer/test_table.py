"""The table of the explorer: its order, by key and by mouse, and what it tells of it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from driving import drive, settle, until_in
from textual.app import App, ComposeResult

from synergy_tui.explorer.widgets.ink import Ink
from synergy_tui.explorer.widgets.table import ResultTable, in_order

NAN = float("nan")


@pytest.mark.parametrize(
    ("values", "up", "down"),
    [
        ([3, 1.5, Decimal(2), True], [3, 1, 2, 0], [0, 2, 1, 3]),
        ([2, None, 1, NAN, Decimal("NaN"), 2], [2, 0, 5, 1, 3, 4], [0, 5, 2, 1, 3, 4]),
        (["10.1", "2.10", "2.9", "b", "A"], [2, 1, 0, 4, 3], [3, 4, 0, 1, 2]),
        (["a", 5, None, [1, 2], ""], [1, 4, 3, 0, 2], [0, 3, 4, 1, 2]),
        ([float("inf"), -float("inf"), 0], [1, 2, 0], [0, 2, 1]),
        ([], [], []),
    ],
)
def test_values_come_in_their_order_and_missing_ones_last(values: list, up: list[int], down: list[int]) -> None:
    assert in_order(values, False) == up
    assert in_order(values, True) == down


def test_equal_values_stay_as_they_were_in_both_directions() -> None:
    draw = random.Random(0)
    values = [draw.choice([0, 1, 2, None]) for _ in range(200)]
    for down in (False, True):
        order = in_order(values, down)
        for one in (0, 1, 2, None):
            same = [place for place in order if values[place] == one]
            assert same == sorted(same)


class Alone(App[None]):
    """A table and nothing else."""

    ROWS = ((0.5, "b", None), (2.0, "a", 1), (1.0, "c", None), (1.0, "d", 3))

    def __init__(self, ascii: bool = False) -> None:
        super().__init__()
        self.told: list[int] = []
        self._ascii = ascii

    def compose(self) -> ComposeResult:
        yield ResultTable(Ink("256", self._ascii))

    def on_result_table_moved(self, message: ResultTable.Moved) -> None:
        self.told.append(message.row)


def alone(script: Callable[[Alone, Any], Awaitable[None]], size: tuple[int, int] = (60, 10), **given: bool) -> None:
    """Runs a script on a table alone."""

    async def go() -> None:
        app = Alone(**given)
        async with app.run_test(size=size) as pilot:
            await script(app, pilot)

    asyncio.run(go())


def lines(table: ResultTable) -> list[str]:
    return [table.render_line(y).text.rstrip() for y in range(5)]


def letters(table: ResultTable) -> str:
    return "".join(line.split()[1] for line in lines(table)[1:])


def test_a_key_sorts_by_the_column_under_the_cursor_and_rows_keep_their_numbers() -> None:
    async def walk(app, pilot):
        table = app.query_one(ResultTable)
        table.show(["value", "name", "made"], app.ROWS)
        table.focus()
        await pilot.pause()
        assert letters(table) == "bacd"
        await pilot.press("O")
        assert letters(table) == "bcda"
        assert lines(table)[0].startswith("value▲ name")
        await pilot.press("O")
        assert letters(table) == "acdb"
        assert lines(table)[0].startswith("value▼ name")
        # The cursor stays on its row, here the last one, and tells rows as they were given.
        assert table.cursor_row == 0
        await pilot.press("up")
        assert table.cursor_row == 3
        await pilot.press("home")
        assert table.cursor_row == 1
        await pilot.press("O")
        assert letters(table) == "bacd"
        assert "▲" not in lines(table)[0]
        await pilot.press("right", "O")
        assert letters(table) == "abcd"
        await pilot.press("right", "right", "O", "O")
        assert letters(table) == "dabc"
        assert table.ordered[0] == app.ROWS[3]
        await pilot.pause()
        assert app.told == [3, 1]

    alone(walk)


def test_a_click_on_a_heading_sorts_and_one_on_a_row_points_at_it() -> None:
    async def walk(app, pilot):
        table = app.query_one(ResultTable)
        table.show(["value", "name", "made"], app.ROWS)
        await pilot.pause()
        await pilot.click(ResultTable, offset=(9, 0))
        assert letters(table) == "abcd"
        assert lines(table)[0] == "value  name^ made"
        await pilot.click(ResultTable, offset=(9, 0))
        assert letters(table) == "dcba"
        assert lines(table)[0] == "value  namev made"
        await pilot.click(ResultTable, offset=(2, 2))
        assert table.cursor_row == 2
        await pilot.click(ResultTable, offset=(50, 0))
        assert letters(table) == "dcba"

    alone(walk, ascii=True)


def test_a_table_that_is_filled_anew_stays_sorted_where_it_is_kept() -> None:
    async def walk(app, pilot):
        table = app.query_one(ResultTable)
        table.show(["value", "name"], app.ROWS)
        table.focus()
        await pilot.press("right", "O")
        table.go(3)
        table.show(["value", "name"], [*app.ROWS[:3], (9.0, "aa"), (8.0, "z")], keep=True)
        assert [line.split()[1] for line in lines(table)[1:]] == ["a", "aa", "b", "c"]
        assert table.cursor_row == 3
        table.show(["value", "name"], app.ROWS)
        assert letters(table) == "bacd"

    alone(walk)


def test_the_column_under_the_cursor_comes_into_sight() -> None:
    async def walk(app, pilot):
        table = app.query_one(ResultTable)
        table.show([f"column{place}" for place in range(9)], [tuple(range(9))])
        table.focus()
        for _ in range(8):
            await pilot.press("right")
        await pilot.pause()
        assert "column8" in lines(table)[0]
        for _ in range(8):
            await pilot.press("left")
        await pilot.pause()
        assert lines(table)[0].startswith("column0")

    alone(walk, (20, 6))


@pytest.mark.slow
def test_partners_are_opened_as_they_are_pointed_at_in_any_order(made: Path) -> None:
    async def walk(app, pilot):
        await pilot.press("u")
        await settle(app, pilot)
        table = app.view.query_one(ResultTable)
        await until_in(app, pilot, lambda: len(table.rows) > 3, "the partners")
        await pilot.press("O", "O", "down")
        names = [row[0] for row in table.ordered]
        assert names == sorted(names, key=lambda name: [-int(part) for part in name.split(".")])
        await settle(app, pilot)
        assert "partner▼" in app.plain_screen()
        first = table.rows[table.cursor_row]
        assert list(app.view.table()[1][0]) == list(table.ordered[0])
        await pilot.press("enter")
        await until_in(app, pilot, lambda: app.view.id == "pairs", "the pair")
        assert app.shown.name(app.selection.partner) == first[0]

    drive(walk, made)


@pytest.mark.slow
def test_the_answer_of_a_query_is_sorted_and_copied_so(made: Path) -> None:
    async def ask(app, pilot):
        await pilot.press("s")
        await settle(app, pilot)
        app.view.editor.text = "SELECT range AS a, (range * 7) % 10 AS b FROM range(10)"
        await pilot.press("f5")
        await until_in(app, pilot, lambda: app.view._stop is None, "the answer")
        await pilot.press("escape", "right", "O", "home", "down")
        await settle(app, pilot)
        assert [row[1] for row in app.view.table()[1]] == list(range(10))
        assert app.view.value() == "3\t1"
        assert "O" in [key for one in app.view.result.BINDINGS for key in one.key.split(",")]
        await pilot.press("question_mark")
        await settle(app, pilot)
        assert "Keys in tables" in app.screen.query_one("#help-lines").plain

    drive(ask, made)


def test_a_table_with_its_own_order_is_not_sorted() -> None:
    class Folded(ResultTable):
        SORTS = False

    class Other(Alone):
        def compose(self) -> ComposeResult:
            yield Folded(Ink("256"))

    async def go() -> None:
        app = Other()
        async with app.run_test(size=(20, 8)) as pilot:
            table = app.query_one(ResultTable)
            table.show(["value", "name" * 8, "made"], app.ROWS)
            table.focus()
            await pilot.press("O")
            await pilot.click(ResultTable, offset=(9, 0))
            assert letters(table) == "bacd"
            assert not any(one.style.reverse for one in table.render_line(0))
            await pilot.press("right")
            await pilot.pause()
            assert table.scroll_offset.x == 8

    asyncio.run(go())
