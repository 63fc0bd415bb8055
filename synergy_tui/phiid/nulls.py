"""Surrogate data: windows of the same units without the coupling between them, and the moments of their decompositions.

`prompt-shuffle`: each unit takes its prompts in its own random order, within blocks of similar length and one category
(exchange.py) cut to the block's shortest. `window-roll`: past and future windows of a unit are rolled together by the
unit's own random offset per prompt. The observed value is computed on the same prompts and the same cut. Both keep each
unit's windows exactly, and so its information about its own future. `series-shift` and `phase` do not: they shift the
series circularly, or draw its phases anew, and exist for comparison with publications that use them.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from synergy_tui import tails
from synergy_tui.errors import MeasureError, UsageError
from synergy_tui.phiid.engine import PairEngine
from synergy_tui.phiid.exchange import Exchange, exchange
from synergy_tui.phiid.moments import Moments, NullBlock, by_prompt
from synergy_tui.phiid.result import UnitTotals
from synergy_tui.phiid.tiles import spreading_of_atoms
from synergy_tui.phiid.windows import Windows, response_lengths
from synergy_tui.terms import NULLS, UNCALIBRATED_NULLS

MIN_ROLL = 10
"""Fewest steps of windows that may be rolled."""

FEWEST_DRAWS = 20
"""With fewer draws the third moment is noise."""

KEPT_DRAWS = 8
"""Draws whose unit values are kept for every prompt: they show how much the surrogate mean depends on the prompts."""


class Draw(NamedTuple):
    """One surrogate. order: the prompt at each place, by unit; None if every prompt stays in place."""

    windows: Windows
    order: Int[np.ndarray, "prompts units"] | None


class NullEngine:
    """Surrogates of one series. A draw depends only on the seed, the null and its number, so blocks of pairs can be
    computed one after another, or anywhere. series: the data as the null uses them, NaN where a prompt takes no part or
    is cut; exchange: how prompt-shuffle exchanges prompts, None for other nulls."""

    def __init__(
        self,
        series: Float[np.ndarray, "prompts units steps"],
        null: str,
        seed: int = 0,
        categories: Int[np.ndarray, " prompts"] | None = None,
        **method: Any,
    ) -> None:
        """categories: a number per prompt; prompt-shuffle stays within large enough categories. method: as in
        PairEngine. Raises UsageError for an unknown null, MeasureError for too few prompts or steps."""
        if null not in (*NULLS, *UNCALIBRATED_NULLS):
            raise UsageError(f"no null {null!r}", f"known: {', '.join((*NULLS, *UNCALIBRATED_NULLS))}")
        self.null, self._seed = null, [seed % 2**63, zlib.crc32(null.encode())]
        series = np.asarray(series)
        self.exchange: Exchange | None = None
        if null == "prompt-shuffle":
            self.exchange = exchange(series, method.get("lag", 1), categories)
            series = self.exchange.cut(series)
        else:
            series = _long_enough(series, method.get("lag", 1), null)
        self.series = series
        self.engine = PairEngine(series, **method)

    def __len__(self) -> int:
        return len(self.engine)

    @property
    def used(self) -> Int[np.ndarray, " prompts"]:
        """Prompts that take part."""
        return np.flatnonzero(self.engine.steps > 0)

    def block(self, k: int, draws: int, drawn_one: Callable[[], None] = lambda: None) -> NullBlock:
        """Moments over `draws` surrogates of the k-th block of pairs, and each draw's unit sums. `drawn_one` is called
        after each."""
        several = self.engine.method.pool == "mean"
        observed = self.engine.block(k, keep_prompts=several)
        values = _measures(observed.mean)
        moments = Moments.zeros(values)
        units: list[UnitTotals] = []
        prompts = [by_prompt(observed.sums)]
        earlier, counts = moments, np.zeros((values.shape[1], tails.BINS), np.int64)
        for number, (windows, order) in enumerate(self.draws(draws)):
            keep = several and number < KEPT_DRAWS
            drawn = self.engine.block(k, windows, keep_prompts=keep)
            one = _measures(drawn.mean)
            if number == draws // 2:
                earlier = moments.copy()
            if number >= draws // 2:
                counts += tails.counted(earlier.scores(one))
            moments.add(one)
            units.append(drawn.totals)
            if keep:
                prompts.append(_in_place(by_prompt(drawn.sums), order))
            drawn_one()
        return NullBlock(observed.pairs, values, moments, observed.totals, units, np.stack(prompts), counts)

    def draws(self, count: int) -> Iterator[Draw]:
        """`count` surrogates."""
        return (self._draw(np.random.default_rng([*self._seed, number])) for number in range(count))

    def _draw(self, chance: np.random.Generator) -> Draw:
        engine = self.engine
        padded = engine.windows.past.shape[1]
        if self.exchange is not None:
            order = np.tile(np.arange(engine.prompts, dtype=np.int32)[:, None], padded)
            for block in self.exchange.blocks:
                mixed = chance.random((len(block), engine.units)).argsort(axis=0)
                order[block, : engine.units] = block[mixed]
            with engine.arithmetic():
                return Draw(_shuffled(engine.windows, order), order[:, : engine.units])
        offsets = chance.random((engine.prompts, padded))
        if self.null == "window-roll":
            steps = engine.steps[:, None]
            with engine.arithmetic():
                return Draw(_rolled(engine.windows, engine.steps, np.int32(offsets * steps)), None)
        if self.null == "series-shift":
            shifted = _shifted(self.series, engine.lengths, offsets[:, : engine.units])
            return Draw(engine.windows_of(shifted), None)
        return Draw(engine.windows_of(_phases_drawn(self.series, engine.lengths, chance)), None)


def surrogates(
    series: Float[np.ndarray, "prompts units steps"],
    null: str = NULLS[0],
    draws: int = 200,
    seed: int = 0,
    categories: Int[np.ndarray, " prompts"] | None = None,
    **method: Any,
) -> NullBlock:
    """Surrogates of all pairs of a series in one block: analysis.nulls computes p and z from it. categories: as in
    NullEngine. method: as in `decompose`. Raises UsageError and MeasureError as NullEngine does, and UsageError for
    fewer than 20 draws."""
    if draws < FEWEST_DRAWS:
        raise UsageError(f"{draws} surrogates are too few for a third moment", f"draw {FEWEST_DRAWS} or more")
    engine = NullEngine(series, null, seed, categories, **method)
    return NullBlock.merge([engine.block(k, draws) for k in range(len(engine))])


def _long_enough(series: np.ndarray, lag: int, null: str) -> np.ndarray:
    """The series without responses whose windows are too short to be rolled."""
    steps = response_lengths(series) - lag
    if steps.max(initial=0) < MIN_ROLL:
        raise MeasureError(
            f"{null} needs windows of {MIN_ROLL} steps; the longest has {max(int(steps.max(initial=0)), 0)}",
            "use prompt-shuffle, longer responses, or a smaller lag",
        )
    if (steps >= MIN_ROLL).all():
        return series
    return np.where((steps >= MIN_ROLL)[:, None, None], series, np.nan)


def _in_place(
    values: Float[np.ndarray, "prompts units k"], order: Int[np.ndarray, "prompts units"] | None
) -> np.ndarray:
    """Moves a unit's values at a place to the prompt whose windows it has there."""
    if order is None:
        return values
    out = np.empty_like(values)
    np.put_along_axis(out, order[:, :, None], values, axis=0)
    return out


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
    """Each unit's response with its own spectrum and random phases."""
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
