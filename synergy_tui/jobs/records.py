"""What a result keeps of the request it was made from: the command that remakes it, the request, and its hash."""

from __future__ import annotations

import json
from typing import Any

from synergy_tui.errors import UsageError
from synergy_tui.jobs.specs import SPECS, Request, Spec
from synergy_tui.store import load
from synergy_tui.store.cache import Cache
from synergy_tui.terms import METHOD


def recipe(result: str, spec: Spec) -> dict[str, Any]:
    """The row of recipes of a result."""
    kept = {"kind": spec.KIND, "request": spec.request().to_json()}
    return {
        "result": result,
        "command": spec.remake(),
        "method": METHOD,
        "hash": spec.hash,
        "request": json.dumps(kept, ensure_ascii=False),
    }


def request_of(cache: Cache, result: str) -> Request | None:
    """What a result was asked for; None where that is not known. Raises UsageError where a newer version wrote it."""
    from synergy_tui.jobs.earlier import complete

    complete(cache)
    found = load.rows(cache, "SELECT request FROM recipes WHERE result = $1 AND request IS NOT NULL", result)
    if not found:
        return None
    kept = json.loads(found[-1]["request"])
    if not isinstance(kept, dict) or kept.get("kind") not in SPECS:
        raise UsageError(f"the request of {result} is of an unknown kind", "update synergy-tui")
    return SPECS[kept["kind"]].REQUEST.from_json(kept["request"])
