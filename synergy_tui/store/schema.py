"""Tables, views and their comments; the schema's version and migrations. The one place that knows table names."""

from __future__ import annotations

import hashlib
from pathlib import Path

import duckdb

from synergy_tui.terms import ATOMS, INVALID_REASONS, MEASURES, RANKINGS, TESTS, column

VERSION = 2

Columns = list[tuple[str, str, str]]

TABLES: dict[str, tuple[str, Columns]] = {
    "meta": (
        "One row: what this cache is.",
        [
            ("version", "INTEGER", "Version of the schema."),
            ("folder", "VARCHAR", "Folder the views point into."),
            ("views", "VARCHAR", "Hash of the views' definition."),
        ],
    ),
    "subjects": (
        "Language models that were captured.",
        [
            ("subject", "VARCHAR PRIMARY KEY", "Hash of configuration and weights' file list."),
            ("name", "VARCHAR", "What it was called when it was captured."),
            (
                "source",
                "VARCHAR",
                "built-in, folder, gguf, hub, or import: series without a model.",
            ),
            ("place", "VARCHAR", "Folder, file or hub id."),
            ("revision", "VARCHAR", "Revision of a hub model."),
            ("model_type", "VARCHAR", "Architecture in transformers' words."),
            ("layers", "INTEGER", "Number of layers."),
            ("heads", "INTEGER", "Attention (query) heads per layer."),
            ("head_dim", "INTEGER", "Width of a head."),
            ("parameters", "BIGINT", "Number of parameters."),
            ("config_hash", "VARCHAR", "SHA-256 of the configuration."),
            ("weights_hash", "VARCHAR", "SHA-256 of names and sizes of the weights' files."),
        ],
    ),
    "captures": (
        "Runs of a subject over prompts with the activity of its units.",
        [
            ("capture", "VARCHAR PRIMARY KEY", "Id; the job that made it has the same."),
            ("subject", "VARCHAR", "subjects.subject."),
            ("tasks", "VARCHAR", "Name or file of the task set."),
            ("tasks_hash", "VARCHAR", "SHA-256 of the prompts' texts."),
            ("kind", "VARCHAR", "Unit kind: head, or imported."),
            ("layers", "INTEGER", "Layers that have units."),
            ("units_per_layer", "INTEGER", "Units in each layer."),
            ("prompts", "INTEGER", "Prompts captured."),
            ("valid_prompts", "INTEGER", "Prompts whose response has at least min_steps steps."),
            ("steps", "INTEGER", "Most steps (generated tokens) of a response."),
            ("min_steps", "INTEGER", "Fewest steps an analysed response has."),
            ("batch", "INTEGER", "Prompts generated at a time."),
            ("decoding", "VARCHAR", "greedy."),
            ("chat_template", "VARCHAR", "SHA-256 of the chat template; NULL when none was applied."),
            ("tokenizer", "VARCHAR", "Class of the tokenizer and size of its vocabulary."),
            ("dtype", "VARCHAR", "Number type the model ran in."),
            ("device", "VARCHAR", "Device the model ran on."),
            ("seed", "BIGINT", "Seed of the choice of prompts."),
            ("versions", "VARCHAR", "Versions of what made it, as JSON."),
            ("created", "TIMESTAMP", "When it became visible (UTC)."),
        ],
    ),
    "prompts": (
        "Prompts of a capture.",
        [
            ("capture", "VARCHAR", "captures.capture."),
            ("prompt", "INTEGER", "Number within the capture, from 0."),
            ("id", "VARCHAR", "The prompt's name in its task set."),
            ("category", "VARCHAR", "Category in its task set."),
            ("text", "VARCHAR", "What was asked."),
            ("tokens", "INTEGER[]", "Token ids with the chat template."),
        ],
    ),
    "responses": (
        "What the subject answered.",
        [
            ("capture", "VARCHAR", "captures.capture."),
            ("prompt", "INTEGER", "prompts.prompt."),
            ("text", "VARCHAR", "The answer."),
            ("tokens", "INTEGER[]", "Generated token ids, the end token included."),
            ("pieces", "VARCHAR[]", "Each token as text."),
            ("steps", "INTEGER", "Number of generated tokens."),
            ("ended", "BOOLEAN", "Whether the subject ended it by itself."),
            ("valid", "BOOLEAN", "Whether it has at least min_steps steps."),
        ],
    ),
    "units": (
        "Units of a capture.",
        [
            ("capture", "VARCHAR", "captures.capture."),
            ("unit_index", "INTEGER", "Number over all layers, from 0; pairs.x and pairs.y."),
            ("layer", "INTEGER", "Layer, from 0."),
            ("unit", "INTEGER", "Number within the layer, from 0."),
            ("depth", "DOUBLE", "Layer / (layers − 1)."),
        ],
    ),
    "decompositions": (
        "ΦID of all pairs of a capture's units.",
        [
            ("decomposition", "VARCHAR PRIMARY KEY", "Id; the job that made it has the same."),
            ("capture", "VARCHAR", "captures.capture."),
            ("estimator", "VARCHAR", "gaussian or discrete."),
            ("redundancy", "VARCHAR", "mmi or ccs."),
            ("lag", "INTEGER", "Lag τ in steps."),
            ("pool", "VARCHAR", "mean over valid prompts, or pooled: one decomposition of all prompts."),
            ("preprocess", "VARCHAR", "raw, or what was done to the series before, in order."),
            ("precision", "VARCHAR", "float64 or float32: precision of the decomposition."),
            (
                "nulls",
                "VARCHAR[]",
                "Nulls that were run; the first stands behind excess and z. Empty: the offset does.",
            ),
            ("surrogates", "INTEGER", "Surrogates drawn of each null."),
            ("pairs", "BIGINT", "Number of pairs."),
            ("valid_pairs", "BIGINT", "Pairs with at least one valid prompt."),
            ("valid_prompts", "INTEGER", "Prompts decomposed."),
            ("reasons", "VARCHAR", "Why pairs × prompts were invalid, counted, as JSON."),
            ("replicates", "INTEGER", "Bootstrap replicates behind the intervals."),
            ("seed", "BIGINT", "Seed of the bootstrap."),
            ("versions", "VARCHAR", "Versions of what made it, as JSON."),
            ("created", "TIMESTAMP", "When it became visible (UTC)."),
        ],
    ),
    "unit_scores": (
        "Scores of units, one row per unit and score; heads has them side by side.",
        [
            ("decomposition", "VARCHAR", "decompositions.decomposition."),
            ("unit_index", "INTEGER", "units.unit_index."),
            ("score", "VARCHAR", "An atom (nats), a ranking, another measure, or a p or q of the nulls."),
            ("value", "DOUBLE", "Raw value; NULL where there is none."),
            ("scaled", "DOUBLE", "A ranking's value min–max scaled to [0, 1]; NULL for other scores."),
            ("low", "DOUBLE", "Lower end of the 95 % interval of the scaled value, over prompts."),
            ("high", "DOUBLE", "Upper end of it."),
        ],
    ),
    "unit_nulls": (
        "Units against surrogate data without coupling.",
        [
            ("decomposition", "VARCHAR", "decompositions.decomposition."),
            ("null_name", "VARCHAR", "prompt-shuffle or window-roll; series-shift and phase are not calibrated."),
            ("unit_index", "INTEGER", "units.unit_index."),
            ("score", "VARCHAR", "sts (two-sided), rtr or tdmi (upper tail)."),
            ("observed", "DOUBLE", "The data's value as the null takes it (cut to like length), nats."),
            ("mean", "DOUBLE", "Mean over surrogates, nats."),
            ("sd", "DOUBLE", "Standard deviation over surrogates, nats."),
            ("skewness", "DOUBLE", "Third standardised moment over surrogates."),
            ("draws", "INTEGER", "Surrogates in which the unit has a value."),
            ("z", "DOUBLE", "Standard score of the observed value."),
            ("p", "DOUBLE", "p-value of a Pearson type III tail with these moments."),
            ("q", "DOUBLE", "Benjamini–Hochberg q over the units."),
        ],
    ),
    "surrogate_contrasts": (
        "Contrast of every ranking in every surrogate: what a run shows that has no coupling.",
        [
            ("decomposition", "VARCHAR", "decompositions.decomposition."),
            ("null_name", "VARCHAR", "The null."),
            ("draw", "INTEGER", "Number of the surrogate, from 0."),
            ("ranking", "VARCHAR", "The ranking."),
            ("contrast", "DOUBLE", "Middle layers minus the others, scaled, as in contrasts."),
        ],
    ),
    "layer_profiles": (
        "Mean scaled ranking of each layer's units.",
        [
            ("decomposition", "VARCHAR", "decompositions.decomposition."),
            ("ranking", "VARCHAR", "The ranking."),
            ("layer", "INTEGER", "Layer, from 0."),
            ("depth", "DOUBLE", "Layer / (layers − 1)."),
            ("value", "DOUBLE", "Mean over the layer's units."),
            ("low", "DOUBLE", "Lower end of the two-way bootstrap's 95 % interval."),
            ("high", "DOUBLE", "Upper end of it."),
        ],
    ),
    "contrasts": (
        "Middle layers against the others.",
        [
            ("decomposition", "VARCHAR", "decompositions.decomposition."),
            ("ranking", "VARCHAR", "The ranking."),
            (
                "contrast",
                "DOUBLE",
                "Mean of layers with depth in [1/3, 2/3] minus the mean of the others, scaled.",
            ),
            ("low", "DOUBLE", "Lower end of the two-way bootstrap's 95 % interval."),
            ("high", "DOUBLE", "Upper end of it."),
            ("curvature", "DOUBLE", "Quadratic coefficient of the profile over depth; shown, not tested."),
        ],
    ),
    "confounds": (
        "What speaks against reading the map as a finding.",
        [
            ("decomposition", "VARCHAR", "decompositions.decomposition."),
            ("name", "VARCHAR", "What is measured."),
            ("value", "DOUBLE", "Its value."),
        ],
    ),
    "ablations": (
        "Removal of units in order, and what it does to the subject's behaviour.",
        [
            ("ablation", "VARCHAR PRIMARY KEY", "Id; the job that made it has the same."),
            ("decomposition", "VARCHAR", "decompositions.decomposition that gave the orders."),
            ("capture", "VARCHAR", "captures.capture whose responses are replayed."),
            ("intervention", "VARCHAR", "zero."),
            ("ranking", "VARCHAR", "Ranking behind the targeted orders."),
            ("marked", "INTEGER[]", "units.unit_index of the order `marked`."),
            ("orders", "VARCHAR[]", "Removal orders."),
            ("fractions", "DOUBLE[]", "Fractions of all units removed."),
            ("seeds", "INTEGER", "Seeds of each control."),
            ("prompts", "INTEGER", "Prompts replayed."),
            ("seed", "BIGINT", "First seed."),
            ("verdict", "VARCHAR", "The verdict in one sentence."),
            ("versions", "VARCHAR", "Versions of what made it, as JSON."),
            ("created", "TIMESTAMP", "When it became visible (UTC)."),
        ],
    ),
    "ablation_curves": (
        "Behaviour divergence of one removal order at one fraction.",
        [
            ("ablation", "VARCHAR", "ablations.ablation."),
            ("removal_order", "VARCHAR", "Removal order."),
            ("target", "VARCHAR", "Order whose counts per layer a layer-matched set keeps."),
            ("seed", "INTEGER", "Number of the control set."),
            ("fraction", "DOUBLE", "Fraction of all units removed."),
            ("removed", "INTEGER", "Units removed."),
            ("divergence", "DOUBLE", "KL(intact ‖ ablated), nats per token: mean over steps, then prompts."),
            ("top1", "DOUBLE", "Share of steps whose likeliest token stays the same, likewise."),
            ("perplexity_ratio", "DOUBLE", "Perplexity of the intact response, ablated over intact."),
        ],
    ),
    "ablation_prompts": (
        "The same for each prompt.",
        [
            ("ablation", "VARCHAR", "ablations.ablation."),
            ("removal_order", "VARCHAR", "Removal order."),
            ("target", "VARCHAR", "Order whose counts per layer a layer-matched set keeps."),
            ("seed", "INTEGER", "Number of the control set."),
            ("fraction", "DOUBLE", "Fraction of all units removed."),
            ("prompt", "INTEGER", "prompts.prompt."),
            ("divergence", "DOUBLE", "KL(intact ‖ ablated), nats per token, mean over steps."),
            ("top1", "DOUBLE", "Share of steps whose likeliest token stays the same."),
            ("surprisal_change", "DOUBLE", "Mean rise of the response's surprisal, nats per token."),
        ],
    ),
    "ablation_areas": (
        "Areas under divergence curves from (0, 0), by trapezoids.",
        [
            ("ablation", "VARCHAR", "ablations.ablation."),
            ("removal_order", "VARCHAR", "Removal order."),
            ("target", "VARCHAR", "Order whose counts per layer a layer-matched set keeps."),
            ("seed", "INTEGER", "Number of the control set."),
            ("upper", "DOUBLE", "Area over fractions [0, upper]."),
            ("area", "DOUBLE", "Nats per token × fraction."),
        ],
    ),
}

JOB_COLUMNS: Columns = [
    ("id", "VARCHAR", "Id of the job; what it makes has the same."),
    ("kind", "VARCHAR", "capture, decompose or ablate."),
    ("state", "VARCHAR", "queued, running, paused, done, failed or cancelled."),
    ("stage", "VARCHAR", "What it is doing."),
    ("progress", "DOUBLE", "Share done, 0 to 1."),
    ("pid", "BIGINT", "Process of its worker."),
    ("after", "VARCHAR", "Job it waits for."),
    ("error", "VARCHAR", "Why it failed and what to do next."),
    ("created", "DOUBLE", "When it was made, seconds since 1970."),
    ("heartbeat", "DOUBLE", "When its worker last said something, seconds since 1970."),
]

PAIR_EXTRAS = (
    ("sts_sd", "Standard deviation of sts over valid prompts, nats; NULL below two."),
    ("rtr_sd", "The same of rtr."),
    ("tdmi_sd", "The same of tdmi."),
    ("excess", "sts minus its surrogate mean, nats: the first null that was run. NULL without surrogates."),
    ("z", "Excess over the standard deviation of surrogates."),
    ("p", "Two-sided p of sts, the larger one where two nulls were run. NULL without surrogates."),
    ("q", "Benjamini–Hochberg q over all pairs of p."),
    ("rtr_p", "Upper-tail p of rtr, likewise."),
    ("rtr_q", "Benjamini–Hochberg q of it."),
    ("tdmi_p", "Upper-tail p of tdmi, likewise."),
    ("tdmi_q", "Benjamini–Hochberg q of it."),
)
"""Columns of pair files that those of version 1 lack: in an exported run the view has NULL for them."""

NOTHING = "_none"
"""Partition that keeps the globs of the views from matching nothing."""


def views(folder: Path) -> dict[str, tuple[str, str, dict[str, str]]]:
    """name → (comment, SELECT, comments of columns no table has), over the bulk files in `folder`."""
    here = str(folder).replace("'", "''")
    pivot = ",\n  ".join(
        f"max(value) FILTER (score = '{name}') AS {column(name)}" for name in (*ATOMS, *MEASURES, *RANKINGS, *TESTS)
    )
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
FROM read_parquet('{here}/series/*/*.parquet', hive_partitioning = true, hive_types = {{'capture': 'VARCHAR'}})""",
            {"step": "Generated token, from 0.", "value": "Activity: L2 norm of the unit's output."},
        ),
        "heads": (
            "Units of all decompositions with their scores side by side.",
            f"""SELECT decomposition, d.capture, s.name AS subject, u.layer, u.unit, u.depth,
  max(scaled) {ranked} AS rank, max(low) {ranked} AS rank_low, max(high) {ranked} AS rank_high,
  {pivot}
FROM unit_scores JOIN decompositions d USING (decomposition)
JOIN units u ON u.capture = d.capture AND u.unit_index = unit_scores.unit_index
JOIN captures c ON c.capture = d.capture JOIN subjects s ON s.subject = c.subject
GROUP BY decomposition, d.capture, s.name, u.layer, u.unit, u.depth
ORDER BY decomposition, u.layer, u.unit""",
            {
                **atom_meaning,
                "subject": "Name of the subject.",
                "rank": f"The default ranking, {RANKINGS[0]}, scaled to [0, 1]; synergistic is high.",
                "rank_low": "Lower end of its 95 % interval, over prompts.",
                "rank_high": "Upper end of it.",
                "tdmi": "Mean time-delayed mutual information with all partners, nats.",
                "offset": "Mean independence offset, nats.",
                "autocorrelation": "Mean lag-τ autocorrelation of the unit's activity.",
                "norm": "Mean activity.",
                **{column(name): f"Ranking {name}, raw value." for name in RANKINGS},
                **{column(name): f"{meaning} NULL without surrogates." for name, meaning in TESTS.items()},
            },
        ),
        "latest_heads": (
            "heads of the newest decomposition.",
            """SELECT * FROM heads WHERE decomposition =
  (SELECT decomposition FROM decompositions ORDER BY created DESC, decomposition LIMIT 1)""",
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
    """The tables and views of a new cache."""
    for name in TABLES:
        _create_table(con, name)
        _comment(con, name)
    con.execute("INSERT INTO meta VALUES (?, '', '')", [VERSION])
    create_views(con, folder)


_TO_VERSION_2 = (
    "ALTER TABLE decompositions ADD COLUMN precision VARCHAR",
    "ALTER TABLE decompositions ADD COLUMN nulls VARCHAR[]",
    "ALTER TABLE decompositions ADD COLUMN surrogates INTEGER",
    "ALTER TABLE ablations ADD COLUMN marked INTEGER[]",
    "UPDATE decompositions SET precision = 'float64', nulls = [], surrogates = 0",
)


def migrate(con: duckdb.DuckDBPyConnection, version: int) -> None:
    """Brings the tables of an older version to this one, step by step; the views are to be made anew."""
    if version < 2:
        for statement in _TO_VERSION_2:
            con.execute(statement)
        for name in ("unit_nulls", "surrogate_contrasts"):
            _create_table(con, name)
    for name in TABLES:
        _comment(con, name)
    con.execute("UPDATE meta SET version = ?", [VERSION])


def empty(name: str) -> str:
    """A SELECT of no row with a table's columns: what an exported run of an older version is completed with."""
    _, columns = TABLES[name]
    kinds = ", ".join(f"NULL::{kind.removesuffix(' PRIMARY KEY')} AS {col}" for col, kind, _ in columns)
    return f"SELECT {kinds} WHERE false"


def create_views(con: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Views over the bulk files in `folder`, made anew; a column without a comment of its own has its table's."""
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
    """Changes when the views' definition does, or the folder they point into."""
    return hashlib.sha256(repr(views(folder)).encode()).hexdigest()[:16]


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
