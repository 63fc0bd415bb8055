"""A published flat table, .csv (also .csv.gz and .tsv) or .parquet → columns by their usual names. Unreadable rows are
counted and shown, and nothing is guessed in their place."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from synergy_tui.errors import UsageError

SHOWN = 5
"""Most bad rows that are shown."""

_LONGEST = 1_000_000
"""Bytes of a first line beyond which a file is not a table."""

_NUMBER = r"^\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*$"

Words = Mapping[str, Sequence[str]]
"""Meaning of a column → its possible names, in lower case with underscores."""


@dataclass(frozen=True)
class Flat:
    """columns: by their meaning: float64, NaN where a cell is empty, or text. rows: the number of each row in its file,
    from 1. bad: unreadable rows as text, the first SHOWN; bad_rows: how many there are."""

    columns: dict[str, np.ndarray | pa.ChunkedArray]
    rows: np.ndarray
    bad: list[str]
    bad_rows: int

    def number(self, name: str) -> np.ndarray:
        """A column of numbers."""
        return np.asarray(self.columns[name])

    def text(self, name: str) -> pa.ChunkedArray:
        """A column of text."""
        column = self.columns[name]
        assert not isinstance(column, np.ndarray)
        return column

    def without(self, bad: np.ndarray) -> Flat:
        """The table without some more bad rows, which are shown and counted."""
        if not bad.any():
            return self
        keep = np.flatnonzero(~bad)
        shown = [self._told(int(row)) for row in np.flatnonzero(bad)[: max(SHOWN - len(self.bad), 0)]]
        kept = {
            name: one[keep] if isinstance(one, np.ndarray) else one.take(pa.array(keep))
            for name, one in self.columns.items()
        }
        return Flat(kept, self.rows[keep], self.bad + shown, self.bad_rows + int(bad.sum()))

    def told(self) -> list[str]:
        """The unreadable rows, in a line."""
        if not self.bad_rows:
            return []
        more = f" and {self.bad_rows - len(self.bad):,} more" if self.bad_rows > len(self.bad) else ""
        return [f"{self.bad_rows:,} rows cannot be read and are left out: {'; '.join(self.bad)}{more}."]

    def _told(self, row: int) -> str:
        cells = ", ".join(_cell(one[row]) for one in self.columns.values())
        return f"row {int(self.rows[row])} ({cells})"


def is_table(file: Path) -> bool:
    """Whether a file is a table by its name."""
    name = file.name.lower()
    return name.endswith((".csv", ".csv.gz", ".tsv", ".tsv.gz", ".parquet", ".pq"))


def columns_of(file: Path) -> list[str]:
    """The names of a table's columns as they are written. Raises UsageError for a file that is not a table."""
    if _is_parquet(file):
        return list(_read_parquet(file, None).column_names)
    return next(csv.reader([_first_line(file)], delimiter=_delimiter(file)), [])


def named(columns: Sequence[str], words: Words) -> dict[str, str]:
    """Meaning of a column → its name in the table, for columns that are there. Raises UsageError if two columns may
    have one meaning."""
    out: dict[str, str] = {}
    for name in columns:
        plain = "_".join(name.strip().strip("\ufeff").lower().replace("-", " ").replace(".", " ").split())
        for what, known in words.items():
            if plain in known:
                if what in out:
                    raise UsageError(f"columns {out[what]} and {name} may both be {what}", "leave one of them out")
                out[what] = name
    return out


def read(file: Path, columns: Mapping[str, str], texts: Sequence[str] = ()) -> Flat:
    """The columns of a table, given as meaning → name; `texts`: columns of text, all others are numbers. Raises
    UsageError if the table cannot be read."""
    bad: list[str] = []
    bad_numbers: list[int] = []
    if _is_parquet(file):
        table = _read_parquet(file, list(columns.values()))
    else:
        table, bad, bad_numbers = _read_csv(file, columns, texts)
    rows = np.arange(1, len(table) + 1)
    for number in sorted(bad_numbers):
        rows[rows >= number] += 1
    out: dict[str, np.ndarray | pa.ChunkedArray] = {}
    wrong = np.zeros(len(table), bool)
    as_text: dict[str, pa.ChunkedArray] = {}
    for what, name in columns.items():
        column = table[name]
        if what in texts:
            out[what] = _as_text(column, name, file)
            continue
        out[what], lacking = _as_numbers(column, name, file)
        if lacking is not None:
            wrong |= lacking
            as_text[what] = column
    found = Flat(out, rows, bad[:SHOWN], len(bad))
    if not wrong.any():
        return found
    # Cells that are not numbers are shown as they are written.
    return replace(found.without(wrong), bad=replace(found, columns=out | as_text).without(wrong).bad)


def _is_parquet(file: Path) -> bool:
    return file.suffix.lower() in (".parquet", ".pq")


def _read_parquet(file: Path, columns: list[str] | None) -> pa.Table:
    try:
        with pq.ParquetFile(file) as opened:
            if columns is None:
                return opened.schema_arrow.empty_table()
            return opened.read(columns)
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(file, error) from None


def _read_csv(file: Path, columns: Mapping[str, str], texts: Sequence[str]) -> tuple[pa.Table, list[str], list[int]]:
    """The table, and the rows with too few or too many cells: as text, and their numbers. Columns of numbers are read
    as numbers; if one cell is not a number, all come as text."""
    bad: list[str] = []
    numbers: list[int] = []

    def skip(row: Any) -> str:
        number = (row.number or 2) - 1  # the first line has the names
        numbers.append(number)
        bad.append(f"row {number} ({_shortened(row.text)}: {row.actual_columns} cells)")
        return "skip"

    def attempt(number: pa.DataType) -> pa.Table:
        bad.clear()
        numbers.clear()
        kinds = {name: pa.string() if what in texts else number for what, name in columns.items()}
        return pa.csv.read_csv(
            file,
            pa.csv.ReadOptions(use_threads=False),
            pa.csv.ParseOptions(delimiter=_delimiter(file), invalid_row_handler=skip),
            pa.csv.ConvertOptions(
                column_types=kinds, include_columns=list(columns.values()), strings_can_be_null=number == pa.string()
            ),
        )

    try:
        try:
            return attempt(pa.float64()), bad, numbers
        except pa.ArrowInvalid as error:
            if "conversion error" not in str(error):
                raise
            return attempt(pa.string()), bad, numbers
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(file, error) from None


def _as_numbers(column: pa.ChunkedArray, name: str, file: Path) -> tuple[np.ndarray, np.ndarray | None]:
    """float64 with NaN for empty cells, and which cells are neither empty nor a number (None: it is a column of
    numbers)."""
    lacking = None
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        known = pc.match_substring_regex(column, _NUMBER)
        lacking = pc.fill_null(pc.invert(known), False).to_numpy()
        column = pc.utf8_trim_whitespace(pc.if_else(known, column, None))
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type) or pa.types.is_string(column.type)):
        raise UsageError(f"{file}: {name} is {column.type}, not a number", "save it as a number")
    numbers = column.cast(pa.float64()).to_numpy()
    return np.array(numbers, float), lacking


def _as_text(column: pa.ChunkedArray, name: str, file: Path) -> pa.ChunkedArray:
    try:
        return column.cast(pa.string())
    except pa.ArrowException:
        raise UsageError(f"{file}: {name} is {column.type}, not text or a number", "save it as text") from None


def _first_line(file: Path) -> str:
    try:
        with open(file, "rb") as raw, gzip.open(raw) if file.suffix.lower() == ".gz" else raw as found:
            line: bytes = found.readline(_LONGEST)
        return line.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError:
        raise UsageError(f"{file} is not text in UTF-8", "save it as UTF-8, or as .parquet") from None
    except (OSError, EOFError, zlib.error) as error:
        raise _unreadable(file, error) from None


def _delimiter(file: Path) -> str:
    line = _first_line(file)
    return max(",;\t", key=line.count) if line else ","


def _unreadable(file: Path, error: Exception) -> UsageError:
    what = (getattr(error, "strerror", None) or str(error) or type(error).__name__).splitlines()[0]
    return UsageError(f"{file} cannot be read: {what}", "give a .csv, .csv.gz, .tsv or .parquet table")


def _cell(value: Any) -> str:
    value = value.as_py() if hasattr(value, "as_py") else value
    if value is None:
        return "empty"
    return _shortened(value) if isinstance(value, str) else "empty" if np.isnan(value) else f"{value:g}"


def _shortened(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:59]}…")[1:-1]
