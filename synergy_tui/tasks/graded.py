"""A set of graded tasks, and how an answer is graded. Light."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synergy_tui.errors import TaskError
from synergy_tui.settings import shipped, user_path
from synergy_tui.tasks import asking
from synergy_tui.tasks.asking import Messages
from synergy_tui.tasks.options import Options, options
from synergy_tui.tasks.rows import ENDINGS, Row, check_text, identity, read
from synergy_tui.tasks.verifiers import VERIFIERS, Grade, grade, guess
from synergy_tui.zoo import plants
from synergy_tui.zoo import shipped as zoo
from synergy_tui.zoo.languages import held_out
from synergy_tui.zoo.shipped import PLANT, ZOO

GRADES = tuple(name.removeprefix("line-") for name in VERIFIERS if name.startswith("line-"))
"""Verifiers of an answer's first line."""

ANSWERS = ("answer", "target")
"""Usual names of the column of right answers."""

ANSWER = 16
"""Most tokens of an answer, by default."""

ABLE = 0.5
"""Least accuracy of the intact subject in a category that counts: a removal cannot take away what the subject cannot
do. If tasks state their options, it is a share of the range from guessing to all."""


@dataclass(frozen=True)
class Task:
    """One question with a right answer; several right answers are separated by |. grade: its verifier. messages: see
    asking.Asked."""

    id: str
    category: str
    text: str
    answer: str
    grade: str
    messages: Messages = ()

    @property
    def options(self) -> Options | None:
        """All possible answers, if the task states them."""
        return options(self.text, self.answer, self.grade)


def load(name: str = "graded") -> list[Task]:
    """The shipped set by name, a zoo model's tasks by its name, or a file or folder (see tasks.rows) with questions
    (see tasks.asking), answers, and perhaps grade, id and category. Raises TaskError, and SubjectError for an unknown
    zoo model."""
    if name.startswith(ZOO):
        return _zoo(name)
    path = shipped("tasks/graded.jsonl") if name == "graded" else user_path(name)
    if not path.exists():
        raise TaskError(f"no graded tasks {name!r}", f"give graded, or a file ({', '.join(ENDINGS)})")
    rows = read(path)
    kind = _guess(rows)
    found = [_task(path, number, row, kind) for number, row in enumerate(rows, 1)]
    if not found:
        raise TaskError(f"{path} has no tasks", "write one JSON object per line")
    found = list({one.messages or one.text: one for one in reversed(found)}.values())[::-1]  # keeps the first of each
    if len({one.id for one in found}) < len(found):
        raise TaskError(f"{path} has several tasks with one id", "give each its own")
    return found


def _zoo(name: str) -> list[Task]:
    if name.startswith(PLANT):
        rows = plants.graded(name.removeprefix(PLANT), _PLANT_TASKS)
        return [Task(one["id"], "all", one["text"], one["answer"], one["grade"]) for one in rows]
    of = zoo.learned(name)
    return [
        Task(f"{level}-{number}", level, " ".join(prompt), " ".join(answer[:_ZOO_WORDS]), "continuation")
        for place, level in enumerate(of.levels)
        for number, (prompt, answer) in enumerate(held_out(of, place, 8, 4))
    ]


_ZOO_WORDS, _PLANT_TASKS = 12, 60
"""Words of a continuation: no more than the tokens of an answer. Tasks of a planted transformer."""


def _guess(rows: list[Row]) -> str:
    """The grade if a file names none."""
    kind = guess([str(_answer(row)) for row in rows])
    return kind if kind in GRADES else "phrase"


def _answer(row: Row) -> Any:
    return next((row[name] for name in ANSWERS if row.get(name) is not None), "")


def _task(path: Path, number: int, row: Row, kind: str) -> Task:
    where = f"task {number} of {path}"
    found = asking.asked(row, where)
    answer = str(_answer(row)).strip()
    if not answer:
        raise TaskError(f"{where} has no answer", f"give it one, in a column {' or '.join(ANSWERS)}")
    category, kind = str(row.get("category") or "all"), str(row.get("grade") or kind)
    task = Task(identity(row, number), category, found.text, answer, kind, found.messages)
    if task.grade not in GRADES:
        raise TaskError(f"{where} has the grade {task.grade!r}", f"known: {', '.join(GRADES)}")
    check_text(where, task.id, task.category)
    return task


def graded(task: Task, answer: str, ended: bool = True) -> Grade:
    """The grade of an answer. Text after the first line that states a result does not count. ended: see
    verifiers.grade."""
    return grade(f"line-{task.grade}", answer, task.answer, ended=ended, asked=task.text)


def able(tasks: Iterable[Task], grades: Iterable[str]) -> list[str]:
    """Categories in which at least ABLE of the answers beyond guessing are right; unfinished answers count as not
    right."""
    found: dict[str, list[tuple[bool, float]]] = {}
    for task, one in zip(tasks, grades, strict=True):
        closed = task.options
        found.setdefault(task.category, []).append((one == "right", closed.chance if closed else 0.0))
    out = []
    for category, ones in found.items():
        right, guessed = (sum(each) / len(ones) for each in zip(*ones, strict=True))
        if right >= guessed + ABLE * (1 - guessed):
            out.append(category)
    return out
