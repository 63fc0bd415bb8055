"""Hidden states at the output embedding → the terms of KL(intact ‖ ablated), a block of the vocabulary at a time.

With logits W h, intact h_p and ablated h_q: KL = LSE_q − LSE_p − c·(h_q − h_p), c = Wᵀ softmax(W h_p). So the intact
model leaves one vector of the model's width per token instead of a distribution over the vocabulary, and no more than
one chunk of full-vocabulary logits is ever in memory. (An output bias cancels, because it is in the logits of both.) If
the logits are capped, c·tanh(W h / c), this is no longer linear, and both models' logits are computed again.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from synergy_tui.ablation.linear import laid_out
from synergy_tui.errors import SubjectError
from synergy_tui.subject import ranks
from synergy_tui.subject.loading import Subject
from synergy_tui.subject.sites import text_config

ROWS, COLUMNS = 1024, 2048
"""Tokens × words of a block of logits of an ablated model: 8 MB, which fits the cores' caches. Whole rows of a large
vocabulary take 1.4 times as long."""

LIKE = {torch.float32: 1e-3}
"""How far the logits computed here may differ from the model's own, as a share of their norm."""
LIKE_16_BITS = 0.05


class OutputHead:
    """The output embedding of a subject as the model applies it. Raises SubjectError when the model's map from its last
    hidden states is neither linear nor capped."""

    def __init__(self, subject: Subject) -> None:
        head = subject.model.get_output_embeddings()
        # KL is the remainder of a cancellation: logits rounded to bf16 leave 0.05 nats of noise per step. So the output
        # embedding is applied in fp32 whatever the model runs in; for an fp32 model this needs no copy. If several
        # processes hold a model, each has the whole embedding, so all get the same result.
        self._weight = ranks.whole(head.weight).float()
        self._bias = None if getattr(head, "bias", None) is None else ranks.whole(head.bias).float()
        self._cap: float | None = None
        scale = self._as_the_model_does(subject)
        if scale != 1:
            self._weight = self._weight * scale
            self._bias = None if self._bias is None else self._bias * scale
        self._blocks = [
            laid_out(self._weight[part], None if self._bias is None else self._bias[part], ROWS)
            for part in (slice(start, start + COLUMNS) for start in range(0, len(self._weight), COLUMNS))
        ]

    def _as_the_model_does(self, subject: Subject) -> float:
        """Every family names its treatment of logits differently, so it is measured on one token."""
        ids = torch.ones((1, 2), dtype=torch.long, device=subject.device)
        hidden = subject.base(input_ids=ids, use_cache=False).last_hidden_state[0, -1:].float()
        own = subject.model(input_ids=ids, use_cache=False).logits[0, -1:].float()
        plain = torch.nn.functional.linear(hidden, self._weight, self._bias)
        near = LIKE.get(subject.model.dtype, LIKE_16_BITS) * own.norm()
        scale = float((own * plain).sum() / (plain * plain).sum().clamp(min=1e-30))
        if (own - plain).norm() <= near:
            return 1.0
        cap = getattr(text_config(subject.model), "final_logit_softcapping", None)
        if cap and (own - self._capped(plain, cap)).norm() <= near:
            self._cap = float(cap)
            return 1.0
        if (own - scale * plain).norm() <= near:
            return scale
        raise SubjectError(f"{subject.source.name} makes its logits in an unknown way", "report it as an issue")

    def summed(self, hidden: Float[Tensor, "steps width"]) -> tuple[Tensor, Tensor]:
        """LSE and place of the largest logit of each step, block by block of the vocabulary."""
        sums, bests = [], []
        for start in range(0, len(hidden), ROWS):
            some = hidden[start : start + ROWS]
            top = some.new_full((len(some),), -torch.inf)
            total, best = torch.zeros_like(top), torch.zeros(len(some), dtype=torch.long, device=some.device)
            for number, block in enumerate(self._blocks):
                logits = self._capped(block(some), self._cap)
                peak, place = logits.max(dim=-1)
                best = torch.where(peak > top, place + number * COLUMNS, best)
                higher = torch.maximum(top, peak)
                total = total * (top - higher).exp() + logits.sub_(higher[:, None]).exp_().sum(dim=-1)
                top = higher
            sums.append(total.log() + top)
            bests.append(best)
        return torch.cat(sums), torch.cat(bests)

    def chosen(self, hidden: Float[Tensor, "steps width"], tokens: Int[Tensor, " steps"]) -> Float[Tensor, " steps"]:
        """The logit of one token per step."""
        logits = (hidden * self._weight[tokens]).sum(dim=-1)
        return self._capped(logits if self._bias is None else logits + self._bias[tokens], self._cap)

    def slope(self, hidden: Float[Tensor, "steps width"], log_sum: Float[Tensor, " steps"]) -> Tensor:
        """c = Wᵀ softmax(W h) in float64, once: 49,152 terms of either sign leave 1e-5 nats of noise in fp32. Empty if
        logits are capped."""
        out = torch.zeros(hidden.shape, dtype=torch.float64, device=hidden.device)
        if self._cap is not None:
            return out
        for number, block in enumerate(self._blocks):
            weight = self._weight[number * COLUMNS : (number + 1) * COLUMNS].double()
            for start in range(0, len(hidden), ROWS):
                part = slice(start, start + ROWS)
                out[part] += (block(hidden[part]) - log_sum[part, None]).double().exp_() @ weight
        return out

    def moved(self, hidden: Tensor, intact: Tensor, slope: Tensor, log_sum: Tensor) -> Float[Tensor, " steps"]:
        """Σ p (z_q − z_p) of each step: how far the mean logit under the intact distribution moves."""
        if self._cap is None:
            return ((hidden - intact) * slope).sum(dim=-1).to(hidden.dtype)
        out = torch.zeros(len(hidden), dtype=torch.float64, device=hidden.device)
        for start in range(0, len(hidden), ROWS):
            part = slice(start, start + ROWS)
            for block in self._blocks:
                before = self._capped(block(intact[part]), self._cap)
                change = self._capped(block(hidden[part]), self._cap) - before
                out[part] += ((before - log_sum[part, None]).exp_() * change).sum(dim=-1, dtype=torch.float64)
        return out.to(hidden.dtype)

    def _capped(self, logits: Tensor, cap: Any) -> Tensor:
        return logits if cap is None else torch.tanh(logits / cap) * cap
