"""Brings results and jobs of earlier versions up to date, once: recipes that were only commands get the hash and the
request that this version looks for, and ablations get their conditions."""

from __future__ import annotations

import contextlib
import json
import shlex
from pathlib import Path
from typing import Any

from synergy_tui import settings
from synergy_tui.ablation.conditions import conditions
from synergy_tui.errors import SynergyError, UsageError
from synergy_tui.jobs.plan.ablations import ablate
from synergy_tui.jobs.plan.decompositions import decompose_finished
from synergy_tui.jobs.plan.networks import networks
from synergy_tui.jobs.rankings import rankings
from synergy_tui.jobs.specs import (
    SPECS,
    AblateRequest,
    AblateSpec,
    CaptureRequest,
    CaptureSpec,
    DecomposeRequest,
    LadderRequest,
    LadderSpec,
    NetworksRequest,
    Request,
    Spec,
    request_of,
)
from synergy_tui.jobs.specs.capture import Item
from synergy_tui.jobs.specs.ladder import Graded
from synergy_tui.store import load
from synergy_tui.store.archive import Archive
from synergy_tui.store.cache import Cache
from synergy_tui.subject.source import Source
from synergy_tui.tasks import ladders

UNKNOWN = ""
"""The hash of a result whose request this version cannot work out: it never equals another."""


def complete(cache: Cache) -> None:
    """Gives every recipe without a hash its hash and request. A cache that cannot be written stays as it is."""
    if isinstance(cache, Archive):
        return
    query = "SELECT result, command FROM recipes WHERE hash IS NULL ORDER BY rowid"
    if not (old := load.rows(cache, query)):
        return
    with contextlib.suppress(SynergyError):
        found: dict[str, str] = {}
        rows = []
        for row in old:
            request, spec = _made_out(cache, row["result"], row["command"], found)
            found[row["result"]] = spec.hash if spec is not None else UNKNOWN
            kept = json.dumps({"kind": _kind(request), "request": request.to_json()}) if request is not None else None
            rows.append((found[row["result"]], kept, row["result"]))
        with cache.write() as con:
            con.executemany("UPDATE recipes SET hash = ?, request = ? WHERE result = ?", rows)


def asked_for(cache: Cache, result: str) -> Request | None:
    """The request of a result; None if it is not known. Raises UsageError if a newer version wrote it."""
    complete(cache)
    found = load.rows(cache, "SELECT request FROM recipes WHERE result = $1 AND request IS NOT NULL", result)
    if not found:
        return None
    kept = json.loads(found[-1]["request"])
    if not isinstance(kept, dict) or kept.get("kind") not in SPECS:
        raise UsageError(f"the request of {result} is of an unknown kind", "update synergy-tui")
    return SPECS[kept["kind"]].REQUEST.from_json(kept["request"])


def completed(folder: Path, spec: Spec) -> Spec:
    """The spec of a job of an earlier version, completed from the cache in `folder` by what such a version only found
    out later. Raises SynergyError."""
    if not isinstance(spec, AblateSpec) or spec.conditions:
        return spec
    cache = Cache.open(folder)
    capture = load.one(cache, "capture", spec.capture)
    shape = (capture["layers"], capture["units_per_layer"])
    values = rankings(cache, spec.decomposition, shape, spec.replayed if spec.held_out else ())
    layer_of = load.layers_of_units(cache, spec.capture)
    made = conditions(spec.orders, values, spec.ranking, layer_of, spec.seeds, spec.seed, spec.fractions, spec.marked)
    return spec.replace(conditions=made)


def _kind(request: Request) -> str:
    return next(kind for kind, one in SPECS.items() if isinstance(request, one.REQUEST))


def _made_out(cache: Cache, result: str, command: str, found: dict[str, str]) -> tuple[Request | None, Spec | None]:
    """The request behind a result, and its spec as it would be planned today; None for what cannot be worked out.
    found: hashes of results worked out before."""
    request: Request | None = None
    with contextlib.suppress(SynergyError, ValueError, OSError):
        request = request_of(shlex.split(command))
        if load.rows(cache, "SELECT 1 FROM captures WHERE capture = $1", result):
            asked = _of_ladder(request) if isinstance(request, LadderRequest) else request
            assert isinstance(asked, CaptureRequest)
            return asked, _capture(cache, result, asked)
        if load.rows(cache, "SELECT 1 FROM ladder_levels WHERE map = $1", result):
            return None, None
        if isinstance(request, DecomposeRequest):
            return request, decompose_finished(cache, request).spec
        if isinstance(request, AblateRequest):
            return request, ablate(cache, settings.load().data, request).spec
        if isinstance(request, NetworksRequest):
            return request, networks(cache, request).spec
        if isinstance(request, LadderRequest):
            return request, _ladder(cache, result, request, found)
    return request, None


def _of_ladder(request: LadderRequest) -> CaptureRequest:
    """The request of a ladder's capture."""
    shared = set(CaptureRequest.__struct_fields__) & set(request.__struct_fields__) - {"prompts"}
    return CaptureRequest(**{name: getattr(request, name) for name in shared})


def _capture(cache: Cache, capture: str, request: CaptureRequest) -> CaptureSpec | None:
    row = load.one(cache, "capture", capture)
    (own,) = load.rows(cache, "SELECT * FROM subjects WHERE subject = $1", row["subject"])
    if row["replayed"] is not None and not load.rows(
        cache, "SELECT 1 FROM captures WHERE capture = $1", row["replayed"]
    ):
        return None  # a file's responses are not kept in their original form
    rows = load.rows(cache, "SELECT id, category, text FROM prompts WHERE capture = $1 ORDER BY prompt", capture)
    at_place = own["source"] in ("folder", "gguf") and own["weights_seed"] is None
    given: dict[str, Any] = {name: getattr(request, name) for name in request.__struct_fields__}
    given |= {"dtype": row["dtype"], "seed": row["seed"]}
    return CaptureSpec(
        **given,
        source=Source(own["name"], own["source"], own["place"], own["revision"], {}, own["weights_seed"]),
        weights=own["weights_hash"] if at_place else None,
        data="",
        task_set=row["tasks"],
        tasks_hash=row["tasks_hash"],
        items=tuple(Item(one["id"], one["category"], one["text"]) for one in rows),
        replayed=row["replayed"],
    )


def _ladder(cache: Cache, result: str, request: LadderRequest, found: dict[str, str]) -> LadderSpec | None:
    (row,) = load.rows(cache, "SELECT capture FROM ladders WHERE ladder = $1", result)
    captured = found.get(row["capture"], UNKNOWN)
    columns = {name: getattr(request, name) for name in ("level_column", "answer_column", "text_column", "verifier")}
    whole = ladders.load(request.ladder, **columns, prompts=request.prompts, seed=request.seed)
    chosen = ladders.select(whole, request.level_count, request.prompts, request.seed)
    if captured == UNKNOWN:
        return None
    given: dict[str, Any] = {name: getattr(request, name) for name in request.__struct_fields__}
    return LadderSpec(
        **given,
        captured=captured,
        name=chosen.name,
        level_names=tuple(chosen.levels),
        items=tuple(Graded(one.level, one.answer, one.verifier, one.entry) for one in chosen.prompts),
    )
