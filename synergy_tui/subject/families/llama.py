"""Llama and its relatives of the same shape: model.layers[i].self_attn.o_proj."""

from __future__ import annotations

from typing import Any

MODEL_TYPES = ("llama", "mistral", "qwen2", "qwen3")


def output_projections(model: Any) -> list[Any]:
    """The layers' attention output projections, first layer first."""
    return [layer.self_attn.o_proj for layer in model.model.layers]
