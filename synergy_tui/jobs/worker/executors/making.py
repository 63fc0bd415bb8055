"""What makes the parts of a job: a pure function of the spec and of data gathered from the cache, the same here, in
another process, on another host.

The module of a kind of job that can be made in several places has

    gather(cache, spec) -> Given      the data that its maker takes from the cache
    Maker(spec, given, report)        loads the subject or prepares the series
    Maker.make(wanted, hearing)       makes a part
"""

from __future__ import annotations

import importlib
import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from synergy_tui.errors import SynergyError
from synergy_tui.jobs import parts
from synergy_tui.jobs.folder import JobFolder
from synergy_tui.jobs.parts import Content

Report = Callable[[str, str], None]
"""Hears what a maker does before it can make parts: (name, detail)."""


@dataclass(frozen=True)
class Wanted:
    """A part to make. weight: its share in the stage's progress. given: what its maker must know besides the name, as
    JSON."""

    name: str
    weight: float = 1.0
    given: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Given:
    """The data that a maker takes from the cache: arrays by name, and JSON."""

    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    told: Mapping[str, Any] = field(default_factory=dict)


class Within(JobFolder):
    """A part of a job that has parts of its own, in folders of its name: a ladder's level."""

    inner: str

    def __init__(self, job: JobFolder, inner: str) -> None:
        super().__init__(job.path)
        object.__setattr__(self, "inner", inner)

    @property
    def shards(self) -> Path:
        return self.path / "shards" / self.inner

    @property
    def held(self) -> Path:
        return self.path / "held" / self.inner


GIVEN = "given"
"""The part of a Within that holds the data for makers of its parts."""


def keep_given(job: Within, given: Given) -> None:
    """Writes the data that makers take, for processes that cannot gather it themselves. Raises OSError."""
    told = np.frombuffer(json.dumps(dict(given.told)).encode(), np.uint8)
    arrays = {f"array.{name}": one for name, one in given.arrays.items()}
    parts.keep(job, GIVEN, parts.of_arrays(arrays | {"told": told}))


def kept_given(job: Within) -> Given:
    """Reads what `keep_given` wrote. Raises OSError if it is not there."""
    found = parts.read_arrays(job, GIVEN)
    if found is None:
        raise OSError(f"part {GIVEN} of {job.inner} was there and is gone")
    told = json.loads(found.pop("told").tobytes())
    return Given({name.removeprefix("array."): one for name, one in found.items()}, told)


class Hearing(Protocol):
    """Hears how far a part is."""

    def check(self) -> None:
        """Raises Cancelled or Paused when the job was asked to stop."""

    def advance(self, parts: float = 1) -> None:
        """Counts some of the part's weight as done, after a check."""


class Deaf:
    """Ignores progress: whoever started the work ends it."""

    def check(self) -> None:
        """Nothing."""

    def advance(self, parts: float = 1) -> None:
        """Nothing."""


class Maker(Protocol):
    """See above."""

    def make(self, wanted: Wanted, hearing: Hearing) -> Content:
        """The part. Raises the errors of the work on it."""


class Makes(Protocol):
    """A module of a kind of job that can be made in several places."""

    def gather(self, cache: Any, spec: Any) -> Given:
        """The data that its maker takes from the cache."""

    def Maker(self, spec: Any, given: Given, report: Report) -> Maker:
        """The maker of its parts."""


def module(kind: str) -> Any:
    """The module of a kind of job."""
    return importlib.import_module(f"synergy_tui.jobs.worker.{kind}")


def has_parts(kind: str) -> bool:
    """Whether jobs of a kind have parts that other processes can make."""
    return "crew" in inspect.signature(module(kind).work).parameters


def told_of(error: Exception, host: str = "") -> dict[str, Any]:
    """An error in the form that another process can raise. host: where it occurred."""
    where = f" (on {host})" if host else ""
    if isinstance(error, SynergyError):
        return {"what": f"{error.what}{where}", "next": error.next_step, "code": error.exit_code}
    if is_memory(error):
        return {"memory": True, "what": f"out of memory{where}"}
    words = (str(error).splitlines() or [""])[0]
    return {"what": f"unexpected {type(error).__name__}: {words}{where}", "next": "see jobs logs"}


def raise_told(told: Mapping[str, Any]) -> None:
    """Raises the error that another process reported."""
    if told.get("memory"):
        raise MemoryError(told.get("what", "out of memory"))
    error = SynergyError(str(told["what"]), str(told.get("next", "")))
    error.exit_code = int(told.get("code", 1))
    raise error


def raise_left(job: JobFolder) -> None:
    """Raises the error that a helper left in the job's folder."""
    for path in sorted(job.errors.glob("*.json")) if job.errors.is_dir() else ():
        try:
            told = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError):
            continue
        path.unlink(missing_ok=True)
        raise_told(told)


def is_memory(error: Exception) -> bool:
    """Whether memory ran out. NumPy and Python have a class for it, torch and JAX only words."""
    words = ("out of memory", "can't allocate memory", "RESOURCE_EXHAUSTED")
    return isinstance(error, MemoryError) or any(word in str(error) for word in words)
