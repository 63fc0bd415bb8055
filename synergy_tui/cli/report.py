"""report: a run as one page that can be sent to somebody."""

from __future__ import annotations

from pathlib import Path

import click

from synergy_tui import terms
from synergy_tui.cli.common import open_cache, options, print_json, saved
from synergy_tui.errors import UsageError


@click.command()
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), show_default="RUN.html", help="The file that is written."
)
@click.option("--markdown", is_flag=True, help="Write Markdown, with the figures in a folder beside it.")
@click.option("--force", is_flag=True, help="Write over what is there.")
@click.option("--ranking", default=terms.RANKINGS[0], show_default=True, help=f"One of {', '.join(terms.RANKINGS)}.")
@click.option("--sample", is_flag=True, help="The result that ships with synergy-tui.")
@options(run=True)
def report(
    run: str | None,
    latest: bool,
    output: Path | None,
    markdown: bool,
    force: bool,
    ranking: str,
    sample: bool,
    cache: Path | None,
    as_json: bool,
) -> None:
    """Write all that is known of RUN as one page: claims, maps, figures, doubts, the method for a paper, and the data.
    It needs no network, and holds the texts of prompts and responses.

    \b
    Example:  synergy-tui report --latest -o report.html
    """
    from synergy_tui.report import writing
    from synergy_tui.settings import shipped, user_path
    from synergy_tui.store import load
    from synergy_tui.store.archive import Archive

    if ranking not in terms.RANKINGS:
        raise UsageError(f"no ranking {ranking!r}", f"known: {', '.join(terms.RANKINGS)}")
    opened = Archive.open(shipped("sample")) if sample else open_cache(cache)
    found = load.find(opened, "decomposition", run, latest or sample)
    target = user_path(output or Path(f"{found}.{'md' if markdown else 'html'}"))
    made = writing.write(opened, found, target, ranking=ranking, markdown=markdown, force=force, sample=sample)
    if as_json:
        return print_json({"decomposition": found, "files": [str(path.resolve()) for path in made]})
    saved(target)
