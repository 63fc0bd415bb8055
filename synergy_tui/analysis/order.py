"""Unit atoms per prompt of every level of a ladder → order parameters, one value per prompt (docs/method.md, section
6). If a parameter is not a mean over prompts, each prompt has a jackknife pseudo-value: the mean of these is the
level's value, and their spread gives its sampling variance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from synergy_tui.analysis import profile, scores
from synergy_tui.analysis.confounds import core
from synergy_tui.analysis.scores import UnitValues, mean_over
from synergy_tui.terms import ORDER_PARAMETERS, RANKINGS, STS

FOLDS = 5
"""Number of parts of a ladder's prompts: the core for one part comes from the others."""

CLEAR = 3.0
"""A level's mean excess must differ from 0 by this many standard errors before shares of it mean anything."""

FEWEST = 3
"""With fewer prompts in a level, no spread is meaningful."""


@dataclass(frozen=True)
class LevelAtoms:
    """One level's prompts, all cut to the common length of the ladder. unit_prompt, offset, balance: as a decomposition
    gives them. surrogate: each unit's mean synergy over surrogates of these prompts, None without surrogates. norm:
    mean activity."""

    unit_prompt: Float[np.ndarray, "prompts units 16"]
    offset: Float[np.ndarray, "prompts units"]
    balance: Float[np.ndarray, "prompts units"]
    surrogate: Float[np.ndarray, " units"] | None
    norm: Float[np.ndarray, "prompts units"]

    def excess(self) -> Float[np.ndarray, "prompts units"]:
        """Synergy minus what independent units would show: the prompt's own independence offset, which is biased in
        short responses, shifted by the bias that the surrogates of the level show. So the mean over prompts is synergy
        minus its surrogate mean."""
        expected = self.offset
        if self.surrogate is not None:
            expected = expected + (self.surrogate - mean_over(self.offset, axis=0))
        return self.unit_prompt[..., STS] - expected


@dataclass(frozen=True)
class OrderValues:
    """values: by order parameter, one array of prompts for each level; NaN where missing, and `reasons` says why for
    (parameter, level)."""

    values: dict[str, list[Float[np.ndarray, " _"]]]
    reasons: dict[tuple[str, int], str]


def order_parameters(levels: list[LevelAtoms], layers: int, ranking: str = RANKINGS[0]) -> OrderValues:
    """All order parameters of all levels. The ranking decides the profile and the core."""
    reasons: dict[tuple[str, int], str] = {}
    cores = _cores(levels, ranking)
    values: dict[str, list[np.ndarray]] = {name: [] for name in ORDER_PARAMETERS}
    for number, level in enumerate(levels):
        whole, without = _rankings(level, ranking)
        values["contrast"].append(level_contrast(level, layers, ranking))
        values["layer-order"].append(pseudo_values(layer_order(whole, layers), layer_order(without, layers)))
        excess = level.excess()
        inside = cores[_fold(len(excess))]
        shares = _shares(excess, inside)
        if not np.isfinite(shares).any():
            reasons["core-share", number] = (
                "its mean excess is not clearly different from 0: a share of it is no number"
            )
        values["core-share"].append(shares)
        held, norm = (np.where(np.isfinite(level.norm), level.norm, 0.0) * part for part in (inside, 1.0))
        values["norm-share"].append(_ratio(held.sum(axis=1), norm.sum(axis=1)))
        values["core-stability"].append(_stability(level, ranking))
        values["excess"].append(mean_over(excess, axis=1))
        if len(excess) < FEWEST:
            for name in ORDER_PARAMETERS:
                values[name][-1] = np.full(len(excess), np.nan)
                reasons[name, number] = f"fewer than {FEWEST} prompts"
    return OrderValues(values, reasons)


def level_contrast(level: LevelAtoms, layers: int, ranking: str = RANKINGS[0]) -> Float[np.ndarray, " prompts"]:
    """The contrast of a level's profile, prompt by prompt."""
    whole, without = _rankings(level, ranking)
    return pseudo_values(_contrast(whole, layers), _contrast(without, layers))


def pseudo_values(whole: Float[np.ndarray, " 1"], without: Float[np.ndarray, " prompts"]) -> np.ndarray:
    """θ + (n − 1)·(mean of all θ without a prompt − θ without this one): their mean is the level's own value, which its
    map shows, and their variance over n is the jackknife's. The usual form, n·θ − (n − 1)·θ without the prompt, also
    corrects a bias; for a ranking that correction is noise, many times as large as the error of θ itself."""
    count = len(without)
    return whole + (count - 1) * (mean_over(without, axis=0) - without)


def layer_order(raw: Float[np.ndarray, "*replicates units"], layers: int) -> Float[np.ndarray, "*replicates"]:
    """η²: the share of a unit score's variance that lies between layers."""
    by_layer = raw.reshape(*raw.shape[:-1], layers, -1)
    known = np.isfinite(by_layer)
    centre = mean_over(raw, axis=-1)[..., None, None]
    rest = np.where(known, by_layer - centre, 0.0)
    between = (mean_over(np.where(known, rest, np.nan), axis=-1) ** 2 * known.sum(axis=-1)).sum(axis=-1)
    return _ratio(between, (rest**2).sum(axis=(-1, -2)))


def _rankings(level: LevelAtoms, ranking: str) -> tuple[np.ndarray, np.ndarray]:
    """The level's ranking [1, units], and the rankings without each prompt [prompts, units]."""
    count = len(level.unit_prompt)
    every = np.ones((1, count), bool)
    return _ranking(level, ranking, every), _ranking(level, ranking, ~np.eye(count, dtype=bool))


def _ranking(level: LevelAtoms, ranking: str, used: Bool[np.ndarray, "replicates prompts"]) -> np.ndarray:
    """A ranking of means over the prompts used, for several choices of them."""
    atoms, expected, balance = (
        _means(used, part) for part in (level.unit_prompt, level.unit_prompt[..., STS] - level.excess(), level.balance)
    )
    return scores.ranking(ranking, UnitValues(atoms, expected, balance))


def _means(used: np.ndarray, part: np.ndarray) -> np.ndarray:
    known = np.isfinite(part)
    weights = used.astype(float)
    sums = np.tensordot(weights, np.where(known, part, 0.0), axes=1)
    return _ratio(sums, np.tensordot(weights, known.astype(float), axes=1))


def _contrast(raw: np.ndarray, layers: int) -> np.ndarray:
    return profile.contrast(profile.profile(scores.scaled(raw), layers))


def _fold(prompts: int) -> np.ndarray:
    return np.arange(prompts) % FOLDS


def _cores(levels: list[LevelAtoms], ranking: str) -> Bool[np.ndarray, "folds units"]:
    """For each fold the core from all other prompts of the ladder, every level with the same weight: one core for all
    levels, never computed from a prompt to which it is applied."""
    units = levels[0].unit_prompt.shape[1]
    out = np.zeros((FOLDS, units), bool)
    for fold in range(FOLDS):
        by_level = [
            _ranking(level, ranking, (_fold(len(level.unit_prompt)) != fold)[None])[0]
            for level in levels
            if (_fold(len(level.unit_prompt)) != fold).any()
        ]
        out[fold, core(mean_over(np.stack(by_level), axis=0))] = True
    return out


def _shares(excess: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Pseudo-values of the share of a level's excess that the core holds."""
    known = np.where(np.isfinite(excess), excess, 0.0)
    held, total = (known * inside).sum(axis=1), known.sum(axis=1)
    count = len(total)
    nothing = np.full(count, np.nan)
    if count < FEWEST or abs(total.mean()) <= CLEAR * total.std(ddof=1) / np.sqrt(count):
        return nothing
    return pseudo_values(np.array([held.sum() / total.sum()]), _ratio(held.sum() - held, total.sum() - total))


def _stability(level: LevelAtoms, ranking: str) -> np.ndarray:
    """How much of the core of the other prompts is in the core of a single prompt, mean over prompts. These are
    pseudo-values: prompts are compared with almost the same others, so their own overlaps vary too little."""
    count = len(level.unit_prompt)
    one = np.eye(count, dtype=bool)
    alone = _in_core(_ranking(level, ranking, one))

    def overlap(left_out: np.ndarray) -> float:
        kept = np.flatnonzero(~left_out)
        others = _in_core(_ranking(level, ranking, (~one & ~left_out)[kept]))
        return float(mean_over(_ratio((others & alone[kept]).sum(axis=1), others.sum(axis=1)), axis=0))

    whole = np.array([overlap(np.zeros(count, bool))])
    return pseudo_values(whole, np.array([overlap(one[prompt]) for prompt in range(count)]))


def _in_core(raw: np.ndarray) -> np.ndarray:
    out = np.zeros(raw.shape, bool)
    for own, units in zip(out, raw, strict=True):
        own[core(units)] = True
    return out


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.divide(above, below, out=np.full(np.shape(below), np.nan), where=below != 0)
