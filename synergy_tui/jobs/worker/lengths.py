"""A series → the contrast over the length of responses, for the data and for surrogates: estimates grow with length,
and two contrasts are comparable only at one length."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from synergy_tui.analysis import profile, scores
from synergy_tui.analysis.profile import Cut
from synergy_tui.errors import MeasureError
from synergy_tui.jobs.tables import table
from synergy_tui.phiid.engine import PairEngine
from synergy_tui.phiid.nulls import NullEngine
from synergy_tui.phiid.result import UnitTotals, mean_of
from synergy_tui.phiid.windows import MIN_STEPS
from synergy_tui.terms import NULLS, RANKINGS

POINTS, DRAWS = 5, 3
"""Number of lengths, spaced evenly up to the longest that half of the prompts reach, and surrogates of each."""

SHORTEST = 10
"""Steps below which no length is tried."""


def rows(
    decomposition: str,
    series: np.ndarray,
    steps: np.ndarray,
    categories: np.ndarray,
    method: dict[str, Any],
    layers: int,
    cut: Cut,
) -> pa.Table:
    """Rows of contrast_lengths, by the default ranking. categories: a number per prompt. cut: what the contrast
    compares. The array keeps its shape however much is cut off, so that one compilation serves all lengths."""
    longest = int(np.sort(steps)[len(steps) // 2])
    there = steps >= longest
    kept = np.unique(np.linspace(0, longest, POINTS + 1).round().astype(int))
    kept = kept[kept >= max(SHORTEST, MIN_STEPS + method["lag"])]
    data, drawn = np.full(len(kept), np.nan), np.full(len(kept), np.nan)
    for place, length in enumerate(kept.tolist()):
        part = np.where(there[:, None, None] & (np.arange(series.shape[2]) < length), series, np.nan)
        engine = PairEngine(part, **method)
        data[place] = _contrast([engine.block(k, keep_prompts=False).totals for k in range(len(engine))], layers, cut)
        try:
            null = NullEngine(part, NULLS[0], 0, categories, **method)
        except MeasureError:
            continue
        found = [
            _contrast(
                [null.engine.block(k, one.windows, keep_prompts=False).totals for k in range(len(null))],
                layers,
                cut,
            )
            for one in null.draws(DRAWS)
        ]
        drawn[place] = np.mean(found)
    count = len(kept)
    return table(
        decomposition=[decomposition] * count,
        steps=kept,
        prompts=np.full(count, int(there.sum())),
        contrast=data,
        surrogate=drawn,
    )


def _contrast(blocks: list[UnitTotals], layers: int, cut: Cut) -> float:
    whole = blocks[0]
    for one in blocks[1:]:
        whole += one
    atoms = mean_of(whole.atoms, whole.pairs[:, None])
    nothing = np.full(len(atoms), np.nan)
    values = scores.UnitValues(atoms, nothing, nothing)
    shown = profile.profile(scores.scaled(scores.ranking(RANKINGS[0], values)), layers)
    return float(profile.contrast(shown, cut))
