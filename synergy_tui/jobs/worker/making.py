"""What makes the parts of a job: a pure function of the spec and of what is gathered from the cache, the same here, in
another process, on another host.

A kind of job that can be made in several places has in its module

    gather(cache, spec) -> Given      what its maker takes from the cache
    Maker(spec, given, report)        loads the subject or prepares the series
    Maker.make(wanted, hearing)       makes a part
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from synergy_tui.jobs.parts import Content

Report = Callable[[str, str], None]
"""Hears of what a maker does before it can make parts: (name, detail)."""


@dataclass(frozen=True)
class Wanted:
    """A part that is to be made. weight: what it counts for in the stage's progress. given: what its maker has to know
    beside the name, as JSON."""

    name: str
    weight: float = 1.0
    given: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Given:
    """What a maker takes from the cache: arrays by name, and JSON."""

    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    told: Mapping[str, Any] = field(default_factory=dict)


class Hearing(Protocol):
    """Who is told how far a part is."""

    def check(self) -> None:
        """Raises Cancelled or Paused when the job was asked to stop."""

    def advance(self, parts: float = 1) -> None:
        """Counts some of the part's weight as done, after a check."""


class Maker(Protocol):
    """See above."""

    def make(self, wanted: Wanted, hearing: Hearing) -> Content:
        """The part. Raises what work on it raises."""


class Makes(Protocol):
    """A module of a kind of job that can be made in several places."""

    def gather(self, cache: Any, spec: Any) -> Given:
        """What its maker takes from the cache."""

    def Maker(self, spec: Any, given: Given, report: Report) -> Maker:
        """What makes its parts."""


def module(kind: str) -> Any:
    """The module of a kind of job."""
    return importlib.import_module(f"synergy_tui.jobs.worker.{kind}")
