"""A published table of ranks, a row for each unit or layer → its comparison with a run, after a check whether its ranks
follow from the values beside them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from synergy_tui.analysis.comparison import spearman
from synergy_tui.analysis.profile import contrast, profile
from synergy_tui.analysis.scores import ranks, scaled
from synergy_tui.errors import UsageError
from synergy_tui.incoming.flat import SHOWN, Flat, columns_of, named, read
from synergy_tui.store import run as stored
from synergy_tui.store.cache import Cache
from synergy_tui.units import UnitName

WORDS: dict[str, tuple[str, ...]] = {
    "layer": ("layer", "layer_id", "layer_index", "layer_idx"),
    "head": ("head", "head_id", "head_index", "head_idx", "unit"),
    "syn": ("syn", "synergy", "sts", "mean_syn", "syn_mean", "mean_synergy"),
    "red": ("red", "redundancy", "rtr", "mean_red", "red_mean", "mean_redundancy"),
    "syn_rank": ("syn_rank", "rank_syn", "synergy_rank", "sts_rank"),
    "red_rank": ("red_rank", "rank_red", "redundancy_rank", "rtr_rank"),
    "rank": ("syn_red_rank", "syn_minus_red_rank", "rank_difference", "rank_diff", "syn_red", "rank"),
}

OFF = 0.25
"""Ranks by which a value may differ from its base because of rounding."""

DISAGREEMENTS = 10
"""Units listed on which table and run disagree most."""


def recognised(columns: Sequence[str]) -> bool:
    """Whether a table with these columns has ranks, or values that ranks are made of."""
    try:
        there = set(named(columns, WORDS))
    except UsageError:
        return False
    return "layer" in there and ("rank" in there or {"syn", "red"} <= there or {"syn_rank", "red_rank"} <= there)


@dataclass(frozen=True)
class Ranks:
    """A table beside a run. per_layer: whether its rows are layers. told: remarks about the table, in sentences.
    agreement: comparison → Spearman's ρ over units (or layers). contrasts: by the table's own values and by the run's,
    each min–max scaled over the same rows. disagreements: the rows on which the two differ most."""

    decomposition: str
    ranking: str
    per_layer: bool
    rows: int
    told: list[str]
    agreement: dict[str, float]
    contrasts: dict[str, float]
    disagreements: list[dict[str, Any]] = field(default_factory=list)


def compare_ranks(cache: Cache, file: Path, decomposition: str, ranking: str) -> Ranks:
    """Compares a table with a ranking of a run. Raises UsageError for a table of another shape than the run's, with
    several rows for one unit, or without ranks or values."""
    columns = named(columns_of(file), WORDS)
    if not recognised(list(columns.values())):
        needed = "layer and syn_red_rank, or layer, syn and red"
        raise UsageError(
            f"{file} is not a table of ranks: it has {', '.join(columns) or 'none of the columns'}", needed
        )
    run = stored.read(cache, decomposition)
    run.check_ranking(ranking)
    table, places, told = _placed(read(file, columns), run.shape, file)
    layers, per_layer = run.shape[0], "head" not in columns
    units = layers if per_layer else layers * run.shape[1]
    given = {name: _spread(table.number(name), places, units) for name in columns if name not in ("layer", "head")}
    own, name, more = _own(given, layers, table, places)
    of_run = {
        what: _of_layers(run.scores[score].values, layers) if per_layer else run.scores[score].values
        for what, score in (("rank", ranking), ("syn", "sts"), ("red", "rtr"))
        if score in run.scores
    }
    agreement = {f"{name} ~ {ranking}": spearman(own, of_run["rank"])}
    agreement |= {
        f"{what} ~ {score}": spearman(given[what], of_run[what])
        for what, score in (("syn", "sts"), ("red", "rtr"))
        if what in given and what in of_run
    }
    both = np.isfinite(own) & np.isfinite(of_run["rank"])
    values = {"table": np.where(both, own, np.nan), "run": np.where(both, of_run["rank"], np.nan)}
    contrasts = {side: float(contrast(profile(scaled(one), layers))) for side, one in values.items()}
    listed = _disagreements(values["table"], values["run"], None if per_layer else run.shape[1])
    return Ranks(decomposition, ranking, per_layer, int(both.sum()), told + more, agreement, contrasts, listed)


def _placed(flat: Flat, shape: tuple[int, int], file: Path) -> tuple[Flat, np.ndarray, list[str]]:
    """The rows of units, and their units. Raises UsageError for another shape, and for units named twice."""
    names = [name for name in ("layer", "head") if name in flat.columns]
    places = np.stack([flat.number(name) for name in names])
    flat = flat.without(~(np.isfinite(places) & (places == np.round(places))).all(axis=0))
    told = flat.told()
    if not len(flat.rows):
        raise UsageError(f"{file} has no row of a unit", "give it some")
    places = np.stack([flat.number(name) for name in names]).astype(np.int64)
    size = np.array(shape[: len(names)])
    if (places.min(axis=1) == 1).all() and (places.max(axis=1) == size).all():
        what = "Layers and heads are" if len(names) > 1 else "Layers are"
        told.append(f"{what} numbered from 1 in the table.")
        places = places - 1
    found = tuple((places.max(axis=1) + 1).tolist())
    if places.min() < 0 or found != tuple(size.tolist()):
        its = " × ".join(map(str, found)) + (" (layers × heads)" if len(names) > 1 else " layers")
        raise UsageError(f"{file} has {its}, the run {shape[0]} × {shape[1]}", "compare it with a run of its shape")
    at = places[0] * shape[1] + places[1] if len(names) > 1 else places[0]
    order = np.argsort(at, kind="stable")
    if (again := at[order][1:] == at[order][:-1]).any():
        rows = ", ".join(str(int(flat.rows[order[one + 1]])) for one in np.flatnonzero(again)[:SHOWN])
        raise UsageError(f"{file} has several rows for one unit: rows {rows}", "keep one of each")
    if missing := int(np.prod(size)) - len(at):
        told.append(f"{missing:,} of {int(np.prod(size)):,} {'units' if len(names) > 1 else 'layers'} are not in it.")
    return flat, at, told


def _spread(values: np.ndarray, places: np.ndarray, units: int) -> np.ndarray:
    out = np.full(units, np.nan)
    out[places] = values
    return out


def _of_layers(values: np.ndarray, layers: int) -> np.ndarray:
    return np.asarray(profile(values, layers))


def _own(
    given: dict[str, np.ndarray], layers: int, table: Flat, places: np.ndarray
) -> tuple[np.ndarray, str, list[str]]:
    """The values that the table ranks by, synergistic high, their name, and whether its ranks follow from them."""
    told, row_of = [], dict(zip(places.tolist(), table.rows.tolist(), strict=True))
    for name, of in (("syn_rank", "syn"), ("red_rank", "red")):
        if name in given and of in given:
            told.append(_followed(name, given[name], {f"rank({of})": ranks(given[of])}, row_of)[0])
    bases = {}
    if {"syn", "red"} <= set(given):
        bases["rank(syn) − rank(red)"] = ranks(given["syn"]) - ranks(given["red"])
        bases["syn − red"] = given["syn"] - given["red"]
        if len(given["syn"]) > layers:
            within = (ranks(given[name].reshape(layers, -1)).ravel() for name in ("syn", "red"))
            bases["rank(syn) − rank(red), each within its layer"] = np.subtract(*within)
    if {"syn_rank", "red_rank"} <= set(given):
        turned = _sign(given["syn_rank"], given.get("syn"))
        bases["syn_rank − red_rank"] = turned * (given["syn_rank"] - given["red_rank"])
    if "rank" not in given:
        name = next(iter(bases))
        return bases[name], name, [*told, f"The table is ranked by {name}."]
    if not bases:
        return (
            given["rank"],
            "rank",
            [*told, "No other column says what the ranks are made of: high is taken as synergistic."],
        )
    sentence, sign = _followed("syn_red_rank", given["rank"], bases, row_of)
    told.append(sentence)
    if not sign:
        told.append("High is taken as synergistic.")
    return (sign or 1) * given["rank"], "syn_red_rank", told


def _sign(found: np.ndarray, of: np.ndarray | None) -> int:
    """−1 if ranks count down, with 1 as the highest."""
    return -1 if of is not None and spearman(found, of) < 0 else 1


def _followed(name: str, found: np.ndarray, bases: dict[str, np.ndarray], row_of: dict[int, int]) -> tuple[str, int]:
    """The base of a column of ranks, in a sentence, and its direction: 1 if it rises with the base, −1 if it falls, 0
    if it follows from nothing."""
    best: tuple[int, str, np.ndarray, np.ndarray] | None = None
    for base, values in bases.items():
        known = np.isfinite(found) & np.isfinite(values)
        if known.sum() < 3:
            continue
        for how, expected, step in _forms(np.where(known, values, np.nan)):
            off = known & ~(np.abs(found - expected) <= OFF * step)
            if not off.any():
                falls = _falls(expected, values)
                return f"{name} is {how.format(base)}.", -1 if falls else 1
            if best is None or off.sum() < best[0]:
                best = (int(off.sum()), how.format(base), off, expected)
    for base, values in bases.items():
        for sign in (1, -1):
            if _monotone(values, sign * found):
                way = "rises" if sign > 0 else "falls"
                return f"{name} {way} with {base}, but by no known rank or scale of it.", sign
    if best is None:
        return f"{name} has fewer than three values to compare with.", 0
    count, how, off, expected = best
    places = np.flatnonzero(off)
    some = "; ".join(f"row {row_of[one]} has {found[one]:g}, not {expected[one]:g}" for one in places[:SHOWN].tolist())
    more = f" and {count - SHOWN:,} more" if count > SHOWN else ""
    known = int((np.isfinite(found) & np.isfinite(expected)).sum())
    if 2 * count > known:
        return f"{name} follows from no value beside it; as {how}: {some}{more}.", 0
    falls = _falls(expected, next(iter(bases.values())))
    return f"{name} is {how}, except for {count:,} of {known:,} rows: {some}{more}.", -1 if falls else 1


def _falls(expected: np.ndarray, values: np.ndarray) -> bool:
    return spearman(expected, values) < 0


def _forms(base: np.ndarray) -> list[tuple[str, np.ndarray, float]]:
    """The forms in which a base may be published: name, values, and the size of one rank in them."""
    known = base[np.isfinite(base)]
    count, low, span = len(known), float(known.min()), float(known.max() - known.min()) or 1.0
    place = ranks(base)
    whole = bool(np.all(known * 2 == np.round(known * 2)))  # ranks and their differences, ties averaged
    step = 1.0 if whole else 4e-3 * span
    out = [
        ("{}", base, step),
        ("{}, turned round", -base, step),
        ("{}, less 1", base - 1, step),
        ("{}, counted down: 1 is the highest", count + 1 - base, step),
        ("{}, counted down from 0: 0 is the highest", count - base, step),
        ("{}, min–max scaled to [0, 1]", (base - low) / span, step / span),
        ("{}, min–max scaled to [0, 1] and turned round", 1 - (base - low) / span, step / span),
        ("{}, min–max scaled to [−1, 1]", 2 * (base - low) / span - 1, 2 * step / span),
        ("{} over the number of units", base / count, step / count),
        ("the rank of {}", place, 1.0),
        ("the rank of {}, less 1", place - 1, 1.0),
        ("the rank of {}, counted down: 1 is the highest", count + 1 - place, 1.0),
        ("the rank of {}, counted down from 0: 0 is the highest", count - place, 1.0),
        ("the rank of {}, scaled to [0, 1]", (place - 1) / max(count - 1, 1), 1.0 / max(count - 1, 1)),
    ]
    return out


def _monotone(values: np.ndarray, found: np.ndarray) -> bool:
    """Whether `found` is higher wherever `values` are; equal values may be in any order."""
    known = np.isfinite(values) & np.isfinite(found)
    if known.sum() < 3:
        return False
    order = np.lexsort((found[known], values[known]))
    base, rising = values[known][order], found[known][order]
    starts = np.flatnonzero(np.concatenate([[True], base[1:] > base[:-1]]))
    ends = np.concatenate([starts[1:], [len(base)]]) - 1
    return len(starts) > 1 and bool((rising[starts[1:]] > rising[ends[:-1]]).all())


def _disagreements(table: np.ndarray, run: np.ndarray, per_layer: int | None) -> list[dict[str, Any]]:
    """The rows whose places differ most; place 1 is the most synergistic."""
    one, other = (np.sum(np.isfinite(values)) + 1 - ranks(values) for values in (table, run))
    gap = np.abs(one - other)
    order = [int(place) for place in np.argsort(-np.nan_to_num(gap, nan=-1), kind="stable") if np.isfinite(gap[place])]
    return [
        {
            "unit" if per_layer else "layer": str(UnitName.of(place, per_layer)) if per_layer else place,
            "place in table": float(one[place]),
            "place in run": float(other[place]),
            "apart": float(gap[place]),
            "table": float(table[place]),
            "run": float(run[place]),
        }
        for place in order[:DISAGREEMENTS]
        if gap[place] > 0
    ]


def as_dict(found: Ranks) -> dict[str, Any]:
    """As JSON: None stands for NaN."""

    def plain(value: float) -> float | None:
        return None if math.isnan(value) else value

    return {
        **vars(found),
        "agreement": {name: plain(value) for name, value in found.agreement.items()},
        "contrasts": {name: plain(value) for name, value in found.contrasts.items()},
    }
