"""SQL from users: SELECT and EXPLAIN only, on a read-only connection that reaches no file outside the cache, limited in
time and rows."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import duckdb

from synergy_tui.errors import QueryError
from synergy_tui.store.cache import Cache

MAX_ROWS, MAX_SECONDS = 10_000, 60.0


@dataclass(frozen=True)
class Answer:
    """rows: at most the requested number. columns: their names, numbered if a name comes twice. more: whether the query
    had further rows."""

    columns: list[str]
    rows: list[tuple[Any, ...]]
    more: bool

    def as_dicts(self) -> list[dict[str, Any]]:
        """Rows by column name."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


def ask(
    cache: Cache,
    sql: str,
    max_rows: int = MAX_ROWS,
    max_seconds: float = MAX_SECONDS,
    stop: threading.Event | None = None,
    threads: int | None = None,
) -> Answer:
    """The answer to one SELECT or EXPLAIN. `stop` ends it from another thread; `threads`: the most to use. Raises
    QueryError when the SQL does not parse, is another statement, reaches for files outside the cache, fails, takes too
    long or is stopped."""
    with asking(cache, sql, max_seconds, stop, threads) as (con, statement):
        # A result is read as it comes, so a billion rows cost no more than those requested; one more row shows that
        # there are others. (Plain rows: pyarrow would add 0.1 s to this command's 0.4.)
        result = con.execute(statement)
        columns = distinct([name for name, *_ in result.description or ()])
        rows = result.fetchmany(max_rows + 1)
    return Answer(columns, rows[:max_rows], len(rows) > max_rows)


@contextmanager
def asking(
    cache: Cache,
    sql: str,
    max_seconds: float = MAX_SECONDS,
    stop: threading.Event | None = None,
    threads: int | None = None,
) -> Iterator[tuple[duckdb.DuckDBPyConnection, duckdb.Statement]]:
    """A connection that reaches only the cache, and the one SELECT or EXPLAIN to ask on it; errors in the block are
    raised as QueryError."""
    with cache.read() as con:
        if threads:
            con.execute(f"SET threads = {int(threads)}")
        _lock_in(con, cache)
        statement = _single(con, sql)
        stop = stop or threading.Event()
        ended = threading.Event()
        watch = threading.Thread(target=_interrupt, args=(con, stop, ended, max_seconds), daemon=True)
        watch.start()
        try:
            yield con, statement
        except duckdb.InterruptException:
            if stop.is_set():
                raise QueryError("the query was stopped", "ask again when you like") from None
            raise QueryError(
                f"the query took longer than {max_seconds:.0f} s", "narrow it, or allow more with --timeout"
            ) from None
        except duckdb.Error as error:
            raise _failed(error, sql, _hint(error)) from None
        finally:
            ended.set()
            watch.join()  # it must not interrupt a connection that is closed


def _interrupt(
    con: duckdb.DuckDBPyConnection, stop: threading.Event, ended: threading.Event, max_seconds: float
) -> None:
    """Interrupts until the query has ended: a single interrupt may come before the query has begun."""
    deadline = time.monotonic() + max_seconds
    while not ended.wait(0.02):
        if stop.is_set() or time.monotonic() > deadline:
            con.interrupt()


def distinct(names: list[str]) -> list[str]:
    """Names of columns, with the second `a` as `a_2`, or the next number that no column has in upper or lower case, so
    that no column hides another."""
    taken = {name.lower() for name in names}
    met: set[str] = set()
    out = []
    for name in names:
        own, number = name, 2
        while name.lower() in met and own.lower() in taken:
            own, number = f"{name}_{number}", number + 1
        met.add(name.lower())
        taken.add(own.lower())
        out.append(own)
    return out


def _lock_in(con: duckdb.DuckDBPyConnection, cache: Cache) -> None:
    """From here on the connection sees only the cache folder, and its settings are fixed. The order matters."""
    folder = str(cache.folder).replace("'", "''")
    con.execute(f"SET allowed_directories = ['{folder}/']")
    con.execute("SET enable_external_access = false")
    con.execute("SET errors_as_json = true")  # with the exact place in the text, which `_failed` takes out
    con.execute("SET lock_configuration = true")


def _single(con: duckdb.DuckDBPyConnection, sql: str) -> duckdb.Statement:
    try:
        sql.encode()
        statements = con.extract_statements(sql)
    except (duckdb.Error, UnicodeError) as error:
        raise _failed(error, sql, "see the tables with: SHOW TABLES") from None
    if len(statements) != 1:
        raise QueryError(f"one statement at a time, this is {len(statements)}", "ask them one by one")
    explained = statements[0].type is duckdb.StatementType.EXPLAIN
    # EXPLAIN ANALYZE runs its statement, and a plain EXPLAIN accepts any statement, so the statement itself must be a
    # SELECT.
    inner = _kinds(con, _after_explain(sql)) if explained else [statements[0].type]
    if inner != [duckdb.StatementType.SELECT]:
        kind = statements[0].type.name + (" of anything but a SELECT" if explained else "")
        raise QueryError(f"the cache answers SELECT and EXPLAIN, not {kind}", "write a SELECT")
    return statements[0]


def _after_explain(sql: str) -> str:
    """The text after the keyword EXPLAIN; comments before it are skipped."""
    words = [start for start, kind in duckdb.tokenize(sql) if kind != duckdb.token_type.comment]
    return sql.encode()[words[1] :].decode("utf-8", "replace") if len(words) > 1 else ""


def _kinds(con: duckdb.DuckDBPyConnection, sql: str) -> list[duckdb.StatementType]:
    try:
        return [one.type for one in con.extract_statements(sql)]
    except duckdb.Error:
        return []


MOST_TOLD = 400
"""Most characters of a DuckDB message: it may quote the user's whole text."""


def _failed(error: Exception, sql: str, hint: str) -> QueryError:
    """DuckDB's message about the text, with the line and the column if DuckDB names them."""
    kind, _, rest = str(error).partition(": ")
    try:
        parts = json.loads(rest)
        said = str(parts["exception_message"])
    except (ValueError, KeyError, TypeError):
        return QueryError(_one_line(str(error)), hint)
    if "position" not in parts:
        return QueryError(_one_line(f"{kind}: {said}"), hint)
    before = sql.encode()[: int(parts["position"])].decode("utf-8", "replace")  # DuckDB counts bytes
    lines = before.split("\n")
    return QueryError(_one_line(f"{kind} at line {len(lines)}, column {len(lines[-1]) + 1}: {said}"), hint, len(before))


def _one_line(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= MOST_TOLD else text[:MOST_TOLD].rpartition(" ")[0] + " …"


def _hint(error: Exception) -> str:
    if isinstance(error, duckdb.PermissionException):
        return "SQL reads the cache and nothing else on this disk"
    return "see the tables with: SHOW TABLES, their columns with: DESCRIBE heads"
