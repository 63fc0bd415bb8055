"""A claims card: what a run and its controls say about the claims of the literature."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from msgspec import Meta, Struct, field

from synergy_tui import terms
from synergy_tui.jobs.specs.base import Request, Spec
from synergy_tui.jobs.specs.fields import Option

PARTS = {
    "surrogates": "C1, C5",
    "controls": "C5",
    "ablation": "C3, C4",
    "networks": "C6",
    "ladder": "C2",
    "geometry": "C8, C9",
}
"""Part of a card → the claims that need it."""


class Results(Struct, frozen=True, kw_only=True):
    """Ids of the results that a card takes; results of controls by how (terms.CONTROLS). ladder: only under a sealed
    plan; otherwise the card takes the subject's best ladder."""

    surrogates: str | None = None
    ablation: str | None = None
    networks: str | None = None
    geometry: str | None = None
    ladder: str | None = None
    controls: dict[str, tuple[str, ...]] = field(default_factory=dict)


class Sealing(Struct, frozen=True, kw_only=True):
    """A sealed plan in a card's job: its contents (see specs/sealed.py), the deviations known before the start, and the
    names of the options that were given beside it."""

    plan: dict[str, Any]
    deviations: tuple[str, ...] = ()
    given: tuple[str, ...] = ()


class ClaimsRequest(Request, frozen=True, kw_only=True):
    """The options of `claims`."""

    COMMAND: ClassVar[str] = "claims"

    decomposition: Annotated[str, Option("A run.", argument=True)]
    ranking: Annotated[
        str, Option("Ranking behind the verdicts.", choices=terms.RANKINGS, what="ranking", main=True)
    ] = terms.RANKINGS[0]
    budget: Annotated[float, Meta(gt=0), Option("For C4: nats per token at 25 % removed.", main=True)] = 0.1
    parts: Annotated[
        tuple[str, ...],
        Option(
            "Parts that may be made, or none; existing parts are used anyway.",
            choices=tuple(PARTS),
            what="part",
            main=True,
            may_be_none=True,
        ),
    ] = tuple(PARTS)
    fresh: Annotated[bool, Option("Make every part anew.", main=True)] = False


class ClaimsSpec(ClaimsRequest, Spec, frozen=True, kw_only=True):
    """results: the results that it takes. missing: part → why it cannot be had. sealing: the sealed plan behind it, if
    there is one."""

    KIND: ClassVar[str] = "claims"
    REQUEST: ClassVar[type[Request]] = ClaimsRequest
    LETTER: ClassVar[str] = "k"
    NOT_WHAT: ClassVar[frozenset[str]] = frozenset({"parts", "fresh"})
    TABLES: ClassVar[tuple[str, ...]] = ("cards", "claims", "recipes")

    capture: str
    results: Results = field(default_factory=Results)
    missing: dict[str, str] = field(default_factory=dict)
    sealing: Sealing | None = None

    def identity(self) -> dict[str, Any]:
        """Without the options that earlier versions did not have, unless they are used."""
        found = super().identity()
        return found if self.sealing is not None else {key: one for key, one in found.items() if key != "sealing"}

    @property
    def parents(self) -> tuple[str, ...]:
        """The decomposition."""
        return (self.decomposition,)
