"""The header of a GGUF file → architecture, sizes, and whether the file is whole. The gguf library parses every string
of the vocabulary into arrays, which takes 4 s for SmolLM2; reading the few numbers needed before a job starts takes
0.05 s here."""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import Any, BinaryIO

from synergy_tui.errors import SubjectError

_NUMBERS = {
    0: "<B",
    1: "<b",
    2: "<H",
    3: "<h",
    4: "<I",
    5: "<i",
    6: "<f",
    7: "<?",
    10: "<Q",
    11: "<q",
    12: "<d",
}
_STRING, _ARRAY = 8, 9
PARAMETERS = "parameters"
"""Key of the number of values in all tensors; no metadata uses it."""

TENSORS = "tensors"
"""Key of the number of values of each tensor, by its name."""

_KEPT = 4096
"""Largest number of values of an array to keep: one for each layer, not one for each token."""

_TYPES = frozenset((0, 1, *range(2, 4), *range(6, 9), *range(10, 15), *range(16, 24), 29, 30, 34, 35, 39, 40))
"""Tensor types that transformers and the gguf library de-quantise: F32, F16, Q4_0 … Q8_0, Q2_K … Q6_K, IQ…, BF16,
TQ1_0, TQ2_0, MXFP4, NVFP4."""

_LIMIT = 1 << 24
"""Largest accepted count or string length: a damaged or hostile header must not claim all memory."""


def read_header(path: Path) -> dict[str, Any]:
    """Metadata by key, without long arrays and arrays of texts. Raises SubjectError for a file that is missing, not
    GGUF, truncated, or has a tensor type that nothing here can read."""
    try:
        with open(path, "rb") as file:
            metadata, last_offset, unknown = _parse(file)
            size = path.stat().st_size
            start = _aligned(file.tell(), int(metadata.get("general.alignment", 32)))
    except OSError as error:
        raise SubjectError(f"{path} cannot be read: {error.strerror}", "check the path") from None
    except (struct.error, ArithmeticError, TypeError, ValueError, EOFError) as error:
        raise SubjectError(
            f"{path} is no whole GGUF file: {str(error) or 'its header ends early'}", "fetch it again"
        ) from None
    if unknown is not None:
        raise SubjectError(
            f"{path} has a tensor of the unknown type {unknown}", "give another quantisation, Q8_0 or Q4_K for example"
        )
    if size <= start + last_offset:
        raise SubjectError(f"{path} is truncated: {size:,} bytes, its tensors need more", "fetch it again")
    return metadata


def _parse(file: BinaryIO) -> tuple[dict[str, Any], int, int | None]:
    """Metadata, where the last tensor begins, and an unknown tensor type, if there is one."""
    if file.read(4) != b"GGUF":
        raise ValueError("it does not begin with GGUF")
    version, tensors, entries = _number(file, 4), _number(file, 10), _number(file, 10)
    if version not in (2, 3) or max(tensors, entries) > _LIMIT:
        raise ValueError(f"version {version} with {tensors:,} tensors")
    metadata: dict[str, Any] = {}
    for _ in range(entries):
        key = _string(file)
        value = _value(file, _number(file, 4))
        if value is not None:
            metadata[key] = value
    offsets, unknown = [0], None
    metadata[PARAMETERS], metadata[TENSORS] = 0, {}
    for _ in range(tensors):
        name = _string(file)
        count = math.prod(_number(file, 10) for _ in range(_number(file, 4)))
        metadata[TENSORS][name] = count
        metadata[PARAMETERS] += count
        if (kind := _number(file, 4)) not in _TYPES:
            unknown = kind
        offsets.append(_number(file, 10))
    return metadata, max(offsets), unknown


def _value(file: BinaryIO, kind: int) -> Any:
    """A scalar or a short array of numbers; other arrays are skipped and give None."""
    if kind == _STRING:
        return _string(file)
    if kind != _ARRAY:
        return _number(file, kind)
    kind, count = _number(file, 4), _number(file, 10)
    if count > _LIMIT or kind == _ARRAY:
        raise ValueError(f"an array of {count:,} values of kind {kind}")
    if kind in _NUMBERS and count <= _KEPT:
        return [_number(file, kind) for _ in range(count)]
    if kind in _NUMBERS:
        file.seek(count * struct.calcsize(_NUMBERS[kind]), 1)
    else:
        for _ in range(count):
            _value(file, kind)
    return None


def _string(file: BinaryIO) -> str:
    length = _number(file, 10)
    if length > _LIMIT:
        raise ValueError(f"a string of {length:,} bytes")
    return _exactly(file, length).decode("utf-8", "replace")


def _number(file: BinaryIO, kind: int) -> Any:
    if kind not in _NUMBERS:
        raise ValueError(f"a value of unknown kind {kind}")
    form = _NUMBERS[kind]
    return struct.unpack(form, _exactly(file, struct.calcsize(form)))[0]


def _exactly(file: BinaryIO, length: int) -> bytes:
    content = file.read(length)
    if len(content) != length:
        raise EOFError
    return content


def _aligned(place: int, alignment: int) -> int:
    return -(-place // alignment) * alignment
