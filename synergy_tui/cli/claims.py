"""claims, networks: what a run says about the claims of the literature, with all parts that this needs."""

from __future__ import annotations

import contextlib
import shlex
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
    warn,
    writable,
)
from synergy_tui.cli.fields import all_made, field_option, made, request_options
from synergy_tui.cli.starting import WORTH_ASKING, executor_in_force, follow_jobs, job_options, start_plans, tell
from synergy_tui.errors import UsageError
from synergy_tui.jobs.specs.capture import CaptureRequest
from synergy_tui.jobs.specs.claims import PARTS, ClaimsRequest
from synergy_tui.jobs.specs.decompose import DecomposeRequest
from synergy_tui.jobs.specs.fields import fields
from synergy_tui.jobs.specs.networks import NetworksRequest

if TYPE_CHECKING:
    from synergy_tui.jobs.folder import JobFolder
    from synergy_tui.jobs.plan import Link
    from synergy_tui.jobs.specs.claims import Sealing
    from synergy_tui.jobs.specs.sealed import Sealed
    from synergy_tui.store.cache import Cache


def planned_options(command: Any) -> Any:
    """Options of a plan about its run, besides those that every card has."""
    for field in reversed(PLANNED):
        how = (
            {"help": f"For a plan: {field.option.help[0].lower()}{field.option.help[1:]}"} if field.option.help else {}
        )
        command = field_option(field, **how)(command)
    return command


PLANNED = [
    one
    for request, left_out in (
        (CaptureRequest, ("device", "seed", "replay", "revisions")),
        (DecomposeRequest, ("device", "seed", "surrogates", "nulls")),
    )
    for one in fields(request)
    if not one.option.argument and one.name not in left_out
]
"""Fields of a run that a plan is sealed with."""


@click.command()
@click.option("--markdown", type=click.Path(path_type=Path), help="Write the card as Markdown to this new file.")
@click.option("--seal", type=click.Path(path_type=Path), help="Write a plan of all this; start nothing.")
@click.option("--plan", "plan_file", type=click.Path(path_type=Path), help="Do what a sealed plan says.")
@click.option("--deviate", is_flag=True, help="With --plan: accept a plan that was changed, or another subject.")
@click.option(
    "--primary", metavar="CLAIMS", show_default="C1", help="With --seal: the primary claims, which are not corrected."
)
@request_options(ClaimsRequest)
@planned_options
@job_options
@options(run=True)
def claims(
    run: str | None,
    latest: bool,
    markdown: Path | None,
    seal: Path | None,
    plan_file: Path | None,
    deviate: bool,
    primary: str | None,
    detach: bool,
    yes: bool,
    cache: Path | None,
    as_json: bool,
    **chosen: Any,
) -> None:
    """Judge what RUN says about claims of the literature; find or run what each of them needs.

    \b
    C1 middle layers are synergistic
    C2 a transition with difficulty
    C3 ablating synergy is disproportionate
    C4 redundant units are dispensable
    C5 it is learned
    C6 synergy is efficient, redundancy modular
    C8 dimension turns in the middle layers
    C9 one structure is alike across words there

    C7, that it is universal, is judged over many cards by `synergy-tui atlas`. C8 and C9 come from the second version
    of their source, which has geometry in place of C2.

    With --seal, RUN is a subject, and a plan of all that will be done with it is written before there are data. With
    --plan the plan is carried out: the capture and the card of a subject (by default the plan's), or the card of a RUN.

    \b
    Example:  synergy-tui claims --latest --parts surrogates,networks
    Sealed:   synergy-tui claims zoo:induction --seal plan.json --prompts 24
              synergy-tui claims zoo:induction --plan plan.json
    """
    from synergy_tui.settings import user_path

    target = user_path(markdown) if markdown else None
    if target and target.exists():
        raise UsageError(f"{target} is there already", "give another name")
    _go_together(seal, plan_file, deviate, primary, latest, chosen)
    if seal:
        return _seal(cache, run, user_path(seal), primary, as_json, chosen)
    if plan_file:
        if detach:
            raise UsageError(
                "a sealed plan cannot be detached: what its ablation removes is known only once its run is there",
                "leave out --detach; a second call goes on where the first one stopped",
            )
        jobs = _by_plan(cache, run, latest, plan_file, deviate, yes, chosen)
    else:
        from synergy_tui.store import load

        chosen["decomposition"] = load.find(open_cache(cache), "decomposition", run, latest)
        jobs = _start_card(cache, made(ClaimsRequest, chosen), yes)
    if detach:
        if as_json:
            return print_json({"job": jobs[-1].id})
        click.echo(jobs[-1].id)
        return say(f"Follow it: synergy-tui jobs watch {jobs[-1].id}")
    follow_jobs(jobs, tell)  # a part that fails leaves its claims inconclusive
    _show(open_cache(cache), jobs[-1].id, target, as_json)


def _show(opened: Cache, card: str, target: Path | None, as_json: bool) -> None:
    """A card that was made, in the terminal, as JSON, and as a page."""
    from synergy_tui.drawing import card as drawn
    from synergy_tui.store import cards

    found = cards.card(opened, card)
    if target:
        target.write_text(drawn.as_markdown(found), "utf-8")
        saved(target)
    if as_json:
        return print_json(drawn.as_dict(found))
    screen = console()
    for line in drawn.draw(found, min(screen.width, 140)):
        screen.print(line, soft_wrap=True)
    print_next(opened, [f"synergy-tui claims {found['decomposition']} --json"])


def _go_together(
    seal: Path | None, plan: Path | None, deviate: bool, primary: str | None, latest: bool, chosen: dict[str, Any]
) -> None:
    """Raises UsageError for options that mean nothing without others."""
    if seal and plan:
        raise UsageError("--seal writes a plan and --plan carries one out", "give one of them")
    if deviate and not plan:
        raise UsageError("--deviate is about a plan that was changed", "add --plan FILE")
    if primary and not seal:
        raise UsageError("--primary names claims of a plan", "add --seal FILE")
    if seal and latest:
        raise UsageError("a plan is sealed before there is a run", "name a subject in place of --latest")
    if seal or plan:
        return
    if given := [one.label for one in PLANNED if chosen[one.name] is not None and chosen[one.name] != ()]:
        raise UsageError(f"--{given[0]} describes a run to be made, and this one is there", "give it with --seal")


def _seal(
    cache: Path | None, subject: str | None, target: Path, primary: str | None, as_json: bool, chosen: dict[str, Any]
) -> None:
    """Writes a plan, and prints its hash."""
    from synergy_tui.jobs.plan import sealed
    from synergy_tui.store.cache import Cache

    if not subject:
        raise UsageError("a plan is for a subject", "name one: synergy-tui claims smollm2 --seal plan.json")
    if target.exists():
        raise UsageError(f"{target} is there already", "a sealed plan is not written over: give another name")
    requests = all_made(DecomposeRequest, chosen | {"seed": None, "device": None})
    if len(requests) > 1:
        raise UsageError(f"{len(requests)} lags make as many runs, and a plan is for one", "seal a plan for each")
    claimed = tuple(one.strip() for one in primary.split(",") if one.strip()) if primary else sealed.PRIMARY
    settings = settings_in_force(cache)
    request = made(CaptureRequest, chosen | {"subject": subject})
    asked = made(ClaimsRequest, chosen | {"decomposition": ""})
    content, spec = sealed.seal(settings.data, request, requests[0].method, asked, claimed)
    sealed.write(content, target)
    if (settings.cache / "cache.duckdb").exists() and (before := sealed.seen(Cache.open(settings.cache), spec)):
        warn(f"capture {before} of this cache has the data of this plan already: the card will say so")
    saved(target)
    if as_json:
        return print_json({"plan": str(target), "hash": content["hash"], "sealed": content["sealed"]})
    click.echo(f"{content['hash']}  {target}")
    say("Nothing was started. Keep the file, or send its hash to somebody, before you carry it out:")
    say(f"  synergy-tui claims {shlex.quote(subject)} --plan {shlex.quote(str(target))}")


def _by_plan(
    cache: Path | None,
    named: str | None,
    latest: bool,
    file: Path,
    deviate: bool,
    yes: bool,
    chosen: dict[str, Any],
) -> list[JobFolder]:
    """Starts what a sealed plan says, once its run is there; the card's job is the last."""
    import msgspec

    from synergy_tui.jobs.plan import capture, sealed
    from synergy_tui.jobs.plan.deviations import of_run

    opened, data = writable(cache), settings_in_force(cache).data
    plan = sealed.open_plan(file, deviate)
    say(f" plan {plan.content['hash'][:12]}, sealed {plan.sealed.sealed}")
    request, method, asked, sealing = sealed.requests(plan, chosen)
    run, subject = _run_or_subject(opened, named, latest, plan.sealed)
    if run is not None:
        said = of_run(opened, plan.sealed, run, deviate)
    else:
        captured = capture(data, request.replace(subject=subject))
        said = sealed.of_subject(plan.sealed.subject, sealed.model_of(captured.spec.source, data), deviate)
        links = sealed.run(opened, captured, method, asked, plan.sealed)
        run = _start_run(cache, links, yes)
    for one in (*sealing.deviations, *said):
        say(f" deviation: {one}")
    sealing = msgspec.structs.replace(sealing, deviations=(*sealing.deviations, *said))
    return _start_card(cache, asked.replace(decomposition=run), yes, sealing)


def _run_or_subject(opened: Cache, named: str | None, latest: bool, plan: Sealed) -> tuple[str | None, str]:
    """The run that is meant, or None and the subject that is meant."""
    from synergy_tui.store import load

    if latest:
        return load.find(opened, "decomposition", None, latest=True), ""
    if not named:
        return None, plan.subject.place
    with contextlib.suppress(UsageError):
        return load.find(opened, "decomposition", named), ""
    return None, named


def _start_run(cache: Path | None, links: list[Link], yes: bool) -> str:
    """Makes the missing parts of a plan's run, and waits for it. Returns its id."""
    from synergy_tui.jobs import chain

    opened, waiting = writable(cache), [one.plan for one in links if one.found is None]
    for one in waiting:
        say(f" {one.spec.KIND:<10} will take {one.cost}")
    if not yes:
        ask_before(sum(one.cost.seconds or 0 for one in waiting), WORTH_ASKING)
    ids = chain.start(opened, links, join=True, executor=executor_in_force())
    if jobs := chain.started(opened, links, ids):
        follow_jobs(jobs)
    return ids[-1]


def _start_card(
    cache: Path | None, request: ClaimsRequest, yes: bool, sealing: Sealing | None = None
) -> list[JobFolder]:
    """Announces what is still to be done, part by part, and starts it; the card's job is the last."""
    from synergy_tui.jobs import chain, plan

    opened = writable(cache)
    made_of = plan.claims(opened, settings_in_force(cache).data, request, sealing)
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
    """Networks of synergy and of redundancy in RUN: efficiency, modularity and clustering, minus their surrogates.

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
    click.echo("\nefficiency: sts − rtr; modularity: rtr − sts; minus surrogates, 95 % interval over prompts")
    print_table([{name: one[name] for name in between} for one in found["contrasts"]])
    print_next(opened, [f"synergy-tui claims {decomposition}"])
