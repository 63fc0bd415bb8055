"""What a decomposition says about units → every score, ranking, profile, interval and confound, as rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pyarrow as pa

from synergy_tui.analysis import bootstrap, confounds, profile, scores
from synergy_tui.analysis.profile import MIDDLE, Cut
from synergy_tui.jobs.tables import table
from synergy_tui.phiid.result import UnitAtoms
from synergy_tui.terms import ATOMS, COUPLED, RANKINGS, RTR, STS, TESTS

if TYPE_CHECKING:
    from synergy_tui.analysis.nulls import Tested

CATEGORY_REPLICATES = 300
"""Replicates of the bootstrap within a category: intervals over fewer prompts are wider and need no third digit."""


class Against(Protocol):
    """What these rows need of the tests against surrogates, which jobs/worker/against.py makes and describes."""

    @property
    def unit_p(self) -> np.ndarray: ...

    @property
    def unit_q(self) -> np.ndarray: ...

    @property
    def pair_q(self) -> np.ndarray: ...

    @property
    def withheld(self) -> tuple[bool, ...]: ...

    @property
    def first(self) -> Tested: ...


@dataclass(frozen=True)
class Asked:
    """rankings: rankings to try; one without a value is left out. replicates, seed: of the bootstrap. cut: what
    contrasts compare."""

    rankings: Sequence[str]
    replicates: int
    seed: int
    cut: Cut = MIDDLE


def rows(
    decomposition: str,
    capture: Mapping[str, Any],
    asked: Asked,
    measured: Mapping[str, np.ndarray],
    lengths: np.ndarray | None,
    prompts: np.ndarray,
    atoms: UnitAtoms,
    found: Against | None = None,
    advance: Callable[[], None] = lambda: None,
) -> dict[str, pa.Table]:
    """Rows of unit_scores, layer_profiles, contrasts, contrast_sides, unit_prompts and confounds. `capture`: layers and
    prompts. `measured`: autocorrelation and norm of units. `lengths`: steps of the valid prompts; None if there are no
    series, and so no measures. `prompts`: numbers of all decomposed prompts. `advance`: called after each ranking.
    Scores without a single value have no rows."""
    expected, spread = atoms.unit_offset, None
    by_prompt = atoms.unit_prompt_offset
    if found is not None:
        # This takes the surrogate mean off the data as the null saw them, even if it saw them cut.
        expected = atoms.unit[:, ATOMS.index("sts")] - found.first.excess
        spread = found.first.sd[:, 0]
        by_prompt = np.broadcast_to(expected, by_prompt.shape)
    values = scores.unit_values(atoms.unit, expected, atoms.unit_balance, spread)
    columns = {name: values.atoms[:, place] for place, name in enumerate(ATOMS)}
    columns |= {"tdmi": values.tdmi, "offset": atoms.unit_offset, **measured}
    if found is not None:
        both = np.stack([found.unit_p, found.unit_q], axis=2).reshape(len(found.unit_p), -1)
        columns |= dict(zip(TESTS, both.T, strict=True))
    known = {name: column for name, column in columns.items() if lengths is not None or np.isfinite(column).any()}
    tables = [_scores(decomposition, name, column) for name, column in known.items()]

    layers, raws = capture["layers"], {}
    profiles, contrasts, sides = [], [], []
    for name in asked.rankings:
        raw = scores.ranking(name, values)
        advance()
        if not np.isfinite(raw).any():
            continue  # z without surrogates, or a ranking by atoms that are not there
        raws[name] = raw
        parts = (atoms.unit_prompt, by_prompt, atoms.unit_balance, atoms.unit_pairs)
        ends = bootstrap.intervals(name, values, *parts, layers, asked.seed, asked.replicates, asked.cut)
        scaled = scores.scaled(raw)
        tables.append(_scores(decomposition, name, raw, scaled, *ends.units))
        by_layer = profile.profile(scaled, layers)
        profiles.append(_profile(decomposition, name, by_layer, ends.profile, asked.cut))
        contrasts.append(_contrast(decomposition, name, by_layer, ends.contrast, asked.cut))
        sides.append(_sides(decomposition, name, by_layer, ends.sides, asked.cut))

    halves = [
        scores.values_over(atoms.unit_prompt[half::2], by_prompt[half::2], atoms.unit_balance[half::2], spread)
        for half in (0, 1)
    ]
    first, second = (scores.ranking(RANKINGS[0], half) for half in halves)
    if lengths is None:
        doubts = confounds.without_series(values, raws, (first, second), int(atoms.unit_pairs.any(axis=1).sum()))
    else:
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
    decomposition: str, asked: Asked, atoms: UnitAtoms, categories: Sequence[str], layers: int
) -> dict[str, pa.Table]:
    """Rows of category_profiles and category_contrasts: the default ranking over each category's prompts, if two of
    them have values; no rows if there is a single category."""
    profiles, contrasts = [], []
    names = np.array(categories)
    known = atoms.unit_pairs.any(axis=1)
    several = sorted({name for name in categories if (known & (names == name)).sum() > 1})
    for name in several if len(several) > 1 else ():
        mine = known & (names == name)
        parts = (atoms.unit_prompt[mine], atoms.unit_prompt_offset[mine], atoms.unit_balance[mine])
        values = scores.values_over(*parts)
        raw = scores.ranking(RANKINGS[0], values)
        replicates = min(asked.replicates, CATEGORY_REPLICATES)
        pairs = atoms.unit_pairs[mine]
        ends = bootstrap.intervals(RANKINGS[0], values, *parts, pairs, layers, asked.seed, replicates, asked.cut)
        by_layer = profile.profile(scores.scaled(raw), layers)
        more = {"category": [name] * layers}
        one = _profile(decomposition, RANKINGS[0], by_layer, ends.profile, asked.cut).drop_columns("ranking")
        profiles.append(one.append_column("category", pa.array(more["category"])))
        contrast = _contrast(decomposition, RANKINGS[0], by_layer, ends.contrast, asked.cut).drop_columns("curvature")
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
    """Rows of unit_prompts; no rows if prompts were pooled."""
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
        curvature=np.array([profile.curvature(by_layer, cut)]),  # a list with only NaN would have no type
    )
