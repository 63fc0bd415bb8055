"""Requests as values: one frozen, validated class for each kind of job. A request has the fields a user sets; its spec
is the request with everything resolved, and is all that a worker knows.

fields.py     what a field is: options, forms and job folders read and check fields there
base.py       Request, Spec: values, JSON, hash, command
method.py     Method: how pairs are decomposed
registry.py   SPECS: the kinds of jobs; files of specs
capture.py, decompose.py, ablate.py, ladder.py, networks.py, geometry.py, claims.py, scores.py, sweep.py, pull.py
              one for each kind
sealed.py     Sealed: a plan written before there are data, its file and its hash
executor.py   Executor: who makes a job's parts
earlier.py    specs of earlier versions
"""

from __future__ import annotations

from synergy_tui.jobs.specs.ablate import AblateRequest, AblateSpec
from synergy_tui.jobs.specs.base import Request, Spec
from synergy_tui.jobs.specs.capture import CaptureRequest, CaptureSpec
from synergy_tui.jobs.specs.claims import ClaimsRequest, ClaimsSpec
from synergy_tui.jobs.specs.decompose import DecomposeRequest, DecomposeSpec
from synergy_tui.jobs.specs.executor import LOCAL, Executor
from synergy_tui.jobs.specs.geometry import GeometryRequest, GeometrySpec
from synergy_tui.jobs.specs.ladder import LadderRequest, LadderSpec
from synergy_tui.jobs.specs.method import Method
from synergy_tui.jobs.specs.networks import NetworksRequest, NetworksSpec
from synergy_tui.jobs.specs.pull import PullRequest, PullSpec
from synergy_tui.jobs.specs.registry import FORMAT, SPECS, as_json, from_json, request_of
from synergy_tui.jobs.specs.scores import ScoresRequest, ScoresSpec
from synergy_tui.jobs.specs.sweep import Cell, SweepRequest, SweepSpec

__all__ = [
    "FORMAT",
    "LOCAL",
    "SPECS",
    "AblateRequest",
    "AblateSpec",
    "CaptureRequest",
    "CaptureSpec",
    "Cell",
    "ClaimsRequest",
    "ClaimsSpec",
    "DecomposeRequest",
    "DecomposeSpec",
    "Executor",
    "GeometryRequest",
    "GeometrySpec",
    "LadderRequest",
    "LadderSpec",
    "Method",
    "NetworksRequest",
    "NetworksSpec",
    "PullRequest",
    "PullSpec",
    "Request",
    "ScoresRequest",
    "ScoresSpec",
    "Spec",
    "SweepRequest",
    "SweepSpec",
    "as_json",
    "from_json",
    "request_of",
]
