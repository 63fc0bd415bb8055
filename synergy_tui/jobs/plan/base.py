"""What every plan is, and the words it is checked against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from synergy_tui.errors import UsageError
from synergy_tui.jobs.cost import Cost


@dataclass(frozen=True)
class Plan:
    """kind: the job's kind. spec: for jobs.submit. units: of the decomposition that may follow."""

    kind: str
    spec: dict[str, Any]
    cost: Cost
    units: int


def known(words: list[str], vocabulary: tuple[str, ...], what: str) -> None:
    """Raises UsageError when there is no word, or one that the vocabulary lacks."""
    for word in words or [""]:
        if word not in vocabulary:
            raise UsageError(f"no {what} {word!r}", f"known: {', '.join(vocabulary)}")
