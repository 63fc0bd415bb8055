"""Parts: what a job has finished, one file each in its folder, whole or not there. They are written and read here: by
the worker that makes them, by one that resumes, by whoever looks at a growing job. Light: loads no model and no JAX."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Float

from synergy_tui.jobs.folder import JobFolder
from synergy_tui.store.bulk import parquet_bytes, whole
from synergy_tui.terms import RTR, STS, SWEEPS

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Content:
    """A part as the content of its file: the bytes are the same whoever makes it. suffix: of the file's name."""

    suffix: str
    data: bytes | memoryview


def keep(job: JobFolder, name: str, content: Content) -> None:
    """Makes a part one of the job's finished ones. Raises OSError."""
    job.shards.mkdir(parents=True, exist_ok=True)
    with whole(job.shards / f"{name}{content.suffix}") as unfinished, open(unfinished, "wb") as file:
        file.write(content.data)


def there(job: JobFolder) -> set[str]:
    """Names of the finished parts."""
    try:
        return {one.stem for one in job.shards.iterdir() if not one.name.startswith(".")}
    except FileNotFoundError:
        return set()


def remove(job: JobFolder, name: str) -> None:
    """Removes a part that is to be made again."""
    for suffix in (".parquet", ".npz", ".json"):
        (job.shards / f"{name}{suffix}").unlink(missing_ok=True)


def read(job: JobFolder, name: str) -> pa.Table | None:
    """A part that is a table, or None when it is not there or cannot be read: then it is made again."""
    try:
        return pq.ParquetFile(_table_path(job, name)).read()
    except FileNotFoundError:
        return None
    except (OSError, pa.ArrowException) as error:
        _say_damaged(name, error)
        return None


def of_tables(*tables: pa.Table) -> Content:
    """A part that is a table, in pieces that can be read separately."""
    return Content(".parquet", parquet_bytes(tables, tables[0].schema))


def write(job: JobFolder, name: str, *tables: pa.Table) -> None:
    """Writes a part that is a table. Raises OSError."""
    keep(job, name, of_tables(*tables))


def read_arrays(job: JobFolder, name: str) -> dict[str, np.ndarray] | None:
    """A part that consists of named arrays, likewise. No pickle."""
    try:
        with np.load(job.shards / f"{name}.npz", allow_pickle=False) as file:
            return {key: file[key] for key in file.files}
    except FileNotFoundError:
        return None
    except Exception as error:  # a damaged archive fails in many ways, and each means the same
        _say_damaged(name, error)
        return None


def of_arrays(arrays: Arrays) -> Content:
    """A part that consists of arrays."""
    file = io.BytesIO()
    # By NumPy's signature one of our names could be its own `allow_pickle`, which never happens.
    np.savez(file, **arrays)  # type: ignore[arg-type]
    return Content(".npz", file.getbuffer())


def write_arrays(job: JobFolder, name: str, arrays: Arrays) -> None:
    """Writes a part that consists of arrays. Raises OSError."""
    keep(job, name, of_arrays(arrays))


def read_json(job: JobFolder, name: str) -> dict[str, Any] | None:
    """A part that is JSON, likewise."""
    try:
        content = json.loads((job.shards / f"{name}.json").read_text("utf-8"))
        if not isinstance(content, dict):
            raise ValueError("it is not an object")
        return content
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        _say_damaged(name, error)
        return None


def of_json(content: Mapping[str, Any]) -> Content:
    """A part that is JSON."""
    return Content(".json", json.dumps(content, ensure_ascii=False).encode())


def _table_path(job: JobFolder, name: str) -> Path:
    return job.shards / f"{name}.parquet"


def _say_damaged(name: str, error: Exception) -> None:
    print(f"part {name} is damaged and will be made again: {error}", flush=True)


# Responses of a capture


@dataclass(frozen=True)
class Answer:
    """One response of a capture, without its activity. text, pieces: of all tokens, and of each; None in parts of
    earlier versions. at_once: how many prompts were answered together. part, place: where its activity is."""

    prompt: int
    tokens: list[int]
    text: str | None
    pieces: list[str] | None
    ended: bool
    at_once: int
    part: str
    place: int

    @property
    def steps(self) -> int:
        """How many tokens it has."""
        return len(self.tokens)


_ANSWERS = pa.schema(
    [
        ("prompt", pa.int32()),
        ("tokens", pa.list_(pa.int32())),
        ("text", pa.string()),
        ("pieces", pa.list_(pa.string())),
        ("ended", pa.bool_()),
        ("activity", pa.list_(pa.float32())),  # [units × steps], unit by unit
        ("at_once", pa.int32()),
    ]
)

_TOLD = ["prompt", "tokens", "text", "pieces", "ended", "at_once"]


def of_answers(
    answers: list[Answer], activity: list[Float[np.ndarray, "units steps"]], shape: tuple[int, int]
) -> Content:
    """A batch of responses, each a piece that can be read separately. shape: (layers, units per layer) of the map, for
    whoever looks at the growing job."""
    told = {"layers": str(shape[0]), "per_layer": str(shape[1])}
    rows = []
    for one, values in zip(answers, activity, strict=True):
        flat = pa.ListArray.from_arrays([0, values.size], np.asarray(values, np.float32).ravel())
        columns = [[one.prompt], [one.tokens], [one.text], [one.pieces], [one.ended], flat, [one.at_once]]
        arrays = [pa.array(column, kind) for column, kind in zip(columns, _ANSWERS.types, strict=True)]
        rows.append(pa.Table.from_arrays(arrays, schema=_ANSWERS.with_metadata(told)))
    return of_tables(*rows)


def read_answers(job: JobFolder, name: str) -> list[Answer] | None:
    """The responses of a batch, or None when it is not there or cannot be read."""
    try:
        file = pq.ParquetFile(_table_path(job, name))
        table = file.read([column for column in _TOLD if column in file.schema_arrow.names])
        for column in ("text", "pieces"):
            if column not in table.column_names:
                table = table.append_column(column, pa.nulls(len(table)))
        columns = [table[column].combine_chunks() for column in _TOLD]
    except FileNotFoundError:
        return None
    except (OSError, KeyError, pa.ArrowException) as error:
        _say_damaged(name, error)
        return None
    prompts, tokens, texts, pieces, ended, at_once = columns
    return [
        Answer(
            prompts[place].as_py(),
            tokens[place].values.to_numpy().tolist(),
            texts[place].as_py(),
            pieces[place].as_py(),
            ended[place].as_py(),
            at_once[place].as_py(),
            name,
            place,
        )
        for place in range(len(table))
    ]


def activity(job: JobFolder, answer: Answer, units: int) -> Float[np.ndarray, "units steps"]:
    """float32: the activity of one response; no other is read. Raises OSError."""
    file = pq.ParquetFile(_table_path(job, answer.part))
    group, place = (answer.place, 0) if file.num_row_groups > 1 else (0, answer.place)
    values = file.read_row_group(group, ["activity"])["activity"].combine_chunks()[place].values
    return values.to_numpy(zero_copy_only=False).reshape(units, -1)


# For whoever looks at a growing job


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
        with contextlib.suppress(OSError, KeyError, pa.ArrowException):  # it is being written, or of an older version
            told = pq.read_schema(path).metadata or {}
            return int(told[b"layers"]), int(told[b"per_layer"])
    return None


def _captured(shards: Path, units: int) -> Iterator[tuple[dict[str, np.ndarray], np.ndarray]]:
    """(sum of norms, number of values), each [units], of every response there is."""
    for path in sorted(shards.glob("*.parquet")):
        try:
            column = pq.ParquetFile(path).read(["activity"])["activity"].combine_chunks()
        except (OSError, KeyError, pa.ArrowException):
            continue  # it is being written
        for activity in column:
            values = np.asarray(activity.values, float).reshape(units, -1)
            yield {"norm": np.nansum(values, axis=1)}, np.isfinite(values).sum(axis=1)


def _decomposed(shards: Path, units: int) -> Iterator[tuple[dict[str, np.ndarray], np.ndarray]]:
    """(sums of sts and rtr, number of pairs), each [units], of every block there is."""
    for path in sorted(shards.glob("block-*.npz")):
        with contextlib.suppress(OSError, ValueError, KeyError, EOFError):  # it is being written
            yield _block_sums(path, path.stat().st_mtime_ns, units)


@lru_cache(4096)
def _block_sums(path: Path, changed: int, units: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The sums of one block. A finished block never changes, and a growing map asks for all of them at every look."""
    with np.load(path, allow_pickle=False) as file:
        pairs, mean = file["pairs"], file["mean"]
    known = np.isfinite(mean[:, STS])
    ends = pairs[known].T.ravel()
    twice = {name: np.tile(mean[known, place], 2) for name, place in (("sts", STS), ("rtr", RTR))}
    sums = {name: np.bincount(ends, value, units) for name, value in twice.items()}
    return sums, np.bincount(ends, minlength=units)


@dataclass(frozen=True)
class Point:
    """One finished condition of an ablation: divergence in nats per token, mean over prompts."""

    removal_order: str
    target: str | None
    seed: str | None
    fraction: float
    divergence: float


def partial_curves(shards: Path) -> list[Point]:
    """What the finished conditions of a running ablation say."""
    found = (_condition(path) for path in sorted(shards.glob("*.parquet")))
    return [one for one in found if isinstance(one, Point)]


def partial_sweep(shards: Path, units: int) -> tuple[np.ndarray, float]:
    """[units] divergence of every unit alone, as far as a running ablation has measured it, and the share known."""
    out = np.full(units, np.nan)
    for path in shards.glob(f"{SWEEPS[0]}-*.parquet"):
        with contextlib.suppress(ValueError):
            place, found = int(path.stem.removeprefix(f"{SWEEPS[0]}-")), _condition(path)
            if isinstance(found, float) and place < units:
                out[place] = found
    return out, float(np.isfinite(out).mean()) if units else 0.0


def _condition(path: Path) -> Point | float | None:
    """What one part says; None while it is being written."""
    with contextlib.suppress(OSError):
        return _condition_of(path, path.stat().st_mtime_ns)
    return None


@lru_cache(16_384)
def _condition_of(path: Path, changed: int) -> Point | float | None:
    """A condition of an order with its place, or only the divergence of a condition of a sweep; None for any other
    part. A finished part never changes, and whoever watches an ablation asks for all of them at every look."""
    try:
        table = pq.ParquetFile(path).read()
    except pa.ArrowException:
        return None  # it is being written
    if "divergence" not in table.column_names:
        return None
    told = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
    mean = float(np.mean(table["divergence"].to_numpy()))
    if "fraction" not in told:
        return mean
    return Point(told["removal_order"], told.get("target"), told.get("seed"), float(told["fraction"]), mean)
