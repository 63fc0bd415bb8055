"""Makes the gguf library read faster, with the same results, while transformers loads a GGUF file.

transformers makes a reader of the file for the configuration, for the weights and for the tokenizer, and each reader
makes an array of every length and every string of the vocabulary through a memory map. It requests the table of tensor
names once for every module of the model. Here a file is read once, in plain slices of its bytes, and a table is made
once.
"""

from __future__ import annotations

import contextlib
import functools
import os
import struct
import sys
from collections.abc import Iterator
from typing import Any

import gguf
import numpy as np
from numpy.typing import DTypeLike, NDArray

_THEIRS = gguf.GGUFReader, gguf.get_tensor_name_map


class Reader(gguf.GGUFReader):
    """The same fields as GGUFReader, in the same order and of the same types. Raises what GGUFReader raises."""

    @functools.cached_property
    def _bytes(self) -> NDArray[np.uint8]:
        return np.asarray(self.data)  # a slice of a memory map costs as much as ten of an array

    def _get(self, offset: int, dtype: DTypeLike, count: int = 1, override_order: Any = None) -> NDArray[Any]:
        kind = np.dtype(dtype).newbyteorder(override_order or self.byte_order)
        return self._bytes[offset : offset + kind.itemsize * int(count)].view(kind)

    def _get_field_parts(self, orig_offs: int, raw_type: int) -> tuple[int, list[Any], list[int], list[Any]]:
        strings = int(raw_type) == gguf.GGUFValueType.ARRAY and self.byte_order == "I" and sys.byteorder == "little"
        if not strings or self._get(orig_offs, np.uint32)[0] != gguf.GGUFValueType.STRING:
            return super()._get_field_parts(orig_offs, raw_type)
        count = int(self._get(orig_offs + 4, np.uint64)[0])
        parts: list[NDArray[Any]] = [self._get(orig_offs, np.uint32), self._get(orig_offs + 4, np.uint64)]
        place, whole, length_of = orig_offs + 12, self._bytes, struct.Struct("<Q").unpack_from
        for _ in range(count):
            begin = place + 8
            end = begin + length_of(whole.data, place)[0]
            parts += (whole[place:begin].view("<u8"), whole[begin:end])
            place = end
        types = [gguf.GGUFValueType.ARRAY, *([gguf.GGUFValueType.STRING] if count else [])]
        return place - orig_offs, parts, list(range(3, 2 * count + 2, 2)), types


@contextlib.contextmanager
def quick() -> Iterator[None]:
    """Within it, the gguf library's reader and tables of names are replaced by these. They give the same results, so
    other threads lose nothing."""

    @functools.cache
    def once(path: str) -> Reader:
        return Reader(path)

    def reader(path: os.PathLike[str] | str, mode: str = "r") -> Any:
        return once(os.fspath(path)) if mode == "r" else _THEIRS[0](path, mode)

    gguf.GGUFReader, gguf.get_tensor_name_map = reader, functools.cache(_THEIRS[1])
    try:
        yield
    finally:
        gguf.GGUFReader, gguf.get_tensor_name_map = _THEIRS
