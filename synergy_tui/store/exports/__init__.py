"""A run → files that other programs read. FORMS names the forms, ENDINGS the form for a target's ending.

arrays.py   NPZ and safetensors: maps, profiles, matrices of pairs, series
tables.py   CSV, Arrow and Parquet: one table, or a folder of all of them
heads.py    JSON of one score of every head
graph.py    GraphML of the network of synergy or of redundancy
dataset.py  a folder for Hugging Face's datasets, with its card
packed.py   one file that another cache imports (store.arriving)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb

from synergy_tui.errors import CacheError, UsageError
from synergy_tui.store import archive
from synergy_tui.store.bulk import whole
from synergy_tui.store.cache import Cache
from synergy_tui.terms import RANKINGS

FORMS = ("parquet", "npz", "safetensors", "csv", "arrow", "json", "graphml", "dataset", "archive")

ENDINGS = {
    ".parquet": "parquet",
    ".npz": "npz",
    ".safetensors": "safetensors",
    ".csv": "csv",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".json": "json",
    ".graphml": "graphml",
    ".synergy": "archive",
}

SHAPES = ("flat", "nested")
"""Shapes of head scores: {"layer-head": value}, or {"layer": {"head": value}}."""

NETWORKS = ("sts", "rtr")
"""Atoms that have networks: synergy and redundancy."""


@dataclass(frozen=True)
class Wanted:
    """What an export should hold. series: also the activity itself. table: only this table; None for all tables in a
    folder and for `heads` in a file. score, shape: of head scores. atom, density: of a network; density is a share of
    all pairs."""

    series: bool = False
    table: str | None = None
    score: str = RANKINGS[0]
    shape: str = SHAPES[0]
    atom: str = NETWORKS[0]
    density: float = 0.1


def form_of(target: Path, asked: str | None) -> str:
    """The form of an export: the requested one, or the one of the target's ending; a folder is Parquet. Raises
    UsageError for an unknown one."""
    if asked is not None and asked not in FORMS:
        raise UsageError(f"no form {asked!r}", f"known: {', '.join(FORMS)}")
    return asked or ENDINGS.get(target.suffix.lower(), "parquet")


def write(cache: Cache, decomposition: str, target: Path, form: str, wanted: Wanted | None = None) -> None:
    """Writes a run. The target appears whole, and nothing existing is replaced. Raises UsageError for options that the
    form does not have and for an existing target, CacheError when the target cannot be written."""
    wanted = wanted or Wanted()
    _refuse_misfits(form, wanted)
    is_file = form in ("npz", "safetensors", "json", "graphml", "archive") or _one_table(target, form, wanted)
    if not is_file:
        return _folder(cache, decomposition, target, form, wanted)
    if target.exists():
        raise UsageError(f"{target} is there already", "give another name")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with whole(target) as unfinished:
            _writer(form)(cache, decomposition, unfinished, wanted)
    except (OSError, duckdb.IOException) as error:
        what = (getattr(error, "strerror", None) or str(error)).splitlines()[0]
        raise CacheError(f"{target} cannot be written: {what}", "give another name") from None


def _one_table(target: Path, form: str, wanted: Wanted) -> bool:
    """Whether a form of tables is written as a file: if one table is requested, or the target has a file's ending."""
    tables = form in ("csv", "arrow", "parquet")
    return tables and (wanted.table is not None or ENDINGS.get(target.suffix.lower()) == form)


def _refuse_misfits(form: str, wanted: Wanted) -> None:
    plain = Wanted()
    fits = {
        "series": ("npz", "safetensors", "csv", "arrow", "dataset"),
        "table": ("csv", "arrow", "parquet"),
        "score": ("json",),
        "shape": ("json",),
        "atom": ("graphml",),
        "density": ("graphml",),
    }
    for name, forms in fits.items():
        # A folder of Parquet and an archive have the series anyway.
        if getattr(wanted, name) != getattr(plain, name) and form not in forms:
            if name == "series" and form in ("parquet", "archive"):
                continue
            raise UsageError(f"{form} has no {name} to choose", f"{name} goes with {', '.join(forms)}")


def _folder(cache: Cache, decomposition: str, target: Path, form: str, wanted: Wanted) -> None:
    with archive.appearing(target) as unfinished:
        if form == "parquet":
            archive.write_folder(cache, decomposition, unfinished)
        elif form == "dataset":
            from synergy_tui.store.exports import dataset

            dataset.write(cache, decomposition, unfinished, wanted.series)
        else:
            from synergy_tui.store.exports import tables

            tables.write_all(cache, decomposition, unfinished, form, wanted.series)


Writer = Callable[[Cache, str, Path, Wanted], None]


def _writer(form: str) -> Writer:
    """The function that writes a file of this form."""
    from synergy_tui.store.exports import arrays, graph, heads, packed, tables

    found: dict[str, Writer] = {
        "npz": lambda cache, run, path, wanted: arrays.write_npz(cache, run, path, wanted.series),
        "safetensors": lambda cache, run, path, wanted: arrays.write_safetensors(cache, run, path, wanted.series),
        "json": lambda cache, run, path, wanted: heads.write(cache, run, path, wanted.score, wanted.shape),
        "graphml": lambda cache, run, path, wanted: graph.write(cache, run, path, wanted.atom, wanted.density),
        "archive": lambda cache, run, path, wanted: packed.write(cache, run, path),
    }
    if form in found:
        return found[form]
    return lambda cache, run, path, wanted: tables.write_one(cache, run, path, form, wanted.table or "heads")
