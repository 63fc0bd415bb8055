"""A capture and a method → the spec of its decomposition."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from synergy_tui import terms
from synergy_tui.errors import UsageError
from synergy_tui.jobs import cost
from synergy_tui.jobs.devices import choose, cores
from synergy_tui.jobs.plan.base import Plan
from synergy_tui.jobs.specs.decompose import (
    EVERY_NULL,
    FEWEST_PROMPTS,
    FEWEST_STEPS,
    DecomposeRequest,
    DecomposeSpec,
)
from synergy_tui.store import load
from synergy_tui.store.cache import Cache
from synergy_tui.units import Naming


def decompose(request: DecomposeRequest, units: int, prompts: int, naming: Naming | None = None) -> Plan[DecomposeSpec]:
    """A decomposition of a capture that may not exist yet. If no null is named, surrogates are drawn by prompt-shuffle,
    or by window-roll with fewer than five prompts. naming: names of layers, if known. Raises UsageError for surrogates
    that cannot be drawn, an unknown preprocessing, and a contrast of unknown groups."""
    from synergy_tui.phiid.preparation import parse

    parse(request.method.preprocess)
    if naming is not None and request.method.compared is not None:
        compared = naming.contrast(request.method.compared)
        request = request.replace(method=msgspec.structs.replace(request.method, compared=compared))
    settled: dict[str, Any] = {name: getattr(request, name) for name in request.__struct_fields__}
    settled |= {"nulls": _nulls(request, prompts), "device": choose(request.device)}
    spec = DecomposeSpec(**settled)
    return Plan(spec, cost.decompose(units, prompts, spec, cores()), units)


def decompose_finished(cache: Cache, request: DecomposeRequest) -> Plan[DecomposeSpec]:
    """A decomposition of a capture in the cache, otherwise as `decompose`. Raises UsageError when the lag leaves no
    window, the preprocessing is unknown, or the contrast has unknown groups."""
    from synergy_tui.phiid.preparation import parse, steps_left

    method, row = request.method, load.one(cache, "capture", request.capture)
    load.needs_series(cache, request.capture, "decompose")
    steps = steps_left(row["steps"], parse(method.preprocess))
    if method.lag >= steps:
        left = "" if steps == row["steps"] else f", {max(steps, 0)} after {method.preprocess},"
        raise UsageError(
            f"lag {method.lag} in responses of {row['steps']} steps{left} leaves no window", "use a smaller lag"
        )
    if request.surrogates:
        _one_can_run(cache, row["capture"], _nulls(request, row["valid_prompts"]), method.lag)
    naming, layer_of = load.naming(cache, row["capture"]), load.layers_of_units(cache, row["capture"])
    if method.compared is not None:
        _all_there(set(layer_of.values()), naming, method.compared)
    return decompose(request, len(layer_of), row["valid_prompts"], naming)


def _all_there(there: Collection[int], naming: Naming, compared: str) -> None:
    """Raises UsageError for a contrast with a layer that has no units: a number that the capture leaves out."""
    if absent := [layer for side in naming.sides(compared) for layer in side if layer not in there]:
        raise UsageError(f"layer {naming.layer(absent[0])} of the contrast has no units", "leave it out")


def _one_can_run(cache: Cache, capture: str, asked: Sequence[str], lag: int) -> None:
    """Raises UsageError if the responses' lengths let none of the requested nulls run. (If one of two cannot run, the
    results of the other have a note.)"""
    import numpy as np

    from synergy_tui.phiid.exchange import like_length

    query = "SELECT steps FROM responses WHERE capture = $1 AND valid ORDER BY prompt"
    lengths = np.array([one["steps"] for one in load.rows(cache, query, capture)], int)
    longest = int(lengths.max(initial=0)) - lag
    cannot = {}
    if not like_length(lengths, np.arange(len(lengths)), lag):
        cannot[terms.NULLS[0]] = f"needs {FEWEST_PROMPTS} responses of like length, and there are none"
    if longest < FEWEST_STEPS:
        cannot[terms.NULLS[1]] = f"needs windows of {FEWEST_STEPS} steps; the longest has {longest}"
    if all(name in cannot for name in asked):
        other = [name for name in terms.NULLS if name not in cannot]
        told = "; ".join(f"{name} {cannot[name]}" for name in asked)
        raise UsageError(told, f"use --null {other[0]}" if other else "capture longer responses, or use a smaller lag")


def _nulls(request: DecomposeRequest, prompts: int) -> tuple[str, ...]:
    """The nulls to run; the first one is behind excess."""
    if not request.surrogates:
        return ()
    names = request.nulls or (terms.NULLS[0] if prompts >= FEWEST_PROMPTS else terms.NULLS[1],)
    if terms.NULLS[0] in names and prompts < FEWEST_PROMPTS:
        raise UsageError(
            f"{terms.NULLS[0]} needs {FEWEST_PROMPTS} prompts long enough, and there are {prompts}",
            f"use --null {terms.NULLS[1]}",
        )
    return tuple(name for name in EVERY_NULL if name in names)


def allowed_nulls(prompts: int) -> tuple[str, ...]:
    """The calibrated nulls that so many prompts allow."""
    return terms.NULLS if prompts >= FEWEST_PROMPTS else terms.NULLS[1:]
