"""Jobs outlive the terminal, the command and their own worker."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from unittest.mock import ANY

import duckdb
import numpy as np
import psutil
import pytest
from conftest import Command, until, worker_of

from synergy_tui.errors import JobError
from synergy_tui.jobs import folder, plan, processes, submit, tidy
from synergy_tui.jobs.folder import JobFolder
from synergy_tui.jobs.specs import DecomposeRequest, DecomposeSpec
from synergy_tui.store import load
from synergy_tui.store.cache import Cache

STEPS = 400

LONG = ("--prompts", "12", "--steps", str(STEPS), "--batch", "1")
"""A capture of a tiny subject that takes some seconds and has twelve shards."""


@pytest.fixture
def started(command: Command, tiny):
    """A capture with its worker at work, one shard or more done."""
    job = JobFolder(command.cache / "jobs" / command.json("capture", str(tiny), *LONG, "--detach")["job"])
    until(lambda: list(job.shards.glob("batch-*.parquet")))
    return job


@pytest.mark.worker
def test_a_killed_workers_shards_are_kept_and_the_resumed_result_is_the_undisturbed_one(command, started, tiny):
    worker_of(command.cache, started.id).kill()
    status = command.wait(started.id, "failed", timeout=60)
    assert f"jobs resume {started.id}" in status["error"]
    kept = len(list(started.shards.glob("*.parquet")))
    assert 0 < kept < 12

    assert command.json("jobs", "resume", started.id)["queued"] == [started.id]
    stages = command.wait(started.id, "done")["stages"]
    assert next(one["kept"] for one in stages if one["name"] == "capture") == kept * STEPS
    until(lambda: not started.shards.exists())  # they are published

    undisturbed = command.json("capture", str(tiny), *LONG)
    cache = Cache.open(command.cache)
    np.testing.assert_array_equal(load.series(cache, started.id), load.series(cache, undisturbed["capture"]))
    texts = [
        load.rows(cache, "SELECT prompt, tokens, ended FROM responses WHERE capture = $1 ORDER BY prompt", one)
        for one in (started.id, undisturbed["capture"])
    ]
    assert texts[0] == texts[1]


@pytest.mark.worker
def test_a_command_ends_soon_after_its_worker_died_and_names_the_resume(command, tiny):
    process = command.start("capture", str(tiny), *LONG)
    (job,) = until(lambda: list(folder.every(command.cache)))
    until(lambda: list(job.shards.glob("*.parquet")))
    worker_of(command.cache, job.id).kill()
    died = time.monotonic()
    _, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert time.monotonic() - died < 30
    assert f"synergy-tui jobs resume {job.id}" in err


@pytest.mark.worker
def test_ctrl_c_cancels_keeps_the_shards_and_exits_130(command, tiny):
    # More prompts than elsewhere: on a busy machine this process may sleep while the capture goes on.
    process = command.start("run", str(tiny), "--prompts", "40", *LONG[2:])
    first, second = until(lambda: len(found := list(folder.every(command.cache))) == 2 and found)
    first, second = sorted((first, second), key=lambda job: job.kind)
    until(lambda: list(first.shards.glob("*.parquet")))
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "jobs resume" in err
    assert [job.status()["state"] for job in (first, second)] == ["cancelled", "cancelled"]
    assert list(first.shards.glob("*.parquet"))

    resumed = command.json("jobs", "resume", first.id)
    assert resumed["queued"] == [first.id, second.id]
    command.wait(second.id, "done")


@pytest.mark.worker
def test_losing_the_terminal_leaves_the_job_running_to_its_end(command, tiny):
    """The command runs in a terminal of its own, which closes while the capture runs."""
    line = [sys.executable, "-c", "import pty, sys; pty.spawn(sys.argv[1:])", *command._line(("run", str(tiny), *LONG))]
    terminal = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    jobs = until(lambda: len(found := list(folder.every(command.cache))) == 2 and found)
    capture = next(job for job in jobs if job.kind == "capture")
    until(lambda: list(capture.shards.glob("*.parquet")))
    followers = psutil.Process(terminal.pid).children()
    assert len(followers) == 1
    terminal.kill()
    terminal.wait()
    assert psutil.wait_procs(followers, timeout=60)[1] == []  # the command itself ends with its terminal
    for job in jobs:
        command.wait(job.id, "done")
    assert command.json("show", "--latest")["capture"] == capture.id


@pytest.mark.worker
def test_cancel_is_heard_within_two_seconds(command, started):
    command("jobs", "cancel", started.id)
    command.wait(started.id, "cancelled", timeout=30)
    assert list(started.shards.glob("*.parquet"))


@pytest.mark.worker
def test_jobs_on_one_device_run_one_at_a_time_whatever_their_cache_and_in_their_order(command, started, tiny, tmp_path):
    elsewhere = Command(tmp_path / "another")
    worker = worker_of(command.cache, started.id)
    worker.suspend()  # that it is not done before the others are looked at
    few = ("capture", str(tiny), "--prompts", "2", "--steps", "30", "--detach")
    second, third = elsewhere.json(*few)["job"], command.json(*few)["job"]
    states = {row["id"]: row["state"] for row in (*command.json("jobs", "list"), *elsewhere.json("jobs", "list"))}
    worker.resume()
    assert states == {started.id: "running", second: "queued", third: "queued"}
    ended = [one.wait(job, "done")["heartbeat"] for one, job in ((elsewhere, second), (command, third))]
    assert started.status()["heartbeat"] < ended[0] < ended[1]


@pytest.mark.worker
def test_a_paused_job_leaves_the_device_to_others_and_goes_on_when_it_is_resumed(command, tiny):
    ids = command.json("run", str(tiny), *LONG, "--detach")
    capture = JobFolder(command.cache / "jobs" / ids["capture"])
    until(lambda: list(capture.shards.glob("batch-*.parquet")))
    begun = time.monotonic()
    assert submit.pause(capture)["state"] == "paused"
    assert time.monotonic() - begun < 2.5
    until(lambda: processes.since(capture.status()["pid"]) is None)
    with pytest.raises(JobError, match="is paused already"):
        submit.pause(capture)
    other = command.json("capture", str(tiny), "--prompts", "2", "--steps", "30")["capture"]
    states = {row["id"]: row["state"] for row in command.json("jobs", "list")}
    assert states == {capture.id: "paused", ids["decompose"]: "queued", other: "done"}
    assert "is paused" in command("jobs", "watch", capture.id, code=1).stderr
    assert command.json("jobs", "resume", capture.id)["queued"] == [capture.id]
    command.wait(ids["decompose"], "done")


@pytest.mark.worker
def test_what_runsis_memory_is_tried_again_with_a_smaller_batch(command, tiny, tmp_path, monkeypatch, new_processes):
    """The worker is a real one; its work asks for a petabyte first while the batch is above 3."""
    (tmp_path / "sitecustomize.py").write_text(TOO_MUCH)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    job = command.json("capture", str(tiny), "--prompts", "4", "--steps", "30", "--batch", "8")["capture"]
    assert JobFolder(command.cache / "jobs" / job).order().spec.batch == 2
    told = command("jobs", "logs", job).stdout
    assert "batch of 8: again with 4" in told
    assert "batch of 4: again with 2" in told
    # The recipe is of what was made.
    assert "--batch 2 " in command("jobs", "show", job, "--recipe").stdout


TOO_MUCH = """
import sys
if "synergy_tui.jobs.worker" in sys.orig_argv:
    import synergy_tui.jobs.worker.capture as capture
    import numpy
    work = capture.work
    capture.work = lambda job, spec, progress: (spec.batch > 3 and numpy.empty(10**15), work(job, spec, progress))
"""


def test_every_librarys_word_for_too_little_memory_is_known():
    import jax.numpy as jnp
    import torch

    from synergy_tui.jobs.worker.executors.making import is_memory

    for ask in (lambda: np.empty(10**15), lambda: torch.empty(10**15), lambda: jnp.zeros(10**15).block_until_ready()):
        with pytest.raises(Exception) as caught:  # noqa: PT011 (each has its own class)
            ask()
        assert is_memory(caught.value)
    assert not is_memory(ValueError("no"))


@pytest.mark.worker
def test_a_result_waits_for_a_shell_that_holds_the_cache_and_says_so(command, started):
    with duckdb.connect(str(command.cache / "cache.duckdb")):
        told = f"(PID {os.getpid()})"
        until(lambda: told in started.status()["stages"][-1]["detail"])
        assert started.status()["stages"][-1]["name"] == "publish"
        # It stops waiting when it is asked to, and what it has done is kept.
        assert submit.pause(started)["state"] == "paused"
        assert len(list(started.shards.glob("*.parquet"))) == 12
        submit.resume(command.cache, started)
        until(lambda: told in (started.status()["stages"] or [{"detail": ""}])[-1]["detail"])
    assert command.wait(started.id, "done", timeout=120)["stages"][-2]["kept"] == 12 * STEPS


@pytest.mark.worker
def test_a_silent_worker_is_told_and_a_clock_set_back_says_nothing(command, started, monkeypatch):
    worker = worker_of(command.cache, started.id)
    worker.suspend()
    status = started._whole_status()
    monkeypatch.setattr(folder.time, "time", lambda: status["heartbeat"] + 47)
    assert started.status()["silent"] == 45
    assert started.status()["state"] == "running"
    monkeypatch.setattr(folder.time, "time", lambda: status["heartbeat"] - 86_400)
    assert "silent" not in started.status()
    worker.resume()
    monkeypatch.undo()
    command.wait(started.id, "done")


@pytest.mark.worker
def test_a_number_of_another_process_or_another_boot_is_no_worker(command, started):
    worker_of(command.cache, started.id).kill()
    command.wait(started.id, "failed")
    note = json.loads((started.path / "started.json").read_text())
    mine = {"pid": os.getpid(), "since": processes.since(os.getpid()), "boot": processes.boot()}
    folder.write_json(started.path / "started.json", note | mine | {"since": mine["since"] - 1})
    assert started.status()["state"] == "failed"
    folder.write_json(started.path / "started.json", note | mine | {"boot": "another"})
    assert "the machine was started anew" in started.status()["error"]
    folder.write_json(started.path / "started.json", note | {"oom_kills": note["oom_kills"] - 1})
    assert "memory had run out" in started.status()["error"]
    assert "--batch 4" in started.status()["error"]


@pytest.mark.worker
def test_a_job_that_is_being_resumed_is_not_lost(command, started):
    """Those that wait for it look at it between its being queued and the start of its worker."""
    worker_of(command.cache, started.id).kill()
    assert command.wait(started.id, "failed")["lost"]
    queued = folder.queued(started.id, "capture", None)
    started.write_status(queued)
    assert started.status()["state"] == "queued"
    started.write_status(queued | {"heartbeat": time.time() - folder.STARTING - 1})
    assert started.status()["state"] == "failed"
    # With its worker noted there is no doubt: this one is gone.
    os.utime(started.path / "started.json", (0, 0))
    started.write_status(queued | {"heartbeat": time.time() - 1})
    assert started.status()["state"] == "queued"
    started.started(json.loads((started.path / "started.json").read_text())["pid"])
    assert started.status()["state"] == "failed"


@pytest.mark.worker
def test_old_done_jobs_and_what_killed_work_left_are_tidied_away(command, tiny):
    done = JobFolder(
        command.cache / "jobs" / command.json("capture", str(tiny), "--prompts", "2", "--steps", "30")["capture"]
    )
    recent = folder.new(command.cache, folder.Order(DecomposeSpec(capture="c1", device="cpu")))
    recent.write_status(recent._whole_status() | {"state": "done"})
    old = time.time() - 2 * submit.KEPT
    done.write_status(done._whole_status() | {"heartbeat": old})
    # A worker killed while it wrote leaves these; the newer ones may be somebody's.
    opened = Cache.open(command.cache)
    left = [opened.unfinished / "cdead.parquet", opened.unfinished / ".cdead.parquet.1.part"]
    left += [recent.shards / ".batch.1.part", opened.jobs / "cempty" / "log.txt"]
    for path in left:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x" * 1000)
    assert tidy.collect(opened) == {"parts of done jobs": 1000, "done jobs": ANY, "unfinished files": 0} | {
        "folders without a job": 0
    }
    assert not done.path.exists()
    assert [path.exists() for path in left] == [True, True, False, True]
    for path in (*left[:2], left[3].parent):
        os.utime(path, (old, old))
    assert command.json("cache", "gc")["unfinished files"] == 2000
    assert not any(path.exists() for path in left)
    assert command.json("jobs", "clean", "--older", "1") == []
    assert command.json("jobs", "clean") == [recent.id]
    assert command("jobs", "show", done.id, "--recipe").stdout.startswith("synergy-tui capture")


@pytest.mark.worker
def test_what_waited_for_a_job_that_failed_goes_on_with_it(command, tiny):
    ids = command.json("run", str(tiny), *LONG, "--detach")
    capture = JobFolder(command.cache / "jobs" / ids["capture"])
    until(lambda: list(capture.shards.glob("*.parquet")))
    worker_of(command.cache, capture.id).kill()
    waiting = command.wait(ids["decompose"], "failed")
    assert f"jobs resume {capture.id} continues both" in waiting["error"]
    command("jobs", "resume", capture.id)
    command.wait(ids["decompose"], "done")


@pytest.mark.worker
def test_a_job_goes_on_when_the_one_before_it_was_tidied_away(command, tiny):
    capture = command.json("capture", str(tiny), "--prompts", "3", "--steps", "40")["capture"]
    command("jobs", "clean", capture)
    spec = plan.decompose(DecomposeRequest(capture=capture, device="cpu"), 16, 3).spec
    job = submit.submit(command.cache, spec, after=capture)
    command.wait(job.id, "done")


@pytest.mark.worker
def test_a_damaged_shard_is_made_again(command, started):
    worker_of(command.cache, started.id).kill()
    command.wait(started.id, "failed")
    shard = sorted(started.shards.glob("*.parquet"))[0]
    shard.write_bytes(shard.read_bytes()[:100])
    command("jobs", "resume", started.id)
    command.wait(started.id, "done")
    assert "damaged and will be made again" in command("jobs", "logs", started.id).stdout


@pytest.mark.worker
def test_a_second_worker_leaves_a_job_alone_even_when_the_first_sleeps(command, started):
    first = worker_of(command.cache, started.id)
    first.suspend()
    line = [sys.executable, "-m", "synergy_tui.jobs.worker", str(started.path)]
    second = subprocess.run(line, capture_output=True, text=True)
    assert second.returncode == 1
    assert "another worker has this job" in second.stdout
    first.resume()
    command.wait(started.id, "done")


@pytest.mark.worker
def test_a_running_job_is_not_resumed_and_a_done_one_neither(command, started):
    with pytest.raises(JobError, match="is running"):
        submit.resume(command.cache, started)
    command.wait(started.id, "done")
    with pytest.raises(JobError, match="is done"):
        submit.resume(command.cache, started)


@pytest.mark.worker
def test_garbage_in_a_job_folder_is_told_and_harms_no_other(command, tiny):
    done = command.json("capture", str(tiny), "--prompts", "2", "--steps", "30")["capture"]
    bad = command.cache / "jobs" / "cbad"
    bad.mkdir()
    (bad / "spec.json").write_text("{}")
    (bad / "status.json").write_text('{"id": "cbad", garbage')
    rows = {row["id"]: row for row in command.json("jobs", "list")}
    assert rows[done]["state"] == "done"
    assert "damaged" in rows["cbad"]["error"]
    assert command.json("sql", "SELECT id FROM jobs") == [{"id": done}]
    command("jobs", "clean", "cbad")
    assert not bad.exists()


@pytest.mark.parametrize(
    ("spec", "status"),
    [
        ("{}", "{}"),
        ('{"kind": "capture", "after": "../../etc"}', '{"state": "failed"}'),
        ('{"kind": "capture"}', '{"state": 5}'),
        ('{"kind": "capture"}', '{"state": "failed", "stages": [1, 2]}'),
        ("[1, 2]", '{"state": "failed"}'),
        ("[" * 100_000, '{"state": "failed"}'),
    ],
)
def test_a_hostile_job_folder_is_one_damaged_job(command, spec, status):
    bad = command.cache / "jobs" / "cbad"
    bad.mkdir(parents=True)
    (bad / "spec.json").write_text(spec)
    (bad / "status.json").write_text(status)
    assert [row["id"] for row in command.json("jobs", "list")] == ["cbad"]
    for verb in ("show", "resume"):
        assert "is damaged" in command("jobs", verb, "cbad", code=1).stderr
    command("jobs", "clean", "cbad")


@pytest.mark.worker
def test_cancel_ends_a_worker_that_does_not_hear(command, started):
    """As one does not while a library loads a model; here it sleeps."""
    worker_of(command.cache, started.id).suspend()
    begun = time.monotonic()
    submit.cancel(started)
    assert time.monotonic() - begun < 2.5
    assert started.status()["state"] == "cancelled"
    command("jobs", "resume", started.id)
    command.wait(started.id, "done")


@pytest.mark.worker
def test_a_full_disk_is_told_as_one(command, started, monkeypatch):
    worker_of(command.cache, started.id).kill()
    command.wait(started.id, "failed")
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr(folder.shutil, "disk_usage", lambda _: usage)
    assert "the disk is full" in started.status()["error"]


@pytest.mark.worker
def test_status_is_told_while_it_runs(command, started):
    worker = worker_of(command.cache, started.id)
    worker.suspend()  # that it is not done before it is looked at
    now = time.time()
    status = json.loads(command("jobs", "show", started.id, "--json").stdout)["status"]
    assert status["state"] == "running"
    assert 0 < status["progress"] < 1
    assert now - status["heartbeat"] < 5
    stage = status["stages"][-1]
    assert stage["name"] == "capture"
    assert stage["rate"] > 0
    (row,) = command.json("sql", f"SELECT state, kind, pid FROM jobs WHERE id = '{started.id}'")
    assert row == {"state": "running", "kind": "capture", "pid": status["pid"]}
    worker.resume()


def test_a_chain_is_what_waits_for_each_other_and_is_under_way():
    jobs = [
        {"id": "c1", "state": "done", "after": None},
        {"id": "d1", "state": "running", "after": "c1"},
        {"id": "a1", "state": "queued", "after": "d1"},
        {"id": "n1", "state": "queued", "after": "d1"},
        {"id": "k1", "state": "queued", "after": "n1"},
        {"id": "c2", "state": "running", "after": None},
        {"id": "d2", "state": "queued", "after": "c2"},
    ]
    for one in ("c1", "d1", "a1", "k1"):
        assert submit.linked(jobs, one) == ["d1", "a1", "n1", "k1"]
    assert submit.linked(jobs, "d2") == ["c2", "d2"]


def test_chains_are_all_jobs_that_are_joined_whatever_their_state():
    jobs = [
        {"id": "x1", "state": "failed", "after": "gone"},
        {"id": "k1", "state": "queued", "after": "n1"},
        {"id": "c1", "state": "done", "after": None},
        {"id": "d1", "state": "running", "after": "c1"},
        {"id": "d2", "state": "cancelled", "after": "c1"},
        {"id": "n1", "state": "queued", "after": "d1"},
        {"id": "o1", "state": "failed", "after": "o1"},
    ]
    assert submit.chains(jobs) == [["x1"], ["c1", "d1", "d2", "n1", "k1"], ["o1"]]
    assert submit.chains([]) == []


@pytest.mark.worker
def test_a_whole_chain_is_cancelled_at_once(command, tiny):
    ids = command.json("run", str(tiny), *LONG, "--detach")
    capture = JobFolder(command.cache / "jobs" / ids["capture"])
    until(lambda: list(capture.shards.glob("*.parquet")))
    assert set(command.json("jobs", "cancel", ids["decompose"], "--chain")["cancelled"]) == set(ids.values())
    for one in ids.values():
        assert command.wait(one, "cancelled")["state"] == "cancelled"
