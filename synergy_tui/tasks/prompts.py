"""A task set's name or file → prompts. Light."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from synergy_tui.errors import TaskError
from synergy_tui.settings import shipped, user_path
from synergy_tui.tasks.rows import Row, check_text, column, read

SHIPPED = ("cognitive",)


@dataclass(frozen=True)
class Prompt:
    """One thing to ask. id: its name in the set. category: '' when the set has none."""

    id: str
    category: str
    text: str


@dataclass(frozen=True)
class TaskSet:
    """A named list of prompts."""

    name: str
    prompts: tuple[Prompt, ...]

    @property
    def hash(self) -> str:
        """SHA-256 of the texts in order."""
        return hashlib.sha256("\0".join(one.text for one in self.prompts).encode()).hexdigest()


def load(name: str) -> TaskSet:
    """A shipped set by name, or a .jsonl, .csv, .parquet or text file: one prompt per line, or a column `text` (or
    `prompt`) and perhaps `id` and `category`. Raises TaskError when it is missing, empty, or cannot be read as that."""
    path = shipped(f"prompts/{name}.jsonl") if name in SHIPPED else user_path(name)
    if not path.is_file():
        raise TaskError(f"no task set {name!r}", f"give {', '.join(SHIPPED)}, or a .jsonl, .csv or .txt file")
    rows = read(path, plain=True)
    if rows and not {"text", "prompt"} & set(rows[0]):
        column(rows, None, ("text", "prompt"), "text", str(path))
    prompts = tuple(_prompt(path, number, row) for number, row in enumerate(rows, 1))
    if not prompts:
        raise TaskError(f"{path} has no prompts", "write one per line")
    if len({one.id for one in prompts}) < len(prompts):
        twice, _ = Counter(one.id for one in prompts).most_common(1)[0]
        raise TaskError(f"{path} has several prompts with the id {twice!r}", "give each its own")
    return TaskSet(name if name in SHIPPED else path.name, prompts)


def load_responses(name: str) -> tuple[TaskSet, list[str]]:
    """A .jsonl file of prompts with their responses: objects with `text` (or `prompt`) and `response`, perhaps `id` and
    `category`. Raises TaskError when it cannot be read as that."""
    tasks = load(name)
    responses = []
    for number, row in enumerate(read(user_path(name), plain=True), 1):
        response = row.get("response")
        if not isinstance(response, str) or not response.strip():
            raise TaskError(f"prompt {number} of {name} has no response", "give it one, as text, or take it out")
        responses.append(response)
    return tasks, responses


def select(tasks: TaskSet, count: int | None, seed: int = 0) -> TaskSet:
    """`count` prompts taken evenly from the categories, at random by `seed`, in the order of the set; all when None.
    Raises TaskError when the set has fewer."""
    if count is None or count == len(tasks.prompts):
        return tasks
    if count > len(tasks.prompts):
        raise TaskError(f"{tasks.name} has {len(tasks.prompts)} prompts, not {count}", "ask for fewer")
    chance = random.Random(seed)
    by_category: dict[str, list[Prompt]] = {}
    for one in tasks.prompts:
        by_category.setdefault(one.category, []).append(one)
    for members in by_category.values():
        chance.shuffle(members)
    taken: set[str] = set()
    while len(taken) < count:
        for members in by_category.values():
            if members and len(taken) < count:
                taken.add(members.pop().id)
    return TaskSet(tasks.name, tuple(one for one in tasks.prompts if one.id in taken))


def _prompt(path: Path, number: int, row: Row) -> Prompt:
    text = row.get("text") or row.get("prompt")
    if not isinstance(text, str) or not text.strip():
        raise TaskError(f"prompt {number} of {path} has no text", "give it a text, or take it out")
    prompt = Prompt(str(row.get("id") or f"{number:03d}"), str(row.get("category") or ""), text.strip())
    check_text(f"prompt {number} of {path}", prompt.id, prompt.category, prompt.text)
    return prompt
