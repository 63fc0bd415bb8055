"""The commands: parse, call one function, print. What costs more than a few milliseconds is imported in them.

measure.py  run, capture, import, decompose, ablate: start jobs and show what they made
difficulty.py  difficulty: the chain over a ladder
claims.py   claims, networks: verdicts on a run
compare.py  runs side by side
controls.py run --control: the same architecture with random weights
look.py     explore, show, sql, export, doctor, bench
subjects.py subjects list, show, pull
jobs.py     jobs list, show, watch, logs, cancel, pause, resume, clean
cache.py    cache info, check, compact, gc, delete
common.py   the options and the printing they share
"""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from synergy_tui import __version__
from synergy_tui.cli import cache, claims, compare, difficulty, jobs, look, measure, renew, subjects
from synergy_tui.cli.common import say
from synergy_tui.errors import SynergyError


@click.group(
    invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, message="synergy-tui %(version)s")
@click.option("--cache", type=click.Path(path_type=Path), help="Cache folder.")
@look.looks
@click.pass_context
def commands(context: click.Context, cache: Path | None, **looks: Any) -> None:
    """Where in this language model is information integrated, where is it merely repeated, and does it matter?

    \b
    Try:  synergy-tui run smollm2 --prompts 12 --steps 48
    """
    if context.invoked_subcommand is None:
        if sys.stdin.isatty() and sys.stdout.isatty():
            context.invoke(look.explore, cache=cache, **looks)
        else:  # a pipe gets the map as text
            context.invoke(look.show, cache=cache)


for command in (
    *(measure.run, measure.capture, measure.import_, measure.decompose, measure.ablate, difficulty.difficulty),
    *(claims.claims, claims.networks, compare.compare, renew.renew),
    *(look.explore, look.show, look.sql, look.export, look.doctor, look.bench),
    *(subjects.subjects, jobs.jobs, cache.cache),
):
    commands.add_command(command)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command `synergy-tui`. Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted. `--debug` anywhere lets
    errors through with their traceback."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in arguments
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that cannot show ΦID still gets its numbers
    try:
        commands.main([one for one in arguments if one != "--debug"], prog_name="synergy-tui", standalone_mode=False)
        sys.stdout.flush()
    except SynergyError as error:
        if debug:
            raise
        say(f"synergy-tui: {error}")
        return error.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return 2
    except click.ClickException as error:
        context = error.ctx if isinstance(error, click.UsageError) else None
        where = context.command_path if context else "synergy-tui"
        say(f"synergy-tui: {' '.join(error.format_message().split())} · {where} --help")
        return 2
    except (click.Abort, KeyboardInterrupt):
        return 130
    except OSError as error:
        if debug:
            raise
        if error.errno != errno.EPIPE:
            say(f"synergy-tui: {error.strerror or error} · free space, or check where the output goes")
        # What is still buffered must not complain at shut-down.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0 if error.errno == errno.EPIPE else 1
    except Exception as error:  # the last resort: a user never sees a traceback unasked
        if debug:
            raise
        say(f"synergy-tui: unexpected {type(error).__name__}: {error} · run it again with --debug and report it")
        return 1
    return 0
