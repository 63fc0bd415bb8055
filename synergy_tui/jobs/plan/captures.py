"""A subject, prompts and how to ask them → the spec of a capture, or specs of several captures of one training."""

from __future__ import annotations

import dataclasses
import re
import secrets
from pathlib import Path
from typing import Any, NamedTuple

from synergy_tui.errors import SubjectError, UsageError
from synergy_tui.jobs import cost
from synergy_tui.jobs.devices import choose, cores, free_memory, has_bfloat16
from synergy_tui.jobs.plan.base import Plan
from synergy_tui.jobs.specs.capture import TASKS, CaptureRequest, CaptureSpec, Item
from synergy_tui.settings import user_path
from synergy_tui.store import load
from synergy_tui.store.cache import Cache
from synergy_tui.subject.facts import check_divided
from synergy_tui.subject.manifest import BUILT_IN
from synergy_tui.subject.source import Source
from synergy_tui.subject.sources import (
    checkpoints,
    file_list_hash,
    local,
    memory_needed,
    resolve,
    split_files,
    units_of,
    weights_files,
)
from synergy_tui.tasks import prompts as tasks_room
from synergy_tui.tasks.prompts import Prompt, TaskSet
from synergy_tui.tasks.rows import ENDINGS
from synergy_tui.zoo import shipped as zoo
from synergy_tui.zoo.shipped import PLANT, ZOO

_MOST, _MOST_TOGETHER = 64, 16
"""Most prompts at a time that pay: a decode step reads all weights, whatever the number of prompts. The worker halves a
batch that does not fit after all, unless several processes hold the model: they begin with fewer."""

_LONG_PROMPT, _LARGE_VOCABULARY, _LETTERS = 400, 260_000, 3
"""Fewest tokens of a prompt, tokens of a vocabulary, and characters per token: for a guess of the memory that a prompt
takes before it is encoded."""

_CHANGES = (
    "bfloat16 leaves activity on given tokens nearly as it is (rank-difference ρ 0.995 with float32, on SmolLM2), but "
    "greedy answers diverge from those in float32, and so do rankings (ρ 0.84): compare runs of one number type"
)
_EMULATED = "this CPU has no bfloat16 arithmetic and emulates it, which takes longer than float32"

_PREPARATION = 8.0
"""Seconds to convert a built-in subject, besides its download at 10 MB/s."""


def captures(data: Path, request: CaptureRequest, cache: Cache | None = None) -> list[Plan[CaptureSpec]]:
    """A capture of a subject; or of each of its revisions, or of each checkpoint in a folder of model folders whose
    names end in a number: a trajectory, which has an id of its own. Otherwise as `capture`."""
    course = request.subject.startswith(ZOO) and request.subject.endswith(f"/{zoo.TRAINING}")
    folder = zoo.folder(request.subject) if course else user_path(request.subject)
    if request.revisions:
        steps = [re.search(r"(\d+)$", one) for one in request.revisions]
        numbers = [int(one[1]) if one else place for place, one in enumerate(steps)]
        each = [
            (number, request.replace(revision=one, revisions=()))
            for number, one in zip(numbers, request.revisions, strict=True)
        ]
    elif folder.is_dir() and not (folder / "config.json").exists() and (found := checkpoints(folder)):
        each = [
            (number, request.replace(subject=f"{request.subject}/{path.name}" if course else str(path)))
            for number, path in found
        ]
    else:
        return [capture(data, request, cache)]
    tie = "t" + secrets.token_hex(4)
    plans = [(number, capture(data, one, cache)) for number, one in each]
    return [
        dataclasses.replace(one, spec=one.spec.replace(trajectory=tie, training_step=number)) for number, one in plans
    ]


def capture(
    data: Path,
    request: CaptureRequest,
    cache: Cache | None = None,
    tasks: TaskSet | None = None,
    ladder: str | None = None,
) -> Plan[CaptureSpec]:
    """A capture of a subject over prompts, greedy at temperature 0. `data`: folder of the built-in subjects. `cache`:
    holds a capture to replay. `tasks`: the set, if it has no name or file. `ladder`: the command that makes the ladder
    that this is a part of. Raises UsageError, TaskError or SubjectError."""
    device = choose(request.device)
    dtype = request.dtype or ("float32" if device == "cpu" else "bfloat16")
    asked = _replayed(request.replay, cache) if request.replay else _asked(request, tasks)
    seed = request.seed if request.weights_seed is None else request.weights_seed
    source = resolve(
        request.subject,
        request.revision,
        weights_seed=seed if request.random_weights else None,
        pickle=request.allow_pickle,
        remote_code=request.allow_remote_code,
        adapter=request.adapter,
    )
    check_divided(source, request.tensor_parallel)
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
    room = free - (needed or 0) if free is not None else None
    most = _MOST if request.tensor_parallel == 1 else _MOST_TOGETHER
    longest = max((len(one.text) for one in asked.items), default=0)
    settled: dict[str, Any] = {name: getattr(request, name) for name in request.__struct_fields__} | {
        "subject": source.place,
        "revision": source.revision,
        "adapter": source.adapter,
        "revisions": (),
        "weights_seed": source.weights_seed,
        "device": device,
        "dtype": dtype,
        "batch": request.batch or min(_batch(source.geometry, dtype, request.steps, room, longest), most),
        "tasks": asked.place,
        "prompts": None if request.replay else len(asked.items),
        "replay": asked.replay,
    }
    spec = CaptureSpec(
        **settled,
        source=source,
        weights=weights_of(source),
        data=str(data),
        task_set=asked.name,
        tasks_hash=asked.hash,
        items=asked.items,
        replayed=asked.replayed,
        ladder=ladder,
    )
    price = cost.capture(source.geometry, len(asked.items), request.steps, device, cores(), preparation)
    first = () if ready else (f"fetches {BUILT_IN[source.place].announcement}, once",)
    notes = (*first, *asked.notes, *_of_type(dtype, device))
    return Plan(spec, price, units_of(source.geometry, request.kinds), notes)


def _of_type(dtype: str, device: str) -> tuple[str, ...]:
    """What a user should know about a number type on a CPU, where float32 is the default."""
    if dtype != "bfloat16" or device != "cpu":
        return ()
    return (_CHANGES,) if has_bfloat16() is not False else (_CHANGES, _EMULATED)


class _Asked(NamedTuple):
    """What is asked. place: the set's name, or the path of its file, valid from any folder. replay: likewise. notes:
    see Plan."""

    name: str
    hash: str
    items: tuple[Item, ...]
    place: str
    replay: str | None = None
    replayed: str | None = None
    notes: tuple[str, ...] = ()


def _asked(request: CaptureRequest, tasks: TaskSet | None) -> _Asked:
    named = request.tasks if request.tasks != TASKS or not request.subject.startswith(ZOO) else request.subject
    whole = tasks or tasks_room.load(named)
    notes: tuple[str, ...] = ()
    if not request.temperature:  # the same prompt would be answered the same again
        distinct = tasks_room.distinct(whole)
        notes = _repeated(len(whole.prompts) - len(distinct.prompts), whole)
        if request.subject.startswith(PLANT):
            notes += (f"{request.subject} shows its processes only in words drawn at random: use --temperature 1",)
        whole = distinct
    chosen = tasks_room.select(whole, request.prompts, request.seed)
    items = tuple(Item(one.id, one.category, one.text, None, one.messages) for one in chosen.prompts)
    place = chosen.name if tasks else whole_path(named)
    return _Asked(chosen.name, chosen.hash, items, place, notes=notes)


def _repeated(count: int, tasks: TaskSet) -> tuple[str, ...]:
    if not count:
        return ()
    return (f"{count} of {len(tasks.prompts)} prompts of {tasks.name} repeat others and count once",)


def _replayed(name: str, cache: Cache | None) -> _Asked:
    """The same for a replay."""
    if Path(name).suffix.lower() in ENDINGS or user_path(name).exists():
        tasks, responses = tasks_room.load_responses(name)
        pairs: dict[Any, tuple[Prompt, str]] = {}
        for one, text in zip(tasks.prompts, responses, strict=True):
            pairs.setdefault((one.messages or one.text, text), (one, text))
        notes = _repeated(len(responses) - len(pairs), tasks)
        items = tuple(Item(one.id, one.category, one.text, text, one.messages) for one, text in pairs.values())
        return _Asked(tasks.name, tasks.hash, items, "cognitive", whole_path(name), tasks.name, notes)
    if cache is None:
        raise UsageError(f"no file {name!r} with responses", f"known: {', '.join(ENDINGS)}")
    capture_id = load.find(cache, "capture", name)
    row = load.one(cache, "capture", capture_id)
    rows = load.rows(cache, "SELECT id, category, text FROM prompts WHERE capture = $1 ORDER BY prompt", capture_id)
    if any(one["text"] is None for one in rows):
        raise UsageError(f"capture {capture_id} was imported and has no tokens to replay", "name a subject's capture")
    items = tuple(Item(one["id"], one["category"], one["text"]) for one in rows)
    return _Asked(row["tasks"], row["tasks_hash"], items, "cognitive", capture_id, capture_id)


def whole_path(name: str) -> str:
    """A name as it is, or the absolute path of a file."""
    path = Path(name).expanduser()
    return str(path.resolve()) if path.exists() else name


def weights_of(source: Source) -> str | None:
    """What identifies the weights in a folder or file, which may change; None if the source itself does."""
    if source.weights_seed is not None:
        return None
    if source.adapter is not None:
        merged = file_list_hash(sorted(Path(source.adapter).glob("adapter_*")), samples=16)
        return f"{weights_of(dataclasses.replace(source, adapter=None)) or source.place} + {merged}"
    if source.kind in ("folder", "zoo"):
        folder = local(source)
        return file_list_hash(weights_files(folder) or sorted(folder.glob("*.bin")), samples=16)
    return file_list_hash(split_files(Path(source.place))) if source.kind == "gguf" else None


def _batch(geometry: dict[str, Any], dtype: str, steps: int, free: float | None, longest: int) -> int:
    """Prompts at a time: as many as half the free memory holds with their keys and values, up to the number that still
    pays. longest: characters of the longest prompt."""
    if free is None:
        return _MOST
    bytes_each = 4 if dtype == "float32" else 2
    tokens = steps + max(_LONG_PROMPT, longest // _LETTERS)
    each = 2 * bytes_each * geometry["layers"] * geometry["hidden"] * tokens + 4 * _LARGE_VOCABULARY
    return max(1, min(_MOST, int(free / 2 / each)))
