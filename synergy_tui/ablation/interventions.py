"""What happens to a "removed" unit (docs/method.md, section 5), as contexts around a forward pass. However a pass ends,
the subject is restored.

zero      the unit's output is 0: a head's slice of the output projection's input, a block's output, an expert's share
mean      its output is its mean over the response steps of a reference set (an expert: over the steps that chose it)
resample  the intact unit's output in another prompt: at the same step of its response, and before the response at the
          same position (the last one before its response if that prompt is shorter). An expert gives what it gave
          there, or nothing if it was not chosen there
noise     Gaussian noise on the weights by which the unit reads and writes: `ablation/noise.py`
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from synergy_tui.ablation.noise import noisy
from synergy_tui.ablation.packing import Pass, Sequences, passes
from synergy_tui.errors import UsageError
from synergy_tui.subject.loading import Subject
from synergy_tui.subject.sites import Site, Units
from synergy_tui.subject.taps import Change, UnitsChanged, UnitsRemoved, changed, sites_of

Removed = Mapping[int, Sequence[int]]
"""layer → places of units in it."""


class Intervention:
    """What happens to removed units. `on` is the context of a pass; `own_answers`: whether it is defined while the
    model writes its own answer."""

    name = "zero"
    own_answers = True

    @contextlib.contextmanager
    def watching(self, units: Units) -> Iterator[None]:
        """Around the passes of the intact model."""
        yield

    def settle(self, sequences: Sequences, made: list[Pass]) -> None:
        """After them."""

    def on(self, units: Units, removed: Removed, number: int = 0) -> contextlib.AbstractContextManager[Any]:
        """The context of one pass; `number`: which of the intact passes it repeats. Each intervention
        has its own."""
        raise NotImplementedError


class Zero(Intervention):
    """The units' output is 0."""

    def on(self, units: Units, removed: Removed, number: int = 0) -> contextlib.AbstractContextManager[Any]:
        return UnitsRemoved(units, removed)


class Mean(Intervention):
    """The units' output is their mean. `means`: per site, [units × width], for experts [experts, width]."""

    name = "mean"

    def __init__(self, means: Sequence[Tensor]) -> None:
        self._means = means

    def on(self, units: Units, removed: Removed, number: int = 0) -> contextlib.AbstractContextManager[Any]:
        def change(number: int, site: Site, places: list[int]) -> Change:
            mean, gone = self._means[number], _Gone(site, places)
            if site.kind == "expert":
                return lambda each, chosen: torch.where(gone.of(chosen), mean.to(each.dtype)[chosen], each)
            return lambda value, _: torch.where(gone.columns(value), mean.to(value.dtype), value)

        return UnitsChanged(units, removed, change)


class Resample(Intervention):
    """The units' output is that in another replayed prompt, drawn once by `seed`, never the same prompt. The outputs of
    all units on all prompts are kept."""

    name = "resample"
    own_answers = False

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._values: list[list[Any]] = []
        self._kept: list[tuple[Tensor, Tensor | None]] = []
        self._donors: list[Tensor] = []

    @contextlib.contextmanager
    def watching(self, units: Units) -> Iterator[None]:
        self._values = [[] for _ in units.sites]
        with heard(units, lambda number, value, chosen: self._values[number].append((value, chosen))):
            yield

    def settle(self, sequences: Sequences, made: list[Pass]) -> None:
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
            self._donors.append(torch.as_tensor(index, device=one.ids.device))
        for parts in self._values:
            chosen = None if parts[0][1] is None else torch.cat([one for _, one in parts])
            self._kept.append((torch.cat([value for value, _ in parts]), chosen))
        self._values = []

    def on(self, units: Units, removed: Removed, number: int = 0) -> contextlib.AbstractContextManager[Any]:
        donor = self._donors[number]

        def change(number: int, site: Site, places: list[int]) -> Change:
            (kept, routed), gone = self._kept[number], _Gone(site, places)

            def another(value: Tensor, _: Any) -> Tensor:
                theirs = kept.index_select(0, donor.to(kept.device)).view_as(value)
                return torch.where(gone.columns(value), theirs, value)

            def experts(each: Tensor, chosen: Tensor) -> Tensor:
                assert routed is not None
                index = donor.to(kept.device)
                theirs = torch.where(gone.of(routed[index]), kept[index], 0).sum(dim=1)
                out = torch.where(gone.of(chosen), 0, each)
                out[:, 0] += theirs  # outputs are added up, so the place does not matter
                return out

            return experts if site.kind == "expert" else another

        return UnitsChanged(units, removed, change)


class Noise(Intervention):
    """`alpha`: σ over the standard deviation of a unit's weights."""

    name = "noise"

    def __init__(self, subject: Subject, alpha: float, seed: int) -> None:
        self._subject, self._alpha, self._seed = subject, alpha, seed

    @contextlib.contextmanager
    def on(self, units: Units, removed: Removed, number: int = 0) -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            for _, site, places in sites_of(units, removed):
                stack.enter_context(noisy(self._subject, site, places, self._alpha, self._seed))
            yield


class _Gone:
    """Which units of a site are gone, as masks for their output in this process."""

    def __init__(self, site: Site, places: list[int]) -> None:
        mask = torch.zeros(site.units, dtype=torch.bool)
        mask[places] = True
        self._mask = mask[site.here.start : site.here.stop]

    def of(self, chosen: Tensor) -> Tensor:
        """[tokens, chosen, 1]: whether the expert is gone."""
        self._mask = self._mask.to(chosen.device)
        return self._mask[chosen][..., None]

    def columns(self, value: Tensor) -> Tensor:
        """[units × width]."""
        self._mask = self._mask.to(value.device)
        return self._mask.repeat_interleave(value.shape[-1] // len(self._mask))


@contextlib.contextmanager
def heard(units: Units, take: Callable[[int, Tensor, Tensor | None], None]) -> Iterator[None]:
    """Within it, `take(number of the site, value [tokens, units × width], None)` receives the output of every site's
    units; for experts (number, [tokens, chosen, width], experts' numbers [tokens, chosen])."""

    def listening(number: int) -> Change:
        def hear(value: Tensor, chosen: Tensor | None) -> Tensor:
            take(number, value.flatten(0, -2) if chosen is None else value, chosen)
            return value

        return hear

    with contextlib.ExitStack() as stack:
        for number, site in enumerate(units.sites):
            for hook in changed(site, listening(number)):
                stack.callback(hook.remove)
        yield


def donors(count: int, seed: int) -> np.ndarray:
    """The prompt from which each of `count` prompts takes: one random cycle, so that none takes from itself. Raises
    UsageError when there is only one prompt."""
    if count < 2:
        raise UsageError("resample needs another prompt to take from", "replay two prompts or more")
    order = np.random.default_rng(seed).permutation(count)
    out = np.empty(count, int)
    out[order] = np.roll(order, -1)
    return out


@torch.inference_mode()
def reference_means(
    subject: Subject, units: Units, prompts: Sequence[Sequence[int]], responses: Sequence[Sequence[int]], batch: int
) -> list[Tensor]:
    """The mean output of each unit over the response steps of a reference set, every step with the same weight: per
    site [units × width]; for experts [experts, width] over the steps at which an expert is chosen, 0 if it never is."""
    made = passes(Sequences(prompts, responses), batch, subject.device, packed=False)
    sums: list[Any] = [0.0] * len(units.sites)
    counts: list[Any] = [0] * len(units.sites)
    steps: list[Tensor] = []

    def add(number: int, value: Tensor, chosen: Tensor | None) -> None:
        value = value[steps[-1].to(value.device)].double()
        if chosen is None:
            sums[number] = sums[number] + value.sum(dim=0)
            counts[number] += len(value)
            return
        chosen, experts = chosen[steps[-1].to(chosen.device)].flatten(), units.sites[number].units
        total = value.new_zeros(experts, value.shape[-1]).index_add_(0, chosen, value.flatten(0, 1))
        sums[number] = sums[number] + total
        counts[number] = counts[number] + torch.bincount(chosen, minlength=experts)[:, None]

    with heard(units, add):
        for one in made:
            steps.append(one.rows * one.ids.shape[1] + one.places)
            subject.base(input_ids=one.ids, position_ids=one.positions, use_cache=False)
    floor = torch.ones((), dtype=torch.long)
    return [
        (total / torch.maximum(torch.as_tensor(count), floor.to(total.device))).to(subject.model.dtype)
        for total, count in zip(sums, counts, strict=True)
    ]
