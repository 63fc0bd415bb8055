"""How the explorer looks: options of the program and of `explore`."""

from __future__ import annotations

from typing import Any

import click

from synergy_tui.cli.manner import coloured, manners


def looks(command: Any) -> Any:
    """--color, --theme and --ascii, which say how the explorer looks, and the options that every command has."""
    command = manners(command)
    command = click.option("--ascii", is_flag=True, help="Draw the explorer in ASCII signs only.")(command)
    what = "dark, light, ansi (the terminal's own colours), one of Textual's, or one of yours."
    command = click.option("--theme", metavar="NAME", show_default="the last one", help=what)(command)
    return coloured(command)
