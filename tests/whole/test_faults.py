"""The short form of the fault harness: some faults of each sort that needs no rights. `make faults` is the long one."""

from __future__ import annotations

import pytest
from faults import Harness


@pytest.mark.worker
def test_nothing_finished_is_lost_and_every_job_ends_with_the_undisturbed_numbers(tmp_path, tiny):
    harness = Harness(tmp_path, str(tiny), seed=1)
    trials = [
        harness.kill("decompose", "worker"),
        harness.kill("ablate", "command"),
        harness.kill("capture", "worker at publish"),
        harness.starve("capture"),
        harness.jump("ablate"),
    ]
    assert [one for one in trials if not one.good] == []
