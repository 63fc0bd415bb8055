"""What somebody asks for → a job's spec, fully resolved, and what it will cost. Checks all that can be checked without
loading a model; commands and forms share it."""

from __future__ import annotations

import math
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from synergy_tui import terms
from synergy_tui.errors import SubjectError, UsageError
from synergy_tui.jobs import cost
from synergy_tui.jobs.cost import Cost
from synergy_tui.jobs.devices import choose, cores, free_memory
from synergy_tui.jobs.recipe import recorded
from synergy_tui.settings import user_path
from synergy_tui.store import load
from synergy_tui.store.cache import Cache
from synergy_tui.subject.sources import BUILT_IN, checkpoints, memory_needed, resolve, units_of
from synergy_tui.tasks import graded
from synergy_tui.tasks import prompts as tasks_room

REPLICATES = 1000

FEWEST_SURROGATES, FEWEST_PROMPTS = 20, 5
"""Below these phiid.nulls draws nothing."""

_MOST_ON_CPU, _MOST_ON_GPU = 20, 64
"""Prompts at a time that are worth it. What does not fit after all is halved by the worker."""

_LONG_PROMPT, _LARGE_VOCABULARY = 400, 260_000
"""Tokens, for a guess of the memory a prompt takes before it is encoded."""

_PREPARATION = 25.0
"""Seconds to convert a built-in subject, beside its download at 10 MB/s."""


@dataclass(frozen=True)
class Plan:
    """kind: the job's kind. spec: for jobs.submit. units: of the decomposition that may follow."""

    kind: str
    spec: dict[str, Any]
    cost: Cost
    units: int


def captures(data: Path, subject: str, *, revisions: Sequence[str] = (), **chosen: Any) -> list[Plan]:
    """A capture of `subject`; or of each of its `revisions`, or of each checkpoint in a folder of model folders whose
    names end in a number: a trajectory, tied together by an id of its own. Otherwise as `capture`."""
    folder = user_path(subject)
    if revisions:
        if chosen.get("revision"):
            raise UsageError("--revision and --revisions do not go together", "give one of them")
        steps = [re.search(r"(\d+)$", one) for one in revisions]
        numbers = [int(one[1]) if one else place for place, one in enumerate(steps)]
        each = [(number, subject, {"revision": one}) for number, one in zip(numbers, revisions, strict=True)]
    elif folder.is_dir() and not (folder / "config.json").exists() and (found := checkpoints(folder)):
        each = [(number, str(path), {}) for number, path in found]
    else:
        return [capture(data, subject, **chosen)]
    plans = []
    tie = "t" + secrets.token_hex(4)
    for number, place, more in each:
        one = capture(data, place, **chosen | more)
        plans.append(replace(one, spec=one.spec | {"trajectory": tie, "training_step": number}))
    return plans


@recorded
def capture(
    data: Path,
    subject: str,
    *,
    revision: str | None = None,
    tasks: str = "cognitive",
    prompts: int | None = None,
    steps: int = 100,
    min_steps: int = 20,
    batch: int | None = None,
    dtype: str | None = None,
    chat: bool = True,
    system: str | None = None,
    temperature: float = 0.0,
    top_p: float = 1.0,
    kinds: Sequence[str] = terms.HEADS,
    replay: str | None = None,
    cache: Cache | None = None,
    random_weights: bool = False,
    allow_pickle: bool = False,
    allow_remote_code: bool = False,
    device: str | None = None,
    seed: int = 0,
) -> Plan:
    """A capture of `subject` over prompts, greedy at temperature 0. `data`: folder of the built-in subjects. `batch`,
    `dtype`: by memory and device when None. `replay`: a capture in `cache`, or a .jsonl file with responses, whose
    tokens are given to the subject instead of its own. `random_weights`: its architecture alone, drawn by `seed`.
    Raises UsageError, TaskError or SubjectError."""
    if steps < min_steps:
        raise UsageError(
            f"--steps {steps} is below --min-steps {min_steps}: no response would be analysed",
            "raise the one or lower the other",
        )
    known(list(kinds), terms.UNIT_KINDS, "unit kind")
    if temperature < 0 or not 0 < top_p <= 1:
        raise UsageError(f"no sampling at temperature {temperature:g} with top-p {top_p:g}", "0 or more, and in (0, 1]")
    if replay and (prompts is not None or system is not None or temperature):
        raise UsageError("a replay has its prompts and tokens", "leave out --prompts, --system and --temperature")
    device = choose(device)
    dtype = dtype or ("float32" if device == "cpu" else "bfloat16")
    asked = _replayed(replay, cache) if replay else _asked(tasks, prompts, seed)
    source = resolve(
        subject,
        revision,
        weights_seed=seed if random_weights else None,
        pickle=allow_pickle,
        remote_code=allow_remote_code,
    )
    needed = memory_needed(source.geometry, dtype)
    free = free_memory() if device == "cpu" else None
    if needed and free is not None and needed > free:
        raise SubjectError(
            f"{source.name} needs about {needed / 1e9:.1f} GB in {dtype}, and {free / 1e9:.1f} GB are free",
            "use --dtype bfloat16, end other programs, or take a smaller model"
            if dtype == "float32"
            else "end other programs, or take a smaller model",
        )
    ready = source.kind != "built-in" or (data / "subjects" / source.place / "config.json").exists()
    preparation = 0.0 if ready else _PREPARATION + BUILT_IN[source.place].download / 1e7
    count = len(asked["prompts"])
    spec = {
        "subject": source.as_dict(),
        "data": str(data),
        **asked,
        "steps": steps,
        "min_steps": min_steps,
        "batch": batch or _batch(source.geometry, dtype, steps, free - (needed or 0) if free is not None else None),
        "dtype": dtype,
        "kinds": list(kinds),
        "chat": chat,
        "system": system,
        "temperature": temperature,
        "top_p": top_p,
        "device": device,
        "seed": seed,
    }
    price = cost.capture(source.geometry, count, steps, device, cores(), preparation)
    return Plan("capture", spec, price, units_of(source.geometry, kinds))


def _asked(tasks: str, prompts: int | None, seed: int) -> dict[str, Any]:
    """The part of a capture's spec that is about what is asked."""
    chosen = tasks_room.select(tasks_room.load(tasks), prompts, seed)
    return {
        "tasks": chosen.name,
        "tasks_hash": chosen.hash,
        "prompts": [one.as_dict() for one in chosen.prompts],
        "replay": None,
    }


def _replayed(name: str, cache: Cache | None) -> dict[str, Any]:
    """The same where responses are given."""
    if name.endswith(".jsonl") or user_path(name).is_file():
        tasks, responses = tasks_room.load_responses(name)
        rows = [one.as_dict() | {"response": text} for one, text in zip(tasks.prompts, responses, strict=True)]
        return {"tasks": tasks.name, "tasks_hash": tasks.hash, "prompts": rows, "replay": {"file": tasks.name}}
    if cache is None:
        raise UsageError(f"no file {name!r} with responses", "give a .jsonl file")
    capture_id = load.find(cache, "capture", name)
    row = load.one(cache, "capture", capture_id)
    rows = load.rows(cache, "SELECT id, category, text FROM prompts WHERE capture = $1 ORDER BY prompt", capture_id)
    if any(one["text"] is None for one in rows):
        raise UsageError(f"capture {capture_id} was imported and has no tokens to replay", "name a subject's capture")
    replay = {"capture": capture_id}
    return {"tasks": row["tasks"], "tasks_hash": row["tasks_hash"], "prompts": rows, "replay": replay}


def _batch(geometry: dict[str, Any], dtype: str, steps: int, free: float | None) -> int:
    """Prompts at a time: as many as half the free memory holds with their keys and values, up to what still pays."""
    if free is None:
        return _MOST_ON_GPU
    bytes_each = 4 if dtype == "float32" else 2
    each = 2 * bytes_each * geometry["layers"] * geometry["hidden"] * (steps + _LONG_PROMPT) + 4 * _LARGE_VOCABULARY
    return max(1, min(_MOST_ON_CPU, int(free / 2 / each)))


@recorded
def decompose(
    capture_id: str,
    units: int,
    prompts: int,
    *,
    estimator: str = terms.ESTIMATORS[0],
    redundancy: str = terms.REDUNDANCIES[0],
    lag: int = 1,
    pool: str = terms.POOLS[0],
    preprocess: str = "raw",
    precision: str = terms.PRECISIONS[0],
    surrogates: int = 0,
    nulls: Sequence[str] = (),
    device: str | None = None,
    seed: int = 0,
) -> Plan:
    """A decomposition of a capture that need not be there yet. `surrogates`: draws of each of the nulls, 0 for none;
    without a null named, of prompt-shuffle, or of window-roll where there are fewer than five prompts. Raises
    UsageError for unknown words and for surrogates that cannot be drawn."""
    for word, vocabulary, what in (
        (estimator, terms.ESTIMATORS, "estimator"),
        (redundancy, terms.REDUNDANCIES, "redundancy"),
        (pool, terms.POOLS, "pool"),
        (precision, terms.PRECISIONS, "precision"),
    ):
        known([word], vocabulary, what)
    spec = {
        "capture": capture_id,
        "estimator": estimator,
        "redundancy": redundancy,
        "lag": lag,
        "pool": pool,
        "preprocess": preprocess or "raw",
        "precision": precision,
        "nulls": _nulls(list(nulls), surrogates, prompts),
        "surrogates": surrogates,
        "replicates": REPLICATES,
        "seed": seed,
        "device": choose(device),
    }
    return Plan("decompose", spec, cost.decompose(units, prompts, spec, cores()), units)


def decompose_finished(cache: Cache, capture_id: str, *, lag: int = 1, preprocess: str = "raw", **chosen: Any) -> Plan:
    """A decomposition of a capture in the cache, otherwise as `decompose`. Raises UsageError when the lag leaves no
    window or the preprocessing is unknown."""
    from synergy_tui.phiid.preparation import parse

    row = load.one(cache, "capture", capture_id)
    words = parse(preprocess)
    steps = row["steps"] - sum(int(word.partition("=")[2] or 1) for word in words if word.startswith(("drop", "diff")))
    if lag >= steps:
        left = "" if steps == row["steps"] else f", {max(steps, 0)} after {preprocess},"
        raise UsageError(
            f"lag {lag} in responses of {row['steps']} steps{left} leaves no window", "use a smaller --lag"
        )
    units = row["layers"] * row["units_per_layer"]
    return decompose(capture_id, units, row["valid_prompts"], lag=lag, preprocess=",".join(words) or "raw", **chosen)


def _nulls(names: list[str], surrogates: int, prompts: int) -> list[str]:
    """The nulls to be run, the one behind excess first."""
    if not surrogates:
        if names:
            raise UsageError(f"no surrogates to draw of {', '.join(names)}", "add --surrogates 200")
        return []
    if surrogates < FEWEST_SURROGATES:
        raise UsageError(
            f"{surrogates} surrogates are too few to tell a tail from", f"draw {FEWEST_SURROGATES} or more, or 0"
        )
    names = names or [terms.NULLS[0] if prompts >= FEWEST_PROMPTS else terms.NULLS[1]]
    every = (*terms.NULLS, *terms.UNCALIBRATED_NULLS)
    known(names, every, "null")
    if terms.NULLS[0] in names and prompts < FEWEST_PROMPTS:
        raise UsageError(
            f"{terms.NULLS[0]} needs {FEWEST_PROMPTS} prompts long enough, and there are {prompts}",
            f"use --null {terms.NULLS[1]}",
        )
    return [name for name in every if name in names]


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
    if row["kind"] not in ("head", "imported"):
        raise UsageError(
            f"capture {capture_id} is of {row['kind']} units", "only attention heads can be removed so far"
        )
    units = row["layers"] * row["units_per_layer"]
    (subject,) = load.rows(cache, "SELECT * FROM subjects WHERE subject = $1", row["subject"])
    if subject["source"] == "import":
        raise UsageError(f"capture {capture_id} was imported and has no model to ablate", "capture a subject instead")
    if row["kind"] != "head":
        raise UsageError(f"units of the kind {row['kind']} cannot be removed yet", "ablate a capture of heads")
    marked = _marked(marked, orders, units)
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
    tokens = sum(one["tokens"] for one in chosen)
    shares = sorted(set(fractions))
    _enough_sets(cache, decomposition, orders, ranking, seeds, shares, marked, (row["layers"], row["units_per_layer"]))
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
        "prompts": sorted(one["prompt"] for one in chosen),
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
    sweep = {name: count * _OF_A_PASS for name, count in _swept(orders, row["layers"], units).items()}
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
) -> None:
    """Raises UsageError when there are more seeds than distinct control sets at every fraction."""
    units = shape[0] * shape[1]
    counts = [math.floor(share * units + 0.5) for share in shares]
    if marked:
        counts = [len(marked)]
    if "random" in orders:
        _enough("random", max(math.comb(units, count) for count in counts), seeds)
    if "layer-matched" not in orders:
        return
    if marked:
        per_layer = [sum(unit // shape[1] == layer for unit in marked) for layer in range(shape[0])]
        _enough("layer-matched", math.prod(math.comb(shape[1], count) for count in per_layer), seeds)
    targeted = [name for name in orders if name in terms.TARGETED_ORDERS and name != "marked"]
    for name in targeted or ([] if marked else ["synergy-first"]):
        by, _, end = name.rpartition("-") if name in terms.RANKED_ORDERS else (ranking, "", name)
        values = load.unit_scores(cache, decomposition, by, shape, "value").ravel()
        sign = 1 if end in ("redundancy-first", "last") else -1
        order = sorted(range(units), key=lambda unit: (values[unit] != values[unit], sign * values[unit]))
        most = 0
        for count in counts:
            per_layer = [sum(unit // shape[1] == layer for unit in order[:count]) for layer in range(shape[0])]
            most = max(most, math.prod(math.comb(shape[1], one) for one in per_layer))
        _enough(f"layer-matched of {name}", most, seeds)


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


def _marked(marked: Sequence[int], orders: list[str], units: int) -> list[int]:
    if ("marked" in orders) != bool(marked):
        raise UsageError(
            "a marked set and the removal order `marked` go together", "mark units (--units 3.1,3.4), or leave it out"
        )
    if outside := [one for one in marked if not 0 <= one < units]:
        raise UsageError(f"unit number {outside[0]} is not among the {units} of this run", "mark others")
    if len(set(marked)) == units:
        raise UsageError("the marked set is all units of the model: there is no control for it", "mark fewer")
    return sorted(set(marked))


def known(words: list[str], vocabulary: tuple[str, ...], what: str) -> None:
    """Raises UsageError when there is no word, or one that the vocabulary lacks."""
    for word in words or [""]:
        if word not in vocabulary:
            raise UsageError(f"no {what} {word!r}", f"known: {', '.join(vocabulary)}")


def _evenly(texts: list[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """The first of each category, then the second of each, until there are `count`."""
    seen: dict[str, int] = {}
    places = []
    for one in texts:
        seen[one["category"]] = seen.get(one["category"], -1) + 1
        places.append(seen[one["category"]])
    order = sorted(range(len(texts)), key=lambda number: (places[number], number))
    return [texts[number] for number in order[:count]]
