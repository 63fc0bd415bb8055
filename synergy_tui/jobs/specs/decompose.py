"""A decomposition: which capture, by which method, against which nulls."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from msgspec import Meta, field

from synergy_tui import terms
from synergy_tui.errors import UsageError
from synergy_tui.jobs.specs.base import Request, Spec
from synergy_tui.jobs.specs.fields import Option
from synergy_tui.jobs.specs.method import Method

REPLICATES = 1000

FEWEST_SURROGATES, FEWEST_PROMPTS, FEWEST_STEPS = 20, 5, 10
"""Fewest surrogates that phiid.nulls draws."""

EVERY_NULL = (*terms.NULLS, *terms.UNCALIBRATED_NULLS)

Surrogates = Annotated[int, Meta(ge=0, le=10**6)]


def check_surrogates(count: int, fewest: int) -> None:
    """Raises UsageError for too few surrogates."""
    if 0 < count < fewest:
        raise UsageError(f"{count} surrogates are too few to tell a tail from", f"draw {fewest} or more, or 0")


class DecomposeRequest(Request, frozen=True, kw_only=True):
    """The options of `decompose`; `capture` may stay empty if a capture comes before it in a chain."""

    COMMAND: ClassVar[str] = "decompose"

    capture: Annotated[str, Option("A capture, or a run of it.", argument=True)] = ""
    method: Method = field(default_factory=Method)
    surrogates: Annotated[Surrogates, Option("Surrogates of each null; 200 are enough.", main=True)] = 0
    nulls: Annotated[
        tuple[str, ...],
        Option(
            "Null to draw from; repeat it for several. The last two are uncalibrated.",
            name="null",
            choices=EVERY_NULL,
            what="null",
            repeat=True,
            told=f"{terms.NULLS[0]}, below five prompts {terms.NULLS[1]}",
        ),
    ] = ()

    def agree(self) -> None:
        """Raises UsageError."""
        check_surrogates(self.surrogates, FEWEST_SURROGATES)
        if self.nulls and not self.surrogates:
            raise UsageError(f"no surrogates to draw from {', '.join(self.nulls)}", "add --surrogates 200")


class DecomposeSpec(DecomposeRequest, Spec, frozen=True, kw_only=True):
    """replicates: of every bootstrap. only: numbers of the prompts to decompose, None for all valid ones. ladder: the
    command that makes the whole ladder, for the map of one of its levels."""

    KIND: ClassVar[str] = "decompose"
    REQUEST: ClassVar[type[Request]] = DecomposeRequest
    LETTER: ClassVar[str] = "d"
    NOT_WHAT: ClassVar[frozenset[str]] = frozenset({"ladder"})
    TABLES: ClassVar[tuple[str, ...]] = (
        "decompositions",
        "unit_scores",
        "unit_prompts",
        "unit_nulls",
        "layer_profiles",
        "contrasts",
        "contrast_sides",
        "surrogate_contrasts",
        "contrast_tests",
        "contrast_lengths",
        "category_profiles",
        "category_contrasts",
        "confounds",
        "null_runs",
        "recipes",
    )

    replicates: int = REPLICATES
    only: tuple[int, ...] | None = None
    ladder: str | None = None

    def identity(self) -> dict[str, Any]:
        """All that decides the result, as JSON."""
        return super().identity() | {"method": self.method.identity()}

    @property
    def parents(self) -> tuple[str, ...]:
        """The capture."""
        return (self.capture,)

    def remake(self) -> str:
        """The command of the ladder, if it is a part of one."""
        return self.ladder or self.command()
