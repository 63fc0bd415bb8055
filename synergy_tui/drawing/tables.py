"""Rows → aligned columns, CSV or JSON."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

WIDEST = 80
"""Columns of text that a cell has before it is cut with an ellipsis; CSV and JSON have everything."""


def as_json(content: Any, indent: int | None = 2) -> str:
    """JSON in which NaN and infinities are null and dates are text."""
    return json.dumps(_plain(content), indent=indent, ensure_ascii=False)


def as_csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """CSV with a line of column names; no value is an empty field."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(["" if value is None else value for value in row] for row in rows)
    return out.getvalue()


def as_text(rows: Sequence[dict[str, Any]], columns: Sequence[str] = ()) -> str:
    """Aligned columns, numbers to the right, cut at WIDEST. Control characters of the content are
    shown, not sent: a prompt must not drive the terminal."""
    columns = columns or (list(rows[0]) if rows else [])
    heads = [printable(name) for name in columns]
    cells = [[_cell(row[name]) for name in columns] for row in rows]
    numeric = [all(isinstance(row[name], int | float | None) for row in rows) for name in columns]
    widths = [max([len(name), *(len(row[place]) for row in cells)]) for place, name in enumerate(heads)]
    widths = [min(one, WIDEST) for one in widths]

    def line(parts: Sequence[str]) -> str:
        aligned = [
            _cut(part, size).rjust(size) if right else _cut(part, size).ljust(size)
            for part, size, right in zip(parts, widths, numeric, strict=True)
        ]
        return "  ".join(aligned).rstrip()

    return "\n".join([line(heads), line(["─" * size for size in widths]), *map(line, cells)])


def _cut(text: str, size: int) -> str:
    return text if len(text) <= size else text[: size - 1] + "…"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6g}"
    return printable(str(value))


def printable(text: str) -> str:
    """The text with its control characters shown, not sent: nobody's data may drive the terminal."""
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
