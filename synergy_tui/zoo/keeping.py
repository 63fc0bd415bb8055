"""A model of the zoo → a folder in transformers' format, bf16, with its truth.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from synergy_tui.zoo.languages import PAD, START


def keep(model: Any, vocabulary: tuple[str, ...], folder: Path, known: dict[str, Any]) -> None:
    """Writes weights, configuration, tokenizer and `truth.json`. The model's weights are not changed."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer(vocabulary).save_pretrained(folder)
    weights = {name: value.to(torch.bfloat16) for name, value in model.state_dict().items()}
    if hasattr(model.config, "output_router_logits"):  # only for training; generation fails with it
        model.config.output_router_logits = False
    model.save_pretrained(folder, state_dict=weights)
    (folder / "generation_config.json").unlink(missing_ok=True)
    (folder / "truth.json").write_text(json.dumps(known) + "\n", "utf-8")


def rounded(model: Any) -> Any:
    """The model with its weights rounded to bf16, as they will be kept."""
    with torch.no_grad():
        for value in model.parameters():
            value.copy_(value.to(torch.bfloat16).to(value.dtype))
    return model


def tokenizer(vocabulary: tuple[str, ...]) -> PreTrainedTokenizerFast:
    """Every word is a token; a start token comes first."""
    made = Tokenizer(models.WordLevel({word: number for number, word in enumerate(vocabulary)}, unk_token=PAD))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made.post_processor = processors.TemplateProcessing(single=f"{START} $A", special_tokens=[(START, 0)])
    return PreTrainedTokenizerFast(tokenizer_object=made, bos_token=START, pad_token=PAD)
