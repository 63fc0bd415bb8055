"""Geometry of a capture's residual stream: dimension and alignment of every layer."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta

from synergy_tui.jobs.specs.base import Request, Spec
from synergy_tui.jobs.specs.capture import DTYPES, AllowCode, AllowPickle
from synergy_tui.jobs.specs.fields import Option
from synergy_tui.subject.source import Source


class GeometryRequest(Request, frozen=True, kw_only=True):
    """The options of `geometry`."""

    COMMAND: ClassVar[str] = "geometry"

    capture: Annotated[str, Option("A capture.", argument=True)]
    tokens: Annotated[
        int, Meta(ge=100, le=20_000), Option("Response tokens to measure dimension on, spread over prompts.", main=True)
    ] = 2000
    permutations: Annotated[
        int, Meta(ge=99, le=10**5), Option("Random pairings that alignment is compared with.", main=True)
    ] = 999
    dtype: Annotated[
        str | None, Option("Number type of the model.", choices=DTYPES, what="number type", told="the capture's")
    ] = None

    allow_pickle: AllowPickle = False
    allow_remote_code: AllowCode = False


class GeometrySpec(GeometryRequest, Spec, frozen=True, kw_only=True):
    """source, data: of the subject. replayed: prompts whose responses are replayed."""

    KIND: ClassVar[str] = "geometry"
    REQUEST: ClassVar[type[Request]] = GeometryRequest
    LETTER: ClassVar[str] = "g"
    NOT_WHAT: ClassVar[frozenset[str]] = frozenset({"source", "data", "allow_pickle", "allow_remote_code"})
    TABLES: ClassVar[tuple[str, ...]] = ("geometries", "geometry_layers", "geometry_contrasts", "recipes")

    source: Source
    data: str
    replayed: tuple[int, ...]

    @property
    def parents(self) -> tuple[str, ...]:
        """The capture."""
        return (self.capture,)
