"""A capture → the captures and decompositions of its controls: the same architecture with random weights, answering by
itself and on the capture's own tokens."""

from __future__ import annotations

import shlex
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from synergy_tui import terms
from synergy_tui.errors import UsageError
from synergy_tui.jobs.plan.base import Plan
from synergy_tui.jobs.plan.captures import capture
from synergy_tui.jobs.plan.decompositions import decompose
from synergy_tui.store import load
from synergy_tui.store.cache import Cache

SURROGATES = 50
"""Of prompt-shuffle for each control: only their mean is used, which is known to a seventh of their spread."""

_ASKED = {
    "--tasks": ("tasks", str),
    "--prompts": ("prompts", int),
    "--steps": ("steps", int),
    "--min-steps": ("min_steps", int),
    "--dtype": ("dtype", str),
    "--temperature": ("temperature", float),
    "--top-p": ("top_p", float),
    "--system": ("system", str),
    "--seed": ("seed", int),
    "--revision": ("revision", str),
}
"""What of a capture's recipe its controls share, and as what; what a machine chooses is left to it."""


def controls(
    cache: Cache,
    data: Path,
    capture_id: str,
    method: dict[str, Any],
    *,
    how: str,
    seeds: int,
    first: int = 0,
    subject: str | None = None,
    surrogates: int = SURROGATES,
    device: str | None = None,
) -> list[tuple[Plan, Plan]]:
    """(capture, decomposition) of `seeds` random initialisations from seed `first` on, `how` of terms.CONTROLS.
    `method`: of the decomposition. `subject`: where the architecture is taken from; that of the capture without one.
    Raises UsageError for an imported capture, one without a recipe, and another architecture."""
    row = load.one(cache, "capture", capture_id)
    (own,) = load.rows(cache, "SELECT * FROM subjects WHERE subject = $1", row["subject"])
    if own["source"] == "import":
        raise UsageError(f"capture {capture_id} was imported and has no architecture", "capture a subject instead")
    if how == terms.CONTROLS[0] and row["replayed"] is not None:
        raise UsageError(f"capture {capture_id} is a replay: it has no free-running control", "take its original")
    asked = _asked(cache, capture_id)
    if how == terms.CONTROLS[1]:
        asked = {name: asked[name] for name in ("steps", "min_steps", "dtype", "seed", "revision") if name in asked}
        asked |= {"replay": capture_id, "cache": cache}
    kinds = row["kind"].split(",")
    chat = row["chat_template"] is not None
    out = []
    for seed in [number for number in range(first, first + seeds + 1) if number != own["weights_seed"]][:seeds]:
        one = capture(
            data,
            subject or own["place"],
            **asked,
            kinds=kinds,
            chat=chat,
            random_weights=True,
            weights_seed=seed,
            device=device,
        )
        if one.spec["tasks_hash"] != row["tasks_hash"]:
            raise UsageError(f"the task set {row['tasks']} is no longer what {capture_id} was asked", "capture anew")
        _same_architecture(one.spec["subject"]["geometry"], own, row)
        tie = {"capture": capture_id, "how": how, "seed": seed}
        one = replace(one, spec=one.spec | {"controls": tie})
        after = decompose(
            "",
            one.units,
            len(one.spec["prompts"]),
            **method,
            surrogates=surrogates,
            nulls=[terms.NULLS[0]],
            device=device,
            seed=asked.get("seed", 0),
        )
        out.append((one, after))
    return out


def _asked(cache: Cache, capture_id: str) -> dict[str, Any]:
    """Keyword arguments of `capture`, from the capture's recipe."""
    words = shlex.split(load.recipe(cache, capture_id)[-1]["command"])
    found: dict[str, Any] = {}
    for word, value in pairwise(words):
        if word in _ASKED:
            name, kind = _ASKED[word]
            found[name] = kind(value)
    return found


def _same_architecture(geometry: dict[str, Any], own: dict[str, Any], row: dict[str, Any]) -> None:
    """Raises UsageError where the control's known numbers are others than the subject's."""
    mine = {"model_type": own["model_type"], "layers": own["layers"], "heads": own["heads"]}
    mine |= {"parameters": own["parameters"]}
    for name, value in mine.items():
        other = geometry.get(name)
        if value is not None and other is not None and value != other:
            raise UsageError(
                f"a control of {row['capture']} needs its architecture: {name.replace('_', ' ')} {value}, not {other}",
                f"take {own['place']}",
            )
