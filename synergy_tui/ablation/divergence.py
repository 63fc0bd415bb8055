"""Behaviour divergence: KL(intact ‖ ablated) over the full vocabulary on the intact model's own tokens.

With logits W h, intact h_p and ablated h_q: KL = LSE_q − LSE_p − c·(h_q − h_p), c = Wᵀ softmax(W h_p). So the intact
model leaves one vector of the model's width per token instead of a distribution over the vocabulary, and of
full-vocabulary logits no more than one chunk is ever in memory. (An output bias cancels; it is in the logits of
both.)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from synergy_tui.subject.loading import Subject
from synergy_tui.subject.taps import HeadsRemoved

CHUNK = 256
"""Tokens whose logits are in memory at a time: 50 MB at a vocabulary of 49,152 in fp32."""


class Divergence(NamedTuple):
    """Per prompt, means over its steps. divergence: KL, nats per token. top1: share of steps with the same likeliest
    token. surprisal_change: rise of −ln p of the response's tokens, nats."""

    divergence: Float[np.ndarray, " prompts"]
    top1: Float[np.ndarray, " prompts"]
    surprisal_change: Float[np.ndarray, " prompts"]


@dataclass(frozen=True)
class _Batch:
    """Sequences of like length, padded on the right, and what the intact model says at their response steps."""

    prompts: list[int]
    ids: Tensor
    rows: Tensor
    places: Tensor
    next_tokens: Tensor
    hidden: Tensor
    slope: Tensor
    log_sum: Tensor
    best: Tensor
    chosen: Tensor


class IntactBehaviour:
    """What the intact model does on prompts with their responses; `under` says how far it moves without some heads."""

    @torch.inference_mode()
    def __init__(
        self,
        subject: Subject,
        prompts: Sequence[Sequence[int]],
        responses: Sequence[Sequence[int]],
        batch: int,
    ) -> None:
        self._subject, self._count = subject, len(prompts)
        head = subject.model.get_output_embeddings()
        # KL is what remains of a cancellation: logits rounded to bf16 leave 0.05 nats of noise a step. So the output
        # embedding is applied in fp32 whatever the model runs in; for an fp32 model this is no copy.
        self._weight = head.weight.float()
        self._bias = None if getattr(head, "bias", None) is None else head.bias.float()
        order = sorted(range(len(prompts)), key=lambda one: len(prompts[one]) + len(responses[one]))
        self._batches = [
            self._intact(order[start : start + batch], prompts, responses) for start in range(0, len(order), batch)
        ]

    @torch.inference_mode()
    def under(self, removed: dict[int, list[int]]) -> Divergence:
        """Divergence with the heads of {layer: heads} removed by zeroing."""
        out = np.full((3, self._count), np.nan)
        with HeadsRemoved(self._subject.projections, self._subject.heads, removed):
            for batch in self._batches:
                hidden = self._hidden(batch.ids, batch.rows, batch.places)
                steps = torch.stack(self._against(batch, hidden))
                for row, prompt in enumerate(batch.prompts):
                    out[:, prompt] = steps[:, batch.rows == row].mean(dim=1).cpu().numpy()
        return Divergence(*out)

    def _intact(self, which: list[int], prompts: Sequence[Sequence[int]], responses: Sequence[Sequence[int]]) -> _Batch:
        device = self._subject.device
        whole = [[*prompts[one], *responses[one]] for one in which]
        longest = max(map(len, whole)) - 1
        ids = torch.zeros((len(which), longest), dtype=torch.long)
        row_of: list[int] = []
        place_of: list[int] = []
        token_of: list[int] = []
        for row, one in enumerate(which):
            ids[row, : len(whole[row]) - 1] = torch.tensor(whole[row][:-1])
            start = len(prompts[one]) - 1
            row_of += [row] * len(responses[one])
            place_of += range(start, start + len(responses[one]))
            token_of += responses[one]
        rows, places, next_tokens = (torch.tensor(part, device=device) for part in (row_of, place_of, token_of))
        ids = ids.to(device)
        hidden = self._hidden(ids, rows, places)
        slopes, sums, best, chosen = [], [], [], []
        for logits, part in self._logits(hidden):
            log_sum = logits.logsumexp(dim=-1)
            slopes.append((logits - log_sum[:, None]).exp_() @ self._weight)
            sums.append(log_sum)
            best.append(logits.argmax(dim=-1))
            chosen.append(logits.gather(1, next_tokens[part, None])[:, 0])
        return _Batch(
            which,
            ids,
            rows,
            places,
            next_tokens,
            hidden,
            torch.cat(slopes),
            torch.cat(sums),
            torch.cat(best),
            torch.cat(chosen),
        )

    def _against(self, batch: _Batch, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """KL, same likeliest token, rise of surprisal: each [steps of the batch]."""
        sums, same, chosen = [], [], []
        for logits, part in self._logits(hidden):
            sums.append(logits.logsumexp(dim=-1))
            same.append(logits.argmax(dim=-1) == batch.best[part])
            chosen.append(logits.gather(1, batch.next_tokens[part, None])[:, 0])
        log_sum = torch.cat(sums)
        moved = ((hidden - batch.hidden) * batch.slope).sum(dim=-1)
        rise = (log_sum - batch.log_sum) - (torch.cat(chosen) - batch.chosen)
        return log_sum - batch.log_sum - moved, torch.cat(same).float(), rise

    def _hidden(self, ids: Tensor, rows: Tensor, places: Tensor) -> Tensor:
        positions = torch.arange(ids.shape[1], device=ids.device)[None].expand(len(ids), -1)
        out = self._subject.model.base_model(input_ids=ids, position_ids=positions, use_cache=False)
        return out.last_hidden_state[rows, places].float()

    def _logits(self, hidden: Tensor) -> Iterator[tuple[Tensor, slice]]:
        for start in range(0, len(hidden), CHUNK):
            part = slice(start, start + CHUNK)
            yield torch.nn.functional.linear(hidden[part], self._weight, self._bias), part
