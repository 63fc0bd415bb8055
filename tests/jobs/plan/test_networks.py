"""Networks of a ladder's level: of the prompts and the cut of that level, and not of the whole capture."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import Command

from synergy_tui.jobs.folder import JobFolder
from synergy_tui.store import load
from synergy_tui.store.cache import Cache


@pytest.mark.worker
def test_the_map_of_a_level_has_networks(command: Command, tiny: Path) -> None:
    asked = ("--levels", "2", "--prompts", "5", "--steps", "24", "--ladder", "word-sorting")
    ladder = command.json("difficulty", str(tiny), *asked)
    level = ladder["levels_of"][0]["map"]
    found = command.json("networks", level, "--draws", "2", "--replicates", "20")
    assert found["prompts"] == 5
    assert {one["atom"] for one in found["measures"]} == {"sts", "rtr"}
    cache = Cache.open(command.cache)
    row = load.one(cache, "decomposition", level)
    assert row["preprocess"].startswith("cut=")
    # A card is about a run of all prompts, and a level says whose it is.
    assert f"{level} is a level of ladder {ladder['ladder']}" in command("claims", level, code=2).stderr
    assert not any(JobFolder(one).kind == "claims" for one in (command.cache / "jobs").glob("k*"))
