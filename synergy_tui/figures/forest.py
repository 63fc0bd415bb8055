"""Cards of many models: the forest of a claim with the random-effects mean, and all profiles over normalised depth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FixedLocator

from synergy_tui.drawing import models
from synergy_tui.errors import UsageError
from synergy_tui.figures import paper as on
from synergy_tui.figures.asked import Asked
from synergy_tui.figures.claims import COLOURS
from synergy_tui.figures.lines import HEIGHT, legend
from synergy_tui.figures.paper import Paper
from synergy_tui.terms import CLAIMS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from synergy_tui.analysis.meta import Group
    from synergy_tui.analysis.universality import Universal
    from synergy_tui.store.atlas import AtlasCard

ROW = 0.145
"""Inches of a model's row; less if a page has no room for all."""

MARKERS = 4.2
"""Points of the square of a model with the mean weight."""


@dataclass(frozen=True)
class Forest:
    """The largest group of cards that can be taken together, and C7 over it. others: groups kept apart."""

    claim: str
    group: Group
    universal: Universal
    others: int

    @property
    def title(self) -> str:
        """The claim, and what it says."""
        return f"{self.claim}  {CLAIMS[self.claim]}"

    @property
    def told(self) -> list[str]:
        """The lines under the plot."""
        told = [*models.heterogeneity(self.group), *models.universal(self.universal)[:1]]
        told += [f"Taken together: {self.group.told}."]
        return told + [f"{self.others} other group{'' if self.others == 1 else 's'} of cards kept apart."] * (
            self.others > 0
        )


def cards_of(asked: Asked) -> Sequence[AtlasCard]:
    """The cards. Raises UsageError if there are none."""
    from synergy_tui.store import atlas

    cards = atlas.read(asked.cache).cards
    if not cards:
        raise UsageError("there is no card in this cache yet", "synergy-tui claims --latest makes one")
    return cards


def look_up(asked: Asked) -> Forest:
    """The forest of the claim, by default C1. Raises UsageError if no card has an interval for the claim."""
    from synergy_tui.analysis import meta
    from synergy_tui.analysis.universality import universality

    claim = asked.claim or next(iter(CLAIMS))
    if claim not in CLAIMS:
        raise UsageError(f"no claim {claim[:20]!r}", f"known: {', '.join(CLAIMS)}")
    groups = meta.groups(cards_of(asked), claim)
    if not groups or not groups[0].known:
        raise UsageError(f"no card has an effect for {claim} with an interval", "synergy-tui atlas shows what there is")
    return Forest(claim, groups[0], universality(groups[0]), len(groups) - 1)


def make(asked: Asked, paper: Paper) -> Figure:
    """A row for each model, and the mean below them; the summary stands under the axes."""
    found = look_up(asked)
    points = (paper.width - 0.12) * 72
    told = [line for one in found.told for line in on.wrapped(one, points, on.SMALL)]
    rows = len(found.group.known) + 2 * (found.group.result is not None)
    plot = min(ROW * (rows + 1), on.TALLEST - 1.5)
    under = len(told) * on.SMALL * 1.32 / 72
    figure = on.sheet(paper, plot + 0.75 + under, f"Forest of {found.title}")
    height = figure.get_size_inches()[1]
    engine = figure.get_layout_engine()
    assert isinstance(engine, ConstrainedLayoutEngine)
    engine.set(rect=(0, under / height, 1, 1 - under / height))
    axes = figure.subplots()
    draw(axes, found, paper, plot * 72 / (rows + 1))
    on.title_above(figure, axes, found.title)
    how: dict[str, Any] = {"size": on.SMALL, "color": paper.quiet, "linespacing": 1.32, "parse_math": False}
    figure.text(0.06 / paper.width, 0.04 / height, "\n".join(told), ha="left", va="bottom", **how)
    return figure


def draw(axes: Axes, found: Forest, paper: Paper, row: float | None = None) -> None:
    """Effects with their intervals, squares by weight, and a diamond as wide as the mean's interval. The line under it
    shows where another model's effect is expected. row: points of a row."""
    group, known = found.group, found.group.known
    rows = len(known) + 2 * (group.result is not None)
    row = row or axes.get_window_extent().height / axes.figure.dpi * 72 / (rows + 1)
    axes.set_title(on.short(found.title, 64 if not paper.wide else 120), parse_math=False)
    axes.axvline(1.0 if group.ratio else 0.0, color=paper.quiet, linewidth=0.6, linestyle=(0, (3, 2)), zorder=1)
    mean = np.nanmean([one.weight for one in known]) if group.result is not None else 1.0
    for place, one in enumerate(known):
        colour = COLOURS.get(one.verdict, (paper.quiet,) * 2)[paper.dark]
        axes.hlines(place, one.low, one.high, color=colour, linewidth=1.0, zorder=2)
        size = MARKERS * min(max(math.sqrt(one.weight / mean), 0.5), 1.5) if math.isfinite(one.weight) else MARKERS
        axes.plot(one.effect, place, "s", color=colour, markersize=min(size, row * 0.8), zorder=3)
    names = [one.subject for one in known]
    if (result := group.result) is not None:
        middle, half = len(known), 0.32
        xs, ys = (result.low, result.effect, result.high, result.effect), (0, half, 0, -half)
        axes.fill(xs, [middle + y for y in ys], color=paper.ink, linewidth=0, zorder=3)
        axes.hlines(middle + 1, *result.predicted, color=paper.ink, linewidth=1.0, linestyle=(0, (2, 1.5)), zorder=2)
        names += [f"mean of {result.models}", "another model"]
        axes.axhline(middle - 0.5, color=paper.faint, linewidth=0.8, zorder=1)
    axes.set(ylim=(rows - 0.4, -0.6), xlabel=f"{group.measure or 'effect'}, with its interval")
    axes.tick_params(axis="y", length=0)
    _name(axes, names, len(known), row)
    if group.ratio:
        on.factors_on(axes)
        low, high = axes.get_xlim()
        inside = [one for one in FACTORS if low <= one <= high]
        axes.xaxis.set_major_locator(FixedLocator(inside[:: -(-len(inside) // 6)] if inside else []))
    else:
        on.numbers_on(axes.xaxis)


FACTORS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 6.0, 10.0, 20.0, 50.0)
"""Labels of an axis of ratios."""


def _name(axes: Axes, names: Sequence[str], known: int, row: float) -> None:
    """Writes the names of models that have room, and always the name of the mean."""
    step = max(math.ceil(on.SMALL * 1.1 / row), 1)
    places = list(range(0, known if step == 1 else known - step, step))
    places += range(known, len(names) if step == 1 else min(known + 1, len(names)))
    axes.set_yticks(places, [on.short(names[one]) for one in places], parse_math=False)


# Profiles


def profiles_of(asked: Asked) -> Sequence[AtlasCard]:
    """Cards with a profile over depth. Raises UsageError if there are none."""
    shown = [one for one in cards_of(asked) if len(one.profile) > 1]
    if not shown:
        raise UsageError("no card has a profile over depth", "groups without an order have none")
    return shown


def make_profiles(asked: Asked, paper: Paper) -> Figure:
    """One panel, its legend above it."""
    found = profiles_of(asked)
    figure = on.sheet(paper, HEIGHT + 0.5, f"Profiles of {len(found)} models over normalised depth")
    axes = figure.subplots()
    draw_profiles(axes, found, paper)
    axes.set_title("")
    legend(axes, above=True)
    return figure


def draw_profiles(axes: Axes, found: Sequence[AtlasCard], paper: Paper) -> None:
    """A line for each model, for many models in their families' colours, and the mean in front of them."""
    axes.set_title(on.short(f"Profiles of {len(found)} models", 64), parse_math=False)
    axes.axvspan(1 / 3, 2 / 3, color=paper.faint, linewidth=0, zorder=0)
    for one in models.lines(found):
        mean = one.letter == "Z"
        how: dict[str, Any] = {"label": on.short(one.name[2:])} if one.name else {}
        how |= {"linewidth": 1.6 if mean else 0.7 if one.thin else 1.1, "alpha": 0.6 if one.thin else 1.0}
        axes.plot(one.xs, one.ys, color=paper.ink if mean else paper.colour(one.colour), zorder=4 if mean else 2, **how)
    rankings = ", ".join(sorted({one.ranking for one in found}))
    axes.set(xlabel="normalised depth", ylabel=f"{rankings}, layer mean", xlim=(-0.02, 1.02))
    on.numbers_on(axes.xaxis)
    on.numbers_on(axes.yaxis)
