"""python -m synergy_tui.jobs.worker.pull: fetches the subject named on stdin, answers on stdout."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from synergy_tui.errors import SubjectError
from synergy_tui.jobs.specs import PullSpec, from_json
from synergy_tui.subject import builtin
from synergy_tui.subject.loading import convert, snapshot
from synergy_tui.subject.manifest import BUILT_IN


def main() -> None:
    """Prints {"folder": …} or {"error": [what, next step]}."""
    spec = from_json(json.load(sys.stdin))
    assert isinstance(spec, PullSpec)
    source = spec.source

    def report(name: str, detail: str) -> None:
        print(f" {name:<9} {detail}", file=sys.stderr, flush=True)

    try:
        if source.kind == "built-in":
            folder = builtin.obtain(BUILT_IN[source.place], Path(spec.data), report, convert)
        else:
            report("fetch", f"{source.place} from the hub")
            folder = snapshot(source)
    except SubjectError as error:
        print(json.dumps({"error": [error.what, error.next_step]}))
        return
    print(json.dumps({"folder": str(folder)}))


if __name__ == "__main__":
    main()
