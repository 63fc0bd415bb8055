"""A run piece by piece, as a user walks through it: each call is one short read of only what is viewed."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from synergy_tui.errors import CacheError
from synergy_tui.store import load
from synergy_tui.store.cache import Cache
from synergy_tui.terms import ATOMS, INTERVENTIONS, PAIR_SCORES, SWEEPS

_SWAP = str.maketrans("xy", "yx")


def partners(cache: Cache, decomposition: str, unit: int) -> dict[str, np.ndarray]:
    """The pairs of one unit, from its side: `partner` [pairs], every atom with the unit as x, `offset`, `tdmi` and
    `excess` in nats (against surrogates if there are any, else against the offset)."""
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
    """Atoms, `tdmi`, `offset` and `excess` of one pair in nats, with x named first, and `z`, `p`, `q` if surrogates
    were drawn; empty if the pair does not exist."""
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
    """Columns of some pairs; columns that files of an older version lack are NULL."""
    path = _pairs(cache, decomposition)
    there = set(pq.ParquetFile(path).schema_arrow.names)
    columns = ", ".join(f'"{name}"' if name in there else f'NULL::FLOAT AS "{name}"' for name in names)
    with cache.read() as con:
        query = f"SELECT {columns} FROM read_parquet($1) WHERE {which}"
        return con.sql(query, params=[str(path), *parameters]).to_arrow_table()


def _excess(stored: np.ndarray, sts: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """sts minus its surrogate mean, or minus the offset if no surrogates were drawn."""
    stored = stored.astype(float)
    return np.where(np.isnan(stored), sts - offset, stored)


def pair_matrix(
    cache: Cache, decomposition: str, atom: str, units: int, numbers: np.ndarray | None = None
) -> np.ndarray:
    """[units, units] float32 of an atom in nats, or `excess` or `tdmi`; the row is x, the column y, NaN on the diagonal
    and for invalid pairs. numbers: the units to include, out of `units`; by default all. Read in pieces, so that it
    blocks nothing."""
    count = units if numbers is None else len(numbers)
    out = np.full((count, count), np.nan, np.float32)
    place = None
    if numbers is not None and count < units:
        place = np.zeros(units, np.int64)
        place[numbers] = np.arange(count)
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
        x, y = (x, y) if place is None else (place[x], place[y])
        out[x, y] = values[0]
        out[y, x] = values[-1]
    return out


def strongest(cache: Cache, decomposition: str, score: str, count: int) -> tuple[list[tuple[int, int]], int]:
    """The pairs (x, y) highest in sts, rtr or excess, at most `count` of them, and how many pairs have a value."""
    assert score in PAIR_SCORES
    path = str(_pairs(cache, decomposition))
    if score not in pq.ParquetFile(path).schema_arrow.names:
        return [], 0
    known = f"SELECT x, y, {score} FROM read_parquet($1) WHERE isfinite({score})"
    with cache.read() as con:
        first = con.execute(f"{known} ORDER BY {score} DESC, x, y LIMIT {int(count)}", [path]).fetchall()
        ((many,),) = con.execute(f"SELECT count(*) FROM ({known})", [path]).fetchall()
    return [(x, y) for x, y, _ in first], int(many)


def pairs_of_layers(cache: Cache, decomposition: str, layers: Collection[tuple[int, int]]) -> dict[str, np.ndarray]:
    """All pairs of some pairs of layers (of x, of y): x, y, sts, rtr and excess, NaN where missing."""
    which = " OR ".join(f"(x_layer = {int(x)} AND y_layer = {int(y)})" for x, y in layers) or "false"
    found = _read_pairs(cache, decomposition, ("x", "y", *PAIR_SCORES), which)
    out = {name: found[name].to_numpy() for name in ("x", "y")}
    return out | {name: found[name].to_numpy().astype(float) for name in PAIR_SCORES}


def removed_pair(cache: Cache, decomposition: str, x: int, y: int) -> dict[str, Any]:
    """What removing a pair of units together costs beyond removing each alone: interaction, low, high, intervention,
    role and score of the newest ablation that removed it, by the default intervention or by any; empty if no ablation
    did."""
    query = f"""SELECT interaction, low, high, intervention, role, score FROM ablation_pairs JOIN ablations
        USING (ablation) WHERE decomposition = $1 AND x = $2 AND y = $3
        ORDER BY {_DEFAULT_FIRST}, role, score LIMIT 1"""
    found = load.rows(cache, query, decomposition, min(x, y), max(x, y))
    return found[0] if found else {}


def pairs_removed(cache: Cache, ablation: str) -> list[dict[str, Any]]:
    """Rows of ablation_pairs of an ablation."""
    query = "SELECT * FROM ablation_pairs WHERE ablation = $1 ORDER BY list_position($2, score), role, x, y"
    return load.rows(cache, query, ablation, list(PAIR_SCORES))


def pair_tests(cache: Cache, decomposition: str) -> list[dict[str, Any]]:
    """Rows of ablation_pair_tests of the newest ablation that removed pairs, by the default intervention or by any,
    with its intervention; in the order of the scores."""
    query = f"""SELECT t.*, intervention FROM ablation_pair_tests t JOIN ablations USING (ablation) WHERE ablation = (
        SELECT ablation FROM ablations WHERE decomposition = $1 AND ablation IN (SELECT ablation FROM
        ablation_pair_tests) ORDER BY {_DEFAULT_FIRST} LIMIT 1) ORDER BY list_position($2, score)"""
    return load.rows(cache, query, decomposition, list(PAIR_SCORES))


_DEFAULT_FIRST = f"intervention = '{INTERVENTIONS[0]}' DESC, serial DESC NULLS LAST, created DESC, ablation"


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
    if not len(value):
        return {}  # a table of pairs has no series
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


def sweep(cache: Cache, ablation: str, units: int) -> np.ndarray | None:
    """[units] divergence of every unit alone; None without a sweep of single units."""
    query = "SELECT unit_index AS u, divergence AS d FROM ablation_sweeps WHERE ablation = $1 AND sweep = $2"
    found = load.rows(cache, query, ablation, SWEEPS[0])
    out = np.full(units, np.nan)
    for row in found:
        out[row["u"]] = np.nan if row["d"] is None else row["d"]
    return out if found else None


def answers(cache: Cache, ablation: str) -> list[dict[str, Any]]:
    """What the ablated subject answered by itself, with the intact answers: removal_order, target, seed, fraction,
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
        WHERE decomposition = $1 ORDER BY serial DESC NULLS LAST, created DESC, ablation""",
        decomposition,
    )


def curves(cache: Cache, ablation: str) -> list[dict[str, Any]]:
    """The curves of a finished ablation."""
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
