"""Jobs on a cluster that was not available here, simulated by events: workers on GPUs make parts, the parts come back
to one submitting host (Ray) or the workers write them (Slurm), and one process of each job publishes them.

Simplifications: the submitting host is never lost (a resumed job has the parts on its disk), memory never runs out, and
the network is limited only by the links of the submitting host and of the store.
"""

from __future__ import annotations

import heapq
import math
import multiprocessing
import random
import tempfile
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from synergy_tui.store.bulk import whole

EXECUTORS = ("ray", "slurm")


@dataclass(frozen=True)
class Machines:
    """Hosts and their connections; with the defaults nothing limits, varies or is lost. Rates in bytes per second.

    network: of the submitting host, each way. disk: of the submitting host. store: a shared file system, for all
    readers and writers together. host_link: from it to one host. part_noise: spread of the logarithm of a part's time.
    slow_hosts: share of hosts on which a part takes `slowness` times as long. between_losses: mean seconds between two
    losses of a host, which takes parts again `back_after` seconds later."""

    gpus: int
    per_host: int = 8
    executor: str = EXECUTORS[0]
    network: float = math.inf
    disk: float = math.inf
    store: float = math.inf
    host_link: float = math.inf
    part_noise: float = 0.0
    slow_hosts: float = 0.0
    slowness: float = 1.0
    between_losses: float = math.inf
    back_after: float = 0.0


@dataclass(frozen=True)
class Speeds:
    """How many times as fast each resource is, to find out what would help."""

    gpu: float = 1.0
    processor: float = 1.0
    loading: float = 1.0
    network: float = 1.0
    disk: float = 1.0
    publishing: float = 1.0
    catalogue: float = 1.0


@dataclass(frozen=True)
class Part:
    """A unit of work. gpu, processor: seconds of the worker's GPUs, and of its own processor while the GPUs wait. size:
    bytes. write: seconds of the process that writes it."""

    gpu: float
    processor: float = 0.0
    size: float = 0.0
    write: float = 0.0


@dataclass(frozen=True)
class Job:
    """gpus: of a worker, all on one host. start: seconds before a worker takes its first part, besides reading. reads:
    bytes from the store, once per host for the same `source`. sent: whether they come from the submitting host under
    Ray. publish: seconds of its one process at the end. writes: transactions of the catalogue, each held for `hold`
    seconds. after: jobs that must be published first. process: the job whose process writes and publishes; by default
    its own."""

    name: str
    parts: tuple[Part, ...]
    gpus: int = 1
    start: float = 0.0
    reads: float = 0.0
    source: str = ""
    sent: bool = False
    publish: float = 0.0
    writes: int = 1
    hold: float = 0.0
    after: tuple[str, ...] = ()
    process: str = ""


@dataclass(frozen=True)
class Outcome:
    """wall: seconds. made: how often each part was made, by job. moved: bytes that came to the submitting host. busy:
    GPU-seconds by purpose; the rest of wall × GPUs was idle or down. waiting: the most bytes made but not yet on a
    disk, under Ray."""

    wall: float
    made: dict[str, list[int]]
    moved: float
    writes: int
    busy: dict[str, float]
    gpus: int
    waiting: float

    @property
    def parts(self) -> int:
        """Number of parts."""
        return sum(map(len, self.made.values()))

    @property
    def again(self) -> int:
        """How many parts were made again because a host was lost."""
        return sum(sum(one) for one in self.made.values()) - self.parts

    @property
    def utilisation(self) -> float:
        """Share of all GPU-seconds in which the GPUs computed."""
        return self.busy["gpu"] / (self.wall * self.gpus) if self.wall else 0.0


class _Server:
    """Serves one request after another."""

    def __init__(self) -> None:
        self.free_at = 0.0

    def take(self, now: float, seconds: float) -> float:
        """The time at which the request is done."""
        self.free_at = max(now, self.free_at) + seconds
        return self.free_at


@dataclass
class _Host:
    number: int
    free: int
    slowness: float
    loss: random.Random
    up: bool = True
    losses: int = 0
    workers: list[_Worker] = field(default_factory=list)
    read: dict[str, float] = field(default_factory=dict)


@dataclass(eq=False)
class _Worker:
    """part: None while the worker starts. since: when it began to start or took its part."""

    job: _Run
    host: _Host
    since: float
    part: int | None = None
    alive: bool = True


@dataclass(eq=False)
class _Run:
    job: Job
    waiting: deque[int]
    made: list[int]
    longer: list[float]
    left: int
    ready: bool = False
    published: bool = False
    starting: int = 0
    workers: int = 0

    @property
    def wanted(self) -> int:
        """Parts that no worker has taken yet."""
        return len(self.waiting) - self.starting if self.ready else 0


def simulate(jobs: Sequence[Job], machines: Machines, speeds: Speeds | None = None, seed: int = 0) -> Outcome:
    """Runs all jobs to their end. Equal arguments give equal outcomes. Raises ValueError for a worker that fits no
    host."""
    return _Simulation(jobs, machines, speeds or Speeds(), seed).run()


class _Simulation:
    def __init__(self, jobs: Sequence[Job], machines: Machines, speeds: Speeds, seed: int) -> None:
        self.machines, self.speeds, self.seed = machines, speeds, seed
        whole, rest = divmod(machines.gpus, machines.per_host)
        sizes = [machines.per_host] * whole + [rest] * (rest > 0)
        if any(job.gpus > max(sizes) for job in jobs):
            raise ValueError("a worker needs more GPUs than a host has")
        self.hosts = [self._host(number, size) for number, size in enumerate(sizes)]
        self.runs = {job.name: self._run(job) for job in jobs}
        self.events: list[tuple[float, int, Callable[[], None]]] = []
        self.now, self.count = 0.0, 0
        self.network, self.disk, self.store, self.catalogue, self.sending = (_Server() for _ in range(5))
        self.processes: dict[str, _Server] = {}
        self.busy = dict.fromkeys(("gpu", "processor", "loading", "writing", "lost"), 0.0)
        self.moved, self.writes = 0.0, 0
        self.waiting = self.most_waiting = 0.0
        self.unpublished = len(jobs)

    def run(self) -> Outcome:
        """Runs events until every job is published."""
        for host in self.hosts:
            self._will_be_lost(host)
        for run in self.runs.values():
            self._begin(run)
        self._assign()
        while self.unpublished:
            self.now, _, event = heapq.heappop(self.events)
            event()
        for host in self.hosts:
            for worker in host.workers:  # others had already taken the parts they came for
                self._spent("loading", worker, self.now - worker.since)
        made = {name: run.made for name, run in self.runs.items()}
        return Outcome(self.now, made, self.moved, self.writes, self.busy, self.machines.gpus, self.most_waiting)

    def _host(self, number: int, size: int) -> _Host:
        slow = random.Random(f"{self.seed} host {number}").random() < self.machines.slow_hosts
        return _Host(
            number,
            size,
            self.machines.slowness if slow else 1.0,
            random.Random(f"{self.seed} loss {number}"),
        )

    def _run(self, job: Job) -> _Run:
        chance, count = random.Random(f"{self.seed} {job.name}"), len(job.parts)
        longer = [math.exp(chance.gauss(0.0, 1.0) * self.machines.part_noise) for _ in range(count)]
        return _Run(job, deque(range(count)), [0] * count, longer, count)

    def _at(self, time: float, event: Callable[[], None]) -> None:
        self.count += 1
        heapq.heappush(self.events, (time, self.count, event))

    def _spent(self, on: str, worker: _Worker, seconds: float) -> None:
        self.busy[on] += seconds * worker.job.job.gpus

    # Workers

    def _begin(self, run: _Run) -> None:
        """Releases its parts once all jobs it waits for are published."""
        if not run.ready and all(self.runs[name].published for name in run.job.after):
            run.ready = True
            if not run.left:
                self._all_there(run)

    def _assign(self) -> None:
        """Free GPUs start workers: the largest workers first, then for the job with the most parts waiting per
        worker."""
        wanting = [run for run in self.runs.values() if run.wanted > 0]
        for host in self.hosts:
            if not wanting:
                return
            while host.up and host.free:
                fitting = [run for run in wanting if run.job.gpus <= host.free]
                if not fitting:
                    break
                chosen = max(fitting, key=lambda run: (run.job.gpus, run.wanted / (1 + run.workers)))
                self._start(host, chosen)
                if chosen.wanted <= 0:
                    wanting.remove(chosen)

    def _start(self, host: _Host, run: _Run) -> None:
        worker = _Worker(run, host, self.now)
        host.free -= run.job.gpus
        host.workers.append(worker)
        run.starting += 1
        run.workers += 1
        there = self._read(host, run.job)
        self._at(there + run.job.start / self.speeds.loading, lambda: self._started(worker))

    def _read(self, host: _Host, job: Job) -> float:
        """When the host has the job's input: its first worker fetches the input for all."""
        if not job.reads:
            return self.now
        name = job.source or job.name
        if name not in host.read:
            sent = job.sent and self.machines.executor == "ray"
            server, rate = (
                (self.sending, self.machines.network * self.speeds.network)
                if sent
                else (
                    self.store,
                    self.machines.store * self.speeds.loading,
                )
            )
            alone = self.now + job.reads / (self.machines.host_link * self.speeds.loading)
            host.read[name] = max(alone, server.take(self.now, job.reads / rate))
        return max(self.now, host.read[name])

    def _started(self, worker: _Worker) -> None:
        if worker.alive:
            worker.job.starting -= 1
            self._spent("loading", worker, self.now - worker.since)
            worker.since = self.now
            self._next(worker)

    def _next(self, worker: _Worker) -> None:
        """Takes a part, or ends if none is left."""
        run = worker.job
        if not run.waiting:
            self._end(worker)
            self._assign()
            return
        number = run.waiting.popleft()
        worker.part, worker.since = number, self.now
        part, longer = run.job.parts[number], worker.host.slowness * run.longer[number]
        gpu, processor = part.gpu * longer / self.speeds.gpu, part.processor * longer / self.speeds.processor
        self._at(self.now + gpu + processor, lambda: self._computed(worker, number, gpu, processor))

    def _computed(self, worker: _Worker, number: int, gpu: float, processor: float) -> None:
        if not worker.alive:
            return
        run, part = worker.job, worker.job.job.parts[number]
        if self.machines.executor == "ray":
            self._finished(worker, number, gpu, processor, 0.0)
            self._wait(part.size)
            arrives = self.network.take(self.now, part.size / (self.machines.network * self.speeds.network))
            losses = worker.host.losses
            self._at(arrives, lambda: self._arrived(worker, number, losses))
            self._next(worker)
            return
        began = self.now
        stored = self.store.take(self.now, part.size / self.machines.store)
        written = max(stored, self.now + part.write / self.speeds.processor)

        def done() -> None:
            if worker.alive:
                self._finished(worker, number, gpu, processor, self.now - began)
                self._there(run)
                self._next(worker)

        self._at(written, done)

    def _finished(self, worker: _Worker, number: int, gpu: float, processor: float, writing: float) -> None:
        worker.job.made[number] += 1
        worker.part = None
        for on, seconds in (("gpu", gpu), ("processor", processor), ("writing", writing)):
            self._spent(on, worker, seconds)
        worker.since = self.now

    def _end(self, worker: _Worker) -> None:
        worker.alive = False
        worker.job.workers -= 1
        worker.host.workers.remove(worker)
        worker.host.free += worker.job.job.gpus

    # Losses

    def _will_be_lost(self, host: _Host) -> None:
        if math.isfinite(self.machines.between_losses):
            self._at(self.now + host.loss.expovariate(1 / self.machines.between_losses), lambda: self._lost(host))

    def _lost(self, host: _Host) -> None:
        """Others make the parts again that its workers were making."""
        host.up = False
        host.losses += 1
        host.read.clear()
        for worker in list(host.workers):
            run = worker.job
            self._spent("lost", worker, self.now - worker.since)
            if worker.part is None:
                run.starting -= 1
            else:
                run.made[worker.part] += 1  # begun in vain
                run.waiting.appendleft(worker.part)
            self._end(worker)

        def back() -> None:
            host.up = True
            self._will_be_lost(host)
            self._assign()

        self._at(self.now + self.machines.back_after, back)
        self._assign()

    # The submitting host

    def _wait(self, size: float) -> None:
        self.waiting += size
        self.most_waiting = max(self.most_waiting, self.waiting)

    def _arrived(self, worker: _Worker, number: int, losses: int) -> None:
        """The part arrives at the submitting host, whose process writes it, unless the host that made it was lost
        first."""
        run, part = worker.job, worker.job.job.parts[number]
        if worker.host.losses > losses:
            self._wait(-part.size)
            run.waiting.append(number)
            self._assign()
            return
        self.moved += part.size
        written = self._process(run).take(self.now, part.write / self.speeds.publishing)
        synced = self.disk.take(self.now, part.size / (self.machines.disk * self.speeds.disk))

        def done() -> None:
            self._wait(-part.size)
            self._there(run)

        self._at(max(written, synced), done)

    def _process(self, run: _Run) -> _Server:
        return self.processes.setdefault(run.job.process or run.job.name, _Server())

    def _there(self, run: _Run) -> None:
        run.left -= 1
        if not run.left:
            self._all_there(run)

    def _all_there(self, run: _Run) -> None:
        """The job's process reads its parts, analyses and writes the bulk file; then the catalogue is held."""
        if self.machines.executor == "slurm":
            size = sum(part.size for part in run.job.parts)
            self.moved += size
            arrived = self.network.take(self.now, size / (self.machines.network * self.speeds.network))
        else:
            arrived = self.now
        ready = self._process(run).take(arrived, run.job.publish / self.speeds.publishing)

        def held() -> None:
            seconds = run.job.writes * run.job.hold / self.speeds.catalogue
            self._at(self.catalogue.take(self.now, seconds), published)

        def published() -> None:
            run.published = True
            self.unpublished -= 1
            self.writes += run.job.writes
            for other in self.runs.values():
                self._begin(other)
            self._assign()

        self._at(ready, held)


# Against a clock

CLOCKED, CLOCKED_SECONDS = 12, 0.2
"""Seconds that each part sleeps, in two processes."""


def _clocked(folder: str, number: int) -> None:
    time.sleep(CLOCKED_SECONDS)
    with whole(Path(folder) / f"{number}.part") as unfinished, open(unfinished, "wb") as file:
        file.write(bytes(8000))


def clock() -> dict[str, float]:
    """Seconds for parts of known length that two processes of this machine make and write: simulated and measured."""
    parts = (Part(CLOCKED_SECONDS),) * CLOCKED
    simulated = simulate([Job("clocked", parts)], Machines(2)).wall
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(2, mp_context=context) as pool:
        list(pool.map(_warm, range(8)))
        began = time.perf_counter()
        list(pool.map(partial(_clocked, folder), range(CLOCKED)))
        measured = time.perf_counter() - began
    return {"simulated": simulated, "measured": measured}


def _warm(number: int) -> None:
    del number
    time.sleep(0.1)
