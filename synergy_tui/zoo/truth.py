"""A trained model → what it can do, and what each of its units costs and does. Removal here changes weights, whereas
the ablation room uses hooks, so that each can check the other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn import functional

from synergy_tui.zoo.languages import LENGTH, REPETITION, Example, Language, held_out

EXAMPLES = 64
"""Held-out examples of a level."""

COST = 0.01
"""Nats per graded token that a unit's removal must cost before the unit counts as part of the circuit."""

PATTERN = 0.4
"""A head is named after a pattern if at least this share of its attention is on the pattern's position."""


def accuracy(model: Any, of: Language) -> dict[str, float]:
    """Level → share of held-out prompts whose graded continuation is the model's most probable word at every place,
    given the words before it: these are what it would write by itself, greedily."""
    out = {}
    for level, name in enumerate(of.levels):
        ids, graded = _encoded(of, held_out(of, level, EXAMPLES))
        with torch.no_grad():
            found = model(input_ids=ids).logits[:, :-1].argmax(-1)
        right = (found == ids[:, 1:]) | ~graded[:, 1:]
        out[name] = float(right.all(1).float().mean())
    return out


def units(model: Any, of: Language, severed: dict[int, list[int]]) -> dict[str, Any]:
    """Kind → layers as rows of numbers, one per unit, null where a layer has none: `cost`, what its removal adds to the
    loss on held-out examples of all levels, nats per graded token; for heads `previous-token` and `induction`, the mean
    share of their attention on those positions; for experts `share`, of the tokens of each level that are routed to it.
    `circuit` and `nothing` name units as [layer, unit]. A unit is in the circuit if its removal costs COST. If a
    language is repetition, a head is in the circuit also if its attention has the circuit's pattern, because heads that
    do the same stand in for each other when one is removed."""
    ids, graded = _encoded(of, [one for level in range(len(of.levels)) for one in held_out(of, level, 8, 1)])
    whole = _loss(model, ids, graded)
    layers = model.base_model.layers
    found: dict[str, Any] = {}
    for number, layer in enumerate(layers):
        for kind, weight, cuts in _slices(model, layer):
            one = found.setdefault(kind, {"cost": [None] * len(layers), "circuit": [], "nothing": []})
            costs = []
            for cut in cuts:
                with _without(weight, cut):
                    costs.append(_loss(model, ids, graded) - whole)
            one["cost"][number] = [round(cost, 5) for cost in costs]
            one["circuit"] += [[number, unit] for unit, cost in enumerate(costs) if cost >= COST]
    if "head" in found:
        found["head"]["nothing"] = [[layer, unit] for layer, some in severed.items() for unit in some]
        found["head"] |= _patterns(model, ids, graded)
        if of.name in REPETITION:
            found["head"]["circuit"] = _with_named(found["head"])
    if "expert" in found:
        found["expert"]["share"] = _routing(model, of)
    return found


def _with_named(heads: dict[str, Any]) -> list[list[int]]:
    """The circuit with the heads that look at the token before, or at the token that followed last time; without
    severed heads."""
    named = {
        (layer, unit)
        for name in ("previous-token", "induction")
        for layer, row in enumerate(heads[name])
        for unit, share in enumerate(row or [])
        if share >= PATTERN and [layer, unit] not in heads["nothing"]
    }
    return [list(one) for one in sorted({*named, *map(tuple, heads["circuit"])})]


def _encoded(of: Language, examples: list[Example]) -> tuple[torch.Tensor, torch.Tensor]:
    """(token ids [examples, LENGTH], which of them are graded)."""
    ids, graded = torch.full((len(examples), LENGTH), 1), torch.zeros((len(examples), LENGTH), dtype=torch.bool)
    for row, (prompt, answer) in enumerate(examples):
        text = of.encode([*prompt, *answer])[:LENGTH]
        ids[row, : len(text)] = torch.tensor(text)
        graded[row, len(prompt) + 1 : min(len(prompt) + 1 + of.graded, len(text))] = True
    return ids, graded


def _loss(model: Any, ids: torch.Tensor, graded: torch.Tensor) -> float:
    with torch.no_grad():
        logits = model(input_ids=ids).logits
    return float(functional.cross_entropy(logits[:, :-1][graded[:, 1:]], ids[:, 1:][graded[:, 1:]]))


def _slices(model: Any, layer: Any) -> Iterator[tuple[str, torch.Tensor, list[Any]]]:
    """(kind, the weight through which its units act, the place of each unit in it)."""
    config = model.config
    if hasattr(layer, "self_attn"):
        weight, count = layer.self_attn.o_proj.weight, config.num_attention_heads
        yield "head", weight, _columns(weight, count)
    mixer = getattr(layer, "mixer", getattr(layer, "mamba", None))
    if mixer is not None:
        yield "ssm-head", mixer.out_proj.weight, _columns(mixer.out_proj.weight, mixer.num_heads)
    experts = getattr(getattr(layer, "mlp", None), "experts", None)
    if experts is not None:
        yield "expert", experts.down_proj, list(range(config.num_local_experts))


def _columns(weight: torch.Tensor, count: int) -> list[Any]:
    width = weight.shape[1] // count
    return [(slice(None), slice(unit * width, (unit + 1) * width)) for unit in range(count)]


@contextmanager
def _without(weight: torch.Tensor, cut: Any) -> Iterator[None]:
    with torch.no_grad():
        kept = weight[cut].clone()
        weight[cut] = 0
    try:
        yield
    finally:
        with torch.no_grad():
            weight[cut] = kept


def _patterns(model: Any, ids: torch.Tensor, graded: torch.Tensor) -> dict[str, Any]:
    """Mean share of each head's attention, from graded tokens, on the token before and on those that followed earlier
    occurrences of the token it is at."""
    held = model.config._attn_implementation
    model.set_attn_implementation("eager")
    try:
        with torch.no_grad():
            attentions = model(input_ids=ids, output_attentions=True).attentions
    finally:
        model.set_attn_implementation(held)
    length = ids.shape[1]
    # A position predicts the token after it.
    asked = torch.zeros_like(graded)
    asked[:, :-1] = graded[:, 1:]
    before = torch.zeros(length, length)
    before[range(1, length), range(length - 1)] = 1
    follows = torch.zeros(len(ids), length, length)
    same = (ids[:, :, None] == ids[:, None, :]).float().tril(-1)  # the same token, earlier
    follows[:, :, 1:] = same[:, :, :-1]
    layers = [number for number, layer in enumerate(model.base_model.layers) if hasattr(layer, "self_attn")]
    out: dict[str, Any] = {name: [None] * len(model.base_model.layers) for name in ("previous-token", "induction")}
    for number, attention in zip(layers, [one for one in attentions if one is not None], strict=True):
        for name, where in (("previous-token", before[None]), ("induction", follows)):
            mass = (attention * where[:, None]).sum(-1).transpose(1, 2)[asked].mean(0)
            out[name][number] = [round(float(one), 4) for one in mass]
    return out


def _routing(model: Any, of: Language) -> list[Any]:
    """layer → expert → share of each level's tokens that are routed to it."""
    shares = []
    for level in range(len(of.levels)):
        ids, _ = _encoded(of, held_out(of, level, 8, 1))
        with torch.no_grad():
            routed = model(input_ids=ids, output_router_logits=True).router_logits
        chosen = [one.reshape(-1, one.shape[-1]).argmax(-1) for one in routed]
        shares.append([torch.bincount(one, minlength=model.config.num_local_experts) / len(one) for one in chosen])
    return [
        [[round(float(level[layer][expert]), 4) for level in shares] for expert in range(len(shares[0][layer]))]
        for layer in range(len(shares[0]))
    ]
