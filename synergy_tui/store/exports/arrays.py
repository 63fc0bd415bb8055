"""A run as named arrays: NPZ and safetensors. Nothing in them is pickled."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from synergy_tui import __version__
from synergy_tui.store import load, walk
from synergy_tui.store.cache import Cache
from synergy_tui.store.run import Run, read
from synergy_tui.terms import ATOMS, METHOD_FIELDS

MATRICES = (*ATOMS, "tdmi", "excess")
"""Matrices over all pairs, in nats."""

AXES = {
    "a score, .scaled, .low, .high": "layers, units per layer; NaN where there is no unit or no value",
    "profile.RANKING": "layers, then value, low and high of the layer's mean",
    "pairs.ATOM": "unit_index of x, unit_index of y; NaN on the diagonal and for pairs without a value",
    "series": "prompts, unit_index, steps; NaN past a response's end",
}
"""The axes of the arrays, for whoever opens the file."""


def arrays(cache: Cache, decomposition: str, series: bool) -> Iterator[tuple[str, np.ndarray]]:
    """Names and arrays, one after the other: each is made when it is requested. Atoms are in nats."""
    run = read(cache, decomposition)
    layers, per_layer = run.shape
    query = "SELECT unit_index, layer, unit FROM units WHERE capture = $1 ORDER BY unit_index"
    units = load.rows(cache, query, run.row["capture"])
    for name in ("unit_index", "layer", "unit"):
        yield name, np.array([one[name] for one in units], np.int32)
    for name, score in run.scores.items():
        yield name, score.values.reshape(run.shape)
        if score.kind == "ranking":
            yield f"{name}.scaled", score.shown.reshape(run.shape)
        if np.isfinite(score.low).any():
            yield f"{name}.low", score.low.reshape(run.shape)
            yield f"{name}.high", score.high.reshape(run.shape)
    for ranking, rows in run.profiles.items():
        yield f"profile.{ranking}", profile(rows, layers)
    for name in MATRICES:
        yield f"pairs.{name}", walk.pair_matrix(cache, decomposition, name, layers * per_layer)
    if series:
        prompts = load.rows(cache, "SELECT prompt FROM responses WHERE capture = $1 ORDER BY 1", run.row["capture"])
        yield "series.prompt", np.array([one["prompt"] for one in prompts], np.int32)
        yield "series", load.series(cache, run.row["capture"], [one["prompt"] for one in prompts])


def profile(rows: list[dict[str, Any]], layers: int) -> np.ndarray:
    """[layers, 3] value, low and high of rows of layer_profiles; NaN where missing."""
    out = np.full((layers, 3), np.nan)
    for one in rows:
        out[one["layer"]] = [np.nan if one[name] is None else one[name] for name in ("value", "low", "high")]
    return out


def about(run: Run) -> dict[str, str]:
    """What the arrays describe, as texts by name."""
    row = run.row
    method = {name: str(row[name]) for name in METHOD_FIELDS if row[name] is not None}
    told = {name: str(row[name]) for name in ("decomposition", "capture", "tasks", "kind")}
    return {
        "synergy-tui": __version__,
        "subject": str(row["name"]),
        **told,
        **method,
        "units": "atoms are in nats",
        "axes": json.dumps(AXES),
    }


def write_npz(cache: Cache, decomposition: str, path: Path, series: bool) -> None:
    """numpy.load reads it without pickle; `about` is a JSON text. One array is held at a time."""
    told = np.array(json.dumps(about(read(cache, decomposition)), ensure_ascii=False))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as file:
        for name, array in chain([("about", told)], arrays(cache, decomposition, series)):
            with file.open(f"{name}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, np.asanyarray(array), allow_pickle=False)


def write_safetensors(cache: Cache, decomposition: str, path: Path, series: bool) -> None:
    """The same arrays; what they describe is in the file's metadata."""
    from safetensors.numpy import save_file

    found = {name: np.ascontiguousarray(array) for name, array in arrays(cache, decomposition, series)}
    save_file(found, path, metadata=about(read(cache, decomposition)))
