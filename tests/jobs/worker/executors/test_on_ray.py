"""Jobs on a real Ray cluster of several nodes on the loopback address. `make cluster` tries more."""

from __future__ import annotations

import os
import socket

import numpy as np
import pytest
import ray_nodes
from conftest import Command, until
from witness import Witness

from synergy_tui.jobs.folder import JobFolder
from synergy_tui.store import load
from synergy_tui.store.cache import Cache

pytestmark = pytest.mark.worker

ASKED = ("--prompts", "6", "--steps", "20", "--batch", "1", "--device", "cpu")


@pytest.mark.long
def test_a_capture_is_the_local_one_though_a_node_is_lost(command: Command, tiny, tmp_path):
    here = command.json("capture", str(tiny), *ASKED)["capture"]
    witness = Witness(tmp_path / "witness")
    witness.slow(0.3)
    with (
        ray_nodes.changed({"PYTHONPATH": ray_nodes.path_with(witness.folder)}),
        ray_nodes.running(2) as nodes,
    ):
        how = ("--executor", "ray", "--ray-address", nodes.address, "--detach")
        job = JobFolder(command.cache / "jobs" / command.json("capture", str(tiny), *ASKED, *how)["job"])
        # A part is there, and another is being made where the lights go out.
        until(lambda: list(job.shards.glob("batch-*.parquet")), 300)
        nodes.kill(until(lambda: nodes.with_one_of(witness.seen().at_work.values())))
        command.wait(job.id, "done")
    seen = witness.seen()
    assert max(seen.begun.values()) == 2
    cache = Cache.open(command.cache)
    np.testing.assert_array_equal(load.series(cache, job.id), load.series(cache, here))
    made = [line for line in job.log.read_text().splitlines() if " made on " in line]
    assert len(made) == 7  # six batches and what is known of the subject


def test_what_cannot_be_had_is_refused_before_anything_is_submitted(command: Command, tiny):
    def told(address: str, *more: str) -> str:
        words = ("--executor", "ray", "--ray-address", address, "--detach", *more)
        said = command("capture", str(tiny), *ASKED, *words, code=1).stderr
        return said.splitlines()[-1]

    assert "'nonsense' is not an address of a Ray cluster · give host:port" in told("nonsense")
    assert "no Ray cluster answers at 127.0.0.1:1 " in told("127.0.0.1:1")
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(20)
        assert "no answer in 4 s" in told(f"127.0.0.1:{silent.getsockname()[1]}")
    with ray_nodes.running(1) as nodes:
        assert "no node of the Ray cluster has 64 CPUs · ask for less" in told(nodes.address, "--ray-cpus", "64")
        assert "the Ray cluster has no GPU · give --device cpu" in told(nodes.address, "--device", "cuda")
        nodes.add(ray_nodes.begins(ray_nodes.OTHER_VERSION))
        assert "has synergy-tui 0.0.9, this is" in told(nodes.address)
    assert not list(command.cache.glob("jobs/c*"))


def test_without_ray_one_line_says_how_to_get_it(command: Command, tiny, monkeypatch):
    for name, value in ray_nodes.begins(ray_nodes.without("ray")).items():
        monkeypatch.setitem(os.environ, name, value)
    got = command.real("capture", str(tiny), *ASKED, "--executor", "ray", code=1)
    assert 'pip install "synergy-tui[ray]"' in got.stderr
    assert "Traceback" not in got.stderr
