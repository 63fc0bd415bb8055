"""Architectures: which are covered by a test, and descriptions for those that a dry pass cannot explore by itself.
Light: no torch.

Heads of the attention interface, of state-space mixers and routed experts are found by shape (sites.py), so most
families need only their name here, and a user's family in config.toml needs only the heading:

    [families.phimoe]
    attention = "self_attn.o_proj"      # within a layer: the projection whose input is the heads' outputs side by side
    heads = 32                          # its heads; default: num_attention_heads of the configuration
    mlp = ["mlp"]                       # within a layer: the modules whose sum is its MLP block's output
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from synergy_tui.errors import SubjectError, UsageError

MLP_NAMES = ("mlp", "feed_forward", "block_sparse_moe", "ffn")
"""What layers call their MLP block; the first that exists is used, unless a family says otherwise."""


@dataclass(frozen=True)
class Family:
    """The description of an architecture; None for anything to be found by shape. attention: path within a layer of the
    attention output projection. heads: its heads. mlp: paths within a layer of the modules whose outputs add up to the
    MLP's."""

    attention: str | None = None
    heads: int | None = None
    mlp: tuple[str, ...] | None = None


_BY_SHAPE = Family()

FAMILIES: dict[str, Family] = {
    **dict.fromkeys(
        (
            *("llama", "mistral", "qwen2", "qwen3", "olmo", "olmo2", "olmo3", "phi", "phi3", "smollm3", "granite"),
            *("gemma", "gemma2", "gemma3_text", "gpt2", "gpt_neox", "starcoder2", "stablelm", "cohere", "glm"),
            *("gpt_oss", "deepseek_v2", "deepseek_v3", "mixtral", "qwen2_moe", "qwen3_moe", "olmoe"),
            *("mamba2", "bamba", "zamba2", "falcon_h1"),
            *("llama4_text", "qwen2_vl_text", "qwen2_5_vl_text", "qwen3_vl_text"),
        ),
        _BY_SHAPE,
    ),
    "opt": Family(mlp=("fc2",)),
    # These two call no attention interface. Bloom's MLP itself adds the residual; its last projection does not.
    "falcon": Family(attention="self_attention.dense"),
    "bloom": Family(attention="self_attention.dense", mlp=("mlp.dense_4h_to_h",)),
    "granitemoehybrid": Family(mlp=("block_sparse_moe", "shared_mlp")),
}
"""By transformers' name of the architecture; a test covers each."""


def family_of(model_type: str, described: Mapping[str, Mapping[str, Any]] | None = None) -> Family:
    """The family of an architecture; `described`: the descriptions in the user's config.toml, which take precedence.
    Raises SubjectError for an unknown architecture, UsageError for an invalid description."""
    if described and model_type in described:
        return parse(model_type, described[model_type])
    if model_type in FAMILIES:
        return FAMILIES[model_type]
    raise SubjectError(
        f"no test holds the architecture {model_type!r}",
        f"known: {', '.join(sorted(FAMILIES))}; or describe it in config.toml: [families.{model_type or 'NAME'}]",
    )


def parse(model_type: str, said: Mapping[str, Any]) -> Family:
    """A description in config.toml. Raises UsageError for other keys or types."""
    known = [one.name for one in fields(Family)]
    kinds = {"attention": str, "heads": int, "mlp": list}
    for key, value in said.items():
        if key not in known:
            raise UsageError(f"[families.{model_type}] has no use for {key!r}", f"known: {', '.join(known)}")
        whole = isinstance(value, kinds[key]) and value and not isinstance(value, bool)
        if not whole or (key == "mlp" and not all(isinstance(one, str) and one for one in value)):
            wanted = {"attention": "a path in quotes", "heads": "a whole number", "mlp": "a list of paths in quotes"}
            raise UsageError(f"[families.{model_type}] {key} = {value!r} is not what it should be", wanted[key])
    return Family(said.get("attention"), said.get("heads"), tuple(said["mlp"]) if "mlp" in said else None)
