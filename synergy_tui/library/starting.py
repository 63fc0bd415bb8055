"""Jobs that a script or a notebook starts and waits for. They are the command line's jobs, in their own folders:
closing the notebook only ends the waiting, and interrupting the cell cancels the jobs; their finished parts are
kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

from synergy_tui.errors import CacheError, SynergyError, UsageError
from synergy_tui.jobs.specs.ablate import AblateRequest
from synergy_tui.jobs.specs.base import Request
from synergy_tui.jobs.specs.capture import CaptureRequest
from synergy_tui.jobs.specs.claims import ClaimsRequest
from synergy_tui.jobs.specs.decompose import DecomposeRequest
from synergy_tui.jobs.specs.executor import Executor
from synergy_tui.jobs.specs.fields import fields
from synergy_tui.library import waiting
from synergy_tui.library.caches import Cache, open_cache
from synergy_tui.library.captured import Capture
from synergy_tui.library.fields import AblateFields, CaptureFields, ClaimsFields, DecomposeFields, RunFields
from synergy_tui.library.results import Ablation, Card, Run
from synergy_tui.settings import load as settings
from synergy_tui.store import load
from synergy_tui.store.archive import Archive
from synergy_tui.terms import DEFAULT_ORDERS

if TYPE_CHECKING:
    from synergy_tui.jobs.folder import JobFolder
    from synergy_tui.jobs.plan import Link, Plan
    from synergy_tui.jobs.specs import CaptureSpec

R = TypeVar("R", bound=Request)

Where = Cache | str | Path | None
"""A cache, its folder, or None for the settings' cache."""


def run(
    subject: str,
    *,
    cache: Where = None,
    executor: Executor | None = None,
    progress: bool = True,
    **chosen: Unpack[RunFields],
) -> Run:
    """Captures a subject and decomposes it, as `synergy-tui run`; takes the fields of both. subject: smollm2, zoo:NAME,
    a model folder, a .gguf file or a hub id. executor: what makes parts; None means the settings' executor. progress:
    whether to show the stages. Raises SynergyError, with `what` was wrong and the `next_step`; Cancelled after an
    interrupt, which cancels the jobs and keeps their finished parts."""
    from synergy_tui.jobs import plan

    opened = _writable(cache)
    # A field that the one lacks goes to the other, which reports it if it is unknown to both.
    own = {one.name for one in fields(DecomposeRequest)} - {"device", "seed"}
    captured = _capture(opened, subject, {name: value for name, value in chosen.items() if name not in own})
    asked = _made(DecomposeRequest, {name: value for name, value in chosen.items() if name in own | {"device", "seed"}})
    jobs = _done(opened, plan.with_maps(captured, [asked]), executor, progress)
    return Run(opened.store, jobs[-1].id)


def capture(
    subject: str,
    *,
    cache: Where = None,
    executor: Executor | None = None,
    progress: bool = True,
    **chosen: Unpack[CaptureFields],
) -> Capture:
    """Records the activity of every unit of a subject over prompts, as `synergy-tui capture`; otherwise as `run`."""
    opened = _writable(cache)
    jobs = _done(opened, _alone(_capture(opened, subject, chosen)), executor, progress)
    return Capture(opened.store, jobs[-1].id)


def decompose(
    of: Capture | Run | str,
    *,
    cache: Where = None,
    executor: Executor | None = None,
    progress: bool = True,
    **chosen: Unpack[DecomposeFields],
) -> Run:
    """Decomposes all pairs of a capture's units, as `synergy-tui decompose`; of: a capture, a run of it, or an id in
    `cache`. Otherwise as `run`."""
    from synergy_tui.jobs import plan

    opened, one = _found(of, "capture", cache)
    request = _made(DecomposeRequest, {**chosen, "capture": one})
    jobs = _done(opened, _alone(plan.decompose_finished(opened.store, request)), executor, progress)
    return Run(opened.store, jobs[-1].id)


def ablate(
    of: Run | str,
    *,
    cache: Where = None,
    executor: Executor | None = None,
    progress: bool = True,
    **chosen: Unpack[AblateFields],
) -> Ablation:
    """Removes units in order of their synergy, and of controls, as `synergy-tui ablate`; of: a run, or an id in
    `cache`. units: a set of your own, as layer.unit. Otherwise as `run`."""
    from synergy_tui.jobs import plan

    opened, one = _found(of, "decomposition", cache)
    given: dict[str, Any] = {**chosen, "decomposition": one}
    if given.get("units") and "marked" not in (given.get("orders") or ()):
        given["orders"] = ("marked", *(given.get("orders") or DEFAULT_ORDERS))
    asked = plan.ablate(opened.store, settings(opened.folder).data, _made(AblateRequest, given))
    jobs = _done(opened, _alone(asked), executor, progress)
    return Ablation(opened.store, jobs[-1].id)


def claims(
    of: Run | str,
    *,
    cache: Where = None,
    executor: Executor | None = None,
    progress: bool = True,
    **chosen: Unpack[ClaimsFields],
) -> Card:
    """Judges what a run says about the claims of the literature, as `synergy-tui claims`: finds or makes what each
    claim needs. A part that fails leaves its claims inconclusive, with a warning. Otherwise as `run`."""
    import warnings

    from synergy_tui.jobs import plan

    opened, one = _found(of, "decomposition", cache)
    request = _made(ClaimsRequest, {**chosen, "decomposition": one})
    made_of = plan.claims(opened.store, settings(opened.folder).data, request)

    def lost(error: SynergyError) -> None:
        warnings.warn(str(error), stacklevel=4)

    jobs = _done(opened, made_of.links, executor, progress, lost, one_by_one=True, join=not request.fresh)
    return Card(opened.store, jobs[-1].id)


def _writable(where: Where) -> Cache:
    opened = where if isinstance(where, Cache) else open_cache(where)
    if isinstance(opened.store, Archive):
        raise CacheError(f"{opened.folder} is an exported run and stays as it is", "use a cache folder, or import it")
    return opened


def _found(of: Capture | Run | str, kind: str, cache: Where) -> tuple[Cache, str]:
    """The cache and the id of the result that `of` means. Raises UsageError."""
    if isinstance(of, str):
        opened = _writable(cache)
        return opened, load.find(opened.store, kind, None if of == "latest" else of, latest=of == "latest")
    if cache is not None:
        raise UsageError(f"{of.id} belongs to a cache already", "leave out cache, or give the id")
    return _writable(Cache(of.store)), load.find(of.store, kind, of.id)


def _made(request: type[R], given: Mapping[str, Any]) -> R:
    """A request from values; lists work like tuples."""
    return request.make({name: tuple(one) if isinstance(one, list) else one for name, one in given.items()})


def _capture(cache: Cache, subject: str, chosen: Mapping[str, Any]) -> Plan[CaptureSpec]:
    from synergy_tui.jobs import plan

    request = _made(CaptureRequest, {**chosen, "subject": subject})
    found = plan.captures(settings(cache.folder).data, request, cache.store)
    if len(found) > 1:
        raise UsageError(f"{subject} is a training of {len(found)} checkpoints", "name one, or use synergy-tui run")
    return found[0]


def _alone(asked: Plan[Any]) -> list[Link]:
    from synergy_tui.jobs.plan import Link

    return [Link("", asked)]


def _done(
    cache: Cache,
    links: Sequence[Link],
    executor: Executor | None,
    progress: bool,
    lost: Callable[[SynergyError], None] | None = None,
    one_by_one: bool = False,
    join: bool = False,
) -> list[JobFolder]:
    """Starts the jobs of a chain and follows them to their end."""
    from synergy_tui.jobs import chain
    from synergy_tui.jobs.follow import follow

    executor = executor or Executor.of_settings(settings(cache.folder).executor)
    if executor.executor == "none":
        raise UsageError("executor none starts no process to wait for", "use synergy-tui run --executor none")
    ids = chain.start(cache.store, links, one_by_one=one_by_one, join=join, executor=executor)
    jobs = chain.started(cache.store, links, ids)
    with waiting.stages(progress) as show:
        follow(jobs, show, lost)
    return jobs
