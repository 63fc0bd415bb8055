"""A file or a dataset's folder → rows: the only reader of prompts, responses, graded tasks and ladders."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from synergy_tui.errors import TaskError

LARGEST = 256_000_000
"""Most bytes of a file."""

_DEEPEST = 3
"""Keys under which a .json file may keep its rows."""

_NOT_ROWS = ("dataset_info.json", "dataset_dict.json", "state.json", "dataset_infos.json")
"""Files that the datasets library writes beside the rows."""

_SPLITS = ("test", "validation", "valid", "val", "dev", "train")

_QUOTED = r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\""

Row = dict[str, Any]

OBJECTS = "write one object per line"


def read(path: Path) -> list[Row]:
    """The rows of a file, by the ending of its name, or of the files of a folder; a row that is a text, not an object,
    has it under `text`. Raises TaskError."""
    if path.is_dir():
        return [row for one in files(path) for row in read(one)]
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise TaskError(f"{path} has an unknown ending", f"known: {', '.join(ENDINGS)}, or a dataset's folder")
    try:
        if path.stat().st_size > LARGEST:
            raise TaskError(f"{path} has {path.stat().st_size / 1e6:.0f} MB", "give a file below 256 MB")
        return list(reader(path))
    except OSError as error:
        raise TaskError(f"{path} cannot be read: {error.strerror or error}", "check the file") from None
    except UnicodeDecodeError:
        raise TaskError(f"{path} is no UTF-8 text", "save it as UTF-8, or as .parquet") from None


def files(folder: Path) -> list[Path]:
    """The files with rows of a dataset's folder, in order. Raises TaskError when there are none, or when they belong to
    several splits."""
    found = sorted(
        one
        for one in folder.rglob("*")
        if one.suffix.lower() in _READERS and one.suffix.lower() != ".txt" and one.name not in _NOT_ROWS
        if not any(part.startswith(".") for part in one.relative_to(folder).parts)
    )
    if not found:
        raise TaskError(f"{folder} holds no file with rows", f"known: {', '.join(ENDINGS)}")
    splits = {_split(one.relative_to(folder)) for one in found}
    if len(splits) > 1:
        names = ", ".join(str(one.relative_to(folder)) for one in found[:6])
        raise TaskError(f"{folder} has several sets: {names}", "name the file or folder of one")
    return found


def _split(path: Path) -> str:
    """What distinguishes the files of one set from another: their split, or their name without its number."""
    for part in reversed(path.with_suffix("").parts):
        words = re.split(r"[-_.\d]+", part.lower())
        if split := next((one for one in _SPLITS if one in words), None):
            return "/".join((*path.parent.parts, split))
    return re.sub(r"-\d+-of-\d+$", "", str(path.with_suffix("")))


def _text(path: Path) -> str:
    return path.read_text("utf-8-sig")


def _plain(path: Path) -> Iterator[Row]:
    for line in _text(path).split("\n"):
        if line.strip():
            yield {"text": line.removesuffix("\r")}


def _json_lines(path: Path, content: str | None = None) -> Iterator[Row]:
    # Not splitlines(): JSON may contain U+2028 within a line.
    for number, line in enumerate((_text(path) if content is None else content).split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise TaskError(f"{path} line {number} is no JSON: {str(error)[:80]}", OBJECTS) from None
        yield _row(row, f"{path} line {number}", OBJECTS)


def _row(value: Any, where: str, mend: str) -> Row:
    if isinstance(value, str):
        return {"text": value}
    if not isinstance(value, dict):
        raise TaskError(f"{where} is no object", mend)
    return value


def _json(path: Path) -> Iterator[Row]:
    """An array of objects or texts, by itself or under a key; columns under keys; or, as some tools write it, one
    object per line."""
    content = _text(path)
    try:
        whole = json.loads(content)
    except RecursionError:
        raise TaskError(f"{path} is nested too deeply", "write an array of objects") from None
    except ValueError as error:
        if content.lstrip().startswith("{") and "\n" in content.strip():
            try:
                json.loads(content.strip().partition("\n")[0])
            except ValueError:
                pass
            else:
                yield from _json_lines(path, content)
                return
        raise TaskError(f"{path} is no JSON: {str(error)[:80]}", "mend it") from None
    for number, value in enumerate(_array(path, whole), 1):
        yield _row(value, f"{path} entry {number}", "write an array of objects")


def _array(path: Path, whole: Any, depth: int = 0) -> list[Any]:
    if isinstance(whole, list):
        return whole
    if isinstance(whole, dict) and depth < _DEEPEST:
        lists = {name: value for name, value in whole.items() if isinstance(value, list) and value}
        of_rows = {name: value for name, value in lists.items() if all(isinstance(one, dict) for one in value)}
        if len(of_rows) == 1 and len(lists) == 1:
            (found,) = of_rows.values()
            return [one["row"] if set(one) >= {"row_idx", "row"} else one for one in found]
        if not of_rows and len(lists) == len(whole) and len({len(value) for value in lists.values()}) == 1:
            if len(lists) == 1:
                (found,) = lists.values()
                return found
            return [dict(zip(lists, values, strict=True)) for values in zip(*lists.values(), strict=True)]
        if len(lists) > 1:
            raise TaskError(
                f"{path} has arrays under {', '.join(map(str, lists))}", "leave one, or write an array of objects"
            )
        if lists:
            (found,) = lists.values()
            return found
        inner = [value for value in whole.values() if isinstance(value, dict)]
        if len(inner) == 1:
            return _array(path, inner[0], depth + 1)
    raise TaskError(f"{path} holds no array of rows", "write an array of objects, or a .jsonl of one object per line")


def _csv(path: Path) -> Iterator[Row]:
    content = _text(path)
    header = content.lstrip("\n").partition("\n")[0]
    mark = "\t" if path.suffix.lower() == ".tsv" else ","
    if mark not in header:
        mark = next((one for one in ("\t", ";") if one in header), mark)
    csv.field_size_limit(LARGEST)
    reader = csv.DictReader(io.StringIO(content, newline=""), strict=True, delimiter=mark)
    try:
        for row in reader:
            if None in row:
                raise TaskError(f"{path} line {reader.line_num} has more fields than its header", "mend the line")
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


def _arrow(path: Path) -> list[Row]:
    """A dataset as the datasets library saves it: an Arrow stream, or an Arrow file."""
    import pyarrow as pa

    for kind in (pa.ipc.open_stream, pa.ipc.open_file):
        try:
            with pa.OSFile(str(path)) as file:
                found: list[Row] = kind(file).read_all().to_pylist()
        except pa.ArrowInvalid as error:
            reason = error
        else:
            return found
    raise TaskError(f"{path} is no Arrow: {str(reason).splitlines()[0]}", "check the file")


_READERS: dict[str, Callable[[Path], Any]] = {
    ".txt": _plain,
    ".csv": _csv,
    ".tsv": _csv,
    ".json": _json,
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".parquet": _parquet,
    ".arrow": _arrow,
}

ENDINGS = tuple(_READERS)
"""Endings of the files that can be read."""


def column(rows: Sequence[Row], name: str | None, usual: Sequence[str], what: str, where: str) -> str:
    """The column of this name, or the first of the usual ones. Raises TaskError when it is missing."""
    there = list(rows[0]) if rows else []
    for one in (name,) if name else usual:
        if one in there:
            return one
    asked = f"{name!r}" if name else f"{' or '.join(usual)}"
    shown = ", ".join(str(one)[:40] for one in there[:12]) or "none"
    raise TaskError(f"{where} has no column {asked} for the {what}; it has {shown}", f"name it: --{what}-column")


def items(value: Any, where: str) -> list[str]:
    """A list of texts, also one written as text, as in CSV: `["a", "b"]`, `['a', 'b']`, `['a' 'b']`. Raises
    TaskError."""
    if isinstance(value, str):
        text = value.strip()
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            quoted = re.findall(_QUOTED, text) if text.startswith(("[", "(", "array(")) else []
            value = [re.sub(r"\\(['\"\\])", r"\1", one[1:-1]) for one in quoted]
    if not isinstance(value, list | tuple) or not value:
        raise TaskError(f"{where} has no list of choices", "write it as a JSON array")
    return [str(one) for one in value]


def texts_by_name(value: str, where: str) -> dict[str, list[str]]:
    """Lists by name, written as text: `{'text': ['a', 'b'], 'label': ['A', 'B']}`. Raises TaskError."""
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        lists = re.findall(rf"['\"](\w+)['\"]\s*:\s*(?:array\()?\s*(\[(?:[^\]'\"]|{_QUOTED})*\])", value)
        found = dict(lists)
    if not isinstance(found, dict) or not found:
        raise TaskError(f"{where} has no list of choices", "write it as JSON")
    return {name: items(some, where) for name, some in found.items()}


def identity(row: Row, number: int, width: int = 3) -> str:
    """The id of a row, or its number."""
    given = row.get("id")
    return f"{number:0{width}d}" if given is None or str(given) == "" else str(given)


def check_text(where: str, *texts: str) -> None:
    """Raises TaskError for a text that no tokenizer accepts."""
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:
        raise TaskError(f"{where} holds half a character (a lone surrogate)", "mend it") from None
    if any("\0" in text for text in texts):
        raise TaskError(f"{where} holds a NUL character", "take it out")
