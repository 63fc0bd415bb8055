"""The time this tool's jobs would take on 1 to 512 GPUs, simulated (cluster.py): `synergy-tui bench scale` prints the
tables of docs/scale.md. Nothing has run on such machines.

Numbers of parts, conditions and draws, and the bytes of a part, come from the tool's own code. The times of a part come
from the constants below; each says whether it was measured.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from synergy_tui import terms
from synergy_tui.ablation.condition import answered
from synergy_tui.ablation.conditions import conditions
from synergy_tui.bench.cluster import EXECUTORS, Job, Machines, Outcome, Part, Speeds, clock, simulate
from synergy_tui.jobs.plan.captures import _MOST
from synergy_tui.jobs.plan.claims import CONTROLS, SURROGATES
from synergy_tui.jobs.plan.claims import PROMPTS as REPLAYED
from synergy_tui.jobs.plan.controls import SURROGATES as OF_A_CONTROL
from synergy_tui.jobs.specs.ablate import AblateRequest
from synergy_tui.jobs.specs.ladder import LADDER, LadderRequest
from synergy_tui.phiid import nulls
from synergy_tui.phiid.engine import LARGEST_TILE_ELSEWHERE, _stripes
from synergy_tui.tasks import graded, ladders

GPUS = (1, 8, 64, 512)


@dataclass(frozen=True)
class Constants:
    """Seconds, bytes, and things per second. *here*: 2 cores of an AMD EPYC. An assumed GPU has 80 GB."""

    # A language model on GPUs
    layer_step: float = 0.7e-3  # assumed: a layer of a decode step, whatever the batch: eager, bound by kernel launches
    gpu_bandwidth: float = 3.35e12  # assumed from the data sheet of an H100: a decode step reads all weights once
    gpu_flops: float = 3e14  # assumed: a third of an H100's bf16 peak, in replays
    gpu_flops_float32: float = 2e13  # assumed: a third of its float32 peak, for the spot check of an ablation
    prompt_tokens: int = 44  # measured: the shipped prompts in a chat template
    # ΦID on a GPU
    scan_step: float = 1.7e-3  # measured on one H200: 0.13 s a draw of [60, 270, 100], less the worker's NumPy; untuned
    pair: float = 0.6e-9  # assumed: a pair in a prompt, 5 times as long as 23 sums are read and written at 3.35 TB/s
    pair_step: float = 1e-12  # assumed: the same for each step, 6 operations in products at a tenth of 67 TFLOP/s
    # The worker's own processor
    capture_start: float = 5.0  # measured here: 4 to 6 s, mostly importing torch and transformers
    decompose_start: float = 3.0  # measured here: 2.6 to 3.0 s
    series_read: float = 31e6  # measured here: values a second, store.load.series
    draw_tile: float = 0.31e-6  # measured here: a pair in a draw, from a tile's sums to means, in a thread for each GPU
    draw_block: float = 0.35e-6  # measured here: the same, order 0.10, moments 0.09 and scores 0.16 µs, in one thread
    device_link: float = 6e9  # assumed: bytes a second from a GPU into memory that is not pinned, of a draw's sums
    draw_unit: float = 52e-9  # measured here: a unit in a prompt of a draw, whose prompts are put in a random order
    # The process that writes parts and publishes, one thread
    activity_written: float = 44e6  # measured here: values a second into a capture's parts, compressed and synced
    arrays_written: float = 0.75e9  # measured here: bytes a second into parts of arrays, synced (0.58 to 0.94)
    activity_read: float = 80e6  # measured here: values a second out of a capture's parts
    arrays_read: float = 1e9  # measured here: bytes a second out of parts of arrays (0.57 to 1.73)
    series_rows: float = 20e6  # measured here: rows a second into a capture's series file (18.6 and 22.2)
    pair_rows: float = 3.4e6  # measured here, `bench cache`
    pair_tested: float = 1.4e-6  # measured here: a pair against two nulls, once
    analysis: float = 12.4  # measured here: scores and intervals of 5,120 units, without prompts
    analysis_prompt: float = 0.0665  # measured here: the same for each prompt (60, 240 and 1,000)
    small: float = 1.0  # assumed: publishing an ablation; `bench cache` publishes 13 a second of its size
    hold: float = 0.1  # measured here: the catalogue is held by one writer
    pair_row: float = 102.0  # measured here: bytes of a pair in its file, with surrogates
    series_row: float = 3.7  # measured here: bytes of a value in a capture's file
    # Hosts and their connections
    per_host: int = 8  # assumed: GPUs of a host
    network: float = 2.5e9  # assumed: 25 Gbit/s at the submitting host, of which four fifths are reached
    disk: float = 2e9  # assumed: an NVMe drive of the submitting host, synced; a virtual disk here took 0.6 to 0.9 GB/s
    store: float = 20e9  # assumed: a cluster's shared file system, all readers and writers together
    host_link: float = 2.5e9  # assumed: from the store to one host, as the submitting host's link
    part_noise: float = 0.05  # assumed: spread of the logarithm of a part's time
    slow_hosts: float = 0.02  # assumed: share of hosts that are stragglers
    slowness: float = 1.5  # assumed: time of a part on a straggler, over its time elsewhere
    between_losses: float = 264 * 86400.0  # assumed: of a host; Llama 3, 16,384 GPUs: 419 interruptions in 54 days
    back_after: float = 600.0  # assumed: until a lost host takes parts again

    def machines(self, gpus: int, **other: Any) -> Machines:
        """Machines with this many GPUs; `other` overrides the constants."""
        names = [one.name for one in fields(Machines) if one.name not in ("gpus", "executor")]
        return Machines(gpus, **{name: getattr(self, name) for name in names} | other)


@dataclass(frozen=True)
class Model:
    """heads: per layer. gpus: how many hold it in bf16, with 80 GB and with 141 GB each."""

    name: str
    parameters: float
    layers: int
    heads: int
    gpus: tuple[int, int] = (1, 1)

    @property
    def units(self) -> int:
        """Its attention heads."""
        return self.layers * self.heads

    @property
    def weights(self) -> float:
        """Bytes in bf16."""
        return 2 * self.parameters


LARGE = Model("70B", 70e9, 80, 64, (8, 4))

SWEEP = (
    (40, Model("135M", 135e6, 30, 9)),
    (25, Model("1.7B", 1.7e9, 24, 32)),
    (20, Model("8B", 8e9, 32, 32)),
    (10, Model("32B", 32e9, 64, 40)),
    (5, LARGE),
)
"""A hundred models. The first is the shipped SmolLM2, the others have the shapes of public models."""

PROMPTS, STEPS = 1000, 400
"""Prompts and steps of the large capture."""

SWEEP_PROMPTS, SWEEP_STEPS = 60, 100

BLOCKS_EACH = 3
"""Blocks of pairs for each of several workers, as in a decompose job."""

DRAWS_OF_A_PART = 25
"""Draws per part, if surrogates are cut by tiles and draws."""

Draws = dict[str, int]
"""Number of surrogates by null; the data themselves have none."""


class Work:
    """The jobs of one model on one kind of GPU. large: whether GPUs have 141 GB."""

    def __init__(self, constants: Constants, model: Model = LARGE, large: bool = False) -> None:
        self.constants, self.model, self.gpus = constants, model, model.gpus[large]

    def step(self) -> float:
        """Seconds of a decode step, whatever the batch."""
        of = self.constants
        return max(self.model.layers * of.layer_step, self.model.weights / (self.gpus * of.gpu_bandwidth))

    def replay(self, tokens: float, flops: float | None = None) -> float:
        """Seconds of one pass over `tokens` tokens."""
        compute = 2 * self.model.parameters * tokens / (self.gpus * (flops or self.constants.gpu_flops))
        return max(self.model.layers * self.constants.layer_step, compute)

    def captured(
        self, name: str, prompts: int, steps: int, *, how: str = "free-running", drawn: bool = False, **more: Any
    ) -> Job:
        """A capture. drawn: whether its weights are random, and so drawn on the worker instead of read."""
        of, units = self.constants, self.model.units
        parts = []
        for batch in np.array_split(np.arange(prompts), -(-prompts // _MOST)):
            seconds = self.replay(len(batch) * (of.prompt_tokens + steps))
            if how == "free-running":
                seconds = self.replay(len(batch) * of.prompt_tokens) + steps * self.step()
            values = len(batch) * steps * units
            parts.append(Part(seconds, 0.0, 4.0 * values, values / of.activity_written))
        values = prompts * steps * units
        start = of.capture_start + (self.model.weights / of.host_link if drawn else 0.0)
        return Job(
            name,
            tuple(parts),
            self.gpus,
            start,
            0.0 if drawn else self.model.weights,
            self.model.name,
            publish=values * (1 / of.activity_read + 1 / of.series_rows),
            hold=of.hold,
            **more,
        )

    def decomposed(
        self,
        name: str,
        prompts: int,
        steps: int,
        draws: Draws,
        *,
        fine: bool,
        workers: int = 1,
        source: str = "",
        **more: Any,
    ) -> Job:
        """A decomposition with surrogates. fine: cut by tiles and draws; else as the code cuts for `workers`
        workers."""
        of, units = self.constants, self.model.units
        cut = self._fine if fine else partial(self._stripes, BLOCKS_EACH * workers if workers > 1 else 1)
        parts = [one for null, count in {"": 0, **draws}.items() for one in cut(prompts, steps, null, count)]
        kept = sum(part.size for part in parts)
        pairs = units * (units - 1) / 2
        values = prompts * steps * units
        return Job(
            name,
            tuple(parts),
            1,
            of.decompose_start + values / of.series_read,
            of.series_row * values,
            source or name,
            True,
            publish=self.judged(pairs, prompts, draws) + 2 * kept / of.arrays_read + pairs / of.pair_rows,
            hold=of.hold,
            **more,
        )

    def judged(self, pairs: float, prompts: int, draws: Draws) -> float:
        """Seconds of tests and intervals, in one thread."""
        of = self.constants
        return (
            2 * pairs * of.pair_tested * len(draws) / 2
            + (of.analysis + of.analysis_prompt * prompts) * self.model.units / LARGE.units
        )

    def _stripes(self, blocks: int, prompts: int, steps: int, null: str, draws: int) -> Iterator[Part]:
        for tiles, pairs in stripes(self.model.units, blocks):
            size = pair_bytes(pairs, self.model.units, prompts)
            if null:
                size = null_bytes(pairs, self.model.units, prompts, draws)
            yield self._part(tiles, pairs, prompts, steps, draws + 1, size, bool(null))

    def _fine(self, prompts: int, steps: int, null: str, draws: int) -> Iterator[Part]:
        """Parts hold only sums of the units of their tile. The first draws also hold sums by prompt."""
        for pairs, units in tiles_of(self.model.units):
            if not null:
                yield self._part(1, pairs, prompts, steps, 1, pair_bytes(pairs, units, prompts), False)
                continue
            for first in range(0, draws, DRAWS_OF_A_PART):
                some = min(DRAWS_OF_A_PART, draws - first)
                size = null_bytes(pairs, units, prompts if first == 0 else 0, some)
                yield self._part(1, pairs, prompts, steps, some + (first == 0), size, True)

    def _part(
        self, tiles: int, pairs: float, prompts: int, steps: int, times: int, size: float, drawn: bool, gpus: int = 1
    ) -> Part:
        """times: how often the pairs are decomposed. gpus: how many share the tiles."""
        of = self.constants
        mine = -(-tiles // gpus)
        here = pairs * mine / tiles
        gpu = prompts * (mine * of.scan_step + here * (of.pair + steps * of.pair_step))
        # For each pair its sums come back, and for each prompt whether the pair must be computed again.
        back = (20 * 8 + prompts) / of.device_link
        processor = here * (of.draw_tile + back) + pairs * of.draw_block
        processor += drawn * prompts * self.model.units * of.draw_unit
        return Part(times * gpu, times * processor, size, size / of.arrays_written)

    def whole(self, name: str, prompts: int, steps: int, draws: Draws) -> Job:
        """A run as one part: captured, decomposed and judged by one worker, whose GPUs share the tiles of a block."""
        of = self.constants
        capture = self.captured("", prompts, steps)
        gpu, processor = sum(one.gpu for one in capture.parts), capture.publish
        processor += sum(one.write for one in capture.parts)
        units, values = self.model.units, self.model.units * prompts * steps
        for null, count in {"": 0, **draws}.items():
            for tiles, pairs in stripes(units):
                one = self._part(tiles, pairs, prompts, steps, count + 1, 0.0, bool(null), self.gpus)
                gpu, processor = gpu + one.gpu, processor + one.processor
        pairs = units * (units - 1) / 2
        processor += self.judged(pairs, prompts, draws) + pairs / of.pair_rows + values / of.series_read
        size = of.series_row * values + of.pair_row * pairs
        return Job(
            name,
            (Part(gpu, processor, size, size / of.arrays_written),),
            self.gpus,
            of.capture_start + of.decompose_start,
            self.model.weights,
            self.model.name,
            writes=2,
            hold=of.hold,
            process="sweep",
        )


@lru_cache
def stripes(units: int, blocks: int = 1) -> list[tuple[int, float]]:
    """(tiles, pairs) of each block of a decomposition, as the engine cuts on GPUs. blocks: at least this many."""
    rows = -(-units // LARGEST_TILE_ELSEWHERE)
    side = -(-units // rows)
    out = []
    for first, last in _stripes(rows, side, units, blocks):
        tiles = sum(rows - row for row in range(first, last))
        pairs = sum(units - 1 - i for i in range(first * side, min(last * side, units)))
        out.append((tiles, float(pairs)))
    return out


def tiles_of(units: int) -> list[tuple[float, int]]:
    """(pairs, units) of each tile of the unit × unit triangle."""
    rows = -(-units // LARGEST_TILE_ELSEWHERE)
    side = -(-units // rows)
    sizes = [min(side, units - row * side) for row in range(rows)]
    return [
        (sizes[i] * (sizes[i] - 1) / 2, sizes[i]) if i == j else (float(sizes[i] * sizes[j]), sizes[i] + sizes[j])
        for i in range(rows)
        for j in range(i, rows)
    ]


def pair_bytes(pairs: float, units: int, prompts: int) -> float:
    """Bytes of a PairBlock: pairs, 16 atoms, 3 spreads, offset, valid prompts, reason; sums by unit and prompt,
    totals."""
    return pairs * (8 + 128 + 24 + 8 + 8 + 1) + units * 160 * (prompts + 1)


def null_bytes(pairs: float, units: int, prompts: int, draws: int) -> float:
    """Bytes of a NullBlock: pairs, observed, centre, count, power sums; unit totals of the data and of every draw; unit
    values by prompt of the data and of the kept draws. Counted scores are a few kilobytes."""
    kept = 1 + min(draws, nulls.KEPT_DRAWS) if prompts else 0
    return pairs * (8 + 24 + 24 + 8 + 72) + units * (160 * (1 + draws) + 24 * prompts * kept)


# The cases


@lru_cache
def ablated() -> tuple[int, int]:
    """(conditions, conditions with graded tasks) of a claims card, from the code that makes them."""
    asked = AblateRequest(decomposition="d")
    values = np.random.default_rng(0).random(LARGE.units)
    layer_of = {unit: unit // LARGE.heads for unit in range(LARGE.units)}
    known = {asked.ranking: values, "difference": values}
    made = conditions(asked.orders, known, asked.ranking, layer_of, asked.seeds, 0, sorted(asked.fractions))
    return len(made), len(answered(made))


def capture_case(constants: Constants, large: bool) -> list[Job]:
    """1,000 prompts × 400 steps of the large model."""
    return [Work(constants, large=large).captured("capture", PROMPTS, STEPS)]


def pairs_case(constants: Constants, large: bool, workers: int = 1, fine: bool = False) -> list[Job]:
    """Its 13.1 million pairs with 200 surrogates of both nulls."""
    draws = dict.fromkeys(terms.NULLS, SURROGATES)
    work = Work(constants, large=large)
    return [work.decomposed("decompose", PROMPTS, STEPS, draws, fine=fine, workers=workers)]


def card_case(constants: Constants, large: bool) -> list[Job]:
    """What a claims card of that run still needs: surrogates, controls, ablation with graded tasks, and a ladder.
    Networks are refused beyond 1,500 units. Pairs are cut by tiles and draws."""
    of, work = constants, Work(constants, large=large)
    jobs = [replace(one, name="surrogates", source="run") for one in pairs_case(constants, large, fine=True)]
    for how in terms.CONTROLS:
        for seed in range(CONTROLS):
            name = f"control {how} {seed}"
            jobs.append(work.captured(name, PROMPTS, STEPS, how=how, drawn=True))
            draws = {terms.NULLS[0]: OF_A_CONTROL}
            jobs.append(work.decomposed(f"{name}, pairs", PROMPTS, STEPS, draws, fine=True, after=(name,)))
    jobs += _removal(work)
    ladder = ladders.load(LADDER)
    asked = LadderRequest(subject="")
    jobs.append(work.captured("ladder's capture", len(ladder.prompts), asked.steps))
    levels = [
        work.decomposed("ladder", len(ladder.on(level)), asked.steps, {terms.NULLS[0]: asked.surrogates}, fine=True)
        for level in range(len(ladder.levels))
    ]
    jobs.append(
        replace(
            levels[0],
            parts=tuple(part for one in levels for part in one.parts),
            publish=sum(one.publish for one in levels),
            writes=1 + len(levels),
            start=of.decompose_start + len(ladder.prompts) * asked.steps * work.model.units / of.series_read,
            reads=of.series_row * len(ladder.prompts) * asked.steps * work.model.units,
            after=("ladder's capture",),
        )
    )
    every = tuple(one.name for one in jobs)
    return [*jobs, Job("card", (), 1, publish=of.decompose_start + of.small, hold=of.hold, after=every)]


def _removal(work: Work) -> list[Job]:
    """First conditions, then graded tasks under some of them, then some conditions again in float32."""
    of, (count, asked) = work.constants, ablated()
    tokens = REPLAYED * (of.prompt_tokens + STEPS)
    tasks, batch = len(graded.load("graded")), 3 * AblateRequest(decomposition="d").batch
    answer = -(-tasks // batch) * graded.ANSWER * work.step() + work.replay(tasks * of.prompt_tokens)
    each = partial(Job, gpus=work.gpus, start=of.capture_start, reads=work.model.weights, source=work.model.name)
    return [
        each("conditions", (Part(work.replay(tokens), 0.0, 2e4, 0.01),) * count, writes=0),
        each("tasks", (Part(answer, 0.0, 2e4, 0.01),) * (1 + asked), writes=0, after=("conditions",)),
        replace(
            each("ablation", (Part(6 * work.replay(tokens, of.gpu_flops_float32), 0.0, 2e4, 0.01),)),
            reads=2 * work.model.weights,
            source=f"{work.model.name} float32",
            publish=of.small,
            hold=of.hold,
            after=("tasks",),
        ),
    ]


def sweep_case(constants: Constants, large: bool, most: int = 8) -> list[Job]:
    """A hundred whole runs with surrogates, without models that fit on no host of `most` GPUs."""
    draws = dict.fromkeys(terms.NULLS, SURROGATES)
    jobs = []
    for count, model in SWEEP:
        work = Work(constants, model, large)
        if work.gpus <= most:
            made = (work.whole(f"{model.name} {k}", SWEEP_PROMPTS, SWEEP_STEPS, draws) for k in range(count))
            # Each is a separate model: hosts cannot reuse weights from another.
            jobs += [replace(job, source=job.name) for job in made]
    return jobs


TODAY = "pairs, cut as today"

CASES: dict[str, Callable[[Constants, bool], list[Job]]] = {
    "capture": capture_case,
    TODAY: pairs_case,
    "pairs, cut finer": partial(pairs_case, fine=True),
    "card": card_case,
    "sweep": sweep_case,
}


def jobs_of(case: str, gpus: int, constants: Constants, large: bool = False) -> list[Job] | None:
    """The jobs of a case that this many GPUs can take; None if the model does not fit."""
    most = min(gpus, constants.per_host)
    if case == "sweep":
        return sweep_case(constants, large, most)
    jobs = pairs_case(constants, large, gpus) if case == TODAY else CASES[case](constants, large)
    return jobs if max(job.gpus for job in jobs) <= most else None


# What limits them

TWICE: dict[str, dict[str, float]] = {
    "GPU time": {"gpu": 2},
    "worker's processor": {"processor": 2},
    "loading": {"loading": 2},
    "network": {"network": 2},
    "disk": {"disk": 2},
    "publishing thread": {"publishing": 2},
    "catalogue": {"catalogue": 2},
}
"""A resource → what becomes twice as fast when it is doubled. Loading: of weights and series, and of libraries."""

TAIL = "longest part"


@dataclass(frozen=True)
class Limit:
    """The resource whose doubling shortens the whole most, and the share of time this saves."""

    name: str
    saves: float


def limit(jobs: Sequence[Job], machines: Machines) -> Limit:
    """The first limit. The longest part is the limit, not GPUs or their workers' processors, if twice as many of them
    would save less than half of what parts of half the time save."""
    whole = simulate(jobs, machines).wall

    def saved(**faster: float) -> float:
        return 1 - simulate(jobs, machines, Speeds(**faster)).wall / whole

    found = {name: saved(**faster) for name, faster in TWICE.items()}
    name = max(found, key=lambda one: found[one])
    if name in ("GPU time", "worker's processor"):
        shorter = saved(gpu=2, processor=2)
        more = 1 - simulate(jobs, replace(machines, gpus=2 * machines.gpus)).wall / whole
        if more < shorter / 2:
            return Limit(TAIL, shorter)
    return Limit(name, found[name])


@dataclass(frozen=True)
class Row:
    """A case on some GPUs; outcome and limit are None if the model does not fit."""

    case: str
    gpus: int
    jobs: list[Job] | None
    outcome: Outcome | None = None
    limit: Limit | None = None


def rows(constants: Constants) -> list[Row]:
    """Rows of every case on every number of GPUs."""
    out = []
    for case in CASES:
        for gpus in GPUS:
            jobs = jobs_of(case, gpus, constants)
            if jobs is None:
                out.append(Row(case, gpus, None))
                continue
            there = constants.machines(gpus)
            out.append(Row(case, gpus, jobs, simulate(jobs, there), limit(jobs, there)))
    return out


# The page


MOVES = {
    "GPU time": "more GPUs; a tile made for GPUs, where a scan launches small kernels for each prompt; CUDA graphs",
    "worker's processor": "moments and scores of draws on the GPU, where one thread of NumPy makes them now",
    TAIL: "smaller parts: tiles and draws for stripes of pairs, the parts of a run for whole runs of a sweep",
    "loading": "a faster store; weights that stay loaded between jobs; series that are mapped and not parsed",
    "network": "series from a shared store or from host to host, not from the submitting host; a faster link",
    "disk": "a second drive; parts on the shared store",
    "publishing thread": "parts compressed by those who make them; several threads for the bulk file and the analysis",
    "catalogue": "several results in one transaction",
}
"""A limit → what would raise it."""

SOMETIMES = 6 * 3600.0
"""Seconds between losses of a host that may be preempted at any time."""

SEEDS = 10
"""Number of simulations to average, if chance matters."""


def page(constants: Constants) -> str:
    """The tables, in Markdown: docs/scale.md contains them verbatim."""
    every = rows(constants)
    return "\n\n".join([_takes(every), _moved(every), _otherwise(constants), _sensitive(constants, every)])


def _takes(every: Sequence[Row]) -> str:
    head = ("case", "GPUs", "parts", "largest, MB", "moved, GB", "wall-clock", "GPUs busy", "writes a second")
    lines = []
    for row in every:
        told = [row.case, str(row.gpus)]
        if row.jobs is None or row.outcome is None or row.limit is None:
            lines.append([*told, *["—"] * 6, "the model does not fit", "—"])
            continue
        out = row.outcome
        largest = max(part.size for job in row.jobs for part in job.parts)
        told += [f"{out.parts:,}", f"{largest / 1e6:,.0f}", f"{out.moved / 1e9:,.1f}", _time(out.wall)]
        told += [_share(out.utilisation), f"{out.writes / out.wall:.5f}", row.limit.name, _share(row.limit.saves)]
        lines.append(told)
    return _table((*head, "first limit", "twice of it saves"), lines)


def _moved(every: Sequence[Row]) -> str:
    lines = []
    for name, moves in MOVES.items():
        where: dict[str, list[str]] = {}
        for row in every:
            if row.limit is not None and row.limit.name == name:
                where.setdefault(row.case, []).append(str(row.gpus))
        told = "; ".join(f"{case}: {', '.join(gpus)}" for case, gpus in where.items())
        lines.append([name, told or "nowhere", moves])
    return _table(("first limit", "case: GPUs", "what would move it"), lines)


def _otherwise(constants: Constants) -> str:
    lines = []
    for case in CASES:
        for gpus in GPUS[2:]:
            jobs, larger = jobs_of(case, gpus, constants), jobs_of(case, gpus, constants, large=True)
            assert jobs is not None
            assert larger is not None
            there = constants.machines(gpus)
            slurm = replace(there, executor=EXECUTORS[1])
            stragglers = replace(there, slow_hosts=0.1, slowness=3.0)
            taken_away = replace(there, between_losses=SOMETIMES)
            told = [case, str(gpus)]
            for which, on in ((jobs, there), (jobs, slurm), (larger, there), (jobs, taken_away), (jobs, stragglers)):
                found = [simulate(which, on, seed=seed) for seed in range(SEEDS)]
                told.append(_time(sum(one.wall for one in found) / SEEDS))
                if on is taken_away:
                    told[-1] += f", {sum(one.again for one in found) / SEEDS:.1f}"
            lines.append(told)
    head = ("case", "GPUs", "Ray", "Slurm", "Ray, GPUs of 141 GB", "Ray, hosts taken away: time, parts made again")
    return _table((*head, "Ray, a tenth of the hosts takes 3 times as long"), lines)


def _sensitive(constants: Constants, every: Sequence[Row]) -> str:
    of = constants
    changed = {}
    for factor in (0.5, 2.0):
        phiid = {name: factor * getattr(of, name) for name in ("scan_step", "pair", "pair_step")}
        changed[f"ΦID on a GPU × {factor:g}"] = replace(of, **phiid)
        changed[f"a layer's step × {factor:g}"] = replace(of, layer_step=factor * of.layer_step)
    lines = []
    for row in every:
        if row.limit is None or row.gpus not in GPUS[2:]:
            continue
        told = [row.case, str(row.gpus), row.limit.name]
        for other in changed.values():
            jobs, there = jobs_of(row.case, row.gpus, other), other.machines(row.gpus)
            assert jobs is not None
            found = limit(jobs, there)
            wall = _time(simulate(jobs, there).wall)
            told.append(wall if found.name == row.limit.name else f"{wall}, **{found.name}**")
        lines.append(told)
    return _table(("case", "GPUs", "first limit", *(f"time of {name}" for name in changed)), lines)


def _table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(one)} |" for one in (head, ["---"] * len(head), *lines))


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    number, unit = (seconds / 60, "min") if seconds < 5400 else (seconds / 3600, "h")
    return f"{number:.{0 if number >= 10 else 1}f} {unit}"


def _share(value: float) -> str:
    return f"{100 * value:.0f} %"


BEGIN, END = "<!-- bench scale -->", "<!-- bench scale ends -->"
"""Marks in a page; the tables are between them."""


def renew(path: Path) -> None:
    """Writes the tables of the current code into a page."""
    before, _, rest = path.read_text("utf-8").partition(BEGIN)
    path.write_text(f"{before}{BEGIN}\n\n{page(Constants())}\n\n{END}{rest.partition(END)[2]}", "utf-8")


def measure() -> dict[str, Any]:
    """The page, the constants behind it, and the simulation compared with a clock."""
    constants = Constants()
    return {"page": page(constants), "clock": clock(), "constants": asdict(constants)}


if __name__ == "__main__":
    renew(Path(sys.argv[1]))
