"""Typed words → whether a text has them, or words that they may mean."""

from __future__ import annotations

import re

LEAST, LEAST_LIKE = 3, 4
"""Shortest words that may lack letters or have two exchanged, and that may have one wrong letter."""

LIKE = 0.75
"""Least similarity of a word to a part of the text that it may mean (difflib's ratio)."""


def has(text: str, word: str) -> bool:
    """Whether a text has a word, or one that it may mean: with letters missing, two exchanged, or one wrong. Both are
    in lower case."""
    if word in text:
        return True
    if len(word) < LEAST:
        return False
    parts = re.split(r"[\s·-]+", text)
    if any(part[:1] == word[0] and _in_order(word, part) for part in parts):
        return True
    exchanged = (word[:place] + word[place + 1] + word[place] + word[place + 2 :] for place in range(len(word) - 1))
    if any(one in text for one in exchanged):
        return True
    if len(word) < LEAST_LIKE or any(char.isdigit() for char in word):
        return False
    from difflib import get_close_matches

    return bool(get_close_matches(word, [part[: len(word) + 1] for part in parts], 1, LIKE))


def _in_order(word: str, part: str) -> bool:
    """Whether a part has the letters of a word, one after the other."""
    rest = iter(part)
    return all(letter in rest for letter in word)
