"""The simulation of clusters, on cases whose answer is known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synergy_tui.bench.cluster import CLOCKED, CLOCKED_SECONDS, EXECUTORS, Job, Machines, Part, clock, simulate

UNEVEN = tuple(Part(gpu=1.0 + k % 5, processor=0.25 * (k % 3)) for k in range(23))


@pytest.mark.parametrize("executor", EXECUTORS)
def test_one_worker_takes_the_sum_of_all_parts(executor):
    found = simulate([Job("j", UNEVEN, start=3.0)], Machines(1, executor=executor))
    assert found.wall == pytest.approx(3.0 + sum(part.gpu + part.processor for part in UNEVEN))
    assert found.utilisation == pytest.approx(sum(part.gpu for part in UNEVEN) / found.wall)


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize(("gpus", "each"), [(1, 1), (8, 1), (20, 1), (64, 8), (64, 4), (17, 8)])
def test_equal_parts_take_as_many_rounds_as_there_are(executor, gpus, each):
    """A worker's GPUs are of one host: of 17 GPUs, 8 to a host, two whole hosts are of use to it."""
    workers = sum(size // each for size in [8] * (gpus // 8) + [gpus % 8])
    found = simulate([Job("j", (Part(2.5),) * 100, gpus=each)], Machines(gpus, executor=executor))
    assert found.wall == pytest.approx(2.5 * math.ceil(100 / workers))


def test_a_worker_that_no_host_holds_is_refused():
    with pytest.raises(ValueError, match="more GPUs"):
        simulate([Job("j", (Part(1.0),), gpus=8)], Machines(4))


def test_where_the_network_is_slow_its_bytes_are_all_that_counts():
    parts = (Part(1e-3, size=5e8),) * 200
    found = simulate([Job("j", parts)], Machines(64, network=1e9))
    assert found.wall == pytest.approx(200 * 5e8 / 1e9 + 1e-3)
    assert found.moved == 200 * 5e8
    assert found.waiting == pytest.approx(200 * 5e8, rel=0.02)


def test_where_the_disk_is_slow_its_bytes_are_all_that_counts():
    found = simulate([Job("j", (Part(1e-3, size=5e8),) * 200)], Machines(64, disk=1e9))
    assert found.wall == pytest.approx(200 * 5e8 / 1e9 + 1e-3)


def test_one_process_writes_under_ray_and_every_worker_under_slurm():
    """Sixteen parts of a second that take two more to be written, on eight GPUs."""
    jobs = [Job("j", (Part(1.0, write=2.0),) * 16)]
    assert simulate(jobs, Machines(8)).wall == pytest.approx(1.0 + 16 * 2.0)
    assert simulate(jobs, Machines(8, executor="slurm")).wall == pytest.approx(2 * (1.0 + 2.0))


def test_a_shared_store_bounds_those_who_write_to_it():
    found = simulate([Job("j", (Part(1e-3, size=1e9),) * 40)], Machines(8, executor="slurm", store=2e9))
    assert found.wall == pytest.approx(40 * 1e9 / 2e9 + 1e-3, rel=1e-2)


def test_the_catalogue_takes_one_writer_at_a_time():
    jobs = [Job(f"j{k}", (Part(1.0),), publish=2.0, writes=2, hold=0.5) for k in range(8)]
    found = simulate(jobs, Machines(8))
    assert found.wall == pytest.approx(1.0 + 2.0 + 8 * 2 * 0.5)  # each has a process of its own, and all one catalogue
    assert found.writes == 16
    together = [replace(job, process="sweep") for job in jobs]
    assert simulate(together, Machines(8)).wall == pytest.approx(1.0 + 8 * 2.0 + 2 * 0.5)


def test_weights_come_once_to_a_host_and_all_hosts_share_the_store():
    """Two hosts, sixteen workers: the store sends twice, and the second host begins later."""
    jobs = [Job("j", (Part(100.0),) * 16, reads=100.0, start=4.0)]
    assert simulate(jobs, Machines(16, store=10.0)).wall == pytest.approx(2 * 10.0 + 4.0 + 100.0)
    assert simulate(jobs, Machines(16, host_link=10.0)).wall == pytest.approx(10.0 + 4.0 + 100.0)
    again = [*jobs, Job("k", (Part(100.0),) * 16, reads=100.0, source="j", after=("j",))]
    assert simulate(again, Machines(16, store=10.0)).wall == pytest.approx(124.0 + 100.0)
    sent = [replace(jobs[0], sent=True)]
    assert simulate(sent, Machines(16, network=5.0)).wall == pytest.approx(2 * 20.0 + 4.0 + 100.0)


def test_jobs_wait_for_those_they_are_made_from():
    jobs = [Job(name, (Part(2.0),), publish=1.0, after=after) for name, after in (("b", ("a",)), ("a", ()), ("c", ()))]
    jobs.append(Job("card", (), publish=0.5, after=("b", "c")))
    assert simulate(jobs, Machines(8)).wall == pytest.approx(2 * (2.0 + 1.0) + 0.5)


def test_two_jobs_share_the_workers():
    """Neither waits for the other: each has four of the eight GPUs."""
    jobs = [Job(name, (Part(1.0),) * 12) for name in "ab"]
    assert simulate(jobs, Machines(8)).wall == pytest.approx(3.0)


def test_stragglers_and_noise_change_times_and_no_counts():
    machines = Machines(64, part_noise=0.1, slow_hosts=0.5, slowness=2.0)
    jobs = [Job("j", (Part(1.0),) * 640)]
    one, same, other = (simulate(jobs, machines, seed=seed) for seed in (1, 1, 2))
    assert one == same
    assert one.wall != other.wall
    assert 10 < one.wall < 40
    assert one.made == {"j": [1] * 640}


@pytest.mark.parametrize("executor", EXECUTORS)
def test_parts_of_lost_hosts_are_made_again(executor):
    machines = Machines(32, executor=executor, network=1e9, between_losses=200.0, back_after=30.0)
    jobs = [Job("j", (Part(10.0, size=1e9, write=0.1),) * 400, start=2.0)]
    found = simulate(jobs, machines)
    assert found.again > 0
    assert min(found.made["j"]) >= 1
    assert found.moved == 400 * 1e9  # each comes once
    assert found.wall > simulate(jobs, replace(machines, between_losses=math.inf)).wall


def test_the_time_of_one_gpu_is_accounted_for_whatever_is_lost():
    """It computes, starts, works for nothing, or is down for ten minutes at a time."""
    machines = Machines(1, executor="slurm", between_losses=300.0, back_after=600.0)
    found = simulate([Job("j", (Part(20.0, 5.0, write=1.0),) * 60, start=4.0)], machines)
    down = (found.wall - sum(found.busy.values())) / 600.0
    assert found.again > 0
    assert down >= found.again
    assert down == pytest.approx(round(down))


parts = st.lists(
    st.builds(Part, *(st.floats(0, 50) for _ in range(2)), st.floats(0, 1e9), st.floats(0, 1)), min_size=1, max_size=12
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(parts, st.sampled_from((1, 4, 8)), st.floats(0, 9)), min_size=1, max_size=4),
    st.sampled_from((8, 13, 64)),
    st.sampled_from(EXECUTORS),
    st.sampled_from((math.inf, 300.0)),
    st.booleans(),
)
def test_whatever_the_jobs_nothing_is_left_out_and_no_time_is_made(
    asked: Sequence[tuple[list[Part], int, float]], gpus: int, executor: str, losses: float, chained: bool
):
    names = [f"j{k}" for k in range(len(asked))]
    before = {later: (earlier,) for earlier, later in pairwise(names)} if chained else {}
    jobs = [
        Job(name, tuple(some), each, start=start, reads=1e9, publish=1.0, hold=0.1, after=before.get(name, ()))
        for name, (some, each, start) in zip(names, asked, strict=True)
    ]
    machines = Machines(
        gpus,
        executor=executor,
        network=1e9,
        disk=1e9,
        store=1e10,
        host_link=1e9,
        part_noise=0.1,
        slow_hosts=0.2,
        slowness=2.0,
        between_losses=losses,
        back_after=60.0,
    )
    found = simulate(jobs, machines)
    assert found == simulate(jobs, machines)
    assert [len(found.made[job.name]) for job in jobs] == [len(job.parts) for job in jobs]
    assert all(made >= 1 for some in found.made.values() for made in some)
    if math.isinf(losses):
        assert found.again == 0
        assert found.busy["lost"] == 0
    assert found.moved == pytest.approx(sum(part.size for job in jobs for part in job.parts))
    assert found.writes == len(jobs)
    assert 0 <= found.utilisation <= 1
    assert sum(found.busy.values()) <= found.wall * gpus * (1 + 1e-9)


@pytest.mark.worker
def test_two_processes_take_no_less_than_is_simulated():
    found = clock()
    assert found["simulated"] == pytest.approx(CLOCKED / 2 * CLOCKED_SECONDS)
    assert found["measured"] >= found["simulated"]
