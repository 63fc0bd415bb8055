"""jobs list, show, watch, logs, cancel, resume, clean."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from synergy_tui.cli.common import options, print_json, printer, settings_in_force
from synergy_tui.errors import JobError, UsageError

if TYPE_CHECKING:
    from synergy_tui.jobs.folder import JobFolder


@click.group()
def jobs() -> None:
    """List, watch, cancel and resume jobs."""


@jobs.command("list")
@options()
def list_(cache: Path | None, as_json: bool) -> None:
    """All jobs of the cache, oldest first.

    \b
    Example:  synergy-tui jobs list
    """
    from synergy_tui.drawing import tables
    from synergy_tui.jobs import folder

    found = [_row(job) for job in folder.every(_place(cache))]
    if as_json:
        return print_json(found)
    if not found:
        return click.echo("There are no jobs. Try: synergy-tui run smollm2")
    rows = [
        {
            "id": row["id"],
            "kind": row.get("kind"),
            "state": row["state"],
            "done": f"{row.get('progress') or 0:.0%}",
            "made": time.strftime("%Y-%m-%d %H:%M", time.localtime(row.get("created") or 0)),
            "after": row.get("after"),
            "error": row.get("error"),
        }
        for row in found
    ]
    click.echo(tables.as_text(rows))


@jobs.command()
@click.argument("job")
@options()
def show(job: str, cache: Path | None, as_json: bool) -> None:
    """What a job does and how far it is.

    \b
    Example:  synergy-tui jobs show c3f9a1b2
    """
    found = _job(cache, job)
    print_json({"status": found.status(), "spec": found.spec(), "folder": str(found.path)})


@jobs.command()
@click.argument("job")
@options()
def watch(job: str, cache: Path | None, as_json: bool) -> None:
    """Follow a job to its end. Ctrl-C stops watching, not the job.

    \b
    Example:  synergy-tui jobs watch c3f9a1b2
    """
    from synergy_tui.jobs import follow

    found = _job(cache, job)
    with printer() as shown:
        follow.watch([found], shown.show)
    if as_json:
        print_json(found.status())


@jobs.command()
@click.argument("job")
@options()
def logs(job: str, cache: Path | None, as_json: bool) -> None:
    """What a job's worker printed.

    \b
    Example:  synergy-tui jobs logs c3f9a1b2
    """
    found = _job(cache, job)
    text = found.log.read_text("utf-8", "replace") if found.log.exists() else ""
    if as_json:
        return print_json({"id": found.id, "log": text})
    click.echo(text, nl=False)


@jobs.command()
@click.argument("job")
@options()
def cancel(job: str, cache: Path | None, as_json: bool) -> None:
    """Stop a job; its finished parts stay.

    \b
    Example:  synergy-tui jobs cancel c3f9a1b2
    """
    from synergy_tui.jobs import submit

    found = _job(cache, job)
    submit.cancel(found)
    if as_json:
        return print_json(found.status())
    click.echo(f"{found.id} stops. Its finished parts stay: synergy-tui jobs resume {found.id}")


@jobs.command()
@click.argument("job")
@options()
def resume(job: str, cache: Path | None, as_json: bool) -> None:
    """Go on with a job that stopped, and with those that waited for it.

    \b
    Example:  synergy-tui jobs resume c3f9a1b2
    """
    from synergy_tui.jobs import submit

    found = _job(cache, job)
    chain = [one.id for one in submit.resume(found.cache, found)]
    if as_json:
        return print_json({"queued": chain, **found.status()})
    click.echo(f"{', '.join(chain)} queued. Follow it: synergy-tui jobs watch {chain[-1]}")


@jobs.command()
@click.argument("job", required=False)
@options()
def clean(job: str | None, cache: Path | None, as_json: bool) -> None:
    """Remove the folders of done jobs (their results stay), or of one job that has no worker.

    \b
    Example:  synergy-tui jobs clean
    """
    from synergy_tui.jobs import folder, submit

    place = _place(cache)
    all_done = [one for one in folder.every(place) if _row(one)["state"] == "done"]
    doomed = [folder.find(place, job)] if job else all_done
    for one in doomed:
        submit.remove(one)
    if as_json:
        return print_json([one.id for one in doomed])
    click.echo(f"{len(doomed)} job folders removed.")


def _job(cache: Path | None, job: str) -> JobFolder:
    from synergy_tui.jobs import folder

    return folder.find(_place(cache), job)


def _place(cache: Path | None) -> Path:
    """The cache folder. Jobs are told without the catalogue, which somebody may hold."""
    place = settings_in_force(cache).cache
    if place.exists() and not place.is_dir():
        raise UsageError(f"{place} is no folder", "use --cache with a cache folder")
    return place


def _row(job: JobFolder) -> dict[str, Any]:
    """A job's status; a damaged folder is a failed job that says so."""
    try:
        return job.status()
    except JobError as error:
        return {"id": job.id, "kind": "", "state": "failed", "stage": "", "progress": 0.0, "error": str(error)}
