"""One tile of the unit × unit triangle → sums over prompts of everything a decomposition keeps. Compiled once for each
method and shape."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool

from synergy_tui.phiid import discrete, gaussian, logarithm
from synergy_tui.phiid.lattice import atoms_from_cumulative
from synergy_tui.phiid.redundancy import Informations, cumulative, mmi
from synergy_tui.phiid.windows import Windows
from synergy_tui.terms import ATOMS, INVALID_REASONS, RTR, STS

OFFSET, BALANCE, BALANCE_COUNT, COUNT = range(16, 20)
"""Places of the further sums after the sixteen cumulative informations, whose sums become sums of atoms."""

INFORMATIONS = OFFSET + 1
"""The number of sums that are of informations."""

SUMS = 20

SPREAD = ("sts", "rtr", "tdmi")
"""The quantities whose squares are summed too, for the spread over prompts."""


class Method(NamedTuple):
    """How a pair is decomposed. clear: how much of its variances must remain for its correlations to be trusted.
    corrected: whether the bias of short series is removed from informations."""

    estimator: str
    redundancy: str
    pool: str
    clear: float
    corrected: bool = False


class Tile(NamedTuple):
    """sums [20, side, side] over prompts, squares [3, side, side] · by_row, by_column [prompts, 20, side] · ill
    [prompts, side, side]: pairs to recompute from their windows, or [1, …] of the pooled prompts · reason [side, side]:
    gravest code · reasons: counted codes · prompts [side, side]: how many prompts a pair's value is over. If prompts
    are not kept, by_row and by_column are empty along them; a pooled tile has one prompt, and no squares."""

    sums: Any
    squares: Any
    prompts: Any
    by_row: Any
    by_column: Any
    ill: Any
    reason: Any
    reasons: Any


@partial(jax.jit, static_argnames=("side", "method", "keep_prompts"))
def tile_of(
    windows: Windows,
    steps: Array,
    row: Array,
    column: Array,
    wanted: Bool[Array, "side side"],
    one: Array,
    side: int,
    method: Method,
    keep_prompts: bool = True,
) -> Tile:
    """The tile whose first units are `row` and `column`. `steps`: of each prompt's windows · `one`: 1 in the windows'
    precision, which the compiler must not know (`_held`)."""
    x, y = (Windows(*(lax.dynamic_slice_in_dim(array, at, side, axis=1) for array in windows)) for at in (row, column))
    if method.pool == "pooled":
        return _pooled(x, y, steps, wanted, method)
    if method[:2] == ("gaussian", "mmi"):
        return _by_products(windows, steps, row, column, wanted, method, one, keep_prompts)
    zeros = jnp.zeros((side, side), windows.past.dtype)

    def one_prompt(carry: tuple[Any, ...], one: tuple[Windows, Windows, Array]) -> Any:
        total, squares, reason, reasons = carry
        code = _codes(one[0].code, one[1].code, wanted)
        usable = wanted & (code == 0)
        values, clear = _decomposed(*one, method)
        good = usable & clear
        kept = [jnp.where(good, value, 0.0) for value in (*values, *beside(values, method.redundancy))]
        total = [old + new for old, new in zip(total, kept, strict=True)]
        if not keep_prompts:
            return (total, squares, jnp.maximum(reason, code), reasons + _counted(code)), (usable & ~clear,)
        squares = [old + new * new for old, new in zip(squares, spreading(kept), strict=True)]
        by_row = jnp.stack([value.sum(axis=1) for value in kept])
        by_column = jnp.stack([value.sum(axis=0) for value in kept])
        return (
            (total, squares, jnp.maximum(reason, code), reasons + _counted(code)),
            (usable & ~clear, by_row, by_column),
        )

    start = (
        [zeros] * SUMS,
        [zeros] * len(SPREAD),
        jnp.zeros((side, side), jnp.int8),
        jnp.zeros(len(INVALID_REASONS) + 1, jnp.int32),
    )
    (total, squares, reason, reasons), (ill, *by) = lax.scan(one_prompt, start, (x, y, steps))
    nothing = jnp.zeros((0, SUMS, side), zeros.dtype)
    by_row, by_column = (
        (jnp.stack(_atoms(list(jnp.moveaxis(one, 1, 0))), axis=1) for one in by) if by else (nothing,) * 2
    )
    prompts = total[COUNT].astype(jnp.int32)
    return Tile(jnp.stack(_atoms(total)), jnp.stack(squares), prompts, by_row, by_column, ill, reason, reasons)


def beside(values: list[Any] | np.ndarray, redundancy: str) -> list[Any]:
    """[offset, balance, 1 where the balance is defined, 1] of pairs from their cumulative informations."""
    numbers = values[0].__array_namespace__()
    sts, rtr = atoms_from_cumulative(values)[STS], values[RTR]
    positive = sts + rtr > 0
    balance = numbers.where(positive, sts / numbers.where(positive, sts + rtr, 1.0), 0.0)
    own_x, own_y = values[ATOMS.index("xtx")], values[ATOMS.index("yty")]  # I(x;x') and I(y;y')
    # Under CCS independent units have no synergy, so there is nothing to subtract.
    offset = 2 * numbers.minimum(own_x, own_y) if redundancy == "mmi" else numbers.zeros_like(sts)
    return [offset, balance, positive.astype(sts.dtype), numbers.ones_like(sts)]


def _decomposed(x: Windows, y: Windows, steps: Array, method: Method) -> tuple[list[Array], Array]:
    """(sixteen cumulative informations, whether they can be trusted) of all pairs of two sides in one prompt."""
    if method.estimator == "discrete":
        joint = discrete.counts(x, y, _inside(x, steps))
        return discrete.cumulative(joint, method.redundancy), jnp.ones(joint.shape[-2:], bool)
    correlations = gaussian.correlations(x, y)
    found, trusted = gaussian.informations(correlations, method.clear)
    if method.redundancy == "mmi":
        return mmi(found), trusted
    steps = steps.astype(x.past.dtype)
    shared = gaussian.ccs_sums(correlations, found, x, y, steps, jnp.sqrt(steps - 1))
    return cumulative(found, [value / steps for value in shared]), trusted


def _by_products(
    windows: Windows,
    steps: Array,
    row: Array,
    column: Array,
    wanted: Array,
    method: Method,
    one: Array,
    keep_prompts: bool,
) -> Tile:
    """The Gaussian MMI tile. A sum of logarithms is the logarithm of a product, over prompts as well as over a unit's
    pairs, so a pair takes three logarithms per prompt instead of seven. Each product covers a chunk of prompts that a
    number can hold, and the logarithms are added up. `one`: see `_held`."""
    side, dtype = wanted.shape[0], windows.past.dtype
    prompts, group = len(windows.past), longest_product(method.clear, dtype)
    chunk, pieces = min(group, prompts), -(-side // group)
    zeros, ones = jnp.zeros_like(wanted, dtype), jnp.ones_like(wanted, dtype)
    held = partial(_held, one=one)

    def one_prompt(number: Array, carry: tuple[Any, ...]) -> Any:
        products, counted, squares, ill, by = carry
        x, y = (Windows(*(_part(array, number, at, side) for array in windows)) for at in (row, column))
        found, clear = gaussian.ratios(gaussian.correlations(x, y), method.clear)
        usable = wanted & (x.code == 0)[:, None] & (y.code == 0)[None, :]
        counts = held((usable & clear).astype(dtype))
        good = counts > 0
        if method.corrected:
            found = gaussian.corrected_ratios(found, steps[number].astype(dtype))
        found = found.each(lambda ratio: held(jnp.where(good, ratio, 1.0)))
        ratios = mmi(found, jnp.maximum)
        kept = [*ratios, jnp.maximum(found.x_x, found.y_y)]
        products = [old * new for old, new in zip(products, kept, strict=True)]
        sts, rtr = (held(logarithm.information(ratio)) for ratio in (_sts_ratio(ratios), ratios[RTR]))
        both = sts + rtr
        positive = both > 0
        balance = jnp.where(positive, sts, 0.0) / jnp.where(positive, both, 1.0)
        beside = (balance, positive.astype(dtype), counts)
        counted = [old + new for old, new in zip(counted, beside, strict=True)]
        ill = ill.at[number].set(usable & ~clear)
        if keep_prompts:
            spread = (sts, rtr, logarithm.information(ratios[STS]))
            squares = [old + new * new for old, new in zip(squares, spread, strict=True)]
            of_prompt = (
                jnp.stack([value.reshape(side, pieces, -1).prod(axis=2) for value in kept]),
                jnp.stack([value.sum(axis=1) for value in beside]),
                jnp.stack([value.reshape(pieces, -1, side).prod(axis=1) for value in kept]),
                jnp.stack([value.sum(axis=0) for value in beside]),
            )
            by = tuple(whole.at[number].set(new) for whole, new in zip(by, of_prompt, strict=True))
        return products, counted, squares, ill, by

    def one_chunk(number: Array, carry: tuple[Any, ...]) -> Any:
        sums, *rest = carry
        first = number * chunk
        last = jnp.minimum(first + chunk, prompts)
        products, *rest = lax.fori_loop(first, last, one_prompt, ([ones] * INFORMATIONS, *rest))
        return [old + logarithm.information(new) for old, new in zip(sums, products, strict=True)], *rest

    shapes = ((INFORMATIONS, side, pieces), (3, side), (INFORMATIONS, pieces, side), (3, side)) if keep_prompts else ()
    by = tuple(jnp.zeros((prompts, *shape), dtype) for shape in shapes)
    ill = jnp.zeros((prompts, side, side), bool)
    start = ([zeros] * INFORMATIONS, [zeros] * 3, [zeros] * len(SPREAD), ill, by)
    sums, counted, squares, ill, by = lax.fori_loop(jnp.int32(0), jnp.int32(-(-prompts // chunk)), one_chunk, start)

    def unit_sums(products: Array, axis: int, beside: Array) -> Array:
        each = held(logarithm.information(products))
        informations = sum(lax.index_in_dim(each, piece, axis, keepdims=False) for piece in range(pieces))
        return jnp.stack(_atoms([*_doubled(list(jnp.moveaxis(informations, 1, 0))), *jnp.moveaxis(beside, 1, 0)]), 1)

    by_row = by_column = jnp.zeros((0, SUMS, side), dtype)
    if keep_prompts:
        by_row, by_column = unit_sums(by[0], 3, by[1]), unit_sums(by[2], 2, by[3])
    code_x, code_y = (lax.dynamic_slice_in_dim(windows.code, at, side, axis=1) for at in (row, column))
    reason, reasons = _reasons(code_x, code_y, wanted)
    of_pairs = jnp.stack(_atoms([*_doubled(sums), *counted]))
    return Tile(of_pairs, jnp.stack(squares), counted[-1].astype(jnp.int32), by_row, by_column, ill, reason, reasons)


def longest_product(clear: float, dtype: Any) -> int:
    """How many factors of at least det R, and so of at least clear², always have a normal number as their product."""
    return int(np.log(np.finfo(dtype).tiny) / np.log(clear**2))


def _held(value: Array, one: Array) -> Array:
    """The value, kept in memory: XLA on a CPU recomputes cheap values for each reader, but never a quotient. `one` is 1
    and must not be a compile-time constant."""
    return value / one


def _doubled(values: list[Array]) -> list[Array]:
    """The sums of min(AIS), which come last, become sums of the offset."""
    return [*values[:OFFSET], 2 * values[OFFSET]]


def _part(array: Array, prompt: Array, first: Array, side: int) -> Array:
    """One prompt of `side` units. It slices prompt by prompt, because slices of all prompts would be copied once
    more."""
    starts, sizes = (prompt, first, jnp.int32(0)), (1, side, *array.shape[2:])
    return lax.dynamic_slice(array, starts[: array.ndim], sizes, allow_negative_indices=False)[0]


def _reasons(x: Array, y: Array, wanted: Array) -> tuple[Array, Array]:
    """(gravest code [side, side], counted codes) over all prompts, from both sides' codes [prompts, side]. Most tiles
    have no codes to look for."""

    def looked_for() -> tuple[Array, Array]:
        def one_prompt(carry: tuple[Array, Array], one: tuple[Array, Array]) -> tuple[tuple[Array, Array], None]:
            code = _codes(*one, wanted)
            return (jnp.maximum(carry[0], code), carry[1] + _counted(code)), None

        return lax.scan(one_prompt, nothing, (x, y))[0]

    nothing = jnp.zeros(wanted.shape, jnp.int8), jnp.zeros(len(INVALID_REASONS) + 1, jnp.int32)
    return lax.cond((x > 0).any() | (y > 0).any(), looked_for, lambda: nothing)


def _sts_ratio(ratios: list[Array]) -> Array:
    """e^(−2 sts) from the sixteen cumulative e^(−2I): the Möbius inversion, as a product."""
    signs = list(atoms_from_cumulative(list(np.eye(16)))[STS])
    above, below = jnp.ones_like(ratios[0]), jnp.ones_like(ratios[0])
    for sign, ratio in zip(signs, ratios, strict=True):
        if sign > 0:
            above = above * ratio
        elif sign < 0:
            below = below * ratio
    return above / below


def _pooled(x: Windows, y: Windows, steps: Array, wanted: Array, method: Method) -> Tile:
    """One decomposition of correlations averaged over prompts, weighted by length, or of counts added up."""
    side, dtype = wanted.shape[0], x.past.dtype

    def one_prompt(carry: tuple[Any, ...], one: tuple[Windows, Windows, Array]) -> Any:
        total, prompts, length, reason, reasons = carry
        code = _codes(one[0].code, one[1].code, wanted)
        good = wanted & (code == 0)
        of_prompt, weight = _statistics(one, method)
        total = jax.tree.map(lambda old, new: old + jnp.where(good, new * weight, 0.0), total, of_prompt)
        length = length + jnp.where(good, one[2], 0)
        return (total, prompts + good, length, jnp.maximum(reason, code), reasons + _counted(code)), None

    first = jax.tree.map(lambda value: value[0], (x, y, steps))
    shapes = jax.eval_shape(lambda one: _statistics(one, method)[0], first)
    whole = jnp.zeros((side, side), jnp.int32)
    start = (
        jax.tree.map(lambda like: jnp.zeros(like.shape, like.dtype), shapes),
        whole,
        whole,
        whole.astype(jnp.int8),
        jnp.zeros(len(INVALID_REASONS) + 1, jnp.int32),
    )
    (total, prompts, length, reason, reasons), _ = lax.scan(one_prompt, start, (x, y, steps))
    good = prompts > 0
    if method.estimator == "discrete":
        values, trusted = discrete.cumulative(total, method.redundancy), good
    else:
        steps_of_pair = jnp.maximum(length, 1).astype(dtype)
        correlations = jax.tree.map(lambda value: value / steps_of_pair, total)
        found, trusted = gaussian.informations(correlations, method.clear)
        if method.corrected:
            found = gaussian.corrected(found, steps_of_pair - prompts + 1)
        if method.redundancy == "mmi":
            values = mmi(found)
        else:
            values = cumulative(
                found, _pooled_redundancies(correlations, found, x, y, steps, steps_of_pair, prompts, wanted)
            )
    kept = [jnp.where(good & trusted, value, 0.0) for value in (*values, *beside(values, method.redundancy))]
    by_row = jnp.stack([value.sum(axis=1) for value in kept])
    by_column = jnp.stack([value.sum(axis=0) for value in kept])
    by_row, by_column = (jnp.stack(_atoms(list(one)))[None] for one in (by_row, by_column))
    squares = jnp.full((len(SPREAD), side, side), jnp.nan, dtype)
    return Tile(jnp.stack(_atoms(kept)), squares, prompts, by_row, by_column, (good & ~trusted)[None], reason, reasons)


def _statistics(one: tuple[Windows, Windows, Array], method: Method) -> tuple[Any, Array]:
    """The statistics of two sides in one prompt that are averaged over prompts, and their weight."""
    x, y, steps = one
    if method.estimator == "discrete":
        return discrete.counts(x, y, _inside(x, steps)), jnp.ones((), x.past.dtype)
    matrices = jnp.broadcast_arrays(*gaussian.correlations(x, y))
    return gaussian.Correlations(*matrices), steps.astype(x.past.dtype)


def _pooled_redundancies(
    correlations: gaussian.Correlations,
    average: Informations,
    x: Windows,
    y: Windows,
    steps: Array,
    length: Array,
    prompts: Array,
    wanted: Array,
) -> list[Array]:
    """The seven redundancies of CCS with the pooled correlations, averaged over all steps of all prompts. A prompt's
    windows are scaled so that their variance, averaged over all steps, is that of one window: then local values average
    to the informations, as for a single prompt."""

    def one_prompt(total: list[Array], one: tuple[Windows, Windows, Array]) -> tuple[list[Array], None]:
        good = wanted & (_codes(one[0].code, one[1].code, wanted) == 0)
        scale = jnp.sqrt(one[2] * (length - prompts) / length)
        shared = gaussian.ccs_sums(correlations, average, *one, scale)
        return [old + jnp.where(good, new, 0.0) for old, new in zip(total, shared, strict=True)], None

    total, _ = lax.scan(one_prompt, [jnp.zeros_like(length)] * 7, (x, y, steps))
    return [value / length for value in total]


def _inside(x: Windows, steps: Array) -> Array:
    return (jnp.arange(x.past.shape[1]) < steps).astype(x.past.dtype)


def _codes(x: Array, y: Array, wanted: Array) -> Array:
    return jnp.where(wanted, jnp.maximum(x[:, None], y[None, :]), 0)


def _counted(code: Array) -> Array:
    return jnp.stack([(code == k).sum(dtype=jnp.int32) for k in range(len(INVALID_REASONS) + 1)])


def _atoms(sums: list[Array]) -> list[Array]:
    return atoms_from_cumulative(sums) + sums[OFFSET:]


def spreading(values: Any) -> list[Any]:
    """sts, rtr and TDMI from cumulative informations; the last of these is the TDMI."""
    return [atoms_from_cumulative(values)[STS], values[RTR], values[STS]]


def spreading_of_atoms(atoms: Any) -> list[Any]:
    """The same from atoms; the TDMI is the sum of all."""
    return [atoms[STS], atoms[RTR], atoms.sum(axis=0)]
