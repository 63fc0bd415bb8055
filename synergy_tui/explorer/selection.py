"""The state that all views share: run, shown score, unit under the cursor, its partner, prompt, marks."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from synergy_tui.errors import UsageError
from synergy_tui.terms import RANKINGS

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from synergy_tui.units import Naming

MOST_UNDO = 100


@dataclass
class Selection:
    """One selection for the whole app. unit, partner: numbers over all layers. prompt, step: as in the capture. marks:
    unit numbers. score: what the map shows. atom: for the pairs and tokens."""

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
        """A copy that does not change with this one."""
        return replace(self, _before=list(self._before))

    def mark(self, marks: frozenset[int]) -> None:
        """Replaces the marks; `undo` restores the old ones."""
        if marks != self.marks:
            self._before = [*self._before[-MOST_UNDO:], self.marks]
            self.marks = marks

    def toggle(self, units: frozenset[int]) -> None:
        """Marks the units, or unmarks them when all of them are marked."""
        self.mark(self.marks - units if units <= self.marks else self.marks | units)

    def undo(self) -> bool:
        """Undoes the last change of the marks; False when there is none."""
        if not self._before:
            return False
        self.marks = self._before.pop()
        return True

    def enter(self, there: np.ndarray) -> None:
        """Enters a run that has a unit in these places [places] of its map: a partner and marks that it lacks are
        dropped."""
        known = there.nonzero()[0]
        self.unit = int(known[abs(known - self.unit).argmin()]) if len(known) else 0
        self.partner = self.partner if self.partner is not None and self.partner in known else None
        self.marks = frozenset(self.marks & set(known.tolist()))
        self._before = []


def by_rule(rule: str, scores: dict[str, np.ndarray], per_layer: int, naming: Naming | None = None) -> frozenset[int]:
    """The units that a rule names: `top 25 % of rank`, `bottom 10 of sts in layers 10-20`, `excess > 0`, `all`; with
    naming also groups, as `all in frontal`, and comma-separated units. scores: [units] by name; `rank` is the default
    ranking. Units without a value are never marked. Raises UsageError for anything else."""
    import numpy as np

    text = _plain(rule)
    text, layers = _layers(text, naming)
    values = next(iter(scores.values()))
    inside = np.ones(len(values), bool)
    if naming is not None and naming.holes:
        inside[list(naming.holes)] = False
    if layers is not None:
        inside &= np.isin(np.arange(len(values)) // per_layer, list(layers[:100_000]))
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
    if naming is not None and layers is None and (units := _units(rule, naming)):
        return units
    where = "layers 10-20" if naming is None or not naming.groups else naming.groups[0]
    raise UsageError(f"{rule[:80]!r} is no rule", f"try: top 25 % of rank in {where} · sts > 0.1 · all in layer 3")


def _plain(text: str) -> str:
    return " ".join(text.lower().replace("–", "-").replace("%", " % ").split())


def _layers(text: str, naming: Naming | None) -> tuple[str, Sequence[int] | None]:
    """A rule without its last part, and the layers that this part names; None without such a part."""
    if where := re.fullmatch(r"(.+?) in layers? (\d+)(?: ?(?:-|to) ?(\d+))?", text):
        return where[1], range(int(where[2]), int(where[3] or where[2]) + 1)
    named = {_plain(name): layer for layer, name in enumerate(naming.groups)} if naming is not None else {}
    start = text.find(" in ")
    while named and start > 0:
        # A name may have commas, or the word `in`.
        words = re.sub(r"^(?:groups?|layers?) ", "", text[start + 4 :])
        parts = [words] if words in named else [one.strip() for one in words.split(",")]
        if all(one in named for one in parts):
            return text[:start], [named[one] for one in parts]
        start = text.find(" in ", start + 1)
    return text, None


def _units(rule: str, naming: Naming) -> frozenset[int]:
    """The listed units; empty if one of the words names no unit."""
    try:
        return frozenset(naming.number(one) for one in ([rule] if "," not in rule else rule.split(",")))
    except UsageError:
        return frozenset()


def _score(word: str, scores: dict[str, np.ndarray]) -> np.ndarray:
    name = {"rank": RANKINGS[0], "synergy": "sts", "redundancy": "rtr"}.get(word, word.replace("_", "-"))
    if name not in scores:
        raise UsageError(f"no score {word!r}", f"known: rank, {', '.join(scores)}")
    return scores[name]
