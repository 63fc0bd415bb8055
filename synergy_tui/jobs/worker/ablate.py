"""An ablate job: removal orders of a decomposition → divergence curves, one shard per condition."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from synergy_tui.ablation import orders
from synergy_tui.ablation.divergence import IntactBehaviour
from synergy_tui.ablation.orders import RemovalOrder
from synergy_tui.analysis import areas
from synergy_tui.errors import SubjectError
from synergy_tui.jobs.folder import JobFolder
from synergy_tui.jobs.plan import shares_of
from synergy_tui.jobs.worker import shards
from synergy_tui.jobs.worker.progress import Progress
from synergy_tui.jobs.worker.record import recipes, versions
from synergy_tui.store import load
from synergy_tui.store.cache import Cache
from synergy_tui.store.publish import publish_ablation
from synergy_tui.subject import loading
from synergy_tui.subject.sources import Source
from synergy_tui.terms import TARGETED_ORDERS


class _Condition(NamedTuple):
    order: RemovalOrder
    fraction: float

    @property
    def shard(self) -> str:
        parts = [self.order.name, self.order.target, self.order.seed, repr(self.fraction)]
        return "-".join(str(part) for part in parts if part is not None)

    def told(self) -> dict[str, str]:
        """What the shard is of."""
        order = {"removal_order": self.order.name, "target": self.order.target, "seed": self.order.seed}
        return {name: str(value) for name, value in (order | {"fraction": self.fraction}).items() if value is not None}


def work(job: JobFolder, spec: dict[str, Any], progress: Progress) -> None:
    """Replays the capture's responses under every condition that is missing, publishes."""
    cache = Cache.open(job.cache, on_wait=progress.waits)
    capture = load.one(cache, "capture", spec["capture"])
    shape = (capture["layers"], capture["units_per_layer"])
    raw, difference = (
        load.unit_scores(cache, spec["decomposition"], name, shape, "value").ravel()
        for name in (spec["ranking"], "difference")
    )
    layer_of = np.arange(raw.size) // shape[1]
    marked = spec.get("marked", [])
    made = orders.make(spec["orders"], raw, difference, layer_of, spec["seeds"], spec["seed"], marked)
    conditions = [
        _Condition(order, fraction)
        for order in made
        for fraction in shares_of(order.name, order.target, spec["fractions"], len(marked) / raw.size)
    ]

    subject = loading.load(
        Source(**spec["subject"]),
        Path(spec["data"]),
        spec["device"],
        spec["dtype"],
        lambda name, detail: progress.stage(name, detail=detail),
    )
    if subject.record["subject"] != capture["subject"]:
        raise SubjectError(
            f"{subject.source.name} is not what capture {spec['capture']} was made from", "capture it anew"
        )
    progress.detail(f"{subject.source.name}  {subject.layers} × {subject.heads} heads")
    texts = load.rows(
        cache,
        """SELECT prompt, p.tokens AS asked, r.tokens AS answered
        FROM prompts p JOIN responses r USING (capture, prompt)
        WHERE capture = $1 AND list_contains($2, prompt) ORDER BY prompt""",
        spec["capture"],
        spec["prompts"],
    )
    detail = f"{len(conditions)} conditions × {len(texts)} prompts"
    progress.stage("ablate", len(conditions), "conditions", detail, (0.1, 0.98))
    intact = IntactBehaviour(
        subject, [row["asked"] for row in texts], [row["answered"] for row in texts], spec["batch"]
    )
    tables = []
    for condition in conditions:
        table = shards.read(job, condition.shard)
        if table is None:
            removed: dict[int, list[int]] = {}
            for unit in condition.order.first(condition.fraction):
                removed.setdefault(int(layer_of[unit]), []).append(int(unit) % shape[1])
            found = intact.under(removed)
            table = pa.table({"prompt": [row["prompt"] for row in texts], **found._asdict()})
            # Who looks at the folder while it grows need not know how shards are named.
            shards.write(job, condition.shard, table.replace_schema_metadata(condition.told()))
            progress.advance()
        else:
            progress.skip(1)
        tables.append(table)
    progress.stage("publish", share=(0.98, 1.0))
    publish_ablation(cache, job.id, _rows(job.id, spec, conditions, tables, layer_of))


def _rows(
    ablation: str,
    spec: dict[str, Any],
    conditions: list[_Condition],
    tables: list[pa.Table],
    layer_of: np.ndarray,
) -> dict[str, Any]:
    """Rows of ablations, ablation_curves, ablation_prompts and ablation_areas."""
    curves, by_prompt = [], []
    for (order, fraction), table in zip(conditions, tables, strict=True):
        key = {
            "ablation": ablation,
            "removal_order": order.name,
            "target": order.target,
            "seed": order.seed,
            "fraction": fraction,
        }
        mean = {name: float(np.mean(table[name].to_numpy())) for name in ("divergence", "top1", "surprisal_change")}
        curves.append(
            key
            | {
                "removed": len(order.first(fraction)),
                "divergence": mean["divergence"],
                "top1": mean["top1"],
                "perplexity_ratio": float(np.exp(mean["surprisal_change"])),
            }
        )
        by_prompt += [key | row for row in table.to_pylist()]
    all_areas = _areas(ablation, conditions, curves)
    row = {
        "ablation": ablation,
        "decomposition": spec["decomposition"],
        "capture": spec["capture"],
        "intervention": "zero",
        "ranking": spec["ranking"],
        "marked": spec.get("marked", []),
        "orders": spec["orders"],
        "fractions": spec["fractions"],
        "seeds": spec["seeds"],
        "prompts": len(spec["prompts"]),
        "seed": spec["seed"],
        "verdict": _verdict(spec["orders"], curves, all_areas, conditions, layer_of),
        "versions": versions("torch", "transformers", "scipy"),
    }
    return {
        "ablations": [row],
        "recipes": recipes(ablation, spec),
        "ablation_curves": _table(curves),
        "ablation_prompts": _table(by_prompt),
        "ablation_areas": _table(all_areas),
    }


def _areas(ablation: str, conditions: list[_Condition], curves: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row per order, seed and upper limit that the curve reaches."""
    points: dict[int, list[tuple[float, float]]] = {}
    by_id = {id(condition.order): condition.order for condition in conditions}
    for condition, curve in zip(conditions, curves, strict=True):
        points.setdefault(id(condition.order), []).append((condition.fraction, curve["divergence"]))
    out = []
    for key, order in by_id.items():
        fractions, divergence = np.array(points[key]).T
        for upper in areas.UPPERS:
            value = areas.area(fractions, divergence, upper)
            if np.isfinite(value):
                out.append(
                    {
                        "ablation": ablation,
                        "removal_order": order.name,
                        "target": order.target,
                        "seed": order.seed,
                        "upper": upper,
                        "area": value,
                    }
                )
    return out


def _verdict(
    names: list[str],
    curves: list[dict[str, Any]],
    all_areas: list[dict[str, Any]],
    conditions: list[_Condition],
    layer_of: np.ndarray,
) -> str:
    def primary(name: str, target: str | None) -> np.ndarray:
        chosen = [
            one["area"]
            for one in all_areas
            if (one["removal_order"], one["target"], one["upper"]) == (name, target, areas.PRIMARY)
        ]
        return np.array(chosen)

    sentences = []
    for name in TARGETED_ORDERS:
        if name not in names:
            continue
        whole = max(one.fraction for one in conditions if one.order.name == name)

        def at(order: str, target: str | None, name: str = name, whole: float = whole) -> np.ndarray:
            return _divergences(curves, order, target, whole) if name == "marked" else primary(order, target)

        own = at(name, None)
        value = float(own[0]) if len(own) else float("nan")
        controls = {"random": at("random", None), "layer-matched": at("layer-matched", name)}
        tests = {control: areas.area_test(value, found) for control, found in controls.items() if control in names}
        sentences.append(areas.verdict(name, value, tests))
        removed = [
            c.order.first(c.fraction) for c in conditions if c.order.name == name and c.fraction <= areas.PRIMARY
        ]
        full = max((orders.full_layers(units, layer_of) for units in removed), default=0)
        if full and "layer-matched" in names:
            sentences.append(f"It takes every unit of {full} layers, where its layer-matched control has no freedom.")
    lost = sum(np.isnan(c["divergence"]) for c in curves)
    if lost:
        sentences.append(f"{lost} conditions gave no finite divergence and count as missing.")
    return " ".join(sentences) or "No targeted order, no verdict."


def _divergences(curves: list[dict[str, Any]], name: str, target: str | None, fraction: float) -> np.ndarray:
    """Of one order at one fraction, over its seeds."""
    key = (name, target, fraction)
    return np.array(
        [one["divergence"] for one in curves if (one["removal_order"], one["target"], one["fraction"]) == key]
    )


def _table(rows: list[dict[str, Any]]) -> pa.Table:
    """Arrow at once, so that a column that begins with NULL keeps its type."""
    types = {"target": pa.string(), "seed": pa.int32()}
    columns = {
        name: pa.array([row[name] for row in rows], types.get(name), from_pandas=True)
        for name in (rows[0] if rows else ())
    }
    return pa.table(columns)
