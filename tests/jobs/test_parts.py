"""Parts of jobs: they come back as they were, a damaged one is made again, and a capture keeps no more than two batches
of activity in memory."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from synergy_tui.capture.generate import Response
from synergy_tui.jobs import parts, plan
from synergy_tui.jobs.folder import JobFolder
from synergy_tui.jobs.parts import Answer
from synergy_tui.jobs.specs import CaptureRequest
from synergy_tui.jobs.worker import capture
from synergy_tui.jobs.worker.progress import Progress
from synergy_tui.store import load
from synergy_tui.store.cache import Cache


@pytest.fixture
def job(tmp_path: Path) -> JobFolder:
    found = JobFolder(tmp_path / "jobs" / "c1")
    found.shards.mkdir(parents=True)
    return found


def test_responses_come_back_one_by_one(job: JobFolder, capsys: pytest.CaptureFixture[str]) -> None:
    activity = [np.arange(6 * steps, dtype=np.float32).reshape(6, steps) + steps for steps in (4, 1, 7)]
    tokens = [list(range(one.shape[1])) for one in activity]
    answers = [Answer(5 - k, one, "ab", ["a"] * len(one), k == 1, 3, "batch-0000", k) for k, one in enumerate(tokens)]
    parts.keep(job, "batch-0000", parts.of_answers(answers, activity, (2, 3)))
    assert parts.read_answers(job, "batch-0000") == answers
    for one, values in zip(answers, activity, strict=True):
        found = parts.activity(job, one, 6)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, values)
    assert parts.captured_shape(job.shards) == (2, 3)
    means, share = parts.partial_map(job.shards, "capture", 6)
    np.testing.assert_allclose(means["norm"], np.concatenate(activity, axis=1).mean(axis=1))
    assert share == 1
    assert parts.read_answers(job, "batch-0001") is None
    (job.shards / "batch-0001.parquet").write_bytes(b"PAR1")
    assert parts.read_answers(job, "batch-0001") is None
    assert "part batch-0001 is damaged and will be made again" in capsys.readouterr().out


def test_the_parts_of_an_earlier_version_are_read(job: JobFolder) -> None:
    """A batch was one row group."""
    columns = {"prompt": [3, 1], "tokens": [[1, 2], [4]], "ended": [True, False], "at_once": [2, 2]}
    table = pa.table(columns | {"activity": [[1.0, 2.0, 3.0, 4.0], [5.0, 6.0]]})
    pq.write_table(table, job.shards / "batch-0000.parquet")
    found = parts.read_answers(job, "batch-0000")
    assert found is not None
    assert [(one.prompt, one.tokens, one.ended) for one in found] == [(3, [1, 2], True), (1, [4], False)]
    assert {one.text for one in found} == {None}
    np.testing.assert_array_equal(parts.activity(job, found[0], 2), [[1, 2], [3, 4]])
    np.testing.assert_array_equal(parts.activity(job, found[1], 2), [[5], [6]])


def test_arrays_come_back_and_no_pickle_does(job: JobFolder, capsys: pytest.CaptureFixture[str]) -> None:
    parts.write_arrays(job, "block-0000", {"a": np.arange(3), "b": np.ones((2, 2))})
    found = parts.read_arrays(job, "block-0000")
    assert found is not None
    assert set(found) == {"a", "b"}
    np.savez(job.shards / "block-0001.npz", a=np.array([object()]))
    assert parts.read_arrays(job, "block-0001") is None
    assert "damaged" in capsys.readouterr().out


@pytest.mark.slow
def test_a_capture_holds_at_most_two_batches_of_activity(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted at every batch and at every response that is published: five batches of two."""
    cache = Cache.open(tmp_path / "cache")
    request = CaptureRequest(subject=str(tiny), prompts=10, steps=24, batch=2, device="cpu")
    living: list[weakref.ref[np.ndarray]] = []
    most = 0

    def count() -> None:
        nonlocal most
        gc.collect()
        most = max(most, sum(one() is not None for one in living))

    measured, read = capture._measured, parts.activity

    def measure(*given: Any) -> list[Response]:
        found = measured(*given)
        living.extend(weakref.ref(one.activity) for one in found)
        count()
        return found

    def activity(*given: Any) -> np.ndarray:
        found = read(*given)
        living.append(weakref.ref(found))
        count()
        return found

    monkeypatch.setattr(capture, "_measured", measure)
    monkeypatch.setattr(parts, "activity", activity)
    job = JobFolder(cache.jobs / "c1")
    job.shards.mkdir(parents=True)
    with Progress(job, {"id": "c1", "kind": "", "state": "running", "stage": "", "progress": 0.0}) as progress:
        capture.work(job, plan.capture(tmp_path, request).spec, progress)
    assert len(living) == 20
    assert 2 <= most <= 4
    series = load.series(cache, "c1")
    assert series.shape == (10, 16, 24)
    assert np.isfinite(series).any()
