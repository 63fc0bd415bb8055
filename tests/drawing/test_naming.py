"""Runs are told apart by what differs, in as few words as it takes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from synergy_tui.drawing.naming import OF_CAPTURE, OF_DECOMPOSITION, told_apart

PLAIN = {"estimator": "gaussian", "redundancy": "mmi", "lag": 1, "surrogates": 0, "nulls": [], "pool": "mean"}
PLAIN |= {"preprocess": "raw", "precision": "float64", "created": datetime(2026, 11, 1, 9, 30), "level": None}


def names(*changes: dict[str, Any]) -> list[str]:
    return told_apart([PLAIN | one for one in changes], OF_DECOMPOSITION)


def test_one_run_says_what_it_was_tested_against():
    assert names({}) == ["no surrogates"]
    assert names({"surrogates": 200, "nulls": ["prompt-shuffle"]}) == ["+200 surrogates"]


def test_runs_are_told_by_the_words_in_which_they_differ():
    assert names({}, {"lag": 2}) == ["no surrogates, gaussian·mmi τ1", "no surrogates, gaussian·mmi τ2"]
    assert names({}, {"surrogates": 200, "nulls": ["phase"]}) == ["no surrogates", "+200 surrogates"]
    assert names({}, {"precision": "float32"}) == ["no surrogates", "no surrogates, float32"]
    assert names({}, {"pool": "pooled"}, {"estimator": "discrete"}) == [
        "no surrogates, gaussian·mmi τ1",
        "no surrogates, gaussian·mmi τ1, pooled",
        "no surrogates, discrete·mmi τ1",
    ]


def test_only_runs_made_alike_are_told_by_their_time():
    later = {"created": datetime(2026, 11, 2, 9, 30)}
    assert names({}, later) == ["no surrogates, 11-01 09:30", "no surrogates, 11-02 09:30"]


def test_levels_of_a_ladder_are_told_by_their_place():
    levels = [{"level": one, "levels": 8} for one in (1, 5, 8)]
    assert names(*levels) == ["level 1 of 8", "level 5 of 8", "level 8 of 8"]


def test_captures_are_told_by_training_decoding_and_units():
    row = {
        "tasks": "cognitive",
        "valid_prompts": 18,
        "steps": 64,
        "kind": "head",
        "decoding": "greedy",
        "dtype": "bf16",
    }
    row |= {"training_step": None, "seed": 0, "created": None}
    rows = [row, row | {"kind": "expert"}, row | {"decoding": "replay"}, row | {"training_step": 4000}]
    assert told_apart(rows, OF_CAPTURE) == [
        "cognitive 18×64",
        "cognitive 18×64, expert",
        "cognitive 18×64, replay",
        "cognitive 18×64, step 4,000",
    ]
