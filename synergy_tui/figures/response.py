"""A response with the local atoms of a unit or a pair, step by step, as drawn here and in the explorer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from synergy_tui.store.cache import Cache


class Response(NamedTuple):
    """One response with the local atoms of the selected unit or pair. atoms [steps, 16]: nats, NaN where there is no
    value. why: why they are missing. words: whether its pieces are words: imported series have no words."""

    asked: str
    category: str
    pieces: list[str]
    atoms: np.ndarray
    partners: int
    why: str
    words: bool = True


def read(cache: Cache, row: Mapping[str, Any], unit: int, partner: int | None, prompt: int) -> Response:
    """The response to a prompt. row: of the decomposition with its capture, as in store.run.row_of. partner: None for
    the unit with all its partners."""
    from synergy_tui.errors import SynergyError
    from synergy_tui.phiid.local import local_pair, local_unit
    from synergy_tui.store import walk

    found = next((one for one in walk.responses(cache, row["capture"]) if one["prompt"] == prompt), None)
    if found is None:
        return Response("", "", [], np.full((0, 16), np.nan), 0, "this prompt has no response")
    # Imported series have steps and no words.
    pieces = list(found["pieces"] or [f"{step} " for step in range(found["steps"])])
    series = walk.series_of_prompt(cache, row["capture"], prompt)
    atoms, partners, why = np.full((len(pieces), 16), np.nan), 0, ""
    how = (row["estimator"], row["redundancy"], row["lag"])
    try:
        local = local_unit(series, unit, *how) if partner is None else local_pair(series[unit], series[partner], *how)
        count = min(len(local.atoms), len(atoms) - row["lag"])
        atoms[row["lag"] : row["lag"] + count] = local.atoms[:count]
        partners = local.partners
        if not partners:
            why = "no valid pair: " + ", ".join(f"{name} {count}" for name, count in local.reasons.items() if count)
    except SynergyError as error:
        why = error.what
    if not found["valid"]:
        why = f"this response has {found['steps']} steps and is left out of the analysis"
    words = bool(found["pieces"])
    return Response(found["asked"] or "", found["category"] or "", pieces, atoms, partners, why, words)
