"""The manual page: all that --help says is in it, and roff reads it."""

from __future__ import annotations

import re
import shutil
import subprocess

import click
import pytest

from synergy_tui.cli import COMMANDS, SECTIONS, commands, main, man, told

PAGE = list(man.page(commands))
PARTS = ["NAME", "SYNOPSIS", "DESCRIPTION", "COMMANDS", "OPTIONS", "FILES", "ENVIRONMENT", "EXIT STATUS"]
MACROS = {".TH", ".SH", ".SS", ".TP", ".PP", ".IP", ".RS", ".RE", ".B", ".nf", ".fi", ".sp", ".nh", ".ad"}


def test_it_is_printed(capfd):
    assert main(["man"]) == 0
    assert capfd.readouterr().out.splitlines() == PAGE


def test_it_has_the_parts_of_a_manual_page_in_their_order():
    assert [line[4:] for line in PAGE if line.startswith(".SH ")] == PARTS
    assert [line[5:-1] for line in PAGE if line.startswith(".SS ")] == list(SECTIONS)


def test_it_is_roff_of_known_macros_and_ascii():
    assert all(line.isascii() for line in PAGE)
    requests = [line.split()[0] for line in PAGE if line.startswith((".", "'"))]
    assert set(requests) <= MACROS
    for first, last in ((".RS", ".RE"), (".nf", ".fi")):
        assert requests.count(first) == requests.count(last)
    # What is escaped is known.
    assert "\\" not in re.sub(r"\\(?:f[BR]|-|&|e|\[u[0-9A-F]{4}\])", "", "\n".join(PAGE))


def test_every_command_and_every_option_of_it_is_in_it():
    text = "\n".join(PAGE)
    for name in COMMANDS:
        one = commands.get_command(click.Context(commands), name)
        assert one is not None
        for path, inner in [(name, one), *_within(name, one)]:
            heading = rf"\fBsynergy\-tui {path}\fR"
            assert text.count(f"\n{heading}") == 1, path
            own = text.partition(f"\n{heading}")[2].partition("\n\\fBsynergy\\-tui ")[0]
            for option in inner.params:
                if isinstance(option, click.Option) and option.opts[-1] not in man.EVERYWHERE:
                    assert man._escaped(option.opts[-1]) in own, (path, option.opts)
            assert man._escaped(told.sentence(inner.help or "")) in own
    for name in man.EVERYWHERE:
        assert man._escaped(name) in text.partition(".SH OPTIONS")[2]


def _within(name: str, one: click.Command) -> list[tuple[str, click.Command]]:
    return [(f"{name} {inner}", found) for inner, found in one.commands.items()] if isinstance(one, click.Group) else []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("--no-color", r"\-\-no\-color"),
        (".gguf files", r"\&.gguf files"),
        ("'quoted'", r"\&'quoted'"),
        ("a\\b", r"a\eb"),
        ("ΦID · τ", r"\[u03A6]ID \[u00B7] \[u03C4]"),
    ],
)
def test_text_is_escaped(text, expected):
    assert man._escaped(text) == expected


@pytest.mark.worker
@pytest.mark.skipif(not shutil.which("groff"), reason="there is no groff here")
def test_groff_sets_it_without_a_word_of_complaint():
    line = ["groff", "-man", "-Tutf8", "-ww", "-P-c", "-P-b", "-P-o", "-P-u", "-rLL=80n"]
    got = subprocess.run(line, input="\n".join(PAGE) + "\n", capture_output=True, text=True, check=True)
    assert got.stderr == ""
    assert max(map(len, got.stdout.splitlines())) <= 80
    words = " ".join(got.stdout.split())
    assert "synergy-tui run smollm2 --tasks cognitive" in words
    assert "Decompose all pairs of a capture's heads with ΦID" in words
    assert "[default: rank-difference]" in words
