"""import: takes in series that were measured elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from synergy_tui.cli.common import options, print_json, print_next, print_run, printer, say, writable
from synergy_tui.errors import UsageError
from synergy_tui.store.cache import Cache

WORTH_SHOWING = 50_000_000
"""Bytes of a table above which the command shows how much of it has been read."""

MOST = 1_000_000_000


@click.command("import")
@click.argument("files", type=click.Path(path_type=Path), nargs=-1, required=True, metavar="FILE...")
@click.option("--units", type=click.Path(path_type=Path), help="Table of units: a row each, with a layer or a group.")
@click.option("--name", show_default="the file's name", help="Name of the import.")
@click.option(
    "--min-steps", type=click.IntRange(1), default=20, show_default=True, help="Shorter responses are left out."
)
@click.option("--array", "arrays", multiple=True, metavar="NAME", help="Array to take from a file with several.")
@click.option("--all", "every", is_flag=True, help="Take all arrays of a file, each a recording.")
@click.option("--transpose", is_flag=True, help="Series are steps x units.")
@click.option("--segment", type=click.IntRange(2, MOST), metavar="N", help="Cut recordings into prompts of N steps.")
@click.option("--lengths", type=click.Path(path_type=Path), help="For a step table: question_id, effective_length.")
@click.option("--zeros", type=click.Choice(["missing", "values"]), help="What zeros at the end of all units mean.")
@click.option(
    "--repeats",
    type=click.Choice(["refuse", "drop"]),
    default="refuse",
    show_default=True,
    help="What to do about prompts that repeat others.",
)
@click.option(
    "--unit", type=click.Choice(["nats", "bits"]), default="nats", show_default=True, help="Unit of a table of pairs."
)
@click.option("--average", is_flag=True, help="For pairs: take the mean of (a, b) and (b, a) if they differ.")
@options()
def import_(
    files: tuple[Path, ...],
    units: Path | None,
    name: str | None,
    min_steps: int,
    arrays: tuple[str, ...],
    every: bool,
    transpose: bool,
    segment: int | None,
    lengths: Path | None,
    zeros: str | None,
    repeats: str,
    unit: str,
    average: bool,
    cache: Path | None,
    as_json: bool,
) -> None:
    """Take in series measured elsewhere: .npy, .npz, .safetensors, .mat, .parquet, .csv or .csv.gz.

    They are [prompts, units, steps], or [units, steps] of one recording, NaN where there is no value. Tables may also
    have a row per value (prompt, unit_index, step, value), or a row per question and head (question_id, layer, head,
    step_1, step_2 ...); these are read in blocks, however long they are.

    A table of units has a row for each: its layer, its group (the name of its layer), or both; optionally head and
    name; other columns are kept. Groups without layers have no depth. The command prints what looks suspicious, and
    keeps it with the capture. An imported capture allows everything except ablation.

    A table of pairs (question_id, layer_1, head_1, layer_2, head_2, syn, red) becomes a map of these two atoms. A
    FILE.synergy, or a folder, that export made becomes a run again.

    \b
    Example:  synergy-tui import activity.npy --units units.csv
    Long:     synergy-tui import brain.mat --array bold --transpose --segment 200 --units regions.csv
    Several:  synergy-tui import one.csv two.csv.gz three.csv --name sessions
    Ragged:   synergy-tui import answers.safetensors --all
    Pipeline: synergy-tui import head_norms.csv --lengths lengths.csv
    Pairs:    synergy-tui import pairs.csv.gz --unit bits
    """
    from synergy_tui.incoming.flat import columns_of, is_table
    from synergy_tui.settings import user_path
    from synergy_tui.store import load
    from synergy_tui.store.arriving import is_run

    opened = writable(cache)
    found = [user_path(file) for file in files]
    if len(found) == 1 and is_run(found[0]):
        return _take_in(opened, found[0], as_json)
    if len(found) == 1 and is_table(found[0]):
        from synergy_tui.incoming import pairwise, ranks

        if pairwise.recognised(columns := columns_of(found[0])):
            run, lines = pairwise.import_pairs(opened, found[0], name=name, unit=unit, average=average)
            for line in lines:
                say(f" {line}")
            return print_run(opened, run, as_json)
        if ranks.recognised(columns):
            raise UsageError(
                f"{files[0]} is a table of ranks", f"compare a run with it: synergy-tui compare RUN {files[0]}"
            )
    from synergy_tui.incoming.files import Choices, import_file

    choices = Choices(arrays, every, transpose, segment, user_path(lengths) if lengths else None, zeros, repeats)
    table = user_path(units) if units else None
    with _progress(found[0].name) as passed:
        capture_id = import_file(opened, found, table, name=name, min_steps=min_steps, choices=choices, passed=passed)
    row = load.one(opened, "capture", capture_id)
    for line in row["notes"] or ():
        say(f" {line}")
    if as_json:
        (count,) = load.rows(opened, "SELECT count(*) AS units FROM units WHERE capture = $1", capture_id)
        return print_json(row | count)
    click.echo(f"capture {capture_id}: {row['valid_prompts']} of {row['prompts']} responses long enough")
    print_next(opened, [f"synergy-tui decompose {capture_id}"])


def _take_in(cache: Cache, place: Path, as_json: bool) -> None:
    """Takes in an exported run, and prints what was new."""
    from synergy_tui.store.arriving import import_archive

    found = import_archive(cache, place)
    if as_json:
        return print_json({"decomposition": found.run, "new": list(found.new), "there": list(found.there)})
    told = [f"{', '.join(found.new)}: imported"] if found.new else []
    told += [f"{', '.join(found.there)}: in this cache already, equal"] if found.there else []
    click.echo("\n".join(told))
    print_next(cache, [f"synergy-tui show {found.run}"])


@contextmanager
def _progress(name: str) -> Iterator[Callable[[int, int], None]]:
    """Shows how much of a long file has been read."""
    begun = time.monotonic()
    stage: dict[str, Any] = {"name": "import", "detail": name, "unit": "MB", "done": 0.0, "total": 1.0, "rate": None}
    with printer() as shown:

        def passed(done: int, total: int) -> None:
            if total < WORTH_SHOWING:
                return
            seconds = time.monotonic() - begun
            stage.update(done=done / 1e6, total=total / 1e6, seconds=seconds, rate=done / 1e6 / max(seconds, 1e-3))
            shown.show("import", {"stages": [stage]})

        yield passed
        if stage["rate"] is not None:
            stage.update(ended=True, seconds=time.monotonic() - begun)
            shown.show("import", {"stages": [stage]})
