"""The states of a sweep's cells: a file beside its status, written by its worker, read by whoever looks."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from msgspec import Struct

from synergy_tui.jobs.folder import JobFolder, write_json
from synergy_tui.jobs.specs.sweep import SweepSpec

STATES = ("queued", "running", "done", "failed")

_FILE = "cells.json"


class CellState(Struct, kw_only=True):
    """One cell. state: one of STATES. capture, map, card: ids of its results, or of the jobs that make them. error: why
    it failed."""

    state: str = STATES[0]
    capture: str | None = None
    map: str | None = None
    card: str | None = None
    error: str | None = None


def read(job: JobFolder, count: int) -> list[CellState]:
    """The states of so many cells; if the file is missing or damaged, no state is known."""
    try:
        found = json.loads((job.path / _FILE).read_text("utf-8"))
        states = msgspec.convert(found["cells"], list[CellState])
    except (OSError, ValueError, LookupError, TypeError, RecursionError):  # msgspec's errors are ValueErrors
        states = []
    if len(states) != count or any(one.state not in STATES for one in states):
        return [CellState() for _ in range(count)]
    return states


def write(job: JobFolder, states: list[CellState]) -> None:
    """Replaces the file atomically. Raises OSError."""
    write_json(job.path / _FILE, {"cells": msgspec.to_builtins(states)})


def rows(job: JobFolder, spec: SweepSpec, state: str) -> list[dict[str, Any]]:
    """The cells in words, with their states and results. state: the sweep's; cells under way share it if the sweep has
    been paused or cancelled."""
    out = []
    for cell, one in zip(spec.cells, read(job, len(spec.cells)), strict=True):
        shown = state if one.state == "running" and state in ("paused", "cancelled") else one.state
        row = spec.told(cell) | {"state": shown, "capture": one.capture, "map": one.map}
        if cell.claims is not None:
            row["card"] = one.card
        out.append(row | {"error": one.error})
    return out
