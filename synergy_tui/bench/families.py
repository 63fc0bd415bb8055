"""Tiny models of every architecture, with random weights, as subjects."""

from __future__ import annotations

from typing import Any

import torch

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
TURNED = {"rope_parameters": {"rope_type": "default", "rope_theta": 10_000.0, "mrope_section": [1, 1, 2]}}
SAID |= {
    "llama4_text": MOE | {"intermediate_size_mlp": 48, "attention_chunk_size": 16, "interleave_moe_layer_step": 2},
    **dict.fromkeys(("qwen2_vl_text", "qwen2_5_vl_text", "qwen3_vl_text"), TURNED),
}
EYE = {"depth": 1, "num_heads": 2, "patch_size": 14, "hidden_size": 16, "intermediate_size": 16, "out_hidden_size": 32}
SEEING: dict[str, tuple[str, dict[str, Any]]] = {
    "qwen2_vl_text": ("qwen2_vl", {"depth": 1, "num_heads": 2, "patch_size": 14, "embed_dim": 16, "hidden_size": 32}),
    "qwen2_5_vl_text": ("qwen2_5_vl", EYE),
    "qwen3_vl_text": ("qwen3_vl", EYE | {"deepstack_visual_indexes": [0]}),
}
"""Vision-language models around a language model: architecture and vision part."""

MADE: dict[str, Subject] = {}


def byte_tokenizer() -> Any:
    """A token for every byte, and <end>, which is 256."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={token: n for n, token in enumerate([*alphabet, "<end>"])}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>")


def subject_of(name: str) -> Subject:
    """The subject of an architecture, built once."""
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText

    if name not in MADE:
        torch.manual_seed(0)
        said = {key: value for key, value in PLAIN.items() if key not in NOT_SAID.get(name, ())}
        whole = said | SAID.get(name, {})
        # Falcon cannot be switched later to return its attention weights.
        how = {"attn_implementation": "eager"} if name == "falcon" else {}
        if name in SEEING:  # these are not complete models by themselves
            kind, vision = SEEING[name]
            config = AutoConfig.for_model(kind, text_config=whole, vision_config=vision)
            model = AutoModelForImageTextToText.from_config(config)
        else:
            model = AutoModelForCausalLM.from_config(AutoConfig.for_model(name, **whole), **how)
        for parameter in model.parameters():  # some start at 0 or 1, where a mistake could hide
            parameter.data += 0.05 * torch.randn_like(parameter)
        model = model.eval().requires_grad_(False)
        MADE[name] = assemble(Source(name, "folder", name), model, byte_tokenizer(), [])
    return MADE[name]
