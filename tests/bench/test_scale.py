"""What bench scale takes for a job, held against the code that makes the job; its limits, on cases that have one; and
the page that shows it."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from synergy_tui.bench import scale
from synergy_tui.bench.cluster import Job, Machines, Part
from synergy_tui.phiid.engine import PairEngine
from synergy_tui.phiid.nulls import NullEngine

PAGE = Path(__file__).parents[2] / "docs" / "scale.md"


def bytes_of(block: object) -> int:
    """Of all arrays of a block and of what it holds."""
    if isinstance(block, np.ndarray):
        return block.nbytes
    if isinstance(block, list):
        return sum(map(bytes_of, block))
    return sum(map(bytes_of, vars(block).values())) if hasattr(block, "__dict__") else 0


def test_parts_have_the_bytes_of_the_blocks_that_the_engine_makes():
    prompts, units, draws = 6, 24, 20
    series = np.random.default_rng(0).normal(size=(prompts, units, 40))
    pairs = units * (units - 1) / 2
    assert bytes_of(PairEngine(series).block(0)) == scale.pair_bytes(pairs, units, prompts)
    block = NullEngine(series, "window-roll").block(0, draws)
    assert bytes_of(block) == scale.null_bytes(pairs, units, prompts, draws) + block.counts.nbytes


@pytest.mark.parametrize("units", [2, 270, 1024, 2560, 5120])
def test_every_cut_of_the_pairs_has_them_all(units):
    pairs = units * (units - 1) / 2
    for blocks in (1, 6, 24, 192, 1536):
        assert sum(count for _, count in scale.stripes(units, blocks)) == pairs
    assert sum(count for count, _ in scale.tiles_of(units)) == pairs
    assert sum(tiles for tiles, _ in scale.stripes(units)) == len(scale.tiles_of(units))


def test_a_card_has_the_jobs_that_its_plan_makes():
    """Two targeted orders, 20 random ones and 20 matched by layer to each target, at five fractions; answers at the one
    nearest to a quarter; five controls of each kind, each a capture and a decomposition; surrogates, a ladder, a
    card."""
    assert scale.ablated() == ((2 + 20 + 2 * 20) * 5, 2 + 20 + 2 * 20)
    jobs = scale.card_case(scale.Constants(), large=False)
    assert sum(job.name.startswith("control") for job in jobs) == 2 * 5 * 2
    assert len(jobs) == 1 + 20 + 3 + 2 + 1
    assert set(jobs[-1].after) == {job.name for job in jobs[:-1]}
    assert sum(count for count, _ in scale.SWEEP) == len(scale.sweep_case(scale.Constants(), large=False)) == 100


def test_surrogates_cut_finer_are_as_many_and_take_a_gpu_as_long():
    """The data and 201 draws of two nulls in 15 tiles. Only what is drawn anew for every part comes on top."""
    of = scale.Constants()
    coarse, fine = (scale.pairs_case(of, large=False, fine=fine)[0].parts for fine in (False, True))
    assert (len(coarse), len(fine)) == (5 * 3, 15 * (1 + 2 * 8))
    assert sum(part.gpu for part in fine) == pytest.approx(sum(part.gpu for part in coarse))
    assert sum(part.processor for part in fine) > sum(part.processor for part in coarse)
    assert max(part.gpu for part in fine) < max(part.gpu for part in coarse) / 30


def test_a_large_model_fits_on_whole_hosts_alone():
    of = scale.Constants()
    assert scale.jobs_of("capture", 1, of) is None
    assert scale.jobs_of("card", 1, of) is None
    alone, host = scale.jobs_of("sweep", 1, of), scale.jobs_of("sweep", 8, of)
    assert alone is not None
    assert host is not None
    assert (len(alone), len(host)) == (95, 100)


MANY = (Part(1.0),) * 64


@pytest.mark.parametrize(
    ("job", "machines", "expected", "saves"),
    [
        (Job("j", MANY), Machines(8), "GPU time", 0.5),
        (Job("j", (Part(1.0, processor=9.0),) * 64), Machines(8), "worker's processor", 0.45),
        (Job("j", MANY[:5]), Machines(8), scale.TAIL, 0.5),
        (Job("j", MANY, start=80.0), Machines(8), "loading", 40 / 88),
        (Job("j", MANY, reads=800.0), Machines(8, host_link=10.0), "loading", 40 / 88),
        (Job("j", (Part(1.0, size=10.0),) * 64), Machines(64, network=1.0), "network", 320 / 641),
        (Job("j", (Part(1.0, size=10.0),) * 64), Machines(64, disk=1.0), "disk", 320 / 641),
        (Job("j", (Part(1.0, write=10.0),) * 64), Machines(64), "publishing thread", 320 / 641),
        (Job("j", MANY, publish=99.0), Machines(64), "publishing thread", 0.495),
        (Job("j", MANY, writes=99, hold=1.0), Machines(64), "catalogue", 0.495),
    ],
)
def test_the_first_limit_is_what_the_job_waits_for(job, machines, expected, saves):
    found = scale.limit([job], machines)
    assert found.name == expected
    assert found.saves == pytest.approx(saves)


def test_a_quicker_gpu_makes_nothing_slower():
    of = scale.Constants()
    quick = replace(of, scan_step=of.scan_step / 2, pair=of.pair / 2, layer_step=of.layer_step / 2)
    for case in scale.CASES:
        slow_jobs, quick_jobs = (scale.jobs_of(case, 8, one) for one in (of, quick))
        assert slow_jobs is not None
        assert quick_jobs is not None
        for before, after in zip(slow_jobs, quick_jobs, strict=True):
            assert all(b.gpu >= a.gpu for b, a in zip(before.parts, after.parts, strict=True))


def test_every_constant_says_whether_it_was_measured():
    lines = Path(scale.__file__).read_text("utf-8").splitlines()
    for name in asdict(scale.Constants()):
        (line,) = (one for one in lines if one.startswith(f"    {name}: "))
        assert "# measured" in line or "# assumed" in line, name


@pytest.mark.slow
@pytest.mark.worker
def test_the_page_shows_what_the_bench_prints(command):
    """Renew it: python -m synergy_tui.bench.scale docs/scale.md"""
    shown = PAGE.read_text("utf-8")
    assert shown.partition(scale.BEGIN)[2].partition(scale.END)[0].strip() == command("bench", "scale").stdout.strip()
