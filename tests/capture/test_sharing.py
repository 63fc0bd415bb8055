"""What prompts begin with alike, run once: the same tokens and activity as without, and ended responses that leave."""

from __future__ import annotations

import numpy as np
import pytest

from synergy_tui.bench.families import subject_of
from synergy_tui.capture import sharing
from synergy_tui.capture.generate import Sampling, generate
from synergy_tui.subject.taps import UnitsRemoved

HEAD = list(range(40, 60))
PROMPTS = [[*HEAD, 1, 2, 3], [*HEAD, *range(100, 130)], [*HEAD, 20], [*HEAD, 33, 44]]
SHARED = {"llama": 20, "gpt2": 20, "gemma2": 20, "gpt_oss": 20, "deepseek_v3": 20, "qwen2_moe": 20}
"""Families that have keys and values and nothing else; the others have states, windows, or are not told positions."""


@pytest.fixture(autouse=True, scope="module")
def _alone(one_thread):
    """These models are small."""


@pytest.mark.parametrize("name", [*SHARED, "bamba", "mamba2", "bloom", "llama4_text"])
@pytest.mark.parametrize("removed", [{}, {1: [0], 2: [1]}])
def test_shared_beginnings_change_no_token_and_no_activity(name, removed):
    subject = subject_of(name)
    units = subject.units()
    assert sharing.shareable(subject, PROMPTS, 70) == SHARED.get(name, 0)
    with UnitsRemoved(units, removed):
        plain = generate(subject, PROMPTS, 10, share=False)
        shared = generate(subject, PROMPTS, 10)
        unread = generate(subject, PROMPTS, 10, read=False)
    there = units.present.ravel()
    for one, other, third in zip(plain, shared, unread, strict=True):
        assert one.tokens == other.tokens == third.tokens
        assert third.activity.size == 0
        np.testing.assert_allclose(
            other.activity[there], one.activity[there], atol=3e-5 * one.activity[there].max(), rtol=0
        )


def test_responses_that_are_long_enough_leave_and_disturb_none_of_the_others():
    subject = subject_of("llama")
    prompts = [*PROMPTS, *([*HEAD, one] for one in range(8))]
    whole = generate(subject, prompts, 12, share=False)
    sizes: list[int] = []
    heard = subject.base.embed_tokens.register_forward_hook(lambda _, args, out: sizes.append(len(out)))
    cut = generate(subject, prompts, 12, over=lambda row, tokens: len(tokens) > row)
    heard.remove()
    assert (max(sizes), sizes[-1]) == (12, 1)
    assert [len(one.tokens) for one in cut] == [min(row + 1, len(whole[row].tokens)) for row in range(len(prompts))]
    for one, other in zip(whole, cut, strict=True):
        steps = len(other.tokens)
        assert other.tokens == one.tokens[:steps]
        np.testing.assert_allclose(other.activity, one.activity[:, :steps], rtol=1e-4)


def test_what_is_drawn_is_the_same_with_and_without_sharing():
    subject, drawn = subject_of("llama"), Sampling(1.0, 0.9, 3)
    plain = generate(subject, PROMPTS, 10, sampling=drawn, numbers=[5, 6, 9, 2], share=False)
    shared = generate(subject, PROMPTS, 10, sampling=drawn, numbers=[5, 6, 9, 2])
    assert [one.tokens for one in plain] == [one.tokens for one in shared]


def test_windows_shorter_than_the_sequences_are_not_shared():
    subject = subject_of("mistral")
    config, window = subject.model.config, subject.model.config.sliding_window
    try:
        config.sliding_window = 64
        assert sharing.shareable(subject, PROMPTS, 60) == 20
        assert sharing.shareable(subject, PROMPTS, 64) == 0
    finally:
        config.sliding_window = window


def test_a_family_whose_cache_goes_its_own_way_is_found_out():
    subject = subject_of("qwen2")
    attention = subject.base.layers[0].self_attn
    sharing._measured.pop(subject.model, None)

    def forgets(_, args, kwargs):
        """Attends to the tokens of this pass alone."""
        return args, kwargs | {"past_key_values": None, "attention_mask": None}

    hook = attention.register_forward_pre_hook(forgets, with_kwargs=True)
    try:
        assert sharing.shareable(subject, PROMPTS, 70) == 0
    finally:
        hook.remove()
        sharing._measured.pop(subject.model, None)
    assert sharing.shareable(subject, PROMPTS, 70) == 20


def test_prompts_of_like_length_go_together():
    lengths = [*[20] * 10, *[40] * 10, 21]
    groups = sharing.groups(lengths)
    assert sorted(row for some in groups for row in some) == list(range(21))
    assert [sorted({lengths[row] for row in some}) for some in groups] == [[20, 21], [40]]
    assert sharing.beginning([[1, 2, 3], [1, 2, 3]]) == 2
    assert sharing.beginning([[1, 2, 3]]) == 0
