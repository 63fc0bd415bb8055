"""What the command line says of itself: the list of commands, completion, doctor."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import click
import pytest
from terminals import on_terminal

from synergy_tui.cli import COMMANDS, SECTIONS, commands, main, told
from synergy_tui.drawing import doctor


def every(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """All commands with their names, groups and the program itself too."""
    yield path, group
    for name in group.list_commands(click.Context(group)):
        one = group.get_command(click.Context(group), name)
        assert one is not None
        if isinstance(one, click.Group):
            yield from every(one, (*path, name))
        else:
            yield (*path, name), one


EVERY = dict(every(commands))


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
    for name, (_, what) in COMMANDS.items():
        assert re.search(rf"^  {name} +{re.escape(what)}$", shown, re.MULTILINE), name


@pytest.mark.parametrize("width", [60, 80])
@pytest.mark.parametrize("path", EVERY, ids=" ".join)
def test_help_is_whole_at_every_width(path, width, capfd, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    assert main([*path, "--help"]) == 0
    shown = capfd.readouterr().out
    assert max(map(len, shown.splitlines())) <= width
    assert "\x1b" not in shown
    one, words = EVERY[path], " ".join(shown.split())
    for paragraph in re.split(r"\n\s*\n", one.help.strip()):
        if not paragraph.strip().startswith("\b"):
            assert " ".join(paragraph.split()) in words
    for option in one.params:
        if isinstance(option, click.Option):
            assert option.help, option.opts
            assert option.help.endswith("."), option.help
            assert " ".join(option.help.split()) in words, option.opts
            assert "default" not in option.help.lower(), option.help
    assert "[default: (" not in shown
    assert "RANGE" not in shown
    assert "<=" not in shown
    if isinstance(one, click.Group):
        assert "..." not in shown.partition("Options:")[2]
        for name in one.list_commands(click.Context(one)):
            what = COMMANDS[name][1] if not path else told.sentence(EVERY[(*path, name)].help)
            assert re.search(rf" {name} {re.escape(what)}", words), name


@pytest.mark.parametrize("path", [path for path, one in EVERY.items() if "Example:" in (one.help or "")], ids=" ".join)
def test_examples_that_are_folded_are_the_same_commands(path, capfd, monkeypatch):
    monkeypatch.setenv("COLUMNS", "50")
    assert main([*path, "--help"]) == 0
    shown = capfd.readouterr().out.replace("\\\n", "")
    found = re.findall(r"^ +(?:\w+: +)?(synergy-tui .*)$", shown, re.MULTILINE)
    meant = re.findall(r"^ *(?:\w+: +)?(synergy-tui .*)$", EVERY[path].help, re.MULTILINE)
    plain = [[" ".join(part.split()) for part in shlex.split(line)] for line in found]
    assert plain == [shlex.split(line) for line in meant]


@pytest.mark.parametrize(
    ("told_by_click", "expected"),
    [
        ("How many.  [default: (all)]", "How many. [default: all]"),
        ("How many.  [default: 5; x>=1]", "How many. [default: 5; 1 or more]"),
        ("Seconds.  [default: 60; 0.1<=x<=86400]", "Seconds. [default: 60; from 0.1 to 86400]"),
        ("Rows.  [1<=x<=1000000000]", "Rows. [1 or more]"),
        ("Of [prompts, units].", "Of [prompts, units]."),
    ],
)
def test_defaults_and_ranges_are_told_in_words(told_by_click, expected):
    assert told.tidy(told_by_click) == expected


def test_a_list_that_is_longer_than_a_line_goes_on_after_a_comma_or_a_bar():
    assert told.wrapped("of synergy-first,random,layer-matched too", 17) == [
        "of synergy-first,",
        "random,",
        "layer-matched too",
    ]


@pytest.mark.worker
def test_help_has_colours_on_a_terminal_that_has_them():
    shown = on_terminal("jobs", "--help")
    assert "\x1b[1mOptions:\x1b[0m" in shown
    plain = on_terminal("--no-color", "jobs", "--help")
    assert "\x1b" not in plain
    assert re.sub(r"\x1b\[\d*m", "", shown) == plain == on_terminal("jobs", "--help", NO_COLOR="1")


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
