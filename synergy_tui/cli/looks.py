"""How the explorer looks: options of the program and of `explore`."""

from __future__ import annotations

from typing import Any

import click

from synergy_tui.cli.manner import coloured, manners


def looks(command: Any) -> Any:
    """How the explorer looks, --color, --theme and --ascii, and what every command has."""
    command = manners(command)
    command = click.option("--ascii", is_flag=True, help="The explorer in signs of ASCII alone.")(command)
    what = "dark, light, ansi (the terminal's own colours), one of Textual's, or one of yours."
    command = click.option("--theme", metavar="NAME", show_default="the last one", help=what)(command)
    return coloured(command)
