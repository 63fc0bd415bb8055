"""The answer to a SELECT → a Parquet or Arrow file, written as it comes: at most one batch of rows is held at a
time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from synergy_tui.errors import QueryError
from synergy_tui.store.bulk import COMPRESSION, whole
from synergy_tui.store.cache import Cache
from synergy_tui.store.query import MAX_SECONDS, asking, distinct

_BATCH = 500_000


def write(
    cache: Cache,
    sql: str,
    target: Path | IO[bytes],
    form: str,
    max_rows: int | None = None,
    max_seconds: float = MAX_SECONDS,
) -> tuple[int, bool]:
    """Asks and writes; returns (rows written, whether there were more than `max_rows`). `form`: parquet, or arrow: an
    IPC file, or an IPC stream if the target is a stream. A file appears whole; an existing file is never replaced.
    Raises QueryError as store.query.ask does, and OSError when the target cannot be written."""
    if isinstance(target, Path) and target.exists():
        raise QueryError(f"{target} is there already", "give another name")
    with asking(cache, sql, max_seconds) as (con, statement):
        columns, batches = counted(con.sql(statement), max_rows)
        try:
            if isinstance(target, Path):
                with whole(target) as unfinished, _writer(unfinished, columns, form) as file:
                    for batch in batches:
                        file.write_batch(batch)
            else:
                with pa.ipc.new_stream(target, columns) as stream:
                    for batch in batches:
                        stream.write_batch(batch)
        except pa.ArrowNotImplementedError as error:
            raise QueryError(f"{form} has no such type: {str(error).splitlines()[0]}", "CAST it to VARCHAR") from None
    return batches.rows, batches.more


def counted(found: duckdb.DuckDBPyRelation, max_rows: int | None) -> tuple[pa.Schema, Counted]:
    """The columns of an answer, with distinct names, and its batches as they come."""
    reader = found.to_arrow_reader(_BATCH)
    columns = pa.schema(
        [field.with_name(name) for field, name in zip(reader.schema, distinct(reader.schema.names), strict=True)]
    )
    return columns, Counted(_batches(reader, columns), max_rows)


class Counted:
    """Batches cut at a number of rows."""

    def __init__(self, batches: Iterator[pa.RecordBatch], most: int | None) -> None:
        self._batches, self._most = batches, most
        self.rows, self.more = 0, False

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        for batch in self._batches:
            room = len(batch) if self._most is None else min(self._most - self.rows, len(batch))
            self.more = room < len(batch)
            self.rows += room
            yield batch.slice(0, room)
            if self.more:
                return


def _batches(reader: pa.RecordBatchReader, columns: pa.Schema) -> Iterator[pa.RecordBatch]:
    while True:
        try:
            batch = reader.read_next_batch()
        except StopIteration:
            return
        except (OSError, pa.ArrowException) as error:
            # Errors that DuckDB raises while it is read arrive as Arrow exceptions.
            interrupted = "INTERRUPT" in str(error)
            raise (duckdb.InterruptException if interrupted else duckdb.Error)(str(error)) from None
        yield pa.RecordBatch.from_arrays(batch.columns, schema=columns)


def _writer(path: Path, columns: pa.Schema, form: str) -> Any:
    if form == "parquet":
        return pq.ParquetWriter(path, columns, compression=COMPRESSION)
    return pa.ipc.new_file(str(path), columns)
