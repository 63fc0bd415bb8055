"""man: the manual page, made from --help."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click

from synergy_tui import __version__
from synergy_tui.cli import told
from synergy_tui.cli.manner import manners

FILES = {
    "~/.config/synergy-tui/config.toml": "Settings: cache and data are paths in quotes; theme is a name as --theme "
    "takes it, in quotes; colour is none, 16, 256 or truecolor; ascii is true or false; [keys] gives actions of the "
    "explorer other keys; [families.NAME] describes an architecture that no test covers.",
    "~/.config/synergy-tui/themes/NAME.toml": "A theme of your own: dark is true or false; background, foreground, "
    "accent and the other colours of a theme are in quotes.",
    "~/.local/share/synergy-tui/cache": "The cache: the catalogue cache.duckdb, the bulk files of runs, and a folder "
    "for each job.",
    "~/.local/share/synergy-tui": "Fetched models, for all caches, and compiled code.",
    "~/.local/state/synergy-tui": "What the explorer showed last.",
}
"""On Linux; elsewhere these are the user's folders for such files."""

ENVIRONMENT = {
    "SYNERGY_TUI_CACHE": "The cache folder. --cache overrides it; it overrides config.toml.",
    "SYNERGY_TUI_DATA": "The folder of fetched models. It overrides config.toml.",
    "NO_COLOR": "If it is not empty, nothing has colours, and maps are drawn in shades.",
    "TERM, COLORTERM": "How many colours the terminal has.",
    "COLUMNS, LINES": "The size to draw for; if they are not set, the terminal's own.",
    "LANG, LC_ALL": "Without UTF-8, ASCII signs replace all others.",
    "XDG_CONFIG_HOME, XDG_DATA_HOME, XDG_STATE_HOME": "Where the folders under FILES are.",
    "HF_HOME, HF_TOKEN, HF_ENDPOINT": "The hub that models are fetched from; its own library reads them.",
}

STATUS = {
    "0": "Done.",
    "1": "Failed. One line on standard error says what was wrong and what to do next.",
    "2": "Wrong usage: an unknown option, an invalid value, a run that is not there.",
    "130": "Interrupted or cancelled. Finished parts are kept.",
}

EVERYWHERE = ("--cache", "--json", "--ascii", "--quiet", "--no-color", "--help")
"""Options that most commands have. They are listed once."""

WIDTH = 60
"""Columns of lines that are not wrapped: they are indented in a terminal of 80."""


@click.command()
@manners
def man() -> None:
    """Print the manual page: every command with its options, files, environment and exit status.

    \b
    Example:  synergy-tui man | man -l -
              synergy-tui man > ~/.local/share/man/man1/synergy-tui.1
    """
    from synergy_tui.cli import commands

    click.echo("\n".join(page(commands)))


def page(commands: click.Group) -> Iterator[str]:
    """Lines of roff, in the macros of man."""
    from synergy_tui.cli import SECTIONS

    context = told.Context(commands, info_name="synergy-tui", **commands.context_settings)
    yield f'.TH SYNERGY\\-TUI 1 "" "synergy\\-tui {__version__}" "User Commands"'
    yield from (".nh", ".ad l")  # pasted text must have no hyphens or blanks of ours
    yield from (".SH NAME", r"synergy\-tui \- explore maps of where a language model integrates information")
    yield from (".SH SYNOPSIS", ".B synergy\\-tui", _escaped(" ".join(commands.collect_usage_pieces(context))))
    yield ".SH DESCRIPTION"
    yield from _text(commands.help or "")
    yield from (".PP", _escaped("Without a command it opens the explorer; in a pipe it draws the newest map."))
    yield ".SH COMMANDS"
    for title, some in SECTIONS.items():
        yield f'.SS "{_escaped(title)}"'
        for name in some:
            one = commands.get_command(context, name)
            assert one is not None
            yield from _command(one, context, name)
    yield ".SH OPTIONS"
    yield from _options(commands, context)
    yield from _item("--debug", "Let errors through with their traceback.")
    yield from (".PP", "Most commands also have these options, which may follow the command:")
    shown = commands.get_command(context, "show")
    assert shown is not None
    yield from _options(shown, told.Context(shown, info_name="show", parent=context), alone=True)
    for heading, known in {"FILES": FILES, "ENVIRONMENT": ENVIRONMENT, "EXIT STATUS": STATUS}.items():
        yield f".SH {heading}"
        for name, meaning in known.items():
            yield from _item(name, meaning)


def _command(one: click.Command, parent: click.Context, path: str) -> Iterator[str]:
    """A command with its help and its own options; for a group, its commands too."""
    context = told.Context(one, info_name=path.split()[-1], parent=parent)
    usage = " ".join(piece for piece in one.collect_usage_pieces(context) if piece != "[OPTIONS]")
    yield from (".TP", rf"\fBsynergy\-tui {_escaped(path)}\fR {_escaped(usage)}".rstrip())
    yield from _text(one.help or "")
    yield ".RS"
    yield from _options(one, context, but=True)
    yield ".RE"
    if isinstance(one, click.Group):
        for name, inner in one.commands.items():
            yield from _command(inner, context, f"{path} {name}")


def _options(one: click.Command, context: click.Context, alone: bool = False, but: bool = False) -> Iterator[str]:
    """All options. alone: only those of EVERYWHERE. but: all except those."""
    for option in one.get_params(context):
        record = option.get_help_record(context) if isinstance(option, click.Option) else None
        shared = any(name in EVERYWHERE for name in option.opts)
        if record and not (alone and not shared) and not (but and shared):
            yield from _item(told.plainly(record[0]), told.tidy(record[1]))


def _item(name: str, meaning: str) -> Iterator[str]:
    yield from (".TP", rf"\fB{_escaped(name)}\fR", _escaped(meaning))


def _text(text: str) -> Iterator[str]:
    """Paragraphs; those after a line of \\b keep their lines."""
    for place, paragraph in enumerate(re.split(r"\n\s*\n", text.strip())):
        lines = [line for line in paragraph.splitlines() if line.strip() != "\b"]
        kept = len(lines) < len(paragraph.splitlines())
        if place:
            yield ".IP" if not kept else ".sp"
        if kept:
            margin = min(len(line) - len(line.lstrip()) for line in lines)
            yield from (".nf", *(_escaped(part) for line in lines for part in told.folded(line[margin:], WIDTH)), ".fi")
        else:
            yield _escaped(" ".join(" ".join(lines).split()))


def _escaped(text: str) -> str:
    """Text that roff prints as it is: no macro at its beginning, hyphens that can be pasted, signs by their number."""
    text = text.replace("\\", r"\e").replace("-", r"\-")
    text = "".join(char if char.isascii() else rf"\[u{ord(char):04X}]" for char in text)
    return rf"\&{text}" if text.startswith((".", "'")) else text
