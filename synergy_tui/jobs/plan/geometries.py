"""A capture → the spec of the geometry of its residual stream."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from synergy_tui.jobs import cost
from synergy_tui.jobs.devices import choose, cores
from synergy_tui.jobs.plan.base import Plan
from synergy_tui.jobs.plan.subjects import enough, replayable, source_of, subject_of
from synergy_tui.jobs.specs.geometry import GeometryRequest, GeometrySpec
from synergy_tui.store import load
from synergy_tui.store.cache import Cache


def geometry(cache: Cache, data: Path, request: GeometryRequest) -> Plan[GeometrySpec]:
    """Dimension and alignment of a capture's residual stream. `data`: folder of the built-in subjects. Raises
    UsageError for an imported capture, which has no model, and for one without responses."""
    device = choose(request.device)
    row = load.one(cache, "capture", request.capture)
    subject = subject_of(cache, row, "read states of")
    texts = replayable(cache, request.capture)
    enough(request.capture, texts, 0)
    settled: dict[str, Any] = {name: getattr(request, name) for name in request.__struct_fields__}
    settled |= {"device": device, "dtype": request.dtype or row["dtype"]}
    spec = GeometrySpec(
        **settled,
        source=source_of(subject, request.allow_pickle, request.allow_remote_code),
        data=str(data),
        replayed=tuple(one["prompt"] for one in texts),
    )
    price = cost.geometry(subject, sum(one["tokens"] for one in texts), spec, device, cores())
    return Plan(spec, price, 0)
