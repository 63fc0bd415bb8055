"""compare: runs side by side."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from synergy_tui import terms
from synergy_tui.cli.common import console, look_of, open_cache, options, print_json, print_table
from synergy_tui.drawing.tables import printable
from synergy_tui.errors import UsageError

if TYPE_CHECKING:
    from synergy_tui.store.cache import Cache


@click.command()
@click.argument("runs", nargs=-1)
@click.option("--latest", is_flag=True, help="The newest finished run, before RUNS.")
@click.option("--by", type=click.Choice(["category"]), help="For one run: compare its categories of prompts.")
@click.option("--ranking", default=terms.RANKINGS[0], show_default=True, help=f"One of {', '.join(terms.RANKINGS)}.")
@options()
def compare(
    runs: tuple[str, ...], latest: bool, by: str | None, ranking: str, cache: Path | None, as_json: bool
) -> None:
    """Compare RUNS with the first of them: profiles over depth, contrasts, agreement of units, a map of the difference.

    One run of a training stands for all its checkpoints. A published table of ranks (.csv, .csv.gz, .parquet with
    layer, head, syn, red, syn_red_rank) is compared with one run.

    \b
    Example:  synergy-tui compare d3f9a1b2 d77c0e15
              synergy-tui compare --latest --by category
              synergy-tui compare d3f9a1b2 ranks.csv
    """
    from synergy_tui.incoming.flat import is_table
    from synergy_tui.store import load
    from synergy_tui.store import runs as stored

    if ranking not in terms.RANKINGS:
        raise UsageError(f"no ranking {ranking!r}", f"known: {', '.join(terms.RANKINGS)}")
    opened = open_cache(cache)
    if latest:
        runs = (load.find(opened, "decomposition", None, latest=True), *runs)
    if not runs:
        raise UsageError("name runs, or use --latest", "synergy-tui cache info lists them")
    if tables := [one for one in runs if is_table(Path(one))]:
        return _with_table(opened, tables, [one for one in runs if one not in tables], ranking, as_json)
    ids = [load.find(opened, "decomposition", one) for one in runs]
    if by:
        if len(ids) > 1 or ranking != terms.RANKINGS[0]:
            raise UsageError("--by category takes one run and the default ranking", f"leave out all but {ids[0]}")
        sides = stored.by_category(opened, ids[0])
    else:
        ids = stored.of_training(opened, ids[0]) if len(ids) == 1 else ids
        if len(ids) < 2:
            raise UsageError("there is nothing to compare it with", "name another run, or use --by category")
        sides = stored.compared(opened, ids, ranking)
    _print(sides, ranking, as_json)


def _with_table(opened: Cache, tables: list[str], runs: list[str], ranking: str, as_json: bool) -> None:
    """A published table of ranks beside a run."""
    from synergy_tui.incoming import ranks
    from synergy_tui.settings import user_path
    from synergy_tui.store import load

    if len(tables) > 1 or len(runs) != 1:
        raise UsageError("a table is compared with one run", f"synergy-tui compare RUN {tables[0]}")
    run = load.find(opened, "decomposition", runs[0])
    found = ranks.compare_ranks(opened, user_path(Path(tables[0])), run, ranking)
    if as_json:
        return print_json(ranks.as_dict(found))
    for line in found.told:
        click.echo(printable(line))
    what = "layers" if found.per_layer else "units"
    click.echo(f"\nSpearman over {found.rows} {what}")
    for name, value in found.agreement.items():
        click.echo(f"  {name:<36} {'n/a' if math.isnan(value) else f'{value:+.3f}'}")
    told = " · ".join(
        f"{'n/a' if math.isnan(one) else f'{one:+.3f}'} by the {side}'s" for side, one in found.contrasts.items()
    )
    click.echo(f"contrast of middle layers, min–max scaled over these {what}: {told}\n")
    if found.disagreements:
        click.echo(f"{what} whose places differ most; place 1 is the most synergistic")
        print_table(found.disagreements)


def _print(sides: list[Any], ranking: str, as_json: bool) -> None:
    from synergy_tui.drawing import compare as drawn
    from synergy_tui.drawing import scale

    table = drawn.rows(sides)
    if as_json:
        profiles = [{"depth": one.depth.tolist(), "value": one.profile.tolist()} for one in sides]
        if not drawn.over_depth(sides):
            profiles = [one | {"group": list(side.naming.groups)} for one, side in zip(profiles, sides, strict=True)]
        ends = [{"low": one.low.tolist(), "high": one.high.tolist()} for one in sides]
        names = ["letter", *list(table[0])[1:]]
        shown = [dict(zip(names, row.values(), strict=True)) for row in table]
        each = [row | {"profile": one | two} for row, one, two in zip(shown, profiles, ends, strict=True)]
        return print_json({"ranking": ranking, "runs": each})
    screen = console()
    width, look = min(screen.width, 110), look_of(screen)
    if all(one.step is not None for one in sides):
        screen.print(drawn.trajectory(sides, ranking, width, look=look))
    if drawn.over_depth(sides):
        screen.print(drawn.profiles(sides, ranking, width, look=look))
    print_table(table)
    if not drawn.over_depth(sides):
        click.echo(f"\n{ranking} by group, 95 % intervals")
        print_table(drawn.by_group(sides))
    if len(sides) == 2:
        for line in drawn.map_of_difference(sides[0], sides[1], scale.palette(screen.color_system)):
            screen.print(line, soft_wrap=True)
    click.echo(
        "\nminus A: difference of contrasts, its interval as if the runs were independent: too wide, never too narrow."
    )
    if told := drawn.unlike(sides):
        click.echo(told)
