"""All pairs of a series: tiles of the unit × unit triangle, each summed over prompts on its own, on every core or
device. Memory grows with the units and one block of pairs, never with all pairs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int

from synergy_tui.errors import UsageError
from synergy_tui.phiid import gaussian
from synergy_tui.phiid.lattice import SWAP, atoms_from_cumulative
from synergy_tui.phiid.result import PairAtoms, PairBlock, UnitSums, mean_of, merge
from synergy_tui.phiid.windows import (
    CLEAR_DETERMINANT,
    ILL_CONDITIONED,
    SMALLEST_RATIO,
    Windows,
    make_windows,
    response_lengths,
)
from synergy_tui.terms import ATOMS, INVALID_REASONS, RTR, STS

LARGEST_TILE = 96
"""Units on a tile's side: twenty [96, 96] float64 arrays stay in a core's second-level cache (best of 32–136)."""

PAIRS_PER_BLOCK = 250_000

ILL_CHUNK = 1024
"""Ill-conditioned pairs recomputed at a time: one compiled shape."""


def decompose(
    series: Float[np.ndarray, "prompts units steps"],
    estimator: str = "gaussian",
    redundancy: str = "mmi",
    lag: int = 1,
    pairs: Int[np.ndarray, "n 2"] | None = None,
) -> PairAtoms:
    """ΦID of all pairs (or of the given ones, i < j) of a series [prompts, units, steps], NaN past a response's end.

    All values in nats, float64. Source: Mediano et al., PNAS 122(39), 2025; redundancy by minimum mutual information.
    Raises UsageError on a series, lag or pair that cannot be decomposed, MeasureError when no pair is valid.
    """
    engine = PairEngine(series, estimator=estimator, redundancy=redundancy, lag=lag, pairs=pairs)
    return merge(engine.blocks())


class PairEngine:
    """Windows of one series on the devices, and the plan of blocks over its pairs. The plan depends on the number of
    units alone, so a block is the same on any machine and can be computed by itself."""

    def __init__(
        self,
        series: Float[np.ndarray, "prompts units steps"],
        estimator: str = "gaussian",
        redundancy: str = "mmi",
        lag: int = 1,
        pairs: Int[np.ndarray, "n 2"] | None = None,
    ) -> None:
        series = _checked_series(series, lag)
        if (estimator, redundancy) != ("gaussian", "mmi"):
            raise UsageError(f"no estimator {estimator} with redundancy {redundancy}", "known: gaussian with mmi")
        self.prompts, self.units = series.shape[:2]
        self._wanted = _checked_pairs(pairs, self.units)
        rows = -(-self.units // LARGEST_TILE)
        self._tile = -(-self.units // rows)
        padding = ((0, 0), (0, rows * self._tile - self.units), (0, 0))
        padded = np.pad(series, padding, constant_values=np.nan)
        with _float64():
            # Numbers go to the devices as float64 only inside this context: the caller's JAX settings stay as they are.
            windows = _make_windows(padded, response_lengths(series), lag=lag)
            self._on_device = [jax.device_put(windows, device) for device in jax.local_devices()]
        self._stripes = _stripes(rows, self._tile, self.units)

    def __len__(self) -> int:
        return len(self._stripes)

    def blocks(self) -> Iterator[PairBlock]:
        """All blocks in order."""
        return (self.block(k) for k in range(len(self)))

    def block(self, k: int) -> PairBlock:
        """The k-th block: all pairs whose smaller unit lies in its stripe of units."""
        first, last = self._stripes[k]
        rows = -(-self.units // self._tile)
        places = [(i, j) for i in range(first, last) for j in range(i, rows)]
        sums = UnitSums.zeros(self.prompts, self.units)
        found: list[tuple[np.ndarray, ...]] = []
        reasons = np.zeros(len(INVALID_REASONS) + 1, np.int64)

        devices = len(self._on_device)
        # On CPU one device has all cores, and XLA leaves most of them idle inside a scan: a thread per core.
        threads = devices if jax.default_backend() != "cpu" else max(devices, os.cpu_count() or 1)
        with ThreadPoolExecutor(threads) as pool:
            tiles = pool.map(lambda n_place: self._one_tile(n_place[0] % devices, *n_place[1]), enumerate(places))
            for tile in tiles:
                tile.add_to(sums)
                reasons += tile.reasons
                found.append((tile.pairs, tile.mean, tile.offset, tile.valid_prompts, tile.reason))
        pairs, mean, offset, valid_prompts, reason = (np.concatenate(parts) for parts in zip(*found, strict=True))
        order = np.lexsort((pairs[:, 1], pairs[:, 0]))
        return PairBlock(
            pairs[order],
            mean[order],
            offset[order],
            valid_prompts[order],
            reason[order],
            dict(zip(INVALID_REASONS, reasons[1:].tolist(), strict=True)),
            sums,
        )

    def _one_tile(self, device: int, row: int, column: int) -> _Tile:
        windows, side = self._on_device[device], self._tile
        left, top = np.arange(side) + row * side, np.arange(side) + column * side
        wanted = (left[:, None] < top[None, :]) & (top < self.units)[None, :]
        if self._wanted is not None:
            inside = self._wanted[np.isin(self._wanted[:, 0], left) & np.isin(self._wanted[:, 1], top)]
            chosen = np.zeros_like(wanted)
            chosen[inside[:, 0] - row * side, inside[:, 1] - column * side] = True
            wanted &= chosen
        with _float64():
            raw = _tile_sums(windows, np.int32(row * side), np.int32(column * side), wanted, side=side)
            raw = {name: np.array(value) for name, value in raw.items()}
            self._recompute_ill(windows, raw, row * side, column * side)
        return _Tile(raw, wanted, row * side, column * side)

    def _recompute_ill(self, windows: Windows, raw: dict[str, np.ndarray], left: int, top: int) -> None:
        """Adds the ill-conditioned pairs to a tile's sums, from their windows rather than their correlations."""
        prompt, i, j = np.nonzero(raw["ill"])
        for start in range(0, len(prompt), ILL_CHUNK):
            some = slice(start, start + ILL_CHUNK)
            p, a, b = prompt[some], i[some], j[some]
            cumulative, factor = _ill_conditioned(
                windows, *(np.resize(part, ILL_CHUNK) for part in (p, a + left, b + top))
            )
            cumulative, factor = np.array(cumulative)[:, : len(p)], np.array(factor)[: len(p)]
            spectrum = np.linalg.svd(factor, compute_uv=False) ** 2
            good = (spectrum[:, -1] >= SMALLEST_RATIO * spectrum[:, 0]) & np.isfinite(cumulative).all(axis=0)
            np.maximum.at(raw["reason"], (a[~good], b[~good]), np.int8(ILL_CONDITIONED))
            raw["reasons"][ILL_CONDITIONED] += (~good).sum()
            p, a, b, cumulative = p[good], a[good], b[good], cumulative[:, good]
            values = np.stack(atoms_from_cumulative(cumulative) + _beside(cumulative))
            # A pair may be ill-conditioned for several prompts, so these add up place by place.
            for k, value in enumerate(values):
                np.add.at(raw["sums"][k], (a, b), value)
                np.add.at(raw["by_row"][:, k], (p, a), value)
                np.add.at(raw["by_column"][:, k], (p, b), value)


class _Tile:
    """One tile's raw sums, turned into pair means and unit sums."""

    def __init__(self, raw: dict[str, np.ndarray], wanted: np.ndarray, left: int, top: int) -> None:
        i, j = np.nonzero(wanted)
        self.pairs = np.stack([i + left, j + top], axis=1).astype(np.int32)
        sums = raw["sums"][:, i, j]
        self.valid_prompts = np.rint(sums[_COUNT]).astype(np.int32)
        means = mean_of(sums[:_BALANCE].T, self.valid_prompts[:, None])
        self.mean, self.offset = means[:, :_OFFSET], means[:, _OFFSET]
        self.reason = raw["reason"][i, j]
        self.reasons = raw["reasons"]
        self._sides = ((raw["by_row"], left, None), (raw["by_column"], top, SWAP))

    def add_to(self, sums: UnitSums) -> None:
        """Each unit's sums over its pairs; where it is the pair's y, x and y change sides."""
        for side, start, swap in self._sides:
            units = slice(start, min(start + side.shape[2], sums.pairs.shape[1]))
            side = side[:, :, : units.stop - start].transpose(0, 2, 1)
            atoms = side[:, :, :_OFFSET]
            sums.atoms[:, units] += atoms if swap is None else atoms[:, :, swap]
            sums.offset[:, units] += side[:, :, _OFFSET]
            sums.balance[:, units] += side[:, :, _BALANCE]
            sums.balance_pairs[:, units] += np.rint(side[:, :, _BALANCE_COUNT]).astype(np.int64)
            sums.pairs[:, units] += np.rint(side[:, :, _COUNT]).astype(np.int64)


_make_windows = jax.jit(make_windows, static_argnames="lag")

_OFFSET, _BALANCE, _BALANCE_COUNT, _COUNT = range(16, 20)
"""What is summed beside the sixteen atoms."""


def _beside(cumulative: list[Array] | np.ndarray) -> list:
    """[offset, balance, 1 where the balance is defined, 1] of pairs from their cumulative informations."""
    numbers = np if isinstance(cumulative, np.ndarray) else jnp
    sts, rtr = atoms_from_cumulative(cumulative)[STS], cumulative[RTR]
    positive = sts + rtr > 0
    balance = numbers.where(positive, sts / numbers.where(positive, sts + rtr, 1.0), 0.0)
    own_x, own_y = cumulative[ATOMS.index("xtx")], cumulative[ATOMS.index("yty")]  # I(x;x') and I(y;y')
    offset = 2 * numbers.minimum(own_x, own_y)
    return [offset, balance, positive.astype(offset.dtype), numbers.ones_like(offset)]


@partial(jax.jit, static_argnames="side")
def _tile_sums(windows: Windows, row: Array, column: Array, wanted: Array, side: int) -> dict[str, Array]:
    """Sums of one tile over prompts. sums [20, side, side]; by_row and by_column [prompts, 20, side]; ill [prompts,
    side, side] marks what is left to _recompute_ill; reason [side, side]; reasons counts codes."""

    def cut(array: Array, start: Array) -> Array:
        return lax.dynamic_slice_in_dim(array, start, side, axis=1)

    def one_prompt(carry: tuple[list[Array], Array, Array], one: tuple[Windows, Windows]) -> Any:
        total, reason, reasons = carry
        x, y = one
        shape = (side, side)
        own_x = jnp.broadcast_to(x.self_correlation[:, None], shape)
        own_y = jnp.broadcast_to(y.self_correlation[None, :], shape)
        cumulative, determinant = gaussian.from_correlations(
            x.past @ y.past.T,
            x.future @ y.future.T,
            own_x,
            x.past @ y.future.T,
            x.future @ y.past.T,
            own_y,
            jnp.broadcast_to(gaussian.self_information(x.self_correlation)[:, None], shape),
            jnp.broadcast_to(gaussian.self_information(y.self_correlation)[None, :], shape),
        )
        code = jnp.where(wanted, jnp.maximum(x.code[:, None], y.code[None, :]), 0)
        usable = wanted & (code == 0)
        clear = determinant >= CLEAR_DETERMINANT  # False where it is NaN
        good = usable & clear
        values = [jnp.where(good, value, 0.0) for value in (*cumulative, *_beside(cumulative))]
        total = [old + new for old, new in zip(total, values, strict=True)]
        reasons = reasons + jnp.stack([(code == k).sum(dtype=jnp.int64) for k in range(len(INVALID_REASONS) + 1)])
        by_row = jnp.stack([value.sum(axis=1) for value in values])
        by_column = jnp.stack([value.sum(axis=0) for value in values])
        return (total, jnp.maximum(reason, code), reasons), (by_row, by_column, usable & ~clear)

    start = (
        [jnp.zeros((side, side))] * 20,
        jnp.zeros((side, side), jnp.int8),
        jnp.zeros(len(INVALID_REASONS) + 1, jnp.int64),
    )
    x_side, y_side = (Windows(*(cut(array, at) for array in windows)) for at in (row, column))
    (total, reason, reasons), (by_row, by_column, ill) = lax.scan(one_prompt, start, (x_side, y_side))

    def atoms(sums: list[Array]) -> list[Array]:
        return atoms_from_cumulative(sums) + sums[_OFFSET:]

    return {
        "sums": jnp.stack(atoms(total)),
        "by_row": jnp.stack(atoms(list(jnp.moveaxis(by_row, 1, 0))), axis=1),
        "by_column": jnp.stack(atoms(list(jnp.moveaxis(by_column, 1, 0))), axis=1),
        "ill": ill,
        "reason": reason,
        "reasons": reasons,
    }


@jax.jit
def _ill_conditioned(windows: Windows, prompt: Array, x: Array, y: Array) -> tuple[Array, Array]:
    four = jnp.stack(
        [
            windows.past[prompt, x],
            windows.past[prompt, y],
            windows.future[prompt, x],
            windows.future[prompt, y],
        ],
        axis=1,
    )
    return gaussian.from_windows(four)


def _stripes(rows: int, tile: int, units: int) -> list[tuple[int, int]]:
    """Tile rows of each block: as many as reach PAIRS_PER_BLOCK pairs."""
    stripes, first, pairs = [], 0, 0
    for row in range(rows):
        pairs += sum(units - 1 - i for i in range(row * tile, min((row + 1) * tile, units)))
        if pairs >= PAIRS_PER_BLOCK or row == rows - 1:
            stripes.append((first, row + 1))
            first, pairs = row + 1, 0
    return stripes


@contextmanager
def _float64() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


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
        raise UsageError(f"lag {lag!r} is no whole number of steps above 0", "use --lag 1")
    if lag >= steps:
        raise UsageError(f"lag {lag} in a series of {steps} steps leaves no window", "use a smaller lag")
    return series.astype(np.float64, copy=False)


def _checked_pairs(pairs: np.ndarray | None, units: int) -> np.ndarray | None:
    if pairs is None:
        return None
    pairs = np.asarray(pairs)
    if pairs.ndim != 2 or pairs.shape[1] != 2 or not len(pairs) or pairs.dtype.kind not in "iu":
        raise UsageError(f"pairs are whole numbers [n, 2]; these are {pairs.dtype} {list(pairs.shape)}")
    if (pairs[:, 0] >= pairs[:, 1]).any() or pairs.min() < 0 or pairs.max() >= units:
        raise UsageError(f"pairs are i < j below {units} units", "put the smaller unit first")
    return pairs.astype(np.int64)
