"""The pairs of an ablation: their controls, the cost of each of their units alone, and the rows about interaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from synergy_tui.ablation import pairs as matching
from synergy_tui.ablation.condition import Condition
from synergy_tui.ablation.conditions import single_units
from synergy_tui.ablation.pairs import Pair
from synergy_tui.analysis import importance, interaction
from synergy_tui.jobs.worker.conditions import Bench
from synergy_tui.store import load, walk
from synergy_tui.store.cache import Cache
from synergy_tui.terms import PAIR_SCORES, PAIRS, SWEEPS

Measured = list[tuple[Condition, pa.Table]]


@dataclass(frozen=True)
class Pairs:
    """found: rows by table, and sentences. sweep: every unit alone, if that had to be measured."""

    found: dict[str, Any]
    sweep: Measured


@dataclass(frozen=True)
class _Removed:
    """A chosen pair, or the control of one, with the score that chose it."""

    pair: Pair
    score: str
    control_of: Pair | None = None


def removed(
    cache: Cache, bench: Bench, layer_of: Mapping[int, int], measured: Measured, share: tuple[float, float]
) -> Pairs:
    """Measures what is missing besides the chosen pairs, which are among `measured`: first single units, so that the
    controls can be matched by cost, then the controls, and the units of all pairs alone. layer_of: of every existing
    unit. share: the part of the whole job that this takes."""
    chosen: dict[str, list[Pair]] = {name: [] for name in bench.spec.pairs_by}
    for one, _ in measured:
        if one.order == PAIRS:
            chosen[str(one.target)].append((one.units[0], one.units[1]))
    middle = sum(share) / 2
    sweep = _sweep(cache, bench, layer_of, measured, (share[0], middle))
    costs = _costs(cache, bench, [*measured, *sweep])
    places = sorted({(layer_of[x], layer_of[y]) for some in chosen.values() for x, y in some})
    known = walk.pairs_of_layers(cache, bench.spec.decomposition, places)
    all_removed = _with_controls(chosen, known, layer_of, costs)

    tables = {one.units: table for one, table in [*measured, *sweep] if one.order in (SWEEPS[0], PAIRS)}
    units = sorted({unit for one in all_removed for unit in one.pair})
    wanted = [Condition(PAIRS, one.score, None, None, one.pair) for one in all_removed] + single_units(units)
    rest = {one.units: one for one in wanted if one.units not in tables}
    detail = f"{sum(len(one) == 2 for one in rest)} control pairs"
    found = bench.measured(list(rest.values()), name="pairs", detail=detail, share=(middle, share[1]))
    tables |= dict(zip(rest, found, strict=True))
    divergence = {which: table["divergence"].to_numpy() for which, table in tables.items()}
    return Pairs(_rows(all_removed, divergence, known, layer_of, bench.shape[1]), sweep)


def _sweep(
    cache: Cache, bench: Bench, layer_of: Mapping[int, int], measured: Measured, share: tuple[float, float]
) -> Measured:
    """Measures every unit alone, unless the orders of this ablation, or an earlier one like it, have that already."""
    if any(one.order == SWEEPS[0] for one, _ in measured):
        return []
    if load.single_costs(cache, bench.spec.like(), bench.places) is not None:
        return []
    every = single_units(layer_of)
    detail = "single units, to match the controls by what they cost"
    return list(zip(every, bench.measured(every, name="alone", detail=detail, share=share), strict=True))


def _costs(cache: Cache, bench: Bench, measured: Measured) -> np.ndarray:
    """[places] divergence without each single unit, mean over prompts."""
    out = np.full(bench.places, np.nan)
    swept = [(one, table) for one, table in measured if one.order == SWEEPS[0]]
    for one, table in swept:
        out[one.units[0]] = float(np.mean(table["divergence"].to_numpy()))
    earlier = None if swept else load.single_costs(cache, bench.spec.like(), len(out))
    return out if earlier is None else earlier


def _with_controls(
    chosen: Mapping[str, Sequence[Pair]],
    known: Mapping[str, np.ndarray],
    layer_of: Mapping[int, int],
    costs: np.ndarray,
) -> list[_Removed]:
    """Chosen pairs and their controls, by score."""
    layers = np.full(len(costs), -1)
    layers[list(layer_of)] = list(layer_of.values())
    pairs = np.stack([known["x"], known["y"]], axis=1).astype(int)
    every = {pair for some in chosen.values() for pair in some}
    out = []
    for score, some in chosen.items():
        out += [_Removed(pair, score) for pair in some]
        found = matching.controls(some, every, pairs, known[score], layers, costs)
        out += [_Removed(one, score, pair) for pair, one in zip(some, found, strict=True) if one is not None]
    return out


def _rows(
    all_removed: Sequence[_Removed],
    divergence: Mapping[tuple[int, ...], np.ndarray],
    known: Mapping[str, np.ndarray],
    layer_of: Mapping[int, int],
    per_layer: int,
) -> dict[str, Any]:
    both = np.array([divergence[one.pair] for one in all_removed])
    first, second = (np.array([divergence[(one.pair[side],)] for one in all_removed]) for side in (0, 1))
    beyond = interaction.interaction(both, first, second)
    low, high = importance.mean_interval(beyond)
    place = {pair: at for at, pair in enumerate(zip(known["x"].tolist(), known["y"].tolist(), strict=True))}
    at = [place[one.pair] for one in all_removed]
    scores = {name: known[name][at] for name in PAIR_SCORES}
    rows = []
    for number, one in enumerate(all_removed):
        (x, y), (of_x, of_y) = one.pair, one.control_of or (None, None)
        row: dict[str, Any] = {"score": one.score, "role": "control" if one.control_of else "chosen", "x": x, "y": y}
        for side, unit in (("x", x), ("y", y)):
            row |= {f"{side}_layer": layer_of[unit], f"{side}_unit": unit % per_layer}
        row |= {"control_of_x": of_x, "control_of_y": of_y}
        for name, values in (("", both), ("_x", first), ("_y", second)):
            row["divergence" + name] = _mean(values[number])
        row |= {"interaction": _mean(beyond[number]), "low": float(low[number]), "high": float(high[number])}
        rows.append(row | {name: float(values[number]) for name, values in scores.items()})
    tests, told = _tests(all_removed, beyond, scores, layer_of, rows)
    return {"ablation_pairs": rows, "ablation_pair_tests": tests, "pairs_told": told}


def _tests(
    all_removed: Sequence[_Removed],
    beyond: np.ndarray,
    scores: Mapping[str, np.ndarray],
    layer_of: Mapping[int, int],
    rows: Sequence[Mapping[str, Any]],
) -> tuple[list[dict[str, Any]], list[str]]:
    """A row per score, and sentences."""
    own = {(one.score, one.pair): number for number, one in enumerate(all_removed) if one.control_of is None}
    each = np.array(list({one.pair: number for number, one in enumerate(all_removed)}.values()))
    layers = np.array([[layer_of[unit] for unit in all_removed[number].pair] for number in each])
    tests, compared, correlated = [], [], []
    for score in PAIR_SCORES:
        if not np.isfinite(scores[score]).any():
            continue
        whole, within, known = interaction.goes_with(beyond[each], scores[score][each], layers)
        row: dict[str, Any] = {"score": score, "spearman": whole.value, "low": whole.low, "high": whole.high}
        row |= {"partial": within.value, "partial_low": within.low, "partial_high": within.high, "pairs": known}
        if np.isfinite(whole.value):
            correlated.append(f"{score} {whole.value:+.2f} [{whole.low:+.2f}, {whole.high:+.2f}]")
        chosen = sum(name == score for name, _ in own)
        controls = [
            (own[score, one.control_of], number)
            for number, one in enumerate(all_removed)
            if one.score == score and one.control_of is not None
        ]
        mine, theirs = np.array(controls, int).reshape(-1, 2).T
        difference, matched = interaction.against_controls(beyond[mine], beyond[theirs])
        row |= {"chosen": chosen or None, "matched": matched, "difference": difference.value}
        row |= {"difference_low": difference.low, "difference_high": difference.high}
        for name, some in (("alone", mine), ("controls_alone", theirs)):
            row[name] = _apart([rows[number] for number in some])
        tests.append(row)
        if chosen:
            compared.append(_compared(score, difference, chosen, matched))
    if correlated:
        compared.append(f"Spearman of interaction over {len(each)} pairs: {', '.join(correlated)}.")
    return tests, compared


def _compared(score: str, difference: importance.Estimate, chosen: int, matched: int) -> str:
    if not matched:
        return f"Pairs strong in {score}: none of {chosen} has a control in its two layers, undecided."
    some = f"{matched} pairs" if matched == chosen else f"{matched} of {chosen} have one"
    return (
        f"Pairs strong in {score} against their controls: interaction {difference.value:+.3g} "
        f"[{difference.low:+.3g}, {difference.high:+.3g}] nats per token ({some}): {interaction.verdict(difference)}."
    )


def _apart(rows: Sequence[Mapping[str, Any]]) -> float:
    """Mean over pairs of the sum of what the two units cost alone."""
    found = [row["divergence_x"] + row["divergence_y"] for row in rows]
    return float(np.mean(found)) if found else float("nan")


def _mean(values: np.ndarray) -> float:
    """The mean; NaN, which is stored as NULL, if it overflows."""
    mean = float(values.mean())
    return mean if np.isfinite(mean) else float("nan")
