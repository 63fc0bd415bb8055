"""A subject → its files on this disk. Fetching and converting load torch, so they run in a process of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from synergy_tui.errors import SubjectError
from synergy_tui.jobs.specs import as_json
from synergy_tui.jobs.specs.pull import PullRequest, PullSpec
from synergy_tui.settings import worker_environment
from synergy_tui.subject.sources import local, resolve


def pull(request: PullRequest, data: Path, cache: Path, quiet: bool = False) -> str:
    """The folder of the subject, fetched if it was not there. quiet: prints nothing meanwhile. Raises SubjectError when
    it cannot be fetched."""
    source = resolve(request.subject, request.revision, pickle=request.allow_pickle)
    if source.kind in ("zoo", "folder", "gguf"):
        return str(local(source))
    asked = {name: getattr(request, name) for name in request.__struct_fields__}
    spec = PullSpec(**asked, source=source, data=str(data))
    got = subprocess.run(
        [sys.executable, "-m", "synergy_tui.jobs.worker.pull"],
        input=json.dumps(as_json(spec)),
        stdout=subprocess.PIPE,  # its progress goes straight to stderr
        stderr=subprocess.DEVNULL if quiet else None,
        text=True,
        env=worker_environment(cache),
    )
    try:
        answer = json.loads(got.stdout)
    except ValueError:
        raise SubjectError(f"{source.name} was not fetched: exit status {got.returncode}", "try again") from None
    if "error" in answer:
        raise SubjectError(*answer["error"])
    return str(answer["folder"])
