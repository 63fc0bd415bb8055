"""A decomposition → the spec of its networks."""

from __future__ import annotations

from typing import Any

from synergy_tui import terms
from synergy_tui.errors import UsageError
from synergy_tui.jobs import cost
from synergy_tui.jobs.devices import choose, cores
from synergy_tui.jobs.plan.base import Plan
from synergy_tui.jobs.plan.decompositions import FEWEST_PROMPTS
from synergy_tui.jobs.recipe import recorded
from synergy_tui.store import load
from synergy_tui.store.cache import Cache

DRAWS, REPLICATES = 20, 200

LARGEST = 1500
"""Units beyond which shortest paths take minutes a graph."""


@recorded
def networks(
    cache: Cache,
    decomposition: str,
    *,
    draws: int = DRAWS,
    replicates: int = REPLICATES,
    device: str | None = None,
    seed: int = 0,
) -> Plan:
    """Networks of synergy and redundancy of a decomposition, against `draws` surrogates of every null that its prompts
    allow. Raises UsageError for pooled prompts, which leave nothing to draw from, and for too many units."""
    row = load.one(cache, "decomposition", decomposition)
    capture = load.one(cache, "capture", row["capture"])
    (count,) = load.rows(cache, "SELECT count(*) AS n FROM units WHERE capture = $1", row["capture"])
    if row["pool"] == "pooled":
        raise UsageError(f"{decomposition} pools its prompts: there is nothing to draw", "decompose with --pool mean")
    if count["n"] > LARGEST:
        raise UsageError(
            f"{count['n']:,} units are more than the {LARGEST:,} of which shortest paths are found",
            "capture a smaller subject, or whole blocks: --kind attention,mlp",
        )
    if draws < 2 or replicates < 20:
        raise UsageError(f"{draws} draws and {replicates} replicates tell nothing", "take 20 and 200")
    spec: dict[str, Any] = {
        "decomposition": decomposition,
        "capture": row["capture"],
        "nulls": list(terms.NULLS if row["valid_prompts"] >= FEWEST_PROMPTS else terms.NULLS[1:]),
        "draws": draws,
        "replicates": replicates,
        "seed": seed,
        "device": choose(device),
    }
    price = cost.networks(count["n"], capture["valid_prompts"], spec, row, cores())
    return Plan("networks", spec, price, count["n"])
