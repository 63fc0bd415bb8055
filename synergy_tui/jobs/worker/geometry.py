"""A geometry job: a capture's own responses replayed → states of the residual stream behind every layer, one shard per
batch of prompts, and those of the shipped pairs of one structure → dimension and alignment of every layer."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

from synergy_tui.analysis import geometry
from synergy_tui.capture.generate import encode
from synergy_tui.capture.residual import states
from synergy_tui.jobs import parts
from synergy_tui.jobs.folder import JobFolder
from synergy_tui.jobs.parts import Content
from synergy_tui.jobs.specs import GeometrySpec
from synergy_tui.jobs.worker.executors.crew import Crew
from synergy_tui.jobs.worker.executors.making import Given, Hearing, Report, Wanted
from synergy_tui.jobs.worker.progress import Progress
from synergy_tui.jobs.worker.record import recipes, versions
from synergy_tui.jobs.worker.subjects import captured_subject
from synergy_tui.store import load
from synergy_tui.store.cache import Cache
from synergy_tui.store.publish import publish_geometry
from synergy_tui.tasks.structures import structures
from synergy_tui.terms import METHOD

TOGETHER = 8
"""Prompts of a batch and of a shard."""

PAIRS = "pairs"
"""The shard of the pairs of one structure."""


def gather(cache: Cache, spec: GeometrySpec) -> Given:
    """The capture's row, the tokens to replay, and the steps whose states are kept."""
    capture, texts = load.one(cache, "capture", spec.capture), load.replayable(cache, spec.capture)
    answered = [texts[one]["answered"] for one in spec.replayed]
    steps = geometry.choose([len(one) for one in answered], spec.tokens, spec.seed)
    tokens = {
        str(one): [texts[one]["asked"], texts[one]["answered"], some.tolist()]
        for one, some in zip(spec.replayed, steps, strict=True)
    }
    return Given(told={"subject": capture["subject"], "dtype": capture["dtype"], "tokens": tokens})


class Maker:
    """The subject of a capture. Each batch of prompts is a part, and so are the pairs together."""

    def __init__(self, spec: GeometrySpec, given: Given, report: Report) -> None:
        """Raises SubjectError."""
        self.subject = captured_subject(spec, given.told, spec.dtype or given.told["dtype"], report)
        self.tokens = given.told["tokens"]

    def make(self, wanted: Wanted, hearing: Hearing) -> Content:
        """States [layers, steps, width] by prompt; for the pairs [layers, pairs, width] by side, or why there are no
        states."""
        if wanted.name == PAIRS:
            return parts.of_arrays(self._pairs())
        chosen = [str(one) for one in wanted.given["prompts"]]
        texts, places = [], []
        for one in chosen:
            asked, answered, steps = self.tokens[one]
            texts.append([*asked, *answered[:-1]])
            places.append([len(asked) - 1 + step for step in steps])
        return parts.of_arrays(dict(zip(chosen, states(self.subject, texts, places), strict=True)))

    def _pairs(self) -> dict[str, np.ndarray]:
        asked = structures()
        texts = encode(self.subject, [*asked.one, *asked.other], chat=False)
        tokenizer = self.subject.tokenizer
        # Without special tokens: some tokenizers begin every text with their unknown token.
        plain = [tokenizer(one, add_special_tokens=False)["input_ids"] for one in (*asked.one, *asked.other)]
        lost = sum(tokenizer.unk_token_id in one for one in plain) if tokenizer.unk_token_id is not None else 0
        if lost or len(set(map(tuple, texts))) < len(texts):
            why = f"its vocabulary lacks words of {lost} of the {len(texts)} sentences"
            return {"note": np.array(why if lost else "its tokenizer makes the same tokens of different words")}
        found = np.concatenate(states(self.subject, texts, [[len(one) - 1] for one in texts]), axis=1)
        half = len(asked.one)
        return {"one": found[:, :half], "other": found[:, half:]}


def work(job: JobFolder, spec: GeometrySpec, progress: Progress, crew: Crew | None = None) -> None:
    """Has every missing batch read, measures, publishes."""
    crew = crew or Crew(job, progress)
    cache = Cache.open(job.cache, on_wait=progress.waits)
    given = gather(cache, spec)
    crew.begin(sys.modules[__name__], spec, given)
    batches = [spec.replayed[first : first + TOGETHER] for first in range(0, len(spec.replayed), TOGETHER)]
    shards = [f"states-{place:05d}" for place in range(len(batches))]
    wanted = [
        Wanted(shard, weight=len(some), given={"prompts": list(some)})
        for shard, some in zip(shards, batches, strict=True)
    ]
    crew.make(
        [*wanted, Wanted(PAIRS)],
        lambda name: parts.read_arrays(job, name) is not None,
        name="states",
        total=len(spec.replayed) + 1,
        unit="prompts",
        detail=f"{len(spec.replayed)} prompts replayed, and the pairs of one structure",
        share=(0.05, 0.5),
    )
    pairs = _shard(job, PAIRS)
    kept: dict[str, np.ndarray] = {}
    for name in shards:
        kept |= _shard(job, name)
    stream = np.concatenate([kept[str(one)] for one in spec.replayed], axis=1)
    of = np.repeat(spec.replayed, [kept[str(one)].shape[1] for one in spec.replayed])
    del kept
    layers = len(stream)
    progress.stage(
        "layers", layers, "layers", f"{stream.shape[1]:,} states in {stream.shape[2]:,} dimensions", (0.5, 0.95)
    )
    rows: list[dict[str, Any]] = [{"layer": layer, "depth": layer / max(layers - 1, 1)} for layer in range(layers)]
    dimension = _dimensions(stream, of, progress)
    alignment = _alignments(pairs, layers, spec)
    for layer, row in enumerate(rows):
        row |= {"geometry": job.id} | dimension.rows[layer] | alignment.rows[layer]
        row["note"] = "; ".join(one for one in (dimension.note, alignment.note) if one)
    progress.stage("publish", share=(0.95, 1.0))
    head = {
        "geometry": job.id,
        "capture": spec.capture,
        "tokens": stream.shape[1],
        "prompts": len(np.unique(of)),
        "pairs": 0 if alignment.note else pairs["one"].shape[1],
        "permutations": spec.permutations,
        "structures": structures().hash,
        "method": METHOD,
        "seed": spec.seed,
        "versions": versions("torch", "transformers", "numpy", "scipy"),
    }
    contrasts = [
        {"geometry": job.id, "of": name} | one
        for name, some in (("dimension", dimension), ("alignment", alignment))
        for one in some.contrasts
    ]
    publish_geometry(
        cache,
        job.id,
        {
            "geometries": [head],
            "geometry_layers": [_plain(one) for one in rows],
            "geometry_contrasts": [_plain(one) for one in contrasts],
            "recipes": recipes(job.id, spec),
        },
    )


@dataclass(frozen=True)
class _Found:
    """Columns of geometry_layers by layer, rows of geometry_contrasts, and why there are no values, if so."""

    rows: list[dict[str, Any]]
    contrasts: list[dict[str, Any]]
    note: str = ""


def _dimensions(stream: np.ndarray, of: np.ndarray, progress: Progress) -> _Found:
    nothing = {"dimension": math.nan, "low": math.nan, "high": math.nan, "scale": None, "twonn": math.nan}
    prompts = len(np.unique(of))
    if prompts < 2 or len(of) < geometry.ENOUGH_POINTS:
        why = f"a dimension needs {geometry.ENOUGH_POINTS} states of two prompts; there are {len(of)} of {prompts}"
        return _Found([nothing] * len(stream), [], why)
    among = geometry.scales(of)
    curves = np.full((len(stream), len(among)), np.nan)
    found = []
    for layer, states_of in enumerate(stream):
        found.append(geometry.neighbours(states_of, of))
        curves[layer] = [geometry.gride(found[-1], n) for n in among]
        progress.advance(0.5)
    n = geometry.plateau(curves, among)
    values = curves[:, among.index(n)]
    without = np.full((prompts, len(stream)), np.nan)
    for layer, one in enumerate(found):
        without[:, layer] = geometry.left_out(one, n)
        progress.advance(0.5)
    low, high = geometry.interval(values, without)
    rows = [
        {"dimension": values[k], "low": low[k], "high": high[k], "scale": n, "twonn": curves[k, 0]}
        for k in range(len(stream))
    ]
    lost = int((~np.isfinite(values)).sum())
    why = f"in {lost} layers most states are the same as one of another prompt" if lost else ""
    return _Found(rows, _contrasts(values, without), why)


def _alignments(pairs: dict[str, np.ndarray], layers: int, spec: GeometrySpec) -> _Found:
    names = ("alignment", "alignment_null", "alignment_low", "alignment_high", "alignment_p")
    if "note" in pairs:
        return _Found([dict.fromkeys(names, math.nan)] * layers, [], str(pairs["note"]))
    one, other = ([geometry.centred(layer) for layer in pairs[side]] for side in ("one", "other"))
    values = np.array([geometry.cka(a, b) for a, b in zip(one, other, strict=True)])
    drawn = geometry.permuted(one, other, spec.seed, spec.permutations)
    without = geometry.aligned_without(list(pairs["one"]), list(pairs["other"]))
    null = drawn.mean(axis=0)
    low, high = geometry.interval(values, without) - null
    rows = []
    for k in range(layers):
        p = geometry.above(values[k], drawn[:, k])
        rows.append(dict(zip(names, (values[k], null[k], low[k], high[k], p), strict=True)))
    contrasts = _contrasts(values - null, without - null)
    for row, value, draws in zip(contrasts, geometry.sides(values), geometry.sides(drawn).T, strict=True):
        row["p"] = geometry.above(value, draws) if row["side"] == geometry.SIDES[-1] else math.nan
    return _Found(rows, contrasts)


def _contrasts(values: np.ndarray, without: np.ndarray) -> list[dict[str, Any]]:
    own = geometry.sides(values)
    low, high = geometry.interval(own, geometry.sides(without))
    return [
        {"side": side, "value": own[k], "low": low[k], "high": high[k], "p": math.nan}
        for k, side in enumerate(geometry.SIDES)
    ]


def _shard(job: JobFolder, name: str) -> dict[str, np.ndarray]:
    found = parts.read_arrays(job, name)
    if found is None:
        raise OSError(f"shard {name} was there and is gone")
    return found


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """NaN as NULL, NumPy's numbers as Python's."""
    out = {key: one.item() if isinstance(one, np.generic) else one for key, one in row.items()}
    return {key: None if isinstance(one, float) and not math.isfinite(one) else one for key, one in out.items()}
