"""Words that were typed → whether a text has them, or words that may be meant."""

from __future__ import annotations

import re

LEAST, LEAST_LIKE = 3, 4
"""Letters from which a word may lack some or have two exchanged, and from which any one may be wrong."""

LIKE = 0.75
"""How like a part of the text a word is that may be meant (difflib's ratio)."""


def has(text: str, word: str) -> bool:
    """Whether a text has a word, or one that may be meant: with letters missing, two exchanged, or one wrong. Both in
    small letters."""
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
