"""A .jsonl, .csv, .parquet or text file → rows: the one reader of prompts, responses, graded tasks and ladders."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from synergy_tui.errors import TaskError

LARGEST = 256_000_000

Row = dict[str, Any]

OBJECTS = "write one object per line"


def read(path: Path, plain: bool = False) -> list[Row]:
    """The rows of a file, by the ending of its name; a line that is no object but a text has it under `text`. plain:
    whether lines of other files are such texts, rather than JSON. Raises TaskError."""
    try:
        if path.stat().st_size > LARGEST:
            raise TaskError(f"{path} has {path.stat().st_size / 1e6:.0f} MB", "give a file below 256 MB")
        if path.suffix.lower() == ".parquet":
            return _parquet(path)
        content = path.read_text("utf-8-sig")
    except OSError as error:
        raise TaskError(f"{path} cannot be read: {error.strerror or error}", "check the file") from None
    except UnicodeDecodeError:
        raise TaskError(f"{path} is no UTF-8 text", "save it as UTF-8, or as .parquet") from None
    if path.suffix.lower() == ".csv":
        return list(_csv(path, content))
    if plain and path.suffix.lower() not in (".jsonl", ".ndjson", ".json"):
        return [{"text": line} for line in content.split("\n") if line.strip()]
    return list(_json_lines(path, content, plain))


def _json_lines(path: Path, content: str, plain: bool) -> Iterator[Row]:
    # Not splitlines(): JSON may hold U+2028 within a line.
    for number, line in enumerate(content.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise TaskError(f"{path} line {number} is no JSON: {str(error)[:80]}", OBJECTS) from None
        if plain and isinstance(row, str):
            row = {"text": row}
        if not isinstance(row, dict):
            raise TaskError(f"{path} line {number} is no object", OBJECTS)
        yield row


def _csv(path: Path, content: str) -> Iterator[Row]:
    reader = csv.DictReader(io.StringIO(content), strict=True)
    try:
        for row in reader:
            yield dict(row)
    except csv.Error as error:
        raise TaskError(f"{path} line {reader.line_num} is no CSV: {error}", "mend the line") from None


def _parquet(path: Path) -> list[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        found: list[Row] = pq.ParquetFile(path).read().to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise TaskError(f"{path} is no Parquet: {str(error).splitlines()[0]}", "check the file") from None
    return found


def column(rows: Sequence[Row], name: str | None, usual: Sequence[str], what: str, where: str) -> str:
    """The column of this name, or the first of the usual ones. Raises TaskError when there is none."""
    there = list(rows[0]) if rows else []
    for one in (name,) if name else usual:
        if one in there:
            return one
    asked = f"{name!r}" if name else f"{' or '.join(usual)}"
    shown = ", ".join(str(one)[:40] for one in there[:12]) or "none"
    raise TaskError(f"{where} has no column {asked} for the {what}; it has {shown}", f"name it: --{what}-column")


def check_text(where: str, *texts: str) -> None:
    """Raises TaskError for a text that no tokenizer takes."""
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:
        raise TaskError(f"{where} holds half a character (a lone surrogate)", "mend it") from None
    if any("\0" in text for text in texts):
        raise TaskError(f"{where} holds a NUL character", "take it out")
