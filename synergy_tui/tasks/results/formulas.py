"""Mathematics."""

from __future__ import annotations

import re

from synergy_tui.tasks import stated
from synergy_tui.tasks.results.numbers import NUMBER, same_number
from synergy_tui.tasks.stated import Stated

_PATIENCE = 2
"""Seconds to read a formula, and to compare two."""


def formula_at(response: str, place: int) -> tuple[str, int] | None:
    """The formula after a mark: between dollars or brackets, else to the end of the sentence or line."""
    line = response[place:].partition("\n")[0]
    if not line.strip():
        return None
    # The skipped markup may have opened the formula, and also a bracket.
    opened = re.search(r"\$\s*$|\\[(\[]\s*$", response[:place][-4:])
    ends = r"\$|\\[)\]]" if opened else r"\$|\\[)\]]|\.(?=\s|$)|;\s|,\s(?=[a-z]{2})|\*\*"
    found = re.split(ends, line, maxsplit=1)[0]
    begin = place
    while begin and response[begin - 1] in "([" and response[begin - 2 : begin - 1] != "\\":
        begin -= 1
    text = (response[begin:place] + found).strip().rstrip(".*")
    if text.count("}") > text.count("{"):
        text = text[: text.rindex("}")].strip()
    return (text, place + len(found)) if text else None


def boxed(response: str, answer: str) -> Stated | None:
    """Mathematics: the content of the last box; else the formula marked as the answer; else the last = of a formula."""
    return (
        box(response)
        or stated.marked(response, formula_at)
        or stated.last(stated.every(response, re.compile(r"(?<![<>!≤≥])=\s*(?=[^=\n]*$)", re.MULTILINE), formula_at))
    )


def box(text: str) -> Stated | None:
    """The content of the last closed box, without the boxes within it."""
    opened: list[int] = []  # where each open bracket begins; 0 if it belongs to no box
    boxes = {one.end() for one in re.finditer(r"\\f?box(?:ed)?\s*\{", text)}
    last: tuple[int, int] | None = None
    for place, letter in enumerate(text):
        if letter == "{":
            opened.append(place + 1 if place + 1 in boxes else 0)
        elif letter == "}" and opened and (begin := opened.pop()) and text[begin:place].strip():
            last = begin, place
    if last is None:
        return None
    inside = text[last[0] : last[1]].strip()
    while (nested := re.search(r"\\f?box(?:ed)?\s*\{([^{}]*)\}", inside)) and nested[1].strip():
        inside = nested[1].strip()
    return Stated(inside, last[1] + 1, firm=True, closed=True)


def same_formula(found: str, answer: str) -> bool:
    """Whether two formulas are equal: letter by letter without spaces, as numbers, or according to math-verify, whose
    time limits need the main thread."""
    both = [
        re.sub(r"[\s$]|\\(?:left|right|!|,|;|displaystyle)|\\[()\[\]]", "", one).rstrip(".") for one in (found, answer)
    ]
    both = [
        re.sub(r"\\[dt]frac", r"\\frac", re.sub(r"\\(?:text|mathrm|textbf)\{([^{}]*)\}", r"\1", one)) for one in both
    ]
    if both[0] == both[1] or all(map(NUMBER.fullmatch, both)):
        return both[0] == both[1] or same_number(*both)
    if max(map(len, both)) > 500:
        return False
    from math_verify import parse, verify

    gold, target = (
        parse(f"${one}$", raise_on_error=False, parsing_timeout=_PATIENCE)
        for one in (answer.strip().strip("$"), found.strip().strip("$"))
    )
    return bool(gold and target and verify(gold, target, raise_on_error=False, timeout_seconds=_PATIENCE))
