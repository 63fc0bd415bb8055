"""`synergy-tui docs`: the built pages, where there are some, and what it says where there are none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from synergy_tui.cli import docs
from synergy_tui.errors import SynergyError, UsageError


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "site"
    (folder / "reference").mkdir(parents=True)
    for name in ("index", "claims", "reference/keys"):
        (folder / f"{name}.html").write_text("<p>")
    monkeypatch.setattr(docs, "SITE", folder)
    return folder


def said(*words: str) -> Any:
    return CliRunner().invoke(docs.docs, words, catch_exceptions=False).output


def test_the_path_of_a_page_is_printed_where_there_is_no_terminal(site: Path):
    for page, name in ((None, "index"), ("claims", "claims"), ("claims.md", "claims"), ("keys", "reference/keys")):
        assert said(*([page] if page else [])) == f"{site / name}.html\n"
    assert json.loads(said("claims", "--json")) == {"path": str(site / "claims.html")}
    with pytest.raises(UsageError, match=r"no page 'clams'.*give one of claims, index, reference/keys"):
        said("clams")


@pytest.mark.worker
def test_a_browser_is_asked_for_in_a_terminal_and_missed_without_harm(site: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("BROWSER", "/nowhere/browser")
    monkeypatch.setenv("PATH", "/nowhere")
    assert not docs._opened(site / "index.html")


def test_without_built_pages_it_says_how_to_build_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(docs, "SITE", tmp_path)
    with pytest.raises(SynergyError, match="no built documentation · make docs builds it"):
        said()
