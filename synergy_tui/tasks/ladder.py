"""What a ladder is: graded prompts on ordered levels. Light."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from synergy_tui.errors import TaskError
from synergy_tui.tasks.asking import Messages
from synergy_tui.tasks.prompts import Prompt, TaskSet
from synergy_tui.tasks.rows import check_text

GYM = "reasoning-gym:"
"""Prefix of the names of reasoning-gym's ladders and verifiers."""

_MOST_LEVELS = 40


@dataclass(frozen=True)
class LadderPrompt:
    """One question on a level (from 0), with its right answer and the verifier that checks it. entry: other data that
    the verifier needs. messages: see asking.Asked."""

    id: str
    level: int
    text: str
    answer: str
    verifier: str
    entry: dict[str, Any] | None = None
    messages: Messages = ()


@dataclass(frozen=True)
class Ladder:
    """A family of tasks on ordered levels, the easiest first. levels: their names."""

    name: str
    levels: tuple[str, ...]
    prompts: tuple[LadderPrompt, ...]

    def on(self, level: int) -> list[LadderPrompt]:
        """The prompts of one level."""
        return [one for one in self.prompts if one.level == level]

    @property
    def hash(self) -> str:
        """SHA-256 of all questions and how they are graded."""
        parts = (f"{one.level}\0{one.text}\0{one.answer}\0{one.verifier}" for one in self.prompts)
        return hashlib.sha256("\1".join((*self.levels, *parts)).encode()).hexdigest()

    def as_tasks(self) -> TaskSet:
        """The prompts in the form a capture takes, with the level's name as category."""
        found = (Prompt(one.id, self.levels[one.level], one.text, one.messages) for one in self.prompts)
        return TaskSet(self.name, tuple(found))


def build(name: str, rows: Sequence[tuple[str, LadderPrompt]], order: Sequence[str]) -> Ladder:
    """A ladder of prompts with the names of their levels, in the given order; other levels are left out. A prompt that
    repeats another of its level is asked once. Raises TaskError for a level without prompts, for too many levels and
    for invalid text."""
    if len(order) > _MOST_LEVELS:
        raise TaskError(f"{name} has {len(order)} levels, more than {_MOST_LEVELS}", "is that the column of the level?")
    by_level: dict[str, list[LadderPrompt]] = {level: [] for level in order}
    met: set[tuple[str, str, Messages]] = set()
    for level, one in rows:
        check_text(f"prompt {one.id!r} of {name}", one.id, one.text, one.answer)
        if one.text.strip() and level in by_level and (level, one.text, one.messages) not in met:
            met.add((level, one.text, one.messages))
            by_level[level].append(one)
    if empty := [level for level, some in by_level.items() if not some]:
        raise TaskError(f"level {empty[0]} of {name} has no prompts", "give it some, or take the level out")
    prompts = [dataclasses.replace(one, level=place) for place, level in enumerate(order) for one in by_level[level]]
    if not prompts:
        raise TaskError(f"{name} has no prompts", "give it some")
    ids = [one.id for one in prompts]
    if len(set(ids)) < len(ids):
        twice = next(one for one in ids if ids.count(one) > 1)
        raise TaskError(f"{name} has several prompts with the id {twice!r}", "give each its own")
    return Ladder(name, tuple(order), tuple(prompts))


def in_order(where: str, names: Sequence[str]) -> list[str]:
    """Levels sorted by size if they are numbers, or words in which one number changes, such as `Level 2`. Raises
    TaskError for others: nothing says which is easier."""
    distinct = list(dict.fromkeys(names))
    try:
        return sorted(distinct, key=float)
    except ValueError:
        pass
    pieces = [re.split(r"(\d+(?:\.\d+)?)", one.lower()) for one in distinct]
    if len({len(one) for one in pieces}) == 1:
        changing = [place for place, values in enumerate(zip(*pieces, strict=True)) if len(set(values)) > 1]
        if len(changing) == 1 and changing[0] % 2 == 1:
            return sorted(distinct, key=lambda one: float(re.split(r"(\d+(?:\.\d+)?)", one)[changing[0]]))
    shown = ", ".join(distinct[:8]) + (", …" if len(distinct) > 8 else "")
    raise TaskError(
        f"the levels of {where} are no numbers: {shown}",
        f"name them, the easiest first: --levels {','.join(distinct[:8])}",
    )
