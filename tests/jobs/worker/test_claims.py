"""The card as a chain of jobs, controls, comparisons and their refusals, through the command line and the explorer."""

from __future__ import annotations

import numpy as np
import pytest
from driving import drive, settle, until_in

from synergy_tui.errors import UsageError
from synergy_tui.store import cards, load, runs
from synergy_tui.store.cache import Cache
from synergy_tui.terms import CLAIMS, RANKINGS

SMALL = ("--prompts", "12", "--steps", "30")

STATES = ("queued", "running", "done", "failed", "cancelled")


@pytest.fixture
def run(command, tiny):
    """A run of the tiny subject: its decomposition."""
    return command.json("run", str(tiny), *SMALL)["decomposition"]


@pytest.mark.worker
def test_a_card_takes_what_is_there_and_says_what_is_missing(command, run, cache, tmp_path):
    page = tmp_path / "card.md"
    _what_was_stopped_goes_on(command, run, cache)
    found = command.json("claims", run, "--parts", "surrogates,networks", "--markdown", str(page))
    assert list(found) == [*CLAIMS]
    for one in found.values():
        assert {"verdict", "effect", "interval", "n"} <= set(one)
    assert found["C1"]["effect"] is not None
    assert found["C6"]["effect"] is not None
    for name, part in (("C3", "ablation"), ("C4", "ablation"), ("C5", "controls")):
        assert found[name]["verdict"] == "inconclusive"
        assert f"--parts {part}" in found[name]["missing"]
    assert found["C2"]["verdict"] == "inconclusive"
    assert "| C6 |" in page.read_text("utf-8")
    # The parts are there now: the second time only the verdicts are made.
    before = {row["decomposition"] for row in load.rows(Cache.open(cache), "SELECT decomposition FROM decompositions")}
    again = command("claims", run, "--parts", "surrogates,networks")
    assert "surrogates for C1, C5  is there" in again.stderr
    assert "networks   for C6      is there" in again.stderr
    after = {row["decomposition"] for row in load.rows(Cache.open(cache), "SELECT decomposition FROM decompositions")}
    assert before == after
    assert "C1  middle layers are synergistic" in again.stdout
    opened = Cache.open(cache)
    assert len(load.rows(opened, "SELECT * FROM claims WHERE card = $1", cards.newest_card(opened, run))) == len(CLAIMS)
    _explorer_shows_the_card(cache, run)
    # Asked for anew, a part is made once more.
    command("claims", run, "--parts", "networks", "--fresh")
    assert load.rows(opened, "SELECT count(*) AS n FROM networks")[0]["n"] == 2


def _what_was_stopped_goes_on(command, run, cache):
    """The jobs of a chain that was cancelled are taken up and not made twice."""
    last = command.json("claims", run, "--parts", "surrogates,networks", "--detach")["job"]
    jobs = [one["id"] for one in command.json("jobs", "list") if one["kind"] in ("decompose", "networks", "claims")]
    for job in reversed(jobs):
        command("jobs", "cancel", job, code=1 if command.wait(job, *STATES)["state"] == "done" else 0)
    assert command.wait(last, "cancelled", "done")["state"] == "cancelled"
    again = command.json("claims", run, "--parts", "surrogates,networks", "--detach")["job"]
    command.wait(again, "done", timeout=240)
    made = [one for one in command.json("jobs", "list") if one["kind"] in ("decompose", "networks")]
    assert [one["id"] for one in made] == [one for one in jobs if one != last]
    assert {one["state"] for one in made} == {"done"}
    assert load.rows(Cache.open(cache), "SELECT count(*) AS n FROM cards")[0]["n"] == 1


def _explorer_shows_the_card(cache, run):
    for size in ((80, 24), (200, 50)):
        texts = []

        async def look(app, pilot, texts=texts):
            await pilot.press("c")
            await settle(app, pilot)
            texts.append(app.plain_screen())
            await pilot.press("down")
            await settle(app, pilot)
            texts.append(app.plain_screen())
            await pilot.press("b")
            await settle(app, pilot)
            texts.append(app.plain_screen())

        drive(look, cache, size, run)
        assert all(name in texts[0] for name in ("C1", "C6", "inconclusive"))
        assert "C2  the organisation emerges" in texts[1]
        assert "minus A" in texts[2]


@pytest.mark.worker
def test_the_explorer_makes_the_picked_part_and_judges_anew(command, run, cache):
    """First with nothing but the run, then with its networks too."""

    async def look(app, pilot):
        await pilot.press("c")
        await until_in(app, pilot, lambda: "needs networks" in app.plain_screen(), "the parts")
        # From below: C9 the geometry, C6 the networks, C5 controls and C1's surrogates, C3 the ablation, C2 the ladder.
        await pilot.press("up", "space", "up", *("up", "space") * 2, "up", "up", "space", "up", "space")
        await until_in(app, pilot, lambda: app.view.picked == [], "the pick")
        await pilot.press("f5")
        await until_in(app, pilot, lambda: "Judge the claims with what is there?" in app.plain_screen(), "the question")
        await pilot.press("y")
        await until_in(app, pilot, lambda: app.view._card is not None, "the card", 180)
        first = app.view._card
        assert first["claims"]["C6"]["effect"] is None
        await settle(app, pilot)
        await pilot.press(*("up",) * 4, "space")
        await until_in(app, pilot, lambda: app.view.picked == ["networks"], "the pick")
        await pilot.press("f5")
        await until_in(app, pilot, lambda: "Make networks and judge" in app.plain_screen(), "the question")
        await pilot.press("y")
        await until_in(app, pilot, lambda: app.view._card["card"] != first["card"], "the second card", 180)
        await until_in(app, pilot, lambda: "networks" not in app.view._parts.costs, "the parts")
        assert app.view._card["claims"]["C6"]["effect"] is not None
        assert set(app.view._parts.costs) == {"surrogates", "controls", "ablation", "ladder", "geometry"}

    drive(look, cache, (120, 36), run)
    kinds = [row["kind"] for row in command.json("jobs", "list")]
    assert sorted(kinds) == ["capture", "claims", "claims", "decompose", "networks"]


@pytest.mark.slow
def test_the_explorer_says_what_a_card_would_cost(made, cache):
    texts = []

    async def look(app, pilot):
        await pilot.press("c")
        await settle(app, pilot)
        texts.append(app.plain_screen())

    drive(look, cache, (80, 24))
    assert "No claims card of this run yet" in texts[0]
    assert "F5 makes what is picked" in texts[0]
    assert "surrogates for C1, C5" in texts[0]


@pytest.mark.worker
def test_controls_are_made_once_and_tied_to_their_run(command, run, cache, tiny, tmp_path):
    capture = load.one(Cache.open(cache), "decomposition", run)["capture"]
    found = command.json("run", str(tiny), *SMALL, "--control", "random-weights", "--seeds", "2")
    assert found["capture"] == capture
    assert [(one["how"], one["seed"]) for one in found["controls"]] == [
        ("free-running", 0),
        ("free-running", 1),
        ("replayed", 0),
        ("replayed", 1),
    ]
    assert all(one["decomposition"] for one in found["controls"])
    again = command.json("run", str(tiny), *SMALL, "--control", "random-weights", "--seeds", "2")
    assert again == found
    rows = load.rows(Cache.open(cache), "SELECT weights_seed FROM subjects WHERE weights_seed IS NOT NULL")
    assert sorted({row["weights_seed"] for row in rows}) == [0, 1]
    # Controls are nobody's newest run.
    opened = Cache.open(cache)
    assert load.find(opened, "decomposition", None, latest=True) == run
    assert load.find(opened, "capture", None, latest=True) == capture
    assert load.rows(opened, "SELECT DISTINCT decomposition FROM latest_heads") == [{"decomposition": run}]
    # Of another architecture there is no control.
    from conftest import make_tiny

    other = make_tiny(tmp_path / "two-layers", num_hidden_layers=2)
    refused = command("run", str(other), "--control", "random-weights", "--of", run, code=2)
    assert "needs its architecture: layers 4, not 2" in refused.stderr
    compared = command.json("compare", run, found["controls"][0]["decomposition"])
    assert [one["letter"] for one in compared["runs"]] == ["A", "B"]
    assert compared["runs"][1]["its low"] <= compared["runs"][1]["minus A"] <= compared["runs"][1]["its high"]


@pytest.mark.worker
def test_categories_of_one_run(command, run):
    found = command.json("compare", run, "--by", "category")
    assert len(found["runs"]) == 6
    assert sum(one["prompts"] for one in found["runs"]) == 12


@pytest.mark.slow
def test_the_checkpoints_of_a_training_stand_over_its_steps(made, command, cache):
    from synergy_tui.bench.made import make_run

    opened = Cache.open(cache)
    (row,) = load.rows(opened, "SELECT decomposition FROM decompositions")
    make_run(opened, 6, 4, name="later")
    make_run(opened, 6, 4, name="last")
    with opened.write() as con:
        for name, step in (("last", 300), ("6x4", 20), ("later", 100)):
            con.execute(f"UPDATE captures SET trajectory = 't', training_step = {step} WHERE capture = 'c{name}'")
            # Made-up runs have no contrast of their own.
            value = f"contrast = {step / 1000}, low = {step / 1000 - 0.05}, high = {step / 1000 + 0.05}"
            con.execute(f"UPDATE contrasts SET {value} WHERE decomposition = 'd{name}'")
    found = command.json("compare", row["decomposition"])
    assert [one["step"] for one in found["runs"]] == [20, 100, 300]
    drawn = command("compare", row["decomposition"]).stdout
    assert "contrast of rank-difference" in drawn
    assert "training step" in drawn
    texts = []

    async def look(app, pilot):
        await pilot.press("b", "o", "o")
        await settle(app, pilot)
        texts.append(app.plain_screen())

    drive(look, cache, (100, 30), row["decomposition"])
    assert "contrast over training steps" in texts[0]
    assert all(name in texts[0] for name in ("A", "B", "C"))


@pytest.mark.slow
def test_what_cannot_be_compared_is_refused(made, command, cache):
    opened = Cache.open(cache)
    (row,) = load.rows(opened, "SELECT decomposition FROM decompositions")
    first = row["decomposition"]
    assert "compared with itself" in command("compare", first, first, code=2).stderr
    assert "nothing to compare it with" in command("compare", first, code=2).stderr
    from synergy_tui.bench.made import make_run

    other = make_run(opened, 6, 4, name="other")
    assert len(runs.compared(opened, [first, other], "rank-difference")) == 2
    changes = {"captures SET kind = 'mlp' WHERE capture = 'cother'": "unit kinds"}
    changes |= {
        "captures SET kind = 'head'": "",
        "decompositions SET estimator = 'x' WHERE capture = 'cother'": "estimator",
    }
    for change, what in changes.items():
        with opened.write() as con:
            con.execute(f"UPDATE {change}")
        if what:
            with pytest.raises(UsageError, match=f"differ in {what}"):
                runs.compared(opened, [first, other], "rank-difference")


@pytest.mark.worker
def test_imported_series_have_a_card_without_ablation_and_controls(command, tmp_path):
    chance = np.random.default_rng(0)
    np.save(tmp_path / "a.npy", chance.normal(size=(6, 6, 40)).cumsum(axis=2))
    (tmp_path / "units.csv").write_text("layer\n" + "".join(f"{unit // 3}\n" for unit in range(6)))
    imported = command.json("import", str(tmp_path / "a.npy"), "--units", str(tmp_path / "units.csv"))["capture"]
    run = command.json("decompose", imported)["decomposition"]
    found = command.json("claims", run)
    assert "no model to ablate" in found["C3"]["missing"]
    assert "no architecture" in found["C5"]["missing"]
    # Two layers have no contrast.
    assert "three layers" in found["C1"]["missing"]
    assert found["C6"]["n"] == 6
    assert all(one["verdict"] != "supported" for one in found.values())


@pytest.mark.worker
def test_the_card_counts_definitions_of_all_decompositions_of_its_capture(command, tmp_path):
    """Of the same lag alone, and with surrogates alone."""
    series = np.random.default_rng(0).normal(size=(12, 6, 40))
    np.save(tmp_path / "s.npy", series)
    (tmp_path / "u.csv").write_text("layer\n" + "\n".join(str(unit // 2) for unit in range(6)))
    capture = command.json("import", str(tmp_path / "s.npy"), "--units", str(tmp_path / "u.csv"))["capture"]
    drawn = ("--surrogates", "20", "--null", "prompt-shuffle", "--null", "window-roll")
    run = command.json("decompose", capture, *drawn)["decomposition"]
    corrected = command.json("decompose", capture, "--bias", "analytic", *drawn)
    assert corrected["bias"] == "analytic"
    command.json("decompose", capture, "--estimator", "discrete", "--lag", "2", *drawn)
    command.json("decompose", capture, "--redundancy", "ccs")
    claim = command.json("claims", run, "--parts", "none")["C1"]
    of = [f"gaussian·mmi {name}" for name in RANKINGS]
    of += [f"gaussian·mmi bias-corrected {name}" for name in ("balance", "tdmi-share", "numit")]
    assert claim["definitions"] == of
    assert set(claim["definitions_held"]) <= set(of)
    assert claim["unmeasured"] == ["gaussian·ccs", "discrete·mmi", "discrete·ccs"]
    assert f"of {len(of)} definitions" in " ".join(command("claims", run, "--parts", "none").stdout.split())
