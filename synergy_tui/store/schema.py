"""The schema: its version, its views over tables and files, its creation and migration."""

from __future__ import annotations

import hashlib
from pathlib import Path

import duckdb

from synergy_tui.store.tables import JOB_COLUMNS, PAIR_EXTRAS, TABLES
from synergy_tui.terms import ATOMS, BASELINE_MEANINGS, BASELINES, INVALID_REASONS, MEASURES, RANKINGS, TESTS, column

VERSION = 7

NOTHING = "_none"
"""Partition that keeps the globs of the views from matching nothing."""

_ASIDE = "capture IN (SELECT control FROM controls)"

NEWEST_FIRST = {
    "capture": f"{_ASIDE} OR capture IN (SELECT capture FROM ladders), serial DESC NULLS LAST, created DESC, capture",
    "decomposition": "decomposition IN (SELECT map FROM ladder_levels WHERE map IS NOT NULL), "
    f"{_ASIDE}, serial DESC NULLS LAST, created DESC, decomposition",
}
"""ORDER BY of runs by age, with runs made only for another run last: controls, and a ladder's levels."""


def views(folder: Path) -> dict[str, tuple[str, str, dict[str, str]]]:
    """name → (comment, SELECT, comments of columns that no table has), over the bulk files in `folder`."""
    here = str(folder).replace("'", "''")
    pivot = ",\n  ".join(
        f"max(value) FILTER (score = '{name}') AS {column(name)}" for name in (*ATOMS, *MEASURES, *RANKINGS, *TESTS)
    )
    beside = ", ".join(f"max(value) FILTER (score = '{name}') AS {column(name)}" for name in BASELINES)
    ranked = f"FILTER (score = '{RANKINGS[0]}')"
    atom_meaning = {atom: f"Atom {atom}, nats." for atom in ATOMS}
    return {
        "pairs": (
            "ΦID atoms of every pair of units, mean over valid prompts, nats.",
            f"""SELECT decomposition, x, y, x_layer, x_unit, y_layer, y_unit, {", ".join(ATOMS)}, "offset",
  {" + ".join(ATOMS)} AS tdmi, {", ".join(name for name, _ in PAIR_EXTRAS)}, valid_prompts, reason
FROM (SELECT * FROM read_parquet('{here}/pairs/*/*.parquet', hive_partitioning = true,
  hive_types = {{'decomposition': 'VARCHAR'}})
  UNION ALL BY NAME SELECT {", ".join(f"NULL::FLOAT AS {name}" for name, _ in PAIR_EXTRAS)} WHERE false)""",
            {
                **atom_meaning,
                **dict(PAIR_EXTRAS),
                "x": "units.unit_index of the pair's first unit.",
                "y": "units.unit_index of the second, always larger.",
                "x_layer": "Layer of x.",
                "x_unit": "Number of x within its layer.",
                "y_layer": "Layer of y.",
                "y_unit": "Number of y within its layer.",
                "offset": "Independence offset 2·min(AIS), nats: what sts would be without coupling.",
                "tdmi": "Time-delayed mutual information: the sum of the atoms, nats.",
                "valid_prompts": "Prompts the means are over.",
                "reason": "Gravest reason that made a prompt invalid: 0 none, "
                + ", ".join(f"{code} {name}" for code, name in enumerate(INVALID_REASONS, 1))
                + ".",
            },
        ),
        "series": (
            "Activity of every unit at every step of every response.",
            f"""SELECT capture, prompt, unit_index, layer, unit, step, value
FROM read_parquet('{here}/series/*/*.parquet', hive_partitioning = true, hive_types = {{'capture': 'VARCHAR'}},
  union_by_name = true)""",  # else the first file would set the precision for all files
            {"step": "Generated token, from 0.", "value": "Activity: L2 norm of the unit's output."},
        ),
        "heads": (
            "Units of all decompositions with their scores side by side.",
            f"""SELECT decomposition, d.capture, s.name AS subject, u.layer, u.unit, u.depth, u.name, u.group_name,
  max(scaled) {ranked} AS rank, max(low) {ranked} AS rank_low, max(high) {ranked} AS rank_high,
  {pivot},
  {", ".join(f"any_value(b.{column(name)}) AS {column(name)}" for name in BASELINES)}
FROM unit_scores JOIN decompositions d USING (decomposition)
JOIN units u ON u.capture = d.capture AND u.unit_index = unit_scores.unit_index
JOIN captures c ON c.capture = d.capture JOIN subjects s ON s.subject = c.subject
LEFT JOIN (SELECT capture, unit_index, {beside} FROM capture_scores
  WHERE scoring IN (SELECT arg_max(scoring, serial) FROM scorings GROUP BY capture)
  GROUP BY capture, unit_index) b ON b.capture = d.capture AND b.unit_index = u.unit_index
GROUP BY decomposition, d.capture, s.name, u.layer, u.unit, u.depth, u.name, u.group_name
ORDER BY decomposition, u.layer, u.unit""",
            {
                **atom_meaning,
                "subject": "Name of the subject.",
                "name": "The unit's name; NULL where it has none but layer.unit.",
                "group_name": "Name of its layer; NULL where layers have numbers alone.",
                "rank": f"The default ranking, {RANKINGS[0]}, scaled to [0, 1]; synergistic is high.",
                "rank_low": "Lower end of its 95 % interval, over prompts.",
                "rank_high": "Upper end of it.",
                "tdmi": "Mean time-delayed mutual information with all partners, nats.",
                "offset": "Mean independence offset, nats.",
                "autocorrelation": "Mean lag-τ autocorrelation of the unit's activity.",
                "norm": "Mean activity.",
                **{column(name): f"Ranking {name}, raw value." for name in RANKINGS},
                **{column(name): f"{text[0].upper()}{text[1:]}" for name, text in BASELINE_MEANINGS.items()},
                **{column(name): f"{meaning} NULL without surrogates." for name, meaning in TESTS.items()},
            },
        ),
        "latest_heads": (
            "heads of the newest decomposition that is neither a control's nor of a ladder's level.",
            f"""SELECT * FROM heads WHERE decomposition =
  (SELECT decomposition FROM decompositions ORDER BY {NEWEST_FIRST["decomposition"]} LIMIT 1)""",
            {},
        ),
        "jobs": (
            "Jobs as their folders tell it.",
            f"""SELECT {", ".join(name for name, _, _ in JOB_COLUMNS)}
FROM read_json('{here}/jobs/*/status.json', format = 'newline_delimited', ignore_errors = true,
  columns = {{{", ".join(f"'{name}': '{kind}'" for name, kind, _ in JOB_COLUMNS)}}})
WHERE id IS NOT NULL ORDER BY created""",
            {name: text for name, _, text in JOB_COLUMNS},
        ),
    }


def create(con: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Makes the tables and views of a new cache in one transaction: separate ones would each wait for the disk."""
    con.execute("BEGIN")
    for name in TABLES:
        _create_table(con, name)
        _comment(con, name)
    con.execute("INSERT INTO meta VALUES (?, '', '')", [VERSION])
    _create_views(con, folder)
    con.execute("COMMIT")


_SINCE = {
    2: ("UPDATE decompositions SET precision = 'float64', nulls = [], surrogates = 0",),
    3: ("UPDATE units SET kind = captures.kind FROM captures WHERE captures.capture = units.capture",),
}
"""Version → statements that fill its columns in older rows. A column that stays NULL in them needs no entry."""


def migrate(con: duckdb.DuckDBPyConnection, version: int) -> None:
    """Brings the tables of an older version to this one; the caller must make the views anew."""
    complete(con)
    catch_up(con, version)
    con.execute("UPDATE meta SET version = ?", [VERSION])


def catch_up(con: duckdb.DuckDBPyConnection, version: int) -> None:
    """Fills this version's columns in rows of an older version; the tables must have every column."""
    for newer, statements in _SINCE.items():
        for statement in statements if version < newer else ():
            con.execute(statement)


def complete(con: duckdb.DuckDBPyConnection) -> None:
    """Adds the tables and columns that an older cache lacks."""
    query = "SELECT table_name, column_name FROM duckdb_columns() WHERE NOT internal"
    there = set(con.execute(query).fetchall())
    tables = {name for name, _ in there}
    for name, (_, columns) in TABLES.items():
        if name not in tables:
            _create_table(con, name)
        for column_, kind, _ in columns if name in tables else ():
            if (name, column_) not in there:
                con.execute(f'ALTER TABLE {name} ADD COLUMN "{column_}" {kind.removesuffix(" PRIMARY KEY")}')
        _comment(con, name)


def empty(name: str) -> str:
    """A SELECT of no row with a table's columns, which completes an exported run of an older version."""
    _, columns = TABLES[name]
    kinds = ", ".join(f"NULL::{kind.removesuffix(' PRIMARY KEY')} AS {col}" for col, kind, _ in columns)
    return f"SELECT {kinds} WHERE false"


def create_views(con: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Completes the tables and makes the views over the bulk files in `folder` anew."""
    complete(con)
    _create_views(con, folder)


def _create_views(con: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Makes the views. A column without its own comment takes the comment of its table's column."""
    known = {name: text for _, columns in TABLES.values() for name, _, text in columns}
    for name, (comment, select, meanings) in views(folder).items():
        con.execute(f"CREATE OR REPLACE VIEW {name} AS {select}")
        con.execute(f"COMMENT ON VIEW {name} IS {_quoted(comment)}")
        known |= meanings
        for (col,) in con.execute(f"SELECT column_name FROM (DESCRIBE {name})").fetchall():
            con.execute(f'COMMENT ON COLUMN {name}."{col}" IS {_quoted(known[col])}')
    con.execute("UPDATE meta SET folder = ?, views = ?", [str(folder), views_hash(folder)])


def _create_table(con: duckdb.DuckDBPyConnection, name: str) -> None:
    _, columns = TABLES[name]
    con.execute(f"CREATE TABLE {name} ({', '.join(f'{col} {kind}' for col, kind, _ in columns)})")


def _comment(con: duckdb.DuckDBPyConnection, name: str) -> None:
    comment, columns = TABLES[name]
    con.execute(f"COMMENT ON TABLE {name} IS {_quoted(comment)}")
    for col, _, text in columns:
        con.execute(f"COMMENT ON COLUMN {name}.{col} IS {_quoted(text)}")


def views_hash(folder: Path) -> str:
    """A hash that changes with the definition of tables or views, or with the folder they point into."""
    return hashlib.sha256(repr((views(folder), TABLES)).encode()).hexdigest()[:16]


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
