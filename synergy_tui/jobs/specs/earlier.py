"""Specs of earlier versions → specs of this version."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from synergy_tui.jobs.specs.ladder import LadderRequest
from synergy_tui.terms import CONTROLS

Flat = Mapping[str, Any]


def brought_up(kind: str, old: Flat) -> dict[str, Any]:
    """The content of a job's file in the form of the version before this one → in the form of this one. Raises
    UsageError."""
    return _KINDS[kind](old)


def _capture(old: Flat) -> dict[str, Any]:
    source, replay = old["subject"], old.get("replay") or {}
    options = list(old.get("options", ()))
    tasks = options[options.index("--tasks") + 1] if "--tasks" in options else old["tasks"]
    return _same(old, _OF_CAPTURE) | {
        "subject": source["place"],
        "revision": source.get("revision"),
        "random_weights": source.get("weights_seed") is not None,
        "weights_seed": source.get("weights_seed"),
        "source": source,
        "tasks": tasks,
        "task_set": old["tasks"],
        "prompts": None if replay else len(old["prompts"]),
        "items": old["prompts"],
        "replay": replay.get("capture"),
        "replayed": replay.get("capture", replay.get("file")),
        "control": old.get("controls"),
        "ladder": old.get("recipe"),
    }


_OF_CAPTURE = (
    *("data", "tasks_hash", "steps", "min_steps", "batch", "dtype", "kinds", "chat", "system", "temperature", "top_p"),
    *("device", "seed", "trajectory", "training_step"),
)


def _decompose(old: Flat) -> dict[str, Any]:
    method = _same(old, ("estimator", "redundancy", "lag", "pool", "preprocess", "precision"))
    return _same(old, ("capture", "nulls", "surrogates", "replicates", "seed", "device")) | {
        "method": method,
        "ladder": old.get("recipe"),
    }


def _ablate(old: Flat) -> dict[str, Any]:
    """Without the conditions, which jobs.plan.earlier finds out."""
    return _same(old, _OF_ABLATE) | {
        "source": old["subject"],
        "units": old.get("marked_units") or (),
        "prompts": len(old["prompts"]),
        "replayed": old["prompts"],
        "alpha": old.get("alpha") or 1.0,
        "reference_prompts": old.get("reference") or (),
        "graded": old.get("tasks") or (),
        "chat": old.get("chat", True),
    }


_OF_ABLATE = (
    *("decomposition", "capture", "data", "kinds", "held_out", "orders", "fractions", "seeds", "marked", "ranking"),
    *("batch", "dtype", "device", "seed", "intervention", "answers", "budget", "save", "most", "sparing"),
)


def _ladder(old: Flat) -> dict[str, Any]:
    request = LadderRequest.from_words(shlex.split(old["recipe"])[2:]).to_json()
    return (
        request
        | _same(old, ("capture", "name", "items", "seed", "device"))
        | {
            "captured": old["asked"],
            "level_names": old["levels"],
        }
    )


def _networks(old: Flat) -> dict[str, Any]:
    return _same(old, ("decomposition", "capture", "nulls", "draws", "replicates", "seed", "device"))


def _claims(old: Flat) -> dict[str, Any]:
    parts = old.get("parts", {})
    results = _same(parts, ("surrogates", "ablation", "networks"))
    results["controls"] = {how: parts.get(how, []) for how in CONTROLS}
    return _same(old, ("decomposition", "capture", "ranking", "budget", "seed", "device", "missing")) | {
        "results": results
    }


_KINDS = {
    "capture": _capture,
    "decompose": _decompose,
    "ablate": _ablate,
    "ladder": _ladder,
    "networks": _networks,
    "claims": _claims,
}


def _same(old: Flat, names: Sequence[str]) -> dict[str, Any]:
    return {name: old[name] for name in names if name in old}
