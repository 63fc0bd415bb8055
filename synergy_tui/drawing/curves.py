"""Ablation curves → a plot and a table: targeted orders by themselves, controls as the mean over their seeds."""

from __future__ import annotations

from statistics import fmean
from string import ascii_uppercase
from typing import Any

import plotext
from rich.text import Text

Curve = dict[str, Any]


def draw(orders: dict[str, dict[str, Any]], width: int, height: int = 14) -> Text:
    """Behaviour divergence over the fraction removed, each line in a letter of its own that the last row explains:
    it can be read without colour. `orders` as `ablate --json` prints them."""
    figure = plotext.figure
    figure.clear()
    figure.theme("simple")
    figure.plot_size(width, height)
    lines = _lines(orders)
    for letter, curves in zip(ascii_uppercase, lines.values(), strict=False):
        points = _mean(curves)
        signal = figure.signal([0.0, *points], [0.0, *(one["divergence"] for one in points.values())], marker=letter)
        signal.lines()
        figure.draw(signal)
    figure.title("behaviour divergence, nats per token")
    figure.label("fraction of units removed")
    names = "\n".join(f"{letter} {name}" for letter, name in zip(ascii_uppercase, lines, strict=False))
    return Text.from_ansi(str(figure.build())).append(f"\n{names}\n")


def rows(orders: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """One row per order and fraction, means over seeds."""
    return [
        {"order": name, "fraction": fraction, **point}
        for name, curves in _lines(orders).items()
        for fraction, point in _mean(curves).items()
    ]


def _lines(orders: dict[str, dict[str, Any]]) -> dict[str, list[Curve]]:
    """Curves by the name of their line; layer-matched has one line per target."""
    out: dict[str, list[Curve]] = {}
    for name, order in orders.items():
        for curve in order["curves"]:
            out.setdefault(f"{name} ({curve['target']})" if curve["target"] else name, []).append(curve)
    return out


def _mean(curves: list[Curve]) -> dict[float, dict[str, float]]:
    what = ("divergence", "top1", "perplexity_ratio")
    return {
        fraction: {name: fmean(curve[name][place] for curve in curves) for name in what}
        for place, fraction in enumerate(curves[0]["fraction"])
    }
