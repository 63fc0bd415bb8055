"""An ablation of a run, finished, under way or stopped → what the ablation view shows."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from synergy_tui.drawing.curves import pair_rows
from synergy_tui.errors import SynergyError
from synergy_tui.explorer.run import Run
from synergy_tui.jobs import parts
from synergy_tui.jobs.folder import ENDED, JobFolder
from synergy_tui.jobs.specs import AblateSpec, Spec
from synergy_tui.terms import INTERVENTIONS, PAIRS


class Curve:
    """One order's divergence over the fraction removed, over its seeds."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.points: dict[float, list[float]] = {0.0: [0.0]}

    def at(self, quantile: float) -> tuple[list[float], list[float]]:
        """Fractions, and the quantile over seeds at each."""
        shares = sorted(self.points)
        return shares, [float(np.nanquantile(self.points[one], quantile)) for one in shares]


@dataclass(frozen=True)
class Result:
    """The shown parts of one ablation: finished, under way, or stopped early. mine: ids of all jobs of this run.
    ranking: the ranking behind its orders. alone [units]: divergence of every unit by itself as far as it is known,
    None without a sweep. pairs: the pairs removed together, as in drawing.curves.pair_rows."""

    run: Run
    shown: str
    curves: list[Curve]
    verdict: str
    title: str
    mine: frozenset[str] = frozenset()
    answers: list[dict[str, Any]] = field(default_factory=list)
    ranking: str = ""
    alone: np.ndarray | None = None
    pairs: list[dict[str, Any]] = field(default_factory=list)


def result(run: Run, jobs: list[tuple[str, str]], place: int) -> Result:
    """The ablation at `place`: the one under way comes first, from its first condition on, then the finished ones, then
    the stopped ones. One that waits or is loading hides none of them: it is reported beside them."""
    from synergy_tui.drawing.predicting import in_one
    from synergy_tui.store import load, walk

    mine = [(one, state) for one, state in jobs if _spec(run, one) is not None]
    ablations = {one["ablation"]: one for one in walk.ablations(run.place.cache, run.place.id)}
    growing = [one for one, state in mine if state not in ENDED and _begun(run, one)]
    coming = [_coming(one, state) for one, state in mine if state not in ENDED and one not in growing]
    stopped = [one for one, state in mine if state in ENDED and one not in ablations and _begun(run, one)]
    every, ids = [*growing, *ablations, *stopped], frozenset(one for one, _ in mine)
    if not every:
        words = "Nothing has been removed from this run yet. Mark units, or take the orders as they are; F5 starts."
        return Result(run, "", [], " ".join(coming) or words, "", ids)
    shown = every[place % len(every)]
    count = f"  {place % len(every) + 1} of {len(every)}  . and ," if len(every) > 1 else ""
    if shown in ablations:
        row = ablations[shown]
        how = "" if row["intervention"] == INTERVENTIONS[0] else f", {row['intervention']}"
        title = f"by {row['ranking']}{how}, {row['prompts']} prompts · {shown}{count}"
        curves, answers = _by_name(walk.curves(run.place.cache, shown)), walk.answers(run.place.cache, shown)
        alone = walk.sweep(run.place.cache, shown, run.units)
        against = in_one(load.comparisons(run.place.cache, shown))
        told = " ".join(one for one in (row["verdict"], against, *coming) if one)
        pairs = pair_rows(walk.pairs_removed(run.place.cache, shown)) if PAIRS in row["orders"] else []
        return Result(run, shown, curves, told, title, ids, answers, row["ranking"], alone, pairs)
    points = _points(run, shown)
    shards = run.place.cache.folder / "jobs" / shown / "shards"
    alone, share = parts.partial_sweep(shards, run.units)
    conditions = len(points) + int(np.isfinite(alone).sum()) + len(list(shards.glob(f"{PAIRS}-*.parquet")))
    sweep = ""
    spec = _spec(run, shown)
    more: dict[str, Any] = {"ranking": spec.ranking if spec is not None else ""}
    if share:
        more |= {"alone": alone}
        most = int(np.nanargmax(alone))
        sweep = f"Single units: {share:.0%} measured, most so far {run.name(most)} with {alone[most]:.3g} nats. "
    if shown in growing:
        title = f"{shown}, growing: {_conditions(conditions)} so far{count}"
        words = f"{sweep}The verdict comes when all are there."
        return Result(run, shown, _by_name(points), words, title, ids, **more)
    words = f"{sweep}Stopped early: this is what it had, without a verdict. F5 in the jobs (J) resumes it."
    words = " ".join([words, *coming])
    title = f"{shown}, stopped: {_conditions(conditions)}{count}"
    return Result(run, shown, _by_name(points), words, title, ids, **more)


def _conditions(count: int) -> str:
    return f"{count} condition{'' if count == 1 else 's'}"


def _coming(job: str, state: str) -> str:
    """The state of an ablation without a condition yet."""
    doing = {"queued": "waits for its turn", "paused": "is paused"}.get(state, "is loading its subject")
    return f"{job} {doing}: its curves come here from the first condition on."


def _spec(run: Run, job: str) -> AblateSpec | None:
    path = run.place.cache.jobs / job
    with contextlib.suppress(SynergyError, OSError):
        spec = _read_spec(path, (path / "spec.json").stat().st_mtime_ns)
        return spec if isinstance(spec, AblateSpec) and spec.decomposition == run.place.id else None
    return None


@lru_cache(256)
def _read_spec(path: Path, changed: int) -> Spec:
    """A job's spec, cached: it lists all units of all conditions and is read at every look."""
    return JobFolder(path).order().spec


def _begun(run: Run, job: str) -> bool:
    return any((run.place.cache.folder / "jobs" / job / "shards").glob("*.parquet"))


def _points(run: Run, job: str) -> list[dict[str, Any]]:
    return [vars(one) for one in parts.partial_curves(run.place.cache.folder / "jobs" / job / "shards")]


def _by_name(points: Sequence[dict[str, Any]]) -> list[Curve]:
    out: dict[str, Curve] = {}
    for one in points:
        name = f"{one['removal_order']} ({one['target']})" if one["target"] else one["removal_order"]
        if np.isfinite(one["divergence"] if one["divergence"] is not None else np.nan):
            out.setdefault(name, Curve(name)).points.setdefault(one["fraction"], []).append(one["divergence"])
    return sorted(out.values(), key=lambda curve: (curve.name.startswith(("random", "layer")), curve.name))
