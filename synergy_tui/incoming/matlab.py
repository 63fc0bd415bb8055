"""Arrays of .mat files: SciPy reads files up to version 7, h5py those of version 7.3, which are HDF5."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from synergy_tui.errors import UsageError, with_extra
from synergy_tui.incoming.arrays import Stored, within_memory
from synergy_tui.incoming.blocks import told_of

HDF5 = b"\x89HDF\r\n\x1a\n"

NUMBERS = {"double", "single", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))}
"""MATLAB's classes of numbers."""


def of_mat(file: Path) -> dict[str, Stored]:
    """The arrays of numbers in a .mat file, and those in its cells, as name{1}, name{2} …. Raises UsageError."""
    next_step = "save it in MATLAB with save, or with scipy.io.savemat"
    with told_of(file, next_step):
        with open(file, "rb") as stream:
            head = stream.read(1024)
        if head[:8] == HDF5 or HDF5 in (head[512 : 512 + 8],):
            return _of_hdf5(file)
        from scipy.io import loadmat, matlab, whosmat

        try:
            found = whosmat(file)
            out: dict[str, Stored] = {}
            for name, shape, kind in found:
                wanted = int(np.prod(shape, dtype=float))
                within_memory(file, 8 * wanted, file.stat().st_size)
                if kind == "cell":
                    out |= _cells(name, loadmat(file, variable_names=[name])[name])
                elif kind in NUMBERS:
                    out[name] = Stored(tuple(shape), _TYPES.get(kind, kind), _reading(file, name))
            return out
        except (matlab.MatReadError, NotImplementedError, TypeError, KeyError, IndexError, MemoryError) as error:
            raise ValueError(str(error) or "it is not a .mat file") from None


_TYPES = {"double": "float64", "single": "float32"}


def _reading(file: Path, name: str) -> Any:
    def read() -> np.ndarray:
        from scipy.io import loadmat

        with told_of(file, "save it anew"):
            return np.asarray(loadmat(file, variable_names=[name])[name])

    return read


def _cells(name: str, cell: np.ndarray) -> dict[str, Stored]:
    """The arrays of numbers in a cell array, in MATLAB's order."""
    out = {}
    for number, one in enumerate(cell.ravel(order="F"), 1):
        if isinstance(one, np.ndarray) and one.dtype.kind in "fiu":
            out[f"{name}{{{number}}}"] = Stored(one.shape, str(one.dtype), partial(np.asarray, one))
    return out


def _of_hdf5(file: Path) -> dict[str, Stored]:
    try:
        import h5py
    except ImportError:
        raise UsageError(f"{file} is a .mat file of version 7.3, which h5py reads", with_extra("mat")) from None

    def read(path: str) -> np.ndarray:
        with told_of(file, "save it anew"), h5py.File(file, "r") as opened:
            # HDF5 has the axes of MATLAB's arrays in the opposite order.
            return np.ascontiguousarray(np.asarray(opened[path]).T)

    def stored(path: str, one: Any) -> Stored:
        if one.external or one.is_virtual:
            raise ValueError(f"{path} points into other files")
        within_memory(file, one.size * one.dtype.itemsize, one.id.get_storage_size())
        return Stored(tuple(one.shape[::-1]), str(one.dtype), lambda: read(path))

    out: dict[str, Stored] = {}
    with h5py.File(file, "r") as opened:
        for path, one in _datasets(opened, h5py):
            if one.dtype.kind in "fiu" and _class(one) in NUMBERS:
                out[path] = stored(path, one)
            elif h5py.check_ref_dtype(one.dtype) is h5py.Reference and _class(one) == "cell":
                for number, reference in enumerate(np.asarray(one).T.ravel(order="F"), 1):
                    part = opened[reference] if reference else None
                    if isinstance(part, h5py.Dataset) and part.dtype.kind in "fiu":
                        out[f"{path}{{{number}}}"] = stored(part.name, part)
    return out


def _datasets(opened: Any, h5py: Any) -> Iterator[tuple[str, Any]]:
    """Variables of a file, without those that are in other files."""
    for name in opened:
        if name.startswith("#"):
            continue
        link = opened.get(name, getlink=True)
        if isinstance(link, h5py.HardLink) and isinstance(opened[name], h5py.Dataset):
            yield name, opened[name]


def _class(dataset: Any) -> str:
    """MATLAB's class of a dataset; HDF5 of other programs has no class and is taken for numbers."""
    found = dataset.attrs.get("MATLAB_class", b"double")
    if dataset.attrs.get("MATLAB_empty", 0):
        return "empty"
    return found.decode() if isinstance(found, bytes) else str(found)
