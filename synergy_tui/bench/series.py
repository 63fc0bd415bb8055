"""Series with known properties, for measurements."""

from __future__ import annotations

import numpy as np


def autoregressive(chance: np.random.Generator, shape: tuple[int, int, int], phi: float | np.ndarray) -> np.ndarray:
    """Independent stationary AR(1) series [prompts, units, steps] of unit variance; phi broadcasts over prompts and
    units."""
    noise = chance.normal(size=shape)
    phi = np.broadcast_to(phi, shape[:2])
    out = np.empty(shape)
    out[..., 0] = noise[..., 0]
    for step in range(1, shape[2]):
        out[..., step] = phi * out[..., step - 1] + np.sqrt(1 - phi**2) * noise[..., step]
    return out


def with_common_driver(prompts: int, units: int, steps: int) -> np.ndarray:
    """Autocorrelated units that share a driver: det R of real head norms' order."""
    chance = np.random.default_rng(0)
    noise = chance.normal(size=(prompts, units, steps)) + 0.5 * chance.normal(size=(prompts, 1, steps))
    series = np.empty_like(noise)
    series[..., 0] = noise[..., 0]
    for step in range(1, steps):
        series[..., step] = 0.7 * series[..., step - 1] + noise[..., step]
    return series
