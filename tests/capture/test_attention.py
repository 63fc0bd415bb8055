"""What attention patterns do, from patterns whose scores are known, and from models that say their weights."""

from __future__ import annotations

import math

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from synergy_tui.bench.families import NOT_SAID, PLAIN, SAID, byte_tokenizer, subject_of
from synergy_tui.capture.attention import pattern_scores, patterns, positions_of
from synergy_tui.subject.loading import assemble
from synergy_tui.subject.source import Source

PROMPT, RESPONSE = [5, 9, 200, 31, 5, 9, 7], [200, 31, 5, 9, 44, 9, 200, 31]


@pytest.fixture(autouse=True, scope="module")
def _alone(one_thread):
    """These models are small."""


def scores(weights: torch.Tensor, tokens: list[int], first: int) -> list[list[float]]:
    """By score and head, of whole patterns [heads, keys, keys]."""
    counted = positions_of(torch.tensor(tokens), first)
    return pattern_scores(weights[:, first:], counted).tolist()


def at(places: list[int]) -> torch.Tensor:
    """A head that at each position has all its mass on one place."""
    return torch.nn.functional.one_hot(torch.tensor(places), len(places)).float()[None]


def test_uniform_attention_has_the_entropy_of_its_length():
    keys, first = 9, 3
    weights = torch.ones(2, keys, keys).tril()
    weights /= weights.sum(dim=-1, keepdim=True)
    previous, _, _, entropy = scores(weights, list(range(keys + 1)), first)
    lengths = range(first + 1, keys + 1)
    assert previous == pytest.approx([sum(1 / one for one in lengths) / len(lengths)] * 2)
    assert entropy == pytest.approx([sum(math.log(one) for one in lengths) / len(lengths)] * 2, rel=1e-6)


def test_each_kind_of_head_scores_one_in_its_own_and_nothing_in_the_others():
    #        0  1  2  3  4  5  6  7
    tokens = [1, 2, 3, 9, 1, 3, 1, 9, 2]
    # Step 4 (1 again) reads what came after 1: 2, and 3 comes next. Step 6 likewise: 2 and 3 after 1, and 9 comes next.
    previous = at([0, 0, 1, 2, 3, 4, 5, 6])
    induction = at([0, 0, 0, 0, 1, 3, 5, 4])
    retrieval = at([0, 0, 0, 0, 2, 4, 3, 1])
    found = scores(torch.cat([previous, induction, retrieval]), tokens, 4)
    assert found[0][0] == found[1][1] == found[2][2] == 1
    assert found[0][1] == pytest.approx(1 / 4)  # the place after the last 1 is also the place before
    assert found[0][2] == pytest.approx(1 / 4)  # and so is the last 1, which comes next at step 5
    assert found[1][2] == found[2][1] == 0
    assert found[3] == [0, 0, 0]


def test_a_step_without_such_a_position_is_left_out():
    nothing = scores(at([0, 0, 0, 0]), [1, 2, 3, 4, 5], 1)
    assert nothing[0] == [pytest.approx(1 / 3)]
    assert all(math.isnan(nothing[kind][0]) for kind in (1, 2))
    once = scores(at([0, 0, 0, 1]), [1, 2, 3, 1, 9], 1)  # only step 3 has an earlier 1; what follows it is 2, at 1
    assert once[1] == [1]
    alone = scores(torch.ones(1, 1, 1), [7, 8], 0)  # nothing is before the first position
    assert math.isnan(alone[0][0])


def test_mass_on_a_sink_is_on_no_position():
    weights = torch.ones(1, 4, 4).tril() / 8
    previous, *_, entropy = scores(weights, [1, 2, 3, 4, 5], 3)
    assert previous == [pytest.approx(1 / 8)]
    assert entropy == [pytest.approx(math.log(4))]


def plainly(weights: torch.Tensor, tokens: list[int], first: int) -> list[float]:
    """The same by loops over one head's pattern [keys, keys]."""
    kinds: dict[str, list[float]] = {"previous": [], "induction": [], "retrieval": [], "entropy": []}
    for step in range(first, len(tokens) - 1):
        row = weights[step].tolist()
        places = {
            "previous": [step - 1] if step else [],
            "induction": [j for j in range(1, step) if tokens[j - 1] == tokens[step]],
            "retrieval": [j for j in range(step) if tokens[j] == tokens[step + 1]],
        }
        for kind, some in places.items():
            kinds[kind] += [sum(row[j] for j in some)] if some else []
        total = sum(row)
        kinds["entropy"].append(-sum(one / total * math.log(one / total) for one in row if one > 0))
    return [sum(some) / len(some) if some else math.nan for some in kinds.values()]


# Grouped queries; windows; a sink; latent values; heads beside mixers; no attention interface.
@pytest.mark.parametrize("name", ["llama", "gemma3_text", "gpt_oss", "deepseek_v3", "bamba", "bloom", "llama4_text"])
def test_a_models_heads_have_the_scores_of_the_weights_it_says(name):
    subject = subject_of(name)
    units = subject.units(("head",))
    before = subject.model.config._attn_implementation
    found = patterns(subject, units.sites, PROMPT, RESPONSE)
    assert subject.model.config._attn_implementation == before
    tokens = [*PROMPT, *RESPONSE]
    subject.model.set_attn_implementation("eager")
    with torch.inference_mode():
        out = subject.model(torch.tensor([tokens[:-1]]), use_cache=False, output_attentions=True)
    subject.model.set_attn_implementation(before)
    said = [one for one in out.attentions if one is not None and one.dim() == 4]
    assert sorted(found) == list(range(len(said)))
    for number, weights in enumerate(said):
        expected = [plainly(head, tokens, len(PROMPT) - 1) for head in weights[0]]
        torch.testing.assert_close(found[number].T, torch.tensor(expected), rtol=1e-4, atol=1e-5)


def test_nothing_outside_a_window_is_seen():
    config = AutoConfig.for_model("mistral", **PLAIN | {"sliding_window": 3})
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config).eval().requires_grad_(False)
    subject = assemble(Source("windowed", "folder", "windowed"), model, byte_tokenizer(), [])
    prompt = [1, 2, 50, 60, 70, 80]
    for one in patterns(subject, subject.units().sites, prompt, [1, 2, 90]).values():
        assert (one[3] < math.log(3)).all()
        assert (one[1:3] == 0).all()  # the earlier 1 and 2 are out of sight


def test_a_family_that_reads_its_configuration_at_every_pass_says_its_weights_too():
    """Falcon, as users load it."""
    said = {key: value for key, value in PLAIN.items() if key not in NOT_SAID["falcon"]} | SAID["falcon"]
    config = AutoConfig.for_model("falcon", **said)
    model = AutoModelForCausalLM.from_config(config, attn_implementation="sdpa").eval().requires_grad_(False)
    subject = assemble(Source("falcon", "folder", "falcon"), model, byte_tokenizer(), [])
    found = patterns(subject, subject.units().sites, PROMPT, RESPONSE)
    assert sorted(found) == [0, 1, 2, 3]
    assert model.config._attn_implementation == "sdpa"


def test_units_that_are_no_attention_heads_have_no_pattern():
    subject = subject_of("mamba2")
    assert patterns(subject, subject.units().sites, PROMPT, RESPONSE) == {}
