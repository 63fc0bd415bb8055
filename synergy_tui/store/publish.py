"""Finished results → files, then one small transaction: visible at once or not at all. Publishing twice equals
publishing once."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from synergy_tui.errors import CacheError, UsageError
from synergy_tui.store.bulk import PAIR_FILE, series_file, write_parquet
from synergy_tui.store.cache import WORK_PATIENCE, Cache
from synergy_tui.store.tables import KEYS, PARENTS, TABLES

Rows = Mapping[str, pa.Table | Sequence[Mapping[str, Any]]]


def publish_capture(cache: Cache, capture: str, rows: Rows, series: Iterable[pa.Table], wide: bool = False) -> None:
    """`rows`: subjects, captures, prompts, responses, units, recipes; they may be filled while `series` are consumed,
    which happens before `rows` are read. `series`: tables of bulk.series_file(wide), in order."""
    unfinished = _write(cache, capture, series, series_file(wide))
    _publish(cache, "capture", capture, rows, (unfinished, cache.series_folder(capture) / "series.parquet"))


def publish_decomposition(cache: Cache, decomposition: str, rows: Rows, pairs: Iterable[pa.Table]) -> None:
    """`rows`: decompositions, unit_scores, layer_profiles, contrasts, confounds, recipes; with surrogates unit_nulls,
    surrogate_contrasts. `pairs`: tables of bulk.PAIR_FILE, in order. Raises CacheError when the capture was deleted
    meanwhile."""
    unfinished = _write(cache, decomposition, pairs, PAIR_FILE)
    _publish(
        cache, "decomposition", decomposition, rows, (unfinished, cache.pairs_folder(decomposition) / "pairs.parquet")
    )


def publish_ablation(cache: Cache, ablation: str, rows: Rows) -> None:
    """`rows`: ablations, recipes, and the tables named ablation_…, without the empty ones. Raises CacheError when the
    decomposition was deleted meanwhile."""
    _publish(cache, "ablation", ablation, rows)


def publish_networks(cache: Cache, network: str, rows: Rows) -> None:
    """`rows`: networks, network_measures, network_contrasts, recipes. Raises CacheError as publish_ablation does."""
    _publish(cache, "network", network, rows)


def publish_scores(cache: Cache, scoring: str, rows: Rows) -> None:
    """`rows`: scorings, capture_scores, capture_score_prompts, ablation_comparisons, recipes. Raises CacheError when
    the capture was deleted meanwhile."""
    _publish(cache, "scoring", scoring, rows)


def publish_geometry(cache: Cache, geometry: str, rows: Rows) -> None:
    """`rows`: geometries, geometry_layers, geometry_contrasts, recipes. Raises CacheError when the capture was deleted
    meanwhile."""
    _publish(cache, "geometry", geometry, rows)


def publish_card(cache: Cache, card: str, rows: Rows) -> None:
    """`rows`: cards, claims. Raises CacheError as publish_ablation does."""
    _publish(cache, "card", card, rows)


def publish_ladder(cache: Cache, ladder: str, rows: Rows) -> None:
    """`rows`: ladders, recipes, and the tables named ladder_…; the maps of its levels are published before. Raises
    CacheError when the capture was deleted meanwhile."""
    _publish(cache, "ladder", ladder, rows)


def delete(cache: Cache, run: str) -> dict[str, int]:
    """Removes a capture or a decomposition with all results made from it, a single result, or a ladder with the maps of
    its levels: rows, then files. Returns the results removed by kind. Raises UsageError for an unknown id."""
    with cache.write() as con:
        doomed = _descendants(con, run)
        for key, ids in doomed.items():
            for name, (_, columns) in TABLES.items():
                if ids and any(column == key for column, _, _ in columns):
                    con.execute(f"DELETE FROM {name} WHERE list_contains(?, {key})", [ids])
            con.execute("DELETE FROM recipes WHERE list_contains(?, result)", [ids])
        con.execute("DELETE FROM controls WHERE list_contains(?, control)", [doomed["capture"]])
    for decomposition in doomed["decomposition"]:
        shutil.rmtree(cache.pairs_folder(decomposition), ignore_errors=True)
    for capture in doomed["capture"]:
        shutil.rmtree(cache.series_folder(capture), ignore_errors=True)
    for ids in doomed.values():
        for job in ids:
            shutil.rmtree(cache.jobs / job, ignore_errors=True)
    return {key: len(ids) for key, ids in doomed.items()}


def _write(cache: Cache, result: str, tables: Iterable[pa.Table], columns: pa.Schema) -> Path:
    path = cache.unfinished / f"{result}.parquet"
    write_parquet(path, tables, columns)
    return path


def _publish(cache: Cache, key: str, value: str, rows: Rows, move: tuple[Path, Path] | None = None) -> None:
    """Publishes rows in one transaction; the bulk file takes its place while the catalogue is held, so that no process,
    not even `cache check`, meets the one without the other."""
    with cache.write(WORK_PATIENCE) as con:
        _needs_parent(con, key, rows)
        if move:
            unfinished, place = move
            place.parent.mkdir(parents=True, exist_ok=True)
            os.replace(unfinished, place)
        if con.execute(f"SELECT 1 FROM {KEYS[key]} WHERE {key} = ?", [value]).fetchone():
            return
        for table, content in rows.items():
            _insert(con, table, content)


def _needs_parent(con: duckdb.DuckDBPyConnection, key: str, rows: Rows) -> None:
    """The parent of a result may have been deleted while the result was made; publishing would leave it without a
    parent."""
    if (parent := PARENTS.get(key)) is None:
        return
    row = rows[KEYS[key]][0]
    assert isinstance(row, Mapping)
    if not con.execute(f"SELECT 1 FROM {KEYS[parent]} WHERE {parent} = ?", [row[parent]]).fetchone():
        raise CacheError(f"{parent} {row[parent]} was deleted meanwhile", "make it anew first")


def _insert(con: duckdb.DuckDBPyConnection, table: str, content: pa.Table | Sequence[Mapping[str, Any]]) -> None:
    if not isinstance(content, pa.Table):
        content = pa.Table.from_pylist([_plain(row) for row in content])
    if not len(content):
        return
    if table in KEYS.values():
        content = content.append_column("created", pa.array([_now()] * len(content), pa.timestamp("us")))
        ((last,),) = con.execute(f"SELECT coalesce(max(serial), 0) FROM {table}").fetchall()
        content = content.append_column("serial", pa.array([last + 1] * len(content), pa.int64()))
    con.register("incoming", content)
    conflict = "OR IGNORE " if table == "subjects" else ""  # the same subject captured again is the same row
    con.execute(f"INSERT {conflict}INTO {table} BY NAME SELECT * FROM incoming")
    con.unregister("incoming")


def _descendants(con: duckdb.DuckDBPyConnection, run: str) -> dict[str, list[str]]:
    def ids(query: str) -> list[str]:
        return [row[0] for row in con.execute(query, [run]).fetchall()]

    maps = "SELECT map FROM ladder_levels WHERE ladder = $1"
    found = {
        "capture": ids("SELECT capture FROM captures WHERE capture = $1"),
        "decomposition": ids(
            f"""SELECT decomposition FROM decompositions
            WHERE $1 IN (decomposition, capture) OR decomposition IN ({maps})"""
        ),
        "ladder": ids("SELECT ladder FROM ladders WHERE $1 IN (ladder, capture)"),
        "scoring": ids("SELECT scoring FROM scorings WHERE $1 IN (scoring, capture)"),
        "geometry": ids("SELECT geometry FROM geometries WHERE $1 IN (geometry, capture)"),
    }
    for key in (key for key, parent in PARENTS.items() if parent == "decomposition"):
        found[key] = ids(
            f"""SELECT {key} FROM {KEYS[key]}
            WHERE $1 IN ({key}, decomposition, capture) OR decomposition IN ({maps})"""
        )
    if not any(found.values()):
        raise UsageError(f"no run {run} in this cache", "synergy-tui cache info lists them")
    return found


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """Mappings become JSON; Arrow takes everything else as it is."""
    return {key: json.dumps(value, sort_keys=True) if isinstance(value, dict) else value for key, value in row.items()}


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
