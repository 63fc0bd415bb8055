"""A pull: a subject's files are fetched to this disk."""

from __future__ import annotations

from typing import ClassVar

from synergy_tui.jobs.specs.base import Request, Spec
from synergy_tui.jobs.specs.capture import Adapter, AllowCode, AllowPickle, Revision, Subject
from synergy_tui.subject.source import Source


class PullRequest(Request, frozen=True, kw_only=True):
    """The options of `subjects pull`."""

    COMMAND: ClassVar[str] = "pull"

    subject: Subject
    revision: Revision = None
    allow_pickle: AllowPickle = False


class CheckRequest(Request, frozen=True, kw_only=True):
    """The options of `subjects check`."""

    COMMAND: ClassVar[str] = "check"

    subject: Subject
    revision: Revision = None
    adapter: Adapter = None
    allow_pickle: AllowPickle = False
    allow_remote_code: AllowCode = False


class PullSpec(PullRequest, Spec, frozen=True, kw_only=True):
    """source: where the subject is. data: folder of the built-in subjects."""

    KIND: ClassVar[str] = "pull"
    REQUEST: ClassVar[type[Request]] = PullRequest
    LETTER: ClassVar[str] = "p"
    NOT_WHAT: ClassVar[frozenset[str]] = frozenset({"data"})

    source: Source
    data: str
