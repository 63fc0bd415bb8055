"""The claims view: what is missing with its cost, parts that are picked, what F5 starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from driving import drive, put, settle, until_in

from synergy_tui.drawing import arcs
from synergy_tui.explorer import parts
from synergy_tui.explorer.dialogs.ask import Ask
from synergy_tui.explorer.parts import Parts
from synergy_tui.jobs import chain, folder, plan, processes
from synergy_tui.jobs.cost import Cost, card, total
from synergy_tui.jobs.specs.claims import ClaimsRequest, ClaimsSpec
from synergy_tui.store.cache import Cache
from synergy_tui.store.publish import publish_card
from synergy_tui.terms import CLAIMS, METHOD

LACKING = Parts(
    {"surrogates": Cost(180.0, 1e6), "ablation": Cost(600.0, 2e6), "networks": Cost(20.0, 1e5)},
    frozenset({"controls"}),
    {"ladder": "no subject"},
)


def test_each_claim_says_what_it_lacks_and_names_a_part_once() -> None:
    assert {name: parts.need(LACKING, name) for name in CLAIMS} == {
        "C1": "needs surrogates 3 min",
        "C2": "",
        "C3": "needs ablation 10 min",
        "C4": "same ablation",
        "C5": "controls was started",
        "C6": "needs networks 20 s",
        "C8": "",
        "C9": "",
    }


def test_the_title_counts_parts_and_sums_what_is_picked() -> None:
    counted = "3 of 6 parts missing, 1 being made, 1 cannot be had"
    assert parts.title(LACKING, ["surrogates", "ablation"]) == (counted, "F5 makes the picked, about 13 min")
    assert parts.title(LACKING, []) == (counted, "space picks, F5 judges again")
    assert parts.title(Parts(), []) == ("no part is missing", "F5 judges again")
    assert parts.title(Parts(refused="too old"), []) == ("", "")
    gpu = Parts({"ablation": Cost(None, 1e6)})
    assert parts.title(gpu, ["ablation"])[1] == "F5 makes the picked, time unknown on this device"
    assert parts.need(gpu, "C4") == "same ablation"
    assert parts.need(gpu, "C3") == "needs ablation"


def test_the_question_says_what_is_made_and_how_long_it_takes() -> None:
    question, lines = parts.asked(LACKING, ["ablation", "surrogates", "controls"])
    assert question == "Make 2 parts and judge the claims?"
    assert lines[:3] == [
        "surrogates for C1, C5: about 3 min, 1.0 MB of disk",
        "ablation for C3, C4: about 10 min, 2.0 MB of disk",
        "controls for C5: under way",
    ]
    assert lines[-1].startswith("All together about 13 min, 3.0 MB of disk.")
    assert parts.asked(Parts(), [])[0] == "Judge the claims with what is there?"
    assert parts.asked(LACKING, ["networks"])[0] == "Make networks and judge the claims?"


def test_costs_add_up_and_one_unknown_time_makes_all_unknown() -> None:
    assert total([Cost(1.0, 2.0), Cost(3.0, 4.0)]) == Cost(4.0, 6.0)
    assert total([Cost(1.0, 2.0), Cost(None, 4.0)]) == Cost(None, 6.0)
    assert total([]) == Cost(0.0, 0.0)


def test_arcs_that_do_not_overlap_share_a_row_and_none_takes_more_rows_than_there_are() -> None:
    ends = [(0, 3), (0, 3), (4, 7), (8, 11), (1, 5)]
    pairs = [{"x_layer": x, "y_layer": y, "x_unit": 0, "y_unit": 0, "value": 1.0} for x, y in ends]
    one = arcs.draw(pairs, 12, "sts", 60, True, rows=1).plain.splitlines()
    assert one[1].count("╭") == 3
    assert "1 more arcs of 1 pairs are not drawn" in one[-1]
    two = arcs.draw(pairs, 12, "sts", 60, True, rows=2).plain
    assert two.count("╭") == 4
    assert "not drawn" not in two


@pytest.fixture
def nobody_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs are made and nobody works on them."""
    monkeypatch.setattr(processes, "spawn", lambda *_: 2**30)


def _orders(cache: Path) -> list[folder.Order]:
    return [one.order() for one in folder.every(cache)]


@pytest.mark.slow
def test_f5_asks_and_starts_the_picked_parts_one_after_the_other(made: Path, nobody_works: None) -> None:
    async def press(app, pilot):
        await pilot.press("c")
        planned = plan.claims(Cache.open(made), app.settings.data, ClaimsRequest(decomposition="d6x4"))
        wanted = planned.costs()
        assert set(wanted) == {"surrogates", "ablation", "networks", "geometry", "card"}, str(planned.missing)
        title = lambda: str(app.view.query_one("#claims-pane").border_title)  # noqa: E731
        price = total(wanted.values()).time
        await until_in(app, pilot, lambda: f"F5 makes the picked, {price}" in title(), "the cost")
        await settle(app, pilot)
        assert "4 of 6 parts missing, 2 cannot be had" in app.plain_screen()
        rows = _rows(app)
        assert [row.rstrip()[-3:] == "[x]" for row in rows[:6]] == [True, False, True, True, True, True]
        assert f"needs ablation {wanted['ablation'].brief} " in rows[2]
        assert "same ablation" in rows[3]
        # The ablation is left out from the second claim that it serves.
        await pilot.press("down", "down", "down", "space")
        await settle(app, pilot)
        assert [row.rstrip()[-3:] for row in _rows(app)[2:4]] == ["[ ]", "[ ]"]
        await pilot.press("down", "down", "down", "space")  # the geometry, from C8
        await settle(app, pilot)
        price = total([wanted["surrogates"], wanted["networks"], card()]).time
        assert title().endswith(f"F5 makes the picked, {price}")
        await pilot.press("f5")
        await until_in(app, pilot, lambda: isinstance(app.screen, Ask), "the question")
        assert "Make 2 parts and judge the claims?" in app.plain_screen()
        await pilot.press("n")
        await settle(app, pilot)
        assert _orders(made) == []
        await pilot.press("f5")
        await until_in(app, pilot, lambda: isinstance(app.screen, Ask), "the question")
        await pilot.press("y")
        await until_in(app, pilot, lambda: len(_orders(made)) == 3, "the start")

    drive(press, made, (120, 36))
    ids = [one.id for one in folder.every(made)]
    surrogates, networks, judged = _orders(made)
    assert [one.spec.KIND for one in (surrogates, networks, judged)] == ["decompose", "networks", "claims"]
    assert [one.after for one in (surrogates, networks, judged)] == [None, *ids[:2]]
    assert isinstance(judged.spec, ClaimsSpec)
    assert judged.spec.parts == ("surrogates", "networks")
    assert (judged.spec.results.surrogates, judged.spec.results.networks) == tuple(ids[:2])
    assert judged.spec.results.ablation is None
    assert "left out" in judged.spec.missing["ablation"]


@pytest.mark.slow
def test_a_part_that_is_under_way_is_not_made_twice(made: Path, nobody_works: None) -> None:
    opened = Cache.open(made)
    links = plan.claims(opened, made / "data", ClaimsRequest(decomposition="d6x4", parts=("networks",))).links
    running = put(made, links[0].plan.spec, "running")
    assert [one.name for one in chain.under_way(opened, links)] == ["networks"]

    async def press(app, pilot):
        await pilot.press("c")
        await until_in(app, pilot, lambda: "3 of 6 parts missing, 1 being made" in app.plain_screen(), "the parts")
        assert "networks was started" in app.plain_screen()
        await settle(app, pilot)
        await pilot.press("space", "down", "down", "space", "down", "down", "down", "down", "space")
        await settle(app, pilot)
        assert app.view.picked == []
        await pilot.press("f5")
        await until_in(app, pilot, lambda: "networks for C6: under way" in app.plain_screen(), "the question")
        await pilot.press("y")
        await until_in(app, pilot, lambda: len(_orders(made)) == 2, "the start")

    drive(press, made, (120, 36))
    (job,) = (one for one in folder.every(made) if one.id != running.id)
    order = job.order()
    assert order.after == running.id
    assert isinstance(order.spec, ClaimsSpec)
    assert order.spec.results.networks == running.id


def _publish(cache: Cache, **changes: dict[str, Any]) -> None:
    """A card about the made-up run."""
    row: dict[str, Any] = {"verdict": "inconclusive", "effect": None, "low": None, "high": None, "n": None}
    row |= {"measure": "", "holds_under": [], "of": [], "missing": "", "told": "", "against": []}
    head = {"card": "k1", "decomposition": "d6x4", "capture": "c6x4", "ranking": "rank-difference", "parts": {}}
    head |= {"budget": 0.1, "method": METHOD, "seed": 0, "versions": {}}
    claims = [row | {"card": "k1", "claim": name, "statement": CLAIMS[name]} | changes.get(name, {}) for name in CLAIMS]
    publish_card(cache, "k1", {"cards": [head], "claims": claims, "recipes": []})


def _rows(app: Any) -> list[str]:
    """The rows of the claims, without the line above those of another source."""
    rows = app.view.query_one("#claims-list").plain.splitlines()
    return [row for row in rows if "arXiv" not in row]


@pytest.mark.slow
@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 50)], ids=str)
def test_no_word_of_the_card_is_cut_and_c6_draws_its_arcs(made: Path, size: tuple[int, int]) -> None:
    measured = {"effect": 0.035, "low": -0.01, "high": 0.09, "measure": "efficiency sts − rtr", "n": 8}
    _publish(Cache.open(made), C6=measured | {"holds_under": ["0.1"], "of": ["0.1", "0.2"], "missing": "more prompts"})

    async def press(app, pilot):
        await pilot.press("c")
        await until_in(app, pilot, lambda: "parts missing" in app.plain_screen(), "the parts")
        await pilot.press("up", "up", "up")
        await settle(app, pilot)
        assert ("arXiv:2603.29735v2 has these in place of C2" in app.plain_screen()) == (size[1] > 30)
        for name, row in zip(CLAIMS, _rows(app), strict=True):
            assert len(row) <= app.view.query_one("#claims-list").size.width
            statement = row[5:].partition("  ")[0].removesuffix("…").split()
            assert CLAIMS[name].split()[: len(statement)] == statement
        wide = size[0] >= 110
        assert ("efficiency sts − … +0.035" in app.plain_screen()) == wide
        assert ("1/2" in app.plain_screen()) == wide
        told = app.view.query_one("#claim-told")
        drawn = [place for place, line in enumerate(told.plain.splitlines()) if "╭" in line]
        assert drawn, "no arcs"
        assert max(drawn) < told.parent.content_size.height
        assert "synergy (sts)" in app.plain_screen()
        assert ("redundancy (rtr)" in app.plain_screen()) == wide

    drive(press, made, size)


@pytest.mark.slow
def test_the_sample_stays_as_it_is(cache: Path) -> None:
    async def press(app, pilot):
        await pilot.press("c")
        await settle(app, pilot)
        await pilot.press("space", "f5")
        await until_in(app, pilot, lambda: "read-only" in app.plain_screen(), "the refusal")
        assert not isinstance(app.screen, Ask)

    drive(press, cache)
