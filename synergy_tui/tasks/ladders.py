"""A ladder's name or file → graded prompts on ordered levels. Light.

A ladder ships with the tool (see SHIPPED), comes from reasoning-gym, from the usual files of ARC, MATH, GSM8K and MMLU
(ladder_sources.py), or from the user's own file with a column for the level and one for the answer. What a ladder is
stands in ladder.py."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from synergy_tui.errors import TaskError
from synergy_tui.settings import shipped, user_path
from synergy_tui.tasks import gym, ladder_sources, verifiers
from synergy_tui.tasks.ladder import GYM, Ladder, LadderPrompt, build
from synergy_tui.tasks.rows import Row, column, read

SHIPPED = (
    "arithmetic-chains",
    "base-conversion",
    "letter-counting",
    "propositional-logic",
    "knights-and-knaves",
    "word-sorting",
)

TEXT_COLUMNS = ("text", "prompt", "question", "problem")
"""Usual names of the column of prompts."""


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
    if verifier is not None and not verifiers.known(verifier):
        raise TaskError(f"no verifier {verifier!r}", f"known: {', '.join(verifiers.VERIFIERS)}")
    if name in SHIPPED:
        return _graded(name, read(shipped(f"ladders/{name}.jsonl")))
    if name.startswith(GYM):
        return gym.ladder(name.removeprefix(GYM), prompts, seed)
    source, _, place = name.partition(":")
    if source in ladder_sources.SOURCES:
        return ladder_sources.load(source, place, level_column)
    path = user_path(name)
    if not path.is_file():
        raise TaskError(
            f"no ladder {name!r}",
            f"give {', '.join(SHIPPED)}, {', '.join(ladder_sources.SOURCES)}, {GYM}NAME, or a file",
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
