"""Chains of jobs: what is started together, what is taken up, and that half a chain is never left behind."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from synergy_tui.errors import JobError
from synergy_tui.jobs import chain, folder, plan, processes
from synergy_tui.jobs.folder import JobFolder, Order
from synergy_tui.jobs.specs import CaptureRequest, DecomposeRequest
from synergy_tui.store.cache import Cache


@pytest.fixture
def links(tiny: Path, tmp_path: Path) -> list[plan.Link]:
    """A capture and two decompositions of it."""
    captured = plan.capture(tmp_path, CaptureRequest(subject=str(tiny), prompts=2, steps=24, device="cpu"))
    return plan.with_maps(captured, DecomposeRequest.read({"lag": "1,2"}))


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Workers that are asked for and never come."""
    asked: list[str] = []
    monkeypatch.setattr(processes, "spawn", lambda arguments, *_: asked.append(arguments[-1]) or 2**30)
    return asked


@pytest.mark.slow
def test_what_is_made_of_another_waits_for_it(links: list[plan.Link], cache: Path, started: list[str]) -> None:
    ids = chain.start(Cache.open(cache), links)
    orders = [JobFolder(cache / "jobs" / one).order() for one in ids]
    assert [one.after for one in orders] == [None, ids[0], ids[0]]
    assert [one.softly for one in orders] == [True, False, False]
    assert [getattr(one.spec, "capture", None) for one in orders] == [None, ids[0], ids[0]]
    assert [Path(one).name for one in started] == ids


@pytest.mark.slow
@pytest.mark.parametrize("fails", [1, 2])
def test_when_a_later_job_cannot_be_submitted_the_earlier_ones_are_cancelled(
    fails: int, links: list[plan.Link], cache: Path, started: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full when the chain is half made."""
    made: list[JobFolder] = []
    real: Callable[[Path, Order], JobFolder] = folder.new

    def new(where: Path, order: Order) -> JobFolder:
        if len(made) == fails:
            raise OSError(errno.ENOSPC, "No space left on device")
        made.append(real(where, order))
        return made[-1]

    monkeypatch.setattr(folder, "new", new)
    with pytest.raises(JobError, match="cannot take a job: No space left on device · free space"):
        chain.start(Cache.open(cache), links)
    assert [one.status()["state"] for one in made] == ["cancelled"] * fails


@pytest.mark.slow
def test_an_unfinished_job_of_equal_work_is_taken_up(links: list[plan.Link], cache: Path, started: list[str]) -> None:
    opened = Cache.open(cache)
    first = chain.start(opened, links[:1])
    assert chain.start(opened, links[:1], join=True) == first
    assert chain.start(opened, links[:1]) != first
    other = plan.Link("", plan.Plan(links[0].plan.spec.replace(seed=1), links[0].plan.cost, 0))
    assert chain.start(opened, [other], join=True)[0] not in first


@pytest.mark.slow
def test_each_waits_for_the_one_before_where_a_chain_is_to_run_one_by_one(
    links: list[plan.Link], cache: Path, started: list[str]
) -> None:
    ids = chain.start(Cache.open(cache), [links[0], links[0]], one_by_one=True)
    orders: list[Any] = [JobFolder(cache / "jobs" / one).order() for one in ids]
    assert [(one.after, one.softly) for one in orders] == [(None, True), (ids[0], True)]
