"""What is done to a unit that is "removed" (METHOD section 5), as contexts around a forward pass. Nothing writes to a
weight: everything is a hook, so however a pass ends, the subject is what it was.

zero      the head's slice of the output projection's input is 0
mean      it is the head's mean over the response steps of a reference set
resample  it is what the intact head gives in another prompt: at the same step of its response, and before the response
          at the same position (the last one before its response where that prompt is shorter)
noise     Gaussian noise on the head's query rows and output-projection columns, α times the standard deviation of each
          slice. A head's noise depends on the seed and on the head alone
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from synergy_tui.ablation.packing import Pass, Sequences, passes
from synergy_tui.errors import SubjectError, UsageError
from synergy_tui.subject.loading import Subject
from synergy_tui.subject.taps import HeadsRemoved

Removed = Mapping[int, Sequence[int]]
"""layer → heads."""


class Intervention:
    """What happens to removed heads. `on` is the context of a pass; `own_answers`: whether it is defined while the
    model writes an answer of its own."""

    name = "zero"
    own_answers = True

    @contextlib.contextmanager
    def watching(self, subject: Subject) -> Iterator[None]:
        """Around the passes of the intact model."""
        yield

    def settle(self, subject: Subject, sequences: Sequences, made: list[Pass]) -> None:
        """After them."""

    def on(self, subject: Subject, removed: Removed, number: int = 0) -> contextlib.AbstractContextManager[Any]:
        """The context of one pass; `number`: which of the intact passes it repeats."""
        raise NotImplementedError


class Zero(Intervention):
    """The slice is 0."""

    def on(self, subject: Subject, removed: Removed, number: int = 0) -> contextlib.AbstractContextManager[Any]:
        return HeadsRemoved(subject.projections, subject.heads, removed)


class Mean(Intervention):
    """The slice is the head's mean [layers, width] over a reference set."""

    name = "mean"

    def __init__(self, means: Float[Tensor, "layers width"]) -> None:
        self._means = means

    def on(self, subject: Subject, removed: Removed, number: int = 0) -> contextlib.AbstractContextManager[Any]:
        return _replaced(subject, removed, lambda layer: self._means[layer])


class Resample(Intervention):
    """The slice is that of another of the prompts that are replayed, drawn once by `seed`, none its own."""

    name = "resample"
    own_answers = False

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._values: list[list[Tensor]] = []
        self._donors: list[Tensor] = []

    @contextlib.contextmanager
    def watching(self, subject: Subject) -> Iterator[None]:
        self._values = [[] for _ in subject.projections]
        with contextlib.ExitStack() as stack:
            for layer, projection in enumerate(subject.projections):

                def keep(_: nn.Module, args: tuple[Tensor, ...], layer: int = layer) -> None:
                    self._values[layer].append(args[0].flatten(0, 1))

                stack.callback(projection.register_forward_pre_hook(keep).remove)
            yield

    def settle(self, subject: Subject, sequences: Sequences, made: list[Pass]) -> None:
        donor = donors(len(sequences.prompts), self._seed)
        offsets = np.cumsum([0, *(one.ids.numel() for one in made)])
        flat: dict[int, np.ndarray] = {}
        for one, offset in zip(made, offsets, strict=False):
            for sequence, (row, columns) in one.at.items():
                flat[sequence] = offset + row * one.ids.shape[1] + np.array(columns)
        for one, offset in zip(made, offsets, strict=False):
            index = np.arange(one.ids.numel()) + offset
            for sequence in one.sequences:
                other = int(donor[sequence])
                mine, first = flat[sequence], sequences.first_step(sequence)
                before = np.minimum(np.arange(first), sequences.first_step(other) - 1)
                steps = np.minimum(np.arange(len(mine) - first), len(sequences.responses[other]) - 1)
                index[mine - offset] = flat[other][[*before, *(steps + sequences.first_step(other))]]
            self._donors.append(torch.as_tensor(index, device=subject.device).view(one.ids.shape))
        self._values = [[torch.cat(parts)] for parts in self._values]

    def on(self, subject: Subject, removed: Removed, number: int = 0) -> contextlib.AbstractContextManager[Any]:
        return _replaced(subject, removed, lambda layer: self._values[layer][0][self._donors[number]])


class Noise(Intervention):
    """`alpha`: σ over the standard deviation of the slice."""

    name = "noise"

    def __init__(self, alpha: float, seed: int) -> None:
        self._alpha, self._seed = alpha, seed

    @contextlib.contextmanager
    def on(self, subject: Subject, removed: Removed, number: int = 0) -> Iterator[None]:
        queries, width = query_projections(subject), subject.head_dim
        with contextlib.ExitStack() as stack:
            for layer, heads in removed.items():
                if not len(heads):
                    continue
                columns = torch.cat([torch.arange(head * width, (head + 1) * width) for head in heads])
                columns = columns.to(subject.device)
                made = [self._of(subject, queries[layer], layer, head) for head in heads]
                rows, outs = torch.cat([one[0] for one in made]), torch.cat([one[1] for one in made], dim=1)

                def query(_: Any, args: Any, out: Tensor, rows: Tensor = rows, columns: Tensor = columns) -> Tensor:
                    return out.index_add(-1, columns, torch.nn.functional.linear(args[0], rows))

                def output(_: Any, args: Any, out: Tensor, outs: Tensor = outs, columns: Tensor = columns) -> Tensor:
                    return out + torch.nn.functional.linear(args[0][..., columns], outs)

                stack.callback(queries[layer].register_forward_hook(query).remove)
                stack.callback(subject.projections[layer].register_forward_hook(output).remove)
            yield

    def _of(self, subject: Subject, query: nn.Module, layer: int, head: int) -> tuple[Tensor, Tensor]:
        """Noise of one head: [width, hidden] for its query rows, [hidden, width] for its output columns."""
        part = slice(head * subject.head_dim, (head + 1) * subject.head_dim)
        chance = np.random.default_rng([self._seed, layer, head])
        out = []
        for weight in (query.weight[part], subject.projections[layer].weight[:, part]):
            drawn = torch.as_tensor(chance.standard_normal(tuple(weight.shape), dtype=np.float32))
            out.append((drawn.to(weight.device) * (self._alpha * weight.float().std())).to(weight.dtype))
        return out[0], out[1]


def donors(count: int, seed: int) -> np.ndarray:
    """Which other one each of `count` prompts takes from: one random cycle, so that none takes from itself. Raises
    UsageError when there is no other."""
    if count < 2:
        raise UsageError("resample needs another prompt to take from", "replay two prompts or more")
    order = np.random.default_rng(seed).permutation(count)
    out = np.empty(count, int)
    out[order] = np.roll(order, -1)
    return out


@torch.inference_mode()
def reference_means(
    subject: Subject, prompts: Sequence[Sequence[int]], responses: Sequence[Sequence[int]], batch: int
) -> Float[Tensor, "layers width"]:
    """Each head's mean output over the response steps of a reference set, every step counting alike."""
    sequences = Sequences(prompts, responses)
    made = passes(sequences, batch, subject.device, packed=False)
    sums = [torch.zeros(1, dtype=torch.float64, device=subject.device) for _ in subject.projections]
    for one in made:
        with contextlib.ExitStack() as stack:
            for layer, projection in enumerate(subject.projections):

                def add(_: Any, args: tuple[Tensor, ...], layer: int = layer, one: Pass = one) -> None:
                    sums[layer] = sums[layer] + args[0][one.rows, one.places].double().sum(dim=0)

                stack.callback(projection.register_forward_pre_hook(add).remove)
            subject.model.base_model(input_ids=one.ids, position_ids=one.positions, use_cache=False)
    steps = sum(len(one.rows) for one in made)
    return (torch.stack(sums) / steps).to(subject.model.dtype)


def query_projections(subject: Subject) -> list[nn.Module]:
    """The layers' query projections, found beside the output projections. Raises SubjectError for a family that keeps
    queries, keys and values in one matrix."""
    parents = {id(child): module for module in subject.model.modules() for child in module.children()}
    found = [getattr(parents[id(one)], "q_proj", None) for one in subject.projections]
    width = subject.heads * subject.head_dim
    if any(one is None or one.weight.shape[0] != width for one in found):
        raise SubjectError(
            f"{subject.source.name} has no query projection of its own", "use zero, mean or resample instead of noise"
        )
    return found


@contextlib.contextmanager
def _replaced(subject: Subject, removed: Removed, by: Any) -> Iterator[None]:
    """Within it the heads' slices are those of `by(layer)`, which fits [rows, tokens, width]."""
    with contextlib.ExitStack() as stack:
        for layer, heads in removed.items():
            if not len(heads):
                continue
            gone = torch.zeros(subject.heads, dtype=torch.bool, device=subject.device)
            gone[list(heads)] = True
            columns = gone.repeat_interleave(subject.head_dim)

            def replace(
                _: nn.Module, args: tuple[Tensor, ...], columns: Tensor = columns, layer: int = layer
            ) -> tuple[Tensor, ...]:
                return (torch.where(columns, by(layer), args[0]), *args[1:])

            stack.callback(subject.projections[layer].register_forward_pre_hook(replace).remove)
        yield
