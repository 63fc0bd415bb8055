"""A capture job: prompts → responses and series, one shard per batch."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from synergy_tui.capture.generate import Response, check_context, encode, generate
from synergy_tui.errors import MeasureError
from synergy_tui.jobs.folder import JobFolder
from synergy_tui.jobs.worker import shards
from synergy_tui.jobs.worker.progress import Progress
from synergy_tui.jobs.worker.record import recipes, versions
from synergy_tui.store.cache import Cache
from synergy_tui.store.publish import publish_capture
from synergy_tui.subject.loading import Subject, load
from synergy_tui.subject.sources import Source

_SHARD = pa.schema(
    [
        ("prompt", pa.int32()),
        ("tokens", pa.list_(pa.int32())),
        ("ended", pa.bool_()),
        ("activity", pa.list_(pa.float32())),  # [units × steps], unit by unit
    ]
)


def work(job: JobFolder, spec: dict[str, Any], progress: Progress) -> None:
    """Loads the subject, generates what is missing, publishes."""
    cache = Cache.open(job.cache, on_wait=progress.waits)
    subject = load(
        Source(**spec["subject"]),
        Path(spec["data"]),
        spec["device"],
        spec["dtype"],
        lambda name, detail: progress.stage(name, detail=detail),
    )
    progress.detail(f"{subject.source.name}  {subject.layers} × {subject.heads} heads")
    prompts = spec["prompts"]
    tokens = encode(subject, [one["text"] for one in prompts], spec["chat"])
    check_context(subject, tokens, [one["id"] for one in prompts], spec["steps"])

    parts = _batches(subject, tokens, spec, job, progress)
    rows = sorted((row for part in parts for row in part), key=lambda row: row["prompt"])
    steps = [len(row["tokens"]) for row in rows]
    valid = [length >= spec["min_steps"] for length in steps]
    if not any(valid):
        raise MeasureError(
            f"every response ended before {spec['min_steps']} steps (the longest has {max(steps)})",
            "ask for longer answers, or lower --min-steps",
        )
    progress.stage("publish", share=(0.98, 1.0))
    _publish(cache, job.id, spec, subject, tokens, rows, valid)


def _batches(
    subject: Subject, tokens: list[list[int]], spec: dict[str, Any], job: JobFolder, progress: Progress
) -> Iterator[list[dict[str, Any]]]:
    """Rows of every batch, from its shard or generated. Prompts of like length share a batch: less padding."""
    order = sorted(range(len(tokens)), key=lambda number: (len(tokens[number]), number))
    count = -(-len(order) // spec["batch"])
    batches = [part.tolist() for part in np.array_split(order, count)]
    progress.stage(
        "capture",
        len(tokens) * spec["steps"],
        "tok",
        f"{len(tokens)} prompts × {spec['steps']} steps",
        (0.1, 0.98),
    )
    for number, batch in enumerate(batches):
        name = f"batch-{number:04d}"
        table = shards.read(job, name)
        if table is None:
            left = len(batch) * spec["steps"]

            def each_step(growing: int) -> None:
                nonlocal left
                left -= growing
                progress.advance(growing)

            made = generate(subject, [tokens[one] for one in batch], spec["steps"], each_step)
            table = _table(batch, made)
            shards.write(job, name, table)
            progress.advance(left)  # what early ends saved counts as done
        else:
            progress.skip(len(batch) * spec["steps"])
        yield table.to_pylist()


def _table(batch: list[int], made: list[Response]) -> pa.Table:
    return pa.table(
        {
            "prompt": batch,
            "tokens": [one.tokens for one in made],
            "ended": [one.ended for one in made],
            "activity": [one.activity.ravel() for one in made],
        },
        schema=_SHARD,
    )


def _publish(
    cache: Cache,
    capture: str,
    spec: dict[str, Any],
    subject: Subject,
    tokens: list[list[int]],
    rows: list[dict[str, Any]],
    valid: list[bool],
) -> None:
    tokenizer = subject.tokenizer
    units = [(layer, head) for layer in range(subject.layers) for head in range(subject.heads)]
    row = {
        "capture": capture,
        "subject": subject.record["subject"],
        "tasks": spec["tasks"],
        "tasks_hash": spec["tasks_hash"],
        "kind": "head",
        "layers": subject.layers,
        "units_per_layer": subject.heads,
        "prompts": len(rows),
        "valid_prompts": sum(valid),
        "steps": max(len(one["tokens"]) for one in rows),
        "min_steps": spec["min_steps"],
        "batch": spec["batch"],
        "decoding": "greedy",
        "chat_template": _template_hash(tokenizer) if spec["chat"] else None,
        "tokenizer": f"{type(tokenizer).__name__}, {len(tokenizer)} tokens",
        "dtype": spec["dtype"],
        "device": spec["device"],
        "seed": spec["seed"],
        "versions": versions("torch", "transformers"),
    }
    prompts = [
        {"capture": capture, "prompt": number, **one, "tokens": tokens[number]}
        for number, one in enumerate(spec["prompts"])
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
            "unit_index": index,
            "layer": layer,
            "unit": head,
            "depth": layer / max(subject.layers - 1, 1),
        }
        for index, (layer, head) in enumerate(units)
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
        },
        (_series_table(one, units) for one in rows),
    )


def _series_table(row: dict[str, Any], units: list[tuple[int, int]]) -> pa.Table:
    steps, count = len(row["tokens"]), len(units)
    layer, unit = np.array(units, np.int16).T
    return pa.table(
        {
            "prompt": np.full(count * steps, row["prompt"], np.int32),
            "unit_index": np.repeat(np.arange(count, dtype=np.int32), steps),
            "layer": np.repeat(layer, steps),
            "unit": np.repeat(unit, steps),
            "step": np.tile(np.arange(steps, dtype=np.int32), count),
            "value": np.asarray(row["activity"], np.float32),
        }
    )


def _template_hash(tokenizer: Any) -> str | None:
    template = tokenizer.chat_template
    return hashlib.sha256(str(template).encode()).hexdigest() if template else None
