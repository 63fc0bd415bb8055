"""Plots: what stands on their axes and at their points."""

from __future__ import annotations

import re
from typing import Any

from synergy_tui.drawing import ladder
from synergy_tui.drawing.plots import Line, intervals, plot


def levels(*names: str) -> dict[str, Any]:
    level: dict[str, Any] = {
        "prompts": 40,
        "used": 40,
        "unfinished": 0,
        "unparsable": 0,
        "failed": 0,
        "map": "d",
        "note": "",
    }
    level |= {"accuracy": 0.5, "accuracy_low": 0.4, "accuracy_high": 0.6}
    points = [
        {"level": n, "value": n / 10, "low": n / 10 - 0.02, "high": n / 10 + 0.03} for n in range(1, len(names) + 1)
    ]
    named = [level | {"level": n, "name": name} for n, name in enumerate(names, 1)]
    return {"curves": {"contrast": points}, "fits": {}, "verdicts": {}, "levels_of": named}


def test_the_axis_of_a_ladder_says_what_its_levels_are_called():
    drawn = ladder.draw(levels("1", "5", "8"), "contrast", 70, 14).plain
    axis = next(line for line in drawn.splitlines() if line.strip().startswith("1 "))
    assert axis.split() == ["1", "5", "8"]
    assert "unfinished" not in drawn


def test_names_that_do_not_fit_are_left_out_whole():
    names = [f"a long name {n:02d}" for n in range(1, 13)]
    for width in (40, 70, 120, 200):
        drawn = ladder.draw(levels(*names), "contrast", width, 14).plain
        whole = re.findall(r"a long name \d\d", drawn)
        assert whole
        assert drawn.count("a long") == len(whole)
        assert len(whole) * 16 <= 2 * width  # on the axes of two plots


def test_an_interval_is_a_bar_at_its_point():
    line = Line([0.0, 1.0, 2.0], [1.0, 2.0, 3.0], "A")
    bars = intervals([0.0, 1.0, 2.0], [0.5, 1.0, 2.0], [1.5, 3.0, 4.0], None)
    rows = plot([*bars, line], 40, 15).plain.splitlines()[1:-2]
    place = rows[0].index("┤") + 1
    inside = [row[place + 8 : -8] for row in rows]  # without the two at the edges
    assert sum("│" in row for row in inside) in (6, 7)  # two of 3.5 over 12 rows, the line's own one less
    assert len({row.index("│") for row in inside if "│" in row}) == 1
