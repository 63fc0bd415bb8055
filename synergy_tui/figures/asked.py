"""What a figure shows, and which options a kind of figure takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from synergy_tui.errors import UsageError
from synergy_tui.store import load
from synergy_tui.store.cache import Cache
from synergy_tui.terms import RANKINGS
from synergy_tui.units import Naming

TAKES: Mapping[str, tuple[str, ...]] = {
    "map": ("ranking", "score", "unit"),
    "profile": ("ranking", "score", "category"),
    "pairs": ("score", "pair"),
    "network": ("score",),
    "tokens": ("score", "prompt", "unit", "pair", "category"),
    "ablation": ("score",),
    "difficulty": ("score",),
    "compare": ("other", "ranking", "category"),
    "claims": (),
    "forest": ("claim",),
    "profiles": (),
}
"""Kind → the options that it takes."""


@dataclass(frozen=True)
class Asked:
    """The arguments of `figures.figure` that say what to show."""

    cache: Cache
    kind: str
    run: str
    other: str | None = None
    ranking: str | None = None
    score: str | None = None
    prompt: int | None = None
    unit: str | None = None
    pair: str | None = None
    category: str | None = None
    claim: str | None = None

    def __post_init__(self) -> None:
        """Raises UsageError for an unknown kind, and for options that the kind does not take."""
        if self.kind not in TAKES:
            raise UsageError(f"there is no figure {self.kind!r}", f"known: {', '.join(TAKES)}")
        every = dict.fromkeys(name for names in TAKES.values() for name in names)
        for name in every:
            if getattr(self, name) is not None and name not in TAKES[self.kind]:
                takes = ", ".join(f"--{one}" for one in TAKES[self.kind]) or "none"
                raise UsageError(f"figure {self.kind} takes no --{name}", f"of these options it takes {takes}")
        if self.ranking is not None and self.score is not None:
            raise UsageError("--ranking and --score both say what to show", "leave one of them out")
        if self.unit is not None and self.pair is not None:
            raise UsageError("--unit and --pair both say whose values to show", "leave one of them out")
        if self.ranking is not None and self.ranking not in RANKINGS:
            raise UsageError(f"no ranking {self.ranking!r}", f"known: {', '.join(RANKINGS)}")

    @property
    def order(self) -> str:
        """The ranking, or the default one."""
        return self.ranking or RANKINGS[0]

    def one_of(self, known: tuple[str, ...], default: str) -> str:
        """The score. Raises UsageError for an unknown one."""
        chosen = self.score or default
        if chosen not in known:
            raise UsageError(f"figure {self.kind} has no score {chosen[:40]!r}", f"known: {', '.join(known)}")
        return chosen

    def pair_of(self, naming: Naming) -> tuple[int, int] | None:
        """The two units of --pair. Raises UsageError for anything except two units with a comma between them."""
        if self.pair is None:
            return None
        for place in (at for at, sign in enumerate(self.pair) if sign == ","):  # names may have commas too
            parts = self.pair[:place], self.pair[place + 1 :]
            try:
                x, y = (naming.number(one) for one in parts)
            except UsageError:
                continue
            if x != y:
                return x, y
        raise UsageError(f"{self.pair[:60]!r} is not a pair of units", "name two units: --pair 3.1,4.2")


def there(cache: Cache, capture: str, unit: int, naming: Naming) -> int:
    """The unit. Raises UsageError if it is a hole of the map."""
    if unit not in load.layers_of_units(cache, capture):
        raise UsageError(f"there is no unit {naming.unit(unit)} in this run", "name one that its map shows")
    return unit


def part_of_card(cache: Cache, decomposition: str, part: str) -> str | None:
    """The `ablation` or `networks` that the newest card of a run was judged by, which may belong to another
    decomposition of the same capture; or None."""
    from synergy_tui.store import cards

    newest = cards.newest_card(cache, decomposition)
    found = (load.one(cache, "card", newest)["parts"] or {}).get(part) if newest is not None else None
    return found if isinstance(found, str) else None


def kind_of(cache: Cache, key: str, value: str) -> bool:
    """Whether an id belongs to a result of this kind (a key of tables.KEYS)."""
    from synergy_tui.store.tables import KEYS

    found: list[dict[str, Any]] = load.rows(cache, f"SELECT 1 FROM {KEYS[key]} WHERE {key} = $1", value)
    return bool(found)
