"""What the command line says of itself: the list of commands, completion, doctor."""

from __future__ import annotations

import re

import pytest

from synergy_tui.cli import COMMANDS, SECTIONS, main
from synergy_tui.drawing import doctor


@pytest.mark.worker
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_gets_what_completes_commands(shell, capfd, monkeypatch):
    assert main(["completion", shell]) == 0
    assert "_SYNERGY_TUI_COMPLETE" in capfd.readouterr().out
    monkeypatch.setenv("_SYNERGY_TUI_COMPLETE", f"{shell}_complete")
    monkeypatch.setenv("COMP_WORDS", "synergy-tui bench pa")
    monkeypatch.setenv("COMP_CWORD", "pa" if shell == "fish" else "2")
    assert main([]) == 0
    assert "parity" in capfd.readouterr().out


def test_the_list_of_commands_has_them_all_in_sections_of_whole_lines(capfd):
    assert main(["--help"]) == 0
    shown = capfd.readouterr().out
    assert list(SECTIONS) == re.findall(r"^(\w+):$", shown, re.MULTILINE)[-len(SECTIONS) :]
    for name, (_, told) in COMMANDS.items():
        assert re.search(rf"^  {name} +{re.escape(told)}$", shown, re.MULTILINE), name


def test_doctor_gives_a_remedy_for_what_is_wrong():
    found = {
        **{"synergy-tui": "1", "python": "3", "cores": 2, "memory": {"free": 1e9, "total": 4e9}},
        "torch": {"error": "No module named torch"},
        "jax": {"version": "0", "backend": "cpu", "devices": ["cpu"]},
        "cache": {"folder": "/c", "captures": 0, "decompositions": 0, "free": 1e8},
        "terminal": {
            "terminal": True,
            "colours": 16,
            "unwanted": False,
            "width": 60,
            "height": 20,
            "encoding": "ascii",
            "tmux": True,
        },
    }
    lines = {line.split()[1]: line for line in doctor.as_text(found).splitlines()}
    wrong = {name for name, line in lines.items() if line.startswith("✖")}
    assert wrong == {"machine", "torch", "cache", "colours", "locale"}
    assert all(" · " in lines[name] for name in (*wrong, "size", "tmux"))
    assert lines["jax"].startswith("✓")
    # Colours that nobody wants are not missed.
    found["terminal"] |= {"colours": 0, "unwanted": True}
    (line,) = (one for one in doctor.as_text(found).splitlines() if " colours " in one)
    assert line.startswith("· colours")
    assert "TERM" not in line
