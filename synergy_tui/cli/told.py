"""What --help says, at every width: no word is cut, defaults stand once, examples can be pasted."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import click

from synergy_tui import settings
from synergy_tui.cli import manner

NARROWEST = 30
"""Columns that help is written for if a terminal has fewer."""

MARGIN = 30
"""Most columns of the names of options and commands; explanations stand beside them."""


class Formatter(click.HelpFormatter):
    """Help that wraps between words. plain: without colours."""

    def __init__(
        self,
        indent_increment: int = 2,
        width: int | None = None,
        max_width: int | None = None,
        plain: bool = True,
    ) -> None:
        if width is None:
            import shutil

            width = max(min(shutil.get_terminal_size().columns, max_width or 80) - 2, NARROWEST)
        super().__init__(indent_increment, width, max_width)
        self.plain = plain

    def write_heading(self, heading: str) -> None:
        """A heading, in bold."""
        self.write(f"{'':>{self.current_indent}}{self._styled(f'{heading}:', bold=True)}\n")

    def write_text(self, text: str) -> None:
        """Paragraphs. A paragraph after a line of \\b keeps its lines; commands that are too long for a line go on
        after a backslash."""
        paragraphs = []
        for paragraph in re.split(r"\n\s*\n", text.strip("\n")):
            first, *others = paragraph.splitlines()
            room = self.width - self.current_indent
            if first.strip() == "\b":
                lines = [part for line in others for part in folded(line, room)]
            else:
                lines = wrapped(paragraph, room)
            paragraphs.append("".join(f"{'':>{self.current_indent}}{line}\n" for line in lines))
        self.write("\n".join(paragraphs))

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = MARGIN, col_spacing: int = 2) -> None:
        """Names and what they mean, side by side; a long name stands above."""
        rows = [(plainly(name), tidy(meaning)) for name, meaning in rows]
        most = min(col_max, self.width * 2 // 5)
        margin = max((len(name) for name, _ in rows if len(name) <= most), default=most // 2) + col_spacing
        for name, meaning in rows:
            lines = wrapped(meaning, self.width - self.current_indent - margin)
            beside = len(name) <= margin - col_spacing
            for part in [name] if beside else wrapped(name, self.width - self.current_indent, "    "):
                self.write(f"{'':>{self.current_indent}}{self._styled(part, fg='cyan')}")
                self.write("" if beside and lines else "\n")
            for place, line in enumerate(lines):
                blank = margin - len(name) if beside and place == 0 else self.current_indent + margin
                self.write(f"{'':>{blank}}{line}\n")

    def _styled(self, text: str, **how: Any) -> str:
        return text if self.plain else click.style(text, **how)


class Context(click.Context):
    """A command's context, whose help is written by Formatter."""

    def make_formatter(self) -> click.HelpFormatter:
        """In the colours of the terminal, unless they are switched off."""
        asked = manner.colour()
        plain = asked == "none" if asked else settings.colourless()
        return Formatter(width=self.terminal_width, max_width=self.max_content_width, plain=plain)


def whole(command: click.Command) -> click.Command:
    """The command, and those in it, with help that is written by Formatter and sentences that are not cut."""
    command.context_class = Context
    for one in command.commands.values() if isinstance(command, click.Group) else ():
        one.short_help = sentence(one.help or "")
        whole(one)
    return command


def sentence(text: str) -> str:
    """The first sentence of a help text."""
    first = " ".join(re.split(r"\n\s*\n", text.strip())[0].split())
    return re.split(r"(?<=[.?!]) ", first)[0]


def plainly(name: str) -> str:
    """The name of an option with what stands for its value, in the words of all options."""
    return name.replace(" RANGE", "").replace("FLOAT", "NUMBER")


def tidy(meaning: str) -> str:
    """The meaning of an option, its default and its range in words."""
    found = re.search(r"\s*\[([^\[\]]*)\]$", meaning)
    if not found:
        return meaning
    parts = [_in_words(part) for part in found[1].split("; ")]
    return f"{meaning[: found.start()]} [{'; '.join(part for part in parts if part)}]".strip()


def _in_words(part: str) -> str:
    if found := re.fullmatch(r"default: \((.*)\)", part):
        return f"default: {found[1]}"
    if found := re.fullmatch(r"([\d.]+)<=x<=([\d.]+)", part):
        # Bounds beyond this are named only to users who exceed them.
        return f"{found[1]} or more" if float(found[2]) > 1e6 else f"from {found[1]} to {found[2]}"
    if found := re.fullmatch(r"x>=([\d.]+)", part):
        return f"{found[1]} or more"
    return part


def wrapped(text: str, width: int, indent: str = "") -> list[str]:
    """Lines of whole words; a list longer than a line goes on after a comma or a bar. Brackets stay on one line if
    they fit. indent: of all lines except the first."""
    text = re.sub(r"\[[^\[\]]*\]", lambda found: _kept(found[0], width), text)
    lines: list[str] = [""]
    for word in re.split(r"[ \n]+", text):
        glue = " "
        for part in _parts(word, width - len(indent)):
            if not lines[-1].strip():
                lines[-1] += part
            elif len(lines[-1]) + len(glue) + len(part) <= width:
                lines[-1] += glue + part
            else:
                lines.append(indent + part)
            glue = ""
    return [line.replace("\u00a0", " ") for line in lines if line.strip()]


def _kept(brackets: str, width: int) -> str:
    return brackets.replace(" ", "\u00a0") if len(brackets) <= width else brackets


def _parts(word: str, width: int) -> list[str]:
    return [word] if len(word) <= width else re.findall(r"[^,|]+[,|]?", word)


def folded(line: str, width: int) -> Iterator[str]:
    """A line, split into several of the same indentation if it is too long. A command goes on after a backslash."""
    if len(line) <= width:
        yield line
        return
    found = re.fullmatch(r"((?:\w+:)?\s*)(.*)", line)
    assert found is not None  # all of it may be empty
    margin, text = " " * len(found[1]), found[2]
    if is_command := text.startswith("synergy-tui "):
        text = re.sub(r"( --[a-z-]+) (?=[^-])", "\\1\u00a0", text)  # an option and its value stay together
    lines = wrapped(text, width - len(margin) - 2 * is_command, "  ")
    for place, part in enumerate(lines):
        more = " \\" if is_command and place < len(lines) - 1 else ""
        yield f"{margin if place else found[1]}{part}{more}"
