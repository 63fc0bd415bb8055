"""A forest fits its columns, and its squares stand where effects are."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from rich.cells import cell_len

from synergy_tui.analysis import meta
from synergy_tui.bench.atlas import card
from synergy_tui.drawing import forest, models
from synergy_tui.drawing.lines import Look
from synergy_tui.store.atlas import AtlasClaim, ProfilePoint
from synergy_tui.terms import NOT_SUPPORTED, SUPPORTED


def group(ratio: bool = False, name: str = "model") -> meta.Group:
    cards = []
    for place, value in enumerate((0.5, 0.25, -0.25)):
        ends, measure = (value, value - 0.2, value + 0.2), "contrast"
        if ratio:
            ends, measure = tuple(math.exp(end) for end in ends), "area, × random (90 %)"
        claim = AtlasClaim(SUPPORTED if value > 0 else NOT_SUPPORTED, *ends[:1], measure, *ends[1:], 0.9, 20, "", "")
        cards.append(replace(card(place, f"f{place}", {"C3": claim}), subject=f"{name} {place}"))
    nothing = AtlasClaim("inconclusive", math.nan, "", math.nan, math.nan, 0.95, None, "a run", "")
    cards.append(card(9, "f9", {"C3": nothing}))
    return meta.groups(cards, "C3")[0]


@pytest.mark.parametrize("width", [20, 40, 60, 80, 110])
@pytest.mark.parametrize("ratio", [False, True])
@pytest.mark.parametrize("name", ["model", "模型" * 30, "a\x1b[31mred" * 9])
def test_it_fits(width: int, ratio: bool, name: str):
    lines = forest.draw(group(ratio, name), width)
    assert all(cell_len(line.plain) <= width for line in lines)
    assert all("\x1b" not in line.plain for line in lines)


@pytest.mark.parametrize("ratio", [False, True])
def test_squares_are_in_the_order_of_effects_and_nothing_is_between_them(ratio: bool):
    lines = [line.plain for line in forest.draw(group(ratio), 80)]
    squares = [line.index("■") for line in lines[:3]]
    assert squares == sorted(squares, reverse=True)
    nothing = lines[0].index("┊")
    assert squares[2] < nothing < squares[1]
    # 0.5 and 0.25 stand twice and once as far from nothing.
    assert squares[0] - nothing == pytest.approx(2 * (squares[1] - nothing), abs=1)
    assert lines[3].startswith("  mean")
    assert "◆" in lines[3]
    assert lines[-1].startswith("1 without an effect: model 9")


def test_ascii_is_ascii():
    for line in forest.draw(group(True), 80, Look(None, True)):
        assert line.plain.isascii()


def test_few_models_have_no_mean():
    found = group()
    few = replace(found, models=found.models[:2], result=None)
    assert not any("mean" in line.plain for line in forest.draw(few, 80))


def test_profiles_of_many_models_have_their_mean():
    points = [tuple(ProfilePoint(k, k / 4, value * k, 0, 1) for k in range(5)) for value in (0.1, 0.2, 0.3)]
    cards = [replace(card(place, "f", {}), profile=some) for place, some in enumerate(points)]
    grid, mean = models.mean_profile(cards, 5)
    assert grid == [0, 0.25, 0.5, 0.75, 1]
    assert mean == pytest.approx([0.0, 0.2, 0.4, 0.6, 0.8])
    assert all(len(line) <= 80 for line in models.profiles(cards, 80).plain.splitlines())
