"""A ladder's name or file → graded prompts on ordered levels. Light.

A ladder ships with the tool (see SHIPPED), comes from reasoning-gym, from the usual files of ARC, MATH, GSM8K and MMLU
(ladder_sources.py), or from the user's own file with a column for the level and one for the answer. ladder.py defines
what a ladder is."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence
from pathlib import Path

from synergy_tui.errors import TaskError
from synergy_tui.settings import shipped, user_path
from synergy_tui.tasks import asking, graded, gym, ladder_sources, verifiers
from synergy_tui.tasks.ladder import GYM, Ladder, LadderPrompt, build, in_order
from synergy_tui.tasks.rows import Row, column, identity, read
from synergy_tui.zoo import shipped as zoo
from synergy_tui.zoo.languages import held_out
from synergy_tui.zoo.shipped import ZOO

SHIPPED = (
    "arithmetic-chains",
    "base-conversion",
    "letter-counting",
    "propositional-logic",
    "knights-and-knaves",
    "word-sorting",
)


def load(
    name: str,
    *,
    level_column: str | None = None,
    answer_column: str | None = None,
    text_column: str | None = None,
    verifier: str | None = None,
    prompts: int = 40,
    seed: int = 0,
    order: Sequence[str] = (),
) -> Ladder:
    """The ladder of this name. prompts, seed: for ladders generated on demand. order: names of its levels, the easiest
    first; if empty, the natural order. Raises TaskError when there is no such ladder, when it cannot be read as a
    ladder, or when a level has no prompts."""
    found = _found(name, level_column, answer_column, text_column, verifier, prompts, seed, order)
    if not order or found.levels == tuple(order):
        return found
    if unknown := [one for one in order if one not in found.levels]:
        raise TaskError(f"{found.name} has no level {unknown[0]!r}", f"it has: {', '.join(found.levels)}")
    return build(found.name, [(found.levels[one.level], one) for one in found.prompts], order)


def _found(
    name: str,
    level_column: str | None,
    answer_column: str | None,
    text_column: str | None,
    verifier: str | None,
    prompts: int,
    seed: int,
    order: Sequence[str],
) -> Ladder:
    if verifier is not None and not verifiers.known(verifier):
        raise TaskError(f"no verifier {verifier!r}", f"known: {', '.join(verifiers.VERIFIERS)}")
    if name in SHIPPED:
        return _graded(name, read(shipped(f"ladders/{name}.jsonl")))
    if name.startswith(ZOO):
        return _zoo(name, prompts, seed)
    if name.startswith(GYM):
        return gym.ladder(name.removeprefix(GYM), prompts, seed)
    source, _, place = name.partition(":")
    if source in ladder_sources.SOURCES:
        return ladder_sources.load(source, place, level_column, order)
    path = user_path(name)
    if not path.exists():
        raise TaskError(
            f"no ladder {name!r}",
            f"give {', '.join(SHIPPED)}, {', '.join(ladder_sources.SOURCES)}, {GYM}NAME, {ZOO}NAME, or a file",
        )
    return _own(path, level_column, answer_column, text_column, verifier, order)


def select(ladder: Ladder, levels: int | None, prompts: int | None, seed: int = 0) -> Ladder:
    """`levels` of the levels, evenly from the first to the last, and `prompts` of each at random by `seed`, in the
    ladder's order; all if None, or if a level has no more. Raises TaskError for more levels than the ladder has, and
    for fewer than two."""
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
        chosen += [dataclasses.replace(one, level=place) for one in some]
    return Ladder(ladder.name, tuple(ladder.levels[level] for level in kept), tuple(chosen))


def _graded(name: str, rows: list[Row]) -> Ladder:
    found = [
        (str(row["level"]), LadderPrompt(row["id"], 0, row["text"], row["answer"], row["verifier"])) for row in rows
    ]
    return build(name, found, in_order(name, [level for level, _ in found]))


def _zoo(name: str, prompts: int, seed: int) -> Ladder:
    of = zoo.learned(name)
    found = [
        (level, LadderPrompt(f"{level}-{number}", 0, " ".join(prompt), " ".join(answer[: of.graded]), "continuation"))
        for place, level in enumerate(of.levels)
        for number, (prompt, answer) in enumerate(held_out(of, place, prompts, 3 + seed))
    ]
    return build(f"{ZOO}{of.name}", found, of.levels)


def _own(
    path: Path, level: str | None, answer: str | None, text: str | None, verifier: str | None, order: Sequence[str]
) -> Ladder:
    rows = read(path)
    if not rows:
        raise TaskError(f"{path} has no prompts", "write one object per line")
    column(rows, text, asking.COLUMNS, "text", str(path))
    levels = column(rows, level, ("level", "difficulty"), "level", str(path))
    answers = column(rows, answer, graded.ANSWERS, "answer", str(path))
    kind = verifier or verifiers.guess(["" if row.get(answers) is None else str(row[answers]) for row in rows])
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
        asked = asking.asked(row, f"prompt {number} of {path}", text)
        one = LadderPrompt(identity(row, number, 4), 0, asked.text, answered, own, None, asked.messages)
        found.append((str(row[levels]).strip()[:60], one))
    names = [name for name, _ in found]
    if unknown := [one for one in order if one not in names]:
        raise TaskError(f"{path} has no level {unknown[0]!r}", f"it has: {', '.join(dict.fromkeys(names))}"[:300])
    return build(path.name, found, order or in_order(str(path), names))
