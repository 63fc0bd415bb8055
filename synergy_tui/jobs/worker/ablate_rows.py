"""Conditions of an ablation with their measurements → the rows of its tables, and the verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Float

from synergy_tui.ablation import orders
from synergy_tui.ablation.condition import Condition
from synergy_tui.analysis import areas, importance, sequential
from synergy_tui.analysis.areas import UNCLEAR
from synergy_tui.analysis.importance import Estimate
from synergy_tui.analysis.ladder import MOST_UNFINISHED
from synergy_tui.analysis.sequential import Course, Evidence
from synergy_tui.jobs.specs import AblateSpec
from synergy_tui.jobs.specs.ablate import DECIDED
from synergy_tui.jobs.worker.conditions import Group, group
from synergy_tui.jobs.worker.record import versions
from synergy_tui.terms import CONTROL_ORDERS, SWEEPS, TARGETED_ORDERS

MEASURED = ("divergence", "top1", "surprisal_change")

Rows = list[dict[str, Any]]

Measured = Sequence[tuple[Condition, pa.Table]]
"""Conditions with their measurements."""


def rows(
    ablation: str,
    spec: AblateSpec,
    conditions: Sequence[Condition],
    tables: Sequence[pa.Table],
    layer_of: dict[int, int],
    shape: tuple[int, int],
    scores: dict[str, np.ndarray],
    categories: dict[int, str],
    more: dict[str, Any],
) -> dict[str, Any]:
    """Rows by table. layer_of: of every existing unit. shape: layers × places of the map. scores: at each place,
    compared with the sweep of single units. categories: of prompts. more: measurements besides divergence."""
    along = [(one, table) for one, table in zip(conditions, tables, strict=True) if one.fraction is not None]
    curves, by_prompt = _curves(along)
    all_areas = _areas([one for one, _ in along], curves)
    looked = courses(spec, along)
    ratios = _ratios(spec, along, categories, looked)
    sweeps, correlations = _sweeps(conditions, tables, layer_of, shape, scores)
    accuracy, changes, exam = _accuracy(spec, more)
    sentences = [
        _verdict(spec.orders, curves, all_areas, ratios, [one for one, _ in along], layer_of, looked),
        _shared(spec, ratios),
        *exam,
        *_predicted(correlations, spec.ranking),
        *more.get("pairs_told", ()),
        *_planned(more),
        *_checked(more.get("spot_check")),
    ]
    row = {
        "ablation": ablation,
        "decomposition": spec.decomposition,
        "capture": spec.capture,
        "intervention": spec.intervention,
        "alpha": spec.alpha if spec.intervention == "noise" else None,
        "reference": len(spec.reference_prompts) or None,
        "dtype": spec.dtype,
        "spot_check": more.get("spot_check"),
        "ranking": spec.ranking,
        "held_out": spec.held_out,
        "marked": list(spec.marked),
        "orders": list(spec.orders),
        "fractions": list(spec.fractions),
        "seeds": spec.seeds,
        "stop": spec.stop,
        "drawn": _control_sets(conditions),
        "drawn_of": _control_sets(spec.conditions),
        "stopped": "; ".join(f"{name} {one.told}" for name, one in looked.items() if one.told) or None,
        "prompts": len(spec.replayed),
        "seed": spec.seed,
        "verdict": " ".join(one for one in sentences if one),
        "versions": versions("torch", "transformers", "scipy"),
    }
    found: dict[str, Rows] = {
        "ablation_curves": curves,
        "ablation_prompts": by_prompt,
        "ablation_areas": all_areas,
        "ablation_sweeps": sweeps,
        "ablation_units": _alone(conditions, tables),
        "ablation_correlations": correlations,
        "ablation_ratios": ratios,
        "ablation_accuracy": accuracy,
        "ablation_accuracy_changes": changes,
        **{name: value for name, value in more.items() if name.startswith("ablation_")},
    }
    made = {name: _table([{"ablation": ablation} | one for one in some]) for name, some in found.items() if some}
    return {"ablations": [row], **made}


def _curves(along: Sequence[tuple[Condition, pa.Table]]) -> tuple[Rows, Rows]:
    curves, by_prompt = [], []
    for one, table in along:
        mean = {name: float(np.mean(table[name].to_numpy())) for name in MEASURED}
        value = {"divergence": _finite(mean["divergence"]), "top1": mean["top1"]}
        ratio = {"perplexity_ratio": _ratio(mean["surprisal_change"])}
        curves.append(one.key() | {"removed": len(one.units)} | value | ratio)
        by_prompt += [one.key() | row for row in table.to_pylist()]
    return curves, by_prompt


def _alone(conditions: Sequence[Condition], tables: Sequence[pa.Table]) -> Rows:
    """The worth of every unit alone on every prompt."""
    swept = [(one.place, table) for one, table in zip(conditions, tables, strict=True) if one.order == SWEEPS[0]]
    return [
        {"unit_index": place, "prompt": prompt, "divergence": _finite(divergence)}
        for place, table in swept
        for prompt, divergence in zip(table["prompt"].to_pylist(), table["divergence"].to_pylist(), strict=True)
    ]


def _ratio(rise: float) -> float:
    """Perplexity over the intact one; NaN if it is too large for a number."""
    with np.errstate(over="ignore"):
        return _finite(float(np.exp(rise)))


def _finite(value: float) -> float:
    """NaN, which is stored as NULL, for a value that overflowed: it counts as missing."""
    return value if np.isfinite(value) else float("nan")


def _areas(conditions: Sequence[Condition], curves: Rows) -> Rows:
    """A row for each order, seed and upper limit that the curve reaches."""
    points: dict[tuple[Any, ...], list[tuple[float, float]]] = {}
    for one, curve in zip(conditions, curves, strict=True):
        points.setdefault((one.order, one.target, one.seed), []).append((curve["fraction"], curve["divergence"]))
    out = []
    for (order, target, seed), found in points.items():
        fractions, divergence = np.array(found).T
        for upper in areas.UPPERS:
            value = areas.area(fractions, divergence, upper)
            if np.isfinite(value):
                key = {"removal_order": order, "target": target, "seed": seed}
                out.append(key | {"upper": upper, "area": value})
    return out


@dataclass(frozen=True)
class _Held:
    """A targeted order and one control's sets, in the order of their seeds: areas by prompt."""

    order: str
    control: str
    own: Float[np.ndarray, " prompts"]
    sets: Float[np.ndarray, "sets prompts"]


def _held(spec: AblateSpec, along: Measured) -> list[_Held]:
    """Every targeted order against each of its controls, if they were measured."""
    curves: dict[tuple[Any, ...], dict[float, np.ndarray]] = {}
    for one, table in along:
        curves.setdefault((one.order, one.target, one.seed), {})[one.fraction or 0.0] = table["divergence"].to_numpy()
    out = []
    for name in spec.orders:
        own = curves.get((name, None, None))
        if name not in TARGETED_ORDERS or not own:
            continue
        # A marked set is compared as a whole, an order by the area under its curve.
        shares = [max(own)] if name == "marked" else sorted(own)
        upper = shares[-1] if name == "marked" else areas.PRIMARY
        for control in CONTROL_ORDERS:
            target = name if control == "layer-matched" else None
            others = [value for (order, whose, _), value in curves.items() if (order, whose) == (control, target)]
            others = [one for one in others if set(shares) <= set(one)]
            if not others:
                continue
            mine = np.array([own[share] for share in shares])
            theirs = np.array([[one[share] for share in shares] for one in others])
            found = (areas.by_prompt(np.array(shares), one, upper) for one in (mine, theirs))
            out.append(_Held(name, control, *found))
    return out


def courses(spec: AblateSpec, measured: Measured) -> dict[str, Course]:
    """Targeted order → how far its controls were looked at; empty if all control sets are drawn."""
    if spec.stop != DECIDED:
        return {}
    along = [(one, table) for one, table in measured if one.fraction is not None]
    evidence: dict[str, dict[str, Evidence]] = {}
    for one in _held(spec, along):
        found = sequential.of_areas(one.own, one.sets, areas.upward(one.order))
        evidence.setdefault(one.order, {})[one.control] = found
    return {name: sequential.course(some, _dispensed(spec, name, along)) for name, some in evidence.items()}


def _dispensed(spec: AblateSpec, order: str, along: Measured) -> bool:
    """Whether the divergence decides C4 without the controls."""
    if order != "redundancy-first" or spec.dispensable is None:
        return False
    own = [table for one, table in along if (one.order, one.fraction) == (order, areas.PRIMARY)]
    return any(float(np.mean(table["divergence"].to_numpy())) >= spec.dispensable for table in own)


def wanted(spec: AblateSpec, looked: dict[str, Course]) -> set[Group]:
    """Groups that need more control sets: groups of undecided tests, and groups that no test uses, which are drawn
    whole."""
    groups = {group(one) for one in spec.conditions if one.seed is not None}
    asked = {_group(name, control) for name, one in looked.items() for control in one.seen}
    return groups - asked | {_group(name, control) for name, one in looked.items() for control in one.wanted}


def _group(order: str, control: str) -> Group:
    return control, order if control == "layer-matched" else None


def _ratios(spec: AblateSpec, along: Measured, categories: dict[int, str], looked: dict[str, Course]) -> Rows:
    """Targeted orders against each control, overall and by category of the prompts; for controls that were looked at,
    only the sets up to the last look, at which p is valid."""
    names = np.array([categories.get(prompt, "") for prompt in spec.replayed])
    out = []
    for one in _held(spec, along):
        course = looked.get(one.order)
        count = course.seen[one.control] if course else len(one.sets)
        for category in (None, *sorted(set(names) - {""})):
            chosen = np.ones(len(names), bool) if category is None else names == category
            own, sets = one.own[chosen], one.sets[:count, chosen]
            if course and category is None:
                found = sequential.tested(own, sets, areas.upward(one.order), count, course.why[one.control])
            else:
                found = areas.area_test(own, sets)
            row = {"removal_order": one.order, "control": one.control, "category": category}
            row |= {"prompts": int(chosen.sum()), "seeds_of": spec.seeds, "stopped": found.stopped or None}
            ends = {"ratio": found.ratio, "low": _finite(found.low), "high": _finite(found.high)}
            out.append(row | ends | {"p_above": found.p, "p_below": found.below, "seeds": found.seeds})
    return out


def _control_sets(conditions: Sequence[Condition]) -> int:
    return len({(one.order, one.target, one.seed) for one in conditions if one.seed is not None})


def disproportionate(spec: AblateSpec, conditions: Sequence[Condition], tables: Sequence[pa.Table]) -> bool:
    """Whether synergy-first may be above both its controls; then accuracy decides the rest of C3."""
    along = [(one, table) for one, table in zip(conditions, tables, strict=True) if one.fraction is not None]
    tested = [one for one in _ratios(spec, along, {}, courses(spec, along)) if one["removal_order"] == "synergy-first"]
    return not any(one["p_above"] > UNCLEAR for one in tested)


def _sweeps(
    conditions: Sequence[Condition],
    tables: Sequence[pa.Table],
    layer_of: dict[int, int],
    shape: tuple[int, int],
    scores: dict[str, np.ndarray],
) -> tuple[Rows, Rows]:
    out: Rows = []
    by_unit: dict[int, np.ndarray] = {}
    for sweep in SWEEPS:
        some = [(one, table) for one, table in zip(conditions, tables, strict=True) if one.order == sweep]
        if not some:
            continue
        values = {name: np.array([table[name].to_numpy() for _, table in some]) for name in MEASURED}
        low, high = importance.mean_interval(values["divergence"])
        for number, (one, _) in enumerate(some):
            place = one.place or 0
            layer, unit = divmod(place, shape[1]) if sweep == SWEEPS[0] else (place, None)
            if sweep == SWEEPS[0]:
                by_unit[place] = values["divergence"][number]
            out.append(
                {
                    "sweep": sweep,
                    "unit_index": place if sweep == SWEEPS[0] else None,
                    "layer": layer,
                    "unit": unit,
                    "divergence": _finite(float(values["divergence"][number].mean())),
                    "low": low[number],
                    "high": high[number],
                    "top1": float(values["top1"][number].mean()),
                    "perplexity_ratio": _ratio(float(values["surprisal_change"][number].mean())),
                }
            )
    if not by_unit:
        return out, []
    alone, layers = np.array([by_unit[unit] for unit in layer_of]), np.array(list(layer_of.values()))
    correlations = []
    for name, at in scores.items():
        score = at[list(layer_of)]
        known = int((np.isfinite(score) & np.isfinite(alone).all(axis=1)).sum())
        if known < 3:
            continue
        plain, partial = importance.correlation(alone, score, layers)
        row = {"ranking": name, "spearman": plain.value, "low": plain.low, "high": plain.high, "partial": partial.value}
        correlations.append(row | {"partial_low": partial.low, "partial_high": partial.high, "units": known})
    return out, correlations


def _accuracy(spec: AblateSpec, more: dict[str, Any]) -> tuple[Rows, Rows, list[str]]:
    """Rows by condition, rows of targeted orders against their controls, and a sentence for each of those orders."""
    if "unasked" in more:
        return [], [], ["Accuracy was not asked for: synergy-first is not above its controls."]
    if "tasks" not in more:
        return [], [], []
    tasks, able = more["tasks"], {one.category for one in more["able"]}
    nothing = {"removal_order": "intact", "target": None, "seed": None, "fraction": 0.0}
    out = _by_category(nothing, tasks, more["intact"], able)
    if not able:
        said = "Accuracy: the intact subject can do none of the graded tasks, so nothing is said about it."
        return out, [], [said, *_cut_off(spec, more["intact"], "its")]
    if told := _cut_off(spec, more["before"], "the intact subject's"):
        return out, [], ["Accuracy: " + told[0]]
    examined = more["examined"]
    looked = accuracy_courses(spec, examined)
    for one, grades in examined:
        out += _by_category(one.key(), more["able"], grades, able)
    before = accuracy(more["before"]).value
    right = _right(examined)
    changes, sentences = [], []
    for name in spec.orders:
        own = right.get((name, None, None))
        if name not in TARGETED_ORDERS or own is None:
            continue
        fraction = next(one.fraction for one, _ in examined if one.order == name)
        parts = []
        for control in CONTROL_ORDERS:
            target = name if control == "layer-matched" else None
            found = [value for (order, whose, _), value in right.items() if (order, whose) == (control, target)]
            if not found:
                continue
            course = looked.get(name)
            why = course.why[control] if course else ""
            others = np.array(found[: course.seen[control]] if course else found)
            change = importance.accuracy_change(own, others)
            test = partial(sequential.accuracy_p, why=why) if course else areas.rank_test
            p = test(float(own.mean()), others.mean(axis=1))
            row = {"removal_order": name, "control": control, "fraction": fraction, "change": change.value}
            row |= {"seeds_of": spec.seeds, "stopped": why if course and len(others) < spec.seeds else None}
            more_of_it = {"low": change.low, "high": change.high, "p": p, "seeds": len(others), "tasks": len(own)}
            changes.append(row | more_of_it)
            tested = f", p {p:.3f}" if np.isfinite(p) else ""
            interval = f"{change.value:+.0%} [{change.low:+.0%}, {change.high:+.0%}]{tested}"
            parts.append(f"{others.mean():.0%} {control} ({interval})")
        sentences.append(
            f"Accuracy without {fraction:.0%} {name}: {own.mean():.0%} of {len(own)} tasks it does {before:.0%} of"
            + (f", against {', '.join(parts)}" if parts else "")
            + (f"; {looked[name].told}." if name in looked and looked[name].told else ".")
        )
        grades = next(gs for one, gs in examined if one.order == name)
        sentences += _cut_off(spec, grades, f"{name}'s")
    return out, changes, sentences


def accuracy_courses(spec: AblateSpec, examined: Sequence[tuple[Condition, list[str]]]) -> dict[str, Course]:
    """Targeted order → how far the grades of its controls were looked at."""
    if spec.stop != DECIDED:
        return {}
    share = {key: float(found.mean()) for key, found in _right(examined).items()}
    out = {}
    for name in spec.orders:
        if name not in TARGETED_ORDERS or (name, None, None) not in share:
            continue
        own, evidence = share[name, None, None], {}
        for control in CONTROL_ORDERS:
            mine = [value for (order, whose, _), value in share.items() if (order, whose) == _group(name, control)]
            if mine:
                evidence[control] = sequential.of_accuracies(own, np.array(mine))
        if evidence:
            out[name] = sequential.course(evidence)
    return out


def _right(examined: Sequence[tuple[Condition, list[str]]]) -> dict[tuple[str, str | None, int | None], np.ndarray]:
    """Which tasks the subject can do without some units, in the order of the conditions' seeds."""
    found = {(one.order, one.target, one.seed): np.array([g == "right" for g in gs], float) for one, gs in examined}
    return dict(sorted(found.items(), key=lambda item: -1 if item[0][2] is None else item[0][2]))


def accuracy(grades: Sequence[str]) -> Estimate:
    """Share of right answers, with its interval. An answer that states no result within its tokens is not right."""
    return importance.binomial(sum(one == "right" for one in grades), len(grades))


def cut_off(grades: Sequence[str]) -> float:
    """Share of unfinished answers."""
    return sum(one == "unfinished" for one in grades) / len(grades) if grades else 0.0


def _cut_off(spec: AblateSpec, grades: Sequence[str], whose: str) -> list[str]:
    """A sentence if answers were cut off, and what to do."""
    if cut_off(grades) <= MOST_UNFINISHED:
        return []
    return [
        f"{cut_off(grades):.0%} of {whose} answers were cut off at {spec.answer_steps} tokens before they stated a "
        "result; ask for more --answer-steps."
    ]


def _by_category(key: dict[str, Any], tasks: Sequence[Any], grades: Sequence[str], able: set[str]) -> Rows:
    """A row per category, and one for all tasks that the intact subject can do."""
    out = []
    for category in (None, *dict.fromkeys(one.category for one in tasks)):
        mine = [
            grade
            for one, grade in zip(tasks, grades, strict=True)
            if one.category == category or (category is None and one.category in able)
        ]
        intact = key["removal_order"] == "intact"
        found = importance.NOTHING if intact and cut_off(mine) > MOST_UNFINISHED else accuracy(mine)
        row = {"category": category, "able": category is None or category in able, "tasks": len(mine)}
        counts = {"correct": mine.count("right"), "unfinished": mine.count("unfinished")}
        out.append(key | row | counts | {"accuracy": found.value, "low": found.low, "high": found.high})
    return out


def _shared(spec: AblateSpec, ratios: Rows) -> str:
    """A sentence if the ranking has seen the prompts it is tested on."""
    by_ranking = any(one["removal_order"] != "marked" for one in ratios)
    if spec.held_out or not by_ranking:
        return ""
    return "The ranking and the replay share prompts: no verdict on other prompts."


def _verdict(
    names: Sequence[str],
    curves: Rows,
    all_areas: Rows,
    ratios: Rows,
    conditions: Sequence[Condition],
    layer_of: dict[int, int],
    looked: Mapping[str, Course],
) -> str:
    sentences = []
    for name in TARGETED_ORDERS:
        if name not in names:
            continue
        whole = max(one.fraction or 0.0 for one in conditions if one.order == name)
        at = _at_the_set(curves, whole) if name == "marked" else _primary(all_areas)
        own = at(name, None)
        value = float(own[0]) if len(own) else float("nan")
        tests = {
            one["control"]: areas.AreaTest(
                ratio=one["ratio"],
                low=one["low"],
                high=one["high"],
                p=one["p_above"],
                below=one["p_below"],
                seeds=one["seeds"],
                stopped=one["stopped"] or "",
            )
            for one in ratios
            if one["removal_order"] == name and one["category"] is None
        }
        sentences.append(areas.verdict(name, value, tests, looked[name].told if name in looked else ""))
        removed = [c.units for c in conditions if c.order == name and (c.fraction or 0.0) <= areas.PRIMARY]
        full = max((_full_layers(units, layer_of) for units in removed), default=0)
        if full and "layer-matched" in names:
            sentences.append(f"It takes every unit of {full} layers, where its layer-matched control has no freedom.")
    lost = sum(not np.isfinite(c["divergence"]) for c in curves)
    if lost:
        sentences.append(f"{lost} conditions gave no finite divergence and count as missing.")
    return " ".join(sentences) or ("" if conditions == [] else "No targeted order, no verdict.")


def _full_layers(units: Sequence[int], layer_of: dict[int, int]) -> int:
    places = {unit: place for place, unit in enumerate(layer_of)}
    return orders.full_layers(np.array([places[one] for one in units], int), np.array(list(layer_of.values())))


def _primary(all_areas: Rows) -> Callable[[str, str | None], np.ndarray]:
    def at(name: str, target: str | None) -> np.ndarray:
        wanted = (name, target, areas.PRIMARY)
        found = [one["area"] for one in all_areas if (one["removal_order"], one["target"], one["upper"]) == wanted]
        return np.array(found)

    return at


def _at_the_set(curves: Rows, fraction: float) -> Callable[[str, str | None], np.ndarray]:
    def at(name: str, target: str | None) -> np.ndarray:
        wanted = (name, target, fraction)
        found = [
            one["divergence"] for one in curves if (one["removal_order"], one["target"], one["fraction"]) == wanted
        ]
        return np.array(found)

    return at


def _predicted(correlations: Rows, ranking: str) -> list[str]:
    """A sentence on whether the ranking predicts the worth of a unit alone."""
    found = next((one for one in correlations if one["ranking"] == ranking), None)
    if found is None:
        return []
    return [
        f"{ranking} and the divergence of single units: Spearman {found['spearman']:+.2f} [{found['low']:+.2f}, "
        f"{found['high']:+.2f}], within layers {found['partial']:+.2f} [{found['partial_low']:+.2f}, "
        f"{found['partial_high']:+.2f}]."
    ]


def _planned(more: dict[str, Any]) -> list[str]:
    if "ablation_plans" not in more:
        return []
    (one,) = more["ablation_plans"]
    saved = f"{one['parameters_saved'] / one['parameters']:.1%} of the parameters"
    held = "" if one["held_out"] is None else f", {one['held_out']:.3g} on {one['held_out_prompts']} other prompts"
    able = "" if one["accuracy"] is None else f"; accuracy {one['accuracy']:.0%}, intact {one['accuracy_intact']:.0%}"
    cost = f"at {one['divergence']:.3g} nats per token{held}{able}"
    return [f"Under {one['budget']:g} nats {one['removed']} units ({saved}) go together {cost}."]


def _checked(found: dict[str, Any] | None) -> list[str]:
    if found is None:
        return []
    return [
        f"{found['conditions']} conditions measured again in float32 differ by at most "
        f"{found['largest difference']:.2g} nats ({found['largest share']:.0%})."
    ]


def _table(some: Rows) -> pa.Table:
    """An Arrow table from all rows at once, so that a column that begins with NULL keeps its type."""
    types = {
        "target": pa.string(),
        "category": pa.string(),
        "folder": pa.string(),
        "seed": pa.int32(),
        "unit": pa.int32(),
        "unit_index": pa.int32(),
        "held_out": pa.float64(),
        "p": pa.float64(),
        "control_of_x": pa.int32(),
        "control_of_y": pa.int32(),
        "chosen": pa.int32(),
        "stopped": pa.string(),
        "ratio": pa.float64(),
        "p_above": pa.float64(),
        "p_below": pa.float64(),
        "low": pa.float64(),
        "high": pa.float64(),
        "accuracy_intact": pa.float64(),
        "accuracy": pa.float64(),
    }
    columns = {name: pa.array([row[name] for row in some], types.get(name), from_pandas=True) for name in some[0]}
    return pa.table(columns)
