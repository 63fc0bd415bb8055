"""A decomposition, removal orders and controls → the spec of an ablation."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from synergy_tui import terms
from synergy_tui.errors import UsageError
from synergy_tui.jobs import cost
from synergy_tui.jobs.devices import choose, cores
from synergy_tui.jobs.plan.base import Plan, known
from synergy_tui.jobs.recipe import recorded
from synergy_tui.store import load
from synergy_tui.store.cache import Cache
from synergy_tui.tasks import graded


@recorded
def ablate(
    cache: Cache,
    data: Path,
    decomposition: str,
    *,
    orders: list[str],
    seeds: int,
    fractions: list[float],
    ranking: str,
    prompts: int,
    batch: int,
    dtype: str | None,
    device: str | None,
    seed: int,
    marked: Sequence[int] = (),
    intervention: str = terms.INTERVENTIONS[0],
    alpha: float = 1.0,
    reference: int | None = None,
    tasks: str = "",
    answers: bool = False,
    budget: float | None = None,
    save: Path | None = None,
) -> Plan:
    """Removal orders of a decomposition, replayed on its capture's responses. marked: unit numbers of the order of that
    name. alpha: of noise. reference: prompts of the reference set of mean, taken from those that are not replayed; None
    for all of them, 12 at most. tasks: a graded set to put to the ablated subject, '' for none. answers: whether it
    answers some prompts by itself. budget: nats per token of a plan, None for none; save: a new folder for a copy of
    the model without the plan's units. Raises UsageError for what cannot be done."""
    known(orders, terms.REMOVAL_ORDERS, "removal order")
    known([ranking], terms.RANKINGS, "ranking")
    known([intervention], terms.INTERVENTIONS, "intervention")
    if not fractions or not all(0 < one <= 1 for one in fractions):
        raise UsageError(f"fractions {fractions} are not all above 0 and at most 1", "give them as 0.1,0.25")
    if not (math.isfinite(alpha) and alpha > 0):
        raise UsageError(f"--alpha {alpha} is no noise", "give a number above 0")
    orders = _with_budget(orders, budget, intervention, save)
    device = choose(device)
    capture_id = load.find(cache, "capture", decomposition)
    row = load.one(cache, "capture", capture_id)
    (subject,) = load.rows(cache, "SELECT * FROM subjects WHERE subject = $1", row["subject"])
    if subject["source"] == "import":
        raise UsageError(f"capture {capture_id} was imported and has no model to ablate", "capture a subject instead")
    layer_of = load.layers_of_units(cache, capture_id)
    units = len(layer_of)
    marked = _marked(marked, orders, layer_of)
    texts = load.rows(
        cache,
        """SELECT prompt, category, len(p.tokens) + steps AS tokens
        FROM prompts p JOIN responses r USING (capture, prompt) WHERE capture = $1 AND valid ORDER BY prompt""",
        capture_id,
    )
    if prompts > len(texts):
        raise UsageError(
            f"capture {capture_id} has {len(texts)} prompts long enough, not {prompts}", "ask for fewer --prompts"
        )
    chosen = _evenly(texts, prompts)
    if intervention == "resample" and prompts < 2:
        raise UsageError("resample needs another prompt to take from", "replay two prompts or more")
    replayed = sorted(one["prompt"] for one in chosen)
    tokens = sum(one["tokens"] for one in chosen)
    shares = sorted(set(fractions))
    shape = (row["layers"], row["units_per_layer"])
    _enough_sets(cache, decomposition, orders, ranking, seeds, shares, marked, shape, layer_of)
    spec = {
        "decomposition": decomposition,
        "capture": capture_id,
        "subject": {
            "name": subject["name"],
            "kind": subject["source"],
            "place": subject["place"],
            "revision": subject["revision"],
            "weights_seed": subject["weights_seed"],
        },
        "data": str(data),
        "kinds": row["kind"].split(","),
        "prompts": replayed,
        "held_out": _held_out(cache, decomposition, replayed),
        "orders": orders,
        "fractions": shares,
        "seeds": seeds,
        "marked": list(marked),
        "marked_units": ["{}.{}".format(*divmod(one, row["units_per_layer"])) for one in marked],
        "marked_share": len(marked) / units,
        "ranking": ranking,
        "batch": batch,
        "dtype": dtype or row["dtype"],
        "device": device,
        "seed": seed,
        "intervention": intervention,
        "alpha": alpha if intervention == "noise" else None,
        "reference": _reference(texts, chosen, reference) if intervention == "mean" else [],
        "chat": row["chat_template"] is not None,
        "tasks": _graded(tasks, intervention),
        "answers": answers and intervention != "resample",
        "budget": budget,
        "save": str(save) if save else None,
        "most": _MOST_SETS,
    }
    conditions, at_end = _conditions(orders, seeds, shares, len(marked) / units), _answered(spec)
    sweep = {name: count * _OF_A_PASS for name, count in _swept(orders, len(set(layer_of.values())), units).items()}
    passes = conditions + sum(sweep.values()) + (0.8 * _MOST_SETS if budget else 0)
    generated = at_end * (_GRADED * len(spec["tasks"]) + (_ANSWER if spec["answers"] else 0))
    price = cost.ablate(subject, passes, tokens, generated, device, cores())
    return Plan("ablate", spec, price, units)


_MOST_SETS = 150
"""Sets measured at most for a plan."""

_OF_A_PASS = 0.6
"""What a unit alone costs of a whole pass: it starts at its layer."""

_GRADED, _ANSWER = 25.0, 1000.0
"""Tokens' worth of replay that a graded task costs, and the answers of a condition."""


def answered_at(spec: dict[str, Any], order: str, target: str | None) -> float | None:
    """The fraction at which an order's subject answers by itself: the one nearest to a quarter, a marked set whole."""
    units = spec.get("marked_share", 0.0)
    shares = shares_of(order, target, spec["fractions"], units)
    if order in terms.SWEEPS or not shares:
        return None
    return shares[-1] if "marked" in (order, target) else min(shares, key=lambda one: abs(one - 0.25))


def _answered(spec: dict[str, Any]) -> int:
    """Conditions under which the subject answers by itself, the intact one counted."""
    targeted = [name for name in spec["orders"] if name in terms.TARGETED_ORDERS]
    controls = spec["seeds"] * (
        ("random" in spec["orders"]) + ("layer-matched" in spec["orders"]) * max(len(targeted), 1)
    )
    return 1 + len(targeted) + controls


FEWEST_RANKED = 5
"""Prompts that are not replayed, from which a ranking can be taken."""


def _held_out(cache: Cache, decomposition: str, replayed: list[int]) -> bool:
    """Whether enough prompts of the decomposition are not replayed for the ranking to come from those alone."""
    query = """SELECT count(DISTINCT prompt) AS n FROM unit_prompts WHERE decomposition = $1
        AND NOT list_contains($2, prompt)"""
    (found,) = load.rows(cache, query, decomposition, replayed)
    return bool(found["n"] >= FEWEST_RANKED)


def _with_budget(orders: list[str], budget: float | None, intervention: str, save: Path | None) -> list[str]:
    """The orders, with the sweep that a plan needs."""
    if budget is None:
        if save:
            raise UsageError("--save writes a plan, and there is none", "add --budget 0.1")
        return orders
    if not (math.isfinite(budget) and budget > 0):
        raise UsageError(f"--budget {budget} is no divergence to stay under", "give nats per token above 0, as 0.1")
    if intervention != "zero":
        raise UsageError(f"a plan sets units to zero, not to {intervention}", "leave out --budget or --intervention")
    if save and save.exists():
        raise UsageError(f"{save} is there already", "name a new folder")
    return orders if terms.SWEEPS[0] in orders else [*orders, terms.SWEEPS[0]]


def _reference(texts: list[dict[str, Any]], chosen: list[dict[str, Any]], count: int | None) -> list[int]:
    """Prompts of a reference set: none of those that are replayed."""
    replayed = {one["prompt"] for one in chosen}
    others = [one for one in texts if one["prompt"] not in replayed]
    count = min(12, len(others)) if count is None else count
    if not count or count > len(others):
        raise UsageError(
            f"mean needs a reference set and {len(others)} of {len(texts)} prompts are not replayed",
            "replay fewer --prompts, or capture more",
        )
    return sorted(one["prompt"] for one in _evenly(others, count))


def _graded(name: str, intervention: str) -> list[dict[str, str]]:
    if not name:
        return []
    if intervention == "resample":
        raise UsageError(
            "resample takes a step of another prompt's response, which an answer of its own does not have",
            "leave out --tasks, or use another --intervention",
        )
    return [one.as_dict() for one in graded.load(name)]


def _enough_sets(
    cache: Cache,
    decomposition: str,
    orders: list[str],
    ranking: str,
    seeds: int,
    shares: list[float],
    marked: Sequence[int],
    shape: tuple[int, int],
    layer_of: dict[int, int],
) -> None:
    """Raises UsageError when there are more seeds than distinct control sets at every fraction."""
    size = Counter(layer_of.values())
    counts = [math.floor(share * len(layer_of) + 0.5) for share in shares]
    if marked:
        counts = [len(marked)]
    if "random" in orders:
        _enough("random", max(math.comb(len(layer_of), count) for count in counts), seeds)
    if "layer-matched" not in orders:
        return

    def sets(units: Sequence[int]) -> int:
        return math.prod(math.comb(size[layer], taken) for layer, taken in Counter(layer_of[u] for u in units).items())

    if marked:
        _enough("layer-matched", sets(marked), seeds)
    targeted = [name for name in orders if name in terms.TARGETED_ORDERS and name != "marked"]
    for name in targeted or ([] if marked else ["synergy-first"]):
        by, _, end = name.rpartition("-") if name in terms.RANKED_ORDERS else (ranking, "", name)
        values = load.unit_scores(cache, decomposition, by, shape, "value").ravel()
        sign = 1 if end in ("redundancy-first", "last") else -1
        order = sorted(layer_of, key=lambda unit: (values[unit] != values[unit], sign * values[unit]))
        _enough(f"layer-matched of {name}", max(sets(order[:count]) for count in counts), seeds)


def _enough(what: str, sets: int, seeds: int) -> None:
    if sets < seeds:
        raise UsageError(f"there are {sets} distinct {what} sets, not {seeds}", "ask for fewer --seeds")


def _swept(orders: list[str], layers: int, units: int) -> dict[str, int]:
    return {name: count for name, count in zip(terms.SWEEPS, (units, layers), strict=True) if name in orders}


def shares_of(order: str, target: str | None, fractions: list[float], marked: float) -> list[float]:
    """The fractions at which an order is measured. `marked`: share of all units in the marked set, 0 without one: the
    set and its controls are measured whole, and a curve of it does not go beyond it."""
    if "marked" in (order, target):
        return [*(one for one in fractions if one < marked), marked]
    return sorted({*fractions, marked}) if order == "random" and marked else fractions


def numbers_of(names: list[str], layers: int, per_layer: int) -> list[int]:
    """Units named layer.unit as numbers over all layers. Raises UsageError for one that is not there."""
    out = []
    for name in names:
        layer, _, unit = name.partition(".")
        if not (layer.isdigit() and unit.isdigit() and int(layer) < layers and int(unit) < per_layer):
            raise UsageError(f"no unit {name!r} among {layers} layers × {per_layer}", "name units as layer.unit: 3.1")
        out.append(int(layer) * per_layer + int(unit))
    return out


def _conditions(orders: list[str], seeds: int, fractions: list[float], marked: float) -> int:
    """How many replays: every order, seed and fraction."""
    targeted = [name for name in orders if name in terms.TARGETED_ORDERS]
    count = sum(len(shares_of(name, None, fractions, marked)) for name in targeted)
    if "random" in orders:
        count += seeds * len(shares_of("random", None, fractions, marked))
    if "layer-matched" in orders:
        matched = (shares_of("layer-matched", name, fractions, marked) for name in targeted or ["synergy-first"])
        count += seeds * sum(len(shares) for shares in matched)
    return count


def _marked(marked: Sequence[int], orders: list[str], layer_of: dict[int, int]) -> list[int]:
    if ("marked" in orders) != bool(marked):
        raise UsageError(
            "a marked set and the removal order `marked` go together", "mark units (--units 3.1,3.4), or leave it out"
        )
    if outside := [one for one in marked if one not in layer_of]:
        raise UsageError(f"unit number {outside[0]} is not among the {len(layer_of)} of this run", "mark others")
    if len(set(marked)) == len(layer_of):
        raise UsageError("the marked set is all units of the model: there is no control for it", "mark fewer")
    return sorted(set(marked))


def _evenly(texts: list[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """The first of each category, then the second of each, until there are `count`."""
    seen: dict[str, int] = {}
    places = []
    for one in texts:
        seen[one["category"]] = seen.get(one["category"], -1) + 1
        places.append(seen[one["category"]])
    order = sorted(range(len(texts)), key=lambda number: (places[number], number))
    return [texts[number] for number in order[:count]]
