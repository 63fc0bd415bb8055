"""States of a residual stream → intrinsic dimension and alignment, layer by layer (docs/method.md, section 14).

The dimension is the one of GRIDE (Denti et al. 2022): the ratio μ of the distances from a point to its neighbours 2n
and n has the density d·(μᵈ − 1)ⁿ⁻¹ / (B(n, n)·μ^(d·(2n − 1) + 1)) if points are locally uniform in d dimensions. At n =
1 it is TwoNN (Facco et al. 2017). The states of one response form a path, so their nearest neighbours are often their
neighbours in time and say nothing about the whole: **no state of the same prompt is ever a neighbour**. This rule also
leaves nothing of a prompt behind when the jackknife removes it, and responses that go round in circles do not disturb
it; they would disturb a window of a few steps.

Alignment is linear CKA (Kornblith et al. 2019) with the unbiased HSIC of Song et al. (2012): 0 on average for
independent representations, however wide they are. The average of its numerator over all pairings is exactly 0.

dadapy 0.3.4 (`Data.return_id_scaling_gride`, which knows no prompts) gives the same if every point is a prompt of its
own: over 1,500 points of cubes of 2, 5 and 10 dimensions and of a roll, its values are smaller by a share of 3e-4 at n
= 2 and of 1e-5 at n = 64, because it counts one point less. At n = 1 it is smaller by 7e-4, but larger by 1e-2 in two
dimensions (tests/analysis/test_geometry.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.special import digamma
from scipy.stats import t as student

from synergy_tui.analysis.profile import middle

SCALES = (1, 2, 4, 8, 16, 32, 64)
"""Neighbours n at which a dimension is sought, as far as the points allow."""

PER_NEIGHBOUR = 8
"""Points for each neighbour at the largest scale: with fewer, a neighbourhood is no longer small."""

ENOUGH_POINTS = 50
"""With fewer points there is no dimension."""

SAME = 1e-11
"""Squared distance, as a share of the points' squared norms, below which two states are the same."""

_BLOCK = 512


@dataclass(frozen=True)
class Neighbours:
    """The nearest points of other prompts to each point, nearest first: squared distances, and their prompts."""

    squared: Float[np.ndarray, "points nearest"]
    prompt: Int[np.ndarray, "points nearest"]
    own: Int[np.ndarray, " points"]

    def ratios(self, n: int, without: int | None = None) -> Float[np.ndarray, " points"]:
        """log μ of each point by its neighbours n and 2n, as if the prompt `without` did not exist; NaN if the nth is
        the same state, or there is no 2nth."""
        squared, own = self.squared, self.own
        if without is None:
            if squared.shape[1] < 2 * n:
                return np.full(len(own), np.nan)
            near, far = squared[:, n - 1], squared[:, 2 * n - 1]
        else:
            stay = own != without
            most = 2 * n + int((~stay).sum())
            squared, others = squared[stay, :most], self.prompt[stay, :most]
            place = np.cumsum(others != without, axis=1)
            if squared.shape[1] < 2 * n:
                return np.full(len(squared), np.nan)
            rows = np.arange(len(squared))
            near = squared[rows, np.argmax(place >= n, axis=1)]
            far = np.where(place[:, -1] >= 2 * n, squared[rows, np.argmax(place >= 2 * n, axis=1)], np.inf)
        known = (near > 0) & np.isfinite(far)
        out = np.full(len(near), np.nan)
        out[known] = np.log(far[known] / near[known]) / 2
        return out


def choose(lengths: Sequence[int], tokens: int, seed: int) -> list[Int[np.ndarray, " chosen"]]:
    """Which steps of each response are taken, ascending, from their lengths: about equally many of each, `tokens` in
    total or all steps. The same seed gives the same choice."""
    left = np.array(lengths, dtype=int)
    taken = np.zeros(len(left), dtype=int)
    room = min(tokens, int(left.sum()))
    while room:
        open_ = np.flatnonzero(left > taken)
        each = np.minimum(left[open_] - taken[open_], max(room // len(open_), 1))
        each[np.cumsum(each) > room] = 0
        taken[open_] += each
        room -= int(each.sum())
    return [
        np.sort(np.random.default_rng([seed, place]).choice(length, count, replace=False))
        for place, (length, count) in enumerate(zip(lengths, taken.tolist(), strict=True))
    ]


def scales(prompts: Int[np.ndarray, " points"]) -> tuple[int, ...]:
    """The members of SCALES that these points allow, whichever prompt is left out."""
    fewest = len(prompts) - (2 * int(np.bincount(prompts).max()) if len(prompts) else 0)
    return tuple(n for n in SCALES if 2 * n <= fewest // PER_NEIGHBOUR or n == 1)


def neighbours(states: Float[np.ndarray, "points width"], prompts: Int[np.ndarray, " points"]) -> Neighbours:
    """Uses blocked products of all states with all: trees do not help in so many dimensions."""
    every = np.asarray(states, np.float64)
    every = every - every.mean(axis=0)
    norms = np.einsum("pw,pw->p", every, every)
    largest = 2 * max(scales(prompts)) + int(np.bincount(prompts).max())
    largest = min(largest, len(every) - 1)
    squared, of = [], []
    for first in range(0, len(every), _BLOCK):
        rows = slice(first, first + _BLOCK)
        sums = norms[rows, None] + norms[None]
        found = sums - 2 * (every[rows] @ every.T)
        found[found < SAME * sums] = 0.0
        found[prompts[rows, None] == prompts[None]] = np.inf
        nearest = np.argpartition(found, largest - 1, axis=1)[:, :largest]
        values = np.take_along_axis(found, nearest, axis=1)
        order = np.argsort(values, axis=1, kind="stable")
        squared.append(np.take_along_axis(values, order, axis=1))
        of.append(prompts[np.take_along_axis(nearest, order, axis=1)])
    return Neighbours(np.concatenate(squared), np.concatenate(of), np.asarray(prompts))


def gride(found: Neighbours, n: int, without: int | None = None) -> float:
    """Dimension by the neighbours n and 2n, by maximum likelihood, as if the prompt `without` did not exist. NaN if
    more than half of the points have no ratio, or fewer than ENOUGH_POINTS have one."""
    ratios = found.ratios(n, without)
    known = np.isfinite(ratios)
    if known.sum() < max(ENOUGH_POINTS, len(ratios) / 2):
        return float("nan")
    return likeliest(ratios[known], n)


def likeliest(ratio: Float[np.ndarray, " points"], n: int) -> float:
    """d with the highest likelihood of log μ = `ratio`; NaN if all ratios are 0."""
    total = float(ratio.sum())
    if not total > 0:
        return float("nan")
    if n == 1:
        return len(ratio) / total
    d = (digamma(2 * n) - digamma(n)) * len(ratio) / total  # by the mean of log μ: where Newton begins
    apart = ratio[ratio > 0]
    equal = len(ratio) - len(apart)
    for _ in range(50):
        shrunk = np.exp(-d * apart)
        over = apart / -np.expm1(-d * apart)
        slope = len(ratio) / d + (n - 1) * (over.sum() + equal / d) - (2 * n - 1) * total
        bend = -len(ratio) / d**2 - (n - 1) * ((over**2 * shrunk).sum() + equal / d**2)
        step = slope / bend
        d = max(d - step, d / 4)
        if abs(step) < 1e-9 * d:
            break
    return float(d)


FLAT = 0.05
"""How much steeper a curve of dimensions over log n may be at the place where it is read than at its flattest."""


def plateau(curves: Float[np.ndarray, "layers scales"], among: Sequence[int]) -> int:
    """The smallest n of `among` around which the dimension of all layers together hardly depends on n (within FLAT of
    the flattest). One n for all, because a profile with layers at different scales would show the scales. Noise makes a
    dimension large at small n, and curvature and borders move it at large n; between them it is flat."""
    if len(among) < 2:
        return among[0]
    logs = np.log(np.where(curves > 0, curves, np.nan))
    with np.errstate(invalid="ignore"):
        turns = np.abs(np.gradient(logs, np.log(np.array(among, float)), axis=1))
    known = np.isfinite(turns).sum(axis=0)
    means = np.where(known > 0, np.nansum(turns, axis=0) / np.maximum(known, 1), np.inf)
    return among[int(np.flatnonzero(means <= means.min() + FLAT)[0])] if np.isfinite(means.min()) else among[0]


def left_out(found: Neighbours, n: int) -> Float[np.ndarray, " prompts"]:
    """Dimension without each of the prompts in turn."""
    return np.array([gride(found, n, int(prompt)) for prompt in np.unique(found.own)])


def interval(value: np.ndarray | float, replicates: Float[np.ndarray, "left_out ..."]) -> Float[np.ndarray, "2 ..."]:
    """95 % interval of values by the jackknife: the value ± Student's t × the error from leaving out each item in turn;
    NaN with fewer than two items. A bootstrap would draw some items twice: the same state twice is a neighbour at
    distance 0, and the same pair twice is similar to itself."""
    many = len(replicates)
    value = np.asarray(value, float)
    if many < 2:
        return np.full((2, *value.shape), np.nan)
    error = np.sqrt((many - 1) * replicates.var(axis=0))
    half = student.ppf(0.975, many - 1) * error
    return np.stack([value - half, value + half])


# Alignment


def centred(states: Float[np.ndarray, "items width"]) -> Float[np.ndarray, "items items"]:
    """Products of states with each other, without the products with themselves, centred so that the mean product of two
    such matrices is the unbiased HSIC. Raises ValueError for fewer than four items."""
    n = len(states)
    if n < 4:
        raise ValueError("unbiased HSIC needs four items")
    states = np.asarray(states, np.float64)
    products = (states - states.mean(axis=0)) @ (states - states.mean(axis=0)).T
    np.fill_diagonal(products, 0.0)
    sums = products.sum(axis=1)
    out: Float[np.ndarray, "items items"] = (
        products - (sums[:, None] + sums[None]) / (n - 2) + sums.sum() / ((n - 1) * (n - 2))
    )
    np.fill_diagonal(out, 0.0)
    return out


def cka(one: Float[np.ndarray, "items items"], other: Float[np.ndarray, "items items"]) -> float:
    """Linear CKA, debiased, of two matrices from `centred`; NaN if one of them has no variance beyond noise."""
    return _share(float((one * other).sum()), one, other)


def _share(shared: float, one: np.ndarray, other: np.ndarray) -> float:
    own = float((one * one).sum()) * float((other * other).sum())
    return shared / own**0.5 if own > 0 else float("nan")


def similarity(one: Float[np.ndarray, "items width"], other: Float[np.ndarray, "items other_width"]) -> float:
    """Debiased linear CKA of two representations of the same items, in the same order."""
    return cka(centred(one), centred(other))


def permuted(
    one: Sequence[Float[np.ndarray, "pairs pairs"]],
    other: Sequence[Float[np.ndarray, "pairs pairs"]],
    seed: int,
    n: int,
) -> Float[np.ndarray, "draws layers"]:
    """Alignment of each layer under n random pairings, the same in all layers."""
    chance = np.random.default_rng([seed, 2])
    out = np.empty((n, len(one)))
    for draw in range(n):
        order = chance.permutation(len(one[0]))
        out[draw] = [(a * b[np.ix_(order, order)]).sum() for a, b in zip(one, other, strict=True)]
    return out * np.array([_share(1.0, a, b) for a, b in zip(one, other, strict=True)])


def above(value: float, drawn: Float[np.ndarray, " draws"]) -> float:
    """One-sided p of a permutation test, the data counted among the draws; NaN for a NaN value."""
    if not np.isfinite(value):
        return float("nan")
    return (1 + int((drawn >= value).sum())) / (1 + len(drawn))


def aligned_without(
    one: Sequence[Float[np.ndarray, "pairs width"]], other: Sequence[Float[np.ndarray, "pairs width"]]
) -> Float[np.ndarray, "left_out layers"]:
    """Alignment of each layer without each of the pairs in turn."""
    many = len(one[0])
    out = np.empty((many, len(one)))
    for layer, (a, b) in enumerate(zip(one, other, strict=True)):
        for pair in range(many):
            stay = np.arange(many) != pair
            out[pair, layer] = similarity(a[stay], b[stay])
    return out


# Over layers

SIDES = ("middle − others", "middle − early", "middle − late", "middle")
"""The values taken from a profile over layers: the mean of the middle third of layers (as in section 3) against all
others, against those before and those after it, and by itself."""


def sides(profile: Float[np.ndarray, "*replicates layers"]) -> Float[np.ndarray, "*replicates 4"]:
    """The values named by SIDES; NaN if a layer involved has no value, and below three layers."""
    layers = profile.shape[-1]
    if layers < 3:
        return np.full((*profile.shape[:-1], len(SIDES)), np.nan)
    inside = middle(layers)
    first, last = np.flatnonzero(inside)[[0, -1]]
    within = profile[..., inside].mean(axis=-1)
    others = profile[..., ~inside].mean(axis=-1)
    early, late = profile[..., :first].mean(axis=-1), profile[..., last + 1 :].mean(axis=-1)
    return np.stack([within - others, within - early, within - late, within], axis=-1)
