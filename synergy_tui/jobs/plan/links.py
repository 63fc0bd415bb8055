"""Parts of a chain of jobs, and which of them are finished already: equal hashes are the same work."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from synergy_tui.jobs.plan.base import Plan
from synergy_tui.jobs.plan.earlier import complete
from synergy_tui.jobs.specs.base import Spec
from synergy_tui.store import load
from synergy_tui.store.cache import Cache
from synergy_tui.terms import METHOD


@dataclass(frozen=True)
class Link:
    """A part of a chain. name: its purpose. of: the place in the chain of the capture that it takes. found: its result,
    if it is finished already. completed: the spec with what the results of the links before it add."""

    name: str
    plan: Plan[Any]
    of: int | None = None
    found: str | None = None
    completed: Callable[[Sequence[str]], Spec] | None = None

    def spec(self, ids: Sequence[str]) -> Spec:
        """What its job does, once the results before it have ids."""
        if self.completed is not None:
            return self.completed(ids)
        spec: Spec = self.plan.spec
        return spec if self.of is None else spec.replace(capture=ids[self.of])


def finished(cache: Cache, links: Sequence[Link], known: Mapping[str, str] | None = None) -> list[Link]:
    """The links, with the results that are in the cache already: those with the same hash, by this version of the
    method. Captures are the same under every version. known: the answer of `results`, if the caller has it."""
    known = results(cache) if known is None else known
    out: list[Link] = []
    for one in links:
        found = one.found
        if found is None and one.completed is None and (one.of is None or out[one.of].found):
            found = known.get(one.spec([link.found or "" for link in out]).hash)
        out.append(replace(one, found=found))
    return out


def results(cache: Cache) -> dict[str, str]:
    """Hash of the work → the newest result by this version of the method."""
    complete(cache)
    query = """SELECT hash, result FROM recipes WHERE hash <> ''
        AND (method >= $1 OR result IN (SELECT capture FROM captures)) ORDER BY rowid"""
    return {row["hash"]: row["result"] for row in load.rows(cache, query, METHOD)}
