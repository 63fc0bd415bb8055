"""The conditions of an ablation as parts of its job, and how many of their control sets are drawn."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import pyarrow as pa

from synergy_tui.ablation.condition import Condition
from synergy_tui.analysis.sequential import LOOK, LOOKS
from synergy_tui.jobs import parts
from synergy_tui.jobs.folder import JobFolder
from synergy_tui.jobs.specs import AblateSpec
from synergy_tui.jobs.specs.ablate import DECIDED
from synergy_tui.jobs.worker.executors.crew import Crew
from synergy_tui.jobs.worker.executors.making import Wanted
from synergy_tui.jobs.worker.progress import Progress

Group = tuple[str, str | None]
"""Control sets that differ only in their seed: a control, and the order it is matched to."""


def group(one: Condition) -> Group:
    """The group of a control set."""
    return one.order, one.target


def drawn(
    spec: AblateSpec,
    conditions: Sequence[Condition],
    measure: Callable[[list[Condition], int], None],
    wanted: Callable[[list[Condition]], Collection[Group]],
) -> list[Condition]:
    """Has conditions measured and returns the measured ones: all at once, or, if the spec stops when the verdict is
    decided, first everything except controls with later seeds, and then, look by look, controls of the groups still
    wanted. measure: measures a look, and gets its number. wanted: groups that need more, given the measured ones."""
    if spec.stop != DECIDED:
        measure(list(conditions), 0)
        return list(conditions)
    made: list[Condition] = []
    groups: Collection[Group] | None = None
    for number in range(len(LOOKS)):
        some = [
            one for one in conditions if _look(spec, one) == number and (not number or group(one) in (groups or ()))
        ]
        if some:
            measure(some, number)
            made += some
        groups = wanted(made)
        if not groups:
            break
    there = set(made)
    return [one for one in conditions if one in there]


def _look(spec: AblateSpec, one: Condition) -> int:
    """The look that a condition is drawn for."""
    return 0 if one.seed is None else (one.seed - spec.seed) // LOOK


class Bench:
    """An ablation whose parts are made by its crew. shape: (layers, units per layer) of the map."""

    def __init__(
        self, job: JobFolder, spec: AblateSpec, shape: tuple[int, int], crew: Crew, progress: Progress
    ) -> None:
        self.job, self.spec, self.shape, self.crew, self.progress = job, spec, shape, crew, progress

    @property
    def places(self) -> int:
        """Places of the map."""
        return self.shape[0] * self.shape[1]

    def measured(self, conditions: Sequence[Condition], **stage: Any) -> list[pa.Table]:
        """prompt, divergence, top1, surprisal_change under each condition. stage: as Crew.make takes it, without the
        arguments that are the same for all conditions."""
        wanted = {
            one.shard: Wanted(one.shard, given={"do": "condition", "units": one.units, "told": one.told()})
            for one in conditions
        }
        self.made(list(wanted.values()), "divergence", total=len(wanted), unit="conditions", **stage)
        return [self.table(one.shard) for one in conditions]

    def made(self, wanted: Sequence[Wanted], column: str, **stage: Any) -> None:
        """Has parts made that are tables with a certain column."""

        def whole(name: str) -> bool:
            table = parts.read(self.job, name)
            return table is not None and column in table.column_names

        self.crew.make(wanted, whole, **stage)

    def table(self, name: str) -> pa.Table:
        """A part. Raises OSError."""
        table = parts.read(self.job, name)
        if table is None:
            raise OSError(f"part {name} was there and is gone")
        return table

    def column(self, name: str, column: str) -> list[Any]:
        """One column of a part. Raises OSError."""
        found: list[Any] = self.table(name)[column].to_pylist()
        return found
