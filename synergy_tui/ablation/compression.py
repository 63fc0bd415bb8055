"""Which units can go together under a budget: greedy, every set measured (METHOD section 5; no sum of single effects
is believed), and a copy of the model without them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from safetensors.torch import save_model
from torch import Tensor

from synergy_tui.errors import UsageError
from synergy_tui.subject.loading import Subject

Measure = Callable[[Sequence[int]], float]
"""Units → divergence of their joint removal, nats per token."""


@dataclass(frozen=True)
class Found:
    """units: in the order taken; divergence [units]: of each with all before it. measured: sets measured."""

    units: list[int]
    divergence: list[float]
    measured: int


def plan(alone: Float[np.ndarray, " units"], budget: float, measure: Measure, most: int) -> Found:
    """Takes, again and again, the unit that adds least to what is gone already. What a unit adds is measured with the
    units gone by then; a unit is measured anew only when it looks best by an older measurement (lazy greedy). `alone`:
    divergence of each unit by itself. Ends when no unit fits, or after `most` measurements. Raises UsageError when the
    budget is below what any unit alone costs."""
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
            continue  # with more gone it costs more: it is not asked again
        adds = joint - now
        if seen < len(units) and heap and adds > heap[0][0]:
            heappush(heap, (adds, len(units), unit))
            continue
        units.append(unit)
        reached.append(joint)
    return Found(units, reached, measured)


def saved(subject: Subject, removed: dict[int, list[int]]) -> int:
    """Parameters that only these heads use: query rows and output columns, and the key and value rows of a group all of
    whose query heads are gone."""
    return sum(part.numel() for layer, heads in removed.items() for part in _parts(subject, layer, heads))


def save_without(subject: Subject, removed: dict[int, list[int]], folder: Path, told: dict[str, object]) -> None:
    """Writes the subject with these heads' weights set to 0 as a folder in transformers' format, with plan.json (layer
    → heads, and `told`). The subject itself stays as it is: the parts set to 0 are put back. Raises OSError."""
    folder.mkdir(parents=True)
    model = subject.model
    with torch.inference_mode(False), torch.no_grad():
        parts = [part for layer, heads in removed.items() for part in _parts(subject, layer, heads)]
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
    heads_of = {str(layer): sorted(heads) for layer, heads in sorted(removed.items())}
    (folder / "plan.json").write_text(json.dumps({"heads": heads_of} | told, indent=1) + "\n", "utf-8")


def _parts(subject: Subject, layer: int, heads: Sequence[int]) -> list[Tensor]:
    """Views of the weights that only these heads use. Where a family keeps its queries in no matrix of their own, the
    output columns alone: those are what the heads' silence is."""
    width = subject.head_dim
    projection = subject.projections[layer]
    parts = [projection.weight[:, head * width : (head + 1) * width] for head in heads]
    parent = next(
        module for module in subject.model.modules() if any(child is projection for child in module.children())
    )
    query, key, value = (getattr(parent, f"{name}_proj", None) for name in "qkv")
    if query is None or key is None or value is None or query.weight.shape[0] != subject.heads * width:
        return parts
    parts += _rows(query, heads, width)
    groups = key.weight.shape[0] // width
    share = subject.heads // groups
    gone = [group for group in range(groups) if set(range(group * share, (group + 1) * share)) <= set(heads)]
    return parts + _rows(key, gone, width) + _rows(value, gone, width)


def _rows(linear: torch.nn.Module, which: Sequence[int], width: int) -> list[Tensor]:
    own = [one for one in (linear.weight, linear.bias) if one is not None]
    return [one[number * width : (number + 1) * width] for number in which for one in own]
