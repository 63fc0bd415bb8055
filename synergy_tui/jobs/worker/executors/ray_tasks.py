"""Functions that run in the processes of a Ray cluster. Ray is not imported here: it calls them."""

from __future__ import annotations

import json
import os
import socket
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from synergy_tui import settings
from synergy_tui.jobs.held import Holder

_MAKERS: dict[str, Any] = {}
"""Job → the maker of this process, so that the subject is loaded once."""


class Board:
    """An actor beside the job's worker that knows where each part is being made."""

    def __init__(self) -> None:
        self._at_work: dict[str, dict[str, Any]] = {}

    def begins(self, part: str, holder: dict[str, Any]) -> None:
        """Notes that a part is being made."""
        self._at_work[part] = holder

    def at_work(self) -> dict[str, dict[str, Any]]:
        """Holders by part; some may have ended meanwhile."""
        return self._at_work


def make(key: str, content: str, arrays: dict[str, np.ndarray], part: str, given: str, board: Any) -> dict[str, Any]:
    """A part as {suffix, data, holder, seconds}, or {error}. key: of the job's maker. content: the spec and the JSON
    that goes with the arrays, as JSON."""
    began = time.monotonic()
    holder = asdict(_me())
    board.begins.remote(part, holder)
    from synergy_tui.jobs.worker.executors.making import Deaf, Wanted, told_of

    try:
        made = _maker(key, content, arrays).make(Wanted(part, given=json.loads(given)), Deaf())
    except Exception as error:
        return {"error": told_of(error, holder["host"])}
    data = np.frombuffer(made.data, np.uint8)
    return {"suffix": made.suffix, "data": data, "holder": holder, "seconds": time.monotonic() - began}


def _me() -> Holder:
    import ray

    context = ray.get_runtime_context()
    gpus = ray.get_gpu_ids()
    device = ",".join(f"cuda:{one}" for one in gpus) or "cpu"
    return Holder(f"{socket.gethostname()}/{context.get_node_id()[:6]}", device, os.getpid())


def _maker(key: str, content: str, arrays: dict[str, np.ndarray]) -> Any:
    """The maker of a job in this process. A maker of another job is removed first."""
    if key not in _MAKERS:
        asked = json.loads(content)
        _MAKERS.clear()
        settings.adopt_worker_environment()
        import ray

        from synergy_tui.jobs.specs import from_json
        from synergy_tui.jobs.worker.executors.making import Given, module
        from synergy_tui.phiid import threads

        spec = from_json(asked)
        spec = spec.replace(device="cuda" if ray.get_gpu_ids() else "cpu")
        data = getattr(spec, "data", None)
        if data is not None and not Path(data).is_dir():
            spec = spec.replace(data=str(settings.load().data))
        cores = ray.get_runtime_context().get_assigned_resources().get("CPU", 1)
        threads.limit(max(int(cores), 1))
        _MAKERS[key] = module(asked["kind"]).Maker(spec, Given(arrays, asked["told"]), lambda *_: None)
    return _MAKERS[key]
