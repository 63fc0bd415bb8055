"""Parts made by several workers of this machine."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Command, make_tiny, until, worker_of

from synergy_tui.errors import MeasureError, SynergyError
from synergy_tui.jobs import held, parts
from synergy_tui.jobs.folder import JobFolder
from synergy_tui.jobs.parts import Content
from synergy_tui.jobs.specs import CaptureSpec, DecomposeSpec, Executor, as_json
from synergy_tui.jobs.worker.executors import crew, helper, making
from synergy_tui.jobs.worker.executors.crew import Crew
from synergy_tui.jobs.worker.executors.making import Given, Wanted
from synergy_tui.jobs.worker.progress import Progress
from synergy_tui.store import load
from synergy_tui.store.cache import Cache
from synergy_tui.subject.source import Source

ASKED = ("--prompts", "12", "--steps", "200", "--batch", "1")


def _made(job: JobFolder) -> list[str]:
    """Names of the parts in the order in which they were made, of all who wrote into the log."""
    return re.findall(r"^(\S+) made on", job.log.read_text("utf-8"), re.MULTILINE)


def _job(command: Command, name: str) -> JobFolder:
    return JobFolder(command.cache / "jobs" / name)


@pytest.mark.long
@pytest.mark.worker
def test_two_workers_find_what_one_finds(command: Command, tiny: Path) -> None:
    """To the last bit: captures, and ablations. Blocks of pairs are cut by the number of workers."""
    alone = command.json("run", str(tiny), *ASKED)
    together = command.json("run", str(tiny), *ASKED, "--workers", "2")
    cache = Cache.open(command.cache)
    series = [load.series(cache, one["capture"]) for one in (alone, together)]
    np.testing.assert_array_equal(series[0], series[1])
    query = "SELECT sts, rtr, rank FROM heads WHERE decomposition = $1 ORDER BY layer, unit"
    maps = [
        np.array([list(row.values()) for row in load.rows(cache, query, one["decomposition"])])
        for one in (alone, together)
    ]
    np.testing.assert_allclose(maps[0], maps[1], rtol=1e-12)
    job = _job(command, together["capture"])
    assert sorted(_made(job)) == [*(f"batch-{number:04d}" for number in range(12)), "subject"]
    assert not job.held.exists()

    how = ("--prompts", "3", "--seeds", "2", "--fractions", "0.25,0.5")
    ablations = [
        command.json("ablate", alone["decomposition"], *how, *more)["ablation"] for more in ((), ("--workers", "2"))
    ]
    query = "SELECT * EXCLUDE ablation FROM ablation_curves WHERE ablation = $1 ORDER BY ALL"
    assert load.rows(cache, query, ablations[0]) == load.rows(cache, query, ablations[1])
    assert len(set(_made(_job(command, ablations[1])))) == len(_made(_job(command, ablations[1])))


@pytest.mark.long
@pytest.mark.worker
def test_whoever_works_on_a_job_makes_it_and_takes_the_place_of_a_worker_that_is_gone(
    command: Command, tiny: Path
) -> None:
    """A job that nobody was started for; two who work on it; the one that is its worker is killed."""
    asked = ("capture", str(tiny), "--prompts", "12", "--steps", "400", "--batch", "1")
    name = command.json(*asked, "--executor", "none", "--detach")["job"]
    job = _job(command, name)
    assert job.status()["state"] == "queued"
    assert job.status()["unstarted"]
    assert f"jobs work {name}" in command("jobs", "show", name).stdout
    assert f"jobs work {name}" in command("jobs", "list").stdout
    first = command.start("jobs", "work", name)
    until(lambda: "batch-0000" in parts.there(job))
    second = command.start("jobs", "work", str(job.path))
    until(lambda: any(one.holder.pid == second.pid for one in held.holders(job)) or job.status()["state"] == "done")
    assert job.status()["state"] == "running"
    assert worker_of(command.cache, name).pid == first.pid
    there = {one: (job.shards / f"{one}.parquet").stat().st_mtime_ns for one in parts.there(job) if one != "subject"}
    first.send_signal(signal.SIGKILL)
    first.wait()
    out, err = second.communicate(timeout=240)
    assert second.returncode == 0, err
    assert job.status()["state"] == "done"
    made = re.findall(r"^(\S+) made on", out, re.MULTILINE)
    assert not set(made) & set(there)
    assert len(made) == len(set(made))
    assert "is done" in command("jobs", "work", name, code=1).stderr
    undisturbed = command.json(*asked)["capture"]
    cache = Cache.open(command.cache)
    np.testing.assert_array_equal(load.series(cache, name), load.series(cache, undisturbed))


@pytest.mark.worker
def test_a_model_over_two_processes_is_captured_and_ablated_as_in_one(command: Command, tiny: Path) -> None:
    asked = ("--prompts", "4", "--steps", "24", "--batch", "2")
    alone, together = (command.json("run", str(tiny), *asked, *more) for more in ((), ("--tensor-parallel", "2")))
    cache = Cache.open(command.cache)
    series = [load.series(cache, one["capture"]) for one in (alone, together)]
    np.testing.assert_allclose(series[0], series[1], rtol=1e-5)
    assert "× 2" in _job(command, together["capture"]).log.read_text("utf-8")
    how = ("--prompts", "2", "--seeds", "1", "--fractions", "0.25")
    ablations = [command.json("ablate", one["decomposition"], *how)["ablation"] for one in (alone, together)]
    query = "SELECT divergence FROM ablation_curves WHERE ablation = $1 ORDER BY removal_order, target, seed, fraction"
    found = [[row["divergence"] for row in load.rows(cache, query, one)] for one in ablations]
    np.testing.assert_allclose(found[0], found[1], atol=1e-5)


@pytest.mark.worker
def test_what_goes_wrong_with_the_processes_of_a_model_is_told_by_the_job(command: Command, tiny: Path) -> None:
    """Four heads of which two have one key: three processes cannot share them."""
    got = command("capture", str(tiny), "--prompts", "2", "--steps", "24", "--tensor-parallel", "3", code=1)
    assert "heads" in got.stderr
    assert "Traceback" not in got.stderr


@pytest.mark.worker
def test_the_blocks_of_a_ladders_levels_are_made_by_all(command: Command, tmp_path: Path) -> None:
    """192 units have several blocks of pairs where several workers share them."""
    wide = {"num_attention_heads": 48, "num_key_value_heads": 48, "head_dim": 2, "hidden_size": 96}
    folder = make_tiny(tmp_path / "wide", **wide)
    asked = ("difficulty", str(folder), "--ladder", "word-sorting", "--prompts", "8", "--levels", "2", "--fresh")
    asked = (*asked, "--batch", "4")  # what shares a batch is rounded with it
    alone, together = (
        command.json(*asked, "--surrogates", "20", "--steps", "24", *more) for more in ((), ("--workers", "2"))
    )
    cache = Cache.open(command.cache)
    log = _job(command, together["ladder"]).log.read_text("utf-8")
    assert len(re.findall(r"^prompt-shuffle-0001 made on", log, re.MULTILINE)) == 2
    query = "SELECT sts, rtr, excess FROM heads WHERE decomposition = $1 ORDER BY layer, unit"
    for one, other in zip(alone["levels_of"], together["levels_of"], strict=True):
        maps = [load.rows(cache, query, level["map"]) for level in (one, other)]
        values = [np.array([list(row.values()) for row in found]) for found in maps]
        assert np.isfinite(values[0]).all()
        np.testing.assert_allclose(values[0], values[1], rtol=1e-9)


# The crew itself


class Halves:
    """Makes a part of two halves; what it is given says what becomes of it."""

    def __init__(self, spec: Any, given: Given, report: making.Report) -> None:
        self.scale = given.told["scale"]

    def make(self, wanted: Wanted, hearing: making.Hearing) -> Content:
        if wanted.given.get("fails"):
            raise MeasureError("it cannot be measured", "leave it")
        for _ in range(2):
            hearing.advance(wanted.weight)  # too much: no more than the weight counts
        return parts.of_json({"value": wanted.given["number"] * self.scale})


class Kind:
    Maker = Halves


@pytest.fixture
def job(tmp_path: Path) -> JobFolder:
    found = JobFolder(tmp_path / "jobs" / "c1")
    found.shards.mkdir(parents=True)
    return found


def _wanted(count: int) -> list[Wanted]:
    return [Wanted(f"part-{number}", 3, {"number": number}) for number in range(count)]


def _crew(job: JobFolder, progress: Progress) -> Crew:
    made = Crew(job, progress)
    made.begin(Kind, DecomposeSpec(capture="c1"), Given(told={"scale": 10}))
    return made


def test_all_parts_are_there_and_counted_once(job: JobFolder) -> None:
    parts.keep(job, "part-1", parts.of_json({"value": "kept"}))
    parts.keep(job, "part-2", parts.of_json({"value": "damaged"}))
    with Progress(job, {"id": "c1", "state": "running"}) as progress:
        _crew(job, progress).make(
            _wanted(4),
            lambda name: (parts.read_json(job, name) or {}).get("value") != "damaged",
            name="halves",
            total=12,
        )
        stage = progress._status["stages"][-1]
    found = [(parts.read_json(job, f"part-{number}") or {})["value"] for number in range(4)]
    assert found == [0, "kept", 20, 30]
    assert (stage["done"], stage["total"], stage["kept"]) == (9, 9, 3)
    assert held.holders(job) == []


def test_parts_that_others_make_are_waited_for_and_counted(job: JobFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    other = held.Holder("other", "cpu", 1, 5.0, "another boot")
    held.note(job, "part-0", other)
    looks = 0

    def look(self: Crew, left: Any) -> None:
        nonlocal looks
        looks += 1
        assert [one.name for one in left] == ["part-0"]
        if looks == 3:
            parts.keep(job, "part-0", parts.of_json({"value": "other's"}))

    monkeypatch.setattr(Crew, "_look", look)
    with Progress(job, {"id": "c1", "state": "running"}) as progress:
        _crew(job, progress).make(_wanted(2), name="halves", total=6)
        stage = progress._status["stages"][-1]
    assert looks == 3
    assert (parts.read_json(job, "part-0") or {})["value"] == "other's"
    assert stage["done"] == 6


def test_what_a_maker_raises_is_raised_and_its_part_let_go(job: JobFolder) -> None:
    with Progress(job, {"id": "c1", "state": "running"}) as progress, pytest.raises(MeasureError):
        _crew(job, progress).make([Wanted("part-0", 1, {"fails": True})], name="halves", total=1)
    assert held.holders(job) == []
    assert parts.there(job) == set()


def test_errors_travel_between_processes(job: JobFolder) -> None:
    job.errors.mkdir()
    told = making.told_of(MeasureError("too short", "ask for more"), "host7")
    (job.errors / "1.json").write_text(json.dumps(told))
    (job.errors / "2.json").write_text("{")
    with pytest.raises(SynergyError, match=r"too short \(on host7\) · ask for more"):
        making.raise_left(job)
    making.raise_left(job)  # told once
    with pytest.raises(MemoryError):
        making.raise_told(making.told_of(RuntimeError("CUDA out of memory"), "host7"))
    with pytest.raises(SynergyError, match="unexpected KeyError: 'x'"):
        making.raise_told(making.told_of(KeyError("x")))


def test_cores_are_shared_out_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    from synergy_tui.jobs import devices

    monkeypatch.setattr(devices.os, "sched_getaffinity", lambda _: {1, 3, 4, 6, 9})
    assert [devices.share(number, 2) for number in range(2)] == [{1, 3}, {4, 6, 9}]
    assert [devices.share(number, 5) for number in range(5)] == [{1}, {3}, {4}, {6}, {9}]
    assert set.union(*(devices.share(number, 7) for number in range(7))) == {1, 3, 4, 6, 9}
    assert all(devices.share(number, 7) for number in range(7))


def test_how_many_workers_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    assert crew.team(Executor(), "cpu") == 1
    assert crew.team(Executor(workers=3), "cpu") == 3
    monkeypatch.setattr(crew.devices, "gpus", lambda: ["0", "1", "2", "3"])
    assert crew.team(Executor(), "cuda") == 4
    assert crew.team(Executor(workers=2), "cuda") == 2
    assert crew.team(Executor(workers=9), "cuda") == 4
    assert crew.team(Executor(), "cuda:1") == 1
    assert crew.place_of(2, 4, "cuda") == ["cuda:2"]
    # A helper has the cores of the worker from before that one was kept to its own share.
    monkeypatch.setattr(crew, "_cores", {2, 3, 6, 7})
    monkeypatch.setattr(crew.devices.os, "sched_getaffinity", lambda _: {2})
    assert [crew.place_of(number, 2, "cpu") for number in range(2)] == [["cpu", "2,3"], ["cpu", "6,7"]]


@pytest.mark.parametrize(
    "content",
    [
        {"parts": [["../../../out", {}]]},
        {"parts": [["/tmp/out", {}]]},
        {"parts": [["a", {}]], "within": {"name": "../../out", "spec": {}}},
        {"parts": [["a", {}]], "within": {"spec": {}}},
        {"parts": [["a", {}]], "within": 5},
        {"parts": [["a", 5]]},
        [],
    ],
)
def test_a_folder_from_elsewhere_names_no_path_outside_of_it(job: JobFolder, content: Any) -> None:
    job.wanted.write_text(json.dumps(content))
    assert crew.wanted_now(job) == crew.Now()


def test_a_part_of_a_job_allows_a_subject_nothing(job: JobFolder, tmp_path: Path) -> None:
    """A note of what is wanted may come from elsewhere, as a spec may."""
    source = Source("hostile", "folder", str(tmp_path), remote_code=True)
    spec = CaptureSpec(subject="x", source=source, data="", task_set="", tasks_hash="", items=())
    now = crew.Now([Wanted("a")], within={"name": "level-01", "spec": as_json(spec)})
    with pytest.raises(SynergyError, match="you have not allowed that here"):
        helper._Makers(job, helper.Heard(job)).ready(now)
