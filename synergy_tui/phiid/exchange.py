"""Response lengths and categories → the blocks of prompts within which `prompt-shuffle` exchanges responses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from synergy_tui.errors import MeasureError
from synergy_tui.phiid.windows import MIN_STEPS, response_lengths

MIN_PROMPTS = 5
"""Fewest prompts in a block, and so in a prompt-shuffle."""

MOST_LOST = 0.2
"""Largest share of its steps that a block may lose when its responses are cut to the shortest."""

SAME_RESPONSE = 0.98
"""Mean correlation over units above which two responses count as the same response, repeated."""


@dataclass(frozen=True)
class Exchange:
    """blocks: prompts exchanged with each other. unlike: usable prompts outside all blocks, because too few others are
    as long or because their category is too small. repeated: prompts that repeat another prompt's response."""

    blocks: list[Int[np.ndarray, " _"]]
    unlike: Int[np.ndarray, " unlike"]
    repeated: Int[np.ndarray, " repeated"]

    @property
    def prompts(self) -> Int[np.ndarray, " prompts"]:
        """Prompts that take part, ascending."""
        return np.sort(np.concatenate(self.blocks))

    def cut(self, series: Float[np.ndarray, "prompts units steps"]) -> Float[np.ndarray, "prompts units steps"]:
        """The series with every prompt cut to its block's shortest, and NaN for prompts that take no part: surrogates
        are compared with this."""
        lengths = response_lengths(series)
        out = np.full(series.shape, np.nan, np.result_type(series.dtype, np.float32))
        for block in self.blocks:
            kept = lengths[block].min()
            out[block, :, :kept] = series[block, :, :kept]
        return out


def exchange(
    series: Float[np.ndarray, "prompts units steps"],
    lag: int = 1,
    categories: Int[np.ndarray, " prompts"] | None = None,
) -> Exchange:
    """Which prompts may be exchanged. categories: a number per prompt; a category with five usable prompts or more is
    shuffled by itself, the prompts of smaller ones together. Raises MeasureError when no five prompts are of like
    length."""
    lengths = response_lengths(series)
    usable = lengths - lag >= MIN_STEPS
    again = np.zeros(len(lengths), bool)
    again[repeated(similarity(series, lag))] = True
    blocks: list[np.ndarray] = []
    for group in _groups(usable & ~again, categories):
        blocks += like_length(lengths, group, lag)
    inside = np.zeros(len(lengths), bool)
    for block in blocks:
        inside[block] = True
    if not blocks:
        raise MeasureError(
            f"prompt-shuffle needs {MIN_PROMPTS} different responses of like length, and no {MIN_PROMPTS} of the "
            f"{int(usable.sum())} usable ones are",
            "use --null window-roll, or capture more prompts or equal lengths",
        )
    return Exchange(blocks, np.flatnonzero(usable & ~again & ~inside), np.flatnonzero(again & usable))


def like_length(
    lengths: Int[np.ndarray, " prompts"], group: Int[np.ndarray, " group"], lag: int = 1
) -> list[Int[np.ndarray, " _"]]:
    """Blocks of the prompts in `group`: runs of the prompts sorted by length, at least five each, none losing more than
    a fifth of its steps when cut to its shortest. It is the division in which the most steps are expected to meet a
    step of another prompt, Σ (n − 1)·(shortest − lag); prompts that would only cost others their steps are in no block.
    """
    order = group[np.argsort(lengths[group], kind="stable")]
    steps = lengths[order].astype(np.int64)
    count = len(order)
    sums = np.concatenate([[0], np.cumsum(steps)])
    best, came = np.zeros(count + 1, np.int64), np.full(count + 1, -1)
    for end in range(1, count + 1):
        best[end] = best[end - 1]
        starts = np.arange(max(end - MIN_PROMPTS + 1, 0))
        if not len(starts):
            continue
        size = end - starts
        whole = size * steps[starts] >= (1 - MOST_LOST) * (sums[end] - sums[starts])
        worth = np.where(whole, best[starts] + (size - 1) * (steps[starts] - lag), -1)
        first = int(worth.argmax())
        if worth[first] > best[end]:
            best[end], came[end] = worth[first], first
    blocks, end = [], count
    while end > 0:
        if came[end] < 0:
            end -= 1
            continue
        blocks.append(np.sort(order[came[end] : end]).astype(np.int32))
        end = int(came[end])
    return blocks[::-1]


def similarity(
    series: Float[np.ndarray, "prompts units steps"], lag: int = 1, at_once: int = 256
) -> Float[np.ndarray, "prompts prompts"]:
    """Mean over units of the correlation between two prompts' series, step by step; 0 if one has no value."""
    prompts, units, steps = series.shape
    inside = np.arange(steps) < response_lengths(series)[:, None]
    total = np.zeros((prompts, prompts))
    for start in range(0, units, at_once):
        part: np.ndarray = np.where(inside[:, None], series[:, start : start + at_once], np.nan).astype(np.float32)
        bad = ~np.isfinite(part) & inside[:, None]
        part = np.where(inside[:, None] & ~bad.any(axis=2, keepdims=True), part, 0.0)
        scale = np.abs(part).max(axis=2, keepdims=True)
        part = part / np.where(scale > 0, scale, 1.0)
        part -= part.sum(axis=2, keepdims=True) / np.maximum(inside.sum(axis=1), 1)[:, None, None]
        part = np.where(inside[:, None], part, 0.0)
        length = np.sqrt((part**2).sum(axis=2, keepdims=True))
        flat = (part / np.where(length > 1e-6, length, np.inf)).reshape(prompts, -1)
        total += flat @ flat.T
    return total / units


def repeated(similar: Float[np.ndarray, "prompts prompts"]) -> Int[np.ndarray, " repeated"]:
    """Prompts that repeat the response of an earlier one."""
    return np.flatnonzero(np.triu(similar > SAME_RESPONSE, 1).any(axis=0))


def _groups(usable: np.ndarray, categories: np.ndarray | None) -> list[np.ndarray]:
    if categories is None:
        return [np.flatnonzero(usable)]
    names, counts = np.unique(categories[usable], return_counts=True)
    large = names[counts >= MIN_PROMPTS]
    groups = [np.flatnonzero(usable & (categories == name)) for name in large]
    rest = np.flatnonzero(usable & ~np.isin(categories, large))
    return [*groups, rest] if len(rest) else groups
