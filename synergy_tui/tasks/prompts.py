"""A task set's name or file → prompts. Light."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from synergy_tui.errors import TaskError
from synergy_tui.settings import shipped, user_path

SHIPPED = ("cognitive",)

_LARGEST_FILE = 64_000_000


@dataclass(frozen=True)
class Prompt:
    """One thing to ask. id: its name in the set. category: '' when the set has none."""

    id: str
    category: str
    text: str

    def as_dict(self) -> dict[str, str]:
        """For a job's spec."""
        return asdict(self)


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
    """A shipped set by name, or a .jsonl, .csv or text file: one prompt per line, or a column `text` (or `prompt`) and
    perhaps `id` and `category`. Raises TaskError when it is missing, empty, or cannot be read as that."""
    path = shipped(f"prompts/{name}.jsonl") if name in SHIPPED else user_path(name)
    if not path.is_file():
        raise TaskError(f"no task set {name!r}", f"give {', '.join(SHIPPED)}, or a .jsonl, .csv or .txt file")
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise TaskError(f"{path} has {path.stat().st_size / 1e6:.0f} MB", "give a file of prompts below 64 MB")
        content = path.read_text("utf-8-sig")
    except OSError as error:
        raise TaskError(f"{path} cannot be read: {error.strerror}", "check its permissions") from None
    except UnicodeDecodeError:
        raise TaskError(f"{path} is no UTF-8 text", "save it as UTF-8 with one prompt per line") from None
    readers = {".jsonl": _json_lines, ".ndjson": _json_lines, ".csv": _csv}
    rows = list(readers.get(path.suffix.lower(), _plain)(path, content))
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
    content = user_path(name).read_text("utf-8-sig")
    responses = []
    for number, row in enumerate(_json_lines(Path(name), content), 1):
        response = row.get("response") if isinstance(row, dict) else None
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


def _json_lines(path: Path, content: str) -> Iterable[Any]:
    # Not splitlines(): JSON may hold U+2028 within a line.
    for number, line in enumerate(content.split("\n"), 1):
        if line.strip():
            try:
                yield json.loads(line)
            except (ValueError, RecursionError) as error:
                raise TaskError(
                    f"{path} line {number} is no JSON: {error}", "write one object or string per line"
                ) from None


def _csv(path: Path, content: str) -> Iterable[dict[str, Any]]:
    reader = csv.DictReader(io.StringIO(content), strict=True)
    try:
        names = reader.fieldnames or ()
        if not {"text", "prompt"} & set(names):
            raise TaskError(
                f"{path} has no column text (or prompt); it has {', '.join(names) or 'none'}",
                "name the prompts' column text in the first line",
            )
        yield from reader
    except csv.Error as error:
        raise TaskError(f"{path} line {reader.line_num} is no CSV: {error}", "mend the line") from None


def _plain(_: Path, content: str) -> Iterable[str]:
    return (line for line in content.split("\n") if line.strip())


def _prompt(path: Path, number: int, row: Any) -> Prompt:
    if isinstance(row, str):
        row = {"text": row}
    text = (row.get("text") or row.get("prompt")) if isinstance(row, dict) else None
    if not isinstance(text, str) or not text.strip():
        raise TaskError(f"prompt {number} of {path} has no text", "give it a text, or take it out")
    prompt = Prompt(str(row.get("id") or f"{number:03d}"), str(row.get("category") or ""), text.strip())
    try:
        "".join(prompt.as_dict().values()).encode()
    except UnicodeEncodeError:
        raise TaskError(f"prompt {number} of {path} holds half a character (a lone surrogate)", "mend it") from None
    return prompt
