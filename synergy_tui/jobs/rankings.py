"""A decomposition → the rankings behind the removal orders of an ablation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from synergy_tui.analysis import scores
from synergy_tui.store import load
from synergy_tui.store.cache import Cache
from synergy_tui.terms import NORMALISED, RANKINGS


def rankings(
    cache: Cache,
    decomposition: str,
    shape: tuple[int, int],
    without: Sequence[int] = (),
    names: Sequence[str] = RANKINGS,
) -> dict[str, np.ndarray]:
    """Raw values [units] of these rankings at each place of a map of `shape` (layers, units per layer): over all
    prompts of the decomposition, or over those that are not in `without`. A unit's expected synergy without coupling
    then still comes from the whole decomposition, if it has surrogates."""
    whole = {name: load.unit_scores(cache, decomposition, name, shape, "value").ravel() for name in (*RANKINGS, "sts")}
    if not without:
        return {name: whole[name] for name in names}
    measures = ("sts", "rtr", "tdmi", "balance", "independence")
    others = load.unit_means(cache, decomposition, measures, list(without), shape[0] * shape[1])
    expected, spread = others["independence"], None
    if np.isfinite(whole["z"]).any():
        expected = whole["sts"] - whole["excess"]
        known = np.isfinite(whole["z"]) & (whole["z"] != 0)
        spread = np.divide(whole["excess"], whole["z"], out=np.full(len(expected), np.nan), where=known)
    sts, rtr, tdmi, balance = (others[name] for name in measures[:4])
    values = scores.of_measures(sts, rtr, tdmi, balance, expected, spread)
    found = {name: scores.ranking(name, values) for name in names}
    if NORMALISED in found and not np.isfinite(whole[NORMALISED]).any():
        found[NORMALISED] = whole[NORMALISED]
    return found
