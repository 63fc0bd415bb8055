"""The worth of a unit alone, a ranking by synergy and other scores → whether synergy predicts the worth better."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from synergy_tui.analysis import importance
from synergy_tui.analysis.scores import mean_over
from synergy_tui.jobs.plan.ablations import FEWEST_RANKED


@dataclass(frozen=True)
class Removal:
    """An ablation with a sweep of single units: divergence [units, prompts] at each place of the map. held_out: whether
    the ranking [units] comes from other prompts."""

    ablation: str
    ranking: str
    held_out: bool
    prompts: Sequence[int]
    divergence: np.ndarray
    values: np.ndarray


@dataclass(frozen=True)
class Scored:
    """A scoring: by score its values [units, prompts]."""

    scoring: str
    prompts: Sequence[int]
    values: Mapping[str, np.ndarray]

    def over(self, without: Sequence[int]) -> tuple[dict[str, np.ndarray], bool]:
        """Means over the prompts that are not in `without`, if there are enough of them, else over all prompts; and
        whether there were enough. Attribution counts by its size on each prompt: divergence has no sign to cancel."""
        others = np.array([one not in set(without) for one in self.prompts], bool)
        apart = bool(without) and int(others.sum()) >= FEWEST_RANKED
        sized = {**self.values, "attribution": np.abs(self.values["attribution"])}
        return {name: mean_over(one[:, others] if apart else one, axis=1) for name, one in sized.items()}, apart


def comparisons(removal: Removal, scored: Scored, layer_of: Mapping[int, int], seed: int = 0) -> list[dict[str, Any]]:
    """Rows of ablation_comparisons: one for each score that enough units have."""
    there, layers = list(layer_of), np.array(list(layer_of.values()))
    found, apart = scored.over(removal.prompts if removal.held_out else ())
    alone, mine = removal.divergence[there], removal.values[there]
    rows = []
    for name, values in found.items():
        other = values[there]
        known = np.isfinite(other) & np.isfinite(mine) & np.isfinite(alone).all(axis=1)
        if known.sum() < 3:
            continue
        plain, partial = importance.difference(alone, mine, other, layers, seed, either_way=True)
        own, theirs = (
            importance.correlation(alone[known], one[known], layers[known], seed, 2) for one in (mine, other)
        )
        rows.append(
            {
                "ablation": removal.ablation,
                "scoring": scored.scoring,
                "ranking": removal.ranking,
                "other": name,
                "spearman": own[0].value,
                "other_spearman": theirs[0].value,
                **{"difference": plain.value, "low": plain.low, "high": plain.high},
                **{"partial": partial.value, "partial_low": partial.low, "partial_high": partial.high},
                "verdict": importance.verdict(plain),
                "units": int(known.sum()),
                "prompts": len(removal.prompts),
                "held_out": removal.held_out and apart,
            }
        )
    return rows
