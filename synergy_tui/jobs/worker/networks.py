"""A networks job: a decomposition's series → pair values of every prompt → graphs of synergy and redundancy, of the
data, of surrogates and of prompts drawn again; one shard per null for each of the three."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from synergy_tui.analysis import networks
from synergy_tui.analysis.scores import mean_over
from synergy_tui.errors import MeasureError
from synergy_tui.jobs import parts
from synergy_tui.jobs.folder import JobFolder
from synergy_tui.jobs.specs import Method, NetworksSpec
from synergy_tui.jobs.worker.progress import Progress
from synergy_tui.jobs.worker.record import recipes, versions
from synergy_tui.phiid.engine import PairEngine
from synergy_tui.phiid.nulls import NullEngine
from synergy_tui.phiid.preparation import parse, preprocess
from synergy_tui.store import load
from synergy_tui.store.cache import Cache
from synergy_tui.store.publish import publish_networks
from synergy_tui.terms import METHOD, RTR, STS

ATOMS = {"sts": STS, "rtr": RTR}

AT_ONCE = 20
"""Replicates of a shard."""


def work(job: JobFolder, spec: NetworksSpec, progress: Progress) -> None:
    """Measures missing shards, publishes."""
    cache = Cache.open(job.cache, on_wait=progress.waits)
    row = load.one(cache, "decomposition", spec.decomposition)
    # A level of a ladder has only some prompts of its capture.
    asked = """SELECT prompt, category FROM responses r LEFT JOIN prompts p USING (capture, prompt)
        WHERE capture = $1 AND valid AND (prompt IN (SELECT prompt FROM unit_prompts WHERE decomposition = $2)
        OR NOT EXISTS (FROM unit_prompts WHERE decomposition = $2)) ORDER BY prompt"""
    responses = load.rows(cache, asked, spec.capture, spec.decomposition)
    raw = load.series(cache, spec.capture, [one["prompt"] for one in responses])
    categories = np.unique(np.array([one["category"] or "" for one in responses]), return_inverse=True)[1]
    # Places without a unit are not nodes of the graphs.
    places = "SELECT unit_index FROM units WHERE capture = $1 ORDER BY unit_index"
    raw = raw[:, [one["unit_index"] for one in load.rows(cache, places, spec.capture)]]
    series = preprocess(raw, words) if (words := parse(row["preprocess"])) else raw
    method = Method.of(row).arithmetic()

    units, rows = series.shape[1], []
    contrasts: list[dict[str, Any]] = []
    negative: dict[str, int] = {}
    ran = []
    for place, null in enumerate(spec.nulls):
        try:
            engine = NullEngine(series, null, spec.seed, categories, **method)
        except MeasureError as error:
            print(f"{null} cannot be run: {error}", flush=True)
            continue
        ran.append(null)
        found = _Null(job, spec, progress, engine, method, units)
        began, share = 0.95 * place / len(spec.nulls), 0.95 / len(spec.nulls)
        data, drawn, again = found.all(began, share)
        negative = negative or found.negative
        prompts = len(found.series)
        rows += _measures(data, drawn, again, null, found.edges, prompts)
        contrasts += _contrasts(data, drawn, again, null, prompts)
    if not ran:
        raise MeasureError("no null can be run on these responses", "capture more prompts, or longer responses")
    head = {
        "network": job.id,
        "decomposition": spec.decomposition,
        "capture": spec.capture,
        "nulls": ran,
        "draws": spec.draws,
        "replicates": spec.replicates,
        "negative_sts": negative["sts"],
        "negative_rtr": negative["rtr"],
        "prompts": len(series),
        "seed": spec.seed,
        "versions": versions("igraph", "jax", "numpy", "scipy"),
    }
    progress.stage("publish", share=(0.97, 1.0))
    publish_networks(
        cache,
        job.id,
        {
            "networks": [head],
            "network_measures": pa.Table.from_pylist([{"network": job.id} | one for one in rows]),
            "network_contrasts": pa.Table.from_pylist([{"network": job.id} | one for one in contrasts]),
            "recipes": recipes(job.id, spec),
        },
    )


class _Null:
    """The series as one null takes it, and the measures of its graphs: [·, atoms, densities, measures]."""

    def __init__(
        self,
        job: JobFolder,
        spec: NetworksSpec,
        progress: Progress,
        engine: NullEngine,
        method: dict[str, Any],
        units: int,
    ) -> None:
        self.job, self.spec, self.progress, self.null = job, spec, progress, engine.null
        self.engine, self.method, self.units = engine, method, units
        self.series = engine.series[engine.used]
        self.pairs = np.stack(np.triu_indices(units, 1), axis=1)
        self.negative: dict[str, int] = {}
        self.edges: dict[str, np.ndarray] = {}

    def all(self, began: float, share: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Measures of the data [1, …], of surrogates [draws, …] and of replicates [replicates, …]."""
        prompts, draws, replicates = len(self.series), self.spec.draws, self.spec.replicates
        told = f"{len(self.pairs):,} pairs × {prompts} prompts, as {self.null} takes them"
        self.progress.stage("prompts", prompts, "prompts", told, (began, began + 0.1 * share))
        values = self._by_prompt()
        data = self._measured(mean_over(values, axis=0))[None]
        ends = (began + 0.1 * share, began + 0.25 * share)
        self.progress.stage("surrogates", draws, "draws", f"{draws} of {self.null}", ends)
        drawn = self._kept("draws", 0, draws, self._drawn)
        told = f"{replicates} replicates of the prompts"
        self.progress.stage("graphs", replicates, "replicates", told, (began + 0.25 * share, began + share))
        chance = np.random.default_rng([self.spec.seed, 1])
        weights = chance.multinomial(prompts, np.full(prompts, 1 / prompts), size=replicates)
        again = [
            self._kept(
                "again", first, min(AT_ONCE, replicates - first), lambda some: self._again(values, some), weights
            )
            for first in range(0, replicates, AT_ONCE)
        ]
        return data, drawn, np.concatenate(again)

    def _by_prompt(self) -> np.ndarray:
        """sts and rtr of every pair in every prompt [prompts, 2, pairs], float32."""
        out = np.full((len(self.series), len(ATOMS), len(self.pairs)), np.nan, np.float32)
        for prompt in range(len(self.series)):
            # All have one shape, so that one compilation serves all.
            engine = PairEngine(self.series[prompt : prompt + 1], **self.method)
            mean = np.concatenate([block.mean for block in engine.blocks()])
            out[prompt] = mean[:, list(ATOMS.values())].T
            self.progress.advance()
        if not np.isfinite(out).any():
            raise MeasureError("no pair is valid in any prompt", "capture longer responses")
        return out

    def _drawn(self, _: np.ndarray) -> Iterator[np.ndarray]:
        engine = self.engine
        for one in engine.draws(self.spec.draws):
            blocks = [engine.engine.block(k, one.windows, keep_prompts=False).mean for k in range(len(engine))]
            yield self._measured(np.concatenate(blocks)[:, list(ATOMS.values())].T)

    def _again(self, values: np.ndarray, weights: np.ndarray) -> Iterator[np.ndarray]:
        """Means over prompts drawn with replacement. From a single prompt nothing can be drawn."""
        shape, prompts = values.shape[1:], values.reshape(len(values), -1)
        known = np.isfinite(prompts)
        filled, counted = np.where(known, prompts, np.float32(0)), known.astype(np.float32)
        enough = known.any(axis=1).sum() > 1
        for one in weights.astype(np.float32):
            count = one @ counted
            nothing = np.full(len(count), np.nan, np.float32)
            mean = np.divide(one @ filled, count, out=nothing, where=(count > 0) & enough)
            yield self._measured(mean.reshape(shape))

    def _measured(self, values: np.ndarray) -> np.ndarray:
        """[atoms, densities, measures] of the graphs of pair values [atoms, pairs]."""
        out = []
        for name, one in zip(ATOMS, values, strict=True):
            found = networks.graphs(self.pairs, one.astype(np.float64), self.units, self.spec.seed)
            self.negative.setdefault(name, found.negative)
            self.edges.setdefault(name, found.edges)
            out.append(found.measures)
        return np.stack(out)

    def _kept(self, name: str, first: int, count: int, made: Any, weights: np.ndarray | None = None) -> np.ndarray:
        """The shard with these rows, made if it is missing."""
        shape = (count, len(ATOMS), len(networks.DENSITIES), len(networks.MEASURES))
        # Shards of an earlier method come from other data.
        shard = f"{self.null}-{name}-{first:04d}-m{METHOD}"
        if (kept := parts.read(self.job, shard)) is not None and len(kept) == np.prod(shape):
            self.progress.skip(count)
            return kept["value"].to_numpy().reshape(shape)
        out = np.empty(shape)
        for place, one in enumerate(made(np.empty(0) if weights is None else weights[first : first + count])):
            out[place] = one
            self.progress.advance()
        parts.write(self.job, shard, pa.table({"value": out.ravel()}))
        return out


def _measures(
    data: np.ndarray, drawn: np.ndarray, again: np.ndarray, null: str, edges: dict[str, np.ndarray], prompts: int
) -> list[dict[str, Any]]:
    rows = []
    for a, atom in enumerate(ATOMS):
        for d, density in enumerate(networks.DENSITIES):
            for m, measure in enumerate(networks.MEASURES):
                one = networks.difference(data[0, a, d, m], drawn[:, a, d, m], again[:, a, d, m], prompts)
                found = {"null_name": null, "atom": atom, "density": density, "measure": measure}
                known = drawn[np.isfinite(drawn[:, a, d, m]), a, d, m]
                found |= {"edges": int(edges[atom][d]), "value": one.raw, "corrected": one.value}
                found |= {"low": one.low, "high": one.high}
                found |= {"surrogate_mean": known.mean() if len(known) else float("nan")}
                found |= {"surrogate_sd": known.std(ddof=1) if len(known) > 1 else float("nan")}
                rows.append({key: None if value != value else value for key, value in found.items()})
    return rows


def _contrasts(data: np.ndarray, drawn: np.ndarray, again: np.ndarray, null: str, prompts: int) -> list[dict[str, Any]]:
    rows = []
    mine, theirs, others = (networks.contrasts(one) for one in (data, drawn, again))
    for c, contrast in enumerate(("efficiency", "modularity")):
        for d, density in enumerate(networks.DENSITIES):
            one = networks.difference(mine[0, c, d], theirs[:, c, d], others[:, c, d], prompts)
            found = {"null_name": null, "contrast": contrast, "density": density, "value": one.value}
            found |= {"low": one.low, "high": one.high, "raw": one.raw}
            rows.append({key: None if value != value else value for key, value in found.items()})
    return rows
