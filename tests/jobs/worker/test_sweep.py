"""Sweeps that run: equal to the commands by hand, each thing made once, stopped, killed and resumed."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from synergy_tui.jobs import cells, folder, plan
from synergy_tui.jobs.folder import JobFolder
from synergy_tui.jobs.specs import CaptureRequest, SweepRequest
from synergy_tui.store import load
from synergy_tui.store.cache import Cache
from synergy_tui.subject import trust

PLAN = """
subjects = ["zoo:induction", "zoo:addition"]
prompts = 8
steps = 30
[methods]
lag = [1, 2]
"""

QUICK = ("--prompts", "8", "--steps", "30")


@pytest.fixture
def planned(tmp_path: Path) -> Path:
    file = tmp_path / "plan.toml"
    file.write_text(PLAN)
    return file


def _jobs(cache: Path, kind: str) -> list[JobFolder]:
    return [one for one in folder.every(cache) if one.kind == kind]


def _counted(cache: Path) -> dict[str, int]:
    """Captures and decompositions that were made."""
    opened = Cache.open(cache)
    return {
        one: load.rows(opened, f"SELECT count(*) AS n FROM {one}")[0]["n"] for one in ("captures", "decompositions")
    }


def _scores(cache: Path, decomposition: str) -> list[dict[str, Any]]:
    query = "SELECT unit_index, score, value, low, high FROM unit_scores WHERE decomposition = $1 ORDER BY ALL"
    return load.rows(Cache.open(cache), query, decomposition)


@pytest.mark.worker
def test_a_sweep_makes_what_the_commands_make_and_nothing_twice(command, cache, planned, tmp_path):
    found = command.json("sweep", str(planned))
    made = found["cells"]
    assert [(one["subject"], one["method"], one["state"]) for one in made] == [
        (subject, f"gaussian mmi lag {lag}", "done") for subject in ("zoo:induction", "zoo:addition") for lag in (1, 2)
    ]
    # The capture is shared by the methods.
    assert made[0]["capture"] == made[1]["capture"] != made[2]["capture"] == made[3]["capture"]
    assert len({one["map"] for one in made}) == 4
    assert _counted(cache) == {"captures": 2, "decompositions": 4}
    # Equal to the commands by hand, in another cache.
    from conftest import Command

    by_hand = Command(tmp_path / "by-hand")
    others = by_hand.json("run", "zoo:addition", *QUICK, "--lag", "1,2")
    for one, other in zip(made[2:], others, strict=True):
        mine = _scores(cache, one["map"])
        assert mine
        assert mine == _scores(by_hand.cache, other["decomposition"])
    # What was made by the commands is found by a sweep.
    there = by_hand.json("sweep", str(planned), "--dry-run")
    assert [one["map"] for one in there] == [None, None, *(one["decomposition"] for one in others)]
    assert [one["seconds"] is None for one in there] == [False, False, True, True]
    _everything_is_there_the_second_time(command, cache, planned, found)
    _jobs_are_told_folded(command, cache, found)


def _everything_is_there_the_second_time(command, cache, planned, found):
    before = len(list(folder.every(cache)))
    assert "the maps of 4 are there" in command("sweep", str(planned), "--dry-run").stderr
    again = command.json("sweep", str(planned))
    assert again["cells"] == found["cells"]
    assert again["sweep"] != found["sweep"]
    assert len(list(folder.every(cache))) == before + 1  # the sweep's own
    assert _counted(cache) == {"captures": 2, "decompositions": 4}


def _jobs_are_told_folded(command, cache, found):
    of_cells = [one for one in folder.every(cache) if one.order().sweep == found["sweep"]]
    assert sorted(one.kind for one in of_cells) == ["capture"] * 2 + ["decompose"] * 4
    listed = command("jobs", "list").stdout
    assert found["sweep"] in listed
    assert not any(one.id in listed for one in of_cells)
    assert all(one.id in command("jobs", "list", "--all").stdout for one in of_cells)
    assert {one["id"] for one in command.json("jobs", "list")} >= {one.id for one in of_cells}
    shown = command("jobs", "show", found["sweep"]).stdout
    assert all(one["map"] in shown for one in found["cells"])
    assert re.search(r"^captures +2$", shown, re.MULTILINE)
    assert command.json("jobs", "show", found["sweep"])["cells"] == found["cells"]
    recipe = command("jobs", "show", found["sweep"], "--recipe").stdout
    assert recipe.startswith("synergy-tui sweep /")
    status = JobFolder(cache / "jobs" / found["sweep"]).status()
    assert (status["progress"], status["stages"][0]["done"], status["stages"][0]["unit"]) == (1.0, 4, "cells")


@pytest.mark.worker
def test_a_sweep_that_is_killed_leaves_its_jobs_going_and_joins_them(command, cache, planned):
    """Killed as soon as the first capture is there, and once more when that has been decomposed."""
    from conftest import until, worker_of

    sweep = command.json("sweep", str(planned), "--detach")["job"]
    (capture,) = until(lambda: _jobs(cache, "capture"))
    command.wait(capture.id, "running", "done")
    worker_of(cache, sweep).send_signal(signal.SIGKILL)
    assert command.wait(sweep, "failed")["lost"]
    command.wait(capture.id, "done")
    command("jobs", "resume", sweep)
    until(lambda: [one for one in _jobs(cache, "decompose") if one.status()["state"] == "done"], 300)
    if JobFolder(cache / "jobs" / sweep).status()["state"] == "running":
        worker_of(cache, sweep).send_signal(signal.SIGKILL)
        command.wait(sweep, "failed")
        command("jobs", "resume", sweep)
    command.wait(sweep, "done")
    assert len(_jobs(cache, "capture")) == 2
    assert len(_jobs(cache, "decompose")) == 4
    assert _counted(cache) == {"captures": 2, "decompositions": 4}
    rows = command.json("jobs", "show", sweep)["cells"]
    assert {one["state"] for one in rows} == {"done"}
    assert {one.order().sweep for one in _jobs(cache, "decompose")} == {sweep}


@pytest.mark.worker
def test_a_sweep_stops_its_jobs_and_goes_on_with_them(command, cache, planned):
    """Paused and resumed, cancelled and resumed, paused and cancelled and resumed, while two cells wait for one
    capture."""
    from conftest import until

    sweep = command.json("sweep", str(planned), "--detach", "--at-once", "2")["job"]
    until(lambda: len(_jobs(cache, "decompose")) == 2)
    jobs = {one.id for one in folder.every(cache)}

    def stopped(stop: str, state: str) -> None:
        command("jobs", stop, sweep)
        states = {one.id: one.status()["state"] for one in folder.every(cache)}
        assert states[sweep] == state
        assert set(states) == jobs
        assert set(states.values()) == {state}
        rows = command.json("jobs", "show", sweep)["cells"]
        assert [one["state"] for one in rows] == [state, state, "queued", "queued"]

    stopped("pause", "paused")
    command("jobs", "resume", sweep)
    command.wait(sweep, "running")
    stopped("cancel", "cancelled")
    command("jobs", "resume", sweep)
    command.wait(sweep, "running")
    until(lambda: all(one.status()["state"] in ("queued", "running") for one in folder.every(cache)))
    stopped("pause", "paused")
    stopped("cancel", "cancelled")
    command("jobs", "resume", sweep)
    command.wait(sweep, "done")
    assert _counted(cache) == {"captures": 2, "decompositions": 4}
    assert jobs < {one.id for one in folder.every(cache)}


@pytest.mark.long
@pytest.mark.worker
def test_a_cell_that_fails_is_noted_and_the_others_go_on(command, cache, tmp_path):
    """A capture whose file is gone when its turn comes; the same again when the sweep is resumed, and not for each of
    its methods."""
    from conftest import make_tiny

    model = make_tiny(tmp_path / "tiny")
    file = tmp_path / "plan.toml"
    file.write_text(
        f'subjects = [{str(model)!r}, "zoo:induction"]\nprompts = 8\nsteps = 30\nchat = false\nmethods.lag = [1, 2]'
    )
    weights = model / "model.safetensors"
    opened = Cache.open(cache)
    found = plan.sweep(opened, tmp_path, SweepRequest(plan=str(file)))
    kept = weights.read_bytes()
    weights.write_bytes(kept[:100])
    from synergy_tui.jobs import chain

    (sweep,) = chain.start(opened, [plan.Link("sweep", found.plan)])
    status = command.wait(sweep, "failed", "done")
    (capture, _) = _jobs(cache, "capture")
    assert status["error"].startswith(f"2 of 4 cells failed: capture {capture.id}: ")
    assert status["error"].endswith(f" · synergy-tui jobs resume {sweep}")
    rows = command.json("jobs", "show", sweep)["cells"]
    assert [one["state"] for one in rows] == ["failed", "failed", "done", "done"]
    assert rows[0]["error"] == rows[1]["error"]
    assert len(_jobs(cache, "decompose")) == 3  # the second method of what cannot be captured was not tried
    weights.write_bytes(kept)
    command("jobs", "resume", sweep)
    command.wait(sweep, "done")
    assert _counted(cache) == {"captures": 2, "decompositions": 4}
    assert len(_jobs(cache, "capture")) == 2


@pytest.mark.worker
def test_a_sweep_from_elsewhere_allows_nothing(command, cache, tmp_path, tiny):
    """A job's folder that claims what this user has not allowed: its cells fail, and nothing is remembered."""
    file = tmp_path / "plan.toml"
    file.write_text(f"subjects = [{str(tiny)!r}]\nprompts = 4\nsteps = 30\nchat = false")
    opened = Cache.open(cache)
    found = plan.sweep(opened, tmp_path, SweepRequest(plan=str(file), allow_remote_code=True))
    from synergy_tui.jobs import chain

    (sweep,) = chain.start(opened, [plan.Link("sweep", found.plan)])
    error = command.wait(sweep, "failed")["error"]
    assert "you have not allowed that here" in error
    source = found.plan.spec.captures[0].source
    assert trust.allowed(source.kind, source.place, source.revision) == {"pickle": False, "remote_code": False}
    assert not _jobs(cache, "capture")


@pytest.mark.worker
def test_cards_are_made_of_each_run_and_found_again(command, cache, tmp_path):
    file = tmp_path / "plan.toml"
    file.write_text('subjects = ["zoo:induction"]\nprompts = 8\nsteps = 30\nclaims = {parts = "networks"}')
    found = command.json("sweep", str(file))["cells"]
    judged = load.rows(Cache.open(cache), "SELECT card, decomposition FROM cards ORDER BY created")
    assert [(one["card"], one["decomposition"]) for one in judged] == [(one["card"], one["map"]) for one in found]
    again = command.json("sweep", str(file))["cells"]
    assert again == found
    assert len(_jobs(cache, "claims")) == len(_jobs(cache, "networks")) == 1


@pytest.mark.worker
def test_a_sweep_loads_neither_torch_nor_jax(command):
    """Its worker waits for hours: it must not hold what others need."""
    import subprocess
    import sys

    heavy = "{'torch', 'transformers', 'jax', 'scipy'}"
    loads = "import sys, synergy_tui.jobs.worker.__main__, synergy_tui.jobs.worker.sweep"
    code = f"{loads}; print({heavy} & set(sys.modules))"
    got = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ, check=True)
    assert got.stdout.strip() == "set()"


def test_states_of_cells_that_are_damaged_are_unknown(tmp_path: Path) -> None:
    job = JobFolder(tmp_path)
    states = [cells.CellState(state="done", capture="c1", map="d1"), cells.CellState()]
    cells.write(job, states)
    assert cells.read(job, 2) == states
    unknown = [cells.CellState()] * 3
    assert cells.read(job, 3) == unknown
    for text in (
        "",
        "{",
        "[]",
        '{"cells": [{"state": "dreaming"}]}',
        '{"cells": 3}',
        '{"cells": [{"colour": 1}, 2, 3]}',
    ):
        (tmp_path / "cells.json").write_text(text)
        assert cells.read(job, 3) == unknown, text


def test_what_is_asked_of_a_capture_alone_is_not_asked_of_a_sweep() -> None:
    """Every option of `capture` but what is an axis, or what a file may not say, is a key of a plan."""
    from synergy_tui.jobs.plan.sweeps import _OF_CAPTURE
    from synergy_tui.jobs.specs.fields import fields

    left_out = {one.name for one in fields(CaptureRequest)} - {one.name for one in _OF_CAPTURE.values()}
    assert left_out == {"subject", "tasks", "seed", "allow_pickle", "allow_remote_code"}
