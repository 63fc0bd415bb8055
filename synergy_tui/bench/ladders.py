"""SmolLM2 on the shipped ladders: how many answers of each level are right, and how many did not end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from synergy_tui.subject.loading import Subject
from synergy_tui.tasks import ladders
from synergy_tui.tasks.ladder import Ladder
from synergy_tui.tasks.verifiers import Grade, grade

PROMPTS = 20
"""Prompts per level."""

STEPS = 256
"""Most tokens of an answer."""

BATCH = 32


def climb(subject: Subject, ladder: Ladder, steps: int) -> dict[str, Any]:
    """Counts of grades by level. An answer ends as soon as its grade can no longer change."""
    from synergy_tui.capture.generate import encode, generate

    prompts = list(ladder.prompts)
    asked = encode(subject, [one.messages or one.text for one in prompts], True)
    order = sorted(range(len(prompts)), key=lambda one: len(asked[one]))  # padding costs time for nothing
    grades = [""] * len(prompts)

    def graded(place: int, tokens: Sequence[int], ended: bool) -> Grade:
        one = prompts[place]
        text = subject.tokenizer.decode(tokens, skip_special_tokens=True)
        return grade(one.verifier, text, one.answer, ended=ended, asked=one.text)

    for start in range(0, len(order), BATCH):
        some = order[start : start + BATCH]

        def over(row: int, tokens: Sequence[int], some: list[int] = some) -> bool:
            return graded(some[row], tokens, False).final

        for place, answer in zip(some, generate(subject, [asked[one] for one in some], steps, over=over), strict=True):
            grades[place] = graded(place, answer.tokens, answer.ended).name
    out: dict[str, Any] = {}
    for number, level in enumerate(ladder.levels):
        here = [name for name, one in zip(grades, prompts, strict=True) if one.level == number]
        counts = {name: here.count(name) for name in ("right", "wrong", "unparsable", "unfinished")}
        out[level] = {"of": len(here)} | counts
    return out


def measure() -> dict[str, Any]:
    """For every shipped ladder, level by level: how many answers are right, wrong, unparsable and unfinished."""
    from synergy_tui.settings import load as settings
    from synergy_tui.subject.loading import load
    from synergy_tui.subject.sources import resolve

    subject = load(resolve("smollm2"), settings().data, "cpu", "float32")
    shipped = (ladders.load(name) for name in ladders.SHIPPED)
    return {one.name: climb(subject, ladders.select(one, None, PROMPTS), STEPS) for one in shipped}
