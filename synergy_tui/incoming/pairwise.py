"""A published table of pairs, a row for each question and pair of units with synergy and redundancy → a capture without
series and a decomposition of two atoms, sts and rtr, with all that these two allow. Suspicions about the table are
reported and kept with the run; a table that would need a guess is refused."""

from __future__ import annotations

import hashlib
import math
import secrets
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from synergy_tui import __version__
from synergy_tui.errors import UsageError
from synergy_tui.incoming.flat import SHOWN, Flat, columns_of, named, read
from synergy_tui.jobs import unit_rows
from synergy_tui.phiid.result import UnitAtoms, mean_of
from synergy_tui.store.bulk import PAIR_FILE
from synergy_tui.store.cache import Cache
from synergy_tui.store.publish import delete, publish_capture, publish_decomposition
from synergy_tui.terms import ATOMS, IMPORTED, INVALID_REASONS, METHOD, OF_TWO_ATOMS, RTR, STS
from synergy_tui.units import MOST_PLACES

UNITS = {"nats": 1.0, "bits": math.log(2)}
"""Units of values, and their size in nats. Tables do not say which unit they use."""

EQUAL = 1e-9
"""Nats by which (a, b) and (b, a) may differ; and the relative difference that rounding to seven digits makes."""

ZEROS = 0.001
"""Share of values at 0 in both atoms above which they look like failures: measured atoms are hardly ever 0."""

MOST_VALUES = 10_000_000
"""Most questions × places of a map: each takes 128 bytes."""

WORDS: dict[str, tuple[str, ...]] = {
    "question": (
        *("question_id", "question", "prompt_id", "prompt", "qid", "sample_id", "sample", "item_id", "item"),
        *("example_id", "example", "text_id"),
    ),
    "category": ("category", "task", "topic"),
    **{
        f"{what}_{side}": (f"{what}_{side}", f"{what}{side}", f"{what}_{letter}", f"{axis}_{own}", f"{what[0]}{side}")
        for what, own in (("layer", "layer"), ("head", "unit"))
        for side, letter, axis in ((1, "i", "x"), (2, "j", "y"))
    },
    "syn": ("syn", "synergy", "sts"),
    "red": ("red", "redundancy", "rtr"),
}

NEEDED = ("layer_1", "head_1", "layer_2", "head_2", "syn", "red")
"""The necessary columns. Without a column of questions every pair has one value, and no value has an interval."""

_PLACES = NEEDED[:4]


def recognised(columns: Sequence[str]) -> bool:
    """Whether a table with these columns is one of pairs."""
    try:
        return set(NEEDED) <= set(named(columns, WORDS))
    except UsageError:
        return True  # two columns may have one meaning: `import_pairs` says which


def import_pairs(
    cache: Cache,
    file: Path,
    *,
    name: str | None = None,
    unit: str = "nats",
    average: bool = False,
    seed: int = 0,
    replicates: int = 1000,
) -> tuple[str, list[str]]:
    """Imports a table and returns the decomposition's id, and remarks about the table, in sentences. unit: the unit of
    its values, a word of UNITS. average: takes the mean of (a, b) and (b, a) if they differ. seed, replicates: of the
    bootstrap.

    Raises UsageError for a table without the columns, without two units or a value, with several rows for one pair and
    question, with two directions that differ (unless `average`), and with layers or heads that are not numbers from 0.
    """
    if unit not in UNITS:
        raise UsageError(f"no unit {unit!r}", f"known: {', '.join(UNITS)}")
    columns = named(columns_of(file), WORDS)
    if missing := [one for one in NEEDED if one not in columns]:
        raise UsageError(f"{file} has no column {', '.join(missing)}", f"a table of pairs has {', '.join(NEEDED)}")
    table, lines = _rows(read(file, columns, ("question", "category")), file)
    pairs, more = _merged(table, UNITS[unit], average, file)
    told = [f"Values are taken as {unit}{'' if unit == 'nats' else ' and stored in nats'}."]
    told += table.flat.told() + lines + more
    called = name or file.name.partition(".")[0]
    words = ["synergy-tui", "import", str(file.resolve()), "--name", called, "--unit", unit]
    words += ["--average"] if average else []
    recipe = shlex.join(words)
    id_, suspicions = _publish(cache, pairs, called, str(file.resolve()), recipe, seed, replicates)
    return id_, told + suspicions


@dataclass(frozen=True)
class _Rows:
    """The readable rows of a table: question, pair, and both values. questions: their names in order of appearance;
    categories: of each question."""

    flat: Flat
    question: np.ndarray
    questions: list[str]
    categories: list[str]
    x: np.ndarray
    y: np.ndarray
    layers: int
    per_layer: int


@dataclass(frozen=True)
class _Pairs:
    """Values of pairs, a row for each question and pair, in their order. question, pair [rows]; x, y [pairs]: units,
    x < y; sts, rtr [rows]: nats, NaN where there is no value. units: the units that occur."""

    question: np.ndarray
    pair: np.ndarray
    x: np.ndarray
    y: np.ndarray
    sts: np.ndarray
    rtr: np.ndarray
    questions: list[str]
    categories: list[str]
    layers: int
    per_layer: int

    @property
    def valid(self) -> np.ndarray:
        """[rows]: whether there is a value."""
        return np.isfinite(self.sts)

    @property
    def units(self) -> np.ndarray:
        """Numbers of the units that occur."""
        return np.unique(np.concatenate([self.x, self.y]))

    @property
    def places(self) -> int:
        """Places of the map."""
        return self.layers * self.per_layer


def _rows(flat: Flat, file: Path) -> tuple[_Rows, list[str]]:
    """The rows with their questions and pairs, and remarks. Rows without a place or a question do not count."""
    places = np.stack([flat.number(name) for name in _PLACES])
    bad = ~(np.isfinite(places) & (places == np.round(places))).all(axis=0)
    if "question" in flat.columns:
        bad |= pc.is_null(flat.text("question")).to_numpy()
    flat = flat.without(bad)
    if not len(flat.rows):
        raise UsageError(f"{file} has no row of a pair" + (f": {flat.bad[0]}" if flat.bad else ""), "give it some")
    places, lines = np.stack([flat.number(name) for name in _PLACES]).astype(np.int64), []
    if places.min() < 0:
        row = int(flat.rows[np.argmax((places < 0).any(axis=0))])
        raise UsageError(f"{file}: row {row} has a layer or head below 0", "number them from 0")
    if places[::2].min() == 1 and places[1::2].min() == 1:
        lines.append("Layers and heads are numbered from 1 in the table: 1.1 of the table is 0.0 here.")
        places = places - 1
    elif places.min(axis=1)[::2].min() > 0 or places.min(axis=1)[1::2].min() > 0:
        least = f"{places[::2].min()} and heads from {places[1::2].min()}"
        lines.append(f"Layers are numbered from {least} in the table: lower numbers have no value.")
    layers, per_layer = int(places[::2].max()) + 1, int(places[1::2].max()) + 1
    if layers * per_layer > MOST_PLACES:
        raise UsageError(f"units lie on {layers:,} layers × {per_layer:,} places", "number layers and heads from 0")
    question, questions = _coded(flat, "question")
    if layers * per_layer * len(questions) > MOST_VALUES:
        raise UsageError(
            f"{len(questions):,} questions × {layers:,} layers × {per_layer:,} places are too many to hold",
            "number layers and heads without gaps, or import some of the questions",
        )
    first, second = (places[side] * per_layer + places[side + 1] for side in (0, 2))
    if (same := first == second).any():
        lines.append(f"{int(same.sum()):,} rows pair a unit with itself, which is not a pair: they are left out.")
    categories = _categories(flat, question, len(questions))
    if "question" not in flat.columns:
        lines.append("There is no column of questions: pairs have one value each, and no value has an interval.")
    keep = np.flatnonzero(~same)
    kept = Flat(
        {name: one[keep] for name, one in flat.columns.items() if isinstance(one, np.ndarray)},
        flat.rows[keep],
        flat.bad,
        flat.bad_rows,
    )
    return (
        _Rows(kept, question[keep], questions, categories, first[keep], second[keep], layers, per_layer),
        lines,
    )


def _coded(flat: Flat, name: str) -> tuple[np.ndarray, list[str]]:
    """Numbers of a column's words in order of appearance, and the words."""
    if name not in flat.columns:
        return np.zeros(len(flat.rows), np.int64), ["all"]
    column = flat.text(name).combine_chunks().dictionary_encode()
    column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return column.indices.to_numpy().astype(np.int64), column.dictionary.to_pylist()


def _categories(flat: Flat, question: np.ndarray, count: int) -> list[str]:
    """The category of each question; empty if it has several."""
    if "category" not in flat.columns:
        return [""] * count
    filled = replace(flat, columns={"category": pc.fill_null(flat.text("category"), "")})
    codes, names = _coded(filled, "category")
    low, high = np.full(count, len(names)), np.full(count, -1)
    np.minimum.at(low, question, codes)
    np.maximum.at(high, question, codes)
    return [names[one] if one == other else "" for one, other in zip(low.tolist(), high.tolist(), strict=True)]


def _merged(table: _Rows, scale: float, average: bool, file: Path) -> tuple[_Pairs, list[str]]:
    """A row for each question and pair. Raises UsageError for several rows of one direction, and for directions that
    differ, unless `average`."""
    places = table.layers * table.per_layer
    x, y = np.minimum(table.x, table.y), np.maximum(table.x, table.y)
    codes, pair = np.unique(x * places + y, return_inverse=True)
    key = table.question * len(codes) + pair
    order = np.lexsort((table.x > table.y, key))
    ordered, turned = key[order], (table.x > table.y)[order]
    again = ordered[1:] == ordered[:-1]
    if (twice := again & (turned[1:] == turned[:-1])).any():
        some = ", ".join(str(int(table.flat.rows[order[one + 1]])) for one in np.flatnonzero(twice)[:SHOWN])
        raise UsageError(
            f"{file} has several rows for one question and pair: {int(twice.sum()):,}, the first are rows {some}",
            "keep one of them",
        )
    sts, rtr = (table.flat.number(name)[order] * scale for name in ("syn", "red"))
    lines, there = [], np.isfinite(sts) & np.isfinite(rtr)
    sts, rtr = np.where(there, sts, np.nan), np.where(there, rtr, np.nan)
    if again.any():
        lines.append(_joined(sts, rtr, np.flatnonzero(again), table, order, average, file))
    first = np.concatenate([[True], ~again])
    question, pair = np.divmod(ordered[first], len(codes))
    pairs = _Pairs(
        question,
        pair,
        *np.divmod(codes, places),
        sts[first],
        rtr[first],
        table.questions,
        table.categories,
        table.layers,
        table.per_layer,
    )
    if not pairs.valid.any():
        raise UsageError(f"{file} has no value of a pair: syn and red are empty", "look at what it was saved from")
    return pairs, lines


def _joined(
    sts: np.ndarray, rtr: np.ndarray, both: np.ndarray, table: _Rows, order: np.ndarray, average: bool, file: Path
) -> str:
    """Makes one value of the two directions of a pair, in place of the first, and returns a remark about it."""
    apart = np.zeros(len(both))
    for values in (sts, rtr):
        one, other = values[both], values[both + 1]
        gap = np.abs(one - other)
        allowed = np.maximum(EQUAL, 1e-6 * np.maximum(np.abs(one), np.abs(other)))
        differ = np.where(np.isnan(one) | np.isnan(other), np.isnan(one) != np.isnan(other), gap > allowed)
        apart = np.maximum(apart, np.where(differ, np.nan_to_num(gap, nan=np.inf), 0.0))
        values[both] = np.where(np.isnan(one), other, np.where(np.isnan(other), one, (one + other) / 2))
    count = int((apart > 0).sum())
    if not count:
        return f"{len(both):,} pairs are listed in both directions, with equal values: they count once."
    row = int(table.flat.rows[order[both[np.argmax(apart)]]])
    finite = apart[np.isfinite(apart)].max(initial=0.0)
    by = f"by up to {finite:.3g} nats" if np.isfinite(apart).all() else "or one of them is empty"
    told = f"{count:,} of {len(both):,} pairs have two values, for (a, b) and for (b, a), that differ {by}"
    if not average:
        raise UsageError(
            f"{file}: {told} (row {row}); sts and rtr are the same from both sides",
            "--average takes their mean",
        )
    return f"{told} (row {row}): their mean is taken, though sts and rtr are the same from both sides."


def _publish(
    cache: Cache, pairs: _Pairs, name: str, place: str, recipe: str, seed: int, replicates: int
) -> tuple[str, list[str]]:
    """Writes the capture and its decomposition; returns the decomposition's id and the suspicions."""
    capture, decomposition = (letter + secrets.token_hex(4) for letter in "cd")
    atoms = _unit_atoms(pairs)
    found = _suspicions(pairs)
    valid = np.asarray(atoms.unit_pairs.any(axis=1))
    asked = unit_rows.Asked(OF_TWO_ATOMS, replicates, seed)
    shape = {"layers": pairs.layers, "prompts": len(pairs.questions)}
    rows: dict[str, Any] = unit_rows.rows(decomposition, shape, asked, {}, None, np.arange(len(valid)), atoms)
    rows |= unit_rows.by_category(decomposition, asked, atoms, pairs.categories, pairs.layers)
    rows["confounds"] = pa.concat_tables([rows["confounds"], _confounds(decomposition, found)])
    versions = {"synergy-tui": __version__}
    rows["decompositions"] = [
        {
            "decomposition": decomposition,
            "capture": capture,
            "estimator": IMPORTED,
            "pool": "mean",
            "nulls": [],
            "misleading": [],
            "surrogates": 0,
            "pairs": atoms.pairs_all,
            "valid_pairs": atoms.pairs_valid,
            "valid_prompts": int(valid.sum()),
            "reasons": atoms.reasons,
            "replicates": replicates,
            "seed": seed,
            "versions": versions,
        }
    ]
    rows["recipes"] = [{"result": decomposition, "command": recipe, "method": METHOD}]
    publish_capture(cache, capture, _capture(pairs, capture, name, place, valid, recipe), [])
    try:
        publish_decomposition(cache, decomposition, rows, _pair_tables(pairs))
    except BaseException:
        delete(cache, capture)
        raise
    return decomposition, [one.told for one in found]


def _capture(
    pairs: _Pairs, capture: str, name: str, place: str, valid: np.ndarray, recipe: str
) -> dict[str, list[dict[str, Any]]]:
    """Rows of the capture. Without series there are no steps, and NULL says so."""
    digest = hashlib.sha256(name.encode())
    for part in (pairs.question, pairs.pair, pairs.x, pairs.y, pairs.sts, pairs.rtr):
        digest.update(np.ascontiguousarray(part).tobytes())
    subject = f"import-{digest.hexdigest()[:12]}"
    per_layer = pairs.per_layer
    return {
        "subjects": [
            {
                "subject": subject,
                "name": name,
                "source": "import",
                "place": place,
                "layers": pairs.layers,
                "heads": per_layer,
            }
        ],
        "captures": [
            {
                "capture": capture,
                "subject": subject,
                "tasks": name,
                "tasks_hash": digest.hexdigest(),
                "kind": IMPORTED,
                "layers": pairs.layers,
                "units_per_layer": per_layer,
                "prompts": len(pairs.questions),
                "valid_prompts": int(valid.sum()),
                "versions": {"synergy-tui": __version__},
            }
        ],
        "prompts": [
            {"capture": capture, "prompt": number, "id": id_, "category": category}
            for number, (id_, category) in enumerate(zip(pairs.questions, pairs.categories, strict=True))
        ],
        "responses": [{"capture": capture, "prompt": number, "valid": bool(one)} for number, one in enumerate(valid)],
        "units": [
            {
                "capture": capture,
                "unit_index": unit,
                "layer": unit // per_layer,
                "unit": unit % per_layer,
                "kind": IMPORTED,
                "depth": unit // per_layer / max(pairs.layers - 1, 1),
            }
            for unit in pairs.units.tolist()
        ],
        "recipes": [{"result": capture, "command": recipe}],
    }


def _unit_atoms(pairs: _Pairs) -> UnitAtoms:
    """The values of units that two atoms give, and NaN for all others; as phiid.engine sums them over tiles."""
    rows = np.flatnonzero(pairs.valid)
    pair, question, units, prompts = pairs.pair[rows], pairs.question[rows], pairs.places, len(pairs.questions)
    values = {STS: pairs.sts[rows], RTR: pairs.rtr[rows]}
    ends = np.concatenate([pairs.x, pairs.y])
    who = np.concatenate([pairs.x[pair], pairs.y[pair]]) + np.tile(question, 2) * units

    def by_prompt(weights: np.ndarray | None = None) -> np.ndarray:
        twice = None if weights is None else np.tile(weights, 2)
        return np.bincount(who, twice, prompts * units).reshape(prompts, units)

    unit_pairs = by_prompt().astype(np.int64)
    unit, unit_prompt = np.full((units, len(ATOMS)), np.nan), np.full((prompts, units, len(ATOMS)), np.nan)
    counts = np.bincount(pair, minlength=len(pairs.x))
    known = np.bincount(ends, np.tile(counts > 0, 2), units)
    for place, value in values.items():
        unit_prompt[:, :, place] = mean_of(by_prompt(value), unit_pairs)
        mean = np.nan_to_num(mean_of(np.bincount(pair, value, len(pairs.x)), counts))
        unit[:, place] = mean_of(np.bincount(ends, np.tile(mean, 2), units), known)
    both = values[STS] + values[RTR]
    positive = both > 0
    ratio = np.divide(values[STS], both, out=np.zeros(len(both)), where=positive)
    count = len(pairs.units)
    pairs_all = count * (count - 1) // 2
    nothing = np.full((prompts, units), np.nan)
    return UnitAtoms(
        unit=unit,
        unit_offset=np.full(units, np.nan),
        unit_prompt=unit_prompt,
        unit_prompt_offset=nothing,
        unit_balance=mean_of(by_prompt(ratio), by_prompt(positive.astype(float))),
        unit_pairs=unit_pairs,
        pairs_valid=int((counts > 0).sum()),
        pairs_all=pairs_all,
        reasons={"not finite": int((~pairs.valid).sum()), "not in the table": pairs_all * prompts - len(pairs.pair)},
    )


def _pair_tables(pairs: _Pairs) -> Iterator[pa.Table]:
    """The pair file: pairs that occur, in order; NULL for unknown values."""
    rows = np.flatnonzero(pairs.valid)
    pair, count = pairs.pair[rows], len(pairs.x)
    counts = np.bincount(pair, minlength=count)
    columns: dict[str, np.ndarray] = {"x": pairs.x, "y": pairs.y, "valid_prompts": counts}
    for side, who in (("x", pairs.x), ("y", pairs.y)):
        columns |= {f"{side}_layer": who // pairs.per_layer, f"{side}_unit": who % pairs.per_layer}
    for name, values in (("sts", pairs.sts[rows]), ("rtr", pairs.rtr[rows])):
        mean = mean_of(np.bincount(pair, values, count), counts)
        squares = np.bincount(pair, (values - mean[pair]) ** 2, count)
        columns |= {name: mean, f"{name}_sd": np.sqrt(mean_of(squares, np.maximum(counts - 1, 0)))}
    invalid = np.bincount(pairs.pair[~pairs.valid], minlength=count) > 0
    columns["reason"] = np.where(invalid, 1 + INVALID_REASONS.index("not finite"), 0)
    yield pa.table(
        [
            pa.array(columns[field.name], from_pandas=True).cast(field.type)
            if field.name in columns
            else pa.nulls(count, field.type)
            for field in PAIR_FILE
        ],
        schema=PAIR_FILE,
    )


@dataclass(frozen=True)
class _Suspicion:
    """name, value: as a row of confounds. told: as a sentence."""

    name: str
    value: float
    told: str


def _suspicions(pairs: _Pairs) -> list[_Suspicion]:
    """Reasons to doubt the table itself."""
    out = []
    valid, prompts, units = pairs.valid, len(pairs.questions), len(pairs.units)
    whole = units * (units - 1) // 2
    if missing := whole * prompts - len(pairs.pair):
        never = whole - len(pairs.x)
        told = f"{missing:,} of {whole * prompts:,} pairs × questions are not in the table"
        told += f"; {never:,} of {whole:,} pairs never are." if never else "."
        out.append(_Suspicion("values missing", missing, told))
    if empty := int((~valid).sum()):
        told = f"{empty:,} of {len(valid):,} values are empty or not finite: those pairs are invalid."
        out.append(_Suspicion("values empty", empty, told))
    zero = int(((pairs.sts == 0) & (pairs.rtr == 0)).sum())
    if zero > ZEROS * len(valid):
        told = f"{zero:,} of {len(valid):,} values ({zero / len(valid):.1%}) are exactly 0 in both atoms, as measured "
        told += "ones hardly are: where they stand for failures, leave them empty and import the table anew."
        out.append(_Suspicion("values exactly 0", zero, told))
    if same := _repeated(pairs):
        some = ", ".join(f"{pairs.questions[b]} repeats {pairs.questions[a]}" for a, b in same[:SHOWN])
        more = f" and {len(same) - SHOWN:,} more" if len(same) > SHOWN else ""
        told = f"Questions have the same values in all pairs: {some}{more}. Intervals take each of them for evidence."
        out.append(_Suspicion("prompts repeated", len(same), told))
    below = {name: int((one < 0).sum()) for name, one in (("syn", pairs.sts), ("red", pairs.rtr))}
    if any(below.values()):
        told = ", ".join(f"{count:,} values of {name}" for name, count in below.items() if count)
        told += " are below 0, which neither atom ever is under MMI: the redundancy function is another (CCS), values "
        told += "are corrected for bias, or they are not atoms."
        out.append(_Suspicion("values below 0", sum(below.values()), told))
    return out


def _repeated(pairs: _Pairs) -> list[tuple[int, int]]:
    """Questions (first, other) with the same values in the same two or more pairs."""
    starts = np.searchsorted(pairs.question, np.arange(len(pairs.questions) + 1))
    seen: dict[bytes, int] = {}
    out = []
    for number, (begin, end) in enumerate(zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True)):
        part = slice(begin, end)
        if end - begin < 2 or not pairs.valid[part].any():
            continue
        # −0 and 0 are one value, and so are all encodings of NaN.
        plain = [np.where(np.isnan(one[part]), np.nan, one[part] + 0.0) for one in (pairs.sts, pairs.rtr)]
        digest = hashlib.sha256(b"".join(one.tobytes() for one in (pairs.pair[part], *plain))).digest()
        first = seen.setdefault(digest, number)
        if first != number:
            out.append((first, number))
    return out


def _confounds(decomposition: str, found: Sequence[_Suspicion]) -> pa.Table:
    return pa.table(
        {
            "decomposition": pa.array([decomposition] * len(found), pa.string()),
            "name": pa.array([one.name for one in found], pa.string()),
            "value": pa.array([float(one.value) for one in found], pa.float64()),
        }
    )
