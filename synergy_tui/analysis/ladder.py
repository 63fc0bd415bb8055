"""Order parameters and grades of a ladder → curves with intervals, susceptibility, the trend of accuracy, differences
between levels, and the verdict in one sentence (docs/method.md, section 6)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.stats import norm
from scipy.stats import t as student

from synergy_tui.analysis import transition
from synergy_tui.analysis.frequencies import wilson
from synergy_tui.analysis.transition import FEW, FULL, MODELS

ALPHA = 0.05

PERMUTATIONS = 2000

LINE_POINTS = 57
"""Number of places at which a fitted model is drawn."""


@dataclass(frozen=True)
class Curve:
    """An order parameter along the ladder. Arrays have one entry per level, NaN for a missing value. low, high: 95 %
    interval of the mean. susceptibility: units × variance over prompts; peak: the level of its maximum, None unless the
    maximum passes the permutation test (peak_p). fits: model → (places, values) of its line."""

    parameter: str
    mean: Float[np.ndarray, " levels"]
    low: Float[np.ndarray, " levels"]
    high: Float[np.ndarray, " levels"]
    sd: Float[np.ndarray, " levels"]
    susceptibility: Float[np.ndarray, " levels"]
    peak: int | None
    peak_p: float
    verdict: str
    bic: dict[str, float]
    delta_bic: float
    change: float
    width: float
    d_star: float
    d_low: float
    d_high: float
    end: tuple[float, float, float]
    best: str
    fits: dict[str, tuple[np.ndarray, np.ndarray]]
    missing: str


@dataclass(frozen=True)
class Difference:
    """One level against another: the mean difference of their prompts, with its 95 % interval (Welch)."""

    lower: int
    higher: int
    difference: float
    low: float
    high: float


@dataclass(frozen=True)
class Accuracy:
    """Share of right answers per level with its Wilson interval, and whether it falls: Cochran–Armitage's trend,
    one-sided. falls: None if nothing was graded, or if a level has no accuracy. cut_off: levels without accuracy
    because too many of their answers were cut off."""

    share: Float[np.ndarray, " levels"]
    low: Float[np.ndarray, " levels"]
    high: Float[np.ndarray, " levels"]
    p: float
    falls: bool | None
    flat: bool
    cut_off: int = 0


MOST_UNFINISHED = 0.1
"""Share of a level's answers that may be cut off before they state a result; beyond it the level has no accuracy."""


def curve(parameter: str, values: list[Float[np.ndarray, " _"]], units: int, seed: int = 0, missing: str = "") -> Curve:
    """The verdict on one order parameter. values: of the prompts of each level. missing: why levels have none."""
    known = [one[np.isfinite(one)] for one in values]
    there = np.array([len(one) >= 2 for one in known])
    x = 1.0 + np.flatnonzero(there)
    mean, low, high, sd = (np.full(len(values), np.nan) for _ in range(4))
    for place in np.flatnonzero(there):
        some = known[place]
        sd[place] = some.std(ddof=1)
        reach = student.ppf(0.975, len(some) - 1) * sd[place] / np.sqrt(len(some))
        mean[place] = some.mean()
        low[place], high[place] = mean[place] - reach, mean[place] + reach
    nothing = float("nan")
    susceptibility = units * sd**2
    if there.sum() < 3:
        verdict = "comparison" if len(values) < FEW and there.sum() == 2 else "inconclusive"
        ends = (nothing, nothing, nothing)
        empty: dict[str, float] = dict.fromkeys(MODELS, nothing)
        rest = (nothing,) * 6
        return Curve(
            *(parameter, mean, low, high, sd, susceptibility, None, nothing, verdict, empty),
            *(*rest, ends, "", {}, missing),
        )
    variance = sd[there] ** 2
    counts = np.array([len(one) for one in known])[there]
    sampling, spread = (variance / counts).mean(), float(np.sqrt(variance.mean()))
    found = transition.judge(x, mean[there][None], np.array([sampling]), np.array([spread]))
    peak_p = peak_test([one for one, ok in zip(known, there, strict=True) if ok], seed)
    at = np.linspace(x[0], x[-1], LINE_POINTS)
    lines = transition.curves(x, mean[there], at)
    one = {name: float(value[0]) for name, value in vars(found).items() if name in _NUMBERS}
    return Curve(
        parameter,
        mean,
        low,
        high,
        sd,
        susceptibility,
        int(np.nanargmax(susceptibility)) if peak_p < ALPHA else None,
        peak_p,
        str(found.verdict[0]),
        {name: float(value[0]) for name, value in found.bic.items()},
        **one,
        end=(float(found.end[0, 0]), float(found.end[1, 0]), float(found.end[2, 0])),
        best=MODELS[int(found.best[0])],
        fits={name: (at, line) for name, line in lines.items()},
        missing=missing,
    )


_NUMBERS = ("delta_bic", "change", "width", "d_star", "d_low", "d_high")


def peak_test(values: list[Float[np.ndarray, " _"]], seed: int = 0, draws: int = PERMUTATIONS) -> float:
    """p of the largest variance over levels if all levels had the same: the residuals of prompts from their level's
    mean are dealt out to the levels anew."""
    rest = [(one - one.mean()) * np.sqrt(len(one) / (len(one) - 1)) for one in values]
    together, ends = np.concatenate(rest), np.cumsum([len(one) for one in rest])[:-1]
    chance = np.random.default_rng([seed, 6])
    if not together.any():
        return float("nan")

    def largest(deal: np.ndarray) -> float:
        return max(float((part**2).mean()) for part in np.split(deal, ends))

    own = largest(together)
    above = sum(largest(chance.permutation(together)) >= own for _ in range(draws))
    return (1 + above) / (1 + draws)


def differences(values: list[Float[np.ndarray, " _"]]) -> list[Difference]:
    """Every level against the one before it, and the last against the first."""
    count = len(values)
    pairs = [(k, k + 1) for k in range(count - 1)] + ([(0, count - 1)] if count > 2 else [])
    out = []
    for lower, higher in pairs:
        a, b = (one[np.isfinite(one)] for one in (values[lower], values[higher]))
        if min(len(a), len(b)) < 2:
            out.append(Difference(lower, higher, float("nan"), float("nan"), float("nan")))
            continue
        errors = [one.var(ddof=1) / len(one) for one in (a, b)]
        total = sum(errors)
        freedom = total**2 / sum(e**2 / (len(one) - 1) for e, one in zip(errors, (a, b), strict=True)) if total else 1.0
        reach = float(student.ppf(0.975, freedom) * np.sqrt(total))
        between = float(b.mean() - a.mean())
        out.append(Difference(lower, higher, between, between - reach, between + reach))
    return out


def accuracy(
    right: Float[np.ndarray, " levels"],
    asked: Float[np.ndarray, " levels"],
    unfinished: Float[np.ndarray, " levels"],
) -> Accuracy:
    """asked: graded answers of each level; unparsable ones count as not right, failed verifiers are not counted.
    unfinished: answers cut off before they stated a result; `asked` does not include them."""
    cut_off = unfinished > MOST_UNFINISHED * (asked + unfinished)
    asked = np.where(cut_off, 0, asked)
    known = asked > 0
    share = np.divide(right, asked, out=np.full(len(asked), np.nan), where=known)
    low, high = np.array([wilson(int(one), int(count)) for one, count in zip(right, asked, strict=True)]).T
    if known.sum() < 2:
        return Accuracy(share, low, high, float("nan"), None, False, int(cut_off.sum()))
    n, r, x = asked[known], right[known], np.flatnonzero(known).astype(float)
    overall = r.sum() / n.sum()
    flat = overall in (0.0, 1.0)
    centre = (n * x).sum() / n.sum()
    spread = overall * (1 - overall) * (n * (x - centre) ** 2).sum()
    z = ((x - centre) * r).sum() / np.sqrt(spread) if spread > 0 else 0.0
    p = float(norm.cdf(z)) if spread > 0 else 1.0
    ends = share[known]
    falls = None if cut_off.any() else bool(p < ALPHA and ends[-1] < ends[0])
    return Accuracy(share, low, high, p, falls, bool(flat), int(cut_off.sum()))


def sentence(found: Curve, graded: Accuracy, names: list[str], difference: Difference | None = None) -> str:
    """What a ladder says, in words: the verdict, then what is missing, then accuracy."""
    words = [f"{found.parameter}: {_verdict(found, names, difference)}"]
    levels = int(np.isfinite(found.mean).sum())
    if found.missing:
        words.append(f"{found.missing}.")
    if FEW <= levels < FULL and found.verdict != "comparison":
        words.append(f"With {levels} levels a transition cannot be told from a gradual change; {FULL} are needed.")
    if found.peak is not None:
        words.append(f"Susceptibility peaks at level {names[found.peak]} (p {found.peak_p:.3f}).")
    words.append(_accuracy(graded))
    return " ".join(words)


def _verdict(found: Curve, names: list[str], difference: Difference | None) -> str:
    if found.verdict == "comparison":
        if difference is None or not np.isfinite(difference.difference):
            return "comparison, and a level has no value."
        one = difference
        side = "the same within its error" if one.low <= 0 <= one.high else "higher" if one.difference > 0 else "lower"
        ends = f"{one.difference:+.3g} [{one.low:+.3g}, {one.high:+.3g}]"
        pair = f"{names[one.higher]} is {side}, {ends} to {names[one.lower]}"
        return f"comparison of {len(names)} levels, no verdict: {pair}."
    where = f"between levels {found.d_low:g} and {found.d_high:g}"
    if found.verdict == "transition":
        steep = "a step" if found.best == "step" else f"{found.width:.0%} of the ladder wide"
        return f"transition at d* {found.d_star:.1f}, {where}, {steep} (ΔBIC {found.delta_bic:+.1f})."
    ends = f"{found.end[0]:+.3g} [{found.end[1]:+.3g}, {found.end[2]:+.3g}] end to end"
    if found.verdict in ("gradual", "changes"):
        shape = f"{found.best} fits best" if found.best else "no model fits"
        return f"{found.verdict}, {shape}, by ΔBIC {found.change:.1f} against no change; {ends}."
    if found.verdict == "no change":
        return f"no change: {ends}, within ±{transition.SAME:g} standard deviations of a prompt."
    if not np.isfinite(found.delta_bic):
        return "inconclusive, fewer than three levels have a value."
    return f"inconclusive: no model is clear (ΔBIC {found.change:.1f} for a change); {ends}."


def _accuracy(graded: Accuracy) -> str:
    if graded.cut_off:
        return (
            f"{graded.cut_off} of {len(graded.share)} levels have no accuracy: more than {MOST_UNFINISHED:.0%} of "
            "their answers were cut off before they stated a result; give --steps that let them end."
        )
    if graded.falls is None:
        return "Nothing was graded, so it is not known whether the levels are harder for this subject."
    known = graded.share[np.isfinite(graded.share)]
    ends = f"from {known[0]:.0%} to {known[-1]:.0%}"
    if graded.flat:
        return f"Accuracy is {known[0]:.0%} at every level: difficulty was only a label."
    if not graded.falls:
        return f"Accuracy does not fall ({ends}, p {graded.p:.2f}): difficulty was only a label."
    return f"Accuracy falls {ends}."
