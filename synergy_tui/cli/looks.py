"""How the explorer looks: options of the program and of `explore`."""

from __future__ import annotations

from typing import Any

import click

from synergy_tui.cli.manner import coloured, manners
from synergy_tui.settings import THEMES


def looks(command: Any) -> Any:
    """How the explorer looks, --color, --theme and --ascii, and what every command has."""
    command = manners(command)
    command = click.option("--ascii", is_flag=True, help="The explorer in signs of ASCII alone.")(command)
    command = click.option("--theme", type=click.Choice(THEMES), show_default="the last one", help="Its theme.")(
        command
    )
    return coloured(command)
