"""A task set's name or file → prompts. Light."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from synergy_tui.errors import TaskError
from synergy_tui.settings import shipped, user_path
from synergy_tui.tasks import asking
from synergy_tui.tasks.asking import Messages
from synergy_tui.tasks.rows import ENDINGS, Row, check_text, column, identity, read
from synergy_tui.zoo import plants
from synergy_tui.zoo import shipped as zoo
from synergy_tui.zoo.languages import held_out
from synergy_tui.zoo.shipped import PLANT, ZOO

SHIPPED = ("cognitive",)


@dataclass(frozen=True)
class Prompt:
    """One question. id: its name in the set. category: '' if the set has none. messages: see asking.Asked."""

    id: str
    category: str
    text: str
    messages: Messages = ()


@dataclass(frozen=True)
class TaskSet:
    """A named list of prompts."""

    name: str
    prompts: tuple[Prompt, ...]

    @property
    def hash(self) -> str:
        """SHA-256 of the questions, in order."""
        texts = (repr(one.messages) if one.messages else one.text for one in self.prompts)
        return hashlib.sha256("\0".join(texts).encode()).hexdigest()


def load(name: str) -> TaskSet:
    """A shipped set by name, the prompts of a zoo model by its name, or a file or folder (see tasks.rows) with
    questions (see tasks.asking), and perhaps `id` and `category`. Raises TaskError when it is missing, empty, or cannot
    be read, and SubjectError for an unknown zoo model."""
    if name.startswith(ZOO):
        return _zoo(name)
    path = shipped(f"prompts/{name}.jsonl") if name in SHIPPED else user_path(name)
    if not path.exists():
        raise TaskError(f"no task set {name!r}", f"give {', '.join(SHIPPED)}, or a file ({', '.join(ENDINGS)})")
    rows = read(path)
    if rows:
        column(rows, None, asking.COLUMNS, "text", str(path))
    prompts = tuple(_prompt(path, number, row) for number, row in enumerate(rows, 1))
    if not prompts:
        raise TaskError(f"{path} has no prompts", "write one per line")
    if len({one.id for one in prompts}) < len(prompts):
        twice, _ = Counter(one.id for one in prompts).most_common(1)[0]
        raise TaskError(f"{path} has several prompts with the id {twice!r}", "give each its own")
    return TaskSet(name if name in SHIPPED else path.name, prompts)


ZOO_PROMPTS, PLANT_PROMPTS = 8, 40
"""Prompts of each level of a zoo model's language, and of a planted transformer."""


def _zoo(name: str) -> TaskSet:
    if name.startswith(PLANT):
        texts = plants.prompts(name.removeprefix(PLANT), PLANT_PROMPTS)
        return TaskSet(name, tuple(Prompt(f"words-{number:02d}", "", text) for number, text in enumerate(texts)))
    of = zoo.learned(name)
    found = [
        Prompt(f"{level}-{number}", level, " ".join(prompt))
        for place, level in enumerate(of.levels)
        for number, (prompt, _) in enumerate(held_out(of, place, ZOO_PROMPTS, 2))
    ]
    return TaskSet(f"{ZOO}{of.name}", tuple(found))


def load_responses(name: str) -> tuple[TaskSet, list[str]]:
    """A file of prompts with their responses: as for `load`, with a column `response`. Raises TaskError when it cannot
    be read."""
    tasks = load(name)
    responses = []
    for number, row in enumerate(read(user_path(name)), 1):
        response = row.get("response")
        if not isinstance(response, str) or not response.strip():
            raise TaskError(f"prompt {number} of {name} has no response", "give it one, as text, or take it out")
        responses.append(response)
    return tasks, responses


def distinct(tasks: TaskSet) -> TaskSet:
    """The same set without prompts that repeat an earlier one."""
    first: dict[str | Messages, Prompt] = {}
    for one in tasks.prompts:
        first.setdefault(one.messages or one.text, one)
    return TaskSet(tasks.name, tuple(first.values()))


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
    where = f"prompt {number} of {path}"
    found = asking.asked(row, where)
    prompt = Prompt(identity(row, number), str(row.get("category") or ""), found.text, found.messages)
    check_text(where, prompt.id, prompt.category)
    return prompt
