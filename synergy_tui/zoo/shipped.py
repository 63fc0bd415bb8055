"""The zoo's models by name. Trained: zoo:induction, its other seeds zoo:induction/3, the checkpoints of its first seed
zoo:induction/training, and one of them zoo:induction/training/step-00120. Planted: zoo:plant-synergy, written into the
user's data folder at first use. Light."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from filelock import FileLock

from synergy_tui.errors import SubjectError
from synergy_tui.settings import load, shipped
from synergy_tui.zoo import plants
from synergy_tui.zoo.languages import Language, language

ZOO, PLANT = "zoo:", "zoo:plant-"

LANGUAGE_OF = {
    "induction": "induction",
    "addition": "addition",
    "grammar": "grammar",
    "mixture": "mixture",
    "state-space": "copying",
    "hybrid": "induction",
}
"""Trained models, and the languages they learned."""

TRAINING = "training"


def folder(name: str) -> Path:
    """The folder of a model, or of checkpoints, by its name with or without `zoo:`. Raises SubjectError for a name that
    the zoo does not have."""
    if name.startswith(PLANT):
        return _planted(name.removeprefix(PLANT))
    kind, _, place = name.removeprefix(ZOO).partition("/")
    found = shipped("zoo") / kind / (place or "0")
    inside = place in ("", TRAINING) or place in (*seeds(kind), *(f"{TRAINING}/{one}" for one in checkpoints(kind)))
    if kind not in LANGUAGE_OF or not inside or not found.is_dir():
        raise SubjectError(f"the zoo has no {name!r}", f"it has {', '.join(names())}")
    return found


def names() -> list[str]:
    """Every model by name."""
    return [*(ZOO + kind for kind in LANGUAGE_OF), *(PLANT + name for name in plants.PLANTS)]


def _planted(name: str) -> Path:
    """The folder of a planted transformer, written if it is missing. Its weights follow from its name. Raises
    SubjectError, also if it cannot be written."""
    plants.plant(name)
    place = load().data / "zoo" / f"plant-{name}-{plants.VERSION}"
    if (place / "config.json").exists():
        return place
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(place.parent / f"{name}.lock"), tempfile.TemporaryDirectory(dir=place.parent) as scratch:
            if not (place / "config.json").exists():
                plants.build(name, Path(scratch) / "made")
                shutil.rmtree(place, ignore_errors=True)
                os.replace(Path(scratch) / "made", place)
    except OSError as error:
        raise SubjectError(
            f"{PLANT}{name} cannot be kept in {place}: {error.strerror or error}", "free space, or set SYNERGY_TUI_DATA"
        ) from None
    return place


def seeds(kind: str) -> list[str]:
    """The shipped seeds of a model."""
    return sorted((one.name for one in _inside(kind) if one.name.isdecimal()), key=int)


def checkpoints(kind: str) -> list[str]:
    """Names of the checkpoints of its first seed, the earliest first."""
    return sorted(one.name for one in _inside(kind, TRAINING))


def learned(name: str) -> Language:
    """The language of a trained model. Raises SubjectError, also for planted models."""
    if name.startswith(PLANT):
        raise SubjectError(f"{name} has learned no language", "take a trained model, or a file of tasks")
    folder(name)
    return language(LANGUAGE_OF[name.removeprefix(ZOO).partition("/")[0]])


def truth(name: str) -> dict[str, Any]:
    """What is known of a model: see truth.py. Raises SubjectError."""
    return dict(json.loads((folder(name) / "truth.json").read_text("utf-8")))


def _inside(*parts: str) -> list[Path]:
    place = shipped("zoo").joinpath(*parts)
    return [one for one in place.iterdir() if one.is_dir()] if place.is_dir() else []
