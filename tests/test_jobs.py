"""Jobs outlive the terminal, the command and their own worker."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest
from conftest import Command, until, worker_of

from synergy_tui.errors import JobError
from synergy_tui.jobs import folder, plan, submit
from synergy_tui.jobs.folder import JobFolder
from synergy_tui.store import load
from synergy_tui.store.cache import Cache

LONG = ("--prompts", "12", "--steps", "120", "--batch", "1")
"""A capture of a tiny subject that takes some seconds and has twelve shards."""


@pytest.fixture
def started(command: Command, tiny):
    """A capture with its worker at work, one shard or more done."""
    job = JobFolder(command.cache / "jobs" / command.json("capture", str(tiny), *LONG, "--detach")["job"])
    until(lambda: list(job.shards.glob("batch-*.parquet")))
    return job


def test_a_killed_workers_shards_are_kept_and_the_resumed_result_is_the_undisturbed_one(command, started, tiny):
    worker_of(command.cache, started.id).kill()
    status = command.wait(started.id, "failed", timeout=5)
    assert f"jobs resume {started.id}" in status["error"]
    kept = {path.name: path.stat().st_mtime_ns for path in started.shards.glob("*.parquet")}
    assert 0 < len(kept) < 12

    assert command.json("jobs", "resume", started.id)["queued"] == [started.id]
    command.wait(started.id, "done")
    assert kept.items() <= {path.name: path.stat().st_mtime_ns for path in started.shards.glob("*.parquet")}.items()

    undisturbed = command.json("capture", str(tiny), *LONG)
    cache = Cache.open(command.cache)
    np.testing.assert_array_equal(load.series(cache, started.id), load.series(cache, undisturbed["capture"]))
    texts = [
        load.rows(cache, "SELECT prompt, tokens, ended FROM responses WHERE capture = $1 ORDER BY prompt", one)
        for one in (started.id, undisturbed["capture"])
    ]
    assert texts[0] == texts[1]


def test_a_command_ends_soon_after_its_worker_died_and_names_the_resume(command, tiny):
    process = command.start("capture", str(tiny), *LONG)
    (job,) = until(lambda: list(folder.every(command.cache)))
    until(lambda: list(job.shards.glob("*.parquet")))
    worker_of(command.cache, job.id).kill()
    died = time.monotonic()
    _, err = process.communicate(timeout=20)
    assert process.returncode == 1
    assert time.monotonic() - died < 5
    assert f"synergy-tui jobs resume {job.id}" in err


def test_ctrl_c_cancels_keeps_the_shards_and_exits_130(command, tiny):
    process = command.start("run", str(tiny), *LONG)
    first, second = until(lambda: len(found := list(folder.every(command.cache))) == 2 and found)
    first, second = sorted((first, second), key=lambda job: job.spec()["kind"])
    until(lambda: list(first.shards.glob("*.parquet")))
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "jobs resume" in err
    assert [job.status()["state"] for job in (first, second)] == ["cancelled", "cancelled"]
    assert list(first.shards.glob("*.parquet"))

    resumed = command.json("jobs", "resume", first.id)
    assert resumed["queued"] == [first.id, second.id]
    command.wait(second.id, "done")


def test_losing_the_terminal_leaves_the_job_running_to_its_end(command, tiny):
    """The command runs in a terminal of its own, which closes while the capture runs."""
    line = [sys.executable, "-c", "import pty, sys; pty.spawn(sys.argv[1:])", *command._line(("run", str(tiny), *LONG))]
    terminal = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    jobs = until(lambda: len(found := list(folder.every(command.cache))) == 2 and found)
    capture = next(job for job in jobs if job.spec()["kind"] == "capture")
    until(lambda: list(capture.shards.glob("*.parquet")))
    followers = psutil.Process(terminal.pid).children()
    assert len(followers) == 1
    terminal.kill()
    terminal.wait()
    assert psutil.wait_procs(followers, timeout=10)[1] == []  # the command itself ends with its terminal
    for job in jobs:
        command.wait(job.id, "done")
    assert command.json("show", "--latest")["capture"] == capture.id


def test_cancel_is_heard_within_two_seconds(command, started):
    command("jobs", "cancel", started.id)
    command.wait(started.id, "cancelled", timeout=2)
    assert list(started.shards.glob("*.parquet"))


def test_jobs_on_one_device_run_one_at_a_time(command, started, tiny):
    second = command.json("capture", str(tiny), "--prompts", "2", "--steps", "30", "--detach")["job"]
    time.sleep(1)
    states = {row["id"]: row["state"] for row in command.json("jobs", "list")}
    assert states == {started.id: "running", second: "queued"}
    command.wait(second, "done")
    assert started.status()["state"] == "done"


def test_what_waited_for_a_job_that_failed_goes_on_with_it(command, tiny):
    ids = command.json("run", str(tiny), *LONG, "--detach")
    capture = JobFolder(command.cache / "jobs" / ids["capture"])
    until(lambda: list(capture.shards.glob("*.parquet")))
    worker_of(command.cache, capture.id).kill()
    waiting = command.wait(ids["decompose"], "failed")
    assert f"jobs resume {capture.id} continues both" in waiting["error"]
    command("jobs", "resume", capture.id)
    command.wait(ids["decompose"], "done")


def test_a_job_goes_on_when_the_one_before_it_was_tidied_away(command, tiny):
    capture = command.json("capture", str(tiny), "--prompts", "3", "--steps", "40")["capture"]
    command("jobs", "clean", capture)
    spec = plan.decompose(capture, 16, 3, lag=1, device="cpu", seed=0).spec
    job = submit.submit(command.cache, "decompose", spec, after=capture)
    command.wait(job.id, "done")


def test_a_damaged_shard_is_made_again(command, started):
    worker_of(command.cache, started.id).kill()
    command.wait(started.id, "failed")
    shard = sorted(started.shards.glob("*.parquet"))[0]
    shard.write_bytes(shard.read_bytes()[:100])
    command("jobs", "resume", started.id)
    command.wait(started.id, "done")
    assert "damaged and will be made again" in command("jobs", "logs", started.id).stdout


def test_a_second_worker_leaves_a_job_alone_even_when_the_first_sleeps(command, started):
    first = worker_of(command.cache, started.id)
    first.suspend()
    line = [sys.executable, "-m", "synergy_tui.jobs.worker", str(started.path)]
    second = subprocess.run(line, capture_output=True, text=True)
    assert second.returncode == 1
    assert "another worker has this job" in second.stdout
    first.resume()
    command.wait(started.id, "done")


def test_a_running_job_is_not_resumed_and_a_done_one_neither(command, started):
    with pytest.raises(JobError, match="is running"):
        submit.resume(command.cache, started)
    command.wait(started.id, "done")
    with pytest.raises(JobError, match="is done"):
        submit.resume(command.cache, started)


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


def test_cancel_ends_a_worker_that_does_not_hear(command, started):
    """As one does not while a library loads a model; here it sleeps."""
    worker_of(command.cache, started.id).suspend()
    begun = time.monotonic()
    submit.cancel(started)
    assert time.monotonic() - begun < 2.5
    assert started.status()["state"] == "cancelled"
    command("jobs", "resume", started.id)
    command.wait(started.id, "done")


def test_a_full_disk_is_told_as_one(command, started, monkeypatch):
    worker_of(command.cache, started.id).kill()
    command.wait(started.id, "failed")
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr(folder.shutil, "disk_usage", lambda _: usage)
    assert "the disk is full" in started.status()["error"]


def test_status_is_told_while_it_runs(command, started):
    status = json.loads(command("jobs", "show", started.id, "--json").stdout)["status"]
    assert status["state"] == "running"
    assert 0 < status["progress"] < 1
    assert time.time() - status["heartbeat"] < 5
    stage = status["stages"][-1]
    assert stage["name"] == "capture"
    assert stage["rate"] > 0
    (row,) = command.json("sql", f"SELECT state, kind, pid FROM jobs WHERE id = '{started.id}'")
    assert row == {"state": "running", "kind": "capture", "pid": status["pid"]}
