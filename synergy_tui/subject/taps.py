"""Where the activity of attention heads is read, and where they are intervened on: the *input* of each layer's output
projection, which is the heads' outputs side by side. (Its output has already mixed them.)"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn


class HeadTap:
    """Within the context every forward pass leaves the heads' norms at `norms`.

    `last`: the last position alone, [layers, batch, heads] per pass; otherwise all, [layers, batch, steps, heads].
    """

    def __init__(self, projections: Sequence[nn.Module], heads: int, last: bool) -> None:
        self._projections, self._heads, self._last = projections, heads, last
        self._kept: list[Tensor] = []
        self._handles: list[Any] = []

    def __enter__(self) -> HeadTap:
        keep = self._keep_last if self._last else self._keep_norms
        self._handles = [projection.register_forward_pre_hook(keep) for projection in self._projections]
        return self

    def __exit__(self, *exc: object) -> None:
        for handle in self._handles:
            handle.remove()
        self._kept = []

    def norms(self) -> Tensor:
        """fp32 norms of the pass just made, on the model's device; forgets it. Raises RuntimeError when a layer was not
        passed exactly once."""
        if len(self._kept) != len(self._projections):
            raise RuntimeError(f"{len(self._kept)} layers were tapped, not {len(self._projections)}")
        kept, self._kept = torch.stack(self._kept), []
        return head_norms(kept, self._heads) if self._last else kept

    def _keep_last(self, _: nn.Module, args: tuple[Tensor, ...]) -> None:
        # A reference costs 1 µs where a norm costs 9: one norm over all layers is taken at the end of the pass. The
        # copy of a long prompt's last position lets go of the rest.
        value = args[0]
        self._kept.append(value[:, 0] if value.shape[1] == 1 else value[:, -1].clone())

    def _keep_norms(self, _: nn.Module, args: tuple[Tensor, ...]) -> None:
        self._kept.append(head_norms(args[0], self._heads))


def head_norms(value: Float[Tensor, "*rest width"], heads: int) -> Float[Tensor, "*rest heads"]:
    """L2 norm of each head's slice, accumulated in fp32 whatever the model runs in (METHOD section 1)."""
    return torch.linalg.vector_norm(value.unflatten(-1, (heads, -1)), dim=-1, dtype=torch.float32)


class HeadsRemoved:
    """Within the context the given heads' slices of the output projections' inputs are 0."""

    def __init__(self, projections: Sequence[nn.Module], heads: int, removed: Mapping[int, Sequence[int]]) -> None:
        self._projections, self._heads, self._removed = projections, heads, removed
        self._handles: list[Any] = []

    def __enter__(self) -> HeadsRemoved:
        for layer, which in self._removed.items():
            projection = self._projections[layer]
            weight = next(projection.parameters())
            keep = torch.ones(self._heads, dtype=weight.dtype, device=weight.device)
            keep[list(which)] = 0

            def silence(_: nn.Module, args: tuple[Tensor, ...], keep: Tensor = keep) -> tuple[Tensor, ...]:
                value = args[0]
                return ((value.unflatten(-1, (self._heads, -1)) * keep[:, None]).flatten(-2), *args[1:])

            self._handles.append(projection.register_forward_pre_hook(silence))
        return self

    def __exit__(self, *exc: object) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles = []
