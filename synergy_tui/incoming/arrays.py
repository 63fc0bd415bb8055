"""Files → named arrays: .npy, .npz, .safetensors, and tables of numbers. Nothing is unpickled, and the size that a file
declares is checked before memory is taken for it."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa

from synergy_tui.errors import UsageError
from synergy_tui.incoming.blocks import Text, parsed, told_of
from synergy_tui.incoming.source import listed

PACKED = 200
"""Most times its size on the disk that a series may unpack to: measured series do not reach it."""

SMALL = 1 << 28
"""Bytes below which the unpacked size of a file does not matter."""


@dataclass(frozen=True)
class Stored:
    """An array in a file: its shape and type as the file declares them, and how it is read."""

    shape: tuple[int, ...]
    dtype: str
    read: Callable[[], np.ndarray]

    def __str__(self) -> str:
        return str(list(self.shape))


def of_npy(file: Path) -> dict[str, Stored]:
    """The array of a .npy file."""
    with told_of(file, "save it with numpy.save, without pickle"):
        found = np.load(file, mmap_mode="r", allow_pickle=False)
    if isinstance(found, np.ndarray):
        within_memory(file, found.nbytes, file.stat().st_size)
        return {file.stem: Stored(found.shape, str(found.dtype), lambda: np.load(file, allow_pickle=False))}
    raise UsageError(f"{file} cannot be read: it is not a .npy file", "save it with numpy.save, without pickle")


def of_npz(file: Path) -> dict[str, Stored]:
    """The arrays of a .npz file."""
    out: dict[str, Stored] = {}

    def read(name: str) -> np.ndarray:
        with told_of(file, "save it with numpy.savez, without pickle"), np.load(file, allow_pickle=False) as arrays:
            return np.asarray(arrays[name])

    with told_of(file, "save it with numpy.savez, without pickle"):
        try:
            with zipfile.ZipFile(file) as archive:
                for member in archive.infolist():
                    if not member.filename.endswith(".npy"):
                        continue
                    with archive.open(member) as stream:
                        version = np.lib.format.read_magic(stream)
                        header = getattr(np.lib.format, f"read_array_header_{version[0]}_0", None)
                        if header is None:
                            raise ValueError(f"a .npy file of version {version}")
                        shape, _, dtype = header(stream)
                    if not dtype.hasobject:
                        wanted = int(np.prod(shape, dtype=float)) * dtype.itemsize
                        within_memory(file, max(wanted, member.file_size), member.compress_size)
                    name = member.filename.removesuffix(".npy")
                    out[name] = Stored(tuple(shape), str(dtype), partial(read, name))
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
            raise ValueError(str(error)) from None
    return out


def of_safetensors(file: Path) -> dict[str, Stored]:
    """The arrays of a .safetensors file; bfloat16 is read as float32."""
    from safetensors import SafetensorError, safe_open

    def read(name: str, dtype: str) -> np.ndarray:
        if dtype == "BF16":
            return _bfloat16(file, name)
        with safe_open(file, framework="numpy") as tensors:
            return np.asarray(tensors.get_tensor(name))

    with told_of(file, "save it with safetensors.numpy.save_file"):
        file.open("rb").close()
        try:
            with safe_open(file, framework="numpy") as tensors:
                out = {}
                for name in tensors.keys():  # noqa: SIM118 - it is not a mapping
                    part = tensors.get_slice(name)
                    shape, dtype = tuple(part.get_shape()), part.get_dtype()
                    told = _NUMPY.get(dtype, dtype)
                    out[name] = Stored(shape, told, partial(read, name, dtype))
                return out
        except SafetensorError as error:
            raise ValueError(str(error)) from None


_NUMPY = {"BF16": "float32", "F64": "float64", "F32": "float32", "F16": "float16"} | {
    f"{sign}{bits}": f"{'u' if sign == 'U' else ''}int{bits}" for sign in "IU" for bits in (8, 16, 32, 64)
}


def _bfloat16(file: Path, name: str) -> np.ndarray:
    """Reads bfloat16, which NumPy lacks: its bits are the upper half of float32's."""
    with open(file, "rb") as stream:
        size = int.from_bytes(stream.read(8), "little")
        about = json.loads(stream.read(size))[name]
        begin, end = about["data_offsets"]
        stream.seek(8 + size + begin)
        bits = np.frombuffer(stream.read(end - begin), "<u2")
    return (bits.astype(np.uint32) << 16).view(np.float32).reshape(about["shape"])


@dataclass(frozen=True)
class Numbers:
    """A table of numbers as it stands. rows, columns: their names; None if they have no names."""

    values: np.ndarray
    rows: tuple[str, ...] | None
    columns: tuple[str, ...] | None
    said: list[str]


def of_text(text: Text) -> Numbers:
    """A table of text that holds numbers, perhaps with a line and a column of names. An unnamed column that only counts
    the rows does not belong to the numbers, and neither does a line that only counts the columns. Raises
    UsageError."""
    header = text.header
    file, said = text.file, []
    has_header = any(cell.strip() and not _is_number(cell) for cell in header)
    if not has_header and _counts(header):
        has_header = True
        said.append(f"the first line of {file.name} only counts columns and is left out")
    names = [f"c{k}" for k in range(len(header))]
    parts = []
    with told_of(file, "save rows of numbers, with nothing else but one line and one column of names"):
        for line, block in text.blocks(has_header):
            types = {name: pa.float64() for name in names}
            try:
                parts.append(parsed(block, names, text.delimiter, types))
            except pa.ArrowInvalid:
                try:
                    # Only a single thread says in which line it meets a cell that is not a number.
                    named = types | {"c0": pa.string()}
                    parts.append(parsed(block, names, text.delimiter, named, invalid_row_handler=lambda row: "error"))
                except pa.ArrowInvalid as error:
                    raise ValueError(_with_line(str(error), line)) from None
    if not parts:
        raise UsageError(f"{file} has no rows", "give it some")
    labels: tuple[str, ...] | None = None
    if any(part["c0"].type == pa.string() for part in parts):
        labels = tuple(str(one) for part in parts for one in part["c0"].cast(pa.string()).to_pylist())
        names = names[1:]
    rows = sum(map(len, parts))
    within_memory(file, rows * len(names) * 8, file.stat().st_size)
    values = np.empty((rows, len(names)))
    for k, name in enumerate(names):
        values[:, k] = np.concatenate([part[name].to_numpy() for part in parts]) if names else 0
    columns = tuple(header[-len(names) :]) if has_header and names else None
    if columns and labels is None and not header[0].strip() and np.array_equal(values[:, 0], np.arange(rows)):
        said.append(f"the unnamed first column of {file.name} only counts rows and is left out")
        values, columns = values[:, 1:], columns[1:]
    if columns and all(_is_number(name) for name in columns):
        columns = None
    return Numbers(values, labels, columns, said)


def _with_line(told: str, line: int) -> str:
    """Arrow's message about a cell, with the line of the file and the column counted from 1."""
    told = re.sub(r"Row #(\d+)", lambda found: f"line {line + int(found[1]) - 1}", told)
    return re.sub(r"column #(\d+)", lambda found: f"column {int(found[1]) + 1}", told).removeprefix("In CSV ")


def _counts(cells: list[str]) -> bool:
    """Whether a line only counts columns, from 0 or 1; an unnamed column before them has the rows' names."""
    rest = [cell.strip() for cell in (cells[1:] if not cells[:1] or not cells[0].strip() else cells)]
    return len(rest) > 2 and any(rest == [str(k) for k in range(first, first + len(rest))] for first in (0, 1))


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return cell.strip().lower() in ("na", "null", "n/a")
    return True


def within_memory(file: Path, wanted: int, packed: int) -> None:
    """Raises UsageError if an array does not fit into memory, or is so much larger than its file that somebody must
    have made it so."""
    if wanted > SMALL and wanted > PACKED * max(packed, 1):
        raise UsageError(
            f"{file} unpacks {packed / 1e6:,.1f} MB to {wanted / 1e9:,.1f} GB: that is not a series",
            "check where it comes from",
        )
    free = psutil.virtual_memory().available
    if wanted > free:
        raise UsageError(
            f"{file} holds {wanted / 1e9:,.1f} GB and {free / 1e9:,.1f} GB of memory are free",
            "import parts of it, or a step table, which is read in blocks",
        )


def chosen(file: Path, stored: Mapping[str, Stored], names: tuple[str, ...], every: bool) -> list[tuple[str, Stored]]:
    """The arrays of a file that are series: the named ones, with `every` all that can be series, the one called series,
    or the only one. Raises UsageError if there is no such array, or the choice is not clear."""
    missing = [name for name in names if name not in stored]
    told = listed([f"{name} {one}" for name, one in stored.items()], 8)
    if missing:
        raise UsageError(f"{file} has no array {listed(missing)}: it holds {told or 'nothing'}", "name one of these")
    if names:
        return [(name, stored[name]) for name in names]
    fit = {name: one for name, one in stored.items() if len(one.shape) in (2, 3) and np.dtype(one.dtype).kind in "fiu"}
    if every and fit:
        return list(fit.items())
    if len(stored) == 1:
        return list(stored.items())
    if "series" in fit:
        return [("series", fit["series"])]
    if len(fit) == 1:
        return list(fit.items())
    raise UsageError(
        f"{file} holds {told or 'nothing'}",
        "--array NAME chooses one or several, --all takes all as recordings; or call the series `series`",
    )
