"""A capture → the captures and decompositions of its controls: the same architecture with random weights, answering by
itself and on the capture's own tokens."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from synergy_tui import terms
from synergy_tui.errors import UsageError
from synergy_tui.jobs.plan.base import Plan
from synergy_tui.jobs.plan.captures import capture
from synergy_tui.jobs.plan.decompositions import decompose
from synergy_tui.jobs.plan.earlier import asked_for
from synergy_tui.jobs.specs.capture import CaptureRequest, CaptureSpec, Control
from synergy_tui.jobs.specs.decompose import DecomposeRequest, DecomposeSpec
from synergy_tui.jobs.specs.method import Method
from synergy_tui.store import load
from synergy_tui.store.cache import Cache
from synergy_tui.subject import trust

SURROGATES = 20
"""Draws of prompt-shuffle for each control: only their mean is used. On a control of SmolLM2 the contrast of a draw has
a standard deviation of 0.0008, so the mean of 20 is known to 0.0002, a tenth of its error over prompts."""

_OF_A_REPLAY = ("steps", "min_steps", "dtype", "tensor_parallel", "seed", "revision")
"""Fields of a capture's request that its replayed controls share; the rest is in its tokens."""


def controls(
    cache: Cache,
    data: Path,
    capture_id: str,
    method: Method,
    *,
    how: str,
    seeds: int,
    first: int = 0,
    subject: str | None = None,
    surrogates: int = SURROGATES,
    device: str | None = None,
    allowed: CaptureRequest | None = None,
) -> list[tuple[Plan[CaptureSpec], Plan[DecomposeSpec]]]:
    """(capture, decomposition) of `seeds` random initialisations from seed `first` on; `how`: one of terms.CONTROLS.
    `method`: of the decomposition. `subject`: gives the architecture; by default the capture's subject. `allowed`: a
    request whose permissions hold besides those given before. Raises UsageError for an imported capture, one without a
    recipe, and another architecture."""
    row = load.one(cache, "capture", capture_id)
    (own,) = load.rows(cache, "SELECT * FROM subjects WHERE subject = $1", row["subject"])
    if own["source"] == "import":
        raise UsageError(f"capture {capture_id} was imported and has no architecture", "capture a subject instead")
    if how == terms.CONTROLS[0] and row["replayed"] is not None:
        raise UsageError(f"capture {capture_id} is a replay: it has no free-running control", "take its original")
    asked = _asked(cache, capture_id, how, row).replace(subject=subject or own["place"], device=device)
    if allowed is not None:
        asked = asked.replace(
            allow_pickle=asked.allow_pickle or allowed.allow_pickle,
            allow_remote_code=asked.allow_remote_code or allowed.allow_remote_code,
        )
    out = []
    for seed in [number for number in range(first, first + seeds + 1) if number != own["weights_seed"]][:seeds]:
        one = capture(data, asked.replace(adapter=None, random_weights=True, weights_seed=seed), cache)
        if one.spec.tasks_hash != row["tasks_hash"]:
            raise UsageError(f"the task set {row['tasks']} is no longer what {capture_id} was asked", "capture anew")
        _same_architecture(one.spec.source.geometry, own, row)
        spec = one.spec.replace(control=Control(capture_id, how, seed))
        request = DecomposeRequest(
            method=method, surrogates=surrogates, nulls=(terms.NULLS[0],), device=device, seed=asked.seed
        )
        after = decompose(request, one.units, len(spec.items))
        out.append((dataclasses.replace(one, spec=spec), after))
    return out


def _asked(cache: Cache, capture_id: str, how: str, row: dict[str, Any]) -> CaptureRequest:
    """The request of a capture, as its controls need it."""
    request = asked_for(cache, capture_id)
    if not isinstance(request, CaptureRequest):
        raise UsageError(f"{capture_id} was captured by a version that kept no request", "capture it again")
    (own,) = load.rows(cache, "SELECT * FROM subjects WHERE subject = $1", row["subject"])
    given = {name: getattr(request, name) for name in request.__struct_fields__}
    if how == terms.CONTROLS[1]:
        given = {name: given[name] for name in _OF_A_REPLAY} | {"subject": own["place"], "replay": capture_id}
    allowed = trust.allowed(own["source"], own["place"], own["revision"])
    given |= {"kinds": tuple(row["kind"].split(",")), "chat": row["chat_template"] is not None, "batch": None}
    given |= {f"allow_{name}": value for name, value in allowed.items()}
    return CaptureRequest(**given)


def _same_architecture(geometry: dict[str, Any], own: dict[str, Any], row: dict[str, Any]) -> None:
    """Raises UsageError if the control's known numbers differ from the subject's."""
    mine = {"model_type": own["model_type"], "layers": own["layers"], "heads": own["heads"]}
    mine |= {"parameters": own["parameters"]}
    for name, value in mine.items():
        other = geometry.get(name)
        if value is not None and other is not None and value != other:
            raise UsageError(
                f"a control of {row['capture']} needs its architecture: {name.replace('_', ' ')} {value}, not {other}",
                f"take {own['place']}",
            )
