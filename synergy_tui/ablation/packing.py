"""Prompts with their responses → passes: many sequences as one row of tokens, without padding; their common beginning
(a chat template) appears once.

Linear layers see one long row; only attention has to know which token belongs to which sequence. transformers delegates
attention through its AttentionInterface, so this works for every family that uses it. Whether the results equal those
of separate sequences is measured once per subject (`divergence.IntactBehaviour`); if not, sequences of like length are
padded on the right instead, which needs no mask and is exact for causal models.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor
from transformers import AttentionInterface

_NAME = "synergy_tui_packed"


@dataclass(frozen=True)
class Sequences:
    """Prompts and their responses, as token ids."""

    prompts: Sequence[Sequence[int]]
    responses: Sequence[Sequence[int]]

    def whole(self, one: int) -> list[int]:
        """What the model reads: all tokens except the last, from which nothing is predicted."""
        return [*self.prompts[one], *self.responses[one]][:-1]

    def first_step(self, one: int) -> int:
        """Position that predicts the first token of the response."""
        return len(self.prompts[one]) - 1


@dataclass(frozen=True)
class Pass:
    """Tokens of some sequences for one forward pass. ids, positions [rows, tokens]. sequences: their numbers. rows,
    places [steps]: where the response tokens are predicted, sequence after sequence; step_of [steps]: the sequence of
    each. at: sequence → (row, column) of each of its positions. packed: how attention tells the sequences apart, None
    if rows do."""

    sequences: list[int]
    ids: Int[Tensor, "rows tokens"]
    positions: Int[Tensor, "rows tokens"]
    rows: Int[Tensor, " steps"]
    places: Int[Tensor, " steps"]
    step_of: Int[Tensor, " steps"]
    at: dict[int, tuple[int, list[int]]]
    packed: PackedAttention | None


class PackedAttention:
    """Causal attention within each of several sequences that share their first tokens and one row."""

    def __init__(self, shared: int, starts: list[int], lengths: list[int], device: torch.device) -> None:
        """shared: tokens at the start of the row that every sequence begins with. starts, lengths: of the rest of each
        sequence in the row."""
        self._shared, self._count, self._longest = shared, len(starts), max(lengths)
        places = torch.arange(self._longest)
        # A sequence shorter than the longest repeats its last token; nothing reads the repeats.
        index = [start + places.clamp(max=length - 1) for start, length in zip(starts, lengths, strict=True)]
        self._take = torch.cat(index).to(device)
        back = [number * self._longest + torch.arange(length) for number, length in enumerate(lengths)]
        self._back = torch.cat(back).to(device)
        self._mask = torch.ones((self._longest, shared + self._longest), dtype=torch.bool, device=device).tril(shared)

    def __call__(
        self, module: Any, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, **more: Any
    ) -> tuple[Tensor, None]:
        """The signature that transformers calls: query [1, heads, tokens, width] → [1, tokens, heads, width]. Query
        heads that share a key are laid end to end, so that no key is copied."""
        window = more.get("sliding_window")
        slides = window is not None and window < self._shared + self._longest
        if slides or any(more.get(name) is not None for name in ("softcap", "s_aux", "position_bias")):
            raise NotImplementedError("this attention is no plain causal one")
        attend = torch.nn.functional.scaled_dot_product_attention
        scale, shared, longest = more.get("scaling"), self._shared, self._longest
        groups, width = key.shape[1], query.shape[3]
        share = query.shape[1] // groups

        def own(part: Tensor) -> Tensor:
            return part[0].index_select(1, self._take)

        def with_shared(part: Tensor) -> Tensor:
            mine = own(part).view(groups, self._count, longest, -1).transpose(0, 1)
            return torch.cat([part[:, :, :shared].expand(self._count, -1, -1, -1), mine], dim=2)

        asked = own(query).view(groups, share, self._count, longest, width).permute(2, 0, 1, 3, 4)
        out = attend(
            asked.reshape(self._count, groups, share * longest, width),
            with_shared(key),
            with_shared(value),
            attn_mask=self._mask.repeat(share, 1),
            scale=scale,
        )
        out = out.view(self._count, groups * share, longest, -1).transpose(1, 2)
        out = out.reshape(self._count * longest, groups * share, -1).index_select(0, self._back)
        if shared:
            first = (part[:, :, :shared] for part in (query, key, value))
            head = attend(*first, is_causal=True, scale=scale, enable_gqa=share > 1)
            out = torch.cat([head[0].transpose(0, 1), out])
        return out[None], None


@contextlib.contextmanager
def attention_of(model: Any, one: Pass) -> Iterator[None]:
    """Within it, the model attends as the pass requires."""
    if one.packed is None:
        yield
        return
    AttentionInterface.register(_NAME, one.packed)
    config, before = model.config, model.config._attn_implementation
    config._attn_implementation = _NAME
    try:
        yield
    finally:
        config._attn_implementation = before


def passes(sequences: Sequences, batch: int, device: torch.device, packed: bool) -> list[Pass]:
    """All sequences in passes of at most `batch`, sequences of like length together."""
    count = len(sequences.prompts)
    order = sorted(range(count), key=lambda one: len(sequences.whole(one)))
    make = _packed if packed else _padded
    return [make(sequences, order[start : start + batch], device) for start in range(0, count, batch)]


def shared_prefix(sequences: Sequences, which: Sequence[int]) -> int:
    """Number of first tokens that all of them share; none of these predicts a token of a response."""
    most = min(sequences.first_step(one) for one in which)
    first = sequences.prompts[which[0]]
    for place in range(most):
        if any(sequences.prompts[one][place] != first[place] for one in which):
            return place
    return most


def _packed(sequences: Sequences, which: list[int], device: torch.device) -> Pass:
    shared = shared_prefix(sequences, which)
    ids, positions = sequences.whole(which[0])[:shared], list(range(shared))
    starts, at = [], {}
    for one in which:
        rest = sequences.whole(one)[shared:]
        starts.append(len(ids))
        at[one] = (0, [*range(shared), *range(len(ids), len(ids) + len(rest))])
        ids += rest
        positions += range(shared, shared + len(rest))
    lengths = [len(at[one][1]) - shared for one in which]
    attention = PackedAttention(shared, starts, lengths, device)
    return _pass(sequences, which, torch.tensor([ids]), torch.tensor([positions]), at, attention, device)


def _padded(sequences: Sequences, which: list[int], device: torch.device) -> Pass:
    whole = [sequences.whole(one) for one in which]
    longest = max(map(len, whole))
    ids = torch.zeros((len(which), longest), dtype=torch.long)
    for row, tokens in enumerate(whole):
        ids[row, : len(tokens)] = torch.tensor(tokens)
    at = {one: (row, list(range(len(whole[row])))) for row, one in enumerate(which)}
    return _pass(sequences, which, ids, torch.arange(longest)[None].expand(len(which), -1), at, None, device)


def _pass(
    sequences: Sequences,
    which: list[int],
    ids: Tensor,
    positions: Tensor,
    at: dict[int, tuple[int, list[int]]],
    attention: PackedAttention | None,
    device: torch.device,
) -> Pass:
    rows: list[int] = []
    places: list[int] = []
    step_of: list[int] = []
    for one in which:
        row, columns = at[one]
        mine = columns[sequences.first_step(one) :]
        rows += [row] * len(mine)
        places += mine
        step_of += [one] * len(mine)
    where, place, step = (torch.tensor(part, device=device) for part in (rows, places, step_of))
    return Pass(which, ids.to(device), positions.to(device), where, place, step, at, attention)
