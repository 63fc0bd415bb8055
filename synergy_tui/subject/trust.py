"""Which subjects the user has let run what their files hold. It is kept beside the settings of this user, and not in a
cache: a cache that somebody else made can name a subject, and cannot speak for the user."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

from synergy_tui import settings
from synergy_tui.errors import SubjectError
from synergy_tui.subject.source import Source

KINDS = {"pickle": "--allow-pickle", "remote_code": "--allow-remote-code"}
"""What may be allowed, by its name in a source, and the option that allows it."""


def remember(source: Source) -> None:
    """Notes what the user has allowed this subject. Raises OSError."""
    allowed = {kind for kind in KINDS if getattr(source, kind)}
    known = _read()
    key = _key(source)
    if allowed <= set(known.get(key, ())):
        return
    path = _file()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    known[key] = sorted(allowed | set(known.get(key, ())))
    unfinished.write_text(json.dumps(known, indent=1) + "\n", "utf-8")
    os.replace(unfinished, path)


def allowed(kind: str, place: str, revision: str | None) -> dict[str, bool]:
    """What has been allowed a subject: arguments of a source."""
    known = _read().get(_key(Source("", kind, place, revision)), ())
    return {name: name in known for name in KINDS}


def check(source: Source) -> None:
    """Raises SubjectError where a source claims what the user has not allowed on this machine."""
    known = _read().get(_key(source), ())
    for kind, option in KINDS.items():
        if getattr(source, kind) and kind not in known:
            raise SubjectError(
                f"{source.place} would run what its files hold, and you have not allowed that here",
                f"start it anew with {option}, if you trust who made it",
            )


def _key(source: Source) -> str:
    return json.dumps([source.kind, source.place, source.revision])


def _file() -> Path:
    return settings.load().state / "allowed.json"


def _read() -> dict[str, list[str]]:
    with contextlib.suppress(OSError, ValueError, RecursionError):
        found = json.loads(_file().read_text("utf-8"))
        if isinstance(found, dict):
            return {str(key): [str(one) for one in value] for key, value in found.items() if isinstance(value, list)}
    return {}
