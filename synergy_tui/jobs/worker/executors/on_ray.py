"""Parts as tasks of a Ray cluster. The data for makers go through Ray's object store, finished parts come back through
it, and only the job's worker writes them: hosts share no file system. Ray runs a task again if its host is lost."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import signal
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

import psutil
import ray
from ray._private import ray_constants, services  # Ray has no public way to ask without joining

from synergy_tui import __version__, settings
from synergy_tui.errors import JobError
from synergy_tui.jobs import devices, held, parts
from synergy_tui.jobs.folder import JobFolder
from synergy_tui.jobs.held import Holder
from synergy_tui.jobs.parts import Content
from synergy_tui.jobs.specs import Executor, Spec, as_json
from synergy_tui.jobs.worker.executors import ray_tasks
from synergy_tui.jobs.worker.executors.crew import Crew
from synergy_tui.jobs.worker.executors.making import Given, Wanted, raise_told
from synergy_tui.jobs.worker.progress import Progress

ANSWERS = 4.0
"""Seconds within which a cluster answers at all."""

PATIENCE = 20
"""Seconds within which a cluster that answers is joined."""

OWN = "synergy-tui-job"
"""Beginning of the name of a node in a cluster that a job started for itself."""

NODES_ANSWER = 60.0
"""Seconds within which every node has started a process that knows this package."""

JOINING = 10.0
"""Seconds within which a node that has just joined takes tasks, and one that has just left is known to be gone."""

TRIES = 4
"""How often Ray runs a task if its process or host is lost."""

AHEAD = 2
"""Tasks in flight for each worker, so that no worker waits for its next task, and results do not pile up."""

LOOK = 2.0
"""Seconds between two looks at who is at work."""


class OnRay(Crew):
    """Tasks of a cluster make all parts."""

    takes_part = False

    def __init__(self, job: JobFolder, progress: Progress, executor: Executor, device: str) -> None:
        """Raises JobError if the cluster cannot be used."""
        super().__init__(job, progress, executor, device)
        progress.stage("connect", detail=f"Ray, {executor.ray_address}")
        connect(executor)
        self._resources: dict[str, Any] = {}
        self._board: Any = None

    def begin(self, kind: Any, spec: Spec, given: Given) -> None:
        """Sets the work that the parts belong to, and puts the data for their makers where every host finds them."""
        super().begin(kind, spec, given)
        self._resources = resources(self.executor, spec.device)
        self._count()
        check(self._resources)
        here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
            ray.get_runtime_context().get_node_id(), soft=False
        )
        self._board = ray.remote(ray_tasks.Board).options(num_cpus=0, scheduling_strategy=here).remote()
        self._task = ray.remote(ray_tasks.make).options(
            **self._resources, max_retries=TRIES - 1, scheduling_strategy="SPREAD"
        )
        self._key = f"{self.job.id}-{time.time_ns()}"
        content = as_json(spec) | {"told": dict(given.told)}
        self._content = ray.put(json.dumps(content))
        self._arrays = ray.put(dict(given.arrays))

    def close(self) -> None:
        """Leaves the cluster; a cluster that was started for this job ends."""
        with contextlib.suppress(Exception):
            ray.shutdown()

    def _make(self, missing: Sequence[Wanted]) -> None:
        waiting, looked = deque(missing), 0.0
        flying: dict[Any, Wanted] = {}
        try:
            while waiting or flying:
                self.progress.check()
                while waiting and len(flying) < self._most:
                    one = waiting.popleft()
                    flying[self._submitted(one)] = one
                done, _ = ray.wait(list(flying), num_returns=1, timeout=0.1)
                for reference in done:
                    self._take_in(reference, flying.pop(reference))
                if time.monotonic() - looked > LOOK:
                    looked = time.monotonic()
                    self._count()
                    self._note([one.name for one in flying.values()])
        finally:
            for reference in flying:
                with contextlib.suppress(Exception):
                    ray.cancel(reference, force=True)
            self._note([])

    def _count(self) -> None:
        """Finds out how many tasks the cluster holds at a time. If fewer are wanted, no more are in flight."""
        there = max(slots(self._resources), 1)
        self.size = min(there, self.executor.workers or there)
        self._most = self.size if self.size < there else AHEAD * self.size

    def _submitted(self, wanted: Wanted) -> Any:
        given = json.dumps(wanted.given)
        return self._task.remote(self._key, self._content, self._arrays, wanted.name, given, self._board)

    def _take_in(self, reference: Any, wanted: Wanted) -> None:
        """Keeps a part that has come back. Raises the errors of the work on it."""
        with _in_our_words():
            found = ray.get(reference)
        if "error" in found:
            raise_told(found["error"])
        parts.keep(self.job, wanted.name, Content(found["suffix"], memoryview(found["data"])))
        held.release(self.job, wanted.name)
        told = Holder(**found["holder"]).told
        print(f"{wanted.name} made on {told} in {found['seconds']:.2f} s", flush=True)
        if wanted.weight:
            self.progress.advance(wanted.weight)

    def _note(self, flying: Sequence[str]) -> None:
        """Notes who makes which part, for whoever looks at the job."""
        at_work: dict[str, Any] = {}
        with contextlib.suppress(ray.exceptions.RayError):
            at_work = ray.get(self._board.at_work.remote(), timeout=5) if flying else {}
        known = {one.part: one.holder for one in held.holders(self.job)}
        for part, told in at_work.items():
            if part in flying:
                if known.get(part) == (holder := Holder(**told)):
                    held.still(self.job, part)
                else:
                    held.note(self.job, part, holder)
        for part in known.keys() - set(flying):
            held.release(self.job, part)


def here() -> str | None:
    """The address of a cluster that this user started on this host; clusters that jobs started for themselves do not
    count."""
    for one in psutil.process_iter(["name", "uids", "cmdline"]):
        if one.info["name"] == "raylet" and one.info["uids"] and one.info["uids"].real == os.getuid():
            told = dict(word.split("=", 1) for word in one.info["cmdline"] or () if re.match(r"--[\w-]+=", word))
            if "--gcs-address" in told and not told.get("--node-name", "").startswith(OWN):
                return told["--gcs-address"]
    return None


def address_of(executor: Executor) -> str | None:
    """The address of the cluster to join; None if there is no cluster and a job starts one for itself."""
    address = executor.ray_address
    if address == "auto":
        address = settings.ray_address() or "auto"
    return here() if address == "auto" else None if address == "local" else address


def connect(executor: Executor) -> None:
    """Joins the cluster, or starts one on this machine's cores for the job. Raises JobError."""
    logging.getLogger("ray").setLevel(logging.ERROR)
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if (address := address_of(executor)) is not None:
        try:
            _find(address)
            with _within(PATIENCE):
                ray.init(address=address, **quiet)
        except (ConnectionError, TimeoutError, RuntimeError, ValueError, OSError) as error:
            raise JobError(
                f"no Ray cluster answers at {address} ({_first_line(error)})",
                "start it, or check --ray-address and RAY_ADDRESS",
            ) from None
        return
    ray_constants.ENABLE_RAY_CLUSTER = False  # so that it listens only on the loopback address
    ray.init(
        address="local",
        num_cpus=devices.cores(),
        num_gpus=len(devices.gpus()),
        include_dashboard=False,
        _node_name=f"{OWN}-{os.getpid()}",
        **quiet,
    )


def _find(address: str) -> None:
    """Checks whether a cluster answers. Ray takes this host's own address for a loopback one; a cluster that listens
    only on the loopback address does not answer there. Raises ConnectionError."""
    for own in (True, False):
        ray_constants.ENABLE_RAY_CLUSTER = own
        at = services.canonicalize_bootstrap_address(address)
        host, _, port = at.rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), ANSWERS).close()
        except OSError as error:
            if own and services.is_localhost(address.rpartition(":")[0]):
                continue
            ray_constants.ENABLE_RAY_CLUSTER = True
            raise ConnectionError(_first_line(error)) from None
        return _ask(at)


def _ask(address: str) -> None:
    """Raises ConnectionError if no cluster answers. Asks in a thread: Ray waits for minutes, and hears no signal."""
    found: list[BaseException | None] = []

    def ask() -> None:
        try:
            ray._raylet.GcsClient(address=address)
            found.append(None)
        except BaseException as error:
            found.append(error)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(ANSWERS)
    if not found:
        raise ConnectionError(f"no answer in {ANSWERS:g} s")
    if found[0] is not None:
        raise ConnectionError(_first_line(found[0]))


def resources(executor: Executor, device: str | None) -> dict[str, Any]:
    """The resources of a task, as Ray's options."""
    gpus = executor.ray_gpus
    if gpus is None:
        wants = device.startswith("cuda") if device is not None else bool(ray.cluster_resources().get("GPU"))
        gpus = 1.0 if wants else 0.0
    asked: dict[str, Any] = {"num_cpus": executor.ray_cpus, "num_gpus": gpus}
    if executor.ray_memory is not None:
        asked["memory"] = int(executor.ray_memory * 1e9)
    return asked


def slots(asked: dict[str, Any]) -> int:
    """Tasks that the cluster holds at a time."""
    names = {"num_cpus": "CPU", "num_gpus": "GPU", "memory": "memory"}
    count = 0
    for node in ray.nodes():
        if node["Alive"]:
            there = node["Resources"]
            count += min(
                (int(there.get(names[one], 0) / much + 1e-9) for one, much in asked.items() if much), default=1
            )
    return count


def check(asked: dict[str, Any]) -> None:
    """Raises JobError if no node has the resources of a task, or a node lacks this package or has another version."""
    if slots(asked) == 0:
        if asked["num_gpus"] and not ray.cluster_resources().get("GPU"):
            raise JobError("the Ray cluster has no GPU", "give --device cpu, or add a node that has one")
        shown = {"num_cpus": "{:g} CPUs", "num_gpus": "{:g} GPUs", "memory": "{:,} bytes of memory"}
        wanted = ", ".join(shown[name].format(much) for name, much in asked.items() if much)
        raise JobError(f"no node of the Ray cluster has {wanted}", "ask for less with --ray-cpus, -gpus, -memory")

    def version() -> str:
        # Sent by value, so that a node without the package can say so itself.
        try:
            import synergy_tui
        except ImportError as error:
            return f"! {error}"
        return synergy_tui.__version__

    affinity = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy

    def asked_of(node: str) -> Any:
        there = affinity(node, soft=False)
        return ray.remote(version).options(num_cpus=0, max_retries=0, scheduling_strategy=there).remote()

    asking = {node: (host, asked_of(node)) for node, host in _alive().items()}
    for node, (host, one) in asking.items():
        deadline = time.monotonic() + JOINING
        while True:
            try:
                found = ray.get(one, timeout=NODES_ANSWER)
                break
            except ray.exceptions.RayError as error:
                time.sleep(0.5)
                if node not in _alive():  # it left meanwhile
                    found = __version__
                    break
                if time.monotonic() > deadline:
                    why = _first_line(error)
                    raise JobError(f"Ray node {host} does not answer ({why})", "take it out, or mend it") from None
                one = asked_of(node)
        if found.startswith("!"):
            raise JobError(f"Ray node {host} has no synergy-tui ({found[2:]})", f"install {__version__} on it")
        if found != __version__:
            raise JobError(
                f"Ray node {host} has synergy-tui {found}, this is {__version__}", "install the same version"
            )


def _alive() -> dict[str, str]:
    """Node id → the node's name for people, for the nodes of the cluster."""
    there = [one for one in ray.nodes() if one["Alive"]]
    return {one["NodeID"]: f"{one['NodeManagerHostname']}/{one['NodeID'][:6]}" for one in there}


@contextlib.contextmanager
def _in_our_words() -> Iterator[None]:
    try:
        yield
    except ray.exceptions.OutOfMemoryError as error:
        raise MemoryError(_first_line(error)) from None
    except ray.exceptions.RayTaskError as error:
        raise JobError(f"a Ray task failed: {_last_line(error)}", "see jobs logs") from None
    except ray.exceptions.RayError as error:
        raise JobError(
            f"a part was lost {TRIES} times in the Ray cluster ({_first_line(error)})",
            "look at its nodes, then resume the job",
        ) from None


@contextlib.contextmanager
def _within(seconds: int) -> Iterator[None]:
    """Raises TimeoutError in work that takes longer."""

    def late(*_: Any) -> None:
        raise TimeoutError(f"no answer in {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def _last_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1][:200]
