"""Maps that are not rectangles: groups with unequal numbers of units, and names for both."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from driving import drive, settle, type_in, until_in
from rich.cells import cell_len

from synergy_tui.bench.made import make_run
from synergy_tui.drawing import arcs
from synergy_tui.drawing.naming import in_middle, shortened
from synergy_tui.errors import UsageError
from synergy_tui.explorer.run import Place, Run, open_run
from synergy_tui.explorer.selection import Selection, by_rule
from synergy_tui.explorer.views.sql import as_run
from synergy_tui.explorer.widgets.matrix import levels
from synergy_tui.store.cache import Cache
from synergy_tui.store.query import ask
from synergy_tui.store.walk import pair_matrix
from synergy_tui.units import Naming

SIZES = {"association": 30, "sensory": 12, "subcortical": 7, "vermis": 2, "brainstem": 1}
LONGEST = max(SIZES.values())
THERE = [layer * LONGEST + unit for layer, size in enumerate(SIZES.values()) for unit in range(size)]
STEMS = [f"Area{number}" for number in range(25)] + ["Precentral"]
NAMES = [f"{stem}_{side}" for stem in STEMS for side in "LR"]


@pytest.fixture(scope="module")
def brain(tmp_path_factory: pytest.TempPathFactory) -> Cache:
    """A made-up run of five named groups without an order in depth. Nothing is written to it."""
    cache = Cache.open(tmp_path_factory.mktemp("brain") / "cache")
    run = make_run(cache, len(SIZES), LONGEST, name="brain", called="a brain")
    with cache.write() as con:
        for table in ("units", "unit_scores"):
            con.execute(f"DELETE FROM {table} WHERE NOT list_contains(?, unit_index)", [THERE])
        called = "list_extract($1, list_position($2, unit_index))"
        con.execute(f"UPDATE units SET name = {called}", [NAMES, THERE])
        con.execute("UPDATE units SET group_name = list_extract($1, layer + 1)", [list(SIZES)])
        con.execute("UPDATE units SET kind = 'imported', depth = NULL")
        con.execute("UPDATE captures SET kind = 'imported'")
        con.execute("UPDATE layer_profiles SET depth = NULL")
        old = cache.pairs_folder(run) / "pairs.parquet"
        new = old.with_suffix(".new")
        query = f"SELECT * FROM read_parquet('{old}') WHERE list_contains($1, x) AND list_contains($1, y)"
        con.execute(f"COPY ({query}) TO '{new}' (FORMAT parquet)", [THERE])
        new.replace(old)
    return cache


@pytest.fixture(scope="module")
def run(brain: Cache) -> Run:
    return open_run(Place(brain, "dbrain"))


@pytest.mark.parametrize("width", [5, 6, 8, 11, 16, 30])
def test_names_that_are_cut_stay_different_and_fit(width: int) -> None:
    rows = [
        list(SIZES),
        ["association cortex", "association nuclei", "sensory cortex"],
        ["left frontal pole 1 of both", "left frontal pole 2 of both"],
        ["皮質の前頭葉", "皮質の後頭葉"],
    ]
    for names in rows:
        cut = shortened(names, width)
        assert len(set(cut)) == len(names)
        assert all(cell_len(one) <= width for one in cut)
        assert [one for one in cut if "…" not in one] == [one for one in names if cell_len(one) <= width]
    assert in_middle("Precentral", 7) == "Pre…ral"


def test_the_cursor_passes_over_places_without_a_unit_and_keeps_its_column(run: Run) -> None:
    assert (run.count, run.units) == (52, 150)
    assert run.step(20, 1, 0, 20) == LONGEST + 11
    assert run.step(LONGEST + 11, 1, 0, 20) == 2 * LONGEST + 6
    assert run.step(4 * LONGEST, -999, 0, 20) == 20
    assert run.step(2, 0, 999, 2) == 29
    assert run.step(4 * LONGEST, 0, 5, 0) == 4 * LONGEST
    assert run.next_to(29) == LONGEST
    assert run.next_to(4 * LONGEST) == 0
    selection = Selection(unit=LONGEST + 20, partner=LONGEST + 20, marks=frozenset({3, LONGEST + 20}))
    selection.enter(run.there)
    assert (selection.unit, selection.partner, selection.marks) == (LONGEST + 11, None, {3})
    empty = replace(run.naming, holes=frozenset({*run.naming.holes, *range(LONGEST, LONGEST + 12)}))
    assert replace(run, naming=empty).step(3, 1, 0, 3) == 2 * LONGEST + 3  # a group without a unit


def test_a_unit_is_typed_by_its_place_its_group_or_its_name(run: Run) -> None:
    naming = run.naming
    assert {naming.number(one) for one in ("1.3", "sensory.3", NAMES[33])} == {LONGEST + 3}
    for wrong in ("sensory.12", "1.12", "vermis.x", "nobody"):
        with pytest.raises(UsageError, match="no unit"):
            naming.number(wrong)
    assert not naming.deep
    assert (run.name(LONGEST + 3), run.told(LONGEST + 3)) == (NAMES[33], f"{NAMES[33]} (sensory.3)")


def test_rules_take_groups_and_names(run: Run) -> None:
    def units(rule: str) -> set[int]:
        return set(by_rule(rule, run.values(), run.per_layer, run.naming))

    assert units("all") == set(THERE)
    assert units("all in sensory") == units("all in layer 1") == set(range(LONGEST, LONGEST + 12))
    assert units("all in groups vermis, Brainstem") == units("all in layers 3-4")
    assert len(units("top 50 % of rank in sensory")) == 6
    assert units(f"{NAMES[0]}, brainstem.0, 2.1") == {0, 4 * LONGEST, 2 * LONGEST + 1}
    for wrong in ("all in nowhere", "sensory.12", f"{NAMES[0]}, nobody"):
        with pytest.raises(UsageError, match="is no rule"):
            units(wrong)


def test_pairs_of_unequal_groups_have_cells_that_end_at_groups(brain: Cache, run: Run) -> None:
    numbers = run.numbers
    matrix = pair_matrix(brain, "dbrain", "sts", run.units, numbers)
    assert matrix.shape == (52, 52)
    assert np.isfinite(matrix).sum() == 52 * 51
    found = levels(matrix, run.per_layer, numbers=numbers)
    ends = np.cumsum([0, *SIZES.values()])
    for level in found:
        assert set(ends) <= set(level.edges.tolist())
        for unit in THERE:
            assert level.first(level.cell_of(unit)) <= unit <= level.last(level.cell_of(unit))
    assert found[0].whole
    np.testing.assert_allclose(found[0].values[1, 3], matrix[30:42, 49:51].mean(), rtol=1e-5)
    assert np.isnan(found[0].values[4, 4])  # one unit alone is no pair
    assert found[-1].size == 1


def test_arcs_stand_on_the_names_of_groups_or_tell_them_below() -> None:
    pairs = [{"x_layer": 0, "y_layer": 4, "value": 1.0}]
    wide = arcs.draw(pairs, 5, "sts", 80, True, names=list(SIZES)).plain
    assert all(name in wide.splitlines()[-1] for name in SIZES)
    narrow = arcs.draw(pairs, 5, "sts", 20, True, names=list(SIZES)).plain
    assert all(f"{number} {name}" in " ".join(narrow.split()) for number, name in enumerate(SIZES))


def test_a_query_becomes_a_map_with_the_names_of_the_run_it_was_about(brain: Cache, run: Run) -> None:
    found = ask(brain, "SELECT layer, unit, sts FROM heads WHERE decomposition = 'dbrain' AND layer < 2")
    made = as_run(found, run.place, "two groups", run.naming)
    assert (made.count, made.name(LONGEST + 3), made.groups) == (52, NAMES[33], tuple(SIZES))
    named = ask(brain, "SELECT layer, unit, name, group_name, sts FROM heads WHERE layer IN (1, 3)")
    made = as_run(named, run.place, "by columns")
    assert (made.groups, made.count) == (("0", "sensory", "2", "vermis"), 12 + 12 + 2 + 12)
    assert made.name(3 * 12 + 1) == NAMES[50]
    assert as_run(found, run.place, "without").naming == Naming(2, LONGEST)


@pytest.mark.slow
def test_every_view_calls_groups_and_units_by_their_names(brain: Cache) -> None:
    async def look(app, pilot):
        def screen() -> str:
            return app.plain_screen()

        rows = [line for line in screen().split("\n") if any(name in line for name in SIZES)]
        assert len(rows) >= len(SIZES)
        app.selection.unit = 20
        await pilot.press("down", "down", "down", "down", "up")
        assert app.selection.unit == 3 * LONGEST + 1
        await pilot.press("up", "up", "up")
        assert app.selection.unit == 20
        await pilot.press("C")
        assert app.selection.marks == {20}
        await pilot.press("X", "G", "x")
        assert app.selection.marks == {4 * LONGEST}
        await pilot.press("1", "full_stop", "1", "1")
        assert app.selection.unit == LONGEST + 11
        await pilot.press("colon")
        await type_in(pilot, "precentr")
        await settle(app, pilot, rest=0.5)
        await pilot.press("enter")
        await settle(app, pilot)
        await pilot.press("enter")
        await until_in(app, pilot, lambda: app.selection.unit == 3 * LONGEST + 1, "the unit with this name")
        for key, words in {
            "u": "Unit Precentral_L",
            "t": "unit Precentral_L with all partners",
            "p": "Precentral_L with Precentral_R",
            "b": "no other run",
            "escape": "Precentral_L (vermis.1)",
        }.items():
            await pilot.press(key)
            await until_in(app, pilot, lambda words=words: words in screen(), f"{key}: {words}")

    drive(look, brain.folder, (80, 24))
