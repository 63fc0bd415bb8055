"""What an error says to do next."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from synergy_tui.errors import with_extra


def test_an_extra_is_added_by_the_installer_that_made_this_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert with_extra("figures") == 'pip install "synergy-tui[figures]"'
    (tmp_path / "pipx_metadata.json").touch()
    assert with_extra("figures") == 'pipx install --force "synergy-tui[figures]"'
    (tmp_path / "uv-receipt.toml").touch()
    assert with_extra("figures") == 'uv tool install "synergy-tui[figures]"'
