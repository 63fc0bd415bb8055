"""A layer's mean in numbers: none is cut by the columns that a map has for it."""

from __future__ import annotations

import pytest

from synergy_tui.drawing.atlas import PROFILE_WIDTH, bar
from synergy_tui.explorer.widgets.map import INTERVAL_WIDTH


@pytest.mark.parametrize(
    ("value", "low", "high", "told"),
    [
        (0.54, 0.40, 0.69, "0.54  [0.40, 0.69]"),
        (9.6, 7.86, 9.99, "9.60  [7.86, 9.99]"),
        (12.97, 10.4, 14.55, "13.0  [10.4, 14.6]"),
        (9.999, 8.0, 12.0, "10.0  [8.0, 12.0]"),
        (-0.5, -0.75, -0.25, "-0.50  [-0.75, -0.25]"),
    ],
)
def test_numbers_have_room(value: float, low: float, high: float, told: str):
    line = bar({"value": value, "low": low, "high": high}, 0.0, 20.0, ("", "")).plain
    assert line.endswith(f" {told}")
    assert len(line) <= PROFILE_WIDTH + 1 + INTERVAL_WIDTH + 1
    short = bar({"value": value, "low": None, "high": None}, 0.0, 20.0, ("", "")).plain
    assert len(short) <= PROFILE_WIDTH + 1 + 6
