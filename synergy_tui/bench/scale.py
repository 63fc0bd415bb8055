"""What this tool's jobs would take on 1 to 512 GPUs, simulated (cluster.py): `synergy-tui bench scale` prints the tables
of docs/scale.md. Nothing here has run on such machines.

Numbers of parts, conditions and draws, and bytes of a part, come from the tool's own code; the times of a part come from
the constants below, each of which says whether it was measured.
"""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from synergy_tui import terms
from synergy_tui.ablation.condition import answered
from synergy_tui.ablation.conditions import conditions
from synergy_tui.bench.cluster import EXECUTORS, QUIET, Job, Machines, Outcome, Part, Speeds, simulate
from synergy_tui.jobs.plan import captures, claims, controls
from synergy_tui.jobs.specs.ablate import AblateRequest
from synergy_tui.jobs.specs.ladder import LADDER, LadderRequest
from synergy_tui.phiid import nulls
from synergy_tui.phiid.engine import LARGEST_TILE_ELSEWHERE, _stripes
from synergy_tui.tasks import graded, ladders

GPUS = (1, 8, 64, 512)


@dataclass(frozen=True)
class Constants:
    """Seconds, bytes, and things a second. *here*: 2 cores of an AMD EPYC. Where a GPU is assumed it is one of 80 GB."""

    # A language model on GPUs
    layer_step: float = 0.7e-3  # assumed: a layer of a decode step, whatever the batch: eager, bound by kernel launches
    gpu_bandwidth: float = 3.35e12  # assumed from the data sheet of an H100: a decode step reads all weights once
    gpu_flops: float = 3e14  # assumed: a third of an H100's bf16 peak, in replays
    gpu_flops_float32: float = 2e13  # assumed: a third of its float32 peak, for the spot check of an ablation
    prompt_tokens: int = 44  # measured: the shipped prompts in a chat template
    # ΦID on a GPU
    scan_step: float = 1.7e-3  # measured on one H200: 0.13 s a draw of [60, 270, 100], less the worker's NumPy; untuned
    pair: float = 0.6e-9  # assumed: a pair in a prompt, float64, 4 times the traffic of a tile's sums at 3.35 TB/s
    pair_step: float = 1e-12  # assumed: the same for each step, 6 operations in products at a tenth of 67 TFLOP/s
    # The worker's own processor
    capture_start: float = 5.0  # measured here: 4 to 6 s, mostly importing torch and transformers
    decompose_start: float = 3.0  # measured here: 2.6 to 3.0 s
    series_read: float = 31e6  # measured here: values a second, store.load.series
    draw_pair: float = 0.66e-6  # measured here: a pair in a draw, in NumPy: tile to means 0.31, order 0.10, moments 0.25 µs
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


@dataclass(frozen=True)
class Model:
    """heads: of a layer. gpus: that hold it in bf16, on GPUs of 80 GB and of 141 GB."""

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
"""Of the large capture."""

SWEEP_PROMPTS, SWEEP_STEPS = 60, 100

DRAWS_OF_A_PART = 25
"""Where surrogates are cut by tiles and draws."""

Draws = dict[str, int]
"""Surrogates by what they are of; of the data themselves none."""


class Work:
    """The jobs of one model on one kind of GPU. large: whether GPUs have 141 GB."""

    def __init__(self, constants: Constants, model: Model = LARGE, large: bool = False) -> None:
        self.constants, self.model, self.gpus = constants, model, model.gpus[large]

    def step(self) -> float:
        """Seconds of a decode step, whatever the batch."""
        of = self.constants
        return max(self.model.layers * of.layer_step, self.model.weights / (self.gpus * of.gpu_bandwidth))

    def replay(self, tokens: float, flops: float | None = None) -> float:
        """Seconds of one pass over so many tokens."""
        compute = 2 * self.model.parameters * tokens / (self.gpus * (flops or self.constants.gpu_flops))
        return max(self.model.layers * self.constants.layer_step, compute)

    def captured(
        self, name: str, prompts: int, steps: int, *, how: str = "free-running", drawn: bool = False, **more: Any
    ) -> Job:
        """A capture. drawn: whether its weights are random, and so drawn on the worker and not read."""
        of, units = self.constants, self.model.units
        parts = []
        for batch in np.array_split(np.arange(prompts), -(-prompts // captures._MOST_ON_GPU)):
            seconds = self.replay(len(batch) * (of.prompt_tokens + steps))
            if how == "free-running":
                seconds = self.replay(len(batch) * of.prompt_tokens) + steps * self.step()
            values = len(batch) * steps * units
            parts.append(Part(seconds, 0.0, 4.0 * values, values / of.activity_written))
        values = prompts * steps * units
        start = of.capture_start + (self.model.weights / Machines.host_link if drawn else 0.0)
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
        self, name: str, prompts: int, steps: int, draws: Draws, *, fine: bool, source: str = "", **more: Any
    ) -> Job:
        """A decomposition with surrogates. fine: cut by tiles and draws; else as the code cuts today."""
        of, units = self.constants, self.model.units
        cut = self._fine if fine else self._stripes
        parts = [one for null, count in {"": 0, **draws}.items() for one in cut(prompts, steps, null, count)]
        passes = sum(part.size for part in parts)
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
            publish=self.judged(pairs, prompts, draws) + 2 * passes / of.arrays_read + pairs / of.pair_rows,
            hold=of.hold,
            **more,
        )

    def judged(self, pairs: float, prompts: int, draws: Draws) -> float:
        """Seconds of tests and intervals, in one thread."""
        of = self.constants
        return 2 * pairs * of.pair_tested * len(draws) / 2 + (
            of.analysis + of.analysis_prompt * prompts
        ) * self.model.units / LARGE.units

    def _stripes(self, prompts: int, steps: int, null: str, draws: int) -> Iterator[Part]:
        for first, last, tiles, pairs in stripes(self.model.units):
            del first, last
            size = pair_bytes(pairs, self.model.units, prompts) if not null else null_bytes(
                pairs, self.model.units, prompts, draws
            )
            yield self._part(tiles, pairs, prompts, steps, draws + 1, size, bool(null))

    def _fine(self, prompts: int, steps: int, null: str, draws: int) -> Iterator[Part]:
        """Parts hold sums of the units of their tile alone. The first draws hold those of prompts."""
        for pairs, units in tiles_of(self.model.units):
            if not null:
                yield self._part(1, pairs, prompts, steps, 1, pair_bytes(pairs, units, prompts), False)
                continue
            for first in range(0, draws, DRAWS_OF_A_PART):
                some = min(DRAWS_OF_A_PART, draws - first)
                size = null_bytes(pairs, units, prompts if first == 0 else 0, some)
                yield self._part(1, pairs, prompts, steps, some + (first == 0), size, True)

    def _part(
        self, tiles: int, pairs: float, prompts: int, steps: int, times: int, size: float, drawn: bool
    ) -> Part:
        of = self.constants
        gpu = times * prompts * (tiles * of.scan_step + pairs * (of.pair + steps * of.pair_step))
        processor = times * (pairs * of.draw_pair + drawn * prompts * self.model.units * of.draw_unit)
        return Part(gpu, processor, size, size / of.arrays_written)

    def whole(self, name: str, prompts: int, steps: int, draws: Draws) -> Job:
        """A run as one part: captured, decomposed and judged by one worker, whose GPUs share the tiles of a block."""
        of = self.constants
        capture = self.captured("", prompts, steps)
        gpu, processor = sum(one.gpu for one in capture.parts), capture.publish
        processor += sum(one.write for one in capture.parts)
        units, values = self.model.units, self.model.units * prompts * steps
        for null, count in {"": 0, **draws}.items():
            for *_, tiles, pairs in stripes(units):
                at_once = -(-tiles // self.gpus)
                one = self._part(at_once, pairs * at_once / tiles, prompts, steps, count + 1, 0.0, bool(null))
                every = self._part(tiles, pairs, prompts, steps, count + 1, 0.0, bool(null))
                gpu, processor = gpu + one.gpu, processor + every.processor
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


def stripes(units: int) -> list[tuple[int, int, int, float]]:
    """(first tile row, row after the last, tiles, pairs) of each block of a decomposition, as the engine cuts on GPUs."""
    rows = -(-units // LARGEST_TILE_ELSEWHERE)
    side = -(-units // rows)
    out = []
    for first, last in _stripes(rows, side, units):
        tiles = sum(rows - row for row in range(first, last))
        pairs = sum(units - 1 - i for i in range(first * side, min(last * side, units)))
        out.append((first, last, tiles, float(pairs)))
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
    """Of a PairBlock: pairs, 16 atoms, 3 spreads, offset, valid prompts, reason; sums by unit and prompt, and totals."""
    return pairs * (8 + 128 + 24 + 8 + 4 + 1) + units * 160 * (prompts + 1)


def null_bytes(pairs: float, units: int, prompts: int, draws: int) -> float:
    """Of a NullBlock: pairs, observed, centre, count, power sums; unit totals of the data and of every draw; unit values
    by prompt of the data and of the draws that are kept; counted scores."""
    kept = 1 + min(draws, nulls.KEPT_DRAWS) if prompts else 0
    return pairs * (8 + 24 + 24 + 8 + 72) + units * (160 * (1 + draws) + 24 * prompts * kept)


# The cases


@lru_cache
def ablated() -> tuple[int, int]:
    """(conditions, those under which graded tasks are answered) of a claims card, from the code that makes them."""
    asked = AblateRequest(decomposition="d")
    values = np.random.default_rng(0).random(LARGE.units)
    layer_of = {unit: unit // LARGE.heads for unit in range(LARGE.units)}
    known = {asked.ranking: values, "difference": values}
    made = conditions(asked.orders, known, asked.ranking, layer_of, asked.seeds, 0, sorted(asked.fractions))
    return len(made), len(answered(made))


def capture_case(constants: Constants, large: bool) -> list[Job]:
    """1,000 prompts × 400 steps of the large model."""
    return [Work(constants, large=large).captured("capture", PROMPTS, STEPS)]


def pairs_case(constants: Constants, large: bool, fine: bool = False) -> list[Job]:
    """Its 13.1 million pairs with 200 surrogates of both nulls."""
    draws = dict.fromkeys(terms.NULLS, claims.SURROGATES)
    return [Work(constants, large=large).decomposed("decompose", PROMPTS, STEPS, draws, fine=fine)]


def card_case(constants: Constants, large: bool) -> list[Job]:
    """What is missing for a claims card of that run: surrogates, controls, ablation with graded tasks, and a ladder.
    Networks are refused beyond 1,500 units. Pairs are cut by tiles and draws."""
    of, work = constants, Work(constants, large=large)
    jobs = [replace(one, name="surrogates", source="run") for one in pairs_case(constants, large, fine=True)]
    for how in terms.CONTROLS:
        for seed in range(claims.CONTROLS):
            name = f"control {how} {seed}"
            jobs.append(work.captured(name, PROMPTS, STEPS, how=how, drawn=True))
            draws = {terms.NULLS[0]: controls.SURROGATES}
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
    """Conditions, then graded tasks under some of them, then some conditions again in float32."""
    of, (count, asked) = work.constants, ablated()
    tokens = claims.PROMPTS * (of.prompt_tokens + STEPS)
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
    """A hundred whole runs with surrogates, those left out that fit on no host of `most` GPUs."""
    draws = dict.fromkeys(terms.NULLS, claims.SURROGATES)
    jobs = []
    for count, model in SWEEP:
        work = Work(constants, model, large)
        if work.gpus <= most:
            made = (work.whole(f"{model.name} {k}", SWEEP_PROMPTS, SWEEP_STEPS, draws) for k in range(count))
            # Each is a model of its own: hosts do not have its weights from another.
            jobs += [replace(job, source=job.name) for job in made]
    return jobs


CASES: dict[str, Callable[[Constants, bool], list[Job]]] = {
    "a": capture_case,
    "b, as cut today": pairs_case,
    "b, cut finer": partial(pairs_case, fine=True),
    "c": card_case,
    "d": sweep_case,
}


def jobs_of(case: str, gpus: int, constants: Constants, large: bool = False) -> list[Job] | None:
    """The jobs of a case that so many GPUs can take; None where the model does not fit."""
    most = min(gpus, Machines.per_host)
    if case == "d":
        return sweep_case(constants, large, most)
    jobs = CASES[case](constants, large)
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
"""A resource → what is twice as fast where there is twice of it. Loading: of weights and series, and of libraries."""

TAIL = "longest part"


@dataclass(frozen=True)
class Limit:
    """What shortens the whole most where there is twice of it, and the share of time that saves."""

    name: str
    saves: float


def limit(jobs: Sequence[Job], machines: Machines) -> Limit:
    """The first limit. GPUs and their workers' processors are no limit but the longest part is, where twice as many of
    them would save less than half of what parts of half the time save."""
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
    """A case on some GPUs; outcome and limit are None where the model does not fit."""

    case: str
    gpus: int
    jobs: list[Job] | None
    outcome: Outcome | None = None
    limit: Limit | None = None


def rows(constants: Constants, **machines: Any) -> list[Row]:
    """Every case on every number of GPUs."""
    out = []
    for case in CASES:
        for gpus in GPUS:
            jobs = jobs_of(case, gpus, constants)
            if jobs is None:
                out.append(Row(case, gpus, None))
                continue
            there = Machines(gpus, **machines)
            out.append(Row(case, gpus, jobs, simulate(jobs, there), limit(jobs, there)))
    return out
