"""A run piece by piece, as somebody walks through it: each call is one short read, of no more than is looked at."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from synergy_tui.errors import CacheError, UsageError
from synergy_tui.store import load
from synergy_tui.store.cache import Cache
from synergy_tui.terms import ATOMS, INTERVENTIONS, RTR, STS, SWEEPS

_SWAP = str.maketrans("xy", "yx")


def run(cache: Cache, decomposition: str) -> dict[str, Any]:
    """All of a decomposition but its pairs, over one connection: `run` (decomposition, capture and subject in one row),
    `scores` (name → value, scaled, low, high, each [units]), `profiles` (ranking → rows), `contrasts`, `confounds`.
    Raises UsageError when it is not there."""
    with cache.read() as con:

        def rows(query: str) -> list[dict[str, Any]]:
            return con.sql(query, params=[decomposition]).to_arrow_table().to_pylist()

        found = rows(
            f"""SELECT d.*, c.tasks, c.layers, c.units_per_layer, c.prompts, c.steps, c.min_steps, c.dtype, c.device,
            s.name, s.model_type, s.parameters, {load.METHOD_OF} FROM decompositions d JOIN captures c USING (capture)
            JOIN subjects s USING (subject) WHERE decomposition = $1"""
        )
        if not found:
            raise UsageError(f"{decomposition} is no longer in this cache", "choose another run")
        row = {key: load.parsed(key, value) for key, value in found[0].items()}
        columns = ("value", "scaled", "low", "high")
        query = f"SELECT score, unit_index, {', '.join(columns)} FROM unit_scores WHERE decomposition = $1"
        table = con.sql(query, params=[decomposition]).to_arrow_table()
        scores = _by_score(table, row["layers"] * row["units_per_layer"], columns)
        scores |= _alone(rows, row["layers"] * row["units_per_layer"])
        profiles: dict[str, list[dict[str, Any]]] = {}
        for one in rows(
            "SELECT ranking, layer, value, low, high FROM layer_profiles WHERE decomposition = $1 ORDER BY layer"
        ):
            profiles.setdefault(one.pop("ranking"), []).append(one)
        contrasts = rows("SELECT ranking, contrast, low, high, curvature FROM contrasts WHERE decomposition = $1")
        return {
            "run": row,
            "scores": scores,
            "profiles": profiles,
            "contrasts": {one.pop("ranking"): one for one in contrasts},
            "confounds": {
                one["name"]: one["value"] for one in rows("SELECT * FROM confounds WHERE decomposition = $1")
            },
        }


def _alone(rows: Callable[[str], list[dict[str, Any]]], units: int) -> dict[str, dict[str, np.ndarray]]:
    """`divergence` of every unit alone with its interval, from the newest sweep of this decomposition that removed
    units by the default intervention, or by any."""
    found = rows(
        f"""SELECT unit_index, divergence, low, high FROM ablation_sweeps WHERE sweep = '{SWEEPS[0]}' AND ablation = (
        SELECT ablation FROM ablations JOIN (SELECT DISTINCT ablation FROM ablation_sweeps WHERE sweep = '{SWEEPS[0]}')
        USING (ablation) WHERE decomposition = $1
        ORDER BY intervention = '{INTERVENTIONS[0]}' DESC, created DESC, ablation LIMIT 1)"""
    )
    if not found:
        return {}
    out = {name: np.full(units, np.nan) for name in ("value", "scaled", "low", "high")}
    for one in found:
        for name, column in (("value", "divergence"), ("low", "low"), ("high", "high")):
            out[name][one["unit_index"]] = np.nan if one[column] is None else one[column]
    return {"divergence": out}


def _by_score(table: pa.Table, units: int, columns: tuple[str, ...]) -> dict[str, dict[str, np.ndarray]]:
    names = table["score"].combine_chunks().dictionary_encode()
    codes, index = names.indices.to_numpy(), table["unit_index"].to_numpy()
    held = {column: table[column].to_numpy().astype(float) for column in columns}  # NULL → NaN
    out = {}
    for code, name in enumerate(names.dictionary.to_pylist()):
        rows = codes == code
        out[name] = {column: np.full(units, np.nan) for column in columns}
        for column in columns:
            out[name][column][index[rows]] = held[column][rows]
    return out


def partners(cache: Cache, decomposition: str, unit: int) -> dict[str, np.ndarray]:
    """The pairs of one unit, from its side: `partner` [pairs], every atom with the unit as x, `offset`, `tdmi` and
    `excess` in nats (against surrogates where there are some, else against the offset)."""
    names = ("x", "y", *ATOMS, "offset", "excess")
    found = _read_pairs(cache, decomposition, names, "x = $2 OR y = $2", unit)
    column = {name: found[name].to_numpy() for name in names}
    second = column["y"] == unit
    out = {"partner": np.where(second, column["x"], column["y"])}
    for atom in ATOMS:
        out[atom] = np.where(second, column[atom.translate(_SWAP)], column[atom])
    out["tdmi"] = np.sum([out[atom] for atom in ATOMS], axis=0)
    out["excess"] = _excess(column["excess"], out["sts"], column["offset"])
    return out | {"offset": column["offset"]}


def pair(cache: Cache, decomposition: str, x: int, y: int) -> dict[str, float]:
    """Atoms, `tdmi`, `offset` and `excess` of one pair in nats, x the one named first, and `z`, `p`, `q` where
    surrogates were drawn; empty where there is no pair."""
    names = (*ATOMS, "offset", "excess", "z", "p", "q", "valid_prompts")
    found = _read_pairs(cache, decomposition, names, "x = $2 AND y = $3", min(x, y), max(x, y)).to_pylist()
    if not found:
        return {}
    row = {name: float("nan") if value is None else float(value) for name, value in found[0].items()}
    out = {atom: row[atom.translate(_SWAP) if x > y else atom] for atom in ATOMS}
    out["tdmi"] = sum(out.values())
    out["offset"] = row["offset"]
    out["excess"] = out["sts"] - row["offset"] if np.isnan(row["excess"]) else row["excess"]
    out |= {name: row[name] for name in ("z", "p", "q") if not np.isnan(row[name])}
    return out | {"valid_prompts": row["valid_prompts"]}


def _read_pairs(cache: Cache, decomposition: str, names: tuple[str, ...], which: str, *parameters: int) -> pa.Table:
    """Columns of some pairs; those that files of an older version lack are NULL."""
    path = _pairs(cache, decomposition)
    there = set(pq.ParquetFile(path).schema_arrow.names)
    columns = ", ".join(f'"{name}"' if name in there else f'NULL::FLOAT AS "{name}"' for name in names)
    with cache.read() as con:
        query = f"SELECT {columns} FROM read_parquet($1) WHERE {which}"
        return con.sql(query, params=[str(path), *parameters]).to_arrow_table()


def _excess(stored: np.ndarray, sts: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """sts minus its surrogate mean; minus the offset where no surrogates were drawn."""
    stored = stored.astype(float)
    return np.where(np.isnan(stored), sts - offset, stored)


def pair_matrix(cache: Cache, decomposition: str, atom: str, units: int) -> np.ndarray:
    """[units, units] float32 of an atom in nats, or `excess` or `tdmi`; the row is x, the column y, NaN on the
    diagonal and for invalid pairs. Read in pieces, so that nobody waits for it."""
    out = np.full((units, units), np.nan, np.float32)
    if atom in ATOMS:
        swapped = atom.translate(_SWAP)
        columns = [atom] if swapped == atom else [atom, swapped]
    else:
        columns = {"excess": ["sts", "offset", "excess"], "tdmi": list(ATOMS)}[atom]
    path = _pairs(cache, decomposition)
    there = pq.ParquetFile(path).schema_arrow.names  # files of an older version have no excess
    for batch in _batches(path, ["x", "y", *(name for name in columns if name in there)]):
        x, y, *values = (batch.column(place).to_numpy(zero_copy_only=False) for place in range(batch.num_columns))
        if atom == "excess":
            sts, offset, *stored = values
            values = [_excess(stored[0] if stored else np.full(len(sts), np.nan), sts, offset)]
        elif atom == "tdmi":
            values = [np.sum(values, axis=0)]
        out[x, y] = values[0]
        out[y, x] = values[-1]
    return out


def series_of_prompt(cache: Cache, capture: str, prompt: int) -> np.ndarray:
    """[units, steps] float64: activity of every unit over one response."""
    return load.series(cache, capture, [prompt])[0].astype(float)


def series_of_unit(cache: Cache, capture: str, unit: int) -> dict[int, np.ndarray]:
    """prompt → [steps]: activity of one unit over every response."""
    path = cache.series_folder(capture) / "series.parquet"
    query = "SELECT prompt, value FROM read_parquet($1) WHERE unit_index = $2 ORDER BY prompt, step"
    _there(path)
    with cache.read() as con:
        prompt, value = con.sql(query, params=[str(path), unit]).to_arrow_table().columns
    numbers, starts = np.unique(prompt.to_numpy(), return_index=True)
    return dict(zip(numbers.tolist(), np.split(value.to_numpy(), starts[1:]), strict=True))


def responses(cache: Cache, capture: str) -> list[dict[str, Any]]:
    """Prompts with their responses: prompt, id, category, asked, pieces, steps, ended, valid."""
    return load.rows(
        cache,
        """SELECT p.prompt, p.id, p.category, p.text AS asked, r.pieces, r.steps, r.ended, r.valid
        FROM prompts p JOIN responses r USING (capture, prompt) WHERE capture = $1 ORDER BY prompt""",
        capture,
    )


def catalogue(cache: Cache) -> list[dict[str, Any]]:
    """Tables and views with their columns, types and comments, for people who write SQL."""
    query = """SELECT table_name AS name, column_name AS "column", data_type AS type, comment
      FROM duckdb_columns() WHERE NOT internal AND schema_name = 'main' ORDER BY table_name, column_index"""
    return load.rows(cache, query)


def partial_map(shards: Path, kind: str, units: int) -> tuple[dict[str, np.ndarray], float]:
    """What the finished parts of a running job say so far: unit means [units] by score, and the share of units that
    have a value. A decomposition's blocks give sts, rtr and their difference, a capture's batches the mean norm."""
    parts = _captured(shards, units) if kind == "capture" else _decomposed(shards, units)
    sums: dict[str, np.ndarray] = {}
    counts = np.zeros(units)
    for part, count in parts:
        counts += count
        for name, value in part.items():
            sums[name] = sums.get(name, 0) + value
    with np.errstate(invalid="ignore", divide="ignore"):
        means = {name: total / counts for name, total in sums.items()}
    if "sts" in means:
        means["difference"] = means["sts"] - means["rtr"]
    return means, float((counts > 0).mean()) if units else 0.0


def captured_shape(shards: Path) -> tuple[int, int] | None:
    """(layers, units per layer) of a running capture, once it has a part."""
    for path in sorted(shards.glob("*.parquet")):
        with contextlib.suppress(OSError, KeyError, pa.ArrowException):  # it is on its way, or of an older version
            told = pq.read_schema(path).metadata or {}
            return int(told[b"layers"]), int(told[b"per_layer"])
    return None


def _captured(shards: Path, units: int) -> Iterator[tuple[dict[str, np.ndarray], np.ndarray]]:
    """(sum of norms, number of values), each [units], of every response there is."""
    for path in sorted(shards.glob("*.parquet")):
        try:
            column = pq.ParquetFile(path).read(["activity"])["activity"].combine_chunks()
        except (OSError, KeyError, pa.ArrowException):
            continue  # it is on its way
        for activity in column:
            values = np.asarray(activity.values, float).reshape(units, -1)
            yield {"norm": np.nansum(values, axis=1)}, np.isfinite(values).sum(axis=1)


def _decomposed(shards: Path, units: int) -> Iterator[tuple[dict[str, np.ndarray], np.ndarray]]:
    """(sums of sts and rtr, number of pairs), each [units], of every block there is."""
    for path in sorted(shards.glob("block-*.npz")):
        with contextlib.suppress(OSError, ValueError, KeyError, EOFError):  # it is on its way
            yield _block_sums(path, path.stat().st_mtime_ns, units)


@lru_cache(4096)
def _block_sums(path: Path, changed: int, units: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Of one block. A finished block never changes, and a growing map asks for all of them at every look."""
    with np.load(path, allow_pickle=False) as file:
        pairs, mean = file["pairs"], file["mean"]
    known = np.isfinite(mean[:, STS])
    ends = pairs[known].T.ravel()
    twice = {name: np.tile(mean[known, place], 2) for name, place in (("sts", STS), ("rtr", RTR))}
    sums = {name: np.bincount(ends, value, units) for name, value in twice.items()}
    return sums, np.bincount(ends, minlength=units)


def partial_curves(shards: Path) -> list[dict[str, Any]]:
    """What the finished conditions of a running ablation say: removal_order, target, seed, fraction, divergence (nats
    per token, mean over prompts)."""
    out = []
    for path in sorted(shards.glob("*.parquet")):
        try:
            table = pq.ParquetFile(path).read()
        except (OSError, pa.ArrowException):
            continue  # it is on its way
        told = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
        if "fraction" in told and "divergence" in table.column_names:
            out.append(
                {
                    "removal_order": told["removal_order"],
                    "target": told.get("target"),
                    "seed": told.get("seed"),
                    "fraction": float(told["fraction"]),
                    "divergence": float(np.mean(table["divergence"].to_numpy())),
                }
            )
    return out


def partial_sweep(shards: Path, units: int) -> tuple[np.ndarray, float]:
    """[units] divergence of every unit alone as far as a running ablation has come, and the share that is known."""
    out = np.full(units, np.nan)
    for path in sorted(shards.glob(f"{SWEEPS[0]}-*.parquet")):
        with contextlib.suppress(OSError, pa.ArrowException, ValueError):
            place = int(path.stem.removeprefix(f"{SWEEPS[0]}-"))
            out[place] = np.mean(pq.ParquetFile(path).read(["divergence"])["divergence"].to_numpy())
    return out, float(np.isfinite(out).mean()) if units else 0.0


def sweep(cache: Cache, ablation: str, units: int) -> np.ndarray | None:
    """The same of a finished one; None without a sweep of single units."""
    query = "SELECT unit_index AS u, divergence AS d FROM ablation_sweeps WHERE ablation = $1 AND sweep = $2"
    found = load.rows(cache, query, ablation, SWEEPS[0])
    out = np.full(units, np.nan)
    for row in found:
        out[row["u"]] = np.nan if row["d"] is None else row["d"]
    return out if found else None


def answers(cache: Cache, ablation: str) -> list[dict[str, Any]]:
    """What the ablated subject answered by itself, beside the intact answers: removal_order, target, seed, fraction,
    prompt, category, asked, pieces, intact (pieces)."""
    return load.rows(
        cache,
        """SELECT a.removal_order, a.target, a.seed, a.fraction, a.prompt, p.category, p.text AS asked, a.pieces,
        r.pieces AS intact FROM ablation_answers a JOIN ablations USING (ablation)
        JOIN prompts p USING (capture, prompt) JOIN responses r USING (capture, prompt)
        WHERE ablation = $1 ORDER BY a.prompt, a.seed NULLS FIRST, a.removal_order, a.target""",
        ablation,
    )


def ablations(cache: Cache, decomposition: str) -> list[dict[str, Any]]:
    """The ablations of a decomposition, newest first, with ranking, orders, prompts, seeds, verdict, intervention."""
    return load.rows(
        cache,
        """SELECT ablation, ranking, orders, prompts, seeds, verdict, intervention FROM ablations
        WHERE decomposition = $1 ORDER BY created DESC, ablation""",
        decomposition,
    )


def curves(cache: Cache, ablation: str) -> list[dict[str, Any]]:
    """The same of a finished one."""
    return load.rows(
        cache,
        """SELECT removal_order, target, CAST(seed AS VARCHAR) AS seed, fraction, divergence FROM ablation_curves
        WHERE ablation = $1 ORDER BY removal_order, target, seed, fraction""",
        ablation,
    )


def _pairs(cache: Cache, decomposition: str) -> Path:
    return _there(cache.pairs_folder(decomposition) / "pairs.parquet")


def _there(path: Path) -> Path:
    if not path.exists():
        raise CacheError(f"{path} is missing", "synergy-tui cache check")
    return path


def _batches(path: Path, columns: list[str]) -> Iterator[pa.RecordBatch]:
    try:
        yield from pq.ParquetFile(path).iter_batches(65_536, columns=columns)
    except (OSError, pa.ArrowException) as error:
        raise CacheError(
            f"{path} is missing or damaged: {str(error).splitlines()[0]}", "synergy-tui cache check"
        ) from None
