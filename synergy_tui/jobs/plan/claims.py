"""A run → the chain of jobs that its claims card needs, without the parts that are there already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from synergy_tui import terms
from synergy_tui.errors import SynergyError, UsageError
from synergy_tui.jobs import cost
from synergy_tui.jobs.devices import choose
from synergy_tui.jobs.plan.ablations import ablate
from synergy_tui.jobs.plan.base import Plan
from synergy_tui.jobs.plan.controls import controls
from synergy_tui.jobs.plan.decompositions import allowed_nulls, decompose_finished
from synergy_tui.jobs.plan.difficulties import difficulty
from synergy_tui.jobs.plan.geometries import geometry
from synergy_tui.jobs.plan.links import Link, finished, results
from synergy_tui.jobs.plan.networks import networks
from synergy_tui.jobs.plan.subjects import processes_of
from synergy_tui.jobs.specs.ablate import ALL, DECIDED, AblateRequest
from synergy_tui.jobs.specs.base import Request
from synergy_tui.jobs.specs.claims import PARTS, ClaimsRequest, ClaimsSpec, Results, Sealing
from synergy_tui.jobs.specs.decompose import DecomposeRequest
from synergy_tui.jobs.specs.geometry import GeometryRequest
from synergy_tui.jobs.specs.ladder import LadderRequest
from synergy_tui.jobs.specs.method import Method
from synergy_tui.jobs.specs.networks import NetworksRequest
from synergy_tui.store import load
from synergy_tui.store.cache import Cache
from synergy_tui.units import NO_ORDER
from synergy_tui.zoo.plants import PLANTS
from synergy_tui.zoo.shipped import PLANT, ZOO

SURROGATES, CONTROLS, PROMPTS = 200, 5, 12
"""Surrogates of each null, random initialisations of each kind, prompts of the ablation."""

R = TypeVar("R", bound=Request)

Settings = Mapping[str, Mapping[str, Any]]
"""Part → what a sealed plan says about it."""


@dataclass(frozen=True)
class Chain:
    """links: the jobs, with done ones marked; the card is the last. missing: part → why it cannot be had. foreseen:
    claims that will be inconclusive whatever comes out, and what they would need."""

    links: list[Link]
    missing: dict[str, str] = field(default_factory=dict)
    foreseen: list[str] = field(default_factory=list)

    def costs(self) -> dict[str, cost.Cost]:
        """Part → the cost of what is still to be done."""
        out: dict[str, list[cost.Cost]] = {}
        for one in self.links:
            if one.found is None:
                out.setdefault(one.name.partition(" ")[0], []).append(one.plan.cost)
        return {part: cost.total(some) for part, some in out.items()}


def tasks_for(source: str, place: str) -> str:
    """The graded tasks that suit a subject; empty for imported series, and for a planted subject without answers."""
    if source == "import":
        return ""
    if not place.startswith(ZOO):
        return "graded"
    plant = place.removeprefix(PLANT)
    return "" if plant in PLANTS and not PLANTS[plant].circuit.answers else place


NOT_OF_A_PART = frozenset(
    {"device", "seed", "batch", "tensor_parallel", "allow_pickle", "allow_remote_code", "fresh", "save", "budget"}
    | {"decomposition", "capture", "method", "subject", "revision", "adapter", "random_weights", "units"}
)
"""Fields of a part's request that a sealed plan does not have: they belong to the run, say where work is done, or give
permissions that only the user may give."""


def settled(request: Request) -> dict[str, Any]:
    """What a sealed plan says about a part, from its request."""
    return {name: value for name, value in request.to_json().items() if name not in NOT_OF_A_PART}


def as_planned(request: R, planned: Settings, part: str) -> R:
    """A part's request with the settings of a sealed plan. Raises UsageError for an invalid value."""
    content = request.to_json()
    known = settled(request)
    said = {name: value for name, value in planned.get(part, {}).items() if name in known}
    return type(request).from_json(content | said) if said else request


def _number(planned: Settings, part: str, name: str, usual: int) -> int:
    found = planned.get(part, {}).get(name, usual)
    if not isinstance(found, int) or isinstance(found, bool) or not 0 <= found <= 10**6:
        raise UsageError(f"{name} {str(found)[:40]!r} of the plan's {part} is not a number", "seal a plan anew")
    return found


def claims(
    cache: Cache,
    data: Path,
    request: ClaimsRequest,
    sealing: Sealing | None = None,
) -> Chain:
    """The card of a run, a decomposition. Existing parts are used, whichever parts may be made, unless the request is
    `fresh`. Under a sealed plan, `sealing`, parts are made as it says, and parts that it does not have are left out
    even if they exist. Raises UsageError for a run made by an earlier method, and for a ladder's level; a part that
    cannot be had is listed in `missing` and leaves its claims inconclusive."""
    run, fresh = request.decomposition, request.fresh
    planned: Settings = sealing.plan["parts"] if sealing is not None else {}
    if of := load.rows(cache, "SELECT ladder FROM ladder_levels WHERE map = $1", run):
        raise UsageError(f"{run} is a level of ladder {of[0]['ladder']}", "claims are about runs of all their prompts")
    load.needs_series(cache, load.one(cache, "decomposition", run)["capture"], "judge claims by")
    base = _first_alike(cache, run)
    row = load.one(cache, "decomposition", base)
    capture = load.one(cache, "capture", row["capture"])
    (own,) = load.rows(cache, "SELECT * FROM subjects WHERE subject = $1", capture["subject"])
    method = Method.of(row)
    more: dict[str, Any] = {"device": request.device, "seed": request.seed}
    made: dict[str, list[Link]] = {name: [] for name in PARTS}
    missing: dict[str, str] = {}

    def surrogates() -> list[Link]:
        nulls = allowed_nulls(row["valid_prompts"])
        asked = DecomposeRequest(capture=row["capture"], method=method, surrogates=SURROGATES, nulls=nulls, **more)
        asked = as_planned(asked, planned, "surrogates").replace(nulls=nulls)
        found = None if fresh else _with_surrogates(cache, run, base, asked.surrogates)
        return [Link("surrogates", decompose_finished(cache, asked), found=found)]

    def of_controls() -> list[Link]:
        if unjudged := not_judged(cache, row):
            raise UsageError(f"C5 is {unjudged}", "there is nothing for controls to decide")
        out: list[Link] = []
        for how in terms.CONTROLS:
            chosen: dict[str, Any] = {"how": how, "device": request.device}
            chosen |= {"seeds": _number(planned, "controls", "seeds", CONTROLS)}
            chosen |= {"first": _number(planned, "controls", "first", request.seed)}
            for number, (first, second) in enumerate(controls(cache, data, row["capture"], method, **chosen)):
                out.append(Link(f"controls {how} {number}", first))
                out.append(Link(f"controls {how} {number}", second, of=-1))
        return out

    def removal() -> list[Link]:
        asked = AblateRequest(
            decomposition=base,
            ranking=request.ranking,
            prompts=min(PROMPTS, capture["valid_prompts"]),
            tasks=tasks_for(own["source"], own["place"]),
            stop=DECIDED,
            **more,
        )
        asked = as_planned(asked, planned, "ablation")
        asked = asked.replace(ranking=request.ranking, prompts=min(asked.prompts, max(capture["valid_prompts"], 1)))
        # Accuracy decides nothing unless the area is above its controls, and takes longer than the area.
        made = ablate(cache, data, asked, sparing=True, dispensable=request.budget)
        # An ablation with all its control sets is as good.
        return [Link("ablation", made, found=None if fresh else results(cache).get(made.spec.replace(stop=ALL).hash))]

    def of_networks() -> list[Link]:
        asked = as_planned(NetworksRequest(decomposition=base, **more), planned, "networks")
        return [Link("networks", networks(cache, asked))]

    def of_geometry() -> list[Link]:
        if not load.naming(cache, row["capture"]).deep:
            raise UsageError(f"C8 and C9 are {terms.NOT_JUDGED}: {NO_ORDER}", "there is no middle of layers")
        asked = as_planned(GeometryRequest(capture=row["capture"], **more), planned, "geometry")
        return [Link("geometry", geometry(cache, data, asked))]

    def ladder() -> list[Link]:
        if not fresh and sealing is None and ladder_of(cache, capture["subject"]) is not None:
            return []
        if own["source"] == "import":
            raise UsageError("imported series have no subject to ask", "capture a subject instead")
        if own["weights_seed"] is not None:
            raise UsageError("random weights answer nothing right", "take a trained subject")
        asked = LadderRequest(
            subject=own["place"],
            revision=own["revision"],
            adapter=own["adapter"],
            chat=capture["chat_template"] is not None,
            dtype=capture["dtype"],
            tensor_parallel=processes_of(cache, row["capture"]),
            fresh=fresh,
            **more,
        )
        climb = difficulty(cache, data, as_planned(asked, planned, "ladder"))
        if climb.finished and sealing is None:
            return []
        return [replace(one, of=-1 if one.of is not None else None) for one in climb.links]

    each = {"surrogates": surrogates, "controls": of_controls, "ablation": removal, "networks": of_networks}
    each |= {"geometry": of_geometry}
    for name, plan_of in (each | {"ladder": ladder}).items():
        try:
            made[name] = plan_of()
        except SynergyError as error:
            missing[name] = str(error)
    links = _in_one(made)
    if not fresh:
        links = finished(cache, links)
    links = _asked_for(links, request.parts, missing, planned if sealing is not None else None)
    card = _card(request, base, row["capture"], links, missing, sealing)
    return Chain([*links, card], missing, _foreseen(row, capture, not_judged(cache, row)))


def not_judged(cache: Cache, row: Mapping[str, Any]) -> str:
    """Why claims about the middle third of layers are not judged for a decomposition, a row; empty if they are."""
    if not load.naming(cache, row["capture"]).deep:
        return f"{terms.NOT_JUDGED}: {NO_ORDER}"
    if row["compared"]:
        about = "it is about the middle third of layers"
        return f"{terms.NOT_JUDGED}: {about}, and this run's contrast is {row['compared']}"
    return ""


def _foreseen(row: dict[str, Any], capture: dict[str, Any], unjudged: str) -> list[str]:
    """What the run's size and its contrast decide in advance."""
    found = []
    if unjudged:
        return [f"C1 and C5 will be {unjudged}"]
    if row["valid_prompts"] < terms.ENOUGH_PROMPTS:
        found.append(
            f"C1 will be inconclusive: it needs {terms.ENOUGH_PROMPTS} prompts, and {row['valid_prompts']} are valid"
        )
    if capture["layers"] < 3:
        found.append(f"C1 and C5 will be inconclusive: they need 3 layers, and there are {capture['layers']}")
    return found


def ladder_of(cache: Cache, subject: str) -> dict[str, Any] | None:
    """The ladder of a subject that C2 is judged by, or None. Among ladders of this method: the newest that is large
    enough for a verdict, else the newest that is more than a comparison."""
    levels, prompts = terms.FULL_LADDER
    query = f"""SELECT * FROM ladders l WHERE subject = $1
      AND ladder IN (SELECT result FROM recipes WHERE method >= {terms.METHOD})
      ORDER BY levels >= {levels} AND prompts_per_level >= {prompts} DESC,
      verdict = 'comparison', serial DESC NULLS LAST, created DESC, ladder LIMIT 1"""
    found = load.rows(cache, query, subject)
    return found[0] if found else None


def _card(
    request: ClaimsRequest,
    base: str,
    capture: str,
    links: list[Link],
    missing: dict[str, str],
    sealing: Sealing | None,
) -> Link:
    """The card's own job, which takes the results of all others."""
    settled: dict[str, Any] = {name: getattr(request, name) for name in request.__struct_fields__}
    settled |= {"decomposition": base, "device": choose(request.device)}
    spec = ClaimsSpec(**settled, capture=capture, missing=missing, sealing=sealing)

    def completed(ids: Sequence[str]) -> ClaimsSpec:
        named = list(zip(links, ids, strict=False))
        first = {
            part: next((i for one, i in named if one.name == part), None)
            for part in ("surrogates", "ablation", "networks", "geometry")
        }
        of_controls = {
            how: tuple(i for one, i in named if one.name.startswith(f"controls {how} ") and one.of is not None)
            for how in terms.CONTROLS
        }
        climbed = [i for one, i in named if one.name == "ladder" and one.of is not None]
        ladder = climbed[-1] if climbed and sealing is not None else None
        return spec.replace(results=Results(**first, controls=of_controls, ladder=ladder))

    return Link("card", Plan(spec, cost.card(), 0), completed=completed)


def _alike(cache: Cache, run: str) -> list[dict[str, Any]]:
    """Decompositions of the same capture by the same method, oldest first. Raises UsageError if an earlier version of
    the method made all of them."""
    row = load.one(cache, "decomposition", run)
    query = f"SELECT *, {load.METHOD_OF} FROM decompositions d WHERE capture = $1 ORDER BY created, decomposition"
    every = [one for one in load.rows(cache, query, row["capture"]) if one["method"] >= terms.METHOD]
    found = [one for one in every if Method.of(one) == Method.of(row)]
    if not found:
        raise UsageError(f"{run} was made by an earlier method", f"bring it up to date: synergy-tui renew {run}")
    return found


def _first_alike(cache: Cache, run: str) -> str:
    """The oldest of them, so that cards of all of them find the same parts."""
    return str(_alike(cache, run)[0]["decomposition"])


def _with_surrogates(cache: Cache, run: str, base: str, count: int) -> str | None:
    row = load.one(cache, "decomposition", base)
    for one in _alike(cache, run):
        if set(allowed_nulls(row["valid_prompts"])) <= set(one["nulls"] or ()) and one["surrogates"] >= count:
            return str(one["decomposition"])
    return None


def _in_one(made: dict[str, list[Link]]) -> list[Link]:
    """The links of all parts in a row; a decomposition's capture is the link before it."""
    out: list[Link] = []
    for links in made.values():
        for one in links:
            out.append(replace(one, of=len(out) - 1 if one.of is not None else None))
    return out


def _asked_for(
    links: list[Link], parts: Sequence[str], missing: dict[str, str], planned: Settings | None = None
) -> list[Link]:
    """The links without those that neither exist nor are asked for; under a sealed plan, only those asked for."""
    out: list[Link] = []
    place: dict[int, int] = {}
    for number, one in enumerate(links):
        part = one.name.partition(" ")[0]
        if (one.found is None or planned is not None) and part not in parts:
            by_plan = planned is not None and part not in planned
            said = "the sealed plan leaves it out" if by_plan else f"left out; add it: --parts {part}"
            missing.setdefault(part, said)
            continue
        place[number] = len(out)
        out.append(replace(one, of=place.get(one.of) if one.of is not None else None))
    return out
