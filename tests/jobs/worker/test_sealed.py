"""A plan that is sealed, then done: through the command line."""

from __future__ import annotations

import json

import pytest

from synergy_tui.store import cards, load
from synergy_tui.store.cache import Cache

MADE = ("--yes", "--json")


@pytest.mark.worker
def test_a_sealed_plan_is_done_and_the_card_says_how_it_differs(command, tiny, cache, tmp_path):
    file = tmp_path / "plan.json"
    size = ("--prompts", "8", "--steps", "24", "--primary", "C1,C6")
    sealed = command.json("claims", str(tiny), "--seal", str(file), *size, "--parts", "surrogates")
    assert not list(cache.glob("jobs/*"))
    assert command("claims", str(tiny), "--seal", str(file), *size, code=2).stderr.count("there already") == 1
    found = command.json("claims", str(tiny), "--plan", str(file))
    assert found["plan"] == {"hash": sealed["hash"], "sealed": sealed["sealed"], "deviations": []}
    roles = {name: one["role"] for name, one in found.items() if name != "plan"}
    assert {name for name, role in roles.items() if role == "primary"} == {"C1", "C6"}
    assert found["C1"]["p_holm"] is None
    assert "the sealed plan leaves it out" in found["C3"]["missing"]
    opened = Cache.open(cache)
    (row,) = load.rows(opened, "SELECT * FROM cards")
    assert json.loads(row["plan"]) == json.loads(file.read_text())
    # The same plan sealed once more comes after the data; so do options that say otherwise, and a changed file.
    late = tmp_path / "late.json"
    command("claims", str(tiny), "--seal", str(late), *size, "--parts", "surrogates")
    content = json.loads(late.read_text())
    late.write_text(json.dumps(content | {"sealed": "2999-01-01T00:00:00Z"}))
    refused = command("claims", row["decomposition"], "--plan", str(late), code=2)
    assert "was changed after it was sealed" in refused.stderr
    told = command.json(
        "claims", row["decomposition"], "--plan", str(late), "--deviate", "--ranking", "excess", "--parts", "none"
    )["plan"]["deviations"]
    assert told[0].startswith("the plan was changed after it was sealed")
    assert any(one.endswith("were there before the plan was sealed (2999-01-01T00:00:00Z)") for one in told)
    assert "card: ranking excess, rank-difference in the plan, given beside the plan" in told
    assert "surrogates was not made: left out beside the plan" in told
    newest = cards.card(opened, cards.newest_card(opened, row["decomposition"]))
    assert {one["role"] for one in newest["claims"].values()} == {"exploratory"}
