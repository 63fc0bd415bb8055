"""Ablation curves → a plot and a table: targeted orders by themselves, controls as the mean over their seeds."""

from __future__ import annotations

from statistics import fmean
from string import ascii_uppercase
from typing import Any

from rich.text import Text

from synergy_tui.drawing.plots import Line, plot

Curve = dict[str, Any]


def draw(orders: dict[str, dict[str, Any]], width: int, height: int = 14) -> Text:
    """Behaviour divergence over the fraction removed, each line in a letter of its own that the last row explains:
    it can be read without colour. `orders` as `ablate --json` prints them."""
    lines = by_line(orders)
    drawn = []
    for letter, curves in zip(ascii_uppercase, lines.values(), strict=False):
        points = mean(curves)
        drawn.append(Line([0.0, *points], [0.0, *(one["divergence"] for one in points.values())], letter))
    text = plot(drawn, width, height, "behaviour divergence, nats per token", "fraction of units removed")
    names = "\n".join(f"{letter} {name}" for letter, name in zip(ascii_uppercase, lines, strict=False))
    return text.append(f"\n{names}\n")


def rows(orders: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """One row per order and fraction, means over seeds."""
    return [
        {"order": name, "fraction": fraction, **point}
        for name, curves in by_line(orders).items()
        for fraction, point in mean(curves).items()
    ]


def by_line(orders: dict[str, dict[str, Any]]) -> dict[str, list[Curve]]:
    """Curves by the name of their line; layer-matched has one line per target."""
    out: dict[str, list[Curve]] = {}
    for name, order in orders.items():
        for curve in order["curves"]:
            out.setdefault(f"{name} ({curve['target']})" if curve["target"] else name, []).append(curve)
    return out


def mean(curves: list[Curve]) -> dict[float, dict[str, float]]:
    """fraction → divergence, top1 and perplexity_ratio, mean over the curves of one line."""
    what = ("divergence", "top1", "perplexity_ratio")
    return {
        fraction: {name: fmean(curve[name][place] for curve in curves) for name in what}
        for place, fraction in enumerate(curves[0]["fraction"])
    }
