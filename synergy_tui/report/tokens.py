"""Local synergy and redundancy of a few units in a few responses, so that a report stays small."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from synergy_tui.errors import SynergyError
from synergy_tui.store import load, walk
from synergy_tui.store.cache import Cache
from synergy_tui.store.run import Run, Score
from synergy_tui.terms import RTR, STS

UNITS, PROMPTS = 6, 8
"""Most units and responses that a report follows token by token."""

WORK = 2_000_000
"""Most units × partners × steps: about two seconds of one core."""

STEPS = 400
"""Most tokens of a response that a report shows."""


@dataclass(frozen=True)
class Response:
    """One response. pieces: its tokens as text, empty if there are no words. sts, rtr: by unit, [steps] in nats, NaN
    where there is no value. why: by unit, why it has no values. cut: how many tokens are not shown."""

    prompt: int
    name: str
    category: str
    asked: str
    pieces: list[str]
    sts: dict[int, np.ndarray]
    rtr: dict[int, np.ndarray]
    why: dict[int, str]
    words: bool
    cut: int = 0


@dataclass(frozen=True)
class Tokens:
    """units: the highest of a ranking, then its lowest. missing: why there are no values, or empty."""

    units: tuple[int, ...]
    responses: tuple[Response, ...]
    missing: str = ""


def gather(cache: Cache, run: Run, scores: dict[str, Score], ranking: str, present: Sequence[int]) -> Tokens:
    """The local atoms of the highest and lowest units of a ranking in the first valid responses."""
    units = _units(scores[ranking], present)
    valid = [row for row in walk.responses(cache, run.row["capture"]) if row["valid"]]
    if not units or not valid:
        return Tokens((), (), "There is no valid response, or no unit with a value.")
    each = len(units) * len(present) * min(run.row["steps"] or 1, STEPS)
    chosen = valid[: max(1, min(PROMPTS, WORK // max(each, 1)))]
    try:
        series = load.series(cache, run.row["capture"], [row["prompt"] for row in chosen])
    except SynergyError as error:
        return Tokens((), (), f"{error.what}.")
    found = [_response(row, values.astype(float), run, units) for row, values in zip(chosen, series, strict=True)]
    return Tokens(units, tuple(found))


def _units(score: Score, present: Sequence[int]) -> tuple[int, ...]:
    """Units, two thirds from the top of a score, a third from its bottom."""
    known = [unit for unit in present if np.isfinite(score.shown[unit])]
    order = sorted(known, key=lambda unit: (-score.shown[unit], unit))
    low = min(UNITS // 3, len(order) // 2)
    high = order[: min(UNITS - low, len(order) - low)]
    return (*high, *(order[-low:][::-1] if low else ()))


def _response(row: dict[str, object], series: np.ndarray, run: Run, units: Sequence[int]) -> Response:
    from synergy_tui.phiid.local import local_unit

    said = row["pieces"]
    pieces = [str(one) for one in said] if isinstance(said, list) else []
    steps = int(str(row["steps"]))
    shown = min(steps, STEPS)
    lag = run.row["lag"]
    atoms: dict[str, dict[int, np.ndarray]] = {"sts": {}, "rtr": {}}
    why: dict[int, str] = {}
    for unit in units:
        values = np.full((2, steps), np.nan)
        try:
            local = local_unit(series[:, :steps], unit, run.row["estimator"], run.row["redundancy"], lag)
            count = min(len(local.atoms), steps - lag)
            values[:, lag : lag + count] = local.atoms[:count, [STS, RTR]].T
            if not local.partners:
                reasons = ", ".join(f"{name} {count}" for name, count in local.reasons.items() if count)
                why[unit] = f"no valid pair: {reasons}"
        except SynergyError as error:
            why[unit] = error.what
        atoms["sts"][unit], atoms["rtr"][unit] = values[:, :shown]
    return Response(
        prompt=int(str(row["prompt"])),
        name=str(row["id"] or ""),
        category=str(row["category"] or ""),
        asked=str(row["asked"] or ""),
        pieces=pieces[:shown] or [str(step) for step in range(shown)],
        why=why,
        words=bool(pieces),
        cut=steps - shown,
        **atoms,
    )
