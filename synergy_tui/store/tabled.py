"""Answers to queries as Arrow tables."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from synergy_tui.errors import QueryError
from synergy_tui.store.cache import Cache
from synergy_tui.store.query import asking
from synergy_tui.store.written import counted


def of(cache: Cache, query: str, *parameters: Any) -> pa.Table:
    """The answer to one of our own queries."""
    with cache.read() as con:
        return con.sql(query, params=list(parameters)).to_arrow_table()


def ask(cache: Cache, sql: str, max_rows: int | None, max_seconds: float) -> pa.Table:
    """The answer to a user's SELECT, with at most `max_rows` rows. Raises QueryError as store.query.ask does."""
    with asking(cache, sql, max_seconds) as (con, statement):
        columns, batches = counted(con.sql(statement), max_rows)
        try:
            return pa.Table.from_batches(list(batches), columns)
        except pa.ArrowNotImplementedError as error:
            raise QueryError(f"Arrow has no such type: {str(error).splitlines()[0]}", "CAST it to VARCHAR") from None
