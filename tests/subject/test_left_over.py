"""What is left over after loading is an error: weights, adapters, tokens, metadata of GGUF files; and what is inside a
vision-language model is found."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from conftest import byte_tokenizer, make_tiny
from gguf_files import saved, written
from safetensors.torch import load_file, save_file

from synergy_tui.bench.families import SEEING, subject_of
from synergy_tui.capture.generate import encode, generate, replay
from synergy_tui.capture.parity import compare
from synergy_tui.errors import SubjectError, TaskError
from synergy_tui.jobs.plan.captures import capture as plan_capture
from synergy_tui.jobs.specs import CaptureRequest
from synergy_tui.subject.loading import Subject, load
from synergy_tui.subject.sources import _LEFT_OUT, resolve, weights_files

IDS = torch.tensor([[5, 9, 200, 31, 7, 90, 14]])


@pytest.fixture(autouse=True, scope="module")
def _alone(one_thread):
    """These models are small."""


def loaded(place: Path, **chosen: Any) -> Subject:
    return load(resolve(str(place), **chosen), place.parent / "data", "cpu", "float32")


def changed(folder: Path, file: str = "config.json", **changes: Any) -> Path:
    path = folder / file
    content = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({k: v for k, v in (content | changes).items() if v != "DELETE"}))
    return folder


# Weights


def test_weights_without_a_place_are_told_by_their_names(tmp_path):
    qwen = make_tiny(tmp_path / "qwen", "qwen2")
    changed(qwen, model_type="llama", architectures=["LlamaForCausalLM"])
    with pytest.raises(SubjectError, match=r"it has no place for model.layers.0.self_attn.k_proj.bias, .* and 9 more"):
        loaded(qwen)
    deep = changed(make_tiny(tmp_path / "deep", num_hidden_layers=5), num_hidden_layers=4, layer_types="DELETE")
    with pytest.raises(SubjectError, match=r"it has no place for model.layers.4"):
        loaded(deep)


def test_the_index_decides_which_files_are_the_weights(tmp_path):
    folder = make_tiny(tmp_path / "twice", "mistral")
    shutil.copy(folder / "model.safetensors", folder / "consolidated.safetensors")
    assert [one.name for one in weights_files(folder)] == ["model.safetensors"]
    one = loaded(folder)
    assert resolve(str(folder)).geometry["parameters"] == one.record["parameters"]
    tensors = load_file(folder / "model.safetensors")
    half = len(tensors) // 2
    parts = [dict(list(tensors.items())[:half]), dict(list(tensors.items())[half:])]
    names = [f"model-0000{k}-of-00002.safetensors" for k in (1, 2)]
    for name, part in zip(names, parts, strict=True):
        save_file(part, folder / name, metadata={"format": "pt"})
    (folder / "model.safetensors").unlink()
    with pytest.raises(SubjectError, match=r"in parts and lacks model.safetensors.index.json"):
        resolve(str(folder))
    index = {
        "metadata": {"total_size": 1},
        "weight_map": {key: name for name, part in zip(names, parts, strict=True) for key in part},
    }
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert [one.name for one in weights_files(folder)] == names
    torch.testing.assert_close(loaded(folder).model(IDS).logits, one.model(IDS).logits)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"quantization_config": {"quant_method": "zzz"}}, "is quantised by 'zzz'"),
        ({"architectures": ["BertForMaskedLM"], "model_type": "bert"}, "is a BertForMaskedLM: it does not write text"),
        (
            {"architectures": ["T5ForConditionalGeneration"], "model_type": "t5", "is_encoder_decoder": True},
            r"is an encoder-decoder \(T5ForConditionalGeneration\)",
        ),
    ],
)
def test_other_models_are_refused_for_what_they_are(changes, said, tmp_path):
    folder = changed(make_tiny(tmp_path / "other"), **changes)
    with pytest.raises(SubjectError, match=said):
        loaded(folder)


def test_a_configuration_with_a_byte_order_mark_is_told(tmp_path):
    folder = make_tiny(tmp_path / "bom")
    path = folder / "config.json"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    with pytest.raises(SubjectError, match="begins with a byte order mark"):
        resolve(str(folder))


def test_end_tokens_that_no_embedding_has_end_nothing(tmp_path):
    folder = changed(make_tiny(tmp_path / "ends"), "generation_config.json", eos_token_id=[256, None, 99_999, -1, 10])
    assert loaded(folder).ends == (256, 10)


# Tokens and templates


def test_tokens_without_an_embedding_are_named_when_they_are_encoded(tmp_path):
    folder = make_tiny(tmp_path / "added")
    tokenizer = byte_tokenizer()
    tokenizer.add_tokens(["<think>"], special_tokens=True)
    tokenizer.chat_template = "<think>{{ messages[0]['content'] }}"
    tokenizer.save_pretrained(folder)
    with pytest.raises(SubjectError, match=r"without an embedding \('<think>'; the model has 257 embeddings\)"):
        encode(loaded(folder), ["Hi"], True)


def test_messages_go_through_the_template_with_their_roles(tmp_path):
    folder = make_tiny(tmp_path / "chat")
    tokenizer = byte_tokenizer()
    tokenizer.chat_template = (
        "{% if messages[0]['role'] == 'system' and strict is defined %}{{ raise_exception('no') }}{% endif %}"
        "{% for m in messages %}[{{ m['role'] }}]{{ m['content'] }}{% endfor %}[assistant]"
    )
    tokenizer.save_pretrained(folder)
    subject = loaded(folder)
    said = (("system", "Be brief."), ("user", "Hi"))
    (tokens,) = encode(subject, [said], True)
    assert subject.tokenizer.decode(tokens) == "[system]Be brief.[user]Hi[assistant]"
    with pytest.raises(TaskError, match="messages with roles have no place"):
        encode(subject, [said], False)
    with pytest.raises(TaskError, match="system messages of their own · leave out --system"):
        encode(subject, [said], True, "Be kind.")


@pytest.mark.parametrize(
    ("template", "system", "said"),
    [
        (
            "{% if messages[0]['role'] == 'system' %}{{ raise_exception('not supported') }}{% endif %}x",
            "Be brief.",
            r"fails: TemplateError: not supported \(.* roles system, user\) · leave out --system, or use --no-chat",
        ),
        (
            "{% if messages[0]['role'] != 'system' %}{{ raise_exception('required') }}{% endif %}x",
            None,
            r"fails: TemplateError: required \(.* roles user\) · give a --system prompt, or use --no-chat",
        ),
    ],
)
def test_a_template_that_refuses_says_which_roles_and_which_option(template, system, said, tmp_path):
    folder = make_tiny(tmp_path / "strict")
    tokenizer = byte_tokenizer()
    tokenizer.chat_template = template
    tokenizer.save_pretrained(folder)
    with pytest.raises(SubjectError, match=said):
        encode(loaded(folder), ["Hi"], True, system)


# Adapters


def adapter(folder: Path, rank: int = 4, **said: Any) -> Path:
    folder.mkdir()
    torch.manual_seed(3)
    weights = {}
    for layer in range(4):
        for name, size in (("q_proj", 32), ("o_proj", 32)):
            place = f"base_model.model.model.layers.{layer}.self_attn.{name}"
            weights[f"{place}.lora_A.weight"] = 0.1 * torch.randn(rank, 32)
            weights[f"{place}.lora_B.weight"] = 0.1 * torch.randn(size, rank)
    save_file(weights, folder / "adapter_model.safetensors")
    content = {"peft_type": "LORA", "r": rank, "lora_alpha": 8, "base_model_name_or_path": "someone/base"} | said
    (folder / "adapter_config.json").write_text(json.dumps(content))
    return folder


def test_an_adapter_is_merged_and_recorded(tiny, tmp_path):
    folder = adapter(tmp_path / "poet", alpha_pattern={"o_proj": 16})
    base, merged = loaded(tiny), loaded(tiny, adapter=str(folder))
    weights = load_file(folder / "adapter_model.safetensors")
    for name, alpha in (("q_proj", 8), ("o_proj", 16)):
        place = f"base_model.model.model.layers.2.self_attn.{name}.lora_"
        expected = weights[f"{place}B.weight"] @ weights[f"{place}A.weight"] * (alpha / 4)
        change = (
            getattr(merged.model.model.layers[2].self_attn, name).weight
            - getattr(base.model.model.layers[2].self_attn, name).weight
        )
        torch.testing.assert_close(change, expected, rtol=1e-4, atol=1e-6)
    assert merged.source.name == f"{base.source.name} + poet"
    assert merged.record["subject"] != base.record["subject"]
    assert merged.record["adapter"] == str(folder)
    request = CaptureRequest(subject=str(tiny), device="cpu")
    hashes = {
        plan_capture(tmp_path, one).spec.hash
        for one in (request, request.replace(adapter=str(folder)), request.replace(adapter=str(folder)))
    }
    assert len(hashes) == 2


def test_the_base_weights_that_peft_keeps_beside_embeddings_must_be_the_models(tiny, tmp_path):
    folder, own = adapter(tmp_path / "a"), load_file(tiny / "model.safetensors")
    weights = load_file(folder / "adapter_model.safetensors")
    name = "base_model.model.model.embed_tokens"
    torch.manual_seed(4)
    weights[f"{name}.base_layer.weight"] = own["model.embed_tokens.weight"]
    weights[f"{name}.lora_embedding_A"] = torch.randn(4, 257)
    weights[f"{name}.lora_embedding_B"] = torch.randn(32, 4)
    save_file(weights, folder / "adapter_model.safetensors")
    change = loaded(tiny, adapter=str(folder)).model.model.embed_tokens.weight - own["model.embed_tokens.weight"]
    expected = 2 * (weights[f"{name}.lora_embedding_B"] @ weights[f"{name}.lora_embedding_A"]).T
    torch.testing.assert_close(change, expected, rtol=1e-4, atol=1e-5)
    weights[f"{name}.base_layer.weight"] = own["model.embed_tokens.weight"] + 1
    save_file(weights, folder / "adapter_model.safetensors")
    with pytest.raises(SubjectError, match=r"was trained on other weights of model.embed_tokens"):
        loaded(tiny, adapter=str(folder))


def test_modules_that_were_trained_whole_take_the_place_of_the_models(tiny, tmp_path):
    folder = adapter(tmp_path / "a")
    weights = load_file(folder / "adapter_model.safetensors")
    weights["base_model.model.lm_head.weight"] = torch.randn(257, 32)
    save_file(weights, folder / "adapter_model.safetensors")
    torch.testing.assert_close(
        loaded(tiny, adapter=str(folder)).model.lm_head.weight, weights["base_model.model.lm_head.weight"]
    )
    weights["base_model.model.lm_head.weight"] = torch.randn(300, 32)
    save_file(weights, folder / "adapter_model.safetensors")
    with pytest.raises(SubjectError, match=r"changes lm_head by \(300, 32\), and it has \(257, 32\)"):
        loaded(tiny, adapter=str(folder))


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"peft_type": "IA3"}, "of the type IA3"),
        ({"use_dora": True}, "has use_dora = True"),
        ({"bias": "all"}, "has bias = all"),
        ({"r": 0}, "no usable r"),
    ],
)
def test_an_adapter_that_cannot_be_merged_whole_is_refused(said, message, tiny, tmp_path):
    with pytest.raises(SubjectError, match=message):
        loaded(tiny, adapter=str(adapter(tmp_path / "a", **said)))


def test_an_adapter_of_another_model_is_refused(tmp_path):
    folder = adapter(tmp_path / "a")
    with pytest.raises(SubjectError, match=r"and it has .* give it to its base model, someone/base"):
        loaded(make_tiny(tmp_path / "wide", hidden_size=64), adapter=str(folder))
    with pytest.raises(SubjectError, match="which the model does not have"):
        loaded(make_tiny(tmp_path / "short", num_hidden_layers=2), adapter=str(folder))


def test_a_folder_that_is_or_has_an_adapter_says_so(tmp_path):
    alone = adapter(tmp_path / "alone")
    with pytest.raises(
        SubjectError, match=r"is an adapter of someone/base, no model · give someone/base, with --adapter"
    ):
        resolve(str(alone))
    both = make_tiny(tmp_path / "both")
    shutil.copy(alone / "adapter_config.json", both)
    with pytest.raises(SubjectError, match=r"has an adapter \(adapter_config.json\) beside its weights"):
        resolve(str(both))


# GGUF


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return make_tiny(tmp_path_factory.mktemp("gguf") / "plain", vocab_size=258)


def logits(subject: Subject) -> torch.Tensor:
    with torch.inference_mode():
        found: torch.Tensor = subject.model(IDS).logits
    return found


@pytest.mark.parametrize(
    ("more", "rope"),
    [
        (lambda _: None, {}),
        (
            lambda w: (w.add_rope_scaling_type(gguf.RopeScalingType.LINEAR), w.add_rope_scaling_factor(4.0)),
            {"rope_type": "linear", "factor": 4.0},
        ),
        (
            lambda w: (
                w.add_rope_scaling_type(gguf.RopeScalingType.YARN),
                w.add_rope_scaling_factor(8.0),
                w.add_rope_scaling_orig_ctx_len(64),
            ),
            {"rope_type": "yarn", "factor": 8.0, "original_max_position_embeddings": 64},
        ),
        (lambda w: w.add_rope_scaling_type(gguf.RopeScalingType.NONE), {}),
        (lambda w: w.add_float32("llama.rope.scale_linear", 2.0), {"rope_type": "linear", "factor": 2.0}),
    ],
)
def test_scaled_positions_of_a_gguf_are_those_of_transformers(more, rope, folder, tmp_path):
    other = shutil.copytree(folder, tmp_path / "other")
    changed(other, rope_parameters={"rope_type": "default", "rope_theta": 10_000.0} | rope)
    got = loaded(written(folder, tmp_path / "x.gguf", more=more))
    torch.testing.assert_close(logits(got), logits(loaded(other)), rtol=1e-4, atol=1e-4)


def test_factors_of_the_frequencies_are_applied(folder, tmp_path):
    factors = [1.0, 2.0, 8.0, 16.0]
    got = loaded(written(folder, tmp_path / "x.gguf", extra={"rope_freqs.weight": factors}))
    plain = loaded(folder)
    frequencies = plain.model.model.rotary_emb.inv_freq / torch.tensor(factors)
    torch.testing.assert_close(got.model.model.rotary_emb.inv_freq, frequencies)
    plain.model.model.rotary_emb.inv_freq = frequencies
    torch.testing.assert_close(logits(got), logits(plain), rtol=1e-4, atol=1e-4)


def test_the_end_of_a_turn_ends_a_response(folder, tmp_path):
    assert loaded(written(folder, tmp_path / "a.gguf", more=lambda w: w.add_eot_token_id(75))).ends == (256, 75)


@pytest.mark.parametrize(
    ("more", "extra", "said"),
    [
        (lambda w: w.add_sliding_window(8), {}, "llama.attention.sliding_window = 8"),
        (lambda w: w.add_attn_logit_softcapping(30.0), {}, "llama.attn_logit_softcapping = 30"),
        (lambda w: w.add_final_logit_softcapping(20.0), {}, "llama.final_logit_softcapping = 20"),
        (lambda w: w.add_expert_count(8), {}, "llama.expert_count = 8"),
        (lambda w: w.add_logit_scale(0.5), {}, "llama.logit_scale = 0.5"),
        (lambda w: w.add_uint32("llama.attention.indexer", 3), {}, "llama.attention.indexer = 3"),
        (lambda w: w.add_rope_scaling_type(gguf.RopeScalingType.LONGROPE), {}, "rope.scaling.type = longrope"),
        (lambda _: None, {"blk.0.attn_q.bias": np.ones(32)}, "left out are blk.0.attn_q.bias"),
        (lambda _: None, {"blk.0.ffn_gate.lora": np.ones(4)}, "left out are blk.0.ffn_gate.lora"),
    ],
)
def test_what_a_gguf_says_and_nothing_applies_is_refused_by_name(more, extra, said, folder, tmp_path):
    with pytest.raises(SubjectError, match=said):
        loaded(written(folder, tmp_path / "x.gguf", more=more, extra=extra))


@pytest.mark.parametrize(
    "more",
    [
        lambda w: w.add_sliding_window(100_000),
        lambda w: w.add_attn_logit_softcapping(0.0),
        lambda w: w.add_expert_count(0),
        lambda w: w.add_string("llama.tensor_data_layout", "Meta AI original pth"),
        lambda w: w.add_string("quantize.imatrix.file", "x"),
    ],
)
def test_what_has_no_effect_is_no_reason_to_refuse(more, folder, tmp_path):
    got = loaded(written(folder, tmp_path / "x.gguf", more=more))
    torch.testing.assert_close(logits(got), logits(loaded(folder)), rtol=1e-4, atol=1e-4)


def test_a_file_in_parts_is_the_model_of_the_whole(folder, tmp_path):
    whole = written(folder, tmp_path / "whole.gguf")
    reader = gguf.GGUFReader(whole)
    writer = gguf.GGUFWriter(tmp_path / "parts.gguf", "llama", split_max_tensors=20)
    for name, field in reader.fields.items():
        if not name.startswith("GGUF.") and name != "general.architecture":
            writer.add_key_value(name, field.contents(), field.types[0], field.types[-1])
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    parts = sorted(tmp_path.glob("parts-*.gguf"))
    assert len(parts) == 2
    source = resolve(str(parts[1]))
    assert source.place == str(parts[0])
    assert source.geometry["parameters"] == resolve(str(whole)).geometry["parameters"]
    assert torch.equal(logits(loaded(parts[1])), logits(loaded(whole)))


SLIDING = {"sliding_window": 8, "query_pre_attn_scalar": 8}
OF_FAMILIES: dict[str, dict[str, Any]] = {
    **{
        name: {} for name in ("llama", "qwen2", "qwen3", "qwen2_moe", "starcoder2", "stablelm", "gpt2", "bloom", "phi3")
    },
    "gemma2": SLIDING | {"layer_types": ["sliding_attention", "full_attention"] * 2},
    "gemma3_text": SLIDING | {"sliding_window_pattern": 6},
    "qwen3_moe": {"norm_topk_prob": True},
    "falcon": {"new_decoder_architecture": False, "multi_query": True},
}
"""Architectures that the format and transformers have in common, and what else makes up a model of theirs."""


@pytest.mark.parametrize("kind", OF_FAMILIES)
def test_a_gguf_of_every_family_is_the_model_it_was_written_from(kind, tmp_path):
    folder = saved(tmp_path / kind, kind, **OF_FAMILIES[kind])
    got, model = loaded(written(folder, tmp_path / "x.gguf")), loaded(folder)
    ids = IDS.repeat(1, 6)  # longer than the windows
    with torch.inference_mode():
        torch.testing.assert_close(got.model(ids).logits, model.model(ids).logits, rtol=1e-5, atol=1e-5)


def test_the_long_and_short_factors_of_a_gguf_are_those_of_the_model(tmp_path):
    factors = {"long_factor": [4.0, 8.0, 16.0, 32.0], "short_factor": [1.0, 1.5, 2.0, 3.0]}
    rope = {"rope_type": "longrope", "rope_theta": 10_000.0, "factor": 8.0, "original_max_position_embeddings": 32}
    changes = {"rope_parameters": rope | factors, "original_max_position_embeddings": 32}
    folder = saved(tmp_path / "phi3", "phi3", **changes)
    named = {f"rope_factors_{one}.weight": factors[f"{one}_factor"] for one in ("long", "short")}
    path = written(folder, tmp_path / "x.gguf", lambda one: one.add_rope_scaling_orig_ctx_len(32), named)
    got, model = loaded(path), loaded(folder)
    for ids in (IDS, IDS.repeat(1, 6)):
        with torch.inference_mode():
            torch.testing.assert_close(got.model(ids).logits, model.model(ids).logits, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "changes", "said"),
    [
        ("falcon", {}, "falcon.attention.head_count_kv = 2"),  # its queries, keys and values are in another order
        ("gpt_oss", {}, "down_proj, .* are missing"),  # transformers looks for names that no file has
    ],
)
def test_a_gguf_that_transformers_does_not_undo_is_refused(kind, changes, said, tmp_path):
    with pytest.raises(SubjectError, match=said) as raised:
        loaded(written(saved(tmp_path / kind, kind, **changes), tmp_path / "x.gguf"))
    assert "as a folder" in str(raised.value)


def test_an_adapter_or_a_projector_as_gguf_is_told(folder, tmp_path):
    path = written(folder, tmp_path / "x.gguf", more=lambda w: w.add_type("adapter"))
    with pytest.raises(SubjectError, match="is of the type 'adapter', no model"):
        resolve(str(path))


# Models that also see


@pytest.mark.parametrize("name", SEEING)
def test_the_language_model_inside_is_the_subject(name, tmp_path):
    made = subject_of(name)
    place = tmp_path / "seeing"
    made.model.save_pretrained(place)
    byte_tokenizer().save_pretrained(place)
    found = loaded(place)
    assert found.source.name == "seeing, text model"
    assert found.record["model_type"] == name
    torch.testing.assert_close(found.model(IDS).logits, made.model(IDS).logits)


def test_a_language_model_that_stands_alone_is_taken_out(tmp_path):
    from transformers import Gemma3Config, Gemma3ForConditionalGeneration

    torch.manual_seed(0)
    text = {
        **{"vocab_size": 300, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 4, "head_dim": 8},
        **{"num_attention_heads": 4, "num_key_value_heads": 1, "max_position_embeddings": 512, "sliding_window": 16},
        "eos_token_id": 256,
    }
    eye = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    whole = Gemma3ForConditionalGeneration(
        Gemma3Config(
            text_config=text,
            vision_config=eye | {"image_size": 28, "patch_size": 14},
            **{"mm_tokens_per_image": 4, "image_token_index": 299, "boi_token_index": 297, "eoi_token_index": 298},
        )
    ).eval()
    place = tmp_path / "gemma"
    whole.save_pretrained(place)
    byte_tokenizer().save_pretrained(place)
    found = loaded(place)
    assert found.source.name == "gemma, text model"
    assert found.record["parameters"] < sum(one.numel() for one in whole.parameters())
    torch.testing.assert_close(found.model(IDS).logits, whole(IDS).logits, rtol=1e-4, atol=1e-4)
    # Published ones leave out what is transformers' default.
    content = json.loads((place / "config.json").read_text())
    del content["text_config"]["num_attention_heads"]
    (place / "config.json").write_text(json.dumps(content))
    assert resolve(str(place)).geometry["heads"] == 8


def test_what_configurations_leave_out_is_transformers_default():
    from transformers import AutoConfig

    for name, said in _LEFT_OUT.items():
        config = AutoConfig.for_model(name)
        assert {key: getattr(config, key) for key in said} == said, name


# Positions that depend on how long a sequence is


LONG = {
    "rope_type": "longrope",
    "rope_theta": 10_000.0,
    "short_factor": [1.0] * 4,
    "long_factor": [1.0, 3.0, 9.0, 27.0],
    "original_max_position_embeddings": 32,
    "factor": 16.0,
}


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("phi3", {"original_max_position_embeddings": 32, "max_position_embeddings": 512, "rope_parameters": LONG}),
        (
            "llama",
            {
                "max_position_embeddings": 40,
                "rope_parameters": {"rope_type": "dynamic", "rope_theta": 10_000.0, "factor": 4.0},
            },
        ),
    ],
)
def test_the_regime_of_a_prompt_depends_on_the_prompt_alone(kind, changes, tmp_path):
    subject = loaded(make_tiny(tmp_path / kind, kind, **changes))
    prompts = [list(range(5, 5 + length)) for length in (3, 25, 36, 60)]
    found = compare(subject, prompts, 24)
    assert found.holds, found
    # In any order: nothing of a long one is left over for the next.
    steps = 24
    first = generate(subject, prompts, steps)
    again = generate(subject, prompts[::-1], steps)[::-1]
    for one, other in zip(first, again, strict=True):
        assert one.tokens == other.tokens
        np.testing.assert_array_equal(one.activity, other.activity)
    given = [one.tokens for one in first]
    for one, other in zip(
        replay(subject, prompts, given), replay(subject, prompts[::-1], given[::-1])[::-1], strict=True
    ):
        np.testing.assert_array_equal(one, other)
