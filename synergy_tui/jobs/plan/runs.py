"""A capture and its decompositions, as one chain."""

from __future__ import annotations

from collections.abc import Sequence

from synergy_tui.errors import UsageError
from synergy_tui.jobs.plan.base import Plan
from synergy_tui.jobs.plan.decompositions import decompose
from synergy_tui.jobs.plan.links import Link
from synergy_tui.jobs.specs import CaptureSpec, DecomposeRequest
from synergy_tui.units import Naming


def with_maps(captured: Plan[CaptureSpec], requests: Sequence[DecomposeRequest]) -> list[Link]:
    """A capture and decompositions of it, as a chain; by default they take its device and its seed. Raises UsageError
    when a lag leaves no window of the longest response, and for a contrast of layers that the subject does not have."""
    asked = captured.spec
    device = asked.device if asked.device != "cuda:all" else None
    links = [Link("capture", captured)]
    # The model's weights tell about its layers; the worker finds out the rest.
    layers = asked.source.geometry.get("layers")
    naming = Naming(layers, captured.units // layers) if layers else None
    for one in requests:
        if one.method.lag >= asked.steps:
            raise UsageError(
                f"lag {one.method.lag} in responses of {asked.steps} steps leaves no window", "use a smaller lag"
            )
        after = decompose(one.replace(device=device, seed=asked.seed), captured.units, len(asked.items), naming)
        links.append(Link("map", after, of=0))
    return links
