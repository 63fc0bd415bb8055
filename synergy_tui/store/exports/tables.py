"""Tables of a run as CSV, Arrow or Parquet: one as a file, or all non-empty ones as a folder."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa

from synergy_tui.errors import UsageError
from synergy_tui.store.archive import Extent, extent
from synergy_tui.store.bulk import COMPRESSION
from synergy_tui.store.cache import Cache

VIEWS = ("heads", "pairs", "series")
"""Views that can be exported besides the tables of the catalogue."""

FORMULA = "^[=+\\-@\\t\\r\\n＝＋－＠]"
"""The beginning of a text that a spreadsheet would take for a formula."""

_AT_ONCE = 100_000


def names(con: duckdb.DuckDBPyConnection, found: Extent, series: bool) -> list[str]:
    """The tables and views in which a run has a row; meta describes the cache and is left out."""
    some = [*(name for name in found.where if name != "meta"), "heads", "pairs", *(["series"] if series else [])]
    return [name for name in some if con.execute(f"SELECT 1 FROM ({select(name, found)}) LIMIT 1").fetchone()]


def select(name: str, found: Extent) -> str:
    """The query of a run's rows of a table. Raises UsageError for an unknown one."""
    if name in found.where:
        return f"SELECT * FROM {name} WHERE {found.where[name]}"
    if name not in VIEWS:
        raise UsageError(f"no table {name!r}", f"known: {', '.join((*VIEWS, *found.where))}")
    if name == "series":
        return f"SELECT * FROM series WHERE capture = '{found.capture}'"
    own = f"decomposition = '{found.decompositions[0]}'"
    return f"SELECT * FROM {name} WHERE {own}"


def write_one(cache: Cache, decomposition: str, path: Path, form: str, table: str) -> None:
    """One table or view as a file: csv, arrow (an IPC file) or parquet. Raises UsageError for an unknown one."""
    with cache.read() as con:
        copy(con, select(table, extent(con, decomposition)), path, form)


def write_all(cache: Cache, decomposition: str, folder: Path, form: str, series: bool) -> None:
    """All tables with a row, one file each."""
    folder.mkdir(parents=True)
    with cache.read() as con:
        found = extent(con, decomposition)
        for name in names(con, found, series):
            copy(con, select(name, found), folder / f"{name}.{form}", form)


def copy(con: duckdb.DuckDBPyConnection, query: str, path: Path, form: str) -> None:
    """The answer to one of our queries as a file."""
    if form == "arrow":
        reader = con.sql(query).to_arrow_reader(_AT_ONCE)
        with pa.ipc.new_file(str(path), reader.schema) as file:
            for batch in reader:
                file.write_batch(batch)
        return
    target = str(path).replace("'", "''")
    if form == "csv":
        con.execute(
            f"COPY (SELECT {', '.join(_guarded(con, query))} FROM ({query})) TO '{target}' (FORMAT csv, HEADER)"
        )
    else:
        con.execute(f"COPY ({query}) TO '{target}' (FORMAT parquet, COMPRESSION {COMPRESSION})")


def _guarded(con: duckdb.DuckDBPyConnection, query: str) -> list[str]:
    """The columns of a query as CSV needs them: numbers as they are, lists as JSON, and an apostrophe before texts that
    a spreadsheet would compute."""
    out = []
    for name, kind, *_ in con.execute(f"DESCRIBE {query}").fetchall():
        column = '"' + name.replace('"', '""') + '"'
        if kind.endswith("[]"):
            out.append(f"CAST(to_json({column}) AS VARCHAR) AS {column}")
        elif kind == "VARCHAR":
            out.append(
                f"CASE WHEN regexp_matches({column}, '{FORMULA}') THEN '''' || {column} ELSE {column} END AS {column}"
            )
        else:
            out.append(column)
    return out
