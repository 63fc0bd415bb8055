"""Whether the measurements of a subject are what it really does: python -m synergy_tui.jobs.worker.parity REQUEST DATA
STEPS prints the comparison as JSON, and its progress to standard error."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from synergy_tui.capture.generate import check_context, encode
from synergy_tui.capture.parity import TEXTS, Parity, compare
from synergy_tui.errors import SynergyError
from synergy_tui.jobs.devices import choose
from synergy_tui.jobs.specs.pull import CheckRequest
from synergy_tui.subject.loading import load
from synergy_tui.subject.sources import resolve


def main() -> None:
    """Compares, and prints; a failure made for people is printed as JSON too."""
    request = CheckRequest.from_json(json.loads(sys.argv[1]))
    try:
        found = checked(request, Path(sys.argv[2]), int(sys.argv[3]))
    except SynergyError as error:
        print(json.dumps({"what": error.what, "next": error.next_step, "code": error.exit_code}))
        return
    print(json.dumps(found))


def checked(request: CheckRequest, data: Path, steps: int) -> dict[str, Any]:
    """The comparison in float32; if the two differ, in float64 too, to tell rounding from an error."""
    source = resolve(
        request.subject,
        request.revision,
        pickle=request.allow_pickle,
        remote_code=request.allow_remote_code,
        adapter=request.adapter,
    )
    subject = load(source, data, choose(request.device), "float32", lambda name, detail: _tell(f"{name} {detail}"))
    asked = encode(subject, TEXTS, chat=bool(subject.tokenizer.chat_template))
    check_context(subject, asked, [str(number) for number in range(1, len(asked) + 1)], steps)
    found = compare(subject, asked, steps, _tell)
    exact: Parity | None = None
    if not found.holds:
        _tell("once more in float64")
        subject.model.double()
        exact = compare(subject, asked, steps, _tell)
    rounding = exact is not None and exact.holds
    return {
        "subject": source.name,
        "holds": found.holds,
        "rounding": rounding,
        "sentence": found.sentence if not rounding else found.rounded,
        **vars(found),
    }


def _tell(what: str) -> None:
    print(f" {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
