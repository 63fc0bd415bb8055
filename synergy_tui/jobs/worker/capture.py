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
from synergy_tui.jobs import parts
from synergy_tui.jobs.devices import choose
from synergy_tui.jobs.folder import JobFolder
from synergy_tui.jobs.parts import Answer
from synergy_tui.jobs.specs import CaptureSpec
from synergy_tui.jobs.worker.progress import Progress
from synergy_tui.jobs.worker.record import recipes, versions
from synergy_tui.store.cache import Cache
from synergy_tui.store.load import rows as load_rows
from synergy_tui.store.publish import publish_capture
from synergy_tui.subject.loading import Subject, load
from synergy_tui.subject.sites import Units
from synergy_tui.terms import HEADS


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
    if asked.answers is None and not spec.temperature:
        _refuse_same(asked.prompts, names)
    if asked.answers is None:
        check_context(subject, asked.prompts, names, spec.steps)
    else:
        check_context(subject, [[*p, *a] for p, a in zip(asked.prompts, asked.answers, strict=True)], names, 0)

    batches = _batches(subject, units, asked, spec, job, progress)
    rows = sorted((row for batch in batches for row in batch), key=lambda row: row.prompt)
    steps = [row.steps for row in rows]
    valid = [length >= spec.min_steps for length in steps]
    if not any(valid):
        raise MeasureError(
            f"every response ended before {spec.min_steps} steps (the longest has {max(steps)})",
            "ask for longer answers, or lower --min-steps",
        )
    progress.stage("publish", share=(0.98, 1.0))
    _publish(cache, job, spec, subject, units, asked.prompts, rows, valid)


def _refuse_same(prompts: list[list[int]], names: list[str]) -> None:
    """Prompts of the same tokens are answered the same: one observation, counted twice. Raises MeasureError."""
    first: dict[tuple[int, ...], str] = {}
    for tokens, name in zip(prompts, names, strict=True):
        if (other := first.setdefault(tuple(tokens), name)) != name:
            raise MeasureError(
                f"prompts {other} and {name} are the same {len(tokens)} tokens for this subject",
                "look at its chat template (--no-chat leaves it out), or take one of them out",
            )


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
        prompts = encode(subject, [one.asked for one in spec.items], spec.chat, spec.system)
        if spec.replayed is None:
            return _Asked(prompts)
        texts = [one.response or "" for one in spec.items]
        answers = [subject.tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
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
) -> Iterator[list[Answer]]:
    """The responses of every batch, from its part or measured. Their activity is written as soon as it is measured and
    left on the disk: no more than a batch of it is held. Prompts of like length share a batch: less padding."""
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
        answers = parts.read_answers(job, name)
        if answers is None:
            made: list[Response] = []
            while len(made) < len(batch):
                some = batch[len(made) : len(made) + most]
                try:
                    made += _measured(subject, units, asked, some, steps, spec, progress)
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
            answers = [
                Answer(prompt, one.tokens, one.ended, min(most, len(batch)), name, place)
                for place, (prompt, one) in enumerate(zip(batch, made, strict=True))
            ]
            parts.write_answers(job, name, answers, [one.activity for one in made], (units.layers, units.per_layer))
            del made  # not while the next batch is measured
        else:
            progress.skip(sum(steps[one] for one in batch))
        yield answers


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


def _publish(
    cache: Cache,
    job: JobFolder,
    spec: CaptureSpec,
    subject: Subject,
    units: Units,
    tokens: list[list[int]],
    rows: list[Answer],
    valid: list[bool],
) -> None:
    tokenizer, capture = subject.tokenizer, job.id
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
        "steps": max(one.steps for one in rows),
        "min_steps": spec.min_steps,
        "batch": min(one.at_once for one in rows),
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
            "prompt": one.prompt,
            "text": tokenizer.decode(one.tokens, skip_special_tokens=True),
            "tokens": one.tokens,
            "pieces": [tokenizer.decode([token]) for token in one.tokens],
            "steps": one.steps,
            "ended": one.ended,
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
        (_series_table(one, parts.activity(job, one, units.present.size), units) for one in rows),
    )


def _controls(capture: str, spec: CaptureSpec) -> list[dict[str, Any]]:
    """Which capture this one is a control of."""
    one = spec.control
    return [{"control": capture, "capture": one.capture, "how": one.how, "seed": one.seed}] if one else []


def _decoding(spec: CaptureSpec) -> str:
    if spec.replayed is not None:
        return "replay"
    return f"sampling, temperature {spec.temperature:g}, top-p {spec.top_p:g}" if spec.temperature else "greedy"


def _series_table(answer: Answer, activity: np.ndarray, units: Units) -> pa.Table:
    """Rows of the units that are there: a place that no unit has is a place that no row names."""
    steps, places = answer.steps, np.flatnonzero(units.present.ravel())
    layer, unit = divmod(places, units.per_layer)
    values = activity[places]
    return pa.table(
        {
            "prompt": np.full(len(places) * steps, answer.prompt, np.int32),
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
