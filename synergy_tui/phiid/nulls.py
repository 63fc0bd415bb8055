"""Surrogate data: windows of the same units without the coupling between them, and the moments of what they give.

`prompt-shuffle`: each unit takes its prompts in a random order of its own, within blocks of similar length cut to the
block's shortest, the observed value computed on the same cut. `window-roll`: past and future windows of a unit rolled
together by a random offset of its own per prompt. Both keep each unit's windows, and so what it knows of its own
future, exactly. `series-shift` and `phase` do not: they shift the series circularly, or draw its phases anew, and are
there for comparison with publications that use them.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from synergy_tui.errors import MeasureError, UsageError
from synergy_tui.phiid.engine import PairEngine
from synergy_tui.phiid.moments import Moments, NullBlock
from synergy_tui.phiid.result import UnitTotals
from synergy_tui.phiid.tiles import spreading_of_atoms
from synergy_tui.phiid.windows import MIN_STEPS, Windows, response_lengths
from synergy_tui.terms import NULLS, UNCALIBRATED_NULLS

MIN_PROMPTS = 5
"""Fewest prompts of a block, and so of a prompt-shuffle."""

MIN_ROLL = 10
"""Fewest steps of windows to be rolled."""

FEWEST_DRAWS = 20
"""With fewer the third moment is noise."""


class NullEngine:
    """Surrogates of one series. A draw depends on the seed, the null and its number alone, so that blocks of pairs can
    be computed one after the other, or anywhere."""

    def __init__(
        self, series: Float[np.ndarray, "prompts units steps"], null: str, seed: int = 0, **method: Any
    ) -> None:
        """method: as PairEngine takes it. Raises UsageError for an unknown null, MeasureError for too few prompts or
        steps."""
        if null not in (*NULLS, *UNCALIBRATED_NULLS):
            raise UsageError(f"no null {null!r}", f"known: {', '.join((*NULLS, *UNCALIBRATED_NULLS))}")
        self.null, self._seed = null, [seed % 2**63, zlib.crc32(null.encode())]
        lag = method.get("lag", 1)
        series = np.asarray(series)
        self._blocks: list[np.ndarray] = []
        if null == "prompt-shuffle":
            self._blocks = blocks_of_like_length(response_lengths(series), lag)
            series = cut_to_blocks(series, self._blocks)
        self._series = series
        self.engine = PairEngine(series, **method)
        usable = self.engine.steps[self.engine.steps >= MIN_STEPS]
        if null != "prompt-shuffle" and (not len(usable) or usable.min() < MIN_ROLL):
            shortest = int(usable.min()) if len(usable) else 0
            raise MeasureError(
                f"{null} needs windows of {MIN_ROLL} steps; the shortest has {shortest}",
                "use prompt-shuffle, longer responses, or a smaller lag",
            )

    def __len__(self) -> int:
        return len(self.engine)

    def block(self, k: int, draws: int, drawn_one: Callable[[], None] = lambda: None) -> NullBlock:
        """Moments over `draws` surrogates of the k-th block of pairs, and each draw's unit sums. `drawn_one` hears of
        each."""
        observed = self.engine.block(k, keep_prompts=False)
        values = _measures(observed.mean)
        moments = Moments.zeros(values)
        units: list[UnitTotals] = []
        for windows in self.draws(draws):
            drawn = self.engine.block(k, windows, keep_prompts=False)
            moments.add(_measures(drawn.mean))
            units.append(drawn.totals)
            drawn_one()
        return NullBlock(observed.pairs, values, moments, observed.totals, units)

    def draws(self, count: int) -> Iterator[Windows]:
        """Windows of `count` surrogates."""
        return (self._draw(np.random.default_rng([*self._seed, number])) for number in range(count))

    def _draw(self, chance: np.random.Generator) -> Windows:
        engine = self.engine
        padded = engine.windows.past.shape[1]
        if self.null == "prompt-shuffle":
            order = np.tile(np.arange(engine.prompts, dtype=np.int32)[:, None], padded)
            for block in self._blocks:
                mixed = chance.random((len(block), engine.units)).argsort(axis=0)
                order[block, : engine.units] = block[mixed]
            with engine.arithmetic():
                return _shuffled(engine.windows, order)
        offsets = chance.random((engine.prompts, padded))
        if self.null == "window-roll":
            steps = engine.steps[:, None]
            with engine.arithmetic():
                return _rolled(engine.windows, engine.steps, np.int32(offsets * steps))
        if self.null == "series-shift":
            return engine.windows_of(_shifted(self._series, engine.lengths, offsets[:, : engine.units]))
        return engine.windows_of(_phases_drawn(self._series, engine.lengths, chance))


def surrogates(
    series: Float[np.ndarray, "prompts units steps"],
    null: str = NULLS[0],
    draws: int = 200,
    seed: int = 0,
    **method: Any,
) -> NullBlock:
    """Surrogates of all pairs of a series in one: analysis.nulls makes p and z of it. method: as `decompose` takes it.
    Raises UsageError and MeasureError as NullEngine does, and UsageError for fewer than 20 draws."""
    if draws < FEWEST_DRAWS:
        raise UsageError(f"{draws} surrogates are too few for a third moment", f"draw {FEWEST_DRAWS} or more")
    engine = NullEngine(series, null, seed, **method)
    return NullBlock.merge([engine.block(k, draws) for k in range(len(engine))])


def blocks_of_like_length(lengths: Int[np.ndarray, " prompts"], lag: int) -> list[Int[np.ndarray, " block"]]:
    """Prompts to be exchanged with each other: those with a window, by length, at least five at a time, and all of one
    length together; a remainder of fewer joins the last. Raises MeasureError below five prompts."""
    usable = np.flatnonzero(lengths - lag >= MIN_STEPS)
    if len(usable) < MIN_PROMPTS:
        raise MeasureError(
            f"prompt-shuffle needs {MIN_PROMPTS} prompts long enough, and there are {len(usable)}",
            "use --null window-roll, or capture more prompts",
        )
    usable = usable[np.argsort(lengths[usable], kind="stable")]
    blocks: list[list[int]] = [[]]
    for prompt in usable.tolist():
        full = len(blocks[-1]) >= MIN_PROMPTS
        if full and lengths[prompt] > lengths[blocks[-1][-1]]:
            blocks.append([])
        blocks[-1].append(prompt)
    if len(blocks[-1]) < MIN_PROMPTS:
        blocks[-2:] = [blocks[-2] + blocks[-1]]
    return [np.array(block, np.int32) for block in blocks]


def cut_to_blocks(series: np.ndarray, blocks: list[np.ndarray]) -> np.ndarray:
    """The series with every prompt as long as its block's shortest."""
    lengths = response_lengths(series)
    cut = np.array(series, copy=True)
    for block in blocks:
        cut[block, :, lengths[block].min() :] = np.nan
    return cut


@jax.jit
def _shuffled(windows: Windows, order: Int[Array, "prompts units"]) -> Windows:
    units = jnp.arange(order.shape[1])[None, :]
    return Windows(*(array[order, units] for array in windows))


@jax.jit
def _rolled(windows: Windows, steps: Array, offsets: Int[Array, "prompts units"]) -> Windows:
    place = jnp.arange(windows.past.shape[2])[None, None, :]
    length = jnp.maximum(steps, 1)[:, None, None]
    source = jnp.where(place < length, (place + offsets[:, :, None]) % length, place)
    past, future = (jnp.take_along_axis(side, source, axis=2) for side in (windows.past, windows.future))
    return windows._replace(past=past, future=future)


def _shifted(series: np.ndarray, lengths: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    place = np.arange(series.shape[2])
    length = np.maximum(lengths, 1)[:, None, None]
    shift = (offsets[:, :, None] * length).astype(int)
    source = np.where(place < length, (place + shift) % length, place)
    return np.take_along_axis(series, source, axis=2)


def _phases_drawn(series: np.ndarray, lengths: np.ndarray, chance: np.random.Generator) -> np.ndarray:
    """Each unit's response with the spectrum it has and phases of its own."""
    out = np.array(series, np.float64)
    for prompt, length in enumerate(lengths):
        if length < 2:
            continue
        spectrum = np.fft.rfft(out[prompt, :, :length], axis=1)
        turn = np.exp(2j * np.pi * chance.random(spectrum.shape))
        turn[:, 0] = 1.0
        if length % 2 == 0:
            turn[:, -1] = 1.0
        out[prompt, :, :length] = np.fft.irfft(spectrum * turn, length, axis=1)
    return out


def _measures(mean: Float[np.ndarray, "n 16"]) -> Float[np.ndarray, "n 3"]:
    return np.stack(spreading_of_atoms(mean.T), axis=1)
