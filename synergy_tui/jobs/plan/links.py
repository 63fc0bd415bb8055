"""Parts of a chain of jobs, and which of them are finished already: what has an equal recipe is equal."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from synergy_tui.jobs.plan.base import Plan
from synergy_tui.jobs.recipe import command
from synergy_tui.store import load
from synergy_tui.store.cache import Cache
from synergy_tui.terms import METHOD

BY_MACHINE = ("--batch", "--device")
"""Options that say where and how fast, and not what."""


@dataclass(frozen=True)
class Link:
    """A part of a chain. name: what it is for. of: the place in the chain of the capture that it decomposes. found: its
    result where it is finished already."""

    name: str
    plan: Plan
    of: int | None = None
    found: str | None = None


def finished(cache: Cache, links: Sequence[Link]) -> list[Link]:
    """The links, with the results that are in the cache already: those with the same recipe, by this version of the
    method. Captures are the same under every one."""
    query = "SELECT * FROM recipes WHERE method >= $1 OR result IN (SELECT capture FROM captures)"
    known = {key(row["command"]): row["result"] for row in load.rows(cache, query, METHOD)}
    out: list[Link] = []
    for one in links:
        found = one.found
        if found is None and (one.of is None or out[one.of].found):
            found = known.get(key(command(one.plan.kind, _filled(one, out))))
        out.append(Link(one.name, one.plan, one.of, found))
    return out


def _filled(one: Link, before: Sequence[Link]) -> dict[str, Any]:
    return one.plan.spec if one.of is None else one.plan.spec | {"capture": before[one.of].found}


def key(words: str) -> str:
    """A recipe without what the machine chose."""
    parts = shlex.split(words)
    kept = [
        word
        for place, word in enumerate(parts)
        if word not in BY_MACHINE and (place == 0 or parts[place - 1] not in BY_MACHINE)
    ]
    return shlex.join(kept)
