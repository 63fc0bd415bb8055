"""Ladders from names and files to a finished one in the cache, on the screen and gone again; and what is refused."""

from __future__ import annotations

import builtins
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from driving import drive, settle

from synergy_tui.errors import MeasureError, TaskError, UsageError
from synergy_tui.jobs import plan
from synergy_tui.jobs.folder import JobFolder
from synergy_tui.jobs.specs import LadderRequest, Spec
from synergy_tui.jobs.worker import capture, ladder
from synergy_tui.jobs.worker.progress import Progress
from synergy_tui.store import archive, check, load
from synergy_tui.store import run as stored
from synergy_tui.store.cache import Cache
from synergy_tui.store.publish import delete
from synergy_tui.tasks import gym, ladder_made, ladders
from synergy_tui.tasks.verifiers import grade

pytestmark = pytest.mark.usefixtures("one_thread")


# What a ladder is


@pytest.mark.slow
@pytest.mark.parametrize("name", ladders.SHIPPED)
def test_shipped_ladders_are_whole_and_made_from_their_seeds(name, tmp_path):
    found = ladders.load(name)
    assert len(found.levels) == 8
    assert [len(found.on(level)) for level in range(8)] == [40] * 8
    assert len({one.text for one in found.prompts}) == 320
    ladder_made.main(tmp_path)
    from synergy_tui.settings import shipped

    assert (tmp_path / f"{name}.jsonl").read_bytes() == shipped(f"ladders/{name}.jsonl").read_bytes()


def test_levels_and_prompts_are_chosen_evenly_and_again_the_same():
    whole = ladders.load("word-sorting")
    some = ladders.select(whole, 3, 5, seed=1)
    assert some.levels == ("1", "5", "8")
    assert [len(some.on(level)) for level in range(3)] == [5, 5, 5]
    assert some.hash == ladders.select(whole, 3, 5, seed=1).hash != ladders.select(whole, 3, 5, seed=2).hash


def _own(folder: Path, rows: list[dict[str, Any]], name: str = "own.jsonl") -> str:
    path = folder / name
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return str(path)


def test_a_ladder_of_ones_own_by_its_columns(tmp_path):
    rows = [{"q": f"{a} + {b}?", "hard": 10 - a, "a": a + b} for a in range(9) for b in range(3)]
    found = ladders.load(_own(tmp_path, rows), level_column="hard", answer_column="a", text_column="q")
    assert found.levels == tuple(str(level) for level in range(2, 11))
    assert {one.verifier for one in found.prompts} == {"number"}
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "own.parquet")
    columns = {"level_column": "hard", "answer_column": "a", "text_column": "q"}
    assert ladders.load(str(tmp_path / "own.parquet"), **columns).levels == found.levels


def test_the_usual_benchmarks_from_their_files(tmp_path):
    arc = {"id": "x", "question": "Which?", "choices": {"text": ["a", "b"], "label": ["1", "2"]}, "answerKey": "2"}
    for level in ("ARC-Easy", "ARC-Challenge"):
        (tmp_path / "arc" / level).mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist([arc] * 3), tmp_path / "arc" / level / "test-00000-of-00001.parquet")
    found = ladders.load(f"arc:{tmp_path / 'arc'}")
    assert (found.levels, found.prompts[0].answer, found.prompts[0].verifier) == (("Easy", "Challenge"), "B", "choice")

    maths = [{"problem": "1+1", "level": f"Level {k}", "solution": "so \\boxed{2}"} for k in (3, 1, 2)]
    found = ladders.load(f"math:{_own(tmp_path, [*maths, maths[0] | {'level': 'Level ?'}], 'math.jsonl')}")
    assert (found.levels, found.prompts[0].answer) == (("Level 1", "Level 2", "Level 3"), "2")

    grade_school = [{"question": "How many?", "answer": "step\n" * k + "#### 1,2"} for k in (2, 12, 3)]
    found = ladders.load(f"gsm8k:{_own(tmp_path, grade_school, 'gsm8k.jsonl')}")
    assert found.levels == ("2 steps", "3 steps", "8 steps")

    subjects = ("college_physics", "elementary_mathematics", "virology", "high_school_biology")
    rows = [{"question": "Q", "subject": one, "choices": ["w", "x", "y", "z"], "answer": 3} for one in subjects]
    found = ladders.load(f"mmlu:{_own(tmp_path, rows, 'mmlu.jsonl')}")
    assert (found.levels, found.prompts[0].answer) == (("elementary", "high school", "college"), "D")


def test_a_family_of_reasoning_gym_by_its_curriculum():
    pytest.importorskip("reasoning_gym")
    found = ladders.load("reasoning-gym:letter_counting", prompts=3, seed=1)
    assert len(found.levels) == gym.LEVELS
    again = ladders.load("reasoning-gym:letter_counting", prompts=3, seed=1)
    assert again.hash == found.hash != ladders.load("reasoning-gym:letter_counting", prompts=3, seed=2).hash
    one = found.prompts[0]
    for said, expected in (
        (f"<answer>{one.answer}</answer>", "right"),
        ("The answer is: none", "wrong"),
        ("", "unparsable"),
    ):
        assert grade(one.verifier, said, "", one.entry).name == expected
    assert grade(one.verifier, "Let me see", "", one.entry, ended=False).name == "unfinished"
    with pytest.raises(TaskError, match=r"no curriculum 'leter_counting' · near it: letter_counting"):
        ladders.load("reasoning-gym:leter_counting")


# What is refused


def test_without_reasoning_gym_its_install_line_is_named(monkeypatch):
    real = builtins.__import__

    def without(name, *rest, **more):
        if name.startswith("reasoning_gym"):
            raise ImportError("No module named 'reasoning_gym'")
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(TaskError, match=r'pip install "synergy-tui\[difficulty\]"'):
        ladders.load("reasoning-gym:chain_sum")


GOOD = {"text": "1 + 1?", "answer": "2"}


@pytest.mark.parametrize(
    ("rows", "chosen", "told"),
    [
        ([GOOD | {"level": 1}], {"level_column": "nope"}, "no column 'nope' for the level; it has text, answer, level"),
        ([GOOD | {"level": 1}], {"answer_column": "nope"}, "no column 'nope' for the answer"),
        ([GOOD], {}, "no column level or difficulty"),
        ([GOOD | {"level": 1}, GOOD | {"level": 2, "text": " "}], {}, "prompt 2 of"),
        ([GOOD | {"level": None}], {}, "has no level in the column level"),
        ([GOOD | {"level": 1, "answer": ""}], {}, "has no answer in the column answer"),
        ([GOOD | {"level": k} for k in range(90)], {}, "90 levels, more than 40"),
        ([GOOD | {"level": 1, "text": "\ud800"}], {}, "half a character"),
        ([GOOD | {"level": 1, "text": "a\0b"}], {}, "NUL character"),
        ([GOOD | {"level": 1, "id": "x"}, GOOD | {"level": 2, "id": "x"}], {}, "several prompts with the id 'x'"),
        ([GOOD | {"level": 1, "verifier": "eval"}], {}, "has the verifier 'eval'"),
        ([GOOD | {"level": 1}], {"verifier": "eval"}, "no verifier 'eval'"),
        ([], {}, "has no prompts"),
    ],
)
def test_files_that_are_no_ladder(tmp_path, rows, chosen, told):
    with pytest.raises(TaskError) as error:
        ladders.load(_own(tmp_path, rows), **chosen)
    assert told in str(error.value)


def test_other_things_that_are_no_ladder(tmp_path):
    for content in ("[1]\n", "{not json\n", "[" * 5000):
        (tmp_path / "x.jsonl").write_text(content)
        with pytest.raises(TaskError, match=r"no object|no JSON"):
            ladders.load(str(tmp_path / "x.jsonl"))
    (tmp_path / "x.parquet").write_bytes(b"PAR1 and nothing")
    with pytest.raises(TaskError, match="no Parquet"):
        ladders.load(str(tmp_path / "x.parquet"))
    with pytest.raises(TaskError, match="no ladder 'nothing'"):
        ladders.load("nothing")
    with pytest.raises(TaskError, match="cannot be fetched from the hub"):
        ladders.load("gsm8k")
    with pytest.raises(TaskError, match="neither ARC-Easy nor ARC-Challenge"):
        ladders.load(f"arc:{_own(tmp_path, [GOOD], 'other.jsonl')}")


@pytest.mark.slow
def test_what_cannot_be_measured_is_said_before_a_model_is_loaded(tmp_path, tiny):
    cache = Cache.open(tmp_path / "cache")

    def asked(**chosen: Any) -> None:
        plan.difficulty(cache, tmp_path, LadderRequest(subject=str(tiny), **chosen))

    for chosen, told in (
        ({"levels": 9}, "has 8 levels, not 9"),
        ({"levels": 1}, "nothing to compare"),
        ({"prompts": 3}, "no spread"),
        ({"order_parameter": "magic"}, "no order parameter 'magic'"),
        ({"ranking": "z"}, "no ranking 'z'"),
        ({"surrogates": 3}, "too few"),
        ({"steps": 10}, "below min-steps"),
        ({"ladder": _own(tmp_path, [GOOD | {"level": k} for k in (1, 2)])}, "a spread needs 5"),
    ):
        with pytest.raises(UsageError) as error:
            asked(**chosen)
        assert told in str(error.value)


# The chain


def _work(cache: Cache, name: str, kind: Any, spec: Spec) -> JobFolder:
    """A job done in this process."""
    job = JobFolder(cache.jobs / name)
    job.shards.mkdir(parents=True, exist_ok=True)
    with Progress(job, {"id": name, "kind": "", "state": "running", "stage": "", "progress": 0.0}) as progress:
        kind.work(job, spec, progress)
    return job


def _chain(cache: Cache, subject: Path, name: str, **chosen: Any) -> dict[str, Any]:
    first, last = plan.difficulty(cache, cache.folder, LadderRequest(subject=str(subject), **chosen)).links
    capture_id = first.found or _work(cache, f"c{name}", capture, first.plan.spec).id
    _work(cache, f"l{name}", ladder, last.spec([capture_id]))
    return load.ladder(cache, f"l{name}")


ASKED = {"prompts": 5, "steps": 24, "surrogates": 20}


@pytest.fixture(scope="module")
def climbed(tmp_path_factory, tiny) -> tuple[Cache, dict[str, Any]]:
    """A cache with a ladder of eight levels climbed by the tiny subject."""
    cache = Cache.open(tmp_path_factory.mktemp("climbed") / "cache")
    return cache, _chain(cache, tiny, "01234567", ladder="word-sorting", **ASKED)


@pytest.mark.slow
def test_a_ladder_is_climbed_from_end_to_end(climbed, tiny):
    cache, found = climbed
    assert found["levels"] == 8
    assert found["prompts_per_level"] == 5
    assert found["verdict"] in ("transition", "gradual", "no change", "inconclusive")
    assert found["sentence"].startswith("contrast: ")
    assert set(found["curves"]) == set(found["verdicts"])
    captured = load.one(cache, "capture", found["capture"])
    assert found["subject"] == captured["subject"]
    assert load.newest_ladder(cache, captured["subject"])["ladder"] == found["ladder"]
    graded = load.rows(cache, "SELECT grade, count(*) AS n FROM ladder_prompts GROUP BY ALL")
    assert sum(one["n"] for one in graded) == 40
    counted = ("right_answers", "wrong_answers", "unparsable", "unfinished", "failed")
    assert all(sum(one[name] for name in counted) == 5 for one in found["levels_of"])
    # 24 steps end no answer of this subject: none is wrong, and no level has an accuracy.
    assert {one["grade"] for one in graded} <= {"unfinished", "right"}
    assert all(one["accuracy"] is None for one in found["levels_of"])
    assert found["accuracy_falls"] is None
    assert "8 of 8 levels have no accuracy" in found["sentence"]
    # Of the primary order parameter it is told how often surrogates have a transition too.
    query = "SELECT order_parameter, surrogate_transitions AS share FROM ladder_verdicts ORDER BY ALL"
    share = {one["order_parameter"]: one["share"] for one in load.rows(cache, query)}
    assert 0 <= share.pop("contrast") <= 0.3
    assert set(share.values()) == {None}
    # The curve is the contrast of the level's own map.
    for level, point in zip(found["levels_of"], found["curves"]["contrast"], strict=True):
        own = stored.read(cache, level["map"]).contrasts["rank-difference"]["contrast"]
        assert point["value"] == pytest.approx(own, abs=1e-6)
        excess = load.unit_scores(cache, level["map"], "excess", (4, 4), "value")
        assert found["curves"]["excess"][level["level"] - 1]["value"] == pytest.approx(np.nanmean(excess), abs=1e-6)
    assert check.check(cache) == []


@pytest.mark.slow
def test_finished_parts_of_equal_spec_are_not_made_again(climbed, tiny):
    cache, found = climbed
    asked = LadderRequest(subject=str(tiny), ladder="word-sorting", **ASKED)
    again = plan.difficulty(cache, cache.folder, asked)
    assert (again.finished, again.plans) == (found["ladder"], [])
    other = plan.difficulty(cache, cache.folder, asked.replace(order_parameter="excess"))
    assert [one.found for one in other.links] == [found["capture"], None]
    for changed in ({"fresh": True}, {"seed": 1}, {"steps": 25}, {"levels": 5}):
        links = plan.difficulty(cache, cache.folder, asked.replace(**changed)).links
        assert [one.found for one in links] == [None, None]


@pytest.mark.slow
def test_a_ladders_recipe_asks_for_the_same(climbed):
    cache, found = climbed
    (line,) = load.recipe(cache, found["ladder"])
    for word in ("difficulty", "--ladder word-sorting", "--prompts 5", "--steps 24", "--order-parameter contrast"):
        assert word in line["command"]


@pytest.mark.slow
def test_a_resumed_job_makes_the_same(climbed, tiny, tmp_path):
    cache, found = climbed
    asked = LadderRequest(subject=str(tiny), **ASKED, ladder="word-sorting", order_parameter="excess")
    climb = plan.difficulty(cache, cache.folder, asked)
    spec = climb.links[-1].spec([found["capture"]])
    whole = _work(cache, "l11111111", ladder, spec)
    kept = sorted(path.relative_to(whole.shards) for path in whole.shards.rglob("*-0000.npz"))
    assert len(kept) == 16
    part = JobFolder(cache.jobs / "l22222222")
    for path in kept[:7]:
        (part.shards / path).parent.mkdir(parents=True, exist_ok=True)
        (part.shards / path).write_bytes((whole.shards / path).read_bytes())
    _work(cache, part.id, ladder, spec)
    first, second = (load.ladder(cache, one) for one in (whole.id, part.id))
    assert first["curves"] == second["curves"]
    assert first["curves"] == found["curves"]
    for one in (whole.id, part.id):
        removed = {kind: count for kind, count in delete(cache, one).items() if count}
        assert removed == {"decomposition": 8, "ladder": 1}
    assert check.check(cache) == []


@pytest.mark.slow
def test_the_newest_run_is_never_the_map_of_a_level_while_there_is_another(climbed):
    cache, found = climbed
    maps = [one["map"] for one in found["levels_of"]]
    assert load.find(cache, "decomposition", None, latest=True) in maps
    assert load.find(cache, "decomposition", found["ladder"]) == maps[0]
    assert load.find(cache, "ladder", maps[3]) == found["ladder"]
    assert load.find(cache, "ladder", found["capture"]) == found["ladder"]


@pytest.mark.slow
def test_a_ladder_travels_with_the_map_of_a_level(climbed, tmp_path):
    cache, found = climbed
    maps = [one["map"] for one in found["levels_of"]]
    archive.export(cache, maps[2], tmp_path / "run")
    opened = archive.Archive.open(tmp_path / "run")
    there = load.ladder(opened, found["ladder"])
    assert there["curves"] == found["curves"]
    assert [one["decomposition"] for one in load.rows(opened, "SELECT * FROM decompositions ORDER BY 1")] == maps
    assert load.recipe(opened, found["ladder"])


@pytest.mark.slow
def test_too_short_answers_leave_a_level_without_a_value(climbed, monkeypatch):
    names = ["1", "2", "3"]
    levels = np.repeat([0, 1, 2], 6)
    steps = np.array([30] * 6 + [5] * 6 + [24] * 6)
    length, notes = ladder.common_length(levels, steps, names, 20)
    assert (length, list(notes)) == (24, [1])
    assert "0 of 6 responses have 20 steps" in notes[1]
    with pytest.raises(MeasureError, match="fewer than two levels have responses long enough"):
        ladder.common_length(levels, np.full(18, 3), names, 20)


@pytest.mark.slow
def test_few_levels_are_compared_and_a_raising_verifier_is_counted(tmp_path, tiny):
    rows = [
        {"text": f"Who is {k} of level {level}?\x1b[31m", "level": f"level {level}\x1b[31m", "answer": answer}
        for level in (1, 2, 3)
        for k, answer in enumerate(["Ann knight"] * 5 + ["nobody"])
    ]
    cache = Cache.open(tmp_path / "cache")
    chosen = ASKED | {"prompts": 6, "ladder": _own(tmp_path, rows), "verifier": "roles"}
    found = _chain(cache, tiny, "33333333", **chosen)
    assert found["verdict"] == "comparison"
    assert [one["failed"] for one in found["levels_of"]] == [1, 1, 1]
    assert all(one["unfinished"] >= 4 and one["accuracy"] is None for one in found["levels_of"])
    assert found["accuracy_falls"] is None
    assert len(found["differences"]["contrast"]) == 3
    (error,) = load.rows(cache, "SELECT DISTINCT error FROM ladder_prompts WHERE grade = 'failed'")
    assert error["error"].startswith("ValueError")

    async def hostile(app, pilot):
        await pilot.press("d")
        await settle(app, pilot)
        assert "comparison of 3 levels" in app.plain_screen()
        assert "\x1b" not in app.plain_screen()

    drive(hostile, cache.folder, run=found["levels_of"][0]["map"])


# The screen


@pytest.mark.slow
def test_the_view_says_what_to_press_where_there_is_no_ladder(made):
    async def look(app, pilot):
        await pilot.press("d")
        await settle(app, pilot)
        assert "Press F5" in app.plain_screen()
        await pilot.press("right", "o", "enter", "period", "f5")
        await settle(app, pilot)
        assert "climb a ladder" in app.plain_screen()

    drive(look, made)


@pytest.mark.slow
@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
def test_a_ladder_on_the_screen(climbed, size):
    cache, found = climbed

    async def look(app, pilot):
        await pilot.press("d")
        await settle(app, pilot)
        screen = app.plain_screen()
        assert "word-sorting: contrast" in screen
        assert "accuracy" in screen
        assert "level 1" in screen
        assert found["sentence"][:30] in screen
        await pilot.press("right", "right")
        await settle(app, pilot)
        assert "level 3" in app.plain_screen()
        before = app.view.query_one("#ladder-map").picture.colour
        await pilot.press("right")
        await settle(app, pilot)
        assert not np.array_equal(before, app.view.query_one("#ladder-map").picture.colour)
        await pilot.press("o")
        await settle(app, pilot)
        assert "layer-order" in app.plain_screen()
        assert len(app.view.table()[1]) == 8
        await pilot.press("enter")
        await settle(app, pilot)
        assert app.view.id == "atlas"
        assert app.shown.place.id == found["levels_of"][3]["map"]

    drive(look, cache.folder, size)


@pytest.mark.slow
def test_the_command_prints_a_finished_ladder(climbed, tiny, monkeypatch, capsys):
    from synergy_tui.cli import main

    cache, found = climbed
    asked = ["--ladder", "word-sorting", "--prompts", "5", "--steps", "24", "--cache", str(cache.folder)]
    assert main(["difficulty", str(tiny), *asked]) == 0
    out, err = capsys.readouterr()
    assert found["sentence"] in " ".join(out.split())
    assert "is there already" in err
    assert main(["difficulty", str(tiny), *asked, "--json"]) == 0
    told = json.loads(capsys.readouterr()[0])
    assert told["ladder"] == found["ladder"]
    assert told["verdict"] == found["verdict"]
    assert main(["difficulty", str(tiny), "--ladder", "nothing", "--cache", str(cache.folder)]) == 2
