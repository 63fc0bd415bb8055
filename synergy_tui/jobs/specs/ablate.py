"""An ablation: which units are removed together, how, and what is measured."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from msgspec import Meta

from synergy_tui import terms
from synergy_tui.ablation.condition import Condition
from synergy_tui.errors import UsageError
from synergy_tui.jobs.specs.base import Count, Request, Spec
from synergy_tui.jobs.specs.capture import DTYPES, AllowCode, AllowPickle, TensorParallel, check_divided
from synergy_tui.jobs.specs.fields import Option
from synergy_tui.subject.source import Source
from synergy_tui.tasks.graded import ANSWER, Task

Fraction = Annotated[float, Meta(gt=0, le=1)]

DECIDED, ALL = STOPS = ("decided", "all")
"""When no more control sets are drawn: once the verdict is decided, or when there are as many as seeds."""

MOST_SEEDS = 20
"""Seeds of a control that the rule for stopping early is worked out for (analysis/sequential.py)."""

STRONGEST = 20
"""Pairs removed by each score by default."""


class AblateRequest(Request, frozen=True, kw_only=True):
    """The options of `ablate`."""

    COMMAND: ClassVar[str] = "ablate"

    decomposition: Annotated[str, Option("A run.", argument=True)]
    orders: Annotated[
        tuple[str, ...],
        Option(
            "Removal orders; also RANKING-first and -last, single-units, whole-layers, pairs, and marked with --units.",
            choices=terms.REMOVAL_ORDERS,
            what="removal order",
            metavar="ORDERS",
            main=True,
        ),
    ] = terms.DEFAULT_ORDERS
    units: Annotated[tuple[str, ...], Option("A set of your own, by number or name: 3.1,3.4.", told="none")] = ()
    seeds: Annotated[int, Meta(ge=1, le=10_000), Option("Seeds of each control.", main=True)] = 20
    fractions: Annotated[tuple[Fraction, ...], Option("Fractions of units removed.", main=True)] = (
        0.05,
        0.1,
        0.15,
        0.2,
        0.25,
    )
    stop: Annotated[
        str,
        Option(
            "When no more control sets are drawn: all, or decided: 5 at a time, until the verdict is certain.",
            choices=STOPS,
            what="rule to stop by",
        ),
    ] = ALL
    ranking: Annotated[
        str, Option("Ranking behind synergy-first and others.", choices=terms.RANKINGS, what="ranking", main=True)
    ] = terms.RANKINGS[0]
    intervention: Annotated[
        str,
        Option("What is done to a unit that is removed.", choices=terms.INTERVENTIONS, what="intervention", main=True),
    ] = terms.INTERVENTIONS[0]
    alpha: Annotated[float, Meta(gt=0), Option("For noise: σ over the sd of the weights.")] = 1.0
    reference: Annotated[
        Count | None,
        Option("For mean: prompts of its reference set, none of them replayed.", told="12, or all there are"),
    ] = None
    prompts: Annotated[Count, Option("Prompts replayed.", main=True)] = 12
    batch: Annotated[Count, Option("Prompts at a time.")] = 16
    dtype: Annotated[
        str | None,
        Option("Number type of the model.", choices=DTYPES, what="number type", told="the capture's"),
    ] = None
    tensor_parallel: TensorParallel = 1
    tasks: Annotated[
        str,
        Option(
            "Also answer graded tasks: graded (shipped) or a file of them, about 4 s a condition on 2 cores.",
            told="none",
            main=True,
        ),
    ] = ""
    answer_steps: Annotated[Count, Option("Most tokens of an answer to a graded task.")] = ANSWER
    answers: Annotated[bool, Option("Also let the ablated subject answer some prompts by itself.", main=True)] = False
    budget: Annotated[
        float | None,
        Meta(gt=0),
        Option("Also plan: most units that go together under this divergence, nats per token.", told="no plan"),
    ] = None
    save: Annotated[
        str | None,
        Option("New folder for plan.json and a copy of the model without the plan's units.", metavar="FOLDER"),
    ] = None

    pairs: Annotated[Count, Option("For the order pairs: how many of the strongest by each score.")] = STRONGEST
    pairs_by: Annotated[
        tuple[str, ...],
        Option(
            "Scores that choose the strongest pairs.",
            choices=terms.PAIR_SCORES,
            what="score of pairs",
            metavar="SCORES",
            told="all there are",
        ),
    ] = ()

    allow_pickle: AllowPickle = False
    allow_remote_code: AllowCode = False

    def agree(self) -> None:
        """Raises UsageError."""
        if not self.fractions:
            raise UsageError("there are no fractions", "give them as 0.1,0.25")
        if not self.orders:
            raise UsageError("no removal order ''", f"known: {', '.join(terms.REMOVAL_ORDERS)}")
        if ("marked" in self.orders) != bool(self.units):
            raise UsageError(
                "a marked set and the removal order `marked` go together",
                "mark units (--units 3.1,3.4), or leave it out",
            )
        if self.stop == DECIDED and self.seeds != MOST_SEEDS:
            raise UsageError(
                f"stopping when the verdict is decided is worked out for {MOST_SEEDS} seeds, not {self.seeds}",
                "leave out --seeds, or draw --stop all",
            )
        if terms.PAIRS not in self.orders and (self.pairs_by or self.pairs != STRONGEST):
            raise UsageError("there are options of pairs, but no pairs are removed", "add the removal order `pairs`")
        check_divided(self.tensor_parallel, self.device)
        if self.save and self.tensor_parallel > 1:
            raise UsageError(
                "save writes a model that is whole on one device, and tensor-parallel divides it",
                "leave out save: the plan names the units",
            )
        if self.save and self.budget is None:
            raise UsageError("save writes a plan, and there is no plan", "add --budget 0.1")
        if self.budget is not None and self.intervention != "zero":
            raise UsageError(
                f"a plan sets units to zero, not to {self.intervention}", "leave out the budget or the intervention"
            )


class AblateSpec(AblateRequest, Spec, frozen=True, kw_only=True):
    """source, data: of the subject. kinds, chat: of the capture. replayed: prompts whose responses are replayed.
    reference_prompts: of the reference set of mean. held_out: whether the ranking is taken from prompts that are not
    replayed. marked: unit numbers of the user's set. conditions: the sets of units, in the order in which they are
    removed, except for controls of pairs, which are matched by the cost of single units. graded: tasks that the ablated
    subject answers. most: most sets measured for a plan. sparing: whether tasks are left out if no order stands out.
    dispensable: divergence with a quarter of the units removed above which redundancy-first needs no more controls, if
    `stop` is decided: C4's budget."""

    KIND: ClassVar[str] = "ablate"
    REQUEST: ClassVar[type[Request]] = AblateRequest
    LETTER: ClassVar[str] = "a"
    NOT_WHAT: ClassVar[frozenset[str]] = frozenset(
        {"units", "prompts", "batch", "tensor_parallel", "source", "data", "tasks", "reference", "save"}
        | {"allow_pickle", "allow_remote_code", "sparing", "most"}
    )
    TABLES: ClassVar[tuple[str, ...]] = (
        "ablations",
        "ablation_curves",
        "ablation_prompts",
        "ablation_sweeps",
        "ablation_correlations",
        "ablation_units",
        "ablation_comparisons",
        "ablation_ratios",
        "ablation_accuracy",
        "ablation_accuracy_changes",
        "ablation_answers",
        "ablation_plans",
        "ablation_plan_units",
        "ablation_areas",
        "ablation_pairs",
        "ablation_pair_tests",
        "recipes",
    )

    capture: str
    source: Source
    data: str
    kinds: tuple[str, ...]
    chat: bool
    replayed: tuple[int, ...]
    reference_prompts: tuple[int, ...] = ()
    held_out: bool = False
    marked: tuple[int, ...] = ()
    conditions: tuple[Condition, ...] = ()
    graded: tuple[Task, ...] = ()
    most: int = 150
    sparing: bool = False
    dispensable: float | None = None

    @property
    def processes(self) -> int:
        """The number of processes that hold the subject together."""
        return self.tensor_parallel

    @property
    def parents(self) -> tuple[str, ...]:
        """The decomposition; its capture is replayed."""
        return (self.decomposition,)

    def like(self) -> dict[str, Any]:
        """Columns that agree in ablations where a unit alone costs the same as in this one: the same intervention on
        the same prompts."""
        drawn = self.intervention in ("noise", "resample")
        return {
            "capture": self.capture,
            "intervention": self.intervention,
            "alpha": self.alpha if self.intervention == "noise" else None,
            "reference": len(self.reference_prompts) or None,
            "dtype": self.dtype,
            "prompts": len(self.replayed),
            **({"seed": self.seed} if drawn else {}),
        }

    def identity(self) -> dict[str, Any]:
        """As for other specs, but alpha counts only with noise, the length of an answer only with answers, and the
        options of pairs only with pairs."""
        found = super().identity()
        if terms.PAIRS not in self.orders:
            found = {name: value for name, value in found.items() if name not in ("pairs", "pairs_by")}
        if self.stop == ALL:
            found = {name: value for name, value in found.items() if name not in ("stop", "dispensable")}
        length = found.pop("answer_steps")
        if self.graded:
            found |= {"answer_steps": length, "grading": terms.GRADING}
            if any(one.options for one in self.graded):
                found |= {"options": "likelihood"}  # all other tasks, and ladders, are graded as before
        return found if self.intervention == "noise" else found | {"alpha": None}
