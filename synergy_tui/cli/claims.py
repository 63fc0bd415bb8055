"""claims, networks: what a run says about the claims of the literature, with all that is needed to say it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from synergy_tui.cli.common import (
    ask_before,
    console,
    open_cache,
    options,
    print_json,
    print_next,
    print_table,
    saved,
    say,
    settings_in_force,
    writable,
)
from synergy_tui.cli.fields import made, request_options
from synergy_tui.cli.starting import WORTH_ASKING, executor_in_force, follow_jobs, job_options, start_plans, tell
from synergy_tui.errors import UsageError
from synergy_tui.jobs.specs.claims import PARTS, ClaimsRequest
from synergy_tui.jobs.specs.networks import NetworksRequest

if TYPE_CHECKING:
    from synergy_tui.jobs.folder import JobFolder


@click.command()
@click.option("--markdown", type=click.Path(path_type=Path), help="Write the card as Markdown to this new file.")
@request_options(ClaimsRequest)
@job_options
@options(run=True)
def claims(
    run: str | None,
    latest: bool,
    markdown: Path | None,
    detach: bool,
    yes: bool,
    cache: Path | None,
    as_json: bool,
    **chosen: Any,
) -> None:
    """Judge what RUN says about six claims of the literature; finds or runs what each of them needs.

    \b
    C1 middle layers are synergistic
    C2 a transition with difficulty
    C3 ablating synergy is disproportionate
    C4 redundant units are dispensable
    C5 it is learned
    C6 synergy is efficient, redundancy modular
    C8 the dimension of states turns in the middle layers
    C9 sentences of one structure are most alike there

    \b
    Example:  synergy-tui claims --latest --parts surrogates,networks
    """
    from synergy_tui.drawing import card as drawn
    from synergy_tui.settings import user_path
    from synergy_tui.store import cards, load

    target = user_path(markdown) if markdown else None
    if target and target.exists():
        raise UsageError(f"{target} is there already", "give another name")
    opened = open_cache(cache)
    chosen["decomposition"] = load.find(opened, "decomposition", run, latest)
    jobs = _start_card(cache, made(ClaimsRequest, chosen), yes)
    if detach:
        if as_json:
            return print_json({"job": jobs[-1].id})
        click.echo(jobs[-1].id)
        return say(f"Follow it: synergy-tui jobs watch {jobs[-1].id}")
    follow_jobs(jobs, tell)  # a part that fails leaves its claims inconclusive
    found = cards.card(opened, jobs[-1].id)
    if target:
        target.write_text(drawn.as_markdown(found), "utf-8")
        saved(target)
    if as_json:
        return print_json(drawn.as_dict(found))
    screen = console()
    for line in drawn.draw(found, min(screen.width, 140)):
        screen.print(line, soft_wrap=True)
    print_next(opened, [f"synergy-tui claims {found['decomposition']} --json"])


def _start_card(cache: Path | None, request: ClaimsRequest, yes: bool) -> list[JobFolder]:
    """Announces what is still to be done, part by part, and starts it; the card's job is the last."""
    from synergy_tui.jobs import chain, plan

    opened = writable(cache)
    made_of = plan.claims(opened, settings_in_force(cache).data, request)
    costs = made_of.costs()
    for part, needed_by in PARTS.items():
        if part in costs:
            say(f" {part:<10} for {needed_by:<7} will take {costs[part]}")
        else:
            say(f" {part:<10} for {needed_by:<7} {made_of.missing.get(part) or 'is there'}")
    for line in made_of.foreseen:
        say(f" {line}")
    if not yes:
        ask_before(sum(one.seconds or 0 for one in costs.values()), WORTH_ASKING)
    ids = chain.start(opened, made_of.links, one_by_one=True, join=not request.fresh, executor=executor_in_force())
    return chain.started(opened, made_of.links, ids)


@click.command()
@click.option("--edges", type=click.IntRange(1, 2000), default=60, show_default=True, help="Strongest pairs drawn.")
@request_options(NetworksRequest)
@job_options
@options(run=True)
def networks(
    run: str | None,
    latest: bool,
    edges: int,
    detach: bool,
    yes: bool,
    cache: Path | None,
    as_json: bool,
    **chosen: Any,
) -> None:
    """Networks of synergy and of redundancy in RUN: efficiency, modularity, clustering, their surrogates taken off.

    \b
    Example:  synergy-tui networks --latest --replicates 40
    """
    from synergy_tui.cli.common import print_jobs
    from synergy_tui.drawing import arcs
    from synergy_tui.jobs import plan
    from synergy_tui.store import cards, load

    opened = open_cache(cache)
    decomposition = load.find(opened, "decomposition", run, latest)
    request = made(NetworksRequest, chosen | {"decomposition": decomposition})
    jobs = start_plans(cache, [plan.networks(opened, request)], yes)
    if detach:
        return print_jobs(jobs, as_json)
    follow_jobs(jobs)
    found = cards.network(opened, jobs[0].id)
    if as_json:
        return print_json(found)
    screen = console()
    naming = load.naming(opened, found["capture"])
    for atom in ("sts", "rtr"):
        pairs = cards.strongest(opened, decomposition, atom, edges)
        screen.print(arcs.draw(pairs, naming.layers, atom, screen.width, names=naming.groups))
    shown = ("null_name", "measure", "density", "atom", "value", "corrected", "low", "high")
    print_table([{name: one[name] for name in shown} for one in found["measures"]])
    between = ("null_name", "contrast", "density", "value", "low", "high")
    click.echo("\nefficiency: sts − rtr; modularity: rtr − sts; surrogates taken off, 95 % interval over prompts")
    print_table([{name: one[name] for name in between} for one in found["contrasts"]])
    print_next(opened, [f"synergy-tui claims {decomposition}"])
