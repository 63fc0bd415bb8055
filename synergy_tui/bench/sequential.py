"""How often a rule that stops early is wrong, and what it saves: `synergy-tui bench sequential`. Log areas of a target
and of 20 control sets are drawn from one distribution (no effect), or with the target moved. Then the rule of
analysis/sequential.py stops, and the rank test of all 20 sets gives its verdict for comparison. Every count has a 95 %
interval."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from multiprocessing import get_context
from typing import Any, NamedTuple

import numpy as np

from synergy_tui.analysis import areas, sequential
from synergy_tui.analysis.importance import binomial
from synergy_tui.analysis.sequential import ABOVE, BUDGET, Evidence
from synergy_tui.bench import calibration
from synergy_tui.terms import CONTROL_ORDERS

REPLICATES = int(os.environ.get("SYNERGY_TUI_BENCH_REPLICATES", "20000"))
"""Data sets of each case without an effect; each case with an effect has a fifth of them."""

Found = dict[str, Any]
Draw = Callable[[np.random.Generator, int], np.ndarray]
"""chance, count → that many log areas."""


def _contaminated(share: float, times: float) -> Draw:
    return lambda chance, n: chance.normal(size=n) * np.where(chance.random(n) < share, times, 1)


def _critical(share: float, times: float, noise: float = 0.1) -> Draw:
    """One critical unit is in this share of sets and multiplies their areas."""
    return lambda chance, n: noise * chance.normal(size=n) + np.log(times) * (chance.random(n) < share)


def _bimodal(share: float, noise: float) -> Draw:
    return lambda chance, n: noise * chance.normal(size=n) + (chance.random(n) < share)


SHARES = (0.05, 0.075, 0.1, 0.15, 0.2, 0.3)

NULL: dict[str, Draw] = {
    "log-normal areas": lambda chance, n: chance.normal(size=n),
    "Student t, 3 degrees": lambda chance, n: chance.standard_t(3, size=n),
    "5 % contaminated, 10 sd": _contaminated(0.05, 10),
    "10 % contaminated, 5 sd": _contaminated(0.1, 5),
    "20 % contaminated, 3 sd": _contaminated(0.2, 3),
    "two groups, even": _bimodal(0.5, 0.2),
    "two groups, 20 % high": _bimodal(0.2, 0.2),
    "two groups, 80 % high": _bimodal(0.8, 0.2),
    "exponential log areas": lambda chance, n: chance.exponential(size=n),
    **{
        f"a critical unit in {share:.3g} of sets, × {times}": _critical(share, times)
        for share in SHARES
        for times in (2, 5)
    },
    **{f"a critical unit in {share:.3g} of sets, × 1.5": _critical(share, 1.5) for share in (0.05, 0.1, 0.2)},
    "a unit that spares, in 0.1 of sets, × 0.2": _critical(0.1, 0.2),
}
"""Distributions under which the bounds must hold."""

BEYOND: dict[str, Draw] = {
    "Student t, 2 degrees": lambda chance, n: chance.standard_t(2, size=n),
    "Cauchy log areas": lambda chance, n: chance.standard_cauchy(size=n),
    "Gamma log areas, shape 0.3": lambda chance, n: chance.gamma(0.3, size=n),
}
"""Distributions beyond the bounds' design: only ranks hold under all of these."""

SHIFTS = (2.0, 3.0, 4.0, 5.0, 6.5, 8.0)
"""How far a target is above log-normal sets, in their standard deviations."""


class Stopped(NamedTuple):
    """Where the rule stopped and its result; full: p of the rank test of all sets."""

    sets: int
    why: str
    p: float
    full: float

    @property
    def called(self) -> bool:
        """Whether the target was called above its sets."""
        return self.why == ABOVE

    @property
    def verdict(self) -> str:
        """The verdict, by the same p limits as claims._refused."""
        return _verdict(self.p)


def _verdict(p: float) -> str:
    return "above" if p < areas.ALPHA else "not above" if p > areas.UNCLEAR + 1e-9 else "undecided"


def stop(own: float, sets: np.ndarray) -> Stopped:
    """The rule on log areas without uncertainty from prompts."""
    one = Evidence(own, sets, (sets >= own).astype(float), np.zeros(len(sets)))
    found = sequential.course({"sets": one})
    count, why = found.seen["sets"], found.why["sets"]
    return Stopped(count, why, sequential.p_value(one, count, why), (1 + one.exceeded(BUDGET)) / (1 + BUDGET))


def many(draw: Draw, replicates: int, seed: int, shift: float = 0.0) -> list[Stopped]:
    """The rule on fresh data sets; seed: the case's own. shift: how far the target is moved."""
    chance = np.random.default_rng([seed, 11])
    values = [draw(chance, 1 + BUDGET) for _ in range(replicates)]
    return [stop(float(one[0]) + shift, one[1:]) for one in values]


def null(name: str, replicates: int = REPLICATES) -> Found:
    """How often a target that is just another set is called above the others, where the rule stopped, and how often its
    p is at most its nominal value."""
    cases = NULL | BEYOND
    found = many(cases[name], replicates, list(cases).index(name))
    p = np.array([one.p for one in found])
    full = np.array([one.full for one in found])
    early = [one for one in found if one.sets < BUDGET]
    called = [one for one in early if one.called]
    return {
        "called": told(sum(one.called for one in found), replicates),
        "called by all 20": told(int((full < areas.ALPHA).sum()), replicates),
        "at 10": sum(one.sets == 10 for one in called) / replicates,
        "at 15": sum(one.sets == 15 for one in called) / replicates,
        "p up to 0.1": float((p <= areas.UNCLEAR + 1e-9).mean()),
        "p up to 0.2": float((p <= 0.2).mean()),
        "p up to 0.5": float((p <= 0.5).mean()),
        "sets": float(np.mean([one.sets for one in found])),
        "refused early, as by all 20": told(
            sum(_verdict(one.full) == "not above" for one in early if not one.called), len(early) - len(called)
        ),
    }


def shifted(shift: float, replicates: int = REPLICATES // 5) -> Found:
    """What the rule saves and how often it agrees, with the target `shift` standard deviations above its sets."""
    found = many(NULL["log-normal areas"], replicates, round(100 * shift), shift)
    early = [one for one in found if one.sets < BUDGET]
    return {
        "called": told(sum(one.called for one in found), replicates),
        "called by all 20": told(sum(one.full < areas.ALPHA for one in found), replicates),
        "sets": float(np.mean([one.sets for one in found])),
        "stopped early": len(early) / replicates,
        "agrees, stopped early": told(sum(one.verdict == _verdict(one.full) for one in early), len(early)),
        "agrees": told(sum(one.verdict == _verdict(one.full) for one in found), replicates),
    }


def interval(name: str, shift: float, replicates: int = REPLICATES // 10) -> Found:
    """How often the interval of the ratio, whichever look is the last, contains the true shift of the target."""
    chance = np.random.default_rng([HELD.index(name), round(100 * shift), 12])
    held, early = [], []
    for _ in range(replicates):
        logs = NULL[name](chance, 1 + BUDGET)
        logs[0] += shift
        own, sets = np.exp(logs[:1]), np.exp(logs[1:, None])
        found = sequential.course({"sets": sequential.of_areas(own, sets, True)})
        count, why = found.seen["sets"], found.why["sets"]
        test = sequential.tested(own, sets, True, count, why)
        held.append(test.low <= np.exp(shift) <= test.high)
        early.append(count < BUDGET)
    some = [one for one, soon in zip(held, early, strict=True) if soon]
    return {"holds the truth": told(sum(held), replicates), "stopped early": told(sum(some), len(some))}


class Run(NamedTuple):
    """An order whose verdict needs both controls. sets: of both controls, drawn out of 40."""

    sets: int
    called: bool
    full: bool
    refused: bool
    fully: bool


def order(name: str, from_end: bool, seed: int) -> Run:
    """An order of calibration.ORDERS against both its controls, including prompts: first the rule, then all sets."""
    chance = np.random.default_rng([seed, 3, from_end])
    importance = calibration.worth(chance)
    ranked = calibration.ORDERS[name](chance, importance)[:: -1 if from_end else 1]
    own, sets = calibration.curves(chance, importance, ranked)
    upward = not from_end
    evidence = {one: sequential.of_areas(own, sets[one], upward) for one in CONTROL_ORDERS}
    found = sequential.course(evidence)
    p = [sequential.p_value(evidence[one], found.seen[one], found.why[one]) for one in CONTROL_ORDERS]
    tests = [areas.area_test(own, sets[one]) for one in CONTROL_ORDERS]
    full = [one.p if upward else one.below for one in tests]
    return Run(
        sum(found.seen.values()),
        max(p) < areas.ALPHA,
        max(full) < areas.ALPHA,
        max(p) > areas.UNCLEAR,
        max(full) > areas.UNCLEAR,
    )


def orders(name: str, from_end: bool, models: int = calibration.MODELS) -> Found:
    """The same for many models."""
    found = [order(name, from_end, seed) for seed in range(models)]
    early = [one for one in found if one.sets < 2 * BUDGET]
    same = sum((one.called, one.refused) == (one.full, one.fully) for one in early)
    return {
        "called": told(sum(one.called for one in found), models),
        "called by all 40": told(sum(one.full for one in found), models),
        "sets of 40": float(np.mean([one.sets for one in found])),
        "agrees, stopped early": told(same, len(early)),
    }


def told(count: int, of: int) -> str:
    """A share with its count and Wilson's interval."""
    one = binomial(int(count), of)
    return f"{count} of {of} [{one.low:.2%}, {one.high:.2%}]" if of else "none"


HELD = ("log-normal areas", "Student t, 3 degrees", "two groups, 20 % high", "a critical unit in 0.1 of sets, × 5")
"""Distributions that test the interval."""


def measure(replicates: int = REPLICATES, processes: int | None = None) -> Found:
    """All tables, by name."""
    calls: Mapping[tuple[str, str], Callable[[], Found]] = {
        **{("nothing is above", name): partial(null, name, replicates) for name in NULL},
        **{("beyond what it is made for", name): partial(null, name, replicates) for name in BEYOND},
        **{("above by so many sd", f"{one:g}"): partial(shifted, one, replicates // 5) for one in SHIFTS},
        **{
            ("interval", f"{name}, moved by {shift:g}"): partial(interval, name, shift, replicates // 10)
            for name in HELD
            for shift in (0.0, 2.0, 6.0)
        },
        **{
            ("orders of units", name + (", from its end" if end else "")): partial(orders, name, end)
            for end in (False, True)
            for name in calibration.ORDERS
        },
    }
    out: Found = {}
    with get_context("spawn").Pool(processes or os.cpu_count()) as pool:
        waiting = {key: pool.apply_async(call) for key, call in calls.items()}
        for (table, row), one in waiting.items():
            out.setdefault(table, {})[row] = one.get()
    return out
