"""completion: what a shell needs to complete commands and options."""

from __future__ import annotations

import click

from synergy_tui.cli.manner import manners


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@manners
def completion(shell: str) -> None:
    """Print the script that completes commands and options in SHELL.

    \b
    Example:  synergy-tui completion bash >> ~/.bashrc
              synergy-tui completion zsh >> ~/.zshrc
              synergy-tui completion fish > ~/.config/fish/completions/synergy-tui.fish
    """
    from click.shell_completion import get_completion_class

    from synergy_tui.cli import commands

    found = get_completion_class(shell)
    assert found is not None  # one of the three that click knows
    click.echo(found(commands, {}, "synergy-tui", "_SYNERGY_TUI_COMPLETE").source())
