"""Rows → aligned columns, CSV or JSON."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from rich.cells import cell_len

WIDEST = 80
"""Most columns of text in a table for no terminal; CSV and JSON have everything."""

LEAST = 12
"""Columns that a column of text keeps beside others, or its full width if that is less."""

SHORT = 16
"""Text of up to this many columns is never cut: times, sizes, methods."""

HEAD = 8
"""Columns of a shortened name."""

LONGEST = 3
"""Most lines of a text in a record."""

IDS = frozenset(("id", "job", "after", "run", "capture", "decomposition", "ablation", "ladder", "network", "card"))
"""Columns with ids that users paste into commands."""


def as_json(content: Any, indent: int | None = 2) -> str:
    """JSON in which NaN and infinities are null and dates are text."""
    return json.dumps(_plain(content), indent=indent, ensure_ascii=False)


def as_csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """CSV with a line of column names; a missing value is an empty field."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(["" if value is None else value for value in row] for row in rows)
    return out.getvalue()


@dataclass(frozen=True)
class _Column:
    """head: its name. right: whether it holds numbers. whole: whether its cells are never cut."""

    head: str
    cells: list[str]
    right: bool
    whole: bool

    @property
    def content(self) -> int:
        """The width of its widest cell."""
        return max(map(cell_len, self.cells), default=0)


def as_text(
    rows: Sequence[dict[str, Any]],
    columns: Sequence[str] = (),
    width: int | None = None,
    whole: Collection[str] = IDS,
) -> str:
    """Aligned columns, numbers to the right. Control characters of the content are shown, not sent: a prompt must not
    drive the terminal.

    width: of the terminal. Text is shortened to fit; ids and numbers are not: if they do not fit side by side, every
    row is a record, with a line for each of its values. Without a width, text is cut at WIDEST. whole: columns whose
    text is never cut."""
    made = _columns(rows, columns, whole)
    sizes = _natural(made) if width is None else _fitting(made, width)
    if sizes is None:
        return "\n\n".join(_record(made, place, width or WIDEST) for place in range(len(rows)))

    def line(parts: Iterable[str]) -> str:
        aligned = [_aligned(*one) for one in zip(parts, sizes, (one.right for one in made), strict=True)]
        return "  ".join(aligned).rstrip()

    body = [line(one.cells[place] for one in made) for place in range(len(rows))]
    return "\n".join([line(one.head for one in made), line("─" * size for size in sizes), *body])


def fits(rows: Sequence[dict[str, Any]], columns: Sequence[str], width: int, whole: Collection[str] = IDS) -> bool:
    """Whether these columns fit side by side in a terminal of `width` columns."""
    return _fitting(_columns(rows, columns, whole), width) is not None


def _columns(rows: Sequence[dict[str, Any]], names: Sequence[str], whole: Collection[str]) -> list[_Column]:
    names = names or (list(rows[0]) if rows else [])
    return [_column(name, [row[name] for row in rows], name.lower() in whole) for name in names]


def _column(name: str, values: Sequence[Any], whole: bool) -> _Column:
    cells = [_cell(value) for value in values]
    number = all(isinstance(value, int | float | Decimal | None) for value in values)
    exact = number or all(isinstance(value, date | None) for value in values)
    whole = whole or exact or all(cell_len(one) <= SHORT or _HEX.fullmatch(one) for one in cells)
    return _Column(printable(name), cells, number, whole)


_HEX = re.compile(r"[a-z]?[0-9a-f-]{4,64}")


def _natural(columns: Sequence[_Column]) -> list[int]:
    """Widths of columns when there is no terminal."""
    wide = [max(cell_len(one.head), one.content) for one in columns]
    return [size if one.whole else min(size, WIDEST) for one, size in zip(columns, wide, strict=True)]


def _fitting(columns: Sequence[_Column], width: int) -> list[int] | None:
    """Widths of columns that fit side by side: the widest text gives way first, then the longest names. None if that is
    not enough, or if names would become the same."""
    content = [min(one.content, width) if not one.whole else one.content for one in columns]
    sizes = [max(cell_len(one.head), size) for one, size in zip(columns, content, strict=True)]
    texts = [
        size if one.whole else min(size, max(LEAST, cell_len(one.head), _first(one, width)))
        for one, size in zip(columns, sizes, strict=True)
    ]
    heads = [
        max(min(size, HEAD), length) if one.whole else min(size, max(LEAST, _first(one, width)))
        for one, size, length in zip(columns, texts, content, strict=True)
    ]
    room = width - 2 * (len(columns) - 1)
    for least in (texts, heads):
        while sum(sizes) > room and sizes != least:
            widest = max(range(len(sizes)), key=lambda place: (sizes[place] > least[place], sizes[place]))
            sizes[widest] -= 1
    shown = {cut(one.head, size) for one, size in zip(columns, sizes, strict=True)}
    return sizes if sum(sizes) <= room and len(shown) == len({one.head for one in columns}) else None


def _first(column: _Column, width: int) -> int:
    """Width that the first words of a column need if they are ids or numbers: a lone ellipsis says nothing."""
    longest = 0
    for text in column.cells:
        end = next((place for place in range(1, min(len(text), width)) if not _joined(text, place)), len(text))
        if any(char.isdigit() for char in text[:end]):
            longest = max(longest, cell_len(text[:end]) + (end < len(text)))
    return longest


def _aligned(text: str, size: int, right: bool) -> str:
    text = cut(text, size)
    blank = " " * (size - cell_len(text))
    return blank + text if right else text + blank


def _record(columns: Sequence[_Column], place: int, width: int) -> str:
    """One row: each value on its own lines, after its name."""
    margin = max(cell_len(one.head) for one in columns) + 2
    margin = margin if margin <= width // 2 else 2
    lines = []
    for one in columns:
        text = one.cells[place]
        name = one.head + " " * (margin - cell_len(one.head))
        if cell_len(name) > margin or (one.whole and cell_len(text) > width - margin):
            lines.append(cut(one.head, width))
            lines += [" " * min(margin, 2) + part for part in _wrapped(text, width - 2, one.whole)]
            continue
        first, *others = _wrapped(text, width - margin, one.whole) or [""]
        lines += [f"{name}{first}".rstrip(), *(" " * margin + part for part in others)]
    return "\n".join(lines)


def _wrapped(text: str, width: int, whole: bool) -> list[str]:
    """Lines of a text, cut after LONGEST of them unless the text must be whole."""
    lines: list[str] = []
    while text:
        if not whole and len(lines) == LONGEST - 1:
            return [*lines, cut(text, width)]
        end = _end(text, width)
        space = text.rfind(" ", 0, end + 1)
        if end < len(text):
            end = space if space > 0 else _before(text, end) or end
        lines.append(text[:end].rstrip())
        text = text[end:].lstrip()
    return lines


def cut(text: str, size: int) -> str:
    """The text in at most `size` columns, with an ellipsis if it goes on. No id and no number in it is broken."""
    if cell_len(text) <= size:
        return text
    return text[: _before(text, _end(text, size - 1))].rstrip() + "…"


def _end(text: str, size: int) -> int:
    """How many characters fit into `size` columns. Marks on a letter stay with it."""
    room = size
    for place, char in enumerate(text):
        room -= cell_len(char)
        if room < 0:
            return place
    return len(text)


def _before(text: str, place: int) -> int:
    """The beginning of the id or number that a cut at `place` would break, or else `place`."""
    start = end = place
    if not 0 < place < len(text) or not _joined(text, place):
        return place
    while start > 0 and _joined(text, start):
        start -= 1
    while end < min(len(text), place + WIDEST) and _joined(text, end):
        end += 1
    return start if any(char.isdigit() for char in text[start:end]) else place


def _joined(text: str, place: int) -> bool:
    """Whether the characters before and after `place` belong to one word or number."""
    before, after = text[place - 1], text[place]
    beyond, next_one = text[place - 2 : place - 1], text[place + 1 : place + 2]
    if after in ".,:":
        return before.isdigit() and next_one.isdigit()
    if before in ".,:":
        return after.isdigit() and beyond.isdigit()
    if after in "+-":
        return before in "eE" and beyond.isdigit() and next_one.isdigit()
    if before in "+-":
        return after.isdigit() and (beyond in ("", " ") or (beyond in "eE" and text[place - 3 : place - 2].isdigit()))
    return _of_word(before) and (_of_word(after) or (after == "%" and before.isdigit()))


def _of_word(char: str) -> bool:
    """Whether a character is part of a word; wide letters stand for whole words."""
    return char.isdigit() or (char.isalnum() and cell_len(char) == 1)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6g}"
    return printable(str(value))


def printable(text: str) -> str:
    """The text with its control characters shown, not sent: no data may drive the terminal."""
    return text if text.isprintable() else "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def _plain(content: Any) -> Any:
    if isinstance(content, dict):
        return {str(key): _plain(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_plain(value) for value in content]
    if isinstance(content, float) and not math.isfinite(content):
        return None
    if isinstance(content, datetime):
        return content.isoformat(sep=" ")
    if isinstance(content, Decimal):
        return int(content) if content == content.to_integral_value() else float(content)
    if content is None or isinstance(content, str | int | float | bool):
        return content
    return str(content)
