"""The network of synergy or of redundancy as GraphML: the strongest positive pairs up to a share of all pairs, as the
measures of `networks` take them (docs/method.md, section 7)."""

from __future__ import annotations

import re
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from synergy_tui.errors import UsageError
from synergy_tui.store import load
from synergy_tui.store.cache import Cache
from synergy_tui.store.run import read
from synergy_tui.terms import RANKINGS

_NODE = {"name": "string", "layer": "int", "unit": "int", "group": "string", "kind": "string", "rank": "double"}
_EDGE = {"weight": "double"}

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML cannot hold, escaped or not."""


def edges(cache: Cache, decomposition: str, atom: str, density: float) -> list[tuple[int, int, float]]:
    """x, y and value (nats) of the edges, the strongest first. Raises UsageError if there are too few positive
    pairs."""
    capture = load.one(cache, "decomposition", decomposition)["capture"]
    units = len(load.layers_of_units(cache, capture))
    wanted = round(density * units * (units - 1) / 2)
    query = f"""SELECT x, y, {atom} AS value FROM pairs WHERE decomposition = $1 AND isfinite({atom}) AND {atom} > 0
        ORDER BY {atom} DESC, x, y LIMIT {int(wanted)}"""
    found = [(row["x"], row["y"], row["value"]) for row in load.rows(cache, query, decomposition)]
    if not 0 < wanted <= len(found):
        raise UsageError(
            f"a network of {density:g} of all pairs has {wanted} edges, and {len(found)} pairs are above 0",
            "use another --density",
        )
    return found


def write(cache: Cache, decomposition: str, path: Path, atom: str, density: float) -> None:
    """One undirected graph. Nodes n0 … have the unit's number; their `rank` is the default ranking, scaled; an edge's
    `weight` is in nats."""
    kept = edges(cache, decomposition, atom, density)
    run = read(cache, decomposition)
    capture = run.row["capture"]
    called = load.naming(cache, capture)
    query = "SELECT unit_index, layer, unit, kind, group_name FROM units WHERE capture = $1 ORDER BY unit_index"
    rank = run.scores[RANKINGS[0]].shown if RANKINGS[0] in run.scores else None
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<graphml xmlns="http://graphml.graphdrawing.org/xmlns">',
        *(_key("node", name, kind) for name, kind in _NODE.items()),
        *(_key("edge", name, kind) for name, kind in _EDGE.items()),
        *(_key("graph", name, "string") for name in ("run", "subject", "atom", "density")),
        f'<graph id={_quoted(f"{decomposition}-{atom}")} edgedefault="undirected">',
        *(
            _data("graph", name, value)
            for name, value in (
                *(("run", decomposition), ("subject", str(run.row["name"]))),
                *(("atom", atom), ("density", f"{density:g}")),
            )
        ),
    ]
    for one in load.rows(cache, query, capture):
        number = one["unit_index"]
        value = None if rank is None or rank[number] != rank[number] else float(rank[number])
        told = {"name": called.unit(number), "layer": one["layer"], "unit": one["unit"]}
        told |= {"group": one["group_name"], "kind": one["kind"], "rank": value}
        inside = "".join(_data("node", name, told[name]) for name in _NODE if told[name] is not None)
        lines.append(f'<node id="n{number}">{inside}</node>')
    lines += [f'<edge source="n{x}" target="n{y}">{_data("edge", "weight", value)}</edge>' for x, y, value in kept]
    path.write_text("\n".join([*lines, "</graph>", "</graphml>", ""]), "utf-8")


def _key(of: str, name: str, kind: str) -> str:
    return f'<key id="{of}-{name}" for="{of}" attr.name="{name}" attr.type="{kind}"/>'


def _data(of: str, name: str, value: object) -> str:
    return f'<data key="{of}-{name}">{escape(_possible(str(value)))}</data>'


def _quoted(text: str) -> str:
    return quoteattr(_possible(text))


def _possible(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)
