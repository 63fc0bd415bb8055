"""synergy-tui atlas: tables, filters, plots and files."""

from __future__ import annotations

import json

import pytest
from conftest import Command

from synergy_tui.bench.atlas import make_atlas
from synergy_tui.store.cache import Cache


@pytest.fixture
def filled(command: Command) -> Command:
    make_atlas(Cache.open(command.cache), 9, layers=4, per_layer=2)
    return command


def test_the_table_has_a_row_a_subject_and_a_verdict_a_claim(filled):
    told = filled("atlas").stdout
    assert told.count("made 0") == 9
    assert "● +0." in told
    assert "C7" in told
    first = filled("atlas", "--sort", "C1").stdout.splitlines()[2:11]
    effects = [float(line.split("[")[0].split()[-1]) for line in first]
    assert effects == sorted(effects, reverse=True)


def test_cards_are_chosen_and_what_there_is_not_is_told(filled):
    assert len(filled.json("atlas", "--tuned", "instruct")["cards"]) == 4
    found = filled.json("atlas", "--family", "qwen2", "--claim", "C1")
    assert [one["family"] for one in found["cards"]] == ["qwen2"]
    assert list(found["claims"]) == ["C1"]
    assert "family is one of: gemma2" in filled("atlas", "--family", "nobody", code=2).stderr
    assert "no claim 'C11'" in filled("atlas", "--claim", "C11", code=2).stderr
    assert "no order 'age'" in filled("atlas", "--sort", "age", code=2).stderr
    assert "no model here replays another's tokens" in filled("atlas", "--pairs", code=2).stderr


def test_a_claim_is_a_forest_with_what_it_goes_with(filled):
    told = filled("atlas", "--claim", "C3").stdout
    assert "■" in told
    assert "another model" in told
    assert "Random effects over 9 models" in told
    assert "described, not tested" in told
    plain = filled("atlas", "--claim", "C3", "--ascii").stdout
    assert "■" not in plain
    assert "#" in plain
    few = filled("atlas", "--claim", "C3", "--family", "llama").stdout
    assert "No meta-analysis: 3 models are needed for a meta-analysis; there are 2." in few
    assert filled("atlas", "--profiles").stdout.count("\n") > 10


def test_a_file_of_cards_goes_to_another_cache_and_its_words_are_shown(filled, tmp_path):
    path = tmp_path / "cards.json"
    filled("atlas", "export", str(path))
    content = json.loads(path.read_text())
    content["cards"][0]["subject"] = "evil\x1b]0;title\x07 [bold]name"
    path.write_text(json.dumps(content))
    other = Command(tmp_path / "other")
    assert "there is no card in this cache yet" in other("atlas", code=2).stderr
    assert other.json("atlas", "import", str(path))["new"] == 9
    assert other.json("atlas", "import", str(path))["there"] == 9
    for arguments in (["atlas"], ["atlas", "--claim", "C1"], ["atlas", "--profiles"]):
        told = other(*arguments).stdout
        assert "\x1b]" not in told
        assert "\x07" not in told
    assert "[bold]name" in other("atlas").stdout
    origin = other.json("atlas")["cards"][0]["origin"]
    assert other.json("atlas", "forget", origin)["forgotten"] == 9
