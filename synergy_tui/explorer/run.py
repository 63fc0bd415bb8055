"""The cache → one run as arrays. A run is loaded whole except for its pairs, series and responses, which are read when
needed. Everything here may block and is called in threads."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from synergy_tui.drawing.atlas import what
from synergy_tui.drawing.naming import groups
from synergy_tui.drawing.tables import printable
from synergy_tui.store import load
from synergy_tui.store import run as stored
from synergy_tui.store.cache import Cache
from synergy_tui.store.run import Score
from synergy_tui.terms import ATOMS, BASELINES, COUPLED, IMPORTED, MEASURES, RANKINGS, TESTS
from synergy_tui.units import Naming

if TYPE_CHECKING:
    from jaxtyping import Int

    from synergy_tui.jobs.folder import JobFolder


@dataclass(frozen=True)
class Place:
    """Where a run is: the cache and the id of its decomposition. sample: whether it is the shipped one. job: the job
    that is still making it."""

    cache: Cache
    id: str
    sample: bool = False
    job: JobFolder | None = None


@dataclass(frozen=True)
class Run(stored.Run):
    """A decomposition with its place and its scores, rankings first. partial: share of the units known so far, None
    when the run is whole."""

    place: Place
    partial: float | None = None

    @property
    def layers(self) -> int:
        """Layers of the map."""
        return self.shape[0]

    @property
    def per_layer(self) -> int:
        """Places in a layer."""
        return self.shape[1]

    @property
    def unready(self) -> str:
        """Why only its map can be viewed; empty when all of it exists."""
        if self.partial is not None:
            return "This run is still growing: the map (escape) fills in, the rest comes when it is done."
        if not self.place.id:
            return "This is the result of a query, which is a map and nothing more. Choose a run at the left (F2)."
        return ""

    @property
    def of_pairs(self) -> bool:
        """Whether it was imported as a table of pairs: two atoms, and no series."""
        return self.row.get("estimator") == IMPORTED

    @property
    def units(self) -> int:
        """Places of the map; `count` is how many of them have a unit."""
        return self.layers * self.per_layer

    def name(self, unit: int) -> str:
        """A unit's name, or layer.unit."""
        return printable(self.naming.called(unit))

    def place_of(self, unit: int) -> str:
        """A unit's place: group.unit, or layer.unit."""
        return printable(self.naming.place(unit))

    def told(self, unit: int) -> str:
        """A unit's name followed by its place, or only its place."""
        return printable(self.naming.told(unit))

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """The names of the layers; empty if they have only numbers."""
        return groups(self.naming)

    def layer_name(self, layer: int) -> str:
        """A layer's name: its group, or layer 3."""
        return self.groups[layer] if self.groups else f"layer {layer}"

    @property
    def layers_called(self) -> str:
        """The word for its layers."""
        return "groups" if self.groups else "layers"

    @property
    def unit_called(self) -> str:
        """The word for one of its units: head or unit."""
        return what(self.row)[:-1]

    def present(self, units: Iterable[int]) -> frozenset[int]:
        """The places among these that have a unit."""
        there = self.there
        return frozenset(one for one in units if 0 <= one < len(there) and there[one])

    @property
    def rows(self) -> dict[str, Any]:
        """Arguments of a map's Picture about its rows: their names, and which places have a unit."""
        return {"groups": self.groups, "there": self.there.reshape(self.shape) if self.naming.holes else None}

    @cached_property
    def numbers(self) -> Int[np.ndarray, " count"]:
        """Numbers of the existing units."""
        return np.flatnonzero(self.there)

    def next_to(self, unit: int) -> int:
        """The unit after another, the first one after the last."""
        known = self.numbers
        return int(known[np.searchsorted(known, unit, "right") % len(known)]) if len(known) else unit

    def step(self, unit: int, layers: int, units: int, column: int) -> int:
        """The unit some layers and units away from another; it stops at the edges and skips places without a unit.
        column: the place in the layer to stay near to when the layer changes."""
        rows = self.there.reshape(self.shape)
        layer, place = divmod(unit, self.per_layer)
        if layers:
            filled = np.flatnonzero(rows.any(axis=1))
            beyond = filled[filled >= layer + layers] if layers > 0 else filled[filled <= layer + layers][::-1]
            layer = int(beyond[0] if len(beyond) else filled[-1 if layers > 0 else 0])
            place = column
        known = np.flatnonzero(rows[layer])
        at = int(np.argmin(np.abs(known - place)))  # the unit itself, if it exists
        return layer * self.per_layer + int(known[min(max(at + units, 0), len(known) - 1)])

    def values(self) -> dict[str, np.ndarray]:
        """Raw values by score."""
        return {name: one.values for name, one in self.scores.items()}

    @property
    def tested(self) -> bool:
        """Whether units were tested against surrogates; without them, nothing says which units are coupled."""
        return "q" in self.scores and "excess" in self.scores and bool(self.row.get("nulls"))

    def above_null(self) -> np.ndarray:
        """[units] bool: whether a unit is coupled (q below COUPLED) with more synergy than its null; all units if no
        surrogates were drawn."""
        if not self.tested:
            return self.there
        with np.errstate(invalid="ignore"):
            return (self.scores["excess"].values > 0) & (self.scores["q"].values < COUPLED)

    @property
    def null(self) -> str:
        """The null of excess, in words."""
        nulls = self.row.get("nulls") or []
        if not self.tested:
            return "the independence offset, no surrogates"
        return f"{' + '.join(nulls)}, {self.row['surrogates']} draws"

    def profile(self, score: str) -> list[dict[str, Any]]:
        """Mean per layer of what the map shows, with the stored interval if there is one."""
        if score in self.profiles:
            return self.profiles[score]
        shown = self.scores[score].shown.reshape(self.layers, self.per_layer)
        known = np.isfinite(shown)
        sums, counts = np.where(known, shown, 0).sum(axis=1), known.sum(axis=1)
        return [
            {"layer": layer, "value": float(sums[layer] / counts[layer]) if counts[layer] else None, "low": None}
            for layer in range(self.layers)
        ]

    def extremes(self, score: str) -> list[int]:
        """Units with a value, by the distance of their colour from the middle of the scale, the farthest first."""
        found = self.scores[score]
        far = np.abs(found.colour() - (0.5 if found.centre is not None else 0.0))
        return [int(one) for one in np.argsort(-far, kind="stable") if np.isfinite(far[one])]

    def place_in(self, score: str, unit: int) -> tuple[int, int] | None:
        """(place, number of units) of a unit in a score, the highest first; None when it has no value, or the score is
        a p or q."""
        values = self.scores[score].values
        if score in TESTS or not np.isfinite(values[unit]):
            return None
        return int((values > values[unit]).sum()) + 1, int(np.isfinite(values).sum())


def open_run(place: Place) -> Run:
    """Reads a run. Raises UsageError when it no longer exists, CacheError when the cache cannot be read."""
    if place.job is not None:
        return _growing(place, place.job)
    found = stored.read(place.cache, place.id)
    ordered = {name: found.scores[name] for name in _ordered(found.scores)}
    return Run(**vars(found) | {"scores": ordered}, place=place)


def made_score(name: str, values: np.ndarray) -> Score:
    """A score of values from elsewhere, such as a query."""
    nothing = np.full(len(values), np.nan)
    return stored.score(name, {"value": values, "scaled": nothing, "low": nothing, "high": nothing})


def _ordered(names: Any) -> list[str]:
    first = [name for name in (*RANKINGS, *MEASURES, *BASELINES) if name in names]
    atoms = [name for name in ATOMS if name in names]
    return [*first, *sorted(set(names) - set(first) - set(atoms)), *atoms]


def _growing(place: Place, job: JobFolder) -> Run:
    """A map of the finished parts of a running job."""
    # Not at the top: pyarrow and msgspec take 0.1 s that a finished run does not need.
    from synergy_tui.jobs import parts
    from synergy_tui.jobs.specs import CaptureSpec, DecomposeSpec

    spec, status = job.order().spec, job.status()
    of: dict[str, Any] = {"capture": job.id, "estimator": "", "redundancy": "", "lag": ""}
    naming = None
    if isinstance(spec, CaptureSpec):
        geometry = spec.source.geometry
        layers, per_layer = parts.captured_shape(job.shards) or (geometry["layers"], geometry["heads"])
        name, tasks, prompts, steps = spec.source.name, spec.task_set, len(spec.items), spec.steps
    else:
        assert isinstance(spec, DecomposeSpec)
        method = spec.method
        of = {"capture": spec.capture, "estimator": method.estimator, "redundancy": method.redundancy}
        of["lag"] = method.lag
        capture = load.one(place.cache, "capture", spec.capture)
        layers, per_layer = capture["layers"], capture["units_per_layer"]
        naming = load.naming(place.cache, spec.capture)
        (subject,) = load.rows(place.cache, "SELECT name FROM subjects WHERE subject = $1", capture["subject"])
        name, tasks, prompts, steps = subject["name"], capture["tasks"], capture["prompts"], capture["steps"]
    means, share = parts.partial_map(job.shards, spec.KIND, layers * per_layer)
    scores = {score: made_score(score, value) for score, value in means.items()}
    row = {
        "name": name,
        "tasks": tasks,
        "prompts": prompts,
        "steps": steps,
        "valid_prompts": None,
        **of,
        "state": status["state"],
        "layers": layers,
        "units_per_layer": per_layer,
    }
    return unfinished(place, row, scores, share, naming)


def unfinished(
    place: Place,
    row: dict[str, Any],
    scores: dict[str, Score],
    partial: float | None = None,
    naming: Naming | None = None,
) -> Run:
    """A map without a stored run behind it: of a running job, or of a query. row: has layers and units_per_layer."""
    nothing: dict[str, Any] = {"profiles": {}, "contrasts": {}, "surrogate_contrasts": {}, "tests": {}}
    nothing |= {"null_runs": [], "lengths": [], "confounds": {}, "geometry": []}
    naming = naming or Naming(row["layers"], row["units_per_layer"])
    return Run(row, scores, **nothing, naming=naming, place=place, partial=partial)
