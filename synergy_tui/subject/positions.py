"""Positions whose frequencies depend on the length of a sequence: `longrope` has one set for short sequences and one
for long ones, `dynamic` computes them anew as a sequence grows. A prompt's positions must depend only on the prompt,
not on others in its batch or before it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

_COMPUTED_ANEW = ("phi3", "phimoe")
"""Families whose generation computes keys and values anew once a sequence has become long (transformers'
`prepare_inputs_for_generation`); in other families keys of both kinds stay side by side."""


def _kinds(config: Any) -> list[dict[str, Any]]:
    whole = getattr(config, "rope_parameters", None)
    if not isinstance(whole, dict):
        return []
    return [one for one in (whole, *whole.values()) if isinstance(one, dict) and one.get("rope_type")]


def boundary(model: Any) -> int | None:
    """Tokens up to which a sequence counts as short; None if its length makes no difference."""
    config = model.config.get_text_config(decoder=True)
    found = []
    for one in _kinds(config):
        if one["rope_type"] == "longrope" and one.get("long_factor") != one.get("short_factor"):
            found.append(one.get("original_max_position_embeddings") or config.original_max_position_embeddings)
        elif one["rope_type"] == "dynamic":
            found.append(config.max_position_embeddings)
    return min(found, default=None)


def computed_anew(model: Any) -> bool:
    """Whether generation computes keys and values anew when a sequence becomes long."""
    config = model.config.get_text_config(decoder=True)
    longs = any(one["rope_type"] == "longrope" for one in _kinds(config))
    return longs and config.model_type in _COMPUTED_ANEW


def context(config: Any) -> int | None:
    """Most tokens of a sequence; dynamic positions go beyond the length a model was trained on."""
    said = getattr(config, "max_position_embeddings", None)
    factors = [float(one.get("factor") or 1.0) for one in _kinds(config) if one["rope_type"] == "dynamic"]
    return int(said * max(factors)) if said and factors else said


def begin_anew(model: Any) -> None:
    """Keeps dynamic frequencies of one sequence from affecting the next: a pass that begins at position 0 starts with
    the model's own frequencies."""
    if boundary(model) is None:
        return
    for module in model.modules():
        if hasattr(module, "max_seq_len_cached") and hasattr(module, "original_inv_freq"):
            module.register_forward_pre_hook(_reset, with_kwargs=True)


def _reset(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    places = kwargs.get("position_ids", args[1] if len(args) > 1 else None)
    if not isinstance(places, Tensor) or int(places.min()) > 0:
        return
    if torch.as_tensor(module.max_seq_len_cached) > torch.as_tensor(module.original_max_seq_len):
        own: Any = module.original_inv_freq
        module.register_buffer("inv_freq", own.to(places.device), persistent=False)
        module.max_seq_len_cached = module.original_max_seq_len
