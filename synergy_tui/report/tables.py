"""The tables behind a report, and their CSV. A text cell that a spreadsheet would take for a formula gets an apostrophe
in front, because prompts and names come from others."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from synergy_tui.store import load
from synergy_tui.store.cache import Cache
from synergy_tui.store.run import Run, Score
from synergy_tui.units import Naming

FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n")
"""First signs of a formula, in one spreadsheet or another; spaces before them do not help."""


@dataclass(frozen=True)
class Table:
    """name: of its file. title: what it holds."""

    name: str
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


def as_csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """CSV that is safe to open: text cannot be a formula, numbers are numbers, a missing value is an empty field."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([_guarded(name) for name in columns])
    writer.writerows([_cell(value) for value in row] for row in rows)
    return out.getvalue()


def _cell(value: Any) -> str:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.9g}"
    if isinstance(value, int | Decimal):
        return str(value)
    if isinstance(value, date):
        return str(value)
    if isinstance(value, list | tuple):
        return _guarded("; ".join(map(str, value)))
    return _guarded(str(value))


def _guarded(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULAS) or text.lstrip().startswith(FORMULAS) else text


def gather(
    cache: Cache,
    run: Run,
    naming: Naming,
    present: Sequence[int],
    scores: Mapping[str, Score],
    ablation: str | None,
    network: str | None,
    card: dict[str, Any] | None,
    ladder: str | None,
) -> list[Table]:
    """The tables of a run that have rows."""
    found = [_units(cache, run, naming, present, scores)]
    for name, (title, table, kind) in _ASKED.items():
        values = {"decomposition": run.row["decomposition"], "ablation": ablation, "network": network}
        values |= {"ladder": ladder, "card": (card or {}).get("card")}
        if (value := values[kind]) is None:
            continue
        with cache.read() as con:
            asked = con.sql(f"SELECT * EXCLUDE ({kind}) FROM {table} WHERE {kind} = $1 ORDER BY ALL", params=[value])
            found.append(Table(name, title, asked.columns, asked.fetchall()))
    return [one for one in found if one.rows]


_ASKED = {
    "profile": ("Mean of each layer by ranking, with 95 % intervals", "layer_profiles", "decomposition"),
    "contrasts": ("Middle layers against the others, by ranking", "contrasts", "decomposition"),
    "contrast-tests": ("The contrasts against those of surrogates", "contrast_tests", "decomposition"),
    "contrast-lengths": ("The contrast over the length of responses", "contrast_lengths", "decomposition"),
    "categories": ("The contrast by category of prompts", "category_contrasts", "decomposition"),
    "nulls": ("Units against surrogates", "unit_nulls", "decomposition"),
    "null-runs": ("Requested nulls, and the prompts that take part", "null_runs", "decomposition"),
    "confounds": ("Reasons to doubt the map, in numbers", "confounds", "decomposition"),
    "ablation-curves": ("Divergence over the fraction of units removed", "ablation_curves", "ablation"),
    "ablation-ratios": ("Targeted orders against their controls", "ablation_ratios", "ablation"),
    "ablation-units": ("The worth of every single unit, and of every layer", "ablation_sweeps", "ablation"),
    "ablation-accuracy": ("Right answers with and without units", "ablation_accuracy", "ablation"),
    "networks": ("Efficiency, modularity and clustering", "network_measures", "network"),
    "network-contrasts": ("Networks of synergy against those of redundancy", "network_contrasts", "network"),
    "difficulty": ("Order parameters by level of difficulty", "ladder_curves", "ladder"),
    "difficulty-levels": ("Levels of difficulty", "ladder_levels", "ladder"),
    "claims": ("Claims with their verdicts", "claims", "card"),
}
"""Name → title, table and the column that selects its rows."""


def _units(cache: Cache, run: Run, naming: Naming, present: Sequence[int], scores: Mapping[str, Score]) -> Table:
    """A row per unit with its scores side by side: raw values, and for rankings the value on the map with its
    interval."""
    kinds = {
        row["unit_index"]: row["kind"]
        for row in load.rows(cache, "SELECT unit_index, kind FROM units WHERE capture = $1", run.row["capture"])
    }
    columns = ["unit_index", "layer", "unit", "called", "group", "kind"]
    values = []
    for name, one in scores.items():
        parts = {"": one.values}
        if one.kind == "ranking":
            parts |= {" scaled": one.shown}
        parts |= {" low": one.low, " high": one.high} if any(map(math.isfinite, one.low)) else {}
        columns += [f"{name}{ending}" for ending in parts]
        values += list(parts.values())
    rows = []
    for unit in present:
        layer, place = divmod(unit, naming.per_layer)
        group = naming.layer(layer) if naming.groups else None
        rows.append(
            (unit, layer, place, naming.unit(unit), group, kinds.get(unit), *(float(one[unit]) for one in values))
        )
    return Table("units", "Units with their scores", columns, rows)
