"""Whether synergy predicts removal better than other scores, in words."""

from __future__ import annotations

from typing import Any

from synergy_tui.drawing.predicting import in_one, sentences


def row(
    other: str, verdict: str, difference: float, reach: float | None, partial: float | None = None
) -> dict[str, Any]:
    ends = {"low": None, "high": None} if reach is None else {"low": difference - reach, "high": difference + reach}
    within = {"partial": partial, "partial_low": None, "partial_high": None}
    return {
        "ranking": "rank-difference",
        "other": other,
        "verdict": verdict,
        "difference": difference,
        **ends,
        **within,
    }


ROWS = [
    row("attribution", "worse", -0.4, 0.2, -0.3),
    row("norm", "undecided", 0.1, None),
    row("induction", "better", 0.5, 0.1),
    row("retrieval", "better", 0.25, 0.05),
]


def test_each_is_a_sentence():
    assert sentences(ROWS) == [
        "rank-difference predicts removal worse than attribution: −0.40 [−0.60, −0.20], within layers −0.30.",
        "Whether rank-difference predicts removal better than norm is undecided: +0.10.",
        "rank-difference predicts removal better than induction: +0.50 [+0.40, +0.60].",
        "rank-difference predicts removal better than retrieval: +0.25 [+0.20, +0.30].",
    ]
    assert sentences([]) == []


def test_or_all_are_one():
    assert in_one(ROWS) == (
        "rank-difference predicts removal better than induction +0.50 [+0.40, +0.60], retrieval +0.25 [+0.20, +0.30]; "
        "worse than attribution −0.40 [−0.60, −0.20]; no better and no worse, as far as is known, than norm +0.10."
    )
    assert in_one([]) == ""
