"""Plans of sweeps: what they mean as cells, and what is said of those that mean nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from synergy_tui.errors import SynergyError
from synergy_tui.jobs import chain, folder, plan, processes
from synergy_tui.jobs.plan.sweeps import MOST_CELLS, Sweep
from synergy_tui.jobs.specs import CaptureRequest, DecomposeRequest, SweepRequest, as_json, from_json
from synergy_tui.store.cache import Cache

DATA = Path("/nowhere")


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Cache:
    """An empty cache, in which nothing is started."""
    return Cache.open(tmp_path_factory.mktemp("sweeps") / "cache")


def planned(opened: Cache, text: str | bytes, **asked: object) -> Sweep:
    file = opened.folder.parent / "plan.toml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return plan.sweep(opened, DATA, SweepRequest(plan=str(file), **asked))  # type: ignore[arg-type]


WHOLE = """
subjects = ["zoo:induction", "zoo:addition"]
seeds = [0, 3]
prompts = 24
steps = 60
min-steps = 10
kind = ["head"]
temperature = 0.5
device = "cpu"
at_once = 3

[[methods]]
lag = [1, 2, 5]
redundancy = ["mmi", "ccs"]

[[methods]]
estimator = "discrete"
surrogates = 20
null = ["prompt-shuffle", "window-roll"]

[claims]
parts = "networks"
"""


def test_cells_are_subjects_by_tasks_by_seeds_by_methods(opened: Cache) -> None:
    spec = planned(opened, WHOLE).plan.spec
    assert len(spec.captures) == 2 * 2
    assert len(spec.cells) == 2 * 2 * (3 * 2 + 1)
    # The methods are innermost: those of a capture stand beside each other.
    assert [one.capture for one in spec.cells] == [place for place in range(4) for _ in range(7)]
    assert [(one.subject, one.seed) for one in spec.captures] == [
        *(("zoo:induction", seed) for seed in (0, 3)),
        *(("zoo:addition", seed) for seed in (0, 3)),
    ]
    for one in spec.captures:
        assert (one.prompts, len(one.items), one.steps, one.min_steps, one.temperature) == (24, 24, 60, 10, 0.5)
    first = [(one.map.method.lag, one.map.method.redundancy, one.map.nulls) for one in spec.cells[:7]]
    assert first == [(lag, how, ()) for lag in (1, 2, 5) for how in ("mmi", "ccs")] + [
        (1, "mmi", ("prompt-shuffle", "window-roll"))
    ]
    assert {(one.claims.parts, one.claims.seed) for one in spec.cells if one.claims} == {
        (("networks",), seed) for seed in (0, 3)
    }
    assert spec.at_once == 3
    assert from_json(as_json(spec)) == spec


def test_a_cell_asks_for_what_its_commands_ask_for(opened: Cache) -> None:
    """The same hashes as those of `run` with the same options."""
    spec = planned(opened, WHOLE).plan.spec
    asked = CaptureRequest(
        subject="zoo:addition",
        seed=3,
        prompts=24,
        steps=60,
        min_steps=10,
        temperature=0.5,
        device="cpu",
        kinds=("head",),
    )
    (captured,) = plan.captures(DATA, asked)
    maps = plan.with_maps(captured, DecomposeRequest.read({"lag": "2", "redundancy": "ccs"}))
    number = 3 * 7 + 3  # the fourth capture, lag 2 with ccs
    assert spec.captures[3].hash == captured.spec.hash
    assert spec.cells[number].map.hash == maps[1].plan.spec.hash
    assert spec.told(spec.cells[number]) == {
        "subject": "zoo:addition",
        "tasks": "zoo:addition",
        "seed": 3,
        "method": "gaussian ccs lag 2",
    }


@pytest.mark.parametrize(
    ("more", "cells"),
    [
        ("", 1),
        ("seeds = 4", 1),
        ('subjects = "zoo:induction"', 1),
        ('methods = {lag = "1,2,2"}', 2),
        ("methods = {lag = [1, 2, 2]}", 2),
        ('[[methods]]\nlag = 1\n[[methods]]\nestimator = "gaussian"', 1),
        ('[methods]\npreprocess = ["raw", "log", "log,difference"]', 3),
        ("claims = true\nseeds = [0, 1, 1]", 2),
        ("[methods]\nsurrogates = 20\nnull = [['window-roll'], ['prompt-shuffle', 'window-roll']]", 2),
        ("[methods]\nsurrogates = 20\nnull = ['prompt-shuffle', 'window-roll']", 1),
    ],
)
def test_every_cell_is_there_once(more: str, cells: int, opened: Cache) -> None:
    text = more if more.startswith("subjects") else f'subjects = ["zoo:induction"]\nprompts = 6\n{more}'
    assert len(planned(opened, text).plan.spec.cells) == cells


def test_a_sweep_is_its_cells_and_not_its_file(opened: Cache) -> None:
    """Neither the words of the plan nor how fast it is made change what it is."""
    one = planned(opened, 'subjects = ["zoo:induction"]\nprompts = 6\n[methods]\nlag = [1, 2]').plan.spec
    same = planned(opened, 'at_once = 2\nprompts = "6"\nmethods.lag = "1,2"\nsubjects = "zoo:induction"').plan.spec
    assert one.hash == same.hash
    for other in ("seeds = 1", "claims = true", "steps = 30", "methods.pool = 'pooled'"):
        text = f'subjects = ["zoo:induction"]\nprompts = 6\nmethods.lag = [1, 2]\n{other}'
        assert planned(opened, text).plan.spec.hash != one.hash, other


def test_options_of_the_command_hold_for_all_cells(opened: Cache) -> None:
    found = planned(opened, 'subjects = ["zoo:induction"]\nprompts = 6\nat_once = 2', seed=7, at_once=4, device="cuda")
    assert (found.plan.spec.captures[0].seed, found.plan.spec.at_once) == (7, 4)
    assert found.plan.spec.captures[0].device == found.plan.spec.cells[0].map.device == "cuda"
    assert planned(opened, 'subjects = ["zoo:induction"]\nseeds = [1]', seed=7).plan.spec.captures[0].seed == 1


def test_a_capture_costs_once(opened: Cache) -> None:
    found = planned(opened, 'subjects = ["zoo:induction"]\nprompts = 6\ndevice = "cpu"\nmethods.lag = [1, 2]')
    captured, first, second = (one.plan.cost for one in (*found.links[0], found.links[1][1]))
    assert found.plan.cost.seconds == pytest.approx(captured.seconds + first.seconds + second.seconds)
    assert found.plan.cost.disk == pytest.approx(captured.disk + first.disk + second.disk)
    assert [one and one.disk for one in found.costs()] == pytest.approx([captured.disk + first.disk, second.disk])


Z = 'subjects = ["zoo:induction"]\n'

WRONG = [
    ("colour = 3", "no key 'colour' in the plan · known: subjects, tasks, seeds, methods, claims, at_once, prompts"),
    ("seed = 3", "no key 'seed' in the plan · known: subjects, "),
    (Z + "[[methods]]\ncolour = 3", "no key 'colour' in methods · known: estimator, redundancy, lag"),
    (Z + "[claims]\ncolour = 3", "no key 'colour' in claims · known: ranking, budget, parts"),
    (Z + "[claims]\nfresh = true", "no key 'fresh' in claims · known: ranking, budget, parts"),
    (Z + "allow-pickle = true", "allow-pickle is not for a plan to give · add --allow-pickle to the command"),
    (Z + "allow_remote_code = true", "allow-remote-code is not for a plan to give"),
    ("", "subjects are missing · try: subjects"),
    ("subjects = []", "subjects are empty"),
    (Z + "seeds = []", "seeds are empty"),
    (Z + "methods = []", "methods are not tables of options"),
    (Z + "methods = 3", "methods are not tables of options"),
    (Z + "methods.lag = []", "lag are empty"),
    (Z + "steps = 60\nstep_s = 3", "no key 'step_s'"),
    (Z + "min_steps = 3\nmin-steps = 3", "min-steps is there twice in the plan"),
    # In the words of the command line.
    (Z + "methods.lag = 0", "lag 0 is not a whole number above 0 · default: 1"),
    (Z + "methods.lag = [1, 0]", "lag 0 is not a whole number above 0 · default: 1"),
    (Z + "methods.lag = '1,,2'", "lag '1,,2' is not a whole number above 0 · default: 1"),
    (Z + "methods.lag = true", "lag True is not a whole number above 0 · default: 1"),
    (Z + "methods.lag = 200", "lag 200 in responses of 100 steps leaves no window · use a smaller lag"),
    (Z + "methods.estimator = 'kraskov'", "no estimator 'kraskov' · known: gaussian, discrete"),
    (Z + "methods.surrogates = 3", "3 surrogates are too few to tell a tail from · draw 20 or more, or 0"),
    (Z + "methods.null = 'window-roll'", "no surrogates to draw from window-roll · add --surrogates 200"),
    (Z + "methods.preprocess = 'cube'", "no preprocessing 'cube'"),
    (Z + "prompts = 0", "prompts 0 is not a whole number above 0 · default: all"),
    (Z + "prompts = [3]", "prompts [3] is not a whole number above 0 · default: all"),
    (Z + "prompts = 1979-05-27", "prompts datetime.date(1979, 5, 27) is not a whole number above 0"),
    (Z + "steps = 3", "steps 3 is below min-steps 20: no response would be analysed"),
    (Z + "temperature = nan", "temperature nan is not a number from 0"),
    (Z + "seeds = -1", "seed -1 is not a whole number from 0 · default: 0"),
    (Z + "seeds = 0.5", "seed 0.5 is not a whole number from 0 · default: 0"),
    (Z + "subjects.a = 3", "plan.toml is not TOML: "),
    ("subjects = 3", "subject 3 is not a text"),
    (Z + "at_once = 0", "at-once 0 is not a whole number above 0"),
    (Z + "claims = 3", "claims 3 is not true, false or a table · known: ranking"),
    (Z + "[claims]\nparts = 'all'", "no part 'all' · known: surrogates"),
    (Z + "device = 'tpu'", "no device 'tpu'"),
    ('subjects = ["zoo:induction", "zoo:dream"]', "the zoo has no 'zoo:dream'"),
    ('subjects = ["/nowhere/at/all"]', "no subject"),
    (Z + 'tasks = ["/nowhere.jsonl"]', "no task set"),
    # Hostile files.
    (b"subjects = [", "plan.toml is not TOML: "),
    (b"\xff\xfe\x00", "plan.toml is not a plan: it is not UTF-8"),
    (b"a" * 2_000_000, "plan.toml is not a plan: it has more than 1,000,000 bytes"),
    ("subjects = " + "[" * 5000 + "]" * 5000, "plan.toml is not a plan: its tables are nested too deeply"),
    (Z + "prompts" + ".a" * 5000 + " = 1", "plan.toml is not a plan: its tables are nested too deeply"),
    (Z + "prompts = " + "9" * 5000, "plan.toml is not TOML: "),
    ("k" * 10_000 + " = 1", "no key 'kkkkkkkk"),
    (
        f"subjects = {[f's{n}' for n in range(10_000)]}\nseeds = {list(range(10_000))}",
        f"the plan has 100,000,000 cells, and {MOST_CELLS:,} are the most",
    ),
    (
        Z + "\n".join(f"methods.{one} = {list(range(1, 40_000))}" for one in ("lag", "surrogates")),
        "the plan has 1,599,920,001 cells",
    ),
]


@pytest.mark.parametrize(("text", "said"), WRONG, ids=[str(place) for place in range(len(WRONG))])
def test_a_wrong_plan_is_told_in_one_line(text: str | bytes, said: str, opened: Cache) -> None:
    with pytest.raises(SynergyError) as error:
        planned(opened, text)
    told = str(error.value)
    assert said in told
    assert "\n" not in told
    assert len(told) < 1000
    assert not list(folder.every(opened.folder))


def test_a_plan_that_is_no_file_is_told_in_one_line(cache: Path, tmp_path: Path, command) -> None:
    for path, said in (
        ("/nowhere.toml", "no plan '/nowhere.toml'"),
        (str(tmp_path), f"{tmp_path} is not a file"),
        ("/dev/zero", "/dev/zero is not a file"),
    ):
        told = command("sweep", path, code=2)
        assert told.stderr.startswith(f"synergy-tui: {said}")
        assert told.stderr.count("\n") == 1
        assert told.stdout == ""
    assert not list(folder.every(cache))


def test_a_dry_run_starts_nothing(cache: Path, tmp_path: Path, command) -> None:
    file = tmp_path / "plan.toml"
    file.write_text('subjects = ["zoo:induction"]\nprompts = 6\ndevice = "cpu"\nmethods.lag = [1, 2]')
    told = command("sweep", str(file), "--dry-run")
    assert "2 cells of 1 capture; the maps of 0 are there" in told.stderr
    assert told.stdout.count("gaussian mmi lag") == 2
    rows = command.json("sweep", str(file), "--dry-run")
    assert [one["method"] for one in rows] == ["gaussian mmi lag 1", "gaussian mmi lag 2"]
    assert {(one["capture"], one["map"]) for one in rows} == {(None, None)}
    assert rows[0]["seconds"] > rows[1]["seconds"] > 0
    assert not list(folder.every(cache))


def test_a_sweep_that_is_unfinished_is_taken_up(opened: Cache, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "spawn", lambda *_: 2**30)
    found = planned(opened, 'subjects = ["zoo:induction"]\nprompts = 6')
    links = [plan.Link("sweep", found.plan)]
    first = chain.start(Cache.open(cache), links, join=True)
    assert chain.start(Cache.open(cache), links, join=True) == first
