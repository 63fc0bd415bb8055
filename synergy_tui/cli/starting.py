"""Starts chains of jobs from a command: prints their cost, asks a person before long ones, and follows them to their
end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from synergy_tui.cli.common import ask_before, open_cache, printer, say, settings_in_force, warn, writable
from synergy_tui.cli.fields import all_made, field_option
from synergy_tui.errors import SynergyError
from synergy_tui.jobs.specs.capture import CaptureRequest
from synergy_tui.jobs.specs.decompose import DecomposeRequest
from synergy_tui.jobs.specs.executor import Executor
from synergy_tui.jobs.specs.fields import fields

if TYPE_CHECKING:
    from synergy_tui.jobs.folder import JobFolder
    from synergy_tui.jobs.plan import Link, Plan
    from synergy_tui.jobs.specs import CaptureSpec

WORTH_ASKING = 1800.0
"""Seconds above which a person at a terminal is asked before jobs start."""


def job_options(command: Any) -> Any:
    """Options of every command that starts jobs."""
    for option in (
        click.option("--yes", is_flag=True, help="Do not ask before a long job."),
        click.option("--detach", is_flag=True, help="Return at once with the id; the job goes on."),
    ):
        command = option(command)
    return executor_options(command)


EXECUTOR = "synergy_tui.executor"


def executor_options(command: Any) -> Any:
    """Where jobs are done. The values do not reach the command: executor_in_force has them."""
    for field in reversed(fields(Executor)):
        command = field_option(field, expose_value=False, callback=_note_executor)(command)
    return command


def _note_executor(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    context.meta.setdefault(EXECUTOR, {})[parameter.name] = value


def executor_in_force(before: Executor | None = None) -> Executor:
    """The executor by the command's options; `before`, or config.toml, says what they leave open. Raises
    UsageError."""
    given = click.get_current_context().meta.get(EXECUTOR, {})
    given = {
        one.name: tuple(part for some in value for part in some) if one.option.repeat and value else value
        for one in fields(Executor)
        if (value := given.get(one.name)) is not None
    }
    return Executor.chosen(given, before or Executor.of_settings(settings_in_force(None).executor))


def start_plans(cache: Path | None, plans: Sequence[Plan[Any]], yes: bool) -> list[JobFolder]:
    """Starts jobs that do not take each other's results."""
    from synergy_tui.jobs.plan import Link

    return start_chains(cache, [[Link("", one)] for one in plans], yes)


def start_chains(cache: Path | None, chains: Sequence[Sequence[Link]], yes: bool) -> list[JobFolder]:
    """Announces what the chains cost, asks once, then starts them. Returns their jobs."""
    from synergy_tui.jobs import chain

    opened, executor = writable(cache), executor_in_force()
    waiting = [one.plan for links in chains for one in links if one.found is None]
    told: set[str] = set()
    for one in waiting:
        say(f" {one.spec.KIND:<9} will take {one.cost}")
        for note in one.notes:
            if note not in told:
                say(f" {'':<9} {note}")
        told.update(one.notes)
    if not yes:
        ask_before(sum(one.cost.seconds or 0 for one in waiting), WORTH_ASKING)
    jobs: list[JobFolder] = []
    for links in chains:
        jobs += chain.started(opened, links, chain.start(opened, links, executor=executor))
    return jobs


def captures(cache: Path | None, request: CaptureRequest) -> list[Plan[CaptureSpec]]:
    """The captures that `run` and `capture` make."""
    from synergy_tui.jobs import plan

    opened = open_cache(cache) if request.replay else None
    return plan.captures(settings_in_force(cache).data, request, opened)


def with_maps(captured: Plan[CaptureSpec], chosen: dict[str, Any]) -> list[Link]:
    """A capture and its decompositions by the options of `decompose`, as a chain."""
    from synergy_tui.jobs import plan

    return plan.with_maps(captured, all_made(DecomposeRequest, chosen))


def follow_jobs(jobs: Sequence[JobFolder], lost: Callable[[SynergyError], None] | None = None) -> None:
    """Draws the stages of jobs until all have ended. lost: takes the failure of one instead of raising it."""
    from synergy_tui.jobs.follow import follow

    if executor_in_force().executor == "none":
        for job in jobs:
            say(f"No worker was started. Work on it: synergy-tui jobs work {job.id}")
        raise click.exceptions.Exit(0)
    with printer() as shown:
        follow(jobs, shown.show, lost)


def tell(error: SynergyError) -> None:
    """Prints a failure that does not end the command."""
    warn(f"synergy-tui: {error}")
