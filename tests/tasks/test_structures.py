"""The pairs that alignment is measured by have a structure in common, and nothing else."""

from __future__ import annotations

import re

from synergy_tui.tasks.structures import structures


def test_no_word_is_on_both_sides_and_length_says_nothing() -> None:
    found = structures()
    assert len(set(found.names)) == len(set(found.one)) == len(set(found.other)) == 48
    words = [[one.lower().split() for one in side] for side in (found.one, found.other)]
    assert {len(one) for side in words for one in side} == {9}
    assert not {word for one in words[0] for word in one} & {word for one in words[1] for word in one}
    assert all(re.fullmatch("[A-Za-z ]+", one) for one in (*found.one, *found.other))
