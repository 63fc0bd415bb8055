"""One score of every head as JSON, in the form that tools for retrieval heads and circuits read.

flat: {"layer-head": value}, with the keys of lists of retrieval heads. nested: {"layer": {"head": value}}. Heads
without a value are left out, because JSON has no NaN. It is one line, because some readers read only the first line.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from synergy_tui.errors import UsageError
from synergy_tui.store.cache import Cache
from synergy_tui.store.run import read


def scores(cache: Cache, decomposition: str, score: str, shape: str) -> dict[str, float] | dict[str, dict[str, float]]:
    """The values that the map shows: rankings scaled to [0, 1], atoms in nats. Raises UsageError for a score that the
    run does not have."""
    run = read(cache, decomposition)
    if score not in run.scores:
        raise UsageError(f"{decomposition} has no score {score!r}", f"it has {', '.join(run.scores)}")
    shown = run.scores[score].shown.reshape(run.shape)
    known = [
        (str(layer), str(unit), float(shown[layer, unit])) for layer, unit in np.argwhere(np.isfinite(shown)).tolist()
    ]
    if shape == "flat":
        return {f"{layer}-{unit}": value for layer, unit, value in known}
    out: dict[str, dict[str, float]] = {}
    for layer, unit, value in known:
        out.setdefault(layer, {})[unit] = value
    return out


def write(cache: Cache, decomposition: str, path: Path, score: str, shape: str) -> None:
    """Writes the scores."""
    path.write_text(json.dumps(scores(cache, decomposition, score, shape)) + "\n", "utf-8")
