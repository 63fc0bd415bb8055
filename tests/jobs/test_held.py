"""Who makes which part."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from synergy_tui.jobs import held
from synergy_tui.jobs.folder import JobFolder
from synergy_tui.jobs.held import Holder


@pytest.fixture
def job(tmp_path: Path) -> JobFolder:
    return JobFolder(tmp_path / "c1")


ELSEWHERE = Holder("other", "cuda:3", 1, 5.0, "another boot")


def _aged(job: JobFolder, part: str, seconds: float) -> None:
    path = job.held / f"{part}.json"
    os.utime(path, (path.stat().st_mtime - seconds,) * 2)


@pytest.mark.worker
def test_a_part_has_one_holder_until_it_is_released(job: JobFolder) -> None:
    me = Holder.me("cpu")
    assert held.claim(job, "batch-0000", me)
    other = "from synergy_tui.jobs import held; from synergy_tui.jobs.folder import JobFolder; import sys, pathlib; "
    other += "print(held.claim(JobFolder(pathlib.Path(sys.argv[1])), 'batch-0000', held.Holder.me('cpu')))"
    told = subprocess.run([sys.executable, "-c", other, str(job.path)], capture_output=True, text=True, check=True)
    assert told.stdout == "False\n"
    (found,) = held.holders(job)
    assert (found.part, found.holder) == ("batch-0000", me)
    assert found.as_dict()["host"] == me.host
    held.release(job, "batch-0000")
    assert held.holders(job) == []
    held.release(job, "batch-0000")


@pytest.mark.worker
def test_a_holder_that_has_ended_holds_nothing(job: JobFolder) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    dead = replace(Holder.me("cpu"), pid=ended.pid, since=1.0)
    held.note(job, "a", dead)
    assert held.holders(job) == []
    assert held.claim(job, "a", Holder.me("cpu"))


def test_a_holder_elsewhere_is_believed_as_long_as_it_says_that_it_lives(job: JobFolder) -> None:
    me = Holder.me("cpu")
    held.note(job, "a", ELSEWHERE)
    _aged(job, "a", held.STALE - 5)
    assert not held.claim(job, "a", me)
    held.still(job, "a")
    _aged(job, "a", held.STALE - 5)
    assert [one.holder for one in held.holders(job)] == [ELSEWHERE]
    _aged(job, "a", 10)
    assert held.holders(job) == []
    assert held.claim(job, "a", me)
    assert [one.holder for one in held.holders(job)] == [me]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"part": "a"}', "null", '{"part": 1, "began": 0, "pid": []}'])
def test_a_note_that_cannot_be_read_holds_for_a_while(job: JobFolder, content: str) -> None:
    """It may be on its way."""
    job.held.mkdir(parents=True)
    (job.held / "a.json").write_text(content)
    assert not held.claim(job, "a", Holder.me("cpu"))
    _aged(job, "a", held.STALE + 5)
    assert held.claim(job, "a", Holder.me("cpu"))
