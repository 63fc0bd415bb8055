"""One letter of several choices."""

from __future__ import annotations

import re

from synergy_tui.tasks import stated
from synergy_tui.tasks.stated import Stated

_LETTER = re.compile(
    r"(?:\\(?:text|mathrm|mathbf)\{)?([A-Z])(?![\w'’])|(?<=[(\[{*])([a-z])(?=[)\]}*])|([b-h])(?=\)|\*\*|\.?\s*$)"
)
_PICKED = re.compile(
    r"\b(?:choose|pick|select|go with|option|choice|letter)\s+(?:is\s+)?(?:option\s+|choice\s+|letter\s+)?",
    re.IGNORECASE,
)
_CORRECT = re.compile(
    r"(?:^|[\s(*\[])([A-Z])[)\]*_.:]*(?:(?!\b[A-Z]\b|\bis\b)[^.\n]){0,80}?\s*(?:is|would be|must be)\s+(?:the\s+)?"
    r"(?:correct|right|best|answer|true)\b"
)
_DENIED = re.compile(r"\b(?:is|are|was|seems?|looks?)\s+(?:also\s+)?(?:not|wrong|incorrect|too|false|out)\b|isn't")


def letter_at(response: str, place: int) -> tuple[str, int] | None:
    """A letter that denotes a choice at a place of a response."""
    found = _LETTER.match(response, place)
    if found is None:
        return None
    letter = next(one for one in found.groups() if one)
    # A and I are words too.
    if letter in "AI" and re.match(r"[ \t]+[a-z]", response[found.end() :]):
        return None
    return letter.upper(), found.end()


def choice(response: str, answer: str) -> Stated | None:
    """The letter marked as the answer; else the letter that the response calls correct or chooses; else the letter at
    the beginning, alone or before its choice; else the only letter that stands alone."""
    if found := stated.marked(response, letter_at):
        return found
    if right := list(_CORRECT.finditer(response)):
        return Stated(right[-1].group(1), right[-1].end(), firm=True)
    begun = letter_at(response, stated.skipped(response, 0))
    if begun and (
        re.match(r"[)\]*_`}\"']*\s*(?:[).:,\]–-]|\n|$)", response[begun[1] :]) and not _denied(response, begun[1])
    ):
        return Stated(*begun, firm=True)
    picked = [one for one in stated.every(response, _PICKED, letter_at) if not _denied(response, one.end)]
    if picked:
        return Stated(picked[-1].text, picked[-1].end)
    alone = [
        Stated(one.group(1) or one.group(2), one.end())
        for one in re.finditer(r"(?:^|[\s(*\[])(?:([B-HJ-Z])\b(?!['’])|([AI])(?=[).:\]]))", response)
    ]
    return alone[0] if len({one.text for one in alone}) == 1 and not _denied(response, alone[0].end) else None


def _denied(response: str, end: int) -> bool:
    """Whether the text after a letter says that it is wrong."""
    return _DENIED.search(re.split(r"[.\n;]\s", response[end : end + 120].lstrip(").:]*_ "))[0]) is not None
