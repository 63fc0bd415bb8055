"""A decomposition, removal orders and controls → the spec of an ablation."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from synergy_tui import terms
from synergy_tui.ablation.condition import Condition, answered
from synergy_tui.ablation.conditions import conditions
from synergy_tui.errors import UsageError
from synergy_tui.jobs import cost
from synergy_tui.jobs.devices import choose, cores
from synergy_tui.jobs.plan.base import Plan
from synergy_tui.jobs.plan.subjects import enough, evenly, processes_of, replayable, source_of, subject_of
from synergy_tui.jobs.rankings import rankings
from synergy_tui.jobs.specs.ablate import DECIDED, AblateRequest, AblateSpec
from synergy_tui.settings import user_path
from synergy_tui.store import load
from synergy_tui.store.cache import Cache
from synergy_tui.subject.facts import check_divided
from synergy_tui.tasks import graded
from synergy_tui.tasks.graded import Task
from synergy_tui.units import Naming, UnitName


def ablate(
    cache: Cache,
    data: Path,
    request: AblateRequest,
    sparing: bool = False,
    dispensable: float | None = None,
) -> Plan[AblateSpec]:
    """Removal orders of a decomposition, replayed on its capture's responses. `data`: folder of the built-in subjects.
    `sparing`: leaves out tasks when no order stands out. `dispensable`: see AblateSpec. The cost is that of all control
    sets, even if the job stops early. Raises UsageError for what cannot be done."""
    device = choose(request.device)
    capture_id = load.find(cache, "capture", request.decomposition)
    row = load.one(cache, "capture", capture_id)
    subject = subject_of(cache, row, "ablate")
    layer_of = load.layers_of_units(cache, capture_id)
    shape = (row["layers"], row["units_per_layer"])
    marked = _marked(request, load.naming(cache, capture_id), layer_of)
    texts = replayable(cache, capture_id)
    enough(capture_id, texts, request.prompts)
    if request.intervention == "resample" and request.prompts < 2:
        raise UsageError("resample needs another prompt to take from", "replay two prompts or more")
    chosen = evenly(texts, request.prompts)
    replayed = tuple(sorted(one["prompt"] for one in chosen))
    orders = _with_budget(request)
    shares = tuple(sorted(set(request.fractions)))
    held_out = _held_out(cache, request.decomposition, replayed)
    # Equal ranks are put in order by the difference.
    asked = {request.ranking, "difference", *(one.rpartition("-")[0] for one in orders if one in terms.RANKED_ORDERS)}
    values = rankings(cache, request.decomposition, shape, replayed if held_out else (), sorted(asked))
    _all_known(values, request.ranking, orders)
    made = conditions(orders, values, request.ranking, layer_of, request.seeds, request.seed, shares, marked)
    _enough_sets(made, layer_of, request.seeds)
    pairs_by, pairs = _pairs(cache, request)
    settled: dict[str, Any] = {name: getattr(request, name) for name in request.__struct_fields__}
    settled |= {"orders": orders, "fractions": shares, "device": device, "dtype": request.dtype or row["dtype"]}
    # A model that fits into no device did not fit when it was captured.
    settled["tensor_parallel"] = max(request.tensor_parallel, processes_of(cache, capture_id))
    settled["units"] = tuple(str(UnitName.of(one, shape[1])) for one in marked)
    settled["answers"] = request.answers and request.intervention != "resample"
    settled["save"] = _new_folder(request.save)
    settled["pairs_by"] = pairs_by
    source = source_of(subject, request.allow_pickle, request.allow_remote_code)
    check_divided(source, settled["tensor_parallel"])
    spec = AblateSpec(
        **settled,
        capture=capture_id,
        source=source,
        data=str(data),
        kinds=tuple(row["kind"].split(",")),
        chat=row["chat_template"] is not None,
        replayed=replayed,
        reference_prompts=_reference(texts, chosen, request.reference) if request.intervention == "mean" else (),
        held_out=held_out,
        marked=marked,
        conditions=(*made, *pairs),
        graded=_graded(request),
        sparing=sparing,
        dispensable=dispensable if request.stop == DECIDED else None,
    )
    tokens = sum(one["tokens"] for one in chosen)
    units = len(layer_of)
    if pairs and load.single_costs(cache, spec.like(), shape[0] * shape[1]) is not None:
        units = min(units, 4 * len(pairs))  # the units of the pairs and of their controls
    price = cost.ablate(subject, _passes(spec, units), tokens, _generated(spec), device, cores())
    return Plan(spec, replace(price, at_most=request.stop == DECIDED), len(layer_of))


_OF_A_PASS = 0.6
"""Cost of a unit alone as a share of a whole pass: its pass starts at its layer."""

_GRADED, _ANSWER = 25.0, 1000.0
"""Cost of a graded task, and of the answers of a condition, in replayed tokens."""


def _all_known(values: dict[str, Any], ranking: str, orders: Sequence[str]) -> None:
    """Raises UsageError for an order by a ranking without any value: it would be the order of the units."""
    import numpy as np

    named = [one.rpartition("-")[0] for one in orders if one in terms.RANKED_ORDERS]
    for name in (ranking, *named):
        if not np.isfinite(values[name]).any():
            raise UsageError(
                f"no unit has a value for {name} in this run", "use another --ranking, or `synergy-tui renew`"
            )


FEWEST_RANKED = 5
"""Fewest prompts, outside the replayed ones, that a ranking can be taken from."""


def _passes(spec: AblateSpec, units: int) -> float:
    """The number of replays, with single units and pairs counted by their cost. units: how many are removed alone
    because of pairs, unless they are removed alone anyway."""
    sweep = sum(one.fraction is None for one in spec.conditions)
    passes = len(spec.conditions) - sweep * (1 - _OF_A_PASS) + (0.8 * spec.most if spec.budget else 0)
    controls = sum(one.order == terms.PAIRS for one in spec.conditions)
    alone = units if controls and terms.SWEEPS[0] not in spec.orders else 0
    return passes + _OF_A_PASS * (controls + alone)


def _pairs(cache: Cache, request: AblateRequest) -> tuple[tuple[str, ...], list[Condition]]:
    """The scores that choose the strongest pairs, and a condition for each pair. Raises UsageError if there are too
    few."""
    if terms.PAIRS not in request.orders:
        return (), []
    from synergy_tui.store import walk

    found = {
        name: walk.strongest(cache, request.decomposition, name, request.pairs)
        for name in request.pairs_by or terms.PAIR_SCORES
    }
    if not request.pairs_by and not found["excess"][1]:
        del found["excess"]  # without surrogates
    made = []
    for name, (chosen, there) in found.items():
        if not there:
            step = "decompose it with --surrogates 200" if name == "excess" else "choose a run that has them"
            raise UsageError(f"no pair of {request.decomposition} has a value for {name}", step)
        if request.pairs > there // _OF_PAIRS:
            most = there // _OF_PAIRS
            raise UsageError(
                f"{request.pairs} of the {there} pairs with a value for {name} are not the strongest of them",
                f"ask for at most {most} (--pairs {most})" if most else "choose a run with more units",
            )
        made += [Condition(terms.PAIRS, name, None, None, one) for one in chosen]
    return tuple(found), made


_OF_PAIRS = 4
"""At most one in so many pairs is called strong; controls are in the middle half."""


def _generated(spec: AblateSpec) -> float:
    """Cost of the subject's own answers, intact ones included, in replayed tokens."""
    return (1 + len(answered(spec.conditions))) * (_GRADED * len(spec.graded) + (_ANSWER if spec.answers else 0))


def _held_out(cache: Cache, decomposition: str, replayed: Sequence[int]) -> bool:
    """Whether enough prompts of the decomposition are not replayed, so that the ranking can come from only those."""
    query = """SELECT count(DISTINCT prompt) AS n FROM unit_prompts WHERE decomposition = $1
        AND NOT list_contains($2, prompt)"""
    (found,) = load.rows(cache, query, decomposition, list(replayed))
    return bool(found["n"] >= FEWEST_RANKED)


def _with_budget(request: AblateRequest) -> tuple[str, ...]:
    """The orders, with the sweep that a plan needs."""
    if request.budget is None or terms.SWEEPS[0] in request.orders:
        return request.orders
    return (*request.orders, terms.SWEEPS[0])


def _new_folder(save: str | None) -> str | None:
    if save is None:
        return None
    folder = user_path(save)
    if folder.exists():
        raise UsageError(f"{folder} is there already", "name a new folder")
    return str(folder.absolute())


def _reference(texts: list[dict[str, Any]], chosen: list[dict[str, Any]], count: int | None) -> tuple[int, ...]:
    """Prompts of a reference set; none of them is replayed."""
    replayed = {one["prompt"] for one in chosen}
    others = [one for one in texts if one["prompt"] not in replayed]
    count = min(12, len(others)) if count is None else count
    if not count or count > len(others):
        raise UsageError(
            f"mean needs a reference set and {len(others)} of {len(texts)} prompts are not replayed",
            "replay fewer prompts, or capture more",
        )
    return tuple(sorted(one["prompt"] for one in evenly(others, count)))


def _graded(request: AblateRequest) -> tuple[Task, ...]:
    if not request.tasks:
        return ()
    if request.intervention == "resample":
        raise UsageError(
            "resample takes a step of another prompt's response, which an answer of its own does not have",
            "leave out the tasks, or use another intervention",
        )
    return tuple(graded.load(request.tasks))


def _enough_sets(made: Sequence[Condition], layer_of: dict[int, int], seeds: int) -> None:
    """Raises UsageError when there are more seeds than distinct control sets at every fraction. The conditions of a
    control give the size of its sets, and the conditions of its target the number of units in each layer."""
    size = Counter(layer_of.values())

    def sets(units: Sequence[int]) -> int:
        taken = Counter(layer_of[unit] for unit in units)
        return math.prod(math.comb(size[layer], count) for layer, count in taken.items())

    largest: dict[str, int] = {}
    for one in made:
        if one.order == "random":
            what, there = "random", math.comb(len(layer_of), len(one.units))
        elif one.order == "layer-matched":
            what, there = f"layer-matched of {one.target}", sets(one.units)
        else:
            continue
        largest[what] = max(largest.get(what, 0), there)
    for what, there in largest.items():
        _enough(what, there, seeds)


def _enough(what: str, sets: int, seeds: int) -> None:
    if sets < seeds:
        raise UsageError(f"there are {sets} distinct {what} sets, not {seeds}", "ask for fewer seeds")


def _marked(request: AblateRequest, naming: Naming, layer_of: dict[int, int]) -> tuple[int, ...]:
    marked = sorted({naming.number(name) for name in request.units})
    if outside := [naming.unit(one) for one in marked if one not in layer_of]:
        raise UsageError(f"unit {outside[0]} is not among the {len(layer_of)} of this run", "mark others")
    if len(marked) == len(layer_of):
        raise UsageError("the marked set has all units of the model: there is no control for it", "mark fewer")
    return tuple(marked)
