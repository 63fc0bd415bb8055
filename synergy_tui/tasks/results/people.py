"""Who is a knight and who is a knave."""

from __future__ import annotations

import re

from synergy_tui.tasks.stated import Stated

_SUPPOSED = re.compile(
    r"\b(?:if|suppose|supposing|assume|assuming|let's say|imagine|whether|were|either|or)\b", re.IGNORECASE
)
_CLAIMED = re.compile(r"\b(?:says?|said|saying|claims?|claimed|statements?|states?)\b", re.IGNORECASE)
_FOLLOWS = re.compile(r"\b(?:so|therefore|thus|hence|means?|must|because|since|making)\b", re.IGNORECASE)


def roles(response: str, answer: str) -> Stated | None:
    """answer: `Ann knight, Bob knave`. The last role that the response gives every name, ignoring suppositions and
    quoted claims; None if a name is missing."""
    names = [name for name, _ in _roles(answer)]
    quiet = re.sub(r"[\"“][^\"”\n]*[\"”]", lambda one: " " * len(one.group()), response)
    found: dict[str, tuple[str, int]] = {}
    for clause in re.finditer(r"[^.!?;\n]+", quiet):
        text = clause.group()
        supposed, claimed = _SUPPOSED.search(text), _CLAIMED.search(text)
        for name in names:
            role = _role_of(name, text, names)
            if role is None or (supposed and supposed.start() < role[1]):
                continue
            if claimed and claimed.start() < role[1] and not _FOLLOWS.search(text, claimed.start(), role[1]):
                continue
            found[name] = role[0], clause.start() + role[1]
    if len(found) < len(names):
        return None
    concluding = re.search(
        r"\b(?:answer|conclusion|therefore|thus|hence|final|solution|in summary|so)\b|####|\\boxed",
        quiet,
        re.IGNORECASE,
    )
    end = max(place for _, place in found.values())
    first = min(place for _, place in found.values())
    firm = bool(concluding and concluding.start() < first)
    return Stated(", ".join(f"{name} {found[name][0]}" for name in names), end, firm=firm)


def _role_of(name: str, text: str, among: list[str]) -> tuple[str, int] | None:
    """(knight or knave, where it ends): the last role that a clause gives a name: `Ann is a knight`, `Ann: knight`,
    `Knights: Ann and Bob`, `Ann and Bob are knights`."""
    word = re.escape(name)
    role = r"[*_`]*(?P<role>knight|knave)"
    between = r"(?:[\s*_`'\"”)|(=:\-–—→,]|->|is\b|must be\b|has to be\b|should be\b|as\b|a\b|the\b|therefore\b|thus\b"
    between += r"|indeed\b|definitely\b|actually\b|also\b|then\b|(?P<no>not\b|isn't\b|n't\b|cannot be\b|can't be\b))*"
    names = rf"(?P<names>(?:(?:{'|'.join(map(re.escape, among))})\b[\s,*_`]*(?:and\b|&)?[\s,*_`]*)+)"
    forms = (
        rf"\b{word}\b{between}{role}\b(?!\s+or\b)",
        rf"\b{role}s?\b[*_`\s)]*(?:\bare\b|\bis\b|:|=|-)[*_`\s]*{names}",
        rf"\b{names}(?:are|is)\s+(?:(?:both|all|the)\s+)*{role}s\b",
    )
    last: tuple[str, int] | None = None
    for form in forms:
        for one in re.finditer(form, text, re.IGNORECASE):
            groups = one.groupdict()
            if groups.get("names") and not re.search(rf"\b{word}\b", groups["names"], re.IGNORECASE):
                continue
            said = groups["role"].lower()
            said = said if not groups.get("no") else "knave" if said == "knight" else "knight"
            if last is None or one.end() > last[1]:
                last = said, one.end()
    return last


def _roles(answer: str) -> list[tuple[str, str]]:
    wanted = [one.split() for one in answer.split(",")]
    if any(len(one) != 2 for one in wanted):
        raise ValueError(f"the answer {answer!r} is no list of names with knight or knave")
    return [(name, role.lower()) for name, role in wanted]


def same_roles(found: str, answer: str) -> bool:
    """Whether every name has its role."""
    return found == ", ".join(f"{name} {role}" for name, role in _roles(answer))
