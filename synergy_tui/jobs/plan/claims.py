"""A run → the chain of jobs that its claims card needs, as far as its parts are not there already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from synergy_tui import terms
from synergy_tui.errors import SynergyError, UsageError
from synergy_tui.jobs import cost
from synergy_tui.jobs.devices import choose
from synergy_tui.jobs.plan.ablations import ablate
from synergy_tui.jobs.plan.base import Plan, known
from synergy_tui.jobs.plan.controls import controls
from synergy_tui.jobs.plan.decompositions import FEWEST_PROMPTS, decompose_finished
from synergy_tui.jobs.plan.difficulties import difficulty_chain
from synergy_tui.jobs.plan.links import Link, finished
from synergy_tui.jobs.plan.networks import networks
from synergy_tui.store import load
from synergy_tui.store.cache import Cache

PARTS = {
    "surrogates": "C1, C5",
    "controls": "C5",
    "ablation": "C3, C4",
    "networks": "C6",
    "ladder": "C2",
}
"""Parts of a card, and the claims that need each."""

SURROGATES, CONTROLS, SEEDS, PROMPTS = 200, 5, 20, 12
"""Surrogates of each null, random initialisations of each kind, control sets and prompts of the ablation."""

LADDER = "arithmetic-chains"
"""The one that is climbed where a subject has none."""

FRACTIONS = (0.05, 0.1, 0.15, 0.2, 0.25)

BUDGET = 0.1
"""Of C4, nats per token."""

METHOD = ("estimator", "redundancy", "lag", "pool", "preprocess", "precision")
"""What tells one way of decomposing from another."""


@dataclass(frozen=True)
class Chain:
    """links: the jobs, those already done marked so; the card is the last. missing: by part, why it cannot be had.
    foreseen: claims that will be inconclusive whatever comes out, and what they would need."""

    links: list[Link]
    missing: dict[str, str] = field(default_factory=dict)
    foreseen: list[str] = field(default_factory=list)

    def costs(self) -> dict[str, cost.Cost]:
        """By part, what is still to be done costs."""
        out: dict[str, cost.Cost] = {}
        for one in self.links:
            if one.found is None:
                part, price = one.name.partition(" ")[0], one.plan.cost
                before = out.get(part, cost.Cost(0.0, 0.0))
                unknown = before.seconds is None or price.seconds is None
                seconds = None if unknown else (before.seconds or 0.0) + (price.seconds or 0.0)
                out[part] = cost.Cost(seconds, before.disk + price.disk)
        return out


def claims(
    cache: Cache,
    data: Path,
    run: str,
    *,
    parts: Sequence[str] = tuple(PARTS),
    ranking: str = terms.RANKINGS[0],
    budget: float = BUDGET,
    fresh: bool = False,
    device: str | None = None,
    seed: int = 0,
) -> Chain:
    """The card of `run`, a decomposition. parts: which may be made where they are not there; what is there is taken
    whatever they are, unless `fresh`. Raises UsageError for unknown words, and for a run made by an earlier method; a
    part that cannot be had is told in `missing` and leaves its claims inconclusive."""
    known(list(parts), tuple(PARTS), "part")
    known([ranking], terms.RANKINGS, "ranking")
    if not budget > 0:
        raise UsageError(f"--budget {budget:g} is no divergence to stay under", "give nats per token above 0, as 0.1")
    base = _first_alike(cache, run)
    row = load.one(cache, "decomposition", base)
    capture = load.one(cache, "capture", row["capture"])
    method = {name: row[name] for name in METHOD}
    more: dict[str, Any] = {"device": device, "seed": seed}
    made: dict[str, list[Link]] = {name: [] for name in PARTS}
    missing: dict[str, str] = {}

    def surrogates() -> list[Link]:
        plan = decompose_finished(cache, row["capture"], **method, surrogates=SURROGATES, nulls=_nulls(row), **more)
        return [Link("surrogates", plan, found=None if fresh else _with_surrogates(cache, run, base))]

    def of_controls() -> list[Link]:
        out: list[Link] = []
        for how in terms.CONTROLS:
            chosen: dict[str, Any] = {"how": how, "seeds": CONTROLS, "first": seed, "device": device}
            for number, (first, second) in enumerate(controls(cache, data, row["capture"], method, **chosen)):
                out.append(Link(f"controls {how} {number}", first))
                out.append(Link(f"controls {how} {number}", second, of=-1))
        return out

    def removal() -> list[Link]:
        graded = [] if capture["kind"] == "imported" else ["graded"]
        plan = ablate(
            cache,
            data,
            base,
            orders=list(terms.DEFAULT_ORDERS),
            seeds=SEEDS,
            fractions=list(FRACTIONS),
            ranking=ranking,
            prompts=min(PROMPTS, capture["valid_prompts"]),
            batch=16,
            dtype=None,
            tasks=graded[0] if graded else "",
            **more,
        )
        # Accuracy decides nothing where the area is not above its controls, and takes longer than the area.
        return [Link("ablation", replace(plan, spec=plan.spec | {"sparing": True}))]

    def of_networks() -> list[Link]:
        return [Link("networks", networks(cache, base, **more))]

    def ladder() -> list[Link]:
        if not fresh and ladder_of(cache, capture["subject"]) is not None:
            return []
        (own,) = load.rows(cache, "SELECT * FROM subjects WHERE subject = $1", capture["subject"])
        if own["source"] == "import":
            raise UsageError("imported series have no subject to ask", "capture a subject instead")
        if own["weights_seed"] is not None:
            raise UsageError("random weights answer nothing right", "take a trained subject")
        asked: dict[str, Any] = {"revision": own["revision"], "chat": capture["chat_template"] is not None}
        chain = difficulty_chain(cache, data, own["place"], ladder=LADDER, dtype=capture["dtype"], **asked, **more)
        if chain.finished:
            return []
        *first, last = chain.plans
        return [*(Link("ladder", one) for one in first), Link("ladder", last, of=-1 if first else None)]

    each = {"surrogates": surrogates, "controls": of_controls, "ablation": removal, "networks": of_networks}
    for name, plan_of in (each | {"ladder": ladder}).items():
        try:
            made[name] = plan_of()
        except SynergyError as error:
            missing[name] = str(error)
    links = _in_one(made)
    if not fresh:
        links = finished(cache, links)
    links = _asked_for(links, parts, missing)
    card = Link("card", _card(base, row["capture"], ranking, budget, device, seed))
    return Chain([*links, card], missing, _foreseen(row, capture))


def _foreseen(row: dict[str, Any], capture: dict[str, Any]) -> list[str]:
    """What the run's size alone decides."""
    found = []
    if row["valid_prompts"] < terms.ENOUGH_PROMPTS:
        found.append(
            f"C1 will be inconclusive: it needs {terms.ENOUGH_PROMPTS} prompts, and {row['valid_prompts']} are valid"
        )
    if capture["layers"] < 3:
        found.append(f"C1 and C5 will be inconclusive: they need 3 layers, and there are {capture['layers']}")
    return found


def with_ids(plan: Chain, ids: Sequence[str]) -> dict[str, Any]:
    """What the card's job needs to know of the others: ids of results by part."""
    named = list(zip(plan.links, ids, strict=False))
    by_part = {part: [i for one, i in named if one.name == part] for part in ("surrogates", "ablation", "networks")}
    parts: dict[str, Any] = {part: found[0] if found else None for part, found in by_part.items()}
    for how in terms.CONTROLS:
        of = f"controls {how} "
        parts[how] = [i for one, i in named if one.name.startswith(of) and one.of is not None]
    return {"parts": parts, "missing": plan.missing}


def ladder_of(cache: Cache, subject: str) -> dict[str, Any] | None:
    """The ladder of a subject that C2 is judged by, or None: of those made by this method the newest among the ones
    large enough for a verdict, else the newest that is more than a comparison."""
    levels, prompts = terms.FULL_LADDER
    query = f"""SELECT * FROM ladders l WHERE subject = $1
      AND ladder IN (SELECT result FROM recipes WHERE method >= {terms.METHOD})
      ORDER BY levels >= {levels} AND prompts_per_level >= {prompts} DESC,
      verdict = 'comparison', created DESC, ladder LIMIT 1"""
    found = load.rows(cache, query, subject)
    return found[0] if found else None


def _card(base: str, capture: str, ranking: str, budget: float, device: str | None, seed: int) -> Plan:
    spec = {
        "decomposition": base,
        "capture": capture,
        "ranking": ranking,
        "budget": budget,
        "seed": seed,
        "device": choose(device),
    }
    return Plan("claims", spec, cost.card(spec), 0)


def _nulls(row: dict[str, Any]) -> list[str]:
    """Those that the prompts allow."""
    return list(terms.NULLS if row["valid_prompts"] >= FEWEST_PROMPTS else terms.NULLS[1:])


def _alike(cache: Cache, run: str) -> list[dict[str, Any]]:
    """Decompositions of the same capture by the same method, oldest first. Raises UsageError where all of them were
    made by an earlier version of it."""
    row = load.one(cache, "decomposition", run)
    query = f"SELECT *, {load.METHOD_OF} FROM decompositions d WHERE capture = $1 ORDER BY created, decomposition"
    every = [one for one in load.rows(cache, query, row["capture"]) if one["method"] >= terms.METHOD]
    found = [one for one in every if all(one[name] == row[name] for name in METHOD)]
    if not found:
        raise UsageError(f"{run} was made by an earlier method", f"bring it up to date: synergy-tui renew {run}")
    return found


def _first_alike(cache: Cache, run: str) -> str:
    """The oldest of them: what is asked of any of them finds the same parts."""
    return str(_alike(cache, run)[0]["decomposition"])


def _with_surrogates(cache: Cache, run: str, base: str) -> str | None:
    row = load.one(cache, "decomposition", base)
    for one in _alike(cache, run):
        if set(_nulls(row)) <= set(one["nulls"] or ()) and one["surrogates"] >= SURROGATES:
            return str(one["decomposition"])
    return None


def _in_one(made: dict[str, list[Link]]) -> list[Link]:
    """The links of all parts in a row; a decomposition's capture is the link before it."""
    out: list[Link] = []
    for links in made.values():
        for one in links:
            out.append(Link(one.name, one.plan, len(out) - 1 if one.of is not None else None, one.found))
    return out


def _asked_for(links: list[Link], parts: Sequence[str], missing: dict[str, str]) -> list[Link]:
    """Without those that are neither there nor asked for."""
    out: list[Link] = []
    place: dict[int, int] = {}
    for number, one in enumerate(links):
        part = one.name.partition(" ")[0]
        if one.found is None and part not in parts:
            missing.setdefault(part, f"left out; add it: --parts {part}")
            continue
        place[number] = len(out)
        out.append(Link(one.name, one.plan, place.get(one.of) if one.of is not None else None, one.found))
    return out
