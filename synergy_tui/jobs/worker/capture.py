"""A capture job: prompts → responses and series, one shard per batch."""

from __future__ import annotations

import gc
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import torch

from synergy_tui.capture.generate import Response, Sampling, check_context, encode, generate, replay
from synergy_tui.errors import MeasureError
from synergy_tui.jobs.devices import choose
from synergy_tui.jobs.folder import JobFolder
from synergy_tui.jobs.specs import CaptureSpec
from synergy_tui.jobs.worker import shards
from synergy_tui.jobs.worker.progress import Progress
from synergy_tui.jobs.worker.record import recipes, versions
from synergy_tui.store.cache import Cache
from synergy_tui.store.load import rows as load_rows
from synergy_tui.store.publish import publish_capture
from synergy_tui.subject.loading import Subject, load
from synergy_tui.subject.sites import Units
from synergy_tui.terms import HEADS

_SHARD = pa.schema(
    [
        ("prompt", pa.int32()),
        ("tokens", pa.list_(pa.int32())),
        ("ended", pa.bool_()),
        ("activity", pa.list_(pa.float32())),  # [units × steps], unit by unit
        ("at_once", pa.int32()),  # prompts
    ]
)


def work(job: JobFolder, spec: CaptureSpec, progress: Progress) -> None:
    """Loads the subject, generates or replays what is missing, publishes."""
    cache = Cache.open(job.cache, on_wait=progress.waits)
    subject = load(
        spec.source,
        Path(spec.data),
        choose(spec.device),
        spec.dtype or "float32",
        lambda name, detail: progress.stage(name, detail=detail),
    )
    units = subject.units(spec.kinds)
    progress.detail(f"{subject.source.name}  {units.layers} × {units.per_layer} {_told(units)}")
    asked = _asked(cache, spec, subject)
    names = [one.id for one in spec.items]
    if asked.answers is None:
        check_context(subject, asked.prompts, names, spec.steps)
    else:
        check_context(subject, [[*p, *a] for p, a in zip(asked.prompts, asked.answers, strict=True)], names, 0)

    parts = _batches(subject, units, asked, spec, job, progress)
    rows = sorted((row for part in parts for row in part), key=lambda row: row["prompt"])
    steps = [len(row["tokens"]) for row in rows]
    valid = [length >= spec.min_steps for length in steps]
    if not any(valid):
        raise MeasureError(
            f"every response ended before {spec.min_steps} steps (the longest has {max(steps)})",
            "ask for longer answers, or lower --min-steps",
        )
    progress.stage("publish", share=(0.98, 1.0))
    _publish(cache, job.id, spec, subject, units, asked.prompts, rows, valid)


def _told(units: Units) -> str:
    return "heads" if set(units.kinds) <= set(HEADS) else f"units ({', '.join(units.kinds)})"


class _Asked(NamedTuple):
    """Token ids of prompts, and of the responses to be replayed with whether they ended by themselves; None where the
    subject answers itself."""

    prompts: list[list[int]]
    answers: list[list[int]] | None = None
    ended: list[bool] | None = None


def _asked(cache: Cache, spec: CaptureSpec, subject: Subject) -> _Asked:
    if not spec.from_run:
        prompts = encode(subject, [one.text for one in spec.items], spec.chat, spec.system)
        if spec.replayed is None:
            return _Asked(prompts)
        texts = [one.response or "" for one in spec.items]
        answers = [subject.tokenizer(text, add_special_tokens=False)["input_ids"][: spec.steps] for text in texts]
        return _Asked(prompts, answers, [False] * len(answers))
    found = load_rows(
        cache,
        """SELECT prompt, p.tokens AS asked, r.tokens AS answered, r.text, r.ended
        FROM prompts p JOIN responses r USING (capture, prompt) WHERE capture = $1 ORDER BY prompt""",
        spec.replayed,
    )
    largest = subject.model.get_input_embeddings().num_embeddings
    for row in found:
        whole = max([*row["asked"], *row["answered"]]) < largest
        if not whole or subject.tokenizer.decode(row["answered"], skip_special_tokens=True) != row["text"]:
            raise MeasureError(
                f"response {row['prompt']} of capture {spec.replayed} is other text in the tokens of "
                f"{subject.source.name}",
                "replay captures of subjects with the same tokenizer",
            )
    columns = ([row[name] for row in found] for name in ("asked", "answered", "ended"))
    return _Asked(*columns)


def _batches(
    subject: Subject, units: Units, asked: _Asked, spec: CaptureSpec, job: JobFolder, progress: Progress
) -> Iterator[list[dict[str, Any]]]:
    """Rows of every batch, from its shard or measured. Prompts of like length share a batch: less padding."""
    lengths = [len(one) for one in asked.prompts]
    steps = [spec.steps] * len(lengths)
    if asked.answers is not None:
        steps = [len(one) for one in asked.answers]
        lengths = [length + more for length, more in zip(lengths, steps, strict=True)]
    order = sorted(range(len(lengths)), key=lambda number: (lengths[number], number))
    count = -(-len(order) // (spec.batch or 1))
    batches = [part.tolist() for part in np.array_split(order, count)]
    told = f"{len(lengths)} prompts × {max(steps)} steps" + (", replayed" if asked.answers is not None else "")
    progress.stage("capture", sum(steps), "tok", told, (0.1, 0.98))
    most = spec.batch or 1
    for number, batch in enumerate(batches):
        name = f"batch-{number:04d}"
        table = shards.read(job, name)
        if table is None:
            rows: list[tuple[int, Response]] = []
            while len(rows) < len(batch):
                some = batch[len(rows) : len(rows) + most]
                try:
                    made = _measured(subject, units, asked, some, steps, spec, progress)
                except (MemoryError, RuntimeError) as error:
                    if not _out_of_memory(error):
                        raise
                    if len(some) == 1:
                        longest = lengths[some[0]] + (spec.steps if asked.answers is None else 0)
                        raise MeasureError(
                            f"one prompt of {longest} tokens with its response does not fit into memory",
                            "use shorter prompts, fewer --steps, or --dtype bfloat16",
                        ) from None
                    most = len(some) // 2
                    print(f"out of memory: {most} prompts at a time from here on", flush=True)
                    _let_go()
                    continue
                rows += zip(some, made, strict=True)
            table = _table(rows, min(most, len(batch)))
            # Who looks at the folder while it grows learns the map's shape.
            shape = {"layers": str(units.layers), "per_layer": str(units.per_layer)}
            shards.write(job, name, table.replace_schema_metadata(shape))
        else:
            progress.skip(sum(steps[one] for one in batch))
        yield table.to_pylist()


def _measured(
    subject: Subject,
    units: Units,
    asked: _Asked,
    some: list[int],
    steps: list[int],
    spec: CaptureSpec,
    progress: Progress,
) -> list[Response]:
    """Responses to some of the prompts, counted as they grow."""
    left = sum(steps[one] for one in some)
    prompts = [asked.prompts[one] for one in some]
    if asked.answers is not None and asked.ended is not None:
        answers = [asked.answers[one] for one in some]
        activity = replay(subject, prompts, answers, units)
        progress.advance(left)
        ended = [asked.ended[one] for one in some]
        return [Response(*one) for one in zip(answers, ended, activity, strict=True)]

    def each_step(growing: int) -> None:
        nonlocal left
        left -= growing
        progress.advance(growing)

    sampling = Sampling(spec.temperature, spec.top_p, spec.seed) if spec.temperature else None
    try:
        return generate(subject, prompts, spec.steps, each_step, units=units, sampling=sampling, numbers=some)
    except (MemoryError, RuntimeError):
        left -= len(some) * spec.steps  # it will be made again
        raise
    finally:
        progress.advance(left)  # what early ends saved counts as done


def _out_of_memory(error: BaseException) -> bool:
    # On a CPU torch has no name for it.
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def _let_go() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _table(made: list[tuple[int, Response]], at_once: int) -> pa.Table:
    return pa.table(
        {
            "prompt": [number for number, _ in made],
            "tokens": [one.tokens for _, one in made],
            "ended": [one.ended for _, one in made],
            "activity": [one.activity.ravel() for _, one in made],
            "at_once": [at_once] * len(made),
        },
        schema=_SHARD,
    )


def _publish(
    cache: Cache,
    capture: str,
    spec: CaptureSpec,
    subject: Subject,
    units: Units,
    tokens: list[list[int]],
    rows: list[dict[str, Any]],
    valid: list[bool],
) -> None:
    tokenizer = subject.tokenizer
    there = [(int(layer), int(place)) for layer, place in np.argwhere(units.present)]
    row = {
        "capture": capture,
        "subject": subject.record["subject"],
        "tasks": spec.task_set,
        "tasks_hash": spec.tasks_hash,
        "kind": ",".join(units.kinds),
        "layers": units.layers,
        "units_per_layer": units.per_layer,
        "prompts": len(rows),
        "valid_prompts": sum(valid),
        "steps": max(len(one["tokens"]) for one in rows),
        "min_steps": spec.min_steps,
        "batch": min(one["at_once"] for one in rows),
        "decoding": _decoding(spec),
        "replayed": spec.replayed,
        "system": spec.system,
        "trajectory": spec.trajectory,
        "training_step": spec.training_step,
        "chat_template": _template_hash(tokenizer) if spec.chat else None,
        "tokenizer": f"{type(tokenizer).__name__}, {len(tokenizer)} tokens",
        "dtype": spec.dtype,
        "device": spec.device,
        "seed": spec.seed,
        "versions": versions("torch", "transformers"),
    }
    prompts = [
        {"capture": capture, "prompt": number, "id": one.id, "category": one.category, "text": one.text}
        | {"tokens": tokens[number]}
        for number, one in enumerate(spec.items)
    ]
    responses = [
        {
            "capture": capture,
            "prompt": one["prompt"],
            "text": tokenizer.decode(one["tokens"], skip_special_tokens=True),
            "tokens": one["tokens"],
            "pieces": [tokenizer.decode([token]) for token in one["tokens"]],
            "steps": len(one["tokens"]),
            "ended": one["ended"],
            "valid": ok,
        }
        for one, ok in zip(rows, valid, strict=True)
    ]
    table_of_units = [
        {
            "capture": capture,
            "unit_index": layer * units.per_layer + place,
            "layer": layer,
            "unit": place,
            "kind": units.kind_of[layer, place],
            "depth": layer / max(units.layers - 1, 1),
        }
        for layer, place in there
    ]
    publish_capture(
        cache,
        capture,
        {
            "subjects": [subject.record],
            "captures": [row],
            "prompts": prompts,
            "responses": responses,
            "units": table_of_units,
            "recipes": recipes(capture, spec),
            "controls": _controls(capture, spec),
        },
        (_series_table(one, units) for one in rows),
    )


def _controls(capture: str, spec: CaptureSpec) -> list[dict[str, Any]]:
    """Which capture this one is a control of."""
    one = spec.control
    return [{"control": capture, "capture": one.capture, "how": one.how, "seed": one.seed}] if one else []


def _decoding(spec: CaptureSpec) -> str:
    if spec.replayed is not None:
        return "replay"
    return f"sampling, temperature {spec.temperature:g}, top-p {spec.top_p:g}" if spec.temperature else "greedy"


def _series_table(row: dict[str, Any], units: Units) -> pa.Table:
    """Rows of the units that are there: a place that no unit has is a place that no row names."""
    steps, places = len(row["tokens"]), np.flatnonzero(units.present.ravel())
    layer, unit = divmod(places, units.per_layer)
    values = np.asarray(row["activity"], np.float32).reshape(units.present.size, steps)[places]
    return pa.table(
        {
            "prompt": np.full(len(places) * steps, row["prompt"], np.int32),
            "unit_index": np.repeat(places.astype(np.int32), steps),
            "layer": np.repeat(layer.astype(np.int16), steps),
            "unit": np.repeat(unit.astype(np.int16), steps),
            "step": np.tile(np.arange(steps, dtype=np.int32), len(places)),
            "value": values.ravel(),
        }
    )


def _template_hash(tokenizer: Any) -> str | None:
    template = tokenizer.chat_template
    return hashlib.sha256(str(template).encode()).hexdigest() if template else None
