"""A response and the right answer → a grade: one verifier per family of tasks, by name. Light, except for mathematics.
No text from a model or a file is ever evaluated as code.

A verifier finds the result that a response states last (`stated.py` has the words), and compares it. Text after the
answer, such as a new question with a new answer, does not count."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from synergy_tui.errors import TaskError
from synergy_tui.tasks import gym, stated
from synergy_tui.tasks.ladder import GYM
from synergy_tui.tasks.results.digits import digits, same_digits
from synergy_tui.tasks.results.formulas import boxed, same_formula
from synergy_tui.tasks.results.letters import choice
from synergy_tui.tasks.results.numbers import number, same_number
from synergy_tui.tasks.results.people import roles, same_roles
from synergy_tui.tasks.results.words import continuation, order, phrase, same_order, same_phrase, same_text, yes_no
from synergy_tui.tasks.stated import Stated

Finder = Callable[[str, str], Stated | None]
"""(response, answer) → the result that the response states; None if it states no result."""


class Verifier(NamedTuple):
    """find: see Finder. same: whether a found result is the answer. line: whether the first line that states a result
    ends the response, as for answers of a few words. plain: whether the response is not prose, so that nothing in it is
    a correction or a new question."""

    find: Finder
    same: Callable[[str, str], bool]
    line: bool = False
    plain: bool = False


def choice_or_words(response: str, answer: str) -> Stated | None:
    """Finds the letter, or without one, a word. answer: the letter, and words that mean it."""
    _, _, words = answer.partition("|")
    return choice(response, answer) or (phrase(response, words) if words else None)


VERIFIERS: dict[str, Verifier] = {
    "number": Verifier(number, same_number),
    "digits": Verifier(digits, same_digits),
    "yes-no": Verifier(yes_no, same_text),
    "order": Verifier(order, same_order),
    "roles": Verifier(roles, same_roles),
    "choice": Verifier(choice, same_text),
    "boxed": Verifier(boxed, same_formula),
    "phrase": Verifier(phrase, same_phrase),
    "continuation": Verifier(continuation, str.__eq__, plain=True),
    "line-continuation": Verifier(continuation, str.__eq__, plain=True),
    "line-number": Verifier(
        number, lambda found, answer: any(same_number(found, one) for one in answer.split("|")), True
    ),
    "line-word": Verifier(phrase, same_phrase, True),
    "line-phrase": Verifier(phrase, same_phrase, True),
    "line-choice": Verifier(choice_or_words, same_phrase, True),
}
"""Verifiers by name. For one-line verifiers, the first line that states a result ends the answer."""


class Grade(NamedTuple):
    """name: one of terms.GRADES. found: the result in the response, '' without one. error: why the verifier raised.
    final: whether no further text can change the grade."""

    name: str
    found: str = ""
    error: str = ""
    final: bool = False


def guess(answers: Sequence[str]) -> str:
    """The verifier that fits all answers."""
    if all(re.fullmatch(r"[-−]?\d[\d,]*(\.\d+)?", one.strip()) for one in answers):
        return "number"
    if all(re.fullmatch(r"[A-J]", one.strip()) for one in answers):
        return "choice"
    return "yes-no" if all(one.strip().lower() in ("yes", "no") for one in answers) else "phrase"


def known(name: str) -> bool:
    """Whether there is a verifier of this name. Verifiers of reasoning-gym are looked up only when needed."""
    return name in VERIFIERS or name.startswith(GYM)


def grade(
    name: str,
    response: str,
    answer: str,
    entry: dict[str, Any] | None = None,
    *,
    ended: bool = True,
    asked: str = "",
) -> Grade:
    """The grade of a response. ended: whether the subject ended it by itself; a response cut off before it states its
    result is unfinished. asked: the prompt, which a response may repeat to continue with a new question. entry: the
    data that a reasoning-gym family grades with. A verifier that raises is a finding about this prompt and never ends a
    job. Raises TaskError for an unknown name and for a missing reasoning-gym."""
    if name.startswith(GYM):
        verifier = Verifier(gym.find, gym.scores(name.removeprefix(GYM), entry or {}))
    elif name in VERIFIERS:
        verifier = VERIFIERS[name]
    else:
        raise TaskError(f"no verifier {name!r}", f"known: {', '.join(VERIFIERS)}")
    try:
        return _graded(verifier, response[-stated.LONGEST :], answer, ended, asked)
    except Exception as error:  # a family's own verifier may raise anything
        return Grade("failed", "", f"{type(error).__name__}: {str(error)[:200]}")


def _graded(verifier: Verifier, response: str, answer: str, ended: bool, asked: str) -> Grade:
    found, final = _found(verifier, response, answer, ended, asked)
    if found is None:
        return Grade("unparsable" if ended else "unfinished")
    if not (ended or final or (found.firm and stated.whole(response, found))):
        return Grade("unfinished", found.text)
    return Grade("right" if verifier.same(found.text, answer) else "wrong", found.text, "", final)


def _found(verifier: Verifier, response: str, answer: str, ended: bool, asked: str) -> tuple[Stated | None, bool]:
    """(the result of the response; whether the answer is over: a line of its own or a new question follows)."""
    if verifier.plain:
        found = verifier.find(response, answer)
        return found, found is not None
    for part in stated.parts(response, asked):
        pieces = _lines(part, asked, ended) if verifier.line else [part]
        for piece in pieces:
            for text in stated.corrected(piece):
                if found := verifier.find(text, answer):
                    return found, len(piece) < len(response) or (verifier.line and piece.endswith("\n"))
    return None, False


_PREFACE = re.compile(
    r"(?:[?:]|\b(?:is|are))\W{0,9}$|^\W{0,9}(?:sure|certainly|of course|okay|ok|great)\b[^:]*[!.]\s*$", re.IGNORECASE
)
_MOST_LINES = 40


def _lines(response: str, asked: str, ended: bool) -> list[str]:
    """The response up to each of its lines. Lines that repeat the prompt, ask or announce are blank."""
    out: list[str] = []
    so_far, prompt = "", [line.strip() for line in asked.splitlines() if line.strip()]
    for line in re.findall(r"[^\n]*\n|[^\n]+", response):
        cut = not ended and line[-1] != "\n"
        repeats = bool(prompt) and (line.strip() == prompt[0] or (cut and prompt[0].startswith(line)))
        if repeats:
            prompt.pop(0)
        elif line.strip():
            prompt = []
        so_far += re.sub(r"[^\n]", " ", line) if repeats or _PREFACE.search(line.rstrip()) else line
        if re.search(r"\w", so_far):
            out.append(so_far)
        if len(out) == _MOST_LINES:
            break
    return out
