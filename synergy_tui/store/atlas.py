"""The atlas: the newest claims card of every subject, and cards from other caches, as one value.

read(cache) → Atlas. A few queries read all of it, whatever the number of cards.

    Atlas.cards: tuple[AtlasCard, ...], by subject AtlasCard.claims: {"C1": AtlasClaim, …}; AtlasCard.profile:
    (ProfilePoint, …), empty where layers have no depth AtlasCard.card and .decomposition: the ids that open a card of
    this cache; None for an imported card AtlasCard.origin: None for a card of this cache, else where it came from

Missing numbers are NaN, missing words None. analysis/meta.py takes AtlasCards as they are; atlas_files.py writes and
reads files of cards; pairs(cache) finds runs that can be compared.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from synergy_tui.store import load
from synergy_tui.store.cache import Cache
from synergy_tui.subject import lineage

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class AtlasClaim:
    """What a card says about one claim. effect, low, high: NaN if not measured. level: coverage of the interval. n:
    prompts, levels or initialisations."""

    verdict: str
    effect: float
    measure: str
    low: float
    high: float
    level: float
    n: int | None
    missing: str
    told: str


@dataclass(frozen=True)
class ProfilePoint:
    """One layer of a profile: its normalised depth, the scaled ranking's mean over its units, and its 95 % interval."""

    layer: int
    depth: float
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class AtlasCard:
    """One row of the atlas. entry: id of the card in the cache that made it. kind: unit kinds. tuned: base or instruct,
    None if unknown. weights: trained or random. ranking, definition, method: what the verdicts are based on. plan_hash:
    hash of the sealed plan, None without a plan; deviations: their number. origin: None for a card of this cache."""

    entry: str
    subject: str
    model_type: str | None
    family: str | None
    parameters: int | None
    layers: int | None
    units: int | None
    kind: str
    tuned: str | None
    weights: str
    training_step: int | None
    prompts: int | None
    ranking: str
    definition: str
    method: int
    plan_hash: str | None
    deviations: int | None
    origin: str | None
    made: datetime | None
    card: str | None
    decomposition: str | None
    claims: Mapping[str, AtlasClaim]
    profile: tuple[ProfilePoint, ...]


@dataclass(frozen=True)
class Atlas:
    """All rows, by subject."""

    cards: tuple[AtlasCard, ...]


def read(cache: Cache) -> Atlas:
    """The newest card of every subject, kind of unit, ranking and definition, and all imported cards. Raises CacheError
    when the cache cannot be read."""
    with cache.read() as con:
        own = load.as_rows(con.sql(_OWN))
        imported = load.as_rows(con.sql(_IMPORTED))
        claims = _by_entry(con, _CLAIMS, [one["entry"] for one in own])
        claims |= _by_entry(con, "SELECT * FROM atlas_claims", None)
        profiles = _by_entry(con, _PROFILES, [one["entry"] for one in own])
        profiles |= _by_entry(con, "SELECT * FROM atlas_profiles ORDER BY entry, layer", None)
    there = {one["entry"] for one in own}
    rows = [*own, *(one for one in imported if one["entry"] not in there)]
    cards = [_card(one, claims.get(one["entry"], []), profiles.get(one["entry"], [])) for one in rows]
    return Atlas(tuple(sorted(cards, key=lambda one: (one.subject.lower(), one.kind, one.ranking, one.entry))))


_DEFINITION = """concat(estimator, '·', coalesce(redundancy, '?'), ' τ', coalesce(lag::VARCHAR, '?'),
    CASE WHEN pool = 'pooled' THEN ', pooled' ELSE '' END,
    CASE WHEN coalesce(preprocess, 'raw') <> 'raw' THEN ', ' || preprocess ELSE '' END,
    CASE WHEN bias IS NOT NULL THEN ', bias ' || bias ELSE '' END,
    CASE WHEN compared IS NOT NULL THEN ', ' || compared ELSE '' END)"""
"""A decomposition's method in words."""

_OWN = f"""SELECT * EXCLUDE (place_) FROM (SELECT cards.card AS entry, cards.card, cards.decomposition, cards.ranking,
    coalesce(cards.method, 1) AS method, cards.plan_hash, len(cards.deviations) AS deviations, cards.created AS made,
    {_DEFINITION} AS definition, d.valid_prompts AS prompts, c.kind, c.chat_template, c.training_step,
    s.name AS subject, s.model_type, s.layers, s.parameters, NULL AS origin,
    CASE WHEN s.weights_seed IS NULL THEN 'trained' ELSE 'random' END AS weights,
    coalesce(n.units, c.layers * c.units_per_layer) AS units,
    row_number() OVER (PARTITION BY s.subject, c.kind, cards.ranking, {_DEFINITION}
        ORDER BY coalesce(cards.method, 1) DESC, c.replayed IS NULL DESC, cards.serial DESC NULLS LAST,
        cards.created DESC, cards.card) AS place_
    FROM cards JOIN decompositions d USING (decomposition) JOIN captures c ON c.capture = d.capture
    JOIN subjects s USING (subject) LEFT JOIN (SELECT capture, count(*)::INTEGER AS units FROM units
        WHERE capture IN (SELECT capture FROM cards) GROUP BY capture) n ON n.capture = c.capture)
    WHERE place_ = 1"""
"""One row per card. If a subject answered by itself and also replayed another subject's answers, the former counts."""

_IMPORTED = "SELECT *, NULL AS card, NULL AS decomposition FROM atlas_cards"

_CLAIMS = """SELECT card AS entry, claim, verdict, effect, measure, low, high, level, n, missing, told FROM claims
    WHERE list_contains($1, card)"""

_PROFILES = """SELECT card AS entry, layer, depth, value, low, high FROM layer_profiles p
    JOIN cards USING (decomposition, ranking) WHERE list_contains($1, card) AND depth IS NOT NULL AND value IS NOT NULL
    ORDER BY card, layer"""


def _by_entry(con: duckdb.DuckDBPyConnection, query: str, entries: Sequence[str] | None) -> dict[str, list[Any]]:
    out: dict[str, list[Any]] = {}
    for one in load.as_rows(con.sql(query, params=[] if entries is None else [list(entries)])):
        out.setdefault(one.pop("entry"), []).append(one)
    return out


def _card(row: dict[str, Any], claims: list[dict[str, Any]], profile: list[dict[str, Any]]) -> AtlasCard:
    own = row["card"] is not None
    copied = (
        *("entry", "subject", "model_type", "parameters", "layers", "units", "kind", "weights", "training_step"),
        *("prompts", "ranking", "definition", "method", "plan_hash", "deviations", "origin", "made", "card"),
        "decomposition",
    )
    return AtlasCard(
        **{name: row[name] for name in copied},
        family=family_of(row) if own else row["family"],
        tuned=tuned_of(row) if own else row["tuned"],
        claims={one["claim"]: _claim(one) for one in sorted(claims, key=lambda one: str(one["claim"]))},
        profile=tuple(
            ProfilePoint(one["layer"], *(_number(one[name]) for name in ("depth", "value", "low", "high")))
            for one in profile
        ),
    )


def _claim(row: dict[str, Any]) -> AtlasClaim:
    measure = row["measure"] or ""
    level = row["level"]
    if level is None:  # older cards kept no level; they name it only if it is not 95 %
        level = 0.9 if "90 %" in measure else 0.95
    effect, low, high = (_number(row[name]) for name in ("effect", "low", "high"))
    return AtlasClaim(
        row["verdict"], effect, measure, low, high, level, row["n"], row["missing"] or "", row["told"] or ""
    )


def _number(value: float | None) -> float:
    return math.nan if value is None or not math.isfinite(value) else float(value)


def family_of(row: Mapping[str, Any]) -> str | None:
    """The model family of a subject: from its name, else from the name of its architecture; None if neither is
    known."""
    return lineage.family_of(row["model_type"], row["subject"]) or row["model_type"] or None


def tuned_of(row: Mapping[str, Any]) -> str | None:
    """base or instruct, from the subject's name; instruct also if a chat template was applied. None otherwise: a model
    that answers without a template may be of either kind."""
    name = str(row["subject"])
    if row["weights"] == "random":
        return None
    found = lineage.tuned_of(name)
    return found or ("instruct" if row["chat_template"] and not name.startswith("zoo:") else None)
