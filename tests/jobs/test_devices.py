"""The queue of a device, as who waits in it leaves it and as others read it."""

from __future__ import annotations

from pathlib import Path

import pytest

from synergy_tui.jobs import devices, folder
from synergy_tui.jobs.folder import JobFolder, Order
from synergy_tui.jobs.specs import DecomposeSpec
from synergy_tui.jobs.worker.progress import Progress
from synergy_tui.jobs.worker.turn import Turn


def _job(cache: Path) -> JobFolder:
    return folder.new(cache, Order(DecomposeSpec(capture="c1", device="cpu")))


def test_who_has_a_device_or_waits_for_it_is_told_in_order(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of whatever cache they are."""
    (tmp_path / "runtime").mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "runtime"))
    here, elsewhere = _job(cache), _job(tmp_path / "another")
    assert devices.queue("cuda:3", cache) == []

    def turn(job: JobFolder, queued: float) -> Turn:
        return Turn(job, "cuda:3", queued, Progress(job, job.status()))

    with turn(elsewhere, 200.0):
        assert devices.queue("cuda:3", cache) == [elsewhere.id]
        waiting = turn(here, 100.0)
        waiting._ticket.acquire()
        assert devices.queue("cuda:3", cache) == [here.id, elsewhere.id]
        waiting._leave()
    assert devices.queue("cuda:3", cache) == []
    assert devices.queue("cpu", cache) == []


def test_bfloat16_is_read_from_what_the_kernel_says_of_the_processor(tmp_path):
    told = tmp_path / "cpuinfo"
    assert devices.has_bfloat16(told) is None
    told.write_text("processor : 0\nmodel name : One\n")
    assert devices.has_bfloat16(told) is None
    told.write_text("processor : 0\nflags\t\t: fpu avx512f avx512_vnni not_avx512_bf16_at_all\n")
    assert devices.has_bfloat16(told) is False
    for flags in ("flags : fpu avx512f avx512_bf16", "flags : amx_bf16 amx_tile", "Features : fp asimd bf16 i8mm"):
        told.write_text(f"processor : 0\n{flags}\n")
        assert devices.has_bfloat16(told) is True
