"""Ablation curves → a plot and a table: targeted orders as single lines, controls as their seeds."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite, nan
from statistics import fmean
from string import ascii_uppercase
from typing import Any

from rich.text import Text

from synergy_tui.drawing import ticks
from synergy_tui.drawing.plots import Line, Look, plot
from synergy_tui.terms import CONTROL_ORDERS

Curve = dict[str, Any]

COLOURS = {"synergy-first": 208, "redundancy-first": 32, "marked": 213, "random": 246, "layer-matched": 109}
COLOURS |= {"layer-matched (synergy-first)": 179, "layer-matched (marked)": 176}
"""Colours of orders; a control of an order may have a similar colour."""

BAND = (0.05, 0.95)
"""Quantiles of a control's seeds between which its band lies."""


def draw(orders: dict[str, dict[str, Any]], width: int, height: int = 16, look: Look | None = None) -> Text:
    """Behaviour divergence over the fraction removed, one line per order, controls with the band of their seeds; a
    legend below. `orders` as `ablate --json` prints them."""
    drawn = []
    for place, (name, curves) in enumerate(by_line(orders).items()):
        points = mean(curves)
        middle = [one["divergence"] for one in points.values()]
        seeds = [[_known(curve["divergence"][curve["fraction"].index(share)]) for curve in curves] for share in points]
        ends = [band(one) for one in seeds] if len(curves) > 1 else []
        low, high = ([0.0, *(one[end] for one in ends)] if ends else [] for end in (0, 1))
        drawn.append(line(name, place, [0.0, *points], [0.0, *middle], low, high)._replace(name=name))
    many = any(one.band for one in drawn)
    below = "fraction of units removed" + ("; bands: 5–95 % of the seeds" if many else "")
    names = ticks.even(share for one in drawn for share in set(one.xs))
    title = "behaviour divergence, nats per token"
    return plot(drawn, width, height, title, below, names=names, look=look or Look()).append("\n")


def line(
    name: str,
    place: int,
    shares: Sequence[float],
    middle: Sequence[float],
    low: Sequence[float],
    high: Sequence[float],
) -> Line:
    """One order's curve, the place-th: a control is a thin line, with a band if there are several seeds."""
    order, letter = name.split(" ")[0], ascii_uppercase[place % 26]
    thin = order in CONTROL_ORDERS
    return Line(
        shares,
        middle,
        COLOURS.get(name, COLOURS.get(order, 252)),
        letter,
        "",
        low,
        high,
        True,
        True,
        thin,
        bool(len(low)),
    )


def band(seeds: Sequence[float]) -> tuple[float, float]:
    """The two values between which most seeds lie; NaN if no seed has a value."""
    import numpy as np

    known = [one for one in seeds if isfinite(one)]
    low, high = np.quantile(known, BAND) if known else (nan, nan)
    return float(low), float(high)


def rows(orders: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """One row per order and fraction, means over seeds."""
    return [
        {"order": name, "fraction": fraction, **point}
        for name, curves in by_line(orders).items()
        for fraction, point in mean(curves).items()
    ]


def beside(found: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Tables of the other measurements, by title: ratios to controls with their intervals, accuracy of the able
    categories, units alone, whole layers, correlations with rankings, pairs, the plan. `found` as `ablate --json`."""
    tables: dict[str, list[dict[str, Any]]] = {}
    names: tuple[str, ...]
    if rows_ := [one for one in found["ratios"] if one["category"] is None]:
        names = ("removal_order", "control", "ratio", "low", "high")
        tables["ratio to controls, prompts paired, 90 % interval"] = [
            {name: one[name] for name in names} for one in rows_
        ]
    if found["accuracy"]:
        tables["accuracy, means over seeds"] = _accuracies(found["accuracy"])
    for sweep, units in found["sweeps"].items():
        names = (
            ("layer", "divergence", "low", "high") if sweep == "whole-layers" else ("unit", "divergence", "low", "high")
        )
        first = sorted(units, key=lambda one: -(one["divergence"] or 0.0))[:10]
        label = [one | {"unit": f"{one['layer']}.{one['unit']}"} for one in first]
        tables[f"{sweep}: the ten that matter most, alone"] = [{name: one[name] for name in names} for one in label]
    if found["correlations"]:
        names = ("ranking", "spearman", "low", "high", "partial", "partial_low", "partial_high")
        tables["does it predict the divergence of single units? partial: within layers"] = [
            {name: one[name] for name in names} for one in found["correlations"]
        ]
    if found["pairs"]:
        some = pair_rows(found["pairs"])
        first = [one for score in dict.fromkeys(one["by"] for one in some) for one in _of(some, score)[:FEW]]
        title = "pairs removed together, nats per token beyond each alone"
        tables[f"{title}: of each score the {FEW} that interact most"] = first
    if found["pair_tests"]:
        tables["do pairs interact as they are scored? difference: to matched controls"] = [
            {name: one[name] for name in PAIR_TESTS} for one in found["pair_tests"]
        ]
    if found["plan"]:
        by_layer: dict[int, list[int]] = {}
        for one in found["plan"]["units"]:
            by_layer.setdefault(one["layer"], []).append(one["unit"])
        tables["plan: heads that go together"] = [
            {"layer": layer, "heads": " ".join(map(str, sorted(heads)))} for layer, heads in sorted(by_layer.items())
        ]
    return tables


FEW = 5
"""Pairs of each score in a short table."""

PAIR_TESTS = (
    *("score", "spearman", "low", "high", "matched", "difference", "difference_low", "difference_high"),
    *("alone", "controls_alone"),
)


def pair_rows(pairs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row per chosen pair and score, with its interaction and its control's, the strongest interaction first,
    whatever its sign. `pairs` as `ablate --json`."""
    controls = {(one["score"], one["control_of_x"], one["control_of_y"]): one for one in pairs}
    rows_ = []
    for one in pairs:
        if one["role"] == "chosen":
            control = controls.get((one["score"], one["x"], one["y"]))
            row = {"by": one["score"], "pair": pair_name(one), "interaction": one["interaction"]}
            row |= {"low": one["low"], "high": one["high"], "control": pair_name(control) if control else ""}
            rows_.append(row | {"its": control["interaction"] if control else None})
    by = list(dict.fromkeys(one["by"] for one in rows_))
    return sorted(rows_, key=lambda one: (by.index(one["by"]), -abs(one["interaction"] or 0.0)))


def pair_name(pair: dict[str, Any]) -> str:
    """The name of a pair for people."""
    return f"{pair['x_layer']}.{pair['x_unit']} {pair['y_layer']}.{pair['y_unit']}"


def _of(rows_: Sequence[dict[str, Any]], score: str) -> list[dict[str, Any]]:
    return [one for one in rows_ if one["by"] == score]


def _accuracies(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row per order: all categories the intact subject can do, then each of them."""
    values: dict[str, dict[str, list[float | None]]] = {}
    able = [one for one in found if one["able"]]
    for one in able:
        name = f"{one['removal_order']} ({one['target']})" if one["target"] else one["removal_order"]
        values.setdefault(name, {}).setdefault(one["category"] or "all", []).append(one["accuracy"])
        if one["category"] is None:
            share = (one["unfinished"] or 0) / one["tasks"] if one["tasks"] else None
            values[name].setdefault("unfinished", []).append(share)
    return [{"order": name} | {what: _mean(some) for what, some in row.items()} for name, row in values.items()]


def _mean(values: list[float | None]) -> float | None:
    known = [one for one in values if one is not None]
    return fmean(known) if known else None


def by_line(orders: dict[str, dict[str, Any]]) -> dict[str, list[Curve]]:
    """Curves by the name of their line; layer-matched has one line per target."""
    out: dict[str, list[Curve]] = {}
    for name, order in orders.items():
        for curve in order["curves"]:
            out.setdefault(f"{name} ({curve['target']})" if curve["target"] else name, []).append(curve)
    return out


def mean(curves: list[Curve]) -> dict[float, dict[str, float]]:
    """fraction → divergence, top1 and perplexity_ratio, mean over the curves of one line; NaN if one overflowed."""
    what = ("divergence", "top1", "perplexity_ratio")
    return {
        fraction: {name: fmean(_known(curve[name][place]) for curve in curves) for name in what}
        for place, fraction in enumerate(curves[0]["fraction"])
    }


def _known(value: float | None) -> float:
    return nan if value is None else value
