"""Where a subject is: a value that requests carry. Light."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Source:
    """Where a subject is. kind: built-in, zoo, folder, gguf or hub. geometry: model_type, layers, heads, ssm_heads,
    experts, hidden, parameters, context, as far as known without loading. weights_seed: of random weights, None for its
    own weights. pickle, remote_code: whether the user lets it run code from its files. adapter: the folder of a LoRA
    adapter to merge into its weights."""

    name: str
    kind: str
    place: str
    revision: str | None = None
    geometry: dict[str, Any] = field(default_factory=dict)
    weights_seed: int | None = None
    pickle: bool = False
    remote_code: bool = False
    adapter: str | None = None
