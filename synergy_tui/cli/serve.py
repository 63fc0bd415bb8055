"""serve: the explorer in a browser."""

from __future__ import annotations

import asyncio
import shlex
import socket
import sys
from pathlib import Path

import click

from synergy_tui.cli import manner
from synergy_tui.cli.common import open_cache, print_json, say, settings_in_force
from synergy_tui.cli.looks import looks
from synergy_tui.errors import UsageError, with_extra


@click.command()
@looks
@click.option("--port", type=click.IntRange(1, 65_535), show_default="one that is free", help="Port on 127.0.0.1.")
@click.option(
    "--idle",
    type=click.FloatRange(0.01, 100_000),
    default=60.0,
    show_default="60",
    help="Minutes without a page until it ends.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the address as JSON.")
@click.option("--cache", type=click.Path(path_type=Path), help="Cache folder.")
@click.option("--latest", is_flag=True, help="The newest finished one.")
@click.argument("run", required=False)
def serve(
    run: str | None,
    latest: bool,
    theme: str | None,
    ascii: bool,
    port: int | None,
    idle: float,
    as_json: bool,
    cache: Path | None,
) -> None:
    """Serve the explorer to a browser on this machine, or through a tunnel to one elsewhere. Whoever has the printed
    address can do all that you can do in the explorer; other requests get no answer.

    \b
    Example:  synergy-tui serve --latest --idle 30
    """
    from synergy_tui.settings import own_package

    settings = settings_in_force(cache)
    if latest:
        from synergy_tui.store import load

        run = load.find(open_cache(cache), "decomposition", None, latest=True)
    arguments = [sys.executable, "-m", "synergy_tui", "explore", "--cache", str(settings.cache)]
    arguments += ["--color", settings.colour] if settings.colour else []
    arguments += ["--theme", theme] if theme else []
    arguments += ["--ascii"] if ascii or settings.ascii else []
    arguments += ["--", run] if run else []
    try:
        from synergy_tui.explorer.served import Explorers
    except ImportError as error:
        needed = with_extra("serve")
        raise UsageError(f"the browser needs textual-serve: {error}", needed) from None

    async def run_it() -> str:
        server = Explorers(arguments, own_package(), port or 0, idle * 60)
        return await server.run(lambda: _tell(server.url, server.port, as_json))

    why = asyncio.run(run_it())
    say(f"Ended: {why}.")


def _tell(url: str, port: int, as_json: bool) -> None:
    """Prints the address, and how to reach it from another machine."""
    host = socket.gethostname()
    tunnel = f"ssh -L {port}:127.0.0.1:{port} {shlex.quote(host)}"
    if as_json:
        print_json({"url": url, "port": port, "tunnel": tunnel})
    else:
        click.echo(url)
    sys.stdout.flush()
    if not manner.quiet() and not as_json:
        say(f"From another machine: {tunnel}   and open the same address there.\nCtrl-C ends it.")
