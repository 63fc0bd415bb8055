"""A capture job: prompts → responses and series, one shard per batch."""

from __future__ import annotations

import dataclasses
import gc
import hashlib
import sys
from collections.abc import Sequence
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
from synergy_tui.jobs.parts import Answer, Content
from synergy_tui.jobs.specs import CaptureSpec
from synergy_tui.jobs.worker.executors.crew import Crew
from synergy_tui.jobs.worker.executors.making import Given, Hearing, Report, Wanted
from synergy_tui.jobs.worker.progress import Progress
from synergy_tui.jobs.worker.record import recipes, versions
from synergy_tui.store.cache import Cache
from synergy_tui.store.load import rows as load_rows
from synergy_tui.store.publish import publish_capture
from synergy_tui.subject.loading import Subject, load
from synergy_tui.subject.sites import Units
from synergy_tui.terms import HEADS


class Asked(NamedTuple):
    """Token ids of prompts, and of responses to replay, with whether these ended by themselves; None if the subject
    answers itself."""

    prompts: list[list[int]]
    answers: list[list[int]] | None = None
    ended: list[bool] | None = None

    def steps(self, most: int) -> list[int]:
        """The most tokens of each prompt's response."""
        return [most] * len(self.prompts) if self.answers is None else [len(one) for one in self.answers]

    def lengths(self) -> list[int]:
        """The number of tokens of each prompt, with its replayed response."""
        more = self.answers or [[]] * len(self.prompts)
        return [len(one) + len(other) for one, other in zip(self.prompts, more, strict=True)]


def gather(cache: Cache, spec: CaptureSpec) -> Given:
    """The tokens of the replayed run, if there is one."""
    if not spec.from_run:
        return Given()
    found = load_rows(
        cache,
        """SELECT prompt, p.tokens AS asked, r.tokens AS answered, r.text, r.ended
        FROM prompts p JOIN responses r USING (capture, prompt) WHERE capture = $1 ORDER BY prompt""",
        spec.replayed,
    )
    return Given(told={"replayed": [dict(row) for row in found]})


FACTS = "subject"
"""The part that holds facts about the subject, the prompts in its tokens, and the prompts of each batch: no other
process has to load the subject for them, and a job resumed with a smaller batch has the same parts."""

PASS = 4_096
"""Tokens of a replaying pass, padding included. On a CPU arithmetic limits a pass from 1,000 tokens on; between two
passes a worker checks whether it is to stop."""


class Maker:
    """A loaded subject, and its prompts."""

    def __init__(self, spec: CaptureSpec, given: Given, report: Report) -> None:
        """Raises SubjectError, MeasureError, TaskError."""
        self.spec = spec
        self.subject = load(spec.source, Path(spec.data), choose(spec.device), spec.dtype or "float32", report)
        self.units = self.subject.units(spec.kinds)
        self.asked = _asked(spec, given, self.subject)
        names = [one.id for one in spec.items]
        prompts, answers = self.asked.prompts, self.asked.answers
        if answers is None:
            if not spec.temperature:
                _refuse_same(prompts, names)
            check_context(self.subject, prompts, names, spec.steps)
        else:
            check_context(self.subject, [[*p, *a] for p, a in zip(prompts, answers, strict=True)], names, 0)
        self._most = spec.batch or 1

    def make(self, wanted: Wanted, hearing: Hearing) -> Content:
        """The facts, or a batch, whose activity is held no longer than it takes to write it."""
        if wanted.name == FACTS:
            return parts.of_json(self._facts(int(wanted.given.get("workers", 1))))
        batch: list[int] = wanted.given["prompts"]
        made = self._responses(batch, hearing)
        answers = [
            Answer(prompt, one.tokens, None, None, one.ended, min(self._most, len(batch)), wanted.name, place)
            for place, (prompt, one) in enumerate(zip(batch, made, strict=True))
        ]
        answers = [_spelled(one, self.subject.tokenizer) for one in answers]
        return parts.of_answers(answers, [one.activity for one in made], (self.units.layers, self.units.per_layer))

    def _facts(self, workers: int) -> dict[str, Any]:
        """workers: how many need a batch each, if there are enough prompts."""
        units, tokenizer = self.units, self.subject.tokenizer
        lengths = self.asked.lengths()
        return {
            "name": self.subject.source.name,
            "record": self.subject.record,
            "kinds": list(units.kinds),
            "kind_of": units.kind_of.tolist(),
            "present": units.present.tolist(),
            "told": _told(units),
            "template": _template_hash(tokenizer) if self.spec.chat else None,
            "tokenizer": f"{type(tokenizer).__name__}, {len(tokenizer)} tokens",
            "prompts": self.asked.prompts,
            "steps": self.asked.steps(self.spec.steps),
            "lengths": lengths,
            "batches": batches(lengths, self._most, workers),
        }

    def _responses(self, batch: list[int], hearing: Hearing) -> list[Response]:
        """Responses to a batch's prompts; once memory runs out, fewer prompts at a time."""
        made: list[Response] = []
        while len(made) < len(batch):
            some = self._together(batch[len(made) : len(made) + self._most])
            try:
                made += _measured(self.subject, self.units, self.asked, some, self.spec, hearing)
            except (MemoryError, RuntimeError) as error:
                if not _out_of_memory(error):
                    raise
                if len(some) == 1:
                    more = self.spec.steps if self.asked.answers is None else 0
                    raise MeasureError(
                        f"one prompt of {self.asked.lengths()[some[0]] + more} tokens with its response does not fit "
                        "into memory",
                        "use shorter prompts, fewer --steps, or --dtype bfloat16",
                    ) from None
                self._most = len(some) // 2
                print(f"out of memory: {self._most} prompts at a time from here on", flush=True)
                _let_go()
        return made

    def _together(self, some: list[int]) -> list[int]:
        """The next prompts that share a pass: all prompts that are answered, or as many replayed ones, longest last, as
        still gain by it. There is always at least one."""
        if self.asked.answers is None:
            return some
        lengths = self.asked.lengths()
        fit = [one for place, one in enumerate(some, 1) if place * lengths[one] <= PASS]
        return fit or some[:1]


def work(job: JobFolder, spec: CaptureSpec, progress: Progress, crew: Crew | None = None) -> None:
    """Has the subject generate or replay missing responses, and publishes."""
    crew = crew or Crew(job, progress)
    cache = Cache.open(job.cache, on_wait=progress.waits)
    crew.begin(sys.modules[__name__], spec, gather(cache, spec))
    first = Wanted(FACTS, 0, {"workers": crew.size})
    crew.make([first], lambda name: parts.read_json(job, name) is not None)
    facts = parts.read_json(job, FACTS)
    if facts is None:
        raise OSError(f"part {FACTS} was there and is gone")
    kind_of = np.array(facts["kind_of"], object)
    layers, per_layer = kind_of.shape
    wanted = [
        Wanted(f"batch-{number:04d}", sum(facts["steps"][one] for one in batch), {"prompts": batch})
        for number, batch in enumerate(facts.get("batches") or batches(facts["lengths"], spec.batch or 1))
    ]
    told = f"{len(spec.items)} prompts × {max(facts['steps'])} steps{', replayed' if spec.replayed is not None else ''}"
    crew.make(
        wanted,
        lambda name: parts.read_answers(job, name) is not None,
        name="capture",
        total=sum(facts["steps"]),
        unit="tok",
        detail=f"{facts['name']}  {layers} × {per_layer} {facts['told']}  {told}",
        share=(0.1, 0.98),
    )
    crew.over()
    rows = sorted((row for one in wanted for row in _kept(job, one.name, crew)), key=lambda row: row.prompt)
    steps = [row.steps for row in rows]
    valid = [length >= spec.min_steps for length in steps]
    if not any(valid):
        raise MeasureError(
            f"every response ended before {spec.min_steps} steps (the longest has {max(steps)})",
            "ask for longer answers, or lower --min-steps",
        )
    progress.stage("publish", share=(0.98, 1.0))
    _publish(cache, job, spec, facts, rows, valid)


def batches(lengths: Sequence[int], size: int, workers: int = 1) -> list[list[int]]:
    """Prompts of like length share a batch, which needs less padding. lengths: by prompt. size: most prompts of a
    batch. workers: how many need a batch each."""
    order = sorted(range(len(lengths)), key=lambda number: (lengths[number], number))
    return [part.tolist() for part in np.array_split(order, max(-(-len(order) // size), min(workers, len(order))))]


def _kept(job: JobFolder, name: str, crew: Crew) -> list[Answer]:
    answers = parts.read_answers(job, name)
    if answers is None:
        raise OSError(f"part {name} was there and is gone")
    return [one if one.pieces is not None else _spelled(one, crew.maker.subject.tokenizer) for one in answers]


def _spelled(answer: Answer, tokenizer: Any) -> Answer:
    """The answer with its text, which earlier versions did not keep."""
    pieces = [tokenizer.decode([token]) for token in answer.tokens]
    return dataclasses.replace(answer, text=tokenizer.decode(answer.tokens, skip_special_tokens=True), pieces=pieces)


def _refuse_same(prompts: list[list[int]], names: list[str]) -> None:
    """Raises MeasureError for prompts of the same tokens: they get the same answer, one observation counted twice."""
    first: dict[tuple[int, ...], str] = {}
    for tokens, name in zip(prompts, names, strict=True):
        if (other := first.setdefault(tuple(tokens), name)) != name:
            raise MeasureError(
                f"prompts {other} and {name} are the same {len(tokens)} tokens for this subject",
                "look at its chat template (--no-chat leaves it out), or take one of them out",
            )


def _told(units: Units) -> str:
    return "heads" if set(units.kinds) <= set(HEADS) else f"units ({', '.join(units.kinds)})"


def _asked(spec: CaptureSpec, given: Given, subject: Subject) -> Asked:
    if not spec.from_run:
        prompts = encode(subject, [one.asked for one in spec.items], spec.chat, spec.system)
        if spec.replayed is None:
            return Asked(prompts)
        texts = [one.response or "" for one in spec.items]
        answers = [subject.tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
        return Asked(prompts, answers, [False] * len(answers))
    found = given.told["replayed"]
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
    return Asked(*columns)


def _measured(
    subject: Subject, units: Units, asked: Asked, some: list[int], spec: CaptureSpec, hearing: Hearing
) -> list[Response]:
    """Responses to some of the prompts; their steps are counted as they grow."""
    prompts = [asked.prompts[one] for one in some]
    if asked.answers is not None and asked.ended is not None:
        answers = [asked.answers[one] for one in some]
        activity = replay(subject, prompts, answers, units)
        hearing.advance(sum(map(len, answers)))
        ended = [asked.ended[one] for one in some]
        return [Response(*one) for one in zip(answers, ended, activity, strict=True)]
    sampling = Sampling(spec.temperature, spec.top_p, spec.seed) if spec.temperature else None
    return generate(subject, prompts, spec.steps, hearing.advance, units=units, sampling=sampling, numbers=some)


def _out_of_memory(error: BaseException) -> bool:
    # On a CPU torch has no class for this error.
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def _let_go() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _publish(
    cache: Cache, job: JobFolder, spec: CaptureSpec, facts: dict[str, Any], rows: list[Answer], valid: list[bool]
) -> None:
    capture = job.id
    present = np.array(facts["present"], bool)
    layers, per_layer = present.shape
    row = {
        "capture": capture,
        "subject": facts["record"]["subject"],
        "tasks": spec.task_set,
        "tasks_hash": spec.tasks_hash,
        "kind": ",".join(facts["kinds"]),
        "layers": layers,
        "units_per_layer": per_layer,
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
        "chat_template": facts["template"],
        "tokenizer": facts["tokenizer"],
        "dtype": spec.dtype,
        "device": spec.device,
        "seed": spec.seed,
        "versions": versions("torch", "transformers"),
    }
    prompts = [
        {"capture": capture, "prompt": number, "id": one.id, "category": one.category, "text": one.text}
        | {"tokens": facts["prompts"][number]}
        for number, one in enumerate(spec.items)
    ]
    responses = [
        {
            "capture": capture,
            "prompt": one.prompt,
            "text": one.text,
            "tokens": one.tokens,
            "pieces": one.pieces,
            "steps": one.steps,
            "ended": one.ended,
            "valid": ok,
        }
        for one, ok in zip(rows, valid, strict=True)
    ]
    table_of_units = [
        {
            "capture": capture,
            "unit_index": layer * per_layer + place,
            "layer": layer,
            "unit": place,
            "kind": facts["kind_of"][layer][place],
            "depth": layer / max(layers - 1, 1),
        }
        for layer, place in np.argwhere(present).tolist()
    ]
    publish_capture(
        cache,
        capture,
        {
            "subjects": [facts["record"]],
            "captures": [row],
            "prompts": prompts,
            "responses": responses,
            "units": table_of_units,
            "recipes": recipes(capture, spec),
            "controls": _controls(capture, spec),
        },
        (_series_table(one, parts.activity(job, one, present.size), present) for one in rows),
    )


def _controls(capture: str, spec: CaptureSpec) -> list[dict[str, Any]]:
    """The row that says which capture this one controls, if any."""
    one = spec.control
    return [{"control": capture, "capture": one.capture, "how": one.how, "seed": one.seed}] if one else []


def _decoding(spec: CaptureSpec) -> str:
    if spec.replayed is not None:
        return "replay"
    return f"sampling, temperature {spec.temperature:g}, top-p {spec.top_p:g}" if spec.temperature else "greedy"


def _series_table(answer: Answer, activity: np.ndarray, present: np.ndarray) -> pa.Table:
    """Rows of the existing units: no row names a place without a unit."""
    steps, places = answer.steps, np.flatnonzero(present.ravel())
    layer, unit = divmod(places, present.shape[1])
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
