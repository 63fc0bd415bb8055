"""explore, show, sql, export, doctor, bench: what is there."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from synergy_tui import terms
from synergy_tui.cli import manner
from synergy_tui.cli.common import (
    console,
    open_cache,
    options,
    print_json,
    print_place,
    print_run,
    saved,
    say,
    settings_in_force,
    terminal_width,
    warn,
)
from synergy_tui.cli.looks import looks
from synergy_tui.errors import UsageError

if TYPE_CHECKING:
    from synergy_tui.store.cache import Cache

EXPORTS = ("parquet", "npz", "safetensors", "csv", "arrow", "json", "graphml", "dataset", "archive")
"""Forms of an export, as in store.exports, which would import pyarrow."""

FORMATS = ("parquet", "arrow")
"""Formats of an answer that are not text, as in store.written, which would import pyarrow."""


@click.command()
@click.option("--ranking", default=terms.RANKINGS[0], show_default=True, help=f"One of {', '.join(terms.RANKINGS)}.")
@click.option("--sample", is_flag=True, help="The result that ships with synergy-tui.")
@options(run=True)
def show(
    run: str | None = None,
    latest: bool = False,
    ranking: str = terms.RANKINGS[0],
    sample: bool = False,
    cache: Path | None = None,
    as_json: bool = False,
) -> None:
    """Draw the synergy map of RUN: by default the newest, or the sample result if there is none and no cache is named.

    \b
    Example:  synergy-tui show --sample --ranking excess
    """
    from synergy_tui.settings import shipped
    from synergy_tui.store import load
    from synergy_tui.store.archive import Archive

    if ranking not in terms.RANKINGS:
        raise UsageError(f"no ranking {ranking!r}", f"known: {', '.join(terms.RANKINGS)}")
    opened = Archive.open(shipped("sample")) if sample else open_cache(cache)
    asked = run or latest or cache or click.get_current_context().find_root().params.get("cache")
    if not asked and not sample and not load.overview(opened):
        opened, sample = Archive.open(shipped("sample")), True
    if sample:
        say("This is the sample result that ships with synergy-tui. Your own: synergy-tui run smollm2\n")
    print_run(opened, load.find(opened, "decomposition", run, latest or not run), as_json, ranking, sample)


@click.command()
@looks
@click.option("--cache", type=click.Path(path_type=Path), help="Cache folder.")
@click.option("--latest", is_flag=True, help="The newest finished one.")
@click.argument("run", required=False)
def explore(
    run: str | None = None,
    latest: bool = False,
    theme: str | None = None,
    ascii: bool = False,
    cache: Path | None = None,
) -> None:
    """Walk through the maps by keyboard; `?` explains what is under the cursor. The same as no command at all. Opens
    RUN, or else what was open last, the newest run, or the sample result.

    \b
    Example:  synergy-tui explore --latest --theme light
    """
    from dataclasses import replace

    from synergy_tui.explorer import explore as open_explorer
    from synergy_tui.settings import served

    if not served() and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("the explorer needs a terminal", "synergy-tui show draws the map as text")
    found = settings_in_force(cache)
    found = replace(found, theme=theme or found.theme, ascii=ascii or found.ascii)
    if latest:
        from synergy_tui.store import load

        run = load.find(open_cache(cache), "decomposition", None, latest=True)
    sys.exit(open_explorer(found, run))


@click.command()
@click.argument("query")
@click.option("--csv", "form", flag_value="csv", help="Print CSV.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "json", *FORMATS]),
    show_default="table",
    help="Form of the answer.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="A new file; parquet and arrow have all rows.")
@click.option("--max-rows", type=click.IntRange(1, 1_000_000_000), show_default="10000 in text", help="Most rows.")
@click.option("--timeout", type=click.FloatRange(0.1, 86_400), default=60.0, show_default="60", help="Most seconds.")
@options()
def sql(
    query: str,
    form: str | None,
    output: Path | None,
    max_rows: int | None,
    timeout: float,
    cache: Path | None,
    as_json: bool,
) -> None:
    """Ask the cache in SQL: one SELECT or EXPLAIN, DuckDB's dialect. SHOW TABLES and DESCRIBE heads list what is there.

    \b
    Example:  synergy-tui sql "SELECT layer, avg(rank) FROM latest_heads GROUP BY layer ORDER BY layer"
    """
    from synergy_tui.settings import user_path

    opened, target = open_cache(cache), user_path(output) if output else None
    form = form or ("json" if as_json else "table")
    if form in FORMATS:
        count, more = _write_answer(opened, query, target, form, max_rows, timeout)
        max_rows = count
    else:
        max_rows = max_rows or 10_000
        more = _print_answer(opened, query, target, form, max_rows, timeout)
    if target:
        saved(target)
    if more:
        warn(f"These are the first {max_rows:,} rows; there are more (--max-rows).")


def _write_answer(
    cache: Cache, query: str, target: Path | None, form: str, max_rows: int | None, timeout: float
) -> tuple[int, bool]:
    """Writes Parquet or Arrow to a file, Arrow also into a pipe."""
    from synergy_tui.store.written import write

    stream = sys.stdout.buffer
    if target is None and (form == "parquet" or stream.isatty()):
        raise UsageError(f"{form} cannot be printed", "name a file with --output")
    return write(cache, query, target or stream, form, max_rows, timeout)


def _print_answer(cache: Cache, query: str, target: Path | None, form: str, max_rows: int, timeout: float) -> bool:
    """Writes text to the terminal or a file; whether there are more rows."""
    from synergy_tui.drawing import tables
    from synergy_tui.store.query import ask

    answer = ask(cache, query, max_rows, timeout)
    if form == "json":
        text = tables.as_json(answer.as_dicts()) + "\n"
    elif form == "csv":
        text = tables.as_csv(answer.columns, answer.rows)
        if target is None and sys.stdout.isatty():
            text = "".join(f"{tables.printable(line)}\n" for line in text.splitlines())
    elif answer.columns == ["explain_key", "explain_value"]:
        text = "\n".join(str(plan) for _, plan in answer.rows) + "\n"
    else:
        text = tables.as_text(answer.as_dicts(), answer.columns, None if target else terminal_width()) + "\n"
    if target is None:
        click.echo(text, nl=False)
    else:
        try:
            with open(target, "x", encoding="utf-8") as file:
                file.write(text)
        except FileExistsError:
            raise UsageError(f"{target} is there already", "give another name") from None
    return answer.more


@click.command()
@click.argument("run")
@click.argument("target", required=False)
@click.option("--latest", is_flag=True, help="The newest finished run: give only TARGET.")
@click.option(
    "--as",
    "form",
    type=click.Choice(EXPORTS),
    show_default="as TARGET ends, else a folder of Parquet",
    help="Its form.",
    metavar="FORM",
)
@click.option("--series", is_flag=True, help="Also the activity of every unit at every step.")
@click.option(
    "--table", metavar="NAME", show_default="all, in a file heads", help="For csv, arrow, parquet: one table."
)
@click.option("--score", default=terms.RANKINGS[0], show_default=True, help="For json: the score of the heads.")
@click.option(
    "--shape",
    type=click.Choice(["flat", "nested"]),
    default="flat",
    show_default=True,
    help='For json: {"layer-head": value}, or {"layer": {"head": value}}.',
)
@click.option(
    "--atom", type=click.Choice(["sts", "rtr"]), default="sts", show_default=True, help="For graphml: whose network."
)
@click.option(
    "--density",
    type=click.FloatRange(0.0001, 1),
    default=0.1,
    show_default=True,
    help="For graphml: share of all pairs that become edges, strongest first.",
)
@options()
def export(
    run: str,
    target: str | None,
    latest: bool,
    form: str | None,
    cache: Path | None,
    as_json: bool,
    **chosen: Any,
) -> None:
    """Write RUN with its capture and ablations to a new TARGET that other programs read.

    \b
    FORM is parquet: a folder that --cache opens anywhere, and import takes in
      archive: the same in one file, run.synergy
      npz, safetensors: maps, profiles and matrices of pairs
      csv, arrow: a folder of tables, or a file of one table
      json: a score of every head; graphml: a network; dataset: for Hugging Face

    \b
    Example:  synergy-tui export d3f9a1b2 run.synergy
              synergy-tui export --latest heads.json
    """
    from synergy_tui.settings import user_path
    from synergy_tui.store import exports, load

    if latest == (target is not None):
        raise UsageError("export takes a RUN, or --latest, and a TARGET", "synergy-tui export --latest run.synergy")
    name = run if target is None else target
    opened, place = open_cache(cache), user_path(Path(name))
    found = load.find(opened, "decomposition", None if latest else run, latest)
    form = exports.form_of(place, form)
    exports.write(opened, found, place, form, exports.Wanted(**chosen))
    files = [place] if place.is_file() else [one for one in place.rglob("*") if one.is_file()]
    size = sum(one.stat().st_size for one in files)
    if as_json:
        kind = "file" if place.is_file() else "folder"
        return print_json({"decomposition": found, "form": form, kind: name, "bytes": size})
    told = f"{found} is in {name} ({size / 1e6:.1f} MB)."
    more = {
        "parquet": f" Look at it: synergy-tui show --cache {place.resolve()}" if place.is_dir() else "",
        "archive": f" Elsewhere: synergy-tui import {place.name}",
    }
    print_place(told if manner.quiet() else told + more.get(form, ""), Path(name))


@click.command()
@options()
def doctor(cache: Path | None, as_json: bool) -> None:
    """Versions, devices with their free memory, the cache, the colours of this terminal.

    \b
    Example:  synergy-tui doctor
    """
    from synergy_tui.drawing import doctor as drawn
    from synergy_tui.jobs import examine

    settings = settings_in_force(cache)
    found = examine.examine(settings.cache)
    found["terminal"] = drawn.terminal(console(), settings.colour == "none")
    if as_json:
        return print_json(found)
    click.echo(drawn.as_text(found))


@click.command()
@click.argument(
    "name",
    type=click.Choice(
        [
            *("ablation", "cache", "calibration", "capture", "difficulty", "executors", "explorer", "ladders"),
            *("parity", "phiid", "scale", "sequential", "truth"),
        ]
    ),
    metavar="NAME",
)
@options()
def bench(name: str, cache: Path | None, as_json: bool) -> None:
    """Measure this machine. Compared variants are interleaved in one run, so trust the ratios.

    NAME is ablation, cache, calibration, capture, difficulty, executors, explorer, ladders, parity, phiid,
    scale, sequential, or truth. Scale measures nothing: it simulates jobs on 1 to 512 GPUs.

    \b
    Example:  synergy-tui bench phiid
    """
    from synergy_tui.jobs import examine

    found = examine.measure(name, settings_in_force(cache).cache)
    if as_json:
        return print_json(found)
    if "page" in found:
        return click.echo(found["page"])
    _tell(found)


def _tell(found: dict[str, Any], indent: str = "") -> None:
    """Prints a line for each number, and one for each group of numbers."""
    for what, value in found.items():
        if isinstance(value, dict) and any(isinstance(one, dict) for one in value.values()):
            click.echo(indent + what)
            _tell(value, indent + "  ")
            continue
        shown = _number(what, value)
        if isinstance(value, dict):
            shown = " · ".join(f"{name} {_number(name, one)}" for name, one in value.items())
        click.echo(f"{indent}{what:<{42 if not indent else 16}} {shown}")


def _number(what: str, value: Any) -> str:
    if what.endswith("memory"):
        return f"{value / 1e6:,.0f} MB"
    if isinstance(value, list):  # a mean and its standard error
        return " ± ".join(f"{one:.4f}" for one in value)
    return f"{value:.3g}" if isinstance(value, float) else str(value)
