"""Other scores of a capture's units: from their attention, and from gradients."""

from __future__ import annotations

from typing import Annotated, ClassVar

from synergy_tui.jobs.specs.base import Count, Request, Spec
from synergy_tui.jobs.specs.capture import DTYPES, AllowCode, AllowPickle
from synergy_tui.jobs.specs.fields import Option
from synergy_tui.subject.source import Source


class ScoresRequest(Request, frozen=True, kw_only=True):
    """The options of `scores`."""

    COMMAND: ClassVar[str] = "scores"

    capture: Annotated[str, Option("A capture.", argument=True)]
    prompts: Annotated[
        Count | None, Option("Prompts replayed.", told="all whose response is long enough", main=True)
    ] = None
    dtype: Annotated[
        str | None, Option("Number type of the model.", choices=DTYPES, what="number type", told="the capture's")
    ] = None

    allow_pickle: AllowPickle = False
    allow_remote_code: AllowCode = False


class ScoresSpec(ScoresRequest, Spec, frozen=True, kw_only=True):
    """source, data: of the subject. kinds: of the capture. replayed: prompts whose responses are replayed."""

    KIND: ClassVar[str] = "scores"
    REQUEST: ClassVar[type[Request]] = ScoresRequest
    LETTER: ClassVar[str] = "s"
    NOT_WHAT: ClassVar[frozenset[str]] = frozenset({"prompts", "source", "data", "allow_pickle", "allow_remote_code"})
    TABLES: ClassVar[tuple[str, ...]] = (
        "scorings",
        "capture_scores",
        "capture_score_prompts",
        "ablation_comparisons",
        "recipes",
    )

    source: Source
    data: str
    kinds: tuple[str, ...]
    replayed: tuple[int, ...]

    @property
    def parents(self) -> tuple[str, ...]:
        """The capture."""
        return (self.capture,)
