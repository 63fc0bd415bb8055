"""A row → the question for a subject: a text, or messages with roles. Light."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from synergy_tui.errors import TaskError
from synergy_tui.tasks.rows import Row, check_text

COLUMNS = ("text", "prompt", "question", "problem", "instruction", "messages")
"""Usual names of the column of prompts; the first that a row has is used. `input` belongs to `instruction`."""

_ROLES = ("system", "developer", "user", "assistant", "tool")

Messages = tuple[tuple[str, str], ...]
"""(role, content) of each message."""


class Asked(NamedTuple):
    """text: the question, messages written out with their roles. messages: the input of the chat template; empty for a
    plain text, which comes from the user."""

    text: str
    messages: Messages = ()


def asked(row: Row, where: str, name: str | None = None) -> Asked:
    """The question of a row, from the column `name` or the first of the usual ones. Blanks around it stay. Raises
    TaskError."""
    chosen = name or next((one for one in COLUMNS if row.get(one)), None)
    value = row.get(chosen) if chosen else None
    if isinstance(value, str) and value.strip():
        more = row.get("input") if chosen == "instruction" else None
        text = f"{value}\n\n{more}" if isinstance(more, str) and more.strip() else value
        check_text(where, text)
        return Asked(text)
    if isinstance(value, list) and value:
        messages = _messages(value, where)
        return Asked("\n".join(f"{role}: {content}" for role, content in messages), messages)
    raise TaskError(f"{where} has no text", "give it a text, or take it out")


def _messages(value: Sequence[Any], where: str) -> Messages:
    """The question in a conversation: everything up to the last message that is not an answer."""
    found = []
    for number, one in enumerate(value, 1):
        role = one.get("role") if isinstance(one, dict) else None
        content = _content(one.get("content")) if isinstance(one, dict) else None
        if role not in _ROLES or content is None:
            raise TaskError(
                f"message {number} of {where} has no role among {', '.join(_ROLES)} or no text as its content",
                'write it as {"role": "user", "content": "…"}',
            )
        check_text(where, content)
        found.append((str(role), content))
    while found and found[-1][0] == "assistant":
        found.pop()
    if not any(role == "user" for role, _ in found):
        raise TaskError(f"{where} has no message of the user", "give it one, or take it out")
    return tuple(found)


def _content(value: Any) -> str | None:
    """A message's text, also if it comes in parts."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        texts = [one.get("text") for one in value if one.get("type", "text") == "text"]
        if len(texts) == len(value) and all(isinstance(one, str) for one in texts):
            return "".join(str(one) for one in texts)
    return None
