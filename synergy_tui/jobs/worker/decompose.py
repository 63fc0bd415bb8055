"""A decompose job: a capture's series → atoms of all pairs and their surrogates, one shard per block, then every score,
ranking, profile, interval and confound with them. No more than a block of pairs is held at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from synergy_tui.analysis import confounds, scores
from synergy_tui.analysis.conditions import Conditions, conditions
from synergy_tui.errors import MeasureError
from synergy_tui.jobs.folder import JobFolder
from synergy_tui.jobs.specs import DecomposeSpec
from synergy_tui.jobs.worker import blocks, lengths, unit_rows
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
from synergy_tui.jobs.worker.progress import Progress
from synergy_tui.jobs.worker.record import recipes, versions
from synergy_tui.jobs.worker.tables import table
from synergy_tui.phiid.engine import PairEngine
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


def work(job: JobFolder, spec: DecomposeSpec, progress: Progress) -> None:
    """Decomposes the blocks that are missing, draws surrogates, analyses, publishes."""
    cache = Cache.open(job.cache, on_wait=progress.waits)
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
    steps = np.array([row["steps"] for row in responses])
    categories = [row["category"] or "" for row in responses]
    prompts = np.array([row["prompt"] for row in responses])
    found = measured(job, cache, spec, capture, raw, steps, prompts, categories, progress)
    rows = dict(found.rows)
    if spec.method.pool == "mean":
        rows |= unit_rows.by_category(job.id, spec, found.atoms, categories, capture["layers"])
    progress.stage("publish", share=(0.97, 1.0))
    publish_decomposition(cache, job.id, rows, found.pairs())


@dataclass(frozen=True)
class Measured:
    """A decomposition that is not published yet. pairs: its bulk file, read from the shards. series: as decomposed."""

    rows: dict[str, Any]
    pairs: Callable[[], Iterator[pa.Table]]
    atoms: UnitAtoms
    against: Against | None
    series: np.ndarray


def measured(
    job: JobFolder,
    cache: Cache,
    spec: DecomposeSpec,
    capture: dict[str, Any],
    raw: np.ndarray,
    steps: np.ndarray,
    prompts: np.ndarray,
    categories: Sequence[str],
    progress: Progress,
) -> Measured:
    """Decomposes a series [prompts, units, steps] of a capture: the blocks that are missing among the job's shards,
    surrogates, analysis. steps, prompts, categories: the responses' lengths, and their prompts' numbers and categories.
    """
    pairs = _pairs_there(cache, capture)
    series = preprocess(raw, words) if (words := parse(spec.method.preprocess)) else raw
    method = spec.method.arithmetic()

    engine = PairEngine(series, **method, pairs=pairs)
    share = 0.8 / (1 + 2 * len(spec.nulls))
    kept = _decomposed(job, engine, len(pairs) if pairs is not None else None, progress, share)
    atoms = merge_units(kept)
    of = np.unique(np.array(categories), return_inverse=True)[1]
    held = _nulls(series, method | {"pairs": pairs}, spec, of) if spec.nulls else None
    found = _against(job, held, spec, progress, share) if held and held.engines else None

    rankings = len(scores.rankings_of(spec.method.estimator, spec.method.redundancy))
    many = f"{rankings} rankings, {spec.replicates:,} replicates"
    progress.stage("analyse", rankings, "rankings", many, (0.8, 0.97))
    # Pooled prompts are one: of them those count that have windows.
    used = atoms.unit_pairs.any(axis=1) if spec.method.pool == "mean" else engine.steps >= MIN_STEPS
    of_units = {
        "autocorrelation": confounds.autocorrelation(series, spec.method.lag),
        "norm": confounds.mean_norm(raw),
    }
    rows: dict[str, Any] = unit_rows.rows(job.id, capture, spec, of_units, steps[used], prompts, atoms, found, progress)
    if found is not None:
        rows["unit_nulls"] = null_rows(job.id, found)
        known = scores.rankings_of(spec.method.estimator, spec.method.redundancy)
        rows["surrogate_contrasts"] = contrast_rows(job.id, found, capture["layers"], known)
        if (tests := test_rows(job.id, found, capture["layers"], spec.seed, known)) is not None:
            rows["contrast_tests"] = tests
        if spec.method.pool == "mean":
            rows["contrast_lengths"] = lengths.rows(
                job.id, series, steps, of, method | {"pairs": pairs}, capture["layers"]
            )
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
    return Measured(rows, lambda: _pair_tables(job, spec, len(engine), found, capture), atoms, found, series)


def _pairs_there(cache: Cache, capture: dict[str, Any]) -> np.ndarray | None:
    """The pairs of the places that a unit has, where layers differ in their number of units; None for all pairs."""
    query = "SELECT unit_index FROM units WHERE capture = $1 ORDER BY unit_index"
    there = np.array([row["unit_index"] for row in load.rows(cache, query, capture["capture"])])
    if len(there) == capture["layers"] * capture["units_per_layer"]:
        return None
    return there[np.stack(np.triu_indices(len(there), 1), axis=1)]


def _decomposed(
    job: JobFolder, engine: PairEngine, wanted: int | None, progress: Progress, share: float
) -> Iterator[PairBlock]:
    """Every block in order, from its shard where it has one. wanted: how many pairs, None for all."""
    pairs = engine.units * (engine.units - 1) // 2 if wanted is None else wanted
    progress.stage("decompose", pairs, "pairs", f"{pairs:,} pairs × {engine.prompts} prompts", (0.0, share))
    for number in range(len(engine)):
        block = blocks.pair_block(job, number)
        if block is None or not engine.made_here(number, block.pairs):
            block = engine.block(number)
            blocks.keep_pair_block(job, number, block)
            progress.advance(len(block.pairs))
        else:
            progress.skip(len(block.pairs))
        yield block


@dataclass(frozen=True)
class _Held:
    """The nulls of a job. engines: of those that can be run, by name. runs: rows of null_runs without the
    decomposition. conditions: of the data; None where no prompts are of like length."""

    engines: dict[str, NullEngine]
    runs: list[dict[str, Any]]
    conditions: Conditions | None

    @property
    def misleading(self) -> list[str]:
        """Why no null can be trusted."""
        return self.conditions.misleading() if self.conditions else []

    @property
    def withheld(self) -> tuple[bool, ...]:
        """Which p and q of sts, rtr and TDMI are."""
        if self.misleading:
            return WHOLE
        return REDUNDANCY if self.conditions and self.conditions.redundancy_misled else NOTHING


def _nulls(series: np.ndarray, method: dict[str, Any], spec: DecomposeSpec, categories: np.ndarray) -> _Held:
    """The nulls that can be run: one that cannot leaves the others in place, and says why. The conditions under which
    they fail are looked for whichever of them is asked for."""
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
    return _Held(engines, runs, found)


def _run_of(
    null: str, ran: bool, prompts: int = 0, unlike: int = 0, repeated: int = 0, note: str | None = None
) -> dict[str, Any]:
    counts = {"prompts": prompts, "unlike": unlike, "repeated": repeated}
    return {"null_name": null, "ran": ran, **counts, "note": note}


def _condition_rows(decomposition: str, held: _Held) -> pa.Table:
    """Rows of confounds that tell of the nulls: what was looked for, and prompts that take no part."""
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


def _against(job: JobFolder, held: _Held, spec: DecomposeSpec, progress: Progress, share: float) -> Against:
    """Draws the surrogates that are missing, and tests against them."""
    count, draws = 0, spec.surrogates
    for place, (null, engine) in enumerate(held.engines.items()):
        count = len(engine)
        told = f"{draws} of {null}" + ("" if null in NULLS else ", not calibrated")
        began = share * (1 + 2 * place)
        progress.stage("surrogates", count * draws, "draws", told, (began, began + 2 * share))
        for number in range(count):
            kept = blocks.null_block(job, null, number)
            if kept is None or not engine.engine.made_here(number, kept.pairs):
                block = engine.block(number, draws, progress.advance)
                blocks.keep_null_block(job, null, number, block)
            else:
                progress.skip(draws)
    return against(job, list(held.engines), count, held.withheld)


def _pair_tables(
    job: JobFolder, spec: DecomposeSpec, count: int, found: Against | None, capture: dict[str, Any]
) -> Iterator[pa.Table]:
    """The pair file, block by block."""
    layer, unit = divmod(np.arange(capture["layers"] * capture["units_per_layer"]), capture["units_per_layer"])
    columns_of = pair_columns(job, found, count) if found else iter([{}] * count)
    for number, columns in zip(range(count), columns_of, strict=True):
        block = blocks.pair_block(job, number)
        if block is None:
            raise OSError(f"shard block-{number:04d} was there and is gone")
        yield _pair_table(block, columns, layer, unit)


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
