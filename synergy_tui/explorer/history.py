"""Places that the user visited: views, runs and units, the newest last."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from synergy_tui.explorer.run import Place

MOST = 100


@dataclass(frozen=True)
class Stop:
    """A view on a unit of a run, in a score. place: None for a run in no cache."""

    view: str
    place: Place | None
    unit: int
    score: str


@dataclass
class History:
    """`leave` records a stop before the user leaves it, `back` returns the last one."""

    _stops: list[Stop] = field(default_factory=list)

    def leave(self, stop: Stop) -> None:
        """Records a stop, unless it was the last one recorded."""
        if not self._stops or self._stops[-1] != stop:
            self._stops = [*self._stops[-MOST + 1 :], stop]

    def back(self, here: Stop) -> Stop | None:
        """The last stop that differs from here; None when there is none."""
        while self._stops:
            found = self._stops.pop()
            if found != here:
                return found
        return None
