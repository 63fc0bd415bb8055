"""Words for a job's status."""

from __future__ import annotations

import pytest

from synergy_tui.drawing import status

JOBS = {
    "c1": {"id": "c1", "kind": "capture", "state": "running"},
    "d1": {"id": "d1", "kind": "decompose", "state": "queued", "after": "c1"},
    "p1": {"id": "p1", "kind": "capture", "state": "paused"},
    "d2": {"id": "d2", "kind": "decompose", "state": "queued", "after": "p1"},
    "f1": {"id": "f1", "kind": "ablate", "state": "failed"},
    "n1": {"id": "n1", "kind": "networks", "state": "queued", "after": "f1"},
    "a1": {"id": "a1", "kind": "ablate", "state": "queued", "after": None},
}


@pytest.mark.parametrize(
    ("job", "first", "told"),
    [
        ("d1", "c1", "waits for capture c1"),
        ("d2", "c1", "waits for capture p1, which is paused"),
        ("n1", "c1", "waits for device cpu: capture c1 is running there"),
        ("a1", "c1", "waits for device cpu: capture c1 is running there"),
        ("a1", "n1", "waits for device cpu: networks n1 is before it"),
        ("a1", "x9", "waits for device cpu: job x9 of another cache is before it"),
        ("a1", "a1", ""),
        ("a1", "", ""),
        ("c1", "c1", ""),
        ("p1", "c1", ""),
    ],
)
def test_what_waits_says_for_whose_job_or_for_which_device(job: str, first: str, told: str) -> None:
    assert status.waits(JOBS[job], JOBS, "cpu", first) == told
