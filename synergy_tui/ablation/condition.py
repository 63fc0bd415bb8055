"""Units that are removed together: a value that requests carry. Light."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from synergy_tui.terms import PAIRS


@dataclass(frozen=True)
class Condition:
    """Units removed together, as numbers over all places of the map. order: the removal order. target: the order whose
    counts per layer a layer-matched one keeps; for pairs, the score that chose them. seed: of a control. fraction: of
    an order; None in a sweep, where `place` is the unit or the layer, and for pairs."""

    order: str
    target: str | None
    seed: int | None
    fraction: float | None
    units: tuple[int, ...]
    place: int | None = None

    @property
    def shard(self) -> str:
        """The name of its part of a job. A pair has one name, whichever score chose it."""
        if self.order == PAIRS:
            return "-".join(map(str, (self.order, *self.units)))
        where = repr(self.fraction) if self.place is None else self.place
        parts = [self.order, self.target, self.seed, where]
        return "-".join(str(part) for part in parts if part is not None)

    def told(self) -> dict[str, str]:
        """What its part contains, so that readers of the growing folder need not know how parts are named."""
        order = {"removal_order": self.order, "target": self.target, "seed": self.seed}
        where = {"fraction": self.fraction, "place": self.place}
        return {name: str(value) for name, value in (order | where).items() if value is not None}

    def key(self) -> dict[str, Any]:
        """Columns that identify it."""
        return {"removal_order": self.order, "target": self.target, "seed": self.seed, "fraction": self.fraction}


def answered(conditions: Sequence[Condition]) -> list[Condition]:
    """The conditions under which a subject answers by itself: for every order and seed the one nearest to a quarter of
    the units, a marked set and its controls whole, and nothing of a sweep."""
    groups: dict[tuple[str, str | None, int | None], list[Condition]] = {}
    for one in conditions:
        if one.fraction is not None:
            groups.setdefault((one.order, one.target, one.seed), []).append(one)
    chosen = set()
    for (order, target, _), some in groups.items():
        shares = [one.fraction or 0.0 for one in some]
        best = max(shares) if "marked" in (order, target) else min(shares, key=lambda share: abs(share - 0.25))
        chosen |= {one for one in some if one.fraction == best}
    return [one for one in conditions if one in chosen]
