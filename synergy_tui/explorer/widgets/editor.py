"""An editor for SQL that colours it, completes words and shows where a query went wrong."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from rich.style import Style
from rich.text import Text
from textual.widgets import TextArea

from synergy_tui.explorer.widgets.ink import FEW, Ink

WORDS = (
    *("SELECT", "FROM", "WHERE", "GROUP BY", "ORDER BY", "LIMIT", "HAVING", "JOIN", "LEFT JOIN", "USING", "ON", "AS"),
    *("AND", "OR", "NOT", "IN", "BETWEEN", "LIKE", "IS NULL", "IS NOT NULL", "DISTINCT", "DESC", "ASC", "ALL"),
    *("count(*)", "avg(", "sum(", "min(", "max(", "median(", "stddev(", "corr(", "quantile_cont(", "round(", "abs("),
    *("CASE WHEN", "THEN", "ELSE", "END", "WITH", "UNION ALL", "EXPLAIN", "DESCRIBE", "SHOW TABLES", "SUMMARIZE"),
)

_RESERVED = (
    "all analyze and anti any as asc asof between by case cast collate cross cube current describe desc distinct else "
    "end escape except exclude exists explain extract false fetch filter first following for from full glob group "
    "grouping having ilike in inner intersect interval is isnull join lambda last lateral left like limit natural not "
    "notnull null nulls offset on or order outer over partition pivot positional preceding qualify range recursive "
    "replace right rollup rows sample select semi sets show similar some summarize table tables tablesample then to "
    "true try_cast unbounded union unnest unpivot using values when where window with within"
)
_KEYWORDS = frozenset(_RESERVED.split())

_TOKEN = re.compile(
    r"(?P<comment>--.*|/\*.*?(?:\*/|$))"
    r"|(?P<string>'(?:[^']|'')*(?:'|$))"
    r'|(?P<name>"(?:[^"]|"")*(?:"|$))'
    r"|(?P<number>(?<!\w)(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)"
    r"|(?P<word>[^\W\d]\w*)"
)

_ENDS = {
    "/*": re.compile(r".*?\*/"),
    "'": re.compile("(?:[^']|'')*'(?!')"),
    '"': re.compile('(?:[^"]|"")*"(?!")'),
}
"""Tokens that may go on past the end of a line, and what ends them."""

MOST_COLOURED = 2_000
"""Most characters of a coloured line: every key redraws the line."""


class Token(NamedTuple):
    """A piece of a line. kind: comment, string, number, name (quoted), keyword or word."""

    start: int
    end: int
    kind: str


@lru_cache(4096)
def tokens(line: str, inside: str = "") -> tuple[tuple[Token, ...], str]:
    """The pieces of a line of SQL, and what it leaves open. inside: what the previous line left open: `/*`, a quote, or
    nothing."""
    out, start = [], 0
    if inside:
        found = _ENDS[inside].match(line)
        start = found.end() if found else len(line)
        out.append(Token(0, start, {"/*": "comment", "'": "string", '"': "name"}[inside]))
        if found is None:
            return tuple(out), inside
    left = ""
    for found in _TOKEN.finditer(line, start):
        kind, text = str(found.lastgroup), found[0]
        if kind == "word" and text.lower() in _KEYWORDS:
            kind = "keyword"
        out.append(Token(found.start(), found.end(), kind))
        left = _left_open(text)
    return tuple(out), left


def _left_open(text: str) -> str:
    """What the last piece of a line leaves open."""
    if text.startswith("/*"):
        return "" if text.endswith("*/") and len(text) > 3 else "/*"
    quote = text[:1]
    return quote if quote in ("'", '"') and text.count(quote) % 2 else ""


class Dress(NamedTuple):
    """Styles of the pieces. known: a table or a column of the catalogue. fault: where a query went wrong."""

    keyword: Style = Style(bold=True)
    string: Style = Style(italic=True)
    number: Style = Style()
    comment: Style = Style(italic=True, dim=True)
    known: Style = Style()
    fault: Style = Style(reverse=True)


_COLOURS = {
    # keyword, string, number, comment, known name, fault. Sixteen colours are given as rich's RGB values, colours of an
    # unknown palette by their names.
    ("ansi", True): ("cyan", "green", "yellow", "bright_black", "blue", "red"),
    ("ansi", False): ("cyan", "green", "yellow", "bright_black", "blue", "red"),
    ("standard", True): ("#55ffff", "#55ff55", "#ffff55", "#aaaaaa", "#00aaaa", "#ff5555"),
    ("standard", False): ("#0000aa", "#aa0000", "#aa00aa", "#555555", "#0000aa", "#aa0000"),
    ("", True): ("color(117)", "color(150)", "color(215)", "color(246)", "color(152)", "color(210)"),
    ("", False): ("color(25)", "color(22)", "color(94)", "color(240)", "color(24)", "color(124)"),
}
"""Keys: the terminal's colours, and whether the ground is dark."""


def dress(ink: Ink) -> Dress:
    """The styles for a terminal: bold and italic if it has no colour."""
    if ink.system is None:
        return Dress()
    kind = "" if ink.system not in FEW else "ansi" if ink.system == "ansi" else "standard"
    keyword, string, number, comment, known, fault = _COLOURS[kind, ink.dark]
    return Dress(
        Style(bold=True, color=keyword),
        Style(color=string),
        Style(color=number),
        Style(italic=True, color=comment),
        Style(color=known),
        Style(bold=True, underline=True, reverse=True, color=fault),
    )


class SQLEditor(TextArea):
    """Right takes a suggestion."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id, compact=True, soft_wrap=True, show_line_numbers=False, highlight_cursor_line=False)
        self.cursor_blink = False
        self._tables: list[str] = []
        self._columns: list[str] = []
        self._known: frozenset[str] = frozenset()
        self._dress = Dress()
        self._inside: list[str] = [""]
        self._fault: tuple[int, int, int] | None = None

    # Appearance

    def wear(self, ink: Ink) -> None:
        """Sets the colours for a terminal and a theme."""
        made = dress(ink)
        if made != self._dress:
            self._dress = made
            self._again()

    def _again(self) -> None:
        self._line_cache.clear()
        self.refresh()

    def get_line(self, line_index: int) -> Text:
        """A line with its colours."""
        text = super().get_line(line_index)
        if len(text) <= MOST_COLOURED:
            for one in tokens(text.plain, self._before(line_index))[0]:
                word = text.plain[one.start : one.end]
                if style := self._style(one.kind, word):
                    text.stylize(style, one.start, one.end)
        if self._fault is not None and self._fault[0] == line_index:
            text.stylize(self._dress.fault, *self._fault[1:])
        return text

    def _style(self, kind: str, word: str) -> Style | None:
        if kind in ("word", "name"):
            return self._dress.known if word.strip('"').lower() in self._known else None
        found: Style = getattr(self._dress, kind)
        return found

    def _before(self, line: int) -> str:
        """What the lines before this one leave open; known lines are not read again until the text changes."""
        text = self.document.lines
        for place in range(len(self._inside) - 1, line):
            self._inside.append(
                tokens(text[place], self._inside[place])[1] if len(text[place]) <= MOST_COLOURED else ""
            )
        return self._inside[line]

    def _build_highlight_map(self) -> None:
        """The text has changed: forgets what was known of its lines and its fault."""
        self._inside, self._fault = [""], None
        super()._build_highlight_map()

    def point_at(self, at: int) -> None:
        """Puts the cursor where a query went wrong, `at` characters into the text, and marks the word there until the
        next edit."""
        before = self.text[:at].split("\n")
        row, column = len(before) - 1, len(before[-1])
        line = self.document.get_line(row)
        here = next((one for one in tokens(line, self._before(row))[0] if one.start <= column < one.end), None)
        self.move_cursor((row, column))
        self._fault = (row, column, here.end if here is not None else column + 1)
        self._again()

    @property
    def faulty(self) -> str:
        """The marked word."""
        return "" if self._fault is None else self.document.get_line(self._fault[0])[self._fault[1] : self._fault[2]]

    # Words

    def know(self, tables: list[str], columns: list[str]) -> None:
        """Takes names from the catalogue, which are suggested before words of SQL: tables where a table is due, columns
        elsewhere."""
        self._tables, self._columns = tables, columns
        self._known = frozenset(one.lower() for one in (*tables, *columns))
        self._again()

    def fitting(self) -> list[str]:
        """Words that begin like the word before the cursor; all words if there is none."""
        typed = self._typed().lower()
        row, column = self.cursor_location
        before = " ".join([*self.text.split("\n")[:row], self.document.get_line(row)[: column - len(typed)]])
        of_table = re.search(r"(from|join|describe)\s*$", before, re.IGNORECASE) is not None
        names = self._tables + self._columns if of_table else self._columns + self._tables
        return [word for word in (*names, *WORDS) if word.lower().startswith(typed) and word.lower() != typed]

    def complete(self, word: str) -> None:
        """Replaces the word before the cursor."""
        row, column = self.cursor_location
        self.replace(word, (row, column - len(self._typed())), (row, column))

    def update_suggestion(self) -> None:
        """Updates the faint suggestion after the cursor."""
        typed = self._typed()
        fits = self.fitting() if len(typed) > 1 else []
        row, column = self.cursor_location
        rest = self.document.get_line(row)[column:]
        word = fits[0][len(typed) :] if fits and not rest[:1].isalnum() else ""
        self.suggestion = word.lower() if word and typed.islower() else word

    def _typed(self) -> str:
        row, column = self.cursor_location
        found = re.search(r"[A-Za-z_][A-Za-z_0-9]*$", self.document.get_line(row)[:column])
        return found[0] if found else ""
