"""Claims cards, networks, geometry and controls, as rows."""

from __future__ import annotations

from typing import Any

from synergy_tui.store import load
from synergy_tui.store.cache import Cache
from synergy_tui.store.run import row_of
from synergy_tui.terms import METHOD_FIELDS


def card(cache: Cache, card_id: str) -> dict[str, Any]:
    """One card: its row, `run` (decomposition, capture and subject in one), `claims` by name, and `confounds`."""
    row = load.one(cache, "card", card_id)
    with cache.read() as con:
        run = row_of(con, row["decomposition"])
    claims = load.rows(cache, "SELECT * EXCLUDE (card) FROM claims WHERE card = $1 ORDER BY claim", card_id)
    confounds = load.rows(cache, "SELECT name, value FROM confounds WHERE decomposition = $1", row["decomposition"])
    return row | {
        "run": run,
        "claims": {one.pop("claim"): one for one in claims},
        "confounds": {one["name"]: one["value"] for one in confounds},
    }


def newest_card(cache: Cache, decomposition: str) -> str | None:
    """The newest card about a decomposition's capture, by the same method."""
    alike = " AND ".join(f"d.{name} IS NOT DISTINCT FROM o.{name}" for name in ("capture", *METHOD_FIELDS))
    query = f"""SELECT card FROM cards JOIN decompositions d USING (decomposition), (SELECT * FROM decompositions
        WHERE decomposition = $1) o WHERE {alike}
        ORDER BY coalesce(cards.method, 1) DESC, cards.serial DESC NULLS LAST, cards.created DESC, card LIMIT 1"""
    found = load.rows(cache, query, decomposition)
    return str(found[0]["card"]) if found else None


def network(cache: Cache, network_id: str) -> dict[str, Any]:
    """One run's networks: the row, `measures` and `contrasts`."""
    row = load.one(cache, "network", network_id)
    names = {"measures": "network_measures", "contrasts": "network_contrasts"}
    order = {"measures": "null_name, measure, density, atom DESC", "contrasts": "null_name, contrast, density"}
    return row | {
        key: load.rows(
            cache, f"SELECT * EXCLUDE (network) FROM {table} WHERE network = $1 ORDER BY {order[key]}", network_id
        )
        for key, table in names.items()
    }


def geometry(cache: Cache, geometry_id: str) -> dict[str, Any]:
    """The geometry of a capture: the row, `layers_found` and `contrasts`."""
    row = load.one(cache, "geometry", geometry_id)
    layers = "SELECT * EXCLUDE (geometry) FROM geometry_layers WHERE geometry = $1 ORDER BY layer"
    contrasts = """SELECT * EXCLUDE (geometry) FROM geometry_contrasts WHERE geometry = $1 ORDER BY "of" DESC, rowid"""
    found = load.rows(cache, layers, geometry_id)
    return row | {"layers_found": found, "contrasts": load.rows(cache, contrasts, geometry_id)}


def newest_geometry(cache: Cache, capture: str) -> str | None:
    """The newest geometry of a capture, or None."""
    query = "SELECT geometry FROM geometries WHERE capture = $1 ORDER BY serial DESC, geometry LIMIT 1"
    return next((str(row["geometry"]) for row in load.rows(cache, query, capture)), None)


def strongest(cache: Cache, decomposition: str, atom: str, count: int) -> list[dict[str, Any]]:
    """The strongest pairs by `sts` or `rtr`: x_layer, x_unit, y_layer, y_unit, value."""
    assert atom in ("sts", "rtr")
    query = f"""SELECT x_layer, x_unit, y_layer, y_unit, {atom} AS value FROM pairs WHERE decomposition = $1 AND
        NOT isnan({atom}) AND {atom} > 0 ORDER BY {atom} DESC, x, y LIMIT {int(count)}"""
    return load.rows(cache, query, decomposition)


def controls_of(cache: Cache, capture: str) -> list[dict[str, Any]]:
    """Controls of a capture with their newest decomposition: control, how, seed, decomposition."""
    query = """SELECT control, how, seed, (SELECT decomposition FROM decompositions d WHERE d.capture = control
        ORDER BY created DESC LIMIT 1) AS decomposition FROM controls WHERE capture = $1 ORDER BY how, seed, control"""
    return load.rows(cache, query, capture)
