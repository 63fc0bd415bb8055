"""The parts of a claims card: which of them exist, what the others cost, and the words for it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from synergy_tui.errors import SynergyError, UsageError
from synergy_tui.jobs.cost import Cost, card, total
from synergy_tui.jobs.specs.claims import PARTS, ClaimsRequest
from synergy_tui.terms import CLAIMS

if TYPE_CHECKING:
    from synergy_tui.explorer.run import Run


@dataclass(frozen=True)
class Parts:
    """The parts of one run's card. costs: the cost of each part that can be made. started: parts whose jobs run or
    wait. cannot: by part, why it cannot be made. foreseen: what the run's size alone decides. refused: why there is no
    card at all."""

    costs: dict[str, Cost] = field(default_factory=dict)
    started: frozenset[str] = frozenset()
    cannot: dict[str, str] = field(default_factory=dict)
    foreseen: tuple[str, ...] = ()
    refused: str = ""

    @property
    def missing(self) -> tuple[str, ...]:
        """Parts that can be picked."""
        return tuple(self.costs)

    def of(self, claim: str) -> tuple[str, ...]:
        """Parts that a claim lacks and that the user can pick or a job is making."""
        return tuple(part for part in _needed(claim) if part in self.costs or part in self.started)

    def price(self, picked: Collection[str]) -> Cost:
        """What the picked parts and the card cost."""
        return total([*(self.costs[part] for part in self.costs if part in picked), card()])


def read(run: Run, data: Path) -> Parts:
    """The parts that a run's card lacks. May block: it plans every part."""
    from synergy_tui.jobs import chain, plan

    try:
        made = plan.claims(run.place.cache, data, ClaimsRequest(decomposition=run.place.id))
    except SynergyError as error:
        return Parts(refused=str(error))
    costs = {part: price for part, price in made.costs().items() if part in PARTS}
    started = frozenset(one.name.partition(" ")[0] for one in chain.under_way(run.place.cache, made.links))
    left = {part: price for part, price in costs.items() if part not in started}
    return Parts(left, started, made.missing, tuple(made.foreseen))


def start(run: Run, data: Path, picked: Collection[str]) -> int:
    """Starts the jobs of the picked parts, each after the previous one, and the card's job after all of them; jobs
    under way are reused. Returns the number of jobs. Raises SynergyError."""
    from synergy_tui.jobs import chain, plan
    from synergy_tui.store.archive import Archive

    if isinstance(run.place.cache, Archive):
        raise UsageError("an exported run stays as it is", "open a cache of your own")
    asked = ClaimsRequest(decomposition=run.place.id, parts=tuple(part for part in PARTS if part in picked))
    made = plan.claims(run.place.cache, data, asked)
    ids = chain.start(run.place.cache, made.links, one_by_one=True, join=True)
    return len(chain.started(run.place.cache, made.links, ids))


# Words


def need(parts: Parts, claim: str) -> str:
    """What a claim lacks, with its cost; for a part that a claim above also lacks, a note that it is the same one."""
    own, shared = _own(parts, claim)
    if own:
        return " + ".join(f"{part} was started" if part in parts.started else _priced(parts, part) for part in own)
    return f"same {shared[0]}" if shared else ""


def title(parts: Parts, picked: Collection[str]) -> tuple[str, str]:
    """How much is missing, and what F5 would do; empty for a run that can have no card."""
    if parts.refused:
        return "", ""
    counted = [f"{len(parts.costs)} of {len(PARTS)} parts missing"] if parts.costs else []
    counted += [f"{len(parts.started)} being made"] if parts.started else []
    counted += [f"{len(parts.cannot)} cannot be had"] if parts.cannot else []
    chosen = [part for part in parts.costs if part in picked]
    if chosen:
        then = f"F5 makes the picked, {parts.price(chosen).time}"
    else:
        then = "space picks, F5 judges again" if parts.costs else "F5 judges again"
    return ", ".join(counted) or "no part is missing", then


def details(parts: Parts, claim: str, picked: Collection[str]) -> list[str]:
    """The parts that a claim lacks, a line for each."""
    lines = []
    for part in _needed(claim):
        also = [one for one in CLAIMS if part in _needed(one) and one != claim]
        serves = f", for {' and '.join(also)} too" if also else ""
        if part in parts.costs:
            lines.append(f"needs {part}{serves}: {parts.costs[part]}; {'picked' if part in picked else 'not picked'}")
        elif part in parts.started:
            lines.append(f"needs {part}{serves}: it was started, J shows how far it is")
        elif part in parts.cannot:
            lines.append(f"{part} cannot be had: {parts.cannot[part]}")
    return lines


def overview(parts: Parts) -> list[str]:
    """Every part in one line each."""
    lines = []
    for part, claims in PARTS.items():
        started = "was started" if part in parts.started else "is there"
        told = str(parts.costs[part]) if part in parts.costs else parts.cannot.get(part) or started
        lines.append(f"{part} for {claims}: {told}")
    return [*lines, *parts.foreseen]


def asked(parts: Parts, picked: Collection[str]) -> tuple[str, list[str]]:
    """The question before the start: what the jobs will make, and how long they take."""
    chosen = [part for part in PARTS if part in picked and part in parts.costs]
    lines = [f"{part} for {PARTS[part]}: {parts.costs[part]}" for part in chosen]
    lines += [f"{part} for {PARTS[part]}: under way" for part in PARTS if part in parts.started]
    lines.append(f"then the card: {card()}")
    if chosen:
        lines += ["", f"All together {parts.price(chosen)}. The jobs run one after the other and outlive the explorer."]
    word = {0: "Judge the claims with what is there?", 1: f"Make {''.join(chosen[:1])} and judge the claims?"}
    return word.get(len(chosen), f"Make {len(chosen)} parts and judge the claims?"), lines


def _needed(claim: str) -> tuple[str, ...]:
    return tuple(part for part, claims in PARTS.items() if claim in claims.split(", "))


def _own(parts: Parts, claim: str) -> tuple[list[str], list[str]]:
    """What a claim lacks: parts that no claim above it lacks, and others."""
    above = {part for one in CLAIMS if one < claim for part in _needed(one)}
    lacking = parts.of(claim)
    return [part for part in lacking if part not in above], [part for part in lacking if part in above]


def _priced(parts: Parts, part: str) -> str:
    return f"needs {part} {parts.costs[part].brief}".rstrip()
