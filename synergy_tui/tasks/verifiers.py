"""A response and the right answer → right, wrong or unparsable: one verifier per family of tasks, by name. Light;
nothing is evaluated that a model or a file wrote."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from synergy_tui.errors import TaskError
from synergy_tui.tasks import gym
from synergy_tui.tasks.ladder import GYM

Verdict = tuple[str, str]
"""right, wrong or unparsable; and the answer that was found in the response, '' where none was."""

_LONGEST = 20_000
"""Letters of a response that are looked at."""

_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")

_NUMBER = r"[-−]?\d[\d,]*(?:\.\d+)?"


def number(response: str, answer: str) -> Verdict:
    """What follows the last `answer is` or `answer:`; else what follows the last = of the first line that has one; else
    the last number of the first line that has one; else the first number in words before `times`."""
    said = re.findall(rf"(?:answer|result|total|sum)\s*(?:is|:|=)\s*\$?({_NUMBER})", response, re.IGNORECASE)
    found = said[-1] if said else _last_number(response)
    return _compared(_plain(found), _plain(answer))


def _last_number(response: str) -> str:
    lines = response.split("\n")
    for pattern in (rf"=\s*\$?({_NUMBER})", rf"({_NUMBER})"):
        for line in lines:
            if numbers := re.findall(pattern, line):
                return numbers[-1]
    word = re.search(rf"\b({'|'.join(_WORDS)})\s+times?\b", response, re.IGNORECASE)
    return str(_WORDS.index(word.group(1).lower())) if word else ""


def _plain(text: str) -> str:
    """A number as numbers are compared: no separators, no trailing zeros behind a point."""
    text = text.strip().replace(",", "").replace("−", "-").rstrip(".")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    sign = "-" if text.startswith("-") else ""
    digits = text.lstrip("-").lstrip("0")
    return f"{sign}{digits or '0'}" if text else ""


def digits(response: str, answer: str) -> Verdict:
    """A number in any base, letters for the digits above nine: what follows the last `answer is`, `is` or =."""
    marks = (r"answer\s*(?:is|:)\s*", r"(?:\bis|=|:)\s*(?:equal to\s*|written as\s*|represented as\s*)?")
    for mark in marks:
        found = re.findall(rf"{mark}[\"'`*]*(?:0[xbo])?([0-9a-zA-Z]*\d[0-9a-zA-Z]*|[a-zA-Z])\b", response)
        if found:
            return _compared(found[-1].lower().lstrip("0") or "0", answer.lower().lstrip("0") or "0")
    return "unparsable", ""


def yes_no(response: str, answer: str) -> Verdict:
    """What follows the last `answer is` or `answer:`; else the first yes or no."""
    said = re.findall(r"answer\s*(?:is|:)\s*(?:that\s*)?(yes|no)\b", response, re.IGNORECASE)
    first = re.search(r"\b(yes|no)\b", response, re.IGNORECASE)
    found = said[-1] if said else first.group(1) if first else ""
    return _compared(found.lower(), answer.lower())


def order(response: str, answer: str) -> Verdict:
    """The first listing that has every word of the answer once: whether it is in the answer's order. answer: words with
    commas."""
    wanted = [word.strip().lower() for word in answer.split(",")]
    # No lists of alternatives as a pattern: the words may come from anybody's file.
    among = set(wanted)
    seen = [word for word in re.findall(r"[^\W_]+(?:[-'][^\W_]+)*", response.lower()) if word in among]
    for start in range(len(seen) - len(wanted) + 1):
        listing = seen[start : start + len(wanted)]
        if sorted(listing) == sorted(wanted):
            return _compared(", ".join(listing), ", ".join(wanted))
    return "unparsable", ""


def roles(response: str, answer: str) -> Verdict:
    """answer: `Ann knight, Bob knave`. For every name its last `NAME is a knight` or `knave`; unparsable where one is
    missing."""
    wanted = [one.split() for one in answer.split(",")]
    if any(len(one) != 2 for one in wanted):
        raise ValueError(f"the answer {answer!r} is no list of names with knight or knave")
    found = []
    for name, _ in wanted:
        said = re.findall(rf"\b{re.escape(name)}\s+(?:is|must be)\s+(?:a\s+)?(knight|knave)\b", response, re.IGNORECASE)
        if not said:
            return "unparsable", ""
        found.append(f"{name} {said[-1].lower()}")
    return _compared(", ".join(found), ", ".join(" ".join(one) for one in wanted))


def choice(response: str, answer: str) -> Verdict:
    """One letter of several: what follows the last `answer is` or `answer:`; else the first that stands alone, or
    before a bracket, point or colon. A and I as words do not count."""
    said = re.findall(r"answer\s*(?:is|:)\s*[\"'`*(]*([A-Z])\b(?!['’])", response)
    first = re.search(r"(?:^|[\s(*])([B-HJ-Z])\b(?!['’])|(?:^|[\s(*])([AI])[).:]", response) or re.match(
        r"\s*([A-Z])\s*$", response
    )
    found = said[-1] if said else next((one for one in first.groups() if one), "") if first else ""
    return _compared(found, answer.strip().upper())


def boxed(response: str, answer: str) -> Verdict:
    """Mathematics: what is in the last \\boxed{…}, else what follows the last `answer is`, else the last =; compared
    without spaces and dollars, as numbers where both are."""
    found = _boxes(response)
    said = re.findall(r"answer\s*(?:is|:)\s*([^\n]+)", response, re.IGNORECASE) or re.findall(
        r"=\s*([^\n=]+)", response
    )
    text = found or (said[-1].strip().rstrip(".") if said else "")
    if not text:
        return "unparsable", ""
    both = [re.sub(r"[\s$]|\\(?:left|right|!|,)", "", one) for one in (text, answer)]
    if all(re.fullmatch(_NUMBER, one) for one in both):
        both = [_plain(one) for one in both]
    return _compared(*both)


def _boxes(text: str) -> str:
    start = text.rfind("\\boxed{")
    depth, begin = 0, start + len("\\boxed{")
    for place in range(begin, len(text)) if start >= 0 else ():
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if depth < 0:
            return text[begin:place]
    return ""


def phrase(response: str, answer: str) -> Verdict:
    """Whether the response has the answer, word for word, in any case; several right ones are parted by |."""
    if not response.strip():
        return "unparsable", ""
    for one in answer.split("|"):
        if re.search(rf"(?<!\w){re.escape(one.strip())}(?!\w)", response, re.IGNORECASE):
            return "right", one.strip()
    return "wrong", ""


def line_number(response: str, answer: str) -> Verdict:
    """The last number of the first line; several right ones are parted by |, as in the two below."""
    numbers = re.findall(r"-?\d+(?:\.\d+)?", _line(response).replace(",", ""))
    return _among(numbers[-1] if numbers else "", answer.split("|"))


def line_phrase(response: str, answer: str) -> Verdict:
    """Whether the first line has a right answer, word for word, in any case."""
    return phrase(_line(response), answer)


def line_choice(response: str, answer: str) -> Verdict:
    """answer: the letter, and words that mean it. The first capital letter that stands alone on the first line; without
    one, a word."""
    letter, _, words = answer.partition("|")
    if alone := re.search(r"\b([A-Z])\b(?!['’])", _line(response)):
        return _among(alone.group(1), [letter])
    return phrase(_line(response), words) if words else ("unparsable", "")


def _line(response: str) -> str:
    return response.strip().partition("\n")[0]


def _among(found: str, wanted: list[str]) -> Verdict:
    return ("unparsable" if not found else "right" if found in wanted else "wrong"), found


VERIFIERS: dict[str, Callable[[str, str], Verdict]] = {
    "number": number,
    "digits": digits,
    "yes-no": yes_no,
    "order": order,
    "roles": roles,
    "choice": choice,
    "boxed": boxed,
    "phrase": phrase,
    "line-number": line_number,
    "line-word": line_phrase,
    "line-phrase": line_phrase,
    "line-choice": line_choice,
}
"""By name. Those of a line look at the first line alone, for answers of a few words."""


def known(name: str) -> bool:
    """Whether there is a verifier of this name. One of reasoning-gym is looked for when it is needed."""
    return name in VERIFIERS or name.startswith(GYM)


def grade(name: str, response: str, answer: str, entry: dict[str, Any] | None = None) -> tuple[str, str, str]:
    """(right, wrong, unparsable or failed; the answer found; why the verifier raised). A verifier that raises is a
    finding about this prompt and never ends a job. entry: what a reasoning-gym family graded with. Raises TaskError for
    an unknown name and for a missing reasoning-gym."""
    response = response[:_LONGEST]
    if name.startswith(GYM):
        check = gym.verifier(name.removeprefix(GYM), entry or {})
    elif name in VERIFIERS:
        check = VERIFIERS[name]
    else:
        raise TaskError(f"no verifier {name!r}", f"known: {', '.join(VERIFIERS)}")
    try:
        found = check(response, answer)
    except Exception as error:  # whatever a family's own verifier may raise
        return "failed", "", f"{type(error).__name__}: {str(error)[:200]}"
    return (*found, "")


def _compared(found: str, wanted: str) -> Verdict:
    return ("unparsable" if not found else "right" if found == wanted else "wrong"), found
