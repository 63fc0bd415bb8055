"""Files of series, and the user's choices about them → a capture."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from synergy_tui.errors import UsageError
from synergy_tui.incoming import arrays, long, steps
from synergy_tui.incoming.arrays import Stored
from synergy_tui.incoming.blocks import DELIMITERS, Text, kind_of, read_table, told_of
from synergy_tui.incoming.mapping import Units, read_units
from synergy_tui.incoming.series import check_units
from synergy_tui.incoming.source import Arrays, Passed, Source, checked, responses_of
from synergy_tui.incoming.taking import REPEATS, Called, take
from synergy_tui.store.cache import Cache

KINDS = (".npy", ".npz", ".parquet", ".csv", ".tsv", ".mat", ".safetensors")
"""Files that hold series."""

LIKELY = 3
"""With so many times as many units as steps, an array may be steps × units."""


Recording = tuple[str, np.ndarray, list[str], tuple[str, ...] | None]
"""A series: its name, its values, remarks about it, and names of its units."""


@dataclass(frozen=True)
class Choices:
    """The user's choices about files of series. arrays: names of the arrays to take from files with several; every: all
    of them. transpose: they are [steps, units]. segment: cuts responses into pieces of so many steps. lengths: a table
    of the steps of every question of a step table. zeros, repeats: see taking.py."""

    arrays: tuple[str, ...] = ()
    every: bool = False
    transpose: bool = False
    segment: int | None = None
    lengths: Path | None = None
    zeros: str | None = None
    repeats: str = REPEATS[0]

    def words(self) -> list[str]:
        """The same as options of the command."""
        out = [word for name in self.arrays for word in ("--array", name)]
        out += ["--all"] * self.every + ["--transpose"] * self.transpose
        out += ["--segment", str(self.segment)] if self.segment else []
        out += ["--lengths", str(self.lengths.resolve())] if self.lengths else []
        out += ["--zeros", self.zeros] if self.zeros else []
        return out + (["--repeats", self.repeats] if self.repeats != REPEATS[0] else [])


def import_file(
    cache: Cache,
    files: Path | Sequence[Path],
    units: Path | None = None,
    *,
    name: str | None = None,
    min_steps: int = 20,
    choices: Choices | None = None,
    passed: Passed | None = None,
) -> str:
    """Imports one file or several as one capture and returns its id; captures.notes has what looked suspicious. units:
    a table with the names of units. passed: hears how much of a long table has been read. Raises UsageError."""
    files, choices = [files] if isinstance(files, Path) else list(files), choices or Choices()
    source = _source(cache, files, choices, passed)
    called = name or (files[0].name.removesuffix(".gz").rpartition(".")[0] or files[0].name)
    places = [str(file.resolve()) for file in files]
    table = ["--units", str(units.resolve())] if units else []
    words = ["synergy-tui", "import", *places, *table, "--name", called, "--min-steps", str(min_steps)]
    recipe = shlex.join([*words, *choices.words()])

    def named() -> Units:
        check_units(source.units)
        if units is not None:
            return read_units(units, source.units, source.places)
        layers, heads = source.places or (None, None)
        return Units.made(source.units, layers, heads, source.names)

    place = places[0] if len(places) == 1 else f"{places[0]} and {len(places) - 1} more"
    about = Called(called, place, min_steps, recipe, choices.zeros, choices.repeats)
    return take(cache, source, named, about)


def _source(cache: Cache, files: Sequence[Path], choices: Choices, passed: Passed | None) -> Source:
    for file in files:
        if kind_of(file) not in KINDS:
            raise UsageError(
                f"{file} is not a {', '.join(KINDS[:-1])} or {KINDS[-1]} file", "save the series as one of them"
            )
    tables = [file for file in files if kind_of(file) in (*DELIMITERS, ".parquet")]
    if tables and steps.is_steps(steps.columns_of(tables[0]), tables[0]):
        _refuse(choices, "array", "all", "transpose", "segment")
        lengths = steps.lengths_of(choices.lengths) if choices.lengths else None
        if len(tables) < len(files):
            raise UsageError("step tables and other files have no units in common", "import them one by one")
        return steps.Steps(files, lengths, cache.unfinished, passed)
    _refuse(choices, "lengths")
    recordings, said, names = [], [], None
    for file in files:
        for called, array, more, own in _recordings(file, choices):
            several = f"{file.stem}:{called}" if len(files) > 1 and called != file.stem else called
            recordings.append((several, array))
            said += more
            if names is not None and own != names:
                raise UsageError(f"{file} names other units than {files[0].name}", "bring them into one order")
            names = own
    responses, cut = responses_of(recordings, choices.segment)
    return Arrays(responses, names, [*dict.fromkeys(said), *cut])


def _refuse(choices: Choices, *names: str) -> None:
    """Raises UsageError for an option that does not apply to such files."""
    given = {"array": choices.arrays, "all": choices.every, "transpose": choices.transpose, "segment": choices.segment}
    for name in names:
        if given.get(name, choices.lengths if name == "lengths" else None):
            told = "step tables, with columns step_1 …" if name == "lengths" else "files other than step tables"
            raise UsageError(f"--{name} is for {told}", "leave it out")


def _recordings(file: Path, choices: Choices) -> list[Recording]:
    """The series in a file."""
    kind = kind_of(file)
    if kind in DELIMITERS:
        with told_of(file, "save it as text in UTF-8"):
            text = Text(file)
        if len({one.strip().lower() for one in text.header} & set(long.COLUMNS)) > 1:
            _refuse_choice(file, choices)
            return [(file.stem, long.of_table(read_table(file), file), [], None)]
        numbers = arrays.of_text(text)
        named = numbers.columns if choices.transpose else numbers.rows
        array, said = _turned(file, file.stem, numbers.values, choices)
        return [(file.name.partition(".")[0], array, numbers.said + said, named)]
    if kind == ".parquet":
        _refuse_choice(file, choices)
        with told_of(file, "save it as Parquet"):
            return [(file.stem, long.of_table(pq.ParquetFile(file).read(), file), [], None)]
    stored = _READERS[kind](file)
    some = arrays.chosen(file, stored, choices.arrays, choices.every)
    out: list[Recording] = []
    for name, one in some:
        with told_of(file, "save it without pickle"):
            read = checked(one.read(), name if len(stored) > 1 else "")
        array, said = _turned(file, name, read, choices)
        out.append((name if len(stored) > 1 else file.stem, array, said, None))
    return out


def _of_mat(file: Path) -> dict[str, Stored]:
    from synergy_tui.incoming.matlab import of_mat

    return of_mat(file)


_READERS = {".npy": arrays.of_npy, ".npz": arrays.of_npz, ".safetensors": arrays.of_safetensors, ".mat": _of_mat}


def _refuse_choice(file: Path, choices: Choices) -> None:
    if choices.transpose or choices.arrays:
        raise UsageError(f"{file} names prompt, unit and step of each value", "leave --transpose and --array out")


def _turned(file: Path, name: str, array: np.ndarray, choices: Choices) -> tuple[np.ndarray, list[str]]:
    """The array as [units, steps] or [prompts, units, steps], and a remark if it may be the other way round."""
    if choices.transpose:
        return np.swapaxes(array, -1, -2), []
    rows, columns = array.shape[-2:]
    if kind_of(file) in (".mat", *DELIMITERS) and rows > LIKELY * columns:
        return array, [
            f"{name} is taken for {rows:,} units of {columns:,} steps; if it is steps × units, import it with "
            "--transpose"
        ]
    return array, []
