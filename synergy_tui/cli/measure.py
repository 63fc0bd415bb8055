"""run, capture, decompose, ablate: start jobs, follow them, show what they made."""

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
    print_run,
    print_table,
    run_as_json,
    settings_in_force,
)
from synergy_tui.cli.fields import all_made, made, request_options
from synergy_tui.cli.starting import captures, follow_jobs, job_options, start_chains, start_plans, with_maps
from synergy_tui.errors import UsageError
from synergy_tui.jobs.specs.ablate import AblateRequest
from synergy_tui.jobs.specs.capture import CaptureRequest
from synergy_tui.jobs.specs.decompose import DecomposeRequest
from synergy_tui.terms import DEFAULT_ORDERS

if TYPE_CHECKING:
    pass


@click.command()
@click.argument("subject")
@click.option("--of", metavar="RUN", show_default="SUBJECT's own", help="With --control: the run they control.")
@click.option("--seeds", type=click.IntRange(1), default=5, show_default=True, help="With --control: how many of each.")
@click.option("--control", type=click.Choice(["random-weights"]), help="Make controls: free-running and replayed.")
@request_options(CaptureRequest)
@request_options(DecomposeRequest, "device", "seed")
@job_options
@options()
def run(
    subject: str,
    control: str | None,
    seeds: int,
    of: str | None,
    detach: bool,
    yes: bool,
    cache: Path | None,
    as_json: bool,
    **chosen: Any,
) -> None:
    """Capture SUBJECT, decompose it, show its synergy map.

    SUBJECT is smollm2, zoo:NAME, a model folder, a folder of checkpoints, a .gguf file, or a hub id.

    \b
    Example:  synergy-tui run smollm2 --tasks cognitive --prompts 12 --steps 48
    Controls: synergy-tui run smollm2 --prompts 12 --steps 48 --control random-weights --seeds 5
    """
    request = made(CaptureRequest, chosen | {"subject": subject})
    if control:
        from synergy_tui.cli.controls import make

        return make(cache, request, of, seeds, detach, yes, as_json)
    if of:
        raise UsageError("--of names the run that is controlled", "add --control random-weights")
    chains = [with_maps(one, chosen) for one in captures(cache, request)]
    jobs = start_chains(cache, chains, yes)
    if detach:
        return print_jobs(jobs, as_json)
    follow_jobs(jobs)
    opened, maps = open_cache(cache), [job.id for job in jobs if job.kind == "decompose"]
    if as_json and len(maps) > 1:
        return print_json([run_as_json(opened, one) for one in maps])
    for one in maps:
        print_run(opened, one, as_json)


@click.command()
@click.argument("subject")
@request_options(CaptureRequest)
@job_options
@options()
def capture(subject: str, detach: bool, yes: bool, cache: Path | None, as_json: bool, **chosen: Any) -> None:
    """Record the activity of every unit of SUBJECT over prompts.

    \b
    Example:  synergy-tui capture smollm2 --prompts 8 --steps 40 --batch 2
    """
    from synergy_tui.store import load

    request = made(CaptureRequest, chosen | {"subject": subject})
    jobs = start_plans(cache, captures(cache, request), yes)
    if detach:
        return print_jobs(jobs, as_json)
    follow_jobs(jobs)
    opened = open_cache(cache)
    found = []
    for job in jobs:
        query = "SELECT count(*) AS units FROM units WHERE capture = $1"
        found.append(load.one(opened, "capture", job.id) | load.rows(opened, query, job.id)[0])
    if as_json:
        return print_json(found if len(found) > 1 else found[0])
    for one in found:
        click.echo(f"capture {one['capture']}: {one['valid_prompts']} of {one['prompts']} responses long enough")
    print_next(opened, [f"synergy-tui decompose {job.id}" for job in jobs])


@click.command()
@request_options(DecomposeRequest)
@job_options
@options(run=True)
def decompose(
    run: str | None, latest: bool, detach: bool, yes: bool, cache: Path | None, as_json: bool, **chosen: Any
) -> None:
    """Decompose all pairs of a capture's heads with ΦID, test them against surrogates, and score the heads.

    \b
    Example:  synergy-tui decompose --latest --lag 1,2,5 --surrogates 200
    """
    from synergy_tui.jobs import plan
    from synergy_tui.store import load

    opened = open_cache(cache)
    capture_id = load.find(opened, "capture", run, latest)
    requests = all_made(DecomposeRequest, chosen | {"capture": capture_id})
    jobs = start_plans(cache, [plan.decompose_finished(opened, one) for one in requests], yes)
    if detach:
        return print_jobs(jobs, as_json)
    follow_jobs(jobs)
    if as_json and len(jobs) > 1:
        return print_json([run_as_json(opened, job.id) for job in jobs])
    for job in jobs:
        print_run(opened, job.id, as_json)


@click.command()
@request_options(AblateRequest)
@job_options
@options(run=True)
def ablate(
    run: str | None, latest: bool, detach: bool, yes: bool, cache: Path | None, as_json: bool, **chosen: Any
) -> None:
    """Remove heads in order of their synergy, and of controls, and measure what the subject does without them.

    \b
    Example:  synergy-tui ablate --latest --seeds 3 --fractions 0.1,0.25 --prompts 4
    Pairs:    synergy-tui ablate --latest --orders pairs --pairs 5 --prompts 4
    """
    from synergy_tui.jobs import plan
    from synergy_tui.store import load

    opened = open_cache(cache)
    chosen["decomposition"] = load.find(opened, "decomposition", run, latest)
    if chosen["units"] and "marked" not in (chosen["orders"] or ()):
        chosen["orders"] = ("marked", *(chosen["orders"] or DEFAULT_ORDERS))
    asked = plan.ablate(opened, settings_in_force(cache).data, made(AblateRequest, chosen))
    jobs = start_plans(cache, [asked], yes)
    if detach:
        return print_jobs(jobs, as_json)
    follow_jobs(jobs)
    found = load.ablation(opened, jobs[0].id)
    if as_json:
        return print_json(found)
    from synergy_tui.drawing import curves, predicting

    screen = console()
    if curves.by_line(found["orders"]):
        screen.print(curves.draw(found["orders"], min(screen.width, 100), look=look_of(screen)))
        print_table(curves.rows(found["orders"]))
    for title, some in curves.beside(found).items():
        click.echo(f"\n{title}")
        print_table(some)
    click.echo(f"\n{found['verdict']}")
    for sentence in predicting.sentences(found["comparisons"]):
        click.echo(sentence)
    sql = "SELECT removal_order, target, fraction, avg(divergence) FROM ablation_curves"
    if not curves.by_line(found["orders"]):
        sql = "SELECT layer, unit, divergence FROM ablation_sweeps"
        if found["pairs"]:
            sql = "SELECT * FROM ablation_pairs"
        print_next(opened, [f"synergy-tui sql \"{sql} WHERE ablation = '{jobs[0].id}' ORDER BY divergence DESC\""])
        return
    print_next(
        opened, [f"synergy-tui sql \"{sql} WHERE ablation = '{jobs[0].id}' GROUP BY ALL ORDER BY removal_order\""]
    )
