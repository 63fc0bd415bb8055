"""The explorer driven without a terminal: keys in, the screen's text and colours out."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from filelock import FileLock
from textual.pilot import Pilot

from synergy_tui.explorer.app import Explorer
from synergy_tui.explorer.widgets.ink import Ink
from synergy_tui.jobs import folder
from synergy_tui.jobs.folder import JobFolder, Order
from synergy_tui.jobs.specs import Spec
from synergy_tui.settings import Settings, load

STEP = 0.02
"""Seconds between two looks at what is waited for."""

PATIENCE = 90
"""Seconds until something counts as not coming: a machine may be busy with other things for half a minute."""

Script = Callable[[Explorer, Pilot[Any]], Awaitable[None]]


def drive(
    script: Script, cache: Path, size: tuple[int, int] = (120, 40), run: str | None = None, **settings: Any
) -> Explorer:
    """Opens the explorer on a cache, waits until something is there, and runs the script. An exception in it, or in
    the app, is the test's."""
    app = make(cache, run, **settings)

    async def go() -> None:
        async with app.run_test(size=size, notifications=True) as pilot:
            await settle(app, pilot)
            await script(app, pilot)

    asyncio.run(go())
    return app


def make(cache: Path, run: str | None = None, **settings: Any) -> Explorer:
    """An explorer with the colours of a 256-colour terminal, whatever the test runs in."""
    base: Settings = load(cache)
    app = Explorer(replace(base, state=cache.parent / "state", tmux=False, **settings), run)
    app.state.toured = True  # the tour, and where the cursor begins, have tests of their own
    app._nowhere = False
    if not settings.get("colour"):
        app._system = "256"
        app.ink = Ink.of("256", app.ink.ascii, app.current_theme)
    return app


async def settle(app: Explorer, pilot: Pilot[Any], rest: float = 0.08, timeout: float = PATIENCE) -> None:
    """Returns when nothing is loading and the screen has stayed the same for `rest` seconds."""
    before, same = "", 0
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        await pilot.pause(STEP)
        busy = any(not worker.is_finished for worker in app.workers if worker.group != "query")
        opening = app.cache is None and not app.error
        now = app.plain_screen()
        same = same + 1 if now == before and not busy and not opening else 0
        before = now
        if same * STEP >= rest:
            return
    raise AssertionError(f"the screen does not come to rest:\n{before}")


async def until_in(
    app: Explorer, pilot: Pilot[Any], reached: Callable[[], bool], what: str, timeout: float = PATIENCE
) -> None:
    """Waits until the app has come to something."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        await pilot.pause(STEP)
        if reached():
            return
    raise AssertionError(f"{what} did nothing:\n{app.plain_screen()}")


def put(cache: Path, spec: Spec, state: str, after: JobFolder | None = None, **more: Any) -> JobFolder:
    """A job's folder in a state, as a worker leaves it; of what has not ended the lock is held as a worker would."""
    job = folder.new(cache, Order(spec, after.id if after else None))
    known = {"state": state, "stage": state, "progress": 1.0 if state == "done" else 0.0}
    job.write_status(folder.queued(job.id, spec.KIND, after.id if after else None) | known | more)
    if state not in folder.RESTING:
        lock = job.worker_lock
        lock.acquire()
        _held.append(lock)
    # Jobs are told apart by when their folders were made.
    place = sum(1 for _ in folder.every(cache))
    os.utime(job.path / "spec.json", (place, place))
    return job


_held: list[FileLock] = []


async def type_in(pilot: Pilot[Any], text: str) -> None:
    """Types a text, letter by letter."""
    names = {" ": "space", ".": "full_stop", ",": "comma", "%": "percent_sign", ">": "greater_than_sign", "-": "minus"}
    names |= {"'": "apostrophe", "*": "asterisk", "(": "left_parenthesis", ")": "right_parenthesis", "/": "slash"}
    names |= {"=": "equals_sign", "_": "underscore"}
    for letter in text:
        await pilot.press(names.get(letter, letter))


def colours(app: Explorer) -> list[str]:
    """Every pair of colours on the screen with the number of cells it has, the most frequent first."""
    count: Counter[str] = Counter()
    for strip in app.screen._compositor.render_strips():
        for segment in strip:
            style = segment.style
            parts = (style.color, style.bgcolor) if style else (None, None)
            names = ["none" if one is None else one.get_truecolor().hex for one in parts]
            count[" on ".join(names)] += len(segment.text)
    return [f"{number:>5} {name}" for name, number in sorted(count.items(), key=lambda item: (-item[1], item[0]))]
