"""Prompts → responses and head norms: batched greedy decoding with a KV cache, and replay of given responses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from synergy_tui.errors import SubjectError, TaskError
from synergy_tui.subject.loading import Subject
from synergy_tui.subject.taps import HeadTap


@dataclass(frozen=True)
class Response:
    """tokens: generated ids, the end token included. ended: whether the subject ended it by itself. activity: head
    norms at the position that predicts each token; units are layer × heads + head."""

    tokens: list[int]
    ended: bool
    activity: Float[np.ndarray, "units steps"]


def encode(subject: Subject, texts: Sequence[str], chat: bool) -> list[list[int]]:
    """Token ids of prompts, in the chat template when the tokenizer has one and `chat` is set. Raises
    SubjectError when the template fails."""
    tokenizer = subject.tokenizer
    if chat and tokenizer.chat_template:
        asked = [_templated(tokenizer, text) for text in texts]
        return [tokenizer(text, add_special_tokens=False)["input_ids"] for text in asked]
    return [tokenizer(text)["input_ids"] for text in texts]


def _templated(tokenizer: Any, text: str) -> str:
    asked = [{"role": "user", "content": text}]
    try:
        return tokenizer.apply_chat_template(asked, tokenize=False, add_generation_prompt=True)
    except Exception as error:  # a template is a program of the model's and may raise anything
        raise SubjectError(f"its chat template fails: {type(error).__name__}: {error}", "use --no-chat") from error


def check_context(subject: Subject, prompts: Sequence[Sequence[int]], names: Sequence[str], steps: int) -> None:
    """Raises TaskError when a prompt has no token, or with its response is longer than the subject's context."""
    for name, tokens in zip(names, prompts, strict=True):
        if not tokens:
            raise TaskError(f"prompt {name} has no tokens", "give it some text")
        if subject.context and len(tokens) + steps > subject.context:
            raise TaskError(
                f"prompt {name} has {len(tokens)} tokens, with {steps} steps over the context of {subject.context}",
                "shorten it, or ask for fewer --steps",
            )


@torch.inference_mode()
def generate(
    subject: Subject,
    prompts: Sequence[Sequence[int]],
    steps: int,
    each_step: Callable[[int], None] = lambda _: None,
) -> list[Response]:
    """Greedy responses of at most `steps` tokens to a batch of prompts, padded on the left. `each_step` is told the
    number of responses still growing; what it raises ends the batch. Nothing is copied to the host in the loop but one
    flag per step. Raises SubjectError when an activity is not finite."""
    from transformers import DynamicCache

    model, device, batch = subject.model, subject.device, len(prompts)
    ids, mask = _left_padded(subject, prompts)
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    cache = DynamicCache(config=model.config)
    ends = torch.tensor(subject.ends, device=device)
    tokens = torch.zeros((steps, batch), dtype=torch.long, device=device)
    activity = torch.zeros((steps, subject.layers, batch, subject.heads), dtype=torch.float32, device=device)
    lengths = torch.full((batch,), steps, device=device)
    growing = torch.ones(batch, dtype=torch.bool, device=device)
    made = 0

    with HeadTap(subject.projections, subject.heads, last=True) as tap:
        for step in range(steps):
            out = model(
                input_ids=ids,
                attention_mask=mask,
                position_ids=positions,
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            )
            activity[step] = tap.norms()
            ids = out.logits[:, -1].argmax(dim=-1, keepdim=True)
            tokens[step] = ids[:, 0]
            ended = growing & torch.isin(ids[:, 0], ends)
            lengths[ended] = step + 1
            growing = growing & ~ended
            made = step + 1
            left = int(growing.sum())
            each_step(left)
            if left == 0:
                break
            mask = torch.cat([mask, mask.new_ones((batch, 1))], dim=1)
            positions = positions[:, -1:] + 1

    return _responses(tokens[:made], activity[:made], lengths.clamp(max=made), ends)


@torch.inference_mode()
def replay(
    subject: Subject, prompts: Sequence[Sequence[int]], responses: Sequence[Sequence[int]]
) -> list[Float[np.ndarray, "units steps"]]:
    """Head norms of given responses from one teacher-forced pass over a batch, padded on the right (exact for causal
    models without a mask)."""
    whole = [[*prompt, *response[:-1]] for prompt, response in zip(prompts, responses, strict=True)]
    longest = max(map(len, whole))
    ids = torch.zeros((len(whole), longest), dtype=torch.long, device=subject.device)
    for row, tokens in enumerate(whole):
        ids[row, : len(tokens)] = torch.tensor(tokens)
    positions = torch.arange(longest, device=subject.device)[None].expand(len(whole), -1)
    with HeadTap(subject.projections, subject.heads, last=False) as tap:
        subject.model(input_ids=ids, position_ids=positions, use_cache=False, logits_to_keep=1)
        norms = tap.norms()
    out = []
    for row, (prompt, response) in enumerate(zip(prompts, responses, strict=True)):
        steps = slice(len(prompt) - 1, len(prompt) - 1 + len(response))
        out.append(_as_units(norms[:, row, steps].transpose(0, 1)))
    return out


def _left_padded(subject: Subject, prompts: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    longest = max(map(len, prompts))
    pad = subject.ends[0] if subject.ends else 0
    ids = torch.full((len(prompts), longest), pad, dtype=torch.long)
    mask = torch.zeros((len(prompts), longest), dtype=torch.long)
    for row, tokens in enumerate(prompts):
        ids[row, longest - len(tokens) :] = torch.tensor(tokens)
        mask[row, longest - len(tokens) :] = 1
    return ids.to(subject.device), mask.to(subject.device)


def _responses(tokens: Tensor, activity: Tensor, lengths: Tensor, ends: Tensor) -> list[Response]:
    steps_of, all_tokens, end_ids = lengths.tolist(), tokens.T.tolist(), set(ends.tolist())
    out = []
    for row, steps in enumerate(steps_of):
        mine = all_tokens[row][:steps]
        values = _as_units(activity[:steps, :, row])
        if not np.isfinite(values).all():
            raise SubjectError("an activity is not finite", "in float16 or bfloat16 try --dtype float32")
        out.append(Response(mine, mine[-1] in end_ids, values))
    return out


def _as_units(values: Float[Tensor, "steps layers heads"]) -> Any:
    return np.ascontiguousarray(values.flatten(1).T.cpu().numpy())
