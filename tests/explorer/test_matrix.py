"""The matrix of pairs: it fills its panel, every cell is drawn where a click finds it, and the cursor is an outline."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest
from textual.app import App, ComposeResult

from synergy_tui.explorer.widgets.ink import Ink
from synergy_tui.explorer.widgets.matrix import GAP, MARGIN, PairMatrix, levels

SIZES = [(40, 12), (60, 20), (76, 22), (100, 31), (116, 33), (160, 46), (196, 48)]


def drawn(units: int, per_layer: int, size: tuple[int, int], look: Any, ink: Ink | None = None, level: int = 0) -> None:
    matrix = np.random.default_rng(0).normal(size=(units, units)).astype(np.float32)
    np.fill_diagonal(matrix, np.nan)

    class Alone(App[None]):
        def compose(self) -> ComposeResult:
            yield PairMatrix(ink or Ink("256"))

    async def go() -> None:
        app = Alone()
        async with app.run_test(size=size) as pilot:
            widget = app.query_one(PairMatrix)
            widget.show(levels(matrix, per_layer)[level], (1, 2), per_layer)
            await pilot.pause()
            look(widget)

    asyncio.run(go())


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("layers", [6, 12, 24, 30])
def test_layers_fill_the_panel_and_have_nearly_equal_heights(size, layers):
    def look(widget):
        assert widget._rows == list(range(layers))
        heights = [widget._down(place + 1) - widget._down(place) for place in range(layers)]
        widths = [widget._across(place + 1) - widget._across(place) for place in range(layers)]
        assert max(heights) - min(heights) <= 1
        assert max(widths) - min(widths) <= 1
        lines = size[1] - 1
        room = 8 * lines / layers
        if 6 <= room <= 24:
            # A part of a line less than a whole one is left where numbers stand in the cells.
            spare = 8 * layers if widget._numbers else layers + 8
            assert 8 * lines - sum(heights) <= spare
        if 2 <= (size[0] - MARGIN) / layers <= 6 * room / 8 and (size[0] - MARGIN) / layers <= 7:
            assert size[0] - MARGIN - sum(widths) <= 1

    if layers * 4 <= 8 * (size[1] - 1):
        drawn(layers * 2, 2, size, look)


@pytest.mark.parametrize("system", ["256", None])
@pytest.mark.parametrize("size", SIZES)
def test_a_click_finds_the_cell_that_is_drawn_there(size, system):
    def look(widget):
        for row in set(widget._rows) - {GAP}:
            for column in set(widget._columns) - {GAP}:
                place = widget._rows.index(row)
                y = 1 + widget._main_line(place)
                x = MARGIN + widget._across(widget._columns.index(column))
                found = widget.cell_at(x, y)
                if found is None or found[0] != row:  # two have as much of the line: one of them
                    assert len(widget._shares(y - 1)) == 2
                else:
                    assert found == (row, column)
                    assert widget._region((row, column)).contains(x, y)

    drawn(60, 2, size, look, Ink(system))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("layers", [6, 12, 30])
def test_the_cursor_is_an_outline_on_the_colour_of_its_cell(size, layers):
    def look(widget):
        before = {}
        for cursor in ((layers - 1, layers - 1), (1, 2)):
            widget.point(cursor)
            before[cursor] = [widget.render_line(y) for y in range(size[1])]
        row, column = widget._rows.index(1), widget._columns.index(2)
        y = 1 + widget._main_line(row)
        left, right = (MARGIN + widget._across(one) for one in (column, column + 1))
        there, away = (before[one][y].crop(left, right) for one in ((1, 2), (layers - 1, layers - 1)))
        assert list(there) != list(away)
        inner = [one.crop(1, right - left - 1) for one in (there, away)]
        if right - left > 2:  # between the edges a cell is what it was
            assert [(one.text, one.style) for one in inner[0]] == [(one.text, one.style) for one in inner[1]]

    if layers * 4 <= 8 * (size[1] - 1):
        drawn(layers * 2, 2, size, look)


def test_cells_with_room_hold_their_value():
    def look(widget):
        for row in range(4):
            line = widget.render_line(1 + widget._main_line(row)).text
            numbers = line[MARGIN:].replace("[", " ").replace("]", " ").split()
            known = [one for one in widget.level.values[row, :4] if np.isfinite(one)]
            assert [float(one) for one in numbers if one != "·"] == pytest.approx(known, abs=0.051)

    drawn(8, 2, (60, 34), look)
    drawn(4, 2, (60, 34), look, level=1)
