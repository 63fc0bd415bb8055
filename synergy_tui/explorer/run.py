"""The cache → one run as arrays. A run is loaded whole but for its pairs, series and responses, which are read when
somebody looks at them. Everything here may block and is called in threads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from synergy_tui.jobs.folder import JobFolder
from synergy_tui.jobs.specs import CaptureSpec, DecomposeSpec
from synergy_tui.store import load, walk
from synergy_tui.store.cache import Cache
from synergy_tui.terms import ATOMS, COUPLED, MEASURES, RANKINGS, TESTS


@dataclass(frozen=True)
class Place:
    """Where a run is: the cache and the id of its decomposition. sample: whether it is the shipped one. job: the job
    that is making it, while it is not there yet."""

    cache: Cache
    id: str
    sample: bool = False
    job: JobFolder | None = None


@dataclass(frozen=True)
class Score:
    """One number per unit. values [units]: as stored, nats for atoms. shown [units]: what the map colours, which is the
    scaled value of a ranking. low, high [units]: 95 % interval of what is shown, NaN where there is none.
    centre: the value the colours part at, None for a scale without a middle. kind: ranking, atom or measure."""

    name: str
    kind: str
    values: np.ndarray
    shown: np.ndarray
    low: np.ndarray
    high: np.ndarray
    centre: float | None

    @property
    def unit(self) -> str:
        """What it is counted in."""
        plain = self.name in ATOMS or self.name in ("tdmi", "offset", "excess", "difference", "divergence")
        return "nats" if plain and self.kind != "ranking" else ""

    @property
    def known(self) -> np.ndarray:
        """What is shown, without what is missing."""
        return self.shown[np.isfinite(self.shown)]

    def colour(self) -> np.ndarray:
        """[units] in [0, 1]: place on the colour scale, NaN where there is no value."""
        known = self.known
        if not len(known):
            return np.full(len(self.shown), np.nan)
        if self.kind == "ranking":
            return self.shown  # scaled already
        if self.centre is not None:
            reach = float(np.abs(known - self.centre).max()) or 1.0
            return 0.5 + (self.shown - self.centre) / (2 * reach)
        span = float(known.max() - known.min())
        return (self.shown - known.min()) / span if span else np.where(np.isfinite(self.shown), 0.5, np.nan)


@dataclass(frozen=True)
class Run:
    """A decomposition with all its scores. row: decomposition, capture and subject in one. scores by name, rankings
    first. profiles: ranking → rows of layer, value, low, high. partial: share of the units known so far, None when the
    run is whole."""

    place: Place
    row: dict[str, Any]
    layers: int
    per_layer: int
    scores: dict[str, Score]
    profiles: dict[str, list[dict[str, Any]]]
    contrasts: dict[str, dict[str, Any]]
    confounds: dict[str, float | None]
    partial: float | None = None

    @property
    def unready(self) -> str:
        """Why only its map can be looked at; empty when all of it is there."""
        if self.partial is not None:
            return "This run is still growing: the map (escape) fills in, the rest comes when it is done."
        if not self.place.id:
            return "This is the result of a query, which is a map and nothing more. Choose a run at the left (F2)."
        return ""

    @property
    def units(self) -> int:
        """Units in all."""
        return self.layers * self.per_layer

    def name(self, unit: int) -> str:
        """A unit as people name it: layer.unit."""
        return f"{unit // self.per_layer}.{unit % self.per_layer}"

    def values(self) -> dict[str, np.ndarray]:
        """Raw values by score."""
        return {name: one.values for name, one in self.scores.items()}

    @property
    def tested(self) -> bool:
        """Whether units were tested against surrogates: without, nothing says which of them are coupled."""
        return "q" in self.scores and "excess" in self.scores and bool(self.row.get("nulls"))

    def above_null(self) -> np.ndarray:
        """[units] bool: whether a unit is coupled (q below COUPLED) with more synergy than its null; all of them where
        no surrogates were drawn."""
        if not self.tested:
            return np.ones(self.units, bool)
        with np.errstate(invalid="ignore"):
            return (self.scores["excess"].values > 0) & (self.scores["q"].values < COUPLED)

    @property
    def null(self) -> str:
        """What excess is against, in words."""
        nulls = self.row.get("nulls") or []
        if not self.tested:
            return "the independence offset, no surrogates"
        return f"{' + '.join(nulls)}, {self.row['surrogates']} draws"

    def profile(self, score: str) -> list[dict[str, Any]]:
        """Mean per layer of what the map shows, with the stored interval where there is one."""
        if score in self.profiles:
            return self.profiles[score]
        shown = self.scores[score].shown.reshape(self.layers, self.per_layer)
        known = np.isfinite(shown)
        sums, counts = np.where(known, shown, 0).sum(axis=1), known.sum(axis=1)
        return [
            {"layer": layer, "value": float(sums[layer] / counts[layer]) if counts[layer] else None, "low": None}
            for layer in range(self.layers)
        ]

    def place_in(self, score: str, unit: int) -> tuple[int, int] | None:
        """(place, of how many) of a unit in a score, the highest first; None when it has no value, or is a p or q."""
        values = self.scores[score].values
        if score in TESTS or not np.isfinite(values[unit]):
            return None
        return int((values > values[unit]).sum()) + 1, int(np.isfinite(values).sum())


def open_run(place: Place) -> Run:
    """Raises UsageError when it is no longer there, CacheError when the cache cannot be read."""
    if place.job is not None:
        return _growing(place, place.job)
    found = walk.run(place.cache, place.id)
    row = found["run"]
    scores = {}
    for name in _ordered(found["scores"]):
        scores[name] = _score(name, found["scores"][name])
    return Run(
        place,
        row,
        row["layers"],
        row["units_per_layer"],
        scores,
        found["profiles"],
        found["contrasts"],
        found["confounds"],
    )


def _score(name: str, columns: dict[str, np.ndarray]) -> Score:
    value, scaled = columns["value"], columns["scaled"]
    if np.isfinite(scaled).any():
        known = scaled[np.isfinite(scaled)]
        return Score(name, "ranking", value, scaled, columns["low"], columns["high"], float(known.mean()))
    nothing = np.full(len(value), np.nan)
    known = value[np.isfinite(value)]
    # Where both signs occur, zero is what the colours part at.
    centre = 0.0 if len(known) and known.min() < 0 < known.max() else None
    low, high = (columns["low"], columns["high"]) if name == "divergence" else (nothing, nothing)
    return Score(name, "atom" if name in ATOMS else "measure", value, value, low, high, centre)


def made_score(name: str, values: np.ndarray) -> Score:
    """A score of values that come from elsewhere, as a query."""
    nothing = np.full(len(values), np.nan)
    return _score(name, {"value": values, "scaled": nothing, "low": nothing, "high": nothing})


def _ordered(names: Any) -> list[str]:
    first = [name for name in (*RANKINGS, *MEASURES) if name in names]
    atoms = [name for name in ATOMS if name in names]
    return [*first, *sorted(set(names) - set(first) - set(atoms)), *atoms]


def _growing(place: Place, job: JobFolder) -> Run:
    """A map of what a running job has finished."""
    spec, status = job.order().spec, job.status()
    of: dict[str, Any] = {"capture": job.id, "estimator": "", "redundancy": "", "lag": ""}
    if isinstance(spec, CaptureSpec):
        geometry = spec.source.geometry
        layers, per_layer = walk.captured_shape(job.shards) or (geometry["layers"], geometry["heads"])
        name, tasks, prompts, steps = spec.source.name, spec.task_set, len(spec.items), spec.steps
    else:
        assert isinstance(spec, DecomposeSpec)
        method = spec.method
        of = {"capture": spec.capture, "estimator": method.estimator, "redundancy": method.redundancy}
        of["lag"] = method.lag
        capture = load.one(place.cache, "capture", spec.capture)
        layers, per_layer = capture["layers"], capture["units_per_layer"]
        (subject,) = load.rows(place.cache, "SELECT name FROM subjects WHERE subject = $1", capture["subject"])
        name, tasks, prompts, steps = subject["name"], capture["tasks"], capture["prompts"], capture["steps"]
    means, share = walk.partial_map(job.shards, spec.KIND, layers * per_layer)
    scores = {score: made_score(score, value) for score, value in means.items()}
    row = {
        "name": name,
        "tasks": tasks,
        "prompts": prompts,
        "steps": steps,
        "valid_prompts": None,
        **of,
        "state": status["state"],
    }
    return Run(place, row, layers, per_layer, scores, {}, {}, {}, share)
