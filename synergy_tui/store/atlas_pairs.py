"""Runs that were made to be compared: a model on another model's tokens, a trained model and the same architecture with
random weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from synergy_tui.store import load
from synergy_tui.store.atlas import tuned_of
from synergy_tui.store.cache import Cache
from synergy_tui.terms import METHOD_FIELDS


@dataclass(frozen=True)
class Side:
    """A decomposition. values [prompts, units, 5]: sts, rtr, tdmi, balance and independence of every prompt, in nats;
    NaN where missing. prompts: their names and numbers, in this order."""

    subject: str
    decomposition: str
    layers: int
    prompts: tuple[str, ...]
    values: np.ndarray


@dataclass(frozen=True)
class Pair:
    """`first` is compared with `others`: one model, or random initialisations. kind: instruct − base, trained − random,
    or model − model if nothing else distinguishes them. tokens: whether all had the same tokens."""

    kind: str
    tokens: bool
    first: Side
    others: tuple[Side, ...]


INSTRUCT, RANDOM, OTHER = "instruct − base", "trained − random", "model − model"
"""Kinds of pairs."""


def pairs(cache: Cache) -> tuple[Pair, ...]:
    """All pairs whose runs are decomposed by one method, each with its newest decomposition: captures that replay
    another subject's, and controls, with replayed and free-running ones apart. Raises CacheError when the cache cannot
    be read."""
    alike = " AND ".join(f"a.{name} IS NOT DISTINCT FROM b.{name}" for name in METHOD_FIELDS)
    newest = """SELECT d.*, c.layers * c.units_per_layer AS places, c.layers AS deep, c.kind, s.name AS subject,
        s.subject AS weights_of, c.chat_template,
        CASE WHEN s.weights_seed IS NULL THEN 'trained' ELSE 'random' END AS weights
        FROM decompositions d JOIN captures c USING (capture) JOIN subjects s USING (subject)
        WHERE d.estimator <> 'imported' AND d.compared IS NULL"""
    query = f"""WITH made AS ({newest}), linked AS (
        SELECT capture AS first, control AS second, how FROM controls
        UNION ALL SELECT replayed, capture, 'replay' FROM captures
        WHERE replayed IS NOT NULL AND capture NOT IN (SELECT control FROM controls))
        SELECT l.how, l.first, l.second, a.decomposition AS a, b.decomposition AS b, a.subject AS a_subject,
        b.subject AS b_subject, a.deep AS a_deep, b.deep AS b_deep, a.places AS a_places, b.places AS b_places,
        a.weights AS a_weights, b.weights AS b_weights, a.chat_template AS a_template, b.chat_template AS b_template
        FROM linked l JOIN made a ON a.capture = l.first JOIN made b ON b.capture = l.second
        WHERE a.weights_of <> b.weights_of AND a.kind = b.kind AND {alike}
        QUALIFY row_number() OVER (PARTITION BY l.first, l.second
            ORDER BY a.serial DESC NULLS LAST, b.serial DESC NULLS LAST, a.decomposition, b.decomposition) = 1
        ORDER BY l.how, a.subject, l.first, b.subject, l.second"""
    found = load.rows(cache, query)
    ids = sorted({row[side] for row in found for side in ("a", "b")})
    values = _values(cache, ids, {row[side]: row[f"{side}_places"] for row in found for side in ("a", "b")})
    out: list[Pair] = []
    by: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for row in found:
        if not (values[row["a"]][0] and values[row["b"]][0]):
            continue  # made by a version that did not keep values per prompt
        random = row["how"] != "replay" and row["a_weights"] == "trained"
        key = (row["how"], row["a"], "" if random else row["second"])
        by.setdefault(key, []).append(row)
    for (how, _, _), rows in by.items():
        first, others = _side(rows[0], "a", values), tuple(_side(row, "b", values) for row in rows)
        kind = RANDOM if how != "replay" else _kind(rows[0])
        if kind == INSTRUCT and _tuned(rows[0], "a") == "base":
            first, others = others[0], (first,)
        out.append(Pair(kind, how != "free-running", first, others))
    return tuple(out)


def _kind(row: dict[str, Any]) -> str:
    if row["a_weights"] != row["b_weights"]:
        return RANDOM
    return INSTRUCT if {_tuned(row, "a"), _tuned(row, "b")} == {"base", "instruct"} else OTHER


def _tuned(row: dict[str, Any], side: str) -> str | None:
    """A model that replays another's tokens has no template of its own; then its name decides."""
    mine = {"subject": row[f"{side}_subject"], "weights": row[f"{side}_weights"], "chat_template": None}
    named = tuned_of(mine)
    if named is None and row[f"{side}_template"]:
        return "instruct"
    return named


def _side(row: dict[str, Any], side: str, values: dict[str, tuple[tuple[str, ...], np.ndarray]]) -> Side:
    prompts, array = values[row[side]]
    return Side(row[f"{side}_subject"], row[side], row[f"{side}_deep"], prompts, array)


_COLUMNS = ("sts", "rtr", "tdmi", "balance", "independence")

_SELECTED = ", ".join(f"u.{name}" for name in _COLUMNS)


def _values(cache: Cache, ids: list[str], places: dict[str, int]) -> dict[str, tuple[tuple[str, ...], np.ndarray]]:
    """By decomposition: the prompts that have values, and the values."""
    query = f"""SELECT u.decomposition, concat(p.id, ' ', p.prompt) AS id, u.unit_index, {_SELECTED}
        FROM unit_prompts u JOIN decompositions d USING (decomposition)
        JOIN prompts p ON p.capture = d.capture AND p.prompt = u.prompt WHERE list_contains($1, u.decomposition)
        ORDER BY u.decomposition, p.prompt, u.unit_index"""
    out: dict[str, tuple[tuple[str, ...], np.ndarray]] = {one: ((), np.empty((0, 0, 5))) for one in ids}
    if not ids:
        return out
    with cache.read() as con:
        table = con.sql(query, params=[ids]).fetchnumpy()
    owner, prompt = (np.asarray(table[name], str) for name in ("decomposition", "id"))
    columns: list[np.ndarray] = [np.ma.filled(np.ma.asarray(table[name], float), np.nan) for name in _COLUMNS]
    for one in set(owner.tolist()):
        mine = owner == one
        names = list(dict.fromkeys(prompt[mine].tolist()))
        place = {name: number for number, name in enumerate(names)}
        array = np.full((len(names), places[one], 5), np.nan)
        rows = [place[name] for name in prompt[mine].tolist()]
        array[rows, np.asarray(table["unit_index"])[mine]] = np.stack([column[mine] for column in columns], axis=1)
        out[one] = (tuple(names), array)
    return out
