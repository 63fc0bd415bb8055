"""oinfo: of each layer, of marked units, and what is no set."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import Command


@pytest.fixture
def run(command: Command, tmp_path) -> str:
    """Three layers of four units; those of the second are copies of a signal with noise."""
    chance = np.random.default_rng(0)
    series = chance.normal(size=(8, 12, 40))
    series[:, 4:8] += 2 * chance.normal(size=(8, 1, 40))
    np.save(tmp_path / "s.npy", series)
    (tmp_path / "u.csv").write_text("layer\n" + "\n".join(str(unit // 4) for unit in range(12)))
    capture = command.json("import", str(tmp_path / "s.npy"), "--units", str(tmp_path / "u.csv"))["capture"]
    return command.json("decompose", capture)["decomposition"]


@pytest.mark.worker
def test_layers_and_marked_units_are_held_against_random_sets(command, run):
    found = command.json("oinfo", run, "--bias", "analytic")["found"]
    assert [one["set"] for one in found] == ["layer 0", "layer 1", "layer 2"]
    assert [one["heads"] for one in found] == [4, 4, 4]
    assert found[1]["quantile"] > 0.98
    assert found[1]["p"] < 0.05
    assert found[1]["low"] > 0.5 > found[0]["omega"]
    (marked,) = command.json("oinfo", run, "--units", "1.0, 1.1,1.2,2.3,1.0")["found"]
    assert (marked["set"], marked["heads"], marked["prompts"]) == ("1.0,1.1,1.2,2.3", 4, 8)
    assert marked["quantile"] > 0.9
    # Other sets with three heads of the second layer and one of the third are as redundant.
    assert marked["layers p"] > 0.01
    told = command("oinfo", run, "--units", "0.0,1.1,2.3").stdout
    assert "0.0,1.1,2.3" in told
    assert command.json("oinfo", run)["found"] == command.json("oinfo", run)["found"]


@pytest.mark.worker
def test_what_is_no_set_is_refused(command, run):
    assert "is 0, whatever they do" in command("oinfo", run, "--units", "0.0,1.1", code=2).stderr
    assert "no unit '9.9'" in command("oinfo", run, "--units", "0.0,1.1,9.9", code=2).stderr
