"""What speaks against a map, worst first: each doubt has a sign for its gravity, by stated thresholds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rich.style import Style
from rich.text import Text

from synergy_tui.terms import VARYING_MEMORY

GRAVE, NOTABLE, MISSING, SLIGHT = range(4)

SIGNS = ("✖", "▲", "○", "·")
"""Signs of grave doubts, of notable doubts, of what has not been measured, and of what says little."""

STYLES = ("bold bright_red", "bold yellow", "bold", "dim")
"""Styles of the four levels in a terminal whose theme is unknown."""

FEW_PROMPTS = 10
"""Below this number of prompts, halves of a run hardly agree."""


@dataclass(frozen=True)
class Doubt:
    """level: index of SIGNS. text: its words; short: fewer words for little room."""

    name: str
    level: int
    text: str
    short: str


@dataclass(frozen=True)
class _Kind:
    """A confound and the values from which it is notable and grave. falling: whether small values are the bad ones."""

    name: str
    form: str
    text: str
    short: str
    notable: float
    grave: float
    falling: bool = False

    def level(self, value: float) -> int:
        beyond = [value < one if self.falling else abs(value) >= one for one in (self.grave, self.notable)]
        return beyond.index(True) if any(beyond) else SLIGHT


KINDS = (
    _Kind("synergy~autocorrelation", "+.2f", "follows memory r {}", "memory {}", 0.5, 0.7),
    _Kind("synergy~redundancy", "+.2f", "goes with redundancy r {}", "redundancy {}", 0.5, 0.7),
    _Kind("excess~autocorrelation", "+.2f", "excess follows memory r {}", "excess {}", 0.5, 0.7),
    _Kind("split-half Spearman", "+.2f", "halves ρ {}", "halves {}", 0.6, 0.3, falling=True),
    _Kind("rankings: mean core overlap", ".0%", "rankings share {}", "rankings {}", 0.6, 0.3, falling=True),
)
"""An r of 0.7 explains half of the variance, an r of 0.5 a quarter."""

_COUNTED = (
    ("memory varies over prompts", VARYING_MEMORY, "memory varies ×{:.0f}", "varies ×{:.0f}", GRAVE),
    ("prompts outside the nulls", 0, "{:.0f} prompts outside the nulls", "{:.0f} outside", NOTABLE),
    ("prompts repeated", 0, "{:.0f} prompts repeated", "{:.0f} repeated", NOTABLE),
    ("prompts too short", 0, "{:.0f} prompts too short", "{:.0f} short", NOTABLE),
    ("values exactly 0", 0, "{:.0f} values exactly 0", "{:.0f} exactly 0", GRAVE),
    ("values below 0", 0, "{:.0f} values below 0", "{:.0f} below 0", NOTABLE),
    ("values missing", 0, "{:.0f} values missing", "{:.0f} missing", NOTABLE),
    ("values empty", 0, "{:.0f} values empty", "{:.0f} empty", NOTABLE),
)
"""Name, the value above which it is reported, wordings and level."""


def doubts(confounds: Mapping[str, float | None], nulls: Sequence[str], prompts: int | None = None) -> list[Doubt]:
    """The doubts about a run, worst first. nulls: the nulls that ran, the one behind excess first. prompts: the number
    of valid prompts."""
    found = []
    # A table of pairs has no series, so its map lacks the measures that need them.
    alone = bool(confounds) and KINDS[0].name not in confounds
    for kind in KINDS:
        value = confounds.get(kind.name)
        if alone and kind.name not in confounds:
            continue
        told = "n/a" if value is None else format(value, kind.form)
        level = SLIGHT if value is None else kind.level(value)
        found.append(Doubt(kind.name, level, kind.text.format(told), kind.short.format(told)))
    for name, least, text, short, level in _COUNTED:
        if (value := confounds.get(name) or 0.0) > least:
            found.append(Doubt(name, level, text.format(value), short.format(value)))
    if prompts is not None and prompts < FEW_PROMPTS:
        found.append(Doubt("few prompts", NOTABLE, f"only {prompts} prompts", f"{prompts} prompts"))
    if alone:
        found.append(Doubt("null", MISSING, "no series: no nulls, memory unknown", "no series"))
    elif nulls:
        found.append(Doubt("null", SLIGHT, f"excess is against {nulls[0]}", f"against {nulls[0]}"))
    else:
        found.append(Doubt("null", MISSING, "no surrogates", "no surrogates"))
    return sorted(found, key=lambda one: one.level)


def line(
    found: Sequence[Doubt],
    width: int | None = None,
    meta: Callable[[Doubt], Mapping[str, str]] = lambda _: {},
    styles: Sequence[str | Style] = STYLES,
) -> Text:
    """The doubts in one line of whole words that fits the columns: long wordings become short, then the slightest
    doubts are left out and counted. meta: of the text of each; styles: of the levels."""
    for short in (False, True):
        parts = [f"{SIGNS[one.level]} {one.short if short else one.text}" for one in found]
        if width is None or len("   ".join(parts)) <= width:
            break
    kept = len(parts)
    gap = "   " if width is None or len("   ".join(parts)) <= width else "  "
    while width is not None and kept > 1 and len(gap.join(parts[:kept])) + (0 if kept == len(parts) else 5) > width:
        kept -= 1
    out = Text()
    for place, (one, part) in enumerate(zip(found[:kept], parts, strict=False)):
        out.append(gap if place else "")
        begin = len(out)
        out.append(part, styles[one.level])
        if about := meta(one):
            out.apply_meta(dict(about), begin, len(out))
    return out.append(f"{gap}+{len(parts) - kept}", styles[SLIGHT]) if kept < len(parts) else out
