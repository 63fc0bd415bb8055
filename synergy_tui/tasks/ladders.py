"""A ladder's name or file → graded prompts on ordered levels. Light.

A ladder ships with the tool (see SHIPPED), comes from reasoning-gym, from the usual files of ARC, MATH, GSM8K and MMLU
(ladder_sources.py), or from the user's own file with a column for the level and one for the answer."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synergy_tui.errors import TaskError
from synergy_tui.settings import shipped, user_path
from synergy_tui.tasks import verifiers
from synergy_tui.tasks.prompts import Prompt, TaskSet

SHIPPED = (
    "arithmetic-chains",
    "base-conversion",
    "letter-counting",
    "propositional-logic",
    "knights-and-knaves",
    "word-sorting",
)

TEXT_COLUMNS = ("text", "prompt", "question", "problem")

_LARGEST_FILE = 256_000_000
_MOST_LEVELS = 40

Row = dict[str, Any]


@dataclass(frozen=True)
class LadderPrompt:
    """One thing to ask on a level (from 0), with its right answer and the verifier that knows it. entry: what else the
    verifier needs."""

    id: str
    level: int
    text: str
    answer: str
    verifier: str
    entry: dict[str, Any] | None = None


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
        """SHA-256 of all that is asked and how it is graded."""
        parts = (f"{one.level}\0{one.text}\0{one.answer}\0{one.verifier}" for one in self.prompts)
        return hashlib.sha256("\1".join((*self.levels, *parts)).encode()).hexdigest()

    def as_tasks(self) -> TaskSet:
        """The prompts as a capture takes them, the level's name their category."""
        found = (Prompt(one.id, self.levels[one.level], one.text) for one in self.prompts)
        return TaskSet(self.name, tuple(found))


def load(
    name: str,
    *,
    level_column: str | None = None,
    answer_column: str | None = None,
    text_column: str | None = None,
    verifier: str | None = None,
    prompts: int = 40,
    seed: int = 0,
) -> Ladder:
    """The ladder of this name. prompts, seed: for what is generated as it is asked for. Raises TaskError when there is
    no such ladder, when it cannot be read as one, or when a level has no prompts."""
    from synergy_tui.tasks import ladder_sources

    if verifier is not None and not verifiers.known(verifier):
        raise TaskError(f"no verifier {verifier!r}", f"known: {', '.join(verifiers.VERIFIERS)}")
    if name in SHIPPED:
        return _graded(name, read(shipped(f"ladders/{name}.jsonl")))
    if name.startswith(verifiers.GYM):
        from synergy_tui.tasks import gym

        return gym.ladder(name.removeprefix(verifiers.GYM), prompts, seed)
    source, _, place = name.partition(":")
    if source in ladder_sources.SOURCES:
        return ladder_sources.load(source, place, level_column)
    path = user_path(name)
    if not path.is_file():
        raise TaskError(
            f"no ladder {name!r}",
            f"give {', '.join(SHIPPED)}, {', '.join(ladder_sources.SOURCES)}, {verifiers.GYM}NAME, or a file",
        )
    return _own(path, level_column, answer_column, text_column, verifier)


def select(ladder: Ladder, levels: int | None, prompts: int | None, seed: int = 0) -> Ladder:
    """`levels` of the levels, evenly from the first to the last, and of each `prompts` at random by `seed`, in the
    ladder's order; all when None, and all where a level has no more. Raises TaskError for more levels than there are,
    and for fewer than two."""
    there = len(ladder.levels)
    if levels is not None and levels > there:
        raise TaskError(f"{ladder.name} has {there} levels, not {levels}", "ask for fewer --levels")
    count = there if levels is None else levels
    if count < 2:
        raise TaskError(f"{ladder.name} with {count} level has nothing to compare", "take two levels or more")
    kept = [round(place * (there - 1) / (count - 1)) for place in range(count)]
    chosen: list[LadderPrompt] = []
    for place, level in enumerate(kept):
        some = ladder.on(level)
        if prompts is not None and prompts < len(some):
            picked = set(random.Random(f"{seed} {level}").sample(range(len(some)), prompts))
            some = [one for number, one in enumerate(some) if number in picked]
        chosen += [LadderPrompt(one.id, place, one.text, one.answer, one.verifier, one.entry) for one in some]
    return Ladder(ladder.name, tuple(ladder.levels[level] for level in kept), tuple(chosen))


def build(name: str, rows: Sequence[tuple[str, LadderPrompt]], order: Sequence[str]) -> Ladder:
    """A ladder of prompts with the names of their levels; levels stand in this order. Raises TaskError for a level
    without prompts, for too many levels and for text that is none."""
    if len(order) > _MOST_LEVELS:
        raise TaskError(f"{name} has {len(order)} levels, more than {_MOST_LEVELS}", "is that the column of the level?")
    by_level: dict[str, list[LadderPrompt]] = {level: [] for level in order}
    for level, one in rows:
        _check_text(name, one)
        if one.text.strip():
            by_level[level].append(one)
    if empty := [level for level, some in by_level.items() if not some]:
        raise TaskError(f"level {empty[0]} of {name} has no prompts", "give it some, or take the level out")
    prompts = [
        LadderPrompt(one.id, place, one.text, one.answer, one.verifier, one.entry)
        for place, level in enumerate(order)
        for one in by_level[level]
    ]
    if not prompts:
        raise TaskError(f"{name} has no prompts", "give it some")
    ids = [one.id for one in prompts]
    if len(set(ids)) < len(ids):
        twice = next(one for one in ids if ids.count(one) > 1)
        raise TaskError(f"{name} has several prompts with the id {twice!r}", "give each its own")
    return Ladder(name, tuple(order), tuple(prompts))


def _check_text(name: str, one: LadderPrompt) -> None:
    try:
        "".join((one.id, one.text, one.answer)).encode()
    except UnicodeEncodeError:
        raise TaskError(f"prompt {one.id!r} of {name} holds half a character (a lone surrogate)", "mend it") from None
    if "\0" in one.text + one.answer + one.id:
        raise TaskError(f"prompt {one.id!r} of {name} holds a NUL character", "take it out")


def read(path: Path) -> list[Row]:
    """Rows of a .jsonl, .csv or .parquet file. Raises TaskError."""
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise TaskError(f"{path} has {path.stat().st_size / 1e6:.0f} MB", "give a file below 256 MB")
        if path.suffix.lower() == ".parquet":
            return _parquet(path)
        content = path.read_text("utf-8-sig")
    except OSError as error:
        raise TaskError(f"{path} cannot be read: {error.strerror or error}", "check the file") from None
    except UnicodeDecodeError:
        raise TaskError(f"{path} is no UTF-8 text", "save it as UTF-8, or as .parquet") from None
    if path.suffix.lower() == ".csv":
        try:
            return [dict(row) for row in csv.DictReader(io.StringIO(content), strict=True)]
        except csv.Error as error:
            raise TaskError(f"{path} is no CSV: {error}", "mend it") from None
    return _json_lines(path, content)


def _json_lines(path: Path, content: str) -> list[Row]:
    out = []
    for number, line in enumerate(content.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise TaskError(
                f"{path} line {number} is no JSON: {str(error)[:80]}", "write one object per line"
            ) from None
        if not isinstance(row, dict):
            raise TaskError(f"{path} line {number} is no object", "write one object per line")
        out.append(row)
    return out


def _parquet(path: Path) -> list[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(path).read().to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise TaskError(f"{path} is no Parquet: {str(error).splitlines()[0]}", "check the file") from None


def column(rows: Sequence[Row], name: str | None, usual: Sequence[str], what: str, where: str) -> str:
    """The column of this name, or the first of the usual ones. Raises TaskError when there is none."""
    there = list(rows[0]) if rows else []
    for one in (name,) if name else usual:
        if one in there:
            return one
    asked = f"{name!r}" if name else f"{' or '.join(usual)}"
    shown = ", ".join(str(one)[:40] for one in there[:12]) or "none"
    raise TaskError(f"{where} has no column {asked} for the {what}; it has {shown}", f"name it: --{what}-column")


def _graded(name: str, rows: list[Row]) -> Ladder:
    found = [
        (str(row["level"]), LadderPrompt(row["id"], 0, row["text"], row["answer"], row["verifier"])) for row in rows
    ]
    return build(name, found, _in_order([level for level, _ in found]))


def _own(path: Path, level: str | None, answer: str | None, text: str | None, verifier: str | None) -> Ladder:
    rows = read(path)
    if not rows:
        raise TaskError(f"{path} has no prompts", "write one object per line")
    asked = column(rows, text, TEXT_COLUMNS, "text", str(path))
    levels = column(rows, level, ("level", "difficulty"), "level", str(path))
    answers = column(rows, answer, ("answer", "target"), "answer", str(path))
    kind = verifier or _guess(["" if row.get(answers) is None else str(row[answers]) for row in rows])
    found = []
    for number, row in enumerate(rows, 1):
        if row.get(levels) is None or str(row[levels]).strip() == "":
            raise TaskError(f"prompt {number} of {path} has no level in the column {levels}", "give it one")
        own = verifier or str(row.get("verifier") or kind)
        if own not in verifiers.VERIFIERS:
            raise TaskError(f"prompt {number} of {path} has the verifier {own[:40]!r}", "use --verifier")
        answered = "" if row.get(answers) is None else str(row[answers]).strip()
        if not answered:
            raise TaskError(f"prompt {number} of {path} has no answer in the column {answers}", "give it one")
        one = LadderPrompt(str(row.get("id") or f"{number:04d}"), 0, str(row.get(asked) or ""), answered, own)
        found.append((str(row[levels]).strip()[:60], one))
    return build(path.name, found, _in_order([name for name, _ in found]))


def _in_order(names: Sequence[str]) -> list[str]:
    """Levels that are numbers by size, others as they come."""
    distinct = list(dict.fromkeys(names))
    try:
        return sorted(distinct, key=float)
    except ValueError:
        return distinct


def _guess(answers: Sequence[str]) -> str:
    """The verifier that fits all answers."""
    import re

    if all(re.fullmatch(r"[-−]?\d[\d,]*(\.\d+)?", one.strip()) for one in answers):
        return "number"
    if all(re.fullmatch(r"[A-J]", one.strip()) for one in answers):
        return "choice"
    return "yes-no" if all(one.strip().lower() in ("yes", "no") for one in answers) else "phrase"
