"""The type of all plans."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from synergy_tui.jobs.cost import Cost
from synergy_tui.jobs.specs.base import Spec

S = TypeVar("S", bound=Spec, covariant=True)


@dataclass(frozen=True)
class Plan(Generic[S]):
    """A job that could be started. units: of the decomposition that may follow. notes: what a user should know before
    it starts."""

    spec: S
    cost: Cost
    units: int
    notes: tuple[str, ...] = ()
