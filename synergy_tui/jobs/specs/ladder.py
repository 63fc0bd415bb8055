"""A ladder: graded prompts on levels, a map of each level, and how an order parameter changes over them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import Struct

from synergy_tui import terms
from synergy_tui.errors import UsageError
from synergy_tui.jobs.specs.base import C, Count, Request, Spec
from synergy_tui.jobs.specs.capture import (
    Adapter,
    AllowCode,
    AllowPickle,
    Batch,
    Chat,
    Dtype,
    MinSteps,
    RandomWeights,
    Revision,
    Subject,
    System,
    TensorParallel,
    check_divided,
)
from synergy_tui.jobs.specs.decompose import FEWEST_PROMPTS, Surrogates, check_surrogates
from synergy_tui.jobs.specs.fields import Option

SURROGATES = 20
"""Surrogates of each level: only their mean is needed."""


class Graded(Struct, frozen=True):
    """A prompt's place on the ladder and how its answer is graded. entry: what its verifier needs besides the
    answer."""

    level: int
    answer: str
    verifier: str
    entry: Any = None


LADDER = "arithmetic-chains"
"""The ladder of all subjects, except for those of the zoo, which have one of their own."""


class LadderRequest(Request, frozen=True, kw_only=True):
    """The options of `difficulty`."""

    COMMAND: ClassVar[str] = "difficulty"

    subject: Subject
    ladder: Annotated[
        str,
        Option(
            "A ladder's name, reasoning-gym:NAME, arc, math, gsm8k or mmlu (:FILE or :FOLDER), or a file.", main=True
        ),
    ] = LADDER
    levels: Annotated[
        str | None,
        Option(
            "How many, evenly from the first to the last; or their names, easiest first. 8 or more: full verdict.",
            told="all",
            main=True,
        ),
    ] = None
    prompts: Annotated[Count, Option("Prompts of each level; 40 for the full verdict.", main=True)] = 40
    steps: Annotated[Count, Option("Most tokens generated.", main=True)] = 64
    min_steps: MinSteps = 20
    order_parameter: Annotated[
        str,
        Option(
            "Parameter that the verdict is on; all are measured.",
            choices=terms.ORDER_PARAMETERS,
            what="order parameter",
            main=True,
        ),
    ] = terms.ORDER_PARAMETERS[0]
    ranking: Annotated[
        str,
        Option(
            "Ranking behind contrast and core.",
            choices=tuple(one for one in terms.RANKINGS if one != "z"),
            what="ranking",
        ),
    ] = terms.RANKINGS[0]
    surrogates: Annotated[Surrogates, Option("Surrogates of each level, for excess.")] = SURROGATES
    level_column: Annotated[str | None, Option("Column of the levels.", told="level or difficulty")] = None
    answer_column: Annotated[str | None, Option("Column of the answers.", told="answer or target")] = None
    text_column: Annotated[str | None, Option("Column of the prompts.", told="text, prompt, question or problem")] = (
        None
    )
    verifier: Annotated[str | None, Option("For a file of your own: number, choice, phrase and others.")] = None
    fresh: Annotated[bool, Option("Make everything anew, even finished parts.")] = False
    batch: Batch = None
    dtype: Dtype = None
    tensor_parallel: TensorParallel = 1
    chat: Chat = True
    system: System = None
    revision: Revision = None
    adapter: Adapter = None
    random_weights: RandomWeights = False
    allow_pickle: AllowPickle = False
    allow_remote_code: AllowCode = False

    def __post_init__(self) -> None:
        # Earlier versions stored the number of levels as a number.
        if isinstance(self.levels, int):
            msgspec.structs.force_setattr(self, "levels", str(self.levels))
        super().__post_init__()

    @classmethod
    def from_json(cls: type[C], content: Mapping[str, Any]) -> C:
        """As for other specs."""
        levels = content.get("levels")
        return super().from_json({**content, "levels": str(levels)} if isinstance(levels, int) else content)

    def agree(self) -> None:
        """Raises UsageError."""
        check_surrogates(self.surrogates, SURROGATES)
        check_divided(self.tensor_parallel, self.device)
        if self.prompts < FEWEST_PROMPTS:
            raise UsageError(f"{self.prompts} prompts of a level have no spread", f"take {FEWEST_PROMPTS} or more")
        if self.levels is not None and (self.level_count == 0 or (not self.level_count and len(self.level_order) < 2)):
            raise UsageError(f"levels {self.levels!r} is neither a number nor names", "give 8, or easy,medium,hard")

    @property
    def level_count(self) -> int | None:
        """The number of levels; None for all, or if they are named."""
        return int(self.levels) if self.levels is not None and self.levels.isdecimal() else None

    @property
    def level_order(self) -> tuple[str, ...]:
        """The levels' names, the easiest first, if they are given."""
        if self.levels is None or self.level_count is not None:
            return ()
        return tuple(dict.fromkeys(one.strip() for one in self.levels.split(",") if one.strip()))


class LadderSpec(LadderRequest, Spec, frozen=True, kw_only=True):
    """capture: of all levels; empty while the job waits for it. captured: hash of the capture's spec. name: the
    ladder's. level_names: the easiest first. items: by prompt of the capture."""

    KIND: ClassVar[str] = "ladder"
    REQUEST: ClassVar[type[Request]] = LadderRequest
    LETTER: ClassVar[str] = "l"
    NOT_WHAT: ClassVar[frozenset[str]] = frozenset(
        {"subject", "ladder", "levels", "prompts", "steps", "level_column", "answer_column", "text_column", "verifier"}
        | {"fresh", "batch", "dtype", "chat", "system", "revision", "adapter", "random_weights", "allow_pickle"}
        | {"allow_remote_code", "capture", "tensor_parallel"}
    )
    TABLES: ClassVar[tuple[str, ...]] = (
        "ladders",
        "ladder_levels",
        "ladder_curves",
        "ladder_fits",
        "ladder_verdicts",
        "ladder_differences",
        "ladder_prompts",
        "ladder_values",
        "recipes",
    )

    capture: str = ""
    captured: str
    name: str
    level_names: tuple[str, ...]
    items: tuple[Graded, ...]

    def identity(self) -> dict[str, Any]:
        """Under other grading it is another result."""
        return super().identity() | {"grading": terms.GRADING}

    @property
    def parents(self) -> tuple[str, ...]:
        """The capture of all levels."""
        return (self.capture,)
