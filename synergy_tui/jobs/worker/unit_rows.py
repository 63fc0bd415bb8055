"""What a decomposition says about units → every score, ranking, profile, interval and confound, as rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from synergy_tui.analysis import bootstrap, confounds, profile, scores
from synergy_tui.analysis.profile import Cut
from synergy_tui.jobs.specs import DecomposeSpec
from synergy_tui.jobs.worker.against import Against
from synergy_tui.jobs.worker.progress import Progress
from synergy_tui.jobs.worker.tables import table
from synergy_tui.phiid.result import UnitAtoms
from synergy_tui.terms import ATOMS, COUPLED, RANKINGS, RTR, STS, TESTS

CATEGORY_REPLICATES = 300
"""Of the bootstrap within a category: fewer prompts, wider intervals, whose ends need no third digit."""


def rows(
    decomposition: str,
    capture: dict[str, Any],
    spec: DecomposeSpec,
    measured: dict[str, np.ndarray],
    lengths: np.ndarray,
    prompts: np.ndarray,
    atoms: UnitAtoms,
    found: Against | None,
    cut: Cut,
    progress: Progress,
) -> dict[str, pa.Table]:
    """Rows of unit_scores, layer_profiles, contrasts, contrast_sides, unit_prompts and confounds. `measured`:
    autocorrelation and norm of units. `lengths`: steps of the valid prompts. `prompts`: numbers of all that were
    decomposed. `cut`: what contrasts compare."""
    expected, spread = atoms.unit_offset, None
    by_prompt = atoms.unit_prompt_offset
    if found is not None:
        # What takes the surrogate mean off the data as the null saw them, also where it saw them cut.
        expected = atoms.unit[:, ATOMS.index("sts")] - found.first.excess
        spread = found.first.sd[:, 0]
        by_prompt = np.broadcast_to(expected, by_prompt.shape)
    values = scores.unit_values(atoms.unit, expected, atoms.unit_balance, spread)
    columns = {name: values.atoms[:, place] for place, name in enumerate(ATOMS)}
    columns |= {"tdmi": values.tdmi, "offset": atoms.unit_offset, **measured}
    if found is not None:
        both = np.stack([found.unit_p, found.unit_q], axis=2).reshape(len(found.unit_p), -1)
        columns |= dict(zip(TESTS, both.T, strict=True))
    tables = [_scores(decomposition, name, column) for name, column in columns.items()]

    layers, raws = capture["layers"], {}
    profiles, contrasts, sides = [], [], []
    for name in scores.rankings_of(spec.method.estimator, spec.method.redundancy):
        raw = scores.ranking(name, values)
        progress.advance()
        if not np.isfinite(raw).any():
            continue  # z without surrogates
        raws[name] = raw
        parts = (atoms.unit_prompt, by_prompt, atoms.unit_balance, atoms.unit_pairs)
        ends = bootstrap.intervals(name, values, *parts, layers, spec.seed, spec.replicates, cut)
        scaled = scores.scaled(raw)
        tables.append(_scores(decomposition, name, raw, scaled, *ends.units))
        by_layer = profile.profile(scaled, layers)
        profiles.append(_profile(decomposition, name, by_layer, ends.profile, cut))
        contrasts.append(_contrast(decomposition, name, by_layer, ends.contrast, cut))
        sides.append(_sides(decomposition, name, by_layer, ends.sides, cut))

    halves = [
        scores.values_over(atoms.unit_prompt[half::2], by_prompt[half::2], atoms.unit_balance[half::2], spread)
        for half in (0, 1)
    ]
    first, second = (scores.ranking(RANKINGS[0], half) for half in halves)
    left_out = capture["prompts"] - len(lengths)
    doubts = confounds.confounds(
        values, measured["autocorrelation"], measured["norm"], raws, (first, second), lengths, left_out
    )
    if found is not None and not found.withheld[0]:
        coupled, up = found.unit_q[:, 0] < COUPLED, found.first.excess > 0
        doubts["units coupled"] = float(coupled.sum())
        doubts["units coupled, more synergy"] = float((coupled & up).sum())
        doubts["pairs coupled"] = float((found.pair_q[:, 0] < COUPLED).sum())
    return {
        "unit_scores": pa.concat_tables(tables),
        "layer_profiles": pa.concat_tables(profiles),
        "contrasts": pa.concat_tables(contrasts),
        "contrast_sides": pa.concat_tables(sides),
        "unit_prompts": _by_prompt(decomposition, prompts, atoms),
        "confounds": table(
            decomposition=[decomposition] * len(doubts), name=list(doubts), value=np.array(list(doubts.values()))
        ),
    }


def by_category(
    decomposition: str, spec: DecomposeSpec, atoms: UnitAtoms, categories: list[str], layers: int, cut: Cut
) -> dict[str, pa.Table]:
    """Rows of category_profiles and category_contrasts: the default ranking over each category's prompts, where two of
    them have values; none where there is a single category."""
    profiles, contrasts = [], []
    names = np.array(categories)
    known = atoms.unit_pairs.any(axis=1)
    several = sorted({name for name in categories if (known & (names == name)).sum() > 1})
    for name in several if len(several) > 1 else ():
        mine = known & (names == name)
        parts = (atoms.unit_prompt[mine], atoms.unit_prompt_offset[mine], atoms.unit_balance[mine])
        values = scores.values_over(*parts)
        raw = scores.ranking(RANKINGS[0], values)
        replicates = min(spec.replicates, CATEGORY_REPLICATES)
        pairs = atoms.unit_pairs[mine]
        ends = bootstrap.intervals(RANKINGS[0], values, *parts, pairs, layers, spec.seed, replicates, cut)
        by_layer = profile.profile(scores.scaled(raw), layers)
        more = {"category": [name] * layers}
        one = _profile(decomposition, RANKINGS[0], by_layer, ends.profile, cut).drop_columns("ranking")
        profiles.append(one.append_column("category", pa.array(more["category"])))
        contrast = _contrast(decomposition, RANKINGS[0], by_layer, ends.contrast, cut).drop_columns("curvature")
        contrast = contrast.append_column("category", pa.array([name]))
        contrasts.append(contrast.append_column("prompts", pa.array([int(mine.sum())])))
    if not profiles:
        return {}
    return {"category_profiles": pa.concat_tables(profiles), "category_contrasts": pa.concat_tables(contrasts)}


def _scores(decomposition: str, name: str, value: np.ndarray, *rest: np.ndarray) -> pa.Table:
    nothing = np.full(len(value), np.nan)
    scaled, low, high = rest or (nothing, nothing, nothing)
    return table(
        decomposition=[decomposition] * len(value),
        unit_index=np.arange(len(value)),
        score=[name] * len(value),
        value=value,
        scaled=scaled,
        low=low,
        high=high,
    )


def _profile(decomposition: str, ranking: str, by_layer: np.ndarray, ends: np.ndarray, cut: Cut) -> pa.Table:
    layers = len(by_layer)
    return table(
        decomposition=[decomposition] * layers,
        ranking=[ranking] * layers,
        layer=np.arange(layers),
        depth=profile.depth(layers) if cut.deep else np.full(layers, np.nan),
        value=by_layer,
        low=ends[0],
        high=ends[1],
    )


def _by_prompt(decomposition: str, prompts: np.ndarray, atoms: UnitAtoms) -> pa.Table:
    """Rows of unit_prompts; none where prompts were pooled."""
    count, units = atoms.unit_pairs.shape
    if count != len(prompts):
        prompts, count = prompts[:0], 0
    columns = {
        "sts": atoms.unit_prompt[:count, :, STS],
        "rtr": atoms.unit_prompt[:count, :, RTR],
        "tdmi": atoms.unit_prompt[:count].sum(axis=2),
        "balance": atoms.unit_balance[:count],
        "independence": atoms.unit_prompt_offset[:count],
    }
    known = {name: value.ravel() for name, value in columns.items()}
    place = {"prompt": np.repeat(prompts, units), "unit_index": np.tile(np.arange(units), count)}
    return table(decomposition=[decomposition] * (count * units), **place, **known)


def _sides(decomposition: str, ranking: str, by_layer: np.ndarray, ends: np.ndarray, cut: Cut) -> pa.Table:
    return table(
        decomposition=[decomposition] * len(profile.SIDES),
        ranking=[ranking] * len(profile.SIDES),
        side=list(profile.SIDES),
        value=profile.sides(by_layer, cut),
        low=ends[0],
        high=ends[1],
    )


def _contrast(decomposition: str, ranking: str, by_layer: np.ndarray, ends: np.ndarray, cut: Cut) -> pa.Table:
    return table(
        decomposition=[decomposition],
        ranking=[ranking],
        contrast=profile.contrast(by_layer[None], cut),
        low=ends[:1],
        high=ends[1:],
        curvature=np.array([profile.curvature(by_layer, cut)]),  # a list with NaN alone would have no type
    )
