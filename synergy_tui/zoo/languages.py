"""The languages that the zoo's models learn: prompts of a level, and their one right continuation. Light."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property

from synergy_tui.errors import SubjectError

START, PAD = "<s>", "<pad>"

LENGTH = 128
"""Tokens of an example: start token, prompt and continuation, cut to this length."""

Words = list[str]
Example = tuple[Words, Words]
"""A prompt and its continuation."""


@dataclass(frozen=True)
class Language:
    """words: its vocabulary. levels: names of its levels of difficulty, the easiest first. example: (level, chance) → a
    prompt of that level and its continuation. graded: words of the continuation that are graded. drawn: an example for
    training, if that is not simply one of any level. ordered: whether the levels are ordered by difficulty."""

    name: str
    words: tuple[str, ...]
    levels: tuple[str, ...]
    example: Callable[[int, random.Random], Example]
    graded: int
    drawn: Callable[[random.Random], Example] | None = None
    ordered: bool = True

    def for_training(self, chance: random.Random) -> Example:
        """An example of any level."""
        return self.drawn(chance) if self.drawn else self.example(chance.randrange(len(self.levels)), chance)

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """All words, the start and padding tokens first."""
        return (START, PAD, *self.words)

    @cached_property
    def number(self) -> dict[str, int]:
        """Token id of every word."""
        return {word: place for place, word in enumerate(self.vocabulary)}

    def encode(self, words: Words) -> list[int]:
        """Token ids, the start token first."""
        return [self.number[START], *(self.number[word] for word in words)]


def language(name: str) -> Language:
    """The language of this name. Raises SubjectError for an unknown one."""
    if name not in LANGUAGES:
        raise SubjectError(f"the zoo has no language {name!r}", f"it has {', '.join(LANGUAGES)}")
    return LANGUAGES[name]


def held_out(of: Language, level: int, count: int, seed: int = 0) -> list[Example]:
    """Examples of a level outside all trainings: training draws from other seeds."""
    return [of.example(level, random.Random(f"{of.name} {level} {seed} {number}")) for number in range(count)]


# Repetition: a segment of random words is repeated. The level is the length of the segment.

_SIGNS = tuple(f"w{number:02d}" for number in range(64))


def _repetition(
    lengths: tuple[tuple[int, int], ...], words: tuple[str, ...]
) -> Callable[[int, random.Random], Example]:
    def example(level: int, chance: random.Random) -> Example:
        length = chance.randint(*lengths[level])
        segment = chance.sample(words, length)
        text = segment * (LENGTH // length + 1)
        return text[: length + 2], text[length + 2 : LENGTH - 1]

    return example


_INDUCTION = ((8, 11), (12, 15), (16, 19), (20, 23), (24, 27), (28, 31), (32, 35), (36, 40))
_COPYING = ((3, 3), (4, 4), (5, 6), (7, 8), (9, 10), (11, 12), (13, 14), (15, 16))


# Addition: running sums. The level is the number of carries in the first sums.

DIGITS = 4
SUMS = 6
"""Number of sums whose carries are counted; the first four are graded."""


def carries(a: int, b: int) -> int:
    """Carries of a + b; `DIGITS` digits of the sum are kept."""
    count = carry = 0
    for _ in range(DIGITS):
        carry = int(a % 10 + b % 10 + carry > 9)
        count, a, b = count + carry, a // 10, b // 10
    return count


def chain_carries(start: int, addend: int) -> int:
    """Carries in the first sums of a chain."""
    return sum(carries((start + k * addend) % 10**DIGITS, addend) for k in range(SUMS))


_CARRIES = ((0, 2), (3, 4), (5, 6), (7, 8), (9, 10), (11, 12), (13, 14), (15, 24))


def _digits(value: int) -> Words:
    """Digits, the last first, so that a carry follows the digits that cause it."""
    return list(f"{value % 10**DIGITS:0{DIGITS}d}")


@cache
def _by_carries() -> tuple[tuple[tuple[int, int], ...], ...]:
    """Held-out chains of each level; training draws from all 10^8."""
    chance = random.Random(0)
    found: list[list[tuple[int, int]]] = [[] for _ in _CARRIES]
    while min(map(len, found)) < 500:
        chain = _chain(chance)
        many = chain_carries(*chain)
        level = next(level for level, (_, most) in enumerate(_CARRIES) if many <= most)
        if len(found[level]) < 500:
            found[level].append(chain)
    return tuple(map(tuple, found))


def _chain(chance: random.Random) -> tuple[int, int]:
    """A start and an addend: small addends cause few carries, and the digits 0 to 4 hardly any."""
    most = chance.choice((4, 9))
    addend = int("".join(str(chance.randint(0, most)) for _ in range(chance.randint(1, DIGITS))))
    return chance.randrange(10**DIGITS), max(addend, 1)


def _sums(start: int, addend: int) -> Example:
    out: Words = []
    for k in range(LENGTH // (2 * DIGITS + 2) + 2):
        out += [*_digits(start + k * addend), "+", *_digits(addend), "="]
    first = 2 * DIGITS + 2
    return out[:first], out[first : LENGTH - 1]


def _addition(level: int, chance: random.Random) -> Example:
    return _sums(*chance.choice(_by_carries()[level]))


# Grammar: brackets. The prompt marks where one closes, and the continuation says which. The level is the depth.

_OPENING, _CLOSING, _CLOSE = "([{<", ")]}>", "."
_BRACKETS = 62


def _grammar(level: int, chance: random.Random) -> Example:
    deepest = level + 1
    while True:
        asked, answer, stack = _nested(deepest, chance)
        if stack == deepest:
            return [*asked, "="], answer


def _nested(deepest: int, chance: random.Random) -> tuple[Words, Words, int]:
    """Brackets nested no deeper than `deepest`, and their depth."""
    asked: Words = []
    answer: Words = []
    stack: Words = []
    reached = 0
    for place in range(_BRACKETS):
        left = _BRACKETS - place
        opens = not stack or (len(stack) < min(deepest, left - 1) and chance.random() < 0.55)
        if opens:
            stack.append(chance.choice(_OPENING))
            asked.append(stack[-1])
            answer.append(stack[-1])
        else:
            asked.append(_CLOSE)
            answer.append(_CLOSING[_OPENING.index(stack.pop())])
        reached = max(reached, len(stack))
    return asked, answer, reached


# Mixture: four languages of the same words. In each, a table gives the next word from the last two.

_TONGUES = ("a:", "b:", "c:", "d:")
_TABLE = 12


@cache
def _tables() -> tuple[tuple[tuple[int, ...], ...], ...]:
    """tongue → last word → word before it → next word. Each table is a permutation, so that no walk runs into a short
    cycle."""
    chance = random.Random(7)
    return tuple(tuple(tuple(chance.sample(range(_TABLE), _TABLE)) for _ in range(_TABLE)) for _ in _TONGUES)


def _mixture(level: int, chance: random.Random) -> Example:
    table, walk = _tables()[level], [chance.randrange(_TABLE), chance.randrange(_TABLE)]
    while len(walk) < LENGTH - 2:
        walk.append(table[walk[-1]][walk[-2]])
    words = [_SIGNS[one] for one in walk]
    return [_TONGUES[level], *words[:2]], words[2:]


def _named(of: tuple[tuple[int, int], ...]) -> tuple[str, ...]:
    return tuple(f"{low}-{high}" for low, high in of)


REPETITION = ("induction", "copying")
"""Languages of repeated segments."""

LANGUAGES = {
    "induction": Language("induction", _SIGNS, _named(_INDUCTION), _repetition(_INDUCTION, _SIGNS), 40),
    "copying": Language("copying", _SIGNS[:24], _named(_COPYING), _repetition(_COPYING, _SIGNS[:24]), 40),
    "addition": Language(
        "addition",
        (*"0123456789+=",),
        _named(_CARRIES),
        _addition,
        40,
        lambda chance: _sums(*_chain(chance)),
    ),
    "grammar": Language("grammar", (*_OPENING, *_CLOSING, _CLOSE, "="), tuple("12345678"), _grammar, _BRACKETS),
    "mixture": Language("mixture", (*_TONGUES, *_SIGNS[:_TABLE]), ("a", "b", "c", "d"), _mixture, 40, ordered=False),
}
