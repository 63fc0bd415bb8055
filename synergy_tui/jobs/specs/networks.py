"""Networks of synergy and of redundancy of a decomposition."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta

from synergy_tui.jobs.specs.base import Request, Spec
from synergy_tui.jobs.specs.fields import Option


class NetworksRequest(Request, frozen=True, kw_only=True):
    """The options of `networks`."""

    COMMAND: ClassVar[str] = "networks"

    decomposition: Annotated[str, Option("A run.", argument=True)]
    draws: Annotated[int, Meta(ge=2, le=10**6), Option("Surrogates of each null.", main=True)] = 20
    replicates: Annotated[int, Meta(ge=20, le=10**6), Option("Replicates of the prompt bootstrap.", main=True)] = 200


class NetworksSpec(NetworksRequest, Spec, frozen=True, kw_only=True):
    """nulls: the nulls that the prompts allow."""

    KIND: ClassVar[str] = "networks"
    REQUEST: ClassVar[type[Request]] = NetworksRequest
    LETTER: ClassVar[str] = "n"
    TABLES: ClassVar[tuple[str, ...]] = ("networks", "network_measures", "network_contrasts", "recipes")

    capture: str
    nulls: tuple[str, ...]

    @property
    def parents(self) -> tuple[str, ...]:
        """The decomposition."""
        return (self.decomposition,)
