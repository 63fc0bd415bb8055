"""A sweep: subjects x task sets x methods x seeds, as one job that starts the jobs of its cells."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from msgspec import Struct

from synergy_tui.errors import UsageError
from synergy_tui.jobs.specs.base import Count, Request, Seed, Spec
from synergy_tui.jobs.specs.capture import AllowCode, AllowPickle, CaptureSpec
from synergy_tui.jobs.specs.claims import ClaimsRequest
from synergy_tui.jobs.specs.decompose import DecomposeSpec
from synergy_tui.jobs.specs.fields import Option, fields
from synergy_tui.jobs.specs.method import Method


class Cell(Struct, frozen=True, kw_only=True):
    """One subject, task set, seed and method. capture: its place among the sweep's captures. map: the decomposition,
    without the capture's id. claims: the request of its card, without the run; None if no card is wanted."""

    capture: int
    map: DecomposeSpec
    claims: ClaimsRequest | None = None

    @property
    def method(self) -> str:
        """The method in words: estimator, redundancy function and lag, and all else that is not the default."""
        one = self.map.method
        words = [one.estimator, one.redundancy, f"lag {one.lag}"]
        words += [
            f"{field.label} {field.text(getattr(one, field.name))}"
            for field in fields(Method)
            if field.name not in ("estimator", "redundancy", "lag") and getattr(one, field.name) != field.default
        ]
        if self.map.surrogates:
            words.append(f"{self.map.surrogates} surrogates of {', '.join(self.map.nulls)}")
        return " ".join(words)


class SweepRequest(Request, frozen=True, kw_only=True):
    """The options of `sweep`."""

    COMMAND: ClassVar[str] = "sweep"

    plan: Annotated[str, Option("A plan: a .toml file.", argument=True)]
    at_once: Annotated[
        Count | None, Option("Cells under way at the same time.", told="what the plan says, or 1", main=True)
    ] = None
    allow_pickle: AllowPickle = False
    allow_remote_code: AllowCode = False
    seed: Annotated[Seed, Option("Seed of cells, if the plan has no seeds.")] = 0


class SweepSpec(SweepRequest, Spec, frozen=True, kw_only=True):
    """captures: cells that differ only in their methods share one. cells: in the order in which they are made."""

    KIND: ClassVar[str] = "sweep"
    REQUEST: ClassVar[type[Request]] = SweepRequest
    LETTER: ClassVar[str] = "w"
    TAKES_TURN: ClassVar[bool] = False

    captures: tuple[CaptureSpec, ...]
    cells: tuple[Cell, ...]

    def agree(self) -> None:
        """Raises UsageError for a cell without a capture."""
        if any(not 0 <= one.capture < len(self.captures) for one in self.cells):
            raise UsageError("a cell has no capture", "start the sweep anew")

    def identity(self) -> dict[str, Any]:
        """Only the cells: neither the plan's file nor how many are under way at the same time."""
        hashes = [one.hash for one in self.captures]
        return {
            "cells": [
                [hashes[one.capture], one.map.identity(), one.claims and one.claims.to_json()] for one in self.cells
            ]
        }

    def told(self, cell: Cell) -> dict[str, Any]:
        """A cell in words."""
        captured = self.captures[cell.capture]
        step = "" if captured.training_step is None else f" step {captured.training_step}"
        return {
            "subject": f"{captured.source.name}{step}",
            "tasks": captured.task_set,
            "seed": captured.seed,
            "method": cell.method,
        }
