"""A set of graded tasks, and how an answer is graded. Light."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from synergy_tui.errors import TaskError
from synergy_tui.settings import shipped, user_path
from synergy_tui.tasks.rows import Row, check_text, read
from synergy_tui.tasks.verifiers import VERIFIERS, Grade, grade

GRADES = tuple(name.removeprefix("line-") for name in VERIFIERS if name.startswith("line-"))
"""Verifiers of an answer's first line."""

ANSWER = 16
"""Most tokens of an answer, by default."""

ABLE = 0.5
"""Least accuracy of the intact subject in a category that counts: what it cannot do, no removal can take."""


@dataclass(frozen=True)
class Task:
    """One thing to ask with a right answer; several right ones are parted by |. grade: its verifier."""

    id: str
    category: str
    text: str
    answer: str
    grade: str


def load(name: str = "graded") -> list[Task]:
    """The shipped set by name, or a file (see tasks.rows) with id, category, text, answer and grade. Raises
    TaskError."""
    path = shipped("tasks/graded.jsonl") if name == "graded" else user_path(name)
    if not path.is_file():
        raise TaskError(f"no graded tasks {name!r}", "give graded, or a .jsonl, .csv or .parquet file")
    found = [_task(path, number, row) for number, row in enumerate(read(path), 1)]
    if not found:
        raise TaskError(f"{path} has no tasks", "write one JSON object per line")
    if len({one.id for one in found}) < len(found):
        raise TaskError(f"{path} has several tasks with one id", "give each its own")
    return found


def _task(path: Path, number: int, row: Row) -> Task:
    names = ("id", "category", "text", "answer", "grade")
    if missing := [name for name in names if row.get(name) is None]:
        raise TaskError(f"task {number} of {path} has no {missing[0]}", f"give it {', '.join(names)}")
    task = Task(**{name: str(row[name]) for name in names})
    if empty := [name for name, value in vars(task).items() if not value]:
        raise TaskError(f"task {number} of {path} has an empty field {empty[0]}", "fill it in")
    if task.grade not in GRADES:
        raise TaskError(f"task {number} of {path} has the grade {task.grade!r}", f"known: {', '.join(GRADES)}")
    check_text(f"task {number} of {path}", task.id, task.category, task.text)
    return task


def graded(task: Task, answer: str, ended: bool = True) -> Grade:
    """The grade of an answer. What comes after the first line that states a result does not count. ended: see
    verifiers.grade."""
    return grade(f"line-{task.grade}", answer, task.answer, ended=ended, asked=task.text)


def able(tasks: Iterable[Task], grades: Iterable[str]) -> list[str]:
    """Categories in which at least ABLE of the answers are right, unfinished ones counted as not."""
    counts: dict[str, list[bool]] = {}
    for task, one in zip(tasks, grades, strict=True):
        counts.setdefault(task.category, []).append(one == "right")
    return [category for category, ones in counts.items() if sum(ones) / len(ones) >= ABLE]
