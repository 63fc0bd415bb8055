"""A real Ray cluster of several nodes on this host's loopback address, for tests. Everything it starts ends with it."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil


class Nodes:
    """Nodes of one processor each; their processes have the environment that this one has when they start."""

    def __init__(self, cluster: Any) -> None:
        self._cluster = cluster
        self._expendable: list[Any] = []

    def __len__(self) -> int:
        return 1 + len(self._expendable)

    @property
    def address(self) -> str:
        """host:port"""
        return str(self._cluster.address)

    def add(self, environment: Mapping[str, str | None] | None = None, **how: Any) -> Any:
        """Another node. environment: what differs in that of its processes."""
        with changed(environment or {}):
            how = {"num_cpus": 1, "node_ip_address": "127.0.0.1", "include_dashboard": False} | how
            node = self._cluster.add_node(**how)
        if node is not self._cluster.head_node:
            self._expendable.append(node)
        return node

    def with_one_of(self, processes: Iterable[int]) -> Any:
        """A node, not the first, that has one of these processes; None where none has."""
        for node in self._expendable:
            raylet = node.all_processes["raylet"][0].process.pid
            with contextlib.suppress(psutil.NoSuchProcess):
                if {one.pid for one in psutil.Process(raylet).children(recursive=True)} & set(processes):
                    return node
        return None

    def kill(self, node: Any) -> None:
        """As if its host had lost power."""
        self._expendable.remove(node)
        self._cluster.remove_node(node, allow_graceful=False)


@contextlib.contextmanager
def running(count: int, **how: Any) -> Iterator[Nodes]:
    """Within the context a cluster of `count` nodes runs. The first has the cluster's own server and is to stay. how:
    as each node is started."""
    from ray._private import ray_constants
    from ray.cluster_utils import Cluster

    before = ray_constants.ENABLE_RAY_CLUSTER
    ray_constants.ENABLE_RAY_CLUSTER = False  # else it takes this host's own address for the loopback one
    place = tempfile.mkdtemp(prefix="ray-", dir="/tmp")  # sockets have short paths
    cluster = None
    with changed({"RAY_TMPDIR": place, "RAY_ADDRESS": None}):
        try:
            cluster = Cluster(shutdown_at_exit=True)
            nodes = Nodes(cluster)
            for _ in range(count):
                nodes.add(**how)
            yield nodes
        finally:
            if cluster is not None:
                cluster.shutdown()
            ray_constants.ENABLE_RAY_CLUSTER = before
            shutil.rmtree(place, ignore_errors=True)


def path_with(folder: Path) -> str:
    """PYTHONPATH with another folder first."""
    return os.pathsep.join(one for one in (str(folder), os.environ.get("PYTHONPATH", "")) if one)


@contextlib.contextmanager
def changed(environment: Mapping[str, str | None]) -> Iterator[None]:
    """Within the context this process has another environment; None takes a variable away."""
    before = {name: os.environ.get(name) for name in environment}
    _set(environment)
    try:
        yield
    finally:
        _set(before)


def _set(environment: Mapping[str, str | None]) -> None:
    for name, value in environment.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


OTHER_VERSION = """
import synergy_tui
synergy_tui.__version__ = "0.0.9"
"""
"""As the first code of a process: it has another version of this package."""


def without(package: str) -> str:
    """As the first code of a process: it does not have a package."""
    return f"""
import sys
class Without:
    def __init__(self, finder):
        self.finder = finder
    def __getattr__(self, name):
        return getattr(self.finder, name)
    def find_spec(self, name, *more):
        return None if name.partition(".")[0] == "{package}" else self.finder.find_spec(name, *more)
sys.meta_path[:] = [Without(one) for one in sys.meta_path if hasattr(one, "find_spec")]
"""


def begins(code: str) -> dict[str, str | None]:
    """Environment of processes that begin with some code."""
    place = Path(tempfile.mkdtemp())
    (place / "sitecustomize.py").write_text(code)
    return {"PYTHONPATH": path_with(place)}
