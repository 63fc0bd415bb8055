"""A subject and a ladder → the chain that measures difficulty: a capture of all levels, then the ladder's own job.
Parts of equal spec that are finished are not made again."""

from __future__ import annotations

import hashlib
import json
import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from synergy_tui import terms
from synergy_tui.errors import UsageError
from synergy_tui.jobs import cost
from synergy_tui.jobs.devices import choose, cores
from synergy_tui.jobs.plan.base import Plan, known
from synergy_tui.jobs.plan.captures import capture
from synergy_tui.jobs.recipe import as_options
from synergy_tui.settings import user_path
from synergy_tui.store import load
from synergy_tui.store.cache import Cache
from synergy_tui.subject.sources import file_list_hash, split_files, weights_files
from synergy_tui.tasks import ladders
from synergy_tui.tasks.ladders import Ladder

SURROGATES = 20
"""Of each level: they are needed for a mean alone."""

FEWEST_PROMPTS = 5
"""Of a level, for surrogates and for a spread."""


@dataclass(frozen=True)
class Chain:
    """finished: the ladder of equal spec that is there already, and then there are no plans."""

    finished: str | None
    plans: list[Plan]


def difficulty(cache: Cache, data: Path, subject: str, **chosen: Any) -> list[Plan]:
    """The plans of the chain in order; none where an equal ladder is finished. See difficulty_chain."""
    return difficulty_chain(cache, data, subject, **chosen).plans


def difficulty_chain(
    cache: Cache,
    data: Path,
    subject: str,
    *,
    ladder: str = ladders.SHIPPED[0],
    levels: int | None = None,
    prompts: int = 40,
    steps: int = 64,
    min_steps: int = 20,
    order_parameter: str = terms.ORDER_PARAMETERS[0],
    ranking: str = terms.RANKINGS[0],
    surrogates: int = SURROGATES,
    level_column: str | None = None,
    answer_column: str | None = None,
    text_column: str | None = None,
    verifier: str | None = None,
    fresh: bool = False,
    revision: str | None = None,
    batch: int | None = None,
    dtype: str | None = None,
    chat: bool = True,
    system: str | None = None,
    random_weights: bool = False,
    allow_pickle: bool = False,
    allow_remote_code: bool = False,
    device: str | None = None,
    seed: int = 0,
) -> Chain:
    """How an order parameter of `subject` changes over a ladder. levels: how many, evenly from the first to the last.
    prompts: of each level. surrogates: of the null behind the excess, for each level; 0 lets the independence offset
    stand in. fresh: make everything anew. Raises UsageError, TaskError or SubjectError."""
    known([order_parameter], terms.ORDER_PARAMETERS, "order parameter")
    known([ranking], tuple(one for one in terms.RANKINGS if one != "z"), "ranking")
    if surrogates and surrogates < SURROGATES:
        raise UsageError(f"{surrogates} surrogates are too few", f"draw {SURROGATES} or more, or 0")
    if prompts < FEWEST_PROMPTS:
        raise UsageError(f"{prompts} prompts of a level have no spread", f"take {FEWEST_PROMPTS} or more")
    columns = {"level_column": level_column, "answer_column": answer_column, "text_column": text_column}
    whole = ladders.load(ladder, **columns, verifier=verifier, prompts=prompts, seed=seed)
    chosen = ladders.select(whole, levels, prompts, seed)
    _enough(chosen)
    model: dict[str, Any] = {"revision": revision, "random_weights": random_weights, "system": system, "chat": chat}
    model |= {"allow_pickle": allow_pickle, "allow_remote_code": allow_remote_code}
    captured = capture(
        data,
        subject,
        tasks=chosen.as_tasks(),
        steps=steps,
        min_steps=min_steps,
        batch=batch,
        dtype=dtype,
        device=device,
        seed=seed,
        **model,
    )
    shared: dict[str, Any] = {"ladder": _place(ladder), "levels": levels, "prompts": prompts, "steps": steps}
    shared |= {"min_steps": min_steps, **columns, "verifier": verifier, **model}
    shared |= {"dtype": captured.spec["dtype"], "seed": seed}
    place = captured.spec["subject"]["place"]
    of_capture = shlex.join(["synergy-tui", "difficulty", place, *as_options(shared), "--fresh"])
    own = {"order_parameter": order_parameter, "ranking": ranking, "surrogates": surrogates or "0"}
    recipe = shlex.join(["synergy-tui", "difficulty", place, *as_options(shared | own), "--fresh"])
    captured = replace(captured, spec=captured.spec | {"recipe": of_capture})
    weights = _weights(captured.spec["subject"])
    asked = hashlib.sha256(json.dumps([recipe, chosen.hash, weights]).encode()).hexdigest()
    if not fresh and (there := _finished(cache, asked)):
        return Chain(there, [])
    capture_id = "" if fresh else _captured(cache, captured.spec, of_capture, weights)
    counts = [len(chosen.on(level)) for level in range(len(chosen.levels))]
    spec: dict[str, Any] = {
        "capture": capture_id,
        "name": chosen.name,
        "levels": list(chosen.levels),
        "items": [_item(one) for one in chosen.prompts],
        "min_steps": min_steps,
        "order_parameter": order_parameter,
        "ranking": ranking,
        "surrogates": surrogates,
        "seed": seed,
        "device": choose(None if device == "cuda:all" else device),
        "asked": asked,
        "recipe": recipe,
    }
    price = cost.ladder(captured.units, counts, surrogates, spec["device"], cores())
    plan = Plan("ladder", spec, price, captured.units)
    return Chain(None, [plan] if capture_id else [captured, plan])


def _item(one: ladders.LadderPrompt) -> dict[str, Any]:
    found = {"level": one.level, "answer": one.answer, "verifier": one.verifier}
    return found | {"entry": one.entry} if one.entry is not None else found


def _enough(ladder: Ladder) -> None:
    for level, name in enumerate(ladder.levels):
        if len(ladder.on(level)) < FEWEST_PROMPTS:
            raise UsageError(
                f"level {name} of {ladder.name} has {len(ladder.on(level))} prompts; a spread needs {FEWEST_PROMPTS}",
                "give it more, or join it with its neighbour",
            )


def _place(ladder: str) -> str:
    """A ladder's name, or its file wherever the command is given."""
    path = user_path(ladder)
    return str(path.resolve()) if ladder not in ladders.SHIPPED and path.is_file() else ladder


def _weights(subject: dict[str, Any]) -> str | None:
    """What tells the weights of this folder or file from others that lay there; None where the name says it."""
    if subject["weights_seed"] is not None:
        return f"random {subject['weights_seed']}"
    if subject["kind"] == "folder":
        return file_list_hash(weights_files(Path(subject["place"])), samples=16)
    return file_list_hash(split_files(Path(subject["place"]))) if subject["kind"] == "gguf" else None


def _finished(cache: Cache, asked: str) -> str | None:
    query = """SELECT ladder FROM ladders JOIN recipes ON result = ladder WHERE spec = $1 AND method >= $2
        ORDER BY created DESC, ladder LIMIT 1"""
    found = load.rows(cache, query, asked, terms.METHOD)
    return found[0]["ladder"] if found else None


def _captured(cache: Cache, spec: dict[str, Any], recipe: str, weights: str | None) -> str:
    """The capture of an earlier chain that asked for the same of the same subject; '' where there is none."""
    subject = spec["subject"]
    found = load.rows(
        cache,
        """SELECT capture FROM captures JOIN subjects s USING (subject) JOIN recipes ON result = capture
        WHERE command = $1 AND tasks_hash = $2 AND s.source = $3 AND s.place = $4 AND s.revision IS NOT DISTINCT FROM $5
        AND ($6 IS NULL OR s.weights_hash = $6) ORDER BY captures.created DESC, capture LIMIT 1""",
        recipe,
        spec["tasks_hash"],
        subject["kind"],
        subject["place"],
        subject["revision"],
        weights,
    )
    return found[0]["capture"] if found else ""
