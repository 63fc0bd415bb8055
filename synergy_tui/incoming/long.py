"""Tables with a row per prompt, unit and step → an array."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from synergy_tui.errors import UsageError
from synergy_tui.incoming.arrays import within_memory

COLUMNS = ("prompt", "unit_index", "step", "value")


def of_table(table: pa.Table, file: Path) -> np.ndarray:
    """[prompts, units, steps] of a table with the columns prompt, unit_index, step and value, NaN where there is no
    row. Raises UsageError for another table."""
    missing = [name for name in COLUMNS if name not in table.column_names]
    if missing:
        raise UsageError(f"{file} has no column {', '.join(missing)}", f"give it {', '.join(COLUMNS)}")
    prompt, unit, step, value = (table[name].to_numpy(zero_copy_only=False) for name in COLUMNS)
    counted = (("prompt", prompt), ("unit_index", unit), ("step", step))
    for name, column in counted:
        if column.dtype.kind not in "iu" or (len(column) and column.min() < 0):
            raise UsageError(f"{file}: {name} does not hold whole numbers from 0", "number them from 0")
    if value.dtype.kind not in "fiu":
        raise UsageError(f"{file}: value is {value.dtype}, not a number", "give numbers")
    if not len(value):
        raise UsageError(f"{file} has no rows", "give it some")
    for name, column in counted:
        if column.min() == 1:
            raise UsageError(f"{file}: {name} begins with 1: is it numbered from 1?", "number it from 0")
    shape = tuple(int(column.max()) + 1 for column in (prompt, unit, step))
    if np.prod(shape, dtype=float) > 20 * len(value) + 1000:
        raise UsageError(f"{file}: {len(value):,} rows for {' × '.join(map(str, shape))} values", "number them from 0")
    within_memory(file, int(np.prod(shape, dtype=float)) * 8, int(np.prod(shape, dtype=float)) * 8)
    place = np.ravel_multi_index((prompt, unit, step), shape)
    if len(np.unique(place)) != len(place):
        raise UsageError(f"{file} has several rows for one prompt, unit and step", "keep one of them")
    series = np.full(shape, np.nan, value.dtype if value.dtype.kind == "f" else np.float64)
    series.reshape(-1)[place] = value
    return series
