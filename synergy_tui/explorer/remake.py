"""What is on the screen → the command, the Python and the SQL that remake it; a table → CSV; all ready to paste."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synergy_tui.terms import ATOMS, RANKINGS, column

if TYPE_CHECKING:
    from synergy_tui.explorer.app import Explorer


def command(app: Explorer) -> str:
    """The command line that prints what the view shows."""
    run, name = app.shown, app.view.id
    where = _cache(app)
    if name == "jobs" or run is None:
        return f"synergy-tui jobs list{where}" if name == "jobs" else f"synergy-tui{where}"
    if name == "atlas" and app.selection.score in RANKINGS:
        sample = " --sample" if run.place.sample else f" {run.place.id}"
        return f"synergy-tui show{sample} --ranking {app.selection.score}{'' if run.place.sample else where}"
    return f"synergy-tui sql {shlex.quote(sql(app))}{where}"


def sql(app: Explorer) -> str:
    """The query that gives the numbers behind the view."""
    run, view, selection = app.shown, app.view, app.selection
    if view.id == "sql":
        return str(getattr(view, "query_text", ""))
    if view.id == "jobs" or run is None:
        return "SELECT * FROM jobs"
    here = f"decomposition = '{run.place.id}'"
    layer, unit = divmod(selection.unit, run.per_layer)
    if view.id == "tokens":
        return (
            f"SELECT step, value FROM series WHERE capture = '{run.row['capture']}' AND prompt = {selection.prompt} "
            f"AND layer = {layer} AND unit = {unit} ORDER BY step"
        )
    if view.id in ("pairs", "unit"):
        names = (
            [selection.atom] if view.id == "pairs" and selection.atom in (*ATOMS, "tdmi") else ["sts", "rtr", "tdmi"]
        )
        either = f"AND {selection.unit} IN (x, y) " if view.id == "unit" else ""
        return (
            f"SELECT x_layer, x_unit, y_layer, y_unit, {', '.join(names)} FROM pairs WHERE {here} {either}"
            f"ORDER BY {names[0]} DESC LIMIT 100"
        )
    if view.id == "difficulty":
        columns = "name, c.order_parameter, level, value, low, high"
        return f"SELECT {columns} FROM ladder_curves c JOIN ladders USING (ladder) ORDER BY 1, 2, 3"
    if view.id == "ablation":
        return (
            "SELECT removal_order, target, fraction, avg(divergence) AS divergence FROM ablation_curves JOIN ablations "
            f"USING (ablation) WHERE {here} GROUP BY ALL ORDER BY ALL"
        )
    # What the map shows of the default ranking is its scaled value, which heads calls rank.
    score = "rank" if selection.score == RANKINGS[0] else _quoted(column(selection.score))
    return f"SELECT layer, unit, {score} FROM heads WHERE {here} ORDER BY layer, unit"


def python(app: Explorer) -> str:
    """The same in Python."""
    run = app.shown
    archive = run is not None and (run.place.sample or not (run.place.cache.folder / "cache.duckdb").exists())
    folder = run.place.cache.folder if run is not None else app.settings.cache
    opened = f"open_any(Path({str(folder)!r}))" if archive else f"synergy_tui.open_cache({str(folder)!r})"
    imports = (
        "from pathlib import Path\n\nfrom synergy_tui.store.archive import open_any\n"
        if archive
        else "import synergy_tui\n"
    )
    lines = [
        f"{imports}from synergy_tui.store.query import ask\n",
        f"answer = ask({opened}, {sql(app)!r})",
        "rows = answer.as_dicts()\n",
    ]
    return "\n".join(lines)


def csv(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A table as CSV."""
    from synergy_tui.drawing.tables import as_csv

    return as_csv(names, rows)


def parquet(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> bytes:
    """A table as a Parquet file; what Arrow has no type for becomes text. Empty without columns."""
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


def file_name(app: Explorer, ending: str) -> Path:
    """A name for a file that is not there yet, in the folder the explorer was started from."""
    run = app.shown
    stem = f"{app.view.id}-{run.place.id if run else 'none'}"
    for number in range(1, 1000):
        path = Path(f"{stem}{'' if number == 1 else f'-{number}'}.{ending}")
        if not path.exists():
            return path
    return Path(f"{stem}.{ending}")


def _quoted(name: str) -> str:
    """A column as SQL takes it; `offset` is a word of its own there."""
    return name if re.fullmatch("[a-z_]+", name) and name != "offset" else '"' + name.replace('"', '""') + '"'


def _cache(app: Explorer) -> str:
    from synergy_tui.settings import load

    folder = app.shown.place.cache.folder if app.shown else app.settings.cache
    return "" if folder == load().cache else f" --cache {shlex.quote(str(folder))}"
