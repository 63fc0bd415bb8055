"""A ranking → layer profile, contrast and curvature (docs/method.md, section 3). Units are in the order of their
layers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from synergy_tui.analysis.scores import mean_over


@dataclass(frozen=True)
class Cut:
    """What a contrast compares. above, below: numbers of the layers on its two sides; both are empty for the middle
    third of layers against the others. deep: whether layers follow one another in depth. Groups without an order have
    no middle, no ends and no curvature."""

    above: tuple[int, ...] = ()
    below: tuple[int, ...] = ()
    deep: bool = True


MIDDLE = Cut()
"""The middle third of layers against the others."""


def depth(layers: int) -> Float[np.ndarray, " layers"]:
    """Normalised depth ℓ/(L−1); 0 for a single layer."""
    return np.arange(layers) / max(layers - 1, 1)


def profile(scaled: Float[np.ndarray, "*replicates units"], layers: int) -> Float[np.ndarray, "*replicates layers"]:
    """Mean over each layer's units. If layers have unequal numbers of units, the places without a unit are NaN and do
    not count."""
    return mean_over(scaled.reshape(*scaled.shape[:-1], layers, -1), axis=-1)


def middle(layers: int) -> Bool[np.ndarray, " layers"]:
    """Which layers have a depth in [1/3, 2/3]. Computed in whole numbers, so that rounding cannot move a layer across
    the border."""
    place = 3 * np.arange(layers)
    return (place >= layers - 1) & (place <= 2 * (layers - 1))


def contrast(
    layer_profile: Float[np.ndarray, "*replicates layers"], cut: Cut = MIDDLE
) -> Float[np.ndarray, "*replicates"]:
    """Mean of the layers with depth in [1/3, 2/3] minus the mean of the others; NaN below three layers, and if layers
    have no depth. For a cut with its own sides: the mean of the layers on one side minus the mean on the other, each
    layer counting once, whatever the number of its units."""
    layers = layer_profile.shape[-1]
    if cut.above:
        one, other = (mean_over(layer_profile[..., list(side)], axis=-1) for side in (cut.above, cut.below))
        return np.asarray(one - other)
    if layers < 3 or not cut.deep:
        return np.full(layer_profile.shape[:-1], np.nan)
    inside = middle(layers)
    ends = mean_over(layer_profile[..., ~inside], axis=-1)
    return np.asarray(mean_over(layer_profile[..., inside], axis=-1) - ends)


SIDES = ("middle − early", "middle − late", "early − mean", "late − mean")
"""The differences that C1 uses: the middle layers against those before and those after them, and early and late layers
against the mean of all layers, where the bars of a map begin."""


def sides(
    layer_profile: Float[np.ndarray, "*replicates layers"], cut: Cut = MIDDLE
) -> Float[np.ndarray, "*replicates 4"]:
    """The differences named by SIDES; NaN below three layers, and if the cut is not the middle third."""
    layers = layer_profile.shape[-1]
    if layers < 3 or cut.above or not cut.deep:
        return np.full((*layer_profile.shape[:-1], len(SIDES)), np.nan)
    first, last = np.flatnonzero(middle(layers))[[0, -1]]
    parts = (slice(0, first), slice(first, last + 1), slice(last + 1, layers), slice(0, layers))
    early, inside, late, mean = (mean_over(layer_profile[..., part], axis=-1) for part in parts)
    return np.stack([inside - early, inside - late, early - mean, late - mean], axis=-1)


def curvature(layer_profile: Float[np.ndarray, " layers"], cut: Cut = MIDDLE) -> float:
    """Quadratic coefficient of the least-squares parabola over depth; NaN below three layers with a value, and if
    layers have no depth."""
    known = np.isfinite(layer_profile)
    if known.sum() < 3 or not cut.deep:
        return float("nan")
    return float(np.polyfit(depth(len(layer_profile))[known], layer_profile[known], 2)[0])
