"""All pairs of a series: tiles of the unit × unit triangle, each summed over prompts separately, on every core or
device. Memory grows with the units and one block of pairs, never with all pairs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int

from synergy_tui.errors import UsageError
from synergy_tui.phiid import gaussian, threads, tiles
from synergy_tui.phiid import redundancy as redundancies
from synergy_tui.phiid.lattice import SWAP, atoms_from_cumulative
from synergy_tui.phiid.local import local_redundancies
from synergy_tui.phiid.result import PairAtoms, PairBlock, UnitSums, UnitTotals, mean_of, merge
from synergy_tui.phiid.tiles import BALANCE, BALANCE_COUNT, COUNT, OFFSET, Method, Tile
from synergy_tui.phiid.windows import (
    CLEAR,
    ILL_CONDITIONED,
    SMALLEST_RATIO,
    Windows,
    make_bits,
    make_windows,
    response_lengths,
)
from synergy_tui.terms import BIASES, ESTIMATORS, INVALID_REASONS, POOLS, PRECISIONS, REDUNDANCIES

LARGEST_TILE = {("gaussian", "mmi"): 60, ("gaussian", "ccs"): 96, ("discrete", "mmi"): 64, ("discrete", "ccs"): 32}
"""Units on a tile's side on a CPU: a tile's working data stay in a core's second-level cache."""

LARGEST_TILE_ELSEWHERE = 1024
"""On a GPU a tile takes about the same time whatever its size, so smaller tiles for more workers lose more than they
win (docs/scale.md)."""

PAIRS_PER_BLOCK = 250_000

PAIRS_PER_UNIT = 100
"""Fewest pairs of a block per unit: a block's sums by unit and prompt take as much memory as some 50 pairs per unit."""

ILL_CHUNK = 1024
"""Ill-conditioned pairs recomputed at a time: one compiled shape."""


def decompose(
    series: Float[np.ndarray, "prompts units steps"],
    estimator: str = "gaussian",
    redundancy: str = "mmi",
    lag: int = 1,
    pairs: Int[np.ndarray, "n 2"] | None = None,
    pool: str = "mean",
    precision: str = "float64",
    bias: str = "none",
) -> PairAtoms:
    """ΦID of all pairs (or of the given ones, i < j) of a series [prompts, units, steps], NaN past a response's end.

    estimator: gaussian or discrete · redundancy: mmi or ccs · pool: `mean` decomposes every prompt and averages,
    `pooled` decomposes once, with correlations averaged over prompts by their length (or counts added up) · precision:
    float64 or float32 · bias: none or analytic, for Gaussian informations under MMI. All values in nats. Source:
    Mediano et al., PNAS 122(39), 2025. Raises UsageError for a series, word, lag or pair that cannot be decomposed,
    MeasureError when no pair is valid.
    """
    engine = PairEngine(series, estimator, redundancy, lag, pairs, pool, precision, bias)
    return merge(engine.blocks())


class Layout(NamedTuple):
    """How pairs are cut into tiles and blocks. largest: most units on a tile's side. blocks: at least this many, if
    rows of tiles allow it."""

    largest: int
    blocks: int = 1

    @classmethod
    def here(cls, estimator: str, redundancy: str, blocks: int = 1) -> Layout:
        """The layout that suits the devices of this process."""
        cpu = jax.default_backend() == "cpu"
        return cls(LARGEST_TILE[estimator, redundancy] if cpu else LARGEST_TILE_ELSEWHERE, blocks)


class PairEngine:
    """Windows of one series on the devices, and the plan of blocks over its pairs. The plan depends only on the number
    of units and the layout, so a block can be computed by itself."""

    def __init__(
        self,
        series: Float[np.ndarray, "prompts units steps"],
        estimator: str = "gaussian",
        redundancy: str = "mmi",
        lag: int = 1,
        pairs: Int[np.ndarray, "n 2"] | None = None,
        pool: str = "mean",
        precision: str = "float64",
        bias: str = "none",
        layout: Layout | None = None,
    ) -> None:
        series = _checked_series(series, lag)
        for word, known in (
            (estimator, ESTIMATORS),
            (redundancy, REDUNDANCIES),
            (pool, POOLS),
            (precision, PRECISIONS),
            (bias, BIASES if (estimator, redundancy) == ("gaussian", "mmi") else BIASES[:1]),
        ):
            if word not in known:
                raise UsageError(f"no {word!r} among {', '.join(known)}", "see synergy-tui decompose --help")
        self.prompts, self.units = series.shape[:2]
        self.lag, self.precision = lag, precision
        self.method = Method(estimator, redundancy, pool, CLEAR[precision], bias != BIASES[0])
        self._wanted = _checked_pairs(pairs, self.units)
        self.layout = layout or Layout.here(estimator, redundancy)
        self._rows = -(-self.units // self.layout.largest)
        side, longest = -(-self.units // self._rows), tiles.longest_product(self.method.clear, precision)
        pieces = -(-side // longest)
        self._tile = pieces * -(-side // pieces)
        self._stripes = _stripes(self._rows, self._tile, self.units, self.layout.blocks)
        self.lengths = response_lengths(series)
        self.steps = np.maximum(self.lengths - lag, 0).astype(np.int32)
        self.windows = self.windows_of(series)

    def __len__(self) -> int:
        return len(self._stripes)

    def made_here(self, k: int, pairs: Int[np.ndarray, "n 2"]) -> bool:
        """Whether these are the k-th block of all pairs: an earlier version cut blocks elsewhere."""
        if len(pairs) != self.counts()[k]:
            return False
        if self._wanted is None:
            return bool(pairs[0, 0] == self._edges(k)[0])
        first, last = self._edges(k)
        return bool((pairs[:, 0] >= first).all() and (pairs[:, 0] < last).all())

    def counts(self) -> list[int]:
        """How many pairs each block has."""
        edges = [self._edges(k) for k in range(len(self))]
        if self._wanted is None:
            return [sum(self.units - 1 - i for i in range(first, last)) for first, last in edges]
        return [int(((self._wanted[:, 0] >= first) & (self._wanted[:, 0] < last)).sum()) for first, last in edges]

    def _edges(self, k: int) -> tuple[int, int]:
        """The smaller units of the k-th block's pairs, as a half-open range."""
        first, last = (min(row * self._tile, self.units) for row in self._stripes[k])
        return first, last

    def windows_of(self, series: Float[np.ndarray, "prompts units steps"]) -> Windows:
        """Windows of a series of the same shape and lengths, on the first device. Units are padded to whole tiles."""
        make = make_bits if self.method.estimator == "discrete" else make_windows
        units = self._rows * self._tile
        with jax.enable_x64(True):
            return _prepared(np.asarray(series), self.lengths, make, self.lag, units, self.precision)

    @contextmanager
    def arithmetic(self) -> Iterator[None]:
        """Within it, numbers have this engine's precision; the caller's JAX settings do not change."""
        with jax.enable_x64(self.precision == "float64"):
            yield

    def blocks(self) -> Iterator[PairBlock]:
        """All blocks in order."""
        return (self.block(k) for k in range(len(self)))

    def block(self, k: int, windows: Windows | None = None, keep_prompts: bool = True) -> PairBlock:
        """The k-th block: all pairs whose smaller unit lies in its stripe of units. With other `windows` (surrogate
        data), the same pairs of these; without `keep_prompts` nothing is kept per prompt."""
        first, last = self._stripes[k]
        places = [(i, j) for i in range(first, last) for j in range(i, self._rows)]
        here = self._everywhere(self.windows if windows is None else windows)
        prompts = 0 if not keep_prompts else 1 if self.method.pool == "pooled" else self.prompts
        by_prompt = np.zeros((prompts, tiles.SUMS, self.units))
        totals = UnitTotals.zeros(self.units)
        found: list[tuple[np.ndarray, ...]] = []
        reasons = np.zeros(len(INVALID_REASONS) + 1, np.int64)

        def one(numbered: tuple[int, tuple[int, int]]) -> _TilePairs:
            number, place = numbered
            return self._one_tile(here[number % len(here)], *place, keep_prompts)

        for tile in self._threads().map(one, enumerate(places)):
            tile.add_to(by_prompt, totals)
            reasons += tile.reasons
            found.append((tile.pairs, tile.mean, tile.spread, tile.offset, tile.valid_prompts, tile.reason))
        pairs, *columns = (np.concatenate(parts) for parts in zip(*found, strict=True))
        order = np.lexsort((pairs[:, 1], pairs[:, 0]))
        counted = dict(zip(INVALID_REASONS, reasons[1:].tolist(), strict=True))
        mean, spread, offset, valid_prompts, reason = (column[order] for column in columns)
        sums = _unit_sums(by_prompt)
        return PairBlock(pairs[order], mean, spread, offset, valid_prompts, reason, counted, sums, totals)

    def _everywhere(self, windows: Windows) -> list[Windows]:
        devices = jax.local_devices()
        with self.arithmetic():
            return [windows] if len(devices) == 1 else [jax.device_put(windows, device) for device in devices]

    def _threads(self) -> ThreadPoolExecutor:
        # On a CPU one device has all cores, and XLA leaves most of them idle inside a scan, so each core has a thread.
        if not hasattr(self, "_pool"):
            devices = len(jax.local_devices())
            count = devices if jax.default_backend() != "cpu" else max(devices, threads.cores())
            self._pool = ThreadPoolExecutor(count)
        return self._pool

    def _one_tile(self, windows: Windows, row: int, column: int, keep_prompts: bool) -> _TilePairs:
        side = self._tile
        left, top = np.arange(side) + row * side, np.arange(side) + column * side
        wanted = (left[:, None] < top[None, :]) & (top < self.units)[None, :]
        if self._wanted is not None:
            inside = self._wanted[np.isin(self._wanted[:, 0], left) & np.isin(self._wanted[:, 1], top)]
            chosen = np.zeros_like(wanted)
            chosen[inside[:, 0] - row * side, inside[:, 1] - column * side] = True
            wanted &= chosen
        with self.arithmetic():
            raw = tiles.tile_of(
                windows,
                self.steps,
                np.int32(row * side),
                np.int32(column * side),
                wanted,
                np.dtype(self.precision).type(1),
                side=side,
                method=self.method,
                keep_prompts=keep_prompts,
            )
            ill = np.asarray(raw.ill)
            raw = Tile(*(np.array(value, dtype=_wide(value)) for value in raw._replace(ill=ill[:0])))
            if ill.any():
                self._recompute_ill(windows, raw, ill, row * side, column * side)
        return _TilePairs(raw, wanted, row * side, column * side)

    def _recompute_ill(self, windows: Windows, raw: Tile, ill: np.ndarray, left: int, top: int) -> None:
        """Adds the ill-conditioned pairs to a tile's sums, computed from their windows rather than their
        correlations."""
        pooled = self.method.pool == "pooled"
        prompt, i, j = np.nonzero(ill)
        chunk = ILL_CHUNK if not pooled else max(ILL_CHUNK // self.prompts, 1)
        for start in range(0, len(prompt), chunk):
            p, a, b = (part[start : start + chunk] for part in (prompt, i, j))
            x, y = (np.resize(part, chunk) for part in (a + left, b + top))
            if pooled:
                four, inside = _glued(windows, self.steps, x, y)
                prompts = raw.prompts[a, b]
            else:
                four, inside = _four(windows, self.steps, np.resize(p, chunk), x, y)
                prompts = np.ones(len(p), int)
            values, good = self._from_windows(four, inside, prompts)
            np.maximum.at(raw.reason, (a[~good], b[~good]), np.int8(ILL_CONDITIONED))
            raw.reasons[ILL_CONDITIONED] += (~good).sum()
            if pooled:
                raw.prompts[a[~good], b[~good]] = 0
            self._add(raw, p[good], a[good], b[good], values[:, good], pooled)

    def _from_windows(self, four: Array, inside: Array, prompts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(cumulative informations [16, m], which of them are usable) of the first m = len(prompts) pairs' windows [·,
        4, n], which each hold `prompts` prompts in the steps `inside` [·, n]."""
        count = len(prompts)
        found, factor = _of_windows(four)
        if self.method.redundancy == "mmi":
            if self.method.corrected:
                # Every prompt is centred by itself, which costs one of its steps.
                steps = np.zeros(len(four)) + 9.0  # padding without a pair needs some steps
                steps[:count] = np.asarray(inside[:count]).sum(axis=1) - prompts + 1
                found = gaussian.corrected(found, jnp.asarray(steps, four.dtype))
            cumulative = np.array(redundancies.mmi(found))[:, :count]
        else:
            host, there = np.asarray(four[:count], np.float64), np.asarray(inside[:count])
            nine = found.each(lambda value: np.asarray(value, np.float64)[:count])
            shared = local_redundancies(host, there, there.sum(axis=1) - prompts)
            cumulative = np.array(redundancies.cumulative(nine, shared))
        good = _well_conditioned(np.asarray(factor)[:count], SMALLEST_RATIO[self.precision])
        return cumulative, good & np.isfinite(cumulative).all(axis=0)

    def _add(
        self, raw: Tile, p: np.ndarray, a: np.ndarray, b: np.ndarray, cumulative: np.ndarray, pooled: bool
    ) -> None:
        """Adds place by place, because a pair may be ill-conditioned for several prompts."""
        values = [*atoms_from_cumulative(cumulative), *tiles.beside(cumulative, self.method.redundancy)]
        for k, value in enumerate(values):
            np.add.at(raw.sums[k], (a, b), value)
            if len(raw.by_row):
                np.add.at(raw.by_row[:, k], (p, a), value)
                np.add.at(raw.by_column[:, k], (p, b), value)
        if not pooled:
            np.add.at(raw.prompts, (a, b), 1)
            for k, value in enumerate(tiles.spreading(cumulative)):
                np.add.at(raw.squares[k], (a, b), value**2)


@dataclass
class _TilePairs:
    """One tile's raw sums, turned into pair means and unit sums."""

    raw: Tile
    wanted: np.ndarray
    left: int
    top: int

    def __post_init__(self) -> None:
        i, j = np.nonzero(self.wanted)
        raw = self.raw
        self.pairs = np.stack([i + self.left, j + self.top], axis=1).astype(np.int32)
        self.valid_prompts = raw.prompts[i, j]
        self.reason, self.reasons = raw.reason[i, j], raw.reasons
        # The number of terms in a pair's sums: its prompts, or the one pooled decomposition.
        self.means = mean_of(raw.sums[:BALANCE], raw.sums[COUNT][None])
        self.mean, self.offset = self.means[:OFFSET, i, j].T, self.means[OFFSET, i, j]
        count = raw.sums[COUNT][i, j]
        values = np.stack([*tiles.spreading_of_atoms(self.mean.T)])
        squares = raw.squares[:, i, j] - count * values**2
        self.spread = np.sqrt(np.maximum(mean_of(squares, np.where(count > 1, count - 1, 0)[None]), 0.0)).T

    def add_to(self, sums: Float[np.ndarray, "prompts 20 units"], totals: UnitTotals) -> None:
        """Each unit's sums over its pairs; if the unit is the pair's y, x and y change sides."""
        raw, units = self.raw, sums.shape[2]
        side = raw.sums.shape[1]
        valid = np.isfinite(self.means[0])
        means = np.where(valid, self.means, 0.0)
        for by_prompt, start, swap, axis in (
            (raw.by_row, self.left, slice(None), 2),
            (raw.by_column, self.top, SWAP, 1),
        ):
            where = slice(start, min(start + side, units))
            inside = slice(0, where.stop - where.start)
            mean = means.sum(axis=axis)[:, inside]
            totals.atoms[where] += mean[:OFFSET][swap].T
            totals.offset[where] += mean[OFFSET]
            totals.pairs[where] += valid.sum(axis=axis - 1)[inside]
            totals.balance[where] += raw.sums[BALANCE].sum(axis=axis - 1)[inside]
            totals.balance_prompts[where] += raw.sums[BALANCE_COUNT].sum(axis=axis - 1)[inside]
            if len(sums):
                swapped = np.arange(tiles.SUMS)
                swapped[:OFFSET] = swapped[:OFFSET][swap]
                for place, of in enumerate(swapped):
                    sums[:, place, where] += by_prompt[:, of, inside]


def _unit_sums(by_prompt: Float[np.ndarray, "prompts 20 units"]) -> UnitSums:
    """The sums by name; counts are whole numbers."""
    pairs, balance_pairs = (np.rint(by_prompt[:, which]).astype(np.int64) for which in (COUNT, BALANCE_COUNT))
    atoms = np.ascontiguousarray(by_prompt[:, :OFFSET].transpose(0, 2, 1))
    return UnitSums(atoms, by_prompt[:, OFFSET].copy(), by_prompt[:, BALANCE].copy(), pairs, balance_pairs)


def _well_conditioned(factor: Float[np.ndarray, "m 4 4"], smallest: float) -> np.ndarray:
    """[m] whether the extreme eigenvalues of R are no further apart than `smallest`. The trace of R is 4, so their
    ratio is at least 27/256 of det R: they are computed only if that does not decide."""
    determinant = np.prod(np.diagonal(factor, axis1=1, axis2=2).astype(np.float64), axis=1) ** 2
    good = determinant >= smallest * 256 / 27
    doubtful = np.flatnonzero(~good & np.isfinite(factor).all(axis=(1, 2)))
    spectrum = np.linalg.svd(factor[doubtful], compute_uv=False) ** 2
    good[doubtful] = spectrum[:, -1] >= smallest * spectrum[:, 0]
    return good


@partial(jax.jit, static_argnames=("make", "lag", "units", "dtype"))
def _prepared(series: Array, lengths: Array, make: Callable[..., Windows], lag: int, units: int, dtype: str) -> Windows:
    """Windows of this many units; units beyond the series have no value. They are made prompt by prompt, because one
    prompt fits a cache, and always in float64, because rounding would move bits across the mean."""

    def one_prompt(one: tuple[Array, Array]) -> Windows:
        response, length = one
        padding = ((0, units - len(response)), (0, 0))
        response = jnp.pad(response.astype(jnp.float64), padding, constant_values=jnp.nan)
        past, future, own, code = (part[0] for part in make(response[None], length[None], lag))
        return Windows(past.astype(dtype), future.astype(dtype), own.astype(dtype), code)

    return lax.map(one_prompt, (series, lengths))


_of_windows = jax.jit(gaussian.informations_of_windows)


@jax.jit
def _four(windows: Windows, steps: Array, prompt: Array, x: Array, y: Array) -> tuple[Array, Array]:
    """Both windows of both units [m, 4, n] of pairs of one prompt each, and which of their steps belong to the
    response."""
    past, future = windows.past, windows.future
    four = jnp.stack([past[prompt, x], past[prompt, y], future[prompt, x], future[prompt, y]], axis=1)
    return four, jnp.arange(past.shape[2]) < steps[prompt][:, None]


@jax.jit
def _glued(windows: Windows, steps: Array, x: Array, y: Array) -> tuple[Array, Array]:
    """The same [m, 4, prompts · n] of every prompt in which both units are valid, end to end and weighted by length:
    their correlations are the pooled ones."""
    good = (windows.code[:, x] == 0) & (windows.code[:, y] == 0)
    kept = jnp.where(good, steps[:, None], 0)
    weight = jnp.sqrt(kept / jnp.maximum(kept.sum(axis=0), 1))[:, :, None]
    inside = jnp.arange(windows.past.shape[2]) < kept[:, :, None]

    def in_a_row(part: Array) -> Array:
        return jnp.moveaxis(part, 0, 1).reshape(len(x), -1)

    sides = (side[:, unit] * weight for side in (windows.past, windows.future) for unit in (x, y))
    return jnp.stack([in_a_row(side) for side in sides], axis=1), in_a_row(inside)


def _wide(value: Array | np.ndarray) -> np.dtype:
    """Sums of float32 values continue in float64."""
    dtype = np.dtype(value.dtype)
    return np.dtype(np.float64) if dtype.kind == "f" else np.dtype(np.int64) if dtype == np.int32 else dtype


def _stripes(rows: int, tile: int, units: int, blocks: int = 1) -> list[tuple[int, int]]:
    """Tile rows of each block: enough to reach PAIRS_PER_BLOCK pairs, or PAIRS_PER_UNIT per unit, or the share that
    gives `blocks` blocks."""
    stripes, first, pairs = [], 0, 0
    enough = min(max(PAIRS_PER_BLOCK, PAIRS_PER_UNIT * units), units * (units - 1) // 2 // blocks)
    for row in range(rows):
        pairs += sum(units - 1 - i for i in range(row * tile, min((row + 1) * tile, units)))
        if pairs >= enough or row == rows - 1:
            stripes.append((first, row + 1))
            first, pairs = row + 1, 0
    return stripes


def _checked_series(series: np.ndarray, lag: int) -> np.ndarray:
    series = np.asarray(series)
    if series.ndim != 3 or series.dtype.kind not in "fiu":
        raise UsageError(
            f"a series is [prompts, units, steps] of numbers; this is {series.dtype} {list(series.shape)}",
            "add the missing axis, or stack prompts of different length with NaN past their end",
        )
    prompts, units, steps = series.shape
    if prompts == 0 or units < 2:
        raise UsageError(
            f"a series of {prompts} prompts and {units} units has no pairs",
            "give at least one prompt and two units",
        )
    if isinstance(lag, bool) or not isinstance(lag, int | np.integer) or lag < 1:
        raise UsageError(f"lag {lag!r} is not a whole number of steps above 0", "use --lag 1")
    if lag >= steps:
        raise UsageError(f"lag {lag} in a series of {steps} steps leaves no window", "use a smaller lag")
    return series


def _checked_pairs(pairs: np.ndarray | None, units: int) -> np.ndarray | None:
    if pairs is None:
        return None
    pairs = np.asarray(pairs)
    if pairs.ndim != 2 or pairs.shape[1] != 2 or not len(pairs) or pairs.dtype.kind not in "iu":
        raise UsageError(f"pairs are whole numbers [n, 2]; these are {pairs.dtype} {list(pairs.shape)}")
    if (pairs[:, 0] >= pairs[:, 1]).any() or pairs.min() < 0 or pairs.max() >= units:
        raise UsageError(f"pairs are i < j below {units} units", "put the smaller unit first")
    return pairs.astype(np.int64)
