"""Which tasks have a closed set of answers, and how each answer may be written. Light.

A task is closed if its text states all options: lines `A) …`, `B) …`, or both yes and no, or both true and false, and
one of them is the right answer."""

from __future__ import annotations

import re
from typing import NamedTuple

_LISTED = re.compile(r"^\s*(?:[-*]\s*)?[(\[]?([A-Z])[).:\]]\s*\S", re.MULTILINE)
_INLINE = re.compile(r"(?<!\w)\(?([A-Z])\)\s*\S")
_WORDS = (("yes", "no"), ("true", "false"))
_LEAST, _MOST = 2, 26

BEFORE = ("", " ", "\n")
"""Text that may come between the question and the answer."""


class Options(NamedTuple):
    """labels: the possible answers. right: which one is right."""

    labels: tuple[str, ...]
    right: int

    @property
    def chance(self) -> float:
        """The accuracy of pure guessing."""
        return 1 / len(self.labels)

    def forms(self) -> list[list[str]]:
        """Ways to write an answer, each with a text for every label: with the possible texts before it, in small
        letters and with a capital. One way writes all labels alike."""
        ways = [list(self.labels)]
        if not self.labels[0].isupper():
            ways.append([one.capitalize() for one in self.labels])
        return [[before + one for one in way] for way in ways for before in BEFORE]


def options(text: str, answer: str, grade: str) -> Options | None:
    """The closed set of answers to a graded task, see graded.Task; None where any text may be the answer."""
    right = answer.partition("|")[0].strip()
    if grade == "choice":
        for pattern in (_LISTED, _INLINE):
            labels = tuple(pattern.findall(text))
            if _LEAST <= len(labels) <= _MOST and labels == tuple(map(chr, range(65, 65 + len(labels)))):
                return Options(labels, labels.index(right.upper())) if right.upper() in labels else None
        return None
    if grade not in ("word", "phrase") or "|" in answer:
        return None
    for words in _WORDS:
        if right.lower() in words and all(re.search(rf"\b{one}\b", text, re.IGNORECASE) for one in words):
            return Options(words, words.index(right.lower()))
    return None
