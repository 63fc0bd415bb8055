"""difficulty: starts the chain that measures an order parameter over a ladder, follows it, shows what it made."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from synergy_tui import terms
from synergy_tui.cli.common import console, open_cache, options, print_jobs, print_json, print_next, say
from synergy_tui.cli.measure import DTYPE, follow_jobs, job_options, start_chain

if TYPE_CHECKING:
    from synergy_tui.store.cache import Cache


def _ladder_options(command: Any) -> Any:
    """What is asked, of which subject, and what is looked at."""
    shown: Any = {"show_default": True}
    count = click.IntRange(1)
    parameter, ranking = click.Choice(terms.ORDER_PARAMETERS), click.Choice([*terms.RANKINGS[:-1]])
    named = "A ladder's name, reasoning-gym:NAME, arc, math, gsm8k or mmlu (:FILE or :FOLDER), or a file."
    for option in (
        click.option("--allow-remote-code", is_flag=True, help="Run the Python code that the model's files bring."),
        click.option("--allow-pickle", is_flag=True, help="Load weights kept as pickle, a format that can run code."),
        click.option("--random-weights", is_flag=True, help="Its architecture alone, weights drawn by --seed."),
        click.option("--revision", help="Revision of a hub model."),
        click.option("--system", help="System prompt."),
        click.option("--chat/--no-chat", default=True, **shown, help="In the model's chat template."),
        click.option("--dtype", type=DTYPE, help="Number type; default: float32, on a GPU bfloat16."),
        click.option("--batch", type=count, help="Prompts at a time; default: what memory holds."),
        click.option("--fresh", is_flag=True, help="Make everything anew, also what is finished."),
        click.option("--verifier", help="Of a file of your own: number, choice, phrase, …"),
        click.option("--text-column", help="Column of the prompts; default: text, prompt, question or problem."),
        click.option("--answer-column", help="Column of the answers; default: answer or target."),
        click.option("--level-column", help="Column of the levels; default: level or difficulty."),
        click.option("--surrogates", type=click.IntRange(0), default=20, **shown, help="Of each level, for excess."),
        click.option("--ranking", type=ranking, default=terms.RANKINGS[0], **shown, help="Behind contrast and core."),
        click.option(
            "--order-parameter",
            type=parameter,
            default=terms.ORDER_PARAMETERS[0],
            **shown,
            help="What the verdict is on; all are measured.",
        ),
        click.option("--min-steps", type=count, default=20, **shown, help="Shorter responses are left out."),
        click.option("--steps", type=count, default=64, **shown, help="Most tokens generated."),
        click.option("--prompts", type=count, default=40, **shown, help="Of each level."),
        click.option("--levels", type=count, help="How many, evenly from the first to the last; default: all."),
        click.option("--ladder", default="arithmetic-chains", **shown, help=named),
    ):
        command = option(command)
    return command


@click.command()
@click.argument("subject")
@_ladder_options
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
    chain = plan.difficulty_chain(opened, settings_in_force(cache).data, subject, **chosen)
    if chain.finished:
        say(f"ladder {chain.finished} is there already; --fresh makes it anew.")
        found = chain.finished
    else:
        jobs = start_chain(cache, chain.plans, yes)
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
    screen.print(ladder.draw(found, found["order_parameter"], min(screen.width, 100)))
    click.echo(tables.as_text(ladder.rows(found, found["order_parameter"])))
    others = ladder.verdicts(found)
    click.echo(f"\nall order parameters (one in twenty may stand out by chance)\n{tables.as_text(others)}")
    if found["levels"] < 5:
        click.echo(f"\nlevels against each other\n{tables.as_text(ladder.differences(found))}")
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
