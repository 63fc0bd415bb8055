"""Compared runs, as rows: one ranking of each run, or of each category of one run's prompts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from synergy_tui.errors import UsageError
from synergy_tui.store import load
from synergy_tui.store.cache import Cache
from synergy_tui.store.run import read
from synergy_tui.terms import IMPORTED, METHOD_FIELDS
from synergy_tui.units import Naming

METHOD = tuple(one for one in METHOD_FIELDS if one != "precision")
"""Fields in which compared runs must agree. Precisions may differ: comparing them shows what the lower one costs."""


@dataclass(frozen=True)
class Compared:
    """One side of a comparison. id: of its decomposition. layers, per_layer: of the map that `values` lie on. depth,
    profile, low, high [its own layers]: of the ranking; depth is NaN if groups have no order. contrast: value and
    interval, NaN if missing. values [units]: scaled; None if units are not kept, as for a category, or have other names
    than the units they are compared with. naming: names of its own units and layers. step: in a training, None outside
    one."""

    id: str
    name: str
    layers: int
    per_layer: int
    prompts: int
    depth: np.ndarray
    profile: np.ndarray
    low: np.ndarray
    high: np.ndarray
    contrast: tuple[float, float, float]
    values: np.ndarray | None
    row: dict[str, Any]
    naming: Naming

    @property
    def deep(self) -> bool:
        """Whether its layers follow one another in depth."""
        return self.naming.deep

    @property
    def step(self) -> int | None:
        """Step in a training."""
        return self.row["training_step"]


def compared(cache: Cache, decompositions: Sequence[str], ranking: str) -> list[Compared]:
    """The runs in this order; runs of one training are ordered by step. If units have names, the values of the other
    runs lie at the first run's places for those names. Raises UsageError for one run with itself, for unit kinds or a
    method other than the first's, and for a ranking that one of them lacks."""
    if len(set(decompositions)) < len(decompositions):
        raise UsageError("a run compared with itself is the same everywhere", "name two runs")
    found = [_one(cache, one, ranking) for one in decompositions]
    for other in found[1:]:
        _comparable(found[0], other)
    if len(found) > 1 and len({one.row["trajectory"] for one in found}) == 1 and found[0].row["trajectory"]:
        found.sort(key=lambda one: (one.step is None, one.step or 0))
    return [*found[:1], *(_at_places_of(cache, found[0], one) for one in found[1:])]


def _at_places_of(cache: Cache, first: Compared, other: Compared) -> Compared:
    """The other run with its values at the first run's places for units of the same names. Unchanged if neither has
    names; without values if no name is the same."""
    if not any(one.groups or one.names for one in (first.naming, other.naming)) or other.values is None:
        return other
    mine, theirs = (_by_name(cache, one) for one in (first, other))
    shared = [name for name in mine if name in theirs]
    if not shared:
        return replace(other, values=None)
    values = np.full(first.layers * first.per_layer, np.nan)
    values[[mine[name] for name in shared]] = other.values[[theirs[name] for name in shared]]
    return replace(other, layers=first.layers, per_layer=first.per_layer, values=values)


def _by_name(cache: Cache, one: Compared) -> dict[Any, int]:
    """What identifies a unit → its number: its name or, if names are missing or repeated, its group and its name or
    number in the group."""
    layer_of = load.layers_of_units(cache, one.row["capture"])
    names = {one.naming.names.get(number): number for number in layer_of}
    if len(names) == len(layer_of) and None not in names:
        return dict(names)
    return {
        (one.naming.layer(layer), one.naming.names.get(number) or number % one.per_layer): number
        for number, layer in layer_of.items()
    }


def comparable(cache: Cache, decomposition: str) -> list[str]:
    """Other decompositions of the same unit kinds and method, and imported ones, whose method is unknown; controls of
    the same capture first, then the newest."""
    query = f"""SELECT o.decomposition FROM decompositions o JOIN captures c ON c.capture = o.capture,
        (SELECT d.*, kind FROM decompositions d JOIN captures USING (capture) WHERE decomposition = $1) m
        WHERE o.decomposition <> m.decomposition AND o.compared IS NOT DISTINCT FROM m.compared AND
        ('{IMPORTED}' IN (o.estimator, m.estimator) OR c.kind = m.kind AND
        (o.estimator, o.redundancy, o.lag, o.pool, o.preprocess) = (m.estimator, m.redundancy, m.lag, m.pool,
        m.preprocess) AND o.bias IS NOT DISTINCT FROM m.bias)
        ORDER BY o.capture IN (SELECT control FROM controls WHERE capture = m.capture) DESC, o.capture = m.capture,
        o.created DESC, o.decomposition"""
    return [row["decomposition"] for row in load.rows(cache, query, decomposition)]


def of_training(cache: Cache, decomposition: str) -> list[str]:
    """Decompositions of all checkpoints of the training that a run belongs to, by the same method; only the run itself
    if it belongs to none."""
    row = load.one(cache, "decomposition", decomposition)
    tie = load.one(cache, "capture", row["capture"])["trajectory"]
    if tie is None:
        return [decomposition]
    query = """SELECT d.*, c.training_step FROM decompositions d JOIN captures c USING (capture) WHERE trajectory = $1
        ORDER BY training_step, d.created DESC"""
    newest: dict[str, str] = {}
    for one in load.rows(cache, query, tie):
        if all(one[name] == row[name] for name in METHOD):
            newest.setdefault(one["capture"], one["decomposition"])
    return list(newest.values())


def by_category(cache: Cache, decomposition: str) -> list[Compared]:
    """The categories of a run's prompts, each by itself, in the default ranking. Raises UsageError if categories were
    not kept, or there are fewer than two."""
    query = "SELECT * FROM category_contrasts WHERE decomposition = $1 ORDER BY category"
    contrasts = load.rows(cache, query, decomposition)
    if len(contrasts) < 2:
        capture = load.one(cache, "decomposition", decomposition)["capture"]
        raise UsageError(
            f"{decomposition} has {len(contrasts)} categories with two prompts long enough",
            f"if it is older, decompose it anew: synergy-tui decompose {capture}",
        )
    whole = _one(cache, decomposition, contrasts[0]["ranking"])
    out = []
    for one in contrasts:
        query = "SELECT * FROM category_profiles WHERE decomposition = $1 AND category = $2 ORDER BY layer"
        out.append(
            _side(whole, one["category"], one["prompts"], load.rows(cache, query, decomposition, one["category"]), one)
        )
    return out


def _side(
    whole: Compared, name: str, prompts: int, profile: list[dict[str, Any]], contrast: dict[str, Any]
) -> Compared:
    depth, value, low, high = (_column(profile, key) for key in ("depth", "value", "low", "high"))
    own = (_number(contrast["contrast"]), _number(contrast["low"]), _number(contrast["high"]))
    shape = (whole.layers, whole.per_layer)
    return Compared(whole.id, name, *shape, prompts, depth, value, low, high, own, None, whole.row, whole.naming)


def _one(cache: Cache, decomposition: str, ranking: str) -> Compared:
    found = read(cache, decomposition)
    found.check_ranking(ranking)
    row = found.row
    (more,) = load.rows(cache, "SELECT trajectory, training_step FROM captures WHERE capture = $1", row["capture"])
    contrast = found.contrasts[ranking]
    own = (_number(contrast["contrast"]), _number(contrast["low"]), _number(contrast["high"]))
    depth, value, low, high = (_column(found.profiles[ranking], key) for key in ("depth", "value", "low", "high"))
    return Compared(
        decomposition,
        row["name"],
        row["layers"],
        row["units_per_layer"],
        row["valid_prompts"],
        depth,
        value,
        low,
        high,
        own,
        found.scores[ranking].shown,
        row | more,
        found.naming,
    )


def _comparable(first: Compared, other: Compared) -> None:
    if IMPORTED in (first.row["estimator"], other.row["estimator"]):
        return  # its method is unknown, which the comparison says
    for name in ("kind", *METHOD):
        mine, theirs = first.row[name], other.row[name]
        if mine != theirs:
            what = {"kind": "unit kinds", "compared": "the contrast"}.get(name, name)
            mine, theirs = (one or "the default" if name == "compared" else one for one in (mine, theirs))
            raise UsageError(
                f"{first.id} and {other.id} differ in {what}: {mine} and {theirs}",
                "capture or decompose one of them like the other",
            )


def _column(rows: list[dict[str, Any]], key: str) -> np.ndarray:
    return np.array([_number(one[key]) for one in rows])


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)
