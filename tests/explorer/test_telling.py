"""Words and numbers of views: what fits is whole."""

from __future__ import annotations

import pytest

from synergy_tui.explorer import telling


@pytest.mark.parametrize("rows", range(1, 14))
def test_paragraphs_are_whole_or_not_there(rows):
    texts = ["one " * 20, "two " * 20, "three " * 20]
    found = "\n".join(line.plain for line in telling.paragraphs(texts, 40, rows))
    said = [" ".join(part.split()) for part in found.split("\n\n")]
    assert said == [" ".join(text.split()) for text in texts[: len(said)]]
    assert len(said) == 1 or found.count("\n") < rows


def test_numbers_of_one_kind_have_the_same_decimals():
    assert telling.aligned([0.1341, 0.00302, -0.00005]) == ["0.1341", "0.0030", "-0.0001"]
    assert telling.aligned([177.0, 3.5], True) == ["+177.0", "+3.5"]
    assert telling.aligned([float("nan"), 0.0]) == ["n/a", "0.00"]
    assert telling.aligned([1e30, 1.0]) == ["1.00e+30", "1"]


def test_parts_are_left_out_whole():
    assert telling.fitting(["sts +0.1", "rtr +0.2", "xtx +0.3"], 22) == " sts +0.1   rtr +0.2"
    assert telling.fitting([], 22) == ""
