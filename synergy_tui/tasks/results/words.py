"""Yes or no, words in order, phrases, and continuations word by word."""

from __future__ import annotations

import itertools
import re

from synergy_tui.tasks import stated
from synergy_tui.tasks.stated import Stated

_YES_NO = re.compile(
    r"(yes\b(?!\s+or\s+no\b)|no\b(?!-|\s+(?!(?:because|since|as|it|he|she|they|the|we|this|that|these|and|but|due|not)\b)[a-z]))",
    re.IGNORECASE,
)
_ALONE = re.compile(
    r"(?:^|[.!?,;:\n(*\"]|\b(?:so|therefore|thus|hence|is))\s*(?=[*_`\"'(]*(?:yes|no)\b)", re.IGNORECASE
)


def yes_no_at(response: str, place: int) -> tuple[str, int] | None:
    """Yes or no at a place of a response."""
    found = _YES_NO.match(response, place)
    return (found.group(1).lower(), found.end()) if found else None


def yes_no(response: str, answer: str) -> Stated | None:
    """The word marked as the answer; else the word at the beginning; else the last that stands alone."""
    if found := stated.marked(response, yes_no_at):
        return found
    if first := yes_no_at(response, stated.skipped(response, 0)):
        return Stated(*first, firm=True)
    alone = re.compile(r"[*_`\"')]*\s*(?:[.,;:!]|\n|$|because\b|since\b)")
    return stated.last(one for one in stated.every(response, _ALONE, yes_no_at) if alone.match(response, one.end))


def continuation(response: str, answer: str) -> Stated | None:
    """The first words of a response, as many as the answer has, or all up to the first that differs from the answer;
    None for a response that ends before either. answer: words with single blanks."""
    wanted, words = answer.split(), list(re.finditer(r"\S+", response))
    for place, word in enumerate(words[: len(wanted)], 1):
        if word.group() != wanted[place - 1] or place == len(wanted):
            return Stated(" ".join(one.group() for one in words[:place]), word.end(), firm=True)
    return None


# Words in order

_BETWEEN = re.compile(
    r"(?:[\s,;.*_`>→()\[\]\d\"'“”‘’&|/<\-–—]|->|\\n)*(?:(?:and|then|and then|followed by|before|comes before)\b)?"
    r"[\s,;*_`>()\[\]\d\"'“”‘’.\-–—]*",
    re.IGNORECASE,
)
_SORTED = re.compile(
    r"\b(?:sorted|alphabetical(?:ly)?|order(?:ed)?|arranged|answer|result|final)\b[^.\n]*?(?:\b(?:is|are|be|as)|[:=,→]|->)$"
    r"|\b(?:is|are|be)$|:$|####$|\\boxed$",
    re.IGNORECASE,
)
_GIVEN = re.compile(r"\b(?:unsorted|original(?:ly)?|given|these)\b[^.\n]*$", re.IGNORECASE)


def order(response: str, answer: str) -> Stated | None:
    """The last listing of all words of the answer that is marked as the sorted one, else the first listing. answer:
    words with commas. A listing is a run of words separated only by commas, lines, numbers, `and` or `then`."""
    wanted = sorted(word.strip().lower() for word in answer.split(","))
    among = set(wanted)  # not alternatives in a pattern, because the words may come from an untrusted file
    seen = [one for one in re.finditer(r"[^\W_]+(?:[-'][^\W_]+)*", response) if one.group().lower() in among]
    listings: list[tuple[bool, Stated]] = []
    for start in range(len(seen) - len(wanted) + 1):
        some = seen[start : start + len(wanted)]
        if sorted(one.group().lower() for one in some) != wanted:
            continue
        gaps = (response[one.end() : then.start()] for one, then in itertools.pairwise(some))
        if not all(len(gap) < 60 and _BETWEEN.fullmatch(gap) for gap in gaps):
            continue
        before = re.sub(r"[\s*_`\"'(\[{>\-\d.)]*$", "", response[max(0, some[0].start() - 200) : some[0].start()])
        sentence = re.split(r"\.\s|\n", before)[-1]
        marked = bool(_SORTED.search(sentence)) and not _GIVEN.search(sentence)
        text = ", ".join(one.group().lower() for one in some)
        listings.append((marked, Stated(text, some[-1].end(), firm=not before.strip())))
    chosen = [one for marked, one in listings if marked]
    if chosen:
        return Stated(chosen[-1].text, chosen[-1].end, firm=True)
    if not listings:
        return None
    return listings[0][1]


def same_order(found: str, answer: str) -> bool:
    """Whether two listings have the same words in the same order."""
    return found == ", ".join(word.strip().lower() for word in answer.split(","))


_NOT = re.compile(
    r"(?:\bnot|n't|\bnever|\brather than|\binstead of|\bneither|\bnor)\s+(?:\w+\s+){0,2}[\W_]*$", re.IGNORECASE
)


def phrase(response: str, answer: str) -> Stated | None:
    """A right answer, word for word, in any case, unless the response denies it: within the text marked as the answer,
    if there is one, else anywhere; else the beginning of the response. Several right answers are separated by |."""
    wanted = [one.strip() for one in answer.split("|") if one.strip()]
    marked = stated.marked(response, _sentence_at)
    for where, start in [(marked.text, marked.end - len(marked.text))] if marked else [(response, 0)]:
        for one in wanted:
            for found in re.finditer(rf"(?<!\w){re.escape(one)}(?!\w)", where, re.IGNORECASE):
                if not _NOT.search(where[: found.start()]):
                    return Stated(one, start + found.end(), firm=True, closed=start + found.end() < len(response))
    first = (marked.text if marked else response).strip().partition("\n")[0][:60]
    return Stated(first, marked.end if marked else len(response), firm=marked is not None) if first else None


def _sentence_at(response: str, place: int) -> tuple[str, int] | None:
    found = re.compile(r"[^\n]+?(?=\.\s|\.$|\n|$)").match(response, place)
    return (found.group(), found.end()) if found else None


def same_phrase(found: str, answer: str) -> bool:
    """Whether the found text is one of the right answers."""
    return any(same_text(found, one) for one in answer.split("|"))


def same_text(found: str, answer: str) -> bool:
    """Whether both texts are the same, in any case."""
    return found.strip().lower() == answer.strip().lower()
