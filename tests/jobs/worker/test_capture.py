"""What a capture's worker makes together: the same numbers however prompts are put together and however often it is
interrupted."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from synergy_tui.errors import Cancelled
from synergy_tui.jobs import parts, plan
from synergy_tui.jobs.folder import JobFolder
from synergy_tui.jobs.specs import CaptureRequest, CaptureSpec
from synergy_tui.jobs.worker import capture
from synergy_tui.jobs.worker.progress import Progress
from synergy_tui.store import load
from synergy_tui.store.cache import Cache

# The package has a function of the module's name.
planning = import_module("synergy_tui.jobs.plan.captures")


def _made(cache: Cache, name: str, spec: CaptureSpec) -> np.ndarray:
    """The series of a capture whose work is done here."""
    job = JobFolder(cache.jobs / name)
    job.shards.mkdir(parents=True, exist_ok=True)
    with Progress(job, {"id": name, "kind": "", "state": "running", "stage": "", "progress": 0.0}) as progress:
        capture.work(job, spec, progress)
        stage = next(one for one in progress._status["stages"] if one["name"] == "capture")
    assert stage["done"] == stage["total"]
    return load.series(cache, name)


def test_batches_hold_every_prompt_once_and_leave_none_of_several_workers_idle() -> None:
    lengths = [5, 3, 9, 1, 7, 2, 8]
    assert capture.batches(lengths, 64) == [[3, 5, 1, 0, 4, 6, 2]]
    assert [len(one) for one in capture.batches(lengths, 64, 3)] == [3, 2, 2]
    assert [len(one) for one in capture.batches(lengths, 2, 3)] == [2, 2, 2, 1]
    assert [len(one) for one in capture.batches(lengths, 64, 20)] == [1] * 7


def test_what_is_taken_up_with_a_smaller_batch_has_every_prompt_once(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first of two batches is there when the batch is halved, and is not asked again."""
    cache = Cache.open(tmp_path / "cache")
    spec = plan.capture(tmp_path, CaptureRequest(subject=str(tiny), prompts=6, steps=24, batch=3, device="cpu")).spec
    expected = _made(cache, "c1", spec)
    measured, count = capture._measured, 0

    def once(*given: Any) -> Any:
        nonlocal count
        count += 1
        if count > 1:
            raise Cancelled("that is enough", "resume it")
        return measured(*given)

    monkeypatch.setattr(capture, "_measured", once)
    with pytest.raises(Cancelled):
        _made(cache, "c2", spec)
    assert parts.there(JobFolder(cache.jobs / "c2")) >= {"batch-0000", capture.FACTS}
    asked: list[int] = []

    def noted(*given: Any) -> Any:
        asked.extend(given[3])
        return measured(*given)

    monkeypatch.setattr(capture, "_measured", noted)
    found = _made(cache, "c2", spec.replace(batch=2))
    assert len(asked) == len(set(asked)) == 3
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_a_replay_is_the_same_in_small_and_large_passes_and_the_run_it_replays(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = Cache.open(tmp_path / "cache")
    request = CaptureRequest(subject=str(tiny), prompts=6, steps=24, device="cpu")
    expected = _made(cache, "c1", plan.capture(tmp_path, request).spec)
    sizes: list[int] = []
    measured = capture._measured

    def noted(*given: Any) -> Any:
        sizes.append(len(given[3]))
        return measured(*given)

    monkeypatch.setattr(capture, "_measured", noted)
    spec = plan.capture(tmp_path, CaptureRequest(subject=str(tiny), replay="c1", steps=24, device="cpu"), cache).spec
    together = _made(cache, "c2", spec)
    assert sizes == [6]
    monkeypatch.setattr(capture, "PASS", 1)
    alone = _made(cache, "c3", spec)
    assert sizes[1:] == [1] * 6
    monkeypatch.setattr(capture, "PASS", 1000)
    _made(cache, "c4", spec)
    assert sum(sizes[7:]) == 6
    assert 1 < max(sizes[7:]) < 6
    np.testing.assert_allclose(together, expected, rtol=1e-4)
    np.testing.assert_allclose(alone, together, rtol=1e-4)


def test_as_many_prompts_share_a_batch_as_memory_holds_and_long_ones_count_for_more() -> None:
    geometry = {"layers": 30, "hidden": 576}
    each = 2 * 4 * 30 * 576 * 500 + 4 * planning._LARGE_VOCABULARY
    assert planning._batch(geometry, "float32", 100, None, 0) == planning._MOST
    assert planning._batch(geometry, "float32", 100, 1e12, 0) == planning._MOST
    assert planning._batch(geometry, "float32", 100, 2 * 10.5 * each, 0) == 10
    assert planning._batch(geometry, "float32", 100, 2 * 10.5 * each, 3 * 900) == 5
    assert planning._batch(geometry, "float32", 100, 1.0, 0) == 1


def test_bfloat16_on_a_cpu_says_what_it_changes_and_where_it_is_slow(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def notes(dtype: str | None) -> tuple[str, ...]:
        return plan.capture(tmp_path, CaptureRequest(subject=str(tiny), prompts=2, dtype=dtype, device="cpu")).notes

    monkeypatch.setattr(planning, "has_bfloat16", lambda: True)
    assert notes("bfloat16") == (planning._CHANGES,)
    assert notes(None) == notes("float32") == ()
    monkeypatch.setattr(planning, "has_bfloat16", lambda: False)
    assert notes("bfloat16") == (planning._CHANGES, planning._EMULATED)
