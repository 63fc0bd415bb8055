"""Tiny models written as GGUF files, as the converters of the format write theirs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from conftest import byte_tokenizer
from numpy.typing import NDArray
from safetensors.torch import load_file

from synergy_tui.bench.families import NOT_SAID, PLAIN, SAID

Says = Callable[[gguf.GGUFWriter], Any]

NAMES = {"qwen3_moe": "qwen3moe", "qwen2_moe": "qwen2moe", "gemma3_text": "gemma3", "gpt_oss": "gpt-oss"}
"""What the format calls otherwise than transformers."""

_NUMBERS: dict[str, str] = {
    "add_block_count": "num_hidden_layers",
    "add_context_length": "max_position_embeddings",
    "add_embedding_length": "hidden_size",
    "add_feed_forward_length": "intermediate_size",
    "add_head_count": "num_attention_heads",
    "add_head_count_kv": "num_key_value_heads",
    "add_key_length": "head_dim",
    "add_value_length": "head_dim",
    "add_layer_norm_rms_eps": "rms_norm_eps",
    "add_vocab_size": "vocab_size",
    "add_sliding_window": "sliding_window",
    "add_attn_logit_softcapping": "attn_logit_softcapping",
    "add_final_logit_softcapping": "final_logit_softcapping",
    "add_expert_used_count": "num_experts_per_tok",
    "add_expert_feed_forward_length": "moe_intermediate_size",
    "add_expert_shared_feed_forward_length": "shared_expert_intermediate_size",
}
"""Methods of the writer and the number of the configuration that each is given, where there is one."""

_LAYER_NORM = ("layer_norm_eps", "layer_norm_epsilon", "norm_epsilon", "norm_eps")

OTHER_NAMES = {"n_embd": "hidden_size", "n_layer": "num_hidden_layers", "n_head": "num_attention_heads"}
OTHER_NAMES |= {"n_positions": "max_position_embeddings", "num_local_experts": "num_experts"}


def saved(folder: Path, kind: str, **changes: Any) -> Path:
    """A tiny model of an architecture, saved as a folder, no weight of it at its initial 0 or 1."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(0)
    plain = {key: value for key, value in PLAIN.items() if key not in NOT_SAID.get(kind, ())}
    whole = plain | {"vocab_size": 258} | SAID.get(kind, {}) | changes
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **whole))
    for parameter in model.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    model.save_pretrained(folder)
    byte_tokenizer().save_pretrained(folder)
    return folder


def written(folder: Path, out: Path, more: Says = lambda _: None, extra: Mapping[str, Any] | None = None) -> Path:
    """A model folder as a GGUF file. more: is given the writer; extra: more tensors."""
    config = json.loads((folder / "config.json").read_text())
    config |= {name: config[other] for other, name in OTHER_NAMES.items() if other in config}
    kind = config["model_type"]
    if kind in ("qwen3_moe", "gpt_oss"):
        del config["shared_expert_intermediate_size"]
    if kind == "falcon":
        config["num_key_value_heads"] = config["num_kv_heads"] if config["new_decoder_architecture"] else 1
    writer = gguf.GGUFWriter(out, NAMES.get(kind, kind))
    writer.add_name("tiny")
    for method, name in _NUMBERS.items():
        if config.get(name) is not None:
            getattr(writer, method)(config[name])
    if epsilon := next((config[one] for one in _LAYER_NORM if one in config), None):
        writer.add_layer_norm_eps(epsilon)
    if config.get("num_experts"):
        writer.add_expert_count(config["num_experts"])
    rope = config.get("rope_parameters") or {}
    rope = rope.get("full_attention", rope)
    if rope:
        writer.add_rope_freq_base(rope["rope_theta"])
        width = config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]
        writer.add_rope_dimension_count(int(width * rope.get("partial_rotary_factor", 1.0)))
    _vocabulary(writer, config["vocab_size"])
    more(writer)
    for name, values in _tensors(config, load_file(folder / "model.safetensors")):
        writer.add_tensor(name, np.ascontiguousarray(values, np.float32))
    for name, values in (extra or {}).items():
        writer.add_tensor(name, np.asarray(values, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return out


def _vocabulary(writer: gguf.GGUFWriter, size: int) -> None:
    known = byte_tokenizer().get_vocab()
    words = [*sorted(known, key=known.__getitem__), "ab"]
    words += [f"<{one}>" for one in range(len(words), size)]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(words[:size])
    writer.add_token_types([1] * 256 + [3] * (size - 256))
    writer.add_token_merges(["a b"])
    writer.add_eos_token_id(256)


def _tensors(config: Mapping[str, Any], weights: Mapping[str, Any]) -> list[tuple[str, NDArray[np.float32]]]:
    kind = config["model_type"]
    arch = next(one for one, name in gguf.MODEL_ARCH_NAMES.items() if name == NAMES.get(kind, kind))
    names = gguf.get_tensor_name_map(arch, config["num_hidden_layers"])
    heads, keys = config["num_attention_heads"], config.get("num_key_value_heads")
    out = []
    held = {name: tensor.float().numpy() for name, tensor in weights.items()}
    for name in [one for one in held if ".experts.0." in one]:  # saved one by one, written as one
        every = [held.pop(name.replace(".experts.0.", f".experts.{one}.")) for one in range(config["num_experts"])]
        held[name.replace(".experts.0.", ".experts.")] = np.stack(every)
    for name, values in held.items():
        if kind == "llama":  # the halves of a head's rows in turns
            for part, count in (("q_proj", heads), ("k_proj", keys)):
                if f".{part}." in name:
                    rows = values.shape[0] // count // 2
                    values = values.reshape(count, 2, rows, *values.shape[1:]).swapaxes(1, 2).reshape(values.shape)
        if kind.startswith("gemma") and name.endswith("norm.weight"):
            values = values + 1
        if kind == "nemotron" and ("norm" in name and name.endswith("weight")):
            values = values + 1
        if kind == "gpt2" and any(f"{one}.weight" in name for one in ("c_attn", "c_proj", "c_fc")):
            values = values.T
        if kind == "bloom" and "query_key_value" in name:
            width = config["hidden_size"] // heads
            values = values.reshape(heads, 3, width, *values.shape[1:]).swapaxes(0, 1).reshape(values.shape)
        if kind == "bloom":
            name = name.removeprefix("transformer.")
        if name.endswith("shared_expert_gate.weight"):
            values = values[0]
        pieces = {name: values}
        if kind == "gpt_oss":
            name = name.replace("_proj_bias", "_proj.bias")
            if "experts." in name and not name.endswith(".bias"):
                name, values = f"{name}.weight", values.swapaxes(1, 2)
            pieces = {name: values}
            if "gate_up_proj" in name:  # in turns here, apart in the format
                pieces = {
                    name.replace("gate_up", "gate"): values[:, ::2],
                    name.replace("gate_up", "up"): values[:, 1::2],
                }
        for piece, held_ in pieces.items():
            found = names.get_name(piece, try_suffixes=(".weight", ".bias")) or f"{names.get_name(piece)}.weight"
            out.append((found, held_))
    return out
