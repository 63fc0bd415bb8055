"""Rows and files → arrays and plain dicts. Each call is one short read of the catalogue."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from synergy_tui.errors import CacheError, UsageError
from synergy_tui.store.cache import Cache
from synergy_tui.store.schema import NEWEST_FIRST
from synergy_tui.store.tables import KEYS, PARENTS
from synergy_tui.terms import BASELINES, IMPORTED, INTERVENTIONS, SWEEPS, column
from synergy_tui.units import Naming

if TYPE_CHECKING:
    import duckdb
    import pyarrow.parquet as pq


def find(cache: Cache, kind: str, run: str | None, latest: bool = False) -> str:
    """The id of the `kind` (a key of tables.KEYS) that `run` means: an id or unique prefix of that kind, or of a
    related kind: a capture stands for its newest decomposition, a decomposition for its capture. `latest`: the newest
    of the kind, with controls and maps of a ladder's levels last. Raises UsageError when none or several match."""
    with cache.read() as con:
        if latest:
            order = NEWEST_FIRST.get(kind, f"serial DESC NULLS LAST, created DESC, {kind}")
            row = con.execute(f"SELECT {kind} FROM {KEYS[kind]} ORDER BY {order} LIMIT 1").fetchone()
            if row is None:
                raise UsageError(f"there is no {kind} in this cache yet", "synergy-tui run smollm2 makes one")
            return row[0]
        if not run:
            raise UsageError(f"name a {kind}, or use --latest", "synergy-tui cache info lists them")
        found: list[tuple[str, str]] = []
        for key, table in KEYS.items():
            rows = con.execute(f"SELECT {key} FROM {table} WHERE starts_with({key}, ?)", [run]).fetchall()
            found += [(key, row[0]) for row in rows]
        found = [(key, one) for key, one in found if one == run] or found
        if not found:
            raise UsageError(f"no run {run!r} in this cache", "synergy-tui cache info lists them")
        if len(found) > 1:
            several = ", ".join(one for _, one in found[:5])
            raise UsageError(f"{run!r} may mean {several}", "give more of the id")
        key, one = found[0]
        if key == kind:
            return one
        # The tables of decompositions and ablations name their parents.
        related = {
            ("capture", "decomposition"): "SELECT decomposition FROM decompositions WHERE capture = ? "
            f"ORDER BY {NEWEST_FIRST['decomposition']} LIMIT 1",
            ("scoring", "decomposition"): "SELECT decomposition FROM decompositions JOIN scorings USING (capture) "
            f"WHERE scoring = ? ORDER BY {NEWEST_FIRST['decomposition']} LIMIT 1",
            ("geometry", "decomposition"): "SELECT decomposition FROM decompositions JOIN geometries USING (capture) "
            f"WHERE geometry = ? ORDER BY {NEWEST_FIRST['decomposition']} LIMIT 1",
            ("capture", "ladder"): "SELECT ladder FROM ladders WHERE capture = ? "
            "ORDER BY serial DESC NULLS LAST, created DESC, ladder LIMIT 1",
            ("decomposition", "ladder"): "SELECT ladder FROM ladder_levels WHERE map = ?",
            ("ladder", "decomposition"): "SELECT map FROM ladder_levels WHERE ladder = ? AND map IS NOT NULL "
            "ORDER BY level LIMIT 1",
        }.get((key, kind))
        if related is None and kind in _above(key):
            related = f"SELECT {kind} FROM {KEYS[key]} WHERE {key} = ?"
        row = con.execute(related, [one]).fetchone() if related else None
        if row is None:
            step = f"synergy-tui decompose {one}" if kind == "decomposition" else "synergy-tui cache info lists them"
            raise UsageError(f"{key} {one} has no {kind}", step)
        return row[0]


def _above(key: str) -> tuple[str, ...]:
    """The results that a result was made from: every table of results names all of them."""
    parent = PARENTS.get(key)
    return (parent, *_above(parent)) if parent else ()


def rows(cache: Cache, query: str, *parameters: Any) -> list[dict[str, Any]]:
    """Rows of one of our own queries as dicts."""
    with cache.read() as con:
        return as_rows(con.sql(query, params=list(parameters)))


def as_rows(found: duckdb.DuckDBPyRelation) -> list[dict[str, Any]]:
    """The rows of an answer as dicts."""
    names = found.columns
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def one(cache: Cache, kind: str, value: str) -> dict[str, Any]:
    """The row of a capture, decomposition, ablation or ladder. Raises UsageError when it is not there."""
    found = rows(cache, f"SELECT * FROM {KEYS[kind]} WHERE {kind} = $1", value)
    if not found:
        raise UsageError(f"no {kind} {value} in this cache", "synergy-tui cache info lists them")
    return {key: parsed(key, item) for key, item in found[0].items()}


def series(cache: Cache, capture: str, prompts: list[int] | None = None) -> np.ndarray:
    """[prompts, units, steps] float32, or float64 where float32 is too coarse; NaN past a response's end, and where a
    layer has fewer units than another; all prompts or the given ones, in their order. Raises CacheError when the file
    is damaged."""
    import pyarrow as pa  # not at the top: the explorer's first map does without its 0.1 s
    import pyarrow.parquet as pq

    shape = rows(cache, "SELECT layers * units_per_layer AS units FROM captures WHERE capture = $1", capture)
    path = cache.series_folder(capture) / "series.parquet"
    try:
        # One row group at a time: rows of a series take four times the memory of its array.
        with pq.ParquetFile(path) as file:
            units, steps = (_most(file, name) + 1 for name in ("unit_index", "step"))
            units = shape[0]["units"] if shape else units
            if prompts is None:
                found = [file.read_row_group(k, ["prompt"])["prompt"].unique() for k in range(file.num_row_groups)]
                prompts = sorted({prompt for some in found for prompt in some.to_pylist()})
            place = {number: k for k, number in enumerate(prompts)}
            wide = file.schema_arrow.field("value").type == pa.float64()
            out = np.full((len(prompts), units, steps), np.nan, np.float64 if wide else np.float32)
            for group in range(file.num_row_groups):
                table = file.read_row_group(group, ["prompt", "unit_index", "step", "value"])
                number, unit, step, value = (column.to_numpy() for column in table.columns)
                for one in np.unique(number).tolist():
                    if one in place:
                        rows_ = slice(*np.searchsorted(number, [one, one + 1]))
                        out[place[one], unit[rows_], step[rows_]] = value[rows_]
            return out
    except (OSError, pa.ArrowException) as error:
        raise CacheError(
            f"{path} is missing or damaged: {str(error).splitlines()[0]}", "synergy-tui cache check"
        ) from None


def _most(file: pq.ParquetFile, column: str) -> int:
    """The largest value of a column, from the file's metadata; −1 in a file without rows."""
    place = file.schema_arrow.names.index(column)
    groups = (file.metadata.row_group(k).column(place).statistics for k in range(file.num_row_groups))
    return max((group.max for group in groups if group is not None), default=-1)


def unit_scores(
    cache: Cache, decomposition: str, score: str, shape: tuple[int, int], what: str = "scaled"
) -> np.ndarray:
    """[layers, units per layer] of one score: `value`, `scaled`, `low` or `high`; NaN where there is none."""
    out = np.full(shape[0] * shape[1], np.nan)
    query = f"SELECT unit_index, {what} AS v FROM unit_scores WHERE decomposition = $1 AND score = $2"
    for row in rows(cache, query, decomposition, score):
        if row["v"] is not None:
            out[row["unit_index"]] = row["v"]
    return out.reshape(shape)


def unit_means(
    cache: Cache, decomposition: str, names: Sequence[str], without: Sequence[int], units: int
) -> dict[str, np.ndarray]:
    """[units] by column of unit_prompts: means over the prompts that are not in `without`; NaN if none has a value."""
    columns = ", ".join(f"avg({name}) FILTER (isfinite({name})) AS {name}" for name in names)
    query = f"""SELECT unit_index, {columns} FROM unit_prompts WHERE decomposition = $1
        AND NOT list_contains($2, prompt) GROUP BY unit_index"""
    out = {name: np.full(units, np.nan) for name in names}
    for row in rows(cache, query, decomposition, list(without)):
        for name in names:
            if row[name] is not None:
                out[name][row["unit_index"]] = row[name]
    return out


def replayable(cache: Cache, capture: str) -> dict[int, dict[str, Any]]:
    """Prompt → tokens asked and answered, category; of all prompts whose response is long enough."""
    found = rows(
        cache,
        """SELECT prompt, category, p.tokens AS asked, r.tokens AS answered
        FROM prompts p JOIN responses r USING (capture, prompt) WHERE capture = $1 AND valid ORDER BY prompt""",
        capture,
    )
    return {row["prompt"]: row for row in found}


def scoring(cache: Cache, scoring_id: str, units: int) -> tuple[list[int], dict[str, np.ndarray]]:
    """Prompts of a scoring, and by score its values [units, prompts] at each place of the map; NaN where missing."""
    found = rows(cache, "SELECT * FROM capture_score_prompts WHERE scoring = $1", scoring_id)
    prompts = sorted({row["prompt"] for row in found})
    place = {prompt: k for k, prompt in enumerate(prompts)}
    out = {name: np.full((units, len(prompts)), np.nan) for name in BASELINES}
    for row in found:
        for name in BASELINES:
            if (value := row[column(name)]) is not None:
                out[name][row["unit_index"], place[row["prompt"]]] = value
    return prompts, out


def scores_of(cache: Cache, scoring_id: str) -> dict[str, Any]:
    """One scoring: its row, `scores` (a row per unit and score), and `comparisons` by ablation."""
    row = one(cache, "scoring", scoring_id)
    found = rows(
        cache,
        """SELECT score, unit_index, layer, unit, value, low, high FROM capture_scores JOIN units
        USING (capture, unit_index) WHERE scoring = $1 ORDER BY list_position($2, score), unit_index""",
        scoring_id,
        list(BASELINES),
    )
    compared: dict[str, list[dict[str, Any]]] = {}
    query = "SELECT * EXCLUDE (scoring) FROM ablation_comparisons WHERE scoring = $1 ORDER BY ablation, difference"
    for comparison in rows(cache, query, scoring_id):
        compared.setdefault(comparison.pop("ablation"), []).append(comparison)
    return row | {"scores": found, "comparisons": compared}


def needs_series(cache: Cache, capture: str, what: str) -> None:
    """Raises UsageError if a capture was imported as a table of pairs and has no series for `what`."""
    (row,) = rows(cache, "SELECT kind, steps FROM captures WHERE capture = $1", capture)
    if row["kind"] == IMPORTED and row["steps"] is None:
        raise UsageError(
            f"{capture} was imported as a table of pairs: it has no series to {what}",
            "import the series themselves, or capture the subject",
        )


def newest_scoring(cache: Cache, capture: str) -> str | None:
    """The newest scoring of a capture, or None."""
    query = "SELECT scoring FROM scorings WHERE capture = $1 ORDER BY serial DESC, scoring LIMIT 1"
    return next((row["scoring"] for row in rows(cache, query, capture)), None)


def removals(cache: Cache, capture: str) -> list[dict[str, Any]]:
    """The ablations of a capture that keep the cost of removing each unit alone on every prompt: ablation,
    decomposition, ranking, held_out."""
    return rows(
        cache,
        """SELECT ablation, decomposition, ranking, coalesce(held_out, false) AS held_out FROM ablations
        WHERE capture = $1 AND ablation IN (SELECT ablation FROM ablation_units) ORDER BY serial, ablation""",
        capture,
    )


def removal(cache: Cache, ablation_id: str, units: int) -> tuple[list[int], np.ndarray]:
    """Prompts, and divergence [units, prompts] from removing each unit alone, at each place of the map."""
    found = rows(cache, "SELECT * FROM ablation_units WHERE ablation = $1", ablation_id)
    prompts = sorted({row["prompt"] for row in found})
    place = {prompt: k for k, prompt in enumerate(prompts)}
    out = np.full((units, len(prompts)), np.nan)
    for row in found:
        out[row["unit_index"], place[row["prompt"]]] = np.nan if row["divergence"] is None else row["divergence"]
    return prompts, out


def layers_of_units(cache: Cache, capture: str) -> dict[int, int]:
    """Number of each unit of a capture → its layer, in order. If layers differ in their number of units, some numbers
    have no unit."""
    found = rows(cache, "SELECT unit_index, layer FROM units WHERE capture = $1 ORDER BY unit_index", capture)
    return {row["unit_index"]: row["layer"] for row in found}


def naming(cache: Cache, capture: str) -> Naming:
    """What a capture's units and layers are called."""
    shape = one(cache, "capture", capture)
    with cache.read() as con:
        return naming_of(con, capture, shape["layers"], shape["units_per_layer"])


def naming_of(con: duckdb.DuckDBPyConnection, capture: str, layers: int, per_layer: int) -> Naming:
    """The same for a capture of known shape, over an open connection. For units without a name only the numbers are
    read: a model has thousands."""
    query = """SELECT unit_index, layer, name, group_name, depth FROM units WHERE capture = $1
        AND (name IS NOT NULL OR group_name IS NOT NULL OR depth IS NULL) ORDER BY unit_index"""
    found = as_rows(con.sql(query, params=[capture]))
    of = {row["layer"]: row["group_name"] for row in found if row["group_name"] is not None}
    there = con.sql("SELECT unit_index FROM units WHERE capture = $1", params=[capture]).fetchnumpy()["unit_index"]
    empty = np.ones(layers * per_layer, bool)
    empty[np.asarray(there, int)] = False
    return Naming(
        layers,
        per_layer,
        tuple(of.get(layer, str(layer)) for layer in range(layers)) if of else (),
        {row["unit_index"]: row["name"] for row in found if row["name"] is not None},
        all(row["depth"] is not None for row in found),
        frozenset(np.flatnonzero(empty).tolist()) if len(there) else frozenset(),
    )


def parsed(key: str, value: Any) -> Any:
    return json.loads(value) if key in ("versions", "reasons", "spot_check", "parts") and value else value


METHOD_OF = "coalesce((SELECT max(method) FROM recipes WHERE result = d.decomposition), 1) AS method"
"""Column of a query over decompositions d: the version of the method that made it."""


def method_of(cache: Cache, result: str) -> int:
    """Version of the method that made a result: 1 if none was recorded."""
    (row,) = rows(cache, "SELECT coalesce(max(method), 1) AS method FROM recipes WHERE result = $1", result)
    return int(row["method"])


def ablation(cache: Cache, ablation_id: str) -> dict[str, Any]:
    """One ablation: its row, and `orders` by name, each with its curves (one per seed, and per target when it is
    layer-matched) and the areas under them; `ratios` to the controls, `sweeps` by name, `correlations` of rankings with
    the sweep of single units, `comparisons` with the newest other scores, `accuracy`, `accuracy_changes`, `plan` with
    its `units` (empty without one), `pairs` removed together, and `pair_tests` of what their interaction correlates
    with."""
    row = one(cache, "ablation", ablation_id)
    curves = rows(
        cache,
        "SELECT * EXCLUDE (ablation) FROM ablation_curves WHERE ablation = $1 ORDER BY target, seed, fraction",
        ablation_id,
    )
    areas = rows(
        cache,
        "SELECT * EXCLUDE (ablation) FROM ablation_areas WHERE ablation = $1 ORDER BY upper",
        ablation_id,
    )
    orders: dict[str, dict[str, Any]] = {name: {"curves": []} for name in row["orders"]}
    by_key: dict[tuple[Any, ...], dict[str, Any]] = {}
    for point in curves:
        key = (point["removal_order"], point["target"], point["seed"])
        if key not in by_key:
            by_key[key] = {"seed": point["seed"], "target": point["target"], "areas": {}}
            orders[key[0]]["curves"].append(by_key[key])
        for name in ("fraction", "removed", "divergence", "top1", "perplexity_ratio"):
            by_key[key].setdefault(name, []).append(point[name])
    for found in areas:
        curve = by_key[found["removal_order"], found["target"], found["seed"]]
        curve["areas"][f"{found['upper']:g}"] = found["area"]
    sweeps: dict[str, list[dict[str, Any]]] = {}
    for unit in _of_ablation(cache, "ablation_sweeps", ablation_id, "sweep, layer, unit"):
        sweeps.setdefault(unit.pop("sweep"), []).append(unit)
    plans = _of_ablation(cache, "ablation_plans", ablation_id, "budget")
    units = _of_ablation(cache, "ablation_plan_units", ablation_id, "place")
    return row | {
        "orders": orders,
        "ratios": _of_ablation(cache, "ablation_ratios", ablation_id, "removal_order, control, category NULLS FIRST"),
        "sweeps": sweeps,
        "correlations": _of_ablation(cache, "ablation_correlations", ablation_id, "abs(spearman) DESC"),
        "comparisons": comparisons(cache, ablation_id),
        "accuracy": _of_ablation(cache, "ablation_accuracy", ablation_id, "removal_order, target, seed, category"),
        "accuracy_changes": _of_ablation(cache, "ablation_accuracy_changes", ablation_id, "removal_order, control"),
        "plan": plans[0] | {"units": units} if plans else {},
        "pairs": _of_ablation(cache, "ablation_pairs", ablation_id, "score, role, interaction DESC NULLS LAST, x, y"),
        "pair_tests": _of_ablation(cache, "ablation_pair_tests", ablation_id, "list_position(['sts', 'rtr'], score)"),
    }


def comparisons(cache: Cache, ablation_id: str) -> list[dict[str, Any]]:
    """Whether synergy predicts the cost of removing one unit better than the newest scoring's scores do."""
    return rows(
        cache,
        """SELECT * EXCLUDE (ablation) FROM ablation_comparisons WHERE ablation = $1 AND scoring = (SELECT scoring
        FROM ablation_comparisons JOIN scorings USING (scoring) WHERE ablation = $1 ORDER BY serial DESC LIMIT 1)
        ORDER BY difference, other""",
        ablation_id,
    )


def newest_comparisons(cache: Cache, decomposition: str) -> list[dict[str, Any]]:
    """The comparisons of a decomposition's newest ablation that has some; the default intervention goes first."""
    query = f"""SELECT ablation FROM ablations WHERE decomposition = $1 AND ablation IN (SELECT ablation
        FROM ablation_comparisons) ORDER BY intervention = '{INTERVENTIONS[0]}' DESC, serial DESC LIMIT 1"""
    found = rows(cache, query, decomposition)
    return comparisons(cache, found[0]["ablation"]) if found else []


def single_costs(cache: Cache, same: Mapping[str, Any], units: int) -> np.ndarray | None:
    """[units] divergence without each unit alone (NaN where missing) of the newest ablation that removed all units one
    by one and agrees with `same` in columns of ablations; None if there is none."""
    columns = " AND ".join(f"{name} IS NOT DISTINCT FROM ${number}" for number, name in enumerate(same, 1))
    query = f"""SELECT unit_index, divergence FROM ablation_sweeps WHERE sweep = '{SWEEPS[0]}' AND ablation = (
        SELECT ablation FROM ablations WHERE {columns} AND ablation IN (SELECT ablation FROM ablation_sweeps
        WHERE sweep = '{SWEEPS[0]}') ORDER BY serial DESC NULLS LAST, created DESC, ablation LIMIT 1)"""
    found = rows(cache, query, *same.values())
    out = np.full(units, np.nan)
    for row in found:
        out[row["unit_index"]] = np.nan if row["divergence"] is None else row["divergence"]
    return out if found else None


def _of_ablation(cache: Cache, table: str, ablation_id: str, order: str) -> list[dict[str, Any]]:
    return rows(cache, f"SELECT * EXCLUDE (ablation) FROM {table} WHERE ablation = $1 ORDER BY {order}", ablation_id)


def ladder(cache: Cache, ladder_id: str) -> dict[str, Any]:
    """One ladder: its row, `levels` in order, and by order parameter `curves` (a row per level), `fits` (model → bic,
    places, line), `verdicts` and `differences`."""
    row = one(cache, "ladder", ladder_id)

    def of(table: str, order: str) -> list[dict[str, Any]]:
        return rows(cache, f"SELECT * EXCLUDE (ladder) FROM {table} WHERE ladder = $1 ORDER BY {order}", ladder_id)

    out: dict[str, Any] = {"curves": {}, "fits": {}, "differences": {}}
    for point in of("ladder_curves", "level"):
        out["curves"].setdefault(point.pop("order_parameter"), []).append(point)
    for fit in of("ladder_fits", "model"):
        out["fits"].setdefault(fit.pop("order_parameter"), {})[fit.pop("model")] = fit
    for difference in of("ladder_differences", "lower_level, higher_level"):
        out["differences"].setdefault(difference.pop("order_parameter"), []).append(difference)
    verdicts = {one.pop("order_parameter"): one for one in of("ladder_verdicts", "order_parameter")}
    (subject,) = rows(cache, "SELECT name FROM subjects WHERE subject = $1", row["subject"])
    return row | {
        "levels_of": of("ladder_levels", "level"),
        "verdicts": verdicts,
        "method": method_of(cache, ladder_id),
        **out,
        "subject_name": subject["name"],
    }


def ladders(cache: Cache, subject: str | None = None) -> list[dict[str, Any]]:
    """Rows of ladders with their subject's name, the newest first; for one subject (subjects.subject), or for all."""
    return rows(
        cache,
        """SELECT l.*, s.name AS subject_name FROM ladders l JOIN subjects s USING (subject)
        WHERE $1 IS NULL OR l.subject = $1 ORDER BY l.serial DESC NULLS LAST, l.created DESC, ladder""",
        subject,
    )


def newest_ladder(cache: Cache, subject: str) -> dict[str, Any] | None:
    """The newest ladder of a subject, as a capture's row names the subject; None if there is none."""
    return next(iter(ladders(cache, subject)), None)


def overview(cache: Cache) -> list[dict[str, Any]]:
    """Captures with their decompositions and ablations, newest first."""
    return rows(
        cache,
        """SELECT c.capture, s.name AS subject, c.tasks, c.valid_prompts || '/' || c.prompts AS prompts, c.steps,
        c.layers || ' × ' || c.units_per_layer AS heads, d.decomposition, coalesce('level ' || v.name || ' · ', '')
        || d.estimator || coalesce('·' || d.redundancy || ' τ' || d.lag, '') AS method,
        string_agg(a.ablation, ' ') AS ablations, strftime(c.created, '%Y-%m-%d %H:%M') AS created
        FROM captures c JOIN subjects s USING (subject) LEFT JOIN decompositions d USING (capture) LEFT JOIN
        ablations a ON a.decomposition = d.decomposition LEFT JOIN ladder_levels v ON v.map = d.decomposition
        GROUP BY ALL ORDER BY max(c.created) DESC, c.capture,
        d.decomposition""",
    )


def described(cache: Cache) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """All captures with their subject's name (subject_name), and all decompositions with their level in the newest
    ladder that they belong to (level, levels; NULL without a ladder); the newest first."""
    captures = """SELECT c.*, s.name AS subject_name FROM captures c JOIN subjects s USING (subject)
        ORDER BY c.created DESC, c.capture"""
    decompositions = """SELECT d.*, v.level, v.levels FROM decompositions d LEFT JOIN (SELECT map,
        arg_max(level, ladder) AS level, arg_max(many, ladder) AS levels FROM (SELECT map, ladder, level,
        count(*) OVER (PARTITION BY ladder) AS many FROM ladder_levels) GROUP BY map) v ON v.map = d.decomposition
        ORDER BY v.level, d.created DESC, d.decomposition"""
    return rows(cache, captures), rows(cache, decompositions)


def recipe(cache: Cache, result: str) -> list[dict[str, str]]:
    """The commands, as result and command, that make a result (an id or unique prefix), after those of the results it
    was made from. Raises UsageError when the result is unknown or was made by a version that kept no recipes."""
    kind, found = next(
        ((kind, row["id"]) for kind, table in KEYS.items() for row in _starting(cache, table, kind, result)), ("", "")
    )
    if not found:
        raise UsageError(f"no run {result!r} in this cache", "synergy-tui cache info lists them")
    chain = [found]
    while (parent := PARENTS.get(kind)) is not None:
        chain.insert(0, rows(cache, f"SELECT {parent} AS id FROM {KEYS[kind]} WHERE {kind} = $1", chain[0])[0]["id"])
        kind = parent
    known = {row["result"]: row["command"] for row in rows(cache, "SELECT * FROM recipes")}
    if found not in known:
        raise UsageError(f"{found} was made by a version that kept no recipes", "its row and its capture's show how")
    if known[found].startswith(("synergy-tui difficulty ", "synergy-tui import ")):
        return [{"result": found, "command": known[found]}]  # it makes the whole chain
    return [{"result": one, "command": known[one]} for one in chain if one in known]


def _starting(cache: Cache, table: str, key: str, beginning: str) -> list[dict[str, Any]]:
    return rows(cache, f"SELECT {key} AS id FROM {table} WHERE starts_with({key}, $1) ORDER BY id", beginning)
