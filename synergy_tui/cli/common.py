"""The options and the printing that commands share."""

from __future__ import annotations

import errno
import shlex
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from synergy_tui import terms
from synergy_tui.cli import manner, signs
from synergy_tui.errors import CacheError

if TYPE_CHECKING:
    from rich.console import Console

    from synergy_tui.drawing.lines import Look
    from synergy_tui.drawing.progress import StagePrinter
    from synergy_tui.jobs.folder import JobFolder
    from synergy_tui.settings import Settings
    from synergy_tui.store.cache import Cache
    from synergy_tui.store.run import Run


def options(*, run: bool = False) -> Callable[[Any], Any]:
    """--cache, --json, --ascii, --quiet and --no-color, and for commands about a run RUN and --latest."""

    def decorate(command: Any) -> Any:
        if run:
            command = click.option("--latest", is_flag=True, help="The newest finished one.")(command)
            command = click.argument("run", required=False)(command)
        command = manner.manners(command)
        command = click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)
        if not any(one.name == "ascii" for one in getattr(command, "__click_params__", ())):
            command = click.option(
                "--ascii", is_flag=True, expose_value=False, callback=_ascii, help="Draw in ASCII signs only."
            )(command)
        return click.option("--cache", type=click.Path(path_type=Path), help="Cache folder.")(command)

    return decorate


def _ascii(context: click.Context, option: click.Parameter, given: bool) -> None:
    if given:
        signs.prepare(ascii_alone=True)


def settings_in_force(cache: Path | None) -> Settings:
    """The settings; --cache, --color and --no-color may stand before or after the command's name."""
    from dataclasses import replace

    from synergy_tui.settings import load

    found = load(cache or click.get_current_context().find_root().params.get("cache"))
    if found.ascii:
        signs.prepare(ascii_alone=True)
    return replace(found, colour=manner.colour() or found.colour)


def open_cache(cache: Path | None) -> Cache:
    """The cache, or the exported run, in the folder in force."""
    from synergy_tui.store.archive import open_any

    return open_any(settings_in_force(cache).cache)


def writable(cache: Path | None) -> Cache:
    """The cache in force. Raises CacheError when it is an exported run."""
    from synergy_tui.store.archive import is_archive
    from synergy_tui.store.cache import Cache

    folder = settings_in_force(cache).cache
    if is_archive(folder):
        raise CacheError(f"{folder} is an exported run and stays as it is", "use --cache with a cache folder")
    return Cache.open(folder)


def printer() -> StagePrinter:
    """Draws jobs' stages on stderr; nothing with --quiet."""
    from synergy_tui.drawing.progress import StagePrinter

    return StagePrinter(console(stderr=True, quiet=manner.quiet()))


RICH = {"16": "standard"}
"""Colours that have another name in rich."""


def console(**where: Any) -> Console:
    """Standard output, or the output in `where`, with its colours: those that the command was given, also into a pipe;
    none if NO_COLOR or the settings say so; otherwise those of the settings, or of the terminal."""
    from rich.console import Console

    class Whole(Console):
        """Here a reader that has gone is not a failure."""

        def on_broken_pipe(self) -> None:
            raise BrokenPipeError(errno.EPIPE, "the reader has gone")

    def made(system: Any) -> Console:
        # Without a colour system there is no bold and no link either, and maps are drawn in shades.
        return Whole(
            color_system=None if system == "none" else RICH.get(system, system),
            no_color=False,
            highlight=False,
            **where,
        )

    if asked := manner.colour():
        return made(asked)
    kept = settings_in_force(None).colour
    plain = made("auto")
    return made(kept) if kept and plain.color_system else plain


def look_of(screen: Console) -> Look:
    """What a plot may use on this console."""
    from synergy_tui.drawing.lines import Look

    return Look(screen.color_system, screen.options.ascii_only)


def print_json(content: Any) -> None:
    """JSON on standard output."""
    from synergy_tui.drawing.tables import as_json

    click.echo(as_json(content))


def print_table(rows: Sequence[dict[str, Any]], whole: Sequence[str] = (), spare: Sequence[str] = ()) -> None:
    """Rows as columns that fit the terminal, or uncut if standard output is not a terminal. whole: columns that are
    never cut, besides ids. spare: columns to leave out, the first one first, when there is no room for all."""
    from synergy_tui.cli.told import wrapped
    from synergy_tui.drawing.tables import IDS, as_text, fits

    width, never = terminal_width(), IDS | set(whole)
    names = list(rows[0]) if rows else []
    for count in range(len(spare) + 1) if width else ():
        some = [name for name in names if name not in spare[:count]]
        if width and fits(rows, some, width, never):
            click.echo(as_text(rows, some, width, never))
            missing = f"A wider terminal also shows: {', '.join(spare[:count])}."
            return say("\n".join(wrapped(missing, width))) if count else None
    click.echo(as_text(rows, names, width, never))


def print_place(text: str, place: Path, **where: Any) -> None:
    """Prints lines that name a file or folder; the name is a link where the terminal has links."""
    from rich.style import Style
    from rich.text import Text

    from synergy_tui.drawing.tables import printable

    shown, name = Text("\n".join(map(printable, text.split("\n")))), printable(str(place))
    begin = shown.plain.find(name)
    if begin >= 0:
        shown.stylize(Style(link=place.resolve().as_uri()), begin, begin + len(name))
    console(**where).print(shown, soft_wrap=True)


def saved(place: Path) -> None:
    """Prints where something was saved, on stderr; nothing with --quiet."""
    if not manner.quiet():
        print_place(f"Saved {place.resolve()}", place.resolve(), stderr=True)


def terminal_width() -> int | None:
    """Columns of the terminal; None if standard output is not a terminal."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def say(text: str) -> None:
    """Prints a remark for people, on stderr; nothing with --quiet."""
    if not manner.quiet():
        warn(text)


def warn(text: str) -> None:
    """Prints what has failed or is incomplete, on stderr."""
    from synergy_tui.drawing.tables import printable

    click.echo("\n".join(printable(line) for line in text.split("\n")), err=True)


def run_as_json(
    cache: Cache, decomposition: str, ranking: str = terms.RANKINGS[0], sample: bool = False
) -> dict[str, Any]:
    """One decomposition in the terms of the command line's JSON."""
    from synergy_tui.store import load
    from synergy_tui.store.run import read

    found = read(cache, decomposition)
    found.check_ranking(ranking)
    row = found.row
    copied = (
        "nulls",
        "surrogates",
        "layers",
        "prompts",
        "valid_prompts",
        "pairs",
        "valid_pairs",
        "reasons",
        *terms.METHOD_FIELDS,
    )
    return {
        "subject": row["name"],
        "sample": sample,
        "capture": row["capture"],
        "decomposition": decomposition,
        "units": row["units"],
        "kind": row["kind"],
        **{name: row[name] for name in copied},
        "ranking": ranking,
        "profile": [one["value"] for one in found.profiles[ranking]],
        "contrast": found.contrasts[ranking],
        "contrast_missing": found.no_contrast or None,
        "groups": list(found.naming.groups),
        "surrogate_contrasts": found.surrogate_contrasts.get(ranking, {}),
        "contrast_tests": found.tests.get(ranking, {}),
        "null_runs": found.null_runs,
        "misleading": row["misleading"] or [],
        "method": row["method"],
        "confounds": found.confounds,
        "comparisons": load.newest_comparisons(cache, decomposition),
    }


_CATEGORIES = "SELECT category FROM category_contrasts WHERE decomposition = $1 LIMIT 1 OFFSET 1"


def print_run(
    cache: Cache, decomposition: str, as_json: bool, ranking: str = terms.RANKINGS[0], sample: bool = False
) -> None:
    """One decomposition: its map, profile, reading, doubts, and what to try next."""
    if as_json:
        return print_json(run_as_json(cache, decomposition, ranking, sample))
    from synergy_tui.drawing import predicting
    from synergy_tui.drawing.atlas import Atlas, draw
    from synergy_tui.store import load
    from synergy_tui.store.run import read

    found = read(cache, decomposition)
    found.check_ranking(ranking)
    row = found.row
    draw(Atlas(found, ranking, sample), console())
    for sentence in predicting.sentences(load.newest_comparisons(cache, decomposition)):
        click.echo(sentence)
    naming = found.naming
    called = "group_name, name" if naming.groups and naming.names else "layer, unit"
    heads = f"SELECT {called}, rank, sts, rtr FROM heads"
    few = min(4, row["valid_prompts"])
    # Imported series have no model: the next step is to test them.
    imported = row["kind"] == "imported"
    contrast = _contrast(found)
    next_step = (
        f"compare {decomposition} --by category"
        if row["estimator"] == terms.IMPORTED and load.rows(cache, _CATEGORIES, decomposition)
        else f"export {decomposition} ./{decomposition}"
        if row["estimator"] == terms.IMPORTED
        else f"decompose {row['capture']}{contrast} --surrogates 200"
        if imported
        else f"ablate {decomposition} --seeds 3 --fractions 0.1,0.25 --prompts {few}"
    )
    other = "difference" if ranking == "excess" else "excess"
    if row["estimator"] == terms.IMPORTED:
        other = "difference" if ranking == "balance" else "balance"
    print_next(
        cache,
        [
            f"synergy-tui {next_step}",
            f"synergy-tui show {decomposition} --ranking {other}",
            f"synergy-tui sql \"{heads} WHERE decomposition = '{decomposition}' ORDER BY rank DESC LIMIT 10\"",
        ],
    )


def _contrast(found: Run) -> str:
    """The option that asks for the run's own contrast, or for one where groups without an order need it."""
    from synergy_tui.drawing.tables import printable

    compared = found.row["compared"]
    if found.no_contrast and found.naming.layers > 1:
        compared = f"{found.naming.typed(0)}:{found.naming.typed(1)}"
    return f" --contrast {shlex.quote(printable(compared))}" if compared else ""


def print_next(cache: Cache, lines: list[str]) -> None:
    """Commands that work when they are pasted, for this cache and this run; nothing with --quiet."""
    if manner.quiet():
        return
    from synergy_tui.settings import load
    from synergy_tui.store.archive import Archive

    where = "" if cache.folder == load().cache else f" --cache {shlex.quote(str(cache.folder))}"
    if isinstance(cache, Archive):
        lines = [line for line in lines if not line.startswith("synergy-tui ablate ")]
    click.echo("\ntry next")
    for line in lines:
        click.echo(f"  {_program()}{line.removeprefix('synergy-tui')}{where}")


def _program() -> str:
    """The name that starts this program: its path if the plain name would not, in an environment that is not active."""
    called = Path(sys.argv[0])
    if called.name == "__main__.py":
        return f"{shlex.quote(sys.executable)} -m synergy_tui"
    found = shutil.which("synergy-tui")
    if found and called.exists() and Path(found).samefile(called):
        return "synergy-tui"
    return shlex.quote(str(called))


def print_jobs(jobs: Sequence[JobFolder], as_json: bool) -> None:
    """Prints jobs that go on by themselves."""
    if as_json:
        return print_json({"job": jobs[-1].id, **{job.kind: job.id for job in jobs}})
    click.echo("\n".join(job.id for job in jobs))
    say(f"Follow it: synergy-tui jobs watch {jobs[-1].id}")


def ask_before(seconds: float, limit: float) -> None:
    """Asks a person at a terminal whether to start something longer than `limit`. Raises click.Abort on a no."""
    if seconds > limit and sys.stdin.isatty() and sys.stderr.isatty():
        from synergy_tui.drawing.status import span

        click.confirm(f"Start what takes about {span(seconds)}?", abort=True, err=True)
