"""A response token by token: the outline of the cursor, the legend of its colours, the whole text."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest
from driving import drive, settle, until_in
from rich.segment import Segment
from rich.style import Style
from textual.app import App, ComposeResult

from synergy_tui.drawing import scale
from synergy_tui.explorer import telling
from synergy_tui.explorer.dialogs.whole import Whole, wrapped
from synergy_tui.explorer.widgets.ink import Ink
from synergy_tui.explorer.widgets.tokentext import TokenText
from synergy_tui.terms import ATOMS

PIECES = ["The", " cat", " sat", ",", "and", "\n", " so"]
COLOUR = np.array([np.nan, 0.1, 0.9, 0.5, 0.6, 0.2, 0.8])


def drawn(ink: Ink, step: int, width: int = 40) -> list[list[Segment]]:
    """The rows with the cursor on a step."""

    class Alone(App[None]):
        def compose(self) -> ComposeResult:
            yield TokenText(ink)

    async def go() -> list[list[Segment]]:
        app = Alone()
        async with app.run_test(size=(width, 4)) as pilot:
            text = app.query_one(TokenText)
            text.show(PIECES, COLOUR, step)
            await pilot.pause()
            return [text._segments(row) for row in text._rows]

    return asyncio.run(go())


@pytest.mark.parametrize("system", ["truecolor", "256", "standard", "ansi"])
@pytest.mark.parametrize("dark", [True, False])
def test_the_cursor_is_an_outline_and_the_token_keeps_its_colour(system: str, dark: bool) -> None:
    ink = Ink(system, dark=dark)
    row, *_ = drawn(ink, 1)
    assert [one.text for one in row][:5] == ["The", "▐", "cat", "▌", "sat"]
    colours = ink.colours(True)
    grounds = [scale.ground(colours[scale.step(COLOUR[step], len(colours))]) for step in (1, 2)]
    styles = [one.style for one in row]
    assert [one.bgcolor for one in styles[1:5]] == [grounds[0].bgcolor] * 2 + [grounds[1].bgcolor] * 2
    assert styles[2] == grounds[0] + Style(bold=True, underline=True)
    assert styles[4] == grounds[1]
    # It is nowhere else.
    assert not any(one.bold or one.underline for one in (styles[0], *styles[4:]))


def test_a_token_without_blanks_around_it_is_reversed() -> None:
    row, after = drawn(Ink("256"), 3)
    assert [(one.text, one.style.reverse) for one in row[3:5]] == [(",", True), ("and", None)]
    assert [one.text for one in row][:3] == ["The", " cat", " sat"]
    # The last of a row that begins with a blank has an edge there; the next row has none.
    row, after = drawn(Ink("256"), 6)
    assert [(one.text, one.style.underline) for one in after] == [("▐", None), ("so", True)]


def test_without_colour_the_cursor_is_no_value() -> None:
    looks = {str(one.style) for step in range(len(PIECES)) for row in drawn(Ink(None), step) for one in row}
    here = [one.style for row in drawn(Ink(None, ascii=True), 2) for one in row if one.text == "sat"]
    assert [one.reverse for one in here] == [True]
    text = TokenText(Ink(None))
    values = {str(text.style_of(value)) for value in np.linspace(0, 1, 50)}
    assert len(values) == 3
    assert not any("reverse" in one for one in values)
    assert any("reverse" in one for one in looks)
    assert "[" in [one.text for row in drawn(Ink(None, ascii=True), 2) for one in row]


@pytest.mark.slow
def test_the_legend_has_the_ends_of_the_scale_in_nats(made: Path) -> None:
    async def look(app, pilot):
        app.selection.unit = 22
        await pilot.press("t")
        await settle(app, pilot)
        for atom, word in (("sts", "synergy (sts)"), ("rtr", "redundancy (rtr)")):
            assert app.view._atom() == atom
            values = app.view._response.atoms[:, ATOMS.index(atom)]
            reach = float(np.nanmax(np.abs(values)))
            legend = app.view.query_one("#tokens-legend").plain
            ends = (telling.number(-reach, True), telling.number(reach, True))
            assert legend.split()[:4] == [ends[0], ends[1], "nats,", "local"]
            assert f"local {word}" in legend
            await pilot.press("r")
            await settle(app, pilot)

    drive(look, made)


@pytest.mark.slow
def test_without_colour_the_legend_says_what_weights_are(made: Path) -> None:
    async def look(app, pilot):
        app.selection.unit = 22
        await pilot.press("t")
        await settle(app, pilot)
        reach = float(np.nanmax(np.abs(app.view._response.atoms[:, ATOMS.index("sts")])))
        legend = " ".join(app.view.query_one("#tokens-legend").plain.split())
        third = telling.number(reach / 3)
        assert legend.startswith(f"word below -{third} word between word above {third} of")

    drive(look, made, colour="none")


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("one two three", 7, ["one two", "three"]),
        ("one two three", 6, ["one", "two", "three"]),
        ("a\n\nb\x1b[31m", 20, ["a", "", "b\\x1b[31m"]),
        ("abcdefghij", 4, ["abcd", "efgh", "ij"]),
        ("a  b", 2, ["a ", "b"]),
        ("    indented text", 12, ["    indented", "text"]),
        ("日本語 text", 5, ["日本", "語", "text"]),
        ("", 9, [""]),
        ("x\r\ny\tz", 9, ["x", "y\\tz"]),
    ],
)
def test_a_text_is_wrapped_whole(text: str, width: int, lines: list[str]) -> None:
    assert wrapped(text, width) == lines


@pytest.mark.slow
def test_w_shows_prompt_and_response_to_their_last_word(cache: Path) -> None:
    async def look(app, pilot):
        await pilot.press("t")
        await settle(app, pilot)
        response = app.view._response
        await pilot.press("W")
        await until_in(app, pilot, lambda: isinstance(app.screen, Whole), "the text")
        await settle(app, pilot)
        squeezed = "".join(app.screen.query_one("#whole-lines").plain.split())
        assert "".join(response.asked.split()) in squeezed
        assert "".join("".join(response.pieces).split()) in squeezed
        # Where there is not room for all of it, keys scroll.
        await pilot.press("end")
        await settle(app, pilot)
        last = response.pieces[-2].strip()
        assert last in app.plain_screen()
        await pilot.press("escape")
        await settle(app, pilot)
        assert app.view.id == "tokens"

    drive(look, cache, (60, 14))
