"""atlas: cards of many models side by side, and what they say together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from synergy_tui import terms
from synergy_tui.cli.common import (
    console,
    look_of,
    open_cache,
    options,
    print_json,
    print_table,
    saved,
    say,
    terminal_width,
    writable,
)
from synergy_tui.errors import UsageError

if TYPE_CHECKING:
    from synergy_tui.analysis.meta import Group
    from synergy_tui.store.atlas import AtlasCard


@click.group(invoke_without_command=True)
@click.option("--claim", metavar="CLAIM", help="One of C1 to C9: a forest plot, moderators and universality.")
@click.option("--profiles", is_flag=True, help="Profiles of all models over normalised depth in one plot.")
@click.option("--pairs", is_flag=True, help="Models on each other's tokens, and against random weights.")
@click.option(
    "--sort", "order", default="subject", show_default=True, help="Also family, size, layers, made, or a claim."
)
@click.option("--family", help="Only models of this family.")
@click.option("--tuned", type=click.Choice(["base", "instruct"]), help="Only base or instruction-tuned models.")
@click.option("--kind", help="Only cards of this kind of unit.")
@click.option("--weights", type=click.Choice(["trained", "random"]), help="Only trained or random weights.")
@click.option("--method", type=click.IntRange(1), help="Only cards of this version of the method.")
@options()
@click.pass_context
def atlas(
    context: click.Context,
    claim: str | None,
    profiles: bool,
    pairs: bool,
    order: str,
    family: str | None,
    tuned: str | None,
    kind: str | None,
    weights: str | None,
    method: int | None,
    cache: Path | None,
    as_json: bool,
) -> None:
    """Put the newest claims card of every model side by side, and judge the claims over all of them: random-effects
    means, heterogeneity, moderators, and whether the organisation is universal (C7).

    Cards of other methods, rankings, definitions or unit kinds are in the table, but are not taken together. Cards
    come from this cache, and from files that `atlas export` made elsewhere.

    \b
    Example:  synergy-tui atlas
              synergy-tui atlas --claim C1 --tuned instruct
              synergy-tui atlas --profiles
    """
    if context.invoked_subcommand is not None:
        return
    from synergy_tui.drawing import models

    if order not in models.ORDERS:
        raise UsageError(f"no order {order!r}", f"known: {', '.join(models.ORDERS)}")
    if claim is not None and claim not in terms.CLAIMS:
        raise UsageError(f"no claim {claim!r}", f"known: {', '.join(terms.CLAIMS)}")
    wanted = {"family": family, "tuned": tuned, "kind": kind, "weights": weights, "method": method}
    opened = open_cache(cache)
    if pairs:
        return _pairs(opened, as_json)
    cards = models.sort(_chosen(opened, {name: value for name, value in wanted.items() if value is not None}), order)
    if as_json:
        return print_json(models.as_dict(cards, [claim] if claim else tuple(terms.CLAIMS)))
    if claim:
        return _claim(cards, claim)
    if profiles:
        screen = console()
        screen.print(models.profiles(cards, min(screen.width, 110), look=look_of(screen)))
        return None
    _table(cards)


def _chosen(opened: Any, wanted: dict[str, Any]) -> list[AtlasCard]:
    """The cards that match. Raises UsageError when no card does."""
    from synergy_tui.store import atlas as stored

    every = stored.read(opened).cards
    if not every:
        raise UsageError("there is no card in this cache yet", "synergy-tui claims --latest makes one")
    cards = [one for one in every if all(getattr(one, name) == value for name, value in wanted.items())]
    if not cards:
        nobody = [name for name, value in wanted.items() if all(getattr(one, name) != value for one in every)]
        name = (nobody or list(wanted))[0]
        there = sorted({str(getattr(one, name)) for one in every if getattr(one, name) is not None})
        told = " and ".join(f"{key} {value}" for key, value in wanted.items())
        raise UsageError(f"no card has {told}", f"{name} is one of: {', '.join(there) or 'none known'}")
    return cards


def _table(cards: Sequence[AtlasCard]) -> None:
    from synergy_tui.drawing import models
    from synergy_tui.drawing.tables import IDS, fits

    width = terminal_width()
    every = (models.FULL, models.BRIEF, models.ALONE)
    shown = {how: models.rows(cards, how) for how in every}
    # A cell that is cut would show half of a number.
    cells = [name.lower() for name in terms.CLAIMS]
    whole = IDS | set(cells)
    how = next(
        (how for how in every if width is None or fits(shown[how], list(shown[how][0]), width, whole)), every[-1]
    )
    print_table(shown[how], cells, ("method", "definition", "ranking", "from", "plan", "layers", "family"))
    click.echo()
    _wrapped(models.LEGEND, width or 110)
    if how != models.FULL:
        say("A wider terminal also shows effects with their intervals; so does --claim CLAIM.")
    together = models.together(cards)
    if together:
        click.echo("\nover all models: random-effects means with 95 % intervals; C7 is whether the claim is universal")
        print_table(together, spare=("another model", "I²"))


def _claim(cards: Sequence[AtlasCard], claim: str) -> None:
    from synergy_tui.analysis import meta, moderators
    from synergy_tui.analysis.universality import universality
    from synergy_tui.drawing import forest, models

    groups = meta.groups(cards, claim)
    if not groups:
        raise UsageError(f"no card says anything about {claim}", "synergy-tui claims --latest makes a card")
    screen = console()
    width = min(screen.width, 110)
    first, *others = groups
    _wrapped(f"{claim}  {terms.CLAIMS[claim]}", width)
    _wrapped(first.told, width)
    for line in forest.draw(first, width, look_of(screen)):
        screen.print(line, soft_wrap=True)
    click.echo()
    told = [*models.heterogeneity(first), *models.universal(universality(first))]
    for sentence in [*told, *(f"Left out: {one}." for one in first.left_out)]:
        _wrapped(sentence, width)
    if found := moderators.moderators(first):
        click.echo("\nwhat effects go with, between models")
        for one in found:
            corrected = f"; corrected for {_tested(found)} (Holm) {one.p_holm:.3f}" if one.p == one.p else ""
            _wrapped(f"{one.name}: {one.said}{corrected}", width, 2)
    if others:
        click.echo("\nkept apart: cards of another method, ranking, definition, kind of unit or measure")
        for group in others:
            _wrapped(_apart(group), width, 2)


def _tested(moderators: Any) -> str:
    return f"{sum(one.p == one.p for one in moderators)} moderators"


def _apart(group: Group) -> str:
    count = len(group.models) + len(group.random)
    mean = f"mean {group.result.effect:.3g}" if group.result is not None else group.why
    return f"{count} card{'' if count == 1 else 's'}: {group.told}; {mean}"


def _wrapped(text: str, width: int, margin: int = 0) -> None:
    import textwrap

    from synergy_tui.drawing.tables import printable

    begin = " " * margin
    click.echo(textwrap.fill(printable(text), width, initial_indent=begin, subsequent_indent=begin + "  "))


def _pairs(opened: Any, as_json: bool) -> None:
    from synergy_tui.drawing import models
    from synergy_tui.store.atlas_pairs import pairs

    rows = models.pair_rows(pairs(opened))
    if as_json:
        return print_json(rows)
    if not rows:
        raise UsageError(
            "no model here replays another's tokens, and none has controls",
            "synergy-tui capture SUBJECT --replay RUN, or run --control",
        )
    click.echo(f"differences of the contrast of {terms.RANKINGS[0]}, first − other, 95 % intervals")
    print_table(rows)
    return None


@atlas.command("export")
@click.argument("file", type=click.Path(path_type=Path))
@options()
def export(file: Path, cache: Path | None, as_json: bool) -> None:
    """Write the atlas to a new FILE: cards with their claims and profiles, without series, prompts or pairs.

    \b
    Example:  synergy-tui atlas export cards.json
    """
    from synergy_tui.settings import user_path
    from synergy_tui.store import atlas_files

    target, cards = user_path(file), _chosen(open_cache(cache), {})
    atlas_files.write(cards, target)
    if as_json:
        return print_json({"cards": len(cards), "file": str(target)})
    saved(target)
    return None


@atlas.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@options()
def import_(file: Path, cache: Path | None, as_json: bool) -> None:
    """Add the cards of FILE, which `atlas export` made, to the atlas. Cards that are there already stay as they are.

    \b
    Example:  synergy-tui atlas import cards.json
    """
    from synergy_tui.settings import user_path
    from synergy_tui.store import atlas_files

    found = atlas_files.take_in(writable(cache), user_path(file))
    if as_json:
        return print_json({"new": found.new, "there": found.there, "origin": found.origin})
    click.echo(f"{found.new} cards are new, {found.there} were there already")
    say(f"Take them out again: synergy-tui atlas forget {found.origin[:8]}")
    return None


@atlas.command("forget")
@click.argument("origin")
@options()
def forget(origin: str, cache: Path | None, as_json: bool) -> None:
    """Remove the cards that came from a file from the atlas. Name the file by the beginning of its SHA-256.

    \b
    Example:  synergy-tui atlas forget 1f2e3d4c
    """
    from synergy_tui.store import atlas_files

    count = atlas_files.forget(writable(cache), origin)
    if as_json:
        return print_json({"forgotten": count})
    click.echo(f"{count} cards are forgotten")
    return None
