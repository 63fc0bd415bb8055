"""figure: a run as a figure for a paper."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from synergy_tui import terms
from synergy_tui.cli.common import open_cache, options, print_json, saved, warn
from synergy_tui.errors import UsageError
from synergy_tui.figures import KINDS, OVER_MODELS

if TYPE_CHECKING:
    from synergy_tui.store.cache import Cache

ABOUT = {"ablation": "ablation", "difficulty": "ladder", "claims": "card"}
"""Kinds about a result other than a decomposition."""

MAKES = {"ablation": "ablate --latest", "ladder": "difficulty SUBJECT", "card": "claims --latest"}
"""The command that makes the first result of each kind."""


@click.command()
@click.argument("kind", type=click.Choice(KINDS), metavar="KIND")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The file, ending in .svg, .pdf or .png.")
@click.option("--ranking", metavar="NAME", help=f"For map, profile and compare: one of {', '.join(terms.RANKINGS)}.")
@click.option(
    "--score",
    metavar="NAME",
    help="For map and profile: any score of units. For pairs, network and tokens: an atom. For ablation: divergence, "
    "top1 or perplexity-ratio. For difficulty: an order parameter.",
)
@click.option("--other", metavar="RUN", help="For compare: the other run.")
@click.option("--prompt", type=click.IntRange(0), metavar="N", help="For tokens: the prompt.")
@click.option("--unit", metavar="UNIT", help="For tokens: the unit, as 3.1 or by name. For map: the unit to ring.")
@click.option("--pair", metavar="UNITS", help="For tokens: the pair, as 3.1,4.2. For pairs: the pair to ring.")
@click.option("--category", metavar="NAME", help="For profile, tokens and compare: one category of prompts, or all.")
@click.option("--claim", metavar="CLAIM", help="For forest: one of C1 to C9; C1 if left out.")
@click.option("--width", default="column", show_default=True, help="column (3.5 in), page (7.2 in), or inches.")
@click.option("--dark", is_flag=True, help="On a dark ground.")
@click.option("--dpi", type=click.IntRange(50, 1200), default=300, show_default=True, help="Resolution of a PNG.")
@click.option("--font", metavar="NAME", show_default="DejaVu Sans", help="An installed font.")
@click.option("--note", is_flag=True, help="Add the command that remakes the figure, in small print.")
@click.option("--sample", is_flag=True, help="The result that ships with synergy-tui.")
@click.option("--force", is_flag=True, help="Replace a file that is there already.")
@options(run=True)
def figure(
    kind: str,
    output: Path | None,
    width: str,
    dark: bool,
    dpi: int,
    font: str | None,
    note: bool,
    sample: bool,
    force: bool,
    other: str | None = None,
    run: str | None = None,
    latest: bool = False,
    cache: Path | None = None,
    as_json: bool = False,
    **shown: Any,
) -> None:
    """Draw RUN for a paper: KIND is map, profile, pairs, network, tokens, ablation, difficulty, compare, or
    claims. Without a RUN, over all cards of the cache: KIND is forest, of a claim, or profiles.

    The same command writes the same bytes, and the file's metadata has the command. Fonts are embedded: text is text in
    PDF, and outlines in SVG.

    \b
    Example:  synergy-tui figure map --sample -o map.pdf
              synergy-tui figure ablation d3f9a1b2 --width page -o removal.svg
              synergy-tui figure forest --claim C1 -o forest.svg
              synergy-tui figure tokens --latest --unit 3.1 --prompt 4 -o tokens.png
    """
    import logging

    from synergy_tui import figures
    from synergy_tui.settings import shipped, user_path
    from synergy_tui.store import load
    from synergy_tui.store.archive import Archive

    if output is None:
        raise UsageError("a figure needs a file", "name it: -o figure.pdf")
    target = user_path(output)
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # users need not read where it keeps its font list
    figures.check(target, force)
    opened = Archive.open(shipped("sample")) if sample else open_cache(cache)
    found = _found(opened, kind, run, latest or (sample and not run))
    beside = load.find(opened, "decomposition", other) if other is not None else None
    drawn = {"width": width, "font": font, "dark": dark, "dpi": dpi, "note": note, "sample": sample}
    command = _command(kind, found, shown | {"other": beside} | drawn, target.name)
    how = shown | {"other": beside, "width": width, "dark": dark, "font": font}
    made = figures.figure(opened, kind, found, **how)
    if note:
        figures.note(made, command)
    figures.save(made, target, command, dpi=dpi, force=force)
    if boxes := figures.lacking(made):
        warn(f"No font here has {boxes[:20]}: boxes stand for these signs; give a font that has them with --font.")
    if as_json:
        return print_json({"kind": kind, "run": found, "file": str(target), "command": command})
    saved(target)


def _found(cache: Cache, kind: str, run: str | None, latest: bool) -> str:
    """The result to draw: for the kinds in ABOUT the named one, or the one that belongs to a decomposition."""
    from synergy_tui.store import load
    from synergy_tui.store.tables import KEYS

    if kind in OVER_MODELS:
        if run or latest:
            raise UsageError(f"figure {kind} is about all cards of a cache, not about a run", "leave the run out")
        return ""
    about = ABOUT.get(kind)
    if about is None:
        return load.find(cache, "decomposition", run, latest)
    if latest:
        if not load.rows(cache, f"SELECT 1 FROM {KEYS[about]} LIMIT 1"):
            raise UsageError(f"there is no {about} in this cache yet", f"synergy-tui {MAKES[about]}")
        return load.find(cache, about, None, latest=True)
    query = f"SELECT {about} AS id FROM {KEYS[about]} WHERE starts_with({about}, $1)"
    if run and len(exact := load.rows(cache, query, run)) == 1:
        return str(exact[0]["id"])
    return load.find(cache, "decomposition", run)


_USUAL = {"width": "column", "dpi": 300, "dark": False, "note": False, "sample": False}


def _command(kind: str, found: str, given: dict[str, Any], name: str) -> str:
    """The command that remakes the figure: the whole id of the run, and every option that is not the default."""
    parts = ["synergy-tui", "figure", kind, *([found] if found else [])]
    for option, value in given.items():
        if value is not None and value != _USUAL.get(option):
            parts += [f"--{option}"] if value is True else [f"--{option}", str(value)]
    return shlex.join([*parts, "-o", name])
