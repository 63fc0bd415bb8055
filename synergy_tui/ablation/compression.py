"""Which units can go together under a budget, and a copy of the model without them. The search is greedy and measures
every set; it never trusts a sum of single effects (docs/method.md, section 5)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from safetensors.torch import save_model
from torch import Tensor
from transformers.pytorch_utils import Conv1D

from synergy_tui.errors import UsageError
from synergy_tui.subject import ranks
from synergy_tui.subject.loading import Subject
from synergy_tui.subject.sites import Site, Units
from synergy_tui.subject.taps import sites_of
from synergy_tui.terms import HEADS

Measure = Callable[[Sequence[int]], float]
"""Units → divergence of their joint removal, nats per token."""

Removed = Mapping[int, Sequence[int]]
"""layer → places of units in it."""


@dataclass(frozen=True)
class Found:
    """units: in the order taken; divergence [units]: of each together with all before it. measured: number of sets
    measured."""

    units: list[int]
    divergence: list[float]
    measured: int


def plan(alone: Float[np.ndarray, " units"], budget: float, measure: Measure, most: int) -> Found:
    """Repeatedly takes the unit that adds least to the divergence of the units already gone. A unit's addition is
    measured with those units gone; it is measured anew only when it looks best by an older measurement (lazy greedy).
    `alone`: divergence of each unit by itself. Ends when no unit fits, or after `most` measurements. Raises UsageError
    when the budget is below the cost of every single unit."""
    known = [int(unit) for unit in np.flatnonzero(np.isfinite(alone))]
    cheapest = min(known, key=lambda unit: alone[unit], default=None)
    if cheapest is None or alone[cheapest] > budget:
        cost = "none has a finite divergence" if cheapest is None else f"the cheapest costs {alone[cheapest]:.3g}"
        raise UsageError(f"a budget of {budget:g} nats is below what one unit costs: {cost}", "raise --budget")
    heap = [(float(alone[unit]), 0, unit) for unit in known]
    heapify(heap)
    units: list[int] = []
    reached: list[float] = []
    measured = 0
    while heap:
        adds, seen, unit = heappop(heap)
        now = reached[-1] if reached else 0.0
        joint = now + adds
        if seen < len(units):
            if measured >= most:
                break
            joint = measure([*units, unit])
            measured += 1
        if not np.isfinite(joint) or joint > budget:
            continue  # with more units gone it costs more, so it is not tried again
        adds = joint - now
        if seen < len(units) and heap and adds > heap[0][0]:
            heappush(heap, (adds, len(units), unit))
            continue
        units.append(unit)
        reached.append(joint)
    return Found(units, reached, measured)


def saved(subject: Subject, units: Units, removed: Removed) -> int:
    """Parameters that only these units use."""
    return sum(part.numel() for part in _parts(subject, units, removed))


def save_without(subject: Subject, units: Units, removed: Removed, folder: Path, told: dict[str, object]) -> None:
    """Writes the subject with these units' weights set to 0 as a folder in transformers' format, with plan.json (layer
    → places of units, and `told`). (No configuration of transformers lets layers differ in their number of heads or
    experts, so nothing can be cut out.) The subject itself stays unchanged: the parts set to 0 are restored. Raises
    OSError, and UsageError when several processes hold the model."""
    ranks.alone("a copy of the model without some units")
    folder.mkdir(parents=True)
    model = subject.model
    with torch.inference_mode(False), torch.no_grad():
        parts = _parts(subject, units, removed)
        before = [part.clone() for part in parts]
        try:
            for part in parts:
                part.zero_()
            model.config.save_pretrained(folder)
            model.generation_config.save_pretrained(folder)
            save_model(model, str(folder / "model.safetensors"), metadata={"format": "pt"})
        finally:
            for part, was in zip(parts, before, strict=True):
                part.copy_(was)
    subject.tokenizer.save_pretrained(folder)
    places = {str(layer): sorted(some) for layer, some in sorted(removed.items())}
    name = "heads" if set(units.kinds) <= set(HEADS) else "units"
    (folder / "plan.json").write_text(json.dumps({name: places} | told, indent=1) + "\n", "utf-8")


def _parts(subject: Subject, units: Units, removed: Removed) -> list[Tensor]:
    """Views of the weights that only these units use. When they are 0, the units' output is 0."""
    return [
        part
        for _, site, places in sites_of(units, removed)
        for part in _PARTS.get(site.kind, _block)(subject, site, places)
    ]


def _head(subject: Subject, site: Site, heads: list[int]) -> list[Tensor]:
    """Query rows and output columns, and the key and value rows of a group whose query heads are all gone. If a family
    has no separate query matrix, only the output columns: they suffice to silence the heads."""
    width, projection = site.width, site.modules[0]
    parts = _columns(projection, heads, width)
    parent = _parent(subject, projection)
    query, key, value = (getattr(parent, f"{name}_proj", None) for name in "qkv")
    if query is None or key is None or value is None or query.weight.shape[0] != site.units * width:
        return parts
    parts += _rows(query, heads, width)
    groups = key.weight.shape[0] // width
    share = site.units // groups
    gone = [group for group in range(groups) if set(range(group * share, (group + 1) * share)) <= set(heads)]
    return parts + _rows(key, gone, width) + _rows(value, gone, width)


def _ssm_head(subject: Subject, site: Site, heads: list[int]) -> list[Tensor]:
    return _columns(site.modules[0], heads, site.width)


def _expert(subject: Subject, site: Site, experts: list[int]) -> list[Tensor]:
    own = [_whole(one) for one in site.modules[0].parameters() if one.dim() > 1 and len(one) == site.units]
    return [one[expert] for expert in experts for one in own]


def _block(subject: Subject, site: Site, _: list[int]) -> list[Tensor]:
    """All weights of the block; for attention, the weights of the parts that lead only to its output."""
    if site.kind == "attention":
        return [_whole(one) for one in _parent(subject, site.modules[0]).parameters()]
    return [_whole(one) for module in site.modules for one in module.parameters()]


_PARTS: dict[str, Any] = {"head": _head, "ssm-head": _ssm_head, "expert": _expert, "attention": _block, "mlp": _block}


def _columns(projection: Any, which: list[int], width: int) -> list[Tensor]:
    """Columns of a linear layer's weights [out, in]; GPT-2's weights are [in, out]."""
    parts = (slice(one * width, (one + 1) * width) for one in which)
    if isinstance(projection, Conv1D):
        return [_whole(projection.weight)[part] for part in parts]
    return [_whole(projection.weight)[:, part] for part in parts]


def _rows(linear: torch.nn.Module, which: Sequence[int], width: int) -> list[Tensor]:
    own = [_whole(one) for one in (linear.weight, linear.bias) if one is not None]
    return [one[number * width : (number + 1) * width] for number in which for one in own]


def _whole(weight: Tensor) -> Tensor:
    """A weight; if several processes hold it, a tensor of its shape without values."""
    return torch.empty(weight.shape, device="meta") if ranks.is_divided(weight) else weight


def _parent(subject: Subject, child: torch.nn.Module) -> Any:
    return next(one for one in subject.model.modules() if any(part is child for part in one.children()))
