"""Requests as values: one frozen, validated class for each kind of job. A request has the fields a user sets; its spec
is the request with all that it means found out, and is all that a worker knows.

fields.py     what a field is: options, forms and job folders read and check it there
base.py       Request, Spec: values, JSON, hash, command
method.py     Method: how pairs are decomposed
capture.py, decompose.py, ablate.py, ladder.py, networks.py, claims.py, pull.py   a class of each for every kind
earlier.py    specs of earlier versions
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from synergy_tui.errors import UsageError
from synergy_tui.jobs.specs.ablate import AblateRequest, AblateSpec
from synergy_tui.jobs.specs.base import Request, Spec
from synergy_tui.jobs.specs.capture import CaptureRequest, CaptureSpec
from synergy_tui.jobs.specs.claims import ClaimsRequest, ClaimsSpec
from synergy_tui.jobs.specs.decompose import DecomposeRequest, DecomposeSpec
from synergy_tui.jobs.specs.ladder import LadderRequest, LadderSpec
from synergy_tui.jobs.specs.method import Method
from synergy_tui.jobs.specs.networks import NetworksRequest, NetworksSpec
from synergy_tui.jobs.specs.pull import PullRequest, PullSpec

SPECS: dict[str, type[Spec]] = {
    one.KIND: one for one in (CaptureSpec, DecomposeSpec, AblateSpec, LadderSpec, NetworksSpec, ClaimsSpec, PullSpec)
}
"""Kind of job → its spec."""

FORMAT = 2
"""Of the file of a spec."""


def as_json(spec: Spec) -> dict[str, Any]:
    """A spec for a job's folder."""
    return {"format": FORMAT, "kind": spec.KIND, "spec": spec.to_json()}


def from_json(content: Mapping[str, Any]) -> Spec:
    """What `as_json` gave, or an earlier version's job wrote. Raises UsageError: for a newer format, an unknown kind or
    field, a wrong type, a value out of range."""
    form = content.get("format", 1)
    if not isinstance(form, int) or isinstance(form, bool) or not 1 <= form <= FORMAT:
        raise UsageError(f"format {form!r} is not a whole number from 1 up to {FORMAT}", "update synergy-tui")
    kind = content.get("kind")
    if kind not in SPECS:
        raise UsageError(f"no kind of job {kind!r}", f"known: {', '.join(SPECS)}; or update synergy-tui")
    if form < FORMAT:
        from synergy_tui.jobs.specs.earlier import brought_up

        try:
            content = {"spec": brought_up(str(kind), content)}
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise UsageError(f"a spec of an earlier version lacks {error}", "start the job anew") from None
    found = content.get("spec")
    if not isinstance(found, dict):
        raise UsageError(f"spec {found!r} is not an object", "start the job anew")
    return SPECS[str(kind)].from_json(found)


__all__ = [
    "FORMAT",
    "SPECS",
    "AblateRequest",
    "AblateSpec",
    "CaptureRequest",
    "CaptureSpec",
    "ClaimsRequest",
    "ClaimsSpec",
    "DecomposeRequest",
    "DecomposeSpec",
    "LadderRequest",
    "LadderSpec",
    "Method",
    "NetworksRequest",
    "NetworksSpec",
    "PullRequest",
    "PullSpec",
    "Request",
    "Spec",
    "as_json",
    "from_json",
]
