"""Measurements of a run → the verdict on each claim of the literature. One function per claim, defined in
docs/method.md, section 8; docs/errors-claims.md counts how often they are wrong on data whose truth is known.

*Supported* requires that the same test fails on surrogate data processed in the same way. *Not supported*: the interval
excludes the claimed side, or the test fails with enough data. Otherwise *inconclusive*, and the claim says what is
missing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.stats import t as student

from synergy_tui.analysis.areas import ALPHA, BY_DIVERGENCE, ENOUGH_SEEDS, PRIMARY, SAME, UNCLEAR, AreaTest
from synergy_tui.analysis.effects import Effect, deciding
from synergy_tui.analysis.networks import Difference
from synergy_tui.analysis.profile import SIDES
from synergy_tui.analysis.thresholds import (
    AS_FEW,
    AS_MANY,
    BUDGET,
    ENOUGH_CONTROLS,
    ENOUGH_TASKS,
    EXPLAINED_SHARE,
    SMALLEST_CONTRAST,
)
from synergy_tui.terms import (
    CONTROL_ORDERS,
    CONTROLS,
    ENOUGH_PROMPTS,
    EXPLAINED,
    FULL_LADDER,
    INCONCLUSIVE,
    NOT_SUPPORTED,
    NULLS,
    SUPPORTED,
)

NOTHING = float("nan")


@dataclass(frozen=True)
class Claim:
    """The verdict on one claim. measure: the quantity of effect, low and high (an interval of coverage `level`), NaN if
    not measured. p: of the test behind the verdict, NaN without a test. n: prompts, levels or initialisations.
    holds_under, of: rankings (C6: densities) under which it is supported, among those tested. missing: what an
    inconclusive claim lacks. told: the numbers behind it. against: evidence against it."""

    verdict: str
    measure: str = ""
    effect: float = NOTHING
    low: float = NOTHING
    high: float = NOTHING
    level: float = 0.95
    p: float = NOTHING
    n: int | None = None
    holds_under: tuple[str, ...] = ()
    of: tuple[str, ...] = ()
    missing: str = ""
    told: str = ""
    against: tuple[str, ...] = ()


def lacks(what: str, **known: Any) -> Claim:
    """An inconclusive claim, and why."""
    return Claim(INCONCLUSIVE, missing=what, **known)


@dataclass(frozen=True)
class Contrast:
    """Middle layers minus the others in one ranking: value with its two-way interval; sides: value, low and high by
    name in profile.SIDES; effects: by null, against surrogates."""

    value: float
    low: float
    high: float
    sides: Mapping[str, tuple[float, float, float]]
    effects: Mapping[str, Effect]


# C1: middle layers are synergistic, early and late redundant.


def c1(contrasts: Mapping[str, Contrast], ranking: str, prompts: int, misleading: Sequence[str] = ()) -> Claim:
    """The verdict by `ranking`; `contrasts` by ranking. misleading: conditions in the data under which no null can be
    trusted."""
    own = contrasts.get(ranking)
    if own is None or not math.isfinite(own.value):
        return lacks("at least three layers with a value: there is no contrast", n=prompts)
    known: dict[str, Any] = {"measure": "contrast", "effect": own.value, "low": own.low, "high": own.high, "n": prompts}
    verdicts = {name: _c1(one, misleading) for name, one in contrasts.items()}
    verdict, why = verdicts[ranking]
    held = tuple(name for name, (one, _) in verdicts.items() if one == SUPPORTED)
    below = [name for name, one in contrasts.items() if _reversed(one)]
    told = [f"{name} {_ends(*own.sides[name])}" for name in SIDES[:2] if name in own.sides]
    for null, effect in own.effects.items():
        ends = _ends(effect.difference, effect.low, effect.high)
        told.append(f"minus {null} surrogates {ends} (p {effect.p:.3f}, {effect.prompts} prompts)")
    halves = [effect.halves for effect in own.effects.values() if math.isfinite(effect.halves)]
    if halves:
        told.append(f"holds in {min(halves):.0%} of random halves of the prompts")
    if below:
        told.append(f"reversed, below the surrogates, under {', '.join(below)}")
    known["p"] = _worst([own.effects[null].p if null in own.effects else NOTHING for null in NULLS])
    return Claim(verdict, **known, holds_under=held, of=tuple(contrasts), missing=why, told="; ".join(told))


def _c1(one: Contrast, misleading: Sequence[str]) -> tuple[str, str]:
    """The verdict by one ranking, and what is missing."""
    if not math.isfinite(one.low) or not all(math.isfinite(one.sides.get(name, (NOTHING,) * 3)[1]) for name in SIDES):
        return INCONCLUSIVE, "two prompts or more for an interval"
    above, ends = ([one.sides[name] for name in some] for some in (SIDES[:2], SIDES[2:]))
    shape = all(low > 0 for _, low, _ in above) and all(value < 0 for value, _, _ in ends)
    if not shape:
        if any(high < SMALLEST_CONTRAST for _, _, high in above) or any(low > 0 for _, low, _ in ends):
            return NOT_SUPPORTED, ""
        low = [name for name in SIDES[:2] if one.sides[name][1] <= 0]
        what = (
            f"an interval of {' and '.join(low)} that excludes 0 or {SMALLEST_CONTRAST}"
            if low
            else "both ends below the mean of all layers"
        )
        return INCONCLUSIVE, f"{what}: more prompts"
    if absent := [null for null in NULLS if null not in one.effects]:
        return INCONCLUSIVE, f"surrogates of {' and '.join(absent)}"
    if (few := min(effect.prompts for effect in one.effects.values())) < ENOUGH_PROMPTS:
        return INCONCLUSIVE, f"{ENOUGH_PROMPTS} prompts of like length; the nulls have {few}"
    if misleading:
        return INCONCLUSIVE, _no_null(misleading)
    against = [one.effects[null] for null in NULLS]
    if all(effect.low > 0 and effect.p < ALPHA for effect in against):
        return SUPPORTED, ""
    bound = EXPLAINED_SHARE * one.value
    if any(effect.high < bound for effect in against):
        return EXPLAINED, ""
    counts = [deciding(effect.difference, effect.error, effect.prompts, bound) for effect in against]
    known = [count for count in counts if count is not None]
    many = f"about {max(known)} prompts would decide" if known else "more prompts"
    return INCONCLUSIVE, f"a difference from surrogates above 0 or below {bound:+.3f}: {many}"


def _no_null(misleading: Sequence[str]) -> str:
    return f"a null that holds: {'; '.join(misleading)}"


def _reversed(one: Contrast) -> bool:
    """Whether the data lie below their surrogates under both nulls."""
    return all(null in one.effects and one.effects[null].high < 0 for null in NULLS)


def _ends(value: float, low: float, high: float) -> str:
    return f"{value:+.3f} [{low:+.3f}, {high:+.3f}]"


# C2: the organisation emerges as a transition with difficulty.


@dataclass(frozen=True)
class Climb:
    """A ladder as C2 takes it: the verdict on the primary order parameter, ΔBIC of the better of step and sigmoid
    against the others, the interval of d*. levels: levels with a value; prompts: the fewest of a level. accuracy_falls:
    None if unknown, and `accuracy` says why. surrogates: the share of surrogate ladders in which the same test finds a
    transition, NaN without any. power: for a step of one standard deviation with so many levels and prompts. sentence:
    what the ladder says. misleading: as in c1, from any level."""

    parameter: str
    verdict: str
    delta_bic: float
    d_low: float
    d_high: float
    levels: int
    prompts: int
    accuracy_falls: bool | None
    accuracy: str
    surrogates: float
    power: float
    sentence: str
    misleading: tuple[str, ...] = ()


def c2(ladder: Climb | None) -> Claim:
    """The verdict by the primary order parameter, which was named in advance: the contrast."""
    if ladder is None:
        return lacks("a ladder of difficulty")
    one = ladder
    known: dict[str, Any] = {"measure": "ΔBIC", "effect": one.delta_bic, "n": one.levels, "of": (one.parameter,)}
    told = one.sentence
    if one.verdict == "transition" and math.isfinite(one.d_low):
        told = f"{told} d* in [{one.d_low:g}, {one.d_high:g}]".strip()
    known["told"] = told
    levels, prompts = FULL_LADDER
    if one.levels < levels or one.prompts < prompts:
        power = f", whose power for a step of one sd is {one.power:.0%}" if math.isfinite(one.power) else ""
        return lacks(f"{levels} levels × {prompts} prompts; there are {one.levels} × {one.prompts}{power}", **known)
    if one.accuracy_falls is None:
        return lacks(f"an accuracy of every level: {one.accuracy}", **known)
    if not one.accuracy_falls:
        return lacks("a ladder over which accuracy falls: difficulty was only a label", **known)
    if one.verdict in ("gradual", "no change"):
        return Claim(NOT_SUPPORTED, **known)
    if one.verdict != "transition":
        return lacks("more prompts per level: no model of the levels stands out", **known)
    if not math.isfinite(one.surrogates):
        return lacks("surrogates of the levels: climb with --surrogates 20 or more", **known)
    if one.misleading:
        return lacks(_no_null(one.misleading), **known)
    known["told"] = f"{told} Of surrogate ladders {one.surrogates:.0%} have a transition too."
    if one.surrogates >= AS_MANY:
        return Claim(EXPLAINED, **known)
    if one.surrogates > AS_FEW:
        return lacks("surrogate ladders without a transition: more prompts per level", **known)
    return Claim(SUPPORTED, **known, holds_under=(one.parameter,))


# C3: ablating synergistic units is disproportionate. C4: redundant units are dispensable.


@dataclass(frozen=True)
class Removal:
    """A targeted order against its controls, by `random` and `layer-matched`. area: its primary area's tests.
    divergence: with a quarter of the units removed, nats per token. accuracy: one-sided p that it is lower than the
    controls'; tasks: graded tasks that the intact subject can do. held_out: whether the ranking comes from prompts
    other than the replayed ones."""

    area: Mapping[str, AreaTest]
    divergence: float
    accuracy: Mapping[str, float]
    tasks: int
    prompts: int
    ranking: str
    held_out: bool


def c3(synergy_first: Removal | None) -> Claim:
    """Primary area above random and layer-matched, and the accuracy drop likewise."""
    if synergy_first is None:
        return lacks("an ablation, synergy-first")
    one, known = synergy_first, _removed(synergy_first)
    if why := _too_little(one):
        return lacks(why, **known)
    if (refused := _refused([test.p for test in one.area.values()], known)) is not None:
        return refused
    # Both must hold, so an area above its controls has no p by itself.
    if not one.tasks or not all(math.isfinite(one.accuracy.get(name, NOTHING)) for name in CONTROL_ORDERS):
        return lacks("accuracy on graded tasks the intact subject can do", **known)
    if one.tasks < ENOUGH_TASKS:
        return lacks(f"{ENOUGH_TASKS} graded tasks the intact subject can do; it does {one.tasks}", **known)
    both = [*(test.p for test in one.area.values()), *(one.accuracy[name] for name in CONTROL_ORDERS)]
    if (refused := _refused(both, known)) is not None:
        return refused
    return Claim(SUPPORTED, **known, p=_worst(both), holds_under=(one.ranking,))


def c4(redundancy_first: Removal | None, budget: float = BUDGET) -> Claim:
    """Primary area below random and layer-matched, and divergence under the budget at a quarter."""
    if redundancy_first is None:
        return lacks("an ablation, redundancy-first")
    one, known = redundancy_first, _removed(redundancy_first, budget)
    if why := _too_little(one):
        return lacks(why, **known)
    below = [test.below for test in one.area.values()]
    if math.isfinite(one.divergence) and one.divergence >= budget:
        return Claim(NOT_SUPPORTED, **known, p=_worst(below))
    if any(test.stopped == BY_DIVERGENCE for test in one.area.values()):
        return lacks("more control sets: none were drawn beyond a smaller budget; ablate anew", **known)
    if (refused := _refused(below, known)) is not None:
        return refused
    known["p"] = _worst(below)
    if not math.isfinite(one.divergence):
        return lacks(f"divergence with {PRIMARY:.0%} removed", **known)
    return Claim(SUPPORTED, **known, holds_under=(one.ranking,))


def _refused(p: Sequence[float], known: dict[str, Any]) -> Claim | None:
    """None if every one-sided p is below 0.05; not supported if one is clearly not, else inconclusive."""
    worst = max(p)
    if worst < ALPHA:
        return None
    if worst > UNCLEAR:
        return Claim(NOT_SUPPORTED, **known, p=worst)
    return lacks(f"more prompts or control sets: p {worst:.3f}", **known, p=worst)


def _worst(p: Sequence[float]) -> float:
    """The p of a claim that holds if all of several tests hold: the largest; NaN if one of them is unknown."""
    return max(p) if p and all(math.isfinite(one) for one in p) else NOTHING


def _removed(one: Removal, budget: float | None = None) -> dict[str, Any]:
    """What is known of a removal, whatever the verdict."""
    upward = budget is None
    told = []
    for name, test in one.area.items():
        ends = f" [{test.low:.2f}, {test.high:.2f}]" if math.isfinite(test.low) else ""
        told.append(f"area ×{test.ratio:.2f}{ends} {name}{_p(test.p if upward else test.below)}")
    if early := [f"{test.seeds} {name}" for name, test in one.area.items() if test.stopped]:
        told.append(f"stopped after {', '.join(early)} of {ENOUGH_SEEDS} sets: decided")
    if upward:
        told += [f"accuracy below {name}{_p(one.accuracy[name])}" for name in one.accuracy]
    else:
        told.append(f"{one.divergence:.3g} nats per token at {PRIMARY:.0%}, budget {budget:g}")
    random = one.area.get(CONTROL_ORDERS[0])
    found: dict[str, Any] = {"measure": "area, × random (90 %)", "level": 0.9, "n": one.prompts}
    if random is not None:
        found |= {"effect": random.ratio, "low": random.low, "high": random.high}
    return found | {"told": "; ".join(told), "of": (one.ranking,)}


def _too_little(one: Removal) -> str:
    """What is missing for the tests of an order's area to say anything."""
    if absent := [name for name in CONTROL_ORDERS if name not in one.area]:
        return f"controls {' and '.join(absent)}"
    # Fewer are enough if the sequential rule has decided (sequential.py).
    if few := [test.seeds for test in one.area.values() if test.seeds < ENOUGH_SEEDS and not test.stopped]:
        return f"too few controls: {min(few)} of {ENOUGH_SEEDS} seeds"
    if same := [name for name, test in one.area.items() if not math.isfinite(test.p)]:
        return f"{' and '.join(same)} sets that differ from each other, and areas above 0"
    if one.prompts < 2:
        return "two prompts or more: an interval over prompts"
    if not one.held_out:
        return "a ranking from other prompts than those replayed: ablate anew"
    return ""


# C5: it is learned.


def c5(
    own: Mapping[str, float],
    controls: Mapping[str, Mapping[str, Float[np.ndarray, " controls"]]],
    ranking: str,
    misleading: Sequence[str] = (),
) -> Claim:
    """own: by ranking, contrast minus its prompt-shuffle surrogate mean. controls: the same of random initialisations,
    by kind of control. misleading: as in c1."""
    value = own.get(ranking, NOTHING)
    each = {kind: _known(controls.get(kind, {}).get(ranking)) for kind in CONTROLS}
    few = min(len(one) for one in each.values())
    known: dict[str, Any] = {"measure": "contrast − surrogates, over random", "n": few}
    if math.isfinite(value) and few:
        nearest = max(each.values(), key=lambda one: one.mean())
        low, high = _beyond(value, nearest)
        told = "; ".join(f"{kind} {one.mean():+.3f}{_p(above(value, one))}" for kind, one in each.items())
        known |= {"effect": float(value - nearest.mean()), "low": low, "high": high}
        known["told"] = f"own {value:+.3f}, {told}"
    if not math.isfinite(value):
        return lacks("a contrast with prompt-shuffle surrogates", **known)
    if few < ENOUGH_CONTROLS:
        short = ", ".join(f"{len(one)} {kind}" for kind, one in each.items())
        return lacks(f"{ENOUGH_CONTROLS} random initialisations of each control; there are {short}", **known)
    known["p"] = _worst([above(value, one) for one in each.values()])
    held = tuple(name for name in own if _learned(own[name], controls, name))
    if ranking in held and misleading:
        return lacks(_no_null(misleading), **known, of=tuple(own))
    return Claim(SUPPORTED if ranking in held else NOT_SUPPORTED, **known, holds_under=held, of=tuple(own))


def above(value: float, controls: Float[np.ndarray, " controls"]) -> float:
    """One-sided p that a value is above its controls: t = (value − mean)/(sd·√(1 + 1/k)), Student with k − 1 degrees of
    freedom; NaN with fewer than two controls, or if they do not differ."""
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


C6_SIDES = ("efficiency of sts", "efficiency", "modularity of rtr", "modularity")
"""What C6 requires to be above 0: a network's measure minus that of its own surrogates, and minus the other network's.
"""


def c6(
    differences: Mapping[tuple[str, str, float], Difference],
    densities: Sequence[float],
    prompts: int,
    misleading: Sequence[str] = (),
) -> Claim:
    """differences: by null, name in C6_SIDES and density. `efficiency` is sts − rtr, `modularity` rtr − sts.
    misleading: as in c1."""
    if not differences:
        return lacks("networks of synergy and redundancy")
    weakest = min(differences.values(), key=lambda one: (math.isfinite(one.low), one.low))
    key = next(key for key, one in differences.items() if one is weakest)
    known: dict[str, Any] = {"measure": f"{key[1]} at {key[2]:.0%}", "effect": weakest.value, "n": prompts}
    known |= {"low": weakest.low, "high": weakest.high, "of": tuple(f"{one:g}" for one in densities)}
    known["told"] = "; ".join(_least(differences, what) for what in C6_SIDES)
    if absent := [null for null in NULLS if not any(one[0] == null for one in differences)]:
        return lacks(f"surrogates of {' and '.join(absent)}", **known)
    if absent := [what for what in C6_SIDES if not any(one[1] == what for one in differences)]:
        return lacks(f"{' and '.join(absent)} against surrogates: make the networks anew", **known)
    if not all(math.isfinite(one.low) for one in differences.values()):
        lost = sorted({density for (_, _, density), one in differences.items() if not math.isfinite(one.low)})
        return lacks(f"edges of positive weight at {', '.join(f'{one:.0%}' for one in lost)}, and two prompts", **known)
    held = [
        f"{density:g}"
        for density in densities
        if all(one.low > 0 for (_, _, at), one in differences.items() if at == density)
    ]
    if len(held) == len(densities) and misleading:
        return lacks(_no_null(misleading), **known)
    if len(held) == len(densities):
        return Claim(SUPPORTED, **known, holds_under=tuple(held))
    if any(one.high <= 0 for one in differences.values()):
        return Claim(NOT_SUPPORTED, **known, holds_under=tuple(held))
    needed = [count for one in differences.values() if (count := _prompts_for(one, prompts)) is not None]
    how_many = f"about {max(needed)} prompts would do" if needed else "more prompts"
    return lacks(f"intervals that exclude 0 at all densities: {how_many}", **known, holds_under=tuple(held))


def _prompts_for(one: Difference, prompts: int) -> int | None:
    """Prompts with which an interval that includes 0 would exclude it, if the value stays (80 % power)."""
    if one.low > 0 or one.value == 0:
        return None
    error = (one.high - one.low) / (2 * float(student.ppf(0.975, max(prompts - 1, 1))))
    return math.ceil(prompts * (2.8 * error / abs(one.value)) ** 2)


def _least(differences: Mapping[tuple[str, str, float], Difference], what: str) -> str:
    found = [(one.value, density) for (_, name, density), one in differences.items() if name == what]
    known = [one for one in found if math.isfinite(one[0])]
    over = {"efficiency": " sts − rtr", "modularity": " rtr − sts"}.get(what, " over its surrogates")
    return f"{what}{over} at least {min(known)[0]:+.3f}" if known else f"{what} unknown"


def _known(values: np.ndarray | None) -> np.ndarray:
    values = np.empty(0) if values is None else np.asarray(values, float)
    return values[np.isfinite(values)]


def _p(value: float) -> str:
    return f" (p {value:.3f})" if math.isfinite(value) else ""
