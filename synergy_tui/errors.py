"""What can go wrong for a user. Each message is one line: what was wrong, and what to do next."""

from __future__ import annotations

import sys
from pathlib import Path


class SynergyError(Exception):
    """A failure with a message for people; the command line prints it and exits with `exit_code`."""

    exit_code = 1

    def __init__(self, what: str, next_step: str = "") -> None:
        self.what, self.next_step = what, next_step
        super().__init__(f"{what} · {next_step}" if next_step else what)


class UsageError(SynergyError):
    """The request itself is wrong: an unknown name, an option out of range, a file of the wrong kind."""

    exit_code = 2


class SubjectError(SynergyError):
    """The language model cannot be found, read or understood."""


class TaskError(UsageError):
    """The prompts cannot be read or used."""


class MeasureError(SynergyError):
    """The data yield no number: every response is too short, or no pair is valid."""


class CacheError(SynergyError):
    """The cache cannot be used: locked, read-only, damaged, or from a newer version."""


class JobError(SynergyError):
    """A job failed, stopped, or is in a state that does not allow this."""


class QueryError(UsageError):
    """The cache cannot answer the SQL. at: the character of the text where it goes wrong, counted from 0, if known."""

    def __init__(self, what: str, next_step: str = "", at: int | None = None) -> None:
        self.at = at
        super().__init__(what, next_step)


class Cancelled(SynergyError):
    """The job was asked to stop; finished work is kept."""

    exit_code = 130


def with_extra(extra: str) -> str:
    """The command that adds an extra to this installation: pip's own would miss the environment of pipx or of uv."""
    if Path(sys.prefix, "uv-receipt.toml").exists():
        return f'uv tool install "synergy-tui[{extra}]"'
    if Path(sys.prefix, "pipx_metadata.json").exists():
        return f'pipx install --force "synergy-tui[{extra}]"'
    return f'pip install "synergy-tui[{extra}]"'
