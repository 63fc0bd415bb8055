"""A decompose job: a capture's series → atoms of all pairs, one shard per block, then every score, ranking, profile,
interval and confound with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from synergy_tui.analysis import bootstrap, confounds, profile, scores
from synergy_tui.errors import MeasureError
from synergy_tui.jobs.folder import JobFolder
from synergy_tui.jobs.worker import shards
from synergy_tui.jobs.worker.progress import Progress
from synergy_tui.jobs.worker.record import versions
from synergy_tui.phiid.engine import PairEngine
from synergy_tui.phiid.result import PairAtoms, PairBlock, UnitSums, merge
from synergy_tui.store import load
from synergy_tui.store.bulk import PAIR_FILE, whole
from synergy_tui.store.cache import Cache
from synergy_tui.store.publish import publish_decomposition
from synergy_tui.terms import ATOMS, INVALID_REASONS, RANKINGS


def work(job: JobFolder, spec: dict[str, Any], progress: Progress) -> None:
    """Decomposes the blocks that are missing, analyses, publishes."""
    cache = Cache.open(job.cache)
    capture = load.one(cache, "capture", spec["capture"])
    responses = load.rows(
        cache,
        "SELECT prompt, steps, valid FROM responses WHERE capture = $1 ORDER BY prompt",
        spec["capture"],
    )
    valid = [row["prompt"] for row in responses if row["valid"]]
    if not valid:
        raise MeasureError(f"capture {spec['capture']} has no response of {capture['min_steps']} steps", "capture anew")
    series = load.series(cache, spec["capture"], valid)
    units = series.shape[1]

    pairs = units * (units - 1) // 2
    progress.stage("decompose", pairs, "pairs", f"{pairs:,} pairs × {len(valid)} prompts", (0.0, 0.8))
    engine = PairEngine(series, spec["estimator"], spec["redundancy"], spec["lag"])
    blocks = []
    for number in range(len(engine)):
        block = _read(job, number)
        if block is None:
            block = engine.block(number)
            _write(job, number, block)
            progress.advance(len(block.pairs))
        else:
            progress.skip(len(block.pairs))
        blocks.append(block)
    atoms = merge(blocks)

    progress.stage(
        "analyse",
        len(RANKINGS),
        "rankings",
        f"{len(RANKINGS)} rankings, {spec['replicates']:,} replicates",
        (0.8, 0.97),
    )
    lengths = np.array([row["steps"] for row in responses if row["valid"]])
    rows = _analysis(job.id, capture, spec, series, lengths, atoms, progress)
    rows["decompositions"] = [
        {
            "decomposition": job.id,
            "capture": spec["capture"],
            "estimator": spec["estimator"],
            "redundancy": spec["redundancy"],
            "lag": spec["lag"],
            "pool": "mean",
            "preprocess": "raw",
            "pairs": len(atoms.pairs),
            "valid_pairs": int((atoms.valid_prompts > 0).sum()),
            "valid_prompts": int(atoms.unit_pairs.any(axis=1).sum()),
            "reasons": atoms.reasons,
            "replicates": spec["replicates"],
            "seed": spec["seed"],
            "versions": versions("jax", "numpy", "scipy"),
        }
    ]
    progress.stage("publish", share=(0.97, 1.0))
    layer_of = divmod(np.arange(units), capture["units_per_layer"])
    publish_decomposition(cache, job.id, rows, (_pair_table(block, *layer_of) for block in blocks))


def _analysis(
    decomposition: str,
    capture: dict[str, Any],
    spec: dict[str, Any],
    series: np.ndarray,
    lengths: np.ndarray,
    atoms: PairAtoms,
    progress: Progress,
) -> dict[str, Any]:
    """Rows of unit_scores, layer_profiles, contrasts and confounds."""
    layers = capture["layers"]
    values = scores.unit_values(atoms.pairs, atoms.mean, atoms.offset, atoms.unit_balance)
    autocorrelations, norms = confounds.autocorrelation(series, spec["lag"]), confounds.mean_norm(series)
    columns = {name: values.atoms[:, place] for place, name in enumerate(ATOMS)}
    columns |= {
        "tdmi": values.tdmi,
        "offset": values.offset,
        "autocorrelation": autocorrelations,
        "norm": norms,
    }
    tables = [_score_table(decomposition, name, column) for name, column in columns.items()]
    rankings, profiles, contrasts = {}, [], []
    for name in RANKINGS:
        raw = rankings[name] = scores.ranking(name, values)
        scaled = scores.scaled(raw)
        ends = bootstrap.intervals(
            name,
            atoms.unit_prompt,
            atoms.unit_offset,
            atoms.unit_balance,
            atoms.unit_pairs,
            layers,
            spec["seed"],
            spec["replicates"],
        )
        tables.append(_score_table(decomposition, name, raw, scaled, *ends.units))
        by_layer = profile.profile(scaled, layers)
        profiles.append(
            _table(
                decomposition=[decomposition] * layers,
                ranking=[name] * layers,
                layer=np.arange(layers),
                depth=profile.depth(layers),
                value=by_layer,
                low=ends.profile[0],
                high=ends.profile[1],
            )
        )
        contrasts.append(
            _table(
                decomposition=[decomposition],
                ranking=[name],
                contrast=profile.contrast(by_layer[None]),
                low=ends.contrast[:1],
                high=ends.contrast[1:],
                curvature=[profile.curvature(by_layer)],
            )
        )
        progress.advance()
    halves = [
        scores.values_over(atoms.unit_prompt[half::2], atoms.unit_offset[half::2], atoms.unit_balance[half::2])
        for half in (0, 1)
    ]
    first, second = (scores.ranking(RANKINGS[0], half) for half in halves)
    used = atoms.unit_pairs.any(axis=1)
    left_out = capture["prompts"] - int(used.sum())
    doubts = confounds.confounds(values, autocorrelations, norms, rankings, (first, second), lengths[used], left_out)
    return {
        "unit_scores": pa.concat_tables(tables),
        "layer_profiles": pa.concat_tables(profiles),
        "contrasts": pa.concat_tables(contrasts),
        "confounds": _table(
            decomposition=[decomposition] * len(doubts),
            name=list(doubts),
            value=np.array(list(doubts.values())),
        ),
    }


def _score_table(decomposition: str, name: str, value: np.ndarray, *rest: np.ndarray) -> pa.Table:
    nothing = np.full(len(value), np.nan)
    scaled, low, high = rest or (nothing, nothing, nothing)
    return _table(
        decomposition=[decomposition] * len(value),
        unit_index=np.arange(len(value)),
        score=[name] * len(value),
        value=value,
        scaled=scaled,
        low=low,
        high=high,
    )


def _table(**columns: Any) -> pa.Table:
    """NaN becomes NULL: SQL averages pass over what has no value."""
    return pa.table({name: pa.array(column, from_pandas=True) for name, column in columns.items()})


def _pair_table(block: PairBlock, layer: np.ndarray, unit: np.ndarray) -> pa.Table:
    x, y = block.pairs.T
    columns: dict[str, Any] = {"x": x, "y": y}
    for side, who in (("x", x), ("y", y)):
        columns |= {f"{side}_layer": layer[who], f"{side}_unit": unit[who]}
    columns |= {name: block.mean[:, place] for place, name in enumerate(ATOMS)}
    columns |= {"offset": block.offset, "valid_prompts": block.valid_prompts, "reason": block.reason}
    return _table(**columns).select(PAIR_FILE.names).cast(PAIR_FILE)


# A block's shard is its pairs (Parquet) and its unit sums (.npz, no pickle). The pairs come last: with them it is
# whole.


def _write(job: JobFolder, number: int, block: PairBlock) -> None:
    arrays: dict[str, Any] = block.sums.arrays()
    reasons = np.array([block.reasons[name] for name in INVALID_REASONS])
    with whole(_sums(job, number)) as unfinished, open(unfinished, "wb") as file:
        np.savez(file, reasons=reasons, **arrays)
    columns: dict[str, Any] = {"x": block.pairs[:, 0], "y": block.pairs[:, 1]}
    columns |= {name: block.mean[:, place] for place, name in enumerate(ATOMS)}
    columns |= {"offset": block.offset, "valid_prompts": block.valid_prompts, "reason": block.reason}
    shards.write(job, f"block-{number:04d}", pa.table(columns))


def _read(job: JobFolder, number: int) -> PairBlock | None:
    table = shards.read(job, f"block-{number:04d}")
    if table is None:
        return None
    try:
        with np.load(_sums(job, number), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError):
        return None
    reasons = dict(zip(INVALID_REASONS, arrays.pop("reasons").tolist(), strict=True))
    column = {name: table[name].to_numpy() for name in table.column_names}
    return PairBlock(
        pairs=np.stack([column["x"], column["y"]], axis=1),
        mean=np.stack([column[name] for name in ATOMS], axis=1),
        offset=column["offset"],
        valid_prompts=column["valid_prompts"],
        reason=column["reason"],
        reasons=reasons,
        sums=UnitSums(**arrays),
    )


def _sums(job: JobFolder, number: int) -> Path:
    return job.shards / f"sums-{number:04d}.npz"
