"""Pair and series files: written under a temporary name, renamed when whole."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

COMPRESSION = "zstd"


def write_parquet(path: Path, tables: Iterable[pa.Table], schema: pa.Schema) -> int:
    """Writes tables as row groups of one file that appears whole; returns its size in bytes. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as unfinished:
        # Measured floats do not repeat: dictionaries on them cost time and space; on indices they are all there is.
        indices = [field.name for field in schema if not pa.types.is_floating(field.type)]
        with pq.ParquetWriter(unfinished, schema, compression=COMPRESSION, use_dictionary=indices) as writer:
            for table in tables:
                writer.write_table(table.cast(schema))
    return path.stat().st_size


@contextmanager
def whole(path: Path):
    """A temporary name beside `path`; what is written there takes its place, on the disk, when the block ends well."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield unfinished
        with open(unfinished, "rb") as file:
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
