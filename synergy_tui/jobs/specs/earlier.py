"""Specs and commands of earlier versions → values of this one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from synergy_tui.errors import UsageError
from synergy_tui.jobs.specs.base import Request
from synergy_tui.jobs.specs.fields import fields
from synergy_tui.terms import CONTROLS

Flat = Mapping[str, Any]


def request_of(words: Sequence[str]) -> Request:
    """The request that a recipe of an earlier version makes: `synergy-tui COMMAND WHAT --option value …`, as words.
    Raises UsageError where it makes none."""
    from synergy_tui.jobs.specs import SPECS

    commands = {one.REQUEST.COMMAND: one.REQUEST for one in SPECS.values()}
    if len(words) < 3 or words[1] not in commands:
        raise UsageError(f"no request {' '.join(words)[:60]!r}", f"known: {', '.join(commands)}")
    request = commands[words[1]]
    options = {f"--{one.label}": one for one in fields(request)}
    off = {one.option.off: one for one in fields(request) if one.option.off}
    values: dict[str, Any] = {next(one.name for one in fields(request) if one.option.argument): words[2]}
    rest = iter(words[3:])
    for word in rest:
        if word in off:
            values[off[word].name] = False
        elif (field := options.get(word)) is None:
            raise UsageError(f"no option {word!r}", f"known: {', '.join(options)}")
        elif field.is_switch:
            values[field.name] = True
        else:
            value = field.read(next(rest, ""))
            values[field.name] = (*values.get(field.name, ()), *value) if field.option.repeat else value
    return request.make(values)


def brought_up(kind: str, old: Flat) -> dict[str, Any]:
    """The content of a job's file as the version before this one wrote it, as this one writes it. Raises UsageError."""
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
    """Without its conditions, which jobs.earlier finds out."""
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
    import shlex

    request = request_of(shlex.split(old["recipe"])).to_json()
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
