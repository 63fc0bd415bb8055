"""The cache → all that a report says, as one value that HTML and Markdown are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from synergy_tui.drawing.atlas import Atlas, earlier, reading, what
from synergy_tui.drawing.doubts import Doubt, doubts
from synergy_tui.errors import UsageError
from synergy_tui.explorer.help import DOUBTS, MEANINGS
from synergy_tui.report import method, tables, tokens
from synergy_tui.store import cards, load
from synergy_tui.store.cache import Cache
from synergy_tui.store.run import Row, Run, Score, read
from synergy_tui.terms import ATOMS, BASELINES, RANKINGS, TESTS
from synergy_tui.units import Naming

MANY = 1_500
"""Units above which a report holds only the most important scores, so that it can be sent by mail."""


@dataclass(frozen=True)
class Content:
    """decomposition: its id. ranking: the one shown first. present: the numbers of the existing units. scores: scores
    that the map can show, rankings first. doubts: worst first, each with its explanation. card: the claims card, if
    there is one. recipe: the commands that remake the run and everything shown with it. parts: the ids of the ablation,
    network and ladder shown."""

    decomposition: str
    ranking: str
    sample: bool
    run: Run
    capture: Row
    naming: Naming
    present: tuple[int, ...]
    scores: dict[str, Score]
    meanings: dict[str, str]
    reading: list[str]
    doubts: list[tuple[Doubt, str]]
    card: dict[str, Any] | None
    method: method.Method
    tables: list[tables.Table]
    tokens: tokens.Tokens
    recipe: list[str]
    unknown_recipe: str
    parts: dict[str, str]

    @property
    def title(self) -> str:
        """The report's title."""
        return f"Synergy map of {self.run.row['name']}"

    @property
    def abridged(self) -> bool:
        """Whether some scores are left out because there are so many units."""
        return len(self.present) > MANY

    @property
    def units_word(self) -> str:
        """The word for the units, in the plural."""
        return "units" if self.run.row["kind"] == "imported" else what(self.run.row)


def gather(cache: Cache, decomposition: str, ranking: str = RANKINGS[0], sample: bool = False) -> Content:
    """All that is known of a run. Raises UsageError when it is not there or has no such ranking, CacheError when the
    cache cannot be read."""
    run = read(cache, decomposition)
    run.check_ranking(ranking)
    capture = load.one(cache, "capture", run.row["capture"])
    naming = load.naming(cache, run.row["capture"])
    present = tuple(load.layers_of_units(cache, run.row["capture"]))
    card_id = cards.newest_card(cache, decomposition)
    card = cards.card(cache, card_id) if card_id else None
    ablation = _part(cache, "ablation", decomposition, card, "ablation")
    network = _part(cache, "network", decomposition, card, "networks")
    ladder = _ladder(cache, decomposition, card)
    scores = _chosen(run, ranking, len(present) > MANY)
    recipe, unknown = _recipe(cache, decomposition, ablation, network, card_id, ladder)
    found = doubts(run.confounds, run.row.get("nulls") or (), run.row.get("valid_prompts"))
    return Content(
        decomposition=decomposition,
        ranking=ranking,
        sample=sample,
        run=run,
        capture=capture,
        naming=naming,
        present=present,
        scores=scores,
        meanings={name: MEANINGS.get(name, "") for name in scores},
        reading=[*_earlier(run.row), *(one.plain for one in reading(Atlas(run, ranking)))],
        doubts=[(one, _explained(one)) for one in found],
        card=card,
        method=method.written(cache, run, capture, naming, len(present), ablation, network, ladder),
        tables=tables.gather(cache, run, naming, present, scores, ablation, network, card, ladder),
        tokens=tokens.gather(cache, run, scores, ranking, present),
        recipe=recipe,
        unknown_recipe=unknown,
        parts={
            kind: one
            for kind, one in (("ablation", ablation), ("network", network), ("ladder", ladder))
            if one is not None
        },
    )


def _earlier(row: Row) -> list[str]:
    if not earlier(row):
        return []
    run = row["decomposition"]
    return [f"An earlier version of the method made this run. To bring it up to date: synergy-tui renew {run}"]


def _explained(doubt: Doubt) -> str:
    """What a doubt means, without the keys and text marks that only the explorer has."""
    text = next((text for key, text in DOUBTS.items() if doubt.name.startswith(key)), "")
    return text.removesuffix(" n decomposes with surrogates.").replace("`the core`", "“the core”")


def _chosen(run: Run, ranking: str, abridged: bool) -> dict[str, Score]:
    """The scores of a run that have a value somewhere, the chosen ranking first, then the others by their kind."""
    order = [ranking, *RANKINGS, "sts", "rtr", "tdmi", "offset", "autocorrelation", "norm", "divergence"]
    order += [*TESTS, *BASELINES] if not abridged else ["q"]
    order += [*ATOMS] if not abridged else []
    names = [name for name in dict.fromkeys(order) if name in run.scores]
    return {name: run.scores[name] for name in names if np.isfinite(run.scores[name].shown).any() or name == ranking}


def _part(cache: Cache, kind: str, decomposition: str, card: dict[str, Any] | None, name: str) -> str | None:
    """The ablation or network that a card is judged by, if it is still there, or the newest of a decomposition, or
    None."""
    judged = ((card or {}).get("parts") or {}).get(name)
    query = f"""SELECT {kind} AS id FROM {kind}s WHERE decomposition = $1 OR {kind} = $2
        ORDER BY {kind} IS NOT DISTINCT FROM $2 DESC, serial DESC NULLS LAST, created DESC, {kind} LIMIT 1"""
    found = load.rows(cache, query, decomposition, judged if isinstance(judged, str) else None)
    return next((row["id"] for row in found), None)


def _ladder(cache: Cache, decomposition: str, card: dict[str, Any] | None) -> str | None:
    """The ladder that a run belongs to, or that its card is judged by, or None."""
    named = ((card or {}).get("parts") or {}).get("ladder")
    for one in (named, decomposition):
        try:
            if isinstance(one, str):
                return load.find(cache, "ladder", one)
        except UsageError:  # it was deleted, or there never was one
            continue
    return None


def _recipe(cache: Cache, decomposition: str, *more: str | None) -> tuple[list[str], str]:
    """The commands that make a run and what belongs to it, each once; and, if they are not known, why."""
    commands: list[str] = []
    unknown = ""
    for result in (decomposition, *more):
        if result is None:
            continue
        try:
            commands += [row["command"] for row in load.recipe(cache, result)]
        except UsageError as error:
            unknown = unknown or error.what
    return list(dict.fromkeys(commands)), "" if commands else unknown
