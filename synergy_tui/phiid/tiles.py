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

from synergy_tui.phiid import discrete, gaussian
from synergy_tui.phiid.lattice import atoms_from_cumulative
from synergy_tui.phiid.redundancy import cumulative, mmi
from synergy_tui.phiid.windows import Windows
from synergy_tui.terms import ATOMS, INVALID_REASONS, RTR, STS

OFFSET, BALANCE, BALANCE_COUNT, COUNT = range(16, 20)
"""What is summed beside the sixteen cumulative informations, whose sums become sums of atoms."""

SUMS = 20

SPREAD = ("sts", "rtr", "tdmi")
"""Of what the squares are summed too, for the spread over prompts."""


class Method(NamedTuple):
    """How a pair is decomposed. clear: det R from which its correlations are trusted."""

    estimator: str
    redundancy: str
    pool: str
    clear: float


class Tile(NamedTuple):
    """sums [20, side, side] over prompts, squares [3, side, side] · by_row, by_column [prompts, 20, side] · ill
    [prompts, side, side]: pairs left to be recomputed from their windows, or [1, …] of the pooled prompts · reason
    [side, side]: gravest code · reasons: counted codes · prompts [side, side]: how many a pair's value is over. Without
    prompts kept, by_row and by_column have none; a pooled tile has one prompt, and no squares."""

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
    side: int,
    method: Method,
    keep_prompts: bool = True,
) -> Tile:
    """The tile whose first units are `row` and `column`. `steps`: of each prompt's windows."""
    x, y = (Windows(*(lax.dynamic_slice_in_dim(array, at, side, axis=1) for array in windows)) for at in (row, column))
    if method.pool == "pooled":
        return _pooled(x, y, steps, wanted, method)
    if not keep_prompts and method[:2] == ("gaussian", "mmi"):
        return _by_products(x, y, wanted, method)
    zeros = jnp.zeros((side, side), windows.past.dtype)

    def one_prompt(carry: tuple[Any, ...], one: tuple[Windows, Windows, Array]) -> Any:
        total, squares, reason, reasons = carry
        code = _codes(one[0], one[1], wanted)
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
    # Under CCS independent units have no synergy, so nothing is to be taken off.
    offset = 2 * numbers.minimum(own_x, own_y) if redundancy == "mmi" else numbers.zeros_like(sts)
    return [offset, balance, positive.astype(sts.dtype), numbers.ones_like(sts)]


def _decomposed(x: Windows, y: Windows, steps: Array, method: Method) -> tuple[list[Array], Array]:
    """(sixteen cumulative informations, whether they can be trusted) of all pairs of two sides in one prompt."""
    if method.estimator == "discrete":
        joint = discrete.counts(x, y, _inside(x, steps))
        return discrete.cumulative(joint, method.redundancy), jnp.ones(joint.shape[-2:], bool)
    correlations = gaussian.correlations(x, y)
    found, determinant = gaussian.informations(correlations)
    trusted = determinant >= method.clear  # False where it is NaN
    if method.redundancy == "mmi":
        return mmi(found), trusted
    steps = steps.astype(x.past.dtype)
    shared = gaussian.ccs_sums(correlations, x, y, steps, jnp.sqrt(steps - 1))
    return cumulative(found, [value / steps for value in shared]), trusted


def _by_products(x: Windows, y: Windows, wanted: Array, method: Method) -> Tile:
    """The Gaussian MMI tile without anything per prompt, for surrogates: a sum of logarithms is the logarithm of a
    product, so a pair takes three logarithms a prompt instead of seven. Before a product underflows its logarithm is
    taken."""
    side, dtype = wanted.shape[0], x.past.dtype
    zeros, ones = jnp.zeros_like(wanted, dtype), jnp.ones_like(wanted, dtype)
    floor = jnp.finfo(dtype).tiny ** 0.5

    def flushed(both: tuple[list[Array], list[Array]]) -> tuple[list[Array], list[Array]]:
        products, sums = both
        return [ones] * 16, [old + gaussian.information(new) for old, new in zip(sums, products, strict=True)]

    def one_prompt(carry: tuple[Any, ...], one: tuple[Windows, Windows]) -> Any:
        products, sums, counted, reason, reasons = carry
        code = _codes(*one, wanted)
        found, determinant = gaussian.ratios(gaussian.correlations(*one))
        clear = determinant >= method.clear  # False where it is NaN
        usable = wanted & (code == 0)
        good = usable & clear
        ratios = [jnp.where(good, value, 1.0) for value in mmi(found, jnp.maximum)]
        products = [old * new for old, new in zip(products, ratios, strict=True)]
        products, sums = lax.cond(products[STS].min() < floor, flushed, lambda both: both, (products, sums))
        sts, rtr = (gaussian.information(value) for value in (_sts_ratio(ratios), ratios[RTR]))
        positive = good & (sts + rtr > 0)
        balance = jnp.where(positive, sts / jnp.where(positive, sts + rtr, 1.0), 0.0)
        counted = [old + new for old, new in zip(counted, (balance, positive, good), strict=True)]
        return (products, sums, counted, jnp.maximum(reason, code), reasons + _counted(code)), usable & ~clear

    whole = jnp.zeros((side, side), jnp.int8)
    start = ([ones] * 16, [zeros] * 16, [zeros] * 3, whole, jnp.zeros(len(INVALID_REASONS) + 1, jnp.int32))
    (products, sums, counted, reason, reasons), ill = lax.scan(one_prompt, start, (x, y))
    _, sums = flushed((products, sums))
    nothing = jnp.zeros((0, SUMS, side), dtype)
    squares = jnp.zeros((len(SPREAD), side, side), dtype)
    prompts = counted[-1].astype(jnp.int32)
    return Tile(jnp.stack(_atoms([*sums, zeros, *counted])), squares, prompts, nothing, nothing, ill, reason, reasons)


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
        code = _codes(one[0], one[1], wanted)
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
        found, determinant = gaussian.informations(correlations)
        trusted = determinant >= method.clear
        if method.redundancy == "mmi":
            values = mmi(found)
        else:
            values = cumulative(found, _pooled_redundancies(correlations, x, y, steps, steps_of_pair, prompts, wanted))
    kept = [jnp.where(good & trusted, value, 0.0) for value in (*values, *beside(values, method.redundancy))]
    by_row = jnp.stack([value.sum(axis=1) for value in kept])
    by_column = jnp.stack([value.sum(axis=0) for value in kept])
    by_row, by_column = (jnp.stack(_atoms(list(one)))[None] for one in (by_row, by_column))
    squares = jnp.full((len(SPREAD), side, side), jnp.nan, dtype)
    return Tile(jnp.stack(_atoms(kept)), squares, prompts, by_row, by_column, (good & ~trusted)[None], reason, reasons)


def _statistics(one: tuple[Windows, Windows, Array], method: Method) -> tuple[Any, Array]:
    """What is averaged over prompts, of two sides in one prompt of so many steps, and its weight."""
    x, y, steps = one
    if method.estimator == "discrete":
        return discrete.counts(x, y, _inside(x, steps)), jnp.ones((), x.past.dtype)
    matrices = jnp.broadcast_arrays(*gaussian.correlations(x, y))
    return gaussian.Correlations(*matrices), steps.astype(x.past.dtype)


def _pooled_redundancies(
    correlations: gaussian.Correlations,
    x: Windows,
    y: Windows,
    steps: Array,
    length: Array,
    prompts: Array,
    wanted: Array,
) -> list[Array]:
    """The seven of CCS with the pooled correlations, averaged over all steps of all prompts. A prompt's windows are
    scaled so that their variance, averaged over all steps, is that of one window: then local values average to the
    informations, as they do for a single prompt."""

    def one_prompt(total: list[Array], one: tuple[Windows, Windows, Array]) -> tuple[list[Array], None]:
        good = wanted & (_codes(one[0], one[1], wanted) == 0)
        scale = jnp.sqrt(one[2] * (length - prompts) / length)
        shared = gaussian.ccs_sums(correlations, *one, scale)
        return [old + jnp.where(good, new, 0.0) for old, new in zip(total, shared, strict=True)], None

    total, _ = lax.scan(one_prompt, [jnp.zeros_like(length)] * 7, (x, y, steps))
    return [value / length for value in total]


def _inside(x: Windows, steps: Array) -> Array:
    return (jnp.arange(x.past.shape[1]) < steps).astype(x.past.dtype)


def _codes(x: Windows, y: Windows, wanted: Array) -> Array:
    return jnp.where(wanted, jnp.maximum(x.code[:, None], y.code[None, :]), 0)


def _counted(code: Array) -> Array:
    return jnp.stack([(code == k).sum(dtype=jnp.int32) for k in range(len(INVALID_REASONS) + 1)])


def _atoms(sums: list[Array]) -> list[Array]:
    return atoms_from_cumulative(sums) + sums[OFFSET:]


def spreading(values: Any) -> list[Any]:
    """sts, rtr and TDMI from cumulative informations, of which the last is the TDMI."""
    return [atoms_from_cumulative(values)[STS], values[RTR], values[STS]]


def spreading_of_atoms(atoms: Any) -> list[Any]:
    """The same from atoms, of which all make the TDMI."""
    return [atoms[STS], atoms[RTR], atoms.sum(axis=0)]
