"""The common beginning of prompts (a chat template, a system prompt) is run once: all prompts of a batch share its keys
and values. Prompts of like length go through the model together, and their keys and values are then laid side by side,
so that a batch has one length and no prompt was computed on padding.

This needs a cache that holds only keys and values, one place per position. Models with a moving state (Mamba), windows
that slide within the sequences, and families that take no positions lack such a cache: their prompts are padded on the
left and run whole. Whether a subject gives the same results with a shared beginning is measured once.
"""

from __future__ import annotations

import copy
import inspect
import weakref
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from synergy_tui.subject import positions, ranks
from synergy_tui.subject.loading import Subject

LEAST = 8
"""A beginning of this many tokens is worth a pass of its own."""

WASTE = 0.1
"""The largest share of padding among a pass's tokens; a pass of fewer than FEW rows may have more."""
FEW = 8

SAME = {torch.float32: 1e-4}
"""How far logits after a shared beginning may differ from those without, as a share of their norm; in 16 bits rounding
itself is larger."""
SAME_16_BITS = 0.1

_measured: weakref.WeakKeyDictionary[Any, bool] = weakref.WeakKeyDictionary()


def beginning(prompts: Sequence[Sequence[int]]) -> int:
    """How many first tokens all prompts share; each prompt keeps at least one token of its own."""
    if len(prompts) < 2:
        return 0
    first, most = prompts[0], min(map(len, prompts)) - 1
    return next((place for place in range(most) if any(one[place] != first[place] for one in prompts)), most)


def fresh(subject: Subject) -> Any:
    """An empty cache."""
    from transformers import DynamicCache

    return DynamicCache(config=subject.model.config)


def cached(subject: Subject, cache: Any) -> dict[str, Any]:
    """The arguments of a pass with this cache: logits of the last position only."""
    accepted = inspect.signature(subject.model.forward).parameters
    name = "cache_params" if "cache_params" in accepted else "past_key_values"
    return {"use_cache": True, name: cache} | ({"logits_to_keep": 1} if "logits_to_keep" in accepted else {})


def plain(subject: Subject, length: int) -> bool:
    """Whether the cache of sequences of this length has only keys and values, for every position, and rows can be cut
    and laid side by side."""
    from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

    layers = fresh(subject).layers
    whole = [
        type(one) is DynamicLayer or (type(one) is DynamicSlidingWindowLayer and one.sliding_window > length)
        for one in layers
    ]
    chunks = getattr(subject.model.config.get_text_config(decoder=True), "attention_chunk_size", None)
    told = "position_ids" in inspect.signature(subject.model.forward).parameters
    return bool(layers) and all(whole) and not chunks and told and positions.boundary(subject.model) is None


def groups(lengths: Sequence[int]) -> list[list[int]]:
    """Which rows go through the model together: rows of like length, the shortest first."""
    out: list[list[int]] = []
    for row in sorted(range(len(lengths)), key=lambda one: lengths[one]):
        if out:
            tokens = sum(lengths[one] for one in out[-1]) + lengths[row]
            whole = (len(out[-1]) + 1) * lengths[row]
            if len(out[-1]) < FEW or whole - tokens <= WASTE * whole:
                out[-1].append(row)
                continue
        out.append([row])
    return out


@torch.inference_mode()
def shareable(subject: Subject, prompts: Sequence[Sequence[int]], length: int) -> int:
    """How many tokens the prompts can share in sequences of at most this length. Measured once per subject, on the
    shortest and the longest of the first prompts that begin alike."""
    shared = beginning(prompts)
    if shared < LEAST or not plain(subject, length):
        return 0
    if subject.model not in _measured:
        some = sorted(prompts, key=len)
        _measured[subject.model] = ranks.agreed(_alike(subject, [some[0], some[-1]], shared))
    return shared if _measured[subject.model] else 0


def _alike(subject: Subject, prompts: Sequence[Sequence[int]], shared: int) -> bool:
    """Whether two prompts side by side have the same logits after their shared beginning as each by itself."""
    try:
        begun = begin(subject, prompts[0][:shared])
        mine, _, _ = behind(subject, begun, [one[shared:] for one in prompts], shared)
    except torch.OutOfMemoryError:
        raise
    except (NotImplementedError, RuntimeError, TypeError, ValueError, AttributeError):
        return False  # the family uses its cache in its own way
    near = SAME.get(subject.model.dtype, SAME_16_BITS)
    for row, prompt in enumerate(prompts):
        ids = torch.tensor([list(prompt)], device=subject.device)
        alone = subject.model(input_ids=ids, **cached(subject, fresh(subject))).logits[0, -1].float()
        if not bool((mine[row].float() - alone).norm() <= near * alone.norm()):
            return False
    return True


def begin(subject: Subject, tokens: Sequence[int]) -> Any:
    """The cache of the beginning, one row; empty without a beginning."""
    cache = fresh(subject)
    if tokens:
        ids = torch.tensor([list(tokens)], device=subject.device)
        where = torch.arange(len(tokens), device=subject.device)[None]
        subject.model(input_ids=ids, position_ids=where, attention_mask=torch.ones_like(ids), **cached(subject, cache))
    return cache


def behind(subject: Subject, begun: Any, rests: Sequence[Sequence[int]], shared: int) -> tuple[Tensor, Any, Tensor]:
    """(logits of each row's last position, its cache, its mask) of the rests after a shared beginning, padded on their
    left."""
    longest = max(map(len, rests))
    ids = torch.zeros((len(rests), longest), dtype=torch.long)
    mask = torch.ones((len(rests), shared + longest), dtype=torch.long)
    for row, rest in enumerate(rests):
        ids[row, longest - len(rest) :] = torch.tensor(list(rest))
        mask[row, shared : shared + longest - len(rest)] = 0
    ids, mask = ids.to(subject.device), mask.to(subject.device)
    where = (mask.cumsum(1) - 1).clamp(min=0)[:, shared:]
    cache = fresh(subject)
    if shared:
        cache.layers = [_changed(one, lambda part: part.expand(len(rests), -1, -1, -1)) for one in begun.layers]
    told = cached(subject, cache)
    logits = subject.model(input_ids=ids, position_ids=where, attention_mask=mask, **told).logits[:, -1]
    return logits, cache, mask


def beside(caches: Sequence[Any], masks: Sequence[Tensor], shared: int) -> tuple[Any, Tensor]:
    """One cache and one mask of all rows, the shorter ones padded after the beginning. The given caches are
    released."""
    longest = max(one.shape[1] for one in masks)

    def widened(part: Tensor, length: int, along: int) -> Tensor:
        if part.shape[along] == length:
            return part
        shape = list(part.shape)
        shape[along] = length - part.shape[along]
        pieces = part.split([shared, part.shape[along] - shared], dim=along)
        return torch.cat([pieces[0], part.new_zeros(shape), pieces[1]], dim=along)

    out = caches[0]
    if len(caches) > 1:
        for number in range(len(out.layers)):
            same = [one.layers[number] for one in caches]
            if not same[0].is_initialized:
                continue
            whole = _changed(same[0], lambda part: part)
            whole.keys = torch.cat([widened(one.keys, longest, 2) for one in same])
            whole.values = torch.cat([widened(one.values, longest, 2) for one in same])
            if hasattr(whole, "cumulative_length"):
                whole.cumulative_length = longest
            for one in same:
                one.keys = one.values = None
            out.layers[number] = whole
    return out, torch.cat([widened(one, longest, 1) for one in masks])


def only(cache: Any, rows: Tensor) -> None:
    """Keeps only some rows of a cache."""
    cache.batch_select_indices(rows)


def _changed(layer: Any, how: Any) -> Any:
    """A copy of a cache's layer with other keys and values."""
    out = copy.copy(layer)
    if layer.is_initialized:
        out.keys, out.values = how(layer.keys), how(layer.values)
    return out
