"""The subject and the responses of a capture, as jobs that replay it take them."""

from __future__ import annotations

import json
from typing import Any

from synergy_tui.errors import UsageError
from synergy_tui.store import load
from synergy_tui.store.cache import Cache
from synergy_tui.subject import trust
from synergy_tui.subject.source import Source

Row = dict[str, Any]


def subject_of(cache: Cache, capture: Row, what: str) -> Row:
    """The row of a capture's subject. Raises UsageError if it was imported and has no model to do `what` with."""
    (subject,) = load.rows(cache, "SELECT * FROM subjects WHERE subject = $1", capture["subject"])
    if subject["source"] == "import":
        raise UsageError(
            f"capture {capture['capture']} was imported and has no model to {what}", "capture a subject instead"
        )
    return subject


def source_of(subject: Row, allow_pickle: bool, allow_remote_code: bool) -> Source:
    """Where a captured subject is, with the permissions that the user gives now or gave before."""
    place = (subject["source"], subject["place"], subject["revision"])
    before = trust.allowed(*place)
    return Source(
        subject["name"],
        *place,
        weights_seed=subject["weights_seed"],
        adapter=subject["adapter"],
        pickle=allow_pickle or before["pickle"],
        remote_code=allow_remote_code or before["remote_code"],
    )


def processes_of(cache: Cache, capture: str) -> int:
    """How many processes held the subject of a capture together; 1 if that is not known."""
    found = load.rows(cache, "SELECT request FROM recipes WHERE result = $1 AND request IS NOT NULL", capture)
    if not found:
        return 1
    told = json.loads(found[-1]["request"])
    return int(told["request"].get("tensor_parallel", 1)) if isinstance(told, dict) and "request" in told else 1


def replayable(cache: Cache, capture: str) -> list[Row]:
    """Prompts whose response is long enough: prompt, category, tokens of prompt and response together."""
    return load.rows(
        cache,
        """SELECT prompt, category, len(p.tokens) + steps AS tokens
        FROM prompts p JOIN responses r USING (capture, prompt) WHERE capture = $1 AND valid ORDER BY prompt""",
        capture,
    )


def evenly(texts: list[Row], count: int) -> list[Row]:
    """The first of each category, then the second of each, until there are `count`."""
    seen: dict[str, int] = {}
    places = []
    for one in texts:
        seen[one["category"]] = seen.get(one["category"], -1) + 1
        places.append(seen[one["category"]])
    order = sorted(range(len(texts)), key=lambda number: (places[number], number))
    return [texts[number] for number in order[:count]]


def enough(capture: str, texts: list[Row], count: int) -> None:
    """Raises UsageError if a capture has fewer prompts than are to be replayed."""
    if count > len(texts) or not texts:
        raise UsageError(
            f"capture {capture} has {len(texts)} prompts long enough, not {max(count, 1)}", "ask for fewer prompts"
        )
