"""Graded tasks → how a subject answers them, intact or without some heads: by its own greedy answers, or by the
likeliest option if a task states all its options."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from synergy_tui.ablation.reading import Likelihoods, Reader, ways
from synergy_tui.capture.generate import check_context, encode, generate
from synergy_tui.subject.loading import Subject
from synergy_tui.subject.sites import text_config
from synergy_tui.tasks.graded import Task, graded
from synergy_tui.tasks.verifiers import Grade

ROOM = 24 << 20
"""Bytes of keys, values and logits for each prompt of `batch`: short tasks share passes in larger numbers."""


class Examination:
    """Tasks put to one subject, encoded once."""

    def __init__(
        self,
        subject: Subject,
        tasks: Sequence[Task],
        chat: bool,
        batch: int,
        steps: int,
        reader: Reader | None = None,
        by_likelihood: bool = True,
    ) -> None:
        """steps: most tokens of an answer. reader: the subject's, if there is one already. by_likelihood: whether
        options are graded by likelihood; otherwise the subject answers all tasks. Raises TaskError if a task is longer
        than the subject's context."""
        self._subject, self.tasks, self._steps = subject, list(tasks), steps
        self._asked = encode(subject, [one.messages or one.text for one in tasks], chat)
        check_context(subject, self._asked, [one.id for one in tasks], steps)
        written = {number: ways(subject, one.options) for number, one in enumerate(tasks) if by_likelihood}
        self._closed = {number: found for number, found in written.items() if found}
        # Tasks of like length share a pass, because padding costs time for nothing.
        left = [number for number in range(len(tasks)) if number not in self._closed]
        self._order = sorted(left, key=lambda one: len(self._asked[one]))
        longest = max((len(self._asked[one]) for one in left), default=0) + steps
        self._batch = max(batch, batch * ROOM // _bytes_of_a_row(subject, longest))
        self._likelihoods: Likelihoods | None = None
        if self._closed:
            every = [[one for way in found for one in way] for found in self._closed.values()]
            asked = [self._asked[one] for one in self._closed]
            self._likelihoods = Likelihoods(reader or Reader(subject), asked, every, batch)

    def grades(
        self,
        within: contextlib.AbstractContextManager[Any] | None = None,
        check: Callable[[], None] = lambda: None,
    ) -> list[str]:
        """The grade (terms.GRADES) of each task's answer within a context that removes units. An answer ends once its
        grade can no longer change. `check` is called at every step; an error that it raises ends the work."""
        out = [""] * len(self.tasks)
        with within or contextlib.nullcontext():
            for number, chances in self.chances().items():
                options = self.tasks[number].options
                out[number] = "right" if options and int(chances.argmax()) == options.right else "wrong"
            check()
            for start in range(0, len(self._order), self._batch):
                some = self._order[start : start + self._batch]

                def over(row: int, tokens: Sequence[int], some: list[int] = some) -> bool:
                    return self._grade(some[row], tokens, False).final

                asked = [self._asked[one] for one in some]
                answers = generate(self._subject, asked, self._steps, lambda _: check(), over=over, read=False)
                for one, answer in zip(some, answers, strict=True):
                    out[one] = self._grade(one, answer.tokens, answer.ended).name
        return out

    def chances(self) -> dict[int, np.ndarray]:
        """Place of a task with stated options → the probability of each option among them, in the present subject."""
        found: dict[int, np.ndarray] = {}
        said = self._likelihoods.now() if self._likelihoods else []
        for (number, every), values in zip(self._closed.items(), said, strict=True):
            logs = np.logaddexp.reduce(values.reshape(len(every), -1), axis=0)
            found[number] = np.exp(logs - np.logaddexp.reduce(logs))
        return found

    def _grade(self, task: int, tokens: Sequence[int], ended: bool) -> Grade:
        text = self._subject.tokenizer.decode(tokens, skip_special_tokens=True)
        return graded(self.tasks[task], text, ended)


def _bytes_of_a_row(subject: Subject, tokens: int) -> int:
    """About the bytes that a sequence takes: its keys and values, and logits of one position."""
    config = text_config(subject.model)
    heads = getattr(config, "num_attention_heads", None) or subject.heads
    groups = getattr(config, "num_key_value_heads", None) or heads
    width = getattr(config, "head_dim", None) or config.hidden_size // heads
    size: int = subject.model.dtype.itemsize
    return int(2 * subject.layers * groups * width * tokens * size + 2 * config.vocab_size * 4)
