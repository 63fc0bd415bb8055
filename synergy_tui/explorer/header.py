"""The header line: the run in front, and the jobs under way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from synergy_tui.drawing.tables import printable

if TYPE_CHECKING:
    from synergy_tui.explorer.run import Run
    from synergy_tui.explorer.watch import Seen
    from synergy_tui.explorer.widgets.ink import Ink

LEAST = 8
"""Fewest columns of a query's words."""


def crumbs(shown: Run | None, behind: Run | None, error: str, home: str, room: int, ink: Ink) -> Text:
    """Subject, tasks and method of the run in front, in exactly `room` columns; a click on each opens what it names.
    behind: the run to which `home`, a key, returns from the result of a query. error: shown while there is no run."""
    left = Text.assemble((" synergy-tui  ", "bold"))
    if shown is not None:
        left.append("sample result ▸ " if shown.place.sample else "", ink.warm)
        if shown.place.id:
            _of_run(left, shown)
        else:
            _of_query(left, shown, behind, home, room, ink)
        if shown.partial is not None:
            left.append(f"  growing, {shown.partial:.0%} of units", ink.warm)
    elif error:
        left.append(error.splitlines()[0])
    left.truncate(room, overflow="ellipsis", pad=True)
    return left


def _of_run(left: Text, shown: Run) -> None:
    from synergy_tui.drawing import naming

    row = shown.row
    made = f"{naming.method(row)} · {naming.surrogates(row)}" if row["estimator"] else "capture"
    parts = {
        "app.panel('runs')": row["name"],
        "app.view('tokens')": f"{row['tasks']} {naming.size(row)}",
        "app.choose_score": f"{made} {shown.place.id}",
    }
    for place, (call, words) in enumerate(parts.items()):
        crumb = Text(printable(str(words)))
        crumb.apply_meta({"@click": call})
        left.append(" ▸ " if place else "").append_text(crumb)


def _of_query(left: Text, shown: Run, behind: Run | None, home: str, room: int, ink: Ink) -> None:
    """Shortens a query until the way back fits too."""
    from synergy_tui.explorer.telling import whole_words

    back = Text()
    if behind is not None:
        back = Text(printable(f"  {home}: back to {behind.place.id}"), ink.warm)
        back.apply_meta({"@click": "app.view('atlas')"})
    rows = f", {shown.row['tasks']}"
    most = max(room - left.cell_len - len(rows) - back.cell_len, LEAST)
    left.append(whole_words(printable(shown.row["name"]), most) + rows).append_text(back)


def under_way(seen: Seen | None, ink: Ink) -> Text:
    """The jobs under way and the GPUs, at a glance."""
    from synergy_tui.drawing.status import brief

    if seen is None:
        return Text()
    active = [one for one in seen.jobs if one["state"] in ("running", "queued")]
    text = Text()
    if active:
        running = [one for one in active if one["state"] == "running"] or active
        text.append(brief(running[0]), ink.warm)
        text.append(f"  +{len(active) - 1}" if len(active) > 1 else "")
    if seen.devices:
        text.append("  " if active else "").append(seen.devices)
    return text.append(" ")
