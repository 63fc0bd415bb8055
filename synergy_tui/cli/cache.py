"""cache info, check, compact, gc, delete."""

from __future__ import annotations

from pathlib import Path

import click

from synergy_tui.cli.common import open_cache, options, print_json, print_place, print_table
from synergy_tui.cli.manner import manners
from synergy_tui.errors import SynergyError


@click.group()
@manners
def cache() -> None:
    """Look at, check and tidy the cache."""


@cache.command()
@options()
def info(cache: Path | None, as_json: bool) -> None:
    """The runs in the cache and the disk they take.

    \b
    Example:  synergy-tui cache info
    """
    from synergy_tui.store import check, load

    opened = open_cache(cache)
    found, sizes, of_run = load.overview(opened), check.sizes(opened), check.sizes_of_runs(opened)
    for row in found:
        row["bytes"] = of_run.get(row["capture"], 0) + of_run.get(row["decomposition"], 0)
    if as_json:
        return print_json({"folder": str(opened.folder), "runs": found, "bytes": sizes})
    held = ", ".join(f"{name} {size / 1e6:.1f} MB" for name, size in sizes.items())
    print_place(f"{opened.folder}: {held}", opened.folder)
    found = [row | {"bytes": f"{row['bytes'] / 1e6:.1f} MB"} for row in found]
    if not found:
        return click.echo("There are no runs. Try: synergy-tui run smollm2")
    print_table(found, spare=("ablations", "steps", "heads", "tasks", "method", "prompts", "bytes"))


@cache.command("check")
@options()
def check_(cache: Path | None, as_json: bool) -> None:
    """Read every file, report damage, remove files that belong to no run, point the views at the folder as it is now.

    \b
    Example:  synergy-tui cache check
    """
    from synergy_tui.store import check

    opened = open_cache(cache)
    problems = check.check(opened)
    if as_json:
        print_json({"folder": str(opened.folder), "problems": problems})
    else:
        click.echo("\n".join(problems) if problems else f"{opened.folder} is whole.")
    if problems:
        raise SynergyError(f"{len(problems)} problems found", "synergy-tui cache delete RUN removes a damaged run")


@cache.command()
@options()
def compact(cache: Path | None, as_json: bool) -> None:
    """Write the catalogue anew, without the space that deleted runs left.

    \b
    Example:  synergy-tui cache compact
    """
    before, after = open_cache(cache).compact()
    if as_json:
        return print_json({"before": before, "after": after})
    click.echo(f"The catalogue had {before / 1e6:.1f} MB and has {after / 1e6:.1f} MB.")


@cache.command()
@options()
def gc(cache: Path | None, as_json: bool) -> None:
    """Remove parts of done jobs, jobs done long ago, and files of work that was killed. Results stay.

    \b
    Example:  synergy-tui cache gc
    """
    from synergy_tui.jobs import tidy

    freed = tidy.collect(open_cache(cache))
    if as_json:
        return print_json(freed)
    told = [f"{what} {size / 1e6:.1f} MB" for what, size in freed.items() if size]
    click.echo("Removed " + ", ".join(told) + "." if told else "There was nothing to remove.")


@cache.command()
@click.argument("run")
@options()
def delete(run: str, cache: Path | None, as_json: bool) -> None:
    """Remove a run with everything made from it.

    \b
    Example:  synergy-tui cache delete c3f9a1b2
    """
    from synergy_tui.store import publish

    removed = publish.delete(open_cache(cache), run)
    if as_json:
        return print_json(removed)
    click.echo("Removed " + ", ".join(f"{count} {kind}s" for kind, count in removed.items() if count) + ".")
