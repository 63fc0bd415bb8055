"""A capture and a method → the spec of its decomposition."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from synergy_tui import terms
from synergy_tui.errors import UsageError
from synergy_tui.jobs import cost
from synergy_tui.jobs.devices import choose, cores
from synergy_tui.jobs.plan.base import Plan, known
from synergy_tui.jobs.recipe import recorded
from synergy_tui.store import load
from synergy_tui.store.cache import Cache

REPLICATES = 1000

FEWEST_SURROGATES, FEWEST_PROMPTS, FEWEST_STEPS = 20, 5, 10
"""Below these phiid.nulls draws nothing."""


@recorded
def decompose(
    capture_id: str,
    units: int,
    prompts: int,
    *,
    estimator: str = terms.ESTIMATORS[0],
    redundancy: str = terms.REDUNDANCIES[0],
    lag: int = 1,
    pool: str = terms.POOLS[0],
    preprocess: str = "raw",
    precision: str = terms.PRECISIONS[0],
    surrogates: int = 0,
    nulls: Sequence[str] = (),
    device: str | None = None,
    seed: int = 0,
) -> Plan:
    """A decomposition of a capture that need not be there yet. `surrogates`: draws of each of the nulls, 0 for none;
    without a null named, of prompt-shuffle, or of window-roll where there are fewer than five prompts. Raises
    UsageError for unknown words and for surrogates that cannot be drawn."""
    for word, vocabulary, what in (
        (estimator, terms.ESTIMATORS, "estimator"),
        (redundancy, terms.REDUNDANCIES, "redundancy"),
        (pool, terms.POOLS, "pool"),
        (precision, terms.PRECISIONS, "precision"),
    ):
        known([word], vocabulary, what)
    spec = {
        "capture": capture_id,
        "estimator": estimator,
        "redundancy": redundancy,
        "lag": lag,
        "pool": pool,
        "preprocess": preprocess or "raw",
        "precision": precision,
        "nulls": _nulls(list(nulls), surrogates, prompts),
        "surrogates": surrogates,
        "replicates": REPLICATES,
        "seed": seed,
        "device": choose(device),
    }
    return Plan("decompose", spec, cost.decompose(units, prompts, spec, cores()), units)


def decompose_finished(cache: Cache, capture_id: str, *, lag: int = 1, preprocess: str = "raw", **chosen: Any) -> Plan:
    """A decomposition of a capture in the cache, otherwise as `decompose`. Raises UsageError when the lag leaves no
    window or the preprocessing is unknown."""
    from synergy_tui.phiid.preparation import parse

    row = load.one(cache, "capture", capture_id)
    words = parse(preprocess)
    steps = row["steps"] - sum(int(word.partition("=")[2] or 1) for word in words if word.startswith(("drop", "diff")))
    if lag >= steps:
        left = "" if steps == row["steps"] else f", {max(steps, 0)} after {preprocess},"
        raise UsageError(
            f"lag {lag} in responses of {row['steps']} steps{left} leaves no window", "use a smaller --lag"
        )
    units = row["layers"] * row["units_per_layer"]
    if chosen.get("surrogates"):
        asked = _nulls(list(chosen.get("nulls") or []), chosen["surrogates"], row["valid_prompts"])
        _one_can_run(cache, row, asked, lag)
    return decompose(capture_id, units, row["valid_prompts"], lag=lag, preprocess=",".join(words) or "raw", **chosen)


def _one_can_run(cache: Cache, row: dict[str, Any], asked: Sequence[str], lag: int) -> None:
    """Raises UsageError where the responses' lengths let none of the nulls asked for run. (Where one of two cannot, the
    other's results come with a note.)"""
    import numpy as np

    from synergy_tui.phiid.exchange import like_length

    query = "SELECT steps FROM responses WHERE capture = $1 AND valid ORDER BY prompt"
    lengths = np.array([one["steps"] for one in load.rows(cache, query, row["capture"])], int)
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


def _nulls(names: list[str], surrogates: int, prompts: int) -> list[str]:
    """The nulls to be run, the one behind excess first."""
    if not surrogates:
        if names:
            raise UsageError(f"no surrogates to draw of {', '.join(names)}", "add --surrogates 200")
        return []
    if surrogates < FEWEST_SURROGATES:
        raise UsageError(
            f"{surrogates} surrogates are too few to tell a tail from", f"draw {FEWEST_SURROGATES} or more, or 0"
        )
    names = names or [terms.NULLS[0] if prompts >= FEWEST_PROMPTS else terms.NULLS[1]]
    every = (*terms.NULLS, *terms.UNCALIBRATED_NULLS)
    known(names, every, "null")
    if terms.NULLS[0] in names and prompts < FEWEST_PROMPTS:
        raise UsageError(
            f"{terms.NULLS[0]} needs {FEWEST_PROMPTS} prompts long enough, and there are {prompts}",
            f"use --null {terms.NULLS[1]}",
        )
    return [name for name in every if name in names]
