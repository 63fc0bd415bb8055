"""A method: how pairs are decomposed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

import msgspec

from synergy_tui import terms
from synergy_tui.errors import UsageError
from synergy_tui.jobs.specs.base import Checked, Count
from synergy_tui.jobs.specs.fields import Option
from synergy_tui.units import two_sides

M = TypeVar("M", bound="Method")


class Method(Checked, frozen=True, kw_only=True):
    """How pairs are decomposed, and what the contrast compares. Only results of equal methods can be compared."""

    estimator: Annotated[str, Option("Estimator of the informations.", choices=terms.ESTIMATORS, what="estimator")] = (
        "gaussian"
    )
    redundancy: Annotated[str, Option("Redundancy function.", choices=terms.REDUNDANCIES, what="redundancy")] = "mmi"
    lag: Annotated[Count, Option("Lag τ in steps; 1,2,5 makes a decomposition of each.", several=True)] = 1
    pool: Annotated[str, Option("Mean over prompts, or all prompts as one.", choices=terms.POOLS, what="pool")] = "mean"
    preprocess: Annotated[
        str,
        Option("Steps done first, in order: log, rank-normal, difference, detrend, drop=K, cut=K.", metavar="STEPS"),
    ] = "raw"
    precision: Annotated[str, Option("Number type of the arithmetic.", choices=terms.PRECISIONS, what="precision")] = (
        "float64"
    )
    bias: Annotated[
        str, Option("For short series: informations as they are, or corrected.", choices=terms.BIASES, what="bias")
    ] = terms.BIASES[0]
    compared: Annotated[
        str | None,
        Option(
            "Groups or layers that the contrast compares, as a:b or a,b:c,d.",
            name="contrast",
            metavar="A:B",
            told="the middle third of layers against the others",
        ),
    ] = None

    def agree(self) -> None:
        """Brings the preprocessing and the contrast into one spelling. Raises UsageError for an unknown correction, and
        for a contrast without two sides."""
        if self.bias != terms.BIASES[0] and (self.estimator, self.redundancy) != ("gaussian", "mmi"):
            raise UsageError(
                f"bias {self.bias} is known only for gaussian mmi, not for {self.estimator} {self.redundancy}",
                f"use --bias {terms.BIASES[0]}",
            )
        words = [word.strip() for word in self.preprocess.split(",")]
        msgspec.structs.force_setattr(
            self, "preprocess", ",".join(one for one in words if one not in ("", "raw")) or "raw"
        )
        if self.compared is not None:
            sides = two_sides(self.compared)
            msgspec.structs.force_setattr(self, "compared", ":".join(",".join(side) for side in sides))

    def arithmetic(self) -> dict[str, Any]:
        """All that decides the atoms of pairs, except the preprocessing, as arguments of the engines of phiid."""
        names = [name for name in self.__struct_fields__ if name not in ("preprocess", "compared")]
        return {name: getattr(self, name) for name in names}

    def identity(self) -> dict[str, Any]:
        """As JSON, for a hash: without the options that earlier versions did not have, unless they are used."""
        content: dict[str, Any] = msgspec.to_builtins(self)
        usual = {"bias": terms.BIASES[0], "compared": None}
        return {name: value for name, value in content.items() if name not in usual or value != usual[name]}

    def row(self) -> dict[str, Any]:
        """As columns of decompositions. Without a correction, bias is NULL, as in the rows of earlier versions."""
        return dict.fromkeys(self.__struct_fields__) | self.identity()

    @classmethod
    def of(cls: type[M], row: Mapping[str, Any]) -> M:
        """The method of a row of decompositions; values that an earlier version did not write are the defaults."""
        return cls(**{name: row[name] for name in cls.__struct_fields__ if row[name] is not None})
