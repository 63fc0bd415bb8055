"""Named groups of unequal size, imported: their contrast, and what is said of them below the explorer."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import Command
from grouped import SIZES, import_groups, planted

from synergy_tui.analysis.profile import SIDES
from synergy_tui.drawing.card import as_markdown
from synergy_tui.errors import UsageError
from synergy_tui.jobs import plan
from synergy_tui.jobs.specs import DecomposeRequest, Method
from synergy_tui.store import cards, load, runs
from synergy_tui.store.cache import Cache
from synergy_tui.terms import NULLS, RANKINGS

UNITS = [f"{group}-{letter}" for group, size in SIZES.items() for letter in "abcdef"[:size]]

SURROGATES = ("--surrogates", "20", "--null", NULLS[0], "--null", NULLS[1])

pytestmark = pytest.mark.worker


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Command:
    return Command(tmp_path_factory.mktemp("groups") / "cache")


@pytest.fixture(scope="module")
def brain(command: Command) -> str:
    """A capture of three groups without an order."""
    return import_groups(Cache.open(command.cache), planted(np.random.default_rng(0)), SIZES, UNITS)


@pytest.fixture(scope="module")
def chosen(command: Command, brain: str) -> dict:
    """Its decomposition with a contrast, as JSON."""
    return command.json("decompose", brain, "--contrast", "assoc:1", *SURROGATES)


@pytest.fixture(scope="module")
def plain(command: Command, brain: str) -> dict:
    """Its decomposition without one."""
    return command.json("decompose", brain, *SURROGATES)


def _rows(command: Command, table: str, run: str, which: str = "true") -> list[dict]:
    query = f"SELECT * FROM {table} WHERE decomposition = $1 AND {which}"
    return load.rows(Cache.open(command.cache), query, run)


def test_a_synergistic_group_is_above_a_redundant_one_and_above_its_nulls(command, chosen):
    assert chosen["compared"] == "assoc:sensory"
    assert (chosen["units"], chosen["pairs"]) == (13, 78)
    profile, contrast = chosen["profile"], chosen["contrast"]
    assert contrast["contrast"] == pytest.approx(profile[0] - profile[1], abs=1e-12)
    assert 0 < contrast["low"] < contrast["contrast"] < contrast["high"]
    assert contrast["curvature"] is None
    assert set(chosen["contrast_tests"]) == set(NULLS)
    for test in chosen["contrast_tests"].values():
        assert test["low"] > 0
        assert abs(test["surrogate"]) < 0.2
        assert test["p"] == pytest.approx(1 / 21)
        assert test["halves"] == 1
    assert {one["side"] for one in _rows(command, "contrast_sides", chosen["decomposition"])} == set(SIDES)
    assert not _rows(command, "contrast_sides", chosen["decomposition"], "value IS NOT NULL OR low IS NOT NULL")
    assert all(one["contrast"] > 0 for one in _rows(command, "contrast_lengths", chosen["decomposition"]))
    told = command("show", chosen["decomposition"]).stdout
    assert "Group assoc is above group sensory in rank-difference: contrast +" in told
    assert " of 13 units are coupled" in told


def test_the_profile_of_a_run_is_the_mean_of_the_units_of_each_group(command, chosen):
    scaled = {name: [] for name in SIZES}
    for one in _rows(command, "heads", chosen["decomposition"]):
        assert one["depth"] is None
        assert one["name"].startswith(f"{one['group_name']}-")
        scaled[one["group_name"]].append(one["rank"])
    assert {name: len(some) for name, some in scaled.items()} == SIZES
    assert chosen["profile"] == pytest.approx([np.mean(some) for some in scaled.values()])
    assert not _rows(command, "layer_profiles", chosen["decomposition"], "depth IS NOT NULL OR low IS NULL")


def test_groups_without_an_order_have_no_contrast_and_are_told_why(command, brain, plain, chosen):
    run = plain["decomposition"]
    assert plain["compared"] is None
    assert set(plain["contrast"].values()) == {None}
    assert plain["contrast_missing"] == "groups have no order in depth: give --contrast a:b"
    assert plain["contrast_tests"] == plain["surrogate_contrasts"] == {}
    assert all(np.isfinite(plain["profile"]))
    assert len(_rows(command, "contrasts", run, "contrast IS NULL AND low IS NULL")) == len(RANKINGS)
    told = command("show", run).stdout
    assert "There is no contrast: groups have no order in depth: give --contrast a:b." in told
    assert f"decompose {brain} --contrast assoc:sensory" in told
    # What a contrast compares changes neither atoms nor tests of units.
    query = "SELECT unit_index, score, value, scaled FROM unit_scores WHERE decomposition = $1 ORDER BY ALL"
    opened = Cache.open(command.cache)
    assert load.rows(opened, query, run) == load.rows(opened, query, chosen["decomposition"])
    said = command("compare", chosen["decomposition"], run, code=2).stderr
    assert "differ in the contrast: assoc:sensory and the default" in said


def test_a_contrast_that_is_not_there_is_refused(command, brain, tmp_path):
    for text, said in (
        ("assoc:motor", "no group 'motor' · known: assoc, sensory, rest"),
        ("assoc:0", "group assoc is on both sides"),
        ("assoc:", "has no two sides"),
    ):
        assert said in command("decompose", brain, "--contrast", text, code=2).stderr
    assert "No such option" in command("difficulty", "zoo:induction", "--contrast", "1:0", code=2).stderr
    series = np.random.default_rng(0).normal(size=(5, 4, 30))
    cache = Cache.open(command.cache)
    gap = import_groups(cache, series, {"a": 2, "b": 2}, name="gap")
    with cache.write() as con:
        con.execute("DELETE FROM units WHERE capture = ? AND layer = 1", [gap])
    with pytest.raises(UsageError, match="layer 1 of the contrast has no units"):
        plan.decompose_finished(cache, DecomposeRequest(capture=gap, method=Method(compared="a:1")))


def test_sets_are_of_groups_and_of_named_units(command, chosen):
    run = chosen["decomposition"]
    found = command.json("oinfo", run)["found"]
    assert [(one["set"], one["heads"]) for one in found] == [(f"group {name}", size) for name, size in SIZES.items()]
    assert found[1]["quantile"] > 0.9
    (marked,) = command.json("oinfo", run, "--units", "sensory-a, sensory.1,1.2,assoc-f")["found"]
    assert marked["set"] == "assoc-f,sensory-a,sensory-b,sensory-c"
    assert "no unit sensory" not in command("oinfo", run, "--units", "sensory-a,rest.0,0.0").stderr
    for units, said in (("0.0,0.1,1.4", "no unit 1.4 in this"), ("0.0,0.1,sensory-e", "no unit 'sensory-e' among")):
        assert said in command("oinfo", run, "--units", units, code=2).stderr


def test_runs_are_compared_unit_by_unit_of_the_same_names(command, chosen):
    """Of another brain whose groups and units come in another order, and one of whose units the first does not have."""
    cache, order = Cache.open(command.cache), np.arange(13)[::-1]
    names = [UNITS[place] if place else "assoc-x" for place in order]
    sizes = dict(reversed(SIZES.items()))
    other = import_groups(cache, planted(np.random.default_rng(3))[:, order], sizes, names, name="other")
    run = command.json("decompose", other, "--contrast", "assoc:sensory")["decomposition"]
    first, second = runs.compared(cache, [chosen["decomposition"], run], RANKINGS[0])
    own = {one["name"]: one["rank"] for one in _rows(command, "heads", run)}
    number = load.naming(cache, chosen["capture"]).number
    assert np.isnan(second.values[number("assoc-a")])
    for name, rank in own.items():
        assert name == "assoc-x" or second.values[number(name)] == rank
    assert np.isfinite(second.values).sum() == 12
    found = command.json("compare", first.id, second.id)["runs"]
    assert found[1]["layers"] == "13 in 3"
    assert found[1]["units ρ"] > 0.7
    assert found[1]["profile"]["depth"] == [None] * 3
    told = command("compare", first.id, second.id).stdout
    assert "rank-difference by group" in told
    assert "  assoc" in told
    # Units of other names are held against nothing.
    with cache.write() as con:
        con.execute("UPDATE units SET name = 'strange ' || name WHERE capture = ?", [other])
    assert command.json("compare", first.id, second.id)["runs"][1]["units ρ"] is None


def test_networks_and_a_card_of_groups_say_what_they_cannot_judge(command, plain):
    run = plain["decomposition"]
    networks = command("networks", run).stdout
    assert "inside a group" in networks
    assert all(name in networks for name in SIZES)
    made = command("claims", run, "--parts", "networks", "--yes", "--json")
    card = json.loads(made.stdout)
    for name in ("C1", "C5"):
        assert card[name]["verdict"] == "inconclusive"
        assert card[name]["missing"] == "not judged: groups have no order in depth"
        assert card[name]["effect"] is None
    assert card["C1"]["definitions"] == []
    assert card["C6"]["effect"] is not None
    assert "C1 and C5 will be not judged: groups have no order in depth" in made.stderr
    opened = Cache.open(command.cache)
    drawn = as_markdown(cards.card(opened, str(cards.newest_card(opened, run))))
    assert "**C1** Not judged: groups have no order in depth." in drawn
    assert "13 units in 3 groups" in drawn


def test_an_exported_run_keeps_its_names_and_its_contrast(command, chosen, tmp_path: Path):
    folder = tmp_path / "run"
    command("export", chosen["decomposition"], str(folder))
    exported = Command(folder)
    found = exported.json("show")
    for name in ("compared", "groups", "contrast", "contrast_tests", "profile", "units"):
        assert found[name] == chosen[name]
    query = "SELECT name, group_name FROM latest_heads ORDER BY layer, unit"
    assert [(one["name"], one["group_name"]) for one in exported.json("sql", query)] == [
        (unit, unit.partition("-")[0]) for unit in UNITS
    ]
    assert "is up to date" in command("renew", chosen["decomposition"]).stderr
