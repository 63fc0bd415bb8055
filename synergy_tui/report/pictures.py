"""The figures of a report, or how they can be had. This module alone knows the room that draws them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import unescape

from synergy_tui.errors import SynergyError, UsageError
from synergy_tui.store.cache import Cache

CAPTIONS = {
    "map": "Every unit by its layer and its place in it: redundant units are blue, synergistic ones orange.",
    "profile": "Mean of each layer's units over depth, with the 95 % interval of the two-way bootstrap.",
    "pairs": "Synergy and redundancy of every pair of units.",
    "network": "The strongest pairs as a network.",
    "tokens": "Local synergy or redundancy, token by token.",
    "ablation": "What removing units in order does to the model's behaviour, targeted orders beside their controls.",
    "difficulty": "Order parameters over the levels of difficulty.",
    "claims": "The claims of the literature with their effects and intervals.",
}
"""Kinds of figures, in the order in which a report shows them."""


@dataclass(frozen=True)
class Picture:
    """light, dark: SVG; empty where there is none. missing: why, and what to do about it."""

    kind: str
    caption: str
    command: str
    light: str = ""
    dark: str = ""
    missing: str = ""

    @property
    def alt(self) -> str:
        """What is in it, for those who do not see it."""
        found = re.search(r"<desc[^>]*>(.*?)</desc>", self.light, re.DOTALL)
        said = " ".join(unescape(found[1]).split()) if found else ""
        return f"{self.caption} {said}".strip()


def draw(
    cache: Cache, decomposition: str, ranking: str, dark: bool = True, leave_out: tuple[str, ...] = ()
) -> list[Picture]:
    """The figures of a run, for a light ground and, where it is asked for, for a dark one."""
    return [_one(cache, decomposition, ranking, kind, dark) for kind in CAPTIONS if kind not in leave_out]


def _one(cache: Cache, decomposition: str, ranking: str, kind: str, dark: bool) -> Picture:
    command = f"synergy-tui figure {kind} {decomposition} -o {kind}.svg"
    try:
        light = _svg(cache, decomposition, ranking, kind, command, False)
        other = _svg(cache, decomposition, ranking, kind, command, True) if dark else ""
    except SynergyError as error:
        return Picture(kind, CAPTIONS[kind], command, missing=str(error))
    return Picture(kind, CAPTIONS[kind], command, light, other)


def _svg(cache: Cache, decomposition: str, ranking: str, kind: str, command: str, dark: bool) -> str:
    try:
        from synergy_tui import figures
    except ImportError:
        raise UsageError("figures need matplotlib", 'pip install "synergy-tui[figures]"') from None
    given = {"ranking": ranking} if kind in ("map", "profile") else {}
    drawn = figures.figure(cache, kind, decomposition, width="page", dark=dark, **given)
    return figures.svg(drawn, command)
