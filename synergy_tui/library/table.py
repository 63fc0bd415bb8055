"""Rows of a cache, in several forms."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from synergy_tui.errors import UsageError

if TYPE_CHECKING:
    import pandas
    import polars

SHOWN = 20
"""Rows that a table's repr shows."""

WIDE = 118
"""Width of a table's repr in characters."""


class Table:
    """Named columns of equal length. Arrow holds them; the other forms are made on request.

    >>> import synergy_tui as st
    >>> table = st.sample().run("latest").profile()
    >>> table.columns
    ['layer', 'depth', 'value', 'low', 'high']
    >>> len(table)
    30
    >>> table["value"].dtype
    dtype('float64')
    """

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return list(self._table.column_names)

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.rows())

    def __getitem__(self, column: str) -> np.ndarray:
        """One column [rows], as `numpy` has it. Raises UsageError for an unknown column."""
        if column not in self.columns:
            raise UsageError(f"no column {column!r}", f"it has {', '.join(self.columns)}")
        return _array(self._table[column])

    def arrow(self) -> pa.Table:
        """As a pyarrow.Table."""
        return self._table

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Programs that read Arrow read it without a copy: polars.DataFrame(table), DuckDB, pandas."""
        return self._table.__arrow_c_stream__(requested_schema)

    def pandas(self) -> pandas.DataFrame:
        """As a pandas.DataFrame. Raises UsageError if pandas is not installed."""
        _need("pandas")
        return self._table.to_pandas()

    def polars(self) -> polars.DataFrame:
        """As a polars.DataFrame. Raises UsageError if polars is not installed."""
        return _need("polars").from_arrow(self._table)

    def numpy(self) -> dict[str, np.ndarray]:
        """As arrays [rows] by column. A missing number is NaN; texts and lists are objects, None where missing.

        >>> import synergy_tui as st
        >>> st.sample().run("latest").contrasts.numpy()["contrast"].dtype
        dtype('float64')
        """
        return {name: _array(self._table[name]) for name in self.columns}

    def rows(self) -> list[dict[str, Any]]:
        """As dicts by column."""
        found: list[dict[str, Any]] = self._table.to_pylist()
        return found

    def __repr__(self) -> str:
        from synergy_tui.drawing.tables import as_text, fits

        if not self.columns:
            return "no columns"
        rows = self._table.slice(0, SHOWN).to_pylist()
        if not rows:
            return f"no rows of {', '.join(self.columns)}"
        # As many columns as fit side by side.
        kept = next((k for k in range(len(self.columns), 1, -1) if fits(rows, self.columns[:k], WIDE)), 1)
        more = f"… {len(self):,} rows" if len(self) > SHOWN else ""
        if left := self.columns[kept:]:
            more = f"{more}{'; ' if more else '… '}also {', '.join(left)}"
        return as_text(rows, self.columns[:kept], WIDE) + (f"\n{more}" if more else "")

    def _repr_html_(self) -> str:
        from synergy_tui.library import shown

        return shown.page(shown.table(self._table.slice(0, SHOWN).to_pylist(), self.columns, len(self)))


def _array(column: pa.ChunkedArray) -> np.ndarray:
    kind = column.type
    if column.null_count and (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        column = column.cast(pa.float64(), safe=False)
    if pa.types.is_decimal(kind):
        column = column.cast(pa.float64(), safe=False)
    return np.asarray(column.to_numpy())


def _need(module: str) -> Any:
    from importlib import import_module

    try:
        return import_module(module)
    except ImportError:
        raise UsageError(
            f"there is no {module} here", f"pip install {module}, or use .arrow(), .numpy() or .rows()"
        ) from None
