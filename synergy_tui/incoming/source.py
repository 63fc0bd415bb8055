"""The protocol of a source of responses; arrays in memory → a source."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, TypeVar

import numpy as np

from synergy_tui.errors import UsageError

Item = TypeVar("Item")

Passed = Callable[[int, int], None]
"""Hears how much has been read, and of how much."""


class Response(NamedTuple):
    """The activity [units, steps] of all units over one prompt, NaN where there is none."""

    id: str
    values: np.ndarray
    category: str = ""
    text: str | None = None


class Source(Protocol):
    """Responses that can be read through repeatedly."""

    @property
    def units(self) -> int:
        """Number of units."""
        ...

    @property
    def dtype(self) -> str:
        """Type of the values."""
        ...

    @property
    def places(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Layer and head of each unit, if the source names them."""
        ...

    @property
    def names(self) -> tuple[str, ...] | None:
        """Names of the units, if the source has them."""
        ...

    @property
    def zeros(self) -> str | None:
        """What exact zeros at the end of a response mean, if the source knows it."""
        ...

    def responses(self) -> Iterator[Response]:
        """All of them, in order."""
        ...

    def notes(self) -> list[str]:
        """What looked suspicious about the source, once its responses have been read."""
        ...

    def again(self) -> None:
        """Prepares to read the responses once more, after they turned out to be unlike what was expected."""
        ...


@dataclass
class Arrays:
    """Responses in memory."""

    found: Sequence[Response]
    names: tuple[str, ...] | None = None
    said: list[str] = field(default_factory=list)
    places: tuple[np.ndarray, np.ndarray] | None = None
    zeros: str | None = None

    def __post_init__(self) -> None:
        self.units = len(self.found[0].values)
        self.dtype = str(np.result_type(*{one.values.dtype for one in self.found}))

    def responses(self) -> Iterator[Response]:
        """All of them, in order."""
        return iter(self.found)

    def notes(self) -> list[str]:
        """The remarks about the arrays from when they were read."""
        return self.said

    def again(self) -> None:
        """Nothing needs preparing."""


def ahead(items: Iterator[Item]) -> Iterator[Item]:
    """The same items; another thread makes each while the caller works on the one before."""
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(next, items, None)
        while (one := waiting.result()) is not None:
            waiting = pool.submit(next, items, None)
            yield one


def checked(array: np.ndarray, name: str = "") -> np.ndarray:
    """An array of numbers [units, steps] or [prompts, units, steps] that is not empty. Raises UsageError."""
    array = np.asarray(array)
    if array.ndim not in (2, 3) or array.dtype.kind not in "fiu" or min(array.shape) == 0:
        told = f"{name} is" if name else "this is"
        raise UsageError(
            f"a series is [prompts, units, steps] or [units, steps] of numbers; {told} {array.dtype} "
            f"{list(array.shape)}",
            "add the missing axis, or transpose it",
        )
    return array


def responses_of(
    recordings: Sequence[tuple[str, np.ndarray]], segment: int | None = None
) -> tuple[list[Response], list[str]]:
    """Recordings, each a name and an array [units, steps] or [prompts, units, steps] → responses, and remarks about
    them. segment: cuts every response into pieces of so many steps. Raises UsageError if the recordings differ in their
    units, and if nothing is left."""
    sizes = {array.shape[-2] for _, array in recordings}
    if len(sizes) > 1:
        told = ", ".join(f"{name} {list(array.shape)}" for name, array in recordings[:5])
        raise UsageError(f"recordings have unequal numbers of units: {told}", "take those that have the same")
    out, left = [], []
    for name, array in recordings:
        several = len(recordings) > 1
        cut = array if array.ndim == 3 else array[None]
        for number, values in enumerate(cut):
            called = name if array.ndim == 2 else f"{name}:{number}" if several else str(number)
            category = name if several and len(cut) > 1 else ""
            if segment is None:
                out.append(Response(called, values, category))
                continue
            known = values.shape[1] - _empty_end(values)
            parts, rest = divmod(known, segment)
            if rest:
                left.append(f"the last {rest} of {known:,} steps of {called}")
            beginning = f"{called}:" if several or array.ndim == 3 else ""
            for part in range(parts):
                piece = values[:, part * segment : (part + 1) * segment]
                out.append(Response(f"{beginning}{part}", piece, called if several else ""))
    if not out:
        raise UsageError(f"no response has {segment} steps", "choose shorter segments")
    said = [f"{listed(left)} fill no segment of {segment} and are left out"] if left else []
    return out, said


def _empty_end(values: np.ndarray) -> int:
    """Steps at the end at which no unit has a value."""
    there = ~np.isnan(values).all(axis=0)
    return int(there[::-1].argmax()) if there.any() else values.shape[1]


def listed(names: Sequence[str], most: int = 5) -> str:
    """The first of some names, and how many more there are."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"
