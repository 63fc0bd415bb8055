"""Numbers in any base."""

from __future__ import annotations

import re

from synergy_tui.tasks import stated
from synergy_tui.tasks.results.numbers import CONCLUDES, OPERATOR
from synergy_tui.tasks.stated import Stated

_DIGITS = re.compile(r"(?:0[xbo])?([01]{3,4}(?:[ _][01]{4})+|[0-9a-zA-Z]+)(?![a-zA-Z0-9])")
_IN_BASE = r"(?:_\{?\d+\}?|[₀-₉]+|\s*\(?(?:in\s+|is\s+)?base[- ]?\d+\)?)"
_IS = re.compile(
    r"(?:\b(?:is|equals|becomes|gives)\b|=|→|->|:)\s*(?:(?:equal(?: to)?|written as|represented as|expressed as|simply"
    r"|also|the (?:same|number)(?: as)?)\b\s*)*",
    re.IGNORECASE,
)


def _digits_at(answer: str) -> stated.Read:
    """A reader of a number in some base at a place of a response; letters stand for the digits above nine. A word
    counts as a number if it is in capitals, or is the answer."""

    def read(response: str, place: int) -> tuple[str, int] | None:
        found = _DIGITS.match(response, place)
        if found is None or OPERATOR.match(response, found.end()):
            return None
        text, behind = found.group(1), response[found.end() :]
        ends = re.match(rf"[*_`\"'”’)\]}}$]*(?:\s*(?:$|[\n.,;<])|{_IN_BASE}|\s+(?:because|since|when|as)\b)", behind)
        if not any(letter.isdigit() for letter in text) and not ends:
            return None
        if text.isalpha() and len(text) > 1 and not (text.isupper() or same_digits(text, answer)):
            return None
        return _bare_digits(text), found.end()

    return read


def digits(response: str, answer: str) -> Stated | None:
    """The number marked as the answer; else the number at the beginning; else the first sentence's value in a base;
    else the value in a conclusion; else the last value in any sentence."""
    read = _digits_at(answer)
    ends = rf"{_IN_BASE}[*_`)\]\"'}}$]*\s*(?:[.;\n]|$|,\s*(?:because|since|as)\b)"
    if found := stated.marked(response, read) or stated.leading(response, read, ends):
        return found
    first = re.match(r"[^\n]*?(?:[.!](?=\s|$)|\n|$)", response)
    if first and "base" in first.group() and (said := stated.last(stated.every(first.group(), _IS, read))):
        return Stated(said.text, said.end, firm=True)
    for sentence in reversed(list(CONCLUDES.finditer(response))):
        if said := stated.last(stated.every(sentence.group(), _IS, read)):
            return Stated(said.text, sentence.start() + said.end)
    based = [
        one for one in stated.every(response, _IS, read) if re.compile(r"[)\]*`]*" + _IN_BASE).match(response, one.end)
    ]
    return stated.last(based) or stated.last(stated.every(response, _IS, read))


def _bare_digits(text: str) -> str:
    return re.sub(r"[ _]", "", text).lower().lstrip("0") or "0"


def same_digits(found: str, answer: str) -> bool:
    """Whether two numbers in one base are the same, in any case."""
    return _bare_digits(found) == _bare_digits(answer.strip())
