"""A LoRA adapter's folder → a model with the adapter merged into its weights. The format is PEFT's: two thin matrices
for each changed weight; their product times alpha over the rank is added."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from synergy_tui.errors import SubjectError
from synergy_tui.subject.sources import ADAPTER

_WEIGHTS = "adapter_model.safetensors"

_INSIDE = re.compile(r"^(?:model\.language_model\.|language_model\.model\.)")


@torch.inference_mode()
def merge(model: Any, folder: Path) -> int:
    """Adds an adapter to a model's weights; returns how many weights it changes. Raises SubjectError for an adapter
    that is not a LoRA, has parts that cannot be added, or does not fit the model: no part is silently dropped."""
    said, tensors = read(folder)
    changes: dict[str, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        found = re.fullmatch(r"(?:base_model\.model\.)?(.+)\.lora_(embedding_)?([AB])(?:\.\w+)?(?:\.weight)?", name)
        path = found[1] if found else name.removeprefix("base_model.model.").replace(".modules_to_save", "")
        part = found[3] if found else "whole"
        if part == "whole" and ".base_layer." in path:
            path, part = path.partition(".base_layer.")[0], "base"
        changes.setdefault(_INSIDE.sub("model.", path), {})[part] = value
    shared = _shared(model)
    for path, parts in changes.items():
        if "base" in parts:  # the weights it was trained on, which PEFT keeps beside changed embeddings
            own = _weight(model, path, "weight", folder)
            if not torch.equal(parts.pop("base").to(own), own):
                raise SubjectError(
                    f"the adapter {folder} was trained on other weights of {path}", "give it to its base"
                )
            if not parts:
                continue
        if "whole" in parts:
            path, _, attribute = path.rpartition(".")
        else:
            attribute = "weight"
        weight = _weight(model, path, attribute, folder)
        if weight.data_ptr() in shared:
            raise SubjectError(
                f"the adapter {folder} changes {path}, whose weights another part of the model shares",
                "merge it with PEFT, and give the merged model",
            )
        if "whole" in parts:
            change = parts["whole"]
        elif set(parts) == {"A", "B"}:
            change = _product(model, path, parts, said)
        else:
            raise SubjectError(f"the adapter {folder} has only one half of {path}", "fetch it again")
        if change.shape != weight.shape:
            raise SubjectError(
                f"the adapter {folder} changes {path} by {tuple(change.shape)}, and it has {tuple(weight.shape)}",
                f"give it to its base model, {said.get('base_model_name_or_path') or 'which it does not name'}",
            )
        before = 0 if "whole" in parts else weight.float()
        weight.copy_((before + change.float().to(weight.device)).to(weight.dtype))
    return len(changes)


def read(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """(an adapter's configuration, its tensors). Raises SubjectError for an adapter that is not a LoRA or cannot be
    read."""
    if not (folder / ADAPTER).is_file():
        raise SubjectError(f"{folder} has no {ADAPTER}", "give the folder of an adapter as PEFT saves it")
    try:
        said = json.loads((folder / ADAPTER).read_text("utf-8"))
        tensors = load_file(folder / _WEIGHTS)
    except FileNotFoundError:
        raise SubjectError(f"{folder} has no {_WEIGHTS}", "convert the adapter to safetensors") from None
    except Exception as error:  # safetensors raises its own error, and json a ValueError
        raise SubjectError(f"{folder} cannot be read: {str(error)[:200]}", "fetch it again") from None
    if not isinstance(said, dict) or str(said.get("peft_type")).upper() != "LORA":
        kind = said.get("peft_type") if isinstance(said, dict) else "none"
        raise SubjectError(f"{folder} is an adapter of the type {kind}", "only LoRA is merged: merge it with PEFT")
    for name, plain in (("use_dora", False), ("bias", "none"), ("lora_bias", False), ("target_parameters", None)):
        if (said.get(name) or plain) != plain:
            raise SubjectError(f"{folder} has {name} = {said[name]}", "merge it with PEFT, and give the merged model")
    rank = said.get("r")
    if not isinstance(rank, int) or rank < 1 or not isinstance(said.get("lora_alpha"), int | float) or not tensors:
        raise SubjectError(f"{folder} has no usable r, lora_alpha or weights", "fetch it again")
    return said, tensors


def _product(model: Any, path: str, parts: dict[str, Tensor], said: dict[str, Any]) -> Tensor:
    first, second = parts["A"].float(), parts["B"].float()
    rank = _of(said, "rank_pattern", path, said["r"])
    alpha = _of(said, "alpha_pattern", path, said["lora_alpha"])
    change = second @ first * (alpha / (math.sqrt(rank) if said.get("use_rslora") else rank))
    module = model.get_submodule(path)
    return change.T if isinstance(module, nn.Embedding) or said.get("fan_in_fan_out") else change


def _of(said: dict[str, Any], pattern: str, path: str, usual: float) -> float:
    """The value that one of PEFT's patterns gives for a module."""
    for key, value in (said.get(pattern) or {}).items():
        if path == key or path.endswith(f".{key}"):
            return float(value)
    return usual


def _weight(model: Any, path: str, attribute: str, folder: Path) -> Tensor:
    try:
        found = getattr(model.get_submodule(path), attribute)
    except AttributeError:
        raise SubjectError(
            f"the adapter {folder} changes {path}, which the model does not have", "give its base"
        ) from None
    if not isinstance(found, Tensor) or not found.is_floating_point():
        raise SubjectError(f"{path} is quantised: an adapter cannot be added to it", "give the model in 16 or 32 bits")
    return found


def _shared(model: Any) -> set[int]:
    """The memory addresses of weights that several modules share."""
    places: dict[int, int] = {}
    for module in model.modules():
        for one in module._parameters.values():
            if one is not None:
                places[one.data_ptr()] = places.get(one.data_ptr(), 0) + 1
    return {place for place, count in places.items() if count > 1}
