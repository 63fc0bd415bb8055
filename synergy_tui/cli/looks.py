"""How the explorer looks: options of the program and of `explore`."""

from __future__ import annotations

from typing import Any

import click

from synergy_tui.settings import COLOURS


def looks(command: Any) -> Any:
    """How the explorer looks: --color, --theme and --ascii."""
    command = click.option("--ascii", is_flag=True, help="The explorer in signs of ASCII alone.")(command)
    what = "dark, light, ansi (the terminal's colours), one of Textual's or your own; default: the last one."
    command = click.option("--theme", metavar="NAME", help=what)(command)
    what = "Its colours; default: what TERM says."
    return click.option("--color", "colour", type=click.Choice(COLOURS), help=what)(command)
