"""A scores job: a capture's own responses replayed → what attention patterns and gradients say about its units, one
shard per prompt; and whether synergy predicts the worth of a unit alone better, if that was measured."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from synergy_tui.ablation import first_order
from synergy_tui.ablation.first_order import Slopes
from synergy_tui.analysis import importance
from synergy_tui.analysis.scores import mean_over
from synergy_tui.capture.attention import patterns
from synergy_tui.jobs import parts
from synergy_tui.jobs.folder import JobFolder
from synergy_tui.jobs.parts import Content
from synergy_tui.jobs.rankings import rankings
from synergy_tui.jobs.specs import ScoresSpec
from synergy_tui.jobs.tables import table
from synergy_tui.jobs.worker.comparing import Removal, Scored, comparisons
from synergy_tui.jobs.worker.executors.crew import Crew
from synergy_tui.jobs.worker.executors.making import Given, Hearing, Report, Wanted
from synergy_tui.jobs.worker.progress import Progress
from synergy_tui.jobs.worker.record import recipes, versions
from synergy_tui.jobs.worker.subjects import captured_subject
from synergy_tui.store import load
from synergy_tui.store.cache import Cache
from synergy_tui.store.publish import publish_scores
from synergy_tui.subject.sites import Units
from synergy_tui.terms import BASELINES, PATTERNS, column


def gather(cache: Cache, spec: ScoresSpec) -> Given:
    """The capture's row, and the tokens to replay."""
    capture, texts = load.one(cache, "capture", spec.capture), load.replayable(cache, spec.capture)
    tokens = {str(one): [texts[one]["asked"], texts[one]["answered"]] for one in spec.replayed}
    return Given(told={"subject": capture["subject"], "dtype": capture["dtype"], "tokens": tokens})


class Maker:
    """The subject of a capture. Each prompt is a part."""

    def __init__(self, spec: ScoresSpec, given: Given, report: Report) -> None:
        """Raises SubjectError."""
        self.subject = captured_subject(spec, given.told, spec.dtype or given.told["dtype"], report)
        self.units, self.tokens = self.subject.units(spec.kinds), given.told["tokens"]

    def make(self, wanted: Wanted, hearing: Hearing) -> Content:
        """The scores on one prompt."""
        asked, answered = self.tokens[str(wanted.given["prompt"])]
        seen = patterns(self.subject, self.units.sites, asked, answered)
        hearing.check()
        felt = first_order.slopes(self.subject, self.units, asked, answered).arrays()
        return parts.of_arrays(felt | {f"pattern.{n}": one.numpy() for n, one in seen.items()})


def work(job: JobFolder, spec: ScoresSpec, progress: Progress, crew: Crew | None = None) -> None:
    """Has every missing prompt measured, publishes."""
    crew = crew or Crew(job, progress)
    cache = Cache.open(job.cache, on_wait=progress.waits)
    capture = load.one(cache, "capture", spec.capture)
    layer_of = load.layers_of_units(cache, spec.capture)
    crew.begin(sys.modules[__name__], spec, gather(cache, spec))
    crew.make(
        [Wanted(_shard(prompt), given={"prompt": prompt}) for prompt in spec.replayed],
        lambda name: parts.read_arrays(job, name) is not None,
        name="scores",
        total=len(spec.replayed),
        unit="prompts",
        detail=f"{len(spec.replayed)} prompts, each with attention and one backward pass",
        share=(0.1, 0.95),
    )
    units = crew.maker.units
    progress.stage("publish", share=(0.95, 1.0))
    values = _values(job, spec, units)
    rows = {
        "scorings": [
            {
                "scoring": job.id,
                "capture": spec.capture,
                "prompts": len(spec.replayed),
                "dtype": spec.dtype,
                "reasons": _reasons(units, values, list(layer_of)),
                "versions": versions("torch", "transformers", "scipy"),
            }
        ],
        "capture_scores": _unit_rows(job.id, spec, values, list(layer_of)),
        "capture_score_prompts": _prompt_rows(job.id, spec, values, list(layer_of)),
        "ablation_comparisons": _compared(cache, job.id, spec, capture, values, layer_of),
        "recipes": recipes(job.id, spec),
    }
    publish_scores(cache, job.id, rows)


def _shard(prompt: int) -> str:
    return f"prompt-{prompt:05d}"


def _values(job: JobFolder, spec: ScoresSpec, units: Units) -> dict[str, np.ndarray]:
    """Score → [units, prompts] at each place of the map. Shards are read twice and one at a time, because those of
    experts are large."""

    def shards() -> Iterator[dict[str, np.ndarray]]:
        for prompt in spec.replayed:
            found = parts.read_arrays(job, _shard(prompt))
            if found is None:
                raise OSError(f"shard {_shard(prompt)} was there and is gone")
            yield found

    mean = first_order.means(Slopes.of(one) for one in shards())
    out = {name: np.full((units.layers * units.per_layer, len(spec.replayed)), np.nan) for name in BASELINES}
    for place, one in enumerate(shards()):
        for name, values in first_order.scores(units, mean, Slopes.of(one)).items():
            out[name][:, place] = values
        for number, (site, start) in enumerate(zip(units.sites, units.starts, strict=True)):
            first = site.layer * units.per_layer + start
            for name, values in zip(PATTERNS, one.get(f"pattern.{number}", ()), strict=False):
                out[name][first : first + site.units, place] = values
    return out


def _reasons(units: Units, values: dict[str, np.ndarray], there: list[int]) -> dict[str, str]:
    """Score → why units lack it."""
    others = [kind for kind in units.kinds if kind != "head"]
    heads = [one for one in there if units.kind_of.ravel()[one] == "head"]
    silent = bool(heads) and not np.isfinite(values["attention-entropy"][heads]).any()
    out = {}
    for name in PATTERNS:
        reasons = [f"units of the kind {kind} attend to nothing by themselves" for kind in others]
        if silent:
            reasons.append("its attention does not say its weights")
        elif heads and not np.isfinite(values[name][heads]).any():
            reasons.append("no step of any response has such a position")
        if reasons:
            out[name] = "; ".join(reasons)
    unheard = [one for one in there if not np.isfinite(values["attribution"][one]).any()]
    if unheard:
        out |= dict.fromkeys(BASELINES[len(PATTERNS) :], f"{len(unheard)} units were chosen at no step")
    return out


def _unit_rows(scoring: str, spec: ScoresSpec, values: dict[str, np.ndarray], there: list[int]) -> pa.Table:
    tables = []
    for name in BASELINES:
        mine = values[name][there]
        low, high = _interval(mine, spec.seed)
        many = len(there)
        tables.append(
            table(
                scoring=[scoring] * many,
                capture=[spec.capture] * many,
                unit_index=np.array(there),
                score=[name] * many,
                value=mean_over(mine, axis=1),
                low=low,
                high=high,
            )
        )
    return pa.concat_tables(tables)


def _interval(values: np.ndarray, seed: int) -> np.ndarray:
    """[2, units]: over the prompts with values; units that lack a value on some of these have no interval."""
    out = np.full((2, len(values)), np.nan)
    prompts = np.isfinite(values).any(axis=0)
    whole = np.isfinite(values[:, prompts]).all(axis=1)
    if prompts.any() and whole.any():
        out[:, whole] = importance.mean_interval(values[np.ix_(whole, prompts)], seed)
    return out


def _prompt_rows(scoring: str, spec: ScoresSpec, values: dict[str, np.ndarray], there: list[int]) -> pa.Table:
    many = len(spec.replayed) * len(there)
    columns: dict[str, Any] = {column(name): values[name][there].T.ravel() for name in BASELINES}
    return table(
        scoring=[scoring] * many,
        capture=[spec.capture] * many,
        prompt=np.repeat(spec.replayed, len(there)),
        unit_index=np.tile(there, len(spec.replayed)),
        **columns,
    )


def _compared(
    cache: Cache,
    scoring: str,
    spec: ScoresSpec,
    capture: dict[str, Any],
    values: dict[str, np.ndarray],
    layer_of: dict[int, int],
) -> list[dict[str, Any]]:
    """Rows of ablation_comparisons for every ablation of the capture that measured each unit alone."""
    shape = (capture["layers"], capture["units_per_layer"])
    scored, rows = Scored(scoring, spec.replayed, values), []
    for one in load.removals(cache, spec.capture):
        prompts, divergence = load.removal(cache, one["ablation"], shape[0] * shape[1])
        known = rankings(cache, one["decomposition"], shape, prompts if one["held_out"] else ())
        ranking = one["ranking"]
        removal = Removal(one["ablation"], ranking, one["held_out"], prompts, divergence, known[ranking])
        rows += comparisons(removal, scored, layer_of, spec.seed)
    return rows
