"""The subject of an ablation, and its behaviour without some of its units."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from synergy_tui.ablation import interventions
from synergy_tui.ablation.divergence import IntactBehaviour
from synergy_tui.ablation.interventions import Intervention
from synergy_tui.jobs.specs import AblateSpec
from synergy_tui.jobs.worker.answering import Examination
from synergy_tui.subject.loading import Subject
from synergy_tui.subject.sites import Units
from synergy_tui.tasks.graded import Task

KINDS: dict[str, Any] = {
    "zero": interventions.Zero,
    "mean": interventions.Mean,
    "resample": interventions.Resample,
    "noise": interventions.Noise,
}

OWN_ANSWERS = tuple(name for name, kind in KINDS.items() if kind.own_answers)
"""Interventions under which a subject can answer by itself."""


class Lab:
    """A subject with the intact behaviour that conditions are compared with."""

    def __init__(self, subject: Subject, spec: AblateSpec, texts: dict[int, dict[str, Any]]) -> None:
        self.subject, self.spec, self.texts = subject, spec, texts
        self.units = subject.units(spec.kinds)
        self.how = _intervention(subject, self.units, spec, texts)
        self.intact = self._intact(list(spec.replayed))
        self._examinations: dict[tuple[str, ...], Examination] = {}

    def under(self, units: tuple[int, ...] | list[int]) -> pa.Table:
        """prompt, divergence, top1, surprisal_change without the units."""
        return pa.table({"prompt": self.spec.replayed, **self.intact.under(self.removed(units))._asdict()})

    def examination(self, tasks: Sequence[Task]) -> Examination:
        """Tasks put to the subject; the same ones are encoded once."""
        asked = tuple(one.id for one in tasks)
        if asked not in self._examinations:
            spec = self.spec
            told = (spec.chat, spec.batch * 3, spec.answer_steps)
            self._examinations[asked] = Examination(self.subject, tasks, *told, self.intact.reader)
        return self._examinations[asked]

    def removed(self, units: tuple[int, ...] | list[int]) -> dict[int, list[int]]:
        """layer → places of its units."""
        out: dict[int, list[int]] = {}
        for unit in units:
            layer, place = divmod(int(unit), self.units.per_layer)
            out.setdefault(layer, []).append(place)
        return out

    def elsewhere(self, units: list[int], prompts: list[int]) -> float:
        """Divergence without the units on other prompts of the capture."""
        found = self._intact(prompts).under(self.removed(units)).divergence
        return float(np.mean(found))

    def _intact(self, prompts: list[int]) -> IntactBehaviour:
        asked, answered = ([self.texts[one][name] for one in prompts] for name in ("asked", "answered"))
        return IntactBehaviour(self.subject, asked, answered, self.spec.batch, self.how, units=self.units)


def _intervention(subject: Subject, units: Units, spec: AblateSpec, texts: dict[int, dict[str, Any]]) -> Intervention:
    kind = spec.intervention
    if kind == "mean":
        asked, answered = ([texts[one][name] for one in spec.reference_prompts] for name in ("asked", "answered"))
        return interventions.Mean(interventions.reference_means(subject, units, asked, answered, spec.batch))
    if kind == "resample":
        return interventions.Resample(spec.seed)
    if kind == "noise":
        return interventions.Noise(subject, spec.alpha, spec.seed)
    return interventions.Zero()
