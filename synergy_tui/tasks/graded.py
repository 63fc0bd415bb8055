"""A set of graded tasks, and whether an answer is right. Light."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from synergy_tui.errors import TaskError
from synergy_tui.settings import shipped, user_path

GRADES = ("number", "word", "phrase", "choice")
"""number: the last number of the first line is the answer. word: a word of the first line is. phrase: the first line
holds it. choice: the first capital letter that stands alone is, or one of the words is there."""

ANSWER = 16
"""Tokens an answer may have."""

ABLE = 0.5
"""Least accuracy of the intact subject in a category that counts: what it cannot do, no removal can take."""


@dataclass(frozen=True)
class Task:
    """One thing to ask with a right answer; several right ones are parted by |. grade: see GRADES."""

    id: str
    category: str
    text: str
    answer: str
    grade: str

    def as_dict(self) -> dict[str, str]:
        """For a job's spec."""
        return asdict(self)


def load(name: str = "graded") -> list[Task]:
    """The shipped set by name, or a .jsonl file of objects with id, category, text, answer and grade. Raises
    TaskError."""
    path = shipped("tasks/graded.jsonl") if name == "graded" else user_path(name)
    if not path.is_file():
        raise TaskError(f"no graded tasks {name!r}", "give graded, or a .jsonl file")
    found = []
    try:
        lines = [line for line in path.read_text("utf-8").split("\n") if line.strip()]
    except (OSError, UnicodeDecodeError):
        raise TaskError(f"{path} cannot be read as UTF-8", "give a .jsonl file") from None
    for number, line in enumerate(lines, 1):
        found.append(_task(path, number, line))
    if not found:
        raise TaskError(f"{path} has no tasks", "write one JSON object per line")
    if len({one.id for one in found}) < len(found):
        raise TaskError(f"{path} has several tasks with one id", "give each its own")
    return found


def _task(path: Any, number: int, line: str) -> Task:
    try:
        row = json.loads(line)
        task = Task(**{name: row[name] for name in ("id", "category", "text", "answer", "grade")})
    except (ValueError, KeyError, TypeError):
        what = "an object with id, category, text, answer and grade"
        raise TaskError(f"line {number} of {path} is not {what}", "mend the line") from None
    if not all(isinstance(value, str) and value for value in task.as_dict().values()):
        raise TaskError(f"line {number} of {path} has an empty field", "fill it in")
    if task.grade not in GRADES:
        raise TaskError(f"line {number} of {path} has the grade {task.grade!r}", f"known: {', '.join(GRADES)}")
    return task


def right(task: Task, answer: str) -> bool:
    """Whether an answer is right. What comes after its first line does not count."""
    line = answer.strip().partition("\n")[0]
    wanted = task.answer.split("|")
    if task.grade == "number":
        numbers = re.findall(r"-?\d+(?:\.\d+)?", line.replace(",", ""))
        return bool(numbers) and numbers[-1] in wanted
    if task.grade == "phrase":
        return any(_within(one, line) for one in wanted)
    if task.grade == "choice":
        letter, *words = wanted
        alone = re.search(r"\b([A-Z])\b(?!['’])", line)
        return alone.group(1) == letter if alone else any(_within(one, line) for one in words)
    return any(_within(one, line) for one in wanted)


def _within(words: str, line: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(words)}(?!\w)", line, re.IGNORECASE) is not None


def able(tasks: Iterable[Task], rights: Iterable[bool]) -> list[str]:
    """Categories in which at least ABLE of the answers are right."""
    counts: dict[str, list[bool]] = {}
    for task, one in zip(tasks, rights, strict=True):
        counts.setdefault(task.category, []).append(one)
    return [category for category, ones in counts.items() if sum(ones) / len(ones) >= ABLE]
