"""Gaussian noise on the weights by which a unit reads and writes, σ = α times the standard deviation of each slice
(docs/method.md, section 5). A unit's noise depends only on the seed and the unit.

head       its query rows and its columns of the output projection
ssm-head   the rows of the mixer's input projection that make its input, and its columns of the output projection
attention  the query and the output projection
expert     its weights
mlp        all weights of the block

Noise on a linear layer is a hook that adds what the noise would have added. Weights kept in other ways (fused experts)
are changed in place and restored from a copy, bit by bit. So are a head's weights if several processes hold the model,
each its own heads: an addition to a part of the output projection is then summed with all parts.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from synergy_tui.errors import SubjectError
from synergy_tui.subject import ranks
from synergy_tui.subject.loading import Subject
from synergy_tui.subject.sites import Site
from synergy_tui.terms import UNIT_KINDS


@contextlib.contextmanager
def noisy(subject: Subject, site: Site, places: list[int], alpha: float, seed: int) -> Iterator[None]:
    """Within it, the units of a site have noise. Raises SubjectError when a family's weights cannot be told apart,
    UsageError for noise on units other than heads in several processes."""
    if site.held is None:
        ranks.alone(f"noise on units of the kind {site.kind}")
    else:
        _query(subject, site)  # refuse in all processes alike: one that went on would wait for ever
    places = [place for place in places if place in site.here]
    with contextlib.ExitStack() as stack:
        for place in places:
            # Heads came first, and their noise must stay that of earlier versions.
            more = [] if site.kind == "head" else [UNIT_KINDS.index(site.kind)]
            draw = _Draw(np.random.default_rng([seed, site.layer, place, *more]), alpha)
            _PARTS.get(site.kind, _mlp)(stack, subject, site, place, draw)
        yield


class _Draw:
    """Noise like a slice of weights."""

    def __init__(self, chance: np.random.Generator, alpha: float) -> None:
        self._chance, self._alpha = chance, alpha

    def __call__(self, weight: Tensor) -> Tensor:
        drawn = torch.as_tensor(self._chance.standard_normal(tuple(weight.shape), dtype=np.float32))
        return (drawn.to(weight.device) * (self._alpha * weight.float().std())).to(weight.dtype)


def _head(stack: contextlib.ExitStack, subject: Subject, site: Site, place: int, draw: _Draw) -> None:
    part = slice(place * site.width, (place + 1) * site.width)
    query = _query(subject, site)
    if site.held is not None:
        first = part.start - site.held.start * site.width
        part = slice(first, first + site.width)
        for weight in (ranks.here(query.weight)[part], ranks.here(site.modules[0].weight)[:, part]):
            stack.callback(_in_place(weight, draw(weight)))
        return
    stack.callback(_on_rows(query, part, draw(query.weight[part])))
    stack.callback(_on_columns(site.modules[0], part, draw(site.modules[0].weight[:, part])))


def _attention(stack: contextlib.ExitStack, subject: Subject, site: Site, place: int, draw: _Draw) -> None:
    for module in (_query(subject, site), site.modules[0]):
        stack.callback(_on_rows(module, slice(0, module.weight.shape[0]), draw(module.weight)))


def _ssm_head(stack: contextlib.ExitStack, subject: Subject, site: Site, place: int, draw: _Draw) -> None:
    part = slice(place * site.width, (place + 1) * site.width)
    mixer = _parent(subject, site.modules[0])
    first = _first_input_row(mixer)
    if first is None:
        raise SubjectError(
            f"the input projection of {type(mixer).__name__} is laid out in an unknown way",
            "use zero, mean or resample",
        )
    rows = slice(first + part.start, first + part.stop)
    stack.callback(_on_rows(mixer.in_proj, rows, draw(mixer.in_proj.weight[rows])))
    stack.callback(_on_columns(site.modules[0], part, draw(site.modules[0].weight[:, part])))


def _expert(stack: contextlib.ExitStack, subject: Subject, site: Site, place: int, draw: _Draw) -> None:
    own = [one for one in site.modules[0].parameters() if one.dim() > 2 and len(one) == site.units]
    for weight in _floating(own):
        stack.callback(_in_place(weight[place], draw(weight[place])))


def _mlp(stack: contextlib.ExitStack, subject: Subject, site: Site, place: int, draw: _Draw) -> None:
    linear = [one for part in site.modules for one in part.modules() if isinstance(one, (nn.Linear, Conv1D))]
    for module in linear:
        if isinstance(module, Conv1D):  # its weights are [in, out]
            stack.callback(_added(module, draw(_floating([module.weight])[0]).T))
        else:
            stack.callback(_added(module, draw(_floating([module.weight])[0])))
    known = {id(weight) for one in linear for weight in one.parameters()}
    rest = [one for part in site.modules for one in part.parameters() if one.dim() > 1 and id(one) not in known]
    for weight in _floating(rest):
        stack.callback(_in_place(weight, draw(weight)))


# Other kinds of block have noise on all of their weights, like an MLP.
_PARTS: dict[str, Any] = {"head": _head, "ssm-head": _ssm_head, "attention": _attention, "expert": _expert, "mlp": _mlp}


def _on_rows(module: Any, part: slice, noise: Tensor) -> Any:
    """Adds the effect of noise on some rows of a linear layer; returns a way to undo it."""

    def add(_: Any, args: Any, out: Tensor) -> Tensor:
        out = out.clone()
        out[..., part] += torch.nn.functional.linear(args[0], noise)
        return out

    return module.register_forward_hook(add).remove


def _on_columns(module: Any, part: slice, noise: Tensor) -> Any:
    def add(_: Any, args: Any, out: Tensor) -> Tensor:
        return out + torch.nn.functional.linear(args[0][..., part], noise)

    return module.register_forward_hook(add).remove


def _added(module: Any, noise: Tensor) -> Any:
    def add(_: Any, args: Any, out: Tensor) -> Tensor:
        return out + torch.nn.functional.linear(args[0], noise)

    return module.register_forward_hook(add).remove


def _in_place(weight: Tensor, noise: Tensor) -> Any:
    before = weight.data.clone()
    weight.data.add_(noise)
    return lambda: weight.data.copy_(before)


def _floating(weights: list[Any]) -> list[Any]:
    if any(not one.is_floating_point() for one in weights):
        raise SubjectError("there is no noise on quantised weights", "use zero, mean or resample instead of noise")
    return weights


def _query(subject: Subject, site: Site) -> Any:
    """The layer's query projection, found beside its output projection. Raises SubjectError if a family keeps queries,
    keys and values in one matrix."""
    projection = site.modules[0]
    found = getattr(_parent(subject, projection), "q_proj", None)
    head = next(one for one in subject.sites if one.kind == "head" and one.modules[0] is projection)
    if found is None or found.weight.shape[0] != head.units * head.width:
        raise SubjectError(
            f"{subject.source.name} has no query projection of its own", "use zero, mean or resample instead of noise"
        )
    _floating([found.weight, projection.weight])
    return found


def _parent(subject: Subject, child: nn.Module) -> Any:
    return next(one for one in subject.model.modules() if any(part is child for part in one.children()))


def _first_input_row(mixer: Any) -> int | None:
    """Where the rows that make the heads' inputs begin in a Mamba2 mixer's input projection: [.., gate, x, B, C, step
    of each head]."""
    width = mixer.num_heads * mixer.head_dim
    states = 2 * mixer.n_groups * mixer.ssm_state_size
    first = mixer.in_proj.weight.shape[0] - mixer.num_heads - states - width
    return first if first >= width else None
