"""Graded tasks → how a subject's own greedy answers are graded, intact or without some heads."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

from synergy_tui.capture.generate import check_context, encode, generate
from synergy_tui.subject.loading import Subject
from synergy_tui.tasks.graded import Task, graded
from synergy_tui.tasks.verifiers import Grade


class Examination:
    """Tasks put to one subject, encoded once."""

    def __init__(self, subject: Subject, tasks: Sequence[Task], chat: bool, batch: int, steps: int) -> None:
        """steps: most tokens of an answer. Raises TaskError when a task is longer than the subject's context."""
        self._subject, self.tasks, self._batch, self._steps = subject, list(tasks), batch, steps
        self._asked = encode(subject, [one.messages or one.text for one in tasks], chat)
        check_context(subject, self._asked, [one.id for one in tasks], steps)
        # Those of like length together: padding is computed for nothing.
        self._order = sorted(range(len(tasks)), key=lambda one: len(self._asked[one]))

    def grades(
        self,
        within: contextlib.AbstractContextManager[Any] | None = None,
        check: Callable[[], None] = lambda: None,
    ) -> list[str]:
        """The grade (terms.GRADES) of each task's answer within a context that removes units. An answer ends where its
        grade can no longer change. `check` is called at every step; what it raises ends it."""
        out = [""] * len(self.tasks)
        with within or contextlib.nullcontext():
            for start in range(0, len(self._order), self._batch):
                some = self._order[start : start + self._batch]

                def over(row: int, tokens: Sequence[int], some: list[int] = some) -> bool:
                    return self._grade(some[row], tokens, False).final

                asked = [self._asked[one] for one in some]
                answers = generate(self._subject, asked, self._steps, lambda _: check(), over=over)
                for one, answer in zip(some, answers, strict=True):
                    out[one] = self._grade(one, answer.tokens, answer.ended).name
        return out

    def _grade(self, task: int, tokens: Sequence[int], ended: bool) -> Grade:
        text = self._subject.tokenizer.decode(tokens, skip_special_tokens=True)
        return graded(self.tasks[task], text, ended)
