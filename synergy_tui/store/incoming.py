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
"""Most of a unit's standard deviation that may be lost by keeping its values in float32."""

_COLUMNS = ("prompt", "unit_index", "step", "value")


def import_file(
    cache: Cache, file: Path, units: Path | None = None, *, name: str | None = None, min_steps: int = 20
) -> str:
    """Imports a file and returns the capture's id. Raises UsageError, as `read_series`, `read_units` and
    `import_series` do."""
    series = read_series(file)
    layers = read_units(units, series.shape[1]) if units else None
    place, called = str(file.resolve()), name or file.stem
    table = ["--units", str(units.resolve())] if units else []
    words = ["synergy-tui", "import", place, *table, "--name", called, "--min-steps", str(min_steps)]
    return import_series(cache, series, layers, name=called, place=place, min_steps=min_steps, recipe=shlex.join(words))


def import_series(
    cache: Cache,
    series: np.ndarray,
    layers: np.ndarray | None = None,
    *,
    name: str = "imported",
    place: str = "",
    min_steps: int = 20,
    recipe: str = "",
) -> str:
    """Imports an array [prompts, units, steps], NaN past a response's end, and returns the capture's id. layers: of
    each unit, from 0; without them all units are in one. A response of fewer than `min_steps` steps is kept and not
    analysed.

    Raises UsageError on another shape or type, prompts that repeat one another, layers of unequal size, and values that
    float32, in which series are kept, does not hold.
    """
    series = _checked(series)
    prompts, units = series.shape[:2]
    layers = np.zeros(units, int) if layers is None else np.asarray(layers)
    if layers.shape != (units,):
        raise UsageError(f"{len(layers)} units in the table and {units} in the series", "give a row for each unit")
    found, sizes = np.unique(layers, return_counts=True)
    if len(set(sizes.tolist())) > 1:
        told = ", ".join(f"{layer}: {size}" for layer, size in zip(found.tolist(), sizes.tolist(), strict=True))
        raise UsageError(
            f"layers have unequal numbers of units ({told[:80]})", "leave units out, or import without layers"
        )
    order = np.argsort(layers, kind="stable")
    _refuse_repeats(series)
    kept = _narrowed(series)[:, order]
    lengths = _lengths(series)
    digest = hashlib.sha256(np.ascontiguousarray(kept).tobytes()).hexdigest()
    capture = "c" + secrets.token_hex(4)
    per_layer = int(sizes[0])
    rows: dict[str, Any] = {
        "subjects": [_subject(digest, name, place, len(found), per_layer)],
        "captures": [
            {
                "capture": capture,
                "subject": f"import-{digest[:12]}",
                "tasks": name,
                "tasks_hash": digest,
                "kind": "imported",
                "layers": len(found),
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
                "depth": index // per_layer / max(len(found) - 1, 1),
            }
            for index in range(units)
        ],
    }
    rows["recipes"] = [{"result": capture, "command": recipe}] if recipe else []
    publish_capture(cache, capture, rows, _tables(kept, lengths, per_layer))
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


def read_units(file: Path, count: int) -> np.ndarray:
    """Layers of the units from a .csv or .parquet table with a column layer and a row for each unit, in the order of
    the series or by a column unit_index. Raises UsageError when it is no such table."""
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
    if layer.dtype.kind not in "iu":
        raise UsageError(f"{file}: layer is {layer.dtype}, no whole number", "number the layers from 0")
    if "unit_index" in table.column_names:
        index = table["unit_index"].to_numpy(zero_copy_only=False)
        if sorted(index.tolist()) != list(range(count)):
            raise UsageError(
                f"{file}: unit_index is not 0 to {count - 1}, each once", "number the units as the series does"
            )
        layer = layer[np.argsort(index)]
    return layer


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
    if repeats:
        more = f" and {len(repeats) - 5} more" if len(repeats) > 5 else ""
        raise UsageError(f"prompts are repeated: {', '.join(repeats[:5])}{more}", "keep one of each")


def _narrowed(series: np.ndarray) -> np.ndarray:
    """As float32. Raises UsageError where that would lose what varies."""
    with np.errstate(over="ignore", invalid="ignore"):
        kept = series.astype(np.float32)
        wide = np.where(np.isfinite(series), series, np.nan).astype(np.float64)
        known = ~np.isnan(wide)
        count = np.maximum(known.sum(axis=(0, 2)), 1)
        mean = np.where(known, wide, 0).sum(axis=(0, 2)) / count
        sd = np.sqrt(np.where(known, (wide - mean[:, None]) ** 2, 0).sum(axis=(0, 2)) / count)
        lost = np.where(known, np.abs(wide - kept), 0).max(axis=(0, 2))
    worst = int(np.argmax(lost - LOST * sd))
    if lost[worst] > LOST * sd[worst]:
        raise UsageError(
            f"series are kept in float32, which unit {worst} is too fine for: it varies by {sd[worst]:.2g} around "
            f"{mean[worst]:.6g}",
            "take its mean off, or scale it",
        )
    return kept


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


def _tables(series: np.ndarray, lengths: np.ndarray, per_layer: int) -> Iterator[pa.Table]:
    units = np.arange(series.shape[1])
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
