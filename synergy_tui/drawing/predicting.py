"""Comparisons of a ranking with other scores → sentences: does synergy better predict the cost of removing a unit?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Row = dict[str, Any]


def sentences(rows: Sequence[Row]) -> list[str]:
    """One sentence for each other score. rows: of ablation_comparisons for one ablation."""
    return [_sentence(one) for one in rows]


def in_one(rows: Sequence[Row]) -> str:
    """All of them in one sentence; empty without any."""
    if not rows:
        return ""
    parts = []
    for verdict, words in _WORDS.items():
        if some := [one for one in rows if one["verdict"] == verdict]:
            told = [f"{one['other']} {_interval(one, 'difference')}" for one in some]
            parts.append(f"{words} {', '.join(told)}")
    return f"{rows[0]['ranking']} predicts removal {'; '.join(parts)}."


_WORDS = {
    "better": "better than",
    "worse": "worse than",
    "undecided": "no better and no worse, as far as is known, than",
}
"""Verdict → the words that relate the two scores."""


def _sentence(one: Row) -> str:
    within = _interval(one, "partial")
    told = f"{_interval(one, 'difference')}{f', within layers {within}' if within else ''}."
    if one["verdict"] == "undecided":
        return f"Whether {one['ranking']} predicts removal better than {one['other']} is undecided: {told}"
    return f"{one['ranking']} predicts removal {one['verdict']} than {one['other']}: {told}"


def _interval(one: Row, name: str) -> str:
    """A difference of correlations with its interval; empty if there is none."""
    low, high = ("low", "high") if name == "difference" else (f"{name}_low", f"{name}_high")
    if one[name] is None:
        return ""
    ends = "" if one[low] is None else f" [{_signed(one[low])}, {_signed(one[high])}]"
    return f"{_signed(one[name])}{ends}"


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")
