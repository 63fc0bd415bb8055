"""Graded tasks → which of them a subject answers right, intact or without some heads: its own greedy answers."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

from synergy_tui.capture.generate import check_context, encode, generate
from synergy_tui.subject.loading import Subject
from synergy_tui.tasks.graded import ANSWER, Task, right


class Examination:
    """Tasks put to one subject, encoded once."""

    def __init__(self, subject: Subject, tasks: Sequence[Task], chat: bool, batch: int) -> None:
        """Raises TaskError when a task is longer than the subject's context."""
        self._subject, self.tasks, self._batch = subject, list(tasks), batch
        self._asked = encode(subject, [one.text for one in tasks], chat)
        check_context(subject, self._asked, [one.id for one in tasks], ANSWER)
        # Those of like length together: padding is computed for nothing.
        self._order = sorted(range(len(tasks)), key=lambda one: len(self._asked[one]))

    def rights(
        self,
        within: contextlib.AbstractContextManager[Any] | None = None,
        check: Callable[[], None] = lambda: None,
    ) -> list[bool]:
        """Whether each task is answered right within a context that removes units. `check` is called at every step;
        what it raises ends it."""
        out = [False] * len(self.tasks)
        with within or contextlib.nullcontext():
            for start in range(0, len(self._order), self._batch):
                some = self._order[start : start + self._batch]
                answers = generate(self._subject, [self._asked[one] for one in some], ANSWER, lambda _: check())
                for one, answer in zip(some, answers, strict=True):
                    text = self._subject.tokenizer.decode(answer.tokens, skip_special_tokens=True)
                    out[one] = right(self.tasks[one], text)
        return out
