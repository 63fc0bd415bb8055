"""jobs list, show, watch, logs, cancel, pause, resume, work, script, clean."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from synergy_tui.cli.common import (
    open_cache,
    options,
    print_json,
    print_place,
    print_table,
    printer,
    say,
    settings_in_force,
)
from synergy_tui.cli.manner import manners
from synergy_tui.cli.starting import executor_in_force, executor_options
from synergy_tui.errors import JobError, UsageError
from synergy_tui.settings import user_path

if TYPE_CHECKING:
    from synergy_tui.jobs.folder import JobFolder


ACTIVE = ("queued", "running")


@click.group()
@manners
def jobs() -> None:
    """List, watch, pause, resume and cancel jobs."""


@jobs.command("list")
@click.option("--all", "every", is_flag=True, help="Also the jobs that sweeps have started, a line for each.")
@options()
def list_(every: bool, cache: Path | None, as_json: bool) -> None:
    """All jobs of the cache, oldest first. A sweep is one line; with --json all jobs are listed.

    \b
    Example:  synergy-tui jobs list
    """
    from synergy_tui.drawing import status
    from synergy_tui.jobs import folder

    found = [_row(job) for job in folder.every(_place(cache))]
    if as_json:
        return print_json(found)
    if not found:
        return click.echo("There are no jobs. Try: synergy-tui run smollm2")
    if not every:
        found = _folded(found)
    rows = [
        {
            "id": row["id"],
            "kind": row.get("kind"),
            "state": row["state"],
            "done": f"{row.get('progress') or 0:.0%}",
            "rate": status.rate(row),
            "left": status.time_left(row),
            "made": time.strftime("%Y-%m-%d %H:%M", time.localtime(row.get("created") or 0)),
            "after": status.unstarted(row).removeprefix("synergy-tui ") or row.get("after"),
            "error": row.get("error") or status.silence(row),
        }
        for row in found
    ]
    print_table(rows, spare=("made", "rate", "after"))


@jobs.command()
@click.argument("job")
@click.option("--recipe", is_flag=True, help="The command that makes its result anew.")
@options()
def show(job: str, recipe: bool, cache: Path | None, as_json: bool) -> None:
    """Show what a job does and how far it is, and for a sweep its cells and their results; with --recipe the command
    that remakes its result, even after the job itself was removed.

    \b
    Example:  synergy-tui jobs show c3f9a1b2 --recipe
    """
    if recipe:
        from synergy_tui.store import load

        if (command := _of_sweep(cache, job)) is not None:  # it has no row in the catalogue: its cells have
            return print_json({"result": job, "command": command, "before": []}) if as_json else click.echo(command)
        *before, this = load.recipe(open_cache(cache), job)
        if as_json:
            return print_json(this | {"before": before})
        # The shell takes the lines before the command for comments.
        return click.echo("\n".join([*(f"# {one['result']}: {one['command']}" for one in before), this["command"]]))
    from synergy_tui.jobs import cells
    from synergy_tui.jobs.specs import SweepSpec

    found = _job(cache, job)
    told, spec = found.status(), found.order().spec
    from synergy_tui.drawing import status
    from synergy_tui.jobs import held

    parts = [one.as_dict() for one in held.holders(found)] if told["state"] == "running" else []
    of_cells = {"cells": cells.rows(found, spec, told["state"])} if isinstance(spec, SweepSpec) else {}
    if as_json:
        content = {"status": told, "spec": {"kind": spec.KIND, **spec.to_json()}, "folder": str(found.path)}
        return print_json(content | {"at_work": parts} | of_cells)
    print_place(status.as_text(told, spec.to_json(), str(found.path), parts), found.path)
    if of_cells:
        from synergy_tui.cli.sweep import print_cells

        click.echo()
        print_cells(of_cells["cells"])


@jobs.command()
@click.argument("job", required=False)
@options()
def watch(job: str | None, cache: Path | None, as_json: bool) -> None:
    """Follow a job to its end, or all that are under way. Ctrl-C stops watching, not the jobs.

    \b
    Example:  synergy-tui jobs watch c3f9a1b2
    """
    from synergy_tui.jobs import folder, follow

    place = _place(cache)
    found = [folder.find(place, job)] if job else [one for one in folder.every(place) if _row(one)["state"] in ACTIVE]
    if not found:
        say("No job is under way.")
    with printer() as shown:
        follow.watch(found, shown.show)
    if as_json:
        print_json(found[0].status() if job else [one.status() for one in found])


@jobs.command()
@click.argument("job")
@click.option("--follow", "-f", is_flag=True, help="Go on until the job has ended.")
@options()
def logs(job: str, follow: bool, cache: Path | None, as_json: bool) -> None:
    """Print what a job's worker printed.

    \b
    Example:  synergy-tui jobs logs c3f9a1b2 --follow
    """
    found = _job(cache, job)
    if as_json:
        return print_json({"id": found.id, "log": found.log_from(0).decode("utf-8", "replace")})
    told = 0
    while True:
        state = _row(found)["state"]
        new = found.log_from(told)
        told += len(new)
        click.echo(new.decode("utf-8", "replace"), nl=False)
        if not follow or state not in ACTIVE:
            return
        time.sleep(0.2)


@jobs.command()
@click.argument("job")
@click.option("--chain", is_flag=True, help="All jobs that wait for it, and those that it waits for.")
@options()
def cancel(job: str, chain: bool, cache: Path | None, as_json: bool) -> None:
    """Stop a job; its finished parts stay.

    \b
    Example:  synergy-tui jobs cancel c3f9a1b2
    """
    from synergy_tui.jobs import folder, submit

    found = _job(cache, job)
    if chain:
        place = _place(cache)
        ids = submit.cancel_all(place, submit.linked([one.status() for one in folder.every(place)], found.id))
        if as_json:
            return print_json({"cancelled": ids})
        return click.echo(f"{len(ids)} jobs stop. Their finished parts stay.")
    submit.cancel(found)
    if as_json:
        return print_json(found.status())
    click.echo(f"{found.id} stops. Its finished parts stay: synergy-tui jobs resume {found.id}")


@jobs.command()
@click.argument("job")
@options()
def pause(job: str, cache: Path | None, as_json: bool) -> None:
    """End a job's worker until the job is resumed. Memory and device are free meanwhile; jobs that wait for it wait on.

    \b
    Example:  synergy-tui jobs pause c3f9a1b2
    """
    from synergy_tui.jobs import submit

    found = _job(cache, job)
    submit.pause(found)
    if as_json:
        return print_json(found.status())
    click.echo(f"{found.id} is paused. It goes on with: synergy-tui jobs resume {found.id}")


@jobs.command()
@click.argument("job")
@click.option("--batch", type=click.IntRange(1), help="Prompts at a time from now on: fewer need less memory.")
@executor_options
@options()
def resume(job: str, batch: int | None, cache: Path | None, as_json: bool) -> None:
    """Go on with a job that stopped or was paused, and with those that waited for it. With options of an executor, that
    executor does the rest of it; its finished parts stay.

    \b
    Example:  synergy-tui jobs resume c3f9a1b2 --executor slurm
    """
    from synergy_tui.jobs import reach, submit

    found = _job(cache, job)
    found.status()  # raises the right error for a damaged folder
    order = found.order()
    executor = executor_in_force(order.executor)
    reach.check(executor, [order.spec], found.cache)
    chain = [one.id for one in submit.resume(found.cache, found, batch, executor)]
    if as_json:
        return print_json({"queued": chain, **found.status()})
    click.echo(f"{', '.join(chain)} queued. Follow it: synergy-tui jobs watch {chain[-1]}")


@jobs.command()
@click.argument("job")
@options()
def work(job: str, cache: Path | None, as_json: bool) -> None:
    """Work on a job here until it is done: as its worker if it has none, otherwise as that worker's helper. Any number
    of these may run, on all hosts that share the cache; a part that one was making when it was killed is made again.
    JOB is an id or the job's folder.

    \b
    Example:  synergy-tui jobs work c3f9a1b2
    """
    from synergy_tui.jobs import processes
    from synergy_tui.jobs.folder import RESTING
    from synergy_tui.settings import worker_environment

    found = _placed(cache, job)
    if (state := found.status()["state"]) in RESTING:
        raise JobError(f"job {found.id} is {state}", f"synergy-tui jobs resume {found.id} --executor none, then this")
    if as_json:
        raise UsageError("jobs work prints what it does", "jobs show has --json")
    processes.become(["synergy_tui.jobs.worker", str(found.path), "--join"], worker_environment(found.cache))


@jobs.command()
@click.argument("job")
@executor_options
@options()
def script(job: str, cache: Path | None, as_json: bool) -> None:
    """Print a script for sbatch whose tasks work on a job, for users without submitit or with another scheduler.

    \b
    Example:  synergy-tui jobs script c3f9a1b2 --workers 8 --slurm-gres gpu:1 > job.sh
    """
    from synergy_tui.jobs.script import sbatch

    found = _placed(cache, job)
    text = sbatch(found.id, found.path, executor_in_force(found.order().executor))
    click.echo(json.dumps({"script": text}) if as_json else text)


@jobs.command()
@click.argument("job", required=False)
@click.option("--older", type=click.FloatRange(0), default=0.0, help="Only jobs done at least so many days ago.")
@options()
def clean(job: str | None, older: float, cache: Path | None, as_json: bool) -> None:
    """Remove the folders of done jobs (their results stay), or of one job that has no worker. When a job starts,
    folders of jobs done 30 days ago are removed without a command.

    \b
    Example:  synergy-tui jobs clean --older 7
    """
    from synergy_tui.jobs import folder, submit

    place = _place(cache)
    if job:
        doomed = [folder.find(place, job)]
        submit.remove(doomed[0])
    else:
        doomed = submit.tidy(place, older * 86_400)
    if as_json:
        return print_json([one.id for one in doomed])
    click.echo(f"{len(doomed)} job folders removed.")


def _job(cache: Path | None, job: str) -> JobFolder:
    from synergy_tui.jobs import folder

    return folder.find(_place(cache), job)


def _placed(cache: Path | None, job: str) -> JobFolder:
    """A job by its id, or by its folder, which a scheduler passes to another host."""
    from synergy_tui.jobs.folder import JobFolder

    if os.sep in job and (path := user_path(job)).is_dir():
        return JobFolder(path.resolve())
    return _job(cache, job)


def _of_sweep(cache: Path | None, job: str) -> str | None:
    """The command of a sweep; None if the id belongs to something else."""
    from synergy_tui.jobs import folder
    from synergy_tui.jobs.specs import SweepSpec

    if not job.startswith(SweepSpec.LETTER):
        return None
    try:
        spec = folder.find(_place(cache), job).order().spec
    except (JobError, UsageError):
        return None
    return spec.remake() if isinstance(spec, SweepSpec) else None


def _folded(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The list without the jobs of listed sweeps: a sweep says how many of its cells are done."""
    sweeps = {row["id"] for row in found if row.get("kind") == "sweep"}
    return [row for row in found if row.get("sweep") not in sweeps]


def _place(cache: Path | None) -> Path:
    """The cache folder. Jobs are read without the catalogue, which another process may hold."""
    place = settings_in_force(cache).cache
    if place.exists() and not place.is_dir():
        raise UsageError(f"{place} is not a folder", "use --cache with a cache folder")
    return place


def _row(job: JobFolder) -> dict[str, Any]:
    """A job's status; a damaged folder is a failed job that says so."""
    try:
        return job.status()
    except JobError as error:
        return {"id": job.id, "kind": "", "state": "failed", "stage": "", "progress": 0.0, "error": str(error)}
