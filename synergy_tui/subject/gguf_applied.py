"""Keys of a GGUF file that transformers' loader leaves out → into the configuration, or refused by name.

The loader takes some keys of each architecture. It silently drops the others, and tensors it has no name for: a model
with scaled positions, a window or soft caps would become a different model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from synergy_tui.errors import SubjectError
from synergy_tui.subject.gguf import PARAMETERS, TENSORS

AS_FOLDER = "give the model as a folder (safetensors)"
"""What to do when a file cannot be used."""

ROPE_FACTORS = {"rope_freqs.weight": "freqs", "rope_factors_long.weight": "long", "rope_factors_short.weight": "short"}
"""Tensors that are not weights but factors of the positions' frequencies."""

_BY_SHAPE = ("block_count", "embedding_length", "feed_forward_length", "vocab_size", "attention.head_count_kv")
"""Keys that the shapes of the tensors also determine: a loader with a wrong value fails."""

_WITHOUT_EFFECT = ("tensor_data_layout", "pooling_type", "rope.scaling.finetuned", "attention.causal", "context_length")

_ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "attention.head_count": ("num_attention_heads",),
    "attention.key_length": ("head_dim",),
    "attention.value_length": ("v_head_dim", "head_dim"),
    "attention.layer_norm_rms_epsilon": ("rms_norm_eps", "layer_norm_epsilon", "norm_eps"),
    "attention.layer_norm_epsilon": ("layer_norm_eps", "layer_norm_epsilon", "norm_epsilon", "norm_eps"),
    "attention.sliding_window": ("sliding_window",),
    "attn_logit_softcapping": ("attn_logit_softcapping",),
    "final_logit_softcapping": ("final_logit_softcapping",),
    "attention.scale": ("attention_multiplier",),
    "logit_scale": ("logit_scale", "logits_scaling"),
    "embedding_scale": ("embedding_multiplier",),
    "residual_scale": ("residual_multiplier",),
    "expert_count": ("num_local_experts", "num_experts", "n_routed_experts"),
    "expert_used_count": ("num_experts_per_tok",),
    "expert_shared_count": ("n_shared_experts",),
    "expert_feed_forward_length": ("moe_intermediate_size", "intermediate_size"),
    "expert_shared_feed_forward_length": ("shared_expert_intermediate_size",),
    "expert_weights_scale": ("routed_scaling_factor",),
    "expert_weights_norm": ("norm_topk_prob",),
    "use_parallel_residual": ("use_parallel_residual",),
}
"""Keys after the architecture's name, and what configurations call them: the first name that a configuration has is
used."""

_ROPE = ("rope.scaling.", "rope.scale_linear", "rope.freq_base", "rope.dimension_count")

_LARGE_GEMMA = {"gemma2": 46, "gemma3_text": 62}
"""Layers of the 27B models, whose attention is scaled by the width of the model over its heads."""


def apply(config: Any, header: Mapping[str, Any], factors: Mapping[str, list[float]], where: str) -> None:
    """Completes a configuration that transformers made of a GGUF header. factors: of the frequencies, by the values of
    ROPE_FACTORS. Raises SubjectError for a key without a place in configurations of this architecture."""
    kind = str(header["general.architecture"])
    said = {name.removeprefix(f"{kind}."): value for name, value in header.items() if name.startswith(f"{kind}.")}
    for name, value in said.items():
        if name in (*_BY_SHAPE, *_WITHOUT_EFFECT) or name.startswith(_ROPE) or _applied(config, name, value, said):
            continue
        raise _left_out(f"{kind}.{name}", value, where)
    if config.model_type in _LARGE_GEMMA:
        large = config.num_hidden_layers == _LARGE_GEMMA[config.model_type]
        config.query_pre_attn_scalar = config.hidden_size // config.num_attention_heads if large else config.head_dim
    if config.model_type == "falcon" and said.get("attention.head_count_kv", 1) > 1:
        # The format has all queries, then all keys, then all values; the model has them by groups of heads.
        raise _left_out(f"{kind}.attention.head_count_kv", said["attention.head_count_kv"], where)
    if (config.pad_token_id or 0) >= config.vocab_size:
        config.pad_token_id = None  # the family's own token, which this vocabulary lacks
    if hasattr(config, "n_positions") and "context_length" in said:
        config.n_positions = said["context_length"]
    _positions(config, said, factors, where)


def _applied(config: Any, name: str, value: Any, said: Mapping[str, Any]) -> bool:
    """Whether the configuration has the value of a key, or does not need it."""
    if name == "attention.sliding_window":
        return _windows(config, value, said)
    if name == "attention.sliding_window_pattern" and hasattr(config, "layer_types"):
        _pattern(config, value)
        return True
    if name == "attention.max_alibi_bias":
        return bool(config.model_type == "bloom" and value == 8)
    if name == "attention.value_length" and value == said.get("attention.key_length"):
        return True
    if name == "attention.key_length" and not hasattr(config, "head_dim"):
        return bool(value == config.hidden_size // config.num_attention_heads)
    return _set(config, name, value) or _neutral(value)


def _left_out(name: str, value: Any, where: str) -> SubjectError:
    return SubjectError(
        f"{where} says {name} = {str(value)[:60]}, which transformers has no place for in this architecture",
        AS_FOLDER,
    )


def _neutral(value: Any) -> bool:
    return value in (0, None, False)


def _set(config: Any, name: str, value: Any) -> bool:
    """Sets a value; returns whether the configuration has a place for it."""
    attribute = next((one for one in _ATTRIBUTES.get(name, ()) if hasattr(config, one)), None)
    if attribute is None:
        return False
    if isinstance(value, list):
        if len(set(value)) != 1:
            return False
        value = value[0]
    there = getattr(config, attribute)
    alike = isinstance(there, float) and isinstance(value, float) and math.isclose(there, value, rel_tol=1e-6)
    if not alike and there != value:
        setattr(config, attribute, value)
    return True


def _windows(config: Any, value: Any, said: Mapping[str, Any]) -> bool:
    """Whether a window of attention is applied, or is as long as the context."""
    if not value or value >= said.get("context_length", math.inf):
        return True
    if not hasattr(config, "sliding_window"):
        return False
    config.sliding_window = value
    types = getattr(config, "layer_types", None)
    return types is None or "sliding_attention" in types or "attention.sliding_window_pattern" in said


def _pattern(config: Any, value: Any) -> None:
    """Which layers have a window: one flag per layer, or all except every value-th."""
    count = config.num_hidden_layers
    slides = list(value)[:count] if isinstance(value, list) else [(one + 1) % value != 0 for one in range(count)]
    config.layer_types = ["sliding_attention" if one else "full_attention" for one in slides]


def _positions(config: Any, said: Mapping[str, Any], factors: Mapping[str, list[float]], where: str) -> None:
    """Base, width, scaling and factors of the positions' frequencies."""
    whole = getattr(config, "rope_parameters", None)
    asked = [name for name in said if name.startswith(_ROPE)]
    scaled = str(said.get("rope.scaling.type", "linear" if "rope.scale_linear" in said else "none"))
    if not isinstance(whole, dict):
        if scaled != "none" or factors:
            raise _left_out("rope scaling", scaled, where)
        return
    rope = whole.get("full_attention", whole)
    if (base := said.get("rope.freq_base")) is not None:
        rope["rope_theta"] = float(base)
    if (turned := said.get("rope.dimension_count")) is not None:
        width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        share = rope.get("partial_rotary_factor", getattr(config, "partial_rotary_factor", None) or 1.0)
        if turned != int(width * share):
            rope["partial_rotary_factor"] = turned / width
    factor = float(said.get("rope.scaling.factor", said.get("rope.scale_linear", 1.0)))
    original = said.get("rope.scaling.original_context_length")
    strength = said.get("rope.scaling.attn_factor", said.get("rope.scaling.yarn_attn_factor"))
    known = {"type", "factor", "original_context_length", "attn_factor", "finetuned", "yarn_attn_factor"}
    known |= {"yarn_beta_fast", "yarn_beta_slow"}
    for name in asked:
        unknown = name.startswith("rope.scaling.") and name.removeprefix("rope.scaling.") not in known
        if unknown and not _neutral(said[name]):
            raise _left_out(name, said[name], where)
    if "long" in factors or "short" in factors:
        if set(factors) != {"long", "short"} or original is None:
            raise _left_out("rope factors", ", ".join(factors), where)
        config.original_max_position_embeddings = int(original)
        rope |= {"rope_type": "longrope", "long_factor": factors["long"], "short_factor": factors["short"]}
        rope |= {"original_max_position_embeddings": int(original)}
        rope |= {"factor": config.max_position_embeddings / int(original)}
        rope |= {} if strength is None else {"attention_factor": float(strength)}
    elif "freqs" in factors:
        if scaled not in ("none", "linear") or (scaled == "linear" and factor != 1.0):
            raise _left_out("rope_freqs beside rope scaling", scaled, where)
        # The factors apply to the whole model: only this kind of positions takes a factor for every frequency.
        rope |= {"rope_type": "longrope", "long_factor": factors["freqs"], "short_factor": factors["freqs"]}
        rope |= {"attention_factor": 1.0, "factor": 1.0}
        rope |= {"original_max_position_embeddings": config.max_position_embeddings}
    elif scaled == "linear" and factor != 1.0:
        rope |= {"rope_type": "linear", "factor": factor}
    elif scaled == "yarn" and factor != 1.0:
        rope |= {"rope_type": "yarn", "factor": factor}
        rope |= {} if original is None else {"original_max_position_embeddings": int(original)}
        if strength is not None:
            rope["attention_factor"] = float(strength) * (1 + 0.1 * math.log(factor))
        for name in ("beta_fast", "beta_slow"):
            if f"rope.scaling.yarn_{name}" in said:
                rope[name] = float(said[f"rope.scaling.yarn_{name}"])
    elif scaled not in ("none", "linear", "yarn"):
        raise _left_out("rope.scaling.type", scaled, where)


def ends(header: Mapping[str, Any]) -> list[int]:
    """Tokens that end a text or a turn."""
    names = ("eos", "eot", "eom")
    found = [header.get(f"tokenizer.ggml.{name}_token_id") for name in names]
    return list(dict.fromkeys(one for one in found if isinstance(one, int)))


def check_whole(model: Any, header: Mapping[str, Any], where: str) -> None:
    """Raises SubjectError when the file has weights that the model does not have. They are counted, because
    transformers recognises tensors only by name and skips the others."""
    tensors: dict[str, int] = header[TENSORS]
    held = sum(one.numel() for one in model.parameters())
    given = header[PARAMETERS] - sum(count for name, count in tensors.items() if name in ROPE_FACTORS)
    if getattr(model.config, "tie_word_embeddings", False):
        given -= tensors.get("output.weight", 0)
    if given == held:
        return
    raise SubjectError(
        f"{where} has {given:,} weights, and transformers puts {held:,} into a {model.config.model_type}"
        + _names(model, tensors),
        AS_FOLDER,
    )


def _names(model: Any, tensors: Mapping[str, int]) -> str:
    """Some tensors that become no weight, if transformers can say which."""
    from transformers.modeling_gguf_pytorch_utils import TensorProcessor, get_gguf_hf_weights_map

    try:
        known = get_gguf_hf_weights_map(model, TensorProcessor())
    except (NotImplementedError, AttributeError, KeyError):
        return ""
    unused = [name for name in tensors if name not in known and name not in ROPE_FACTORS and "_exps" not in name]
    return f": left out are {', '.join(unused[:4])}" + (", …" if len(unused) > 4 else "") if unused else ""
