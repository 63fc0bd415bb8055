"""Themes: the terminal's own colours, a user's from a file, and what is said about one that cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest
from driving import drive, settle
from rich.color import ColorType

from synergy_tui.errors import UsageError
from synergy_tui.explorer import theme
from synergy_tui.explorer.views import VIEWS

MINE = """dark = false
background = "#fdf6e3"
foreground = "#586e75"
accent = "#d33682"
error = "#b00"
"""


def write(folder: Path, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "mine.toml").write_text(text, "utf-8")
    return folder


def test_the_terminals_theme_sends_no_colour_of_its_own(cache):
    """Every colour is one of the sixteen, or the terminal's default: none is given by its parts."""

    async def look(app, pilot):
        for one in VIEWS.values():
            await pilot.press(one.key)
            await settle(app, pilot)
            for strip in app.screen._compositor.render_strips():
                for segment in strip:
                    for colour in (segment.style.color, segment.style.bgcolor) if segment.style else ():
                        if colour is not None:
                            assert colour.type in (ColorType.DEFAULT, ColorType.STANDARD), (app.view.id, segment)

    drive(look, cache, theme="ansi")


def test_a_theme_from_a_file_colours_words_and_has_the_rest_from_ours(tmp_path, cache):
    folder = write(tmp_path / "themes", MINE)

    async def look(app, pilot):
        assert not app.ink.dark
        assert app.screen.styles.background.hex.lower() == "#fdf6e3"
        assert app.ink.accent.color.get_truecolor() == (0xD3, 0x36, 0x82)
        assert app.ink.levels[0].color.get_truecolor() == (0xBB, 0, 0)
        assert app.ink.good.color.name == theme.LIGHT.success
        await pilot.press("T")
        assert app.theme_word == "dark"
        for _ in range(3):
            await pilot.press("T")
        assert app.theme_word == "mine"

    drive(look, cache, theme="mine", themes=folder)


def test_a_theme_that_is_remembered_and_gone_is_let_go(tmp_path, cache):
    async def choose(app, pilot):
        app.state.theme = "mine"
        app.state.save()

    async def look(app, pilot):
        assert app.theme_word == "dark"

    drive(choose, cache)
    drive(look, cache)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("accent = 3", "accent = 3 is no colour"),
        ('accent = "purplish"', "accent = 'purplish' is no colour"),
        ('ground = "#000000"', "sets 'ground', which themes do not have"),
        ('dark = "yes"', "dark is true or false"),
        ("accent", "cannot be read"),
    ],
)
def test_a_file_that_is_no_theme_is_told(tmp_path, text, said):
    with pytest.raises(UsageError, match=said):
        theme.find("mine", write(tmp_path, text))


@pytest.mark.parametrize("word", ["mien", "../mine", "", "/etc/passwd", "a" * 300, "\0"])
def test_a_theme_that_is_not_there_is_told_with_those_that_are(tmp_path, word):
    folder = write(tmp_path / "themes", MINE)
    write(tmp_path, MINE)
    with pytest.raises(UsageError, match="choose one of dark, light, ansi, ansi-light, mine, "):
        theme.find(word, folder)


@pytest.mark.parametrize("name", ["nord", "solarized-light", "dracula"])
def test_textuals_own_are_there(name):
    assert theme.find(name, None).name == name
