"""Which tasks state all their answers, and what guessing gives."""

from __future__ import annotations

import pytest

from synergy_tui.tasks import graded
from synergy_tui.tasks.graded import Task, able

LETTERS = "Which one?\nA) stone\nB) apple\nC) car\nAnswer with the letter."


def task(text: str, answer: str, grade: str, category: str = "") -> Task:
    return Task("1", category, text, answer, grade)


@pytest.mark.parametrize(
    ("text", "answer", "grade", "expected"),
    [
        (LETTERS, "B|apple", "choice", (("A", "B", "C"), 1)),
        ("Which one? (A) stone (B) apple", "B", "choice", (("A", "B"), 1)),
        ("Is ice cold? Answer yes or no.", "yes", "word", (("yes", "no"), 0)),
        ("True or false: ice is warm.", "False", "phrase", (("true", "false"), 1)),
        # None of these states all its options with the right one among them.
        (LETTERS, "D", "choice", None),
        ("Which one?\nA) stone\nC) car", "A", "choice", None),
        ("Which letter follows A?", "B", "choice", None),
        ("What is the opposite of yes? Answer with one word.", "no", "word", None),
        ("Is ice cold?", "yes", "word", None),
        ("Is ice cold? Answer yes or no.", "yes|indeed", "word", None),
        ("What is 1 + 1? Answer yes or no.", "2", "number", None),
    ],
)
def test_a_closed_task_states_all_its_answers(text, answer, grade, expected):
    found = task(text, answer, grade).options
    assert (found and (found.labels, found.right)) == expected


def test_of_the_shipped_tasks_the_multiple_choices_are_closed():
    closed = [one for one in graded.load() if one.options]
    assert {one.category for one in closed} == {"multiple choice"}
    assert len(closed) == 16
    assert all(one.options.labels[one.options.right] == one.answer[0] for one in closed)


def test_one_who_guesses_is_not_able():
    closed = [task("Is it so? Answer yes or no.", "yes", "word", "asked")] * 8
    opened = [task("What is it?", "ice", "word", "open")] * 8
    half = ["right"] * 4 + ["wrong"] * 4
    assert able([*closed, *opened], [*half, *half]) == ["open"]
    assert able(closed, ["right"] * 6 + ["wrong"] * 2) == ["asked"]
