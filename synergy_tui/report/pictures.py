"""The figures of a report, or how to get them. Only this module knows the room that draws them."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from html import unescape

from synergy_tui.errors import SynergyError, UsageError, with_extra
from synergy_tui.store.cache import Cache

CAPTIONS = {
    "map": "Every unit by its layer and its place in it: redundant units are blue, synergistic ones orange.",
    "profile": "Mean of each layer's units over depth, with the 95 % interval of the two-way bootstrap.",
    "pairs": "Synergy and redundancy of every pair of units, in nats.",
    "network": "The strongest pairs by synergy above, by redundancy below.",
    "tokens": "Local synergy or redundancy, token by token.",
    "ablation": "What removing units in order does to the model's behaviour, targeted orders beside their controls.",
    "difficulty": "Order parameters over the levels of difficulty.",
    "claims": "The claims of the literature with their effects and intervals.",
}
"""Kinds of figures, in the order in which a report shows them."""


LARGE = 400_000
"""Bytes of a figure above which it has no version for a dark ground: a report must be small enough for mail."""


@dataclass(frozen=True)
class Picture:
    """light, dark: SVG, or empty. missing: why there is no figure, and what to do about it."""

    kind: str
    caption: str
    command: str
    light: str = ""
    dark: str = ""
    missing: str = ""

    @property
    def alt(self) -> str:
        """A description, for readers who cannot see the figure."""
        found = re.search(r"<title[^>]*>(.*?)</title>", self.light, re.DOTALL)
        title = " ".join(unescape(found[1]).split()) if found else ""
        return f"{title}. {self.caption}" if title else self.caption


def draw(
    cache: Cache,
    decomposition: str,
    ranking: str,
    parts: Mapping[str, str],
    dark: bool = True,
    leave_out: Collection[str] = (),
) -> list[Picture]:
    """The figures of a run, for a light ground and, if asked for, for a dark one. parts: ids of the ablation and the
    ladder in the report."""
    runs = {"ablation": parts.get("ablation"), "difficulty": parts.get("ladder")}
    kinds = [kind for kind in CAPTIONS if kind not in leave_out]
    return [_one(cache, runs.get(kind) or decomposition, ranking, kind, dark) for kind in kinds]


def _one(cache: Cache, run: str, ranking: str, kind: str, dark: bool) -> Picture:
    given = {"ranking": ranking} if kind in ("map", "profile") else {}
    chosen = "".join(f" --{name} {value}" for name, value in given.items())
    command = f"synergy-tui figure {kind} {run}{chosen} -o {kind}.svg"
    try:
        light = _svg(cache, run, kind, command, False, given)
        other = _svg(cache, run, kind, command, True, given) if dark and len(light) < LARGE else ""
    except SynergyError as error:
        return Picture(kind, CAPTIONS[kind], command, missing=str(error))
    return Picture(kind, CAPTIONS[kind], command, light, other)


def _svg(cache: Cache, run: str, kind: str, command: str, dark: bool, given: dict[str, str]) -> str:
    try:
        from synergy_tui import figures

        drawn = figures.figure(cache, kind, run, width="page", dark=dark, ranking=given.get("ranking"))
        return figures.svg(drawn, command)
    except ImportError:
        raise UsageError("figures need matplotlib", with_extra("figures")) from None
