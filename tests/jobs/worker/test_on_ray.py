"""Jobs on a real Ray cluster of several nodes on the loopback address. `make cluster` tries more."""

from __future__ import annotations

import os
import socket
import tempfile
from pathlib import Path

import numpy as np
import pytest
import ray_nodes
from conftest import Command, until
from witness import Witness

from synergy_tui.errors import JobError
from synergy_tui.jobs import reach
from synergy_tui.jobs.folder import JobFolder
from synergy_tui.jobs.specs import Executor
from synergy_tui.store import load
from synergy_tui.store.cache import Cache

pytestmark = pytest.mark.worker

ASKED = ("--prompts", "8", "--steps", "20", "--batch", "1", "--device", "cpu")

OTHER_VERSION = """
import synergy_tui
synergy_tui.__version__ = "0.0.9"
"""


def hook(code: str) -> dict[str, str | None]:
    """Environment of processes that begin with some code."""
    place = Path(tempfile.mkdtemp())
    (place / "sitecustomize.py").write_text(code)
    return {"PYTHONPATH": ray_nodes.path_with(place)}


def told(cache: Path, device: str = "cpu", **how: object) -> str:
    """What is answered to a job on a cluster that cannot have it."""
    with pytest.raises(JobError) as error:
        reach.check(Executor(executor="ray", **how), device, cache)
    return str(error.value)


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
        until(lambda: list(job.shards.glob("batch-*.parquet")), 120)
        nodes.kill(until(lambda: nodes.with_one_of(witness.seen().at_work.values())))
        command.wait(job.id, "done")
    seen = witness.seen()
    assert max(seen.begun.values()) == 2
    cache = Cache.open(command.cache)
    np.testing.assert_array_equal(load.series(cache, job.id), load.series(cache, here))
    made = [line for line in job.log.read_text().splitlines() if " made on " in line]
    assert len(made) == 9  # eight batches and what is known of the subject


def test_what_no_node_can_have_is_refused_before_anything_is_submitted(cache):
    with ray_nodes.running(1) as nodes:
        at = {"ray_address": nodes.address}
        assert "no node of the Ray cluster has cpus 64 · ask for less" in told(cache, **at, ray_cpus=64.0)
        assert "the Ray cluster has no GPU · give --device cpu" in told(cache, "cuda", **at)
        nodes.add(hook(OTHER_VERSION))
        assert "has synergy-tui 0.0.9, this is" in told(cache, **at)
    assert not (cache / "jobs").exists()


def test_where_no_cluster_answers_one_line_says_so(cache):
    assert "no address of a Ray cluster" in told(cache, ray_address="nonsense")
    assert "no Ray cluster answers at 127.0.0.1:1 " in told(cache, ray_address="127.0.0.1:1")
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(20)
        assert "no answer in 4 s" in told(cache, ray_address=f"127.0.0.1:{silent.getsockname()[1]}")


def test_without_ray_one_line_says_how_to_get_it(command: Command, tiny, monkeypatch):
    lacks = """
import sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "ray":
            raise ModuleNotFoundError("No module named 'ray'", name="ray")
sys.meta_path.insert(0, Finder())
"""
    for name, value in hook(lacks).items():
        monkeypatch.setitem(os.environ, name, value)
    got = command.real("capture", str(tiny), *ASKED, "--executor", "ray", code=1)
    assert "pip install 'synergy-tui[ray]'" in got.stderr
    assert "Traceback" not in got.stderr
