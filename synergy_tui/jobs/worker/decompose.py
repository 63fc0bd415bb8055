"""A decompose job: a capture's series → atoms of all pairs and their surrogates, one shard per block, and from them all
scores, rankings, profiles, intervals and confounds. No more than a block of pairs is held at a time."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from synergy_tui.analysis import confounds, scores
from synergy_tui.analysis.conditions import Conditions, conditions
from synergy_tui.analysis.profile import Cut
from synergy_tui.errors import MeasureError
from synergy_tui.jobs import parts, unit_rows
from synergy_tui.jobs.folder import JobFolder
from synergy_tui.jobs.parts import Content
from synergy_tui.jobs.specs import DecomposeSpec
from synergy_tui.jobs.tables import table
from synergy_tui.jobs.worker import blocks, lengths
from synergy_tui.jobs.worker.against import (
    NOTHING,
    REDUNDANCY,
    WHOLE,
    Against,
    against,
    contrast_rows,
    pair_columns,
    test_rows,
)
from synergy_tui.jobs.worker.against import unit_rows as null_rows
from synergy_tui.jobs.worker.executors.crew import Crew
from synergy_tui.jobs.worker.executors.making import Given, Hearing, Report, Wanted
from synergy_tui.jobs.worker.progress import Progress
from synergy_tui.jobs.worker.record import recipes, versions
from synergy_tui.phiid.engine import Layout, PairEngine
from synergy_tui.phiid.exchange import exchange
from synergy_tui.phiid.moments import MEASURED
from synergy_tui.phiid.nulls import NullEngine
from synergy_tui.phiid.preparation import parse, preprocess
from synergy_tui.phiid.result import PairBlock, UnitAtoms, merge_units
from synergy_tui.phiid.windows import MIN_STEPS, response_lengths
from synergy_tui.store import load
from synergy_tui.store.bulk import PAIR_FILE
from synergy_tui.store.cache import Cache
from synergy_tui.store.publish import publish_decomposition
from synergy_tui.terms import ATOMS, NULLS

LAYOUT = "layout"
"""The part that says how pairs are cut into tiles and blocks, given the devices of all who make parts."""


def gather(cache: Cache, spec: DecomposeSpec) -> Given:
    """The series of the valid responses, or of the requested ones among them, and their facts. Raises MeasureError if
    there are no such responses, UsageError for a contrast of unknown groups."""
    capture = load.one(cache, "capture", spec.capture)
    responses = load.rows(
        cache,
        """SELECT prompt, steps, category FROM responses r LEFT JOIN prompts p USING (capture, prompt)
        WHERE capture = $1 AND valid AND ($2 IS NULL OR list_contains($2, prompt)) ORDER BY prompt""",
        spec.capture,
        None if spec.only is None else list(spec.only),
    )
    if not responses:
        raise MeasureError(f"capture {spec.capture} has no response of {capture['min_steps']} steps", "capture anew")
    raw = load.series(cache, spec.capture, [row["prompt"] for row in responses])
    steps, prompts = (np.array([row[name] for row in responses]) for name in ("steps", "prompt"))
    categories = [row["category"] or "" for row in responses]
    return of_series(cache, capture, raw, steps, prompts, categories, spec.method.compared)


def of_series(
    cache: Cache,
    capture: dict[str, Any],
    raw: np.ndarray,
    steps: np.ndarray,
    prompts: np.ndarray,
    categories: Sequence[str],
    compared: str | None = None,
) -> Given:
    """A series [prompts, units, steps] of a capture. steps, prompts, categories: the responses' lengths, and their
    prompts' numbers and categories. compared: see Method."""
    arrays = {"series": raw, "steps": steps, "prompts": prompts}
    if (pairs := _pairs_there(cache, capture)) is not None:
        arrays["pairs"] = pairs
    shape = {name: capture[name] for name in ("capture", "layers", "units_per_layer", "prompts")}
    shape["control"] = bool(load.rows(cache, "SELECT 1 FROM controls WHERE control = $1", capture["capture"]))
    naming = load.naming(cache, capture["capture"])
    cut = {"sides": naming.sides(compared) if compared else ((), ()), "deep": naming.deep}
    return Given(arrays, {"categories": list(categories), "capture": shape, "cut": cut})


def cut_of(given: Given) -> Cut:
    """What the contrast compares."""
    told = given.told["cut"]
    above, below = (tuple(side) for side in told["sides"])
    return Cut(above, below, told["deep"])


class Maker:
    """A series on the devices, its nulls, and the plan of blocks over its pairs. Each block is a part."""

    def __init__(self, spec: DecomposeSpec, given: Given, report: Report, layout: Layout | None = None) -> None:
        """Raises UsageError, MeasureError."""
        self.spec = spec
        raw = given.arrays["series"]
        self.series = preprocess(raw, words) if (words := parse(spec.method.preprocess)) else raw
        self.method = spec.method.arithmetic() | {"pairs": given.arrays.get("pairs")}
        self.of = np.unique(np.array(given.told["categories"]), return_inverse=True)[1]
        self.lay(layout)

    def lay(self, layout: Layout | None) -> None:
        """Cuts pairs anew."""
        self.engine = PairEngine(self.series, **self.method, layout=layout)
        self._held: Held | None = None

    @property
    def held(self) -> Held:
        """The requested nulls, prepared when they are first used."""
        if self._held is None:
            self._held = _nulls(self.series, self.method | {"layout": self.engine.layout}, self.spec, self.of)
        return self._held

    def make(self, wanted: Wanted, hearing: Hearing) -> Content:
        """A block of pairs, or of a null."""
        if wanted.name == LAYOUT:
            blocks_ = int(wanted.given["blocks"])
            engine = self.engine
            return parts.of_json({"layout": Layout.here(engine.method.estimator, engine.method.redundancy, blocks_)})
        if (layout := Layout(*wanted.given["layout"])) != self.engine.layout:
            self.lay(layout)
        number = wanted.given["block"]
        if (null := wanted.given.get("null")) is None:
            return blocks.of_pair_block(self.engine.block(number))
        return blocks.of_null_block(self.held.engines[null].block(number, self.spec.surrogates, hearing.advance))


def work(job: JobFolder, spec: DecomposeSpec, progress: Progress, crew: Crew | None = None) -> None:
    """Decomposes the missing blocks, draws surrogates, analyses, publishes."""
    cache = Cache.open(job.cache, on_wait=progress.waits)
    given = gather(cache, spec)
    found = measured(job, spec, given, progress, crew or Crew(job, progress))
    rows = dict(found.rows)
    if spec.method.pool == "mean":
        categories, layers = given.told["categories"], given.told["capture"]["layers"]
        rows |= unit_rows.by_category(job.id, _asked(spec, cut_of(given)), found.atoms, categories, layers)
    progress.stage("publish", share=(0.97, 1.0))
    publish_decomposition(cache, job.id, rows, found.pairs())


@dataclass(frozen=True)
class Measured:
    """A decomposition not published yet. pairs: its bulk file, read from the shards. series: as decomposed."""

    rows: dict[str, Any]
    pairs: Callable[[], Iterator[pa.Table]]
    atoms: UnitAtoms
    against: Against | None
    series: np.ndarray


def measured(job: JobFolder, spec: DecomposeSpec, given: Given, progress: Progress, crew: Crew) -> Measured:
    """Decomposes a series: the blocks missing among the job's shards, surrogates, analysis."""
    capture, prompts, steps = given.told["capture"], given.arrays["prompts"], given.arrays["steps"]
    raw, pairs = given.arrays["series"], given.arrays.get("pairs")
    cut = cut_of(given)
    crew.begin(sys.modules[__name__], spec, given)
    maker = crew.maker
    if (layout := _layout(job, crew)) != maker.engine.layout:
        maker.lay(layout)
    engine, series, method = maker.engine, maker.series, maker.method
    share = 0.8 / (1 + 2 * len(spec.nulls))
    _decompose(job, engine, len(pairs) if pairs is not None else None, crew, share)
    atoms = merge_units(_needed(job, number) for number in range(len(engine)))
    held = maker.held if spec.nulls else None
    found = _against(job, held, spec, crew, share) if held and held.engines else None

    crew.over()
    asked = _asked(spec, cut)
    many = f"{len(asked.rankings)} rankings, {spec.replicates:,} replicates"
    progress.stage("analyse", len(asked.rankings), "rankings", many, (0.8, 0.97))
    # Pooled prompts are one series; only prompts with windows count.
    used = atoms.unit_pairs.any(axis=1) if spec.method.pool == "mean" else engine.steps >= MIN_STEPS
    of_units = {
        "autocorrelation": confounds.autocorrelation(series, spec.method.lag),
        "norm": confounds.mean_norm(raw),
    }
    analysed = (of_units, steps[used], prompts, atoms, found, progress.advance)
    rows: dict[str, Any] = unit_rows.rows(job.id, capture, asked, *analysed)
    if found is not None:
        rows["unit_nulls"] = null_rows(job.id, found)
    if found is not None and (cut.above or cut.deep):  # else there is no contrast to test
        layers = capture["layers"]
        rows["surrogate_contrasts"] = contrast_rows(job.id, found, layers, asked.rankings, cut)
        if (tests := test_rows(job.id, found, layers, spec.seed, asked.rankings, cut)) is not None:
            rows["contrast_tests"] = tests
        # Only the contrast of a control is used, and these decompositions would take as long as all of its surrogates.
        if spec.method.pool == "mean" and not capture["control"]:
            rows["contrast_lengths"] = lengths.rows(job.id, series, steps, maker.of, method, layers, cut)
    if held is not None:
        rows["null_runs"] = [{"decomposition": job.id} | one for one in held.runs]
        rows["confounds"] = pa.concat_tables([rows["confounds"], _condition_rows(job.id, held)])
    rows["decompositions"] = [
        {
            "decomposition": job.id,
            "capture": spec.capture,
            **spec.method.row(),
            "nulls": list(held.engines) if held else [],
            "misleading": held.misleading if held else [],
            "surrogates": spec.surrogates if found else 0,
            "pairs": atoms.pairs_all,
            "valid_pairs": atoms.pairs_valid,
            "valid_prompts": int(used.sum()),
            "reasons": atoms.reasons,
            "replicates": spec.replicates,
            "seed": spec.seed,
            "versions": versions("jax", "numpy", "scipy"),
        }
    ]
    rows["recipes"] = recipes(job.id, spec)
    return Measured(rows, lambda: _pair_tables(job, len(engine), found, capture), atoms, found, series)


def _asked(spec: DecomposeSpec, cut: Cut) -> unit_rows.Asked:
    names = scores.rankings_of(spec.method.estimator, spec.method.redundancy)
    return unit_rows.Asked(names, spec.replicates, spec.seed, cut)


def _layout(job: JobFolder, crew: Crew) -> Layout:
    """How pairs are cut: to fit the devices of all who make parts, into enough blocks for all of them."""
    engine = crew.maker.engine
    blocks_ = BLOCKS_EACH * crew.size if crew.size > 1 else 1
    if crew.takes_part:
        return Layout.here(engine.method.estimator, engine.method.redundancy, blocks_)
    crew.make([Wanted(LAYOUT, 0, {"blocks": blocks_})], lambda name: parts.read_json(job, name) is not None)
    return Layout(*(parts.read_json(job, LAYOUT) or {})["layout"])


BLOCKS_EACH = 3
"""Blocks of pairs for each of several workers, so that no worker waits long for the last block."""


def _pairs_there(cache: Cache, capture: dict[str, Any]) -> np.ndarray | None:
    """The pairs of places with units, if layers differ in their number of units; None for all pairs."""
    query = "SELECT unit_index FROM units WHERE capture = $1 ORDER BY unit_index"
    there = np.array([row["unit_index"] for row in load.rows(cache, query, capture["capture"])])
    if len(there) == capture["layers"] * capture["units_per_layer"]:
        return None
    return there[np.stack(np.triu_indices(len(there), 1), axis=1)]


def _decompose(job: JobFolder, engine: PairEngine, wanted: int | None, crew: Crew, share: float) -> None:
    """Has every block without a shard made. wanted: how many pairs, None for all."""
    pairs = engine.units * (engine.units - 1) // 2 if wanted is None else wanted

    def whole(name: str) -> bool:
        block = blocks.pair_block(job, numbers[name])
        return block is not None and engine.made_here(numbers[name], block.pairs)

    numbers = {blocks.pair_name(number): number for number in range(len(engine))}
    counts = engine.counts()
    crew.make(
        [Wanted(name, counts[number], {"block": number, "layout": engine.layout}) for name, number in numbers.items()],
        whole,
        name="decompose",
        total=sum(counts),
        unit="pairs",
        detail=f"{pairs:,} pairs × {engine.prompts} prompts",
        share=(0.0, share),
    )


def _needed(job: JobFolder, number: int) -> PairBlock:
    block = blocks.pair_block(job, number)
    if block is None:
        raise OSError(f"shard {blocks.pair_name(number)} was there and is gone")
    return block


@dataclass(frozen=True)
class Held:
    """The nulls of a job. engines: of nulls that can be run, by name. runs: rows of null_runs without the
    decomposition. conditions: of the data; None if no prompts are of like length."""

    engines: dict[str, NullEngine]
    runs: list[dict[str, Any]]
    conditions: Conditions | None

    @property
    def misleading(self) -> list[str]:
        """Why no null can be trusted."""
        return self.conditions.misleading() if self.conditions else []

    @property
    def withheld(self) -> tuple[bool, ...]:
        """Which p and q of sts, rtr and TDMI are withheld."""
        if self.misleading:
            return WHOLE
        return REDUNDANCY if self.conditions and self.conditions.redundancy_misled else NOTHING


def _nulls(series: np.ndarray, method: dict[str, Any], spec: DecomposeSpec, categories: np.ndarray) -> Held:
    """The nulls that can be run: one that cannot be run leaves the others in place, and gives its reason. The
    conditions under which nulls fail are looked for whichever nulls are requested."""
    engines: dict[str, NullEngine] = {}
    runs: list[dict[str, Any]] = []
    for null in spec.nulls:
        try:
            engine = NullEngine(series, null, spec.seed, categories, **method)
        except MeasureError as error:
            print(f"{null} cannot be run: {error}", flush=True)
            runs.append(_run_of(null, False, note=str(error)))
            continue
        engines[null] = engine
        if (one := engine.exchange) is None:
            runs.append(_run_of(null, True, len(engine.used)))
            continue
        runs.append(_run_of(null, True, len(engine.used), len(one.unlike), len(one.repeated)))
    found = None
    with contextlib.suppress(MeasureError):  # too few prompts of like length to compare with each other
        blocks_ = exchange(series, spec.method.lag, categories).blocks
        found = conditions(series, response_lengths(series), blocks_, spec.method.lag, spec.seed)
    return Held(engines, runs, found)


def _run_of(
    null: str, ran: bool, prompts: int = 0, unlike: int = 0, repeated: int = 0, note: str | None = None
) -> dict[str, Any]:
    counts = {"prompts": prompts, "unlike": unlike, "repeated": repeated}
    return {"null_name": null, "ran": ran, **counts, "note": note}


def _condition_rows(decomposition: str, held: Held) -> pa.Table:
    """Rows of confounds about the nulls: the conditions that were looked for, and prompts that take no part."""
    of = held.conditions
    named: dict[str, float] = {
        "prompts outside the nulls": float(sum(one["unlike"] for one in held.runs)),
        "prompts repeated": float(sum(one["repeated"] for one in held.runs)),
    }
    if of is not None:
        named |= {"shared volatility": of.volatility, "memory varies over prompts": of.varying}
        named |= {"likeness of responses": of.alike, "course common to prompts": of.course}
    values = np.array(list(named.values()))
    return table(decomposition=[decomposition] * len(named), name=list(named), value=values)


def _against(job: JobFolder, held: Held, spec: DecomposeSpec, crew: Crew, share: float) -> Against:
    """Has missing surrogates drawn, and tests against them."""
    count, draws = 0, spec.surrogates
    for place, (null, engine) in enumerate(held.engines.items()):
        count = len(engine)
        told = f"{draws} of {null}" + ("" if null in NULLS else ", not calibrated")
        began = share * (1 + 2 * place)
        numbers = {blocks.null_name(null, number): number for number in range(count)}

        def whole(name: str, null: str = null, numbers: dict[str, int] = numbers, engine: NullEngine = engine) -> bool:
            block = blocks.null_block(job, null, numbers[name])
            return block is not None and engine.engine.made_here(numbers[name], block.pairs)

        layout = engine.engine.layout
        crew.make(
            [Wanted(name, draws, {"block": one, "null": null, "layout": layout}) for name, one in numbers.items()],
            whole,
            name="surrogates",
            total=count * draws,
            unit="draws",
            detail=told,
            share=(began, began + 2 * share),
        )
    return against(job, list(held.engines), count, held.withheld)


def _pair_tables(job: JobFolder, count: int, found: Against | None, capture: dict[str, Any]) -> Iterator[pa.Table]:
    """The pair file, block by block."""
    layer, unit = divmod(np.arange(capture["layers"] * capture["units_per_layer"]), capture["units_per_layer"])
    columns_of = pair_columns(job, found, count) if found else iter([{}] * count)
    for number, columns in zip(range(count), columns_of, strict=True):
        yield _pair_table(_needed(job, number), columns, layer, unit)


def _pair_table(block: PairBlock, against: dict[str, np.ndarray], layer: np.ndarray, unit: np.ndarray) -> pa.Table:
    x, y = block.pairs.T
    columns: dict[str, Any] = {"x": x, "y": y}
    for side, who in (("x", x), ("y", y)):
        columns |= {f"{side}_layer": layer[who], f"{side}_unit": unit[who]}
    columns |= {name: block.mean[:, place] for place, name in enumerate(ATOMS)}
    columns |= {f"{name}_sd": block.spread[:, place] for place, name in enumerate(MEASURED)}
    columns |= {"offset": block.offset, "valid_prompts": block.valid_prompts, "reason": block.reason}
    nothing = np.full(len(x), np.nan)
    columns |= {name: against.get(name, nothing) for name in PAIR_FILE.names if name not in columns}
    return table(**columns).select(PAIR_FILE.names).cast(PAIR_FILE)
