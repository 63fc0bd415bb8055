"""The conditions of an ablation as parts of its job."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from synergy_tui.ablation.condition import Condition
from synergy_tui.jobs import parts
from synergy_tui.jobs.folder import JobFolder
from synergy_tui.jobs.specs import AblateSpec
from synergy_tui.jobs.worker.executors.crew import Crew
from synergy_tui.jobs.worker.executors.making import Wanted
from synergy_tui.jobs.worker.progress import Progress


class Bench:
    """An ablation whose parts are made by its crew. shape: (layers, units per layer) of the map."""

    def __init__(
        self, job: JobFolder, spec: AblateSpec, shape: tuple[int, int], crew: Crew, progress: Progress
    ) -> None:
        self.job, self.spec, self.shape, self.crew, self.progress = job, spec, shape, crew, progress

    @property
    def places(self) -> int:
        """Of the map."""
        return self.shape[0] * self.shape[1]

    def measured(self, conditions: Sequence[Condition], **stage: Any) -> list[pa.Table]:
        """prompt, divergence, top1, surprisal_change under each condition. stage: as Crew.make takes it, without
        what is the same for all conditions."""
        wanted = {
            one.shard: Wanted(one.shard, given={"do": "condition", "units": one.units, "told": one.told()})
            for one in conditions
        }
        self.made(list(wanted.values()), "divergence", total=len(wanted), unit="conditions", **stage)
        return [self.table(one.shard) for one in conditions]

    def made(self, wanted: Sequence[Wanted], column: str, **stage: Any) -> None:
        """Has parts made that are tables with a column."""

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
