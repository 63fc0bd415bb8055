"""An intact and an ablated answer → two columns side by side, with the tokens that differ coloured."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Any

from rich.cells import cell_len, chop_cells
from rich.text import Text

from synergy_tui.drawing.tables import printable
from synergy_tui.explorer.widgets.ink import Ink


def differing(intact: Sequence[str], ablated: Sequence[str]) -> tuple[list[bool], list[bool]]:
    """Which tokens of each have no counterpart in the other, in their order."""
    left, right = [True] * len(intact), [True] * len(ablated)
    for block in SequenceMatcher(None, intact, ablated, autojunk=False).get_matching_blocks():
        for step in range(block.size):
            left[block.a + step] = right[block.b + step] = False
    return left, right


def side_by_side(answer: dict[str, Any], width: int, ink: Ink) -> list[Text]:
    """Lines of at most `width` columns. answer: a row of walk.answers. A differing token is coloured, or underlined
    without colours."""
    column = max((width - 5) // 2, 10)
    left, right = differing(answer["intact"], answer["pieces"])
    changed = sum(right)
    who = answer["removal_order"] + (f" ({answer['target']})" if answer["target"] else "")
    who += "" if answer["seed"] is None else f" seed {answer['seed']}"
    asked = printable(" ".join(answer["asked"].split()))
    told = f"{changed} of {len(right)} tokens differ"
    lines = [
        Text(f" {answer['prompt']}  {answer['category']}  {asked}"[: max(width - 1, 1)], "bold"),
        Text.assemble(
            (" intact".ljust(column + 2), ink.dim), (f"  without {answer['fraction']:.0%} {who}: {told}", "bold")
        ),
    ]
    columns = (_column(answer["intact"], left, column, ink.cool), _column(answer["pieces"], right, column, ink.warm))
    bar = " | " if ink.ascii else " │ "
    for row in range(max(map(len, columns))):
        mine, other = (one[row] if row < len(one) else Text() for one in columns)
        line = Text(" ").append_text(mine)
        line.append(" " * (column - cell_len(mine.plain))).append(bar, ink.dim).append_text(other)
        lines.append(line)
    return lines


def _column(pieces: Sequence[str], differs: Sequence[bool], width: int, colour: str) -> list[Text]:
    """Running text broken between tokens, or within one that is longer than a line."""
    style = f"underline {colour}".strip()
    lines, used = [Text()], 0
    for piece, other in zip(pieces, differs, strict=True):
        for number, part in enumerate(piece.split("\n")):
            if number:
                lines.append(Text())
                used = 0
            for bit in chop_cells(printable(part), width):
                if used + cell_len(bit) > width:
                    lines.append(Text())
                    used, bit = 0, bit.lstrip()
                lines[-1].append(bit, style if other else "")
                used += cell_len(bit)
    return lines
