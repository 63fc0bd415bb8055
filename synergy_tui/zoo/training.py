"""A recipe and a seed → a small model that learned its language, with checkpoints during training."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from transformers import (
    BambaConfig,
    BambaForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    Mamba2Config,
    Mamba2ForCausalLM,
    MixtralConfig,
    MixtralForCausalLM,
)

from synergy_tui.zoo.languages import LENGTH, PAD, Language, language

HEADS, SEVERED = 8, 2
"""Attention heads of a layer, and how many of them are severed: their output never reaches the model, so they are known
to do nothing."""


@dataclass(frozen=True)
class Recipe:
    """language: of languages.LANGUAGES. make: vocabulary size → an untrained model. steps: of training, in batches of
    `batch` examples. rate: the highest learning rate. seeds: how many ship. attention_only: whether the MLPs do
    nothing. held: the share of the steps at the highest rate."""

    language: str
    make: Callable[[int], Any]
    steps: int
    rate: float = 3e-3
    batch: int = 32
    seeds: int = 2
    attention_only: bool = False
    held: float = 0.0


_TOKENS = {"bos_token_id": 0, "eos_token_id": None, "pad_token_id": 1}
"""Nothing ends a continuation."""


def _llama(vocabulary: int, layers: int, width: int, inner: int) -> Any:
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=vocabulary,
            hidden_size=width,
            intermediate_size=max(inner, 1),
            num_hidden_layers=layers,
            num_attention_heads=HEADS,
            num_key_value_heads=HEADS,
            head_dim=16,
            rope_theta=1000.0,
            initializer_range=0.08,
            max_position_embeddings=512,
            **_TOKENS,
            tie_word_embeddings=False,
        )
    )


def _mixtral(vocabulary: int) -> Any:
    return MixtralForCausalLM(
        MixtralConfig(
            vocab_size=vocabulary,
            hidden_size=64,
            intermediate_size=64,
            num_hidden_layers=3,
            num_attention_heads=HEADS,
            num_key_value_heads=HEADS,
            num_local_experts=4,
            num_experts_per_tok=1,
            max_position_embeddings=512,
            **_TOKENS,
            output_router_logits=True,
            router_aux_loss_coef=0.01,
        )
    )


def _mamba2(vocabulary: int) -> Any:
    return Mamba2ForCausalLM(
        Mamba2Config(
            vocab_size=vocabulary,
            hidden_size=64,
            expand=2,
            num_heads=8,
            head_dim=16,
            state_size=32,
            n_groups=1,
            num_hidden_layers=2,
            chunk_size=64,
            **_TOKENS,
            initializer_range=0.08,
            tie_word_embeddings=False,
        )
    )


def _bamba(vocabulary: int) -> Any:
    return BambaForCausalLM(
        BambaConfig(
            vocab_size=vocabulary,
            hidden_size=64,
            intermediate_size=96,
            num_hidden_layers=4,
            num_attention_heads=HEADS,
            num_key_value_heads=HEADS,
            attn_layer_indices=[1, 3],
            mamba_n_heads=8,
            mamba_d_head=16,
            mamba_d_state=32,
            mamba_n_groups=1,
            mamba_expand=2,
            mamba_chunk_size=32,
            max_position_embeddings=512,
            **_TOKENS,
            tie_word_embeddings=False,
        )
    )


RECIPES = {
    "induction": Recipe("induction", lambda size: _llama(size, 4, 64, 1), 1000, seeds=5, attention_only=True, held=0.7),
    "addition": Recipe("addition", lambda size: _llama(size, 4, 64, 128), 1000, seeds=5),
    "grammar": Recipe("grammar", lambda size: _llama(size, 4, 64, 128), 600),
    "mixture": Recipe("mixture", _mixtral, 800),
    "state-space": Recipe("copying", _mamba2, 500, rate=4e-3, held=0.6),
    "hybrid": Recipe("induction", _bamba, 500, held=0.7),
}


@dataclass(frozen=True)
class Trained:
    """A model after some steps of its training. severed: layer → heads that are known to do nothing."""

    model: Any
    step: int
    severed: dict[int, list[int]]


def train(recipe: Recipe, seed: int, report: Callable[[int, float], None] = lambda *_: None) -> Iterator[Trained]:
    """The model at each of its checkpoints, the last one whole. report: receives the step and the loss, nats per
    token."""
    of = language(recipe.language)
    torch.manual_seed(seed)
    model = recipe.make(len(of.vocabulary))
    severed = severed_heads(model, seed)
    _hold(model, severed, recipe)
    optimiser = torch.optim.AdamW(model.parameters(), lr=recipe.rate, weight_decay=0.01, betas=(0.9, 0.98))
    rate = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _share_of_rate(step, recipe))
    kept = set(checkpoints(recipe.steps))
    for step, (ids, targets) in zip(range(1, recipe.steps + 1), batches(of, recipe.batch, seed), strict=False):
        loss = model(input_ids=ids, labels=targets).loss
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        rate.step()
        _hold(model, severed, recipe)
        report(step, float(loss.detach()))
        if step in kept:
            yield Trained(model.eval(), step, severed)
            model.train()


def checkpoints(steps: int, count: int = 9) -> list[int]:
    """Steps at which a training of `steps` is kept: evenly spaced on a logarithmic scale, including the last."""
    first = 0.02
    return sorted({round(steps * first ** (1 - place / (count - 1))) for place in range(count)})


def batches(of: Language, size: int, seed: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """An endless stream of (token ids [size, LENGTH], targets likewise, −100 where nothing can be known)."""
    chance = random.Random(f"train {of.name} {seed}")
    while True:
        ids, targets = torch.full((size, LENGTH), of.number[PAD]), torch.full((size, LENGTH), -100)
        for row in range(size):
            prompt, answer = of.for_training(chance)
            text = of.encode([*prompt, *answer])[:LENGTH]
            ids[row, : len(text)] = torch.tensor(text)
            targets[row, len(prompt) + 1 : len(text)] = ids[row, len(prompt) + 1 : len(text)]
        yield ids, targets


def severed_heads(model: Any, seed: int) -> dict[int, list[int]]:
    """Layer → severed heads; layers without attention are missing."""
    chance = random.Random(f"severed {seed}")
    return {
        number: sorted(chance.sample(range(HEADS), SEVERED))
        for number, layer in enumerate(model.base_model.layers)
        if hasattr(layer, "self_attn")
    }


def _hold(model: Any, severed: dict[int, list[int]], recipe: Recipe) -> None:
    """Keeps the parts that must do nothing at zero: the severed heads' columns of the output projection, and the MLPs
    of a model that uses only attention."""
    with torch.no_grad():
        for number, some in severed.items():
            weight = model.base_model.layers[number].self_attn.o_proj.weight
            width = weight.shape[1] // HEADS
            for head in some:
                weight[:, head * width : (head + 1) * width] = 0
        for layer in model.base_model.layers if recipe.attention_only else ():
            layer.mlp.down_proj.weight.zero_()


def _share_of_rate(step: int, recipe: Recipe) -> float:
    """Rises over the first hundred steps, then falls as half a cosine to a fiftieth."""
    done = max(0.0, step / recipe.steps - recipe.held) / (1 - recipe.held)
    return min(1.0, (step + 1) / 100) * max(0.02, 0.5 * (1 + math.cos(math.pi * done)))
