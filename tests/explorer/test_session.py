"""What the explorer does with what is odd, lost, locked or hostile: a message in place, never a crash."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from driving import drive, settle, until_in
from textual import events
from textual.command import CommandList
from textual.errors import NoWidget
from textual.widgets import Input

from synergy_tui.bench.made import make_run
from synergy_tui.errors import CacheError
from synergy_tui.explorer import actions, session
from synergy_tui.explorer import open as opening
from synergy_tui.explorer.views import VIEWS, every_action
from synergy_tui.jobs import processes
from synergy_tui.store.cache import Cache


@pytest.mark.slow
def test_a_first_start_opens_on_the_sample_and_says_so(cache: Path) -> None:
    async def look(app, pilot):
        assert app.shown.place.sample
        assert "sample result" in app.plain_screen().splitlines()[0]

    drive(look, cache)


def test_a_run_that_is_opened_while_the_tree_is_read_was_not_deleted(cache: Path, monkeypatch: Any) -> None:
    """The tree is older than the run then."""
    read = opening.tree

    async def look(app, pilot):
        before = app.shown

        def late(there: Cache) -> opening.RunTree:
            found = read(there)
            app.call_from_thread(setattr, app, "shown", replace(before))
            return replace(found, ids=frozenset())

        monkeypatch.setattr(opening, "tree", late)
        app.refresh_tree()
        await settle(app, pilot)
        assert app.shown is not None
        assert app.shown is not before
        monkeypatch.setattr(opening, "tree", lambda there: replace(read(there), ids=frozenset()))
        app.refresh_tree()
        await settle(app, pilot)
        assert app.shown is None
        assert "deleted" in app.plain_screen()

    drive(look, cache)


def test_the_palette_opens_again_while_the_last_one_is_taken_down(cache: Path) -> None:
    async def look(app, pilot):
        for _ in range(20):
            fling(app, "colon", "escape", "colon", "escape", "escape")
            await asyncio.sleep(0.005)
        await settle(app, pilot)
        assert app.is_running

    drive(look, cache)


def test_keys_in_the_pairs_of_a_run_that_is_still_read(made: Path) -> None:
    """Cells of the run before have other units."""

    async def look(app, pilot):
        await pilot.press("p")
        await until_in(app, pilot, lambda: bool(app.view._levels), "the matrix")
        before = app.shown
        app.shown = replace(before)
        app.view.show()
        for key in ("down", "end", "plus", "right", "minus"):
            await pilot.press(key)
        assert app.is_running
        await until_in(app, pilot, lambda: bool(app.view._levels), "the matrix of the other run")

    drive(look, made)


@pytest.mark.slow
def test_a_run_deleted_under_the_cursor(made: Path, command: Any) -> None:
    async def look(app, pilot):
        for view in ("escape", "u", "p", "t"):
            await pilot.press(view)
            await settle(app, pilot)
        command("cache", "delete", "d6x4")
        await until_in(app, pilot, lambda: app.shown is None, "deletion")
        for view in ("escape", "u", "p", "t", "a"):
            await pilot.press(view)
            await settle(app, pilot)
            assert "deleted" in app.plain_screen()
            for key in ("down", "right", "space", "enter", "r", "m", "M", "y", "question_mark", "escape", "escape"):
                await pilot.press(key)

    drive(look, made)


SHAPES = {
    "NaN everywhere": {"layers": 5, "per_layer": 4, "nothing": True},
    "one layer": {"layers": 1, "per_layer": 8},
    "one unit a layer": {"layers": 8, "per_layer": 1},
    "one unit": {"layers": 1, "per_layer": 1, "pairs": False},
    "200 layers": {"layers": 200, "per_layer": 2},
    "60 layers of 128 experts": {"layers": 60, "per_layer": 128, "pairs": False},
    "one step": {"layers": 3, "per_layer": 3, "steps": 1},
    "hostile text": {
        "layers": 3,
        "per_layer": 3,
        "text": (
            "\x1b]0;title\x07",
            "\x1b[2J",
            "漢字かな",
            "שלום ",
            "مرحبا",
            "\n\n",
            "",
            "e\u0301\u0301",
            "\u202eabc",
            "👩‍👩‍👧 ",
            "[bold]",
            "x" * 500,
        ),
    },
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shape", "size"),
    [
        *((shape, (120, 40)) for shape in SHAPES),
        *((shape, (20, 5)) for shape in ("one layer", "200 layers", "hostile text")),
    ],
    ids=str,
)
def test_odd_runs_are_shown(cache: Path, shape: str, size: tuple[int, int]) -> None:
    make_run(Cache.open(cache), **SHAPES[shape])

    async def look(app, pilot):
        for view in ("escape", "u", "p", "t"):
            await pilot.press(view)
            await settle(app, pilot)
            text = app.plain_screen()
            assert "\x1b" not in text
            assert "\u202e" not in text
            await pilot.press("end", "down", "right", "question_mark", "escape", "home", "up")
            if view == "escape":
                await pilot.press("r", "f", "space", "x", "C", "v", "right", "v", "plus")
        await settle(app, pilot)
        assert app.shown is not None

    drive(look, cache, size)


@pytest.mark.worker
def test_a_locked_cache_is_told_with_its_holder(made: Path) -> None:
    import duckdb

    holder = "import duckdb, sys, time; con = duckdb.connect(sys.argv[1]); print('held', flush=True); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", holder, str(made / "cache.duckdb")], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    try:

        async def look(app, pilot):
            await until_in(app, pilot, lambda: "open for writing" in app.error, "the lock")
            assert str(process.pid) in app.plain_screen()
            for view in ("u", "p", "t", "a", "J", "s"):
                await pilot.press(view)
                await pilot.pause(0.2)
                await pilot.press("escape")
            process.kill()
            await until_in(app, pilot, lambda: app.shown is not None, "the cache, once it is free")

        drive(look, made)
    finally:
        process.kill()
        process.wait()
    assert duckdb


@pytest.mark.slow
def test_a_lost_cache_is_told(made: Path) -> None:
    async def look(app, pilot):
        shutil.rmtree(made)
        for view in ("u", "p", "t", "a", "J", "s"):
            await pilot.press(view)
            await pilot.pause(0.3)
            await pilot.press("escape")
        await settle(app, pilot)
        assert app.is_running

    drive(look, made)


@pytest.mark.slow
def test_a_failed_job_shows_why(made: Path) -> None:
    job = made / "jobs" / "cfailed00"
    (job / "shards").mkdir(parents=True)
    status = {"state": "failed", "kind": "capture", "stage": "failed", "progress": 0.4, "stages": [], "created": 1.0}
    (job / "status.json").write_text(json.dumps(status | {"error": "the disk is full \x1b[31m"}))
    (job / "spec.json").write_text(json.dumps({"kind": "capture"}))
    (job / "log.txt").write_text("first line\nlast \x1b[2J line\n")
    (made / "jobs" / "cdamaged0").mkdir()
    (made / "jobs" / "cdamaged0" / "spec.json").write_text("{")
    (made / "jobs" / "cdamaged0" / "status.json").write_text("[")

    async def look(app, pilot):
        await pilot.press("J")
        await settle(app, pilot)
        for key in ("down", "up", "delete", "enter", "f5", "down"):
            await pilot.press(key)
            await pilot.pause(0.2)
        text = app.plain_screen()
        assert "\x1b" not in text
        assert "the disk is full" in text
        assert "last" in text

    drive(look, made)


SIZES = ((20, 5), (40, 12), (80, 24), (120, 40), (200, 60))
KEYS = sorted({key for one in (*actions.APP, *every_action()) if one.id != "quit" for key in one.key.split(",")})
ALPHABET = [
    *KEYS,
    "tab",
    "shift+tab",
    "space",
    "enter",
    "enter",
    "escape",
    "backspace",
    "1",
    "2",
    ".",
    "z",
    "down",
    "up",
]


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_random_keys_and_clicks_never_crash_it(made: Path, size: tuple[int, int], nobody_works: None) -> None:
    """A short form; FUZZ=4000 presses as many at each size, and must then have seen every view and dialog."""
    count = int(os.environ.get("FUZZ", "60"))
    chance, seen = random.Random(f"{size}"), set()

    async def press(app, pilot):
        app.leave = lambda code: None  # the palette has it too
        for number in range(count):
            if number % 25 == 0:
                await pilot.pause()  # what has been asked for has time to come
                fling(app, "escape", "escape", chance.choice([one.key.split(",")[-1] for one in VIEWS.values()]))
            if number % 40 == 3:
                fling(app, "escape", "escape", "n", *["down"] * chance.randrange(5), "enter")
            if chance.random() < 0.05:
                # The pilot's own: it looks for what it clicks before anything is laid out.
                with contextlib.suppress(NoWidget):
                    await pilot.click(offset=(chance.randrange(app.size.width), chance.randrange(app.size.height)))
            elif chance.random() < 0.01:
                await pilot.resize_terminal(*chance.choice(SIZES))
            else:
                fling(app, chance.choice(ALPHABET))
            await asyncio.sleep(chance.choice((0, 0, 0, 0.005, 0.02)))
            assert app.is_running, number
            seen.add(str(app.view.id))
            seen.add(type(app.screen).__name__)
        await pilot.press("escape", "escape", "escape")
        await settle(app, pilot)

    drive(press, made, size)
    if count >= 2000:
        assert seen >= {*VIEWS, *(one.__name__ for one in _dialogs())}


def fling(app: Any, *keys: str) -> None:
    """Keys as a terminal sends them: they come, whether or not those before have had their effect."""
    for key in keys:
        app._driver.send_message(events.Key(key, key if len(key) == 1 else None))


def _dialogs() -> list[type]:
    from importlib import import_module
    from pkgutil import iter_modules

    from synergy_tui.explorer import dialogs
    from synergy_tui.explorer.dialogs.base import Dialog

    for one in iter_modules(dialogs.__path__):
        import_module(f"{dialogs.__name__}.{one.name}")
    return Dialog.__subclasses__()


@pytest.fixture
def nobody_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs are made and nobody works on them: none of these keys is to load a model."""
    monkeypatch.setattr(processes, "spawn", lambda *_: 2**30)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(one.__name__ for one in _dialogs()))
def test_a_dialog_may_be_closed_at_any_moment(made: Path, name: str) -> None:
    """Before it is mounted, while it is, and after."""
    from synergy_tui.explorer.dialogs import ask, choose, copy, jump, new, pins, rule, tour, whole
    from synergy_tui.explorer.dialogs import help as help_

    async def press(app, pilot):
        make: dict[str, Any] = {
            "Ask": lambda: ask.Ask("Really?", ["It takes long."]),
            "Choose": lambda: choose.Choose("which", {"a": "one"}),
            "Copy": lambda: copy.Copy(app, app.view, "<svg/>", "text"),
            "Form": lambda: new.Form(new.FORMS["run"](app)),
            "Help": lambda: help_.Help(app.view, actions.APP),
            "Jump": lambda: jump.Jump([(app.view, app.view.region.offset)]),
            "Tour": tour.Tour,
            "Pins": lambda: pins.Pins(app.state, ["1.1"]),
            "AskRule": lambda: rule.AskRule(app.shown, "rank > 0.5"),
            "Whole": lambda: whole.Whole("one", [("Asked", "word " * 500)]),
        }
        for pauses in range(6):
            screen = make[name]()
            app.push_screen(screen)
            for _ in range(pauses):
                await asyncio.sleep(0)
            app.pop_screen()
            await pilot.pause()
            assert app.is_running
        app.push_screen(make[name]())
        await pilot.press("escape")
        await settle(app, pilot)
        assert len(app.screen_stack) == 1

    drive(press, made)


@pytest.mark.slow
def test_the_palette_may_be_closed_at_any_moment(made: Path) -> None:
    """Before it is mounted, while it is, and while keys are on their way to it."""

    async def press(app, pilot):
        for pauses in range(6):
            app.action_command_palette()
            for _ in range(pauses):
                await asyncio.sleep(0)
            app.pop_screen()
            await pilot.pause()
            assert app.is_running
        fling(app, "ctrl+p", "down", "pagedown", "escape")
        await settle(app, pilot)
        assert len(app.screen_stack) == 1

    drive(press, made)


@pytest.mark.slow
def test_what_comes_after_the_palette_was_closed_has_no_effect(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A letter that was typed before searches nothing, and a second enter does not do the same again."""

    async def press(app, pilot):
        done: list[str] = []
        searched: list[str] = []
        monkeypatch.setattr(app, "_call", lambda target, call: lambda: done.append(call))
        await pilot.press("ctrl+p")
        await settle(app, pilot)
        palette = app.screen
        monkeypatch.setattr(palette, "_gather_commands", searched.append)
        palette.post_message(Input.Changed(palette.query_one(Input), "z"))
        palette.dismiss()
        await settle(app, pilot)
        assert not searched
        await pilot.press("ctrl+p")
        await settle(app, pilot)
        for _ in range(2):
            app.screen.query_one(CommandList).action_select()
        await settle(app, pilot)
        assert len(done) == 1

    drive(press, made)


@pytest.mark.slow
def test_a_palette_without_room_has_no_pages(made: Path) -> None:
    async def press(app, pilot):
        await pilot.press("ctrl+p")
        await settle(app, pilot)
        await pilot.press("pagedown", "pageup")
        assert app.is_running

    drive(press, made, (20, 3))


@pytest.mark.slow
@pytest.mark.parametrize("pauses", range(4))
def test_the_app_may_stop_while_a_dialog_opens(made: Path, pauses: int) -> None:
    from synergy_tui.explorer.dialogs.help import Help

    async def press(app, pilot):
        app.push_screen(Help(app.view, actions.APP))
        for _ in range(pauses):
            await asyncio.sleep(0)

    drive(press, made)


def test_a_cache_that_cannot_be_read_is_asked_again_and_a_newer_question_wins(
    made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "AGAIN", 0.05)

    async def look(app, pilot):
        asked: list[str] = []
        there: list[str] = []

        def ask(name: str, failures: int) -> str:
            asked.append(name)
            if asked.count(name) <= failures:
                raise CacheError("the cache is open for writing elsewhere", "close it there")
            return name

        app.in_thread("one", lambda: ask("late", 2), there.append)
        await until_in(app, pilot, lambda: there == ["late"], "the answer")
        assert asked == ["late"] * 3
        assert "open for writing" not in app.plain_screen()
        app.in_thread("one", lambda: ask("never", 99), there.append)
        await until_in(app, pilot, lambda: "open for writing elsewhere" in app.plain_screen(), "the error")
        assert asked.count("never") == 1 + session.PATIENCE
        app.in_thread("one", lambda: ask("old", 99), there.append)
        await until_in(app, pilot, lambda: "old" in asked, "the older question")
        app.in_thread("one", lambda: ask("new", 0), there.append)
        await until_in(app, pilot, lambda: there == ["late", "new"], "the newer one")
        many = asked.count("old")
        await asyncio.sleep(0.3)
        assert asked.count("old") <= many + 1

    drive(look, made)
