"""Files of text → blocks of whole lines, and tables. Memory holds a block at a time."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from synergy_tui.errors import UsageError

BLOCK = 1 << 24
"""Bytes of text in memory at a time."""

LONGEST = 1 << 28
"""Most bytes of a line."""

DELIMITERS = {".csv": ",", ".tsv": "\t"}
"""Kinds of tables of text, and what separates their cells."""


def kind_of(file: Path) -> str:
    """The kind of a file by its name: its suffix in small letters; a .gz after the suffix of a text table is
    dropped."""
    suffixes = [one.lower() for one in file.suffixes]
    if suffixes[-1:] == [".gz"] and suffixes[-2:-1] and suffixes[-2] in DELIMITERS:
        return suffixes[-2]
    return suffixes[-1] if suffixes else ""


@contextmanager
def told_of(file: Path, next_step: str) -> Iterator[None]:
    """Turns errors while a file is read into a UsageError of one line."""
    try:
        yield
    except (OSError, ValueError, EOFError, zlib.error, pa.ArrowException, csv.Error) as error:
        if isinstance(error, UsageError):
            raise
        what = (getattr(error, "strerror", None) or str(error) or type(error).__name__).splitlines()[0]
        raise UsageError(f"{file} cannot be read: {what}", next_step) from None


class Text:
    """A table of text: its cells' names, and blocks of whole lines. read: bytes of the file read so far, of `size`."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.delimiter = DELIMITERS[kind_of(file)]
        self.size = file.stat().st_size
        self.read = 0
        with self._opened() as (stream, _):
            self.first = stream.readline(LONGEST)
        try:
            self.header = next(csv.reader([self.first.decode("utf-8-sig")], delimiter=self.delimiter), [])
        except UnicodeDecodeError:
            raise UsageError(f"{file} is not UTF-8 text", "save it as UTF-8") from None

    def blocks(self, header: bool = True) -> Iterator[tuple[int, bytes]]:
        """Blocks, each with the number of its first line, counted from 1. header: leaves the first line out."""
        with self._opened() as (stream, raw):
            line = 1
            if header:
                stream.readline(LONGEST)
                line += 1
            rest = b""
            while chunk := stream.read(BLOCK):
                self.read = raw.tell()
                whole = rest + chunk
                end = _whole_lines(whole)
                if end == 0 and len(whole) > LONGEST:
                    raise UsageError(f"{self.file} has a line of over {LONGEST:,} bytes", "look at what it is")
                if end:
                    yield line, whole[:end]
                    line += whole.count(b"\n", 0, end)
                rest = whole[end:]
            if rest.strip():
                yield line, rest
            self.read = self.size

    @contextmanager
    def _opened(self) -> Iterator[tuple[IO[bytes], IO[bytes]]]:
        """The text, and the file as it lies on the disk."""
        with open(self.file, "rb") as raw:
            if self.file.suffix.lower() == ".gz":
                with gzip.open(raw) as text:
                    yield io.BufferedReader(text, 1 << 20), raw
            else:
                yield raw, raw


def _whole_lines(text: bytes) -> int:
    """Bytes up to the end of the last whole line: a line break in quotes does not end a line."""
    end = text.rfind(b"\n") + 1
    if b'"' not in text:
        return end
    while end and text.count(b'"', 0, end) % 2:
        end = text.rfind(b"\n", 0, end - 1) + 1
    return end


def parsed(
    text: bytes | memoryview, names: Sequence[str], delimiter: str, types: dict[str, pa.DataType], **more: Any
) -> pa.Table:
    """Lines of text without a header as a table. more: options of pyarrow's ParseOptions. Raises ArrowInvalid."""
    return pa.csv.read_csv(
        pa.py_buffer(text),
        read_options=pa.csv.ReadOptions(column_names=list(names), use_threads="invalid_row_handler" not in more),
        parse_options=pa.csv.ParseOptions(delimiter=delimiter, newlines_in_values=b'"' in bytes(text), **more),
        convert_options=pa.csv.ConvertOptions(column_types=types, include_columns=list(types)),
    )


def read_table(file: Path, text: Sequence[str] = ()) -> pa.Table:
    """A whole .csv, .tsv or .parquet table; text: columns that are texts even if they look like numbers. Raises
    UsageError."""
    kind = kind_of(file)
    if kind not in (*DELIMITERS, ".parquet"):
        raise UsageError(f"{file} is not a .csv, .tsv or .parquet table", "save it as one of them")
    with told_of(file, "give a .csv, .tsv or .parquet table"):
        if kind == ".parquet":
            return pq.ParquetFile(file).read()
        found = Text(file)
        return pa.csv.read_csv(
            file,
            parse_options=pa.csv.ParseOptions(delimiter=found.delimiter, newlines_in_values=True),
            convert_options=pa.csv.ConvertOptions(column_types={name: pa.string() for name in text}),
        )
