"""Behaviour divergence: KL(intact ‖ ablated) over the full vocabulary on the intact model's own tokens, computed from
their hidden states by `ablation/head.py`.

Nothing changes before the first layer that loses a unit: the residual stream at the layers' inputs is kept from the
intact pass, and a condition starts from there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from synergy_tui.ablation.interventions import Intervention, Zero
from synergy_tui.ablation.packing import Pass, Sequences
from synergy_tui.ablation.reading import Reader
from synergy_tui.subject import ranks
from synergy_tui.subject.loading import Subject
from synergy_tui.subject.sites import Units

KEPT = 1 << 30
"""Bytes of residual streams to keep. If all layers take more, every second one is kept, or every third, …"""


class Divergence(NamedTuple):
    """Per prompt, means over its steps. divergence: KL, nats per token. top1: share of steps with the same likeliest
    token. surprisal_change: rise of −ln p of the response's tokens, nats."""

    divergence: Float[np.ndarray, " prompts"]
    top1: Float[np.ndarray, " prompts"]
    surprisal_change: Float[np.ndarray, " prompts"]


@dataclass(frozen=True)
class _Intact:
    """The intact model's predictions at the response steps of one pass."""

    tokens: Pass
    next_tokens: Tensor
    hidden: Tensor
    slope: Tensor
    log_sum: Tensor
    best: Tensor
    chosen: Tensor
    residual: dict[int, Tensor] = field(default_factory=dict)


class IntactBehaviour:
    """The intact model's behaviour on prompts with their responses; `under` measures how far it moves without some
    units.

    packed: whether sequences share passes without padding; tested if not given. from_layer: whether conditions start at
    the first layer that loses something. units: the map whose units are named; the heads by default.
    """

    @torch.inference_mode()
    def __init__(
        self,
        subject: Subject,
        prompts: Sequence[Sequence[int]],
        responses: Sequence[Sequence[int]],
        batch: int,
        intervention: Intervention | None = None,
        packed: bool | None = None,
        from_layer: bool = True,
        units: Units | None = None,
    ) -> None:
        self._subject, self._count = subject, len(prompts)
        self._units = units or subject.units()
        self._how = intervention or Zero()
        self.reader = Reader(subject)
        layers = list(getattr(subject.base, "layers", ()))
        self._layers: list[Any] = layers if from_layer and len(layers) == subject.layers else []
        self._beside: dict[int, int | None] = {}
        sequences = Sequences(prompts, responses)
        found, self.packed = self.reader.passes(sequences, batch, packed)
        tokens = sum(one.ids.numel() for one in found)
        width = subject.model.config.get_text_config().hidden_size * subject.model.dtype.itemsize
        self._stride = max(1, -(-tokens * width * len(self._layers) // KEPT))
        with ranks.in_step(), self._how.watching(self._units):
            self._passes = [self._intact(one, responses) for one in found]
        self._how.settle(sequences, found)

    @torch.inference_mode()
    def under(self, removed: Mapping[int, Sequence[int]]) -> Divergence:
        """Divergence with the units of {layer: places} intervened on. If several processes hold the model, all of them
        must make the same call and get the same result."""
        out = np.full((3, self._count), np.nan)
        first = min((layer for layer, places in removed.items() if len(places)), default=0)
        for number, one in enumerate(self._passes):
            with ranks.in_step(), self._how.on(self._units, removed, number), self._starting_at(first, one):
                hidden = self.reader.hidden(one.tokens)
            steps = torch.stack(self._against(one, hidden))
            for prompt in one.tokens.sequences:
                out[:, prompt] = steps[:, one.tokens.step_of == prompt].mean(dim=1).cpu().numpy()
        return Divergence(*ranks.same(out))

    def _intact(self, tokens: Pass, responses: Sequence[Sequence[int]]) -> _Intact:
        residual: dict[int, Tensor] = {}
        with contextlib.ExitStack() as stack:
            for number in range(0, len(self._layers), self._stride):

                def keep(_: Any, args: tuple[Any, ...], number: int = number) -> None:
                    residual[number] = args[0]

                stack.callback(self._layers[number].register_forward_pre_hook(keep).remove)
            for number, layer in enumerate(self._layers):

                def also(_: Any, args: Any, out: Any, number: int = number) -> None:
                    self._beside[number] = len(out) - 1 if isinstance(out, tuple) else None

                stack.callback(layer.register_forward_hook(also).remove)
            hidden = self.reader.hidden(tokens)
        said = [token for one in tokens.sequences for token in responses[one]]
        next_tokens = torch.tensor(said, device=self._subject.device)
        # Uses the same blocks as under a condition, so equal values are equal to the last bit.
        log_sum, best = self.reader.head.summed(hidden)
        chosen = self.reader.head.chosen(hidden, next_tokens)
        slope = self.reader.head.slope(hidden, log_sum)
        return _Intact(tokens, next_tokens, hidden, slope, log_sum, best, chosen, residual)

    def _against(self, one: _Intact, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """KL, same likeliest token, rise of surprisal: each [steps of the pass]."""
        moved = self.reader.head.moved(hidden, one.hidden, one.slope, one.log_sum)
        log_sum, best = self.reader.head.summed(hidden)
        rise = (log_sum - one.log_sum) - (self.reader.head.chosen(hidden, one.next_tokens) - one.chosen)
        return log_sum - one.log_sum - moved, (best == one.best).float(), rise

    @contextlib.contextmanager
    def _starting_at(self, layer: int, one: _Intact) -> Iterator[None]:
        """Within it, layers before `layer` are not computed: each passes on the intact model's values."""
        start = layer - layer % self._stride
        if not self._layers or start not in one.residual or start == 0:
            yield
            return
        known, skipped = one.residual[start], self._layers[:start]
        try:
            for number, module in enumerate(skipped):
                # Some layers return more than the residual stream; nothing here reads the rest.
                more = self._beside[number]
                out = known if more is None else (known, *[None] * more)
                module.forward = lambda *_, out=out, **__: out
            yield
        finally:
            for module in skipped:
                del module.forward
