"""The current colours, shades and signs: one object that widgets ask, made from the terminal and the settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.color import Color as RichColor
from rich.style import Style
from textual.color import Color

from synergy_tui.drawing import scale
from synergy_tui.explorer.theme import DARK, LIGHT

if TYPE_CHECKING:
    from textual.theme import Theme

FEW = ("standard", "windows", "ansi")
"""Terminals of sixteen colours, whose palettes are unknown."""


@dataclass(frozen=True)
class Ink:
    """system: rich's name of the terminal's colour system, "ansi" to follow the terminal's own palette, None without
    colour. ascii: only ASCII signs. dark: whether the theme's ground is dark. theme: gives texts their colours, None
    for ours."""

    system: str | None
    ascii: bool = False
    dark: bool = True
    theme: Theme | None = None

    @classmethod
    def of(cls, system: str | None, ascii: bool, theme: Theme) -> Ink:
        """The ink of a theme, on a terminal with these colours."""
        return cls("ansi" if theme.ansi and system is not None else system, ascii, theme.dark, theme)

    def colours(self, diverging: bool) -> tuple[str, ...]:
        """The scale; empty if only ink is left."""
        return scale.palette(self.system, diverging, self.dark)

    @property
    def shades(self) -> str:
        """Ink that grows with the value."""
        return scale.ASCII_SHADES if self.ascii else scale.SHADES

    @property
    def upper_half(self) -> str:
        """The sign for two values in one cell; without it or without colour there is one value per cell."""
        return "" if self.ascii or self.system is None else "▀"

    @property
    def dot(self) -> str:
        """The sign of a marked unit."""
        return "*" if self.ascii else "•"

    @property
    def box(self) -> str:
        """The cursor's outline if a cell has one column."""
        return "O" if self.ascii else "□"

    @property
    def edges(self) -> tuple[str, str]:
        """The cursor's outline if it has a column on each side."""
        return ("[", "]") if self.ascii else ("▐", "▌")

    @property
    def nothing(self) -> str:
        """The sign for no value."""
        return "?" if self.ascii else scale.NOTHING

    @property
    def masked(self) -> str:
        """The sign for a value that is not above its null."""
        return "-" if self.ascii else "╌"

    @property
    def cursor(self) -> Style:
        """A colour that no scale has."""
        if self.system is None:
            return Style(reverse=True)
        return Style.parse("bold black on bright_magenta" if self.system in FEW else "bold #000000 on color(201)")

    @property
    def row(self) -> Style:
        """The row of a table under the cursor."""
        if self.system is None or self.system in FEW:
            return Style(reverse=True)
        return Style(bold=True, bgcolor="color(237)" if self.dark else "color(251)")

    @property
    def dim(self) -> Style:
        """The style of explanatory words."""
        if self.system is None:
            return Style()
        if self.system in FEW:  # bright black is hardly legible on many grounds
            return Style(dim=True) if self.system == "ansi" else Style.parse("white")
        return Style.parse("color(246)" if self.dark else "color(240)")

    @property
    def levels(self) -> tuple[Style, ...]:
        """Styles of grave and notable doubts, of what is missing, and of what says little."""
        if self.system is None:
            return (Style(bold=True), Style(bold=True), Style(), Style())
        grave, notable = (Style(bold=True, color=self._of_theme(one)) for one in ("error", "warning"))
        return (grave, notable, Style(bold=True), self.dim)

    @property
    def good(self) -> Style:
        """The style of what holds."""
        return Style(bold=True, color=None if self.system is None else self._of_theme("success"))

    @property
    def accent(self) -> Style:
        """The style of keys, and of the focus."""
        return Style(bold=True, color=None if self.system is None else self._of_theme("accent"))

    def _of_theme(self, name: str) -> RichColor:
        own = getattr(DARK if self.dark else LIGHT, name)
        return Color.parse(getattr(self.theme, name, None) or own).rich_color

    @property
    def warm(self) -> str:
        """The colour of the synergistic side."""
        return self._side(-2) if self.system != "ansi" else "yellow"

    @property
    def cool(self) -> str:
        """The colour of the redundant side."""
        return self._side(1) if self.system not in FEW else "cyan"

    def _side(self, place: int) -> str:
        colours = self.colours(True)
        return colours[place] if colours else ""

    def plain(self, text: str) -> str:
        """The text, with signs replaced that this terminal may lack."""
        return text.translate(_PLAIN) if self.ascii else text


_PLAIN = str.maketrans(
    {
        "×": "x",
        "▸": ">",
        "▾": "v",
        "·": "-",
        "…": "~",
        "τ": "t",
        "–": "-",
        "−": "-",
        "●": "o",
        "━": "=",
        "│": "|",
        "ρ": "r",
    }
    | {
        "↑": "^",
        "↓": "v",
        "←": "<",
        "→": ">",
        "█": "#",
        "░": ".",
        "▒": ":",
        "▓": "+",
        "•": "*",
        "✖": "x",
        "▲": "^",
        "▼": "v",
        "◂": "<",
        "○": "-",
        "◐": "/",
        "◑": "%",
        "✓": "+",
        "□": "O",
        "‖": "|",
        "≥": ">=",
        "≤": "<=",
    }
    | dict.fromkeys("┌┐└┘┬┴┼", "+")
    | dict.fromkeys("├┤", "|")
    | {"─": "-", "┃": "|", "╌": "-", "↵": "/", "Φ": "F", "˙": "'"}
    | dict.fromkeys("╭╮╰╯┈", ".")
    | {"▀": "^", "▄": "_", "┊": "'", "²": "2", "■": "#", "◆": "*"}
)
