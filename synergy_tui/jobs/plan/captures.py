"""A subject, prompts and how to ask them → the spec of a capture, or of several of one training."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from synergy_tui import terms
from synergy_tui.errors import SubjectError, UsageError
from synergy_tui.jobs import cost
from synergy_tui.jobs.devices import choose, cores, free_memory
from synergy_tui.jobs.plan.base import Plan, known
from synergy_tui.jobs.recipe import recorded
from synergy_tui.settings import user_path
from synergy_tui.store import load
from synergy_tui.store.cache import Cache
from synergy_tui.subject.sources import BUILT_IN, checkpoints, memory_needed, resolve, units_of
from synergy_tui.tasks import prompts as tasks_room
from synergy_tui.tasks.prompts import TaskSet

_MOST_ON_CPU, _MOST_ON_GPU = 20, 64
"""Prompts at a time that are worth it. What does not fit after all is halved by the worker."""

_LONG_PROMPT, _LARGE_VOCABULARY = 400, 260_000
"""Tokens, for a guess of the memory a prompt takes before it is encoded."""

_PREPARATION = 25.0
"""Seconds to convert a built-in subject, beside its download at 10 MB/s."""


def captures(data: Path, subject: str, *, revisions: Sequence[str] = (), **chosen: Any) -> list[Plan]:
    """A capture of `subject`; or of each of its `revisions`, or of each checkpoint in a folder of model folders whose
    names end in a number: a trajectory, tied together by an id of its own. Otherwise as `capture`."""
    folder = user_path(subject)
    if revisions:
        if chosen.get("revision"):
            raise UsageError("--revision and --revisions do not go together", "give one of them")
        steps = [re.search(r"(\d+)$", one) for one in revisions]
        numbers = [int(one[1]) if one else place for place, one in enumerate(steps)]
        each = [(number, subject, {"revision": one}) for number, one in zip(numbers, revisions, strict=True)]
    elif folder.is_dir() and not (folder / "config.json").exists() and (found := checkpoints(folder)):
        each = [(number, str(path), {}) for number, path in found]
    else:
        return [capture(data, subject, **chosen)]
    plans = []
    tie = "t" + secrets.token_hex(4)
    for number, place, more in each:
        one = capture(data, place, **chosen | more)
        plans.append(replace(one, spec=one.spec | {"trajectory": tie, "training_step": number}))
    return plans


@recorded
def capture(
    data: Path,
    subject: str,
    *,
    revision: str | None = None,
    tasks: str | TaskSet = "cognitive",
    prompts: int | None = None,
    steps: int = 100,
    min_steps: int = 20,
    batch: int | None = None,
    dtype: str | None = None,
    chat: bool = True,
    system: str | None = None,
    temperature: float = 0.0,
    top_p: float = 1.0,
    kinds: Sequence[str] = terms.HEADS,
    replay: str | None = None,
    cache: Cache | None = None,
    random_weights: bool = False,
    weights_seed: int | None = None,
    allow_pickle: bool = False,
    allow_remote_code: bool = False,
    device: str | None = None,
    seed: int = 0,
) -> Plan:
    """A capture of `subject` over prompts, greedy at temperature 0. `data`: folder of the built-in subjects. `tasks`: a
    set's name or file, or the set. `batch`, `dtype`: by memory and device when None. `replay`: a capture in `cache`, or
    a .jsonl file with responses, whose tokens are given to the subject instead of its own. `random_weights`: its
    architecture alone, drawn by `weights_seed`, or by `seed` without one, which chooses the prompts too. Raises
    UsageError, TaskError or SubjectError."""
    if steps < min_steps:
        raise UsageError(
            f"--steps {steps} is below --min-steps {min_steps}: no response would be analysed",
            "raise the one or lower the other",
        )
    known(list(kinds), terms.UNIT_KINDS, "unit kind")
    if weights_seed is not None and not random_weights:
        raise UsageError("--weights-seed draws random weights", "add --random-weights")
    if temperature < 0 or not 0 < top_p <= 1:
        raise UsageError(f"no sampling at temperature {temperature:g} with top-p {top_p:g}", "0 or more, and in (0, 1]")
    if replay and (prompts is not None or system is not None or temperature):
        raise UsageError("a replay has its prompts and tokens", "leave out --prompts, --system and --temperature")
    device = choose(device)
    dtype = dtype or ("float32" if device == "cpu" else "bfloat16")
    asked = _replayed(replay, cache) if replay else _asked(tasks, prompts, seed)
    source = resolve(
        subject,
        revision,
        weights_seed=(seed if weights_seed is None else weights_seed) if random_weights else None,
        pickle=allow_pickle,
        remote_code=allow_remote_code,
    )
    needed = memory_needed(source.geometry, dtype)
    free = free_memory() if device == "cpu" else None
    if needed and free is not None and needed > free:
        raise SubjectError(
            f"{source.name} needs about {needed / 1e9:.1f} GB in {dtype}, and {free / 1e9:.1f} GB are free",
            "use --dtype bfloat16, end other programs, or take a smaller model"
            if dtype == "float32"
            else "end other programs, or take a smaller model",
        )
    ready = source.kind != "built-in" or (data / "subjects" / source.place / "config.json").exists()
    preparation = 0.0 if ready else _PREPARATION + BUILT_IN[source.place].download / 1e7
    count = len(asked["prompts"])
    spec = {
        "subject": source.as_dict(),
        "data": str(data),
        **asked,
        "steps": steps,
        "min_steps": min_steps,
        "batch": batch or _batch(source.geometry, dtype, steps, free - (needed or 0) if free is not None else None),
        "dtype": dtype,
        "kinds": list(kinds),
        "chat": chat,
        "system": system,
        "temperature": temperature,
        "top_p": top_p,
        "device": device,
        "seed": seed,
    }
    price = cost.capture(source.geometry, count, steps, device, cores(), preparation)
    return Plan("capture", spec, price, units_of(source.geometry, kinds))


def _asked(tasks: str | TaskSet, prompts: int | None, seed: int) -> dict[str, Any]:
    """The part of a capture's spec that is about what is asked."""
    chosen = tasks_room.select(tasks_room.load(tasks) if isinstance(tasks, str) else tasks, prompts, seed)
    return {
        "tasks": chosen.name,
        "tasks_hash": chosen.hash,
        "prompts": [one.as_dict() for one in chosen.prompts],
        "replay": None,
    }


def _replayed(name: str, cache: Cache | None) -> dict[str, Any]:
    """The same where responses are given."""
    if name.endswith(".jsonl") or user_path(name).is_file():
        tasks, responses = tasks_room.load_responses(name)
        rows = [one.as_dict() | {"response": text} for one, text in zip(tasks.prompts, responses, strict=True)]
        return {"tasks": tasks.name, "tasks_hash": tasks.hash, "prompts": rows, "replay": {"file": tasks.name}}
    if cache is None:
        raise UsageError(f"no file {name!r} with responses", "give a .jsonl file")
    capture_id = load.find(cache, "capture", name)
    row = load.one(cache, "capture", capture_id)
    rows = load.rows(cache, "SELECT id, category, text FROM prompts WHERE capture = $1 ORDER BY prompt", capture_id)
    if any(one["text"] is None for one in rows):
        raise UsageError(f"capture {capture_id} was imported and has no tokens to replay", "name a subject's capture")
    replay = {"capture": capture_id}
    return {"tasks": row["tasks"], "tasks_hash": row["tasks_hash"], "prompts": rows, "replay": replay}


def _batch(geometry: dict[str, Any], dtype: str, steps: int, free: float | None) -> int:
    """Prompts at a time: as many as half the free memory holds with their keys and values, up to what still pays."""
    if free is None:
        return _MOST_ON_GPU
    bytes_each = 4 if dtype == "float32" else 2
    each = 2 * bytes_each * geometry["layers"] * geometry["hidden"] * (steps + _LONG_PROMPT) + 4 * _LARGE_VOCABULARY
    return max(1, min(_MOST_ON_CPU, int(free / 2 / each)))
