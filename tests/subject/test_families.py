"""Every architecture docs/subjects.md names: a tiny model of its own configuration class with random weights. What is
read is what a plain recomputation gives, and removing a unit changes what it should and nothing else."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import torch
from conftest import TESTS
from torch.nn import functional

from synergy_tui.bench.families import FUSED, MADE, subject_of
from synergy_tui.capture.generate import generate, replay
from synergy_tui.errors import SubjectError, UsageError
from synergy_tui.subject.families import FAMILIES, family_of, parse
from synergy_tui.subject.sites import decoder_layers
from synergy_tui.subject.taps import UnitsRemoved, UnitTap

EXPECTED = {
    # layers that have units of the kind, units in each, width of one
    **{name: {"head": ([0, 1, 2, 3], 4, 8)} for name in FAMILIES},
    **{name: {"head": ([0, 1, 2, 3], 4, 8), "expert": ([0, 1, 2, 3], 6, 32)} for name in FUSED},
    # Latent attention: values are narrower than queries. The first layer is dense.
    "deepseek_v2": {"head": ([0, 1, 2, 3], 4, 6), "expert": ([1, 2, 3], 6, 32)},
    "deepseek_v3": {"head": ([0, 1, 2, 3], 4, 6), "expert": ([1, 2, 3], 6, 32)},
    "mamba2": {"ssm-head": ([0, 1, 2, 3], 8, 8)},
    "bamba": {"head": ([1], 4, 8), "ssm-head": ([0, 2, 3], 8, 8)},
    "zamba2": {"head": ([1, 3], 4, 16), "ssm-head": ([0, 1, 2, 3], 8, 8)},
    "granitemoehybrid": {"head": ([1], 4, 8), "ssm-head": ([0, 2, 3], 8, 8), "expert": ([0, 1, 2, 3], 6, 32)},
    "falcon_h1": {"head": ([0, 1, 2, 3], 4, 8), "ssm-head": ([0, 1, 2, 3], 8, 8)},
}
PROMPTS = [[1, 2, 3, 4, 5, 6, 7], [9, 8, 7], [20, 21, 22, 23]]


@pytest.fixture(autouse=True, scope="module")
def _alone(one_thread):
    """These models are small."""


def test_the_documentation_names_these_and_no_others():
    page = (TESTS.parent / "docs" / "subjects.md").read_text("utf-8")
    table = page.partition("| architectures held by tests |")[2].partition("\n\n")[0]
    assert sorted(re.findall(r"`([a-z0-9_]+)`", table)) == sorted(FAMILIES)


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_its_units_are_found(name):
    subject = subject_of(name)
    found: dict[str, Any] = {}
    for site in subject.sites:
        found.setdefault(site.kind, []).append((site.layer, site.units, site.width))
    for kind, (layers, units, width) in EXPECTED[name].items():
        assert found.pop(kind) == [(layer, units, width) for layer in layers]
    if "head" in EXPECTED[name]:
        assert [layer for layer, *_ in found.pop("attention")] == EXPECTED[name]["head"][0]
    if name != "mamba2":
        layers = EXPECTED[name]["head"][0] if name == "zamba2" else [0, 1, 2, 3]
        assert [layer for layer, *_ in found.pop("mlp")] == layers
    assert found == {}


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_it_answers_as_the_library_and_replay_and_every_kind_of_unit_agree(name):
    """Batched with padding, alone, and replayed: the same tokens and the same activity."""
    subject = subject_of(name)
    whole = generate(subject, PROMPTS, 10)
    for prompt, response in zip(PROMPTS, whole, strict=True):
        (alone,) = generate(subject, [prompt], 10)
        out = subject.model.generate(torch.tensor([prompt]), max_new_tokens=10, do_sample=False, pad_token_id=0)
        assert response.tokens == alone.tokens == out[0, len(prompt) :].tolist()
        close(response.activity, alone.activity)
    tokens = [one.tokens for one in whole]
    for kinds in [(kind,) for kind in {site.kind for site in subject.sites}] + [("attention", "mlp")]:
        if {site.kind for site in subject.sites} >= set(kinds):
            units = subject.units(kinds)
            tapped = generate(subject, PROMPTS, 10, units=units)
            assert [one.tokens for one in tapped] == tokens  # a tap changes nothing
            for one, again in zip(tapped, replay(subject, PROMPTS, tokens, units), strict=True):
                close(again, one.activity)


def close(got: np.ndarray, expected: np.ndarray, tolerance: float = 1e-4) -> None:
    """To a share of the largest value: the smallest are differences of large ones."""
    np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance * np.nanmax(expected))


IDS = torch.tensor([[5, 9, 200, 31, 7, 90, 14]])


@pytest.mark.parametrize("name", [name for name in FAMILIES if "head" in EXPECTED[name]])
def test_a_heads_activity_is_the_norm_of_its_attention_times_its_values(name):
    """From what the model itself says of its attention weights, and the values in its cache."""
    subject = subject_of(name)
    model, before = subject.model, subject.model.config._attn_implementation
    units = subject.units(("head",))
    with torch.inference_mode():
        with UnitTap(units, last=False) as tap:
            model(IDS, use_cache=False)
            got = tap.norms()
        model.set_attn_implementation("eager")
        out = model(IDS, use_cache=True, output_attentions=True)
        model.set_attn_implementation(before)
    layers = EXPECTED[name]["head"][0]
    weights = [one for one in out.attentions if one is not None and one.dim() == 4]
    assert len(weights) == len(layers)
    for layer, attention in zip(layers, weights, strict=True):
        value = out.past_key_values.layers[layer].values
        if name.startswith("deepseek"):  # its cache keeps latents
            inner = subject.model.model.layers[layer].self_attn
            latent = out.past_key_values.layers[layer].keys
            value = inner.kv_b_proj(latent).unflatten(-1, (4, -1))[:, 0].transpose(1, 2)[..., inner.qk_nope_head_dim :]
        attention = attention[..., -value.shape[2] :]
        value = value.repeat_interleave(attention.shape[1] // value.shape[1], dim=1)
        expected = (attention[..., : value.shape[2]] @ value).norm(dim=-1)[0].T
        there = units.kind_of[layer] == "head"
        torch.testing.assert_close(got[layer, 0][:, there], expected, rtol=1e-5, atol=1e-5 * float(expected.max()))


@pytest.mark.parametrize("name", [name for name in FAMILIES if "ssm-head" in EXPECTED[name]])
def test_a_mixers_heads_are_what_its_recurrence_gives(name):
    """Step by step: state ← state·exp(A·dt) + dt·B⊗x, y = C·state + D·x, then the gated norm."""
    subject = subject_of(name)
    units = subject.units(("ssm-head",))
    mixers = [one for one in subject.model.modules() if hasattr(one, "A_log")]
    given: list[torch.Tensor] = []
    handles = [
        one.register_forward_pre_hook(
            lambda _, args, kwargs: given.append(args[0] if args else kwargs["hidden_states"]), with_kwargs=True
        )
        for one in mixers
    ]
    with torch.inference_mode(), UnitTap(units, last=False) as tap:
        subject.model(IDS, use_cache=False)
        got = tap.norms()
    for handle in handles:
        handle.remove()
    for layer, mixer, value in zip(EXPECTED[name]["ssm-head"][0], mixers, given, strict=True):
        expected = recurrence(mixer, value[0])
        torch.testing.assert_close(got[layer, 0][:, :8], expected, rtol=1e-5, atol=1e-5 * float(expected.max()))


def recurrence(mixer: Any, value: torch.Tensor) -> torch.Tensor:
    """[steps, heads] norms at the output projection's input, one step after the other."""
    heads, width, groups, size = mixer.num_heads, mixer.head_dim, mixer.n_groups, mixer.ssm_state_size
    inner = heads * width
    value = value * getattr(mixer, "ssm_in_multiplier", 1.0)
    projected = mixer.in_proj(value) * (mixer.mup_vector.flatten() if hasattr(mixer, "mup_vector") else 1.0)
    gate, mixed, dt = projected.split([inner, inner + 2 * groups * size, heads], dim=-1)
    mixed = functional.silu(mixer.conv1d(mixed.T)[:, : len(value)].T)
    x, b, c = mixed.split([inner, groups * size, groups * size], dim=-1)
    dt = functional.softplus(dt + mixer.dt_bias)
    state = torch.zeros(heads, width, size)
    rows = []
    for step in range(len(value)):
        now = x[step].view(heads, width)
        b_now, c_now = (one[step].view(groups, size).repeat_interleave(heads // groups, 0) for one in (b, c))
        decay = torch.exp(-mixer.A_log.exp() * dt[step])
        state = state * decay[:, None, None] + (dt[step][:, None] * now)[..., None] * b_now[:, None]
        rows.append((state * c_now[:, None]).sum(-1) + mixer.D[:, None] * now)
    out = torch.stack(rows).flatten(1)
    if getattr(mixer, "mamba_rms_norm", True):
        out = mixer.norm(out[None], gate[None])[0]
    else:
        out = out * functional.silu(gate)
    return out.unflatten(-1, (heads, width)).norm(dim=-1)


@pytest.mark.parametrize("name", [name for name in FAMILIES if "expert" in EXPECTED[name]])
def test_an_experts_activity_is_the_norm_of_its_weighted_output_and_0_where_not_routed(name):
    subject = subject_of(name)
    layers = EXPECTED[name]["expert"][0]
    units = subject.units(("expert",))
    modules = [site.modules[0] for site in units.sites]
    given: list[tuple[torch.Tensor, ...]] = []
    with torch.inference_mode():
        handles = [one.register_forward_pre_hook(lambda _, args: given.append(args)) for one in modules]
        subject.model(IDS, use_cache=False)
        for handle in handles:
            handle.remove()
        with UnitTap(units, last=False) as tap:
            subject.model(IDS, use_cache=False)
            got = tap.norms()
    for layer, experts, (value, chosen, weights) in zip(layers, modules, given, strict=True):
        expected = torch.zeros(7, 6)
        for token in range(7):
            for which, weight in zip(chosen[token].tolist(), weights[token], strict=True):
                expected[token, which] = (one_expert(experts, which, value[token]) * weight).norm()
        assert (expected > 0).sum() == 14
        torch.testing.assert_close(got[layer, 0], expected, rtol=1e-5, atol=1e-5)
        assert ((got[layer, 0] == 0) == (expected == 0)).all()
    assert torch.isnan(got[[layer for layer in range(4) if layer not in layers]]).all()


def one_expert(experts: Any, which: int, value: torch.Tensor) -> torch.Tensor:
    """One expert's output for one token, before its weight."""
    first, second = experts.gate_up_proj[which], experts.down_proj[which]
    if experts.is_transposed:
        first, second = first.T, second.T
    inner = first @ value + (experts.gate_up_proj_bias[which] if experts.has_bias else 0)
    if hasattr(experts, "limit"):  # GPT-OSS: gates and values in turns, clamped
        gate, up = inner[::2].clamp(max=experts.limit), inner[1::2].clamp(-experts.limit, experts.limit)
        inner = (up + 1) * gate * torch.sigmoid(gate * experts.alpha)
    else:
        gate, up = inner.chunk(2)
        inner = experts.act_fn(gate) * up
    return second @ inner + (experts.down_proj_bias[which] if experts.has_bias else 0)


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_removing_units_changes_what_it_should_and_nothing_else(name):
    subject = subject_of(name)
    kinds = sorted({site.kind for site in subject.sites})
    with torch.inference_mode():
        intact = subject.model(IDS, use_cache=False).logits
        for kind in kinds:
            units = subject.units((kind,))
            layer = units.sites[-1].layer
            place = 0
            if kind == "expert":  # one that is used
                with UnitTap(units, last=False) as tap:
                    subject.model(IDS, use_cache=False)
                    place = int(tap.norms()[layer, 0].sum(dim=0).argmax())
            with UnitTap(units, last=False) as tap:
                subject.model(IDS, use_cache=False)
                before = tap.norms()
                with UnitsRemoved(units, {}):
                    torch.testing.assert_close(subject.model(IDS, use_cache=False).logits, intact)
            with UnitsRemoved(units, {layer: [place]}):
                without = subject.model(IDS, use_cache=False).logits
                with UnitTap(units, last=False) as tap:
                    subject.model(IDS, use_cache=False)
                    after = tap.norms()
            assert (without - intact).abs().max() > 1e-4, kind
            if kind in ("head", "ssm-head"):
                assert (after[layer, ..., place] == 0).all()
                others = [one for one in range(units.per_layer) if one != place]
                torch.testing.assert_close(after[layer][..., others], before[layer][..., others], equal_nan=True)
                torch.testing.assert_close(after[:layer], before[:layer], equal_nan=True)
        torch.testing.assert_close(subject.model(IDS, use_cache=False).logits, intact, rtol=0, atol=0)


@pytest.mark.parametrize("name", [name for name in FAMILIES if "ssm-head" not in EXPECTED[name]])
def test_a_layer_without_its_blocks_hands_on_what_it_was_given(name):
    """So the blocks' outputs are all that a layer adds."""
    subject = subject_of(name)
    units = subject.units(("attention", "mlp"))
    seen: list[torch.Tensor] = []
    layer = decoder_layers(subject.model)[2]
    handles = [
        layer.register_forward_pre_hook(lambda _, args: seen.append(args[0])),
        layer.register_forward_hook(lambda _, args, out: seen.append(out if isinstance(out, torch.Tensor) else out[0])),
    ]
    with torch.inference_mode(), UnitsRemoved(units, {2: [0, 1]}):
        subject.model(IDS, use_cache=False)
    for handle in handles:
        handle.remove()
    torch.testing.assert_close(seen[1], seen[0])


def test_an_unknown_architecture_is_refused_until_it_is_described():
    with pytest.raises(SubjectError, match=r"'phimoe'.*\[families.phimoe\]"):
        family_of("phimoe")
    assert family_of("phimoe", {"phimoe": {}}).attention is None
    said = {"attention": "self_attn.o_proj", "heads": 4, "mlp": ["mlp"]}
    assert family_of("phimoe", {"phimoe": said}).mlp == ("mlp",)


@pytest.mark.parametrize(
    ("name", "described"),
    [
        ("phimoe", "[families.phimoe]"),
        ("gptj", '[families.gptj]\nattention = "attn.out_proj"\nmlp = ["mlp"]'),
    ],
)
def test_a_description_of_a_few_lines_makes_a_subject(name, described, tmp_path, monkeypatch):
    """Those of the README: one that calls the attention interface, and one that does not."""
    with pytest.raises(SubjectError, match="no test holds"):
        subject_of(name)
    (tmp_path / "synergy-tui").mkdir()
    (tmp_path / "synergy-tui" / "config.toml").write_text(described)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    subject = subject_of(name)
    units = subject.units(("head", "mlp"))
    assert (subject.layers, subject.heads, subject.head_dim, units.per_layer) == (4, 4, 8, 5)
    whole = generate(subject, PROMPTS, 8, units=units)
    for one, again in zip(whole, replay(subject, PROMPTS, [one.tokens for one in whole], units), strict=True):
        close(again, one.activity)


def test_heads_that_cannot_be_found_are_told_with_what_to_write(tmp_path, monkeypatch):
    (tmp_path / "synergy-tui").mkdir()
    (tmp_path / "synergy-tui" / "config.toml").write_text("[families.gptj]")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    MADE.pop("gptj", None)
    with pytest.raises(SubjectError, match=r'no heads are found .* \[families.gptj\] attention = "self_attn.o_proj"'):
        subject_of("gptj")


@pytest.mark.parametrize("said", [{"attention": 3}, {"heads": 0}, {"mlp": "mlp"}, {"mlp": [3]}, {"colour": "red"}])
def test_a_description_that_is_none_is_told(said):
    with pytest.raises(UsageError, match=r"\[families.phimoe\]"):
        parse("phimoe", said)
