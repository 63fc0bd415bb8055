"""The languages of the zoo: one right continuation, levels that are what they say, and nothing held out that was
learned."""

from __future__ import annotations

import random

import pytest

from synergy_tui.errors import SubjectError
from synergy_tui.zoo.languages import (
    DIGITS,
    LANGUAGES,
    LENGTH,
    SUMS,
    Language,
    carries,
    chain_carries,
    held_out,
    language,
)

ALL = pytest.mark.parametrize("of", LANGUAGES.values(), ids=list(LANGUAGES))


@ALL
def test_examples_are_of_its_words_and_long_enough_to_be_graded(of: Language) -> None:
    """A prompt and its continuation fit the length that models learn, and the graded part is whole."""
    for level in range(len(of.levels)):
        for prompt, answer in held_out(of, level, 5):
            assert set(prompt) | set(answer) <= set(of.words)
            assert len(prompt) + 1 + of.graded <= LENGTH
            assert len(answer) >= of.graded


@ALL
def test_a_prompt_has_one_continuation(of: Language) -> None:
    """Equal prompts continue equally, whatever the chance they came from."""
    seen: dict[tuple[str, ...], list[str]] = {}
    for seed in range(300):
        prompt, answer = of.for_training(random.Random(seed))
        length = min(len(answer), of.graded)
        assert seen.setdefault(tuple(prompt), answer[:length]) == answer[:length]


@ALL
def test_held_out_examples_stay_what_they_are(of: Language) -> None:
    """They follow from level, seed and number."""
    assert held_out(of, 0, 3) == held_out(of, 0, 3)
    assert held_out(of, 0, 3) != held_out(of, 0, 3, seed=1)


def test_sums_are_sums() -> None:
    """Every sum of a chain is right, and the next begins with it."""
    of = language("addition")
    for level in range(len(of.levels)):
        prompt, answer = held_out(of, level, 1)[0]
        text = "".join([*prompt, *answer])
        numbers = [one.split("+") for one in text.split("=")[:SUMS]]
        sums = [int(a) + int(b) for a, b in numbers]
        assert [int(a) for a, _ in numbers[1:]] == [one % 10**DIGITS for one in sums[:-1]]


def test_carries_are_counted() -> None:
    """By hand: 5 + 5 has one, 1 + 9999 ripples through all digits, 1234 + 4321 has none."""
    assert [carries(5, 5), carries(1, 9999), carries(1234, 4321)] == [1, 4, 0]


def test_a_level_of_addition_has_its_carries() -> None:
    """The name of a level says between which numbers."""
    of = language("addition")
    for level, name in enumerate(of.levels):
        low, high = map(int, name.split("-"))
        for prompt, _ in held_out(of, level, 20):
            start, addend = "".join(prompt).rstrip("=").split("+")
            assert low <= chain_carries(int(start), int(addend)) <= high


def test_brackets_close_what_they_opened_at_the_depth_of_the_level() -> None:
    """A stack reads every continuation without an error, and is as deep as the level says."""
    of = language("grammar")
    for level in range(len(of.levels)):
        for prompt, answer in held_out(of, level, 10):
            stack, deepest = [], 0
            for asked, said in zip(prompt[:-1], answer, strict=True):
                if said in "([{<":
                    assert asked == said
                    stack.append(said)
                else:
                    assert asked == "."
                    assert stack.pop() + said in ("()", "[]", "{}", "<>")
                deepest = max(deepest, len(stack))
            assert (stack, deepest) == ([], level + 1)


def test_unknown_language() -> None:
    """It names those there are."""
    with pytest.raises(SubjectError, match="induction"):
        language("latin")
