"""Where a response states a result: the words, their order of weight, and where the response ends. Light; it knows no
task. `verifiers.py` defines what a result of each family looks like."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

_QUESTIONS = 8

LONGEST = 20_000
"""Characters of a response that are examined, from its end, because the last result counts."""

_MARKUP = re.compile(r"(?:[\s*_`\"'“”‘’$€£:({\[]|\\[\[(]|\\(?:text|textbf|mathbf|mathrm|boxed|fbox)\s*\{|\\\$)*")
"""Signs that may come between a mark and the result: emphasis, quotes, brackets, dollars, boxes."""

_MARK = re.compile(
    r"""\#{4}
    | \\(?:boxed|fbox)\s*\{
    | <answer>
    | \b(?:answer|solution|conclusion|(?:correct|right|best)\s+(?:choice|option|letter|result|response))
      (?:\s+(?:to|for|of|in)\b[^.\n:=]{0,60}?)?
      [*_`\s]*(?:\bis\b|\bare\b|\bwas\b|(?:would|should|must|will)\s+be\b|:|=)
      (?:\s*(?:that|therefore|thus|then|indeed|simply|actually|just|exactly|approximately|about|option|choice|letter
        |the\s+(?:number|letter|word|option|choice))\b)*
    """,
    re.IGNORECASE | re.VERBOSE,
)

_CORRECTION = re.compile(
    r"\b(?:wait\b(?!\s+(?:for|until|to|time))|scratch that|correction\b|(?:i|we) (?:made|have made) (?:a|an) \w*\s*"
    r"(?:mistake|error)|(?:that|this)(?:'s| is| was) (?:wrong|incorrect|not right|not correct|a mistake)"
    r"|let me (?:redo|recalculate|recompute|correct|rework)|on second thought)",
    re.IGNORECASE,
)

_QUESTION = re.compile(
    r"""^[\s>*_#\-]*(?:
        (?:(?:new|next|another|follow-?up|sample|practice)\s+)?
            (?:question|problem|exercise|instruction|task|puzzle|riddle|query)\b[ \t]*\#?\d*[ \t]*[*_]*[ \t]*(?:[:.)]|$)
        | (?:(?:in|for|as|here\s+is)\s+)?(?:(?:a|the)\s+)?(?:another|second|2nd|third|3rd)\s+example\b
        | (?:(?:new|next)\s+example|example[ \t]*\#?\d+)[ \t]*[*_]*[ \t]*(?:[:.)]|$)
        | q[ \t]*\d*[ \t]*[*_]*:(?=[^\n]*\?)
        | (?:human|user|student|input)[ \t]*[*_]*[ \t]*(?::|$)
        | <\|(?:user|prompter|endoftext|im_start\|>\s*user|start_header_id\|>\s*user)\b
        | <start_of_turn>\s*user
        | \[INST\]
        )""",
    re.IGNORECASE | re.VERBOSE | re.MULTILINE,
)


@dataclass(frozen=True)
class Stated:
    """A result that a response states, and where it ends there. firm: whether it is marked as the answer, so that a
    response cut off after it has answered; closed: whether its surroundings are closed, such as a box."""

    text: str
    end: int
    firm: bool = False
    closed: bool = False


Read = Callable[[str, int], tuple[str, int] | None]
"""(response, place) → the result at this place and where it ends; None if there is no result."""


def parts(response: str, asked: str = "") -> Iterator[str]:
    """The response up to each new question that it invents, shortest first; at last all of it. asked: the prompt, whose
    repetition also begins a new question."""
    places = [one.start() for one in _QUESTION.finditer(response)]
    begins = asked.split()[:5]
    if len(begins) == 5:
        again = r"^[\s>*_#\-]*" + r"\s+".join(map(re.escape, begins))
        places += [one.start() for one in re.finditer(again, response, re.MULTILINE)]
    for place in sorted(places)[:_QUESTIONS]:
        if response[:place].strip():
            yield response[:place]
    yield response


def corrected(response: str) -> Iterator[str]:
    """The text after the response's last correction of itself, with blanks in front to keep places; then all of it."""
    found = list(_CORRECTION.finditer(response))
    if found:
        place = found[-1].end()
        yield " " * place + response[place:]
    yield response


def marked(response: str, read: Read) -> Stated | None:
    """The last result marked as the answer: `the answer is`, `Answer:`, `####`, a box, `<answer>`."""
    for mark in reversed(list(_MARK.finditer(response))):
        if re.search(
            r"(?:wrong|incorrect|\bif|whether|suppose|assume)\s+(?:that\s+)?(?:the\s+)?$",
            response[: mark.start()][-30:],
            re.I,
        ):
            continue
        place = skipped(response, mark.end())
        if found := read(response, place):
            text, end = found
            if "box{" not in re.sub(r"boxed\s*", "box", response[mark.start() : place]):
                return Stated(text, end, firm=True)
            if closing := re.compile(r"[^{}\n]*(?:\{[^{}\n]*\}[^{}\n]*)*\}").match(response, end):
                return Stated(text, closing.end(), firm=True, closed=True)
    return None


def leading(response: str, read: Read, more: str = r"(?!)") -> Stated | None:
    """A result at the beginning of the response, as its own line or sentence, or followed by `more`, a pattern. The
    first number of a list of steps does not count."""
    found = read(response, skipped(response, 0))
    if found is None:
        return None
    text, end = found
    behind = re.compile(r"[*_`\"'”’)\]}$]*[ \t]*(?:[.;!](?=\s|$)|\n|$|" + more + ")", re.IGNORECASE)
    listed = text.isdigit() and response[end : end + 1] in (".", ")")
    if listed and re.search(rf"^[\s*]*{int(text) + 1}[.)]", response[end:], re.MULTILINE):
        return None
    after = behind.match(response, end)
    if after is None:
        return None
    # A result that only the end of the response ends may go on.
    goes_on = after.end() == len(response) and not after.group().endswith("\n")
    return Stated(text, len(response) if goes_on else end, firm=True)


def skipped(response: str, place: int) -> int:
    """The place after the markup at this place."""
    found = _MARKUP.match(response, place)
    return found.end() if found else place


def whole(response: str, found: Stated) -> bool:
    """Whether a result in a cut-off response cannot go on: it is closed, or a word or a new line follows."""
    return found.closed or bool(re.compile(r"[^\w\n]*(?:\n|[^\W\d_])").match(response, found.end))


def every(response: str, mark: re.Pattern[str], read: Read) -> Iterable[Stated]:
    """The results after every mark."""
    for one in mark.finditer(response):
        if found := read(response, skipped(response, one.end())):
            yield Stated(*found)


def last(found: Iterable[Stated]) -> Stated | None:
    """The last result, if there is one."""
    return next(reversed(list(found)), None)
