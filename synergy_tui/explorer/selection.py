"""What all views share: the run, what the map shows, the unit under the cursor, its partner, the prompt, the marks."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from synergy_tui.errors import UsageError
from synergy_tui.terms import RANKINGS

if TYPE_CHECKING:
    import numpy as np

MOST_UNDO = 100


@dataclass
class Selection:
    """One for the whole app. unit, partner: numbers over all layers. prompt, step: as in the capture. marks: unit
    numbers. score: what the map shows. atom: of the pairs and tokens."""

    score: str = RANKINGS[0]
    unit: int = 0
    partner: int | None = None
    prompt: int = 0
    step: int = 0
    atom: str = "sts"
    masked: bool = False
    marks: frozenset[int] = frozenset()
    _before: list[frozenset[int]] = field(default_factory=list)

    def copy(self) -> Selection:
        """As it is now, whatever becomes of this one."""
        return replace(self, _before=list(self._before))

    def mark(self, marks: frozenset[int]) -> None:
        """Replaces the marks; `undo` brings the old ones back."""
        if marks != self.marks:
            self._before = [*self._before[-MOST_UNDO:], self.marks]
            self.marks = marks

    def toggle(self, units: frozenset[int]) -> None:
        """Marks the units, or unmarks them when all of them are marked."""
        self.mark(self.marks - units if units <= self.marks else self.marks | units)

    def undo(self) -> bool:
        """Takes the last change of the marks back; False when there is none."""
        if not self._before:
            return False
        self.marks = self._before.pop()
        return True

    def enter(self, units: int) -> None:
        """A run of so many units: what does not exist there is let go."""
        self.unit = min(self.unit, max(units - 1, 0))
        self.partner = self.partner if self.partner is not None and self.partner < units else None
        self.marks = frozenset(one for one in self.marks if one < units)
        self._before = []


def by_rule(rule: str, scores: dict[str, np.ndarray], per_layer: int) -> frozenset[int]:
    """The units that a rule names: `top 25 % of rank`, `bottom 10 of sts in layers 10-20`, `excess > 0`, `all`.
    scores: [units] by name; `rank` is the default ranking. Units without a value are never marked. Raises UsageError
    for anything else."""
    import numpy as np

    text = " ".join(rule.lower().replace("–", "-").replace("%", " % ").split())
    layers, where = None, re.fullmatch(r"(.+?) in layers? (\d+)(?: ?(?:-|to) ?(\d+))?", text)
    if where:
        text = where[1]
        layers = range(int(where[2]), int(where[3] or where[2]) + 1)
    values = next(iter(scores.values()))
    inside = np.ones(len(values), bool)
    if layers is not None:
        inside = np.isin(np.arange(len(values)) // per_layer, list(layers[:100_000]))
    if text == "all":
        return frozenset(np.flatnonzero(inside).tolist())
    if found := re.fullmatch(r"(top|bottom) (\d+(?:\.\d+)?) ?(%)? ?(?:of|by) ([\w-]+)", text):
        values = _score(found[4], scores)
        chosen = np.flatnonzero(inside & np.isfinite(values))
        count = float(found[2]) * (len(chosen) / 100 if found[3] else 1)
        order = chosen[np.argsort(values[chosen], kind="stable")]
        order = order[::-1] if found[1] == "top" else order
        return frozenset(order[: int(np.floor(min(count, len(order)) + 0.5))].tolist())
    if found := re.fullmatch(r"([\w-]+) ?(>=|<=|>|<) ?([-+]?\d*\.?\d+(?:e[-+]?\d+)?)", text):
        values, limit = _score(found[1], scores), float(found[3])
        with np.errstate(invalid="ignore"):
            passed = {">": values > limit, "<": values < limit, ">=": values >= limit, "<=": values <= limit}[found[2]]
        return frozenset(np.flatnonzero(inside & passed).tolist())
    raise UsageError(f"{rule!r} is no rule", "try: top 25 % of rank in layers 10-20 · sts > 0.1 · all in layer 3")


def _score(word: str, scores: dict[str, np.ndarray]) -> np.ndarray:
    name = {"rank": RANKINGS[0], "synergy": "sts", "redundancy": "rtr"}.get(word, word.replace("_", "-"))
    if name not in scores:
        raise UsageError(f"no score {word!r}", f"known: rank, {', '.join(scores)}")
    return scores[name]
