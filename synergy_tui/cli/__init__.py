"""The commands: parse, call one function, print. COMMANDS names them; imports that cost more than a few milliseconds
are inside them.

measure.py  run, capture, decompose, ablate: start jobs and show what they made
incoming.py  import: series measured elsewhere
difficulty.py  difficulty: the chain over a ladder
claims.py   claims, networks: verdicts on a run
geometry.py geometry: dimension and alignment of the residual stream
oinfo.py    oinfo: sets of heads against random ones
compare.py  runs side by side
atlas.py    cards of many models
scores.py   scores: other scores of heads
sweep.py    sweep: subjects x tasks x methods x seeds as one job
controls.py run --control: the same architecture with random weights
figure.py   figure: a run as a figure for a paper
look.py     explore, show, sql, export, doctor, bench
report.py   report: a run as one page
serve.py    serve: the explorer in a browser
completion.py  completion
docs.py     docs: the documentation that ships with an installation
man.py      man: the manual page, made from --help
subjects.py subjects list, show, check, pull
jobs.py     jobs list, show, watch, logs, cancel, pause, resume, clean
cache.py    cache info, check, compact, gc, delete
common.py   the options and the printing they share
fields.py   options made from the fields of requests
starting.py chains of jobs, announced, started and followed
looks.py    how the explorer looks
manner.py   how much is printed, and in which colours
told.py     what --help says, at every width
signs.py    ASCII signs for those that a terminal cannot show
"""

from __future__ import annotations

import errno
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from synergy_tui import __version__, settings
from synergy_tui.cli import signs, told
from synergy_tui.cli.common import warn
from synergy_tui.cli.looks import looks
from synergy_tui.errors import SynergyError

SECTIONS: dict[str, dict[str, tuple[str, str]]] = {
    "Measure": {
        "run": ("measure", "Capture SUBJECT, decompose it, show its synergy map."),
        "capture": ("measure", "Record the activity of every unit of SUBJECT over prompts."),
        "import": ("incoming", "Take in series measured elsewhere, or an exported run."),
        "decompose": ("measure", "Decompose all pairs of a capture's heads with ΦID."),
        "ablate": ("measure", "Remove heads in order of their synergy, and of controls."),
        "scores": ("scores", "Score heads by their attention and by gradients."),
        "sweep": ("sweep", "Measure what a plan lists: subjects x tasks x methods x seeds."),
        "difficulty": ("difficulty", "Follow the organisation of SUBJECT from easy to hard tasks."),
    },
    "Judge": {
        "claims": ("claims", "Judge claims of the literature on RUN, or seal a plan."),
        "networks": ("claims", "Measure the networks of synergy and of redundancy in RUN."),
        "geometry": ("geometry", "Measure the dimension and the alignment of each layer's states."),
        "oinfo": ("oinfo", "Measure the O-information of marked heads, or of each layer."),
        "compare": ("compare", "Put runs side by side."),
        "atlas": ("atlas", "Judge the claims over the cards of many models."),
    },
    "Look": {
        "explore": ("look", "Open the explorer."),
        "serve": ("serve", "Serve the explorer to a browser."),
        "show": ("look", "Draw the synergy map of RUN."),
        "sql": ("look", "Ask the cache in SQL."),
        "figure": ("figure", "Draw RUN as a figure for a paper: SVG, PDF or PNG."),
        "report": ("report", "Write a run as one page of HTML or Markdown."),
        "export": ("look", "Write a run as files that other programs read."),
    },
    "Cache": {
        "subjects": ("subjects", "List, show, check and fetch language models."),
        "jobs": ("jobs", "List, watch, pause and cancel what runs in the background."),
        "cache": ("cache", "Show what the cache holds, and keep it whole."),
        "renew": ("renew", "Bring RUN up to date with the method of this version."),
    },
    "Machine": {
        "doctor": ("look", "Check this machine, and say what would be better."),
        "bench": ("look", "Measure how fast this machine is."),
        "completion": ("completion", "Print what completes commands in bash, zsh or fish."),
        "docs": ("docs", "Open the documentation, offline."),
        "man": ("man", "Print the manual page."),
    },
}
"""Commands by purpose: name → its module, and its line in the list of commands. A module is imported when its command
is used, so that no command waits for the others."""

COMMANDS = {name: one for section in SECTIONS.values() for name, one in section.items()}


class Commands(click.Group):
    """The commands of COMMANDS."""

    context_class = told.Context

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """One of them, imported."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"synergy_tui.cli.{COMMANDS[cmd_name][0]}")
        # A function cannot have the name of a command that is a word of Python, such as import.
        found: click.Command = getattr(module, cmd_name, None) or getattr(module, f"{cmd_name}_")
        return told.whole(found)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, without importing them."""
        width = max(map(len, COMMANDS))
        for title, some in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), what) for name, (_, what) in some.items()])


@click.group(
    cls=Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, message="synergy-tui %(version)s")
@click.option("--cache", type=click.Path(path_type=Path), help="Cache folder.")
@looks
@click.pass_context
def commands(context: click.Context, cache: Path | None, **looks: Any) -> None:
    """Where in this language model is information integrated, where is it merely repeated, and does it matter?

    \b
    Try:  synergy-tui run smollm2 --prompts 12 --steps 48
    """
    if context.invoked_subcommand is None:
        from synergy_tui.cli import look

        if sys.stdin.isatty() and sys.stdout.isatty():
            context.invoke(look.explore, cache=cache, **looks)
        else:  # a pipe gets the map as text
            context.invoke(look.show, cache=cache)


def _prepare() -> None:
    """Prepares for streams that are closed or lack UTF-8, and for terminal sizes that make no sense."""
    settings.mend_sizes()
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8"))
    signs.prepare()


def _unread() -> int:
    """The exit code when the reader of standard output has ended: buffered output must not fail at shut-down."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno() if sys.__stdout__ else 1)
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """The command `synergy-tui`. Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted. `--debug` anywhere lets
    errors through with their traceback."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in arguments
    _prepare()
    try:
        commands.main([one for one in arguments if one != "--debug"], prog_name="synergy-tui", standalone_mode=False)
        sys.stdout.flush()
    except SynergyError as error:
        if debug:
            raise
        warn(f"synergy-tui: {error}")
        return error.exit_code
    except SystemExit as error:
        if "PacifyFlush" in type(sys.stdout).__name__:  # how click says that the reader has gone
            return _unread()
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return 2
    except click.ClickException as error:
        context = error.ctx if isinstance(error, click.UsageError) else None
        where = context.command_path if context else "synergy-tui"
        warn(f"synergy-tui: {' '.join(error.format_message().split())} · {where} --help")
        return 2
    except (click.Abort, KeyboardInterrupt):
        return 130
    except OSError as error:
        if debug:
            raise
        if error.errno != errno.EPIPE:
            warn(f"synergy-tui: {error.strerror or error} · free space, or check where the output goes")
        _unread()
        return 0 if error.errno == errno.EPIPE else 1
    except Exception as error:  # the last resort: users see a traceback only if they ask for it
        if debug:
            raise
        warn(f"synergy-tui: unexpected {type(error).__name__}: {error} · run it again with --debug and report it")
        return 1
    return 0
