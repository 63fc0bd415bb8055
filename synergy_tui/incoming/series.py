"""Series measured elsewhere, [prompts, units, steps] → a capture that has everything but a model: .npy, .npz or
Parquet, and optionally a table of units. Nothing is unpickled."""

from __future__ import annotations

import hashlib
import secrets
import shlex
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from synergy_tui import __version__
from synergy_tui.errors import UsageError
from synergy_tui.store.cache import Cache
from synergy_tui.store.publish import publish_capture

LOST = 1e-4
"""Most of a unit's standard deviation, within prompts and of its differences, that float32 may lose."""

NEARLY = 1e-3
"""Standard deviations of a unit by which series of two prompts differ that are one, measured twice."""

MOST_PLACES = 1_000_000
"""Layers × places of a map."""

_COLUMNS = ("prompt", "unit_index", "step", "value")


def import_file(
    cache: Cache, file: Path, units: Path | None = None, *, name: str | None = None, min_steps: int = 20
) -> str:
    """Imports a file and returns the capture's id. Raises UsageError, as `read_series`, `read_units` and
    `import_series` do."""
    series = read_series(file)
    layers, heads = read_units(units, series.shape[1]) if units else (None, None)
    place, called = str(file.resolve()), name or file.stem
    table = ["--units", str(units.resolve())] if units else []
    words = ["synergy-tui", "import", place, *table, "--name", called, "--min-steps", str(min_steps)]
    recipe = shlex.join(words)
    return import_series(cache, series, layers, heads, name=called, place=place, min_steps=min_steps, recipe=recipe)


def import_series(
    cache: Cache,
    series: np.ndarray,
    layers: np.ndarray | None = None,
    heads: np.ndarray | None = None,
    *,
    name: str = "imported",
    place: str = "",
    min_steps: int = 20,
    recipe: str = "",
) -> str:
    """Imports an array [prompts, units, steps], NaN past a response's end, and returns the capture's id. layers, heads:
    numbers of each unit's layer and of its place in it, which stay its name; without layers all units are in one,
    without heads they are numbered from 0. A response of fewer than `min_steps` steps is kept and not analysed. Series
    that are too fine for float32 are kept in float64.

    Raises UsageError on another shape or type, prompts that repeat one another, layers of unequal size, and several
    units of one name.
    """
    series = _checked(series)
    prompts, units = series.shape[:2]
    layers = np.zeros(units, int) if layers is None else np.asarray(layers)
    if layers.shape != (units,):
        raise UsageError(f"{len(layers)} units in the table and {units} in the series", "give a row for each unit")
    found, sizes = np.unique(layers, return_counts=True)
    if heads is None and len(set(sizes.tolist())) > 1:
        told = ", ".join(f"{layer}: {size}" for layer, size in zip(found.tolist(), sizes.tolist(), strict=True))
        raise UsageError(
            f"layers have unequal numbers of units ({told[:80]})", "leave units out, or import without layers"
        )
    order = np.argsort(layers, kind="stable") if heads is None else np.lexsort((heads, layers))
    _refuse_repeats(series)
    kept = _narrowed(series)[:, order]
    lengths = _lengths(series)
    layer = layers[order]
    unit = np.concatenate([np.arange(size) for size in sizes]) if heads is None else np.asarray(heads)[order]
    count, per_layer = int(layer.max()) + 1, int(unit.max()) + 1
    if layer.min() < 0 or unit.min() < 0 or count * per_layer > MOST_PLACES:
        raise UsageError(
            f"units lie on {count:,} layers × {per_layer:,} places, from {layer.min()}.{unit.min()} on",
            "number layers and heads from 0",
        )
    places = layer.astype(np.int64) * per_layer + unit
    if len(np.unique(places)) < units:
        raise UsageError("several units have the same layer and head", "give each a row of its own")
    digest = hashlib.sha256(np.ascontiguousarray(kept).tobytes() + places.tobytes() + name.encode()).hexdigest()
    capture = "c" + secrets.token_hex(4)
    rows: dict[str, Any] = {
        "subjects": [_subject(digest, name, place, count, per_layer)],
        "captures": [
            {
                "capture": capture,
                "subject": f"import-{digest[:12]}",
                "tasks": name,
                "tasks_hash": digest,
                "kind": "imported",
                "layers": count,
                "units_per_layer": per_layer,
                "prompts": prompts,
                "valid_prompts": int((lengths >= min_steps).sum()),
                "steps": int(lengths.max()),
                "min_steps": min_steps,
                "dtype": str(series.dtype),
                "versions": {"synergy-tui": __version__},
            }
        ],
        "prompts": [
            {"capture": capture, "prompt": k, "id": str(k), "category": "", "text": None, "tokens": None}
            for k in range(prompts)
        ],
        "responses": [
            {"capture": capture, "prompt": k, "steps": int(length), "valid": bool(length >= min_steps)}
            for k, length in enumerate(lengths)
        ],
        "units": [
            {
                "capture": capture,
                "unit_index": index,
                "layer": index // per_layer,
                "unit": index % per_layer,
                "kind": "imported",
                "depth": index // per_layer / max(count - 1, 1),
            }
            for index in places.tolist()
        ],
    }
    rows["recipes"] = [{"result": capture, "command": recipe}] if recipe else []
    publish_capture(cache, capture, rows, _tables(kept, lengths, places, per_layer), kept.dtype == np.float64)
    return capture


def read_series(file: Path) -> np.ndarray:
    """The array of a .npy file, of a .npz file (the one called series, or the only one), or of a Parquet file with the
    columns prompt, unit_index, step and value. Raises UsageError when there is none."""
    try:
        if file.suffix == ".npy":
            return np.load(file, allow_pickle=False)
        if file.suffix == ".npz":
            with np.load(file, allow_pickle=False) as arrays:
                names = arrays.files
                if len(names) != 1 and "series" not in names:
                    raise UsageError(f"{file} holds {', '.join(names) or 'nothing'}", "call the series `series`")
                return arrays["series" if "series" in names else names[0]]
        if file.suffix == ".parquet":
            return _from_table(pq.ParquetFile(file).read(), file)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, pa.ArrowException) as error:
        what = (getattr(error, "strerror", None) or str(error) or type(error).__name__).splitlines()[0]
        raise UsageError(f"{file} cannot be read: {what}", "save it with numpy.save, without pickle") from None
    raise UsageError(f"{file} is no .npy, .npz or .parquet file", "save the series as one of them")


def read_units(file: Path, count: int) -> tuple[np.ndarray, np.ndarray | None]:
    """(layers, heads) of the units from a .csv or .parquet table with a column layer, perhaps one head, and a row for
    each unit, in the order of the series or by a column unit_index. Raises UsageError when it is no such table."""
    try:
        table = pa.csv.read_csv(file) if file.suffix == ".csv" else pq.ParquetFile(file).read()
    except (OSError, pa.ArrowException) as error:
        what = (getattr(error, "strerror", None) or str(error)).splitlines()[0]
        raise UsageError(f"{file} cannot be read: {what}", "give a .csv or .parquet table") from None
    if "layer" not in table.column_names or len(table) != count:
        raise UsageError(
            f"{file} has {len(table)} rows and the columns {', '.join(table.column_names)[:80]}",
            f"give a column layer and {count} rows",
        )
    layer = table["layer"].to_numpy(zero_copy_only=False)
    head = table["head"].to_numpy(zero_copy_only=False) if "head" in table.column_names else None
    for name, column in (("layer", layer), ("head", head)):
        if column is not None and column.dtype.kind not in "iu":
            raise UsageError(f"{file}: {name} is {column.dtype}, no whole number", "number them from 0")
    if "unit_index" in table.column_names:
        index = table["unit_index"].to_numpy(zero_copy_only=False)
        if sorted(index.tolist()) != list(range(count)):
            raise UsageError(
                f"{file}: unit_index is not 0 to {count - 1}, each once", "number the units as the series does"
            )
        layer = layer[np.argsort(index)]
        head = None if head is None else head[np.argsort(index)]
    return layer, head


def _from_table(table: pa.Table, file: Path) -> np.ndarray:
    missing = [name for name in _COLUMNS if name not in table.column_names]
    if missing:
        raise UsageError(f"{file} has no column {', '.join(missing)}", f"give it {', '.join(_COLUMNS)}")
    prompt, unit, step, value = (table[name].to_numpy(zero_copy_only=False) for name in _COLUMNS)
    for name, column in (("prompt", prompt), ("unit_index", unit), ("step", step)):
        if column.dtype.kind not in "iu" or (len(column) and column.min() < 0):
            raise UsageError(f"{file}: {name} holds no whole numbers from 0", "number them from 0")
    if not len(value):
        raise UsageError(f"{file} has no rows", "give it some")
    for name, column in (("prompt", prompt), ("unit_index", unit), ("step", step)):
        if column.min() == 1:
            raise UsageError(f"{file}: {name} begins with 1: is it numbered from 1?", "number it from 0")
    shape = tuple(int(column.max()) + 1 for column in (prompt, unit, step))
    if np.prod(shape, dtype=float) > 20 * len(value) + 1000:
        raise UsageError(f"{file}: {len(value):,} rows for {' × '.join(map(str, shape))} values", "number them from 0")
    place = np.ravel_multi_index((prompt, unit, step), shape)
    if len(np.unique(place)) != len(place):
        raise UsageError(f"{file} has several rows for one prompt, unit and step", "keep one of them")
    series = np.full(shape, np.nan, value.dtype if value.dtype.kind == "f" else np.float64)
    series.reshape(-1)[place] = value
    return series


def _checked(series: np.ndarray) -> np.ndarray:
    series = np.asarray(series)
    if series.ndim != 3 or series.dtype.kind not in "fiu" or min(series.shape) == 0:
        raise UsageError(
            f"a series is [prompts, units, steps] of numbers; this is {series.dtype} {list(series.shape)}",
            "add the missing axis, or transpose it",
        )
    if series.shape[1] < 2:
        raise UsageError("a series of one unit has no pairs", "give two units or more")
    if np.isnan(series).all():
        raise UsageError("a series without a single value is none", "look at what it was saved from")
    return series


def _refuse_repeats(series: np.ndarray) -> None:
    """The same prompt twice makes two of one observation: intervals and nulls would take it for evidence."""
    seen: dict[bytes, int] = {}
    repeats = []
    for number, prompt in enumerate(series):
        if np.isnan(prompt).all():
            continue
        # −0 and 0 are one value, and so are all ways to write NaN.
        plain = np.where(np.isnan(prompt), np.nan, prompt + 0.0)
        first = seen.setdefault(hashlib.sha256(np.ascontiguousarray(plain).tobytes()).digest(), number)
        if first != number:
            repeats.append(f"{number} repeats {first}")
    repeats = repeats or [f"{second} is nearly {first}" for first, second in _nearly_equal(series)]
    if repeats:
        more = f" and {len(repeats) - 5} more" if len(repeats) > 5 else ""
        raise UsageError(f"prompts are repeated: {', '.join(repeats[:5])}{more}", "keep one of each")


def _narrowed(series: np.ndarray) -> np.ndarray:
    """As float32; as float64 where float32 would lose what varies, within a prompt or from a step to the next. Raises
    UsageError where that loses it too."""
    narrow = series.astype(np.float32) if np.abs(np.nan_to_num(series)).max() < 3e38 else None
    if narrow is not None and _fine(series, narrow) is None:
        return narrow
    kept = series.astype(np.float64)
    if (worst := _fine(series, kept)) is not None:
        raise UsageError(
            f"series are kept in float64, which unit {worst} is too fine for", "take its mean off, or scale it"
        )
    return kept


def _fine(series: np.ndarray, kept: np.ndarray) -> int | None:
    """A unit that loses what varies; None where there is none."""
    with np.errstate(over="ignore", invalid="ignore"):
        wide = np.where(np.isfinite(series), series, np.nan).astype(np.longdouble)
        lost = np.nan_to_num(np.abs(wide - kept)).max(axis=(0, 2))
        spread = np.minimum(_spread(wide), _spread(np.diff(wide, axis=2)))
    over = lost - LOST * spread
    worst = int(np.argmax(over))
    return worst if lost[worst] > LOST * spread[worst] else None


def _spread(values: np.ndarray) -> np.ndarray:
    """[units] root mean square deviation from each prompt's own mean."""
    known = np.isfinite(values)
    count = np.maximum(known.sum(axis=2, keepdims=True), 1)
    mean = np.where(known, values, 0).sum(axis=2, keepdims=True) / count
    squares = np.where(known, (values - mean) ** 2, 0).sum(axis=(0, 2))
    out: np.ndarray = np.sqrt(squares / np.maximum(known.sum(axis=(0, 2)), 1))
    return out


def _nearly_equal(series: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of prompts whose series are the same but for rounding, in themselves and from a step to the next: one
    observation, measured twice."""
    known = ~np.isnan(series)
    flat = [_scaled(series)]
    if series.shape[2] > 1:
        flat.append(_scaled(np.diff(series.astype(np.float64), axis=2)))
    # Equal ones have equal projections: those alone are compared that are neighbours in one of them.
    along = flat[-1] @ np.random.default_rng(0).normal(size=flat[-1].shape[1]) / np.sqrt(flat[-1].shape[1])
    order = np.argsort(along, kind="stable")
    found = []
    for place, first in enumerate(order):
        for second in order[place + 1 :]:
            if along[second] - along[first] > 10 * NEARLY:
                break
            same = np.array_equal(known[first], known[second]) and known[first].any()
            if same and all(np.sqrt(np.mean((one[first] - one[second]) ** 2)) < NEARLY for one in flat):
                found.append((int(min(first, second)), int(max(first, second))))
    return sorted(found)


def _scaled(values: np.ndarray) -> np.ndarray:
    """[prompts, units × steps] in standard deviations of each unit around its mean; 0 where there is no value."""
    known = np.isfinite(values)
    with np.errstate(over="ignore", invalid="ignore"):
        plain = np.where(known, values, 0).astype(np.float64)
        count = np.maximum(known.sum(axis=(0, 2), keepdims=True), 1)
        centred = np.where(known, plain - plain.sum(axis=(0, 2), keepdims=True) / count, 0)
        sd = np.sqrt((centred**2).sum(axis=(0, 2), keepdims=True) / count)
    out: np.ndarray = np.nan_to_num(centred / np.where(sd > 0, sd, 1)).reshape(len(values), -1)
    return out


def _lengths(series: np.ndarray) -> np.ndarray:
    """[prompts]: steps up to the last at which any unit has a value."""
    present = ~np.isnan(series).all(axis=1)
    return np.where(present.any(axis=1), present.shape[1] - present[:, ::-1].argmax(axis=1), 0)


def _subject(digest: str, name: str, place: str, layers: int, units: int) -> dict[str, Any]:
    return {
        "subject": f"import-{digest[:12]}",
        "name": name,
        "source": "import",
        "place": place,
        "layers": layers,
        "heads": units,
    }


def _tables(series: np.ndarray, lengths: np.ndarray, units: np.ndarray, per_layer: int) -> Iterator[pa.Table]:
    for prompt, length in enumerate(lengths.tolist()):
        index = np.repeat(units, length)
        yield pa.table(
            {
                "prompt": np.full(len(index), prompt, np.int32),
                "unit_index": index,
                "layer": index // per_layer,
                "unit": index % per_layer,
                "step": np.tile(np.arange(length), len(units)),
                "value": series[prompt, :, :length].ravel(),
            }
        )
