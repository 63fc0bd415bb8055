"""How much is printed, and in which colours: --quiet and --no-color of every command, --color of the program and of the
explorer."""

from __future__ import annotations

from typing import Any

import click

from synergy_tui.settings import COLOURS

QUIET, COLOUR = "synergy-tui.quiet", "synergy-tui.colour"
"""Where a context and all contexts in it keep these options."""


def manners(command: Any) -> Any:
    """--quiet and --no-color. They may stand before or after the command's name."""
    command = click.option(
        "--no-color",
        "no_colour",
        is_flag=True,
        expose_value=False,
        is_eager=True,
        callback=_no_colour,
        help="No colours, as with NO_COLOR=1.",
    )(command)
    return click.option(
        "-q",
        "--quiet",
        is_flag=True,
        expose_value=False,
        is_eager=True,
        callback=_quiet,
        help="No progress and no hints: only results and errors.",
    )(command)


def coloured(command: Any) -> Any:
    """--color."""
    return click.option(
        "--color",
        "colour",
        type=click.Choice(COLOURS),
        expose_value=False,
        callback=_colour,
        show_default="what TERM says",
        help="Its colours.",
    )(command)


def quiet() -> bool:
    """Whether only results and errors are wanted."""
    return bool(_asked(QUIET))


def colour() -> str | None:
    """One of COLOURS that the command was given; None if the settings and the terminal decide."""
    return _asked(COLOUR)


def _asked(what: str) -> Any:
    context = click.get_current_context(silent=True)
    return context.meta.get(what) if context else None


def _quiet(context: click.Context, option: click.Parameter, given: bool) -> None:
    if given:
        context.meta[QUIET] = True


def _no_colour(context: click.Context, option: click.Parameter, given: bool) -> None:
    _colour(context, option, "none" if given else None)


def _colour(context: click.Context, option: click.Parameter, given: str | None) -> None:
    if given:
        context.meta[COLOUR] = given
        context.color = given != "none"  # for what click itself writes
