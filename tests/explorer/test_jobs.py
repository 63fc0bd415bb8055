"""The jobs view over real job folders: chains that fold, reasons of waiting, the filter, sorting, and its questions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from driving import drive, put, settle, type_in, until_in

from synergy_tui.explorer.dialogs.ask import Ask
from synergy_tui.explorer.dialogs.choose import Choose
from synergy_tui.explorer.views.jobs import _first
from synergy_tui.jobs import folder, held
from synergy_tui.jobs.about import About, about
from synergy_tui.jobs.folder import JobFolder
from synergy_tui.jobs.held import Holder
from synergy_tui.jobs.specs import CaptureSpec, Cell, ClaimsSpec, DecomposeSpec, Executor, NetworksSpec, SweepSpec
from synergy_tui.subject.source import Source

CAPTURED = DecomposeSpec(capture="c6x4", device="cpu")
NETWORKS = NetworksSpec(decomposition="d6x4", capture="c6x4", device="cpu", nulls=("window-roll",))
ASKED = CaptureSpec(
    subject="made", source=Source("made", "folder", "made"), data="", task_set="made", tasks_hash="", items=()
)
CARD = ClaimsSpec(decomposition="d6x4", capture="c6x4", device="cpu")


@pytest.fixture
def jobs(made: Path) -> dict[str, str]:
    """Ids by name: one that is done, one that failed, a chain of four of which the second runs, one that waits for the
    device."""
    found: dict[str, JobFolder] = {"done": put(made, CAPTURED, "done")}
    found["failed"] = put(made, CAPTURED.replace(seed=1), "failed", progress=0.8, error="the disk is full: free space")
    found["first"] = put(made, CAPTURED.replace(seed=2), "done")
    found["runs"] = put(made, CAPTURED.replace(seed=3), "running", found["first"], progress=0.4, stage="decompose")
    found["networks"] = put(made, NETWORKS, "queued", found["runs"])
    found["card"] = put(made, CARD, "queued", found["networks"])
    found["waits"] = put(made, CAPTURED.replace(seed=4), "queued")
    return {name: job.id for name, job in found.items()}


def _ids(app: Any) -> list[str]:
    return [str(row[0]).strip() for row in app.view.listing.rows]


async def _open(app: Any, pilot: Any) -> None:
    await pilot.press("J")
    await settle(app, pilot)


@pytest.mark.slow
def test_a_chain_is_one_row_that_opens_and_closes(made: Path, jobs: dict[str, str]) -> None:
    async def press(app, pilot):
        await _open(app, pilot)
        folded = [f"▸ {jobs['card']}", jobs["waits"], jobs["failed"], jobs["done"]]
        opened = [f"▾ {jobs['card']}", *(jobs[one] for one in ("first", "runs", "networks", "card")), *folded[1:]]
        assert _ids(app) == folded
        row = dict(zip(app.view.listing.names, app.view.listing.rows[0], strict=True))
        assert (row["kind"], row["state"], row["stage"]) == ("claims chain", "● running", "1 of 4 done · decompose")
        assert row["progress"].endswith("35%")  # (1 + 0.4 + 0 + 0) / 4
        for key in ("right", "left", "enter", "enter"):
            await pilot.press(key)
            await settle(app, pilot)
            assert _ids(app) == (opened if key == "right" or _ids(app)[0].startswith("▾") else folded), key
            assert app.view.listing.cursor_row == 0
        # From one of its jobs the left arrow leads back to the chain.
        await pilot.press("right", "down", "down")
        await settle(app, pilot)
        assert app.view.job["id"] == jobs["runs"]
        await pilot.press("left")
        await settle(app, pilot)
        assert _ids(app) == folded
        assert app.view.listing.cursor_row == 0
        assert f"✓ decompose  {jobs['first']}  100%" in app.plain_screen()

    drive(press, made)


@pytest.mark.slow
def test_a_sweep_is_one_row_with_the_jobs_of_its_cells(made: Path) -> None:
    """Its state is its own, whatever its jobs are; a sweep that found everything has no row to open."""
    cell = Cell(capture=0, map=CAPTURED.replace(capture=""))
    swept = SweepSpec(plan="/plan.toml", captures=(ASKED,), cells=(cell, cell))
    stage = {"name": "cells", "unit": "cells", "done": 1, "total": 2, "detail": "decompose 40% of zoo", "rate": None}
    sweep = put(made, swept, "running", progress=0.5, stage="cells", stages=[stage])
    first = put(made, CAPTURED, "done", sweep=sweep.id)
    second = put(made, CAPTURED.replace(seed=1), "failed", sweep=sweep.id, error="the disk is full")
    waits = put(made, CAPTURED.replace(seed=2), "queued", sweep=sweep.id)
    alone = put(made, swept.replace(cells=(cell,)), "done")
    assert about(sweep) == About()  # it has no device, and nobody waits for it there

    async def press(app, pilot):
        await _open(app, pilot)
        assert _ids(app) == [f"▸ {sweep.id}", alone.id]
        row = dict(zip(app.view.listing.names, app.view.listing.rows[0], strict=True))
        assert (row["kind"], row["state"]) == ("sweep", "● running")
        assert row["stage"].startswith("1 of 2 cells, 1 failed · decompose 40%")
        assert row["progress"].endswith("50%")
        assert str(app.view.query_one("#job-pane").border_title) == f"sweep {sweep.id} · 1 of 2 cells, 1 failed"
        assert "the disk is full" in app.plain_screen()
        await pilot.press("enter")
        await settle(app, pilot)
        assert _ids(app) == [f"▾ {sweep.id}", first.id, second.id, waits.id, sweep.id, alone.id]
        await pilot.press("delete")
        await settle(app, pilot)
        assert "Cancel what is left of this sweep, 2 jobs?" in app.plain_screen()
        await pilot.press("escape", "end", "enter")
        await settle(app, pilot)
        assert app.view.id == "jobs"
        assert f"synergy-tui jobs show {alone.id}" in " ".join(app.plain_screen().split())

    drive(press, made, (160, 40))


@pytest.mark.slow
@pytest.mark.parametrize("size", [(80, 24), (120, 36)], ids=str)
def test_what_waits_says_for_what(made: Path, jobs: dict[str, str], size: tuple[int, int]) -> None:
    async def press(app, pilot):
        await _open(app, pilot)
        text = app.plain_screen()
        assert f"waits for decompose {jobs['runs']}" in text
        assert f"waits for networks {jobs['networks']}" in text
        await pilot.press("down")
        await settle(app, pilot)
        assert f"It waits for device cpu: decompose {jobs['runs']} is running there." in app.plain_screen()
        assert "made-6x4 · device cpu" in app.plain_screen()
        # In the table words are whole, or end in the sign that more follow.
        told = f"waits for device cpu: decompose {jobs['runs']} is running there"
        (cell,) = {row[4] for row in app.view.listing.rows if row[0].strip() == jobs["waits"]}
        kept = cell.removesuffix(" …")
        assert told == cell or (cell.endswith(" …") and told[: len(kept) + 1] == f"{kept} ")

    drive(press, made, size)


def test_the_first_at_a_device_is_the_job_that_runs_there_or_heads_its_queue() -> None:
    abouts = {"q1": About(device="cpu"), "q2": About(device="cuda:0"), "r1": About(device="cuda:0")}
    statuses = [{"id": one, "state": "running" if one == "r1" else "queued"} for one in abouts]
    assert _first(statuses, abouts, lambda device: {"cpu": ["x9", "q1"]}.get(device, [])) == {
        "cpu": "x9",
        "cuda:0": "r1",
    }


def test_a_damaged_job_is_about_nothing(made: Path) -> None:
    job = put(made, CAPTURED, "done")
    assert about(job) == About("", "c6x4", "cpu")
    (job.path / "spec.json").write_text("{")
    assert about(job) == About()


@pytest.mark.slow
def test_the_filter_narrows_and_escape_shows_all_again(made: Path, jobs: dict[str, str]) -> None:
    async def press(app, pilot):
        await _open(app, pilot)
        everything = _ids(app)
        await pilot.press("slash")
        for typed, found in (
            ("faield", [jobs["failed"]]),
            ("qued", [f"▸ {jobs['card']}", jobs["waits"]]),
            ("made-6x4 netw", [f"▸ {jobs['card']}"]),
            (jobs["done"], [jobs["done"]]),
            ("smollm", []),
        ):
            app.view.query_one("#jobs-filter").value = ""
            await type_in(pilot, typed)
            await settle(app, pilot)
            assert _ids(app) == found, typed
            title = str(app.view.query_one("#jobs-pane").border_title)
            assert title == f"Jobs 7 · by state · {len(found)} match {typed}, escape shows all"
        assert "No job matches smollm" in app.plain_screen()
        await pilot.press("escape")
        await settle(app, pilot)
        assert app.view.id == "jobs"
        assert _ids(app) == everything
        assert app.focused is app.view.listing

    drive(press, made)


@pytest.mark.slow
def test_sorting_goes_round_and_the_cursor_stays_on_its_job(made: Path, jobs: dict[str, str]) -> None:
    chain = f"▸ {jobs['card']}"
    orders = {
        "newest": [jobs["waits"], chain, jobs["failed"], jobs["done"]],
        "kind": [chain, jobs["waits"], jobs["failed"], jobs["done"]],
        "progress": [jobs["done"], jobs["failed"], chain, jobs["waits"]],
        "state": [chain, jobs["waits"], jobs["failed"], jobs["done"]],
    }

    async def press(app, pilot):
        await _open(app, pilot)
        await pilot.press("down", "down")
        for sort, order in orders.items():
            await pilot.press("o")
            await settle(app, pilot)
            assert _ids(app) == order
            assert f"by {sort}" in str(app.view.query_one("#jobs-pane").border_title)
            assert app.view.job["id"] == jobs["failed"]

    drive(press, made)


@pytest.mark.slow
def test_stopping_asks_once_and_takes_the_whole_chain(made: Path) -> None:
    """Paused jobs: they have no worker that would have to hear of it."""
    single = put(made, CAPTURED, "paused")
    first = put(made, CAPTURED.replace(seed=1), "paused")
    chain = [first, put(made, NETWORKS, "paused", first)]
    states = lambda: [one.status()["state"] for one in (*chain, single)]  # noqa: E731

    async def press(app, pilot):
        await _open(app, pilot)
        await pilot.press("delete")
        await until_in(app, pilot, lambda: isinstance(app.screen, Ask), "the question")
        assert "Cancel what is left of this chain, 2 jobs?" in app.plain_screen()
        await pilot.press("n")
        await settle(app, pilot)
        assert states() == ["paused"] * 3
        # Below the open chain it may be one alone.
        await pilot.press("right", "down", "delete")
        await until_in(app, pilot, lambda: isinstance(app.screen, Choose), "the choice")
        await pilot.press("escape", "left", "delete")
        await until_in(app, pilot, lambda: isinstance(app.screen, Ask), "the question")
        await pilot.press("y")
        await until_in(app, pilot, lambda: states() == ["cancelled", "cancelled", "paused"], "the end of the chain")
        await settle(app, pilot)
        while app.view.job["id"] != single.id:
            await pilot.press("up")
        await pilot.press("delete")
        await until_in(app, pilot, lambda: f"Cancel decompose {single.id}?" in app.plain_screen(), "the question")
        await pilot.press("y")
        await until_in(app, pilot, lambda: states() == ["cancelled"] * 3, "the end of the job")

    drive(press, made)


@pytest.mark.slow
def test_a_long_chain_has_room_on_a_small_screen(made: Path) -> None:
    chain = [put(made, CAPTURED, "done")]
    for seed in range(1, 9):
        chain.append(put(made, CAPTURED.replace(seed=seed), "done", chain[-1]))
    for seed in range(9, 18):
        chain.append(put(made, CAPTURED.replace(seed=seed), "paused", chain[-1]))

    async def press(app, pilot):
        await _open(app, pilot)
        assert "✓ 9 done" in app.plain_screen()
        assert f"◐ decompose  {chain[9].id}" in app.plain_screen()
        await pilot.press("delete")
        await until_in(app, pilot, lambda: isinstance(app.screen, Ask), "the question")
        text = app.plain_screen()
        assert "Cancel what is left of this chain, 9 jobs?" in text
        assert f"{chain[14].id}, paused" in text
        assert "and 3 more" in text
        assert "Finished parts are kept" in text
        assert "y yes" in text

    drive(press, made, (80, 24))


@pytest.mark.slow
def test_removing_asks_once_and_takes_what_is_done(made: Path) -> None:
    first = put(made, CAPTURED, "done")
    chain = [first, put(made, NETWORKS, "done", first)]
    there = lambda: [one.path.exists() for one in chain]  # noqa: E731

    async def press(app, pilot):
        await _open(app, pilot)
        await pilot.press("D")
        await until_in(app, pilot, lambda: isinstance(app.screen, Ask), "the question")
        assert "Remove the folders of 2 jobs?" in app.plain_screen()
        await pilot.press("escape")
        await settle(app, pilot)
        assert there() == [True, True]
        await pilot.press("D", "y")
        await until_in(app, pilot, lambda: there() == [False, False], "the removal")

    drive(press, made)


@pytest.mark.slow
@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
def test_who_makes_which_part_is_told(made: Path, size: tuple[int, int]) -> None:
    """Two hosts, one of them with two devices, and a job that nobody was started for."""
    job = put(made, CAPTURED, "running", progress=0.4, stage="surrogates")
    for part, host, device in (
        ("prompt-shuffle-0003", "node-a", "cuda:0"),
        ("prompt-shuffle-0004", "node-a", "cuda:1"),
        ("window-roll-0000", "node-b", "cuda:0"),
        ("window-roll-0001", "node-b", "cuda:0"),
    ):
        held.note(job, part, Holder(host, device, 1))
    waiting = folder.new(made, folder.Order(CAPTURED.replace(seed=9), executor=Executor(executor="none")))

    async def look(app, pilot):
        await _open(app, pilot)
        screen = app.plain_screen()
        assert "node-a cuda:0  prompt-shuffle-0003  0:0" in screen
        assert "node-a cuda:1  prompt-shuffle-0004  0:0" in screen
        assert "node-b cuda:0  window-roll-0000, window-roll-0001  0:0" in screen
        await pilot.press("down")
        await settle(app, pilot)
        assert app.view.job["id"] == waiting.id
        assert f"waits for synergy-tui jobs work {waiting.id}" in app.plain_screen()

    drive(look, made, size=size)
