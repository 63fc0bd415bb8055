"""Pairs of sentences with one structure and no word in common; they measure the alignment of representations.

All have nine words and no punctuation, so neither length nor a shared comma tells them apart, and models that mark full
stops by huge activations mark nothing. No word of any first sentence is in any second one.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from synergy_tui.settings import shipped


@dataclass(frozen=True)
class Structures:
    """names: of the structures. one, other: two sentences of each, in different words."""

    names: tuple[str, ...]
    one: tuple[str, ...]
    other: tuple[str, ...]

    @property
    def hash(self) -> str:
        """SHA-256 of the sentences, in order."""
        return hashlib.sha256("\0".join((*self.one, *self.other)).encode()).hexdigest()


def structures() -> Structures:
    """The shipped structures."""
    lines = shipped("geometry/structures.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return Structures(*(tuple(str(row[key]) for row in rows) for key in ("structure", "one", "other")))
