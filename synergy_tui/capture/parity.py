"""Whether this tool measures what the model does: compares answers, heads' activity and replay with transformers' own
`generate`, one prompt at a time, with plain hooks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from synergy_tui.capture.generate import generate, replay
from synergy_tui.subject.loading import Subject

LARGEST = 1e-4
"""Differences up to this share of the largest activity are rounding at float32."""

TEXTS = (
    "Name three rivers.",
    "What is 12 plus 30? Explain how you found it.",
    "A",
    "Write two sentences about a stone, a fox and the winter, and say which of them is the oldest and why.",
)


@dataclass(frozen=True)
class Parity:
    """tokens: whether all answers are the same. activity, replay, batch: the largest difference of the heads' activity
    from transformers' own run, of a replay from that run, and of a prompt alone from the same prompt in a batch; as
    shares of the largest activity. prompts, steps: what was compared."""

    tokens: bool
    activity: float
    replay: float
    batch: float
    prompts: int
    steps: int

    @property
    def worst(self) -> float:
        """The largest of the differences."""
        return max(self.activity, self.replay, self.batch)

    @property
    def holds(self) -> bool:
        """Whether the numbers can be trusted."""
        return self.tokens and self.worst <= LARGEST

    @property
    def sentence(self) -> str:
        """The verdict in a line."""
        if not self.tokens:
            return "not to be trusted: its answers differ from transformers' own generation"
        if not self.holds:
            return f"not to be trusted: activity differs by {self.worst:.1e} of its largest value"
        told = f"{self.prompts} answers of up to {self.steps} tokens agree, activity to {self.worst:.1e}"
        return f"can be trusted: {told}"

    @property
    def rounded(self) -> str:
        """The verdict if float64 agrees and float32 does not."""
        off = f"activity to {self.worst:.1e}" if self.tokens else "and its answers depend on it"
        return f"can be trusted up to rounding: float64 agrees, float32 does not ({off})"


@torch.inference_mode()
def compare(
    subject: Subject, prompts: Sequence[Sequence[int]], steps: int, tell: Callable[[str], None] = lambda _: None
) -> Parity:
    """Compares everything for a few prompts, given as token ids. tell: receives progress messages."""
    tell("its own generation, a prompt at a time")
    own = [_own(subject, prompt, steps) for prompt in prompts]
    tell("the same in a batch, alone and replayed")
    together = generate(subject, prompts, steps)
    alone = [generate(subject, [prompt], steps)[0] for prompt in prompts]
    answers = [tokens for tokens, _ in own]
    alike = all(
        one.tokens == other.tokens == tokens for one, other, tokens in zip(together, alone, answers, strict=True)
    )
    if not alike:
        return Parity(False, np.nan, np.nan, np.nan, len(prompts), steps)
    replayed = replay(subject, prompts, answers)
    units = subject.units().present.ravel()
    expected = [activity[units] for _, activity in own]
    return Parity(
        True,
        _off([one.activity[units] for one in together], expected),
        _off([one[units] for one in replayed], expected),
        _off([one.activity[units] for one in alone], [one.activity[units] for one in together]),
        len(prompts),
        steps,
    )


def _own(subject: Subject, prompt: Sequence[int], steps: int) -> tuple[list[int], np.ndarray]:
    """Greedy answer of transformers' `generate`, and norms [units, steps] of the inputs of the heads' projections at
    the last position of each pass."""
    from transformers import GenerationConfig

    units = subject.units()
    rows: list[dict[int, Tensor]] = []

    def begin(*_: Any) -> None:
        rows.append({})

    def heard(number: int, width: int) -> Callable[..., None]:
        def hook(_: Any, args: tuple[Tensor, ...]) -> None:
            last = args[0].reshape(-1, args[0].shape[-1])[-1]
            rows[-1][number] = last.double().reshape(-1, width).square().sum(-1).sqrt()

        return hook

    handles = [units.embeddings.register_forward_pre_hook(begin)]
    for number, site in enumerate(units.sites):
        handles.append(site.modules[0].register_forward_pre_hook(heard(number, site.width)))
    ids = torch.tensor([list(prompt)], device=subject.device)
    pad = subject.ends[0] if subject.ends else 0
    settings = GenerationConfig(
        max_new_tokens=steps, do_sample=False, use_cache=True, eos_token_id=list(subject.ends) or None, pad_token_id=pad
    )
    try:
        # A mask of ones, because transformers would otherwise guess one from the padding token.
        out = subject.model.generate(ids, generation_config=settings, attention_mask=torch.ones_like(ids))
    finally:
        for handle in handles:
            handle.remove()
    tokens = out[0, ids.shape[1] :].tolist()
    activity = np.full((units.layers * units.per_layer, len(tokens)), np.nan, np.float32)
    for step, row in enumerate(rows[: len(tokens)]):
        for number, (start, site) in enumerate(zip(units.starts, units.sites, strict=True)):
            first = site.layer * units.per_layer + start
            activity[first : first + site.units, step] = row[number].cpu().numpy()
    return tokens, activity


def _off(got: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> float:
    largest = max(float(np.abs(one).max()) for one in expected)
    return max(float(np.abs(a - b).max()) for a, b in zip(got, expected, strict=True)) / largest
