"""What was measured of a run → the verdict on each claim of the literature. One function per claim, beside METHOD
section 8; how often they are wrong on data whose truth is known is in CLAIMS.md.

*Supported* requires that the same test fails on surrogate data put through the same path. *Not supported*: the interval
excludes the claimed side, or the test fails with enough data. Otherwise *inconclusive*, with what is missing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.stats import t as student

from synergy_tui.analysis.areas import ALPHA, ENOUGH_SEEDS, PRIMARY, SAME, AreaTest
from synergy_tui.analysis.networks import Difference
from synergy_tui.terms import CONTROL_ORDERS, CONTROLS, EXPLAINED, INCONCLUSIVE, NOT_SUPPORTED, NULLS, SUPPORTED

NOTHING = float("nan")

PERCENTILE = 95
"""Of surrogate contrasts, which the data's must exceed."""

SMALLEST_CONTRAST = 0.1
"""A contrast worth the name, on the scaled value. Where an interval includes 0 the test has failed with enough data if
it lies below this; otherwise more prompts might tell."""

ENOUGH_CONTROLS = 5
"""Random initialisations of each kind of control."""

ENOUGH_TASKS = 20
"""Graded tasks the intact subject can do; with fewer a failed test of accuracy says nothing."""

BUDGET = 0.1
"""Of C4: most divergence with a quarter of the units removed, nats per token."""


@dataclass(frozen=True)
class Claim:
    """The verdict on one claim. measure: what effect, low and high (a 95 % interval) are of, NaN where not measured.
    n: prompts, levels or initialisations. holds_under, of: rankings (C6: densities) under which it is supported, among
    those it was put to. missing: what an inconclusive one lacks. told: the numbers behind it. against: what speaks
    against it."""

    verdict: str
    measure: str = ""
    effect: float = NOTHING
    low: float = NOTHING
    high: float = NOTHING
    n: int | None = None
    holds_under: tuple[str, ...] = ()
    of: tuple[str, ...] = ()
    missing: str = ""
    told: str = ""
    against: tuple[str, ...] = ()


def lacks(what: str, **known: Any) -> Claim:
    """Inconclusive, and why."""
    return Claim(INCONCLUSIVE, missing=what, **known)


@dataclass(frozen=True)
class Contrast:
    """Middle layers minus the others in one ranking: value with its two-way interval, and by null what each surrogate
    shows in the same ranking."""

    value: float
    low: float
    high: float
    draws: Mapping[str, Float[np.ndarray, " draws"]]


# C1: middle layers are synergistic, early and late redundant.


def c1(contrasts: Mapping[str, Contrast], ranking: str, prompts: int) -> Claim:
    """By `ranking`; `contrasts` by ranking."""
    own = contrasts.get(ranking)
    if own is None or not math.isfinite(own.value):
        return lacks("three layers with a value at least: there is no contrast", n=prompts)
    known: dict[str, Any] = {"measure": "contrast", "effect": own.value, "low": own.low, "high": own.high, "n": prompts}
    verdicts = {name: _c1(one) for name, one in contrasts.items()}
    verdict, why = verdicts[ranking]
    held = tuple(name for name, (one, _) in verdicts.items() if one == SUPPORTED)
    told = ", ".join(f"{null} {_percentile(draws):+.2f}" for null, draws in own.draws.items() if len(draws))
    told = f"{PERCENTILE}th percentile of surrogates: {told}" if told else ""
    return Claim(verdict, **known, holds_under=held, of=tuple(contrasts), missing=why, told=told)


def _c1(one: Contrast) -> tuple[str, str]:
    """Verdict by one ranking, and what is missing."""
    if not math.isfinite(one.low):
        return INCONCLUSIVE, "two prompts or more for an interval"
    if one.low <= 0:
        if one.high < SMALLEST_CONTRAST:
            return NOT_SUPPORTED, ""
        return INCONCLUSIVE, f"an interval that excludes 0 or a contrast of {SMALLEST_CONTRAST}: more prompts"
    if absent := [null for null in NULLS if not len(one.draws.get(null, ()))]:
        return INCONCLUSIVE, f"surrogates of {' and '.join(absent)}"
    above = all(one.value > _percentile(one.draws[null]) for null in NULLS)
    return (SUPPORTED if above else EXPLAINED), ""


def _percentile(draws: np.ndarray) -> float:
    """The draw that only 5 % of equal data exceed: with S draws the ⌈0.95·(S + 1)⌉-th smallest, which makes the test
    exact. Interpolation between draws gives a test of more than 5 %."""
    known = np.sort(draws[np.isfinite(draws)])
    place = math.ceil(PERCENTILE / 100 * (len(known) + 1))
    return float(known[place - 1]) if 0 < place <= len(known) else float("inf")


# C2: the organisation emerges as a transition with difficulty.


def c2(ladder: Mapping[str, Any] | None) -> Claim:
    """By the row of a ladder whose verdict section 6 gave."""
    if ladder is None:
        return lacks("a ladder of difficulty")
    low, high = (_number(ladder.get(key)) for key in ("d_low", "d_high"))
    known: dict[str, Any] = {"measure": "ΔBIC", "effect": _number(ladder["delta_bic"]), "n": ladder["levels"]}
    told = str(ladder.get("sentence") or "")
    if math.isfinite(low):
        told = f"{told} d* in [{low:g}, {high:g}]".strip()
    if ladder["verdict"] == "comparison":
        return lacks("a ladder of 5 levels or more: two levels are a comparison", **known, told=told)
    if not ladder["accuracy_falls"]:
        return lacks("a ladder over which accuracy falls: difficulty was only a label", **known, told=told)
    if ladder["verdict"] in ("gradual", "no change"):
        return Claim(NOT_SUPPORTED, **known, told=told)
    if ladder["verdict"] == "changes":
        return lacks("8 levels or more to tell a transition from a gradual change", **known, told=told)
    if ladder["verdict"] != "transition":
        return lacks("more prompts a level: no model of the levels stands out", **known, told=told)
    return Claim(SUPPORTED, **known, told=told, holds_under=_one(ladder), of=_one(ladder))


def _one(ladder: Mapping[str, Any]) -> tuple[str, ...]:
    return (str(ladder["order_parameter"]),)


# C3: ablating synergistic units is disproportionate. C4: redundant units are dispensable.


@dataclass(frozen=True)
class Removal:
    """A targeted order against its controls, by `random` and `layer-matched`. area: its primary area's tests. ratio:
    to the random sets, with its interval over prompts. divergence: with a quarter of the units removed, nats per token.
    accuracy: one-sided p that it is lower than the controls'; tasks: graded ones the intact subject can do."""

    area: Mapping[str, AreaTest]
    ratio: tuple[float, float, float]
    divergence: float
    accuracy: Mapping[str, float]
    tasks: int
    prompts: int
    ranking: str


def c3(synergy_first: Removal | None) -> Claim:
    """Primary area above random and layer-matched, and the accuracy drop likewise."""
    if synergy_first is None:
        return lacks("an ablation, synergy-first")
    one, known = synergy_first, _removed(synergy_first)
    if why := _too_little(one):
        return lacks(why, **known)
    if not all(test.p < ALPHA for test in one.area.values()):
        return Claim(NOT_SUPPORTED, **known)
    if not one.tasks or not all(math.isfinite(one.accuracy.get(name, NOTHING)) for name in CONTROL_ORDERS):
        return lacks("accuracy on graded tasks the intact subject can do", **known)
    if all(one.accuracy[name] < ALPHA for name in CONTROL_ORDERS):
        return Claim(SUPPORTED, **known, holds_under=(one.ranking,))
    if one.tasks < ENOUGH_TASKS:
        return lacks(f"{ENOUGH_TASKS} graded tasks the intact subject can do; it does {one.tasks}", **known)
    return Claim(NOT_SUPPORTED, **known)


def c4(redundancy_first: Removal | None, budget: float = BUDGET) -> Claim:
    """Primary area below random and layer-matched, and under the budget at a quarter."""
    if redundancy_first is None:
        return lacks("an ablation, redundancy-first")
    one, known = redundancy_first, _removed(redundancy_first, budget)
    if why := _too_little(one):
        return lacks(why, **known)
    below = all(test.below < ALPHA for test in one.area.values())
    if below and not math.isfinite(one.divergence):
        return lacks(f"divergence with {PRIMARY:.0%} removed", **known)
    if below and one.divergence < budget:
        return Claim(SUPPORTED, **known, holds_under=(one.ranking,))
    return Claim(NOT_SUPPORTED, **known)


def _removed(one: Removal, budget: float | None = None) -> dict[str, Any]:
    """What is known of a removal, whatever the verdict."""
    upward = budget is None
    told = [f"area ×{test.ratio:.2f} {name}{_p(test.p if upward else test.below)}" for name, test in one.area.items()]
    if upward:
        told += [f"accuracy below {name}{_p(one.accuracy[name])}" for name in one.accuracy]
    else:
        told.append(f"{one.divergence:.3g} nats per token at {PRIMARY:.0%}, budget {budget:g}")
    effect, low, high = one.ratio
    found = {"measure": "area, × random", "effect": effect, "low": low, "high": high, "n": one.prompts}
    return found | {"told": "; ".join(told), "of": (one.ranking,)}


def _too_little(one: Removal) -> str:
    """What is missing for the tests of an order's area to say anything."""
    if absent := [name for name in CONTROL_ORDERS if name not in one.area]:
        return f"controls {' and '.join(absent)}"
    if (few := min(test.seeds for test in one.area.values())) < ENOUGH_SEEDS:
        return f"too few controls: {few} of {ENOUGH_SEEDS} seeds"
    if same := [name for name, test in one.area.items() if not math.isfinite(test.p)]:
        return f"{' and '.join(same)} sets that differ from each other, and areas above 0"
    return ""


# C5: it is learned.


def c5(
    own: Mapping[str, float], controls: Mapping[str, Mapping[str, Float[np.ndarray, " controls"]]], ranking: str
) -> Claim:
    """own: by ranking, contrast minus its prompt-shuffle surrogate mean. controls: the same of random initialisations,
    by kind of control."""
    value = own.get(ranking, NOTHING)
    each = {kind: _known(controls.get(kind, {}).get(ranking)) for kind in CONTROLS}
    few = min(len(one) for one in each.values())
    known: dict[str, Any] = {"measure": "contrast − surrogates, over random", "n": few}
    if math.isfinite(value) and few:
        nearest = max(each.values(), key=lambda one: one.mean())
        low, high = _beyond(value, nearest)
        told = "; ".join(f"{kind} {one.mean():+.2f}{_p(above(value, one))}" for kind, one in each.items())
        known |= {"effect": float(value - nearest.mean()), "low": low, "high": high}
        known["told"] = f"own {value:+.2f}, {told}"
    if not math.isfinite(value):
        return lacks("a contrast with prompt-shuffle surrogates", **known)
    if few < ENOUGH_CONTROLS:
        short = ", ".join(f"{len(one)} {kind}" for kind, one in each.items())
        return lacks(f"{ENOUGH_CONTROLS} random initialisations of each control; there are {short}", **known)
    held = tuple(name for name in own if _learned(own[name], controls, name))
    return Claim(SUPPORTED if ranking in held else NOT_SUPPORTED, **known, holds_under=held, of=tuple(own))


def above(value: float, controls: Float[np.ndarray, " controls"]) -> float:
    """One-sided p that a value is above its controls: t = (value − mean)/(sd·√(1 + 1/k)), Student with k − 1 degrees of
    freedom; NaN where there are fewer than two or they do not differ."""
    k = len(controls)
    spread = controls.std(ddof=1) if k > 1 else 0.0
    if not spread > SAME or not math.isfinite(value):
        return NOTHING
    return float(student.sf((value - controls.mean()) / (spread * np.sqrt(1 + 1 / k)), k - 1))


def _learned(value: float, controls: Mapping[str, Mapping[str, np.ndarray]], ranking: str) -> bool:
    each = [_known(controls[kind].get(ranking)) for kind in CONTROLS]
    return all(len(one) >= ENOUGH_CONTROLS and above(value, one) < ALPHA for one in each)


def _beyond(value: float, controls: np.ndarray) -> tuple[float, float]:
    """95 % interval of how far a value is above a control yet to be drawn, by the same t."""
    k = len(controls)
    if k < 2 or not math.isfinite(value):
        return NOTHING, NOTHING
    half = float(student.ppf(0.975, k - 1) * controls.std(ddof=1) * np.sqrt(1 + 1 / k))
    middle = float(value - controls.mean())
    return middle - half, middle + half


# C6: synergy networks are efficient, redundancy networks modular.


def c6(differences: Mapping[tuple[str, str, float], Difference], densities: Sequence[float], prompts: int) -> Claim:
    """differences: by null, `efficiency` (sts − rtr) or `modularity` (rtr − sts), and density."""
    if not differences:
        return lacks("networks of synergy and redundancy")
    weakest = min(differences.values(), key=lambda one: (math.isfinite(one.low), one.low))
    key = next(key for key, one in differences.items() if one is weakest)
    known: dict[str, Any] = {"measure": f"{key[1]} at {key[2]:.0%}", "effect": weakest.value, "n": prompts}
    known |= {"low": weakest.low, "high": weakest.high, "of": tuple(f"{one:g}" for one in densities)}
    known["told"] = "; ".join(_least(differences, what) for what in ("efficiency", "modularity"))
    if absent := [null for null in NULLS if not any(one[0] == null for one in differences)]:
        return lacks(f"surrogates of {' and '.join(absent)}", **known)
    if not all(math.isfinite(one.low) for one in differences.values()):
        lost = sorted({density for (_, _, density), one in differences.items() if not math.isfinite(one.low)})
        return lacks(f"edges of positive weight at {', '.join(f'{one:.0%}' for one in lost)}, and two prompts", **known)
    held = [
        f"{density:g}"
        for density in densities
        if all(one.low > 0 for (_, _, at), one in differences.items() if at == density)
    ]
    if len(held) == len(densities):
        return Claim(SUPPORTED, **known, holds_under=tuple(held))
    if any(one.high <= 0 for one in differences.values()):
        return Claim(NOT_SUPPORTED, **known, holds_under=tuple(held))
    return lacks("intervals that exclude 0 at all densities: more prompts", **known, holds_under=tuple(held))


def _least(differences: Mapping[tuple[str, str, float], Difference], what: str) -> str:
    found = [(one.value, density) for (_, name, density), one in differences.items() if name == what]
    known = [one for one in found if math.isfinite(one[0])]
    sides = {"efficiency": "sts − rtr", "modularity": "rtr − sts"}[what]
    return f"{what} {sides} at least {min(known)[0]:+.3f}" if known else f"{what} unknown"


def _known(values: np.ndarray | None) -> np.ndarray:
    values = np.empty(0) if values is None else np.asarray(values, float)
    return values[np.isfinite(values)]


def _number(value: Any) -> float:
    return NOTHING if value is None else float(value)


def _p(value: float) -> str:
    return f" (p {value:.3f})" if math.isfinite(value) else ""
