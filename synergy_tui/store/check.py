"""How large a cache is, and whether it is whole: files without rows, rows without files, files that cannot be read."""

from __future__ import annotations

import shutil

import pyarrow as pa
import pyarrow.parquet as pq

from synergy_tui.store.bulk import PAIR_FILE, SERIES_FILE
from synergy_tui.store.cache import Cache
from synergy_tui.store.schema import NOTHING

_BULK = (
    ("pairs", "decomposition", "decompositions", PAIR_FILE),
    ("series", "capture", "captures", SERIES_FILE),
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


def check(cache: Cache) -> list[str]:
    """What is wrong, a line each; files that no row names are removed. Every value is read, so damage is found."""
    cache.renew_views()
    problems, known = [], {}
    # Held for writing: nobody is between the moving of a file and the commit of its rows.
    with cache.write() as con:
        for kind, key, table, _ in _BULK:
            known[kind] = {row[0] for row in con.execute(f"SELECT {key} FROM {table}").fetchall()}
            there = {path.name.partition("=")[2]: path for path in (cache.folder / kind).glob(f"{key}=*")}
            for name in sorted(there.keys() - known[kind] - {NOTHING}):
                shutil.rmtree(there[name])
                problems.append(f"{kind} of {name} belonged to no run (a publication that did not end); removed")
    for kind, key, _, columns in _BULK:
        for name in sorted(known[kind]):
            path = cache.folder / kind / f"{key}={name}" / f"{kind}.parquet"
            try:
                with pq.ParquetFile(path) as file:
                    if not file.schema_arrow.equals(columns):
                        problems.append(f"{kind} of {name} have other columns than they should: {path}")
                    for group in range(file.num_row_groups):
                        file.read_row_group(group)
            except FileNotFoundError:
                problems.append(f"{kind} of {name} are missing: {path}")
            except (OSError, pa.ArrowException) as error:
                problems.append(f"{kind} of {name} are damaged: {str(error).splitlines()[0]}")
    return problems
