"""Pairs that were removed together, where they are looked at: nothing is cut in any size, and what is not there is not
made up."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from driving import drive, settle, until_in
from textual.widgets import Input

from synergy_tui.bench.made import make_run
from synergy_tui.explorer.views.ablation import pair_lines
from synergy_tui.explorer.views.pairs import Removed
from synergy_tui.explorer.widgets.lines import Lines
from synergy_tui.explorer.widgets.plot import Plot
from synergy_tui.store.cache import Cache
from synergy_tui.store.publish import publish_ablation

VERDICT = (
    "Pairs strong in sts against their controls: interaction +0.0121 [-0.0021, +0.0312] nats per token: undecided."
)


@pytest.fixture
def removed(tmp_path: Path) -> Path:
    """A run of 30 × 9 with an ablation of three pairs and of the controls of two."""
    cache = Cache.open(tmp_path / "cache")
    run = make_run(cache, 30, 9)
    rows = [
        _row("chosen", 0, 1, 0.0128),
        _row("control", 2, 3, 0.002, (0, 1)),
        _row("chosen", 129, 250, -0.0312),
        _row("control", 130, 251, float("nan"), (129, 250)),
        _row("chosen", 5, 9, 0.001),
    ]
    test = {"ablation": "apairs", "spearman": 0.213, "low": -0.04, "high": 0.46, "pairs": 5, "chosen": 3, "matched": 1}
    test |= {"difference": 0.0121, "difference_low": -0.0021, "difference_high": 0.0312}
    nothing = {"ablation": "apairs", "score": "excess", "spearman": None, "pairs": 1}
    row = {"ablation": "apairs", "decomposition": run, "capture": "c30x9", "intervention": "zero", "orders": ["pairs"]}
    row |= {"ranking": "rank-difference", "fractions": [0.1], "seeds": 1, "prompts": 4, "seed": 0, "verdict": VERDICT}
    tests = [test | {"score": "sts"}, test | {"score": "rtr", "spearman": -0.087}, nothing]
    tables: dict[str, Any] = {"ablations": [row], "ablation_pairs": pa.Table.from_pylist(rows)}
    publish_ablation(cache, "apairs", tables | {"ablation_pair_tests": pa.Table.from_pylist(tests)})
    return cache.folder


def _row(role: str, x: int, y: int, value: float, of: tuple[int | None, int | None] = (None, None)) -> dict[str, Any]:
    row = {"ablation": "apairs", "score": "sts", "role": role, "x": x, "y": y, "interaction": value}
    row |= {"x_layer": x // 9, "x_unit": x % 9, "y_layer": y // 9, "y_unit": y % 9}
    return row | {"low": value - 0.014, "high": value + 0.0132, "control_of_x": of[0], "control_of_y": of[1]}


@pytest.mark.slow
@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 50)], ids=str)
def test_the_pairs_view_says_what_a_pair_costs_beyond_its_units(removed: Path, size: tuple[int, int]) -> None:
    async def look(app, pilot):
        app.selection.unit, app.selection.partner = 1, 0  # from either side
        await pilot.press("p")
        await until_in(app, pilot, lambda: "removed together" in app.plain_screen(), "the pair")
        await settle(app, pilot)
        screen = app.plain_screen()
        assert "removed together +0.0128 [-0.0012, +0.026] nats" in screen
        assert "ρ with sts +0.21 [-0.04, +0.46]  rtr -0.09 [-0.04, +0.46]" in screen
        assert re.search(r"^[ │]*(28|29) [▁-█]{9}", screen, re.MULTILINE), screen  # the last layers have room too
        assert any("stands in for the other" in one for one in app.view.about())
        assert any("against 1 matched controls: +0.0121 [-0.0021, +0.0312]" in one for one in app.view.about())
        app.selection.unit, app.selection.partner = 1, 7
        app.view.show()
        await until_in(app, pilot, lambda: "removed together" not in app.plain_screen(), "a pair that was not removed")
        assert "ρ with sts" in app.plain_screen()

    drive(look, removed, size)


@pytest.mark.slow
@pytest.mark.parametrize("size", [(80, 24), (120, 36)], ids=str)
def test_the_ablation_view_lists_pairs_and_offers_them_with_their_cost(removed: Path, size: tuple[int, int]) -> None:
    async def look(app, pilot):
        await pilot.press("a")
        await until_in(app, pilot, lambda: "3 pairs, beyond each alone" in app.plain_screen(), "the pairs")
        screen = app.plain_screen()
        assert not app.view.query_one(Plot).display
        assert [one for one in screen.splitlines() if "sts  14.3 27.7" in one and "-0.03120" in one]
        assert "undecided" in screen
        names, rows = app.view.table()
        assert names[:3] == ["by", "pair", "interaction"]
        assert len(rows) == 3
        assert "ablation_pairs" in app.view.sql()
        app.view.query_one("#field-orders", Input).value = "pairs"
        cost = app.view.query_one("#ablation-cost", Lines)
        await until_in(app, pilot, lambda: app.view._planned.spec.orders == ("pairs",), "the plan")
        assert app.view._planned.spec.pairs_by == ("sts", "rtr")
        assert "about" in cost.plain
        app.view.query_one("#field-pairs", Input).value = "20000"
        await until_in(app, pilot, lambda: "not the strongest of" in cost.plain, "why not")

    drive(look, removed, size)


def test_lines_of_pairs_fit_whatever_width_there_is():
    pairs = [
        {"by": score, "pair": f"{number}.1 {number}.2", "interaction": value, "low": -0.1, "high": 0.1}
        | {"control": "" if number else "9.1 9.2", "its": None if number else 0.01}
        for score in ("sts", "rtr")
        for number, value in enumerate([0.5, -0.25, None])
    ]
    for width, rows, there in ((38, 30, 6), (38, 6, 4), (100, 30, 6), (100, 3, 2)):
        lines = pair_lines(pairs, width, rows)
        assert len(lines) == there + 2
        assert max(map(len, lines)) <= width
        assert ("none" in " ".join(lines)) == (width == 100 and there > 2)
    assert "[-0.1000, +0.1000]" in pair_lines(pairs, 100, 30)[2]
    assert "n/a" in pair_lines(pairs, 38, 30)[4]


def test_nothing_is_said_where_nothing_was_removed():
    assert Removed().lines(60) == []
    assert Removed().sentences() == []
    assert Removed({"interaction": None, "low": None, "high": None, "intervention": "zero"}).lines(60) == []
