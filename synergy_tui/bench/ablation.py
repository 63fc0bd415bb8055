"""The ablation lab against the plain way: one prompt at a time, one condition at a time, a full forward pass, all
logits kept and KL by its definition. Also the graded tasks against a plain way to answer them: batches padded on the
left, run whole up to the longest answer. Everything is interleaved, condition by condition, in one run on the built-in
subject."""

from __future__ import annotations

import contextlib
import resource
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch

from synergy_tui import settings
from synergy_tui.ablation.divergence import IntactBehaviour
from synergy_tui.ablation.reading import Likelihoods, Reader, ways
from synergy_tui.capture.generate import encode, generate
from synergy_tui.subject.loading import Subject, load
from synergy_tui.subject.sources import resolve
from synergy_tui.subject.taps import HeadsRemoved
from synergy_tui.tasks import graded
from synergy_tui.tasks import prompts as tasks

PROMPTS, STEPS, BATCH = 12, 60, 16
SHARE = 0.25
CUMULATIVE, SINGLE = 4, 8
"""Conditions of each kind: random quarters of the heads, and heads spread over the depth."""


def measure() -> dict[str, Any]:
    """Seconds per condition, lower quartile, and ratios to the plain way in fp32; the largest difference of a prompt's
    divergence, nats per token; peak memory with both loaded."""
    data = settings.load().data
    subject = load(resolve("smollm2"), data, "cpu", "float32")
    asked = encode(subject, [one.text for one in tasks.select(tasks.load("cognitive"), PROMPTS, 0).prompts], chat=True)
    answers = [one.tokens for one in generate(subject, asked, STEPS)]
    found: dict[str, Any] = {
        "prompts": PROMPTS,
        "steps": STEPS,
        "tokens": sum(map(len, asked)) + sum(map(len, answers)),
    }
    intact = IntactBehaviour(subject, asked, answers, BATCH)
    found["packed"] = intact.packed
    found["peak memory of the lab"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    half = load(resolve("smollm2"), data, "cpu", "bfloat16")
    intact_half = IntactBehaviour(half, asked, answers, BATCH)
    plain = _Plain(subject, asked, answers)
    for kind, conditions in _conditions(subject).items():
        took: dict[str, list[float]] = {"plain": [], "fp32": [], "bf16": []}
        values: dict[str, list[np.ndarray]] = {"plain": [], "fp32": [], "bf16": []}
        for removed in conditions:
            for name, ask in (("plain", plain.under), ("fp32", intact.under), ("bf16", intact_half.under)):
                value, passed = _timed(ask, removed)
                took[name].append(passed)
                values[name].append(value if name == "plain" else value.divergence)
        # A single head's cost depends on its layer; heads are spread evenly over the depth, so their mean counts.
        seconds = {
            name: float(np.quantile(one, 0.25) if kind == "cumulative" else np.mean(one)) for name, one in took.items()
        }
        exact, fp32, bf16 = (np.array(values[name]) for name in ("plain", "fp32", "bf16"))
        found[kind] = {
            "seconds": seconds,
            "fp32 against plain": seconds["plain"] / seconds["fp32"],
            "bf16 against plain": seconds["plain"] / seconds["bf16"],
            "fp32, largest difference": float(np.abs(fp32 - exact).max()),
            "bf16, largest difference of a condition": float(np.abs((bf16 - exact).mean(axis=1)).max()),
            "divergence": exact.mean(axis=1).tolist(),
        }
    found["graded tasks"] = graded_tasks(subject, _conditions(subject)["cumulative"], intact.reader)
    return found


def graded_tasks(subject: Subject, conditions: Sequence[Mapping[int, Sequence[int]]], reader: Reader) -> dict[str, Any]:
    """Seconds per condition of the shipped tasks, lower quartile, the intact subject first: in the plain way; with all
    answered as they are now; and with stated options graded by likelihood. Ratios are medians over conditions. grades
    that differ: between the first two; there should be none."""
    tasks = graded.load()
    asked = encode(subject, [one.messages or one.text for one in tasks], chat=True)
    closed = [number for number, one in enumerate(tasks) if one.options]
    opened = [number for number, one in enumerate(tasks) if not one.options]
    written = [[way for some in ways(subject, tasks[one].options) for way in some] for one in closed]
    options = Likelihoods(reader, [asked[one] for one in closed], written, BATCH * 3)
    took: dict[str, list[float]] = {"plain": [], "answered": [], "with options": []}
    differ = 0
    for removed in ({}, *conditions):
        grades = []
        for name, which, plainly in (
            ("plain", range(len(tasks)), True),
            ("answered", range(len(tasks)), False),
            ("with options", opened, False),
        ):
            with HeadsRemoved(subject.projections, subject.heads, removed):
                found, seconds = _timed(partial(_answers, subject, tasks, asked, which), plainly)
                if name == "with options":
                    seconds += _timed(lambda _: options.now(), None)[1]
            took[name].append(seconds)
            grades.append(found)
        differ += sum(one != other for one, other in zip(grades[0], grades[1], strict=True))
    ratio = {name: np.array(took["plain"]) / np.array(one) for name, one in took.items()}
    return {
        "seconds": {name: float(np.quantile(one, 0.25)) for name, one in took.items()},
        "answered against plain": float(np.median(ratio["answered"])),
        "with options against plain": float(np.median(ratio["with options"])),
        "conditions": len(conditions) + 1,
        "grades": len(tasks) * (len(conditions) + 1),
        "grades that differ": differ,
    }


def _answers(
    subject: Subject,
    tasks: Sequence[graded.Task],
    asked: Sequence[list[int]],
    which: Sequence[int],
    plainly: bool,
) -> list[str]:
    """Grades of greedy answers to some tasks. plainly: in batches run whole up to the longest answer."""
    order = sorted(which, key=lambda one: len(asked[one]))
    batch = BATCH * 3 if plainly else len(order)
    out = {}

    def grade(one: int, tokens: Sequence[int], ended: bool) -> Any:
        return graded.graded(tasks[one], subject.tokenizer.decode(tokens, skip_special_tokens=True), ended)

    for start in range(0, len(order), batch):
        some = order[start : start + batch]

        def over(row: int, tokens: Sequence[int], some: list[int] = some) -> bool:
            return bool(grade(some[row], tokens, False).final)

        prompts = [asked[one] for one in some]
        answers = generate(subject, prompts, graded.ANSWER, over=over, share=not plainly, read=plainly)
        for one, answer in zip(some, answers, strict=True):
            out[one] = grade(one, answer.tokens, answer.ended).name
    return [out[one] for one in which]


def _conditions(subject: Subject) -> dict[str, list[dict[int, list[int]]]]:
    """Heads to remove, by kind of sweep."""
    chance = np.random.default_rng(0)
    units = subject.layers * subject.heads
    cumulative = []
    for _ in range(CUMULATIVE):
        removed: dict[int, list[int]] = {}
        for unit in chance.permutation(units)[: int(SHARE * units)]:
            removed.setdefault(int(unit) // subject.heads, []).append(int(unit) % subject.heads)
        cumulative.append(removed)
    layers = ((np.arange(SINGLE) + 0.5) * subject.layers / SINGLE).astype(int)
    single = [{int(layer): [int(chance.integers(subject.heads))]} for layer in layers]
    return {"cumulative": cumulative, "single units": single}


class _Plain:
    """The implementation that one would write first."""

    def __init__(self, subject: Subject, prompts: Sequence[list[int]], responses: Sequence[list[int]]) -> None:
        self._subject = subject
        self._texts = [(torch.tensor([[*p, *r]]), len(p)) for p, r in zip(prompts, responses, strict=True)]
        self._intact = self._logs(contextlib.nullcontext())

    def under(self, removed: Mapping[int, Sequence[int]]) -> np.ndarray:
        """[prompts]: KL(intact ‖ ablated), nats per token."""
        ablated = self._logs(HeadsRemoved(self._subject.projections, self._subject.heads, removed))
        pairs = zip(self._intact, ablated, strict=True)
        return np.array([(p.exp() * (p - q)).sum(dim=-1).mean().item() for p, q in pairs])

    @torch.inference_mode()
    def _logs(self, within: contextlib.AbstractContextManager[Any]) -> list[torch.Tensor]:
        out = []
        with within:
            for ids, asked in self._texts:
                logits = self._subject.model(input_ids=ids, use_cache=False).logits[0]
                out.append(logits[asked - 1 : -1].log_softmax(dim=-1))
        return out


def _timed(ask: Callable[[Any], Any], given: Any) -> tuple[Any, float]:
    """The result, and CPU seconds on all cores; other processes do not count."""
    began = time.process_time()
    return ask(given), (time.process_time() - began) / torch.get_num_threads()
