"""difficulty: starts the chain that measures an order parameter over a ladder, follows it, shows what it made."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from synergy_tui.cli.common import (
    console,
    look_of,
    open_cache,
    options,
    print_jobs,
    print_json,
    print_next,
    print_table,
    say,
)
from synergy_tui.cli.fields import made, request_options
from synergy_tui.cli.starting import follow_jobs, job_options, start_chains
from synergy_tui.jobs.specs.ladder import LadderRequest

if TYPE_CHECKING:
    from synergy_tui.store.cache import Cache


@click.command()
@click.argument("subject")
@request_options(LadderRequest)
@job_options
@options()
def difficulty(subject: str, detach: bool, yes: bool, cache: Path | None, as_json: bool, **chosen: Any) -> None:
    """Does the organisation of SUBJECT change with difficulty, and is there a transition?

    Captures a ladder of graded tasks, decomposes every level, and fits five models to an order parameter. Finished
    parts of equal spec are not made again. Ladders: arithmetic-chains, base-conversion, letter-counting,
    propositional-logic, knights-and-knaves, word-sorting.

    \b
    Example:  synergy-tui difficulty smollm2 --ladder word-sorting --prompts 8 --steps 40
    """
    from synergy_tui.cli.common import settings_in_force
    from synergy_tui.jobs import plan
    from synergy_tui.store import load

    opened = open_cache(cache)
    request = made(LadderRequest, chosen | {"subject": subject})
    climb = plan.difficulty(opened, settings_in_force(cache).data, request)
    if climb.finished:
        say(f"ladder {climb.finished} is there already; --fresh makes it anew.")
        found = climb.finished
    else:
        jobs = start_chains(cache, [climb.links], yes)
        if detach:
            return print_jobs(jobs, as_json)
        follow_jobs(jobs)
        found = jobs[-1].id
    show_ladder(opened, load.ladder(opened, found), as_json)


def show_ladder(opened: Cache, found: dict[str, Any], as_json: bool) -> None:
    """One ladder: the curve, accuracy, the levels, the verdict, and what to try next."""
    from synergy_tui.drawing import ladder, tables

    if as_json:
        return print_json(found)
    screen = console()
    look = look_of(screen)
    screen.print(ladder.draw(found, found["order_parameter"], min(screen.width, 100), look=look))
    print_table(ladder.rows(found, found["order_parameter"]))
    others = ladder.verdicts(found)
    click.echo("\nall order parameters (one in twenty may stand out by chance)")
    print_table(others)
    if found["levels"] < 5:
        click.echo("\nlevels against each other")
        print_table(ladder.differences(found))
    from synergy_tui.drawing.atlas import earlier

    click.echo(f"\n{tables.printable(found['sentence'])}{earlier(found)}")
    first = next((one["map"] for one in found["levels_of"] if one["map"]), None)
    values = "SELECT order_parameter, level, value, low, high FROM ladder_curves"
    print_next(
        opened,
        [
            f"synergy-tui show {first}",
            f"synergy-tui sql \"{values} WHERE ladder = '{found['ladder']}'\"",
            f"synergy-tui jobs show {found['ladder']} --recipe",
        ],
    )
