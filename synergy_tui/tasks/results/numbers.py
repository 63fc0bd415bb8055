"""Numbers in digits or in words: the last result of a chain, a count, a price."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

from synergy_tui.tasks import stated
from synergy_tui.tasks.stated import Stated

_THIN = "\u00a0\u2009\u202f"
NUMBER = re.compile(rf"[-+−–]?\s?(?:\d{{1,3}}(?:(?:[,'’ {_THIN}]|\{{,\}}|\\,)\d{{3}})+(?!\d)|\d+)(?:\.\d+)?(?![\w])")
_ENGLISH = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty"
)
_WORDS = tuple(_ENGLISH.split())
_TIMES = {"once": 1, "twice": 2, "thrice": 3, "never": 0}
_WORD = re.compile(rf"(?:{'|'.join(_WORDS)})\b", re.IGNORECASE)
_COUNTED = re.compile(
    r"(?:appears?|appeared|occurs?|occurred|shows? up|comes? up|there (?:is|are)|contains?|ha[sv]e?|"
    r"(?:is|are) (?:present|found|used|repeated|seen))\b(?P<between>[^.\n:=]*?)"
    rf"(?:(?P<times>once|twice|thrice)\b|(?<![\w.])(?P<count>\d+|{'|'.join(_WORDS)})\b)",
    re.IGNORECASE,
)
_EQUALS = re.compile(
    r"(?:=|≈|\bequals?\b|\bgives?\b(?: us| you)?|\bmakes?\b|\b(?:result|total|sum|difference|value|count)\b"
    r"(?: of [^.\n=:]{1,40}?)?[*_\s]*(?:\bis\b|:|=))[ \t]*",
    re.IGNORECASE,
)
CONCLUDES = re.compile(r"\b(?:so|therefore|thus|hence|in total|altogether|overall|in all|finally)\b[^\n]*", re.I)
_BOLD = re.compile(r"(?:\*\*|__)(?=[^*_\n]{1,30}(?:\*\*|__))")
_ANY = re.compile(r"(?<![\w.,^])(?=[-+−–]?\d)")
OPERATOR = re.compile(r"\s*(?:[-+−*/×÷·^]|[xX](?=\s*\d)|\\times|\\cdot|\\div|plus\b|minus\b|times\b)\s*[(\d$]")


def number_at(response: str, place: int) -> tuple[str, int] | None:
    """The number at a place of a response, in digits or in words; None if a sum begins there."""
    if word := _WORD.match(response, place):
        return str(_WORDS.index(word.group().lower())), word.end()
    found = NUMBER.match(response, place)
    if found is None or OPERATOR.match(response, found.end()):
        return None
    return plain(found.group()), found.end()


def _worked_out_at(response: str, place: int) -> tuple[str, int] | None:
    """A number, or the result of `3 + 4 = 7`. Steps on several lines after a colon are not a single result."""
    if found := number_at(response, place):
        return found
    if not NUMBER.match(response, place):
        return None
    sentence = re.split(r"\n|\.\s", response[place:], maxsplit=1)[0]
    if "=" not in sentence or (
        response[:place].rstrip(" *_`$\n").endswith(":") and "=" in response[place + len(sentence) :]
    ):
        return None
    return number_at(response, stated.skipped(response, place + sentence.rindex("=") + 1))


def plain(text: str) -> str:
    """A number in its form for comparison: no separators, no trailing zeros after a point. Other text stays
    unchanged."""
    bare = re.sub(rf"[\s,'’{_THIN}]|\{{,\}}|\\,|\\|[$€£]", "", text).replace("−", "-").replace("–", "-").rstrip(".")
    try:
        value = Decimal(bare)
    except InvalidOperation:
        return bare
    return f"{value.normalize():f}" if value.is_finite() and value else "0" if value == 0 else bare


def number(response: str, answer: str) -> Stated | None:
    """The number marked as the answer; else the number at the beginning; else a count, `appears twice`; else the last
    of `= X`, `the total is X`, a bold number and a conclusion with one number; else the last number."""
    if found := (
        stated.marked(response, _worked_out_at)
        or stated.leading(response, number_at, r"[*_]*\s*times?\b")
        or _counted(response)
    ):
        return found
    said = (
        stated.last(stated.every(response, _EQUALS, number_at)),
        stated.last(stated.every(response, _BOLD, number_at)),
        _concluded(response),
    )
    known = [one for one in said if one]
    return max(known, key=lambda one: one.end) if known else stated.last(stated.every(response, _ANY, number_at))


def _counted(response: str) -> Stated | None:
    """How often something appears: from a concluding sentence, else from the first sentence that says so."""
    for text, start in [
        *((one.group(), one.start()) for one in reversed(list(CONCLUDES.finditer(response)))),
        (response, 0),
    ]:
        for found in _COUNTED.finditer(text):
            times, count = found["times"], found["count"]
            behind = text[found.end() :]
            if count and not re.match(r"[*_`]*\s*times?\b", behind) and not found.group().lower().startswith("there"):
                continue
            value = _TIMES[times.lower()] if times else count.lower()
            value = _WORDS.index(value) if value in _WORDS else value
            before = response[: start + found.start()].strip()
            first = not re.search(r"[.\n]|^\W*(?:in|for|step)\b", before, re.IGNORECASE)
            return Stated(str(value), start + found.end(), firm=first)
    return None


def _concluded(response: str) -> Stated | None:
    """The number in the last concluding sentence, if it has only one."""
    for sentence in reversed(list(CONCLUDES.finditer(response))):
        inside = list(NUMBER.finditer(sentence.group()))
        if len({plain(one.group()) for one in inside}) == 1:
            return Stated(plain(inside[-1].group()), sentence.start() + inside[-1].end())
    return None


def same_number(found: str, answer: str) -> bool:
    """Whether two numbers are equal, whatever their separators."""
    return plain(found) == plain(answer)
