"""Prompts with their responses → states of the residual stream after every layer, at chosen positions, from one
teacher-forced pass over a batch. Hooks read them at the layers' outputs, because families differ in what they call
hidden states, and the last of these is mostly normalised."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from synergy_tui.errors import SubjectError
from synergy_tui.subject import positions, ranks
from synergy_tui.subject.loading import Subject
from synergy_tui.subject.sites import decoder_layers


def states(
    subject: Subject, sequences: Sequence[Sequence[int]], wanted: Sequence[Sequence[int]]
) -> list[Float[np.ndarray, "layers wanted width"]]:
    """float32 states of each sequence at its wanted positions. Sequences are padded on the right, which is exact for
    causal models without a mask; a sequence so long that its positions depend on its length is alone in its pass.
    Raises SubjectError when a state is not finite, and for a layer that does not return one state per token."""
    ranks.alone("the residual stream")
    most = positions.boundary(subject.model)
    long = [] if most is None else [row for row, one in enumerate(sequences) if len(one) > most]
    short = [row for row in range(len(sequences)) if row not in set(long)]
    made: dict[int, np.ndarray] = {}
    for rows in [*([short] if short else []), *([row] for row in long)]:
        found = _pass(subject, [sequences[row] for row in rows], [wanted[row] for row in rows])
        made |= dict(zip(rows, found, strict=True))
    return [made[row] for row in range(len(sequences))]


def _pass(
    subject: Subject, sequences: Sequence[Sequence[int]], wanted: Sequence[Sequence[int]]
) -> list[Float[np.ndarray, "layers wanted width"]]:
    longest = max(map(len, sequences))
    ids = torch.zeros((len(sequences), longest), dtype=torch.long, device=subject.device)
    for row, tokens in enumerate(sequences):
        ids[row, : len(tokens)] = torch.tensor(tokens)
    rows = torch.tensor([row for row, some in enumerate(wanted) for _ in some])
    places = torch.tensor([place for some in wanted for place in some])
    kept: dict[int, Tensor] = {}

    def keep(layer: int) -> Callable[..., None]:
        def hook(_: Any, __: Any, out: Any) -> None:
            value = out[0] if isinstance(out, tuple) else out
            shape = (len(sequences), longest)
            # Some layers receive tokens without a batch axis.
            if isinstance(value, Tensor) and value.dim() == 2 and value.shape[0] == shape[0] * shape[1]:
                value = value.reshape(*shape, -1)
            if not isinstance(value, Tensor) or value.dim() != 3 or tuple(value.shape[:2]) != shape:
                raise SubjectError(
                    f"layer {layer} of {subject.source.name} does not put out one state per token",
                    "its residual stream cannot be read: leave out --parts geometry",
                )
            kept[layer] = value[rows.to(value.device), places.to(value.device)].float().cpu()

        return hook

    accepted = inspect.signature(subject.base.forward).parameters
    more: dict[str, Any] = {}
    if "position_ids" in accepted:
        more["position_ids"] = torch.arange(longest, device=subject.device)[None].expand(len(sequences), -1)
    layers = decoder_layers(subject.model)
    handles = [layer.register_forward_hook(keep(number)) for number, layer in enumerate(layers)]
    try:
        with torch.inference_mode():
            subject.base(input_ids=ids, use_cache=False, **more)
    finally:
        for handle in handles:
            handle.remove()
    if len(kept) != len(layers):
        raise SubjectError(f"{len(kept)} of {len(layers)} layers were passed", "report it as an issue")
    stream = np.stack([kept[layer].numpy() for layer in range(len(layers))])
    if not np.isfinite(stream).all():
        raise SubjectError("a state is not finite", "in float16 or bfloat16 try --dtype float32")
    ends = np.cumsum([len(some) for some in wanted])[:-1]
    return np.split(stream, ends, axis=1)
