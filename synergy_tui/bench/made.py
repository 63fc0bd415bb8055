"""A cache with made-up numbers of any size, for measuring and trying the explorer: nothing in it was measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from synergy_tui.store.bulk import PAIR_FILE
from synergy_tui.store.cache import Cache
from synergy_tui.store.publish import publish_capture, publish_decomposition
from synergy_tui.terms import ATOMS, MEASURES, METHOD, RANKINGS

AT_ONCE = 500_000
"""Pairs per row group."""


def make_run(
    cache: Cache,
    layers: int,
    per_layer: int,
    prompts: int = 4,
    steps: int = 40,
    name: str = "",
    text: Sequence[str] = ("word ",),
    nothing: bool = False,
    pairs: bool = True,
    called: str = "",
    tasks: str = "made",
) -> str:
    """Publishes a capture and a decomposition; returns the decomposition's id. text: the pieces of answers. nothing:
    every number is missing. pairs: whether to write the pairs too. called: the subject's name."""
    capture, decomposition = f"c{name or f'{layers}x{per_layer}'}", f"d{name or f'{layers}x{per_layer}'}"
    units, chance = layers * per_layer, np.random.default_rng(0)
    subject: dict[str, Any] = {
        "subject": f"s{capture}",
        "name": called or f"made-{layers}x{per_layer}",
        "source": "folder",
        "place": "/nowhere",
    }
    subject |= {"layers": layers, "heads": per_layer, "head_dim": 8, "parameters": 1, "model_type": "made"}
    row: dict[str, Any] = {
        "capture": capture,
        "subject": subject["subject"],
        "tasks": tasks,
        "layers": layers,
        "kind": "head",
    }
    row |= {"units_per_layer": per_layer, "prompts": prompts, "valid_prompts": prompts, "steps": steps, "min_steps": 20}
    pieces = [text[step % len(text)] for step in range(steps)]
    publish_capture(
        cache,
        capture,
        {
            "subjects": [subject],
            "captures": [row],
            "prompts": [
                {
                    "capture": capture,
                    "prompt": one,
                    "id": str(one),
                    "category": "made",
                    "text": "".join(text),
                    "tokens": [1],
                }
                for one in range(prompts)
            ],
            "responses": [
                {"capture": capture, "prompt": one, "text": "".join(pieces), "tokens": list(range(steps))}
                | {"pieces": pieces, "steps": steps, "ended": False, "valid": True}
                for one in range(prompts)
            ],
            "units": [
                {
                    "capture": capture,
                    "unit_index": one,
                    "layer": one // per_layer,
                    "unit": one % per_layer,
                    "kind": "head",
                    "depth": 0.0,
                }
                for one in range(units)
            ],
        },
        (_series(one, layers, per_layer, steps, chance) for one in range(prompts)),
    )
    hump = np.sin(np.pi * (np.arange(units) // per_layer + 0.5) / layers) + 0.3 * chance.normal(size=units)
    hump = np.full(units, np.nan) if nothing else hump
    low, high = (np.nanmin(hump), np.nanmax(hump)) if not nothing else (0.0, 1.0)
    scaled = (hump - low) / ((high - low) or 1.0)
    publish_decomposition(
        cache,
        decomposition,
        {
            "decompositions": [
                {
                    "decomposition": decomposition,
                    "capture": capture,
                    "estimator": "gaussian",
                    "redundancy": "mmi",
                    "lag": 1,
                }
                | {"pairs": units * (units - 1) // 2, "valid_prompts": prompts, "pool": "mean", "preprocess": "raw"}
            ],
            "unit_scores": pa.concat_tables(
                _scores(decomposition, score, hump, scaled if score in RANKINGS else np.full(units, np.nan))
                for score in (*RANKINGS, *MEASURES, *ATOMS)
            ),
            "layer_profiles": [
                {"decomposition": decomposition, "ranking": ranking, "layer": layer, "depth": 0.0}
                | ({} if nothing else _mean(scaled[layer * per_layer : (layer + 1) * per_layer]))
                for ranking in RANKINGS
                for layer in range(layers)
            ],
            "contrasts": [{"decomposition": decomposition, "ranking": one, "contrast": None} for one in RANKINGS],
            "confounds": [{"decomposition": decomposition, "name": "synergy~autocorrelation", "value": 0.9}],
            "recipes": [{"result": decomposition, "command": f"synergy-tui decompose {capture}", "method": METHOD}],
        },
        _pairs(layers, per_layer, nothing) if pairs else iter(()),
    )
    return decomposition


def _series(prompt: int, layers: int, per_layer: int, steps: int, chance: np.random.Generator) -> pa.Table:
    units = layers * per_layer
    index = np.repeat(np.arange(units, dtype=np.int32), steps)
    return pa.table(
        {
            "prompt": np.full(units * steps, prompt, np.int32),
            "unit_index": index,
            "layer": (index // per_layer).astype(np.int16),
            "unit": (index % per_layer).astype(np.int16),
            "step": np.tile(np.arange(steps, dtype=np.int32), units),
            "value": chance.normal(5, 1, units * steps).astype(np.float32),
        }
    )


def _scores(decomposition: str, score: str, value: np.ndarray, scaled: np.ndarray) -> pa.Table:
    shift = 0.1 * (sum(map(ord, score)) % 7)
    return pa.table(
        {
            "decomposition": [decomposition] * len(value),
            "unit_index": np.arange(len(value)),
            "score": [score] * len(value),
            "value": pa.array(value - shift, from_pandas=True),
            "scaled": pa.array(scaled, from_pandas=True),
            "low": pa.array(scaled - 0.05, from_pandas=True),
            "high": pa.array(scaled + 0.05, from_pandas=True),
        }
    )


def _mean(values: np.ndarray) -> dict[str, float]:
    mean = float(values.mean())
    return {"value": mean, "low": mean - 0.05, "high": mean + 0.05}


def _pairs(layers: int, per_layer: int, nothing: bool) -> Iterator[pa.Table]:
    units = layers * per_layer
    rows = max(AT_ONCE // max(units, 1), 1)
    for first in range(0, units - 1, rows):
        x, y = np.triu_indices(units, 1, units) if units <= rows else _stripe(first, min(first + rows, units), units)
        # Values are quantised, so that the file of millions of rows stays small.
        value = np.round(np.abs(np.sin(x * 0.11) * np.cos(y * 0.07)), 2).astype(np.float32)
        value = np.full(len(x), np.nan, np.float32) if nothing else value
        columns: dict[str, Any] = {"x": x.astype(np.int32), "y": y.astype(np.int32)}
        for side, who in (("x", x), ("y", y)):
            columns |= {f"{side}_layer": (who // per_layer).astype(np.int16)}
            columns |= {f"{side}_unit": (who % per_layer).astype(np.int16)}
        columns |= {atom: value if atom in ("sts", "rtr") else np.zeros_like(value) for atom in ATOMS}
        columns |= {"offset": value * 0.5, "valid_prompts": np.full(len(x), 4, np.int32)}
        columns["reason"] = np.zeros(len(x), np.int8)
        arrays = {name: pa.array(column, from_pandas=True) for name, column in columns.items()}
        for field in PAIR_FILE:
            arrays.setdefault(field.name, pa.nulls(len(x), field.type))
        yield pa.table(arrays).select(PAIR_FILE.names).cast(PAIR_FILE)
        if units <= rows:
            return


def _stripe(first: int, last: int, units: int) -> tuple[np.ndarray, np.ndarray]:
    x = np.repeat(np.arange(first, last), [units - 1 - one for one in range(first, last)])
    y = np.concatenate([np.arange(one + 1, units) for one in range(first, last)])
    return x, y
