"""Runs → the words that distinguish them: what differs among the runs shown together, before any id. Names of groups
and units in few columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len, set_cell_size

from synergy_tui.drawing.tables import printable

if TYPE_CHECKING:
    from synergy_tui.units import Naming

from synergy_tui.terms import IMPORTED

Words = Callable[[dict[str, Any]], str]


def method(row: dict[str, Any]) -> str:
    """Estimator, redundancy function and lag, and whether informations are corrected for their bias; for a table of
    pairs none of that is known."""
    if row["estimator"] == IMPORTED:
        return "imported sts and rtr"
    corrected = " bias-corrected" if row.get("bias") else ""
    return f"{row['estimator']}·{row['redundancy']} τ{row['lag']}{corrected}"


def size(row: dict[str, Any]) -> str:
    """Prompts × steps; without series there are no steps."""
    return f"{row['prompts']} questions" if row["steps"] is None else f"{row['prompts']}×{row['steps']}"


def surrogates(row: dict[str, Any]) -> str:
    """The number of surrogates, in words."""
    return f"+{row['surrogates']} surrogates" if row.get("nulls") else "no surrogates"


def _nulls(row: dict[str, Any]) -> str:
    return ", ".join(row.get("nulls") or ())


def _level(row: dict[str, Any]) -> str:
    return f"level {row['level']} of {row['levels']}" if row.get("level") else ""


def _unless(name: str, usual: str) -> Words:
    return lambda row: "" if row.get(name) in (None, usual) else str(row[name])


def _when(row: dict[str, Any]) -> str:
    return f"{row['created']:%m-%d %H:%M}" if row.get("created") else ""


OF_DECOMPOSITION: tuple[Words, ...] = (
    _level,
    surrogates,
    method,
    _nulls,
    _unless("pool", "mean"),
    _unless("preprocess", "raw"),
    _unless("precision", "float64"),
    lambda row: f"bias {row['bias']}" if row.get("bias") else "",
    lambda row: f"contrast {row['compared']}" if row.get("compared") else "",
    _when,
)
"""Words that may distinguish decompositions of a capture, the most telling first."""

OF_CAPTURE: tuple[Words, ...] = (
    lambda row: f"{row['tasks']} {size(row | {'prompts': row['valid_prompts'] or 0})}",
    lambda row: "" if row.get("training_step") is None else f"step {row['training_step']:,}",
    _unless("kind", "head"),
    lambda row: "" if row.get("decoding") in (None, "greedy") else f"{row['decoding']}",
    lambda row: f"replays {row['replayed']}" if row.get("replayed") else "",
    lambda row: "system prompt" if row.get("system") else "",
    lambda row: "" if row.get("dtype") is None else str(row["dtype"]),
    lambda row: "" if row.get("seed") is None else f"seed {row['seed']}",
    lambda row: "" if row.get("device") is None else str(row["device"]),
    _when,
)
"""Words that may distinguish captures of a subject."""


def told_apart(rows: Sequence[dict[str, Any]], words: Sequence[Words], always: int = 1) -> list[str]:
    """A name for each row: the fewest words that distinguish all rows. always: how many of the first non-empty words
    appear in any case."""
    said = [[word(row) for word in words] for row in rows]
    chosen: list[int] = []
    for place in range(len(words)):
        if len(chosen) < always:
            if any(one[place] for one in said):
                chosen.append(place)
            continue
        names = Counter(tuple(one[other] for other in chosen) for one in said)
        alike = {name for name, count in names.items() if count > 1}
        groups = [one for one in said if tuple(one[other] for other in chosen) in alike]
        if len({one[place] for one in groups}) > 1:
            chosen.append(place)
    return [", ".join(one[place] for place in chosen if one[place]) for one in said]


DOTS = "…"
"""The sign for the middle of a shortened name."""


def shortened(names: Sequence[str], width: int) -> list[str]:
    """Names in at most `width` columns each. Long names lose their middle, at a place that keeps different names
    different; if there is no such place, they end in their number."""
    if all(cell_len(one) <= width for one in names):
        return list(names)
    different = len(set(names))
    tails = sorted(range(width), key=lambda tail: abs(tail - (width - 1) // 2))
    for tail in tails:
        cut = [in_middle(one, width, tail) for one in names]
        if len(set(cut)) == different:
            return cut
    return [_numbered(one, place, width) for place, one in enumerate(names)]


def in_middle(text: str, width: int, tail: int | None = None) -> str:
    """A text in at most `width` columns, without its middle. tail: columns of its end that stay."""
    if cell_len(text) <= width:
        return text
    if width < 2:
        return DOTS[: max(width, 0)]
    tail = (width - 1) // 2 if tail is None else min(tail, width - 1)
    end = ""
    for char in reversed(text):
        if cell_len(char + end) > tail:
            break
        end = char + end
    return set_cell_size(text, width - 1 - cell_len(end)).rstrip() + DOTS + end


def _numbered(name: str, place: int, width: int) -> str:
    if cell_len(name) <= width and not name.endswith(f"{DOTS}{place}"):
        return name
    end = f"{DOTS}{place}"
    return set_cell_size(name, max(width - len(end), 0)).rstrip() + end[-width:]


def groups(one: Naming) -> tuple[str, ...]:
    """The printable names of layers; empty if layers have only numbers."""
    return tuple(printable(name) for name in one.groups)


def labels(one: Naming, width: int) -> list[str]:
    """The labels before the rows of a map: names in at most `width` columns, or numbers."""
    found = groups(one)
    return shortened(found, width) if found else [str(layer) for layer in range(one.layers)]


def sides(one: Naming, compared: str | None) -> tuple[str, str] | None:
    """The groups on the two sides of a contrast, as decompositions.compared has them; None for the middle third of
    layers."""
    if not compared:
        return None
    above, below = (", ".join(one.layer(layer) for layer in side) for side in one.sides(compared))
    return printable(above), printable(below)
