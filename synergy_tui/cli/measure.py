"""run, capture, import, decompose, ablate: start jobs, follow them, show what they made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from synergy_tui import terms
from synergy_tui.cli.common import (
    ask_before,
    console,
    open_cache,
    options,
    print_jobs,
    print_json,
    print_next,
    print_run,
    printer,
    run_as_json,
    say,
    settings_in_force,
)
from synergy_tui.errors import CacheError, SynergyError, UsageError

if TYPE_CHECKING:
    from synergy_tui.jobs.folder import JobFolder
    from synergy_tui.jobs.plan import Plan

WORTH_ASKING = 1800.0
"""Seconds above which a person at a terminal is asked before jobs start."""

DTYPE = click.Choice(["float32", "bfloat16", "float16"])


def job_options(command: Any) -> Any:
    """What every command that starts a job takes."""
    for option in (
        click.option("--yes", is_flag=True, help="Do not ask before a long job."),
        click.option("--detach", is_flag=True, help="Return at once with the id; the job goes on."),
        click.option("--seed", default=0, show_default=True, help="Seed of everything drawn."),
        click.option("--device", help="cpu, cuda, cuda:N, cuda:all; default: a GPU if there is one."),
    ):
        command = option(command)
    return command


def _capture_options(command: Any) -> Any:
    """What `run` and `capture` share."""
    count = click.IntRange(1)
    for option in (
        click.option("--allow-remote-code", is_flag=True, help="Run the Python code that the model's files bring."),
        click.option("--allow-pickle", is_flag=True, help="Load weights kept as pickle, a format that can run code."),
        click.option("--weights-seed", type=int, help="Of random weights; default: --seed."),
        click.option("--random-weights", is_flag=True, help="Its architecture alone, weights drawn by --seed."),
        click.option("--revisions", help="Several revisions, with commas: a training's course."),
        click.option("--revision", help="Revision of a hub model."),
        click.option("--replay", metavar="RUN|FILE", help="Tokens of a run, or of a .jsonl of text and response."),
        click.option("--top-p", type=float, default=1.0, show_default=True, help="Share of probability drawn from."),
        click.option("--temperature", type=float, default=0.0, show_default=True, help="Of sampling; 0 is greedy."),
        click.option("--system", help="System prompt."),
        click.option("--chat/--no-chat", default=True, show_default=True, help="In the model's chat template."),
        click.option("--dtype", type=DTYPE, help="Number type; default: float32, on a GPU bfloat16."),
        click.option("--batch", type=count, help="Prompts at a time; default: what memory holds."),
        click.option(
            "--kind", default=",".join(terms.HEADS), show_default=True, help=f"Of {', '.join(terms.UNIT_KINDS)}."
        ),
        click.option("--min-steps", type=count, default=20, show_default=True, help="Shorter responses are left out."),
        click.option("--steps", type=count, default=100, show_default=True, help="Most tokens generated."),
        click.option("--prompts", type=count, help="How many, evenly from the categories; default: all."),
        click.option("--tasks", default="cognitive", show_default=True, help="Task set, or a .jsonl, .csv, .txt file."),
    ):
        command = option(command)
    return command


@click.command()
@click.argument("subject")
@click.option("--of", metavar="RUN", help="With --control: the run they control; default: SUBJECT's own.")
@click.option("--seeds", type=click.IntRange(1), default=5, show_default=True, help="With --control: how many of each.")
@click.option("--control", type=click.Choice(["random-weights"]), help="Make controls: free-running and replayed.")
@_capture_options
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

    SUBJECT is smollm2, a model folder, a folder of checkpoints, a .gguf file, or a hub id.

    \b
    Example:  synergy-tui run smollm2 --tasks cognitive --prompts 12 --steps 48
    Controls: synergy-tui run smollm2 --prompts 12 --steps 48 --control random-weights --seeds 5
    """
    from synergy_tui.jobs import plan

    if control:
        from synergy_tui.cli.controls import make

        return make(cache, subject, of, seeds, detach, yes, as_json, **chosen)
    if of:
        raise UsageError("--of names the run that controls are of", "add --control random-weights")
    more = {"device": chosen["device"] if chosen["device"] != "cuda:all" else None, "seed": chosen["seed"]}
    firsts = _captures(cache, subject, chosen)
    chains = [[one, plan.decompose("", one.units, len(one.spec["prompts"]), **more)] for one in firsts]
    jobs = _start_chains(cache, chains, yes)
    if detach:
        return print_jobs(jobs, as_json)
    follow_jobs(jobs)
    opened, made = open_cache(cache), [job.id for job in jobs[1::2]]
    if as_json and len(made) > 1:
        return print_json([run_as_json(opened, one) for one in made])
    for one in made:
        print_run(opened, one, as_json)


@click.command()
@click.argument("subject")
@_capture_options
@job_options
@options()
def capture(subject: str, detach: bool, yes: bool, cache: Path | None, as_json: bool, **chosen: Any) -> None:
    """Record the activity of every unit of SUBJECT over prompts.

    \b
    Example:  synergy-tui capture smollm2 --prompts 8 --steps 40 --batch 2
    """
    from synergy_tui.store import load

    jobs = _start_chains(cache, [[one] for one in _captures(cache, subject, chosen)], yes)
    if detach:
        return print_jobs(jobs, as_json)
    follow_jobs(jobs)
    opened = open_cache(cache)
    made = []
    for job in jobs:
        query = "SELECT count(*) AS units FROM units WHERE capture = $1"
        made.append(load.one(opened, "capture", job.id) | load.rows(opened, query, job.id)[0])
    if as_json:
        return print_json(made if len(made) > 1 else made[0])
    for one in made:
        click.echo(f"capture {one['capture']}: {one['valid_prompts']} of {one['prompts']} responses long enough")
    print_next(opened, [f"synergy-tui decompose {job.id}" for job in jobs])


def _captures(cache: Path | None, subject: str, chosen: dict[str, Any]) -> list[Plan]:
    """What the options of `run` and `capture` ask for."""
    from synergy_tui.jobs import plan

    chosen = dict(chosen)
    kinds, revisions = _words(chosen.pop("kind")), _words(chosen.pop("revisions") or "")
    opened = open_cache(cache) if chosen["replay"] else None
    data = settings_in_force(cache).data
    return plan.captures(data, subject, revisions=revisions, kinds=kinds, cache=opened, **chosen)


def _start_chains(cache: Path | None, chains: Sequence[Sequence[Plan]], yes: bool) -> list[JobFolder]:
    """Starts several chains, asking once; they wait for one another where they share a device."""
    if len(chains) > 1 and not yes:
        ask_before(sum(one.cost.seconds or 0 for chain in chains for one in chain), WORTH_ASKING)
    return [job for chain in chains for job in start_chain(cache, chain, yes or len(chains) > 1)]


def _method_options(command: Any) -> Any:
    """How `decompose` takes the pairs apart."""
    shown: Any = {"show_default": True}
    every_null = click.Choice([*terms.NULLS, *terms.UNCALIBRATED_NULLS])
    null_help = "Null to draw of, more than once for several; default: prompt-shuffle, below five prompts window-roll. "
    pool, number = click.Choice(terms.POOLS), click.Choice(terms.PRECISIONS)
    redundancy, estimator = click.Choice(terms.REDUNDANCIES), click.Choice(terms.ESTIMATORS)
    before = "Done first, in order: log, rank-normal, difference, detrend, drop=K."
    each = "Lag τ in steps; 1,2,5 makes a decomposition of each."
    for option in (
        click.option("--precision", type=number, default="float64", **shown, help="Number type of the arithmetic."),
        click.option("--null", "nulls", multiple=True, type=every_null, help=f"{null_help}The last two: uncalibrated."),
        click.option("--surrogates", type=click.IntRange(0), default=0, **shown, help="Of each null; 200 are enough."),
        click.option("--preprocess", default="raw", **shown, help=before),
        click.option("--pool", type=pool, default="mean", **shown, help="Mean over prompts, or all as one."),
        click.option("--lag", default="1", **shown, help=each),
        click.option("--redundancy", type=redundancy, default="mmi", **shown, help="Redundancy function."),
        click.option("--estimator", type=estimator, default="gaussian", **shown, help="Of the informations."),
    ):
        command = option(command)
    return command


@click.command()
@_method_options
@job_options
@options(run=True)
def decompose(
    run: str | None, latest: bool, lag: str, detach: bool, yes: bool, cache: Path | None, as_json: bool, **chosen: Any
) -> None:
    """Decompose all pairs of a capture's heads with ΦID, test them against surrogates, and score the heads.

    \b
    Example:  synergy-tui decompose --latest --lag 1,2,5 --surrogates 200
    """
    from synergy_tui.jobs import plan
    from synergy_tui.store import load

    opened = open_cache(cache)
    capture_id = load.find(opened, "capture", run, latest)
    plans = [plan.decompose_finished(opened, capture_id, lag=one, **chosen) for one in _lags(lag)]
    jobs = start_chain(cache, plans, yes)
    if detach:
        return print_jobs(jobs, as_json)
    follow_jobs(jobs)
    if as_json and len(jobs) > 1:
        return print_json([run_as_json(opened, job.id) for job in jobs])
    for job in jobs:
        print_run(opened, job.id, as_json)


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--units", type=click.Path(path_type=Path), help="Table (.csv, .parquet): column layer, a row per unit.")
@click.option("--name", help="What to call it; default: the file's name.")
@click.option("--min-steps", type=click.IntRange(1), default=20, show_default=True, help="Shorter ones are left out.")
@options()
def import_(
    file: Path, units: Path | None, name: str | None, min_steps: int, cache: Path | None, as_json: bool
) -> None:
    """Take in series measured elsewhere: FILE is .npy, .npz or .parquet with [prompts, units, steps], NaN past an end.

    What is imported has everything a capture has but ablation.

    \b
    Example:  synergy-tui import activity.npy --units units.csv
    """
    from synergy_tui.settings import user_path
    from synergy_tui.store import incoming, load
    from synergy_tui.store.cache import Cache

    opened = Cache.open(_writable(cache))
    table = user_path(units) if units else None
    capture_id = incoming.import_file(opened, user_path(file), table, name=name, min_steps=min_steps)
    found = load.one(opened, "capture", capture_id)
    if as_json:
        return print_json(found | {"units": found["layers"] * found["units_per_layer"]})
    click.echo(f"capture {capture_id}: {found['valid_prompts']} of {found['prompts']} responses long enough")
    print_next(opened, [f"synergy-tui decompose {capture_id}"])


def _lab_options(command: Any) -> Any:
    """What `ablate` removes, how, and what it measures beside divergence."""
    shown: Any = {"show_default": True}
    count = click.IntRange(1)
    named = "Removal orders; also RANKING-first and -last, single-units, whole-layers, and marked with --units."
    copy = "New folder for plan.json and a copy of the model with the plan's heads set to zero."
    task_help = "Also answer graded tasks: graded (shipped) or a .jsonl file, about 4 s a condition on 2 cores."
    for option in (
        click.option("--save", type=click.Path(path_type=Path), help=copy),
        click.option("--budget", type=float, help="Also plan: most heads that go together under this divergence."),
        click.option("--answers", is_flag=True, help="Also let the ablated subject answer some prompts by itself."),
        click.option("--tasks", default="", help=task_help),
        click.option("--dtype", type=DTYPE, help="Number type of the model; default: the capture's."),
        click.option("--batch", type=count, default=16, **shown, help="Prompts at a time."),
        click.option("--prompts", type=count, default=12, **shown, help="Prompts replayed."),
        click.option("--reference", type=count, help="Of mean: prompts of its reference set, none of them replayed."),
        click.option("--alpha", type=float, default=1.0, **shown, help="Of noise: σ over the sd of the weights."),
        click.option("--intervention", type=click.Choice(terms.INTERVENTIONS), default="zero", **shown, help="How."),
        click.option("--ranking", default=terms.RANKINGS[0], **shown, help="Ranking behind synergy-first and others."),
        click.option("--fractions", default="0.05,0.1,0.15,0.2,0.25", **shown, help="Fractions of heads removed."),
        click.option("--seeds", type=count, default=20, **shown, help="Seeds of each control."),
        click.option("--units", default="", help="A set of your own, as layer.unit: 3.1,3.4,14.5."),
        click.option("--orders", default=",".join(terms.DEFAULT_ORDERS), **shown, help=named),
    ):
        command = option(command)
    return command


@click.command()
@_lab_options
@job_options
@options(run=True)
def ablate(
    run: str | None,
    latest: bool,
    orders: str,
    units: str,
    fractions: str,
    detach: bool,
    yes: bool,
    cache: Path | None,
    as_json: bool,
    **chosen: Any,
) -> None:
    """Remove heads in order of their synergy, and of controls, and measure what the subject does without them.

    \b
    Example:  synergy-tui ablate --latest --seeds 3 --fractions 0.1,0.25 --prompts 4
    """
    from synergy_tui.jobs import plan
    from synergy_tui.settings import user_path
    from synergy_tui.store import load

    opened = open_cache(cache)
    chosen |= {"orders": _words(orders), "fractions": _numbers(fractions)}
    chosen["save"] = user_path(chosen["save"]) if chosen["save"] else None
    decomposition = load.find(opened, "decomposition", run, latest)
    if units:
        capture = load.one(opened, "capture", load.find(opened, "capture", decomposition))
        chosen["marked"] = plan.numbers_of(_words(units), capture["layers"], capture["units_per_layer"])
        chosen["orders"] = ["marked", *(one for one in chosen["orders"] if one != "marked")]
    jobs = start_chain(cache, [plan.ablate(opened, settings_in_force(cache).data, decomposition, **chosen)], yes)
    if detach:
        return print_jobs(jobs, as_json)
    follow_jobs(jobs)
    found = load.ablation(opened, jobs[0].id)
    if as_json:
        return print_json(found)
    from synergy_tui.drawing import curves, tables

    screen = console()
    if curves.by_line(found["orders"]):
        screen.print(curves.draw(found["orders"], min(screen.width, 100)))
        click.echo(tables.as_text(curves.rows(found["orders"])))
    for title, some in curves.beside(found).items():
        click.echo(f"\n{title}\n{tables.as_text(some)}")
    click.echo(f"\n{found['verdict']}")
    sql = "SELECT removal_order, target, fraction, avg(divergence) FROM ablation_curves"
    if not curves.by_line(found["orders"]):
        sql = "SELECT layer, unit, divergence FROM ablation_sweeps"
        print_next(opened, [f"synergy-tui sql \"{sql} WHERE ablation = '{jobs[0].id}' ORDER BY divergence DESC\""])
        return
    print_next(
        opened, [f"synergy-tui sql \"{sql} WHERE ablation = '{jobs[0].id}' GROUP BY ALL ORDER BY removal_order\""]
    )


def start_chain(cache: Path | None, plans: Sequence[Plan], yes: bool) -> list[JobFolder]:
    """Announces what the plans cost, then submits them, each after the one before; a decomposition that follows a
    capture takes its id."""
    from synergy_tui.jobs.submit import cancel, submit
    from synergy_tui.store.cache import Cache

    folder = Cache.open(_writable(cache)).folder
    for one in plans:
        say(f" {one.kind:<9} will take {one.cost}")
    if not yes:
        ask_before(sum(one.cost.seconds or 0 for one in plans), WORTH_ASKING)
    jobs: list[JobFolder] = []
    for one in plans:
        # What follows a capture decomposes it; decompositions of a finished one wait for nobody.
        before = jobs[-1].id if jobs and not one.spec["capture"] else None
        spec = one.spec | {"capture": before} if before else one.spec
        try:
            jobs.append(submit(folder, one.kind, spec, after=before))
        except SynergyError:
            for started in reversed(jobs):  # half a chain is not what was asked for
                cancel(started)
            raise
    return jobs


def _writable(cache: Path | None) -> Path:
    """The cache folder in force. Raises CacheError when it is an exported run."""
    from synergy_tui.store.archive import is_archive

    folder = settings_in_force(cache).cache
    if is_archive(folder):
        raise CacheError(f"{folder} is an exported run and stays as it is", "use --cache with a cache folder")
    return folder


def follow_jobs(jobs: Sequence[JobFolder]) -> None:
    from synergy_tui.jobs.follow import follow

    with printer() as shown:
        follow(jobs, shown.show)


def _lags(text: str) -> list[int]:
    lags = [int(part) for part in text.split(",") if part.strip().isascii() and part.strip().isdigit()]
    if len(lags) != len(text.split(",")) or min(lags, default=0) < 1:
        raise UsageError(f"--lag {text!r} is no list of whole steps above 0", "give it as 1 or 1,2,5")
    return list(dict.fromkeys(lags))


def _words(text: str) -> list[str]:
    return list(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))


def _numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise UsageError(f"--fractions {text!r} are no numbers", "give them as 0.1,0.25") from None
