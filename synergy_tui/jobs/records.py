"""What a result keeps of the request behind it: the command that remakes it, the request, and its hash."""

from __future__ import annotations

import json
from typing import Any

from synergy_tui.jobs.specs import Spec
from synergy_tui.terms import METHOD


def recipe(result: str, spec: Spec) -> dict[str, Any]:
    """A result's row of the table recipes."""
    kept = {"kind": spec.KIND, "request": spec.request().to_json()}
    return {
        "result": result,
        "command": spec.remake(),
        "method": METHOD,
        "hash": spec.hash,
        "request": json.dumps(kept, ensure_ascii=False),
    }
