"""Tiny models of every architecture, with random weights, as subjects."""

from __future__ import annotations

from typing import Any

import torch
from conftest import byte_tokenizer

from synergy_tui.subject.loading import Subject, assemble
from synergy_tui.subject.source import Source

PLAIN = {
    **{"vocab_size": 257, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 4, "head_dim": 8},
    **{"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 256, "initializer_range": 0.3},
    **{"eos_token_id": 256, "bos_token_id": None, "pad_token_id": None},
}
MOE = {
    **{"num_local_experts": 6, "num_experts": 6, "n_routed_experts": 6, "num_experts_per_tok": 2},
    **{"moe_intermediate_size": 24, "shared_expert_intermediate_size": 24, "n_shared_experts": 1},
}
LATENT = {
    **{"kv_lora_rank": 16, "qk_rope_head_dim": 4, "qk_nope_head_dim": 8, "v_head_dim": 6, "num_key_value_heads": 4},
    **{"head_dim": 4, "first_k_dense_replace": 1, "topk_method": "greedy"},
}
MIXER = {
    **{"mamba_n_heads": 8, "mamba_d_head": 8, "mamba_d_state": 8, "mamba_n_groups": 2, "mamba_expand": 2},
    **{"mamba_chunk_size": 8},
}
OTHER_NAMES = ("head_dim", "num_key_value_heads", "intermediate_size", "num_hidden_layers", "num_attention_heads")
NOT_SAID = {
    "gpt2": (*OTHER_NAMES, "hidden_size", "max_position_embeddings"),
    "gptj": (*OTHER_NAMES, "hidden_size", "max_position_embeddings"),
    "bloom": OTHER_NAMES,
    "falcon": ("head_dim", "num_key_value_heads"),
    "zamba2": ("head_dim",),
}
FUSED = ("gpt_oss", "mixtral", "qwen2_moe", "qwen3_moe", "olmoe")
SAID: dict[str, dict[str, Any]] = {
    **dict.fromkeys((*FUSED, "phimoe"), MOE),
    "gptj": {"n_embd": 32, "n_layer": 4, "n_head": 4, "n_positions": 256, "rotary_dim": 4},
    "deepseek_v2": MOE | LATENT | {"q_lora_rank": None, "n_group": None, "topk_group": None},
    "deepseek_v3": MOE | LATENT | {"q_lora_rank": 12, "n_group": 2, "topk_group": 1},
    "gpt2": {"n_embd": 32, "n_layer": 4, "n_head": 4, "n_positions": 256},
    "opt": {"ffn_dim": 48, "word_embed_proj_dim": 32},
    "falcon": {"new_decoder_architecture": True, "num_kv_heads": 2},
    "bloom": {"n_layer": 4, "n_head": 4},
    "mamba2": {"num_heads": 8, "head_dim": 8, "state_size": 8, "n_groups": 2, "expand": 2, "chunk_size": 8},
    "bamba": MIXER | {"attn_layer_indices": [1]},
    "zamba2": {
        **{"n_mamba_heads": 8, "mamba_headdim": 8, "mamba_d_state": 8, "mamba_ngroups": 2, "chunk_size": 8},
        **{"layers_block_type": ["mamba", "hybrid", "mamba", "hybrid"], "num_mem_blocks": 1, "adapter_rank": 4},
        **{"attention_head_dim": 16, "use_shared_attention_adapter": True, "num_key_value_heads": 4},
        "initializer_range": 0.1,  # larger ones amplify rounding to a percent within ten tokens
    },
    "granitemoehybrid": MIXER | MOE | {"layer_types": ["mamba", "attention", "mamba", "mamba"]},
    "falcon_h1": MIXER | {"mamba_d_ssm": 64},
}
MADE: dict[str, Subject] = {}


def subject_of(name: str) -> Subject:
    """The subject of an architecture, made once."""
    from transformers import AutoConfig, AutoModelForCausalLM

    if name not in MADE:
        torch.manual_seed(0)
        said = {key: value for key, value in PLAIN.items() if key not in NOT_SAID.get(name, ())}
        config = AutoConfig.for_model(name, **said | SAID.get(name, {}))
        # Falcon cannot be told later to say its attention weights.
        how = {"attn_implementation": "eager"} if name == "falcon" else {}
        model = AutoModelForCausalLM.from_config(config, **how)
        for parameter in model.parameters():  # some begin at 0 or 1, where a mistake could hide
            parameter.data += 0.05 * torch.randn_like(parameter)
        model = model.eval().requires_grad_(False)
        MADE[name] = assemble(Source(name, "folder", name), model, byte_tokenizer(), [])
    return MADE[name]
