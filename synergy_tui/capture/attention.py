"""Attention weights and tokens → scores of a head's attention pattern (docs/method.md, section 10). The weights are
reduced layer by layer during a pass; memory holds those of only one layer.

previous-token     mass on the position before
induction          mass on earlier positions that come right after an earlier occurrence of the current token
retrieval          mass on earlier positions that hold the next token
attention-entropy  entropy of the pattern over positions, nats

Each is a mean over the steps of a response. A step without a position of the kind (no earlier occurrence) is left out;
if all steps are left out, the value is NaN.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from synergy_tui.subject import ranks
from synergy_tui.subject.loading import Subject
from synergy_tui.subject.sites import Site, decoder_layers


def positions_of(tokens: Int[Tensor, " tokens"], first: int) -> Bool[Tensor, "3 steps keys"]:
    """Which positions count for previous-token, induction and retrieval at each step. tokens: of a prompt with its
    response. first: the position that predicts the first token of the response; the last token predicts nothing."""
    read, coming = tokens[:-1], tokens[first + 1 :]
    steps, keys = torch.arange(first, len(read), device=tokens.device)[:, None], torch.arange(len(read)).to(tokens)
    before = keys < steps
    after = torch.cat([tokens.new_full((1,), -1), read[:-1]])
    induced = before & (after[None] == read[first:, None]) & (keys > 0)
    return torch.stack([keys == steps - 1, induced, before & (read[None] == coming[:, None])])


def pattern_scores(
    weights: Float[Tensor, "heads steps keys"], counted: Bool[Tensor, "3 steps keys"]
) -> Float[Tensor, "4 heads"]:
    """The scores above of every head of a layer. weights: the rows of the response's steps. counted: see
    `positions_of`. Mass on a sink that is not a position (as in gpt-oss) counts for no position, and the entropy is
    that of the rest."""
    weights = weights.float()
    out = []
    for mask in counted:
        there = mask.any(dim=1)
        mass = torch.einsum("hsk,sk->h", weights[:, there], mask[there].float())
        out.append(mass / there.sum() if there.any() else mass + torch.nan)
    share = weights / weights.sum(dim=-1, keepdim=True)
    out.append(torch.special.entr(share).sum(dim=-1).mean(dim=-1))
    return torch.stack(out)


def patterns(
    subject: Subject, sites: Sequence[Site], prompt: Sequence[int], response: Sequence[int]
) -> dict[int, Float[Tensor, "4 heads"]]:
    """Number of a site of attention heads among `sites` → its scores on one prompt with its response, from one
    teacher-forced pass with plain (eager) attention. If a family returns no weights, its sites are missing."""
    ranks.alone("a score by attention patterns")
    tokens = torch.tensor([*prompt, *response], device=subject.device)
    first, length = len(prompt) - 1, len(tokens) - 1
    counted = positions_of(tokens, first)
    wanted = {site.layer: number for number, site in enumerate(sites) if site.kind == "head"}
    found: dict[int, Tensor] = {}

    def take(layer: int, weights: Tensor) -> None:
        number = wanted.get(layer)
        if number is not None and _is_pattern(weights, sites[number].units, length):
            found[number] = pattern_scores(weights[0, :, first:], counted.to(weights.device)).cpu()

    if wanted:
        with torch.no_grad(), _plainly(subject.model), _weights_told(subject.model, take):
            subject.base(input_ids=tokens[None, :-1], use_cache=False, output_attentions=True)
    return found


def _is_pattern(value: Tensor, heads: int, length: int) -> bool:
    """Whether a tensor can be the causal attention weights of `heads` heads over `length` positions."""
    if value.shape != (1, heads, length, length):
        return False
    return bool((value >= 0).all()) and not bool(value.triu(1).any())


@contextlib.contextmanager
def _plainly(model: Any) -> Iterator[None]:
    """Within it, attention is computed in plain steps; only these expose its weights."""
    before = model.config._attn_implementation

    def attend(how: str) -> None:
        with contextlib.suppress(ValueError, NotImplementedError):
            model.set_attn_implementation(how)
        # Some families ignore that call and read their configuration at every pass.
        model.config._attn_implementation = how

    try:
        attend(_PLAIN)
        yield
    finally:
        attend(before)


@contextlib.contextmanager
def _weights_told(model: Any, take: Callable[[int, Tensor], None]) -> Iterator[None]:
    """Within it, `take(layer, value)` receives every tensor of four dimensions that a part of a layer returns besides
    its first output: attention weights are among them. Nothing of it is kept."""
    current: list[int] = []

    def heard(_: Any, args: Any, out: Any) -> None:
        if current and isinstance(out, tuple):
            for value in out[1:]:
                if isinstance(value, Tensor) and value.dim() == 4:
                    take(current[-1], value)

    with contextlib.ExitStack() as stack:
        for number, layer in enumerate(decoder_layers(model)):
            entered = layer.register_forward_pre_hook(lambda *_, number=number: current.append(number))
            stack.callback(entered.remove)
            stack.callback(layer.register_forward_hook(lambda *_: current.clear()).remove)
        parts = {part for layer in decoder_layers(model) for part in layer.modules() if part is not layer}
        for part in parts:
            stack.callback(part.register_forward_hook(heard).remove)
        yield


_PLAIN = "eager"
