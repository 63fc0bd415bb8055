"""A decomposition → the spec of its networks."""

from __future__ import annotations

from typing import Any

from synergy_tui.errors import UsageError
from synergy_tui.jobs import cost
from synergy_tui.jobs.devices import choose, cores
from synergy_tui.jobs.plan.base import Plan
from synergy_tui.jobs.plan.decompositions import allowed_nulls
from synergy_tui.jobs.specs.method import Method
from synergy_tui.jobs.specs.networks import NetworksRequest, NetworksSpec
from synergy_tui.store import load
from synergy_tui.store.cache import Cache

LARGEST = 1500
"""Units beyond which shortest paths take minutes per graph."""


def networks(cache: Cache, request: NetworksRequest) -> Plan[NetworksSpec]:
    """Networks of synergy and redundancy of a decomposition, against surrogates of every null that its prompts allow.
    Raises UsageError for pooled prompts, which leave nothing to draw from, and for too many units."""
    run = request.decomposition
    row = load.one(cache, "decomposition", run)
    load.needs_series(cache, row["capture"], "draw surrogates of its networks from")
    (count,) = load.rows(cache, "SELECT count(*) AS n FROM units WHERE capture = $1", row["capture"])
    if row["pool"] == "pooled":
        raise UsageError(f"{run} pools its prompts: there is nothing to draw", "decompose with --pool mean")
    if count["n"] > LARGEST:
        raise UsageError(
            f"{count['n']:,} units are more than the {LARGEST:,} that shortest paths are found for",
            "capture a smaller subject, or whole blocks: --kind attention,mlp",
        )
    settled: dict[str, Any] = {name: getattr(request, name) for name in request.__struct_fields__}
    settled |= {"device": choose(request.device)}
    spec = NetworksSpec(**settled, capture=row["capture"], nulls=allowed_nulls(row["valid_prompts"]))
    price = cost.networks(count["n"], row["valid_prompts"], spec, Method.of(row), cores())
    return Plan(spec, price, count["n"])
