"""The screen's content → the command, the Python and the SQL that remake it; a table → CSV; all ready to paste."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synergy_tui.terms import RANKINGS, column

if TYPE_CHECKING:
    from synergy_tui.explorer.host import Front, Host
    from synergy_tui.explorer.run import Run


def command(host: Host, view: Front) -> str:
    """The command line that prints what a view shows."""
    shown = host.shown
    where = "" if shown is not None and shown.place.sample else _cache(host)
    return f"{view.command()}{where}"


def python(host: Host, query: str) -> str:
    """A query in Python; '' without a query."""
    if not query:
        return ""
    run = host.shown
    folder = run.place.cache.folder if run is not None else host.settings.cache
    return f"import synergy_tui as st\n\nrows = st.open_cache({str(folder)!r}).sql({query!r}).rows()\n"


def score_query(run: Run, score: str) -> str:
    """The query for a score of all units of a run."""
    # The map shows the default ranking's scaled value, which the view heads calls rank.
    name = "rank" if score == RANKINGS[0] else _quoted(column(score))
    return f"SELECT layer, unit, {name} FROM heads WHERE decomposition = '{run.place.id}' ORDER BY layer, unit"


def pairs_query(run: Run, names: Sequence[str], unit: int | None = None) -> str:
    """The query for a run's strongest pairs by the first of some values, or for a unit's pairs."""
    of = "" if unit is None else f"AND {unit} IN (x, y) "
    return (
        f"SELECT x_layer, x_unit, y_layer, y_unit, {', '.join(names)} FROM pairs WHERE decomposition = "
        f"'{run.place.id}' {of}ORDER BY {names[0]} DESC LIMIT 100"
    )


def csv(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A table as CSV."""
    from synergy_tui.drawing.tables import as_csv

    return as_csv(names, rows)


def parquet(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> bytes:
    """A table as a Parquet file; values without an Arrow type become text. Empty without columns."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not names:
        return b""
    columns: dict[str, pa.Array] = {}
    for place, name in enumerate(names):
        values = [row[place] for row in rows]
        try:
            columns[name] = pa.array(values)
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
            columns[name] = pa.array([None if value is None else str(value) for value in values])
    out = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), out)
    return out.getvalue().to_pybytes()


def file_name(host: Host, view: Front, ending: str) -> Path:
    """A name for a new file, in the folder where the explorer was started."""
    run = host.shown
    stem = f"{view.id}-{run.place.id if run else 'none'}"
    for number in range(1, 1000):
        path = Path(f"{stem}{'' if number == 1 else f'-{number}'}.{ending}")
        if not path.exists():
            return path
    return Path(f"{stem}.{ending}")


def _quoted(name: str) -> str:
    """A column name for SQL; `offset` is a keyword there."""
    return name if re.fullmatch("[a-z_]+", name) and name != "offset" else '"' + name.replace('"', '""') + '"'


def _cache(host: Host) -> str:
    from synergy_tui.settings import load

    folder = host.shown.place.cache.folder if host.shown else host.settings.cache
    return "" if folder == load().cache else f" --cache {shlex.quote(str(folder))}"
