"""Capture: what is tapped, decoding in batches, replay, the families."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from conftest import make_tiny

from synergy_tui.capture.generate import encode, generate, replay
from synergy_tui.errors import SubjectError
from synergy_tui.subject.loading import load
from synergy_tui.subject.sources import resolve
from synergy_tui.subject.taps import HeadsRemoved, HeadTap

LLAMAS = ("llama", "mistral", "qwen2", "qwen3")
TEXTS = ["one", "two words", "a rather longer third prompt", "x", "and the fifth of them"]


@pytest.fixture(autouse=True, scope="module")
def _alone(one_thread):
    """These models are small."""


@pytest.fixture(scope="module")
def subject(tiny, tmp_path_factory):
    return load(resolve(str(tiny)), tmp_path_factory.mktemp("data"), "cpu", "float32")


@pytest.fixture(scope="module")
def prompts(subject):
    return encode(subject, TEXTS, chat=True)


def plain_head_norms(model, ids: list[int]) -> np.ndarray:
    """[positions, layers, heads] recomputed with plain attention, position by position, without any tap."""
    config = model.config
    heads, groups, width = config.num_attention_heads, config.num_key_value_heads, config.head_dim
    hidden = model.model.embed_tokens(torch.tensor([ids]))
    positions = torch.arange(len(ids))[None]
    cos, sin = model.model.rotary_emb(hidden, positions)
    norms = []
    for layer in model.model.layers:
        x, attention = layer.input_layernorm(hidden), layer.self_attn

        def split(value, count):
            return value.view(1, len(ids), count, width).transpose(1, 2)

        query, key = split(attention.q_proj(x), heads), split(attention.k_proj(x), groups)
        value = split(attention.v_proj(x), groups)
        if hasattr(attention, "q_norm"):
            query, key = attention.q_norm(query), attention.k_norm(key)

        def rotate(v):
            half = torch.cat([-v[..., width // 2 :], v[..., : width // 2]], dim=-1)
            return v * cos[:, None] + half * sin[:, None]

        query, key = rotate(query), rotate(key)
        out = torch.empty(len(ids), heads, width)
        for head in range(heads):
            group = head // (heads // groups)
            for place in range(len(ids)):
                scores = query[0, head, place] @ key[0, group, : place + 1].T / width**0.5
                out[place, head] = scores.softmax(0) @ value[0, group, : place + 1]
        norms.append(out.norm(dim=-1))
        hidden = hidden + attention.o_proj(out.flatten(1)[None])
        hidden = hidden + layer.mlp(layer.post_attention_layernorm(hidden))
    return torch.stack(norms, dim=1).detach().numpy()


@pytest.mark.parametrize("model_type", LLAMAS)
def test_activity_is_the_norm_of_each_query_heads_own_output(model_type, tmp_path):
    folder = make_tiny(tmp_path / model_type, model_type)
    subject = load(resolve(str(folder)), tmp_path, "cpu", "float32")
    assert (subject.layers, subject.heads, subject.head_dim) == (4, 4, 8)
    (prompt,) = encode(subject, ["some text"], chat=True)
    (response,) = generate(subject, [prompt], 12)
    expected = plain_head_norms(subject.model, [*prompt, *response.tokens[:-1]])[len(prompt) - 1 :]
    np.testing.assert_allclose(response.activity, expected.reshape(len(expected), -1).T, rtol=1e-5)


@pytest.mark.parametrize("model_type", LLAMAS)
def test_removing_a_head_removes_its_part_of_the_output_and_nothing_else(model_type, tmp_path):
    folder = make_tiny(tmp_path / model_type, model_type)
    subject = load(resolve(str(folder)), tmp_path, "cpu", "float32")
    ids = torch.arange(9)[None]
    kept: list[torch.Tensor] = []
    projection = subject.projections[2]
    with torch.inference_mode():
        intact = subject.model(ids).logits
        handle = projection.register_forward_hook(lambda _, args, out: kept.extend([args[0], out]))
        subject.model(ids)
        with HeadsRemoved(subject.projections, subject.heads, {2: [1, 3]}):
            without = subject.model(ids).logits
        handle.remove()
        after = subject.model(ids).logits
    before_input, before_output, _, output = kept
    part = before_input.clone()
    part[..., :8] = part[..., 16:24] = 0  # what heads 1 and 3 gave
    torch.testing.assert_close(
        output, before_output - projection(part) + (projection.bias if projection.bias is not None else 0)
    )
    assert not torch.equal(without, intact)
    assert torch.equal(after, intact)


def test_slices_of_the_output_projections_output_are_not_heads(subject, prompts):
    """The trap this tool exists to avoid: the two really differ."""
    outputs: list[torch.Tensor] = []
    handle = subject.projections[0].register_forward_hook(lambda _, args, out: outputs.append(out))
    with torch.inference_mode(), HeadTap(subject.projections, subject.heads, last=False) as tap:
        subject.model(torch.tensor([prompts[2]]))
        inputs = tap.norms()[0]
    handle.remove()
    wrong = outputs[0].unflatten(-1, (subject.heads, -1)).norm(dim=-1)
    assert (wrong - inputs).abs().max() > 0.1


@pytest.mark.slow
@pytest.mark.parametrize("batch", [1, 2, 5])
def test_batches_of_any_size_give_the_same_responses_and_series(subject, prompts, batch):
    alone = [generate(subject, [prompt], 40)[0] for prompt in prompts]
    together = []
    for start in range(0, len(prompts), batch):
        together += generate(subject, prompts[start : start + batch], 40)
    for one, other in zip(alone, together, strict=True):
        assert one.tokens == other.tokens
        np.testing.assert_allclose(other.activity, one.activity, rtol=1e-4)


@pytest.mark.parametrize("batch", [1, 3, 5])
def test_replay_of_the_same_tokens_gives_the_same_series(subject, prompts, batch):
    responses = generate(subject, prompts, 40)
    again = []
    for start in range(0, len(prompts), batch):
        part = slice(start, start + batch)
        again += replay(subject, prompts[part], [one.tokens for one in responses[part]])
    for response, activity in zip(responses, again, strict=True):
        assert activity.shape == (16, len(response.tokens))
        np.testing.assert_allclose(activity, response.activity, rtol=1e-4)


def test_decoding_is_what_the_library_generates(subject, prompts):
    for prompt, response in zip(prompts, generate(subject, prompts, 30), strict=True):
        out = subject.model.generate(torch.tensor([prompt]), max_new_tokens=30, do_sample=False, pad_token_id=0)
        assert response.tokens == out[0, len(prompt) :].tolist()


def test_a_response_ends_with_its_end_token_and_has_no_activity_after_it(subject, prompts):
    whole = generate(subject, prompts, 30)
    # The token that one response has at step 7 is made an end token.
    end = whole[1].tokens[7]
    ending = load(resolve(subject.source.place), subject.model.device, "cpu", "float32")
    object.__setattr__(ending, "ends", (end,))
    for before, after in zip(whole, generate(ending, prompts, 30), strict=True):
        steps = before.tokens.index(end) + 1 if end in before.tokens else 30
        assert after.tokens == before.tokens[:steps]
        assert after.ended == (end in before.tokens)
        np.testing.assert_allclose(after.activity, before.activity[:, :steps], rtol=1e-4)


def test_norms_are_accumulated_in_fp32_also_in_bf16(tiny, tmp_path):
    subject = load(resolve(str(tiny)), tmp_path, "cpu", "bfloat16")
    with torch.inference_mode(), HeadTap(subject.projections, subject.heads, last=True) as tap:
        subject.model(torch.arange(5)[None])
        assert tap.norms().dtype == torch.float32


def test_weights_that_do_not_fit_their_configuration_are_refused(tmp_path):
    import json

    folder = make_tiny(tmp_path / "wrong")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 6}))
    with pytest.raises(SubjectError, match="do not fit its configuration"):
        load(resolve(str(folder)), tmp_path, "cpu", "float32")
