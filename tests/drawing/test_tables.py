"""Tables: what gives way where there is too little room, and what never does."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import pytest
from rich.cells import cell_len

from synergy_tui.drawing.tables import SHORT, WIDEST, as_text, cut

ROWS: list[dict[str, Any]] = [
    {
        "decomposition": f"d3f9a1b{place}",
        "name": name,
        "parameters": 123_456_789_012 + place,
        "rank": value,
        "made": datetime(2026, 3, 4, 5, 6, place),
        "text": text,
    }
    for place, (name, value, text) in enumerate(
        [
            ("SmolLM2-135M-Instruct", -0.0123456, "a sentence that goes on " * 9 + "12345678"),
            ("日本語の長い名前のモデル", 1e-12, "統合情報" * 30),
            ("نموذج لغوي كبير جدا", 987654.0, "מודל שפה " * 20),
            ("plain", None, "short"),
        ]
    )
]
WIDTHS = (40, 60, 80, 120, 200)


@pytest.mark.parametrize("width", WIDTHS)
def test_no_line_is_wider_than_the_terminal_and_ids_and_numbers_are_whole(width):
    shown = as_text(ROWS, width=width)
    assert max(map(cell_len, shown.splitlines())) <= width
    words = shown.split()
    for row in ROWS:
        assert row["decomposition"] in words
        assert str(row["parameters"]) in words
        assert str(row["made"]) in shown
        if row["rank"] is not None:
            assert f"{row['rank']:.6g}" in words


@pytest.mark.parametrize("width", WIDTHS)
def test_no_text_that_is_cut_ends_in_a_part_of_a_number(width):
    rows = [
        {"id": "c3f9a1b2", "n": place, "text": "head 14.5 of c3f9a1b2 has 1,234.5e-10 nats " * 9} for place in (1, 2)
    ]
    for last in re.findall(r"(\S*)…", as_text(rows, width=width)):
        assert not re.search(r"\d", last) or last in ("14.5", "c3f9a1b2", "1,234.5e-10"), last


def test_a_wide_terminal_is_used_to_its_end_and_a_pipe_has_the_width_of_before():
    rows = [{"id": "c1", "text": "word " * 100}]
    shown = as_text(rows, width=200).splitlines()
    assert cell_len(shown[1]) == 200
    assert shown[2].endswith("…")
    assert cell_len(as_text(rows).splitlines()[1]) == len("id") + 2 + WIDEST
    # What is for a pipe is not of its terminal's width.
    many = [{f"c{place}": 10**15 for place in range(20)}]
    assert as_text(many).count("1000000000000000") == 20
    assert len(as_text(many).splitlines()) == 3


def test_the_widest_text_gives_way_first():
    rows = [{"id": "c1", "middle": "m" * 20, "long": "l" * 60}]
    head, line, only = as_text(rows, width=60).splitlines()
    assert only == f"c1  {'m' * 20}  {'l' * 33}…"
    assert cell_len(line) == 60
    assert head.split() == ["id", "middle", "long"]


def test_rows_become_records_where_numbers_have_no_room_beside_each_other():
    rows = [{"id": "c3f9a1b2", "count": 10**18 + place, "share": 0.25, "note": "in words " * 4} for place in (0, 1)]
    assert as_text(rows, width=36) == (
        "id     c3f9a1b2\n"
        "count  1000000000000000000\n"
        "share  0.25\n"
        "note   in words in words in words in\n"
        "       words\n"
        "\n"
        "id     c3f9a1b2\n"
        "count  1000000000000000001\n"
        "share  0.25\n"
        "note   in words in words in words in\n"
        "       words"
    )
    # An id that is wider than what its name leaves has lines of its own.
    wide = as_text([{"subject": "/a/folder/with/a/long/name/of/a/model", "n": 1}], width=39, whole={"subject"})
    assert wide.splitlines() == ["subject", "  /a/folder/with/a/long/name/of/a/model", "n        1"]


def test_names_give_way_before_rows_become_records():
    rows = [{f"{letter}_long_name": 10**7 for letter in "abcd"}]
    assert as_text(rows, width=38).splitlines()[0] == "a_long_…  b_long_…  c_long_…  d_long_…"
    # Unless that would make them the same.
    rows = [{f"a_long_name_{letter}": 10**7 for letter in "abcd"}]
    assert as_text(rows, width=38).splitlines()[0] == "a_long_name_a  10000000"


@pytest.mark.parametrize(
    ("text", "size", "expected"),
    [
        ("short", 5, "short"),
        ("longer", 5, "long…"),
        ("日本語", 5, "日本…"),
        ("日本語", 4, "日…"),
        ("áb́ć", 2, "á…"),
        ("of 12345 heads", 6, "of…"),
        ("of 12345 heads", 9, "of 12345…"),
        ("at 0.25 nats", 6, "at…"),
        ("at 1e-12 nats", 6, "at…"),
        ("at -12 nats", 5, "at…"),
        ("from 12 % on", 8, "from 12…"),
        ("日本語12345です", 9, "日本語…"),
    ],
)
def test_a_cut_is_at_a_character_and_breaks_no_number(text, size, expected):
    assert cut(text, size) == expected
    assert cell_len(cut(text, size)) <= size


def test_a_table_of_no_rows_has_its_names():
    assert as_text([], ["id", "rank"], width=80).splitlines()[0] == "id  rank"


def test_short_text_is_never_cut():
    rows = [{"a": "x" * SHORT, "b": "y" * SHORT, "c": "z" * 80}]
    assert as_text(rows, width=50).splitlines()[2] == f"{'x' * SHORT}  {'y' * SHORT}  {'z' * 13}…"
