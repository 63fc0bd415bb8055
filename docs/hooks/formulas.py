"""Formulas between dollar signs → MathML, which browsers draw without a script. Code keeps its dollar signs.

The fences of a page also lose what the tests of the documentation read in them: the words after the language.
"""

from __future__ import annotations

import re
from typing import Any

from latex2mathml.converter import convert

_CODE = re.compile(r"^(?P<fence>```+)[^\n]*\n.*?^(?P=fence)[ \t]*$|`[^`\n]+`", re.M | re.S)
_FORMULA = re.compile(r"\$\$(?P<block>.+?)\$\$|(?<![\\\w$])\$(?P<inline>[^\s$][^$\n]*?)\$(?![\w$])", re.S)
_INFO = re.compile(r"^(```+\w+)(?: \w+)+$", re.M)


def _drawn(found: re.Match[str]) -> str:
    if block := found["block"]:
        return convert(block.strip(), display="block")
    # Markdown takes a line that begins with <math> for a block of its own.
    return f"<span>{convert(found['inline'].strip())}</span>"


def on_page_markdown(markdown: str, **_: Any) -> str:
    """The page with its formulas drawn."""
    parts, end = [], 0
    for code in _CODE.finditer(markdown):
        parts += [_FORMULA.sub(_drawn, markdown[end : code.start()]), code[0]]
        end = code.end()
    parts.append(_FORMULA.sub(_drawn, markdown[end:]))
    return _INFO.sub(r"\1", "".join(parts))
