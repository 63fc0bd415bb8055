"""Plots: what stands on their axes and at their points, to the pixel."""

from __future__ import annotations

import math
import re
from itertools import chain, pairwise
from typing import Any

import numpy as np
import pytest
from rich.cells import cell_len
from rich.text import Text

from synergy_tui.drawing import curves, ladder, scale, ticks
from synergy_tui.drawing.canvas import BOTH
from synergy_tui.drawing.lines import CURSOR_COLOUR
from synergy_tui.drawing.plots import Line, Look, plot, rows

LOOKS = [Look(system, ascii_) for system in (None, "standard", "256", "truecolor") for ascii_ in (False, True)]
COLOURS = Look("256")
WIDTH, HEIGHT = 23, 12
"""Of plots with a canvas of 20 columns and 20 pixels: two columns of labels and the axis, two rows below."""

Cell = tuple[str, int | None, int | None]


def drawn(*lines: Line, look: Look = COLOURS, **more: Any) -> list[list[Cell]]:
    """The cells of the canvas, 20 × 10, of lines between 0 and 19: sign, colour, ground."""
    more = {"limits": (0.0, 19.0)} | more
    # A point of no value at each end keeps the axis from 0 to 19.
    ends = Line([0.0, 19.0], [math.nan, math.nan])
    text = rows([*lines, ends], WIDTH, HEIGHT, look=look, **more)
    return [cells(row)[3:] for row in text[:10]]


def cells(row: Text) -> list[Cell]:
    out: list[Cell] = [(sign, None, None) for sign in row.plain]
    for span in row.spans:
        for place in range(span.start, span.end):
            fore, ground = span.style.color, span.style.bgcolor
            out[place] = (row.plain[place], fore and fore.number, ground and ground.number)
    return out


def pixels(found: list[list[Cell]]) -> list[list[int | None]]:
    """[column][pixel from below] the colour of a pixel, 256 where it is the terminal's own, None where none is."""
    out: list[list[int | None]] = [[] for _ in found[0]]
    for row in reversed(found):
        for column, (sign, fore, ground) in enumerate(row):
            ink = 256 if fore is None else fore
            upper = ink if sign in "█▀" else ground
            lower = ink if sign in "█▄" else ground
            out[column] += [lower, upper] if sign in " █▀▄" else [None, None]
    return out


def inked(found: list[list[Cell]], colour: int) -> list[list[int]]:
    """[column] the pixels of a colour, from below."""
    return [[place for place, one in enumerate(column) if one == colour] for column in pixels(found)]


# Lines


@pytest.mark.parametrize("slope", [1, -1])
def test_a_line_with_the_slope_of_the_canvas_is_its_diagonal(slope):
    line = Line([0, 19], [0, 19][::slope], 208)
    assert inked(drawn(line), 208) == [[place] for place in range(20)[::slope]]


@pytest.mark.parametrize("seed", range(20))
def test_a_line_has_no_gaps_and_passes_its_points(seed):
    values = np.random.default_rng(seed).integers(0, 20, 20 if seed % 2 else 7)
    places = np.linspace(0, 19, len(values)).round()
    found = inked(drawn(Line(places, values, 208)), 208)
    assert all(found)
    for column in found:
        assert column == list(range(column[0], column[-1] + 1))
    for one, other in pairwise(found):
        assert one[0] - 1 <= other[-1]
        assert other[0] - 1 <= one[-1]
    for place, value in zip(places, values, strict=True):
        assert value in found[int(place)]


def test_a_line_between_two_points_is_as_thin_as_a_line_can_be():
    """Bresenham: one pixel a column where it is flat, one pixel a row where it is steep."""
    flat = inked(drawn(Line([0, 19], [3, 9], 208)), 208)
    assert [len(one) for one in flat] == [1] * 20
    steep = inked(drawn(Line([4, 7], [0, 19], 208)), 208)
    assert sorted(chain(*steep)) == list(range(20))


@pytest.mark.parametrize("missing", [math.nan, math.inf, -math.inf])
def test_a_line_is_broken_where_a_value_is_missing(missing):
    found = inked(drawn(Line([0, 5, 10, 15, 19], [4, 4, missing, 4, 4], 208)), 208)
    assert [bool(one) for one in found] == [True] * 6 + [False] * 9 + [True] * 5
    alone = inked(drawn(Line([0, 5, 10], [missing, 7, missing], 208)), 208)
    assert [place for place, one in enumerate(alone) if one] == [5]
    assert alone[5] == [7]


def test_a_line_that_leaves_the_limits_is_cut_at_them():
    found = inked(drawn(Line([0, 10, 19], [-19, 19, 38], 208)), 208)
    assert [bool(one) for one in found] == [False] * 5 + [True] * 6 + [False] * 9
    assert found[10] == [18, 19] or found[10] == [19]


def test_points_out_of_order_are_the_same_line():
    xs, ys = [12.0, 0.0, 19.0, 5.0], [3.0, 8.0, 1.0, 17.0]
    order = np.argsort(xs)
    assert drawn(Line(xs, ys, 208)) == drawn(Line(np.array(xs)[order], np.array(ys)[order], 208))


def test_a_thin_line_turns_where_its_value_does():
    found = drawn(Line([0, 9, 10, 19], [4, 4, 15, 15], 109, thin=True))
    signs = ["".join(sign for sign, *_ in row) for row in found]
    assert signs[2] == " " * 10 + "╭" + "─" * 9
    assert signs[7] == "─" * 10 + "╯" + " " * 9
    assert [row[10] for row in signs[3:7]] == ["│"] * 4
    assert all(fore == 109 for row in found for sign, fore, _ in row if sign != " ")


def test_two_lines_share_a_cell_in_their_own_colours():
    found = drawn(Line([0, 19], [5, 5], 208), Line([0, 19], [4, 4], 32))
    assert set(found[7]) == {("▀", 208, 32)}


def test_a_bold_line_is_in_front_of_a_thin_one():
    found = drawn(Line([0, 19], [4, 4], 208), Line([0, 19], [4, 4], 109, thin=True))
    assert set(found[7]) == {("▄", 208, None)}
    letters = [Line([0, 19], [4, 4], 208, "A"), Line([0, 19], [4, 4], 109, "B", thin=True)]
    assert {sign for sign, *_ in drawn(*letters, look=Look(None, True))[7]} == {"A"}


def test_a_hundred_thousand_points_keep_their_extremes():
    values = np.full(100_000, 6.0)
    values[40_000], values[70_001] = 19, 0
    line = Line(np.linspace(0, 19, len(values)), values, 208)
    found = inked(drawn(line), 208)
    assert found[round(19 * 0.4)] == list(range(6, 20))
    assert found[round(19 * 0.70001)] == list(range(7))
    assert sum(len(one) == 1 for one in found) == 18


# Bands


def test_a_band_covers_what_is_between_its_ends_and_no_more():
    middle = Line([0, 19], [9, 9], 208, low=[5, 5], high=[12, 12], band=True)
    faint = scale.faint(208, True)
    assert inked(drawn(middle), faint) == [[5, 6, 7, 8, 10, 11, 12]] * 20
    assert inked(drawn(middle), 208) == [[9]] * 20
    slope = Line([0, 15], [math.nan] * 2, 208, low=[0, 15], high=[4, 19], band=True)
    assert inked(drawn(slope), faint) == [list(range(place, place + 5)) for place in range(16)] + [[]] * 4


def test_a_band_is_missing_where_an_end_is_and_reaches_the_edge_where_it_is_infinite():
    some = Line([0, 5, 10, 19], [9] * 4, 208, low=[5, 5, math.nan, 5], high=[12, 12, 12, 12], band=True)
    faint = scale.faint(208, True)
    assert [bool(one) for one in inked(drawn(some), faint)] == [True] * 6 + [False] * 13 + [True]
    open_ = Line([0, 19], [9, 9], 208, low=[5, 5], high=[math.inf] * 2, band=True)
    assert inked(drawn(open_), faint)[4] == [5, 6, 7, 8, *range(10, 20)]


def test_where_bands_overlap_there_is_a_colour_of_neither():
    one = Line([0, 19], [math.nan] * 2, 208, low=[2, 2], high=[9, 9], band=True)
    other = Line([0, 19], [math.nan] * 2, 32, low=[6, 6], high=[15, 15], band=True)
    found = drawn(one, other)
    lower, upper = inked(found, scale.faint(208, True)), inked(found, scale.faint(32, True))
    both = inked(found, BOTH[True])
    for column in range(20):
        assert lower[column] == [2, 3, 4, 5]
        assert both[column] == [6, 7, 8, 9]
        assert upper[column] == [10, 11, 12, 13, 14, 15]


@pytest.mark.parametrize("look", [Look(), Look("standard"), Look("256", True)])
def test_without_a_colour_of_their_own_bands_are_shades(look):
    one = Line([0, 19], [math.nan] * 2, 208, low=[2, 2], high=[9, 9], band=True)
    other = Line([0, 19], [math.nan] * 2, 32, low=[6, 6], high=[15, 15], band=True)
    signs = ["".join(sign for sign, *_ in row) for row in drawn(one, other, look=look)]
    shade, twice = (":", "%") if look.ascii else ("░", "▒")
    assert signs == [" " * 20] * 2 + [shade * 20] * 3 + [twice * 20] * 2 + [shade * 20] * 2 + [" " * 20]


# Points, bars, the cursor, zero


def test_an_interval_is_a_bar_on_its_point():
    line = Line([0, 8, 19], [9, 9, 9], 208, low=[9, 3, math.nan], high=[9, 16, 12], marked=True)
    found = drawn(line)
    assert [row[8][0] for row in found] == [" ", "┬", "│", "│", "│", "●", "│", "│", "┴", " "]
    assert {fore for row in found for sign, fore, _ in [row[8]] if sign != " "} == {208}
    assert found[5][0][0] == found[5][19][0] == "●"
    assert not any(sign in "┬┴│" for row in found for place, (sign, *_) in enumerate(row) if place != 8)
    plain = drawn(line, look=Look(None, True))
    assert [row[8][0] for row in plain] == [" ", "|", "|", "|", "|", "o", "|", "|", "|", " "]


def test_a_bar_without_an_end_reaches_the_edge():
    found = drawn(Line([8], [9], 208, low=[-math.inf], high=[12], marked=True))
    assert [row[8][0] for row in found] == [" ", " ", " ", "┬", "│", "●", "│", "│", "│", "│"]


@pytest.mark.parametrize("look", LOOKS)
def test_the_cursor_is_seen_in_every_colour_mode(look):
    line = Line([0, 19], [9, 9], 208, marked=True)
    text = rows([line], WIDTH, HEIGHT, limits=(0.0, 19.0), cursor=7, look=look)
    bare = rows([line], WIDTH, HEIGHT, limits=(0.0, 19.0), look=look)
    rule, under = ("'", "^") if look.ascii else ("┊", "▲")
    column = [cells(row)[3 + 7] for row in text]
    assert [sign for sign, *_ in column[:10]].count(rule) == 9
    assert column[10][0] == under
    assert rule not in "".join(row.plain for row in bare)
    assert under not in bare[10].plain
    if look.system:
        assert {fore for sign, fore, _ in column[:11]} == {CURSOR_COLOUR}
    for row, other in zip(text, bare, strict=True):  # nothing else moves
        assert row.plain[:10] + row.plain[11:] == other.plain[:10] + other.plain[11:]


def test_a_cursor_beyond_the_axis_is_not_drawn():
    line = Line([0, 19], [9, 9], 208)
    for place in (-1, 20, math.nan, math.inf):
        assert plot([line], WIDTH, HEIGHT, cursor=place) == plot([line], WIDTH, HEIGHT)


def test_zero_is_a_rule_where_it_is_inside():
    found = drawn(Line([0, 19], [5, 5], 208), limits=(-9.5, 9.5))
    assert [sum(sign == "╌" for sign, *_ in row) for row in found].count(20) == 1
    assert not any(sign == "╌" for row in drawn(Line([0, 19], [5, 5], 208)) for sign, *_ in row)


@pytest.mark.parametrize("look", [Look(), Look("standard"), Look("256", True)])
def test_lines_are_told_by_letters_where_colours_do_not(look):
    lines = [Line(range(20), [3 + 5 * one] * 20, 208, letter) for one, letter in enumerate("ABC")]
    found = drawn(*lines, look=look)
    for one, letter in enumerate("ABC"):
        row = "".join(sign for sign, *_ in found[9 - (3 + 5 * one) // 2])
        assert letter in row
        assert not set("ABC") - {letter} & set(row)
    marked = drawn(*(line._replace(xs=[4, 12], ys=line.ys[:2], marked=True) for line in lines), look=look)
    sign = "o" if look.ascii else "B"
    assert [marked[5][place][0] for place in (4, 12)] == [sign, sign]


def test_lines_of_one_colour_have_letters_where_there_are_colours():
    twins = [Line([0, 19], [9 * one, 9 * one], 208, letter) for one, letter in enumerate("AB")]
    assert {"A", "B"} <= {sign for row in drawn(*twins) for sign, *_ in row}
    other = [twins[0], twins[1]._replace(colour=32)]
    assert not {"A", "B"} & {sign for row in drawn(*other) for sign, *_ in row}


# Axes


def test_ticks_are_round_and_their_labels_alike():
    assert [one.label for one in ticks.round_numbers(0, 1, 6)] == ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]
    assert [one.label for one in ticks.round_numbers(-0.13, 0.22, 4)] == ["-0.1", "0.0", "0.1", "0.2"]
    assert [one.label for one in ticks.round_numbers(0, 100, 3)] == ["0", "50", "100"]
    assert [one.label for one in ticks.round_numbers(0, 4.3e30, 5)] == ["0", "1e30", "2e30", "3e30", "4e30"]
    assert [one.label for one in ticks.round_numbers(1.1e-30, 1.9e-30, 4)] == [
        "1.2e-30",
        "1.4e-30",
        "1.6e-30",
        "1.8e-30",
    ]
    assert [one.label for one in ticks.round_numbers(8999, 9001, 5)] == [
        "8999.0",
        "8999.5",
        "9000.0",
        "9000.5",
        "9001.0",
    ]
    assert ticks.even([0, 0.05, 0.1, 0.25]) == {0: "0.00", 0.05: "0.05", 0.1: "0.10", 0.25: "0.25"}


@pytest.mark.parametrize("seed", range(200))
def test_ticks_of_any_axis(seed):
    rng = np.random.default_rng(seed)
    size = 10.0 ** rng.integers(-30, 30)
    low, high = sorted(rng.normal(size=2) * size)
    for most in (2, 3, 5, 9):
        found = ticks.round_numbers(low, high, most)
        assert 2 <= len(found) <= most + 2
        assert all(low - 1e-6 * (high - low) <= one.value <= high + 1e-6 * (high - low) for one in found)
        steps = np.diff([one.value for one in found])
        assert steps == pytest.approx(steps[0], rel=1e-6)
        first = float(f"{steps[0]:.6e}".split("e")[0])
        assert min(abs(first - one) for one in (1, 2, 5, 10)) < 1e-3
        assert all(float(one.label) == pytest.approx(one.value, rel=1e-9) for one in found)
        assert len({one.label.partition("e")[0].partition(".")[2].__len__() for one in found}) == 1


def test_labels_stand_at_their_values():
    line = Line([0, 100], [0, 10], 208)
    text = [row.plain for row in rows([line], 60, 23)]
    for place, row in enumerate(text[:21]):  # 42 pixels from 0 to 10
        if "┤" in row:
            value = float(row.partition("┤")[0])
            assert place == (41 - math.floor(value / 10 * 41 + 0.5)) // 2
    assert [float(row.partition("┤")[0]) for row in text if "┤" in row] == [10, 8, 6, 4, 2, 0]
    marks = [place for place, sign in enumerate(text[21]) if sign == "┬"]
    labels = re.findall(r"\d+", text[22])
    left = text[0].index("┤") + 1
    assert marks == [left + round(int(one) / 100 * (59 - left)) for one in labels]
    assert labels[0] == "0"
    assert labels[-1] == "100"


@pytest.mark.parametrize("seed", range(60))
def test_labels_of_an_axis_are_whole_and_apart(seed):
    rng = np.random.default_rng(seed)
    names = {
        float(place): "".join(rng.choice(list("abcdefgh"), rng.integers(1, 15))) for place in range(rng.integers(1, 30))
    }
    width = int(rng.integers(20, 200))
    if seed % 2:
        names = {place**2: name for place, name in names.items()}
    text = [row.plain for row in rows([Line(list(names), list(names), 208)], width, 12, names=names)]
    shown = text[-1].split()
    assert set(shown) <= set(names.values())
    assert shown or min(map(len, names.values())) > width - 8
    order = iter(names.values())
    assert all(one in order for one in shown)  # none twice, all in their order
    assert "  ".join(shown) in re.sub(" {3,}", "  ", text[-1])


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-1e30, 2e30), (1e-30, 4e-30), (123456, 123457), (-0.004, 0.009)])
def test_labels_of_the_y_axis_are_never_cut(low, high):
    for width in range(1, 80):
        for row in rows([Line([0, 1], [low, high], 208)], width, 12)[:10]:
            label = re.match(r"\s*([-\de.]+)┤", row.plain)
            if label:
                value = float(label[1])
                assert low - 1e-9 * abs(low) <= value <= high + 1e-9 * abs(high)
    wide = [row.plain for row in rows([Line([0, 1], [low, high], 208)], 80, 12)]
    assert sum("┤" in row for row in wide) >= 2
    assert len({row.index("┤") for row in wide if "┤" in row}) == 1


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
    text = ladder.draw(levels("1", "5", "8"), "contrast", 70, 14).plain
    axes = [line.split() for line in text.splitlines() if line.strip().startswith("1 ")]
    assert axes == [["1", "5", "8"]] * 2
    assert "unfinished" not in text


def test_names_that_do_not_fit_are_left_out_whole():
    names = [f"a long name {n:02d}" for n in range(1, 13)]
    for width in (40, 70, 120, 200):
        text = ladder.draw(levels(*names), "contrast", width, 14).plain
        whole = re.findall(r"a long name \d\d", text)
        assert whole
        assert text.count("a long") == len(whole)
        assert len(whole) * 16 <= 2 * width  # on the axes of two plots


def test_plots_of_the_same_levels_agree_above_each_other():
    text = ladder.draw(levels(*"12345678"), "contrast", 70, 14).plain.splitlines()
    one, other = [line for line in text if line.lstrip().startswith("└")]
    assert one == other


def test_a_level_without_a_value_keeps_its_place():
    found = levels("1", "2", "3")
    found["curves"]["contrast"][2] |= {"value": None, "low": None, "high": None}
    text = ladder.draw(found, "contrast", 70, 14).plain.splitlines()
    one, other = [line for line in text if line.lstrip().startswith("└")]
    assert one == other
    assert one.count("┬") == 3
    found["curves"]["contrast"].pop()
    assert ladder.draw(found, "contrast", 70, 14).plain.splitlines() == text


def test_a_control_has_the_band_of_its_seeds_and_the_measured_fractions_on_its_axis():
    def curve(values: list[float], seed: int | None = None) -> dict[str, Any]:
        nothing = [1.0] * len(values)
        more = {"divergence": values, "top1": nothing, "perplexity_ratio": nothing}
        return {"seed": seed, "target": None, "fraction": [0.1, 0.25]} | more

    orders = {
        "synergy-first": {"curves": [curve([1.0, 2.0])]},
        "random": {"curves": [curve([0.2 + one / 10, 0.5 + one / 10], one) for one in range(5)]},
    }
    text = curves.draw(orders, 70)
    assert "░" in text.plain
    assert "synergy-first" in text.plain
    assert "random" in text.plain
    assert re.search(r"0\.00 +0\.10 +0\.25 *$", text.plain, re.MULTILINE)
    assert curves.band([0.0, 1.0, math.nan, 2.0, 3.0, 4.0]) == pytest.approx((0.2, 3.8))
    assert all(map(math.isnan, curves.band([math.nan])))
    alone = curves.draw({"synergy-first": orders["synergy-first"]}, 70).plain
    assert "░" not in alone
    assert "bands" not in alone


# Words around


def test_a_legend_is_inside_and_whole():
    lines = [Line([0, 1], [one, one], 208 + one, name=f"line number {one}") for one in range(4)]
    for width in (20, 40, 80):
        text = [row.plain for row in rows(lines, width, 16, "a title", "below", look=COLOURS)]
        assert len(text) == 16
        told = " ".join(text)
        assert all(f"━ line number {one}" in told for one in range(4))
        assert "a title" in told
        assert "below" in told


def test_words_come_last_when_there_is_little_room():
    line = Line([0, 1], [0, 1], 208, name="a name")
    text = {
        height: "\n".join(row.plain for row in rows([line], 40, height, "a title", "below")) for height in range(1, 9)
    }
    assert ["└" in text[height] for height in (3, 4, 5, 6, 7, 8)] == [False, True, True, True, True, True]
    assert ["a name" in text[height] for height in (5, 6, 7, 8)] == [False, True, True, True]
    assert ["a title" in text[height] for height in (5, 6, 7, 8)] == [False, False, True, True]
    long = rows([line], 20, 12, "words that have no room in this plot")[0].plain
    assert long.strip() == "words that have no …"


# Whatever is given


ODD: list[list[float]] = [
    [],
    [3.0],
    [math.nan] * 5,
    [math.inf, -math.inf, math.nan],
    [math.inf, 1.0, 2.0, -math.inf],
    [2.5] * 9,
    [0.0] * 9,
    [1e30, -1e30, 0.0],
    [1e-30, 3e-30, 2e-30],
    [1.7e308, -1.7e308],
    [5e-324, 0.0],
    [1e9, 1e9 + 1e-6],
    list(np.random.default_rng(0).normal(size=300)),
]
SIZES = [(1, 1), (2, 1), (1, 9), (3, 3), (5, 5), (16, 4), (40, 12), (250, 60), (250, 2), (7, 60)]


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("look", [Look(), Look("256"), Look("256", True), Look("standard", dark=False)])
def test_any_values_fill_exactly_the_size(size, look):
    width, height = size
    for ys in ODD:
        xs = range(len(ys))
        for more in ({}, {"marked": True}, {"thin": True, "band": True}, {"joined": False}):
            line = Line(xs, ys, 208, name="名前", low=[y - 1 for y in ys], high=[y + 1 for y in ys], **more)
            for names in (None, {float(x): f"名{x}" for x in xs}):
                text = rows([line, line], width, height, "a title", "below", None, names, 1.0, look)
                assert len(text) == height
                assert {cell_len(row.plain) for row in text} == {width}
                assert not look.ascii or set("".join(row.plain for row in text)) - set("名前…") < set(
                    map(chr, range(127))
                )


def test_what_is_constant_lies_in_the_middle():
    for value in (2.5, -3e30, 4e-30, 0.0):
        text = [row.plain for row in rows([Line([0, 1], [value, value], 208)], 40, 13)]
        place = next(place for place, row in enumerate(text) if set("▀▄█") & set(row))
        assert place == 5


def test_nothing_is_said_to_be_nothing():
    for ys in ([], [math.nan, math.nan], [math.inf]):
        text = plot([Line(range(len(ys)), ys)], 40, 9).plain
        assert text.split() == ["nothing", "measured"]
        assert [len(row) for row in text.split("\n")] == [40] * 9


def test_x_may_be_missing_or_all_the_same():
    found = drawn(Line([5, math.nan, math.inf, 12], [9, 9, 9, 9], 208, joined=False, marked=True))
    assert [place for place, (sign, *_) in enumerate(found[5]) if sign == "●"] == [5, 12]
    text = [row.plain for row in rows([Line([7, 7], [0, 1], 208)], 41, 12)]
    assert len({row.index("█") for row in text if "█" in row}) == 1
    assert text[-1].strip() == "7"


def test_on_a_light_ground_lines_are_dark():
    line = Line([0, 19], [9, 9], 208, low=[5, 5], high=[12, 12], band=True)
    colours = {one for column in pixels(drawn(line, look=Look("256", dark=False))) for one in column}
    dark = scale.on_light(208)
    assert colours == {None, dark, scale.faint(dark, False)}
