"""How large a cache is, and whether it is whole: files without rows, rows without files, files that cannot be read,
rows that belong to no run."""

from __future__ import annotations

import shutil

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from synergy_tui.store.bulk import PAIR_FILE, series_file
from synergy_tui.store.cache import Cache
from synergy_tui.store.schema import NOTHING, TABLES
from synergy_tui.store.tables import KEYS, PARENTS

_BULK = (
    ("pairs", "decomposition", "decompositions", (PAIR_FILE,)),
    ("series", "capture", "captures", (series_file(wide=False), series_file(wide=True))),
)


def sizes(cache: Cache) -> dict[str, int]:
    """Bytes of the catalogue, the bulk files and the job folders."""
    parts = {
        "catalogue": cache.folder / "cache.duckdb",
        "pairs": cache.folder / "pairs",
        "series": cache.folder / "series",
    }
    parts["jobs"] = cache.jobs
    return {
        name: sum(file.stat().st_size for file in ([path] if path.is_file() else path.rglob("*")) if file.is_file())
        for name, path in parts.items()
    }


def sizes_of_runs(cache: Cache) -> dict[str, int]:
    """Bytes of the bulk files of each capture and decomposition."""
    out = {}
    for kind, key, _, _ in _BULK:
        for folder in (cache.folder / kind).glob(f"{key}=*"):
            out[folder.name.partition("=")[2]] = sum(file.stat().st_size for file in folder.iterdir())
    return out


def check(cache: Cache) -> list[str]:
    """What is wrong, one line each. Files and rows that belong to no run are removed; for a run that lacks something,
    the line says what to do. Every value is read, so damage is found."""
    cache.renew_views()
    # Held for writing, so that no process is between moving a file and committing its rows.
    with cache.write() as con:
        problems = _orphan_rows(con)
        known = {}
        for kind, key, table, _ in _BULK:
            known[kind] = {row[0] for row in con.execute(f"SELECT {key} FROM {table}").fetchall()}
            there = {path.name.partition("=")[2]: path for path in (cache.folder / kind).glob(f"{key}=*")}
            for name in sorted(there.keys() - known[kind] - {NOTHING}):
                shutil.rmtree(there[name])
                problems.append(f"{kind} of {name} belonged to no run (a publication that did not end); removed")
    for kind, key, _, forms in _BULK:
        for name in sorted(known[kind]):
            path = cache.folder / kind / f"{key}={name}" / f"{kind}.parquet"
            mend = f"synergy-tui jobs show {name} --recipe tells how to make it anew, cache delete {name} removes it"
            try:
                with pq.ParquetFile(path) as file:
                    if not any(file.schema_arrow.equals(columns) for columns in forms):
                        problems.append(f"{kind} of {name} have the wrong columns: {path} · {mend}")
                    for group in range(file.num_row_groups):
                        file.read_row_group(group)
            except FileNotFoundError:
                problems.append(f"{kind} of {name} are missing: {path} · {mend}")
            except (OSError, pa.ArrowException) as error:
                problems.append(f"{kind} of {name} are damaged: {str(error).splitlines()[0]} · {mend}")
    return problems


def _orphan_rows(con: duckdb.DuckDBPyConnection) -> list[str]:
    """Removes rows without their capture, decomposition or ablation: results first, then the rows that depend on
    them."""
    problems = []
    for key, parent in PARENTS.items():
        lost = f"{parent} NOT IN (SELECT {parent} FROM {KEYS[parent]})"
        gone = con.execute(f"DELETE FROM {KEYS[key]} WHERE {lost} RETURNING {key}").fetchall()
        problems += [f"{key} {name} was made from a {parent} that is not there; removed" for (name,) in gone]
    for key, table in KEYS.items():
        for name, (_, columns) in TABLES.items():
            # The first column of a table names the result that it describes.
            if name not in KEYS.values() and columns[0][0] == key:
                lost = f"{key} NOT IN (SELECT {key} FROM {table})"
                (count,) = con.execute(f"SELECT count(*) FROM {name} WHERE {lost}").fetchone() or (0,)
                if count:
                    con.execute(f"DELETE FROM {name} WHERE {lost}")
                    problems.append(f"{count} rows of {name} belonged to no {key}; removed")
    return problems
