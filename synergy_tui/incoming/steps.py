"""Tables with a row per question and head, and a column per step → a source of responses that is never in memory as a
whole: published pipelines write such tables of gigabytes.

Blocks of lines are parsed while earlier blocks are worked on. Files are usually ordered by question; then one pass is
enough. If a question's rows are scattered, they are counted first, and then brought together in files beside the cache
that each fit into memory.
"""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from synergy_tui.errors import UsageError
from synergy_tui.incoming.blocks import DELIMITERS, Text, kind_of, parsed, read_table, told_of
from synergy_tui.incoming.source import Passed, Response, ahead, listed
from synergy_tui.incoming.taking import Unexpected

IDS = ("question_id", "prompt_id")
"""Columns that say which question a row is of."""

TEXTS = ("text", "prompt")
"""Columns with the text of the question."""

SHOWN = 5
"""Unreadable rows that are listed with a reason."""

AT_ONCE = 1 << 26
"""Bytes of scattered rows that are brought together at a time."""

LineOf = Callable[[int], int]
"""Row of a block → its line."""

LARGEST_HEAD = 1 << 20
"""Numbers of heads, and of layers, are below this."""


@dataclass(frozen=True)
class Layout:
    """Columns of a step table by their meaning. steps: the columns of steps 1, 2, …, in order."""

    id: str
    layer: str
    head: str
    steps: tuple[str, ...]
    category: str | None = None
    text: str | None = None

    @classmethod
    def of(cls, columns: Sequence[str], file: Path) -> Layout | None:
        """The layout of a table with these columns; None if it is not a step table. Raises UsageError if it nearly is
        one."""
        plain = [name.strip().lower() for name in columns]
        steps = {int(found[1]): k for k, name in enumerate(plain) if (found := re.fullmatch(r"step_(\d{1,7})", name))}
        if not steps:
            return None
        twice = [name for name, times in Counter(plain).items() if times > 1]
        if twice:
            raise UsageError(f"{file} has several columns {listed(twice)}", "keep one of each")
        where = dict(zip(plain, columns, strict=True))
        named = [name for name in IDS if name in where]
        missing = [name for name in ("layer", "head") if name not in where]
        if not named or missing:
            raise UsageError(
                f"{file} has columns of steps and no column {', '.join(missing or ['question_id'])}",
                "give it question_id, layer, head, step_1, step_2 …",
            )
        first, last = min(steps), max(steps)
        gaps = [str(k) for k in range(first, last + 1) if k not in steps]
        if gaps or first > 1:
            raise UsageError(f"{file} has no column step_{(gaps or ['1'])[0]}", "give it every step")
        text = next((where[name] for name in TEXTS if name in where), None)
        return cls(
            where[named[0]],
            where["layer"],
            where["head"],
            tuple(columns[steps[k]] for k in range(first, last + 1)),
            where.get("category"),
            text,
        )

    def columns(self, keys: bool = False) -> dict[str, pa.DataType]:
        """The columns to read, and their types. keys: without the steps."""
        out: dict[str, pa.DataType] = {self.id: pa.string(), self.layer: pa.float64(), self.head: pa.float64()}
        for name in (self.category, self.text):
            if name is not None and not keys:
                out[name] = pa.string()
        return out if keys else out | {name: pa.float64() for name in self.steps}


class Rows(NamedTuple):
    """Rows of a block. ids: of each run of rows of one question, which ends before its place in `ends`; category and
    text: of its first row. values [steps, rows], NaN where there is no value."""

    ids: list[str]
    ends: list[int]
    categories: list[str]
    texts: list[str | None]
    layer: np.ndarray
    head: np.ndarray
    values: np.ndarray


@dataclass
class Found:
    """The findings of one pass through the table. After the first few they are only counted."""

    bad: int = 0
    reasons: list[str] = field(default_factory=list)
    missing: int = 0
    lacking: list[str] = field(default_factory=list)
    twice: int = 0
    unlike: list[str] = field(default_factory=list)
    beyond: list[str] = field(default_factory=list)
    without_length: list[str] = field(default_factory=list)
    categories: list[str] = field(default_factory=list)

    def leave(self, line: int | str, why: str) -> None:
        """Counts a row that cannot be read, and notes the reason."""
        self.bad += 1
        if len(self.reasons) < SHOWN:
            self.reasons.append(f"line {line}: {why}" if isinstance(line, int) else f"{line}: {why}")


class Steps:
    """A step table. files: of the same columns. lengths: question → the steps of its response. scratch: folder for data
    that do not fit into memory."""

    names: tuple[str, ...] | None = None
    dtype = "float64"

    def __init__(
        self,
        files: Sequence[Path],
        lengths: dict[str, int] | None = None,
        scratch: Path | None = None,
        passed: Passed | None = None,
    ) -> None:
        self.files, self.lengths, self.scratch, self.passed = files, lengths, scratch, passed
        # A table with lengths says itself where responses end.
        self.zeros: str | None = None if lengths is None else "values"
        self.layouts = [_layout(file) for file in files]
        if len({len(one.steps) for one in self.layouts}) > 1:
            told = ", ".join(f"{file.name} {len(one.steps)}" for file, one in zip(files, self.layouts, strict=True))
            raise UsageError(f"step tables have unequal numbers of steps: {told}", "import them one by one")
        self.steps = len(self.layouts[0].steps)
        self.counts: dict[str, int] = {}
        self.scattered = False
        self.counted = False
        self.found = Found()
        self._probe()

    @property
    def units(self) -> int:
        """Number of units."""
        return len(self.keys)

    @property
    def places(self) -> tuple[np.ndarray, np.ndarray]:
        """Layer and head of each unit."""
        return self.keys // LARGEST_HEAD, self.keys % LARGEST_HEAD

    def responses(self) -> Iterator[Response]:
        """All questions, in the order in which they first appear."""
        self.found = Found()
        yield from self._gathered() if self.scattered else self._passing()
        if self.lengths is not None:
            self.unknown = [name for name in self.lengths if name not in self._ids]

    def again(self) -> None:
        """Counts the rows of every question, and finds all units, before another pass."""
        self.found = Found()
        found: list[np.ndarray] = []
        self.counts, self.counted = {}, True
        last: str | None = None
        for rows in self._rows(keys=True):
            found.append(np.unique(_keys(rows)))
            begin = 0
            for name, end in zip(rows.ids, rows.ends, strict=True):
                self.scattered |= name in self.counts and name != last
                self.counts[name] = self.counts.get(name, 0) + end - begin
                begin, last = end, name
        if not found or not self.counts:
            raise _nothing(self.files, self.found)
        self.keys = np.unique(np.concatenate(found))

    def notes(self) -> list[str]:
        """What looked suspicious about the table, a line each."""
        found, out = self.found, []
        layers, heads = self.places
        for what, numbers in (("layers", layers), ("heads", heads)):
            if numbers.min() == 1:
                out.append(f"{what} begin with 1: if they are numbered from 1, take 1 off")
        if found.bad:
            more = "" if found.bad <= SHOWN else f"; and {found.bad - SHOWN:,} more"
            out.append(f"{found.bad:,} rows cannot be read and are left out: {'; '.join(found.reasons)}{more}")
        if found.missing:
            out.append(f"{found.missing:,} rows are missing, whose units have no value there: {listed(found.lacking)}")
        if found.twice:
            out.append(f"{found.twice:,} rows are there twice, and count once")
        if found.unlike:
            out.append(f"rows of one question and head differ, and are left out: {listed(found.unlike)}")
        if found.beyond:
            out.append(f"values beyond the given length are left out: {listed(found.beyond)}")
        if found.categories:
            out.append(f"questions have several categories, and the first is kept: {listed(found.categories)}")
        if found.without_length:
            out.append(f"questions have no length and are kept as they are: {listed(found.without_length)}")
        if self.lengths is not None and self.unknown:
            out.append(f"lengths are given for questions that are not there: {listed(self.unknown)}")
        return out

    def _probe(self) -> None:
        """Finds the units in the first question. If that may not have all of them, the table is counted."""
        first: str | None = None
        found: list[np.ndarray] = []
        rows_ = self._rows(keys=True)
        try:
            for rows in rows_:
                keys = _keys(rows)
                if len(set(rows.ids)) < len(rows.ids):
                    return self.again()
                first = rows.ids[0] if first is None and rows.ids else first
                if rows.ids and rows.ids[0] == first:
                    found.append(keys[: rows.ends[0]])
                if rows.ids and rows.ids[-1] != first:
                    break
        finally:
            rows_.close()
        if first is None:
            raise _nothing(self.files, self.found)
        self.keys = np.unique(np.concatenate(found))
        if len(self.keys) < 2:
            self.again()

    def _passing(self) -> Iterator[Response]:
        """Questions whose rows stand together. Raises Unexpected if they do not."""
        self._ids: set[str] = set()
        name: str | None = None
        parts: list[tuple[np.ndarray, np.ndarray]] = []
        about: tuple[str, str | None] = ("", None)
        for rows in self._rows():
            keys, begin = _keys(rows), 0
            for k, (one, end) in enumerate(zip(rows.ids, rows.ends, strict=True)):
                if one != name:
                    if name is not None:
                        yield self._response(name, about, parts)
                    if one in self._ids:
                        raise Unexpected
                    name, parts, about = one, [], (rows.categories[k], rows.texts[k])
                    self._ids.add(one)
                elif rows.categories[k] != about[0]:
                    self.found.categories.append(one)
                parts.append((keys[begin:end], rows.values[:, begin:end]))
                begin = end
        if name is not None:
            yield self._response(name, about, parts)

    def _gathered(self) -> Iterator[Response]:
        """Questions whose rows are scattered: they are brought together in files that each fit into memory."""
        record = np.dtype([("question", "i8"), ("key", "i8"), ("values", "f8", (self.steps,))])
        names = list(self.counts)
        number = {name: k for k, name in enumerate(names)}
        bucket = np.cumsum([self.counts[name] * record.itemsize for name in names]) // AT_ONCE
        about: dict[str, tuple[str, str | None]] = {}
        self._ids = set(names)
        if self.scratch is not None:
            self.scratch.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="import-", dir=self.scratch) as folder:
            for rows in self._rows():
                each = np.empty(len(rows.layer), record)
                each["key"] = _keys(rows)
                each["values"] = rows.values.T
                runs = np.diff([0, *rows.ends])
                each["question"] = np.repeat([number[one] for one in rows.ids], runs)
                for k, one in enumerate(rows.ids):
                    kept = about.setdefault(one, (rows.categories[k], rows.texts[k]))
                    if kept[0] != rows.categories[k] and one not in self.found.categories[-1:]:
                        self.found.categories.append(one)
                where = bucket[each["question"]]
                for place in np.unique(where).tolist():
                    with open(Path(folder) / str(place), "ab") as out:
                        each[where == place].tofile(out)
            for place in np.unique(bucket).tolist():
                path = Path(folder) / str(place)
                if not path.exists():
                    continue
                each = np.fromfile(path, record)
                path.unlink()
                each = each[np.argsort(each["question"], kind="stable")]
                ends = [*np.flatnonzero(np.diff(each["question"])) + 1, len(each)]
                for begin, end in zip([0, *ends[:-1]], ends, strict=True):
                    name = names[each["question"][begin]]
                    some = each[begin:end]
                    yield self._response(name, about[name], [(some["key"], some["values"].T)])

    def _response(
        self, name: str, about: tuple[str, str | None], parts: list[tuple[np.ndarray, np.ndarray]]
    ) -> Response:
        keys = np.concatenate([key for key, _ in parts])
        rows = np.concatenate([part.T for _, part in parts])
        place = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        if not np.array_equal(self.keys[place], keys):
            raise Unexpected
        values = np.full((len(self.keys), self.steps), np.nan)
        values[place] = rows
        times = np.bincount(place, minlength=len(self.keys))
        if (times > 1).any():
            values[place[::-1]] = rows[::-1]
            for unit in np.flatnonzero(times > 1).tolist():
                same = rows[place == unit]
                if np.array_equal(same, np.broadcast_to(same[0], same.shape), equal_nan=True):
                    self.found.twice += len(same) - 1
                else:
                    values[unit] = np.nan
                    self.found.unlike.append(f"{self._called(unit)} in {name}")
        if not times.all():
            lacking = np.flatnonzero(times == 0).tolist()
            self.found.missing += len(lacking)
            self.found.lacking += [f"{self._called(unit)} in {name}" for unit in lacking[:SHOWN]]
        return Response(name, self._cut(name, values), about[0], about[1])

    def _cut(self, name: str, values: np.ndarray) -> np.ndarray:
        if self.lengths is None:
            return values
        length = self.lengths.get(name)
        if length is None:
            self.found.without_length.append(name)
            return values
        if np.nan_to_num(values[:, length:]).any():
            self.found.beyond.append(name)
        return values[:, :length]

    def _called(self, unit: int) -> str:
        return f"{self.keys[unit] // LARGEST_HEAD}.{self.keys[unit] % LARGEST_HEAD}"

    def _rows(self, keys: bool = False) -> Generator[Rows, None, None]:
        """Blocks of rows, each parsed while the caller works on the one before."""
        total, before = sum(file.stat().st_size for file in self.files), 0
        for file, layout in zip(self.files, self.layouts, strict=True):
            several = f"{file.name} " if len(self.files) > 1 else ""
            reader = _Csv if kind_of(file) in DELIMITERS else _Parquet
            table = reader(file, layout, self.found, several)
            with told_of(file, "give it question_id, layer, head, step_1, step_2 …"):
                for block, line_of in ahead(table.blocks(keys)):
                    yield _rows_of(block, line_of, layout, keys, self.found, several)
                    if self.passed:
                        self.passed(before + table.read, total)
            before += file.stat().st_size


class _Csv:
    """A step table of text. `blocks` gives tables, each with the line numbers of its rows."""

    def __init__(self, file: Path, layout: Layout, found: Found, several: str) -> None:
        self.text, self.layout, self.found, self.several = Text(file), layout, found, several

    @property
    def read(self) -> int:
        """Bytes read so far."""
        return self.text.read

    def blocks(self, keys: bool) -> Iterator[tuple[pa.Table, LineOf]]:
        """The blocks as tables."""
        types = self.layout.columns(keys)
        for line, block in self.text.blocks():
            try:
                yield parsed(block, self.text.header, self.text.delimiter, types), _counting(line)
            except pa.ArrowInvalid:
                yield self._mended(line, block, types)

    def _mended(self, line: int, block: bytes, types: dict[str, pa.DataType]) -> tuple[pa.Table, LineOf]:
        """A block with unreadable rows, without these rows."""
        there = [k for k, one in enumerate(block.split(b"\n")) if one.strip(b"\r")]
        left: set[int] = set()

        def leave(row: pa.csv.InvalidRow) -> str:
            left.add(row.number - 1)
            at = f"{self.several}line {line + there[min(row.number, len(there)) - 1]}"
            self.found.leave(at, f"{row.actual_columns} cells, not {row.expected_columns}")
            return "skip"

        texts = parsed(
            block,
            self.text.header,
            self.text.delimiter,
            dict.fromkeys(types, pa.string()),
            invalid_row_handler=leave,
        )
        lines = [line + one for k, one in enumerate(there) if k not in left]
        lines += [lines[-1] if lines else line] * (len(texts) - len(lines))
        good = np.ones(len(texts), bool)
        columns = {}
        for name, kind in types.items():
            columns[name] = texts[name]
            if kind == pa.float64():
                numbers = []
                for k, cell in enumerate(texts[name].to_pylist()):
                    number = _number(cell)
                    if number is None and good[k]:
                        good[k] = False
                        self.found.leave(f"{self.several}line {lines[k]}", f"{name} is {str(cell)[:20]!r}")
                    numbers.append(number)
                columns[name] = pa.array(numbers, pa.float64(), from_pandas=True)
        kept = [number for number, ok in zip(lines, good, strict=True) if ok]
        return pa.table(columns).filter(pa.array(good)), lambda row: kept[row]


class _Parquet:
    """A step table in Parquet."""

    def __init__(self, file: Path, layout: Layout, found: Found, several: str) -> None:
        self.file, self.layout, self.read = file, layout, 0

    def blocks(self, keys: bool) -> Iterator[tuple[pa.Table, LineOf]]:
        """The rows as tables."""
        types = self.layout.columns(keys)
        size, line = self.file.stat().st_size, 1
        with pq.ParquetFile(self.file) as file:
            rows = max(file.metadata.num_rows, 1)
            for batch in file.iter_batches(1 << 14, columns=list(types)):
                table = pa.table({name: batch[name].cast(kind) for name, kind in types.items()})
                yield table, _counting(line)
                line += len(table)
                self.read = size * (line - 1) // rows


def _counting(first: int) -> LineOf:
    """The line of each row if every line is a row."""
    return lambda row: first + row


def lengths_of(file: Path) -> dict[str, int]:
    """Steps of every question's response, from a table with the columns question_id (or Prompt_ID) and
    effective_length. Raises UsageError."""
    table = read_table(file)
    names = {name.strip().lower(): name for name in table.column_names}
    known = [names[name] for name in IDS if name in names]
    if not known or "effective_length" not in names:
        raise UsageError(
            f"{file} has the columns {listed(table.column_names, 8)}", "give it question_id and effective_length"
        )
    if kind_of(file) in DELIMITERS:  # ids as they are written: 007 is not 7
        table = read_table(file, text=(known[0],))
    lengths = table[names["effective_length"]].to_pylist()
    bad = [str(k + 2) for k, one in enumerate(lengths) if one is None or one != one or one < 0 or one != int(one)]
    if bad:
        raise UsageError(f"{file}: effective_length is not a whole number in lines {listed(bad)}", "count the steps")
    out: dict[str, int] = {}
    for name, length in zip(table[known[0]].cast(pa.string()).to_pylist(), lengths, strict=True):
        if out.setdefault(name, int(length)) != int(length):
            raise UsageError(f"{file} gives question {name} several lengths", "give it one")
    return out


def is_steps(columns: Sequence[str], file: Path) -> bool:
    """Whether a table with these columns is a step table. Raises UsageError if it nearly is one."""
    return Layout.of(columns, file) is not None


def columns_of(file: Path) -> list[str]:
    """Names of the columns of a table of text or in Parquet. Raises UsageError."""
    with told_of(file, "give a table of text or in Parquet"):
        if kind_of(file) in DELIMITERS:
            return Text(file).header
        return list(pq.ParquetFile(file).schema_arrow.names)


def _layout(file: Path) -> Layout:
    found = Layout.of(columns_of(file), file)
    if found is None:
        raise UsageError(f"{file} is not a step table like the others", "import it by itself")
    return found


def _rows_of(table: pa.Table, line_of: LineOf, layout: Layout, keys: bool, found: Found, several: str) -> Rows:
    """The rows of a table, without those that lack a question, layer or head."""
    numbers = {name: table[name].to_numpy() for name in (layout.layer, layout.head)}
    good = np.ones(len(table), bool)
    for name, column in numbers.items():
        with np.errstate(invalid="ignore"):
            whole = (column >= 0) & (column < LARGEST_HEAD) & (column == np.floor(column))
        for row in np.flatnonzero(good & ~whole).tolist():
            found.leave(f"{several}line {line_of(row)}", f"{name} is {column[row]:g}, not a whole number from 0")
        good &= whole
    named = table[layout.id].combine_chunks()
    empty = pc.or_kleene(pc.is_null(named), pc.equal(named, "")).to_numpy(zero_copy_only=False).astype(bool)
    for row in np.flatnonzero(good & empty).tolist():
        found.leave(f"{several}line {line_of(row)}", f"no {layout.id}")
    good &= ~empty
    if not good.all():
        table = table.filter(pa.array(good))
        numbers = {name: column[good] for name, column in numbers.items()}
        named = table[layout.id].combine_chunks()
    if isinstance(named, pa.ChunkedArray):
        named = named.chunk(0) if named.num_chunks else pa.array([], pa.string())
    runs = pc.run_end_encode(named)
    ends = runs.run_ends.to_pylist()
    starts = pa.array([0, *ends[:-1]] if ends else [], pa.int64())

    def first_of(name: str | None) -> list[str | None]:
        return table[name].take(starts).to_pylist() if name is not None and not keys else [None] * len(ends)

    values = np.empty((0 if keys else len(layout.steps), len(table)))
    for place, name in enumerate(() if keys else layout.steps):
        values[place] = table[name].to_numpy()
    return Rows(
        runs.values.to_pylist(),
        ends,
        [one or "" for one in first_of(layout.category)],
        first_of(layout.text),
        numbers[layout.layer].astype(np.int64),
        numbers[layout.head].astype(np.int64),
        values,
    )


def _keys(rows: Rows) -> np.ndarray:
    return rows.layer * LARGEST_HEAD + rows.head


def _number(cell: str | None) -> float | None:
    """A cell's number, NaN if it is empty; None if it is not a number."""
    if cell is None or cell.strip().lower() in ("", "na", "n/a", "#n/a", "null", "nan", "-nan"):
        return float("nan")
    try:
        return float(cell)
    except ValueError:
        return None


def _nothing(files: Sequence[Path], found: Found) -> UsageError:
    why = f": {found.reasons[0]}" if found.reasons else ""
    return UsageError(f"{files[0]} has no row that can be read{why}", "give it question_id, layer, head, step_1 …")
