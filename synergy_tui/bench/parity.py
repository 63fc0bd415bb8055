"""Every architecture of the table, tiny and with random weights: what this tool measures against transformers' own
generation and plain hooks at float32."""

from __future__ import annotations

from typing import Any

PROMPTS = ([1, 2, 3, 4, 5, 6, 7], [9, 8, 7], [20, 21, 22, 23], list(range(40, 90)))
STEPS = 24


def measure() -> dict[str, Any]:
    """By architecture: whether the tokens are the same, and the largest differences, as shares of the largest
    activity."""
    import torch

    from synergy_tui.bench.families import subject_of
    from synergy_tui.capture.parity import compare
    from synergy_tui.subject.families import FAMILIES

    torch.set_num_threads(1)  # these models are small
    out: dict[str, Any] = {}
    for name in sorted(FAMILIES):
        found = compare(subject_of(name), PROMPTS, STEPS)
        row = {"tokens": "identical" if found.tokens else "differ", "activity": found.activity}
        out[name] = row | {"replay": found.replay, "batch": found.batch}
    worst = max(max(row["activity"], row["replay"], row["batch"]) for row in out.values())
    alike = all(row["tokens"] == "identical" for row in out.values())
    return out | {"worst difference": worst, "all tokens identical": alike}
