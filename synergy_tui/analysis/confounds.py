"""Reasons not to read the map as a finding (docs/method.md, section 4)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from synergy_tui.analysis.scores import UnitValues, mean_over, ranks

CORE = 0.25
"""Share of units that is called core (top) and periphery (bottom)."""


def autocorrelation(series: Float[np.ndarray, "prompts units steps"], lag: int) -> Float[np.ndarray, " units"]:
    """Mean over prompts of each unit's lag-τ autocorrelation, past and future windows centred and scaled by themselves;
    NaN if a window is constant or shorter than 3 steps."""
    found = np.full(series.shape[:2], np.nan)
    for number, prompt in enumerate(series):
        length = int((~np.isnan(prompt).all(axis=0)).sum())
        if length - lag < 3:
            continue
        past, future = (_centred(prompt[:, part]) for part in (slice(0, length - lag), slice(lag, length)))
        scale = np.sqrt((past**2).sum(axis=1) * (future**2).sum(axis=1))
        varies = (np.ptp(prompt[:, : length - lag], axis=1) > 0) & (np.ptp(prompt[:, lag:length], axis=1) > 0)
        np.divide((past * future).sum(axis=1), scale, out=found[number], where=varies & (scale > 0))
    return mean_over(found, axis=0)


def mean_norm(series: Float[np.ndarray, "prompts units steps"]) -> Float[np.ndarray, " units"]:
    """Mean activity over prompts and steps."""
    return mean_over(series.transpose(1, 0, 2).reshape(series.shape[1], -1), axis=1)


def confounds(
    values: UnitValues,
    autocorrelations: Float[np.ndarray, " units"],
    norms: Float[np.ndarray, " units"],
    rankings: dict[str, Float[np.ndarray, " units"]],
    halves: tuple[Float[np.ndarray, " units"], Float[np.ndarray, " units"]],
    lengths: Int[np.ndarray, " prompts"] | Float[np.ndarray, " prompts"],
    left_out: int,
) -> dict[str, float]:
    """Named numbers of the doubts line. `rankings`: raw values by name, the default first. `halves`: the default
    ranking on every other prompt. `lengths`: of the valid prompts; `left_out`: prompts too short for analysis."""
    return {
        **without_series(values, rankings, halves, len(lengths)),
        "synergy~autocorrelation": pearson(values.sts, autocorrelations),
        "synergy~norm": pearson(values.sts, norms),
        "excess~autocorrelation": pearson(rankings["excess"], autocorrelations),
        "prompts too short": float(left_out),
        "shortest response": float(np.min(lengths)),
        "mean response": float(np.mean(lengths)),
    }


def without_series(
    values: UnitValues,
    rankings: dict[str, Float[np.ndarray, " units"]],
    halves: tuple[Float[np.ndarray, " units"], Float[np.ndarray, " units"]],
    prompts: int,
) -> dict[str, float]:
    """The numbers that need only the values of pairs, for this many valid prompts."""
    names = list(rankings)
    overlaps = [core_overlap(rankings[a], rankings[b]) for i, a in enumerate(names) for b in names[i + 1 :]]
    agreements = [spearman(rankings[a], rankings[b]) for i, a in enumerate(names) for b in names[i + 1 :]]
    return {
        "synergy~redundancy": pearson(values.sts, values.rtr),
        "rankings: mean core overlap": float(np.mean(overlaps)),
        "rankings: least core overlap": float(np.min(overlaps)),
        "rankings: mean Spearman": float(np.mean(agreements)),
        "split-half Spearman": spearman(*halves),
        "prompts valid": float(prompts),
    }


def pearson(a: np.ndarray, b: np.ndarray) -> float:
    """Correlation over the units where both have a value; NaN if either is constant there."""
    known = np.isfinite(a) & np.isfinite(b)
    a, b = (_centred(one[known][None])[0] for one in (a, b)) if known.any() else (a[:0], b[:0])
    scale = np.sqrt((a**2).sum() * (b**2).sum())
    return float((a * b).sum() / scale) if scale > 0 else float("nan")


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    """Rank correlation, ties averaged."""
    known = np.isfinite(a) & np.isfinite(b)
    return pearson(ranks(a[known]), ranks(b[known])) if known.any() else float("nan")


def core(raw: Float[np.ndarray, " units"]) -> np.ndarray:
    """Indices of the top quarter of a ranking, most synergistic first; units without a value are in no core."""
    order = np.argsort(-raw, kind="stable")
    known = int(np.isfinite(raw).sum())
    return order[: max(min(known, 1), round(CORE * known))]


def core_overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Share of the core of one ranking that is in the core of the other; NaN if either has no values."""
    first, second = set(core(a)), set(core(b))
    return len(first & second) / len(first) if first and second else float("nan")


def _centred(rows: np.ndarray) -> np.ndarray:
    rows = rows.astype(np.float64)
    return rows - rows.mean(axis=1, keepdims=True)
