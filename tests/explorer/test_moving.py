"""Getting around: back, by name, by mouse, from panel to panel; and what the first start shows."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest
from driving import drive, make, settle, type_in, until_in
from textual import events

from synergy_tui.bench.made import make_run
from synergy_tui.explorer.app import Explorer
from synergy_tui.explorer.dialogs.tour import STEPS, Tour
from synergy_tui.explorer.finding import has
from synergy_tui.explorer.history import History, Stop
from synergy_tui.explorer.runs import RunsPanel
from synergy_tui.explorer.state import FILE
from synergy_tui.settings import load
from synergy_tui.store.cache import Cache


def stop(view: str, unit: int = 0) -> Stop:
    return Stop(view, None, unit, "sts")


def test_history_gives_stops_back_the_last_first_and_never_the_one_that_is_here() -> None:
    history = History()
    for one in (stop("atlas"), stop("atlas"), stop("unit"), stop("tokens")):
        history.leave(one)
    assert history.back(stop("tokens")) == stop("unit")
    assert history.back(stop("unit")) == stop("atlas")
    assert history.back(stop("atlas")) is None


@pytest.mark.slow
def test_ctrl_o_goes_back_over_views_units_and_runs(tmp_path: Path) -> None:
    cache = Cache.open(tmp_path / "cache")
    for name in ("one", "two"):
        make_run(cache, 6, 4, name=name)

    async def press(app, pilot):
        first = app.shown.place.id
        app.go_to(7)
        await pilot.press("t")
        await settle(app, pilot)
        (other,) = [place for _, place in app.query_one(RunsPanel).places() if place.id in {"done", "dtwo"} - {first}]
        app.visit(other)
        await until_in(app, pilot, lambda: app.shown.place.id == other.id, "the other run")
        await pilot.press("ctrl+o")
        await until_in(app, pilot, lambda: app.shown.place.id == first, "the run before")
        assert app.view.id == "tokens"
        await pilot.press("ctrl+o")
        await until_in(app, pilot, lambda: app.view.id == "atlas", "the view before")
        assert app.selection.unit == 7
        await pilot.press("ctrl+o")
        await until_in(app, pilot, lambda: app.selection.unit == 0, "the unit before")
        await pilot.press("ctrl+o")
        await until_in(app, pilot, lambda: "nothing to go back to" in app.plain_screen(), "the end")

    drive(press, cache.folder)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("typed", "reached"),
    [
        ("3.2", lambda app: app.selection.unit == 3 * 4 + 2),
        ("done", lambda app: app.shown.place.id == "done"),
        ("difficulty", lambda app: app.view.id == "difficulty"),
    ],
)
def test_a_colon_takes_a_unit_a_run_or_a_view(tmp_path: Path, typed: str, reached) -> None:
    cache = Cache.open(tmp_path / "cache")
    for name in ("one", "two"):
        make_run(cache, 6, 4, name=name)

    async def press(app, pilot):
        await pilot.press("colon")
        await type_in(pilot, typed)
        await settle(app, pilot, rest=0.5)
        await pilot.press("enter")
        await settle(app, pilot)
        await pilot.press("enter")
        await until_in(app, pilot, lambda: reached(app), typed)

    drive(press, cache.folder)


@pytest.mark.parametrize(
    ("text", "word", "found"),
    [
        ("smollm2-135m-instruct cognitive 18×64", "cogn", True),
        ("smollm2-135m-instruct cognitive 18×64", "cognitve", True),
        ("smollm2-135m-instruct cognitive 18×64", "smolm2", True),
        ("smollm2-135m-instruct cognitive 18×64", "instrct", True),
        ("smollm2-135m-instruct cognitive 18×64", "arithmetic", False),
        ("smollm2-135m-instruct cognitive 18×64", "18×6", True),
        ("level 5 of 8", "8 o", False),
    ],
)
def test_the_search_forgives_one_letter(text: str, word: str, found: bool) -> None:
    assert has(text, word) is found


def mouse(kind, map_, unit, **more):
    region = map_.region_of(*unit)
    x, y = region.x, region.y
    given = {"delta_x": 0, "delta_y": 0, "button": 1, "shift": False, "meta": False, "ctrl": False} | more
    map_._forward_event(kind(map_, x, y, **given))  # as the screen hands on what the terminal sends


@pytest.mark.slow
def test_the_mouse_hovers_drags_and_wheels(made: Path) -> None:
    async def press(app, pilot):
        map_ = app.view.map
        mouse(events.MouseMove, map_, (3, 1), button=0)
        await until_in(app, pilot, lambda: "mouse at" in app.plain_screen(), "the hovered unit")
        assert app.selection.unit == 0
        line = next(one for one in app.plain_screen().split("\n") if "mouse at" in one)
        assert line.split()[:3] == ["mouse", "at", "3.1"], line
        mouse(events.MouseDown, map_, (1, 0))
        mouse(events.MouseMove, map_, (2, 2))
        mouse(events.MouseUp, map_, (2, 2))
        await until_in(app, pilot, lambda: app.selection.marks == {4, 5, 6, 8, 9, 10}, "the rectangle")
        mouse(events.MouseScrollDown, map_, (2, 2), button=0)
        await until_in(app, pilot, lambda: app.selection.unit == 3 * 4 + 2, "the wheel")
        mouse(events.MouseScrollUp, map_, (2, 2), button=0, shift=True)
        await until_in(app, pilot, lambda: app.selection.unit == 3 * 4 + 1, "the wheel with shift")
        map_._forward_event(events.Leave(map_))
        await until_in(app, pilot, lambda: "mouse at" not in app.plain_screen(), "the mouse's leaving")

    drive(press, made)


@pytest.mark.slow
def test_a_letter_takes_the_keys_to_its_panel(made: Path) -> None:
    async def press(app, pilot):
        await pilot.press("s")
        await settle(app, pilot)
        await pilot.press("escape", "semicolon")
        await settle(app, pilot)
        panels = app.screen._places
        (letter,) = [key for key, (panel, _) in panels.items() if panel.id == "sql-schema-pane"]
        await pilot.press(letter)
        await settle(app, pilot)
        assert app.focused.id == "schema"
        await pilot.press("Z")
        await settle(app, pilot)
        assert not app.view.query_one("#sql-left").display
        assert app.view.query_one("#schema").size.width > 80
        await pilot.press("Z")
        await settle(app, pilot)
        assert app.view.query_one("#sql-left").display

    drive(press, made)


@pytest.mark.slow
def test_the_cursor_begins_on_the_most_extreme_unit_and_then_where_it_was(made: Path) -> None:
    async def first(app, pilot):
        score = app.shown.scores[app.selection.score]
        far = abs(score.colour() - 0.5)
        assert app.selection.unit == int(far.argmax()) != 0
        await pilot.press("right")
        first.unit = app.selection.unit
        await pilot.press("q")

    async def second(app, pilot):
        assert app.selection.unit == first.unit

    app = make(made)
    app._nowhere = True

    async def go() -> None:
        async with app.run_test(size=(120, 40)) as pilot:
            await settle(app, pilot)
            await first(app, pilot)

    asyncio.run(go())
    drive(second, made)


@pytest.mark.slow
def test_the_tour_is_shown_once_over_the_sample_and_says_five_things(cache: Path) -> None:
    settings = replace(load(cache), state=cache.parent / "state", tmux=False)

    async def go(seen: list[str]) -> None:
        app = Explorer(settings)
        async with app.run_test(size=(80, 24)) as pilot:
            await settle(app, pilot)
            while isinstance(app.screen, Tour):
                seen.append(app.plain_screen())
                await pilot.press("enter")
                await settle(app, pilot)
            await pilot.press("q")

    first: list[str] = []
    asyncio.run(go(first))
    assert len(first) == len(STEPS)
    for page, step in zip(first, STEPS, strict=True):
        assert step.title in page
        inside = [line.split("│")[1:-1] for line in page.split("\n")]
        said = " ".join(" ".join(" ".join(parts).split()) for parts in inside if parts)
        assert " ".join(step.text.split()) in said, step.title
    assert json.loads((cache.parent / "state" / FILE).read_text("utf-8"))["toured"]
    again: list[str] = []
    asyncio.run(go(again))
    assert not again


@pytest.mark.slow
def test_tmux_is_told_of_once(made: Path) -> None:
    settings = replace(load(made), state=made.parent / "state", tmux=True)

    async def go() -> bool:
        app = Explorer(settings)
        async with app.run_test(size=(120, 36), notifications=True) as pilot:
            await settle(app, pilot)
            told = "escape-time" in app.plain_screen()
            await pilot.press("q")
        return told

    assert asyncio.run(go())
    assert not asyncio.run(go())


@pytest.mark.slow
def test_while_a_cache_opens_the_last_map_is_there_without_values(made: Path) -> None:
    async def look(app, pilot):
        await pilot.press("q")

    drive(look, made)
    app = make(made)
    assert app.state.shape() == (6, 4)
    shown: list[str] = []
    before = app.begin

    def begin() -> None:  # the first paint comes before the cache is opened
        app.call_after_refresh(lambda: shown.append(app.plain_screen()))
        before()

    app.begin = begin

    async def go() -> None:
        async with app.run_test(size=(80, 24)) as pilot:
            await settle(app, pilot)

    asyncio.run(go())
    rows = [line for line in shown[0].split("\n") if line.count("·") == 4]
    assert [row.split()[0] for row in rows] == ["0", "1", "2", "3", "4", "5"]


@pytest.mark.slow
@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
def test_a_message_covers_the_header_and_nothing_else(made: Path, size: tuple[int, int]) -> None:
    async def look(app, pilot):
        before = app.plain_screen().split("\n")
        app.say("Something was saved.")
        await until_in(app, pilot, lambda: "Something was saved" in app.plain_screen(), "the message")
        after = app.plain_screen().split("\n")
        assert "Something was saved" in after[0]
        assert after[1:] == before[1:]

    drive(look, made, size)
