"""Arrays → Arrow tables of the catalogue."""

from __future__ import annotations

from typing import Any

import pyarrow as pa


def table(**columns: Any) -> pa.Table:
    """NaN becomes NULL, so that SQL averages skip missing values."""
    return pa.table({name: pa.array(column, from_pandas=True) for name, column in columns.items()})
