"""Order parameters and grades of a ladder → the rows of its tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from synergy_tui.analysis import ladder as judged
from synergy_tui.analysis import transition
from synergy_tui.analysis.ladder import Accuracy, Curve
from synergy_tui.analysis.order import OrderValues
from synergy_tui.analysis.transition import FEW
from synergy_tui.jobs.specs import LadderSpec
from synergy_tui.jobs.worker.progress import Progress
from synergy_tui.jobs.worker.record import versions
from synergy_tui.tasks.verifiers import Grade
from synergy_tui.terms import GRADES, NULLS, ORDER_PARAMETERS

Rows = dict[str, list[dict[str, Any]]]


@dataclass(frozen=True)
class Facts:
    """What a ladder job knows besides order parameters. levels, steps, used, grades: per prompt. maps: decompositions
    by level. notes: why levels have no value. drawn: level → the contrast of every surrogate."""

    ladder: str
    spec: LadderSpec
    capture: dict[str, Any]
    levels: np.ndarray
    steps: np.ndarray
    used: np.ndarray
    length: int
    grades: list[Grade]
    maps: dict[int, str]
    notes: dict[int, str]
    drawn: dict[int, np.ndarray]


def rows(facts: Facts, order: OrderValues, progress: Progress) -> Rows:
    """Rows of all tables of a ladder."""
    spec, names = facts.spec, facts.spec.level_names
    graded = np.array([one.name for one in facts.grades])
    counts = {
        name: np.array([((facts.levels == level) & (graded == name)).sum() for level in range(len(names))])
        for name in GRADES
    }
    asked = counts["right"] + counts["wrong"] + counts["unparsable"]
    accuracy = judged.accuracy(*(one.astype(float) for one in (counts["right"], asked, counts["unfinished"])))
    out: Rows = {name: [] for name in ("ladder_curves", "ladder_fits", "ladder_verdicts", "ladder_differences")}
    out["ladder_values"] = []
    units = facts.capture["layers"] * facts.capture["units_per_layer"]
    chosen: dict[str, Any] = {}
    for name in ORDER_PARAMETERS:
        values = order.values[name]
        found = judged.curve(name, values, units, spec.seed, _missing(facts, order, name))
        differences = judged.differences(values)
        told = judged.sentence(found, accuracy, list(names), differences[-1] if len(names) < FEW else None)
        share = _surrogate_transitions(facts, values) if name == ORDER_PARAMETERS[0] else None
        _add(out, facts, found, values, differences, told, share)
        if name == spec.order_parameter:
            chosen = _summary(found) | {"sentence": told}
        progress.advance()
    known = accuracy.share[np.isfinite(accuracy.share)]
    out["ladders"] = [
        {
            "ladder": facts.ladder,
            "capture": spec.capture,
            "subject": facts.capture["subject"],
            "name": spec.name,
            "levels": len(names),
            "prompts_per_level": int(np.bincount(facts.levels).max()),
            "steps": facts.length,
            "ranking": spec.ranking,
            "null_name": NULLS[0] if spec.surrogates else None,
            "surrogates": spec.surrogates,
            "order_parameter": spec.order_parameter,
            **chosen,
            "accuracy_falls": accuracy.falls,
            "accuracy_low": float(known[0]) if len(known) else None,
            "accuracy_high": float(known[-1]) if len(known) else None,
            "accuracy_p": _number(accuracy.p),
            "seed": spec.seed,
            "spec": spec.hash,
            "versions": versions("jax", "numpy", "scipy"),
        }
    ]
    out["ladder_levels"] = [_level(facts, level, counts, accuracy) for level in range(len(names))]
    out["ladder_prompts"] = [
        {
            "ladder": facts.ladder,
            "prompt": prompt,
            "level": int(facts.levels[prompt]) + 1,
            "used": bool(facts.used[prompt]),
            "grade": one.name,
            "found": one.found,
            "answer": item.answer,
            "verifier": item.verifier,
            "error": one.error or None,
        }
        for prompt, (one, item) in enumerate(zip(facts.grades, spec.items, strict=True))
    ]
    return {name: some for name, some in out.items() if some}


def _missing(facts: Facts, order: OrderValues, parameter: str) -> str:
    """Levels without a value, and why, in words."""
    why = dict(facts.notes)
    for (name, level), reason in order.reasons.items():
        if name == parameter:
            why.setdefault(level, reason)
    shown = [f"level {facts.spec.level_names[level]} has no value: {why[level]}" for level in sorted(why)]
    more = f", and {len(shown) - 2} more" if len(shown) > 2 else ""
    return "; ".join(shown[:2]) + more


def _add(
    out: Rows,
    facts: Facts,
    found: Curve,
    values: list[np.ndarray],
    differences: list[judged.Difference],
    told: str,
    transitions: float | None,
) -> None:
    own = {"ladder": facts.ladder, "order_parameter": found.parameter}
    for level in range(len(values)):
        point = {name: _number(getattr(found, name)[level]) for name in ("low", "high", "sd", "susceptibility")}
        out["ladder_curves"].append(own | {"level": level + 1, "value": _number(found.mean[level])} | point)
        prompts = np.flatnonzero(facts.used & (facts.levels == level))
        if len(prompts) == len(values[level]):
            out["ladder_values"] += [
                own | {"prompt": int(prompt), "level": level + 1, "value": _number(value)}
                for prompt, value in zip(prompts, values[level], strict=True)
            ]
    for model, (places, line) in found.fits.items():
        fit = {"model": model, "bic": _number(found.bic[model]), "places": places.tolist(), "line": line.tolist()}
        out["ladder_fits"].append(own | fit)
    for one in differences:
        row: dict[str, Any] = {"lower_level": one.lower + 1, "higher_level": one.higher + 1}
        row |= {name: _number(getattr(one, name)) for name in ("difference", "low", "high")}
        out["ladder_differences"].append(own | row)
    verdict = _summary(found) | {"best": found.best or None, "change_bic": _number(found.change)}
    verdict |= {
        name: _number(value) for name, value in zip(("end_to_end", "end_low", "end_high"), found.end, strict=True)
    }
    verdict |= {"peak": None if found.peak is None else found.peak + 1, "peak_p": _number(found.peak_p)}
    verdict["surrogate_transitions"] = transitions
    out["ladder_verdicts"].append(own | verdict | {"sentence": told})


def _surrogate_transitions(facts: Facts, values: list[np.ndarray]) -> float | None:
    """The share of surrogate ladders in which the contrast has a transition by the same test."""
    there = [level for level, one in enumerate(values) if np.isfinite(one).sum() > 1 and level in facts.drawn]
    if len(there) < FEW:
        return None
    count = min(len(facts.drawn[level]) for level in there)
    means = np.stack([facts.drawn[level][:count] for level in there], axis=1)
    variance = np.array([values[level][np.isfinite(values[level])].var(ddof=1) for level in there])
    sampling = (variance / [np.isfinite(values[level]).sum() for level in there]).mean()
    known = means[np.isfinite(means).all(axis=1)]
    if not len(known):
        return None
    every = np.full(len(known), sampling), np.full(len(known), np.sqrt(variance.mean()))
    found = transition.judge(1.0 + np.array(there), known, *every)
    return float((found.verdict == "transition").mean())


def _summary(found: Curve) -> dict[str, Any]:
    names = ("delta_bic", "width", "d_star", "d_low", "d_high")
    return {"verdict": found.verdict} | {name: _number(getattr(found, name)) for name in names}


def _level(facts: Facts, level: int, counts: dict[str, np.ndarray], accuracy: Accuracy) -> dict[str, Any]:
    here = facts.levels == level
    return {
        "ladder": facts.ladder,
        "level": level + 1,
        "name": facts.spec.level_names[level],
        "map": facts.maps.get(level),
        "prompts": int(here.sum()),
        "used": int((facts.used & here).sum()),
        "mean_steps": float(facts.steps[here].mean()),
        "right_answers": int(counts["right"][level]),
        "wrong_answers": int(counts["wrong"][level]),
        "unparsable": int(counts["unparsable"][level]),
        "unfinished": int(counts["unfinished"][level]),
        "failed": int(counts["failed"][level]),
        "accuracy": _number(accuracy.share[level]),
        "accuracy_low": _number(accuracy.low[level]),
        "accuracy_high": _number(accuracy.high[level]),
        "note": facts.notes.get(level),
    }


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
