"""Sealed plans: a subject and the work planned on it → a file, before there are data; and that file → the run that it
means. deviations.py finds later differences."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import msgspec

from synergy_tui import __version__, terms
from synergy_tui.analysis import thresholds
from synergy_tui.errors import SynergyError, UsageError
from synergy_tui.jobs.plan.base import Plan
from synergy_tui.jobs.plan.captures import capture, weights_of
from synergy_tui.jobs.plan.claims import CONTROLS, PROMPTS, SURROGATES, as_planned, settled, tasks_for
from synergy_tui.jobs.plan.controls import SURROGATES as OF_A_CONTROL
from synergy_tui.jobs.plan.decompositions import allowed_nulls
from synergy_tui.jobs.plan.difficulties import difficulty
from synergy_tui.jobs.plan.links import Link, finished, results
from synergy_tui.jobs.plan.runs import with_maps
from synergy_tui.jobs.specs.ablate import DECIDED, AblateRequest
from synergy_tui.jobs.specs.capture import CaptureRequest, CaptureSpec
from synergy_tui.jobs.specs.claims import ClaimsRequest, Sealing
from synergy_tui.jobs.specs.decompose import DecomposeRequest
from synergy_tui.jobs.specs.fields import fields
from synergy_tui.jobs.specs.geometry import GeometryRequest
from synergy_tui.jobs.specs.ladder import LadderRequest
from synergy_tui.jobs.specs.method import Method
from synergy_tui.jobs.specs.networks import NetworksRequest
from synergy_tui.jobs.specs.sealed import (
    FORMAT,
    HARDWARE,
    MOST_BYTES,
    NOT_PLANNED,
    PERMISSIONS,
    Model,
    Sealed,
    hash_of,
    now,
    read,
)
from synergy_tui.settings import user_path
from synergy_tui.store.cache import Cache
from synergy_tui.subject.source import Source
from synergy_tui.subject.sources import BUILT_IN, local
from synergy_tui.tasks import graded

PACKAGES = ("torch", "transformers", "jax", "numpy", "scipy", "duckdb")
"""Packages whose version is in a plan, besides this one's and Python's."""

PRIMARY = ("C1",)
"""Claims of the primary analysis by default."""

TOKENIZER = ("tokenizer.json", "tokenizer.model", "vocab.json", "merges.txt", "tokenizer_config.json")


def seal(
    data: Path, request: CaptureRequest, method: Method, asked: ClaimsRequest, primary: Sequence[str] = PRIMARY
) -> tuple[dict[str, Any], CaptureSpec]:
    """All work planned on a subject, as the contents of a file, and the capture that it begins with. Starts nothing.
    Raises UsageError, TaskError or SubjectError, as the commands would."""
    if request.replay or request.revisions:
        raise UsageError("a plan is for a subject that answers by itself", "leave out replay and revisions")
    if unknown := [one for one in primary if one not in terms.CLAIMS]:
        raise UsageError(f"no claim {unknown[0][:40]!r}", f"known: {', '.join(terms.CLAIMS)}")
    captured = capture(data, request)
    # Refuses here what the method cannot do with such a capture.
    with_maps(captured, [DecomposeRequest(method=method)])
    spec = captured.spec
    own = spec.request().to_json()
    content: dict[str, Any] = {
        "format": FORMAT,
        "sealed": now(),
        "subject": msgspec.to_builtins(model_of(spec.source, data)),
        "asked": {"task_set": spec.task_set, "tasks_hash": spec.tasks_hash, "prompts": len(spec.items)},
        "capture": {name: value for name, value in own.items() if name not in NOT_PLANNED},
        "method": msgspec.to_builtins(method),
        "parts": {part: one for part, one in _parts(data, spec, asked).items() if part in asked.parts},
        "analyses": {
            "ranking": asked.ranking,
            "rankings": [one for one in terms.RANKINGS if one != asked.ranking],
            "claims": list(dict.fromkeys(primary)),
            "correction": "Holm",
        },
        "budget": asked.budget,
        "seed": asked.seed,
        "thresholds": thresholds.every(),
        "method_version": terms.METHOD,
        "grading": terms.GRADING,
        "versions": versions(),
    }
    content = json.loads(json.dumps(content))  # as the file will have it
    return content | {"hash": hash_of(content)}, spec


def _parts(data: Path, spec: CaptureSpec, asked: ClaimsRequest) -> dict[str, dict[str, Any]]:
    """Part → its request, as far as it is known without the run's data."""
    prompts, source = len(spec.items), spec.source
    ablation = AblateRequest(
        decomposition="",
        ranking=asked.ranking,
        prompts=min(PROMPTS, prompts),
        tasks=tasks_for(source.kind, source.place),
        dtype=spec.dtype,
        stop=DECIDED,
    )
    ladder = LadderRequest(
        subject=source.place,
        revision=source.revision,
        adapter=source.adapter,
        chat=spec.chat,
        dtype=spec.dtype,
        seed=asked.seed,
        allow_pickle=spec.allow_pickle,
        allow_remote_code=spec.allow_remote_code,
    )
    climbed: dict[str, Any] = settled(ladder)
    if source.weights_seed is None and "ladder" in asked.parts:
        try:
            climb = _climb(data, ladder)
            climbed |= {"ladder": climb.ladder, "tasks_hash": climb.tasks_hash}
        except SynergyError as error:  # the subject has no ladder: the plan says so
            climbed = {"not_possible": str(error)}
    return {
        "surrogates": {"surrogates": SURROGATES, "nulls": list(allowed_nulls(prompts))},
        "controls": {"how": list(terms.CONTROLS), "seeds": CONTROLS, "first": asked.seed, "surrogates": OF_A_CONTROL},
        "ablation": settled(ablation) | {"tasks_hash": graded_hash(ablation.tasks), "stops": STOPS},
        "networks": settled(NetworksRequest(decomposition="")) | {"densities": list(thresholds.DENSITIES)},
        "ladder": climbed,
        "geometry": settled(GeometryRequest(capture="")),
    }


STOPS = "control sets are drawn until the verdict is decided; accuracy is measured where an area stands out"
"""The rule by which the ablation stops."""


@dataclass(frozen=True)
class _Climb:
    ladder: str
    tasks_hash: str


def _climb(data: Path, request: LadderRequest) -> _Climb:
    """The ladder's name or file, and its prompts."""
    found = difficulty(None, data, request).links
    return _Climb(found[-1].plan.spec.ladder, found[0].plan.spec.tasks_hash)


def graded_hash(tasks: str) -> str | None:
    """SHA-256 of graded tasks and their right answers; None without tasks."""
    if not tasks:
        return None
    rows = [[one.id, one.text, one.answer, one.grade] for one in graded.load(tasks)]
    return hashlib.sha256(json.dumps(rows, ensure_ascii=False).encode()).hexdigest()


def versions() -> dict[str, str]:
    """Versions of this package, Python, and the packages that compute."""
    found = {"synergy-tui": __version__, "python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "absent"
    return found


def model_of(source: Source, data: Path) -> Model:
    """A subject with hashes of its files on this disk."""
    folder = _folder(source, data)
    known = BUILT_IN.get(source.place) if source.kind == "built-in" else None
    return Model(
        name=source.name,
        kind=source.kind,
        place=source.place,
        revision=source.revision,
        adapter=source.adapter,
        weights_seed=source.weights_seed,
        model_type=source.geometry.get("model_type"),
        weights=known.sha256 if known is not None else weights_of(source),
        config=_files_hash(folder, ("config.json",)),
        tokenizer=_files_hash(folder, TOKENIZER),
        chat_template=_template_hash(folder),
    )


def _folder(source: Source, data: Path) -> Path | None:
    if source.kind == "built-in":
        return data / "subjects" / source.place
    return local(source) if source.kind in ("folder", "zoo") else None


def _files_hash(folder: Path | None, names: Sequence[str]) -> str | None:
    """SHA-256 of files with their names; None if there are no files."""
    there = [folder / name for name in names if (folder / name).is_file()] if folder is not None else []
    found = hashlib.sha256()
    for one in there:
        found.update(f"{one.name} {one.stat().st_size}\n".encode())
        found.update(one.read_bytes())
    return found.hexdigest() if there else None


def _template_hash(folder: Path | None) -> str | None:
    """SHA-256 of the chat template's text, as captures have it; None if the folder has no template."""
    if folder is None:
        return None
    try:
        if (file := folder / "chat_template.jinja").is_file():
            text = file.read_text("utf-8")
        else:
            text = json.loads((folder / "tokenizer_config.json").read_text("utf-8")).get("chat_template")
    except (OSError, ValueError, AttributeError):
        return None
    return hashlib.sha256(text.encode()).hexdigest() if isinstance(text, str) and text else None


def write(content: Mapping[str, Any], path: Path) -> None:
    """Writes a new file of a plan. Raises UsageError if the file exists, or cannot be written."""
    try:
        with open(path, "x", encoding="utf-8") as file:
            file.write(json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    except FileExistsError:
        raise UsageError(f"{path} is there already", "a sealed plan is not written over: give another name") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}", "give another folder") from None


@dataclass(frozen=True)
class Opened:
    """A plan that was read: its contents, and their value. deviations: differences that are known already."""

    content: dict[str, Any]
    sealed: Sealed
    deviations: tuple[str, ...] = ()


def open_plan(path: str | Path, deviate: bool = False) -> Opened:
    """A plan file, checked. deviate: whether a change after the sealing is accepted as a deviation. Raises
    UsageError."""
    place = user_path(path)
    try:
        if not place.is_file():
            raise UsageError(f"{place} is not a file", "give the file that --seal has written")
        with open(place, "rb") as file:
            found = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{place} cannot be read: {error.strerror or error}", "check its permissions") from None
    content, sealed, said = read(found, str(place), deviate)
    return Opened(content, sealed, tuple(said))


def requests(opened: Opened, chosen: Mapping[str, Any]) -> tuple[CaptureRequest, Method, ClaimsRequest, Sealing]:
    """The requests of a plan, with the options `chosen` beside it, and the names of the options that differ from it.
    The claims' request has no run yet. Raises UsageError."""
    sealed, own = opened.sealed, {name: one for name, one in chosen.items() if one is not None}
    captured = {one.name for one in fields(CaptureRequest)}
    asked = sealed.capture_request(**{name: one for name, one in own.items() if name in captured - {"subject"}})
    method = Method.from_json({**sealed.method, **{one: own[one] for one in Method.__struct_fields__ if one in own}})
    planned = {"ranking": sealed.analyses.ranking, "budget": sealed.budget, "seed": sealed.seed}
    judged = ClaimsRequest(
        decomposition="",
        parts=tuple(own.get("parts", tuple(sealed.parts))),
        fresh=bool(own.get("fresh")),
        device=own.get("device"),
        **{name: own.get(name, value) for name, value in planned.items()},
    )
    free = {*HARDWARE, *PERMISSIONS, "fresh"}
    before = sealed.capture | sealed.method | planned | {"parts": list(sealed.parts)}
    given = tuple(name for name, value in own.items() if name not in free and before.get(name) != _plain(value))
    return asked, method, judged, Sealing(plan=opened.content, deviations=opened.deviations, given=given)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def run(cache: Cache, captured: Plan[CaptureSpec], method: Method, asked: ClaimsRequest, plan: Sealed) -> list[Link]:
    """A capture and its map, with the surrogates that the card needs; existing ones are marked unless `asked` is fresh.
    Raises UsageError."""
    request = DecomposeRequest(method=method)
    if "surrogates" in asked.parts:
        nulls = allowed_nulls(len(captured.spec.items))
        request = as_planned(request.replace(surrogates=SURROGATES, nulls=nulls), plan.parts, "surrogates")
    links = with_maps(captured, [request])
    return links if asked.fresh else finished(cache, links)


def seen(cache: Cache, spec: CaptureSpec) -> str | None:
    """The capture of equal work that is in the cache already: its data may have been seen."""
    return results(cache).get(spec.hash)


def of_subject(planned: Model, found: Model, deviate: bool = False) -> list[str]:
    """How a subject differs from the plan's, a sentence each; facts that either lacks are not compared. Raises
    UsageError for another subject, with another name and other weights, unless it may `deviate`."""
    if planned.name != found.name and (planned.weights is None or planned.weights != found.weights):
        if not deviate:
            what = f"the plan is for {planned.name}, not for {found.name}"
            raise UsageError(what, "seal one for it; or --deviate: the card then says so")
        return [f"the subject is {found.name}, and the plan is for {planned.name}"]
    out = []
    for name in ("revision", "weights", "config", "tokenizer", "chat_template"):
        before, after = getattr(planned, name), getattr(found, name)
        if before is not None and after is not None and before != after:
            what = {"weights": "weights were"}.get(name, f"{name.replace('_', ' ')} was")
            out.append(f"the subject's {what} {before[:12]} when the plan was sealed, and now {after[:12]}")
    return out
