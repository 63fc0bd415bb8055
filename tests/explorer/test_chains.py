"""The list of jobs: which rows there are, in which order, and what words find."""

from __future__ import annotations

import pytest

from synergy_tui.explorer.chains import SORTS, matches, rows

JOBS = [
    {"id": "d0", "kind": "decompose", "state": "done", "after": None, "progress": 1.0},
    {"id": "c1", "kind": "capture", "state": "done", "after": None, "progress": 1.0},
    {"id": "d1", "kind": "decompose", "state": "running", "after": "c1", "progress": 0.4},
    {"id": "k1", "kind": "claims", "state": "queued", "after": "d1", "progress": 0.0},
    {"id": "a2", "kind": "ablate", "state": "failed", "after": None, "progress": 0.8},
    {"id": "l3", "kind": "ladder", "state": "queued", "after": None, "progress": 0.0},
]


def test_jobs_that_wait_for_each_other_are_one_row_that_opens() -> None:
    folded = rows(JOBS)
    assert [one.key for one in folded] == ["chain k1", "l3", "a2", "d0"]
    chain = folded[0]
    assert (chain.state, chain.counted, chain.job["id"]) == ("running", "1 of 3 done", "d1")
    assert chain.progress == pytest.approx(1.4 / 3)
    assert chain.going == ["d1", "k1"]
    opened = rows(JOBS, opened={"chain k1"})
    assert [(one.key, one.inside) for one in opened[:5]] == [
        ("chain k1", False),
        ("c1", True),
        ("d1", True),
        ("k1", True),
        ("l3", False),
    ]


def test_a_chain_tells_its_worst_job() -> None:
    def chain(*states: str) -> tuple[str, str]:
        jobs = [
            {"id": f"j{place}", "kind": "capture", "state": state, "after": f"j{place - 1}"}
            for place, state in enumerate(states)
        ]
        (row,) = rows(jobs)
        return row.state, row.counted

    assert chain("done", "failed", "queued") == ("failed", "1 of 3 done, 1 failed")
    assert chain("done", "paused", "queued") == ("paused", "1 of 3 done")
    assert chain("failed", "running", "queued") == ("running", "0 of 3 done, 1 failed")
    assert chain("done", "cancelled", "done") == ("cancelled", "2 of 3 done")
    assert chain("done", "done") == ("done", "2 of 2 done")


SWEPT = [
    {"id": "c1", "kind": "capture", "state": "done", "after": None, "progress": 1.0},
    {
        "id": "w1",
        "kind": "sweep",
        "state": "paused",
        "progress": 0.25,
        "stages": [{"unit": "cells", "done": 1, "total": 3, "kept": 1}],
    },
    {"id": "c2", "kind": "capture", "state": "done", "sweep": "w1", "progress": 1.0},
    {"id": "d2", "kind": "decompose", "state": "failed", "after": "c2", "sweep": "w1", "progress": 0.5},
    {"id": "d1", "kind": "decompose", "state": "running", "after": "c1", "progress": 0.5},
    # One that waits for a job from before the sweep, and one whose sweep is no longer there.
    {"id": "d3", "kind": "decompose", "state": "paused", "after": "c1", "sweep": "w1", "progress": 0.1},
    {"id": "d4", "kind": "decompose", "state": "done", "after": None, "sweep": "w0", "progress": 1.0},
]


def test_a_sweep_and_the_jobs_of_its_cells_are_one_row_that_opens() -> None:
    folded = rows(SWEPT, "newest")
    assert [one.key for one in folded] == ["d4", "chain w1", "chain d1"]
    swept = folded[1]
    assert (swept.name, folded[2].name, folded[0].name) == ("sweep", "decompose chain", "decompose")
    # Its own state and progress, and its own job to pause or resume, whatever its jobs do.
    assert (swept.state, swept.progress, swept.job["id"], swept.going) == ("paused", 0.25, "w1", ["d3", "w1"])
    assert swept.counted == "2 of 4 cells, 1 failed"
    opened = rows(SWEPT, "newest", opened={"chain w1"})
    assert [one.last["id"] for one in opened if one.inside] == ["c2", "d2", "d3", "w1"]


def test_rows_are_sorted_as_asked_and_the_newest_is_first_among_equals() -> None:
    found = {sort: [one.key for one in rows(JOBS, sort)] for sort in SORTS}
    assert found == {
        "state": ["chain k1", "l3", "a2", "d0"],
        "newest": ["l3", "a2", "chain k1", "d0"],
        "kind": ["a2", "chain k1", "d0", "l3"],
        "progress": ["d0", "a2", "chain k1", "l3"],
    }


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("ladder", ["l3"]),
        ("LADDER", ["l3"]),
        ("laddre", ["l3"]),
        ("ldr", ["l3"]),
        ("done", ["chain k1", "d0"]),
        ("decompose done", ["d0"]),
        ("done decompose", ["d0"]),
        ("a2", ["a2"]),
        ("smol", ["chain k1", "d0"]),
        ("smollm capt", ["chain k1"]),
        ("qwen", ["a2"]),
        ("", ["chain k1", "l3", "a2", "d0"]),
        ("xyz", []),
        ("dr", []),
    ],
)
def test_words_find_jobs_by_kind_id_subject_and_state(words: str, found: list[str]) -> None:
    subjects = {"d0": "SmolLM2-135M", "c1": "SmolLM2-135M", "a2": "Qwen3-0.6B"}
    assert [one.key for one in rows(JOBS, words=words, subjects=subjects)] == found


def test_an_open_chain_shows_only_the_jobs_that_match() -> None:
    assert [one.key for one in rows(JOBS, words="capture", opened={"chain k1"})] == ["chain k1", "c1"]


def test_letters_of_an_id_are_not_guessed() -> None:
    job = {"id": "c1a2b3d4e", "kind": "capture", "state": "done"}
    assert matches(["a2b"], job, "")
    assert not matches(["abd"], job, "")
