"""Pair and series files: their columns, and how they are written: under a temporary name, renamed when whole."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from synergy_tui.store.schema import NOTHING, PAIR_EXTRAS
from synergy_tui.terms import ATOMS

PAIR_FILE = pa.schema(
    [
        ("x", pa.int32()),
        ("y", pa.int32()),
        *((name, pa.int16()) for name in ("x_layer", "x_unit", "y_layer", "y_unit")),
        *((atom, pa.float32()) for atom in ATOMS),
        ("offset", pa.float32()),
        *((name, pa.float32()) for name, _ in PAIR_EXTRAS),
        ("valid_prompts", pa.int32()),
        ("reason", pa.int8()),
    ]
)
"""Bulk file of a decomposition: one row per pair, ordered by x, y. It holds the layers because runs of equal values
cost nothing in it, while a join over millions of pairs is slow."""


def series_file(wide: bool) -> pa.Schema:
    """Columns of a file of series; wide: values in float64, for series that vary too finely for float32."""
    place = SERIES_FILE.get_field_index("value")
    return SERIES_FILE.set(place, pa.field("value", pa.float64())) if wide else SERIES_FILE


SERIES_FILE = pa.schema(
    [
        ("prompt", pa.int32()),
        ("unit_index", pa.int32()),
        ("layer", pa.int16()),
        ("unit", pa.int16()),
        ("step", pa.int32()),
        ("value", pa.float32()),
    ]
)
"""Bulk file of a capture: one row per prompt, unit and step of its response, in this order."""

COMPRESSION = "zstd"


def write_empty(folder: Path) -> None:
    """Files without rows in a cache folder, which the views' globs need."""
    for name, columns in (("pairs/decomposition", PAIR_FILE), ("series/capture", SERIES_FILE)):
        kind = name.partition("/")[0]
        write_parquet(folder / f"{name}={NOTHING}" / f"{kind}.parquet", [], columns)


def complete(path: Path) -> None:
    """Adds the columns that a pair file of an older version lacks, as NULL. Raises OSError or ArrowException."""
    with pq.ParquetFile(path) as file:
        missing = [field for field in PAIR_FILE if field.name not in file.schema_arrow.names]
        if not missing:
            return

        def groups() -> Iterator[pa.Table]:
            for number in range(file.num_row_groups):
                table = file.read_row_group(number)
                for field in missing:
                    table = table.append_column(field, pa.nulls(len(table), field.type))
                yield table.select(PAIR_FILE.names)

        write_parquet(path, groups(), PAIR_FILE)


def write_parquet(path: Path, tables: Iterable[pa.Table], schema: pa.Schema) -> int:
    """Writes tables as row groups of one file that appears whole; returns its size in bytes. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as unfinished:
        _write(unfinished, tables, schema)
    return path.stat().st_size


def parquet_bytes(tables: Iterable[pa.Table], schema: pa.Schema) -> memoryview:
    """The same file in memory."""
    sink = pa.BufferOutputStream()
    _write(sink, tables, schema)
    return memoryview(sink.getvalue())


def _write(where: Path | pa.NativeFile, tables: Iterable[pa.Table], schema: pa.Schema) -> None:
    # Measured floats do not repeat, so dictionaries on them cost time and space; on indices they save nearly
    # everything.
    indices = [field.name for field in schema if not pa.types.is_floating(field.type)]
    with pq.ParquetWriter(where, schema, compression=COMPRESSION, use_dictionary=indices) as writer:
        for table in tables:
            writer.write_table(table.cast(schema))


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A temporary name beside `path`; the file written there replaces `path` on disk when the block ends without an
    error."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield unfinished
        with open(unfinished, "rb") as file:
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
