"""What the view of models shows of claims cards: columns, their joint analysis of a claim, and each card in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.style import Style
from rich.text import Text

from synergy_tui.drawing.lines import CURSOR_COLOUR, Line
from synergy_tui.drawing.tables import printable
from synergy_tui.explorer import telling
from synergy_tui.terms import CLAIMS

if TYPE_CHECKING:
    from synergy_tui.analysis.meta import Group, Model
    from synergy_tui.analysis.moderators import Moderator
    from synergy_tui.analysis.universality import Universal
    from synergy_tui.store.atlas import AtlasCard, AtlasClaim

EFFECT, INTERVAL = 7, 23
"""Columns of a cell with its effect, and with its interval too."""

FACTS = {"size": 6, "family": 10, "tuned": 8, "layers": 6, "weights": 7, "kind": 6, "step": 6, "method": 6, "plan": 20}
"""Columns that describe a subject, with their widths; the first that fit are shown."""

ALWAYS = ("size", "family")
"""Columns that are shown even if all cards agree in them."""

NAME, WIDEST = 12, 40
"""Fewest and most columns of a subject's name."""

MANY = 24
"""Most profiles that are drawn as one line each."""


class Judged(NamedTuple):
    """The joint analysis of a claim over the shown cards. groups: the largest first; the other fields are about the
    first group."""

    claim: str
    groups: tuple[Group, ...]
    moderators: tuple[Moderator, ...]
    universal: Universal | None


def judge(cards: Sequence[AtlasCard], claim: str) -> Judged:
    """The joint analysis of a claim over cards."""
    from synergy_tui.analysis import meta, moderators
    from synergy_tui.analysis.universality import universality

    groups = meta.groups(cards, claim)
    if not groups:
        return Judged(claim, (), (), None)
    found = moderators.moderators(groups[0]) if groups[0].result is not None else ()
    return Judged(claim, groups, found, universality(groups[0]))


def profile_lines(cards: Sequence[AtlasCard]) -> list[Line]:
    """The profiles as lines; for many models the means of families, in a band that holds all profiles."""
    from synergy_tui.drawing import models

    return models.lines(cards) if len(cards) <= MANY else _of_families(cards)


def cursor_line(cards: Sequence[AtlasCard], at: AtlasCard | None) -> list[Line]:
    """The profile of the cursor's card, if there are too many profiles for it to have its own line in the legend."""
    from synergy_tui.drawing import models

    if at is None or len(at.profile) < 2 or len(cards) <= models.FEW:
        return []
    depth, value = ([getattr(point, key) for point in at.profile] for key in ("depth", "value"))
    return [Line(depth, value, CURSOR_COLOUR, "@", f"@ {printable(at.subject)[:24]}")]


def _of_families(cards: Sequence[AtlasCard]) -> list[Line]:
    import numpy as np

    from synergy_tui.drawing import models

    by: dict[str, list[AtlasCard]] = {}
    for one in cards:
        by.setdefault(one.family or "unknown", []).append(one)
    families = sorted(by, key=lambda name: -len(by[name]))
    out = []
    for place, name in enumerate(families[: len(models.COLOURS)]):
        grid, mean = models.mean_profile(by[name])
        letter = chr(ord("A") + place)
        told = f"{letter} {printable(name)[:24]} ({len(by[name])})"
        out.append(Line(grid, mean, models.COLOURS[place], letter, told, thin=True))
    grid, mean = models.mean_profile(cards)
    every = np.array([models.mean_profile([one])[1] for one in cards])
    low, high = every.min(axis=0), every.max(axis=0)
    out.append(Line(grid, mean, 252, "Z", f"Z mean of {len(cards)}, and all of them", low, high, band=True))
    return out


class Columns(NamedTuple):
    """Columns of the table: for the subject's name, for its facts, for a cell."""

    name: int
    facts: tuple[tuple[str, int], ...]
    cell: int

    @classmethod
    def of(cls, cards: Sequence[AtlasCard], width: int, every: Sequence[str]) -> Columns:
        """The plan for `width` columns. every: the possible facts about subjects. Intervals stand in cells if
        everything else still fits."""
        longest = max((cell_len(printable(one.subject)) for one in cards), default=NAME)
        wanted = min(max(longest, NAME), WIDEST)
        count = len(CLAIMS)
        if width >= 2 + wanted + sum(FACTS[one] + 1 for one in every) + count * (INTERVAL + 1):
            return cls(wanted, tuple((one, FACTS[one]) for one in every), INTERVAL)
        size = EFFECT if width >= 2 + NAME + count * (EFFECT + 1) else 2
        left = width - 2 - count * (size + 1)
        name = min(wanted, max(left, NAME))
        left -= name
        facts = []
        for one in every:
            if FACTS[one] + 1 > left:
                break
            facts.append((one, FACTS[one]))
            left -= FACTS[one] + 1
        # The remaining columns go to the cells.
        size += max(min(left // count, 3), 0)
        return cls(name, tuple(facts), size)

    @property
    def names(self) -> tuple[str, ...]:
        """Columns that the cursor goes to."""
        return ("subject", *(name for name, _ in self.facts), *CLAIMS)

    def heading(self, column: str, sort: tuple[str, bool] | None, dim: Style, ascii: bool) -> Text:
        """Names of columns: the cursor's in bold, the sort column's with its direction."""
        down, up = ("v", "^") if ascii else ("▼", "▲")
        names = [("subject", self.name), *self.facts]
        line = Text(" ")
        for place, (name, room) in enumerate([*names, *((one, self.cell) for one in CLAIMS)]):
            mark = "" if sort is None or sort[0] != name else f" {up if sort[1] else down}"
            at = name == column
            line.append(" " * bool(place)).append(set_cell_size(f"{name}{mark}", room), "bold reverse" if at else dim)
        return line

    def column(self, x: int) -> str:
        """The column at a place of a line."""
        end = 1
        for name, room in (("subject", self.name), *self.facts, *((one, self.cell) for one in CLAIMS)):
            end += room + 1
            if x < end:
                return name
        return self.names[-1]


def telling_apart(cards: Sequence[AtlasCard]) -> tuple[str, ...]:
    """Facts that distinguish subjects: columns in which the cards differ."""
    return tuple(one for one in FACTS if one in ALWAYS or len({fact_of(card, one) for card in cards}) > 1)


def cell(claim: AtlasClaim | None, room: int) -> str:
    """The verdict's sign with the effect and the interval, if they fit whole."""
    from synergy_tui.drawing import models

    for how in (models.FULL, models.BRIEF):
        if cell_len(text := models.cell(claim, how)) <= room:
            return text
    short = models.cell(claim, models.ALONE)
    if claim is None or not math.isfinite(claim.effect):
        return short
    rough = f"{short} {claim.effect:.3g}"
    return rough if "e" not in rough and cell_len(rough) <= room else short


def fact_of(card: AtlasCard, name: str) -> str:
    from synergy_tui.drawing import models

    if name == "size":
        return models.sized(card.parameters)
    if name == "plan":
        return models.plan(card)
    value = getattr(card, "training_step" if name == "step" else name)
    return "" if value is None else printable(str(value))


def says(claim: AtlasClaim | None) -> str:
    """A claim's verdict and numbers in words."""
    from synergy_tui.drawing.card import SIGNS

    if claim is None:
        return "The card does not have this claim: it was made by an earlier version."
    told = f"{SIGNS.get(claim.verdict, '○')} {claim.verdict}"
    if math.isfinite(claim.effect):
        sign = "" if "×" in claim.measure or "BIC" in claim.measure else "+"
        told += f" · {printable(claim.measure)} {claim.effect:{sign}.3g}"
        if math.isfinite(claim.low):
            told += f" [{claim.low:{sign}.3g}, {claim.high:{sign}.3g}] ({100 * claim.level:.0f} %)"
    return told + (f" · n {claim.n}" if claim.n is not None else "")


def about(card: AtlasCard) -> list[str]:
    """What a card is about, in words."""
    from synergy_tui.drawing import models

    step = f"step {card.training_step}" if card.training_step is not None else ""
    of = (printable(card.subject), printable(card.family or ""), models.sized(card.parameters), card.tuned or "")
    shape = (f"{card.layers} layers" if card.layers else "", f"{card.units} {card.kind} units" if card.units else "")
    how = (f"{card.prompts} prompts" if card.prompts else "", card.ranking, card.definition, f"method {card.method}")
    return [printable(one) for one in (*of, card.weights, step, *shape, *how, models.plan(card)) if one]


def forest_rows(group: Group) -> list[Model]:
    """The models in the rows at the top of a forest: those with an interval or, if there are none, those with an
    effect."""
    return list(group.known) or [one for one in group.models if math.isfinite(one.effect)]


def wrapped(text: str, width: int) -> list[str]:
    """Words in lines of `width` columns; signs of two columns count as two."""
    if not text:
        return []
    return [line.plain.rstrip() for line in Text(text).wrap(Console(width=width), max(width, 20))]


def most(lines: Sequence[str], rows: int, width: int) -> list[str]:
    """At most `rows` lines; the last one says if there are more."""
    if len(lines) <= rows or not rows:
        return list(lines[:rows])
    return [*lines[: rows - 1], telling.whole_words(f"{lines[rows - 1]} {lines[rows]}", width)]


def brief(group: Group) -> list[str]:
    """Heterogeneity in a few characters, or why there is none."""
    found = group.result
    return [group.why] if found is None else [f"I² {100 * found.i2:.0f} %", f"τ {found.tau:.2g}"]


def corrected(one: Moderator) -> str:
    return f"; Holm {one.p_holm:.3f}" if math.isfinite(one.p) else ""
