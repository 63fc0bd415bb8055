"""Finished parts of a job: one Parquet file each, whole or not there. A resumed job skips those that are."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from synergy_tui.jobs.folder import JobFolder
from synergy_tui.store.bulk import write_parquet


def read(job: JobFolder, name: str) -> pa.Table | None:
    """The shard, or None when it is not there or cannot be read: then it is made again."""
    try:
        return pq.ParquetFile(_path(job, name)).read()
    except FileNotFoundError:
        return None
    except (OSError, pa.ArrowException) as error:
        print(f"shard {name} is damaged and will be made again: {error}", flush=True)
        return None


def write(job: JobFolder, name: str, table: pa.Table) -> None:
    """Writes the shard. Raises OSError."""
    write_parquet(_path(job, name), [table], table.schema)


def _path(job: JobFolder, name: str) -> Path:
    return job.shards / f"{name}.parquet"
