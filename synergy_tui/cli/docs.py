"""docs: the documentation that ships with an installation."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from synergy_tui.cli.common import print_json, say
from synergy_tui.cli.manner import manners
from synergy_tui.errors import SynergyError, UsageError

SITE = Path(__file__).parent.parent / "_site"
"""The built pages. A wheel has them; in a checkout `make docs` builds them."""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the path as JSON, and open nothing.")
@manners
@click.argument("page", required=False)
def docs(page: str | None, as_json: bool) -> None:
    """Open the documentation in a browser, offline: its start, or a PAGE such as claims or reference/keys. Without a
    browser or a terminal, print the path of the page.

    \b
    Example:  synergy-tui docs reading-maps
    """
    path = _path(page)
    if as_json:
        print_json({"path": str(path)})
        return
    click.echo(path)
    if sys.stdout.isatty() and not _opened(path):
        say("no browser was found; open this path in one")


def _path(page: str | None) -> Path:
    """The file of a page. Raises SynergyError, UsageError."""
    if not (SITE / "index.html").exists():
        raise SynergyError(
            "this installation has no built documentation",
            "make docs builds it in a checkout; docs/ there holds the same pages as Markdown",
        )
    pages = {one.relative_to(SITE).with_suffix("").as_posix(): one for one in SITE.rglob("*.html") if one.stem != "404"}
    name = (page or "index").removesuffix(".html").removesuffix(".md")
    found = pages.get(name) or pages.get(f"reference/{name}")
    if found is None:
        raise UsageError(f"the documentation has no page {name!r}", f"give one of {', '.join(sorted(pages))}")
    return found


def _opened(path: Path) -> bool:
    """Opens a file in a browser; whether one could be started."""
    import webbrowser

    try:
        return webbrowser.open(path.as_uri())
    except (webbrowser.Error, OSError):
        return False
