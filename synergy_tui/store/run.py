"""A decomposition as one value, from which the map, the command line and the card are drawn. It is read at once, over
one connection; its pairs, series and responses are read when needed (store.walk)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from synergy_tui.errors import UsageError
from synergy_tui.store import load
from synergy_tui.store.cache import Cache
from synergy_tui.terms import ATOMS, BASELINES, IMPORTED, INTERVENTIONS, NO_ATOMS, NORMALISED, SWEEPS
from synergy_tui.units import NO_ORDER, Naming

if TYPE_CHECKING:  # pyarrow and jaxtyping are not loaded: the explorer's first map does without their 0.1 s
    import duckdb
    from jaxtyping import Bool, Float

Row = dict[str, Any]

ByNull = dict[str, dict[str, Row]]
"""Ranking → null → row."""


_ENDS = ("value", "low", "high")

_IN_NATS = (
    *("tdmi", "offset", "excess", "difference", "divergence"),
    *("attention-entropy", "grad-activation", "attribution"),
)
"""Scores in nats besides the atoms."""


@dataclass(frozen=True)
class Score:
    """One number per unit. values: as stored, nats for atoms. shown: what the map colours, which is the scaled value of
    a ranking. low, high: 95 % interval of `shown`, NaN where missing. centre: the value at the middle of the colours,
    None for a scale without a middle. kind: ranking, atom or measure."""

    name: str
    kind: str
    values: Float[np.ndarray, " units"]
    shown: Float[np.ndarray, " units"]
    low: Float[np.ndarray, " units"]
    high: Float[np.ndarray, " units"]
    centre: float | None

    @property
    def unit(self) -> str:
        """The unit of its values."""
        plain = self.name in ATOMS or self.name in _IN_NATS
        return "nats" if plain and self.kind != "ranking" else ""

    @property
    def known(self) -> Float[np.ndarray, " known"]:
        """The shown values without the missing ones."""
        return self.shown[np.isfinite(self.shown)]

    def colour(self) -> Float[np.ndarray, " units"]:
        """Place on the colour scale, in [0, 1]; NaN where there is no value."""
        known = self.known
        if not len(known):
            return np.full(len(self.shown), np.nan)
        if self.kind == "ranking":
            return self.shown  # scaled already
        if self.centre is not None:
            reach = float(np.abs(known - self.centre).max()) or 1.0
            return 0.5 + (self.shown - self.centre) / (2 * reach)
        span = float(known.max() - known.min())
        return (self.shown - known.min()) / span if span else np.where(np.isfinite(self.shown), 0.5, np.nan)


@dataclass(frozen=True)
class Run:
    """row: decomposition, capture and subject in one; `units`: their number. scores: by name. profiles: ranking → rows
    of layer, depth, value, low, high. contrasts: by ranking. surrogate_contrasts: the contrasts of surrogates in a
    ranking. tests: the contrast minus theirs. null_runs: which nulls ran, on how many prompts. lengths: the contrast
    over the length of responses. naming: names of units and layers. geometry: of the residual stream, one row per
    layer; empty if it was not measured."""

    row: Row
    scores: dict[str, Score]
    profiles: dict[str, list[Row]]
    contrasts: dict[str, Row]
    surrogate_contrasts: ByNull
    tests: ByNull
    null_runs: list[Row]
    lengths: list[Row]
    confounds: dict[str, float | None]
    naming: Naming
    geometry: list[Row]

    def beside(self, name: str) -> list[Row]:
        """`dimension` of the residual stream behind each layer, or its `alignment` minus the null, as a profile: rows
        of layer, value, low and high. Empty if no layer has a value."""
        found = [{"layer": one["layer"]} | {key: one[f"{name}_{key}"] for key in _ENDS} for one in self.geometry]
        return found if any(one["value"] is not None for one in found) else []

    @cached_property
    def there(self) -> Bool[np.ndarray, " units"]:
        """Whether a place of the map has a unit: layers may have unequal numbers of them."""
        out = np.ones(self.row["layers"] * self.row["units_per_layer"], bool)
        out[list(self.naming.holes)] = False
        return out

    @property
    def count(self) -> int:
        """Number of units that exist."""
        return int(self.there.sum())

    @property
    def no_contrast(self) -> str:
        """Why no ranking has a contrast; empty if one may have it."""
        if self.naming.deep or self.row.get("compared"):
            return ""
        return f"{NO_ORDER}: give --contrast a:b"

    @property
    def shape(self) -> tuple[int, int]:
        """(layers, units per layer) of the map."""
        return self.row["layers"], self.row["units_per_layer"]

    def check_ranking(self, ranking: str) -> None:
        """Raises UsageError for a ranking that this decomposition does not have."""
        if ranking not in self.contrasts:
            raise UsageError(*self._lacking(ranking))

    def _lacking(self, ranking: str) -> tuple[str, str]:
        """Why a ranking is missing, and what to do about it."""
        run, capture = self.row["decomposition"], self.row["capture"]
        has_none = f"{run} has no ranking {ranking}"
        if self.row["estimator"] == IMPORTED:
            return f"{has_none}: it was {NO_ATOMS}, and without series", f"known: {', '.join(self.contrasts)}"
        if ranking != NORMALISED:
            return f"{has_none}: no surrogates were drawn", f"synergy-tui decompose {capture} --surrogates 200"
        if (self.row["estimator"], self.row["redundancy"]) == ("gaussian", "mmi"):
            return f"{has_none}: it was made before this ranking existed", f"synergy-tui renew {run}"
        return f"{has_none}: its null is of Gaussian atoms under MMI", f"synergy-tui decompose {capture}"


def read(cache: Cache, decomposition: str) -> Run:
    """One run. Raises UsageError when it is not there, CacheError when the cache cannot be read."""
    with cache.read() as con:

        def rows(query: str) -> list[Row]:
            return load.as_rows(con.sql(query, params=[decomposition]))

        def of(table: str, order: str = "") -> list[Row]:
            by = f" ORDER BY {order}" if order else ""
            return rows(f"SELECT * EXCLUDE (decomposition) FROM {table} WHERE decomposition = $1{by}")

        row = row_of(con, decomposition)
        units = row["layers"] * row["units_per_layer"]
        columns = ("value", "scaled", "low", "high")
        found = _by_score(con, decomposition, units, columns) | _alone(rows(_SWEPT), units)
        found |= _beside(rows(_SCORED), units)
        profiles: dict[str, list[Row]] = {}
        for one in of("layer_profiles", "ranking, layer"):
            profiles.setdefault(one.pop("ranking"), []).append(one)
        return Run(
            row=row,
            scores={name: score(name, values) for name, values in found.items()},
            profiles=profiles,
            contrasts={one.pop("ranking"): one for one in of("contrasts", "ranking")},
            surrogate_contrasts=_by_null(rows(_SURROGATES)),
            tests=_by_null(of("contrast_tests", "ranking, null_name")),
            null_runs=of("null_runs"),
            lengths=of("contrast_lengths", "steps"),
            confounds={one["name"]: one["value"] for one in of("confounds")},
            naming=load.naming_of(con, row["capture"], row["layers"], row["units_per_layer"]),
            geometry=rows(_GEOMETRY),
        )


def row_of(con: duckdb.DuckDBPyConnection, decomposition: str) -> Row:
    """A decomposition with its capture and subject, as one row; `method` is the method version that made it. Raises
    UsageError when it is not there."""
    query = f"""SELECT d.*, c.tasks, c.kind, c.layers, c.units_per_layer, c.prompts, c.steps, c.min_steps, c.dtype,
        c.device, s.name, s.model_type, s.parameters, {load.METHOD_OF},
        (SELECT count(*) FROM units u WHERE u.capture = d.capture) AS units,
        (SELECT bool_and(depth IS NOT NULL) FROM units u WHERE u.capture = d.capture) AS deep
        FROM decompositions d JOIN captures c USING (capture) JOIN subjects s USING (subject)
        WHERE decomposition = $1"""
    found = load.as_rows(con.sql(query, params=[decomposition]))
    if not found:
        raise UsageError(f"{decomposition} is no longer in this cache", "choose another run")
    row = {key: load.parsed(key, value) for key, value in found[0].items()}
    return row | {key: value for key, value in _VERSION_1.items() if row[key] is None}


_VERSION_1: Row = {"nulls": [], "surrogates": 0, "precision": "float64"}
"""Values that runs exported by version 1 of the schema had but did not record."""

_SURROGATES = """SELECT s.ranking, null_name, avg(s.contrast) AS mean, median(s.contrast) AS median,
    quantile_cont(s.contrast, 0.95) AS percentile_95, avg((s.contrast >= c.contrast)::INTEGER) AS at_or_above
    FROM surrogate_contrasts s JOIN contrasts c USING (decomposition, ranking)
    WHERE decomposition = $1 GROUP BY s.ranking, null_name ORDER BY s.ranking, null_name"""

_SWEPT = f"""SELECT unit_index, divergence, low, high FROM ablation_sweeps WHERE sweep = '{SWEEPS[0]}' AND ablation = (
    SELECT ablation FROM ablations JOIN (SELECT DISTINCT ablation FROM ablation_sweeps WHERE sweep = '{SWEEPS[0]}')
    USING (ablation) WHERE decomposition = $1
    ORDER BY intervention = '{INTERVENTIONS[0]}' DESC, serial DESC NULLS LAST, created DESC, ablation LIMIT 1)"""
"""The cost of every unit alone: the newest sweep by the default intervention, else by any."""


_SCORED = """SELECT score, unit_index, value, low, high FROM capture_scores WHERE scoring = (SELECT scoring
    FROM scorings JOIN decompositions USING (capture) WHERE decomposition = $1 ORDER BY scorings.serial DESC LIMIT 1)"""
"""Scores from the units' attention and gradients, of the newest scoring of the capture."""


_GEOMETRY = """SELECT layer, dimension AS dimension_value, low AS dimension_low, high AS dimension_high,
    alignment - alignment_null AS alignment_value, alignment_low, alignment_high FROM geometry_layers
    WHERE geometry = (SELECT geometry FROM geometries JOIN decompositions USING (capture) WHERE decomposition = $1
    ORDER BY geometries.serial DESC LIMIT 1) ORDER BY layer"""
"""The newest geometry of the capture."""


def _by_null(rows: list[Row]) -> ByNull:
    out: ByNull = {}
    for one in rows:
        out.setdefault(one.pop("ranking"), {})[one.pop("null_name")] = one
    return out


def _alone(rows: list[Row], units: int) -> dict[str, dict[str, np.ndarray]]:
    if not rows:
        return {}
    out = {name: np.full(units, np.nan) for name in ("value", "scaled", "low", "high")}
    for one in rows:
        for name, column in (("value", "divergence"), ("low", "low"), ("high", "high")):
            out[name][one["unit_index"]] = np.nan if one[column] is None else one[column]
    return {"divergence": out}


def _beside(rows: list[Row], units: int) -> dict[str, dict[str, np.ndarray]]:
    out: dict[str, dict[str, np.ndarray]] = {}
    for one in rows:
        if one["score"] not in out:
            out[one["score"]] = {name: np.full(units, np.nan) for name in ("value", "scaled", "low", "high")}
        for name in ("value", "low", "high"):
            if one[name] is not None:
                out[one["score"]][name][one["unit_index"]] = one[name]
    return out


def _by_score(
    con: duckdb.DuckDBPyConnection, decomposition: str, units: int, columns: tuple[str, ...]
) -> dict[str, dict[str, np.ndarray]]:
    named = "SELECT score FROM unit_scores WHERE decomposition = $1 GROUP BY score ORDER BY score"
    names = [name for (name,) in con.sql(named, params=[decomposition]).fetchall()]
    query = f"""SELECT list_position($2, score) - 1 AS code, unit_index, {", ".join(columns)} FROM unit_scores
        WHERE decomposition = $1"""
    table = con.sql(query, params=[decomposition, names]).fetchnumpy()
    # A column with NULL comes masked.
    held: dict[str, np.ndarray] = {
        column: np.ma.filled(np.ma.asarray(table[column], float), np.nan) for column in columns
    }
    codes, index = (np.asarray(table[name]) for name in ("code", "unit_index"))
    out = {}
    for code, name in enumerate(names):
        rows = codes == code
        out[name] = {column: np.full(units, np.nan) for column in columns}
        for column in columns:
            out[name][column][index[rows]] = held[column][rows]
    return out


def score(name: str, columns: dict[str, np.ndarray]) -> Score:
    """A score of columns value, scaled, low and high [units]."""
    value, scaled = columns["value"], columns["scaled"]
    if np.isfinite(scaled).any():
        known = scaled[np.isfinite(scaled)]
        return Score(name, "ranking", value, scaled, columns["low"], columns["high"], float(known.mean()))
    nothing = np.full(len(value), np.nan)
    known = value[np.isfinite(value)]
    # If both signs occur, the colours change at zero.
    centre = 0.0 if len(known) and known.min() < 0 < known.max() else None
    own = name == "divergence" or name in BASELINES
    low, high = (columns["low"], columns["high"]) if own else (nothing, nothing)
    return Score(name, "atom" if name in ATOMS else "measure", value, value, low, high, centre)
