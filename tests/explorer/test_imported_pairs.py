"""A map of two atoms without series, in every view: what is there is shown, what is not says why, and no key breaks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from driving import drive, settle, until_in

from synergy_tui.explorer.views import VIEWS, view_class
from synergy_tui.incoming import pairwise
from synergy_tui.store.cache import Cache

WHY = {
    "unit": "Imported without other atoms; no series",
    "tokens": "This run was imported as a table of pairs. There are no series: tokens, nulls",
    "pairs": "Imported without",
    "ablation": "was imported and has",
    "claims": "was imported as a table of pairs: it has no series to judge claims by",
    "compare": "There is no other run",
}
"""View → what it says of what is not there."""


@pytest.fixture(scope="module")
def two_atoms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with a table of pairs of 4 × 3 units; one pair is missing."""
    folder = tmp_path_factory.mktemp("pairs")
    chance = np.random.default_rng(0)
    x, y = np.triu_indices(12, 1)
    rows = [
        f"q{question},{i // 3},{i % 3},{j // 3},{j % 3},{chance.uniform(0.1, 1)},{chance.uniform(0.1, 1)}"
        for question in range(5)
        for i, j in zip(x.tolist(), y.tolist(), strict=True)
        if (i, j) != (0, 1)
    ]
    (folder / "pairs.csv").write_text("question_id,layer_1,head_1,layer_2,head_2,syn,red\n" + "\n".join(rows))
    cache = Cache.open(folder / "cache")
    pairwise.import_pairs(cache, folder / "pairs.csv", replicates=20)
    return cache.folder


@pytest.mark.long
@pytest.mark.slow
def test_every_view_opens_and_every_key_of_it_can_be_pressed(two_atoms: Path) -> None:
    async def look(app, pilot):
        assert "questions ▸ imported sts and rtr" in app.plain_screen()
        assert "no series" in app.plain_screen()
        for name in VIEWS:
            await app.action_view(name)
            await settle(app, pilot, rest=0.04)
            words = " ".join(app.plain_screen().replace("│", " ").split())
            assert WHY.get(name, "") in words, (name, app.plain_screen())
            for one in view_class(name).ACTIONS:
                await pilot.press(one.key.split(",")[0])
                await settle(app, pilot, rest=0.02)
                while len(app.screen_stack) > 1:
                    await pilot.press("escape")
                    await settle(app, pilot, rest=0.02)
                if app.view.id != name:
                    await app.action_view(name)
            for told in (app.view.sql(), app.view.value(), app.view.command(), *app.view.about()):
                assert "nan" not in told, (name, told)
            app.view.table()

    drive(look, two_atoms, (100, 30))


@pytest.mark.slow
def test_scores_atoms_and_orders_go_through_what_is_there_alone(two_atoms: Path) -> None:
    async def look(app, pilot):
        await app.action_view("atlas")  # not what another test has left
        shown = set(app.shown.scores)
        assert shown == {"rank-difference", "difference", "balance", "sts", "rtr"}
        app.selection.atom = "xtx"  # from a run that has it
        await pilot.press("p")
        await until_in(app, pilot, lambda: "sts of 66 pairs" in app.plain_screen(), "the pairs")
        app.selection.unit, app.selection.partner = 0, 1
        app.view.show()
        await until_in(app, pilot, lambda: "invalid: no value" in app.plain_screen(), "the pair that is not there")
        for atom in ("rtr", "sts", "rtr"):
            await pilot.press("r")
            await until_in(app, pilot, lambda atom=atom: f"{atom} of 66 pairs" in app.plain_screen(), atom)
        await pilot.press("u")
        await until_in(app, pilot, lambda: "Partners by sts" in app.plain_screen(), "the partners")
        for order in ("rtr", "sts"):
            await pilot.press("o")
            await until_in(app, pilot, lambda order=order: f"Partners by {order}" in app.plain_screen(), order)
        names, rows = app.view.table()
        assert set(names) == {"partner", "sts", "rtr"}
        assert len(rows) == 10

    drive(look, two_atoms, (160, 50))
