"""The first-order effect of removing a unit, for all units at once from one backward pass per prompt (docs/method.md,
section 10). L is the log-probability of a response's tokens, and z a unit's output at a response step.

grad-activation  mean over steps of |z·∂L/∂z|: the effect of setting z to 0 at a step, whatever its sign
attribution      mean over steps of (z̄ − z)·∂L/∂z: the change of L per token if z is its mean z̄ at all steps
                 instead; below 0 the unit makes the response likelier

z̄ is the mean over the steps of all prompts; for an expert, over the steps at which it is chosen (docs/method.md,
section 5). Attribution is linear in z̄, so sums over a prompt's steps are enough and no prompt is passed twice."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from synergy_tui.subject import ranks
from synergy_tui.subject.loading import Subject
from synergy_tui.subject.sites import Site, Units
from synergy_tui.subject.taps import Change, changed

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Slopes:
    """Sums over the response steps of one prompt, by site: [units] of |z·g|, of z·g and of the steps at which the unit
    has an output, [units, width] of g and of z, where g = ∂L/∂z. steps: of the response."""

    steps: int
    size: list[np.ndarray]
    along: list[np.ndarray]
    count: list[np.ndarray]
    slope: list[np.ndarray]
    output: list[np.ndarray]

    def arrays(self) -> Arrays:
        """The arrays that a part of a job keeps."""
        named = {f"{name}.{n}": one for name in _SUMS for n, one in enumerate(getattr(self, name))}
        return named | {"steps": np.array(self.steps)}

    @classmethod
    def of(cls, arrays: Arrays) -> Slopes:
        """Rebuilds the sums from the result of `arrays`."""
        sites = sum(name.startswith("size.") for name in arrays)
        return cls(int(arrays["steps"]), *([arrays[f"{name}.{n}"] for n in range(sites)] for name in _SUMS))


_SUMS = ("size", "along", "count", "slope", "output")


def slopes(subject: Subject, units: Units, prompt: Sequence[int], response: Sequence[int]) -> Slopes:
    """The slopes of all units on one prompt with its response, from one teacher-forced pass and one backward pass."""
    ranks.alone("a score by gradients")
    device, steps = subject.device, len(response)
    ids = torch.tensor([[*prompt, *response[:-1]]], device=device)
    accepted = inspect.signature(subject.model.forward).parameters
    more: dict[str, Any] = {"logits_to_keep": steps} if "logits_to_keep" in accepted else {}
    with torch.enable_grad(), _nudged(units) as heard:
        logits = subject.model(input_ids=ids, use_cache=False, **more).logits[0, -steps:]
        said = torch.tensor(response, device=logits.device)[:, None]
        _wide(logits).log_softmax(dim=-1).gather(1, said).sum().backward()
    sums = [_summed(site, *heard[number], steps) for number, site in enumerate(units.sites)]
    return Slopes(steps, *(list(part) for part in zip(*sums, strict=True)))


@contextlib.contextmanager
def _nudged(units: Units) -> Iterator[dict[int, tuple[Tensor, Tensor, Tensor | None]]]:
    """Within it, every site adds a 0 whose gradient is that of the site's output. Number of the site → its output
    [tokens, units × width] with that 0, and None; for experts [tokens, chosen, width], and the experts' numbers."""
    heard: dict[int, tuple[Tensor, Tensor, Tensor | None]] = {}

    def nudging(number: int) -> Change:
        def nudge(value: Tensor, chosen: Tensor | None) -> Tensor:
            nothing = torch.zeros_like(value, requires_grad=True)
            # A copy: some layers add the residual stream into a block's output.
            heard[number] = (value.detach().clone(), nothing, chosen)
            return value + nothing

        return nudge

    with contextlib.ExitStack() as stack:
        for number, site in enumerate(units.sites):
            for hook in changed(site, nudging(number)):
                stack.callback(hook.remove)
        yield heard


def _summed(
    site: Site, value: Tensor, nothing: Tensor, chosen: Tensor | None, steps: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The sums of Slopes of one site; the steps are the last tokens."""
    slope = torch.zeros_like(value) if nothing.grad is None else nothing.grad
    if chosen is None:
        output, slope = (_wide(one.flatten(0, -2)[-steps:]).unflatten(-1, (site.units, -1)) for one in (value, slope))
        along = (output * slope).sum(dim=-1)
        count = torch.full((site.units,), float(steps))
        sums = (along.abs().sum(dim=0), along.sum(dim=0), count, slope.sum(dim=0), output.sum(dim=0))
        return _as_arrays(sums)
    output, slope = (_wide(one[-steps:].flatten(0, 1)) for one in (value, slope))
    which = chosen[-steps:].flatten()
    along = (output * slope).sum(dim=-1)

    def by_expert(part: Tensor) -> Tensor:
        return part.new_zeros(site.units, *part.shape[1:]).index_add_(0, which, part)

    ones = torch.ones_like(along)
    return _as_arrays(tuple(by_expert(one) for one in (along.abs(), along, ones, slope, output)))


def _wide(value: Tensor) -> Tensor:
    return value if value.dtype == torch.float64 else value.float()


def _as_arrays(sums: tuple[Tensor, ...]) -> Any:
    return tuple(one.cpu().numpy() for one in sums)


def means(prompts: Iterable[Slopes]) -> list[np.ndarray]:
    """z̄ by site [units, width], every step of all prompts with the same weight; NaN for an expert that no step has
    chosen."""
    total: list[np.ndarray] = []
    count: list[np.ndarray] = []
    for one in prompts:
        total = (
            [a + b for a, b in zip(total, one.output, strict=True)] if total else [b.astype(float) for b in one.output]
        )
        count = (
            [a + b for a, b in zip(count, one.count, strict=True)] if count else [b.astype(float) for b in one.count]
        )
    nothing = [np.full(one.shape, np.nan) for one in total]
    return [
        np.divide(one, many[:, None], out=out, where=many[:, None] > 0)
        for one, many, out in zip(total, count, nothing, strict=True)
    ]


def scores(units: Units, mean: Sequence[np.ndarray], prompt: Slopes) -> dict[str, Float[np.ndarray, " units"]]:
    """grad-activation and attribution of every unit on a prompt, nats per token; NaN at places without a unit, and for
    an expert without a mean."""
    made = {name: np.full(units.layers * units.per_layer, np.nan) for name in ("grad-activation", "attribution")}
    for number, (site, start) in enumerate(zip(units.sites, units.starts, strict=True)):
        first = site.layer * units.per_layer + start
        rows = slice(first, first + site.units)
        moved = (mean[number] * prompt.slope[number]).sum(axis=1) - prompt.along[number]
        made["attribution"][rows] = moved / prompt.steps
        made["grad-activation"][rows] = np.where(np.isnan(moved), np.nan, prompt.size[number]) / prompt.steps
    return made
